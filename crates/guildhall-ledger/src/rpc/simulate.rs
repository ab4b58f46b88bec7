//! `eth_simulateV1`: blocks that are not sealed, on top of one that is.
//!
//! A simulated block has real transactions, receipts and logs roots, but no state root (it is zero): nothing can be
//! proven from it.

use super::{
    Api, RpcResult, Table,
    call::{self, CALL_GAS_CAP, CallError, CallState},
    convert,
    error::{self, RpcError},
    fill,
};
use crate::{
    block::{self, SealedBlock},
    execute::{self, MAX_TX_GAS, NextBlock},
};
use alloy::{
    consensus::{
        EMPTY_OMMER_ROOT_HASH, Header, ReceiptEnvelope, TxEnvelope, TxReceipt, proofs, transaction::Recovered,
    },
    eips::{BlockId, eip7685::EMPTY_REQUESTS_HASH},
    primitives::{B256, Bloom, TxKind, U256},
    rpc::types::{
        TransactionRequest,
        simulate::{
            MAX_SIMULATE_BLOCKS, SimBlock, SimCallResult, SimulateError, SimulatePayload, SimulatedBlock,
        },
    },
};
use alloy_evm::{
    Evm, EvmEnv, EvmFactory,
    eth::EthEvmFactory,
    overrides::{OverrideBlockHashes, apply_block_overrides},
    rpc::{CallFeesError, EthTxEnvError, TryIntoTxEnv},
};
use alloy_trie::EMPTY_ROOT_HASH;
use jsonrpsee::types::Params;
use revm::{
    Database, DatabaseCommit,
    context::result::{EVMError, ExecutionResult, InvalidTransaction},
    database::{State, WrapDatabaseRef},
};
use revm_inspectors::transfer::TransferInspector;
use std::collections::BTreeMap;

/// The method's code for a fee cap below the base fee.
const BASE_FEE: i32 = -38012;

pub(super) fn register(table: &mut Table) {
    table.heavy("eth_simulateV1", simulate);
}

fn simulate(api: &Api, params: Params<'_>) -> RpcResult<Vec<SimulatedBlock>> {
    let mut params = params.sequence();
    let payload: SimulatePayload = params.next()?;
    let id: Option<BlockId> = params.optional_next()?;
    api.with_state(id, |view, header| {
        let mut simulation = Simulation {
            state: State::builder().with_database(WrapDatabaseRef(view)).build(),
            parent: header.clone(),
            parent_hash: header.hash_slow(),
            chain_id: api.ledger.chain_id(),
            gas_left: CALL_GAS_CAP,
            validation: payload.validation,
            transfers: payload.trace_transfers,
            full: payload.return_full_transactions,
        };
        let last = header.number + MAX_SIMULATE_BLOCKS;
        let mut blocks = Vec::new();
        for asked in payload.block_state_calls {
            let next = simulation.parent.number + 1;
            let number = asked.block_number_override().map_or(next, |number| number.saturating_to());
            if number < next {
                return Err(refused(-38020, format!("block {number} is not after block {}", next - 1)));
            }
            if number > last {
                return Err(refused(-38026, format!("more than {MAX_SIMULATE_BLOCKS} blocks to simulate")));
            }
            // A number that is skipped is an empty block.
            for _ in next..number {
                blocks.push(simulation.block(SimBlock::default())?);
            }
            blocks.push(simulation.block(asked)?);
        }
        Ok(blocks)
    })
}

/// Refuses the whole simulation, with a code of the method's own.
fn refused(code: i32, message: String) -> RpcError {
    RpcError::Simulation { code, message }
}

struct Simulation<'a> {
    state: CallState<'a>,
    parent: Header,
    parent_hash: B256,
    chain_id: u64,
    /// All calls together may use the gas of one.
    gas_left: u64,
    validation: bool,
    transfers: bool,
    full: bool,
}

/// What a block holds so far.
#[derive(Default)]
struct Body {
    transactions: Vec<Recovered<TxEnvelope>>,
    receipts: Vec<ReceiptEnvelope>,
    calls: Vec<SimCallResult>,
    gas_used: u64,
}

