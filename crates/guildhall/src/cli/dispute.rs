//! `guildhall dispute` and `guildhall audit`: certificates before the Court.

use std::sync::Arc;

use alloy::primitives::Address;
use clap::{Args, Subcommand};
use guildhall_chain::{CaseState, ChainClient};
use guildhall_protocol::{
    BondUnits, Case, CaseId, DealId, Fault, Odds, UnixTime,
    cases::{Kind, finding},
};
use serde::Serialize;
use url::Url;

use super::{
    Context,
    app::sandbox,
    net::{deal_id, sender},
    result::{BatchArgs, BytesArgs, Done, WhichResult, find_verified},
};
use crate::{
    error::{ExitStatus, Failure, Result},
    output::{Report, Style, table},
    requester::{
        court::{self, Progress, Sealed, Window},
        history::history,
        replay::{execute, replay},
        results::leaves_of,
    },
    values::{show_odds, show_seconds, show_tokens},
};

#[derive(Debug, Subcommand)]
pub(crate) enum DisputeCommand {
    /// Execute a certified task on this machine; where it finds something else, call a jury, for a bond. Exit status 1 where
    /// there is nothing to dispute.
    Open {
        #[command(flatten)]
        which: WhichResult,
    },
    /// Overturn a batch's certificate by its own receipts, where they contradict it: at once, without a jury or a bond, for a tenth of
    /// what its makers lose. Exit status 1 where they do not.
    Prove {
        #[command(flatten)]
        which: BatchArgs,
        #[command(flatten)]
        bytes: BytesArgs,
    },
    /// The disputes and audits of a deal, and where they stand.
    Show {
        /// The deal's id.
        #[arg(value_parser = deal_id)]
        deal: DealId,
    },
    /// Execute a disputed task on this machine; where it finds something else than the jury did, call another one, for twice the
    /// bond. Exit status 1 where there is nothing to appeal.
    Appeal {
        #[command(flatten)]
        task: TaskArgs,
        /// Coordinator to fetch bytes from; as the pool says on chain if left out.
        #[arg(long, value_name = "URL")]
        coordinator: Option<Url>,
    },
    /// Do what is due for the last case of a task: show what was sealed, ask for the verdict, carry it out.
    Settle {
        #[command(flatten)]
        task: TaskArgs,
        /// Stay until the case is closed.
        #[arg(long)]
        wait: bool,
    },
}

/// Which task of which deal.
#[derive(Debug, Args)]
pub(super) struct TaskArgs {
    /// The deal's id.
    #[arg(value_parser = deal_id)]
    pub(super) deal: DealId,
    /// Number of the task in the deal, from 0.
    #[arg(default_value_t = 0)]
    pub(super) task: u32,
}

pub(crate) async fn run(command: DisputeCommand, context: &Context) -> Result<ExitStatus> {
    match command {
        DisputeCommand::Open { which } => open(&which, context).await,
        DisputeCommand::Prove { which, bytes } => prove(&which, &bytes, context).await,
        DisputeCommand::Show { deal } => show(deal, context).await,
        DisputeCommand::Appeal { task, coordinator } => appeal(&task, coordinator.as_ref(), context).await,
        DisputeCommand::Settle { task, wait } => settle(&task, wait, context).await,
    }
}

async fn open(which: &WhichResult, context: &Context) -> Result<ExitStatus> {
    let key = context.key().await?;
    let found = find_verified(which, context).await?;
    let blobs = context.blobs(found.url.as_deref()).await?;
    let certified = found.fetched.receipt.receipt;
    let (terms, sandbox) = (&found.history.terms, Arc::new(sandbox(context)?));
    context.out.say("executing the task on this machine");
    let replayed = replay(&found.chain, &*blobs, sandbox, terms, which.task, certified).await?;
    if replayed.same() {
        return Err(Failure::negative(
            "dispute.same",
            "this machine finds what was certified: nothing to dispute",
        )
        .hint(
            "`guildhall dispute prove DEAL BATCH` looks whether its batch was certified at a false price",
        ));
    }
    let (batch, index) = locate(terms, which.task)?;
    let subject = court::subject(&found.chain, which.deal, batch).await?;
    let (sender, here) = (sender(&found.chain, &key), finding(&replayed.here));
    let dir = &context.profile.data;
    let (case, outcome) = court::dispute(&found.chain, &sender, &subject, index, here, dir).await?;
    context.out.result(&Opened::new(&case, which.task, Done::new(&outcome)))?;
    Ok(ExitStatus::Done)
}

async fn prove(which: &BatchArgs, bytes: &BytesArgs, context: &Context) -> Result<ExitStatus> {
    let (key, given) = (context.key().await?, bytes.given()?);
    let chain = context.chain().await?;
    let told = history(&chain, which.deal).await?;
    let subject = court::subject(&chain, which.deal, which.batch).await?;
    let (bundle, _) = bytes.bundle(given, &told, which.batch, (&chain, context)).await?;
    let leaves = leaves_of(&bundle, &subject.certified.certificate)?;
    let found = court::disproof(&chain, &subject, &leaves).await?;
    let outcome = court::disprove(&chain, &sender(&chain, &key), &subject, &found).await?;
    context.out.result(&Proven { batch: which.batch, fault: found.fault, done: Done::new(&outcome) })?;
    Ok(ExitStatus::Done)
}

