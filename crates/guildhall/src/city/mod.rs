//! A small city in one process: a chain, the contracts, a pool with its coordinator, workers of as many operators.
//!
//! What `guildhall up` runs, `guildhall demo` shows and the end-to-end tests live in. Every step of its founding looks at
//! the chain first, so that a city that was stopped, in whatever moment, goes on when it is started again. Production
//! runs the same roles apart; nothing here is known to them.

mod buy;
mod founding;
mod node;
mod roles;
mod shop;
mod visitor;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use alloy::primitives::Address;
use guildhall_blobs::BlobStore;
use guildhall_chain::{ChainClient, Key, SeedKind, Sender, SenderPolicy};
use guildhall_ledger::Ledger;
use guildhall_protocol::{Parameters, PoolId};
use guildhall_sandbox::Sandbox;
use guildhall_service::{files::DataDir, health::Health};
use guildhall_worker::{Executor, Link};
use tokio::sync::mpsc;
use url::Url;

pub use buy::{Purchase, Ready};
pub use founding::coins_needed;
pub use node::Node;
pub use roles::WorkerHandle;
pub use shop::{Asset, Goods};
pub use visitor::VISITOR;

use crate::{
    error::{Failure, Result},
    keys::KeyStore,
    requester::store::PoolStore,
};
use roles::{CoordinatorHandle, GatewayHandle};

/// The most workers of a city in one process.
pub const WORKERS_MAX: usize = 64;

/// Puts another executor into a worker's place: the number counts from zero.
pub type Wrap = Arc<dyn Fn(usize, Arc<dyn Executor>) -> Arc<dyn Executor> + Send + Sync>;
/// Takes a worker's number and its way to the coordinator, and answers what is to be used instead.
pub type LinkWrap = Arc<dyn Fn(usize, Arc<dyn Link>) -> Arc<dyn Link> + Send + Sync>;

/// How a city is set up.
#[derive(Clone)]
pub struct CityConfig {
    /// Where everything is kept.
    pub data: PathBuf,
    /// Which chain.
    pub chain: CityChain,
    /// Whether whoever reaches the embedded chain may seal its blocks and move its time: for tests of contracts.
    pub dev_methods: bool,
    /// Workers, each of an operator of its own.
    pub workers: usize,
    /// Where the coordinator listens; port 0 for any.
    pub coordinator: SocketAddr,
    /// Where the gateway listens; nowhere if left out.
    pub gateway: Option<SocketAddr>,
    /// The protocol's parameters, when the contracts are deployed.
    pub parameters: Parameters,
    /// What the lot's seeds are made of, when the contracts are deployed.
    pub seed_kind: SeedKind,
    /// Servers of the beacon that seeds come from; none where seeds come from elsewhere.
    pub beacon: Vec<Url>,
    /// Processes that run tasks, for all workers together.
    pub lanes: usize,
    /// Rounds that one worker works on at once.
    pub rounds_at_once: usize,
    /// Whether workers dispute certificates that contradict what they found.
    pub disputes: bool,
    /// Share of the certificates of others that each worker re-executes, in percent.
    pub audit_percent: u8,
    /// The executable that becomes a sandbox process; this one if left out.
    pub executable: Option<PathBuf>,
    /// How every role is, by name.
    pub health: Health,
    /// Further routes for the coordinator's listener: health and metrics.
    pub extra_routes: axum::Router,
    /// Executors that misbehave: for demonstrations and tests.
    pub wrap: Option<Wrap>,
    /// Puts something between each worker and its coordinator: for tests.
    pub link: Option<LinkWrap>,
}

/// Which chain a city is on.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "made once for a city")]
pub enum CityChain {
    /// The embedded one, durable in the data directory; JSON-RPC served at this address, if there is one.
    Embedded {
        /// Where wallets reach it; port 0 for any.
        rpc: Option<SocketAddr>,
    },
    /// Another node; `funder` pays for everything.
    Node {
        /// Its JSON-RPC endpoint.
        url: Url,
        /// That of a second one, where only what both say counts.
        second: Option<Url>,
        /// A key with coins on that chain: it deploys, and funds the others.
        funder: Key,
    },
}

impl CityConfig {
    /// A city of nine workers on the embedded chain, reachable on this machine only.
    pub fn new(data: PathBuf) -> Self {
        Self {
            data,
            chain: CityChain::Embedded { rpc: None },
            dev_methods: false,
            workers: 9,
            coordinator: SocketAddr::from(([127, 0, 0, 1], 0)),
            gateway: None,
            parameters: Parameters::default(),
            seed_kind: SeedKind::BlockHash,
            beacon: Vec::new(),
            lanes: std::thread::available_parallelism().map_or(1, usize::from),
            rounds_at_once: 4,
            disputes: true,
            audit_percent: 0,
            executable: None,
            health: Health::new(),
            extra_routes: axum::Router::new(),
            wrap: None,
            link: None,
        }
    }
}

