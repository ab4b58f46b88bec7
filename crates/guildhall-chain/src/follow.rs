//! Follows a chain's events: catches up in ranges, then block by block by parent hash, and says what was reorganised.
//!
//! Delivery is at least once and in order; a [`Update::Head`] carries the cursor to resume from. Consumers are
//! level-triggered: an update is a reason to look at the chain, not the only truth. Which logs are events of ours is for
//! [`crate::events`] to say.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use alloy::{
    consensus::BlockHeader,
    eips::BlockNumberOrTag,
    primitives::{B256, BlockHash},
    providers::Provider,
    pubsub::Subscription,
    rpc::types::{Filter, Header, Log},
    transports::TransportError,
};
use futures::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use guildhall_protocol::UnixTime;
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};

use crate::{
    cursor::{BlockRef, Cursor, REORG_WINDOW},
    deploy::Deployment,
    events::{Event, decode},
    rpc::{Endpoint, backoff},
};

/// Updates that wait for a slow consumer; when full, the follower waits.
const QUEUE: usize = 1_024;
/// Blocks of the first range of a catch-up.
const FIRST_RANGE: u64 = 2_000;
/// Blocks of the largest range.
const MAX_RANGE: u64 = 20_000;
/// Logs in one answer above which the range is not grown.
const MANY_LOGS: usize = 5_000;
/// Requests for logs of single blocks at once.
const BLOCKS_AT_ONCE: usize = 8;
/// First and longest wait after the node failed.
const FAILURE_WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(15));
/// With a node that pushes, how often to look nevertheless: a subscription may die without a word.
const LOOK_ANYWAY: Duration = Duration::from_secs(10);

/// Which events to follow.
#[derive(Clone, Debug)]
pub struct EventFilter {
    /// Whose contracts.
    pub deployment: Deployment,
    /// Event signatures (topic 0, such as `Market::DealOpened::SIGNATURE_HASH`); empty = all.
    pub signatures: Vec<B256>,
}

impl EventFilter {
    fn base(&self) -> Filter {
        let contracts: Vec<_> = self.deployment.contracts().into_iter().map(|(_, address)| address).collect();
        let filter = Filter::new().address(contracts);
        if self.signatures.is_empty() { filter } else { filter.event_signature(self.signatures.clone()) }
    }
}

/// What a follower says.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// An event of ours.
    Event(Box<Event>),
    /// Everything from this block on is undone; what stands there now follows.
    Reverted {
        /// First block that is undone.
        from: u64,
        /// The reorganisation is deeper than the cursor knows: re-read everything that is not final.
        deep: bool,
    },
    /// All events up to this block have been said. On a catch-up only the last block of a range is said.
    Head {
        /// Its number.
        number: u64,
        /// Its hash.
        hash: BlockHash,
        /// Its time, in Unix seconds.
        time: u64,
        /// Where to resume from once everything up to here is dealt with.
        cursor: Cursor,
    },
}

/// How a follower is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowStatus {
    /// Last block followed.
    pub followed: Option<BlockRef>,
    /// Number of the chain's last block, as the node said last.
    pub head: u64,
    /// Failures in a row; 0 = all is well.
    pub failures: u32,
    /// The last failure, while it lasts.
    pub error: Option<String>,
}

/// A running follower: a stream of [`Update`]s that ends only when it is dropped.
pub struct Follower {
    updates: mpsc::Receiver<Update>,
    status: watch::Receiver<FollowStatus>,
    task: AbortHandle,
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("status", &*self.status.borrow()).finish_non_exhaustive()
    }
}

impl Follower {
    /// The next update.
    pub async fn next(&mut self) -> Option<Update> {
        self.updates.recv().await
    }

    /// How the follower is: wait for changes, or look.
    pub fn status(&self) -> watch::Receiver<FollowStatus> {
        self.status.clone()
    }
}

