//! Sending transactions, and what waits.

use super::{Api, RpcResult, Table, convert, error::RpcError};
use crate::error::LedgerError;
use alloy::{
    consensus::Transaction as _,
    primitives::{Address, B256, Bytes},
    rpc::types::{
        Transaction, TransactionReceipt,
        txpool::{TxpoolContent, TxpoolContentFrom, TxpoolInspect, TxpoolInspectSummary, TxpoolStatus},
    },
};
use jsonrpsee::types::Params;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How long `eth_sendRawTransactionSync` waits unless told otherwise.
const DEFAULT_SYNC_WAIT: Duration = Duration::from_secs(5);

/// How long it waits at most.
const MAX_SYNC_WAIT: Duration = Duration::from_secs(30);

pub(super) fn register(table: &mut Table) {
    table.waiting("eth_sendRawTransaction", send);
    table.waiting("eth_sendRawTransactionSync", send_sync);
    table.heavy("txpool_status", status);
    table.heavy("txpool_content", |api, _| split(api, None));
    table.heavy("txpool_contentFrom", content_from);
    table.heavy("txpool_inspect", inspect);
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

/// The ready and the parked transactions, of all senders or of one.
fn split(api: &Api, only: Option<Address>) -> RpcResult<TxpoolContent> {
    let pool = api.ledger.shared().pool();
    let snapshot = api.snapshot()?;
    let mut content = TxpoolContent::default();
    for (sender, queue) in pool.iter().filter(|(sender, _)| only.is_none_or(|only| only == *sender)) {
        let next = snapshot.account(sender)?.map_or(0, |account| account.nonce);
        let end = pool.pending_nonce(sender, next);
        for (nonce, tx) in queue {
            let queues = if *nonce < end { &mut content.pending } else { &mut content.queued };
            queues.entry(sender).or_default().insert(nonce.to_string(), convert::waiting(tx));
        }
    }
    Ok(content)
}

fn status(api: &Api, _: Params<'_>) -> RpcResult<TxpoolStatus> {
    let content = split(api, None)?;
    let count =
        |queues: &BTreeMap<_, BTreeMap<_, _>>| queues.values().map(BTreeMap::len).sum::<usize>() as u64;
    Ok(TxpoolStatus { pending: count(&content.pending), queued: count(&content.queued) })
}

fn content_from(api: &Api, params: Params<'_>) -> RpcResult<TxpoolContentFrom> {
    let sender = params.one()?;
    Ok(split(api, Some(sender))?.remove_from(&sender))
}

fn inspect(api: &Api, _: Params<'_>) -> RpcResult<TxpoolInspect> {
    let content = split(api, None)?;
    let summary = |tx: Transaction| TxpoolInspectSummary {
        to: tx.to(),
        value: tx.value(),
        gas: tx.gas_limit(),
        gas_price: tx.max_fee_per_gas(),
    };
    let summaries = |queues: BTreeMap<Address, BTreeMap<String, Transaction>>| {
        let of_one =
            |queue: BTreeMap<_, _>| queue.into_iter().map(|(nonce, tx)| (nonce, summary(tx))).collect();
        queues.into_iter().map(|(sender, queue)| (sender, of_one(queue))).collect()
    };
    Ok(TxpoolInspect { pending: summaries(content.pending), queued: summaries(content.queued) })
}
