//! `guildhall order`: sign, list and cancel orders.

use std::path::{Path, PathBuf};

use alloy::{
    primitives::{Address, B256, Bytes, U256, aliases::U96},
    sol_types::SolCall,
};
use clap::{Args, Subcommand};
use guildhall_chain::{
    Call, ChainClient, Key,
    bindings::{Market, Registry, Workforce},
};
use guildhall_protocol::{
    AssetId, PoolId,
    orders::{AppOrder, DatasetOrder, PoolOrder},
};
use serde::Serialize;

use super::{
    Context,
    net::{send, sender},
    request::{RequestArgs, WorkArgs, prepare},
    result::Done,
};
use crate::{
    error::{ExitStatus, Failure, Result},
    orders::{Order, OrderFile as _, SignedOrder, write},
    output::{Report, Style, table},
    requester::{
        assets::{dataset_nonce, missing},
        deal::{bring, sign},
        pools,
    },
    values::{quantity, seconds, short, show_seconds, show_tokens, tokens96},
};

#[derive(Debug, Subcommand)]
pub(crate) enum OrderCommand {
    /// Sign an order and keep it in a file.
    #[command(subcommand)]
    Sign(Box<SignCommand>),
    /// Sign a request as its sponsor.
    Countersign {
        /// The request's file; it gets the second signature.
        file: PathBuf,
        /// Sign by a transaction of the key, not by a signature in the file: for accounts that sign nothing else.
        #[arg(long)]
        on_chain: bool,
    },
    /// List the orders of the data directory, with what they have given.
    List,
    /// Cancel an order, or all at once.
    Cancel(CancelArgs),
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "made once for a command line")]
pub(crate) enum SignCommand {
    /// Offer executions of an app.
    App {
        /// Number of the app.
        #[arg(long, value_name = "NUMBER")]
        app: U256,
        /// Price of a task, in tokens.
        #[arg(long, value_parser = tokens96, value_name = "TOKENS")]
        price: U96,
        /// For this dataset only.
        #[arg(long, value_name = "NUMBER", default_value_t = U256::ZERO, hide_default_value = true)]
        dataset: U256,
        #[command(flatten)]
        offer: OfferingArgs,
    },
    /// Offer the use of a dataset.
    Dataset {
        /// Number of the dataset.
        #[arg(long, value_name = "NUMBER")]
        dataset: U256,
        /// Price of a task, in tokens.
        #[arg(long, value_parser = tokens96, value_name = "TOKENS")]
        price: U96,
        /// For this app only.
        #[arg(long, value_name = "NUMBER", default_value_t = U256::ZERO, hide_default_value = true)]
        app: U256,
        #[command(flatten)]
        offer: OfferingArgs,
    },
    /// Offer the work of a pool.
    Pool {
        /// Fee for a million fuel of one execution, in tokens.
        #[arg(long, value_parser = tokens96, value_name = "TOKENS")]
        fee: U96,
        /// Kept of a batch's refund when it expires, in tokens.
        #[arg(long, value_parser = tokens96, default_value = "0", value_name = "TOKENS")]
        minimum: U96,
        /// The longest execution taken.
        #[arg(long, value_parser = quantity, default_value = "1T")]
        fuel_max: u64,
        #[command(flatten)]
        offer: OfferingArgs,
    },
    /// Ask for executions; a sponsor may countersign, and anybody may match it.
    Request {
        #[command(flatten)]
        request: RequestArgs,
        #[command(flatten)]
        work: WorkArgs,
        #[command(flatten)]
        keep: KeepArgs,
    },
}

/// What all offers have.
#[derive(Debug, Args)]
pub(crate) struct OfferingArgs {
    /// Number of the pool; for app and dataset orders: this pool only.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    pool: u32,
    /// For this requester only: an address, or a contract that answers for a group.
    #[arg(long, value_name = "ADDRESS")]
    requester: Option<Address>,
    /// Tasks offered.
    #[arg(long, value_parser = quantity, default_value = "1M", value_name = "N")]
    volume: u64,
    /// How long the offer stands.
    #[arg(long, value_parser = seconds, default_value = "90d", value_name = "TIME")]
    expires: u64,
    #[command(flatten)]
    keep: KeepArgs,
}