/// The keys of a city. Each lies in a keystore file of the data directory, under its name.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Owns the protocol's parameters, mints the development token.
    pub deployer: Key,
    /// Owns the pool: `owner`.
    pub owner: Key,
    /// Signs lists: `coordinator`.
    pub coordinator: Key,
    /// Owns apps and datasets: `author`.
    pub author: Key,
    /// Buys: `requester`.
    pub requester: Key,
    /// Own workers: `operator-1` and on.
    pub operators: Vec<Key>,
    /// Work: `worker-1` and on.
    pub workers: Vec<Key>,
}

/// A running city.
pub struct City {
    /// Its keys.
    pub keys: Keys,
    /// The chain.
    pub chain: ChainClient,
    /// The pool.
    pub pool: PoolId,
    config: CityConfig,
    node: Node,
    coordinator: Option<CoordinatorHandle>,
    gateway: Option<GatewayHandle>,
    blobs: Arc<dyn BlobStore>,
    workers: Vec<WorkerHandle>,
    sandbox: Arc<Sandbox>,
    senders: Senders,
    ended: mpsc::Sender<roles::Ended>,
    ends: mpsc::Receiver<roles::Ended>,
    // Held until the end: one city for a directory.
    _lock: DataDir,
}

/// One sender for each key that the city itself uses, so that numbers never collide.
struct Senders {
    deployer: Sender,
    owner: Sender,
    author: Sender,
    requester: Sender,
}

impl City {
    /// Starts a city: founds what is missing, then runs every role.
    ///
    /// # Errors
    /// What the chain, the stores and the roles say; `city.workers` for more than [`WORKERS_MAX`].
    pub async fn start(config: CityConfig) -> Result<Self> {
        if config.workers == 0 || config.workers > WORKERS_MAX {
            return Err(Failure::new(
                "city.workers",
                format!("a city of {} workers can't be", config.workers),
            )
            .hint(format!("choose 1 to {WORKERS_MAX}")));
        }
        let lock = DataDir::open(&config.data)?;
        let data = config.data.clone();
        let (names, count) = (names(config.workers), config.workers);
        let opened = tokio::task::spawn_blocking(move || KeyStore::of_data(&data).city(&names))
            .await
            .map_err(|error| Failure::new("city.keys", format!("the keys did not open: {error}")))??;
        let mut keys = Keys::of(opened, count);
        if let CityChain::Node { funder, .. } = &config.chain {
            keys.deployer = funder.clone();
        }
        let node = Node::start(&config, keys.deployer.address()).await?;
        let chain = founding::contracts(&config, &node, &keys).await?;
        let sender = |key: &Key| chain.sender(key.clone(), SenderPolicy::default());
        let senders = Senders {
            deployer: sender(&keys.deployer),
            owner: sender(&keys.owner),
            author: sender(&keys.author),
            requester: sender(&keys.requester),
        };
        let found = founding::Founding { chain: &chain, keys: &keys, senders: &senders };
        // Who comes by the web pays with an account that a development chain has for everybody, through a node that it names.
        // Anywhere else visitors bring wallets, with nodes of their own, and the address of ours may be nobody's business.
        let visited = config.gateway.is_some() && visitor::is_development(chain.deployment().chain_id);
        found.fund(visited).await?;
        let pool = found.pool().await?;
        let (ended, ends) = mpsc::channel(roles::ENDS_MAX);
        node.watch(ended.clone());
        let blobs = roles::pool_store(&config).await?;
        let key = &keys.coordinator;
        let coordinator =
            CoordinatorHandle::start(&config, &chain, key, pool, blobs.clone(), ended.clone()).await?;
        found.endpoint(pool, coordinator.url()).await?;
        found.workers(pool).await?;
        let sandbox = Arc::new(roles::sandbox(&config)?);
        let workers =
            roles::start_workers(&config, &chain, &keys.workers, coordinator.url(), &sandbox, &ended).await?;
        let rpc = node.rpc_url().filter(|_| visited);
        let gateway = GatewayHandle::start(&config, rpc, &chain, blobs.clone(), ended.clone()).await?;
        let coordinator = Some(coordinator);
        Ok(Self {
            keys,
            chain,
            pool,
            node,
            coordinator,
            gateway,
            blobs,
            workers,
            sandbox,
            senders,
            ended,
            ends,
            config,
            _lock: lock,
        })
    }

    /// How the city was set up.
    pub const fn config(&self) -> &CityConfig {
        &self.config
    }

    /// Where the coordinator is reached.
    pub fn coordinator_url(&self) -> String {
        self.coordinator.as_ref().map(|running| running.url().to_owned()).unwrap_or_default()
    }

