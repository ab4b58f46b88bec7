//! What the contracts say, typed, and where on the chain they said it.
//!
//! Knows nothing of reorganisations: see [`crate::follow`].

use std::{collections::HashMap, sync::LazyLock};

use alloy::{
    primitives::{Address, B256, Log as RawLog, TxHash},
    rpc::types::Log,
    sol_types::SolEventInterface,
};
use guildhall_protocol::{
    Case, Certificate, Claim, DealId, Fuel, Member, Terms, Trail, members_hash, roster,
};

use crate::{
    bindings::{
        ABIS, BeaconSeed::BeaconSeedEvents, BlockhashSeed::BlockhashSeedEvents, Certifier::CertifierEvents,
        Court::CourtEvents, Inquest::InquestEvents, Jury::JuryEvents, Market::MarketEvents,
        Recourse::RecourseEvents, Registry::RegistryEvents, Vault::VaultEvents, Workforce::WorkforceEvents,
        convert,
    },
    court::case_of,
    cursor::BlockRef,
    deploy::Deployment,
    inquest::{Inquest, inquest_of},
    revert::interface,
    seeds::SeedKind,
};

/// Where an event stands. Ordered as the chain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The block.
    pub block: BlockRef,
    /// The transaction.
    pub transaction: TxHash,
    /// Index of the log in the block.
    pub log_index: u64,
}

/// An event of one of our contracts.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where it stands.
    pub position: Position,
    /// Its name in Solidity.
    pub name: &'static str,
    /// What it says.
    pub kind: EventKind,
}

/// Every event of the protocol, by contract.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// Money.
    Vault(VaultEvents),
    /// Apps, datasets, runtimes.
    Registry(RegistryEvents),
    /// Pools, operators, workers.
    Workforce(WorkforceEvents),
    /// Orders and deals.
    Market(MarketEvents),
    /// Rounds, certificates, deliveries.
    Certifier(CertifierEvents),
    /// What follows a certificate.
    Recourse(RecourseEvents),
    /// Disputes and audits.
    Court(CourtEvents),
    /// Juries.
    Jury(JuryEvents),
    /// Of the Inquest.
    Inquest(Box<InquestEvents>),
    /// Seeds of blocks written down.
    Seed(BlockhashSeedEvents),
    /// Seeds of epochs written down.
    BeaconSeed(BeaconSeedEvents),
}

/// A batch was certified: everything that later calls bring back.
#[derive(Clone, Debug, PartialEq)]
pub struct Certified {
    /// The certificate.
    pub certificate: Certificate,
    /// What came before it.
    pub trail: Trail,
    /// Every member of the round.
    pub members: Vec<Member>,
    /// Dissenting claims, from claim 1 on, then what was never opened: see [`roster`].
    pub rivals: Vec<Claim>,
}

impl EventKind {
    /// The terms, if this is the opening of a deal.
    pub fn deal_opened(&self) -> Option<Terms> {
        let Self::Market(MarketEvents::DealOpened(event)) = self else { return None };
        convert(&event.terms).ok()
    }

    /// The certificate and its members, if this is a certification.
    pub fn certified(&self) -> Option<Certified> {
        let Self::Certifier(CertifierEvents::Certified(event)) = self else { return None };
        let rivals = event.rivals.iter().map(|claim| Claim { root: claim.root, fuel: Fuel(claim.fuel) });
        Some(Certified {
            certificate: convert(&event.certificate).ok()?,
            trail: Trail(event.trail),
            members: event.members.iter().map(|word| Member::unpack(*word)).collect(),
            rivals: rivals.collect(),
        })
    }

    /// The case, if this is the opening of one.
    pub fn case_opened(&self) -> Option<Case> {
        let Self::Court(CourtEvents::CaseOpened(event)) = self else { return None };
        case_of(&event.record)
    }

    /// The case with its docket, if this is the opening of an inquest.
    pub fn inquest_opened(&self) -> Option<Inquest> {
        let Self::Inquest(event) = self else { return None };
        let InquestEvents::InquestOpened(event) = event.as_ref() else { return None };
        inquest_of(event)
    }

