//! The desk: where messages arrive, are checked against the chain, entered into the machine and made durable.
//!
//! Everything that the HTTP interface and the loops share. Knows nothing of HTTP.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alloy::primitives::Address;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::Eip712Domain;
use guildhall_api::{
    Ack, Audience, Credential, Envelope, NonceGuard, OfRound, OpenContribution, Purpose, Round, RoundRef,
    SignedEntry, Standing,
};
use guildhall_blobs::BlobStore;
use guildhall_protocol::messages::{Commitment, Reservation, Unavailable, certifier_domain};
use guildhall_protocol::{Opened, PoolId, RoundId, Seed, Status, UnixTime};
use tokio::sync::{Notify, Semaphore, SemaphorePermit, mpsc, watch};

use crate::chain::{Chain, ChainFault};
use crate::gathering::Millis;
use crate::hub::{Hub, Written};
use crate::limits::{MAX_LOOKUPS, MAX_MESSAGES, MAX_WATCHERS, MESSAGE_WAIT};
use crate::machine::Machine;
use crate::rates::Rates;
use crate::records::{Record, key_of};
use crate::refusal::Refusal;
use crate::store::{Store, StoreError, Ticket};

/// How long a worker's standing is believed without asking the chain again.
const STANDING_AGE: Duration = Duration::from_secs(30);
/// Standings and seeds remembered; beyond, all are forgotten and asked for again.
const MAX_REMEMBERED: usize = 16_384;

/// Chain time between blocks: that of the last block, and what has passed since here.
#[derive(Debug)]
pub struct ChainClock {
    running: Mutex<(Instant, Millis)>,
    heard: AtomicU64,
}

impl ChainClock {
    /// A clock that stands at `time` now.
    pub fn new(time: UnixTime) -> Self {
        let running = Mutex::new((Instant::now(), time.0.saturating_mul(1000)));
        Self { running, heard: AtomicU64::new(0) }
    }

    /// Chain time now, in milliseconds.
    pub fn now(&self) -> Millis {
        let (seen, time) = *lock(&self.running);
        time + u64::try_from(seen.elapsed().as_millis()).unwrap_or(0)
    }

    /// A block said its time. Chain time never goes back.
    pub fn set(&self, time: UnixTime) {
        let now = self.now();
        *lock(&self.running) = (Instant::now(), now.max(time.0.saturating_mul(1000)));
        self.heard.store(time.0, Ordering::Relaxed);
    }

    /// Time of the last block that was heard of; nothing before the first.
    pub fn heard(&self) -> Option<UnixTime> {
        Some(self.heard.load(Ordering::Relaxed)).filter(|time| *time > 0).map(UnixTime)
    }
}

/// What the desk remembers of the chain, to ask it less.
#[derive(Debug, Default)]
struct Remembered {
    standings: HashMap<Address, (Option<Standing>, Instant)>,
    seeds: HashMap<u64, Seed>,
}

/// Where messages arrive. Shared by the HTTP interface and the loops.
#[derive(Debug)]
pub struct Desk {
    /// The pool that is served.
    pub pool: PoolId,
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// Results and long outputs.
    pub blobs: Arc<dyn BlobStore>,
    /// The key that signs lists.
    pub key: PrivateKeySigner,
    /// Chain time.
    pub clock: ChainClock,
    /// What must not be forgotten.
    pub store: Store,
    machine: Mutex<Machine>,
    hub: Mutex<Hub>,
    rates: Mutex<Rates>,
    nonces: Mutex<NonceGuard>,
    remembered: Mutex<Remembered>,
    /// The day of the chain on which old results were forgotten last.
    day: AtomicU64,
    domain: Eip712Domain,
    audience: Audience,
    messages: Semaphore,
    lookups: Semaphore,
    work: Notify,
    deals: watch::Sender<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<ChainFault> for Refusal {
    fn from(fault: ChainFault) -> Self {
        Self::Fault(fault.to_string())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.to_string())
    }
}

