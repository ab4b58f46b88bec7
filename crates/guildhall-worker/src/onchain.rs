//! The real chain, for a worker: the chain's client behind the [`Chain`] trait.

use std::sync::Arc;

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::{SolCall, SolError};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use guildhall_api::{Claim, Outcome, Standing};
use guildhall_chain::bindings::Certifier::{self, CertifierEvents};
use guildhall_chain::bindings::Workforce::{WorkforceEvents, wakeCall};
use guildhall_chain::court::audit_seed_of;
use guildhall_chain::events::Certified;
use guildhall_chain::inquest::Binding;
use guildhall_chain::words::{Activity, Worker};
use guildhall_chain::{
    Call, CaseState, ChainClient, ChainError, Cursor, Event, EventKind, Follower, Hearing, Inquest,
    SendError, Sender, Subject, Submission, Update, Verdict,
    bindings::{Court, Jury},
};
use guildhall_protocol::list::CLAIM_LEADING;
use guildhall_protocol::{
    AssetId, BondUnits, Case, ContentId, DealId, LogItem, Odds, Opened, PoolId, Seed, Terms, UnixTime,
};

use crate::chain::{BatchNow, Chain, ChainEvent, ChainFault, Myself, Plea, PoolService, PostError};
use crate::seat::Promise;

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

    async fn send(&self, call: Call) -> Result<B256, PostError> {
        let sent = self.sender.send(call).await;
        sent.map(|outcome| outcome.hash).map_err(|error| match &error {
            SendError::WouldRevert(revert) | SendError::Reverted { revert, .. } => {
                let data = &revert.data;
                if is_raced(data) {
                    PostError::Raced
                } else if is_early(data) {
                    // The chain's clock is a block behind ours: the same call is right a moment later.
                    PostError::Chain(ChainFault(error.to_string()))
                } else {
                    PostError::Refused(error.to_string())
                }
            }
            SendError::Funds { .. } => PostError::Refused(error.to_string()),
            _ => PostError::Chain(ChainFault(error.to_string())),
        })
    }

    /// Writes down on chain what the round was drawn with, where the contracts cannot see it by themselves.
    async fn write_seed(&self, terms: &Terms, batch: u32) -> Result<(), PostError> {
        match self.client.seed_call(terms, batch).await.map_err(ChainFault::from)? {
            Some(call) => self.send(call).await.map(|_| ()),
            None => Ok(()),
        }
    }
}

/// Whether a call is right once it is made anew, on what stands there now.
fn is_raced(data: &[u8]) -> bool {
    Certifier::WrongLog::abi_decode(data).is_ok() || Court::WrongCertificate::abi_decode(data).is_ok()
}

