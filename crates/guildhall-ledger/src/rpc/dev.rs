//! Moving time and sealing by hand, for tests. Off unless the ledger was told otherwise.

use super::{Api, RpcResult, Table, error::RpcError};
use alloy::primitives::U256;
use jsonrpsee::types::Params;
use std::sync::Arc;

/// The most blocks that one `evm_mine` seals.
const MAX_MINED: u64 = 10_000;

pub(super) fn register(table: &mut Table) {
    table.waiting("evm_mine", mine);
    table.waiting("evm_increaseTime", increase_time);
    table.waiting("evm_setNextBlockTimestamp", set_next_timestamp);
}

/// A number as JSON has it or as hex.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Hex(U256),
}

impl Number {
    fn get(self) -> RpcResult<u64> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Hex(number) => {
                number.try_into().map_err(|_| RpcError::Params(format!("{number} is too large")))
            }
        }
    }
}

/// As anvil takes it: nothing, a timestamp, or `{timestamp, blocks}`.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Mine {
    Options { timestamp: Option<u64>, blocks: Option<u64> },
    Timestamp(Number),
}

async fn mine(api: Arc<Api>, params: Params<'static>) -> RpcResult<&'static str> {
    let options = params.sequence().optional_next::<Mine>()?;
    let (timestamp, blocks) = match options {
        None => (None, 1),
        Some(Mine::Timestamp(timestamp)) => (Some(timestamp.get()?), 1),
        Some(Mine::Options { timestamp, blocks }) => (timestamp, blocks.unwrap_or(1)),
    };
    if blocks > MAX_MINED {
        return Err(RpcError::Limit(format!("{blocks} blocks at once; at most {MAX_MINED}")));
    }
    if let Some(timestamp) = timestamp {
        api.ledger.set_next_timestamp(timestamp).await?;
    }
    for _ in 0..blocks {
        api.ledger.seal().await?;
    }
    Ok("0x0")
}

async fn increase_time(api: Arc<Api>, params: Params<'static>) -> RpcResult<u64> {
    let secs = params.one::<Number>()?.get()?;
    Ok(api.ledger.advance_time(secs).await?)
}

async fn set_next_timestamp(api: Arc<Api>, params: Params<'static>) -> RpcResult<()> {
    let timestamp = params.one::<Number>()?.get()?;
    Ok(api.ledger.set_next_timestamp(timestamp).await?)
}
