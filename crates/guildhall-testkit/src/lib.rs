//! Development only: another chain and a beacon to test on, builders of what tests need, and checkers of what must always hold.
//!
//! Nothing of this is linked into the command.

pub mod anvil;
pub mod beacon;
pub mod builders;
pub mod checks;

pub use anvil::Anvil;
