//! Results that a Solidity contract can decode: `abi.decode(output, (uint256, string, ...))`.
//!
//! Covers what a result needs (words, bytes, strings); arrays and tuples inside tuples are left to full ABI crates.

const WORD_BYTES: usize = 32;

/// One value of an encoded tuple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Any type of one word: `uint256`, `int256`, `bool`, `address`, `bytes32`.
    Word([u8; WORD_BYTES]),
    /// `bytes` or `string`: both are encoded alike.
    Bytes(Vec<u8>),
}

impl Value {
    /// `uint256` (or a smaller unsigned type).
    pub fn uint(value: u128) -> Self {
        let mut word = [0; WORD_BYTES];
        word[16..].copy_from_slice(&value.to_be_bytes());
        Self::Word(word)
    }

    /// `int256` (or a smaller signed type).
    pub fn int(value: i128) -> Self {
        let mut word = [if value < 0 { 0xff } else { 0 }; WORD_BYTES];
        word[16..].copy_from_slice(&value.to_be_bytes());
        Self::Word(word)
    }

    /// `bool`.
    pub fn bool(value: bool) -> Self {
        Self::uint(u128::from(value))
    }

    /// `address`.
    pub fn address(value: [u8; 20]) -> Self {
        let mut word = [0; WORD_BYTES];
        word[12..].copy_from_slice(&value);
        Self::Word(word)
    }

    /// `string`.
    pub fn text(value: impl Into<String>) -> Self {
        Self::Bytes(value.into().into_bytes())
    }

    /// `bytes`.
    pub fn bytes(value: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(value.into())
    }
}

/// Encodes values as `abi.encode` does.
///
/// ```
/// use guildhall_guest::abi::{Value, encode};
///
/// let encoded = encode(&[Value::int(-1), Value::text("ok")]);
/// assert_eq!(encoded[..32], [0xff; 32]); // int256: -1
/// assert_eq!(encoded[63], 64);           // the string starts at byte 64 ...
/// assert_eq!(encoded[95], 2);            // ... with its length
/// assert_eq!(&encoded[96..98], b"ok");
/// assert_eq!(encoded.len(), 128);
/// ```
pub fn encode(values: &[Value]) -> Vec<u8> {
    let heads = values.len() * WORD_BYTES;
    let mut encoded = Vec::with_capacity(heads);
    let mut tails = Vec::new();
    for value in values {
        match value {
            Value::Word(word) => encoded.extend_from_slice(word),
            Value::Bytes(bytes) => {
                push_length(&mut encoded, heads + tails.len());
                push_length(&mut tails, bytes.len());
                tails.extend_from_slice(bytes);
                tails.resize(tails.len().next_multiple_of(WORD_BYTES), 0);
            }
        }
    }
    encoded.extend_from_slice(&tails);
    encoded
}

fn push_length(encoded: &mut Vec<u8>, length: usize) {
    encoded.extend_from_slice(&[0; WORD_BYTES - 8]);
    encoded.extend_from_slice(&(length as u64).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_agree_with_a_full_abi_crate() {
        use alloy_sol_types::{SolValue as _, private::U256};
        let ours = encode(&[
            Value::uint(7),
            Value::bytes([1, 2, 3]),
            Value::bool(true),
            Value::address([9; 20]),
            Value::text("a text that is longer than one word of 32 bytes"),
            Value::text(""),
        ]);
        let theirs = (
            U256::from(7),
            alloy_sol_types::private::Bytes::from(vec![1, 2, 3]),
            true,
            alloy_sol_types::private::Address::from([9; 20]),
            "a text that is longer than one word of 32 bytes".to_owned(),
            String::new(),
        )
            .abi_encode_params();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn negative_numbers_fill_the_word() {
        let Value::Word(word) = Value::int(i128::MIN) else { unreachable!() };
        assert_eq!(word[..16], [0xff; 16]);
        assert_eq!(word[16], 0x80);
        assert_eq!(word[17..], [0; 15]);
    }
}
