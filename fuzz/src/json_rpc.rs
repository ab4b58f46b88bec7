//! JSON-RPC requests to the embedded chain, as anybody may send them who can reach its port.

use std::sync::LazyLock;

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::Encodable2718,
    signers::{SignerSync, local::PrivateKeySigner},
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, bytes};
use guildhall_ledger::{Clock, Genesis, Ledger, LedgerConfig, SealMode, ServerLimits};
use serde_json::{Value, json, value::RawValue};
use tokio::runtime::Runtime;

const CHAIN: u64 = 31_337;
/// A contract that logs its input under one topic, stores its length, and answers with it.
const CONTRACT: Address = Address::repeat_byte(2);
const CODE: Bytes =
    bytes!("365f5f37365f557f0101010101010101010101010101010101010101010101010101010101010101365fa1365ff3");

/// The methods that take parameters, in the order in which the first byte of an input picks them. Left out are those that move the
/// chain's time (off unless asked for) and `eth_sendRawTransactionSync`, which waits for a block as long as it is told.
const METHODS: &[&str] = &[
    "debug_getRawBlock",
    "debug_getRawHeader",
    "debug_getRawReceipts",
    "debug_getRawTransaction",
    "debug_traceBlockByHash",
    "debug_traceBlockByNumber",
    "debug_traceCall",
    "debug_traceTransaction",
    "eth_call",
    "eth_callMany",
    "eth_createAccessList",
    "eth_estimateGas",
    "eth_feeHistory",
    "eth_fillTransaction",
    "eth_getAccount",
    "eth_getAccountInfo",
    "eth_getBalance",
    "eth_getBlockByHash",
    "eth_getBlockByNumber",
    "eth_getBlockReceipts",
    "eth_getBlockTransactionCountByHash",
    "eth_getBlockTransactionCountByNumber",
    "eth_getCode",
    "eth_getFilterChanges",
    "eth_getFilterLogs",
    "eth_getHeaderByHash",
    "eth_getHeaderByNumber",
    "eth_getLogs",
    "eth_getProof",
    "eth_getRawTransactionByBlockHashAndIndex",
    "eth_getRawTransactionByBlockNumberAndIndex",
    "eth_getRawTransactionByHash",
    "eth_getStorageAt",
    "eth_getStorageValues",
    "eth_getTransactionByBlockHashAndIndex",
    "eth_getTransactionByBlockNumberAndIndex",
    "eth_getTransactionByHash",
    "eth_getTransactionBySenderAndNonce",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_newFilter",
    "eth_sendRawTransaction",
    "eth_simulateV1",
    "eth_uninstallFilter",
    "trace_rawTransaction",
    "trace_transaction",
    "txpool_content",
    "txpool_contentFrom",
    "txpool_inspect",
    "web3_sha3",
];

struct Chain {
    runtime: Runtime,
    ledger: Ledger,
    /// The hashes of a transaction that is in a block, and of that block.
    hashes: [B256; 2],
}

static CHAIN_OF_TWO: LazyLock<Chain> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("threads");
    let mut genesis = Genesis::new(CHAIN, 1_800_000_000).fund(key().address(), U256::from(1) << 100);
    genesis.accounts.entry(CONTRACT).or_default().code = CODE;
    let config = LedgerConfig {
        path: None,
        genesis,
        seal: SealMode::Manual,
        clock: Clock::Manual,
        beneficiary: Address::ZERO,
        dev_methods: false,
        limits: ServerLimits::default(),
    };
    let (ledger, hashes) = runtime.block_on(async {
        let ledger = Ledger::open(config).expect("a chain");
        let transaction = ledger.submit(&transaction(0)).await.expect("a good transaction");
        let block = ledger.seal().await.expect("room");
        ledger.seal().await.expect("room");
        (ledger, [transaction, block.hash])
    });
    Chain { runtime, ledger, hashes }
});

fn key() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).expect("a key")
}

fn transaction(nonce: u64) -> Vec<u8> {
    let transaction = TxEip1559 {
        chain_id: CHAIN,
        nonce,
        gas_limit: 200_000,
        max_fee_per_gas: 2_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(CONTRACT),
        value: U256::from(1),
        input: bytes!("0102"),
        access_list: Default::default(),
    };
    let signature = key().sign_hash_sync(&transaction.signature_hash()).expect("local");
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718()
}

