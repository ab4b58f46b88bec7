//! JSON-RPC: the methods, whoever asks for them. One table of methods serves HTTP, WebSocket and the
//! process itself.

mod blocks;
mod call;
mod convert;
mod debug;
mod dev;
mod error;
mod fees;
mod fill;
mod filters;
mod logs;
mod replay;
mod send;
mod simulate;
mod state;
mod subscribe;

use crate::{
    block::SealedBlock,
    error::LedgerError,
    ledger::Ledger,
    store::{Snapshot, StateView},
};
use alloy::{
    consensus::Header,
    eips::{BlockId, BlockNumberOrTag},
    primitives::{B256, Bytes, U64, keccak256},
};
use error::RpcError;
use filters::Filters;
use jsonrpsee::{Extensions, RpcModule, server::RegisterMethodError, types::Params};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Semaphore;

/// Calls that execute code or read many blocks, at a time; further ones wait.
const MAX_HEAVY_CALLS: usize = 16;

/// What the methods work on.
pub(crate) struct Api {
    ledger: Ledger,
    filters: Mutex<Filters>,
    heavy: Arc<Semaphore>,
}

type RpcResult<T> = Result<T, RpcError>;

/// What a client is told that it talks to.
pub(crate) fn client_version() -> String {
    format!("guildhall-ledger/{} (one machine, not a network)", env!("CARGO_PKG_VERSION"))
}

impl Api {
    fn filters(&self) -> MutexGuard<'_, Filters> {
        self.filters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self) -> RpcResult<Snapshot> {
        Ok(self.ledger.shared().snapshot()?)
    }

    /// The number of the block that `id` means as of `snapshot`; `None` when there is none.
    fn number(&self, snapshot: &Snapshot, id: BlockId) -> RpcResult<Option<u64>> {
        Ok(match id {
            BlockId::Hash(hash) => snapshot.block_number(hash.block_hash)?,
            BlockId::Number(BlockNumberOrTag::Number(number)) => {
                Some(number).filter(|n| *n <= snapshot.head())
            }
            BlockId::Number(BlockNumberOrTag::Earliest) => Some(0),
            // What is sealed is durable and never taken back: safe and final at once.
            BlockId::Number(_) => Some(snapshot.head()),
        })
    }

    /// The block that `id` means, if there is one.
    fn block(&self, id: BlockId) -> RpcResult<Option<Arc<SealedBlock>>> {
        let snapshot = self.snapshot()?;
        let number = self.number(&snapshot, id)?;
        Ok(number.map(|number| self.ledger.block(number)).transpose()?)
    }

    /// The block that `id` means, refused where there is none.
    fn existing_block(&self, id: BlockId) -> RpcResult<Arc<SealedBlock>> {
        let snapshot = self.snapshot()?;
        let number = self.existing_number(&snapshot, id)?;
        Ok(self.ledger.block(number)?)
    }

    fn existing_number(&self, snapshot: &Snapshot, id: BlockId) -> RpcResult<u64> {
        match (self.number(snapshot, id)?, id) {
            (Some(number), _) => Ok(number),
            (None, BlockId::Number(BlockNumberOrTag::Number(block))) => {
                Err(LedgerError::UnknownBlock { block, head: snapshot.head() }.into())
            }
            (None, _) => Err(RpcError::Failed("header not found".to_owned())),
        }
    }

    /// Works on the state after the block that `id` means.
    fn with_state<T>(
        &self,
        id: Option<BlockId>,
        work: impl FnOnce(StateView<'_>, &Header) -> RpcResult<T>,
    ) -> RpcResult<T> {
        let snapshot = self.snapshot()?;
        let number = self.existing_number(&snapshot, id.unwrap_or_default())?;
        let view = StateView::new(&snapshot, number)?;
        let block = self.ledger.block(number)?;
        work(view, &block.header)
    }
}

