//! Pools and operators.

use alloy::primitives::Address;
use guildhall_chain::{EventKind, bindings::Workforce::WorkforceEvents};
use guildhall_protocol::{Amount, Bps, OperatorId, PoolId, UnixTime};
use serde::{Deserialize, Serialize};

use super::{Context, Facet, Folded, Share};
use crate::recorded::{Place, Recorded, Seen};

/// A pool. Name and endpoint are text of its owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Its number.
    pub id: PoolId,
    /// Its name.
    pub name: String,
    /// Who owns it.
    pub owner: Address,
    /// Key that signs its lists.
    pub coordinator: Address,
    /// Where its coordinator says it is reached; nothing where nobody said so.
    pub endpoint: Option<String>,
    /// Its share of the work fee.
    pub share: Bps,
    /// Whether operators need an invitation.
    pub invitation: bool,
    /// What answers for its coordinator.
    pub deposit: Amount,
    /// Nonce of its orders.
    pub nonce: u32,
    /// When its deposit is free, if it is closing: then it takes no deals.
    pub closes_at: Option<UnixTime>,
    /// Taken from its deposit for a proven fault.
    pub slashed: Amount,
    /// Where it was created.
    pub created: Seen,
    /// Place of that.
    pub place: Place,
}

impl Folded for Pool {
    fn begin(_: &str, event: &Recorded) -> Option<Self> {
        let EventKind::Workforce(WorkforceEvents::PoolCreated(created)) = &event.kind else { return None };
        Some(Self {
            id: PoolId(created.pool),
            name: created.name.clone(),
            owner: created.owner,
            coordinator: created.coordinator,
            endpoint: None,
            share: Bps(created.shareBps),
            invitation: created.invitation,
            deposit: Amount::ZERO,
            nonce: 0,
            closes_at: None,
            slashed: Amount::ZERO,
            created: event.into(),
            place: event.place,
        })
    }

    fn apply(&mut self, event: &Recorded, _: Context<'_>) {
        let EventKind::Workforce(event) = &event.kind else { return };
        match event {
            WorkforceEvents::PoolChanged(event) => {
                self.coordinator = event.coordinator;
                self.share = Bps(event.shareBps);
                self.invitation = event.invitation;
            }
            WorkforceEvents::PoolEndpoint(event) => {
                self.endpoint = (!event.url.is_empty()).then(|| event.url.clone());
            }
            WorkforceEvents::PoolTransferred(event) => self.owner = event.to,
            WorkforceEvents::PoolNonceBumped(event) => self.nonce = event.nonce,
            WorkforceEvents::PoolClosing(event) => self.closes_at = Some(UnixTime(event.closesAt)),
            WorkforceEvents::PoolDeposit(event) => self.deposit = Amount(event.deposit),
            WorkforceEvents::PoolSlashed(event) => {
                self.slashed = self.slashed.saturating_add(Amount(event.slashed));
                self.deposit = self.deposit.saturating_sub(Amount(event.slashed));
            }
            _ => {}
        }
    }

    fn rank(&self) -> Place {
        self.place
    }

    fn facets(&self) -> Vec<Facet> {
        vec![("", String::new()), ("owner", super::lower(self.owner))]
    }

    fn shares(&self) -> Vec<Share> {
        vec![("pools", String::new(), 1)]
    }
}

/// An operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operator {
    /// Its number.
    pub id: OperatorId,
    /// Its address.
    pub owner: Address,
    /// Where it was registered.
    pub registered: Seen,
    /// Place of that.
    pub place: Place,
}

impl Folded for Operator {
    fn begin(_: &str, event: &Recorded) -> Option<Self> {
        let EventKind::Workforce(WorkforceEvents::OperatorRegistered(registered)) = &event.kind else {
            return None;
        };
        let (id, owner) = (OperatorId(registered.operator), registered.owner);
        Some(Self { id, owner, registered: event.into(), place: event.place })
    }

    fn apply(&mut self, _: &Recorded, _: Context<'_>) {}

    fn rank(&self) -> Place {
        self.place
    }

    fn facets(&self) -> Vec<Facet> {
        vec![("owner", super::lower(self.owner))]
    }

    fn shares(&self) -> Vec<Share> {
        vec![("operators", String::new(), 1)]
    }
}
