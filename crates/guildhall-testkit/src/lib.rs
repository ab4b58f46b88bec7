//! Development only: another chain and a beacon to test on, and checkers of what must always hold.
//!
//! Nothing of this is linked into the command.

pub mod anvil;
pub mod beacon;
pub mod checks;

pub use anvil::Anvil;
