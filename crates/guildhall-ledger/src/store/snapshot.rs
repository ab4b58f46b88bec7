//! Reading: a consistent view of the chain as of one block, and of the state of older ones.

use super::{
    HISTORY_BLOCKS, decode_u64,
    state::{ChangedKeys, StoredAccount, slot_leaf},
    tables::{
        ACCOUNT_HISTORY, ACCOUNT_TRIE, ACCOUNTS, BLOCK_NUMBERS, BLOCKS, CHANGED_KEYS, CODES, LOG_INDEX, META,
        Posting, STORAGE, STORAGE_HISTORY, STORAGE_TRIE, TX_PLACES, WAITING, account_history_key, node_key,
        slot_key, storage_history_key,
    },
};
use crate::{
    block::SealedBlock,
    error::LedgerError,
    trie::{Change, NodeStore, Trie},
};
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::Nibbles;
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};
use revm::{DatabaseRef, bytecode::Bytecode, state::AccountInfo};
use std::collections::{BTreeMap, BTreeSet};

type Table<K, V> = ReadOnlyTable<K, V>;

/// The most keys that may have changed since an old block for a proof of its state to be made.
const MAX_REBUILT_KEYS: usize = 50_000;

/// What changed since a block, each key once.
#[derive(Debug, Default)]
struct Changes {
    accounts: BTreeSet<Address>,
    slots: BTreeSet<(Address, B256)>,
}

/// The whole database as of one block.
pub(crate) struct Snapshot {
    head: u64,
    blocks: Table<u64, &'static [u8]>,
    block_numbers: Table<&'static [u8; 32], u64>,
    tx_places: Table<&'static [u8; 32], (u64, u32)>,
    log_index: Table<&'static [u8; 16], ()>,
    accounts: Table<&'static [u8; 20], &'static [u8]>,
    storage: Table<&'static [u8; 52], &'static [u8]>,
    codes: Table<&'static [u8; 32], &'static [u8]>,
    account_trie: Table<&'static [u8], &'static [u8]>,
    storage_trie: Table<&'static [u8], &'static [u8]>,
    account_history: Table<&'static [u8; 28], &'static [u8]>,
    storage_history: Table<&'static [u8; 60], &'static [u8]>,
    changed_keys: Table<u64, &'static [u8]>,
    waiting: Table<&'static [u8; 32], &'static [u8]>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("head", &self.head).finish_non_exhaustive()
    }
}

/// What a log search asks for: each list is an OR, the lists together an AND; empty is anything.
#[derive(Debug, Default)]
pub(crate) struct LogQuery {
    pub(crate) addresses: Vec<Address>,
    pub(crate) topics: [Vec<B256>; 4],
}

impl Snapshot {
    pub(super) fn new(txn: &ReadTransaction) -> Result<Self, LedgerError> {
        let meta = txn.open_table(META)?;
        let head = meta.get("head")?.ok_or_else(|| LedgerError::corrupt("it has no newest block"))?;
        Ok(Self {
            head: decode_u64(head.value())?,
            blocks: txn.open_table(BLOCKS)?,
            block_numbers: txn.open_table(BLOCK_NUMBERS)?,
            tx_places: txn.open_table(TX_PLACES)?,
            log_index: txn.open_table(LOG_INDEX)?,
            accounts: txn.open_table(ACCOUNTS)?,
            storage: txn.open_table(STORAGE)?,
            codes: txn.open_table(CODES)?,
            account_trie: txn.open_table(ACCOUNT_TRIE)?,
            storage_trie: txn.open_table(STORAGE_TRIE)?,
            account_history: txn.open_table(ACCOUNT_HISTORY)?,
            storage_history: txn.open_table(STORAGE_HISTORY)?,
            changed_keys: txn.open_table(CHANGED_KEYS)?,
            waiting: txn.open_table(WAITING)?,
        })
    }

