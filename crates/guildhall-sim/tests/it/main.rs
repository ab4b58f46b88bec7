//! Rounds and markets from seeds: what must always hold.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod market;
mod rounds;
