//! What a requester does, as a library: quote, order, watch, get, verify, replay.

pub mod assets;
pub mod court;
pub mod deal;
pub mod history;
pub mod offers;
pub mod pools;
pub mod progress;
pub mod quote;
pub mod replay;
pub mod results;
pub mod settle;
pub mod stock;
pub mod store;
pub mod verify;
pub mod watch;
