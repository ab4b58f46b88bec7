//! What came of a demonstration, for people and for programs.

use std::path::PathBuf;

use alloy::primitives::{Address, B256};
use guildhall_protocol::{Amount, DealId};
use serde::Serialize;

use crate::{
    output::{Report, Style, table},
    values::{short, show_odds, show_tokens, thousands},
};

/// One photograph's result.
#[derive(Clone, Debug, Serialize)]
pub struct Photo {
    /// Its name.
    pub name: String,
    /// Number of the task.
    pub task: u32,
    /// Number of the batch.
    pub batch: u32,
    /// The model's score.
    pub score: f64,
    /// The certified root.
    pub root: B256,
    /// Odds to one, times 1e6.
    #[serde(with = "guildhall_protocol::units::decimal")]
    pub odds_micro: u128,
    /// Operators that agreed.
    pub operators: u8,
    /// Whether it was verified from outside.
    pub verified: bool,
    /// What failed, if anything did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// The deal.
    pub deal: DealId,
}

/// What one worker's operator got.
#[derive(Clone, Debug, Serialize)]
pub struct Earned {
    /// The worker's name.
    pub name: String,
    /// Its key.
    pub worker: Address,
    /// Fees and rewards of its operator.
    pub fees: Amount,
    /// Stake taken into escrow.
    pub slashed: Amount,
    /// What was special about it.
    pub role: &'static str,
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The deal.
    pub deal: DealId,
    /// The photographs, by name.
    pub photos: Vec<Photo>,
    /// The operators, by worker.
    pub earned: Vec<Earned>,
    /// Gas of the match.
    pub gas_match: u64,
    /// Gas of all certificates.
    pub gas_certify: u64,
    /// Gas of paying the escrow out.
    pub gas_release: u64,
    /// Seconds that it took.
    pub seconds: u64,
    /// Where the city is kept.
    pub data: PathBuf,
}

impl Summary {
    /// Whether every result holds.
    pub fn holds(&self) -> bool {
        self.photos.iter().all(|photo| photo.verified)
    }
}

impl Report for Summary {
    fn text(&self, style: Style) -> String {
        let data = self.data.display();
        let tasks = u64::try_from(self.photos.len()).unwrap_or(1).max(1);
        let gas = self.gas_match + self.gas_certify;
        let verdict = if self.holds() {
            style.good(format!(
                "{} results certified and verified from outside, in {} s",
                self.photos.len(),
                self.seconds
            ))
        } else {
            style.bad("not every result holds")
        };
        [
            photo_table(&self.photos),
            String::new(),
            earned_table(&self.earned),
            String::new(),
            format!(
                "gas: {} to match, {} to certify, {} to pay out the escrow; {} a task",
                thousands(self.gas_match),
                thousands(self.gas_certify),
                thousands(self.gas_release),
                thousands(gas / tasks)
            ),
            verdict,
            String::new(),
            style.strong("Go on with the same city:"),
            format!("  guildhall up --data {data}"),
            style.faint("and, while it runs:"),
            format!("  guildhall result verify {} 0 --data {data}", self.deal),
            format!("  guildhall result replay {} 0 --data {data}", self.deal),
            format!("  guildhall deal show {} --data {data}", self.deal),
            format!("  guildhall pool show 1 --data {data}"),
        ]
        .join("\n")
    }
}

fn photo_table(photos: &[Photo]) -> String {
    let rows = photos.iter().map(|photo| {
        let verified = match &photo.failed {
            _ if photo.verified => "verified".to_owned(),
            Some(failed) => failed.clone(),
            None => "does not hold".to_owned(),
        };
        vec![
            photo.name.clone(),
            format!("{:.6}", photo.score),
            photo.task.to_string(),
            format!("{} {}", photo.batch + 1, short(photo.root)),
            show_odds(photo.odds_micro),
            photo.operators.to_string(),
            verified,
        ]
    });
    let head =
        ["photo", "score", "task", "certificate", "odds", "operators", "checked"].map(str::to_owned).to_vec();
    table(std::iter::once(head).chain(rows).collect())
}

fn earned_table(earned: &[Earned]) -> String {
    let rows = earned.iter().map(|earned| {
        vec![
            earned.name.clone(),
            show_tokens(earned.fees.0),
            show_tokens(earned.slashed.0),
            earned.role.to_owned(),
        ]
    });
    let head = ["worker", "earned", "slashed", ""].map(str::to_owned).to_vec();
    table(std::iter::once(head).chain(rows).collect())
}
