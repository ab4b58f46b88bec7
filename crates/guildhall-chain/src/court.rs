//! Cases before the Court as the chain has them, and the calls that open, serve and end them.
//!
//! The contracts keep hashes; records, certificates and jurors come back from events. Knows nothing of who has a seat.

use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider as _,
    rpc::types::Filter,
    sol_types::{SolCall, SolEvent as _},
};
use guildhall_protocol::{
    Case, CaseId, CaseTermsWord, Certificate, DealId, Leaf, Odds, ReceiptProof, Terms, UnixTime,
    cases::{AUDIT_DELAY_BLOCKS, Facts, Stakes, audited_task},
    roster,
};

use crate::{
    bindings::{Certifier, Court, Jury, Market, Recourse},
    client::{ChainClient, ChainError, bring},
    events::{self, Certified, Event},
    seeds::DrawnAt,
    sender::Call,
};

/// What a case is about: a certified batch with its deal.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The deal's terms.
    pub terms: Terms,
    /// The certificate as it stands, with everything that came with it.
    pub certified: Certified,
}

impl Subject {
    /// Whether it says the same of the same batch, though a member may have shown its contribution in between.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let said = |subject: &Self| {
            let Certificate { dealId, batch, attempt, root, .. } = subject.certified.certificate;
            (dealId, batch, attempt, root)
        };
        said(self) == said(other)
    }

    /// What cases about it need of the terms.
    pub(crate) fn case_terms(&self) -> Result<CaseTermsWord, ChainError> {
        let found = self.terms.case_terms(self.certified.certificate.batch);
        found.map_err(|error| ChainError::Answer { what: "a certificate", message: error.to_string() })
    }
}

/// Where a case stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// Its task was never before the Court.
    None,
    /// There is no verdict yet.
    Open,
    /// The certificate is right.
    Upheld,
    /// The certificate is wrong.
    Overturned,
    /// It came to nothing.
    Void,
    /// Its money was paid.
    Closed,
}

impl CaseState {
    pub(crate) fn of(number: u8) -> Self {
        match number {
            1 => Self::Open,
            2 => Self::Upheld,
            3 => Self::Overturned,
            4 => Self::Void,
            5 => Self::Closed,
            _ => Self::None,
        }
    }
}

/// What a jury came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Upheld, overturned or void.
    pub state: CaseState,
    /// What prevailed; zero where nothing did.
    pub finding: B256,
    /// The odds that it is right.
    pub odds: Odds,
}

/// A juror as the chain has it: its finding is its commitment until it reveals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Juror {
    /// Worker 160 (high), operator 32 at bit 64, wave 8 at bit 8, revealed 8 (low).
    pub word: U256,
    /// See above.
    pub finding: B256,
}

impl Juror {
    /// Who.
    pub fn worker(&self) -> Address {
        Address::from_word((self.word >> 96_usize).into())
    }

    /// Number of its operator.
    pub fn operator(&self) -> u32 {
        (self.word >> 64_usize).wrapping_to()
    }

    /// Whether its finding is known.
    pub fn has_revealed(&self) -> bool {
        self.word.byte(0) != 0
    }
}

/// A case with its whole jury, by operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// The case.
    pub case: Case,
    /// Its jury.
    pub jurors: Vec<Juror>,
}

/// The record of a [`Court::CaseOpened`]; nothing for one of a kind that this version does not know.
pub fn case_of(record: &Court::Case) -> Option<Case> {
    Some(Case {
        deal: DealId(record.dealId),
        facts: Facts::unpack(record.facts)?,
        stakes: Stakes::unpack(record.stakes),
        opener: record.opener,
        worker: record.worker,
        seal: record.seal,
        before: CaseId(record.before),
    })
}

/// Where the seed comes from that says whether a certificate is audited.
pub fn audit_seed_of(subject: &Subject) -> DrawnAt {
    let Certified { certificate, trail, .. } = &subject.certified;
    DrawnAt { block: trail.block() + AUDIT_DELAY_BLOCKS, time: UnixTime(certificate.certifiedAt) }
}

macro_rules! record {
    ($contract:ident, $case:expr) => {
        $contract::Case {
            dealId: $case.deal.0,
            facts: $case.facts.pack(),
            stakes: $case.stakes.pack(),
            opener: $case.opener,
            worker: $case.worker,
            seal: $case.seal,
            before: $case.before.0,
        }
    };
}

macro_rules! certified_batch {
    ($contract:ident, $subject:expr) => {
        $contract::CertifiedBatch {
            certificate: bring(&$subject.certified.certificate)?,
            trail: $subject.certified.trail.0,
            caseTerms: $subject.case_terms()?.0,
            members: $subject.certified.members.iter().map(guildhall_protocol::Member::pack).collect(),
            rivals: $subject
                .certified
                .rivals
                .iter()
                .map(|claim| $contract::Claim { root: claim.root, fuel: claim.fuel.0 })
                .collect(),
        }
    };
}

