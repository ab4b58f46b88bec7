//! Before the Court: sits on juries that the lot gives this worker a seat on, defends certificates that it is a member of, and
//! disputes those that contradict it, or overturns them by what they say themselves.
//!
//! A juror executes the disputed task like any other, binds itself before it can know what others found, and sees to the
//! verdict and to what follows from it, since that pays it. Knows nothing of who is right.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Address, B256};
use guildhall_api::{Bundle, RoundRef, SignedList};
use guildhall_chain::{CaseState, Hearing, Subject};
use guildhall_protocol::cases::{finding, juror_commitment, seal};
use guildhall_protocol::list::{CLAIM_BARE, CLAIM_LEADING};
use guildhall_protocol::{
    Batch, Case, CaseId, Certificate, Claim, DealId, Fuel, Leaves, Member, Receipt, RoundId, Status, Terms,
    UnixTime,
};
use guildhall_service::CancellationToken;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::afterwards::bundle_of;
use crate::bench::Bench;
use crate::blind::{guess, leaves_in_time};
use crate::chain::{Plea, PostError};
use crate::disproof::{disprove, leaves_of};
use crate::error::WorkerError;
use crate::executor::Assignment;
use crate::inquest;
use crate::limits::{MAX_CASES, POST_TURN, RETRY_FIRST, RETRY_MAX};
use crate::seat::Promise;

/// What this worker found as a juror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The case.
    pub case: Case,
    /// What it says of the task.
    pub finding: B256,
    /// Its own trace of it.
    pub own_trace: B256,
}

/// What this worker disputes: it stays secret until the jury has committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// What binds it, which finds it again.
    pub seal: B256,
    /// What this worker found.
    pub finding: B256,
    /// What hides it.
    pub salt: B256,
    /// Until when a case with this seal may open: a refusal may be of the second of two attempts, so none says that there is none.
    pub opens_until: UnixTime,
}

/// Why a case is left alone. Not a fault: most cases are other workers'.
#[derive(Debug)]
pub(crate) enum Leave {
    /// No seat, excluded, too late, or over.
    Nothing(String),
    /// The journal failed.
    Journal(WorkerError),
}

impl From<WorkerError> for Leave {
    fn from(error: WorkerError) -> Self {
        Self::Journal(error)
    }
}

pub(crate) fn nothing(reason: impl Into<String>) -> Leave {
    Leave::Nothing(reason.into())
}

/// Takes cases as they open until `stop`, and goes on with those that were begun before a restart.
///
/// # Errors
/// [`WorkerError::Journal`]: this worker must not go on.
pub async fn serve(
    bench: Arc<Bench>,
    cases: Arc<Mutex<mpsc::Receiver<Case>>>,
    stop: CancellationToken,
) -> Result<(), WorkerError> {
    let mut cases = cases.lock().await;
    let mut known: HashSet<CaseId> = HashSet::new();
    let mut open: JoinSet<Result<CaseId, WorkerError>> = JoinSet::new();
    let heard = bench.journal.cases()?;
    for old in bench.journal.contradictions()? {
        let opened = heard.iter().any(|(case, _)| case.seal == old.seal);
        if !opened && bench.clock.now() > old.opens_until {
            bench.journal.forget_contradiction(old.seal).await?;
        }
    }
    for (case, found) in heard {
        known.insert(case.id());
        open.spawn(serve_one(bench.clone(), case, found));
    }
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(case) = cases.recv(), if open.len() < MAX_CASES => {
                if known.insert(case.id()) {
                    open.spawn(serve_one(bench.clone(), case, None));
                }
            }
            Some(ended) = open.join_next() => {
                let ended = ended.map_err(|error| WorkerError::Task {
                    task: "case".into(),
                    error: error.to_string(),
                })?;
                known.remove(&ended?);
            }
        }
    }
}

/// A case, with what it is about in every log line.
fn serve_one(
    bench: Arc<Bench>,
    case: Case,
    found: Option<Found>,
) -> impl Future<Output = Result<CaseId, WorkerError>> {
    let (id, facts) = (case.id(), case.facts);
    let span = tracing::error_span!(
        parent: None, "case", deal = %case.deal, batch = facts.batch, index = facts.index, case = %id
    );
    one(bench, case, found).instrument(span)
}

