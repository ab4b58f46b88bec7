//! The same faults under other rules: a plain majority, and the ancestor's Proof of Contribution (iExec PoCo v6).
//!
//! Neither draws by lot; here their workers are drawn in proportion to stake all the same, so that only the rules of consensus and
//! pay are compared. A batch is one unit for both, as if its tasks had the same workers. What is certified is final at once:
//! neither audits, and nobody can contradict.

use serde::Serialize;

use super::{
    COIN_WEI, Market, OPERATORS, Plan, TASK_COINS, cost_of,
    gas::Gas,
    operator::{Behaviour, Found},
    table::MESSAGE_MS,
};

/// Executions after which PoCo's task is given up.
const POCO_EXECUTIONS_MAX: usize = 20;
/// PoCo's trust for odds of 99 to 1: a confidence of 1 - 1/100.
const POCO_TRUST: u128 = 100;
/// The score from which one worker alone certifies at [`POCO_TRUST`].
const POCO_SETTLED: u64 = 303;
/// What a contributor has at stake, in hundredths of the task's price (`workerStakeRatioPolicy`).
const POCO_STAKE_PERCENT: i128 = 30;
/// What of the pot goes to the scheduler, in hundredths (`schedulerRewardRatioPolicy`).
const POCO_SCHEDULER_PERCENT: i128 = 1;
/// Contributors of a plain majority.
const MAJORITY: usize = 3;

/// What is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rival {
    /// Three workers, two of whom agree. Each that agrees is paid an execution; on chain it costs what a certificate of three does here.
    Majority,
    /// iExec PoCo v6 at trust 100: weights by score, `group * trust > total * (trust - 1)`. A task's price is that of the executions
    /// that its trust needs, with the scores that there are at first; who is wrong loses its stake to the others.
    Poco,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Results {
    /// Batches.
    pub rounds: u64,
    /// Batches with a result.
    pub certified: u64,
    /// Wrong results.
    pub wrong: u64,
    /// Wrong tasks of them.
    pub wrong_tasks: u64,
    /// Executions of each task, in thousandths.
    pub executions_milli: u64,
    /// Time to a result in milliseconds, added up; without what the chain takes.
    pub ms: u64,
    /// Gas of all transactions.
    pub gas: u64,
    /// What the others earned, costs deducted, in thousandths of a coin for each million coins of stake and round.
    pub honest_gain: i64,
    /// What the faulty part earned, what wrong results are worth to it included.
    pub faulty_gain_with_worth: i64,
}

impl Results {
    /// Gas of each task with a result.
    pub fn gas_a_task(&self, plan: &Plan) -> u64 {
        self.gas.checked_div(self.certified * u64::from(plan.tasks)).unwrap_or(0)
    }
}

/// A claim and who makes it.
#[derive(Clone)]
struct Group {
    claim: Found,
    weight: u128,
    members: Vec<usize>,
}

