//! The flags of a request: shared by `deal create`, `order sign request` and `quote`.

use std::path::PathBuf;

use alloy::primitives::{Address, Bytes, U256, aliases::U96};
use clap::Args;
use guildhall_chain::{ChainClient, Key, offers::Wanted as ForDeal};
use guildhall_protocol::{AssetId, Policy, PoolId, RequestOrder};
use url::Url;

use super::Context;
use crate::{
    error::{Failure, Result},
    requester::{
        deal::{Ask, Caps, Work, request, store_work},
        offers::{OfferFiles, Offers, Wanted},
        stock::stock,
        store::PoolStore,
    },
    values::{odds, pair, quantity, seconds, tokens96},
};

/// The largest input that is read from a file.
const INPUT_MAX_BYTES: u64 = 1 << 30;
/// The most tasks that `--tasks` makes of one input.
const TASKS_MAX: u32 = guildhall_protocol::manifest::TASKS_MAX;

/// Executions that are paid at most, unless somebody says otherwise.
const EXECUTIONS_MAX: u8 = 8;

/// What the certificate must promise.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Policy")]
pub(crate) struct PolicyArgs {
    /// Odds that a result is right.
    #[arg(long, value_parser = odds, default_value = "99", value_name = "ODDS")]
    confidence: u32,
    /// Share of the pool's stake that may be faulty, in percent.
    #[arg(long, value_parser = percent, default_value = "20", value_name = "PERCENT")]
    faulty_share: u16,
    /// Distinct operators that must agree whatever the odds.
    #[arg(long, default_value_t = 3, value_name = "N")]
    operators: u8,
    /// Executions that are paid at most; 8 if left out, or as many as `--operators`.
    #[arg(long, value_name = "N")]
    executions_max: Option<u8>,
    /// Free stake that must stand behind each certificate, in tokens.
    #[arg(long, value_parser = tokens96, default_value = "0", value_name = "TOKENS")]
    collateral: U96,
    /// Let reputation lower a worker's odds of being faulty.
    #[arg(long)]
    count_reputation: bool,
    /// Time between a provisional and a final certificate.
    #[arg(long, value_parser = seconds, default_value = "1h", value_name = "TIME")]
    window: u64,
    /// Deliver results to a callback as soon as they are certified, not only when final.
    #[arg(long)]
    provisional: bool,
}

impl PolicyArgs {
    /// The policy.
    pub(crate) fn policy(&self) -> Result<Policy> {
        let executions_max = self.executions_max.unwrap_or(self.operators.max(EXECUTIONS_MAX));
        if executions_max < self.operators {
            return Err(Failure::new(
                "deal.policy",
                format!("{executions_max} executions can't be those of {} operators", self.operators),
            )
            .hint("raise `--executions-max`, or lower `--operators`"));
        }
        Ok(Policy {
            confidence: self.confidence,
            faultyShareBps: self.faulty_share,
            replicasMin: self.operators,
            replicasMax: executions_max,
            collateralMin: self.collateral,
            countReputation: self.count_reputation,
            evidence: 0,
            disputeWindow: u32::try_from(self.window).unwrap_or(u32::MAX),
            finalOnly: !self.provisional,
        })
    }
}

/// Which app, dataset and pool, and at what price at most.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestArgs {
    /// Number of the app.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) app: U256,
    /// Number of the dataset.
    #[arg(long, value_name = "NUMBER", default_value_t = U256::ZERO, hide_default_value = true)]
    pub(crate) dataset: U256,
    /// Number of the pool.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) pool: u32,
    /// Tasks that are certified together; all of them if left out.
    #[arg(long, value_name = "N")]
    pub(crate) batch_size: Option<u32>,
    /// Limit of fuel of one execution.
    #[arg(long, value_parser = quantity, default_value = "10G")]
    pub(crate) fuel: u64,
    /// Limit of memory of one execution.
    #[arg(long, value_parser = quantity, default_value = "512MiB")]
    pub(crate) memory: u64,
    /// Time from now in which the work must be certified.
    #[arg(long, value_parser = seconds, default_value = "1h", value_name = "TIME")]
    pub(crate) deadline: u64,
    /// Most that a task of the app may cost, in tokens; its order's price if left out.
    #[arg(long, value_parser = tokens96, value_name = "TOKENS")]
    pub(crate) app_price_max: Option<U96>,
    /// Most that a task over the dataset may cost, in tokens; its order's price if left out.
    #[arg(long, value_parser = tokens96, value_name = "TOKENS")]
    pub(crate) dataset_price_max: Option<U96>,
    /// Most that a million fuel may cost, in tokens; the pool order's fee if left out.
    #[arg(long, value_parser = tokens96, value_name = "TOKENS")]
    pub(crate) fee_max: Option<U96>,
    /// Whom the results are for; the requester if left out.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) beneficiary: Option<Address>,
    /// Who pays; the requester if left out. A sponsor signs too: `deal create --payer-key`, `order countersign`.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) payer: Option<Address>,
    /// Contract that results are delivered to.
    #[arg(long, value_name = "ADDRESS", requires = "callback_gas")]
    pub(crate) callback: Option<Address>,
    /// Gas that the callback gets.
    #[arg(long, value_name = "GAS", requires = "callback", value_parser = callback_gas())]
    pub(crate) callback_gas: Option<u32>,
    /// Tip, in tokens, for whoever delivers a result to the callback; out of the requester's balance in the Vault, when
    /// it is enough.
    #[arg(long, value_name = "TOKENS", requires = "callback", allow_negative_numbers = true, value_parser = tokens96)]
    pub(crate) tip: Option<U96>,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) offers: OfferArgs,
}

