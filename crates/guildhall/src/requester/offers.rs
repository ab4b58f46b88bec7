//! The other sides of a deal: signed orders of app, dataset and pool, from files or from the data directory.
//!
//! The Market checks all of it again; what is caught here is caught before anything is stored or paid, and told with
//! the reason for every order that was passed over.

use std::path::{Path, PathBuf};

use alloy::{
    primitives::{Address, U256, aliases::U96},
    providers::Provider as _,
};
use guildhall_chain::ChainClient;
use guildhall_protocol::{
    AssetId, PoolId,
    matching::CANCELLED,
    orders::{AppOrder, DatasetOrder, PoolOrder},
};

use super::{assets, pools};
use crate::{
    error::{Failure, Result},
    orders::{Order, OrderFolder, SignedOrder},
    values::thousands,
};

alloy::sol! {
    /// A contract that answers for a group of requesters (`contracts/src/interfaces/IGroup.sol`).
    #[sol(rpc)]
    contract Group {
        function isMember(address account) external view returns (bool);
    }
}

/// Which orders are looked for, and where.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The app.
    pub app: U256,
    /// The dataset; zero for none.
    pub dataset: U256,
    /// The pool.
    pub pool: u32,
    /// Who asks: orders restricted to others are passed over.
    pub requester: Address,
    /// Tasks: orders that have fewer left are passed over.
    pub tasks: u32,
    /// Limit of one execution: pools that take shorter ones only are passed over.
    pub fuel_limit: u64,
    /// A named file for each, instead of a search.
    pub files: OfferFiles,
}

/// Files that hold the orders, where somebody named them.
#[derive(Clone, Debug, Default)]
pub struct OfferFiles {
    /// The app's order.
    pub app: Option<PathBuf>,
    /// The dataset's order.
    pub dataset: Option<PathBuf>,
    /// The pool's order.
    pub pool: Option<PathBuf>,
}

/// The orders found.
#[derive(Clone, Debug)]
pub struct Offers {
    /// The app's.
    pub app: (AppOrder, SignedOrder),
    /// The dataset's; none where none is wanted.
    pub dataset: Option<(DatasetOrder, SignedOrder)>,
    /// The pool's.
    pub pool: (PoolOrder, SignedOrder),
}

impl Offers {
    /// Finds the cheapest order of each side that the Market would take now.
    ///
    /// # Errors
    /// `asset.missing`, `pool.missing` for what the chain does not know; `order.none_found` for a side without any order
    /// that can be taken, with the reasons; `order.unusable` and what else is wrong with a named file.
    pub async fn find(wanted: &Wanted, folder: &OrderFolder, chain: &ChainClient) -> Result<Self> {
        let there = folder.list()?;
        let now = chain.head().await?.time.0;
        let search = Search { wanted, there, chain, now };
        let (app_owner, dataset_owner) = search.asset_owners().await?;
        let pool_owner = search.pool_owner().await?;
        let app = search.cheapest("app", wanted.files.app.as_ref(), app_owner, app_offer).await?;
        let dataset = match dataset_owner {
            Some(owner) => {
                let file = wanted.files.dataset.as_ref();
                Some(search.cheapest("dataset", file, owner, dataset_offer).await?)
            }
            None => None,
        };
        let pool = search.cheapest("pool", wanted.files.pool.as_ref(), pool_owner, pool_offer).await?;
        Ok(Self { app, dataset, pool })
    }
}

/// Whose order stands for an asset or a pool, and with which nonce.
#[derive(Clone, Copy)]
struct Owner {
    address: Address,
    nonce: u64,
}

/// What all kinds of orders say, read from one that is about what is wanted.
struct Offered<T> {
    order: T,
    price: U96,
    volume: u64,
    nonce: u64,
    requester: Address,
    /// Why it is not for this deal, in words.
    not_for: Option<String>,
}

