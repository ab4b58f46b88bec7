//! Whether the process lives (`/live`) and whether it can serve (`/ready`).
//!
//! Knows nothing of what is checked: a part asks for a [`Check`] and says how it is.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;

/// Most checks of one process; a further one is refused by panicking at start, where a programmer sees it.
pub const MAX_CHECKS: usize = 64;

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
    async fn a_dead_part_fails_both() {
        let health = Health::new();
        health.check("store").dead("disk gone");
        assert_eq!(ask(&health, "/live").await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ask(&health, "/ready").await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
