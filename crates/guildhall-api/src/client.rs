//! The typed client of a coordinator's HTTP interface.
//!
//! Knows nothing of retries: callers know what a lost answer means to them, and every request is safe to repeat.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use guildhall_protocol::messages::{Commitment, Reservation, Unavailable};
use guildhall_protocol::{ContentId, DealId, RoundId};
use guildhall_service::Problem;
use reqwest::{Method, RequestBuilder, Response, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::MAX_JSON_BYTES;
use crate::auth::Credential;
use crate::bundle::MAX_BUNDLE_BYTES;
use crate::error::ApiError;
use crate::message::{Ack, Envelope, OpenContribution, RoundRef};
use crate::progress::{MemberEvent, ProgressEvent};
use crate::sse::{SseEvent, SseReader};
use crate::state::{About, Reply, RoundState, StoredResult};

/// How long a connection may take to open.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer in JSON may take: the coordinator may hold a message for a round that it does not know yet.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a bundle may take.
const BUNDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a stream may be silent: the coordinator sends a comment every [`KEEP_ALIVE`].
const STREAM_SILENCE: Duration = Duration::from_secs(45);
/// How often a stream carries something, at least.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A client of one coordinator; cheap to clone.
#[derive(Debug, Clone)]
pub struct CoordinatorClient {
    http: reqwest::Client,
    base: Url,
}

impl CoordinatorClient {
    /// A client of the coordinator at `base`, for instance `http://coordinator.example:8080`.
    ///
    /// # Errors
    /// [`ApiError::BadUrl`] for something that is not an HTTP address.
    pub fn new(base: &str) -> Result<Self, ApiError> {
        Self::with_silence(base, STREAM_SILENCE)
    }

    /// Whoever takes a request and then says nothing for `silence` is given up, also before a stream begins.
    fn with_silence(base: &str, silence: Duration) -> Result<Self, ApiError> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(silence)
            .tcp_nodelay(true)
            .build()
            .map_err(|source| ApiError::Unreachable { url: base.to_owned(), source })?;
        Self::with_client(base, http)
    }

    /// The same with a client of the caller's, who bounds its times, and whom it may ask.
    ///
    /// # Errors
    /// [`ApiError::BadUrl`] for something that is not an HTTP address.
    pub fn with_client(base: &str, http: reqwest::Client) -> Result<Self, ApiError> {
        Ok(Self { http, base: base_of(base)? })
    }

    /// The coordinator's address.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// What this coordinator is.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn about(&self) -> Result<About, ApiError> {
        self.get("v1/about").await
    }

    /// Takes a seat.
    ///
    /// # Errors
    /// [`ApiError`]; a refusal's code says why the seat is not this worker's.
    pub async fn reserve(&self, message: &Envelope<Reservation>) -> Result<Ack, ApiError> {
        self.send(message.round.id, "reservations", message).await
    }

    /// Sends a commitment. An answer means that the coordinator has it on disk.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn commit(&self, message: &Envelope<Commitment>) -> Result<Ack, ApiError> {
        self.send(message.round.id, "commitments", message).await
    }

    /// Sends a contribution. An answer means that the coordinator has it on disk.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn contribute(&self, message: &OpenContribution) -> Result<Ack, ApiError> {
        self.send(message.envelope.round.id, "contributions", message).await
    }

    /// Says that the bytes of a batch cannot be had.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn unavailable(&self, message: &Envelope<Unavailable>) -> Result<Ack, ApiError> {
        self.send(message.round.id, "unavailable", message).await
    }

    /// A round's state.
    ///
    /// # Errors
    /// [`ApiError`]; `coordinator.unknown_round` for one that it never saw or has forgotten.
    pub async fn round(&self, id: RoundId) -> Result<RoundState, ApiError> {
        self.get(&format!("v1/rounds/{id}")).await
    }

    /// The rounds of a deal that the coordinator remembers, newest first, at most a hundred.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn rounds_of(&self, deal: DealId) -> Result<Vec<RoundState>, ApiError> {
        self.get(&format!("v1/rounds?deal={deal}")).await
    }

    /// Stores the result bundle of a certified round; the coordinator checks it against the certificate.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn store_result(
        &self,
        round: RoundRef,
        bundle: Bytes,
        credential: &Credential,
    ) -> Result<StoredResult, ApiError> {
        let request = self
            .request(Method::PUT, &result_path(round.deal, round.batch, round.attempt))?
            .timeout(BUNDLE_TIMEOUT)
            .header(header::AUTHORIZATION, credential.header())
            .body(bundle);
        json(self.answer(request).await?).await
    }

    /// Whether a blob is here.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn has_blob(&self, id: ContentId) -> Result<bool, ApiError> {
        let request = self.request(Method::HEAD, &format!("v1/blobs/{id}"))?;
        match self.answer(request.timeout(REQUEST_TIMEOUT)).await {
            Ok(_) => Ok(true),
            // Without a body, a refusal is no problem document.
            Err(ApiError::Foreign { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Stores a blob, under the id of its bytes.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn store_blob(&self, bytes: Bytes, credential: &Credential) -> Result<(), ApiError> {
        let path = format!("v1/blobs/{}", ContentId::of(&bytes));
        let request = self
            .request(Method::PUT, &path)?
            .timeout(BUNDLE_TIMEOUT)
            .header(header::AUTHORIZATION, credential.header())
            .body(bytes);
        self.answer(request).await.map(|_| ())
    }

    /// The result bundle that a draw of a batch came to, as bytes: check them with [`crate::Bundle::decode`] and the certificate's
    /// root.
    ///
    /// # Errors
    /// [`ApiError`]; `coordinator.no_result` where none is stored.
    pub async fn result(&self, deal: DealId, batch: u32, attempt: u8) -> Result<Vec<u8>, ApiError> {
        let path = result_path(deal, batch, attempt);
        let request = self.request(Method::GET, &path)?.timeout(BUNDLE_TIMEOUT);
        bounded(self.answer(request).await?, MAX_BUNDLE_BYTES).await
    }

    /// Which bundle is stored as a round's result, if one is.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn stored_result(&self, round: RoundRef) -> Result<Option<ContentId>, ApiError> {
        let request = self.request(Method::HEAD, &result_path(round.deal, round.batch, round.attempt))?;
        match self.answer(request.timeout(REQUEST_TIMEOUT)).await {
            Ok(response) => {
                let quoted = response.headers().get(header::ETAG).and_then(|value| value.to_str().ok());
                Ok(quoted.and_then(|quoted| quoted.trim_matches('"').parse().ok()))
            }
            // Without a body, a refusal is no problem document.
            Err(ApiError::Foreign { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the members' stream. It begins with everything pending for this worker, then [`MemberEvent::Ready`].
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn member_stream(&self, credential: &Credential) -> Result<MemberStream, ApiError> {
        let request =
            self.request(Method::GET, "v1/stream")?.header(header::AUTHORIZATION, credential.header());
        Ok(EventStream::new(self.answer(request).await?))
    }

    /// Opens the watchers' stream, of one deal or of all.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn progress(&self, deal: Option<DealId>) -> Result<ProgressStream, ApiError> {
        let path = match deal {
            Some(deal) => format!("v1/progress?deal={deal}"),
            None => "v1/progress".to_owned(),
        };
        Ok(EventStream::new(self.answer(self.request(Method::GET, &path)?).await?))
    }

    async fn send(&self, round: RoundId, kind: &str, message: &impl Serialize) -> Result<Ack, ApiError> {
        let path = format!("v1/rounds/{round}/{kind}");
        let request = self.request(Method::POST, &path)?.timeout(REQUEST_TIMEOUT).json(message);
        let reply: Reply = json(self.answer(request).await?).await?;
        Ok(reply.ack)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let request = self.request(Method::GET, path)?.timeout(REQUEST_TIMEOUT);
        json(self.answer(request).await?).await
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, ApiError> {
        let url = self.base.join(path).map_err(|_| ApiError::BadUrl { url: path.to_owned() })?;
        Ok(self.http.request(method, url))
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Response, ApiError> {
        answer(&self.base, request).await
    }
}

/// An HTTP address as one that paths are joined to.
pub(crate) fn base_of(text: &str) -> Result<Url, ApiError> {
    let bad = || ApiError::BadUrl { url: text.to_owned() };
    let mut url = Url::parse(text).map_err(|_| bad())?;
    if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        return Err(bad());
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// Sends a request; a refusal is an error.
pub(crate) async fn answer(base: &Url, request: RequestBuilder) -> Result<Response, ApiError> {
    let response = request.send().await.map_err(|source| unreachable(base, source))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let (status, url) = (response.status().as_u16(), response.url().to_string());
    let body = bounded(response, MAX_JSON_BYTES).await?;
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => Err(ApiError::Refused(Box::new(Problem { status, ..problem }))),
        Err(_) => Err(ApiError::Foreign { url, status, detail: "no problem document".into() }),
    }
}

fn unreachable(url: &Url, source: reqwest::Error) -> ApiError {
    ApiError::Unreachable { url: url.to_string(), source: source.without_url() }
}

pub(crate) async fn json<T: DeserializeOwned>(response: Response) -> Result<T, ApiError> {
    let (status, url) = (response.status().as_u16(), response.url().to_string());
    let body = bounded(response, MAX_JSON_BYTES).await?;
    serde_json::from_slice(&body).map_err(|error| ApiError::Foreign {
        url,
        status,
        detail: error.to_string(),
    })
}

/// Reads a body, but never more than `limit` bytes of it.
async fn bounded(mut response: Response, limit: usize) -> Result<Vec<u8>, ApiError> {
    let (status, url) = (response.status().as_u16(), response.url().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|source| unreachable(&url, source))? {
        if body.len() + chunk.len() > limit {
            let detail = format!("a body of more than {limit} bytes");
            return Err(ApiError::Foreign { url: url.to_string(), status, detail });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The stream of a pool's member.
pub type MemberStream = EventStream<MemberEvent>;
/// The stream of a watcher.
pub type ProgressStream = EventStream<ProgressEvent>;

/// A stream of typed events; ends with an error or with nothing when the connection does.
pub struct EventStream<T> {
    url: Url,
    bytes: BoxStream<'static, reqwest::Result<Bytes>>,
    reader: SseReader,
    ready: VecDeque<SseEvent>,
    kind: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> EventStream<T> {
    fn new(response: Response) -> Self {
        Self {
            url: response.url().clone(),
            bytes: response.bytes_stream().boxed(),
            reader: SseReader::default(),
            ready: VecDeque::new(),
            kind: PhantomData,
        }
    }

    /// The next event; nothing when the service closed the stream.
    ///
    /// # Errors
    /// [`ApiError`] when the connection breaks, is silent for too long, or carries what is not ours.
    pub async fn next(&mut self) -> Result<Option<T>, ApiError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return serde_json::from_str(&event.data).map(Some).map_err(|error| ApiError::Foreign {
                    url: self.url.to_string(),
                    status: 200,
                    detail: error.to_string(),
                });
            }
            let chunk = match tokio::time::timeout(STREAM_SILENCE, self.bytes.next()).await {
                Ok(Some(chunk)) => chunk.map_err(|source| unreachable(&self.url, source))?,
                Ok(None) | Err(_) => return Ok(None),
            };
            self.ready.extend(self.reader.feed(&chunk)?);
        }
    }

    /// The same as a [`Stream`] that ends after the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<T, ApiError>> {
        futures::stream::unfold(Some(self), |stream| async move {
            let mut stream = stream?;
            match stream.next().await {
                Ok(Some(event)) => Some((Ok(event), Some(stream))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}

fn result_path(deal: DealId, batch: u32, attempt: u8) -> String {
    format!("v1/results/{deal}/{batch}/{attempt}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_addresses_make_a_client() {
        for bad in ["", "coordinator", "ftp://x", "mailto:a@b", "file:///etc/passwd"] {
            assert!(matches!(CoordinatorClient::new(bad), Err(ApiError::BadUrl { .. })), "{bad}");
        }
        let client = CoordinatorClient::new("http://127.0.0.1:1/pool").expect("good address");
        assert_eq!(client.base().as_str(), "http://127.0.0.1:1/pool/");
    }

    #[tokio::test]
    async fn who_takes_a_request_for_a_stream_and_says_nothing_is_given_up() {
        let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", mute.local_addr().expect("bound"));
        let client =
            CoordinatorClient::with_silence(&base, Duration::from_millis(200)).expect("good address");
        let error = client.progress(None).await.map(|_| ()).expect_err("nobody answers");
        assert!(matches!(error, ApiError::Unreachable { .. }) && error.is_transient(), "{error}");
    }

    #[tokio::test]
    async fn nobody_there_is_unreachable_and_transient() {
        let client = CoordinatorClient::new("http://127.0.0.1:1").expect("good address");
        let error = client.about().await.expect_err("nobody listens on port 1");
        assert!(matches!(error, ApiError::Unreachable { .. }), "{error}");
        assert!(error.is_transient());
    }
}
