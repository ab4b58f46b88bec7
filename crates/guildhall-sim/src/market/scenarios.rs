//! The scenarios of `make simulate`, and which of the three promises each of them can be held against.

use guildhall_protocol::cases::AUDITED_OF;
use serde::Serialize;

use super::{Behaviour, COLLATERAL_COINS, Outcomes, Plan, TASKS, WORTH_COINS};

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

/// A promise of a certificate (PROTOCOL section 7), as a scenario can break it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// At most one provisional certificate in a hundred is wrong.
    Provisional,
    /// At most one final certificate in a hundred is wrong.
    Final,
    /// Who is faulty earns less than it would by being honest, what wrong results are worth to it included.
    Stake,
}

impl Promise {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provisional => "provisional",
            Self::Final => "final",
            Self::Stake => "stake",
        }
    }

    /// Whether it was kept. `honest` is what came of the same market with nobody faulty.
    pub fn is_kept(self, plan: &Plan, outcomes: &Outcomes, honest: &Outcomes) -> bool {
        let few = |wrong: u64| wrong * (u64::from(plan.policy().confidence) + 1) <= outcomes.certified;
        match self {
            Self::Provisional => few(outcomes.provisional_wrong),
            Self::Final => few(outcomes.final_wrong),
            Self::Stake => excess_coins(outcomes, honest) <= 3.0 * luck_coins(outcomes),
        }
    }
}

/// What the faulty earned beyond what the same operators earned where nobody was faulty, in coins.
#[expect(clippy::cast_precision_loss, reason = "a comparison with luck")]
fn excess_coins(outcomes: &Outcomes, honest: &Outcomes) -> f64 {
    let gain = outcomes.faulty_gain_with_worth - honest.faulty_gain;
    gain as f64 / 1_000.0 * outcomes.faulty_stake as f64
}

/// One standard deviation of that, in coins: of the lot, which seats somebody more often than somebody else, and of the audits,
/// which look at one task of one batch in sixteen, and where that is a lie cost all the collateral.
#[expect(clippy::cast_precision_loss, reason = "a comparison with luck")]
fn luck_coins(outcomes: &Outcomes) -> f64 {
    const EXECUTION_COINS: f64 = 5.0;
    let seats = outcomes.executions as f64 / f64::from(TASKS);
    let lies = outcomes.provisional_wrong_tasks as f64 / f64::from(AUDITED_OF * TASKS);
    let caught_coins = (COLLATERAL_COINS + WORTH_COINS * u64::from(TASKS)) as f64;
    (seats * EXECUTION_COINS.powi(2) + lies * caught_coins.powi(2)).sqrt()
}

impl Plan {
    /// The promises that hold under the assumptions of this plan.
    ///
    /// Odds hold against machines that fail or lie whatever the draw; against those that look at the draw only while
    /// reputation does not count; and with a coordinator of theirs only once a certificate is final. Stake holds as long as the
    /// faulty share is the one that the policy reckons with: juries are drawn so that they can convict.
    pub fn promises(&self) -> Vec<Promise> {
        let looks = matches!(
            self.behaviour,
            Behaviour::LiesToWin | Behaviour::LiesOnce | Behaviour::Races | Behaviour::Earns
        );
        let odds = !self.count_reputation || !looks;
        let mut promises = Vec::new();
        if self.behaviour == Behaviour::Honest {
            return promises;
        }
        if odds && !self.corrupt_coordinator {
            promises.push(Promise::Provisional);
        }
        if odds {
            promises.push(Promise::Final);
        }
        promises.push(Promise::Stake);
        promises
    }
}

/// All scenarios, in groups of one faulty share each, that begin with one where nobody is faulty. Where reputation counts, it has
/// settled.
pub fn scenarios(rounds: u64, seed: u64) -> Vec<Plan> {
    let calm = Plan {
        behaviour: Behaviour::Honest,
        faulty_permille: 0,
        corrupt_coordinator: false,
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
            let plan = Plan { faulty_permille, count_reputation, settled: count_reputation, seed, ..calm };
            // Nobody is faulty, but requesters reckon with it: what the others are compared with.
            plans.push(plan);
            plans.extend(BEHAVIOURS.map(|behaviour| Plan {
                behaviour,
                accused_permille: if behaviour == Behaviour::Copies { ACCUSED_PERMILLE } else { 0 },
                ..plan
            }));
            let plan = Plan { behaviour: Behaviour::LiesToWin, ..plan };
            plans.push(Plan { corrupt_coordinator: true, ..plan });
            let churn = Plan { churn_permille: CHURN_PERMILLE, ..plan };
            plans.extend([Plan { behaviour: Behaviour::Honest, ..churn }, churn]);
        }
    }
    plans
}
