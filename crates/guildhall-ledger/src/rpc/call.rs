//! Executing without a transaction: calls, gas estimates, access lists.

use super::{Api, RpcResult, Table, error::RpcError, replay};
use crate::{
    error::LedgerError,
    execute::{self, MAX_TX_GAS},
    store::StateView,
};
use alloy::{
    consensus::Header,
    eips::{BlockId, BlockNumberOrTag, eip2930::AccessListResult},
    primitives::{Bytes, U64, U256},
    rpc::types::{
        BlockOverrides, Bundle, EthCallResponse, StateContext, TransactionIndex, TransactionRequest,
        state::StateOverride,
    },
};
use alloy_evm::{
    Evm, EvmEnv, EvmFactory,
    call::caller_gas_allowance,
    eth::EthEvmFactory,
    overrides::{OverrideBlockHashes, apply_state_overrides},
    rpc::TryIntoTxEnv,
};
use jsonrpsee::types::Params;
use revm::{
    DatabaseCommit,
    context::{
        TxEnv,
        result::{EVMError, ExecutionResult, InvalidTransaction},
    },
    database::{State, WrapDatabaseRef},
    database_interface::bal::EvmDatabaseError,
};
use revm_inspectors::access_list::AccessListInspector;

/// The gas that a call may use when it asks for no less, as geth's default.
pub(super) const CALL_GAS_CAP: u64 = 50_000_000;

/// An estimate may be this much too high, in thousandths, which saves half of the executions.
const ESTIMATE_TOLERANCE: u64 = 15;

/// What a call forwards to a callee without being asked: the stipend of a transfer.
const CALL_STIPEND: u64 = 2_300;

/// Gas of the simplest transaction.
const TRANSFER_GAS: u64 = 21_000;

/// The most accounts that one call may override.
const MAX_OVERRIDES: usize = 1_024;

/// How an execution fails that does not even start.
pub(super) type CallError = EVMError<EvmDatabaseError<LedgerError>>;

/// The state that a call works on.
pub(super) type CallState<'a> = State<WrapDatabaseRef<StateView<'a>>>;

pub(super) fn register(table: &mut Table) {
    table.heavy("eth_call", call);
    table.heavy("eth_estimateGas", estimate);
    table.heavy("eth_createAccessList", access_list);
    table.heavy("eth_callMany", call_many);
}

/// What a call asks for, besides the transaction.
#[derive(Debug, Default)]
pub(super) struct CallOptions {
    pub(super) block: Option<BlockId>,
    pub(super) state: Option<StateOverride>,
    pub(super) header: Option<Box<BlockOverrides>>,
}

fn parse(params: &Params<'_>) -> RpcResult<(TransactionRequest, CallOptions)> {
    let mut params = params.sequence();
    let request: TransactionRequest = params.next()?;
    let options = CallOptions {
        block: params.optional_next()?,
        state: params.optional_next()?,
        header: params.optional_next()?,
    };
    refuse_blobs(&request)?;
    Ok((request, options))
}

pub(super) fn refuse_blobs(request: &TransactionRequest) -> RpcResult<()> {
    if request.blob_versioned_hashes.is_some() || request.max_fee_per_blob_gas.is_some() {
        return Err(RpcError::Params("this chain takes no blobs (EIP-4844)".to_owned()));
    }
    Ok(())
}

/// Puts other accounts in place of those in the state.
pub(super) fn override_state(state: &mut CallState<'_>, overrides: StateOverride) -> RpcResult<()> {
    if overrides.len() > MAX_OVERRIDES {
        return Err(RpcError::Limit(format!("more than {MAX_OVERRIDES} accounts overridden")));
    }
    if overrides.values().any(|account| account.move_precompile_to.is_some()) {
        return Err(RpcError::Params("`movePrecompileToAddress` is not supported".to_owned()));
    }
    apply_state_overrides(overrides, state).map_err(|e| RpcError::Params(e.to_string()))
}

