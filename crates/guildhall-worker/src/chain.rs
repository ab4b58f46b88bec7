//! What a worker asks of the chain. A trait, so that a simulated chain can stand in; the real one is in [`crate::onchain`].

use std::fmt;
use std::sync::Arc;

use alloy::primitives::{Address, B256};
use async_trait::async_trait;
use futures::stream::BoxStream;
use guildhall_api::{Outcome, Standing};
use guildhall_protocol::{BondUnits, ContentId, DealId, Opened, PoolId, Seed, Status, Terms, UnixTime};

/// The chain did not answer, or not as expected.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the chain did not answer: {0}")]
pub struct ChainFault(pub String);

/// What the chain says of this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Myself {
    /// Its pool.
    pub pool: PoolId,
    /// Its standing while it may have seats.
    pub standing: Option<Standing>,
    /// Whether it was put to sleep for missing its seats, and may wake itself.
    pub dormant: bool,
}

/// Where a pool is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolService {
    /// The key that signs its lists.
    pub coordinator: Address,
    /// The coordinator's address, as the pool's owner gave it; empty for none.
    pub endpoint: String,
}

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

/// What happened on chain, as far as a worker cares.
#[derive(Debug, Clone, PartialEq)]
pub enum ChainEvent {
    /// A deal opened in the pool.
    DealOpened(Arc<Terms>),
    /// A batch is certified, void or expired.
    BatchEnded {
        /// The deal.
        deal: DealId,
        /// The batch.
        batch: u32,
        /// How.
        outcome: Outcome,
        /// Where this worker stands among those that agreed, and how many these are; nothing where it is not among them.
        agreed: Option<(u8, u8)>,
        /// What the certificate takes from this worker's bond into escrow.
        slashed: BondUnits,
    },
    /// A batch was drawn anew.
    Reopened {
        /// The deal.
        deal: DealId,
        /// The batch.
        batch: u32,
    },
    /// This worker's bond, pool or activity changed, or its pool's service.
    IChanged,
    /// Everything from this block on is undone; what stands there now follows.
    Reverted {
        /// The first block undone.
        from: u64,
    },
    /// Everything up to this block was said.
    Head {
        /// The block's time.
        time: UnixTime,
        /// From where to follow after a restart, as the chain's client wants it.
        cursor: serde_json::Value,
    },
}

/// The chain as a worker needs it.
#[async_trait]
pub trait Chain: fmt::Debug + Send + Sync + 'static {
    /// Chain id and Certifier, which messages are signed for.
    fn domain(&self) -> (u64, Address);

    /// Time of the last block.
    async fn now(&self) -> Result<UnixTime, ChainFault>;

    /// What the chain says of this worker; nothing while nobody has registered its key.
    async fn myself(&self, worker: Address) -> Result<Option<Myself>, ChainFault>;

    /// Where a pool is served.
    async fn service_of(&self, pool: PoolId) -> Result<PoolService, ChainFault>;

    /// Where a batch stands.
    async fn batch(&self, terms: &Terms, batch: u32) -> Result<BatchNow, ChainFault>;

    /// The seed of what opened there and then; `None` until it is decided.
    async fn seed(&self, opened: &Opened) -> Result<Option<Seed>, ChainFault>;

    /// The bytes of a deal's app, and of its dataset where it rents one.
    async fn assets(&self, terms: &Terms) -> Result<(ContentId, Option<ContentId>), ChainFault>;

    /// Ends this worker's sleep.
    async fn wake(&self, worker: Address) -> Result<B256, ChainFault>;

    /// Follows the events of a pool as they concern this worker, from where a [`ChainEvent::Head`] said, or from the first
    /// block. Ends only when dropped.
    fn follow(
        &self,
        worker: Address,
        pool: PoolId,
        cursor: Option<serde_json::Value>,
    ) -> BoxStream<'static, ChainEvent>;
}
