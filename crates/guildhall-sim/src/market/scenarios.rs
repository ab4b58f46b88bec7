//! The scenarios of `make simulate`, and which of the three promises each of them can be held against.

use guildhall_protocol::{
    confidence::{seats_needed, target},
    lot::want,
};
use serde::Serialize;

use super::{Behaviour, Coordinator, Outcomes, Plan, TASKS};

/// Shares of faulty stake, in thousandths.
const SHARES: [u64; 3] = [100, 200, 330];
/// What the faulty do. A broken machine spoils one batch in twenty.
const BEHAVIOURS: [Behaviour; 8] = [
    Behaviour::Breaks(50),
    Behaviour::Copies,
    Behaviour::Lies,
    Behaviour::LiesToWin,
    Behaviour::LiesOnce,
    Behaviour::Races,
    Behaviour::Earns,
    Behaviour::Withholds,
];
/// Contributions that are accused where somebody copies: one in twenty.
const ACCUSED_PERMILLE: u64 = 50;
/// Newcomers where there is churn: before one round in twenty.
const CHURN_PERMILLE: u64 = 50;

/// The most executions of a certified task that settled reputations may cost, audits included, in thousandths.
pub const OVERHEAD_MILLI: u64 = 1_300;

/// A promise of a certificate (PROTOCOL section 7), as a scenario can break it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// At most one provisional certificate in a hundred is wrong.
    Provisional,
    /// At most one final certificate in a hundred is wrong.
    Final,
    /// As many distinct operators as the policy asks for are behind every certificate, so that wrong ones are at most as frequent as
    /// lots that give the faulty that many seats, whatever reputation they have.
    Seats,
    /// In rounds in which somebody cheats, the faulty have less afterwards than if they had been honest, what wrong results are
    /// worth to them included.
    Stake,
    /// A task costs few executions where reputations have settled.
    Overhead,
}

impl Promise {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provisional => "provisional",
            Self::Final => "final",
            Self::Seats => "seats",
            Self::Stake => "stake",
            Self::Overhead => "overhead",
        }
    }

    /// Whether it was kept.
    pub fn is_kept(self, plan: &Plan, outcomes: &Outcomes) -> bool {
        let few = |wrong: u64| wrong * (u64::from(plan.policy().confidence) + 1) <= outcomes.certified;
        match self {
            Self::Provisional => few(outcomes.provisional_wrong),
            Self::Final => few(outcomes.final_wrong),
            Self::Seats => outcomes.too_few_operators == 0 && seats_are_hard_to_get(plan, outcomes),
            Self::Stake => outcomes.cheating.loses(),
            Self::Overhead => outcomes.executions_milli(plan) <= OVERHEAD_MILLI,
        }
    }
}

/// Whether wrong provisional certificates are at most as many as rounds in which the lot gives the faulty as many seats as a
/// certificate of theirs takes, and three standard deviations of luck.
///
/// The lot draws each operator by itself, so that its seats are Poisson's. Whatever the faulty do with them, first to be done or
/// with a coordinator of theirs, they need these seats.
#[expect(clippy::cast_precision_loss, reason = "statistics")]
fn seats_are_hard_to_get(plan: &Plan, outcomes: &Outcomes) -> bool {
    let policy = plan.policy();
    let by_odds = seats_needed(&policy, target(policy.confidence, 0));
    let needed = if plan.count_reputation { plan.operators_min } else { by_odds };
    let seats = f64::from(want(by_odds, policy.faultyShareBps)) * plan.faulty_permille as f64 / 1_000.0;
    let (mut term, mut fewer) = ((-seats).exp(), 0.0);
    for held in 0..needed {
        fewer += term;
        term *= seats / f64::from(held + 1);
    }
    let (share, certified) = (1.0 - fewer, outcomes.certified as f64);
    let luck = (certified * share * (1.0 - share)).sqrt();
    outcomes.provisional_wrong as f64 <= certified * share + 3.0 * luck
}

