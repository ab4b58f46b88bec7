//! The roles of a city: its coordinator and its workers, each as its own crate runs it.

use std::sync::Arc;

use alloy::primitives::Address;
use guildhall_api::CoordinatorClient;
use guildhall_blobs::FsStore;
use guildhall_chain::{ChainClient, Key, SenderPolicy};
use guildhall_protocol::PoolId;
use guildhall_sandbox::{Config as SandboxConfig, Sandbox};
use guildhall_service::{CancellationToken, Coded as _, files::create_private_dir};
use guildhall_worker::{Executor, Progress, ProgressSender, SandboxExecutor};
use tokio::{
    net::TcpListener,
    sync::{broadcast, oneshot},
    task::JoinHandle,
};

use super::CityConfig;
use crate::{
    error::{Failure, Result},
    requester::store::reader,
};

/// Room for the pool's store.
const STORE_QUOTA_BYTES: u64 = 8 << 30;

/// A role that runs until it is asked to stop.
#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Running {
    async fn end(&mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // A role that panicked has told so already.
            let _ = task.await;
        }
    }
}

/// The pool's coordinator.
#[derive(Debug)]
pub(super) struct CoordinatorHandle {
    running: Running,
    url: String,
}

impl CoordinatorHandle {
    /// Starts the coordinator of a pool.
    pub(super) async fn start(
        config: &CityConfig,
        chain: &ChainClient,
        key: &Key,
        pool: PoolId,
    ) -> Result<Self> {
        let dir = config.data.join("coordinator");
        create_private_dir(&dir)?;
        let blobs = FsStore::open(dir.join("blobs"), STORE_QUOTA_BYTES).await?;
        let listener = TcpListener::bind(config.coordinator).await.map_err(|error| {
            Failure::new("city.listen", format!("could not listen at {}: {error}", config.coordinator))
                .hint("choose another address, or stop who uses it")
        })?;
        let address =
            listener.local_addr().map_err(|error| Failure::new("city.listen", error.to_string()))?;
        let sender = chain.sender(key.clone(), SenderPolicy::default());
        let deps = guildhall_coordinator::Deps {
            chain: Arc::new(guildhall_coordinator::OnChain::new(chain.clone(), sender)),
            blobs: Arc::new(blobs),
            key: key.signer().clone(),
            listener,
            extra_routes: axum::Router::new(),
        };
        let role = guildhall_coordinator::Config { pool, data_dir: dir };
        let stop = CancellationToken::new();
        let token = stop.clone();
        let (ended, mut end) = oneshot::channel();
        let task = tokio::spawn(async move {
            if let Err(error) = guildhall_coordinator::run(role, deps, token).await {
                tracing::error!(%error, "the coordinator ended");
                // Nobody listens once it has served.
                let _ = ended.send(Failure::new(error.code(), error.to_string()));
            }
        });
        let url = format!("http://{address}");
        let client = CoordinatorClient::new(&url)?;
        // The listener takes connections before the role serves them, so one question waits until it does.
        tokio::select! {
            Ok(failure) = &mut end => return Err(failure),
            about = client.about() => about?,
        };
        Ok(Self { running: Running { stop, task: Some(task) }, url })
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
) -> Result<Vec<WorkerHandle>> {
    let dir = config.data.join("workers");
    let blobs = reader(&dir.join("blobs"), coordinator).await?;
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
        };
        let progress = ProgressSender::default();
        let deps = guildhall_worker::Deps {
            chain: onchain,
            blobs: blobs.clone(),
            executor,
            key: key.signer().clone(),
            progress: progress.clone(),
            link: None,
        };
        let (stop, address) = (CancellationToken::new(), key.address());
        let token = stop.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = guildhall_worker::run(role, deps, token).await {
                tracing::error!(%error, worker = %address, "a worker ended");
            }
        });
        workers.push(WorkerHandle { address, progress, running: Running { stop, task: Some(task) } });
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
