//! Matching: four orders to a deal, with the rules of the Market (`contracts/src/Market.sol`), in its order.
//!
//! Knows what the chain says from [`Facts`]; signatures are checked with [`crate::messages`], balances by the Vault.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::Eip712Domain;

use crate::{
    Amount, BondUnits, Bps, Fuel, Parameters, Prices, RuntimeNumber, Secs, UnixTime,
    orders::{AppOrder, DatasetOrder, Order, PoolOrder, RequestOrder},
    payouts::{PayoutError, deal_lock, execution_at_most},
    policy::{PolicyError, PolicyWord},
    terms::{Opened, OpenedWord, Terms},
};

/// Most tasks of a batch: a proof of 16 words.
pub const BATCH_SIZE_MAX: u32 = 65_536;
/// Most fuel of one execution: the sandbox takes no task with a higher limit.
pub const FUEL_LIMIT_MAX: Fuel = Fuel(1 << 62);
/// Least memory limit of one execution, in bytes: a page of WebAssembly.
pub const MEMORY_LIMIT_MIN_BYTES: u64 = 1 << 16;
/// Highest memory limit of one execution, in bytes: all that 32 bits address.
pub const MEMORY_LIMIT_MAX_BYTES: u64 = 1 << 32;
/// Most gas that a callback may ask for.
pub const CALLBACK_GAS_MAX: u32 = 1_000_000;
/// Longest time from the opening of a deal to its deadline.
pub const DURATION_MAX: Secs = Secs(365 * 86_400);
/// What stands in place of an order's fill when it was cancelled.
pub const CANCELLED: u64 = u64::MAX;

/// Orders that make no deal. Every message names the field, its value and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    /// The order's time is over.
    #[error("the {side} order expired at {expiry}, it is {now}: ask for a new one")]
    Expired {
        /// Which order.
        side: &'static str,
        /// Its last second.
        expiry: u64,
        /// Chain time.
        now: UnixTime,
    },
    /// The request was matched or cancelled before.
    #[error("request {0} was used or cancelled: sign a new one with another salt")]
    Used(B256),
    /// A field of the request is out of bounds.
    #[error("request.{field} is {value}: choose {lowest} to {highest}")]
    OutOfBounds {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: u128,
        /// Smallest allowed.
        lowest: u128,
        /// Largest allowed.
        highest: u128,
    },
    /// A tip for deliveries that cannot be.
    #[error(
        "request.deliveryTip is {0}, and there is no request.callback to deliver to: name one, or choose 0"
    )]
    TipWithoutCallback(Amount),
    /// The policy is out of bounds.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Two orders name different things.
    #[error(
        "the request names {what} {asked}, the {what} order offers {offered}: pick orders of the same {what}"
    )]
    Mismatch {
        /// App, dataset or pool.
        what: &'static str,
        /// In the request.
        asked: U256,
        /// In the other order.
        offered: U256,
    },
    /// An order is restricted to somebody or something else.
    #[error("the {side} order is restricted to another {to}: ask its owner, or pick an open order")]
    Restricted {
        /// Which order.
        side: &'static str,
        /// What it is restricted by.
        to: &'static str,
    },
    /// A price is above the requester's cap.
    #[error(
        "the {side} order asks {price}, the request pays {cap} at most: raise request.{field} or pick a cheaper order"
    )]
    Price {
        /// Which order.
        side: &'static str,
        /// What it asks.
        price: Amount,
        /// What the request allows.
        cap: Amount,
        /// The request's field.
        field: &'static str,
    },
    /// The pool would keep more of a batch that expires than an execution of it costs.
    #[error(
        "the pool order keeps {kept} of a batch that expires, an execution of it costs {execution} at most: pick another order"
    )]
    Minimum {
        /// The pool's `minimumFee`.
        kept: Amount,
        /// One execution of a full batch at the fuel limit.
        execution: Amount,
    },
    /// The order's nonce is over: cancelled all at once, or the asset was sold.
    #[error("the {side} order has nonce {nonce}, valid is {valid}: its owner must sign it anew")]
    Nonce {
        /// Which order.
        side: &'static str,
        /// In the order.
        nonce: u64,
        /// On chain.
        valid: u64,
    },
    /// The order was cancelled.
    #[error("the {0} order was cancelled: pick another one")]
    Cancelled(&'static str),
    /// The order has fewer tasks left than the request needs.
    #[error(
        "the {side} order has {left} of {volume} tasks left, the request needs {tasks}: pick a larger order"
    )]
    Volume {
        /// Which order.
        side: &'static str,
        /// Tasks left.
        left: u64,
        /// Tasks offered in all.
        volume: u64,
        /// Tasks asked.
        tasks: u32,
    },
    /// No such pool, or it closes.
    #[error("pool {0} takes no deals (unknown or closing): pick another pool")]
    PoolClosed(u32),
    /// The worst case can't be locked.
    #[error(
        "the deal would lock {0}, more than the 96 bits of a balance: lower prices, fuel limit or task count"
    )]
    Lock(Amount),
    /// Prices beyond all bounds.
    #[error(transparent)]
    Payout(#[from] PayoutError),
}

