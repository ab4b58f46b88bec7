//! What stands against whom: the calls that prove that somebody signed two things, and that show what a certificate left out.
//!
//! Who sends a proof has a part of what is slashed. Knows nothing of who saw the fault.

use std::collections::HashMap;

use alloy::{
    primitives::{Address, B256, U256},
    rpc::types::Filter,
    sol_types::{SolCall, SolEvent as _},
};
use guildhall_protocol::{
    Claim, CompactSignature, Lot, RoundId,
    messages::{Commitment, Contribution, RoundList, Signed},
};

use crate::{
    bindings::{Certifier, IRecourse, Market, Recourse},
    client::{ChainClient, ChainError, bring},
    court::{Subject, certified_batch},
    sender::Call,
    words::Activity,
};

/// Seats that a worker misses before it may be put to sleep.
pub const MISSED_SEATS: usize = 8;

fn signed_claim(signed: &Signed<Contribution>) -> IRecourse::SignedClaim {
    let Contribution { wave, root, fuel, listHash, .. } = signed.message;
    let CompactSignature { r, vs } = signed.signature;
    IRecourse::SignedClaim { wave, root, fuel, listHash, r, vs }
}

impl ChainClient {
    /// The call that shows what a member that was certified as silent had committed to: an agreeing one gets its slash back.
    ///
    /// # Errors
    /// [`ChainError::Answer`] where the certificate is not the contracts'.
    pub fn show_call(
        &self,
        subject: &Subject,
        index: usize,
        claim: Claim,
        own_trace_root: B256,
    ) -> Result<Call, ChainError> {
        Ok(self.recourse_call(&Recourse::showCall {
            terms: bring(&subject.terms)?,
            certified: certified_batch!(Recourse, subject),
            index: U256::from(index),
            root: claim.root,
            fuel: claim.fuel.0,
            ownTraceRoot: own_trace_root,
        }))
    }

    /// The call that pays a certificate's escrow out, once its window is over.
    ///
    /// # Errors
    /// As of [`ChainClient::show_call`].
    pub fn release_call(&self, subject: &Subject) -> Result<Call, ChainError> {
        Ok(self.recourse_call(&Recourse::releaseCall {
            terms: bring(&subject.terms)?,
            certified: certified_batch!(Recourse, subject),
        }))
    }

    /// The call that proves that a worker signed two contributions in one round.
    pub fn double_contribution_call(
        &self,
        worker: Address,
        round: RoundId,
        (a, b): (&Signed<Contribution>, &Signed<Contribution>),
    ) -> Call {
        self.recourse_call(&Recourse::proveWorkerFaultCall {
            worker,
            roundId: round.0,
            a: signed_claim(a),
            b: signed_claim(b),
        })
    }

    /// The call that proves that a worker signed two commitments in one round.
    pub fn double_commitment_call(
        &self,
        worker: Address,
        round: RoundId,
        (a, b): (&Signed<Commitment>, &Signed<Commitment>),
    ) -> Call {
        self.recourse_call(&Recourse::proveDoubleCommitmentCall {
            worker,
            roundId: round.0,
            waves: [a.message.wave, b.message.wave],
            commitments: [a.message.commitment, b.message.commitment],
            rs: [a.signature.r, b.signature.r],
            vss: [a.signature.vs, b.signature.vs],
        })
    }

    /// The call that proves that a coordinator signed two lists for one wave.
    pub fn double_list_call(
        &self,
        coordinator: Address,
        round: RoundId,
        (a, b): (&Signed<RoundList>, &Signed<RoundList>),
    ) -> Call {
        self.recourse_call(&Recourse::proveCoordinatorFaultCall {
            coordinator,
            roundId: round.0,
            wave: a.message.wave,
            listHashes: [a.message.listHash, b.message.listHash],
            rs: [a.signature.r, b.signature.r],
            vss: [a.signature.vs, b.signature.vs],
        })
    }

    /// Certified batches of its pool for which a worker had a seat in wave 0 and that do without it, opened in ascending blocks: the
    /// first eight from `from` on, or as many as there are. Draws whose seed the chain does not hold any more are left out.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn missed_seats(&self, worker: Address, from: u64) -> Result<Vec<Subject>, ChainError> {
        let Some(state) = self.worker(worker).await? else { return Ok(Vec::new()) };
        let Activity::Since(active_from) = state.activity else { return Ok(Vec::new()) };
        let deployment = self.deployment();
        let filter = Filter::new()
            .address(vec![deployment.market, deployment.certifier])
            .event_signature(vec![Market::DealOpened::SIGNATURE_HASH, Certifier::Certified::SIGNATURE_HASH])
            .from_block(from.max(deployment.block));
        let events = self.events_of(filter, "a pool's certificates").await?;
        let terms: HashMap<_, _> = events
            .iter()
            .filter_map(|event| event.kind.deal_opened())
            .map(|terms| (terms.deal(), terms))
            .collect();
        let (mut missed, mut last) = (Vec::new(), 0);
        for certified in events.iter().filter_map(|event| event.kind.certified()) {
            let certificate = &certified.certificate;
            let (deal, batch, attempt) = (certificate.dealId.into(), certificate.batch, certificate.attempt);
            let Some(terms) = terms.get(&deal).filter(|terms| terms.pool_id() == state.pool) else {
                continue;
            };
            let opened = match attempt {
                0 => terms.opened(),
                _ => self.draw_of(terms, batch).await?.2,
            };
            let eligible =
                opened.runtime == state.runtime && active_from < opened.block && opened.block > last;
            if !eligible || certified.members.iter().any(|member| member.worker == worker) {
                continue;
            }
            let (Ok(policy), Some(seed)) = (terms.policy(), self.drawn_seed(&opened).await?) else {
                continue;
            };
            let lot = Lot::new(deal, batch, attempt, seed, &policy, opened.pool_bond);
            if lot.has_seat(worker, state.bond, 0)
                && let Some(subject) = self.subject(deal, batch).await?
            {
                last = opened.block;
                missed.push(subject);
            }
            if missed.len() == MISSED_SEATS {
                break;
            }
        }
        Ok(missed)
    }

    /// The call that puts a worker to sleep that missed these seats: [`MISSED_SEATS`] of them.
    ///
    /// # Errors
    /// [`ChainError::Answer`] where a certificate is not the contracts'.
    pub fn report_dormant_call(&self, worker: Address, missed: &[Subject]) -> Result<Call, ChainError> {
        let seat = |subject: &Subject| -> Result<_, ChainError> {
            let certified = certified_batch!(Recourse, subject);
            Ok(IRecourse::MissedSeat { terms: bring(&subject.terms)?, certified })
        };
        let seats = missed.iter().map(seat).collect::<Result<_, _>>()?;
        Ok(self.recourse_call(&Recourse::reportDormantCall { worker, seats }))
    }

    fn recourse_call(&self, call: &impl SolCall) -> Call {
        Call { to: Some(self.deployment().recourse), data: call.abi_encode().into(), value_wei: U256::ZERO }
    }
}
