//! Published modules: bytes as they come, and valid modules of any shape, which run the same by machine code and interpreted.

use std::sync::LazyLock;

use arbitrary::Unstructured;
use guildhall_sandbox::{
    Compiler, Config as SandboxConfig, Execution, Limits, Metering, Sandbox, SandboxError, Task, instrument,
};
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    MemorySection, MemoryType, Module as Encoder, TypeSection, ValType,
};
use wasm_smith::{Config, Module};
use wasmparser::Validator;

use crate::wasi::{CALLS, parameter};

/// What the generated modules export, and what they may import.
static EXPORTS: LazyLock<Vec<u8>> = LazyLock::new(small);
static IMPORTS: LazyLock<Vec<u8>> = LazyLock::new(imports);

/// The bytes as a module; and as the choices of a generator of modules, which then run.
pub fn check(bytes: &[u8]) {
    instrumented(bytes);
    let first = bytes.first().copied().unwrap_or_default();
    let config = Config {
        // Half of them do not trap. Most do without references, of which some kinds are refused.
        disallow_traps: first & 1 != 0,
        reference_types_enabled: first & 6 == 6,
        exports: Some(EXPORTS.clone()),
        available_imports: Some(IMPORTS.clone()),
        max_imports: 4,
        max_funcs: 8,
        max_instructions: 200,
        max_data_segments: 4,
        max_element_segments: 4,
        max_elements: 16,
        max_globals: 8,
        // But for the one that is exported.
        max_memories: 0,
        max_memory32_bytes: 1 << 20,
        max_tables: 2,
        max_table_elements: 1_000,
        max_types: 16,
        memory64_enabled: false,
        threads_enabled: false,
        gc_enabled: false,
        exceptions_enabled: false,
        tail_call_enabled: false,
        relaxed_simd_enabled: false,
        extended_const_enabled: false,
        ..Config::default()
    };
    if let Ok(module) = Module::new(config, &mut Unstructured::new(bytes)) {
        let wasm = module.to_bytes();
        if instrumented(&wasm) {
            executed(&wasm);
        }
    }
}

/// What the instrumenter makes of a module is a module, and always the same one; what it refuses it refuses.
fn instrumented(wasm: &[u8]) -> bool {
    let metered = [Metering::On, Metering::Off].map(|metering| {
        let made = instrument(wasm, metering).ok()?;
        let valid = Validator::new().validate_all(&made.wasm);
        assert!(valid.is_ok(), "{metering:?}: {:?}", valid.err());
        let again = instrument(wasm, metering).expect("as before");
        assert_eq!(made.wasm, again.wasm, "the same bytes give the same bytes");
        Some(())
    });
    metered == [Some(()); 2]
}

static SANDBOXES: LazyLock<[Sandbox; 2]> = LazyLock::new(|| {
    // In this process: a crash is found where it happens.
    [Compiler::Plain, Compiler::Interpreter].map(|compiler| {
        let config = SandboxConfig { children: 0, compiler, ..SandboxConfig::default() };
        Sandbox::new(config).expect("an engine")
    })
});

/// The same receipt, own trace and output from machine code and from the interpreter.
fn executed(wasm: &[u8]) {
    let [machine, interpreter] = SANDBOXES.each_ref().map(|sandbox| run(sandbox, wasm));
    assert_eq!(machine, interpreter, "the same task gives the same receipt");
}

fn run(sandbox: &Sandbox, wasm: &[u8]) -> Execution {
    let module = match sandbox.load(wasm) {
        Ok(module) => module,
        Err(error @ SandboxError::Compile { .. }) => panic!("valid, but not compiled: {error}"),
        Err(error) => panic!("{error}"),
    };
    let limits = Limits { fuel: 100_000, memory_bytes: 1 << 21 };
    let task = Task { input: "input".into(), limits, ..Task::new(module) };
    sandbox.run(&task).expect("no fault of this machine")
}

/// The smallest module that runs.
fn small() -> Vec<u8> {
    let (mut types, mut functions, mut code) =
        (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    functions.function(0);
    let mut empty = Function::new([]);
    empty.instructions().end();
    code.function(&empty);
    let (mut memories, mut exports) = (MemorySection::new(), ExportSection::new());
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    exports.export("memory", ExportKind::Memory, 0).export("_start", ExportKind::Func, 0);
    let mut module = Encoder::new();
    module.section(&types).section(&functions).section(&memories).section(&exports).section(&code);
    module.finish()
}

fn imports() -> Vec<u8> {
    let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
    for (number, (name, parameters)) in (0..).zip(CALLS) {
        types.ty().function(parameters.bytes().map(parameter), (number > 0).then_some(ValType::I32));
        imports.import("wasi_snapshot_preview1", name, EntityType::Function(number));
    }
    let mut module = Encoder::new();
    module.section(&types).section(&imports);
    module.finish()
}

/// The smallest module, and choices of the generator.
pub fn seeds() -> Vec<Vec<u8>> {
    let choices = (0..32_u32).map(|seed| {
        let word = |number: u32| {
            (seed << 16 | number).wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b)
        };
        (0..512 << (seed % 3)).flat_map(|number| word(number).to_le_bytes()).collect()
    });
    [EXPORTS.clone()].into_iter().chain(choices).collect()
}
