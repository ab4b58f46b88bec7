//! Re-executes a share of the certificates that this worker has no part in, and disputes those that are wrong, for a bond of its
//! own balance. Opens the audits that the seed asks for. Checks, without a bond, what it had a seat in and was turned away from.
//!
//! Honest workers are only worth something while somebody looks: what nobody re-executes, anybody may make up. Knows nothing of
//! who made a certificate.

use std::sync::Arc;

use alloy::primitives::B256;
use guildhall_api::Round;
use guildhall_chain::Subject;
use guildhall_chain::events::Certified;
use guildhall_protocol::Batch;
use guildhall_protocol::batch::own_trace_root;
use guildhall_protocol::cases::{finding, seal};
use guildhall_protocol::list::CLAIM_LEADING;
use guildhall_protocol::{DealId, PoolId, UnixTime};
use guildhall_service::CancellationToken;
use rand::seq::IndexedRandom as _;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::bench::Bench;
use crate::blind::{guess, leaves_in_time};
use crate::chain::Plea;
use crate::court::{Contradiction, Leave, nothing, patiently, plead};
use crate::disproof::disprove;
use crate::error::WorkerError;
use crate::executor::Assignment;
use crate::limits::{AUDIT_PAUSE, MAX_AUDITS};

/// How much of what is audited.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// The pool whose store this worker reads.
    pub pool: PoolId,
    /// Certificates that are executed again, of a hundred.
    pub percent: u8,
}

/// A certificate that was heard of.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Its deal.
    pub deal: DealId,
    /// Its batch.
    pub batch: u32,
    /// Whether this worker had a seat and was told that all were taken.
    pub turned_away: bool,
}

/// Audits a share of the certificates that are heard of until `stop`.
///
/// # Errors
/// [`WorkerError::Journal`]: this worker must not go on.
pub async fn audit(
    bench: Arc<Bench>,
    share: Share,
    certified: Arc<Mutex<mpsc::Receiver<Sample>>>,
    stop: CancellationToken,
) -> Result<(), WorkerError> {
    let mut certified = certified.lock().await;
    let mut audits: JoinSet<Result<(), Leave>> = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(next) = certified.recv(), if audits.len() < MAX_AUDITS => {
                let bench = bench.clone();
                let span = tracing::error_span!(parent: None, "audit", deal = %next.deal, batch = next.batch);
                audits.spawn(async move { examine(&bench, share, next).await }.instrument(span));
            }
            Some(ended) = audits.join_next() => {
                let ended = ended.map_err(|error| WorkerError::Task {
                    task: "audit".into(),
                    error: error.to_string(),
                })?;
                match ended {
                    Ok(()) => {}
                    Err(Leave::Nothing(reason)) => tracing::debug!(reason, "not audited"),
                    Err(Leave::Journal(error)) => return Err(error),
                }
            }
        }
    }
}

async fn examine(bench: &Bench, share: Share, sample: Sample) -> Result<(), Leave> {
    let soon = UnixTime(bench.clock.now().0.saturating_add(60));
    let subject = patiently(bench, soon, || bench.chain.certified(sample.deal, sample.batch)).await?;
    let subject = subject.ok_or_else(|| nothing("there is no certificate any more"))?;
    let me = bench.worker();
    let own = subject.certified.members.iter().any(|member| member.worker == me);
    if own || subject.terms.pool_id() != share.pool {
        return Err(nothing("it is its own, or another pool's"));
    }
    let until = UnixTime(subject.certified.certificate.finalAt);
    let looks = async {
        if sample.turned_away && bench.disputes && is_missed(bench, &subject, until).await? {
            metrics::counter!("worker_turned_away_checked_total").increment(1);
            compare(bench, &subject, until, Answers::Stake).await?;
        }
        if rand::random_ratio(share.percent.min(100).into(), 100) {
            compare(bench, &subject, until, Answers::Bond).await?;
            check_one(bench, &subject, until).await?;
        }
        Ok(())
    };
    // Side by side: a coordinator that serves no receipts to compare with, and so hides a lie, keeps nobody from the audit.
    let draws = async {
        if share.percent == 0 {
            return Ok(());
        }
        open_drawn(bench, &subject, until).await
    };
    let (looked, drawn) = tokio::join!(looks, draws);
    drawn.and(looked)
}

