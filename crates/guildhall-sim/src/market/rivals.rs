//! The same faults under other rules: a plain majority, and the ancestor's Proof of Contribution (iExec PoCo v6).
//!
//! Neither draws by lot; here their workers are drawn in proportion to stake all the same, so that only the rules of consensus
//! are compared. Knows nothing of money: neither audits, and PoCo's slashes change no later consensus.

use serde::Serialize;

use super::{
    Market, OPERATORS, Plan,
    operator::{Behaviour, Found},
};

/// Executions after which PoCo's task is given up.
const POCO_EXECUTIONS_MAX: usize = 20;
/// PoCo's trust for odds of 99 to 1: a confidence of 1 - 1/100.
const POCO_TRUST: u128 = 100;

/// The score from which one worker alone certifies at [`POCO_TRUST`].
const POCO_SETTLED: u64 = 303;

/// What is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rival {
    /// Three workers, two of whom agree.
    Majority,
    /// iExec PoCo v6 at trust 100: weights by score, `group * trust > total * (trust - 1)`.
    Poco,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Results {
    /// Tasks.
    pub rounds: u64,
    /// Tasks with a result.
    pub certified: u64,
    /// Wrong results.
    pub wrong: u64,
    /// Executions of each task, in thousandths.
    pub executions_milli: u64,
}

/// Plays the plan's faults under another rule.
pub fn rival(rule: Rival, plan: Plan) -> Results {
    let mut market = Market::new(plan);
    let mut scores = vec![if plan.settled { POCO_SETTLED } else { 0 }; OPERATORS];
    let mut results = Results::default();
    let mut executions = 0;
    for _ in 0..plan.rounds {
        market.round += 1;
        let drawn = market.draw_by_stake(POCO_EXECUTIONS_MAX);
        let (outcome, used) = match rule {
            Rival::Majority => market.majority(&drawn[..3]),
            Rival::Poco => market.poco(&drawn, &mut scores),
        };
        results.rounds += 1;
        executions += used as u64;
        if let Some(found) = outcome {
            results.certified += 1;
            results.wrong += u64::from(found.is_wrong());
        }
    }
    results.executions_milli = (executions * 1_000).checked_div(results.certified).unwrap_or(0);
    results
}

impl Market {
    /// Distinct operators, each draw in proportion to stake.
    fn draw_by_stake(&mut self, count: usize) -> Vec<usize> {
        let total: u64 = self.operators.iter().map(|operator| operator.bond.0).sum();
        let mut drawn = Vec::with_capacity(count);
        while drawn.len() < count {
            let mut left = self.dice.below(total);
            let place = self.operators.iter().position(|operator| {
                let hit = left < operator.bond.0;
                left = left.saturating_sub(operator.bond.0);
                hit
            });
            if let Some(place) = place.filter(|place| !drawn.contains(place)) {
                drawn.push(place);
            }
        }
        drawn
    }

    /// What each of those drawn claims, given whether the faulty among them would win; `full` says whose record is complete.
    fn claims(&mut self, drawn: &[usize], wins: bool, full: impl Fn(usize) -> bool) -> Vec<Option<Found>> {
        let mut copied = None;
        let mut claims = Vec::with_capacity(drawn.len());
        for &place in drawn {
            claims.push(match self.operators[place].behaviour {
                Behaviour::Honest => Some(Found::Truth),
                Behaviour::Breaks(permille) => Some(self.slip(place, permille)),
                Behaviour::Copies => {
                    Some(*copied.get_or_insert_with(|| self.slip(place, super::table::COPIED_PERMILLE)))
                }
                Behaviour::Lies => Some(Found::Lie),
                Behaviour::LiesToWin | Behaviour::LiesOnce | Behaviour::Races => {
                    Some(if wins { Found::Lie } else { Found::Truth })
                }
                Behaviour::Earns => Some(if full(place) { Found::Lie } else { Found::Truth }),
                Behaviour::Withholds => None,
            });
        }
        claims
    }

    fn majority(&mut self, drawn: &[usize]) -> (Option<Found>, usize) {
        let faulty = drawn.iter().filter(|&&place| self.operators[place].is_faulty()).count();
        let claims = self.claims(drawn, faulty >= 2, |_| true);
        let agreed = claims
            .iter()
            .flatten()
            .find(|claim| claims.iter().filter(|other| *other == &Some(**claim)).count() >= 2);
        (agreed.copied(), drawn.len())
    }

    /// Workers one after the other, until a group has consensus. Its members gain a point where there was more than one
    /// contributor; the others lose a third of their score.
    fn poco(&mut self, drawn: &[usize], scores: &mut [u64]) -> (Option<Found>, usize) {
        let weight = |scores: &[u64], place: usize| u128::from((scores[place] / 3).max(3) - 1);
        // The faulty know who is next: they lie when they come first and are enough.
        let alone = drawn.iter().take_while(|&&place| self.operators[place].is_faulty());
        let reach = alone.fold(1_u128, |reach, &place| reach.saturating_mul(weight(scores, place)));
        let claims = self.claims(drawn, reach >= POCO_TRUST, |place| scores[place] >= POCO_SETTLED);
        let mut groups: Vec<(Found, u128, Vec<usize>)> = Vec::new();
        for (used, (&place, claim)) in drawn.iter().zip(claims).enumerate() {
            let Some(claim) = claim else { continue };
            let own = weight(scores, place);
            let at = groups.iter().position(|(found, ..)| *found == claim).unwrap_or_else(|| {
                groups.push((claim, 1, Vec::new()));
                groups.len() - 1
            });
            groups[at].1 = groups[at].1.saturating_mul(own);
            groups[at].2.push(place);
            let total = groups.iter().fold(1_u128, |total, (_, group, _)| total.saturating_add(*group));
            if groups[at].1.saturating_mul(POCO_TRUST) > total.saturating_mul(POCO_TRUST - 1) {
                let contributors: usize = groups.iter().map(|(_, _, members)| members.len()).sum();
                for (number, (_, _, members)) in groups.iter().enumerate() {
                    for &member in members {
                        if number != at {
                            scores[member] = scores[member] * 2 / 3;
                        } else if contributors > 1 {
                            scores[member] += 1;
                        }
                    }
                }
                return (Some(claim), used + 1);
            }
        }
        (None, drawn.len())
    }
}
