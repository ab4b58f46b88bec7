//! What a local store holds: sizes, use order, pins and reservations. Memory only; [`crate::FsStore`] does the disk.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use guildhall_protocol::ContentId;

use crate::BlobError;

/// What is known of one blob.
#[derive(Clone, Debug, Default)]
struct Entry {
    len: u64,
    /// Position in the order of use; larger = later.
    used_at: u64,
    /// Pinned on disk.
    pinned: bool,
    /// Readers that hold it now.
    holders: u32,
    /// Modification time of the file when its bytes were last hashed.
    verified: Option<SystemTime>,
}

impl Entry {
    fn evictable(&self) -> bool {
        !self.pinned && self.holders == 0
    }
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<ContentId, Entry>,
    /// Blobs in the order of their last use.
    order: BTreeMap<u64, ContentId>,
    clock: u64,
    stored: u64,
    reserved: u64,
    /// Interrupted downloads that nobody works on, by id, with their size. They are evicted first.
    idle: BTreeMap<ContentId, u64>,
}

/// What must be deleted from the disk to make room.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Evicted {
    pub(crate) blobs: Vec<ContentId>,
    pub(crate) partials: Vec<ContentId>,
}

/// The index of one store. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    state: Arc<Mutex<State>>,
    quota: u64,
}

/// Holds a blob against eviction while it lives.
#[derive(Debug)]
pub(crate) struct PinGuard {
    index: Index,
    id: ContentId,
}

impl Clone for PinGuard {
    fn clone(&self) -> Self {
        self.index.with(|state| hold(state, self.id));
        Self { index: self.index.clone(), id: self.id }
    }
}

impl Drop for PinGuard {
    fn drop(&mut self) {
        self.index.with(|state| {
            if let Some(entry) = state.entries.get_mut(&self.id) {
                entry.holders = entry.holders.saturating_sub(1);
            }
        });
    }
}

fn hold(state: &mut State, id: ContentId) {
    if let Some(entry) = state.entries.get_mut(&id) {
        entry.holders = entry.holders.saturating_add(1);
    }
}

impl Index {
    pub(crate) fn new(quota: u64) -> Self {
        Self { state: Arc::default(), quota }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a blob as the last used one. `verified` is its file's time when its bytes are known to be right.
    pub(crate) fn insert(&self, id: ContentId, len: u64, pinned: bool, verified: Option<SystemTime>) {
        self.with(|state| {
            let old = state.entries.remove(&id).unwrap_or_default();
            state.order.remove(&old.used_at);
            state.clock += 1;
            let used_at = state.clock;
            state.order.insert(used_at, id);
            state.stored = state.stored - old.len + len;
            let pinned = pinned || old.pinned;
            state.entries.insert(id, Entry { len, used_at, pinned, holders: old.holders, verified });
        });
    }

    pub(crate) fn remove(&self, id: ContentId) {
        self.with(|state| {
            if let Some(entry) = state.entries.remove(&id) {
                state.order.remove(&entry.used_at);
                state.stored -= entry.len;
            }
        });
    }

    pub(crate) fn len_of(&self, id: ContentId) -> Option<u64> {
        self.with(|state| state.entries.get(&id).map(|entry| entry.len))
    }

    /// Marks a blob as used now and holds it.
    pub(crate) fn hold(&self, id: ContentId) -> Option<(u64, PinGuard)> {
        let len = self.with(|state| {
            let entry = state.entries.get_mut(&id)?;
            state.order.remove(&entry.used_at);
            state.clock += 1;
            entry.used_at = state.clock;
            entry.holders = entry.holders.saturating_add(1);
            state.order.insert(entry.used_at, id);
            Some(entry.len)
        })?;
        Some((len, PinGuard { index: self.clone(), id }))
    }

    pub(crate) fn set_pinned(&self, id: ContentId, pinned: bool) -> bool {
        self.with(|state| state.entries.get_mut(&id).map(|entry| entry.pinned = pinned).is_some())
    }

    pub(crate) fn verified_at(&self, id: ContentId) -> Option<SystemTime> {
        self.with(|state| state.entries.get(&id).and_then(|entry| entry.verified))
    }

    pub(crate) fn set_verified(&self, id: ContentId, modified: SystemTime) {
        self.with(|state| {
            if let Some(entry) = state.entries.get_mut(&id) {
                entry.verified = Some(modified);
            }
        });
    }

    /// Bytes of all blobs, and of writes and interrupted downloads.
    pub(crate) fn usage(&self) -> (u64, u64) {
        self.with(|state| (state.stored, state.reserved + state.idle.values().sum::<u64>()))
    }

    /// Reserves room for a write; says what must be deleted for it. Least recently used blobs go first, pinned and held
    /// ones never.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<Evicted, BlobError> {
        self.with(|state| {
            let free_at_most: u64 = state.entries.values().filter(|e| e.evictable()).map(|e| e.len).sum();
            let stuck = state.stored - free_at_most + state.reserved;
            if stuck.saturating_add(bytes) > self.quota {
                return Err(BlobError::Quota { needed: bytes, used: stuck, quota: self.quota });
            }
            let mut evicted = Evicted::default();
            while total(state).saturating_add(bytes) > self.quota {
                if let Some((id, _)) = state.idle.pop_first() {
                    evicted.partials.push(id);
                    continue;
                }
                let next = state.order.values().copied().find(|id| state.entries[id].evictable());
                let Some(id) = next else { break };
                if let Some(entry) = state.entries.remove(&id) {
                    state.order.remove(&entry.used_at);
                    state.stored -= entry.len;
                }
                evicted.blobs.push(id);
            }
            state.reserved += bytes;
            Ok(evicted)
        })
    }

