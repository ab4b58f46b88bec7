//! Transactions that wait for a block.
//!
//! A transaction is *ready* when every nonce below its own has been used or is ready too; the others
//! are *parked*. Both are bounded: per sender by how far a nonce may run ahead, in all by
//! [`MAX_WAITING`]. What does not fit is refused, never silently dropped.

use crate::{
    error::TxRejected,
    execute::{MAX_TX_GAS, SPEC},
};
use alloy::{
    consensus::{
        Transaction, TxEnvelope,
        transaction::{Recovered, SignerRecoverable},
    },
    eips::eip2718::{Decodable2718, Encodable2718},
    primitives::{Address, B256, U256},
};
use alloy_evm::ToTxEnv;
use revm::{
    context::{TxEnv, result::InvalidTransaction},
    handler::validation::validate_initial_tx_gas,
    primitives::eip3860::MAX_INITCODE_SIZE,
};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// The most transactions that wait at a time; one more is refused.
pub const MAX_WAITING: usize = 16_384;

/// How far ahead of the next nonce a transaction of one sender may be; one further is refused.
pub const MAX_NONCE_AHEAD: u64 = 4_096;

/// The largest transaction in bytes.
pub const MAX_TX_BYTES: usize = 128 * 1024;

/// What a replacement must add to the fee cap and the tip, in percent.
pub const REPLACEMENT_BUMP_PERCENT: u128 = 10;

/// How many hashes of accepted transactions are remembered for filters and subscriptions.
const REMEMBERED_HASHES: usize = 4_096;

/// Decodes and checks what can be checked without the state, and recovers the sender.
pub(crate) fn decode(bytes: &[u8]) -> Result<Recovered<TxEnvelope>, TxRejected> {
    if bytes.len() > MAX_TX_BYTES {
        return Err(TxRejected::Oversized { size: bytes.len(), limit: MAX_TX_BYTES });
    }
    if bytes.first() == Some(&3) {
        return Err(TxRejected::Blob);
    }
    let tx = TxEnvelope::decode_2718_exact(bytes).map_err(|e| TxRejected::Malformed(e.to_string()))?;
    let tx = tx.try_into_recovered().map_err(|_| TxRejected::Signature)?;
    check_rules(&tx)?;
    Ok(tx)
}

/// Refuses what the rules refuse whatever the state is. The executor would too, but where blocks are not sealed at once
/// only after the transaction was acknowledged.
fn check_rules(tx: &Recovered<TxEnvelope>) -> Result<(), TxRejected> {
    let invalid = |reason: InvalidTransaction| Err(TxRejected::Invalid(reason.to_string()));
    if tx.is_create() && tx.input().len() > MAX_INITCODE_SIZE {
        return invalid(InvalidTransaction::CreateInitCodeSizeLimit);
    }
    if tx.authorization_list().is_some_and(<[_]>::is_empty) {
        return invalid(InvalidTransaction::EmptyAuthorizationList);
    }
    let tx: TxEnv = tx.to_tx_env();
    match validate_initial_tx_gas(&tx, SPEC, false, false, MAX_TX_GAS, None) {
        Ok(_) => Ok(()),
        Err(
            InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas: needed, gas_limit }
            | InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor: needed, gas_limit },
        ) => Err(TxRejected::IntrinsicGas { given: gas_limit, needed }),
        Err(other) => invalid(other),
    }
}

/// What the state says about a sender.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
}

/// The rules of the chain that a transaction is checked against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admission {
    pub(crate) chain_id: u64,
    pub(crate) base_fee: u64,
    pub(crate) block_gas_limit: u64,
}

/// The waiting transactions.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    senders: HashMap<Address, BTreeMap<u64, Recovered<TxEnvelope>>>,
    hashes: HashMap<B256, (Address, u64)>,
    /// Senders in the order in which they first had something to wait for.
    order: VecDeque<Address>,
    /// Hashes accepted lately, with the number of those before the first.
    accepted: VecDeque<B256>,
    accepted_before: u64,
}

impl Admission {
    /// Refuses what no block could take.
    pub(crate) fn check(&self, tx: &Recovered<TxEnvelope>, sender: Sender) -> Result<(), TxRejected> {
        if let Some(given) = tx.chain_id().filter(|id| *id != self.chain_id) {
            return Err(TxRejected::ChainId { given, want: self.chain_id });
        }
        if tx.is_eip4844() {
            return Err(TxRejected::Blob);
        }
        let cap = MAX_TX_GAS.min(self.block_gas_limit);
        if tx.gas_limit() > cap {
            return Err(TxRejected::GasLimit { given: tx.gas_limit(), cap });
        }
        let fee_cap = tx.max_fee_per_gas();
        if let Some(tip) = tx.max_priority_fee_per_gas().filter(|tip| *tip > fee_cap) {
            return Err(TxRejected::Tip { tip, cap: fee_cap });
        }
        if fee_cap < u128::from(self.base_fee) {
            return Err(TxRejected::FeeCap { cap: fee_cap, base_fee: self.base_fee });
        }
        if tx.nonce() < sender.nonce {
            return Err(TxRejected::NonceTooLow { given: tx.nonce(), next: sender.nonce });
        }
        if tx.nonce() - sender.nonce > MAX_NONCE_AHEAD {
            let ahead = MAX_NONCE_AHEAD;
            return Err(TxRejected::NonceTooHigh { given: tx.nonce(), next: sender.nonce, ahead });
        }
        let gas = U256::from(tx.gas_limit()).saturating_mul(U256::from(fee_cap));
        let want = gas.saturating_add(tx.value());
        if want > sender.balance {
            return Err(TxRejected::Funds { have: sender.balance, want });
        }
        Ok(())
    }
}

