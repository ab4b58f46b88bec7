//! An HTTP server that a hostile client cannot exhaust: connections, headers, bodies and times are bounded.
//!
//! Wraps an [`axum::Router`]; knows nothing of its routes. A client that reads its response slowly holds one of its
//! address' connections, and no more than that.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, DefaultBodyLimit, Request},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::Response,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::Problem;

/// Wait after a failed `accept` (out of file descriptors, say), so that the loop does not spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// What one server allows. The defaults suit a role's API.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; further ones wait in the system's queue.
    pub connections: usize,
    /// Open connections of one address; further ones are closed. Behind a proxy raise it to `connections`.
    pub connections_per_ip: usize,
    /// Request body that axum's extractors (`Json`, `Bytes` ...) take, in bytes; larger ones get 413. A route that streams
    /// its body has, and checks, a limit of its own.
    pub body_bytes: usize,
    /// Request head, in bytes; a larger one gets 431.
    pub header_bytes: usize,
    /// Time to send the request head.
    pub header_timeout: Duration,
    /// Longest pause while sending a body.
    pub body_pause: Duration,
    /// Time for a handler to begin its response; 503 after it. A response's body may stream for longer.
    pub request_timeout: Duration,
    /// Slowest upload, in bytes a second: a declared body adds its length at this rate to `request_timeout`.
    pub upload_rate: u64,
    /// Time for open requests to end when stopping.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            connections_per_ip: 256,
            body_bytes: 2 * 1024 * 1024,
            header_bytes: 32 * 1024,
            header_timeout: Duration::from_secs(10),
            body_pause: Duration::from_secs(15),
            request_timeout: Duration::from_secs(60),
            upload_rate: 64 * 1024,
            drain: Duration::from_secs(10),
        }
    }
}

/// Serves `router` until `stop`, then lets open requests end for [`Limits::drain`].
///
/// Handlers find the peer's address in `ConnectInfo<SocketAddr>`. Never fails: an `accept` that fails is retried.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let router = guarded(router, &limits);
    let slots = Arc::new(Semaphore::new(limits.connections));
    let peers = Peers { counts: Arc::default(), most: limits.connections_per_ip };
    let graceful = GracefulShutdown::new();
    let builder = connection_builder(&limits);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, peer, slot)) = accepted else {
            tokio::time::sleep(ACCEPT_RETRY).await;
            continue;
        };
        let Some(seat) = peers.admit(peer.ip()) else {
            tracing::debug!(%peer, "connection refused: too many of this address");
            continue;
        };
        let router = router.clone();
        let service =
            hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                router.clone().oneshot(request)
            });
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            let _held_while_open = (slot, seat);
            if let Err(error) = watched.await {
                tracing::debug!(%peer, error, "connection ended badly");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still open when the server stopped");
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    // The slot first: what does not fit waits in the system's queue instead of in our memory.
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Small answers must not wait for more to send; a refusal of the option is harmless.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, slot))
        }
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            None
        }
    }
}

fn connection_builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let header_bytes = u32::try_from(limits.header_bytes).unwrap_or(u32::MAX);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.header_bytes.max(MIN_BUFFER_BYTES))
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(header_bytes)
        .max_concurrent_streams(MAX_HTTP2_STREAMS)
        .keep_alive_interval(Some(limits.header_timeout))
        .keep_alive_timeout(limits.header_timeout);
    builder
}

/// The smallest read buffer that hyper accepts, in bytes.
const MIN_BUFFER_BYTES: usize = 8 * 1024;
/// Requests at once on one HTTP/2 connection.
const MAX_HTTP2_STREAMS: u32 = 64;

fn guarded(router: Router, limits: &Limits) -> Router {
    let (base, rate) = (limits.request_timeout, limits.upload_rate.max(1));
    router
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .layer(RequestBodyTimeoutLayer::new(limits.body_pause))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let length =
                request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
            let upload_secs = length.and_then(|length| length.parse::<u64>().ok()).unwrap_or(0) / rate;
            bounded(request, next, base.saturating_add(Duration::from_secs(upload_secs)))
        }))
}

/// Bounds the time to a response, and sets what every response of ours carries.
async fn bounded(request: Request, next: Next, timeout: Duration) -> Response {
    use axum::response::IntoResponse;
    let mut response = match tokio::time::timeout(timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            let detail = format!("no answer within {} s", timeout.as_secs_f64());
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "http.timeout", detail).into_response()
        }
    };
    let nosniff = (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    response.headers_mut().insert(nosniff.0, nosniff.1);
    response
}

