//! Disputes and audits from anybody's side: open a case, show what was sealed, ask for the verdict, carry it out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use alloy::primitives::B256;
use guildhall_chain::{
    Call, CaseState, ChainClient, ChainError, Sender, Subject, TxOutcome, Verdict, court::audit_seed_of,
    events,
};
use guildhall_protocol::{Case, Certificate, DealId, Disproof, Leaves, Status, Terms, UnixTime, cases::seal};
use guildhall_service::files::{MODE_PRIVATE, atomic_write};
use serde::{Deserialize, Serialize};

use crate::error::{Failure, Result};

/// What an opener sealed, kept until the jury has committed. Secret until then: jurors could copy it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// What binds the opener, which names the file.
    pub seal: B256,
    /// What the opener found.
    pub finding: B256,
    /// What hides it.
    pub salt: B256,
}

impl Sealed {
    fn path(dir: &Path, seal: B256) -> PathBuf {
        dir.join("disputes").join(format!("{seal}.json"))
    }

    /// What was sealed for a case, as far as this directory has it.
    ///
    /// # Errors
    /// `file.read` when it is there and not readable.
    pub fn load(dir: &Path, case: &Case) -> Result<Option<Self>> {
        let path = Self::path(dir, case.seal);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
        let sealed = serde_json::from_slice(&text).map_err(|error| {
            Failure::new("dispute.file", format!("`{}` is no sealed finding: {error}", path.display()))
        })?;
        Ok(Some(sealed))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// `file.*` when the system refuses.
    pub fn keep(&self, dir: &Path) -> Result<()> {
        let path = Self::path(dir, self.seal);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| Failure::file("create", parent, &error))?;
        }
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Failure::new("dispute.file", error.to_string()))?;
        Ok(atomic_write(&path, &text, MODE_PRIVATE)?)
    }
}

/// The certificate of a batch with its deal.
///
/// # Errors
/// `result.not_certified`, `dispute.no_court`, `chain.*`.
pub async fn subject(chain: &ChainClient, deal: DealId, batch: u32) -> Result<Subject> {
    if !chain.deployment().has_court() {
        return Err(Failure::new(
            "dispute.no_court",
            "this deployment has no Court: nothing can be disputed",
        )
        .hint("its certificates are final when their window is over"));
    }
    chain.subject(deal, batch).await?.ok_or_else(|| {
        Failure::new("result.not_certified", format!("batch {batch} of this deal has no certificate"))
            .hint("`guildhall deal show` says where it stands")
    })
}

/// Disputes a task of a batch, for a bond of the sender's balance; what is sealed is kept in `dir`.
///
/// # Errors
/// The Court's refusal, such as `court.too_late` once the certificate is final.
pub async fn dispute(
    chain: &ChainClient,
    sender: &Sender,
    subject: &Subject,
    index: u32,
    finding: B256,
    dir: &Path,
) -> Result<(Case, TxOutcome)> {
    let hidden = sealed(sender, subject, index, finding, dir)?;
    let call = |subject: &Subject| chain.dispute_call(subject, index, hidden);
    let outcome = send_about(chain, sender, subject, call).await?;
    Ok((opened(chain, &outcome)?, outcome))
}

/// What is wrong with a certificate by its own leaves.
///
/// # Errors
/// `dispute.no_fault` where nothing is; `dispute.void`, `chain.*`.
pub async fn disproof(chain: &ChainClient, subject: &Subject, leaves: &Leaves) -> Result<Disproof> {
    let Certificate { batch, root, fuel, .. } = subject.certified.certificate;
    if chain.batch_slot(subject.terms.deal(), batch).await?.status() == Some(Status::Void) {
        return Err(Failure::negative(
            "dispute.void",
            format!("batch {batch} is void: nothing of it is certified"),
        )
        .hint("`guildhall deal show DEAL` says where it stands"));
    }
    leaves.disproof(&subject.terms, &subject.certified.certificate).ok_or_else(|| {
        let said = format!(
            "batch {batch} does not contradict itself: the leaves under its root {root} are in their places, within the limit and add up to {fuel} fuel"
        );
        Failure::negative("dispute.no_fault", said)
            .hint("`guildhall dispute open DEAL TASK` disputes a task whose result is wrong")
    })
}

