//! The scenarios of `make simulate`, and which of the three promises each of them can be held against.

use serde::Serialize;

use super::{Behaviour, Outcomes, Plan};

/// Shares of faulty stake, in thousandths.
const SHARES: [u64; 3] = [100, 200, 330];
/// What the faulty do. A broken machine spoils one batch in twenty.
const BEHAVIOURS: [Behaviour; 6] = [
    Behaviour::Breaks(50),
    Behaviour::Copies,
    Behaviour::Lies,
    Behaviour::LiesToWin,
    Behaviour::Earns,
    Behaviour::Withholds,
];
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
    /// Who is faulty earns less than honest operators do with the same stake, what wrong results are worth to them included.
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

    /// Whether it was kept.
    pub fn is_kept(self, plan: &Plan, outcomes: &Outcomes) -> bool {
        let few = |wrong: u64| wrong * (u64::from(plan.policy().confidence) + 1) <= outcomes.certified;
        match self {
            Self::Provisional => few(outcomes.provisional_wrong),
            Self::Final => few(outcomes.final_wrong),
            Self::Stake => outcomes.faulty_gain_with_worth < outcomes.honest_gain,
        }
    }
}

impl Plan {
    /// The promises that hold under the assumptions of this plan.
    ///
    /// Odds hold against machines that fail or lie whatever the draw; against those that look at the draw only while
    /// reputation does not count; and with a coordinator of theirs only once a certificate is final. Stake holds always.
    pub fn promises(&self) -> Vec<Promise> {
        let looks = matches!(self.behaviour, Behaviour::LiesToWin | Behaviour::Earns);
        let odds = !self.count_reputation || !looks;
        let mut promises = Vec::new();
        if odds && !self.corrupt_coordinator {
            promises.push(Promise::Provisional);
        }
        if odds {
            promises.push(Promise::Final);
        }
        if self.faulty_permille > 0 {
            promises.push(Promise::Stake);
        }
        promises
    }
}

/// All scenarios, each with seeds of its own. Reputations settle in `warm_up` rounds, where they count.
pub fn scenarios(rounds: u64, warm_up: u64, seed: u64) -> Vec<Plan> {
    let calm = Plan {
        behaviour: Behaviour::Honest,
        faulty_permille: 0,
        corrupt_coordinator: false,
        count_reputation: false,
        churn_permille: 0,
        settled: false,
        rounds,
        warm_up: 0,
        seed: 0,
    };
    let mut plans = Vec::new();
    for count_reputation in [false, true] {
        let calm = Plan { warm_up: if count_reputation { warm_up } else { 0 }, ..calm };
        plans.push(Plan { count_reputation, ..calm });
        for faulty_permille in SHARES {
            let plan = Plan { faulty_permille, count_reputation, ..calm };
            plans.extend(BEHAVIOURS.map(|behaviour| Plan { behaviour, ..plan }));
            let plan = Plan { behaviour: Behaviour::LiesToWin, ..plan };
            plans.push(Plan { corrupt_coordinator: true, ..plan });
            plans.push(Plan { churn_permille: CHURN_PERMILLE, ..plan });
        }
    }
    for (number, plan) in plans.iter_mut().enumerate() {
        plan.seed = seed.wrapping_add(number as u64);
    }
    plans
}
