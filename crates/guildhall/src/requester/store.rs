//! Bytes that a pool's workers need: inputs, manifests, apps and datasets, stored with the pool's coordinator.
//!
//! Nobody believes the store: everything is fetched by content id. Knows nothing of deals.

use std::{path::Path, sync::Arc};

use alloy::primitives::Bytes;
use guildhall_api::{Audience, CoordinatorClient, Credential, Purpose};
use guildhall_blobs::{BlobSource, BlobStore, FetchPolicy, FsStore, HttpSource, HttpTimeouts, Layered};
use guildhall_chain::Key;
use guildhall_protocol::ContentId;
use url::Url;

use crate::error::{Failure, Result};

/// How long an upload's credential is good, in seconds.
const CREDENTIAL_SECS: u64 = 120;

/// The code of a refusal to store for this key.
pub const MAY_NOT_STORE: &str = "coordinator.may_not_store";

/// A coordinator's store, opened by somebody who may write.
#[derive(Clone, Debug)]
pub struct PoolStore {
    client: CoordinatorClient,
    audience: Audience,
    key: Key,
}

impl PoolStore {
    /// Asks the coordinator at `url` who it is.
    ///
    /// # Errors
    /// `api.*` when it can't be reached; `store.other_chain` when it serves another chain.
    pub async fn open(url: &str, key: Key, chain: u64) -> Result<Self> {
        let client = CoordinatorClient::new(url)?;
        let about = client.about().await?;
        if about.chain != chain {
            return Err(Failure::new(
                "store.other_chain",
                format!("the coordinator at {url} serves chain {}, not {chain}", about.chain),
            )
            .hint("name the pool's own coordinator, or the right chain"));
        }
        let audience = Audience { chain, certifier: about.certifier, coordinator: about.coordinator };
        Ok(Self { client, audience, key })
    }

    /// The coordinator.
    pub const fn client(&self) -> &CoordinatorClient {
        &self.client
    }

    /// Whether the store has some bytes.
    ///
    /// # Errors
    /// `api.*` when it can't be asked.
    pub async fn has(&self, id: ContentId) -> Result<bool> {
        Ok(self.client.has_blob(id).await?)
    }

    /// Stores bytes, unless they are there.
    ///
    /// # Errors
    /// `api.*`; `coordinator.may_not_store` for a key without balance, asset or seat in the pool.
    pub async fn put(&self, bytes: impl Into<Bytes>) -> Result<ContentId> {
        let bytes: Bytes = bytes.into();
        let content_id = ContentId::of(&bytes);
        if self.has(content_id).await? {
            return Ok(content_id);
        }
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let time = self.client.about().await?.time.0;
        let credential = Credential::sign(
            &self.audience,
            &Purpose::Upload { content_id, size },
            self.key.address(),
            time + CREDENTIAL_SECS,
            |digest| self.key.sign(*digest),
        )?;
        match self.client.store_blob(bytes.0, &credential).await {
            Ok(_) => Ok(content_id),
            Err(error) if error.refusal() == Some(MAY_NOT_STORE) => {
                Err(Failure::new(MAY_NOT_STORE, error.to_string())
                    .hint("pay something in first: `guildhall stake deposit AMOUNT`"))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Room for fetched bytes of one data directory.
const CACHE_QUOTA_BYTES: u64 = 8 << 30;

/// A store of this machine that fetches nothing.
///
/// # Errors
/// `blobs.*` when the directory can't be used.
pub async fn local(dir: &Path) -> Result<Arc<dyn BlobStore>> {
    Ok(Arc::new(FsStore::open(dir, CACHE_QUOTA_BYTES).await?))
}

/// A store of this machine that fetches what it lacks from a coordinator; every byte is checked by its id.
///
/// # Errors
/// `blobs.*` when the directory can't be used; `store.url` for an address that is none.
pub async fn reader(dir: &Path, coordinator: &str) -> Result<Arc<dyn BlobStore>> {
    let local = FsStore::open(dir, CACHE_QUOTA_BYTES).await?;
    let source: Arc<dyn BlobSource> = Arc::new(source(coordinator)?);
    Ok(Arc::new(Layered::new(local, vec![source], FetchPolicy::default())))
}

/// What a coordinator serves.
///
/// # Errors
/// `store.url` for an address that is none.
pub fn source(coordinator: &str) -> Result<HttpSource> {
    let url: Url = format!("{}/v1", coordinator.trim_end_matches('/')).parse().map_err(|_| {
        Failure::new("store.url", format!("`{coordinator}` is no address"))
            .hint("write it as `http://host:8650`")
    })?;
    Ok(HttpSource::new(&url, HttpTimeouts::default())?)
}
