//! Inquests: sits on their juries, and answers in those that are about this worker: shows what its claim of an expired batch
//! says of the task, or its own trace.
//!
//! What differs from a case before the Court: there is no certificate to look at, and of an accusation the finding is the
//! accused's own trace, which everybody who executes can make. Knows nothing of who is right.

use std::sync::Arc;

use alloy::primitives::B256;
use guildhall_api::Bundle;
use guildhall_chain::{Hearing, Inquest, Juror};
use guildhall_protocol::cases::{Kind, finding, juror_commitment};
use guildhall_protocol::tree::Tree;
use guildhall_protocol::{Batch, Case, RoundId, Terms, UnixTime};

use crate::bench::Bench;
use crate::chain::Plea;
use crate::court::{CONCLUDE_SECS, Found, Leave, execute_as, nothing, patiently, plead, seat};
use crate::error::WorkerError;
use crate::limits::{POST_TURN, RETRY_MAX};
use crate::seat::Promise;

/// Does this worker's part in an inquest.
pub(crate) async fn serve(bench: &Arc<Bench>, case: &Case, found: Option<Found>) -> Result<(), Leave> {
    let (facts, me) = (&case.facts, bench.worker());
    let known = patiently(bench, facts.reveal_end(), || bench.chain.inquest(case)).await?;
    let (terms, inquest) = known.ok_or_else(|| nothing("the chain has no such inquest"))?;
    let place = inquest.docket.members.iter().position(|member| member.worker == me);
    match (facts.kind, place) {
        (Kind::Accusation, _) if case.worker == me => show_trace(bench, &terms, &inquest).await,
        (Kind::Expiry, Some(place)) => show_claim(bench, &terms, &inquest, place).await,
        (_, Some(_)) => Err(nothing("it is a member")),
        _ => sit(bench, &terms, &inquest, found).await,
    }
}

async fn sit(
    bench: &Arc<Bench>,
    terms: &Terms,
    inquest: &Inquest,
    found: Option<Found>,
) -> Result<(), Leave> {
    let (case, facts) = (&inquest.case, &inquest.case.facts);
    let found = match found {
        Some(found) => found,
        None => {
            let wave = seat(bench, case).await?;
            bench.clock.reach(facts.wave_start(wave)).await;
            execute(bench, terms, case).await?
        }
    };
    if juror(bench, inquest, facts.commit_end()).await?.is_none() {
        let commitment = juror_commitment(bench.worker(), case.id(), found.finding, found.own_trace);
        plead(bench, Plea::Sit { terms, inquest, commitment }, facts.commit_end()).await?;
    }
    bench.clock.reach(facts.commit_end()).await;
    let mine = juror(bench, inquest, facts.reveal_end()).await?;
    let mine = mine.ok_or_else(|| nothing("its commitment is not on chain"))?;
    if !mine.has_revealed() {
        let Found { finding, own_trace, .. } = found;
        plead(bench, Plea::Reveal { case, juror: &mine, finding, own_trace }, facts.reveal_end()).await?;
    }
    bench.clock.reach(facts.reveal_end()).await;
    close(bench, terms, inquest).await
}

/// Executes the task, and binds this worker to what it found, durably.
async fn execute(bench: &Bench, terms: &Terms, case: &Case) -> Result<Found, Leave> {
    let (receipt, own_trace) = execute_as(bench, case, terms, (RoundId(case.id().0), bench.worker())).await?;
    let finding = match case.facts.kind {
        Kind::Accusation => execute_as(bench, case, terms, (RoundId(case.before.0), case.worker)).await?.1,
        _ => finding(&receipt),
    };
    let found = Found { case: *case, finding, own_trace };
    Ok(bench.journal.finding(found).await.map_err(WorkerError::from)?)
}

/// This worker in the jury, as the chain has it.
async fn juror(bench: &Bench, inquest: &Inquest, until: UnixTime) -> Result<Option<Juror>, Leave> {
    let jury = patiently(bench, until, || bench.chain.inquest_jury(inquest)).await?;
    Ok(jury.and_then(|jury| mine(bench, &jury).map(|place| jury.jurors[place])))
}

fn mine(bench: &Bench, jury: &Hearing) -> Option<usize> {
    let me = bench.worker();
    jury.jurors.iter().position(|juror| juror.worker() == me)
}

