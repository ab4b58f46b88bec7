//! Rounds of a public beacon: verified as the contract verifies them, and fetched from servers that lie.

use std::sync::Arc;

use alloy::{
    primitives::{B256, U256, b256, hex},
    providers::Provider as _,
};
use guildhall_chain::{
    Beacon, BeaconSource, ChainClient, DeployOptions, Deployment, Endpoint, Key, RpcPolicy, SeedKind, Sender,
    SenderPolicy, bindings::BeaconSeed, deploy,
};
use guildhall_ledger::{Clock, Genesis, Ledger, LedgerConfig, SealMode};
use guildhall_protocol::{Opened, OpenedWord, Parameters, Secs, Seed, UnixTime};
use guildhall_service::Coded;
use guildhall_testkit::beacon::{Manner, TestBeacon};

/// Round, signature and randomness as quicknet published them.
const PUBLISHED: [(u64, [u8; 48], B256); 2] = [
    (
        123,
        hex!(
            "b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482e26cd02df835d3546d23c4b13e0dfc92"
        ),
        b256!("0xfb8f7bc29bf24db51871ec8c79f3a1e4bd0557bc0dfcee9ed1d924e69d1c60dc"),
    ),
    (
        657_413,
        hex!(
            "b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b"
        ),
        b256!("0xfc1873a13f3545aeade8401532ef5519920652eee6b0d2b19ca12643b87b3587"),
    ),
];

fn test_beacon() -> TestBeacon {
    TestBeacon::new([7; 32], UnixTime(1_699_000_000), Secs(3), Secs(6), Secs(4))
}

#[test]
fn published_rounds_verify_and_others_do_not() {
    let quicknet = Beacon::QUICKNET;
    for (round, signature, randomness) in PUBLISHED {
        assert_eq!(quicknet.verify(round, &signature).expect("genuine").seed, Seed(randomness));
        assert_eq!(quicknet.verify(round + 1, &signature), None, "another round");
        assert_eq!(quicknet.verify(round, &test_beacon().sign(round)), None, "another's");
        let mut moved = signature;
        // The flag that chooses between a point and its opposite.
        moved[0] ^= 0x20;
        assert_eq!(quicknet.verify(round, &moved), None, "the opposite point");
        assert_eq!(quicknet.verify(round, &signature[..47]), None, "too short");
    }
    let mut infinity = [0; 48];
    infinity[0] = 0xc0;
    assert_eq!(quicknet.verify(123, &infinity), None, "infinity");
}

#[test]
fn an_epoch_uses_the_first_round_after_its_margin() {
    let beacon = test_beacon().beacon();
    for time in 1_700_000_000..1_700_000_100 {
        let epoch = beacon.epoch_of(UnixTime(time));
        let earliest = (epoch + 1) * 6 + 4;
        let emitted = beacon.emitted(beacon.round_of(epoch).expect("after its genesis")).0;
        assert!((earliest..earliest + 3).contains(&emitted), "{time}: {emitted} from {earliest}");
        assert!(emitted - time <= beacon.longest_wait().0, "{time}: {emitted}");
    }
    assert_eq!(beacon.round_of(0), None);
    assert_eq!(beacon.round_of(u64::MAX), None);
}

async fn source(beacon: &TestBeacon, manners: &[Manner]) -> BeaconSource {
    let mut servers = Vec::new();
    for manner in manners {
        servers.push(beacon.serve(*manner).await.parse().expect("a URL"));
    }
    BeaconSource::new(servers).expect("a source")
}

#[tokio::test]
async fn a_liar_is_passed_over_and_the_next_server_asked() {
    let beacon = test_beacon();
    let lies = [Manner::Down, Manner::AnotherRound, Manner::Forged, Manner::Huge, Manner::Silent];
    for lie in lies {
        let asked = source(&beacon, &[lie, Manner::Honest]).await;
        let found = asked.round(&beacon.beacon(), 9).await.expect("the second answers").expect("emitted");
        assert_eq!(Some(found), beacon.beacon().verify(9, &beacon.sign(9)), "{lie:?}");
    }
}

