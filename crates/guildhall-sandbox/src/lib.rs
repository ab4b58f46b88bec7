//! Runs an app so that every machine gets the same receipt: deterministic WASI host, fuel, limits, cached machine code.
//!
//! ```text
//! published module -> validate -> instrument -> compile (cached) -> run in a child process -> receipt
//! ```
//!
//! Invariants: a receipt is a function of the published module, the task and the [`runtime_id`]. What depends on the
//! host is a [`HostFault`] and never a receipt. This crate touches neither network nor chain, and the processes that
//! run apps hold no keys. The rules and their reasons: `docs/sandbox.md`.
//!
//! ```no_run
//! use guildhall_sandbox::{Config, Sandbox, Task};
//!
//! let sandbox = Sandbox::new(Config::default())?;
//! let module = sandbox.load(&std::fs::read("hello.wasm").expect("readable"))?;
//! let execution = sandbox.run(&Task { input: "hello".into(), ..Task::new(module) })?;
//! println!("{:?}", execution.receipt);
//! # Ok::<(), guildhall_sandbox::SandboxError>(())
//! ```

mod cache;
mod engine;
mod error;
mod float_mode;
mod instrument;
pub mod limits;
mod memory;
mod pool;
mod run;
mod sandbox;
mod task;
mod trace;
mod validate;
mod wasi;

pub use engine::Compiler;
pub use error::{HostFault, SandboxError};
pub use instrument::{Facts, Instrumented, Metering, instrument};
pub use limits::runtime_id;
pub use pool::{CHILD_ARGUMENT, child_main};
pub use sandbox::{Config, Sandbox};
pub use task::{Blob, Execution, Limits, ModuleId, Task};
pub use validate::{ValidateError, validate};
