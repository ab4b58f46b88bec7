//! The real chain, for the coordinator: the chain's client behind the [`Chain`] trait.

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolError;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use guildhall_api::{Claim, Outcome, Standing};
use guildhall_chain::bindings::Certifier::{self, CertifierEvents};
use guildhall_chain::bindings::Workforce::WorkforceEvents;
use guildhall_chain::words::{Activity, Worker};
use guildhall_chain::{
    Call, ChainClient, ChainError, Cursor, Event, EventKind, Follower, SeedKind, SendError, Sender,
    TxOutcome, Update,
};
use guildhall_protocol::{DealId, Odds, Opened, PoolId, Seed, Terms, UnixTime};

use crate::chain::{BatchNow, Chain, ChainEvent, ChainFault, Post, PostError};
use crate::gathering::Submission;
use crate::part::Equivocation;

/// A deployment, and the sender that posts to it.
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

/// Whether a refusal says that the call is right, but comes too early.
fn is_early(revert: &[u8]) -> bool {
    Certifier::TooEarly::abi_decode(revert).is_ok() || Certifier::SeedUnavailable::abi_decode(revert).is_ok()
}

impl OnChain {
    /// The chain of `client`, posted to by `sender`.
    pub fn new(client: ChainClient, sender: Sender) -> Self {
        Self { client, sender }
    }

    async fn send(&self, call: Call) -> Result<TxOutcome, PostError> {
        self.sender.send(call).await.map_err(|error| match &error {
            SendError::WouldRevert(revert) | SendError::Reverted { revert, .. } => {
                match Certifier::NoSeat::abi_decode(&revert.data) {
                    Ok(lost) => PostError::NoSeat(lost.worker),
                    // The chain's clock is a block behind ours: the same call is right a moment later.
                    Err(_) if is_early(&revert.data) => PostError::Chain(ChainFault(error.to_string())),
                    Err(_) => PostError::Refused(error.to_string()),
                }
            }
            _ => PostError::Chain(ChainFault(error.to_string())),
        })
    }

    /// Writes down on chain what the round was drawn with, where the contracts cannot see it by themselves.
    async fn write_seed(&self, post: &Post) -> Result<(), PostError> {
        let call = self.client.seed_call(&post.terms, post.batch).await.map_err(ChainFault::from)?;
        Ok(self.write(call).await?)
    }

    async fn write(&self, seed: Option<Call>) -> Result<(), ChainFault> {
        if let Some(call) = seed {
            self.sender.send(call).await.map_err(|error| ChainFault(error.to_string()))?;
        }
        Ok(())
    }
}

fn submission_of(post: &Post) -> guildhall_chain::Submission {
    let Submission { claims, entries, .. } = &post.submission;
    guildhall_chain::Submission { claims: claims.clone(), entries: entries.clone() }
}

/// A worker's standing as the roles' interface has it.
fn standing_of(worker: &Worker, now: UnixTime) -> Standing {
    let active_from = match worker.activity {
        Activity::Since(block) => block,
        Activity::Expelled | Activity::Leaving | Activity::Dormant => u64::MAX,
    };
    Standing {
        operator: worker.operator,
        pool: worker.pool,
        active_from,
        reputation: worker.reputation,
        bond: worker.bond,
        runtime: worker.runtime,
        room: worker.room(now),
    }
}

fn event_of(pool: PoolId, event: &Event) -> Option<ChainEvent> {
    if let Some(terms) = event.kind.deal_opened() {
        return (terms.pool_id() == pool).then(|| ChainEvent::DealOpened(Box::new(terms)));
    }
    match &event.kind {
        EventKind::Certifier(CertifierEvents::Certified(certified)) => {
            let certificate = &certified.certificate;
            let outcome = Outcome::Certified {
                claim: Claim { root: certificate.root, fuel: certificate.fuel.into() },
                odds: Odds(certificate.odds),
                transaction: event.position.transaction,
            };
            Some(ChainEvent::BatchEnded {
                deal: DealId(certified.dealId),
                batch: certified.batch,
                outcome,
                attempt: Some(certificate.attempt),
            })
        }
        EventKind::Certifier(CertifierEvents::RoundVoided(voided)) => {
            let (deal, batch) = (DealId(voided.dealId), voided.batch);
            Some(ChainEvent::BatchEnded { deal, batch, outcome: Outcome::Unavailable, attempt: None })
        }
        EventKind::Certifier(CertifierEvents::BatchExpired(expired)) => {
            let (deal, batch) = (DealId(expired.dealId), expired.batch);
            Some(ChainEvent::BatchEnded { deal, batch, outcome: Outcome::Expired, attempt: None })
        }
        EventKind::Certifier(CertifierEvents::Reopened(reopened)) => {
            Some(ChainEvent::Reopened { deal: DealId(reopened.dealId), batch: reopened.batch })
        }
        EventKind::Workforce(WorkforceEvents::WorkerChanged(changed)) => {
            Some(ChainEvent::WorkerChanged(changed.worker))
        }
        EventKind::Workforce(WorkforceEvents::WorkerJoined(joined)) => {
            Some(ChainEvent::WorkerChanged(joined.worker))
        }
        EventKind::Workforce(WorkforceEvents::WorkerDormant(dormant)) => {
            Some(ChainEvent::WorkerChanged(dormant.worker))
        }
        _ => None,
    }
}

