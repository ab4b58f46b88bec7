//! Starting a coordinator.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use guildhall_blobs::BlobStore;
use guildhall_protocol::PoolId;
use guildhall_service::CancellationToken;
use guildhall_service::health::RoleChecks;
use guildhall_service::http::{self, Limits};
use guildhall_service::tasks::{OnFailure, StopReason, TaskGroup};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

use crate::chain::Chain;
use crate::desk::Desk;
use crate::error::CoordinatorError;
use crate::limits::{MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS, WRITE_QUEUE};
use crate::records::CHECK;
use crate::shell;
use crate::store::Store;

/// How long loops have to end.
const STOP_DEADLINE: Duration = Duration::from_secs(15);
/// Largest body of the interface, a result bundle.
const BODY_BYTES: usize = guildhall_api::bundle::MAX_BUNDLE_BYTES;

/// What a coordinator is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The pool that it serves.
    pub pool: PoolId,
    /// Where it keeps what it must not forget; one coordinator at a time.
    pub data_dir: PathBuf,
}

/// What a coordinator works with.
#[derive(Debug)]
pub struct Deps {
    /// The chain: [`crate::OnChain`], or a simulated one.
    pub chain: Arc<dyn Chain>,
    /// Where results and long outputs are kept.
    pub blobs: Arc<dyn BlobStore>,
    /// The key that signs lists: the pool's coordinator on chain.
    pub key: PrivateKeySigner,
    /// Where the interface is served.
    pub listener: TcpListener,
    /// How it is: chain and store.
    pub checks: RoleChecks,
    /// Further routes for the same listener (metrics, health, web pages).
    pub extra_routes: axum::Router,
}

/// Runs a coordinator until `stop`.
///
/// # Errors
/// [`CoordinatorError`] when it cannot start, or when a loop fails that it cannot do without.
pub async fn run(config: Config, deps: Deps, stop: CancellationToken) -> Result<(), CoordinatorError> {
    let Deps { chain, blobs, key, listener, checks, extra_routes } = deps;
    let coordinator = chain.coordinator_of(config.pool).await?;
    if coordinator != key.address() {
        return Err(CoordinatorError::WrongKey { key: key.address(), pool: config.pool.0, coordinator });
    }
    let store = Store::open(&config.data_dir.join("coordinator.redb"))?;
    let time = chain.now().await?;
    let desk = Arc::new(Desk::new(config.pool, chain, blobs, key, store, time));
    shell::restore(&desk).await?;

    let group = TaskGroup::new();
    let (postings, received) = mpsc::channel(WRITE_QUEUE);
    let received = Arc::new(Mutex::new(received));
    let (at, sender) = (desk.clone(), postings.clone());
    group.spawn("follow", OnFailure::StopGroup, move |stop| shell::follow(at.clone(), sender.clone(), stop));
    let (at, sender) = (desk.clone(), postings);
    group.spawn("plan", OnFailure::StopGroup, move |stop| shell::plan(at.clone(), sender.clone(), stop));
    let at = desk.clone();
    group.spawn("post", OnFailure::Restart, move |stop| shell::post_all(at.clone(), received.clone(), stop));

    watch(&group, &desk, checks);

    let limits = Limits {
        body_bytes: BODY_BYTES,
        connections: MAX_CONNECTIONS,
        connections_per_ip: MAX_CONNECTIONS_PER_ADDRESS,
        ..Limits::default()
    };
    let router = crate::http::routes(desk, group.token()).merge(extra_routes);
    let (served, token) = (Arc::new(Mutex::new(Some((listener, router)))), group.token());
    group.spawn("http", OnFailure::StopGroup, move |_| {
        let (served, token) = (served.clone(), token.clone());
        async move {
            if let Some((listener, router)) = served.lock().await.take() {
                http::serve(listener, router, limits, token).await;
            }
            Ok::<(), CoordinatorError>(())
        }
    });
    match group.run_until(stop, STOP_DEADLINE).await.reason {
        StopReason::Asked => Ok(()),
        StopReason::Failed { task, error } => Err(CoordinatorError::Task { task, error }),
    }
}

/// Keeps the checks and the gauges true.
fn watch(group: &TaskGroup, desk: &Arc<Desk>, checks: RoleChecks) {
    let RoleChecks { chain, store } = checks;
    let at = desk.clone();
    group.spawn("check-chain", OnFailure::Restart, move |stop| {
        let (chain, at) = (chain.clone(), at.clone());
        async move {
            let ask = || async {
                let (open, connected) = {
                    let machine = at.machine();
                    (machine.open_rounds(), machine.connected().len())
                };
                metrics::gauge!("coordinator_rounds_open").set(open as f64);
                metrics::gauge!("coordinator_members_connected").set(connected as f64);
                let last = at.chain.now().await.map_err(|fault| fault.to_string())?;
                guildhall_chain::caught_up("coordinator", at.clock.heard(), last)
            };
            chain.watch(stop, ask).await;
            Ok::<(), CoordinatorError>(())
        }
    });
    let at = desk.clone();
    group.spawn("check-store", OnFailure::Restart, move |stop| {
        let (store, at) = (store.clone(), at.clone());
        async move {
            let ask = || async { at.store.durable(at.store.put(CHECK.to_vec(), &at.clock.now())?).await };
            store.watch(stop, ask).await;
            Ok::<(), CoordinatorError>(())
        }
    });
}
