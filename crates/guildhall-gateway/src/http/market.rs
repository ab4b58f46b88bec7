//! Pools, apps, datasets.

use std::sync::Arc;

use axum::{Router, extract::State, http::HeaderMap, routing::get};
use guildhall_protocol::{AssetId, PoolId};
use guildhall_service::Problem;
use serde_json::{Value, json};

use super::{
    Desk, Shared,
    answer::{Answer, At, Params, json_answer, missing, parsed, shown},
};
use crate::{
    index::Query,
    objects::{AssetKind, Kind, Object},
};

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/pools", get(pools))
        .route("/pools/{pool}", get(pool))
        .route(
            "/apps",
            get(async |desk, params, headers| assets(desk, AssetKind::App, params, headers).await),
        )
        .route(
            "/datasets",
            get(async |desk, params, headers| assets(desk, AssetKind::Dataset, params, headers).await),
        )
        .route(
            "/apps/{id}",
            get(async |desk, at, params, headers| asset(desk, AssetKind::App, at, params, headers).await),
        )
        .route(
            "/datasets/{id}",
            get(async |desk, at, params, headers| asset(desk, AssetKind::Dataset, at, params, headers).await),
        )
}

/// A pool with what its workers add up to.
async fn pool_value(desk: &Desk, object: &Object) -> Result<Value, Problem> {
    let mut value = shown(object)?;
    let Object::Pool(pool) = object else { return Ok(value) };
    let id = pool.id.to_string();
    let (workers, bond, deals) = tokio::try_join!(
        desk.index.total("workers", &id),
        desk.index.total("bond_units", &id),
        desk.index.total("pool_deals", &id),
    )?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("workers".to_owned(), workers.into());
        fields.insert("bond".to_owned(), bond.to_string().into());
        fields.insert("deals".to_owned(), deals.into());
        fields.insert("best".to_owned(), desk.best("pool", &id).await?);
    }
    Ok(value)
}

async fn pools(State(desk): Shared, mut params: Params, headers: HeaderMap) -> Answer {
    let (limit, after) = params.page()?;
    params.done()?;
    let page = desk.index.list(Kind::Pool, &Query { after, limit, ..Query::default() }).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for listed in &page.items {
        items.push(pool_value(&desk, &listed.object).await?);
    }
    json_answer(&headers, &json!({ "items": items, "next": page.next.map(|next| next.0.to_string()) }))
}

async fn pool(State(desk): Shared, At(id): At<String>, params: Params, headers: HeaderMap) -> Answer {
    params.done()?;
    let id: PoolId = parsed("pool", &id)?;
    json_answer(&headers, &pool_value(&desk, &desk.object(Kind::Pool, &id.to_string()).await?).await?)
}

/// An asset with how often it was used.
async fn asset_value(desk: &Desk, object: &Object) -> Result<Value, Problem> {
    let mut value = shown(object)?;
    let Object::Asset(asset) = object else { return Ok(value) };
    let id = asset.id.to_string();
    let (deals, tasks) =
        tokio::try_join!(desk.index.total("asset_deals", &id), desk.index.total("asset_tasks", &id))?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("deals".to_owned(), deals.into());
        fields.insert("tasks".to_owned(), tasks.into());
        fields.insert("best".to_owned(), desk.best(asset.kind.name(), &id).await?);
    }
    Ok(value)
}

async fn assets(State(desk): Shared, kind: AssetKind, mut params: Params, headers: HeaderMap) -> Answer {
    let (limit, after) = params.page()?;
    params.done()?;
    let facets = vec![("kind", kind.name().to_owned())];
    let page = desk.index.list(Kind::Asset, &Query { facets, after, limit, ascending: false }).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for listed in &page.items {
        items.push(asset_value(&desk, &listed.object).await?);
    }
    json_answer(&headers, &json!({ "items": items, "next": page.next.map(|next| next.0.to_string()) }))
}

async fn asset(
    State(desk): Shared,
    kind: AssetKind,
    At(id): At<String>,
    params: Params,
    headers: HeaderMap,
) -> Answer {
    params.done()?;
    let id: AssetId = parsed("asset number", &id)?;
    let object = desk.index.object(Kind::Asset, &id.to_string()).await?;
    match &object {
        Some(found @ Object::Asset(asset)) if asset.kind == kind => {
            json_answer(&headers, &asset_value(&desk, found).await?)
        }
        _ => Err(missing(kind.name(), &id.to_string())),
    }
}
