//! What a transaction has to pay.

use super::{Api, RpcResult, Table, error::RpcError};
use crate::{block::SealedBlock, execute};
use alloy::{
    consensus::Transaction as _,
    eips::BlockNumberOrTag,
    primitives::{U64, U256},
    rpc::types::FeeHistory,
};
use jsonrpsee::types::Params;

/// The tip that is suggested, in wei per gas: blocks are sealed for any, so the smallest will do.
pub(super) const SUGGESTED_TIP_WEI: u64 = 1;

/// The most blocks that one answer covers.
const MAX_FEE_HISTORY: u64 = 1_024;

/// The most percentiles that one answer covers.
const MAX_PERCENTILES: usize = 100;

pub(super) fn register(table: &mut Table) {
    table.light("eth_gasPrice", |api, _| {
        let head = api.ledger.block(api.ledger.head().number)?;
        Ok(U64::from(execute::next_base_fee(&head.header).saturating_add(SUGGESTED_TIP_WEI)))
    });
    table.light("eth_maxPriorityFeePerGas", |_, _| Ok(U64::from(SUGGESTED_TIP_WEI)));
    table.light("eth_blobBaseFee", |_, _| Ok(U64::from(1)));
    table.heavy("eth_feeHistory", fee_history);
}

/// A count as hex or, as some clients send it, as a number.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Count {
    Number(u64),
    Hex(U64),
}

fn fee_history(api: &Api, params: Params<'_>) -> RpcResult<FeeHistory> {
    let mut params = params.sequence();
    let count = match params.next()? {
        Count::Number(count) => count,
        Count::Hex(count) => count.to(),
    };
    let newest: BlockNumberOrTag = params.next()?;
    let percentiles: Vec<f64> = params.optional_next()?.unwrap_or_default();
    check_percentiles(&percentiles)?;
    let snapshot = api.snapshot()?;
    let Some(newest) = api.number(&snapshot, newest.into())? else {
        return Err(RpcError::Failed("request beyond head block".to_owned()));
    };
    let count = count.min(MAX_FEE_HISTORY).min(newest + 1);
    let oldest = newest + 1 - count;
    let mut history = FeeHistory {
        oldest_block: oldest,
        reward: (!percentiles.is_empty()).then(Vec::new),
        ..FeeHistory::default()
    };
    for number in oldest..oldest + count {
        let block = api.ledger.block(number)?;
        let header = &block.header;
        history.base_fee_per_gas.push(header.base_fee_per_gas.unwrap_or_default().into());
        history.gas_used_ratio.push(header.gas_used as f64 / header.gas_limit as f64);
        history.base_fee_per_blob_gas.push(1);
        history.blob_gas_used_ratio.push(0.0);
        if let Some(rewards) = &mut history.reward {
            rewards.push(tips(&block, &percentiles));
        }
        if number == newest {
            history.base_fee_per_gas.push(execute::next_base_fee(header).into());
            history.base_fee_per_blob_gas.push(1);
        }
    }
    Ok(history)
}

fn check_percentiles(percentiles: &[f64]) -> RpcResult<()> {
    if percentiles.len() > MAX_PERCENTILES {
        return Err(RpcError::Limit(format!("{} percentiles; at most {MAX_PERCENTILES}", percentiles.len())));
    }
    let in_order = percentiles.windows(2).all(|pair| pair[0] <= pair[1]);
    if !in_order || percentiles.iter().any(|p| !(0.0..=100.0).contains(p)) {
        return Err(RpcError::Params("percentiles must rise from 0 to 100".to_owned()));
    }
    Ok(())
}

/// The tips at which each percentile of a block's gas was used.
fn tips(block: &SealedBlock, percentiles: &[f64]) -> Vec<u128> {
    let base_fee = block.header.base_fee_per_gas.unwrap_or_default();
    let mut paid: Vec<(u128, u64)> = (0..block.transactions.len())
        .map(|i| {
            (block.transactions[i].effective_tip_per_gas(base_fee).unwrap_or_default(), block.gas_used(i))
        })
        .collect();
    paid.sort_unstable();
    percentiles
        .iter()
        .map(|percentile| {
            let threshold = U256::from((block.header.gas_used as f64 * percentile / 100.0) as u64);
            let mut used = U256::ZERO;
            let at = paid.iter().find(|(_, gas)| {
                used += U256::from(*gas);
                used >= threshold
            });
            at.or(paid.last()).map_or(0, |(tip, _)| *tip)
        })
        .collect()
}
