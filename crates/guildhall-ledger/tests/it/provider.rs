//! alloy's `Provider`, method by method, against the ledger: what it asks for is answered, in a form that it reads.

use crate::common::*;
use alloy::{
    consensus::{Block, Header, ReceiptEnvelope, TxEnvelope},
    eips::{BlockId, BlockNumberOrTag, eip2718::Decodable2718},
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, TxHash, U64, U256, keccak256},
    providers::{
        Provider,
        ext::{DebugApi, TraceApi, TxPoolApi},
    },
    rpc::types::{
        Bundle, Filter, StateContext, StorageValuesRequest, TransactionRequest,
        simulate::{SimBlock, SimulatePayload},
        state::{AccountOverride, StateOverride},
        trace::geth::{GethDebugTracingOptions, TraceResult},
    },
    sol_types::SolCall,
    transports::TransportError,
};
use alloy_rlp::Decodable;
use guildhall_ledger::{HISTORY_BLOCKS, Ledger};

/// Probe and token, each with a call.
struct Told {
    ledger: Ledger,
    probe: Address,
    token: Address,
    hashes: Vec<TxHash>,
}

async fn told() -> Told {
    let ledger = open();
    let owner = key(0);
    let (probe, token) = (owner.address().create(0), owner.address().create(1));
    let write = writeCall { key: U256::from(1), v: U256::from(2) }.abi_encode();
    let transfer = transferCall { to: YOU, value: U256::from(400) }.abi_encode();
    let mut hashes = Vec::new();
    for tx in [
        create(&owner, 0, probe_code()),
        create(&owner, 1, token_code()),
        call(&owner, 2, probe, write),
        call(&owner, 3, token, transfer),
    ] {
        hashes.push(ledger.submit(&tx).await.unwrap());
    }
    Told { ledger, probe, token, hashes }
}

const YOU: Address = Address::repeat_byte(5);

/// The code and words of a refusal.
fn refusal<T: std::fmt::Debug>(answer: Result<T, TransportError>) -> (i64, String) {
    let error = answer.unwrap_err();
    let payload = error.as_error_resp().unwrap_or_else(|| panic!("{error}"));
    (payload.code, payload.message.to_string())
}

fn to(address: Address, input: Vec<u8>) -> TransactionRequest {
    TransactionRequest::default().with_from(key(0).address()).with_to(address).with_input(input)
}

fn call_tracer() -> GethDebugTracingOptions {
    serde_json::from_value(serde_json::json!({ "tracer": "callTracer" })).unwrap()
}

