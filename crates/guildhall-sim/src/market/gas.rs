//! What the rounds of a market cost on chain: the gas of each call as `make gas` measured it, times how often it is made.
//!
//! Knows nothing of gas prices, nor of what calls cost in a deployment that was never used (the snapshot's rows `_cold`).

use std::sync::LazyLock;

use serde::Deserialize;

/// `contracts/snapshots/gas.json`, what of it a round needs.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Gas {
    /// The orders of a deal of one batch.
    #[serde(rename = "match")]
    pub(super) matching: u64,
    certify_3: u64,
    marginal_worker: u64,
    /// A batch that nobody certified is refunded.
    pub(super) expire: u64,
    /// Opens a dispute.
    pub(super) dispute: u64,
    /// Opens an audit.
    pub(super) audit_open: u64,
    jury_commit: u64,
    jury_reveal: u64,
    show_receipt: u64,
    jury_verdict_5: u64,
    finalize: u64,
}

static MEASURED: LazyLock<Gas> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../../contracts/snapshots/gas.json"))
        .unwrap_or_else(|error| unreachable!("the snapshot of `make gas`: {error}"))
});

impl Gas {
    /// As it was measured last.
    pub(super) fn measured() -> &'static Self {
        &MEASURED
    }

    /// A certificate with so many members.
    pub(super) const fn certificate(&self, members: u64) -> u64 {
        let three = self.certify_3 + members * self.marginal_worker;
        three.saturating_sub(3 * self.marginal_worker)
    }

    /// A case after it was opened: each juror's commitment and reveal, the certified receipt shown, the verdict and what follows. The last two were
    /// measured with five jurors and three contributors.
    pub(super) const fn hearing(&self, jurors: u64) -> u64 {
        jurors * (self.jury_commit + self.jury_reveal)
            + self.show_receipt
            + self.jury_verdict_5
            + self.finalize
    }
}
