//! What the Registry says of assets: the number that it gave one, the nonce of its orders.

use alloy::{
    primitives::{B256, U256},
    providers::Provider as _,
    rpc::types::Filter,
    sol_types::SolEvent as _,
};
use guildhall_chain::{
    ChainClient, EventKind, TxOutcome,
    bindings::Registry::{NonceBumped, RegistryEvents},
    events,
};
use guildhall_protocol::AssetId;

use crate::error::{Failure, Result};

/// The two kinds of assets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// A WebAssembly module.
    App,
    /// Data, or a model.
    Dataset,
}

/// The number in the event of a registration.
///
/// # Errors
/// `asset.no_event` when the transaction registered nothing.
pub fn registered(chain: &ChainClient, outcome: &TxOutcome, kind: Registered) -> Result<AssetId> {
    let number = |kind_of: &EventKind| -> Option<U256> {
        match (kind_of, kind) {
            (EventKind::Registry(RegistryEvents::AppRegistered(event)), Registered::App) => Some(event.id),
            (EventKind::Registry(RegistryEvents::DatasetRegistered(event)), Registered::Dataset) => {
                Some(event.id)
            }
            _ => None,
        }
    };
    let mut events = outcome.logs.iter().filter_map(|log| events::decode(chain.deployment(), log));
    events.find_map(|event| number(&event.kind)).map(AssetId).ok_or_else(|| {
        Failure::new("asset.no_event", format!("transaction {} registered nothing", outcome.hash))
            .hint("check the deployment file")
    })
}

/// The nonce that orders of a dataset are signed with.
///
/// The Registry tells nonces to a match only, of an app and a dataset together; the events tell one alone.
///
/// # Errors
/// `asset.missing`, `chain.node`.
pub async fn dataset_nonce(chain: &ChainClient, dataset: AssetId) -> Result<u64> {
    chain.dataset(dataset).await?.ok_or_else(|| missing("dataset", dataset))?;
    let deployment = chain.deployment();
    let filter = Filter::new()
        .address(deployment.registry)
        .event_signature(NonceBumped::SIGNATURE_HASH)
        .topic1(B256::from(dataset.0))
        .from_block(deployment.block);
    let logs = chain.provider().get_logs(&filter).await.map_err(|error| {
        Failure::new("chain.node", format!("the node did not answer for the dataset's events: {error}"))
            .hint("check that the node runs, and that it serves logs back to the deployment")
    })?;
    // Without any event no order was ever cancelled.
    let Some(last) = logs.last() else { return Ok(0) };
    let event = NonceBumped::decode_log(&last.inner).map_err(|error| {
        Failure::new("chain.node", format!("the node gave an event that is none: {error}"))
    })?;
    Ok(event.nonce)
}

/// What is said of an asset that is not there.
pub fn missing(kind: &str, id: AssetId) -> Failure {
    Failure::new("asset.missing", format!("there is no {kind} {id} on this chain"))
        .hint(format!("check its number: `guildhall {kind} register` told it"))
}
