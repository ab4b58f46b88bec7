//! Measures a pool of a thousand workers: the memory of its coordinator while all are idle, the contributions that it takes a
//! second; how fast missed blocks are caught up; and how soon a city works again after all of it was killed. Prints one JSON object.
//!
//! `cargo run --release -p guildhall --example bench_pool`; the apps come from `GUILDHALL_APPS`.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod support;

use std::{
    collections::{HashMap, HashSet},
    net::TcpListener,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use alloy::{
    primitives::{Address, B256, Bytes, U256, aliases::U96, keccak256},
    sol_types::{Eip712Domain, SolCall},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use guildhall::{
    city::{City, CityChain, CityConfig, Purchase},
    requester::deal::Opened,
};
use guildhall_api::{
    Ack, Audience, Claim, CoordinatorClient, Credential, Envelope, MemberEvent, OpenContribution, Purpose,
    Round, RoundRef, Standing,
};
use guildhall_chain::{
    Call, ChainClient, Cursor, Deployment, Endpoint, Key, RpcPolicy, Sender, SenderPolicy, Update,
    bindings::{Vault, Workforce},
    words::Activity,
};
use guildhall_protocol::{
    AssetId, Fuel, Parameters, Policy, PoolId, RoundId, Secs, Signed,
    messages::{Commitment, Contribution, WorkerKey, certifier_domain, commitment, workforce_domain},
};
use guildhall_sandbox::runtime_id;
use serde_json::{Value, json};
use support::{Process, hello, hello_wasm, resident};
use tokio::sync::mpsc;

/// Workers of the pool, each of an operator of its own.
const MEMBERS: usize = 1_000;
/// Rounds that they contribute to.
const ROUNDS: usize = 800;
/// Requests at once.
const AT_ONCE: usize = 64;
/// Blocks that are caught up.
const BLOCKS: u64 = 10_000;
/// Tasks that are open when the city is killed.
const TASKS: usize = 1_000;
/// Who takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

type Failed = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Failed>;

fn main() -> ExitCode {
    support::run(&["coordinator", "up", "deal"], measure)
}

#[tokio::main]
async fn measure() -> Result<Value> {
    let dir = tempfile::tempdir()?;
    let config = CityConfig {
        workers: 1,
        chain: CityChain::Embedded { rpc: Some(([127, 0, 0, 1], 0).into()) },
        parameters: Parameters { patience_base_secs: Secs(300), ..Parameters::default() },
        ..CityConfig::new(dir.path().to_owned())
    };
    let mut city = City::start(config).await?;
    city.switch_off(0).await;
    let hello = city.sell_app("hello", hello_wasm(), U96::ZERO).await?.id;
    city.open_pool().await?;
    let members = join(&city).await?;
    let opened = buy(&city, hello).await?;
    city.coordinator_off().await;
    let (megabytes, a_second) = coordinate(&city, dir.path(), &members, &opened).await?;
    let blocks_a_second = catch_up(&city).await?;
    city.stop().await;
    Ok(json!({
        "coordinator_mb_1000": megabytes,
        "contributions_per_s": a_second,
        "catchup_blocks_per_s": blocks_a_second,
        "recover_s": recover().await?,
    }))
}

/// This program as the command, in a data directory.
fn command(data: &Path, words: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(words).args(["--data".as_ref(), data.as_os_str()]).stdin(Stdio::null());
    Ok(command)
}

fn whole(tokens: u64) -> U256 {
    U256::from(tokens) * U256::from(10).pow(U256::from(18))
}

/// A worker with what the chain says of it.
struct Member {
    key: Key,
    standing: Standing,
}

/// Lets a thousand operators join the city's pool, each with a worker.
async fn join(city: &City) -> Result<Vec<Member>> {
    let deployer = city.chain.sender(city.keys.deployer.clone(), SenderPolicy::default());
    let runtime = city.chain.registry().runtimeNumber(runtime_id()).call().await?;
    let joining = stream::iter(0..MEMBERS).map(|_| join_one(city, &deployer, runtime));
    joining.buffer_unordered(AT_ONCE).try_collect().await
}

async fn join_one(city: &City, deployer: &Sender, runtime: u8) -> Result<Member> {
    let (chain, pool) = (&city.chain, city.pool.0);
    let (vault, workforce) = (chain.deployment().vault, chain.deployment().workforce);
    let (operator, key) = (Key::random(), Key::random());
    let account = operator.address();
    deployer.send(Call { to: Some(account), data: Bytes::new(), value_wei: whole(1) }).await?;
    let deposit = Vault::depositCall { account, amount: whole(1_000) }.abi_encode().into();
    deployer.send(Call { to: Some(vault), data: deposit, value_wei: U256::ZERO }).await?;
    let domain = workforce_domain(chain.deployment().chain_id, workforce);
    let proof = key.sign_message(&WorkerKey { operator: account, pool }, &domain)?;
    let call = Workforce::joinCall {
        worker: key.address(),
        pool,
        runtime,
        bond: whole(1_000),
        workerSignature: Bytes::copy_from_slice(&proof.to_bytes()),
    };
    let sender = chain.sender(operator, SenderPolicy::default());
    let call = Call { to: Some(workforce), data: call.abi_encode().into(), value_wei: U256::ZERO };
    sender.send(call).await?;
    let found = chain.worker(key.address()).await?.ok_or("a worker that has joined is known")?;
    let Activity::Since(active_from) = found.activity else { return Err("a new worker is active".into()) };
    let standing = Standing {
        operator: found.operator,
        pool: found.pool,
        active_from,
        reputation: found.reputation,
        bond: found.bond,
        runtime: found.runtime,
        room: found.room(chain.head().await?.time),
    };
    Ok(Member { key, standing })
}

/// Opens a deal whose tasks are certified one by one.
async fn buy(city: &City, app: AssetId) -> Result<Opened> {
    let purchase = Purchase {
        batch_size: 1,
        policy: Policy {
            confidence: 99,
            replicasMin: 3,
            replicasMax: 8,
            disputeWindow: 60,
            ..Policy::default()
        },
        deadline_secs: 3_600,
        ..hello(app, ROUNDS)
    };
    Ok(city.open(&city.prepare(&purchase).await?).await?)
}

/// A thousand workers at a coordinator that is a process of its own.
struct Crowd<'a> {
    members: &'a [Member],
    client: CoordinatorClient,
    domain: Eip712Domain,
    listed: mpsc::UnboundedReceiver<(RoundId, B256)>,
    process: Process,
}

/// A seat: its round and the number of who has it.
type Seat = (RoundRef, usize);

/// Memory of a coordinator that a thousand workers are connected to, and the contributions that it takes a second.
async fn coordinate(city: &City, data: &Path, members: &[Member], opened: &Opened) -> Result<(f64, f64)> {
    let mut crowd = connect(city, data, members).await?;
    let megabytes = f64::from(resident(crowd.process.0.id())) / 1_000.0;
    let seats = draw(city, members, opened).await?;
    commit(&crowd, &seats).await?;
    Ok((megabytes, contribute(&mut crowd, &seats).await?))
}

async fn connect<'a>(city: &City, data: &Path, members: &'a [Member]) -> Result<Crowd<'a>> {
    let address = format!("127.0.0.1:{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    let (url, pool) = (format!("http://{address}"), city.pool.0.to_string());
    let rpc = city.rpc_url().ok_or("the chain is served")?;
    let words =
        ["coordinator", "--pool", &pool, "--key", "coordinator", "--listen", &address, "--chain", &rpc];
    let mut command = command(data, &words)?;
    command.arg("--quiet").args(["--dir".as_ref(), data.join("pool").as_os_str()]).stdout(Stdio::null());
    let process = Process(command.spawn()?);
    let client = CoordinatorClient::new(&url)?;
    until(async || client.about().await.is_ok()).await?;
    let (lists, listed) = mpsc::unbounded_channel();
    let deployment = city.chain.deployment();
    let audience = Audience {
        chain: deployment.chain_id,
        certifier: deployment.certifier,
        coordinator: city.keys.coordinator.address(),
    };
    let now = city.chain.head().await?.time.0;
    for Member { key, .. } in members {
        let purpose = Purpose::Stream { pool: PoolId(city.pool.0) };
        let credential =
            Credential::sign(&audience, &purpose, key.address(), now + 200, |digest| key.sign(*digest))?;
        let (mut stream, lists) = (client.member_stream(&credential).await?, lists.clone());
        tokio::spawn(async move {
            while let Ok(Some(event)) = stream.next().await {
                if let MemberEvent::Listed { list } = event {
                    let _ = lists.send((list.round.id, list.hash()));
                }
            }
        });
    }
    until(async || client.about().await.is_ok_and(|about| about.connected as usize >= MEMBERS)).await?;
    let domain = certifier_domain(deployment.chain_id, deployment.certifier);
    Ok(Crowd { members, client, domain, listed, process })
}

