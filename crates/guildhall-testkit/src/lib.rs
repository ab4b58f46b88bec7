//! Development only: another chain and a beacon to test on, builders of what tests need, checkers of what must always hold, and of
//! documents.
//!
//! Nothing of this is linked into the command.

pub mod anvil;
pub mod beacon;
pub mod builders;
pub mod checks;
pub mod faulty;
pub mod link;
pub mod memory;
pub mod schema;

pub use anvil::Anvil;
pub use faulty::{Faults, FaultyNode};
pub use link::{Link, LinkConfig};
pub use memory::MemoryLimit;
