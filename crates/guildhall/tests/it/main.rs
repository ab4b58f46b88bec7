//! The command and the city, as people use them: one program, so that it is linked once and its tests share the cores.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod broken_state;
mod chains;
mod cli_offline;
mod cli_on_chain;
mod cli_refusals;
mod cli_up;
mod court;
mod crashes;
mod devices;
mod disproof;
mod end_to_end;
mod gateway;
mod gateway_orders;
mod guides;
mod inquest;
mod support;