async fn one(bench: Arc<Bench>, case: Case, found: Option<Found>) -> Result<CaseId, WorkerError> {
    if case.facts.kind.is_inquest() {
        let left = inquest::serve(&bench, &case, found).await;
        return ended(&bench, &case, left).await;
    }
    let mine = bench.journal.contradictions()?.into_iter().find(|mine| mine.seal == case.seal);
    let left = match (mine, found, member_of(&bench, &case).await) {
        (Some(mine), ..) => accuse(&bench, &case, mine).await,
        (None, None, Some(subject)) => defend(&bench, &case, &subject).await,
        (None, found, _) => sit(&bench, &case, found).await,
    };
    ended(&bench, &case, left).await
}

async fn ended(bench: &Bench, case: &Case, left: Result<(), Leave>) -> Result<CaseId, WorkerError> {
    let id = case.id();
    bench.journal.forget_case(case).await?;
    match left {
        Ok(()) => metrics::counter!("worker_cases_served_total").increment(1),
        Err(Leave::Nothing(reason)) => tracing::debug!(reason, "left a case"),
        Err(Leave::Journal(error)) => return Err(error),
    }
    Ok(id)
}

/// What a case is about, where this worker is a member of it.
async fn member_of(bench: &Bench, case: &Case) -> Option<Subject> {
    let subject =
        patiently(bench, case.facts.reveal_end(), || bench.chain.certified(case.deal, case.facts.batch))
            .await
            .ok()??;
    let me = bench.worker();
    subject.certified.members.iter().any(|member| member.worker == me).then_some(subject)
}

