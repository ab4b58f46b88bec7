//! Starting a gateway.

use std::{path::PathBuf, sync::Arc, time::Duration};

use guildhall_blobs::{BlobStore, RouteOptions};
use guildhall_chain::ChainClient;
use guildhall_protocol::UnixTime;
use guildhall_service::{
    CancellationToken,
    health::RoleChecks,
    http::{self, Limits},
    tasks::{OnFailure, StopReason, TaskGroup},
};
use tokio::{net::TcpListener, sync::Mutex};
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, NotForContentType, Predicate},
    },
};

use crate::{
    book::Book,
    error::{GatewayError, IndexError},
    facts::Facts,
    follow::Follow,
    http::{Answers, Desk, Rates, VisitorQuota, api, paced, web_routes},
    hub::Hub,
    index::{Index, file_url},
    limits::{BLOB_BYTES, BODY_BYTES, CONNECTIONS, CONNECTIONS_PER_ADDRESS},
    peers::Peers,
    relay::{Relay, Rounds},
};

/// How long loops have to end.
const STOP_DEADLINE: Duration = Duration::from_secs(15);

/// What a gateway is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the index is, if nothing else is said.
    pub data_dir: PathBuf,
    /// The database of the index, such as `postgres://...`; a file in the data directory if left out.
    pub database: Option<String>,
    /// Whether the index is built anew.
    pub rebuild: bool,
    /// Whether coordinators in this network are asked: in a city on one machine.
    pub private_pools: bool,
    /// Whether an address may ask only so fast.
    pub rates: bool,
    /// Where wallets reach the chain, to be told to them; nothing if left out.
    pub rpc: Option<String>,
}

/// What a gateway works with.
#[derive(Debug)]
pub struct Deps {
    /// The chain.
    pub chain: ChainClient,
    /// Where bytes are kept.
    pub blobs: Arc<dyn BlobStore>,
    /// Where it is served.
    pub listener: TcpListener,
    /// How it is: chain and store.
    pub checks: RoleChecks,
    /// Further routes of the same listener: health, metrics.
    pub extra_routes: axum::Router,
}

/// Runs a gateway until `stop`.
///
/// # Errors
/// [`GatewayError`] when it cannot start, or when a loop fails that it cannot do without.
pub async fn run(config: Config, deps: Deps, stop: CancellationToken) -> Result<(), GatewayError> {
    let Deps { chain, blobs, listener, checks, extra_routes } = deps;
    let url = match &config.database {
        Some(url) => url.clone(),
        None => file_url(&config.data_dir.join("index.sqlite"))?,
    };
    let index = Index::open_or_rebuild(&url, chain.deployment(), config.rebuild).await?;
    let index = Arc::new(index);
    let peers = Peers::new(config.private_pools)
        .map_err(|error| GatewayError::Task { task: "peers".to_owned(), error: error.to_string() })?;
    let (hub, rounds, group) = (Arc::new(Hub::default()), Arc::new(Rounds::default()), TaskGroup::new());
    let desk = Arc::new(Desk {
        index: index.clone(),
        book: Book::new(index.clone()),
        chain: chain.clone(),
        hub: hub.clone(),
        peers: peers.clone(),
        rounds: rounds.clone(),
        facts: Facts::default(),
        answers: Answers::default(),
        rates: config.rates.then(Rates::of_requests),
        rpc: config.rpc,
        stop: group.token(),
    });
    let book = Book::new(index.clone());
    let follow = Follow { chain: chain.clone(), index: index.clone(), hub: hub.clone(), book };
    group.spawn("follow", OnFailure::Restart, move |stop| follow.clone().run(stop));
    let relay = Relay { index: index.clone(), hub, peers, rounds };
    group.spawn("relay", OnFailure::Restart, move |stop| relay.clone().run(stop));
    watch(&group, &index, &chain, checks);
    serve(&group, listener, router(desk, blobs, extra_routes));
    let stopped = group.run_until(stop, STOP_DEADLINE).await;
    index.db().close().await;
    match stopped.reason {
        StopReason::Asked => Ok(()),
        StopReason::Failed { task, error } => Err(GatewayError::Task { task, error }),
    }
}

/// Everything that is served.
fn router(desk: Arc<Desk>, blobs: Arc<dyn BlobStore>, extra_routes: axum::Router) -> axum::Router {
    let options = RouteOptions { max_put_bytes: BLOB_BYTES, guard: Arc::new(VisitorQuota::default()) };
    let blobs = guildhall_blobs::routes(blobs, options);
    let routes = api(desk.clone(), blobs).merge(extra_routes).merge(web_routes());
    paced(desk, routes.layer(compression()))
}

/// Texts are sent compressed to who takes that: pages over a city's radio links. Bytes of others and the font go as they are, event
/// streams at once.
fn compression() -> CompressionLayer<impl Predicate> {
    let texts = DefaultPredicate::new()
        .and(NotForContentType::const_new("application/octet-stream"))
        .and(NotForContentType::const_new("font/"));
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(texts)
}

fn serve(group: &TaskGroup, listener: TcpListener, router: axum::Router) {
    let limits = Limits {
        body_bytes: BODY_BYTES,
        connections: CONNECTIONS,
        connections_per_ip: CONNECTIONS_PER_ADDRESS,
        ..Limits::default()
    };
    let served = Arc::new(Mutex::new(Some((listener, router))));
    let token = group.token();
    group.spawn("http", OnFailure::StopGroup, move |_| {
        let (served, token) = (served.clone(), token.clone());
        async move {
            if let Some((listener, router)) = served.lock().await.take() {
                http::serve(listener, router, limits, token).await;
            }
            Ok::<(), GatewayError>(())
        }
    });
}

/// Keeps the checks true.
fn watch(group: &TaskGroup, index: &Arc<Index>, chain: &ChainClient, checks: RoleChecks) {
    let RoleChecks { chain: chain_check, store } = checks;
    let (at, client) = (index.clone(), chain.clone());
    group.spawn("check-chain", OnFailure::Restart, move |stop| {
        let (check, at, client) = (chain_check.clone(), at.clone(), client.clone());
        async move {
            let ask = || async {
                let head = client.head().await.map_err(|error| error.to_string())?;
                let time = at.reached().borrow().time;
                let heard = (time != UnixTime::ZERO).then_some(time);
                guildhall_chain::caught_up("gateway", heard, head.time)
            };
            check.watch(stop, ask).await;
            Ok::<(), IndexError>(())
        }
    });
    let at = index.clone();
    group.spawn("check-store", OnFailure::Restart, move |stop| {
        let (check, at) = (store.clone(), at.clone());
        async move {
            check.watch(stop, || at.probe()).await;
            Ok::<(), IndexError>(())
        }
    });
}
