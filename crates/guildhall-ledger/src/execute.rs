//! Executing blocks under the osaka rules, with alloy-evm's block executor on revm.
//!
//! Knows the rules and the header; knows nothing of where transactions wait or how blocks are kept.

use crate::{
    block::SealedBlock,
    error::{LedgerError, TxRejected},
    roots,
    store::{Snapshot, StateChanges, StateView},
};
use alloy::{
    consensus::{EMPTY_OMMER_ROOT_HASH, Header, TxEnvelope, TxReceipt, proofs, transaction::Recovered},
    eips::{eip1559::BaseFeeParams, eip7840::BlobParams},
    primitives::{Address, B256, Bloom, Bytes, U256, keccak256},
};
use alloy_evm::{
    EvmEnv, EvmFactory,
    block::{BlockExecutionError, BlockExecutor, BlockValidationError, SystemCaller},
    eth::{
        EthBlockExecutionCtx, EthBlockExecutor, EthEvmFactory, receipt_builder::AlloyReceiptBuilder,
        spec::EthExecutorSpec,
    },
};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_trie::EMPTY_ROOT_HASH;
use revm::{
    context::{BlockEnv, CfgEnv},
    context_interface::block::BlobExcessGasAndPrice,
    database::{State, WrapDatabaseRef, states::bundle_state::BundleRetention},
    primitives::hardfork::SpecId,
};
use std::collections::HashSet;

/// The rules that every block follows.
pub(crate) const SPEC: SpecId = SpecId::OSAKA;

/// The gas that one transaction may ask for (EIP-7825).
pub const MAX_TX_GAS: u64 = 16_777_216;

/// Written into the extra data of every block.
const EXTRA_DATA: &[u8] = b"guildhall-ledger";

/// Osaka from the first block on, no deposit contract.
#[derive(Debug, Clone, Copy)]
struct OsakaSpec;

impl EthereumHardforks for OsakaSpec {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        if fork == EthereumHardfork::Dao || fork > EthereumHardfork::Osaka {
            ForkCondition::Never
        } else if fork >= EthereumHardfork::Shanghai {
            ForkCondition::Timestamp(0)
        } else {
            ForkCondition::Block(0)
        }
    }
}

impl EthExecutorSpec for OsakaSpec {
    fn deposit_contract_address(&self) -> Option<Address> {
        None
    }
}

/// The block to make next.
#[derive(Debug, Clone)]
pub(crate) struct NextBlock {
    pub(crate) parent_hash: B256,
    pub(crate) number: u64,
    pub(crate) timestamp: u64,
    pub(crate) gas_limit: u64,
    pub(crate) base_fee: u64,
    pub(crate) beneficiary: Address,
}

impl NextBlock {
    /// The block after `parent` at `timestamp`.
    pub(crate) fn after(parent: &Header, parent_hash: B256, timestamp: u64, beneficiary: Address) -> Self {
        Self {
            parent_hash,
            number: parent.number + 1,
            timestamp,
            gas_limit: parent.gas_limit,
            base_fee: next_base_fee(parent),
            beneficiary,
        }
    }

    /// What `PREVRANDAO` gives: a digest of the parent. One machine's chain has no randomness that its
    /// operator could not choose, and this does not pretend otherwise.
    fn prevrandao(&self) -> B256 {
        let mut bytes = [0; 40];
        bytes[..32].copy_from_slice(self.parent_hash.as_slice());
        bytes[32..].copy_from_slice(&self.number.to_be_bytes());
        keccak256(bytes)
    }

    /// The environment in which its transactions execute.
    pub(crate) fn env(&self, chain_id: u64) -> EvmEnv {
        env(chain_id, |block| {
            block.number = U256::from(self.number);
            block.beneficiary = self.beneficiary;
            block.timestamp = U256::from(self.timestamp);
            block.gas_limit = self.gas_limit;
            block.basefee = self.base_fee;
            block.prevrandao = Some(self.prevrandao());
        })
    }
}

/// The base fee of the block after `parent` (EIP-1559).
pub(crate) fn next_base_fee(parent: &Header) -> u64 {
    parent.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or_default()
}

/// The environment of a block that exists.
pub(crate) fn env_of(header: &Header, chain_id: u64) -> EvmEnv {
    env(chain_id, |block| {
        block.number = U256::from(header.number);
        block.beneficiary = header.beneficiary;
        block.timestamp = U256::from(header.timestamp);
        block.gas_limit = header.gas_limit;
        block.basefee = header.base_fee_per_gas.unwrap_or_default();
        block.prevrandao = Some(header.mix_hash);
    })
}

