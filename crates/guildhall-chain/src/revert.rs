//! Why a contract refused, in words: the error's dotted code, its values, and what to do.
//!
//! The codes follow from the contracts' interfaces: `certifier.no_seat` is `NoSeat` of the Certifier; an error that several
//! contracts share is `contract.<name>`. Knows nothing of who called.

use std::{
    collections::HashMap,
    fmt::{self, Write},
    sync::LazyLock,
};

use alloy::{
    dyn_abi::{DynSolValue, ErrorExt},
    json_abi::{Error as AbiError, JsonAbi},
    primitives::{Bytes, Selector},
    sol_types::{Panic, Revert as RevertText, SolError},
    transports::TransportError,
};

use crate::{bindings::ABIS, hints::hint_of};

/// Longest text of a value that is shown, in characters: a contract that is not ours may say anything.
const MAX_VALUE_CHARS: usize = 200;

/// A refusal of a contract, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revert {
    /// Dotted code.
    pub code: &'static str,
    /// The error and its values: `OddsTooLow(odds: 16000000, target: 99000000)`.
    pub text: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
    /// The raw data.
    pub data: Bytes,
}

impl fmt::Display for Revert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What is known of a selector.
struct Known {
    code: &'static str,
    error: AbiError,
}

/// All errors of our contracts by selector.
static KNOWN: LazyLock<HashMap<Selector, Known>> = LazyLock::new(|| {
    let mut owners: HashMap<Selector, (Vec<&'static str>, AbiError)> = HashMap::new();
    for (contract, text) in ABIS {
        let Some(abi) = interface(text) else { continue };
        for error in abi.errors.into_values().flatten() {
            owners.entry(error.selector()).or_insert_with(|| (Vec::new(), error)).0.push(contract);
        }
    }
    let known = owners.into_iter().map(|(selector, (mut contracts, error))| {
        contracts.dedup();
        let owner = if let [one] = contracts[..] { snake(one) } else { "contract".to_owned() };
        // Once for each error of the contracts: codes are static everywhere else, too.
        let code: &'static str = Box::leak(format!("{owner}.{}", snake(&error.name)).into_boxed_str());
        (selector, Known { code, error })
    });
    known.collect()
});

/// The interface out of a compiler artifact, which also holds code.
pub(crate) fn interface(artifact: &str) -> Option<JsonAbi> {
    let value: serde_json::Value = serde_json::from_str(artifact).ok()?;
    serde_json::from_value(value.get("abi")?.clone()).ok()
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for (position, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && position > 0 {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

impl Revert {
    /// Decodes revert data: our errors, `Error(string)`, `Panic(uint256)`, or unknown bytes.
    pub fn decode(data: &Bytes) -> Self {
        let of = |code, text: String, hint| Self { code, text, hint, data: data.clone() };
        let Some(selector) = data.first_chunk::<4>().map(Selector::from) else {
            return of("contract.no_reason", "the contract gave no reason".to_owned(), None);
        };
        if selector == RevertText::SELECTOR
            && let Ok(said) = RevertText::abi_decode(data)
        {
            return of("contract.reverted", format!("`{}`", clip(&said.reason)), None);
        }
        if selector == Panic::SELECTOR
            && let Ok(panic) = Panic::abi_decode(data)
        {
            return of(
                "contract.panic",
                panic.to_string(),
                Some("this is a fault in a contract: please report it"),
            );
        }
        match KNOWN.get(&selector) {
            Some(known) => of(known.code, text_of(&known.error, data), hint_of(&known.error.name)),
            None => {
                let text = format!("an error that is not of our contracts: {}", clip(&data.to_string()));
                of("contract.unknown_error", text, None)
            }
        }
    }

    /// A refusal whose reason cannot be had any more.
    pub(crate) fn unknown() -> Self {
        Self::decode(&Bytes::new())
    }
}

/// The refusal in a node's error, if it is one.
pub fn revert_of(error: &TransportError) -> Option<Revert> {
    let payload = error.as_error_resp()?;
    if let Some(data) = payload.as_revert_data() {
        return Some(Revert::decode(&data));
    }
    // No data: an empty revert, which nodes name in their own words.
    let said = payload.message.to_lowercase();
    (payload.code == 3 || said.contains("revert")).then(Revert::unknown)
}

fn text_of(error: &AbiError, data: &[u8]) -> String {
    let Ok(values) = error.decode_error(data) else {
        return format!("{} with values that do not decode", error.name);
    };
    let mut text = format!("{}(", error.name);
    for (position, (param, value)) in error.inputs.iter().zip(&values.body).enumerate() {
        let separator = if position > 0 { ", " } else { "" };
        // Writing to a string does not fail.
        let _ = match param.name.is_empty() {
            true => write!(text, "{separator}{}", shown(value)),
            false => write!(text, "{separator}{}: {}", param.name, shown(value)),
        };
    }
    text.push(')');
    text
}

fn shown(value: &DynSolValue) -> String {
    let text = match value {
        DynSolValue::Uint(number, _) => number.to_string(),
        DynSolValue::Int(number, _) => number.to_string(),
        DynSolValue::Address(address) => address.to_string(),
        DynSolValue::Bool(flag) => flag.to_string(),
        DynSolValue::FixedBytes(word, size) => alloy::hex::encode_prefixed(&word[..*size]),
        DynSolValue::Bytes(bytes) => alloy::hex::encode_prefixed(bytes),
        DynSolValue::String(text) => format!("`{text}`"),
        other => format!("{other:?}"),
    };
    clip(&text)
}

fn clip(text: &str) -> String {
    let mut clipped: String = text.chars().take(MAX_VALUE_CHARS).collect();
    if clipped.len() < text.len() {
        clipped.push_str("...");
    }
    clipped
}

#[cfg(test)]
mod tests {
    use alloy::{primitives::U256, sol_types::SolError};

    use super::*;
    use crate::bindings::{Certifier, Market};

    #[test]
    fn our_errors_come_with_code_values_and_hint() {
        let data = Certifier::OddsTooLow { odds: U256::from(16), target: U256::from(99) }.abi_encode();
        let revert = Revert::decode(&data.into());
        assert_eq!(revert.code, "certifier.odds_too_low");
        assert_eq!(revert.to_string(), "OddsTooLow(odds: 16, target: 99)");
        assert_eq!(revert.hint, Some("wait for more contributions, or for the next wave"));
        let data = Market::PriceTooHigh { what: "app".into(), price: U256::from(2), cap: U256::from(1) }
            .abi_encode();
        assert_eq!(Revert::decode(&data.into()).to_string(), "PriceTooHigh(what: `app`, price: 2, cap: 1)");
    }

    #[test]
    fn a_shared_error_belongs_to_no_contract() {
        let data = Market::NotAllowed { caller: Default::default() }.abi_encode();
        assert_eq!(Revert::decode(&data.into()).code, "contract.not_allowed");
    }

    #[test]
    fn hostile_data_is_bounded_and_never_panics() {
        let long = RevertText { reason: "x".repeat(100_000) }.abi_encode();
        assert!(Revert::decode(&long.into()).text.len() < 300);
        let mut broken = Market::PriceTooHigh::SELECTOR.to_vec();
        broken.extend([0xff; 64]);
        assert_eq!(Revert::decode(&broken.into()).text, "PriceTooHigh with values that do not decode");
        for length in 0..5 {
            assert!(Revert::decode(&vec![0xab; length].into()).code.starts_with("contract."));
        }
        let panic = Panic { code: U256::from(0x11) }.abi_encode();
        assert_eq!(Revert::decode(&panic.into()).code, "contract.panic");
    }

    #[test]
    fn codes_are_dotted_and_lower_case() {
        assert!(KNOWN.len() > 80, "{}", KNOWN.len());
        for known in KNOWN.values() {
            let fine = |letter: char| {
                letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._".contains(letter)
            };
            assert!(known.code.chars().all(fine), "{}", known.code);
        }
    }
}
