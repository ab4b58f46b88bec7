//! A city whose roles are processes of their own, as their owners run them: each is killed and started again with the same words,
//! in the surroundings that a test gives it.

use std::{
    collections::BTreeSet,
    fs,
    io::BufReader,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use alloy::{primitives::Address, providers::Provider as _, rpc::types::Filter};
use guildhall::requester::{
    history::{History, history},
    results::{Fetched, bundle, take},
    store::reader,
    verify::{Claimed, verify},
};
use guildhall_api::CoordinatorClient;
use guildhall_chain::{
    ChainClient, Cursor, Deployment, Endpoint, EventKind, RpcPolicy, bindings::Workforce::WorkforceEvents,
    events,
};
use guildhall_protocol::DealId;
use rustix::process::Pid;
use serde_json::Value;

use crate::support::Desk;

/// Workers of the pool whose roles are killed. The first of the city stays in the city's own pool.
pub(crate) const WORKERS: [&str; 4] = ["worker-2", "worker-3", "worker-4", "worker-5"];
/// Who has not come back by then, or not done its work, is lost.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Where roles stand in the list.
pub(crate) const CHAIN: usize = 0;
pub(crate) const COORDINATOR: usize = 1;

/// What roles said, by name, a JSON value each.
pub(crate) type Said = Arc<Mutex<Vec<(String, Value)>>>;

/// A process that is killed and started again, with the same words.
pub(crate) struct Role {
    pub(crate) name: String,
    /// The command, and whatever it is started by.
    pub(crate) program: Vec<String>,
    pub(crate) words: Vec<String>,
    child: Option<Child>,
}

impl Role {
    pub(crate) fn new(name: &str, words: &str) -> Self {
        let words = words.split(' ').map(str::to_owned).collect();
        let program = vec![env!("CARGO_BIN_EXE_guildhall").to_owned()];
        Self { name: name.to_owned(), program, words, child: None }
    }

    /// Starts it, and waits until it says that it runs.
    pub(crate) fn start(&mut self, desk: &Desk, said: &Said) -> Value {
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        let path = desk.path().join(format!("{}.log", self.name));
        let log = fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
        let mut child =
            desk.command_of(&self.program, &words).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
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

    /// The process, while it runs.
    pub(crate) fn process(&self) -> Option<Pid> {
        Pid::from_raw(self.child.as_ref()?.id() as i32)
    }

    pub(crate) fn kill(&mut self) {
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

/// A city whose roles are processes.
pub(crate) struct Streets {
    pub(crate) desk: Desk,
    pub(crate) roles: Vec<Role>,
    pub(crate) said: Said,
    pub(crate) chain: ChainClient,
    pub(crate) coordinator: String,
    /// Its assets, by name.
    assets: Value,
}

fn free_port(host: &str) -> u16 {
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap().port()
}

impl Streets {
    /// Founds a city on this machine's own address, and starts its roles.
    pub(crate) async fn found() -> Self {
        let mut streets = Self::found_at("127.0.0.1").await;
        streets.start_workers();
        streets
    }

    /// Founds a city that listens at an address, moves four of its workers to a second pool, and starts that pool's coordinator.
    pub(crate) async fn found_at(host: &str) -> Self {
        let (desk, said) = (Desk::new(), Said::default());
        let (rpc, inner) = (free_port(host), free_port(host));
        let up = |workers: usize| {
            let listen = format!(
                "--listen {host}:{rpc} --coordinator-listen {host}:{inner} --gateway-listen {host}:0"
            );
            Role::new("up", &format!("up --workers {workers} {listen} --json"))
        };
        let mut founding = up(1 + WORKERS.len());
        let founded = founding.start(&desk, &said);
        founding.kill();
        let mut chain = up(1);
        chain.start(&desk, &said);
        let coordinator = format!("{host}:{}", free_port(host));
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
        let words = format!(
            "coordinator -v --log-format json --pool 2 --key harbour --listen {coordinator} --dir harbour --json"
        );
        roles.push(Role::new("coordinator", &words));
        for worker in WORKERS {
            roles.push(Role::new(
                worker,
                &format!("worker -v --log-format json --key {worker} --dir {worker} --lanes 1 --json"),
            ));
        }
        roles[COORDINATOR].start(&desk, &said);
        let url = format!("http://{host}:{rpc}").parse().unwrap();
        let endpoint = Endpoint::connect(&url, RpcPolicy::default()).await.unwrap();
        let deployment = Deployment::load(&desk.path().join("deployment.json")).unwrap();
        let chain = ChainClient::open(endpoint, deployment).await.unwrap();
        let assets = founded["assets"].clone();
        Self { desk, roles, said, chain, coordinator: format!("http://{coordinator}"), assets }
    }

    pub(crate) fn start_workers(&mut self) {
        for worker in WORKERS {
            self.start(worker);
        }
    }

    /// Starts a role that does not run.
    pub(crate) fn start(&mut self, name: &str) {
        let role = self.roles.iter_mut().find(|role| role.name == name).unwrap();
        role.start(&self.desk, &self.said);
    }

    /// The address of a key.
    pub(crate) fn key(&self, name: &str) -> Address {
        self.desk.json(&["key", "show", name])["address"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn worker(&mut self, name: &str) -> &mut Role {
        self.roles.iter_mut().find(|role| role.name == name).unwrap()
    }

    /// The number of an app or dataset of the city.
    pub(crate) fn asset(&self, name: &str) -> String {
        let asset = self.assets.as_array().unwrap().iter().find(|asset| asset["name"] == name);
        asset.unwrap()["id"].to_string().trim_matches('"').to_owned()
    }

    /// Orders executions and waits until the deal is open.
    pub(crate) fn order(&self, words: &str, inputs: &[PathBuf]) -> DealId {
        let words = format!("deal create --key requester --pool 2 {words}");
        let inputs = inputs.iter().map(|path| path.to_str().unwrap());
        let said = self.desk.json(&words.split(' ').chain(inputs).collect::<Vec<_>>());
        said["deal"].as_str().unwrap().parse().unwrap()
    }

    /// Every deal that opened, acknowledged or not.
    pub(crate) async fn deals(&self) -> BTreeSet<DealId> {
        let deployment = self.chain.deployment();
        let filter = Filter::new().address(deployment.market).from_block(deployment.block);
        let logs = self.chain.provider().get_logs(&filter).await.unwrap();
        let opened = logs.iter().filter_map(|log| events::decode(deployment, log)?.kind.deal_opened());
        opened.map(|terms| terms.deal()).collect()
    }

    /// Whether each batch of a deal is certified by now.
    pub(crate) async fn is_certified(&self, deal: DealId) -> bool {
        let told = history(&self.chain, deal).await.unwrap();
        (0..told.terms.batches()).all(|batch| told.certificate(batch).is_some())
    }

    /// Waits until each batch of a deal is certified.
    pub(crate) async fn certified(&self, deal: DealId, what: &str) -> History {
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
    pub(crate) async fn nobody_equivocated(&self, what: &str) {
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

    /// Every result is there, and holds.
    pub(crate) async fn results_hold(&self, told: &History) {
        let client = CoordinatorClient::new(&self.coordinator).unwrap();
        let blobs = reader(&self.desk.path().join("cache/crash"), &self.coordinator).await.unwrap();
        for task in 0..told.terms.taskCount {
            let bytes = self.bundle(&client, told, task).await;
            let fetched = take(&bytes, told, task, &*blobs).await.unwrap();
            self.result_holds(told.terms.deal(), task, &fetched).await;
        }
    }

    /// A result holds by the deal's history as it stands: who was called silent may just be showing its contribution.
    async fn result_holds(&self, deal: DealId, task: u32, fetched: &Fetched) {
        let claimed = Claimed { task, receipt: &fetched.receipt, output: &fetched.output };
        let mut told = history(&self.chain, deal).await.unwrap();
        loop {
            let verification = verify(&self.chain, &told, &claimed).await.unwrap();
            if verification.holds() {
                return;
            }
            let since = history(&self.chain, deal).await.unwrap();
            let changed = since.events.len() > told.events.len();
            assert!(changed, "task {task}: {verification:?}\n{}", self.logs());
            told = since;
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

    /// Lines of a role's log that name a deal, in a field of their own or of what they belong to.
    pub(crate) fn log_lines_about(&self, role: &str, deal: DealId) -> Vec<Value> {
        let text = fs::read_to_string(self.desk.path().join(format!("{role}.log"))).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let deal = deal.to_string();
        lines.filter(|line| line["deal"] == deal || line["span"]["deal"] == deal).collect()
    }

    pub(crate) fn logs(&self) -> String {
        let log = |role: &Role| {
            let text = fs::read_to_string(self.desk.path().join(format!("{}.log", role.name)));
            let text = text.unwrap_or_default();
            let last: Vec<_> = text.lines().rev().take(30).collect();
            format!("--- {}\n{}", role.name, last.into_iter().rev().collect::<Vec<_>>().join("\n"))
        };
        self.roles.iter().map(log).collect::<Vec<_>>().join("\n")
    }
}
