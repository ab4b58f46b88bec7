//! `guildhall result`: get, verify and replay results; expire, release, deliver.

use std::{path::PathBuf, sync::Arc};

use alloy::primitives::{Address, B256, U256};
use clap::{Args, Subcommand};
use guildhall_chain::{ChainClient, TxOutcome};
use guildhall_protocol::{Amount, DealId, Receipt};
use guildhall_service::files::{MODE_PUBLIC, atomic_write};
use serde::Serialize;
use url::Url;

use super::{
    Context,
    app::{exit_words, sandbox},
    net::{deal_id, sender},
};
use crate::{
    error::{ExitStatus, Failure, Result},
    output::{Report, Style},
    requester::{
        history::{History, history},
        replay::{Replayed, replay},
        results::{Fetched, bundle_of, take},
        settle,
        verify::{Claimed, Verification, verify},
    },
    values::{show_odds, show_tokens, thousands},
};

/// Output up to this length is shown, when it is text.
const SHOWN_OUTPUT_BYTES: usize = 4_096;

#[derive(Debug, Subcommand)]
pub(crate) enum ResultCommand {
    /// Get a result: the output, with its receipt.
    Get {
        #[command(flatten)]
        which: WhichResult,
        /// Write the output to this file.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write the whole batch's bundle to this file: `verify --bundle` reads it.
        #[arg(long, value_name = "FILE")]
        bundle_to: Option<PathBuf>,
    },
    /// Verify a result from the outside: the chain and the bytes, step by step. Exit status 1 when it does not hold.
    Verify {
        #[command(flatten)]
        which: WhichResult,
        /// Check these bytes, instead of the output that is served.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Execute a certified task on this machine and compare the receipt bit for bit. Exit status 1 when it differs.
    Replay {
        #[command(flatten)]
        which: WhichResult,
    },
}

#[derive(Debug, Args)]
pub(crate) struct WhichResult {
    /// The deal's id.
    #[arg(value_parser = deal_id)]
    pub(super) deal: DealId,
    /// Number of the task in the deal, from 0.
    #[arg(default_value_t = 0)]
    pub(super) task: u32,
    #[command(flatten)]
    bytes: BytesArgs,
}

/// Where a batch's bytes come from.
#[derive(Debug, Args)]
pub(super) struct BytesArgs {
    /// Read the batch's bundle from this file, instead of asking the pool.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Coordinator to fetch bytes from; as the pool says on chain if left out.
    #[arg(long, value_name = "URL")]
    coordinator: Option<Url>,
}

impl BytesArgs {
    /// The bundle out of the file that was named.
    pub(super) fn given(&self) -> Result<Option<Vec<u8>>> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| Failure::file("read the bundle", path, &error))
        };
        self.bundle.as_ref().map(read).transpose()
    }

    /// The bundle as it was given, or else as the coordinator has it; and the coordinator's address.
    pub(super) async fn bundle(
        &self,
        given: Option<Vec<u8>>,
        history: &History,
        batch: u32,
        (chain, context): (&ChainClient, &Context),
    ) -> Result<(Vec<u8>, Option<String>)> {
        let url = context.coordinator_url(chain, history.terms.pool, self.coordinator.as_ref()).await;
        if let Some(bytes) = given {
            // A bundle needs no coordinator, but for outputs that are too long to lie in it.
            return Ok((bytes, url.ok()));
        }
        let url = url?;
        let client = guildhall_api::CoordinatorClient::new(&url)?;
        Ok((bundle_of(&client, history, batch).await?, Some(url)))
    }
}

#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    /// The deal's id.
    #[arg(value_parser = deal_id)]
    pub(super) deal: DealId,
    /// Number of the batch, from 0.
    #[arg(default_value_t = 0)]
    pub(super) batch: u32,
}

/// A result with what is needed to judge it.
pub(super) struct Found {
    pub(super) chain: ChainClient,
    pub(super) history: History,
    bytes: Vec<u8>,
    pub(super) fetched: Fetched,
    pub(super) url: Option<String>,
}

