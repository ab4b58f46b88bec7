//! The one writer: takes transactions in, seals blocks, moves time.
//!
//! A thread of its own. What arrives while a block is being written is taken together into the next
//! one, so that many clients share one durable write. Nothing is answered before it is durable: a
//! transaction in a block or, where it must wait, in the table of those that wait.

use crate::{
    block::SealedBlock,
    config::{LedgerConfig, SealMode},
    error::{LedgerError, TxRejected},
    execute::{self, NextBlock},
    pool::{self, Admission, Sender},
    shared::Shared,
    store::{BlockWrite, Snapshot, Store},
};
use alloy::{
    consensus::{Header, Transaction, TxEnvelope, transaction::Recovered},
    primitives::{Address, B256},
};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// The most commands taken together; what is beyond waits for the next group.
const MAX_GROUP: usize = 8_192;

/// The shortest time between two blocks of a timer.
const MIN_PERIOD: Duration = Duration::from_millis(100);

type Reply<T> = oneshot::Sender<Result<T, LedgerError>>;

/// What the sealer is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Accept a transaction; answered when it is durable. The permit bounds how many are under way.
    Submit { tx: Box<Recovered<TxEnvelope>>, reply: Reply<B256>, permit: OwnedSemaphorePermit },
    /// Seal a block of what is ready, empty if nothing is.
    Seal { reply: Reply<Arc<SealedBlock>> },
    /// Move time ahead by seconds; answered with the whole shift.
    Advance { secs: u64, reply: Reply<u64> },
    /// Set the time of the next block.
    SetNext { timestamp: u64, reply: Reply<()> },
    /// Stop.
    Close { reply: oneshot::Sender<()> },
}

/// A submitter that waits for an answer.
struct Waiting {
    reply: Reply<B256>,
    _permit: OwnedSemaphorePermit,
}

pub(crate) struct Sealer {
    shared: Arc<Shared>,
    store: Arc<Store>,
    head: Header,
    head_hash: B256,
    seal: SealMode,
    beneficiary: Address,
    last_seal: Instant,
    /// Submitters not answered yet, by transaction.
    unanswered: HashMap<B256, Waiting>,
    /// Transactions in the table of those that wait.
    stored: HashSet<B256>,
    /// Transactions to take out of that table with the next write.
    gone: Vec<B256>,
}

