//! The client of any EVM chain: typed events with resume and reorg handling, one transaction sender per key.
//!
//! [`Endpoint`] is the way to a node, with limits; [`ChainClient`] reads our contracts in the protocol's own types;
//! [`ChainClient::follow`] streams events; [`Sender`] sends; [`deploy`](fn@deploy) puts the contracts on a new chain;
//! [`Key`] signs. Knows the contracts' interfaces (`abi/`) and nothing of roles: what to do about an event is theirs.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use guildhall_chain::{ChainClient, Cursor, Deployment, Endpoint, RpcPolicy, Update};
//! let endpoint = Endpoint::connect(&"http://127.0.0.1:8545".parse()?, RpcPolicy::default()).await?;
//! let chain = ChainClient::open(endpoint, Deployment::load("deployment.json".as_ref())?).await?;
//! let mut updates = chain.follow(Cursor::at(chain.deployment().block), &[]);
//! while let Some(update) = updates.next().await {
//!     if let Update::Event(event) = update {
//!         println!("{} in block {}", event.name, event.position.block.number);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

pub mod beacon;
pub mod bindings;
pub mod client;
mod compared;
pub mod court;
mod cursor;
pub mod deploy;
mod event_log;
pub mod events;
pub mod faults;
mod follow;
mod hints;
pub mod inquest;
pub mod keys;
pub mod offers;
pub mod revert;
pub mod rounds;
pub mod rpc;
pub mod seeds;
mod send_error;
pub mod sender;
pub mod words;

pub use beacon::{Beacon, BeaconError, BeaconRound, BeaconSource};
pub use client::{ChainClient, ChainError, Head};
pub use court::{CaseState, Hearing, Juror, Subject, Verdict};
pub use cursor::{BlockRef, Cursor, REORG_WINDOW};
pub use deploy::{DeployError, DeployOptions, Deployment, TokenChoice, deploy};
pub use events::{Event, EventKind, Position};
pub use follow::{EventFilter, FollowStatus, Follower, Update, caught_up, follow};
pub use inquest::{Docket, Inquest};
pub use keys::{Key, KeyError};
pub use revert::Revert;
pub use rounds::{Submission, SubmittedEntry};
pub use rpc::{Endpoint, RpcFailure, RpcPolicy};
pub use seeds::{DrawnAt, SeedKind};
pub use send_error::SendError;
pub use sender::{Call, Sender, SenderPolicy, TxOutcome};
