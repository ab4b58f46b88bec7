//! Contradicts what it can compare with nothing: a coordinator that serves no certified receipts leaves the root.
//!
//! Who executed the whole batch and has another root knows that a task is wrong, and not which: it disputes any one. Where the lie
//! is in all tasks, any will do. Where it is in one of `n`, a guess misses `n - 1` times of `n`, which costs a slash each time; liars could
//! bait with that. So it guesses only where the reward, `n` times rarer, outweighs the slash. Knows nothing of juries.

use alloy::primitives::U256;
use guildhall_api::RoundRef;
use guildhall_chain::Subject;
use guildhall_protocol::{Amount, Fuel, Leaves, Prices, UnixTime, cases::REWARD_PART, payouts::slash_units};

use crate::bench::Bench;
use crate::court::{Leave, certified_leaves, nothing};

/// The certified leaves, if anybody serves them in the first half of what is left of the window: the other half is needed to
/// dispute without them.
pub(crate) async fn leaves_in_time(
    bench: &Bench,
    round: RoundRef,
    subject: &Subject,
) -> Result<Option<Leaves>, Leave> {
    let (now, end) = (bench.clock.now().0, subject.certified.certificate.finalAt);
    let half = UnixTime(now + end.saturating_sub(now) / 2);
    match certified_leaves(bench, round, subject, half).await {
        Ok(leaves) => Ok(Some(leaves)),
        Err(Leave::Nothing(reason)) => {
            tracing::warn!(%round.id, reason, "nobody serves the certified receipts");
            Ok(None)
        }
        Err(journal) => Err(journal),
    }
}

/// A task of the batch to dispute, any one, where a guess pays.
pub(crate) fn guess(subject: &Subject) -> Result<u32, Leave> {
    let certificate = &subject.certified.certificate;
    let bad = |error: &dyn std::fmt::Display| nothing(error.to_string());
    let tasks = subject.terms.tasks_of(certificate.batch).map_err(|error| bad(&error))?;
    let policy = subject.terms.policy().map_err(|error| bad(&error))?;
    let prices = Prices::of(&subject.terms, tasks, subject.terms.opened().protocol_fee);
    let gross = prices.map_err(|error| bad(&error))?.gross(Fuel(certificate.fuel));
    let slash = slash_units(gross.map_err(|error| bad(&error))?).to_amount();
    let stake = Amount(policy.collateralMin.to());
    if pays(stake, slash, tasks) {
        return Ok(rand::random_range(0..tasks));
    }
    Err(nothing(format!(
        "no receipts are served, and with a stake of {} behind the certificate it does not pay to guess one of {tasks} tasks for {}",
        stake.0, slash.0
    )))
}

/// Whether the reward, of one guess in `tasks`, is at least what the others lose.
fn pays(stake: Amount, slash: Amount, tasks: u32) -> bool {
    let lost = slash.0.saturating_mul(U256::from(tasks.saturating_sub(1)));
    stake.0 / U256::from(REWARD_PART) >= lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_pays_where_the_reward_outweighs_the_slashes_of_those_that_miss() {
        let amount = |units: u64| Amount(U256::from(units));
        assert!(pays(amount(0), amount(20), 1), "of one task there is nothing to guess");
        assert!(pays(amount(1_800), amount(20), 10) && !pays(amount(1_799), amount(20), 10));
        assert!(!pays(amount(4_800), amount(2_000), 1_000));
        assert!(!pays(amount(u64::MAX), Amount(U256::MAX), 2), "and nothing overflows");
    }
}
