//! Blocks and transactions in their encodings; traces of transactions and calls, by the tracers whose memory can be
//! bounded.

use super::{
    Api, RpcResult, Table,
    call::{self, CallOptions, CallState},
    error::RpcError,
    replay,
};
use crate::{block::SealedBlock, execute::MAX_TX_GAS, pool};
use alloy::{
    consensus::{BlockBody, transaction::Recovered},
    eips::{BlockId, BlockNumberOrTag, eip2718::Encodable2718, eip4895::Withdrawals},
    primitives::{B256, Bytes},
    rpc::types::{
        TransactionInfo, TransactionRequest,
        trace::{
            geth::{
                GethDebugBuiltInTracerType, GethDebugTracerType, GethDebugTracingCallOptions,
                GethDebugTracingOptions, GethTrace, TraceResult,
            },
            parity::{LocalizedTransactionTrace, TraceResults, TraceType},
        },
    },
};
use alloy_evm::{Evm, EvmEnv, EvmFactory, ToTxEnv, eth::EthEvmFactory};
use jsonrpsee::types::Params;
use revm::{
    DatabaseCommit,
    context::{TxEnv, result::EVMError},
    context_interface::result::ResultAndState,
};
use revm_inspectors::tracing::{
    DebugInspector, TraceLimitBehavior, TraceLimits, TracingInspector, TracingInspectorConfig,
    TransactionContext,
};
use serde::de::DeserializeOwned;
use std::collections::HashSet;

/// The most bytes of inputs that the traces of one answer copy. Gas does not bound them: a call may pass on the same
/// memory over and over for next to nothing.
const MAX_TRACED_BYTES: usize = 64 << 20;

/// Ends the execution where its trace would hold more than `bytes`.
fn at_most(bytes: usize) -> TraceLimits {
    TraceLimits::default().set_max_recorded_bytes(Some(bytes)).set_behavior(TraceLimitBehavior::Halt)
}

pub(super) fn register(table: &mut Table) {
    table.heavy("debug_traceTransaction", trace_transaction);
    table.heavy("debug_traceCall", trace_call);
    table.heavy("debug_traceBlockByNumber", trace_block::<BlockNumberOrTag>);
    table.heavy("debug_traceBlockByHash", trace_block::<B256>);
    table.heavy("trace_transaction", parity_transaction);
    table.heavy("trace_rawTransaction", parity_raw_transaction);
    table.light("debug_getRawHeader", |api, params| {
        Ok(Bytes::from(alloy_rlp::encode(&api.existing_block(params.one()?)?.header)))
    });
    table.heavy("debug_getRawBlock", |api, params| Ok(raw_block(&*api.existing_block(params.one()?)?)));
    table.heavy("debug_getRawReceipts", |api, params| {
        let block = api.existing_block(params.one()?)?;
        Ok(block.receipts.iter().map(|receipt| receipt.encoded_2718().into()).collect::<Vec<Bytes>>())
    });
    // An empty answer where there is none, as geth has it.
    table.light("debug_getRawTransaction", |api, params| {
        Ok(api.raw_transaction(params.one()?)?.unwrap_or_default())
    });
}

