//! Logs: structured, to standard error, as text for people or JSON for machines.
//!
//! Standard output belongs to results alone. Knows nothing of what is logged; secrets are kept out by
//! [`crate::Secret`].

use std::io::{self, IsTerminal};

use serde::{Deserialize, Serialize};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt};

use crate::Coded;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One readable line an event.
    Text,
    /// One JSON object an event.
    Json,
}

/// Logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("log filter `{filter}` is not valid: {source}")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something else of this process logs already.
    #[error("logs are set up already: {0}")]
    Installed(#[from] tracing_subscriber::util::TryInitError),
}

impl Coded for TelemetryError {
    fn code(&self) -> &'static str {
        match self {
            Self::Filter { .. } => "telemetry.filter",
            Self::Installed(_) => "telemetry.installed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Filter { .. } => Some("write it as `info` or `info,guildhall_worker=debug`".into()),
            Self::Installed(_) => None,
        }
    }
}

/// Starts logging for the whole process. `filter` is a level or a list such as `info,guildhall_chain=debug`.
///
/// Colours only on a terminal, and never when `NO_COLOR` is set to anything but the empty string.
///
/// # Errors
/// [`TelemetryError`] when the filter is wrong or logs are set up already.
pub fn init(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let parsed = EnvFilter::builder()
        .parse(filter)
        .map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })?;
    let terminal = io::stderr().is_terminal();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let log = registry().with(parsed);
    if uses_json(format, terminal) {
        log.with(fmt::layer().json().flatten_event(true).with_writer(io::stderr)).try_init()?;
    } else {
        let ansi = terminal && !no_color;
        log.with(fmt::layer().with_ansi(ansi).with_target(false).with_writer(io::stderr)).try_init()?;
    }
    Ok(())
}

fn uses_json(format: LogFormat, terminal: bool) -> bool {
    match format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_the_terminal_unless_said() {
        assert!(uses_json(LogFormat::Auto, false));
        assert!(!uses_json(LogFormat::Auto, true));
        assert!(uses_json(LogFormat::Json, true));
        assert!(!uses_json(LogFormat::Text, false));
    }

    #[test]
    fn a_wrong_filter_is_named() {
        let error = init(LogFormat::Text, "guildhall=loud").expect_err("no such level");
        assert_eq!(error.code(), "telemetry.filter");
        assert!(error.to_string().contains("guildhall=loud"), "{error}");
    }
}
