//! Executes a certified task again, on this machine, and compares the receipt bit for bit.

use std::sync::Arc;

use guildhall_blobs::BlobStore;
use guildhall_chain::ChainClient;
use guildhall_protocol::{AssetId, ContentId, Receipt, Terms, manifest, manifest::Manifest};
use guildhall_sandbox::{Blob, Limits, Sandbox, Task};
use serde::Serialize;

use crate::error::{Failure, Result};

/// What a second execution gave, beside what was certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// The certified receipt.
    pub certified: Receipt,
    /// This machine's.
    pub here: Receipt,
}

impl Replayed {
    /// Whether the two are the same, bit for bit.
    pub fn same(&self) -> bool {
        self.certified == self.here
    }

    /// The fields that differ.
    pub fn differing(&self) -> Vec<&'static str> {
        let (a, b) = (&self.certified, &self.here);
        let fields = [
            ("index", a.index == b.index),
            ("exit", a.exit == b.exit),
            ("fuel", a.fuel == b.fuel),
            ("output", a.output_digest == b.output_digest),
            ("trace", a.trace_digest == b.trace_digest),
        ];
        fields.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }
}

/// Executes a task here and puts its receipt beside the certified one.
///
/// # Errors
/// As of [`execute`].
pub async fn replay(
    chain: &ChainClient,
    blobs: &dyn BlobStore,
    sandbox: Arc<Sandbox>,
    terms: &Terms,
    task: u32,
    certified: Receipt,
) -> Result<Replayed> {
    Ok(Replayed { certified, here: execute(chain, blobs, sandbox, terms, task).await? })
}

/// Fetches what a task reads, and executes it as a worker would.
///
/// # Errors
/// `blobs.*` for bytes that nobody serves, `replay.runtime` for another runtime, `sandbox.*`.
pub async fn execute(
    chain: &ChainClient,
    blobs: &dyn BlobStore,
    sandbox: Arc<Sandbox>,
    terms: &Terms,
    task: u32,
) -> Result<Receipt> {
    let missing =
        |what: &str| Failure::new("replay.missing", format!("the deal's {what} is not registered here"));
    let app = chain.app(AssetId(terms.app)).await?.ok_or_else(|| missing("app"))?;
    check_runtime(chain, terms).await?;
    let wasm = blobs.get(app.code, guildhall_sandbox::limits::MODULE_MAX_BYTES).await?;
    let inputs = ContentId(terms.inputs);
    let manifest_bytes = blobs.get(inputs, manifest::MANIFEST_MAX_BYTES as u64).await?;
    let manifest = Manifest::parse_named(&manifest_bytes, inputs, terms.taskCount)
        .map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let input = manifest.task(task).ok_or_else(|| missing("task"))?;
    let open = async |id: ContentId| -> Result<_> {
        let local = blobs.local(id).await?;
        let blob = Blob::open(&local.path).map_err(|error| Failure::file("read", &local.path, &error))?;
        Ok((blob, local))
    };
    // The second of each pair keeps the file from being evicted while it is read.
    let (input, _input_stays) = open(input.input).await?;
    let dataset = match terms.dataset.is_zero() {
        true => None,
        false => {
            let dataset = chain.dataset(AssetId(terms.dataset)).await?.ok_or_else(|| missing("dataset"))?;
            Some(open(dataset.content).await?)
        }
    };
    let mut run = Task::new(guildhall_sandbox::ModuleId::of(&wasm));
    run.index = terms.locate(task).map_err(|error| Failure::new(error.code(), error.to_string()))?.1;
    run.args = manifest.args().to_vec();
    run.env = manifest.env().to_vec();
    run.input = input;
    run.dataset = dataset.as_ref().map(|(blob, _)| blob.clone());
    run.deal_time_secs = terms.opened().time.0;
    run.seed = manifest::task_seed(terms.deal(), task);
    run.limits = Limits { fuel: terms.fuelLimit, memory_bytes: terms.memoryLimit };
    let ran = tokio::task::spawn_blocking(move || {
        sandbox.load(&wasm)?;
        sandbox.run(&run)
    })
    .await
    .map_err(|error| Failure::new("sandbox.thread", error.to_string()))?;
    let execution = ran.map_err(|error| Failure::new(error.code(), error.to_string()))?;
    Ok(execution.receipt)
}

/// A receipt is defined for one runtime: another one may well differ.
async fn check_runtime(chain: &ChainClient, terms: &Terms) -> Result<()> {
    let wanted = terms.opened().runtime;
    let here = chain.registry().runtimeNumber(guildhall_sandbox::runtime_id()).call().await;
    let here = here.map_err(|error| Failure::new("chain.node", error.to_string()))?;
    if here == wanted.0 {
        return Ok(());
    }
    Err(Failure::new(
        "replay.runtime",
        format!("the deal needs runtime {}, this program has {here}", wanted.0),
    )
    .hint("use the release of guildhall that has that runtime"))
}
