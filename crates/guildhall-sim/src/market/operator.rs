//! An operator of the market with its worker: its stake, its record, and how it behaves.

use alloy::primitives::{Address, B256};
use guildhall_api::Standing;
use guildhall_protocol::{
    BondUnits, OperatorId, Reputation, RuntimeNumber, UnixTime, parameters::RISK_PERIOD,
};
use guildhall_testkit::builders::POOL;
use serde::Serialize;

use super::{SETTLED_AUDITS, hash_of};
use crate::faults::Dice;

/// How an operator behaves. The faulty of one market know each other, and what each of them does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// Executes, and says what it found.
    Honest,
    /// One task of so many of a thousand batches comes out wrong, each time differently: a broken machine.
    Breaks(u64),
    /// Executes only where no accomplice does, else copies what that one found, which is wrong in a task of one batch in twenty.
    Copies,
    /// Claims the accomplices' lie, always.
    Lies,
    /// Claims the lie when those who hold seats in the round are such that it will be certified, else the truth.
    LiesToWin,
    /// The same with a lie in one task only, which an audit seldom looks at.
    LiesOnce,
    /// Claims the lie at once, without executing anything, when the seats of the accomplices alone would be certified, to be done
    /// before the others; else the truth.
    Races,
    /// Tells the truth until its reputation counts in full, then lies, always.
    Earns,
    /// Says that the bytes are withheld, always.
    Withholds,
    /// Honest work, by whom a coordinator of theirs keeps the others out for.
    Favours,
}

impl Behaviour {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::Breaks(_) => "breaks",
            Self::Copies => "copies",
            Self::Lies => "lies",
            Self::LiesToWin => "lies to win",
            Self::LiesOnce => "lies in one task",
            Self::Races => "races",
            Self::Earns => "earns, then lies",
            Self::Withholds => "withholds",
            Self::Favours => "favours its own",
        }
    }
}

/// What an execution, or what stands for one, came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// What every machine finds that works.
    Truth,
    /// One task is wrong, in a way of its own.
    Slip { task: u32, mark: B256 },
    /// The lie that the faulty have agreed on, in every task.
    Lie,
    /// The same in the first task, the truth in all others.
    LieOnce,
}

impl Found {
    pub(crate) fn is_wrong(self) -> bool {
        self != Self::Truth
    }

    /// Whether one task of it is wrong.
    pub(crate) fn is_wrong_at(self, index: u32) -> bool {
        match self {
            Self::Truth => false,
            Self::Slip { task, .. } => task == index,
            Self::Lie => true,
            Self::LieOnce => index == 0,
        }
    }

    /// How many of a batch's tasks are wrong.
    pub(crate) fn wrong_tasks(self, tasks: u32) -> u32 {
        (0..tasks).filter(|index| self.is_wrong_at(*index)).count() as u32
    }

    /// A task that is wrong.
    pub(crate) fn wrong_task(self) -> u32 {
        if let Self::Slip { task, .. } = self { task } else { 0 }
    }

    /// The root that stands for it.
    pub(crate) fn root(self) -> B256 {
        match self {
            Self::Truth => B256::repeat_byte(1),
            Self::Slip { mark, .. } => mark,
            Self::Lie => B256::repeat_byte(2),
            Self::LieOnce => B256::repeat_byte(3),
        }
    }

    /// A slip of this operator in one of the tasks of this round.
    pub(crate) fn slip(round: u64, operator: u64, draw: u64, tasks: u32) -> Self {
        Self::Slip { task: (draw % u64::from(tasks)) as u32, mark: hash_of(&[round, operator, draw]) }
    }
}

/// An operator with its worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operator {
    pub(crate) id: OperatorId,
    pub(crate) worker: Address,
    pub(crate) bond: BondUnits,
    pub(crate) first_bond: BondUnits,
    pub(crate) reputation: Reputation,
    pub(crate) behaviour: Behaviour,
    /// Whether it belongs to the part of the stake that is faulty, or would be where nobody is.
    pub(crate) suspect: bool,
    /// How long an execution takes.
    pub(crate) execution_ms: u64,
    /// What it earned, costs deducted, in the token's smallest unit.
    pub(crate) purse: i128,
    /// Its stake, added up over the rounds.
    pub(crate) stake_rounds: u128,
    active_from: u64,
    /// Stake at risk in the running bucket of time and in the one before, as the contracts keep it.
    bucket: u64,
    exposure: [BondUnits; 2],
}

impl Operator {
    pub(crate) fn new(
        seed: u64,
        number: u32,
        bond: BondUnits,
        behaviour: Behaviour,
        active_from: u64,
        execution_ms: u64,
    ) -> Self {
        Self {
            id: OperatorId(number),
            worker: Address::from_word(hash_of(&[seed, number.into()])),
            bond,
            first_bond: bond,
            reputation: Reputation::ZERO,
            behaviour,
            suspect: false,
            execution_ms,
            purse: 0,
            stake_rounds: 0,
            active_from,
            bucket: 0,
            exposure: [BondUnits::ZERO; 2],
        }
    }

    /// Gives it the reputation that as many audits leave, each of one task: a broken machine was found out in some of them.
    pub(crate) fn settle(&mut self, dice: &mut Dice, step: u16, tasks: u32) {
        for _ in 0..SETTLED_AUDITS {
            let found_out = match self.behaviour {
                Behaviour::Breaks(permille) => dice.hits(permille) && dice.below(u64::from(tasks)) == 0,
                Behaviour::Lies => true,
                _ => false,
            };
            let earned = self.reputation.saturating_add(Reputation(step));
            self.reputation = if found_out { Reputation::ZERO } else { earned };
        }
    }

    pub(crate) fn is_faulty(&self) -> bool {
        self.behaviour != Behaviour::Honest
    }

    /// What the chain says of it.
    pub(crate) fn standing(&self, now: UnixTime) -> Standing {
        Standing {
            operator: self.id,
            pool: POOL,
            active_from: self.active_from,
            reputation: self.reputation,
            bond: self.bond,
            runtime: RuntimeNumber(1),
            room: BondUnits(self.bond.0 / 2).saturating_sub(self.at_risk(now)),
        }
    }

    /// Puts stake at risk.
    pub(crate) fn expose(&mut self, units: BondUnits, now: UnixTime) {
        let bucket = now.0 / RISK_PERIOD.0;
        match bucket - self.bucket {
            0 => {}
            1 => self.exposure = [BondUnits::ZERO, self.exposure[0]],
            _ => self.exposure = [BondUnits::ZERO; 2],
        }
        self.bucket = bucket;
        self.exposure[0] = self.exposure[0].saturating_add(units);
    }

    /// Takes stake, as far as it goes; says how much it was.
    pub(crate) fn slash(&mut self, units: BondUnits) -> BondUnits {
        let taken = units.min(self.bond);
        self.bond = self.bond.saturating_sub(taken);
        self.reputation = Reputation::ZERO;
        self.purse -= i128::from(taken.0) * i128::from(guildhall_protocol::units::BOND_UNIT_WEI);
        taken
    }

    fn at_risk(&self, now: UnixTime) -> BondUnits {
        match now.0 / RISK_PERIOD.0 - self.bucket {
            0 => self.exposure[0].saturating_add(self.exposure[1]),
            1 => self.exposure[0],
            _ => BondUnits::ZERO,
        }
    }
}
