//! What the streams carry: to members what they need to go on, to watchers how far a deal is.
//!
//! Watchers never see a root before its round is over: until then roots are for the committed members alone, so that
//! nobody who joins a later wave can copy one (see `docs/network.md`).

use alloy::primitives::{Address, B256};
use guildhall_protocol::{Odds, UnixTime};
use serde::{Deserialize, Serialize};

use crate::message::{Claim, OpenContribution, RoundRef, SignedList};

/// An event of the members' stream (`GET /v1/stream`). All are safe to receive twice and in any order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MemberEvent {
    /// The stream is open and everything pending for this member has been sent.
    Ready,
    /// The list of a wave is closed and this worker is on it: sign the contribution.
    Listed {
        /// The list, with the coordinator's signature.
        list: Box<SignedList>,
    },
    /// A co-member's contribution, so that every member could post the certificate itself.
    Contributed {
        /// It, with its signature.
        contribution: Box<OpenContribution>,
    },
    /// A seat came free again, or a new wave of the round has begun: those that were told `full` may ask again.
    Vacant {
        /// The round.
        round: RoundRef,
        /// The wave that takes reservations.
        wave: u8,
    },
    /// The round is over.
    Ended {
        /// The round.
        round: RoundRef,
        /// How.
        outcome: Outcome,
    },
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A certificate stands on the chain.
    Certified {
        /// What is certified.
        claim: Claim,
        /// Odds to one, times 1e6.
        odds: Odds,
        /// The transaction.
        transaction: B256,
    },
    /// It was re-opened with a new seed: attempt + 1.
    Reopened,
    /// Its members could not get the bytes: void, nobody pays, nobody is slashed.
    Unavailable,
    /// Its time is over without a certificate.
    Expired,
}

/// An event of the watchers' stream (`GET /v1/progress?deal=`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressEvent {
    /// Chain time at the coordinator, Unix seconds.
    pub time: UnixTime,
    /// The round.
    pub round: RoundRef,
    /// What happened.
    #[serde(flatten)]
    pub step: ProgressStep,
}

/// A step of a round as watchers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum ProgressStep {
    /// A worker took its seat.
    Seated {
        /// The worker.
        worker: Address,
        /// The wave.
        wave: u8,
    },
    /// A worker committed.
    Committed {
        /// The worker.
        worker: Address,
        /// Commitments so far.
        commitments: u32,
    },
    /// A worker could not get the bytes.
    Unavailable {
        /// The worker.
        worker: Address,
    },
    /// The list of a wave is closed.
    Listed {
        /// The wave.
        wave: u8,
        /// Entries of all waves so far.
        entries: u32,
    },
    /// A worker showed its claim.
    Contributed {
        /// The worker.
        worker: Address,
        /// Claims seen so far: more than one means dissent.
        claims: u32,
        /// Odds of the leading claim, times 1e6.
        odds: Odds,
    },
    /// A worker signed two different messages where one is allowed; both are kept.
    Equivocated {
        /// The worker.
        worker: Address,
    },
    /// The certificate was sent to the chain.
    Posting,
    /// The round is over.
    Ended {
        /// How.
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// This watcher was too slow and missed events: read the round's state again.
    Missed {
        /// How many.
        events: u64,
    },
}
