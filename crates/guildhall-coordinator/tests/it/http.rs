//! The coordinator as its clients meet it: over real sockets, with a simulated chain.

use std::time::Duration;

use crate::support::city::{City, start};
use alloy::primitives::B256;
use guildhall_api::{
    Ack, ApiError, Bundle, Credential, MemberEvent, MemberStream, Outcome, Produced, ProgressStep, Purpose,
    RoundRef, SignedList,
};
use guildhall_coordinator::{CoordinatorError, limits};
use guildhall_protocol::messages::{Reservation, certifier_domain};
use guildhall_protocol::{ContentId, RoundId};
use guildhall_testkit::builders::{CHAIN, OPENED_AT, POOL, Worker, certifier, lie, receipts, truth};
use tokio::net::TcpSocket;

/// Longer than anything here takes; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

async fn until<T>(stream: &mut MemberStream, mut wanted: impl FnMut(MemberEvent) -> Option<T>) -> T {
    let found = async {
        loop {
            let event = stream.next().await.expect("a good stream").expect("an open stream");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("the event comes")
}

async fn list_of(stream: &mut MemberStream) -> SignedList {
    until(stream, |event| match event {
        MemberEvent::Listed { list } => Some(*list),
        _ => None,
    })
    .await
}

fn refusal(error: ApiError) -> String {
    error.refusal().map(str::to_owned).unwrap_or_else(|| panic!("not a refusal: {error}"))
}

#[tokio::test]
async fn a_round_from_reservation_to_result() {
    let city = City::new(3).await;
    let mut streams = Vec::new();
    for worker in &city.workers {
        streams.push(city.listen(worker).await);
    }
    let mut watcher = city.client.progress(Some(city.at.deal)).await.expect("a stream");
    city.reserve_and_commit().await;
    for (worker, stream) in city.workers.iter().zip(&mut streams) {
        let list = list_of(stream).await;
        list.check(city.key.address(), &certifier_domain(CHAIN, certifier())).expect("a good list");
        let contribution = worker.contribution(city.at, 0, truth(), list.hash());
        assert_eq!(city.client.contribute(&contribution).await.expect("taken"), Ack::Accepted);
    }
    for stream in &mut streams {
        let mut co_members = 0;
        let outcome = until(stream, |event| match event {
            MemberEvent::Contributed { .. } => {
                co_members += 1;
                None
            }
            MemberEvent::Ended { outcome, .. } => Some(outcome),
            _ => None,
        })
        .await;
        assert!(matches!(outcome, Outcome::Certified { claim, .. } if claim == truth()));
        assert_eq!(co_members, 2, "every member could post");
    }
    let mut steps = Vec::new();
    loop {
        let event = watcher.next().await.expect("a good stream").expect("an open stream");
        let last = matches!(event.step, ProgressStep::Ended { .. });
        steps.push(event.step);
        if last {
            break;
        }
    }
    let committed = steps.iter().filter(|step| matches!(step, ProgressStep::Committed { .. })).count();
    assert_eq!(committed, 3, "{steps:?}");
    assert_eq!(city.chain.posts.lock().expect("not poisoned").len(), 1);

    let (receipts, output) = receipts();
    let bundle = Bundle::build(receipts, vec![Produced::Bytes(output)]).expect("one task").encode();
    let purpose = Purpose::Upload { content_id: ContentId::of(&bundle), size: bundle.len() as u64 };
    let credential = city.credential(&city.workers[0].key, purpose);
    assert_eq!(city.client.stored_result(city.at).await.expect("asked"), None);
    let stored = city.client.store_result(city.at, bundle.clone().into(), &credential).await.expect("stored");
    assert_eq!(stored.content_id, ContentId::of(&bundle));
    assert_eq!(city.client.stored_result(city.at).await.expect("asked"), Some(stored.content_id));
    assert_eq!(
        city.client.result(city.at.deal, city.at.batch, city.at.attempt).await.expect("there"),
        bundle
    );
    let state = city.client.round(city.at.id).await.expect("known");
    assert_eq!(state.result, Some(stored.content_id));
    assert_eq!(city.client.rounds_of(city.at.deal).await.expect("known"), [state]);
}

#[tokio::test]
async fn a_false_result_and_an_early_one_are_refused() {
    let city = City::new(3).await;
    let (mut receipts, output) = receipts();
    receipts[0].fuel += 1;
    let bundle = Bundle::build(receipts, vec![Produced::Bytes(output)]).expect("one task").encode();
    let purpose = Purpose::Upload { content_id: ContentId::of(&bundle), size: bundle.len() as u64 };
    let mut stream = city.listen(&city.workers[0]).await;
    city.reserve_and_commit().await;
    let credential = city.credential(&city.workers[0].key, purpose);
    let early = city.client.store_result(city.at, bundle.clone().into(), &credential).await;
    assert_eq!(refusal(early.expect_err("no certificate yet")), "coordinator.not_certified");
    let hash = list_of(&mut stream).await.hash();
    for worker in &city.workers {
        city.client.contribute(&worker.contribution(city.at, 0, truth(), hash)).await.expect("taken");
    }
    until(&mut stream, |event| matches!(event, MemberEvent::Ended { .. }).then_some(())).await;
    let replayed = city.client.store_result(city.at, bundle.clone().into(), &credential).await;
    assert_eq!(refusal(replayed.expect_err("used before")), "auth.replayed");
    let credential = city.credential(&city.workers[0].key, purpose);
    let false_one = city.client.store_result(city.at, bundle.clone().into(), &credential).await;
    assert_eq!(refusal(false_one.expect_err("another root")), "coordinator.wrong_result");
    let stranger = city.credential(&Worker::new(99).key, purpose);
    let foreign = city.client.store_result(city.at, bundle.into(), &stranger).await;
    assert_eq!(refusal(foreign.expect_err("nobody")), "coordinator.may_not_store");
    let none = city.client.result(city.at.deal, city.at.batch, city.at.attempt).await;
    assert_eq!(refusal(none.expect_err("nothing stored")), "coordinator.no_result");
}

#[tokio::test]
async fn messages_that_prove_nothing_are_refused_by_name() {
    let city = City::new(3).await;
    let (first, second) = (&city.workers[0], &city.workers[1]);
    let stranger = Worker::new(99).reservation(city.at, 0, OPENED_AT + 30);
    assert_eq!(
        refusal(city.client.reserve(&stranger).await.expect_err("a stranger")),
        "coordinator.not_a_member"
    );

    let mut forged = first.reservation(city.at, 0, OPENED_AT + 30);
    forged.worker = second.address();
    assert_eq!(refusal(city.client.reserve(&forged).await.expect_err("another's name")), "signature.signer");

    let elsewhere = RoundRef { attempt: 1, ..city.at };
    let wrong = first.reservation(elsewhere, 0, OPENED_AT + 30);
    assert_eq!(
        refusal(city.client.reserve(&wrong).await.expect_err("no such draw")),
        "coordinator.unknown_round"
    );

    let later = first.commitment(city.at, 1, truth());
    assert_eq!(refusal(city.client.commit(&later).await.expect_err("not begun")), "coordinator.wrong_wave");

    let endless = first.reservation(city.at, 0, OPENED_AT + 3_000);
    let refused = city.client.reserve(&endless).await.expect_err("beyond the wave");
    assert_eq!(refusal(refused), "coordinator.reservation_time");

    let unlisted = first.contribution(city.at, 0, truth(), Default::default());
    assert_eq!(
        refusal(city.client.contribute(&unlisted).await.expect_err("no list")),
        "coordinator.not_listed"
    );

    let unknown = city.client.round(RoundId::default()).await.expect_err("never seen");
    assert_eq!(refusal(unknown), "coordinator.unknown_round");
}

#[tokio::test]
async fn a_message_for_another_chain_or_another_round_is_refused() {
    let city = City::new(3).await;
    let first = &city.workers[0];
    let message = Reservation { roundId: city.at.id.0, wave: 0, expiry: OPENED_AT + 30 };
    let elsewhere = first.envelope_on(CHAIN + 1, city.at, message);
    let refused = city.client.reserve(&elsewhere).await.expect_err("signed for another chain");
    assert_eq!(refusal(refused), "signature.signer");

    let mut moved = first.reservation(city.at, 0, OPENED_AT + 30);
    moved.round.id = RoundId(B256::repeat_byte(3));
    let refused = city.client.reserve(&moved).await.expect_err("signed for the first round");
    assert_eq!(refusal(refused), "message.other_round");

    let body = serde_json::to_vec(&first.reservation(city.at, 0, OPENED_AT + 30)).expect("JSON");
    let other = RoundId(B256::repeat_byte(4));
    let (status, code) = city.post(&format!("rounds/{other}/reservations"), body).await;
    assert_eq!((status, code.as_str()), (400, "coordinator.other_round"));
    assert!(city.client.round(city.at.id).await.is_err(), "nothing came of any of them");
}

#[tokio::test]
async fn a_body_that_is_no_message_is_a_problem_document() {
    let city = City::new(3).await;
    let path = |what: &str| format!("rounds/{}/{what}", city.at.id);
    let deep = "[".repeat(10_000);
    for (what, body) in [
        ("reservations", ""),
        ("commitments", "{"),
        ("contributions", "null"),
        ("unavailable", "{\"worker\":7}"),
        ("commitments", deep.as_str()),
        ("commitments", "\u{0}\u{1}"),
    ] {
        let (status, code) = city.post(&path(what), body.as_bytes().to_vec()).await;
        assert_eq!((status, code.as_str()), (400, "coordinator.bad_json"), "{what}");
    }
    let good = serde_json::to_vec(&city.workers[0].reservation(city.at, 0, OPENED_AT + 30)).expect("JSON");
    let (status, code) = city.post("rounds/0x12/reservations", good).await;
    assert_eq!((status, code.as_str()), (400, "coordinator.bad_round_id"));
    let (status, _) = city.post(&path("commitments"), vec![b' '; 4 << 20]).await;
    assert_eq!(status, 413, "longer than any message");
    city.client.about().await.expect("the coordinator goes on");
}

#[tokio::test]
async fn a_second_commitment_is_an_equivocation_and_a_false_opening_is_refused() {
    let city = City::new(3).await;
    let mut stream = city.listen(&city.workers[0]).await;
    city.reserve_and_commit().await;
    let second = city.workers[0].commitment(city.at, 0, lie(1));
    assert_eq!(refusal(city.client.commit(&second).await.expect_err("two")), "coordinator.equivocation");
    let again = city.workers[1].commitment(city.at, 0, truth());
    assert_eq!(city.client.commit(&again).await.expect("the same"), Ack::Known);
    let hash = list_of(&mut stream).await.hash();
    let not_committed = city.workers[1].contribution(city.at, 0, lie(1), hash);
    assert_eq!(
        refusal(city.client.contribute(&not_committed).await.expect_err("not it")),
        "message.not_committed"
    );
    let other_list = city.workers[1].contribution(city.at, 0, truth(), Default::default());
    assert_eq!(
        refusal(city.client.contribute(&other_list).await.expect_err("no such")),
        "coordinator.wrong_list"
    );
    let state = city.client.round(city.at.id).await.expect("known");
    assert_eq!(state.equivocators, [city.workers[0].address()]);
}

#[tokio::test]
async fn a_stream_needs_a_fresh_hello_of_a_member() {
    let city = City::new(3).await;
    let hello = city.credential(&city.workers[0].key, Purpose::Stream { pool: POOL });
    let mut stream = city.client.member_stream(&hello).await.expect("a stream");
    until(&mut stream, |event| (event == MemberEvent::Ready).then_some(())).await;
    let open = |credential: Credential| {
        let client = city.client.clone();
        async move { refusal(client.member_stream(&credential).await.err().expect("refused")) }
    };
    assert_eq!(open(hello).await, "auth.replayed");
    let stranger = city.credential(&Worker::new(99).key, Purpose::Stream { pool: POOL });
    assert_eq!(open(stranger).await, "coordinator.not_a_member");
    let other_pool =
        city.credential(&city.workers[1].key, Purpose::Stream { pool: guildhall_protocol::PoolId(9) });
    assert_eq!(open(other_pool).await, "auth.wrong_signature");
    let mut expired = city.credential(&city.workers[1].key, Purpose::Stream { pool: POOL });
    expired.expiry = OPENED_AT - 1;
    assert_eq!(open(expired).await, "auth.expired");
}

#[tokio::test]
async fn a_restart_goes_on_with_the_same_list() {
    let mut city = City::new(3).await;
    let mut stream = city.listen(&city.workers[0]).await;
    city.reserve_and_commit().await;
    let before = list_of(&mut stream).await;
    drop(stream);
    city.client
        .contribute(&city.workers[0].contribution(city.at, 0, truth(), before.hash()))
        .await
        .expect("taken");
    city.restart().await;

    let mut stream = city.listen(&city.workers[1]).await;
    assert_eq!(list_of(&mut stream).await, before, "what is pending is sent to who comes back");
    for worker in &city.workers[1..] {
        let contribution = worker.contribution(city.at, 0, truth(), before.hash());
        assert_eq!(city.client.contribute(&contribution).await.expect("taken"), Ack::Accepted);
    }
    until(&mut stream, |event| matches!(event, MemberEvent::Ended { .. }).then_some(())).await;
    let posts = city.chain.posts.lock().expect("not poisoned");
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].submission.entries.len(), 3);
}

