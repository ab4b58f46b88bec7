//! Wire types and typed clients of our HTTP interfaces: the only way in which roles know each other.
//!
//! A worker makes outgoing connections only. It sends signed [`message`]s to its pool's coordinator by HTTP POST and holds
//! one stream open ([`client::CoordinatorClient::member_stream`], server-sent events) on which the coordinator pushes lists,
//! co-members' contributions and ends of rounds. Watchers have a stream of their own, without roots. `docs/network.md` has
//! the whys.
//!
//! What stands here knows nothing of the chain nor of what either side does with a message.

pub mod auth;
pub mod bundle;
pub mod client;
pub mod error;
pub mod gateway;
pub mod message;
pub mod openapi;
pub mod progress;
pub mod quote;
pub mod round;
pub mod shown;
pub mod sse;
pub mod state;

pub use auth::{Audience, AuthError, Credential, NonceGuard, Purpose};
pub use bundle::{Bundle, BundleError, Output, Produced};
pub use client::{CoordinatorClient, MemberStream, ProgressStream};
pub use error::ApiError;
pub use gateway::{GatewayClient, Listed};
pub use message::{
    Ack, Claim, Envelope, MessageError, OfRound, OpenContribution, RoundRef, SignedEntry, SignedList,
};
pub use progress::{MemberEvent, Outcome, ProgressEvent, ProgressStep};
pub use round::{Round, RoundError, Standing};
pub use state::{About, MemberState, MemberStep, Reply, RoundState, StoredResult};

/// The longest body of a signed message or of an answer in JSON, in bytes.
pub const MAX_JSON_BYTES: usize = 1 << 20;