/// Overturns a certificate by the leaves that contradict it.
///
/// # Errors
/// The Court's refusal, such as `contract.too_late` once the certificate is final.
pub async fn disprove(
    chain: &ChainClient,
    sender: &Sender,
    subject: &Subject,
    disproof: &Disproof,
) -> Result<TxOutcome> {
    send_about(chain, sender, subject, |subject| chain.disprove_call(subject, &disproof.leaves)).await
}

/// Sends a call about a certificate. A member that was certified as silent may show its contribution meanwhile, which makes
/// another certificate of it: then it is sent again, about the certificate as it stands.
///
/// # Errors
/// What the contract refuses, `contract.wrong_certificate` where another result is certified by now, and `chain.*`.
pub async fn send_about(
    chain: &ChainClient,
    sender: &Sender,
    subject: &Subject,
    call: impl Fn(&Subject) -> Result<Call, ChainError>,
) -> Result<TxOutcome> {
    let mut now = subject.clone();
    loop {
        let failure = match sender.send(call(&now)?).await.map_err(Failure::from) {
            Err(failure) if failure.code() == "contract.wrong_certificate" => failure,
            sent => return sent,
        };
        let since = self::subject(chain, now.terms.deal(), now.certified.certificate.batch).await?;
        // Each member shows once, so this ends.
        if since == now || !since.says_the_same(subject) {
            return Err(failure);
        }
        now = since;
    }
}

/// Seals what was found and keeps it, before it is sent: who cannot show what it sealed loses its bond.
fn sealed(sender: &Sender, subject: &Subject, index: u32, finding: B256, dir: &Path) -> Result<B256> {
    let salt = B256::random();
    let certificate = &subject.certified.certificate;
    let hidden = seal(sender.account(), certificate.dealId.into(), certificate.batch, index, finding, salt);
    Sealed { seal: hidden, finding, salt }.keep(dir)?;
    Ok(hidden)
}

/// The last case of a task.
///
/// # Errors
/// `dispute.missing`, `chain.*`.
pub async fn last_case(chain: &ChainClient, terms: &Terms, task: u32) -> Result<Case> {
    let at = terms.locate(task).map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let of_task = |case: &Case| (case.facts.batch, case.facts.index) == at;
    chain.cases_of(terms.deal()).await?.into_iter().rfind(of_task).ok_or_else(|| {
        Failure::new("dispute.missing", format!("task {task} of this deal was never disputed"))
            .hint("`guildhall dispute open` does that")
    })
}

/// What the jury of a case came to, where it may still be appealed.
///
/// # Errors
/// `dispute.no_verdict`, `dispute.no_appeal`, `chain.*`.
pub async fn appealable(chain: &ChainClient, case: &Case) -> Result<Verdict> {
    if case.facts.level > 1 {
        return Err(Failure::negative("dispute.no_appeal", "this is an appeal: its verdict is the last")
            .hint("`guildhall dispute settle` carries it out"));
    }
    let verdict = chain.verdict_of(case.id()).await?.ok_or_else(|| {
        Failure::negative("dispute.no_verdict", "there is no verdict yet to appeal")
            .hint("`guildhall dispute settle` asks for it, once the jury's time is over")
    })?;
    let (now, end) = (chain.head().await?.time, case.facts.appeal_end());
    if now >= end {
        let said = format!("the time for appeals was over at {end} (chain time)");
        return Err(Failure::negative("dispute.no_appeal", said)
            .hint("`guildhall dispute settle` carries the verdict out"));
    }
    Ok(verdict)
}

/// Puts a task before another jury, for twice the bond; what is sealed is kept in `dir`.
///
/// # Errors
/// The Court's refusal, such as `contract.too_late` once the verdict stands.
pub async fn appeal(
    chain: &ChainClient,
    sender: &Sender,
    subject: &Subject,
    (before, verdict): (&Case, &Verdict),
    finding: B256,
    dir: &Path,
) -> Result<(Case, TxOutcome)> {
    let hidden = sealed(sender, subject, before.facts.index, finding, dir)?;
    let call = |subject: &Subject| chain.appeal_call(subject, before, verdict.finding, hidden);
    let outcome = send_about(chain, sender, subject, call).await?;
    Ok((opened(chain, &outcome)?, outcome))
}

