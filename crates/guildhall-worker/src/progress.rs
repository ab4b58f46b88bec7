//! What a worker tells whoever shows it: seats, executions, certificates, earnings.

use alloy::primitives::B256;
use guildhall_api::RoundRef;
use guildhall_protocol::{Amount, BondUnits, Odds};
use serde::Serialize;
use tokio::sync::broadcast;

use crate::limits::PROGRESS_QUEUE;

/// One thing that happened to a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The round that it happened in.
    pub round: RoundRef,
    /// What.
    #[serde(flatten)]
    pub step: ProgressStep,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum ProgressStep {
    /// The lot gave it a seat.
    SeatDrawn {
        /// The wave.
        wave: u8,
        /// Tasks of the batch.
        tasks: u32,
    },
    /// The coordinator holds the seat for it.
    Seated,
    /// A task was executed.
    Executed {
        /// Tasks done.
        done: u32,
        /// Tasks of the batch.
        tasks: u32,
    },
    /// It is bound to its result.
    Committed,
    /// The list of its wave is closed.
    Listed {
        /// Entries of its wave.
        entries: u32,
    },
    /// It showed its claim.
    Contributed,
    /// It could not get the bytes and said so.
    Withheld,
    /// The round has a certificate.
    Certified {
        /// Whether it certifies this worker's claim.
        agreed: bool,
        /// Its odds.
        odds: Odds,
        /// The transaction.
        transaction: B256,
    },
    /// What the certificate pays its operator.
    Earned {
        /// In the token's smallest unit.
        amount: Amount,
    },
    /// What the certificate takes from its bond into escrow.
    Slashed {
        /// In bond units.
        units: BondUnits,
    },
    /// It left the round without a certificate.
    Left {
        /// Why.
        reason: String,
    },
}

/// Where progress goes. Nobody has to listen, and who listens too slowly misses the oldest.
#[derive(Debug, Clone)]
pub struct ProgressSender(broadcast::Sender<Progress>);

impl Default for ProgressSender {
    fn default() -> Self {
        Self(broadcast::Sender::new(PROGRESS_QUEUE))
    }
}

impl ProgressSender {
    /// Listens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Progress> {
        self.0.subscribe()
    }

    /// Tells whoever listens, and the log.
    pub fn tell(&self, round: RoundRef, step: ProgressStep) {
        let RoundRef { id, deal, batch, attempt } = round;
        tracing::info!(parent: None, %deal, batch, attempt, round = %id, ?step, "a step of a worker");
        // Nobody listening is no error.
        let _ = self.0.send(Progress { round, step });
    }
}
