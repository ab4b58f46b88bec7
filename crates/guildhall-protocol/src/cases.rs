//! Cases before the Court: what is disputed or audited, who sits, what is compared. `docs/contracts.md` section 9.
//!
//! Knows nothing of verdicts and money: the contracts judge, and anybody may ask them.

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::SolValue;
use serde::{Deserialize, Serialize};

use crate::{
    Amount, BondUnits, CaseId, DealId, PoolId, Receipt, RoundId, RuntimeNumber, Secs, Seed, UnixTime,
    lot::{LAST_WAVE, has_seat, ticket},
    policy::{Packer, Unpacker},
};

/// Windows in which jurors commit.
const COMMIT_WINDOWS: u64 = 3;
/// Windows until the jury has revealed.
const REVEAL_WINDOWS: u64 = 4;
/// Windows until a first verdict can be appealed no more.
const ALL_WINDOWS: u64 = 6;

/// Who answers for the opening of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Its opener, with a bond.
    Bond,
    /// A worker, with its stake.
    Stake,
    /// Nobody: the seed asked for an audit.
    Audit,
}

/// What a case is about, and when: the word `facts` of `types/Cases.sol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Batch of the deal.
    pub batch: u32,
    /// Task of the batch.
    pub index: u32,
    /// 1, or 2 for an appeal.
    pub level: u8,
    /// Who answers for it.
    pub answer: Answer,
    /// Seats that the lot aims at.
    pub seats: u8,
    /// Runtime that a juror needs.
    pub runtime: RuntimeNumber,
    /// Length of a window.
    pub window: Secs,
    /// When it was opened.
    pub opened_at: UnixTime,
    /// Block that it was opened in: its seed draws the jury.
    pub opened_block: u64,
    /// What the case before came to; zero where it appeals none.
    pub verdict_before: u8,
}

/// What is at stake in a case: the word `stakes` of `types/Cases.sol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stakes {
    /// What answers for the opening.
    pub bond: Amount,
    /// Bond of all active workers of the runtime when it was opened.
    pub runtime_bond: BondUnits,
    /// What a juror has at risk.
    pub slash: BondUnits,
    /// Pool of the deal.
    pub pool: PoolId,
}

/// One task of one certified batch before one jury.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The deal.
    pub deal: DealId,
    /// What it is about, and when.
    pub facts: Facts,
    /// What is at stake.
    pub stakes: Stakes,
    /// Who opened it.
    pub opener: Address,
    /// Whose stake answers for the opening; zero for none's.
    pub worker: Address,
    /// What binds the opener to its finding, see [`seal`]; zero in audits.
    pub seal: B256,
    /// The case that this one appeals; zero for none.
    pub before: CaseId,
}

impl Facts {
    /// The word, from the low bit: batch 32, index 32, level 8, kind 8, seats 8, runtime 8, window 32, opened at 40,
    /// opened block 40, verdict before 8.
    pub fn pack(&self) -> U256 {
        let kind: u8 = match self.answer {
            Answer::Bond => 1,
            Answer::Stake => 2,
            Answer::Audit => 3,
        };
        let mut word = Packer::default();
        word.put(self.batch.into(), 32);
        word.put(self.index.into(), 32);
        word.put(self.level.into(), 8);
        word.put(kind.into(), 8);
        word.put(self.seats.into(), 8);
        word.put(self.runtime.0.into(), 8);
        word.put(self.window.0.into(), 32);
        word.put(self.opened_at.0.into(), 40);
        word.put(self.opened_block.into(), 40);
        word.put(self.verdict_before.into(), 8);
        word.word
    }

