//! The real chain, for a worker: the chain's client behind the [`Chain`] trait.

use std::sync::Arc;

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolCall;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use guildhall_api::{Claim, Outcome, Standing};
use guildhall_chain::bindings::Certifier::CertifierEvents;
use guildhall_chain::bindings::Workforce::{WorkforceEvents, wakeCall};
use guildhall_chain::events::Certified;
use guildhall_chain::words::{Activity, Worker};
use guildhall_chain::{Call, ChainClient, ChainError, Cursor, Event, EventKind, Follower, Sender, Update};
use guildhall_protocol::list::CLAIM_LEADING;
use guildhall_protocol::{
    AssetId, BondUnits, ContentId, DealId, Odds, Opened, OpenedWord, PoolId, Seed, Terms, UnixTime,
};

use crate::chain::{BatchNow, Chain, ChainEvent, ChainFault, Myself, PoolService};

/// A deployment, and the sender that wakes the worker.
#[derive(Debug)]
pub struct OnChain {
    client: ChainClient,
    sender: Sender,
}

impl From<ChainError> for ChainFault {
    fn from(error: ChainError) -> Self {
        Self(error.to_string())
    }
}

impl OnChain {
    /// The chain of `client`; `sender` is the worker's own.
    pub fn new(client: ChainClient, sender: Sender) -> Self {
        Self { client, sender }
    }
}

/// The standing of a worker that may have seats.
fn standing_of(worker: &Worker, now: UnixTime) -> Option<Standing> {
    let Activity::Since(active_from) = worker.activity else { return None };
    Some(Standing {
        operator: worker.operator,
        pool: worker.pool,
        active_from,
        reputation: worker.reputation,
        bond: worker.bond,
        runtime: worker.runtime,
        room: worker.room(now),
    })
}

/// A worker's place among those that agreed with a certificate, and their number.
fn rank_of(worker: Address, certified: &Certified) -> Option<(u8, u8)> {
    let agreeing: Vec<_> = certified.members.iter().filter(|member| member.claim == CLAIM_LEADING).collect();
    let rank = agreeing.iter().position(|member| member.worker == worker)?;
    Some((u8::try_from(rank).ok()?, u8::try_from(agreeing.len()).ok()?))
}

fn certified_of(worker: Address, event: &Event, certified: &Certified) -> ChainEvent {
    let certificate = &certified.certificate;
    let mine = certified.members.iter().find(|member| member.worker == worker);
    ChainEvent::BatchEnded {
        deal: DealId(certificate.dealId),
        batch: certificate.batch,
        outcome: Outcome::Certified {
            claim: Claim { root: certificate.root, fuel: certificate.fuel.into() },
            odds: Odds(certificate.odds),
            transaction: event.position.transaction,
        },
        agreed: rank_of(worker, certified),
        slashed: BondUnits(mine.map_or(0, |member| member.slash)),
    }
}

fn ended(deal: B256, batch: u32, outcome: Outcome) -> ChainEvent {
    ChainEvent::BatchEnded { deal: DealId(deal), batch, outcome, agreed: None, slashed: BondUnits::ZERO }
}

fn event_of(worker: Address, pool: PoolId, event: &Event) -> Option<ChainEvent> {
    if let Some(terms) = event.kind.deal_opened() {
        return (terms.pool_id() == pool).then(|| ChainEvent::DealOpened(Arc::new(terms)));
    }
    if let Some(certified) = event.kind.certified() {
        return Some(certified_of(worker, event, &certified));
    }
    match &event.kind {
        EventKind::Certifier(CertifierEvents::RoundVoided(voided)) => {
            Some(ended(voided.dealId, voided.batch, Outcome::Unavailable))
        }
        EventKind::Certifier(CertifierEvents::BatchExpired(expired)) => {
            Some(ended(expired.dealId, expired.batch, Outcome::Expired))
        }
        EventKind::Certifier(CertifierEvents::Reopened(reopened)) => {
            Some(ChainEvent::Reopened { deal: DealId(reopened.dealId), batch: reopened.batch })
        }
        EventKind::Workforce(event) => {
            let mine = match event {
                WorkforceEvents::WorkerChanged(changed) => changed.worker == worker,
                WorkforceEvents::WorkerDormant(dormant) => dormant.worker == worker,
                WorkforceEvents::PoolChanged(changed) => changed.pool == pool.0,
                _ => false,
            };
            mine.then_some(ChainEvent::IChanged)
        }
        _ => None,
    }
}

