//! Ids and quantities as types, so that a pool can't be passed for an operator nor seconds for fuel.
//!
//! Every quantity is an integer with checked arithmetic. Text and JSON forms are decimal; in JSON, quantities of 64
//! bits and more are strings, because JavaScript's numbers end at 2^53. Knows nothing of what the quantities mean.

use core::{fmt, str::FromStr};

use alloy_primitives::{B256, U256};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The unit of bonds on chain: 1e15 of the token's smallest unit (a thousandth of a token of 18 decimals).
pub const BOND_UNIT_WEI: u64 = 1_000_000_000_000_000;
/// One, in micro units: odds and weights are counted in millionths.
pub const MICRO: u64 = 1_000_000;
/// One, in basis points.
pub const BPS: u64 = 10_000;

/// A text that names no id or quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}: expected {expected}")]
pub struct ParseError {
    /// What was to be read.
    pub what: &'static str,
    /// The text, cut to [`ParseError::SHOWN`] characters.
    pub text: String,
    /// What would have been right.
    pub expected: &'static str,
}

impl ParseError {
    /// Longest excerpt of a bad text that a message repeats, in characters.
    pub const SHOWN: usize = 80;

    pub(crate) fn new(what: &'static str, text: &str, expected: &'static str) -> Self {
        let mut shown: String = text.chars().take(Self::SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Self { what, text: shown, expected }
    }

    /// The error's code in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        "protocol.unreadable"
    }
}

/// Serialises with `Display` and reads a string or a number with `FromStr`: for integers wider than 53 bits.
pub mod decimal {
    use super::{Deserializer, FromStr, Serializer, TextOrNumber, de, fmt};

    /// Writes the decimal form as a JSON string.
    pub fn serialize<T: fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    /// Reads a decimal string, or a JSON integer.
    pub fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: fmt::Display>,
        D: Deserializer<'de>,
    {
        from.deserialize_any(TextOrNumber)?.parse().map_err(de::Error::custom)
    }
}

/// Reads what may stand for a quantity in JSON, as text.
struct TextOrNumber;

impl de::Visitor<'_> for TextOrNumber {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, or a string of one")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

macro_rules! quantity {
    ($(#[$meta:meta])* $name:ident($int:ty), $what:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl $name {
            /// None of it.
            pub const ZERO: Self = Self(<$int>::MIN);
            /// The most that the type holds.
            pub const MAX: Self = Self(<$int>::MAX);

            /// The bare integer.
            pub const fn get(self) -> $int {
                self.0
            }

            /// The sum, or `None` beyond [`Self::MAX`].
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).map(Self)
            }

            /// The difference, or `None` below zero.
            pub fn checked_sub(self, other: Self) -> Option<Self> {
                self.0.checked_sub(other.0).map(Self)
            }

            /// So many times as much, or `None` beyond [`Self::MAX`].
            pub fn checked_mul(self, times: $int) -> Option<Self> {
                self.0.checked_mul(times).map(Self)
            }

            /// The difference, or zero where `other` is more.
            pub fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// The sum, or [`Self::MAX`].
            pub fn saturating_add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            /// Reads a decimal number; `_` may group digits, as in `1_000_000`.
            fn from_str(text: &str) -> Result<Self, ParseError> {
                const EXPECTED: &str = "a whole decimal number within its range, such as 1000 or 1_000";
                let error = || ParseError::new($what, text, EXPECTED);
                let starts_with_digit = text.starts_with(|c: char| c.is_ascii_digit());
                if !starts_with_digit || !text.chars().all(|c| c.is_ascii_digit() || c == '_') {
                    return Err(error());
                }
                text.replace('_', "").parse().map(Self).map_err(|_| error())
            }
        }

        impl From<$int> for $name {
            fn from(value: $int) -> Self {
                Self(value)
            }
        }

        impl From<$name> for $int {
            fn from(value: $name) -> $int {
                value.0
            }
        }
    };
}

/// JSON as a number: for integers that JavaScript holds exactly.
macro_rules! small {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(to)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                decimal::deserialize(from)
            }
        }
    )*};
}

/// JSON as a decimal string.
macro_rules! wide {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                decimal::serialize(self, to)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                decimal::deserialize(from)
            }
        }
    )*};
}