/// Sees to the verdict and its money. Jurors take turns, so that one transaction is enough.
async fn close(bench: &Bench, terms: &Terms, inquest: &Inquest) -> Result<(), Leave> {
    let end = UnixTime(inquest.case.facts.reveal_end().0.saturating_add(CONCLUDE_SECS));
    while let Some(hearing) = patiently(bench, end, || bench.chain.inquest_jury(inquest)).await? {
        let place = mine(bench, &hearing).unwrap_or_default();
        tokio::time::sleep(POST_TURN * place as u32).await;
        let closed = plead(bench, Plea::Close { terms, inquest, hearing: &hearing }, end).await;
        let Err(Leave::Nothing(reason)) = closed else { return closed };
        tracing::debug!(reason, "somebody else was faster, or it is too early");
        tokio::time::sleep(RETRY_MAX).await;
        if bench.clock.now() >= end {
            return Err(nothing("it was not closed"));
        }
    }
    Ok(())
}

/// What this worker promised in the round that an inquest is about.
fn promise(bench: &Bench, case: &Case) -> Result<Promise, Leave> {
    let entries = bench.journal.entries().map_err(WorkerError::from)?;
    let promises = entries.into_iter().map(|entry| entry.promise);
    let found = promises.into_iter().find(|promise| promise.at.id == RoundId(case.before.0));
    found.ok_or_else(|| nothing("what it executed is not kept any more"))
}

/// Shows this worker's own trace of the task: one that nobody shows is false. The root of a batch of one task is the trace.
async fn show_trace(bench: &Bench, terms: &Terms, inquest: &Inquest) -> Result<(), Leave> {
    let (case, facts) = (&inquest.case, &inquest.case.facts);
    let tasks = terms.tasks_of(facts.batch).map_err(|error| nothing(error.to_string()))?;
    if tasks == 1 {
        return Ok(());
    }
    let kept = promise(bench, case)?.traces;
    bench.clock.reach(facts.commit_end()).await;
    let bytes = bench.blobs.get(kept, u64::from(tasks) * 32).await;
    let bytes = bytes.map_err(|error| nothing(error.to_string()))?;
    let traces: Vec<B256> = bytes.chunks_exact(32).map(B256::from_slice).collect();
    let index = facts.index as usize;
    let trace = *traces.get(index).ok_or_else(|| nothing("a trace is missing"))?;
    let proof = Tree::new(traces).and_then(|tree| tree.proof(index));
    let proof = proof.map_err(|error| nothing(error.to_string()))?;
    plead(bench, Plea::ShowTrace { terms, inquest, trace, proof: &proof }, facts.reveal_end()).await
}

/// Shows what this worker's claim says of the task: a claim that nobody shows is wrong. Those that made the same take turns.
async fn show_claim(bench: &Bench, terms: &Terms, inquest: &Inquest, place: usize) -> Result<(), Leave> {
    let (case, facts, docket) = (&inquest.case, &inquest.case.facts, &inquest.docket);
    let number = usize::from(docket.members[place].claim);
    let claim = docket.claims.get(number).ok_or_else(|| nothing("it made no claim that stands"))?;
    let promise = promise(bench, case)?;
    if promise.claim != *claim {
        return Err(nothing("another claim stands there for it"));
    }
    let turn = docket.members.iter().take(place).filter(|member| usize::from(member.claim) == number).count();
    bench.clock.reach(facts.commit_end()).await;
    tokio::time::sleep(POST_TURN * turn as u32).await;
    if patiently(bench, facts.reveal_end(), || bench.chain.claim_shown(case, number)).await? {
        return Ok(());
    }
    let limit = guildhall_api::bundle::MAX_BUNDLE_BYTES as u64;
    let bytes = bench.blobs.get(promise.bundle, limit).await.map_err(|error| nothing(error.to_string()))?;
    let bundle = Bundle::decode(&bytes).map_err(|error| nothing(error.to_string()))?;
    let batch = Batch::new(bundle.receipts).map_err(|error| nothing(error.to_string()))?;
    // The cumulative fuel of the task before it counts, too.
    let receipts: Result<Vec<_>, _> =
        (facts.index.saturating_sub(1)..=facts.index).map(|index| batch.prove(index)).collect();
    let receipts = receipts.map_err(|error| nothing(error.to_string()))?;
    let plea = Plea::ShowClaim { terms, inquest, claim: number, receipts: &receipts };
    plead(bench, plea, facts.reveal_end()).await
}
