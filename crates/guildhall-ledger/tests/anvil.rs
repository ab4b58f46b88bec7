//! The same transactions on this ledger and on anvil give the same results.
//!
//! Needs anvil 1.7 (npm `@foundry-rs/anvil`), which `make setup` installs.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod common;

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip7702, TxEnvelope, TxLegacy},
    eips::{
        eip2718::Encodable2718,
        eip2930::{AccessList, AccessListItem},
        eip7702::{Authorization, SignedAuthorization},
    },
    primitives::{Address, B256, Bytes, TxKind, U256},
    rpc::client::RpcClient,
    signers::SignerSync,
    sol_types::SolCall,
};
use common::*;
use guildhall_ledger::Ledger;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const TRANSACTIONS: usize = 120;

struct Anvil {
    child: Child,
    client: RpcClient,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-9", "--", &group]).status();
        let _ = self.child.wait();
    }
}

impl Anvil {
    async fn start() -> Self {
        let mut child = Command::new(foundry("anvil"))
            .args(["--port", "0", "--accounts", "1", "--hardfork", "osaka", "--enable-tx-gas-limit"])
            .args(["--chain-id", "31337", "--gas-limit", "60000000", "--base-fee", "875000000"])
            .args(["--timestamp", "1750000000"])
            // npm's anvil is a script that starts the program: they go together.
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .expect("anvil starts");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut lines = lines.filter_map(|line| line.strip_prefix("Listening on ").map(str::to_owned));
        let addr = lines.next().expect("anvil says where it listens");
        // Its pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        let client = RpcClient::new_http(format!("http://{addr}").parse().unwrap());
        let anvil = Self { child, client };
        for (address, account) in genesis().accounts {
            anvil.ask("anvil_setBalance", json!([address, account.balance])).await;
        }
        anvil
    }

    async fn ask(&self, method: &'static str, params: Value) -> Value {
        ask(&self.client, method, params).await.unwrap()
    }
}

async fn ask(client: &RpcClient, method: &'static str, params: Value) -> Result<Value, String> {
    client.request::<_, Value>(method, params).await.map_err(|e| e.to_string())
}

