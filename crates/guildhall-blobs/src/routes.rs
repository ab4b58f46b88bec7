//! A store of blobs over HTTP: `PUT`, `GET` and `HEAD /blobs/{id}`.
//!
//! Mounted by whoever serves bytes. Reading is open (an id is hard to guess and the bytes are content-addressed); who may
//! write is the mounting role's decision, a [`PutGuard`].

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Path, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::{StreamExt, TryStreamExt};
use guildhall_protocol::ContentId;
use guildhall_service::{Problem, Secret};

use crate::{BlobError, BlobStore};

/// Largest blob that is taken over HTTP unless the role says otherwise, in bytes.
pub const MAX_PUT_BYTES_DEFAULT: u64 = 4 << 30;

/// Who wants to put what.
#[derive(Clone, Debug)]
pub struct PutRequest {
    /// The blob.
    pub id: ContentId,
    /// Its length, where the request declares one, in bytes.
    pub length: Option<u64>,
    /// The request's headers (credentials).
    pub headers: HeaderMap,
    /// Where it comes from, where the server says so (`ConnectInfo`).
    pub peer: Option<IpAddr>,
}

/// Decides who may put.
#[async_trait]
pub trait PutGuard: Send + Sync + 'static {
    /// `Ok` = go on.
    ///
    /// # Errors
    /// The [`Problem`] that the caller gets, 401 or 403 as a rule.
    async fn allow(&self, request: &PutRequest) -> Result<(), Problem>;
}

/// Everybody may put: for tests and for a store that only this machine reaches.
#[derive(Clone, Copy, Debug)]
pub struct OpenToAll;

#[async_trait]
impl PutGuard for OpenToAll {
    async fn allow(&self, _request: &PutRequest) -> Result<(), Problem> {
        Ok(())
    }
}

/// Whoever shows the token (`Authorization: Bearer ...`) may put.
#[derive(Clone, Debug)]
pub struct SharedToken(pub Secret<String>);

#[async_trait]
impl PutGuard for SharedToken {
    async fn allow(&self, request: &PutRequest) -> Result<(), Problem> {
        let shown = request.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let shown = shown.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
        // Equality of hashes: comparing them says nothing about the token through its timing.
        if blake3::hash(shown) == blake3::hash(self.0.expose().as_bytes()) {
            return Ok(());
        }
        let problem =
            Problem::new(StatusCode::UNAUTHORIZED, "blobs.unauthorized", "no valid token was shown");
        Err(problem.with_hint("send `Authorization: Bearer <token>`"))
    }
}

/// How the routes behave.
#[derive(Clone)]
pub struct RouteOptions {
    /// Largest blob taken, in bytes.
    pub max_put_bytes: u64,
    /// Who may put.
    pub guard: Arc<dyn PutGuard>,
}

impl fmt::Debug for RouteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteOptions").field("max_put_bytes", &self.max_put_bytes).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Shared {
    store: Arc<dyn BlobStore>,
    options: RouteOptions,
}

/// The routes over a store. Only what the store has here is served: a [`crate::Layered`] fetches nothing for strangers.
pub fn routes(store: Arc<dyn BlobStore>, options: RouteOptions) -> Router {
    Router::new().route("/blobs/{id}", get(read).put(write)).with_state(Shared { store, options })
}

fn problem(error: BlobError) -> Problem {
    let status = match error {
        BlobError::NotFound { .. } | BlobError::Corrupt { .. } => StatusCode::NOT_FOUND,
        BlobError::WrongBytes { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        BlobError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        BlobError::Quota { .. } => StatusCode::INSUFFICIENT_STORAGE,
        BlobError::Range { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
        BlobError::Source { .. } | BlobError::Stalled { .. } | BlobError::Truncated { .. } => {
            StatusCode::BAD_GATEWAY
        }
        // Paths and system errors are for our log, not for strangers.
        BlobError::Io { .. } => {
            tracing::error!(%error, "blob store failed");
            return Problem::internal("blobs.io", "the store could not read or write");
        }
    };
    Problem::from_error(status, &error)
}

fn parse_id(text: &str) -> Result<ContentId, Problem> {
    text.parse().map_err(|_| {
        let detail = format!("`{text}` is not a content id");
        Problem::bad_request("blobs.bad_id", detail)
            .with_hint("write `b3:` and 64 lowercase hexadecimal digits")
    })
}

/// What of a blob is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part { start: u64, end: u64 },
    Nothing,
}

/// Reads one range of a `Range` header; several ranges or other units mean the whole, as RFC 9110 allows.
fn wanted(header: Option<&HeaderValue>, len: u64) -> Wanted {
    let part = header.and_then(|value| value.to_str().ok()).and_then(|text| text.strip_prefix("bytes="));
    let Some((first, last)) = part.and_then(|part| part.split_once('-')) else { return Wanted::All };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(len),
        (Ok(first), Err(_)) if last.is_empty() => first..len,
        (Err(_), Ok(count)) if first.is_empty() => len.saturating_sub(count)..len,
        _ => return Wanted::All,
    };
    if range.start >= range.end {
        Wanted::Nothing
    } else {
        Wanted::Part { start: range.start, end: range.end }
    }
}

