//! `guildhall worker` and `guildhall coordinator`: the roles, each alone.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use alloy::primitives::Address;
use clap::Args;
use guildhall_api::CoordinatorClient;
use guildhall_blobs::{
    BlobError, BlobSource, BlobStore, FetchPolicy, FsStore, HttpSource, HttpTimeouts, Layered, ObjectSource,
};
use guildhall_chain::BeaconSource;
use guildhall_protocol::PoolId;
use guildhall_sandbox::{Config as SandboxConfig, Sandbox};
use guildhall_service::{
    CancellationToken, Coded as _,
    files::{DataDir, create_private_dir},
    health::{self, Health},
    http,
    metrics::Metrics,
    tasks::stop_on_signal,
};
use guildhall_worker::{ProgressSender, ProgressStep, SandboxExecutor};
use serde::Serialize;
use tokio::net::TcpListener;
use url::Url;

use super::{
    Context,
    config::{ConfigArgs, CoordinatorSettings, Flag, WorkerSettings, flag, flag_of_urls},
    net::sender,
};
use crate::{
    error::{ExitStatus, Failure, Result},
    requester::store::reader,
    values::{show_odds, show_tokens},
};

/// Room for a coordinator's store, or a gateway's.
pub(super) const STORE_QUOTA_BYTES: u64 = 64 << 30;

/// Where rounds of the beacon are fetched.
#[derive(Clone, Debug, Args)]
pub(crate) struct BeaconArgs {
    /// A server of the beacon that seeds come from, such as `https://api.drand.sh`; several are asked in turn. Without one,
    /// a round waits until somebody has written its seed down on chain.
    #[arg(long = "beacon", value_name = "URL")]
    servers: Vec<Url>,
}

impl BeaconArgs {
    pub(crate) fn flag(&self) -> Flag {
        flag_of_urls("beacon", &self.servers)
    }
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// The pool's coordinator; as the pool says on chain if left out.
    #[arg(long, value_name = "URL")]
    coordinator: Option<Url>,
    /// Tasks executed at once; one a processor if left out.
    #[arg(long, value_name = "N")]
    lanes: Option<usize>,
    /// Rounds worked on at once; 4 if left out.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Share of the certificates of others in the pool that is executed again, in percent, to dispute what is wrong; 0 if left
    /// out.
    #[arg(long = "audit", value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    audit_percent: Option<u8>,
    #[command(flatten)]
    beacon: BeaconArgs,
    /// Directory of the worker's journal and cache; `worker` in the data directory if left out.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Where health and metrics are served; nowhere if left out.
    #[arg(long, value_name = "ADDRESS")]
    status_listen: Option<SocketAddr>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CoordinatorArgs {
    /// Number of the pool.
    #[arg(long, value_name = "NUMBER")]
    pool: Option<u32>,
    #[command(flatten)]
    beacon: BeaconArgs,
    /// Where to listen; 127.0.0.1:8650 if left out.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Directory of its store; `coordinator` in the data directory if left out.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Object store that gets a copy of all bytes, and is asked for what is not here: `s3://BUCKET/PATH`, with the usual
    /// `AWS_*` variables, or `file:///DIR`.
    #[arg(long, value_name = "URL")]
    copies: Option<Url>,
    /// Where a worker's request for bytes that nobody stored here is passed on, such as a gateway's
    /// `https://gateway.example/api/v1`, whose visitors leave inputs there; several are asked in turn.
    #[arg(long = "source", value_name = "URL")]
    sources: Vec<Url>,
    #[command(flatten)]
    config: ConfigArgs,
}

impl WorkerArgs {
    fn settings(&self, context: &Context) -> Result<Option<WorkerSettings>> {
        let flags = vec![
            flag("coordinator", self.coordinator.as_ref()),
            self.beacon.flag(),
            flag("lanes", self.lanes.as_ref()),
            flag("rounds", self.rounds.as_ref()),
            flag("audit_percent", self.audit_percent.as_ref()),
            flag("dir", self.dir.as_ref().map(|dir| dir.display()).as_ref()),
            flag("status_listen", self.status_listen.as_ref()),
        ];
        self.config.worker(context.out, flags)
    }
}

impl CoordinatorArgs {
    fn settings(&self, context: &Context) -> Result<Option<CoordinatorSettings>> {
        let flags = vec![
            flag("pool", self.pool.as_ref()),
            self.beacon.flag(),
            flag("listen", self.listen.as_ref()),
            flag("dir", self.dir.as_ref().map(|dir| dir.display()).as_ref()),
            flag("copies", self.copies.as_ref()),
            flag_of_urls("sources", &self.sources),
        ];
        self.config.coordinator(context.out, flags)
    }
}

pub(super) async fn bind(role: &'static str, address: SocketAddr, remedy: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(role, format!("could not listen at {address}: {error}"))
            .hint(format!("choose another address with `{remedy}`, or stop who uses it"))
    })
}

