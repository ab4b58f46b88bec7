//! Cases before juries: what is disputed, audited or looked into, who sits, what is compared. `docs/contracts.md` sections 9, 10.
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

/// What a case is, and who answers for its opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A dispute; its opener answers, with a bond.
    Bonded,
    /// A dispute; a worker answers, with its stake.
    Staked,
    /// An audit; nobody answers, the seed asked for it.
    Audit,
    /// An inquest over contradicting claims of an expired batch; its opener answers, with a bond.
    Expiry,
    /// An inquest over the own trace of one worker; its opener answers, with a bond.
    Accusation,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Bonded, Self::Staked, Self::Audit, Self::Expiry, Self::Accusation];

    /// Whether no certificate answers for what it is about, so that the Inquest hears it and not the Court.
    pub const fn is_inquest(self) -> bool {
        matches!(self, Self::Expiry | Self::Accusation)
    }
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
    /// What it is.
    pub kind: Kind,
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
    /// Whose stake answers for the opening; of an accusation, the accused; zero for none.
    pub worker: Address,
    /// What binds the opener to its finding, see [`seal`]; zero in audits; in an inquest the hash of its docket.
    pub seal: B256,
    /// The case that this one appeals; zero for none; in an inquest the round that it is about.
    pub before: CaseId,
}

