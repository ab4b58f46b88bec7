//! The gateway's bounds, and what happens beyond each. Those of one text or list stand where it is read.

use std::time::Duration;

/// Events of one transaction of the index; more are written in several, and the cursor moves with the last.
pub const EVENTS_A_WRITE: usize = 2_000;
/// Rows of one statement: SQLite takes 32,766 parameters, PostgreSQL 65,535.
pub const ROWS_A_STATEMENT: usize = 500;
/// Connections to the database; further queries wait for one.
pub const DATABASE_CONNECTIONS: u32 = 8;
/// How long a query waits for a connection; then the request gets 503.
pub const DATABASE_WAIT: Duration = Duration::from_secs(10);

/// Bytes of answers that are kept until the next block; with more, all of them are forgotten.
pub const ANSWERS_KEPT_BYTES: usize = 32 << 20;
/// Largest answer that is kept, in bytes.
pub const ANSWER_KEPT_BYTES: usize = 512 << 10;
/// Longest path and query whose answer is kept, in bytes.
pub const QUERY_KEPT_BYTES: usize = 512;

/// Items of a page unless the request says otherwise.
pub const PAGE_USUAL: u32 = 50;
/// Most items of a page; a larger `limit` is refused.
pub const PAGE_MAX: u32 = 200;

/// Body of a posted order or question, in bytes; larger ones get 413.
pub const BODY_BYTES: usize = 64 * 1024;
/// Largest blob taken, in bytes; larger ones get 413.
pub const BLOB_BYTES: u64 = 64 << 20;
/// Bytes that one address may store in an hour, and save up; beyond it 429. Who has more to give stores it with the pool's
/// coordinator, under a name of its own. Behind a proxy all visitors are one address.
pub const STORED_PER_HOUR: u64 = 1 << 30;
/// What a blob counts at least, in bytes: a file takes room on a disk, however small it is.
pub const STORED_AT_LEAST: u64 = 4 << 10;
/// Open connections; further ones wait in the system's queue.
pub const CONNECTIONS: usize = 4_096;
/// Open connections of one address; further ones are closed. Two thousand streams of one test machine fit.
pub const CONNECTIONS_PER_ADDRESS: usize = 2_560;
/// Requests a second of one address, on average; beyond it 429. A page asks for ten at most when it opens.
pub const REQUESTS_PER_SEC: u32 = 200;
/// Requests that an address may save up.
pub const REQUESTS_BURST: u32 = 1_000;
/// Addresses whose rate is remembered; with more, those that are at rest are forgotten, then strangers get 429.
pub const ADDRESSES_REMEMBERED: usize = 65_536;

/// Events that are kept for those who come back; an older `Last-Event-ID` gets `reset`.
pub const EVENTS_REMEMBERED: usize = 4_096;
/// Topics of one stream; more are refused.
pub const TOPICS_A_STREAM: usize = 32;
/// Streams open at once; further ones get 503.
pub const STREAMS: usize = 3_000;
/// How often a stream carries something.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Pools whose coordinator is listened to; those with lower numbers first.
pub const RELAYS: usize = 256;
/// Waits between attempts to reach a coordinator: the first, and the longest.
pub const RELAY_WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Orders on the book; when it is full, further ones get 503.
pub const ORDERS: usize = 100_000;
/// Orders of one signer; further ones get 409.
pub const ORDERS_PER_SIGNER: usize = 1_000;
/// Orders that one match looks at on each side, the cheapest first.
pub const OFFERS_LOOKED_AT: u32 = 64;
/// Times and costs of transactions that are remembered; the oldest are forgotten first.
pub const FACTS_REMEMBERED: usize = 16_384;
/// Questions to the node at once, of one request.
pub const ASKED_AT_ONCE: usize = 16;
/// How long the node may take to answer for one request; then what depends on it is left out or the request gets 503.
pub const NODE_WAIT: Duration = Duration::from_secs(5);