/// Serves health and metrics of a process until `stop`.
async fn serve_status(address: SocketAddr, health: &Health, stop: CancellationToken) -> Result<()> {
    let listener = bind("worker.listen", address, "--status-listen").await?;
    let router = health::routes(health, &metrics()?);
    tokio::spawn(http::serve(listener, router, http::Limits::default(), stop));
    Ok(())
}

/// The process' metrics, with their upkeep running.
pub(crate) fn metrics() -> Result<Metrics> {
    let metrics = Metrics::install().map_err(|error| Failure::new(error.code(), error.to_string()))?;
    tokio::spawn(metrics.clone().upkeep(CancellationToken::new()));
    Ok(metrics)
}

pub(crate) async fn worker(args: WorkerArgs, context: &Context) -> Result<ExitStatus> {
    let Some(settings) = args.settings(context)? else { return Ok(ExitStatus::Done) };
    let (chain, key) = (context.chain().await?, context.key().await?);
    let chain = chain.with_beacon(BeaconSource::of(settings.beacon.clone())?);
    let dir = DataDir::open(settings.dir.unwrap_or_else(|| context.profile.data.join("worker")))?;
    let state = chain.worker(key.address()).await?.ok_or_else(|| {
        Failure::new(
            "worker.unknown",
            format!("key {} is no worker: nobody has joined it to a pool", key.address()),
        )
        .hint("let an operator join it: `guildhall pool join POOL --worker KEY`")
    })?;
    let url = context.coordinator_url(&chain, state.pool.0, settings.coordinator.as_ref()).await?;
    let lanes = match settings.lanes {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        lanes => lanes,
    };
    let cache = dir.join("machine-code");
    create_private_dir(&cache)?;
    let sandbox = SandboxConfig { cache_dir: Some(cache), children: lanes, ..SandboxConfig::default() };
    let sandbox = Sandbox::new(sandbox).map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let blobs = reader(&dir.join("blobs"), &url).await?;
    let onchain = Arc::new(guildhall_worker::OnChain::new(chain.clone(), sender(&chain, &key)));
    let executor = SandboxExecutor::new(Arc::new(sandbox), blobs.clone(), onchain.clone(), lanes);
    let (health, stop) = (Health::new(), stop_on_signal());
    if let Some(address) = settings.status_listen {
        serve_status(address, &health, stop.clone()).await?;
    }
    let progress = ProgressSender::default();
    tell(context, &progress);
    context.out.say(format!("worker {} of pool {}, coordinator {url}", key.address(), state.pool));
    context.out.line(&Started {
        step: "started",
        pool: state.pool.0,
        key: key.address(),
        coordinator: &url,
    })?;
    let config = guildhall_worker::Config {
        data_dir: dir.path().to_owned(),
        coordinator_url: Some(url),
        rounds_at_once: settings.rounds,
        disputes: settings.disputes,
        audit_percent: settings.audit_percent,
    };
    let deps = guildhall_worker::Deps {
        chain: onchain,
        blobs,
        executor: Arc::new(executor),
        key: key.signer().clone(),
        progress,
        checks: health.role("worker"),
        link: None,
    };
    guildhall_worker::run(config, deps, stop).await?;
    Ok(ExitStatus::Done)
}

