//! Measures a gateway with a hundred thousand deals in its index: how fast they get there, how many reads of lists and objects it
//! answers a second, how soon (wrk, from Debian), and its memory, idle and with two thousand event streams. Prints one JSON object.
//!
//! The deals are copies of one of a real city, under other ids, written as that deal's events are.
//!
//! `cargo run --release -p guildhall --example bench_gateway`; the apps come from `GUILDHALL_APPS`.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod support;

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use alloy::primitives::{B256, U256, aliases::U96, keccak256};
use futures::future::join_all;
use guildhall::city::{City, CityChain, CityConfig};
use guildhall_chain::{Cursor, EventKind, Update};
use guildhall_gateway::{
    Head, Index,
    index::file_url,
    recorded::{Place, Recorded},
};
use guildhall_protocol::{DealId, UnixTime};
use serde_json::{Value, json};
use support::{Process, hello, hello_wasm, resident};

/// Deals in the index.
const DEALS: u64 = 100_000;
/// Events that are written at once, as the gateway does.
const A_WRITE: usize = 2_000;
/// Open event streams.
const STREAMS: usize = 2_000;
/// How long it is asked.
const ASKED_SECS: u64 = 10;
/// Connections that ask.
const CONNECTIONS: usize = 32;
/// Who takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

type Failed = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Failed>;

fn main() -> ExitCode {
    support::run(&["gateway"], measure)
}

#[tokio::main]
async fn measure() -> Result<Value> {
    if Command::new("wrk").arg("-v").output().is_err() {
        return Err("wrk is not there: apt-get install wrk".into());
    }
    let dir = tempfile::tempdir()?;
    let config = CityConfig {
        workers: 3,
        chain: CityChain::Embedded { rpc: Some(([127, 0, 0, 1], 0).into()) },
        ..CityConfig::new(dir.path().to_owned())
    };
    let city = City::start(config).await?;
    let deal = order(&city).await?;
    let (events, head) = until_certified(&city, deal).await?;
    let gateway_dir = dir.path().join("gateway");
    fs::create_dir_all(&gateway_dir)?;
    let ids: Vec<_> = (0..DEALS).map(|number| keccak256(number.to_be_bytes())).collect();
    let indexed = fill(&gateway_dir, &city, deal, &events, &head, &ids).await?;
    let (gateway, url) = start(dir.path(), &gateway_dir, &city).await?;
    let idle = f64::from(resident(gateway.0.id())) / 1_000.0;
    let (rps, p99) = ask(dir.path(), &url, &ids)?;
    let asked = f64::from(resident(gateway.0.id())) / 1_000.0;
    let streams = listen(&url).await?;
    let listened = f64::from(resident(gateway.0.id())) / 1_000.0;
    drop(streams);
    Ok(json!({
        "gateway_rps": rps,
        "gateway_p99_ms": p99,
        "gateway_events_per_s": indexed,
        "gateway_mb_idle": idle,
        "gateway_mb": asked,
        "gateway_mb_2000_streams": listened - asked,
    }))
}

/// One deal of one task.
async fn order(city: &City) -> Result<DealId> {
    let app = city.sell_app("hello", hello_wasm(), U96::ZERO).await?.id;
    city.open_pool().await?;
    let ready = city.prepare(&hello(app, 1)).await?;
    Ok(city.open(&ready).await?.deal)
}

/// Everything that the city's contracts said up to the deal's certificate.
async fn until_certified(city: &City, deal: DealId) -> Result<(Vec<Recorded>, Head)> {
    let mut updates = city.chain.follow(Cursor::at(city.chain.deployment().block), &[]);
    let (mut events, mut certified) = (Vec::new(), false);
    loop {
        match tokio::time::timeout(PATIENCE, updates.next()).await?.ok_or("the chain ended")? {
            Update::Event(event) => {
                certified |=
                    event.kind.certified().is_some() && event.kind.deal().is_some_and(|of| of.0 == deal);
                events.push(Recorded::from(*event));
            }
            Update::Head { number, time, cursor, .. } if certified => {
                return Ok((events, Head { number, time: UnixTime(time), cursor }));
            }
            Update::Head { .. } => {}
            Update::Reverted { .. } => return Err("a reorganisation".into()),
        }
    }
}

