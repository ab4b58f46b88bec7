//! Sees to it that a pool has the bytes of the app and of the dataset that a deal is about.
//!
//! Their owners left them with some pool; workers fetch from their own. What a pool lacks is fetched from another one, checked by
//! its id, and left with it. Knows nothing of orders.

use std::path::Path;

use alloy::primitives::Bytes;
use guildhall_chain::ChainClient;
use guildhall_protocol::{AssetId, ContentId, PoolId};

use super::store::{PoolStore, reader};
use crate::error::{Failure, Result};

/// The most bytes of an asset that go from one pool to another.
const BYTES_MAX: u64 = 1 << 30;
/// The most pools that are asked.
const POOLS_MAX: u32 = 64;

/// Leaves with a pool what it lacks of an app and a dataset (zero for none). The names of what was brought.
///
/// # Errors
/// `deal.no_bytes` where no pool has them; what the chain and the stores say.
pub async fn stock(
    chain: &ChainClient,
    store: &PoolStore,
    (app, dataset, pool): (AssetId, AssetId, PoolId),
    cache: &Path,
) -> Result<Vec<String>> {
    let mut needed = Vec::new();
    if let Some(found) = chain.app(app).await? {
        needed.push((format!("app {app}"), found.code));
    }
    if dataset != AssetId::ZERO
        && let Some(found) = chain.dataset(dataset).await?
    {
        needed.push((format!("dataset {dataset}"), found.content));
    }
    let mut brought = Vec::new();
    for (name, id) in needed {
        if store.has(id).await? {
            continue;
        }
        let bytes = elsewhere(chain, pool, id, cache).await?.ok_or_else(|| {
            Failure::new(
                "deal.no_bytes",
                format!("pool {pool} does not have the bytes of {name} ({id}), nor has any other"),
            )
            .hint("ask its owner to leave them with a pool (`--store` when it is registered)")
        })?;
        store.put(bytes).await?;
        brought.push(name);
    }
    Ok(brought)
}

/// The bytes from the first other pool that has them. One that does not answer is passed over.
async fn elsewhere(chain: &ChainClient, pool: PoolId, id: ContentId, cache: &Path) -> Result<Option<Bytes>> {
    let pools = chain.workforce().pools().call().await;
    let count = pools.map_err(|error| Failure::new("chain.node", error.to_string()))?;
    for other in (1..=count.min(POOLS_MAX)).map(PoolId).filter(|other| *other != pool) {
        let endpoint = chain.endpoint_of(other).await?;
        if endpoint.is_empty() {
            continue;
        }
        let found = match reader(cache, &endpoint).await {
            Ok(blobs) => blobs.get(id, BYTES_MAX).await.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        match found {
            Ok(bytes) => return Ok(Some(bytes.into())),
            Err(failure) => tracing::debug!(pool = %other, %failure, "another pool does not have it"),
        }
    }
    Ok(None)
}
