//! A market of many rounds: two hundred operators, part of whose stake is faulty, and what becomes of results, stake and pay.
//!
//! The lot, weights, odds, payouts, exposure, audits and juries are the protocol's own functions, and the coordinator is the
//! real state machine; workers are reduced to what they decide: whether they come, how long they take, what they claim, whom
//! they contradict. Everything follows from the seed. Knows nothing of bytes and signatures: [`crate::run`] has more of the
//! roles, in one round.

mod cheating;
mod gas;
mod judgement;
mod operator;
mod rivals;
mod scenarios;
mod table;

use std::collections::{BTreeSet, VecDeque};

use alloy::primitives::{B256, aliases::U96, keccak256};
use guildhall_coordinator::limits::PACES;
use guildhall_protocol::{
    Amount, BondUnits, Bps, Fuel, Opened, OpenedWord, Policy, PolicyWord, Prices, RuntimeNumber, Secs, Seed,
    Terms, UnixTime,
    cases::AUDITED_OF,
    lot::{LAST_ATTEMPT, LAST_WAVE},
    units::BOND_UNIT_WEI,
};
use guildhall_testkit::builders::{self, OPENED_AT};
use serde::Serialize;

use crate::faults::Dice;
pub use cheating::Cheating;
use gas::Gas;
pub use operator::Behaviour;
use operator::Operator;
pub use rivals::{Results, Rival, rival};
pub use scenarios::{OVERHEAD_MILLI, Promise, scenarios};
use table::{Certified, Ending, Table};

/// Operators of the market, each with one worker.
pub const OPERATORS: usize = 200;
/// Tasks of most deals, certified together.
pub const TASKS: u32 = 10;
/// What one execution of a task pays, before shares.
const TASK_COINS: u64 = 1;
/// Fuel of one task, all of which it uses.
const TASK_FUEL: u64 = 1_000_000;
/// What an execution costs who executes, in thousandths of what it pays.
const COST_PERMILLE: i128 = 500;
/// What a wrong task whose certificate became final is worth to those who made it, in coins: ten executions of it.
pub const WORTH_COINS: u64 = 10;
/// Stake that a certificate must have behind it for each of its tasks, in coins: [`WORTH_COINS`] times the certificates of which one is
/// audited, in one task; twice that, since with a fifth of the jurors faulty half of the false certificates that come before a jury are voided and nobody is
/// slashed; and half as much again.
pub const COLLATERAL_COINS: u64 = WORTH_COINS * 3 * AUDITED_OF as u64;
/// Points that halve the odds of a fault, as in a new deployment.
const REPUTATION_STEP: u16 = 100;
/// From one deal to the next.
const ROUND_SECS: u64 = 6 * 3_600;
/// Length of a wave.
const PATIENCE: Secs = Secs(60);
/// Audits that a worker was in before the first round, where reputations are settled: more than full reputation takes.
pub const SETTLED_AUDITS: u32 = 400;
/// What is one coin, in the token's smallest unit.
const COIN_WEI: i128 = 1_000 * BOND_UNIT_WEI as i128;

/// What the pool's coordinator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Coordinator {
    /// What it should.
    Honest,
    /// It is of the faulty: where their seats alone are certified, it tells everybody else that all seats are taken.
    Theirs,
    /// The same, and it serves no certified receipts: who compares has nothing but the root.
    Hides,
}

impl Coordinator {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::Theirs => "theirs",
            Self::Hides => "theirs, hides",
        }
    }
}

