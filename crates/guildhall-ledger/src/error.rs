//! What can go wrong with the ledger, each with a code that is the same in logs, HTTP and the CLI.

use alloy::primitives::{B256, U256};
use std::path::PathBuf;

/// An error of the embedded chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The database is open in another process, or in another handle of this one.
    #[error("the ledger `{}` is open already; stop the other process first", path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// The file is not a database of this ledger.
    #[error("`{}` is not a guildhall ledger ({reason}); choose another path", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found in its place.
        reason: String,
    },
    /// The database was written by a newer version.
    #[error("the ledger has format {found}, this version reads up to {supported}; use a newer guildhall")]
    NewerFormat {
        /// The format found.
        found: u64,
        /// The newest format that this version reads.
        supported: u64,
    },
    /// The database was started with another genesis.
    #[error(
        "the ledger was started with another genesis: {field} is {stored} there and {given} here; use the same genesis or another path"
    )]
    GenesisMismatch {
        /// Which part differs.
        field: &'static str,
        /// The stored value.
        stored: String,
        /// The value given.
        given: String,
    },
    /// The database contradicts itself.
    #[error("the ledger is damaged: {reason}; restore it from a copy")]
    Corrupt {
        /// What does not fit.
        reason: String,
    },
    /// The operating system or the database refused.
    #[error("the ledger's storage failed: {reason}")]
    Storage {
        /// What the database reported.
        reason: String,
    },
    /// The state of that block is no longer kept.
    #[error("the state of block {block} is not kept any more; the oldest is that of block {oldest}")]
    StatePruned {
        /// The block asked for.
        block: u64,
        /// The oldest block whose state can be read.
        oldest: u64,
    },
    /// Too much changed since that block for its trie to be rebuilt; its state can be read all the same.
    #[error(
        "block {block} cannot be proven any more: more than {limit} accounts and slots changed since, too many to rebuild its trie; ask for the proof of a newer block, or earlier"
    )]
    ProofTooOld {
        /// The block asked for.
        block: u64,
        /// The most keys that may have changed since.
        limit: usize,
    },
    /// There is no such block.
    #[error("there is no block {block} yet; the newest is {head}")]
    UnknownBlock {
        /// The block asked for.
        block: u64,
        /// The newest block.
        head: u64,
    },
    /// The executor refused a block of ours, which is a defect and not a transaction's fault.
    #[error("the executor failed: {reason}")]
    Execution {
        /// What it reported.
        reason: String,
    },
    /// The transaction cannot be accepted.
    #[error(transparent)]
    Rejected(#[from] TxRejected),
    /// The time asked for lies before the newest block's.
    #[error("time {given} lies before the newest block's {head}; time only moves forward")]
    TimeBackwards {
        /// The time asked for, in seconds since 1970.
        given: u64,
        /// The newest block's time.
        head: u64,
    },
    /// The ledger was closed.
    #[error("the ledger is closed; open it again")]
    Closed,
    /// The server could not start.
    #[error("cannot serve on {addr}: {reason}; choose another address")]
    Serve {
        /// The address.
        addr: std::net::SocketAddr,
        /// What the system reported.
        reason: String,
    },
}

