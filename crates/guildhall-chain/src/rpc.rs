//! The way to a node: one connection with limits, so that a slow, flooding or dead node cannot hurt its user.
//!
//! Every request has a time limit, is retried with capped backoff and jitter where that can help, waits for its turn under
//! a rate limit, and has a bounded answer. Knows nothing of our contracts.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use alloy::{
    providers::{DynProvider, Provider, ProviderBuilder},
    pubsub::{PubSubConnect, PubSubFrontend},
    rpc::{
        client::ClientBuilder,
        json_rpc::{ErrorPayload, RequestPacket, ResponsePacket, RpcError},
    },
    transports::{
        BoxTransport, IntoBoxTransport, Transport, TransportError, TransportErrorKind, TransportFut,
        http::reqwest::{self, header},
        utils::guess_local_url,
        ws::{WebSocketConfig, WsConnect},
    },
};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use guildhall_service::Coded;
use tokio::{
    sync::{Mutex, Semaphore, watch},
    time::Instant,
};
use tower::{Layer, Service};
use url::Url;

use crate::compared::Compared;

/// How a connection behaves. The defaults suit a node on the internet.
#[derive(Clone, Copy, Debug)]
pub struct RpcPolicy {
    /// Time for one attempt.
    pub timeout: Duration,
    /// Attempts after the first.
    pub retries: u32,
    /// Wait before the second attempt; doubles each time, half of it at random.
    pub first_wait: Duration,
    /// Longest wait.
    pub max_wait: Duration,
    /// Requests at once; further ones wait.
    pub at_once: usize,
    /// Requests a second; 0 = no limit.
    pub per_second: u32,
    /// Largest answer, in bytes.
    pub max_answer_bytes: usize,
    /// Time between looks for a new block where the node cannot tell us; `None` = 30 ms on this machine, 2 s elsewhere.
    pub poll: Option<Duration>,
}

impl Default for RpcPolicy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(15),
            retries: 4,
            first_wait: Duration::from_millis(250),
            max_wait: Duration::from_secs(8),
            at_once: 32,
            per_second: 0,
            max_answer_bytes: 32 * 1024 * 1024,
            poll: None,
        }
    }
}

/// Errors of a connection.
#[derive(Debug, thiserror::Error)]
pub enum RpcFailure {
    /// The URL is not one of a node.
    #[error("`{url}` is not a node's address: its scheme must be http, https, ws or wss")]
    Url {
        /// What was given.
        url: String,
    },
    /// One node where there should be two.
    #[error("`{url}` is named twice: a second node tells something new only if it is another one")]
    Same {
        /// What was given.
        url: String,
    },
    /// The node cannot be reached or does not answer as it should.
    #[error("the node at {node} did not answer {what}: {source}")]
    Node {
        /// Which node.
        node: String,
        /// What was asked.
        what: &'static str,
        /// What happened.
        source: Box<TransportError>,
    },
}

impl Coded for RpcFailure {
    fn code(&self) -> &'static str {
        match self {
            Self::Url { .. } => "chain.url",
            Self::Same { .. } => "chain.same_node",
            Self::Node { .. } => "chain.node",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Url { .. } => "write it as `http://127.0.0.1:8545`".to_owned(),
            Self::Same { .. } => "name one of another operator with `--chain-check URL`, or none".to_owned(),
            Self::Node { .. } => "check that the node runs and that the URL is right".to_owned(),
        })
    }
}

/// Makes a stream of new blocks for each who asks.
type Nudges = Arc<dyn Fn() -> BoxStream<'static, ()> + Send + Sync>;