/// One simulation: who is faulty, how, and what the requesters ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// What the faulty part does.
    pub behaviour: Behaviour,
    /// Its share of the stake, in thousandths.
    pub faulty_permille: u64,
    /// Whose the pool's coordinator is.
    pub coordinator: Coordinator,
    /// Tasks of a deal, certified together.
    pub tasks: u32,
    /// Operators that a certificate must have, whatever the odds.
    pub operators_min: u8,
    /// Whether requesters let reputation count.
    pub count_reputation: bool,
    /// Of a thousand rounds, those before which one operator is replaced by a newcomer with the same stake and behaviour.
    pub churn_permille: u64,
    /// Of a thousand contributions, those whose own traces an auditor makes again; who copied is accused.
    pub accused_permille: u64,
    /// Whether everybody begins with the record of [`SETTLED_AUDITS`] audits.
    pub settled: bool,
    /// Rounds.
    pub rounds: u64,
    /// What everything follows from.
    pub seed: u64,
}

impl Plan {
    /// The policy of every deal: 99 to 1, against the share of faulty stake that there is (a fifth at least).
    pub fn policy(&self) -> Policy {
        let share = u16::try_from(self.faulty_permille * 10).unwrap_or(u16::MAX);
        Policy {
            confidence: 99,
            faultyShareBps: share.max(2_000),
            replicasMin: self.operators_min,
            replicasMax: 32,
            collateralMin: U96::from(COLLATERAL_COINS * u64::from(self.tasks)) * U96::from(COIN_WEI as u128),
            countReputation: self.count_reputation,
            evidence: 0,
            disputeWindow: 3_600,
            finalOnly: true,
        }
    }
}

/// What came of the counted rounds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// Rounds.
    pub rounds: u64,
    /// Batches that were certified.
    pub certified: u64,
    /// Wrong certificates, when they were provisional.
    pub provisional_wrong: u64,
    /// Wrong certificates that became final.
    pub final_wrong: u64,
    /// Wrong tasks of provisional certificates.
    pub provisional_wrong_tasks: u64,
    /// Wrong tasks of final ones.
    pub final_wrong_tasks: u64,
    /// Wrong certificates that a jury overturned.
    pub overturned: u64,
    /// Right ones.
    pub overturned_right: u64,
    /// Certificates that came to nothing before a jury, by whether they were right.
    pub void_right: u64,
    /// See [`Outcomes::void_right`].
    pub void_wrong: u64,
    /// Batches that nobody certified before their deadline, or whose bytes were said to be withheld.
    pub refunded: u64,
    /// Executions of tasks by members of rounds.
    pub executions: u64,
    /// Executions of tasks by jurors and by those who check what they were kept out of.
    pub checks: u64,
    /// Cases before a jury: audits and disputes.
    pub cases: u64,
    /// Members of certificates.
    pub members: u64,
    /// Certificates of fewer operators than the policy asks for.
    pub too_few_operators: u64,
    /// Gas of all transactions: orders, certificates, refunds, audits, disputes, juries.
    pub gas: u64,
    /// Seconds from the opening to the certificate.
    pub seconds: u64,
    /// Contributions that were accused.
    pub accused: u64,
    /// What the others earned, costs deducted, in thousandths of a coin for each million coins of stake and round.
    pub honest_gain: i64,
    /// What the faulty part earned (or would be: the same operators where nobody is faulty), costs and slashes deducted, without what wrong results are worth to them.
    pub faulty_gain: i64,
    /// The same with it.
    pub faulty_gain_with_worth: i64,
    /// Stake of the faulty, in millions of coins, added up over the rounds.
    pub faulty_stake: u64,
    /// What cheating brought them.
    pub cheating: Cheating,
}

impl Outcomes {
    /// Executions of each certified task, checks included, in thousandths.
    pub fn executions_milli(&self, plan: &Plan) -> u64 {
        let tasks = self.certified * u64::from(plan.tasks);
        ((self.executions + self.checks) * 1_000).checked_div(tasks).unwrap_or(0)
    }

    /// Gas of each certified task.
    pub fn gas_a_task(&self, plan: &Plan) -> u64 {
        self.gas.checked_div(self.certified * u64::from(plan.tasks)).unwrap_or(0)
    }
}