/// Whether the certificate names fewer members than there were seats, and one of them was this worker's: then it was not true
/// that all were taken. A coordinator that keeps seats for its own friends looks like that; so does one whose workers were
/// fast, and then nothing is found.
async fn is_missed(bench: &Bench, subject: &Subject, until: UnixTime) -> Result<bool, Leave> {
    let round = round_of(bench, subject, until).await?;
    if round.is_filled_by(subject.certified.members.len()) {
        return Ok(false);
    }
    let me = bench.worker();
    let myself = patiently(bench, until, || bench.chain.myself(me)).await?;
    let standing = myself.and_then(|myself| myself.standing).ok_or_else(|| nothing("not active"))?;
    Ok(round.seat(me, &standing) == Some(0))
}

/// What a dispute rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// A bond out of the operator's balance.
    Bond,
    /// The stake of a worker that had a seat.
    Stake,
}

/// Opens the audit where the seed asks for one. Whoever is second is refused, which costs nothing.
async fn open_drawn(bench: &Bench, subject: &Subject, until: UnixTime) -> Result<(), Leave> {
    loop {
        match patiently(bench, until, || bench.chain.audit_drawn(subject)).await? {
            Some(Some(_)) => return plead(bench, Plea::Audit { subject }, until).await,
            Some(None) => return Ok(()),
            None if bench.clock.now() >= until => return Err(nothing("no seed while the window was open")),
            None => tokio::time::sleep(AUDIT_PAUSE).await,
        }
    }
}

/// Executes the batch as one of those that agreed, any one, whose own traces show whether it did: everybody who executes can
/// make them. Who committed to others did not execute, and is accused.
async fn check_one(bench: &Bench, subject: &Subject, until: UnixTime) -> Result<(), Leave> {
    let Certified { certificate, members, .. } = &subject.certified;
    let agreeing: Vec<_> = members.iter().filter(|member| member.claim == CLAIM_LEADING).collect();
    let member = agreeing.choose(&mut rand::rng()).ok_or_else(|| nothing("nobody agreed with it"))?.worker;
    let binding = patiently(bench, until, || bench.chain.binding(subject, member)).await?;
    let round = round_of(bench, subject, until).await?;
    let tasks = subject.terms.tasks_of(certificate.batch).map_err(|error| nothing(error.to_string()))?;
    let assignment =
        Assignment { round: round.at, worker: member, terms: Arc::new(subject.terms), tasks: 0..tasks };
    let executed = bench.executor.execute(&assignment, &bench.progress).await;
    let executed = executed.map_err(|error| nothing(error.to_string()))?;
    let here = own_trace_root(executed.own_traces).map_err(|error| nothing(error.to_string()))?;
    let true_trace = here == binding.own_trace_root;
    metrics::counter!("worker_traces_checked_total", "result" => if true_trace { "true" } else { "false" })
        .increment(1);
    if true_trace {
        return Ok(());
    }
    tracing::warn!(round = %round.at.id, %member, "a member did not execute what it claimed: accusing it");
    let index = rand::random_range(0..tasks);
    plead(bench, Plea::Accuse { subject, index, binding: &binding }, until).await
}

