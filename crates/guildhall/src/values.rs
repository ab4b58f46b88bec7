//! How people write and read amounts, times, fuel and odds.
//!
//! Amounts on the command line are in whole tokens with up to 18 decimals (`1.5`); in JSON they are decimal strings in
//! the token's smallest unit. Knows nothing of what they are for.

use alloy::primitives::{
    B256, U256,
    aliases::U96,
    utils::{ParseUnits, parse_units},
};

pub use guildhall_api::shown::{TOKEN_DECIMALS, show_odds, show_seconds, show_tokens, thousands};
use guildhall_protocol::{DealId, manifest};

/// Reads an amount of tokens: `12`, `0.5`.
///
/// # Errors
/// A sentence for clap.
pub fn tokens(text: &str) -> Result<U256, String> {
    let wrong = || format!("`{text}` is no amount of tokens; write it as `12` or `0.5`");
    // The library cuts further decimals off in silence; an amount is never changed here.
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if !text.starts_with(|c: char| c.is_ascii_digit()) || decimals > usize::from(TOKEN_DECIMALS) {
        return Err(wrong());
    }
    match parse_units(text, TOKEN_DECIMALS).map_err(|_| wrong())? {
        ParseUnits::U256(amount) => Ok(amount),
        ParseUnits::I256(_) => Err(wrong()),
    }
}

/// [`tokens`] that fit an order's field of 96 bits.
///
/// # Errors
/// A sentence for clap.
pub fn tokens96(text: &str) -> Result<U96, String> {
    let amount = u128::try_from(tokens(text)?).ok().and_then(|amount| U96::try_from(amount).ok());
    amount.ok_or_else(|| format!("`{text}` tokens do not fit an order"))
}

/// Reads a time span in seconds: `90`, `90s`, `5m`, `2h`, `7d`.
///
/// # Errors
/// A sentence for clap.
pub fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no time span; write it as `90s`, `5m`, `2h` or `7d`");
    let (number, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3_600),
        Some((at, 'd')) => (&text[..at], 86_400),
        _ => (text, 1),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

/// Reads fuel or bytes: `5000000`, `5M`, `2G`, with decimal steps of a thousand for fuel (`k`, `M`, `G`, `T`) and binary
/// ones for bytes (`KiB`, `MiB`, `GiB`).
///
/// # Errors
/// A sentence for clap.
pub fn quantity(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 7] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
    ];
    let plain = text.replace('_', "");
    let (number, unit) = UNITS
        .iter()
        .find_map(|(ending, unit)| Some((plain.strip_suffix(ending)?, *unit)))
        .unwrap_or((plain.as_str(), 1));
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| format!("`{text}` is no quantity; write it as `5000000`, `5M`, `2G` or `512MiB`"))
}

/// Reads a confidence: `99` or `99:1`.
///
/// # Errors
/// A sentence for clap.
pub fn odds(text: &str) -> Result<u32, String> {
    text.strip_suffix(":1")
        .unwrap_or(text)
        .parse()
        .map_err(|_| format!("`{text}` are no odds; write them as `99` or `99:1`"))
}

/// Reads an environment variable: `NAME=VALUE`.
///
/// # Errors
/// A sentence for clap.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` has no `=`"))?;
    if name.is_empty() {
        return Err(format!("`{text}` has no name before the `=`"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Reads where a task's random bytes come from: 64 hexadecimal digits, or `DEAL:TASK` for a task of a deal.
///
/// # Errors
/// A sentence for clap.
pub fn task_seed(text: &str) -> Result<B256, String> {
    let wrong = || {
        format!(
            "`{text}` is no seed; write a deal's task as `DEAL:TASK`, or the seed as 64 hexadecimal digits"
        )
    };
    let Some((deal, task)) = text.split_once(':') else { return text.parse().map_err(|_| wrong()) };
    let deal: DealId = deal.parse().map_err(|_| wrong())?;
    Ok(B256::from(manifest::task_seed(deal, task.parse().map_err(|_| wrong())?)))
}

/// Bytes in binary units.
pub fn show_bytes(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1_024),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes / 1_048_576),
        _ => format!("{} GiB", bytes / 1_073_741_824),
    }
}

/// The first ten characters of an id: enough to tell two apart in a table.
pub fn short(id: impl std::fmt::Display) -> String {
    id.to_string().chars().take(10).collect()
}

/// Fresh randomness for an order's salt.
pub fn salt() -> B256 {
    B256::random()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_back_as_they_are_shown() {
        for text in ["0", "1", "0.5", "12.000001", "1000000"] {
            assert_eq!(show_tokens(tokens(text).unwrap()), text);
        }
        assert_eq!(show_tokens(U256::from(1)), "<0.000001");
        for wrong in ["", "-1", "1,5", "one", "1.0000000000000000001"] {
            assert!(tokens(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_quantities_and_odds_read_with_their_units() {
        assert_eq!([seconds("90"), seconds("5m"), seconds("2h")], [Ok(90), Ok(300), Ok(7_200)]);
        assert_eq!([quantity("5M"), quantity("512MiB")], [Ok(5_000_000), Ok(512 << 20)]);
        assert_eq!([odds("99"), odds("99:1")], [Ok(99), Ok(99)]);
        for wrong in ["", "h", "-5m", "99999999999999999999d"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        assert!(quantity("5X").is_err() && odds("1:99").is_err());
    }

    #[test]
    fn a_seed_is_written_out_or_that_of_a_task() {
        let digits = "11".repeat(32);
        assert_eq!(task_seed(&digits), Ok(B256::repeat_byte(0x11)));
        let of_task = manifest::task_seed(DealId(B256::repeat_byte(0x11)), 7);
        assert_eq!(task_seed(&format!("0x{digits}:7")), Ok(of_task.into()));
        for wrong in ["", "0x11", "11:0", ":0", &format!("{digits}:-1"), &format!("{digits}:")] {
            assert!(task_seed(wrong).is_err(), "{wrong}");
        }
        assert_eq!(pair("LANG=C=1"), Ok(("LANG".to_owned(), "C=1".to_owned())));
        assert!(pair("LANG").is_err() && pair("=C").is_err());
    }

    #[test]
    fn what_is_shown_is_short() {
        assert_eq!(show_seconds(3_725), "1 h 2 min");
        assert_eq!(show_odds(64_000_000), "64:1");
        assert_eq!(show_odds(1_024_000_000), "1,024:1");
        assert_eq!(show_odds(3_200_000), "3.2:1");
        assert_eq!(show_bytes(512 << 20), "512 MiB");
    }
}
