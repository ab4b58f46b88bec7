//! Why a transaction did not do what it should, and what to do about it.

use std::time::Duration;

use alloy::primitives::{Address, TxHash};
use guildhall_service::Coded;

use crate::{revert::Revert, sender::MAX_GAS};

/// Why a transaction did not do what it should.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SendError {
    /// The simulation says that it would be refused: nothing was sent and nothing paid.
    #[error("the call would be refused: {0}")]
    WouldRevert(Revert),
    /// It is in a block and was refused there: its gas is paid.
    #[error("transaction {hash} was refused in block {block}: {revert}")]
    Reverted {
        /// Its hash.
        hash: TxHash,
        /// The block that holds it.
        block: u64,
        /// Why, as a simulation on that block says.
        revert: Revert,
    },
    /// The account cannot pay for gas and value.
    #[error("account {account} cannot pay for the transaction: {message}")]
    Funds {
        /// The sender.
        account: Address,
        /// What the node said.
        message: String,
    },
    /// The chain asks for a higher fee than allowed.
    #[error("the chain asks for {asked_wei} wei per gas, at most {limit_wei} is allowed")]
    FeeTooHigh {
        /// Asked for.
        asked_wei: u128,
        /// Allowed.
        limit_wei: u128,
    },
    /// It needs more gas than one transaction may have.
    #[error("the transaction needs {gas} gas, at most {MAX_GAS} fit")]
    GasTooHigh {
        /// Estimated.
        gas: u64,
    },
    /// Another transaction of the same account took its number.
    #[error("another transaction took number {nonce} of account {account}")]
    NonceTaken {
        /// The sender.
        account: Address,
        /// The number.
        nonce: u64,
    },
    /// It is in no block after all this time; it may still get into one.
    #[error("transaction {hash} is in no block after {} s and {bumps} fee increases", waited.as_secs())]
    GaveUp {
        /// The hash of its last version.
        hash: TxHash,
        /// How long it waited.
        waited: Duration,
        /// How often its fee was raised.
        bumps: u32,
    },
    /// The node failed or refused for another reason.
    #[error("the node did not {what}: {message}")]
    Node {
        /// What was asked.
        what: &'static str,
        /// What it said.
        message: String,
    },
    /// The sender was stopped.
    #[error("the sender of {account} has stopped")]
    Stopped {
        /// Whose.
        account: Address,
    },
}

impl Coded for SendError {
    fn code(&self) -> &'static str {
        match self {
            Self::WouldRevert(revert) | Self::Reverted { revert, .. } => revert.code,
            Self::Funds { .. } => "chain.funds",
            Self::FeeTooHigh { .. } => "chain.fee_too_high",
            Self::GasTooHigh { .. } => "chain.gas_too_high",
            Self::NonceTaken { .. } => "chain.nonce_taken",
            Self::GaveUp { .. } => "chain.gave_up",
            Self::Node { .. } => "chain.node",
            Self::Stopped { .. } => "chain.stopped",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::WouldRevert(revert) | Self::Reverted { revert, .. } => {
                return revert.hint.map(str::to_owned);
            }
            Self::Funds { account, .. } => format!("send coins for gas to {account}"),
            Self::FeeTooHigh { .. } => "wait for a quieter time, or raise the limit on fees".into(),
            Self::GasTooHigh { .. } => "split it: fewer batches or entries in one transaction".into(),
            Self::NonceTaken { .. } => "use the key in one process only; then try again".into(),
            Self::GaveUp { .. } => "look the transaction up before sending it again".into(),
            Self::Node { .. } => "check the node".into(),
            Self::Stopped { .. } => return None,
        })
    }
}
