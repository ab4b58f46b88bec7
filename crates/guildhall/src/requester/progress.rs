//! How far a deal is, folded from what its coordinator tells watchers.
//!
//! Nothing of it is believed: what counts is on the chain. Knows nothing of how it is shown.

use std::collections::BTreeMap;

use alloy::primitives::Address;
use guildhall_api::{Outcome, ProgressEvent, ProgressStep};
use guildhall_protocol::Odds;

use crate::values::show_odds;

/// The most batches that are followed; of further ones only the end is told.
const BATCHES_MAX: usize = 4_096;

/// One batch as watchers see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchProgress {
    /// The draw of the lot, from zero.
    pub attempt: u8,
    /// The wave that takes commitments.
    pub wave: u8,
    /// Who took a seat.
    pub seated: Vec<Address>,
    /// Who committed.
    pub committed: Vec<Address>,
    /// Who showed its claim.
    pub contributed: Vec<Address>,
    /// Distinct claims.
    pub claims: u32,
    /// Odds of the leading claim.
    pub odds: Odds,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

/// A deal as watchers see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DealProgress {
    batches: BTreeMap<u32, BatchProgress>,
}

impl DealProgress {
    /// Takes an event.
    pub fn note(&mut self, event: &ProgressEvent) {
        if self.batches.len() >= BATCHES_MAX && !self.batches.contains_key(&event.round.batch) {
            return;
        }
        let batch = self.batches.entry(event.round.batch).or_default();
        if event.round.attempt > batch.attempt {
            *batch = BatchProgress { attempt: event.round.attempt, ..BatchProgress::default() };
        }
        match &event.step {
            ProgressStep::Seated { worker, wave } => {
                add(&mut batch.seated, *worker);
                batch.wave = batch.wave.max(*wave);
            }
            ProgressStep::Committed { worker, .. } => add(&mut batch.committed, *worker),
            ProgressStep::Contributed { worker, claims, odds } => {
                add(&mut batch.contributed, *worker);
                batch.claims = *claims;
                batch.odds = *odds;
            }
            ProgressStep::Ended { outcome } => {
                if let Outcome::Certified { odds, .. } = outcome {
                    batch.odds = *odds;
                }
                batch.outcome = Some(outcome.clone());
            }
            ProgressStep::Listed { .. }
            | ProgressStep::Unavailable { .. }
            | ProgressStep::Equivocated { .. }
            | ProgressStep::Posting
            | ProgressStep::Missed { .. } => {}
        }
    }

    /// One batch.
    pub fn batch(&self, batch: u32) -> Option<&BatchProgress> {
        self.batches.get(&batch)
    }
}

fn add(workers: &mut Vec<Address>, worker: Address) {
    if !workers.contains(&worker) {
        workers.push(worker);
    }
}

/// What an event means, in one line, with workers by name.
pub fn describe(event: &ProgressEvent, name: impl Fn(Address) -> String) -> String {
    match &event.step {
        ProgressStep::Seated { worker, wave: 0 } => format!("{} has a seat by the lot", name(*worker)),
        ProgressStep::Seated { worker, wave } => {
            format!("{} has a seat by the lot, wave {wave}", name(*worker))
        }
        ProgressStep::Committed { worker, commitments } => {
            format!("{} commits, blind ({commitments} so far)", name(*worker))
        }
        ProgressStep::Unavailable { worker } => format!("{} could not get the bytes", name(*worker)),
        ProgressStep::Listed { entries, .. } => {
            format!("the list is closed: {entries} commitments, nobody can be added")
        }
        ProgressStep::Contributed { worker, claims: 0 | 1, odds } => {
            format!("{} shows its claim, odds {}", name(*worker), show_odds(odds.0))
        }
        ProgressStep::Contributed { worker, claims, odds } => {
            format!("{} shows its claim, {claims} claims now, odds {}", name(*worker), show_odds(odds.0))
        }
        ProgressStep::Equivocated { worker } => {
            format!("{} contradicts itself: a proof for a full slash", name(*worker))
        }
        ProgressStep::Posting => "the certificate goes to the chain".to_owned(),
        ProgressStep::Missed { events } => format!("{events} steps went by unseen"),
        ProgressStep::Ended { outcome } => match outcome {
            Outcome::Certified { odds, .. } => format!("certified at {}", show_odds(odds.0)),
            Outcome::Reopened => "the lot is drawn anew, for four times the odds".to_owned(),
            Outcome::Unavailable => "void: the bytes were withheld, the payer is refunded".to_owned(),
            Outcome::Expired => "expired: the payer is refunded".to_owned(),
        },
    }
}