/// A round under another rule.
struct Played {
    outcome: Option<Found>,
    executions: u64,
    ms: u64,
    gas: u64,
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
        let played = match rule {
            Rival::Majority => market.majority(&drawn[..MAJORITY]),
            Rival::Poco => market.poco(&drawn, &mut scores),
        };
        results.rounds += 1;
        results.gas += played.gas;
        executions += played.executions;
        if let Some(found) = played.outcome {
            results.certified += 1;
            results.wrong += u64::from(found.is_wrong());
            results.wrong_tasks += u64::from(found.wrong_tasks(plan.tasks));
            results.ms += played.ms;
        }
        for operator in &mut market.operators {
            operator.stake_rounds += u128::from(operator.bond.0);
        }
    }
    let gains = market.gains(results.wrong_tasks);
    (results.honest_gain, results.faulty_gain_with_worth) = (gains.honest, gains.faulty_with_worth);
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
                Behaviour::Honest | Behaviour::Favours => Some(Found::Truth),
                Behaviour::Breaks(permille) => Some(self.slip(place, permille)),
                Behaviour::Copies => {
                    Some(*copied.get_or_insert_with(|| self.slip(place, super::table::COPIED_PERMILLE)))
                }
                Behaviour::Lies => Some(Found::Lie),
                Behaviour::LiesOnce if wins => Some(Found::LieOnce),
                Behaviour::LiesToWin | Behaviour::Races if wins => Some(Found::Lie),
                Behaviour::LiesToWin | Behaviour::LiesOnce | Behaviour::Races => Some(Found::Truth),
                Behaviour::Earns => Some(if full(place) { Found::Lie } else { Found::Truth }),
                Behaviour::Withholds => None,
            });
        }
        claims
    }

    /// Who claims what it did not find has no costs.
    fn pay_costs(&mut self, drawn: &[usize], claims: &[Option<Found>]) {
        let mut copied = false;
        for (&place, claim) in drawn.iter().zip(claims) {
            let copies = self.operators[place].behaviour == Behaviour::Copies;
            let executes = claim.is_some_and(|found| found != Found::Lie) && !(copies && copied);
            copied |= copies;
            if executes {
                self.operators[place].purse -= cost_of(self.plan.tasks);
            }
        }
    }

    /// What the execution of a batch pays.
    fn price(&self) -> i128 {
        i128::from(TASK_COINS) * i128::from(self.plan.tasks) * COIN_WEI
    }

    /// How long it takes until all of these are done that were asked at once.
    fn wait_for(&self, asked: &[usize]) -> u64 {
        let slowest = asked.iter().map(|&place| self.operators[place].execution_ms).max();
        slowest.map_or(0, |slowest| slowest + MESSAGE_MS)
    }

    fn majority(&mut self, drawn: &[usize]) -> Played {
        let faulty = drawn.iter().filter(|&&place| self.operators[place].is_faulty()).count();
        let claims = self.claims(drawn, faulty >= 2, |_| true);
        self.pay_costs(drawn, &claims);
        let agreed = claims
            .iter()
            .flatten()
            .find(|claim| claims.iter().filter(|other| *other == &Some(**claim)).count() >= 2)
            .copied();
        for (&place, claim) in drawn.iter().zip(&claims) {
            if agreed.is_some() && *claim == agreed {
                self.operators[place].purse += self.price();
            }
        }
        let end = if agreed.is_some() { Gas::measured().certificate(3) } else { Gas::measured().expire };
        Played {
            outcome: agreed,
            executions: claims.iter().flatten().count() as u64,
            ms: self.wait_for(drawn),
            gas: Gas::measured().matching + end,
        }
    }

    /// Workers as many as are enough where all agree, then one after the other, until a group has consensus.
    fn poco(&mut self, drawn: &[usize], scores: &mut [u64]) -> Played {
        let weights: Vec<_> = drawn.iter().map(|&place| u128::from((scores[place] / 3).max(3) - 1)).collect();
        let reach =
            |until: usize| weights[..until].iter().fold(1_u128, |reach, own| reach.saturating_mul(*own));
        let asked = (1..=drawn.len()).find(|until| reach(*until) >= POCO_TRUST).unwrap_or(drawn.len());
        // The faulty know who is next: they lie when they come first and are enough.
        let alone = drawn.iter().take_while(|&&place| self.operators[place].is_faulty()).count();
        let claims = self.claims(drawn, reach(alone) >= POCO_TRUST, |place| scores[place] >= POCO_SETTLED);
        let mut groups: Vec<Group> = Vec::new();
        let mut ms = self.wait_for(&drawn[..asked]);
        for (used, (&place, claim)) in drawn.iter().zip(&claims).enumerate() {
            if used >= asked {
                ms += self.wait_for(&[place]);
            }
            let Some(claim) = *claim else { continue };
            let at = groups.iter().position(|group| group.claim == claim).unwrap_or_else(|| {
                groups.push(Group { claim, weight: 1, members: Vec::new() });
                groups.len() - 1
            });
            groups[at].weight = groups[at].weight.saturating_mul(weights[used]);
            groups[at].members.push(place);
            let total = groups.iter().fold(1_u128, |total, group| total.saturating_add(group.weight));
            if groups[at].weight.saturating_mul(POCO_TRUST) > total.saturating_mul(POCO_TRUST - 1) {
                self.pay_costs(&drawn[..=used], &claims);
                return self.poco_finalizes(&groups, at, ms, scores);
            }
        }
        self.pay_costs(drawn, &claims);
        let executions = groups.iter().map(|group| group.members.len() as u64).sum();
        Played { outcome: None, executions, ms, gas: PocoGas::of(&self.plan).claim(executions) }
    }

    /// Pay, stakes and scores: members gain a point where there was more than one contributor; the others lose their stake and
    /// a third of their score.
    fn poco_finalizes(&mut self, groups: &[Group], at: usize, ms: u64, scores: &mut [u64]) -> Played {
        let contributors: usize = groups.iter().map(|group| group.members.len()).sum();
        let price = self.price() * if self.plan.settled { 1 } else { 7 };
        let stake = price * POCO_STAKE_PERCENT / 100;
        let winners = &groups[at].members;
        let losers = (contributors - winners.len()) as i128;
        let to_workers = (price + losers * stake) * (100 - POCO_SCHEDULER_PERCENT) / 100;
        let share = |scores: &[u64], place: usize| i128::from(((scores[place] / 3).max(3) - 1).ilog2());
        let shares: i128 = winners.iter().map(|&place| share(scores, place)).sum();
        for &place in winners {
            self.operators[place].purse += to_workers * share(scores, place) / shares;
        }
        for (number, group) in groups.iter().enumerate() {
            for &member in &group.members {
                if number != at {
                    self.operators[member].purse -= stake;
                    scores[member] = scores[member] * 2 / 3;
                } else if contributors > 1 {
                    scores[member] += 1;
                }
            }
        }
        let gas = PocoGas::of(&self.plan).consensus(contributors as u64, winners.len() as u64);
        Played { outcome: Some(groups[at].claim), executions: contributors as u64, ms, gas }
    }
}

