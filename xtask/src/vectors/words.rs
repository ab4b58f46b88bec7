//! How values stand in the files, and the source of arbitrary but fixed values.

use alloy_primitives::{Address, B256, U256, keccak256};
use serde_json::Value;

/// A number as a word: `0x` and 64 digits, so that every field of a case is one static word for Solidity.
pub(super) fn number<T>(value: T) -> Value
where
    U256: alloy_primitives::ruint::UintTryFrom<T>,
{
    word(U256::from(value).into())
}

/// A word.
pub(super) fn word(value: B256) -> Value {
    Value::String(value.to_string())
}

/// A list of words.
pub(super) fn words(values: &[B256]) -> Value {
    values.iter().copied().map(word).collect()
}

/// A list of numbers as words.
pub(super) fn numbers(values: impl IntoIterator<Item = u128>) -> Value {
    values.into_iter().map(number).collect()
}

/// An address: `0x` and 40 lowercase digits.
pub(super) fn address(value: Address) -> Value {
    Value::String(format!("{value:#x}"))
}

/// Bytes.
pub(super) fn bytes(value: &[u8]) -> Value {
    Value::String(alloy_primitives::hex::encode_prefixed(value))
}

/// A hash chain: arbitrary values, the same in every run.
pub(super) struct Chain(B256);

impl Chain {
    /// Starts a chain of its own for a file.
    pub(super) fn new(name: &str) -> Self {
        Self(keccak256(format!("guildhall vectors {name}")))
    }

    /// The next word.
    pub(super) fn word(&mut self) -> B256 {
        self.0 = keccak256(self.0);
        self.0
    }

    /// The next address.
    pub(super) fn address(&mut self) -> Address {
        Address::from_word(self.word())
    }

    /// The next number below `2^bits`; `bits` is 1 to 128.
    pub(super) fn bits(&mut self, bits: usize) -> u128 {
        let mask = u128::MAX >> (128 - bits);
        U256::from_be_bytes(self.word().0).wrapping_to::<u128>() & mask
    }

    /// The next number from `lowest` to `highest`.
    pub(super) fn range(&mut self, lowest: u64, highest: u64) -> u64 {
        let span = u128::from(highest - lowest) + 1;
        // Below `span`, which is at most 2^64.
        lowest + (self.bits(128) % span) as u64
    }
}
