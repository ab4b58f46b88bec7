//! Overturns certificates that their own leaves contradict: at once, without a jury, a stake or a bond.
//!
//! Nothing is sealed and nothing awaited, so nothing is kept either: whoever comes again after a crash finds the certificate
//! void, or proves the same. Knows nothing of what a task should have produced.

use guildhall_api::Bundle;
use guildhall_chain::Subject;
use guildhall_protocol::{Leaves, UnixTime};

use crate::bench::Bench;
use crate::chain::Plea;
use crate::court::{Leave, nothing, plead};

/// The leaves under a certificate's root, from a bundle that may be false otherwise; they count only if they make the root.
pub(crate) fn leaves_of(bundle: &[u8], subject: &Subject) -> Result<Option<Leaves>, Leave> {
    let receipts = Bundle::receipts_of(bundle).map_err(|error| nothing(error.to_string()))?;
    Ok(Leaves::certified(&subject.certified.certificate, receipts))
}

/// Disproves a certificate where its leaves do; whether they did.
pub(crate) async fn disprove(
    bench: &Bench,
    subject: &Subject,
    leaves: &Leaves,
    until: UnixTime,
) -> Result<bool, Leave> {
    let certificate = &subject.certified.certificate;
    let Some(found) = leaves.disproof(&subject.terms, certificate) else { return Ok(false) };
    tracing::warn!(fault = %found.fault, "a certificate contradicts itself: disproving it");
    plead(bench, Plea::Disprove { subject, leaves: &found.leaves }, until).await?;
    metrics::counter!("worker_certificates_disproved_total").increment(1);
    Ok(true)
}
