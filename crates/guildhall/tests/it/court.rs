//! Certificates before the Court, end to end: workers of the city sit on the juries by themselves.

use std::{
    iter::repeat_n,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crate::support::{
    self, Habit, Muffled,
    city::{On, Shopping, Town, app, on_both_chains, quick_policy, three_listed},
};
use alloy::primitives::{B256, U256, aliases::U96, keccak256};
use guildhall::{
    city::{Asset, CityConfig},
    requester::{
        court::{self, Progress, Sealed},
        history::History,
        replay::replay,
    },
};
use guildhall_api::Produced;
use guildhall_chain::{CaseState, Sender, Subject};
use guildhall_protocol::{
    Amount, Bps, Case, Parameters, Policy, Receipt, Reputation, Seed, Status, Weighing, Weight,
    cases::{Kind, finding},
    confidence::{group, odds, opposing, target},
    list::{CLAIM_BARE, CLAIM_LEADING},
};
use guildhall_sandbox::Sandbox;
use guildhall_testkit::checks;
use guildhall_worker::{Assignment, ExecuteError, Executed, Executor, Link, ProgressSender};
use tokio::sync::{Barrier, Semaphore};

on_both_chains! {
    a_false_certificate_is_overturned_and_its_makers_pay;
    a_dispute_without_reason_costs_its_bond;
    a_case_that_no_jury_comes_to_is_void_and_nobody_is_slashed;
    an_appeal_calls_another_jury_and_its_verdict_is_the_last;
    a_seat_holder_that_was_left_out_contradicts_by_itself;
    a_seat_holder_that_was_left_out_and_is_shown_no_receipts_guesses;
    who_was_turned_away_from_a_free_seat_contradicts_by_itself;
    who_is_shown_no_receipts_executes_everything_and_disputes_a_task_that_it_guesses;
    an_auditor_finds_a_lie_that_nobody_contradicted;
    who_shows_its_contribution_in_between_keeps_nobody_from_disputing;
    an_audit_that_the_lot_asks_for_upholds_a_true_certificate_and_its_makers_earn_reputation;
    a_worker_opens_the_audits_that_the_lot_asks_for_by_itself;
}

/// A token in its smallest unit.
const TOKEN_WEI: u64 = 1_000_000_000_000_000_000;

/// Sixteen workers, of which three may be listed: thirteen are left for a jury that aims at eight.
const WORKERS: usize = 16;

/// Lies with all the others in a round of two tasks, and is honest on a jury, which is about one.
#[derive(Debug)]
struct Conspirator(Arc<dyn Executor>);

#[async_trait::async_trait]
impl Executor for Conspirator {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError> {
        let mut executed = self.0.execute(assignment, progress).await?;
        if assignment.tasks.len() == 2 {
            for receipt in &mut executed.receipts {
                receipt.output_digest = keccak256("lie");
            }
            executed.outputs = vec![Produced::Bytes(b"lie".to_vec()); 2];
        }
        Ok(executed)
    }
}

/// A conspirator that sits on no jury while there is a strike.
#[derive(Debug)]
struct Striker {
    conspirator: Conspirator,
    strike: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl Executor for Striker {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError> {
        if assignment.tasks.len() == 1 && self.strike.load(Ordering::Relaxed) {
            return Err(ExecuteError::Host("on strike".into()));
        }
        self.conspirator.execute(assignment, progress).await
    }
}

/// The first four to execute a round of two tasks lie about its second; the others find the truth, once they are let go.
#[derive(Debug)]
struct Latecomer {
    honest: Arc<dyn Executor>,
    begun: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

#[async_trait::async_trait]
impl Executor for Latecomer {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError> {
        let place = self.begun.fetch_add(1, Ordering::Relaxed);
        let mut executed = self.honest.execute(assignment, progress).await?;
        if place < 4 {
            executed.receipts[1].output_digest = keccak256("lie");
            executed.outputs[1] = Produced::Bytes(b"lie".to_vec());
        } else {
            let _gate = self.gate.acquire().await;
        }
        Ok(executed)
    }
}

/// Executes no round of two tasks, and is done with one task, as an auditor executes it, once it is let go.
#[derive(Debug)]
struct Auditor {
    honest: Arc<dyn Executor>,
    gate: Arc<Semaphore>,
}

#[async_trait::async_trait]
impl Executor for Auditor {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError> {
        if assignment.tasks.len() == 2 {
            return Err(ExecuteError::Host("busy".into()));
        }
        let executed = self.honest.execute(assignment, progress).await?;
        let _gate = self.gate.acquire().await;
        Ok(executed)
    }
}

fn shopping() -> Shopping {
    let policy = Policy { disputeWindow: 300, ..three_listed() };
    Shopping { batch_size: 2, policy, ..Shopping::of(&["first", "second"]) }
}

/// What this machine finds for a task of the deal.
async fn honest(town: &Town, told: &History, task: u32, certified: Receipt) -> Receipt {
    let (dir, url) = (town.dir().join("cache/court"), town.city.coordinator_url());
    let blobs = guildhall::requester::store::reader(&dir, &url).await.unwrap();
    let sandbox = Sandbox::new(guildhall_sandbox::Config { children: 0, ..Default::default() });
    let sandbox = Arc::new(sandbox.expect("a sandbox"));
    replay(&town.city.chain, &*blobs, sandbox, &told.terms, task, certified).await.unwrap().here
}

struct Dispute<'a> {
    town: &'a Town,
    sender: Sender,
    subject: Subject,
    case: Case,
    /// Nothing of an audit, which claims nothing.
    sealed: Option<Sealed>,
}

impl<'a> Dispute<'a> {
    /// The requester disputes the second task.
    async fn open(town: &'a Town, told: &History, says: B256) -> Self {
        let (chain, sender) = (&town.city.chain, town.city.requester().clone());
        let subject = court::subject(chain, told.terms.deal(), 0).await.unwrap();
        let (case, _) = court::dispute(chain, &sender, &subject, 1, says, town.dir()).await.unwrap();
        let sealed = Sealed::load(town.dir(), &case).unwrap().expect("kept until it is shown");
        assert_eq!((sealed.seal, sealed.finding), (case.seal, says));
        Self { town, sender, subject, case, sealed: Some(sealed) }
    }

    /// How many workers have a seat on the jury in this wave: neither members nor anybody else's.
    async fn seated(&self, wave: u8) -> usize {
        let (chain, case) = (&self.town.city.chain, &self.case);
        let mut seed: Option<Seed> = None;
        self.town
            .until("the jury is drawn", async || {
                seed = chain.drawn_seed(case).await.unwrap();
                seed.is_some()
            })
            .await;
        let mut seated = 0;
        for key in &self.town.city.keys.workers {
            let member = self.subject.certified.members.iter().any(|member| member.worker == key.address());
            let bond = chain.worker(key.address()).await.unwrap().unwrap().bond;
            let seat = case.seat(seed.unwrap(), key.address(), bond);
            seated += usize::from(!member && seat.is_some_and(|first| first <= wave));
        }
        seated
    }

    /// Whether those that the lot seats can overturn the certificate: about once in a thousand cases it seats too few in wave 0.
    async fn can_convict(&self) -> bool {
        let certificate = &self.subject.certified.certificate;
        let policy = self.subject.terms.policy().unwrap();
        let weight = |wave| Weighing::of(&policy, 1, 1).weight(Reputation::ZERO, wave);
        let (first, all) = (self.seated(0).await, self.seated(1).await);
        let jury = group(repeat_n(weight(0), first).chain(repeat_n(weight(1), all - first)));
        let target = target(policy.confidence, certificate.attempt + self.case.facts.level - 1);
        odds(jury, opposing([Weight(certificate.odds)], [])) >= target
    }

    /// Every juror that the lot seats commits in its wave, then reveals.
    async fn hear(&self) {
        let (town, chain, case) = (self.town, &self.town.city.chain, &self.case);
        for wave in 0..2 {
            town.jump_to(case.facts.wave_start(wave).0).await;
            let seated = self.seated(wave).await;
            town.until("the jury commits", async || {
                chain.hearing_of(*case).await.unwrap().jurors.len() == seated
            })
            .await;
        }
        town.jump_to(case.facts.commit_end().0).await;
        if self.sealed.is_some() {
            let shown = self.advance().await;
            assert!(matches!(shown, Progress::SealOpened { .. }), "{shown:?}");
        }
        town.until("the jury reveals and the certificate is defended", async || {
            let jury = chain.hearing_of(*case).await.unwrap();
            jury.jurors.iter().all(|juror| juror.has_revealed()) && chain.receipt_shown(case).await.unwrap()
        })
        .await;
    }

    async fn advance(&self) -> Progress {
        court::advance(&self.town.city.chain, &self.sender, &self.case, self.sealed.as_ref()).await.unwrap()
    }

    /// Jurors see to the verdict, and to what follows from it. All of that is one transaction, but a node may show one slot
    /// from the block that it is just making and the next one from the block before.
    async fn conclude(&self, expected: CaseState, leaves: Status) {
        let (town, chain, case) = (self.town, &self.town.city.chain, &self.case);
        town.jump_to(case.facts.reveal_end().0).await;
        town.until("somebody asks for the verdict", async || {
            chain.verdict_of(case.id()).await.unwrap().is_some()
        })
        .await;
        let jurors = chain.hearing_of(*case).await.unwrap().jurors;
        let sat: Vec<_> = jurors.iter().map(|juror| (juror.word.byte(1), juror.finding)).collect();
        let verdict = chain.verdict_of(case.id()).await.unwrap().unwrap();
        assert_eq!(verdict.state, expected, "{verdict:?}, jurors by wave with their findings: {sat:?}");
        town.jump_to(case.facts.appeal_end().0).await;
        town.until("the case is closed", async || {
            chain.case_state(case).await.unwrap() == CaseState::Closed && self.status().await == leaves
        })
        .await;
    }

    async fn status(&self) -> Status {
        self.town.city.chain.batch_slot(self.case.deal, 0).await.unwrap().status().unwrap()
    }
}

/// Plays a case in new towns until the lot seats a jury that can convict.
async fn with_a_jury(mut play: impl AsyncFnMut() -> bool) {
    for _ in 0..5 {
        if play().await {
            return;
        }
    }
    panic!("five lots in a row seated too few: one in a million billions");
}

async fn a_false_certificate_is_overturned_and_its_makers_pay(on: On) {
    with_a_jury(async || a_false_certificate_before_a_jury(on).await).await;
}

async fn a_false_certificate_before_a_jury(on: On) -> bool {
    let conspire: guildhall::city::Wrap = Arc::new(|_, honest| Arc::new(Conspirator(honest)));
    let wrap = Some(conspire);
    let town = Town::found_with(on, WORKERS, |config| CityConfig { wrap, ..config }).await;
    let told = town.certified(&town.hello, shopping()).await;
    let fetched = town.fetch(&told, 1).await;
    let here = honest(&town, &told, 1, fetched.receipt.receipt).await;
    assert_ne!(finding(&here), finding(&fetched.receipt.receipt), "a lie was certified");
    let chain = &town.city.chain;
    let dispute = Dispute::open(&town, &told, finding(&here)).await;
    assert_eq!(dispute.status().await, Status::Disputed);
    if !dispute.can_convict().await {
        town.city.stop().await;
        return false;
    }
    let members: Vec<_> = dispute.subject.certified.members.iter().map(|member| member.worker).collect();
    let mut before = Vec::new();
    for member in &members {
        before.push(chain.worker(*member).await.unwrap().unwrap().bond);
    }
    let payer = chain.balance(told.terms.payer).await.unwrap();
    dispute.hear().await;
    dispute.conclude(CaseState::Overturned, Status::Void).await;
    for (member, before) in members.iter().zip(before) {
        assert!(chain.worker(*member).await.unwrap().unwrap().bond < before, "{member} pays for its lie");
    }
    let bond = dispute.case.stakes.bond;
    assert!(
        chain.balance(told.terms.payer).await.unwrap().0 > payer.0 + bond.0,
        "bond back, cost back, and a reward"
    );
    checks::conserved(chain).await;
    town.city.stop().await;
    true
}

async fn a_dispute_without_reason_costs_its_bond(on: On) {
    let town = Town::found(on, WORKERS, None).await;
    let told = town.certified(&town.hello, shopping()).await;
    let chain = &town.city.chain;
    let payer = chain.balance(told.terms.payer).await.unwrap();
    let dispute = Dispute::open(&town, &told, keccak256("something else")).await;
    dispute.hear().await;
    dispute.conclude(CaseState::Upheld, Status::Provisional).await;
    assert!(chain.balance(told.terms.payer).await.unwrap() < payer, "the bond paid the jury");
    let fetched = town.fetch(&told, 1).await;
    assert!(town.verify(&told, 1, &fetched).await.holds());
    checks::conserved(chain).await;
    town.city.stop().await;
}

async fn a_case_that_no_jury_comes_to_is_void_and_nobody_is_slashed(on: On) {
    // Everybody is a member: there is nobody to ask.
    let town = Town::found(on, 3, None).await;
    let told = town.certified(&town.hello, shopping()).await;
    let (chain, says) = (&town.city.chain, keccak256("something else"));
    let payer = chain.balance(told.terms.payer).await.unwrap();
    let dispute = Dispute::open(&town, &told, says).await;
    let facts = dispute.case.facts;
    // By the command, as a person would: each call does what is due.
    let deal = told.terms.deal().to_string();
    let step = |expected: &str| {
        let desk = support::Desk::in_city(&town);
        let words = ["dispute", "settle", &deal, "1", "--key", "requester"];
        let said = tokio::task::block_in_place(|| desk.json(&words));
        assert_eq!(said["step"], expected, "{said}");
    };
    step("waits");
    town.jump_to(facts.commit_end().0).await;
    step("seal_opened");
    step("waits");
    town.jump_to(facts.reveal_end().0).await;
    step("decided");
    step("waits");
    town.jump_to(facts.appeal_end().0).await;
    step("finalized");
    step("closed");
    let desk = support::Desk::in_city(&town);
    let shown = tokio::task::block_in_place(|| desk.json(&["dispute", "show", &deal]));
    assert_eq!(
        (&shown["cases"][0]["state"], &shown["cases"][0]["jurors"]),
        (&"void".into(), &0.into()),
        "{shown}"
    );
    assert_eq!(dispute.status().await, Status::Void);
    assert!(
        chain.balance(told.terms.payer).await.unwrap() >= payer,
        "the bond came back, and what the work had cost"
    );
    for member in &dispute.subject.certified.members {
        assert!(chain.worker(member.worker).await.unwrap().unwrap().bond.0 > 0);
    }
    checks::conserved(chain).await;
    town.city.stop().await;
}

/// Nobody comes to the first jury, so the case comes to nothing; the requester appeals, and the second jury finds the lie.
async fn an_appeal_calls_another_jury_and_its_verdict_is_the_last(on: On) {
    with_a_jury(async || an_appeal_before_a_jury(on).await).await;
}

async fn an_appeal_before_a_jury(on: On) -> bool {
    let strike = Arc::new(AtomicBool::new(true));
    let shared = strike.clone();
    let strikers: guildhall::city::Wrap = Arc::new(move |_, honest| {
        Arc::new(Striker { conspirator: Conspirator(honest), strike: shared.clone() })
    });
    let town = Town::found_with(on, WORKERS, |config| CityConfig { wrap: Some(strikers), ..config }).await;
    let told = town.certified(&town.hello, shopping()).await;
    let (chain, deal) = (&town.city.chain, told.terms.deal().to_string());
    let desk = support::Desk::in_city(&town);
    let words = |command: &str| {
        let words = ["dispute", command, &deal, "1", "--key", "requester"];
        tokio::task::block_in_place(|| desk.json(&words))
    };
    let opened = words("open");
    let first = chain.cases_of(told.terms.deal()).await.unwrap()[0];
    town.jump_to(first.facts.commit_end().0).await;
    assert_eq!(words("settle")["step"], "seal_opened");
    town.jump_to(first.facts.reveal_end().0).await;
    assert_eq!(words("settle")["step"], "decided");
    assert_eq!(chain.verdict_of(first.id()).await.unwrap().unwrap().state, CaseState::Void);
    strike.store(false, Ordering::Relaxed);
    let appealed = words("appeal");
    assert_ne!(appealed["case"], opened["case"], "{appealed}");
    let case = chain.cases_of(told.terms.deal()).await.unwrap()[1];
    assert_eq!((case.facts.level, case.before), (2, first.id()));
    assert!(
        case.stakes.bond.0 >= first.stakes.bond.0 * U256::from(2),
        "twice the bond, for as many seats or more"
    );
    let subject = court::subject(chain, told.terms.deal(), 0).await.unwrap();
    let sealed = Sealed::load(town.dir(), &case).unwrap().expect("kept until it is shown");
    let sealed = Some(sealed);
    let appeal = Dispute { town: &town, sender: town.city.requester().clone(), subject, case, sealed };
    if !appeal.can_convict().await {
        town.city.stop().await;
        return false;
    }
    appeal.hear().await;
    appeal.conclude(CaseState::Overturned, Status::Void).await;
    let shown = tokio::task::block_in_place(|| desk.json(&["dispute", "show", &deal]));
    assert_eq!(shown["cases"][1]["state"], "overturned", "{shown}");
    checks::conserved(chain).await;
    town.city.stop().await;
    true
}

/// Six workers with a seat each; four are listed and lie, two come too late and are in the right. Nobody is left for a jury, so
/// the case comes to nothing, and the false certificate with it.
async fn a_seat_holder_that_was_left_out_contradicts_by_itself(on: On) {
    let (town, told, payer) = left_out(on, |link| link, U96::ZERO).await;
    let (chain, deal) = (&town.city.chain, told.terms.deal());
    town.until("somebody disputes", async || !chain.cases_of(deal).await.unwrap().is_empty()).await;
    let [case] = chain.cases_of(deal).await.unwrap().try_into().unwrap();
    let workers: Vec<_> = town.city.keys.workers.iter().map(|key| key.address()).collect();
    assert!(workers.contains(&case.worker) && case.worker == case.opener, "a worker, by itself");
    assert_eq!(
        (case.facts.index, case.facts.kind),
        (1, Kind::Staked),
        "the task that was lied about, at its own risk"
    );
    town.jump_to(case.facts.commit_end().0).await;
    town.until("it shows what it sealed", async || chain.seal_opened(&case).await.unwrap()).await;
    town.jump_to(case.facts.reveal_end().0).await;
    town.until("it asks for the verdict", async || chain.verdict_of(case.id()).await.unwrap().is_some())
        .await;
    assert_eq!(chain.verdict_of(case.id()).await.unwrap().unwrap().state, CaseState::Void);
    town.jump_to(case.facts.appeal_end().0).await;
    town.until("it closes the case", async || chain.case_state(&case).await.unwrap() == CaseState::Closed)
        .await;
    assert!(chain.balance(told.terms.payer).await.unwrap() > payer, "the payer gets its money back");
    checks::conserved(chain).await;
    town.city.stop().await;
}

/// The same where nobody serves the certified receipts, and a guess pays: any of the tasks is disputed.
async fn a_seat_holder_that_was_left_out_and_is_shown_no_receipts_guesses(on: On) {
    let (town, told, _) = left_out(on, serve_nothing, U96::from(TOKEN_WEI / 10)).await;
    let (chain, deal) = (&town.city.chain, told.terms.deal());
    town.jump_to(told.certificate(0).unwrap().certified.certificate.finalAt - 60).await;
    town.until("somebody disputes", async || !chain.cases_of(deal).await.unwrap().is_empty()).await;
    let case = chain.cases_of(deal).await.unwrap()[0];
    assert_eq!((case.facts.kind, case.worker), (Kind::Staked, case.opener), "a worker, at its own risk");
    town.city.stop().await;
}

fn serve_nothing(link: Arc<dyn Link>) -> Arc<dyn Link> {
    Arc::new(Muffled { link, habit: Habit::ServesNothing })
}

/// Two of six come too late for the list of four, and are let go on; with what the payer had before.
async fn left_out(
    on: On,
    served: fn(Arc<dyn Link>) -> Arc<dyn Link>,
    collateral: U96,
) -> (Town, History, Amount) {
    let (begun, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (shared, door) = (begun, gate.clone());
    let late: guildhall::city::Wrap =
        Arc::new(move |_, honest| Arc::new(Latecomer { honest, begun: shared.clone(), gate: door.clone() }));
    let link: guildhall::city::LinkWrap = Arc::new(move |_, link| served(link));
    let town =
        Town::found_with(on, 6, |config| CityConfig { wrap: Some(late), link: Some(link), ..config }).await;
    let told =
        town.certified(&town.hello, Shopping { policy: policy_of_four(collateral), ..shopping() }).await;
    assert_eq!(told.certificate(0).unwrap().certified.members.len(), 4, "two were not waited for");
    let payer = town.city.chain.balance(told.terms.payer).await.unwrap();
    gate.add_permits(WORKERS);
    (town, told, payer)
}

/// Four that agree have the odds.
fn policy_of_four(collateral: U96) -> Policy {
    Policy {
        confidence: 200,
        replicasMin: 3,
        replicasMax: 6,
        disputeWindow: 300,
        collateralMin: collateral,
        ..quick_policy()
    }
}

/// Six workers with a seat each; the coordinator tells the two that are honest that all seats are taken. Its certificate names
/// four, so they look, and dispute what they find.
async fn who_was_turned_away_from_a_free_seat_contradicts_by_itself(on: On) {
    turned_away(on, |link| link, U96::ZERO).await;
}

/// The same where the coordinator keeps the certified receipts back, too. There is enough stake behind the certificate that a guess pays.
async fn who_is_shown_no_receipts_executes_everything_and_disputes_a_task_that_it_guesses(on: On) {
    turned_away(on, serve_nothing, U96::from(TOKEN_WEI / 10)).await;
}

async fn turned_away(on: On, served: fn(Arc<dyn Link>) -> Arc<dyn Link>, collateral: U96) {
    let conspire: guildhall::city::Wrap =
        Arc::new(|number, honest| if number < 4 { Arc::new(Conspirator(honest)) } else { honest });
    let turn_away: guildhall::city::LinkWrap = Arc::new(move |number, link| {
        if number < 4 { link } else { Arc::new(Muffled { link: served(link), habit: Habit::SaysFull }) }
    });
    let town = Town::found_with(on, 6, |config| CityConfig {
        wrap: Some(conspire),
        link: Some(turn_away),
        ..config
    })
    .await;
    let told =
        town.certified(&town.hello, Shopping { policy: policy_of_four(collateral), ..shopping() }).await;
    let (chain, deal) = (&town.city.chain, told.terms.deal());
    let certified = &told.certificate(0).unwrap().certified;
    assert_eq!(certified.members.len(), 4, "two were turned away");
    // Who is shown nothing waits for half of the window.
    if collateral > U96::ZERO {
        town.jump_to(certified.certificate.finalAt - 60).await;
    }
    town.until("somebody disputes", async || !chain.cases_of(deal).await.unwrap().is_empty()).await;
    let case = chain.cases_of(deal).await.unwrap()[0];
    let honest: Vec<_> = town.city.keys.workers[4..].iter().map(|key| key.address()).collect();
    assert!(honest.contains(&case.worker), "one that was turned away");
    assert_eq!(case.facts.kind, Kind::Staked, "at its own risk, without a bond");
    town.city.stop().await;
}

/// Everybody who was asked lied; who was not asked re-executes one certificate of one, and disputes it for a bond.
async fn an_auditor_finds_a_lie_that_nobody_contradicted(on: On) {
    let conspire: guildhall::city::Wrap = Arc::new(|_, honest| Arc::new(Conspirator(honest)));
    let town =
        Town::found_with(on, 5, |config| CityConfig { wrap: Some(conspire), audit_percent: 100, ..config })
            .await;
    let chain = &town.city.chain;
    let desk = support::Desk::in_city(&town);
    tokio::task::block_in_place(|| {
        for key in &town.city.keys.workers {
            let worker = key.address().to_string();
            desk.json(&["stake", "deposit", "10", "--to", &worker, "--key", "requester"]);
        }
    });
    let told = town.certified(&town.hello, shopping()).await;
    let deal = told.terms.deal();
    town.until("somebody disputes", async || !chain.cases_of(deal).await.unwrap().is_empty()).await;
    let case = chain.cases_of(deal).await.unwrap()[0];
    let members: Vec<_> =
        told.certificate(0).unwrap().certified.members.iter().map(|member| member.worker).collect();
    let workers: Vec<_> = town.city.keys.workers.iter().map(|key| key.address()).collect();
    assert!(workers.contains(&case.opener) && !members.contains(&case.opener), "one that was not asked");
    assert_eq!(case.facts.kind, Kind::Bonded);
    town.city.stop().await;
}

/// Lies, and has found its lie when the three others have theirs: nobody is late for the list.
#[derive(Debug)]
struct Together {
    conspirator: Conspirator,
    all: Arc<Barrier>,
}

#[async_trait::async_trait]
impl Executor for Together {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError> {
        let executed = self.conspirator.execute(assignment, progress).await?;
        if assignment.tasks.len() == 2 {
            self.all.wait().await;
        }
        Ok(executed)
    }
}

/// One of four liars is certified as silent, and shows its contribution while an auditor is about to dispute, which makes another
/// certificate of it: that one is disputed. The auditor is told that all seats are taken, so the four have them.
async fn who_shows_its_contribution_in_between_keeps_nobody_from_disputing(on: On) {
    let gate = Arc::new(Semaphore::new(0));
    let door = gate.clone();
    let all = Arc::new(Barrier::new(4));
    let conspire: guildhall::city::Wrap = Arc::new(move |number, honest| match number {
        4 => Arc::new(Auditor { honest, gate: door.clone() }),
        _ => Arc::new(Together { conspirator: Conspirator(honest), all: all.clone() }),
    });
    let kept = Arc::new(OnceLock::new());
    let habit = Habit::KeepsContributionsOf(kept.clone());
    let keep_back: guildhall::city::LinkWrap = Arc::new(move |number, link| {
        let habit = if number == 4 { Habit::SaysFull } else { habit.clone() };
        Arc::new(Muffled { link, habit })
    });
    let town = Town::found_with(on, 5, |config| CityConfig {
        wrap: Some(conspire),
        link: Some(keep_back),
        audit_percent: 100,
        ..config
    })
    .await;
    let (chain, auditor) = (&town.city.chain, town.city.keys.workers[4].address().to_string());
    let desk = support::Desk::in_city(&town);
    tokio::task::block_in_place(|| {
        desk.json(&["stake", "deposit", "10", "--to", &auditor, "--key", "requester"])
    });
    let policy = Policy { replicasMax: 4, disputeWindow: 300, ..quick_policy() };
    let told = town.certified(&town.hello, Shopping { policy, ..shopping() }).await;
    let deal = told.terms.deal();
    let silent = kept.get().copied().unwrap();
    town.until("the silent member shows its contribution", async || {
        let now = chain.subject(deal, 0).await.unwrap().unwrap();
        now.certified.members.iter().any(|member| member.worker == silent && member.claim != CLAIM_BARE)
    })
    .await;
    gate.add_permits(1);
    town.until("the auditor disputes", async || !chain.cases_of(deal).await.unwrap().is_empty()).await;
    let case = chain.cases_of(deal).await.unwrap()[0];
    assert_eq!((case.opener.to_string(), case.facts.kind), (auditor, Kind::Bonded));
    town.city.stop().await;
}

/// Orders until the seed asks for the audit of a certificate, as it does of one in sixteen.
async fn drawn(town: &Town, app: &Asset, text: &str) -> (History, Subject) {
    let policy = Policy { disputeWindow: 1_000, ..three_listed() };
    let chain = &town.city.chain;
    for _ in 0..20 {
        let told = town.certified(app, Shopping { policy, ..Shopping::of(&[text; 16]) }).await;
        for batch in 0..told.terms.batches() {
            let subject = court::subject(chain, told.terms.deal(), batch).await.unwrap();
            let mut asked = None;
            town.until("the audit's seed is known", async || {
                asked = chain.audit_drawn(&subject).await.unwrap();
                asked.is_some()
            })
            .await;
            if asked.flatten().is_some() {
                return (told, subject);
            }
        }
    }
    panic!("none of 320 certificates was drawn: once in a billion times");
}

async fn an_audit_that_the_lot_asks_for_upholds_a_true_certificate_and_its_makers_earn_reputation(on: On) {
    // What a certificate brings the protocol is what it can earn in reputation: here a bond unit or more.
    let parameters = Parameters { protocol_fee_bps: Bps(1_000), ..Parameters::default() };
    let town = Town::found_with(on, WORKERS, |config| CityConfig { parameters, ..config }).await;
    let wordcount = town.city.sell_app("wordcount", app("wordcount"), U96::ZERO).await.expect("sold");
    let (told, subject) = drawn(&town, &wordcount, &"a word and another\n".repeat(50_000)).await;
    let (chain, deal) = (&town.city.chain, told.terms.deal());
    let payer = chain.balance(told.terms.payer).await.unwrap();
    let mut before = Vec::new();
    for member in &subject.certified.members {
        before.push(chain.worker(member.worker).await.unwrap().unwrap().reputation);
    }
    let desk = support::Desk::in_city(&town);
    let batch = subject.certified.certificate.batch.to_string();
    let words = ["audit", &deal.to_string(), &batch, "--key", "requester"];
    let opened = tokio::task::block_in_place(|| desk.json(&words));
    let [case] = chain.cases_of(deal).await.unwrap().try_into().unwrap();
    assert_eq!((case.facts.kind, &opened["case"]), (Kind::Audit, &case.id().to_string().into()));
    assert!(!case.stakes.bond.0.is_zero(), "the jury is paid from what the protocol earned");
    assert_eq!(chain.balance(told.terms.payer).await.unwrap(), payer, "and not by who opens it");
    let again = tokio::task::block_in_place(|| desk.run(&words));
    assert!(!again.status.success(), "once a certificate");
    let audit = Dispute { town: &town, sender: town.city.requester().clone(), subject, case, sealed: None };
    audit.hear().await;
    audit.conclude(CaseState::Upheld, Status::Provisional).await;
    for (member, before) in audit.subject.certified.members.iter().zip(before) {
        let now = chain.worker(member.worker).await.unwrap().unwrap().reputation;
        let earns = member.wave == 0 && member.claim == CLAIM_LEADING;
        assert_eq!(now > before, earns, "{}: {before:?}, then {now:?}", member.worker);
    }
    checks::conserved(chain).await;
    town.city.stop().await;
}

async fn a_worker_opens_the_audits_that_the_lot_asks_for_by_itself(on: On) {
    // Of a hundred certificates it executes one again, and opens every audit that is asked for.
    let town = Town::found_with(on, 5, |config| CityConfig { audit_percent: 1, ..config }).await;
    let (told, subject) = drawn(&town, &town.hello, "hello").await;
    let (chain, certificate) = (&town.city.chain, &subject.certified.certificate);
    let mut opened = None;
    town.until("a worker opens it", async || {
        let cases = chain.cases_of(told.terms.deal()).await.unwrap();
        opened = cases
            .into_iter()
            .find(|case| case.facts.batch == certificate.batch && case.facts.kind == Kind::Audit);
        opened.is_some()
    })
    .await;
    let opener = opened.unwrap().opener;
    assert!(town.city.keys.workers.iter().any(|key| key.address() == opener), "one of the workers");
    let member = subject.certified.members.iter().any(|member| member.worker == opener);
    assert!(!member, "which has no part in it");
    town.city.stop().await;
}