async fn receipt(client: &RpcClient, hash: B256) -> Value {
    let start = Instant::now();
    loop {
        let receipt = ask(client, "eth_getTransactionReceipt", json!([hash])).await.unwrap();
        if !receipt.is_null() {
            return receipt;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "no receipt for {hash}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// One random transaction of any type that either chain may take.
struct Story {
    random: StdRng,
    nonces: [u64; 4],
    probe: Address,
    token: Address,
    touched: Vec<Address>,
}

impl Story {
    fn target(&mut self) -> (TxKind, Bytes, u64) {
        let n = U256::from(self.random.random_range(0..8u64));
        let pick = self.touched[self.random.random_range(0..self.touched.len())];
        let (probe, token) = (self.probe, self.token);
        let (to, input): (Address, Vec<u8>) = match self.random.random_range(0..17) {
            0 => return (TxKind::Create, probe_code().into(), 0),
            1 => return (TxKind::Create, Bytes::from_static(&[0xfe]), 0),
            2 => return (TxKind::Call(pick), Bytes::new(), self.random.random_range(0..1_000_000)),
            3 => (token, transferCall { to: pick, value: n }.abi_encode()),
            4 => (token, transferCall { to: pick, value: U256::MAX }.abi_encode()),
            5 | 6 => (probe, writeCall { key: n, v: U256::from(self.random.random::<u64>()) }.abi_encode()),
            7 => (probe, clearCall { key: n }.abi_encode()),
            8 => (probe, refuseCall { why: n }.abi_encode()),
            9 => (probe, burnCall {}.abi_encode()),
            10 => (probe, invalidCall {}.abi_encode()),
            11 => (probe, makeCall { salt: n, kill: true }.abi_encode()),
            12 => (probe, makeCall { salt: n, kill: false }.abi_encode()),
            13 => (probe, envCall {}.abi_encode()),
            14 => (probe, lookCall { who: pick }.abi_encode()),
            15 => (probe, p256Call {}.abi_encode()),
            _ => (probe, nestCall { depth: n }.abi_encode()),
        };
        // Sometimes at an account that may have taken on the probe's code.
        let to = if to == probe && self.random.random_bool(0.2) { key(6).address() } else { to };
        (TxKind::Call(to), input.into(), 0)
    }

    fn next(&mut self) -> TxEnvelope {
        let from = self.random.random_range(0..4usize);
        let (signer, nonce) = (key(from as u64), self.nonces[from]);
        self.nonces[from] += 1;
        let (to, input, value) = self.target();
        // Sometimes too little to finish, never too little to start.
        let gas_limit = if self.random.random_bool(0.2) { 130_000 } else { 900_000 };
        let gas_limit = if to.is_create() { 3_000_000 } else { gas_limit };
        let (value, access_list) = (U256::from(value), self.access_list());
        let (fee, tip) = (50 * GWEI, u128::from(self.random.random::<u32>()));
        let chain_id = CHAIN_ID;
        macro_rules! signed {
            ($tx:expr) => {{
                let tx = $tx;
                let signature = signer.sign_hash_sync(&tx.signature_hash()).unwrap();
                TxEnvelope::from(tx.into_signed(signature))
            }};
        }
        match (self.random.random_range(0..5), to) {
            (0, _) => signed!(TxLegacy {
                chain_id: Some(chain_id),
                nonce,
                gas_price: fee,
                gas_limit,
                to,
                value,
                input
            }),
            (1, _) => signed!(TxEip2930 {
                chain_id,
                nonce,
                gas_price: fee,
                gas_limit,
                to,
                value,
                access_list,
                input
            }),
            (2, TxKind::Call(to)) => {
                let authorization_list = vec![self.authorization()];
                signed!(TxEip7702 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fee,
                    max_priority_fee_per_gas: tip,
                    to,
                    value,
                    access_list,
                    authorization_list,
                    input
                })
            }
            _ => signed!(TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas: fee,
                max_priority_fee_per_gas: tip,
                to,
                value,
                access_list,
                input
            }),
        }
    }

    /// For any chain or ours, with a nonce that is right, stale or early.
    fn authorization(&mut self) -> SignedAuthorization {
        let any = self.random.random_range(0..2u64);
        let authorization = Authorization {
            chain_id: U256::from(CHAIN_ID * any),
            address: self.probe,
            nonce: self.random.random_range(0..3),
        };
        let signature = key(6).sign_hash_sync(&authorization.signature_hash()).unwrap();
        authorization.into_signed(signature)
    }

    fn access_list(&mut self) -> AccessList {
        let len = self.random.random_range(0..3u64);
        let item =
            |n| AccessListItem { address: self.probe, storage_keys: vec![slot(n), mapped(1, U256::from(n))] };
        AccessList((0..len).map(item).collect())
    }
}

const SAME: [&str; 12] = [
    "status",
    "gasUsed",
    "cumulativeGasUsed",
    "effectiveGasPrice",
    "type",
    "contractAddress",
    "logsBloom",
    "from",
    "to",
    "transactionHash",
    "transactionIndex",
    "blockNumber",
];

fn compare_receipts(ours: &Value, theirs: &Value, what: &str) {
    for field in SAME {
        assert_eq!(ours[field], theirs[field], "{field} of {what}\nours {ours:#}\ntheirs {theirs:#}");
    }
    let logs = |receipt: &Value| {
        let logs = receipt["logs"].as_array().unwrap().clone();
        let pick = |log: Value| {
            (log["address"].clone(), log["topics"].clone(), log["data"].clone(), log["logIndex"].clone())
        };
        logs.into_iter().map(pick).collect::<Vec<_>>()
    };
    assert_eq!(logs(ours), logs(theirs), "logs of {what}");
}

async fn run(seed: u64) {
    let ledger = Ledger::open(config()).unwrap();
    let (anvil, ours) = (Anvil::start().await, ledger.client());
    let owner = key(7);
    let (token, probe) = (owner.address().create(0), owner.address().create(1));
    let mut touched: Vec<_> = (0..8).map(|i| key(i).address()).collect();
    touched.extend([token, probe, Address::repeat_byte(0x99), Address::ZERO]);
    let mut story = Story { random: StdRng::seed_from_u64(seed), nonces: [0; 4], probe, token, touched };
    let deploys = [create(&owner, 0, token_code()), create(&owner, 1, probe_code())];
    let txs: Vec<_> =
        deploys.into_iter().chain((0..TRANSACTIONS).map(|_| story.next().encoded_2718())).collect();
    let mut outcomes = [0; 2];
    for (index, tx) in txs.into_iter().enumerate() {
        let what = format!("transaction {index} of seed {seed}");
        let tx = Bytes::from(tx);
        let here = ask(&ours, "eth_sendRawTransaction", json!([tx])).await;
        let there = ask(&anvil.client, "eth_sendRawTransaction", json!([tx])).await;
        let hash = here.unwrap_or_else(|error| panic!("{what}: {error}, there {there:?}"));
        assert_eq!(Ok(&hash), there.as_ref(), "{what}");
        let hash = serde_json::from_value(hash).unwrap();
        let (mine, theirs) = (receipt(&ours, hash).await, receipt(&anvil.client, hash).await);
        compare_receipts(&mine, &theirs, &what);
        outcomes[usize::from(mine["status"] == "0x1")] += 1;
        if let Some(created) = mine["contractAddress"].as_str() {
            story.touched.push(created.parse().unwrap());
        }
        for log in mine["logs"].as_array().unwrap() {
            let topics = log["topics"].as_array().unwrap();
            let noted: B256 = serde_json::from_value(topics[1].clone()).unwrap();
            story.touched.push(Address::from_word(noted));
        }
    }
    assert!(outcomes.iter().all(|count| *count > 20), "a story of successes and failures: {outcomes:?}");
    compare_state(&ours, &anvil.client, story).await;
}

async fn compare_state(ours: &RpcClient, theirs: &RpcClient, mut story: Story) {
    story.touched.sort();
    story.touched.dedup();
    let same = async |method: &'static str, params: Value| {
        let (here, there) =
            (ask(ours, method, params.clone()).await, ask(theirs, method, params.clone()).await);
        assert_eq!(here, there, "{method} {params}");
    };
    for address in &story.touched {
        for method in ["eth_getBalance", "eth_getTransactionCount", "eth_getCode"] {
            same(method, json!([address, "latest"])).await;
        }
    }
    for contract in [story.probe, key(6).address(), story.token] {
        for n in 0..12 {
            same("eth_getStorageAt", json!([contract, slot(n), "latest"])).await;
            same("eth_getStorageAt", json!([contract, mapped(1, U256::from(n)), "latest"])).await;
        }
        for address in &story.touched {
            let key = U256::from_be_bytes(address.into_word().0);
            same("eth_getStorageAt", json!([contract, mapped(0, key), "latest"])).await;
            same("eth_getStorageAt", json!([contract, mapped(1, key), "latest"])).await;
        }
    }
}

#[tokio::test]
async fn random_transactions_end_as_on_anvil() {
    for seed in [1, 2, 3] {
        run(seed).await;
    }
}
