//! The OpenAPI document is what travels: every message, answer and event, and every route.

use std::collections::BTreeSet;

use crate::support::city::City;
use alloy::primitives::B256;
use guildhall_api::{
    About, Ack, MemberEvent, MemberState, MemberStep, Outcome, ProgressEvent, ProgressStep, Reply, RoundRef,
    RoundState, SignedEntry, SignedList, StoredResult, openapi,
};
use guildhall_protocol::messages::{CompactSignature, RoundList, Signed};
use guildhall_protocol::{ContentId, Odds, OperatorId, UnixTime};
use guildhall_service::Problem;
use guildhall_testkit::{
    builders::{CHAIN, OPENED_AT, POOL, Worker, certifier, round, terms, truth},
    schema,
};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

fn faults(schema: &Value, value: &Value) -> Vec<String> {
    schema::faults(&openapi::coordinator(), schema, value)
}

/// What travels is what the document says, and without any one of its fields it is not.
fn check(name: &str, value: &impl Serialize) {
    let (schema, value) = (json!({ "$ref": format!("#/components/schemas/{name}") }), json!(value));
    assert_eq!(faults(&schema, &value), Vec::<String>::new(), "{name}: {value:#}");
    for field in value.as_object().expect("an object").keys() {
        let mut short = value.clone();
        short.as_object_mut().expect("an object").remove(field);
        let optional = name == "Problem" && field == "hint";
        assert_eq!(faults(&schema, &short).is_empty(), optional, "{name} without {field}");
    }
}

fn at() -> RoundRef {
    round(&terms(3, 50, (3, 5))).at
}

fn list() -> SignedList {
    let worker = Worker::new(1);
    let signature = CompactSignature::default();
    let entry = SignedEntry { worker: worker.address(), commitment: B256::repeat_byte(7), signature };
    let message = RoundList { roundId: at().id.0, wave: 1, listHash: B256::repeat_byte(8) };
    SignedList {
        round: at(),
        before: B256::ZERO,
        entries: vec![entry],
        signed: Signed { message, signature },
    }
}

fn outcomes() -> [Outcome; 4] {
    let certified = Outcome::Certified { claim: truth(), odds: Odds::to_one(64), transaction: B256::ZERO };
    let all = [certified, Outcome::Reopened, Outcome::Unavailable, Outcome::Expired];
    // A further outcome does not compile here: it belongs into the array, and into the document.
    for outcome in &all {
        match outcome {
            Outcome::Certified { .. } | Outcome::Reopened | Outcome::Unavailable | Outcome::Expired => {}
        }
    }
    all
}

fn member_events() -> Vec<MemberEvent> {
    let contribution = Box::new(Worker::new(1).contribution(at(), 0, truth(), B256::ZERO));
    let [outcome, ..] = outcomes();
    let all = vec![
        MemberEvent::Ready,
        MemberEvent::Listed { list: Box::new(list()) },
        MemberEvent::Contributed { contribution },
        MemberEvent::Vacant { round: at(), wave: 1 },
        MemberEvent::Ended { round: at(), outcome },
    ];
    for event in &all {
        match event {
            MemberEvent::Ready
            | MemberEvent::Listed { .. }
            | MemberEvent::Contributed { .. }
            | MemberEvent::Vacant { .. }
            | MemberEvent::Ended { .. } => {}
        }
    }
    all
}

fn steps() -> Vec<ProgressStep> {
    let worker = Worker::new(1).address();
    let mut all = vec![
        ProgressStep::Seated { worker, wave: 0 },
        ProgressStep::Committed { worker, commitments: 1 },
        ProgressStep::Unavailable { worker },
        ProgressStep::Listed { wave: 0, entries: 3 },
        ProgressStep::Contributed { worker, claims: 1, odds: Odds::to_one(4) },
        ProgressStep::Equivocated { worker },
        ProgressStep::Posting,
        ProgressStep::Missed { events: 9 },
    ];
    all.extend(outcomes().map(|outcome| ProgressStep::Ended { outcome }));
    for step in &all {
        match step {
            ProgressStep::Seated { .. }
            | ProgressStep::Committed { .. }
            | ProgressStep::Unavailable { .. }
            | ProgressStep::Listed { .. }
            | ProgressStep::Contributed { .. }
            | ProgressStep::Equivocated { .. }
            | ProgressStep::Posting
            | ProgressStep::Ended { .. }
            | ProgressStep::Missed { .. } => {}
        }
    }
    all
}

