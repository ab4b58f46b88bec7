//! Balances, nonces, code, storage and their proofs.

use super::{Api, RpcResult, Table, error::RpcError};
use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U64, U256},
    rpc::types::{AccountInfo, EIP1186AccountProofResponse, EIP1186StorageProof, StorageValuesRequest},
    serde::JsonStorageKey,
};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use jsonrpsee::types::Params;
use std::collections::BTreeMap;

/// The most slots that one answer may cover, with or without proofs.
const MAX_SLOTS: usize = 1_024;

pub(super) fn register(table: &mut Table) {
    table.light("eth_getBalance", balance);
    table.light("eth_getTransactionCount", nonce);
    table.light("eth_getCode", code);
    table.light("eth_getStorageAt", storage);
    table.heavy("eth_getProof", proof);
    table.light("eth_getAccount", account);
    table.light("eth_getAccountInfo", account_info);
    table.heavy("eth_getStorageValues", storage_values);
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
    if pending {
        return api.pending_nonce(address).map(U64::from);
    }
    api.with_state(id, |state, _| Ok(U64::from(state.account(address)?.map_or(0, |account| account.nonce))))
}

impl Api {
    /// The nonce after the sender's last transaction that is ready.
    pub(super) fn pending_nonce(&self, address: Address) -> RpcResult<u64> {
        // Taken before the snapshot: a transaction that is sealed between the two is then counted by both
        // and never by none.
        let pool = self.ledger.shared().pool();
        let next = self.snapshot()?.account(address)?.map_or(0, |account| account.nonce);
        Ok(pool.pending_nonce(address, next))
    }
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

/// The account as it stands in the state trie; an empty one where there is none.
fn account(api: &Api, params: Params<'_>) -> RpcResult<TrieAccount> {
    let mut params = params.sequence();
    let address = params.next()?;
    api.with_state(params.optional_next()?, |state, _| {
        Ok(state.account(address)?.map_or_else(TrieAccount::default, |account| TrieAccount {
            nonce: account.nonce,
            balance: account.balance,
            storage_root: account.storage_root,
            code_hash: account.code_hash,
        }))
    })
}

fn account_info(api: &Api, params: Params<'_>) -> RpcResult<AccountInfo> {
    let mut params = params.sequence();
    let address = params.next()?;
    api.with_state(params.optional_next()?, |state, _| match state.account(address)? {
        Some(account) => {
            let code = state.code(account.code_hash)?;
            Ok(AccountInfo { balance: account.balance, nonce: account.nonce, code })
        }
        None => Ok(AccountInfo::default()),
    })
}

fn storage_values(api: &Api, params: Params<'_>) -> RpcResult<BTreeMap<Address, Vec<B256>>> {
    let mut params = params.sequence();
    let wanted: StorageValuesRequest = params.next()?;
    let asked = wanted.0.values().map(Vec::len).sum::<usize>();
    if asked > MAX_SLOTS {
        return Err(RpcError::Limit(format!("{asked} slots in one request; at most {MAX_SLOTS}")));
    }
    api.with_state(params.optional_next()?, |state, _| {
        let mut values = BTreeMap::new();
        for (address, slots) in wanted.0 {
            let read = slots.into_iter().map(|slot| Ok(state.slot(address, slot)?.into()));
            values.insert(address, read.collect::<RpcResult<_>>()?);
        }
        Ok(values)
    })
}

fn proof(api: &Api, params: Params<'_>) -> RpcResult<EIP1186AccountProofResponse> {
    let mut params = params.sequence();
    let address: Address = params.next()?;
    let keys: Vec<JsonStorageKey> = params.next()?;
    if keys.len() > MAX_SLOTS {
        let asked = keys.len();
        return Err(RpcError::Limit(format!("{asked} slots in one proof; at most {MAX_SLOTS}")));
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
