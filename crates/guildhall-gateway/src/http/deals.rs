//! Deals, batches, tasks, certificates, cases.

use std::{collections::HashMap, sync::Arc};

use axum::{Router, extract::State, http::HeaderMap, routing::get};
use guildhall_protocol::{CaseId, DealId, Status};
use guildhall_service::Problem;
use serde_json::{Value, json};

use super::{
    Desk, Shared,
    answer::{Answer, At, Params, json_answer, missing, page_of, parsed, shown},
};
use crate::{
    index::{Page, Query},
    objects::{Batch, Deal, DealStatus, Kind, Object, batch_key, certificate_key, lower},
    recorded::Place,
    said::said,
};

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/deals", get(deals))
        .route("/deals/{deal}", get(deal))
        .route("/deals/{deal}/batches", get(batches))
        .route("/deals/{deal}/batches/{batch}", get(batch))
        .route("/deals/{deal}/tasks/{task}", get(task))
        .route("/deals/{deal}/events", get(events))
        .route("/certificates", get(certificates))
        .route("/cases", get(cases))
        .route("/cases/{case}", get(case))
}

/// The addresses, numbers and words by which a list is narrowed down, of those that it takes.
fn facets(params: &mut Params, names: &[&'static str]) -> Result<Vec<(&'static str, String)>, Problem> {
    let mut facets = Vec::new();
    for &name in names {
        let value = match name {
            "requester" => params.value::<alloy::primitives::Address>(name)?.map(lower),
            "deal" => params.value::<DealId>(name)?.map(|deal| deal.to_string()),
            "app" | "dataset" => params.value::<guildhall_protocol::AssetId>(name)?.map(|id| id.to_string()),
            "pool" => params.value::<guildhall_protocol::PoolId>(name)?.map(|id| id.to_string()),
            _ => params.text(name)?,
        };
        facets.extend(value.map(|value| (name, value)));
    }
    Ok(facets)
}

async fn deals(State(desk): Shared, mut params: Params, headers: HeaderMap) -> Answer {
    let (limit, after) = params.page()?;
    let facets = facets(&mut params, &["requester", "app", "dataset", "pool", "status"])?;
    params.done()?;
    let known = [DealStatus::Open, DealStatus::Certified, DealStatus::Partly, DealStatus::Refunded];
    if let Some((_, status)) = facets.iter().find(|(name, _)| *name == "status")
        && !known.iter().any(|known| known.name() == status)
    {
        return Err(Problem::bad_request("gateway.bad_value", "no deal has such a status")
            .with_hint("write `open`, `certified`, `partly` or `refunded`"));
    }
    let page = desk.index.list(Kind::Deal, &Query { facets, after, limit, ascending: false }).await?;
    json_answer(&headers, &page_of(page, |listed| shown(&listed.object))?)
}

/// A deal that has to be there.
pub(super) async fn deal_of(desk: &Desk, id: &str) -> Result<Deal, Problem> {
    let id: DealId = parsed("deal id", id)?;
    match desk.object(Kind::Deal, &id.to_string()).await? {
        Object::Deal(deal) => Ok(*deal),
        _ => Err(missing("deal", &id.to_string())),
    }
}

async fn deal(State(desk): Shared, At(id): At<String>, params: Params, headers: HeaderMap) -> Answer {
    params.done()?;
    let deal = deal_of(&desk, &id).await?;
    json_answer(&headers, &shown(&Object::Deal(Box::new(deal)))?)
}

/// A batch as it is shown: with what time alone has changed.
fn batch_shown(batch: Batch, tasks: u32, now: guildhall_protocol::UnixTime) -> Result<Value, Problem> {
    let over = batch.final_at.is_some_and(|at| now >= at);
    let status = if batch.status == Status::Provisional && over { Status::Final } else { batch.status };
    let mut value = shown(&Object::Batch(Box::new(Batch { status, ..batch })))?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("tasks".to_owned(), tasks.into());
    }
    Ok(value)
}

async fn batches(State(desk): Shared, At(id): At<String>, mut params: Params, headers: HeaderMap) -> Answer {
    let (limit, after) = params.page()?;
    params.done()?;
    let deal = deal_of(&desk, &id).await?;
    let from = after.map_or(0, |after| u32::try_from(after.0.saturating_add(1)).unwrap_or(u32::MAX));
    let to = from.saturating_add(limit).min(deal.batches.all);
    let ids: Vec<_> = (from..to).map(|batch| batch_key(deal.id, batch).id).collect();
    let found = desk.index.objects(Kind::Batch, &ids).await?;
    let mut rows: HashMap<u32, Batch> = found
        .into_iter()
        .filter_map(|object| match object {
            Object::Batch(batch) => Some((batch.batch, *batch)),
            _ => None,
        })
        .collect();
    let now = desk.index.reached().borrow().time;
    let items: Vec<_> = (from..to)
        .map(|number| rows.remove(&number).unwrap_or_else(|| Batch::untouched(deal.id, number, deal.at)))
        .collect();
    let next = (to < deal.batches.all && to > from).then(|| Place(i64::from(to) - 1));
    let tasks = |batch: &Batch| deal.terms.tasks_of(batch.batch).unwrap_or_default();
    let page = page_of(Page { items, next }, |batch| {
        let tasks = tasks(&batch);
        batch_shown(batch, tasks, now)
    })?;
    json_answer(&headers, &page)
}

