//! The workbench: what all seats of one worker share. Signs, keeps, knows the time.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alloy::primitives::{Address, B256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{Eip712Domain, SolStruct};
use bytes::Bytes;
use guildhall_api::{
    Audience, Bundle, Credential, Envelope, OpenContribution, Outcome, Purpose, RoundRef, SignedList,
};
use guildhall_blobs::BlobStore;
use guildhall_protocol::messages::{CompactSignature, Signed, certifier_domain};
use guildhall_protocol::{DealId, RoundId, UnixTime};
use tokio::sync::{Notify, mpsc};

use crate::chain::Chain;
use crate::error::WorkerError;
use crate::executor::{Executed, Executor};
use crate::journal::Journal;
use crate::limits::{CREDENTIAL_SECS, MAX_ACTIVE, MAX_TURNED_AWAY, ROUND_QUEUE};
use crate::link::Link;
use crate::progress::ProgressSender;

/// What reaches a seat from outside.
#[derive(Debug, Clone)]
pub enum RoundEvent {
    /// A wave's list was closed.
    Listed(Box<SignedList>),
    /// A co-member showed its claim.
    Contributed(Box<OpenContribution>),
    /// The round is over.
    Ended(Outcome),
}

/// Chain time between blocks: that of the last block, and what has passed since here.
#[derive(Debug)]
pub struct ChainClock {
    running: Mutex<(Instant, Duration)>,
    heard: AtomicU64,
    moved: Notify,
}

impl ChainClock {
    /// A clock that stands at `time` now.
    pub fn new(time: UnixTime) -> Self {
        Self {
            running: Mutex::new((Instant::now(), Duration::from_secs(time.0))),
            heard: AtomicU64::new(0),
            moved: Notify::new(),
        }
    }

    /// Chain time now.
    pub fn now(&self) -> UnixTime {
        UnixTime(self.precise().as_secs())
    }

    /// How long until a moment of chain time; zero when it is past.
    pub fn until(&self, time: UnixTime) -> Duration {
        Duration::from_secs(time.0).saturating_sub(self.precise())
    }

    /// A block said its time. Chain time never goes back.
    pub fn set(&self, time: UnixTime) {
        let now = self.precise();
        *lock(&self.running) = (Instant::now(), now.max(Duration::from_secs(time.0)));
        self.heard.store(time.0, Ordering::Relaxed);
        self.moved.notify_waiters();
    }

    /// Waits until chain time has reached `time`, however it gets there.
    pub async fn reach(&self, time: UnixTime) {
        loop {
            let moved = self.moved.notified();
            let wait = self.until(time);
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = moved => {}
            }
        }
    }

    /// Time of the last block that was heard of; nothing before the first.
    pub fn heard(&self) -> Option<UnixTime> {
        Some(self.heard.load(Ordering::Relaxed)).filter(|time| *time > 0).map(UnixTime)
    }

    fn precise(&self) -> Duration {
        let (seen, time) = *lock(&self.running);
        time + seen.elapsed()
    }
}

/// A seat that this worker holds.
#[derive(Debug)]
struct Held {
    round: RoundRef,
    events: mpsc::Sender<RoundEvent>,
    waits: bool,
}

/// The seats that this worker holds. Those that only wait for others do not count as work: where every worker of a pool
/// waited in a round of its own, none would have a hand free for the next wave of the others.
#[derive(Debug, Default)]
struct Seats(HashMap<RoundId, Held>);

impl Seats {
    fn begin(&mut self, round: RoundRef) -> Option<mpsc::Receiver<RoundEvent>> {
        if self.0.contains_key(&round.id) {
            return None;
        }
        let (events, receiver) = mpsc::channel(ROUND_QUEUE);
        self.0.insert(round.id, Held { round, events, waits: false });
        Some(receiver)
    }

    fn waits(&mut self, round: RoundId) {
        if let Some(seat) = self.0.get_mut(&round) {
            seat.waits = true;
        }
    }

    fn has_room(&self, most: usize) -> bool {
        self.0.len() < MAX_ACTIVE && self.0.values().filter(|seat| !seat.waits).count() < most
    }
}