async fn commit(crowd: &Crowd<'_>, seats: &[Seat]) -> Result<()> {
    let committing = stream::iter(seats.iter().copied()).map(|(round, member)| async move {
        let key = &crowd.members[member].key;
        let (claim, trace) = found(round.id, key.address());
        let commitment = commitment(key.address(), round.id, claim.root, claim.fuel, trace);
        let message = Commitment { roundId: round.id.0, wave: 0, commitment };
        let signed = Signed { message, signature: key.sign_message(&message, &crowd.domain)? };
        crowd.client.commit(&Envelope { round, worker: key.address(), signed }).await?;
        Ok::<_, Failed>(())
    });
    committing.buffer_unordered(AT_ONCE).try_collect().await
}

/// Contributions that are taken a second.
async fn contribute(crowd: &mut Crowd<'_>, seats: &[Seat]) -> Result<f64> {
    let rounds: HashSet<_> = seats.iter().map(|(round, _)| round.id).collect();
    let mut hashes = HashMap::new();
    while hashes.len() < rounds.len() {
        let (round, hash) =
            tokio::time::timeout(PATIENCE, crowd.listed.recv()).await?.ok_or("lists are sent")?;
        hashes.insert(round, hash);
    }
    let mut messages = Vec::new();
    for &(round, member) in seats {
        let key = &crowd.members[member].key;
        let (Claim { root, fuel }, own_trace_root) = found(round.id, key.address());
        let message =
            Contribution { roundId: round.id.0, wave: 0, root, fuel: fuel.0, listHash: hashes[&round.id] };
        let signed = Signed { message, signature: key.sign_message(&message, &crowd.domain)? };
        let envelope = Envelope { round, worker: key.address(), signed };
        messages.push(OpenContribution { envelope, own_trace_root });
    }
    let (count, client) = (messages.len(), &crowd.client);
    let began = Instant::now();
    let contributing = stream::iter(messages).map(|message| async move { client.contribute(&message).await });
    let acks: Vec<Ack> = contributing.buffer_unordered(AT_ONCE).try_collect().await?;
    let seconds = began.elapsed().as_secs_f64();
    assert!(acks.iter().all(|ack| *ack == Ack::Accepted), "each of them was verified and kept");
    Ok(count as f64 / seconds)
}

