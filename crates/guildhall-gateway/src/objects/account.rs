//! An account in the Vault: what went in and out. Its free balance is asked of the chain.

use alloy::primitives::{Address, U160};
use guildhall_chain::{
    EventKind,
    bindings::{Market::MarketEvents, Vault::VaultEvents},
};
use guildhall_protocol::Amount;
use serde::{Deserialize, Serialize};

use super::{Context, Folded};
use crate::recorded::{Place, Recorded, Seen};

/// An account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Whose.
    pub address: Address,
    /// Paid in.
    pub deposited: Amount,
    /// Paid out.
    pub withdrawn: Amount,
    /// Moved into bonds and deposits, less what came back.
    pub bonded: Amount,
    /// Fees collected.
    pub collected: Amount,
    /// Nonce of its requests.
    #[serde(with = "guildhall_protocol::units::decimal")]
    pub nonce: u64,
    /// Deals that it asked for.
    pub deals: u32,
    /// Where it last changed.
    pub at: Seen,
}

/// The address that an account of the Vault is.
pub(super) fn address_of(account: U160) -> Address {
    Address::from(account)
}

impl Folded for Account {
    fn begin(id: &str, event: &Recorded) -> Option<Self> {
        Some(Self {
            address: id.parse().ok()?,
            deposited: Amount::ZERO,
            withdrawn: Amount::ZERO,
            bonded: Amount::ZERO,
            collected: Amount::ZERO,
            nonce: 0,
            deals: 0,
            at: event.into(),
        })
    }

    fn apply(&mut self, event: &Recorded, _: Context<'_>) {
        self.at = event.into();
        match &event.kind {
            EventKind::Vault(VaultEvents::Deposited(event)) => {
                self.deposited = self.deposited.saturating_add(Amount(event.amount));
            }
            EventKind::Vault(VaultEvents::Withdrawn(event)) => {
                self.withdrawn = self.withdrawn.saturating_add(Amount(event.amount));
            }
            EventKind::Vault(VaultEvents::Taken(event)) => {
                self.bonded = self.bonded.saturating_add(Amount(event.amount));
            }
            EventKind::Vault(VaultEvents::Given(event)) => {
                self.bonded = self.bonded.saturating_sub(Amount(event.amount));
            }
            EventKind::Vault(VaultEvents::Collected(event)) => {
                self.collected = self.collected.saturating_add(Amount(event.amount));
            }
            EventKind::Vault(VaultEvents::NonceBumped(event)) => self.nonce = event.nonce.saturating_to(),
            EventKind::Market(MarketEvents::DealOpened(_)) => self.deals = self.deals.saturating_add(1),
            _ => {}
        }
    }

    fn rank(&self) -> Place {
        Place::default()
    }
}