fn update_of(pool: PoolId, update: Update) -> Option<ChainEvent> {
    match update {
        Update::Event(event) => event_of(pool, &event),
        Update::Reverted { from, .. } => Some(ChainEvent::Reverted { from }),
        Update::Head { number, time, cursor, .. } => {
            // Numbers and hashes always serialise.
            let cursor = serde_json::to_value(cursor).unwrap_or_default();
            Some(ChainEvent::Head { block: number, time: UnixTime(time), cursor })
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

    async fn coordinator_of(&self, pool: PoolId) -> Result<Address, ChainFault> {
        Ok(self.client.pool_details(pool).await?.coordinator)
    }

    async fn certified(&self, deal: DealId, batch: u32) -> Result<Option<(u8, Outcome)>, ChainFault> {
        let Some(subject) = self.client.subject(deal, batch).await? else { return Ok(None) };
        let certificate = &subject.certified.certificate;
        let outcome = Outcome::Certified {
            claim: Claim { root: certificate.root, fuel: certificate.fuel.into() },
            odds: Odds(certificate.odds),
            transaction: B256::ZERO,
        };
        Ok(Some((certificate.attempt, outcome)))
    }

    async fn batch(&self, terms: &Terms, batch: u32) -> Result<BatchNow, ChainFault> {
        let (status, attempt, opened) = self.client.draw_of(terms, batch).await?;
        Ok(BatchNow { status, attempt, opened })
    }

    async fn seed(&self, opened: &Opened) -> Result<Seed, ChainFault> {
        if let SeedKind::Beacon(_) = self.client.deployment().seed_kind {
            // Before anything is posted: workers without a way to the beacon wait for it.
            self.write(self.client.seed_to_write(opened).await?).await?;
        }
        let block = opened.block;
        let missing =
            || ChainFault(format!("the seed of block {block} is not there yet, or was not pinned in time"));
        self.client.drawn_seed(opened).await?.ok_or_else(missing)
    }

    async fn standing(&self, worker: Address) -> Result<Option<Standing>, ChainFault> {
        let (found, head) = futures::try_join!(self.client.worker(worker), self.client.head())?;
        Ok(found.map(|found| standing_of(&found, head.time)))
    }

    async fn may_store(&self, address: Address) -> Result<bool, ChainFault> {
        if self.client.worker(address).await?.is_some() || self.client.balance(address).await?.0 > U256::ZERO
        {
            return Ok(true);
        }
        let assets = self.client.registry().balanceOf(address).call().await;
        Ok(assets.map_err(|error| ChainFault(error.to_string()))? > U256::ZERO)
    }

    async fn certify(&self, posts: &[Post]) -> Result<u64, PostError> {
        let Some(first) = posts.first() else {
            return Err(PostError::Refused("there is nothing to post".into()));
        };
        let mut batches = Vec::with_capacity(posts.len());
        for post in posts {
            self.write_seed(post).await?;
            batches.push((post.batch, submission_of(post)));
        }
        let call = self.client.certify_call(&first.terms, batches).await.map_err(ChainFault::from)?;
        Ok(self.send(call).await?.block)
    }

    async fn void(&self, post: &Post) -> Result<u64, PostError> {
        self.write_seed(post).await?;
        let call = self.client.void_call(&post.terms, post.batch, submission_of(post)).await;
        Ok(self.send(call.map_err(ChainFault::from)?).await?.block)
    }

    async fn prove(&self, proof: &Equivocation) -> Result<B256, PostError> {
        let call = match proof {
            Equivocation::Commitments { pair } => {
                let (a, b) = (&pair.0, &pair.1);
                self.client.double_commitment_call(a.worker, a.round.id, (&a.signed, &b.signed))
            }
            Equivocation::Contributions { pair } => {
                let (a, b) = (&pair.0.envelope, &pair.1.envelope);
                self.client.double_contribution_call(a.worker, a.round.id, (&a.signed, &b.signed))
            }
        };
        Ok(self.send(call).await?.hash)
    }

    async fn reopen(&self, terms: &Terms, batch: u32) -> Result<B256, PostError> {
        Ok(self.send(self.client.reopen_call(terms, batch).map_err(ChainFault::from)?).await?.hash)
    }

    fn follow(&self, pool: PoolId, cursor: Option<serde_json::Value>) -> BoxStream<'static, ChainEvent> {
        let start = Cursor::at(self.client.deployment().block);
        let cursor = cursor.and_then(|cursor| serde_json::from_value(cursor).ok()).unwrap_or(start);
        let follower = self.client.follow(cursor, &[]);
        let events = stream::unfold(follower, move |mut follower: Follower| async move {
            loop {
                if let Some(event) = update_of(pool, follower.next().await?) {
                    return Some((event, follower));
                }
            }
        });
        events.boxed()
    }
}
