//! The list of a round: who committed to what, wave after wave, and the hash that every contribution is bound to.
//!
//! With it nobody can be added after the reveal, dropped or silenced. Knows nothing of signatures and weights.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256, keccak256};
use serde::{Deserialize, Serialize};

use crate::lot::LAST_WAVE;

/// Most entries of a round: keeps lists, and the transaction that posts them, bounded.
pub const ENTRIES_MAX: usize = 64;
/// Claim number of the claim that the poster wants certified.
pub const CLAIM_LEADING: u8 = 0;
/// Claim number, in a certificate, of a member that was left out of it and never revealed.
pub const CLAIM_IGNORED_BARE: u8 = 249;
/// Claim number, in a certificate, of a member that showed later that it contradicts.
pub const CLAIM_SHOWN_RIVAL: u8 = 250;
/// Claim number, in a certificate, of a member that showed later that it agrees.
pub const CLAIM_SHOWN_AGREEING: u8 = 251;
/// Claim number, in a certificate, of a member that was left out of it.
pub const CLAIM_IGNORED: u8 = 252;
/// Claim number of an entry that committed and has lost its seat since; it opposes.
pub const CLAIM_LOST: u8 = 253;
/// Claim number of an entry that committed and never revealed.
pub const CLAIM_BARE: u8 = 255;
/// Claim number of an entry whose worker signed that the bytes were withheld.
pub const CLAIM_UNAVAILABLE: u8 = 254;

/// Entries that make no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// A worker stands there twice.
    #[error("worker {0} is listed twice: keep its first commitment only")]
    Twice(Address),
    /// A wave that rounds do not have.
    #[error("worker {worker} is listed for wave {wave}: rounds end with wave {LAST_WAVE}")]
    Wave {
        /// Who.
        worker: Address,
        /// Which.
        wave: u8,
    },
    /// More entries than a round may have.
    #[error("{0} entries are more than a round may have ({ENTRIES_MAX}): keep those with the lowest tickets")]
    TooMany(usize),
    /// A word with bits where there is no field.
    #[error("entry word {0:#x} has bits outside its fields")]
    Word(U256),
}

impl ListError {
    /// The error's code in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Twice(_) => "list.twice",
            Self::Wave { .. } => "list.wave",
            Self::TooMany(_) => "list.too_many",
            Self::Word(_) => "list.word",
        }
    }
}

/// One worker of a round's list. Ordered by wave, then by worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListEntry {
    /// Wave in which it committed.
    pub wave: u8,
    /// Who.
    pub worker: Address,
    /// To what; zero where it signed "unavailable".
    pub commitment: B256,
}

/// The list of a round so far: sorted by wave, then by worker, each worker once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct List(Vec<ListEntry>);

impl List {
    /// Sorts and checks the entries.
    pub fn new(mut entries: Vec<ListEntry>) -> Result<Self, ListError> {
        if entries.len() > ENTRIES_MAX {
            return Err(ListError::TooMany(entries.len()));
        }
        entries.sort_unstable();
        let mut seen = BTreeSet::new();
        for entry in &entries {
            if entry.wave > LAST_WAVE {
                return Err(ListError::Wave { worker: entry.worker, wave: entry.wave });
            }
            if !seen.insert(entry.worker) {
                return Err(ListError::Twice(entry.worker));
            }
        }
        Ok(Self(entries))
    }

    /// The entries, in the order of the hash.
    pub fn entries(&self) -> &[ListEntry] {
        &self.0
    }

    /// This worker's entry, if it is listed.
    pub fn entry(&self, worker: Address) -> Option<&ListEntry> {
        self.0.iter().find(|entry| entry.worker == worker)
    }

    /// The entries of one wave.
    pub fn wave(&self, wave: u8) -> impl Iterator<Item = &ListEntry> {
        self.0.iter().filter(move |entry| entry.wave == wave)
    }

    /// `listHash(wave)`: the hash over the entries up to this wave. `before` is the hash that they build on: zero for the
    /// list of a whole round, `listHash(wave - 1)` for a list that holds one later wave only. A wave without entries has the
    /// hash of the one before.
    pub fn hash(&self, before: B256, wave: u8) -> B256 {
        (0..=wave.min(LAST_WAVE)).fold(before, |before, wave| wave_hash(before, self.wave(wave)))
    }
}

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// `keccak256(before ‖ worker ‖ commitment ‖ ...)`, or `before` where the wave is empty.
fn wave_hash<'a>(before: B256, entries: impl Iterator<Item = &'a ListEntry>) -> B256 {
    let mut words = before.to_vec();
    for entry in entries {
        words.extend_from_slice(entry.worker.into_word().as_slice());
        words.extend_from_slice(entry.commitment.as_slice());
    }
    if words.len() == 32 { before } else { keccak256(words) }
}

/// The word of an entry in `certify`: worker, the claim that it supports, and its wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntryWord {
    /// Who.
    pub worker: Address,
    /// [`CLAIM_LEADING`], 1 and up = dissent, [`CLAIM_LOST`], [`CLAIM_UNAVAILABLE`] or [`CLAIM_BARE`].
    pub claim: u8,
    /// Wave in which it committed.
    pub wave: u8,
    /// Whether the contribution stands on chain, so that no signature comes with the entry.
    pub on_chain: bool,
}

impl EntryWord {
    /// `worker << 96 | on_chain << 16 | claim << 8 | wave`.
    pub fn pack(&self) -> U256 {
        let worker = U256::from_be_slice(self.worker.as_slice());
        let low = u32::from(self.on_chain) << 16 | u32::from(self.claim) << 8 | u32::from(self.wave);
        (worker << 96) | U256::from(low)
    }

    /// Reads the word; bits outside the fields are an error.
    pub fn unpack(word: U256) -> Result<Self, ListError> {
        let worker = Address::from_word(B256::from(word >> 96));
        let entry = Self { worker, claim: word.byte(1), wave: word.byte(0), on_chain: word.bit(16) };
        if entry.pack() == word { Ok(entry) } else { Err(ListError::Word(word)) }
    }
}
