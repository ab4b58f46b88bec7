//! The HTTP interface, under `/v1`. Knows nothing of rounds: every request goes to the [`Desk`].

use std::convert::Infallible;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{Stream, StreamExt, stream};
use guildhall_api::bundle::MAX_BUNDLE_BYTES;
use guildhall_api::client::KEEP_ALIVE;
use guildhall_api::{
    About, Ack, Bundle, Credential, Envelope, OpenContribution, Outcome, ProgressEvent, ProgressStep,
    Purpose, Reply, RoundState, StoredResult,
};
use guildhall_blobs::{BlobError, PutGuard, PutRequest, RouteOptions};
use guildhall_protocol::messages::{Commitment, Reservation, Unavailable};
use guildhall_protocol::{Batch, ContentId, DealId, RoundId, UnixTime};
use guildhall_service::{CancellationToken, Problem};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;

use crate::desk::Desk;
use crate::records::{Kept, result_key};
use crate::refusal::Refusal;

/// Largest blob taken, in bytes.
const MAX_BLOB_BYTES: u64 = 1 << 30;
/// Largest signed message, in bytes: the longest is below 1 KiB.
const MAX_MESSAGE_BYTES: usize = 16 << 10;

#[derive(Clone)]
struct Shared {
    desk: Arc<Desk>,
    stop: CancellationToken,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        metrics::counter!("coordinator_refusals_total", "code" => guildhall_service::Coded::code(&refusal))
            .increment(1);
        Problem::from_error(status, &refusal)
    }
}

/// The routes. Streams end at `stop`.
pub fn routes(desk: Arc<Desk>, stop: CancellationToken) -> Router {
    let guard = Arc::new(UploadGuard(desk.clone()));
    let blobs =
        guildhall_blobs::routes(desk.blobs.clone(), RouteOptions { max_put_bytes: MAX_BLOB_BYTES, guard });
    let v1 = Router::new()
        .route("/rounds/{id}/reservations", post(reserve))
        .route("/rounds/{id}/commitments", post(commit))
        .route("/rounds/{id}/contributions", post(contribute))
        .route("/rounds/{id}/unavailable", post(unavailable))
        .layer(DefaultBodyLimit::max(MAX_MESSAGE_BYTES))
        .route("/rounds/{id}", get(round))
        .route(
            "/results/{deal}/{batch}/{attempt}",
            get(result).head(stored_result).put(store_result).layer(DefaultBodyLimit::max(MAX_BUNDLE_BYTES)),
        )
        .route("/rounds", get(rounds))
        .route("/stream", get(member_stream))
        .route("/progress", get(progress))
        .route("/about", get(about))
        .route("/openapi.json", get(async || Json(guildhall_api::openapi::coordinator())))
        .with_state(Shared { desk, stop })
        .merge(blobs);
    Router::new().nest("/v1", v1)
}

/// A JSON body whose every fault is a problem document.
async fn parse<T: serde::de::DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request("coordinator.bad_json", format!("the body is no such message: {error}"))
    })
}

/// Refuses a message that is posted to another round than it names.
fn same_round(path: &str, named: RoundId) -> Result<(), Problem> {
    let id = round_id(path)?;
    if id == named {
        return Ok(());
    }
    let detail = format!("posted to round {id}, but the message names {named}");
    Err(Problem::bad_request("coordinator.other_round", detail))
}

fn round_id(path: &str) -> Result<RoundId, Problem> {
    path.parse().map_err(|_| {
        let detail = format!("`{path}` is no round id");
        Problem::bad_request("coordinator.bad_round_id", detail)
            .with_hint("write `0x` and 64 hexadecimal digits")
    })
}

fn reply(ack: Ack) -> Json<Reply> {
    Json(Reply { ack })
}

