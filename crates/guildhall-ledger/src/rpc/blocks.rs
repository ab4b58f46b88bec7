//! Blocks, transactions and receipts.

use super::{Api, RpcResult, Table, convert, error::RpcError};
use crate::{block::SealedBlock, store::StateView};
use alloy::{
    consensus::Transaction as _,
    eips::{BlockId, BlockNumberOrTag, eip2718::Encodable2718},
    primitives::{Address, B256, Bytes, U64},
    rpc::types::{Block, Header, Transaction, TransactionReceipt},
};
use jsonrpsee::types::Params;
use std::sync::Arc;

/// Where a transaction stands.
type Place = (Arc<SealedBlock>, usize);

pub(super) fn register(table: &mut Table) {
    table.light("eth_blockNumber", |api, _| Ok(U64::from(api.snapshot()?.head())));
    table.heavy("eth_getBlockByNumber", |api, params| block::<BlockNumberOrTag>(api, &params));
    table.heavy("eth_getBlockByHash", |api, params| block::<B256>(api, &params));
    table.heavy("eth_getBlockReceipts", receipts);
    table
        .light("eth_getBlockTransactionCountByNumber", |api, params| count::<BlockNumberOrTag>(api, &params));
    table.light("eth_getBlockTransactionCountByHash", |api, params| count::<B256>(api, &params));
    table.light("eth_getTransactionByBlockNumberAndIndex", |api, params| {
        by_index::<BlockNumberOrTag>(api, &params)
    });
    table.light("eth_getTransactionByBlockHashAndIndex", |api, params| by_index::<B256>(api, &params));
    table.light("eth_getTransactionByHash", by_hash);
    table.light("eth_getRawTransactionByHash", raw_by_hash);
    table.light("eth_getTransactionReceipt", receipt);
    table.light("eth_getRawTransactionByBlockNumberAndIndex", |api, params| {
        raw_by_index::<BlockNumberOrTag>(api, &params)
    });
    table.light("eth_getRawTransactionByBlockHashAndIndex", |api, params| raw_by_index::<B256>(api, &params));
    table.heavy("eth_getTransactionBySenderAndNonce", by_sender);
    table.heavy("eth_getHeaderByNumber", |api, params| header::<BlockNumberOrTag>(api, &params));
    table.heavy("eth_getHeaderByHash", |api, params| header::<B256>(api, &params));
    // There are no uncles, in no block.
    table.light("eth_getUncleByBlockNumberAndIndex", |_, _| Ok(None::<Block>));
    table.light("eth_getUncleByBlockHashAndIndex", |_, _| Ok(None::<Block>));
    table.light("eth_getUncleCountByBlockNumber", |api, params| {
        Ok(api.block(params.one::<BlockNumberOrTag>()?.into())?.map(|_| U64::ZERO))
    });
    table.light("eth_getUncleCountByBlockHash", |api, params| {
        Ok(api.block(params.one::<B256>()?.into())?.map(|_| U64::ZERO))
    });
}

fn block<I: serde::de::DeserializeOwned + Into<BlockId>>(
    api: &Api,
    params: &Params<'_>,
) -> RpcResult<Option<Block>> {
    let mut params = params.sequence();
    let id: I = params.next()?;
    let full = params.optional_next::<bool>()?.unwrap_or(false);
    Ok(api.block(id.into())?.map(|block| convert::block(&block, full)))
}

fn header<I: serde::de::DeserializeOwned + Into<BlockId>>(
    api: &Api,
    params: &Params<'_>,
) -> RpcResult<Option<Header>> {
    let block = api.block(params.one::<I>()?.into())?;
    Ok(block.map(|block| convert::header(&block)))
}

fn receipts(api: &Api, params: Params<'_>) -> RpcResult<Option<Vec<TransactionReceipt>>> {
    let block = api.block(params.one::<BlockId>()?)?;
    Ok(block.map(|block| {
        (0..block.transactions.len()).filter_map(|index| convert::receipt(&block, index)).collect()
    }))
}

fn count<I: serde::de::DeserializeOwned + Into<BlockId>>(
    api: &Api,
    params: &Params<'_>,
) -> RpcResult<Option<U64>> {
    let block = api.block(params.one::<I>()?.into())?;
    Ok(block.map(|block| U64::from(block.transactions.len())))
}