pub(crate) use {certified_batch, record};

fn hearing(hearing: &Hearing) -> Court::Hearing {
    let jurors = hearing.jurors.iter().map(|juror| Court::Juror { word: juror.word, finding: juror.finding });
    Court::Hearing { record: record!(Court, hearing.case), jurors: jurors.collect() }
}

fn leaf(leaf: &Leaf) -> Court::Leaf {
    let receipt = &leaf.receipt;
    Court::Leaf {
        path: U256::from(leaf.path),
        receipt: Court::Receipt {
            index: receipt.index,
            exit: receipt.exit.code(),
            fuel: receipt.fuel,
            cumulativeFuel: leaf.cumulative_fuel.0,
            outputDigest: receipt.output_digest,
            traceDigest: receipt.trace_digest,
        },
        proof: leaf.proof.clone(),
    }
}

impl ChainClient {
    /// A certified batch with its deal, as both stand; nothing where there is no certificate.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn subject(&self, deal: DealId, batch: u32) -> Result<Option<Subject>, ChainError> {
        let deployment = self.deployment();
        let signatures = vec![
            Market::DealOpened::SIGNATURE_HASH,
            Certifier::Certified::SIGNATURE_HASH,
            Recourse::Shown::SIGNATURE_HASH,
        ];
        let filter = Filter::new()
            .address(vec![deployment.market, deployment.certifier, deployment.recourse])
            .event_signature(signatures)
            .topic1(deal.0);
        let events = self.events_of(filter, "a deal's certificate").await?;
        let terms = events.iter().find_map(|event| event.kind.deal_opened());
        Ok(terms.and_then(|terms| {
            let certified = events::standing(&terms, &events, batch)?;
            Some(Subject { terms, certified })
        }))
    }

    /// The cases of a deal, in their order.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn cases_of(&self, deal: DealId) -> Result<Vec<Case>, ChainError> {
        let filter = Filter::new()
            .address(self.deployment().court)
            .event_signature(Court::CaseOpened::SIGNATURE_HASH)
            .topic1(deal.0);
        let events = self.events_of(filter, "a deal's cases").await?;
        Ok(events.iter().filter_map(|event| event.kind.case_opened()).collect())
    }

    /// Where the task of a case stands: its state, which an appeal's may be.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn case_state(&self, case: &Case) -> Result<CaseState, ChainError> {
        let Facts { batch, index, .. } = case.facts;
        let court = Court::new(self.deployment().court, self.provider().clone());
        let word =
            self.read("a case", court.caseWord(case.deal.0, U256::from(batch), U256::from(index))).await?;
        Ok(CaseState::of(word.byte(0)))
    }

    /// Whether the certified receipt of a case's task was shown.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn receipt_shown(&self, case: &Case) -> Result<bool, ChainError> {
        let Facts { batch, index, .. } = case.facts;
        let jury = Jury::new(self.deployment().jury, self.provider().clone());
        let call = jury.receiptShown(case.deal.0, U256::from(batch), U256::from(index));
        Ok(!self.read("a shown receipt", call).await?.is_zero())
    }

    /// Whether the opener of a case showed what it had sealed.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn seal_opened(&self, case: &Case) -> Result<bool, ChainError> {
        let jury = Jury::new(self.deployment().jury, self.provider().clone());
        Ok(!self.read("an opened seal", jury.sealOpened(case.id().0)).await?.is_zero())
    }

    /// The task of a batch whose audit the seed asks for: `None` while that is not decided, `Some(None)` where it asks for none.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn audit_drawn(&self, subject: &Subject) -> Result<Option<Option<u32>>, ChainError> {
        let certificate = &subject.certified.certificate;
        let Some(seed) = self.drawn_seed(audit_seed_of(subject)).await? else { return Ok(None) };
        let tasks = subject.terms.tasks_of(certificate.batch).unwrap_or_default();
        let Certificate { batch, attempt, .. } = *certificate;
        Ok(Some(audited_task(seed, subject.terms.deal(), batch, attempt, tasks)))
    }

    /// The juries of a case: its own, then, where it is an appeal, that of the first.
    ///
    /// # Errors
    /// [`ChainError`] as of every read; [`ChainError::Answer`] where the first case is not among the events.
    pub async fn hearings_of(&self, case: &Case) -> Result<Vec<Hearing>, ChainError> {
        let mut hearings = vec![self.hearing_of(*case).await?];
        if case.facts.level > 1 {
            let known = self.cases_of(case.deal).await?;
            let first = known.into_iter().find(|known| known.id() == case.before);
            let message = format!("case {} is not known", case.before);
            let first = first.ok_or(ChainError::Answer { what: "a first case", message })?;
            hearings.push(self.hearing_of(first).await?);
        }
        Ok(hearings)
    }

    /// What the jury of a case came to; nothing before its verdict.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn verdict_of(&self, case: CaseId) -> Result<Option<Verdict>, ChainError> {
        let filter = Filter::new()
            .address(self.deployment().court)
            .event_signature(Court::Decided::SIGNATURE_HASH)
            .topic1(case.0);
        let logs = self.logs_of(filter, "a verdict").await?;
        let decided = logs.last().and_then(|log| Court::Decided::decode_log(&log.inner).ok());
        Ok(decided.map(|event| Verdict {
            state: CaseState::of(event.verdict),
            finding: event.finding,
            odds: Odds(event.odds.saturating_to()),
        }))
    }

    /// The whole jury of a case as it stands, by operator.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn hearing_of(&self, case: Case) -> Result<Hearing, ChainError> {
        self.hearing_at(self.deployment().jury, case).await
    }

    /// The jury of a case in a contract that hears cases; their events are the same.
    pub(crate) async fn hearing_at(&self, contract: Address, case: Case) -> Result<Hearing, ChainError> {
        let filter = Filter::new()
            .address(contract)
            .event_signature(vec![Jury::JurorCommitted::SIGNATURE_HASH, Jury::JurorRevealed::SIGNATURE_HASH])
            .topic1(case.id().0);
        let mut jurors = std::collections::BTreeMap::new();
        for log in self.logs_of(filter, "a jury").await? {
            let committed = Jury::JurorCommitted::decode_log(&log.inner).map(|event| event.data.juror);
            let juror = committed
                .or_else(|_| Jury::JurorRevealed::decode_log(&log.inner).map(|event| event.data.juror));
            let Ok(juror) = juror else { continue };
            let juror = Juror { word: juror.word, finding: juror.finding };
            jurors.insert(juror.operator(), juror);
        }
        Ok(Hearing { case, jurors: jurors.into_values().collect() })
    }

    pub(crate) async fn logs_of(
        &self,
        filter: Filter,
        what: &'static str,
    ) -> Result<Vec<alloy::rpc::types::Log>, ChainError> {
        let asked = self.provider().get_logs(&filter.from_block(self.deployment().block)).await;
        let mut logs = asked.map_err(self.endpoint().failed(what))?;
        logs.sort_by_key(|log| (log.block_number, log.log_index));
        Ok(logs)
    }

    pub(crate) async fn events_of(
        &self,
        filter: Filter,
        what: &'static str,
    ) -> Result<Vec<Event>, ChainError> {
        let logs = self.logs_of(filter, what).await?;
        Ok(logs.iter().filter_map(|log| events::decode(self.deployment(), log)).collect())
    }

    /// The call that disputes a task of a batch, for a bond of the caller's balance.
    ///
    /// # Errors
    /// [`ChainError::Answer`] where the certificate is not the contracts'.
    pub fn dispute_call(&self, subject: &Subject, index: u32, seal: B256) -> Result<Call, ChainError> {
        let Certified { certificate, trail, members, rivals } = &subject.certified;
        Ok(self.court_call(&Court::openDisputeCall {
            certificate: bring(certificate)?,
            roster: roster(members, rivals, *trail),
            caseTerms: subject.case_terms()?.0,
            index: U256::from(index),
            seal,
        }))
    }

    /// The call that disputes a task of a batch for a worker, whose stake answers for it: one that had a seat in wave 0 and is
    /// no member, or a member whose rival claim another makes too.
    ///
    /// # Errors
    /// As of [`ChainClient::dispute_call`].
    pub fn contradict_call(
        &self,
        subject: &Subject,
        index: u32,
        seal: B256,
        worker: Address,
    ) -> Result<Call, ChainError> {
        Ok(self.court_call(&Court::openDisputeAsWorkerCall {
            terms: bring(&subject.terms)?,
            certified: certified_batch!(Court, subject),
            index: U256::from(index),
            seal,
            worker,
        }))
    }

    /// The call that opens the audit of a batch, if the seed asks for one.
    ///
    /// # Errors
    /// As of [`ChainClient::dispute_call`].
    pub fn audit_call(&self, subject: &Subject) -> Result<Call, ChainError> {
        let certified = certified_batch!(Court, subject);
        Ok(self.court_call(&Court::openAuditCall { certified }))
    }

    /// The call that overturns a certificate which these leaves under its root contradict: one, or two neighbours.
    ///
    /// # Errors
    /// As of [`ChainClient::dispute_call`].
    pub fn disprove_call(&self, subject: &Subject, leaves: &[Leaf]) -> Result<Call, ChainError> {
        Ok(self.court_call(&Court::disproveCall {
            terms: bring(&subject.terms)?,
            certified: certified_batch!(Court, subject),
            leaves: leaves.iter().map(leaf).collect(),
        }))
    }

    /// The call that appeals a verdict, for a bond of the caller's balance.
    ///
    /// # Errors
    /// As of [`ChainClient::dispute_call`].
    pub fn appeal_call(
        &self,
        subject: &Subject,
        before: &Case,
        finding: B256,
        seal: B256,
    ) -> Result<Call, ChainError> {
        Ok(self.court_call(&Court::appealCall {
            terms: bring(&subject.terms)?,
            certified: certified_batch!(Court, subject),
            before: record!(Court, before),
            finding,
            seal,
            worker: Address::ZERO,
        }))
    }

    /// The call with which a juror commits. `records`: the case, then, where it is an appeal, the first.
    ///
    /// # Errors
    /// As of [`ChainClient::dispute_call`].
    pub fn juror_commit_call(
        &self,
        subject: &Subject,
        records: &[Case],
        worker: Address,
        commitment: B256,
    ) -> Result<Call, ChainError> {
        Ok(self.jury_call(&Jury::commitCall {
            terms: bring(&subject.terms)?,
            certified: certified_batch!(Jury, subject),
            records: records.iter().map(|case| record!(Jury, case)).collect(),
            worker,
            commitment,
        }))
    }

    /// The call with which a juror reveals.
    pub fn juror_reveal_call(&self, case: &Case, juror: &Juror, finding: B256, own_trace: B256) -> Call {
        self.jury_call(&Jury::revealCall {
            record: record!(Jury, case),
            juror: Jury::Juror { word: juror.word, finding: juror.finding },
            finding,
            ownTrace: own_trace,
        })
    }

    /// The call that shows what an opener sealed.
    pub fn open_seal_call(&self, case: &Case, finding: B256, salt: B256) -> Call {
        self.jury_call(&Jury::openSealCall { record: record!(Jury, case), finding, salt })
    }

    /// The call that shows the certified receipt of a disputed task.
    ///
    /// # Errors
    /// As of [`ChainClient::dispute_call`].
    pub fn show_receipt_call(
        &self,
        subject: &Subject,
        case: &Case,
        proof: &ReceiptProof,
    ) -> Result<Call, ChainError> {
        let receipt = &proof.receipt;
        Ok(self.jury_call(&Jury::showReceiptCall {
            terms: bring(&subject.terms)?,
            certificate: bring(&subject.certified.certificate)?,
            record: record!(Jury, case),
            receipt: Jury::Receipt {
                index: receipt.index,
                exit: receipt.exit.code(),
                fuel: receipt.fuel,
                cumulativeFuel: proof.cumulative_fuel.0,
                outputDigest: receipt.output_digest,
                traceDigest: receipt.trace_digest,
            },
            proof: proof.proof.clone(),
        }))
    }

    /// The call for the verdict.
    ///
    /// # Errors
    /// As of [`ChainClient::dispute_call`].
    pub fn decide_call(&self, certificate: &Certificate, jury: &Hearing) -> Result<Call, ChainError> {
        let certificate = bring(certificate)?;
        Ok(self.court_call(&Court::decideCall { certificate, hearing: hearing(jury) }))
    }

    /// The call that carries a verdict out. `hearings`: the last case, then, where it was an appeal, the first.
    ///
    /// # Errors
    /// As of [`ChainClient::dispute_call`].
    pub fn finalize_call(
        &self,
        subject: &Subject,
        hearings: &[Hearing],
        finding: B256,
    ) -> Result<Call, ChainError> {
        Ok(self.court_call(&Court::finalizeCall {
            terms: bring(&subject.terms)?,
            certified: certified_batch!(Court, subject),
            hearings: hearings.iter().map(hearing).collect(),
            finding,
        }))
    }

    /// The call that ends a case whose batch another one voided. `records` as for a juror; `finding` of the last, if decided.
    pub fn dismiss_call(&self, records: &[Case], finding: B256) -> Call {
        let records = records.iter().map(|case| record!(Court, case)).collect();
        self.court_call(&Court::dismissCall { records, finding })
    }

    fn court_call(&self, call: &impl SolCall) -> Call {
        Call { to: Some(self.deployment().court), data: call.abi_encode().into(), value_wei: U256::ZERO }
    }

    fn jury_call(&self, call: &impl SolCall) -> Call {
        Call { to: Some(self.deployment().jury), data: call.abi_encode().into(), value_wei: U256::ZERO }
    }
}
