//! What a worker asks of the chain. A trait, so that a simulated chain can stand in; the real one is in [`crate::onchain`].

use std::fmt;
use std::sync::Arc;

use alloy::primitives::{Address, B256};
use async_trait::async_trait;
use futures::stream::BoxStream;
use guildhall_api::{Outcome, SignedList, Standing};
use guildhall_chain::inquest::Binding;
use guildhall_chain::{CaseState, Hearing, Inquest, Juror, Subject, Submission, Verdict};
use guildhall_protocol::{
    BondUnits, Case, ContentId, DealId, Leaf, LogItem, Opened, PoolId, ReceiptProof, Seed, Status, Terms,
    UnixTime,
};

use crate::seat::Promise;

/// The chain did not answer, or not as expected.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the chain did not answer: {0}")]
pub struct ChainFault(pub String);

/// Why something is not on chain.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PostError {
    /// Something else landed in the round's log first, or changed the certificate: to be made anew on what stands there now.
    #[error("another worker was faster")]
    Raced,
    /// The contract does not take it, or this worker cannot pay for it.
    #[error("refused: {0}")]
    Refused(String),
    /// The transaction could not be sent, or is too early.
    #[error(transparent)]
    Chain(#[from] ChainFault),
}

/// What the chain says of this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Myself {
    /// Its pool.
    pub pool: PoolId,
    /// Its standing while it may have seats.
    pub standing: Option<Standing>,
    /// Whether it was put to sleep for missing its seats, and may wake itself.
    pub dormant: bool,
}

/// Where a pool is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolService {
    /// The key that signs its lists.
    pub coordinator: Address,
    /// The coordinator's address, as the pool's owner gave it; empty for none.
    pub endpoint: String,
}

/// Where a batch stands on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchNow {
    /// Its status.
    pub status: Status,
    /// The draw that runs, from zero.
    pub attempt: u8,
    /// Where and when that draw opened.
    pub opened: Opened,
}

/// What a worker says before the Court, or in an inquest. Hearings are of the case, then, where it is an appeal, of the first.
#[derive(Debug, Clone, Copy)]
pub enum Plea<'a> {
    /// As a worker whose claim a certificate contradicts: a dispute that its stake answers for.
    Contradict {
        /// What is disputed.
        subject: &'a Subject,
        /// Task of the batch.
        index: u32,
        /// What binds it.
        seal: B256,
    },
    /// As anybody with a balance: a dispute for a bond.
    Dispute {
        /// What is disputed.
        subject: &'a Subject,
        /// Task of the batch.
        index: u32,
        /// What binds it.
        seal: B256,
    },
    /// As anybody: that a certificate's own leaves contradict it.
    Disprove {
        /// What falls.
        subject: &'a Subject,
        /// One leaf, or two neighbours.
        leaves: &'a [Leaf],
    },
    /// As anybody: the audit that the seed asks for.
    Audit {
        /// What is audited.
        subject: &'a Subject,
    },
    /// As who opened a case: what it had sealed.
    OpenSeal {
        /// The case.
        case: &'a Case,
        /// What it found.
        finding: B256,
        /// What hid it.
        salt: B256,
    },
    /// As a juror: its blind finding.
    Commit {
        /// What the case is about.
        subject: &'a Subject,
        /// The juries so far.
        hearings: &'a [Hearing],
        /// What binds it.
        commitment: B256,
    },
    /// As a juror: what it committed to.
    Reveal {
        /// The case.
        case: &'a Case,
        /// Itself, as the chain has it.
        juror: &'a Juror,
        /// What it found.
        finding: B256,
        /// Its own trace of the task.
        own_trace: B256,
    },
    /// As a member of the certificate: the receipt that was certified.
    Show {
        /// What the case is about.
        subject: &'a Subject,
        /// The case.
        case: &'a Case,
        /// The receipt.
        proof: &'a ReceiptProof,
    },
    /// As a member that was certified as silent: what it had committed to.
    ShowMine {
        /// What it is a member of.
        subject: &'a Subject,
        /// Its place among the members.
        index: usize,
        /// What it promised.
        promise: &'a Promise,
    },
    /// As anybody: that a coordinator signed two lists for one wave.
    TwoLists {
        /// Who signed both.
        coordinator: Address,
        /// The first.
        first: &'a SignedList,
        /// The second.
        second: &'a SignedList,
    },
    /// As anybody with a balance: that a member's own trace of a task is false.
    Accuse {
        /// What it is a member of.
        subject: &'a Subject,
        /// Task of the batch.
        index: u32,
        /// What binds the member to its own trace root.
        binding: &'a Binding,
    },
    /// As a juror of an inquest: its blind finding.
    Sit {
        /// The deal.
        terms: &'a Terms,
        /// The inquest.
        inquest: &'a Inquest,
        /// What binds it.
        commitment: B256,
    },
    /// As who made a claim of an expired batch: what it says of the task.
    ShowClaim {
        /// The deal.
        terms: &'a Terms,
        /// The inquest.
        inquest: &'a Inquest,
        /// Number of the claim.
        claim: usize,
        /// The task's receipt, after that of the task before it.
        receipts: &'a [ReceiptProof],
    },
    /// As who is accused: its own trace of the task.
    ShowTrace {
        /// The deal.
        terms: &'a Terms,
        /// The inquest.
        inquest: &'a Inquest,
        /// The trace.
        trace: B256,
        /// Its way to the own trace root.
        proof: &'a [B256],
    },
    /// As anybody: verdict and money of an inquest.
    Close {
        /// The deal.
        terms: &'a Terms,
        /// The inquest.
        inquest: &'a Inquest,
        /// Its jury.
        hearing: &'a Hearing,
    },
    /// As anybody: the verdict.
    Decide {
        /// What the case is about.
        subject: &'a Subject,
        /// The jury.
        hearing: &'a Hearing,
    },
    /// As anybody: what follows from the verdict.
    Finalize {
        /// What the case is about.
        subject: &'a Subject,
        /// The juries.
        hearings: &'a [Hearing],
        /// What prevailed.
        finding: B256,
    },
}