fn by_index<I: serde::de::DeserializeOwned + Into<BlockId>>(
    api: &Api,
    params: &Params<'_>,
) -> RpcResult<Option<Transaction>> {
    let (block, index) = indexed::<I>(api, params)?;
    Ok(block.and_then(|block| convert::transaction(&block, index)))
}

fn raw_by_index<I: serde::de::DeserializeOwned + Into<BlockId>>(
    api: &Api,
    params: &Params<'_>,
) -> RpcResult<Option<Bytes>> {
    let (block, index) = indexed::<I>(api, params)?;
    Ok(block.and_then(|block| block.transactions.get(index).map(|tx| tx.encoded_2718().into())))
}

fn indexed<I: serde::de::DeserializeOwned + Into<BlockId>>(
    api: &Api,
    params: &Params<'_>,
) -> RpcResult<(Option<Arc<SealedBlock>>, usize)> {
    let mut params = params.sequence();
    let id: I = params.next()?;
    let index = usize::try_from(params.next::<U64>()?.to::<u64>()).unwrap_or(usize::MAX);
    Ok((api.block(id.into())?, index))
}

/// The transaction that used a nonce. Looked for by halving where the sender's nonce went past it, so it is only found
/// in blocks whose state is kept.
fn by_sender(api: &Api, params: Params<'_>) -> RpcResult<Option<Transaction>> {
    let mut params = params.sequence();
    let sender: Address = params.next()?;
    let nonce = params.next::<U64>()?.to::<u64>();
    // The pool first: what leaves it between the two looks is in a block by then.
    let waiting = api.ledger.shared().pool().by_nonce(sender, nonce).map(convert::waiting);
    let snapshot = api.snapshot()?;
    let used_by = |block| -> RpcResult<bool> {
        let account = StateView::new(&snapshot, block)?.account(sender)?;
        Ok(account.is_some_and(|account| account.nonce > nonce))
    };
    let (mut before, mut after) = (snapshot.oldest_state(), snapshot.head());
    if !used_by(after)? {
        return Ok(waiting);
    }
    if used_by(before)? {
        return if before == 0 {
            Ok(None)
        } else {
            Err(RpcError::Failed(format!(
                "the nonce was used in block {before} or before, whose state is not kept; ask by the transaction's hash"
            )))
        };
    }
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if used_by(middle)? { after = middle } else { before = middle }
    }
    let block = api.ledger.block(after)?;
    // None: an authorization (EIP-7702) used the nonce.
    let index = block.transactions.iter().position(|tx| tx.signer() == sender && tx.nonce() == nonce);
    Ok(index.and_then(|index| convert::transaction(&block, index)))
}

impl Api {
    /// The block and index of a transaction that is in one.
    pub(super) fn place(&self, hash: B256) -> RpcResult<Option<Place>> {
        match self.snapshot()?.tx_place(hash)? {
            Some((number, index)) => Ok(Some((self.ledger.block(number)?, index))),
            None => Ok(None),
        }
    }

    /// The encoding of a transaction, in a block or waiting.
    pub(super) fn raw_transaction(&self, hash: B256) -> RpcResult<Option<Bytes>> {
        let waiting = self.ledger.shared().pool().get(&hash).map(|tx| tx.encoded_2718().into());
        Ok(match self.place(hash)? {
            Some((block, index)) => block.transactions.get(index).map(|tx| tx.encoded_2718().into()),
            None => waiting,
        })
    }
}

fn by_hash(api: &Api, params: Params<'_>) -> RpcResult<Option<Transaction>> {
    let hash: B256 = params.one()?;
    // The pool first: what leaves it between the two looks is in a block by then.
    let waiting = api.ledger.shared().pool().get(&hash).map(convert::waiting);
    Ok(match api.place(hash)? {
        Some((block, index)) => convert::transaction(&block, index),
        None => waiting,
    })
}

fn raw_by_hash(api: &Api, params: Params<'_>) -> RpcResult<Option<Bytes>> {
    api.raw_transaction(params.one()?)
}

fn receipt(api: &Api, params: Params<'_>) -> RpcResult<Option<TransactionReceipt>> {
    let place = api.place(params.one()?)?;
    Ok(place.and_then(|(block, index)| convert::receipt(&block, index)))
}
