//! What can go wrong with bytes, and who is to blame.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use guildhall_protocol::ContentId;
use guildhall_service::Coded;

/// Errors of blobs. Cheap to clone: several callers may wait for one fetch.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BlobError {
    /// Nobody has it.
    #[error("blob {id} is not here{}", said_by(.tried))]
    NotFound {
        /// What was asked for.
        id: ContentId,
        /// Who was asked, and why each did not give it.
        tried: Vec<SourceFailure>,
    },
    /// The bytes hash to something else.
    #[error("`{from}` gave wrong bytes for {expected}: they are {actual}")]
    WrongBytes {
        /// What was asked for.
        expected: ContentId,
        /// What the bytes are.
        actual: ContentId,
        /// Who gave them.
        from: String,
    },
    /// The blob is larger than allowed.
    #[error("`{from}` offers {} bytes, at most {limit} are allowed", .declared.map_or("endless".into(), |n| n.to_string()))]
    TooLarge {
        /// Most bytes allowed.
        limit: u64,
        /// What was declared; `None` = nothing, and the limit was passed.
        declared: Option<u64>,
        /// Who offers it.
        from: String,
    },
    /// The store is full of blobs that must stay.
    #[error("no room for {needed} bytes: {used} of {quota} are in use by pinned blobs and writes")]
    Quota {
        /// Bytes wanted.
        needed: u64,
        /// Bytes in use that cannot be evicted.
        used: u64,
        /// Most bytes of the store.
        quota: u64,
    },
    /// The range is outside the blob.
    #[error("range {start}..{end} is outside the blob of {len} bytes")]
    Range {
        /// First byte.
        start: u64,
        /// Byte after the last.
        end: u64,
        /// Length of the blob.
        len: u64,
    },
    /// The local copy had changed on disk; it has been removed.
    #[error("the local copy of {id} was damaged and has been removed")]
    Corrupt {
        /// Which blob.
        id: ContentId,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A source does not work.
    #[error("`{from}` failed: {message}")]
    Source {
        /// Which.
        from: String,
        /// What it said.
        message: String,
        /// Whether the same request may work later.
        transient: bool,
    },
    /// A source sends too slowly.
    #[error("`{from}` is too slow: less than {min_bytes} bytes in {} ms", window.as_millis())]
    Stalled {
        /// Which.
        from: String,
        /// What it had to send ...
        min_bytes: u64,
        /// ... within this time.
        window: Duration,
    },
    /// A source stopped before the end.
    #[error("`{from}` stopped after {got} of {want} bytes")]
    Truncated {
        /// Which.
        from: String,
        /// Bytes so far.
        got: u64,
        /// Bytes declared.
        want: u64,
    },
}

/// Why one source did not give a blob.
#[derive(Clone, Debug)]
pub struct SourceFailure {
    /// Name of the source.
    pub name: String,
    /// What happened.
    pub error: Arc<BlobError>,
}

fn said_by(tried: &[SourceFailure]) -> String {
    if tried.is_empty() {
        return String::new();
    }
    let said: Vec<String> = tried
        .iter()
        .map(|failure| match &*failure.error {
            BlobError::NotFound { .. } => format!("`{}` does not have it", failure.name),
            error => error.to_string(),
        })
        .collect();
    format!(" and no source gave it: {}", said.join("; "))
}

impl BlobError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source: Arc::new(source) }
    }

    pub(crate) fn missing(id: ContentId) -> Self {
        Self::NotFound { id, tried: Vec::new() }
    }

    /// Whether the same source may give the rest when asked again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Source { transient, .. } => *transient,
            Self::Stalled { .. } | Self::Truncated { .. } => true,
            _ => false,
        }
    }
}

impl Coded for BlobError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "blobs.not_found",
            Self::WrongBytes { .. } => "blobs.wrong_bytes",
            Self::TooLarge { .. } => "blobs.too_large",
            Self::Quota { .. } => "blobs.quota",
            Self::Range { .. } => "blobs.range",
            Self::Corrupt { .. } => "blobs.corrupt",
            Self::Io { .. } => "blobs.io",
            Self::Source { .. } => "blobs.source",
            Self::Stalled { .. } => "blobs.stalled",
            Self::Truncated { .. } => "blobs.truncated",
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotFound { tried, .. } if tried.is_empty() => "put it first, or name a source that has it",
            Self::NotFound { .. } => "check the sources, or name another",
            Self::WrongBytes { .. } => "remove that source: it lies or its copy is damaged",
            Self::TooLarge { .. } => "raise the limit if you expect a blob of this size",
            Self::Quota { .. } => "raise the store's quota, or unpin blobs",
            Self::Corrupt { .. } => "get it again; check the disk if it happens again",
            _ => return None,
        };
        Some(text.to_owned())
    }
}