impl Plan {
    /// The promises that hold under the assumptions of this plan.
    ///
    /// Odds hold against machines that fail or lie whatever the draw; against those that look at the draw only while
    /// reputation does not count; with a coordinator of theirs only once a certificate is final, and not where it keeps the certified
    /// receipts of a lie in one task back: then who contradicts has to guess the task. Stake holds as long as the faulty share is the one that the policy reckons with: juries are drawn so
    /// that they can convict. Few executions are enough where one operator alone can have the odds, and an audit's are shared by
    /// the tasks of a batch.
    pub fn promises(&self) -> Vec<Promise> {
        let looks = matches!(
            self.behaviour,
            Behaviour::LiesToWin | Behaviour::LiesOnce | Behaviour::Races | Behaviour::Earns
        );
        let odds = !self.count_reputation || !looks;
        let mut promises = Vec::new();
        if self.behaviour == Behaviour::Honest {
            let one_is_enough = self.settled && self.operators_min == 1 && self.faulty_permille <= 200;
            if one_is_enough && self.churn_permille == 0 && self.tasks == TASKS {
                promises.push(Promise::Overhead);
            }
            return promises;
        }
        if odds && self.coordinator == Coordinator::Honest {
            promises.push(Promise::Provisional);
        }
        let seldom_guessed = self.coordinator == Coordinator::Hides && self.behaviour == Behaviour::LiesOnce;
        if odds && !seldom_guessed {
            promises.push(Promise::Final);
        }
        promises.push(Promise::Seats);
        // Work that a coordinator keeps for its friends is no wrong result, and pays.
        if self.behaviour != Behaviour::Favours {
            promises.push(Promise::Stake);
        }
        promises
    }
}

/// All scenarios, in groups of one faulty share each, that begin with one where nobody is faulty. Where reputation counts, it has
/// settled.
pub fn scenarios(rounds: u64, seed: u64) -> Vec<Plan> {
    let calm = Plan {
        behaviour: Behaviour::Honest,
        faulty_permille: 0,
        coordinator: Coordinator::Honest,
        tasks: TASKS,
        operators_min: 3,
        count_reputation: false,
        churn_permille: 0,
        accused_permille: 0,
        settled: false,
        rounds,
        seed: 0,
    };
    let mut plans = Vec::new();
    for count_reputation in [false, true] {
        for faulty_permille in SHARES {
            // The same operators in all scenarios of a group, so that nobody's luck with its stake is taken for its behaviour's.
            let seed = seed.wrapping_add(plans.len() as u64);
            let operators_min = if count_reputation { 1 } else { 3 };
            let plan = Plan {
                faulty_permille,
                count_reputation,
                operators_min,
                settled: count_reputation,
                seed,
                ..calm
            };
            // Nobody is faulty, but requesters reckon with it: what the others are compared with.
            plans.push(plan);
            plans.extend(BEHAVIOURS.map(|behaviour| Plan {
                behaviour,
                accused_permille: if behaviour == Behaviour::Copies { ACCUSED_PERMILLE } else { 0 },
                ..plan
            }));
            let plan = Plan { behaviour: Behaviour::LiesToWin, ..plan };
            let theirs = Plan { coordinator: Coordinator::Theirs, ..plan };
            plans.extend([Plan { behaviour: Behaviour::Favours, ..theirs }, theirs]);
            let hides = Plan { coordinator: Coordinator::Hides, ..plan };
            plans.extend([hides, Plan { behaviour: Behaviour::LiesOnce, ..hides }]);
            let churn = Plan { churn_permille: CHURN_PERMILLE, ..plan };
            plans.extend([Plan { behaviour: Behaviour::Honest, ..churn }, churn]);
        }
    }
    let settled = Plan { count_reputation: true, settled: true, ..calm };
    // The promise of seats where reputation would let one be enough; and what a deal of one task costs.
    let groups = SHARES.map(|share| (share, 3, TASKS)).into_iter().chain([(200, 1, 1)]);
    for (faulty_permille, operators_min, tasks) in groups {
        let seed = seed.wrapping_add(plans.len() as u64);
        let plan = Plan { faulty_permille, operators_min, tasks, seed, ..settled };
        plans.extend(
            [Behaviour::Honest, Behaviour::Breaks(50), Behaviour::LiesToWin, Behaviour::Races]
                .map(|behaviour| Plan { behaviour, ..plan }),
        );
    }
    plans
}
