//! Which number the Registry gave an asset.

use alloy::primitives::U256;
use guildhall_chain::{ChainClient, EventKind, TxOutcome, bindings::Registry::RegistryEvents, events};
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
