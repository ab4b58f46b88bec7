//! The interface over an index that was filled by hand, with a chain that does not answer.

use std::{net::IpAddr, time::Duration};

use alloy::primitives::B256;
use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
    response::Response,
};
use guildhall_chain::{
    ChainClient, Cursor, Endpoint, EventKind, RpcPolicy,
    bindings::{
        Registry::{AppRegistered, RegistryEvents},
        Workforce::{PoolCreated, PoolEndpoint, WorkforceEvents},
    },
};
use guildhall_protocol::UnixTime;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::{
    index::{
        Head,
        testing::{TestDatabase, deployment},
    },
    limits::{BODY_BYTES, TOPICS_A_STREAM},
    objects::Key,
    recorded::{Place, Recorded},
};

const SCRIPT: &str = "<img src=x onerror=alert(1)>";

struct Bed {
    _database: TestDatabase,
    desk: Arc<Desk>,
}

impl Bed {
    async fn new() -> Self {
        let database = TestDatabase::new();
        let index = Arc::new(database.open().await);
        // Nobody listens there.
        let node = "http://127.0.0.1:1".parse().expect("an address");
        let endpoint = Endpoint::connect(&node, RpcPolicy::default()).await.expect("an endpoint");
        let desk = Arc::new(Desk {
            index: index.clone(),
            book: Book::new(index),
            chain: ChainClient::new(endpoint, deployment()),
            hub: Arc::default(),
            peers: Peers::new(false).expect("a client"),
            rounds: Arc::default(),
            facts: Facts::default(),
            answers: Answers::default(),
            rates: Some(Rates::of_requests()),
            rpc: None,
            stop: CancellationToken::new(),
        });
        Self { _database: database, desk }
    }

    async fn write(&self, block: u64, kinds: Vec<EventKind>) {
        let recorded = |(log, kind): (usize, EventKind)| Recorded {
            place: Place::new(block, log as u64),
            transaction: B256::ZERO,
            name: String::new(),
            kind,
        };
        let events: Vec<_> = kinds.into_iter().enumerate().map(recorded).collect();
        let head = Head { number: block, time: UnixTime(block * 10), cursor: Cursor::at(block + 1) };
        self.desk.index.write(&events, Some(&head)).await.expect("written");
    }

    async fn send(&self, request: Request<Body>) -> Response {
        let routes = paced(self.desk.clone(), api(self.desk.clone(), Router::new()));
        routes.oneshot(request).await.expect("infallible")
    }

    async fn get(&self, path: &str) -> Response {
        self.send(Request::get(format!("/api/v1{path}")).body(Body::empty()).expect("a request")).await
    }

    async fn post(&self, path: &str, kind: &str, body: impl Into<Body>) -> Response {
        let request = Request::post(format!("/api/v1{path}")).header(header::CONTENT_TYPE, kind);
        self.send(request.body(body.into()).expect("a request")).await
    }
}

