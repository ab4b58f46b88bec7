//! Blobs from an HTTP server: our own roles, any mirror, an IPFS-style gateway.

use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use guildhall_protocol::ContentId;
use reqwest::{Client, Response, StatusCode, header, redirect::Policy};
use url::Url;

use crate::{BlobError, BlobSource, Offer};

/// How long a server may take.
#[derive(Clone, Copy, Debug)]
pub struct HttpTimeouts {
    /// To connect.
    pub connect: Duration,
    /// To send the response's head.
    pub head: Duration,
    /// Between two pieces of the body. The pace over longer times is checked by [`crate::Layered`].
    pub pause: Duration,
}

impl Default for HttpTimeouts {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Self { connect: secs(5), head: secs(15), pause: secs(15) }
    }
}

/// A server that has blobs at `<base>/blobs/<id>`, or wherever `{id}` stands in its URL (`{hex}` = the bare digits).
///
/// Follows no redirects and asks for no compression: neither must turn a bounded request into something else.
#[derive(Clone, Debug)]
pub struct HttpSource {
    client: Client,
    template: String,
    name: String,
    head_timeout: Duration,
}

impl HttpSource {
    /// A source at `url`.
    ///
    /// # Errors
    /// [`BlobError::Source`] when the URL is not `http` or `https`, or no client can be made.
    pub fn new(url: &Url, timeouts: HttpTimeouts) -> Result<Self, BlobError> {
        let mut shown = url.clone();
        // Credentials and queries (signed URLs) do not belong into logs. A URL that can have neither keeps as it is.
        let _ = shown.set_password(None);
        let _ = shown.set_username("");
        shown.set_query(None);
        let name = shown.to_string();
        let failed = |message: String| BlobError::Source { from: name.clone(), message, transient: false };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(failed(format!("`{}` is not http or https", url.scheme())));
        }
        let client = Client::builder()
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.pause)
            .redirect(Policy::none())
            .build()
            .map_err(|error| failed(error.to_string()))?;
        // The parser writes braces as percent codes.
        let text = url.as_str().replace("%7B", "{").replace("%7D", "}");
        let template = match text.contains("{id}") || text.contains("{hex}") {
            true => text,
            false => format!("{}/blobs/{{id}}", text.trim_end_matches('/')),
        };
        Ok(Self { client, template, name, head_timeout: timeouts.head })
    }

    fn address(&self, id: ContentId) -> String {
        self.template.replace("{id}", &id.to_string()).replace("{hex}", &format!("{:x}", id.0))
    }

    fn failed(&self, message: impl Into<String>, transient: bool) -> BlobError {
        BlobError::Source { from: self.name.clone(), message: message.into(), transient }
    }

    fn offer(&self, response: Response, offset: u64) -> Result<Offer, BlobError> {
        let length = response.content_length();
        let (offset, total) = if response.status() == StatusCode::PARTIAL_CONTENT {
            let said = response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
            let (start, total) = said
                .and_then(content_range)
                .ok_or_else(|| self.failed(format!("Content-Range {said:?} makes no sense"), false))?;
            if start != offset {
                return Err(self.failed(format!("sends from byte {start}, asked for {offset}"), false));
            }
            (start, total.or(length.and_then(|length| start.checked_add(length))))
        } else {
            (0, length)
        };
        let from = self.name.clone();
        let bytes = response.bytes_stream().map_err(move |error| BlobError::Source {
            from: from.clone(),
            message: without_url(error),
            transient: true,
        });
        Ok(Offer { offset, total, bytes: bytes.boxed() })
    }
}

#[async_trait]
impl BlobSource for HttpSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn fetch(&self, id: ContentId, offset: u64) -> Result<Offer, BlobError> {
        let mut request = self.client.get(self.address(id)).header(header::ACCEPT_ENCODING, "identity");
        if offset > 0 {
            request = request.header(header::RANGE, format!("bytes={offset}-"));
        }
        let response = tokio::time::timeout(self.head_timeout, request.send())
            .await
            .map_err(|_| self.failed(format!("no answer within {} ms", self.head_timeout.as_millis()), true))?
            .map_err(|error| self.failed(without_url(error), true))?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => self.offer(response, offset),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(BlobError::missing(id)),
            // It has less than we do: what we hold is not this blob, or its copy is short. Begin anew.
            StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => self.fetch(id, 0).await,
            status => {
                let transient = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
                Err(self.failed(format!("status {status}"), transient))
            }
        }
    }
}

fn without_url(error: reqwest::Error) -> String {
    guildhall_service::error::chain_text(&error.without_url())
}

/// Start and total of `bytes 5-9/10` or `bytes 5-9/*`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _end) = range.split_once('-')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    Some((start.parse().ok()?, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_the_template() {
        let id = ContentId::of(b"x");
        let source = |url: &str| {
            HttpSource::new(&url.parse().expect("url"), HttpTimeouts::default()).expect("source").address(id)
        };
        assert_eq!(source("http://a/"), format!("http://a/blobs/{id}"));
        assert_eq!(source("http://a/x/{hex}?k=1"), format!("http://a/x/{:x}?k=1", id.0));
    }

    #[test]
    fn names_hold_no_credentials() {
        let url = "https://user:pass@host/path?token=secret".parse().expect("url");
        assert_eq!(
            HttpSource::new(&url, HttpTimeouts::default()).expect("source").name(),
            "https://host/path"
        );
    }

    #[test]
    fn other_schemes_are_refused() {
        let url = "file:///etc/passwd".parse().expect("url");
        HttpSource::new(&url, HttpTimeouts::default()).expect_err("not http");
    }

    #[test]
    fn content_ranges_are_read_strictly() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((5, None)));
        for wrong in ["", "bytes", "bytes 5-9", "items 5-9/10", "bytes x-9/10", "bytes 5-9/x"] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }
}