/// What all seats of one worker share.
#[derive(Debug)]
pub struct Bench {
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// The coordinator.
    pub link: Arc<dyn Link>,
    /// Who executes.
    pub executor: Arc<dyn Executor>,
    /// What was signed.
    pub journal: Journal,
    /// Results and traces of this worker, and what it fetched.
    pub blobs: Arc<dyn BlobStore>,
    /// Where progress goes.
    pub progress: ProgressSender,
    /// Chain time.
    pub clock: ChainClock,
    /// The key that signs the pool's lists.
    pub coordinator: Address,
    /// Whether it disputes certificates that contradict what it found.
    pub disputes: bool,
    key: PrivateKeySigner,
    domain: Eip712Domain,
    audience: Audience,
    active: Mutex<Seats>,
    turned_away: Mutex<VecDeque<(DealId, u32)>>,
    freed: Notify,
    stream: Notify,
    heard: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The parts that a [`Bench`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// See [`Bench::chain`].
    pub chain: Arc<dyn Chain>,
    /// See [`Bench::link`].
    pub link: Arc<dyn Link>,
    /// See [`Bench::executor`].
    pub executor: Arc<dyn Executor>,
    /// See [`Bench::journal`].
    pub journal: Journal,
    /// See [`Bench::blobs`].
    pub blobs: Arc<dyn BlobStore>,
    /// See [`Bench::progress`].
    pub progress: ProgressSender,
    /// The worker's key.
    pub key: PrivateKeySigner,
    /// See [`Bench::coordinator`].
    pub coordinator: Address,
    /// See [`Bench::disputes`].
    pub disputes: bool,
    /// Chain time now.
    pub time: UnixTime,
}

/// What a worker keeps of an execution of a batch.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The result bundle.
    pub bundle: Bytes,
    /// The own traces, one after the other.
    pub traces: Bytes,
}

impl Kept {
    /// Bundle and traces of an execution.
    ///
    /// # Errors
    /// [`WorkerError::Bundle`] for a batch that makes none.
    pub fn of(executed: Executed) -> Result<Self, WorkerError> {
        let traces: Vec<u8> = executed.own_traces.iter().flat_map(|trace| trace.0).collect();
        let bundle = Bundle::build(executed.receipts, executed.outputs)?.encode();
        Ok(Self { bundle: Bytes::from(bundle), traces: Bytes::from(traces) })
    }
}

impl Bench {
    /// A workbench.
    pub fn new(parts: Parts) -> Self {
        let Parts { chain, link, executor, journal, blobs, progress, key, coordinator, disputes, time } =
            parts;
        let (id, certifier) = chain.domain();
        Self {
            domain: certifier_domain(id, certifier),
            audience: Audience { chain: id, certifier, coordinator },
            clock: ChainClock::new(time),
            chain,
            link,
            executor,
            journal,
            blobs,
            progress,
            coordinator,
            disputes,
            key,
            active: Mutex::default(),
            turned_away: Mutex::default(),
            freed: Notify::new(),
            stream: Notify::new(),
            heard: AtomicBool::new(false),
        }
    }

    /// This worker.
    pub fn worker(&self) -> Address {
        self.key.address()
    }

    /// The domain that messages are signed in.
    pub fn domain(&self) -> &Eip712Domain {
        &self.domain
    }

    /// Signs a message of a round.
    ///
    /// # Errors
    /// [`WorkerError::Key`].
    pub fn sign<M: SolStruct>(&self, round: RoundRef, message: M) -> Result<Envelope<M>, WorkerError> {
        let signature = self.sign_digest(&message.eip712_signing_hash(&self.domain))?;
        Ok(Envelope { round, worker: self.worker(), signed: Signed { message, signature } })
    }

    /// Signs a credential for the coordinator.
    ///
    /// # Errors
    /// [`WorkerError::Key`].
    pub fn credential(&self, purpose: &Purpose) -> Result<Credential, WorkerError> {
        let expiry = self.clock.now().0 + CREDENTIAL_SECS;
        Credential::sign(&self.audience, purpose, self.worker(), expiry, |digest| self.sign_digest(digest))
    }