impl Sealer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        store: Arc<Store>,
        head: &SealedBlock,
        config: &LedgerConfig,
    ) -> Result<Self, LedgerError> {
        let mut sealer = Self {
            shared,
            store,
            head: head.header.clone(),
            head_hash: head.hash,
            seal: config.seal,
            beneficiary: config.beneficiary,
            last_seal: Instant::now(),
            unanswered: HashMap::new(),
            stored: HashSet::new(),
            gone: Vec::new(),
        };
        sealer.reload()?;
        Ok(sealer)
    }

    /// Takes up the transactions that waited when the ledger was closed.
    fn reload(&mut self) -> Result<(), LedgerError> {
        let snapshot = self.store.snapshot()?;
        let mut waiting = Vec::new();
        for bytes in snapshot.waiting()? {
            let tx = pool::decode(&bytes).map_err(|e| LedgerError::corrupt(format!("waiting: {e}")))?;
            self.stored.insert(*tx.tx_hash());
            waiting.push(tx);
        }
        waiting.sort_by_key(|tx| (tx.signer(), tx.nonce()));
        for tx in waiting {
            let hash = *tx.tx_hash();
            if self.shared.pool().insert(tx).is_err() {
                self.gone.push(hash);
            }
        }
        Ok(())
    }

    /// Works until it is told to close or nobody can tell it anything any more.
    pub(crate) fn run(mut self, commands: &Receiver<Command>) {
        self.flush();
        loop {
            let first = match self.wait() {
                None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(wait) => commands.recv_timeout(wait),
            };
            match first {
                Ok(first) => {
                    if self.take(first, commands) {
                        return;
                    }
                    // A stream of transactions must not keep the timer from its blocks.
                    if self.wait().is_some_and(|wait| wait.is_zero()) {
                        self.tick();
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.tick(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// How long until the timer wants a block; `None` without a timer.
    fn wait(&self) -> Option<Duration> {
        Some(self.period()?.saturating_sub(self.last_seal.elapsed()))
    }

    /// The time after which the timer wants a block.
    fn period(&self) -> Option<Duration> {
        match self.seal {
            SealMode::Instant { idle } => Some(idle?.max(Duration::from_secs(1))),
            SealMode::Interval { period } => Some(period.max(MIN_PERIOD)),
            SealMode::Manual => None,
        }
    }

    fn tick(&mut self) {
        self.last_seal = Instant::now();
        if let Err(error) = self.seal_block(true) {
            tracing::error!(code = error.code(), %error, "no block on the timer");
            self.note_failure(&error);
        }
    }

    /// Takes `first` and what has queued up behind it. True: close.
    fn take(&mut self, first: Command, commands: &Receiver<Command>) -> bool {
        let group = std::iter::once(first).chain(commands.try_iter().take(MAX_GROUP - 1));
        let mut snapshot = None;
        for command in group {
            match command {
                Command::Submit { tx, reply, permit } => {
                    self.admit(*tx, Waiting { reply, _permit: permit }, &mut snapshot);
                    continue;
                }
                Command::Seal { reply } => {
                    self.flush();
                    let sealed = self.seal_block(true);
                    self.last_seal = Instant::now();
                    let _ = reply.send(sealed.and_then(|()| self.shared.block(self.head.number)));
                }
                Command::Advance { secs, reply } => {
                    self.flush();
                    let _ = reply.send(Ok(self.shared.clock().advance(secs)));
                }
                Command::SetNext { timestamp, reply } => {
                    self.flush();
                    let _ = reply.send(self.shared.clock().set_next(timestamp, self.head.timestamp));
                }
                Command::Close { reply } => {
                    self.flush();
                    drop(reply);
                    return true;
                }
            }
            snapshot = None;
        }
        self.flush();
        false
    }

    fn admit(&mut self, tx: Recovered<TxEnvelope>, waiting: Waiting, snapshot: &mut Option<Snapshot>) {
        match self.try_admit(tx, snapshot) {
            Ok(hash) => {
                self.unanswered.insert(hash, waiting);
            }
            Err(error) => {
                let _ = waiting.reply.send(Err(error));
            }
        }
    }

    fn try_admit(
        &mut self,
        tx: Recovered<TxEnvelope>,
        snapshot: &mut Option<Snapshot>,
    ) -> Result<B256, LedgerError> {
        let state = match snapshot {
            Some(snapshot) => snapshot,
            None => snapshot.insert(self.store.snapshot()?),
        };
        let hash = *tx.tx_hash();
        if self.shared.pool().contains(&hash) || state.tx_place(hash)?.is_some() {
            return Err(TxRejected::Known(hash).into());
        }
        let account = state.account(tx.signer())?;
        let sender = Sender {
            nonce: account.map_or(0, |account| account.nonce),
            balance: account.map(|account| account.balance).unwrap_or_default(),
        };
        let rules = Admission {
            chain_id: self.shared.chain_id,
            base_fee: execute::next_base_fee(&self.head),
            block_gas_limit: self.head.gas_limit,
        };
        rules.check(&tx, sender)?;
        let replaced = self.shared.pool().insert(tx)?;
        if let Some(old) = replaced {
            self.forget(&old, || TxRejected::Invalid(format!("replaced by {hash}")).into());
        }
        Ok(hash)
    }

    /// Seals what is ready where blocks are sealed at once, then makes durable what has to wait.
    fn flush(&mut self) {
        if matches!(self.seal, SealMode::Instant { .. }) {
            loop {
                match self.seal_block(false) {
                    Ok(()) if self.progressed() => {}
                    Ok(()) => break,
                    Err(error) => {
                        self.fail_unanswered(&error);
                        break;
                    }
                }
            }
            self.refuse_too_cheap();
        }
        if let Err(error) = self.store_waiting() {
            self.fail_unanswered(&error);
        }
        self.shared.publish_accepted();
    }

    /// Whether there is more to seal now.
    fn progressed(&self) -> bool {
        self.candidates().is_ok_and(|ready| !ready.is_empty())
    }

    fn candidates(&self) -> Result<Vec<Recovered<TxEnvelope>>, LedgerError> {
        let pool = self.shared.pool();
        if pool.len() == 0 {
            return Ok(Vec::new());
        }
        let snapshot = self.store.snapshot()?;
        // Gas limits are usually more than what is used: offer several blocks' worth to fill one.
        pool.ready(execute::next_base_fee(&self.head), self.head.gas_limit.saturating_mul(4), |sender| {
            Ok(snapshot.account(sender)?.map_or(0, |account| account.nonce))
        })
    }

    /// Seals one block of what is ready; an empty one only where `even_empty`.
    fn seal_block(&mut self, even_empty: bool) -> Result<(), LedgerError> {
        let began = Instant::now();
        let candidates = self.candidates()?;
        if candidates.is_empty() && !even_empty {
            return Ok(());
        }
        let timestamp = self.shared.clock().next_timestamp(self.head.timestamp);
        let next = NextBlock::after(&self.head, self.head_hash, timestamp, self.beneficiary);
        let snapshot = self.store.snapshot()?;
        let executed = execute::execute(&snapshot, &next, self.shared.chain_id, candidates)?;
        drop(snapshot);
        for (hash, reason) in executed.refused {
            self.forget(&hash, || reason.clone().into());
        }
        if executed.block.transactions.is_empty() && !even_empty {
            return Ok(());
        }
        let mut gone = std::mem::take(&mut self.gone);
        for tx in &executed.block.transactions {
            if self.stored.remove(tx.tx_hash()) {
                gone.push(*tx.tx_hash());
            }
        }
        self.store.write(&BlockWrite {
            block: Some((&executed.block, &executed.changes)),
            wait: Vec::new(),
            gone,
        })?;
        self.shared.clock().sealed(timestamp);
        metrics::histogram!("ledger_seal_seconds").record(began.elapsed().as_secs_f64());
        metrics::gauge!("ledger_block").set(executed.block.header.number as f64);
        metrics::counter!("ledger_transactions_total").increment(executed.block.transactions.len() as u64);
        self.sealed(executed.block);
        Ok(())
    }

    /// The block is durable: tell everybody.
    fn sealed(&mut self, block: SealedBlock) {
        self.head = block.header.clone();
        self.head_hash = block.hash;
        self.last_seal = Instant::now();
        let block = Arc::new(block);
        {
            let mut pool = self.shared.pool();
            for tx in &block.transactions {
                pool.remove(tx.tx_hash());
            }
            pool.tidy();
        }
        self.shared.publish(block.clone());
        for tx in &block.transactions {
            if let Some(waiting) = self.unanswered.remove(tx.tx_hash()) {
                let _ = waiting.reply.send(Ok(*tx.tx_hash()));
            }
        }
    }

    /// A transaction leaves the pool without a block.
    fn forget(&mut self, hash: &B256, reason: impl Fn() -> LedgerError) {
        {
            let mut pool = self.shared.pool();
            pool.remove(hash);
            pool.tidy();
        }
        if self.stored.remove(hash) {
            self.gone.push(*hash);
        }
        if let Some(waiting) = self.unanswered.remove(hash) {
            let _ = waiting.reply.send(Err(reason()));
        }
    }

    /// Refuses new transactions that the base fee has overtaken since they were admitted.
    fn refuse_too_cheap(&mut self) {
        let base_fee = execute::next_base_fee(&self.head);
        let cheap: Vec<_> = {
            let pool = self.shared.pool();
            let fee_of = |hash| pool.get(hash).map(|tx| tx.max_fee_per_gas());
            self.unanswered
                .keys()
                .filter_map(|hash| Some((*hash, fee_of(hash)?)))
                .filter(|(_, cap)| *cap < u128::from(base_fee))
                .collect()
        };
        for (hash, cap) in cheap {
            self.forget(&hash, || TxRejected::FeeCap { cap, base_fee }.into());
        }
    }

    /// Writes down the accepted transactions that have to wait, then answers their submitters.
    fn store_waiting(&mut self) -> Result<(), LedgerError> {
        let wait: Vec<_> = {
            let pool = self.shared.pool();
            self.unanswered.keys().filter_map(|hash| Some((*hash, pool::encode(pool.get(hash)?)))).collect()
        };
        let gone = std::mem::take(&mut self.gone);
        if !wait.is_empty() || !gone.is_empty() {
            self.store.write(&BlockWrite { block: None, wait, gone })?;
        }
        for (hash, waiting) in self.unanswered.drain() {
            self.stored.insert(hash);
            let _ = waiting.reply.send(Ok(hash));
        }
        Ok(())
    }

    /// A database that failed once takes nothing until it is opened anew.
    fn note_failure(&self, error: &LedgerError) {
        if let LedgerError::Storage { reason } | LedgerError::Corrupt { reason } = error {
            self.shared.fail(reason);
        }
    }

    /// The store or the executor failed: whoever was not answered is told, and nothing of theirs is kept.
    fn fail_unanswered(&mut self, error: &LedgerError) {
        tracing::error!(code = error.code(), %error, "a block could not be sealed");
        self.note_failure(error);
        let hashes: Vec<_> = self.unanswered.keys().copied().collect();
        for hash in hashes {
            self.forget(&hash, || LedgerError::Storage { reason: error.to_string() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, Genesis};
    use alloy::{
        consensus::{SignableTransaction, TxEip1559},
        eips::eip2718::Encodable2718,
        primitives::{TxKind, U256},
        signers::{SignerSync, local::PrivateKeySigner},
    };
    use tokio::sync::Semaphore;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn signer() -> PrivateKeySigner {
        PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).unwrap()
    }

    /// A sealer without its thread, on a clock that stands still.
    fn sealer(seal: SealMode) -> Sealer {
        let genesis = Genesis::new(7, 1_000).fund(signer().address(), U256::from(u128::MAX));
        let config = LedgerConfig::new(genesis).clock(Clock::Manual).sealing(seal);
        let (store, _) = Store::open(None).unwrap();
        crate::ledger::start(&store, &config.genesis).unwrap();
        let head = Arc::new(store.snapshot().unwrap().block(0).unwrap());
        let shared = Arc::new(Shared::new(7, store.clone(), head.clone(), config.clock));
        Sealer::new(shared, store, &head, &config).unwrap()
    }

    fn submit(sealer: &mut Sealer, nonce: u64) -> oneshot::Receiver<Result<B256, LedgerError>> {
        let to = TxKind::Call(Address::repeat_byte(9));
        let (gas_limit, max_fee_per_gas) = (21_000, 2_000_000_000);
        let tx = TxEip1559 { chain_id: 7, nonce, gas_limit, max_fee_per_gas, to, ..TxEip1559::default() };
        let signature = signer().sign_hash_sync(&tx.signature_hash()).unwrap();
        let tx = TxEnvelope::from(tx.into_signed(signature)).encoded_2718();
        let (reply, answer) = oneshot::channel();
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let tx = Box::new(pool::decode(&tx).unwrap());
        let closed = sealer.take(Command::Submit { tx, reply, permit }, &std::sync::mpsc::channel().1);
        assert!(!closed);
        answer
    }

    #[test]
    fn an_interval_seals_when_its_time_has_come_and_not_before() {
        let mut sealer = sealer(SealMode::Interval { period: HOUR });
        let waiting = |sealer: &Sealer| sealer.store.snapshot().unwrap().waiting().unwrap().len();
        for nonce in 0..2 {
            let hash = submit(&mut sealer, nonce).try_recv().unwrap().unwrap();
            assert!(sealer.stored.contains(&hash), "acknowledged: it waits durably");
        }
        assert_eq!((sealer.head.number, waiting(&sealer)), (0, 2), "no block before its time");
        assert!(sealer.wait().unwrap() > HOUR / 2, "the timer goes on through what comes in between");
        // An hour later.
        sealer.last_seal = Instant::now().checked_sub(HOUR).unwrap();
        assert_eq!(sealer.wait(), Some(Duration::ZERO));
        sealer.tick();
        let block = sealer.shared.block(1).unwrap();
        assert_eq!((block.transactions.len(), block.header.timestamp, waiting(&sealer)), (2, 1_000, 0));
        assert!(sealer.wait().unwrap() > HOUR / 2, "and the next one is an hour away");
        // Whatever waits, also nothing; time is the clock's.
        sealer.shared.clock().advance(3_600);
        sealer.tick();
        let block = sealer.shared.block(2).unwrap();
        assert_eq!((block.transactions.len(), block.header.timestamp), (0, 4_600));
    }

    #[test]
    fn only_a_mode_with_a_timer_has_a_period_and_none_is_too_short() {
        let period = |seal| sealer(seal).period();
        assert_eq!(period(SealMode::Manual), None);
        assert_eq!(period(SealMode::Instant { idle: None }), None);
        assert_eq!(period(SealMode::Instant { idle: Some(Duration::ZERO) }), Some(Duration::from_secs(1)));
        assert_eq!(period(SealMode::Interval { period: Duration::ZERO }), Some(MIN_PERIOD));
        assert_eq!(period(SealMode::Interval { period: HOUR }), Some(HOUR));
    }
}
