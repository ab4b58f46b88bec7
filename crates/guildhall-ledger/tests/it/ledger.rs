//! The chain itself: durability, roots, old state, refusals.

use crate::common::*;
use alloy::{
    consensus::TxEip1559,
    primitives::{Address, B256, Bytes, TxKind, U256, keccak256},
    providers::Provider,
    rpc::types::EIP1186AccountProofResponse,
    sol_types::SolCall,
};
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use guildhall_ledger::{
    HISTORY_BLOCKS, Ledger, LedgerConfig, LedgerError, MAX_NONCE_AHEAD, MAX_TX_BYTES, MAX_TX_GAS, SealMode,
    TxRejected,
};
use std::time::Duration;

async fn refused(ledger: &Ledger, tx: &[u8]) -> TxRejected {
    match ledger.submit(tx).await.unwrap_err() {
        LedgerError::Rejected(reason) => reason,
        other => panic!("{other}"),
    }
}

/// Fifteen transactions of all sorts: deploys, writes, clears, creations, reverts.
fn story() -> Vec<Vec<u8>> {
    let (owner, other) = (key(0), key(1));
    let probe = owner.address().create(1);
    let token = owner.address().create(0);
    let calls = [
        writeCall { key: U256::from(1), v: U256::from(2) }.abi_encode(),
        writeCall { key: U256::from(2), v: U256::from(3) }.abi_encode(),
        clearCall { key: U256::from(1) }.abi_encode(),
        makeCall { salt: U256::from(5), kill: false }.abi_encode(),
        makeCall { salt: U256::from(6), kill: true }.abi_encode(),
        refuseCall { why: U256::from(9) }.abi_encode(),
        clearCall { key: U256::from(2) }.abi_encode(),
    ];
    let mut story = vec![create(&owner, 0, token_code()), create(&owner, 1, probe_code())];
    for (nonce, input) in (2..).zip(calls) {
        story.push(call(&owner, nonce, probe, input));
        let transfer = transferCall { to: Address::left_padding_from(&[nonce as u8]), value: U256::ZERO };
        story.push(call(&other, nonce - 2, token, transfer.abi_encode()));
    }
    story
}

#[tokio::test]
async fn reopening_after_every_block_gives_the_same_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.redb");
    let through = open();
    for tx in story() {
        let ledger = Ledger::open(config().at(&path)).unwrap();
        ledger.submit(&tx).await.unwrap();
        through.submit(&tx).await.unwrap();
        assert_eq!(ledger.head(), through.head());
        ledger.close().await;
    }
    let ledger = Ledger::open(config().at(&path)).unwrap();
    for number in 0..=through.head().number {
        assert_eq!(ledger.block(number).unwrap(), through.block(number).unwrap());
    }
    let kinds: Vec<_> =
        (1..=ledger.head().number).map(|number| ledger.block(number).unwrap().receipts[0].status()).collect();
    assert_eq!(kinds.iter().filter(|ok| !**ok).count(), 1, "the one that reverts");
}