#[tokio::test]
async fn what_alloy_reads_of_blocks_and_transactions_is_answered() {
    let Told { ledger, hashes, token, .. } = told().await;
    let provider = ledger.provider();
    let (owner, head) = (key(0).address(), ledger.block(4).unwrap());
    let latest = BlockId::latest();
    assert_eq!(provider.get_chain_id().await.unwrap(), CHAIN_ID);
    assert_eq!(provider.get_net_version().await.unwrap(), CHAIN_ID);
    assert_eq!(provider.get_block_number().await.unwrap(), 4);
    assert_eq!(provider.get_block_number_by_id(head.hash.into()).await.unwrap(), Some(4));
    assert!(provider.get_client_version().await.unwrap().contains("one machine, not a network"));
    assert_eq!(provider.get_sha3(b"").await.unwrap(), keccak256(b""));
    assert_eq!(provider.get_accounts().await.unwrap(), Vec::<Address>::new());
    provider.syncing().await.unwrap();
    let header = provider.get_header_by_number(BlockNumberOrTag::Latest).await.unwrap().unwrap();
    assert_eq!((header.hash, &header.inner), (head.hash, &head.header));
    assert_eq!(provider.get_header_by_hash(head.hash).await.unwrap().unwrap(), header);
    assert_eq!(provider.get_header_by_hash(B256::ZERO).await.unwrap(), None);
    let block = provider.get_block(latest).full().await.unwrap().unwrap();
    assert_eq!(block.header, header);
    let tx = provider.get_transaction_by_hash(hashes[3]).await.unwrap().unwrap();
    assert_eq!(block.transactions.as_transactions().unwrap(), std::slice::from_ref(&tx));
    assert_eq!(
        provider.get_transaction_by_block_hash_and_index(head.hash, 0).await.unwrap().as_ref(),
        Some(&tx)
    );
    let by_number = provider.get_transaction_by_block_number_and_index(4.into(), 0).await.unwrap();
    assert_eq!(by_number.as_ref(), Some(&tx));
    assert_eq!(provider.get_transaction_by_sender_nonce(owner, 3).await.unwrap().as_ref(), Some(&tx));
    let raw = provider.get_raw_transaction_by_hash(hashes[3]).await.unwrap().unwrap();
    assert_eq!(keccak256(&raw), hashes[3]);
    assert_eq!(
        provider.get_raw_transaction_by_block_hash_and_index(head.hash, 0).await.unwrap(),
        Some(raw.clone())
    );
    let by_number = provider.get_raw_transaction_by_block_number_and_index(4.into(), 0).await.unwrap();
    assert_eq!(by_number, Some(raw));
    assert_eq!(provider.get_raw_transaction_by_block_hash_and_index(head.hash, 1).await.unwrap(), None);
    assert_eq!(provider.get_block_transaction_count_by_hash(head.hash).await.unwrap(), Some(1));
    assert_eq!(provider.get_block_transaction_count_by_number(9.into()).await.unwrap(), None);
    let receipt = provider.get_transaction_receipt(hashes[3]).await.unwrap().unwrap();
    assert_eq!(provider.get_block_receipts(latest).await.unwrap(), Some(vec![receipt.clone()]));
    assert_eq!(provider.get_logs(&Filter::new().address(token).from_block(0)).await.unwrap(), receipt.logs());
    assert_eq!(provider.get_uncle_count(latest).await.unwrap(), 0);
    assert_eq!(provider.get_uncle(latest, 0).await.unwrap(), None);
    assert_eq!(provider.get_uncle(head.hash.into(), 0).await.unwrap(), None);
    for filter in [
        provider.new_block_filter().await.unwrap(),
        provider.new_pending_transactions_filter(false).await.unwrap(),
        provider.new_filter(&Filter::new().address(token).from_block(0)).await.unwrap(),
    ] {
        assert!(provider.get_filter_changes_dyn(filter).await.unwrap().is_empty());
        assert!(provider.uninstall_filter(filter).await.unwrap());
    }
}

