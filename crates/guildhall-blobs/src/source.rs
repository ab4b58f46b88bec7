//! Where missing blobs come from.

use std::fmt;

use async_trait::async_trait;
use guildhall_protocol::ContentId;

use crate::{BlobError, ByteStream};

/// What a source is about to send.
pub struct Offer {
    /// First byte that comes: what was asked for, or zero when the source cannot resume.
    pub offset: u64,
    /// Length of the whole blob as the source declares it, in bytes.
    pub total: Option<u64>,
    /// The bytes. Hostile: whoever reads checks length, pace and hash.
    pub bytes: ByteStream,
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("offset", &self.offset)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

/// Somebody who may have blobs and is not trusted.
#[async_trait]
pub trait BlobSource: Send + Sync + fmt::Debug + 'static {
    /// How errors name it. Holds nothing secret.
    fn name(&self) -> String;

    /// Asks for a blob from byte `offset` on.
    ///
    /// # Errors
    /// [`BlobError::NotFound`] when it does not have it; [`BlobError::Source`] when it does not work.
    async fn fetch(&self, id: ContentId, offset: u64) -> Result<Offer, BlobError>;
}
