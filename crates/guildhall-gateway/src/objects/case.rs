//! A case before the Court, or before the Inquest.

use alloy::primitives::{Address, B256, U256};
use guildhall_chain::{
    Docket, EventKind, Juror,
    bindings::{Court::CourtEvents, Inquest::InquestEvents, Jury::JuryEvents},
};
use guildhall_protocol::{Case, CaseId, DealId, Odds, OperatorId, UnixTime};
use serde::{Deserialize, Serialize};

use super::{Context, Facet, Folded, Share};
use crate::recorded::{Place, Recorded, Seen};

/// The most jurors that a row names; a jury has 32 seats at most.
const JURORS_MAX: usize = 64;

/// A juror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JurorRow {
    /// Who.
    pub worker: Address,
    /// Its operator.
    pub operator: OperatorId,
    /// Its word, as the verdict needs it.
    pub word: U256,
    /// What it found, once it has revealed; its commitment until then.
    pub finding: B256,
    /// Whether it has revealed.
    pub revealed: bool,
}

/// A case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseRow {
    /// Its id.
    pub id: CaseId,
    /// The deal.
    pub deal: DealId,
    /// The record, as calls bring it back.
    pub case: Case,
    /// Who answers in an inquest, and for what.
    pub docket: Option<Docket>,
    /// Where it stands: `open`, `upheld`, `overturned`, `void`, `closed`. Of an inquest: `open` or `closed`.
    pub state: String,
    /// The verdict, once there is one. Of an inquest: `found` or `nothing`.
    pub verdict: Option<String>,
    /// What prevailed.
    pub finding: Option<B256>,
    /// The odds that it is right.
    pub odds: Option<Odds>,
    /// When jurors may not commit any more.
    pub commit_end: UnixTime,
    /// When the windows for reveals and defence are over.
    pub reveal_end: UnixTime,
    /// When it may not be appealed any more.
    pub appeal_end: UnixTime,
    /// Its jury so far.
    pub jurors: Vec<JurorRow>,
    /// Whether its opener has shown what it had sealed.
    pub seal_shown: bool,
    /// Whether the certified receipt was shown: the certificate's defence.
    pub defended: bool,
    /// Claims of an inquest that were shown.
    pub claims_shown: Vec<u32>,
    /// Where it was opened.
    pub opened: Seen,
    /// Place of that.
    pub place: Place,
}

/// Where an event of one task of a batch points to.
pub(crate) fn task_key(deal: B256, batch: u32, index: u32) -> String {
    format!("{deal}/{batch}/{index}")
}

pub(crate) fn state_name(state: u8) -> &'static str {
    match state {
        1 => "open",
        2 => "upheld",
        3 => "overturned",
        4 => "void",
        5 => "closed",
        _ => "none",
    }
}

impl CaseRow {
    fn juror(&mut self, juror: Juror) {
        let row = JurorRow {
            worker: juror.worker(),
            operator: OperatorId(juror.operator()),
            word: juror.word,
            finding: juror.finding,
            revealed: juror.has_revealed(),
        };
        match self.jurors.iter_mut().find(|known| known.operator == row.operator) {
            Some(known) => *known = row,
            None => {
                self.jurors.push(row);
                self.jurors.truncate(JURORS_MAX);
            }
        }
    }

    fn jury(&mut self, event: &JuryEvents) {
        match event {
            JuryEvents::JurorCommitted(event) => {
                self.juror(Juror { word: event.juror.word, finding: event.juror.finding });
            }
            JuryEvents::JurorRevealed(event) => {
                self.juror(Juror { word: event.juror.word, finding: event.juror.finding });
            }
            JuryEvents::SealOpened(_) => self.seal_shown = true,
            JuryEvents::ReceiptShown(_) => self.defended = true,
            _ => {}
        }
    }

    fn inquest(&mut self, event: &InquestEvents) {
        match event {
            InquestEvents::JurorCommitted(event) => {
                self.juror(Juror { word: event.juror.word, finding: event.juror.finding });
            }
            InquestEvents::JurorRevealed(event) => {
                self.juror(Juror { word: event.juror.word, finding: event.juror.finding });
            }
            InquestEvents::ClaimShown(event) if self.claims_shown.len() < JURORS_MAX => {
                self.claims_shown.push(event.claim.saturating_to());
            }
            InquestEvents::InquestClosed(event) => {
                self.state = "closed".to_owned();
                self.verdict = Some(if event.found { "found" } else { "nothing" }.to_owned());
                self.finding = event.found.then_some(event.finding);
                self.odds = event.found.then_some(Odds(event.odds.saturating_to()));
            }
            _ => {}
        }
    }
}

impl Folded for CaseRow {
    fn begin(_: &str, event: &Recorded) -> Option<Self> {
        let inquest = event.kind.inquest_opened();
        let docket = inquest.as_ref().map(|inquest| inquest.docket.clone());
        let case = inquest.map(|inquest| inquest.case).or_else(|| event.kind.case_opened())?;
        let facts = case.facts;
        Some(Self {
            id: case.id(),
            deal: case.deal,
            docket,
            state: "open".to_owned(),
            verdict: None,
            finding: None,
            odds: None,
            commit_end: facts.commit_end(),
            reveal_end: facts.reveal_end(),
            appeal_end: facts.appeal_end(),
            jurors: Vec::new(),
            seal_shown: false,
            defended: false,
            claims_shown: Vec::new(),
            opened: event.into(),
            place: event.place,
            case,
        })
    }

    fn apply(&mut self, event: &Recorded, _: Context<'_>) {
        match &event.kind {
            EventKind::Court(CourtEvents::Decided(event)) => {
                self.state = state_name(event.verdict).to_owned();
                self.verdict = Some(self.state.clone());
                self.finding = (!event.finding.is_zero()).then_some(event.finding);
                self.odds = Some(Odds(event.odds.saturating_to()));
            }
            EventKind::Court(CourtEvents::CaseClosed(event)) => {
                if self.verdict.is_none() {
                    self.verdict = Some(state_name(event.verdict).to_owned());
                }
                self.state = "closed".to_owned();
            }
            EventKind::Jury(event) => self.jury(event),
            EventKind::Inquest(event) => self.inquest(event),
            _ => {}
        }
    }

    fn rank(&self) -> Place {
        self.place
    }

    fn facets(&self) -> Vec<Facet> {
        let facts = self.case.facts;
        vec![
            ("", String::new()),
            ("deal", self.deal.to_string()),
            ("state", self.state.clone()),
            ("task", task_key(self.deal.0, facts.batch, facts.index)),
        ]
    }

    fn shares(&self) -> Vec<Share> {
        vec![("cases", self.state.clone(), 1)]
    }
}
