//! The whole way, from a signed request to a checked result, on the embedded chain and on anvil.

use crate::support::{
    Habit, Muffled,
    alarm::{TemperatureAlarm, deploy_alarm},
    city::{On, Shopping, Town, app, asset, instead_of, on_both_chains, quick_policy},
    gated::Gate,
};
use alloy::primitives::{Address, B256, Bytes, I256, U256, aliases::U96, keccak256};
use alloy::sol_types::SolStruct as _;
use guildhall::{
    city::CityConfig,
    demo::Liar,
    requester::{court, replay::replay, settle, verify::Claimed},
};
use guildhall_api::Envelope;
use guildhall_chain::{Call, CaseState, Key, SeedKind, Subject, bindings::Vault};
use guildhall_protocol::{Exit, Parameters, PoolId, Secs, UnixTime};
use guildhall_protocol::{
    list::{CLAIM_BARE, CLAIM_SHOWN_AGREEING},
    messages::{Commitment, RoundList, Signed, certifier_domain},
};
use guildhall_testkit::{
    beacon::{Manner, TestBeacon},
    checks,
};
use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

on_both_chains! {
    a_result_is_certified_verified_and_replayed;
    a_deal_is_drawn_with_a_public_beacon;
    a_photograph_is_classified_over_a_rented_model;
    many_tasks_of_a_c_program_in_one_batch;
    a_dissenter_is_slashed_into_escrow_and_the_escrow_is_paid_out;
    a_sponsor_pays_with_its_own_signature_only;
    a_batch_that_nobody_certifies_expires_and_is_refunded;
    bytes_that_nobody_serves_void_the_round_and_slash_nobody;
    a_stopped_city_goes_on_where_it_was;
    a_result_is_delivered_to_a_contract_that_acts_on_it;
    without_a_coordinator_workers_certify_on_chain;
    a_coordinator_that_forgets_commitments_costs_time_only;
    a_coordinator_that_keeps_contributions_to_itself_costs_time_only;
    who_is_certified_as_silent_shows_what_was_kept_back;
    who_signs_two_things_is_proven_and_slashed;
    a_coordinator_that_signs_two_lists_is_proven_by_its_members_and_the_round_goes_on;
    a_delivery_earns_its_tip_while_the_requester_has_it;
}

/// The city's workers keep machine code where all tests of large apps do: compiling the classifier takes a minute.
fn share_machine_code(config: &CityConfig) {
    let (shared, workers) =
        (concat!(env!("CARGO_TARGET_TMPDIR"), "/machine-code"), config.data.join("workers"));
    for dir in [Path::new(shared), &workers] {
        std::fs::create_dir_all(dir).expect("a directory");
    }
    std::os::unix::fs::symlink(shared, workers.join("machine-code")).expect("the city is new");
}

/// The app, model and photograph of the demonstration: a dataset is rented, read by every worker, and paid for.
async fn a_photograph_is_classified_over_a_rented_model(on: On) {
    // A wave in which a machine that is busy with other tests executes it, too.
    let patient = |known| Parameters { patience_base_secs: Secs(30), ..known };
    let town = Town::found_with(on, 3, |config| {
        share_machine_code(&config);
        CityConfig { parameters: patient(config.parameters), ..config }
    })
    .await;
    let wasm = app("image-class");
    town.city.make_ready(wasm.clone()).await.expect("compiled");
    let app = town.city.sell_app("image-class", wasm, U96::from(500)).await.expect("sold");
    let model = town.city.sell_dataset("open-nsfw", asset("open-nsfw.onnx"), U96::from(2_000)).await;
    let model = model.expect("rented out");
    let chain = &town.city.chain;
    let author = chain.balance(town.city.keys.author.address()).await.expect("a balance");
    let shopping = Shopping {
        inputs: vec![asset("photos/astronaut.png").into()],
        dataset: model.id,
        args: vec!["image-class".to_owned()],
        fuel_limit: 8_000_000_000,
        memory_limit: 1 << 30,
        ..Shopping::of(&[])
    };
    let told = town.certified(&app, shopping).await;
    let fetched = town.fetch(&told, 0).await;
    let output: serde_json::Value = serde_json::from_slice(&fetched.output).expect("a line of JSON");
    let score = output["score"].as_f64().expect("a score");
    // What onnxruntime gives for the same model and photograph.
    assert!((score - 0.032).abs() < 1e-3, "{score}");
    let verification = town.verify(&told, 0, &fetched).await;
    assert!(verification.holds(), "{verification:#?}");
    assert_eq!(verification.promises.len(), 3, "odds, operators, stake");
    let earned = chain.balance(town.city.keys.author.address()).await.expect("a balance").0 - author.0;
    assert!(earned >= alloy::primitives::U256::from(2_400), "app and model are paid: {earned}");
    checks::conserved(chain).await;
    town.city.stop().await;
}