impl Pool {
    /// Takes `tx` in, or replaces one of the same nonce, which is returned.
    pub(crate) fn insert(&mut self, tx: Recovered<TxEnvelope>) -> Result<Option<B256>, TxRejected> {
        let (sender, nonce, hash) = (tx.signer(), tx.nonce(), *tx.tx_hash());
        if self.hashes.contains_key(&hash) {
            return Err(TxRejected::Known(hash));
        }
        let old = self.senders.get(&sender).and_then(|queue| queue.get(&nonce));
        if let Some(old) = old {
            check_replacement(old, &tx)?;
        } else if self.hashes.len() >= MAX_WAITING {
            return Err(TxRejected::PoolFull(MAX_WAITING));
        }
        if !self.senders.contains_key(&sender) {
            self.order.push_back(sender);
        }
        let replaced = self.senders.entry(sender).or_default().insert(nonce, tx).map(|old| *old.tx_hash());
        if let Some(old) = replaced {
            self.hashes.remove(&old);
        }
        self.hashes.insert(hash, (sender, nonce));
        self.accepted.push_back(hash);
        if self.accepted.len() > REMEMBERED_HASHES {
            self.accepted.pop_front();
            self.accepted_before += 1;
        }
        Ok(replaced)
    }

    /// The ready transactions, first come first served by sender, at most `max_gas` of gas limits; each
    /// sender's next nonce is asked of `next_nonce`. They stay until [`Self::remove`].
    pub(crate) fn ready<E>(
        &self,
        base_fee: u64,
        max_gas: u64,
        mut next_nonce: impl FnMut(Address) -> Result<u64, E>,
    ) -> Result<Vec<Recovered<TxEnvelope>>, E> {
        let mut ready = Vec::new();
        let mut gas = 0u64;
        for sender in &self.order {
            let Some(queue) = self.senders.get(sender) else { continue };
            let mut nonce = next_nonce(*sender)?;
            while let Some(tx) = queue.get(&nonce).filter(|tx| tx.max_fee_per_gas() >= u128::from(base_fee)) {
                ready.push(tx.clone());
                gas = gas.saturating_add(tx.gas_limit());
                if gas > max_gas {
                    return Ok(ready);
                }
                nonce += 1;
            }
        }
        Ok(ready)
    }

    /// Removes a transaction that is in a block or was refused. True if it waited here.
    pub(crate) fn remove(&mut self, hash: &B256) -> bool {
        let Some((sender, nonce)) = self.hashes.remove(hash) else { return false };
        if let Some(queue) = self.senders.get_mut(&sender) {
            queue.remove(&nonce);
            if queue.is_empty() {
                self.senders.remove(&sender);
            }
        }
        true
    }

    /// Forgets the order of senders for whom nothing waits any more.
    pub(crate) fn tidy(&mut self) {
        let senders = &self.senders;
        let mut seen = HashSet::new();
        self.order.retain(|sender| senders.contains_key(sender) && seen.insert(*sender));
    }

    /// The nonce after the last one that is ready, from the next nonce in the state.
    pub(crate) fn pending_nonce(&self, sender: Address, next: u64) -> u64 {
        let Some(queue) = self.senders.get(&sender) else { return next };
        let mut nonce = next;
        while queue.contains_key(&nonce) {
            nonce += 1;
        }
        nonce
    }

    /// The waiting transaction with that hash.
    pub(crate) fn get(&self, hash: &B256) -> Option<&Recovered<TxEnvelope>> {
        let (sender, nonce) = self.hashes.get(hash)?;
        self.senders.get(sender)?.get(nonce)
    }

    /// The waiting transaction of that sender with that nonce.
    pub(crate) fn by_nonce(&self, sender: Address, nonce: u64) -> Option<&Recovered<TxEnvelope>> {
        self.senders.get(&sender)?.get(&nonce)
    }

    /// Whether a transaction waits.
    pub(crate) fn contains(&self, hash: &B256) -> bool {
        self.hashes.contains_key(hash)
    }

    /// All waiting transactions by sender and nonce.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Address, &BTreeMap<u64, Recovered<TxEnvelope>>)> {
        self.senders.iter().map(|(sender, queue)| (*sender, queue))
    }

    /// How many transactions wait.
    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The hashes accepted since position `from`, and the position after them.
    pub(crate) fn accepted_since(&self, from: u64) -> (Vec<B256>, u64) {
        let skip = usize::try_from(from.saturating_sub(self.accepted_before)).unwrap_or(usize::MAX);
        (self.accepted.iter().skip(skip).copied().collect(), self.accepted_position())
    }

    /// The position after the newest accepted hash.
    pub(crate) fn accepted_position(&self) -> u64 {
        self.accepted_before + self.accepted.len() as u64
    }
}

/// The encoding under which a waiting transaction is stored.
pub(crate) fn encode(tx: &Recovered<TxEnvelope>) -> Vec<u8> {
    tx.encoded_2718()
}

fn check_replacement(old: &TxEnvelope, new: &TxEnvelope) -> Result<(), TxRejected> {
    let bumped = |fee: u128| fee.saturating_add(fee.saturating_mul(REPLACEMENT_BUMP_PERCENT).div_ceil(100));
    let tip_of = |tx: &TxEnvelope| tx.max_priority_fee_per_gas().unwrap_or(tx.max_fee_per_gas());
    let (fee_cap, tip) = (bumped(old.max_fee_per_gas()), bumped(tip_of(old)));
    if new.max_fee_per_gas() < fee_cap || tip_of(new) < tip {
        return Err(TxRejected::Underpriced { fee_cap, tip });
    }
    Ok(())
}
