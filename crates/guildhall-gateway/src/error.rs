//! What keeps the index or the gateway from working.

use guildhall_service::Coded;

/// Errors of the index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The database refused or cannot be reached.
    #[error("the index's database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The address of the database is none that is known.
    #[error("`{scheme}` is no database that the index can be kept in")]
    Scheme {
        /// What stands before the colon; the rest may hold a password.
        scheme: String,
    },
    /// The database holds another deployment's index.
    #[error("the index is of {found}, not of {wanted}")]
    OtherChain {
        /// What it is of.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// Another version wrote it.
    #[error("the index has version {found}, this program writes {wanted}")]
    OtherVersion {
        /// Its version.
        found: String,
        /// The program's.
        wanted: u32,
    },
    /// A row is not what was written there.
    #[error("a row of the index makes no sense: {0}")]
    Damaged(String),
    /// The data directory can't be used.
    #[error("the index cannot be kept in `{}`: {reason}", path.display())]
    Place {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        reason: String,
    },
}

impl From<serde_json::Error> for IndexError {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl Coded for IndexError {
    fn code(&self) -> &'static str {
        match self {
            Self::Database(_) => "index.database",
            Self::Scheme { .. } => "index.scheme",
            Self::OtherChain { .. } => "index.other_chain",
            Self::OtherVersion { .. } => "index.other_version",
            Self::Damaged(_) => "index.damaged",
            Self::Place { .. } => "index.place",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Database(_) => "check that the database runs, and that the disk has room".into(),
            Self::Scheme { .. } => {
                "write `postgres://...`, or leave it out for a file in the data directory".into()
            }
            Self::OtherChain { .. } => "give each deployment a database or a directory of its own".into(),
            Self::OtherVersion { .. } | Self::Damaged(_) => {
                "start once with `--rebuild`: everything in it is read from the chain again".into()
            }
            Self::Place { .. } => "check the disk, and owner and mode of the path".into(),
        })
    }
}

/// What ends a gateway, or keeps it from starting.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The store of blobs failed.
    #[error(transparent)]
    Blobs(#[from] guildhall_blobs::BlobError),
    /// A loop failed.
    #[error("task `{task}` failed: {error}")]
    Task {
        /// Which.
        task: String,
        /// Why.
        error: String,
    },
}

impl Coded for GatewayError {
    fn code(&self) -> &'static str {
        match self {
            Self::Index(error) => error.code(),
            Self::Blobs(error) => error.code(),
            Self::Task { .. } => "gateway.task",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Index(error) => error.hint(),
            Self::Blobs(error) => error.hint(),
            Self::Task { .. } => None,
        }
    }
}
