//! Inquests, end to end: workers of the city sit on their juries, and answer in them, by themselves.

use std::sync::{Arc, OnceLock};

use crate::support::{
    self,
    city::{On, Shopping, Town, on_both_chains, quick_policy, three_listed},
};
use alloy::primitives::{Address, keccak256};
use guildhall::city::CityConfig;
use guildhall_api::Produced;
use guildhall_chain::{CaseState, Inquest};
use guildhall_protocol::{
    BondUnits, Parameters, Policy, Secs, Seed, Status, Terms,
    cases::Kind,
    list::{CLAIM_BARE, CLAIM_LEADING},
};
use guildhall_testkit::checks;
use guildhall_worker::{Assignment, ExecuteError, Executed, Executor, ProgressSender};
use tokio::sync::Semaphore;

on_both_chains! {
    who_did_not_execute_pays_for_its_false_trace;
    an_accusation_without_reason_costs_its_bond;
    an_auditor_accuses_who_did_not_execute;
    liars_do_not_walk_away_from_an_expired_batch;
}

/// Sixteen workers, of which three may be listed: thirteen are left for a jury.
const WORKERS: usize = 16;

/// Copies in a round of two tasks: the results are right, its own traces are not. Honest on a jury, which is about one task.
#[derive(Debug)]
struct Copier(Arc<dyn Executor>);

#[async_trait::async_trait]
impl Executor for Copier {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError> {
        let mut executed = self.0.execute(assignment, progress).await?;
        if assignment.tasks.len() == 2 {
            executed.own_traces = vec![keccak256("not executed"); 2];
        }
        Ok(executed)
    }
}

/// Of a round of two tasks the first two workers lie about both, three are honest, and nobody else has time. On a jury, which
/// is about one task, all are honest.
#[derive(Debug)]
struct Divided {
    honest: Arc<dyn Executor>,
    number: usize,
    /// One permit for each that has executed.
    executed: Arc<Semaphore>,
    /// Opens when they may say what they found.
    go: Arc<Semaphore>,
}

#[async_trait::async_trait]
impl Executor for Divided {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError> {
        if assignment.tasks.len() == 2 && self.number >= 5 {
            return Err(ExecuteError::Host("busy".into()));
        }
        let mut executed = self.honest.execute(assignment, progress).await?;
        if assignment.tasks.len() == 2 {
            self.executed.add_permits(1);
            let _go = self.go.acquire().await;
            if self.number < 2 {
                for receipt in &mut executed.receipts {
                    receipt.output_digest = keccak256("lie");
                }
                executed.outputs = vec![Produced::Bytes(b"lie".to_vec()); 2];
            }
        }
        Ok(executed)
    }
}

fn shopping() -> Shopping {
    let policy = Policy { disputeWindow: 3_600, ..three_listed() };
    // Of what a false trace costs, something is left for the payer even when all thirteen jurors are paid: they earn by the limit.
    Shopping { batch_size: 2, policy, fuel_limit: 5_000_000, ..Shopping::of(&["first", "second"]) }
}

fn said(town: &Town, words: &[&str]) -> serde_json::Value {
    let desk = support::Desk::in_city(town);
    tokio::task::block_in_place(|| desk.json(words))
}

async fn last_inquest(town: &Town, terms: &Terms) -> Inquest {
    town.city.chain.inquests_of(terms.deal()).await.unwrap().pop().unwrap()
}

/// Opens an inquest with these words and sees it through. Where the lot seats too few in its first wave, nothing is found, the bond
/// comes back, and it is opened again: five such lots in a row are one in three million.
async fn find(town: &Town, terms: &Terms, words: &[&str]) -> Inquest {
    for _ in 0..5 {
        let opened = said(town, words);
        assert!(opened["case"].is_string(), "{opened}");
        let inquest = last_inquest(town, terms).await;
        if hear(town, &inquest).await {
            return inquest;
        }
    }
    panic!("no jury found anything");
}

async fn bond(town: &Town, worker: Address) -> BondUnits {
    town.city.chain.worker(worker).await.unwrap().unwrap().bond
}

