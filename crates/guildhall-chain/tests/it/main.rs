//! The client of the contracts against a real chain, and against scripts of what a node answers.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod beacon;
mod compared;
mod follow;
mod ledger;
mod script;
mod sender;
