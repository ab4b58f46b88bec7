//! The taker of seats: hears what opens and ends, takes seats as there is room, and remembers what a restart needs.

use std::sync::Arc;
use std::time::Duration;

use guildhall_api::{Outcome, RoundRef};
use guildhall_protocol::{BondUnits, DealId, PoolId, Prices, Status, Terms, UnixTime};
use guildhall_service::CancellationToken;
use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tracing::Instrument as _;

use crate::afterwards::{agrees, catch_up, see_to_end};
use crate::agenda::{Agenda, Next, Opening};
use crate::bench::{Bench, RoundEvent};
use crate::chain::{ChainEvent, ChainFault};
use crate::court;
use crate::drive::{Place, Work, drive};
use crate::error::WorkerError;
use crate::journal::JournalError;
use crate::limits::RECONCILE;
use crate::progress::ProgressStep;
use crate::seat::{Left, Promise, Seat};

/// How often at most the place in the chain is made durable while nothing opens.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// Refusals of a reservation after which the seat may be tried for again.
const TRY_AGAIN: [&str; 3] = ["coordinator.wrong_wave", "coordinator.unknown_round", "coordinator.full"];

/// News for the taker of seats.
#[derive(Debug)]
pub enum News {
    /// From the chain.
    Chain(ChainEvent),
    /// Seats of a round came free.
    Vacant(RoundRef),
}

/// What looking up a deal, or a batch of it, found.
enum Found {
    /// Seats to draw for.
    Open(Opening),
    /// The block that decides the draw is not there yet.
    Undrawn,
    /// Nothing to do any more.
    Over,
}

type Driven = (RoundRef, Result<(Left, Option<Promise>), WorkerError>);

struct Taker {
    bench: Arc<Bench>,
    pool: PoolId,
    agenda: Agenda,
    seats: JoinSet<Driven>,
    most: usize,
    /// Deals, and batches drawn anew, that could not be looked up yet.
    unread: Vec<(Arc<Terms>, Option<u32>)>,
    deals: Vec<Arc<Terms>>,
    /// Deals that opened or ended since the journal was written.
    opened: Vec<Arc<Terms>>,
    gone: Vec<DealId>,
    saving: Option<JoinHandle<Result<(), JournalError>>>,
    saved: tokio::time::Instant,
}

/// Takes seats until `stop`.
///
/// # Errors
/// [`WorkerError`] that this worker cannot go on with.
pub async fn work(
    bench: Arc<Bench>,
    pool: PoolId,
    most: usize,
    news: Arc<Mutex<mpsc::Receiver<News>>>,
    stop: CancellationToken,
) -> Result<(), WorkerError> {
    let mut news = news.lock().await;
    let mut taker = Taker {
        agenda: Agenda::new(bench.worker()),
        bench: bench.clone(),
        pool,
        seats: JoinSet::new(),
        most,
        unread: Vec::new(),
        deals: Vec::new(),
        opened: Vec::new(),
        gone: Vec::new(),
        saving: None,
        saved: tokio::time::Instant::now(),
    };
    taker.refresh_myself().await?;
    taker.resume().await?;
    let mut reconcile = tokio::time::interval(RECONCILE);
    reconcile.tick().await;
    loop {
        taker.fill();
        let now = taker.bench.clock.now();
        let wave = taker.agenda.next_wave(now).map(|time| taker.bench.clock.until(time));
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(next) = news.recv() => taker.hear(next).await?,
            () = bench.freed() => {}
            Some(driven) = taker.seats.join_next() => taker.left(driven)?,
            () = tokio::time::sleep(wave.unwrap_or(RECONCILE)), if wave.is_some() => {}
            _ = reconcile.tick() => taker.reconcile().await?,
        }
    }
}

