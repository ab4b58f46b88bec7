//! `guildhall inquest`: what no certificate answers for, before a jury.

use alloy::primitives::{Address, B256};
use clap::Subcommand;
use guildhall_chain::{
    CaseState, ChainClient, Inquest, Sender, Subject, TxOutcome, events, inquest::Outcome,
};
use guildhall_protocol::{
    CaseId, DealId, Odds, Terms, UnixTime,
    cases::{Facts, Kind},
};
use serde::Serialize;

use super::{
    Context,
    dispute::{Opened, TaskArgs, Windows, locate},
    net::{deal_id, sender},
    result::{BatchArgs, Done},
};
use crate::{
    error::{ExitStatus, Failure, Result},
    output::{Report, Style, table},
    requester::{court, history::history},
    values::{show_odds, show_seconds},
};

#[derive(Debug, Subcommand)]
pub(crate) enum InquestCommand {
    /// Put a task of an expired batch, whose claims on chain contradict, before a jury, for a bond.
    Open {
        #[command(flatten)]
        task: TaskArgs,
    },
    /// Say that a member of a certificate did not execute a task: a jury makes its own trace, for a bond.
    Accuse {
        #[command(flatten)]
        task: TaskArgs,
        /// The member.
        #[arg(long)]
        worker: Address,
    },
    /// Keep the stake behind contradicting claims at risk while a batch is open; every four days.
    Hold {
        #[command(flatten)]
        batch: BatchArgs,
    },
    /// The inquests of a deal, and where they stand.
    Show {
        /// The deal's id.
        #[arg(value_parser = deal_id)]
        deal: DealId,
    },
    /// Ask for verdict and money of the last inquest about a task.
    Settle {
        #[command(flatten)]
        task: TaskArgs,
        /// Stay until it is closed.
        #[arg(long)]
        wait: bool,
    },
}

pub(crate) async fn run(command: InquestCommand, context: &Context) -> Result<ExitStatus> {
    match command {
        InquestCommand::Open { task } => open(&task, context).await,
        InquestCommand::Accuse { task, worker } => accuse(&task, worker, context).await,
        InquestCommand::Hold { batch } => hold(&batch, context).await,
        InquestCommand::Show { deal } => show(deal, context).await,
        InquestCommand::Settle { task, wait } => settle(&task, wait, context).await,
    }
}

/// The chain, where its deployment has an Inquest.
async fn chain(context: &Context) -> Result<ChainClient> {
    let chain = context.chain().await?;
    if chain.deployment().has_inquest() {
        return Ok(chain);
    }
    Err(Failure::new("inquest.none", "this deployment has no Inquest: nothing can be put before one")
        .hint("`guildhall dispute open` disputes what was certified"))
}

async fn open(args: &TaskArgs, context: &Context) -> Result<ExitStatus> {
    let (chain, key) = (chain(context).await?, context.key().await?);
    let terms = history(&chain, args.deal).await?.terms;
    let (batch, index) = locate(&terms, args.task)?;
    let (round, log) = chain.last_round(&terms, batch).await?.ok_or_else(|| nothing_on_chain(batch))?;
    let call = chain.open_expired_call(&terms, batch, (round, &log), index)?;
    opened(&chain, &sender(&chain, &key).send(call).await?, args.task, context)
}

fn nothing_on_chain(batch: u32) -> Failure {
    let message = format!("nobody put anything on chain for batch {batch}: nothing contradicts");
    Failure::new("inquest.nothing", message).hint("`guildhall deal show` says where it stands")
}

async fn accuse(args: &TaskArgs, worker: Address, context: &Context) -> Result<ExitStatus> {
    let (chain, key) = (chain(context).await?, context.key().await?);
    let terms = history(&chain, args.deal).await?.terms;
    let (batch, index) = locate(&terms, args.task)?;
    let subject = court::subject(&chain, args.deal, batch).await?;
    let binding = chain.binding(&subject, worker).await?;
    let call = |subject: &Subject| chain.accuse_call(subject, index, &binding);
    let outcome = court::send_about(&chain, &sender(&chain, &key), &subject, call).await?;
    opened(&chain, &outcome, args.task, context)
}

fn opened(chain: &ChainClient, outcome: &TxOutcome, task: u32, context: &Context) -> Result<ExitStatus> {
    let logs = outcome.logs.iter().filter_map(|log| events::decode(chain.deployment(), log));
    let inquest = logs.into_iter().find_map(|event| event.kind.inquest_opened());
    let inquest = inquest.ok_or_else(|| Failure::new("chain.answer", "the transaction opened no inquest"))?;
    context.out.result(&Opened::new(&inquest.case, task, Done::new(outcome)))?;
    Ok(ExitStatus::Done)
}

async fn hold(args: &BatchArgs, context: &Context) -> Result<ExitStatus> {
    let (chain, key) = (chain(context).await?, context.key().await?);
    let terms = history(&chain, args.deal).await?.terms;
    let last = chain.last_round(&terms, args.batch).await?;
    let (round, log) = last.ok_or_else(|| nothing_on_chain(args.batch))?;
    let call = chain.hold_call(&terms, args.batch, (round, &log))?;
    context.out.result(&Done::new(&sender(&chain, &key).send(call).await?))?;
    Ok(ExitStatus::Done)
}

