//! A coordinator with bad habits: what it does with messages that it has taken.

use std::sync::{Arc, OnceLock};

use alloy::primitives::{Address, bytes::Bytes};
use guildhall_api::{
    About, Ack, ApiError, Credential, Envelope, MemberStream, OpenContribution, RoundRef, RoundState,
};
use guildhall_protocol::{
    ContentId, RoundId,
    messages::{Commitment, Reservation, Unavailable},
};
use guildhall_worker::Link;

/// What becomes of what a worker says.
#[derive(Clone, Debug)]
pub(crate) enum Habit {
    /// Commitments are acknowledged and never listed.
    ForgetsCommitments,
    /// Contributions are acknowledged, shown to nobody and never posted.
    KeepsContributions,
    /// The same with those of one worker: of the first that has one.
    KeepsContributionsOf(Arc<OnceLock<Address>>),
    /// All seats are taken, it says, whether they are or not.
    SaysFull,
}

/// The way to such a coordinator.
#[derive(Debug)]
pub(crate) struct Muffled {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) habit: Habit,
}

#[async_trait::async_trait]
impl Link for Muffled {
    async fn about(&self) -> Result<About, ApiError> {
        self.link.about().await
    }

    async fn reserve(&self, message: &Envelope<Reservation>) -> Result<Ack, ApiError> {
        match self.habit {
            Habit::SaysFull => Ok(Ack::Full),
            _ => self.link.reserve(message).await,
        }
    }

    async fn commit(&self, message: &Envelope<Commitment>) -> Result<Ack, ApiError> {
        match self.habit {
            Habit::ForgetsCommitments => Ok(Ack::Accepted),
            _ => self.link.commit(message).await,
        }
    }

    async fn contribute(&self, message: &OpenContribution) -> Result<Ack, ApiError> {
        let worker = message.envelope.worker;
        match &self.habit {
            Habit::KeepsContributions => Ok(Ack::Accepted),
            Habit::KeepsContributionsOf(first) if *first.get_or_init(|| worker) == worker => {
                Ok(Ack::Accepted)
            }
            _ => self.link.contribute(message).await,
        }
    }

    async fn unavailable(&self, message: &Envelope<Unavailable>) -> Result<Ack, ApiError> {
        self.link.unavailable(message).await
    }

    async fn round(&self, round: RoundId) -> Result<RoundState, ApiError> {
        self.link.round(round).await
    }

    async fn store_result(
        &self,
        round: RoundRef,
        bundle: Bytes,
        credential: &Credential,
    ) -> Result<(), ApiError> {
        self.link.store_result(round, bundle, credential).await
    }

    async fn stored_result(&self, round: RoundRef) -> Result<Option<ContentId>, ApiError> {
        self.link.stored_result(round).await
    }

    async fn result(&self, round: RoundRef) -> Result<Vec<u8>, ApiError> {
        self.link.result(round).await
    }

    async fn store_blob(&self, bytes: Bytes, credential: &Credential) -> Result<(), ApiError> {
        self.link.store_blob(bytes, credential).await
    }

    async fn stream(&self, credential: &Credential) -> Result<MemberStream, ApiError> {
        self.link.stream(credential).await
    }
}