/// A batch of a deal with its certificate, if it has one.
async fn batch_value(desk: &Desk, deal: &Deal, number: u32) -> Result<Value, Problem> {
    let tasks = deal
        .terms
        .tasks_of(number)
        .map_err(|error| Problem::not_found("batch.missing", error.to_string()))?;
    let found = desk.index.object(Kind::Batch, &batch_key(deal.id, number).id).await?;
    let batch = match found {
        Some(Object::Batch(batch)) => *batch,
        _ => Batch::untouched(deal.id, number, deal.at),
    };
    let now = desk.index.reached().borrow().time;
    let cases: Vec<_> = batch.cases.iter().map(ToString::to_string).collect();
    let mut value = batch_shown(batch, tasks, now)?;
    let certificate = desk.index.object(Kind::Certificate, &certificate_key(deal.id, number).id).await?;
    let cases = desk.index.objects(Kind::Case, &cases).await?;
    if let Some(fields) = value.as_object_mut() {
        let certificate = certificate.as_ref().map(shown).transpose()?;
        fields.insert("certificate".to_owned(), certificate.unwrap_or_default());
        fields.insert("cases".to_owned(), cases.iter().map(shown).collect::<Result<_, _>>()?);
    }
    Ok(value)
}

async fn batch(
    State(desk): Shared,
    At((id, number)): At<(String, u32)>,
    params: Params,
    headers: HeaderMap,
) -> Answer {
    params.done()?;
    let deal = deal_of(&desk, &id).await?;
    json_answer(&headers, &batch_value(&desk, &deal, number).await?)
}

async fn task(
    State(desk): Shared,
    At((id, number)): At<(String, u32)>,
    params: Params,
    headers: HeaderMap,
) -> Answer {
    params.done()?;
    let deal = deal_of(&desk, &id).await?;
    let (batch, index) =
        deal.terms.locate(number).map_err(|error| Problem::not_found("task.missing", error.to_string()))?;
    let found = desk.index.object(Kind::Task, &format!("{}/{number}", deal.id)).await?;
    let delivery = match found {
        Some(Object::Task(task)) => task.delivery,
        _ => None,
    };
    let answer = json!({
        "deal": deal.id,
        "task": number,
        "index": index,
        "batch": batch_value(&desk, &deal, batch).await?,
        "delivery": delivery,
        "result": format!("/api/v1/deals/{}/results/{batch}", deal.id),
    });
    json_answer(&headers, &answer)
}

async fn events(State(desk): Shared, At(id): At<String>, mut params: Params, headers: HeaderMap) -> Answer {
    let (limit, after) = params.page()?;
    params.done()?;
    let deal = deal_of(&desk, &id).await?;
    let page = desk.index.events(Kind::Deal, &deal.id.to_string(), after, limit).await?;
    let facts = desk.facts.of_events(&desk.chain, &page.items).await;
    let page = page_of(page, |event| {
        let (time, cost) = facts.get(&(event.place.block(), event.transaction)).copied().unwrap_or_default();
        Ok(json!({
            "block": event.place.block().to_string(),
            "log_index": event.place.log_index(),
            "transaction": event.transaction,
            "time": time,
            "cost": cost,
            "contract": event.kind.contract(),
            "name": event.name,
            "batch": event.kind.deal().and_then(|(_, batch)| batch),
            "said": said(&event.kind),
        }))
    })?;
    json_answer(&headers, &page)
}

async fn certificates(State(desk): Shared, params: Params, headers: HeaderMap) -> Answer {
    latest(&desk, Kind::Certificate, &["deal", "pool"], params, &headers).await
}

async fn cases(State(desk): Shared, params: Params, headers: HeaderMap) -> Answer {
    latest(&desk, Kind::Case, &["deal", "state"], params, &headers).await
}

/// Objects as they are, the latest first.
async fn latest(
    desk: &Desk,
    kind: Kind,
    names: &[&'static str],
    mut params: Params,
    headers: &HeaderMap,
) -> Answer {
    let (limit, after) = params.page()?;
    let facets = facets(&mut params, names)?;
    params.done()?;
    let page = desk.index.list(kind, &Query { facets, after, limit, ascending: false }).await?;
    json_answer(headers, &page_of(page, |listed| shown(&listed.object))?)
}

async fn case(State(desk): Shared, At(id): At<String>, params: Params, headers: HeaderMap) -> Answer {
    params.done()?;
    let id: CaseId = parsed("case id", &id)?;
    json_answer(&headers, &shown(&desk.object(Kind::Case, &id.to_string()).await?)?)
}
