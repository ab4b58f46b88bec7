//! Stores of bytes: what they keep, and what they withstand.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod hostile;
mod store;