    /// The deal that the event is about, and the batch where it is about one.
    pub fn deal(&self) -> Option<(DealId, Option<u32>)> {
        use CertifierEvents as C;
        use CourtEvents as T;
        use InquestEvents as I;
        use JuryEvents as J;
        use MarketEvents as M;
        use RecourseEvents as R;
        let (deal, batch) = match self {
            Self::Market(M::DealOpened(event)) => (event.dealId, None),
            Self::Certifier(C::Certified(event)) => (event.dealId, Some(event.batch)),
            Self::Certifier(C::Slashed(event)) => (event.dealId, Some(event.batch)),
            Self::Certifier(C::RoundVoided(event)) => (event.dealId, Some(event.batch)),
            Self::Recourse(R::Released(event)) => (event.dealId, Some(event.batch)),
            Self::Recourse(R::Shown(event)) => (event.dealId, Some(event.batch)),
            Self::Recourse(R::Contradicted(event)) => (event.dealId, Some(event.batch)),
            Self::Certifier(C::Contradicted(event)) => (event.dealId, Some(event.batch)),
            Self::Certifier(C::Committed(event)) => (event.dealId, Some(event.batch)),
            Self::Certifier(C::Revealed(event)) => (event.dealId, Some(event.batch)),
            Self::Certifier(C::Reopened(event)) => (event.dealId, Some(event.batch)),
            Self::Certifier(C::BatchExpired(event)) => (event.dealId, Some(event.batch)),
            Self::Certifier(C::StatusChanged(event)) => (event.dealId, Some(event.batch)),
            Self::Certifier(C::Delivered(event)) => (event.dealId, None),
            Self::Certifier(C::DeliveryTipped(event)) => (event.dealId, None),
            Self::Court(T::CaseOpened(event)) => (event.dealId, Some(event.batch)),
            Self::Court(T::CaseClosed(event)) => (event.dealId, Some(event.batch)),
            Self::Court(T::Punished(event)) => (event.dealId, Some(event.batch)),
            Self::Court(T::Disproved(event)) => (event.dealId, Some(event.batch)),
            Self::Jury(J::ReceiptShown(event)) => (event.dealId, Some(event.batch)),
            Self::Inquest(event) => match event.as_ref() {
                I::InquestOpened(event) => (event.dealId, Some(event.batch)),
                I::Held(event) => (event.dealId, Some(event.batch)),
                I::Punished(event) => (event.dealId, Some(event.batch)),
                _ => return None,
            },
            _ => return None,
        };
        Some((DealId(deal), batch))
    }
}

/// The certificate of a batch as it stands after everything that was shown late, from the events of its deal in their order.
pub fn standing(terms: &Terms, events: &[Event], batch: u32) -> Option<Certified> {
    let case_terms = terms.case_terms(batch).ok()?;
    let mut certified: Option<Certified> = None;
    for event in events {
        if let Some(found) = event.kind.certified().filter(|found| found.certificate.batch == batch) {
            certified = Some(found);
        }
        let EventKind::Recourse(RecourseEvents::Shown(event)) = &event.kind else { continue };
        if event.batch != batch {
            continue;
        }
        if let Some(Certified { certificate, trail, members, rivals }) = &mut certified {
            *members = event.members.iter().map(|word| Member::unpack(*word)).collect();
            certificate.members = members_hash(roster(members, rivals, *trail), case_terms);
        }
    }
    certified
}

/// Reads a log of one of the deployment's contracts; `None` for other contracts, events that this version does not know,
/// and logs that are not in a block.
pub fn decode(deployment: &Deployment, log: &Log) -> Option<Event> {
    let kind = decode_kind(deployment, log.address(), &log.inner);
    if kind.is_none() {
        tracing::debug!(address = %log.address(), topic = ?log.topic0(), "log is no event that is known");
    }
    let block = BlockRef { number: log.block_number?, hash: log.block_hash? };
    let position = Position { block, transaction: log.transaction_hash?, log_index: log.log_index? };
    let name = NAMES.get(log.topic0()?).map_or("", String::as_str);
    Some(Event { position, name, kind: kind? })
}

/// Names of all events of our contracts by signature.
static NAMES: LazyLock<HashMap<B256, String>> = LazyLock::new(|| {
    let events = ABIS.into_iter().filter_map(|(_, artifact)| interface(artifact)).flat_map(|abi| abi.events);
    events.flat_map(|(_, events)| events).map(|event| (event.selector(), event.name)).collect()
});

fn decode_kind(deployment: &Deployment, address: Address, log: &RawLog) -> Option<EventKind> {
    let Deployment {
        vault,
        registry,
        workforce,
        market,
        certifier,
        seed,
        recourse,
        court,
        jury,
        inquest,
        ..
    } = deployment;
    if address == *certifier {
        CertifierEvents::decode_log(log).ok().map(|event| EventKind::Certifier(event.data))
    } else if address == *market {
        MarketEvents::decode_log(log).ok().map(|event| EventKind::Market(event.data))
    } else if address == *workforce {
        WorkforceEvents::decode_log(log).ok().map(|event| EventKind::Workforce(event.data))
    } else if address == *vault {
        VaultEvents::decode_log(log).ok().map(|event| EventKind::Vault(event.data))
    } else if address == *registry {
        RegistryEvents::decode_log(log).ok().map(|event| EventKind::Registry(event.data))
    } else if address == *recourse {
        RecourseEvents::decode_log(log).ok().map(|event| EventKind::Recourse(event.data))
    } else if address == *court {
        CourtEvents::decode_log(log).ok().map(|event| EventKind::Court(event.data))
    } else if address == *jury {
        JuryEvents::decode_log(log).ok().map(|event| EventKind::Jury(event.data))
    } else if address == *inquest {
        InquestEvents::decode_log(log).ok().map(|event| EventKind::Inquest(Box::new(event.data)))
    } else if address == *seed {
        match deployment.seed_kind {
            SeedKind::Beacon(_) => {
                BeaconSeedEvents::decode_log(log).ok().map(|event| EventKind::BeaconSeed(event.data))
            }
            SeedKind::BlockHash | SeedKind::Prevrandao => {
                BlockhashSeedEvents::decode_log(log).ok().map(|event| EventKind::Seed(event.data))
            }
        }
    } else {
        None
    }
}