#[tokio::test]
async fn what_was_acknowledged_is_there_when_the_process_lets_go_without_closing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.redb");
    let ledger = Ledger::open(config().at(&path)).unwrap();
    let hash = ledger.submit(&send(&key(0), 0, Address::repeat_byte(1), 5)).await.unwrap();
    let head = ledger.head();
    drop(ledger);
    // The last handle is gone; the sealer lets go of the file as soon as it notices.
    let again = loop {
        match Ledger::open(config().at(&path)) {
            Ok(ledger) => break ledger,
            Err(LedgerError::Locked { .. }) => std::thread::yield_now(),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(again.head(), head);
    assert!(again.provider().get_transaction_receipt(hash).await.unwrap().unwrap().status());
}

fn verify(proof: &EIP1186AccountProofResponse, root: B256) {
    let account = TrieAccount {
        nonce: proof.nonce,
        balance: proof.balance,
        storage_root: proof.storage_hash,
        code_hash: proof.code_hash,
    };
    let exists = account != TrieAccount::default();
    let expected = exists.then(|| alloy_rlp::encode(account));
    verify_proof(root, Nibbles::unpack(keccak256(proof.address)), expected, &proof.account_proof).unwrap();
    for slot in &proof.storage_proof {
        let expected = (!slot.value.is_zero()).then(|| alloy_rlp::encode(slot.value));
        let key = Nibbles::unpack(keccak256(slot.key.as_b256()));
        verify_proof(proof.storage_hash, key, expected, &slot.proof).unwrap();
    }
}

#[tokio::test]
async fn proofs_of_any_kept_block_verify_against_its_state_root() {
    let ledger = open();
    let probe = key(0).address().create(1);
    for tx in story() {
        ledger.submit(&tx).await.unwrap();
    }
    let provider = ledger.provider();
    let slots = vec![slot(0), mapped(1, U256::from(1)), mapped(1, U256::from(2)), slot(99)];
    let mut values = Vec::new();
    for number in 0..=ledger.head().number {
        let root = ledger.block(number).unwrap().header.state_root;
        for address in [probe, key(0).address(), Address::repeat_byte(0xee)] {
            let proof = provider.get_proof(address, slots.clone()).number(number).await.unwrap();
            verify(&proof, root);
            if address == probe {
                values.push(proof.storage_proof[2].value);
            }
        }
    }
    assert!(values.contains(&U256::from(3)), "the slot was written");
    assert_eq!(values.last(), Some(&U256::ZERO), "and cleared");
}

#[tokio::test]
async fn old_state_is_right_for_256_blocks_and_refused_before() {
    let ledger = open();
    let provider = ledger.provider();
    let to = Address::repeat_byte(0x11);
    let probe = key(1).address().create(0);
    ledger.submit(&create(&key(1), 0, probe_code())).await.unwrap();
    for n in 0..(HISTORY_BLOCKS + 40) / 2 {
        ledger.submit(&send(&key(0), n, to, 1)).await.unwrap();
        let write = writeCall { key: U256::from(7), v: U256::from(n + 1) }.abi_encode();
        ledger.submit(&call(&key(1), n + 1, probe, write)).await.unwrap();
    }
    let head = ledger.head().number;
    let slot = U256::from_be_bytes(mapped(1, U256::from(7)).0);
    for number in head - HISTORY_BLOCKS..=head {
        let balance = provider.get_balance(to).number(number).await.unwrap();
        assert_eq!(balance, U256::from(number / 2), "balance after block {number}");
        let value = provider.get_storage_at(probe, slot).number(number).await.unwrap();
        assert_eq!(value, U256::from((number - 1) / 2), "slot after block {number}");
    }
    let too_old = head - HISTORY_BLOCKS - 1;
    for error in [
        provider.get_balance(to).number(too_old).await.unwrap_err(),
        provider.get_storage_at(probe, slot).number(too_old).await.unwrap_err(),
        provider.get_proof(to, vec![]).number(too_old).await.unwrap_err(),
    ] {
        let oldest = head - HISTORY_BLOCKS;
        let want = format!(
            "the state of block {too_old} is not kept any more; the oldest is that of block {oldest}"
        );
        assert!(error.to_string().contains(&want), "{error}");
    }
    let error = provider.get_balance(to).number(head + 1).await.unwrap_err();
    assert!(error.to_string().contains("there is no block"), "{error}");
}

#[tokio::test]
async fn blocks_form_a_chain_and_every_root_is_real() {
    let ledger = open();
    for tx in story() {
        ledger.submit(&tx).await.unwrap();
    }
    let mut parent = ledger.block(0).unwrap();
    for number in 1..=ledger.head().number {
        let block = ledger.block(number).unwrap();
        let header = &block.header;
        assert_eq!((header.parent_hash, header.number), (parent.hash, number));
        assert_eq!(header.hash_slow(), block.hash);
        let receipts = alloy::consensus::proofs::calculate_receipt_root(&block.receipts);
        assert_eq!(header.receipts_root, receipts);
        let txs: Vec<_> = block.transactions.iter().map(|tx| tx.inner().clone()).collect();
        assert_eq!(header.transactions_root, alloy::consensus::proofs::calculate_transaction_root(&txs));
        assert_ne!(header.state_root, parent.header.state_root);
        parent = block;
    }
}

#[tokio::test]
async fn a_transaction_that_no_block_could_take_is_refused_with_the_reason() {
    let ledger = open();
    let sender = key(0);
    ledger.submit(&send(&sender, 0, Address::ZERO, 1)).await.unwrap();
    let next = base(1);
    let code = async |tx: TxEip1559| refused(&ledger, &sign(&sender, tx)).await.code();
    assert_eq!(code(TxEip1559 { chain_id: 1, ..next.clone() }).await, "ledger.tx_chain_id");
    assert_eq!(code(TxEip1559 { nonce: 0, ..next.clone() }).await, "ledger.tx_nonce_too_low");
    let far = TxEip1559 { nonce: 2 + MAX_NONCE_AHEAD, ..next.clone() };
    assert_eq!(code(far).await, "ledger.tx_nonce_too_high");
    assert_eq!(code(TxEip1559 { value: ether(1_001), ..next.clone() }).await, "ledger.tx_funds");
    assert_eq!(code(TxEip1559 { value: U256::MAX, ..next.clone() }).await, "ledger.tx_funds");
    assert_eq!(code(TxEip1559 { max_fee_per_gas: 1, ..next.clone() }).await, "ledger.tx_fee_cap");
    let tip = TxEip1559 { max_priority_fee_per_gas: 101 * GWEI, ..next.clone() };
    assert_eq!(code(tip).await, "ledger.tx_tip");
    assert_eq!(code(TxEip1559 { gas_limit: MAX_TX_GAS + 1, ..next.clone() }).await, "ledger.tx_gas_limit");
    assert_eq!(code(TxEip1559 { gas_limit: 20_999, ..next.clone() }).await, "ledger.tx_intrinsic_gas");
    let calldata = Bytes::from(vec![1; 40_000]);
    let floor = TxEip1559 { gas_limit: 700_000, input: calldata, ..next.clone() };
    assert_eq!(code(floor).await, "ledger.tx_intrinsic_gas", "EIP-7623: 40 gas a byte at least");
    let big = TxEip1559 { input: vec![0; MAX_TX_BYTES].into(), gas_limit: MAX_TX_GAS, ..next.clone() };
    assert_eq!(code(big).await, "ledger.tx_oversized");
    let init = TxEip1559 { to: TxKind::Create, input: vec![0; 49_153].into(), gas_limit: 9_000_000, ..next };
    assert_eq!(code(init).await, "ledger.tx_invalid", "EIP-3860: at most 49,152 bytes of init code");
    assert_eq!(refused(&ledger, &[3, 0xc0]).await, TxRejected::Blob);
    assert_eq!(refused(&ledger, &[]).await.code(), "ledger.tx_malformed");
    assert_eq!(refused(&ledger, &[2, 0xc1, 0x80]).await.code(), "ledger.tx_malformed");
    let known = send(&sender, 0, Address::ZERO, 1);
    assert_eq!(refused(&ledger, &known).await.code(), "ledger.tx_known");
    assert_eq!(ledger.head().number, 1, "nothing refused made a block");
}

#[tokio::test]
async fn a_nonce_gap_waits_survives_a_restart_and_closes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.redb");
    let ledger = Ledger::open(config().at(&path)).unwrap();
    let sender = key(0);
    for nonce in [2, 1, 4] {
        ledger.submit(&send(&sender, nonce, Address::repeat_byte(2), 1)).await.unwrap();
    }
    assert_eq!(ledger.head().number, 0);
    ledger.close().await;
    let ledger = Ledger::open(config().at(&path)).unwrap();
    let known = send(&sender, 2, Address::repeat_byte(2), 1);
    assert_eq!(refused(&ledger, &known).await.code(), "ledger.tx_known");
    ledger.submit(&send(&sender, 0, Address::repeat_byte(2), 1)).await.unwrap();
    let block = ledger.block(1).unwrap();
    assert_eq!(block.transactions.len(), 3, "0, 1 and 2 in one block; 4 still waits");
    let provider = ledger.provider();
    assert_eq!(provider.get_transaction_count(sender.address()).pending().await.unwrap(), 3);
    ledger.close().await;
    let ledger = Ledger::open(config().at(&path)).unwrap();
    ledger.submit(&send(&sender, 3, Address::repeat_byte(2), 1)).await.unwrap();
    let nonce = ledger.provider().get_transaction_count(sender.address()).await.unwrap();
    assert_eq!(nonce, 5);
}