async fn json_of(response: Response) -> Value {
    let bytes = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// Its status and its problem's code.
async fn refusal(response: Response) -> (u16, String) {
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    let problem = json_of(response).await;
    let status = problem["status"].as_u64().expect("a status") as u16;
    (status, problem["code"].as_str().expect("a code").to_owned())
}

fn app(id: u64) -> EventKind {
    EventKind::Registry(RegistryEvents::AppRegistered(AppRegistered {
        id: alloy::primitives::U256::from(id),
        owner: alloy::primitives::Address::repeat_byte(7),
        codeId: B256::repeat_byte(9),
        runtime: 1,
        name: SCRIPT.to_owned(),
    }))
}

fn pool(endpoint: &str) -> Vec<EventKind> {
    let created = PoolCreated {
        pool: 1,
        owner: alloy::primitives::Address::repeat_byte(7),
        coordinator: alloy::primitives::Address::repeat_byte(8),
        shareBps: 100,
        invitation: false,
        name: "harbour".to_owned(),
    };
    let endpoint = PoolEndpoint { pool: 1, url: endpoint.to_owned() };
    vec![
        EventKind::Workforce(WorkforceEvents::PoolCreated(created)),
        EventKind::Workforce(WorkforceEvents::PoolEndpoint(endpoint)),
    ]
}

#[tokio::test]
async fn an_app_is_read_alone_and_in_pages_and_its_name_is_text() {
    let bed = Bed::new().await;
    bed.write(3, (1..=5).map(app).collect()).await;
    let first = bed.get("/apps?limit=2").await;
    assert_eq!(first.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(first.headers()["x-content-type-options"], "nosniff");
    assert_eq!(first.headers().get("access-control-allow-origin"), None);
    let mut page = json_of(first).await;
    let mut ids = Vec::new();
    loop {
        ids.extend(page["items"].as_array().expect("items").iter().map(|item| item["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        page = json_of(bed.get(&format!("/apps?limit=2&cursor={next}")).await).await;
    }
    assert_eq!(ids, ["5", "4", "3", "2", "1"]);
    let one = json_of(bed.get("/apps/3").await).await;
    assert_eq!((one["name"].as_str(), one["kind"].as_str()), (Some(SCRIPT), Some("app")));
    assert_eq!(one.get("place"), None);
    assert_eq!(refusal(bed.get("/datasets/3").await).await, (404, "dataset.missing".to_owned()));
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let bed = Bed::new().await;
    bed.write(3, vec![app(1)]).await;
    let first = bed.get("/apps").await;
    let known = first.headers()[header::ETAG].clone();
    let again = || Request::get("/api/v1/apps").header(header::IF_NONE_MATCH, known.clone());
    let second = bed.send(again().body(Body::empty()).expect("a request")).await;
    assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(second.headers()[header::ETAG], known);
    bed.write(4, vec![app(2)]).await;
    let third = bed.send(again().body(Body::empty()).expect("a request")).await;
    assert_eq!(third.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let bed = Bed::new().await;
    for (path, status, code) in [
        ("/nothing", 404, "gateway.no_such_path"),
        ("/deals?colour=red", 400, "gateway.unknown_parameter"),
        ("/deals?limit=0", 400, "gateway.bad_limit"),
        ("/deals?limit=201", 400, "gateway.bad_limit"),
        ("/deals?limit=5&limit=6", 400, "gateway.given_twice"),
        ("/deals?cursor=x", 400, "gateway.bad_value"),
        ("/deals?status=lost", 400, "gateway.bad_value"),
        ("/deals?requester=0x12", 400, "gateway.bad_value"),
        ("/deals/0x12", 400, "gateway.bad_value"),
        ("/deals/..%2f..%2fetc%2fpasswd", 400, "gateway.bad_value"),
        ("/deals/%ff", 400, "gateway.bad_path"),
        ("/deals/0x12/batches/x", 400, "gateway.bad_path"),
        ("/workers/0x0000000000000000000000000000000000000001", 404, "worker.missing"),
        ("/orders?kind=bribe", 400, "gateway.bad_value"),
        ("/orders?cursor=1-2", 400, "gateway.bad_cursor"),
        ("/events", 400, "gateway.topics"),
        ("/events?topic=everything", 400, "gateway.topics"),
        ("/events?topic=deal:", 400, "gateway.topics"),
    ] {
        assert_eq!(refusal(bed.get(path).await).await, (status, code.to_owned()), "{path}");
    }
    let long = format!("/deals?requester={}", "a".repeat(9_000));
    assert_eq!(refusal(bed.get(&long).await).await.0, 414);
    let many: Vec<_> = (0..=TOPICS_A_STREAM).map(|number| format!("topic=pool:{number}")).collect();
    assert_eq!(refusal(bed.get(&format!("/events?{}", many.join("&"))).await).await.0, 400);
    let request = Request::delete("/api/v1/deals").body(Body::empty()).expect("a request");
    assert_eq!(refusal(bed.send(request).await).await, (405, "gateway.bad_method".to_owned()));
}

#[tokio::test]
async fn who_asks_too_fast_is_told_how_long_to_wait_and_others_are_answered() {
    let bed = Bed::new().await;
    let ask = async |last: u8| {
        let mut request = Request::get("/api/v1/deals").body(Body::empty()).expect("a request");
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 0, 0, last], 1))));
        bed.send(request).await
    };
    assert_eq!(ask(1).await.status(), StatusCode::OK);
    let rates = bed.desk.rates.as_ref().expect("rates");
    let refused = loop {
        // A request's worth is refilled in 5 ms, which may pass between the two.
        while rates.take(IpAddr::from([10, 0, 0, 1]), 1.0).is_ok() {}
        let response = ask(1).await;
        if response.status() != StatusCode::OK {
            break response;
        }
    };
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    assert_eq!(refusal(refused).await, (429, "gateway.too_fast".to_owned()));
    assert_eq!(ask(2).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_is_no_order_is_refused() {
    let bed = Bed::new().await;
    let post = async |kind: &str, body: String| refusal(bed.post("/orders", kind, body).await).await;
    assert_eq!(post("text/plain", "{}".to_owned()).await, (415, "gateway.not_json".to_owned()));
    assert_eq!(post("application/json", "{".to_owned()).await, (400, "gateway.bad_json".to_owned()));
    let deep = "[".repeat(60_000);
    assert_eq!(post("application/json", deep).await, (400, "gateway.bad_json".to_owned()));
    let large = " ".repeat(BODY_BYTES + 1);
    assert_eq!(post("application/json", large).await, (413, "gateway.too_large".to_owned()));
}

#[tokio::test]
async fn an_order_for_another_chain_is_refused_before_anybody_is_asked() {
    let bed = Bed::new().await;
    let order = serde_json::json!({
        "chain": 7, "market": alloy::primitives::Address::ZERO, "kind": "pool", "signer": alloy::primitives::Address::ZERO,
        "signature": "0x", "order": {
            "pool": 1, "feePerMfuel": "1", "minimumFee": "0", "volume": "9", "fuelLimitMax": "9", "appRestrict": "0",
            "datasetRestrict": "0", "requesterRestrict": alloy::primitives::Address::ZERO, "expiry": "9", "nonce": 0,
            "salt": B256::ZERO,
        },
    });
    let response = bed.post("/orders", "application/json", order.to_string()).await;
    assert_eq!(refusal(response).await, (422, "order.other_chain".to_owned()));
}

#[tokio::test]
async fn a_pool_in_this_network_is_not_asked() {
    let bed = Bed::new().await;
    bed.write(3, pool("http://169.254.169.254/latest")).await;
    let round = B256::repeat_byte(1);
    let path = format!("/rounds/{round}?pool=1");
    assert_eq!(refusal(bed.get(&path).await).await, (502, "pool.bad_endpoint".to_owned()));
    assert_eq!(
        refusal(bed.get(&format!("/rounds/{round}")).await).await,
        (404, "round.unknown_pool".to_owned())
    );
    let shown = json_of(bed.get("/pools/1").await).await;
    assert_eq!(shown["endpoint"], "http://169.254.169.254/latest");
    let now = json_of(bed.get("/now").await).await;
    assert_eq!(
        (now["pools"][0]["name"].as_str(), now["tasks_certified"].as_i64()),
        (Some("harbour"), Some(0))
    );
}

/// What a stream says within a moment.
async fn heard(response: Response, until: &str) -> String {
    let mut body = response.into_body().into_data_stream();
    let mut text = String::new();
    let reading = async {
        use futures::StreamExt as _;
        while let Some(Ok(part)) = body.next().await {
            text.push_str(&String::from_utf8_lossy(&part));
            if text.contains(until) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("in time");
    text
}

#[tokio::test]
async fn a_stream_says_what_changes_and_goes_on_where_it_was_cut() {
    let bed = Bed::new().await;
    let stream = bed.get("/events?topic=pool:1&topic=now").await;
    assert_eq!(stream.headers()[header::CONTENT_TYPE], "text/event-stream");
    bed.desk.hub.changed(&[Key::new(Kind::Worker, "0x1"), Key::new(Kind::Pool, 1)], 9);
    let text = heard(stream, "\"pool\"").await;
    assert!(text.contains(r#""kind":"changed""#) && !text.contains("worker"), "{text}");
    let last =
        text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().expect("an id").to_owned();
    bed.desk.hub.changed(&[Key::new(Kind::Pool, 1)], 10);
    let request = |last: &str| {
        let request = Request::get("/api/v1/events?topic=pool:1").header("last-event-id", last);
        request.body(Body::empty()).expect("a request")
    };
    let text = heard(bed.send(request(&last)).await, "\"10\"").await;
    assert!(!text.contains(r#""block":"9""#), "{text}");
    let text = heard(bed.send(request("1-1")).await, "reset").await;
    assert!(text.contains("event: reset"), "{text}");
}

#[tokio::test]
async fn every_topic_is_heard_by_those_who_asked_for_it() {
    let bed = Bed::new().await;
    let (deal, round, worker) =
        (B256::repeat_byte(1), B256::repeat_byte(2), "0x00000000000000000000000000000000000000aa");
    let topics =
        [format!("deal:{deal}"), format!("round:{round}"), format!("worker:{worker}"), "orders".to_owned()];
    let mut streams = Vec::new();
    for topic in &topics {
        streams.push(bed.get(&format!("/events?topic={topic}")).await);
    }
    bed.desk.hub.changed(&[Key::new(Kind::Batch, format!("{deal}/0")), Key::new(Kind::Worker, worker)], 9);
    bed.desk.hub.tell([topics[1].clone()], &serde_json::json!({ "kind": "progress" }));
    bed.desk.hub.book_changed();
    for (topic, stream) in topics.iter().zip(streams) {
        let text = heard(stream, "topic").await;
        assert!(text.contains(&format!(r#""topic":"{topic}""#)), "{topic}: {text}");
    }
}

#[tokio::test]
async fn what_is_kept_is_answered_as_it_was_the_first_time() {
    let bed = Bed::new().await;
    let first = bed.get("/deals?limit=3").await;
    let etag = first.headers()[header::ETAG].clone();
    let again = bed.get("/deals?limit=3").await;
    assert_eq!((again.status(), &again.headers()[header::ETAG]), (StatusCode::OK, &etag));
    assert_eq!(json_of(first).await, json_of(again).await);
    let known = Request::get("/api/v1/deals?limit=3").header(header::IF_NONE_MATCH, etag);
    let known = bed.send(known.body(Body::empty()).expect("a request")).await;
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(refusal(bed.get("/deals?limit=0").await).await.0, 400);
    assert_eq!(refusal(bed.get("/deals?limit=0").await).await.0, 400, "a refusal is not kept");
}

/// The routes that a source file gives, as `get /deals/{deal}`.
fn routes_of(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for given in source.split(".route(").skip(1) {
        let quoted: Vec<_> = given.splitn(3, '"').collect();
        let [_, path, rest] = quoted[..] else { continue };
        let methods = rest.trim_start_matches([',', ' ', '\n']).lines().next().unwrap_or_default();
        for method in ["get", "post", "put", "delete"] {
            if methods.contains(&format!("{method}(")) {
                found.push(format!("{method} {path}"));
            }
        }
    }
    found
}

#[test]
fn every_route_is_in_the_document() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = std::fs::read_dir(here.join("src/http")).expect("the routes");
    let sources = sources.map(|entry| entry.expect("a file").path());
    let sources = sources.chain([here.join("../guildhall-blobs/src/routes.rs")]);
    let mut given: Vec<_> = sources
        .filter(|path| !path.ends_with("tests.rs"))
        .flat_map(|path| routes_of(&std::fs::read_to_string(path).expect("a source")))
        .collect();
    let mut told: Vec<_> =
        crate::openapi::operations().map(|(method, path)| format!("{method} {path}")).collect();
    given.sort();
    told.sort();
    assert_eq!(given, told);
}

#[tokio::test]
async fn every_path_of_the_document_is_there() {
    let bed = Bed::new().await;
    let document = json_of(bed.get("/openapi.json").await).await;
    assert_eq!(document["openapi"], "3.1.0");
    for (method, path) in crate::openapi::operations().filter(|(_, path)| !path.starts_with("/blobs")) {
        let named =
            |text: &str| path.replace("{address}", text).replace("{operator}", "7").replace("{pool}", "7");
        let hash = B256::ZERO.to_string();
        let path = named("0x0000000000000000000000000000000000000001")
            .replace("{batch}", "0")
            .replace("{task}", "0")
            .replace("{id}", "7");
        let path = ["{deal}", "{round}", "{case}", "{hash}"]
            .iter()
            .fold(path, |path, name| path.replace(name, &hash));
        if path == "/about" || path.starts_with("/accounts") {
            // Both ask the chain, which is not there.
            continue;
        }
        let request = Request::builder().method(method.to_uppercase().as_str()).uri(format!("/api/v1{path}"));
        let response = bed.send(request.body(Body::empty()).expect("a request")).await;
        if response.status().is_success() {
            continue;
        }
        let (status, code) = refusal(response).await;
        assert!(
            code != "gateway.no_such_path" && code != "gateway.bad_method",
            "{method} {path}: {status} {code}"
        );
    }
}