/// Whether a call is right a moment later.
fn is_early(data: &[u8]) -> bool {
    Certifier::SeedUnavailable::abi_decode(data).is_ok() || Jury::TooEarly::abi_decode(data).is_ok()
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
    let case = event.kind.case_opened().or_else(|| event.kind.inquest_opened().map(|inquest| inquest.case));
    if let Some(case) = case {
        return Some(ChainEvent::CaseOpened(Box::new(case)));
    }
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
        let (status, attempt, opened) = self.client.draw_of(terms, batch).await?;
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

    async fn log(&self, terms: &Terms, batch: u32) -> Result<Vec<LogItem>, ChainFault> {
        Ok(self.client.round_log(terms, batch).await?)
    }

    async fn commit(
        &self,
        terms: &Terms,
        batch: u32,
        log: &[LogItem],
        commitment: B256,
    ) -> Result<B256, PostError> {
        self.write_seed(terms, batch).await?;
        let call = self.client.commit_call(terms, batch, log, self.sender.account(), commitment);
        self.send(call.map_err(ChainFault::from)?).await
    }

    async fn reveal(&self, promise: &Promise, at: (&[LogItem], usize)) -> Result<B256, PostError> {
        let Promise { at: round, claim, own_trace_root, .. } = promise;
        let batch = (round.deal, round.batch);
        self.send(self.client.reveal_call(batch, round.id, at, *claim, *own_trace_root)).await
    }

    async fn certify(&self, terms: &Terms, batch: u32, submission: Submission) -> Result<B256, PostError> {
        self.write_seed(terms, batch).await?;
        let call = self.client.certify_call(terms, vec![(batch, submission)]).await;
        self.send(call.map_err(ChainFault::from)?).await
    }

    async fn jury_seed(&self, case: &Case) -> Result<Option<Seed>, ChainFault> {
        Ok(self.client.drawn_seed(case).await?)
    }

    async fn certified(&self, deal: DealId, batch: u32) -> Result<Option<Subject>, ChainFault> {
        Ok(self.client.subject(deal, batch).await?)
    }

    async fn audit_drawn(&self, subject: &Subject) -> Result<Option<Option<u32>>, ChainFault> {
        Ok(self.client.audit_drawn(subject).await?)
    }

    async fn hearings(&self, case: &Case) -> Result<Vec<Hearing>, ChainFault> {
        Ok(self.client.hearings_of(case).await?)
    }

    async fn standing_of(&self, case: &Case) -> Result<(CaseState, Option<Verdict>), ChainFault> {
        Ok(futures::try_join!(self.client.case_state(case), self.client.verdict_of(case.id()))?)
    }

    async fn receipt_shown(&self, case: &Case) -> Result<bool, ChainFault> {
        Ok(self.client.receipt_shown(case).await?)
    }

    async fn binding(&self, subject: &Subject, worker: Address) -> Result<Binding, ChainFault> {
        Ok(self.client.binding(subject, worker).await?)
    }

    async fn inquest(&self, case: &Case) -> Result<Option<(Terms, Inquest)>, ChainFault> {
        Ok(self.client.inquest(case).await?)
    }

    async fn inquest_jury(&self, inquest: &Inquest) -> Result<Option<Hearing>, ChainFault> {
        if self.client.inquest_state(inquest.case.id()).await? != CaseState::Open {
            return Ok(None);
        }
        Ok(Some(self.client.jury_of(inquest).await?))
    }

    async fn claim_shown(&self, case: &Case, claim: usize) -> Result<bool, ChainFault> {
        Ok(self.client.claim_shown(case.id(), claim).await?.is_some())
    }

    async fn plead(&self, plea: Plea<'_>) -> Result<B256, PostError> {
        let client = &self.client;
        let call = match plea {
            Plea::Commit { subject, hearings, commitment } => {
                let records: Vec<_> = hearings.iter().map(|hearing| hearing.case).collect();
                if let Some(case) = records.first() {
                    let seed = client.seed_to_write(case).await.map_err(ChainFault::from)?;
                    if let Some(call) = seed {
                        self.send(call).await?;
                    }
                }
                client.juror_commit_call(subject, &records, self.sender.account(), commitment)
            }
            Plea::Contradict { subject, index, seal } => {
                client.contradict_call(subject, index, seal, self.sender.account())
            }
            Plea::Dispute { subject, index, seal } => client.dispute_call(subject, index, seal),
            Plea::Disprove { subject, leaves } => client.disprove_call(subject, leaves),
            Plea::Audit { subject } => {
                let seed = client.seed_to_write(audit_seed_of(subject)).await.map_err(ChainFault::from)?;
                if let Some(call) = seed {
                    self.send(call).await?;
                }
                client.audit_call(subject)
            }
            Plea::OpenSeal { case, finding, salt } => Ok(client.open_seal_call(case, finding, salt)),
            Plea::Reveal { case, juror, finding, own_trace } if case.facts.kind.is_inquest() => {
                Ok(client.inquest_reveal_call(case, juror, finding, own_trace))
            }
            Plea::Sit { terms, inquest, commitment } => {
                let seed = client.seed_to_write(&inquest.case).await.map_err(ChainFault::from)?;
                if let Some(call) = seed {
                    self.send(call).await?;
                }
                client.inquest_commit_call(terms, inquest, self.sender.account(), commitment)
            }
            Plea::ShowMine { subject, index, promise } => {
                client.show_call(subject, index, promise.claim, promise.own_trace_root)
            }
            Plea::TwoLists { coordinator, first, second } => {
                Ok(client.double_list_call(coordinator, first.round.id, (&first.signed, &second.signed)))
            }
            Plea::Accuse { subject, index, binding } => client.accuse_call(subject, index, binding),
            Plea::ShowClaim { terms, inquest, claim, receipts } => {
                client.show_claim_call(terms, inquest, claim, receipts)
            }
            Plea::ShowTrace { terms, inquest, trace, proof } => {
                client.show_trace_call(terms, inquest, trace, proof.to_vec())
            }
            Plea::Close { terms, inquest, hearing } => client.close_inquest_call(terms, inquest, hearing),
            Plea::Reveal { case, juror, finding, own_trace } => {
                Ok(client.juror_reveal_call(case, juror, finding, own_trace))
            }
            Plea::Show { subject, case, proof } => client.show_receipt_call(subject, case, proof),
            Plea::Decide { subject, hearing } => client.decide_call(&subject.certified.certificate, hearing),
            Plea::Finalize { subject, hearings, finding } => client.finalize_call(subject, hearings, finding),
        };
        self.send(call.map_err(ChainFault::from)?).await
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