impl Simulation<'_> {
    fn block(&mut self, asked: SimBlock) -> RpcResult<SimulatedBlock> {
        let env = self.env(&asked)?;
        if let Some(overrides) = asked.state_overrides {
            call::override_state(&mut self.state, overrides)?;
        }
        execute::before_transactions(&mut self.state, &env, self.parent_hash)?;
        let mut body = Body::default();
        for request in asked.calls {
            self.call(&env, request, &mut body)?;
        }
        let header = self.header(&env, &body);
        let sealed = SealedBlock {
            hash: header.hash_slow(),
            header,
            transactions: body.transactions,
            receipts: body.receipts,
        };
        for (index, call) in body.calls.iter_mut().enumerate() {
            call.logs = convert::receipt(&sealed, index).map(|r| r.inner.logs().to_vec()).unwrap_or_default();
        }
        self.state.override_block_hashes(BTreeMap::from([(sealed.header.number, sealed.hash)]));
        self.parent_hash = sealed.hash;
        self.parent = sealed.header.clone();
        Ok(SimulatedBlock { inner: convert::block(&sealed, self.full), calls: body.calls })
    }

    fn env(&mut self, asked: &SimBlock) -> RpcResult<EvmEnv> {
        let parent = &self.parent;
        let next = NextBlock::after(
            parent,
            self.parent_hash,
            parent.timestamp.saturating_add(1),
            parent.beneficiary,
        );
        let mut env = next.env(self.chain_id);
        if !self.validation {
            env.block_env.basefee = 0;
            call::make_lenient(&mut env);
        }
        if let Some(overrides) = asked.block_overrides.clone() {
            apply_block_overrides(overrides, &mut self.state, &mut env.block_env);
        }
        if env.block_env.timestamp < U256::from(self.parent.timestamp) {
            let (time, before) = (env.block_env.timestamp, self.parent.timestamp);
            return Err(refused(-38021, format!("time {time} lies before the parent's {before}")));
        }
        Ok(env)
    }

    fn call(&mut self, env: &EvmEnv, mut request: TransactionRequest, body: &mut Body) -> RpcResult<()> {
        call::refuse_blobs(&request)?;
        let room = env.block_env.gas_limit.saturating_sub(body.gas_used);
        if let Some(gas) = request.gas.filter(|gas| *gas > room) {
            return Err(refused(
                -38015,
                format!("gas limit {gas} is more than the block's remaining {room}"),
            ));
        }
        let most = self.gas_left.min(if self.validation { MAX_TX_GAS } else { u64::MAX });
        let from = *request.from.get_or_insert_default();
        request.gas = Some(request.gas.unwrap_or(room).min(most));
        if request.nonce.is_none() {
            request.nonce =
                Some(self.state.basic(from).map_err(database)?.map_or(0, |account| account.nonce));
        }
        request.chain_id.get_or_insert(self.chain_id);
        request.to.get_or_insert(TxKind::Create);
        let tx = request.clone().try_into_tx_env(env).map_err(|e| match e {
            EthTxEnvError::CallFees(CallFeesError::FeeCapTooLow) => refused(BASE_FEE, e.to_string()),
            other => RpcError::Params(other.to_string()),
        })?;
        let inspector = TransferInspector::new(false).with_logs(self.transfers);
        let mut evm =
            EthEvmFactory::default().create_evm_with_inspector(&mut self.state, env.clone(), inspector);
        let done = evm.transact_raw(tx).map_err(invalid)?;
        drop(evm);
        self.state.commit(done.state);
        let result = done.result;
        let used = result.gas().tx_gas_used();
        self.gas_left = self.gas_left.saturating_sub(used);
        body.gas_used += used;
        let tx = as_transaction(request)?;
        let logs = result.logs().to_vec();
        body.receipts.push(block::receipt(tx.tx_type(), result.is_success(), body.gas_used, logs));
        body.transactions.push(Recovered::new_unchecked(tx, from));
        body.calls.push(outcome(result));
        Ok(())
    }

    fn header(&self, env: &EvmEnv, body: &Body) -> Header {
        let transactions: Vec<&TxEnvelope> = body.transactions.iter().map(Recovered::inner).collect();
        Header {
            parent_hash: self.parent_hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: env.block_env.beneficiary,
            transactions_root: proofs::calculate_transaction_root(&transactions),
            receipts_root: proofs::calculate_receipt_root(&body.receipts),
            logs_bloom: body.receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.bloom()),
            difficulty: env.block_env.difficulty,
            number: env.block_env.number.saturating_to(),
            gas_limit: env.block_env.gas_limit,
            gas_used: body.gas_used,
            timestamp: env.block_env.timestamp.saturating_to(),
            mix_hash: env.block_env.prevrandao.unwrap_or_default(),
            base_fee_per_gas: Some(env.block_env.basefee),
            withdrawals_root: Some(EMPTY_ROOT_HASH),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        }
    }
}

/// The transaction that a call would be, without fees where it names none.
fn as_transaction(mut request: TransactionRequest) -> RpcResult<TxEnvelope> {
    if request.gas_price.is_none() {
        request.max_fee_per_gas.get_or_insert(0);
        request.max_priority_fee_per_gas.get_or_insert(0);
    }
    fill::unsigned(request)
}

fn outcome(result: ExecutionResult) -> SimCallResult {
    let gas = *result.gas();
    let mut call = SimCallResult {
        gas_used: gas.tx_gas_used(),
        max_used_gas: Some(gas.tx_gas_used() + gas.final_refunded()),
        status: result.is_success(),
        ..SimCallResult::default()
    };
    match result {
        ExecutionResult::Success { output, .. } => call.return_data = output.into_data(),
        ExecutionResult::Revert { output, .. } => {
            call.return_data = output.clone();
            let message = RpcError::Reverted(output.clone()).to_string();
            call.error = Some(SimulateError { code: error::REVERTED, message, data: Some(output) });
        }
        ExecutionResult::Halt { reason, .. } => {
            let (code, message) =
                (SimulateError::VM_EXECUTION_ERROR_CODE, format!("execution halted: {reason}"));
            call.error = Some(SimulateError { code, message, data: None });
        }
    }
    call
}

fn database(error: revm::database_interface::bal::EvmDatabaseError<crate::error::LedgerError>) -> RpcError {
    call::evm_error(EVMError::Database(error))
}

/// A call that could not start refuses the whole simulation, under the codes of execution-apis.
fn invalid(error: CallError) -> RpcError {
    let EVMError::Transaction(invalid) = &error else { return call::evm_error(error) };
    let code = match invalid {
        InvalidTransaction::NonceTooLow { .. } => -38010,
        InvalidTransaction::NonceTooHigh { .. } => -38011,
        InvalidTransaction::GasPriceLessThanBasefee => BASE_FEE,
        InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
        | InvalidTransaction::GasFloorMoreThanGasLimit { .. } => -38013,
        InvalidTransaction::LackOfFundForMaxFee { .. } => -38014,
        InvalidTransaction::RejectCallerWithCode => -38024,
        InvalidTransaction::CreateInitCodeSizeLimit => -38025,
        _ => return call::evm_error(error),
    };
    refused(code, invalid.to_string())
}
