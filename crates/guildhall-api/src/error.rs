//! What can go wrong between a client and a service of ours.

use guildhall_service::{Coded, Problem};

use crate::sse::SseError;

/// Why a request got no answer of use.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The service refused it, and says why.
    #[error("{0}")]
    Refused(#[source] Box<Problem>),
    /// No connection, or it broke.
    #[error("cannot reach {url}: {source}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// An answer that is not of our interface.
    #[error("{url} answers {status} with something that is not ours: {detail}")]
    Foreign {
        /// Where.
        url: String,
        /// HTTP status.
        status: u16,
        /// What was wrong with it.
        detail: String,
    },
    /// A stream that is not ours.
    #[error("{0}")]
    Stream(#[from] SseError),
    /// An address that is no base of an HTTP interface.
    #[error("`{url}` is not the address of an HTTP service: give one like `http://coordinator.example:8080`")]
    BadUrl {
        /// It.
        url: String,
    },
}

impl ApiError {
    /// Whether the same request may succeed later: the service was out of reach, or busy.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Foreign { .. } | Self::Stream(_) => true,
            Self::Refused(problem) => problem.status == 429 || problem.status >= 500,
            Self::BadUrl { .. } => false,
        }
    }

    /// The dotted code that the service gave, where it refused.
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(&problem.code),
            _ => None,
        }
    }
}

impl Coded for ApiError {
    fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "api.refused",
            Self::Unreachable { .. } => "api.unreachable",
            Self::Foreign { .. } => "api.foreign",
            Self::Stream(_) => "api.stream",
            Self::BadUrl { .. } => "api.bad_url",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(problem) => problem.hint.clone(),
            Self::Unreachable { .. } => {
                Some("check that the service runs and that this machine can reach it".into())
            }
            Self::Foreign { .. } => Some("check that the address is a coordinator's".into()),
            Self::Stream(_) | Self::BadUrl { .. } => None,
        }
    }
}
