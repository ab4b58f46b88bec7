//! What is not in events, and is asked of the chain when somebody asks for it: remembered until the next block, or for ever where
//! it cannot change.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use alloy::{primitives::B256, providers::Provider as _};
use futures::{StreamExt as _, stream};
use guildhall_chain::{ChainClient, ChainError};
use guildhall_protocol::UnixTime;
use serde::Serialize;
use serde_json::Value;

use crate::{
    limits::{ASKED_AT_ONCE, FACTS_REMEMBERED, NODE_WAIT},
    recorded::Recorded,
};

/// What a transaction cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Gas, of the whole transaction.
    #[serde(with = "guildhall_protocol::units::decimal")]
    pub gas: u64,
    /// What a unit of gas cost, in wei.
    #[serde(with = "guildhall_protocol::units::decimal")]
    pub gas_price: u128,
    /// Who sent it.
    pub from: alloy::primitives::Address,
}

/// What was asked of the chain.
#[derive(Debug, Default)]
pub struct Facts {
    /// What was true under a version of the index.
    latest: Mutex<(u64, HashMap<String, Value>)>,
    /// By transaction, with its block: a transaction that moves to another block is asked for again.
    costs: Mutex<HashMap<(u64, B256), Cost>>,
    /// By block number and one of its transactions.
    times: Mutex<HashMap<(u64, B256), UnixTime>>,
}

impl Facts {
    /// Something that may change with every block: asked once for each version of the index.
    ///
    /// # Errors
    /// What `ask` answers.
    pub async fn latest<E>(
        &self,
        version: u64,
        name: String,
        ask: impl Future<Output = Result<Value, E>>,
    ) -> Result<Value, E> {
        {
            let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            if latest.0 != version || latest.1.len() >= FACTS_REMEMBERED {
                *latest = (version, HashMap::new());
            }
            if let Some(known) = latest.1.get(&name) {
                return Ok(known.clone());
            }
        }
        let found = ask.await?;
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.0 == version {
            latest.1.insert(name, found.clone());
        }
        Ok(found)
    }

    /// Times of blocks and costs of transactions of events, as far as the node tells them in time.
    pub async fn of_events(
        &self,
        chain: &ChainClient,
        events: &[Recorded],
    ) -> HashMap<(u64, B256), (Option<UnixTime>, Option<Cost>)> {
        let places: BTreeSet<_> =
            events.iter().map(|event| (event.place.block(), event.transaction)).collect();
        let asked = stream::iter(places)
            .map(|at| async move { (at, (self.time(chain, at).await, self.cost(chain, at).await)) })
            .buffer_unordered(ASKED_AT_ONCE);
        asked.collect().await
    }

    async fn cost(&self, chain: &ChainClient, at: (u64, B256)) -> Option<Cost> {
        if let Some(known) = self.costs.lock().unwrap_or_else(PoisonError::into_inner).get(&at) {
            return Some(*known);
        }
        let asked = chain.provider().get_transaction_receipt(at.1);
        let receipt = tokio::time::timeout(NODE_WAIT, asked).await.ok()?.ok()??;
        let (gas, gas_price, from) = (receipt.gas_used, receipt.effective_gas_price, receipt.from);
        let cost = Cost { gas, gas_price, from };
        remember(&self.costs, at, cost);
        Some(cost)
    }

    async fn time(&self, chain: &ChainClient, at: (u64, B256)) -> Option<UnixTime> {
        if let Some(known) = self.times.lock().unwrap_or_else(PoisonError::into_inner).get(&at) {
            return Some(*known);
        }
        let head = tokio::time::timeout(NODE_WAIT, chain.block(at.0)).await.ok()?.ok()??;
        remember(&self.times, at, head.time);
        Some(head.time)
    }
}

fn remember<T>(known: &Mutex<HashMap<(u64, B256), T>>, at: (u64, B256), fact: T) {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= FACTS_REMEMBERED {
        // Cheap to ask again, and rare.
        known.clear();
    }
    known.insert(at, fact);
}

/// Asks the node, but does not wait for ever.
///
/// # Errors
/// The node's own, or that it did not answer.
pub async fn in_time<T>(ask: impl Future<Output = Result<T, ChainError>>) -> Result<T, ChainError> {
    match tokio::time::timeout(NODE_WAIT, ask).await {
        Ok(answer) => answer,
        Err(_) => Err(ChainError::Answer {
            what: "a question",
            message: format!("the node did not answer within {} s", NODE_WAIT.as_secs()),
        }),
    }
}
