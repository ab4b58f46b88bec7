//! An order with its signature, as it travels and lies in files. Knows nothing of where it comes from: the Market checks
//! every order again.

use alloy_primitives::{Address, B256, Bytes, Signature, U256};
use serde::{Deserialize, Serialize};

use crate::orders::{AppOrder, DatasetOrder, Order as _, PoolOrder, RequestOrder, market_domain};

/// One of the four kinds of orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "order", rename_all = "snake_case")]
pub enum AnyOrder {
    /// Of an app's owner.
    App(AppOrder),
    /// Of a dataset's owner.
    Dataset(DatasetOrder),
    /// Of a pool's owner.
    Pool(PoolOrder),
    /// Of a requester.
    Request(Box<RequestOrder>),
}

/// An order with its signature, and the chain and Market that it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOrder {
    /// Chain id.
    pub chain: u64,
    /// The Market contract.
    pub market: Address,
    /// The order.
    #[serde(flatten)]
    pub order: AnyOrder,
    /// Who signed.
    pub signer: Address,
    /// The signature: 64 bytes (EIP-2098), or 65; none for an order that was signed on chain.
    pub signature: Bytes,
    /// A sponsor's signature over the same request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer_signature: Option<Bytes>,
}

impl AnyOrder {
    /// What the owner signs.
    pub fn digest(&self, chain: u64, market: Address) -> B256 {
        let domain = market_domain(chain, market);
        match self {
            Self::App(order) => order.digest(&domain),
            Self::Dataset(order) => order.digest(&domain),
            Self::Pool(order) => order.digest(&domain),
            Self::Request(order) => order.digest(&domain),
        }
    }

    /// Its kind in words.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::App(_) => "app",
            Self::Dataset(_) => "dataset",
            Self::Pool(_) => "pool",
            Self::Request(_) => "request",
        }
    }

    /// What it is about, and its last second.
    pub fn subject_and_expiry(&self) -> (String, u64) {
        match self {
            Self::App(order) => (order.app.to_string(), order.expiry),
            Self::Dataset(order) => (order.dataset.to_string(), order.expiry),
            Self::Pool(order) => (order.pool.to_string(), order.expiry),
            Self::Request(order) => (order.app.to_string(), order.expiry),
        }
    }

    /// What it asks: of a task, or of a million fuel; of a request the most that it pays the pool for a million fuel.
    pub fn price(&self) -> U256 {
        U256::from(match self {
            Self::App(order) => order.price,
            Self::Dataset(order) => order.price,
            Self::Pool(order) => order.feePerMfuel,
            Self::Request(order) => order.feePerMfuelMax,
        })
    }
}

impl SignedOrder {
    /// Its digest: names the order on chain.
    pub fn digest(&self) -> B256 {
        self.order.digest(self.chain, self.market)
    }

    /// Whose key made the signature; nobody's where there is none, or where a contract signs by rules of its own.
    pub fn recovered(&self) -> Option<Address> {
        recovered(self.digest(), &self.signature)
    }
}

/// Whose key made a signature over a digest; nobody's for what is no signature of a key.
pub fn recovered(digest: B256, signature: &[u8]) -> Option<Address> {
    let signature = match signature.len() {
        64 => Signature::from_erc2098(signature),
        65 => Signature::from_raw(signature).ok()?,
        _ => return None,
    };
    signature.recover_address_from_prehash(&digest).ok()
}
