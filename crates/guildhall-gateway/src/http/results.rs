//! Results, as the pools' coordinators keep them. The reader checks them against the certificate: nothing here is believed.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse as _,
    routing::get,
};
use guildhall_api::ApiError;
use guildhall_protocol::ContentId;
use guildhall_service::Problem;

use super::{
    Desk, Shared,
    answer::{Answer, At, Params},
    deals::deal_of,
};
use crate::objects::{Kind, Object, certificate_key};

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new().route("/deals/{deal}/results/{batch}", get(result))
}

/// The problem that a coordinator's refusal, or its silence, becomes.
pub(super) fn peer_problem(error: ApiError) -> Problem {
    match error {
        ApiError::Refused(problem) => *problem,
        error => {
            tracing::debug!(%error, "a pool's coordinator did not answer");
            Problem::new(StatusCode::BAD_GATEWAY, "pool.no_answer", "the pool's coordinator did not answer")
                .with_hint("it may be away: what is certified stands on chain all the same")
        }
    }
}

async fn result(
    State(desk): Shared,
    At((id, batch)): At<(String, u32)>,
    params: Params,
    headers: HeaderMap,
) -> Answer {
    params.done()?;
    let deal = deal_of(&desk, &id).await?;
    let certificate = desk.index.object(Kind::Certificate, &certificate_key(deal.id, batch).id).await?;
    let Some(Object::Certificate(certificate)) = certificate else {
        return Err(Problem::not_found(
            "result.not_certified",
            format!("batch {batch} of deal {} has no certificate", deal.id),
        ));
    };
    let coordinator = desk.coordinator(deal.terms.pool_id()).await?;
    let bytes = coordinator.result(deal.id, batch, certificate.attempt).await.map_err(peer_problem)?;
    let etag = format!("\"{}\"", ContentId::of(&bytes));
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, "attachment".to_owned()),
        (header::ETAG, etag),
    ];
    Ok((headers, bytes).into_response())
}
