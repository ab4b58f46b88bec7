//! Searching logs, and filters that remember where they stand.

use super::{Api, RpcResult, Table, convert, error::RpcError, filters::FilterKind};
use crate::{error::LedgerError, store::LogQuery};
use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    primitives::U256,
    rpc::types::{Filter, FilterBlockOption, FilterChanges, Log},
};
use jsonrpsee::types::Params;

/// The most blocks that one search covers.
pub(crate) const MAX_LOG_BLOCKS: u64 = 100_000;

/// The most blocks that a search may have to read, after the index has narrowed it down.
pub(crate) const MAX_LOG_BLOCKS_READ: usize = 10_000;

/// The most logs that one search returns.
pub(crate) const MAX_LOGS: usize = 10_000;

/// The most addresses or topics that one position of a search lists.
const MAX_ALTERNATIVES: usize = 1_000;

pub(super) fn register(table: &mut Table) {
    table.heavy("eth_getLogs", |api, params| search(api, &params.one()?));
    table.light("eth_newFilter", new_filter);
    table.light("eth_newBlockFilter", |api, _| {
        let next = api.ledger.head().number + 1;
        api.filters().add(FilterKind::Blocks, next)
    });
    table.light("eth_newPendingTransactionFilter", |api, _| {
        let position = api.ledger.shared().pool().accepted_position();
        api.filters().add(FilterKind::Transactions, position)
    });
    table.heavy("eth_getFilterChanges", changes);
    table.heavy("eth_getFilterLogs", filter_logs);
    table.light("eth_uninstallFilter", |api, params| Ok(api.filters().remove(params.one()?)));
}

/// The index query of a filter, refused where it lists too much.
pub(super) fn query(filter: &Filter) -> RpcResult<LogQuery> {
    let query = LogQuery {
        addresses: filter.address.iter().copied().collect(),
        topics: std::array::from_fn(|i| filter.topics[i].iter().copied().collect()),
    };
    let longest = query.topics.iter().map(Vec::len).max().unwrap_or(0).max(query.addresses.len());
    if longest > MAX_ALTERNATIVES {
        return Err(RpcError::Limit(format!(
            "{longest} alternatives in one position; at most {MAX_ALTERNATIVES}"
        )));
    }
    Ok(query)
}

fn search(api: &Api, filter: &Filter) -> RpcResult<Vec<Log>> {
    let query = query(filter)?;
    let snapshot = api.snapshot()?;
    let bound = |tag: Option<BlockNumberOrTag>| match tag.unwrap_or_default() {
        BlockNumberOrTag::Number(number) => number,
        BlockNumberOrTag::Earliest => 0,
        _ => snapshot.head(),
    };
    let (from, to) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let block = api.block(BlockId::from(hash))?;
            let block = block.ok_or_else(|| RpcError::Failed(format!("unknown block {hash}")))?;
            return bounded(convert::logs(&block, filter));
        }
        FilterBlockOption::Range { from_block, to_block } => (bound(from_block), bound(to_block)),
    };
    if from > to {
        return Err(RpcError::Params(format!("invalid block range: from {from} to {to}")));
    }
    if from > snapshot.head() {
        return Err(LedgerError::UnknownBlock { block: from, head: snapshot.head() }.into());
    }
    range(api, filter, &query, from, to.min(snapshot.head()))
}

/// The logs between two blocks.
pub(super) fn range(api: &Api, filter: &Filter, query: &LogQuery, from: u64, to: u64) -> RpcResult<Vec<Log>> {
    check_span(to - from + 1)?;
    let blocks = match api.snapshot()?.log_blocks(query, from, to)? {
        Some(blocks) => blocks.into_iter().collect::<Vec<_>>(),
        None => (from..=to).collect(),
    };
    check_read(blocks.len())?;
    let mut found = Vec::new();
    for number in blocks {
        found.extend(convert::logs(&*api.ledger.block(number)?, filter));
        if found.len() > MAX_LOGS {
            return bounded(found);
        }
    }
    Ok(found)
}

