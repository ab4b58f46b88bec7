//! `guildhall app register` and `guildhall dataset`: what owners register on the chain.

use std::path::{Path, PathBuf};

use alloy::{
    primitives::{B256, Bytes},
    sol_types::SolCall,
};
use clap::{Args, Subcommand};
use guildhall_chain::{ChainClient, Key, bindings::Registry};
use guildhall_protocol::{AssetId, ContentId};
use guildhall_sandbox::runtime_id;
use serde::Serialize;
use url::Url;

use super::{
    Context,
    app::{read_module, sandbox, sandbox_failure},
    net::sender,
};
use crate::{
    error::{ExitStatus, Failure, Result},
    output::{Report, Style},
    requester::{
        assets::{Registered, registered},
        store::{MAY_NOT_STORE, PoolStore},
    },
    values::show_bytes,
};

/// The largest file that is stored with a pool.
const DATASET_MAX_BYTES: u64 = 4 << 30;

/// Registering an asset.
#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// The file: its exact bytes are what is registered.
    file: PathBuf,
    /// Its name on the chain; the file's name if left out.
    #[arg(long)]
    name: Option<String>,
    /// Coordinator of a pool to store the bytes with.
    #[arg(long, value_name = "URL")]
    store: Option<Url>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Register a dataset or a trained model.
    Register(RegisterArgs),
}

pub(crate) async fn run_dataset(command: DatasetCommand, context: &Context) -> Result<ExitStatus> {
    let DatasetCommand::Register(args) = command;
    let length =
        std::fs::metadata(&args.file).map_err(|error| Failure::file("read", &args.file, &error))?.len();
    if length > DATASET_MAX_BYTES {
        return Err(Failure::new(
            "dataset.too_large",
            format!(
                "`{}` has {}, at most {} are stored",
                args.file.display(),
                show_bytes(length),
                show_bytes(DATASET_MAX_BYTES)
            ),
        ));
    }
    let bytes = std::fs::read(&args.file).map_err(|error| Failure::file("read", &args.file, &error))?;
    register(&args, bytes, Registered::Dataset, context).await?;
    Ok(ExitStatus::Done)
}

pub(crate) async fn register_app(args: &RegisterArgs, context: &Context) -> Result<()> {
    let wasm = read_module(&args.file)?;
    // What no worker takes is not worth a transaction.
    tokio::task::block_in_place(|| sandbox(context)?.load(&wasm).map_err(|error| sandbox_failure(&error)))?;
    register(args, wasm, Registered::App, context).await
}

async fn register(args: &RegisterArgs, bytes: Vec<u8>, kind: Registered, context: &Context) -> Result<()> {
    let name = args.name.clone().unwrap_or_else(|| stem(&args.file));
    let (chain, key) = (context.chain().await?, context.key().await?);
    let content = ContentId::of(&bytes);
    // Stored first: a number on the chain whose bytes nobody has is of no use.
    let late = match &args.store {
        Some(url) => store_early(&chain, url, &key, bytes).await?,
        None => None,
    };
    let call = match kind {
        Registered::App => {
            Registry::registerAppCall { codeId: content.0, runtime: runtime_id(), name_: name.clone() }
                .abi_encode()
        }
        Registered::Dataset => Registry::registerDatasetCall {
            contentId: content.0,
            keyCommitment: B256::ZERO,
            name_: name.clone(),
        }
        .abi_encode(),
    };
    let to = Some(chain.deployment().registry);
    let call = guildhall_chain::Call { to, data: call.into(), value_wei: Default::default() };
    let outcome = sender(&chain, &key).send(call).await?;
    let id = registered(&chain, &outcome, kind)?;
    if let Some((store, bytes)) = late {
        let kind = kind_name(kind);
        let hint = format!("{kind} {id} is registered all the same; only its bytes are not stored");
        store.put(bytes).await.map_err(|failure| failure.hint(hint))?;
    }
    let stored = args.store.as_ref().map(Url::to_string);
    context.out.result(&Made { kind: kind_name(kind), id, name, content, stored, transaction: outcome.hash })
}

/// Stores bytes with a pool, or gives them back with the store where it takes them from an asset's owner only.
async fn store_early(
    chain: &ChainClient,
    url: &Url,
    key: &Key,
    bytes: Vec<u8>,
) -> Result<Option<(PoolStore, Bytes)>> {
    let store = PoolStore::open(url.as_str(), key.clone(), chain.deployment().chain_id).await?;
    let bytes = Bytes::from(bytes);
    match store.put(bytes.clone()).await {
        Ok(_) => Ok(None),
        // The first asset of somebody without a balance: owning it gives the right.
        Err(failure) if failure.code() == MAY_NOT_STORE => Ok(Some((store, bytes))),
        Err(failure) => Err(failure),
    }
}

const fn kind_name(kind: Registered) -> &'static str {
    match kind {
        Registered::App => "app",
        Registered::Dataset => "dataset",
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

#[derive(Serialize)]
struct Made {
    kind: &'static str,
    id: AssetId,
    name: String,
    content: ContentId,
    stored: Option<String>,
    transaction: B256,
}

impl Report for Made {
    fn text(&self, style: Style) -> String {
        let head = format!("{} {} {}", self.kind, style.strong(self.id), self.name);
        let stored = match &self.stored {
            Some(url) => format!("stored with {url}"),
            None => "not stored anywhere: `--store URL` leaves the bytes with a pool".to_owned(),
        };
        format!("{head}\n{}\n{}", self.content, style.faint(stored))
    }
}
