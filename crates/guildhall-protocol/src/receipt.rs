//! Receipts: what one execution produced, and the leaf that stands for it in a batch's tree.
//!
//! Knows nothing of how an app is run (the sandbox) nor of who may contribute (the lot).

use alloy_primitives::{Address, B256, keccak256};
use serde::{Deserialize, Serialize};

/// How an execution ended. Every one of these is deterministic, so every one is certified and paid for its fuel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Exit {
    /// The app returned, or called `proc_exit(0)`.
    Ok = 0,
    /// The app called `proc_exit` with a code other than zero.
    AppError = 1,
    /// The fuel limit was reached.
    OutOfFuel = 2,
    /// A memory or table limit was reached by a growth that the app could not survive.
    OutOfMemory = 3,
    /// The depth limit of calls was reached.
    TooDeep = 4,
    /// Any other WebAssembly trap.
    Trap = 5,
}

impl Exit {
    /// The number that stands in the receipt's leaf.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The exit with this number, if there is one.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Ok,
            1 => Self::AppError,
            2 => Self::OutOfFuel,
            3 => Self::OutOfMemory,
            4 => Self::TooDeep,
            5 => Self::Trap,
            _ => return None,
        })
    }
}

/// What one execution produced: the same on every machine (PROTOCOL section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Receipt {
    /// Position of the task in its batch, from zero.
    pub index: u32,
    /// How the execution ended.
    pub exit: Exit,
    /// Fuel used: `min(used, limit)`.
    pub fuel: u64,
    /// `keccak256` of the output bytes.
    pub output_digest: B256,
    /// BLAKE3 of the final memory and mutable globals at a normal exit.
    pub trace_digest: B256,
}

impl Receipt {
    /// The leaf of this receipt: `keccak256(abi.encode(index, exit, fuel, cumulative_fuel, outputDigest, traceDigest))`.
    ///
    /// `cumulative_fuel` is the sum of the fuel of tasks `0..=index` of the batch, so the last leaf proves the total.
    pub fn leaf(&self, cumulative_fuel: u64) -> B256 {
        let mut words = [0u8; 192];
        words[28..32].copy_from_slice(&self.index.to_be_bytes());
        words[63] = self.exit.code();
        words[88..96].copy_from_slice(&self.fuel.to_be_bytes());
        words[120..128].copy_from_slice(&cumulative_fuel.to_be_bytes());
        words[128..160].copy_from_slice(self.output_digest.as_slice());
        words[160..192].copy_from_slice(self.trace_digest.as_slice());
        keccak256(words)
    }
}

/// The key of a worker's own trace for one task of one round (PROTOCOL section 3, "Own trace").
///
/// BLAKE3 `derive_key` in the context `guildhall 2026-11 own trace`, over `worker || round_id || index` (big endian).
pub fn own_trace_key(worker: Address, round_id: B256, index: u32) -> [u8; 32] {
    let mut material = [0u8; 56];
    material[..20].copy_from_slice(worker.as_slice());
    material[20..52].copy_from_slice(round_id.as_slice());
    material[52..].copy_from_slice(&index.to_be_bytes());
    blake3::derive_key("guildhall 2026-11 own trace", &material)
}
