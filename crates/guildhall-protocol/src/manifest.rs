//! The inputs' manifest of a deal: arguments, environment, and the input of every task. Format: `docs/manifest.md`.
//!
//! Its BLAKE3 id is `inputs` in the request order, so the order fixes every byte that a task reads. There is one encoding
//! of a manifest and no other. Knows nothing of where bytes are fetched from.

use serde::{Deserialize, Serialize};

use crate::{ContentId, DealId};

/// Largest manifest in bytes.
pub const MANIFEST_MAX_BYTES: usize = 16 << 20;
/// Most tasks of a manifest.
pub const TASKS_MAX: u32 = 1 << 20;
/// Most arguments, and most environment variables.
pub const STRINGS_MAX: usize = 256;
/// Longest argument, name or value, in bytes.
pub const STRING_MAX_BYTES: usize = 4_096;
/// Largest input of a task, in bytes.
pub const INPUT_MAX_BYTES: u64 = 1 << 32;

/// The only version of the format.
const VERSION: u32 = 1;

/// Bytes that are no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// More bytes than a manifest may have.
    #[error("the manifest has {0} bytes, {MANIFEST_MAX_BYTES} are allowed: split the deal")]
    TooLarge(usize),
    /// No JSON of this form.
    #[error("the manifest can't be read: {0}; see docs/manifest.md for the format")]
    Unreadable(String),
    /// Another version.
    #[error("the manifest has version {0}, this program reads {VERSION}: update it")]
    Version(u32),
    /// Another spelling of the same content.
    #[error("the manifest is not in its one encoding (byte {0} differs): write it with this program")]
    NotCanonical(usize),
    /// A part beyond its bounds.
    #[error("manifest.{field} is {value}: choose {lowest} to {highest}")]
    OutOfBounds {
        /// Which part.
        field: &'static str,
        /// Its size or value.
        value: u64,
        /// Smallest allowed.
        lowest: u64,
        /// Largest allowed.
        highest: u64,
    },
    /// An argument, name or value that no program could be given.
    #[error("manifest.{field} has {text:?}: no zero bytes, and no empty name or `=` in a name")]
    Text {
        /// Which part.
        field: &'static str,
        /// The text, shortened.
        text: String,
    },
    /// The bytes have another id.
    #[error("the bytes have id {got}, the order names {wanted}: fetch the manifest from somebody else")]
    Id {
        /// Id of the bytes.
        got: ContentId,
        /// Id in the order.
        wanted: ContentId,
    },
    /// The manifest has another number of tasks than the order.
    #[error("the manifest has {got} tasks, the order {wanted}: make one for each task")]
    TaskCount {
        /// In the manifest.
        got: u32,
        /// In the order.
        wanted: u32,
    },
}

impl ManifestError {
    /// The error's code in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "manifest.too_large",
            Self::Unreadable(_) => "manifest.unreadable",
            Self::Version(_) => "manifest.version",
            Self::NotCanonical(_) => "manifest.not_canonical",
            Self::OutOfBounds { .. } => "manifest.out_of_bounds",
            Self::Text { .. } => "manifest.text",
            Self::Id { .. } => "manifest.id",
            Self::TaskCount { .. } => "manifest.task_count",
        }
    }
}

/// The input of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskInput {
    /// Its bytes, which the task reads at `/in/input` and on standard input.
    pub input: ContentId,
    /// How many.
    pub bytes: u64,
}

/// Everything that the tasks of a deal read, besides app and dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    args: Vec<String>,
    env: Vec<(String, String)>,
    runs: Vec<Run>,
}

/// As it stands in the file. Keys are written in this order, without spaces.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u32,
    args: Vec<String>,
    env: Vec<(String, String)>,
    tasks: Vec<Run>,
}

/// Consecutive tasks with one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    input: ContentId,
    bytes: u64,
    #[serde(default = "once", skip_serializing_if = "is_once")]
    times: u32,
}

const fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_once(times: &u32) -> bool {
    *times == 1
}

impl Manifest {
    /// A manifest of these parts. Environment variables are sorted by name.
    pub fn new(
        args: Vec<String>,
        mut env: Vec<(String, String)>,
        tasks: impl IntoIterator<Item = TaskInput>,
    ) -> Result<Self, ManifestError> {
        env.sort();
        let (mut runs, mut count): (Vec<Run>, u32) = (Vec::new(), 0);
        for TaskInput { input, bytes } in tasks {
            count += 1;
            in_bounds("tasks", count.into(), 1, TASKS_MAX.into())?;
            match runs.last_mut() {
                Some(run) if run.input == input && run.bytes == bytes => run.times += 1,
                _ => runs.push(Run { input, bytes, times: 1 }),
            }
        }
        let manifest = Self { args, env, runs };
        manifest.check()?;
        Ok(manifest)
    }

