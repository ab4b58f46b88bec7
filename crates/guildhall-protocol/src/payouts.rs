//! Payouts: what a batch locks, what it pays to whom, and what comes back. Whatever is locked is paid or refunded.
//!
//! Amounts in the token's smallest unit, rounded down unless said. Knows nothing of who was right.

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};

use crate::{
    Amount, BondUnits, Bps, Fuel, Reputation,
    policy::PolicyWord,
    terms::{OpenedWord, Terms},
    units::{BOND_UNIT_WEI, BPS, MICRO},
};

/// Amounts that no batch has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayoutError {
    /// Beyond 256 bits.
    #[error(
        "the price of {tasks} tasks of {fuel} fuel at {fee} per million exceeds 256 bits: lower price or fuel limit"
    )]
    Overflow {
        /// Tasks of the batch.
        tasks: u32,
        /// Fuel of an execution.
        fuel: Fuel,
        /// Fee per million fuel.
        fee: Amount,
    },
    /// More than was locked: certified fuel beyond the limit, or shares beyond the whole.
    #[error(
        "the batch would pay {paid}, but only {locked} is locked: check fuel ({fuel}) against the deal's limit"
    )]
    OverLock {
        /// What would be paid.
        paid: Amount,
        /// What is locked.
        locked: Amount,
        /// Certified fuel.
        fuel: Fuel,
    },
}

impl PayoutError {
    /// The error's code in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Overflow { .. } => "payouts.overflow",
            Self::OverLock { .. } => "payouts.over_lock",
        }
    }
}

/// The prices of one batch, out of its deal's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// Tasks of the batch.
    pub tasks: u32,
    /// Fuel limit of one task.
    pub fuel_limit: Fuel,
    /// Fee per million fuel.
    pub fee_per_mfuel: Amount,
    /// App's price of a task.
    pub app_price: Amount,
    /// Dataset's price of a task.
    pub dataset_price: Amount,
    /// Executions paid at most.
    pub replicas_max: u8,
    /// Share of the pool's owner.
    pub pool_share: Bps,
    /// Share of the protocol.
    pub protocol_fee: Bps,
}

/// What a certified batch pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payouts {
    /// Agreeing seats that are paid.
    pub paid_seats: u8,
    /// To the operator of each paid worker.
    pub to_each_worker: Amount,
    /// To the pool's account, which the pool's owner and the protocol split when they withdraw.
    pub to_pool: Amount,
    /// To the app's owner.
    pub to_app: Amount,
    /// To the dataset's owner.
    pub to_dataset: Amount,
    /// Back to the payer.
    pub refund: Amount,
}

impl Payouts {
    /// Everything together, which is what was locked. `None` beyond 256 bits.
    pub fn total(&self) -> Option<Amount> {
        self.to_each_worker
            .checked_mul(U256::from(self.paid_seats))?
            .checked_add(self.to_pool)?
            .checked_add(self.to_app)?
            .checked_add(self.to_dataset)?
            .checked_add(self.refund)
    }
}

impl Prices {
    /// The prices of a batch of `tasks` tasks under these terms.
    pub fn of(terms: &Terms, tasks: u32, protocol_fee: Bps) -> Result<Self, crate::policy::PolicyError> {
        Ok(Self {
            tasks,
            fuel_limit: Fuel(terms.fuelLimit),
            fee_per_mfuel: Amount(terms.feePerMfuel.to()),
            app_price: Amount(terms.appPrice.to()),
            dataset_price: Amount(terms.datasetPrice.to()),
            replicas_max: PolicyWord(terms.policy).unpack()?.replicasMax,
            pool_share: OpenedWord(terms.opened).unpack().pool_share,
            protocol_fee,
        })
    }

    /// The worst case of the batch, which the payer locks: `replicasMax` executions at the fuel limit, each rounded up.
    pub fn lock(&self) -> Result<Amount, PayoutError> {
        let overflow = self.overflow(self.fuel_limit);
        let execution = execution_at_most(self.tasks, self.fuel_limit, self.fee_per_mfuel)?;
        execution
            .0
            .checked_mul(U256::from(self.replicas_max))
            .and_then(|work| work.checked_add(self.assets()?))
            .map(Amount)
            .ok_or(overflow)
    }

    /// One execution of the batch by its certified fuel, before the shares of pool and protocol.
    pub fn gross(&self, fuel: Fuel) -> Result<Amount, PayoutError> {
        let price = U256::from(fuel.0).checked_mul(self.fee_per_mfuel.0);
        Ok(Amount(price.ok_or(self.overflow(fuel))? / MICRO_256))
    }

    /// What the batch pays when `agreeing` seats agreed on `fuel`.
    pub fn payouts(&self, agreeing: u8, fuel: Fuel) -> Result<Payouts, PayoutError> {
        let locked = self.lock()?;
        let gross = self.gross(fuel)?.0;
        let cut = |share: Bps| Some(gross.checked_mul(U256::from(share.0))? / U256::from(BPS));
        let overflow = || self.overflow(fuel);
        let cuts = cut(self.pool_share).zip(cut(self.protocol_fee)).ok_or_else(overflow)?;
        let cuts = cuts.0.checked_add(cuts.1).ok_or_else(overflow)?;
        let over = |paid: U256| PayoutError::OverLock { paid: Amount(paid), locked, fuel };
        let net = gross.checked_sub(cuts).ok_or(over(cuts))?;
        let paid_seats = agreeing.min(self.replicas_max);
        let seats = U256::from(paid_seats);
        let work = gross.checked_mul(seats).ok_or_else(overflow)?;
        let spent = work.checked_add(self.assets().ok_or_else(overflow)?).ok_or_else(overflow)?;
        let refund = locked.0.checked_sub(spent).ok_or(over(spent))?;
        let tasks = U256::from(self.tasks);
        Ok(Payouts {
            paid_seats,
            to_each_worker: Amount(net),
            to_pool: Amount(cuts * seats),
            to_app: Amount(self.app_price.0 * tasks),
            to_dataset: Amount(self.dataset_price.0 * tasks),
            refund: Amount(refund),
        })
    }

