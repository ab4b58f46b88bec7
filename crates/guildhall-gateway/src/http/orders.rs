//! The order book over HTTP: putting orders on it, reading it, matching and quoting.

use std::sync::Arc;

use alloy::{
    primitives::{Address, B256, Bytes, U256, aliases::U96},
    sol_types::SolCall as _,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse as _,
    routing::{get, post},
};
use guildhall_api::quote::{PoolNow, Question, quote};
use guildhall_chain::{
    bindings::{IVault, Market},
    offers::{Offered, OrderOwner, Sides, Wanted, app_offer, dataset_offer, pool_offer},
};
use guildhall_protocol::{
    Amount, AnyOrder, AssetId, BondUnits, Bps, DealId, Fuel, Policy, PoolId, Prices, RequestOrder,
    SignedOrder, UnixTime,
    matching::{CANCELLED, check_request},
    orders::{AppOrder, DatasetOrder, PoolOrder},
};
use guildhall_service::{Coded as _, Problem};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Desk, Shared,
    answer::{Answer, At, Params, Sent, chain_problem, json_answer, missing, parsed},
};
use crate::{
    book::{Listing, Put, Search, volume_and_nonce},
    facts::in_time,
    limits::{BODY_BYTES, ORDERS, ORDERS_PER_SIGNER},
    objects::{Kind, Object, lower},
};

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/orders", get(orders).post(put))
        .route("/orders/{hash}", get(order))
        .route("/match", post(make_match))
        .route("/quote", post(make_quote))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
}

/// Longest signature taken, in bytes: that of a contract may be longer than a key's.
const SIGNATURE_BYTES: usize = 8 * 1024;

/// What stands on chain in place of the terms of a deal that is over, or of a request that was cancelled.
const CLOSED: B256 = B256::with_last_byte(1);

/// A body as what it has to be. Only JSON that says so: a form of another site cannot.
fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &Sent) -> Result<T, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "gateway.not_json",
            "the body is not said to be JSON",
        )
        .with_hint("send `Content-Type: application/json`"));
    }
    serde_json::from_slice(&body.0).map_err(|error| {
        Problem::bad_request("gateway.bad_json", format!("the body is not what it has to be: {error}"))
    })
}

fn refused(code: &str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
}

fn shown(listing: &Listing) -> Value {
    json!({
        "hash": listing.hash, "price": listing.price, "left": listing.left.to_string(), "signed": listing.signed,
    })
}

async fn orders(State(desk): Shared, mut params: Params, headers: HeaderMap) -> Answer {
    let mut only = Vec::new();
    if let Some(kind) = params.text("kind")? {
        if !matches!(kind.as_str(), "app" | "dataset" | "pool" | "request") {
            return Err(Problem::bad_request("gateway.bad_value", "there is no such kind of orders")
                .with_hint("write `app`, `dataset`, `pool` or `request`"));
        }
        only.push(("kind", kind));
    }
    only.extend(params.value::<AssetId>("app")?.map(|id| ("app", id.to_string())));
    only.extend(params.value::<AssetId>("dataset")?.map(|id| ("dataset", id.to_string())));
    only.extend(params.value::<PoolId>("pool")?.map(|id| ("pool", id.to_string())));
    only.extend(params.value::<Address>("signer")?.map(|signer| ("signer", lower(signer))));
    let after = params.text("cursor")?.map(|cursor| {
        let bad = || Problem::bad_request("gateway.bad_cursor", "this is no cursor of a page of orders");
        let (price, hash) = cursor.split_once('-').ok_or_else(bad)?;
        let (price, hash): (U256, B256) =
            (price.parse().map_err(|_| bad())?, hash.parse().map_err(|_| bad())?);
        Ok::<_, Problem>((price.to_string(), hash.to_string()))
    });
    let after = after.transpose()?;
    let (limit, _) = params.page()?;
    params.done()?;
    let (found, next) = desk.book.search(&Search { only, after, limit }).await?;
    let items: Vec<_> = found.iter().map(shown).collect();
    json_answer(&headers, &json!({ "items": items, "next": next }))
}

async fn order(State(desk): Shared, At(hash): At<String>, params: Params, headers: HeaderMap) -> Answer {
    params.done()?;
    let hash: B256 = parsed("order hash", &hash)?;
    let found = desk.book.order(hash).await?.ok_or_else(|| missing("order", &hash.to_string()))?;
    json_answer(&headers, &shown(&found))
}

