//! A gateway beside a city: it says the same whatever the chain did meanwhile, and nobody waits for it.

use std::time::Duration;

use alloy::primitives::B256;
use axum::Router;
use guildhall::{city::CityConfig, requester::store::local};
use guildhall_protocol::{ContentId, DealId, Parameters, Secs};
use guildhall_service::{CancellationToken, health::Health};
use guildhall_testkit::checks;
use rustix::process::{Signal, kill_process};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::support::{
    city::{On, Shopping, Town},
    streets::{COORDINATOR, PATIENCE, Role, Streets, WORKERS},
};

/// Names a PostgreSQL database to test with, as the gateway's own tests do: there every gateway gets a schema of its own.
const POSTGRES: &str = "GUILDHALL_TEST_POSTGRES";

/// The database of a gateway; a file of its own where none is named.
async fn database() -> Option<String> {
    let server = std::env::var(POSTGRES).ok()?;
    let name = format!("gateway_{}", &B256::random().to_string()[2..18]);
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(&server).await.expect("a PostgreSQL");
    let made = sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {name}"))).execute(&mut connection).await;
    made.expect("a schema");
    Some(format!("{server}?options[search_path]={name}"))
}

/// A gateway of its own, with an empty directory: what it says it has read from block 0.
pub(crate) struct Gateway {
    pub(crate) url: String,
    stop: CancellationToken,
    run: JoinHandle<Result<(), guildhall_gateway::GatewayError>>,
    _dir: TempDir,
}

impl Gateway {
    pub(crate) async fn beside(town: &Town) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let config = guildhall_gateway::Config {
            data_dir: dir.path().to_owned(),
            database: database().await,
            rebuild: false,
            private_pools: true,
            rates: false,
            rpc: None,
        };
        let deps = guildhall_gateway::Deps {
            chain: town.city.chain.clone(),
            blobs: local(&dir.path().join("blobs")).await.unwrap(),
            listener,
            checks: Health::new().role("gateway"),
            extra_routes: Router::new(),
        };
        let stop = CancellationToken::new();
        let run = tokio::spawn(guildhall_gateway::run(config, deps, stop.clone()));
        Self { url, stop, run, _dir: dir }
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.run.await.unwrap().unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = reqwest::get(format!("{}/api/v1{path}", self.url)).await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Whether the last block that it read is the chain's last one.
    pub(crate) async fn caught_up(&self) -> bool {
        let about = self.get("/about").await;
        about["index"]["block"] == about["head"]["block"]
    }

    /// All that it says of a city with one deal and that stands on the chain.
    async fn rows(&self, deal: DealId) -> Vec<Value> {
        let mut rows = Vec::new();
        let lists = ["deals", "certificates", "workers", "operators/1", "pools", "apps", "datasets", "cases"];
        let of_deal = ["", "/batches", "/batches/0", "/tasks/0", "/events"];
        let paths = lists.iter().map(|list| format!("/{list}"));
        for path in paths.chain(of_deal.iter().map(|part| format!("/deals/{deal}{part}"))) {
            rows.push(self.get(&path).await);
        }
        let workers = rows[2]["items"].as_array().unwrap().clone();
        for worker in workers {
            let address = worker["address"].as_str().unwrap();
            rows.push(self.get(&format!("/workers/{address}/history")).await);
        }
        rows
    }
}