    /// Prices of app and dataset for the whole batch.
    fn assets(&self) -> Option<U256> {
        self.app_price.0.checked_add(self.dataset_price.0)?.checked_mul(U256::from(self.tasks))
    }

    fn overflow(&self, fuel: Fuel) -> PayoutError {
        PayoutError::Overflow { tasks: self.tasks, fuel, fee: self.fee_per_mfuel }
    }
}

/// What one execution of a batch of `tasks` tasks costs at the fuel limit, rounded up.
///
/// # Errors
/// [`PayoutError::Overflow`].
pub fn execution_at_most(tasks: u32, fuel_limit: Fuel, fee_per_mfuel: Amount) -> Result<Amount, PayoutError> {
    let fuel = U256::from(fuel_limit.0) * U256::from(tasks);
    let overflow = PayoutError::Overflow { tasks, fuel: fuel_limit, fee: fee_per_mfuel };
    Ok(Amount(fuel.checked_mul(fee_per_mfuel.0).ok_or(overflow)?.div_ceil(MICRO_256)))
}

const MICRO_256: U256 = U256::from_limbs([MICRO, 0, 0, 0]);

/// What the payer locks for the whole deal: the sum over its batches, as each settles on its own.
pub fn deal_lock(
    prices_of_full_batch: &Prices,
    task_count: u32,
    batch_size: u32,
) -> Result<Amount, PayoutError> {
    let overflow = || prices_of_full_batch.overflow(prices_of_full_batch.fuel_limit);
    if batch_size == 0 {
        return Ok(Amount::ZERO);
    }
    let full = Prices { tasks: batch_size, ..*prices_of_full_batch }.lock()?;
    let last = match task_count % batch_size {
        0 => Amount::ZERO,
        tasks => Prices { tasks, ..*prices_of_full_batch }.lock()?,
    };
    full.checked_mul(U256::from(task_count / batch_size))
        .and_then(|sum| sum.checked_add(last))
        .ok_or_else(overflow)
}

/// Most bond units of one slash or exposure: what the member word holds.
pub const MEMBER_UNITS_MAX: BondUnits = BondUnits((1 << 40) - 1);

/// What a dissenting or silent member loses: twice the fee of an execution, rounded up, one bond unit at least.
pub fn slash_units(gross: Amount) -> BondUnits {
    member_units(gross.0.saturating_mul(U256::from(2)))
}

/// What each of `agreeing` members puts at risk until the certificate is final: its part of the collateral, and at least
/// its fee, a juror's fee and its part of the prices that a refund would take (`prices`: app and dataset, for the whole
/// batch). Rounded up, one bond unit at least.
pub fn exposure_units(gross: Amount, prices: Amount, collateral_min: Amount, agreeing: u8) -> BondUnits {
    let members = U256::from(agreeing.max(1));
    let least = gross.0.saturating_mul(U256::from(2)).saturating_add(prices.0.div_ceil(members));
    member_units(least.max(collateral_min.0.div_ceil(members)))
}

/// What an audit that agrees earns each contributor of wave 0: a point for each bond unit that the certificate brought the
/// protocol, rounded down, `step` points at most.
///
/// So that reputation rests on many audits and not on one expensive deal: after `k` of them a worker is taken to be faulty with
/// probability `f / (1 + k)` at least. That is what `k` passed spot checks tell, where who is caught may come back as somebody
/// new: about `f / k` (Sarmenta, Sabotage-Tolerance Mechanisms for Volunteer Computing Systems, 2002).
pub fn reputation_points(protocol_cut: Amount, step: u16) -> Reputation {
    let units = protocol_cut.0 / U256::from(BOND_UNIT_WEI);
    Reputation(u16::try_from(units).unwrap_or(u16::MAX).min(step))
}

fn member_units(amount: U256) -> BondUnits {
    let units = u64::try_from(amount.div_ceil(U256::from(BOND_UNIT_WEI))).unwrap_or(u64::MAX);
    BondUnits(units.clamp(1, MEMBER_UNITS_MAX.0))
}

/// How slashed stake is split once the window is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escrow {
    /// A fifth, rounded up: so that slashing oneself costs.
    pub burnt: Amount,
    /// To the payer: extra executions, and what does not divide.
    pub to_payer: Amount,
    /// To each member that was right.
    pub to_each_winner: Amount,
}

/// Splits escrow: a fifth is burnt, extra executions are paid back to the payer as far as it reaches, the rest goes to the
/// right members in equal parts. Without winners everything that is not burnt goes to the payer.
pub fn escrow(slashed: Amount, extra_executions: u8, gross: Amount, winners: u8) -> Escrow {
    let burnt = slashed.0.div_ceil(U256::from(5));
    let rest = slashed.0 - burnt;
    let extra = gross.0.saturating_mul(U256::from(extra_executions)).min(rest);
    let winners = U256::from(winners);
    let each = (rest - extra).checked_div(winners).unwrap_or_default();
    Escrow { burnt: Amount(burnt), to_payer: Amount(rest - each * winners), to_each_winner: Amount(each) }
}
