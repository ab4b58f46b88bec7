//! Whether the process lives (`/live`) and whether it can serve (`/ready`).
//!
//! Knows nothing of what is checked: a part asks for a [`Check`] and says how it is, or lets [`Check::watch`] ask it.

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// How often [`Check::watch`] asks.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// How long [`Check::watch`] waits for an answer; without one the part is not ready.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Most checks of one process; a further one is refused by panicking at start, where a programmer sees it.
pub const MAX_CHECKS: usize = 256;

/// How one part is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", content = "reason", rename_all = "snake_case")]
pub enum Condition {
    /// It can serve.
    Ready,
    /// It cannot serve now and may again; why.
    NotReady(String),
    /// It will never serve again in this process, which should be restarted; why.
    Dead(String),
}

/// The conditions of all parts of a process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health {
    parts: Arc<RwLock<BTreeMap<String, Condition>>>,
}

/// One part's handle to say how it is.
#[derive(Clone, Debug)]
pub struct Check {
    health: Health,
    name: String,
}

/// What every role is asked: whether the chain answers and is caught up with, whether its store can be written.
#[derive(Clone, Debug)]
pub struct RoleChecks {
    /// The chain.
    pub chain: Check,
    /// The store.
    pub store: Check,
}

/// What an operator's tools ask a process: `/live`, `/ready` and `/metrics`; the first two under `/health`, too, where one rule of a proxy
/// closes them.
pub fn routes(health: &Health, metrics: &Metrics) -> Router {
    Router::new().nest("/health", health.router()).merge(health.router()).merge(metrics.router())
}

impl Health {
    /// No parts yet: alive and ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part, not ready until it says so. The same name again gives a handle to the same part.
    ///
    /// # Panics
    /// With more than [`MAX_CHECKS`] parts.
    pub fn check(&self, name: impl Into<String>) -> Check {
        let name = name.into();
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        parts.entry(name.clone()).or_insert_with(|| Condition::NotReady("starting".into()));
        assert!(parts.len() <= MAX_CHECKS, "more than {MAX_CHECKS} health checks");
        Check { health: self.clone(), name }
    }

    /// The checks of a role, under its name.
    ///
    /// # Panics
    /// As [`Health::check`].
    pub fn role(&self, name: &str) -> RoleChecks {
        RoleChecks { chain: self.check(format!("{name}.chain")), store: self.check(format!("{name}.store")) }
    }

    /// Whether no part is dead.
    pub fn is_live(&self) -> bool {
        !self.snapshot().values().any(|condition| matches!(condition, Condition::Dead(_)))
    }

    /// Whether every part is ready.
    pub fn is_ready(&self) -> bool {
        self.snapshot().values().all(|condition| *condition == Condition::Ready)
    }

    /// All parts by name.
    pub fn snapshot(&self) -> BTreeMap<String, Condition> {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Routes `/live` and `/ready`: 200 or 503, with all conditions as JSON.
    pub fn router(&self) -> Router {
        async fn live(State(health): State<Health>) -> (StatusCode, Json<BTreeMap<String, Condition>>) {
            (status(health.is_live()), Json(health.snapshot()))
        }
        async fn ready(State(health): State<Health>) -> (StatusCode, Json<BTreeMap<String, Condition>>) {
            (status(health.is_ready()), Json(health.snapshot()))
        }
        Router::new().route("/live", get(live)).route("/ready", get(ready)).with_state(self.clone())
    }
}

fn status(good: bool) -> StatusCode {
    if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

impl Check {
    /// This part can serve.
    pub fn ready(&self) {
        self.set(Condition::Ready);
    }

    /// This part cannot serve now.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(Condition::NotReady(reason.into()));
    }

    /// Asks a part how it is, at once and then every ten seconds until `stop`: an error, or no answer within five seconds,
    /// is "not ready".
    pub async fn watch<F, E>(&self, stop: CancellationToken, mut ask: impl FnMut() -> F)
    where
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        loop {
            let answered = stop.run_until_cancelled(tokio::time::timeout(ANSWER_WITHIN, ask())).await;
            match answered {
                None => return,
                Some(Ok(Ok(()))) => self.ready(),
                Some(Ok(Err(reason))) => self.not_ready(reason.to_string()),
                Some(Err(_)) => self.not_ready(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
            }
            if stop.run_until_cancelled(tokio::time::sleep(ASK_EVERY)).await.is_none() {
                return;
            }
        }
    }

    /// This part will not come back without a restart of the process.
    pub fn dead(&self, reason: impl Into<String>) {
        self.set(Condition::Dead(reason.into()));
    }

    fn set(&self, condition: Condition) {
        let mut parts = self.health.parts.write().unwrap_or_else(PoisonError::into_inner);
        parts.insert(self.name.clone(), condition);
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt;

    use super::*;

    async fn ask(health: &Health, path: &str) -> (StatusCode, serde_json::Value) {
        let request = Request::get(path).body(Body::empty()).expect("request");
        let response = health.router().oneshot(request).await.expect("infallible");
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("body");
        (status, serde_json::from_slice(&body).expect("json"))
    }

    #[tokio::test]
    async fn a_starting_part_lives_and_is_not_ready() {
        let health = Health::new();
        let chain = health.check("chain");
        assert_eq!(ask(&health, "/live").await.0, StatusCode::OK);
        let (status, body) = ask(&health, "/ready").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body["chain"], serde_json::json!({"status": "not_ready", "reason": "starting"}));
        chain.ready();
        assert_eq!(ask(&health, "/ready").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_watched_part_is_as_it_answers() {
        let health = Health::new();
        let RoleChecks { chain, store } = health.role("worker");
        let stop = CancellationToken::new();
        let full = || async { Err("the disk is full") };
        let fine = || async { Ok::<(), &str>(()) };
        let answered = async {
            let starting = Condition::NotReady("starting".into());
            while health.snapshot().values().any(|condition| *condition == starting) {
                tokio::task::yield_now().await;
            }
            stop.cancel();
        };
        let all = async {
            tokio::join!(store.watch(stop.clone(), full), chain.watch(stop.clone(), fine), answered)
        };
        tokio::time::timeout(ANSWER_WITHIN, all).await.expect("both answered at once, and end at the stop");
        let found = health.snapshot();
        assert_eq!(found["worker.store"], Condition::NotReady("the disk is full".into()));
        assert_eq!(found["worker.chain"], Condition::Ready);
    }

    #[tokio::test]
    async fn a_dead_part_fails_both() {
        let health = Health::new();
        health.check("store").dead("disk gone");
        assert_eq!(ask(&health, "/live").await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ask(&health, "/ready").await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