    /// Reads the word; nothing for a kind that there is not.
    pub fn unpack(word: U256) -> Option<Self> {
        let mut word = Unpacker(word);
        let (batch, index, level) = (word.take(32) as u32, word.take(32) as u32, word.take(8) as u8);
        let answer = match word.take(8) {
            1 => Answer::Bond,
            2 => Answer::Stake,
            3 => Answer::Audit,
            _ => return None,
        };
        Some(Self {
            batch,
            index,
            level,
            answer,
            seats: word.take(8) as u8,
            runtime: RuntimeNumber(word.take(8) as u8),
            window: Secs(word.take(32) as u64),
            opened_at: UnixTime(word.take(40) as u64),
            opened_block: word.take(40) as u64,
            verdict_before: word.take(8) as u8,
        })
    }

    fn after(&self, windows: u64) -> UnixTime {
        UnixTime(self.opened_at.0.saturating_add(windows.saturating_mul(self.window.0)))
    }

    /// From when on jurors reveal, and no more commit.
    pub fn commit_end(&self) -> UnixTime {
        self.after(COMMIT_WINDOWS)
    }

    /// From when on there may be a verdict.
    pub fn reveal_end(&self) -> UnixTime {
        self.after(REVEAL_WINDOWS)
    }

    /// From when on the verdict stands: nobody appeals one of level 2.
    pub fn appeal_end(&self) -> UnixTime {
        self.after(if self.level == 1 { ALL_WINDOWS } else { REVEAL_WINDOWS })
    }

    /// When jurors of a wave may commit first.
    pub fn wave_start(&self, wave: u8) -> UnixTime {
        self.after(wave.into())
    }
}

impl Stakes {
    /// The word, from the low bit: bond 128, bond of the runtime 64, slash 40, pool 24.
    pub fn pack(&self) -> U256 {
        let mut word = Packer::default();
        word.put(self.bond.0.saturating_to(), 128);
        word.put(self.runtime_bond.0.into(), 64);
        word.put(self.slash.0.into(), 40);
        word.put(self.pool.0.into(), 24);
        word.word
    }

    /// Reads the word.
    pub fn unpack(word: U256) -> Self {
        let mut word = Unpacker(word);
        Self {
            bond: Amount(U256::from(word.take(128))),
            runtime_bond: BondUnits(word.take(64) as u64),
            slash: BondUnits(word.take(40) as u64),
            pool: PoolId(word.take(24) as u32),
        }
    }
}

impl Case {
    /// Its id: `keccak256` of the seven words.
    pub fn id(&self) -> CaseId {
        let Self { deal, facts, stakes, opener, worker, seal, before } = self;
        let words = (deal.0, facts.pack(), stakes.pack(), *opener, *worker, *seal, before.0);
        CaseId(keccak256(words.abi_encode()))
    }

    /// The first wave in which a worker has a seat on the jury; nothing where the lot gives it none.
    pub fn seat(&self, seed: Seed, worker: Address, bond: BondUnits) -> Option<u8> {
        let ticket = ticket(seed, RoundId(self.id().0), worker);
        let drawn = |wave: &u8| has_seat(ticket, self.facts.seats, bond, self.stakes.runtime_bond, *wave);
        (0..=LAST_WAVE).find(drawn)
    }
}

/// What juries compare: a receipt without the fuel of the tasks before it, which a juror does not execute.
pub fn finding(receipt: &Receipt) -> B256 {
    let Receipt { index, exit, fuel, output_digest, trace_digest } = receipt;
    keccak256(
        (U256::from(*index), U256::from(exit.code()), U256::from(*fuel), *output_digest, *trace_digest)
            .abi_encode(),
    )
}

/// What binds an opener to its finding before the jury has committed.
pub fn seal(opener: Address, deal: DealId, batch: u32, index: u32, finding: B256, salt: B256) -> B256 {
    keccak256((opener, deal.0, U256::from(batch), U256::from(index), finding, salt).abi_encode())
}

/// What binds a juror before it knows what others found.
pub fn juror_commitment(worker: Address, case: CaseId, finding: B256, own_trace: B256) -> B256 {
    keccak256((worker, case.0, finding, own_trace).abi_encode())
}
