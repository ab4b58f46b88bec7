//! The index: every event of the contracts, and the objects that they fold into, in one database.
//!
//! Events are written with what they change, in transactions of at most [`EVENTS_A_WRITE`]. The cursor moves with the last of a
//! block: one that takes several transactions is seen growing, and begun again after a crash. A reorganisation deletes the
//! events of undone blocks and folds the objects that they touched again, so that the rows are those of an index that was built
//! from block 0. Knows nothing of HTTP.

pub mod db;
mod fold;
mod read;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use guildhall_chain::{Cursor, Deployment};
use guildhall_protocol::UnixTime;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use db::{Db, file_url};
pub use read::{Listed, Page, Query};

use self::db::{FROM_CHAIN, SCHEMA_VERSION, set_meta, sql};
use crate::{
    error::IndexError,
    limits::EVENTS_A_WRITE,
    objects::Key,
    recorded::{Place, Recorded},
};

/// How far the index is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The last block of which everything is in it.
    pub block: u64,
    /// That block's time.
    pub time: UnixTime,
    /// Grows with every change: what was read under one number may have changed under another.
    pub version: u64,
}

/// A block up to which everything was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its time.
    pub time: UnixTime,
    /// Where to follow from.
    pub cursor: Cursor,
}

/// The index of one deployment.
#[derive(Debug)]
pub struct Index {
    db: Db,
    reached: watch::Sender<Reached>,
    start: u64,
}

impl Index {
    /// Opens the index of a deployment. What was written after the last cursor is undone: it will be said again.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn open(url: &str, deployment: &Deployment) -> Result<Self, IndexError> {
        let db = Db::open(url).await?;
        let wanted = format!("Market {} of chain {}", deployment.market, deployment.chain_id);
        match (db.meta("deployment").await?, db.meta("version").await?) {
            (None, _) => {
                let mut writing = db.write().await?;
                set_meta(&mut writing, "deployment", wanted).await?;
                set_meta(&mut writing, "version", SCHEMA_VERSION.to_string()).await?;
                writing.commit().await?;
            }
            (Some(found), _) if found != wanted => return Err(IndexError::OtherChain { found, wanted }),
            (Some(_), Some(found)) if found == SCHEMA_VERSION.to_string() => {}
            (Some(_), found) => {
                let found = found.unwrap_or_default();
                return Err(IndexError::OtherVersion { found, wanted: SCHEMA_VERSION });
            }
        }
        let reached = match db.meta("reached").await? {
            Some(text) => serde_json::from_str(&text)?,
            None => Reached::default(),
        };
        let index = Self { db, reached: watch::Sender::new(reached), start: deployment.block };
        let cursor = index.cursor().await?;
        index.revert(cursor.next).await?;
        Ok(index)
    }

    /// The same, built anew where that is wanted: whatever wrote it, nothing of it but the order book stays.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn open_or_rebuild(
        url: &str,
        deployment: &Deployment,
        rebuild: bool,
    ) -> Result<Self, IndexError> {
        if rebuild {
            let db = Db::open(url).await?;
            let mut writing = db.write().await?;
            for table in FROM_CHAIN {
                writing.run(sql(format!("DROP TABLE {table}"))).await?;
            }
            writing.run(sqlx::query("DELETE FROM meta WHERE name <> 'deployment'")).await?;
            set_meta(&mut writing, "version", SCHEMA_VERSION.to_string()).await?;
            writing.commit().await?;
            db.close().await;
        }
        Self::open(url, deployment).await
    }

    /// Whether the database takes what is written.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn probe(&self) -> Result<(), IndexError> {
        let mut writing = self.db.write().await?;
        set_meta(&mut writing, "probe", "1".to_owned()).await?;
        writing.commit().await
    }

    /// The database.
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// How far it is; changes with every write.
    pub fn reached(&self) -> watch::Receiver<Reached> {
        self.reached.subscribe()
    }

    /// Where to follow the chain from.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn cursor(&self) -> Result<Cursor, IndexError> {
        let kept = self.db.meta("cursor").await?;
        Ok(kept
            .map(|text| serde_json::from_str(&text))
            .transpose()?
            .unwrap_or_else(|| Cursor::at(self.start)))
    }

    /// Writes events in the chain's order, and the head with the last of them. Answers which objects changed.
    ///
    /// # Errors
    /// [`IndexError`]; then nothing of the last part was written.
    pub async fn write(&self, events: &[Recorded], head: Option<&Head>) -> Result<Vec<Key>, IndexError> {
        let mut changed = Vec::new();
        let parts = events.len().div_ceil(EVENTS_A_WRITE).max(1);
        for part in 0..parts {
            let end = (part * EVENTS_A_WRITE + EVENTS_A_WRITE).min(events.len());
            let events = &events[part * EVENTS_A_WRITE..end];
            let head = head.filter(|_| part + 1 == parts);
            let mut writing = self.db.write().await?;
            changed.extend(fold::add(&mut writing, events).await?);
            let reached = self.next(head);
            if let Some(head) = head {
                set_meta(&mut writing, "cursor", serde_json::to_string(&head.cursor)?).await?;
                set_meta(&mut writing, "reached", serde_json::to_string(&reached)?).await?;
            }
            writing.commit().await?;
            metrics::counter!("gateway_events_indexed_total").increment(events.len() as u64);
            self.reached.send_replace(reached);
        }
        changed.sort();
        changed.dedup();
        Ok(changed)
    }

    fn next(&self, head: Option<&Head>) -> Reached {
        let now = *self.reached.borrow();
        let version = now.version.wrapping_add(1);
        match head {
            Some(head) => Reached { block: head.number, time: head.time, version },
            None => Reached { version, ..now },
        }
    }

    /// Undoes every event from a block on. Answers which objects changed.
    ///
    /// # Errors
    /// [`IndexError`]; then nothing was undone.
    pub async fn revert(&self, from: u64) -> Result<Vec<Key>, IndexError> {
        let mut writing = self.db.write().await?;
        let changed = fold::undo(&mut writing, Place::start_of(from)).await?;
        writing.commit().await?;
        if !changed.is_empty() {
            self.reached.send_modify(|now| now.version = now.version.wrapping_add(1));
        }
        Ok(changed)
    }

    /// Forgets everything that came from the chain, to read it again. The order book stays.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn forget(&self) -> Result<Cursor, IndexError> {
        let mut writing = self.db.write().await?;
        for table in FROM_CHAIN {
            writing.run(sql(format!("DELETE FROM {table}"))).await?;
        }
        writing.run(sqlx::query("DELETE FROM meta WHERE name IN ('cursor', 'reached')")).await?;
        writing.commit().await?;
        // Nobody is to believe that a block is in it whose deals are not.
        self.reached
            .send_modify(|now| *now = Reached { version: now.version.wrapping_add(1), ..Reached::default() });
        Ok(Cursor::at(self.start))
    }
}
