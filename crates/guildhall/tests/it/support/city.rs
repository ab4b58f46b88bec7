//! A city for a test: on the embedded chain or on anvil, with deals bought as a requester would.

use std::{path::PathBuf, sync::Arc, time::Duration};

use alloy::{
    primitives::{Address, Bytes, aliases::U96},
    providers::Provider as _,
};
use guildhall::{
    city::{Asset, City, CityChain, CityConfig, Purchase, Wrap},
    requester::{
        deal::{Opened, Work},
        history::{History, history},
        results::{Fetched, bundle, take},
        store::reader,
        verify::{Claimed, Verification, verify},
        watch::{Watch, Watched},
    },
};
use guildhall_api::CoordinatorClient;
use guildhall_chain::SeedKind;
use guildhall_protocol::{AssetId, DealId, Fuel, Parameters, Policy, Secs};
use guildhall_testkit::Anvil;

/// A test that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Gas of a callback.
const CALLBACK_GAS: u32 = 200_000;

/// Which chain a suite runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    Embedded,
    Anvil,
}

/// Runs each scenario on both chains.
macro_rules! on_both_chains {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        mod on_the_embedded_chain {
            $($(#[$doc])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::support::city::On::Embedded).await; })*
        }
        mod on_anvil {
            $($(#[$doc])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::support::city::On::Anvil).await; })*
        }
    };
}
pub(crate) use on_both_chains;

/// A city in a directory of its own.
pub(crate) struct Town {
    pub(crate) city: City,
    pub(crate) hello: Asset,
    dir: tempfile::TempDir,
    anvil: Option<Anvil>,
}

/// What a test asks for; what it does not say is the same for all.
#[derive(Clone)]
pub(crate) struct Shopping {
    pub(crate) inputs: Vec<Bytes>,
    pub(crate) batch_size: u32,
    pub(crate) policy: Policy,
    pub(crate) deadline_secs: u64,
    pub(crate) payer: Option<guildhall_chain::Key>,
    pub(crate) callback: Address,
    pub(crate) delivery_tip: U96,
    pub(crate) dataset: AssetId,
    pub(crate) args: Vec<String>,
    pub(crate) fuel_limit: u64,
    pub(crate) memory_limit: u64,
}

impl Shopping {
    pub(crate) fn of(inputs: &[&str]) -> Self {
        Self {
            inputs: inputs.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect(),
            batch_size: 1,
            policy: quick_policy(),
            deadline_secs: 600,
            payer: None,
            callback: Address::ZERO,
            delivery_tip: U96::ZERO,
            dataset: AssetId::ZERO,
            args: vec!["app".to_owned()],
            fuel_limit: 1_000_000_000,
            memory_limit: 64 << 20,
        }
    }
}

/// Three operators, 4:1 suffices: tests are about the way, not about odds. Each attempt asks for four times the odds of the one
/// before: on a slow machine three are enough in the third attempt, too.
pub(crate) fn quick_policy() -> Policy {
    Policy { confidence: 4, replicasMin: 3, replicasMax: 5, disputeWindow: 60, ..Policy::default() }
}

/// Three operators and no more, so that the others are left for a jury.
pub(crate) fn three_listed() -> Policy {
    Policy { replicasMax: 3, ..quick_policy() }
}

/// Where built apps are.
pub(crate) fn apps_dir() -> PathBuf {
    std::env::var_os("GUILDHALL_APPS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../build/apps")),
        PathBuf::from,
    )
}

/// The model and the photographs, as `make assets` fetched them.
pub(crate) fn asset(name: &str) -> Vec<u8> {
    let cache = || std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let assets = std::env::var_os("GUILDHALL_ASSETS").map(PathBuf::from);
    let dir =
        assets.or_else(|| Some(cache().or_else(home)?.join("guildhall/assets"))).expect("a home directory");
    let path = dir.join(name);
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}\nhint: `make assets` fetches it", path.display()))
}

pub(crate) fn app(name: &str) -> Vec<u8> {
    let path = apps_dir().join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}\nhint: `make assets` builds the apps", path.display()))
}

