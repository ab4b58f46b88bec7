//! `eth_subscribe`: heads, logs and accepted transactions as they come.
//!
//! A subscription reads blocks by number from where it stands, so that a slow client misses nothing
//! and holds up nobody; one that falls too far behind is ended.

use super::{Api, RpcResult, Table, convert, error::RpcError, expect_new, logs};
use alloy::{
    primitives::B256,
    rpc::types::pubsub::{Params as Wanted, SubscriptionKind},
};
use jsonrpsee::{
    PendingSubscriptionSink, SubscriptionSink,
    core::{SubscriptionResult, server::SubscriptionMessage},
    types::Params,
};
use serde::Serialize;
use serde_json::value::to_raw_value;
use std::sync::Arc;

/// How many blocks a subscriber may be behind before its subscription ends.
const MAX_BEHIND: u64 = 4_096;

pub(super) fn register(table: &mut Table) {
    let registered = table.module.register_subscription(
        "eth_subscribe",
        "eth_subscription",
        "eth_unsubscribe",
        |params, pending, api, _| async move { subscribe(&params, pending, api).await },
    );
    expect_new(registered.map(|_| ()));
}

fn parse(params: &Params<'_>) -> RpcResult<(SubscriptionKind, Wanted)> {
    let mut params = params.sequence();
    let kind: SubscriptionKind = params.next()?;
    let wanted: Wanted = params.optional_next()?.unwrap_or_default();
    match (&kind, &wanted) {
        (SubscriptionKind::NewHeads, _)
        | (SubscriptionKind::Logs, Wanted::None)
        | (SubscriptionKind::NewPendingTransactions, Wanted::None | Wanted::Bool(_)) => {}
        (SubscriptionKind::Logs, Wanted::Logs(filter)) => {
            logs::query(filter)?;
        }
        _ => {
            return Err(RpcError::Params("subscribe to newHeads, logs or newPendingTransactions".to_owned()));
        }
    }
    Ok((kind, wanted))
}

async fn subscribe(
    params: &Params<'_>,
    pending: PendingSubscriptionSink,
    api: Arc<Api>,
) -> SubscriptionResult {
    let (kind, wanted) = match parse(params) {
        Ok(parsed) => parsed,
        Err(error) => {
            pending.reject(error).await;
            return Ok(());
        }
    };
    // Where it starts is fixed before the client learns of it: what comes after that is reported.
    let start = api.ledger.head().number + 1;
    let position = api.ledger.shared().pool().accepted_position();
    let sink = pending.accept().await?;
    // Both end with `None` when the client is gone or too slow: there is nobody left to tell.
    let _ = match kind {
        SubscriptionKind::NewPendingTransactions => {
            let whole = matches!(wanted, Wanted::Bool(true));
            follow_accepted(&sink, &api, position, whole).await
        }
        kind => follow_blocks(&sink, &api, start, &kind, &wanted).await,
    };
    Ok(())
}

async fn send(sink: &SubscriptionSink, item: &impl Serialize) -> Option<()> {
    let message: SubscriptionMessage = to_raw_value(item).ok()?.into();
    sink.send(message).await.ok()
}

async fn follow_blocks(
    sink: &SubscriptionSink,
    api: &Api,
    mut next: u64,
    kind: &SubscriptionKind,
    wanted: &Wanted,
) -> Option<()> {
    let mut heads = api.ledger.subscribe_heads();
    loop {
        let head = heads.borrow_and_update().number;
        if (head + 1).saturating_sub(next) > MAX_BEHIND {
            tracing::warn!(behind = head + 1 - next, "a subscriber fell behind; its subscription ends");
            return None;
        }
        while next <= head {
            let block = api.ledger.block(next).ok()?;
            match (kind, wanted) {
                (SubscriptionKind::NewHeads, _) => send(sink, &convert::header(&block)).await?,
                (_, Wanted::Logs(filter)) => {
                    for log in convert::logs(&block, filter) {
                        send(sink, &log).await?;
                    }
                }
                _ => {
                    for log in convert::logs(&block, &alloy::rpc::types::Filter::new()) {
                        send(sink, &log).await?;
                    }
                }
            }
            next += 1;
        }
        tokio::select! {
            changed = heads.changed() => changed.ok()?,
            () = sink.closed() => return None,
        }
    }
}

async fn follow_accepted(sink: &SubscriptionSink, api: &Api, mut next: u64, whole: bool) -> Option<()> {
    let mut accepted = api.ledger.shared().accepted();
    loop {
        accepted.borrow_and_update();
        let (hashes, after) = api.ledger.shared().pool().accepted_since(next);
        next = after;
        for hash in hashes {
            if whole {
                send_transaction(sink, api, hash).await?;
            } else {
                send(sink, &hash).await?;
            }
        }
        tokio::select! {
            changed = accepted.changed() => changed.ok()?,
            () = sink.closed() => return None,
        }
    }
}

async fn send_transaction(sink: &SubscriptionSink, api: &Api, hash: B256) -> Option<()> {
    let waiting = api.ledger.shared().pool().get(&hash).map(convert::waiting);
    let transaction = match waiting {
        Some(transaction) => Some(transaction),
        None => api.place(hash).ok()?.and_then(|(block, index)| convert::transaction(&block, index)),
    };
    match transaction {
        Some(transaction) => send(sink, &transaction).await,
        None => Some(()),
    }
}
