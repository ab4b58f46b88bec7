//! Every bound and every patience of a worker, in one place, each with what happens at it.

use std::time::Duration;

/// Seats held at once, those that only wait for their certificate included. At the bound, further seats wait.
pub const MAX_ACTIVE: usize = 64;
/// Cases served at once, on juries or in defence. At the bound, further ones wait, and may be too late.
pub const MAX_CASES: usize = 64;
/// Audits at once; at the bound, certificates wait.
pub const MAX_AUDITS: usize = 8;
/// Certificates waiting to be audited; beyond, further ones are not: audits are samples.
pub const AUDIT_QUEUE: usize = 64;
/// Rounds remembered whose coordinator said that all seats were taken; beyond, the oldest are not checked.
pub const MAX_TURNED_AWAY: usize = 4_096;
/// How long after asking whether the seed asks for an audit it is asked again.
pub const AUDIT_PAUSE: Duration = Duration::from_millis(500);
/// Cases waiting for their turn; beyond, the chain's events wait.
pub const CASE_QUEUE: usize = 256;
/// Openings (deals, and batches drawn anew) remembered at once. At the bound, the latest are left out until others end.
pub const MAX_OPENINGS: usize = 4_096;
/// Batches looked at in one step of the search for seats, so that a deal of millions does not stop the rest.
pub const MAX_SCAN: u32 = 4_096;
/// Tasks of a batch that this worker takes; seats in larger batches are left to others.
pub const MAX_BATCH_TASKS: u32 = 65_536;
/// Largest app fetched, in bytes.
pub const MAX_APP_BYTES: u64 = 64 << 20;
/// Largest input kept in memory, in bytes; larger ones are mapped from their file.
pub const INLINE_INPUT_BYTES: u64 = 64 << 10;
/// Inputs of a batch fetched at once.
pub const FETCHES_AT_ONCE: usize = 16;
/// Events waiting for a watcher of this worker (a user interface). Beyond, it misses the oldest.
pub const PROGRESS_QUEUE: usize = 1_024;
/// Events waiting for one round's driver: lists and ends, a few a round.
pub const ROUND_QUEUE: usize = 256;
/// How long a message is offered to the coordinator in one attempt, and the longest pause between attempts.
pub const RETRY_MAX: Duration = Duration::from_secs(5);
/// The first pause between attempts; doubles up to [`RETRY_MAX`].
pub const RETRY_FIRST: Duration = Duration::from_millis(50);
/// How long a credential is good, in seconds.
pub const CREDENTIAL_SECS: u64 = 60;
/// How long the bytes of a batch may be missing, as a part of the wave, before the worker says so: a half.
pub const WITHHELD_DIVISOR: u64 = 2;
/// How much later than the member before it, in the order of the list, a member checks that the result is stored.
pub const STORE_TURN: Duration = Duration::from_secs(2);
/// How much later than the member before it, in the order of the round's log, a member posts a certificate; how long after
/// one that was not taken it tries again.
pub const POST_TURN: Duration = Duration::from_secs(2);
/// How often the chain is read again in full, so that a lost event costs a minute at most.
pub const RECONCILE: Duration = Duration::from_secs(60);
/// How often the chain is asked what a deal executes: for about five minutes.
pub const ASSETS_ATTEMPTS: u32 = 66;