#[tokio::test]
async fn without_an_honest_server_the_error_names_what_each_said() {
    let beacon = test_beacon();
    let asked = source(&beacon, &[Manner::Down, Manner::AnotherRound, Manner::Forged, Manner::Huge]).await;
    let error = asked.round(&beacon.beacon(), 9).await.expect_err("nobody has it");
    assert_eq!(error.code(), "beacon.unavailable");
    for part in ["round 9", "status 500", "gave round 10", "not the beacon's", "more than 4096 bytes"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn a_round_that_is_not_emitted_is_not_asked_for() {
    let future = TestBeacon::new([7; 32], UnixTime(u64::MAX / 2), Secs(3), Secs(6), Secs(4));
    let asked = source(&future, &[Manner::Down]).await;
    assert_eq!(asked.round(&future.beacon(), 9).await, Ok(None));
}

#[test]
fn servers_are_web_addresses_and_few() {
    assert_eq!(BeaconSource::new(vec![]).expect_err("none").code(), "beacon.servers");
    let file = "file:///etc/passwd".parse().expect("a URL");
    assert_eq!(BeaconSource::new(vec![file]).expect_err("a file").code(), "beacon.url");
}

/// A ledger with its clock in the tests' hands, an endpoint to it and a sender.
fn ledger(key: &Key) -> (Ledger, Endpoint, Sender) {
    let genesis = Genesis::new(7_777, 1_700_000_000).fund(key.address(), U256::from(10).pow(U256::from(21)));
    let config = LedgerConfig { clock: Clock::Manual, ..LedgerConfig::new(genesis) };
    let ledger = Ledger::open(config.sealing(SealMode::Instant { idle: None })).expect("open");
    let endpoint = Endpoint::from_transport(ledger.transport(), "ledger", true, RpcPolicy::default())
        .with_heads(ledger.subscribe_heads());
    let sender = Sender::start(&endpoint, key.clone(), SenderPolicy::default());
    (ledger, endpoint, sender)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beacon_is_drawn_off_chain_and_pinned_for_those_who_cannot_ask_it() {
    let dir = tempfile::tempdir().expect("temp dir");
    let key = Key::random();
    let (ledger, endpoint, sender) = ledger(&key);
    let beacon = test_beacon();
    let options = DeployOptions { seed_kind: SeedKind::Beacon(beacon.beacon()), ..DeployOptions::default() };
    let deployment =
        deploy(&endpoint, &sender, &options, &dir.path().join("deployment.json")).await.expect("deploy");
    let longer = Beacon { epoch_secs: Secs(7), ..beacon.beacon() };
    let wrong = Deployment { seed_kind: SeedKind::Beacon(longer), ..deployment.clone() };
    assert_eq!(wrong.check(&endpoint).await.expect_err("other epochs").code(), "deploy.wiring");

    let blind = ChainClient::open(endpoint, deployment).await.expect("open");
    let asked = Arc::new(source(&beacon, &[Manner::Honest]).await);
    let seeing = blind.clone().with_beacon(Some(asked));
    let head = ledger.head();
    let opened =
        Opened { block: head.number, time: UnixTime(head.timestamp), ..OpenedWord::default().unpack() };
    let epoch = beacon.beacon().epoch_of(opened.time);
    let round = beacon.beacon().round_of(epoch).expect("a round");
    let expected = beacon.beacon().verify(round, &beacon.sign(round)).expect("genuine").seed;

    assert_eq!(seeing.drawn_seed(&opened).await.expect("asked"), Some(expected));
    assert_eq!(blind.drawn_seed(&opened).await.expect("asked"), None);
    assert!(blind.seed_to_write(&opened).await.expect("asked").is_none(), "nothing that it can do");
    let call = seeing.seed_to_write(&opened).await.expect("asked").expect("to do");
    let early = sender.send(call.clone()).await.expect_err("deals can still open in the epoch");
    assert!(early.to_string().contains("EpochNotOver"), "{early}");
    ledger.advance_time(6).await.expect("time passes");
    ledger.seal().await.expect("a block of that time");
    sender.send(call).await.expect("pinned");
    assert_eq!(blind.seed(&opened).await.expect("asked"), Some((expected, 3)));
    assert_eq!(blind.drawn_seed(&opened).await.expect("asked"), Some(expected));
    assert!(seeing.seed_to_write(&opened).await.expect("asked").is_none());
    rust_and_solidity_agree(&blind, &beacon).await;
}

/// The contract answers for its epochs what Rust does.
async fn rust_and_solidity_agree(chain: &ChainClient, beacon: &TestBeacon) {
    let contract = BeaconSeed::new(chain.deployment().seed, chain.provider().clone());
    let now = chain.provider().get_block_number().await.expect("a block");
    for time in [1_699_000_000_u64, 1_700_000_003 + now, 4_000_000_001] {
        let epoch = beacon.beacon().epoch_of(UnixTime(time));
        assert_eq!(contract.epochOf(U256::from(time)).call().await.expect("asked"), U256::from(epoch));
        let round = contract.roundOf(U256::from(epoch)).call().await.expect("asked");
        assert_eq!(Some(round), beacon.beacon().round_of(epoch).map(U256::from), "{time}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_that_ends_before_the_seed_comes_is_refused() {
    let dir = tempfile::tempdir().expect("temp dir");
    let key = Key::random();
    let (_ledger, endpoint, sender) = ledger(&key);
    let options = DeployOptions {
        seed_kind: SeedKind::Beacon(test_beacon().beacon()),
        parameters: Parameters { patience_base_secs: Secs(13), ..Parameters::default() },
        ..DeployOptions::default()
    };
    let refused = deploy(&endpoint, &sender, &options, &dir.path().join("deployment.json")).await;
    assert_eq!(refused.expect_err("13 s").code(), "deploy.patience");
}
