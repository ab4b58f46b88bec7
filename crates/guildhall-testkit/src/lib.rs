//! Development only: another chain to test on, and checkers of what must always hold.
//!
//! Nothing of this is linked into the command.

pub mod anvil;
pub mod checks;

pub use anvil::Anvil;
