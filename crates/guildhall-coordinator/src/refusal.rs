//! Why the coordinator refuses a message. Every refusal leaves the round as it was.

use alloy::primitives::{Address, B256};
use guildhall_api::{AuthError, BundleError, MessageError, RoundError};
use guildhall_protocol::{DealId, RoundId};
use guildhall_service::Coded;

/// Why a message, a stream or bytes were refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The round is not one that the coordinator knows, nor one of a deal of its pool.
    #[error("round {0} is not open in this pool: check deal, batch, attempt and seed against the chain")]
    UnknownRound(RoundId),
    /// The deal's terms make no such round.
    #[error(transparent)]
    Round(#[from] RoundError),
    /// The batch is certified, void or expired.
    #[error("round {0} is over: nothing more can be contributed to it")]
    Over(RoundId),
    /// The message speaks of a wave that does not run.
    #[error("the message is for wave {wave}, but wave {running} runs: sign for the wave that runs")]
    WrongWave {
        /// Of the message.
        wave: u8,
        /// What runs by the coordinator's clock.
        running: u8,
    },
    /// The signer is no worker of this pool.
    #[error("{0} is not a worker of this pool: let its operator join it to the pool first")]
    NotAMember(Address),
    /// The lot gave the worker no seat.
    #[error("worker {worker} has no seat in wave {wave}: wait for another round, or for the next wave")]
    NoSeat {
        /// Who.
        worker: Address,
        /// In which wave.
        wave: u8,
    },
    /// The worker's free stake does not suffice for the round, beside the rounds that it is in.
    #[error(
        "worker {worker} has too little free stake: this round may put {needed} bond units at risk; raise its bond"
    )]
    NoRoom {
        /// Who.
        worker: Address,
        /// Bond units.
        needed: u64,
    },
    /// Another worker of the same operator has a seat in the round.
    #[error("worker {other} of the same operator has a seat in this round: one seat an operator")]
    SameOperator {
        /// The worker that was first.
        other: Address,
    },
    /// All seats are taken.
    #[error("all seats of this wave are taken: wait for a `vacant` event before executing")]
    Full,
    /// The wave's list is closed.
    #[error("the list of wave {0} is closed: wait for the next wave")]
    ListClosed(u8),
    /// The worker has said something else in this round.
    #[error("worker {0} has committed, or said that it has not the bytes, already: one of the two a round")]
    AlreadySpoke(Address),
    /// The worker signed two different messages where one is allowed; both are kept as a proof.
    #[error(
        "worker {0} signed two different messages of one round: both are kept as a proof for a full slash"
    )]
    Equivocation(Address),
    /// The worker is on no closed list of the round.
    #[error("worker {0} is on no closed list of this round: contribute when the list arrives")]
    NotListed(Address),
    /// The contribution is for another list.
    #[error(
        "the contribution names list {named}, the list of its wave is {list}: sign for the list that was sent"
    )]
    WrongList {
        /// The hash in the contribution.
        named: B256,
        /// The hash of the wave's list.
        list: B256,
    },
    /// A reservation that is over already, or reaches beyond its wave.
    #[error(
        "the reservation ends at {expiry}: choose a time after now and not after the wave's end {latest}"
    )]
    ReservationTime {
        /// Its end, Unix seconds.
        expiry: u64,
        /// The latest allowed.
        latest: u64,
    },
    /// The message proves nothing.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The credential is none.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// Bytes that are not the round's result.
    #[error("the bundle's root is {root}, the round certified {certified}: store the result of this round")]
    WrongResult {
        /// Of the bundle.
        root: B256,
        /// Of the certificate.
        certified: B256,
    },
    /// A result before its certificate.
    #[error("batch {1} of deal {0} has no certificate of this draw: store its result when it is certified")]
    NotCertified(DealId, u32),
    /// There is no result.
    #[error("nobody has stored the result of batch {1} of deal {0} yet: ask again when it is certified")]
    NoResult(DealId, u32),
    /// Bytes that are no bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The worker sends too much.
    #[error("worker {0} sends more than {limit} messages a second: slow down", limit = crate::limits::MESSAGES_PER_SEC)]
    TooFast(Address),
    /// The coordinator has too much to do.
    #[error("the coordinator is busy ({0}): try again in a second")]
    Busy(&'static str),
    /// A disk, a key or the chain failed.
    #[error("{0}")]
    Fault(String),
}

impl Refusal {
    /// The HTTP status that says this.
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownRound(_) | Self::NoResult(..) => 404,
            Self::NotAMember(_) | Self::NoSeat { .. } | Self::NoRoom { .. } => 403,
            Self::Auth(_) => 401,
            Self::Round(_) | Self::Message(_) | Self::ReservationTime { .. } | Self::Bundle(_) => 400,
            Self::TooFast(_) => 429,
            Self::Busy(_) => 503,
            Self::Fault(_) => 500,
            Self::Over(_)
            | Self::WrongWave { .. }
            | Self::SameOperator { .. }
            | Self::Full
            | Self::ListClosed(_)
            | Self::AlreadySpoke(_)
            | Self::Equivocation(_)
            | Self::NotListed(_)
            | Self::WrongList { .. }
            | Self::WrongResult { .. }
            | Self::NotCertified(..) => 409,
        }
    }
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownRound(_) => "coordinator.unknown_round",
            Self::Round(error) => error.code(),
            Self::Over(_) => "coordinator.over",
            Self::WrongWave { .. } => "coordinator.wrong_wave",
            Self::NotAMember(_) => "coordinator.not_a_member",
            Self::NoSeat { .. } => "coordinator.no_seat",
            Self::NoRoom { .. } => "coordinator.no_room",
            Self::SameOperator { .. } => "coordinator.same_operator",
            Self::Full => "coordinator.full",
            Self::ListClosed(_) => "coordinator.list_closed",
            Self::AlreadySpoke(_) => "coordinator.already_spoke",
            Self::Equivocation(_) => "coordinator.equivocation",
            Self::NotListed(_) => "coordinator.not_listed",
            Self::WrongList { .. } => "coordinator.wrong_list",
            Self::ReservationTime { .. } => "coordinator.reservation_time",
            Self::Message(error) => error.code(),
            Self::Auth(error) => error.code(),
            Self::WrongResult { .. } => "coordinator.wrong_result",
            Self::NotCertified(..) => "coordinator.not_certified",
            Self::NoResult(..) => "coordinator.no_result",
            Self::Bundle(error) => error.code(),
            Self::TooFast(_) => "coordinator.too_fast",
            Self::Busy(_) => "coordinator.busy",
            Self::Fault(_) => "coordinator.fault",
        }
    }
}