/// A market in the middle of its rounds.
#[derive(Clone)]
pub(crate) struct Market {
    plan: Plan,
    dice: Dice,
    policy: Policy,
    operators: Vec<Operator>,
    /// What the slowest members of the latest certified rounds took: all deals are of one app.
    paces: VecDeque<u64>,
    /// Newcomers so far.
    born: u32,
    round: u64,
    /// What the protocol earned and has not spent on juries.
    fund: i128,
    /// Of the round that is played.
    executions: u64,
    checks: u64,
    gas: u64,
    /// Whether somebody did what an honest operator would not.
    cheated: bool,
    /// Which of several juries that the same case might have; zero for the one that it has.
    jury_draw: u32,
}

/// Simulates a plan.
pub fn simulate(plan: Plan) -> Outcomes {
    let mut market = Market::new(plan);
    let mut outcomes = Outcomes::default();
    for _ in 0..plan.rounds {
        market.next(&mut outcomes);
    }
    let gains = market.gains(outcomes.final_wrong_tasks);
    (outcomes.honest_gain, outcomes.faulty_gain) = (gains.honest, gains.faulty);
    (outcomes.faulty_gain_with_worth, outcomes.faulty_stake) = (gains.faulty_with_worth, gains.faulty_stake);
    outcomes
}

impl Market {
    fn new(plan: Plan) -> Self {
        let mut market = Self {
            plan,
            dice: Dice::new(plan.seed),
            policy: plan.policy(),
            operators: Vec::with_capacity(OPERATORS),
            paces: VecDeque::new(),
            born: 0,
            round: 0,
            fund: 0,
            executions: 0,
            checks: 0,
            gas: 0,
            cheated: false,
            jury_draw: 0,
        };
        let bonds: Vec<_> =
            (0..OPERATORS).map(|_| BondUnits((20_000 + market.dice.below(60_000)) * 1_000)).collect();
        let total: u64 = bonds.iter().map(|bond| bond.0).sum();
        let mut faulty = 0;
        for bond in bonds {
            // The first ones, until they have their share; no order matters to the lot.
            let suspect = faulty + bond.0 / 2 < total / 1_000 * plan.faulty_permille;
            faulty += if suspect { bond.0 } else { 0 };
            let behaviour = if suspect { plan.behaviour } else { Behaviour::Honest };
            let mut operator = market.newcomer(bond, behaviour);
            operator.suspect = suspect;
            if plan.settled {
                operator.settle(&mut market.dice, REPUTATION_STEP, plan.tasks);
            }
            market.operators.push(operator);
        }
        market
    }

    fn newcomer(&mut self, bond: BondUnits, behaviour: Behaviour) -> Operator {
        self.born += 1;
        Operator::new(
            self.plan.seed,
            self.born,
            bond,
            behaviour,
            self.block(),
            1_000 + self.dice.below(9_000),
        )
    }

    /// The block in which the deal of this round opens; the lot wants those that were there before.
    fn block(&self) -> u64 {
        self.round + 1
    }

    /// What the coordinator knows of how long members take.
    fn pace(&self) -> Option<u64> {
        self.paces.iter().max().copied()
    }

    fn keep_pace(&mut self, slowest_ms: u64) {
        self.paces.push_back(slowest_ms);
        if self.paces.len() > PACES {
            self.paces.pop_front();
        }
    }

    fn now(&self) -> UnixTime {
        UnixTime(OPENED_AT + self.round * ROUND_SECS)
    }

    /// The next round, and what cheating in it brought.
    fn next(&mut self, outcomes: &mut Outcomes) {
        self.round += 1;
        self.churn();
        let honest = (self.plan.behaviour != Behaviour::Honest).then(|| self.as_if_honest());
        let had = self.play(outcomes);
        if let Some(honest) = honest {
            self.count_cheating(honest, had, outcomes);
        }
    }

