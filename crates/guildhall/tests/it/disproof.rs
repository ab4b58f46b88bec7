//! Certificates that their own leaves contradict, end to end: they fall at once, and nobody needs a jury.

use std::{collections::BTreeMap, sync::Arc};

use crate::support::{
    self,
    city::{On, Shopping, Town, on_both_chains, quick_policy, three_listed},
    gated::Gate,
};
use alloy::{
    primitives::{Address, B256, U256, keccak256},
    providers::Provider as _,
    rpc::types::Filter,
    sol_types::SolEvent as _,
};
use guildhall::{
    city::CityConfig,
    requester::{replay::execute, store::reader},
};
use guildhall_api::{Bundle, Produced};
use guildhall_chain::{Sender, SenderPolicy, Submission, bindings::Court};
use guildhall_protocol::{
    Amount, Batch, Claim, DealId, Fuel, Leaves, LogItem, Policy, Receipt, RoundId, Status, Terms,
    lot::round_id, messages::commitment,
};
use guildhall_sandbox::Sandbox;
use guildhall_testkit::checks;
use guildhall_worker::{Assignment, ExecuteError, Executed, Executor, ProgressSender};

on_both_chains! {
    an_auditor_overturns_what_says_more_fuel_than_the_deal_allows;
    a_seat_holder_overturns_a_false_bill_by_what_it_executed_itself;
    anybody_overturns_a_false_bill_by_command;
}

/// What is charged and was not used, where a bill is false.
const EXCESS: u64 = 1_000_000;

/// Says of the first of two tasks that it used more than the deal allows.
#[derive(Debug)]
struct Glutton(Arc<dyn Executor>);

#[async_trait::async_trait]
impl Executor for Glutton {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError> {
        let mut executed = self.0.execute(assignment, progress).await?;
        executed.receipts[0].fuel = assignment.terms.fuelLimit + 1;
        Ok(executed)
    }
}

/// Has no time: what its key signs, the test signs.
#[derive(Debug)]
struct Puppet;

#[async_trait::async_trait]
impl Executor for Puppet {
    async fn execute(&self, _: &Assignment, _: &ProgressSender) -> Result<Executed, ExecuteError> {
        Err(ExecuteError::Host("busy".into()))
    }
}

fn shopping(policy: Policy) -> Shopping {
    let policy = Policy { disputeWindow: 300, ..policy };
    Shopping { batch_size: 2, fuel_limit: 50_000_000, policy, ..Shopping::of(&["first", "second"]) }
}

/// What everybody has who wins or loses by a disproof.
struct Purses {
    bonds: BTreeMap<Address, Amount>,
    balances: BTreeMap<Address, Amount>,
}

impl Purses {
    async fn of(town: &Town) -> Self {
        let (chain, keys) = (&town.city.chain, &town.city.keys);
        let (mut bonds, mut balances) = (BTreeMap::new(), BTreeMap::new());
        for key in &keys.workers {
            let bond = chain.worker(key.address()).await.unwrap().unwrap().bond;
            bonds.insert(key.address(), bond.to_amount());
            balances.insert(key.address(), chain.balance(key.address()).await.unwrap());
        }
        // Whoever is neither payer nor seller: what comes to it is the reward.
        balances.insert(keys.owner.address(), chain.balance(keys.owner.address()).await.unwrap());
        let payer = keys.requester.address();
        balances.insert(payer, chain.balance(payer).await.unwrap());
        Self { bonds, balances }
    }
}

/// Who disproved the deal's batch.
async fn prover(town: &Town, deal: DealId) -> Option<Address> {
    let chain = &town.city.chain;
    let filter = Filter::new()
        .address(chain.deployment().court)
        .event_signature(Court::Disproved::SIGNATURE_HASH)
        .topic1(deal.0)
        .from_block(0);
    let logs = chain.provider().get_logs(&filter).await.unwrap();
    logs.first().map(|log| Court::Disproved::decode_log(&log.inner).unwrap().by)
}

