//! JSON-RPC as real clients use it: alloy over HTTP, over WebSocket and in the process.

use crate::common::*;
use alloy::{
    eips::eip2718::Decodable2718,
    network::{EthereumWallet, TransactionBuilder},
    primitives::{Address, B256, Bytes, U256, hex},
    providers::{Provider, ProviderBuilder, WsConnect},
    rpc::{
        client::RpcClient,
        types::{
            Filter, TransactionRequest,
            state::{AccountOverride, StateOverride},
        },
    },
    sol_types::{SolCall, SolError},
};
use futures::StreamExt;
use guildhall_ledger::{Ledger, ServerHandle};
use serde_json::{Value, json};

async fn served(ledger: &Ledger) -> (ServerHandle, RpcClient) {
    let server = ledger.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let client = RpcClient::new_http(format!("http://{}", server.addr).parse().unwrap());
    (server, client)
}

async fn ask(client: &RpcClient, method: &'static str, params: Value) -> Result<Value, (i64, String, Value)> {
    let Value::Array(params) = params else { panic!("parameters are a list") };
    client.request::<_, Value>(method, params).await.map_err(|error| {
        let payload = error.as_error_resp().unwrap_or_else(|| panic!("{method}: {error}"));
        let data =
            payload.data.as_ref().map_or(Value::Null, |data| serde_json::from_str(data.get()).unwrap());
        (payload.code, payload.message.to_string(), data)
    })
}

#[tokio::test]
async fn a_wallet_sends_deploys_and_reads_over_http_ws_and_in_process() {
    let ledger = open();
    let (server, _) = served(&ledger).await;
    let wallet = || EthereumWallet::from(key(0));
    let http = ProviderBuilder::new()
        .wallet(wallet())
        .connect_http(format!("http://{}", server.addr).parse().unwrap());
    let ws = ProviderBuilder::new().wallet(wallet());
    let ws = ws.connect_ws(WsConnect::new(format!("ws://{}", server.addr))).await.unwrap();
    let inside = ProviderBuilder::new().wallet(wallet()).connect_client(ledger.client());
    let pubsub =
        ProviderBuilder::new().wallet(wallet()).connect_client(ledger.pubsub_client().await.unwrap());
    let request = TransactionRequest::default().with_to(Address::repeat_byte(5)).with_value(U256::ONE);
    for provider in [http.erased(), ws.erased(), inside.erased(), pubsub.erased()] {
        let receipt = provider.send_transaction(request.clone()).await.unwrap().get_receipt().await.unwrap();
        assert!(receipt.status());
        assert_eq!((receipt.gas_used, receipt.from), (21_000, key(0).address()));
        let code = TransactionRequest::default().with_deploy_code(token_code());
        let receipt = provider.send_transaction(code).await.unwrap().get_receipt().await.unwrap();
        let token = receipt.contract_address.unwrap();
        assert!(!provider.get_code_at(token).await.unwrap().is_empty());
        let block = provider.get_block(receipt.block_hash.unwrap().into()).full().await.unwrap().unwrap();
        assert_eq!(block.header.hash_slow(), block.header.hash);
        assert_eq!(block.transactions.len(), 1);
    }
    assert_eq!(ledger.head().number, 8);
    server.stop().await;
}