    /// One round; says what the faulty have then, by expectation where its certificate is wrong.
    fn play(&mut self, outcomes: &mut Outcomes) -> i128 {
        (self.executions, self.checks, self.gas, self.cheated) = (0, 0, Gas::measured().matching, false);
        let terms = self.terms();
        outcomes.rounds += 1;
        let had = match self.attempts(&terms) {
            Ending::Certified(certified) => self.certified(&terms, *certified, outcomes),
            Ending::Expired | Ending::Void => {
                self.gas += Gas::measured().expire;
                outcomes.refunded += 1;
                self.purses()
            }
        };
        outcomes.executions += self.executions;
        outcomes.checks += self.checks;
        outcomes.gas += self.gas;
        for operator in &mut self.operators {
            operator.stake_rounds += u128::from(operator.bond.0);
        }
        had
    }

    /// Draws the lot until a certificate comes about.
    fn attempts(&mut self, terms: &Terms) -> Ending {
        let mut opened = terms.opened();
        let mut ending = Ending::Expired;
        for attempt in 0..=LAST_ATTEMPT {
            let seed = self.seed(attempt);
            let Ok(round) = guildhall_api::Round::new(terms, 0, attempt, opened, seed) else { break };
            ending = Table::new(self, round).play();
            if !matches!(ending, Ending::Expired) {
                break;
            }
            opened.time = UnixTime(opened.time.0 + PATIENCE.0 * (u64::from(LAST_WAVE) + 1));
        }
        ending
    }

    fn certified(&mut self, terms: &Terms, certified: Certified, outcomes: &mut Outcomes) -> i128 {
        outcomes.certified += 1;
        outcomes.too_few_operators += u64::from(self.is_of_too_few(&certified));
        self.gas += Gas::measured().certificate(certified.members.len() as u64);
        outcomes.members += certified.members.len() as u64;
        outcomes.seconds += certified.at.0 - terms.opened().time.0;
        let wrong = certified.claim.is_wrong();
        let wrong_tasks = u64::from(certified.claim.wrong_tasks(self.plan.tasks));
        outcomes.provisional_wrong += u64::from(wrong);
        outcomes.provisional_wrong_tasks += wrong_tasks;
        let expected = wrong.then(|| self.expected_purses(terms, &certified, &outcomes.cheating));
        let audit = self.audited(terms, &certified);
        let judged = self.judge(terms, &certified, audit);
        outcomes.cases += u64::from(judged.cases);
        outcomes.accused += u64::from(self.accuse(terms, &certified));
        match judged.verdict {
            judgement::Verdict::Stands => {
                outcomes.final_wrong += u64::from(wrong);
                outcomes.final_wrong_tasks += wrong_tasks;
            }
            judgement::Verdict::Overturned if wrong => outcomes.overturned += 1,
            judgement::Verdict::Overturned => outcomes.overturned_right += 1,
            judgement::Verdict::Void if wrong => outcomes.void_wrong += 1,
            judgement::Verdict::Void => outcomes.void_right += 1,
        }
        expected.unwrap_or_else(|| self.purses())
    }

    /// Whether distinct operators that agree are fewer than the policy asks for.
    fn is_of_too_few(&self, certified: &Certified) -> bool {
        let agreeing = certified.members.iter().filter(|member| member.says == table::Says::Agrees);
        let operators: BTreeSet<_> = agreeing.map(|member| self.operators[member.place].id.0).collect();
        operators.len() < usize::from(self.plan.operators_min)
    }

    /// Newcomers in the place of some who go, and of the faulty who lost half of their stake: the assumed share stays.
    fn churn(&mut self) {
        let leaves =
            self.dice.hits(self.plan.churn_permille).then(|| self.dice.below(OPERATORS as u64) as usize);
        for place in 0..self.operators.len() {
            let Operator { bond, first_bond, behaviour, suspect, purse, stake_rounds, .. } =
                self.operators[place];
            let ruined = bond.0 * 2 < first_bond.0;
            if ruined || leaves == Some(place) {
                let mut newcomer = self.newcomer(first_bond, behaviour);
                (newcomer.suspect, newcomer.purse, newcomer.stake_rounds) = (suspect, purse, stake_rounds);
                self.operators[place] = newcomer;
            }
        }
    }