impl Taker {
    /// Takes as many seats as there is room for.
    fn fill(&mut self) {
        while self.bench.has_room(self.most) {
            match self.agenda.next(self.bench.clock.now()) {
                Next::Nothing => return,
                Next::Searching => {}
                Next::Seat(drawn) => {
                    let (at, wave, tasks) = (drawn.round.at, drawn.wave, drawn.round.tasks);
                    self.bench.progress.tell(at, ProgressStep::SeatDrawn { wave, tasks });
                    let seat = Seat::new(self.bench.worker(), &drawn.round, self.bench.clock.now());
                    self.begin(at, seat, Some(Work { round: drawn.round, wave, terms: drawn.terms }));
                }
            }
        }
    }

    fn begin(&mut self, at: RoundRef, seat: Seat, work: Option<Work>) {
        let Some(events) = self.bench.begin(at) else { return };
        if work.is_none() {
            self.bench.waits(at.id);
        }
        metrics::gauge!("worker_seats_open").increment(1.0);
        let bench = self.bench.clone();
        let terms = work.as_ref().map(|work| work.terms.clone()).or_else(|| self.terms(at.deal));
        let seat = async move {
            let left = drive(&bench, seat, Place { at, work, terms }, events).await;
            (at, left)
        };
        self.seats.spawn(seat.instrument(at.span()));
    }

    async fn hear(&mut self, news: News) -> Result<(), WorkerError> {
        match news {
            News::Vacant(round) => self.agenda.vacant(round.deal, round.batch),
            News::Chain(ChainEvent::DealOpened(terms)) => {
                if self.terms(terms.deal()).is_none() {
                    self.opened.push(terms.clone());
                    self.deals.push(terms.clone());
                    self.unread.push((terms, None));
                    self.read_openings().await;
                }
            }
            News::Chain(ChainEvent::BatchEnded { deal, batch, outcome, agreed, slashed }) => {
                if slashed != BondUnits::ZERO {
                    tokio::spawn(court::show_mine(self.bench.clone(), deal, batch));
                }
                self.tell_earnings(deal, batch, &outcome, agreed, slashed);
                self.batch_ended(deal, batch, outcome);
            }
            News::Chain(ChainEvent::Reopened { deal, batch }) => {
                self.batch_ended(deal, batch, Outcome::Reopened);
                if let Some(terms) = self.terms(deal) {
                    self.unread.push((terms, Some(batch)));
                    self.read_openings().await;
                }
            }
            // The Court's are heard elsewhere.
            News::Chain(ChainEvent::CaseOpened(_)) => {}
            News::Chain(ChainEvent::IChanged) => self.refresh_myself().await?,
            News::Chain(ChainEvent::Reverted { from }) => {
                self.agenda.reverted(from);
                self.deals.retain(|terms| terms.opened().block < from);
            }
            News::Chain(ChainEvent::Head { time, cursor }) => self.head(time, cursor).await?,
        }
        Ok(())
    }

    fn batch_ended(&mut self, deal: DealId, batch: u32, outcome: Outcome) {
        self.agenda.batch_over(deal, batch);
        if let Some(round) = self.bench.round_of(deal, batch) {
            self.bench.hand(round.id, RoundEvent::Ended(outcome));
        }
    }

    fn tell_earnings(
        &self,
        deal: DealId,
        batch: u32,
        outcome: &Outcome,
        agreed: Option<(u8, u8)>,
        slashed: BondUnits,
    ) {
        let Some(round) = self.bench.round_of(deal, batch) else { return };
        if slashed != BondUnits::ZERO {
            self.bench.progress.tell(round, ProgressStep::Slashed { units: slashed });
        }
        let (Outcome::Certified { claim, .. }, Some((rank, agreeing))) = (outcome, agreed) else { return };
        let Some(terms) = self.terms(deal) else { return };
        let prices = terms
            .tasks_of(batch)
            .ok()
            .and_then(|tasks| Prices::of(&terms, tasks, terms.opened().protocol_fee).ok());
        let payouts = prices.and_then(|prices| prices.payouts(agreeing, claim.fuel).ok());
        if let Some(payouts) = payouts.filter(|payouts| rank < payouts.paid_seats) {
            self.bench.progress.tell(round, ProgressStep::Earned { amount: payouts.to_each_worker });
        }
    }