/// The batch is void, without any case; its makers paid, who proved it earned a tenth of that, and the payer has its money back.
async fn fell(town: &Town, deal: DealId, before: &Purses) -> Address {
    let chain = &town.city.chain;
    let mut by = None;
    town.until("somebody disproves the certificate", async || {
        by = prover(town, deal).await;
        by.is_some()
    })
    .await;
    let by = by.unwrap();
    assert_eq!(chain.batch_slot(deal, 0).await.unwrap().status(), Some(Status::Void));
    assert!(chain.cases_of(deal).await.unwrap().is_empty(), "no jury was called");
    let members = chain.subject(deal, 0).await.unwrap().unwrap().certified.members;
    let now = Purses::of(town).await;
    let mut lost = U256::ZERO;
    for member in &members {
        let bonds = [before, &now].map(|purses| purses.bonds[&member.worker].0);
        assert!(bonds[1] < bonds[0], "{} pays for its lie", member.worker);
        lost += bonds[0] - bonds[1];
    }
    let [had, has] = [before, &now].map(|purses| purses.balances[&by].0);
    assert_eq!(has - had, lost / U256::from(10), "a tenth of {lost}");
    let payer = town.city.keys.requester.address();
    let [had, has] = [before, &now].map(|purses| purses.balances[&payer].0);
    assert!(has > had, "the payer has back what it paid, and more");
    checks::conserved(chain).await;
    by
}

/// Everybody who was asked lied; who was not asked looks at one certificate of one, and needs to execute nothing.
async fn an_auditor_overturns_what_says_more_fuel_than_the_deal_allows(on: On) {
    let greedy: guildhall::city::Wrap = Arc::new(|_, honest| Arc::new(Glutton(honest)));
    let town =
        Town::found_with(on, 5, |config| CityConfig { wrap: Some(greedy), audit_percent: 100, ..config })
            .await;
    let before = Purses::of(&town).await;
    let told = town.certified(&town.hello, shopping(three_listed())).await;
    let by = fell(&town, told.terms.deal(), &before).await;
    let members = &told.certificate(0).unwrap().certified.members;
    assert!(before.bonds.contains_key(&by), "a worker");
    assert!(members.iter().all(|member| member.worker != by), "that was not asked");
    town.city.stop().await;
}

/// Three of the four with a seat certify between them what the fourth finds, at another price: the leaf of the last task counts what
/// nobody used. Nobody serves the leaves, and the fourth has no need of it: it makes them from what it executed.
async fn a_seat_holder_overturns_a_false_bill_by_what_it_executed_itself(on: On) {
    let gate = Gate::new();
    let door = gate.clone();
    let wrap: guildhall::city::Wrap = Arc::new(move |number, honest| match number {
        3 => door.hold(honest),
        _ => Arc::new(Puppet),
    });
    let town = Town::found_with(on, 4, |config| CityConfig { wrap: Some(wrap), ..config }).await;
    let before = Purses::of(&town).await;
    let policy = Policy { replicasMax: 4, ..quick_policy() };
    let opened = town.buy(&town.hello, shopping(policy)).await.unwrap();
    let receipts = executed_here(&town, &opened.terms).await;
    let mut totals: Vec<_> = receipts.iter().map(|receipt| Fuel(receipt.fuel)).collect();
    totals[1] = Fuel(totals[0].0 + totals[1].0 + EXCESS);
    let claim = Claim { fuel: totals[1], root: Leaves::new(receipts, totals).unwrap().root() };
    certify(&town, &opened.terms, claim).await;
    gate.open();
    let by = fell(&town, opened.deal, &before).await;
    assert_eq!(by, town.city.keys.workers[3].address());
    town.city.stop().await;
}

/// What the tasks of a deal come to.
async fn executed_here(town: &Town, terms: &Terms) -> Vec<Receipt> {
    let (dir, url) = (town.dir().join("cache/disproof"), town.city.coordinator_url());
    let blobs = reader(&dir, &url).await.unwrap();
    let sandbox = Sandbox::new(guildhall_sandbox::Config { children: 0, ..Default::default() });
    let sandbox = Arc::new(sandbox.expect("a sandbox"));
    let mut receipts = Vec::new();
    for task in 0..terms.taskCount {
        receipts.push(execute(&town.city.chain, &*blobs, sandbox.clone(), terms, task).await.unwrap());
    }
    receipts
}