    fn terms(&self) -> Terms {
        let bond = self.operators.iter().map(|operator| operator.bond.0).sum();
        let opened = Opened {
            block: self.block(),
            time: self.now(),
            pool_bond: BondUnits(bond),
            parameters: 1,
            runtime: RuntimeNumber(1),
            pool_share: Bps(0),
            protocol_fee: Bps(100),
            reputation_step: REPUTATION_STEP,
            patience: PATIENCE,
        };
        let fee = COIN_WEI as u128 * u128::from(TASK_COINS) * 1_000_000 / u128::from(TASK_FUEL);
        Terms {
            dealId: hash_of(&[self.plan.seed, self.round]),
            taskCount: self.plan.tasks,
            batchSize: self.plan.tasks,
            fuelLimit: TASK_FUEL,
            feePerMfuel: fee.try_into().unwrap_or_default(),
            deadline: self.now().0 + ROUND_SECS - 1,
            policy: PolicyWord::pack(&self.policy).0,
            opened: OpenedWord::pack(&opened).0,
            ..builders::terms(0, self.policy.confidence, (1, 1))
        }
    }

    fn seed(&self, attempt: u8) -> Seed {
        Seed(hash_of(&[self.plan.seed, self.round, attempt.into()]))
    }

    fn prices(&self, terms: &Terms) -> Prices {
        Prices::of(terms, self.plan.tasks, Bps(100))
            .unwrap_or_else(|error| unreachable!("our own policy: {error}"))
    }

    /// Fuel of the whole batch.
    fn batch_fuel(&self) -> Fuel {
        Fuel(TASK_FUEL * u64::from(self.plan.tasks))
    }

    /// What everybody earned, with so many wrong tasks that the faulty profit from.
    fn gains(&self, wrong_tasks: u64) -> Gains {
        let gain = |suspect: bool, extra: i128| {
            let ours = || self.operators.iter().filter(move |operator| operator.suspect == suspect);
            let stake: u128 = ours().map(|operator| operator.stake_rounds).sum();
            let purse = ours().map(|operator| operator.purse).sum::<i128>() + extra;
            // Stake is in thousandths of a coin; the gain in thousandths of a coin for each million coins.
            let milli = purse / (COIN_WEI / 1_000);
            let gain =
                milli.saturating_mul(1_000_000_000).checked_div(i128::try_from(stake).unwrap_or(i128::MAX));
            i64::try_from(gain.unwrap_or(0)).unwrap_or(i64::MAX)
        };
        let worth = i128::from(wrong_tasks) * i128::from(WORTH_COINS) * COIN_WEI;
        let faulty = self.operators.iter().filter(|operator| operator.suspect);
        let stake = faulty.map(|operator| operator.stake_rounds).sum::<u128>() / 1_000_000_000;
        Gains {
            honest: gain(false, 0),
            faulty: gain(true, 0),
            faulty_with_worth: gain(true, worth),
            faulty_stake: u64::try_from(stake).unwrap_or(u64::MAX),
        }
    }
}

/// What everybody earned: see [`Outcomes`].
struct Gains {
    honest: i64,
    faulty: i64,
    faulty_with_worth: i64,
    faulty_stake: u64,
}

/// An amount of the token as what a purse holds.
fn wei(amount: Amount) -> i128 {
    i128::try_from(amount.0.saturating_to::<u128>()).unwrap_or(i128::MAX)
}

/// What an execution of so many tasks costs.
fn cost_of(tasks: u32) -> i128 {
    i128::from(TASK_COINS) * COIN_WEI * COST_PERMILLE / 1_000 * i128::from(tasks)
}

/// A hash of numbers.
fn hash_of(numbers: &[u64]) -> B256 {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    keccak256(bytes)
}