/// Works on the state and in the environment that a call asks for.
pub(super) fn prepared<T>(
    api: &Api,
    options: CallOptions,
    work: impl FnOnce(CallState<'_>, EvmEnv) -> RpcResult<T>,
) -> RpcResult<T> {
    api.with_state(options.block, |view, header| {
        let mut env = call_env(api, options.block, header);
        let mut state = State::builder().with_database(WrapDatabaseRef(view)).build();
        if let Some(overrides) = options.header {
            state.apply_block_overrides(*overrides, &mut env.block_env);
        }
        if let Some(overrides) = options.state {
            override_state(&mut state, overrides)?;
        }
        work(state, env)
    })
}

fn call_env(api: &Api, block: Option<BlockId>, header: &Header) -> EvmEnv {
    let chain_id = api.ledger.chain_id();
    let mut env = execute::env_of(header, chain_id);
    if block == Some(BlockId::Number(BlockNumberOrTag::Pending)) {
        env.block_env.number += U256::from(1);
        let now = api.ledger.shared().clock().next_timestamp(header.timestamp);
        env.block_env.timestamp = U256::from(now);
        env.block_env.basefee = execute::next_base_fee(header);
    }
    make_lenient(&mut env);
    env
}

/// Calls need no nonce, no fee and no key, and are not held to the gas of a transaction.
pub(super) fn make_lenient(env: &mut EvmEnv) {
    env.cfg_env.disable_nonce_check = true;
    env.cfg_env.disable_eip3607 = true;
    env.cfg_env.disable_base_fee = true;
    env.cfg_env.disable_block_gas_limit = true;
    env.cfg_env.tx_gas_limit_cap = Some(u64::MAX);
}

/// The transaction to execute, with no more gas than `cap` and than its sender could pay.
pub(super) fn tx_env(
    state: &mut CallState<'_>,
    env: &EvmEnv,
    mut request: TransactionRequest,
    cap: u64,
) -> RpcResult<TxEnv> {
    let asked = request.gas.unwrap_or(cap).min(cap);
    request.gas = Some(asked);
    let mut tx = request.try_into_tx_env(env).map_err(|e| RpcError::Params(e.to_string()))?;
    if tx.gas_price > 0 {
        let allowance = caller_gas_allowance(state, &tx).map_err(|e| RpcError::Failed(e.to_string()))?;
        tx.gas_limit = tx.gas_limit.min(allowance);
    }
    Ok(tx)
}

/// Executes without leaving anything behind.
fn run(state: &mut CallState<'_>, env: &EvmEnv, tx: TxEnv) -> Result<ExecutionResult, CallError> {
    let mut evm = EthEvmFactory::default().create_evm(state, env.clone());
    evm.transact_raw(tx).map(|done| done.result)
}

pub(super) fn evm_error(error: CallError) -> RpcError {
    match error {
        EVMError::Database(EvmDatabaseError::Database(error)) => error.into(),
        other => RpcError::Failed(other.to_string()),
    }
}

/// The output of an execution, or why it has none.
fn output(result: ExecutionResult) -> RpcResult<Bytes> {
    match result {
        ExecutionResult::Success { output, .. } => Ok(output.into_data()),
        ExecutionResult::Revert { output, .. } => Err(RpcError::Reverted(output)),
        ExecutionResult::Halt { reason, .. } => Err(RpcError::Failed(format!("execution halted: {reason}"))),
    }
}

fn call(api: &Api, params: Params<'_>) -> RpcResult<Bytes> {
    let (request, options) = parse(&params)?;
    prepared(api, options, |mut state, env| {
        let tx = tx_env(&mut state, &env, request, CALL_GAS_CAP)?;
        output(run(&mut state, &env, tx).map_err(evm_error)?)
    })
}

fn estimate(api: &Api, params: Params<'_>) -> RpcResult<U64> {
    let (request, options) = parse(&params)?;
    Ok(U64::from(estimated(api, request, options)?))
}

/// The gas that a transaction needs.
pub(super) fn estimated(api: &Api, request: TransactionRequest, options: CallOptions) -> RpcResult<u64> {
    prepared(api, options, |mut state, env| {
        let cap = MAX_TX_GAS.min(env.block_env.gas_limit);
        let tx = tx_env(&mut state, &env, request, cap)?;
        estimate_gas(&mut state, &env, tx)
    })
}

/// The least gas with which `tx` succeeds, by halving as geth does: what it uses is not what it needs,
/// for a call passes on at most 63/64 and refunds come last.
fn estimate_gas(state: &mut CallState<'_>, env: &EvmEnv, mut tx: TxEnv) -> RpcResult<u64> {
    let mut high = tx.gas_limit;
    if tx.data.is_empty()
        && tx.access_list.0.is_empty()
        && tx.authorization_list.is_empty()
        && high >= TRANSFER_GAS
        && tx.kind.is_call()
    {
        let simple = TxEnv { gas_limit: TRANSFER_GAS, ..tx.clone() };
        if run(state, env, simple).is_ok_and(|result| result.is_success()) {
            return Ok(TRANSFER_GAS);
        }
    }
    let result = match run(state, env, tx.clone()) {
        Err(error) if is_out_of_gas(&error) => return Err(exceeds(high)),
        other => other.map_err(evm_error)?,
    };
    let (used, refunded) = (result.gas().tx_gas_used(), result.gas().final_refunded());
    match result {
        ExecutionResult::Halt { reason, .. } if used >= high => {
            return Err(RpcError::Failed(format!("gas required exceeds allowance ({high}): {reason}")));
        }
        other => output(other)?,
    };
    let mut low = used.saturating_sub(1);
    let likely = (used + refunded + CALL_STIPEND).saturating_mul(64) / 63;
    let mut guess = likely.min(high);
    while low + 1 < high {
        tx.gas_limit = guess;
        let enough = match run(state, env, tx.clone()) {
            Ok(result) => result.is_success(),
            Err(error) if is_out_of_gas(&error) => false,
            Err(error) => return Err(evm_error(error)),
        };
        if enough {
            high = guess;
        } else {
            low = guess;
        }
        if (high - low).saturating_mul(1_000) < high.saturating_mul(ESTIMATE_TOLERANCE) {
            break;
        }
        // Most need little more than they use: lean to the low side.
        guess = (low + (high - low) / 2).min(low.saturating_mul(2)).max(low + 1);
    }
    Ok(high)
}

fn is_out_of_gas(error: &CallError) -> bool {
    matches!(
        error,
        EVMError::Transaction(
            InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
                | InvalidTransaction::GasFloorMoreThanGasLimit { .. }
        )
    )
}

fn exceeds(high: u64) -> RpcError {
    RpcError::Failed(format!("gas required exceeds allowance ({high})"))
}

fn access_list(api: &Api, params: Params<'_>) -> RpcResult<AccessListResult> {
    let (request, options) = parse(&params)?;
    prepared(api, options, |mut state, env| {
        let mut tx = tx_env(&mut state, &env, request, MAX_TX_GAS)?;
        let inspector = AccessListInspector::new(tx.access_list.clone());
        let (result, inspector) = {
            let mut evm =
                EthEvmFactory::default().create_evm_with_inspector(&mut state, env.clone(), inspector);
            let result = evm.transact_raw(tx.clone()).map_err(evm_error)?.result;
            (result, evm.inspector().access_list())
        };
        tx.access_list = inspector.clone();
        if tx.tx_type == 0 {
            tx.tx_type = 1;
        }
        let error = output(result).err().map(|e| e.to_string());
        // The gas with the list in place, which is what the caller wants to compare.
        let gas_used = run(&mut state, &env, tx).map_err(evm_error)?.gas().tx_gas_used();
        Ok(AccessListResult { access_list: inspector, gas_used: U256::from(gas_used), error })
    })
}

/// Calls one after the other, each on the state that those before left behind: `eth_callMany` as erigon and reth have it.
/// All together may use the gas of one call.
fn call_many(api: &Api, params: Params<'_>) -> RpcResult<Vec<Vec<EthCallResponse>>> {
    let mut params = params.sequence();
    let bundles: Vec<Bundle> = params.next()?;
    let context: StateContext = params.optional_next()?.unwrap_or_default();
    let overrides: Option<StateOverride> = params.optional_next()?;
    let block = context.block_number.unwrap_or_default();
    let work = |mut state: CallState<'_>, env: EvmEnv| {
        if let Some(overrides) = overrides {
            override_state(&mut state, overrides)?;
        }
        call_bundles(&mut state, &env, bundles)
    };
    match context.transaction_index.unwrap_or_default() {
        TransactionIndex::All => {
            prepared(api, CallOptions { block: Some(block), ..CallOptions::default() }, work)
        }
        TransactionIndex::Index(index) => {
            let block = api.existing_block(block)?;
            replay::within(api, &block, index, |state, mut env| {
                make_lenient(&mut env);
                work(state, env)
            })
        }
    }
}