/// Says on standard error what happens to the worker.
fn tell(context: &Context, progress: &ProgressSender) {
    let (out, mut events) = (context.out, progress.subscribe());
    tokio::spawn(async move {
        loop {
            let event = match events.recv().await {
                Ok(event) => event,
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => continue,
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            };
            // A closed standard output is the reader's choice; the work goes on.
            let _ = out.line(&event);
            let what = match event.step {
                ProgressStep::SeatDrawn { tasks, .. } => format!("a seat by the lot, {tasks} tasks"),
                ProgressStep::Committed => "committed".to_owned(),
                ProgressStep::Certified { agreed: true, odds, .. } => {
                    format!("certified at {}", show_odds(odds.0))
                }
                ProgressStep::Certified { agreed: false, .. } => "another claim was certified".to_owned(),
                ProgressStep::Earned { amount } => format!("earned {} tokens", show_tokens(amount.0)),
                ProgressStep::Slashed { units } => {
                    format!("slashed: {} tokens into escrow", show_tokens(units.to_amount().0))
                }
                ProgressStep::Left { reason } => format!("left: {reason}"),
                _ => continue,
            };
            out.say(format!(
                "round {}, batch {}: {what}",
                crate::values::short(event.round.id),
                event.round.batch
            ));
        }
    });
}

pub(crate) async fn coordinator(args: CoordinatorArgs, context: &Context) -> Result<ExitStatus> {
    let Some(settings) = args.settings(context)? else { return Ok(ExitStatus::Done) };
    if settings.pool == 0 {
        return Err(Failure::new("coordinator.no_pool", "no pool was named, and they count from one")
            .hint("name it with `--pool NUMBER`, or `pool` in the configuration file"));
    }
    let sources = settings.sources.iter().map(|url| {
        let source = HttpSource::new(url, HttpTimeouts::default())?;
        Ok::<Arc<dyn BlobSource>, BlobError>(Arc::new(source))
    });
    let sources = sources
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| Failure::from(error).hint("write it as `https://gateway.example/api/v1`"))?;
    let copies = settings.copies.as_ref().map(|url| ObjectSource::new(url, ObjectSource::options_from_env()));
    let copies = copies
        .transpose()
        .map_err(|error| Failure::from(error).hint("write `s3://BUCKET/PATH` or `file:///DIR`"))?;
    let (chain, key) = (context.chain().await?, context.key().await?);
    let chain = chain.with_beacon(BeaconSource::of(settings.beacon.clone())?);
    let dir = DataDir::open(settings.dir.unwrap_or_else(|| context.profile.data.join("coordinator")))?;
    let local = FsStore::open(dir.join("blobs"), STORE_QUOTA_BYTES).await?;
    let blobs: Arc<dyn BlobStore> = match copies {
        Some(copies) => Arc::new(Layered::with_copies(local, copies, sources, FetchPolicy::default())),
        None => Arc::new(Layered::new(local, sources, FetchPolicy::default())),
    };
    let listener = bind("coordinator.listen", settings.listen, "--listen").await?;
    let health = Health::new();
    let address =
        listener.local_addr().map_err(|error| Failure::new("coordinator.listen", error.to_string()))?;
    let deps = guildhall_coordinator::Deps {
        chain: Arc::new(guildhall_coordinator::OnChain::new(chain.clone(), sender(&chain, &key))),
        blobs,
        key: key.signer().clone(),
        listener,
        checks: health.role("coordinator"),
        extra_routes: health::routes(&health, &metrics()?),
    };
    let config =
        guildhall_coordinator::Config { pool: PoolId(settings.pool), data_dir: dir.path().to_owned() };
    let url = format!("http://{address}");
    context.out.say(format!("coordinator of pool {} at {url}", settings.pool));
    context.out.line(&Started {
        step: "started",
        pool: settings.pool,
        key: key.address(),
        coordinator: &url,
    })?;
    let (out, stop) = (context.out, stop_on_signal());
    if out.json() {
        tokio::spawn(async move {
            // What watchers are told. Without them the coordinator goes on all the same.
            let Ok(client) = CoordinatorClient::new(&url) else { return };
            let Ok(mut events) = client.progress(None).await else { return };
            while let Ok(Some(event)) = events.next().await {
                let _ = out.line(&event);
            }
        });
    }
    guildhall_coordinator::run(config, deps, stop).await?;
    Ok(ExitStatus::Done)
}

/// The first line of a role with `--json`; each further one is a step of a round.
#[derive(Serialize)]
struct Started<'a> {
    step: &'static str,
    pool: u32,
    key: Address,
    coordinator: &'a str,
}
