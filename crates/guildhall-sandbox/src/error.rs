//! What can go wrong around an execution without being its result.
//!
//! Knows nothing of receipts: a deterministic failure of an app is an [`Exit`](guildhall_protocol::receipt::Exit)
//! and never one of these.

use std::io;

use crate::{task::ModuleId, validate::ValidateError};

/// Why a module could not be loaded or a task gave no receipt.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The published module breaks a rule of the runtime.
    #[error(transparent)]
    Invalid(#[from] ValidateError),
    /// The module has not been loaded into this sandbox.
    #[error("module {0} is not loaded; load its bytes before running a task of it")]
    ModuleUnknown(ModuleId),
    /// The task asks for something that no runtime grants.
    #[error("task refused: {what} is {value}, allowed is {allowed}")]
    TaskInvalid {
        /// Which field of the task.
        what: &'static str,
        /// What the task has.
        value: u64,
        /// The most (or, for times, the latest) that is allowed.
        allowed: u64,
    },
    /// A file name of the task is not a plain name, or is used twice.
    #[error("task refused: `{0}` cannot be a file under /in; use a plain, unused name without `/`")]
    FileName(String),
    /// The engine refused a module that passed validation.
    #[error("the engine could not compile module {module}: {reason}; please report this module")]
    Compile {
        /// The published module.
        module: ModuleId,
        /// The engine's words.
        reason: String,
    },
    /// The cache directory for machine code cannot be used.
    #[error("cannot use the cache directory `{path}`: {source}; check that it exists and is writable")]
    Cache {
        /// The directory or file.
        path: String,
        /// The operating system's words.
        source: io::Error,
    },
    /// The host failed: there is no receipt, and the task may be tried again, here or elsewhere.
    #[error("no receipt: {0}")]
    Host(#[from] HostFault),
}

impl SandboxError {
    /// The dotted code of this error: the same in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(error) => error.code(),
            Self::ModuleUnknown(_) => "sandbox.module_unknown",
            Self::TaskInvalid { .. } => "sandbox.task_invalid",
            Self::FileName(_) => "sandbox.file_name",
            Self::Compile { .. } => "sandbox.compile_failed",
            Self::Cache { .. } => "sandbox.cache_io",
            Self::Host(fault) => fault.code(),
        }
    }

    /// Whether another attempt, here or on another machine, may give a receipt.
    pub const fn is_host_fault(&self) -> bool {
        matches!(self, Self::Host(_) | Self::Cache { .. })
    }
}

/// A failure of this machine, never of the app. It differs from host to host, so it is never in a receipt.
#[derive(Debug, thiserror::Error)]
pub enum HostFault {
    /// A task, or the compilation of its module, took longer than the host waits.
    #[error(
        "the process was stopped after {0} ms of wall clock; raise the wall clock or lower the fuel limit"
    )]
    WallClock(u64),
    /// The process that ran the task or compiled its module died.
    #[error("the sandbox process ended: {0}")]
    ChildDied(String),
    /// A process for tasks could not be started.
    #[error("cannot start `{path}` as a sandbox process: {reason}")]
    Spawn {
        /// The executable.
        path: String,
        /// What failed.
        reason: String,
    },
    /// The host's stack ended before the protocol's depth limit.
    #[error("the native stack ended before the depth limit; the host's stack is too small")]
    NativeStack,
    /// The host could not map the memory that the task may use.
    #[error("cannot map {bytes} bytes of memory: {reason}; run fewer tasks at once or add memory")]
    Memory {
        /// How many bytes were asked for.
        bytes: u64,
        /// The operating system's words.
        reason: String,
    },
    /// The floating-point mode of the thread was changed while the task ran.
    #[error("the floating-point control word was {found:#x} after the task, expected {expected:#x}")]
    FloatMode {
        /// What was found.
        found: u64,
        /// What the runtime sets before each task.
        expected: u64,
    },
    /// The engine failed in a way that no app can cause.
    #[error("the engine failed: {0}")]
    Engine(String),
    /// Reading an input or talking to a sandbox process failed.
    #[error("input or output of the host failed: {0}")]
    Io(#[from] io::Error),
}

impl HostFault {
    /// The dotted code of this fault.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::WallClock(_) => "sandbox.host.wall_clock",
            Self::ChildDied(_) => "sandbox.host.child_died",
            Self::Spawn { .. } => "sandbox.host.spawn",
            Self::NativeStack => "sandbox.host.native_stack",
            Self::Memory { .. } => "sandbox.host.memory",
            Self::FloatMode { .. } => "sandbox.host.float_mode",
            Self::Engine(_) => "sandbox.host.engine",
            Self::Io(_) => "sandbox.host.io",
        }
    }
}
