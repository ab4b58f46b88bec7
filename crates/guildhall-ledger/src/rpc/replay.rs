//! The state in the middle of a block.

use super::{
    Api, RpcResult,
    call::{self, CallState},
};
use crate::{block::SealedBlock, execute};
use alloy::eips::BlockId;
use alloy_evm::{Evm, EvmEnv, EvmFactory, eth::EthEvmFactory};
use revm::{
    DatabaseCommit,
    database::{State, WrapDatabaseRef},
};

/// Works on the state before transaction `index` of `block` (after all of them where there are not so many), in the
/// environment of that block: executes the ones before it again.
pub(super) fn within<T>(
    api: &Api,
    block: &SealedBlock,
    index: usize,
    work: impl FnOnce(CallState<'_>, EvmEnv) -> RpcResult<T>,
) -> RpcResult<T> {
    let env = execute::env_of(&block.header, api.ledger.chain_id());
    let parent = block.header.number.saturating_sub(1);
    api.with_state(Some(BlockId::number(parent)), |view, _| {
        let mut state = State::builder().with_database(WrapDatabaseRef(view)).build();
        if block.header.number > 0 {
            execute::before_transactions(&mut state, &env, block.header.parent_hash)?;
        }
        for tx in block.transactions.iter().take(index) {
            let done = EthEvmFactory::default().create_evm(&mut state, env.clone()).transact(tx);
            state.commit(done.map_err(call::evm_error)?.state);
        }
        work(state, env)
    })
}
