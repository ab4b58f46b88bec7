//! One worker's part in a round: what it has said so far, and the proofs where it contradicted itself.

use alloy::primitives::{Address, B256};
use guildhall_api::{Envelope, MemberStep, OpenContribution, Standing};
use guildhall_protocol::messages::{Commitment, CompactSignature};

use crate::gathering::Millis;
use crate::tally::Voice;

/// Two different messages of one worker where one is allowed: a proof for a full slash.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Equivocation {
    /// Two commitments.
    Commitments {
        /// The first, and the one that came later.
        pair: Box<(Envelope<Commitment>, Envelope<Commitment>)>,
    },
    /// Two contributions.
    Contributions {
        /// The first, and the one that came later.
        pair: Box<(OpenContribution, OpenContribution)>,
    },
}

impl Equivocation {
    /// Who signed both.
    pub fn worker(&self) -> Address {
        match self {
            Self::Commitments { pair } => pair.0.worker,
            Self::Contributions { pair } => pair.0.envelope.worker,
        }
    }
}

/// What a worker has said once it is done executing, or gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promise {
    /// Zero for "unavailable".
    pub(crate) commitment: B256,
    pub(crate) signature: CompactSignature,
}

/// One worker's part in the round.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) standing: Standing,
    pub(crate) wave: u8,
    /// Since when it has its seat.
    pub(crate) since: Millis,
    /// Until when its seat is held without a commitment.
    pub(crate) until: Millis,
    pub(crate) promise: Option<Promise>,
    pub(crate) listed: bool,
    pub(crate) contribution: Option<OpenContribution>,
    /// It lost its seat after the list was closed: it was slashed, or moved.
    pub(crate) lost: bool,
    pub(crate) equivocated: bool,
}

impl Part {
    pub(crate) fn new(standing: Standing, wave: u8, since: Millis, until: Millis) -> Self {
        Self {
            standing,
            wave,
            since,
            until,
            promise: None,
            listed: false,
            contribution: None,
            lost: false,
            equivocated: false,
        }
    }

    pub(crate) fn step(&self) -> MemberStep {
        match (&self.contribution, &self.promise) {
            (Some(_), _) => MemberStep::Contributed,
            (None, Some(promise)) if promise.commitment.is_zero() => MemberStep::Unavailable,
            (None, Some(_)) => MemberStep::Committed,
            (None, None) => MemberStep::Seated,
        }
    }

    pub(crate) fn voice(&self) -> Voice {
        match (&self.contribution, &self.promise) {
            _ if self.lost => Voice::Silent,
            (Some(contribution), _) => Voice::Claims(contribution.claim()),
            (None, Some(promise)) if promise.commitment.is_zero() => Voice::Unavailable,
            _ => Voice::Silent,
        }
    }

    pub(crate) fn must_reveal(&self) -> bool {
        self.listed && !self.lost && self.contribution.is_none() && self.step() == MemberStep::Committed
    }
}