impl MatchError {
    /// The error's code in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "match.expired",
            Self::Used(_) => "match.used",
            Self::OutOfBounds { .. } => "match.out_of_bounds",
            Self::TipWithoutCallback(_) => "match.tip_without_callback",
            Self::Policy(error) => error.code(),
            Self::Mismatch { .. } => "match.mismatch",
            Self::Restricted { .. } => "match.restricted",
            Self::Price { .. } => "match.price",
            Self::Minimum { .. } => "match.minimum",
            Self::Nonce { .. } => "match.nonce",
            Self::Cancelled(_) => "match.cancelled",
            Self::Volume { .. } => "match.volume",
            Self::PoolClosed(_) => "match.pool_closed",
            Self::Lock(_) => "match.lock",
            Self::Payout(error) => error.code(),
        }
    }
}

/// The orders of a deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offers {
    /// Of the app's owner.
    pub app: AppOrder,
    /// Of the dataset's owner; all zeros where the request wants none.
    pub dataset: DatasetOrder,
    /// Of the pool's owner.
    pub pool: PoolOrder,
    /// Of the requester.
    pub request: RequestOrder,
}

/// What the chain says of an app's or dataset's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssetFacts {
    /// Owner of the asset.
    pub owner: Address,
    /// Order nonce of the asset.
    pub nonce: u64,
    /// Tasks that the order has given, or [`CANCELLED`].
    pub filled: u64,
}

/// What the chain says of a pool and its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolFacts {
    /// Whether the pool exists and takes deals.
    pub open: bool,
    /// Order nonce of the pool.
    pub nonce: u32,
    /// Tasks that the order has given, or [`CANCELLED`].
    pub filled: u64,
    /// Bond of its active workers.
    pub bond: BondUnits,
    /// Share of its owner.
    pub share: Bps,
}

/// What the chain says at the moment of the match.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The Market's domain.
    pub market: Eip712Domain,
    /// Number of the block.
    pub block: u64,
    /// Its time.
    pub now: UnixTime,
    /// Version of the parameters that a new deal opens with.
    pub version: u16,
    /// These parameters.
    pub parameters: Parameters,
    /// The app.
    pub app: AssetFacts,
    /// The runtime that the app needs.
    pub runtime: RuntimeNumber,
    /// The dataset; default where there is none.
    pub dataset: AssetFacts,
    /// The pool.
    pub pool: PoolFacts,
    /// Order nonce of the requester.
    pub requester_nonce: u64,
    /// Whether the request was matched or cancelled before.
    pub request_used: bool,
    /// Group contracts, among those that the orders name, that say that the requester is a member.
    pub groups: BTreeSet<Address>,
}

/// A deal as it would open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Its terms.
    pub terms: Terms,
    /// What the payer locks.
    pub lock: Amount,
}

/// Checks the orders against each other and the chain, and says which deal they make.
pub fn check_match(offers: &Offers, facts: &Facts) -> Result<Match, MatchError> {
    let Offers { app, dataset, pool, request } = offers;
    let deal = request.deal_id(&facts.market);
    if facts.request_used {
        return Err(MatchError::Used(deal.0));
    }
    check_request(request, &facts.parameters, facts.now)?;
    let taker = Taker { request, facts };
    taker.take_pool(pool)?;
    same("app", request.app, app.app)?;
    same("dataset", request.dataset, dataset.dataset)?;
    taker.take_app(app)?;
    if request.has_dataset() {
        taker.take_dataset(dataset)?;
    } else {
        price("dataset", dataset.price.to(), 0, "datasetPriceMax")?;
    }
    let terms = terms_of(offers, facts);
    let prices = Prices::of(&terms, request.batchSize, facts.parameters.protocol_fee_bps)?;
    let lock = deal_lock(&prices, request.taskCount, request.batchSize)?;
    if lock.0 >> 96 != U256::ZERO {
        return Err(MatchError::Lock(lock));
    }
    nonce("request", request.nonce, facts.requester_nonce)?;
    Ok(Match { terms, lock })
}