/// A certificate that fell by its own leaves.
#[derive(Serialize)]
struct Proven {
    batch: u32,
    fault: Fault,
    #[serde(flatten)]
    done: Done,
}

impl Report for Proven {
    fn text(&self, style: Style) -> String {
        let hint = "a tenth of what its makers lost is in the Vault's balance of the key that proved it";
        format!(
            "batch {} is void: {}\n{}\n{}",
            self.batch,
            self.fault,
            self.done.text(style),
            style.faint(hint)
        )
    }
}

async fn appeal(args: &TaskArgs, coordinator: Option<&Url>, context: &Context) -> Result<ExitStatus> {
    let (chain, key) = (context.chain().await?, context.key().await?);
    let terms = history(&chain, args.deal).await?.terms;
    let before = court::last_case(&chain, &terms, args.task).await?;
    let verdict = court::appealable(&chain, &before).await?;
    let url = context.coordinator_url(&chain, terms.pool, coordinator).await.ok();
    let blobs = context.blobs(url.as_deref()).await?;
    let sandbox = Arc::new(sandbox(context)?);
    context.out.say("executing the task on this machine");
    let here = finding(&execute(&chain, &*blobs, sandbox, &terms, args.task).await?);
    if here == verdict.finding {
        let said = "this machine finds what the jury found: nothing to appeal";
        return Err(Failure::negative("dispute.same", said));
    }
    let subject = court::subject(&chain, args.deal, before.facts.batch).await?;
    let (sender, dir) = (sender(&chain, &key), &context.profile.data);
    let (case, outcome) = court::appeal(&chain, &sender, &subject, (&before, &verdict), here, dir).await?;
    context.out.result(&Opened::new(&case, args.task, Done::new(&outcome)))?;
    Ok(ExitStatus::Done)
}

pub(crate) async fn audit(args: &BatchArgs, context: &Context) -> Result<ExitStatus> {
    let (chain, key) = (context.chain().await?, context.key().await?);
    let told = history(&chain, args.deal).await?;
    let subject = court::subject(&chain, args.deal, args.batch).await?;
    let (case, outcome) = court::audit(&chain, &sender(&chain, &key), &subject).await?;
    let task = told.terms.task_number(args.batch, case.facts.index);
    let task = task.map_err(|error| Failure::new(error.code(), error.to_string()))?;
    context.out.result(&Opened::new(&case, task, Done::new(&outcome)))?;
    Ok(ExitStatus::Done)
}

pub(super) fn locate(terms: &guildhall_protocol::Terms, task: u32) -> Result<(u32, u32)> {
    terms.locate(task).map_err(|error| Failure::new(error.code(), error.to_string()))
}

async fn show(deal: DealId, context: &Context) -> Result<ExitStatus> {
    let chain = context.chain().await?;
    let told = history(&chain, deal).await?;
    let mut cases = Vec::new();
    for case in chain.cases_of(deal).await? {
        let task = told.terms.task_number(case.facts.batch, case.facts.index);
        let task = task.map_err(|error| Failure::new(error.code(), error.to_string()))?;
        cases.push(Shown::of(&chain, case, task).await?);
    }
    context.out.result(&List { cases })?;
    Ok(ExitStatus::Done)
}

async fn settle(args: &TaskArgs, wait: bool, context: &Context) -> Result<ExitStatus> {
    let (chain, key) = (context.chain().await?, context.key().await?);
    let terms = history(&chain, args.deal).await?.terms;
    let case = court::last_case(&chain, &terms, args.task).await?;
    let sealed = Sealed::load(&context.profile.data, &case)?;
    let sender = sender(&chain, &key);
    loop {
        let progress = court::advance(&chain, &sender, &case, sealed.as_ref()).await?;
        match progress {
            Progress::Waits { until, what } if wait => {
                let left = until.0.saturating_sub(chain.head().await?.time.0).max(1);
                context.out.say(format!("{} in {}", words(what), show_seconds(left)));
                tokio::time::sleep(std::time::Duration::from_secs(left)).await;
            }
            Progress::Closed | Progress::Appealed | Progress::Waits { .. } => {
                context.out.result(&Settled { case: case.id(), progress })?;
                return Ok(ExitStatus::Done);
            }
            done if wait => context.out.say(told_of(&done)),
            done => {
                context.out.result(&Settled { case: case.id(), progress: done })?;
                return Ok(ExitStatus::Done);
            }
        }
    }
}

fn words(window: Window) -> &'static str {
    match window {
        Window::Reveal => "the jury reveals",
        Window::Verdict => "the verdict",
        Window::CarryOut => "the end of the time for appeals",
    }
}