impl<'a> Plea<'a> {
    /// The certificate that is brought along.
    pub(crate) const fn subject_mut(&mut self) -> Option<&mut &'a Subject> {
        match self {
            Self::Contradict { subject, .. }
            | Self::Dispute { subject, .. }
            | Self::Disprove { subject, .. }
            | Self::Audit { subject }
            | Self::Commit { subject, .. }
            | Self::Show { subject, .. }
            | Self::ShowMine { subject, .. }
            | Self::Accuse { subject, .. }
            | Self::Decide { subject, .. }
            | Self::Finalize { subject, .. } => Some(subject),
            Self::OpenSeal { .. }
            | Self::Reveal { .. }
            | Self::TwoLists { .. }
            | Self::Sit { .. }
            | Self::ShowClaim { .. }
            | Self::ShowTrace { .. }
            | Self::Close { .. } => None,
        }
    }
}

/// What happened on chain, as far as a worker cares.
#[derive(Debug, Clone, PartialEq)]
pub enum ChainEvent {
    /// A deal opened in the pool.
    DealOpened(Arc<Terms>),
    /// A batch is certified, void or expired.
    BatchEnded {
        /// The deal.
        deal: DealId,
        /// The batch.
        batch: u32,
        /// How.
        outcome: Outcome,
        /// Where this worker stands among those that agreed, and how many these are; nothing where it is not among them.
        agreed: Option<(u8, u8)>,
        /// What the certificate takes from this worker's bond into escrow.
        slashed: BondUnits,
    },
    /// A batch was drawn anew.
    Reopened {
        /// The deal.
        deal: DealId,
        /// The batch.
        batch: u32,
    },
    /// A case opened before the Court, of whichever pool.
    CaseOpened(Box<Case>),
    /// This worker's bond, pool or activity changed, or its pool's service.
    IChanged,
    /// Everything from this block on is undone; what stands there now follows.
    Reverted {
        /// The first block undone.
        from: u64,
    },
    /// Everything up to this block was said.
    Head {
        /// The block's time.
        time: UnixTime,
        /// From where to follow after a restart, as the chain's client wants it.
        cursor: serde_json::Value,
    },
}