impl Desk {
    /// A desk with nothing on it.
    pub fn new(
        pool: PoolId,
        chain: Arc<dyn Chain>,
        blobs: Arc<dyn BlobStore>,
        key: PrivateKeySigner,
        store: Store,
        time: UnixTime,
    ) -> Self {
        let (id, certifier) = chain.domain();
        Self {
            domain: certifier_domain(id, certifier),
            audience: Audience { chain: id, certifier, coordinator: key.address() },
            pool,
            chain,
            blobs,
            key,
            clock: ChainClock::new(time),
            store,
            machine: Mutex::default(),
            hub: Mutex::default(),
            rates: Mutex::default(),
            nonces: Mutex::default(),
            remembered: Mutex::default(),
            day: AtomicU64::default(),
            messages: Semaphore::new(MAX_MESSAGES),
            lookups: Semaphore::new(MAX_LOOKUPS),
            work: Notify::new(),
            deals: watch::Sender::new(0),
        }
    }

    /// The machine. Hold it for moments only, never across an await.
    pub fn machine(&self) -> MutexGuard<'_, Machine> {
        lock(&self.machine)
    }

    /// The streams. Hold it for moments only.
    pub fn hub(&self) -> MutexGuard<'_, Hub> {
        lock(&self.hub)
    }

    /// The domain that messages are signed in.
    pub fn domain(&self) -> &Eip712Domain {
        &self.domain
    }

    /// Says that the machine may have something to do.
    pub fn wake(&self) {
        self.work.notify_one();
    }

    /// Waits until somebody says so.
    pub async fn woken(&self) {
        self.work.notified().await;
    }

    /// Says that deals came: whoever waits for one looks again.
    pub fn deals_changed(&self) {
        self.deals.send_modify(|count| *count += 1);
    }

    /// Takes a reservation.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn reserve(&self, message: Envelope<Reservation>) -> Result<Ack, Refusal> {
        let (_turn, standing) = self.admit(&message).await?;
        // Not durable: after a crash a reservation is asked for again.
        let ack = self.machine().reserve(&message, &standing, self.clock.now())?;
        self.wake();
        Ok(ack)
    }

    /// Takes a commitment; durable when this returns.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn commit(&self, message: Envelope<Commitment>) -> Result<Ack, Refusal> {
        let (_turn, standing) = self.admit(&message).await?;
        let entry = SignedEntry {
            worker: message.worker,
            commitment: message.signed.message.commitment,
            signature: message.signed.signature,
        };
        let record = Record::Promise { wave: message.wave(), entry };
        self.enter(message.round.id, message.worker, &record, |machine, now| {
            machine.commit(&message, &standing, now)
        })
        .await
    }

    /// Takes a worker's word that it has not the bytes; durable when this returns.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn unavailable(&self, message: Envelope<Unavailable>) -> Result<Ack, Refusal> {
        let (_turn, standing) = self.admit(&message).await?;
        let entry = SignedEntry {
            worker: message.worker,
            commitment: Default::default(),
            signature: message.signed.signature,
        };
        let record = Record::Promise { wave: message.wave(), entry };
        self.enter(message.round.id, message.worker, &record, |machine, now| {
            machine.unavailable(&message, &standing, now)
        })
        .await
    }

    /// Takes a contribution; durable when this returns.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn contribute(&self, message: OpenContribution) -> Result<Ack, Refusal> {
        let (round, worker) = (message.envelope.round.id, message.envelope.worker);
        let (_turn, _standing) = self.admit(&message.envelope).await?;
        let committed = self.machine().round(round).and_then(|gathering| gathering.committed(worker));
        message.check_opens(committed.ok_or(Refusal::NotListed(worker))?)?;
        let record = Record::Contribution { contribution: Box::new(message) };
        self.enter(round, worker, &record, |machine, now| machine.contribute(&message, now)).await
    }

    /// Lets the signer of a credential in, once.
    ///
    /// # Errors
    /// [`Refusal::Auth`].
    pub fn check_credential(&self, credential: &Credential, purpose: &Purpose) -> Result<(), Refusal> {
        let now = self.clock.now() / 1000;
        credential.verify(&self.audience, purpose, now)?;
        Ok(lock(&self.nonces).take(credential, now)?)
    }

    /// Opens the stream of a worker of the pool.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn open_stream(
        self: &Arc<Self>,
        credential: &Credential,
    ) -> Result<(MemberGuard, mpsc::Receiver<Written>), Refusal> {
        let _turn = self.turn().await?;
        self.check_credential(credential, &Purpose::Stream { pool: self.pool })?;
        let worker = credential.signer;
        let standing = self.standing(worker).await?;
        let (stream, events) = {
            let mut machine = self.machine();
            let pending = machine.connect(worker, standing);
            self.hub().join(worker, pending).ok_or(Refusal::Busy("too many streams"))?
        };
        self.wake();
        Ok((MemberGuard { desk: self.clone(), worker, stream }, events))
    }

    /// Watches progress.
    ///
    /// # Errors
    /// [`Refusal::Busy`].
    pub fn watch(&self) -> Result<tokio::sync::broadcast::Receiver<guildhall_api::ProgressEvent>, Refusal> {
        let hub = self.hub();
        if hub.watching() >= MAX_WATCHERS { Err(Refusal::Busy("too many watchers")) } else { Ok(hub.watch()) }
    }

    /// What the chain says of a worker of this pool, not older than half a minute.
    ///
    /// # Errors
    /// [`Refusal::NotAMember`] for a key that is not in the pool.
    pub async fn standing(&self, worker: Address) -> Result<Standing, Refusal> {
        let known = lock(&self.remembered).standings.get(&worker).copied();
        let standing = match known {
            Some((standing, at)) if at.elapsed() < STANDING_AGE => standing,
            _ => {
                let asking = tokio::time::timeout(MESSAGE_WAIT, self.lookups.acquire()).await;
                let Ok(Ok(_asking)) = asking else {
                    return Err(Refusal::Busy("too many senders that are not known yet"));
                };
                let standing = self.chain.standing(worker).await?;
                let mut remembered = lock(&self.remembered);
                bound(&mut remembered.standings);
                remembered.standings.insert(worker, (standing, Instant::now()));
                standing
            }
        };
        standing.filter(|standing| standing.pool == self.pool).ok_or(Refusal::NotAMember(worker))
    }

    /// The chain may say something else of these workers now.
    pub fn forget_standings(&self, workers: &[Address]) {
        let mut remembered = lock(&self.remembered);
        for worker in workers {
            remembered.standings.remove(worker);
        }
    }

    /// The chain changed something of a worker: it is asked for anew.
    pub async fn standing_changed(&self, worker: Address) {
        self.forget_standings(&[worker]);
        if !self.machine().connected().contains_key(&worker) {
            return;
        }
        if let Ok(standing) = self.standing(worker).await {
            self.machine().standing_changed(worker, standing);
        }
    }

    /// Builds a round from what the chain says, if it is open there.
    ///
    /// # Errors
    /// [`Refusal::UnknownRound`] where deal, batch, attempt or seed are not the chain's, [`Refusal::Over`].
    pub async fn build_round(&self, at: RoundRef) -> Result<Round, Refusal> {
        let unknown = || Refusal::UnknownRound(at.id);
        let terms = self.machine().deal(at.deal).copied().ok_or_else(unknown)?;
        terms.tasks_of(at.batch).map_err(guildhall_api::RoundError::from)?;
        let batch = self.chain.batch(&terms, at.batch).await?;
        if !matches!(batch.status, Status::Open | Status::Reopened) {
            return Err(Refusal::Over(at.id));
        }
        if batch.attempt != at.attempt {
            return Err(unknown());
        }
        let seed = self.seed(&batch.opened).await?;
        let round = Round::new(&terms, at.batch, at.attempt, batch.opened, seed)?;
        if round.at == at { Ok(round) } else { Err(unknown()) }
    }

    /// The first round of a batch, whether it is open or not; nothing for a deal that is not known here.
    ///
    /// # Errors
    /// [`Refusal`] where its seed cannot be had any more.
    pub async fn first_round(
        &self,
        deal: guildhall_protocol::DealId,
        batch: u32,
    ) -> Result<Option<Round>, Refusal> {
        let Some(terms) = self.machine().deal(deal).copied() else { return Ok(None) };
        let opened = terms.opened();
        let seed = self.seed(&opened).await?;
        Ok(Some(Round::new(&terms, batch, 0, opened, seed)?))
    }

    /// Whether this is the first that is heard of a day of chain time.
    pub fn is_new_day(&self, time: UnixTime) -> bool {
        let day = time.0 / (24 * 3_600);
        self.day.swap(day, Ordering::Relaxed) != day
    }

    /// Forgets the seeds of blocks that the chain may have dropped.
    pub fn forget_seeds(&self) {
        lock(&self.remembered).seeds.clear();
    }

    async fn seed(&self, opened: &Opened) -> Result<Seed, Refusal> {
        if let Some(seed) = lock(&self.remembered).seeds.get(&opened.block).copied() {
            return Ok(seed);
        }
        let seed = self.chain.seed(opened).await?;
        let mut remembered = lock(&self.remembered);
        bound(&mut remembered.seeds);
        remembered.seeds.insert(opened.block, seed);
        Ok(seed)
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        match tokio::time::timeout(MESSAGE_WAIT, self.messages.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Refusal::Busy("too many messages at once")),
        }
    }

    /// Checks everything about a message that does not depend on its round's state: signature, sender, rate, round.
    async fn admit<M: OfRound>(
        &self,
        message: &Envelope<M>,
    ) -> Result<(SemaphorePermit<'_>, Standing), Refusal> {
        let turn = self.turn().await?;
        message.check(&self.domain)?;
        // What follows may wait for the chain: whoever names workers or rounds that do not exist keeps nobody from their turn.
        drop(turn);
        let standing = self.standing(message.worker).await?;
        if !lock(&self.rates).take(message.worker, Instant::now()) {
            return Err(Refusal::TooFast(message.worker));
        }
        self.ensure(message.round).await?;
        Ok((self.turn().await?, standing))
    }

    /// Makes sure that the machine has the round; waits a while for a deal that is not seen here yet.
    async fn ensure(&self, at: RoundRef) -> Result<(), Refusal> {
        if self.machine().knows(at.id) {
            return Ok(());
        }
        let mut deals = self.deals.subscribe();
        let seen = async {
            while self.machine().deal(at.deal).is_none() {
                if deals.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(MESSAGE_WAIT, seen).await.map_err(|_| Refusal::UnknownRound(at.id))?;
        let round = self.build_round(at).await?;
        let _began = self.store.put(key_of(at.id, &Record::Began { at }, None), &Record::Began { at })?;
        self.machine().begin(round, self.clock.now())
    }

    /// Applies a message to the machine and waits until what it changed is durable.
    async fn enter(
        &self,
        round: RoundId,
        worker: Address,
        record: &Record,
        apply: impl FnOnce(&mut Machine, Millis) -> Result<Ack, Refusal>,
    ) -> Result<Ack, Refusal> {
        let (ack, ticket) = {
            let mut machine = self.machine();
            let ack = apply(&mut machine, self.clock.now());
            // Staged under the machine's lock, so that records are durable in the order in which they were applied.
            let ticket = match &ack {
                Ok(Ack::Accepted) => Some(self.store.put(key_of(round, record, Some(worker)), record)?),
                Err(Refusal::Equivocation(_)) => self.stage_proof(&machine, round)?,
                _ => None,
            };
            (ack, ticket)
        };
        self.wake();
        if let Some(ticket) = ticket {
            self.store.durable(ticket).await?;
        }
        ack
    }

    fn stage_proof(&self, machine: &Machine, round: RoundId) -> Result<Option<Ticket>, Refusal> {
        let Some(proof) = machine.round(round).and_then(|gathering| gathering.proofs().last()) else {
            return Ok(None);
        };
        let record = Record::Proof { proof: Box::new(proof.clone()) };
        Ok(Some(self.store.put(key_of(round, &record, Some(proof.worker())), &record)?))
    }
}

fn bound<K, V>(map: &mut HashMap<K, V>) {
    if map.len() >= MAX_REMEMBERED {
        map.clear();
    }
}

/// Ends a member's stream when it is dropped.
#[derive(Debug)]
pub struct MemberGuard {
    desk: Arc<Desk>,
    worker: Address,
    stream: u64,
}

impl Drop for MemberGuard {
    fn drop(&mut self) {
        // Machine before streams, as everywhere, so that a stream opened meanwhile is not forgotten.
        let mut machine = self.desk.machine();
        let gone = self.desk.hub().leave(self.worker, self.stream);
        if gone {
            machine.disconnect(self.worker);
        }
    }
}
