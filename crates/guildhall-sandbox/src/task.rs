//! What goes into an execution and what comes out.
//!
//! Knows nothing of how the app runs.

use std::{
    fmt,
    fs::File,
    io,
    path::Path,
    sync::{Arc, OnceLock},
};

use alloy_primitives::B256;
use guildhall_protocol::receipt::Receipt;
use serde::{Deserialize, Serialize};

use crate::{
    error::SandboxError,
    limits::{
        TASK_FILES_MAX, TASK_FUEL_MAX, TASK_MEMORY_MAX_BYTES, TASK_STRINGS_MAX, TASK_STRINGS_MAX_BYTES,
        TASK_TIME_MAX_SECS,
    },
    memory::{Mapping, sealed},
};

/// BLAKE3 of the published WebAssembly bytes: the identity of a module, and the content id of an app.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModuleId(pub B256);

impl ModuleId {
    /// The identity of these bytes.
    pub fn of(wasm: &[u8]) -> Self {
        Self(B256::from(*blake3::hash(wasm).as_bytes()))
    }
}

impl fmt::Display for ModuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for ModuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What a deal allows one task to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Fuel, at most [`TASK_FUEL_MAX`].
    pub fuel: u64,
    /// Linear memory in bytes; rounded down to whole pages of 64 KiB.
    pub memory_bytes: u64,
}

impl Default for Limits {
    /// Ten billion fuel (some seconds of one core) and 512 MiB.
    fn default() -> Self {
        Self { fuel: 10_000_000_000, memory_bytes: 512 * 1024 * 1024 }
    }
}

/// Bytes that a task reads: in memory, or a file that is mapped and not copied. Cheap to clone.
#[derive(Clone)]
pub struct Blob(Arc<Source>);

enum Source {
    /// The second is a copy in shared memory, made when the bytes first travel to another process.
    Bytes(Vec<u8>, OnceLock<File>),
    File {
        file: File,
        bytes: u64,
    },
}

impl Blob {
    /// The bytes of a file, which must not change while tasks use it (content-addressed stores never change theirs).
    ///
    /// # Errors
    /// Whatever the operating system says about opening the file.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Self::of_file(file, meta.len()))
    }

    /// Number of bytes.
    pub fn len(&self) -> u64 {
        match &*self.0 {
            Source::Bytes(bytes, _) => bytes.len() as u64,
            Source::File { bytes, .. } => *bytes,
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes where they are in memory already.
    pub(crate) fn inline(&self) -> Option<&[u8]> {
        match &*self.0 {
            Source::Bytes(bytes, _) => Some(bytes),
            Source::File { .. } => None,
        }
    }

    /// The first `bytes` of an open file.
    pub(crate) fn of_file(file: File, bytes: u64) -> Self {
        Self(Arc::new(Source::File { file, bytes }))
    }

    /// A file with the bytes, for another process.
    pub(crate) fn as_file(&self) -> io::Result<&File> {
        match &*self.0 {
            Source::File { file, .. } => Ok(file),
            Source::Bytes(bytes, shared) => match shared.get() {
                Some(file) => Ok(file),
                None => {
                    let file = File::from(sealed(bytes)?);
                    Ok(shared.get_or_init(|| file))
                }
            },
        }
    }

    /// Readable content for the in-memory file system.
    pub(crate) fn content(&self) -> io::Result<Content> {
        Ok(match &*self.0 {
            Source::Bytes(..) => Content::Blob(self.clone()),
            Source::File { file, bytes } => Content::Mapped(Arc::new(Mapping::of_file(file, *bytes)?)),
        })
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.len())
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Source::Bytes(bytes, OnceLock::new())))
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<&str> for Blob {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl Default for Blob {
    fn default() -> Self {
        Vec::new().into()
    }
}

/// Bytes that the guest may read, wherever they lie.
#[derive(Clone)]
pub(crate) enum Content {
    Blob(Blob),
    Mapped(Arc<Mapping>),
}

impl Content {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Blob(blob) => blob.inline().unwrap_or_default(),
            Self::Mapped(mapping) => mapping.bytes(),
        }
    }
}

/// One execution to make.
#[derive(Clone, Debug)]
pub struct Task {
    /// The app's module, loaded before.
    pub module: ModuleId,
    /// Position of the task in its batch; goes into the receipt.
    pub index: u32,
    /// Arguments; the first is the program's name by custom.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// The file `/in/input`, and standard input.
    pub input: Blob,
    /// The file `/in/dataset`, if the deal rents one.
    pub dataset: Option<Blob>,
    /// More files under `/in`, by name.
    pub files: Vec<(String, Blob)>,
    /// What every clock of the app shows, in seconds since 1970.
    pub deal_time_secs: u64,
    /// Where the app's random bytes come from.
    pub seed: [u8; 32],
    /// What the task may use.
    pub limits: Limits,
    /// Key of the own trace: see [`guildhall_protocol::receipt::own_trace_key`].
    pub own_trace_key: [u8; 32],
}

impl Task {
    /// A task with empty input, no arguments, time zero, seed zero and default limits.
    pub fn new(module: ModuleId) -> Self {
        Self {
            module,
            index: 0,
            args: vec!["app".to_owned()],
            env: Vec::new(),
            input: Blob::default(),
            dataset: None,
            files: Vec::new(),
            deal_time_secs: 0,
            seed: [0; 32],
            limits: Limits::default(),
            own_trace_key: [0; 32],
        }
    }

    /// Refuses what no runtime grants, so that it is an error before the deal and not a surprise in it.
    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        let env_bytes: usize = self.env.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let arg_bytes: usize = self.args.iter().map(|arg| arg.len() + 1).sum();
        let bounds = [
            ("fuel limit", self.limits.fuel, TASK_FUEL_MAX),
            ("memory limit", self.limits.memory_bytes, TASK_MEMORY_MAX_BYTES),
            ("deal time", self.deal_time_secs, TASK_TIME_MAX_SECS),
            ("number of arguments", self.args.len() as u64, TASK_STRINGS_MAX),
            ("number of environment variables", self.env.len() as u64, TASK_STRINGS_MAX),
            ("bytes of arguments and environment", (arg_bytes + env_bytes) as u64, TASK_STRINGS_MAX_BYTES),
            ("number of files", self.files.len() as u64, TASK_FILES_MAX),
        ];
        for (what, value, allowed) in bounds {
            if value > allowed {
                return Err(SandboxError::TaskInvalid { what, value, allowed });
            }
        }
        let strings = self.args.iter().chain(self.env.iter().flat_map(|(name, value)| [name, value]));
        if strings.into_iter().any(|text| text.contains('\0')) {
            return Err(SandboxError::TaskInvalid { what: "zero bytes in a string", value: 1, allowed: 0 });
        }
        self.check_files()
    }

    fn check_files(&self) -> Result<(), SandboxError> {
        let mut names: Vec<&str> = vec!["input", "dataset"];
        for (name, _) in &self.files {
            let plain = !name.is_empty()
                && name.len() as u64 <= crate::limits::NAME_MAX_BYTES
                && !name.contains(['/', '\0'])
                && name != "."
                && name != "..";
            if !plain || names.contains(&name.as_str()) {
                return Err(SandboxError::FileName(name.clone()));
            }
            names.push(name);
        }
        Ok(())
    }
}

/// What one execution gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// What is certified: the same on every machine.
    pub receipt: Receipt,
    /// The trace under this worker's key: only who executed can make it.
    pub own_trace: B256,
    /// The output whose digest stands in the receipt.
    pub output: Vec<u8>,
    /// The end of standard error. Deterministic, but certified by nobody.
    pub stderr: Vec<u8>,
}