fn app_offer(order: &Order, wanted: &Wanted) -> Option<Offered<AppOrder>> {
    let Order::App(order) = order else { return None };
    (order.app == wanted.app).then(|| Offered {
        order: *order,
        price: order.price,
        volume: order.volume,
        nonce: order.nonce,
        requester: order.requesterRestrict,
        not_for: other("dataset", order.datasetRestrict, wanted.dataset)
            .or_else(|| other("pool", U256::from(order.poolRestrict), U256::from(wanted.pool))),
    })
}

fn dataset_offer(order: &Order, wanted: &Wanted) -> Option<Offered<DatasetOrder>> {
    let Order::Dataset(order) = order else { return None };
    (order.dataset == wanted.dataset).then(|| Offered {
        order: *order,
        price: order.price,
        volume: order.volume,
        nonce: order.nonce,
        requester: order.requesterRestrict,
        not_for: other("app", order.appRestrict, wanted.app)
            .or_else(|| other("pool", U256::from(order.poolRestrict), U256::from(wanted.pool))),
    })
}

fn pool_offer(order: &Order, wanted: &Wanted) -> Option<Offered<PoolOrder>> {
    let Order::Pool(order) = order else { return None };
    let short = || {
        let says = format!("is for executions of {} fuel at most", thousands(order.fuelLimitMax));
        (order.fuelLimitMax < wanted.fuel_limit).then_some(says)
    };
    (order.pool == wanted.pool).then(|| Offered {
        order: *order,
        price: order.feePerMfuel,
        volume: order.volume,
        nonce: order.nonce.into(),
        requester: order.requesterRestrict,
        not_for: other("app", order.appRestrict, wanted.app)
            .or_else(|| other("dataset", order.datasetRestrict, wanted.dataset))
            .or_else(short),
    })
}

/// Why an order that is restricted to another asset or pool is not for this deal.
fn other(what: &str, only: U256, wanted: U256) -> Option<String> {
    (!only.is_zero() && only != wanted).then(|| format!("is for {what} {only} only"))
}

struct Search<'a> {
    wanted: &'a Wanted,
    there: Vec<(PathBuf, SignedOrder)>,
    chain: &'a ChainClient,
    now: u64,
}

