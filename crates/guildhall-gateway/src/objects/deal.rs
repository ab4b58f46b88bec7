//! A deal: its terms, how far its batches are, what was locked, paid and refunded.

use alloy::primitives::U256;
use guildhall_chain::{
    EventKind,
    bindings::{Certifier::CertifierEvents, Recourse::RecourseEvents},
};
use guildhall_protocol::{Amount, DealId, Fuel, Opened, Policy, Prices, Terms, payouts::deal_lock};
use serde::{Deserialize, Serialize};

use super::{Context, Facet, Folded, Share};
use crate::recorded::{Place, Recorded, Seen};

/// Where a deal stands, by its batches. Time alone changes nothing here: a provisional certificate counts as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DealStatus {
    /// A batch has no end yet.
    #[default]
    Open,
    /// Every batch is certified.
    Certified,
    /// Some batches are certified, the others ended without.
    Partly,
    /// No batch is certified, and none will be.
    Refunded,
}

impl DealStatus {
    /// As JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Certified => "certified",
            Self::Partly => "partly",
            Self::Refunded => "refunded",
        }
    }
}

/// How many batches stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchCounts {
    /// All.
    pub all: u32,
    /// Without an end.
    pub open: u32,
    /// With a certificate that stands, disputed or not.
    pub certified: u32,
    /// Void.
    pub void: u32,
    /// Expired.
    pub expired: u32,
}

impl BatchCounts {
    fn end(&mut self, how: fn(&mut Self) -> &mut u32) {
        self.open = self.open.saturating_sub(1);
        *how(self) += 1;
    }

    fn overturned(&mut self) {
        self.certified = self.certified.saturating_sub(1);
        self.void += 1;
    }

    const fn status(&self) -> DealStatus {
        match (self.open, self.certified) {
            (1.., _) => DealStatus::Open,
            (0, certified) if certified == self.all => DealStatus::Certified,
            (0, 0) => DealStatus::Refunded,
            _ => DealStatus::Partly,
        }
    }
}

/// A deal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deal {
    /// Its id.
    pub id: DealId,
    /// Where it opened.
    pub at: Seen,
    /// Place of the opening.
    pub place: Place,
    /// Its terms, as later calls bring them back.
    pub terms: Terms,
    /// The policy in them; none where it is not a policy that this version knows.
    pub policy: Option<Policy>,
    /// Where and when it opened, with which rules.
    pub opened: Opened,
    /// Where it stands.
    pub status: DealStatus,
    /// Its batches.
    pub batches: BatchCounts,
    /// Tasks of certified batches.
    pub tasks_certified: u32,
    /// What the payer had to lock.
    pub locked: Amount,
    /// What certificates paid.
    pub paid: Amount,
    /// What came back to the payer: the rest of each certificate, void and expired batches, escrow. What a verdict gave back is not
    /// in events.
    pub refunded: Amount,
    /// Tasks brought to the callback.
    pub delivered: u32,
    /// What deliveries earned.
    pub tips: Amount,
}

/// What a batch locked; nothing for prices beyond any token.
pub(super) fn batch_lock(terms: &Terms, batch: u32) -> Amount {
    prices(terms, batch).and_then(|prices| prices.lock().ok()).unwrap_or_default()
}

/// The prices of a batch.
pub(super) fn prices(terms: &Terms, batch: u32) -> Option<Prices> {
    Prices::of(terms, terms.tasks_of(batch).ok()?, terms.opened().protocol_fee).ok()
}

