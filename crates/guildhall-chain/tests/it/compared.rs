//! Two nodes, one of which lags, lies or is on another fork.

use std::time::Duration;

use alloy::{
    primitives::{Address, U256},
    providers::Provider as _,
};
use guildhall_chain::{
    Call, Cursor, Endpoint, EventFilter, Key, RpcPolicy, Sender, SenderPolicy, Update, follow,
};
use guildhall_ledger::SealMode;
use guildhall_service::Coded as _;

use crate::{
    ledger,
    script::{Script, deployment},
};

fn both(first: &Script, second: &Script) -> Endpoint {
    let policy = RpcPolicy {
        retries: 0,
        poll: Some(Duration::from_millis(2)),
        timeout: Duration::from_secs(60),
        ..RpcPolicy::default()
    };
    Endpoint::from_two_transports(first.clone(), second.clone(), "two scripts", true, policy)
}

#[tokio::test]
async fn the_head_is_the_one_that_both_have() {
    let (ahead, behind) = (Script::new(10), Script::new(7));
    for endpoint in [both(&ahead, &behind), both(&behind, &ahead)] {
        let provider = endpoint.provider();
        assert_eq!(provider.get_block_number().await.expect("answered"), 6);
        let head =
            provider.get_block(alloy::eips::BlockId::latest()).await.expect("answered").expect("a block");
        assert_eq!(head.header.number, 6);
        let unknown = provider.get_block_by_number(8.into()).await.expect("answered");
        assert!(unknown.is_none(), "only one of them has it");
    }
}

#[tokio::test]
async fn a_fork_that_only_one_has_is_not_followed() {
    let (first, second) = (Script::new(5), Script::new(5));
    first.grow(1);
    second.grow(0);
    let filter = EventFilter { deployment: deployment(), signatures: Vec::new() };
    let mut follower = follow(&both(&first, &second), Cursor::at(0), filter);
    let mut told = Vec::new();
    let mut status = follower.status();
    let quarrel = async {
        while status.borrow_and_update().failures == 0 {
            status.changed().await.expect("it follows");
        }
        status.borrow().error.clone().unwrap_or_default()
    };
    let error = quarrel.await;
    assert!(error.contains("do not say the same"), "{error}");
    // The first comes round.
    first.cut(5);
    first.grow(0);
    while let Some(update) = follower.next().await {
        match update {
            Update::Head { number: 5, .. } => break,
            Update::Event(event) => told.push(event.position.block.number),
            Update::Head { .. } => {}
            Update::Reverted { .. } => panic!("nothing was said of the fork"),
        }
    }
    assert_eq!(told.last(), Some(&5));
}

#[tokio::test]
async fn a_receipt_that_only_one_shows_is_none() {
    let (first, second) = (Script::new(1), Script::new(1));
    second.node().instant = false;
    let sender = Sender::start(&both(&first, &second), Key::random(), SenderPolicy::default());
    let call = Call { to: Some(deployment().vault), ..Call::default() };
    let mut sending = Box::pin(sender.send(call));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut sending).await;
    early.expect_err("the second node does not have it in a block");
    assert_eq!(first.node().nonce, 1, "the first says that it does");
    assert_eq!(second.node().taken.len(), 1, "both were handed the transaction");
    second.node().mine();
    sending.await.expect("now both say so");
}

#[tokio::test]
async fn two_nodes_are_two() {
    let url = "http://127.0.0.1:1".parse().expect("a URL");
    let error = Endpoint::connect_two(&url, &url, RpcPolicy::default()).await.expect_err("one node");
    assert_eq!(error.code(), "chain.same_node");
    let other = "ipc:///tmp/node".parse().expect("a URL");
    let error =
        Endpoint::connect_two(&url, &other, RpcPolicy::default()).await.expect_err("no node's scheme");
    assert_eq!(error.code(), "chain.url");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_may_be_asked_by_http_and_by_websocket() {
    let key = Key::random();
    let ledger = ledger::ledger(&key, SealMode::Instant { idle: None });
    let server = ledger.serve(([127, 0, 0, 1], 0).into()).await.expect("serve");
    let urls = ["http", "ws"].map(|scheme| format!("{scheme}://{}", server.addr).parse().expect("a URL"));
    for (first, second) in [(&urls[0], &urls[1]), (&urls[1], &urls[0])] {
        let both = Endpoint::connect_two(first, second, RpcPolicy::default()).await.expect("two doors");
        let call = Call { to: Some(Address::repeat_byte(7)), value_wei: U256::ONE, ..Call::default() };
        let sent = Sender::start(&both, key.clone(), SenderPolicy::default())
            .send(call)
            .await
            .expect("both have it in a block");
        let mut follower =
            follow(&both, Cursor::at(0), EventFilter { deployment: deployment(), signatures: Vec::new() });
        let seen = async {
            while let Some(update) = follower.next().await {
                if matches!(update, Update::Head { number, .. } if number >= sent.block) {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.expect("its block is followed");
    }
}