fn told_of(progress: &Progress) -> String {
    match progress {
        Progress::Waits { until, what } => {
            format!("nothing to do before {until} (chain time): {}", words(*what))
        }
        Progress::SealOpened { transaction } => format!("showed what was sealed: {transaction}"),
        Progress::Decided { transaction } => format!("the verdict stands on chain: {transaction}"),
        Progress::Finalized { transaction } => format!("the verdict was carried out: {transaction}"),
        Progress::Appealed => "the verdict was appealed: the appeal goes on".to_owned(),
        Progress::Closed => "the case is closed".to_owned(),
    }
}

#[derive(Serialize)]
struct Settled {
    case: CaseId,
    #[serde(flatten)]
    progress: Progress,
}

impl Report for Settled {
    fn text(&self, _style: Style) -> String {
        told_of(&self.progress)
    }
}

/// A case that was opened: by `guildhall dispute`, or by `guildhall inquest`.
#[derive(Serialize)]
pub(super) struct Opened {
    case: CaseId,
    task: u32,
    #[serde(flatten)]
    windows: Windows,
    seats: u8,
    bond: guildhall_protocol::Amount,
    #[serde(flatten)]
    done: Done,
    /// Whose command goes on with it.
    #[serde(skip)]
    command: &'static str,
}

#[derive(Clone, Copy, Serialize)]
pub(super) struct Windows {
    opened_at: UnixTime,
    reveals_from: UnixTime,
    verdict_from: UnixTime,
    carried_from: UnixTime,
}

impl Windows {
    pub(super) fn of(case: &Case) -> Self {
        let facts = &case.facts;
        Self {
            opened_at: facts.opened_at,
            reveals_from: facts.commit_end(),
            verdict_from: facts.reveal_end(),
            carried_from: facts.appeal_end(),
        }
    }
}

impl Opened {
    pub(super) fn new(case: &Case, task: u32, done: Done) -> Self {
        let (bond, seats) = (case.stakes.bond, case.facts.seats);
        let command = if case.facts.kind.is_inquest() { "inquest" } else { "dispute" };
        Self { case: case.id(), task, windows: Windows::of(case), seats, bond, done, command }
    }
}

impl Report for Opened {
    fn text(&self, style: Style) -> String {
        let window = self.windows.verdict_from.0.saturating_sub(self.windows.opened_at.0) / 4;
        let hint = format!(
            "`guildhall {} settle DEAL TASK --wait` does what is due; workers that sit on the jury do the same",
            self.command
        );
        format!(
            "case {} about task {}\n{} seats on the jury, {} tokens answer for it; windows of {}\n{}",
            style.strong(self.case),
            self.task,
            self.seats,
            show_tokens(self.bond.0),
            show_seconds(window),
            style.faint(hint),
        )
    }
}

#[derive(Serialize)]
struct Shown {
    case: CaseId,
    task: u32,
    level: u8,
    kind: Kind,
    opener: Address,
    worker: Address,
    #[serde(flatten)]
    windows: Windows,
    seats: u8,
    jurors: usize,
    revealed: usize,
    juror_stake: BondUnits,
    state: CaseState,
    odds: Option<Odds>,
}

impl Shown {
    async fn of(chain: &ChainClient, case: Case, task: u32) -> Result<Self> {
        let jury = chain.hearing_of(case).await?;
        let verdict = chain.verdict_of(case.id()).await?;
        let state = match verdict {
            Some(verdict) => verdict.state,
            None => chain.case_state(&case).await?,
        };
        Ok(Self {
            case: case.id(),
            task,
            level: case.facts.level,
            kind: case.facts.kind,
            opener: case.opener,
            worker: case.worker,
            windows: Windows::of(&case),
            seats: case.facts.seats,
            jurors: jury.jurors.len(),
            revealed: jury.jurors.iter().filter(|juror| juror.has_revealed()).count(),
            juror_stake: case.stakes.slash,
            state,
            odds: verdict.map(|verdict| verdict.odds),
        })
    }
}

#[derive(Serialize)]
struct List {
    cases: Vec<Shown>,
}

impl Report for List {
    fn text(&self, style: Style) -> String {
        if self.cases.is_empty() {
            return style.faint("nothing of this deal was disputed or audited");
        }
        let head = ["case", "task", "why", "jurors", "revealed", "state", "odds"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.cases.iter().map(|shown| {
            let why = match (shown.kind, shown.level) {
                (Kind::Audit, _) => "audit",
                (_, 1) => "dispute",
                _ => "appeal",
            };
            let state = format!("{:?}", shown.state).to_lowercase();
            let odds = shown.odds.filter(|odds| odds.0 > 0).map(|odds| show_odds(odds.0));
            vec![
                shown.case.to_string(),
                shown.task.to_string(),
                why.to_owned(),
                format!("{} of {}", shown.jurors, shown.seats),
                shown.revealed.to_string(),
                state,
                odds.unwrap_or_default(),
            ]
        }));
        table(rows)
    }
}