/// The chain as a worker needs it.
#[async_trait]
pub trait Chain: fmt::Debug + Send + Sync + 'static {
    /// Chain id and Certifier, which messages are signed for.
    fn domain(&self) -> (u64, Address);

    /// Time of the last block.
    async fn now(&self) -> Result<UnixTime, ChainFault>;

    /// What the chain says of this worker; nothing while nobody has registered its key.
    async fn myself(&self, worker: Address) -> Result<Option<Myself>, ChainFault>;

    /// Where a pool is served.
    async fn service_of(&self, pool: PoolId) -> Result<PoolService, ChainFault>;

    /// Where a batch stands.
    async fn batch(&self, terms: &Terms, batch: u32) -> Result<BatchNow, ChainFault>;

    /// The seed of what opened there and then; `None` until it is decided.
    async fn seed(&self, opened: &Opened) -> Result<Option<Seed>, ChainFault>;

    /// The bytes of a deal's app, and of its dataset where it rents one.
    async fn assets(&self, terms: &Terms) -> Result<(ContentId, Option<ContentId>), ChainFault>;

    /// What stands on chain for the round of a batch that runs.
    async fn log(&self, terms: &Terms, batch: u32) -> Result<Vec<LogItem>, ChainFault>;

    /// Commits on chain, after what the log holds.
    async fn commit(
        &self,
        terms: &Terms,
        batch: u32,
        log: &[LogItem],
        commitment: B256,
    ) -> Result<B256, PostError>;

    /// Opens the commitment that stands at an index of the log.
    async fn reveal(&self, promise: &Promise, at: (&[LogItem], usize)) -> Result<B256, PostError>;

    /// Certifies a batch, with what stands on chain merged in.
    async fn certify(&self, terms: &Terms, batch: u32, submission: Submission) -> Result<B256, PostError>;

    /// The seed that draws the jury of a case; `None` until it is decided.
    async fn jury_seed(&self, case: &Case) -> Result<Option<Seed>, ChainFault>;

    /// A certified batch with its deal, as both stand; nothing where there is no certificate.
    async fn certified(&self, deal: DealId, batch: u32) -> Result<Option<Subject>, ChainFault>;

    /// The task of a batch whose audit the seed asks for: `None` while that is not decided, `Some(None)` for none.
    async fn audit_drawn(&self, subject: &Subject) -> Result<Option<Option<u32>>, ChainFault>;

    /// The whole jury of a case as it stands; then, where the case is an appeal, that of the first.
    async fn hearings(&self, case: &Case) -> Result<Vec<Hearing>, ChainFault>;

    /// Where the task of a case stands, and what the case came to so far.
    async fn standing_of(&self, case: &Case) -> Result<(CaseState, Option<Verdict>), ChainFault>;

    /// Whether the certified receipt of a case's task was shown to its jury.
    async fn receipt_shown(&self, case: &Case) -> Result<bool, ChainFault>;

    /// What binds a member of a certificate to its own trace root.
    async fn binding(&self, subject: &Subject, worker: Address) -> Result<Binding, ChainFault>;

    /// An inquest with its deal; nothing where the chain has none of this record.
    async fn inquest(&self, case: &Case) -> Result<Option<(Terms, Inquest)>, ChainFault>;

    /// The whole jury of an inquest as it stands; nothing when it is closed.
    async fn inquest_jury(&self, inquest: &Inquest) -> Result<Option<Hearing>, ChainFault>;

    /// Whether what a claim of an inquest says of the task was shown.
    async fn claim_shown(&self, case: &Case, claim: usize) -> Result<bool, ChainFault>;

    /// Says something before the Court, or in an inquest.
    async fn plead(&self, plea: Plea<'_>) -> Result<B256, PostError>;

    /// Ends this worker's sleep.
    async fn wake(&self, worker: Address) -> Result<B256, ChainFault>;

    /// Follows the events of a pool as they concern this worker, from where a [`ChainEvent::Head`] said, or from the first
    /// block. Ends only when dropped.
    fn follow(
        &self,
        worker: Address,
        pool: PoolId,
        cursor: Option<serde_json::Value>,
    ) -> BoxStream<'static, ChainEvent>;
}
