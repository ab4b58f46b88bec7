//! Files that survive a power cut, and directories that only one process uses.
//!
//! Knows nothing of what the files hold.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::Coded;

/// Mode of files that hold secrets: the owner alone.
pub const MODE_PRIVATE: u32 = 0o600;
/// Mode of files that anyone on the machine may read.
pub const MODE_PUBLIC: u32 = 0o644;
/// Name of the lock file inside a data directory.
const LOCK_FILE: &str = "lock";

/// Errors of files and data directories.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds the data directory.
    #[error("{} is in use by another process (process id {owner})", path.display())]
    Locked {
        /// The data directory.
        path: PathBuf,
        /// The process id that the lock file names, or `unknown`.
        owner: String,
    },
}

impl FileError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

impl Coded for FileError {
    fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "files.io",
            Self::Locked { .. } => "files.locked",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => Some("check the owner and mode of the path".into()),
                io::ErrorKind::ReadOnlyFilesystem => {
                    Some("mount it for writing, or choose another directory".into())
                }
                io::ErrorKind::StorageFull => Some("free space on the file system".into()),
                _ => None,
            },
            Self::Locked { .. } => {
                Some("stop the other process, or give this one its own data directory".into())
            }
        }
    }
}

/// Replaces the file at `path` with `bytes` as one step: after a crash it holds the old bytes or the new, never a mix.
///
/// Writes a temporary file beside it with `mode` from the first byte, syncs it, renames it and syncs the directory.
///
/// # Errors
/// [`FileError::Io`] with the step that failed; the temporary file is removed.
pub fn atomic_write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let directory = parent_of(path);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = directory.join(format!(".{name}.{}.{number}.tmp", std::process::id()));
    let written = write_synced(&temporary, bytes, mode)
        .and_then(|()| fs::rename(&temporary, path).map_err(FileError::io("rename to", path)))
        .and_then(|()| sync_dir(directory));
    if written.is_err() {
        // Best effort: the write's own error is what the caller needs.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Makes the names in a directory durable (needed after a rename or a removal).
///
/// # Errors
/// [`FileError::Io`] when the directory cannot be opened or synced.
pub fn sync_dir(directory: &Path) -> Result<(), FileError> {
    File::open(directory).and_then(|dir| dir.sync_all()).map_err(FileError::io("sync", directory))
}

/// The directory that a file lies in: the current one for a bare name.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    let mut file = options.open(path).map_err(FileError::io("create", path))?;
    file.write_all(bytes).map_err(FileError::io("write", path))?;
    file.sync_all().map_err(FileError::io("sync", path))
}

/// A role's data directory, held by this process alone for as long as the value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // The operating system frees the lock when the file closes, also after a crash.
    _lock: File,
}

impl DataDir {
    /// Creates the directory where needed (mode 0700) and locks it.
    ///
    /// # Errors
    /// [`FileError::Locked`] when another process holds it, [`FileError::Io`] when it cannot be made or opened.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, FileError> {
        let path = path.into();
        create_private_dir(&path)?;
        let lock_path = path.join(LOCK_FILE);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(FileError::io("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = fs::read_to_string(&lock_path).unwrap_or_default();
                let owner = if owner.trim().is_empty() { "unknown" } else { owner.trim() }.to_owned();
                return Err(FileError::Locked { path, owner });
            }
            Err(TryLockError::Error(source)) => {
                return Err(FileError::Io { action: "lock", path: lock_path, source });
            }
        }
        lock.set_len(0)
            .and_then(|()| write!(lock, "{}", std::process::id()))
            .map_err(FileError::io("write", &lock_path))?;
        Ok(Self { path, _lock: lock })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside the directory.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

/// Creates a directory and its parents with mode 0700; an existing one keeps its mode.
///
/// # Errors
/// [`FileError::Io`] when the system refuses.
pub fn create_private_dir(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(FileError::io("create", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("read dir");
        entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn atomic_write_replaces_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("key.json");
        atomic_write(&path, b"one", MODE_PRIVATE).expect("first");
        atomic_write(&path, b"two", MODE_PRIVATE).expect("second");
        assert_eq!(fs::read(&path).expect("read"), b"two");
        assert_eq!(names(dir.path()), ["key.json"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("key.json");
        atomic_write(&path, b"secret", MODE_PRIVATE).expect("write");
        assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_failed_write_leaves_the_old_bytes_and_no_temporary() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("taken");
        fs::create_dir(&path).expect("a directory stands where the file should");
        let error = atomic_write(&path, b"new", MODE_PUBLIC).expect_err("cannot rename over a directory");
        assert_eq!(error.code(), "files.io");
        assert_eq!(names(dir.path()), ["taken"]);
    }

    #[test]
    fn a_second_user_of_a_data_directory_is_refused_until_the_first_ends() {
        let dir = tempfile::tempdir().expect("temp dir");
        let held = DataDir::open(dir.path().join("worker")).expect("first");
        let error = DataDir::open(held.path()).expect_err("second");
        assert_eq!(error.code(), "files.locked");
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        drop(held);
        DataDir::open(dir.path().join("worker")).expect("free again");
    }
}