#[tokio::test]
async fn a_waiting_transaction_is_replaced_for_ten_percent_more_and_not_for_less() {
    let ledger = Ledger::open(manual()).unwrap();
    let sender = key(0);
    let old = TxEip1559 { max_priority_fee_per_gas: 10 * GWEI, ..base(0) };
    let old_hash = ledger.submit(&sign(&sender, old.clone())).await.unwrap();
    let cheap = TxEip1559 { max_fee_per_gas: 109 * GWEI, max_priority_fee_per_gas: 11 * GWEI, ..old.clone() };
    assert_eq!(refused(&ledger, &sign(&sender, cheap)).await.code(), "ledger.tx_underpriced");
    let dear = TxEip1559 { max_fee_per_gas: 110 * GWEI, max_priority_fee_per_gas: 11 * GWEI, ..old };
    let hash = ledger.submit(&sign(&sender, dear)).await.unwrap();
    let block = ledger.seal().await.unwrap();
    assert_eq!(block.transactions.iter().map(|tx| *tx.tx_hash()).collect::<Vec<_>>(), vec![hash]);
    assert!(ledger.provider().get_transaction_by_hash(old_hash).await.unwrap().is_none());
}

#[tokio::test]
async fn a_refused_transaction_leaves_those_behind_it_waiting() {
    let ledger = Ledger::open(manual()).unwrap();
    let (sender, to) = (key(0), Address::repeat_byte(3));
    // Each is affordable alone; the second is not after the first.
    let most = |nonce| TxEip1559 { value: ether(900), to: TxKind::Call(to), ..base(nonce) };
    ledger.submit(&sign(&sender, most(0))).await.unwrap();
    ledger.submit(&sign(&sender, most(1))).await.unwrap();
    ledger.submit(&send(&sender, 2, to, 1)).await.unwrap();
    assert_eq!(ledger.seal().await.unwrap().transactions.len(), 1);
    assert_eq!(ledger.seal().await.unwrap().transactions.len(), 0);
    ledger.submit(&send(&sender, 1, to, 1)).await.unwrap();
    assert_eq!(ledger.seal().await.unwrap().transactions.len(), 2);
}