#[tokio::test]
async fn what_alloy_reads_of_state_and_fees_is_answered() {
    let Told { ledger, probe, token, .. } = told().await;
    let provider = ledger.provider();
    let owner = key(0).address();
    let proof = provider.get_proof(probe, vec![slot(0)]).await.unwrap();
    let account = provider.get_account(probe).await.unwrap();
    assert_eq!((account.nonce, account.balance), (proof.nonce, proof.balance));
    assert_eq!((account.storage_root, account.code_hash), (proof.storage_hash, proof.code_hash));
    assert_eq!(provider.get_account(YOU).await.unwrap(), Default::default(), "there is no such account");
    let info = provider.get_account_info(probe).await.unwrap();
    assert_eq!(
        (info.code_hash(), &info.code),
        (account.code_hash, &provider.get_code_at(probe).await.unwrap())
    );
    assert_eq!(provider.get_account_info(owner).number(1).await.unwrap().nonce, 1);
    assert_eq!(provider.get_transaction_count(owner).await.unwrap(), 4);
    assert!(provider.get_balance(owner).await.unwrap() < ether(1_000));
    let slots = [mapped(1, U256::from(1)), slot(0), slot(7)];
    let request =
        StorageValuesRequest::new().with_keys(probe, slots.to_vec()).with_keys(token, vec![slot(0)]);
    let values = provider.get_storage_values(request).await.unwrap().0;
    assert_eq!(values[&probe], [U256::from(2), U256::from(2), U256::ZERO]);
    assert_eq!(values[&token], [U256::ZERO]);
    let many = StorageValuesRequest::new().with_keys(probe, (0..1_025).map(slot).collect());
    let (code, message) = refusal(provider.get_storage_values(many).await);
    assert_eq!((code, message.as_str()), (-32005, "1025 slots in one request; at most 1024"));
    assert_eq!(provider.get_storage_at(probe, U256::ZERO).await.unwrap(), U256::from(2));
    let price = provider.get_gas_price().await.unwrap();
    assert_eq!(provider.get_max_priority_fee_per_gas().await.unwrap(), 1);
    assert_eq!(provider.get_blob_base_fee().await.unwrap(), 1);
    let history = provider.get_fee_history(2, BlockNumberOrTag::Latest, &[50.0]).await.unwrap();
    assert_eq!(history.latest_block_base_fee().map(|_| history.base_fee_per_gas[2] + 1), Some(price));
    provider.estimate_eip1559_fees().await.unwrap();
    let transfer = to(token, transferCall { to: YOU, value: U256::ONE }.abi_encode());
    let gas = provider.estimate_gas(transfer.clone()).await.unwrap();
    let list = provider.create_access_list(&transfer).await.unwrap();
    assert_eq!(list.access_list.0[0].address, token);
    assert_eq!(provider.call(transfer.clone()).await.unwrap()[..], slot(1)[..]);
    let filled = provider.fill_transaction(transfer).await.unwrap();
    assert_eq!(TxEnvelope::decode_2718_exact(&filled.raw).unwrap(), filled.tx);
    let tx = filled.tx.as_eip1559().unwrap().tx();
    assert_eq!((tx.nonce, tx.gas_limit, tx.max_fee_per_gas), (4, gas, 2 * (price - 1) + 1));
    // What is filled in is enough: signed, it goes through.
    let hash = ledger.submit(&sign(&key(0), tx.clone())).await.unwrap();
    assert!(provider.get_transaction_receipt(hash).await.unwrap().unwrap().status());
    let other = TransactionRequest { chain_id: Some(1), ..to(YOU, vec![]) };
    let (_, message) = refusal(provider.fill_transaction(other).await);
    assert_eq!(message, "invalid params: chain id 1; this is 31337");
}

#[tokio::test]
async fn what_alloy_reads_of_the_pool_is_answered() {
    let ledger = Ledger::open(manual()).unwrap();
    let provider = ledger.provider();
    let (one, two) = (key(0).address(), key(1).address());
    for (signer, nonce) in [(0, 0), (0, 1), (0, 5), (1, 3)] {
        ledger.submit(&send(&key(signer), nonce, YOU, 7)).await.unwrap();
    }
    let status = provider.txpool_status().await.unwrap();
    assert_eq!((status.pending, status.queued), (2, 2));
    let content = provider.txpool_content().await.unwrap();
    assert_eq!(content.pending[&one].keys().collect::<Vec<_>>(), ["0", "1"]);
    assert_eq!(content.queued[&two].keys().collect::<Vec<_>>(), ["3"]);
    let from = provider.txpool_content_from(one).await.unwrap();
    assert_eq!((&from.pending, &from.queued), (&content.pending[&one], &content.queued[&one]));
    let inspect = provider.txpool_inspect().await.unwrap();
    let summary = &inspect.queued[&one]["5"];
    assert_eq!((summary.to, summary.value, summary.gas), (Some(YOU), U256::from(7), 1_000_000));
    let waiting = provider.get_transaction_by_sender_nonce(one, 5).await.unwrap().unwrap();
    assert_eq!(
        (waiting.inner.tx_hash(), waiting.block_hash),
        (content.queued[&one]["5"].inner.tx_hash(), None)
    );
}

