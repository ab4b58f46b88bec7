//! A batch: where it stands, what was certified, who lost what. A batch that nothing happened to has no row: it is open.

use alloy::primitives::Address;
use guildhall_chain::{
    EventKind,
    bindings::{
        Certifier::CertifierEvents, Court::CourtEvents, Inquest::InquestEvents, Recourse::RecourseEvents,
    },
};
use guildhall_protocol::{Amount, BondUnits, CaseId, DealId, Status, UnixTime};
use serde::{Deserialize, Serialize};

use super::{Context, Facet, Folded};
use crate::recorded::{Place, Recorded, Seen};

/// The most slashes, contradictions and cases that a row names: a round has 64 members at most, a hostile one more attempts.
const NAMED_MAX: usize = 512;

/// Stake that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slash {
    /// Whose.
    pub worker: Address,
    /// How much.
    pub units: BondUnits,
    /// Whether a verdict or a proof took it; otherwise the certificate did, into escrow.
    pub by_verdict: bool,
    /// Where.
    pub at: Seen,
}

/// Where escrow went once the window was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escrow {
    /// Burnt.
    pub burnt: Amount,
    /// To the payer.
    pub to_payer: Amount,
    /// To workers whose execution was not paid before.
    pub to_workers: Amount,
}

/// A batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The deal.
    pub deal: DealId,
    /// Its number in the deal.
    pub batch: u32,
    /// Where it stands, as events say it; a provisional certificate becomes final by time alone.
    pub status: Status,
    /// From when on its certificate is final, if it has one.
    pub final_at: Option<UnixTime>,
    /// The draw that runs, or that was certified.
    pub attempt: u8,
    /// Workers that committed on chain, without the coordinator.
    pub committed: Vec<Address>,
    /// Workers that revealed on chain.
    pub revealed: Vec<Address>,
    /// Who showed something that contradicts the certificate.
    pub contradicted: Vec<Address>,
    /// Stake taken.
    pub slashes: Vec<Slash>,
    /// Where escrow went, once it was paid out.
    pub escrow: Option<Escrow>,
    /// What an expired batch gave back to the payer.
    pub refund: Option<Amount>,
    /// Its cases.
    pub cases: Vec<CaseId>,
    /// Where it last changed.
    pub at: Seen,
}

fn name<T>(list: &mut Vec<T>, item: T) {
    if list.len() < NAMED_MAX {
        list.push(item);
    }
}

impl Batch {
    /// A batch that nothing happened to.
    pub const fn untouched(deal: DealId, batch: u32, at: Seen) -> Self {
        Self {
            deal,
            batch,
            status: Status::Open,
            final_at: None,
            attempt: 0,
            committed: Vec::new(),
            revealed: Vec::new(),
            contradicted: Vec::new(),
            slashes: Vec::new(),
            escrow: None,
            refund: None,
            cases: Vec::new(),
            at,
        }
    }

    fn certifier(&mut self, event: &CertifierEvents, at: Seen) {
        match event {
            CertifierEvents::Certified(event) => {
                self.status = Status::Provisional;
                self.attempt = event.certificate.attempt;
                self.final_at = Some(UnixTime(event.certificate.finalAt));
            }
            CertifierEvents::Slashed(event) => {
                let units = BondUnits(event.units.saturating_to());
                name(&mut self.slashes, Slash { worker: event.worker, units, by_verdict: false, at });
            }
            CertifierEvents::RoundVoided(_) => self.status = Status::Void,
            CertifierEvents::Contradicted(event) => name(&mut self.contradicted, event.worker),
            CertifierEvents::Committed(event) => name(&mut self.committed, event.worker),
            CertifierEvents::Revealed(event) => name(&mut self.revealed, event.worker),
            CertifierEvents::Reopened(event) => self.attempt = event.attempt,
            CertifierEvents::BatchExpired(event) => {
                self.status = Status::Expired;
                self.refund = Some(Amount(event.refund));
            }
            CertifierEvents::StatusChanged(event) => {
                self.status = Status::from_code(event.status).unwrap_or(self.status);
            }
            _ => {}
        }
    }
}

impl Folded for Batch {
    fn begin(_: &str, event: &Recorded) -> Option<Self> {
        let (deal, batch) = event.kind.deal()?;
        Some(Self::untouched(deal, batch?, event.into()))
    }

    fn apply(&mut self, event: &Recorded, _: Context<'_>) {
        let at = Seen::from(event);
        self.at = at;
        if let Some(case) = event.kind.case_opened() {
            name(&mut self.cases, case.id());
        }
        if let Some(inquest) = event.kind.inquest_opened() {
            name(&mut self.cases, inquest.case.id());
        }
        let punished = |worker: Address, units: alloy::primitives::U256| Slash {
            worker,
            units: BondUnits(units.saturating_to()),
            by_verdict: true,
            at,
        };
        match &event.kind {
            EventKind::Certifier(event) => self.certifier(event, at),
            EventKind::Recourse(RecourseEvents::Released(event)) => {
                self.status = Status::Final;
                self.escrow = Some(Escrow {
                    burnt: Amount(event.burnt),
                    to_payer: Amount(event.toPayer),
                    to_workers: Amount(event.toWorkers),
                });
            }
            EventKind::Recourse(RecourseEvents::Contradicted(event)) => {
                name(&mut self.contradicted, event.worker);
            }
            EventKind::Court(CourtEvents::Punished(event)) => {
                name(&mut self.slashes, punished(event.worker, event.units));
            }
            EventKind::Inquest(event) => {
                if let InquestEvents::Punished(event) = event.as_ref() {
                    name(&mut self.slashes, punished(event.worker, event.units));
                }
            }
            _ => {}
        }
    }

    fn rank(&self) -> Place {
        Place(self.batch.into())
    }

    fn facets(&self) -> Vec<Facet> {
        vec![("deal", self.deal.to_string())]
    }
}