/// What every worker claims of a round, and its own trace.
fn found(round: RoundId, worker: Address) -> (Claim, B256) {
    (Claim { root: keccak256(round.0), fuel: Fuel(1_000) }, keccak256(worker))
}

/// The seats of the deal's rounds, as many of wave 0 as are taken.
async fn draw(city: &City, members: &[Member], opened: &Opened) -> Result<Vec<Seat>> {
    let (seed, _) = city.chain.seed(&opened.terms.opened()).await?.ok_or("the seed is known")?;
    let mut seats = Vec::new();
    for batch in 0..opened.terms.batches() {
        let round = Round::new(&opened.terms, batch, 0, opened.terms.opened(), seed)?;
        let has_seat = |member: &Member| round.seat(member.key.address(), &member.standing) == Some(0);
        let seated = members.iter().enumerate().filter(|(_, member)| has_seat(member));
        let seated: Vec<_> = seated.map(|(number, _)| (round.at, number)).take(round.seats(0)).collect();
        // Too few for the odds, by their lot, would wait for the next wave.
        if seated.len() == round.seats(0) {
            seats.extend(seated);
        }
    }
    Ok(seats)
}

/// Blocks a second that a follower catches up over HTTP.
async fn catch_up(city: &City) -> Result<f64> {
    let ledger = city.ledger().ok_or("the embedded chain")?;
    for _ in 0..BLOCKS {
        ledger.seal().await?;
    }
    let head = city.chain.head().await?.block.number;
    let url = city.rpc_url().ok_or("the chain is served")?.parse()?;
    let endpoint = Endpoint::connect(&url, RpcPolicy::default()).await?;
    let chain = ChainClient::open(endpoint, city.chain.deployment().clone()).await?;
    let began = Instant::now();
    let mut follower = chain.follow(Cursor::at(chain.deployment().block), &[]);
    while let Some(update) = follower.next().await {
        if matches!(update, Update::Head { number, .. } if number >= head) {
            break;
        }
    }
    Ok((head - chain.deployment().block) as f64 / began.elapsed().as_secs_f64())
}

