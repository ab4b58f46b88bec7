//! Whether the Market would take an order for a deal now, and if not, why.
//!
//! The Market checks all of it again; what is caught here is caught before anything is stored or paid. Knows nothing of where
//! orders come from.

use alloy::{
    primitives::{Address, B256, Bytes, U256, aliases::U96},
    providers::Provider as _,
};
use guildhall_protocol::{
    Amount, AssetId, Bps, Fuel, PoolId, Prices, UnixTime,
    matching::CANCELLED,
    orders::{AppOrder, DatasetOrder, PoolOrder, RequestOrder},
    payouts::{PayoutError, deal_lock, execution_at_most},
    signed_order::{AnyOrder, SignedOrder, recovered},
};

use crate::{
    bindings::Market,
    client::{ChainClient, ChainError, bring},
};

alloy::sol! {
    /// A contract that answers for a group of requesters (`contracts/src/interfaces/IGroup.sol`).
    #[sol(rpc)]
    contract Group {
        function isMember(address account) external view returns (bool);
    }

    /// A contract that signs by rules of its own (ERC-1271).
    #[sol(rpc)]
    contract SigningContract {
        function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4);
    }
}

/// What an ERC-1271 contract answers for a signature of its own.
const SIGNED: [u8; 4] = [0x16, 0x26, 0xba, 0x7e];

/// For which deal orders are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Tasks of a full batch: pools that keep more of one that expires than an execution of it costs are passed over.
    pub batch_size: u32,
    /// Limit of one execution: pools that take shorter ones only are passed over.
    pub fuel_limit: u64,
}

/// Whose order stands for an asset or a pool, and with which nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderOwner {
    /// Who signs.
    pub address: Address,
    /// The nonce of its orders.
    pub nonce: u64,
}

/// What all kinds of orders say, read from one that is about what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered<T> {
    /// The order.
    pub order: T,
    /// What it asks.
    pub price: U96,
    /// How many tasks it gives in all.
    pub volume: u64,
    /// Its nonce.
    pub nonce: u64,
    /// Whom it is restricted to; zero = nobody.
    pub requester: Address,
    /// Why it is not for this deal, in words.
    pub not_for: Option<String>,
}