/// Everybody that the lot seats commits in its wave and reveals; jurors see to the verdict. Whether they found anything.
async fn hear(town: &Town, inquest: &Inquest) -> bool {
    let (chain, case) = (&town.city.chain, &inquest.case);
    let mut seed: Option<Seed> = None;
    town.until("the jury is drawn", async || {
        seed = chain.drawn_seed(case).await.unwrap();
        seed.is_some()
    })
    .await;
    for wave in 0..3 {
        town.jump_to(case.facts.wave_start(wave).0).await;
        let mut seated = 0;
        for key in &town.city.keys.workers {
            let worker = key.address();
            let member = inquest.docket.members.iter().any(|member| member.worker == worker);
            let seat = case.seat(seed.unwrap(), worker, bond(town, worker).await);
            seated += usize::from(!member && seat.is_some_and(|first| first <= wave));
        }
        town.until("the jury commits", async || chain.jury_of(inquest).await.unwrap().jurors.len() == seated)
            .await;
    }
    town.jump_to(case.facts.commit_end().0).await;
    town.until("the jury reveals, and who must show does", async || {
        let jury = chain.jury_of(inquest).await.unwrap();
        let mut shown = true;
        for claim in 0..inquest.docket.claims.len() {
            shown = shown && chain.claim_shown(case.id(), claim).await.unwrap().is_some();
        }
        shown && jury.jurors.iter().all(|juror| juror.has_revealed())
    })
    .await;
    town.jump_to(case.facts.reveal_end().0).await;
    town.until("somebody closes it", async || {
        chain.inquest_state(case.id()).await.unwrap() == CaseState::Closed
            && chain.inquest_outcome(case.id()).await.unwrap().is_some()
    })
    .await;
    chain.inquest_outcome(case.id()).await.unwrap().unwrap().found
}

async fn who_did_not_execute_pays_for_its_false_trace(on: On) {
    let copy: guildhall::city::Wrap = Arc::new(|_, honest| Arc::new(Copier(honest)));
    let town = Town::found_with(on, WORKERS, |config| CityConfig { wrap: Some(copy), ..config }).await;
    let told = town.certified(&town.hello, shopping()).await;
    let chain = &town.city.chain;
    let accused = told.certificate(0).unwrap().certified.members[0].worker;
    let before = (bond(&town, accused).await, chain.balance(told.terms.payer).await.unwrap());
    let (deal, member) = (told.terms.deal().to_string(), accused.to_string());
    let words = ["inquest", "accuse", &deal, "1", "--worker", &member, "--key", "requester"];
    let inquest = find(&town, &told.terms, &words).await;
    assert_eq!((inquest.case.facts.index, inquest.case.facts.kind), (1, Kind::Accusation));
    assert_eq!(inquest.case.worker, accused);
    let shown = said(&town, &["inquest", "show", &deal]);
    let shown = shown["inquests"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&shown["found"], &shown["state"], &shown["kind"]),
        (&true.into(), &"closed".into(), &"accusation".into())
    );
    assert!(bond(&town, accused).await < before.0, "a false trace costs stake");
    let gained =
        chain.balance(told.terms.payer).await.unwrap().checked_sub(before.1).expect("no less than before");
    assert!(gained >= BondUnits(1).to_amount(), "the fee of no execution comes back, and more: {gained}");
    assert_eq!(chain.batch_slot(told.terms.deal(), 0).await.unwrap().status().unwrap(), Status::Provisional);
    let settled = said(&town, &["inquest", "settle", &deal, "1", "--key", "requester"]);
    assert_eq!(settled["step"], "closed", "{settled}");
    checks::conserved(chain).await;
    town.city.stop().await;
}

async fn an_accusation_without_reason_costs_its_bond(on: On) {
    let town = Town::found(on, WORKERS, None).await;
    let told = town.certified(&town.hello, shopping()).await;
    let chain = &town.city.chain;
    let accused = told.certificate(0).unwrap().certified.members[0].worker;
    let before = (bond(&town, accused).await, chain.balance(told.terms.payer).await.unwrap());
    let (deal, member) = (told.terms.deal().to_string(), accused.to_string());
    let words = ["inquest", "accuse", &deal, "0", "--worker", &member, "--key", "requester"];
    let inquest = find(&town, &told.terms, &words).await;
    assert_eq!(bond(&town, accused).await, before.0, "it showed its trace");
    town.until("the bond pays the jury, to the last unit", async || {
        let after = chain.balance(told.terms.payer).await.unwrap();
        after.0 + inquest.case.stakes.bond.0 == before.1.0
    })
    .await;
    checks::conserved(chain).await;
    town.city.stop().await;
}

