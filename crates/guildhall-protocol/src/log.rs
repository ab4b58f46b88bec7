//! The log of a round: what workers put on chain themselves, without a coordinator.
//!
//! The chain holds its hash; whoever commits, reveals or certifies brings the items back. Knows nothing of windows.

use alloy_primitives::{Address, B256, U256, keccak256};
use serde::{Deserialize, Serialize};

use crate::{Fuel, OperatorId, RoundId, certificate::slot_part};

/// What one item of the log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogItem {
    /// A worker committed.
    Commitment {
        /// Who.
        worker: Address,
        /// Its operator.
        operator: OperatorId,
        /// The wave whose window was open.
        wave: u8,
        /// To what.
        commitment: B256,
    },
    /// A worker revealed what it had committed to.
    Reveal {
        /// Who.
        worker: Address,
        /// Fuel of one execution of the batch.
        fuel: Fuel,
        /// Root over the batch's receipts.
        root: B256,
        /// Root over its own traces.
        own_trace_root: B256,
    },
}

/// A log that the chain does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("log item {0:#x} is none: take the items from the round's events as they are")]
pub struct LogError(pub U256);

impl LogError {
    /// The error's code in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        "log.word"
    }
}

const COMMITMENT: u8 = 1;
const REVEAL: u8 = 2;

impl LogItem {
    /// The item as it stands in calls and events: `(worker << 96 | payload << 16 | wave << 8 | kind, a, b)`.
    pub fn pack(&self) -> (U256, B256, B256) {
        match *self {
            Self::Commitment { worker, operator, wave, commitment } => {
                (word(worker, operator.0.into(), wave, COMMITMENT), commitment, B256::ZERO)
            }
            Self::Reveal { worker, fuel, root, own_trace_root } => {
                (word(worker, fuel.0, 0, REVEAL), root, own_trace_root)
            }
        }
    }

    /// Reads an item; what could not have been packed is an error.
    pub fn unpack(word: U256, a: B256, b: B256) -> Result<Self, LogError> {
        let worker = Address::from_word(B256::from(word >> 96));
        let payload: u64 = (word >> 16usize).wrapping_to();
        let item = match word.byte(0) {
            COMMITMENT => {
                let operator = u32::try_from(payload).map_err(|_| LogError(word))?;
                Self::Commitment { worker, operator: OperatorId(operator), wave: word.byte(1), commitment: a }
            }
            REVEAL => Self::Reveal { worker, fuel: Fuel(payload), root: a, own_trace_root: b },
            _ => return Err(LogError(word)),
        };
        if item.pack() == (word, a, b) { Ok(item) } else { Err(LogError(word)) }
    }
}

fn word(worker: Address, payload: u64, wave: u8, kind: u8) -> U256 {
    let worker = U256::from_be_slice(worker.as_slice());
    (worker << 96) | (U256::from(payload) << 16) | (U256::from(wave) << 8) | U256::from(kind)
}

/// The hash of a round's log, as it stands in the batch's slot: 216 high bits, the low 40 cleared; zero for no items.
///
/// Starts with the round's id; each item makes `keccak256(hash ‖ word ‖ a ‖ b)`, cut to 216 bits.
pub fn log_hash(round: RoundId, items: &[LogItem]) -> U256 {
    if items.is_empty() {
        return U256::ZERO;
    }
    let start = U256::from_be_bytes(round.0.0);
    items.iter().fold(start, |hash, item| {
        let (word, a, b) = item.pack();
        slot_part(keccak256([B256::from(hash), B256::from(word), a, b].concat()))
    })
}
