//! Executing a batch: fetch what it needs, run its tasks side by side, keep their receipts in order.
//!
//! A trait, so that a demonstration or a test can put a liar in the honest executor's place; [`SandboxExecutor`] is the
//! real one. Knows nothing of rounds, coordinators and promises.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use alloy::primitives::{Address, B256};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use guildhall_api::{Bundle, Produced, RoundRef};
use guildhall_blobs::{BlobError, BlobStore, LocalBlob};
use guildhall_protocol::manifest::{MANIFEST_MAX_BYTES, Manifest, task_seed};
use guildhall_protocol::matching::{FUEL_LIMIT_MAX, MEMORY_LIMIT_MAX_BYTES, MEMORY_LIMIT_MIN_BYTES};
use guildhall_protocol::{ContentId, Receipt, Terms, own_trace_key};
use guildhall_sandbox::limits::{TASK_FUEL_MAX, TASK_MEMORY_MAX_BYTES, WASM_PAGE_BYTES};
use guildhall_sandbox::{Blob, Limits, ModuleId, Sandbox, SandboxError, Task};
use tokio::sync::Semaphore;

use crate::chain::Chain;
use crate::limits::{
    ASSETS_ATTEMPTS, FETCHES_AT_ONCE, INLINE_INPUT_BYTES, MAX_APP_BYTES, RETRY_FIRST, RETRY_MAX,
};
use crate::progress::{ProgressSender, ProgressStep};

// What the Market lets into a deal, a sandbox can run.
const _: () = assert!(MEMORY_LIMIT_MIN_BYTES >= WASM_PAGE_BYTES);
const _: () = assert!(MEMORY_LIMIT_MAX_BYTES <= TASK_MEMORY_MAX_BYTES);
const _: () = assert!(FUEL_LIMIT_MAX.0 <= TASK_FUEL_MAX);

/// What is to be executed.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The round.
    pub round: RoundRef,
    /// The worker that executes.
    pub worker: Address,
    /// The deal's terms.
    pub terms: Arc<Terms>,
    /// Which tasks of the batch: all of them, or the one that a jury is about.
    pub tasks: Range<u32>,
}

/// What the executions gave, in the order of the tasks.
#[derive(Debug, Clone)]
pub struct Executed {
    /// What is certified.
    pub receipts: Vec<Receipt>,
    /// What only who executed can make.
    pub own_traces: Vec<B256>,
    /// The outputs; long ones are in the worker's store.
    pub outputs: Vec<Produced>,
}

/// Why there are no receipts.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExecuteError {
    /// Bytes cannot be had, or are not what their owner said: the fault of whoever should provide them.
    #[error("the {what} cannot be had: {reason}")]
    Withheld {
        /// Which bytes.
        what: String,
        /// Why.
        reason: String,
    },
    /// This machine failed.
    #[error("this machine could not execute: {0}")]
    Host(String),
}

/// Executes batches.
#[async_trait]
pub trait Executor: fmt::Debug + Send + Sync + 'static {
    /// Executes every task of the batch. Dropping the future stops it after the tasks that run.
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError>;
}

/// Executes in the sandbox.
pub struct SandboxExecutor {
    sandbox: Arc<Sandbox>,
    blobs: Arc<dyn BlobStore>,
    chain: Arc<dyn Chain>,
    lanes: Arc<Semaphore>,
    width: usize,
}

impl fmt::Debug for SandboxExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxExecutor").field("lanes", &self.width).finish_non_exhaustive()
    }
}

/// Everything that the tasks of a batch share, and their inputs.
#[derive(Debug)]
struct Prepared {
    module: ModuleId,
    manifest: Manifest,
    first_task: u32,
    inputs: Vec<Input>,
    dataset: Option<Input>,
}

/// Bytes for a task; a mapped file stays in the store while it is used.
#[derive(Debug, Clone)]
struct Input {
    blob: Blob,
    _pin: Option<LocalBlob>,
}

impl SandboxExecutor {
    /// An executor that runs `lanes` tasks at once over all batches.
    pub fn new(
        sandbox: Arc<Sandbox>,
        blobs: Arc<dyn BlobStore>,
        chain: Arc<dyn Chain>,
        lanes: usize,
    ) -> Self {
        let width = lanes.max(1);
        Self { sandbox, blobs, chain, lanes: Arc::new(Semaphore::new(width)), width }
    }