/// The length of a blob. `HEAD` asks whether it is here, at once; `GET` wants it, wherever the store has to fetch it. Where
/// that is, is nobody else's business.
async fn length(store: &dyn BlobStore, id: ContentId, method: &Method) -> Result<u64, BlobError> {
    match store.has(id).await? {
        Some(len) => Ok(len),
        None if method == Method::HEAD => Err(BlobError::missing(id)),
        None => match store.local(id).await {
            Ok(blob) => Ok(blob.len),
            Err(BlobError::NotFound { .. }) => Err(BlobError::missing(id)),
            Err(error) => Err(error),
        },
    }
}

async fn read(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
    let len = length(&*shared.store, id, request.method()).await.map_err(problem)?;
    let etag = format!("\"{:x}\"", id.0);
    let headers = request.headers();
    if headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes()) {
        return Ok(with_headers(StatusCode::NOT_MODIFIED.into_response(), &etag));
    }
    let (status, start, end) = match wanted(headers.get(header::RANGE), len) {
        Wanted::All => (StatusCode::OK, 0, len),
        Wanted::Part { start, end } => (StatusCode::PARTIAL_CONTENT, start, end),
        Wanted::Nothing => {
            let mut response = problem(BlobError::Range { start: 0, end: 0, len }).into_response();
            put_text(response.headers_mut(), header::CONTENT_RANGE, format!("bytes */{len}"));
            return Ok(response);
        }
    };
    let body = if request.method() == Method::HEAD {
        Body::empty()
    } else {
        let stream = shared.store.get_stream(id, Some(start..end)).await.map_err(problem)?;
        Body::from_stream(stream.bytes)
    };
    let mut response = with_headers((status, body).into_response(), &etag);
    put_text(response.headers_mut(), header::CONTENT_LENGTH, (end - start).to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        let last = end - 1;
        put_text(response.headers_mut(), header::CONTENT_RANGE, format!("bytes {start}-{last}/{len}"));
    }
    Ok(response)
}

fn with_headers(mut response: Response, etag: &str) -> Response {
    let headers = response.headers_mut();
    put_text(headers, header::ETAG, etag.to_owned());
    // The bytes of an id never change. They may be anybody's: a browser must neither guess a type nor run them.
    for (name, value) in [
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn put_text(headers: &mut HeaderMap, name: header::HeaderName, text: String) {
    // Digits and quotes only: always a valid header value.
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(name, value);
    }
}

/// How much of a refused upload is read all the same.
const REFUSED_DRAIN_BYTES: u64 = 1 << 20;

/// Reads a body that nobody needs: who is still writing when the answer comes and the connection closes never sees the answer.
async fn drain(body: Body, limit: u64) {
    let (mut bytes, mut read) = (body.into_data_stream(), 0);
    while let Some(Ok(part)) = bytes.next().await {
        read += part.len() as u64;
        if read > limit {
            return;
        }
    }
}

async fn write(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
    let (parts, body) = request.into_parts();
    let length =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let limit = shared.options.max_put_bytes;
    // Before the guard, which may count what is asked for.
    if let Some(declared) = length.filter(|length| *length > limit) {
        let from = "the caller".to_owned();
        return Err(problem(BlobError::TooLarge { limit, declared: Some(declared), from }));
    }
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let put = PutRequest { id, length, headers: parts.headers, peer };
    if let Err(refused) = shared.options.guard.allow(&put).await {
        drain(body, REFUSED_DRAIN_BYTES).await;
        return Err(refused);
    }
    if shared.store.has(id).await.map_err(problem)?.is_some() {
        drain(body, limit).await;
        return Ok(StatusCode::OK.into_response());
    }
    let from_caller = |error: axum::Error| BlobError::Source {
        from: "the caller".into(),
        message: error.to_string(),
        transient: true,
    };
    let bytes = body.into_data_stream().map_err(from_caller).boxed();
    match shared.store.put_stream(Some(id), limit, bytes).await {
        Ok(_) => Ok(StatusCode::CREATED.into_response()),
        Err(error @ BlobError::Source { .. }) => Err(Problem::from_error(StatusCode::BAD_REQUEST, &error)),
        Err(error) => Err(problem(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_rfc_9110() {
        let ask = |text: &'static str| wanted(Some(&HeaderValue::from_static(text)), 10);
        assert_eq!(ask("bytes=2-4"), Wanted::Part { start: 2, end: 5 });
        assert_eq!(ask("bytes=2-"), Wanted::Part { start: 2, end: 10 });
        assert_eq!(ask("bytes=-3"), Wanted::Part { start: 7, end: 10 });
        assert_eq!(ask("bytes=-99"), Wanted::Part { start: 0, end: 10 });
        assert_eq!(ask("bytes=8-99"), Wanted::Part { start: 8, end: 10 });
        assert_eq!(ask("bytes=0-18446744073709551615"), Wanted::Part { start: 0, end: 10 });
        assert_eq!(ask("bytes=10-"), Wanted::Nothing);
        assert_eq!(ask("bytes=-0"), Wanted::Nothing);
        for whole in ["bytes=0-1,4-5", "items=1-2", "bytes=5-2", "bytes=", "bytes=a-b"] {
            assert_eq!(ask(whole), Wanted::All, "{whole}");
        }
        assert_eq!(wanted(None, 10), Wanted::All);
    }
}
