//! A coordinator that serves over a real socket, on the simulated chain.

use std::sync::Arc;

use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use guildhall_api::{Ack, Audience, CoordinatorClient, Credential, MemberStream, Purpose, RoundRef};
use guildhall_blobs::FsStore;
use guildhall_coordinator::{Config, CoordinatorError, Deps, run};
use guildhall_service::CancellationToken;
use guildhall_service::health::{self, Health};
use guildhall_service::metrics::Metrics;
use guildhall_testkit::builders::{CHAIN, OPENED_AT, POOL, Worker, certifier, round, terms, truth};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::FakeChain;

/// A coordinator at its socket, and workers.
pub(crate) struct City {
    pub(crate) directory: TempDir,
    pub(crate) chain: Arc<FakeChain>,
    pub(crate) key: PrivateKeySigner,
    pub(crate) workers: Vec<Worker>,
    pub(crate) at: RoundRef,
    pub(crate) url: String,
    pub(crate) client: CoordinatorClient,
    pub(crate) stop: CancellationToken,
    pub(crate) role: JoinHandle<Result<(), CoordinatorError>>,
}

impl City {
    pub(crate) async fn new(workers: u16) -> Self {
        let key = Worker::new(200).key;
        let deal = terms(workers.into(), 50, (3, 5));
        let workers: Vec<_> = (1..=workers).map(Worker::new).collect();
        let chain = FakeChain::new(key.address(), &workers, deal);
        let directory = tempfile::tempdir().expect("temporary directory");
        let (url, stop, role) = start(&directory, &chain, &key).await;
        let client = CoordinatorClient::new(&url).expect("an address");
        Self { directory, chain, key, workers, at: round(&deal).at, url, client, stop, role }
    }

    /// Stops the coordinator and starts it again on what it made durable.
    pub(crate) async fn restart(&mut self) {
        self.stop.cancel();
        (&mut self.role).await.expect("no panic").expect("stops well");
        (self.url, self.stop, self.role) = start(&self.directory, &self.chain, &self.key).await;
        self.client = CoordinatorClient::new(&self.url).expect("an address");
    }

    pub(crate) fn credential(&self, signer: &PrivateKeySigner, purpose: Purpose) -> Credential {
        let audience = Audience { chain: CHAIN, certifier: certifier(), coordinator: self.key.address() };
        Credential::sign(&audience, &purpose, signer.address(), OPENED_AT + 200, |digest| {
            signer.sign_hash_sync(digest).map(Into::into)
        })
        .expect("local key")
    }

    /// Posts bytes; the status, and the code of the problem that they are.
    pub(crate) async fn post(&self, path: &str, body: Vec<u8>) -> (u16, String) {
        let answer = reqwest::Client::new().post(format!("{}/v1/{path}", self.url)).body(body).send().await;
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        let problem: serde_json::Value = answer.json().await.unwrap_or_default();
        (status, problem["code"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) async fn listen(&self, worker: &Worker) -> MemberStream {
        let credential = self.credential(&worker.key, Purpose::Stream { pool: POOL });
        self.client.member_stream(&credential).await.expect("a stream")
    }

    pub(crate) async fn reserve_and_commit(&self) {
        for worker in &self.workers {
            let reservation = worker.reservation(self.at, 0, OPENED_AT + 30);
            assert_eq!(self.client.reserve(&reservation).await.expect("a seat"), Ack::Accepted);
        }
        for worker in &self.workers {
            let commitment = worker.commitment(self.at, 0, truth());
            assert_eq!(self.client.commit(&commitment).await.expect("taken"), Ack::Accepted);
        }
    }
}

pub(crate) async fn start(
    directory: &TempDir,
    chain: &Arc<FakeChain>,
    key: &PrivateKeySigner,
) -> (String, CancellationToken, JoinHandle<Result<(), CoordinatorError>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let blobs = FsStore::open(directory.path().join("blobs"), 1 << 30).await.expect("a store");
    let health = Health::new();
    let deps = Deps {
        chain: chain.clone(),
        blobs: Arc::new(blobs),
        key: key.clone(),
        listener,
        checks: health.role("coordinator"),
        extra_routes: health::routes(&health, &Metrics::install().expect("the only registry")),
    };
    let stop = CancellationToken::new();
    let config = Config { pool: POOL, data_dir: directory.path().to_owned() };
    let role = tokio::spawn(run(config, deps, stop.clone()));
    (url, stop, role)
}
