//! The worker's way to its coordinator. A trait, so that a test can put faults into it; [`HttpLink`] is the real one.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use guildhall_api::{
    About, Ack, ApiError, CoordinatorClient, Credential, Envelope, MemberStream, OpenContribution, RoundRef,
    RoundState,
};
use guildhall_protocol::messages::{Commitment, Reservation, Unavailable};
use guildhall_protocol::{ContentId, RoundId};

/// What a worker asks of its coordinator. Every request is safe to repeat.
#[async_trait]
pub trait Link: fmt::Debug + Send + Sync + 'static {
    /// What the coordinator is.
    async fn about(&self) -> Result<About, ApiError>;
    /// Takes a seat.
    async fn reserve(&self, message: &Envelope<Reservation>) -> Result<Ack, ApiError>;
    /// Sends a commitment.
    async fn commit(&self, message: &Envelope<Commitment>) -> Result<Ack, ApiError>;
    /// Sends a contribution.
    async fn contribute(&self, message: &OpenContribution) -> Result<Ack, ApiError>;
    /// Says that the bytes cannot be had.
    async fn unavailable(&self, message: &Envelope<Unavailable>) -> Result<Ack, ApiError>;
    /// Reads a round's state.
    async fn round(&self, round: RoundId) -> Result<RoundState, ApiError>;
    /// Stores a result bundle.
    async fn store_result(
        &self,
        round: RoundRef,
        bundle: Bytes,
        credential: &Credential,
    ) -> Result<(), ApiError>;
    /// Reads a round's result bundle: whatever bytes the coordinator has.
    async fn result(&self, round: RoundRef) -> Result<Vec<u8>, ApiError>;

    /// Which bundle the pool has as the result of a round, if it has one.
    async fn stored_result(&self, round: RoundRef) -> Result<Option<ContentId>, ApiError>;
    /// Stores an output that is too long for the bundle.
    async fn store_blob(&self, bytes: Bytes, credential: &Credential) -> Result<(), ApiError>;
    /// Opens the members' stream.
    async fn stream(&self, credential: &Credential) -> Result<MemberStream, ApiError>;
}

/// The link over HTTP.
#[derive(Debug, Clone)]
pub struct HttpLink(CoordinatorClient);

impl HttpLink {
    /// A link to the coordinator at `url`.
    ///
    /// # Errors
    /// [`ApiError::BadUrl`].
    pub fn new(url: &str) -> Result<Self, ApiError> {
        CoordinatorClient::new(url).map(Self)
    }
}

#[async_trait]
impl Link for HttpLink {
    async fn about(&self) -> Result<About, ApiError> {
        self.0.about().await
    }

    async fn reserve(&self, message: &Envelope<Reservation>) -> Result<Ack, ApiError> {
        self.0.reserve(message).await
    }

    async fn commit(&self, message: &Envelope<Commitment>) -> Result<Ack, ApiError> {
        self.0.commit(message).await
    }

    async fn contribute(&self, message: &OpenContribution) -> Result<Ack, ApiError> {
        self.0.contribute(message).await
    }

    async fn unavailable(&self, message: &Envelope<Unavailable>) -> Result<Ack, ApiError> {
        self.0.unavailable(message).await
    }

    async fn round(&self, round: RoundId) -> Result<RoundState, ApiError> {
        self.0.round(round).await
    }

    async fn store_result(
        &self,
        round: RoundRef,
        bundle: Bytes,
        credential: &Credential,
    ) -> Result<(), ApiError> {
        self.0.store_result(round, bundle, credential).await.map(|_| ())
    }

    async fn result(&self, round: RoundRef) -> Result<Vec<u8>, ApiError> {
        self.0.result(round.deal, round.batch, round.attempt).await
    }

    async fn stored_result(&self, round: RoundRef) -> Result<Option<ContentId>, ApiError> {
        self.0.stored_result(round).await
    }

    async fn store_blob(&self, bytes: Bytes, credential: &Credential) -> Result<(), ApiError> {
        self.0.store_blob(bytes, credential).await
    }

    async fn stream(&self, credential: &Credential) -> Result<MemberStream, ApiError> {
        self.0.member_stream(credential).await
    }
}