#[tokio::test]
async fn raw_encodings_are_those_that_the_hashes_and_roots_are_of() {
    let Told { ledger, hashes, .. } = told().await;
    let provider = ledger.provider();
    let head = ledger.block(4).unwrap();
    let header = provider.debug_get_raw_header(head.hash.into()).await.unwrap();
    assert_eq!(keccak256(&header), head.hash);
    assert_eq!(Header::decode(&mut &header[..]).unwrap(), head.header);
    let block = provider.debug_get_raw_block(4.into()).await.unwrap();
    let block = Block::<TxEnvelope>::decode(&mut &block[..]).unwrap();
    assert_eq!((&block.header, *block.body.transactions[0].tx_hash()), (&head.header, hashes[3]));
    let size = provider.get_header_by_number(4.into()).await.unwrap().unwrap().size;
    assert_eq!(size, Some(U256::from(alloy_rlp::encode(&block).len())));
    let receipts = provider.debug_get_raw_receipts(4.into()).await.unwrap();
    let receipts: Vec<_> = receipts.iter().map(|r| ReceiptEnvelope::decode_2718_exact(r).unwrap()).collect();
    assert_eq!(alloy::consensus::proofs::calculate_receipt_root(&receipts), head.header.receipts_root);
    let raw = provider.debug_get_raw_transaction(hashes[0]).await.unwrap();
    assert_eq!(keccak256(&raw), hashes[0]);
    assert!(provider.debug_get_raw_transaction(B256::ZERO).await.unwrap().is_empty());
    let (_, message) = refusal(provider.debug_get_raw_block(9.into()).await);
    assert_eq!(message, "there is no block 9 yet; the newest is 4");
}

#[tokio::test]
async fn a_block_is_traced_as_its_transactions_are() {
    let ledger = Ledger::open(manual()).unwrap();
    let provider = ledger.provider();
    let (owner, probe) = (key(0), key(0).address().create(0));
    ledger.submit(&create(&owner, 0, probe_code())).await.unwrap();
    ledger.seal().await.unwrap();
    // The second costs less than it would alone: the first made the slot.
    for (nonce, v) in [(1, 5u64), (2, 6)] {
        let write = writeCall { key: U256::from(1), v: U256::from(v) }.abi_encode();
        ledger.submit(&call(&owner, nonce, probe, write)).await.unwrap();
    }
    let block = ledger.seal().await.unwrap();
    let traces = provider.debug_trace_block_by_number(2.into(), call_tracer()).await.unwrap();
    assert_eq!(provider.debug_trace_block_by_hash(block.hash, call_tracer()).await.unwrap(), traces);
    assert_eq!(traces.len(), 2);
    for (index, traced) in traces.into_iter().enumerate() {
        let hash = *block.transactions[index].tx_hash();
        let alone = provider.debug_trace_transaction(hash, call_tracer()).await.unwrap();
        assert_eq!(traced, TraceResult::new_success(alone.clone(), Some(hash)));
        let gas = alone.try_into_call_frame().unwrap().gas_used;
        assert_eq!(gas, U256::from(block.gas_used(index)));
        let calls = provider.trace_transaction(hash).await.unwrap();
        assert_eq!((calls.len(), calls[0].transaction_hash), (1, Some(hash)));
        assert_eq!(calls[0].block_number, Some(2));
    }
    let next = call(&owner, 3, probe, nestCall { depth: U256::from(2) }.abi_encode());
    let traced = provider.trace_raw_transaction(&next).trace().await.unwrap();
    assert_eq!(traced.trace.len(), 3, "the call and two below it");
    assert_eq!(ledger.head().number, 2, "and nothing of it was sealed");
}

#[tokio::test]
async fn calls_in_a_row_see_what_those_before_them_did() {
    let Told { ledger, token, .. } = told().await;
    let provider = ledger.provider();
    let pay = |from, to, value: u64| {
        let input = transferCall { to, value: U256::from(value) }.abi_encode();
        TransactionRequest::default().with_from(from).with_to(token).with_input(input)
    };
    let me = Address::repeat_byte(6);
    // `YOU` has 400; `me` has what it is given.
    let bundles =
        [Bundle::from(vec![pay(me, YOU, 1), pay(YOU, me, 300), pay(me, YOU, 300), pay(me, YOU, 1)])];
    let answers = provider.call_many(&bundles).await.unwrap();
    let oks: Vec<_> = answers[0].iter().map(|answer| answer.value.is_some()).collect();
    assert_eq!(oks, [false, true, true, false]);
    assert!(answers[0][0].error.as_ref().unwrap().starts_with("execution reverted"));
    // Before the one transaction of block 4, which gave `YOU` its tokens.
    let context = StateContext { block_number: Some(4.into()), transaction_index: Some(0.into()) };
    let answers = provider.call_many(&bundles).context(&context).await.unwrap();
    assert!(answers[0].iter().all(|answer| answer.value.is_none()), "{answers:?}");
}

