//! Why a worker stops, or cannot go on with something.

use guildhall_api::{ApiError, BundleError};
use guildhall_blobs::BlobError;
use guildhall_protocol::batch::BatchError;
use guildhall_service::Coded;

use crate::chain::ChainFault;
use crate::journal::JournalError;

/// What ends a worker, or keeps it from starting.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Nobody registered the key.
    #[error("key {0} is no worker: nobody has joined it to a pool")]
    Unknown(alloy::primitives::Address),
    /// The worker was moved while it ran.
    #[error("worker {worker} is in pool {now} now, it was started for pool {before}")]
    Moved {
        /// Who.
        worker: alloy::primitives::Address,
        /// The pool that it was started for.
        before: u32,
        /// Its pool now.
        now: u32,
    },
    /// The pool has another coordinator than when the worker started.
    #[error("pool {pool} is served by coordinator {now} now")]
    OtherCoordinator {
        /// The pool.
        pool: u32,
        /// Its coordinator's key now.
        now: alloy::primitives::Address,
    },
    /// The pool has no address to reach its coordinator at.
    #[error("pool {0} does not say where its coordinator is")]
    NoEndpoint(u32),
    /// The journal failed: nothing may be signed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The chain does not answer.
    #[error(transparent)]
    Chain(#[from] ChainFault),
    /// The coordinator cannot be asked.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The worker's own store failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The key does not sign.
    #[error("the key cannot sign: {0}")]
    Key(#[from] alloy::signers::Error),
    /// Receipts that make no batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A batch that makes no bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A loop failed.
    #[error("task `{task}` failed: {error}")]
    Task {
        /// Which.
        task: String,
        /// Why.
        error: String,
    },
}

impl Coded for WorkerError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "worker.unknown",
            Self::Moved { .. } => "worker.moved",
            Self::OtherCoordinator { .. } => "worker.other_coordinator",
            Self::NoEndpoint(_) => "worker.no_endpoint",
            Self::Journal(error) => error.code(),
            Self::Chain(_) => "worker.chain",
            Self::Api(error) => error.code(),
            Self::Blobs(error) => error.code(),
            Self::Key(_) => "worker.key",
            Self::Batch(error) => error.code(),
            Self::Bundle(error) => error.code(),
            Self::Task { .. } => "worker.task",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown(_) => Some("let an operator join it: `guildhall pool join`".into()),
            Self::Moved { .. } => Some("start it again: it serves one pool at a time".into()),
            Self::OtherCoordinator { .. } => Some("start it again: it follows the pool".into()),
            Self::NoEndpoint(_) => {
                Some("ask the pool's owner, or give the address in the configuration".into())
            }
            Self::Chain(_) => Some("check that the node can be reached".into()),
            Self::Api(error) => error.hint(),
            Self::Blobs(error) => error.hint(),
            Self::Journal(error) => error.hint(),
            Self::Key(_) | Self::Batch(_) | Self::Bundle(_) | Self::Task { .. } => None,
        }
    }
}
