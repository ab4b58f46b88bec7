//! `guildhall deal`: open, match, show and watch deals.

use std::{path::PathBuf, time::Duration};

use alloy::primitives::{B256, U256};
use clap::{Args, Subcommand};
use guildhall_api::CoordinatorClient;
use guildhall_chain::{ChainClient, Key};
use guildhall_protocol::{Amount, DealId, Status};
use serde::Serialize;

use super::{
    Context,
    net::{deal_id, sender},
    request::{OfferArgs, Prepared, RequestArgs, WorkArgs, offers, prepare},
    view::DealView,
};
use crate::{
    error::{ExitStatus, Failure, Result},
    orders::{Order, OrderFile as _, SignedOrder},
    output::{Report, Style, table},
    requester::{
        deal::{Opened, lock_of, open, sign},
        history::{History, history},
        watch::{Watch, Watched},
    },
    values::{seconds, short, show_odds, show_tokens, thousands},
};

#[derive(Debug, Subcommand)]
pub(crate) enum DealCommand {
    /// Buy executions: store the inputs, sign the request, match it with standing orders.
    Create(Box<CreateArgs>),
    /// Match a signed request from a file.
    Match(MatchArgs),
    /// Show a deal: its terms, and each batch.
    Show {
        /// The deal's id.
        #[arg(value_parser = deal_id)]
        deal: DealId,
    },
    /// Follow a deal until every batch is certified or refunded.
    Watch {
        /// The deal's id.
        #[arg(value_parser = deal_id)]
        deal: DealId,
        #[command(flatten)]
        waiting: WaitArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    request: RequestArgs,
    #[command(flatten)]
    work: WorkArgs,
    /// Key of a sponsor that pays, and signs the request too.
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "payer")]
    payer_key: Option<String>,
    /// Wait until every batch is certified.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    waiting: WaitArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MatchArgs {
    /// The signed request.
    request: PathBuf,
    #[command(flatten)]
    offers: OfferArgs,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct WaitArgs {
    /// How long to wait.
    #[arg(long, value_parser = seconds, default_value = "1h", value_name = "TIME")]
    timeout: u64,
}

pub(crate) async fn run(command: DealCommand, context: &Context) -> Result<ExitStatus> {
    match command {
        DealCommand::Create(args) => create(&args, context).await,
        DealCommand::Match(args) => match_file(&args, context).await,
        DealCommand::Show { deal } => {
            let chain = context.chain().await?;
            let shown = show(&chain, &history(&chain, deal).await?).await?;
            context.out.result(&shown)?;
            Ok(ExitStatus::Done)
        }
        DealCommand::Watch { deal, waiting } => {
            let chain = context.chain().await?;
            watch(&chain, deal, waiting, None, context).await
        }
    }
}

async fn create(args: &CreateArgs, context: &Context) -> Result<ExitStatus> {
    // What is wrong with the files is told before anything else is asked for.
    args.work.work()?;
    args.request.policy.policy()?;
    let (chain, key) = (context.chain().await?, context.key().await?);
    let sponsor = sponsor(args, &key, context).await?;
    let mut asked = args.request.clone();
    asked.payer = sponsor.as_ref().map(Key::address).or(asked.payer);
    let Prepared { request, offers } =
        prepare(&asked, &args.work, &chain, &key, sponsor.as_ref(), context).await?;
    let (chain_id, market) = (chain.deployment().chain_id, chain.deployment().market);
    let digest = Order::Request(Box::new(request)).digest(chain_id, market);
    let countersigned = sponsor.as_ref().map(|sponsor| sign(sponsor, digest)).transpose()?;
    let signatures = (sign(&key, digest)?, countersigned.unwrap_or_default());
    let locked = lock_of(&request, &offers)?;
    let payer = sponsor.as_ref().unwrap_or(&key);
    let opened = open(&chain, &sender(&chain, &key), payer, &offers, &request, signatures).await?;
    let made = Made::new(&opened, locked);
    if !args.wait {
        context.out.result(&made)?;
        return Ok(ExitStatus::Done);
    }
    context.out.say(made.text(context.out.prose()));
    watch(&chain, opened.deal, args.waiting, Some(made.opening), context).await
}

