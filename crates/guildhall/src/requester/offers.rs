//! The other sides of a deal: signed orders of app, dataset and pool, from files or from the data directory.
//!
//! Whether the Market would take one is `guildhall-chain`'s to say; here is where they lie, and what is told of those that were
//! passed over.

use std::path::{Path, PathBuf};

use alloy::primitives::aliases::U96;
use guildhall_chain::{
    ChainClient,
    offers::{Offered, OrderOwner, Sides, Wanted as ForDeal, app_offer, dataset_offer, pool_offer},
};
use guildhall_protocol::{
    AssetId, PoolId, UnixTime,
    orders::{AppOrder, DatasetOrder, PoolOrder},
};

use super::{assets, pools};
use crate::{
    error::{Failure, Result},
    orders::{Order, OrderFile as _, OrderFolder, SignedOrder},
};

/// Which orders are looked for, and where.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// For which deal.
    pub deal: ForDeal,
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
    /// The orders as they are matched.
    pub fn sides(&self) -> Sides {
        let dataset = self.dataset.as_ref().map(|(order, signed)| (*order, signed.signature.clone()));
        Sides {
            app: (self.app.0, self.app.1.signature.clone()),
            dataset,
            pool: (self.pool.0, self.pool.1.signature.clone()),
        }
    }

    /// Finds the cheapest order of each side that the Market would take now.
    ///
    /// # Errors
    /// `asset.missing`, `pool.missing` for what the chain does not know; `order.none_found` for a side without any order
    /// that can be taken, with the reasons; `order.unusable` and what else is wrong with a named file.
    pub async fn find(wanted: &Wanted, folder: &OrderFolder, chain: &ChainClient) -> Result<Self> {
        let there = folder.list()?;
        let now = chain.head().await?.time;
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

/// Reads an order that is about what is wanted.
type Read<T> = fn(&Order, &ForDeal) -> Option<Offered<T>>;

struct Search<'a> {
    wanted: &'a Wanted,
    there: Vec<(PathBuf, SignedOrder)>,
    chain: &'a ChainClient,
    now: UnixTime,
}

impl Search<'_> {
    async fn asset_owners(&self) -> Result<(OrderOwner, Option<OrderOwner>)> {
        let (app, dataset) = (AssetId(self.wanted.deal.app), AssetId(self.wanted.deal.dataset));
        let found = self.chain.app_seller(app).await?.ok_or_else(|| assets::missing("app", app))?;
        if dataset.0.is_zero() {
            return Ok((found, None));
        }
        let rented = self.chain.dataset_seller(app, dataset).await?;
        Ok((found, Some(rented.ok_or_else(|| assets::missing("dataset", dataset))?)))
    }

    async fn pool_owner(&self) -> Result<OrderOwner> {
        let number = self.wanted.deal.pool;
        let pool = self.chain.pool(PoolId(number)).await?.ok_or_else(|| pools::missing(number))?;
        if pool.closing {
            return Err(Failure::new("pool.closing", format!("pool {number} is closing and takes no deals"))
                .hint("`guildhall pool list` shows the others"));
        }
        Ok(OrderOwner { address: pool.owner, nonce: pool.nonce.into() })
    }

    async fn cheapest<T>(
        &self,
        side: &'static str,
        file: Option<&PathBuf>,
        owner: OrderOwner,
        read: Read<T>,
    ) -> Result<(T, SignedOrder)> {
        if let Some(file) = file {
            return self.named(side, file, owner, read).await;
        }
        let mut best: Option<(U96, T, SignedOrder)> = None;
        let mut passed_over = Vec::new();
        for (file, signed) in &self.there {
            let Some(offered) = read(&signed.order, &self.wanted.deal) else { continue };
            match self.chain.why_not(signed, &offered, owner, &self.wanted.deal, self.now).await? {
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
        owner: OrderOwner,
        read: Read<T>,
    ) -> Result<(T, SignedOrder)> {
        let signed = SignedOrder::read(file)?;
        signed.check_chain(self.chain.deployment().chain_id, self.chain.deployment().market)?;
        let offered = read(&signed.order, &self.wanted.deal).ok_or_else(|| {
            let (subject, _) = signed.order.subject_and_expiry();
            Failure::new("order.other_side", format!("`{}` is no {side} order for this deal", file.display()))
                .hint(format!("it is a {} order for {subject}", signed.order.kind()))
        })?;
        match self.chain.why_not(&signed, &offered, owner, &self.wanted.deal, self.now).await? {
            None => Ok((offered.order, signed)),
            Some(why) => {
                Err(Failure::new("order.unusable", format!("the order in `{}` {why}", file.display()))
                    .hint(format!("get another one from the {side}'s owner")))
            }
        }
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