impl Town {
    pub(crate) async fn found(on: On, workers: usize, wrap: Option<Wrap>) -> Self {
        Self::found_with(on, workers, |config| CityConfig { wrap, ..config }).await
    }

    /// A city whose configuration differs from the others'.
    pub(crate) async fn found_with(
        on: On,
        workers: usize,
        change: impl FnOnce(CityConfig) -> CityConfig,
    ) -> Self {
        // What a role says when it fails belongs to the test's output; the second test of a process finds it set up.
        let _ = guildhall_service::telemetry::init(guildhall_service::telemetry::LogFormat::Text, "warn");
        let anvil = (on == On::Anvil).then(|| Anvil::start().expect("anvil starts"));
        Self::found_on(anvil, workers, change).await
    }

    /// A city on this node, or on the embedded chain.
    pub(crate) async fn found_on(
        anvil: Option<Anvil>,
        workers: usize,
        change: impl FnOnce(CityConfig) -> CityConfig,
    ) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let chain = match &anvil {
            Some(anvil) => {
                let (url, funder) = (anvil.url().parse().expect("a URL"), Anvil::rich_key().into());
                CityChain::Node { url, second: None, funder }
            }
            None => CityChain::Embedded { rpc: Some(([127, 0, 0, 1], 0).into()) },
        };
        let config = CityConfig {
            chain,
            workers,
            parameters: Parameters {
                // Lists close when all that are at work have committed: only who misses somebody waits for it.
                patience_base_secs: Secs(10),
                fuel_per_sec: Fuel(8_000_000_000),
                expire_grace_secs: Secs(1),
                ..Parameters::default()
            },
            seed_kind: if anvil.is_some() { SeedKind::Prevrandao } else { SeedKind::BlockHash },
            executable: Some(env!("CARGO_BIN_EXE_guildhall").into()),
            ..CityConfig::new(dir.path().to_owned())
        };
        Self::wake(change(config), dir, anvil).await
    }

    async fn wake(config: CityConfig, dir: tempfile::TempDir, anvil: Option<Anvil>) -> Self {
        let city = City::start(config).await.expect("the city starts");
        let hello = city.sell_app("hello", app("hello"), U96::from(1_000)).await.expect("hello is sold");
        city.open_pool().await.expect("the pool opens");
        Self { city, hello, dir, anvil }
    }

    /// Stops the city and starts it again in the same directory.
    pub(crate) async fn restart(self) -> Self {
        self.restart_after(async |_| ()).await
    }

    /// The same, and something happens to the node meanwhile.
    pub(crate) async fn restart_after(self, meanwhile: impl AsyncFnOnce(Option<&Anvil>)) -> Self {
        let Self { city, dir, anvil, .. } = self;
        let config = city.config().clone();
        city.stop().await;
        meanwhile(anvil.as_ref()).await;
        Self::wake(config, dir, anvil).await
    }

    /// The node that the city is on.
    pub(crate) fn anvil(&self) -> &Anvil {
        self.anvil.as_ref().expect("a city on anvil")
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Where the chain's node is.
    pub(crate) fn node_url(&self) -> String {
        let anvil = self.anvil.as_ref().map(|anvil| anvil.url().to_string());
        anvil.or_else(|| self.city.rpc_url()).expect("a node that serves JSON-RPC")
    }

    /// Opens a deal over an app.
    pub(crate) async fn buy(&self, app: &Asset, shopping: Shopping) -> guildhall::error::Result<Opened> {
        let ready = self.city.prepare(&self.purchase(app, shopping)).await?;
        self.city.open(&ready).await
    }

    /// What is asked for, as the city takes it.
    pub(crate) fn purchase(&self, app: &Asset, shopping: Shopping) -> Purchase {
        Purchase {
            app: app.id,
            dataset: shopping.dataset,
            work: Work { args: shopping.args, env: Vec::new(), inputs: shopping.inputs },
            batch_size: shopping.batch_size,
            policy: shopping.policy,
            fuel_limit: shopping.fuel_limit,
            memory_limit: shopping.memory_limit,
            deadline_secs: shopping.deadline_secs,
            sponsor: shopping.payer,
            callback: (shopping.callback, if shopping.callback.is_zero() { 0 } else { CALLBACK_GAS }),
            delivery_tip: shopping.delivery_tip,
        }
    }

    /// Waits until every batch of a deal is certified or refunded, and reads its history.
    pub(crate) async fn settled(&self, opened: &Opened) -> History {
        // There may be no coordinator: what counts is on chain.
        let client = CoordinatorClient::new(&self.city.coordinator_url()).ok();
        let mut watch = Watch::start(&self.city.chain, client, opened.deal, opened.terms.batches());
        let done = tokio::time::timeout(PATIENCE, async {
            while let Some(watched) = watch.next().await {
                if let Watched::Settled = watched {
                    break;
                }
            }
        });
        let told = done.await;
        let history = self.history(opened.deal).await;
        told.unwrap_or_else(|_| panic!("the deal does not settle in time: {history:#?}"));
        history
    }

    /// Buys, and waits until every batch is certified.
    pub(crate) async fn certified(&self, app: &Asset, shopping: Shopping) -> History {
        let opened = self.buy(app, shopping).await.expect("the deal opens");
        let told = self.settled(&opened).await;
        for batch in 0..opened.terms.batches() {
            assert!(told.certificate(batch).is_some(), "batch {batch} is certified: {:?}", told.refunded);
        }
        told
    }

    pub(crate) async fn history(&self, deal: DealId) -> History {
        history(&self.city.chain, deal).await.expect("the deal's history")
    }

    /// A result as the pool serves it. A member stores it after the certificate, so it may come a moment later.
    pub(crate) async fn fetch(&self, told: &History, task: u32) -> Fetched {
        let client = CoordinatorClient::new(&self.city.coordinator_url()).expect("a URL");
        let mut heads = self.heads();
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                match bundle(&client, told, task).await {
                    Ok(bytes) => return bytes,
                    // Until the next block: nothing tells of a stored bundle.
                    Err(failure) if failure.code() == "result.none" => drop(heads.next().await),
                    Err(failure) => panic!("{failure}"),
                }
            }
        });
        let bytes = found.await.expect("the result is stored in time");
        let blobs =
            reader(&self.dir().join("cache/blobs"), &self.city.coordinator_url()).await.expect("a store");
        take(&bytes, told, task, &*blobs).await.expect("a good bundle")
    }

    pub(crate) async fn verify(&self, told: &History, task: u32, fetched: &Fetched) -> Verification {
        let claimed = Claimed { task, receipt: &fetched.receipt, output: &fetched.output };
        verify(&self.city.chain, told, &claimed).await.expect("the chain answers")
    }

    fn heads(&self) -> guildhall_chain::Follower {
        self.city.chain.follow(guildhall_chain::Cursor::at(self.city.chain.deployment().block), &[])
    }

    /// Waits until something holds, looking once a block.
    pub(crate) async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let mut heads = self.heads();
        let held = tokio::time::timeout(PATIENCE, async {
            while !holds().await {
                heads.next().await;
            }
        });
        held.await.unwrap_or_else(|_| panic!("in time: {what}"));
    }

    /// Moves the chain's time to a moment, at once.
    pub(crate) async fn jump_to(&self, moment: u64) {
        let now = self.city.chain.head().await.expect("a head").time.0;
        let jump = moment.saturating_sub(now);
        if let Some(ledger) = self.city.ledger() {
            ledger.advance_time(jump).await.expect("time that may jump");
            ledger.seal().await.expect("a block");
            return;
        }
        let provider = self.city.chain.provider();
        for (method, parameters) in [("evm_increaseTime", vec![jump]), ("evm_mine", Vec::new())] {
            let done: Result<serde_json::Value, _> = provider.raw_request(method.into(), parameters).await;
            done.expect("anvil lets time jump");
        }
    }
}

/// Puts `make` in the place of one worker's executor.
pub(crate) fn instead_of<F>(worker: usize, make: F) -> Wrap
where
    F: Fn(Arc<dyn guildhall_worker::Executor>) -> Arc<dyn guildhall_worker::Executor> + Send + Sync + 'static,
{
    Arc::new(move |number, honest| if number == worker { make(honest) } else { honest })
}
