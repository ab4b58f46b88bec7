//! What anybody may read of a round: counts, odds, members; never a root before the round is over.

use alloy::primitives::{Address, B256};
use guildhall_protocol::{ContentId, Odds, OperatorId, PoolId, UnixTime};
use serde::{Deserialize, Serialize};

use crate::message::{Ack, RoundRef};
use crate::progress::Outcome;

/// A round as the coordinator sees it (`GET /v1/rounds/{id}`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundState {
    /// The round.
    pub round: RoundRef,
    /// The wave that takes commitments now.
    pub wave: u8,
    /// Seats that the coordinator wants filled.
    pub want: u32,
    /// The odds to reach.
    pub target: Odds,
    /// The odds of the leading claim; zero before the first contribution.
    pub odds: Odds,
    /// Distinct claims seen: more than one means dissent.
    pub claims: u32,
    /// Who takes part.
    pub members: Vec<MemberState>,
    /// Hashes of the closed lists, by wave.
    pub lists: Vec<B256>,
    /// Workers that signed two different messages where one is allowed.
    pub equivocators: Vec<Address>,
    /// How it ended, when it did.
    pub outcome: Option<Outcome>,
    /// Content id of the result bundle, once a member stored it.
    pub result: Option<ContentId>,
}

/// One worker's part in a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberState {
    /// The worker.
    pub worker: Address,
    /// The operator's number.
    pub operator: OperatorId,
    /// The wave of its seat.
    pub wave: u8,
    /// How far it is.
    pub step: MemberStep,
}

/// How far a worker is in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberStep {
    /// It took its seat.
    Seated,
    /// It committed.
    Committed,
    /// It could not get the bytes.
    Unavailable,
    /// It showed its claim.
    Contributed,
}

/// What a coordinator is (`GET /v1/about`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Chain id.
    pub chain: u64,
    /// The Certifier contract.
    pub certifier: Address,
    /// The pool.
    pub pool: PoolId,
    /// The key that signs lists.
    pub coordinator: Address,
    /// The coordinator's clock in chain time, Unix seconds.
    pub time: UnixTime,
    /// Workers with an open stream.
    pub connected: u32,
    /// Version of the program.
    pub version: String,
}

/// The answer to a signed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// What became of it.
    pub ack: Ack,
}

/// The answer to a stored result bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredResult {
    /// Its content id.
    pub content_id: ContentId,
}
