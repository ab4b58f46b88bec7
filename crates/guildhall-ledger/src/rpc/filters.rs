//! The filters that clients have set up: bounded in number, forgotten when nobody asks.

use super::{RpcResult, error::RpcError};
use alloy::{primitives::U256, rpc::types::Filter};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// The most filters at a time; one more is refused until an old one is forgotten.
pub(crate) const MAX_FILTERS: usize = 1_024;

/// A filter that nobody asked for this long is forgotten, as geth does.
const FILTER_LIFETIME: Duration = Duration::from_secs(300);

/// What a filter watches.
#[derive(Debug, Clone)]
pub(crate) enum FilterKind {
    Logs(Box<Filter>),
    Blocks,
    Transactions,
}

#[derive(Debug)]
struct Installed {
    kind: FilterKind,
    /// The first block or accepted transaction that was not reported yet.
    next: u64,
    asked: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Filters {
    installed: HashMap<U256, Installed>,
    last_id: u64,
}

impl Filters {
    pub(crate) fn add(&mut self, kind: FilterKind, next: u64) -> RpcResult<U256> {
        self.installed.retain(|_, filter| filter.asked.elapsed() < FILTER_LIFETIME);
        if self.installed.len() >= MAX_FILTERS {
            return Err(RpcError::Limit(format!("{MAX_FILTERS} filters are installed; uninstall some")));
        }
        self.last_id += 1;
        let id = U256::from(self.last_id);
        self.installed.insert(id, Installed { kind, next, asked: Instant::now() });
        Ok(id)
    }

    pub(crate) fn get(&mut self, id: U256) -> RpcResult<(FilterKind, u64)> {
        let filter = self.installed.get_mut(&id).filter(|filter| filter.asked.elapsed() < FILTER_LIFETIME);
        let filter = filter.ok_or_else(|| RpcError::Failed("filter not found".to_owned()))?;
        filter.asked = Instant::now();
        Ok((filter.kind.clone(), filter.next))
    }

    pub(crate) fn seen(&mut self, id: U256, next: u64) {
        if let Some(filter) = self.installed.get_mut(&id) {
            filter.next = filter.next.max(next);
        }
    }

    pub(crate) fn remove(&mut self, id: U256) -> bool {
        self.installed.remove(&id).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_bounded() {
        let mut filters = Filters::default();
        for _ in 0..MAX_FILTERS {
            filters.add(FilterKind::Blocks, 0).unwrap();
        }
        assert!(filters.add(FilterKind::Blocks, 0).unwrap_err().to_string().contains("1024 filters"));
        assert!(filters.remove(U256::from(1)));
        filters.add(FilterKind::Blocks, 0).unwrap();
    }
}