impl Deal {
    fn certifier(&mut self, event: &CertifierEvents) {
        match event {
            CertifierEvents::Certified(event) => {
                self.batches.end(|counts| &mut counts.certified);
                self.tasks_certified += self.terms.tasks_of(event.batch).unwrap_or_default();
                let payouts = prices(&self.terms, event.batch).and_then(|prices| {
                    prices.payouts(event.certificate.seats, Fuel(event.certificate.fuel)).ok()
                });
                let Some(payouts) = payouts else { return };
                let total = payouts.total().unwrap_or_default();
                self.paid = self.paid.saturating_add(total.saturating_sub(payouts.refund));
                self.refunded = self.refunded.saturating_add(payouts.refund);
            }
            CertifierEvents::RoundVoided(event) => {
                self.batches.end(|counts| &mut counts.void);
                self.refunded = self.refunded.saturating_add(batch_lock(&self.terms, event.batch));
            }
            CertifierEvents::BatchExpired(event) => {
                self.batches.end(|counts| &mut counts.expired);
                self.refunded = self.refunded.saturating_add(Amount(event.refund));
                self.paid = self.paid.saturating_add(Amount(event.paidToWorkers));
            }
            CertifierEvents::StatusChanged(event) if is_void(event.status) => {
                self.batches.overturned();
                let tasks = self.terms.tasks_of(event.batch).unwrap_or_default();
                self.tasks_certified = self.tasks_certified.saturating_sub(tasks);
            }
            CertifierEvents::Delivered(_) => self.delivered = self.delivered.saturating_add(1),
            CertifierEvents::DeliveryTipped(event) => {
                self.tips = self.tips.saturating_add(Amount(event.tip));
            }
            _ => {}
        }
    }
}

/// Whether the Court made a batch void.
pub(super) fn is_void(status: u8) -> bool {
    status == guildhall_protocol::Status::Void.code()
}

impl Folded for Deal {
    fn begin(_: &str, event: &Recorded) -> Option<Self> {
        let terms = event.kind.deal_opened()?;
        let all = terms.batches();
        let full = prices(&terms, 0).map(|prices| Prices { tasks: terms.batchSize, ..prices });
        let locked = full.and_then(|full| deal_lock(&full, terms.taskCount, terms.batchSize).ok());
        Some(Self {
            id: terms.deal(),
            at: event.into(),
            place: event.place,
            policy: terms.policy().ok(),
            opened: terms.opened(),
            status: DealStatus::Open,
            batches: BatchCounts { all, open: all, ..BatchCounts::default() },
            tasks_certified: 0,
            locked: locked.unwrap_or_default(),
            paid: Amount::ZERO,
            refunded: Amount::ZERO,
            delivered: 0,
            tips: Amount(U256::ZERO),
            terms,
        })
    }

    fn apply(&mut self, event: &Recorded, _: Context<'_>) {
        match &event.kind {
            EventKind::Certifier(event) => self.certifier(event),
            EventKind::Recourse(RecourseEvents::Released(event)) => {
                self.refunded = self.refunded.saturating_add(Amount(event.toPayer));
            }
            _ => {}
        }
        self.status = self.batches.status();
    }

    fn rank(&self) -> Place {
        self.place
    }

    fn facets(&self) -> Vec<Facet> {
        let mut facets = vec![
            ("", String::new()),
            ("requester", super::lower(self.terms.requester)),
            ("payer", super::lower(self.terms.payer)),
            ("app", self.terms.app.to_string()),
            ("pool", self.terms.pool.to_string()),
            ("status", self.status.name().to_owned()),
        ];
        if !self.terms.dataset.is_zero() {
            facets.push(("dataset", self.terms.dataset.to_string()));
        }
        facets
    }

    fn shares(&self) -> Vec<Share> {
        let mut shares = vec![
            ("deals", self.status.name().to_owned(), 1),
            ("tasks_ordered", String::new(), self.terms.taskCount.into()),
            ("tasks_certified", String::new(), self.tasks_certified.into()),
            ("asset_tasks", self.terms.app.to_string(), self.terms.taskCount.into()),
            ("asset_deals", self.terms.app.to_string(), 1),
            ("pool_deals", self.terms.pool.to_string(), 1),
        ];
        if !self.terms.dataset.is_zero() {
            shares.push(("asset_tasks", self.terms.dataset.to_string(), self.terms.taskCount.into()));
            shares.push(("asset_deals", self.terms.dataset.to_string(), 1));
        }
        shares
    }
}