async fn put(State(desk): Shared, params: Params, headers: HeaderMap, body: Sent) -> Answer {
    params.done()?;
    let signed: SignedOrder = read(&headers, &body)?;
    let left = check(&desk, &signed).await?;
    let hash = signed.digest();
    let status = match desk.book.put(&signed, left).await? {
        Put::New => {
            desk.hub.book_changed();
            StatusCode::CREATED
        }
        Put::Known => StatusCode::OK,
        Put::TooManyOfSigner => {
            let detail = format!("{} has {ORDERS_PER_SIGNER} orders on the book already", signed.signer);
            return Err(
                Problem::conflict("order.too_many", detail).with_hint("cancel some, or let them expire")
            );
        }
        Put::Full => {
            return Err(Problem::unavailable("order.book_full", format!("the book holds {ORDERS} orders")));
        }
    };
    metrics::counter!("gateway_orders_taken_total").increment(1);
    Ok((status, axum::Json(json!({ "hash": hash, "left": left.to_string() }))).into_response())
}

/// Refuses an order that the Market would not take now; answers with what it has left.
async fn check(desk: &Desk, signed: &SignedOrder) -> Result<u64, Problem> {
    let deployment = desk.chain.deployment();
    if (signed.chain, signed.market) != (deployment.chain_id, deployment.market) {
        let detail = format!("the order is for chain {} and Market {}", signed.chain, signed.market);
        return Err(refused("order.other_chain", detail).with_hint(format!(
            "this gateway serves chain {} and Market {}",
            deployment.chain_id, deployment.market
        )));
    }
    if signed.signature.len() > SIGNATURE_BYTES {
        return Err(refused("order.signature", format!("a signature has at most {SIGNATURE_BYTES} bytes")));
    }
    let head = in_time(desk.chain.head()).await.map_err(chain_problem)?;
    let (_, expiry) = signed.order.subject_and_expiry();
    if expiry < head.time.0 {
        return Err(refused("order.expired", format!("the order expired at {expiry}, now is {}", head.time)));
    }
    let owner = owner_of(desk, &signed.order).await?;
    if owner.address != signed.signer {
        return Err(refused(
            "order.not_owner",
            format!("{} is not the owner, {}", signed.signer, owner.address),
        ));
    }
    let (volume, nonce) = volume_and_nonce(&signed.order);
    if nonce != owner.nonce {
        let detail = format!("the order has nonce {nonce}, its owner's orders have {}", owner.nonce);
        return Err(refused("order.cancelled", detail).with_hint("sign a new one"));
    }
    let digest = signed.digest();
    let asked = async {
        tokio::try_join!(
            desk.chain.filled(digest),
            desk.chain.is_signed_by(digest, &signed.signature, owner.address)
        )
    };
    let (given, signed_well) = in_time(asked).await.map_err(chain_problem)?;
    if !signed_well {
        return Err(refused(
            "order.signature",
            format!("the signature is not {}'s over this order", owner.address),
        ));
    }
    if given == CANCELLED {
        return Err(refused("order.cancelled", "the order was cancelled"));
    }
    if let AnyOrder::Request(request) = &signed.order {
        check_asked(desk, signed, request, head.time).await?;
        return Ok(volume);
    }
    match volume.saturating_sub(given) {
        0 => Err(refused("order.filled", format!("all {volume} tasks of the order were given"))),
        left => Ok(left),
    }
}

/// Who may sign an order, and with which nonce.
async fn owner_of(desk: &Desk, order: &AnyOrder) -> Result<OrderOwner, Problem> {
    let chain = &desk.chain;
    let (owner, what, id) = match order {
        AnyOrder::App(order) => {
            let id = AssetId(order.app);
            (in_time(chain.app_seller(id)).await, "app", id.to_string())
        }
        AnyOrder::Dataset(order) => {
            let id = AssetId(order.dataset);
            (dataset_owner(desk, id).await, "dataset", id.to_string())
        }
        AnyOrder::Pool(order) => {
            let id = PoolId(order.pool);
            (in_time(chain.pool_seller(id)).await, "pool", id.to_string())
        }
        AnyOrder::Request(order) => {
            let nonce = in_time(chain.requester_nonce(order.requester)).await;
            let owner = nonce.map(|nonce| Some(OrderOwner { address: order.requester, nonce }));
            (owner, "requester", order.requester.to_string())
        }
    };
    let gone = || refused(&format!("{what}.missing"), format!("there is no {what} {id} that takes deals"));
    owner.map_err(chain_problem)?.ok_or_else(gone)
}