    pub(crate) fn release(&self, bytes: u64) {
        self.with(|state| state.reserved = state.reserved.saturating_sub(bytes));
    }

    /// Notes an interrupted download that may be resumed; `false` when there are `most` already.
    pub(crate) fn add_idle(&self, id: ContentId, len: u64, most: usize) -> bool {
        self.with(|state| {
            let room = state.idle.len() < most || state.idle.contains_key(&id);
            if room {
                state.idle.insert(id, len);
            }
            room
        })
    }

    /// Takes an interrupted download to work on; its size.
    pub(crate) fn take_idle(&self, id: ContentId) -> Option<u64> {
        self.with(|state| state.idle.remove(&id))
    }
}

fn total(state: &State) -> u64 {
    state.stored + state.reserved + state.idle.values().sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ContentId {
        ContentId::of(&[n])
    }

    #[test]
    fn the_least_recently_used_goes_first_and_the_pinned_stays() {
        let index = Index::new(100);
        for n in 0..4 {
            index.insert(id(n), 25, n == 0, None);
        }
        drop(index.hold(id(1)));
        let evicted = index.reserve(30).expect("room");
        assert_eq!(evicted.blobs, [id(2), id(3)]);
        assert_eq!(index.len_of(id(0)), Some(25));
    }

    #[test]
    fn a_held_blob_is_not_evicted() {
        let index = Index::new(100);
        index.insert(id(1), 60, false, None);
        let held = index.hold(id(1)).expect("here");
        assert!(matches!(index.reserve(50), Err(BlobError::Quota { needed: 50, used: 60, quota: 100 })));
        drop(held);
        assert_eq!(index.reserve(50).expect("room").blobs, [id(1)]);
    }

    #[test]
    fn a_request_that_cannot_fit_evicts_nothing() {
        let index = Index::new(100);
        index.insert(id(1), 60, false, None);
        index.reserve(101).expect_err("too much");
        assert_eq!(index.len_of(id(1)), Some(60));
    }

    #[test]
    fn interrupted_downloads_go_before_blobs() {
        let index = Index::new(100);
        index.insert(id(1), 60, false, None);
        assert!(index.add_idle(id(2), 40, 4));
        let evicted = index.reserve(40).expect("room");
        assert_eq!(evicted, Evicted { blobs: vec![], partials: vec![id(2)] });
        assert_eq!(index.usage(), (60, 40));
    }
}
