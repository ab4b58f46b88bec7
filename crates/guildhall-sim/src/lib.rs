//! Development only: the real state machines of coordinator and workers over a simulated chain, clock and network.
//!
//! No sockets, no threads, no real time: one queue of events, and everything follows from the seed, so that a run that
//! breaks a rule can be run again. What the roles' shells do (sign, keep, send again) is done here in memory; signatures of
//! lists are not checked, which is the shells' part.

mod chain;
mod faults;
pub mod market;
mod member;
mod round;

pub use chain::{Rejection, SimulatedChain};
pub use faults::{Dice, Faults};
pub use round::{Broken, Ended, run};
