//! What can be wrong with a deployment.

use std::path::PathBuf;

use alloy::primitives::Address;
use guildhall_service::{Coded, files::FileError};

use crate::{rpc::RpcFailure, send_error::SendError};

/// Errors of deployments. Each says what is wrong and how to put it right.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The file cannot be read.
    #[error("cannot read deployment file {}: {message}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        message: String,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// The node failed.
    #[error(transparent)]
    Rpc(#[from] RpcFailure),
    /// A transaction failed.
    #[error("cannot deploy {contract}: {source}")]
    Send {
        /// Which contract.
        contract: &'static str,
        /// Why.
        source: SendError,
    },
    /// It is on another chain.
    #[error("the deployment is on chain {expected}, and the node at {node} is on chain {found}")]
    WrongChain {
        /// The deployment's.
        expected: u64,
        /// The node's.
        found: u64,
        /// Which node.
        node: String,
    },
    /// There is no contract.
    #[error("there is no code of {contract} at {address}")]
    NoCode {
        /// Which contract.
        contract: &'static str,
        /// Where it should be.
        address: Address,
    },
    /// A contract names another than the deployment does.
    #[error("{contract} names {found} as its {field}, and the deployment says {expected}")]
    Wiring {
        /// Which contract.
        contract: &'static str,
        /// Which of its addresses.
        field: &'static str,
        /// The deployment's.
        expected: Address,
        /// The contract's.
        found: Address,
    },
    /// The Certifier draws with other seeds than the deployment says.
    #[error("the Certifier draws with seeds of kind {found}, and the deployment says {expected}")]
    SeedKind {
        /// The deployment's.
        expected: u8,
        /// The contract's.
        found: u8,
    },
    /// The seed contract takes its seeds from another beacon, or in other epochs, than the deployment says.
    #[error("the seed contract's {field} is {found}, and the deployment says {expected}")]
    Beacon {
        /// Which of the beacon's facts.
        field: &'static str,
        /// The deployment's.
        expected: String,
        /// The contract's.
        found: String,
    },
    /// The beacon's public key is none.
    #[error("the beacon's public key is no point of BLS12-381's group G2")]
    BeaconKey,
    /// A wave ends before the beacon has drawn the lot.
    #[error(
        "a wave lasts {patience} s and more, and the beacon's seed comes up to {wait} s after the opening"
    )]
    Patience {
        /// Constant part of a wave's length, in seconds.
        patience: u64,
        /// Longest wait for the seed, in seconds.
        wait: u64,
    },
    /// A contract does not answer as ours would.
    #[error("{contract} at {address} does not answer `{field}`: {message}")]
    Foreign {
        /// Which contract.
        contract: &'static str,
        /// Where.
        address: Address,
        /// What was asked.
        field: &'static str,
        /// What came.
        message: String,
    },
    /// The deployer sent other transactions in between, so the predicted addresses are gone.
    #[error(
        "the deployer {deployer} has sent {found} transactions, the plan needs between {first} and {last}"
    )]
    PlanBroken {
        /// Whose plan.
        deployer: Address,
        /// Transactions so far.
        found: u64,
        /// The plan's first number.
        first: u64,
        /// The number after the plan's last.
        last: u64,
    },
    /// A contract came to stand elsewhere than predicted.
    #[error("{contract} was created at {found}, and not at {expected} as predicted")]
    Misplaced {
        /// Which contract.
        contract: &'static str,
        /// Predicted.
        expected: Address,
        /// Where it stands.
        found: String,
    },
}

impl Coded for DeployError {
    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "deploy.read",
            Self::Write(_) => "deploy.write",
            Self::Rpc(failure) => failure.code(),
            Self::Send { source, .. } => source.code(),
            Self::WrongChain { .. } => "deploy.wrong_chain",
            Self::NoCode { .. } => "deploy.no_code",
            Self::Wiring { .. } | Self::SeedKind { .. } | Self::Beacon { .. } => "deploy.wiring",
            Self::BeaconKey => "deploy.beacon_key",
            Self::Patience { .. } => "deploy.patience",
            Self::Foreign { .. } => "deploy.foreign",
            Self::PlanBroken { .. } => "deploy.plan_broken",
            Self::Misplaced { .. } => "deploy.misplaced",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { .. } => "deploy first, or give the path of the deployment file".into(),
            Self::Write(error) => return error.hint(),
            Self::Rpc(failure) => return failure.hint(),
            Self::Send { source, .. } => return source.hint(),
            Self::WrongChain { .. } => "use the node of that chain, or the deployment of this one".into(),
            Self::BeaconKey => "copy the key from the beacon's own publication".into(),
            Self::Patience { .. } => "choose a longer `patience_base_secs`, or shorter epochs".into(),
            Self::NoCode { .. }
            | Self::Wiring { .. }
            | Self::SeedKind { .. }
            | Self::Beacon { .. }
            | Self::Foreign { .. } => {
                "the file belongs to another chain or an older deployment: get the right one, or deploy again"
                    .into()
            }
            Self::PlanBroken { .. } | Self::Misplaced { .. } => {
                "remove the plan file and deploy again, with a key that nothing else uses meanwhile".into()
            }
        })
    }
}
