//! The coordinator: its rules on the state machine alone, and its interface over a real socket.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod http;
mod machine;
mod openapi;
mod support;
