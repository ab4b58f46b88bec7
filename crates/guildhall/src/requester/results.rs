//! Fetches a certified result: the batch's bundle, the task's receipt with its proof, the output.
//!
//! Whoever serves the bytes is not believed: [`super::verify`] checks them.

use alloy::primitives::B256;
use guildhall_api::{Bundle, BundleError, CoordinatorClient, Output};
use guildhall_blobs::BlobStore;
use guildhall_protocol::{Batch, Certificate, Leaves, ReceiptProof};
use guildhall_service::Coded as _;

use super::history::History;
use crate::error::{Failure, Result};

/// The largest output that is fetched: what the sandbox lets an app write.
const OUTPUT_MAX_BYTES: u64 = guildhall_sandbox::limits::OUTPUT_MAX_BYTES;

/// A result as it was served.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The receipt, with the proof that it stands in its batch.
    pub receipt: ReceiptProof,
    /// The output.
    pub output: Vec<u8>,
    /// The root of the batch that was served.
    pub root: B256,
}

/// The bundle of a task's batch, as bytes.
///
/// # Errors
/// As of [`bundle_of`].
pub async fn bundle(client: &CoordinatorClient, history: &History, task: u32) -> Result<Vec<u8>> {
    let located = history.terms.locate(task);
    let (batch, _) = located.map_err(|error| Failure::new(error.code(), error.to_string()))?;
    bundle_of(client, history, batch).await
}

/// The bundle of a batch, as bytes.
///
/// # Errors
/// `result.none` when the coordinator has none (yet); `api.*`.
pub async fn bundle_of(client: &CoordinatorClient, history: &History, batch: u32) -> Result<Vec<u8>> {
    let terms = &history.terms;
    let Some(at) = history.certificate(batch) else {
        return Err(Failure::negative(
            "result.not_certified",
            format!("batch {batch} has no certificate yet"),
        )
        .hint("`guildhall deal watch DEAL` waits for it"));
    };
    let attempt = at.certified.certificate.attempt;
    match client.result(terms.deal(), batch, attempt).await {
        Err(error) if error.refusal() == Some("coordinator.no_result") => Err(Failure::negative(
            "result.none",
            format!("the coordinator at {} has no result of batch {batch}", client.base()),
        )
        .hint("try again in a moment, or read a bundle that you have with `--bundle FILE`")),
        found => Ok(found?),
    }
}

/// Takes one task's result out of a bundle; long outputs come from `blobs`.
///
/// # Errors
/// `bundle.*` for bytes that are no bundle, or false; `blobs.*`.
pub async fn take(bytes: &[u8], history: &History, task: u32, blobs: &dyn BlobStore) -> Result<Fetched> {
    let (_, index) =
        history.terms.locate(task).map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let bundle = Bundle::decode(bytes).map_err(|error| bundle_failure(&error))?;
    let position = usize::try_from(index).unwrap_or(usize::MAX);
    let output = match bundle.outputs.get(position) {
        Some(Output::Blob { content_id, .. }) => blobs.get(*content_id, OUTPUT_MAX_BYTES).await?.to_vec(),
        _ => bundle.inline_output(position).unwrap_or_default().to_vec(),
    };
    let batch = Batch::new(bundle.receipts).map_err(|error| {
        Failure::negative("bundle.malformed", format!("the bundle's receipts make no batch: {error}"))
    })?;
    let receipt = batch.prove(index).map_err(|error| {
        Failure::negative("bundle.malformed", format!("the bundle has no task {index}: {error}"))
            .hint("it is the bundle of another batch")
    })?;
    Ok(Fetched { receipt, output, root: batch.root() })
}

/// The leaves under a certificate's root, from a bundle whose outputs may be false.
///
/// # Errors
/// `bundle.*` for bytes that are no bundle; `dispute.other_receipts` where they are of something else.
pub fn leaves_of(bytes: &[u8], certificate: &Certificate) -> Result<Leaves> {
    let receipts = Bundle::receipts_of(bytes).map_err(|error| bundle_failure(&error))?;
    let count = receipts.len();
    Leaves::certified(certificate, receipts).ok_or_else(|| {
        let root = certificate.root;
        let said =
            format!("the {count} receipts of this bundle are not those under the certified root {root}");
        Failure::negative("dispute.other_receipts", said).hint(
            "fetch it elsewhere with `--coordinator URL`, or read one that you have with `--bundle FILE`",
        )
    })
}

/// A bundle that is none, or false, is a negative answer: whoever served it lied.
fn bundle_failure(error: &BundleError) -> Failure {
    Failure::negative(error.code(), error.to_string()).hint("fetch it elsewhere: nothing of it was used")
}
