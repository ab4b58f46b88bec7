//! Apps and datasets.

use alloy::primitives::{Address, B256};
use guildhall_chain::{EventKind, bindings::Registry::RegistryEvents};
use guildhall_protocol::{AssetId, ContentId, RuntimeNumber};
use serde::{Deserialize, Serialize};

use super::{Context, Facet, Folded, Share};
use crate::recorded::{Place, Recorded, Seen};

/// The two kinds of assets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetKind {
    /// A WebAssembly module.
    App,
    /// Data, or a model.
    Dataset,
}

impl AssetKind {
    /// As JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Dataset => "dataset",
        }
    }
}

/// An app or a dataset. Its name is text of its owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    /// Its number.
    pub id: AssetId,
    /// Which of the two.
    pub kind: AssetKind,
    /// Its name.
    pub name: String,
    /// Who owns it.
    pub owner: Address,
    /// Its exact bytes.
    pub content: ContentId,
    /// What executes an app.
    pub runtime: Option<RuntimeNumber>,
    /// Commitment to a dataset's key; none where it is not encrypted.
    pub key_commitment: Option<B256>,
    /// Nonce of its orders.
    #[serde(with = "guildhall_protocol::units::decimal")]
    pub nonce: u64,
    /// Where it was registered.
    pub registered: Seen,
    /// Place of that.
    pub place: Place,
}

impl Folded for Asset {
    fn begin(_: &str, event: &Recorded) -> Option<Self> {
        let EventKind::Registry(registry) = &event.kind else { return None };
        let (registered, place) = (event.into(), event.place);
        Some(match registry {
            RegistryEvents::AppRegistered(app) => Self {
                id: AssetId(app.id),
                kind: AssetKind::App,
                name: app.name.clone(),
                owner: app.owner,
                content: ContentId(app.codeId),
                runtime: Some(RuntimeNumber(app.runtime)),
                key_commitment: None,
                nonce: 0,
                registered,
                place,
            },
            RegistryEvents::DatasetRegistered(dataset) => Self {
                id: AssetId(dataset.id),
                kind: AssetKind::Dataset,
                name: dataset.name.clone(),
                owner: dataset.owner,
                content: ContentId(dataset.contentId),
                runtime: None,
                key_commitment: (!dataset.keyCommitment.is_zero()).then_some(dataset.keyCommitment),
                nonce: 0,
                registered,
                place,
            },
            _ => return None,
        })
    }

    fn apply(&mut self, event: &Recorded, _: Context<'_>) {
        match &event.kind {
            EventKind::Registry(RegistryEvents::NonceBumped(event)) => self.nonce = event.nonce,
            EventKind::Registry(RegistryEvents::Transfer(event)) => self.owner = event.to,
            _ => {}
        }
    }

    fn rank(&self) -> Place {
        self.place
    }

    fn facets(&self) -> Vec<Facet> {
        vec![("kind", self.kind.name().to_owned()), ("owner", super::lower(self.owner))]
    }

    fn shares(&self) -> Vec<Share> {
        vec![("assets", self.kind.name().to_owned(), 1)]
    }
}
