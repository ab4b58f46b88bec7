//! RFC 9457 problem documents: how every HTTP interface of the project says that something went wrong.
//!
//! Knows nothing of routes; a handler returns `Result<_, Problem>`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use crate::{Coded, error::chain_text};

/// Media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Longest `detail` and `hint` sent, in characters: they may carry text from outside.
pub const MAX_TEXT_CHARS: usize = 2_000;

/// What went wrong with a request, as RFC 9457 has it, with our dotted code and a hint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{title} ({code}): {detail}")]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Dotted code, the same as in logs and on the command line.
    pub code: String,
    /// The kind of problem, in words: the status' standard text unless said otherwise.
    pub title: String,
    /// What went wrong this time, with the values.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// A problem with the status' standard title.
    pub fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            code: code.into(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            detail: clipped(detail.into()),
            hint: None,
        }
    }

    /// The problem that an error of ours becomes: its code, its causes and its hint.
    pub fn from_error(status: StatusCode, error: &(impl Coded + 'static)) -> Self {
        let problem = Self::new(status, error.code(), chain_text(error));
        Self { hint: error.hint().map(clipped), ..problem }
    }

    /// The same with a title of its own.
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The same with a remedy.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(clipped(hint.into()));
        self
    }

    /// 400: the request makes no sense.
    pub fn bad_request(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 409: the thing is in a state that does not allow it.
    pub fn conflict(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 503: try again later.
    pub fn unavailable(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
    }

    /// 500: our fault. The detail goes to the caller: it must hold nothing secret.
    pub fn internal(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, detail)
    }
}

fn clipped(text: String) -> String {
    if text.chars().count() <= MAX_TEXT_CHARS {
        return text;
    }
    text.chars().take(MAX_TEXT_CHARS).chain("...".chars()).collect()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            tracing::warn!(code = %self.code, status = self.status, detail = %self.detail, "request failed");
        }
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("deal 7 is not known")]
    struct NoDeal;

    impl Coded for NoDeal {
        fn code(&self) -> &'static str {
            "deals.unknown"
        }

        fn hint(&self) -> Option<String> {
            Some("list them with `guildhall deal list`".into())
        }
    }

    #[tokio::test]
    async fn an_error_becomes_a_problem_document() {
        let response = Problem::from_error(StatusCode::NOT_FOUND, &NoDeal).into_response();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("body");
        let value: serde_json::Value = serde_json::from_slice(&body).expect("json");
        assert_eq!(
            value,
            serde_json::json!({
                "status": 404, "code": "deals.unknown", "title": "Not Found", "detail": "deal 7 is not known",
                "hint": "list them with `guildhall deal list`"
            })
        );
    }

    #[test]
    fn text_from_outside_is_clipped() {
        let problem = Problem::bad_request("x.y", "a".repeat(MAX_TEXT_CHARS * 3));
        assert_eq!(problem.detail.chars().count(), MAX_TEXT_CHARS + 3);
    }
}