    /// Stores what was executed in this worker's store, where it stays until it is not needed any more.
    ///
    /// # Errors
    /// [`WorkerError::Blobs`].
    pub async fn keep(&self, kept: Kept) -> Result<(), WorkerError> {
        for bytes in [kept.bundle, kept.traces] {
            self.blobs.put(bytes).await?;
        }
        Ok(())
    }

    /// Begins a seat: its events arrive at the receiver. Nothing when the round has a seat already.
    pub fn begin(&self, round: RoundRef) -> Option<mpsc::Receiver<RoundEvent>> {
        lock(&self.active).begin(round)
    }

    /// Ends a seat.
    pub fn end(&self, round: RoundId) {
        lock(&self.active).0.remove(&round);
    }

    /// A seat has nothing left to execute: it waits for others, and this machine is free for another round.
    pub fn waits(&self, round: RoundId) {
        lock(&self.active).waits(round);
        self.freed.notify_one();
    }

    /// Waits until a seat has nothing left to execute.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Whether another seat may be taken, where `most` may have something to execute at once.
    pub fn has_room(&self, most: usize) -> bool {
        lock(&self.active).has_room(most)
    }

    /// Hands an event to the seat that it concerns, if there is one. A seat that does not keep up loses it and asks the
    /// coordinator for the round's state later.
    pub fn hand(&self, round: RoundId, event: RoundEvent) {
        if let Some(seat) = lock(&self.active).0.get(&round) {
            let _ = seat.events.try_send(event);
        }
    }

    /// The round of a batch that has a seat here, if there is one.
    pub fn round_of(&self, deal: DealId, batch: u32) -> Option<RoundRef> {
        let active = lock(&self.active);
        active.0.values().map(|seat| seat.round).find(|round| round.deal == deal && round.batch == batch)
    }

    /// The coordinator said of a batch with a seat for this worker that all seats were taken.
    pub fn turned_away(&self, deal: DealId, batch: u32) {
        let mut batches = lock(&self.turned_away);
        if !batches.contains(&(deal, batch)) {
            batches.push_back((deal, batch));
        }
        if batches.len() > MAX_TURNED_AWAY {
            batches.pop_front();
        }
    }

    /// Whether it said so; asked once, when the batch has ended.
    pub fn was_turned_away(&self, deal: DealId, batch: u32) -> bool {
        let mut batches = lock(&self.turned_away);
        let place = batches.iter().position(|known| *known == (deal, batch));
        place.map(|place| batches.remove(place)).is_some()
    }

    /// Whether the coordinator's stream is open.
    pub fn hears(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// The coordinator's stream opened, or ended.
    pub fn set_hears(&self, heard: bool) {
        self.heard.store(heard, Ordering::Relaxed);
    }

    /// Asks for the stream to be opened anew.
    pub fn resync(&self) {
        self.stream.notify_one();
    }

    /// Waits until somebody asks for that.
    pub async fn resync_asked(&self) {
        self.stream.notified().await;
    }

    fn sign_digest(&self, digest: &B256) -> Result<CompactSignature, WorkerError> {
        Ok(self.key.sign_hash_sync(digest)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(number: u8) -> RoundRef {
        RoundRef { id: RoundId(B256::repeat_byte(number)), deal: DealId::default(), batch: 0, attempt: 0 }
    }

    #[test]
    fn a_seat_that_waits_leaves_room_for_work() {
        let mut seats = Seats::default();
        let _first = seats.begin(round(1)).expect("a new seat");
        assert!(seats.begin(round(1)).is_none(), "one seat a round");
        assert!(!seats.has_room(1), "it executes");
        seats.waits(round(1).id);
        assert!(seats.has_room(1));
        for number in 2..=MAX_ACTIVE as u8 {
            assert!(seats.has_room(1));
            let _seat = seats.begin(round(number)).expect("a new seat");
            seats.waits(round(number).id);
        }
        assert!(!seats.has_room(1), "those that wait are bounded too");
    }
}