fn update_of(worker: Address, pool: PoolId, update: Update) -> Option<ChainEvent> {
    match update {
        Update::Event(event) => event_of(worker, pool, &event),
        Update::Reverted { from, .. } => Some(ChainEvent::Reverted { from }),
        Update::Head { time, cursor, .. } => {
            // Numbers and hashes always serialise.
            let cursor = serde_json::to_value(cursor).unwrap_or_default();
            Some(ChainEvent::Head { time: UnixTime(time), cursor })
        }
    }
}

#[async_trait]
impl Chain for OnChain {
    fn domain(&self) -> (u64, Address) {
        let deployment = self.client.deployment();
        (deployment.chain_id, deployment.certifier)
    }

    async fn now(&self) -> Result<UnixTime, ChainFault> {
        Ok(self.client.head().await?.time)
    }

    async fn myself(&self, worker: Address) -> Result<Option<Myself>, ChainFault> {
        let (found, head) = futures::try_join!(self.client.worker(worker), self.client.head())?;
        Ok(found.map(|found| Myself {
            pool: found.pool,
            standing: standing_of(&found, head.time),
            dormant: found.activity == Activity::Dormant,
        }))
    }

    async fn service_of(&self, pool: PoolId) -> Result<PoolService, ChainFault> {
        let (details, endpoint) =
            futures::try_join!(self.client.pool_details(pool), self.client.endpoint_of(pool))?;
        Ok(PoolService { coordinator: details.coordinator, endpoint })
    }

    async fn batch(&self, terms: &Terms, batch: u32) -> Result<BatchNow, ChainFault> {
        let slot = self.client.batch_slot(terms.deal(), batch).await?;
        let status = slot.status().ok_or_else(|| ChainFault(format!("batch {batch} has no known status")))?;
        let attempt = slot.attempt().unwrap_or(0);
        let reopened = if attempt == 0 { None } else { self.client.reopened_at(terms.deal(), batch).await? };
        let opened = reopened.map_or_else(|| terms.opened(), OpenedWord::unpack);
        Ok(BatchNow { status, attempt, opened })
    }

    async fn seed(&self, opened: &Opened) -> Result<Option<Seed>, ChainFault> {
        Ok(self.client.drawn_seed(opened).await?)
    }

    async fn assets(&self, terms: &Terms) -> Result<(ContentId, Option<ContentId>), ChainFault> {
        let missing = |what: &str, id: U256| ChainFault(format!("{what} {id} is not registered"));
        let app = self.client.app(AssetId(terms.app)).await?.ok_or_else(|| missing("app", terms.app))?;
        if terms.dataset.is_zero() {
            return Ok((app.code, None));
        }
        let dataset = self.client.dataset(AssetId(terms.dataset)).await?;
        let dataset = dataset.ok_or_else(|| missing("dataset", terms.dataset))?;
        Ok((app.code, Some(dataset.content)))
    }

    async fn wake(&self, worker: Address) -> Result<B256, ChainFault> {
        let to = Some(self.client.deployment().workforce);
        let call = Call { to, data: wakeCall { worker }.abi_encode().into(), value_wei: U256::ZERO };
        self.sender.send(call).await.map(|sent| sent.hash).map_err(|error| ChainFault(error.to_string()))
    }

    fn follow(
        &self,
        worker: Address,
        pool: PoolId,
        cursor: Option<serde_json::Value>,
    ) -> BoxStream<'static, ChainEvent> {
        let start = Cursor::at(self.client.deployment().block);
        let cursor = cursor.and_then(|cursor| serde_json::from_value(cursor).ok()).unwrap_or(start);
        let events =
            stream::unfold(self.client.follow(cursor, &[]), move |mut follower: Follower| async move {
                loop {
                    if let Some(event) = update_of(worker, pool, follower.next().await?) {
                        return Some((event, follower));
                    }
                }
            });
        events.boxed()
    }
}