    async fn prepare(&self, assignment: &Assignment) -> Result<Prepared, ExecuteError> {
        let terms = &assignment.terms;
        let (app, dataset) = self.assets(terms).await?;
        let first_task = terms
            .task_number(assignment.round.batch, assignment.tasks.start)
            .map_err(|error| withheld("batch", &error))?;
        let (manifest, module) = futures::try_join!(self.manifest(terms), self.module(app))?;
        let inputs = manifest.tasks().skip(first_task as usize).take(assignment.tasks.len());
        let fetches: Vec<_> =
            inputs.map(|input| self.input("input", input.input, Some(input.bytes))).collect();
        let inputs = stream::iter(fetches).buffered(FETCHES_AT_ONCE).try_collect().await?;
        let dataset = match dataset {
            Some(dataset) => Some(self.input("dataset", dataset, None).await?),
            None => None,
        };
        Ok(Prepared { module, manifest, first_task, inputs, dataset })
    }

    /// What the deal executes. A node that is being restarted is waited for: whoever waits too long for that drops the future.
    async fn assets(&self, terms: &Terms) -> Result<(ContentId, Option<ContentId>), ExecuteError> {
        let (mut pause, mut attempt) = (RETRY_FIRST, 0);
        loop {
            attempt += 1;
            match self.chain.assets(terms).await {
                Ok(assets) => return Ok(assets),
                Err(fault) if attempt == ASSETS_ATTEMPTS => {
                    return Err(ExecuteError::Host(fault.to_string()));
                }
                Err(fault) => tracing::debug!(%fault, "the chain does not say what to execute, trying again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    async fn manifest(&self, terms: &Terms) -> Result<Manifest, ExecuteError> {
        let id = ContentId(terms.inputs);
        let bytes = self
            .blobs
            .get(id, MANIFEST_MAX_BYTES as u64)
            .await
            .map_err(|error| fetch_error("manifest", error))?;
        Manifest::parse_named(&bytes, id, terms.taskCount).map_err(|error| withheld("manifest", &error))
    }

    async fn module(&self, app: ContentId) -> Result<ModuleId, ExecuteError> {
        let bytes = self.blobs.get(app, MAX_APP_BYTES).await.map_err(|error| fetch_error("app", error))?;
        let sandbox = self.sandbox.clone();
        let loaded = tokio::task::spawn_blocking(move || sandbox.load(&bytes)).await;
        loaded.map_err(|error| ExecuteError::Host(error.to_string()))?.map_err(|error| match error {
            // What nobody's sandbox takes is as good as missing: the round is void, and nobody is slashed.
            SandboxError::Invalid(_) | SandboxError::Compile { .. } => withheld("app", &error),
            _ => ExecuteError::Host(error.to_string()),
        })
    }

    async fn input(
        &self,
        what: &'static str,
        id: ContentId,
        bytes: Option<u64>,
    ) -> Result<Input, ExecuteError> {
        let wrong = |length: u64| ExecuteError::Withheld {
            what: format!("{what} {id}"),
            reason: format!("it has {length} bytes, the manifest says {}", bytes.unwrap_or(length)),
        };
        let blob = match bytes {
            Some(length) if length <= INLINE_INPUT_BYTES => {
                let bytes = self.blobs.get(id, length).await.map_err(|error| fetch_error(what, error))?;
                Input { blob: bytes.to_vec().into(), _pin: None }
            }
            _ => {
                let local = self.blobs.local(id).await.map_err(|error| fetch_error(what, error))?;
                let blob = Blob::open(&local.path).map_err(|error| ExecuteError::Host(error.to_string()))?;
                Input { blob, _pin: Some(local) }
            }
        };
        let length = blob.blob.len();
        if bytes.is_some_and(|bytes| bytes != length) { Err(wrong(length)) } else { Ok(blob) }
    }

    /// Keeps an output: short ones in memory, long ones in the store.
    async fn keep(&self, output: Vec<u8>, limit: usize) -> Result<Produced, ExecuteError> {
        if output.len() <= limit {
            return Ok(Produced::Bytes(output));
        }
        let size = output.len() as u64;
        let stored = self.blobs.put(Bytes::from(output)).await;
        let content_id = stored.map_err(|error| ExecuteError::Host(error.to_string()))?;
        Ok(Produced::Blob { content_id, size })
    }

    /// One lane: takes task after task until there are none.
    async fn lane(&self, batch: &Batch<'_>) -> Result<(), ExecuteError> {
        let (first, tasks) = (batch.assignment.tasks.start, batch.assignment.tasks.len() as u32);
        loop {
            let turn = self.lanes.clone().acquire_owned().await;
            let turn = turn.map_err(|error| ExecuteError::Host(error.to_string()))?;
            let place = batch.next.fetch_add(1, Ordering::Relaxed);
            if place >= tasks {
                return Ok(());
            }
            tracing::debug!(task = first + place, "executing");
            let (sandbox, task) = (self.sandbox.clone(), batch.task(first + place, place));
            let ran = tokio::task::spawn_blocking(move || (sandbox.run(&task), turn)).await;
            let (execution, _turn) = ran.map_err(|error| ExecuteError::Host(error.to_string()))?;
            let execution = execution.map_err(|error| ExecuteError::Host(error.to_string()))?;
            let output = self.keep(execution.output, Bundle::inline_limit(tasks as usize)).await?;
            let done = {
                let mut slots = batch.slots.lock().unwrap_or_else(PoisonError::into_inner);
                slots[place as usize] = Some((execution.receipt, execution.own_trace, output));
                batch.done.fetch_add(1, Ordering::Relaxed) + 1
            };
            batch.progress.tell(batch.assignment.round, ProgressStep::Executed { done, tasks });
        }
    }
}

type Slot = Option<(Receipt, B256, Produced)>;

struct Batch<'a> {
    assignment: &'a Assignment,
    prepared: Prepared,
    progress: &'a ProgressSender,
    next: AtomicU32,
    done: AtomicU32,
    slots: Mutex<Vec<Slot>>,
}

impl Batch<'_> {
    /// A task of the batch, and its place among those that were asked for.
    fn task(&self, index: u32, place: u32) -> Task {
        let Assignment { round, worker, terms, .. } = self.assignment;
        let prepared = &self.prepared;
        let mut task = Task::new(prepared.module);
        task.index = index;
        task.args = prepared.manifest.args().to_vec();
        task.env = prepared.manifest.env().to_vec();
        task.input = prepared.inputs[place as usize].blob.clone();
        task.dataset = prepared.dataset.as_ref().map(|dataset| dataset.blob.clone());
        task.deal_time_secs = terms.opened().time.0;
        task.seed = task_seed(round.deal, prepared.first_task + place);
        task.limits = Limits { fuel: terms.fuelLimit, memory_bytes: terms.memoryLimit };
        task.own_trace_key = own_trace_key(*worker, round.id.0, index);
        task
    }
}

#[async_trait]
impl Executor for SandboxExecutor {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError> {
        let prepared = self.prepare(assignment).await?;
        let tasks = assignment.tasks.len();
        if prepared.inputs.len() != tasks {
            return Err(ExecuteError::Withheld {
                what: "manifest".into(),
                reason: format!("it has {} of the batch's {tasks} inputs", prepared.inputs.len()),
            });
        }
        let slots = Mutex::new((0..tasks).map(|_| None).collect());
        let (next, done) = (AtomicU32::new(0), AtomicU32::new(0));
        let batch = Batch { assignment, prepared, progress, next, done, slots };
        futures::future::try_join_all((0..self.width.min(tasks)).map(|_| self.lane(&batch))).await?;
        let slots = batch.slots.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut executed = Executed {
            receipts: Vec::with_capacity(tasks),
            own_traces: Vec::with_capacity(tasks),
            outputs: Vec::with_capacity(tasks),
        };
        for (receipt, own_trace, output) in slots.into_iter().flatten() {
            executed.receipts.push(receipt);
            executed.own_traces.push(own_trace);
            executed.outputs.push(output);
        }
        Ok(executed)
    }
}

fn withheld(what: &str, error: &dyn std::error::Error) -> ExecuteError {
    ExecuteError::Withheld { what: what.to_owned(), reason: error.to_string() }
}

fn fetch_error(what: &str, error: BlobError) -> ExecuteError {
    match error {
        // Ours: a full or broken disk says nothing about whoever should provide the bytes.
        BlobError::Io { .. } | BlobError::Quota { .. } => ExecuteError::Host(error.to_string()),
        _ => withheld(what, &error),
    }
}