/// A connection to a node. Cheap to clone; clones share the limits.
#[derive(Clone)]
pub struct Endpoint {
    provider: DynProvider,
    name: String,
    poll: Duration,
    pushes: bool,
    nudges: Option<Nudges>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("name", &self.name)
            .field("pushes", &self.pushes)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Connects to the node at `url` (HTTP or WebSocket). HTTP connects at the first request.
    ///
    /// # Errors
    /// [`RpcFailure::Url`] for another scheme, [`RpcFailure::Node`] when a WebSocket cannot be opened.
    pub async fn connect(url: &Url, policy: RpcPolicy) -> Result<Self, RpcFailure> {
        let local = guess_local_url(url.as_str());
        match url.scheme() {
            "http" | "https" => Ok(Self::from_transport(http(url, &policy)?, shown(url), local, policy)),
            _ => Ok(Self::from_transport(socket(url, &policy).await?, shown(url), local, policy)),
        }
    }

    /// Connects to two nodes of different operators: what both say counts. Both must answer. New blocks are looked for, not
    /// told, by WebSocket, too: what one node tells the other may not have yet.
    ///
    /// # Errors
    /// As [`Endpoint::connect`], and [`RpcFailure::Same`] for one node named twice.
    pub async fn connect_two(first: &Url, second: &Url, policy: RpcPolicy) -> Result<Self, RpcFailure> {
        if first == second {
            return Err(RpcFailure::Same { url: shown(first) });
        }
        let (first_node, second_node) = (open(first, &policy).await?, open(second, &policy).await?);
        let local = guess_local_url(first.as_str()) && guess_local_url(second.as_str());
        let name = format!("{} and {}", shown(first), shown(second));
        Ok(Self::from_two_transports(first_node, second_node, name, local, policy))
    }

    /// Uses two transports: what both say counts.
    pub fn from_two_transports<A, B>(
        first: A,
        second: B,
        name: impl Into<String>,
        local: bool,
        policy: RpcPolicy,
    ) -> Self
    where
        A: Transport + IntoBoxTransport + Clone,
        B: Transport + IntoBoxTransport + Clone,
    {
        Self::from_transport(Compared::new(first, second), name, local, policy)
    }

    /// Uses a transport of this process (the embedded chain's). `local` = the other end is on this machine.
    pub fn from_transport<T>(transport: T, name: impl Into<String>, local: bool, policy: RpcPolicy) -> Self
    where
        T: Transport + IntoBoxTransport + Clone,
    {
        let client = ClientBuilder::default().layer(Guard::new(policy)).transport(transport, local);
        let pushes = client.pubsub_frontend().is_some();
        let provider = ProviderBuilder::new().disable_recommended_fillers().connect_client(client).erased();
        let default_poll = if local { Duration::from_millis(30) } else { Duration::from_secs(2) };
        Self { provider, name: name.into(), poll: policy.poll.unwrap_or(default_poll), pushes, nudges: None }
    }

    /// The same, told of new blocks by a value that changes with each (a chain in this process has one).
    pub fn with_heads<T: Send + Sync + 'static>(mut self, heads: watch::Receiver<T>) -> Self {
        self.nudges = Some(Arc::new(move || {
            let changes = stream::unfold(heads.clone(), |mut heads| async move {
                heads.changed().await.ok()?;
                Some(((), heads))
            });
            changes.boxed()
        }));
        self
    }

    /// Says something at each new block, where this process knows of them.
    pub(crate) fn nudges(&self) -> Option<BoxStream<'static, ()>> {
        self.nudges.as_ref().map(|make| make())
    }

    /// The provider: alloy's whole interface, behind the limits.
    pub fn provider(&self) -> &DynProvider {
        &self.provider
    }

    /// The node's address without credentials and query.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Time between looks for a new block.
    pub fn poll(&self) -> Duration {
        self.poll
    }

    /// Whether the node can tell us of new blocks.
    pub fn pushes(&self) -> bool {
        self.pushes
    }

    /// An error of a request, with what was asked.
    pub(crate) fn failed(&self, what: &'static str) -> impl FnOnce(TransportError) -> RpcFailure {
        let node = self.name.clone();
        move |source| RpcFailure::Node { node, what, source: Box::new(source) }
    }
}

/// A transport to a node of any scheme.
async fn open(url: &Url, policy: &RpcPolicy) -> Result<BoxTransport, RpcFailure> {
    match url.scheme() {
        "http" | "https" => Ok(http(url, policy)?.into_box_transport()),
        _ => Ok(socket(url, policy).await?.into_box_transport()),
    }
}

