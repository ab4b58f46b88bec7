//! The typed client of a gateway's HTTP interface, as far as our own programs use it: `docs/gateway.md` has the whole.

use alloy::primitives::B256;
use guildhall_protocol::SignedOrder;
use serde::Deserialize;
use url::Url;

use crate::client::{CONNECT_TIMEOUT, REQUEST_TIMEOUT, answer, base_of, json};
use crate::error::ApiError;

/// A client of one gateway; cheap to clone.
#[derive(Debug, Clone)]
pub struct GatewayClient {
    http: reqwest::Client,
    base: Url,
}

/// An order that is on the book.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listed {
    /// Its digest.
    pub hash: B256,
    /// Tasks that it has left, as a decimal text.
    pub left: String,
}

impl GatewayClient {
    /// A client of the gateway at `base`, for instance `http://127.0.0.1:8660`.
    ///
    /// # Errors
    /// [`ApiError::BadUrl`] for something that is not an HTTP address.
    pub fn new(base: &str) -> Result<Self, ApiError> {
        let url = base_of(base)?;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .build()
            .map_err(|source| ApiError::Unreachable { url: base.to_owned(), source })?;
        Ok(Self { http, base: url })
    }

    /// Puts a signed order on the book; one that is there already stays there.
    ///
    /// # Errors
    /// [`ApiError`]; a refusal's code says why the Market would not take it now.
    pub async fn put_order(&self, signed: &SignedOrder) -> Result<Listed, ApiError> {
        let url =
            self.base.join("api/v1/orders").map_err(|_| ApiError::BadUrl { url: self.base.to_string() })?;
        json(answer(&self.base, self.http.post(url).json(signed)).await?).await
    }
}