#[test]
fn every_message_and_event_is_in_the_document() {
    let worker = Worker::new(1);
    check("Reservation", &worker.reservation(at(), 0, OPENED_AT));
    check("Commitment", &worker.commitment(at(), 0, truth()));
    check("Unavailable", &worker.unavailable(at(), 0));
    check("Contribution", &worker.contribution(at(), 0, truth(), B256::ZERO));
    check("List", &list());
    for outcome in outcomes() {
        check("Outcome", &outcome);
    }
    for event in member_events() {
        check("MemberEvent", &event);
    }
    for step in steps() {
        check("ProgressEvent", &ProgressEvent { time: UnixTime(OPENED_AT), round: at(), step });
    }
}

#[test]
fn every_answer_is_in_the_document() {
    for ack in [Ack::Accepted, Ack::Known, Ack::Full] {
        check("Reply", &Reply { ack });
    }
    check("StoredResult", &StoredResult { content_id: ContentId::of(b"result") });
    let worker = Worker::new(1).address();
    let steps = [MemberStep::Seated, MemberStep::Committed, MemberStep::Unavailable, MemberStep::Contributed];
    let member = |step| MemberState { worker, operator: OperatorId(1), wave: 0, step };
    let [outcome, ..] = outcomes();
    let open = RoundState {
        round: at(),
        wave: 0,
        want: 5,
        target: Odds::to_one(50),
        odds: Odds::to_one(4),
        claims: 1,
        members: steps.map(member).to_vec(),
        lists: vec![B256::ZERO],
        equivocators: vec![worker],
        outcome: None,
        result: None,
    };
    check("RoundState", &open);
    check(
        "RoundState",
        &RoundState { outcome: Some(outcome), result: Some(ContentId::of(b"result")), ..open },
    );
    check(
        "About",
        &About {
            chain: CHAIN,
            certifier: certifier(),
            pool: POOL,
            coordinator: worker,
            time: UnixTime(OPENED_AT),
            connected: 3,
            version: "0.1.0".into(),
        },
    );
    let problem = Problem::new(StatusCode::CONFLICT, "coordinator.over", "over");
    check("Problem", &problem);
    check("Problem", &problem.with_hint("look at its outcome"));
}

/// Everything of the document is served, as it says, and nothing is served beside it at the same paths.
#[tokio::test]
async fn what_the_document_says_is_served() {
    let city = City::new(3).await;
    city.reserve_and_commit().await;
    let http = reqwest::Client::new();
    let get = |path: String| http.get(format!("{}{path}", city.url)).send();
    let document: Value = get("/v1/openapi.json".into()).await.unwrap().json().await.unwrap();
    assert_eq!(document, openapi::coordinator());
    for (path, operations) in document["paths"].as_object().unwrap() {
        let id = if path.starts_with("/v1/blobs") {
            ContentId::of(b"?").to_string()
        } else {
            city.at.id.to_string()
        };
        let mut url = format!("{}{}", city.url, path.replace("{id}", &id));
        if path == "/v1/rounds" {
            url = format!("{url}?deal={}", city.at.deal);
        }
        let said: BTreeSet<_> =
            operations.as_object().unwrap().keys().map(|name| name.to_uppercase()).collect();
        for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
            let answer = http.request(method.clone(), &url).send().await.unwrap();
            let allowed = answer.status() != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(allowed, said.contains(method.as_str()), "{method} {path}");
            if allowed {
                let operation = &operations[method.as_str().to_lowercase()];
                check_answer(operation, answer).await;
            }
        }
    }
}

/// The answer to a request, good or refused, has the type and the form that the document says.
async fn check_answer(operation: &Value, answer: reqwest::Response) {
    let (name, status) = (&operation["operationId"], answer.status().as_u16().to_string());
    let responses = &operation["responses"];
    let said = if responses[&status].is_null() { &responses["default"] } else { &responses[&status] };
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let schema = &said["content"][&kind]["schema"];
    assert!(!schema.is_null(), "{name} answers {status} with {kind}");
    if kind.ends_with("json") {
        let body: Value = answer.json().await.unwrap();
        assert_eq!(faults(schema, &body), Vec::<String>::new(), "{name}: {body:#}");
    }
}
