//! What the coordinator must not forget: commitments, lists, contributions, proofs, where results are.
//!
//! One redb file, which also keeps a second coordinator of the same pool away. Writes that wait for the disk at the same
//! time share one transaction, so that many small messages cost few syncs. Knows nothing of what the records mean.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use guildhall_service::database::{self, DatabaseError, FirstFailure};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Records by key; the key's first byte says of which kind.
const RECORDS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");

/// Memory that the database may use for pages, in bytes.
const CACHE_BYTES: usize = 8 << 20;

/// Why the store does not work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It does not open.
    #[error("the coordinator's store: {0}")]
    Open(#[from] DatabaseError),
    /// Reading or writing failed.
    #[error("the coordinator's store failed: {0}; check the disk")]
    Io(String),
    /// A record is not what this version writes.
    #[error("a record of the coordinator's store cannot be read: {0}; was it written by a newer version?")]
    Record(String),
}

impl guildhall_service::Coded for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Open(_) => "coordinator.store_open",
            Self::Io(_) => "coordinator.store_io",
            Self::Record(_) => "coordinator.store_record",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Open(DatabaseError::Damaged { .. }) => Some(
                "restore it from a copy, or move it away: the coordinator then forgets its open rounds, which workers \
                 can end on chain, and where results are"
                    .into(),
            ),
            Self::Open(error) => error.hint(),
            Self::Io(_) | Self::Record(_) => None,
        }
    }
}

fn io(error: impl std::fmt::Display) -> StoreError {
    StoreError::Io(error.to_string())
}

/// A change of the store.
#[derive(Debug, Clone)]
enum Change {
    Put(Vec<u8>, Vec<u8>),
    RemovePrefix(Vec<u8>),
}

#[derive(Debug, Default)]
struct Staged {
    changes: Vec<Change>,
    count: u64,
}

/// Names a staged change, to wait for its being durable.
#[derive(Debug, Clone, Copy)]
#[must_use = "a change is durable only after `Store::durable`"]
pub struct Ticket(u64);

/// The store. Cheap to clone; clones are the same store.
#[derive(Debug, Clone)]
pub struct Store {
    database: Arc<Database>,
    staged: Arc<Mutex<Staged>>,
    written: Arc<tokio::sync::Mutex<u64>>,
    failures: FirstFailure,
}

impl Store {
    /// Opens or creates the store.
    ///
    /// # Errors
    /// [`StoreError::Open`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = database::open(path, CACHE_BYTES)?;
        let transaction = database.begin_write().map_err(io)?;
        transaction.open_table(RECORDS).map_err(io)?;
        transaction.commit().map_err(io)?;
        Ok(Self {
            database: Arc::new(database),
            staged: Arc::default(),
            written: Arc::default(),
            failures: FirstFailure::default(),
        })
    }

    /// Stages a record; changes become durable in the order in which they were staged.
    ///
    /// # Errors
    /// [`StoreError::Record`] when it does not serialise.
    pub fn put(&self, key: Vec<u8>, value: &impl Serialize) -> Result<Ticket, StoreError> {
        let value = serde_json::to_vec(value).map_err(|error| StoreError::Record(error.to_string()))?;
        Ok(self.stage(Change::Put(key, value)))
    }

    /// Stages the removal of every record whose key begins with `prefix`.
    pub fn remove_prefix(&self, prefix: Vec<u8>) -> Ticket {
        self.stage(Change::RemovePrefix(prefix))
    }

    fn stage(&self, change: Change) -> Ticket {
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        staged.changes.push(change);
        staged.count += 1;
        Ticket(staged.count)
    }

    /// Waits until a staged change, and all before it, are on disk. Whoever comes first writes for all who wait.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the changes that were taken are lost then, and the coordinator must restart from the disk.
    pub async fn durable(&self, ticket: Ticket) -> Result<(), StoreError> {
        let mut written = self.written.lock().await;
        if *written >= ticket.0 {
            return Ok(());
        }
        let (changes, count) = {
            let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
            (std::mem::take(&mut staged.changes), staged.count)
        };
        let database = self.database.clone();
        let done = tokio::task::spawn_blocking(move || write(&database, changes)).await.map_err(io)?;
        done.map_err(|error| match error {
            StoreError::Io(said) => StoreError::Io(self.failures.reason(said)),
            other => other,
        })?;
        *written = count;
        Ok(())
    }

    /// The record with a key, if there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        let transaction = self.database.begin_read().map_err(io)?;
        let table = transaction.open_table(RECORDS).map_err(io)?;
        let Some(value) = table.get(key).map_err(io)? else { return Ok(None) };
        serde_json::from_slice(value.value()).map(Some).map_err(|error| StoreError::Record(error.to_string()))
    }

    /// Every record whose key begins with `prefix`, in the order of the keys.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn scan<T: DeserializeOwned>(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        let transaction = self.database.begin_read().map_err(io)?;
        let table = transaction.open_table(RECORDS).map_err(io)?;
        let mut records = Vec::new();
        for record in table.range(prefix..).map_err(io)? {
            let (key, value) = record.map_err(io)?;
            if !key.value().starts_with(prefix) {
                break;
            }
            let value = serde_json::from_slice(value.value())
                .map_err(|error| StoreError::Record(error.to_string()))?;
            records.push((key.value().to_vec(), value));
        }
        Ok(records)
    }
}

fn write(database: &Database, changes: Vec<Change>) -> Result<(), StoreError> {
    let transaction = database.begin_write().map_err(io)?;
    {
        let mut table = transaction.open_table(RECORDS).map_err(io)?;
        for change in changes {
            match change {
                Change::Put(key, value) => {
                    table.insert(key.as_slice(), value.as_slice()).map_err(io)?;
                }
                Change::RemovePrefix(prefix) => {
                    let keys: Vec<Vec<u8>> = table
                        .range(prefix.as_slice()..)
                        .map_err(io)?
                        .map_while(|record| record.ok().map(|(key, _)| key.value().to_vec()))
                        .take_while(|key| key.starts_with(&prefix))
                        .collect();
                    for key in keys {
                        table.remove(key.as_slice()).map_err(io)?;
                    }
                }
            }
        }
    }
    transaction.commit().map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_a_drop() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("store.redb");
        let store = Store::open(&path).expect("new store");
        assert!(
            matches!(Store::open(&path), Err(StoreError::Open(DatabaseError::InUse { .. }))),
            "a second coordinator"
        );
        let waits: Vec<_> =
            (0..50u8).map(|i| store.put(vec![1, i], &u32::from(i)).expect("plain number")).collect();
        futures::future::try_join_all(waits.into_iter().map(|ticket| store.durable(ticket)))
            .await
            .expect("written");
        let removal = store.remove_prefix(vec![1, 7]);
        store.durable(removal).await.expect("written");
        let _lost = store.put(vec![1, 99], &99u32).expect("plain number");
        drop(store);

        let store = Store::open(&path).expect("same store");
        let records: Vec<(Vec<u8>, u32)> = store.scan(&[1]).expect("readable");
        assert_eq!(records.len(), 49, "all that was waited for, less the removed, and nothing that was not");
        assert!(!records.iter().any(|(_, value)| *value == 7));
        assert_eq!(records[3], (vec![1, 3], 3));
        assert!(store.scan::<u32>(&[2]).expect("readable").is_empty());
        assert!(matches!(store.scan::<String>(&[1]), Err(StoreError::Record(_))));
    }
}
