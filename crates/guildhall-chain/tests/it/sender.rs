//! Sending through a node that holds, refuses, forgets and forks.

use std::{collections::BTreeSet, time::Duration};

use crate::script::Script;
use alloy::{
    consensus::Transaction,
    primitives::{Address, Bytes, U256},
    sol_types::{Revert as RevertText, SolError},
};
use guildhall_chain::{Call, Key, SendError, Sender, SenderPolicy, bindings::Vault};
use guildhall_service::Coded;

fn call() -> Call {
    Call { to: Some(Address::repeat_byte(9)), data: Bytes::new(), value_wei: U256::ZERO }
}

fn sender(script: &Script, policy: SenderPolicy) -> Sender {
    Sender::start(&script.endpoint(), Key::random(), policy)
}

fn impatient() -> SenderPolicy {
    SenderPolicy { stuck_after: Duration::from_millis(20), ..SenderPolicy::default() }
}

/// Waits until a transaction with this number is held.
async fn until_sent(script: &Script, nonce: u64) {
    while !script.node().pool.iter().any(|tx| tx.nonce() == nonce) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn many_callers_get_numbers_of_their_own() {
    let script = Script::new(1);
    let sender = sender(&script, SenderPolicy::default());
    let outcomes = futures::future::join_all((0..50).map(|_| sender.send(call()))).await;
    let hashes: BTreeSet<_> = outcomes.into_iter().map(|outcome| outcome.expect("sent").hash).collect();
    assert_eq!(hashes.len(), 50);
    let numbers: Vec<u64> = script.node().taken.iter().map(Transaction::nonce).collect();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn transactions_do_not_wait_for_each_other() {
    let script = Script::new(1);
    script.node().instant = false;
    let sender = sender(&script, SenderPolicy::default());
    let sends = futures::future::join_all((0..5).map(|_| sender.send(call())));
    let mining = async {
        while script.node().pool.len() < 5 {
            tokio::task::yield_now().await;
        }
        script.grow(0);
    };
    let (outcomes, ()) = tokio::join!(sends, mining);
    assert!(outcomes.into_iter().all(|outcome| outcome.is_ok_and(|done| done.block == 1)));
}

#[tokio::test]
async fn a_stuck_transaction_is_replaced_with_a_higher_fee() {
    let script = Script::new(1);
    script.node().instant = false;
    let sender = sender(&script, impatient());
    let mining = async {
        while script.node().taken.len() < 3 {
            tokio::task::yield_now().await;
        }
        // The node forgets the older versions, as nodes do.
        let mut node = script.node();
        let newest = node.pool.pop().expect("the newest");
        node.pool = vec![newest];
        drop(node);
        script.grow(0);
    };
    let (outcome, ()) = tokio::join!(sender.send(call()), mining);
    let outcome = outcome.expect("sent");
    let node = script.node();
    let fees: Vec<u128> = node.taken.iter().map(Transaction::max_fee_per_gas).collect();
    assert!(node.taken.iter().all(|tx| tx.nonce() == 0));
    assert!(fees.windows(2).all(|pair| pair[1] * 100 >= pair[0] * 125), "{fees:?}");
    assert!(node.taken.iter().any(|tx| *tx.tx_hash() == outcome.hash));
}

#[tokio::test]
async fn fees_never_rise_above_the_limit() {
    let script = Script::new(1);
    script.node().instant = false;
    let limit = 2_100;
    let policy =
        SenderPolicy { max_fee_per_gas_wei: limit, give_up_after: Duration::from_millis(200), ..impatient() };
    let error = sender(&script, policy).send(call()).await.expect_err("given up");
    assert_eq!(error.code(), "chain.gave_up");
    assert!(script.node().taken.iter().all(|tx| tx.max_fee_per_gas() <= limit));
    let policy = SenderPolicy { max_fee_per_gas_wei: 10, ..SenderPolicy::default() };
    let error = sender(&script, policy).send(call()).await.expect_err("too high");
    assert_eq!(error.code(), "chain.fee_too_high");
}

#[tokio::test]
async fn a_call_that_would_be_refused_is_explained_and_not_sent() {
    let script = Script::new(1);
    let refusal =
        Vault::BalanceTooLow { account: Default::default(), balance: U256::from(3), needed: U256::from(5) };
    script.node().refusal = Some((3, "execution reverted".into(), Some(refusal.abi_encode().into())));
    let sender = sender(&script, SenderPolicy::default());
    let error = sender.send(call()).await.expect_err("refused");
    assert_eq!(error.code(), "vault.balance_too_low");
    assert_eq!(
        error.to_string(),
        "the call would be refused: BalanceTooLow(account: 0, balance: 3, needed: 5)"
    );
    assert_eq!(error.hint().as_deref(), Some("deposit the difference first"));
    assert!(script.node().taken.is_empty());
}

#[tokio::test]
async fn other_refusals_are_told_apart() {
    let script = Script::new(1);
    let sender = sender(&script, SenderPolicy::default());
    let said = RevertText { reason: "no".into() }.abi_encode();
    for (refusal, code) in [
        ((3, "execution reverted", Some(said.into())), "contract.reverted"),
        ((3, "execution reverted", None), "contract.no_reason"),
        ((3, "execution reverted", Some(Bytes::from_static(&[1, 2, 3, 4, 5]))), "contract.unknown_error"),
        ((-32000, "insufficient funds for gas * price + value", None), "chain.funds"),
        ((-32000, "something else", None), "chain.node"),
    ] {
        let (number, message, data): (i64, &str, Option<Bytes>) = refusal;
        script.node().refusal = Some((number, message.into(), data));
        assert_eq!(sender.send(call()).await.expect_err("refused").code(), code);
    }
}

#[tokio::test]
async fn a_transaction_refused_in_its_block_is_explained() {
    let script = Script::new(1);
    script.node().failing = true;
    script.node().instant = false;
    let sender = sender(&script, SenderPolicy::default());
    let turning = async {
        while script.node().pool.is_empty() {
            tokio::task::yield_now().await;
        }
        // The state changes between simulation and block.
        let refusal = Vault::NotAllowed { caller: Address::ZERO }.abi_encode();
        script.node().refusal = Some((3, "execution reverted".into(), Some(refusal.into())));
        script.grow(0);
    };
    let (outcome, ()) = tokio::join!(sender.send(call()), turning);
    let error = outcome.expect_err("refused");
    assert!(matches!(error, SendError::Reverted { block: 1, .. }), "{error}");
    assert_eq!(error.code(), "contract.not_allowed");
}

#[tokio::test]
async fn an_answer_that_was_lost_is_no_failure() {
    let script = Script::new(1);
    script.node().send_refusal = Some(("already known".into(), true));
    sender(&script, SenderPolicy::default()).send(call()).await.expect("the node has it");
}

#[tokio::test]
async fn a_transaction_that_got_lost_on_the_way_is_sent_again_once() {
    let script = Script::new(1);
    script.node().lose_next_send = true;
    let sender = sender(&script, impatient());
    sender.send(call()).await.expect("sent again");
    let node = script.node();
    assert_eq!((node.taken.len(), node.nonce), (1, 1));
}

#[tokio::test]
async fn a_number_used_by_another_program_is_asked_for_again() {
    let script = Script::new(1);
    let sender = sender(&script, SenderPolicy::default());
    sender.send(call()).await.expect("first");
    // Somebody sends with the same key.
    script.node().nonce = 5;
    script.node().send_refusal = Some(("nonce too low".into(), false));
    sender.send(call()).await.expect("with the chain's number");
    assert_eq!(script.node().taken.last().map(Transaction::nonce), Some(5));
}

#[tokio::test]
async fn a_number_taken_while_waiting_is_reported() {
    let script = Script::new(1);
    script.node().instant = false;
    let sender = sender(&script, SenderPolicy::default());
    let taking = async {
        while script.node().pool.is_empty() {
            tokio::task::yield_now().await;
        }
        let mut node = script.node();
        node.pool.clear();
        node.nonce = 1;
    };
    let (outcome, ()) = tokio::join!(sender.send(call()), taking);
    assert_eq!(outcome.expect_err("taken").code(), "chain.nonce_taken");
}

#[tokio::test]
async fn a_wanted_number_is_given_or_nothing_is_sent() {
    let script = Script::new(1);
    let sender = sender(&script, SenderPolicy::default());
    sender.send_numbered(0, call()).await.expect("free");
    for used_or_ahead in [0, 2] {
        let error = sender.send_numbered(used_or_ahead, call()).await.expect_err("not the next");
        assert_eq!(error.code(), "chain.nonce_taken");
    }
    assert_eq!(script.node().taken.len(), 1);
}

#[tokio::test]
async fn confirmations_are_waited_for() {
    let script = Script::new(1);
    let sender = sender(&script, SenderPolicy { confirmations: 3, ..SenderPolicy::default() });
    let mut sending = Box::pin(sender.send(call()));
    let early = tokio::time::timeout(Duration::from_millis(100), &mut sending).await;
    early.expect_err("two more blocks are missing");
    script.grow(0);
    script.grow(0);
    sending.await.expect("confirmed");
}

#[tokio::test]
async fn what_a_reorganisation_took_back_is_sent_again() {
    let script = Script::new(1);
    let sender = sender(&script, SenderPolicy::default());
    sender.send(call()).await.expect("done");
    script.node().instant = false;
    let undoing = async {
        until_sent(&script, 1).await;
        script.node().nonce = 0;
        until_sent(&script, 0).await;
        script.grow(1);
    };
    let (outcome, ()) = tokio::join!(sender.send(call()), undoing);
    outcome.expect("both get in");
    let node = script.node();
    let again = node.taken.iter().filter(|tx| tx.tx_hash() == node.taken[0].tx_hash()).count();
    assert_eq!((node.nonce, again), (2, 2), "the very same transaction, once more");
}

/// Nobody sends anything else with this key.
#[tokio::test]
async fn what_a_reorganisation_took_back_is_sent_again_by_a_sender_at_rest() {
    let script = Script::new(1);
    let sender = sender(&script, SenderPolicy::default());
    sender.send(call()).await.expect("done");
    script.node().instant = false;
    script.node().nonce = 0;
    until_sent(&script, 0).await;
    script.grow(1);
    let node = script.node();
    assert_eq!(node.nonce, 1);
    assert_eq!(node.taken[0].tx_hash(), node.taken[1].tx_hash(), "the very same transaction, once more");
}

#[tokio::test]
async fn a_number_that_nobody_remembers_is_used_for_nothing() {
    let script = Script::new(1);
    script.node().nonce = 5;
    script.node().instant = false;
    let sender = sender(&script, SenderPolicy::default());
    let undoing = async {
        until_sent(&script, 5).await;
        script.node().nonce = 4;
        until_sent(&script, 4).await;
        script.grow(1);
    };
    let (outcome, ()) = tokio::join!(sender.send(call()), undoing);
    outcome.expect("it gets in");
    let taken = script.node().taken.clone();
    let fillers: Vec<_> = taken.into_iter().filter(|tx| tx.nonce() == 4).collect();
    let filler = fillers.first().map(|tx| (Transaction::to(tx), Transaction::input(tx).clone()));
    assert_eq!(filler, Some((Some(sender.account()), Bytes::new())));
}
