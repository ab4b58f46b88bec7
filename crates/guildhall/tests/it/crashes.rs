//! Kill -9 of the chain, the coordinator, a worker, or all of them at once, at random moments while a deal is ordered and worked
//! on: what was acknowledged survives, and the work goes on.
//!
//! Each role is a process of its own, as its owner runs it. A run is drawn from its seed: who dies, when, for how long, and
//! what was ordered. `make soak` plays a hundred of them (`GUILDHALL_CRASH_RUNS`, from `GUILDHALL_CRASH_SEED` on).

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fs,
    io::BufReader,
    net::TcpListener,
    process::{Child, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::support::Desk;
use alloy::{primitives::Address, providers::Provider as _, rpc::types::Filter};
use guildhall::requester::{
    history::{History, history},
    results::{bundle, take},
    store::reader,
    verify::{Claimed, verify},
};
use guildhall_api::CoordinatorClient;
use guildhall_chain::{
    ChainClient, Cursor, Deployment, Endpoint, EventKind, RpcPolicy, bindings::Workforce::WorkforceEvents,
    events,
};
use guildhall_protocol::{DealId, RoundId, list::CLAIM_BARE};
use guildhall_testkit::checks;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;

/// Runs of `make test`.
const RUNS: u64 = 6;
/// The first seed.
const SEED: u64 = 1;
/// Workers of the pool whose roles are killed. The first of the city stays in the city's own pool.
const WORKERS: [&str; 4] = ["worker-2", "worker-3", "worker-4", "worker-5"];
/// Who has not come back by then, or not done its work, is lost.
const PATIENCE: Duration = Duration::from_secs(60);

const CHAIN: usize = 0;
const COORDINATOR: usize = 1;

/// What roles said, by name, a JSON value each.
type Said = Arc<Mutex<Vec<(String, Value)>>>;

/// A process that is killed and started again, with the same words.
struct Role {
    name: String,
    words: Vec<String>,
    child: Option<Child>,
}

impl Role {
    fn new(name: &str, words: &str) -> Self {
        let words = words.split(' ').map(str::to_owned).collect();
        Self { name: name.to_owned(), words, child: None }
    }

    /// Starts it, and waits until it says that it runs.
    fn start(&mut self, desk: &Desk, said: &Said) -> Value {
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        let path = desk.path().join(format!("{}.log", self.name));
        let log = fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
        let mut child = desk.command(&words).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let (stdout, name, said) = (child.stdout.take().unwrap(), self.name.clone(), said.clone());
        let (first, started) = mpsc::channel();
        thread::spawn(move || {
            let values = serde_json::Deserializer::from_reader(BufReader::new(stdout)).into_iter::<Value>();
            for value in values.map_while(Result::ok) {
                let _ = first.send(value.clone());
                said.lock().unwrap().push((name.clone(), value));
            }
        });
        self.child = Some(child);
        started.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            panic!("{} does not start:\n{}", self.name, fs::read_to_string(path).unwrap_or_default())
        })
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Who dies when, in a run.
#[derive(Debug)]
struct Plan {
    victims: Vec<usize>,
    after: Duration,
    down: Duration,
    tasks: u32,
    batch_size: u32,
}

impl Plan {
    fn of(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let victims = match rng.random_range(0..4) {
            0 => vec![CHAIN],
            1 => vec![COORDINATOR],
            2 => vec![rng.random_range(2..2 + WORKERS.len())],
            _ => (0..2 + WORKERS.len()).collect(),
        };
        let after = Duration::from_millis(rng.random_range(0..2_500));
        let down = Duration::from_millis(rng.random_range(0..500));
        Self { victims, after, down, tasks: rng.random_range(1..=6), batch_size: rng.random_range(1..=3) }
    }
}

/// A city whose roles are processes.
struct Streets {
    desk: Desk,
    roles: Vec<Role>,
    said: Said,
    chain: ChainClient,
    coordinator: String,
    app: String,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Streets {
    /// Founds a city, moves four of its workers to a second pool, and starts that pool's roles.
    async fn found() -> Self {
        let (desk, said) = (Desk::new(), Said::default());
        let (rpc, inner) = (free_port(), free_port());
        let up = |workers: usize| {
            let listen = format!("--listen 127.0.0.1:{rpc} --coordinator-listen 127.0.0.1:{inner}");
            Role::new("up", &format!("up --workers {workers} {listen} --json"))
        };
        let mut founding = up(1 + WORKERS.len());
        let founded = founding.start(&desk, &said);
        founding.kill();
        let mut chain = up(1);
        chain.start(&desk, &said);
        let coordinator = format!("127.0.0.1:{}", free_port());
        let does = |words: &str| drop(desk.json(&words.split(' ').collect::<Vec<_>>()));
        does("key new harbour");
        does("stake gas 5 --to harbour --key deployer");
        does("pool create harbour --key owner --coordinator harbour");
        does(&format!("pool endpoint 2 http://{coordinator} --key owner"));
        does("order sign pool --pool 2 --fee 0.001 --key owner");
        for worker in WORKERS {
            let operator = worker.replace("worker", "operator");
            does(&format!("pool move 2 --worker {worker} --key {operator}"));
        }
        let mut roles = vec![chain];
        let words = format!("coordinator --pool 2 --key harbour --listen {coordinator} --dir harbour --json");
        roles.push(Role::new("coordinator", &words));
        for worker in WORKERS {
            roles.push(Role::new(worker, &format!("worker --key {worker} --dir {worker} --lanes 1 --json")));
        }
        for role in &mut roles[COORDINATOR..] {
            role.start(&desk, &said);
        }
        let url = format!("http://127.0.0.1:{rpc}").parse().unwrap();
        let endpoint = Endpoint::connect(&url, RpcPolicy::default()).await.unwrap();
        let deployment = Deployment::load(&desk.path().join("deployment.json")).unwrap();
        let chain = ChainClient::open(endpoint, deployment).await.unwrap();
        let app = founded["assets"].as_array().unwrap().iter().find(|asset| asset["name"] == "hello");
        let app = app.unwrap()["id"].to_string().trim_matches('"').to_owned();
        Self { desk, roles, said, chain, coordinator: format!("http://{coordinator}"), app }
    }

    /// Orders, kills, starts again. The deal, where the order was acknowledged.
    fn play(&mut self, plan: &Plan, seed: u64) -> Option<DealId> {
        let inputs: Vec<_> = (0..plan.tasks)
            .map(|task| self.desk.file(&format!("{seed}-{task}.txt"), format!("run {seed}, task {task}")))
            .collect();
        let policy =
            "--confidence 16 --operators 3 --executions-max 5 --window 1m --deadline 20m --fuel 100M";
        let words = format!(
            "deal create --key requester --app {} --pool 2 {policy} --batch-size {} --json",
            self.app, plan.batch_size
        );
        let words: Vec<_> =
            words.split(' ').chain(inputs.iter().map(|path| path.to_str().unwrap())).collect();
        let mut order = self.desk.command(&words);
        let order = order.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        thread::sleep(plan.after);
        for victim in &plan.victims {
            self.roles[*victim].kill();
        }
        thread::sleep(plan.down);
        for victim in &plan.victims {
            self.roles[*victim].start(&self.desk, &self.said);
        }
        let output = order.wait_with_output().unwrap();
        if output.status.success() {
            let said: Value = serde_json::from_slice(&output.stdout).unwrap();
            return Some(said["deal"].as_str().unwrap().parse().unwrap());
        }
        // Who orders needs the chain, and the coordinator for its inputs.
        let needed = plan.victims.iter().any(|victim| [CHAIN, COORDINATOR].contains(victim));
        assert!(needed, "run {seed}: {plan:?}: {}", self.desk.show(&output));
        None
    }

    /// Every deal that opened, acknowledged or not.
    async fn deals(&self) -> BTreeSet<DealId> {
        let deployment = self.chain.deployment();
        let filter = Filter::new().address(deployment.market).from_block(deployment.block);
        let logs = self.chain.provider().get_logs(&filter).await.unwrap();
        let opened = logs.iter().filter_map(|log| events::decode(deployment, log)?.kind.deal_opened());
        opened.map(|terms| terms.deal()).collect()
    }

    /// Waits until each batch of a deal is certified.
    async fn certified(&self, deal: DealId, what: &str) -> History {
        let mut heads = self.chain.follow(Cursor::at(self.chain.deployment().block), &[]);
        let done = tokio::time::timeout(PATIENCE, async {
            loop {
                let told = history(&self.chain, deal).await.unwrap();
                let lost = &told.refunded;
                assert!(lost.is_empty(), "{what}: deal {deal} was refunded: {lost:?}\n{}", self.logs());
                if (0..told.terms.batches()).all(|batch| told.certificate(batch).is_some()) {
                    return told;
                }
                heads.next().await;
            }
        });
        done.await.unwrap_or_else(|_| panic!("{what}: deal {deal} is not certified in time\n{}", self.logs()))
    }

    /// Nobody is proven to have contradicted itself.
    async fn nobody_equivocated(&self, what: &str) {
        let deployment = self.chain.deployment();
        let filter = Filter::new().address(deployment.workforce).from_block(deployment.block);
        let logs = self.chain.provider().get_logs(&filter).await.unwrap();
        for event in logs.iter().filter_map(|log| events::decode(deployment, log)) {
            let fault = matches!(
                event.kind,
                EventKind::Workforce(WorkforceEvents::Expelled(_) | WorkforceEvents::PoolSlashed(_))
            );
            assert!(!fault, "{what}: {event:?}\n{}", self.logs());
        }
        for (name, value) in &*self.said.lock().unwrap() {
            assert_ne!(value["step"], "equivocated", "{what}: {name}: {value}");
        }
    }

    /// What workers were told of a deal: their last wave, and whether commitment and claim were taken.
    fn acknowledged(&self, deal: DealId) -> BTreeMap<(RoundId, u32, String), Taken> {
        let mut taken = BTreeMap::<_, Taken>::new();
        for (name, value) in &*self.said.lock().unwrap() {
            let round = &value["round"];
            if round["deal"] != serde_json::json!(deal) || !WORKERS.contains(&name.as_str()) {
                continue;
            }
            let id: RoundId = serde_json::from_value(round["id"].clone()).unwrap();
            let batch = round["batch"].as_u64().unwrap() as u32;
            let taken = taken.entry((id, batch, name.clone())).or_default();
            match value["step"].as_str().unwrap() {
                "seat_drawn" => taken.wave = value["wave"].as_u64().unwrap() as u8,
                "committed" => taken.committed = true,
                "contributed" => taken.contributed = true,
                _ => {}
            }
        }
        taken
    }

    /// Each commitment and each claim that was acknowledged is in the certificate.
    fn nothing_was_lost(&self, told: &History, keys: &BTreeMap<&str, Address>, what: &str) {
        for ((_, batch, name), taken) in self.acknowledged(told.terms.deal()) {
            let certified = &told.certificate(batch).unwrap().certified;
            if certified.certificate.attempt != 0 || !taken.committed {
                continue;
            }
            let last = certified.members.iter().map(|member| member.wave).max().unwrap();
            let member = certified.members.iter().find(|member| member.worker == keys[name.as_str()]);
            // Nobody waits for later waves.
            assert!(
                member.is_some() || taken.wave > last,
                "{what}: batch {batch}: {name} committed in wave {}, and is not listed: {certified:?}\n{}",
                taken.wave,
                self.logs()
            );
            let shown = member.is_none_or(|member| member.claim != CLAIM_BARE);
            assert!(
                shown || !taken.contributed,
                "{what}: batch {batch}: {name} contributed, and is called silent"
            );
        }
    }

    /// Every result is there, and holds.
    async fn results_hold(&self, told: &History) {
        let client = CoordinatorClient::new(&self.coordinator).unwrap();
        let blobs = reader(&self.desk.path().join("cache/crash"), &self.coordinator).await.unwrap();
        for task in 0..told.terms.taskCount {
            let bytes = self.bundle(&client, told, task).await;
            let fetched = take(&bytes, told, task, &*blobs).await.unwrap();
            let claimed = Claimed { task, receipt: &fetched.receipt, output: &fetched.output };
            assert!(verify(&self.chain, told, &claimed).await.unwrap().holds(), "task {task}");
        }
    }

    /// A result as the pool serves it: a member stores it after the certificate, or after its restart.
    async fn bundle(&self, client: &CoordinatorClient, told: &History, task: u32) -> Vec<u8> {
        let mut heads = self.chain.follow(Cursor::at(self.chain.deployment().block), &[]);
        let stored = tokio::time::timeout(PATIENCE, async {
            loop {
                match bundle(client, told, task).await {
                    Ok(bytes) => return bytes,
                    Err(failure) if failure.code() == "result.none" => drop(heads.next().await),
                    Err(failure) => panic!("{failure}"),
                }
            }
        });
        let deal = told.terms.deal();
        stored.await.unwrap_or_else(|_| panic!("task {task} of deal {deal} has no result\n{}", self.logs()))
    }

    fn logs(&self) -> String {
        let log = |role: &Role| {
            let text = fs::read_to_string(self.desk.path().join(format!("{}.log", role.name)));
            let text = text.unwrap_or_default();
            let last: Vec<_> = text.lines().rev().take(30).collect();
            format!("--- {}\n{}", role.name, last.into_iter().rev().collect::<Vec<_>>().join("\n"))
        };
        self.roles.iter().map(log).collect::<Vec<_>>().join("\n")
    }
}

/// What a worker was told was taken, in a round.
#[derive(Debug, Default)]
struct Taken {
    wave: u8,
    committed: bool,
    contributed: bool,
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let mut streets = Streets::found().await;
    let mut keys = BTreeMap::new();
    for worker in WORKERS {
        let shown = streets.desk.json(&["key", "show", worker]);
        keys.insert(worker, shown["address"].as_str().unwrap().parse().unwrap());
    }
    let mut settled = BTreeMap::new();
    let mut report = Vec::new();
    let first = number("GUILDHALL_CRASH_SEED", SEED);
    for seed in first..first + number("GUILDHALL_CRASH_RUNS", RUNS) {
        let (plan, begun) = (Plan::of(seed), Instant::now());
        let what = format!("run {seed}: {plan:?}");
        let acknowledged = tokio::task::block_in_place(|| streets.play(&plan, seed));
        let deals = streets.deals().await;
        if let Some(deal) = acknowledged {
            assert!(deals.contains(&deal), "{what}: deal {deal} was acknowledged");
        }
        for deal in deals {
            if let Entry::Vacant(entry) = settled.entry(deal) {
                let told = streets.certified(deal, &what).await;
                streets.nothing_was_lost(&told, &keys, &what);
                entry.insert(told);
            }
        }
        streets.nobody_equivocated(&what).await;
        checks::conserved(&streets.chain).await;
        report.push(serde_json::json!({
            "seed": seed,
            "killed": plan.victims.iter().map(|victim| &streets.roles[*victim].name).collect::<Vec<_>>(),
            "after_ms": plan.after.as_millis(),
            "down_ms": plan.down.as_millis(),
            "acknowledged": acknowledged.is_some(),
            "settled_ms": begun.elapsed().as_millis(),
        }));
        println!("{}", report[report.len() - 1]);
    }
    for told in settled.values() {
        streets.results_hold(told).await;
    }
    if let Some(path) = std::env::var_os("GUILDHALL_CRASH_REPORT") {
        let date = std::env::var("GUILDHALL_CRASH_DATE").unwrap();
        let report = serde_json::json!({ "date": date, "deals": settled.len(), "runs": report });
        fs::write(path, serde_json::to_string_pretty(&report).unwrap() + "\n").unwrap();
    }
}