#[tokio::test]
async fn one_coordinator_a_store_and_the_pools_key_alone() {
    let city = City::new(3).await;
    city.client.about().await.expect("it runs");
    let (_, _, second) = start(&city.directory, &city.chain, &city.key).await;
    let refused = second.await.expect("no panic").expect_err("the store is taken");
    assert!(matches!(refused, CoordinatorError::Store(_)), "{refused}");
    let (_, _, other) = start(&city.directory, &city.chain, &Worker::new(7).key).await;
    let refused = other.await.expect("no panic").expect_err("not the pool's key");
    assert!(matches!(refused, CoordinatorError::WrongKey { .. }), "{refused}");
}

#[tokio::test]
async fn it_becomes_ready_and_shows_its_gauges() {
    let city = City::new(1).await;
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{}{path}", city.url)).await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    };
    let ready = async {
        loop {
            let (status, text) = get("/health/ready").await;
            // Asked anew every ten seconds, and the first time may be before the first block was heard of.
            if status == 200 {
                return text;
            }
            tokio::task::yield_now().await;
        }
    };
    let text = tokio::time::timeout(PATIENCE, ready).await.expect("ready in time");
    let checks: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(checks["coordinator.chain"]["status"], "ready");
    assert_eq!(checks["coordinator.store"]["status"], "ready");
    assert_eq!(get("/health/live").await.0, 200);
    assert!(get("/metrics").await.1.contains("coordinator_rounds_open"));
}

