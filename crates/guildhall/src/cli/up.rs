//! `guildhall up` and `guildhall demo`: a city in one process.

use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use alloy::primitives::aliases::U96;
use clap::Args;
use guildhall_chain::{Key, SeedKind};
use guildhall_protocol::{Parameters, Secs};
use guildhall_service::{
    CancellationToken,
    files::{MODE_PUBLIC, atomic_write},
    health::{self, Health},
    tasks::stop_on_signal,
};
use serde::Serialize;

use super::{
    Context,
    config::{ConfigArgs, flag},
    net::CHAIN_URL_FILE,
    roles::{BeaconArgs, metrics},
    up_settings::{UP, UpSettings},
};
use crate::{
    city::{Asset, City, CityChain, CityConfig, coins_needed},
    demo::{Stage, play},
    error::{ExitStatus, Failure, Result},
    output::{Out, Report, Style},
};

/// Where built apps are, unless somebody says otherwise.
const APPS_DIR: &str = "build/apps";

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Workers, each of an operator of its own; 9 if left out.
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Where the embedded chain serves JSON-RPC; 127.0.0.1:8545 if left out.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where the coordinator listens; 127.0.0.1:8650 if left out.
    #[arg(long, value_name = "ADDRESS")]
    coordinator_listen: Option<SocketAddr>,
    /// Where the gateway serves its API and the web application; 127.0.0.1:8660 if left out.
    #[arg(long, value_name = "ADDRESS")]
    gateway_listen: Option<SocketAddr>,
    /// What the lot's seeds are made of, when the city is founded: `block-hash` if left out,
    /// `prevrandao` for Ethereum, or `beacon` for rollups (drand's quicknet; with `--beacon URL`).
    #[arg(long, value_name = "KIND")]
    seeds: Option<String>,
    /// Let whoever reaches the embedded chain seal its blocks and move its time (`evm_mine`, `evm_increaseTime`,
    /// `evm_setNextBlockTimestamp`), as tests of contracts do.
    #[arg(long)]
    dev_methods: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    beacon: BeaconArgs,
    #[command(flatten)]
    places: Places,
}

impl UpArgs {
    fn settings(&self, context: &Context) -> Result<Option<UpSettings>> {
        let flags = vec![
            flag("workers", self.workers.as_ref()),
            flag("listen", self.listen.as_ref()),
            flag("coordinator_listen", self.coordinator_listen.as_ref()),
            flag("gateway_listen", self.gateway_listen.as_ref()),
            flag("seeds", self.seeds.as_ref()),
            flag("dev_methods", self.dev_methods.then_some(true).as_ref()),
            self.beacon.flag(),
        ];
        self.config.load(&UP, context.out, flags)
    }
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    places: Places,
    /// Leave the city open at the end, to be looked at in a browser, until Ctrl-C; so it is on a terminal if left out.
    #[arg(long, value_name = "true|false")]
    stay: Option<bool>,
}

/// Where apps and assets lie.
#[derive(Clone, Debug, Args)]
pub(crate) struct Places {
    /// Directory of built apps.
    #[arg(long, value_name = "DIR", env = "GUILDHALL_APPS", hide_env_values = true, default_value = APPS_DIR)]
    apps: PathBuf,
    /// Directory of the model and the photographs.
    #[arg(long, value_name = "DIR", env = "GUILDHALL_ASSETS", hide_env_values = true)]
    assets: Option<PathBuf>,
}

impl Places {
    fn assets(&self) -> PathBuf {
        self.assets.clone().unwrap_or_else(|| cache_dir().join("guildhall/assets"))
    }
}

fn cache_dir() -> PathBuf {
    let named = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(std::env::home_dir()?.join(".cache"))).unwrap_or_else(|| PathBuf::from("."))
}

pub(crate) async fn demo(args: DemoArgs, context: &Context) -> Result<ExitStatus> {
    let is_open = args.stay.unwrap_or_else(|| io::stdin().is_terminal() && io::stderr().is_terminal());
    let stage = Stage {
        data: context.profile.data.join("demo"),
        apps: args.places.apps.clone(),
        assets: args.places.assets(),
        is_open,
    };
    let (mut city, summary) = play(&stage, context.out).await?;
    context.out.result(&summary)?;
    // Ctrl-C ends the demonstration at any time; from here on it ends it well.
    let ended = if is_open {
        let gateway = city.gateway_url().unwrap_or_default();
        context.out.say(format!("the city stays open at {gateway}; stop with Ctrl-C"));
        until(&stop_on_signal(), &mut city).await
    } else {
        Ok(())
    };
    city.stop().await;
    ended?;
    Ok(if summary.holds() { ExitStatus::Done } else { ExitStatus::Negative })
}