/// The first byte picks the method, the rest are its parameters: they are answered or refused.
pub fn check(bytes: &[u8]) {
    let Some((pick, parameters)) = bytes.split_first() else { return };
    let Ok(parameters) = serde_json::from_slice::<Box<RawValue>>(parameters) else { return };
    let method = METHODS[usize::from(*pick) % METHODS.len()];
    let Chain { runtime, ledger, .. } = &*CHAIN_OF_TWO;
    let _refused = runtime.block_on(ledger.client().request::<_, Box<RawValue>>(method, parameters));
}

/// For each method parameters that it takes, and what only some of them read.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (pick, method) in METHODS.iter().enumerate() {
        for parameters in parameters(method) {
            seeds.push([&[pick as u8], parameters.to_string().as_bytes()].concat());
        }
    }
    seeds
}

fn parameters(method: &str) -> Vec<Value> {
    let [transaction_hash, block] = CHAIN_OF_TWO.hashes;
    let from = key().address();
    let call = json!({"from": from, "to": CONTRACT, "data": "0x010203", "gas": "0x30000", "value": "0x1"});
    let raw = Bytes::from(transaction(1));
    let tracers = ["callTracer", "prestateTracer", "4byteTracer", "noopTracer"];
    let traced = |first: Value| tracers.map(|tracer| json!([first, {"tracer": tracer}])).to_vec();
    match method {
        "debug_traceCall" => tracers.map(|tracer| json!([call, "latest", {"tracer": tracer}])).to_vec(),
        "debug_traceTransaction" => traced(json!(transaction_hash)),
        "debug_traceBlockByHash" => traced(json!(block)),
        "debug_traceBlockByNumber" => traced(json!("0x1")),
        "debug_getRawTransaction" | "trace_transaction" => vec![json!([transaction_hash])],
        "eth_call" | "eth_estimateGas" | "eth_createAccessList" => calls(&call),
        "eth_callMany" => vec![json!([[{"transactions": [call, call], "blockOverride": {"number": "0x5"}}],
            {"blockNumber": "latest", "transactionIndex": 0}, {}])],
        "eth_simulateV1" => simulations(&call),
        "eth_feeHistory" => vec![json!(["0x2", "latest", [0, 50, 100]]), json!([1024, "pending", []])],
        "eth_fillTransaction" => extremes().map(|request| json!([request])).chain([json!([call])]).collect(),
        "eth_getStorageAt" => vec![json!([CONTRACT, "0x0", "latest"])],
        "eth_getStorageValues" => vec![json!([{CONTRACT.to_string(): [B256::ZERO]}, "latest"])],
        "eth_getProof" => vec![json!([CONTRACT, ["0x0", B256::repeat_byte(3)], "latest"])],
        "eth_getLogs" | "eth_newFilter" => vec![
            json!([{"fromBlock": "0x0", "toBlock": "latest", "address": [CONTRACT], "topics": [[B256::repeat_byte(1)], null]}]),
            json!([{"blockHash": block}]),
        ],
        "eth_getFilterChanges" | "eth_getFilterLogs" | "eth_uninstallFilter" => vec![json!(["0x1"])],
        "eth_sendRawTransaction" => vec![json!([raw])],
        "trace_rawTransaction" => vec![json!([raw, ["trace", "stateDiff"], "latest"])],
        "web3_sha3" => vec![json!(["0x01"])],
        "txpool_content" | "txpool_inspect" => vec![json!([])],
        "txpool_contentFrom" => vec![json!([from])],
        "eth_getTransactionBySenderAndNonce" => vec![json!([from, "0x0"])],
        method if method.ends_with("HashAndIndex") => vec![json!([block, "0x0"])],
        method if method.ends_with("NumberAndIndex") => vec![json!(["0x1", "0x0"])],
        method if method.ends_with("ByHash") && method.contains("Transaction") => {
            vec![json!([transaction_hash])]
        }
        method if method.ends_with("ByHash") => vec![json!([block, true])],
        "eth_getBlockByNumber" | "eth_getHeaderByNumber" => vec![json!(["latest", true])],
        "eth_getTransactionReceipt" => vec![json!([transaction_hash])],
        method if method.contains("Block") || method.starts_with("debug_") => {
            vec![json!(["0x1"]), json!([block])]
        }
        _ => {
            vec![json!([from, {"blockHash": block, "requireCanonical": true}]), json!([CONTRACT, "pending"])]
        }
    }
}

