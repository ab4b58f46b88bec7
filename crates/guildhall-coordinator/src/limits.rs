//! Every bound and every patience of the coordinator, in one place, each with what happens at it.

use std::time::Duration;

/// Rounds gathered at once. At the bound, messages of further rounds are answered `busy`; workers try again.
pub const MAX_ROUNDS: usize = 8_192;
/// Deals kept at once. At the bound, further deals wait on the chain until one ends; a reconcile finds them.
pub const MAX_DEALS: usize = 16_384;
/// Rounds that are over and still answered for. Beyond, the oldest is forgotten; its result stays in the store.
pub const MAX_ENDED: usize = 4_096;
/// Batches that nobody worked on, looked up at each block. Further ones wait for the next.
pub const MAX_NEGLECTED: usize = 16;
/// Open connections: two for each stream, and some for whoever else asks. Beyond, further ones wait in the system's queue.
pub const MAX_CONNECTIONS: usize = 24_576;
/// Open connections of one address, behind which a whole pool may be. Beyond, further ones are closed.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 2_560;
/// Open members' streams. At the bound, further ones are answered `busy`.
pub const MAX_STREAMS: usize = 10_240;
/// Events waiting for one member. At the bound its stream is closed: it comes back and gets everything pending.
pub const STREAM_QUEUE: usize = 1_024;
/// Events that watchers may lag behind. Beyond, a watcher is told how many it missed.
pub const PROGRESS_QUEUE: usize = 4_096;
/// Open watchers' streams. At the bound, further ones are answered `busy`.
pub const MAX_WATCHERS: usize = 256;
/// Messages checked at once. At the bound, further ones wait for [`MESSAGE_WAIT`], then are answered `busy`.
pub const MAX_MESSAGES: usize = 512;
/// Senders that are looked up on chain at once. At the bound, further ones wait for [`MESSAGE_WAIT`], then are answered `busy`.
pub const MAX_LOOKUPS: usize = 64;
/// How long a message waits for its turn, or for a round that the chain has and the coordinator has not seen yet.
pub const MESSAGE_WAIT: Duration = Duration::from_secs(5);
/// Messages of one worker a second, on average. Beyond, they are answered `too_fast`.
pub const MESSAGES_PER_SEC: u32 = 1_000;
/// Messages of one worker at once, after a pause.
pub const MESSAGES_BURST: u32 = 4_000;
/// Workers whose rate is remembered; beyond, those that were silent longest are forgotten.
pub const MAX_RATES: usize = 16_384;
/// Pairs of contradicting messages kept of one round; one is enough for a slash.
pub const MAX_PROOFS: usize = 8;
/// Writes waiting for the disk. At the bound, messages wait.
pub const WRITE_QUEUE: usize = 1_024;
/// Batches certified by one transaction: 64 of three members stay below 7 of the 16.7 million gas that one may use.
pub const MAX_BATCHES_A_TRANSACTION: usize = 48;
/// List entries in one transaction, all batches together.
pub const MAX_ENTRIES_A_TRANSACTION: usize = 240;

/// How long, in milliseconds, connected seat holders have to take their seats before a list may close without them.
pub const RESERVE_GRACE_MS: u64 = 400;
/// How many times longer than the slowest member of this round and the deal's latest the holder of a seat may take, before a
/// list that would just do closes without it.
pub const SLOWER_TIMES: u64 = 2;
/// The part of a wave that members are reckoned to take in the first rounds of a deal.
pub const UNKNOWN_PACE_PARTS: u64 = 8;
/// Rounds of a deal whose pace is remembered: the slowest of them counts, so that it takes so many rounds in a row to shorten it.
pub const PACES: usize = 8;
/// How long, in milliseconds, such a list waits for the holder of a seat at least.
pub const HELD_GRACE_MS: u64 = 500;
/// How long, in milliseconds, a listed member has to show its claim before the certificate is posted without it.
pub const REVEAL_GRACE_MS: u64 = 2_000;
/// How long, in milliseconds, after a refused or lost transaction the next one is tried.
pub const POST_RETRY_MS: u64 = 2_000;
/// How long, in milliseconds, after a proof was sent it is sent again, unless it is known to be on chain.
pub const PROVE_RETRY_MS: u64 = 10_000;
