//! The database: one redb file, one writer, one transaction a block.
//!
//! Knows how blocks, state and waiting transactions are kept; knows nothing of execution, of the
//! order of transactions, of JSON-RPC.

mod snapshot;
mod state;
mod tables;
mod write;

pub(crate) use snapshot::{LogQuery, Snapshot, StateView, hashed};
pub(crate) use state::{Changed, StateChanges, StoredAccount, slot_leaf};

use crate::{block::Head, error::LedgerError, genesis::Genesis};
use redb::{
    Database, DatabaseError, ReadableDatabase, StorageBackend, StorageError, TableError,
    backends::InMemoryBackend,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tables::{FORMAT, META};
use tokio::sync::oneshot;
pub(crate) use write::BlockWrite;

/// The state of this many blocks before the newest can be read.
pub const HISTORY_BLOCKS: u64 = 256;

/// Memory that the database may use to cache pages, in bytes.
const CACHE_BYTES: usize = 64 << 20;

/// The open database.
#[derive(Debug)]
pub(crate) struct Store {
    db: Database,
    /// Whether there is a file to make small at the end.
    on_disk: bool,
    /// Dropped with the database, which tells who waits for the file to be free.
    _closed: oneshot::Sender<()>,
}

impl Store {
    /// Opens the file at `path`, or makes it; without a path a store in memory. The receiver ends when
    /// the database is closed. A new database is empty until the first block is written.
    pub(crate) fn open(path: Option<&Path>) -> Result<(Arc<Self>, oneshot::Receiver<()>), LedgerError> {
        match path {
            None => Self::on(InMemoryBackend::new(), false),
            Some(path) => Ok(Self::with(open_file(&mut builder(), path)?, true)),
        }
    }

    /// A store on any storage, `on_disk` where it is worth making small at the end.
    pub(crate) fn on(
        backend: impl StorageBackend,
        on_disk: bool,
    ) -> Result<(Arc<Self>, oneshot::Receiver<()>), LedgerError> {
        let db = builder().create_with_backend(backend);
        Ok(Self::with(db.map_err(|e| LedgerError::Storage { reason: e.to_string() })?, on_disk))
    }

    fn with(db: Database, on_disk: bool) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Arc::new(Self { db, on_disk, _closed: sender }), receiver)
    }

    /// The genesis that the database was started with; `None` for a new one.
    pub(crate) fn genesis(&self, path: Option<&Path>) -> Result<Option<Genesis>, LedgerError> {
        let foreign = |reason: String| LedgerError::Foreign {
            path: path.map_or_else(|| PathBuf::from("(memory)"), Path::to_path_buf),
            reason,
        };
        let txn = self.db.begin_read()?;
        let meta = match txn.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => {
                let others = txn.list_tables()?.count();
                return if others == 0 {
                    Ok(None)
                } else {
                    Err(foreign(format!("it holds {others} tables of another program")))
                };
            }
            Err(other) => return Err(foreign(other.to_string())),
        };
        let format = meta.get("format")?.ok_or_else(|| foreign("it names no format".to_owned()))?;
        let found = decode_u64(format.value())?;
        if found > FORMAT {
            return Err(LedgerError::NewerFormat { found, supported: FORMAT });
        }
        let genesis = meta.get("genesis")?.ok_or_else(|| LedgerError::corrupt("it has no genesis"))?;
        let genesis = serde_json::from_slice(genesis.value())
            .map_err(|e| LedgerError::corrupt(format!("its genesis: {e}")))?;
        Ok(Some(genesis))
    }

    /// A consistent view of the newest block, unmoved by later ones.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, LedgerError> {
        Snapshot::new(&self.db.begin_read()?)
    }

    /// Starts the one write transaction.
    fn begin_write(&self) -> Result<redb::WriteTransaction, LedgerError> {
        let mut txn = self.db.begin_write()?;
        txn.set_durability(redb::Durability::Immediate)?;
        Ok(txn)
    }

    /// Checks what a reader would rely on first: the newest blocks hang together and the state under
    /// the newest block has the root that its header names.
    pub(crate) fn verify_head(&self) -> Result<Head, LedgerError> {
        let snapshot = self.snapshot()?;
        let head = snapshot.block(snapshot.head())?;
        let root = snapshot.state_root()?;
        if root != head.header.state_root {
            return Err(LedgerError::corrupt(format!(
                "the state has root {root}, block {} names {}",
                head.header.number, head.header.state_root
            )));
        }
        let mut parent = head.header.parent_hash;
        for number in (0..head.header.number).rev().take(VERIFIED_BLOCKS) {
            let block = snapshot.block(number)?;
            if block.hash != parent {
                return Err(LedgerError::corrupt(format!("block {number} is not the parent of the next")));
            }
            parent = block.header.parent_hash;
        }
        Ok(head.head())
    }
}

