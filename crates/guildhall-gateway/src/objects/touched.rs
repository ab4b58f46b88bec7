//! Which objects an event touches.

use alloy::primitives::{Address, B256};
use guildhall_chain::{
    EventKind,
    bindings::{
        Certifier::CertifierEvents, Court::CourtEvents, Inquest::InquestEvents, Jury::JuryEvents,
        Market::MarketEvents, Registry::RegistryEvents, Vault::VaultEvents, Workforce::WorkforceEvents,
    },
};
use guildhall_protocol::DealId;

use super::{Key, Kind, account::address_of, case::task_key};
use crate::recorded::Recorded;

/// What an event touches: objects by key, and cases by the task that they are about, which the caller has to look up among
/// the cases that it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Objects.
    pub keys: Vec<Key>,
    /// The task whose cases are touched.
    pub cases_of: Option<String>,
}

/// What an event touches.
pub fn touched(event: &Recorded) -> Touched {
    let mut keys = Vec::new();
    if let Some((deal, batch)) = event.kind.deal() {
        keys.push(Key::new(Kind::Deal, deal));
        keys.extend(batch.map(|batch| batch_key(deal, batch)));
    }
    match &event.kind {
        EventKind::Vault(event) => vault(event, &mut keys),
        EventKind::Registry(event) => registry(event, &mut keys),
        EventKind::Workforce(event) => workforce(event, &mut keys),
        EventKind::Market(event) => market(event, &mut keys),
        EventKind::Certifier(_) | EventKind::Recourse(_) => certifier(event, &mut keys),
        EventKind::Court(event) => court(event, &mut keys),
        EventKind::Jury(event) => keys.extend(case_of_jury(event).map(case)),
        EventKind::Inquest(event) => inquest(event, &mut keys),
        _ => {}
    }
    if let Some(opened) = event.kind.case_opened() {
        keys.push(Key::new(Kind::Case, opened.id()));
    }
    if let Some(opened) = event.kind.inquest_opened() {
        keys.push(Key::new(Kind::Case, opened.case.id()));
    }
    // One event may name the same object twice; it is applied once.
    keys.sort();
    keys.dedup();
    Touched { keys, cases_of: cases_of(&event.kind) }
}

/// The key of a batch.
pub(crate) fn batch_key(deal: DealId, batch: u32) -> Key {
    Key { kind: Kind::Batch, id: format!("{deal}/{batch}") }
}

fn worker(address: Address) -> Key {
    Key { kind: Kind::Worker, id: lower(address) }
}

fn account(address: Address) -> Key {
    Key { kind: Kind::Account, id: lower(address) }
}

fn case(id: B256) -> Key {
    Key::new(Kind::Case, id)
}

/// An address as ids have it: without the checksum's capitals.
pub(crate) fn lower(address: Address) -> String {
    format!("{address:#x}")
}

fn vault(event: &VaultEvents, keys: &mut Vec<Key>) {
    match event {
        VaultEvents::Deposited(event) => keys.push(account(address_of(event.account))),
        VaultEvents::Withdrawn(event) => keys.push(account(address_of(event.account))),
        VaultEvents::Taken(event) => keys.push(account(address_of(event.account))),
        VaultEvents::Given(event) => keys.push(account(address_of(event.account))),
        VaultEvents::Collected(event) => keys.push(account(address_of(event.to))),
        VaultEvents::NonceBumped(event) => keys.push(account(event.requester)),
        _ => {}
    }
}

fn registry(event: &RegistryEvents, keys: &mut Vec<Key>) {
    match event {
        RegistryEvents::AppRegistered(event) => keys.push(Key::new(Kind::Asset, event.id)),
        RegistryEvents::DatasetRegistered(event) => keys.push(Key::new(Kind::Asset, event.id)),
        RegistryEvents::NonceBumped(event) => keys.push(Key::new(Kind::Asset, event.id)),
        RegistryEvents::Transfer(event) => keys.push(Key::new(Kind::Asset, event.id)),
        _ => {}
    }
}

