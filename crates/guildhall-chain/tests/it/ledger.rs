//! The client on the embedded chain: deployment, reads, sending, following.

use std::time::Duration;

use alloy::{
    consensus::BlockHeader as _,
    primitives::{Address, U256},
    providers::Provider as _,
};
use guildhall_chain::{
    Call, ChainClient, Cursor, DeployOptions, Deployment, Endpoint, EventKind, Key, RpcPolicy, SeedKind,
    Sender, SenderPolicy, Update, bindings::Vault::VaultEvents, deploy,
};
use guildhall_ledger::{Genesis, Ledger, LedgerConfig, SealMode};
use guildhall_protocol::{Amount, Opened, OpenedWord, Parameters, PoolId, Seed, UnixTime};
use guildhall_service::Coded;

pub(crate) fn ledger(key: &Key, seal: SealMode) -> Ledger {
    let genesis = Genesis::new(7_777, 1_700_000_000).fund(key.address(), U256::from(10).pow(U256::from(21)));
    Ledger::open(LedgerConfig::new(genesis).sealing(seal)).expect("open")
}

fn endpoint(ledger: &Ledger) -> Endpoint {
    Endpoint::from_transport(ledger.transport(), "ledger", true, RpcPolicy::default())
        .with_heads(ledger.subscribe_heads())
}

