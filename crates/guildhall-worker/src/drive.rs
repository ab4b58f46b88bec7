//! Drives one seat: does what [`crate::seat`] says next, and tells it what came of it.
//!
//! An event can overtake whatever is under way (a list that arrives while its commitment's answer is lost, an end while the
//! batch still executes); a step that did not change goes on undisturbed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use guildhall_api::{Ack, ApiError, Claim, OpenContribution, Outcome, Round, RoundRef, SignedList};
use guildhall_protocol::batch::own_trace_root;
use guildhall_protocol::messages::{Commitment, Reservation, Unavailable};
use guildhall_protocol::{Batch, ContentId, Terms, UnixTime};
use tokio::sync::mpsc;
use tracing::Instrument as _;

use crate::bench::{Bench, Kept, RoundEvent};
use crate::court;
use crate::direct::{self, OnChain, POST_TURNS, Shown, Word};
use crate::error::WorkerError;
use crate::executor::{Assignment, ExecuteError, Executed};
use crate::limits::{RETRY_FIRST, RETRY_MAX, WITHHELD_DIVISOR};
use crate::progress::ProgressStep;
use crate::seat::{Left, Promise, Seat, Step};

/// How often a seat that waits asks the coordinator for the round's state, in case an event was lost.
const ASK_ANYWAY: Duration = Duration::from_secs(10);
/// How long after a certificate is final the worker keeps what it executed, in seconds.
const KEEP_SECS: u64 = 2 * 24 * 3600;

/// One seat with what it works on.
#[derive(Debug, Clone)]
pub struct Work {
    /// The round.
    pub round: Round,
    /// The wave in which the seat was drawn.
    pub wave: u8,
    /// The deal's terms.
    pub terms: Arc<Terms>,
}

/// What a seat is a seat of.
#[derive(Debug, Clone)]
pub struct Place {
    /// The round.
    pub at: RoundRef,
    /// What is to be executed; nothing for a seat that is bound to a result already.
    pub work: Option<Work>,
    /// The deal's terms, as far as this worker still has them.
    pub terms: Option<Arc<Terms>>,
}

/// What a step came to.
#[derive(Debug)]
enum Done {
    Reserved(Result<Ack, ApiError>),
    Executed(Result<Box<Promise>, Stuck>),
    Sent(Result<(), ApiError>),
    Signed(Box<OpenContribution>),
    Asked(State),
    Committed(OnChain),
    Revealed(OnChain),
    Posted,
}

/// What a waiting seat learns of its round.
#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    lists: usize,
}

#[derive(Debug)]
enum Stuck {
    Withheld(String),
    Failed(String),
}

/// Drives a seat until it is left; answers why, and with what it had promised.
///
/// # Errors
/// [`WorkerError::Journal`] or [`WorkerError::Key`]: this worker must not go on.
pub async fn drive(
    bench: &Arc<Bench>,
    mut seat: Seat,
    place: Place,
    mut events: mpsc::Receiver<RoundEvent>,
) -> Result<(Left, Option<Promise>), WorkerError> {
    let mut shown = Shown::default();
    loop {
        seat.hears(bench.hears());
        let step = seat.step(bench.clock.now());
        if let Step::Leave(left) = step {
            return Ok((left, seat.promise().cloned()));
        }
        let mut action = Box::pin(perform(bench, &place, shown.clone(), step.clone()));
        loop {
            let turn = seat.next_turn(bench.clock.now()).map(|time| bench.clock.until(time));
            tokio::select! {
                done = &mut action => {
                    apply(bench, place.at, &mut seat, &step, done?);
                    break;
                }
                Some(event) = events.recv() => take(bench, &mut seat, &mut shown, event),
                () = tokio::time::sleep(turn.unwrap_or_default()), if turn.is_some() => {}
            }
            seat.hears(bench.hears());
            let next = seat.step(bench.clock.now());
            // What is executed half-way is finished all the same: a certificate that came before it may be wrong.
            let compares = bench.disputes && step == Step::Execute && is_certified(&next);
            if next != step && !compares {
                break;
            }
        }
    }
}

fn is_certified(step: &Step) -> bool {
    matches!(step, Step::Leave(Left::Ended(Outcome::Certified { .. })))
}

fn take(bench: &Arc<Bench>, seat: &mut Seat, shown: &mut Shown, event: RoundEvent) {
    match event {
        RoundEvent::Ended(outcome) => seat.ended(outcome),
        RoundEvent::Contributed(contribution) => {
            if shown.contribution(bench.domain(), &contribution) {
                seat.may_post(bench.clock.now(), direct::first_turn(bench.worker()));
            }
            seat.sees_all(shown.is_complete(bench.worker()));
        }
        RoundEvent::Listed(list) => match listed(bench, seat, &list) {
            Ok(()) => shown.list(&list),
            Err(fault) => {
                let signed = list.check(bench.coordinator, bench.domain()).is_ok();
                if signed && let Some(first) = shown.contradicted(&list) {
                    tokio::spawn(court::expose(bench.clone(), first, (*list).clone()).in_current_span());
                }
                tracing::error!(fault, "not signing for this list");
                metrics::counter!("worker_list_faults_total").increment(1);
            }
        },
    }
}