impl Facts {
    /// The word, from the low bit: batch 32, index 32, level 8, kind 8, seats 8, runtime 8, window 32, opened at 40,
    /// opened block 40, verdict before 8.
    pub fn pack(&self) -> U256 {
        // Numbered from one.
        let kind = Kind::ALL.iter().position(|kind| *kind == self.kind).map_or(0, |place| place + 1);
        let mut word = Packer::default();
        word.put(self.batch.into(), 32);
        word.put(self.index.into(), 32);
        word.put(self.level.into(), 8);
        word.put(kind as u128, 8);
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
        let kind = (word.take(8) as usize).checked_sub(1).and_then(|place| Kind::ALL.get(place)).copied()?;
        Some(Self {
            batch,
            index,
            level,
            kind,
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

/// Blocks after a certificate's whose seed says whether it is audited: nobody who orders the certificate's block knows it.
pub const AUDIT_DELAY_BLOCKS: u64 = 2;

/// One certificate of so many is audited.
pub const AUDITED_OF: u32 = 16;

/// What part of the stake that falls goes to the first opener whose seal was the jury's finding, or to who disproved: a tenth
/// (`REWARD_PART` of `Court`).
pub const REWARD_PART: u64 = 10;

/// The task of a certificate whose audit the seed asks for; nothing for fifteen certificates of sixteen.
pub fn audited_task(seed: Seed, deal: DealId, batch: u32, attempt: u8, tasks: u32) -> Option<u32> {
    let draw = keccak256((seed.0, deal.0, U256::from(batch), U256::from(attempt)).abi_encode());
    let draw = U256::from_be_bytes(draw.0);
    // The high bits say whether: all zero, once in `AUDITED_OF` times.
    if !(draw >> (256 - AUDITED_OF.ilog2() as usize)).is_zero() || tasks == 0 {
        return None;
    }
    let low = draw & U256::from(u128::MAX);
    // Below `tasks`.
    Some((low % U256::from(tasks)).to())
}

/// What binds a juror before it knows what others found.
pub fn juror_commitment(worker: Address, case: CaseId, finding: B256, own_trace: B256) -> B256 {
    keccak256((worker, case.0, finding, own_trace).abi_encode())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exit;

    fn case() -> Case {
        Case {
            deal: DealId(B256::repeat_byte(1)),
            facts: Facts {
                batch: u32::MAX,
                index: 7,
                level: 1,
                kind: Kind::Staked,
                seats: 9,
                runtime: RuntimeNumber(3),
                window: Secs(60),
                opened_at: UnixTime(1_000),
                opened_block: (1 << 40) - 1,
                verdict_before: 0,
            },
            stakes: Stakes {
                bond: Amount(U256::from(u128::MAX)),
                runtime_bond: BondUnits(u64::MAX),
                slash: BondUnits((1 << 40) - 1),
                pool: PoolId((1 << 24) - 1),
            },
            opener: Address::repeat_byte(2),
            worker: Address::repeat_byte(3),
            seal: B256::repeat_byte(4),
            before: CaseId(B256::ZERO),
        }
    }

    #[test]
    fn words_hold_every_field_at_its_limit() {
        let Case { facts, stakes, .. } = case();
        assert_eq!(Facts::unpack(facts.pack()), Some(facts));
        assert_eq!(Stakes::unpack(stakes.pack()), stakes);
        for kind in Kind::ALL {
            let facts = Facts { kind, verdict_before: 5, level: 2, ..facts };
            assert_eq!(Facts::unpack(facts.pack()), Some(facts));
        }
        let kind = U256::from(0xff) << 72;
        assert_eq!(Facts::unpack(facts.pack() | kind), None, "a kind that there is not");
    }

    #[test]
    fn every_word_changes_the_id() {
        let id = case().id();
        let changed = [
            Case { deal: DealId(B256::ZERO), ..case() },
            Case { facts: Facts { index: 8, ..case().facts }, ..case() },
            Case { stakes: Stakes { pool: PoolId(1), ..case().stakes }, ..case() },
            Case { opener: Address::ZERO, ..case() },
            Case { worker: Address::ZERO, ..case() },
            Case { seal: B256::ZERO, ..case() },
            Case { before: CaseId(B256::repeat_byte(9)), ..case() },
        ];
        assert!(changed.iter().all(|other| other.id() != id));
    }

    #[test]
    fn windows_follow_each_other_and_appeals_end_with_the_verdict() {
        let facts = case().facts;
        let times = [facts.wave_start(0), facts.wave_start(2), facts.commit_end(), facts.reveal_end()];
        assert_eq!(times.map(|time| time.0), [1_000, 1_120, 1_180, 1_240]);
        assert_eq!(facts.appeal_end(), UnixTime(1_360));
        assert_eq!(Facts { level: 2, ..facts }.appeal_end(), facts.reveal_end());
    }

    #[test]
    fn seats_widen_with_the_waves_and_need_a_bond() {
        let stakes = Stakes { runtime_bond: BondUnits(100), ..case().stakes };
        let case = Case { stakes, ..case() };
        let seats = |bond| {
            (0..200)
                .filter(|salt| case.seat(Seed(B256::repeat_byte(*salt)), case.opener, bond).is_some())
                .count()
        };
        assert_eq!(seats(BondUnits(0)), 0);
        assert!((30..110).contains(&seats(BondUnits(1))), "4 * 9 of 100: {}", seats(BondUnits(1)));
        assert_eq!(seats(BondUnits(100)), 200, "all of the bond");
    }

    #[test]
    fn one_certificate_in_sixteen_is_audited() {
        let drawn = |salt: u16| {
            let seed = Seed(keccak256(salt.to_be_bytes()));
            audited_task(seed, DealId(B256::ZERO), 0, 0, 10)
        };
        let tasks: Vec<_> = (0..3_200).filter_map(drawn).collect();
        assert!((140..260).contains(&tasks.len()), "{}", tasks.len());
        assert!((0..10).all(|task| tasks.contains(&task)), "every task can be it");
        assert_eq!(audited_task(Seed(B256::ZERO), DealId(B256::ZERO), 0, 0, 0), None);
    }

    #[test]
    fn what_is_compared_leaves_nothing_out() {
        let receipt = Receipt {
            index: 1,
            exit: Exit::Ok,
            fuel: 2,
            output_digest: B256::repeat_byte(1),
            trace_digest: B256::repeat_byte(2),
        };
        let others = [
            Receipt { index: 2, ..receipt },
            Receipt { exit: Exit::Trap, ..receipt },
            Receipt { fuel: 3, ..receipt },
            Receipt { output_digest: B256::ZERO, ..receipt },
            Receipt { trace_digest: B256::ZERO, ..receipt },
        ];
        assert!(others.iter().all(|other| finding(other) != finding(&receipt)));
    }
}
