//! A task whose result was brought to the deal's callback.

use alloy::primitives::Address;
use guildhall_chain::{EventKind, bindings::Certifier::CertifierEvents};
use guildhall_protocol::{Amount, DealId};
use serde::{Deserialize, Serialize};

use super::{Context, Folded};
use crate::recorded::{Place, Recorded, Seen};

/// How a result was delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The draw that was delivered.
    pub attempt: u8,
    /// Whether the certificate was final.
    pub is_final: bool,
    /// Who earned the tip, if anybody did.
    pub deliverer: Option<Address>,
    /// The tip.
    pub tip: Amount,
    /// Where.
    pub at: Seen,
}

/// A task that was delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The deal.
    pub deal: DealId,
    /// Its number in the deal.
    pub task: u32,
    /// How it was delivered.
    pub delivery: Option<Delivery>,
}

impl Folded for Task {
    fn begin(id: &str, event: &Recorded) -> Option<Self> {
        let task = id.rsplit('/').next()?.parse().ok()?;
        Some(Self { deal: event.deal()?, task, delivery: None })
    }

    fn apply(&mut self, event: &Recorded, _: Context<'_>) {
        let at = Seen::from(event);
        match &event.kind {
            EventKind::Certifier(CertifierEvents::Delivered(event)) => {
                // The tip's event may come before the delivery's: both belong to one transaction.
                let tipped = self.delivery.take().filter(|tipped| tipped.at == at);
                let (deliverer, tip) = tipped.map_or((None, Amount::ZERO), |it| (it.deliverer, it.tip));
                let (attempt, is_final) = (event.attempt, event.isFinal);
                self.delivery = Some(Delivery { attempt, is_final, deliverer, tip, at });
            }
            EventKind::Certifier(CertifierEvents::DeliveryTipped(event)) => {
                let bare = Delivery { attempt: 0, is_final: false, deliverer: None, tip: Amount::ZERO, at };
                let delivery = self.delivery.get_or_insert(bare);
                delivery.deliverer = Some(event.deliverer);
                delivery.tip = Amount(event.tip);
            }
            _ => {}
        }
    }

    fn rank(&self) -> Place {
        Place(self.task.into())
    }
}