impl Stream for Follower {
    type Item = Update;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Update>> {
        self.updates.poll_recv(context)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Follows the logs of `filter` from `cursor` on, until the follower is dropped.
///
/// # Panics
/// Outside a tokio runtime.
pub fn follow(endpoint: &Endpoint, cursor: Cursor, filter: EventFilter) -> Follower {
    let (out, updates) = mpsc::channel(QUEUE);
    let (status, watched) = watch::channel(FollowStatus::default());
    let walk = Walk { endpoint: endpoint.clone(), filter, cursor, out, range: FIRST_RANGE, status };
    let task = tokio::spawn(walk.run()).abort_handle();
    Follower { updates, status: watched, task }
}

/// Why a step did not end well.
#[derive(Debug)]
enum Trouble {
    /// The node failed: wait and try again.
    Node(String),
    /// Nobody listens any more.
    Dropped,
}

impl From<TransportError> for Trouble {
    fn from(error: TransportError) -> Self {
        Self::Node(error.to_string())
    }
}

/// What a step achieved.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// The head is followed: wait for the next.
    CaughtUp,
    /// There is more to do at once.
    Moved,
}

struct Walk {
    endpoint: Endpoint,
    filter: EventFilter,
    cursor: Cursor,
    out: mpsc::Sender<Update>,
    range: u64,
    status: watch::Sender<FollowStatus>,
}

/// How far behind the last block a role may be and still serve, in seconds: two blocks of a slow chain, and some.
const LAG_SECS_MAX: u64 = 30;

/// Whether a role has heard of what the chain has said; `heard` is the time of the last block that it was told of, `last`
/// that of the chain's last block. Sets the gauge `chain_lag_seconds` of the role.
///
/// # Errors
/// How far behind it is, for people.
pub fn caught_up(role: &'static str, heard: Option<UnixTime>, last: UnixTime) -> Result<(), String> {
    let heard = heard.ok_or_else(|| "no block heard of yet".to_owned())?;
    let lag_secs = last.0.saturating_sub(heard.0);
    metrics::gauge!("chain_lag_seconds", "role" => role).set(lag_secs as f64);
    if lag_secs > LAG_SECS_MAX {
        return Err(format!("{lag_secs} s behind the chain's last block, at most {LAG_SECS_MAX} are"));
    }
    Ok(())
}

impl Walk {
    async fn run(mut self) {
        let mut heads = Heads::new(&self.endpoint);
        let mut failures = 0u32;
        loop {
            match self.step().await {
                Ok(step) => {
                    failures = 0;
                    self.note(0, None);
                    if step == Step::CaughtUp {
                        heads.wait().await;
                    }
                }
                Err(Trouble::Dropped) => return,
                Err(Trouble::Node(error)) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(node = self.endpoint.name(), error, failures, "cannot follow the chain");
                    metrics::counter!("chain_follow_failures_total").increment(1);
                    self.note(failures, Some(error));
                    tokio::time::sleep(backoff(FAILURE_WAITS.0, FAILURE_WAITS.1, failures - 1)).await;
                }
            }
        }
    }

    fn note(&self, failures: u32, error: Option<String>) {
        let followed = self.cursor.last();
        if let Some(block) = followed {
            metrics::gauge!("chain_followed_block").set(block.number as f64);
        }
        self.status.send_if_modified(|status| {
            let new = FollowStatus { followed, head: status.head, failures, error };
            let changed = *status != new;
            *status = new;
            changed
        });
    }

    async fn step(&mut self) -> Result<Step, Trouble> {
        let head = self.header(BlockNumberOrTag::Latest).await?;
        self.status.send_modify(|status| status.head = head.number());
        let at = reference(&head);
        if self.cursor.last() == Some(at) {
            return Ok(Step::CaughtUp);
        }
        if head.number() < self.cursor.next {
            // A node behind a balancer may lag: a block that we have read is no news.
            if self.cursor.last().is_none() || self.cursor.knows(at) {
                return Ok(Step::CaughtUp);
            }
            return self.near(head).await;
        }
        // A range ends a window before the head, so that a node far away would never be caught up with if one window were enough.
        if head.number() - self.cursor.next >= 2 * REORG_WINDOW {
            self.far(head.number()).await
        } else {
            self.near(head).await
        }
    }