/// How an order is signed and where it is kept.
#[derive(Debug, Args)]
pub(crate) struct KeepArgs {
    /// File to write; into the data directory if left out.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Sign by a transaction of the key, not by a signature in the file: for accounts that sign nothing else.
    #[arg(long)]
    on_chain: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct CancelArgs {
    /// The order's file.
    file: Option<PathBuf>,
    /// All orders of this app (or dataset: assets share their numbers).
    #[arg(long, value_name = "NUMBER")]
    all_of_asset: Option<U256>,
    /// All orders of this pool.
    #[arg(long, value_name = "NUMBER")]
    all_of_pool: Option<u32>,
    /// All requests of the key.
    #[arg(long)]
    all_requests: bool,
}

pub(crate) async fn run(command: OrderCommand, context: &Context) -> Result<ExitStatus> {
    match command {
        OrderCommand::Sign(command) => sign_order(*command, context).await?,
        OrderCommand::Countersign { file, on_chain } => countersign(&file, on_chain, context).await?,
        OrderCommand::List => list(context).await?,
        OrderCommand::Cancel(args) => cancel(&args, context).await?,
    }
    Ok(ExitStatus::Done)
}

async fn sign_order(command: SignCommand, context: &Context) -> Result<()> {
    let (chain, key) = (context.chain().await?, context.key().await?);
    let now = chain.head().await?.time.0;
    let (order, keep) = match command {
        SignCommand::App { app, price, dataset, offer } => {
            chain.app(AssetId(app)).await?.ok_or_else(|| missing("app", AssetId(app)))?;
            let (nonce, _) = chain.order_nonces(AssetId(app), AssetId(U256::ZERO)).await?;
            let order = AppOrder {
                app,
                price,
                volume: offer.volume,
                datasetRestrict: dataset,
                poolRestrict: offer.pool,
                requesterRestrict: offer.requester.unwrap_or_default(),
                expiry: now.saturating_add(offer.expires),
                nonce,
                salt: B256::random(),
            };
            (Order::App(order), offer.keep)
        }
        SignCommand::Dataset { dataset, price, app, offer } => {
            let order = DatasetOrder {
                dataset,
                price,
                volume: offer.volume,
                appRestrict: app,
                poolRestrict: offer.pool,
                requesterRestrict: offer.requester.unwrap_or_default(),
                expiry: now.saturating_add(offer.expires),
                nonce: dataset_nonce(&chain, AssetId(dataset)).await?,
                salt: B256::random(),
            };
            (Order::Dataset(order), offer.keep)
        }
        SignCommand::Pool { fee, minimum, fuel_max, offer } => {
            (Order::Pool(pool_order(&chain, fee, minimum, fuel_max, &offer, now).await?), offer.keep)
        }
        SignCommand::Request { request, work, keep } => {
            let prepared = prepare(&request, &work, &chain, &key, None, context).await?;
            (Order::Request(Box::new(prepared.request)), keep)
        }
    };
    let mut signed = signed(&chain, &key, order)?;
    let done = if keep.on_chain {
        signed.signature = Bytes::new();
        Some(sign_on_chain(&chain, &key, &signed).await?)
    } else {
        None
    };
    keep_order(&signed, keep.out, done, context)
}

async fn pool_order(
    chain: &ChainClient,
    fee: U96,
    minimum: U96,
    fuel_max: u64,
    offer: &OfferingArgs,
    now: u64,
) -> Result<PoolOrder> {
    let pool = chain.pool(PoolId(offer.pool)).await?.ok_or_else(|| pools::missing(offer.pool))?;
    Ok(PoolOrder {
        pool: offer.pool,
        feePerMfuel: fee,
        minimumFee: minimum,
        volume: offer.volume,
        fuelLimitMax: fuel_max,
        appRestrict: U256::ZERO,
        datasetRestrict: U256::ZERO,
        requesterRestrict: offer.requester.unwrap_or_default(),
        expiry: now.saturating_add(offer.expires),
        nonce: pool.nonce,
        salt: B256::random(),
    })
}

fn signed(chain: &ChainClient, key: &Key, order: Order) -> Result<SignedOrder> {
    let (chain_id, market) = (chain.deployment().chain_id, chain.deployment().market);
    let signature = sign(key, order.digest(chain_id, market))?;
    Ok(SignedOrder {
        chain: chain_id,
        market,
        order,
        signer: key.address(),
        signature,
        payer_signature: None,
    })
}

fn keep_order(
    signed: &SignedOrder,
    out: Option<PathBuf>,
    done: Option<Done>,
    context: &Context,
) -> Result<()> {
    let file = match out {
        Some(file) => {
            write(&file, signed)?;
            file
        }
        None => context.orders().keep(signed)?,
    };
    context.out.result(&Kept { digest: signed.digest(), kind: signed.order.kind(), file, done })
}

/// The key's transaction that stands for its signature.
async fn sign_on_chain(chain: &ChainClient, key: &Key, signed: &SignedOrder) -> Result<Done> {
    let call = Market::signOrderCall { orderHash: signed.digest() };
    Ok(Done::new(&send(&sender(chain, key), chain.deployment().market, &call).await?))
}

async fn countersign(file: &Path, on_chain: bool, context: &Context) -> Result<()> {
    let mut signed = SignedOrder::read(file)?;
    let Order::Request(request) = &signed.order else {
        return Err(Failure::new("order.other_side", format!("`{}` is no request", file.display()))
            .hint("sponsors sign requests only"));
    };
    let key = context.key().await?;
    if request.payer != key.address() {
        return Err(Failure::new(
            "order.other_payer",
            format!("this request names {} as its payer, not {}", request.payer, key.address()),
        )
        .hint("name the sponsor's key with `--key`"));
    }
    let done = if on_chain {
        signed.payer_signature = Some(Bytes::new());
        Some(sign_on_chain(&context.chain().await?, &key, &signed).await?)
    } else {
        signed.payer_signature = Some(sign(&key, signed.digest())?);
        None
    };
    keep_order(&signed, Some(file.to_owned()), done, context)
}

async fn list(context: &Context) -> Result<()> {
    let orders = context.orders().list()?;
    let chain = if orders.is_empty() { None } else { Some(context.chain().await?) };
    let mut rows = Vec::new();
    for (file, signed) in orders {
        let (subject, expiry) = signed.order.subject_and_expiry();
        let mut row = Listed {
            kind: signed.order.kind(),
            subject,
            price: price(&signed.order),
            expiry,
            expires_in_secs: 0,
            given: None,
            signer: signed.signer,
            digest: signed.digest(),
            file,
        };
        if let Some(chain) = &chain {
            row.expires_in_secs = expiry.saturating_sub(chain.head().await?.time.0);
            if (signed.chain, signed.market) == (chain.deployment().chain_id, chain.deployment().market) {
                row.given = Some(chain.filled(row.digest).await?);
            }
        }
        rows.push(row);
    }
    context.out.result(&List { orders: rows })
}

fn price(order: &Order) -> U96 {
    match order {
        Order::App(order) => order.price,
        Order::Dataset(order) => order.price,
        Order::Pool(order) => order.feePerMfuel,
        Order::Request(order) => order.feePerMfuelMax,
    }
}

async fn cancel(args: &CancelArgs, context: &Context) -> Result<()> {
    let signed = args.file.as_ref().map(|file| SignedOrder::read(file)).transpose()?;
    let (chain, key) = (context.chain().await?, context.key().await?);
    let deployment = chain.deployment();
    let (to, data) = match (&signed, args.all_of_asset, args.all_of_pool) {
        (Some(signed), ..) => (deployment.market, cancel_call(&signed.order)?),
        (None, Some(id), _) => (deployment.registry, Registry::bumpNonceCall { id }.abi_encode()),
        (None, None, Some(pool)) => {
            (deployment.workforce, Workforce::bumpPoolNonceCall { pool }.abi_encode())
        }
        (None, None, None) => (deployment.market, Market::cancelAllRequestsCall {}.abi_encode()),
    };
    let call = Call { to: Some(to), data: data.into(), value_wei: U256::ZERO };
    let outcome = sender(&chain, &key).send(call).await?;
    context.out.result(&Done::new(&outcome))
}

fn cancel_call(order: &Order) -> Result<Vec<u8>> {
    Ok(match order {
        Order::App(order) => Market::cancelAppOrderCall { order: bring(order)? }.abi_encode(),
        Order::Dataset(order) => Market::cancelDatasetOrderCall { order: bring(order)? }.abi_encode(),
        Order::Pool(order) => Market::cancelPoolOrderCall { order: bring(order)? }.abi_encode(),
        Order::Request(order) => Market::cancelRequestCall { order: bring(&**order)? }.abi_encode(),
    })
}

#[derive(Serialize)]
struct Kept {
    kind: &'static str,
    digest: B256,
    file: PathBuf,
    /// The transaction, where it was signed on chain.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    done: Option<Done>,
}

impl Report for Kept {
    fn text(&self, style: Style) -> String {
        let head = format!("{} order {}", self.kind, style.strong(self.digest));
        let signed = self.done.as_ref().map(|done| format!("\nsigned on chain: {}", done.text(style)));
        format!("{head}{}\n{}", signed.unwrap_or_default(), style.faint(self.file.display()))
    }
}

#[derive(Serialize)]
struct Listed {
    kind: &'static str,
    subject: String,
    #[serde(with = "guildhall_protocol::units::decimal")]
    price: U96,
    expiry: u64,
    expires_in_secs: u64,
    given: Option<u64>,
    signer: Address,
    digest: B256,
    file: PathBuf,
}

#[derive(Serialize)]
struct List {
    orders: Vec<Listed>,
}

impl Report for List {
    fn text(&self, _: Style) -> String {
        let rows = self.orders.iter().map(|order| {
            let given = match order.given {
                Some(u64::MAX) => "cancelled".to_owned(),
                Some(given) => given.to_string(),
                None => "other chain".to_owned(),
            };
            vec![
                order.kind.to_owned(),
                order.subject.clone(),
                show_tokens(U256::from(order.price)),
                given,
                show_seconds(order.expires_in_secs),
                short(order.signer),
                order.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            ]
        });
        let head =
            ["kind", "of", "price", "given", "expires in", "signer", "file"].map(str::to_owned).to_vec();
        table(std::iter::once(head).chain(rows).collect())
    }
}
