//! A node with faults: a proxy before a good one.
//!
//! Knows nothing of Guildhall: it spoils answers of the Ethereum JSON-RPC as real nodes, and what stands before them, do.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::AbortHandle};

/// How long a stalled answer takes.
const STALL: Duration = Duration::from_secs(2);
/// How many blocks old an old answer is.
const AGE_BLOCKS: u64 = 3;

/// Of a thousand requests, those that meet each fault.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The connection breaks before the node has heard of the request.
    pub broken: u32,
    /// The connection breaks after the node has done what was asked.
    pub unanswered: u32,
    /// The answer takes two seconds.
    pub stalled: u32,
    /// HTTP 429 or 503.
    pub refused: u32,
    /// An error of the node's own.
    pub failed: u32,
    /// What was true some blocks ago.
    pub old: u32,
    /// A receipt says the contrary of what happened.
    pub forged: u32,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Broken,
    Unanswered,
    Stalled,
    Refused,
    Failed,
    Old,
    Forged,
}

/// A running proxy; it ends with its owner.
#[derive(Debug)]
pub struct FaultyNode {
    url: String,
    proxy: Arc<Proxy>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Proxy {
    upstream: String,
    http: reqwest::Client,
    faults: Mutex<(Faults, StdRng)>,
    met: AtomicU64,
}

impl FaultyNode {
    /// Stands before the node at `upstream`, without faults at first. Which requests meet one follows from the seed and their
    /// order.
    ///
    /// # Errors
    /// When there is no free port.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn before(upstream: &str, seed: u64) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let proxy = Arc::new(Proxy {
            upstream: upstream.to_owned(),
            http: reqwest::Client::new(),
            faults: Mutex::new((Faults::default(), StdRng::seed_from_u64(seed))),
            met: AtomicU64::new(0),
        });
        let router = Router::new().route("/", post(answer)).with_state(proxy.clone());
        let listener = TcpListener::from_std(listener)?;
        let task = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { url, proxy, task })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on requests meet these faults.
    ///
    /// # Panics
    /// Never: nobody panics with the lock.
    pub fn set(&self, faults: Faults) {
        self.proxy.faults.lock().expect("not poisoned").0 = faults;
    }

    /// Faults that were met so far.
    pub fn met(&self) -> u64 {
        self.proxy.met.load(Ordering::Relaxed)
    }
}

impl Drop for FaultyNode {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    fn draw(&self, method: &str) -> Option<Fault> {
        let mut guard = self.faults.lock().expect("not poisoned");
        let (faults, dice) = &mut *guard;
        let shares = [
            (faults.broken, Fault::Broken),
            (faults.unanswered, Fault::Unanswered),
            (faults.stalled, Fault::Stalled),
            (faults.refused, Fault::Refused),
            (faults.failed, Fault::Failed),
            (faults.old, Fault::Old),
            (if method == "eth_getTransactionReceipt" { faults.forged } else { 0 }, Fault::Forged),
        ];
        let mut drawn = dice.random_range(0..1_000);
        for (share, fault) in shares {
            if drawn < share {
                self.met.fetch_add(1, Ordering::Relaxed);
                return Some(fault);
            }
            drawn -= share;
        }
        None
    }

    async fn forward(&self, request: &Value) -> Result<Value, reqwest::Error> {
        self.http.post(&self.upstream).json(request).send().await?.json().await
    }

    /// The request as it would have been some blocks ago; nothing for a receipt, which was not there.
    async fn aged(&self, mut request: Value) -> Result<Option<Value>, reqwest::Error> {
        let head = json!({ "jsonrpc": "2.0", "id": 0, "method": "eth_blockNumber", "params": [] });
        let head = self.forward(&head).await?["result"].as_str().and_then(number).unwrap_or_default();
        let block = json!(format!("{:#x}", head.saturating_sub(AGE_BLOCKS)));
        let at = match request["method"].as_str().unwrap_or_default() {
            "eth_getTransactionReceipt" => return Ok(None),
            "eth_getBlockByNumber" => 0,
            "eth_call" | "eth_getBalance" | "eth_getCode" => 1,
            "eth_getStorageAt" => 2,
            _ => return Ok(Some(request)),
        };
        if request["params"][at].as_str().is_some_and(|block| block == "latest" || block == "pending") {
            request["params"][at] = block;
        }
        Ok(Some(request))
    }
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

async fn answer(State(proxy): State<Arc<Proxy>>, body: Bytes) -> Response {
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let id = request["id"].clone();
    let fault = proxy.draw(request["method"].as_str().unwrap_or_default());
    let answered = match fault {
        None => proxy.forward(&request).await,
        Some(Fault::Broken) => return broken(),
        Some(Fault::Unanswered) => {
            let _done = proxy.forward(&request).await;
            return broken();
        }
        Some(Fault::Stalled) => {
            tokio::time::sleep(STALL).await;
            proxy.forward(&request).await
        }
        Some(Fault::Refused) => {
            let status = if id.as_u64().is_some_and(|id| id % 2 == 0) {
                StatusCode::TOO_MANY_REQUESTS
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            return (status, [(header::RETRY_AFTER, "1")], "too many requests").into_response();
        }
        Some(Fault::Failed) => Ok(
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32603, "message": "internal error" } }),
        ),
        Some(Fault::Old) => match proxy.aged(request).await {
            Ok(Some(aged)) => proxy.forward(&aged).await,
            Ok(None) => Ok(json!({ "jsonrpc": "2.0", "id": id, "result": null })),
            Err(error) => Err(error),
        },
        Some(Fault::Forged) => proxy.forward(&request).await.map(forged),
    };
    match answered {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// Success as failure, and the other way round.
fn forged(mut answer: Value) -> Value {
    if let Some(status) = answer["result"].get_mut("status") {
        *status = json!(if status == "0x1" { "0x0" } else { "0x1" });
    }
    answer
}

/// An answer that ends before it has begun.
fn broken() -> Response {
    let cut = futures::stream::once(async { Err::<Bytes, _>(io::Error::other("cut")) });
    Body::from_stream(cut).into_response()
}