fn http(url: &Url, policy: &RpcPolicy) -> Result<BoundedHttp, RpcFailure> {
    BoundedHttp::new(url.clone(), policy).map_err(|error| unopened(url, error))
}

async fn socket(url: &Url, policy: &RpcPolicy) -> Result<PubSubFrontend, RpcFailure> {
    if !matches!(url.scheme(), "ws" | "wss") {
        return Err(RpcFailure::Url { url: shown(url) });
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(policy.max_answer_bytes))
        .max_frame_size(Some(policy.max_answer_bytes));
    let connect = WsConnect::new(url.as_str()).with_config(config).with_max_retries(u32::MAX);
    let late = |_| TransportErrorKind::custom_str("the WebSocket did not open in time");
    let opened = tokio::time::timeout(policy.timeout, connect.into_service()).await;
    opened.map_err(late).and_then(|opened| opened).map_err(|error| unopened(url, error))
}

fn unopened(url: &Url, source: TransportError) -> RpcFailure {
    RpcFailure::Node { node: shown(url), what: "the connection", source: Box::new(source) }
}

fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    // Keys of node operators stand in the user part, the query or the path: none of them belongs into logs.
    let _ = shown.set_password(None);
    let _ = shown.set_username("");
    shown.set_query(None);
    if shown.path().len() > 1 {
        shown.set_path("/...");
    }
    shown.to_string()
}

/// Whether asking again may help. A node's own answer (a revert, a bad parameter) is final unless it says "too many".
pub(crate) fn is_transient(error: &TransportError) -> bool {
    match error {
        RpcError::Transport(TransportErrorKind::NonRetryable(_)) => false,
        RpcError::Transport(kind) => match kind.as_http_error() {
            Some(http) => http.status >= 500 || http.status == 429 || http.status == 408,
            None => !kind.is_pubsub_unavailable(),
        },
        RpcError::ErrorResp(payload) => is_passing(payload),
        RpcError::NullResp | RpcError::DeserError { .. } => false,
        _ => false,
    }
}

/// Whether a node's own error may be gone a moment later: "too many", or something inside it that failed.
fn is_passing(payload: &ErrorPayload) -> bool {
    /// JSON-RPC 2.0, section 5.1.
    const INTERNAL_ERROR: i64 = -32_603;
    payload.is_retry_err() || (payload.code == INTERNAL_ERROR && payload.data.is_none())
}

/// Capped exponential wait, half of it at random, so that many clients do not come back at once.
pub(crate) fn backoff(first: Duration, max: Duration, attempt: u32) -> Duration {
    let full = first.saturating_mul(1u32.checked_shl(attempt.min(20)).unwrap_or(u32::MAX)).min(max);
    full.mul_f64(rand::random_range(0.5..=1.0))
}

/// Time limit, retries, rate and concurrency for any transport.
#[derive(Clone, Debug)]
struct Guard {
    policy: RpcPolicy,
    slots: Arc<Semaphore>,
    /// When the next request may go.
    next: Arc<Mutex<Instant>>,
}

impl Guard {
    fn new(policy: RpcPolicy) -> Self {
        let slots = Arc::new(Semaphore::new(policy.at_once.max(1)));
        Self { policy, slots, next: Arc::new(Mutex::new(Instant::now())) }
    }

    async fn turn(&self) {
        if self.policy.per_second == 0 {
            return;
        }
        let step = Duration::from_secs(1) / self.policy.per_second;
        let at = {
            let mut next = self.next.lock().await;
            let at = (*next).max(Instant::now());
            *next = at + step;
            at
        };
        tokio::time::sleep_until(at).await;
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, guard: self.clone() }
    }
}

#[derive(Clone, Debug)]
struct Guarded<S> {
    inner: S,
    guard: Guard,
}

