//! What the coordinator asks of the chain. A trait, so that a simulated chain can stand in; the real one is in
//! [`crate::onchain`].

use std::fmt;

use alloy::primitives::{Address, B256};
use async_trait::async_trait;
use futures::stream::BoxStream;
use guildhall_api::{Outcome, Standing};
use guildhall_protocol::{DealId, Opened, PoolId, RoundId, Seed, Status, Terms, UnixTime};

use crate::gathering::Submission;
use crate::part::Equivocation;

/// The chain did not answer, or not as expected.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the chain did not answer: {0}")]
pub struct ChainFault(pub String);

/// Where a batch stands on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchNow {
    /// Its status.
    pub status: Status,
    /// The draw that runs, from zero.
    pub attempt: u8,
    /// Where and when that draw opened.
    pub opened: Opened,
}

/// What happened on chain, as far as the coordinator cares.
#[derive(Debug, Clone, PartialEq)]
pub enum ChainEvent {
    /// A deal opened in the pool.
    DealOpened(Box<Terms>),
    /// A batch is certified, void or expired.
    BatchEnded {
        /// The deal.
        deal: DealId,
        /// The batch.
        batch: u32,
        /// How.
        outcome: Outcome,
        /// The draw that led to the certificate; nothing where there is none.
        attempt: Option<u8>,
    },
    /// A batch was drawn anew.
    Reopened {
        /// The deal.
        deal: DealId,
        /// The batch.
        batch: u32,
    },
    /// A worker's bond, pool or activity changed.
    WorkerChanged(Address),
    /// Everything from this block on is undone; what stands there now follows.
    Reverted {
        /// The first block undone.
        from: u64,
    },
    /// Everything up to this block was said.
    Head {
        /// The block's number.
        block: u64,
        /// Its time.
        time: UnixTime,
        /// From where to follow after a restart, as the chain's client wants it.
        cursor: serde_json::Value,
    },
}

/// What is to be posted.
#[derive(Debug, Clone)]
pub struct Post {
    /// The round.
    pub round: RoundId,
    /// The deal's terms.
    pub terms: Terms,
    /// The batch.
    pub batch: u32,
    /// Claims and entries.
    pub submission: Submission,
}

/// Why posting did not work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PostError {
    /// A member has no seat any more: it is to be listed as lost.
    #[error("worker {0} has no seat any more")]
    NoSeat(Address),
    /// The contract refused it: another batch's fault cannot be the reason when only one was posted.
    #[error("the contract refused: {0}")]
    Refused(String),
    /// The transaction could not be sent or was lost.
    #[error(transparent)]
    Chain(#[from] ChainFault),
}

/// The chain as the coordinator needs it.
#[async_trait]
pub trait Chain: fmt::Debug + Send + Sync + 'static {
    /// Chain id and Certifier, which messages are signed for.
    fn domain(&self) -> (u64, Address);

    /// Time of the last block.
    async fn now(&self) -> Result<UnixTime, ChainFault>;

    /// The key that signs the pool's lists.
    async fn coordinator_of(&self, pool: PoolId) -> Result<Address, ChainFault>;

    /// How a batch ended: the draw that was certified, and to what. Nothing while it has no certificate.
    async fn certified(&self, deal: DealId, batch: u32) -> Result<Option<(u8, Outcome)>, ChainFault>;

    /// Where a batch stands.
    async fn batch(&self, terms: &Terms, batch: u32) -> Result<BatchNow, ChainFault>;

    /// The seed of what opened there and then.
    async fn seed(&self, opened: &Opened) -> Result<Seed, ChainFault>;

    /// What the chain says of a worker; nothing for an unknown key.
    async fn standing(&self, worker: Address) -> Result<Option<Standing>, ChainFault>;

    /// Whether an address may store bytes: it is a worker, owns an asset, or has a balance.
    async fn may_store(&self, address: Address) -> Result<bool, ChainFault>;

    /// Posts certificates in one transaction, all or none; answers with the block that holds it.
    async fn certify(&self, posts: &[Post]) -> Result<u64, PostError>;

    /// Voids a round whose bytes were withheld; answers with the block.
    async fn void(&self, post: &Post) -> Result<u64, PostError>;

    /// Proves that a worker signed two things where one is allowed.
    async fn prove(&self, proof: &Equivocation) -> Result<B256, PostError>;

    /// Draws a batch anew.
    async fn reopen(&self, terms: &Terms, batch: u32) -> Result<B256, PostError>;

    /// Follows the events of a pool, from where a [`ChainEvent::Head`] said, or from the first block. Ends only when
    /// dropped.
    fn follow(&self, pool: PoolId, cursor: Option<serde_json::Value>) -> BoxStream<'static, ChainEvent>;
}