async fn reserve(
    State(at): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Reply>, Problem> {
    let message: Envelope<Reservation> = parse(&body).await?;
    same_round(&id, message.round.id)?;
    Ok(reply(at.desk.reserve(message).await?))
}

async fn commit(
    State(at): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Reply>, Problem> {
    let message: Envelope<Commitment> = parse(&body).await?;
    same_round(&id, message.round.id)?;
    Ok(reply(at.desk.commit(message).await?))
}

async fn unavailable(
    State(at): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Reply>, Problem> {
    let message: Envelope<Unavailable> = parse(&body).await?;
    same_round(&id, message.round.id)?;
    Ok(reply(at.desk.unavailable(message).await?))
}

async fn contribute(
    State(at): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Reply>, Problem> {
    let message: OpenContribution = parse(&body).await?;
    same_round(&id, message.envelope.round.id)?;
    Ok(reply(at.desk.contribute(message).await?))
}

async fn round(State(at): State<Shared>, Path(id): Path<String>) -> Result<Json<RoundState>, Problem> {
    let id = round_id(&id)?;
    let state = at.desk.machine().state(id, at.desk.clock.now());
    Ok(Json(state.ok_or(Refusal::UnknownRound(id))?))
}

#[derive(Deserialize)]
struct OfDeal {
    deal: Option<String>,
}

impl OfDeal {
    fn id(&self) -> Result<Option<DealId>, Problem> {
        let parse = |text: &String| {
            let detail = format!("`{text}` is no deal id");
            text.parse().map_err(|_| Problem::bad_request("coordinator.bad_deal_id", detail))
        };
        self.deal.as_ref().map(parse).transpose()
    }
}

async fn rounds(
    State(at): State<Shared>,
    Query(query): Query<OfDeal>,
) -> Result<Json<Vec<RoundState>>, Problem> {
    let missing = || Problem::bad_request("coordinator.no_deal", "say of which deal: `?deal=0x...`");
    let deal = query.id()?.ok_or_else(missing)?;
    Ok(Json(at.desk.machine().states_of(deal, at.desk.clock.now())))
}

async fn about(State(at): State<Shared>) -> Json<About> {
    let (chain, certifier) = at.desk.chain.domain();
    Json(About {
        chain,
        certifier,
        pool: at.desk.pool,
        coordinator: at.desk.key.address(),
        time: UnixTime(at.desk.clock.now() / 1000),
        connected: at.desk.machine().connected().len() as u32,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

fn credential(headers: &HeaderMap) -> Result<Credential, Problem> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    Ok(Credential::from_header(value).map_err(Refusal::from)?)
}

fn event(value: &impl Serialize) -> Result<Event, Infallible> {
    // Our own types always serialise; an empty comment would be skipped by every reader.
    Ok(Event::default().json_data(value).unwrap_or_default())
}

async fn member_stream(State(at): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    let (guard, events) = at.desk.open_stream(&credential(&headers)?).await?;
    let events = stream::unfold((events, guard), |(mut events, guard)| async move {
        events.recv().await.map(|next| (Ok(Event::default().data(&*next)), (events, guard)))
    });
    Ok(sse(events, at.stop))
}

async fn progress(State(at): State<Shared>, Query(query): Query<OfDeal>) -> Result<Response, Problem> {
    let wanted = query.id()?;
    let watcher = at.desk.watch()?;
    let events = stream::unfold(
        (watcher, None),
        move |(mut watcher, mut last): (_, Option<ProgressEvent>)| async move {
            loop {
                match watcher.recv().await {
                    Ok(next) if wanted.is_none_or(|deal| deal == next.round.deal) => {
                        last = Some(next.clone());
                        return Some((event(&next), (watcher, last)));
                    }
                    Ok(_) => {}
                    Err(RecvError::Closed) => return None,
                    Err(RecvError::Lagged(events)) => {
                        let Some(missed) = last.clone() else { continue };
                        let missed = ProgressEvent { step: ProgressStep::Missed { events }, ..missed };
                        return Some((event(&missed), (watcher, last)));
                    }
                }
            }
        },
    );
    Ok(sse(events, at.stop))
}

fn sse(
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
    stop: CancellationToken,
) -> Response {
    let events = events.take_until(stop.cancelled_owned());
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// Lets workers of the pool, owners of assets and accounts with a balance store bytes.
struct UploadGuard(Arc<Desk>);

impl UploadGuard {
    async fn check(
        &self,
        headers: &HeaderMap,
        content_id: ContentId,
        size: u64,
    ) -> Result<Credential, Problem> {
        let credential = credential(headers)?;
        self.0.check_credential(&credential, &Purpose::Upload { content_id, size })?;
        if self.0.chain.may_store(credential.signer).await.map_err(Refusal::from)? {
            return Ok(credential);
        }
        let detail = format!("{} is no worker, owns no asset and has no balance", credential.signer);
        Err(Problem::new(StatusCode::FORBIDDEN, "coordinator.may_not_store", detail))
    }
}

#[async_trait]
impl PutGuard for UploadGuard {
    async fn allow(&self, request: &PutRequest) -> Result<(), Problem> {
        let missing =
            || Problem::new(StatusCode::LENGTH_REQUIRED, "coordinator.no_length", "send `Content-Length`");
        let size = request.length.ok_or_else(missing)?;
        self.check(&request.headers, request.id, size).await.map(|_| ())
    }
}

/// A draw of a batch, as a path names it.
type Draw = Result<Path<(DealId, u32, u8)>, PathRejection>;

fn draw_of(path: Draw) -> Result<(DealId, u32, u8), Problem> {
    let bad = |error: PathRejection| Problem::bad_request("coordinator.bad_draw", error.body_text());
    path.map(|Path(draw)| draw).map_err(bad)
}

fn kept_of(desk: &Desk, draw: Draw) -> Result<ContentId, Problem> {
    let (deal, batch, attempt) = draw_of(draw)?;
    let kept = desk.store.get::<Kept>(&result_key(deal, batch, attempt)).map_err(Refusal::from)?;
    Ok(kept.ok_or(Refusal::NoResult(deal, batch))?.bundle)
}

/// Only which bundle it is: members ask one after the other, and none of them needs the bytes.
async fn stored_result(State(at): State<Shared>, draw: Draw) -> Result<Response, Problem> {
    let bundle = kept_of(&at.desk, draw)?;
    Ok([(header::ETAG, format!("\"{bundle}\""))].into_response())
}

async fn result(State(at): State<Shared>, draw: Draw) -> Result<Response, Problem> {
    let bundle = kept_of(&at.desk, draw)?;
    let bytes = at.desk.blobs.get(bundle, MAX_BUNDLE_BYTES as u64).await.map_err(blob_problem)?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::ETAG, format!("\"{}\"", bundle)),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, bytes).into_response())
}

async fn store_result(
    State(at): State<Shared>,
    draw: Draw,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<StoredResult>, Problem> {
    let (deal, batch, attempt) = draw_of(draw)?;
    let (bytes, size) = (body.clone(), body.len() as u64);
    let (content_id, checked) =
        tokio::task::spawn_blocking(move || (ContentId::of(&bytes), Bundle::decode(&bytes)))
            .await
            .map_err(|error| Problem::internal("coordinator.fault", error.to_string()))?;
    UploadGuard(at.desk.clone()).check(&headers, content_id, size).await?;
    let bundle = checked.map_err(Refusal::from)?;
    let round = check_result(&at.desk, (deal, batch, attempt), bundle).await?;
    at.desk.blobs.put(body).await.map_err(blob_problem)?;
    let kept = Kept { bundle: content_id, since: UnixTime(at.desk.clock.now() / 1000) };
    let ticket = at.desk.store.put(result_key(deal, batch, attempt), &kept).map_err(Refusal::from)?;
    at.desk.store.durable(ticket).await.map_err(Refusal::from)?;
    if let Some(round) = round {
        at.desk.machine().result_stored(round, content_id);
    }
    Ok(Json(StoredResult { content_id }))
}

/// A result is kept only if its receipts are the certified ones; answers with its round, where that is remembered. A round
/// that ended before a restart is not: the chain says what was certified.
async fn check_result(
    desk: &Desk,
    (deal, batch, attempt): (DealId, u32, u8),
    bundle: Bundle,
) -> Result<Option<RoundId>, Refusal> {
    let known = desk.machine().outcome_of(deal, batch, attempt);
    let (round, outcome) = match known {
        Some((round, outcome)) => (Some(round), outcome),
        None => {
            let certified = desk.chain.certified(deal, batch).await?;
            (None, certified.filter(|(drawn, _)| *drawn == attempt).map(|(_, outcome)| outcome))
        }
    };
    let Some(Outcome::Certified { claim, .. }) = outcome else {
        return Err(Refusal::NotCertified(deal, batch));
    };
    let root = Batch::new(bundle.receipts).map(|batch| batch.root()).unwrap_or_default();
    if root == claim.root { Ok(round) } else { Err(Refusal::WrongResult { root, certified: claim.root }) }
}

fn blob_problem(error: BlobError) -> Problem {
    match error {
        BlobError::NotFound { .. } => Problem::from_error(StatusCode::NOT_FOUND, &error),
        BlobError::Quota { .. } => Problem::from_error(StatusCode::INSUFFICIENT_STORAGE, &error),
        _ => {
            tracing::error!(%error, "blob store failed");
            Problem::internal("blobs.io", "the store could not read or write")
        }
    }
}