    /// A seat was left.
    fn left(&mut self, driven: Result<Driven, JoinError>) -> Result<(), WorkerError> {
        let (at, left) =
            driven.map_err(|error| WorkerError::Task { task: "seat".into(), error: error.to_string() })?;
        self.bench.end(at.id);
        metrics::gauge!("worker_seats_open").decrement(1.0);
        let (left, promise) = left?;
        metrics::counter!("worker_seats_total", "left" => label(&left)).increment(1);
        match left {
            Left::Full => {
                self.agenda.told_full(at.deal, at.batch);
                self.bench.turned_away(at.deal, at.batch);
            }
            Left::Refused(code) if promise.is_none() && TRY_AGAIN.contains(&code.as_str()) => {
                self.agenda.told_full(at.deal, at.batch);
            }
            Left::Ended(outcome) => self.ended(at, outcome, promise),
            Left::Refused(reason) | Left::Failed(reason) => {
                at.span().in_scope(|| tracing::warn!(reason, "left a seat"));
                self.bench.progress.tell(at, ProgressStep::Left { reason });
                self.catch_up(promise);
            }
            Left::TimedOut => {
                self.bench.progress.tell(at, ProgressStep::Left { reason: "timed_out".into() });
                self.catch_up(promise);
            }
        }
        Ok(())
    }

    fn ended(&self, at: RoundRef, outcome: Outcome, promise: Option<Promise>) {
        let agreed = promise.as_ref().is_some_and(|promise| agrees(promise, &outcome));
        let certified = matches!(outcome, Outcome::Certified { .. });
        match outcome {
            Outcome::Certified { odds, transaction, .. } => {
                self.bench.progress.tell(at, ProgressStep::Certified { agreed, odds, transaction });
            }
            other => self.bench.progress.tell(at, ProgressStep::Left { reason: format!("{other:?}") }),
        }
        if let Some(promise) = promise.filter(|_| certified) {
            // A task of its own: outputs may be long, and the next seat waits for neither.
            tokio::spawn(see_to_end(self.bench.clone(), promise, agreed).instrument(at.span()));
        }
    }

    /// A round ended, and nobody said how.
    fn catch_up(&self, promise: Option<Promise>) {
        if let Some(promise) = promise {
            let span = promise.at.span();
            tokio::spawn(catch_up(self.bench.clone(), promise).instrument(span));
        }
    }

    /// Goes on with what was promised before a restart, and with the deals that were open.
    async fn resume(&mut self) -> Result<(), WorkerError> {
        self.deals = self.bench.journal.deals()?.into_iter().map(Arc::new).collect();
        self.unread = self.deals.iter().map(|terms| (terms.clone(), None)).collect();
        self.read_openings().await;
        let now = self.bench.clock.now();
        for entry in self.bench.journal.entries()? {
            let at = entry.promise.at;
            if now > entry.promise.keep_until {
                self.bench.journal.forget(at.id).await?;
                continue;
            }
            self.agenda.batch_over(at.deal, at.batch);
            if now <= entry.promise.end {
                let seat = Seat::resumed(self.bench.worker(), entry.promise, entry.contribution);
                self.begin(at, seat, None);
            } else if !entry.settled {
                self.catch_up(Some(entry.promise));
            }
        }
        Ok(())
    }

    async fn reconcile(&mut self) -> Result<(), WorkerError> {
        self.refresh_myself().await?;
        self.read_openings().await;
        Ok(())
    }

