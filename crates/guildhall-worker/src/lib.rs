//! A worker: takes a seat, fetches, executes, commits, contributes, sees to the result.
//!
//! It makes outgoing connections only. It follows the chain itself and computes its own seats ([`agenda`]); what it signs is
//! on disk before it is sent ([`journal`]), so that it never signs two different things in one round; one seat is a state
//! machine without IO ([`seat`]) that [`drive`] puts into effect; where no coordinator does its part it goes over the chain
//! ([`direct`]); before the Court it sits on juries, defends what it certified and overturns what contradicts itself ([`court`]), and
//! it re-executes a share of what others certified ([`auditor`]). `docs/network.md` has the whys.

pub mod afterwards;
pub mod agenda;
pub mod auditor;
pub mod bench;
pub mod chain;
pub mod court;
pub mod direct;
pub mod drive;
pub mod error;
pub mod executor;
pub mod journal;

mod blind;
mod disproof;
mod inquest;
pub mod limits;
pub mod link;
pub mod onchain;
pub mod progress;
pub mod run;
pub mod seat;
pub mod taker;

pub use chain::{Chain, ChainEvent};
pub use error::WorkerError;
pub use executor::{Assignment, ExecuteError, Executed, Executor, SandboxExecutor};
pub use link::{HttpLink, Link};
pub use onchain::OnChain;
pub use progress::{Progress, ProgressSender, ProgressStep};
pub use run::{Config, Deps, run};