fn simulated(calls: Vec<TransactionRequest>) -> SimBlock {
    SimBlock { calls, ..SimBlock::default() }
}

#[tokio::test]
async fn simulated_blocks_follow_each_other_and_leave_nothing_behind() {
    let Told { ledger, probe, token, .. } = told().await;
    let provider = ledger.provider();
    let head = ledger.head();
    let me = Address::repeat_byte(6);
    let rich = AccountOverride { balance: Some(ether(1)), ..AccountOverride::default() };
    let overrides: StateOverride = [(me, rich)].into_iter().collect();
    let transfer = to(token, transferCall { to: me, value: U256::from(9) }.abi_encode());
    let on = TransactionRequest {
        from: Some(me),
        ..to(token, transferCall { to: YOU, value: U256::from(9) }.abi_encode())
    };
    let refuse = to(probe, refuseCall { why: U256::from(7) }.abi_encode());
    let value = TransactionRequest { from: Some(me), value: Some(U256::from(5)), ..to(YOU, vec![]) };
    let mut second = simulated(vec![on, value]).with_state_overrides(overrides);
    second.block_overrides =
        Some(alloy::rpc::types::BlockOverrides { number: Some(U256::from(7)), ..Default::default() });
    let payload = SimulatePayload::default().extend(simulated(vec![transfer, refuse])).extend(second);
    let blocks =
        provider.simulate(&payload.clone().with_trace_transfers().with_full_transactions()).await.unwrap();
    let numbers: Vec<_> = blocks.iter().map(|block| block.inner.header.number).collect();
    assert_eq!(numbers, [5, 6, 7], "the one that was skipped is there, empty");
    assert_eq!(blocks[0].inner.header.parent_hash, head.hash);
    for pair in blocks.windows(2) {
        assert_eq!(pair[1].inner.header.parent_hash, pair[0].inner.header.hash_slow());
    }
    let first = &blocks[0].calls;
    assert_eq!((first[0].status, &first[0].return_data[..]), (true, &slot(1)[..]));
    assert_eq!((first[0].logs.len(), first[0].logs[0].block_number), (1, Some(5)));
    let error = first[1].error.as_ref().unwrap();
    assert_eq!((first[1].status, error.code), (false, 3));
    assert_eq!(error.data.as_ref(), Some(&first[1].return_data));
    assert!(
        blocks[2].calls.iter().all(|call| call.status),
        "`me` has what block 5 gave it: {:?}",
        blocks[2].calls
    );
    assert_eq!(blocks[2].calls[1].logs[0].address(), Address::repeat_byte(0xee), "of ether, as it was asked");
    assert_eq!(blocks[2].inner.transactions.as_transactions().unwrap().len(), 2);
    let quiet = provider.simulate(&payload).await.unwrap();
    assert!(quiet[2].calls[1].logs.is_empty());
    assert_eq!(ledger.head(), head);
    assert_eq!(provider.get_balance(me).await.unwrap(), U256::ZERO);
}

