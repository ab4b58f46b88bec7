//! `guildhall quote`: what a policy costs on a pool now.

use clap::Args;
use guildhall_protocol::{Amount, Bps, Fuel, PoolId, Prices};

use super::{
    Context,
    pool::address_of,
    request::{OfferArgs, PolicyArgs, Sought, offers},
};
use crate::{
    error::{ExitStatus, Result},
    requester::{
        pools::{members, missing},
        quote::{Question, quote},
    },
    values::quantity,
};
use alloy::primitives::U256;

#[derive(Debug, Args)]
pub(crate) struct QuoteArgs {
    /// Number of the app.
    #[arg(long, value_name = "NUMBER")]
    app: U256,
    /// Number of the dataset.
    #[arg(long, value_name = "NUMBER", default_value_t = U256::ZERO, hide_default_value = true)]
    dataset: U256,
    /// Number of the pool.
    #[arg(long, value_name = "NUMBER")]
    pool: u32,
    /// Tasks.
    #[arg(long, default_value_t = 1, value_name = "N")]
    tasks: u32,
    /// Tasks that are certified together; all of them if left out.
    #[arg(long, value_name = "N")]
    batch_size: Option<u32>,
    /// Limit of fuel of one execution.
    #[arg(long, value_parser = quantity, default_value = "10G")]
    fuel: u64,
    /// Fuel that one execution uses, as `guildhall app run` tells it; the limit if left out.
    #[arg(long, value_parser = quantity)]
    fuel_expected: Option<u64>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    offers: OfferArgs,
}

pub(crate) async fn run(args: QuoteArgs, context: &Context) -> Result<ExitStatus> {
    let policy = args.policy.policy()?;
    let chain = context.chain().await?;
    let pool = chain.pool(PoolId(args.pool)).await?.ok_or_else(|| missing(args.pool))?;
    let batch_size = args.batch_size.unwrap_or(args.tasks).clamp(1, args.tasks.max(1));
    let sought = Sought {
        app: args.app,
        dataset: args.dataset,
        pool: args.pool,
        tasks: args.tasks,
        batch_size,
        fuel_limit: args.fuel,
        offers: args.offers,
    };
    // A key that is named asks for itself: there may be orders for it alone.
    let requester = context.profile.key_if_named().map(|key| address_of(key, context)).transpose()?;
    let offers = offers(sought, &chain, requester.unwrap_or_default(), context).await?;
    let (_, parameters) = chain.parameters().await?;
    let dataset_price = offers.dataset.as_ref().map_or(U256::ZERO, |(order, _)| U256::from(order.price));
    let prices = Prices {
        tasks: args.tasks,
        fuel_limit: Fuel(args.fuel),
        fee_per_mfuel: Amount(U256::from(offers.pool.0.feePerMfuel)),
        app_price: Amount(U256::from(offers.app.0.price)),
        dataset_price: Amount(dataset_price),
        replicas_max: policy.replicasMax,
        pool_share: Bps(pool.share.0),
        protocol_fee: parameters.protocol_fee_bps,
    };
    let question = Question {
        policy,
        tasks: args.tasks,
        batch_size,
        fuel_limit: Fuel(args.fuel),
        fuel_expected: Fuel(args.fuel_expected.unwrap_or(args.fuel).min(args.fuel)),
    };
    let now = members(&chain, PoolId(args.pool)).await?.now();
    let quote = quote(&question, &prices, &parameters, now)?;
    let possible = quote.obstacles.is_empty();
    context.out.result(&quote)?;
    Ok(if possible { ExitStatus::Done } else { ExitStatus::Negative })
}