    /// Reads what the chain says of this worker, and wakes it when it was put to sleep.
    async fn refresh_myself(&mut self) -> Result<(), WorkerError> {
        let worker = self.bench.worker();
        let myself = match self.bench.chain.myself(worker).await {
            Ok(myself) => myself.ok_or(WorkerError::Unknown(worker))?,
            Err(error) => {
                tracing::warn!(%error, "cannot read this worker's own word");
                return Ok(());
            }
        };
        if myself.pool != self.pool {
            return Err(WorkerError::Moved { worker, before: self.pool.0, now: myself.pool.0 });
        }
        let coordinator = self.bench.chain.service_of(self.pool).await.map(|service| service.coordinator);
        if let Some(now) = coordinator.ok().filter(|now| *now != self.bench.coordinator) {
            return Err(WorkerError::OtherCoordinator { pool: self.pool.0, now });
        }
        self.agenda.set_standing(myself.standing);
        if myself.dormant {
            tracing::info!("put to sleep for missed seats: waking up");
            if let Err(error) = self.bench.chain.wake(worker).await {
                tracing::warn!(%error, "could not wake up");
            }
        }
        Ok(())
    }

    /// Looks up what opened; what cannot be looked up, or is not drawn yet, is tried again with the next block.
    async fn read_openings(&mut self) {
        for (terms, batch) in std::mem::take(&mut self.unread) {
            match self.opening(terms.clone(), batch).await {
                Ok(Found::Open(opening)) => {
                    if !self.agenda.open(opening) {
                        tracing::warn!("too many open deals: leaving the latest to others");
                    }
                }
                Ok(Found::Undrawn) => self.unread.push((terms, batch)),
                Ok(Found::Over) => {}
                Err(error) => {
                    tracing::warn!(deal = %terms.deal(), %error, "cannot look a deal up, trying again later");
                    self.unread.push((terms, batch));
                }
            }
        }
    }

    async fn opening(&self, terms: Arc<Terms>, batch: Option<u32>) -> Result<Found, ChainFault> {
        let chain = &self.bench.chain;
        let (opened, attempt, batches) = match batch {
            None => (terms.opened(), 0, 0..terms.batches()),
            Some(batch) => {
                let now = chain.batch(&terms, batch).await?;
                if !matches!(now.status, Status::Open | Status::Reopened) {
                    return Ok(Found::Over);
                }
                (now.opened, now.attempt, batch..batch + 1)
            }
        };
        let Some(seed) = chain.seed(&opened).await? else { return Ok(Found::Undrawn) };
        Ok(Found::Open(Opening { terms, batches, attempt, opened, seed }))
    }

    fn terms(&self, deal: DealId) -> Option<Arc<Terms>> {
        self.deals.iter().find(|terms| terms.deal() == deal).cloned()
    }

    /// All of a block was heard: what is over is forgotten, and from time to time the place is made durable.
    async fn head(&mut self, time: UnixTime, cursor: serde_json::Value) -> Result<(), WorkerError> {
        let over = |terms: &Arc<Terms>| terms.deadline < time.0;
        for terms in self.deals.iter().filter(|terms| over(terms)) {
            self.agenda.deal_over(terms.deal());
            self.gone.push(terms.deal());
        }
        self.deals.retain(|terms| !over(terms));
        self.unread.retain(|(terms, _)| !over(terms));
        if !self.unread.is_empty() {
            self.read_openings().await;
        }
        if self.saving.as_ref().is_some_and(|saving| !saving.is_finished()) {
            return Ok(());
        }
        if let Some(saving) = self.saving.take() {
            saving
                .await
                .map_err(|error| WorkerError::Task { task: "save".into(), error: error.to_string() })??;
        }
        let changed = !self.opened.is_empty() || !self.gone.is_empty();
        if changed || self.saved.elapsed() > SAVE_EVERY {
            let (opened, gone) = (std::mem::take(&mut self.opened), std::mem::take(&mut self.gone));
            let journal = self.bench.journal.clone();
            // Beside the seats: a disk that is slow must not make rounds wait.
            self.saving = Some(tokio::spawn(async move { journal.advance(opened, gone, cursor).await }));
            self.saved = tokio::time::Instant::now();
        }
        Ok(())
    }
}

fn label(left: &Left) -> &'static str {
    match left {
        Left::Full => "full",
        Left::Ended(_) => "ended",
        Left::Refused(_) => "refused",
        Left::Failed(_) => "failed",
        Left::TimedOut => "timed_out",
    }
}