fn sender(endpoint: &Endpoint, key: &Key) -> Sender {
    Sender::start(endpoint, key.clone(), SenderPolicy::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_made_checked_and_used() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("deployment.json");
    let key = Key::random();
    let ledger = ledger(&key, SealMode::Instant { idle: None });
    let endpoint = endpoint(&ledger);
    let sender = sender(&endpoint, &key);
    let options = DeployOptions::default();
    let deployment = deploy(&endpoint, &sender, &options, &path).await.expect("deploy");
    assert_eq!(Deployment::load(&path).expect("load"), deployment);
    // Once more: nothing is sent.
    let before = ledger.head().number;
    assert_eq!(deploy(&endpoint, &sender, &options, &path).await.expect("again"), deployment);
    assert_eq!(ledger.head().number, before);

    let chain = ChainClient::open(endpoint.clone(), deployment.clone()).await.expect("open");
    assert_eq!(chain.parameters().await.expect("parameters"), (1, Parameters::default()));
    assert_eq!(chain.minimum_bond().await.expect("bond"), options.minimum_bond);
    assert_eq!(chain.pool(PoolId(1)).await.expect("pool"), None);
    assert_eq!(chain.worker(Address::ZERO).await.expect("worker"), None);
    money_moves(&chain, &sender).await;

    let wrong = Deployment { market: deployment.vault, ..deployment.clone() };
    let error = wrong.check(&endpoint).await.expect_err("wiring");
    assert_eq!(error.code(), "deploy.wiring");
    let wrong = Deployment { registry: Address::repeat_byte(1), ..deployment.clone() };
    assert_eq!(wrong.check(&endpoint).await.expect_err("no code").code(), "deploy.no_code");
    let wrong = Deployment { chain_id: 1, ..deployment };
    assert_eq!(wrong.check(&endpoint).await.expect_err("chain").code(), "deploy.wrong_chain");
}

/// Mints, approves and deposits; the follower sees the deposit, and too much is refused in words.
async fn money_moves(chain: &ChainClient, sender: &Sender) {
    let (me, amount) = (sender.account(), U256::from(1_000));
    let (token, vault) = (chain.token(), chain.vault());
    let to = |to, data| Call { to: Some(to), data, value_wei: U256::ZERO };
    let mint = token.mint(me, amount).calldata().clone();
    sender.send(to(*token.address(), mint)).await.expect("mint");
    let approve = token.approve(*vault.address(), amount).calldata().clone();
    sender.send(to(*token.address(), approve)).await.expect("approve");
    let mut follower = chain.follow(Cursor::at(chain.deployment().block), &[]);
    let deposit = vault.deposit(me, amount).calldata().clone();
    let outcome = sender.send(to(*vault.address(), deposit)).await.expect("deposit");
    assert_eq!(chain.balance(me).await.expect("balance"), Amount(amount));
    assert_eq!(chain.tokens(me).await.expect("tokens"), Amount::ZERO);
    let seen = async {
        loop {
            if let Some(Update::Event(event)) = follower.next().await
                && let EventKind::Vault(VaultEvents::Deposited(deposit)) = event.kind
            {
                return (deposit.amount, event.position.block.number, event.position.transaction);
            }
        }
    };
    let seen = tokio::time::timeout(Duration::from_secs(20), seen).await.expect("in time");
    assert_eq!(seen, (amount, outcome.block, outcome.hash));
    let withdraw = vault.withdraw(amount + U256::ONE, me).calldata().clone();
    let error = sender.send(to(*vault.address(), withdraw)).await.expect_err("too much");
    assert_eq!(error.code(), "vault.balance_too_low");
    assert!(error.to_string().contains("balance: 1000, needed: 1001"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_deployment_goes_on() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("deployment.json");
    let key = Key::random();
    let ledger = ledger(&key, SealMode::Manual);
    let endpoint = endpoint(&ledger);
    let (first, options) = (sender(&endpoint, &key), DeployOptions::default());
    let interrupted = deploy(&endpoint, &first, &options, &path);
    let sealing = async {
        // Three contracts get into blocks, the fourth is on its way.
        while ledger.head().number < 3 {
            ledger.seal().await.expect("seal");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        done = interrupted => panic!("it ended before it was interrupted: {done:?}"),
        () = sealing => {}
    }
    drop(first);
    assert!(!path.exists());
    let sealer = ledger.clone();
    let sealing = tokio::spawn(async move {
        loop {
            sealer.seal().await.expect("seal");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let second = sender(&endpoint, &key);
    let deployment = deploy(&endpoint, &second, &options, &path).await.expect("goes on");
    sealing.abort();
    deployment.check(&endpoint).await.expect("whole");
    assert_eq!(std::fs::read_dir(dir.path()).expect("read dir").count(), 1);
}

/// What opened in the last block.
fn opened_now(ledger: &Ledger) -> Opened {
    let head = ledger.head();
    Opened { block: head.number, time: UnixTime(head.timestamp), ..OpenedWord::default().unpack() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prevrandao_is_drawn_from_the_next_header_and_proven_on_chain() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("deployment.json");
    let key = Key::random();
    let ledger = ledger(&key, SealMode::Instant { idle: None });
    let endpoint = endpoint(&ledger);
    let sender = sender(&endpoint, &key);
    let options = DeployOptions { seed_kind: SeedKind::Prevrandao, ..DeployOptions::default() };
    let deployment = deploy(&endpoint, &sender, &options, &path).await.expect("deploy");
    let wrong = Deployment { seed_kind: SeedKind::BlockHash, ..deployment.clone() };
    assert_eq!(wrong.check(&endpoint).await.expect_err("another kind").code(), "deploy.wiring");

    let chain = ChainClient::open(endpoint, deployment).await.expect("open");
    let opening = opened_now(&ledger);
    assert_eq!(chain.drawn_seed(&opening).await.expect("asked"), None, "not decided before the next block");
    ledger.seal().await.expect("seal");
    let next = chain
        .provider()
        .get_block_by_number((opening.block + 1).into())
        .await
        .expect("asked")
        .expect("there");
    let drawn = chain.drawn_seed(&opening).await.expect("asked");
    assert_eq!(drawn, next.header.mix_hash().map(Seed));
    assert_eq!(chain.seed(&opening).await.expect("asked"), None, "nobody has proven it");
    let call = chain.seed_to_write(&opening).await.expect("asked").expect("to do");
    sender.send(call).await.expect("proven");
    assert_eq!(chain.seed(&opening).await.expect("asked"), drawn.map(|seed| (seed, 2)));
    assert!(chain.seed_to_write(&opening).await.expect("asked").is_none());
}