/// Why a transaction was refused. The messages follow geth's, which clients match on.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TxRejected {
    /// The bytes are no transaction.
    #[error("rlp: {0}")]
    Malformed(String),
    /// The signature recovers no key.
    #[error("invalid sender: the signature is not valid")]
    Signature,
    /// Blob transactions need a consensus layer that stores blobs; there is none.
    #[error("transaction type not supported: this chain takes no blobs (EIP-4844)")]
    Blob,
    /// The transaction is for another chain.
    #[error("invalid chain id for signer: have {given} want {want}")]
    ChainId {
        /// The id in the transaction.
        given: u64,
        /// Ours.
        want: u64,
    },
    /// The transaction is waiting already, or is in a block.
    #[error("already known: {0}")]
    Known(B256),
    /// The nonce was used.
    #[error("nonce too low: next nonce {next}, tx nonce {given}")]
    NonceTooLow {
        /// The nonce in the transaction.
        given: u64,
        /// The sender's next nonce.
        next: u64,
    },
    /// The nonce lies too far ahead to wait for.
    #[error("nonce too high: next nonce {next}, tx nonce {given}; at most {ahead} may wait")]
    NonceTooHigh {
        /// The nonce in the transaction.
        given: u64,
        /// The sender's next nonce.
        next: u64,
        /// How far ahead a nonce may be.
        ahead: u64,
    },
    /// The sender cannot pay the worst case.
    #[error("insufficient funds for gas * price + value: have {have} want {want}")]
    Funds {
        /// The sender's balance in wei.
        have: U256,
        /// What the transaction may cost in wei.
        want: U256,
    },
    /// The fee cap is below the base fee; waiting for it to fall could last for ever.
    #[error("max fee per gas less than block base fee: maxFeePerGas: {cap}, baseFee: {base_fee}")]
    FeeCap {
        /// The fee cap in wei per gas.
        cap: u128,
        /// The next block's base fee in wei per gas.
        base_fee: u64,
    },
    /// The tip is above the fee cap.
    #[error("max priority fee per gas higher than max fee per gas: {tip} > {cap}")]
    Tip {
        /// The tip in wei per gas.
        tip: u128,
        /// The fee cap in wei per gas.
        cap: u128,
    },
    /// The gas limit is above what one transaction may use (EIP-7825) or a block holds.
    #[error("transaction gas limit too high: {given}, cap {cap}")]
    GasLimit {
        /// The limit in the transaction.
        given: u64,
        /// The highest that is accepted.
        cap: u64,
    },
    /// The gas limit does not cover what the transaction costs before it does anything.
    #[error("intrinsic gas too low: gas {given}, minimum needed {needed}")]
    IntrinsicGas {
        /// The limit in the transaction.
        given: u64,
        /// The least that would do.
        needed: u64,
    },
    /// Another transaction with this nonce waits and this one does not pay 10 % more.
    #[error("replacement transaction underpriced: needs a fee cap of {fee_cap} and a tip of {tip}")]
    Underpriced {
        /// The fee cap that would replace it.
        fee_cap: u128,
        /// The tip that would replace it.
        tip: u128,
    },
    /// Too many transactions wait.
    #[error("txpool is full: at most {0} transactions wait")]
    PoolFull(usize),
    /// The transaction is larger than accepted.
    #[error("oversized data: transaction size {size}, limit {limit}")]
    Oversized {
        /// Its size in bytes.
        size: usize,
        /// The largest accepted, in bytes.
        limit: usize,
    },
    /// The executor refused it.
    #[error("{0}")]
    Invalid(String),
}

impl TxRejected {
    /// The dotted code of this reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "ledger.tx_malformed",
            Self::Signature => "ledger.tx_signature",
            Self::Blob => "ledger.tx_blob",
            Self::ChainId { .. } => "ledger.tx_chain_id",
            Self::Known(_) => "ledger.tx_known",
            Self::NonceTooLow { .. } => "ledger.tx_nonce_too_low",
            Self::NonceTooHigh { .. } => "ledger.tx_nonce_too_high",
            Self::Funds { .. } => "ledger.tx_funds",
            Self::FeeCap { .. } => "ledger.tx_fee_cap",
            Self::Tip { .. } => "ledger.tx_tip",
            Self::GasLimit { .. } => "ledger.tx_gas_limit",
            Self::IntrinsicGas { .. } => "ledger.tx_intrinsic_gas",
            Self::Underpriced { .. } => "ledger.tx_underpriced",
            Self::PoolFull(_) => "ledger.tx_pool_full",
            Self::Oversized { .. } => "ledger.tx_oversized",
            Self::Invalid(_) => "ledger.tx_invalid",
        }
    }
}

impl LedgerError {
    /// The dotted code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "ledger.locked",
            Self::Foreign { .. } => "ledger.foreign",
            Self::NewerFormat { .. } => "ledger.newer_format",
            Self::GenesisMismatch { .. } => "ledger.genesis_mismatch",
            Self::Corrupt { .. } => "ledger.corrupt",
            Self::Storage { .. } => "ledger.storage",
            Self::StatePruned { .. } => "ledger.state_pruned",
            Self::ProofTooOld { .. } => "ledger.proof_too_old",
            Self::UnknownBlock { .. } => "ledger.unknown_block",
            Self::Execution { .. } => "ledger.execution",
            Self::Rejected(reason) => reason.code(),
            Self::TimeBackwards { .. } => "ledger.time_backwards",
            Self::Closed => "ledger.closed",
            Self::Serve { .. } => "ledger.serve",
        }
    }

    pub(crate) fn corrupt(reason: impl Into<String>) -> Self {
        Self::Corrupt { reason: reason.into() }
    }

    pub(crate) fn execution(reason: impl ToString) -> Self {
        Self::Execution { reason: reason.to_string() }
    }
}

impl revm::database_interface::DBErrorMarker for LedgerError {}

impl From<redb::StorageError> for LedgerError {
    fn from(error: redb::StorageError) -> Self {
        match error {
            redb::StorageError::Corrupted(reason) => Self::Corrupt { reason },
            other => Self::Storage { reason: other.to_string() },
        }
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for LedgerError {
            fn from(error: $error) -> Self {
                match redb::Error::from(error) {
                    redb::Error::Corrupted(reason) => Self::Corrupt { reason },
                    other => Self::Storage { reason: other.to_string() },
                }
            }
        }
    )*};
}
from_redb!(redb::TableError, redb::TransactionError, redb::CommitError, redb::SetDurabilityError);