impl<S: Transport + Clone> Service<RequestPacket> for Guarded<S> {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        let (mut inner, guard) = (self.inner.clone(), self.guard.clone());
        Box::pin(async move {
            let closed = |_| TransportErrorKind::backend_gone();
            let _slot = guard.slots.clone().acquire_owned().await.map_err(closed)?;
            let mut attempt = 0;
            loop {
                guard.turn().await;
                let answer = tokio::time::timeout(guard.policy.timeout, inner.call(request.clone())).await;
                let error = match answer {
                    Ok(Ok(answer)) => match answer.as_error() {
                        Some(payload) if is_passing(payload) => RpcError::ErrorResp(payload.clone()),
                        _ => return Ok(answer),
                    },
                    Ok(Err(error)) => error,
                    Err(_elapsed) => {
                        let limit = guard.policy.timeout.as_millis();
                        TransportErrorKind::custom_str(&format!("no answer within {limit} ms"))
                    }
                };
                if attempt >= guard.policy.retries || !is_transient(&error) {
                    return Err(error);
                }
                let wait = backoff(guard.policy.first_wait, guard.policy.max_wait, attempt);
                let asked = match &error {
                    RpcError::Transport(kind) => kind.retry_after().unwrap_or_default(),
                    _ => Duration::ZERO,
                };
                tracing::debug!(%error, attempt, "asking the node again");
                metrics::counter!("chain_rpc_retries_total").increment(1);
                tokio::time::sleep(wait.max(asked.min(guard.policy.max_wait))).await;
                attempt += 1;
            }
        })
    }
}

/// JSON-RPC over HTTP with a bound on the answer, which alloy's own transport does not have.
#[derive(Clone, Debug)]
struct BoundedHttp {
    client: reqwest::Client,
    url: Url,
    max_bytes: usize,
}

impl BoundedHttp {
    fn new(url: Url, policy: &RpcPolicy) -> Result<Self, TransportError> {
        let client = reqwest::Client::builder()
            .connect_timeout(policy.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(TransportErrorKind::custom)?;
        Ok(Self { client, url, max_bytes: policy.max_answer_bytes })
    }

    async fn ask(self, request: RequestPacket) -> Result<ResponsePacket, TransportError> {
        // Not `custom(error)`: reqwest's errors show the URL, and with it the operator's key.
        let failed = |error: reqwest::Error| {
            TransportErrorKind::custom_str(&guildhall_service::error::chain_text(&error.without_url()))
        };
        let body = serde_json::to_vec(&request).map_err(TransportError::ser_err)?;
        let json = (header::CONTENT_TYPE, "application/json");
        let sent = self.client.post(self.url).header(json.0, json.1).body(body).send();
        let mut response = sent.await.map_err(failed)?;
        let status = response.status();
        let after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut answer = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            if answer.len() + piece.len() > self.max_bytes {
                let text = format!("the answer has more than {} bytes", self.max_bytes);
                return Err(TransportErrorKind::non_retryable_str(&text));
            }
            answer.extend_from_slice(&piece);
        }
        // Some nodes send JSON-RPC errors with an HTTP error status: the error inside says more.
        match serde_json::from_slice(&answer) {
            Ok(packet) => Ok(packet),
            Err(_) if !status.is_success() => {
                let text = String::from_utf8_lossy(&answer).chars().take(MAX_ERROR_CHARS).collect();
                Err(TransportErrorKind::http_error_with_retry_after(
                    status.as_u16(),
                    text,
                    after.map(Duration::from_secs),
                ))
            }
            Err(error) => {
                let text: String = String::from_utf8_lossy(&answer).chars().take(MAX_ERROR_CHARS).collect();
                Err(TransportError::deser_err(error, text))
            }
        }
    }
}

/// How much of a node's nonsense an error shows, in characters.
const MAX_ERROR_CHARS: usize = 300;

impl Service<RequestPacket> for BoundedHttp {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        Box::pin(self.clone().ask(request))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::{Router, extract::State, routing::post};
    use tokio::net::TcpListener;

    use super::*;

