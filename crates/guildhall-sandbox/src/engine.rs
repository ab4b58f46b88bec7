//! The engine: how metered modules become machine code (rules R7, R8, R13).
//!
//! Receipts do not depend on anything chosen here; the corpus runs every [`Compiler`] to hold that.

use serde::{Deserialize, Serialize};
// Named for its feature only: the back end for ARM, where this machine has another.
#[cfg(feature = "cross")]
use cranelift_codegen as _;
use wasmtime::{Config, Engine, Linker, OptLevel, Strategy};

use crate::{
    error::HostFault,
    limits::{DEPTH_UNITS_MAX, LEAF_UNITS_MAX},
    memory::{GUARD_BYTES, Memories, RESERVED_BYTES},
    wasi::{self, State},
};

/// Native stack for each unit of depth. Measured are at most 13 bytes; the rest is what makes sure that the depth
/// limit is always met first.
const STACK_BYTES_PER_UNIT: u64 = 64;
/// Native stack for the app: all counted frames and one that is not.
pub(crate) const GUEST_STACK_BYTES: usize =
    ((DEPTH_UNITS_MAX + LEAF_UNITS_MAX) * STACK_BYTES_PER_UNIT) as usize;
/// Native stack of a thread that runs apps: what the host's own functions need comes on top.
pub(crate) const THREAD_STACK_BYTES: usize = GUEST_STACK_BYTES + 2 * 1024 * 1024;

/// How machine code is made. Receipts are the same with each; only speed differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub enum Compiler {
    /// Cranelift, optimising: the one to use.
    #[default]
    Speed,
    /// Cranelift without optimisation: compiles faster, runs slower.
    Plain,
    /// Cranelift, optimising, for any processor of this architecture instead of this one: without AVX, say.
    Baseline,
    /// As [`Compiler::Baseline`] on a 64-bit ARM board, wherever it is made: a larger machine, with the feature `cross`, makes what
    /// a board has in its cache and runs.
    Aarch64,
    /// The Pulley interpreter: 25 times slower, a referee for the others.
    Interpreter,
}

/// An engine and the host functions that its instances may import.
#[derive(Clone)]
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<State>,
}

impl Runtime {
    pub(crate) fn new(compiler: Compiler) -> Result<Self, HostFault> {
        let engine = Engine::new(&config(compiler).map_err(fault)?).map_err(fault)?;
        let mut linker = Linker::new(&engine);
        wasi::add_to(&mut linker).map_err(fault)?;
        Ok(Self { engine, linker })
    }
}

fn fault(error: wasmtime::Error) -> HostFault {
    HostFault::Engine(format!("{error:#}"))
}

impl Compiler {
    /// The architecture of the machine code.
    pub(crate) const fn architecture(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64",
            _ => std::env::consts::ARCH,
        }
    }
}

/// This machine, named so that the engine does not look what its processor has beyond the architecture.
fn baseline() -> String {
    let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    format!("{}-unknown-linux-{libc}", std::env::consts::ARCH)
}

fn config(compiler: Compiler) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    match compiler {
        Compiler::Speed => config.strategy(Strategy::Cranelift).cranelift_opt_level(OptLevel::Speed),
        Compiler::Plain => config.strategy(Strategy::Cranelift).cranelift_opt_level(OptLevel::None),
        Compiler::Baseline => config.target(&baseline())?,
        Compiler::Aarch64 => config.target("aarch64-unknown-linux-musl")?,
        Compiler::Interpreter => config.target("pulley64")?,
    };
    // Metering is ours; the engine's fuel and epochs stay off, and so does its canonical NaN (they are by default).
    config
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_extended_const(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false);
    // Our memories: reserved whole, committed by the task, read back page by page for the trace.
    config
        .with_host_memory(std::sync::Arc::new(Memories::default()))
        .memory_reservation(RESERVED_BYTES)
        .memory_guard_size(GUARD_BYTES)
        .memory_may_move(false)
        .guard_before_linear_memory(false)
        .memory_init_cow(false);
    // Backtraces are read by nobody and cost at every trap.
    config
        .async_stack_size(THREAD_STACK_BYTES) // unused, but the engine wants it above the next
        .max_wasm_stack(GUEST_STACK_BYTES)
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(false);
    Ok(config)
}
