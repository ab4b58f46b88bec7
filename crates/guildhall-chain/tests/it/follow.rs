//! Following a chain that grows, reorganises, stumbles and refuses.

use std::time::Duration;

use crate::script::{Script, deployment};
use guildhall_chain::{
    Cursor, EventFilter, EventKind, Follower, REORG_WINDOW, Update, bindings::Vault::VaultEvents, follow,
};

fn start(script: &Script, cursor: Cursor) -> Follower {
    follow(&script.endpoint(), cursor, EventFilter { deployment: deployment(), signatures: vec![] })
}

/// The amounts of deposits, reverts as `-from`, until the head has this number and fork; and the cursor there.
async fn until(follower: &mut Follower, number: u64, fork: u64) -> (Vec<i64>, Cursor) {
    let mut said = Vec::new();
    let wanted = i64::try_from(number * 1_000 + fork).expect("small");
    let reading = async {
        loop {
            match follower.next().await.expect("never ends") {
                Update::Event(event) => match event.kind {
                    EventKind::Vault(VaultEvents::Deposited(deposit)) => {
                        assert_eq!(event.name, "Deposited");
                        said.push(i64::try_from(deposit.amount).expect("small"));
                    }
                    other => panic!("{other:?}"),
                },
                Update::Reverted { from, deep } => {
                    said.push(-i64::try_from(from).expect("small") - i64::from(deep) * 1_000_000)
                }
                Update::Head { number: head, cursor, time, .. } => {
                    assert_eq!(time, 1_000 + head);
                    if head == number && said.last() == Some(&wanted) {
                        return (said, cursor);
                    }
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("in time")
}

fn deposits(blocks: std::ops::RangeInclusive<u64>, fork: u64) -> Vec<i64> {
    blocks.map(|number| i64::try_from(number * 1_000 + fork).expect("small")).collect()
}

#[tokio::test]
async fn every_event_comes_once_and_in_order_from_ranges_to_the_head() {
    let script = Script::new(5_000);
    let mut follower = start(&script, Cursor::at(10));
    let (said, _) = until(&mut follower, 4_999, 0).await;
    assert_eq!(said, deposits(10..=4_999, 0));
    script.grow(0);
    assert_eq!(until(&mut follower, 5_000, 0).await.0, deposits(5_000..=5_000, 0));
}

#[tokio::test]
async fn a_node_with_narrow_ranges_is_asked_for_less() {
    let script = Script::new(1_000);
    script.node().widest_range = 70;
    let (said, _) = until(&mut start(&script, Cursor::at(0)), 999, 0).await;
    assert_eq!(said, deposits(0..=999, 0));
    assert!(script.node().ranges.iter().any(|(from, to)| to - from < 70));
}

#[tokio::test]
async fn a_node_that_makes_a_block_while_it_is_asked_is_caught_up_with() {
    let script = Script::new(300);
    script.node().far_away = true;
    let mut follower = start(&script, Cursor::at(0));
    let catching_up = async {
        loop {
            if let Some(Update::Head { number, .. }) = follower.next().await
                && script.head() <= number + 2
            {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), catching_up).await.expect("in time");
}

#[tokio::test]
async fn a_reorganisation_undoes_exactly_what_is_gone() {
    let script = Script::new(20);
    let mut follower = start(&script, Cursor::at(0));
    until(&mut follower, 19, 0).await;
    script.cut(15);
    (15..22).for_each(|_| {
        script.grow(1);
    });
    let (said, _) = until(&mut follower, 21, 1).await;
    let mut expected = vec![-15];
    expected.extend(deposits(15..=21, 1));
    // The follower may look while the fork still grows: what it undoes first is never below block 15.
    assert_eq!(said.iter().filter(|amount| **amount > 0).copied().collect::<Vec<_>>(), expected[1..]);
    assert_eq!(said.iter().filter(|amount| **amount < 0).max(), Some(&-15));
}

#[tokio::test]
async fn a_shorter_fork_is_followed_too() {
    let script = Script::new(20);
    let mut follower = start(&script, Cursor::at(0));
    until(&mut follower, 19, 0).await;
    {
        let mut node = script.node();
        // In one step: the follower must not see the old chain cut short.
        drop(std::mem::take(&mut node.ranges));
    }
    script.cut(10);
    script.grow(2);
    let (said, cursor) = until(&mut follower, 10, 2).await;
    assert!(said.contains(&10_002), "{said:?}");
    assert_eq!(cursor.next, 11);
}

#[tokio::test]
async fn a_resumed_follower_undoes_what_changed_while_it_was_away() {
    let script = Script::new(200);
    let mut follower = start(&script, Cursor::at(0));
    let (_, cursor) = until(&mut follower, 199, 0).await;
    drop(follower);
    script.cut(190);
    (190..210).for_each(|_| {
        script.grow(1);
    });
    let text = serde_json::to_string(&cursor).expect("json");
    let (said, _) = until(&mut start(&script, serde_json::from_str(&text).expect("json")), 209, 1).await;
    let mut expected = vec![-190];
    expected.extend(deposits(190..=209, 1));
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_resumed_follower_far_behind_checks_where_it_stood() {
    let script = Script::new(200);
    let mut follower = start(&script, Cursor::at(0));
    let (_, cursor) = until(&mut follower, 199, 0).await;
    drop(follower);
    script.cut(195);
    (195..1_000).for_each(|_| {
        script.grow(1);
    });
    let (said, _) = until(&mut start(&script, cursor), 999, 1).await;
    let mut expected = vec![-195];
    expected.extend(deposits(195..=999, 1));
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_reorganisation_deeper_than_the_window_says_so() {
    let script = Script::new(300);
    let mut follower = start(&script, Cursor::at(200));
    let (_, cursor) = until(&mut follower, 299, 0).await;
    drop(follower);
    script.cut(150);
    (150..310).for_each(|_| {
        script.grow(1);
    });
    let (said, _) = until(&mut start(&script, cursor), 309, 1).await;
    let oldest = 300 - i64::try_from(REORG_WINDOW).expect("small");
    assert_eq!(said[0], -oldest - 1_000_000);
    assert_eq!(said[1..], deposits(oldest as u64..=309, 1));
}

#[tokio::test]
async fn a_node_that_fails_is_reported_and_nothing_is_lost() {
    let script = Script::new(100);
    script.node().failures = 2;
    let mut follower = start(&script, Cursor::at(0));
    let mut status = follower.status();
    let seen =
        tokio::time::timeout(Duration::from_secs(20), status.wait_for(|status| status.failures == 2)).await;
    let error = seen.expect("in time").expect("alive").error.clone();
    assert!(error.is_some_and(|error| error.contains("connection reset")));
    assert_eq!(until(&mut follower, 99, 0).await.0, deposits(0..=99, 0));
    status.wait_for(|status| status.failures == 0 && status.head == 99).await.expect("well again");
}

#[tokio::test]
async fn a_cursor_ahead_of_the_chain_waits() {
    let script = Script::new(10);
    let mut follower = start(&script, Cursor::at(12));
    (10..14).for_each(|_| {
        script.grow(0);
    });
    assert_eq!(until(&mut follower, 13, 0).await.0, deposits(12..=13, 0));
}