    type Answers = Arc<dyn Fn(u32) -> (u16, String) + Send + Sync>;

    async fn node(answers: Answers) -> (Url, Arc<AtomicU32>) {
        let asked = Arc::new(AtomicU32::new(0));
        let counter = asked.clone();
        let router = Router::new().route(
            "/",
            post(|State(answers): State<Answers>| async move {
                let (status, body) = answers(counter.fetch_add(1, Ordering::SeqCst));
                (axum::http::StatusCode::from_u16(status).expect("status"), body)
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let url = format!("http://{}", listener.local_addr().expect("address")).parse().expect("url");
        tokio::spawn(async move { axum::serve(listener, router.with_state(answers)).await });
        (url, asked)
    }

    fn quick() -> RpcPolicy {
        let ms = Duration::from_millis;
        RpcPolicy {
            timeout: ms(2_000),
            first_wait: ms(1),
            max_wait: ms(2),
            retries: 2,
            ..RpcPolicy::default()
        }
    }

    fn block_number(n: u64) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":0,"result":"{n:#x}"}}"#)
    }

    #[tokio::test]
    async fn a_node_that_stumbles_is_asked_again() {
        let answers: Answers =
            Arc::new(|n| if n < 2 { (503, "busy".into()) } else { (200, block_number(7)) });
        let (url, asked) = node(answers).await;
        let endpoint = Endpoint::connect(&url, quick()).await.expect("connect");
        assert_eq!(endpoint.provider().get_block_number().await.expect("answer"), 7);
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_node_that_stays_down_is_given_up() {
        let (url, asked) = node(Arc::new(|_| (503, "busy".into()))).await;
        let endpoint = Endpoint::connect(&url, quick()).await.expect("connect");
        endpoint.provider().get_block_number().await.expect_err("down");
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_nodes_own_error_is_final() {
        let error = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32602,"message":"invalid params"}}"#;
        let (url, asked) = node(Arc::new(|_| (200, error.into()))).await;
        let endpoint = Endpoint::connect(&url, quick()).await.expect("connect");
        let failure = endpoint.provider().get_block_number().await.expect_err("refused");
        assert!(failure.to_string().contains("invalid params"), "{failure}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut_and_not_asked_for_again() {
        let (url, asked) = node(Arc::new(|_| (200, "x".repeat(2_000)))).await;
        let policy = RpcPolicy { max_answer_bytes: 1_000, ..quick() };
        let endpoint = Endpoint::connect(&url, policy).await.expect("connect");
        let failure = endpoint.provider().get_block_number().await.expect_err("cut");
        assert!(failure.to_string().contains("more than 1000 bytes"), "{failure}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_node_that_never_answers_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let url = format!("http://{}", listener.local_addr().expect("address")).parse().expect("url");
        let policy = RpcPolicy { timeout: Duration::from_millis(20), retries: 1, ..quick() };
        let endpoint = Endpoint::connect(&url, policy).await.expect("connect");
        let failure = endpoint.provider().get_block_number().await.expect_err("silent");
        assert!(failure.to_string().contains("no answer within 20 ms"), "{failure}");
    }

    #[tokio::test]
    async fn other_schemes_are_refused() {
        let url = "ftp://node".parse().expect("url");
        let error = Endpoint::connect(&url, quick()).await.expect_err("scheme");
        assert_eq!(error.code(), "chain.url");
    }

    #[test]
    fn names_show_no_keys() {
        let url: Url = "https://user:pass@node.example/v2/secret?key=secret".parse().expect("url");
        assert_eq!(shown(&url), "https://node.example/...");
    }

    #[test]
    fn waits_grow_to_the_cap_with_jitter() {
        let (first, max) = (Duration::from_millis(100), Duration::from_secs(1));
        for attempt in 0..40 {
            let full = first.saturating_mul(1 << attempt.min(10)).min(max);
            let wait = backoff(first, max, attempt);
            assert!(wait >= full / 2 && wait <= full, "{attempt}: {wait:?}");
        }
    }
}
