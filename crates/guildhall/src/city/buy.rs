//! Buys in a city, as its requester: for the demonstration, the tests and the measurements.

use alloy::primitives::{Address, Bytes, aliases::U96};
use guildhall_chain::{Key, offers::Wanted as ForDeal};
use guildhall_protocol::{AssetId, Policy, RequestOrder};

use super::City;
use crate::{
    error::Result,
    orders::Order,
    requester::{
        deal::{Ask, Caps, Opened, Work, open, request, sign, store_work},
        offers::{OfferFiles, Offers, Wanted},
    },
};

/// What is bought.
#[derive(Clone, Debug)]
pub struct Purchase {
    /// The app.
    pub app: AssetId,
    /// The dataset; zero for none.
    pub dataset: AssetId,
    /// Arguments and inputs.
    pub work: Work,
    /// Tasks that are certified together.
    pub batch_size: u32,
    /// What the certificate must promise.
    pub policy: Policy,
    /// Limit of one execution.
    pub fuel_limit: u64,
    /// Limit of one execution's memory, in bytes.
    pub memory_limit: u64,
    /// Time for it, in seconds of chain time.
    pub deadline_secs: u64,
    /// Who pays, if not the requester.
    pub sponsor: Option<Key>,
    /// The contract that results are delivered to, and the gas that it gets; none where it is zero.
    pub callback: (Address, u32),
    /// Offered for the delivery of each task; zero for nothing.
    pub delivery_tip: U96,
}

/// A signed request with the orders that it takes: nothing is missing but the match.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The request.
    pub request: RequestOrder,
    /// The other sides' orders.
    pub offers: Offers,
    /// The requester's signature, and a sponsor's.
    pub signatures: (Bytes, Bytes),
}

impl City {
    /// Stores the inputs with the pool, finds the orders, and signs the request.
    ///
    /// # Errors
    /// What the store says; `order.none_found`.
    pub async fn prepare(&self, purchase: &Purchase) -> Result<Ready> {
        let key = &self.keys.requester;
        let inputs = store_work(&purchase.work, &self.store(key).await?).await?;
        let now = self.chain.head().await?.time.0;
        let tasks = u32::try_from(purchase.work.inputs.len()).unwrap_or(u32::MAX);
        let wanted = Wanted {
            deal: ForDeal {
                app: purchase.app.0,
                dataset: purchase.dataset.0,
                pool: self.pool.0,
                requester: key.address(),
                tasks,
                batch_size: purchase.batch_size,
                fuel_limit: purchase.fuel_limit,
            },
            files: OfferFiles::default(),
        };
        let offers = Offers::find(&wanted, &self.orders(), &self.chain).await?;
        let ask = Ask {
            requester: key.address(),
            payer: purchase.sponsor.as_ref().map_or(key.address(), Key::address),
            beneficiary: key.address(),
            batch_size: purchase.batch_size,
            fuel_limit: purchase.fuel_limit,
            memory_limit: purchase.memory_limit,
            deadline: now.saturating_add(purchase.deadline_secs),
            policy: purchase.policy,
            callback: purchase.callback.0,
            callback_gas: purchase.callback.1,
            delivery_tip: purchase.delivery_tip,
            caps: Caps::default(),
        };
        let request = request(&self.chain, &ask, &offers, inputs, tasks).await?;
        let (chain, market) = (self.chain.deployment().chain_id, self.chain.deployment().market);
        let digest = Order::Request(Box::new(request)).digest(chain, market);
        let countersigned = match &purchase.sponsor {
            Some(sponsor) => sign(sponsor, digest)?,
            None => Bytes::new(),
        };
        Ok(Ready { request, offers, signatures: (sign(key, digest)?, countersigned) })
    }

    /// Matches what is ready.
    ///
    /// # Errors
    /// The Market's refusal.
    pub async fn open(&self, ready: &Ready) -> Result<Opened> {
        let key = &self.keys.requester;
        open(&self.chain, self.requester(), key, &ready.offers, &ready.request, ready.signatures.clone())
            .await
    }
}