/// The key of whoever pays, where that is not the requester.
async fn sponsor(args: &CreateArgs, key: &Key, context: &Context) -> Result<Option<Key>> {
    match (&args.payer_key, args.request.payer) {
        (Some(name), _) => Ok(Some(context.named_key(name.clone()).await?)),
        (None, Some(payer)) if payer != key.address() => Err(Failure::new(
            "deal.payer_signature",
            format!("{payer} pays only for what it has signed, and its key was not named"),
        )
        .hint(
            "name its key with `--payer-key NAME`; or hand the request over: `guildhall order sign request --payer \
             ADDRESS`, `guildhall order countersign` with the sponsor's key, `guildhall deal match`",
        )),
        _ => Ok(None),
    }
}

async fn match_file(args: &MatchArgs, context: &Context) -> Result<ExitStatus> {
    let signed = SignedOrder::read(&args.request)?;
    let (chain, key) = (context.chain().await?, context.key().await?);
    signed.check_chain(chain.deployment().chain_id, chain.deployment().market)?;
    let Order::Request(request) = &signed.order else {
        return Err(Failure::new("order.other_side", format!("`{}` is no request", args.request.display()))
            .hint("`guildhall order sign request` writes one"));
    };
    let wanted = RequestArgs::of_order(request, args.offers.clone());
    let offers = offers(wanted, &chain, request.requester, context).await?;
    let signatures = (signed.signature.clone(), signed.payer_signature.clone().unwrap_or_default());
    let opened = open(&chain, &sender(&chain, &key), &key, &offers, request, signatures).await?;
    context.out.result(&Made::new(&opened, lock_of(request, &offers)?))?;
    Ok(ExitStatus::Done)
}

async fn watch(
    chain: &ChainClient,
    deal: DealId,
    waiting: WaitArgs,
    opening: Option<Opening>,
    context: &Context,
) -> Result<ExitStatus> {
    let before = history(chain, deal).await?;
    let batches = before.terms.batches();
    let mut view = DealView::new(context.out, batches, Default::default());
    // Progress is a courtesy of the coordinator; the chain alone says when a batch is done.
    let coordinator = match context.coordinator_url(chain, before.terms.pool, None).await {
        Ok(url) => CoordinatorClient::new(&url).ok(),
        Err(_) => None,
    };
    let mut watch = Watch::start(chain, coordinator, deal, batches);
    let finished = tokio::time::timeout(Duration::from_secs(waiting.timeout), async {
        while let Some(watched) = watch.next().await {
            match watched {
                Watched::Progress(event) => view.note(&event),
                Watched::Settled => return,
            }
        }
    })
    .await;
    view.finish();
    let mut shown = show(chain, &history(chain, deal).await?).await?;
    shown.opening = opening;
    let all = shown.batches.iter().all(|batch| batch.certified());
    context.out.result(&shown)?;
    match finished {
        Err(_) => Err(Failure::negative(
            "deal.timeout",
            format!("not every batch was certified in {} s", waiting.timeout),
        )
        .hint("`guildhall deal watch DEAL` goes on waiting; after its deadline a batch can expire")),
        Ok(()) if all => Ok(ExitStatus::Done),
        Ok(()) => Ok(ExitStatus::Negative),
    }
}

/// A deal as it stands.
pub(crate) async fn show(chain: &ChainClient, history: &History) -> Result<Shown> {
    let terms = &history.terms;
    let mut batches = Vec::new();
    for batch in 0..terms.batches() {
        let at = history.certificate(batch);
        let status = status(chain, history, batch).await?;
        let slashes = history.slashes.iter().filter(|slash| slash.batch == batch).count();
        batches.push(BatchShown {
            batch,
            tasks: terms.tasks_of(batch).map_err(|error| Failure::new(error.code(), error.to_string()))?,
            status,
            root: at.map(|at| at.certified.certificate.root),
            fuel: at.map(|at| at.certified.certificate.fuel),
            odds_micro: at.map(|at| at.certified.certificate.odds.to_string()),
            seats: at.map(|at| at.certified.certificate.seats),
            stake: at.map(|at| Amount(at.certified.certificate.stake.to())),
            final_at: at.map(|at| at.certified.certificate.finalAt),
            slashed_members: slashes,
        });
    }
    Ok(Shown {
        deal: terms.deal(),
        requester: terms.requester.to_string(),
        app: terms.app.to_string(),
        dataset: terms.dataset.to_string(),
        pool: terms.pool,
        tasks: terms.taskCount,
        deadline: terms.deadline,
        delivery_tip: (!terms.deliveryTip.is_zero()).then(|| Amount(U256::from(terms.deliveryTip))),
        opening: None,
        batches,
    })
}