impl Search<'_> {
    async fn asset_owners(&self) -> Result<(Owner, Option<Owner>)> {
        let (app, dataset) = (AssetId(self.wanted.app), AssetId(self.wanted.dataset));
        let found = self.chain.app(app).await?.ok_or_else(|| assets::missing("app", app))?;
        let rented = match dataset.0.is_zero() {
            true => None,
            false => {
                let found = self.chain.dataset(dataset).await?;
                Some(found.ok_or_else(|| assets::missing("dataset", dataset))?)
            }
        };
        let (app_nonce, dataset_nonce) = self.chain.order_nonces(app, dataset).await?;
        let app_owner = Owner { address: found.owner, nonce: app_nonce };
        Ok((app_owner, rented.map(|dataset| Owner { address: dataset.owner, nonce: dataset_nonce })))
    }

    async fn pool_owner(&self) -> Result<Owner> {
        let number = self.wanted.pool;
        let pool = self.chain.pool(PoolId(number)).await?.ok_or_else(|| pools::missing(number))?;
        if pool.closing {
            return Err(Failure::new("pool.closing", format!("pool {number} is closing and takes no deals"))
                .hint("`guildhall pool list` shows the others"));
        }
        Ok(Owner { address: pool.owner, nonce: pool.nonce.into() })
    }

    async fn cheapest<T>(
        &self,
        side: &'static str,
        file: Option<&PathBuf>,
        owner: Owner,
        read: fn(&Order, &Wanted) -> Option<Offered<T>>,
    ) -> Result<(T, SignedOrder)> {
        if let Some(file) = file {
            return self.named(side, file, owner, read).await;
        }
        let mut best: Option<(U96, T, SignedOrder)> = None;
        let mut passed_over = Vec::new();
        for (file, signed) in &self.there {
            let Some(offered) = read(&signed.order, self.wanted) else { continue };
            match self.why_not(signed, &offered, owner).await? {
                Some(why) => passed_over.push(format!("{} {why}", file_name(file))),
                None if best.as_ref().is_some_and(|(price, ..)| *price <= offered.price) => {}
                None => best = Some((offered.price, offered.order, signed.clone())),
            }
        }
        best.map(|(_, order, signed)| (order, signed)).ok_or_else(|| none_found(side, &passed_over))
    }

    async fn named<T>(
        &self,
        side: &'static str,
        file: &Path,
        owner: Owner,
        read: fn(&Order, &Wanted) -> Option<Offered<T>>,
    ) -> Result<(T, SignedOrder)> {
        let signed = SignedOrder::read(file)?;
        signed.check_chain(self.chain.deployment().chain_id, self.chain.deployment().market)?;
        let offered = read(&signed.order, self.wanted).ok_or_else(|| {
            let (subject, _) = signed.order.subject_and_expiry();
            Failure::new("order.other_side", format!("`{}` is no {side} order for this deal", file.display()))
                .hint(format!("it is a {} order for {subject}", signed.order.kind()))
        })?;
        match self.why_not(&signed, &offered, owner).await? {
            None => Ok((offered.order, signed)),
            Some(why) => {
                Err(Failure::new("order.unusable", format!("the order in `{}` {why}", file.display()))
                    .hint(format!("get another one from the {side}'s owner")))
            }
        }
    }

    /// Why the Market would not take an order, in words that go on from its name.
    async fn why_not<T>(
        &self,
        signed: &SignedOrder,
        offered: &Offered<T>,
        owner: Owner,
    ) -> Result<Option<String>> {
        let deployment = self.chain.deployment();
        if (signed.chain, signed.market) != (deployment.chain_id, deployment.market) {
            return Ok(Some("is for another chain".to_owned()));
        }
        if signed.order.subject_and_expiry().1 < self.now {
            return Ok(Some("is over its time".to_owned()));
        }
        if let Some(why) = &offered.not_for {
            return Ok(Some(why.clone()));
        }
        if offered.nonce != owner.nonce {
            return Ok(Some("was cancelled with all that its signer signed before".to_owned()));
        }
        if !self.is_for_requester(offered.requester).await? {
            return Ok(Some(format!("is for requester {} only", offered.requester)));
        }
        let given = self.chain.filled(signed.digest()).await?;
        if given == CANCELLED {
            return Ok(Some("was cancelled".to_owned()));
        }
        let left = offered.volume.saturating_sub(given);
        if left < u64::from(self.wanted.tasks) {
            return Ok(Some(format!("has {left} of {} tasks left", offered.volume)));
        }
        let signed_well = self.is_signed_by(signed, owner.address).await?;
        Ok((!signed_well).then(|| format!("is not signed by the owner, {}", owner.address)))
    }

    /// A restriction names the requester itself, or a contract that answers for a group.
    async fn is_for_requester(&self, only: Address) -> Result<bool> {
        if only.is_zero() || only == self.wanted.requester {
            return Ok(true);
        }
        // As the Market does: whoever does not answer with yes says no.
        let group = Group::new(only, self.chain.provider());
        Ok(group.isMember(self.wanted.requester).call().await.unwrap_or(false))
    }

    /// Signed by the owner's key, by a contract that owns, or on chain before.
    async fn is_signed_by(&self, signed: &SignedOrder, owner: Address) -> Result<bool> {
        if signed.signature.is_empty() {
            return Ok(self.chain.is_signed(signed.digest(), owner).await?);
        }
        if signed.recovered() == Some(owner) {
            return Ok(true);
        }
        let code = self.chain.provider().get_code_at(owner).await;
        // A contract signs by its own rules (ERC-1271): the Market asks it.
        Ok(!code.map_err(|error| Failure::new("chain.node", error.to_string()))?.is_empty())
    }
}

fn file_name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn none_found(side: &str, passed_over: &[String]) -> Failure {
    let message = if passed_over.is_empty() {
        format!("there is no {side} order for this deal in the data directory")
    } else {
        format!("no {side} order in the data directory can be taken: {}", passed_over.join("; "))
    };
    Failure::new("order.none_found", message)
        .hint(format!("get one from its owner and name it with `--{side}-order FILE`"))
}