fn listed(bench: &Bench, seat: &mut Seat, list: &SignedList) -> Result<(), String> {
    list.check(bench.coordinator, bench.domain()).map_err(|error| error.to_string())?;
    seat.listed(list).map_err(|fault| fault.to_string())?;
    bench.progress.tell(list.round, ProgressStep::Listed { entries: list.entries.len() as u32 });
    Ok(())
}

async fn perform(bench: &Arc<Bench>, place: &Place, shown: Shown, step: Step) -> Result<Done, WorkerError> {
    let at = place.at;
    if let Some(terms) = &place.terms {
        match &step {
            Step::CommitOnChain(promise) => {
                return Ok(Done::Committed(direct::place(bench, terms, promise, Word::Commitment).await));
            }
            Step::RevealOnChain(promise) => {
                return Ok(Done::Revealed(direct::place(bench, terms, promise, Word::Reveal).await));
            }
            Step::Post => {
                direct::post(bench, terms, at, &shown).await;
                return Ok(Done::Posted);
            }
            _ => {}
        }
    }
    match (step, &place.work) {
        // Without the terms nothing can be said on chain.
        (Step::CommitOnChain(_), _) => Ok(Done::Committed(OnChain::Refused)),
        (Step::RevealOnChain(_), _) => Ok(Done::Revealed(OnChain::Refused)),
        (Step::Post, _) => Ok(Done::Posted),
        (Step::Reserve, Some(work)) => {
            let expiry = work.round.wave_end(current_wave(bench, work)).0;
            let message = Reservation { roundId: at.id.0, wave: current_wave(bench, work), expiry };
            let message = bench.sign(at, message)?;
            Ok(Done::Reserved(offer(|| bench.link.reserve(&message)).await))
        }
        (Step::Execute, Some(work)) => execute(bench, work).await.map(Done::Executed),
        (Step::SayUnavailable, Some(work)) => {
            let message =
                bench.sign(at, Unavailable { roundId: at.id.0, wave: current_wave(bench, work) })?;
            Ok(Done::Sent(offer(|| bench.link.unavailable(&message)).await.map(|_| ())))
        }
        (Step::Commit(promise), _) => {
            let (wave, commitment) = (promise.wave, promise.commitment(bench.worker()));
            let message = bench.sign(at, Commitment { roundId: at.id.0, wave, commitment })?;
            Ok(Done::Sent(offer(|| bench.link.commit(&message)).await.map(|_| ())))
        }
        (Step::Contribute(promise, list), _) => {
            let envelope = bench.sign(at, promise.contribution(list))?;
            let signed = OpenContribution { envelope, own_trace_root: promise.own_trace_root };
            // What the journal has stands: after a crash it may be another list's, and then that one is shown.
            Ok(Done::Signed(Box::new(bench.journal.contribution(signed).await?)))
        }
        (Step::Show(contribution), _) => {
            Ok(Done::Sent(offer(|| bench.link.contribute(&contribution)).await.map(|_| ())))
        }
        _ => {
            tokio::time::sleep(ASK_ANYWAY).await;
            let state = bench.link.round(at.id).await.ok();
            let state = state.map(|state| State { outcome: state.outcome, lists: state.lists.len() });
            Ok(Done::Asked(state.unwrap_or_default()))
        }
    }
}

/// The wave that runs, or the last one that the seat was drawn for, at a boundary.
fn current_wave(bench: &Bench, work: &Work) -> u8 {
    let now = bench.clock.now().max(work.round.opened.time);
    work.round.wave_at(now).unwrap_or(work.wave).max(work.wave)
}