fn check_span(blocks: u64) -> RpcResult<()> {
    if blocks > MAX_LOG_BLOCKS {
        return Err(RpcError::Limit(format!(
            "query spans {blocks} blocks; at most {MAX_LOG_BLOCKS}: ask for a smaller range"
        )));
    }
    Ok(())
}

fn check_read(blocks: usize) -> RpcResult<()> {
    if blocks > MAX_LOG_BLOCKS_READ {
        return Err(RpcError::Limit(format!(
            "query touches {blocks} blocks; at most {MAX_LOG_BLOCKS_READ}: name an address or topic, or a smaller range"
        )));
    }
    Ok(())
}

fn bounded(found: Vec<Log>) -> RpcResult<Vec<Log>> {
    if found.len() > MAX_LOGS {
        return Err(RpcError::Limit(format!(
            "query returned more than {MAX_LOGS} results: ask for a smaller range"
        )));
    }
    Ok(found)
}

fn new_filter(api: &Api, params: Params<'_>) -> RpcResult<U256> {
    let filter: Filter = params.one()?;
    query(&filter)?;
    let next = api.ledger.head().number + 1;
    api.filters().add(FilterKind::Logs(Box::new(filter)), next)
}

fn changes(api: &Api, params: Params<'_>) -> RpcResult<FilterChanges> {
    let id: U256 = params.one()?;
    let head = api.ledger.head().number;
    let (kind, from) = api.filters().get(id)?;
    let (changes, next) = match kind {
        FilterKind::Transactions => {
            let (hashes, next) = api.ledger.shared().pool().accepted_since(from);
            (FilterChanges::Hashes(hashes), next)
        }
        FilterKind::Blocks => {
            let from = from.max((head + 1).saturating_sub(MAX_LOG_BLOCKS_READ as u64));
            let snapshot = api.snapshot()?;
            let hashes = (from..=head).map(|number| snapshot.block_hash(number));
            (FilterChanges::Hashes(hashes.collect::<Result<_, _>>()?), head + 1)
        }
        FilterKind::Logs(filter) => {
            let found = filtered(api, &filter, from, head).map_err(too_late)?;
            (FilterChanges::Logs(found), head + 1)
        }
    };
    // Only what was answered counts as seen.
    api.filters().seen(id, next);
    Ok(changes)
}

/// A filter has no smaller range to ask for: whoever let too much gather has to start again.
fn too_late(error: RpcError) -> RpcError {
    match error {
        RpcError::Limit(reason) => RpcError::Limit(format!(
            "since the filter was last asked: {reason}, by `eth_getLogs`, and install the filter again"
        )),
        other => other,
    }
}

/// The logs of a filter between `from` and `head` that also lie in the filter's own range.
fn filtered(api: &Api, filter: &Filter, from: u64, head: u64) -> RpcResult<Vec<Log>> {
    let (mut first, mut last) = (from, head);
    if let FilterBlockOption::Range { from_block, to_block } = filter.block_option {
        if let Some(BlockNumberOrTag::Number(number)) = from_block {
            first = first.max(number);
        }
        if let Some(BlockNumberOrTag::Number(number)) = to_block {
            last = last.min(number);
        }
    }
    if first > last { Ok(Vec::new()) } else { range(api, filter, &query(filter)?, first, last) }
}

fn filter_logs(api: &Api, params: Params<'_>) -> RpcResult<Vec<Log>> {
    match api.filters().get(params.one()?)?.0 {
        FilterKind::Logs(filter) => search(api, &filter),
        _ => Err(RpcError::Params("not a filter of logs".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_is_too_wide_is_refused_with_the_limit_and_the_remedy() {
        check_span(MAX_LOG_BLOCKS).unwrap();
        check_read(MAX_LOG_BLOCKS_READ).unwrap();
        assert_eq!(
            check_span(MAX_LOG_BLOCKS + 1).unwrap_err().to_string(),
            "query spans 100001 blocks; at most 100000: ask for a smaller range"
        );
        assert_eq!(
            check_read(MAX_LOG_BLOCKS_READ + 1).unwrap_err().to_string(),
            "query touches 10001 blocks; at most 10000: name an address or topic, or a smaller range"
        );
    }
}
