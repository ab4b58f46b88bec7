//! What every route needs: parameters that are refused when they are not known, pages, and answers that need not be sent twice.

use std::{collections::BTreeMap, str::FromStr};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use guildhall_chain::ChainError;
use guildhall_service::{Coded as _, Problem};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    error::IndexError,
    index::Page,
    limits::{BODY_BYTES, PAGE_MAX, PAGE_USUAL, TOPICS_A_STREAM},
    objects::Object,
    recorded::Place,
};

/// Longest query of an address, in bytes.
const QUERY_BYTES: usize = 8 * 1024;

/// What a handler gives.
pub(super) type Answer = Result<Response, Problem>;

impl From<IndexError> for Problem {
    fn from(error: IndexError) -> Self {
        // What the database says is for our log, not for strangers.
        tracing::error!(%error, "the index failed");
        Problem::unavailable(error.code(), "the index could not be read: try again in a moment")
    }
}

/// The problem that a failed question to the chain becomes.
pub(super) fn chain_problem(error: ChainError) -> Problem {
    match &error {
        ChainError::Refused { .. } => Problem::from_error(StatusCode::CONFLICT, &error),
        _ => Problem::unavailable(error.code(), "the chain's node did not answer: try again in a moment"),
    }
}

/// The parameters of an address. What is not taken is refused.
#[derive(Debug, Default)]
pub(super) struct Params {
    given: BTreeMap<String, Vec<String>>,
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        if query.len() > QUERY_BYTES {
            return Err(Problem::new(
                StatusCode::URI_TOO_LONG,
                "gateway.query_too_long",
                format!("the query has {} bytes, at most {QUERY_BYTES} are taken", query.len()),
            ));
        }
        let mut params = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            params.given.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        Ok(params)
    }
}

impl Params {
    /// Every value of a name.
    pub(super) fn all(&mut self, name: &str) -> Vec<String> {
        self.given.remove(name).unwrap_or_default()
    }

    /// The value of a name, if it was given once.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut all = self.all(name);
        match all.len() {
            0 | 1 => Ok(all.pop()),
            _ => {
                let detail = format!("`{name}` was given {} times", all.len());
                Err(Problem::bad_request("gateway.given_twice", detail))
            }
        }
    }

    /// The value of a name as what it has to be.
    pub(super) fn value<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        self.text(name)?.map(|text| parsed(name, &text)).transpose()
    }

    /// Which page.
    pub(super) fn page(&mut self) -> Result<(u32, Option<Place>), Problem> {
        let limit = self.value::<u32>("limit")?.unwrap_or(PAGE_USUAL);
        if limit == 0 || limit > PAGE_MAX {
            let detail = format!("`limit` is {limit}, from 1 to {PAGE_MAX} are given");
            return Err(Problem::bad_request("gateway.bad_limit", detail));
        }
        let place = self.value::<i64>("cursor")?.map(Place);
        Ok((limit, place))
    }

    /// Refuses what nobody took.
    pub(super) fn done(self) -> Result<(), Problem> {
        match self.given.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                let detail = format!("`{name}` is no parameter here");
                Err(Problem::bad_request("gateway.unknown_parameter", detail)
                    .with_hint("`/api/v1/openapi.json` has all that there are"))
            }
        }
    }
}

/// A text as what it has to be.
pub(super) fn parsed<T: FromStr>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(80).collect();
        Problem::bad_request("gateway.bad_value", format!("`{shown}` is no {name}"))
    })
}

/// What stands in the path.
#[derive(Debug)]
pub(super) struct At<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(found)) => Ok(Self(found)),
            Err(error) => Err(Problem::bad_request("gateway.bad_path", error.body_text())),
        }
    }
}

/// A whole body.
#[derive(Debug)]
pub(super) struct Sent(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let detail = format!("a body has at most {BODY_BYTES} bytes");
                Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "gateway.too_large", detail))
            }
            Err(error) => Err(Problem::new(error.status(), "gateway.bad_body", error.body_text())),
        }
    }
}

/// Answers as JSON, or that nothing is new.
pub(super) fn json_answer(headers: &HeaderMap, value: &impl Serialize) -> Answer {
    let internal = |error: String| Problem::internal("gateway.json", error);
    let bytes = serde_json::to_vec(value).map_err(|error| internal(error.to_string()))?;
    let etag = format!("\"{}\"", &blake3::hash(&bytes).to_hex()[..32]);
    let etag = HeaderValue::from_str(&etag).map_err(|error| internal(error.to_string()))?;
    Ok(sent(headers, etag, bytes.into()))
}

/// JSON as it was written, or that nothing is new.
pub(super) fn sent(headers: &HeaderMap, etag: HeaderValue, bytes: Bytes) -> Response {
    let fresh =
        headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok()).is_some_and(|known| {
            known.split(',').take(TOPICS_A_STREAM).any(|known| {
                let known = known.trim();
                known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == etag.as_bytes()
            })
        });
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
    };
    response.headers_mut().insert(header::ETAG, etag);
    // To be asked for again, but not to be sent again.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// An object as it is shown: without what only the index needs.
pub(super) fn shown(object: &Object) -> Result<Value, Problem> {
    let value = match object {
        Object::Deal(deal) => serde_json::to_value(deal),
        Object::Batch(batch) => serde_json::to_value(batch),
        Object::Certificate(certificate) => serde_json::to_value(certificate),
        Object::Worker(worker) => serde_json::to_value(worker),
        Object::Operator(operator) => serde_json::to_value(operator),
        Object::Pool(pool) => serde_json::to_value(pool),
        Object::Asset(asset) => serde_json::to_value(asset),
        Object::Account(account) => serde_json::to_value(account),
        Object::Case(case) => serde_json::to_value(case),
        Object::Task(task) => serde_json::to_value(task),
    };
    let mut value = value.map_err(|error| Problem::internal("gateway.json", error.to_string()))?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("place");
    }
    Ok(value)
}

/// A page as it is shown.
pub(super) fn page_of<T>(
    page: Page<T>,
    show: impl Fn(T) -> Result<Value, Problem>,
) -> Result<Value, Problem> {
    let items = page.items.into_iter().map(show).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "items": items, "next": page.next.map(|next| next.0.to_string()) }))
}

/// What is said of something that is not there.
pub(super) fn missing(what: &str, id: &str) -> Problem {
    let shown: String = id.chars().take(80).collect();
    Problem::not_found(format!("{what}.missing"), format!("there is no {what} `{shown}`"))
}
