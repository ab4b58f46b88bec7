//! Blobs in a directory of this machine.
//!
//! Layout: `data/<2 digits>/<id>`, `pins/<id>` (empty), `partial/<id>.part` (downloads to be resumed) and
//! `partial/*.tmp` (writes in progress). A blob appears by one rename after its bytes are hashed and synced.

use std::{
    collections::BTreeMap,
    fs::FileTimes,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use guildhall_protocol::ContentId;
use guildhall_service::files::{self, FileError};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncSeekExt},
};

use crate::{
    BlobError, BlobStore, BlobStream, ByteStream, LocalBlob,
    index::{Index, PinGuard},
    partial::Partial,
};

/// Piece in which a file is read, in bytes.
const READ_PIECE: usize = 128 * 1024;
/// Interrupted downloads kept to be resumed; a further one is dropped.
const MAX_PARTIALS: usize = 32;

/// A store in a directory, with a quota. Cheap to clone.
///
/// When full it evicts the least recently used blobs that are not pinned. One process at a time: lock the data directory
/// that holds it.
#[derive(Clone, Debug)]
pub struct FsStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    index: Index,
    counter: AtomicU64,
}

impl FsStore {
    /// Opens the store in `root`, creating it where needed, with room for `quota_bytes`.
    ///
    /// # Errors
    /// [`BlobError::Io`] when the directory cannot be used.
    pub async fn open(root: impl Into<PathBuf>, quota_bytes: u64) -> Result<Self, BlobError> {
        let root = root.into();
        let index = Index::new(quota_bytes);
        let scanned = (root.clone(), index.clone());
        blocking(move || scan(&scanned.0, &scanned.1)).await?;
        let store = Self { inner: Arc::new(Inner { root, index, counter: AtomicU64::new(0) }) };
        store.reserve(0).await?;
        Ok(store)
    }

    /// Bytes in use: of blobs, and of writes in progress and interrupted downloads.
    pub fn usage_bytes(&self) -> (u64, u64) {
        self.inner.index.usage()
    }

    /// Keeps a blob whatever the quota, also after a restart.
    ///
    /// # Errors
    /// [`BlobError::NotFound`] when it is not here.
    pub async fn pin(&self, id: ContentId) -> Result<(), BlobError> {
        if !self.inner.index.set_pinned(id, true) {
            return Err(BlobError::missing(id));
        }
        let path = self.pin_path(id);
        fs::write(&path, b"").await.map_err(BlobError::io("write", &path))?;
        self.sync("pins").await
    }

    /// Lets a blob be evicted again.
    ///
    /// # Errors
    /// [`BlobError::Io`] when the pin cannot be removed.
    pub async fn unpin(&self, id: ContentId) -> Result<(), BlobError> {
        remove_if_there(&self.pin_path(id)).await?;
        self.inner.index.set_pinned(id, false);
        Ok(())
    }

    /// Removes a blob, pinned or not. What is not here is no error.
    ///
    /// # Errors
    /// [`BlobError::Io`] when the file cannot be removed.
    pub async fn remove(&self, id: ContentId) -> Result<(), BlobError> {
        self.unpin(id).await?;
        self.inner.index.remove(id);
        remove_if_there(&self.data_path(id)).await
    }

    /// A write of unknown id.
    pub(crate) async fn begin(&self, limit: u64) -> Result<Partial, BlobError> {
        let number = self.inner.counter.fetch_add(1, Ordering::Relaxed);
        let path = self.inner.root.join("partial").join(format!("{number}.tmp"));
        Partial::create(self.clone(), path, limit).await
    }

    /// A download of `id`, from where the last one stopped. One at a time for an id.
    pub(crate) async fn begin_or_resume(&self, id: ContentId, limit: u64) -> Result<Partial, BlobError> {
        let path = self.partial_path(id);
        match self.inner.index.take_idle(id) {
            Some(_) => Partial::resume(self.clone(), path, limit).await,
            None => Partial::create(self.clone(), path, limit).await,
        }
    }

    pub(crate) async fn reserve(&self, bytes: u64) -> Result<(), BlobError> {
        let evicted = self.inner.index.reserve(bytes)?;
        for id in evicted.blobs {
            tracing::debug!(%id, "blob evicted");
            remove_if_there(&self.data_path(id)).await?;
        }
        for id in evicted.partials {
            remove_if_there(&self.partial_path(id)).await?;
        }
        Ok(())
    }

    pub(crate) fn release(&self, bytes: u64) {
        self.inner.index.release(bytes);
    }

    pub(crate) fn keep_partial(&self, id: ContentId, len: u64) -> bool {
        self.inner.index.add_idle(id, len, MAX_PARTIALS)
    }

