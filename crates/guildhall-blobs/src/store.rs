//! The interface of a store of blobs, and the forms in which bytes come and go.

use std::{fmt, ops::Range, path::PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use guildhall_protocol::ContentId;

use crate::{BlobError, index::PinGuard};

/// Bytes in pieces.
pub type ByteStream = BoxStream<'static, Result<Bytes, BlobError>>;

/// A blob, or a range of it, in pieces. An error as the last piece means that what came before must not be used.
pub struct BlobStream {
    /// Length of the whole blob, in bytes.
    pub total: u64,
    /// Which bytes of it come.
    pub range: Range<u64>,
    /// The bytes.
    pub bytes: ByteStream,
}

impl fmt::Debug for BlobStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobStream")
            .field("total", &self.total)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// A blob as a file of this machine, verified. It is not evicted while the value lives.
#[derive(Clone, Debug)]
pub struct LocalBlob {
    /// The file: read it or map it, never write it.
    pub path: PathBuf,
    /// Its length, in bytes.
    pub len: u64,
    pub(crate) _pin: PinGuard,
}

/// A store of blobs. Every read is verified against the id.
#[async_trait]
pub trait BlobStore: Send + Sync + fmt::Debug + 'static {
    /// Length of a blob that is here now (nothing is fetched), in bytes.
    async fn has(&self, id: ContentId) -> Result<Option<u64>, BlobError>;

    /// A whole blob in memory.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] when it has more than `limit` bytes, [`BlobError::NotFound`] when nobody has it.
    async fn get(&self, id: ContentId, limit: u64) -> Result<Bytes, BlobError>;

    /// A whole blob, or a range of it, in pieces.
    ///
    /// # Errors
    /// [`BlobError::Range`] when the range is not inside the blob.
    async fn get_stream(&self, id: ContentId, range: Option<Range<u64>>) -> Result<BlobStream, BlobError>;

    /// A blob as a local file, to be mapped into memory.
    async fn local(&self, id: ContentId) -> Result<LocalBlob, BlobError>;

    /// Stores bytes; when it returns they survive a power cut. Known bytes are not written again.
    async fn put(&self, bytes: Bytes) -> Result<ContentId, BlobError>;

    /// Stores bytes that come in pieces, `limit` bytes at most.
    ///
    /// # Errors
    /// [`BlobError::WrongBytes`] when `expected` is given and the bytes are others; nothing is stored then.
    async fn put_stream(
        &self,
        expected: Option<ContentId>,
        limit: u64,
        bytes: ByteStream,
    ) -> Result<ContentId, BlobError>;

    /// A range of a blob in memory. Keep it small: the caller names the range, so it is the bound.
    async fn get_range(&self, id: ContentId, range: Range<u64>) -> Result<Bytes, BlobError> {
        use futures::TryStreamExt;
        let stream = self.get_stream(id, Some(range)).await?;
        let pieces: Vec<Bytes> = stream.bytes.try_collect().await?;
        Ok(pieces.concat().into())
    }
}