/// Counts the open connections of each address.
#[derive(Clone)]
struct Peers {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most: usize,
}

/// One open connection of an address.
struct Seat {
    peers: Peers,
    ip: IpAddr,
}

impl Peers {
    fn admit(&self, ip: IpAddr) -> Option<Seat> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(ip).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Seat { peers: self.clone(), ip })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.peers.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Bytes, routing::post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    struct Running {
        address: SocketAddr,
        stop: CancellationToken,
        ended: tokio::task::JoinHandle<()>,
    }

    async fn start(limits: Limits) -> Running {
        let router = Router::new()
            .route("/echo", post(|body: Bytes| async move { body }))
            .route("/never", post(|| async { std::future::pending::<()>().await }))
            .route("/peer", post(|peer: ConnectInfo<SocketAddr>| async move { peer.0.ip().to_string() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let stop = CancellationToken::new();
        let ended = tokio::spawn(serve(listener, router, limits, stop.clone()));
        Running { address, stop, ended }
    }

    fn quick() -> Limits {
        let short = Duration::from_millis(50);
        Limits {
            header_timeout: short,
            body_pause: short,
            request_timeout: short,
            drain: short,
            ..Limits::default()
        }
    }

    /// Everything that the server says until it closes the connection.
    async fn talk(address: SocketAddr, says: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.expect("connect");
        stream.write_all(says).await.expect("write");
        let mut answer = Vec::new();
        // A reset after the answer is as good as a close.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn serves_and_tells_the_peer() {
        let server = start(Limits::default()).await;
        let url = format!("http://{}", server.address);
        let client = reqwest::Client::new();
        let echo = client.post(format!("{url}/echo")).body("hello").send().await.expect("send");
        assert_eq!(echo.headers()["x-content-type-options"], "nosniff");
        assert_eq!(echo.text().await.expect("text"), "hello");
        let peer = client.post(format!("{url}/peer")).send().await.expect("send");
        assert_eq!(peer.text().await.expect("text"), "127.0.0.1");
        drop(client);
        server.stop.cancel();
        server.ended.await.expect("ends");
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let server = start(Limits { body_bytes: 10, ..Limits::default() }).await;
        let url = format!("http://{}/echo", server.address);
        let answer = reqwest::Client::new().post(url).body("eleven bytes").send().await.expect("send");
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_head_that_never_ends_is_cut() {
        let server = start(quick()).await;
        let answer = talk(server.address, b"POST /echo HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }

    #[tokio::test]
    async fn a_head_over_the_limit_is_refused() {
        let server = start(Limits { header_bytes: 8 * 1024, ..Limits::default() }).await;
        let start = "POST /echo HTTP/1.1\r\nHost: x\r\nX-Big: ";
        // What the server takes before it answers, and nothing that it would leave unread.
        let head = format!("{start}{}", "a".repeat(8 * 1024 - start.len()));
        let answer = talk(server.address, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        // Who goes on writing finds the connection closed, perhaps before the answer is read.
        let head = format!("{start}{}\r\n\r\n", "a".repeat(64 * 1024));
        let answer = talk(server.address, head.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }

    #[tokio::test]
    async fn a_body_that_stalls_is_given_up() {
        let server = start(Limits { request_timeout: Duration::from_secs(30), ..quick() }).await;
        let says =
            b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nConnection: close\r\n\r\nonly this";
        let answer = talk(server.address, says).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }

    #[tokio::test]
    async fn a_handler_that_never_answers_becomes_503() {
        let server = start(quick()).await;
        let url = format!("http://{}/never", server.address);
        let answer = reqwest::Client::new().post(url).send().await.expect("send");
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        let problem: Problem = answer.json().await.expect("problem");
        assert_eq!(problem.code, "http.timeout");
    }

    #[tokio::test]
    async fn an_address_over_its_connections_is_closed_and_served_again_later() {
        let server = start(Limits { connections_per_ip: 1, ..Limits::default() }).await;
        let request = b"POST /peer HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
        let mut held = TcpStream::connect(server.address).await.expect("connect");
        held.write_all(request).await.expect("write");
        let mut first = [0; 12];
        held.read_exact(&mut first).await.expect("served");
        assert_eq!(talk(server.address, request).await, "");
        drop(held);
        let closing = b"POST /peer HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        // The server learns of the close in its own time: ask until it has.
        let again = async {
            loop {
                let answer = talk(server.address, closing).await;
                if !answer.is_empty() {
                    return answer;
                }
            }
        };
        let answer = tokio::time::timeout(Duration::from_secs(10), again).await.expect("served again");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