    /// Renames a written and synced file to its blob.
    pub(crate) async fn publish(&self, id: ContentId, from: &Path, len: u64) -> Result<(), BlobError> {
        let path = self.data_path(id);
        let folder = self.inner.root.join("data").join(shard(id));
        fs::create_dir_all(&folder).await.map_err(BlobError::io("create", &folder))?;
        fs::rename(from, &path).await.map_err(BlobError::io("rename to", &path))?;
        self.sync_path(folder).await?;
        self.sync("data").await?;
        let modified = fs::metadata(&path).await.and_then(|meta| meta.modified());
        self.inner.index.insert(id, len, false, modified.ok());
        Ok(())
    }

    /// A blob's open file, held against eviction. The caller verifies.
    async fn open_blob(&self, id: ContentId) -> Result<(File, u64, PinGuard), BlobError> {
        let (len, guard) = self.inner.index.hold(id).ok_or_else(|| BlobError::missing(id))?;
        let path = self.data_path(id);
        match File::open(&path).await {
            Ok(file) => Ok((file, len, guard)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.inner.index.remove(id);
                Err(BlobError::missing(id))
            }
            Err(error) => Err(BlobError::io("open", path)(error)),
        }
    }

    /// Hashes the file unless that was done since its last modification; removes it when it is wrong.
    async fn verify(&self, id: ContentId, file: &mut File) -> Result<(), BlobError> {
        let path = self.data_path(id);
        let modified = file.metadata().await.and_then(|meta| meta.modified());
        let modified = modified.map_err(BlobError::io("look at", &path))?;
        if self.inner.index.verified_at(id) == Some(modified) {
            return Ok(());
        }
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; READ_PIECE];
        loop {
            let count = file.read(&mut buffer).await.map_err(BlobError::io("read", &path))?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
        }
        file.rewind().await.map_err(BlobError::io("rewind", &path))?;
        if ContentId((*hasher.finalize().as_bytes()).into()) != id {
            return Err(self.damaged(id).await);
        }
        self.inner.index.set_verified(id, modified);
        Ok(())
    }

    async fn damaged(&self, id: ContentId) -> BlobError {
        tracing::warn!(%id, "damaged blob removed");
        metrics::counter!("blobs_damaged_total").increment(1);
        self.inner.index.remove(id);
        match remove_if_there(&self.data_path(id)).await {
            Ok(()) => BlobError::Corrupt { id },
            Err(error) => error,
        }
    }

    fn data_path(&self, id: ContentId) -> PathBuf {
        self.inner.root.join("data").join(shard(id)).join(name(id))
    }

    fn pin_path(&self, id: ContentId) -> PathBuf {
        self.inner.root.join("pins").join(name(id))
    }

    fn partial_path(&self, id: ContentId) -> PathBuf {
        self.inner.root.join("partial").join(format!("{}.part", name(id)))
    }

    async fn sync(&self, folder: &str) -> Result<(), BlobError> {
        self.sync_path(self.inner.root.join(folder)).await
    }

    async fn sync_path(&self, folder: PathBuf) -> Result<(), BlobError> {
        blocking(move || files::sync_dir(&folder).map_err(from_file_error)).await
    }
}

#[async_trait]
impl BlobStore for FsStore {
    async fn has(&self, id: ContentId) -> Result<Option<u64>, BlobError> {
        Ok(self.inner.index.len_of(id))
    }

    async fn get(&self, id: ContentId, limit: u64) -> Result<Bytes, BlobError> {
        let (file, len, _held) = self.open_blob(id).await?;
        if len > limit {
            return Err(BlobError::TooLarge { limit, declared: Some(len), from: "this store".into() });
        }
        // One byte more than it should have, so that a grown file shows as damaged.
        let mut bytes = BytesMut::with_capacity(usize::try_from(len).unwrap_or(0).saturating_add(1));
        let mut file = file.take(len.saturating_add(1));
        while file.read_buf(&mut bytes).await.map_err(BlobError::io("read", self.data_path(id)))? > 0 {}
        if !id.names(&bytes) {
            return Err(self.damaged(id).await);
        }
        touch(file.into_inner()).await;
        Ok(bytes.freeze())
    }

