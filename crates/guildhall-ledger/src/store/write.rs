//! Writing: everything that belongs to a block in one durable transaction.

use super::{
    HISTORY_BLOCKS, Store,
    state::{ChangedKeys, StateChanges},
    tables::{
        ACCOUNT_HISTORY, ACCOUNT_TRIE, ACCOUNTS, BLOCK_NUMBERS, BLOCKS, CHANGED_KEYS, CODES, FORMAT,
        LOG_INDEX, META, Posting, STORAGE, STORAGE_HISTORY, STORAGE_TRIE, TX_PLACES, WAITING,
        account_history_key, node_key, slot_key, storage_history_key,
    },
};
use crate::{block::SealedBlock, error::LedgerError, genesis::Genesis};
use alloy::primitives::{B256, U256};
use redb::WriteTransaction;
use std::{collections::BTreeSet, sync::Arc};

/// One block to write, or only a change of what waits.
#[derive(Debug, Default)]
pub(crate) struct BlockWrite<'a> {
    /// The block and what it changes.
    pub(crate) block: Option<(&'a SealedBlock, &'a StateChanges)>,
    /// Transactions that start to wait: hash and encoding.
    pub(crate) wait: Vec<(B256, Vec<u8>)>,
    /// Transactions that no longer wait.
    pub(crate) gone: Vec<B256>,
}

impl Store {
    /// Makes the tables and writes block 0, in one transaction.
    pub(crate) fn write_genesis(
        &self,
        genesis: &Genesis,
        block: &SealedBlock,
        changes: &StateChanges,
    ) -> Result<(), LedgerError> {
        let txn = self.begin_write()?;
        make_tables(&txn)?;
        {
            let json = serde_json::to_vec(genesis).map_err(LedgerError::execution)?;
            let mut meta = txn.open_table(META)?;
            meta.insert("format", &FORMAT.to_be_bytes()[..])?;
            meta.insert("genesis", &json[..])?;
        }
        write_block(&txn, block, changes)?;
        txn.commit()?;
        Ok(())
    }

    /// A store in memory with an empty state: what a genesis is worked out on.
    pub(crate) fn empty() -> Result<Arc<Self>, LedgerError> {
        let (store, _) = Self::open(None)?;
        let txn = store.begin_write()?;
        make_tables(&txn)?;
        txn.open_table(META)?.insert("head", &0u64.to_be_bytes()[..])?;
        txn.commit()?;
        Ok(store)
    }

    /// Writes all of it or nothing; what is written survives a power loss when this returns.
    pub(crate) fn write(&self, write: &BlockWrite<'_>) -> Result<(), LedgerError> {
        let txn = self.begin_write()?;
        if let Some((block, changes)) = write.block {
            write_block(&txn, block, changes)?;
            if let Some(old) = block.header.number.checked_sub(HISTORY_BLOCKS) {
                forget_history(&txn, old)?;
            }
        }
        if !write.wait.is_empty() || !write.gone.is_empty() {
            let mut waiting = txn.open_table(WAITING)?;
            for (hash, bytes) in &write.wait {
                waiting.insert(&hash.0, &bytes[..])?;
            }
            for hash in &write.gone {
                waiting.remove(&hash.0)?;
            }
        }
        txn.commit()?;
        Ok(())
    }
}

/// Opening a table makes it; readers rely on every one being there.
fn make_tables(txn: &WriteTransaction) -> Result<(), LedgerError> {
    txn.open_table(META)?;
    txn.open_table(BLOCKS)?;
    txn.open_table(BLOCK_NUMBERS)?;
    txn.open_table(TX_PLACES)?;
    txn.open_table(LOG_INDEX)?;
    txn.open_table(ACCOUNTS)?;
    txn.open_table(STORAGE)?;
    txn.open_table(CODES)?;
    txn.open_table(ACCOUNT_TRIE)?;
    txn.open_table(STORAGE_TRIE)?;
    txn.open_table(ACCOUNT_HISTORY)?;
    txn.open_table(STORAGE_HISTORY)?;
    txn.open_table(CHANGED_KEYS)?;
    txn.open_table(WAITING)?;
    Ok(())
}