fn env(chain_id: u64, fill: impl FnOnce(&mut BlockEnv)) -> EvmEnv {
    let mut block = BlockEnv {
        difficulty: U256::ZERO,
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
            excess_blob_gas: 0,
            blob_gasprice: BlobParams::osaka().calc_blob_fee(0),
        }),
        ..BlockEnv::default()
    };
    fill(&mut block);
    EvmEnv::new(CfgEnv::new_with_spec(SPEC).with_chain_id(chain_id), block)
}

/// An executed block, ready to be written.
#[derive(Debug)]
pub(crate) struct Executed {
    pub(crate) block: SealedBlock,
    pub(crate) changes: StateChanges,
    /// Transactions that the rules refuse: they change nothing and are in no block.
    pub(crate) refused: Vec<(B256, TxRejected)>,
}

/// Executes `candidates` in order on top of `snapshot` until the block is full.
pub(crate) fn execute(
    snapshot: &Snapshot,
    next: &NextBlock,
    chain_id: u64,
    candidates: Vec<Recovered<TxEnvelope>>,
) -> Result<Executed, LedgerError> {
    let view = StateView::new(snapshot, snapshot.head())?;
    let mut state = State::builder().with_database(WrapDatabaseRef(view)).with_bundle_update().build();
    let evm = EthEvmFactory::default().create_evm(&mut state, next.env(chain_id));
    let context = EthBlockExecutionCtx {
        parent_hash: next.parent_hash,
        parent_beacon_block_root: Some(B256::ZERO),
        ommers: &[],
        withdrawals: None,
        extra_data: Bytes::new(),
        tx_count_hint: Some(candidates.len()),
        slot_number: None,
    };
    let mut executor = EthBlockExecutor::new(evm, context, OsakaSpec, AlloyReceiptBuilder::default());
    executor.apply_pre_execution_changes().map_err(LedgerError::execution)?;
    let (mut included, mut refused) = (Vec::with_capacity(candidates.len()), Vec::new());
    let mut stopped = HashSet::new();
    for tx in candidates {
        // The nonces above a refused one have to wait.
        if stopped.contains(&tx.signer()) {
            continue;
        }
        match executor.execute_transaction_without_commit(&tx) {
            Ok(output) => {
                executor.commit_transaction(output);
                included.push(tx);
            }
            Err(BlockExecutionError::Validation(
                BlockValidationError::TransactionGasLimitMoreThanAvailableBlockGas { .. },
            )) if !included.is_empty() => break,
            Err(BlockExecutionError::Validation(BlockValidationError::InvalidTx { hash, error })) => {
                stopped.insert(tx.signer());
                refused.push((hash, TxRejected::Invalid(error.to_string())));
            }
            Err(other) => return Err(LedgerError::execution(other)),
        }
    }
    let (_, result) = executor.finish().map_err(LedgerError::execution)?;
    state.merge_transitions(BundleRetention::PlainState);
    let (changes, state_root) = roots::apply_bundle(snapshot, state.take_bundle())?;
    let header = header(next, state_root, &included, &result);
    let block =
        SealedBlock { hash: header.hash_slow(), header, transactions: included, receipts: result.receipts };
    Ok(Executed { block, changes, refused })
}

fn header(
    next: &NextBlock,
    state_root: B256,
    transactions: &[Recovered<TxEnvelope>],
    result: &alloy_evm::block::BlockExecutionResult<alloy::consensus::ReceiptEnvelope>,
) -> Header {
    let transactions: Vec<&TxEnvelope> = transactions.iter().map(Recovered::inner).collect();
    Header {
        parent_hash: next.parent_hash,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: next.beneficiary,
        state_root,
        transactions_root: proofs::calculate_transaction_root(&transactions),
        receipts_root: proofs::calculate_receipt_root(&result.receipts),
        logs_bloom: result.receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.bloom()),
        number: next.number,
        gas_limit: next.gas_limit,
        gas_used: result.gas_used,
        timestamp: next.timestamp,
        extra_data: Bytes::from_static(EXTRA_DATA),
        mix_hash: next.prevrandao(),
        base_fee_per_gas: Some(next.base_fee),
        withdrawals_root: Some(EMPTY_ROOT_HASH),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(result.requests.requests_hash()),
        ..Header::default()
    }
}

/// Applies what a block does before its transactions: block hashes and beacon roots.
pub(crate) fn before_transactions<DB>(
    state: &mut DB,
    env: &EvmEnv,
    parent_hash: B256,
) -> Result<(), LedgerError>
where
    DB: alloy_evm::Database + revm::DatabaseCommit,
{
    let mut evm = EthEvmFactory::default().create_evm(state, env.clone());
    let mut caller = SystemCaller::new(OsakaSpec);
    caller.apply_blockhashes_contract_call(parent_hash, &mut evm).map_err(LedgerError::execution)?;
    caller.apply_beacon_root_contract_call(Some(B256::ZERO), &mut evm).map_err(LedgerError::execution)
}
