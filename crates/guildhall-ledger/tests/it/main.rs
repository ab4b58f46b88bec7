//! The embedded chain against other implementations, clients, crashes and its own promises.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod anvil;
mod clients;
mod common;
mod crash;
mod ledger;
mod provider;
mod rpc;
