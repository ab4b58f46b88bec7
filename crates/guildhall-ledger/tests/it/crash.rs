//! Killed at any moment, the chain has every transaction that it acknowledged.

use crate::common::*;
use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider,
};
use guildhall_ledger::Ledger;
use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

const PATH: &str = "GUILDHALL_CRASH_TEST_PATH";

/// The process that is killed: sends transactions for ever and says which were acknowledged.
#[test]
#[ignore = "runs as the child of the test below"]
fn child() {
    let path = PathBuf::from(std::env::var_os(PATH).expect("started by the parent"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let ledger = Ledger::open(config().at(path)).unwrap();
        let provider = ledger.provider();
        let mut nonces = Vec::new();
        for i in 0..4 {
            nonces.push(provider.get_transaction_count(key(i).address()).await.unwrap());
        }
        loop {
            let round = (0..4).map(|i| {
                let tx = send(&key(i), nonces[i as usize], Address::repeat_byte(0x42), 1);
                let ledger = ledger.clone();
                async move { ledger.submit(&tx).await.unwrap() }
            });
            for hash in futures::future::join_all(round).await {
                let mut out = std::io::stdout().lock();
                writeln!(out, "ack {hash}").unwrap();
                out.flush().unwrap();
            }
            nonces.iter_mut().for_each(|nonce| *nonce += 1);
        }
    });
}

#[tokio::test]
async fn killed_at_random_nothing_acknowledged_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.redb");
    let mut acknowledged: Vec<B256> = Vec::new();
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::child", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(PATH, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let stop = acknowledged.len() + 20 + rand::random_range(0..150);
        let mut lines = lines.map_while(Result::ok);
        for line in lines.by_ref() {
            if let Some(at) = line.find("ack ") {
                acknowledged.push(line[at + 4..].parse().unwrap());
            }
            if acknowledged.len() >= stop {
                break;
            }
        }
        assert!(acknowledged.len() >= stop, "the child ended by itself in round {round}");
        child.kill().unwrap();
        child.wait().unwrap();
        // What it managed to say before it died was acknowledged too; the last line may be cut.
        let rest = lines.filter_map(|line| line.strip_prefix("ack ")?.parse::<B256>().ok());
        acknowledged.extend(rest);
        check(&path, &acknowledged).await;
    }
}

async fn check(path: &std::path::Path, acknowledged: &[B256]) {
    let ledger = Ledger::open(config().at(path)).unwrap();
    let provider = ledger.provider();
    for hash in acknowledged {
        let receipt = provider.get_transaction_receipt(*hash).await.unwrap();
        assert!(receipt.is_some_and(|receipt| receipt.status()), "{hash} was acknowledged and is lost");
    }
    let balance = provider.get_balance(Address::repeat_byte(0x42)).await.unwrap();
    assert!(balance >= U256::from(acknowledged.len()));
    let mut sealed = 0;
    let mut parent = ledger.block(0).unwrap().hash;
    for number in 1..=ledger.head().number {
        let block = ledger.block(number).unwrap();
        assert_eq!(block.header.parent_hash, parent);
        parent = block.hash;
        sealed += block.transactions.len();
    }
    assert_eq!(balance, U256::from(sealed), "state and blocks agree");
    ledger.close().await;
}
