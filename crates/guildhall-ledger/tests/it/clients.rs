//! Clients as people use them: viem, as web pages do, over HTTP and WebSocket; `cast` in a shell, over HTTP.
//!
//! Needs the contracts' tools, which `make setup` installs.

use crate::common::*;
use alloy::primitives::{Address, B256, U256, hex};
use guildhall_ledger::Ledger;
use serde_json::{Value, json};
use std::process::{Command, Output};
use tempfile::TempDir;

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
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients/viem.mjs");
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
    assert_eq!(told["batched"], 1_000);
    assert_eq!(told["filled"], serde_json::json!({ "nonce": 3, "gas": told["estimate"] }));
    assert_eq!(told["simulated"], serde_json::json!(["success", "failure"]));
    assert_eq!(told["changes"], serde_json::json!(["-400"]));
    assert_eq!(told["slots"], serde_json::json!([slot(400)]));
    assert_eq!(told["bySender"], told["byHash"]);
    assert!(U256::from(told["estimate"].as_u64().unwrap()) > U256::from(21_000), "{told}");
    server.stop().await;
    ledger.close().await;
}

/// `cast`, in a home of its own: it keeps what it fetched between runs.
struct Cast {
    url: String,
    home: TempDir,
}

impl Cast {
    fn run(&self, args: &[&str]) -> Output {
        Command::new(foundry("cast"))
            .args(args)
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("ETH_RPC_URL", &self.url)
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .unwrap()
    }

    fn says(&self, args: &[&str]) -> String {
        said(&self.run(args), &format!("cast {}", args.join(" ")))
    }