#[tokio::test]
async fn a_simulation_is_refused_under_the_codes_of_the_method() {
    let Told { ledger, token, .. } = told().await;
    let provider = ledger.provider();
    let owner = key(0).address();
    let strict = async |request: TransactionRequest| {
        let payload = SimulatePayload::default().extend(simulated(vec![request])).with_validation();
        refusal(provider.simulate(&payload).await).0
    };
    let ok = TransactionRequest { max_fee_per_gas: Some(100 * GWEI), gas: Some(21_000), ..to(YOU, vec![]) };
    assert_eq!(strict(TransactionRequest { nonce: Some(0), ..ok.clone() }).await, -38010);
    assert_eq!(strict(TransactionRequest { nonce: Some(9), ..ok.clone() }).await, -38011);
    assert_eq!(strict(TransactionRequest { max_fee_per_gas: Some(1), ..ok.clone() }).await, -38012);
    assert_eq!(strict(TransactionRequest { gas: Some(20_999), ..ok.clone() }).await, -38013);
    assert_eq!(strict(TransactionRequest { value: Some(ether(1_001)), ..ok.clone() }).await, -38014);
    assert_eq!(strict(TransactionRequest { gas: Some(60_000_001), ..ok.clone() }).await, -38015);
    assert_eq!(strict(TransactionRequest { from: Some(token), ..ok.clone() }).await, -38024);
    let at = |number: u64, time: Option<u64>| SimBlock {
        block_overrides: Some(alloy::rpc::types::BlockOverrides {
            number: Some(U256::from(number)),
            time,
            ..Default::default()
        }),
        ..SimBlock::default()
    };
    for (block, code) in [(at(4, None), -38020), (at(5, Some(1)), -38021), (at(5 + 256, None), -38026)] {
        assert_eq!(refusal(provider.simulate(&SimulatePayload::default().extend(block)).await).0, code);
    }
    let moved = AccountOverride { move_precompile_to: Some(owner), ..AccountOverride::default() };
    let moved: StateOverride = [(Address::with_last_byte(1), moved)].into_iter().collect();
    let (code, message) = refusal(provider.call(to(YOU, vec![])).overrides(moved).await);
    assert_eq!(
        (code, message.as_str()),
        (-32602, "invalid params: `movePrecompileToAddress` is not supported")
    );
}

#[tokio::test]
async fn a_transaction_is_found_by_sender_and_nonce_as_far_back_as_states_are_kept() {
    let ledger = open();
    let provider = ledger.provider();
    let (one, two) = (key(0).address(), key(1).address());
    for nonce in 0..HISTORY_BLOCKS / 2 + 20 {
        ledger.submit(&send(&key(0), nonce, YOU, 1)).await.unwrap();
        ledger.submit(&send(&key(1), nonce, YOU, 1)).await.unwrap();
    }
    // Block 2n + 1 has nonce n of one, block 2n + 2 that of two. Blocks 40 to 296 have their state.
    let head = ledger.head().number;
    assert_eq!(head - HISTORY_BLOCKS, 40);
    for nonce in 20..HISTORY_BLOCKS / 2 + 20 {
        for (sender, number) in [(one, 2 * nonce + 1), (two, 2 * nonce + 2)] {
            let tx = provider.get_transaction_by_sender_nonce(sender, nonce).await.unwrap().unwrap();
            assert_eq!((tx.block_number, tx.inner.signer()), (Some(number), sender));
        }
    }
    let (_, message) = refusal(provider.get_transaction_by_sender_nonce(one, 19).await);
    assert!(
        message.starts_with("the nonce was used in block 40 or before, whose state is not kept"),
        "{message}"
    );
    assert_eq!(provider.get_transaction_by_sender_nonce(one, 148).await.unwrap(), None);
    assert_eq!(provider.get_transaction_by_sender_nonce(YOU, 0).await.unwrap(), None);
    let client = ledger.client();
    let modules: serde_json::Value = client.request_noparams("rpc_modules").await.unwrap();
    assert_eq!((modules["eth"].as_str(), modules.get("evm")), (Some("1.0"), None));
    let count: Option<U64> = client.request("eth_getUncleCountByBlockHash", (B256::ZERO,)).await.unwrap();
    assert_eq!(count, None);
    let raw: Option<Bytes> =
        client.request("eth_getRawTransactionByBlockNumberAndIndex", (3, "0x9")).await.unwrap_or_default();
    assert_eq!(raw, None);
}
