//! Errors as JSON-RPC knows them: geth's codes and words, with our dotted code beside them.

use crate::error::LedgerError;
use alloy::{
    primitives::Bytes,
    sol_types::{Panic, Revert, SolError},
};
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::json;

/// geth's code for what went wrong while serving.
const SERVER_ERROR: i32 = -32000;
/// The code for a request that asks for too much.
const LIMIT_EXCEEDED: i32 = -32005;
/// The code for parameters that make no sense.
const INVALID_PARAMS: i32 = -32602;
/// geth's code for a revert, whose data is the revert data.
pub(super) const REVERTED: i32 = 3;
/// EIP-7966's code for a transaction that was accepted and has no receipt yet.
const NO_RECEIPT_YET: i32 = 4;

/// Why a call was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RpcError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("invalid params: {0}")]
    Params(String),
    #[error("{0}")]
    Limit(String),
    #[error("{}", revert_message(.0))]
    Reverted(Bytes),
    #[error("{0}")]
    Failed(String),
    #[error("{message}")]
    Simulation { code: i32, message: String },
    #[error("transaction {0} has no receipt yet; it waits for its turn")]
    NoReceiptYet(alloy::primitives::B256),
}

fn revert_message(data: &Bytes) -> String {
    if let Ok(revert) = Revert::abi_decode(data) {
        return format!("execution reverted: {}", revert.reason());
    }
    match Panic::abi_decode(data) {
        Ok(panic) => format!("execution reverted: {panic}"),
        Err(_) => "execution reverted".to_owned(),
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        let message = error.to_string();
        match error {
            RpcError::Ledger(inner) => {
                ErrorObjectOwned::owned(SERVER_ERROR, message, Some(json!({ "code": inner.code() })))
            }
            RpcError::Params(_) => ErrorObjectOwned::owned(INVALID_PARAMS, message, None::<()>),
            RpcError::Limit(_) => ErrorObjectOwned::owned(LIMIT_EXCEEDED, message, None::<()>),
            RpcError::Reverted(data) => ErrorObjectOwned::owned(REVERTED, message, Some(data)),
            RpcError::Failed(_) => ErrorObjectOwned::owned(SERVER_ERROR, message, None::<()>),
            RpcError::Simulation { code, .. } => ErrorObjectOwned::owned(code, message, None::<()>),
            RpcError::NoReceiptYet(hash) => ErrorObjectOwned::owned(NO_RECEIPT_YET, message, Some(hash)),
        }
    }
}

/// jsonrpsee's own complaints about parameters, under the one code.
impl From<ErrorObjectOwned> for RpcError {
    fn from(error: ErrorObjectOwned) -> Self {
        let detail = error.data().map(|data| format!(": {data}")).unwrap_or_default();
        Self::Params(format!("{}{detail}", error.message()))
    }
}