#[tokio::test]
async fn blocks_fill_up_to_the_gas_limit_and_the_base_fee_follows() {
    let mut config = manual();
    config.genesis.gas_limit = 210_000;
    let ledger = Ledger::open(config).unwrap();
    for nonce in 0..12 {
        let tx = TxEip1559 { gas_limit: 21_000, ..base(nonce) };
        ledger.submit(&sign(&key(0), tx)).await.unwrap();
    }
    let full = ledger.seal().await.unwrap();
    assert_eq!((full.transactions.len(), full.header.gas_used), (10, 210_000));
    let next = ledger.seal().await.unwrap();
    assert_eq!(next.transactions.len(), 2);
    // EIP-1559: a full block raises the base fee by an eighth.
    let fee = full.header.base_fee_per_gas.unwrap();
    assert_eq!(next.header.base_fee_per_gas, Some(fee + fee / 8));
}

#[tokio::test]
async fn many_clients_share_blocks() {
    let ledger = open();
    let all = (0..8).flat_map(|i| (0..50).map(move |n| send(&key(i), n, Address::repeat_byte(9), 1)));
    let sent: Vec<_> = all
        .map(|tx| {
            let ledger = ledger.clone();
            tokio::spawn(async move { ledger.submit(&tx).await })
        })
        .collect();
    for tx in sent {
        tx.await.unwrap().unwrap();
    }
    let balance = ledger.provider().get_balance(Address::repeat_byte(9)).await.unwrap();
    assert_eq!(balance, U256::from(400));
    assert!(ledger.head().number < 400, "{} blocks", ledger.head().number);
}