/// The table of all methods.
pub(crate) fn methods(ledger: &Ledger) -> RpcModule<Api> {
    let api = Api {
        ledger: ledger.clone(),
        filters: Mutex::default(),
        heavy: Arc::new(Semaphore::new(MAX_HEAVY_CALLS)),
    };
    let dev = ledger.config().dev_methods;
    let mut table = Table { module: RpcModule::new(api) };
    general(&mut table);
    blocks::register(&mut table);
    state::register(&mut table);
    call::register(&mut table);
    fill::register(&mut table);
    simulate::register(&mut table);
    send::register(&mut table);
    logs::register(&mut table);
    fees::register(&mut table);
    debug::register(&mut table);
    subscribe::register(&mut table);
    if dev {
        dev::register(&mut table);
    }
    table.module
}

/// Registers methods of one shape each.
pub(crate) struct Table {
    module: RpcModule<Api>,
}

impl Table {
    /// A method that answers at once.
    fn light<R: Serialize + 'static>(
        &mut self,
        name: &'static str,
        method: fn(&Api, Params<'_>) -> RpcResult<R>,
    ) {
        let registered = self.module.register_method(name, move |params, api: &Api, _: &Extensions| {
            method(api, params).and_then(|result| raw(&result))
        });
        expect_new(registered.map(|_| ()));
    }

    /// A method that takes its time: runs on a thread of its own, a bounded number at once.
    fn heavy<R: Serialize + Send + 'static>(
        &mut self,
        name: &'static str,
        method: fn(&Api, Params<'_>) -> RpcResult<R>,
    ) {
        let registered =
            self.module.register_async_method(name, move |params, api: Arc<Api>, _| async move {
                let permit = api.heavy.clone().acquire_owned().await.map_err(|_| closed())?;
                tokio::task::spawn_blocking(move || {
                    let _permit = permit;
                    method(&api, params).and_then(|result| raw(&result))
                })
                .await
                .map_err(|e| RpcError::Failed(format!("the call failed: {e}")))?
            });
        expect_new(registered.map(|_| ()));
    }

    /// A method that waits for something.
    fn waiting<R, F>(&mut self, name: &'static str, method: fn(Arc<Api>, Params<'static>) -> F)
    where
        R: Serialize + 'static,
        F: Future<Output = RpcResult<R>> + Send + 'static,
    {
        let registered =
            self.module.register_async_method(name, move |params, api: Arc<Api>, _| async move {
                method(api, params).await.and_then(|result| raw(&result))
            });
        expect_new(registered.map(|_| ()));
    }
}

fn raw(result: &impl Serialize) -> RpcResult<Box<RawValue>> {
    to_raw_value(result).map_err(|e| RpcError::Failed(format!("the answer cannot be written: {e}")))
}

fn closed() -> RpcError {
    LedgerError::Closed.into()
}

/// Two methods of one name are a mistake in the table, which a test of it finds.
fn expect_new(registered: Result<(), RegisterMethodError>) {
    debug_assert!(registered.is_ok(), "{registered:?}");
}

fn general(table: &mut Table) {
    table.light("eth_chainId", |api, _| Ok(U64::from(api.ledger.chain_id())));
    table.light("net_version", |api, _| Ok(api.ledger.chain_id().to_string()));
    table.light("net_listening", |_, _| Ok(true));
    table.light("net_peerCount", |_, _| Ok(U64::ZERO));
    table.light("web3_clientVersion", |_, _| Ok(client_version()));
    table.light("web3_sha3", |_, params| Ok::<B256, _>(keccak256(params.one::<Bytes>()?)));
    table.light("eth_syncing", |_, _| Ok(false));
    table.light("eth_accounts", |_, _| Ok(Vec::<B256>::new()));
    table.light("eth_coinbase", |api, _| Ok(api.ledger.config().beneficiary));
    table.light("eth_mining", |_, _| Ok(true));
    table.light("rpc_modules", |api, _| {
        let evm = api.ledger.config().dev_methods.then_some("evm");
        let names = ["debug", "eth", "net", "rpc", "trace", "txpool", "web3"].into_iter().chain(evm);
        Ok(names.map(|name| (name, "1.0")).collect::<BTreeMap<_, _>>())
    });
}