    /// Where the gateway is reached, if there is one.
    pub fn gateway_url(&self) -> Option<String> {
        self.gateway.as_ref().map(|running| running.url().to_owned())
    }

    /// Where wallets reach the chain, if they can.
    pub fn rpc_url(&self) -> Option<String> {
        self.node.rpc_url()
    }

    /// The embedded chain, where it is that.
    pub const fn ledger(&self) -> Option<&Ledger> {
        self.node.ledger()
    }

    /// The workers, by number from zero.
    pub fn workers(&self) -> &[WorkerHandle] {
        &self.workers
    }

    /// Lets the workers' sandbox make an app ready: metered, compiled and kept, as it would be at the app's first task.
    ///
    /// # Errors
    /// `sandbox.*` for an app that no sandbox takes.
    pub async fn make_ready(&self, wasm: Vec<u8>) -> Result<()> {
        let sandbox = self.sandbox.clone();
        let loaded = tokio::task::spawn_blocking(move || sandbox.load(&wasm)).await;
        let loaded = loaded.map_err(|error| Failure::new("sandbox.thread", error.to_string()))?;
        loaded.map(|_| ()).map_err(|error| Failure::new(error.code(), error.to_string()))
    }

    /// The requester's sender of transactions.
    pub const fn requester(&self) -> &Sender {
        &self.senders.requester
    }

    /// The pool's store, as somebody who may write.
    ///
    /// # Errors
    /// `api.*` when the coordinator does not answer.
    pub async fn store(&self, key: &Key) -> Result<PoolStore> {
        PoolStore::open(&self.coordinator_url(), key.clone(), self.chain.deployment().chain_id).await
    }

    /// Waits until a role ends without having been asked to: for ever, where all is well.
    pub async fn role_ended(&mut self) -> Failure {
        match self.ends.recv().await {
            Some((name, failure)) => {
                let told = Failure::new(failure.code(), format!("{name} ended: {failure}"));
                let hint = failure.hint_text().unwrap_or("what it says is above; start the city again");
                told.hint(hint)
            }
            // Every role has been stopped, as somebody wanted.
            None => std::future::pending().await,
        }
    }

    /// Switches a worker off, as if its machine lost power after finishing what it writes.
    pub async fn switch_off(&mut self, worker: usize) {
        if let Some(handle) = self.workers.get_mut(worker) {
            handle.stop().await;
        }
    }

    /// Switches the coordinator off; everybody else goes on.
    pub async fn coordinator_off(&mut self) {
        if let Some(coordinator) = self.coordinator.take() {
            self.config.coordinator = coordinator.address();
            coordinator.stop().await;
        }
    }

    /// Switches the coordinator on again, where it was.
    ///
    /// # Errors
    /// As [`City::start`].
    pub async fn coordinator_on(&mut self) -> Result<()> {
        let (key, ended) = (&self.keys.coordinator, self.ended.clone());
        let blobs = self.blobs.clone();
        let started =
            CoordinatorHandle::start(&self.config, &self.chain, key, self.pool, blobs, ended).await?;
        self.coordinator = Some(started);
        Ok(())
    }

    /// Stops every role, then the chain.
    pub async fn stop(mut self) {
        for worker in &mut self.workers {
            worker.ask_to_stop();
        }
        for worker in &mut self.workers {
            worker.stop().await;
        }
        if let Some(gateway) = self.gateway.take() {
            gateway.stop().await;
        }
        if let Some(coordinator) = self.coordinator.take() {
            coordinator.stop().await;
        }
        drop(self.senders);
        self.node.stop().await;
    }
}

impl Keys {
    fn of(mut keys: Vec<Key>, workers: usize) -> Self {
        let at_work = keys.split_off(keys.len() - workers);
        let operators = keys.split_off(keys.len() - workers);
        let mut next = keys.into_iter();
        // As many as `names` gives; a random key never stands in for one.
        let mut take = || next.next().unwrap_or_else(Key::random);
        let (deployer, owner, coordinator) = (take(), take(), take());
        Self { deployer, owner, coordinator, author: take(), requester: take(), operators, workers: at_work }
    }

    /// Everybody but the deployer: whom it funds.
    fn funded(&self) -> impl Iterator<Item = Address> {
        let single = [&self.owner, &self.coordinator, &self.author, &self.requester];
        single.into_iter().chain(&self.operators).chain(&self.workers).map(Key::address)
    }
}

/// Names of a city's keys, in the order of [`Keys::of`].
fn names(workers: usize) -> Vec<String> {
    let single = ["deployer", "owner", "coordinator", "author", "requester"].map(str::to_owned);
    let numbered = |role: &'static str| (1..=workers).map(move |number| format!("{role}-{number}"));
    single.into_iter().chain(numbered("operator")).chain(numbered("worker")).collect()
}
