//! Starting a worker, and its loops: follow the chain, listen to the coordinator, take seats.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use futures::StreamExt;
use guildhall_api::{MemberEvent, Outcome, Purpose};
use guildhall_blobs::BlobStore;
use guildhall_protocol::{Case, DealId, PoolId};
use guildhall_service::CancellationToken;
use guildhall_service::health::RoleChecks;
use guildhall_service::tasks::{OnFailure, StopReason, TaskGroup};
use tokio::sync::{Mutex, mpsc};

use crate::auditor::{self, Sample, Share};
use crate::bench::{Bench, Parts, RoundEvent};
use crate::chain::{Chain, ChainEvent};
use crate::court;
use crate::error::WorkerError;
use crate::executor::Executor;
use crate::journal::Journal;
use crate::limits::{AUDIT_QUEUE, CASE_QUEUE, MAX_ACTIVE, RETRY_FIRST, RETRY_MAX};
use crate::link::{HttpLink, Link};
use crate::progress::ProgressSender;
use crate::taker::{self, News};

/// How long loops have to end.
const STOP_DEADLINE: Duration = Duration::from_secs(15);
/// News for the taker of seats that wait; more wait in their senders.
const NEWS_QUEUE: usize = 1_024;

/// What a worker is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it keeps its journal; one worker at a time.
    pub data_dir: PathBuf,
    /// Its coordinator's address instead of the one that the pool gives on chain.
    pub coordinator_url: Option<String>,
    /// Rounds that may have something to execute at once, at most [`MAX_ACTIVE`]; those that only wait do not count.
    pub rounds_at_once: usize,
    /// Whether it disputes certificates that contradict what it found.
    pub disputes: bool,
    /// Share of the certificates of others that it re-executes, in percent; 0 = it audits nothing.
    pub audit_percent: u8,
}

/// What a worker works with.
#[derive(Debug)]
pub struct Deps {
    /// The chain: [`crate::OnChain`], or a simulated one.
    pub chain: Arc<dyn Chain>,
    /// Its own store, backed by whatever it fetches from.
    pub blobs: Arc<dyn BlobStore>,
    /// Who executes: [`crate::SandboxExecutor`], or one that misbehaves for a test.
    pub executor: Arc<dyn Executor>,
    /// The worker's key.
    pub key: PrivateKeySigner,
    /// Where progress goes; subscribe before starting.
    pub progress: ProgressSender,
    /// How it is: chain and store.
    pub checks: RoleChecks,
    /// Instead of the coordinator over HTTP: for tests that put faults between the two.
    pub link: Option<Arc<dyn Link>>,
}

/// Runs a worker until `stop`.
///
/// # Errors
/// [`WorkerError`] when it cannot start, or when something fails that it cannot do without.
pub async fn run(config: Config, deps: Deps, stop: CancellationToken) -> Result<(), WorkerError> {
    let journal = Journal::open(&config.data_dir.join("worker.redb"))?;
    let worker = deps.key.address();
    let myself = deps.chain.myself(worker).await?.ok_or(WorkerError::Unknown(worker))?;
    let service = deps.chain.service_of(myself.pool).await?;
    let link = match (deps.link, config.coordinator_url) {
        (Some(link), _) => link,
        (None, Some(url)) => Arc::new(HttpLink::new(&url)?),
        (None, None) if service.endpoint.is_empty() => return Err(WorkerError::NoEndpoint(myself.pool.0)),
        (None, None) => Arc::new(HttpLink::new(&service.endpoint)?),
    };
    let bench = Arc::new(Bench::new(Parts {
        time: deps.chain.now().await?,
        chain: deps.chain,
        link,
        executor: deps.executor,
        journal,
        blobs: deps.blobs,
        progress: deps.progress,
        key: deps.key,
        coordinator: service.coordinator,
        disputes: config.disputes,
    }));
    let group = TaskGroup::new();
    let (sender, news) = mpsc::channel(NEWS_QUEUE);
    let news = Arc::new(Mutex::new(news));
    let (cases, heard) = mpsc::channel(CASE_QUEUE);
    let heard = Arc::new(Mutex::new(heard));
    let (at, pool) = (bench.clone(), myself.pool);
    let (certified, samples) = mpsc::channel(AUDIT_QUEUE);
    let samples_foreign = config.audit_percent > 0;
    let to = Heard { news: sender.clone(), cases, certified, samples_foreign };
    group.spawn("follow", OnFailure::Restart, move |stop| follow(at.clone(), pool, to.clone(), stop));
    let at = bench.clone();
    group.spawn("court", OnFailure::StopGroup, move |stop| court::serve(at.clone(), heard.clone(), stop));
    let (at, samples) = (bench.clone(), Arc::new(Mutex::new(samples)));
    let share = Share { pool, percent: config.audit_percent };
    group.spawn("audit", OnFailure::StopGroup, move |stop| {
        auditor::audit(at.clone(), share, samples.clone(), stop)
    });
    let (at, to) = (bench.clone(), sender);
    group.spawn("listen", OnFailure::Restart, move |stop| listen(at.clone(), pool, to.clone(), stop));
    let most = config.rounds_at_once.clamp(1, MAX_ACTIVE);
    watch(&group, &bench, deps.checks);
    group.spawn("work", OnFailure::StopGroup, move |stop| {
        taker::work(bench.clone(), pool, most, news.clone(), stop)
    });
    match group.run_until(stop, STOP_DEADLINE).await.reason {
        StopReason::Asked => Ok(()),
        StopReason::Failed { task, error } => Err(WorkerError::Task { task, error }),
    }
}