/// Tries until it works, or until a moment of chain time.
pub(crate) async fn patiently<T, E, F>(
    bench: &Bench,
    until: UnixTime,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Leave>
where
    E: std::fmt::Display,
    F: Future<Output = Result<T, E>>,
{
    let mut pause = RETRY_FIRST;
    loop {
        match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(error) if bench.clock.now() >= until => return Err(nothing(error.to_string())),
            Err(error) => {
                tracing::debug!(%error, "no answer for a case, trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_MAX);
            }
        }
    }
}

/// Says something before the Court until it is taken or refused, or until a moment of chain time.
///
/// A member that was certified as silent may show its contribution meanwhile, which makes another certificate of it: a liar
/// could keep everybody from disputing like that. So it is said again, about the certificate as it stands.
pub(crate) async fn plead(bench: &Bench, plea: Plea<'_>, until: UnixTime) -> Result<(), Leave> {
    let (mut pause, mut changed) = (RETRY_FIRST, None);
    loop {
        let mut now = plea;
        if let (Some(changed), Some(subject)) = (&changed, now.subject_mut()) {
            *subject = changed;
        }
        let error = match bench.chain.plead(now).await {
            Ok(_) => return Ok(()),
            Err(PostError::Refused(reason)) => return Err(nothing(reason)),
            Err(error) if bench.clock.now() >= until => return Err(nothing(error.to_string())),
            Err(error) => error,
        };
        tracing::debug!(%error, "the Court did not take it, trying again");
        if let (PostError::Raced, Some(subject)) = (error, now.subject_mut()) {
            changed = Some(as_it_stands(bench, subject, until).await?);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// A certificate as it stands now, if it still says the same.
async fn as_it_stands(bench: &Bench, before: &Subject, until: UnixTime) -> Result<Subject, Leave> {
    let (deal, batch) = (before.terms.deal(), before.certified.certificate.batch);
    let now = patiently(bench, until, || bench.chain.certified(deal, batch)).await?;
    let now = now.filter(|now| now.says_the_same(before));
    let now = now.ok_or_else(|| nothing("the certificate stands no more"))?;
    // Its events are there for good; that it fell is in the batch's status.
    let at = patiently(bench, until, || bench.chain.batch(&now.terms, batch)).await?;
    if at.status == Status::Void { Err(nothing("the certificate is void")) } else { Ok(now) }
}

/// Serves on the jury of a case.
async fn sit(bench: &Arc<Bench>, case: &Case, found: Option<Found>) -> Result<(), Leave> {
    let facts = &case.facts;
    if found.is_none() {
        let wave = seat(bench, case).await?;
        bench.clock.reach(facts.wave_start(wave)).await;
    }
    let subject =
        patiently(bench, facts.reveal_end(), || bench.chain.certified(case.deal, case.facts.batch)).await?;
    let subject = subject.ok_or_else(|| nothing("its batch has no certificate"))?;
    let found = match found {
        Some(found) => found,
        None => execute(bench, case, &subject).await?,
    };
    commit(bench, &subject, &found).await?;
    bench.clock.reach(facts.commit_end()).await;
    reveal(bench, &found).await?;
    bench.clock.reach(facts.reveal_end()).await;
    conclude(bench, case).await
}

/// The wave of this worker's seat.
pub(crate) async fn seat(bench: &Bench, case: &Case) -> Result<u8, Leave> {
    let (facts, me) = (&case.facts, bench.worker());
    let seed = loop {
        match patiently(bench, facts.commit_end(), || bench.chain.jury_seed(case)).await? {
            Some(seed) => break seed,
            None if bench.clock.now() >= facts.commit_end() => return Err(nothing("no seed in time")),
            None => tokio::time::sleep(SEED_PAUSE).await,
        }
    };
    let myself = patiently(bench, facts.commit_end(), || bench.chain.myself(me)).await?;
    let standing = myself.and_then(|myself| myself.standing).ok_or_else(|| nothing("not active"))?;
    let eligible = standing.runtime == facts.runtime && standing.active_from < facts.opened_block;
    if !eligible || standing.room < case.stakes.slash {
        return Err(nothing("another runtime, too young, or no free stake"));
    }
    case.seat(seed, me, standing.bond).ok_or_else(|| nothing("no seat"))
}

/// How long after asking for the seed of a jury it is asked for again: a block is not faster anywhere.
const SEED_PAUSE: Duration = Duration::from_millis(250);

/// Executes the task, and binds this worker to what it found, durably.
async fn execute(bench: &Bench, case: &Case, subject: &Subject) -> Result<Found, Leave> {
    // Own traces are keyed by the case, so that nobody's of the round is of use.
    let key = (RoundId(case.id().0), bench.worker());
    let (receipt, own_trace) = execute_as(bench, case, &subject.terms, key).await?;
    let found = Found { case: *case, finding: finding(&receipt), own_trace };
    Ok(bench.journal.finding(found).await.map_err(WorkerError::from)?)
}

/// The task's receipt, and the own trace of a worker in a round: everybody who executes makes the same.
pub(crate) async fn execute_as(
    bench: &Bench,
    case: &Case,
    terms: &Terms,
    (round, worker): (RoundId, Address),
) -> Result<(Receipt, B256), Leave> {
    let facts = &case.facts;
    let assignment = Assignment {
        round: RoundRef { id: round, deal: case.deal, batch: facts.batch, attempt: 0 },
        worker,
        terms: Arc::new(*terms),
        tasks: facts.index..facts.index + 1,
    };
    let executed = bench.executor.execute(&assignment, &bench.progress).await;
    let executed = executed.map_err(|error| nothing(error.to_string()))?;
    let found = executed.receipts.first().copied().zip(executed.own_traces.first().copied());
    found.ok_or_else(|| nothing("the executor answered with nothing"))
}

/// Commits, unless that stands there from before a restart.
async fn commit(bench: &Bench, subject: &Subject, found: &Found) -> Result<(), Leave> {
    let (case, until) = (&found.case, found.case.facts.commit_end());
    let hearings = patiently(bench, until, || bench.chain.hearings(case)).await?;
    if mine(bench, &hearings).is_some() {
        return Ok(());
    }
    let commitment = juror_commitment(bench.worker(), case.id(), found.finding, found.own_trace);
    plead(bench, Plea::Commit { subject, hearings: &hearings, commitment }, until).await
}

/// This worker in the jury of the last case.
fn mine(bench: &Bench, hearings: &[Hearing]) -> Option<guildhall_chain::Juror> {
    let me = bench.worker();
    hearings.first()?.jurors.iter().find(|juror| juror.worker() == me).copied()
}

async fn reveal(bench: &Bench, found: &Found) -> Result<(), Leave> {
    let (case, until) = (&found.case, found.case.facts.reveal_end());
    let hearings = patiently(bench, until, || bench.chain.hearings(case)).await?;
    let juror = mine(bench, &hearings).ok_or_else(|| nothing("its commitment is not on chain"))?;
    if juror.has_revealed() {
        return Ok(());
    }
    let Found { finding, own_trace, .. } = *found;
    plead(bench, Plea::Reveal { case, juror: &juror, finding, own_trace }, until).await
}

/// Sees to the verdict, and to what follows from it. Jurors take turns, so that one transaction is enough.
async fn conclude(bench: &Bench, case: &Case) -> Result<(), Leave> {
    let end = UnixTime(case.facts.appeal_end().0.saturating_add(CONCLUDE_SECS));
    let hearings = patiently(bench, end, || bench.chain.hearings(case)).await?;
    let me = bench.worker();
    let place = hearings.first().and_then(|jury| jury.jurors.iter().position(|juror| juror.worker() == me));
    let turn = POST_TURN * place.unwrap_or_default() as u32;
    loop {
        match patiently(bench, end, || bench.chain.standing_of(case)).await? {
            (CaseState::Closed | CaseState::None, _) => return Ok(()),
            // An appeal is a case of its own: whoever sits on its jury goes on.
            (CaseState::Open, Some(_)) => return Ok(()),
            (_, verdict) => {
                if verdict.is_some() {
                    bench.clock.reach(case.facts.appeal_end()).await;
                }
                tokio::time::sleep(turn).await;
                if let Err(Leave::Nothing(reason)) = go_on(bench, case, end).await {
                    tracing::debug!(reason, "somebody else was faster, or it is too early");
                    tokio::time::sleep(RETRY_MAX).await;
                }
            }
        }
        if bench.clock.now() >= end {
            return Err(nothing("it was not concluded"));
        }
    }
}

/// How long after its last window a juror sees to a case, in seconds.
pub(crate) const CONCLUDE_SECS: u64 = 24 * 3600;

/// The next step of a case whose jury has spoken.
async fn go_on(bench: &Bench, case: &Case, until: UnixTime) -> Result<(), Leave> {
    let subject = patiently(bench, until, || bench.chain.certified(case.deal, case.facts.batch)).await?;
    let subject = subject.ok_or_else(|| nothing("its batch has no certificate"))?;
    let hearings = patiently(bench, until, || bench.chain.hearings(case)).await?;
    match patiently(bench, until, || bench.chain.standing_of(case)).await? {
        (CaseState::Open, None) => {
            let hearing = hearings.first().ok_or_else(|| nothing("it has no jury"))?;
            plead(bench, Plea::Decide { subject: &subject, hearing }, until).await
        }
        (CaseState::Upheld | CaseState::Overturned | CaseState::Void, Some(verdict)) => {
            let finding = verdict.finding;
            plead(bench, Plea::Finalize { subject: &subject, hearings: &hearings, finding }, until).await
        }
        _ => Ok(()),
    }
}

/// Sees a case through that this worker opened.
async fn accuse(bench: &Bench, case: &Case, mine: Contradiction) -> Result<(), Leave> {
    bench.clock.reach(case.facts.commit_end()).await;
    let Contradiction { finding, salt, .. } = mine;
    if let Err(Leave::Nothing(reason)) =
        plead(bench, Plea::OpenSeal { case, finding, salt }, case.facts.reveal_end()).await
    {
        // After a restart it may be too late. The case is seen through all the same: nobody else may come.
        tracing::warn!(reason, "could not show what was sealed");
    }
    bench.clock.reach(case.facts.reveal_end()).await;
    conclude(bench, case).await
}

/// How a certificate was contradicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    /// By its own leaves: it is void.
    Proof,
    /// By a case.
    Case,
}

/// Contradicts a certificate that is not what this worker had promised in the round. Its own leaves overturn it at once; else it
/// is disputed, where the Court lets this worker's stake answer for that: who was left out of the list, and who is not alone with
/// its claim. The case comes back as an event.
pub async fn contradict(bench: Arc<Bench>, promise: Promise) {
    let round = promise.at.id;
    match try_to_contradict(&bench, &promise).await {
        Ok(Means::Proof) => tracing::warn!(%round, "overturned a certificate by its own leaves"),
        Ok(Means::Case) => {
            tracing::warn!(%round, "disputed a certificate that is not what this worker found");
            metrics::counter!("worker_disputes_opened_total").increment(1);
        }
        Err(Leave::Nothing(reason)) => {
            tracing::info!(%round, reason, "a certificate is not what this worker found, and stays");
        }
        // The next seat that needs the journal stops the worker.
        Err(Leave::Journal(error)) => tracing::error!(%round, %error, "could not dispute a certificate"),
    }
}

async fn try_to_contradict(bench: &Bench, promise: &Promise) -> Result<Means, Leave> {
    let (at, me) = (promise.at, bench.worker());
    let until = promise.keep_until;
    let subject = patiently(bench, until, || bench.chain.certified(at.deal, at.batch)).await?;
    let subject = subject.ok_or_else(|| nothing("there is no certificate any more"))?;
    let certificate = &subject.certified.certificate;
    if certificate.attempt != at.attempt || certified_claim(&subject) == promise.claim {
        return Err(nothing("another attempt was certified"));
    }
    let until = UnixTime(certificate.finalAt);
    let mine = patiently(bench, until, || bundle_of(bench, promise)).await?;
    // What it executed may be what was certified, at another price: then nobody needs to serve it anything.
    if let Some(leaves) = leaves_of(&mine, &subject)? {
        let disproved = disprove(bench, &subject, &leaves, until).await?;
        return if disproved { Ok(Means::Proof) } else { Err(nothing("the certificate says the same")) };
    }
    let mine = Bundle::receipts_of(&mine).map_err(|error| nothing(error.to_string()))?;
    let (index, finding) = if let [only] = mine.as_slice() {
        (0, finding(only))
    } else if let Some(certified) = leaves_in_time(bench, at, &subject).await? {
        if disprove(bench, &subject, &certified, until).await? {
            return Ok(Means::Proof);
        }
        differing(&mine, certified.receipts())?
    } else {
        let index = guess(&subject)?;
        let mine = mine.get(index as usize).ok_or_else(|| nothing("it executed fewer tasks"))?;
        (index, finding(mine))
    };
    let salt = B256::random();
    let seal = seal(me, at.deal, at.batch, index, finding, salt);
    let contradiction = Contradiction { seal, finding, salt, opens_until: until };
    bench.journal.contradiction(contradiction).await.map_err(WorkerError::from)?;
    plead(bench, Plea::Contradict { subject: &subject, index, seal }, until).await?;
    Ok(Means::Case)
}

/// What a certificate says, as a claim.
pub(crate) fn certified_claim(subject: &Subject) -> Claim {
    let Certificate { root, fuel, .. } = subject.certified.certificate;
    Claim { root, fuel: Fuel(fuel) }
}

/// The leaves of a certified round, from whoever stored them: they count only if they make the certified root.
pub(crate) async fn certified_leaves(
    bench: &Bench,
    round: RoundRef,
    subject: &Subject,
    until: UnixTime,
) -> Result<Leaves, Leave> {
    let served = patiently(bench, until, || bench.link.result(round)).await?;
    let leaves = leaves_of(&served, subject)?;
    leaves.ok_or_else(|| nothing("the receipts that are served are not the certified ones"))
}

/// The first task of which this worker found something else, and what.
fn differing(mine: &[Receipt], certified: &[Receipt]) -> Result<(u32, B256), Leave> {
    let other = mine.iter().zip(certified).find(|(mine, certified)| mine != certified);
    other.map(|(mine, _)| (mine.index, finding(mine))).ok_or_else(|| nothing("the receipts are the same"))
}

/// Proves that the coordinator signed two lists for one wave: both were checked for its signature.
pub async fn expose(bench: Arc<Bench>, first: SignedList, second: SignedList) {
    let until = UnixTime(bench.clock.now().0.saturating_add(CONCLUDE_SECS));
    let plea = Plea::TwoLists { coordinator: bench.coordinator, first: &first, second: &second };
    match plead(&bench, plea, until).await {
        Ok(()) => tracing::warn!(round = %first.round.id, "proved that the coordinator signed two lists"),
        Err(Leave::Nothing(reason)) => {
            tracing::info!(round = %first.round.id, reason, "two lists of the coordinator")
        }
        Err(Leave::Journal(error)) => tracing::error!(%error, "the journal failed"),
    }
}

/// Where a certificate counts this worker as silent: shows what it had committed to, as long as the window is open. Somebody
/// kept its contribution back; what it agrees with gives its stake back, and what it contradicts is on record for the Court.
pub async fn show_mine(bench: Arc<Bench>, deal: DealId, batch: u32) {
    match try_to_show(&bench, deal, batch).await {
        Ok(()) => metrics::counter!("worker_contributions_shown_total").increment(1),
        Err(Leave::Nothing(reason)) => {
            tracing::debug!(%deal, batch, reason, "nothing to show on chain");
        }
        Err(Leave::Journal(error)) => tracing::error!(%error, "the journal failed"),
    }
}

async fn try_to_show(bench: &Bench, deal: DealId, batch: u32) -> Result<(), Leave> {
    let me = bench.worker();
    let soon = UnixTime(bench.clock.now().0.saturating_add(60));
    let subject = patiently(bench, soon, || bench.chain.certified(deal, batch)).await?;
    let subject = subject.ok_or_else(|| nothing("there is no certificate any more"))?;
    let silent = |member: &Member| member.worker == me && member.claim == CLAIM_BARE;
    let index =
        subject.certified.members.iter().position(silent).ok_or_else(|| nothing("it is not silent there"))?;
    let Certificate { attempt, finalAt, .. } = subject.certified.certificate;
    let entries = bench.journal.entries().map_err(WorkerError::from)?;
    let mut promises = entries.iter().map(|entry| &entry.promise);
    let promise = promises
        .find(|promise| (promise.at.deal, promise.at.batch, promise.at.attempt) == (deal, batch, attempt))
        .ok_or_else(|| nothing("what it executed is not kept any more"))?;
    plead(bench, Plea::ShowMine { subject: &subject, index, promise }, UnixTime(finalAt)).await?;
    tracing::warn!(round = %promise.at.id, "a certificate counted this worker as silent: it showed its contribution on chain");
    Ok(())
}

/// Shows the certified receipt of a disputed task: a certificate that nobody defends cannot be upheld.
async fn defend(bench: &Bench, case: &Case, subject: &Subject) -> Result<(), Leave> {
    let (facts, certificate, me) = (&case.facts, &subject.certified.certificate, bench.worker());
    let leading: Vec<_> =
        subject.certified.members.iter().filter(|member| member.claim == CLAIM_LEADING).collect();
    let place = leading.iter().position(|member| member.worker == me);
    let place = place.ok_or_else(|| nothing("it claimed something else"))?;
    let entries = bench.journal.entries().map_err(WorkerError::from)?;
    let promise = entries.into_iter().map(|entry| entry.promise).find(|promise| {
        promise.at.deal == case.deal
            && promise.at.batch == facts.batch
            && promise.claim.root == certificate.root
    });
    let promise = promise.ok_or_else(|| nothing("what it executed is not kept any more"))?;
    bench.clock.reach(facts.commit_end()).await;
    tokio::time::sleep(POST_TURN * place as u32).await;
    if patiently(bench, facts.reveal_end(), || bench.chain.receipt_shown(case)).await? {
        return Ok(());
    }
    let limit = guildhall_api::bundle::MAX_BUNDLE_BYTES as u64;
    let bytes = bench.blobs.get(promise.bundle, limit).await.map_err(|error| nothing(error.to_string()))?;
    let bundle = Bundle::decode(&bytes).map_err(|error| nothing(error.to_string()))?;
    let proof = Batch::new(bundle.receipts).map_err(|error| nothing(error.to_string()))?.prove(facts.index);
    let proof = proof.map_err(|error| nothing(error.to_string()))?;
    plead(bench, Plea::Show { subject, case, proof: &proof }, facts.reveal_end()).await
}
