//! The city at a glance, what the gateway is, and rounds as their coordinators tell them.

use std::sync::Arc;

use axum::{Router, extract::State, http::HeaderMap, routing::get};
use guildhall_protocol::{PoolId, RoundId};
use guildhall_service::Problem;
use serde_json::{Value, json};

use super::{
    Desk, Shared,
    answer::{Answer, At, Params, chain_problem, json_answer, parsed, shown},
    deals::deal_of,
};
use crate::{
    facts::in_time,
    index::Query,
    limits::PAGE_USUAL,
    objects::{Kind, Object},
};

/// Certificates on the front page.
const LATEST: u32 = 10;

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/about", get(about))
        .route("/now", get(now))
        .route("/rounds/{round}", get(round))
        .route("/deals/{deal}/rounds", get(rounds))
}

async fn about(State(desk): Shared, params: Params, headers: HeaderMap) -> Answer {
    params.done()?;
    let reached = *desk.index.reached().borrow();
    let chain = &desk.chain;
    let asked = async {
        let (head, (version, parameters), bond, deposit) = in_time(async {
            tokio::try_join!(chain.head(), chain.parameters(), chain.minimum_bond(), chain.minimum_deposit())
        })
        .await?;
        Ok(json!({
            "head": { "block": head.block.number.to_string(), "time": head.time },
            "parameters_version": version,
            "parameters": parameters,
            "minimum_bond": bond,
            "minimum_deposit": deposit,
        }))
    };
    let asked = desk.facts.latest(reached.version, "about".to_owned(), asked).await.map_err(chain_problem)?;
    let deployment = chain.deployment();
    let mut answer = json!({
        "chain": deployment.chain_id,
        "contracts": deployment,
        "token": deployment.token,
        "rpc": desk.rpc,
        "version": env!("CARGO_PKG_VERSION"),
        "index": { "block": reached.block.to_string(), "time": reached.time },
    });
    if let (Some(fields), Value::Object(asked)) = (answer.as_object_mut(), asked) {
        fields.extend(asked);
    }
    json_answer(&headers, &answer)
}

/// Totals of a name, as an object by value.
async fn totals(desk: &Desk, name: &str) -> Result<Value, Problem> {
    let totals = desk.index.totals(name).await?;
    Ok(Value::Object(totals.into_iter().map(|(value, total)| (value, total.into())).collect()))
}

async fn now(State(desk): Shared, params: Params, headers: HeaderMap) -> Answer {
    params.done()?;
    let index = &desk.index;
    let (ordered, certified, stake, executions, slashed, operators) = tokio::try_join!(
        index.total("tasks_ordered", ""),
        index.total("tasks_certified", ""),
        index.total("stake_units", ""),
        index.total("executions", ""),
        index.total("slashed_units", ""),
        index.total("operators", ""),
    )?;
    let latest = index.list(Kind::Certificate, &Query { limit: LATEST, ..Query::default() }).await?;
    let latest = latest.items.iter().map(|listed| shown(&listed.object)).collect::<Result<Vec<_>, _>>()?;
    let mut pools = Vec::new();
    for listed in index.list(Kind::Pool, &Query { limit: PAGE_USUAL, ..Query::default() }).await?.items {
        let Object::Pool(pool) = listed.object else { continue };
        let id = pool.id.to_string();
        let (workers, bond) = tokio::try_join!(index.total("workers", &id), index.total("bond_units", &id))?;
        pools.push(json!({ "id": pool.id, "name": pool.name, "workers": workers, "bond": bond.to_string() }));
    }
    let reached = *index.reached().borrow();
    let answer = json!({
        "block": reached.block.to_string(),
        "time": reached.time,
        "tasks_ordered": ordered,
        "tasks_certified": certified,
        "executions": executions,
        "stake": stake.to_string(),
        "slashed": slashed.to_string(),
        "operators": operators,
        "deals": totals(&desk, "deals").await?,
        "certificates": totals(&desk, "certificates").await?,
        "cases": totals(&desk, "cases").await?,
        "assets": totals(&desk, "assets").await?,
        "pools": pools,
        "latest": latest,
    });
    json_answer(&headers, &answer)
}

async fn round(State(desk): Shared, At(id): At<String>, mut params: Params, headers: HeaderMap) -> Answer {
    let pool = params.value::<PoolId>("pool")?;
    params.done()?;
    let id: RoundId = parsed("round id", &id)?;
    let unknown = || {
        Problem::not_found(
            "round.unknown_pool",
            format!("no coordinator has spoken of round {id} since the start"),
        )
        .with_hint("name its pool: `?pool=NUMBER`")
    };
    let pool = pool.or_else(|| desk.rounds.pool_of(id)).ok_or_else(unknown)?;
    let state = desk.coordinator(pool).await?.round(id).await.map_err(super::results::peer_problem)?;
    json_answer(&headers, &json!({ "pool": pool, "state": state }))
}

async fn rounds(State(desk): Shared, At(id): At<String>, params: Params, headers: HeaderMap) -> Answer {
    params.done()?;
    let deal = deal_of(&desk, &id).await?;
    let pool = deal.terms.pool_id();
    let states = desk.coordinator(pool).await?.rounds_of(deal.id).await;
    let states = states.map_err(super::results::peer_problem)?;
    json_answer(&headers, &json!({ "pool": pool, "items": states }))
}
