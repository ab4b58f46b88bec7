//! What came of a demonstration, for people and for programs.

use std::path::PathBuf;

use alloy::primitives::{Address, B256};
use guildhall_protocol::{
    Amount, DealId,
    certificate::Member,
    list::{
        CLAIM_IGNORED, CLAIM_IGNORED_BARE, CLAIM_LEADING, CLAIM_LOST, CLAIM_SHOWN_AGREEING, CLAIM_UNAVAILABLE,
    },
};
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

/// What one worker did by the chain's word, and what its operator got.
#[derive(Clone, Debug, Serialize)]
pub struct Earned {
    /// The worker's name.
    pub name: String,
    /// Its key.
    pub worker: Address,
    /// Fees and rewards of its operator.
    pub fees: Amount,
    /// Stake taken into escrow, as the chain's events say.
    pub slashed: Amount,
    /// Certificates that it agreed with.
    pub agreed: u32,
    /// Certificates that it opposed, by another claim or by silence.
    pub opposed: u32,
    /// What the demonstration made of it.
    pub staged: Option<Staged>,
}

/// What the demonstration makes of a worker. What came of it is for the chain to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Staged {
    /// It claims something else than it executed.
    Liar,
    /// It is switched off half-way.
    SwitchedOff,
}

impl Earned {
    /// Counts what a worker's entries in the certificates say.
    pub fn count<'a>(&mut self, members: impl IntoIterator<Item = &'a Member>) {
        for member in members.into_iter().filter(|member| member.worker == self.worker) {
            match member.claim {
                CLAIM_LEADING | CLAIM_SHOWN_AGREEING => self.agreed += 1,
                CLAIM_IGNORED | CLAIM_IGNORED_BARE | CLAIM_LOST | CLAIM_UNAVAILABLE => {}
                _ => self.opposed += 1,
            }
        }
    }

    /// What is wrong with it: who opposed a certificate loses stake and nobody else does, and a lie is never certified.
    fn wrong(&self) -> Option<String> {
        match (self.opposed, self.slashed.0.is_zero()) {
            (1.., true) => {
                Some(format!("{} opposed {} certificates and lost nothing", self.name, self.opposed))
            }
            (0, false) => Some(format!("{} opposed nothing and was slashed", self.name)),
            _ if self.staged == Some(Staged::Liar) && self.agreed > 0 => {
                Some(format!("a lie of {} was certified", self.name))
            }
            _ => None,
        }
    }
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
    /// Whether every result holds, and everybody got what the rules say.
    pub fn holds(&self) -> bool {
        self.wrong().is_empty()
    }

    /// What does not hold.
    fn wrong(&self) -> Vec<String> {
        let photos = self.photos.iter().filter(|photo| !photo.verified);
        let photos = photos.map(|photo| format!("the result of {} does not hold", photo.name));
        photos.chain(self.earned.iter().filter_map(Earned::wrong)).collect()
    }

    /// The last line: what was shown, as far as the chain says so.
    fn verdict(&self, style: Style) -> String {
        let wrong = self.wrong();
        if !wrong.is_empty() {
            return style.bad(wrong.join("; "));
        }
        let results = format!(
            "{} results certified and verified from outside, in {} s",
            self.photos.len(),
            self.seconds
        );
        let liar = self.earned.iter().find(|earned| earned.staged == Some(Staged::Liar));
        let liar = liar.map(|liar| match liar.opposed {
            0 => format!("; the lot drew {}, who lies, in no round", liar.name),
            _ => format!(
                "; {} lied in {} rounds and lost {} tokens",
                liar.name,
                liar.opposed,
                show_tokens(liar.slashed.0)
            ),
        });
        style.good(results + &liar.unwrap_or_default())
    }
}

impl Report for Summary {
    fn text(&self, style: Style) -> String {
        let data = self.data.display();
        let tasks = u64::try_from(self.photos.len()).unwrap_or(1).max(1);
        let gas = self.gas_match + self.gas_certify;
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
            self.verdict(style),
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
            earned.agreed.to_string(),
            earned.opposed.to_string(),
            match earned.staged {
                Some(Staged::Liar) => "lies".to_owned(),
                Some(Staged::SwitchedOff) => "was switched off".to_owned(),
                None => String::new(),
            },
        ]
    });
    let head = ["worker", "earned", "slashed", "agreed", "opposed", ""].map(str::to_owned).to_vec();
    table(std::iter::once(head).chain(rows).collect())
}

#[cfg(test)]
mod tests {
    use alloy::primitives::U256;
    use guildhall_protocol::list::CLAIM_BARE;

    use super::*;

    fn earned(name: &str, staged: Option<Staged>) -> Earned {
        Earned {
            name: name.to_owned(),
            worker: Address::repeat_byte(7),
            fees: Amount::default(),
            slashed: Amount::default(),
            agreed: 0,
            opposed: 0,
            staged,
        }
    }

    fn summary(earned: Vec<Earned>) -> Summary {
        Summary {
            deal: DealId(B256::ZERO),
            photos: Vec::new(),
            earned,
            gas_match: 0,
            gas_certify: 0,
            gas_release: 0,
            seconds: 0,
            data: PathBuf::new(),
        }
    }

    #[test]
    fn a_worker_is_counted_by_its_claims_in_the_certificates() {
        let claims = [CLAIM_LEADING, 1, CLAIM_BARE, CLAIM_UNAVAILABLE];
        let member = |claim, worker| Member { worker, claim, wave: 0, slash: 0, exposure: 0 };
        let mut members: Vec<_> = claims.map(|claim| member(claim, Address::repeat_byte(7))).to_vec();
        members.push(member(CLAIM_LEADING, Address::repeat_byte(8)));
        let mut counted = earned("bakery", None);
        counted.count(&members);
        assert_eq!((counted.agreed, counted.opposed), (1, 2));
    }

    #[test]
    fn the_verdict_is_what_the_chain_says_of_everybody() {
        let one = Amount(U256::ONE);
        let liar = Earned { opposed: 2, slashed: one, ..earned("bakery", Some(Staged::Liar)) };
        let honest = Earned { agreed: 4, ..earned("school", None) };
        let good = summary(vec![liar.clone(), honest.clone()]);
        assert!(good.holds());
        assert!(
            good.verdict(Style::PLAIN).contains("bakery lied in 2 rounds"),
            "{}",
            good.verdict(Style::PLAIN)
        );
        for wrong in [
            Earned { slashed: Amount::default(), ..liar.clone() },
            Earned { agreed: 1, ..liar.clone() },
            Earned { slashed: one, ..honest },
        ] {
            assert!(!summary(vec![wrong.clone()]).holds(), "{wrong:?}");
        }
        let undrawn = summary(vec![Earned { opposed: 0, slashed: Amount::default(), ..liar }]);
        assert!(undrawn.holds() && undrawn.verdict(Style::PLAIN).contains("in no round"));
    }
}
