//! Sending transactions, and what waits.

use super::{Api, RpcResult, Table, convert, error::RpcError};
use crate::error::LedgerError;
use alloy::{
    primitives::{Address, B256, Bytes, U64},
    rpc::types::{Transaction, TransactionReceipt},
};
use jsonrpsee::types::Params;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How long `eth_sendRawTransactionSync` waits unless told otherwise.
const DEFAULT_SYNC_WAIT: Duration = Duration::from_secs(5);

/// How long it waits at most.
const MAX_SYNC_WAIT: Duration = Duration::from_secs(30);

pub(super) fn register(table: &mut Table) {
    table.waiting("eth_sendRawTransaction", send);
    table.waiting("eth_sendRawTransactionSync", send_sync);
    table.heavy("txpool_status", status);
    table.heavy("txpool_content", content);
}

async fn send(api: Arc<Api>, params: Params<'static>) -> RpcResult<B256> {
    let encoded: Bytes = params.one()?;
    Ok(api.ledger.submit(&encoded).await?)
}

/// EIP-7966: the receipt at once.
async fn send_sync(api: Arc<Api>, params: Params<'static>) -> RpcResult<TransactionReceipt> {
    let (encoded, wait) = {
        let mut params = params.sequence();
        (params.next::<Bytes>()?, params.optional_next::<u64>()?)
    };
    let wait = wait.map_or(DEFAULT_SYNC_WAIT, Duration::from_millis).min(MAX_SYNC_WAIT);
    let mut heads = api.ledger.subscribe_heads();
    let hash = api.ledger.submit(&encoded).await?;
    let found = tokio::time::timeout(wait, async {
        loop {
            heads.borrow_and_update();
            if let Some((block, index)) = api.place(hash)? {
                return RpcResult::Ok(convert::receipt(&block, index));
            }
            heads.changed().await.map_err(|_| RpcError::Ledger(LedgerError::Closed))?;
        }
    })
    .await;
    match found {
        Ok(receipt) => receipt?.ok_or(RpcError::NoReceiptYet(hash)),
        Err(_) => Err(RpcError::NoReceiptYet(hash)),
    }
}

type Queues = BTreeMap<Address, BTreeMap<String, Transaction>>;

/// The ready and the parked transactions.
fn split(api: &Api) -> RpcResult<(Queues, Queues)> {
    let pool = api.ledger.shared().pool();
    let snapshot = api.snapshot()?;
    let (mut ready, mut parked) = (Queues::new(), Queues::new());
    for (sender, queue) in pool.iter() {
        let next = snapshot.account(sender)?.map_or(0, |account| account.nonce);
        let end = pool.pending_nonce(sender, next);
        for (nonce, tx) in queue {
            let queues = if *nonce < end { &mut ready } else { &mut parked };
            queues.entry(sender).or_default().insert(nonce.to_string(), convert::waiting(tx));
        }
    }
    Ok((ready, parked))
}

fn status(api: &Api, _: Params<'_>) -> RpcResult<Value> {
    let (ready, parked) = split(api)?;
    let count = |queues: &Queues| U64::from(queues.values().map(BTreeMap::len).sum::<usize>());
    Ok(json!({ "pending": count(&ready), "queued": count(&parked) }))
}

fn content(api: &Api, _: Params<'_>) -> RpcResult<Value> {
    let (ready, parked) = split(api)?;
    Ok(json!({ "pending": ready, "queued": parked }))
}