pub(crate) async fn run(command: ResultCommand, context: &Context) -> Result<ExitStatus> {
    match command {
        ResultCommand::Get { which, output, bundle_to } => {
            let found = find_verified(&which, context).await?;
            if let Some(path) = &output {
                atomic_write(path, &found.fetched.output, MODE_PUBLIC)?;
            }
            if let Some(path) = &bundle_to {
                atomic_write(path, &found.bytes, MODE_PUBLIC)?;
            }
            context.out.result(&Got::new(&found.fetched, which.task, output))?;
            Ok(ExitStatus::Done)
        }
        ResultCommand::Verify { which, output } => {
            // As with a bundle, a file that is missing is told before the chain is asked.
            let bytes = output
                .map(|path| std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error)))
                .transpose()?;
            let mut found = find(&which, context).await?;
            if let Some(bytes) = bytes {
                found.fetched.output = bytes;
            }
            let verification = found.verify(which.task).await?;
            let status = if verification.holds() { ExitStatus::Done } else { ExitStatus::Negative };
            context.out.result(&verification)?;
            Ok(status)
        }
        ResultCommand::Replay { which } => {
            let found = find_verified(&which, context).await?;
            let blobs = context.blobs(found.url.as_deref()).await?;
            let sandbox = Arc::new(sandbox(context)?);
            let certified = found.fetched.receipt.receipt;
            let replayed =
                replay(&found.chain, &*blobs, sandbox, &found.history.terms, which.task, certified).await?;
            let status = if replayed.same() { ExitStatus::Done } else { ExitStatus::Negative };
            context.out.result(&replayed)?;
            Ok(status)
        }
    }
}

impl Found {
    /// Checks what was served against the chain.
    async fn verify(&self, task: u32) -> Result<Verification> {
        let claimed = Claimed { task, receipt: &self.fetched.receipt, output: &self.fetched.output };
        verify(&self.chain, &self.history, &claimed).await
    }
}

/// A result that holds: nobody is believed who served it.
pub(super) async fn find_verified(which: &WhichResult, context: &Context) -> Result<Found> {
    let found = find(which, context).await?;
    match found.verify(which.task).await?.failed() {
        None => Ok(found),
        Some(check) => {
            let says = format!("what was served is not the certified result: {}: {}", check.step, check.says);
            Err(Failure::negative("result.not_verified", says).hint(
                "`guildhall result verify` shows every step; fetch it elsewhere with `--coordinator URL`",
            ))
        }
    }
}

async fn find(which: &WhichResult, context: &Context) -> Result<Found> {
    // A file that is missing is told before the chain is asked.
    let given = which.bytes.given()?;
    let chain = context.chain().await?;
    let history = history(&chain, which.deal).await?;
    let located = history.terms.locate(which.task);
    let (batch, _) = located.map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let (bytes, url) = which.bytes.bundle(given, &history, batch, (&chain, context)).await?;
    let blobs = context.blobs(url.as_deref()).await?;
    let fetched = take(&bytes, &history, which.task, &*blobs).await?;
    Ok(Found { chain, history, bytes, fetched, url })
}

/// What may be done about a batch later.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settling {
    /// Refund what was not certified in time.
    Expire,
    /// Pay out what was slashed.
    Release,
}

pub(crate) async fn settle(args: &BatchArgs, what: Settling, context: &Context) -> Result<ExitStatus> {
    let (chain, key) = (context.chain().await?, context.key().await?);
    let history = history(&chain, args.deal).await?;
    let sender = sender(&chain, &key);
    let outcome = match what {
        Settling::Expire => settle::expire(&chain, &sender, &history, args.batch).await?,
        Settling::Release => settle::release(&chain, &sender, &history, args.batch).await?,
    };
    context.out.result(&Done::new(&outcome))?;
    Ok(ExitStatus::Done)
}

pub(crate) async fn deliver(which: &WhichResult, context: &Context) -> Result<ExitStatus> {
    let key = context.key().await?;
    let found = find(which, context).await?;
    let (batch, _) = found
        .history
        .terms
        .locate(which.task)
        .map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let terms = &found.history.terms;
    let offered = Amount(U256::from(terms.deliveryTip));
    if !offered.0.is_zero() {
        let expected = settle::tip_now(&found.chain, terms).await?;
        context.out.say(tip_in_prospect(offered, expected, terms.requester));
    }
    let sender = sender(&found.chain, &key);
    let outcome = settle::deliver(&found.chain, &sender, &found.history, batch, &found.fetched).await?;
    let tip = settle::tip_of(&found.chain, &outcome);
    context.out.result(&DeliveryDone { done: Done::new(&outcome), offered, tip })?;
    Ok(ExitStatus::Done)
}

/// What a delivery would earn, said before it is sent.
fn tip_in_prospect(offered: Amount, expected: Amount, requester: Address) -> String {
    let tip = show_tokens(offered.0);
    if expected == offered {
        format!("tip: {tip} tokens, to the Vault's balance of the key that delivers")
    } else {
        format!("tip: none; {requester} offers {tip} tokens and has less in the Vault")
    }
}