/// Writes what the city said, and its deal once more under every id; answers the events a second.
async fn fill(
    dir: &Path,
    city: &City,
    deal: DealId,
    said: &[Recorded],
    head: &Head,
    ids: &[B256],
) -> Result<f64> {
    let index = Index::open(&file_url(&dir.join("index.sqlite"))?, city.chain.deployment()).await?;
    index.write(said, None).await?;
    let of_deal: Vec<_> = said.iter().filter(|event| event.deal() == Some(deal)).collect();
    let began = Instant::now();
    let mut next = 1_u64 << 18;
    let mut written = 0;
    for some in ids.chunks(A_WRITE / of_deal.len()) {
        let mut events = Vec::with_capacity(A_WRITE);
        for id in some {
            for event in &of_deal {
                next += 1;
                let kind = renamed(&event.kind, deal.0, *id).ok_or("the event can be read")?;
                let place = Place::new(head.number, next);
                let transaction = B256::from(U256::from(next));
                events.push(Recorded { place, transaction, name: event.name.clone(), kind });
            }
        }
        written += events.len();
        index.write(&events, None).await?;
    }
    let took = began.elapsed().as_secs_f64();
    index.write(&[], Some(head)).await?;
    index.db().close().await;
    Ok(written as f64 / took)
}

/// The same event of another deal.
fn renamed(kind: &EventKind, from: B256, to: B256) -> Option<EventKind> {
    let log = kind.to_log();
    let topics: Vec<_> = log.topics().iter().map(|topic| if *topic == from { to } else { *topic }).collect();
    let words =
        log.data.chunks(32).flat_map(|word| if word == from.as_slice() { to.as_slice() } else { word });
    let data: Vec<u8> = words.copied().collect();
    EventKind::from_log(kind.contract(), &topics, &data)
}

/// A gateway over that index.
async fn start(data: &Path, dir: &Path, city: &City) -> Result<(Process, String)> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let config = data.join("gateway.toml");
    // One visitor stands for many here.
    fs::write(&config, "rate_limit = false\n")?;
    let started = Command::new(std::env::current_exe()?)
        .args(["gateway".into(), "--dir".into(), dir.as_os_str().to_owned()])
        .args(["--data".into(), data.as_os_str().to_owned(), "--config".into(), config.into_os_string()])
        .args(["--listen", &address.to_string(), "--quiet"])
        .args(["--chain", &city.rpc_url().ok_or("the chain is served")?])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let (process, url) = (Process(started), format!("http://{address}"));
    let began = Instant::now();
    loop {
        let ready = reqwest::get(format!("{url}/ready")).await;
        if ready.is_ok_and(|answer| answer.status().is_success()) {
            return Ok((process, url));
        }
        if began.elapsed() > PATIENCE {
            return Err("the gateway is not ready".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What is asked of the gateway, half lists and half objects, each object any of the hundred thousand.
const SCRIPT: &str = "local ids = {}
for id in io.lines(os.getenv('IDS')) do ids[#ids + 1] = id end
local lists = {'deals', 'deals?status=certified&limit=20', 'workers', 'certificates?limit=20', 'apps', 'pools', 'orders', 'now'}
local n = 0
request = function()
  n = n + 1
  if n % 2 == 0 then return wrk.format('GET', '/api/v1/' .. lists[n / 2 % #lists + 1]) end
  return wrk.format('GET', '/api/v1/deals/' .. ids[math.random(#ids)])
end
done = function(summary, latency)
  local rps = summary.requests / summary.duration * 1e6
  io.write(string.format('FIGURES %f %f %d\\n', rps, latency:percentile(99) / 1000, summary.errors.status))
end
";

/// Requests a second and the time that 99 of 100 stay under, in milliseconds. The city's chain has a block each second meanwhile.
fn ask(dir: &Path, url: &str, ids: &[B256]) -> Result<(f64, f64)> {
    let (path, all) = (dir.join("ask.lua"), dir.join("ids"));
    fs::write(&path, SCRIPT)?;
    fs::write(&all, ids.iter().map(|id| format!("{id}\n")).collect::<String>())?;
    let told = Command::new("wrk")
        .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{ASKED_SECS}s"), "-s"])
        .args([path.as_os_str(), url.as_ref()])
        .env("IDS", &all)
        .output()?;
    let text = String::from_utf8_lossy(&told.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("FIGURES ")).ok_or_else(|| text.to_string())?;
    let figures: Vec<f64> = line.split(' ').map(str::parse).collect::<std::result::Result<_, _>>()?;
    match figures[..] {
        [rps, p99, 0.0] => Ok((rps, p99)),
        _ => Err(format!("some requests were refused: {line}").into()),
    }
}

/// Open streams, each of which has begun.
async fn listen(url: &str) -> Result<Vec<reqwest::Response>> {
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).build()?;
    let open = (0..STREAMS).map(async |_| {
        let answer = client.get(format!("{url}/api/v1/events?topic=now")).send().await?;
        answer.error_for_status()
    });
    let mut streams = Vec::with_capacity(STREAMS);
    for stream in join_all(open).await {
        streams.push(stream?);
    }
    Ok(streams)
}