pub(crate) async fn up(args: UpArgs, context: &Context) -> Result<ExitStatus> {
    let Some(settings) = args.settings(context)? else { return Ok(ExitStatus::Done) };
    if matches!(settings.seeds, SeedKind::Beacon(_)) && settings.beacon.is_empty() {
        return Err(Failure::new(
            "beacon.no_servers",
            "seeds from a beacon need servers that have its rounds",
        )
        .hint("name one with `--beacon https://api.drand.sh`"));
    }
    let stop = stop_on_signal();
    let health = Health::new();
    let status_routes = health::routes(&health, &metrics()?);
    let chain = match context.profile.chain() {
        Some(url) => CityChain::Node {
            url: url.clone(),
            second: context.profile.chain_check().cloned(),
            funder: funder(settings.workers, context).await?,
        },
        None => CityChain::Embedded { rpc: Some(settings.listen) },
    };
    let config = CityConfig {
        chain,
        dev_methods: settings.dev_methods,
        workers: settings.workers,
        coordinator: settings.coordinator_listen,
        gateway: Some(settings.gateway_listen),
        parameters: Parameters { patience_base_secs: patience(settings.seeds), ..Parameters::default() },
        seed_kind: settings.seeds,
        beacon: settings.beacon,
        health,
        extra_routes: status_routes,
        ..CityConfig::new(context.profile.data.clone())
    };
    context.out.say("founding the city, or waking it up");
    let mut city = City::start(config).await?;
    let assets = stock(&city, &args.places, context.out).await?;
    city.list_orders().await?;
    if let Some(url) = city.rpc_url() {
        atomic_write(&context.profile.data.join(CHAIN_URL_FILE), url.as_bytes(), MODE_PUBLIC)?;
    }
    context.out.result(&Running::of(&city, assets))?;
    context.out.say("running; stop with Ctrl-C");
    let ended = until(&stop, &mut city).await;
    context.out.say("stopping");
    city.stop().await;
    ended.map(|()| ExitStatus::Done)
}

/// Waits for the stop. A city without one of its roles is not what was asked for.
async fn until(stop: &CancellationToken, city: &mut City) -> Result<()> {
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        failure = city.role_ended() => Err(failure),
    }
}

/// Constant part of a wave's length: the time for the work, after the seed is there.
fn patience(seeds: SeedKind) -> Secs {
    let work = Secs(10);
    match seeds {
        SeedKind::Beacon(beacon) => beacon.longest_wait().saturating_add(work),
        SeedKind::BlockHash | SeedKind::Prevrandao => work,
    }
}

/// The key that pays for a city on another chain.
async fn funder(workers: usize, context: &Context) -> Result<Key> {
    context.profile.key().map_err(|failure| {
        failure.hint(format!(
            "on another chain a key pays for the city, with {} coins: name it with `--key`; without `--chain` the city \
             makes a chain of its own",
            coins_needed(workers)
        ))
    })?;
    context.key().await
}

/// Registers what lies in the directories; what is missing is left out.
async fn stock(city: &City, places: &Places, out: Out) -> Result<Vec<(&'static str, Asset)>> {
    let price = |thousandths: u64| U96::from(thousandths) * U96::from(1_000_000_000_000_000_u64);
    let mut assets = Vec::new();
    for (name, cost) in [("hello", 1), ("image-class", 10), ("wordcount", 1)] {
        let Some(wasm) = read_if_there(&places.apps.join(format!("{name}.wasm")))? else { continue };
        assets.push(("app", city.sell_app(name, wasm, price(cost)).await?));
    }
    if let Some(model) = read_if_there(&places.assets().join("open-nsfw.onnx"))? {
        assets.push(("dataset", city.sell_dataset("open-nsfw", model, price(20)).await?));
    }
    city.open_pool().await?;
    if assets.is_empty() {
        out.say(format!(
            "no apps in `{}`: `make assets` builds those of the city, `--apps DIR` names another directory",
            places.apps.display()
        ));
    }
    Ok(assets)
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file("read", path, &error)),
    }
}

#[derive(Serialize)]
struct Running {
    chain_id: u64,
    rpc: Option<String>,
    coordinator: String,
    gateway: Option<String>,
    pool: u32,
    workers: usize,
    requester: String,
    deployment: PathBuf,
    data: PathBuf,
    assets: Vec<Sold>,
}

#[derive(Serialize)]
struct Sold {
    kind: &'static str,
    #[serde(flatten)]
    asset: Asset,
}

impl Running {
    fn of(city: &City, assets: Vec<(&'static str, Asset)>) -> Self {
        let data = city.config().data.clone();
        Self {
            chain_id: city.chain.deployment().chain_id,
            rpc: city.rpc_url(),
            coordinator: city.coordinator_url(),
            gateway: city.gateway_url(),
            pool: city.pool.0,
            workers: city.workers().len(),
            requester: city.keys.requester.address().to_string(),
            deployment: data.join("deployment.json"),
            data,
            assets: assets.into_iter().map(|(kind, asset)| Sold { kind, asset }).collect(),
        }
    }
}

impl Report for Running {
    fn text(&self, style: Style) -> String {
        let rpc = self.rpc.as_deref().unwrap_or("not served");
        let mut lines = vec![
            format!("{} {} at {rpc}", style.strong("chain      "), self.chain_id),
            format!(
                "{} {} at {}, {} workers",
                style.strong("pool       "),
                self.pool,
                self.coordinator,
                self.workers
            ),
            format!("{} {}", style.strong("gateway    "), self.gateway.as_deref().unwrap_or("not served")),
            format!("{} {}", style.strong("requester  "), self.requester),
            format!("{} {}", style.strong("kept in    "), self.data.display()),
        ];
        for sold in &self.assets {
            lines.push(format!("{:<11} {} {}", sold.kind, sold.asset.id, sold.asset.name));
        }
        let data = self.data.display();
        lines.push(style.faint("next, in another terminal:"));
        if let Some(hello) = self.assets.iter().find(|sold| sold.asset.name == "hello") {
            lines.push("  echo hello > input.txt".to_owned());
            lines.push(format!(
                "  guildhall deal create --data {data} --key requester --app {} --pool {} --fuel 100M input.txt --wait",
                hello.asset.id, self.pool
            ));
        }
        lines.push(format!("  guildhall pool show {} --data {data}", self.pool));
        lines.push(format!("  guildhall doctor --data {data}"));
        lines.join("\n")
    }
}