fn write_block(
    txn: &WriteTransaction,
    block: &SealedBlock,
    changes: &StateChanges,
) -> Result<(), LedgerError> {
    let number = block.header.number;
    txn.open_table(META)?.insert("head", &number.to_be_bytes()[..])?;
    txn.open_table(BLOCKS)?.insert(number, &block.encode()[..])?;
    txn.open_table(BLOCK_NUMBERS)?.insert(&block.hash.0, number)?;
    let mut places = txn.open_table(TX_PLACES)?;
    for (index, tx) in (0u32..).zip(&block.transactions) {
        places.insert(&tx.tx_hash().0, (number, index))?;
    }
    write_log_index(txn, block)?;
    write_state(txn, changes)?;
    write_nodes(txn, changes)?;
    if number > 0 {
        write_history(txn, number, changes)?;
    }
    Ok(())
}

fn write_log_index(txn: &WriteTransaction, block: &SealedBlock) -> Result<(), LedgerError> {
    let mut keys = BTreeSet::new();
    for log in block.receipts.iter().flat_map(|receipt| receipt.logs()) {
        keys.insert(Posting::Address(&log.address).key(block.header.number));
        for (position, topic) in (0u8..).zip(log.topics()) {
            keys.insert(Posting::Topic(position, topic).key(block.header.number));
        }
    }
    if keys.is_empty() {
        return Ok(());
    }
    let mut index = txn.open_table(LOG_INDEX)?;
    for key in keys {
        index.insert(&key, ())?;
    }
    Ok(())
}

fn write_state(txn: &WriteTransaction, changes: &StateChanges) -> Result<(), LedgerError> {
    let mut accounts = txn.open_table(ACCOUNTS)?;
    for (address, account) in &changes.accounts {
        match account.after {
            Some(account) => accounts.insert(&address.0.0, &account.encode()[..])?,
            None => accounts.remove(&address.0.0)?,
        };
    }
    let mut storage = txn.open_table(STORAGE)?;
    for ((address, slot), value) in &changes.storage {
        let key = slot_key(*address, *slot);
        if value.after.is_zero() {
            storage.remove(&key)?;
        } else {
            storage.insert(&key, &value.after.to_be_bytes_trimmed_vec()[..])?;
        }
    }
    if !changes.codes.is_empty() {
        let mut codes = txn.open_table(CODES)?;
        for (hash, code) in &changes.codes {
            codes.insert(&hash.0, &code[..])?;
        }
    }
    Ok(())
}

fn write_nodes(txn: &WriteTransaction, changes: &StateChanges) -> Result<(), LedgerError> {
    let mut table = txn.open_table(ACCOUNT_TRIE)?;
    for (path, node) in &changes.account_nodes {
        let key = node_key(None, path);
        match node {
            Some(node) => table.insert(&key[..], &node[..])?,
            None => table.remove(&key[..])?,
        };
    }
    let mut table = txn.open_table(STORAGE_TRIE)?;
    for (address, nodes) in &changes.storage_nodes {
        for (path, node) in nodes {
            let key = node_key(Some(*address), path);
            match node {
                Some(node) => table.insert(&key[..], &node[..])?,
                None => table.remove(&key[..])?,
            };
        }
    }
    Ok(())
}

fn write_history(txn: &WriteTransaction, number: u64, changes: &StateChanges) -> Result<(), LedgerError> {
    let mut accounts = txn.open_table(ACCOUNT_HISTORY)?;
    for (address, account) in &changes.accounts {
        let before = account.before.map(|account| account.encode()).unwrap_or_default();
        accounts.insert(&account_history_key(*address, number), &before[..])?;
    }
    let mut storage = txn.open_table(STORAGE_HISTORY)?;
    for ((address, slot), value) in &changes.storage {
        let before =
            if value.before == U256::ZERO { Vec::new() } else { value.before.to_be_bytes_trimmed_vec() };
        storage.insert(&storage_history_key(*address, *slot, number), &before[..])?;
    }
    txn.open_table(CHANGED_KEYS)?.insert(number, &ChangedKeys::of(changes).to_bytes()[..])?;
    Ok(())
}

/// Removes what was before block `number`: no state that is still kept needs it.
fn forget_history(txn: &WriteTransaction, number: u64) -> Result<(), LedgerError> {
    let mut changed = txn.open_table(CHANGED_KEYS)?;
    let Some(keys) = changed.remove(number)?.map(|keys| ChangedKeys::from_bytes(keys.value())) else {
        return Ok(());
    };
    let keys = keys?;
    let mut accounts = txn.open_table(ACCOUNT_HISTORY)?;
    for address in keys.accounts {
        accounts.remove(&account_history_key(address, number))?;
    }
    let mut storage = txn.open_table(STORAGE_HISTORY)?;
    for key in keys.slots {
        storage.remove(&storage_history_key(key.address, key.slot, number))?;
    }
    Ok(())
}
