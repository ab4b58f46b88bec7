//! Apps that call the host with whatever arguments: the host answers, the app traps, or it ends; and twice it does the same.

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use guildhall_sandbox::{Compiler, Config, Limits, Sandbox, Task};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    ImportSection, MemorySection, MemoryType, Module, TypeSection, ValType,
};

use ValType::{I32, I64};

/// The host functions that take anything from the app, with their parameters; all answer an `i32`.
const CALLS: &[(&str, &[ValType])] = &[
    ("args_get", &[I32, I32]),
    ("args_sizes_get", &[I32, I32]),
    ("clock_res_get", &[I32, I32]),
    ("clock_time_get", &[I32, I64, I32]),
    ("environ_get", &[I32, I32]),
    ("environ_sizes_get", &[I32, I32]),
    ("fd_advise", &[I32, I64, I64, I32]),
    ("fd_allocate", &[I32, I64, I64]),
    ("fd_close", &[I32]),
    ("fd_datasync", &[I32]),
    ("fd_fdstat_get", &[I32, I32]),
    ("fd_fdstat_set_flags", &[I32, I32]),
    ("fd_fdstat_set_rights", &[I32, I64, I64]),
    ("fd_filestat_get", &[I32, I32]),
    ("fd_filestat_set_size", &[I32, I64]),
    ("fd_filestat_set_times", &[I32, I64, I64, I32]),
    ("fd_pread", &[I32, I32, I32, I64, I32]),
    ("fd_prestat_dir_name", &[I32, I32, I32]),
    ("fd_prestat_get", &[I32, I32]),
    ("fd_pwrite", &[I32, I32, I32, I64, I32]),
    ("fd_read", &[I32, I32, I32, I32]),
    ("fd_readdir", &[I32, I32, I32, I64, I32]),
    ("fd_renumber", &[I32, I32]),
    ("fd_seek", &[I32, I64, I32, I32]),
    ("fd_sync", &[I32]),
    ("fd_tell", &[I32, I32]),
    ("fd_write", &[I32, I32, I32, I32]),
    ("path_create_directory", &[I32, I32, I32]),
    ("path_filestat_get", &[I32, I32, I32, I32, I32]),
    ("path_filestat_set_times", &[I32, I32, I32, I32, I64, I64, I32]),
    ("path_link", &[I32, I32, I32, I32, I32, I32, I32]),
    ("path_open", &[I32, I32, I32, I32, I32, I64, I64, I32, I32]),
    ("path_readlink", &[I32, I32, I32, I32, I32, I32]),
    ("path_remove_directory", &[I32, I32, I32]),
    ("path_rename", &[I32, I32, I32, I32, I32, I32]),
    ("path_symlink", &[I32, I32, I32, I32, I32]),
    ("path_unlink_file", &[I32, I32, I32]),
    ("poll_oneoff", &[I32, I32, I32, I32]),
    ("proc_raise", &[I32]),
    ("random_get", &[I32, I32]),
    ("sched_yield", &[]),
];
/// Calls of one app.
const CALLS_MAX: usize = 64;
/// Paths and directories that an app is likely to find something at.
const MEMORY: &[u8] = b"/in\0/out\0in/dataset\0out/a\0../../etc/passwd\0.\0";

/// Builds an app of host calls out of the bytes and runs it twice.
pub fn wasi(bytes: &[u8]) {
    static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| {
        // In this process and without machine code: a crash is found where it happens, and no time goes into compiling.
        let config = Config { children: 0, compiler: Compiler::Interpreter, ..Config::default() };
        Sandbox::new(config).expect("an engine")
    });
    let Ok(wasm) = app(&mut Unstructured::new(bytes)) else { return };
    let module = SANDBOX.load(&wasm).expect("a good module");
    let task = Task {
        input: "input".into(),
        limits: Limits { fuel: 1_000_000, memory_bytes: 1 << 20 },
        ..Task::new(module)
    };
    let (first, second) = (SANDBOX.run(&task).expect("no fault"), SANDBOX.run(&task).expect("no fault"));
    assert_eq!(first.receipt, second.receipt, "the same task gives the same receipt");
}

fn app(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let mut main = Function::new([]);
    for _ in 0..bytes.int_in_range(1..=CALLS_MAX)? {
        let number = bytes.choose_index(CALLS.len())?;
        for parameter in CALLS[number].1 {
            // Small numbers are descriptors, flags, and places in the memory that hold something.
            let value = if bytes.ratio(7, 8)? { i64::from(u8::arbitrary(bytes)?) } else { i64::arbitrary(bytes)? };
            match parameter {
                I64 => main.instructions().i64_const(value),
                _ => main.instructions().i32_const(value as i32),
            };
        }
        main.instructions().call(number as u32).drop();
    }
    main.instructions().end();
    let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
    for (number, (name, parameters)) in CALLS.iter().enumerate() {
        types.ty().function(parameters.iter().copied(), [I32]);
        imports.import("wasi_snapshot_preview1", name, EntityType::Function(number as u32));
    }
    types.ty().function([], []);
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    functions.function(CALLS.len() as u32);
    code.function(&main);
    let (mut memories, mut exports, mut data) = (MemorySection::new(), ExportSection::new(), DataSection::new());
    memories.memory(MemoryType { minimum: 1, maximum: Some(4), memory64: false, shared: false, page_size_log2: None });
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("_start", ExportKind::Func, CALLS.len() as u32);
    let rest = bytes.bytes(bytes.len().min(4_096))?;
    data.active(0, &ConstExpr::i32_const(0), [MEMORY, rest].concat());
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories).section(&exports);
    module.section(&code).section(&data);
    Ok(module.finish())
}