/// Calls with everything that may be put in place of what is there, and code that creates, loops and hashes.
fn calls(call: &Value) -> Vec<Value> {
    let overridden = json!({
        CONTRACT.to_string(): {"balance": "0xff", "nonce": "0x7", "code": "0x5b5f5f20505f56", "stateDiff": {B256::ZERO.to_string(): B256::ZERO}},
        Address::ZERO.to_string(): {"state": {B256::ZERO.to_string(): B256::repeat_byte(9)}},
    });
    let block = json!({"number": "0x9", "time": "0x7fffffff", "gasLimit": "0x1", "baseFeePerGas": "0x0", "feeRecipient": CONTRACT,
        "prevRandao": B256::ZERO, "blobBaseFee": "0x1", "blockHash": {"1": B256::ZERO}});
    let list = json!({"type": "0x2", "to": CONTRACT, "accessList": [{"address": CONTRACT, "storageKeys": [B256::ZERO]}],
        "maxFeePerGas": "0x3b9aca00", "maxPriorityFeePerGas": "0x1", "chainId": "0x7a69"});
    let mut calls = vec![
        json!([call, "latest", overridden, block]),
        json!([list, "pending"]),
        json!([{"data": "0x365f5f37365ff3"}]),
        json!([{"to": "0x0000000000000000000000000000000000000005", "data": "0x01"}, "0x0"]),
    ];
    calls.extend(extremes().map(|request| json!([request, "latest", {}, extreme_block()])));
    calls
}

/// Every kind of transaction, with the largest numbers.
fn extremes() -> impl Iterator<Item = Value> {
    (0..5).map(|kind| {
        let (wide, long, word) = (u128::MAX, u64::MAX, U256::MAX);
        let mut request = json!({"type": format!("{kind:#x}"), "to": CONTRACT, "gas": format!("{long:#x}"),
            "nonce": format!("{long:#x}"), "value": format!("{word:#x}"), "chainId": format!("{long:#x}"), "input": "0x00"});
        let list = json!([{"chainId": "0x0", "address": CONTRACT, "nonce": format!("{long:#x}"), "yParity": "0x1",
            "r": format!("{word:#x}"), "s": "0x1"}]);
        match kind {
            0 | 1 => request["gasPrice"] = format!("{wide:#x}").into(),
            3 => request["sidecar"] = json!({"blobs": [], "commitments": [], "proofs": []}),
            4 => request["authorizationList"] = list,
            _ => request["maxFeePerGas"] = format!("{wide:#x}").into(),
        }
        request
    })
}

fn extreme_block() -> Value {
    let word = format!("{:#x}", U256::MAX);
    json!({"number": word, "time": word, "gasLimit": "0xffffffffffffffff", "baseFeePerGas": word, "difficulty": word})
}

fn simulations(call: &Value) -> Vec<Value> {
    let overrides =
        json!({"number": "0x5", "time": "0x6b49d2ff", "gasLimit": "0x1c9c380", "baseFeePerGas": "0x1"});
    let state = json!({CONTRACT.to_string(): {"code": "0x5f5ffd"}});
    let blocks = json!([{"blockOverrides": overrides, "stateOverrides": state, "calls": [call]}, {"calls": [call, call]}]);
    let time = format!("{:#x}", u64::MAX);
    let late = json!([{"blockOverrides": {"time": time, "baseFeePerGas": time, "gasLimit": time}, "calls": [call]},
        {"blockOverrides": {"number": "0x102"}, "calls": extremes().collect::<Vec<_>>()}]);
    vec![
        json!([{"blockStateCalls": blocks, "traceTransfers": true, "validation": false, "returnFullTransactions": true}, "latest"]),
        json!([{"blockStateCalls": [{"calls": [call]}], "validation": true}, "0x1"]),
        json!([{"blockStateCalls": late}, "latest"]),
        json!([{"blockStateCalls": [{"blockOverrides": extreme_block(), "calls": []}]}]),
    ]
}