    fn json(&self, args: &[&str]) -> Value {
        let text = self.says(&[args, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("cast {}: {e} in {text:?}", args.join(" ")))
    }

    /// The receipt of a transaction that it signs and sends.
    fn send(&self, args: &[&str]) -> Value {
        let secret = secret(0);
        // The flags first: what follows `--create` is the code and its arguments.
        let text = self.says(&[&["send", "--json", "--private-key", &secret], args].concat());
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e} in {text:?}"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cast_sends_deploys_reads_proves_and_traces() {
    let ledger = Ledger::open(config()).unwrap();
    let server = ledger.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let cast = Cast { url: format!("http://{}", server.addr), home: tempfile::tempdir().unwrap() };
    tokio::task::spawn_blocking(move || {
        cast_looks_around(&cast);
        let token = cast_sends(&cast);
        cast_reads_a_contract(&cast, &token);
        cast_looks_at_a_transaction(&cast, &token);
        cast_is_refused(&cast, &token);
    })
    .await
    .unwrap();
    assert_eq!(ledger.head().number, 3);
    server.stop().await;
    ledger.close().await;
}

const YOU: Address = Address::repeat_byte(5);

fn cast_looks_around(cast: &Cast) {
    let me = key(0).address().to_string();
    assert_eq!(cast.says(&["chain-id"]), CHAIN_ID.to_string());
    assert_eq!(cast.says(&["block-number"]), "0");
    assert_eq!(cast.says(&["balance", &me]), ether(1_000).to_string());
    assert_eq!(cast.says(&["nonce", &me]), "0");
    assert_eq!(cast.says(&["base-fee"]), "1000000000");
    assert_eq!(cast.says(&["gas-price"]), "875000001", "an empty block lowers the base fee by an eighth");
    assert_eq!(cast.says(&["estimate", &me, "--from", &me, "--value", "1"]), "21000");
    assert!(cast.says(&["client"]).ends_with("(one machine, not a network)"));
    assert_eq!(cast.says(&["rpc", "eth_getUncleCountByBlockNumber", "latest"]), "\"0x0\"");
    assert_eq!(cast.json(&["block", "0"])["number"], "0x0");
}

/// A transfer, a creation and a call; returns the token's address.
fn cast_sends(cast: &Cast) -> String {
    let you = YOU.to_string();
    let receipt = cast.send(&[&you, "--value", "1ether"]);
    assert_eq!((&receipt["status"], &receipt["gasUsed"]), (&json!("0x1"), &json!("0x5208")));
    assert_eq!(cast.says(&["balance", &you, "--ether"]), "1.000000000000000000");
    let receipt = cast.send(&["--create", &hex::encode_prefixed(token_code())]);
    assert_eq!(receipt["status"], "0x1");
    let token = receipt["contractAddress"].as_str().unwrap().to_owned();
    let receipt = cast.send(&[&token, "transfer(address,uint256)", &you, "400"]);
    assert_eq!((&receipt["status"], receipt["logs"].as_array().unwrap().len()), (&json!("0x1"), 1));
    token
}

fn cast_reads_a_contract(cast: &Cast, token: &str) {
    let you = YOU.to_string();
    let balance_of = ["call", token, "balanceOf(address)(uint256)", &you];
    assert_eq!(cast.says(&balance_of), "400");
    assert_eq!(cast.says(&[&balance_of[..], &["--block", "2"]].concat()), "0", "before the transfer");
    assert!(cast.says(&["code", token]).len() > 200);
    let slot = mapped(0, U256::from_be_bytes(YOU.into_word().0)).to_string();
    assert_eq!(cast.says(&["storage", token, &slot]), B256::from(U256::from(400)).to_string());
    let proof = cast.json(&["proof", token, &slot]);
    assert_eq!(proof["storageProof"][0]["value"], "0x190");
    assert_eq!(proof["storageHash"].as_str(), Some(cast.says(&["storage-root", token]).as_str()));
    let transfer = ["transfer(address,uint256)", &you, "1"];
    let from = key(0).address().to_string();
    let gas = cast.says(&[&["estimate", token, "--from", &from], &transfer[..]].concat());
    assert!(gas.parse::<u64>().unwrap() > 21_000, "{gas}");
    let list = cast.says(&[&["access-list", token, "--from", &from], &transfer[..]].concat());
    assert!(list.to_lowercase().contains(&token.to_lowercase()), "{list}");
    let event = "Transfer(address indexed from, address indexed to, uint256 value)";
    let logs = cast.json(&["logs", "--from-block", "0", "--address", token, event]);
    assert_eq!(logs[0]["topics"][2], json!(YOU.into_word()), "{logs}");
    let none = cast.json(&["logs", "--to-block", "2", "--from-block", "0", "--address", token, event]);
    assert_eq!(none, json!([]));
}

fn cast_looks_at_a_transaction(cast: &Cast, token: &str) {
    let block = cast.json(&["block", "latest"]);
    let hash = block["transactions"][0].as_str().unwrap();
    let receipt = cast.json(&["receipt", hash]);
    assert_eq!((&receipt["blockNumber"], &receipt["blockHash"]), (&json!("0x3"), &block["hash"]));
    let tx = cast.json(&["tx", hash]);
    assert_eq!(tx["to"].as_str().map(str::to_lowercase), Some(token.to_lowercase()));
    let raw = cast.says(&["tx", hash, "--raw"]);
    assert_eq!(cast.says(&["keccak", &raw]), hash);
    let tracer = r#"{"tracer":"callTracer"}"#;
    let trace = cast.says(&["rpc", "debug_traceTransaction", hash, tracer]);
    let trace: Value = serde_json::from_str(&trace).unwrap();
    assert_eq!(trace["gasUsed"], receipt["gasUsed"]);
    let calls = cast.says(&["trace", hash]);
    let calls: Value = serde_json::from_str(&calls).unwrap_or_else(|e| panic!("{e}: {calls}"));
    assert_eq!(calls[0]["transactionHash"], json!(hash));
    assert_eq!(
        cast.json(&["tx", "--from", &key(0).address().to_string(), "--nonce", "2"])["hash"],
        json!(hash)
    );
    // Executes by itself on the state that it reads from here.
    let run = cast.says(&["run", "--evm-version", "osaka", hash]);
    assert!(run.contains("emit Transfer(") && run.contains("Transaction successfully executed"), "{run}");
    let gas = u64::from_str_radix(&receipt["gasUsed"].as_str().unwrap()[2..], 16).unwrap();
    assert!(run.contains(&format!("Gas used: {gas}")), "{gas}: {run}");
}

fn cast_is_refused(cast: &Cast, token: &str) {
    let (you, secret) = (YOU.to_string(), secret(0));
    let send = ["send", "--private-key", &secret];
    for (args, why) in [
        (&[&send[..], &["--nonce", "0", &you]].concat()[..], "nonce too low"),
        (
            &[&send[..], &[&you, "--value", "2000ether", "--gas-limit", "21000"]].concat(),
            "insufficient funds",
        ),
        (&["call", token, "transfer(address,uint256)", &you, "1"], "execution reverted"),
        (&["balance", &you, "--block", "99"], "there is no block 99 yet; the newest is 3"),
    ] {
        let output = cast.run(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(why), "cast {}: {error}", args.join(" "));
    }
}