    /// Reads a range of old blocks with one request.
    async fn far(&mut self, head: u64) -> Result<Step, Trouble> {
        let from = self.cursor.next;
        let to = (from + self.range - 1).min(head - REORG_WINDOW);
        let filter = self.filter.base().from_block(from).to_block(to);
        let before = async {
            match self.cursor.last() {
                Some(last) => Ok(self.header(last.number.into()).await?.hash == last.hash),
                None => Ok::<_, Trouble>(true),
            }
        };
        let logs = async { self.endpoint.provider().get_logs(&filter).await };
        let (before, logs, end) = tokio::join!(before, logs, self.header(to.into()));
        if !before? {
            return self.unwind_by_number().await;
        }
        let logs = match logs {
            Ok(logs) => logs,
            // Nodes refuse large answers each in their own words: whatever the reason, ask for less.
            Err(error) if to > from => {
                tracing::debug!(%error, from, to, "range of logs refused, asking for half");
                self.range = (to - from).div_ceil(2).max(1);
                return Ok(Step::Moved);
            }
            Err(error) => return Err(error.into()),
        };
        if logs.len() < MANY_LOGS {
            self.range = self.range.saturating_mul(2).min(MAX_RANGE);
        }
        self.say_events(logs).await?;
        self.say_head(&end?).await?;
        Ok(Step::Moved)
    }

    /// Drops blocks from the trail until one is still on the chain; when none is, the reorganisation is deep.
    async fn unwind_by_number(&mut self) -> Result<Step, Trouble> {
        let oldest = self.cursor.oldest();
        let mut from = self.cursor.next;
        while let Some(last) = self.cursor.last() {
            if self.header(last.number.into()).await?.hash == last.hash {
                self.say(Update::Reverted { from, deep: false }).await?;
                return Ok(Step::Moved);
            }
            self.cursor.pop();
            from = self.cursor.next;
        }
        self.cursor.restart(oldest);
        self.say(Update::Reverted { from: oldest, deep: true }).await?;
        Ok(Step::Moved)
    }

    /// Reads the blocks up to `head` one by one, after undoing what is not below it.
    async fn near(&mut self, head: Header) -> Result<Step, Trouble> {
        let oldest = self.cursor.oldest();
        let mut undone = None;
        while let Some(last) = self.cursor.last().filter(|last| last.number >= head.number()) {
            undone = Some(last.number);
            self.cursor.pop();
        }
        let mut known = self.headers(self.cursor.next..head.number()).await?;
        let mut branch = VecDeque::from([head]);
        // Three windows: up to two to read, and one to undo.
        for _ in 0..=3 * REORG_WINDOW {
            let first = &branch[0];
            let last = self.cursor.last();
            let linked = last.is_none_or(|last| last.hash == first.parent_hash());
            if first.number() <= self.cursor.next && linked {
                if let Some(from) = undone {
                    self.say(Update::Reverted { from, deep: last.is_none() }).await?;
                }
                return self.read(branch).await;
            }
            if let Some(gone) = last.filter(|last| last.number + 1 == first.number()) {
                self.cursor.pop();
                undone = Some(self.cursor.last().map_or(gone.number, |before| before.number + 1));
            }
            let parent = branch[0].parent_hash();
            branch.push_front(match known.remove(&parent) {
                Some(header) => header,
                None => self.header_of(parent).await?,
            });
        }
        self.cursor.restart(oldest);
        self.say(Update::Reverted { from: oldest, deep: true }).await?;
        Ok(Step::Moved)
    }

