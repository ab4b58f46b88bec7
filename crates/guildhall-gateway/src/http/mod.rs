//! The HTTP interface, under `/api/v1`: `docs/gateway.md` is what it is to be.
//!
//! Reading is open; nothing here signs. Other origins get no permission to read (no CORS header is ever sent), and whatever is
//! sent is never run by a browser: text from the chain goes out as JSON alone.

mod answer;
mod city;
mod deals;
mod events;
mod kept;
mod market;
mod orders;
mod people;
mod rate;
mod results;
#[cfg(test)]
mod tests;
mod web;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use guildhall_chain::ChainClient;
use guildhall_protocol::PoolId;
use guildhall_service::{CancellationToken, Problem};

use crate::{
    book::Book,
    facts::Facts,
    hub::Hub,
    index::Index,
    limits::REQUESTS_PER_SEC,
    objects::{Kind, Object},
    peers::Peers,
    relay::Rounds,
};
use answer::{json_answer, missing};
pub use kept::Answers;
pub use rate::{Rates, VisitorQuota};
pub use web::routes as web_routes;

/// What the routes work with.
#[derive(Debug)]
pub struct Desk {
    /// The index.
    pub index: Arc<Index>,
    /// The order book.
    pub book: Book,
    /// The chain, for what is not in events.
    pub chain: ChainClient,
    /// Who listens.
    pub hub: Arc<Hub>,
    /// The way to coordinators.
    pub peers: Peers,
    /// Whose rounds are whose.
    pub rounds: Arc<Rounds>,
    /// What was asked of the chain.
    pub facts: Facts,
    /// What was answered since the last block.
    pub answers: Answers,
    /// How fast an address may ask; nothing = as fast as it can.
    pub rates: Option<Rates>,
    /// Where wallets reach the chain, if somebody said so.
    pub rpc: Option<String>,
    /// Streams end with it.
    pub stop: CancellationToken,
}

impl Desk {
    /// An object that has to be there.
    async fn object(&self, kind: Kind, id: &str) -> Result<Object, Problem> {
        self.index.object(kind, id).await?.ok_or_else(|| missing(kind.name(), id))
    }

    /// The best price on the book of an app, a dataset or a pool.
    async fn best(&self, side: &'static str, id: &str) -> Result<serde_json::Value, Problem> {
        Ok(self.book.best(side, id).await?.into())
    }

    /// The client of a pool's coordinator.
    async fn coordinator(&self, pool: PoolId) -> Result<guildhall_api::CoordinatorClient, Problem> {
        let silent = || {
            Problem::not_found(
                "pool.no_endpoint",
                format!("pool {pool} does not say where its coordinator is"),
            )
        };
        let Object::Pool(found) = self.object(Kind::Pool, &pool.to_string()).await? else {
            return Err(silent());
        };
        let endpoint = found.endpoint.ok_or_else(silent)?;
        self.peers.coordinator(&endpoint).map_err(|_| {
            let detail = format!("the address of pool {pool}, `{endpoint}`, is none that the gateway asks");
            Problem::new(StatusCode::BAD_GATEWAY, "pool.bad_endpoint", detail).with_hint(
                "it asks public addresses alone: the pool's owner sets one, or the gateway's sets `private_pools`",
            )
        })
    }
}

type Shared = State<Arc<Desk>>;

/// The routes of the API.
pub fn api(desk: Arc<Desk>, blobs: Router) -> Router {
    let v1 = Router::new()
        .merge(city::routes())
        .merge(
            deals::routes()
                .merge(people::routes())
                .route_layer(middleware::from_fn_with_state(desk.clone(), kept::kept)),
        )
        .merge(market::routes())
        .merge(orders::routes())
        .merge(results::routes())
        .route("/events", get(events::stream))
        .route(
            "/openapi.json",
            get(async |headers: HeaderMap| json_answer(&headers, &crate::openapi::document())),
        )
        .with_state(desk.clone())
        .merge(blobs)
        .fallback(async || Problem::not_found("gateway.no_such_path", "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "gateway.bad_method", "this path has no such method")
        })
        .layer(middleware::from_fn(counted));
    Router::new().nest("/api/v1", v1)
}

/// Routes that refuse those who come too fast: all that is served, since pages and metrics cost something, too.
pub fn paced(desk: Arc<Desk>, routes: Router) -> Router {
    routes.layer(middleware::from_fn_with_state(desk, pace))
}

async fn pace(State(desk): Shared, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    if let (Some(rates), Some(peer)) = (&desk.rates, peer)
        && let Err(wait) = rates.take(peer, 1.0)
    {
        metrics::counter!("gateway_requests_shed_total").increment(1);
        let problem = Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "gateway.too_fast",
            format!("more than {REQUESTS_PER_SEC} requests a second of {peer}"),
        );
        let mut response = problem.with_hint(format!("wait {} s", wait.as_secs())).into_response();
        response.headers_mut().insert("retry-after", wait.as_secs().into());
        return response;
    }
    next.run(request).await
}

/// Counts requests, and says what a browser may do with the answer: nothing.
async fn counted(request: Request, next: Next) -> Response {
    let started = std::time::Instant::now();
    let mut response = next.run(request).await;
    let class = match response.status().as_u16() {
        200..=299 => "ok",
        300..=399 => "not_modified",
        400..=499 => "refused",
        _ => "failed",
    };
    metrics::counter!("gateway_requests_total", "class" => class).increment(1);
    metrics::histogram!("gateway_request_seconds").record(started.elapsed().as_secs_f64());
    for (name, value) in [
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
    ] {
        let name = HeaderName::from_static(name);
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