fn raw_block(block: &SealedBlock) -> Bytes {
    let body = BlockBody {
        transactions: block.transactions.iter().map(Recovered::inner).collect(),
        ommers: Vec::new(),
        withdrawals: Some(Withdrawals::default()),
    };
    alloy_rlp::encode(body.into_block(block.header.clone())).into()
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

/// Executes `tx` under a tracer that may still record `bytes_left`; what it changes stays in `state`.
fn trace(
    state: &mut CallState<'_>,
    env: EvmEnv,
    tx: TxEnv,
    context: Option<TransactionContext>,
    options: GethDebugTracingOptions,
    bytes_left: &mut usize,
) -> RpcResult<GethTrace> {
    let failed = |e: &dyn std::fmt::Display| RpcError::Failed(format!("the trace failed: {e}"));
    let mut inspector = DebugInspector::new(options).map_err(|e| failed(&e))?;
    if let DebugInspector::CallTracer(calls, _) = &mut inspector {
        *calls = std::mem::take(calls).with_limits(at_most(*bytes_left));
    }
    let done = {
        let mut evm =
            EthEvmFactory::default().create_evm_with_inspector(&mut *state, env.clone(), &mut inspector);
        evm.transact_raw(tx.clone()).map_err(trace_error)?
    };
    if let DebugInspector::CallTracer(calls, _) = &inspector {
        *bytes_left = bytes_left.saturating_sub(calls.recorded_bytes());
    }
    let trace = inspector.get_result(context, &tx, &env.block_env, &done, state).map_err(|e| failed(&e))?;
    state.commit(done.state);
    Ok(trace)
}

fn trace_error(error: call::CallError) -> RpcError {
    match error {
        // Nothing but the inspector's limit ends an execution so.
        EVMError::Custom(_) => RpcError::Limit(format!(
            "the calls pass on more than {MAX_TRACED_BYTES} bytes; use the tracer prestateTracer or 4byteTracer"
        )),
        other => call::evm_error(other),
    }
}

fn trace_transaction(api: &Api, params: Params<'_>) -> RpcResult<GethTrace> {
    let mut params = params.sequence();
    let hash: B256 = params.next()?;
    let options: GethDebugTracingOptions = params.optional_next()?.unwrap_or_default();
    check(&options)?;
    let (block, index) =
        api.place(hash)?.ok_or_else(|| RpcError::Failed("transaction not found".to_owned()))?;
    replay::within(api, &block, index, |mut state, env| {
        let (tx, context) = (block.transactions[index].to_tx_env(), Some(context(&block, index)));
        trace(&mut state, env, tx, context, options, &mut { MAX_TRACED_BYTES })
    })
}

fn context(block: &SealedBlock, index: usize) -> TransactionContext {
    let tx_hash = Some(*block.transactions[index].tx_hash());
    TransactionContext { block_hash: Some(block.hash), tx_hash, tx_index: Some(index) }
}

fn trace_block<I: DeserializeOwned + Into<BlockId>>(
    api: &Api,
    params: Params<'_>,
) -> RpcResult<Vec<TraceResult>> {
    let mut params = params.sequence();
    let id: I = params.next()?;
    let options: GethDebugTracingOptions = params.optional_next()?.unwrap_or_default();
    check(&options)?;
    let block = api.existing_block(id.into())?;
    replay::within(api, &block, 0, |mut state, env| {
        let mut left = MAX_TRACED_BYTES;
        let traced = block.transactions.iter().enumerate().map(|(index, tx)| {
            let context = Some(context(&block, index));
            let (env, tx_env) = (env.clone(), tx.to_tx_env());
            let result = trace(&mut state, env, tx_env, context, options.clone(), &mut left)?;
            Ok(TraceResult::new_success(result, Some(*tx.tx_hash())))
        });
        traced.collect()
    })
}

fn trace_call(api: &Api, params: Params<'_>) -> RpcResult<GethTrace> {
    let mut params = params.sequence();
    let request: TransactionRequest = params.next()?;
    let block: Option<BlockId> = params.optional_next()?;
    let options: GethDebugTracingCallOptions = params.optional_next()?.unwrap_or_default();
    check(&options.tracing_options)?;
    call::refuse_blobs(&request)?;
    let call =
        CallOptions { block, state: options.state_overrides, header: options.block_overrides.map(Box::new) };
    call::prepared(api, call, |mut state, env| {
        let tx = call::tx_env(&mut state, &env, request, MAX_TX_GAS)?;
        trace(&mut state, env, tx, None, options.tracing_options, &mut { MAX_TRACED_BYTES })
    })
}

/// Executes `tx` and records its calls, not its steps.
fn record(
    state: &mut CallState<'_>,
    env: EvmEnv,
    tx: TxEnv,
) -> RpcResult<(TracingInspector, ResultAndState)> {
    let mut inspector = TracingInspector::new(TracingInspectorConfig::default_parity())
        .with_limits(at_most(MAX_TRACED_BYTES));
    let mut evm = EthEvmFactory::default().create_evm_with_inspector(state, env, &mut inspector);
    let done = evm.transact_raw(tx).map_err(trace_error)?;
    drop(evm);
    Ok((inspector, done))
}

/// The calls of a transaction as parity has them, which is what `cast trace` asks for.
fn parity_transaction(api: &Api, params: Params<'_>) -> RpcResult<Option<Vec<LocalizedTransactionTrace>>> {
    let Some((block, index)) = api.place(params.one()?)? else { return Ok(None) };
    replay::within(api, &block, index, |mut state, env| {
        let (inspector, done) = record(&mut state, env, block.transactions[index].to_tx_env())?;
        let info = TransactionInfo {
            hash: Some(*block.transactions[index].tx_hash()),
            index: Some(index as u64),
            block_hash: Some(block.hash),
            block_number: Some(block.header.number),
            base_fee: block.header.base_fee_per_gas,
            ..TransactionInfo::default()
        };
        let builder =
            inspector.with_transaction_gas_used(done.result.gas().tx_gas_used()).into_parity_builder();
        Ok(Some(builder.into_localized_transaction_traces(info)))
    })
}

fn parity_raw_transaction(api: &Api, params: Params<'_>) -> RpcResult<TraceResults> {
    let mut params = params.sequence();
    let encoded: Bytes = params.next()?;
    let kinds: HashSet<TraceType> = params.next()?;
    if kinds.contains(&TraceType::VmTrace) {
        return Err(RpcError::Params("unsupported trace `vmTrace`; use `trace` or `stateDiff`".to_owned()));
    }
    let tx = pool::decode(&encoded).map_err(crate::error::LedgerError::from)?;
    let options = CallOptions { block: params.optional_next()?, ..CallOptions::default() };
    call::prepared(api, options, |mut state, env| {
        let (inspector, done) = record(&mut state, env, tx.to_tx_env())?;
        let builder = inspector.into_parity_builder();
        let kinds = kinds.into_iter().collect();
        builder
            .into_trace_results_with_state(&done, &kinds, &state)
            .map_err(|e| RpcError::Failed(format!("the trace failed: {e}")))
    })
}
