//! The handle: opens the chain, submits transactions, moves time, reads.

use crate::{
    block::{Head, SealedBlock},
    config::LedgerConfig,
    error::LedgerError,
    genesis::Genesis,
    pool, roots,
    sealer::{Command, Sealer},
    shared::Shared,
    store::Store,
};
use alloy::primitives::B256;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
};
use tokio::sync::{Semaphore, oneshot, watch};

/// How many transactions may be on their way into blocks; one more waits for its turn.
pub const MAX_IN_FLIGHT: usize = 8_192;

/// A handle to the chain, cheap to clone. The chain runs until [`Ledger::close`] or until the last
/// handle, server and transport made from it is gone.
#[derive(Debug, Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    in_flight: Arc<Semaphore>,
    config: LedgerConfig,
    released: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Ledger {
    /// Opens the chain at the configured path, or starts it.
    ///
    /// # Errors
    /// `ledger.locked`, `ledger.foreign`, `ledger.newer_format`, `ledger.genesis_mismatch`,
    /// `ledger.corrupt` or `ledger.storage`, each naming what was found.
    pub fn open(config: LedgerConfig) -> Result<Self, LedgerError> {
        let (store, released) = Store::open(config.path.as_deref())?;
        Self::open_on(config, store, released)
    }

    /// Opens the chain in `store`, or starts it there.
    pub(crate) fn open_on(
        config: LedgerConfig,
        store: Arc<Store>,
        released: oneshot::Receiver<()>,
    ) -> Result<Self, LedgerError> {
        let path = config.path.as_deref();
        match store.genesis(path)? {
            Some(stored) => stored.ensure_same(&config.genesis)?,
            None => start(&store, &config.genesis)?,
        }
        let head = store.verify_head()?;
        let head = Arc::new(store.snapshot()?.block(head.number)?);
        let shared =
            Arc::new(Shared::new(config.genesis.chain_id, store.clone(), head.clone(), config.clock));
        let sealer = Sealer::new(shared.clone(), store, &head, &config)?;
        let (commands, receiver) = mpsc::channel();
        std::thread::Builder::new()
            .name("guildhall-sealer".to_owned())
            .spawn(move || sealer.run(&receiver))
            .map_err(|e| LedgerError::Storage { reason: format!("no thread for the sealer: {e}") })?;
        let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        let released = Mutex::new(Some(released));
        Ok(Self { inner: Arc::new(Inner { shared, commands, in_flight, config, released }) })
    }

    /// The genesis that the database at `path` was started with; `None` where there is none yet. Lets a
    /// program reopen a chain whose genesis it did not keep.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn stored_genesis(path: &Path) -> Result<Option<Genesis>, LedgerError> {
        if !path.exists() {
            return Ok(None);
        }
        let (store, _) = Store::open(Some(path))?;
        store.genesis(Some(path))
    }

    /// How the ledger was set up.
    pub fn config(&self) -> &LedgerConfig {
        &self.inner.config
    }

    /// The EIP-155 chain id.
    pub fn chain_id(&self) -> u64 {
        self.inner.shared.chain_id
    }

    /// The newest block in short.
    pub fn head(&self) -> Head {
        self.inner.shared.head()
    }

    /// Follows the newest block. A slow follower sees the newest only; [`Self::block`] has the ones
    /// between.
    pub fn subscribe_heads(&self) -> watch::Receiver<Head> {
        self.inner.shared.heads()
    }

    /// The block with that number.
    ///
    /// # Errors
    /// `ledger.unknown_block` beyond the newest.
    pub fn block(&self, number: u64) -> Result<Arc<SealedBlock>, LedgerError> {
        self.inner.shared.block(number)
    }

    /// Submits a signed transaction in its EIP-2718 encoding. Returns when it is durable: in a block or,
    /// if its turn has not come, among those that wait.
    ///
    /// # Errors
    /// The reason of the refusal, see [`crate::TxRejected`].
    pub async fn submit(&self, encoded: &[u8]) -> Result<B256, LedgerError> {
        let tx = Box::new(pool::decode(encoded)?);
        let permit = self.inner.in_flight.clone().acquire_owned().await.map_err(|_| LedgerError::Closed)?;
        self.ask(|reply| Command::Submit { tx, reply, permit }).await
    }

    /// Seals a block of what is ready, an empty one if nothing is.
    ///
    /// # Errors
    /// `ledger.storage` where it could not be written.
    pub async fn seal(&self) -> Result<Arc<SealedBlock>, LedgerError> {
        self.ask(|reply| Command::Seal { reply }).await
    }

    /// Waits until the store fails, and says why: from then on nothing is accepted, until the file is opened anew. What was
    /// acknowledged is in it. Nothing where the ledger ends before.
    pub fn failed(&self) -> impl Future<Output = Option<LedgerError>> + Send + use<> {
        let mut failures = self.inner.shared.failures();
        async move {
            let failed = failures.wait_for(Option::is_some).await.ok()?.clone();
            failed.map(|reason| LedgerError::Storage { reason })
        }
    }

    /// Moves the chain's time `secs` seconds ahead, from the next block on. Returns by how much time is
    /// shifted in all (for a manual clock: the time itself).
    ///
    /// # Errors
    /// `ledger.closed`.
    pub async fn advance_time(&self, secs: u64) -> Result<u64, LedgerError> {
        self.ask(|reply| Command::Advance { secs, reply }).await
    }

    /// Sets the time of the next block, from which time then goes on.
    ///
    /// # Errors
    /// `ledger.time_backwards` where it lies before the newest block's.
    pub async fn set_next_timestamp(&self, timestamp: u64) -> Result<(), LedgerError> {
        self.ask(|reply| Command::SetNext { timestamp, reply }).await
    }

    /// Stops the chain and lets go of its file, which can be opened again when this returns. Other
    /// handles answer `ledger.closed` from then on.
    pub async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.inner.commands.send(Command::Close { reply }).is_ok() {
            let _ = done.await;
        }
        self.inner.shared.close();
        let released = self.inner.released.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(released) = released {
            let _ = released.await;
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, LedgerError>>) -> Command,
    ) -> Result<T, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.inner.commands.send(command(reply)).map_err(|_| LedgerError::Closed)?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }
}

/// Writes block 0.
pub(crate) fn start(store: &Store, genesis: &Genesis) -> Result<(), LedgerError> {
    let (changes, state_root) = roots::apply_genesis(&Store::empty()?.snapshot()?, genesis)?;
    let header = genesis.header(state_root);
    let block =
        SealedBlock { hash: header.hash_slow(), header, transactions: Vec::new(), receipts: Vec::new() };
    store.write_genesis(genesis, &block, &changes)
}