    async fn read(&mut self, branch: VecDeque<Header>) -> Result<Step, Trouble> {
        let provider = self.endpoint.provider().clone();
        let base = self.filter.base();
        let asked = branch.into_iter().map(|header| {
            let (provider, filter) = (provider.clone(), base.clone().at_block_hash(header.hash));
            // By hash: the logs are this block's, whatever happens meanwhile.
            async move { provider.get_logs(&filter).await.map(|logs| (header, logs)) }
        });
        let mut answers = stream::iter(asked).buffered(BLOCKS_AT_ONCE);
        while let Some((header, logs)) = answers.try_next().await? {
            self.say_events(logs).await?;
            self.say_head(&header).await?;
        }
        Ok(Step::Moved)
    }

    async fn say_events(&self, mut logs: Vec<Log>) -> Result<(), Trouble> {
        logs.sort_by_key(|log| (log.block_number, log.log_index));
        for log in &logs {
            if let Some(event) = decode(&self.filter.deployment, log) {
                self.say(Update::Event(Box::new(event))).await?;
            }
        }
        Ok(())
    }

    async fn say_head(&mut self, header: &Header) -> Result<(), Trouble> {
        self.cursor.push(reference(header));
        let (number, hash, time) = (header.number(), header.hash, header.timestamp());
        self.say(Update::Head { number, hash, time, cursor: self.cursor.clone() }).await
    }

    async fn say(&self, update: Update) -> Result<(), Trouble> {
        self.out.send(update).await.map_err(|_| Trouble::Dropped)
    }

    async fn header(&self, number: BlockNumberOrTag) -> Result<Header, Trouble> {
        let block = self.endpoint.provider().get_block_by_number(number).await?;
        Ok(block.ok_or_else(|| Trouble::Node(format!("the node does not have block {number}")))?.header)
    }

    /// Headers by hash, asked for together: those of this branch unless it changes meanwhile.
    async fn headers(&self, numbers: Range<u64>) -> Result<HashMap<BlockHash, Header>, Trouble> {
        let asked = numbers.map(|number| self.header(number.into()));
        let headers = stream::iter(asked).buffer_unordered(BLOCKS_AT_ONCE);
        headers.map_ok(|header| (header.hash, header)).try_collect().await
    }

    async fn header_of(&self, hash: BlockHash) -> Result<Header, Trouble> {
        let block = self.endpoint.provider().get_block_by_hash(hash).await?;
        Ok(block.ok_or_else(|| Trouble::Node(format!("the node does not have block {hash}")))?.header)
    }
}

fn reference(header: &Header) -> BlockRef {
    BlockRef { number: header.number(), hash: header.hash }
}

/// Waits for new blocks: told by this process, by the node's subscription, or by looking.
struct Heads {
    endpoint: Endpoint,
    nudges: Option<BoxStream<'static, ()>>,
    subscription: Option<Subscription<Header>>,
}

impl Heads {
    fn new(endpoint: &Endpoint) -> Self {
        Self { endpoint: endpoint.clone(), nudges: endpoint.nudges(), subscription: None }
    }

    async fn wait(&mut self) {
        if let Some(nudges) = &mut self.nudges {
            match tokio::time::timeout(LOOK_ANYWAY, nudges.next()).await {
                // The chain of this process has closed.
                Ok(None) => self.nudges = None,
                Ok(Some(())) | Err(_) => return,
            }
        }
        if self.endpoint.pushes() && self.subscription.is_none() {
            // A node that refuses is asked again after each wait, and looked at meanwhile.
            self.subscription = self.endpoint.provider().subscribe_blocks().await.ok();
            // What came before the subscription stood is looked for at once.
            if self.subscription.is_some() {
                return;
            }
        }
        match &mut self.subscription {
            None => tokio::time::sleep(self.endpoint.poll()).await,
            Some(subscription) => {
                use tokio::sync::broadcast::error::RecvError;
                match tokio::time::timeout(LOOK_ANYWAY, subscription.recv()).await {
                    Ok(Err(RecvError::Closed)) => self.subscription = None,
                    // Lagging is no loss: the step reads up to the head anyway.
                    Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => {}
                }
            }
        }
    }
}