/// The Registry tells a dataset's nonce beside an app only; events tell it alone.
async fn dataset_owner(desk: &Desk, id: AssetId) -> Result<Option<OrderOwner>, guildhall_chain::ChainError> {
    let Some(found) = in_time(desk.chain.dataset(id)).await? else { return Ok(None) };
    let row = desk.index.object(Kind::Asset, &id.to_string()).await;
    let nonce = match row {
        Ok(Some(Object::Asset(asset))) => asset.nonce,
        _ => 0,
    };
    Ok(Some(OrderOwner { address: found.owner, nonce }))
}

/// What a request has to be beside an order: possible, unused, signed by its payer, and paid for.
async fn check_asked(
    desk: &Desk,
    signed: &SignedOrder,
    request: &RequestOrder,
    now: UnixTime,
) -> Result<(), Problem> {
    let chain = &desk.chain;
    let deal = DealId(signed.digest());
    let asked = async {
        tokio::try_join!(
            chain.parameters(),
            chain.deal_hash(deal),
            chain.balance(request.payer),
            chain.tokens(request.payer),
            chain.allowance(request.payer),
        )
    };
    let ((_, parameters), known, balance, tokens, allowance) = in_time(asked).await.map_err(chain_problem)?;
    check_request(request, &parameters, now).map_err(|error| refused(error.code(), error.to_string()))?;
    if let Some(hash) = known {
        // The chain says the same of a request that was cancelled and of a deal that is over; but that one was heard of.
        let cancelled = hash == CLOSED && desk.index.object(Kind::Deal, &deal.to_string()).await?.is_none();
        return Err(match cancelled {
            true => refused("order.cancelled", "the request was cancelled").with_hint("sign a new one"),
            false => refused("order.filled", format!("the request has become deal {deal}")),
        });
    }
    if request.payer != request.requester {
        let signature = signed.payer_signature.clone().unwrap_or_default();
        let well =
            in_time(chain.is_signed_by(deal.0, &signature, request.payer)).await.map_err(chain_problem)?;
        if !well {
            return Err(refused("order.payer", format!("{} has not signed to pay for it", request.payer)));
        }
    }
    let needed = most(request).map_err(|error| refused(error.code(), error.to_string()))?;
    let has = balance.saturating_add(tokens.min(allowance));
    if has < needed {
        let detail = format!("the request may lock {needed}, its payer has {has} at hand");
        return Err(
            refused("order.funds", detail).with_hint("pay in, or approve the Vault, or lower the caps")
        );
    }
    Ok(())
}

/// What a request locks at most.
fn most(request: &RequestOrder) -> Result<Amount, guildhall_protocol::payouts::PayoutError> {
    let prices = Prices {
        tasks: request.batchSize,
        fuel_limit: Fuel(request.fuelLimit),
        fee_per_mfuel: Amount(U256::from(request.feePerMfuelMax)),
        app_price: Amount(U256::from(request.appPriceMax)),
        dataset_price: Amount(U256::from(request.datasetPriceMax)),
        replicas_max: request.policy.replicasMax,
        pool_share: Bps::ZERO,
        protocol_fee: Bps::ZERO,
    };
    guildhall_protocol::payouts::deal_lock(&prices, request.taskCount, request.batchSize)
}

/// What a request can pay: the Market refuses orders that ask more.
#[derive(Clone, Copy)]
struct Means {
    app: U96,
    dataset: U96,
    fee_per_mfuel: U96,
}

impl Means {
    const fn of(request: &RequestOrder) -> Self {
        Self {
            app: request.appPriceMax,
            dataset: request.datasetPriceMax,
            fee_per_mfuel: request.feePerMfuelMax,
        }
    }
}

/// An order that asks more than `most` is not for this deal.
fn within<T>(mut offered: Offered<T>, most: U96) -> Offered<T> {
    if offered.not_for.is_none() && offered.price > most {
        offered.not_for = Some(format!("asks {}, the request pays {most} at most", offered.price));
    }
    offered
}

