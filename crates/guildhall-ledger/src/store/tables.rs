//! The tables of the database. A change of any of them is a new [`FORMAT`].

use alloy::primitives::{Address, B256, keccak256};
use alloy_trie::Nibbles;
use redb::TableDefinition;

/// The version of this layout.
pub(crate) const FORMAT: u64 = 1;

/// `format` (u64), `genesis` (JSON), `head` (u64).
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("guildhall_meta");
/// Block number to hash and compressed header, transactions, senders and receipts.
pub(crate) const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
/// Block hash to number.
pub(crate) const BLOCK_NUMBERS: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("block_numbers");
/// Transaction hash to block number and index.
pub(crate) const TX_PLACES: TableDefinition<'_, &[u8; 32], (u64, u32)> = TableDefinition::new("tx_places");
/// Postings of the log index: digest of (kind, value), then block number.
pub(crate) const LOG_INDEX: TableDefinition<'_, &[u8; 16], ()> = TableDefinition::new("log_index");
/// Address to account.
pub(crate) const ACCOUNTS: TableDefinition<'_, &[u8; 20], &[u8]> = TableDefinition::new("accounts");
/// Address and slot to value, big-endian without leading zeros.
pub(crate) const STORAGE: TableDefinition<'_, &[u8; 52], &[u8]> = TableDefinition::new("storage");
/// Code hash to bytecode.
pub(crate) const CODES: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("codes");
/// Path to node of the state trie.
pub(crate) const ACCOUNT_TRIE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("account_trie");
/// Address and path to node of that account's storage trie.
pub(crate) const STORAGE_TRIE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("storage_trie");
/// Address and block to the account before that block; empty for none.
pub(crate) const ACCOUNT_HISTORY: TableDefinition<'_, &[u8; 28], &[u8]> =
    TableDefinition::new("account_history");
/// Address, slot and block to the value before that block.
pub(crate) const STORAGE_HISTORY: TableDefinition<'_, &[u8; 60], &[u8]> =
    TableDefinition::new("storage_history");
/// Block number to the keys that it changed, kept as long as the history.
pub(crate) const CHANGED_KEYS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("changed_keys");
/// Transaction hash to a waiting transaction.
pub(crate) const WAITING: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("waiting");

/// The key of a storage slot.
pub(crate) fn slot_key(address: Address, slot: B256) -> [u8; 52] {
    let mut key = [0; 52];
    key[..20].copy_from_slice(address.as_slice());
    key[20..].copy_from_slice(slot.as_slice());
    key
}

/// The key of what an account was before `block`.
pub(crate) fn account_history_key(address: Address, block: u64) -> [u8; 28] {
    let mut key = [0; 28];
    key[..20].copy_from_slice(address.as_slice());
    key[20..].copy_from_slice(&block.to_be_bytes());
    key
}

/// The key of what a slot held before `block`.
pub(crate) fn storage_history_key(address: Address, slot: B256, block: u64) -> [u8; 60] {
    let mut key = [0; 60];
    key[..52].copy_from_slice(&slot_key(address, slot));
    key[52..].copy_from_slice(&block.to_be_bytes());
    key
}

/// The key of a storage-trie node; without an address that of a state-trie node. One nibble a byte
/// keeps a node beside its children.
pub(crate) fn node_key(owner: Option<Address>, path: &Nibbles) -> Vec<u8> {
    let mut key = Vec::with_capacity(20 + path.len());
    if let Some(owner) = owner {
        key.extend_from_slice(owner.as_slice());
    }
    key.extend(path.iter());
    key
}

/// What a posting of the log index is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Posting<'a> {
    /// The contract that logged.
    Address(&'a Address),
    /// The topic at a position.
    Topic(u8, &'a B256),
}

impl Posting<'_> {
    /// The key of this posting in `block`. Digests of eight bytes may collide: readers check the logs.
    pub(crate) fn key(&self, block: u64) -> [u8; 16] {
        let digest = match self {
            Self::Address(address) => keccak256(address),
            Self::Topic(position, topic) => {
                let mut bytes = [0; 33];
                bytes[0] = *position;
                bytes[1..].copy_from_slice(topic.as_slice());
                keccak256(bytes)
            }
        };
        let mut key = [0; 16];
        key[..8].copy_from_slice(&digest[..8]);
        key[8..].copy_from_slice(&block.to_be_bytes());
        key
    }
}
