//! How people read amounts, odds and times. Knows nothing of what they are for.

use alloy::primitives::{U256, utils::format_units};

/// Decimals of the token.
pub const TOKEN_DECIMALS: u8 = 18;
/// Decimals that are shown: what is smaller is rounded down and marked.
const SHOWN_DECIMALS: usize = 6;

/// An amount of the token's smallest unit in whole tokens, six decimals, rounded down.
pub fn show_tokens(amount: impl Into<U256>) -> String {
    let amount = amount.into();
    let text = format_units(amount, TOKEN_DECIMALS).unwrap_or_else(|_| amount.to_string());
    let Some((whole, decimals)) = text.split_once('.') else { return text };
    let shown = decimals.get(..SHOWN_DECIMALS).unwrap_or(decimals).trim_end_matches('0');
    match (whole, shown) {
        ("0", "") if !amount.is_zero() => "<0.000001".to_owned(),
        (_, "") => whole.to_owned(),
        _ => format!("{whole}.{shown}"),
    }
}

/// Odds times 1e6 as people say them: `64:1`.
pub fn show_odds(micro: u128) -> String {
    let (whole, rest) = (micro / 1_000_000, micro % 1_000_000);
    if whole >= 10 || rest == 0 {
        format!("{}:1", thousands(whole))
    } else {
        format!("{whole}.{:01}:1", rest / 100_000)
    }
}

/// A number with its thousands set apart.
pub fn thousands(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time span in the two largest units that matter.
pub fn show_seconds(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (length, name) in units {
        if rest >= length && parts.len() < 2 {
            parts.push(format!("{} {name}", rest / length));
            rest %= length;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}