/// Looks whether the certificate contradicts itself; where it does not, executes one task of the batch again, any one, and disputes
/// it where this machine finds something else.
async fn compare(bench: &Bench, subject: &Subject, until: UnixTime, answers: Answers) -> Result<(), Leave> {
    let round = round_of(bench, subject, until).await?;
    let Some(certified) = leaves_in_time(bench, round.at, subject).await? else {
        return match answers {
            Answers::Stake => compare_roots(bench, subject, &round, until).await,
            Answers::Bond => Err(nothing("nobody serves the certified receipts")),
        };
    };
    if disprove(bench, subject, &certified, until).await? {
        return Err(nothing("it is void: there is no more to look at"));
    }
    let index = rand::random_range(0..certified.receipts().len());
    let certified = finding(&certified.receipts()[index]);
    let index = index as u32;
    let assignment = Assignment {
        round: round.at,
        worker: bench.worker(),
        terms: Arc::new(subject.terms),
        tasks: index..index + 1,
    };
    let executed = bench.executor.execute(&assignment, &bench.progress).await;
    let executed = executed.map_err(|error| nothing(error.to_string()))?;
    let here = executed.receipts.first().map(finding).ok_or_else(|| nothing("nothing was executed"))?;
    metrics::counter!("worker_audits_total", "result" => if here == certified { "same" } else { "other" })
        .increment(1);
    if here == certified {
        return Ok(());
    }
    tracing::warn!(round = %round.at.id, task = index, "a certificate is wrong: disputing it");
    dispute(bench, subject, (index, here), until, answers).await
}

/// Executes the whole batch where nobody serves what there is to compare with, and disputes any task where this machine's root is
/// another one.
async fn compare_roots(
    bench: &Bench,
    subject: &Subject,
    round: &Round,
    until: UnixTime,
) -> Result<(), Leave> {
    let index = guess(subject)?;
    let certificate = &subject.certified.certificate;
    let tasks = subject.terms.tasks_of(certificate.batch).map_err(|error| nothing(error.to_string()))?;
    let (worker, terms) = (bench.worker(), Arc::new(subject.terms));
    let assignment = Assignment { round: round.at, worker, terms, tasks: 0..tasks };
    let executed = bench.executor.execute(&assignment, &bench.progress).await;
    let receipts = executed.map_err(|error| nothing(error.to_string()))?.receipts;
    let here = receipts.get(index as usize).map(finding).ok_or_else(|| nothing("nothing was executed"))?;
    let root = Batch::new(receipts).map_err(|error| nothing(error.to_string()))?.root();
    if root == certificate.root {
        return Ok(());
    }
    tracing::warn!(round = %round.at.id, task = index, "a certificate is wrong somewhere: disputing a task of it");
    dispute(bench, subject, (index, here), until, Answers::Stake).await
}

/// Opens a case about what this machine found of a task.
async fn dispute(
    bench: &Bench,
    subject: &Subject,
    (index, here): (u32, B256),
    until: UnixTime,
    answers: Answers,
) -> Result<(), Leave> {
    let (salt, certificate) = (B256::random(), &subject.certified.certificate);
    let seal = seal(bench.worker(), subject.terms.deal(), certificate.batch, index, here, salt);
    let contradiction = Contradiction { seal, finding: here, salt, opens_until: until };
    bench.journal.contradiction(contradiction).await.map_err(WorkerError::from)?;
    let plea = match answers {
        Answers::Bond => Plea::Dispute { subject, index, seal },
        Answers::Stake => Plea::Contradict { subject, index, seal },
    };
    plead(bench, plea, until).await
}

/// The round that was certified.
async fn round_of(bench: &Bench, subject: &Subject, until: UnixTime) -> Result<Round, Leave> {
    let batch = subject.certified.certificate.batch;
    let now = patiently(bench, until, || bench.chain.batch(&subject.terms, batch)).await?;
    let seed = patiently(bench, until, || bench.chain.seed(&now.opened)).await?;
    let seed = seed.ok_or_else(|| nothing("its seed cannot be had any more"))?;
    let attempt = subject.certified.certificate.attempt;
    Round::new(&subject.terms, batch, attempt, now.opened, seed).map_err(|error| nothing(error.to_string()))
}