    /// Reads a manifest from bytes that anybody may have sent.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_MAX_BYTES {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        let wire: Wire =
            serde_json::from_slice(bytes).map_err(|error| ManifestError::Unreadable(error.to_string()))?;
        if wire.version != VERSION {
            return Err(ManifestError::Version(wire.version));
        }
        let manifest = Self { args: wire.args, env: wire.env, runs: wire.tasks };
        manifest.check()?;
        let canonical = manifest.encode();
        if canonical != bytes {
            let differs = canonical.iter().zip(bytes).position(|(a, b)| a != b);
            return Err(ManifestError::NotCanonical(differs.unwrap_or(canonical.len().min(bytes.len()))));
        }
        Ok(manifest)
    }

    /// Reads the manifest that an order names, and checks that it is that one.
    pub fn parse_named(bytes: &[u8], wanted: ContentId, tasks: u32) -> Result<Self, ManifestError> {
        let got = ContentId::of(bytes);
        if got != wanted {
            return Err(ManifestError::Id { got, wanted });
        }
        let manifest = Self::parse(bytes)?;
        let got = manifest.task_count();
        if got == tasks { Ok(manifest) } else { Err(ManifestError::TaskCount { got, wanted: tasks }) }
    }

    /// The one encoding.
    pub fn encode(&self) -> Vec<u8> {
        let wire = Wire {
            version: VERSION,
            args: self.args.clone(),
            env: self.env.clone(),
            tasks: self.runs.clone(),
        };
        serde_json::to_vec(&wire).expect("strings and numbers are always JSON")
    }

    /// What stands as `inputs` in the request order.
    pub fn id(&self) -> ContentId {
        ContentId::of(&self.encode())
    }

    /// Arguments of every task; the first is the program's name by custom.
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// Environment of every task, sorted by name.
    pub fn env(&self) -> &[(String, String)] {
        &self.env
    }

    /// Tasks of the deal.
    pub fn task_count(&self) -> u32 {
        // Checked when the manifest was made.
        self.runs.iter().map(|run| run.times).sum()
    }

    /// The input of this task of the deal.
    pub fn task(&self, task: u32) -> Option<TaskInput> {
        let mut end = 0;
        let run = self.runs.iter().find(|run| {
            end += run.times;
            task < end
        })?;
        Some(TaskInput { input: run.input, bytes: run.bytes })
    }

    /// The inputs of all tasks, in order.
    pub fn tasks(&self) -> impl Iterator<Item = TaskInput> {
        let inputs = |run: &Run| {
            std::iter::repeat_n(TaskInput { input: run.input, bytes: run.bytes }, run.times as usize)
        };
        self.runs.iter().flat_map(inputs)
    }

    fn check(&self) -> Result<(), ManifestError> {
        in_bounds("args", self.args.len() as u64, 0, STRINGS_MAX as u64)?;
        in_bounds("env", self.env.len() as u64, 0, STRINGS_MAX as u64)?;
        let strings = self.args.iter().map(|arg| ("args", arg));
        let pairs = self.env.iter().flat_map(|(name, value)| [("env", name), ("env", value)]);
        for (field, text) in strings.chain(pairs) {
            in_bounds("length of a text", text.len() as u64, 0, STRING_MAX_BYTES as u64)?;
            if text.contains('\0') {
                return Err(bad_text(field, text));
            }
        }
        let sorted_once = self.env.windows(2).find(|pair| pair[0].0 >= pair[1].0).map(|pair| &pair[1].0);
        let bad_name =
            self.env.iter().map(|(name, _)| name).find(|name| name.is_empty() || name.contains('='));
        if let Some(name) = bad_name.or(sorted_once) {
            return Err(bad_text("env", name));
        }
        let mut tasks = 0u64;
        for (number, run) in self.runs.iter().enumerate() {
            in_bounds("tasks.bytes", run.bytes, 0, INPUT_MAX_BYTES)?;
            in_bounds("tasks.times", run.times.into(), 1, TASKS_MAX.into())?;
            let merged = number == 0 || {
                let before = &self.runs[number - 1];
                (before.input, before.bytes) != (run.input, run.bytes)
            };
            in_bounds("tasks: entries to merge", u64::from(!merged), 0, 0)?;
            tasks += u64::from(run.times);
        }
        in_bounds("tasks", tasks, 1, TASKS_MAX.into())
    }
}

fn in_bounds(field: &'static str, value: u64, lowest: u64, highest: u64) -> Result<(), ManifestError> {
    if (lowest..=highest).contains(&value) {
        return Ok(());
    }
    Err(ManifestError::OutOfBounds { field, value, lowest, highest })
}

fn bad_text(field: &'static str, text: &str) -> ManifestError {
    const SHOWN: usize = 80;
    ManifestError::Text { field, text: text.chars().take(SHOWN).collect() }
}

/// Where a task's random bytes come from: the same for everybody who executes it.
///
/// BLAKE3 `derive_key` in the context `guildhall 2026-11 task seed`, over `deal ‖ task`: the deal's id and the task's
/// number in the deal (4 bytes, big endian). A task's clocks show the time at which its deal opened.
pub fn task_seed(deal: DealId, task: u32) -> [u8; 32] {
    let mut material = [0u8; 36];
    material[..32].copy_from_slice(deal.0.as_slice());
    material[32..].copy_from_slice(&task.to_be_bytes());
    blake3::derive_key("guildhall 2026-11 task seed", &material)
}