fn call_bundles(
    state: &mut CallState<'_>,
    env: &EvmEnv,
    bundles: Vec<Bundle>,
) -> RpcResult<Vec<Vec<EthCallResponse>>> {
    let mut gas_left = CALL_GAS_CAP;
    let mut answers = Vec::with_capacity(bundles.len());
    for bundle in bundles {
        let mut env = env.clone();
        if let Some(overrides) = bundle.block_override {
            state.apply_block_overrides(overrides, &mut env.block_env);
        }
        let mut outputs = Vec::with_capacity(bundle.transactions.len());
        for request in bundle.transactions {
            refuse_blobs(&request)?;
            let tx = tx_env(state, &env, request, gas_left)?;
            let done = EthEvmFactory::default().create_evm(&mut *state, env.clone()).transact_raw(tx);
            let answer = match done {
                Ok(done) => {
                    gas_left = gas_left.saturating_sub(done.result.gas().tx_gas_used());
                    state.commit(done.state);
                    output(done.result)
                }
                Err(error) => Err(evm_error(error)),
            };
            outputs.push(match answer {
                Ok(value) => EthCallResponse { value: Some(value), error: None },
                Err(RpcError::Ledger(error)) => return Err(error.into()),
                Err(error) => EthCallResponse { value: None, error: Some(error.to_string()) },
            });
        }
        answers.push(outputs);
    }
    Ok(answers)
}
