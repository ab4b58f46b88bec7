//! The rules of the protocol as properties: what must hold for every input, hostile ones included.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod certificates;
mod confidence;
mod disproofs;
mod lot;
mod manifests;
mod matching;
mod messages;
mod payouts;
mod samples;
mod trees;
mod words;
