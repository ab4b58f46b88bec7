//! The protocol as pure functions: ids, orders, lot, receipts, confidence, payouts.
//!
//! No IO, no clock, no async, no floats: what stands here is pinned to the contracts by `vectors/`. `docs/encoding.md` is
//! the norm for every hash, `docs/manifest.md` for inputs.

pub mod batch;
pub mod cases;
pub mod certificate;
pub mod confidence;
pub mod delivery;
pub mod disproof;
pub mod forecast;
pub mod list;
pub mod log;
pub mod lot;
pub mod manifest;
pub mod matching;
pub mod messages;
pub mod orders;
pub mod parameters;
pub mod payouts;
pub mod policy;
pub mod receipt;
pub mod signed_order;
pub mod states;
pub mod terms;
pub mod tree;
pub mod units;

pub use batch::{Batch, ReceiptProof};
pub use cases::Case;
pub use certificate::{
    BatchSlot, Certificate, Claim, Member, OnChain, Trail, Verified, VerifyError, members_hash, roster,
    verify_result,
};
pub use confidence::Weighing;
pub use delivery::{Parcel, delivery_hash};
pub use disproof::{Disproof, Fault, Leaf, Leaves};
pub use forecast::{Forecast, forecast};
pub use list::{EntryWord, List, ListEntry};
pub use log::LogItem;
pub use lot::Lot;
pub use manifest::{Manifest, TaskInput, task_seed};
pub use matching::{Match, MatchError, check_match};
pub use messages::{CompactSignature, Signed};
pub use orders::{AppOrder, DatasetOrder, Order, Policy, PoolOrder, RequestOrder};
pub use parameters::Parameters;
pub use payouts::{Payouts, Prices};
pub use policy::PolicyWord;
pub use receipt::{Exit, Receipt, own_trace_key};
pub use signed_order::{AnyOrder, SignedOrder};
pub use states::Status;
pub use terms::{CaseTermsWord, Opened, OpenedWord, Terms};
pub use tree::Tree;
pub use units::{
    Amount, AssetId, BondUnits, Bps, CaseId, ContentId, DealId, Fuel, Odds, OperatorId, PoolId, Reputation,
    RoundId, RuntimeNumber, Secs, Seed, UnixTime, Weight,
};