/// The first three workers of a city certify a claim on chain, past the coordinator.
async fn certify(town: &Town, terms: &Terms, claim: Claim) {
    let chain = &town.city.chain;
    let mut seed = None;
    town.until("the seed is there", async || {
        seed = chain.drawn_seed(&terms.opened()).await.unwrap();
        seed.is_some()
    })
    .await;
    let requester = town.city.requester();
    if let Some(call) = chain.seed_call(terms, 0).await.unwrap() {
        requester.send(call).await.unwrap();
    }
    let round = round_id(terms.deal(), 0, 0, seed.unwrap());
    let hands: Vec<Sender> = town.city.keys.workers[..3]
        .iter()
        .map(|key| chain.sender(key.clone(), SenderPolicy::default()))
        .collect();
    for hand in &hands {
        let word = commitment(hand.account(), round, claim.root, claim.fuel, own_traces_of(hand, round));
        let log = chain.round_log(terms, 0).await.unwrap();
        hand.send(chain.commit_call(terms, 0, &log, hand.account(), word).unwrap()).await.unwrap();
    }
    for hand in &hands {
        let log = chain.round_log(terms, 0).await.unwrap();
        let mine =
            |item: &LogItem| matches!(item, LogItem::Commitment { worker, .. } if *worker == hand.account());
        let index = log.iter().position(mine).unwrap();
        let own_traces = own_traces_of(hand, round);
        let call = chain.reveal_call((terms.deal(), 0), round, (&log, index), claim, own_traces);
        hand.send(call).await.unwrap();
    }
    let submission = Submission { claims: vec![claim], entries: Vec::new() };
    let call = chain.certify_call(terms, vec![(0, submission)]).await.unwrap();
    requester.send(call).await.unwrap();
}

fn own_traces_of(hand: &Sender, round: RoundId) -> B256 {
    keccak256([hand.account().as_slice(), round.0.as_slice()].concat())
}

/// Everybody certified the true root, at a price of their own: the last leaf under it shows what is wrong.
async fn anybody_overturns_a_false_bill_by_command(on: On) {
    let wrap: guildhall::city::Wrap = Arc::new(|_, _| Arc::new(Puppet));
    let town = Town::found_with(on, 3, |config| CityConfig { wrap: Some(wrap), ..config }).await;
    let before = Purses::of(&town).await;
    let opened = town.buy(&town.hello, shopping(three_listed())).await.unwrap();
    let receipts = executed_here(&town, &opened.terms).await;
    let batch = Batch::new(receipts.clone()).unwrap();
    let claim = Claim { root: batch.root(), fuel: Fuel(batch.fuel().0 + EXCESS) };
    certify(&town, &opened.terms, claim).await;
    let (deal, desk) = (opened.deal.to_string(), support::Desk::in_city(&town));
    let bundle = |receipts: Vec<Receipt>| {
        // Outputs that are false do not matter: the receipts prove it.
        let outputs = vec![Produced::Bytes(b"no output of these tasks".to_vec()); receipts.len()];
        Bundle::build(receipts, outputs).unwrap().encode()
    };
    let of = |name: &str, receipts| desk.file(name, bundle(receipts)).display().to_string();
    let (good, short) = (of("good.bundle", receipts.clone()), of("short.bundle", receipts[..1].to_vec()));
    let prove = |bundle: &str| {
        let words = ["dispute", "prove", &deal, "--bundle", bundle, "--key", "owner", "--json"];
        let output = tokio::task::block_in_place(|| desk.run(&words));
        let said = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
        let said: serde_json::Value = serde_json::from_slice(said).unwrap();
        (output.status.code(), said)
    };
    let (code, said) = prove(&short);
    assert_eq!((code, said["error"]["code"].as_str()), (Some(1), Some("dispute.other_receipts")), "{said}");
    let (code, said) = prove(&good);
    let fault = serde_json::json!({
        "kind": "last", "total": batch.fuel().to_string(), "certified": claim.fuel.to_string(),
    });
    assert_eq!((code, &said["fault"]), (Some(0), &fault), "{said}");
    assert_eq!(fell(&town, opened.deal, &before).await, town.city.keys.owner.address());
    let (code, said) = prove(&good);
    assert_eq!((code, said["error"]["code"].as_str()), (Some(1), Some("dispute.void")), "once: {said}");
    town.city.stop().await;
}
