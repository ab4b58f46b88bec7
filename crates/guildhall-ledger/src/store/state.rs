//! Accounts as they are stored, and what one block changes of the state.

use crate::{error::LedgerError, trie::DirtyNodes};
use alloy::primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use revm::state::AccountInfo;
use std::collections::BTreeMap;

/// An account with the root of its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredAccount {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
    pub(crate) code_hash: B256,
    pub(crate) storage_root: B256,
}

/// Without the two hashes that most accounts share.
#[derive(RlpEncodable, RlpDecodable)]
struct Packed {
    nonce: u64,
    balance: U256,
    code_hash: Bytes,
    storage_root: Bytes,
}

fn pack(hash: B256, empty: B256) -> Bytes {
    if hash == empty { Bytes::new() } else { hash.into() }
}

fn unpack(bytes: &Bytes, empty: B256) -> Result<B256, LedgerError> {
    match bytes.len() {
        0 => Ok(empty),
        32 => Ok(B256::from_slice(bytes)),
        _ => Err(LedgerError::corrupt("an account's hash has the wrong length")),
    }
}

impl StoredAccount {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let packed = Packed {
            nonce: self.nonce,
            balance: self.balance,
            code_hash: pack(self.code_hash, KECCAK256_EMPTY),
            storage_root: pack(self.storage_root, EMPTY_ROOT_HASH),
        };
        let mut out = Vec::with_capacity(packed.length());
        packed.encode(&mut out);
        out
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, LedgerError> {
        let packed =
            Packed::decode(&mut bytes).map_err(|e| LedgerError::corrupt(format!("stored account: {e}")))?;
        Ok(Self {
            nonce: packed.nonce,
            balance: packed.balance,
            code_hash: unpack(&packed.code_hash, KECCAK256_EMPTY)?,
            storage_root: unpack(&packed.storage_root, EMPTY_ROOT_HASH)?,
        })
    }

    /// The value of the account's leaf in the state trie.
    pub(crate) fn leaf(&self) -> Vec<u8> {
        let account = TrieAccount {
            nonce: self.nonce,
            balance: self.balance,
            storage_root: self.storage_root,
            code_hash: self.code_hash,
        };
        let mut out = Vec::with_capacity(account.length());
        account.encode(&mut out);
        out
    }

    /// As the executor wants it, without the code, which it fetches by hash when it needs it.
    pub(crate) fn info(&self) -> AccountInfo {
        AccountInfo {
            balance: self.balance,
            nonce: self.nonce,
            code_hash: self.code_hash,
            code: None,
            ..AccountInfo::default()
        }
    }
}

/// The value of a slot's leaf in a storage trie; nothing for zero, which is not stored.
pub(crate) fn slot_leaf(value: U256) -> Option<Vec<u8>> {
    (!value.is_zero()).then(|| {
        let mut out = Vec::with_capacity(33);
        value.encode(&mut out);
        out
    })
}

/// A value before and after a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changed<T> {
    pub(crate) before: T,
    pub(crate) after: T,
}

/// All that one block changes of the state.
#[derive(Debug, Default)]
pub(crate) struct StateChanges {
    pub(crate) accounts: BTreeMap<Address, Changed<Option<StoredAccount>>>,
    pub(crate) storage: BTreeMap<(Address, B256), Changed<U256>>,
    pub(crate) codes: BTreeMap<B256, Bytes>,
    pub(crate) account_nodes: DirtyNodes,
    pub(crate) storage_nodes: BTreeMap<Address, DirtyNodes>,
}

/// The keys that a block changed, so that its history can be removed and an old state rebuilt.
#[derive(Debug, Default, RlpEncodable, RlpDecodable)]
pub(crate) struct ChangedKeys {
    pub(crate) accounts: Vec<Address>,
    pub(crate) slots: Vec<ChangedSlot>,
}

/// A changed slot.
#[derive(Debug, Clone, Copy, RlpEncodable, RlpDecodable)]
pub(crate) struct ChangedSlot {
    pub(crate) address: Address,
    pub(crate) slot: B256,
}

impl ChangedKeys {
    pub(crate) fn of(changes: &StateChanges) -> Self {
        Self {
            accounts: changes.accounts.keys().copied().collect(),
            slots: changes
                .storage
                .keys()
                .map(|(address, slot)| ChangedSlot { address: *address, slot: *slot })
                .collect(),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.length());
        self.encode(&mut out);
        out
    }

    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Result<Self, LedgerError> {
        Self::decode(&mut bytes).map_err(|e| LedgerError::corrupt(format!("changed keys: {e}")))
    }
}