    /// The number of the newest block.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    fn block_bytes(&self, number: u64) -> Result<redb::AccessGuard<'_, &'static [u8]>, LedgerError> {
        if number > self.head {
            return Err(LedgerError::UnknownBlock { block: number, head: self.head });
        }
        self.blocks.get(number)?.ok_or_else(|| LedgerError::corrupt(format!("block {number} is missing")))
    }

    /// The block with that number.
    pub(crate) fn block(&self, number: u64) -> Result<SealedBlock, LedgerError> {
        let block = SealedBlock::decode(self.block_bytes(number)?.value())?;
        if block.header.number != number {
            return Err(LedgerError::corrupt(format!("block {} stands at {number}", block.header.number)));
        }
        Ok(block)
    }

    /// The hash of the block with that number.
    pub(crate) fn block_hash(&self, number: u64) -> Result<B256, LedgerError> {
        SealedBlock::decode_hash(self.block_bytes(number)?.value())
    }

    /// The number of the block with that hash.
    pub(crate) fn block_number(&self, hash: B256) -> Result<Option<u64>, LedgerError> {
        Ok(self.block_numbers.get(&hash.0)?.map(|number| number.value()))
    }

    /// Where a transaction stands: block and index.
    pub(crate) fn tx_place(&self, hash: B256) -> Result<Option<(u64, usize)>, LedgerError> {
        Ok(self.tx_places.get(&hash.0)?.map(|place| {
            let (block, index) = place.value();
            (block, index as usize)
        }))
    }

    /// The waiting transactions as they were accepted.
    pub(crate) fn waiting(&self) -> Result<Vec<Vec<u8>>, LedgerError> {
        self.waiting.iter()?.map(|entry| Ok(entry?.1.value().to_vec())).collect()
    }

    /// The newest state of an account.
    pub(crate) fn account(&self, address: Address) -> Result<Option<StoredAccount>, LedgerError> {
        self.accounts.get(&address.0.0)?.map(|account| StoredAccount::decode(account.value())).transpose()
    }

    /// The newest value of a slot.
    pub(crate) fn slot(&self, address: Address, slot: B256) -> Result<U256, LedgerError> {
        let value = self.storage.get(&slot_key(address, slot))?;
        value.map_or(Ok(U256::ZERO), |value| decode_word(value.value()))
    }

    /// All slots of an account that are not zero.
    pub(crate) fn slots(&self, address: Address) -> Result<Vec<B256>, LedgerError> {
        let range = slot_key(address, B256::ZERO)..=slot_key(address, B256::repeat_byte(0xff));
        self.storage
            .range::<&[u8; 52]>(range.start()..=range.end())?
            .map(|entry| Ok(B256::from_slice(&entry?.0.value()[20..])))
            .collect()
    }

    /// The code with that hash.
    pub(crate) fn code(&self, hash: B256) -> Result<Bytes, LedgerError> {
        if hash == alloy::primitives::KECCAK256_EMPTY {
            return Ok(Bytes::new());
        }
        let code = self.codes.get(&hash.0)?;
        let code = code.ok_or_else(|| LedgerError::corrupt(format!("code {hash} is missing")))?;
        Ok(Bytes::copy_from_slice(code.value()))
    }

    /// The root of the newest state.
    pub(crate) fn state_root(&self) -> Result<B256, LedgerError> {
        Trie::new(AccountNodes(self)).root()
    }

    /// The state trie, to change or to prove from.
    pub(crate) fn account_trie(&self) -> Trie<AccountNodes<'_>> {
        Trie::new(AccountNodes(self))
    }

    /// The storage trie of an account.
    pub(crate) fn storage_trie(&self, address: Address) -> Trie<StorageNodes<'_>> {
        Trie::new(StorageNodes(self, address))
    }

    /// The blocks between `from` and `to` that may hold logs that match; `None` when the query does
    /// not narrow them down.
    pub(crate) fn log_blocks(
        &self,
        query: &LogQuery,
        from: u64,
        to: u64,
    ) -> Result<Option<BTreeSet<u64>>, LedgerError> {
        let mut found: Option<BTreeSet<u64>> = None;
        let addresses = query.addresses.iter().map(Posting::Address).collect::<Vec<_>>();
        let topics = (0u8..).zip(&query.topics);
        let topics = topics.map(|(at, list)| list.iter().map(|t| Posting::Topic(at, t)).collect::<Vec<_>>());
        for any in std::iter::once(addresses).chain(topics).filter(|any| !any.is_empty()) {
            let mut blocks = BTreeSet::new();
            for posting in any {
                let range = posting.key(from)..=posting.key(to);
                for entry in self.log_index.range::<&[u8; 16]>(range.start()..=range.end())? {
                    blocks.insert(decode_u64(&entry?.0.value()[8..])?);
                }
            }
            found = Some(match found {
                None => blocks,
                Some(before) => before.intersection(&blocks).copied().collect(),
            });
        }
        Ok(found)
    }

    /// The oldest block whose state is kept.
    pub(crate) fn oldest_state(&self) -> u64 {
        self.head.saturating_sub(HISTORY_BLOCKS)
    }

    /// The accounts and slots changed after block `at`, refused when they are too many to work through.
    fn changed_since(&self, at: u64) -> Result<Changes, LedgerError> {
        let mut all = Changes::default();
        for entry in self.changed_keys.range(at + 1..=self.head)? {
            let keys = ChangedKeys::from_bytes(entry?.1.value())?;
            all.accounts.extend(keys.accounts);
            all.slots.extend(keys.slots.into_iter().map(|key| (key.address, key.slot)));
            if all.accounts.len() + all.slots.len() > MAX_REBUILT_KEYS {
                return Err(LedgerError::ProofTooOld { block: at, limit: MAX_REBUILT_KEYS });
            }
        }
        Ok(all)
    }
}