/// Gas of PoCo v6.2.0, from its published source with its own settings, every task on its own. Only the orders are shared by
/// a deal's tasks.
struct PocoGas {
    tasks: u64,
}

impl PocoGas {
    const MATCH: u64 = 677_213;
    const INITIALIZE: u64 = 248_837;
    const CONTRIBUTE_ALONE: u64 = 396_918;
    const CONTRIBUTE_FIRST: u64 = 317_781;
    const CONTRIBUTE_NEXT: u64 = 283_577;
    const CONTRIBUTE_LAST: u64 = 379_360;
    const REVEAL_FIRST: u64 = 93_455;
    const REVEAL_NEXT: u64 = 56_455;
    const FINALIZE_1: u64 = 307_356;
    /// Between one worker and five.
    const FINALIZE_NEXT: u64 = 37_665;
    const CLAIM: u64 = 153_508;
    /// Between none and three.
    const CLAIM_NEXT: u64 = 11_100;

    const fn of(plan: &Plan) -> Self {
        Self { tasks: plan.tasks as u64 }
    }

    /// All tasks of a batch, each with as many contributors and winners.
    const fn consensus(&self, contributors: u64, winners: u64) -> u64 {
        let contributions = match contributors {
            0 | 1 => Self::CONTRIBUTE_ALONE,
            more => Self::CONTRIBUTE_FIRST + (more - 2) * Self::CONTRIBUTE_NEXT + Self::CONTRIBUTE_LAST,
        };
        let reveals = Self::REVEAL_FIRST + winners.saturating_sub(1) * Self::REVEAL_NEXT;
        let finalize = Self::FINALIZE_1 + contributors.saturating_sub(1) * Self::FINALIZE_NEXT;
        Self::MATCH + self.tasks * (Self::INITIALIZE + contributions + reveals + finalize)
    }

    /// All tasks of a batch given up.
    const fn claim(&self, contributors: u64) -> u64 {
        let contributions = match contributors {
            0 => 0,
            more => Self::CONTRIBUTE_FIRST + (more - 1) * Self::CONTRIBUTE_NEXT,
        };
        let claim = Self::CLAIM + contributors * Self::CLAIM_NEXT;
        Self::MATCH + self.tasks * (Self::INITIALIZE + contributions + claim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gas_of_poco_is_what_whole_tasks_were_measured_to_cost() {
        let one = PocoGas { tasks: 1 };
        // One worker, three and five, measured from match to finalize, are 1,703,855, 2,479,669 and 3,247,896.
        for (workers, measured) in [(1, 1_703_855), (3, 2_479_669), (5, 3_247_896)] {
            let gas = one.consensus(workers, workers);
            assert!(gas.abs_diff(measured) * 50 < measured, "{workers} workers: {gas}, measured {measured}");
        }
    }
}