async fn a_result_is_certified_verified_and_replayed(on: On) {
    let town = Town::found(on, 3, None).await;
    let told = town.certified(&town.hello, Shopping::of(&["hello, city", "hello, world"])).await;
    for (task, said) in [(0, "hello, city"), (1, "hello, world")] {
        let fetched = town.fetch(&told, task).await;
        assert_eq!(String::from_utf8_lossy(&fetched.output), said);
        let verification = town.verify(&told, task, &fetched).await;
        assert!(verification.holds(), "{verification:#?}");
        assert!(verification.checks.iter().all(|check| check.holds == Some(true)), "{verification:#?}");
    }
    tampering_is_named(&town, &told).await;
    let fetched = town.fetch(&told, 1).await;
    let (dir, url) = (town.dir().join("cache/replay"), town.city.coordinator_url());
    let blobs = guildhall::requester::store::reader(&dir, &url).await.expect("a store");
    let sandbox =
        guildhall_sandbox::Sandbox::new(guildhall_sandbox::Config { children: 0, ..Default::default() });
    let sandbox = Arc::new(sandbox.expect("a sandbox"));
    let certified = fetched.receipt.receipt;
    let replayed =
        replay(&town.city.chain, &*blobs, sandbox, &told.terms, 1, certified).await.expect("it runs");
    assert!(replayed.same(), "{replayed:?}");
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

/// Both kinds of chain have the precompiles that verify the beacon.
async fn a_deal_is_drawn_with_a_public_beacon(on: On) {
    let beacon = TestBeacon::new([9; 32], UnixTime(1_700_000_000), Secs(1), Secs(2), Secs(1));
    let server = beacon.serve(Manner::Honest).await.parse().expect("a URL");
    let town = Town::found_with(on, 3, |config| CityConfig {
        seed_kind: SeedKind::Beacon(beacon.beacon()),
        beacon: vec![server],
        parameters: Parameters { patience_base_secs: Secs(8), ..config.parameters },
        ..config
    })
    .await;
    let told = town.certified(&town.hello, Shopping::of(&["hello, beacon"])).await;
    let opened = told.terms.opened();
    let round = beacon.beacon().round_of(beacon.beacon().epoch_of(opened.time)).expect("a round");
    let expected = beacon.beacon().verify(round, &beacon.sign(round)).expect("genuine").seed;
    assert_eq!(town.city.chain.seed(&opened).await.expect("asked"), Some((expected, 3)));
    let fetched = town.fetch(&told, 0).await;
    assert!(town.verify(&told, 0, &fetched).await.holds());
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

/// Every lie about a result fails at the step that shows it.
async fn tampering_is_named(town: &Town, told: &guildhall::requester::history::History) {
    let honest = town.fetch(told, 0).await;
    let failed = async |told: &guildhall::requester::history::History, claimed: &Claimed<'_>| {
        let verification = guildhall::requester::verify::verify(&town.city.chain, told, claimed).await;
        let verification = verification.expect("the chain answers");
        assert!(!verification.holds());
        verification.failed().expect("a failed step").step
    };
    let claimed = Claimed { task: 0, receipt: &honest.receipt, output: &honest.output };
    assert_eq!(failed(told, &Claimed { output: b"something else", ..claimed.clone() }).await, "output");
    let mut receipt = honest.receipt.clone();
    receipt.receipt.exit = Exit::Trap;
    assert_eq!(failed(told, &Claimed { receipt: &receipt, ..claimed.clone() }).await, "receipt");
    let mut other = told.clone();
    other.certificates[0].certified.certificate.odds += 1;
    for event in &mut other.events {
        if let guildhall_chain::EventKind::Certifier(
            guildhall_chain::bindings::Certifier::CertifierEvents::Certified(event),
        ) = &mut event.kind
        {
            event.certificate.odds += 1;
        }
    }
    assert_eq!(failed(&other, &claimed).await, "certificate");
    let mut other = told.clone();
    other.terms.requester = Address::repeat_byte(1);
    assert_eq!(failed(&other, &claimed).await, "terms");
}

async fn many_tasks_of_a_c_program_in_one_batch(on: On) {
    let town = Town::found(on, 3, None).await;
    let wordcount = town.city.sell_app("wordcount", app("wordcount"), U96::ZERO).await.expect("sold");
    let texts: Vec<String> = (1..=40).map(|words| vec!["word"; words].join(" ")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let told = town.certified(&wordcount, Shopping { batch_size: 40, ..Shopping::of(&texts) }).await;
    for task in [0, 17, 39] {
        let fetched = town.fetch(&told, task).await;
        let words = (task + 1).to_string();
        let output = String::from_utf8_lossy(&fetched.output).into_owned();
        assert!(
            output.split(|c: char| !c.is_ascii_digit()).any(|number| number == words),
            "{words} in {output}"
        );
        assert!(town.verify(&told, task, &fetched).await.holds());
    }
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

async fn a_dissenter_is_slashed_into_escrow_and_the_escrow_is_paid_out(on: On) {
    // All six have a seat: five honest ones against one liar make 1,024 / 5, well above 99.
    let town = Town::found(on, 6, Some(instead_of(2, |honest| Arc::new(Liar(honest))))).await;
    let policy =
        guildhall_protocol::Policy { confidence: 99, replicasMin: 5, replicasMax: 6, ..quick_policy() };
    let told = town.certified(&town.hello, Shopping { policy, ..Shopping::of(&["the truth"]) }).await;
    let liar = town.city.keys.workers[2].address();
    let slashed: Vec<_> = told.slashes.iter().map(|slash| (slash.worker, slash.units > 0)).collect();
    assert_eq!(slashed, [(liar, true)]);
    let bond = town.city.chain.worker(liar).await.expect("the chain answers").expect("a worker").bond;
    assert_eq!(bond.0, 1_000_000 - told.slashes[0].units);
    let fetched = town.fetch(&told, 0).await;
    assert_eq!(fetched.output, b"the truth");
    assert!(town.verify(&told, 0, &fetched).await.holds());
    checks::conserved(&town.city.chain).await;
    let sender = town.city.requester();
    let early = settle::release(&town.city.chain, sender, &told, 0).await.expect_err("the window is open");
    assert_eq!(early.code(), "contract.too_early", "{early}");
    let certificate = told.certificate(0).expect("certified").certified.certificate;
    town.jump_to(certificate.finalAt + 1).await;
    let before = town.city.chain.burnt().await.expect("the chain answers").0;
    settle::release(&town.city.chain, sender, &told, 0).await.expect("the window is over");
    let burnt = town.city.chain.burnt().await.expect("the chain answers").0 - before;
    let fifth = guildhall_protocol::BondUnits(told.slashes[0].units).to_amount().0.div_ceil(U256::from(5));
    assert_eq!(burnt, fifth);
    let told = town.history(told.terms.deal()).await;
    assert_eq!(told.released, [0]);
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

async fn a_sponsor_pays_with_its_own_signature_only(on: On) {
    let town = Town::found(on, 3, None).await;
    let sponsor = town.city.keys.owner.clone();
    let before = town.city.chain.balance(sponsor.address()).await.expect("the chain answers").0;
    let shopping = Shopping { payer: Some(sponsor.clone()), ..Shopping::of(&["sponsored"]) };
    let told = town.certified(&town.hello, shopping).await;
    let after = town.city.chain.balance(sponsor.address()).await.expect("the chain answers").0;
    assert!(after < before, "{after} < {before}");
    assert_eq!(told.terms.payer, sponsor.address());
    // Somebody else's signature in the sponsor's place charges nobody.
    let stranger = Key::random();
    let mut forged = Shopping { payer: Some(stranger), ..Shopping::of(&["forged"]) };
    let refused = town.buy(&town.hello, forged.clone()).await.expect_err("a stranger without balance");
    assert!(refused.code().starts_with("vault.") || refused.code().starts_with("market."), "{refused}");
    forged.payer = None;
    town.buy(&town.hello, forged).await.expect("the requester pays for itself");
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

async fn a_batch_that_nobody_certifies_expires_and_is_refunded(on: On) {
    let mut town = Town::found(on, 3, None).await;
    for worker in 0..3 {
        town.city.switch_off(worker).await;
    }
    let requester = town.city.keys.requester.address();
    let before = town.city.chain.balance(requester).await.expect("the chain answers").0;
    let shopping = Shopping { deadline_secs: 15, ..Shopping::of(&["nobody is there"]) };
    let opened = town.buy(&town.hello, shopping).await.expect("the deal opens");
    let told = town.history(opened.deal).await;
    let locked = town.city.chain.balance(requester).await.expect("the chain answers").0;
    assert!(locked < before);
    let early =
        settle::expire(&town.city.chain, town.city.requester(), &told, 0).await.expect_err("there is time");
    assert_eq!(early.code(), "contract.too_early", "{early}");
    town.jump_to(opened.terms.deadline + 2).await;
    settle::expire(&town.city.chain, town.city.requester(), &told, 0).await.expect("the time is over");
    assert_eq!(town.city.chain.balance(requester).await.expect("the chain answers").0, before);
    assert_eq!(town.history(opened.deal).await.refunded, [0]);
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

/// The example of a consumer: it takes results of this requester, app and pool only, final, and keeps the last.
async fn a_result_is_delivered_to_a_contract_that_acts_on_it(on: On) {
    let town = Town::found(on, 3, None).await;
    let (chain, sender) = (&town.city.chain, town.city.requester());
    let alarm = deploy_alarm(&town).await;
    let reading = Bytes::copy_from_slice(&U256::from(3_150).to_be_bytes::<32>());
    let shopping = Shopping { inputs: vec![reading], callback: alarm, ..Shopping::of(&[]) };
    let told = town.certified(&town.hello, shopping).await;
    let fetched = town.fetch(&told, 0).await;
    let early = settle::deliver(chain, sender, &told, 0, &fetched).await.expect_err("the window is open");
    assert_eq!(early.code(), "contract.too_early", "{early}");
    town.jump_to(told.certificate(0).expect("certified").certified.certificate.finalAt + 1).await;
    let mut forged = fetched.clone();
    forged.output = U256::from(9_999).to_be_bytes::<32>().to_vec();
    let refused = settle::deliver(chain, sender, &told, 0, &forged).await.expect_err("other bytes");
    assert_eq!(refused.code(), "contract.wrong_receipt", "{refused}");
    settle::deliver(chain, sender, &told, 0, &fetched).await.expect("it is delivered");
    let kept = TemperatureAlarm::new(alarm, chain.provider()).centidegrees().call().await;
    assert_eq!(kept.expect("the chain answers"), I256::try_from(3_150).expect("small"));
    let twice = settle::deliver(chain, sender, &told, 0, &fetched).await.expect_err("delivered already");
    assert_eq!(twice.code(), "certifier.already_delivered", "{twice}");
    checks::conserved(chain).await;
    town.city.stop().await;
}

/// Somebody else delivers for the tip, while the requester has it; afterwards a delivery happens all the same.
async fn a_delivery_earns_its_tip_while_the_requester_has_it(on: On) {
    let town = Town::found(on, 3, None).await;
    let (chain, requester) = (&town.city.chain, town.city.keys.requester.address());
    let deliverer = town.city.keys.author.clone();
    let sender = chain.sender(deliverer.clone(), Default::default());
    let balance = async |account: Address| chain.balance(account).await.expect("the chain answers").0;
    let alarm = deploy_alarm(&town).await;
    let reading = |value: u64| Bytes::copy_from_slice(&U256::from(value).to_be_bytes::<32>());
    let tip = U96::from(7_000_000);
    let shopping = Shopping {
        inputs: vec![reading(3_150), reading(3_250)],
        batch_size: 2,
        callback: alarm,
        delivery_tip: tip,
        ..Shopping::of(&[])
    };
    let told = town.certified(&town.hello, shopping).await;
    assert_eq!(told.terms.deliveryTip, tip);
    town.jump_to(told.certificate(0).expect("certified").certified.certificate.finalAt + 1).await;
    let (has, had) = (balance(requester).await, balance(deliverer.address()).await);
    assert!(has >= U256::from(tip), "the requester has {has}");
    let expected = settle::tip_now(chain, &told.terms).await.expect("the chain answers");
    let first = town.fetch(&told, 0).await;
    let outcome = settle::deliver(chain, &sender, &told, 0, &first).await.expect("it is delivered");
    assert_eq!((settle::tip_of(chain, &outcome), expected), (expected, guildhall_protocol::Amount(tip.to())));
    assert_eq!(balance(deliverer.address()).await - had, U256::from(tip));
    assert_eq!(has - balance(requester).await, U256::from(tip));
    let rest = Vault::withdrawCall { amount: balance(requester).await, to: requester };
    let data = alloy::sol_types::SolCall::abi_encode(&rest).into();
    let call = Call { to: Some(chain.deployment().vault), data, value_wei: U256::ZERO };
    town.city.requester().send(call).await.expect("it is withdrawn");
    assert!(settle::tip_now(chain, &told.terms).await.expect("the chain answers").0.is_zero());
    let second = town.fetch(&told, 1).await;
    let outcome = settle::deliver(chain, &sender, &told, 0, &second).await.expect("it is delivered");
    assert!(settle::tip_of(chain, &outcome).0.is_zero());
    assert_eq!(balance(deliverer.address()).await - had, U256::from(tip));
    let kept = TemperatureAlarm::new(alarm, chain.provider()).centidegrees().call().await;
    assert_eq!(kept.expect("the chain answers"), I256::try_from(3_250).expect("small"));
    checks::conserved(chain).await;
    town.city.stop().await;
}

async fn a_stopped_city_goes_on_where_it_was(on: On) {
    let mut town = Town::found(on, 3, None).await;
    let (hello, pool) = (town.hello.clone(), town.city.pool);
    for worker in 0..3 {
        town.city.switch_off(worker).await;
    }
    let opened = town.buy(&hello, Shopping::of(&["before the night"])).await.expect("the deal opens");
    let town = town.restart().await;
    assert_eq!((&town.hello, town.city.pool), (&hello, pool));
    let told = town.settled(&opened).await;
    assert!(told.certificate(0).is_some(), "certified after the restart");
    let fetched = town.fetch(&told, 0).await;
    assert_eq!(fetched.output, b"before the night");
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

async fn a_coordinator_that_forgets_commitments_costs_time_only(on: On) {
    badly_coordinated(on, Habit::ForgetsCommitments).await;
}

async fn a_coordinator_that_keeps_contributions_to_itself_costs_time_only(on: On) {
    badly_coordinated(on, Habit::KeepsContributions).await;
}

/// Waves that a test waits for; the last quarter of one is longer than a block of anvil's.
fn short_waves(config: CityConfig) -> CityConfig {
    CityConfig { parameters: Parameters { patience_base_secs: Secs(6), ..config.parameters }, ..config }
}

/// Whatever the coordinator does with what it is told: workers go over the chain, a wave later.
async fn badly_coordinated(on: On, habit: Habit) {
    let shared = habit.clone();
    let muffled: guildhall::city::LinkWrap =
        Arc::new(move |_, link| Arc::new(Muffled { link, habit: shared.clone() }));
    let town =
        Town::found_with(on, 3, |config| CityConfig { link: Some(muffled), ..short_waves(config) }).await;
    // Low enough that a block that comes a wave late changes nothing.
    let policy = guildhall_protocol::Policy { confidence: 1, ..quick_policy() };
    let told = town.certified(&town.hello, Shopping { policy, ..Shopping::of(&["in spite of it"]) }).await;
    let on_chain = told.events.iter().filter(|event| event.name == "Committed").count();
    assert!(on_chain > 0, "nobody went over the chain: {habit:?}");
    let fetched = town.fetch(&told, 0).await;
    assert_eq!(fetched.output, b"in spite of it");
    assert!(town.verify(&told, 0, &fetched).await.holds());
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

/// The requester's input is nowhere to be had: every worker says so, the round is void, the money comes back.
async fn bytes_that_nobody_serves_void_the_round_and_slash_nobody(on: On) {
    let town = Town::found(on, 3, None).await;
    let (chain, requester) = (&town.city.chain, town.city.keys.requester.address());
    let before = chain.balance(requester).await.expect("the chain answers");
    let mut bonds = Vec::new();
    for key in &town.city.keys.workers {
        bonds.push(chain.worker(key.address()).await.expect("the chain answers").expect("a worker").bond);
    }
    let input = "an input of some length that is stored as a blob of its own";
    let ready =
        town.city.prepare(&town.purchase(&town.hello, Shopping::of(&[input]))).await.expect("prepared");
    let removed = remove_copies(town.dir(), input.as_bytes());
    assert!(removed > 0, "it was stored");
    let opened = town.city.open(&ready).await.expect("the deal opens");
    let told = town.settled(&opened).await;
    assert!(told.certificate(0).is_none());
    assert!(told.events.iter().any(|event| event.name == "RoundVoided"), "{:?}", told.refunded);
    assert_eq!(chain.balance(requester).await.expect("the chain answers"), before, "all of it came back");
    for (key, bond) in town.city.keys.workers.iter().zip(bonds) {
        let now = chain.worker(key.address()).await.expect("the chain answers").expect("a worker").bond;
        assert_eq!(now, bond, "nobody is slashed");
    }
    checks::conserved(chain).await;
    town.city.stop().await;
}

/// Removes every file under a directory that holds these bytes and nothing else.
fn remove_copies(dir: &std::path::Path, bytes: &[u8]) -> usize {
    let mut removed = 0;
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            removed += remove_copies(&path, bytes);
        } else if std::fs::read(&path).is_ok_and(|content| content == bytes) {
            std::fs::remove_file(&path).expect("it can be removed");
            removed += 1;
        }
    }
    removed
}

/// One member's contribution never arrives: it is certified as silent, shows on chain what it had committed to, and has its
/// stake back.
async fn who_is_certified_as_silent_shows_what_was_kept_back(on: On) {
    let kept = Arc::new(OnceLock::new());
    let habit = Habit::KeepsContributionsOf(kept.clone());
    let muffled: guildhall::city::LinkWrap =
        Arc::new(move |_, link| Arc::new(Muffled { link, habit: habit.clone() }));
    let gate = Gate::new();
    let wrap = Some(gate.wrap());
    let town = Town::found_with(on, 4, |config| CityConfig { link: Some(muffled), wrap, ..config }).await;
    // Three that agree, against one that is silent, are 12.8:1: all four are on the list.
    let policy = guildhall_protocol::Policy { confidence: 8, ..quick_policy() };
    let shopping = Shopping { policy, ..Shopping::of(&["kept back"]) };
    let opened = town.buy(&town.hello, shopping).await.expect("the deal opens");
    gate.executed(4).await;
    gate.open();
    let told = town.settled(&opened).await;
    let (chain, silent) = (&town.city.chain, *kept.get().expect("one was kept back"));
    let slashed = &told.certificate(0).expect("certified").certified.members;
    let slashed = slashed.iter().find(|member| member.worker == silent).expect("it was listed");
    assert_eq!(slashed.claim, CLAIM_BARE);
    town.until("it shows its contribution", async || {
        let subject =
            chain.subject(told.terms.deal(), 0).await.expect("the chain answers").expect("certified");
        let shown = subject.certified.members.iter().find(|member| member.worker == silent);
        shown.is_some_and(|member| member.claim == CLAIM_SHOWN_AGREEING)
    })
    .await;
    checks::conserved(chain).await;
    // Who disputes with what it read before disputes the certificate as it stands.
    let old =
        Subject { terms: told.terms, certified: told.certificate(0).expect("certified").certified.clone() };
    let says = keccak256("something else");
    let (case, _) =
        court::dispute(chain, town.city.requester(), &old, 0, says, town.dir()).await.expect("open");
    assert_eq!(chain.case_state(&case).await.expect("the chain answers"), CaseState::Open);
    town.city.stop().await;
}

/// A worker commits twice in one round: the coordinator has both signatures, and the worker's stake. A coordinator that signs two
/// lists for one wave loses the pool's deposit to whoever has both.
async fn who_signs_two_things_is_proven_and_slashed(on: On) {
    let gate = Gate::new();
    let town = Town::found(on, 3, Some(gate.wrap())).await;
    let opened = town.buy(&town.hello, Shopping::of(&["twice"])).await.expect("the deal opens");
    gate.executed(1).await;
    let client = guildhall_api::CoordinatorClient::new(&town.city.coordinator_url()).expect("a URL");
    let rounds = client.rounds_of(opened.deal).await.expect("it is gathered");
    let (round, key) = (&rounds[0], &town.city.keys.workers[0]);
    let (chain, worker) = (&town.city.chain, key.address());
    let domain = certifier_domain(chain.deployment().chain_id, chain.deployment().certifier);
    let before = chain.worker(worker).await.expect("the chain answers").expect("a worker").bond;
    for salt in [1, 2] {
        let message =
            Commitment { roundId: round.round.id.0, wave: round.wave, commitment: B256::repeat_byte(salt) };
        let signature = key.sign(message.eip712_signing_hash(&domain)).expect("a key signs");
        let signed = Signed { message, signature };
        let said = client.commit(&Envelope { round: round.round, worker, signed }).await;
        assert_eq!(said.is_ok(), salt == 1, "{said:?}");
    }
    town.until("its stake is gone", async || {
        chain.worker(worker).await.expect("the chain answers").expect("a worker").bond < before
    })
    .await;
    let (pool, coordinator) = (PoolId(1), &town.city.keys.coordinator);
    let deposit = chain.pool_details(pool).await.expect("the chain answers").deposit;
    let [first, second] = [3, 4].map(|salt| {
        let message = RoundList { roundId: round.round.id.0, wave: 0, listHash: B256::repeat_byte(salt) };
        let signature = coordinator.sign(message.eip712_signing_hash(&domain)).expect("a key signs");
        Signed { message, signature }
    });
    let call = chain.double_list_call(coordinator.address(), round.round.id, (&first, &second));
    town.city.requester().send(call).await.expect("a proof");
    assert!(chain.pool_details(pool).await.expect("the chain answers").deposit < deposit);
    gate.open();
    checks::conserved(chain).await;
    town.city.stop().await;
}

/// Members hear two lists of one wave: they go on with the first, and take both to the chain by themselves.
async fn a_coordinator_that_signs_two_lists_is_proven_by_its_members_and_the_round_goes_on(on: On) {
    let key = Arc::new(OnceLock::new());
    let habit = Habit::SignsTwoLists(key.clone());
    let twofold: guildhall::city::LinkWrap =
        Arc::new(move |_, link| Arc::new(Muffled { link, habit: habit.clone() }));
    let town = Town::found_with(on, 3, |config| CityConfig { link: Some(twofold), ..config }).await;
    let chain = &town.city.chain;
    let domain = certifier_domain(chain.deployment().chain_id, chain.deployment().certifier);
    key.set((town.city.keys.coordinator.clone(), domain)).expect("set once");
    let deposit = async || chain.pool_details(PoolId(1)).await.expect("the chain answers").deposit;
    let before = deposit().await;
    let told = town.certified(&town.hello, Shopping::of(&["twofold"])).await;
    let fetched = town.fetch(&told, 0).await;
    assert!(town.verify(&told, 0, &fetched).await.holds(), "one list is enough for a certificate");
    town.until("its deposit is gone", async || deposit().await < before).await;
    checks::conserved(chain).await;
    town.city.stop().await;
}

/// The coordinator is gone between the executions and the commitments: workers commit, reveal and certify on chain, and the
/// result is there once it is back.
async fn without_a_coordinator_workers_certify_on_chain(on: On) {
    let gate = Gate::new();
    let wrap = Some(gate.wrap());
    let mut town = Town::found_with(on, 3, |config| CityConfig { wrap, ..short_waves(config) }).await;
    // Low enough that a block that comes a wave late changes nothing.
    let policy = guildhall_protocol::Policy { confidence: 3, ..quick_policy() };
    let shopping = Shopping { policy, ..Shopping::of(&["on our own"]) };
    let opened = town.buy(&town.hello, shopping).await.expect("the deal opens");
    gate.executed(3).await;
    town.city.coordinator_off().await;
    gate.open();
    let told = town.settled(&opened).await;
    let certified = &told.certificate(0).expect("certified").certified;
    assert_eq!(certified.certificate.seats, 3);
    assert!(!certified.trail.0.wrapping_shr(40).is_zero(), "all of it stood on chain");
    let count = |name| told.events.iter().filter(|event| event.name == name).count();
    assert_eq!((count("Committed"), count("Revealed")), (3, 3));
    checks::conserved(&town.city.chain).await;
    town.city.coordinator_on().await.expect("it starts where it was");
    let fetched = town.fetch(&told, 0).await;
    assert_eq!(fetched.output, b"on our own");
    let verification = town.verify(&told, 0, &fetched).await;
    assert!(verification.holds() && verification.not_checked() == 0, "{verification:#?}");
    let told = certified_by_all(&town, "together again").await;
    assert!(told.events.iter().all(|event| event.name != "Committed"), "nothing more on chain");
    town.city.stop().await;
}

async fn certified_by_all(town: &Town, input: &str) -> guildhall::requester::history::History {
    town.certified(&town.hello, Shopping::of(&[input])).await
}

/// A transaction that the vault refuses leaves every balance as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overdraft_is_refused_with_its_values() {
    let town = Town::found(On::Embedded, 1, None).await;
    let call = Vault::withdrawCall { amount: U256::MAX >> 1, to: town.city.keys.requester.address() };
    let call = alloy::sol_types::SolCall::abi_encode(&call);
    let to = Some(town.city.chain.deployment().vault);
    let refused = town.city.requester().send(Call { to, data: call.into(), value_wei: U256::ZERO }).await;
    let refused = guildhall::error::Failure::from(refused.expect_err("too much"));
    assert_eq!(refused.code(), "vault.balance_too_low", "{refused}");
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}