/// The other sides of a deal, and why others were passed over.
async fn sides(desk: &Desk, wanted: &Wanted, means: Means) -> Result<Sides, Problem> {
    let (chain, app, dataset) = (&desk.chain, AssetId(wanted.app), AssetId(wanted.dataset));
    let now = in_time(chain.head()).await.map_err(chain_problem)?.time;
    let gone = |what: &str, id: String| {
        refused(&format!("{what}.missing"), format!("there is no {what} {id} that takes deals"))
    };
    let owner = in_time(chain.app_seller(app)).await.map_err(chain_problem)?;
    let owner = owner.ok_or_else(|| gone("app", app.to_string()))?;
    let read = |order: &AnyOrder| Some(within::<AppOrder>(app_offer(order, wanted)?, means.app));
    let app = cheapest(desk, ("app", app.to_string()), owner, wanted, now, read).await?;
    let dataset = if dataset.0.is_zero() {
        None
    } else {
        let owner = dataset_owner(desk, dataset).await.map_err(chain_problem)?;
        let owner = owner.ok_or_else(|| gone("dataset", dataset.to_string()))?;
        let side = ("dataset", dataset.to_string());
        let read =
            |order: &AnyOrder| Some(within::<DatasetOrder>(dataset_offer(order, wanted)?, means.dataset));
        Some(cheapest(desk, side, owner, wanted, now, read).await?)
    };
    let owner = in_time(chain.pool_seller(PoolId(wanted.pool))).await.map_err(chain_problem)?;
    let owner = owner.ok_or_else(|| gone("pool", wanted.pool.to_string()))?;
    let read = |order: &AnyOrder| Some(within::<PoolOrder>(pool_offer(order, wanted)?, means.fee_per_mfuel));
    let pool = cheapest(desk, ("pool", wanted.pool.to_string()), owner, wanted, now, read).await?;
    Ok(Sides { app, dataset, pool })
}

/// The cheapest order of a side that the Market would take.
async fn cheapest<T>(
    desk: &Desk,
    (side, id): (&'static str, String),
    owner: OrderOwner,
    wanted: &Wanted,
    now: UnixTime,
    read: impl Fn(&AnyOrder) -> Option<Offered<T>>,
) -> Result<(T, Bytes), Problem> {
    let mut passed_over = Vec::new();
    for listing in desk.book.cheapest(side, &id).await? {
        let Some(offered) = read(&listing.signed.order) else { continue };
        let asked = desk.chain.why_not(&listing.signed, &offered, owner, wanted, now);
        match in_time(asked).await.map_err(chain_problem)? {
            None => return Ok((offered.order, listing.signed.signature)),
            Some(why) => passed_over.push(format!("{} {why}", listing.hash)),
        }
    }
    let detail = if passed_over.is_empty() {
        format!("there is no order for {side} {id} on the book")
    } else {
        format!("no order for {side} {id} can be taken: {}", passed_over.join("; "))
    };
    Err(refused("order.none_found", detail)
        .with_hint(format!("its owner signs one: `POST /orders`, {side} {id}")))
}

/// What a match is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MatchAsked {
    /// The request.
    order: RequestOrder,
    /// The requester's signature, if there is one yet.
    #[serde(default)]
    signature: Option<Bytes>,
    /// The payer's, where that is somebody else.
    #[serde(default)]
    payer_signature: Option<Bytes>,
}

/// The call that opens the deal. What the payer lacks in the Vault is taken of its tokens, as far as it allowed that: the permit that
/// the call brings is none, and the Vault goes on without.
async fn opening(
    desk: &Desk,
    sides: &Sides,
    request: &RequestOrder,
    signatures: (Bytes, Bytes),
    lock: Amount,
) -> Result<Bytes, Problem> {
    let call = sides.call(request, signatures).map_err(chain_problem)?;
    if in_time(desk.chain.balance(request.payer)).await.map_err(chain_problem)? >= lock {
        return Ok(call.abi_encode().into());
    }
    let Market::matchOrdersCall { app, dataset, pool, request, signatures } = call;
    let permit = IVault::Permit::default();
    Ok(Market::matchWithPermitCall { app, dataset, pool, request, signatures, permit }.abi_encode().into())
}

