//! What the sealer and its readers share: the store, the newest block, blocks of late, what waits.

use crate::{
    block::{Head, SealedBlock},
    clock::ChainClock,
    config::Clock,
    error::LedgerError,
    pool::Pool,
    store::{Snapshot, Store},
};

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};
use tokio::sync::watch;

/// Blocks kept decoded in memory; older ones are read from the store.
const RECENT_BLOCKS: usize = 256;

/// The most transactions in the blocks kept in memory, which bounds their size.
const RECENT_TRANSACTIONS: usize = 20_000;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) chain_id: u64,
    store: RwLock<Option<Arc<Store>>>,
    clock: Mutex<ChainClock>,
    pool: Mutex<Pool>,
    recent: Mutex<Recent>,
    head: watch::Sender<Head>,
    /// The position after the newest accepted transaction, see [`Pool::accepted_since`].
    accepted: watch::Sender<u64>,
    /// Why the store takes nothing any more.
    failed: watch::Sender<Option<String>>,
}

#[derive(Debug, Default)]
struct Recent {
    blocks: VecDeque<Arc<SealedBlock>>,
    transactions: usize,
}

impl Recent {
    fn push(&mut self, block: Arc<SealedBlock>) {
        self.transactions += block.transactions.len();
        self.blocks.push_back(block);
        while self.blocks.len() > RECENT_BLOCKS
            || (self.transactions > RECENT_TRANSACTIONS && self.blocks.len() > 1)
        {
            let oldest = self.blocks.pop_front();
            self.transactions -= oldest.map_or(0, |block| block.transactions.len());
        }
    }

    fn get(&self, number: u64) -> Option<Arc<SealedBlock>> {
        let first = self.blocks.front()?.header.number;
        let index = usize::try_from(number.checked_sub(first)?).ok()?;
        self.blocks.get(index).cloned()
    }
}

impl Shared {
    pub(crate) fn new(chain_id: u64, store: Arc<Store>, head: Arc<SealedBlock>, clock: Clock) -> Self {
        let mut recent = Recent::default();
        let (sender, _) = watch::channel(head.head());
        let clock = Mutex::new(ChainClock::new(clock, head.header.timestamp));
        recent.push(head);
        Self {
            chain_id,
            store: RwLock::new(Some(store)),
            clock,
            pool: Mutex::default(),
            recent: Mutex::new(recent),
            head: sender,
            accepted: watch::Sender::new(0),
            failed: watch::Sender::default(),
        }
    }

    /// Says that the store takes nothing any more; the first reason stays.
    pub(crate) fn fail(&self, reason: &str) {
        self.failed.send_if_modified(|failed| {
            let first = failed.is_none();
            failed.get_or_insert_with(|| reason.to_owned());
            first
        });
    }

    pub(crate) fn failures(&self) -> watch::Receiver<Option<String>> {
        self.failed.subscribe()
    }

    pub(crate) fn store(&self) -> Result<Arc<Store>, LedgerError> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        store.clone().ok_or(LedgerError::Closed)
    }

    /// Lets go of the store, after which everything answers that the ledger is closed.
    pub(crate) fn close(&self) {
        self.store.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(crate) fn snapshot(&self) -> Result<Snapshot, LedgerError> {
        self.store()?.snapshot()
    }

    /// The clock that the next block's time comes from.
    pub(crate) fn clock(&self) -> MutexGuard<'_, ChainClock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn head(&self) -> Head {
        *self.head.borrow()
    }

    pub(crate) fn heads(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    pub(crate) fn accepted(&self) -> watch::Receiver<u64> {
        self.accepted.subscribe()
    }

    /// A block is durable: readers may see it.
    pub(crate) fn publish(&self, block: Arc<SealedBlock>) {
        let head = block.head();
        self.recent().push(block);
        self.head.send_replace(head);
    }

    /// Transactions were accepted.
    pub(crate) fn publish_accepted(&self) {
        let position = self.pool().accepted_position();
        self.accepted.send_replace(position);
    }

    /// The block with that number. The store alone says which is the newest: for a moment it holds a block that is not
    /// announced yet, and whoever saw that one in a snapshot may ask for it.
    pub(crate) fn block(&self, number: u64) -> Result<Arc<SealedBlock>, LedgerError> {
        if let Some(block) = self.recent().get(number) {
            self.store()?;
            return Ok(block);
        }
        Ok(Arc::new(self.snapshot()?.block(number)?))
    }
}