quantity!(
    /// An amount of the token, in its smallest unit.
    Amount(U256), "amount"
);
quantity!(
    /// What an execution costs in the sandbox, in units of the runtime.
    Fuel(u64), "amount of fuel"
);
quantity!(
    /// A length of time in seconds.
    Secs(u64), "number of seconds"
);
quantity!(
    /// A moment of chain time, in Unix seconds.
    UnixTime(u64), "Unix time"
);
quantity!(
    /// Bonded stake in bond units of [`BOND_UNIT_WEI`], rounded down.
    BondUnits(u64), "bond"
);
quantity!(
    /// Odds to one that a root is right, times 1e6.
    Odds(u128), "odds"
);
quantity!(
    /// Weight of one seat, or of a group of seats, times 1e6 (`(1 - epsilon) / epsilon` of a worker).
    Weight(u128), "weight"
);
quantity!(
    /// A share in basis points, 10,000 = all.
    Bps(u16), "share in basis points"
);
quantity!(
    /// A worker's reputation points.
    Reputation(u16), "reputation"
);
quantity!(
    /// Number of an app or a dataset in the registry.
    AssetId(U256), "asset number"
);
quantity!(
    /// Number of a pool.
    PoolId(u32), "pool number"
);
quantity!(
    /// Number of an operator.
    OperatorId(u32), "operator number"
);
quantity!(
    /// Number of a runtime: features, fuel table, instrumenter, import set and limits of the sandbox.
    RuntimeNumber(u8), "runtime number"
);

small!(Bps, Reputation, PoolId, OperatorId, RuntimeNumber);
wide!(Amount, Fuel, Secs, UnixTime, BondUnits, Odds, Weight, AssetId);

impl Amount {
    /// The amount in bond units, rounded down; `None` beyond 64 bits of them.
    pub fn to_bond_units(self) -> Option<BondUnits> {
        u64::try_from(self.0 / U256::from(BOND_UNIT_WEI)).ok().map(BondUnits)
    }
}

impl BondUnits {
    /// The same stake as an amount of the token.
    pub fn to_amount(self) -> Amount {
        Amount(U256::from(self.0) * U256::from(BOND_UNIT_WEI))
    }
}

impl UnixTime {
    /// The moment that lies `later` after this one, or `None` beyond 64 bits.
    pub fn after(self, later: Secs) -> Option<Self> {
        self.0.checked_add(later.0).map(Self)
    }
}

impl Odds {
    /// The odds of whole numbers: `Odds::to_one(999)` is 999:1.
    pub const fn to_one(whole: u32) -> Self {
        Self(whole as u128 * MICRO as u128)
    }
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub B256);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            /// Reads `0x` and 64 hexadecimal digits.
            fn from_str(text: &str) -> Result<Self, ParseError> {
                let error = || ParseError::new($what, text, "0x and 64 hexadecimal digits");
                text.starts_with("0x").then_some(()).ok_or_else(error)?;
                text.parse().map(Self).map_err(|_| error())
            }
        }

        impl From<B256> for $name {
            fn from(value: B256) -> Self {
                Self(value)
            }
        }

        impl From<$name> for B256 {
            fn from(value: $name) -> B256 {
                value.0
            }
        }
    };
}

id!(
    /// A deal: the EIP-712 digest of its request order, so it names chain and Market too.
    DealId, "deal id"
);
id!(
    /// A round: one attempt to certify one batch with one draw of the lot.
    RoundId, "round id"
);
id!(
    /// A case before the Court: `keccak256` of its seven words.
    CaseId, "case id"
);
id!(
    /// The random word that a draw of the lot starts from.
    Seed, "seed"
);

/// Name of exact bytes: their BLAKE3 digest.
///
/// Text form: `b3:` and 64 lowercase hexadecimal digits. On chain it is the bare 32 bytes.
///
/// ```
/// use guildhall_protocol::ContentId;
/// let id = ContentId::of(b"hello");
/// assert_eq!(id.to_string().parse(), Ok(id));
/// assert!(id.to_string().starts_with("b3:ea8f163db38682925e"));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub B256);

impl ContentId {
    /// What the text form starts with.
    pub const PREFIX: &'static str = "b3:";

    /// The id of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(B256::from(*blake3::hash(bytes).as_bytes()))
    }

    /// Whether these are the bytes that the id names.
    pub fn names(&self, bytes: &[u8]) -> bool {
        *self == Self::of(bytes)
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:x}", Self::PREFIX, self.0)
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentId {
    type Err = ParseError;

    /// Reads the text form; nothing but lowercase digits, so that an id has one spelling.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new("content id", text, "b3: and 64 lowercase hexadecimal digits");
        let digits = text.strip_prefix(Self::PREFIX).ok_or_else(error)?;
        let lowercase = digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (lowercase && digits.len() == 64).then_some(()).ok_or_else(error)?;
        digits.parse().map(Self).map_err(|_| error())
    }
}

impl From<B256> for ContentId {
    fn from(value: B256) -> Self {
        Self(value)
    }
}

impl From<ContentId> for B256 {
    fn from(value: ContentId) -> Self {
        value.0
    }
}

impl Serialize for ContentId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}
