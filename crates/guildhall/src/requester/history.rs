//! What the chain says of a deal, from its events: terms, certificates, slashes, what was paid out.
//!
//! Events name what happened; whether it still stands is read from the contracts' words, by whoever needs to know.

use alloy::{
    primitives::{Address, B256},
    providers::Provider as _,
    rpc::types::Filter,
};
use guildhall_chain::{
    ChainClient, Event, EventKind, Position,
    bindings::{Certifier::CertifierEvents, Recourse::RecourseEvents},
    events::{self, Certified},
};
use guildhall_protocol::{DealId, Terms};

use crate::error::{Failure, Result};

/// A certificate with everything that its event said.
#[derive(Clone, Debug)]
pub struct CertifiedAt {
    /// The certificate, its members and rivals.
    pub certified: Certified,
    /// Where it stands.
    pub position: Position,
}

/// Stake taken into escrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlashedAt {
    /// The batch.
    pub batch: u32,
    /// Whose.
    pub worker: Address,
    /// Bond units (1e15 of the token's smallest unit).
    pub units: u64,
}

/// A deal's history.
#[derive(Clone, Debug)]
pub struct History {
    /// Its terms.
    pub terms: Terms,
    /// Where it opened.
    pub opened: Position,
    /// Certificates, in the order of the chain; a batch that was drawn anew may have several.
    pub certificates: Vec<CertifiedAt>,
    /// Slashes into escrow.
    pub slashes: Vec<SlashedAt>,
    /// Batches whose escrow was paid out.
    pub released: Vec<u32>,
    /// Batches that expired or are void.
    pub refunded: Vec<u32>,
    /// Everything else, by name.
    pub events: Vec<Event>,
}

impl History {
    /// The last certificate of a batch.
    pub fn certificate(&self, batch: u32) -> Option<&CertifiedAt> {
        self.certificates.iter().rfind(|at| at.certified.certificate.batch == batch)
    }
}

/// Reads a deal's history.
///
/// # Errors
/// `deal.missing` when no deal with this id opened here; `chain.node`.
pub async fn history(chain: &ChainClient, deal: DealId) -> Result<History> {
    let deployment = chain.deployment();
    let filter = Filter::new()
        .address(vec![deployment.market, deployment.certifier, deployment.recourse])
        .topic1(deal.0)
        .from_block(deployment.block);
    let logs = chain.provider().get_logs(&filter).await.map_err(|error| {
        Failure::new("chain.node", format!("the node did not answer for the deal's events: {error}"))
            .hint("check that the node runs, and that it serves logs back to the deployment")
    })?;
    let all: Vec<Event> = logs.iter().filter_map(|log| events::decode(deployment, log)).collect();
    let opening = all.iter().find_map(|event| Some((event.kind.deal_opened()?, event.position)));
    let (terms, opened) = opening.ok_or_else(|| missing(deal.0))?;
    let mut history = History {
        terms,
        opened,
        certificates: Vec::new(),
        slashes: Vec::new(),
        released: Vec::new(),
        refunded: Vec::new(),
        events: Vec::new(),
    };
    for event in all {
        history.note(event);
    }
    Ok(history)
}

impl History {
    fn note(&mut self, event: Event) {
        if let Some(certified) = event.kind.certified() {
            self.certificates.push(CertifiedAt { certified, position: event.position });
        }
        if let EventKind::Certifier(kind) = &event.kind {
            match kind {
                CertifierEvents::Slashed(event) => self.slashes.push(SlashedAt {
                    batch: event.batch,
                    worker: event.worker,
                    units: event.units.saturating_to(),
                }),
                CertifierEvents::BatchExpired(event) => self.refunded.push(event.batch),
                CertifierEvents::RoundVoided(event) => self.refunded.push(event.batch),
                _ => {}
            }
        }
        if let EventKind::Recourse(RecourseEvents::Released(event)) = &event.kind {
            self.released.push(event.batch);
        }
        self.events.push(event);
    }
}

fn missing(deal: B256) -> Failure {
    Failure::new("deal.missing", format!("no deal {deal} opened on this chain"))
        .hint("check the id, and the chain (`--chain`, `--deployment`)")
}
