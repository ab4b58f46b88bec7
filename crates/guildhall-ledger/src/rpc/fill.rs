//! Filling in what a transaction leaves open, for its sender to sign.

use super::{
    Api, RpcResult, Table,
    call::{self, CallOptions},
    error::RpcError,
    fees::SUGGESTED_TIP_WEI,
};
use crate::execute;
use alloy::{
    consensus::TxEnvelope,
    eips::{BlockId, eip2718::Encodable2718},
    primitives::{Signature, TxKind, U256},
    rpc::types::{FillTransaction, TransactionRequest},
};
use jsonrpsee::types::Params;

pub(super) fn register(table: &mut Table) {
    table.heavy("eth_fillTransaction", fill);
}

/// A transaction without a signature yet has an empty one in its place, as geth does it.
pub(super) fn unsigned(request: TransactionRequest) -> RpcResult<TxEnvelope> {
    let typed = request
        .build_typed_tx()
        .map_err(|_| RpcError::Params("the fields given make no transaction of any type".to_owned()))?;
    Ok(typed.into_envelope(Signature::new(U256::ZERO, U256::ZERO, false)))
}

fn fill(api: &Api, params: Params<'_>) -> RpcResult<FillTransaction<TxEnvelope>> {
    let mut request: TransactionRequest = params.one()?;
    call::refuse_blobs(&request)?;
    let from = request.from.ok_or_else(|| RpcError::Params("`from` is missing".to_owned()))?;
    let chain_id = api.ledger.chain_id();
    if let Some(given) = request.chain_id.replace(chain_id).filter(|given| *given != chain_id) {
        return Err(RpcError::Params(format!("chain id {given}; this is {chain_id}")));
    }
    if request.nonce.is_none() {
        request.nonce = Some(api.pending_nonce(from)?);
    }
    request.to.get_or_insert(TxKind::Create);
    if request.gas_price.is_none() {
        let head = api.ledger.block(api.ledger.head().number)?;
        let tip = *request.max_priority_fee_per_gas.get_or_insert(SUGGESTED_TIP_WEI.into());
        // Twice the base fee outlasts six full blocks.
        let base_fee = u128::from(execute::next_base_fee(&head.header));
        request.max_fee_per_gas.get_or_insert(base_fee.saturating_mul(2).saturating_add(tip));
    }
    if request.gas.is_none() {
        let options = CallOptions { block: Some(BlockId::pending()), ..CallOptions::default() };
        request.gas = Some(call::estimated(api, request.clone(), options)?);
    }
    let tx = unsigned(request)?;
    Ok(FillTransaction { raw: tx.encoded_2718().into(), tx })
}
