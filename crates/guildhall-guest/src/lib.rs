//! What an app author links: the task's input, its dataset, and its output.
//!
//! An app is an ordinary program for `wasm32-wasip1`. It finds its input in the file `/in/input`, the dataset that
//! the deal rents (if any) in `/in/dataset`, and leaves its output in `/out/result`. Nothing here is needed for that;
//! it only saves writing it again, and encodes results for Solidity contracts (see [`abi`]). Knows nothing of deals.
//!
//! ```
//! use guildhall_guest::{Task, abi};
//!
//! # fn main() -> std::io::Result<()> {
//! # let directory = std::env::temp_dir().join(format!("guildhall-guest-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(directory.join("in"))?;
//! # std::fs::create_dir_all(directory.join("out"))?;
//! # std::fs::write(directory.join("in/input"), b"one two three")?;
//! # let task = Task::at(&directory);
//! # /*
//! let task = Task::current();
//! # */
//! let words = task.input_text()?.split_whitespace().count();
//! // A contract reads it with `abi.decode(output, (uint256, string))`.
//! task.write_output(abi::encode(&[abi::Value::uint(words as u128), abi::Value::text("words")]))?;
//! # assert_eq!(std::fs::read(directory.join("out/result"))?.len(), 4 * 32);
//! # std::fs::remove_dir_all(directory)
//! # }
//! ```
//!
//! The same program runs natively: set `GUILDHALL_ROOT` to a directory with `in/` and `out/` in it.

pub mod abi;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The variable that moves `/in` and `/out` elsewhere when an app runs natively.
pub const ROOT_VARIABLE: &str = "GUILDHALL_ROOT";

/// The task that this program executes: where its files are.
#[derive(Clone, Debug)]
pub struct Task {
    root: PathBuf,
}

impl Task {
    /// The task of this process: under `/`, or natively under the directory that [`ROOT_VARIABLE`] names.
    pub fn current() -> Self {
        let moved = if cfg!(target_family = "wasm") { None } else { std::env::var_os(ROOT_VARIABLE) };
        Self { root: moved.map_or_else(|| PathBuf::from("/"), PathBuf::from) }
    }

    /// A task with its files under `root`: for tests.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The input's bytes.
    ///
    /// # Errors
    /// Whatever reading the file gives; inside the sandbox the file is always there.
    pub fn input(&self) -> io::Result<Vec<u8>> {
        fs::read(self.file("input"))
    }

    /// The input as text.
    ///
    /// # Errors
    /// As [`input`](Self::input), and [`io::ErrorKind::InvalidData`] if it is not UTF-8.
    pub fn input_text(&self) -> io::Result<String> {
        fs::read_to_string(self.file("input"))
    }

    /// Where the dataset is. The file is missing where the deal rents none.
    pub fn dataset_path(&self) -> PathBuf {
        self.file("dataset")
    }

    /// Where a file of the task is.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join("in").join(name)
    }

    /// Leaves the task's output. The last call counts.
    ///
    /// # Errors
    /// Whatever writing the file gives, for instance when the output is larger than the runtime allows.
    pub fn write_output(&self, output: impl AsRef<[u8]>) -> io::Result<()> {
        fs::write(self.root.join("out").join("result"), output)
    }
}