async fn show(deal: DealId, context: &Context) -> Result<ExitStatus> {
    let chain = chain(context).await?;
    let terms = history(&chain, deal).await?.terms;
    let mut inquests = Vec::new();
    for inquest in chain.inquests_of(deal).await? {
        inquests.push(Shown::of(&chain, &terms, &inquest).await?);
    }
    context.out.result(&List { inquests })?;
    Ok(ExitStatus::Done)
}

async fn settle(args: &TaskArgs, wait: bool, context: &Context) -> Result<ExitStatus> {
    let (chain, key) = (chain(context).await?, context.key().await?);
    let terms = history(&chain, args.deal).await?.terms;
    let (batch, index) = locate(&terms, args.task)?;
    let about = |facts: &Facts| (facts.batch, facts.index) == (batch, index);
    let inquests = chain.inquests_of(args.deal).await?;
    let inquest = inquests.into_iter().rfind(|inquest| about(&inquest.case.facts)).ok_or_else(|| {
        Failure::new("inquest.missing", format!("there was no inquest about task {} of this deal", args.task))
            .hint("`guildhall inquest show` lists those that there are")
    })?;
    let sender = sender(&chain, &key);
    loop {
        let step = advance(&chain, &sender, &terms, &inquest).await?;
        if let (Step::Waits { until }, true) = (step, wait) {
            let left = until.0.saturating_sub(chain.head().await?.time.0).max(1);
            context.out.say(format!("the verdict in {}", show_seconds(left)));
            tokio::time::sleep(std::time::Duration::from_secs(left)).await;
            continue;
        }
        context.out.result(&Settled { case: inquest.case.id(), step })?;
        return Ok(ExitStatus::Done);
    }
}

async fn advance(chain: &ChainClient, sender: &Sender, terms: &Terms, inquest: &Inquest) -> Result<Step> {
    let (id, until) = (inquest.case.id(), inquest.case.facts.reveal_end());
    if chain.inquest_state(id).await? != CaseState::Open {
        return Ok(Step::Closed);
    }
    if chain.head().await?.time < until {
        return Ok(Step::Waits { until });
    }
    let jury = chain.jury_of(inquest).await?;
    let call = chain.close_inquest_call(terms, inquest, &jury)?;
    Ok(Step::Finalized { transaction: sender.send(call).await?.hash })
}

/// What was done for an inquest, or what it waits for.
#[derive(Clone, Copy, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
enum Step {
    Waits { until: UnixTime },
    Finalized { transaction: B256 },
    Closed,
}

#[derive(Serialize)]
struct Settled {
    case: CaseId,
    #[serde(flatten)]
    step: Step,
}

impl Report for Settled {
    fn text(&self, _style: Style) -> String {
        match self.step {
            Step::Waits { until } => format!("nothing to do before {until} (chain time): the verdict"),
            Step::Finalized { transaction } => format!("verdict and money: {transaction}"),
            Step::Closed => "the inquest is closed".to_owned(),
        }
    }
}

#[derive(Serialize)]
struct Shown {
    case: CaseId,
    task: u32,
    kind: Kind,
    opener: Address,
    worker: Address,
    #[serde(flatten)]
    windows: Windows,
    seats: u8,
    jurors: usize,
    revealed: usize,
    claims: usize,
    state: CaseState,
    /// Whether its jury found anything; nothing before the verdict.
    found: Option<bool>,
    odds: Option<Odds>,
}

impl Shown {
    async fn of(chain: &ChainClient, terms: &Terms, inquest: &Inquest) -> Result<Self> {
        let (case, facts) = (&inquest.case, &inquest.case.facts);
        let task = terms.task_number(facts.batch, facts.index);
        let task = task.map_err(|error| Failure::new(error.code(), error.to_string()))?;
        let jury = chain.jury_of(inquest).await?;
        let outcome = chain.inquest_outcome(case.id()).await?;
        Ok(Self {
            case: case.id(),
            task,
            kind: facts.kind,
            opener: case.opener,
            worker: case.worker,
            windows: Windows::of(case),
            seats: facts.seats,
            jurors: jury.jurors.len(),
            revealed: jury.jurors.iter().filter(|juror| juror.has_revealed()).count(),
            claims: inquest.docket.claims.len(),
            state: chain.inquest_state(case.id()).await?,
            found: outcome.map(|outcome: Outcome| outcome.found),
            odds: outcome.map(|outcome| Odds(outcome.odds.saturating_to())),
        })
    }
}

#[derive(Serialize)]
struct List {
    inquests: Vec<Shown>,
}

impl Report for List {
    fn text(&self, style: Style) -> String {
        if self.inquests.is_empty() {
            return style.faint("there was no inquest about this deal");
        }
        let head = ["case", "task", "about", "jurors", "revealed", "state", "found", "odds"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.inquests.iter().map(|shown| {
            let about = match shown.kind {
                Kind::Accusation => format!("own trace of {}", shown.worker),
                _ => format!("{} claims", shown.claims),
            };
            let found = shown.found.map(|found| if found { "yes" } else { "nothing" });
            let odds = shown.odds.filter(|odds| odds.0 > 0).map(|odds| show_odds(odds.0));
            vec![
                shown.case.to_string(),
                shown.task.to_string(),
                about,
                format!("{} of {}", shown.jurors, shown.seats),
                shown.revealed.to_string(),
                format!("{:?}", shown.state).to_lowercase(),
                found.unwrap_or_default().to_owned(),
                odds.unwrap_or_default(),
            ]
        }));
        table(rows)
    }
}
