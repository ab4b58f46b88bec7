//! How commands reach the chain, the pool and the keys.

use std::{path::PathBuf, sync::Arc};

use alloy::{primitives::U256, sol_types::SolCall};
use guildhall_blobs::BlobStore;
use guildhall_chain::{
    Call, ChainClient, Deployment, Endpoint, Key, RpcPolicy, Sender, SenderPolicy, TxOutcome,
};
use guildhall_protocol::{DealId, PoolId};
use url::Url;

use super::Context;
use crate::{
    error::{Failure, Result},
    orders::OrderFolder,
    requester::store::{local, reader},
};

/// Where a node is looked for when nobody named one.
pub(crate) const DEFAULT_CHAIN: &str = "http://127.0.0.1:8545";
/// The file in which a running city says where its chain is served.
pub(crate) const CHAIN_URL_FILE: &str = "chain.url";
/// Attempts at a node that does not answer: a person waits.
const RETRIES: u32 = 1;

impl Context {
    /// The chain's endpoint: named, or the city's, or the usual one.
    pub(crate) fn chain_url(&self) -> Result<Url> {
        if let Some(url) = self.profile.chain() {
            return Ok(url.clone());
        }
        let said = std::fs::read_to_string(self.profile.data.join(CHAIN_URL_FILE)).ok();
        let text = said.as_deref().map_or(DEFAULT_CHAIN, str::trim);
        text.parse().map_err(|_| Failure::new("chain.url", format!("`{text}` is not a node's address")))
    }

    /// The way to the node.
    pub(crate) async fn endpoint(&self) -> Result<Endpoint> {
        let policy = RpcPolicy { retries: RETRIES, ..RpcPolicy::default() };
        let (node, second) = (self.chain_url()?, self.profile.chain_check());
        Ok(match second {
            Some(second) => Endpoint::connect_two(&node, second, policy).await?,
            None => Endpoint::connect(&node, policy).await?,
        })
    }

    /// The contracts on the chain, checked.
    pub(crate) async fn chain(&self) -> Result<ChainClient> {
        let deployment = Deployment::load(&self.profile.deployment)?;
        Ok(ChainClient::open(self.endpoint().await?, deployment).await?)
    }

    /// The named key, opened.
    pub(crate) async fn key(&self) -> Result<Key> {
        self.named_key(self.profile.key()?.to_owned()).await
    }

    /// A key by name or file, opened.
    pub(crate) async fn named_key(&self, name: String) -> Result<Key> {
        let (keys, password) = (self.keys(), self.profile.password.clone());
        // Opening is slow on purpose.
        tokio::task::spawn_blocking(move || keys.open(&name, &password))
            .await
            .map_err(|error| Failure::new("keys.thread", error.to_string()))?
    }

    /// The orders of the data directory.
    pub(crate) fn orders(&self) -> OrderFolder {
        OrderFolder::of_data(&self.profile.data)
    }

    /// Where a pool's coordinator is: named, or as the pool says on chain.
    pub(crate) async fn coordinator_url(
        &self,
        chain: &ChainClient,
        pool: u32,
        named: Option<&Url>,
    ) -> Result<String> {
        if let Some(url) = named {
            return Ok(url.to_string());
        }
        let url = chain.endpoint_of(PoolId(pool)).await?;
        if url.is_empty() {
            return Err(Failure::new(
                "pool.no_endpoint",
                format!("pool {pool} does not say where its coordinator is"),
            )
            .hint("ask its owner, and name it with `--coordinator URL`"));
        }
        Ok(url)
    }

    /// A cache of bytes that fetches what it lacks from a coordinator, if there is one.
    pub(crate) async fn blobs(&self, coordinator: Option<&str>) -> Result<Arc<dyn BlobStore>> {
        match coordinator {
            Some(coordinator) => reader(&self.cache("blobs"), coordinator).await,
            None => local(&self.cache("blobs")).await,
        }
    }

    /// A directory of things that may be lost.
    pub(crate) fn cache(&self, name: &str) -> PathBuf {
        self.profile.data.join("cache").join(name)
    }
}

/// The sender of a key's transactions.
pub(crate) fn sender(chain: &ChainClient, key: &Key) -> Sender {
    chain.sender(key.clone(), SenderPolicy::default())
}

/// Sends a call.
pub(crate) async fn send(
    sender: &Sender,
    to: alloy::primitives::Address,
    call: &impl SolCall,
) -> Result<TxOutcome> {
    Ok(sender.send(Call { to: Some(to), data: call.abi_encode().into(), value_wei: U256::ZERO }).await?)
}

/// Reads a deal's id.
pub(crate) fn deal_id(text: &str) -> Result<DealId, String> {
    text.parse().map_err(|_| format!("`{text}` is no deal's id; it is `0x` and 64 hexadecimal digits"))
}