/// What a gateway followed over a reorganisation is what another one reads that was never told of the other fork.
async fn is_the_same_after_a_reorganisation_of(depth: u64, keep: bool) {
    // A wave so long that the workers' view of another fork fits into it.
    let town = Town::found_with(On::Anvil, 3, |config| {
        let parameters = Parameters { patience_base_secs: Secs(40), ..config.parameters };
        CityConfig { parameters, ..config }
    })
    .await;
    town.anvil().mine(depth).await.expect("blocks without anything of ours");
    let told = town.certified(&town.hello, Shopping::of(&["on one fork"])).await;
    let deal = told.terms.deal();
    let gateway = Gateway::beside(&town).await;
    town.until("it has read everything", async || gateway.caught_up().await).await;
    let before = gateway.rows(deal).await;
    assert_eq!(before[0]["items"][0]["id"], deal.to_string(), "the deal is the latest one");
    town.anvil().reorganise(depth, keep).await.expect("another fork");
    let other = Gateway::beside(&town).await;
    // Both read on while they are asked: they are compared until they have come equally far.
    town.until("both say the same", async || {
        other.caught_up().await && gateway.rows(deal).await == other.rows(deal).await
    })
    .await;
    let after = gateway.rows(deal).await;
    assert_ne!(before, after, "the other fork has other blocks");
    if keep {
        assert_eq!(after[0]["items"][0]["id"], deal.to_string(), "it came again");
    }
    gateway.end().await;
    other.end().await;
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_again_in_other_blocks_has_the_same_rows_as_what_is_read_from_block_0() {
    is_the_same_after_a_reorganisation_of(12, true).await;
}

/// Who sent a transaction that was lost may send it again, sooner or later: what there is then is for the chain to say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_with_forty_blocks_is_lost_to_the_rows_too() {
    is_the_same_after_a_reorganisation_of(40, false).await;
}

/// Deeper than a cursor knows: everything is read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_hundred_blocks_everything_is_read_again() {
    is_the_same_after_a_reorganisation_of(100, true).await;
}

impl Streets {
    /// Waits until a role has logged something of a deal.
    async fn until_logged(&self, role: &str, deal: DealId, message: &str) {
        let logged = async {
            while !self.log_lines_about(role, deal).iter().any(|line| line["message"] == message) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let said = tokio::time::timeout(PATIENCE, logged).await;
        said.unwrap_or_else(|_| panic!("{role} logs nothing of {deal}\n{}", self.logs()));
    }
}

/// What its visitors left with it is found by the pool that names it. Then it hangs, which is worse than being gone: for a deal it
/// is nobody's business. Whoever did anything for the deal has logged it under the deal's id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_gateway_that_hangs() {
    let mut streets = Streets::found().await;
    let mut gateway =
        Role::new("gateway", "gateway -vv --log-format json --listen 127.0.0.1:0 --dir gateway --json");
    let started = gateway.start(&streets.desk, &streets.said);
    let url = format!("{}/api/v1", started["gateway"].as_str().unwrap());
    let said = streets.said.clone();
    let coordinator = &mut streets.roles[COORDINATOR];
    coordinator.kill();
    coordinator.words.extend(["--source".to_owned(), url.clone()]);
    coordinator.start(&streets.desk, &said);

    let http = reqwest::Client::new();
    let text = "an input that a visitor left";
    let id = ContentId::of(text.as_bytes());
    let stored = http.put(format!("{url}/blobs/{id}")).body(text).send().await.unwrap();
    assert!(stored.status().is_success(), "{stored:?}");
    let at_the_pool = format!("{}/v1/blobs/{id}", streets.coordinator);
    let here = async || http.head(&at_the_pool).send().await.unwrap().status().is_success();
    assert!(!here().await, "nobody stored it with the pool");
    let found = http.get(&at_the_pool).send().await.unwrap();
    assert_eq!(found.text().await.unwrap(), text);
    assert!(here().await, "it is kept");

    kill_process(gateway.process().unwrap(), Signal::STOP).unwrap();
    let input = streets.desk.file("input.txt", "without a gateway");
    let app = streets.asset("hello");
    let policy = "--confidence 3 --operators 3 --executions-max 5 --window 1m --deadline 20m --fuel 100M";
    let deal = tokio::task::block_in_place(|| streets.order(&format!("--app {app} {policy}"), &[input]));
    let told = streets.certified(deal, "while the gateway hangs").await;
    streets.results_hold(&told).await;
    kill_process(gateway.process().unwrap(), Signal::CONT).unwrap();
    streets.until_logged("gateway", deal, "the chain tells").await;
    gateway.kill();
    for (role, message) in [("coordinator", "a step of a round"), (WORKERS[0], "a step of a worker")] {
        streets.until_logged(role, deal, message).await;
    }
    checks::conserved(&streets.chain).await;
}
