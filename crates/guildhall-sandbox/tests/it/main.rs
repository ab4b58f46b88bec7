//! The sandbox: hostile apps, and what it does with processes.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod hello;
mod hostile;
mod nans;
mod pool;
mod storms;