#[tokio::test]
async fn every_method_that_clients_use_answers() {
    let ledger = open();
    let (server, client) = served(&ledger).await;
    let (owner, probe) = (key(0).address(), key(0).address().create(0));
    ledger.submit(&create(&key(0), 0, probe_code())).await.unwrap();
    let write = writeCall { key: U256::from(1), v: U256::from(2) }.abi_encode();
    let hash = ledger.submit(&call(&key(0), 1, probe, write.clone())).await.unwrap();
    let block = ledger.block(2).unwrap().hash;
    let request = json!({ "from": owner, "to": probe, "data": Bytes::from(write) });
    let calls = [
        ("eth_chainId", json!([]), json!("0x7a69")),
        ("eth_blockNumber", json!([]), json!("0x2")),
        ("eth_accounts", json!([]), json!([])),
        ("eth_syncing", json!([]), json!(false)),
        ("net_version", json!([]), json!("31337")),
        ("net_listening", json!([]), json!(true)),
        ("eth_maxPriorityFeePerGas", json!([]), json!("0x1")),
        (
            "web3_sha3",
            json!(["0x"]),
            json!("0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        ),
        ("eth_getTransactionCount", json!([owner, "latest"]), json!("0x2")),
        ("eth_getTransactionCount", json!([owner, "pending"]), json!("0x2")),
        ("eth_getTransactionCount", json!([owner, "0x1"]), json!("0x1")),
        ("eth_getBalance", json!([Address::ZERO, "earliest"]), json!("0x0")),
        ("eth_getStorageAt", json!([probe, "0x0", { "blockHash": block }]), json!(slot(2))),
        ("eth_getBlockTransactionCountByNumber", json!(["latest"]), json!("0x1")),
        ("eth_getBlockTransactionCountByHash", json!([block]), json!("0x1")),
        ("eth_getUncleCountByBlockNumber", json!(["latest"]), json!("0x0")),
        ("eth_getBlockByNumber", json!(["0x99", false]), Value::Null),
        ("eth_getTransactionReceipt", json!([B256::ZERO]), Value::Null),
        ("eth_getTransactionByHash", json!([B256::ZERO]), Value::Null),
        ("txpool_status", json!([]), json!({ "pending": "0x0", "queued": "0x0" })),
        ("eth_estimateGas", json!([{ "from": owner, "to": owner, "value": "0x1" }]), json!("0x5208")),
        ("eth_uninstallFilter", json!(["0x77"]), json!(false)),
    ];
    for (method, params, want) in calls {
        assert_eq!(ask(&client, method, params).await, Ok(want), "{method}");
    }
    let version = ask(&client, "web3_clientVersion", json!([])).await.unwrap();
    assert!(version.as_str().unwrap().ends_with("(one machine, not a network)"), "{version}");
    let place = |value: Value, field: &str| value[field].clone();
    let by_hash = ask(&client, "eth_getTransactionByHash", json!([hash])).await.unwrap();
    for (method, params) in [
        ("eth_getTransactionByBlockNumberAndIndex", json!(["latest", "0x0"])),
        ("eth_getTransactionByBlockHashAndIndex", json!([block, "0x0"])),
    ] {
        assert_eq!(ask(&client, method, params).await.unwrap(), by_hash);
    }
    assert_eq!(by_hash["type"], "0x2");
    let receipt = ask(&client, "eth_getTransactionReceipt", json!([hash])).await.unwrap();
    assert_eq!(ask(&client, "eth_getBlockReceipts", json!(["latest"])).await.unwrap(), json!([receipt]));
    let raw = ask(&client, "eth_getRawTransactionByHash", json!([hash])).await.unwrap();
    let raw: Bytes = serde_json::from_value(raw).unwrap();
    assert_eq!(*alloy::consensus::TxEnvelope::decode_2718_exact(&raw).unwrap().tx_hash(), hash);
    let list = ask(&client, "eth_createAccessList", json!([request, "latest"])).await.unwrap();
    assert_eq!(list["accessList"][0]["address"], json!(probe));
    let history = ask(&client, "eth_feeHistory", json!(["0x2", "latest", [50.0]])).await.unwrap();
    assert_eq!(place(history.clone(), "oldestBlock"), "0x1");
    assert_eq!(history["baseFeePerGas"].as_array().unwrap().len(), 3);
    assert_eq!(history["reward"], json!([["0x1"], ["0x1"]]));
    let price = ask(&client, "eth_gasPrice", json!([])).await.unwrap();
    assert_eq!(
        history["baseFeePerGas"][2].as_str().map(|fee| u64::from_str_radix(&fee[2..], 16).unwrap() + 1),
        price.as_str().map(|fee| u64::from_str_radix(&fee[2..], 16).unwrap())
    );
    server.stop().await;
}

#[tokio::test]
async fn a_gas_estimate_is_enough_and_little_more() {
    let ledger = open();
    let provider = ledger.provider();
    let (owner, probe) = (key(0), key(0).address().create(0));
    ledger.submit(&create(&owner, 0, probe_code())).await.unwrap();
    for (nonce, input) in (1..).zip([
        writeCall { key: U256::from(1), v: U256::from(2) }.abi_encode(),
        clearCall { key: U256::from(1) }.abi_encode(),
        makeCall { salt: U256::from(1), kill: false }.abi_encode(),
        makeCall { salt: U256::from(2), kill: true }.abi_encode(),
    ]) {
        let request = TransactionRequest::default().with_from(owner.address()).with_to(probe);
        let request = request.with_input(input.clone());
        let gas = provider.estimate_gas(request).await.unwrap();
        let tx = alloy::consensus::TxEip1559 {
            to: probe.into(),
            input: input.into(),
            gas_limit: gas,
            ..base(nonce)
        };
        let hash = ledger.submit(&sign(&owner, tx)).await.unwrap();
        let receipt = provider.get_transaction_receipt(hash).await.unwrap().unwrap();
        assert!(receipt.status(), "{gas} was not enough");
        assert!(gas <= receipt.gas_used * 13 / 10, "{gas} for {}", receipt.gas_used);
    }
}

#[tokio::test]
async fn calls_give_reverts_overrides_and_p256() {
    let ledger = open();
    let (server, client) = served(&ledger).await;
    let probe = key(0).address().create(0);
    ledger.submit(&create(&key(0), 0, probe_code())).await.unwrap();
    let refuse = Bytes::from(refuseCall { why: U256::from(7) }.abi_encode());
    let (code, message, data) =
        ask(&client, "eth_call", json!([{ "to": probe, "data": refuse }, "latest"])).await.unwrap_err();
    assert_eq!((code, message.as_str()), (3, "execution reverted"));
    assert_eq!(data, json!(Bytes::from(Refused { why: U256::from(7) }.abi_encode())));
    let say = Bytes::from(sayCall {}.abi_encode());
    let (code, message, _) =
        ask(&client, "eth_estimateGas", json!([{ "to": probe, "data": say }])).await.unwrap_err();
    assert_eq!((code, message.as_str()), (3, "execution reverted: no"));
    // Code and balance that are not there: returns its own balance.
    let provider = ledger.provider();
    let overrides: StateOverride = [(
        Address::repeat_byte(8),
        AccountOverride {
            code: Some(hex!("475f5260205ff3").into()),
            balance: Some(U256::from(55)),
            ..AccountOverride::default()
        },
    )]
    .into_iter()
    .collect();
    let request = TransactionRequest::default().with_to(Address::repeat_byte(8));
    let out = provider.call(request.clone()).overrides(overrides).await.unwrap();
    assert_eq!(out[..], slot(55)[..]);
    assert!(provider.call(request).await.unwrap().is_empty(), "and nothing of it stays");
    // EIP-7951's precompile, with a signature that is right and one that is not.
    let good = hex!(
        "4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4da73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d604aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff37618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e"
    );
    let request = TransactionRequest::default().with_to(Address::from_word(slot(0x100)));
    let out = provider.call(request.clone().with_input(good.to_vec())).await.unwrap();
    assert_eq!(out[..], slot(1)[..]);
    let mut bad = good.to_vec();
    bad[0] ^= 1;
    assert!(provider.call(request.with_input(bad)).await.unwrap().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn system_contracts_answer_as_on_ethereum() {
    let ledger = open();
    for nonce in 0..3 {
        ledger.submit(&send(&key(0), nonce, Address::ZERO, 1)).await.unwrap();
    }
    let history = alloy::eips::eip2935::HISTORY_STORAGE_ADDRESS;
    let request = TransactionRequest::default().with_to(history).with_input(slot(1).to_vec());
    let out = ledger.provider().call(request).block(alloy::eips::BlockId::pending()).await.unwrap();
    assert_eq!(B256::from_slice(&out), ledger.block(1).unwrap().hash);
}

#[tokio::test]
async fn log_searches_find_what_a_reading_of_every_receipt_finds() {
    let ledger = open();
    let probe = key(0).address().create(0);
    ledger.submit(&create(&key(0), 0, probe_code())).await.unwrap();
    let token = key(1).address().create(0);
    ledger.submit(&create(&key(1), 0, token_code())).await.unwrap();
    for n in 1..30u64 {
        let write = writeCall { key: U256::from(n % 5), v: U256::from(n) }.abi_encode();
        ledger.submit(&call(&key(0), n, probe, write)).await.unwrap();
        let transfer =
            transferCall { to: Address::repeat_byte(n as u8 % 3), value: U256::from(n) }.abi_encode();
        ledger.submit(&call(&key(1), n, token, transfer)).await.unwrap();
    }
    let provider = ledger.provider();
    let head = ledger.head().number;
    let topic = |n: u64| slot(n);
    for filter in [
        Filter::new(),
        Filter::new().address(probe),
        Filter::new().address(vec![probe, token]).topic2(topic(3)),
        Filter::new().topic2(vec![topic(1), topic(4)]),
        Filter::new().topic1(key(1).address().into_word()).topic2(Address::repeat_byte(2).into_word()),
        Filter::new().address(probe).from_block(10).to_block(20),
        Filter::new().address(Address::repeat_byte(0xaa)),
    ] {
        let (from, to) = (filter.get_from_block().unwrap_or(0), filter.get_to_block().unwrap_or(head));
        let filter = filter.from_block(from).to_block(to);
        let mut want = Vec::new();
        for number in from..=to {
            let receipts = provider.get_block_receipts(number.into()).await.unwrap().unwrap();
            want.extend(
                receipts
                    .iter()
                    .flat_map(|receipt| receipt.logs().to_vec())
                    .filter(|log| filter.rpc_matches(log)),
            );
        }
        assert_eq!(provider.get_logs(&filter).await.unwrap(), want, "{filter:?}");
    }
    let hash = ledger.block(5).unwrap().hash;
    assert_eq!(provider.get_logs(&Filter::new().at_block_hash(hash)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn filters_report_each_thing_once() {
    let ledger = open();
    let (server, client) = served(&ledger).await;
    let probe = key(0).address().create(0);
    ledger.submit(&create(&key(0), 0, probe_code())).await.unwrap();
    let logs = ask(&client, "eth_newFilter", json!([{ "address": probe }])).await.unwrap();
    let blocks = ask(&client, "eth_newBlockFilter", json!([])).await.unwrap();
    let txs = ask(&client, "eth_newPendingTransactionFilter", json!([])).await.unwrap();
    let write = writeCall { key: U256::from(1), v: U256::from(2) }.abi_encode();
    let hash = ledger.submit(&call(&key(0), 1, probe, write)).await.unwrap();
    let changes = async |id: &Value| ask(&client, "eth_getFilterChanges", json!([id])).await.unwrap();
    assert_eq!(changes(&logs).await.as_array().unwrap().len(), 1);
    assert_eq!(changes(&blocks).await, json!([ledger.head().hash]));
    assert_eq!(changes(&txs).await, json!([hash]));
    for id in [&logs, &blocks, &txs] {
        assert_eq!(changes(id).await, json!([]));
    }
    assert_eq!(ask(&client, "eth_getFilterLogs", json!([logs])).await.unwrap().as_array().unwrap().len(), 1);
    assert_eq!(ask(&client, "eth_uninstallFilter", json!([logs])).await, Ok(json!(true)));
    let (code, message, _) = ask(&client, "eth_getFilterChanges", json!([logs])).await.unwrap_err();
    assert_eq!((code, message.as_str()), (-32000, "filter not found"));
    server.stop().await;
}

#[tokio::test]
async fn subscriptions_bring_heads_logs_and_pending_transactions() {
    let ledger = open();
    let server = ledger.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let ws = WsConnect::new(format!("ws://{}", server.addr));
    let ws = ProviderBuilder::new().connect_ws(ws).await.unwrap().erased();
    let inside = ProviderBuilder::new().connect_client(ledger.pubsub_client().await.unwrap()).erased();
    let mut nonce = 1;
    let probe = key(0).address().create(0);
    ledger.submit(&create(&key(0), 0, probe_code())).await.unwrap();
    for provider in [ws, inside] {
        let mut heads = provider.subscribe_blocks().await.unwrap().into_stream();
        let mut logs = provider.subscribe_logs(&Filter::new().address(probe)).await.unwrap().into_stream();
        let mut pending = provider.subscribe_pending_transactions().await.unwrap().into_stream();
        for _ in 0..3 {
            let write = writeCall { key: U256::from(nonce), v: U256::from(2) }.abi_encode();
            let hash = ledger.submit(&call(&key(0), nonce, probe, write)).await.unwrap();
            nonce += 1;
            let head = heads.next().await.unwrap();
            assert_eq!((head.number, head.hash), (ledger.head().number, ledger.head().hash));
            assert_eq!(logs.next().await.unwrap().transaction_hash, Some(hash));
            assert_eq!(pending.next().await.unwrap(), hash);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn too_much_is_refused_with_a_reason() {
    let mut config = config();
    config.limits.max_batch = 3;
    config.limits.max_request_bytes = 10_000;
    let ledger = Ledger::open(config).unwrap();
    let (server, client) = served(&ledger).await;
    let many: Vec<_> = (0..1_001u64).map(slot).collect();
    let (code, message, _) =
        ask(&client, "eth_feeHistory", json!(["0x1", "latest", vec![1.0; 101]])).await.unwrap_err();
    assert_eq!((code, message.as_str()), (-32005, "101 percentiles; at most 100"));
    let inside = ledger.client();
    let (code, message, _) = ask(&inside, "eth_getLogs", json!([{ "topics": [many] }])).await.unwrap_err();
    assert_eq!((code, message.as_str()), (-32005, "1001 alternatives in one position; at most 1000"));
    let (code, ..) = ask(&inside, "eth_getProof", json!([Address::ZERO, vec![B256::ZERO; 1_025], "latest"]))
        .await
        .unwrap_err();
    assert_eq!(code, -32005);
    let (code, message, _) =
        ask(&client, "eth_getLogs", json!([{ "fromBlock": "0x5", "toBlock": "0x1" }])).await.unwrap_err();
    assert_eq!((code, message.as_str()), (-32602, "invalid params: invalid block range: from 5 to 1"));
    let mut batch = client.new_batch();
    let calls: Vec<_> = (0..4).map(|_| batch.add_call::<_, Value>("eth_chainId", &()).unwrap()).collect();
    // Refused as a whole: either the sending fails or no call of it is answered.
    let _ = batch.send().await;
    for call in calls {
        call.await.unwrap_err();
    }
    let big = json!(["0x".to_owned() + &"00".repeat(10_000)]);
    client.request::<_, Value>("web3_sha3", big).await.unwrap_err();
    assert_eq!(ask(&client, "eth_chainId", json!([])).await.unwrap(), json!("0x7a69"), "and goes on");
    server.stop().await;
}

#[tokio::test]
async fn a_log_search_that_finds_too_much_says_what_to_do() {
    let ledger = open();
    let client = ledger.client();
    let filter = ask(&client, "eth_newFilter", json!([{}])).await.unwrap();
    // Init code that logs 10,001 times and leaves no contract.
    let code = hex!("6127115b5f5fa060019003806003570000").to_vec();
    let tx = alloy::consensus::TxEip1559 {
        to: alloy::primitives::TxKind::Create,
        input: code.into(),
        gas_limit: 6_000_000,
        ..base(0)
    };
    ledger.submit(&sign(&key(0), tx)).await.unwrap();
    let all = json!([{ "fromBlock": "0x0" }]);
    let (code, message, _) = ask(&client, "eth_getLogs", all).await.unwrap_err();
    let want = "query returned more than 10000 results: ask for a smaller range";
    assert_eq!((code, message.as_str()), (-32005, want));
    let at = json!([{ "blockHash": ledger.head().hash }]);
    assert_eq!(ask(&client, "eth_getLogs", at).await.unwrap_err().1, want);
    let (code, message, _) = ask(&client, "eth_getFilterChanges", json!([filter])).await.unwrap_err();
    let want =
        format!("since the filter was last asked: {want}, by `eth_getLogs`, and install the filter again");
    assert_eq!((code, message), (-32005, want));
    let beyond = json!([{ "fromBlock": "0x9", "toBlock": "0xa" }]);
    let (code, message, data) = ask(&client, "eth_getLogs", beyond).await.unwrap_err();
    assert_eq!((code, message.as_str()), (-32000, "there is no block 9 yet; the newest is 1"));
    assert_eq!(data, json!({ "code": "ledger.unknown_block" }));
    let unknown = json!([{ "blockHash": B256::ZERO }]);
    assert!(ask(&client, "eth_getLogs", unknown).await.unwrap_err().1.starts_with("unknown block 0x00"));
}

/// Every method that reads state, at a block named by `at`.
fn state_readers(at: &Value) -> Vec<(&'static str, Value)> {
    let (who, call) = (key(0).address(), json!({ "to": key(0).address() }));
    let tracer = json!({ "tracer": "callTracer" });
    let payload = json!({ "blockStateCalls": [{ "calls": [call] }] });
    vec![
        ("eth_getBalance", json!([who, at])),
        ("eth_getCode", json!([who, at])),
        ("eth_getStorageAt", json!([who, "0x0", at])),
        ("eth_getTransactionCount", json!([who, at])),
        ("eth_getProof", json!([who, [], at])),
        ("eth_getAccount", json!([who, at])),
        ("eth_getAccountInfo", json!([who, at])),
        ("eth_getStorageValues", json!([{ who.to_string(): [slot(0)] }, at])),
        ("eth_call", json!([call, at])),
        ("eth_estimateGas", json!([call, at])),
        ("eth_createAccessList", json!([call, at])),
        ("eth_callMany", json!([[{ "transactions": [call] }], { "blockNumber": at }])),
        ("eth_simulateV1", json!([payload, at])),
        ("debug_traceCall", json!([call, at, tracer])),
    ]
}

#[tokio::test]
async fn every_method_that_reads_state_refuses_what_is_not_kept() {
    let ledger = Ledger::open(manual()).unwrap();
    let client = ledger.client();
    let hash = ledger.submit(&send(&key(0), 0, Address::ZERO, 1)).await.unwrap();
    for _ in 0..guildhall_ledger::HISTORY_BLOCKS + 3 {
        ledger.seal().await.unwrap();
    }
    assert_eq!(ledger.head().number, 259);
    let by_hash = |number| json!({ "blockHash": ledger.block(number).unwrap().hash });
    for at in [json!("0x2"), json!("earliest"), by_hash(1), json!({ "blockNumber": "0x2" })] {
        for (method, params) in state_readers(&at) {
            let (code, message, data) = ask(&client, method, params).await.expect_err(method);
            assert_eq!((code, data), (-32000, json!({ "code": "ledger.state_pruned" })), "{method}");
            assert!(
                message.ends_with("is not kept any more; the oldest is that of block 3"),
                "{method}: {message}"
            );
        }
    }
    let tracer = json!({ "tracer": "callTracer" });
    let block = ledger.block(1).unwrap().hash;
    for (method, params) in [
        ("debug_traceTransaction", json!([hash, tracer])),
        ("debug_traceBlockByNumber", json!(["0x1", tracer])),
        ("debug_traceBlockByHash", json!([block, tracer])),
        ("trace_transaction", json!([hash])),
        ("trace_rawTransaction", json!([Bytes::from(send(&key(0), 1, Address::ZERO, 1)), ["trace"], "0x2"])),
        ("eth_callMany", json!([[], { "blockNumber": "0x1", "transactionIndex": 0 }])),
    ] {
        let (_, _, data) = ask(&client, method, params).await.expect_err(method);
        assert_eq!(data, json!({ "code": "ledger.state_pruned" }), "{method}");
    }
    // The oldest that is kept is answered by all of them.
    for at in [json!("0x3"), by_hash(3)] {
        for (method, params) in state_readers(&at) {
            ask(&client, method, params).await.unwrap_or_else(|e| panic!("{method}: {e:?}"));
        }
    }
}

#[tokio::test]
async fn moving_time_over_rpc_needs_the_flag() {
    let (server, client) = served(&open()).await;
    for method in ["evm_mine", "evm_increaseTime", "evm_setNextBlockTimestamp"] {
        let (code, ..) = ask(&client, method, json!([1])).await.unwrap_err();
        assert_eq!(code, -32601, "{method}");
    }
    server.stop().await;
    let mut config = manual();
    config.dev_methods = true;
    let ledger = Ledger::open(config).unwrap();
    let (server, client) = served(&ledger).await;
    ask(&client, "evm_increaseTime", json!([100])).await.unwrap();
    ask(&client, "evm_mine", json!([])).await.unwrap();
    assert_eq!(ledger.block(1).unwrap().header.timestamp, GENESIS_TIME + 100);
    ask(&client, "evm_setNextBlockTimestamp", json!([GENESIS_TIME + 500])).await.unwrap();
    ask(&client, "evm_mine", json!([])).await.unwrap();
    assert_eq!(ledger.head().timestamp, GENESIS_TIME + 500);
    server.stop().await;
}

#[tokio::test]
async fn a_receipt_comes_with_the_answer_where_the_client_asks_so() {
    let ledger = open();
    let client = ledger.client();
    let tx = Bytes::from(send(&key(0), 0, Address::ZERO, 1));
    let receipt = ask(&client, "eth_sendRawTransactionSync", json!([tx])).await.unwrap();
    assert_eq!(receipt["status"], "0x1");
    let waiting = Bytes::from(send(&key(0), 5, Address::ZERO, 1));
    let (code, ..) = ask(&client, "eth_sendRawTransactionSync", json!([waiting, 1])).await.unwrap_err();
    assert_eq!(code, 4);
    let status = ask(&client, "txpool_status", json!([])).await.unwrap();
    assert_eq!(status, json!({ "pending": "0x0", "queued": "0x1" }));
    let content = ask(&client, "txpool_content", json!([])).await.unwrap();
    assert_eq!(content["queued"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn a_transaction_is_traced_as_it_ran() {
    let ledger = open();
    let provider = ledger.provider();
    let probe = key(0).address().create(0);
    ledger.submit(&create(&key(0), 0, probe_code())).await.unwrap();
    let nest = nestCall { depth: U256::from(2) }.abi_encode();
    let hash = ledger.submit(&call(&key(0), 1, probe, nest)).await.unwrap();
    let client = ledger.client();
    let trace =
        ask(&client, "debug_traceTransaction", json!([hash, { "tracer": "callTracer" }])).await.unwrap();
    let receipt = provider.get_transaction_receipt(hash).await.unwrap().unwrap();
    assert_eq!(trace["gasUsed"], json!(U256::from(receipt.gas_used)));
    assert_eq!(trace["calls"][0]["calls"][0]["to"], json!(probe));
    let say = json!({ "to": probe, "data": Bytes::from(sayCall {}.abi_encode()) });
    let trace =
        ask(&client, "debug_traceCall", json!([say, "latest", { "tracer": "callTracer" }])).await.unwrap();
    assert_eq!(trace["revertReason"], "no");
    let (code, message, _) = ask(&client, "debug_traceTransaction", json!([hash])).await.unwrap_err();
    assert_eq!(code, -32602);
    assert!(message.contains("unsupported tracer; use callTracer"), "{message}");
}

/// Gas bounds what a call computes but not what it shows to a tracer: this one passes on half a megabyte for 150 gas.
#[tokio::test]
async fn a_trace_that_would_fill_the_memory_is_refused() {
    let ledger = Ledger::open(manual()).unwrap();
    let client = ledger.client();
    let to = key(0).address().create(0);
    let init = hex!("6018600a5f3960185ff3600062080000525b5f5f620800005f5f60995af150600756");
    ledger.submit(&create(&key(0), 0, init.to_vec())).await.unwrap();
    ledger.seal().await.unwrap();
    let tracer = |name| json!({ "tracer": name });
    let call = json!({ "to": to, "gas": "0xffffff" });
    let trace = async |name| ask(&client, "debug_traceCall", json!([call, "latest", tracer(name)])).await;
    let (code, message, _) = trace("callTracer").await.unwrap_err();
    let want = "the calls pass on more than 67108864 bytes; use the tracer prestateTracer or 4byteTracer";
    assert_eq!((code, message.as_str()), (-32005, want));
    trace("4byteTracer").await.unwrap();
    trace("prestateTracer").await.unwrap();
    // Each of these passes on some 47 MB: one can be answered, a block of two cannot.
    let mut hashes = Vec::new();
    for nonce in 1..3 {
        let tx = alloy::consensus::TxEip1559 { to: to.into(), gas_limit: 610_000, ..base(nonce) };
        hashes.push(ledger.submit(&sign(&key(0), tx)).await.unwrap());
    }
    assert_eq!(ledger.seal().await.unwrap().transactions.len(), 2);
    for hash in hashes {
        ask(&client, "debug_traceTransaction", json!([hash, tracer("callTracer")])).await.unwrap();
        ask(&client, "trace_transaction", json!([hash])).await.unwrap();
    }
    let (_, message, _) =
        ask(&client, "debug_traceBlockByNumber", json!(["0x2", tracer("callTracer")])).await.unwrap_err();
    assert_eq!(message, want);
    let raw = alloy::consensus::TxEip1559 { to: to.into(), gas_limit: 10_000_000, ..base(3) };
    let raw = Bytes::from(sign(&key(0), raw));
    let (_, message, _) = ask(&client, "trace_rawTransaction", json!([raw, ["trace"]])).await.unwrap_err();
    assert_eq!(message, want);
}

/// A block is in the store a moment before it is announced. Whoever reads in that moment sees it, whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_block_can_always_be_read_while_blocks_are_sealed() {
    let ledger = open();
    let (sealing, client) = (ledger.clone(), ledger.client());
    let sealer = tokio::spawn(async move {
        for _ in 0..500 {
            sealing.seal().await.unwrap();
        }
    });
    let mut newest = 0;
    while !sealer.is_finished() {
        let block = ask(&client, "eth_getBlockByNumber", json!(["latest", false])).await.unwrap();
        let number = block["number"].as_str().unwrap();
        let number = u64::from_str_radix(number.trim_start_matches("0x"), 16).unwrap();
        assert!(number >= newest, "{number} after {newest}");
        newest = number;
        ask(&client, "eth_getBalance", json!([key(0).address(), "latest"])).await.unwrap();
    }
    sealer.await.unwrap();
    assert_eq!(ledger.head().number, 500);
    ledger.close().await;
}