#[tokio::test]
async fn an_idle_chain_lets_time_pass_with_empty_blocks() {
    let idle = SealMode::Instant { idle: Some(Duration::from_secs(1)) };
    let ledger = Ledger::open(LedgerConfig::new(genesis()).sealing(idle)).unwrap();
    let mut heads = ledger.subscribe_heads();
    tokio::time::timeout(Duration::from_secs(20), heads.wait_for(|head| head.number >= 2))
        .await
        .unwrap()
        .unwrap();
    assert!(ledger.block(1).unwrap().transactions.is_empty());
}

#[tokio::test]
async fn an_interval_chain_acknowledges_at_once_and_seals_on_its_timer() {
    let interval = SealMode::Interval { period: Duration::from_millis(100) };
    let ledger = Ledger::open(config().sealing(interval)).unwrap();
    let mut heads = ledger.subscribe_heads();
    let hash = ledger.submit(&send(&key(0), 0, Address::repeat_byte(1), 5)).await.unwrap();
    let within = Duration::from_secs(20);
    tokio::time::timeout(within, heads.wait_for(|head| head.number >= 3)).await.unwrap().unwrap();
    let receipt = ledger.provider().get_transaction_receipt(hash).await.unwrap().unwrap();
    assert!(receipt.block_number.unwrap() <= 2, "in the block after it came: {receipt:?}");
    assert_eq!(ledger.block(3).unwrap().header.timestamp, GENESIS_TIME);
    ledger.advance_time(60).await.unwrap();
    let moved = heads.wait_for(|head| head.timestamp == GENESIS_TIME + 60);
    tokio::time::timeout(within, moved).await.unwrap().unwrap();
    ledger.close().await;
}

#[tokio::test]
async fn time_moves_as_it_is_told_and_never_back() {
    let ledger = Ledger::open(manual()).unwrap();
    assert_eq!(ledger.seal().await.unwrap().header.timestamp, GENESIS_TIME);
    ledger.advance_time(3_600).await.unwrap();
    assert_eq!(ledger.seal().await.unwrap().header.timestamp, GENESIS_TIME + 3_600);
    ledger.set_next_timestamp(GENESIS_TIME + 9_000).await.unwrap();
    assert_eq!(ledger.seal().await.unwrap().header.timestamp, GENESIS_TIME + 9_000);
    let error = ledger.set_next_timestamp(GENESIS_TIME).await.unwrap_err();
    assert_eq!(error.code(), "ledger.time_backwards");
}

#[tokio::test]
async fn another_genesis_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.redb");
    Ledger::open(config().at(&path)).unwrap().close().await;
    let mut other = config().at(&path);
    other.genesis.chain_id = 5;
    let error = Ledger::open(other).unwrap_err();
    assert_eq!(error.code(), "ledger.genesis_mismatch");
    assert!(error.to_string().contains("chain_id is 31337 there and 5 here"), "{error}");
    let mut other = config().at(&path);
    other.genesis = other.genesis.fund(Address::repeat_byte(1), U256::ONE);
    assert!(Ledger::open(other).unwrap_err().to_string().contains("accounts"));
    assert_eq!(Ledger::stored_genesis(&path).unwrap(), Some(genesis()));
    assert_eq!(Ledger::stored_genesis(&dir.path().join("none")).unwrap(), None);
}