/// Checks the request's own bounds and its policy, as far as that needs no other order.
pub fn check_request(
    request: &RequestOrder,
    parameters: &Parameters,
    now: UnixTime,
) -> Result<(), MatchError> {
    unexpired(request, now)?;
    bound("taskCount", request.taskCount, 1, u32::MAX)?;
    bound("batchSize", request.batchSize, 1, BATCH_SIZE_MAX)?;
    bound("callbackGas", request.callbackGas, 0, CALLBACK_GAS_MAX)?;
    if !request.deliveryTip.is_zero() && request.callback.is_zero() {
        return Err(MatchError::TipWithoutCallback(Amount(U256::from(request.deliveryTip))));
    }
    bound("fuelLimit", request.fuelLimit, 1, FUEL_LIMIT_MAX.0)?;
    bound("memoryLimit", request.memoryLimit, MEMORY_LIMIT_MIN_BYTES, MEMORY_LIMIT_MAX_BYTES)?;
    let batch_tasks = request.taskCount.min(request.batchSize);
    let batch_fuel = u128::from(request.fuelLimit) * u128::from(batch_tasks);
    bound("fuelLimit * batchSize", batch_fuel, 1, u64::MAX.into())?;
    let patience = parameters.patience(Fuel(request.fuelLimit), batch_tasks);
    let earliest = u128::from(now.0) + u128::from(patience.0);
    bound("deadline", request.deadline.into(), earliest, u128::from(now.0) + u128::from(DURATION_MAX.0))?;
    Ok(request.policy.validate_under(parameters)?)
}

/// Takes the request's tasks of one order after the other.
struct Taker<'a> {
    request: &'a RequestOrder,
    facts: &'a Facts,
}

impl Taker<'_> {
    fn take_pool(&self, pool: &PoolOrder) -> Result<(), MatchError> {
        let (request, facts) = (self.request, &self.facts.pool);
        same("pool", U256::from(request.pool), U256::from(pool.pool))?;
        price("pool", pool.feePerMfuel.to(), request.feePerMfuelMax.to(), "feePerMfuelMax")?;
        let (fuel, fee) = (Fuel(request.fuelLimit), Amount(pool.feePerMfuel.to()));
        let execution = execution_at_most(request.taskCount.min(request.batchSize), fuel, fee)?;
        if U256::from(pool.minimumFee) > execution.0 {
            return Err(MatchError::Minimum { kept: Amount(pool.minimumFee.to()), execution });
        }
        bound("fuelLimit", request.fuelLimit, 1, pool.fuelLimitMax)?;
        restricted("pool", "app", pool.appRestrict, request.app)?;
        restricted("pool", "dataset", pool.datasetRestrict, request.dataset)?;
        if !facts.open {
            return Err(MatchError::PoolClosed(pool.pool));
        }
        nonce("pool", pool.nonce.into(), facts.nonce.into())?;
        self.take(pool, pool.requesterRestrict, pool.volume, facts.filled)
    }

    fn take_app(&self, app: &AppOrder) -> Result<(), MatchError> {
        let (request, facts) = (self.request, &self.facts.app);
        price("app", app.price.to(), request.appPriceMax.to(), "appPriceMax")?;
        restricted("app", "dataset", app.datasetRestrict, request.dataset)?;
        restricted("app", "pool", U256::from(app.poolRestrict), U256::from(request.pool))?;
        nonce("app", app.nonce, facts.nonce)?;
        self.take(app, app.requesterRestrict, app.volume, facts.filled)
    }

    fn take_dataset(&self, dataset: &DatasetOrder) -> Result<(), MatchError> {
        let (request, facts) = (self.request, &self.facts.dataset);
        price("dataset", dataset.price.to(), request.datasetPriceMax.to(), "datasetPriceMax")?;
        restricted("dataset", "app", dataset.appRestrict, request.app)?;
        restricted("dataset", "pool", U256::from(dataset.poolRestrict), U256::from(request.pool))?;
        nonce("dataset", dataset.nonce, facts.nonce)?;
        self.take(dataset, dataset.requesterRestrict, dataset.volume, facts.filled)
    }

    /// Group, expiry and volume: the same for all.
    fn take<O: Order>(&self, order: &O, group: Address, volume: u64, filled: u64) -> Result<(), MatchError> {
        let side = O::SIDE;
        if !group.is_zero() && group != self.request.requester && !self.facts.groups.contains(&group) {
            return Err(MatchError::Restricted { side, to: "requester" });
        }
        unexpired(order, self.facts.now)?;
        if filled == CANCELLED {
            return Err(MatchError::Cancelled(side));
        }
        let tasks = self.request.taskCount;
        let after = u128::from(filled) + u128::from(tasks);
        if after > u128::from(volume) || after >= u128::from(CANCELLED) {
            return Err(MatchError::Volume { side, left: volume.saturating_sub(filled), volume, tasks });
        }
        Ok(())
    }
}

