//! Balances, nonces, code, storage and their proofs.

use super::{Api, RpcResult, Table, error::RpcError};
use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U64, U256},
    rpc::types::{EIP1186AccountProofResponse, EIP1186StorageProof},
    serde::JsonStorageKey,
};
use alloy_trie::EMPTY_ROOT_HASH;
use jsonrpsee::types::Params;

/// The most slots that one proof may cover.
const MAX_PROOF_SLOTS: usize = 1_024;

pub(super) fn register(table: &mut Table) {
    table.light("eth_getBalance", balance);
    table.light("eth_getTransactionCount", nonce);
    table.light("eth_getCode", code);
    table.light("eth_getStorageAt", storage);
    table.heavy("eth_getProof", proof);
}

fn balance(api: &Api, params: Params<'_>) -> RpcResult<U256> {
    let mut params = params.sequence();
    let address = params.next()?;
    api.with_state(params.optional_next()?, |state, _| {
        Ok(state.account(address)?.map(|account| account.balance).unwrap_or_default())
    })
}

fn nonce(api: &Api, params: Params<'_>) -> RpcResult<U64> {
    let mut params = params.sequence();
    let address: Address = params.next()?;
    let id: Option<BlockId> = params.optional_next()?;
    let pending = id == Some(BlockId::Number(BlockNumberOrTag::Pending));
    // Taken before the snapshot: a transaction that is sealed between the two is then counted by both
    // and never by none.
    let waiting = if pending { Some(api.ledger.shared().pool()) } else { None };
    api.with_state(id, |state, _| {
        let next = state.account(address)?.map_or(0, |account| account.nonce);
        Ok(U64::from(waiting.as_ref().map_or(next, |pool| pool.pending_nonce(address, next))))
    })
}

fn code(api: &Api, params: Params<'_>) -> RpcResult<Bytes> {
    let mut params = params.sequence();
    let address = params.next()?;
    api.with_state(params.optional_next()?, |state, _| match state.account(address)? {
        Some(account) => Ok(state.code(account.code_hash)?),
        None => Ok(Bytes::new()),
    })
}

fn storage(api: &Api, params: Params<'_>) -> RpcResult<B256> {
    let mut params = params.sequence();
    let address = params.next()?;
    let slot: JsonStorageKey = params.next()?;
    api.with_state(params.optional_next()?, |state, _| Ok(state.slot(address, slot.as_b256())?.into()))
}

fn proof(api: &Api, params: Params<'_>) -> RpcResult<EIP1186AccountProofResponse> {
    let mut params = params.sequence();
    let address: Address = params.next()?;
    let keys: Vec<JsonStorageKey> = params.next()?;
    if keys.len() > MAX_PROOF_SLOTS {
        let asked = keys.len();
        return Err(RpcError::Limit(format!("{asked} slots in one proof; at most {MAX_PROOF_SLOTS}")));
    }
    let slots: Vec<B256> = keys.iter().map(JsonStorageKey::as_b256).collect();
    api.with_state(params.optional_next()?, |state, header| {
        let proof = state.prove(address, &slots, header.state_root)?;
        let account = proof.account;
        Ok(EIP1186AccountProofResponse {
            address,
            balance: account.map(|account| account.balance).unwrap_or_default(),
            code_hash: account.map_or(KECCAK256_EMPTY, |account| account.code_hash),
            nonce: account.map_or(0, |account| account.nonce),
            storage_hash: account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root),
            account_proof: proof.nodes,
            storage_proof: keys
                .into_iter()
                .zip(proof.slots)
                .map(|(key, (_, value, proof))| EIP1186StorageProof { key, value, proof })
                .collect(),
        })
    })
}
