//! The gateway: what any client needs to know and do over HTTP, from one process.
//!
//! [`Index`] follows the chain into a database; the routes serve it. Everything that the gateway says can be read from
//! the chain and from the pools, and nothing else needs it. `docs/gateway.md` is the interface.

pub mod book;
pub mod error;
pub mod facts;
mod follow;
pub mod http;
pub mod hub;
pub mod index;
pub mod limits;
pub mod objects;
pub mod openapi;
pub mod peers;
pub mod recorded;
pub mod relay;
pub mod run;
pub mod said;

pub use error::{GatewayError, IndexError};
pub use index::{Head, Index, Reached};
pub use run::{Config, Deps, run};