fn apply(bench: &Bench, at: RoundRef, seat: &mut Seat, step: &Step, done: Done) {
    match done {
        Done::Reserved(Ok(ack)) => {
            seat.reserved(ack);
            if ack != Ack::Full {
                bench.progress.tell(at, ProgressStep::Seated);
            }
        }
        Done::Executed(Ok(promise)) => {
            seat.executed(*promise);
            bench.waits(at.id);
        }
        Done::Executed(Err(Stuck::Withheld(reason))) => {
            tracing::warn!(reason, "the bytes of the batch are withheld");
            seat.withheld();
            bench.waits(at.id);
        }
        Done::Executed(Err(Stuck::Failed(reason))) => seat.failed(reason),
        Done::Sent(Ok(())) => {
            seat.sent();
            let told = match step {
                Step::Commit(_) => ProgressStep::Committed,
                Step::Show(_) => ProgressStep::Contributed,
                _ => ProgressStep::Withheld,
            };
            bench.progress.tell(at, told);
        }
        Done::Signed(contribution) => seat.signed(*contribution),
        Done::Committed(OnChain::Stands(_)) => {
            seat.committed_on_chain(bench.clock.now());
            bench.progress.tell(at, ProgressStep::Committed);
        }
        Done::Revealed(OnChain::Stands(before)) => {
            seat.revealed_on_chain(bench.clock.now(), direct::turn(before));
            bench.progress.tell(at, ProgressStep::Contributed);
        }
        Done::Committed(OnChain::Refused) | Done::Revealed(OnChain::Refused) => seat.refused_on_chain(),
        // A certificate ends the seat by its event; where it was no certificate, or the event does not come, it is tried again.
        Done::Posted => seat.not_posted(bench.clock.now(), direct::turn(POST_TURNS)),
        Done::Asked(State { outcome: Some(outcome), .. }) => seat.ended(outcome),
        Done::Asked(State { lists, .. }) => {
            if lists > 0 && seat.awaits_list() {
                // A list that never arrived: whoever opens the stream anew is sent all that is pending.
                bench.resync();
            }
        }
        Done::Reserved(Err(error)) | Done::Sent(Err(error)) => {
            let code = error.refusal().unwrap_or("api.foreign").to_owned();
            tracing::info!(%error, "the coordinator refused");
            seat.refused(&code, bench.clock.now());
        }
    }
}

/// Offers a message until the coordinator takes it or refuses it for good.
async fn offer<F, T>(mut send: impl FnMut() -> F) -> Result<T, ApiError>
where
    F: Future<Output = Result<T, ApiError>>,
{
    let mut pause = RETRY_FIRST;
    loop {
        match send().await {
            Err(error) if error.is_transient() => {
                tracing::debug!(%error, "the coordinator did not take a message, trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_MAX);
            }
            done => return done,
        }
    }
}

async fn execute(bench: &Arc<Bench>, work: &Work) -> Result<Result<Box<Promise>, Stuck>, WorkerError> {
    let assignment = Assignment {
        round: work.round.at,
        worker: bench.worker(),
        terms: work.terms.clone(),
        tasks: 0..work.round.tasks,
    };
    let mut pause = RETRY_FIRST;
    let patience = Duration::from_secs(work.round.patience.0 / WITHHELD_DIVISOR);
    let started = tokio::time::Instant::now();
    loop {
        let began = tokio::time::Instant::now();
        let executed = bench.executor.execute(&assignment, &bench.progress).await;
        metrics::histogram!("worker_execution_seconds").record(began.elapsed().as_secs_f64());
        metrics::counter!("worker_executions_total", "result" => result_label(&executed)).increment(1);
        match executed {
            Ok(executed) => return promise(bench, work, executed).await.map(|promise| Ok(Box::new(promise))),
            Err(ExecuteError::Host(reason)) => return Ok(Err(Stuck::Failed(reason))),
            Err(error) if started.elapsed() + pause > patience => {
                return Ok(Err(Stuck::Withheld(error.to_string())));
            }
            Err(error) => {
                tracing::debug!(%error, "bytes are missing, trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_MAX);
            }
        }
    }
}

fn result_label(executed: &Result<Executed, ExecuteError>) -> &'static str {
    match executed {
        Ok(_) => "done",
        Err(ExecuteError::Withheld { .. }) => "withheld",
        Err(ExecuteError::Host(_)) => "failed",
    }
}

/// Binds this worker to what it found, durably, before anything of it is signed. The bytes follow while it waits for the
/// list: if they are lost in a crash, executing again makes the same.
async fn promise(bench: &Arc<Bench>, work: &Work, executed: Executed) -> Result<Promise, WorkerError> {
    let batch = Batch::new(executed.receipts.clone())?;
    let claim = Claim { root: batch.root(), fuel: batch.fuel() };
    let own_trace_root = own_trace_root(executed.own_traces.clone()).unwrap_or_default();
    let Kept { bundle, traces } = Kept::of(executed)?;
    let (at, wave) = (work.round.at, current_wave(bench, work));
    let window = u64::from(work.round.policy.disputeWindow);
    let promise = Promise {
        at,
        wave,
        claim,
        own_trace_root,
        bundle: ContentId::of(&bundle),
        traces: ContentId::of(&traces),
        wave_end: work.round.wave_end(wave),
        patience: work.round.patience,
        end: work.round.end(),
        keep_until: UnixTime(work.round.deadline.0.saturating_add(window).saturating_add(KEEP_SECS)),
    };
    let promise = bench.journal.promise(promise).await?;
    let keeper = bench.clone();
    let keep = async move {
        if let Err(error) = keeper.keep(Kept { bundle, traces }).await {
            tracing::error!(%error, "could not keep what was executed: it cannot be shown in a dispute");
        }
    };
    tokio::spawn(keep.in_current_span());
    Ok(promise)
}