impl Drop for Store {
    /// The file grows by doubling: an orderly end gives back what is free in it. Whoever kills the process instead loses
    /// nothing but that space, until the next orderly end.
    fn drop(&mut self) {
        if self.on_disk
            && let Err(error) = self.db.compact()
        {
            tracing::warn!(%error, "the ledger's file keeps its free space");
        }
    }
}

/// How many blocks are read back when the ledger opens.
const VERIFIED_BLOCKS: usize = 64;

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn decode_u64(bytes: &[u8]) -> Result<u64, LedgerError> {
    let bytes = bytes.try_into().map_err(|_| LedgerError::corrupt("a number has the wrong length"))?;
    Ok(u64::from_be_bytes(bytes))
}

fn open_file(builder: &mut redb::Builder, path: &Path) -> Result<Database, LedgerError> {
    let storage = |e: std::io::Error| LedgerError::Storage { reason: format!("`{}`: {e}", path.display()) };
    match path.metadata() {
        Ok(meta) if meta.len() == 0 => {
            let reason = format!("`{}` is empty", path.display());
            return Err(LedgerError::Corrupt { reason });
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => make_file(path)?,
        Ok(_) => {}
        Err(e) => return Err(storage(e)),
    }
    // A flipped bit in a page must be found now and not become a wrong answer later.
    builder.set_check_integrity_on_open(true).open(path).map_err(|e| open_error(path, e))
}

/// A new file gets its name once it is whole: whoever is killed in between leaves none behind, and an empty file is one that lost
/// what it held.
fn make_file(path: &Path) -> Result<(), LedgerError> {
    let storage = |e: std::io::Error| LedgerError::Storage { reason: format!("`{}`: {e}", path.display()) };
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(storage)?;
    let fresh = path.with_added_extension("new");
    match std::fs::remove_file(&fresh) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(storage(e)),
        _ => {}
    }
    drop(Database::create(&fresh).map_err(|e| open_error(path, e))?);
    std::fs::rename(&fresh, path).map_err(storage)?;
    // The directory entry must survive a power loss as well as the file.
    std::fs::File::open(parent).and_then(|dir| dir.sync_all()).map_err(storage)
}

fn open_error(path: &Path, error: DatabaseError) -> LedgerError {
    let path = path.to_path_buf();
    match error {
        DatabaseError::DatabaseAlreadyOpen => LedgerError::Locked { path },
        DatabaseError::Storage(StorageError::Corrupted(reason)) => {
            LedgerError::Corrupt { reason: format!("`{}`: {reason}", path.display()) }
        }
        DatabaseError::Storage(StorageError::Io(e)) if e.kind() == std::io::ErrorKind::InvalidData => {
            LedgerError::Foreign { path, reason: e.to_string() }
        }
        DatabaseError::Storage(StorageError::Io(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            LedgerError::Corrupt { reason: format!("`{}` is cut short: {e}", path.display()) }
        }
        other => LedgerError::Storage { reason: format!("`{}`: {other}", path.display()) },
    }
}
