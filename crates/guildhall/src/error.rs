//! What the command line says when it could not do what was asked: a dotted code, what failed with which value, and
//! what to do about it.
//!
//! Knows nothing of how it is printed (see [`crate::output`]).

use std::{io, path::Path};

use guildhall_service::{Coded, error::chain_text};

/// Why a command could not do what was asked, or what it found against the user's expectation.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    code: &'static str,
    message: String,
    hint: Option<String>,
    exit: ExitStatus,
}

/// What the process tells its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Done, or a positive answer.
    Done,
    /// Asked and answered: no.
    Negative,
    /// Could not be done.
    CouldNot,
}

impl ExitStatus {
    /// The number of this status: 0, 1, 2.
    pub const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Negative => 1,
            Self::CouldNot => 2,
        }
    }
}

/// What every command gives.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// Something that could not be done (exit 2).
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, exit: ExitStatus::CouldNot }
    }

    /// A negative answer (exit 1).
    pub fn negative(code: &'static str, message: impl Into<String>) -> Self {
        Self { exit: ExitStatus::Negative, ..Self::new(code, message) }
    }

    /// A file that can't be read or written.
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        let (code, hint) = match error.kind() {
            io::ErrorKind::NotFound => ("file.missing", "check the path"),
            io::ErrorKind::PermissionDenied => ("file.denied", "check who owns the file and its mode"),
            io::ErrorKind::AlreadyExists => ("file.exists", "choose another name, or remove it first"),
            _ => ("file.failed", "check the disk and the path"),
        };
        Self::new(code, format!("could not {doing} `{}`: {error}", path.display())).hint(hint)
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The dotted code, the same in logs, HTTP and here.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// What to do about it, where we know.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// How the process ends because of it.
    pub const fn exit(&self) -> ExitStatus {
        self.exit
    }
}

impl<E: Coded + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { hint: error.hint(), ..Self::new(error.code(), chain_text(&error)) }
    }
}