async fn an_auditor_accuses_who_did_not_execute(on: On) {
    let workers = Arc::new(OnceLock::new());
    let known = workers.clone();
    let copy: guildhall::city::Wrap =
        Arc::new(move |number, honest| Arc::new(OwnCopier { honest, number, workers: known.clone() }));
    let town =
        Town::found_with(on, 5, |config| CityConfig { wrap: Some(copy), audit_percent: 100, ..config }).await;
    let chain = &town.city.chain;
    workers.set(town.city.keys.workers.iter().map(|key| key.address()).collect()).unwrap();
    for key in &town.city.keys.workers {
        let worker = key.address().to_string();
        said(&town, &["stake", "deposit", "10", "--to", &worker, "--key", "requester"]);
    }
    let told = town.certified(&town.hello, shopping()).await;
    let deal = told.terms.deal();
    town.until("somebody accuses", async || !chain.inquests_of(deal).await.unwrap().is_empty()).await;
    let inquest = &chain.inquests_of(deal).await.unwrap()[0];
    let members = &told.certificate(0).unwrap().certified.members;
    let accused = members.iter().find(|member| member.worker == inquest.case.worker).unwrap();
    assert_eq!(accused.claim, CLAIM_LEADING);
    assert!(members.iter().all(|member| member.worker != inquest.case.opener), "one that was not asked");
    town.city.stop().await;
}

/// Copies in its own rounds; an auditor executes as another worker, and honestly.
#[derive(Debug)]
struct OwnCopier {
    honest: Arc<dyn Executor>,
    number: usize,
    workers: Arc<OnceLock<Vec<Address>>>,
}

#[async_trait::async_trait]
impl Executor for OwnCopier {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError> {
        let mut executed = self.honest.execute(assignment, progress).await?;
        if self.workers.get().is_some_and(|workers| workers[self.number] == assignment.worker) {
            executed.own_traces = vec![keccak256("not executed"); 2];
        }
        Ok(executed)
    }
}

async fn liars_do_not_walk_away_from_an_expired_batch(on: On) {
    let (executed, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (told, opens) = (executed.clone(), go.clone());
    let divide: guildhall::city::Wrap = Arc::new(move |number, honest| {
        Arc::new(Divided { honest, number, executed: told.clone(), go: opens.clone() })
    });
    // Waves that are long enough for all five to have executed before the last one is over.
    let parameters = |known| Parameters { patience_base_secs: Secs(6), ..known };
    let mut town = Town::found_with(on, 14, |config| CityConfig {
        wrap: Some(divide),
        parameters: parameters(config.parameters),
        ..config
    })
    .await;
    let policy = Policy { confidence: 50, replicasMax: 5, ..quick_policy() };
    let shopping = Shopping { batch_size: 2, policy, ..Shopping::of(&["first", "second"]) };
    let opened = town.buy(&town.hello, shopping).await.unwrap();
    executed.acquire_many(5).await.unwrap().forget();
    town.city.coordinator_off().await;
    go.add_permits(5);
    let (chain, terms) = (&town.city.chain, opened.terms);
    town.until("everybody has committed and revealed", async || {
        chain.round_log(&terms, 0).await.unwrap().len() == 10
    })
    .await;
    town.jump_to(terms.deadline + 2).await;
    let deal = terms.deal().to_string();
    said(&town, &["expire", &deal, "--key", "requester"]);
    assert_eq!(chain.batch_slot(terms.deal(), 0).await.unwrap().status().unwrap(), Status::Expired);
    let waiting = said(&town, &["inquest", "show", &deal]);
    assert_eq!(waiting["inquests"].as_array().unwrap().len(), 0, "{waiting}");
    let mut before = Vec::new();
    for key in &town.city.keys.workers {
        before.push(bond(&town, key.address()).await);
    }
    let inquest = find(&town, &terms, &["inquest", "open", &deal, "0", "--key", "requester"]).await;
    assert_eq!((inquest.docket.members.len(), inquest.docket.claims.len()), (5, 2));
    assert!(inquest.docket.members.iter().all(|member| member.claim != CLAIM_BARE));
    for (number, (key, before)) in town.city.keys.workers.iter().zip(before).take(5).enumerate() {
        let after = bond(&town, key.address()).await;
        assert_eq!(after < before, number < 2, "worker {number} had {before:?}, has {after:?}");
    }
    checks::conserved(chain).await;
    town.city.stop().await;
}