#[tokio::test]
async fn an_open_database_is_locked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.redb");
    let ledger = Ledger::open(config().at(&path)).unwrap();
    assert_eq!(Ledger::open(config().at(&path)).unwrap_err().code(), "ledger.locked");
    ledger.close().await;
    assert_eq!(ledger.submit(&send(&key(0), 0, Address::ZERO, 1)).await.unwrap_err().code(), "ledger.closed");
    assert_eq!(ledger.block(0).unwrap_err().code(), "ledger.closed");
    Ledger::open(config().at(&path)).unwrap();
}

#[tokio::test]
async fn a_foreign_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text");
    std::fs::write(&text, "not a database\n".repeat(1_000)).unwrap();
    assert_eq!(Ledger::open(config().at(&text)).unwrap_err().code(), "ledger.foreign");
    let other = dir.path().join("other.redb");
    let db = redb::Database::create(&other).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(redb::TableDefinition::<u64, u64>::new("mine")).unwrap();
    txn.commit().unwrap();
    drop(db);
    assert_eq!(Ledger::open(config().at(&other)).unwrap_err().code(), "ledger.foreign");
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.redb");
    Ledger::open(config().at(&path)).unwrap().close().await;
    let db = redb::Database::open(&path).unwrap();
    let txn = db.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, &[u8]>::new("guildhall_meta");
    txn.open_table(meta).unwrap().insert("format", &99u64.to_be_bytes()[..]).unwrap();
    txn.commit().unwrap();
    drop(db);
    let error = Ledger::open(config().at(&path)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the ledger has format 99, this version reads up to 1; use a newer guildhall"
    );
}

#[tokio::test]
async fn a_cut_or_flipped_file_is_never_opened_as_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.redb");
    let ledger = Ledger::open(config().at(&path)).unwrap();
    for tx in story() {
        ledger.submit(&tx).await.unwrap();
    }
    let head = ledger.head();
    ledger.close().await;
    let whole = std::fs::read(&path).unwrap();
    let damaged = dir.path().join("damaged.redb");
    for part in 1..16 {
        std::fs::write(&damaged, &whole[..whole.len() * part / 16]).unwrap();
        let error = Ledger::open(config().at(&damaged)).unwrap_err();
        assert!(["ledger.corrupt", "ledger.foreign", "ledger.storage"].contains(&error.code()), "{error}");
    }
    for at in (64..whole.len()).step_by(whole.len() / 150) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        std::fs::write(&damaged, &bytes).unwrap();
        // Either the flip hit nothing that is in use, or it is found: there is no third answer.
        match Ledger::open(config().at(&damaged)) {
            Ok(ledger) => {
                assert_eq!(ledger.head(), head, "flipped at {at}");
                ledger.close().await;
            }
            Err(error) => assert_ne!(error.code(), "ledger.genesis_mismatch", "{error}"),
        }
    }
}

#[tokio::test]
async fn a_closed_ledger_keeps_no_free_space() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.redb");
    let ledger = Ledger::open(config().at(&path)).unwrap();
    for nonce in 0..1_200 {
        ledger.submit(&send(&key(0), nonce, Address::repeat_byte(9), 1)).await.unwrap();
    }
    let (head, open) = (ledger.head(), path.metadata().unwrap().len());
    ledger.close().await;
    let closed = path.metadata().unwrap().len();
    assert!(closed < open, "{closed} bytes of {open}");
    let ledger = Ledger::open(config().at(&path)).unwrap();
    assert_eq!(ledger.head(), head);
    ledger.close().await;
    let again = path.metadata().unwrap().len();
    assert!(again >= closed - closed / 50, "there was free space left: {closed} bytes, then {again}");
}
