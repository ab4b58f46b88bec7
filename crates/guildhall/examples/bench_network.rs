//! Measures the network on one machine: a hello deal from signed order to certificate, a deal of a thousand tasks, and
//! the memory of an idle worker. Prints one JSON object.
//!
//! `cargo run --release -p guildhall --example bench_network`; the apps come from `GUILDHALL_APPS`.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod support;

use std::{
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use alloy::primitives::aliases::U96;
use guildhall::{
    city::{City, CityChain, CityConfig},
    error::{Failure, Result},
    requester::watch::{Watch, Watched},
};
use guildhall_api::CoordinatorClient;
use guildhall_protocol::AssetId;
use serde_json::json;
use support::{Process, hello, hello_wasm, resident};

/// Workers of the measured city.
const WORKERS: usize = 3;
/// Deals before the measurement: machine code is compiled, stores are warm.
const WARM_UP: usize = 3;
/// Deals measured.
const DEALS: usize = 21;
/// Tasks of the large deal.
const TASKS: usize = 1_000;
/// How long the idle worker may take to connect.
const CONNECT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    // The idle worker, in a process of its own.
    support::run(&["worker"], measure)
}

#[tokio::main]
async fn measure() -> Result<serde_json::Value> {
    let dir = tempfile::tempdir().map_err(|error| Failure::new("bench.directory", error.to_string()))?;
    let config = CityConfig {
        // One more joins the pool and is switched off: its key is the idle worker's.
        workers: WORKERS + 1,
        chain: CityChain::Embedded { rpc: Some(([127, 0, 0, 1], 0).into()) },
        ..CityConfig::new(dir.path().to_owned())
    };
    let mut city = City::start(config).await?;
    city.switch_off(WORKERS).await;
    let app = city.sell_app("hello", hello_wasm(), U96::ZERO).await?.id;
    city.open_pool().await?;
    for _ in 0..WARM_UP {
        deal(&city, app, 1).await?;
    }
    let mut times = Vec::with_capacity(DEALS);
    for _ in 0..DEALS {
        times.push(deal(&city, app, 1).await?.as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    let batch = deal(&city, app, TASKS).await?.as_secs_f64();
    let idle = idle_worker(&city, dir.path()).await?;
    city.stop().await;
    Ok(json!({
        "deal_ms_p50": times[DEALS / 2],
        "deal_ms_p95": times[DEALS * 95 / 100],
        "batch1000_s": batch,
        "worker_idle_mb": idle,
    }))
}

/// Time from the signed order to the certificate, as a watcher of the chain sees it.
async fn deal(city: &City, app: AssetId, tasks: usize) -> Result<Duration> {
    let ready = city.prepare(&hello(app, tasks)).await?;
    let began = Instant::now();
    let opened = city.open(&ready).await?;
    let mut watch = Watch::start(&city.chain, None, opened.deal, 1);
    while let Some(watched) = watch.next().await {
        if let Watched::Settled = watched {
            return Ok(began.elapsed());
        }
    }
    Err(Failure::new("bench.unsettled", format!("deal {} was not settled", opened.deal)))
}

/// Resident memory of a worker that waits for work, its sandbox processes included, in MB.
async fn idle_worker(city: &City, dir: &Path) -> Result<f64> {
    let failed = |error: std::io::Error| Failure::new("bench.worker", error.to_string());
    let me = std::env::current_exe().map_err(failed)?;
    let started = Command::new(me)
        .arg("worker")
        .args(["--dir".into(), dir.join("idle").into_os_string()])
        .args(["--data".into(), dir.as_os_str().to_owned()])
        .args(["--key", &format!("worker-{}", WORKERS + 1), "--quiet"])
        .args(["--chain", &city.rpc_url().unwrap_or_default()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    let worker = Process(started.map_err(failed)?);
    let coordinator = CoordinatorClient::new(&city.coordinator_url())?;
    let wanted = u32::try_from(WORKERS + 1).unwrap_or(u32::MAX);
    let began = Instant::now();
    while coordinator.about().await?.connected < wanted {
        if began.elapsed() > CONNECT {
            return Err(Failure::new("bench.worker", "the idle worker did not connect in 30 s"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // What it allocates after connecting is over within a second.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut kilobytes = resident(worker.0.id());
    for child in children(worker.0.id()) {
        kilobytes += resident(child);
    }
    Ok(f64::from(kilobytes) / 1_000.0)
}

fn children(process: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let lists =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect()
}
