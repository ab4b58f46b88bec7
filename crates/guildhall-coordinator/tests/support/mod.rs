//! A small city for tests: workers with keys, a deal, a simulated chain, and what members would send.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::signers::{SignerSync, local::PrivateKeySigner};
use alloy::sol_types::SolStruct;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use guildhall_api::{Claim, Envelope, OpenContribution, Outcome, Round, RoundRef, Standing};
use guildhall_coordinator::chain::{BatchNow, Chain, ChainEvent, ChainFault, Post, PostError};
use guildhall_protocol::messages::{
    Commitment, Contribution, Reservation, Signed, Unavailable, certifier_domain, commitment,
};
use guildhall_protocol::{
    BondUnits, Bps, DealId, Exit, Fuel, Opened, OpenedWord, OperatorId, Policy, PolicyWord, PoolId, Receipt,
    Reputation, RuntimeNumber, Secs, Seed, Status, Terms, UnixTime,
};
use tokio::sync::broadcast;

pub(crate) const CHAIN: u64 = 31337;
pub(crate) const POOL: PoolId = PoolId(4);
pub(crate) const OPENED_AT: u64 = 1_800_000_000;
pub(crate) const SEED: Seed = Seed(B256::repeat_byte(0x5e));

pub(crate) fn certifier() -> Address {
    Address::repeat_byte(0xce)
}

/// A worker: its key and what the chain says of it.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) key: PrivateKeySigner,
    pub(crate) standing: Standing,
}

impl Worker {
    /// Worker `number` of operator `number`, always the same.
    pub(crate) fn new(number: u8) -> Self {
        let key = PrivateKeySigner::from_bytes(&keccak256([number])).expect("a hash is a key");
        let standing = Standing {
            operator: OperatorId(number.into()),
            pool: POOL,
            active_from: 1,
            reputation: Reputation::ZERO,
            bond: BondUnits(1_000),
            runtime: RuntimeNumber(1),
            room: BondUnits(500),
        };
        Self { key, standing }
    }

    pub(crate) fn address(&self) -> Address {
        self.key.address()
    }

    fn envelope<M: SolStruct>(&self, at: RoundRef, message: M) -> Envelope<M> {
        self.envelope_on(CHAIN, at, message)
    }

    /// A message that was signed for another chain.
    pub(crate) fn envelope_on<M: SolStruct>(&self, chain: u64, at: RoundRef, message: M) -> Envelope<M> {
        let digest = message.eip712_signing_hash(&certifier_domain(chain, certifier()));
        let signature = self.key.sign_hash_sync(&digest).expect("local key").into();
        Envelope { round: at, worker: self.address(), signed: Signed { message, signature } }
    }

    pub(crate) fn reservation(&self, at: RoundRef, wave: u8, expiry: u64) -> Envelope<Reservation> {
        self.envelope(at, Reservation { roundId: at.id.0, wave, expiry })
    }

    pub(crate) fn commitment(&self, at: RoundRef, wave: u8, claim: Claim) -> Envelope<Commitment> {
        let commitment = commitment(self.address(), at.id, claim.root, claim.fuel, self.own_trace());
        self.envelope(at, Commitment { roundId: at.id.0, wave, commitment })
    }

    pub(crate) fn unavailable(&self, at: RoundRef, wave: u8) -> Envelope<Unavailable> {
        self.envelope(at, Unavailable { roundId: at.id.0, wave })
    }

    pub(crate) fn contribution(
        &self,
        at: RoundRef,
        wave: u8,
        claim: Claim,
        list_hash: B256,
    ) -> OpenContribution {
        let message = Contribution {
            roundId: at.id.0,
            wave,
            root: claim.root,
            fuel: claim.fuel.0,
            listHash: list_hash,
        };
        OpenContribution { envelope: self.envelope(at, message), own_trace_root: self.own_trace() }
    }

    fn own_trace(&self) -> B256 {
        keccak256(self.address())
    }
}

