//! Traces of transactions and calls, by the tracers whose memory the gas bounds.

use super::{
    Api, RpcResult, Table,
    call::{self, CallOptions, CallState},
    error::RpcError,
};
use crate::execute::{self, MAX_TX_GAS};
use alloy::{
    eips::BlockId,
    primitives::B256,
    rpc::types::{
        TransactionRequest,
        trace::geth::{
            GethDebugBuiltInTracerType, GethDebugTracerType, GethDebugTracingCallOptions,
            GethDebugTracingOptions, GethTrace,
        },
    },
};
use alloy_evm::{Evm, EvmEnv, EvmFactory, eth::EthEvmFactory};
use jsonrpsee::types::Params;
use revm::{
    DatabaseCommit,
    context::TxEnv,
    database::{State, WrapDatabaseRef},
};
use revm_inspectors::tracing::{DebugInspector, TransactionContext};

pub(super) fn register(table: &mut Table) {
    table.heavy("debug_traceTransaction", trace_transaction);
    table.heavy("debug_traceCall", trace_call);
}

/// Refuses tracers that record every step (gigabytes for one full transaction) or run foreign code.
fn check(options: &GethDebugTracingOptions) -> RpcResult<()> {
    use GethDebugBuiltInTracerType::{CallTracer, FourByteTracer, NoopTracer, PreStateTracer};
    match &options.tracer {
        Some(GethDebugTracerType::BuiltInTracer(
            CallTracer | FourByteTracer | NoopTracer | PreStateTracer,
        )) => Ok(()),
        _ => Err(RpcError::Params(
            "unsupported tracer; use callTracer, prestateTracer, 4byteTracer or noopTracer".to_owned(),
        )),
    }
}

fn trace(
    state: &mut CallState<'_>,
    env: EvmEnv,
    tx: TxEnv,
    context: Option<TransactionContext>,
    options: GethDebugTracingOptions,
) -> RpcResult<GethTrace> {
    let failed = |e: &dyn std::fmt::Display| RpcError::Failed(format!("the trace failed: {e}"));
    let mut inspector = DebugInspector::new(options).map_err(|e| failed(&e))?;
    let done = {
        let mut evm =
            EthEvmFactory::default().create_evm_with_inspector(&mut *state, env.clone(), &mut inspector);
        evm.transact_raw(tx.clone()).map_err(call::evm_error)?
    };
    inspector.get_result(context, &tx, &env.block_env, &done, state).map_err(|e| failed(&e))
}

fn trace_transaction(api: &Api, params: Params<'_>) -> RpcResult<GethTrace> {
    let mut params = params.sequence();
    let hash: B256 = params.next()?;
    let options: GethDebugTracingOptions = params.optional_next()?.unwrap_or_default();
    check(&options)?;
    let place = api.place(hash)?.ok_or_else(|| RpcError::Failed("transaction not found".to_owned()))?;
    let (block, index) = place;
    let env = execute::env_of(&block.header, api.ledger.chain_id());
    let parent = block.header.number.saturating_sub(1);
    api.with_state(Some(BlockId::number(parent)), |view, _| {
        let mut state = State::builder().with_database(WrapDatabaseRef(view)).build();
        execute::before_transactions(&mut state, &env, block.header.parent_hash)?;
        for tx in &block.transactions[..index] {
            let done = EthEvmFactory::default().create_evm(&mut state, env.clone()).transact(tx);
            state.commit(done.map_err(call::evm_error)?.state);
        }
        let context =
            TransactionContext { block_hash: Some(block.hash), tx_hash: Some(hash), tx_index: Some(index) };
        let tx = alloy_evm::ToTxEnv::to_tx_env(&block.transactions[index]);
        trace(&mut state, env, tx, Some(context), options)
    })
}

fn trace_call(api: &Api, params: Params<'_>) -> RpcResult<GethTrace> {
    let mut params = params.sequence();
    let request: TransactionRequest = params.next()?;
    let block: Option<BlockId> = params.optional_next()?;
    let options: GethDebugTracingCallOptions = params.optional_next()?.unwrap_or_default();
    check(&options.tracing_options)?;
    let call =
        CallOptions { block, state: options.state_overrides, header: options.block_overrides.map(Box::new) };
    call::prepared(api, call, |mut state, env| {
        let tx = call::tx_env(&mut state, &env, request, MAX_TX_GAS)?;
        trace(&mut state, env, tx, None, options.tracing_options)
    })
}
