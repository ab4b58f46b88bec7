//! The roles of a city: its coordinator and its workers, each as its own crate runs it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use alloy::primitives::Address;
use guildhall_api::CoordinatorClient;
use guildhall_blobs::{BlobStore, FsStore};
use guildhall_chain::{ChainClient, Key, SenderPolicy};
use guildhall_protocol::PoolId;
use guildhall_sandbox::{Config as SandboxConfig, Sandbox};
use guildhall_service::{CancellationToken, files::create_private_dir};
use guildhall_worker::{Executor, HttpLink, Link, Progress, ProgressSender, SandboxExecutor};
use tokio::{
    net::TcpListener,
    sync::{broadcast, mpsc},
    task::JoinHandle,
};

use super::CityConfig;
use crate::{
    error::{Failure, Result},
    requester::store::reader,
};

/// Room for the pool's store.
const STORE_QUOTA_BYTES: u64 = 8 << 30;

/// A role that ended without being asked to, and why.
pub(super) type Ended = (String, Failure);

/// The most ends that wait to be heard; the first one is enough to stop a city.
pub(super) const ENDS_MAX: usize = 16;

/// How long a role that does not answer has to say why.
const END_WAIT: Duration = Duration::from_secs(5);

/// A role that runs until it is asked to stop.
#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Running {
    /// Runs a role; when it ends before it was asked to, `ended` hears why.
    fn start<E>(
        name: String,
        stop: CancellationToken,
        role: impl Future<Output = Result<(), E>> + Send + 'static,
        ended: mpsc::Sender<Ended>,
    ) -> Self
    where
        E: Into<Failure> + Send + 'static,
    {
        let asked = stop.clone();
        let task = tokio::spawn(async move {
            let failure = match tokio::spawn(role).await {
                Ok(Ok(())) if asked.is_cancelled() => return,
                Ok(Ok(())) => Failure::new("city.role_ended", "it ended without being asked to"),
                Ok(Err(error)) => error.into(),
                Err(error) => Failure::new("city.role_panicked", format!("it panicked: {error}")),
            };
            tracing::error!(role = %name, %failure, "a role of the city ended");
            // Where nobody listens any more the city is stopping; a full queue has a reason to stop already.
            let _ = ended.try_send((name, failure));
        });
        Self { stop, task: Some(task) }
    }

    async fn end(&mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // What was wrong with it has been told already.
            let _ = task.await;
        }
    }
}

/// The pool's coordinator.
#[derive(Debug)]
pub(super) struct CoordinatorHandle {
    running: Running,
    address: SocketAddr,
    url: String,
}

impl CoordinatorHandle {
    /// Starts the coordinator of a pool.
    pub(super) async fn start(
        config: &CityConfig,
        chain: &ChainClient,
        key: &Key,
        pool: PoolId,
        blobs: Arc<dyn BlobStore>,
        ended: mpsc::Sender<Ended>,
    ) -> Result<Self> {
        let dir = config.data.join("coordinator");
        create_private_dir(&dir)?;
        let listener = TcpListener::bind(config.coordinator).await.map_err(|error| {
            Failure::new("city.listen", format!("could not listen at {}: {error}", config.coordinator))
                .hint("choose another address, or stop who uses it")
        })?;
        let address =
            listener.local_addr().map_err(|error| Failure::new("city.listen", error.to_string()))?;
        let sender = chain.sender(key.clone(), SenderPolicy::default());
        let deps = guildhall_coordinator::Deps {
            chain: Arc::new(guildhall_coordinator::OnChain::new(chain.clone(), sender)),
            blobs,
            key: key.signer().clone(),
            listener,
            checks: config.health.role("coordinator"),
            extra_routes: config.extra_routes.clone(),
        };
        let role = guildhall_coordinator::Config { pool, data_dir: dir };
        let stop = CancellationToken::new();
        let run = guildhall_coordinator::run(role, deps, stop.clone());
        let (early, mut end) = mpsc::channel(1);
        let running = Running::start("coordinator".to_owned(), stop, run, early);
        let url = format!("http://{address}");
        let client = CoordinatorClient::new(&url)?;
        // The listener takes connections before the role serves them, so one question waits until it does.
        if let Err(error) = client.about().await {
            // It ended, most likely, and its own reason says more.
            let ended = tokio::time::timeout(END_WAIT, end.recv()).await;
            return Err(ended.ok().flatten().map_or_else(|| error.into(), |(_, failure)| failure));
        }
        tokio::spawn(async move {
            if let Some(end) = end.recv().await {
                let _ = ended.try_send(end);
            }
        });
        Ok(Self { running, address, url })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn stop(mut self) {
        self.running.end().await;
    }
}

/// The store of the city's pool, which its gateway writes into, too: what is left there is what the workers fetch.
pub(super) async fn pool_store(config: &CityConfig) -> Result<Arc<dyn BlobStore>> {
    let dir = config.data.join("coordinator");
    create_private_dir(&dir)?;
    Ok(Arc::new(FsStore::open(dir.join("blobs"), STORE_QUOTA_BYTES).await?))
}

/// The city's gateway.
#[derive(Debug)]
pub(super) struct GatewayHandle {
    running: Running,
    url: String,
}

impl GatewayHandle {
    /// Starts the gateway, if the city is to have one, which tells `rpc` to wallets.
    pub(super) async fn start(
        config: &CityConfig,
        rpc: Option<String>,
        chain: &ChainClient,
        blobs: Arc<dyn BlobStore>,
        ended: mpsc::Sender<Ended>,
    ) -> Result<Option<Self>> {
        let Some(address) = config.gateway else { return Ok(None) };
        let dir = config.data.join("gateway");
        create_private_dir(&dir)?;
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::new("city.listen", format!("could not listen at {address}: {error}"))
                .hint("choose another address, or stop who uses it")
        })?;
        let address =
            listener.local_addr().map_err(|error| Failure::new("city.listen", error.to_string()))?;
        let role = guildhall_gateway::Config {
            data_dir: dir,
            database: None,
            rebuild: false,
            // Its own pool is on this machine, and so is whoever asks.
            private_pools: true,
            rates: !address.ip().is_loopback(),
            rpc,
        };
        let deps = guildhall_gateway::Deps {
            chain: chain.clone(),
            blobs,
            listener,
            checks: config.health.role("gateway"),
            extra_routes: config.extra_routes.clone(),
        };
        let stop = CancellationToken::new();
        let run = guildhall_gateway::run(role, deps, stop.clone());
        let running = Running::start("gateway".to_owned(), stop, run, ended);
        Ok(Some(Self { running, url: format!("http://{address}") }))
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) async fn stop(mut self) {
        self.running.end().await;
    }
}