    async fn get_stream(&self, id: ContentId, range: Option<Range<u64>>) -> Result<BlobStream, BlobError> {
        let (mut file, len, held) = self.open_blob(id).await?;
        let range = range.unwrap_or(0..len);
        if range.start > range.end || range.end > len {
            return Err(BlobError::Range { start: range.start, end: range.end, len });
        }
        self.verify(id, &mut file).await?;
        let path = self.data_path(id);
        file.seek(std::io::SeekFrom::Start(range.start)).await.map_err(BlobError::io("seek in", &path))?;
        let reader = file.take(range.end - range.start);
        let pieces = stream::try_unfold((reader, held, path), |(mut reader, held, path)| async move {
            let mut piece = BytesMut::with_capacity(READ_PIECE);
            let count = reader.read_buf(&mut piece).await.map_err(BlobError::io("read", &path))?;
            Ok((count > 0).then(|| (piece.freeze(), (reader, held, path))))
        });
        Ok(BlobStream { total: len, range, bytes: pieces.boxed() })
    }

    async fn local(&self, id: ContentId) -> Result<LocalBlob, BlobError> {
        let (mut file, len, held) = self.open_blob(id).await?;
        self.verify(id, &mut file).await?;
        touch(file).await;
        Ok(LocalBlob { path: self.data_path(id), len, _pin: held })
    }

    async fn put(&self, bytes: Bytes) -> Result<ContentId, BlobError> {
        let id = ContentId::of(&bytes);
        if self.local(id).await.is_ok() {
            return Ok(id);
        }
        let mut partial = self.begin(bytes.len() as u64).await?;
        partial.append(&bytes, "the caller").await?;
        partial.finish(Some(id), "the caller").await
    }

    async fn put_stream(
        &self,
        expected: Option<ContentId>,
        limit: u64,
        mut bytes: ByteStream,
    ) -> Result<ContentId, BlobError> {
        let mut partial = self.begin(limit).await?;
        while let Some(piece) = bytes.try_next().await? {
            partial.append(&piece, "the caller").await?;
        }
        partial.finish(expected, "the caller").await
    }
}

fn name(id: ContentId) -> String {
    format!("{:x}", id.0)
}

fn shard(id: ContentId) -> String {
    format!("{:02x}", id.0[0])
}

fn id_of(name: &str) -> Option<ContentId> {
    format!("{}{name}", ContentId::PREFIX).parse().ok()
}

fn from_file_error(error: FileError) -> BlobError {
    match error {
        FileError::Io { action, path, source } => BlobError::io(action, path)(source),
        FileError::Locked { path, .. } => {
            BlobError::io("lock", path)(std::io::Error::from(std::io::ErrorKind::ResourceBusy))
        }
    }
}

async fn remove_if_there(path: &Path) -> Result<(), BlobError> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(BlobError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Notes the time of use, which orders blobs after a restart. Best effort: it must not fail a read.
async fn touch(file: File) {
    let file = file.into_std().await;
    let times = FileTimes::new().set_accessed(SystemTime::now());
    let _ = tokio::task::spawn_blocking(move || file.set_times(times)).await;
}

async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(act).await.map_err(|error| {
        let source = std::io::Error::other(format!("the worker thread ended: {error}"));
        BlobError::io("work on", PathBuf::from("blobs"))(source)
    })?
}

/// Reads what is in the directory into the index, in the order of last use, and removes unfinished writes.
fn scan(root: &Path, index: &Index) -> Result<(), BlobError> {
    for folder in ["data", "pins", "partial"] {
        files::create_private_dir(&root.join(folder)).map_err(from_file_error)?;
    }
    let mut found = BTreeMap::new();
    for folder in read_dir(&root.join("data"))? {
        if !folder.is_dir() {
            continue;
        }
        for path in read_dir(&folder)? {
            let Some(id) = file_name(&path).and_then(id_of) else { continue };
            let meta = std::fs::metadata(&path).map_err(BlobError::io("look at", &path))?;
            let used = meta.accessed().or_else(|_| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            found.insert((used, id), meta.len());
        }
    }
    for ((_, id), len) in found {
        // Verified when first read: a start must not hash the whole disk.
        index.insert(id, len, root.join("pins").join(name(id)).exists(), None);
    }
    for path in read_dir(&root.join("partial"))? {
        let id = file_name(&path).and_then(|name| name.strip_suffix(".part")).and_then(id_of);
        let len = std::fs::metadata(&path).map(|meta| meta.len()).unwrap_or(0);
        if !id.is_some_and(|id| index.add_idle(id, len, MAX_PARTIALS)) {
            std::fs::remove_file(&path).map_err(BlobError::io("remove", &path))?;
        }
    }
    Ok(())
}

fn read_dir(path: &Path) -> Result<Vec<PathBuf>, BlobError> {
    let entries = std::fs::read_dir(path).map_err(BlobError::io("read", path))?;
    entries.map(|entry| Ok(entry.map_err(BlobError::io("read", path))?.path())).collect()
}

fn file_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}
