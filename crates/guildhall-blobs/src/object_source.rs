//! Blobs in an object store (S3 and what speaks like it), named by URL.
//!
//! It is a source and a place to keep copies, never read without [`crate::Layered`], which verifies.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use guildhall_protocol::ContentId;
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart, path::Path,
};
use url::Url;

use crate::{BlobError, BlobSource, BlobStream, Offer};

/// Pieces of an upload on the wire at once.
const UPLOADS_AT_ONCE: usize = 4;
/// Blobs up to this size are sent in one request, in bytes.
const SINGLE_PUT_BYTES: u64 = 8 * 1024 * 1024;

/// Objects `<url>/<2 digits>/<64 digits>` of an object store. Cheap to clone.
#[derive(Clone)]
pub struct ObjectSource {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    name: String,
}

impl fmt::Debug for ObjectSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectSource").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ObjectSource {
    /// The store at `url` (`s3://bucket/path`, `file:///path`, `memory:///`), with options such as
    /// `("aws_region", "eu-west-3")`; credentials come from the standard `AWS_*` variables that the caller passes.
    ///
    /// # Errors
    /// [`BlobError::Source`] when the URL or an option is not understood.
    pub fn new(url: &Url, options: impl IntoIterator<Item = (String, String)>) -> Result<Self, BlobError> {
        let mut shown = url.clone();
        let _ = shown.set_password(None);
        shown.set_query(None);
        let name = shown.to_string();
        let (store, prefix) = object_store::parse_url_opts(url, options).map_err(|error| {
            BlobError::Source { from: name.clone(), message: error.to_string(), transient: false }
        })?;
        Ok(Self { store: store.into(), prefix, name })
    }

    /// The `AWS_*` variables of this process, as options.
    pub fn options_from_env() -> Vec<(String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("AWS_"))
            .map(|(name, value)| (name.to_lowercase(), value))
            .collect()
    }

    /// Copies a verified blob into the store, in one piece or many. What is there already is not sent again.
    ///
    /// # Errors
    /// [`BlobError::Source`] when the store refuses; an upload in many pieces leaves no object then.
    pub async fn upload(&self, id: ContentId, blob: BlobStream) -> Result<(), BlobError> {
        let path = self.path(id);
        match self.store.head(&path).await {
            Ok(meta) if meta.size == blob.total => return Ok(()),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(self.failed(error)),
        }
        let mut bytes = blob.bytes;
        if blob.total <= SINGLE_PUT_BYTES {
            let pieces: Vec<_> = bytes.try_collect().await?;
            let payload = PutPayload::from_iter(pieces);
            self.store.put(&path, payload).await.map_err(|error| self.failed(error))?;
            return Ok(());
        }
        let upload = self.store.put_multipart(&path).await.map_err(|error| self.failed(error))?;
        let mut writer = WriteMultipart::new(upload);
        loop {
            let piece = match bytes.try_next().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(error) => {
                    writer.abort().await.map_err(|error| self.failed(error))?;
                    return Err(error);
                }
            };
            writer.wait_for_capacity(UPLOADS_AT_ONCE).await.map_err(|error| self.failed(error))?;
            writer.put(piece);
        }
        writer.finish().await.map_err(|error| self.failed(error))?;
        Ok(())
    }

    fn path(&self, id: ContentId) -> Path {
        self.prefix.clone().join(format!("{:02x}", id.0[0])).join(format!("{:x}", id.0))
    }

    fn failed(&self, error: object_store::Error) -> BlobError {
        use object_store::Error;
        let transient = !matches!(
            error,
            Error::NotFound { .. }
                | Error::InvalidPath { .. }
                | Error::NotSupported { .. }
                | Error::PermissionDenied { .. }
                | Error::Unauthenticated { .. }
                | Error::UnknownConfigurationKey { .. }
        );
        let message = guildhall_service::error::chain_text(&error);
        BlobError::Source { from: self.name.clone(), message, transient }
    }
}

#[async_trait]
impl BlobSource for ObjectSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn fetch(&self, id: ContentId, offset: u64) -> Result<Offer, BlobError> {
        let range = (offset > 0).then_some(GetRange::Offset(offset));
        let options = GetOptions { range, ..GetOptions::default() };
        let got = match self.store.get_opts(&self.path(id), options).await {
            Ok(got) => got,
            Err(object_store::Error::NotFound { .. }) => return Err(BlobError::missing(id)),
            Err(error) => return Err(self.failed(error)),
        };
        let (offset, total) = (got.range.start, Some(got.meta.size));
        let source = self.clone();
        let bytes = got.into_stream().map_err(move |error| source.failed(error)).boxed();
        Ok(Offer { offset, total, bytes })
    }
}