fn decode_word(bytes: &[u8]) -> Result<U256, LedgerError> {
    U256::try_from_be_slice(bytes).ok_or_else(|| LedgerError::corrupt("a storage value is too long"))
}

/// The nodes of the state trie.
pub(crate) struct AccountNodes<'a>(&'a Snapshot);

impl NodeStore for AccountNodes<'_> {
    fn node(&self, path: &Nibbles) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.0.account_trie.get(&node_key(None, path)[..])?.map(|node| node.value().to_vec()))
    }
}

/// The nodes of one account's storage trie.
pub(crate) struct StorageNodes<'a>(&'a Snapshot, Address);

impl NodeStore for StorageNodes<'_> {
    fn node(&self, path: &Nibbles) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.0.storage_trie.get(&node_key(Some(self.1), path)[..])?.map(|node| node.value().to_vec()))
    }
}

/// The state after one block, the newest or an older one that is still kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StateView<'a> {
    snapshot: &'a Snapshot,
    at: u64,
}

/// An account with the proofs of itself and of some of its slots.
pub(crate) struct Proof {
    pub(crate) account: Option<StoredAccount>,
    pub(crate) nodes: Vec<Bytes>,
    pub(crate) slots: Vec<(B256, U256, Vec<Bytes>)>,
}

impl<'a> StateView<'a> {
    /// The state after block `at`, refused where it is not kept.
    pub(crate) fn new(snapshot: &'a Snapshot, at: u64) -> Result<Self, LedgerError> {
        if at > snapshot.head {
            return Err(LedgerError::UnknownBlock { block: at, head: snapshot.head });
        }
        let oldest = snapshot.oldest_state();
        if at < oldest {
            return Err(LedgerError::StatePruned { block: at, oldest });
        }
        Ok(Self { snapshot, at })
    }

    /// The account as it was.
    pub(crate) fn account(&self, address: Address) -> Result<Option<StoredAccount>, LedgerError> {
        if self.at < self.snapshot.head {
            let range = account_history_key(address, self.at + 1)..=account_history_key(address, u64::MAX);
            let history = &self.snapshot.account_history;
            if let Some(entry) = history.range::<&[u8; 28]>(range.start()..=range.end())?.next() {
                let (_, before) = entry?;
                let before = before.value();
                return if before.is_empty() { Ok(None) } else { StoredAccount::decode(before).map(Some) };
            }
        }
        self.snapshot.account(address)
    }

    /// The code with that hash; code is never changed.
    pub(crate) fn code(&self, hash: B256) -> Result<Bytes, LedgerError> {
        self.snapshot.code(hash)
    }

    /// The slot as it was.
    pub(crate) fn slot(&self, address: Address, slot: B256) -> Result<U256, LedgerError> {
        if self.at < self.snapshot.head {
            let range = storage_history_key(address, slot, self.at + 1)
                ..=storage_history_key(address, slot, u64::MAX);
            let history = &self.snapshot.storage_history;
            if let Some(entry) = history.range::<&[u8; 60]>(range.start()..=range.end())?.next() {
                return decode_word(entry?.1.value());
            }
        }
        self.snapshot.slot(address, slot)
    }

