//! Answers that stay the same until the index moves on, kept as they were sent: who looks at a busy city asks for the same lists.
//!
//! Knows nothing of what they say. Only for routes whose answers are a function of the index and of what the chain said with it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use axum::{
    body::{Body, Bytes, HttpBody as _, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use guildhall_service::Problem;

use super::{Shared, answer::sent};
use crate::limits::{ANSWER_KEPT_BYTES, ANSWERS_KEPT_BYTES, QUERY_KEPT_BYTES};

/// What was answered since the index moved on last.
#[derive(Debug, Default)]
pub struct Answers(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    version: u64,
    bytes: usize,
    /// By path and query: the mark that a client has of it, and the body.
    answers: HashMap<String, (HeaderValue, Bytes)>,
}

impl Answers {
    /// An answer under a version of the index.
    fn get(&self, version: u64, asked: &str) -> Option<(HeaderValue, Bytes)> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.version == version { inner.answers.get(asked).cloned() } else { None }
    }

    /// Keeps an answer; those of another version go. When all of them are too much, they go together: the next request for each
    /// brings it back.
    fn put(&self, version: u64, asked: String, etag: HeaderValue, bytes: Bytes) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let takes = asked.len() + bytes.len();
        if inner.version != version || inner.bytes + takes > ANSWERS_KEPT_BYTES {
            *inner = Inner { version, ..Inner::default() };
        }
        inner.bytes += takes;
        inner.answers.insert(asked, (etag, bytes));
    }
}

/// Answers with what is kept, or keeps what is answered.
pub(super) async fn kept(State(desk): Shared, request: Request, next: Next) -> Response {
    let asked = request.uri().path_and_query().map(|asked| asked.as_str().to_owned());
    let Some(asked) =
        asked.filter(|asked| request.method() == Method::GET && asked.len() <= QUERY_KEPT_BYTES)
    else {
        return next.run(request).await;
    };
    let version = desk.index.reached().borrow().version;
    if let Some((etag, bytes)) = desk.answers.get(version, &asked) {
        return sent(request.headers(), etag, bytes);
    }
    let (parts, body) = next.run(request).await.into_parts();
    let small = body.size_hint().exact().is_some_and(|size| size <= ANSWER_KEPT_BYTES as u64);
    let etag = parts.headers.get(header::ETAG).filter(|_| small && parts.status == StatusCode::OK).cloned();
    let Some(etag) = etag else { return Response::from_parts(parts, body) };
    match to_bytes(body, ANSWER_KEPT_BYTES).await {
        Ok(bytes) => {
            desk.answers.put(version, asked, etag, bytes.clone());
            Response::from_parts(parts, Body::from(bytes))
        }
        Err(error) => Problem::internal("gateway.body", error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(answers: &Answers, version: u64, asked: &str, bytes: Vec<u8>) {
        answers.put(version, asked.to_owned(), HeaderValue::from_static("\"a\""), bytes.into());
    }

    #[test]
    fn an_answer_is_kept_until_the_index_moves_on() {
        let answers = Answers::default();
        put(&answers, 1, "/deals", vec![1]);
        assert_eq!(answers.get(1, "/deals").expect("kept").1, vec![1]);
        assert!(answers.get(1, "/workers").is_none() && answers.get(2, "/deals").is_none());
        put(&answers, 2, "/workers", vec![2]);
        assert!(answers.get(1, "/deals").is_none() && answers.get(2, "/workers").is_some());
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let answers = Answers::default();
        let large = ANSWERS_KEPT_BYTES / ANSWER_KEPT_BYTES + 1;
        for number in 0..large {
            put(&answers, 1, &number.to_string(), vec![0; ANSWER_KEPT_BYTES]);
        }
        let held = answers.0.lock().expect("whole").answers.len();
        assert!(held < large, "{held}");
    }
}