/// The batch's receipts, and the claim that follows from them.
pub(crate) fn receipts() -> (Vec<Receipt>, Vec<u8>) {
    let output = b"hello".to_vec();
    let receipt = Receipt {
        index: 0,
        exit: Exit::Ok,
        fuel: 1_000,
        output_digest: keccak256(&output),
        trace_digest: B256::repeat_byte(7),
    };
    (vec![receipt], output)
}

pub(crate) fn truth() -> Claim {
    let batch = guildhall_protocol::Batch::new(receipts().0).expect("one receipt");
    Claim { root: batch.root(), fuel: batch.fuel() }
}

pub(crate) fn lie(number: u8) -> Claim {
    Claim { root: keccak256([0xff, number]), fuel: Fuel(1) }
}

/// A deal in a pool of `workers` equal workers.
pub(crate) fn terms(workers: u64, confidence: u32, replicas: (u8, u8)) -> Terms {
    let policy = Policy {
        confidence,
        faultyShareBps: 2_000,
        replicasMin: replicas.0,
        replicasMax: replicas.1,
        collateralMin: Default::default(),
        countReputation: false,
        evidence: 0,
        disputeWindow: 60,
        finalOnly: true,
    };
    let opened = Opened {
        block: 100,
        time: UnixTime(OPENED_AT),
        pool_bond: BondUnits(1_000 * workers),
        parameters: 1,
        runtime: RuntimeNumber(1),
        pool_share: Bps(0),
        protocol_fee: Bps(100),
        reputation_step: 100,
        patience: Secs(31),
    };
    Terms {
        dealId: keccak256("deal"),
        requester: Address::repeat_byte(1),
        payer: Address::repeat_byte(1),
        beneficiary: Address::repeat_byte(1),
        app: U256::ONE,
        appOwner: Address::repeat_byte(2),
        appPrice: Default::default(),
        dataset: U256::ZERO,
        datasetOwner: Address::ZERO,
        datasetPrice: Default::default(),
        pool: POOL.0,
        feePerMfuel: Default::default(),
        minimumFee: Default::default(),
        callback: Address::ZERO,
        callbackGas: 0,
        inputs: B256::repeat_byte(9),
        taskCount: 1,
        batchSize: 1,
        fuelLimit: 1_000_000,
        memoryLimit: 1 << 20,
        deadline: OPENED_AT + 3_600,
        policy: PolicyWord::pack(&policy).0,
        opened: OpenedWord::pack(&opened).0,
    }
}

pub(crate) fn round(terms: &Terms) -> Round {
    Round::new(terms, 0, 0, terms.opened(), SEED).expect("good terms")
}

/// A chain that certifies whatever it is given, and says so.
#[derive(Debug)]
pub(crate) struct FakeChain {
    pub(crate) coordinator: Address,
    pub(crate) workers: BTreeMap<Address, Standing>,
    pub(crate) deal: Terms,
    pub(crate) posts: Mutex<Vec<Post>>,
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
            ended: Mutex::default(),
            events: broadcast::Sender::new(64),
        })
    }

    fn end(&self, outcome: Outcome) -> B256 {
        *self.ended.lock().expect("not poisoned") = Some(outcome.clone());
        let deal = DealId(self.deal.dealId);
        let _ = self.events.send(ChainEvent::BatchEnded { deal, batch: 0, outcome });
        keccak256("transaction")
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

    async fn certify(&self, posts: &[Post]) -> Result<B256, PostError> {
        self.posts.lock().expect("not poisoned").extend(posts.iter().cloned());
        let submission = &posts[0].submission;
        let transaction = keccak256("transaction");
        Ok(self.end(Outcome::Certified { claim: submission.claims[0], odds: submission.odds, transaction }))
    }

    async fn void(&self, post: &Post) -> Result<B256, PostError> {
        self.posts.lock().expect("not poisoned").push(post.clone());
        Ok(self.end(Outcome::Unavailable))
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