    /// Proves an account and some of its slots under the state root of this block. For an older block
    /// its tries are rebuilt from the newest ones by taking back what changed since.
    pub(crate) fn prove(
        &self,
        address: Address,
        slots: &[B256],
        state_root: B256,
    ) -> Result<Proof, LedgerError> {
        let mut accounts = self.snapshot.account_trie();
        let mut storage = self.snapshot.storage_trie(address);
        if self.at < self.snapshot.head {
            let keys = self.snapshot.changed_since(self.at)?;
            let mut old = BTreeMap::new();
            for changed in keys.accounts {
                old.insert(hashed(changed), self.account(changed)?.map(|account| account.leaf()));
            }
            accounts.apply(&old.into_iter().collect::<Vec<Change>>())?;
            let mut old = BTreeMap::new();
            for (_, slot) in keys.slots.range((address, B256::ZERO)..=(address, B256::repeat_byte(0xff))) {
                old.insert(hashed(slot), slot_leaf(self.slot(address, *slot)?));
            }
            storage.apply(&old.into_iter().collect::<Vec<Change>>())?;
        }
        let root = accounts.root()?;
        if root != state_root {
            return Err(LedgerError::corrupt(format!(
                "block {}: state root {root}, not {state_root}",
                self.at
            )));
        }
        let mut proofs = Vec::with_capacity(slots.len());
        for slot in slots {
            proofs.push((*slot, self.slot(address, *slot)?, storage.prove(&hashed(slot))?));
        }
        Ok(Proof { account: self.account(address)?, nodes: accounts.prove(&hashed(address))?, slots: proofs })
    }
}

/// The place of an address or slot in its trie.
pub(crate) fn hashed(key: impl AsRef<[u8]>) -> Nibbles {
    Nibbles::unpack(keccak256(key))
}

impl DatabaseRef for StateView<'_> {
    type Error = LedgerError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, LedgerError> {
        Ok(self.account(address)?.map(|account| account.info()))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, LedgerError> {
        Bytecode::new_raw_checked(self.snapshot.code(code_hash)?)
            .map_err(|e| LedgerError::corrupt(format!("code {code_hash}: {e}")))
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, LedgerError> {
        self.slot(address, B256::from(index))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, LedgerError> {
        if number > self.at { Ok(B256::ZERO) } else { self.snapshot.block_hash(number) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{BlockWrite, Changed, StateChanges, Store};
    use alloy::consensus::Header;

    /// A block that changes the slots `from` to `to` of one account.
    fn changing(store: &Store, number: u64, slots: std::ops::Range<usize>) {
        let header = Header { number, ..Header::default() };
        let block =
            SealedBlock { hash: header.hash_slow(), header, transactions: Vec::new(), receipts: Vec::new() };
        let change = Changed { before: U256::ZERO, after: U256::from(1) };
        let key = |slot| (Address::ZERO, B256::from(U256::from(slot)));
        let storage = slots.map(|slot| (key(slot), change)).collect();
        let changes = StateChanges { storage, ..StateChanges::default() };
        let write = BlockWrite { block: Some((&block, &changes)), ..BlockWrite::default() };
        store.write(&write).unwrap();
    }

    #[test]
    fn a_block_since_which_too_much_changed_is_not_proven_and_says_why() {
        let store = Store::empty().unwrap();
        changing(&store, 1, 0..MAX_REBUILT_KEYS);
        // The same keys again are no more to rebuild.
        changing(&store, 2, 0..MAX_REBUILT_KEYS);
        assert_eq!(store.snapshot().unwrap().changed_since(0).unwrap().slots.len(), MAX_REBUILT_KEYS);
        changing(&store, 3, MAX_REBUILT_KEYS..MAX_REBUILT_KEYS + 1);
        let snapshot = store.snapshot().unwrap();
        let view = StateView::new(&snapshot, 0).unwrap();
        let error = view.prove(Address::ZERO, &[], B256::ZERO).err().unwrap();
        assert_eq!(error.code(), "ledger.proof_too_old");
        assert_eq!(
            error.to_string(),
            "block 0 cannot be proven any more: more than 50000 accounts and slots changed since, too many to \
             rebuild its trie; ask for the proof of a newer block, or earlier"
        );
        assert_eq!(view.slot(Address::ZERO, B256::ZERO).unwrap(), U256::ZERO, "but it can be read");
        assert_eq!(snapshot.changed_since(2).unwrap().slots.len(), 1, "and newer ones can be proven");
    }
}
