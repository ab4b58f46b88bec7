//! Confidence: the odds that a root is right, from who claimed it and who opposed (PROTOCOL section 7.1).
//!
//! Fixed point in micro units, every division rounded down, every product saturating at `2^128 - 1`, so that Rust and
//! Solidity agree to the last digit. Knows nothing of stake and seats, the other two promises.

use alloy_primitives::U256;

use crate::{
    Odds, Reputation, Weight,
    orders::Policy,
    units::{BPS, MICRO},
};

/// Highest share of faulty stake that a weight assumes, in basis points: at a half a claim weighs nothing extra (1:1).
pub const FAULTY_SHARE_CAP_BPS: u16 = 5_000;
/// How much reputation may count: epsilon never falls below `f / 20`. At the usual `f` of a fifth, one worker of full
/// reputation gives odds of 99:1. Why no less and no more: `DESIGN.md`.
pub const SCALE_CAP: u64 = 20;
/// Most points of a step: 16 bits of the parameter, 32 of tasks.
const STEP_MAX: u64 = (1 << 48) - 1;
/// How much higher the target stands after each re-opened attempt.
pub const ATTEMPT_FACTOR: u128 = 4;

/// What weights are computed with: from the policy and the parameters of the deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighing {
    /// Assumed share of faulty stake, in basis points.
    pub faulty_share_bps: u16,
    /// Whether reputation counts.
    pub count_reputation: bool,
    /// Points that halve the odds of a fault in the batch; never 0.
    pub step: u64,
}

impl Weighing {
    /// The weighing that a policy asks for, of a batch of so many tasks.
    ///
    /// An audit looks at one task, so it tells of a batch of `n` tasks a part in `n` of what it tells of one: the batch's step
    /// is `n` times the parameter's.
    pub fn of(policy: &Policy, reputation_step: u16, tasks: u32) -> Self {
        Self {
            faulty_share_bps: policy.faultyShareBps,
            count_reputation: policy.countReputation,
            step: u64::from(reputation_step.max(1)) * u64::from(tasks.max(1)),
        }
    }

    /// The weight of one worker's claim: `floor(1e10 * scale / (f * step)) - 1e6`.
    ///
    /// `f` doubles with the wave up to a half. A share or step of 0 counts as 1, so that no input divides by zero; a
    /// valid policy has neither.
    pub fn weight(&self, reputation: Reputation, wave: u8) -> Weight {
        let doubled = u64::from(self.faulty_share_bps) << wave.min(16);
        let f = doubled.clamp(1, FAULTY_SHARE_CAP_BPS.into());
        // 48 bits at most; more would be no weighing of a deal.
        let step = self.step.clamp(1, STEP_MAX);
        let earned = if self.count_reputation { u64::from(reputation.0) } else { 0 };
        let scale = (step + earned).min(SCALE_CAP * step);
        let whole = u128::from(BPS * MICRO) * u128::from(scale) / u128::from(f * step);
        // f <= a half and scale >= step, so the quotient is 2e6 at least.
        Weight(whole - u128::from(MICRO))
    }

    /// The weight of a worker without reputation in wave 0.
    pub fn fresh(&self) -> Weight {
        self.weight(Reputation::ZERO, 0)
    }
}

/// Weight of a group of claims: the product of its members' weights.
///
/// Rounded down at each step, in the order of the list: another order may differ in the last digits (by at most one
/// millionth of the result per member), so the order is part of the rule.
pub fn group(weights: impl IntoIterator<Item = Weight>) -> Weight {
    weights.into_iter().fold(Weight(MICRO.into()), |product, weight| {
        Weight(saturate(U256::from(product.0) * U256::from(weight.0) / U256::from(MICRO)))
    })
}

/// What opposes the leading group: rival groups, and the weights of bare and unavailable entries. Saturates.
pub fn opposing(
    rival_groups: impl IntoIterator<Item = Weight>,
    silent: impl IntoIterator<Item = Weight>,
) -> Weight {
    rival_groups.into_iter().chain(silent).fold(Weight::ZERO, Weight::saturating_add)
}

/// Odds to one that the leading root is right: `group / (1 + opposing)`.
pub fn odds(leading: Weight, opposing: Weight) -> Odds {
    let micro = U256::from(MICRO);
    Odds(saturate(U256::from(leading.0) * micro / (micro + U256::from(opposing.0))))
}

/// The odds that a certificate needs: the policy's, times four for each re-opened attempt. Saturates.
pub fn target(confidence: u32, attempt: u8) -> Odds {
    let factor = ATTEMPT_FACTOR.checked_pow(attempt.into()).unwrap_or(u128::MAX);
    Odds(Odds::to_one(confidence).0.saturating_mul(factor))
}

/// Fewest operators whose fresh weights reach `target`: `replicasMin` at least, `replicasMax` at most.
pub fn seats_needed(policy: &Policy, target: Odds) -> u8 {
    let fresh = Weighing::of(policy, 1, 1).fresh();
    let mut seats = policy.replicasMin;
    let mut reached = group((0..seats).map(|_| fresh));
    while reached.0 < target.0 && seats < policy.replicasMax {
        seats += 1;
        reached = Weight(saturate(U256::from(reached.0) * U256::from(fresh.0) / U256::from(MICRO)));
    }
    seats.min(policy.replicasMax)
}

/// Whether `replicasMax` fresh operators that all agree reach `target`.
pub fn reaches(policy: &Policy, target: Odds) -> bool {
    let fresh = Weighing::of(policy, 1, 1).fresh();
    group((0..policy.replicasMax).map(|_| fresh)).0 >= target.0
}

fn saturate(value: U256) -> u128 {
    u128::try_from(value).unwrap_or(u128::MAX)
}
