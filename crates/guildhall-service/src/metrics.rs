//! Metrics in Prometheus' text format at `/metrics`.
//!
//! Roles count with the `metrics` crate's macros (`counter!`, `gauge!`, `histogram!`); this module keeps the one registry
//! of the process. It knows no metric by name.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::{
    Router,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use crate::Coded;

/// Upper bounds of every histogram, in seconds (histograms of the project measure durations).
pub const BUCKETS_SECS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0];
/// How often [`Metrics::upkeep`] folds histogram samples, so that they do not pile up when nobody scrapes.
pub const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The process' registry could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the metrics registry: {0}")]
pub struct MetricsError(#[from] BuildError);

impl Coded for MetricsError {
    fn code(&self) -> &'static str {
        "metrics.setup"
    }
}

/// A handle to the process' registry. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Installs the registry, or gives the one that a role in the same process has installed before.
    ///
    /// # Errors
    /// When another recorder than ours is installed already.
    pub fn install() -> Result<Self, MetricsError> {
        static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();
        static INSTALLING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = INSTALLED.get() {
            return Ok(Self { handle: handle.clone() });
        }
        let handle = PrometheusBuilder::new().set_buckets(&BUCKETS_SECS)?.install_recorder()?;
        Ok(Self { handle: INSTALLED.get_or_init(|| handle).clone() })
    }

    /// All metrics as Prometheus text.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Route `/metrics`.
    pub fn router(&self) -> Router {
        let metrics = self.clone();
        Router::new().route("/metrics", get(move || async move { metrics.response() }))
    }

    fn response(&self) -> Response {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], self.render()).into_response()
    }

    /// Folds samples every [`UPKEEP_EVERY`] until `stop`. Run it in the role's task group.
    pub async fn upkeep(self, stop: CancellationToken) {
        let mut every = tokio::time::interval(UPKEEP_EVERY);
        while stop.run_until_cancelled(every.tick()).await.is_some() {
            self.handle.run_upkeep();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_roles_of_one_process_share_the_registry() {
        let first = Metrics::install().expect("install");
        let second = Metrics::install().expect("again");
        metrics::counter!("test_blobs_total", "source" => "local").increment(3);
        metrics::histogram!("test_fetch_seconds").record(0.02);
        for text in [first.render(), second.render()] {
            assert!(text.contains("test_blobs_total{source=\"local\"} 3"), "{text}");
            assert!(text.contains("test_fetch_seconds_bucket{le=\"0.025\"} 1"), "{text}");
        }
    }
}
