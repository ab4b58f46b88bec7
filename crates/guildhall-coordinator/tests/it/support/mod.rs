//! A simulated chain for tests; workers, deals and messages are the test kit's.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod city;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use alloy::primitives::{Address, B256, keccak256};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use guildhall_api::{Outcome, Standing};
use guildhall_coordinator::Equivocation;
use guildhall_coordinator::chain::{BatchNow, Chain, ChainEvent, ChainFault, Post, PostError};
use guildhall_protocol::{DealId, Opened, PoolId, Seed, Status, Terms, UnixTime};
use guildhall_testkit::builders::{CHAIN, OPENED_AT, SEED, Worker, certifier};
use tokio::sync::broadcast;

/// A chain that certifies whatever it is given, and says so.
#[derive(Debug)]
pub(crate) struct FakeChain {
    pub(crate) coordinator: Address,
    pub(crate) workers: BTreeMap<Address, Standing>,
    pub(crate) deal: Terms,
    pub(crate) posts: Mutex<Vec<Post>>,
    pub(crate) proofs: Mutex<Vec<Equivocation>>,
    pub(crate) ended: Mutex<Option<Outcome>>,
    events: broadcast::Sender<ChainEvent>,
}

impl FakeChain {
    pub(crate) fn new(coordinator: Address, workers: &[Worker], deal: Terms) -> Arc<Self> {
        Arc::new(Self {
            coordinator,
            workers: workers.iter().map(|worker| (worker.address(), worker.standing)).collect(),
            deal,
            posts: Mutex::default(),
            proofs: Mutex::default(),
            ended: Mutex::default(),
            events: broadcast::Sender::new(64),
        })
    }

    /// Ends the batch; answers with the block in which it did.
    fn end(&self, outcome: Outcome) -> u64 {
        *self.ended.lock().expect("not poisoned") = Some(outcome.clone());
        let deal = DealId(self.deal.dealId);
        let _ = self.events.send(ChainEvent::BatchEnded { deal, batch: 0, outcome, attempt: Some(0) });
        101
    }
}

#[async_trait]
impl Chain for FakeChain {
    fn domain(&self) -> (u64, Address) {
        (CHAIN, certifier())
    }

    async fn now(&self) -> Result<UnixTime, ChainFault> {
        Ok(UnixTime(OPENED_AT))
    }

    async fn coordinator_of(&self, _pool: PoolId) -> Result<Address, ChainFault> {
        Ok(self.coordinator)
    }

    async fn certified(&self, _deal: DealId, _batch: u32) -> Result<Option<(u8, Outcome)>, ChainFault> {
        Ok(self.ended.lock().expect("not poisoned").clone().map(|outcome| (0, outcome)))
    }

    async fn batch(&self, terms: &Terms, _batch: u32) -> Result<BatchNow, ChainFault> {
        let ended = self.ended.lock().expect("not poisoned").is_some();
        let status = if ended { Status::Provisional } else { Status::Open };
        Ok(BatchNow { status, attempt: 0, opened: terms.opened() })
    }

    async fn seed(&self, _opened: &Opened) -> Result<Seed, ChainFault> {
        Ok(SEED)
    }

    async fn standing(&self, worker: Address) -> Result<Option<Standing>, ChainFault> {
        Ok(self.workers.get(&worker).copied())
    }

    async fn may_store(&self, address: Address) -> Result<bool, ChainFault> {
        Ok(self.workers.contains_key(&address))
    }

    async fn certify(&self, posts: &[Post]) -> Result<u64, PostError> {
        self.posts.lock().expect("not poisoned").extend(posts.iter().cloned());
        let submission = &posts[0].submission;
        let transaction = keccak256("transaction");
        Ok(self.end(Outcome::Certified { claim: submission.claims[0], odds: submission.odds, transaction }))
    }

    async fn void(&self, post: &Post) -> Result<u64, PostError> {
        self.posts.lock().expect("not poisoned").push(post.clone());
        Ok(self.end(Outcome::Unavailable))
    }

    async fn prove(&self, proof: &Equivocation) -> Result<B256, PostError> {
        self.proofs.lock().expect("not poisoned").push(proof.clone());
        Ok(keccak256("transaction"))
    }

    async fn reopen(&self, _terms: &Terms, _batch: u32) -> Result<B256, PostError> {
        Err(PostError::Refused("too early".into()))
    }

    fn follow(&self, _pool: PoolId, _cursor: Option<serde_json::Value>) -> BoxStream<'static, ChainEvent> {
        let opened = ChainEvent::DealOpened(Box::new(self.deal));
        let head = ChainEvent::Head { block: 100, time: UnixTime(OPENED_AT), cursor: serde_json::json!(100) };
        let later = futures::stream::unfold(self.events.subscribe(), |mut events| async move {
            events.recv().await.ok().map(|event| (event, events))
        });
        futures::stream::iter([opened, head]).chain(later).boxed()
    }
}