fn terms_of(offers: &Offers, facts: &Facts) -> Terms {
    let Offers { app, dataset, pool, request } = offers;
    let opened = Opened {
        block: facts.block,
        time: facts.now,
        pool_bond: facts.pool.bond,
        parameters: facts.version,
        runtime: facts.runtime,
        pool_share: facts.pool.share,
        protocol_fee: facts.parameters.protocol_fee_bps,
        reputation_step: facts.parameters.reputation_step,
        patience: facts
            .parameters
            .patience(Fuel(request.fuelLimit), request.batchSize.min(request.taskCount)),
    };
    Terms {
        dealId: request.deal_id(&facts.market).0,
        requester: request.requester,
        payer: request.payer,
        beneficiary: request.beneficiary,
        app: request.app,
        appOwner: facts.app.owner,
        appPrice: app.price,
        dataset: request.dataset,
        datasetOwner: facts.dataset.owner,
        datasetPrice: dataset.price,
        pool: request.pool,
        feePerMfuel: pool.feePerMfuel,
        minimumFee: pool.minimumFee,
        deliveryTip: request.deliveryTip,
        callback: request.callback,
        callbackGas: request.callbackGas,
        inputs: request.inputs,
        taskCount: request.taskCount,
        batchSize: request.batchSize,
        fuelLimit: request.fuelLimit,
        memoryLimit: request.memoryLimit,
        deadline: request.deadline,
        policy: PolicyWord::pack(&request.policy).0,
        opened: OpenedWord::pack(&opened).0,
    }
}

fn unexpired<O: Order>(order: &O, now: UnixTime) -> Result<(), MatchError> {
    let expiry = order.expiry();
    if now.0 > expiry { Err(MatchError::Expired { side: O::SIDE, expiry, now }) } else { Ok(()) }
}

fn bound<T: Into<u128>>(field: &'static str, value: T, lowest: T, highest: T) -> Result<(), MatchError> {
    let (value, lowest, highest) = (value.into(), lowest.into(), highest.into());
    if (lowest..=highest).contains(&value) {
        return Ok(());
    }
    Err(MatchError::OutOfBounds { field, value, lowest, highest })
}

fn same(what: &'static str, asked: U256, offered: U256) -> Result<(), MatchError> {
    if asked == offered { Ok(()) } else { Err(MatchError::Mismatch { what, asked, offered }) }
}

fn restricted(side: &'static str, to: &'static str, only: U256, asked: U256) -> Result<(), MatchError> {
    let open = only.is_zero() || only == asked;
    if open { Ok(()) } else { Err(MatchError::Restricted { side, to }) }
}

fn price(side: &'static str, price: u128, cap: u128, field: &'static str) -> Result<(), MatchError> {
    if price <= cap {
        return Ok(());
    }
    Err(MatchError::Price { side, price: Amount(U256::from(price)), cap: Amount(U256::from(cap)), field })
}

fn nonce(side: &'static str, nonce: u64, valid: u64) -> Result<(), MatchError> {
    if nonce == valid { Ok(()) } else { Err(MatchError::Nonce { side, nonce, valid }) }
}