async fn make_match(State(desk): Shared, params: Params, headers: HeaderMap, body: Sent) -> Answer {
    params.done()?;
    let asked: MatchAsked = read(&headers, &body)?;
    let request = asked.order;
    let wanted = Wanted {
        app: request.app,
        dataset: request.dataset,
        pool: request.pool,
        requester: request.requester,
        tasks: request.taskCount,
        batch_size: request.batchSize,
        fuel_limit: request.fuelLimit,
    };
    let sides = sides(&desk, &wanted, Means::of(&request)).await?;
    let deployment = desk.chain.deployment();
    let deal = AnyOrder::Request(Box::new(request)).digest(deployment.chain_id, deployment.market);
    let lock = sides.lock(&request).map_err(|error| refused(error.code(), error.to_string()))?;
    let transaction = match asked.signature {
        None => Value::Null,
        Some(signature) => {
            let signatures = (signature, asked.payer_signature.unwrap_or_default());
            let data = opening(&desk, &sides, &request, signatures, lock).await?;
            json!({
                "chain": deployment.chain_id, "to": deployment.market, "data": data,
                "value": "0",
            })
        }
    };
    let side = |order: Value, signature: &Bytes| json!({ "order": order, "signature": signature });
    let dataset = sides.dataset.as_ref().map(|(order, signature)| side(json!(order), signature));
    let answer = json!({
        "deal": deal,
        "lock": lock,
        "app": side(json!(sides.app.0), &sides.app.1),
        "dataset": dataset,
        "pool": side(json!(sides.pool.0), &sides.pool.1),
        "transaction": transaction,
    });
    json_answer(&headers, &answer)
}

/// What a quote is asked with. Numbers that may be large are decimal strings, as everywhere.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuoteAsked {
    app: AssetId,
    #[serde(default)]
    dataset: AssetId,
    pool: PoolId,
    #[serde(default)]
    requester: Address,
    tasks: u32,
    #[serde(default)]
    batch_size: Option<u32>,
    fuel_limit: Fuel,
    #[serde(default)]
    fuel_expected: Option<Fuel>,
    policy: Policy,
}

async fn make_quote(State(desk): Shared, params: Params, headers: HeaderMap, body: Sent) -> Answer {
    params.done()?;
    let asked: QuoteAsked = read(&headers, &body)?;
    if asked.tasks == 0 {
        return Err(refused("quote.no_tasks", "a deal has one task at least"));
    }
    let batch = asked.batch_size.unwrap_or(asked.tasks).clamp(1, asked.tasks);
    let wanted = Wanted {
        app: asked.app.0,
        dataset: asked.dataset.0,
        pool: asked.pool.0,
        requester: asked.requester,
        tasks: asked.tasks,
        batch_size: batch,
        fuel_limit: asked.fuel_limit.0,
    };
    // Who asks for prices names no caps.
    let means = Means { app: U96::MAX, dataset: U96::MAX, fee_per_mfuel: U96::MAX };
    let sides = sides(&desk, &wanted, means).await?;
    let chain = &desk.chain;
    let read = async { tokio::try_join!(chain.parameters(), chain.pool(asked.pool)) };
    let ((_, parameters), pool) = in_time(read).await.map_err(chain_problem)?;
    let dataset = sides.dataset.as_ref().map_or(U256::ZERO, |(order, _)| U256::from(order.price));
    let prices = Prices {
        tasks: asked.tasks,
        fuel_limit: asked.fuel_limit,
        fee_per_mfuel: Amount(U256::from(sides.pool.0.feePerMfuel)),
        app_price: Amount(U256::from(sides.app.0.price)),
        dataset_price: Amount(dataset),
        replicas_max: asked.policy.replicasMax,
        pool_share: pool.map(|pool| pool.share).unwrap_or_default(),
        protocol_fee: parameters.protocol_fee_bps,
    };
    let question = Question {
        policy: asked.policy,
        tasks: asked.tasks,
        batch_size: batch,
        fuel_limit: asked.fuel_limit,
        fuel_expected: asked.fuel_expected.unwrap_or(asked.fuel_limit).min(asked.fuel_limit),
    };
    let now = pool_now(&desk, asked.pool).await?;
    let quote = quote(&question, &prices, &parameters, now)
        .map_err(|error| refused(error.code(), error.to_string()))?;
    let answer = json!({
        "quote": quote,
        "prices": {
            "app": prices.app_price, "dataset": prices.dataset_price, "fee_per_mfuel": prices.fee_per_mfuel,
        },
    });
    json_answer(&headers, &answer)
}

/// Who works in a pool, as the index has it.
async fn pool_now(desk: &Desk, pool: PoolId) -> Result<PoolNow, Problem> {
    let id = pool.to_string();
    let (workers, bond, operators) = tokio::try_join!(
        desk.index.total("workers", &id),
        desk.index.total("bond_units", &id),
        desk.index.operators_of(pool),
    )?;
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let bond = BondUnits(u64::try_from(bond).unwrap_or_default());
    Ok(PoolNow { workers: count(workers), operators: count(operators), bond })
}