/// Seconds from the start of a city that was killed with a thousand open tasks to the next certificate.
async fn recover() -> Result<f64> {
    let dir = tempfile::tempdir()?;
    let data = dir.path();
    let founded = start(data)?;
    let app = founded.1["assets"].as_array().into_iter().flatten().find(|asset| asset["name"] == "hello");
    let app = app.ok_or("hello is sold")?["id"].to_string().trim_matches('"').to_owned();
    let inputs: Vec<_> = (0..TASKS).map(|task| data.join(format!("{task}.txt"))).collect();
    for (task, path) in inputs.iter().enumerate() {
        std::fs::write(path, format!("task {task}"))?;
    }
    let policy = ["--confidence", "16", "--operators", "3", "--executions-max", "5", "--window", "1m"];
    let words =
        ["deal", "create", "--key", "requester", "--app", &app, "--pool", "1", "--batch-size", "1", "--json"];
    let ordered = command(data, &words)?
        .args(policy)
        .args(["--fuel", "100M", "--deadline", "30m"])
        .args(&inputs)
        .output()?;
    if !ordered.status.success() {
        return Err(String::from_utf8_lossy(&ordered.stderr).into_owned().into());
    }
    let ordered: Value = serde_json::from_slice(&ordered.stdout)?;
    let deal = ordered["deal"].as_str().ok_or("a deal")?.parse()?;
    drop(founded);
    let began = Instant::now();
    let city = start(data)?;
    let url = city.1["rpc"].as_str().ok_or("the chain is served")?.parse()?;
    let deployment = Deployment::load(&data.join("deployment.json"))?;
    let chain = ChainClient::open(Endpoint::connect(&url, RpcPolicy::default()).await?, deployment).await?;
    let certificates = async || {
        let told = guildhall::requester::history::history(&chain, deal).await;
        told.map_or(0, |told| told.certificates.len())
    };
    let before = certificates().await;
    assert!(before < TASKS, "tasks were open");
    until(async || certificates().await > before).await?;
    Ok(began.elapsed().as_secs_f64())
}

/// A city in a process of its own, and what it said first.
fn start(data: &Path) -> Result<(Process, Value)> {
    let words = [
        "up",
        "--workers",
        "3",
        "--listen",
        "127.0.0.1:0",
        "--coordinator-listen",
        "127.0.0.1:0",
        "--gateway-listen",
        "127.0.0.1:0",
        "--json",
    ];
    let mut process = Process(command(data, &words)?.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
    let stdout = process.0.stdout.take().ok_or("a pipe")?;
    let mut values =
        serde_json::Deserializer::from_reader(std::io::BufReader::new(stdout)).into_iter::<Value>();
    let said = values.next().ok_or("the city says where it is")??;
    Ok((process, said))
}

/// Waits until something holds.
async fn until(mut holds: impl AsyncFnMut() -> bool) -> Result<()> {
    let began = Instant::now();
    while !holds().await {
        if began.elapsed() > PATIENCE {
            return Err("it took too long".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