/// Connections that say nothing, messages of strangers, a member that says the same without end, bytes that nobody may store: all
/// at once, while a round goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_are_shed_and_a_round_goes_on() {
    let city = City::new(3).await;
    let address = city.url.trim_start_matches("http://").parse().expect("an address");
    let mut silent = Vec::new();
    for _ in 0..400 {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.2:0".parse().expect("an address")).expect("loopback is a whole network");
        silent.push(socket.connect(address).await.expect("taken, and cut later"));
    }
    let stop = guildhall_service::CancellationToken::new();
    let mut floods = tokio::task::JoinSet::new();
    for flood in 0..8_u16 {
        let (client, stop, at) = (city.client.clone(), stop.clone(), city.at);
        // Four are strangers, four are one member that has committed.
        let worker = if flood < 4 { Worker::new(100 + flood) } else { Worker::new(1) };
        floods.spawn(async move {
            let message = worker.commitment(at, 0, truth());
            let mut refusals = std::collections::BTreeSet::new();
            while !stop.is_cancelled() {
                if let Err(error) = client.commit(&message).await {
                    refusals.insert(error.refusal().unwrap_or("transport").to_owned());
                }
            }
            refusals
        });
    }
    let (stored, blob) = (stop.clone(), vec![7; 1 << 20]);
    let url = format!("{}/v1/blobs/{}", city.url, ContentId::of(&blob));
    let storing = tokio::spawn(async move {
        let client = reqwest::Client::new();
        while !stored.is_cancelled() {
            let answer = client.put(&url).body(blob.clone()).send().await;
            // Cut off before its body was read, or refused.
            assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status().as_u16() == 401));
        }
    });
    let mut streams = Vec::new();
    for worker in &city.workers {
        streams.push(city.listen(worker).await);
    }
    let whole_round = async {
        for worker in &city.workers {
            // The flood may have committed for the first one: the same commitment.
            city.client.commit(&worker.commitment(city.at, 0, truth())).await.ok();
        }
        for (worker, stream) in city.workers.iter().zip(&mut streams) {
            let list = list_of(stream).await;
            let contribution = worker.contribution(city.at, 0, truth(), list.hash());
            while city.client.contribute(&contribution).await.is_err() {}
        }
        until(&mut streams[0], |event| match event {
            MemberEvent::Ended { outcome, .. } => Some(outcome),
            _ => None,
        })
        .await
    };
    let outcome = tokio::time::timeout(PATIENCE, whole_round).await.expect("it goes on");
    assert!(matches!(outcome, Outcome::Certified { .. }), "{outcome:?}");
    stop.cancel();
    storing.await.expect("no panic");
    let refusals: std::collections::BTreeSet<_> = floods.join_all().await.into_iter().flatten().collect();
    assert!(refusals.contains("coordinator.not_a_member"), "{refusals:?}");
    drop(silent);
}

/// Whoever watches may; all together only so many, and one that leaves makes room.
#[tokio::test]
async fn watchers_beyond_the_bound_are_told_that_the_coordinator_is_busy() {
    let city = City::new(1).await;
    let mut watchers = Vec::new();
    for _ in 0..limits::MAX_WATCHERS {
        watchers.push(city.client.progress(None).await.expect("room"));
    }
    let refused = city.client.progress(None).await.err().expect("no room");
    assert_eq!(refusal(refused), "coordinator.busy");
    watchers.pop();
    // The coordinator learns of the closed connection in its own time.
    let room = async {
        while city.client.progress(None).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, room).await.expect("there is room again");
}
