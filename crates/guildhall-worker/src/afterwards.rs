//! After the end of a round: the certified result is stored with the pool, or the certificate contradicted.
//!
//! A duty stands in the journal until it is done, so that a restart, or an end that nobody told of, leaves none behind. Knows
//! nothing of seats.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use guildhall_api::{Bundle, Outcome, Purpose};
use guildhall_blobs::BlobError;
use guildhall_protocol::ContentId;

use crate::bench::{Bench, Kept};
use crate::court;
use crate::error::WorkerError;
use crate::executor::Assignment;
use crate::limits::{RETRY_FIRST, RETRY_MAX, STORE_TURN};
use crate::seat::Promise;

/// How often the chain is asked for the certificate of a round that is said to be over.
const CERTIFICATE_ATTEMPTS: u32 = 10;
/// The longest pause between attempts to store a result, and how many there are at most: two days' worth.
const STORE_PAUSE_MAX: Duration = Duration::from_secs(60);
/// See [`STORE_PAUSE_MAX`].
const STORE_ATTEMPTS: u32 = 2 * 24 * 60;

/// Whether a certificate is for what this worker claimed.
pub fn agrees(promise: &Promise, outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Certified { claim, .. } if *claim == promise.claim)
}

/// Does what a certificate asks of this worker, and notes that it is done.
pub async fn see_to_end(bench: Arc<Bench>, promise: Promise, agreed: bool) {
    let round = promise.at.id;
    if agreed {
        see_to_result(&bench, &promise).await;
    } else if bench.disputes {
        court::contradict(bench.clone(), promise).await;
    }
    if let Err(error) = bench.journal.settled(round).await {
        tracing::warn!(%round, %error, "what was done after the round is not noted: it is done again after a restart");
    }
}

/// The same for a round whose end was not heard: this worker was restarted, or was only told that it is over.
pub async fn catch_up(bench: Arc<Bench>, promise: Promise) {
    let (at, mut pause) = (promise.at, RETRY_FIRST);
    for _ in 0..CERTIFICATE_ATTEMPTS {
        match bench.chain.certified(at.deal, at.batch).await {
            Ok(Some(subject)) if subject.certified.certificate.attempt == at.attempt => {
                let agreed = court::certified_claim(&subject) == promise.claim;
                return see_to_end(bench, promise, agreed).await;
            }
            // The node may be behind the coordinator, or there is none: the round was given up.
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(round = %at.id, %error, "the chain does not say how the round ended")
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// Sees to it that the result of a certified round is stored: members take turns, in the order of their addresses, and
/// each looks first whether an earlier one has done it.
async fn see_to_result(bench: &Bench, promise: &Promise) {
    let turn = turn_of(bench, promise).await;
    tokio::time::sleep(STORE_TURN * turn).await;
    let mut pause = RETRY_FIRST;
    for attempt in 0..STORE_ATTEMPTS {
        let look_first = turn > 0 || attempt > 0;
        match store_result(bench, promise, look_first).await {
            Ok(()) => return,
            // The coordinator may not have seen the certificate yet, nor this machine's disk the bundle.
            Err(error) => tracing::debug!(round = %promise.at.id, %error, "the result is not stored yet"),
        }
        tokio::time::sleep(pause).await;
        // A coordinator that answers has it at once; one that is gone is not asked all the time.
        pause = (pause * 2).min(if bench.hears() { RETRY_MAX } else { STORE_PAUSE_MAX });
    }
    tracing::warn!(round = %promise.at.id, "could not store the result: it can be had from this worker's store");
}

async fn store_result(bench: &Bench, promise: &Promise, look_first: bool) -> Result<(), WorkerError> {
    // Another bundle there is of a certificate that the chain has dropped.
    if look_first && bench.link.stored_result(promise.at).await? == Some(promise.bundle) {
        return Ok(());
    }
    let bytes = bundle_of(bench, promise).await?;
    for (content_id, size) in Bundle::decode(&bytes)?.blobs() {
        let output = bench.blobs.get(content_id, size).await?;
        let credential = bench.credential(&Purpose::Upload { content_id, size })?;
        bench.link.store_blob(output, &credential).await?;
    }
    let credential =
        bench.credential(&Purpose::Upload { content_id: promise.bundle, size: bytes.len() as u64 })?;
    Ok(bench.link.store_result(promise.at, bytes, &credential).await?)
}

/// The result bundle that was promised: as it was kept or, where a crash came before that, from another execution.
///
/// # Errors
/// [`WorkerError`] where the store, the chain or the execution fails, or makes something else.
pub async fn bundle_of(bench: &Bench, promise: &Promise) -> Result<Bytes, WorkerError> {
    let limit = guildhall_api::bundle::MAX_BUNDLE_BYTES as u64;
    match bench.blobs.get(promise.bundle, limit).await {
        Err(BlobError::NotFound { .. }) => execute_again(bench, promise).await,
        found => Ok(found?),
    }
}

async fn execute_again(bench: &Bench, promise: &Promise) -> Result<Bytes, WorkerError> {
    let failed =
        |error: &dyn std::fmt::Display| WorkerError::Task { task: "result".into(), error: error.to_string() };
    let (at, worker) = (promise.at, bench.worker());
    let subject = bench.chain.certified(at.deal, at.batch).await?;
    let terms = subject.ok_or_else(|| failed(&"there is no certificate"))?.terms;
    let tasks = terms.tasks_of(at.batch).map_err(|error| failed(&error))?;
    let assignment = Assignment { round: at, worker, terms: Arc::new(terms), tasks: 0..tasks };
    let executed = bench.executor.execute(&assignment, &bench.progress).await;
    let kept = Kept::of(executed.map_err(|error| failed(&error))?)?;
    if ContentId::of(&kept.bundle) != promise.bundle {
        return Err(failed(&"another execution made another bundle"));
    }
    bench.keep(kept.clone()).await?;
    Ok(kept.bundle)
}

/// The worker's place among those that may store the result: how many members of the round have a lower address.
async fn turn_of(bench: &Bench, promise: &Promise) -> u32 {
    let Ok(state) = bench.link.round(promise.at.id).await else { return 0 };
    let me = bench.worker();
    state.members.iter().filter(|member| member.worker < me).count() as u32
}