/// A delivery, with the tip that it earned.
#[derive(Serialize)]
struct DeliveryDone {
    #[serde(flatten)]
    done: Done,
    #[serde(skip)]
    offered: Amount,
    tip: Amount,
}

impl Report for DeliveryDone {
    fn text(&self, style: Style) -> String {
        let done = self.done.text(style);
        match (self.offered.0.is_zero(), self.tip.0.is_zero()) {
            (true, _) => done,
            (false, true) => format!("{done}\nno tip: the requester's balance is lower"),
            (false, false) => format!("{done}\ntip {} tokens", show_tokens(self.tip.0)),
        }
    }
}

/// A transaction that did what it should.
#[derive(Serialize)]
pub(crate) struct Done {
    transaction: B256,
    gas: u64,
}

impl Done {
    pub(crate) fn new(outcome: &TxOutcome) -> Self {
        Self { transaction: outcome.hash, gas: outcome.gas_used }
    }
}

impl Report for Done {
    fn text(&self, style: Style) -> String {
        format!("{} {} ({} gas)", style.good("done"), self.transaction, thousands(self.gas))
    }
}

#[derive(Serialize)]
struct Got {
    task: u32,
    receipt: Receipt,
    output_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<PathBuf>,
}

impl Got {
    fn new(fetched: &Fetched, task: u32, written: Option<PathBuf>) -> Self {
        let text = std::str::from_utf8(&fetched.output).ok().filter(|text| text.len() <= SHOWN_OUTPUT_BYTES);
        Self {
            task,
            receipt: fetched.receipt.receipt,
            output_bytes: fetched.output.len(),
            output: text.map(str::to_owned),
            written,
        }
    }
}

impl Report for Got {
    fn text(&self, style: Style) -> String {
        match (&self.written, &self.output) {
            (Some(path), _) => format!("{} bytes in {}", self.output_bytes, path.display()),
            (None, Some(text)) => text.trim_end().to_owned(),
            (None, None) => {
                style.faint(format!("{} bytes; write them to a file with `--output FILE`", self.output_bytes))
            }
        }
    }
}

impl Report for Verification {
    fn text(&self, style: Style) -> String {
        let mut lines: Vec<_> = self
            .checks
            .iter()
            .map(|check| {
                let mark = match check.holds {
                    Some(true) => style.good("ok  "),
                    Some(false) => style.bad("FAIL"),
                    None => style.doubt("-   "),
                };
                format!("{mark} {:<11} {}", check.step, check.says)
            })
            .collect();
        lines.push(match (&self.verified, self.failed()) {
            (Some(verified), _) => {
                let standing = if verified.is_final { "final" } else { "provisional" };
                let odds = show_odds(verified.odds.0);
                let left_out = match self.not_checked() {
                    0 => String::new(),
                    count => format!("; {count} of the checks could not be made here"),
                };
                style.good(format!(
                    "task {} is certified at {odds} by {} operators, {standing}{left_out}",
                    self.task, verified.seats
                ))
            }
            (None, Some(failed)) => style.bad(format!("task {} does not hold: {}", self.task, failed.step)),
            (None, None) => style.bad(format!("task {} does not hold", self.task)),
        });
        for promise in &self.promises {
            lines.push(format!("{} {}", style.strong(format!("promise: {}", promise.name)), promise.promise));
            lines.push(format!("  if {}", style.faint(&promise.assumption)));
        }
        lines.join("\n")
    }
}

impl Report for Replayed {
    fn text(&self, style: Style) -> String {
        let row = |name: &str, a: String, b: String| {
            let mark = if a == b { style.good("=") } else { style.bad("≠") };
            format!("{} {a} {mark} {b}", style.strong(format!("{name:<6}")))
        };
        let (a, b) = (&self.certified, &self.here);
        let mut lines = vec![
            row("exit", exit_words(a.exit).to_owned(), exit_words(b.exit).to_owned()),
            row("fuel", thousands(a.fuel), thousands(b.fuel)),
            row("output", a.output_digest.to_string(), b.output_digest.to_string()),
            row("trace", a.trace_digest.to_string(), b.trace_digest.to_string()),
        ];
        lines.push(if self.same() {
            style.good("this machine gets the certified receipt, bit for bit")
        } else {
            style.bad(format!("this machine gets another receipt: {}", self.differing().join(", ")))
        });
        lines.join("\n")
    }
}