impl RequestArgs {
    /// What is needed to find the orders for a request that was signed before.
    pub(crate) fn of_order(request: &RequestOrder, offers: OfferArgs) -> Sought {
        Sought {
            app: request.app,
            dataset: request.dataset,
            pool: request.pool,
            tasks: request.taskCount,
            batch_size: request.batchSize,
            fuel_limit: request.fuelLimit,
            offers,
        }
    }

    /// Tasks of a batch, of so many in all.
    fn batch_size(&self, tasks: u32) -> u32 {
        self.batch_size.unwrap_or(tasks).clamp(1, tasks.max(1))
    }

    /// The orders that these flags need, for so many tasks.
    fn sought(&self, tasks: u32) -> Sought {
        Sought {
            app: self.app,
            dataset: self.dataset,
            pool: self.pool,
            tasks,
            batch_size: self.batch_size(tasks),
            fuel_limit: self.fuel,
            offers: self.offers.clone(),
        }
    }
}

/// Which orders are sought.
#[derive(Clone, Debug)]
pub(crate) struct Sought {
    pub(crate) app: U256,
    pub(crate) dataset: U256,
    pub(crate) pool: u32,
    pub(crate) tasks: u32,
    pub(crate) batch_size: u32,
    pub(crate) fuel_limit: u64,
    pub(crate) offers: OfferArgs,
}

/// Where the other sides' orders are.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Orders of the other sides")]
pub(crate) struct OfferArgs {
    /// Signed order of the app's owner; the cheapest in the data directory if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) app_order: Option<PathBuf>,
    /// Signed order of the dataset's owner; likewise.
    #[arg(long, value_name = "FILE")]
    pub(crate) dataset_order: Option<PathBuf>,
    /// Signed order of the pool's owner; likewise.
    #[arg(long, value_name = "FILE")]
    pub(crate) pool_order: Option<PathBuf>,
}

/// What the tasks read.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Work")]
pub(crate) struct WorkArgs {
    /// Input files, one task each.
    #[arg(value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Instead of one task a file: so many tasks of the one file, or of an empty input.
    #[arg(long, value_name = "N")]
    tasks: Option<u32>,
    /// Argument of every task; repeat for more.
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true)]
    args: Vec<String>,
    /// Environment variable of every task; repeat for more.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// Coordinator of the pool, which keeps the inputs; as the pool says on chain if left out.
    #[arg(long, value_name = "URL")]
    pub(crate) coordinator: Option<Url>,
}

impl WorkArgs {
    /// Reads the inputs.
    pub(crate) fn work(&self) -> Result<Work> {
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for path in &self.inputs {
            let failed = |error| Failure::file("read the input", path, &error);
            let length = std::fs::metadata(path).map_err(failed)?.len();
            if length > INPUT_MAX_BYTES {
                return Err(Failure::new(
                    "deal.input",
                    format!("`{}` has {length} bytes, an input has 1 GiB at most", path.display()),
                )
                .hint("put what all tasks share into a dataset"));
            }
            inputs.push(Bytes::from(std::fs::read(path).map_err(failed)?));
        }
        match (self.tasks, inputs.len()) {
            (None, 0) => Err(Failure::new("deal.no_input", "a deal needs tasks")
                .hint("name input files, or say `--tasks N` for tasks with an empty input")),
            (None, _) => Ok(self.with(inputs)),
            (Some(tasks), 0 | 1) if (1..=TASKS_MAX).contains(&tasks) => {
                let input = inputs.pop().unwrap_or_default();
                Ok(self.with(vec![input; usize::try_from(tasks).unwrap_or_default()]))
            }
            (Some(tasks), files) => {
                Err(Failure::new("deal.no_input", format!("{tasks} tasks of {files} inputs can't be"))
                    .hint(format!("`--tasks` takes 1 to {TASKS_MAX}, with one input file at most")))
            }
        }
    }

