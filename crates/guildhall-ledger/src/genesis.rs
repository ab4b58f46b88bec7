//! Where a chain starts: fixed when its database is made, compared ever after.
//!
//! The system contracts of the osaka rules are part of every genesis, so that `BLOCKHASH` history
//! (EIP-2935), beacon roots (EIP-4788, always zero here) and the request contracts answer as they do
//! on Ethereum.

use crate::error::LedgerError;
use alloy::{
    consensus::{EMPTY_OMMER_ROOT_HASH, Header},
    eips::{
        eip2935::{HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CODE},
        eip4788::{BEACON_ROOTS_ADDRESS, BEACON_ROOTS_CODE},
        eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_PREDEPLOY_CODE},
        eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_CODE},
        eip7685::EMPTY_REQUESTS_HASH,
    },
    primitives::{Address, B256, Bytes, U256},
};
use alloy_trie::EMPTY_ROOT_HASH;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The gas that fits in a block unless the genesis says otherwise: Ethereum's at osaka.
pub const DEFAULT_BLOCK_GAS_LIMIT: u64 = 60_000_000;

/// The first base fee in wei per gas unless the genesis says otherwise.
pub const DEFAULT_BASE_FEE_WEI: u64 = 1_000_000_000;

/// What block 0 holds. It cannot be changed afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// The EIP-155 chain id.
    pub chain_id: u64,
    /// The time of block 0, in seconds since 1970. Must not lie in the future of the clock in use.
    pub timestamp: u64,
    /// The gas that fits in a block.
    pub gas_limit: u64,
    /// The base fee of block 0 in wei per gas.
    pub base_fee_wei: u64,
    /// The accounts that exist from the start.
    pub accounts: BTreeMap<Address, GenesisAccount>,
}

/// An account that exists from the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GenesisAccount {
    /// Its balance in wei.
    pub balance: U256,
    /// Its nonce.
    pub nonce: u64,
    /// Its code, empty for a plain account.
    pub code: Bytes,
    /// Its storage; zero values are left out.
    pub storage: BTreeMap<B256, B256>,
}

impl Genesis {
    /// A genesis without accounts, with the default gas limit and base fee.
    pub fn new(chain_id: u64, timestamp: u64) -> Self {
        Self {
            chain_id,
            timestamp,
            gas_limit: DEFAULT_BLOCK_GAS_LIMIT,
            base_fee_wei: DEFAULT_BASE_FEE_WEI,
            accounts: BTreeMap::new(),
        }
    }

    /// Adds an account that holds `balance` wei.
    pub fn fund(mut self, address: Address, balance: U256) -> Self {
        self.accounts.entry(address).or_default().balance = balance;
        self
    }

    /// All accounts: those asked for and the system contracts.
    pub(crate) fn all_accounts(&self) -> BTreeMap<Address, GenesisAccount> {
        let mut accounts = self.accounts.clone();
        for (address, code) in [
            (BEACON_ROOTS_ADDRESS, &BEACON_ROOTS_CODE),
            (HISTORY_STORAGE_ADDRESS, &HISTORY_STORAGE_CODE),
            (WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, &WITHDRAWAL_REQUEST_PREDEPLOY_CODE),
            (CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, &CONSOLIDATION_REQUEST_PREDEPLOY_CODE),
        ] {
            accounts.entry(address).or_insert_with(|| GenesisAccount {
                nonce: 1,
                code: code.clone(),
                ..GenesisAccount::default()
            });
        }
        accounts
    }

    /// The header of block 0 over the state `state_root`.
    pub(crate) fn header(&self, state_root: B256) -> Header {
        Header {
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            state_root,
            transactions_root: EMPTY_ROOT_HASH,
            receipts_root: EMPTY_ROOT_HASH,
            gas_limit: self.gas_limit,
            timestamp: self.timestamp,
            base_fee_per_gas: Some(self.base_fee_wei),
            withdrawals_root: Some(EMPTY_ROOT_HASH),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        }
    }

    /// Refuses `given` where it differs from this stored genesis, naming the part.
    pub(crate) fn ensure_same(&self, given: &Self) -> Result<(), LedgerError> {
        let differ = |field, stored: String, given: String| {
            if stored == given { Ok(()) } else { Err(LedgerError::GenesisMismatch { field, stored, given }) }
        };
        differ("chain_id", self.chain_id.to_string(), given.chain_id.to_string())?;
        differ("timestamp", self.timestamp.to_string(), given.timestamp.to_string())?;
        differ("gas_limit", self.gas_limit.to_string(), given.gas_limit.to_string())?;
        differ("base_fee_wei", self.base_fee_wei.to_string(), given.base_fee_wei.to_string())?;
        for address in self.accounts.keys().chain(given.accounts.keys()) {
            let show = |genesis: &Self| format!("{address} {:?}", genesis.accounts.get(address));
            differ("accounts", show(self), show(given))?;
        }
        Ok(())
    }
}