async fn status(chain: &ChainClient, history: &History, batch: u32) -> Result<Status> {
    if let Some(at) = history.certificate(batch)
        && let Ok(status) = chain.status_of(&at.certified.certificate).await
    {
        return Ok(status);
    }
    // No certificate, or one that no longer fills the slot.
    let status = chain.batch_slot(history.terms.deal(), batch).await?.status().unwrap_or_default();
    // The Market forgets a deal that expires whole: its slot stays empty.
    let forgotten = status == Status::Open && history.refunded.contains(&batch);
    Ok(if forgotten { Status::Expired } else { status })
}

#[derive(Serialize)]
struct Made {
    deal: DealId,
    tasks: u32,
    batches: u32,
    #[serde(flatten)]
    opening: Opening,
}

/// The transaction that opened a deal.
#[derive(Clone, Copy, Serialize)]
struct Opening {
    locked: Amount,
    transaction: B256,
    gas: u64,
}

impl Made {
    fn new(opened: &Opened, locked: Amount) -> Self {
        Self {
            deal: opened.deal,
            tasks: opened.terms.taskCount,
            batches: opened.terms.batches(),
            opening: Opening { locked, transaction: opened.outcome.hash, gas: opened.outcome.gas_used },
        }
    }
}

impl Report for Made {
    fn text(&self, style: Style) -> String {
        format!(
            "{} {}\n{} tasks in {} batches, {} tokens locked at most, {} gas\n{}",
            style.strong("deal"),
            self.deal,
            self.tasks,
            self.batches,
            show_tokens(self.opening.locked.0),
            thousands(self.opening.gas),
            style.faint(format!("next: guildhall deal watch {}", self.deal))
        )
    }
}

/// One batch of a deal.
#[derive(Serialize)]
pub(crate) struct BatchShown {
    batch: u32,
    tasks: u32,
    status: Status,
    root: Option<B256>,
    fuel: Option<u64>,
    odds_micro: Option<String>,
    seats: Option<u8>,
    stake: Option<Amount>,
    final_at: Option<u64>,
    slashed_members: usize,
}

impl BatchShown {
    fn certified(&self) -> bool {
        matches!(self.status, Status::Provisional | Status::Final)
    }
}

/// A deal.
#[derive(Serialize)]
pub(crate) struct Shown {
    deal: DealId,
    requester: String,
    app: String,
    dataset: String,
    pool: u32,
    tasks: u32,
    deadline: u64,
    /// What the delivery of a task may earn.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_tip: Option<Amount>,
    /// Where this command opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    opening: Option<Opening>,
    batches: Vec<BatchShown>,
}

impl Report for Shown {
    fn text(&self, style: Style) -> String {
        let tip = self.delivery_tip.map(|tip| format!(", {} tokens for a delivery", show_tokens(tip.0)));
        let head = format!(
            "{} {}\napp {}, dataset {}, pool {}, {} tasks of {}{}",
            style.strong("deal"),
            self.deal,
            self.app,
            self.dataset,
            self.pool,
            self.tasks,
            self.requester,
            tip.unwrap_or_default()
        );
        let rows = self.batches.iter().map(|batch| {
            let odds = batch.odds_micro.as_ref().and_then(|odds| odds.parse().ok()).map(show_odds);
            vec![
                batch.batch.to_string(),
                batch.tasks.to_string(),
                format!("{:?}", batch.status).to_lowercase(),
                odds.unwrap_or_default(),
                batch.seats.map(|seats| seats.to_string()).unwrap_or_default(),
                batch.stake.map(|stake| show_tokens(stake.0)).unwrap_or_default(),
                batch.fuel.map(thousands_of).unwrap_or_default(),
                batch.root.map(short).unwrap_or_default(),
            ]
        });
        let names = ["batch", "tasks", "status", "odds", "operators", "stake", "fuel", "root"]
            .map(str::to_owned)
            .to_vec();
        format!("{head}\n{}", table(std::iter::once(names).chain(rows).collect()))
    }
}

fn thousands_of(number: u64) -> String {
    thousands(number)
}