fn workforce(event: &WorkforceEvents, keys: &mut Vec<Key>) {
    use WorkforceEvents as W;
    keys.push(match event {
        W::PoolCreated(event) => Key::new(Kind::Pool, event.pool),
        W::PoolChanged(event) => Key::new(Kind::Pool, event.pool),
        W::PoolEndpoint(event) => Key::new(Kind::Pool, event.pool),
        W::PoolTransferred(event) => Key::new(Kind::Pool, event.pool),
        W::PoolNonceBumped(event) => Key::new(Kind::Pool, event.pool),
        W::PoolClosing(event) => Key::new(Kind::Pool, event.pool),
        W::PoolDeposit(event) => Key::new(Kind::Pool, event.pool),
        W::PoolSlashed(event) => Key::new(Kind::Pool, event.pool),
        W::OperatorRegistered(event) => Key::new(Kind::Operator, event.operator),
        W::WorkerJoined(event) => worker(event.worker),
        W::WorkerChanged(event) => worker(event.worker),
        W::WorkerLeaving(event) => worker(event.worker),
        W::BondWithdrawn(event) => worker(event.worker),
        W::WorkerDormant(event) => worker(event.worker),
        W::Expelled(event) => worker(event.worker),
        W::ReputationEarned(event) => worker(event.worker),
        _ => return,
    });
}

fn market(event: &MarketEvents, keys: &mut Vec<Key>) {
    if let MarketEvents::DealOpened(event) = event {
        keys.push(account(event.requester));
    }
}

fn certifier(event: &Recorded, keys: &mut Vec<Key>) {
    if let Some(certified) = event.kind.certified() {
        let certificate = &certified.certificate;
        let deal = DealId(certificate.dealId);
        keys.push(certificate_key(deal, certificate.batch));
        keys.extend(certified.members.iter().map(|member| worker(member.worker)));
    }
    if let EventKind::Recourse(_) = &event.kind
        && let Some((deal, Some(batch))) = event.kind.deal()
    {
        keys.push(certificate_key(deal, batch));
    }
    let EventKind::Certifier(event) = &event.kind else { return };
    match event {
        CertifierEvents::Slashed(event) => keys.push(worker(event.worker)),
        CertifierEvents::StatusChanged(event) => {
            keys.push(certificate_key(DealId(event.dealId), event.batch))
        }
        CertifierEvents::Delivered(event) => {
            keys.push(task(DealId(event.dealId), event.task.saturating_to()))
        }
        CertifierEvents::DeliveryTipped(event) => {
            keys.push(task(DealId(event.dealId), event.task.saturating_to()));
        }
        _ => {}
    }
}

/// The key of a batch's certificate: a batch is certified once.
pub(crate) fn certificate_key(deal: DealId, batch: u32) -> Key {
    Key { kind: Kind::Certificate, id: format!("{deal}/{batch}") }
}

fn task(deal: DealId, task: u64) -> Key {
    Key { kind: Kind::Task, id: format!("{deal}/{task}") }
}

fn court(event: &CourtEvents, keys: &mut Vec<Key>) {
    match event {
        CourtEvents::Decided(event) => keys.push(case(event.caseId)),
        CourtEvents::Punished(event) => keys.push(worker(event.worker)),
        _ => {}
    }
}

const fn case_of_jury(event: &JuryEvents) -> Option<B256> {
    match event {
        JuryEvents::JurorCommitted(event) => Some(event.caseId),
        JuryEvents::JurorRevealed(event) => Some(event.caseId),
        JuryEvents::SealOpened(event) => Some(event.caseId),
        _ => None,
    }
}

fn inquest(event: &InquestEvents, keys: &mut Vec<Key>) {
    match event {
        InquestEvents::JurorCommitted(event) => keys.push(case(event.caseId)),
        InquestEvents::JurorRevealed(event) => keys.push(case(event.caseId)),
        InquestEvents::ClaimShown(event) => keys.push(case(event.caseId)),
        InquestEvents::InquestClosed(event) => keys.push(case(event.caseId)),
        InquestEvents::Punished(event) => keys.push(worker(event.worker)),
        _ => {}
    }
}

fn cases_of(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::Court(CourtEvents::CaseClosed(event)) => {
            Some(task_key(event.dealId, event.batch, event.index))
        }
        EventKind::Jury(JuryEvents::ReceiptShown(event)) => {
            Some(task_key(event.dealId, event.batch, event.index))
        }
        _ => None,
    }
}
