//! A client that web pages use, as they use it: viem, over HTTP and WebSocket.
//!
//! Needs the contracts' tools, which `make setup` installs.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod common;

use alloy::primitives::{Address, U256, hex};
use common::*;
use guildhall_ledger::Ledger;
use serde_json::Value;
use std::process::{Command, Output};

/// Ends with the standard output of a command that must succeed.
fn said(output: &Output, what: &str) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {error}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A key as the script wants it: it guards test money only.
fn secret(seed: u64) -> String {
    hex::encode_prefixed(key(seed).to_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viem_sends_reads_and_watches_over_http_and_websocket() {
    let ledger = Ledger::open(config()).unwrap();
    let server = ledger.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.addr.to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/viem.mjs");
    let told = tokio::task::spawn_blocking(move || {
        let output = Command::new("node")
            .arg(script)
            .args([node_modules().display().to_string(), address, secret(0)])
            .arg(hex::encode_prefixed(token_code()))
            .output()
            .unwrap();
        said(&output, "viem")
    });
    let told: Value = serde_json::from_str(&told.await.unwrap()).unwrap();
    let you = Address::repeat_byte(5);
    assert_eq!(told["chainId"], CHAIN_ID);
    assert_eq!(told["balance"], ether(1).to_string());
    assert_eq!(told["tokens"], "400");
    assert_eq!(told["watched"], serde_json::json!([{ "to": you.to_string(), "value": "400" }]));
    assert!(told["heads"].as_u64().unwrap() > 0, "{told}");
    assert!(told["refused"].as_str().unwrap().contains("revert"), "{told}");
    assert!(told["proof"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(ledger.head().number, 3);
    assert!(U256::from(told["estimate"].as_u64().unwrap()) > U256::from(21_000), "{told}");
    server.stop().await;
    ledger.close().await;
}
