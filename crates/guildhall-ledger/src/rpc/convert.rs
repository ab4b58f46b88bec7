//! Blocks, transactions, receipts and logs in the shapes of JSON-RPC.

use crate::block::SealedBlock;
use alloy::{
    consensus::{BlockBody, ReceiptEnvelope, Transaction as _, TxEnvelope, transaction::Recovered},
    eips::eip4895::Withdrawals,
    primitives::U256,
    rpc::types::{Block, BlockTransactions, Filter, Header, Log, Transaction, TransactionReceipt},
};
use alloy_rlp::Encodable;

/// The header of a block.
pub(crate) fn header(block: &SealedBlock) -> Header {
    let body = BlockBody {
        transactions: block.transactions.iter().map(Recovered::inner).cloned().collect::<Vec<TxEnvelope>>(),
        ommers: Vec::new(),
        withdrawals: Some(Withdrawals::default()),
    };
    let size = body.into_block(block.header.clone()).length();
    Header {
        hash: block.hash,
        inner: block.header.clone(),
        total_difficulty: Some(U256::ZERO),
        size: Some(U256::from(size)),
    }
}

/// A block, with whole transactions or their hashes.
pub(crate) fn block(block: &SealedBlock, full: bool) -> Block {
    let transactions = if full {
        BlockTransactions::Full((0..block.transactions.len()).filter_map(|i| transaction(block, i)).collect())
    } else {
        BlockTransactions::Hashes(block.transactions.iter().map(|tx| *tx.tx_hash()).collect())
    };
    Block {
        header: header(block),
        uncles: Vec::new(),
        transactions,
        withdrawals: Some(Withdrawals::default()),
    }
}

/// The transaction at `index` of a block.
pub(crate) fn transaction(block: &SealedBlock, index: usize) -> Option<Transaction> {
    let tx = block.transactions.get(index)?;
    Some(Transaction {
        effective_gas_price: Some(tx.effective_gas_price(block.header.base_fee_per_gas)),
        inner: tx.clone(),
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        transaction_index: Some(index as u64),
        block_timestamp: Some(block.header.timestamp),
    })
}

/// A transaction that waits.
pub(crate) fn waiting(tx: &Recovered<TxEnvelope>) -> Transaction {
    Transaction {
        effective_gas_price: Some(tx.max_fee_per_gas()),
        inner: tx.clone(),
        block_hash: None,
        block_number: None,
        transaction_index: None,
        block_timestamp: None,
    }
}

/// The receipt of the transaction at `index` of a block.
pub(crate) fn receipt(block: &SealedBlock, index: usize) -> Option<TransactionReceipt> {
    let tx = block.transactions.get(index)?;
    let before: usize = block.receipts[..index].iter().map(|receipt| receipt.logs().len()).sum();
    let mut log_index = before as u64;
    let inner: ReceiptEnvelope<Log> = block.receipts[index].clone().map_logs(|log| {
        let log = place(block, index, log_index, log);
        log_index += 1;
        log
    });
    Some(TransactionReceipt {
        inner,
        transaction_hash: *tx.tx_hash(),
        transaction_index: Some(index as u64),
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        gas_used: block.gas_used(index),
        effective_gas_price: tx.effective_gas_price(block.header.base_fee_per_gas),
        blob_gas_used: None,
        blob_gas_price: None,
        from: tx.signer(),
        to: tx.to(),
        contract_address: block.created(index),
    })
}

/// The logs of a block that `filter` lets through.
pub(crate) fn logs(block: &SealedBlock, filter: &Filter) -> Vec<Log> {
    let mut found = Vec::new();
    let mut log_index = 0;
    for (index, receipt) in block.receipts.iter().enumerate() {
        for log in receipt.logs() {
            if filter.matches_address(log.address) && filter.matches_topics(log.topics()) {
                found.push(place(block, index, log_index, log.clone()));
            }
            log_index += 1;
        }
    }
    found
}

fn place(block: &SealedBlock, index: usize, log_index: u64, inner: alloy::primitives::Log) -> Log {
    Log {
        inner,
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        block_timestamp: Some(block.header.timestamp),
        transaction_hash: Some(*block.transactions[index].tx_hash()),
        transaction_index: Some(index as u64),
        log_index: Some(log_index),
        removed: false,
    }
}