/// The order of an app's owner, if it is about the app that is wanted.
pub fn app_offer(order: &AnyOrder, wanted: &Wanted) -> Option<Offered<AppOrder>> {
    let AnyOrder::App(order) = order else { return None };
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

/// The order of a dataset's owner, if it is about the dataset that is wanted.
pub fn dataset_offer(order: &AnyOrder, wanted: &Wanted) -> Option<Offered<DatasetOrder>> {
    let AnyOrder::Dataset(order) = order else { return None };
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

/// The order of a pool's owner, if it is about the pool that is wanted.
pub fn pool_offer(order: &AnyOrder, wanted: &Wanted) -> Option<Offered<PoolOrder>> {
    let AnyOrder::Pool(order) = order else { return None };
    let short = || {
        let says = format!("is for executions of {} fuel at most", order.fuelLimitMax);
        (order.fuelLimitMax < wanted.fuel_limit).then_some(says)
    };
    let keeps_much = || {
        let (fuel, fee) = (Fuel(wanted.fuel_limit), Amount(U256::from(order.feePerMfuel)));
        let execution = execution_at_most(wanted.tasks.min(wanted.batch_size), fuel, fee);
        let kept = U256::from(order.minimumFee);
        let says = format!("keeps {kept} of a batch that expires, more than an execution of it costs");
        (!execution.is_ok_and(|execution| execution.0 >= kept)).then_some(says)
    };
    (order.pool == wanted.pool).then(|| Offered {
        order: *order,
        price: order.feePerMfuel,
        volume: order.volume,
        nonce: order.nonce.into(),
        requester: order.requesterRestrict,
        not_for: other("app", order.appRestrict, wanted.app)
            .or_else(|| other("dataset", order.datasetRestrict, wanted.dataset))
            .or_else(short)
            .or_else(keeps_much),
    })
}

/// Why an order that is restricted to another asset or pool is not for this deal.
fn other(what: &str, only: U256, wanted: U256) -> Option<String> {
    (!only.is_zero() && only != wanted).then(|| format!("is for {what} {only} only"))
}

impl ChainClient {
    /// Who may sell an app; `None` = there is none.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn app_seller(&self, app: AssetId) -> Result<Option<OrderOwner>, ChainError> {
        let found = self.app(app).await?;
        Ok(found.map(|app| OrderOwner { address: app.owner, nonce: app.nonce }))
    }

    /// Who may rent a dataset out, beside an app; `None` = there is none.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn dataset_seller(
        &self,
        app: AssetId,
        dataset: AssetId,
    ) -> Result<Option<OrderOwner>, ChainError> {
        let Some(found) = self.dataset(dataset).await? else { return Ok(None) };
        let (_, nonce) = self.order_nonces(app, dataset).await?;
        Ok(Some(OrderOwner { address: found.owner, nonce }))
    }

    /// Who may sell a pool's work; `None` = there is no such pool, or it takes no deals any more.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn pool_seller(&self, pool: PoolId) -> Result<Option<OrderOwner>, ChainError> {
        let found = self.pool(pool).await?.filter(|pool| !pool.closing);
        Ok(found.map(|pool| OrderOwner { address: pool.owner, nonce: pool.nonce.into() }))
    }

    /// Why the Market would not take an order at `now`, in words that go on from its name; `None` = it would.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn why_not<T>(
        &self,
        signed: &SignedOrder,
        offered: &Offered<T>,
        owner: OrderOwner,
        wanted: &Wanted,
        now: UnixTime,
    ) -> Result<Option<String>, ChainError> {
        let deployment = self.deployment();
        if (signed.chain, signed.market) != (deployment.chain_id, deployment.market) {
            return Ok(Some("is for another chain".to_owned()));
        }
        if signed.order.subject_and_expiry().1 < now.0 {
            return Ok(Some("is over its time".to_owned()));
        }
        if let Some(why) = &offered.not_for {
            return Ok(Some(why.clone()));
        }
        if offered.nonce != owner.nonce {
            return Ok(Some("was cancelled with all that its signer signed before".to_owned()));
        }
        if !self.is_for(offered.requester, wanted.requester).await? {
            return Ok(Some(format!("is for requester {} only", offered.requester)));
        }
        let given = self.filled(signed.digest()).await?;
        if given == CANCELLED {
            return Ok(Some("was cancelled".to_owned()));
        }
        let left = offered.volume.saturating_sub(given);
        if left < u64::from(wanted.tasks) {
            return Ok(Some(format!("has {left} of {} tasks left", offered.volume)));
        }
        let signed_well = self.is_signed_by(signed.digest(), &signed.signature, owner.address).await?;
        Ok((!signed_well).then(|| format!("is not signed by the owner, {}", owner.address)))
    }

    /// Whether a restriction lets a requester in: it names the requester itself, or a contract that answers for a group.
    ///
    /// # Errors
    /// None today: as with the Market, whoever does not answer with yes says no.
    pub async fn is_for(&self, only: Address, requester: Address) -> Result<bool, ChainError> {
        if only.is_zero() || only == requester {
            return Ok(true);
        }
        let group = Group::new(only, self.provider());
        Ok(group.isMember(requester).call().await.unwrap_or(false))
    }

    /// Whether an order is signed by an owner: by its key, by a contract that owns (ERC-1271), or on chain before.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn is_signed_by(
        &self,
        digest: B256,
        signature: &Bytes,
        owner: Address,
    ) -> Result<bool, ChainError> {
        if signature.is_empty() {
            return self.is_signed(digest, owner).await;
        }
        if recovered(digest, signature) == Some(owner) {
            return Ok(true);
        }
        let what = "an owner's code";
        let code = self.provider().get_code_at(owner).await.map_err(self.endpoint().failed(what))?;
        if code.is_empty() {
            return Ok(false);
        }
        let contract = SigningContract::new(owner, self.provider());
        let answer = contract.isValidSignature(digest, signature.clone()).call().await;
        Ok(answer.is_ok_and(|answer| answer.0 == SIGNED))
    }
}

/// The orders of the other sides of a deal, each with its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    /// The app's.
    pub app: (AppOrder, Bytes),
    /// The dataset's; none where none is wanted.
    pub dataset: Option<(DatasetOrder, Bytes)>,
    /// The pool's.
    pub pool: (PoolOrder, Bytes),
}

impl Sides {
    /// What the payer locks for a request that these orders are matched with: the worst case of every batch.
    ///
    /// # Errors
    /// [`PayoutError`] for sums beyond any token.
    pub fn lock(&self, request: &RequestOrder) -> Result<Amount, PayoutError> {
        let dataset = self.dataset.as_ref().map_or(U96::ZERO, |(order, _)| order.price);
        let prices = Prices {
            tasks: request.batchSize,
            fuel_limit: Fuel(request.fuelLimit),
            fee_per_mfuel: Amount(U256::from(self.pool.0.feePerMfuel)),
            app_price: Amount(U256::from(self.app.0.price)),
            dataset_price: Amount(U256::from(dataset)),
            replicas_max: request.policy.replicasMax,
            pool_share: Bps::ZERO,
            protocol_fee: Bps::ZERO,
        };
        deal_lock(&prices, request.taskCount, request.batchSize)
    }

    /// The call that opens the deal; `signatures` are the requester's, and the payer's where that is another.
    ///
    /// # Errors
    /// [`ChainError::Answer`] when an order does not fit the contract: a programmer's fault.
    pub fn call(
        &self,
        request: &RequestOrder,
        signatures: (Bytes, Bytes),
    ) -> Result<Market::matchOrdersCall, ChainError> {
        let (dataset, signed) = self.dataset.clone().unwrap_or_default();
        Ok(Market::matchOrdersCall {
            app: bring(&self.app.0)?,
            dataset: bring(&dataset)?,
            pool: bring(&self.pool.0)?,
            request: bring(request)?,
            signatures: Market::Signatures {
                app: self.app.1.clone(),
                dataset: signed,
                pool: self.pool.1.clone(),
                request: signatures.0,
                payer: signatures.1,
            },
        })
    }
}
