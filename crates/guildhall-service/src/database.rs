//! The database files in which roles keep what they must not forget.
//!
//! One redb file each, which one process holds. Knows nothing of what is in them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use redb::{Builder, Database, DatabaseError as Refused, Error, StorageError};

use crate::{
    Coded,
    files::{parent_of, sync_dir},
};

/// Why a database does not open. Nothing was changed in it that was there before.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DatabaseError {
    /// Another process holds it.
    #[error("`{}` is open in another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is not what was written there.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the database says.
        reason: String,
    },
    /// The operating system refused, or another version wrote it.
    #[error("cannot open `{}`: {reason}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system or the database says.
        reason: String,
    },
}

impl Coded for DatabaseError {
    fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "database.in_use",
            Self::Damaged { .. } => "database.damaged",
            Self::Failed { .. } => "database.failed",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::InUse { .. } => "stop the other process, or give this one a directory of its own".into(),
            Self::Damaged { .. } => "restore it from a copy; it was left as it is".into(),
            Self::Failed { .. } => "check the disk, and owner and mode of the path".into(),
        })
    }
}

/// Why a database failed first: redb tells only whoever met it, and everybody after that there was a failure before. Clones are the
/// same.
#[derive(Debug, Clone, Default)]
pub struct FirstFailure(Arc<OnceLock<String>>);

impl FirstFailure {
    /// The reason to give for a failure: what it says, or what the one said that it only refers to.
    pub fn reason(&self, said: String) -> String {
        if said == Error::PreviousIo.to_string() {
            return self.0.get().cloned().unwrap_or(said);
        }
        // The first stands.
        let _ = self.0.set(said.clone());
        said
    }
}

/// Opens the database at `path`, every page verified; makes an empty one where there is no file.
///
/// A new one gets its name once it is whole: whoever is killed in between leaves none behind, and an empty file is one that
/// lost what it held.
///
/// # Errors
/// [`DatabaseError`].
pub fn open(path: &Path, cache_bytes: usize) -> Result<Database, DatabaseError> {
    let failed = |error: &dyn std::fmt::Display| DatabaseError::Failed {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    match path.metadata() {
        Ok(meta) if meta.len() == 0 => {
            return Err(DatabaseError::Damaged { path: path.to_owned(), reason: "it is empty".into() });
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let fresh = path.with_added_extension("new");
            match fs::remove_file(&fresh) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&error)),
                _ => {}
            }
            drop(Database::create(&fresh).map_err(|error| refused(path, error))?);
            fs::rename(&fresh, path).map_err(|error| failed(&error))?;
            sync_dir(parent_of(path)).map_err(|error| failed(&error))?;
        }
        Err(error) => return Err(failed(&error)),
    }
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes).set_check_integrity_on_open(true);
    builder.open(path).map_err(|error| refused(path, error))
}

fn refused(path: &Path, error: Refused) -> DatabaseError {
    let path = path.to_owned();
    let reason = error.to_string();
    match error {
        Refused::DatabaseAlreadyOpen => DatabaseError::InUse { path },
        Refused::Storage(StorageError::Corrupted(reason)) => DatabaseError::Damaged { path, reason },
        Refused::Storage(StorageError::Io(error))
            if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            DatabaseError::Damaged { path, reason: error.to_string() }
        }
        _ => DatabaseError::Failed { path, reason },
    }
}

#[cfg(test)]
mod tests {
    use redb::{ReadableDatabase as _, TableDefinition};

    use super::*;

    const TABLE: TableDefinition<'static, u64, u64> = TableDefinition::new("table");

    /// A database with a record, closed.
    fn written(dir: &tempfile::TempDir) -> PathBuf {
        let path = dir.path().join("role.redb");
        let database = open(&path, 1 << 20).unwrap();
        let write = database.begin_write().unwrap();
        write.open_table(TABLE).unwrap().insert(1, 2).unwrap();
        write.commit().unwrap();
        path
    }

    #[test]
    fn what_was_written_is_there_and_one_process_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(&dir);
        let database = open(&path, 1 << 20).unwrap();
        let read = database.begin_read().unwrap();
        assert_eq!(read.open_table(TABLE).unwrap().get(1).unwrap().unwrap().value(), 2);
        assert!(matches!(open(&path, 1 << 20), Err(DatabaseError::InUse { .. })));
    }

    #[test]
    fn damage_is_named_and_the_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(&dir);
        let whole = fs::read(&path).unwrap();
        let cut = whole[..whole.len() / 2].to_vec();
        let mut foreign = whole.clone();
        foreign[..16].fill(7);
        for (name, bytes) in [("empty", Vec::new()), ("cut", cut), ("foreign", foreign)] {
            fs::write(&path, &bytes).unwrap();
            let error = open(&path, 1 << 20).unwrap_err();
            assert!(matches!(error, DatabaseError::Damaged { .. }), "{name}: {error}");
            assert!(error.to_string().contains("role.redb") && error.hint().is_some(), "{name}: {error}");
            assert!(
                fs::metadata(&path).unwrap().len() >= bytes.len() as u64,
                "{name}: nothing is thrown away"
            );
        }
        fs::write(&path, whole).unwrap();
        open(&path, 1 << 20).unwrap();
    }

    #[test]
    fn who_was_killed_while_making_one_left_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("role.redb.new"), "half of one").unwrap();
        let path = written(&dir);
        assert!(!dir.path().join("role.redb.new").exists());
        open(&path, 1 << 20).unwrap();
    }

    #[test]
    fn whoever_comes_after_a_failure_learns_why() {
        let failures = FirstFailure::default();
        let again = Error::PreviousIo.to_string();
        assert_eq!(failures.reason(again.clone()), again, "nobody knows");
        assert_eq!(failures.clone().reason("no space".into()), "no space");
        assert_eq!(failures.reason("another".into()), "another");
        assert_eq!(failures.reason(again), "no space");
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let error = open(&dir.path().join("none/role.redb"), 1 << 20).unwrap_err();
        assert!(matches!(error, DatabaseError::Failed { .. }), "{error}");
    }
}