/// A running worker.
#[derive(Debug)]
pub struct WorkerHandle {
    address: Address,
    progress: ProgressSender,
    running: Running,
}

impl WorkerHandle {
    /// Its key's address.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// What happens to it from now on.
    pub fn progress(&self) -> broadcast::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(super) fn ask_to_stop(&self) {
        self.running.stop.cancel();
    }

    pub(super) async fn stop(&mut self) {
        self.running.end().await;
    }
}

/// Starts all workers. They share one sandbox and one store, because they share one machine.
pub(super) async fn start_workers(
    config: &CityConfig,
    chain: &ChainClient,
    keys: &[Key],
    coordinator: &str,
    sandbox: &Arc<Sandbox>,
    ended: &mpsc::Sender<Ended>,
) -> Result<Vec<WorkerHandle>> {
    let dir = config.data.join("workers");
    let blobs = reader(&dir.join("blobs"), coordinator).await?;
    let link: Arc<dyn Link> = Arc::new(HttpLink::new(coordinator)?);
    let mut workers = Vec::with_capacity(keys.len());
    for (number, key) in keys.iter().enumerate() {
        let sender = chain.sender(key.clone(), SenderPolicy::default());
        let onchain = Arc::new(guildhall_worker::OnChain::new(chain.clone(), sender));
        let honest: Arc<dyn Executor> =
            Arc::new(SandboxExecutor::new(sandbox.clone(), blobs.clone(), onchain.clone(), config.lanes));
        let executor = match &config.wrap {
            Some(wrap) => wrap(number, honest),
            None => honest,
        };
        let data_dir = dir.join((number + 1).to_string());
        create_private_dir(&data_dir)?;
        let role = guildhall_worker::Config {
            data_dir,
            coordinator_url: Some(coordinator.to_owned()),
            rounds_at_once: config.rounds_at_once,
            disputes: config.disputes,
            audit_percent: config.audit_percent,
        };
        let (progress, name) = (ProgressSender::default(), format!("worker-{}", number + 1));
        let deps = guildhall_worker::Deps {
            chain: onchain,
            blobs: blobs.clone(),
            executor,
            key: key.signer().clone(),
            progress: progress.clone(),
            checks: config.health.role(&name),
            link: config.link.as_ref().map(|wrap| wrap(number, link.clone())),
        };
        let (stop, address) = (CancellationToken::new(), key.address());
        let run = guildhall_worker::run(role, deps, stop.clone());
        let running = Running::start(name, stop, run, ended.clone());
        workers.push(WorkerHandle { address, progress, running });
    }
    Ok(workers)
}

/// The sandbox of all workers of the city.
pub(super) fn sandbox(config: &CityConfig) -> Result<Sandbox> {
    let cache = config.data.join("workers/machine-code");
    create_private_dir(&cache)?;
    let sandbox = SandboxConfig {
        cache_dir: Some(cache),
        children: config.lanes,
        executable: config.executable.clone(),
        ..SandboxConfig::default()
    };
    Sandbox::new(sandbox).map_err(|error| Failure::new(error.code(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn end_of(role: impl Future<Output = Result<()>> + Send + 'static, asked: bool) -> Option<Ended> {
        let (ended, mut ends) = mpsc::channel(ENDS_MAX);
        let stop = CancellationToken::new();
        if asked {
            stop.cancel();
        }
        let mut running = Running::start("worker-1".to_owned(), stop, role, ended);
        running.task.take().unwrap().await.unwrap();
        ends.recv().await
    }

    #[tokio::test]
    async fn an_end_that_nobody_asked_for_is_heard_with_its_reason() {
        let failed = end_of(async { Err(Failure::new("journal.broken", "torn")) }, false).await;
        let (name, failure) = failed.unwrap();
        assert_eq!((name.as_str(), failure.code()), ("worker-1", "journal.broken"));
        let (_, failure) = end_of(async { Ok(()) }, false).await.unwrap();
        assert_eq!(failure.code(), "city.role_ended");
        let (_, failure) = end_of(async { panic!("of a test") }, false).await.unwrap();
        assert_eq!(failure.code(), "city.role_panicked");
        assert!(end_of(async { Ok(()) }, true).await.is_none(), "an end that was asked for is no failure");
    }
}
