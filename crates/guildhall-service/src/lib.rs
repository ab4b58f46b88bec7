//! The chassis of a role: configuration, database files, logs, metrics, health, supervised tasks, secrets, HTTP.
//!
//! Every role (worker, coordinator, gateway ...) starts the same way: [`config::load`] its settings,
//! [`telemetry::init`] the logs, lock its [`files::DataDir`], put its loops into a [`tasks::TaskGroup`] and its
//! routes behind [`http::serve`]. What stands here knows nothing of deals, chains or sandboxes.

pub mod config;
pub mod database;
pub mod error;
pub mod files;
pub mod health;
pub mod http;
pub mod metrics;
pub mod problem;
pub mod secret;
pub mod tasks;
pub mod telemetry;

pub use error::Coded;
pub use problem::Problem;
pub use secret::Secret;
pub use tokio_util::sync::CancellationToken;
