//! From what an execution changed to the new state root, touching only the paths that changed.

use crate::{
    error::LedgerError,
    genesis::Genesis,
    store::{Changed, Snapshot, StateChanges, StoredAccount, hashed, slot_leaf},
    trie::Change,
};
use alloy::primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;
use revm::database::BundleState;
use std::collections::BTreeMap;

/// What became of one account.
#[derive(Debug, Default)]
struct AccountUpdate {
    /// Nonce, balance and code hash; `None` when the account is gone.
    after: Option<(u64, U256, B256)>,
    /// All storage that it had before is gone.
    wiped: bool,
    /// The slots written, with their new values.
    slots: BTreeMap<B256, U256>,
}

/// The changes of a block that executed to `bundle` on top of `snapshot`, and the new state root.
pub(crate) fn apply_bundle(
    snapshot: &Snapshot,
    bundle: BundleState,
) -> Result<(StateChanges, B256), LedgerError> {
    let mut updates = BTreeMap::new();
    for (address, account) in bundle.state {
        let update = AccountUpdate {
            wiped: account.was_destroyed(),
            after: account.info.as_ref().map(|info| (info.nonce, info.balance, info.code_hash)),
            slots: account
                .storage
                .into_iter()
                .map(|(slot, value)| (B256::from(slot), value.present_value))
                .collect(),
        };
        updates.insert(address, update);
    }
    let codes = bundle
        .contracts
        .into_iter()
        .filter(|(hash, _)| *hash != KECCAK256_EMPTY)
        .map(|(hash, code)| (hash, code.original_bytes()))
        .collect();
    apply(snapshot, updates, codes)
}

/// The state of a genesis on top of an empty `snapshot`.
pub(crate) fn apply_genesis(
    snapshot: &Snapshot,
    genesis: &Genesis,
) -> Result<(StateChanges, B256), LedgerError> {
    let mut codes = BTreeMap::new();
    let mut updates = BTreeMap::new();
    for (address, account) in genesis.all_accounts() {
        let code_hash = keccak256(&account.code);
        let empty = account.nonce == 0 && account.balance.is_zero() && account.code.is_empty();
        if empty && account.storage.is_empty() {
            continue;
        }
        if !account.code.is_empty() {
            codes.insert(code_hash, account.code);
        }
        let slots = account.storage.into_iter().map(|(slot, value)| (slot, value.into())).collect();
        let after = Some((account.nonce, account.balance, code_hash));
        updates.insert(address, AccountUpdate { after, wiped: false, slots });
    }
    apply(snapshot, updates, codes)
}

fn apply(
    snapshot: &Snapshot,
    updates: BTreeMap<Address, AccountUpdate>,
    codes: BTreeMap<B256, Bytes>,
) -> Result<(StateChanges, B256), LedgerError> {
    let mut changes = StateChanges { codes, ..StateChanges::default() };
    for (address, update) in updates {
        apply_account(snapshot, address, update, &mut changes)?;
    }
    let leaves: BTreeMap<_, _> = changes
        .accounts
        .iter()
        .map(|(address, account)| (hashed(address), account.after.map(|account| account.leaf())))
        .collect();
    let mut trie = snapshot.account_trie();
    let root = trie.apply(&leaves.into_iter().collect::<Vec<Change>>())?;
    changes.account_nodes = trie.into_dirty();
    Ok((changes, root))
}

fn apply_account(
    snapshot: &Snapshot,
    address: Address,
    mut update: AccountUpdate,
    changes: &mut StateChanges,
) -> Result<(), LedgerError> {
    let before = snapshot.account(address)?;
    if (update.wiped || update.after.is_none()) && before.is_some() {
        for slot in snapshot.slots(address)? {
            let value = update.slots.entry(slot).or_default();
            if update.after.is_none() {
                *value = U256::ZERO;
            }
        }
    }
    let mut leaves = BTreeMap::new();
    for (slot, after) in update.slots {
        let before = snapshot.slot(address, slot)?;
        if before != after {
            changes.storage.insert((address, slot), Changed { before, after });
            leaves.insert(hashed(slot), slot_leaf(after));
        }
    }
    let mut storage_root = before.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
    if !leaves.is_empty() {
        let mut trie = snapshot.storage_trie(address);
        storage_root = trie.apply(&leaves.into_iter().collect::<Vec<Change>>())?;
        changes.storage_nodes.insert(address, trie.into_dirty());
    }
    let after = update.after.map(|(nonce, balance, code_hash)| StoredAccount {
        nonce,
        balance,
        code_hash,
        storage_root,
    });
    if before != after {
        changes.accounts.insert(address, Changed { before, after });
    }
    Ok(())
}
