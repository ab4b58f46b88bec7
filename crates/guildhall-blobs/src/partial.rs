//! A blob on its way in: bytes are hashed as they are written, and become a blob only when the id is right.

use std::path::PathBuf;

use guildhall_protocol::ContentId;
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};

use crate::{BlobError, FsStore};

/// Room is reserved in steps of this size, in bytes, so that a small piece does not cost a look at the index.
const RESERVE_STEP: u64 = 1024 * 1024;
/// Buffer to hash an interrupted download again, in bytes.
const REHASH_BUFFER: usize = 256 * 1024;

/// One write in progress. Dropped without [`Partial::finish`] it leaves nothing, unless it was [`Partial::keep`]ed.
#[derive(Debug)]
pub(crate) struct Partial {
    store: FsStore,
    path: PathBuf,
    file: File,
    hasher: blake3::Hasher,
    len: u64,
    limit: u64,
    reserved: u64,
    /// Set when the file is to stay: renamed, or kept to be resumed.
    settled: bool,
}

impl Partial {
    /// A fresh write of `limit` bytes at most.
    pub(crate) async fn create(store: FsStore, path: PathBuf, limit: u64) -> Result<Self, BlobError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.open(&path).await.map_err(BlobError::io("create", &path))?;
        let hasher = blake3::Hasher::new();
        Ok(Self { store, path, file, hasher, len: 0, limit, reserved: 0, settled: false })
    }

    /// Goes on with an interrupted write: what is there is hashed again.
    pub(crate) async fn resume(store: FsStore, path: PathBuf, limit: u64) -> Result<Self, BlobError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).await.map_err(BlobError::io("open", &path))?;
        let hasher = blake3::Hasher::new();
        let mut partial = Self { store, path, file, hasher, len: 0, limit, reserved: 0, settled: false };
        let mut buffer = vec![0; REHASH_BUFFER];
        loop {
            let count = partial.file.read(&mut buffer).await.map_err(BlobError::io("read", &partial.path))?;
            if count == 0 {
                return Ok(partial);
            }
            if partial.make_room(count as u64, "an interrupted download").await.is_err() {
                partial.reset().await?;
                return Ok(partial);
            }
            partial.hasher.update(&buffer[..count]);
            partial.len += count as u64;
        }
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Appends bytes that `from` gave.
    pub(crate) async fn append(&mut self, bytes: &[u8], from: &str) -> Result<(), BlobError> {
        self.make_room(bytes.len() as u64, from).await?;
        self.hasher.update(bytes);
        self.file.write_all(bytes).await.map_err(BlobError::io("write", &self.path))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    async fn make_room(&mut self, more: u64, from: &str) -> Result<(), BlobError> {
        let after = self.len.saturating_add(more);
        if after > self.limit {
            return Err(BlobError::TooLarge { limit: self.limit, declared: None, from: from.to_owned() });
        }
        if after > self.reserved {
            let step = (after - self.reserved).max(RESERVE_STEP).min(self.limit - self.reserved);
            // Near the quota a whole step may not fit where the bytes themselves do.
            let exact = after - self.reserved;
            let granted = match self.store.reserve(step).await {
                Ok(()) => step,
                Err(BlobError::Quota { .. }) if exact < step => {
                    self.store.reserve(exact).await?;
                    exact
                }
                Err(error) => return Err(error),
            };
            self.reserved += granted;
        }
        Ok(())
    }

    /// Forgets all bytes.
    pub(crate) async fn reset(&mut self) -> Result<(), BlobError> {
        self.file.set_len(0).await.map_err(BlobError::io("truncate", &self.path))?;
        self.file.rewind().await.map_err(BlobError::io("rewind", &self.path))?;
        self.hasher.reset();
        self.len = 0;
        Ok(())
    }

    /// Makes the bytes a durable blob.
    ///
    /// # Errors
    /// [`BlobError::WrongBytes`] (naming `from`) when they are not what is `expected`; they stay until reset or dropped.
    pub(crate) async fn finish(
        &mut self,
        expected: Option<ContentId>,
        from: &str,
    ) -> Result<ContentId, BlobError> {
        let actual = ContentId((*self.hasher.finalize().as_bytes()).into());
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            return Err(BlobError::WrongBytes { expected, actual, from: from.to_owned() });
        }
        self.file.flush().await.map_err(BlobError::io("write", &self.path))?;
        self.file.sync_all().await.map_err(BlobError::io("sync", &self.path))?;
        self.store.publish(actual, &self.path, self.len).await?;
        self.settled = true;
        Ok(actual)
    }

    /// Leaves the bytes on disk, so that a later fetch of `id` goes on from here.
    pub(crate) async fn keep(mut self, id: ContentId) -> Result<(), BlobError> {
        self.file.flush().await.map_err(BlobError::io("write", &self.path))?;
        if self.len > 0 {
            self.settled = self.store.keep_partial(id, self.len);
        }
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.store.release(self.reserved);
        if !self.settled {
            // Best effort: what stays is removed when the store is opened next.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
