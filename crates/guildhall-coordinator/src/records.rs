//! What the store holds, and under which keys.
//!
//! Keys begin with a letter: `r` + round for everything of a round, `d` + deal for the terms of an open deal,
//! `o` + deal, batch and attempt for a result that is stored, `c` for the
//! place in the chain, `h` for the health check's own.

use alloy::primitives::Address;
use guildhall_api::{OpenContribution, RoundRef, SignedEntry, SignedList};
use guildhall_protocol::{ContentId, DealId, RoundId, UnixTime};
use serde::{Deserialize, Serialize};

use crate::part::Equivocation;

/// First byte of the keys of results.
pub const RESULTS: &[u8] = b"o";
/// Key of the place in the chain.
pub const CURSOR: &[u8] = b"c";
/// First byte of the keys of rounds.
pub const ROUNDS: &[u8] = b"r";
/// First byte of the keys of deals.
pub const DEALS: &[u8] = b"d";

/// Key that the health check writes.
pub const CHECK: &[u8] = b"h";

/// One record of a round.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// The round began here.
    Began {
        /// Which.
        at: RoundRef,
    },
    /// A worker committed, or said that it has not the bytes.
    Promise {
        /// In which wave.
        wave: u8,
        /// What stands on the list.
        entry: SignedEntry,
    },
    /// A list was closed.
    List {
        /// It.
        list: Box<SignedList>,
    },
    /// A worker showed its claim.
    Contribution {
        /// It.
        contribution: Box<OpenContribution>,
    },
    /// A worker contradicted itself.
    Proof {
        /// Both messages.
        proof: Box<Equivocation>,
    },
}

/// A result that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Under which id.
    pub bundle: ContentId,
    /// Since when, chain time.
    pub since: UnixTime,
}

/// The key of a round's record; `worker` where there is one of the kind for each worker.
///
/// Kinds are numbered in the order in which a restart needs them.
pub fn key_of(round: RoundId, record: &Record, worker: Option<Address>) -> Vec<u8> {
    let (kind, part) = match record {
        Record::Began { .. } => (0, 0),
        Record::Promise { .. } => (1, 0),
        Record::List { list } => (2, list.wave()),
        Record::Contribution { .. } => (3, 0),
        Record::Proof { .. } => (4, 0),
    };
    let mut key = round_prefix(round);
    key.extend([kind, part]);
    key.extend_from_slice(worker.unwrap_or_default().as_slice());
    key
}

/// What the keys of a round's records begin with.
pub fn round_prefix(round: RoundId) -> Vec<u8> {
    [ROUNDS, round.0.as_slice()].concat()
}

/// The key of the result that a draw of a batch came to.
pub fn result_key(deal: DealId, batch: u32, attempt: u8) -> Vec<u8> {
    [RESULTS, deal.0.as_slice(), &batch.to_be_bytes(), &[attempt]].concat()
}

/// The key of a deal's terms.
pub fn deal_key(deal: DealId) -> Vec<u8> {
    [DEALS, deal.0.as_slice()].concat()
}
