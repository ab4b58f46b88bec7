//! Workers, operators, accounts.

use std::sync::Arc;

use alloy::primitives::Address;
use axum::{Router, extract::State, http::HeaderMap, routing::get};
use guildhall_protocol::{Amount, OperatorId, PoolId};
use guildhall_service::Problem;
use serde_json::{Value, json};

use super::{
    Desk, Shared,
    answer::{Answer, At, Params, chain_problem, json_answer, page_of, parsed, shown},
};
use crate::{
    facts::in_time,
    index::Query,
    limits::PAGE_MAX,
    objects::{Activity, Kind, Object, lower},
};

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/workers", get(workers))
        .route("/workers/{address}", get(worker))
        .route("/workers/{address}/history", get(history))
        .route("/operators/{operator}", get(operator))
        .route("/accounts/{address}", get(account))
}

async fn workers(State(desk): Shared, mut params: Params, headers: HeaderMap) -> Answer {
    let (limit, after) = params.page()?;
    let mut facets = Vec::new();
    facets.extend(params.value::<PoolId>("pool")?.map(|pool| ("pool", pool.to_string())));
    facets.extend(params.value::<OperatorId>("operator")?.map(|operator| ("operator", operator.to_string())));
    params.done()?;
    let page = desk.index.list(Kind::Worker, &Query { facets, after, limit, ascending: false }).await?;
    json_answer(&headers, &page_of(page, |listed| shown(&listed.object))?)
}

/// A worker's state as the chain has it now.
async fn now_of(desk: &Desk, address: Address) -> Result<Value, Problem> {
    let version = desk.index.reached().borrow().version;
    let asked = async {
        let (worker, head) =
            in_time(async { tokio::try_join!(desk.chain.worker(address), desk.chain.head()) }).await?;
        let Some(worker) = worker else { return Ok(Value::Null) };
        let seats_from = match worker.activity {
            guildhall_chain::words::Activity::Since(block) => Some(block.to_string()),
            _ => None,
        };
        Ok(json!({
            "block": head.block.number.to_string(),
            "activity": Activity::from(worker.activity),
            "seats_from": seats_from,
            "bond": worker.bond,
            "reputation": worker.reputation,
            "exposure": worker.exposure(head.time),
            "room": worker.room(head.time),
        }))
    };
    desk.facts.latest(version, format!("worker {address}"), asked).await.map_err(chain_problem)
}

async fn worker(State(desk): Shared, At(id): At<String>, params: Params, headers: HeaderMap) -> Answer {
    params.done()?;
    let address: Address = parsed("address", &id)?;
    let mut value = shown(&desk.object(Kind::Worker, &lower(address)).await?)?;
    let now = now_of(&desk, address).await?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("now".to_owned(), now);
    }
    json_answer(&headers, &value)
}

async fn history(State(desk): Shared, At(id): At<String>, mut params: Params, headers: HeaderMap) -> Answer {
    let (limit, after) = params.page()?;
    params.done()?;
    let address: Address = parsed("address", &id)?;
    desk.object(Kind::Worker, &lower(address)).await?;
    let page = desk.index.history(&lower(address), after, limit).await?;
    let page = page_of(page, |(_, point)| {
        serde_json::to_value(point).map_err(|error| Problem::internal("gateway.json", error.to_string()))
    })?;
    json_answer(&headers, &page)
}

async fn operator(State(desk): Shared, At(id): At<String>, mut params: Params, headers: HeaderMap) -> Answer {
    let (limit, after) = params.page()?;
    params.done()?;
    // By number, or by the address that owns it.
    let number = match id.parse::<Address>() {
        Ok(owner) if id.starts_with("0x") => {
            let facets = vec![("owner", lower(owner))];
            let found =
                desk.index.list(Kind::Operator, &Query { facets, limit: 1, ..Query::default() }).await?;
            match found.items.into_iter().next().map(|listed| listed.object) {
                Some(Object::Operator(operator)) => operator.id,
                _ => return Err(super::answer::missing("operator", &id)),
            }
        }
        _ => parsed("operator", &id)?,
    };
    let mut value = shown(&desk.object(Kind::Operator, &number.to_string()).await?)?;
    let facets = vec![("operator", number.to_string())];
    let page = desk.index.list(Kind::Worker, &Query { facets, after, limit, ascending: false }).await?;
    let workers = page_of(page, |listed| shown(&listed.object))?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("workers".to_owned(), workers);
    }
    json_answer(&headers, &value)
}

/// The first objects of a kind with a facet, two hundred at most.
async fn owned(desk: &Desk, kind: Kind, name: &'static str, value: String) -> Result<Vec<Value>, Problem> {
    let query = Query { facets: vec![(name, value)], limit: PAGE_MAX, ..Query::default() };
    desk.index.list(kind, &query).await?.items.iter().map(|listed| shown(&listed.object)).collect()
}

/// What an account's open deals still hold, of the latest two hundred.
async fn locked(desk: &Desk, address: Address) -> Result<Amount, Problem> {
    let facets = vec![("payer", lower(address)), ("status", "open".to_owned())];
    let page = desk.index.list(Kind::Deal, &Query { facets, limit: PAGE_MAX, ..Query::default() }).await?;
    Ok(page.items.iter().fold(Amount::ZERO, |sum, listed| match &listed.object {
        Object::Deal(deal) => {
            let held = deal.locked.saturating_sub(deal.paid).saturating_sub(deal.refunded);
            sum.saturating_add(held)
        }
        _ => sum,
    }))
}

async fn account(State(desk): Shared, At(id): At<String>, params: Params, headers: HeaderMap) -> Answer {
    params.done()?;
    let address: Address = parsed("address", &id)?;
    let version = desk.index.reached().borrow().version;
    let chain = &desk.chain;
    let asked = async {
        let (balance, tokens, allowance, coins, nonce) = in_time(async {
            tokio::try_join!(
                chain.balance(address),
                chain.tokens(address),
                chain.allowance(address),
                chain.coins_wei(address),
                chain.requester_nonce(address),
            )
        })
        .await?;
        Ok(json!({
            "balance": balance, "tokens": tokens, "allowance": allowance, "coins": coins.to_string(),
            "nonce": nonce.to_string(),
        }))
    };
    let now = desk.facts.latest(version, format!("account {address}"), asked).await.map_err(chain_problem)?;
    let row = desk.index.object(Kind::Account, &lower(address)).await?;
    let answer = json!({
        "address": address,
        "now": now,
        "locked": locked(&desk, address).await?,
        "history": row.as_ref().map(shown).transpose()?,
        "assets": owned(&desk, Kind::Asset, "owner", lower(address)).await?,
        "pools": owned(&desk, Kind::Pool, "owner", lower(address)).await?,
        "operator": owned(&desk, Kind::Operator, "owner", lower(address)).await?.pop(),
    });
    json_answer(&headers, &answer)
}
