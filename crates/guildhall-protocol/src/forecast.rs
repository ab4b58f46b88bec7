//! Forecasts: how many executions a certificate is likely to take.
//!
//! Assumes that each contribution is wrong with probability `faultyShare`, independently, that all wrong ones agree with
//! each other, and that machines answer one after the other. Knows nothing of prices and pools.

use crate::{
    Odds, Weight,
    confidence::{Weighing, group, odds},
    orders::Policy,
};

/// One, in the fixed point of probabilities.
const ONE: u128 = 1_000_000_000_000_000_000;

/// What a policy is likely to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Executions until the round is decided, in thousandths, on average; at most `replicasMax`.
    pub executions_milli: u64,
    /// Of a million rounds, those that no number of executions up to `replicasMax` decides.
    pub undecided_ppm: u32,
    /// Of a million rounds, those in which the wrong root would reach the odds.
    pub wrong_ppm: u32,
}

/// The chances of a walk over (right, wrong) contributions, one contribution at a time, until one side stands.
///
/// With `p(r, d)` the chance to come to `r` right and `d` wrong contributions undecided, and `f = faultyShare`:
/// `p(r, d) = p(r-1, d) (1 - f) + p(r, d-1) f`. A side stands when its group, of fresh weights, reaches the target against
/// the other and has `replicasMin` members. `executions = sum over decided (r, d) of p (r + d) + undecided * replicasMax`.
/// Integers of 18 decimals, rounded down at each step.
pub fn forecast(policy: &Policy, target: Odds) -> Forecast {
    let fresh = Weighing::of(policy, 1, 1).fresh();
    let faulty = ONE * u128::from(policy.faultyShareBps.min(10_000)) / 10_000;
    let most = usize::from(policy.replicasMax);
    let stands = |ours: usize, theirs: usize| {
        let side = |members: usize| group(std::iter::repeat_n(fresh, members));
        let against = if theirs == 0 { Weight::ZERO } else { side(theirs) };
        ours >= usize::from(policy.replicasMin) && odds(side(ours), against) >= target
    };
    let (mut executions, mut undecided, mut wrong) = (0, 0, 0);
    // Chances of the undecided states after `n` contributions, by the number of wrong ones.
    let mut chances = vec![ONE];
    for n in 1..=most {
        let mut next = vec![0; n + 1];
        for (d, &chance) in chances.iter().enumerate() {
            next[d] += chance * (ONE - faulty) / ONE;
            next[d + 1] += chance * faulty / ONE;
        }
        for (d, chance) in next.iter_mut().enumerate() {
            let (right_stands, wrong_stands) = (stands(n - d, d), stands(d, n - d));
            if right_stands || wrong_stands {
                executions += *chance * n as u128;
                wrong += if right_stands { 0 } else { *chance };
                *chance = 0;
            }
        }
        undecided = next.iter().sum();
        chances = next;
    }
    executions += undecided * most as u128;
    Forecast {
        executions_milli: (executions / (ONE / 1_000)) as u64,
        undecided_ppm: (undecided / (ONE / 1_000_000)) as u32,
        wrong_ppm: (wrong / (ONE / 1_000_000)) as u32,
    }
}
