//! The coordinator of a pool: gathers contributions, posts certificates.
//!
//! Nobody has to trust it. It cannot add anybody to a list (every line is signed by its worker), drop or silence anybody
//! after the reveal (the contract recomputes the list's hash), or see a claim before its maker is bound to it. What it could
//! do, leave a seat holder out or post nothing, the chain's own path and the dispute window answer.
//!
//! [`tally`] and [`gathering`] are one round as a state machine without IO, [`machine`] is all of them; around it stand a
//! store, an HTTP interface and whoever posts. `docs/network.md` has the whys.

pub mod chain;
pub mod desk;
pub mod error;
pub mod gathering;
pub mod http;
pub mod hub;
pub mod limits;
pub mod machine;
mod neglected;
pub mod onchain;
mod part;
pub mod rates;
pub mod records;
pub mod refusal;
pub mod run;
pub mod shell;
pub mod store;
pub mod tally;

pub use chain::{Chain, ChainEvent};
pub use error::CoordinatorError;
pub use machine::{Action, Machine};
pub use onchain::OnChain;
pub use part::Equivocation;
pub use refusal::Refusal;
pub use run::{Config, Deps, run};
