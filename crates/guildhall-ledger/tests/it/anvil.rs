//! The same transactions on this ledger and on anvil give the same blocks, receipts, logs and state, and the same ones are
//! refused, for the same reason.
//!
//! Runs stories from a few fixed seeds and from a fresh one; `GUILDHALL_ANVIL_SEED=...` tells one again. Needs anvil 1.7 (npm `@foundry-rs/anvil`), which `make setup` installs.

use crate::common::*;
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
use guildhall_ledger::Ledger;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// Blocks of a story, after the one that deploys its contracts.
const BLOCKS: usize = 16;

/// The most transactions of one block.
const MAX_IN_BLOCK: usize = 12;

/// The most gas of one transaction (EIP-7825).
const MAX_TX_GAS: u64 = guildhall_ledger::MAX_TX_GAS;

struct Anvil {
    child: Child,
    client: RpcClient,
    /// Where the node keeps old states.
    _states: tempfile::TempDir,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Anvil {
    async fn start() -> Self {
        let states = tempfile::tempdir().unwrap();
        let mut child = Command::new(foundry("anvil"))
            .arg("--cache-path")
            .arg(states.path())
            .args(["--port", "0", "--accounts", "1", "--hardfork", "osaka", "--enable-tx-gas-limit"])
            .args(["--chain-id", "31337", "--gas-limit", "60000000", "--base-fee", "875000000"])
            .args(["--timestamp", "1750000000", "--no-mining", "--order", "fifo"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("anvil starts");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut lines = lines.filter_map(|line| line.strip_prefix("Listening on ").map(str::to_owned));
        let addr = lines.next().expect("anvil says where it listens");
        // Its pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        let client = RpcClient::new_http(format!("http://{addr}").parse().unwrap());
        let anvil = Self { child, client, _states: states };
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

/// Random transactions of any type that either chain may take, or must refuse.
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
        let (to, input): (Address, Vec<u8>) = match self.random.random_range(0..18) {
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
            16 => return (TxKind::Call(self.precompile()), self.noise(), 0),
            _ => (probe, nestCall { depth: n }.abi_encode()),
        };
        // Sometimes at an account that may have taken on the probe's code.
        let to = if to == probe && self.random.random_bool(0.2) { key(6).address() } else { to };
        (TxKind::Call(to), input.into(), 0)
    }

    /// Any of osaka's precompiles, or one that is none yet.
    fn precompile(&mut self) -> Address {
        let number = self.random.random_range(1..=0x13u64);
        Address::from_word(slot(if number == 0x13 { 0x100 } else { number }))
    }

    /// Bytes that mean little: lengths of a MODEXP, points at infinity, rubbish.
    fn noise(&mut self) -> Bytes {
        let len = self.random.random_range(0..8usize) * 32;
        let fill = self.random.random_range(0..3u8);
        (0..len)
            .map(|at| if fill == 2 { self.random.random() } else { fill * u8::from(at % 32 == 31) })
            .collect()
    }

    /// The transactions of one block, sender by sender: the order in which either chain takes them.
    fn block(&mut self) -> Vec<TxEnvelope> {
        let count = self.random.random_range(1..=MAX_IN_BLOCK);
        let mut senders: Vec<_> = (0..count).map(|_| self.random.random_range(0..4usize)).collect();
        senders.sort_unstable();
        senders.into_iter().map(|from| self.next(from)).collect()
    }

    /// A transaction that no block may take, for the reason beside it.
    fn refusal(&mut self) -> (Refusal, Bytes) {
        let from = self.random.random_range(0..4usize);
        let kind = REFUSALS[self.random.random_range(0..REFUSALS.len())];
        let value = U256::from(self.random.random::<u32>());
        let (nonce, to) = (self.nonces[from], TxKind::Call(Address::repeat_byte(0x99)));
        let (max_fee_per_gas, max_priority_fee_per_gas) = (50 * GWEI, 1);
        let mut tx = TxEip1559 {
            value,
            to,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            gas_limit: 21_000,
            ..base(nonce)
        };
        match kind {
            Refusal::NonceTooLow if nonce == 0 => return self.refusal(),
            Refusal::NonceTooLow => tx.nonce = self.random.random_range(0..nonce),
            Refusal::Funds => tx.value = ether(2_000),
            Refusal::IntrinsicGas => tx.gas_limit = self.random.random_range(0..21_000),
            Refusal::TooMuchGas => tx.gas_limit = self.random.random_range(MAX_TX_GAS + 1..100_000_000),
            Refusal::FeeCap => (tx.max_fee_per_gas, tx.max_priority_fee_per_gas) = (1, 0),
            Refusal::Tip => tx.max_priority_fee_per_gas = 51 * GWEI,
            Refusal::OtherChain => tx.chain_id = 1,
        }
        (kind, sign(&key(from as u64), tx).into())
    }

    fn next(&mut self, from: usize) -> TxEnvelope {
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

/// Why a transaction is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    NonceTooLow,
    Funds,
    IntrinsicGas,
    TooMuchGas,
    FeeCap,
    Tip,
    OtherChain,
}

const REFUSALS: [Refusal; 7] = [
    Refusal::NonceTooLow,
    Refusal::Funds,
    Refusal::IntrinsicGas,
    Refusal::TooMuchGas,
    Refusal::FeeCap,
    Refusal::Tip,
    Refusal::OtherChain,
];

impl Refusal {
    /// What an error of either chain says in its own words.
    fn of(error: &str) -> Option<Self> {
        let error = error.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|words| error.contains(words));
        Some(match () {
            () if says(&["nonce too low"]) => Self::NonceTooLow,
            () if says(&["insufficient funds"]) => Self::Funds,
            () if says(&["intrinsic gas too low"]) => Self::IntrinsicGas,
            () if says(&["gas limit too high", "intrinsic gas too high", "greater than the block"]) => {
                Self::TooMuchGas
            }
            () if says(&["max fee per gas less than block base fee"]) => Self::FeeCap,
            () if says(&["max priority fee per gas higher than max fee per gas"]) => Self::Tip,
            () if says(&["invalid chain id"]) => Self::OtherChain,
            () => return None,
        })
    }
}

const SAME_BLOCK: [&str; 9] = [
    "number",
    "gasUsed",
    "gasLimit",
    "baseFeePerGas",
    "logsBloom",
    "transactionsRoot",
    "receiptsRoot",
    "miner",
    "transactions",
];

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
    assert_eq!(logs(&ours["logs"]), logs(&theirs["logs"]), "logs of {what}");
}

/// What logs say and where they stand, without the hash and time of their block.
fn logs(logs: &Value) -> Vec<Value> {
    let fields =
        ["address", "topics", "data", "logIndex", "transactionHash", "transactionIndex", "blockNumber"];
    let logs = logs.as_array().unwrap().iter();
    logs.map(|log| fields.map(|field| log[field].clone()).into_iter().collect()).collect()
}

/// Both chains, told the same.
struct Both {
    ledger: Ledger,
    ours: RpcClient,
    anvil: Anvil,
    seed: u64,
}

impl Both {
    /// Sends one block's transactions to both, seals it and compares all that it holds. Returns its receipts.
    async fn block(&self, txs: &[Vec<u8>]) -> Vec<Value> {
        let mut hashes: Vec<B256> = Vec::new();
        for (index, tx) in txs.iter().enumerate() {
            let tx = Bytes::copy_from_slice(tx);
            let here = ask(&self.ours, "eth_sendRawTransaction", json!([tx])).await;
            let there = ask(&self.anvil.client, "eth_sendRawTransaction", json!([tx])).await;
            let hash = here.unwrap_or_else(|e| panic!("{index} of seed {}: {e}, there {there:?}", self.seed));
            assert_eq!(Ok(&hash), there.as_ref(), "{index} of seed {}", self.seed);
            hashes.push(serde_json::from_value(hash).unwrap());
        }
        let sealed = self.ledger.seal().await.unwrap();
        self.anvil.ask("evm_mine", json!([])).await;
        let what = format!("block {} of seed {}", sealed.header.number, self.seed);
        let block = json!([format!("{:#x}", sealed.header.number), false]);
        let mine = ask(&self.ours, "eth_getBlockByNumber", block.clone()).await.unwrap();
        let theirs = self.anvil.ask("eth_getBlockByNumber", block).await;
        for field in SAME_BLOCK {
            assert_eq!(mine[field], theirs[field], "{field} of {what}\nours {mine:#}\ntheirs {theirs:#}");
        }
        assert_eq!(mine["transactions"], json!(hashes), "{what}");
        let mut receipts = Vec::new();
        for hash in hashes {
            let what = format!("{hash} in {what}");
            let mine = ask(&self.ours, "eth_getTransactionReceipt", json!([hash])).await.unwrap();
            compare_receipts(&mine, &self.anvil.ask("eth_getTransactionReceipt", json!([hash])).await, &what);
            receipts.push(mine);
        }
        receipts
    }

    /// Both refuse `tx`, for the reason that is wrong with it.
    async fn refused(&self, why: Refusal, tx: Bytes) {
        for client in [&self.ours, &self.anvil.client] {
            let error = ask(client, "eth_sendRawTransaction", json!([tx])).await;
            let error = error.expect_err(&format!("{why:?} was taken, seed {}", self.seed));
            assert_eq!(Refusal::of(&error), Some(why), "{error}, seed {}", self.seed);
        }
    }
}

async fn run(seed: u64) {
    println!("GUILDHALL_ANVIL_SEED={seed}");
    let ledger = Ledger::open(manual()).unwrap();
    let both = Both { ours: ledger.client(), ledger, anvil: Anvil::start().await, seed };
    let owner = key(7);
    let (token, probe) = (owner.address().create(0), owner.address().create(1));
    let mut touched: Vec<_> = (0..8).map(|i| key(i).address()).collect();
    touched.extend([token, probe, Address::repeat_byte(0x99), Address::ZERO]);
    let mut story = Story { random: StdRng::seed_from_u64(seed), nonces: [0; 4], probe, token, touched };
    both.block(&[create(&owner, 0, token_code()), create(&owner, 1, probe_code())]).await;
    let mut outcomes = [0; 2];
    for _ in 0..BLOCKS {
        let (why, tx) = story.refusal();
        both.refused(why, tx).await;
        let txs: Vec<_> = story.block().iter().map(Encodable2718::encoded_2718).collect();
        for receipt in both.block(&txs).await {
            outcomes[usize::from(receipt["status"] == "0x1")] += 1;
            if let Some(created) = receipt["contractAddress"].as_str() {
                story.touched.push(created.parse().unwrap());
            }
            for log in receipt["logs"].as_array().unwrap() {
                let noted: B256 = serde_json::from_value(log["topics"][1].clone()).unwrap();
                story.touched.push(Address::from_word(noted));
            }
        }
    }
    assert!(
        outcomes.iter().all(|count| *count > 10),
        "a story of successes and failures: {outcomes:?}, seed {seed}"
    );
    let all = json!([{ "fromBlock": "0x0", "toBlock": "latest" }]);
    let mine = ask(&both.ours, "eth_getLogs", all.clone()).await.unwrap();
    assert_eq!(logs(&mine), logs(&both.anvil.ask("eth_getLogs", all).await), "seed {seed}");
    compare_state(&both.ours, &both.anvil.client, story).await;
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
    match std::env::var("GUILDHALL_ANVIL_SEED") {
        Ok(seed) => run(seed.parse().unwrap()).await,
        Err(_) => {
            for seed in [1, 2, rand::random()] {
                run(seed).await;
            }
        }
    }
}

/// Every reason at least once: what a story draws may leave one out.
#[tokio::test]
async fn both_refuse_the_same_for_the_same_reason() {
    let ledger = Ledger::open(manual()).unwrap();
    let both = Both { ours: ledger.client(), ledger, anvil: Anvil::start().await, seed: 0 };
    both.block(&(0..4).map(|i| send(&key(i), 0, Address::ZERO, 1)).collect::<Vec<_>>()).await;
    let (probe, token) = (Address::ZERO, Address::ZERO);
    let random = StdRng::seed_from_u64(0);
    let mut story = Story { random, nonces: [1; 4], probe, token, touched: vec![Address::ZERO] };
    let mut left = REFUSALS.to_vec();
    while !left.is_empty() {
        let (why, tx) = story.refusal();
        left.retain(|kind| *kind != why);
        both.refused(why, tx).await;
    }
    both.block(&(0..4).map(|i| send(&key(i), 1, Address::ZERO, 1)).collect::<Vec<_>>()).await;
}