/// Keeps the checks true.
fn watch(group: &TaskGroup, bench: &Arc<Bench>, checks: RoleChecks) {
    let RoleChecks { chain, store } = checks;
    let at = bench.clone();
    group.spawn("check-chain", OnFailure::Restart, move |stop| {
        let (chain, at) = (chain.clone(), at.clone());
        async move {
            let ask = || async {
                let last = at.chain.now().await.map_err(|fault| fault.to_string())?;
                guildhall_chain::caught_up("worker", at.clock.heard(), last)
            };
            chain.watch(stop, ask).await;
            Ok::<(), WorkerError>(())
        }
    });
    let at = bench.clone();
    group.spawn("check-store", OnFailure::Restart, move |stop| {
        let (store, at) = (store.clone(), at.clone());
        async move {
            store.watch(stop, || at.journal.check()).await;
            Ok::<(), WorkerError>(())
        }
    });
}

/// To whom the chain's events go.
#[derive(Clone)]
struct Heard {
    news: mpsc::Sender<News>,
    cases: mpsc::Sender<Case>,
    certified: mpsc::Sender<Sample>,
    /// Whether certificates are looked at that this worker has no seat in.
    samples_foreign: bool,
}

/// Follows the chain until `stop`.
async fn follow(
    bench: Arc<Bench>,
    pool: PoolId,
    to: Heard,
    stop: CancellationToken,
) -> Result<(), WorkerError> {
    let cursor = bench.journal.cursor()?;
    let mut events = bench.chain.follow(bench.worker(), pool, cursor);
    while let Some(Some(event)) = stop.run_until_cancelled(events.next()).await {
        if let ChainEvent::Head { time, .. } = &event {
            bench.clock.set(*time);
        }
        if let Some((deal, batch)) = certified_in(&event) {
            let turned_away = bench.was_turned_away(deal, batch);
            if turned_away || to.samples_foreign {
                // What does not fit is not looked at: these are samples.
                let _ = to.certified.try_send(Sample { deal, batch, turned_away });
            }
        }
        let sent = match event {
            ChainEvent::CaseOpened(case) => {
                // Before the place in the chain is: a restart does not hear of it again.
                bench.journal.hear(*case).await?;
                to.cases.send(*case).await.is_ok()
            }
            event => to.news.send(News::Chain(event)).await.is_ok(),
        };
        if !sent {
            break;
        }
    }
    Ok(())
}

fn certified_in(event: &ChainEvent) -> Option<(DealId, u32)> {
    match event {
        ChainEvent::BatchEnded { deal, batch, outcome: Outcome::Certified { .. }, .. } => {
            Some((*deal, *batch))
        }
        _ => None,
    }
}

/// Holds the members' stream open until `stop`.
async fn listen(
    bench: Arc<Bench>,
    pool: PoolId,
    news: mpsc::Sender<News>,
    stop: CancellationToken,
) -> Result<(), WorkerError> {
    let mut pause = RETRY_FIRST;
    while !stop.is_cancelled() {
        let opened = tokio::time::Instant::now();
        tokio::select! {
            () = stop.cancelled() => break,
            () = bench.resync_asked() => continue,
            ended = listen_once(&bench, pool, &news) => {
                bench.set_hears(false);
                if let Err(error) = ended {
                    tracing::info!(%error, "the coordinator's stream ended");
                }
            }
        }
        pause = if opened.elapsed() > RETRY_MAX { RETRY_FIRST } else { (pause * 2).min(RETRY_MAX) };
        let _ = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
    Ok(())
}

async fn listen_once(bench: &Bench, pool: PoolId, news: &mpsc::Sender<News>) -> Result<(), WorkerError> {
    let credential = bench.credential(&Purpose::Stream { pool })?;
    let mut stream = bench.link.stream(&credential).await?;
    while let Some(event) = stream.next().await? {
        match event {
            MemberEvent::Ready => {
                tracing::debug!("listening to the coordinator");
                bench.set_hears(true);
            }
            MemberEvent::Listed { list } => bench.hand(list.round.id, RoundEvent::Listed(list)),
            MemberEvent::Contributed { contribution } => {
                bench.hand(contribution.envelope.round.id, RoundEvent::Contributed(contribution));
            }
            MemberEvent::Vacant { round, .. } => {
                // The taker of seats is gone only while the worker stops.
                let _ = news.send(News::Vacant(round)).await;
            }
            // Only the chain ends a round for this worker: the coordinator's word may hurry nothing.
            MemberEvent::Ended { round, .. } => {
                tracing::debug!(round = %round.id, "the coordinator says it is over")
            }
        }
    }
    Ok(())
}
