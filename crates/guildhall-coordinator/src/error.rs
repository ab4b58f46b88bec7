//! Why a coordinator stops.

use guildhall_service::Coded;

use crate::chain::ChainFault;
use crate::store::StoreError;

/// What ends a coordinator, or keeps it from starting.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// The key is not the pool's.
    #[error("key {key} is not the coordinator of pool {pool}, which is {coordinator}")]
    WrongKey {
        /// The key given.
        key: alloy::primitives::Address,
        /// The pool.
        pool: u32,
        /// What the chain says.
        coordinator: alloy::primitives::Address,
    },
    /// What was durable cannot be put back.
    #[error("cannot go on from before the restart: {0}")]
    Restore(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain does not answer.
    #[error(transparent)]
    Chain(#[from] ChainFault),
    /// The key does not sign.
    #[error("the key cannot sign a list: {0}")]
    Key(#[from] alloy::signers::Error),
    /// A loop failed.
    #[error("task `{task}` failed: {error}")]
    Task {
        /// Which.
        task: String,
        /// Why.
        error: String,
    },
}

impl Coded for CoordinatorError {
    fn code(&self) -> &'static str {
        match self {
            Self::WrongKey { .. } => "coordinator.wrong_key",
            Self::Restore(_) => "coordinator.restore",
            Self::Store(error) => error.code(),
            Self::Chain(_) => "coordinator.chain",
            Self::Key(_) => "coordinator.key",
            Self::Task { .. } => "coordinator.task",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::WrongKey { .. } => {
                Some("use the key that the pool was created with, or change it on chain".into())
            }
            Self::Restore(_) | Self::Chain(_) => Some("check that the node can be reached".into()),
            Self::Store(error) => error.hint(),
            Self::Key(_) | Self::Task { .. } => None,
        }
    }
}