    fn with(&self, inputs: Vec<Bytes>) -> Work {
        let args = std::iter::once("app".to_owned()).chain(self.args.iter().cloned()).collect();
        Work { args, env: self.env.clone(), inputs }
    }
}

/// A request that is ready to be signed, with the orders that it takes.
pub(crate) struct Prepared {
    pub(crate) request: RequestOrder,
    pub(crate) offers: Offers,
}

/// Stores the work with the pool, in the name of whoever pays where that key is here, and puts the request together.
pub(crate) async fn prepare(
    args: &RequestArgs,
    work: &WorkArgs,
    chain: &ChainClient,
    key: &Key,
    sponsor: Option<&Key>,
    context: &Context,
) -> Result<Prepared> {
    let (read, policy) = (work.work()?, args.policy.policy()?);
    let tasks = u32::try_from(read.inputs.len()).unwrap_or(u32::MAX);
    let offers = offers(args.sought(tasks), chain, key.address(), context).await?;
    let url = context.coordinator_url(chain, args.pool, work.coordinator.as_ref()).await?;
    let uploader = sponsor.unwrap_or(key).clone();
    let store = PoolStore::open(&url, uploader, chain.deployment().chain_id).await?;
    let needed = (AssetId(args.app), AssetId(args.dataset), PoolId(args.pool));
    for name in stock(chain, &store, needed, &context.cache("blobs")).await? {
        context.out.say(format!("left {name} with the pool, which did not have it"));
    }
    let inputs = store_work(&read, &store).await?;
    let now = chain.head().await?.time.0;
    let ask = Ask {
        requester: key.address(),
        payer: args.payer.unwrap_or(key.address()),
        beneficiary: args.beneficiary.unwrap_or(key.address()),
        batch_size: args.batch_size(tasks),
        fuel_limit: args.fuel,
        memory_limit: args.memory,
        deadline: now.saturating_add(args.deadline),
        policy,
        callback: args.callback.unwrap_or_default(),
        callback_gas: args.callback_gas.unwrap_or_default(),
        delivery_tip: args.tip.unwrap_or_default(),
        caps: Caps { app: args.app_price_max, dataset: args.dataset_price_max, fee: args.fee_max },
    };
    let request = request(chain, &ask, &offers, inputs, tasks).await?;
    Ok(Prepared { request, offers })
}

/// The orders of the other sides.
pub(crate) async fn offers(
    sought: Sought,
    chain: &ChainClient,
    requester: Address,
    context: &Context,
) -> Result<Offers> {
    let wanted = Wanted {
        deal: ForDeal {
            app: sought.app,
            dataset: sought.dataset,
            pool: sought.pool,
            requester,
            tasks: sought.tasks,
            batch_size: sought.batch_size,
            fuel_limit: sought.fuel_limit,
        },
        files: OfferFiles {
            app: sought.offers.app_order,
            dataset: sought.offers.dataset_order,
            pool: sought.offers.pool_order,
        },
    };
    Offers::find(&wanted, &context.orders(), chain).await
}

/// A callback without gas would never succeed, and the Market has an upper bound.
fn callback_gas() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(guildhall_protocol::matching::CALLBACK_GAS_MAX))
}

/// Reads percents with up to two decimals as basis points.
fn percent(text: &str) -> Result<u16, String> {
    let wrong = || format!("`{text}` is no percentage; write it as `20` or `12.5`");
    let (whole, decimals) =
        text.trim_end_matches('%').split_once('.').unwrap_or((text.trim_end_matches('%'), ""));
    if decimals.len() > 2 || !decimals.chars().all(|c| c.is_ascii_digit()) {
        return Err(wrong());
    }
    let whole: u16 = whole.parse().map_err(|_| wrong())?;
    let hundredths: u16 = format!("{decimals:0<2}").parse().map_err(|_| wrong())?;
    whole.checked_mul(100).and_then(|whole| whole.checked_add(hundredths)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn percents_become_basis_points() {
        assert_eq!([percent("20"), percent("12.5"), percent("0.05%")], [Ok(2_000), Ok(1_250), Ok(5)]);
        for wrong in ["", "x", "1.234", "-3", "1.x"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
