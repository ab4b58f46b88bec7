//! Apps that call the host with whatever arguments: the host answers, the app traps, or it ends; and twice it does the same.
//!
//! One app that is compiled once reads from its input which calls to make, so an input costs no more than its calls.

use std::sync::LazyLock;

use guildhall_sandbox::{Compiler, Config, Limits, ModuleId, Sandbox, Task};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, ImportSection, InstructionSink, MemArg, MemorySection, MemoryType, Module, TypeSection,
    ValType,
};

use ValType::{I32, I64};

/// The host's functions with their parameters, `i` for an `i32` and `l` for an `i64`. All but the first answer an `i32`.
pub(crate) const CALLS: [(&str, &str); 46] = [
    ("proc_exit", "i"),
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "ili"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("fd_advise", "illi"),
    ("fd_allocate", "ill"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "ill"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "il"),
    ("fd_filestat_set_times", "illi"),
    ("fd_pread", "iiili"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_prestat_get", "ii"),
    ("fd_pwrite", "iiili"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiili"),
    ("fd_renumber", "ii"),
    ("fd_seek", "ilii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiilli"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiillii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_raise", "i"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// Beyond the calls: bytes of the input are copied to a place in the memory.
const COPY: u32 = CALLS.len() as u32;
const OPERATIONS: u32 = COPY + 1;
/// Pages of the app's memory: the first is what the calls name, the others hold the input.
const PAGES: u64 = 2;
const INPUT_AT: i32 = 1 << 16;
/// Where what the host answered is kept, for the trace: a byte each, over and over.
const ANSWERS_AT: i32 = 0x8000;
/// Where the iovec that reads the input lies, and how much was read.
const IOVEC_AT: i32 = 0xff00;
/// Values of arguments below are as they are; the others take another byte: see [`read_value`].
const SMALL: i32 = 0xd0;

/// What lies in the memory from the start: paths, each with the place where it lies, and some iovecs.
const PATHS: [(u8, &str); 6] =
    [(0, "in/input"), (16, "out/a"), (32, "out/b"), (48, "out/result"), (64, "."), (80, "../etc")];
const IOVECS_AT: u8 = 96;
const IOVECS: [[u32; 2]; 3] = [[0x1000, 16], [0x2000, 0x4000], [0x10_0000, 1]];

struct Host {
    sandbox: Sandbox,
    module: ModuleId,
}

static HOST: LazyLock<Host> = LazyLock::new(|| {
    // In this process and interpreted: a crash is found where it happens.
    let config = Config { children: 0, compiler: Compiler::Interpreter, ..Config::default() };
    let sandbox = Sandbox::new(config).expect("an engine");
    let module = sandbox.load(&app()).expect("a good module");
    Host { sandbox, module }
});

/// Runs the app on the bytes, twice.
pub fn check(bytes: &[u8]) {
    let Host { sandbox, module } = &*HOST;
    let task = Task {
        args: vec!["app".to_owned(), "argument".to_owned()],
        env: vec![("NAME".to_owned(), "value".to_owned())],
        input: bytes.into(),
        dataset: Some("dataset".into()),
        limits: Limits { fuel: 50_000_000, memory_bytes: 1 << 20 },
        ..Task::new(*module)
    };
    let (first, second) = (sandbox.run(&task).expect("no fault"), sandbox.run(&task).expect("no fault"));
    assert_eq!(first, second, "the same task gives the same receipt");
    assert!(first.receipt.fuel <= task.limits.fuel);
}

/// The app: reads its input, then one operation after the other until there is nothing left.
fn app() -> Vec<u8> {
    let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
    for (number, (name, parameters)) in (0..).zip(CALLS) {
        let results = (number > 0).then_some(I32);
        types.ty().function(parameters.bytes().map(parameter), results);
        imports.import("wasi_snapshot_preview1", name, EntityType::Function(number));
    }
    let base = CALLS.len() as u32;
    types.ty().function([], []);
    types.ty().function([], [I32]);
    types.ty().function([], [I64]);
    let mut functions = FunctionSection::new();
    functions.function(base).function(base + 1).function(base + 2);
    let mut globals = wasm_encoder::GlobalSection::new();
    for start in [INPUT_AT, INPUT_AT, 0] {
        let ty = wasm_encoder::GlobalType { val_type: I32, mutable: true, shared: false };
        globals.global(ty, &ConstExpr::i32_const(start));
    }
    let mut code = CodeSection::new();
    code.function(&main()).function(&read_byte()).function(&read_value());
    let mut memories = MemorySection::new();
    let memory =
        MemoryType { minimum: PAGES, maximum: None, memory64: false, shared: false, page_size_log2: None };
    memories.memory(memory);
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0).export("_start", ExportKind::Func, base);
    let mut data = DataSection::new();
    for (place, path) in PATHS {
        data.active(0, &ConstExpr::i32_const(place.into()), path.bytes());
    }
    data.active(
        0,
        &ConstExpr::i32_const(IOVECS_AT.into()),
        IOVECS.concat().into_iter().flat_map(u32::to_le_bytes).collect::<Vec<_>>(),
    );
    data.active(0, &ConstExpr::i32_const(IOVEC_AT), [INPUT_AT, 0xffff].map(i32::to_le_bytes).concat());
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories).section(&globals);
    module.section(&exports).section(&code).section(&data);
    module.finish()
}

pub(crate) fn parameter(letter: u8) -> ValType {
    if letter == b'l' { I64 } else { I32 }
}

/// Globals of the app: where it reads, where the input ends, how many answers there were.
const AT: u32 = 0;
const END: u32 = 1;
const ANSWERS: u32 = 2;
const READ_BYTE: u32 = CALLS.len() as u32 + 1;
const READ_VALUE: u32 = READ_BYTE + 1;
const BYTE: MemArg = MemArg { offset: 0, align: 0, memory_index: 0 };
const WORD: MemArg = MemArg { offset: 0, align: 2, memory_index: 0 };

fn number_of(name: &str) -> u32 {
    CALLS.iter().position(|(call, _)| *call == name).expect("a call of the host") as u32
}

/// Reads the input, then calls what it says, and keeps each answer.
fn main() -> Function {
    let mut function = Function::new([(2, I32)]);
    let (operation, place) = (0, 1);
    let mut code = function.instructions();
    code.i32_const(0).i32_const(IOVEC_AT).i32_const(1).i32_const(IOVEC_AT + 8);
    code.call(number_of("fd_read")).drop();
    code.i32_const(INPUT_AT).i32_const(IOVEC_AT + 8).i32_load(WORD).i32_add().global_set(END);
    code.loop_(BlockType::Empty);
    code.call(READ_BYTE).i32_const(OPERATIONS as i32).i32_rem_u().local_set(operation);
    for (number, (_, parameters)) in (0..).zip(CALLS) {
        code.local_get(operation).i32_const(number).i32_eq().if_(BlockType::Empty);
        for letter in parameters.bytes() {
            code.call(READ_VALUE);
            if parameter(letter) == I32 {
                code.i32_wrap_i64();
            }
        }
        code.call(number as u32);
        if number > 0 {
            code.local_set(place);
            code.i32_const(ANSWERS_AT).global_get(ANSWERS).i32_const(0x3fff).i32_and().i32_add();
            code.local_get(place).i32_store8(BYTE);
            code.global_get(ANSWERS).i32_const(1).i32_add().global_set(ANSWERS);
        }
        code.end();
    }
    copy(&mut code, operation, place);
    code.br(0).end().end();
    function
}

/// `COPY place byte`: a byte of the input into the memory.
fn copy(code: &mut InstructionSink<'_>, operation: u32, place: u32) {
    code.local_get(operation).i32_const(COPY as i32).i32_eq().if_(BlockType::Empty);
    code.call(READ_VALUE).i32_wrap_i64().local_set(place);
    code.local_get(place).call(READ_BYTE).i32_store8(BYTE).end();
}

/// The next byte of the input; ends the app where there is none.
fn read_byte() -> Function {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    code.global_get(AT).global_get(END).i32_ge_u().if_(BlockType::Empty);
    code.i32_const(0).call(number_of("proc_exit")).end();
    code.global_get(AT).i32_load8_u(BYTE);
    code.global_get(AT).i32_const(1).i32_add().global_set(AT).end();
    function
}

/// An argument: a small number as it is, or the next byte anywhere in a word of 64 bits, or that many below zero or below the
/// memory's end.
fn read_value() -> Function {
    let mut function = Function::new([(1, I32), (1, I64)]);
    let (first, next) = (0, 1);
    let mut code = function.instructions();
    code.call(READ_BYTE).local_tee(first).i32_const(SMALL).i32_lt_u().if_(BlockType::Empty);
    code.local_get(first).i64_extend_i32_u().return_().end();
    code.call(READ_BYTE).i64_extend_i32_u().local_set(next);
    code.local_get(first).i32_const(0xf0).i32_lt_u().if_(BlockType::Empty);
    code.local_get(next).local_get(first).i32_const(SMALL).i32_sub().i32_const(2).i32_mul();
    code.i64_extend_i32_u().i64_shl().return_().end();
    code.i64_const(0).i64_const((PAGES * 65_536) as i64).local_get(first).i32_const(0xf8).i32_lt_u().select();
    code.local_get(next).i64_sub().end();
    function
}

/// Apps as people write them: files that are made, written, listed, moved and removed; and each call with small numbers.
pub fn seeds() -> Vec<Vec<u8>> {
    let call = |name: &str, arguments: &[u8]| [&[number_of(name) as u8], arguments].concat();
    let opened = |path: usize, flags: u8, at: u8| {
        let (place, path) = (PATHS[path].0, PATHS[path].1.len() as u8);
        call("path_open", &[3, 0, place, path, flags, 0x7f, 0, 0, at])
    };
    let (iovec, used) = (IOVECS_AT, 128);
    let written = [
        opened(1, 1, used),
        call("fd_write", &[4, iovec, 1, used]),
        call("fd_seek", &[4, 3, 0, used]),
        call("fd_read", &[4, iovec, 2, used]),
        call("fd_pwrite", &[4, iovec, 1, 0xd4, 1, used]),
        call("fd_filestat_set_size", &[4, 100]),
        call("path_rename", &[3, PATHS[1].0, 5, 3, PATHS[3].0, 10]),
        call("fd_close", &[4]),
    ];
    let listed = [
        call("path_create_directory", &[3, PATHS[1].0, 5]),
        opened(1, 2, used),
        call("path_create_directory", &[4, PATHS[4].0, 1]),
        call("path_rename", &[3, PATHS[1].0, 5, 4, 34, 3]),
        call("path_rename", &[3, PATHS[1].0, 5, 3, PATHS[2].0, 5]),
        call("fd_readdir", &[3, 0xd0, 200, 100, 0, used]),
        call("path_remove_directory", &[3, PATHS[2].0, 5]),
        call("fd_renumber", &[4, 3]),
    ];
    let given = [
        opened(0, 0, used),
        call("fd_pread", &[4, iovec, 1, 0, used]),
        call("fd_write", &[1, iovec, 1, used]),
        call("fd_write", &[2, iovec, 2, used]),
        call("poll_oneoff", &[0, 200, 2, used]),
        call("random_get", &[0xd4, 1, 100]),
        vec![COPY as u8, 96, 7],
        call("proc_exit", &[1]),
    ];
    let each = CALLS.map(|(name, parameters)| call(name, &vec![3; parameters.len()]).repeat(2));
    let mut seeds: Vec<_> = [written, listed, given].map(|calls| calls.concat()).into();
    seeds.extend(each);
    seeds
}
