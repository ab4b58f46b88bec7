//! A worker: where it works, with which bond, what it earned and lost.
//!
//! Bond and reputation are as the events tell them. Exposure and room depend on the time and are asked of the chain.

use alloy::primitives::{Address, U256};
use guildhall_chain::{
    EventKind,
    bindings::{
        Certifier::CertifierEvents, Court::CourtEvents, Inquest::InquestEvents, Workforce::WorkforceEvents,
    },
    words,
};
use guildhall_protocol::{
    Amount, BondUnits, OperatorId, PoolId, Reputation, RuntimeNumber, UnixTime, list::CLAIM_LEADING,
};
use serde::{Deserialize, Serialize};

use super::{Context, Facet, Folded, Share, certificate::paid};
use crate::recorded::{Place, Recorded, Seen};

/// Whether a worker can have seats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// It can.
    #[default]
    Active,
    /// Slashed for a proven fault, for ever.
    Expelled,
    /// On its way out, or out.
    Leaving,
    /// It missed its seats, until it wakes itself.
    Dormant,
}

impl From<words::Activity> for Activity {
    fn from(activity: words::Activity) -> Self {
        match activity {
            words::Activity::Since(_) => Self::Active,
            words::Activity::Expelled => Self::Expelled,
            words::Activity::Leaving => Self::Leaving,
            words::Activity::Dormant => Self::Dormant,
        }
    }
}

/// A point of a worker's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Where.
    pub at: Seen,
    /// Points of reputation.
    pub reputation: Reputation,
    /// Bond.
    pub bond: BondUnits,
    /// Earned so far.
    pub earned: Amount,
    /// Slashed so far.
    pub slashed: BondUnits,
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// Its key.
    pub address: Address,
    /// Its operator.
    pub operator: OperatorId,
    /// Its pool.
    pub pool: PoolId,
    /// What it executes.
    pub runtime: RuntimeNumber,
    /// Whether it can have seats.
    pub activity: Activity,
    /// When it may withdraw, if it is leaving.
    pub ready_at: Option<UnixTime>,
    /// Its bond.
    pub bond: BondUnits,
    /// Points earned in its pool.
    pub reputation: Reputation,
    /// Evidence kinds that its key has proven (bitmap).
    pub evidence: u8,
    /// Paid to its operator with certificates.
    pub earned: Amount,
    /// Taken from it, whether it came back or not.
    pub slashed: BondUnits,
    /// Certificates that it agreed with.
    pub agreed: u32,
    /// Certificates of rounds in which it claimed something else, or nothing.
    pub differed: u32,
    /// Where it joined.
    pub joined: Seen,
    /// Place of its first event.
    pub place: Place,
    /// Where it last changed.
    pub at: Seen,
}

impl Worker {
    fn workforce(&mut self, event: &WorkforceEvents) {
        match event {
            WorkforceEvents::WorkerJoined(event) => {
                self.operator = OperatorId(event.operator);
                self.pool = PoolId(event.pool);
                self.runtime = RuntimeNumber(event.runtime);
                self.bond = Amount(event.bond).to_bond_units().unwrap_or(BondUnits::MAX);
            }
            WorkforceEvents::WorkerChanged(event) => self.is_now(event.word),
            WorkforceEvents::WorkerLeaving(event) => {
                self.activity = Activity::Leaving;
                self.ready_at = Some(UnixTime(event.readyAt));
            }
            WorkforceEvents::WorkerDormant(_) => self.activity = Activity::Dormant,
            WorkforceEvents::Expelled(event) => {
                self.activity = Activity::Expelled;
                self.lose(Amount(event.slashed).to_bond_units().unwrap_or(BondUnits::MAX));
            }
            WorkforceEvents::ReputationEarned(event) => self.reputation = Reputation(event.reputation),
            _ => {}
        }
    }

    fn is_now(&mut self, word: U256) {
        let Some(now) = words::Worker::unpack(word) else { return };
        self.operator = now.operator;
        self.pool = now.pool;
        self.runtime = now.runtime;
        self.activity = now.activity.into();
        self.bond = now.bond;
        self.reputation = now.reputation;
        self.evidence = now.evidence;
        if self.activity != Activity::Leaving {
            self.ready_at = None;
        }
    }

    /// A slash takes the reputation, too.
    fn lose(&mut self, units: BondUnits) {
        self.bond = self.bond.saturating_sub(units);
        self.slashed = self.slashed.saturating_add(units);
        self.reputation = Reputation::ZERO;
    }

    fn certified(&mut self, event: &Recorded, context: Context<'_>) {
        let Some(certified) = event.kind.certified() else { return };
        let rows = paid(&certified.members, &certified.certificate, context.terms);
        let Some(row) = rows.iter().find(|row| row.member.worker == self.address) else { return };
        self.earned = self.earned.saturating_add(row.earned);
        let count = if row.member.claim == CLAIM_LEADING { &mut self.agreed } else { &mut self.differed };
        *count = count.saturating_add(1);
    }

    /// A point of its history.
    pub const fn point(&self) -> Point {
        Point {
            at: self.at,
            reputation: self.reputation,
            bond: self.bond,
            earned: self.earned,
            slashed: self.slashed,
        }
    }
}

impl Folded for Worker {
    fn begin(id: &str, event: &Recorded) -> Option<Self> {
        Some(Self {
            address: id.parse().ok()?,
            operator: OperatorId::ZERO,
            pool: PoolId::ZERO,
            runtime: RuntimeNumber::ZERO,
            activity: Activity::Active,
            ready_at: None,
            bond: BondUnits::ZERO,
            reputation: Reputation::ZERO,
            evidence: 0,
            earned: Amount::ZERO,
            slashed: BondUnits::ZERO,
            agreed: 0,
            differed: 0,
            joined: event.into(),
            place: event.place,
            at: event.into(),
        })
    }

    fn apply(&mut self, event: &Recorded, context: Context<'_>) {
        self.at = event.into();
        match &event.kind {
            EventKind::Workforce(event) => self.workforce(event),
            EventKind::Certifier(CertifierEvents::Certified(_)) => self.certified(event, context),
            EventKind::Certifier(CertifierEvents::Slashed(event)) => {
                self.lose(BondUnits(event.units.saturating_to()));
            }
            EventKind::Court(CourtEvents::Punished(event)) => {
                self.lose(BondUnits(event.units.saturating_to()));
            }
            EventKind::Inquest(event) => {
                if let InquestEvents::Punished(event) = event.as_ref() {
                    self.lose(BondUnits(event.units.saturating_to()));
                }
            }
            _ => {}
        }
    }

    fn rank(&self) -> Place {
        self.place
    }

    fn facets(&self) -> Vec<Facet> {
        vec![("", String::new()), ("pool", self.pool.to_string()), ("operator", self.operator.to_string())]
    }

    fn shares(&self) -> Vec<Share> {
        let slashed = ("slashed_units", String::new(), i64::try_from(self.slashed.0).unwrap_or(i64::MAX));
        if self.activity != Activity::Active {
            return vec![slashed];
        }
        let (pool, bond) = (self.pool.to_string(), i64::try_from(self.bond.0).unwrap_or(i64::MAX));
        let seated = format!("{pool}/{}", self.operator);
        vec![slashed, ("pool_operators", seated, 1), ("workers", pool.clone(), 1), ("bond_units", pool, bond)]
    }
}