/// Opens the audit that the seed asks for.
///
/// # Errors
/// `court.not_drawn` where it asks for none, and the Court's other refusals.
pub async fn audit(chain: &ChainClient, sender: &Sender, subject: &Subject) -> Result<(Case, TxOutcome)> {
    // Where the contracts cannot see the seed by themselves.
    if let Some(seed) = chain.seed_to_write(audit_seed_of(subject)).await? {
        sender.send(seed).await?;
    }
    let outcome = send_about(chain, sender, subject, |subject| chain.audit_call(subject)).await?;
    Ok((opened(chain, &outcome)?, outcome))
}

fn opened(chain: &ChainClient, outcome: &TxOutcome) -> Result<Case> {
    let logs = outcome.logs.iter().filter_map(|log| events::decode(chain.deployment(), log));
    let case = logs.into_iter().find_map(|event| event.kind.case_opened());
    case.ok_or_else(|| Failure::new("chain.answer", "the transaction opened no case"))
}

/// What was done for a case, or what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Progress {
    /// It waits for a moment of chain time.
    Waits {
        /// Until then.
        until: UnixTime,
        /// What happens then.
        what: Window,
    },
    /// What the opener had sealed was shown.
    SealOpened {
        /// The transaction.
        transaction: B256,
    },
    /// There is a verdict.
    Decided {
        /// The transaction.
        transaction: B256,
    },
    /// The verdict was carried out.
    Finalized {
        /// The transaction.
        transaction: B256,
    },
    /// An appeal goes on instead.
    Appealed,
    /// Everything was done.
    Closed,
}

/// What the next window of a case is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// Jurors reveal, the opener shows what it sealed.
    Reveal,
    /// Anybody asks for the verdict.
    Verdict,
    /// Nobody can appeal any more: the verdict is carried out.
    CarryOut,
}

/// Does the next thing that is due for a case.
///
/// # Errors
/// The Court's refusal, `chain.*`.
pub async fn advance(
    chain: &ChainClient,
    sender: &Sender,
    case: &Case,
    sealed: Option<&Sealed>,
) -> Result<Progress> {
    let (facts, now) = (&case.facts, chain.head().await?.time);
    let (state, verdict) = (chain.case_state(case).await?, chain.verdict_of(case.id()).await?);
    match (state, verdict) {
        (CaseState::None | CaseState::Closed, _) => Ok(Progress::Closed),
        (CaseState::Open, Some(_)) => Ok(Progress::Appealed),
        (CaseState::Open, None) if now < facts.commit_end() => {
            Ok(Progress::Waits { until: facts.commit_end(), what: Window::Reveal })
        }
        (CaseState::Open, None) if now < facts.reveal_end() => match sealed {
            Some(sealed) if !chain.seal_opened(case).await? => {
                let call = chain.open_seal_call(case, sealed.finding, sealed.salt);
                Ok(Progress::SealOpened { transaction: sender.send(call).await?.hash })
            }
            _ => Ok(Progress::Waits { until: facts.reveal_end(), what: Window::Verdict }),
        },
        (CaseState::Open, None) => {
            let subject = subject(chain, case.deal, facts.batch).await?;
            let jury = chain.hearing_of(*case).await?;
            let call = chain.decide_call(&subject.certified.certificate, &jury)?;
            Ok(Progress::Decided { transaction: sender.send(call).await?.hash })
        }
        (_, Some(_)) if now < facts.appeal_end() => {
            Ok(Progress::Waits { until: facts.appeal_end(), what: Window::CarryOut })
        }
        (_, Some(verdict)) => {
            let subject = subject(chain, case.deal, facts.batch).await?;
            let hearings = chain.hearings_of(case).await?;
            let call = chain.finalize_call(&subject, &hearings, verdict.finding)?;
            Ok(Progress::Finalized { transaction: sender.send(call).await?.hash })
        }
        (_, None) => Err(Failure::new("chain.answer", "the verdict of this case is not among the events")),
    }
}
