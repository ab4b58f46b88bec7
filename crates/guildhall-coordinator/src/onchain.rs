//! The real chain, for the coordinator: the chain's client behind the [`Chain`] trait.

use alloy::primitives::{Address, B256, U256};
use alloy::providers::Provider;
use alloy::rpc::types::Filter;
use alloy::sol_types::{SolCall, SolError, SolEvent};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use guildhall_api::{Claim, Outcome, Standing};
use guildhall_chain::bindings::Certifier::{
    CertifierEvents, certifyCall, certifyManyCall, reopenCall, voidRoundCall,
};
use guildhall_chain::bindings::Workforce::WorkforceEvents;
use guildhall_chain::bindings::{Certifier, ICertifier, convert};
use guildhall_chain::words::{Activity, Worker};
use guildhall_chain::{
    Call, ChainClient, ChainError, Cursor, Event, EventKind, Follower, SeedKind, SendError, Sender, Update,
};
use guildhall_protocol::list::{CLAIM_BARE, EntryWord};
use guildhall_protocol::log::LogItem;
use guildhall_protocol::{DealId, Odds, Opened, PoolId, Seed, Terms, UnixTime};

use crate::chain::{BatchNow, Chain, ChainEvent, ChainFault, Post, PostError};

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

impl From<alloy::sol_types::Error> for ChainFault {
    fn from(error: alloy::sol_types::Error) -> Self {
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

    async fn send(&self, data: Vec<u8>) -> Result<B256, PostError> {
        let to = Some(self.client.deployment().certifier);
        let sent = self.sender.send(Call { to, data: data.into(), value_wei: U256::ZERO }).await;
        sent.map(|outcome| outcome.hash).map_err(|error| match &error {
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
        if self.client.deployment().seed_kind == SeedKind::BlockHash {
            return Ok(());
        }
        let opened = self.batch(&post.terms, post.batch).await?.opened;
        Ok(self.write_seed_of(&opened).await?)
    }

    async fn write_seed_of(&self, opened: &Opened) -> Result<(), ChainFault> {
        if let Some(call) = self.client.seed_to_write(opened).await? {
            self.sender.send(call).await.map_err(|error| ChainFault(error.to_string()))?;
        }
        Ok(())
    }

    async fn submission(&self, post: &Post) -> Result<ICertifier::Submission, ChainFault> {
        let mut claims: Vec<Certifier::Claim> = post.submission.claims.iter().map(claim_of).collect();
        let mut entries: Vec<Certifier::Entry> = post
            .submission
            .entries
            .iter()
            .map(|entry| Certifier::Entry {
                word: entry.word.pack(),
                proof: entry.proof,
                r: entry.signature.r,
                vs: entry.signature.vs,
            })
            .collect();
        let log = self.log(&post.terms, post.batch).await?;
        merge(&log, &mut claims, &mut entries);
        Ok(ICertifier::Submission { batch: U256::from(post.batch), claims, entries, log })
    }

    /// What stands on chain for the round that runs, in its order; asked for only where something does.
    async fn log(&self, terms: &Terms, batch: u32) -> Result<Vec<Certifier::LogItem>, ChainFault> {
        let slot = self.client.batch_slot(terms.deal(), batch).await?;
        if slot.log_hash().unwrap_or_default().is_zero() {
            return Ok(Vec::new());
        }
        let filter = Filter::new()
            .address(self.client.deployment().certifier)
            .event_signature(vec![Certifier::Committed::SIGNATURE_HASH, Certifier::Revealed::SIGNATURE_HASH])
            .topic1(terms.dealId)
            .topic2(U256::from(batch))
            .from_block(terms.opened().block);
        let mut logs =
            self.client.provider().get_logs(&filter).await.map_err(|error| ChainFault(error.to_string()))?;
        logs.sort_by_key(|log| (log.block_number, log.log_index));
        let item = |log: &alloy::rpc::types::Log| {
            let committed = Certifier::Committed::decode_log(&log.inner).map(|event| event.data.item);
            committed
                .or_else(|_| Certifier::Revealed::decode_log(&log.inner).map(|event| event.data.item))
                .ok()
        };
        Ok(logs.iter().filter_map(item).collect())
    }
}

fn claim_of(claim: &Claim) -> Certifier::Claim {
    Certifier::Claim { root: claim.root, fuel: claim.fuel.0 }
}

/// Takes in what members showed on chain: the contract wants every claim named, and nobody silent who has shown there.
fn merge(log: &[Certifier::LogItem], claims: &mut Vec<Certifier::Claim>, entries: &mut [Certifier::Entry]) {
    for item in log {
        let Ok(LogItem::Reveal { worker, fuel, root, own_trace_root }) =
            LogItem::unpack(item.word, item.a, item.b)
        else {
            continue;
        };
        let known = claims.iter().position(|claim| claim.root == root && claim.fuel == fuel.0);
        let claim = known.unwrap_or_else(|| {
            claims.push(Certifier::Claim { root, fuel: fuel.0 });
            claims.len() - 1
        });
        for entry in entries.iter_mut() {
            let Ok(word) = EntryWord::unpack(entry.word) else { continue };
            if word.worker == worker && word.claim == CLAIM_BARE {
                // A round has far fewer claims than entries, and of these there are 63 at most.
                let claim = u8::try_from(claim).unwrap_or(CLAIM_BARE);
                entry.word = EntryWord { claim, on_chain: true, ..word }.pack();
                entry.proof = own_trace_root;
            }
        }
    }
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
            Some(ChainEvent::BatchEnded { deal: DealId(certified.dealId), batch: certified.batch, outcome })
        }
        EventKind::Certifier(CertifierEvents::RoundVoided(voided)) => {
            let (deal, batch) = (DealId(voided.dealId), voided.batch);
            Some(ChainEvent::BatchEnded { deal, batch, outcome: Outcome::Unavailable })
        }
        EventKind::Certifier(CertifierEvents::BatchExpired(expired)) => {
            let (deal, batch) = (DealId(expired.dealId), expired.batch);
            Some(ChainEvent::BatchEnded { deal, batch, outcome: Outcome::Expired })
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

    async fn batch(&self, terms: &Terms, batch: u32) -> Result<BatchNow, ChainFault> {
        let slot = self.client.batch_slot(terms.deal(), batch).await?;
        let status = slot.status().ok_or_else(|| ChainFault(format!("batch {batch} has no known status")))?;
        let attempt = slot.attempt().unwrap_or(0);
        let opened: Opened = if attempt == 0 {
            terms.opened()
        } else {
            let missing = || ChainFault(format!("attempt {attempt} of batch {batch} has no opening"));
            self.client.reopened_at(terms.deal(), batch).await?.ok_or_else(missing)?.unpack()
        };
        Ok(BatchNow { status, attempt, opened })
    }

    async fn seed(&self, opened: &Opened) -> Result<Seed, ChainFault> {
        if let SeedKind::Beacon(_) = self.client.deployment().seed_kind {
            // Before anything is posted: workers without a way to the beacon wait for it.
            self.write_seed_of(opened).await?;
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

    async fn certify(&self, posts: &[Post]) -> Result<B256, PostError> {
        let Some(first) = posts.first() else {
            return Err(PostError::Refused("there is nothing to post".into()));
        };
        let terms = convert(&first.terms).map_err(ChainFault::from)?;
        let mut submissions = Vec::with_capacity(posts.len());
        for post in posts {
            self.write_seed(post).await?;
            submissions.push(self.submission(post).await?);
        }
        match submissions.pop() {
            Some(ICertifier::Submission { batch, claims, entries, log }) if submissions.is_empty() => {
                self.send(certifyCall { terms, batch, claims, entries, log }.abi_encode()).await
            }
            last => {
                submissions.extend(last);
                self.send(certifyManyCall { terms, submissions }.abi_encode()).await
            }
        }
    }

    async fn void(&self, post: &Post) -> Result<B256, PostError> {
        let terms = convert(&post.terms).map_err(ChainFault::from)?;
        self.write_seed(post).await?;
        let ICertifier::Submission { batch, claims, entries, log } = self.submission(post).await?;
        self.send(voidRoundCall { terms, batch, claims, entries, log }.abi_encode()).await
    }

    async fn reopen(&self, terms: &Terms, batch: u32) -> Result<B256, PostError> {
        let terms = convert(terms).map_err(ChainFault::from)?;
        self.send(reopenCall { terms, batch: U256::from(batch) }.abi_encode()).await
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

#[cfg(test)]
mod tests {
    use guildhall_protocol::Fuel;

    use super::*;

    #[test]
    fn who_showed_on_chain_is_not_posted_as_silent() {
        let worker = Address::repeat_byte(7);
        let (root, own_trace_root) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let (word, a, b) = LogItem::Reveal { worker, fuel: Fuel(500), root, own_trace_root }.pack();
        let log = [Certifier::LogItem { word, a, b }];
        let bare = EntryWord { worker, claim: CLAIM_BARE, wave: 1, on_chain: false };
        let unsigned = (B256::ZERO, B256::ZERO);
        let mut entries =
            [Certifier::Entry { word: bare.pack(), proof: B256::ZERO, r: unsigned.0, vs: unsigned.1 }];
        let mut claims = vec![Certifier::Claim { root: B256::repeat_byte(9), fuel: 1 }];
        merge(&log, &mut claims, &mut entries);
        assert_eq!((claims.len(), claims[1].root, claims[1].fuel), (2, root, 500));
        let shown = EntryWord { claim: 1, on_chain: true, ..bare };
        assert_eq!((entries[0].word, entries[0].proof), (shown.pack(), own_trace_root));
        merge(&log, &mut claims, &mut entries);
        assert_eq!(claims.len(), 2, "a known claim is not named twice");
    }
}
