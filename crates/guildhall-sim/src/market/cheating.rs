//! What cheating brings: every round in which somebody cheats is played a second time with everybody honest, from the same
//! operators and dice, and what the faulty have then is the measure.
//!
//! Luck with seats is the same on both sides. Luck with audits, which see one wrong task in `AUDITED_OF · tasks`, is taken out:
//! a wrong certificate is judged with its audit and without, several juries each, and weighed by how probable an audit is.
//! What a round changes later (reputation lost, less stake) is not counted, which can only flatter cheating.

use guildhall_protocol::{Terms, cases::AUDITED_OF};
use serde::Serialize;

use super::{
    COIN_WEI, Coordinator, Market, Outcomes, TASKS, WORTH_COINS, judgement::Verdict, operator::Behaviour,
    table::Certified,
};
use crate::faults::Dice;

/// Juries by which each of the first wrong certificates is weighed: where there are few, each counts for much.
const JURIES_FIRST: u32 = 64;
/// Juries of all others.
const JURIES: u32 = 8;
/// How many are first.
const FIRST: u64 = 500;

/// The most that the loss of one round counts where it is asked whether cheating loses: twice what a batch of lies is worth. A few
/// heavy losses are no reason to doubt that the others are losses.
const LOSS_MAX: i128 = 2 * (WORTH_COINS * TASKS as u64) as i128 * 1_000;

/// What the faulty gained by cheating, against what they would have had, in thousandths of a coin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cheating {
    /// Rounds in which somebody cheated.
    pub rounds: u64,
    /// Gain over these, what wrong results are worth included; negative for a loss.
    pub gain: i128,
    /// Sum of the squares of the rounds' gains.
    pub squares: u128,
    /// The same two where no round's loss counts more than 200 coins.
    pub capped_gain: i128,
    /// See [`Cheating::capped_gain`].
    pub capped_squares: u128,
}

impl Cheating {
    fn add(&mut self, gain: i128) {
        self.rounds += 1;
        self.gain += gain;
        self.squares += gain.unsigned_abs().pow(2);
        let capped = gain.max(-LOSS_MAX);
        self.capped_gain += capped;
        self.capped_squares += capped.unsigned_abs().pow(2);
    }

    /// Gain of a round in coins, and its standard error.
    pub fn mean(&self) -> (f64, f64) {
        mean(self.rounds, self.gain, self.squares)
    }

    /// Whether it was a loss, by two standard errors at least, no loss counted in full that is beyond twice what there is to be won;
    /// nobody loses where nobody could cheat.
    pub fn loses(&self) -> bool {
        let (mean, error) = mean(self.rounds, self.capped_gain, self.capped_squares);
        self.rounds == 0 || mean + 2.0 * error < 0.0
    }
}

/// Mean of so many values in coins, and its standard error, from their sum and that of their squares in thousandths.
#[expect(clippy::cast_precision_loss, reason = "statistics")]
fn mean(values: u64, sum: i128, squares: u128) -> (f64, f64) {
    let values = values.max(1) as f64;
    let mean = sum as f64 / values;
    let variance = (squares as f64 / values - mean * mean).max(0.0) / (values - 1.0).max(1.0);
    (mean / 1_000.0, variance.sqrt() / 1_000.0)
}

impl Market {
    /// The same market before the same round, with everybody honest. A coordinator of theirs keeps the others out all the same, or what
    /// the faulty have by that were taken for the gain of a lie; it alone is measured where they do nothing else.
    pub(super) fn as_if_honest(&self) -> Self {
        let mut honest = self.clone();
        let favours =
            self.plan.coordinator != Coordinator::Honest && self.plan.behaviour != Behaviour::Favours;
        honest.plan.behaviour = if favours { Behaviour::Favours } else { Behaviour::Honest };
        honest.plan.coordinator = if favours { Coordinator::Theirs } else { Coordinator::Honest };
        for operator in honest.operators.iter_mut().filter(|operator| operator.is_faulty()) {
            operator.behaviour = honest.plan.behaviour;
        }
        honest
    }

    /// Counts the round that was played, if somebody cheated in it. `honest` is what [`Self::as_if_honest`] gave before it; `had` is
    /// what the faulty have now.
    pub(super) fn count_cheating(&self, mut honest: Self, had: i128, outcomes: &mut Outcomes) {
        if self.cheated {
            honest.play(&mut Outcomes::default());
            outcomes.cheating.add((had - honest.purses()) * 1_000 / COIN_WEI);
        }
    }

    /// What those have who are faulty, or would be.
    pub(super) fn purses(&self) -> i128 {
        self.operators.iter().filter(|operator| operator.suspect).map(|operator| operator.purse).sum()
    }

    /// What the faulty will have after a wrong certificate, what it is worth to them included: by expectation, not by draw.
    pub(super) fn expected_purses(&self, terms: &Terms, certified: &Certified, before: &Cheating) -> i128 {
        let juries = if before.rounds < FIRST { JURIES_FIRST } else { JURIES };
        let mut dice = self.dice.clone();
        let mut total = 0;
        let tasks = i128::from(self.plan.tasks);
        let wrong = i128::from(certified.claim.wrong_tasks(self.plan.tasks));
        let all = i128::from(AUDITED_OF) * tasks;
        for jury in 1..=juries {
            for (audit, share) in [(None, all - wrong), (Some(certified.claim.wrong_task()), wrong)] {
                let mut market = self.clone();
                market.dice = Dice::new(dice.below(u64::MAX));
                market.jury_draw = jury;
                let stands = market.judge(terms, certified, audit).verdict == Verdict::Stands;
                market.accuse(terms, certified);
                let worth = if stands { wrong * i128::from(WORTH_COINS) * COIN_WEI } else { 0 };
                total += (market.purses() + worth) * share;
            }
        }
        total / (all * i128::from(juries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_one_when_luck_cannot_be_the_reason() {
        let of = |gains: &[i128]| {
            let mut cheating = Cheating::default();
            gains.iter().for_each(|gain| cheating.add(*gain));
            cheating
        };
        assert!(of(&[]).loses(), "nobody could cheat");
        assert!(of(&[-1_000, -3_000, -2_000, -2_000]).loses());
        assert!(!of(&[-9_000, 8_500, -9_000, 8_500]).loses(), "it may be luck");
        assert!(!of(&[1_000, 1_000]).loses());
        let heavy = [-3_000, -2_000, -4_000, -4_900_000];
        assert!(of(&heavy).mean().0 + 2.0 * of(&heavy).mean().1 > 0.0 && of(&heavy[..3]).loses());
        assert!(of(&[heavy; 20].concat()).loses(), "one heavy loss does not make a gain");
        let (mean, error) = of(&[-1_000, -3_000]).mean();
        assert!((mean + 2.0).abs() < 1e-9 && (error - 1.0).abs() < 1e-9, "{mean} {error}");
    }
}
