//! A program that makes every host call of preview 1, well and badly, with the error number that each must give.

use std::{collections::BTreeMap, fmt::Write as _};

use Arg::{L, N, P};

/// An argument: 32 bits, 64 bits, or a path, which is its place and its length.
#[derive(Clone, Copy)]
pub(crate) enum Arg {
    N(u32),
    L(u64),
    P(&'static str),
}

/// A call, and the error number that it answers.
pub(crate) type Call = (&'static str, Vec<Arg>, u16);

const OK: u16 = 0;
const BAD_FD: u16 = 8;
const EXISTS: u16 = 20;
const INVALID: u16 = 28;
const IS_DIRECTORY: u16 = 31;
const NAME_TOO_LONG: u16 = 37;
const NO_ENTRY: u16 = 44;
const NO_SPACE: u16 = 51;
const NO_SYSTEM_CALL: u16 = 52;
const NOT_DIRECTORY: u16 = 54;
const NOT_EMPTY: u16 = 55;
const NOT_SUPPORTED: u16 = 58;
const READ_ONLY: u16 = 69;

/// The only directory that is open at the start.
const ROOT: Arg = N(3);
/// What is opened next.
const FIRST: Arg = N(4);
const SECOND: Arg = N(5);
/// Lists of one part each: what is written (the first six bytes of the paths), and where reading goes.
const WRITE: Arg = N(0);
const READ: Arg = N(8);
/// Where a call leaves a number.
const RESULT: Arg = N(64);
/// Where a call leaves a structure.
const STRUCTURE: Arg = N(128);

const RIGHTS: Arg = L(2 | 64);
const CREATE: Arg = N(1);
const CREATE_EXCLUSIVE: Arg = N(1 | 4);

/// Every call of preview 1 but `proc_exit`, which ends a program.
pub(crate) fn all() -> Vec<Call> {
    [strings_and_time(), making(), content(), names(), descriptors(), absent()].concat()
}

fn strings_and_time() -> Vec<Call> {
    vec![
        ("args_sizes_get", vec![RESULT, N(68)], OK),
        ("args_get", vec![N(256), N(320)], OK),
        ("environ_sizes_get", vec![RESULT, N(68)], OK),
        ("environ_get", vec![N(256), N(384)], OK),
        ("clock_res_get", vec![N(0), RESULT], OK),
        ("clock_res_get", vec![N(4), RESULT], INVALID),
        ("clock_time_get", vec![N(1), L(1), RESULT], OK),
        ("random_get", vec![STRUCTURE, N(32)], OK),
        ("poll_oneoff", vec![N(256), N(512), N(2), RESULT], OK),
        ("poll_oneoff", vec![N(256), N(512), N(0), RESULT], INVALID),
        ("sched_yield", vec![], OK),
        ("proc_raise", vec![N(9)], NO_SYSTEM_CALL),
    ]
}

fn open(path: &'static str, how: Arg, errno: u16) -> Call {
    ("path_open", vec![ROOT, N(1), P(path), how, RIGHTS, L(0), N(0), RESULT], errno)
}

fn making() -> Vec<Call> {
    vec![
        ("fd_prestat_get", vec![ROOT, RESULT], OK),
        ("fd_prestat_get", vec![FIRST, RESULT], BAD_FD),
        ("fd_prestat_dir_name", vec![ROOT, RESULT, N(1)], OK),
        ("fd_prestat_dir_name", vec![ROOT, RESULT, N(0)], NAME_TOO_LONG),
        ("path_create_directory", vec![ROOT, P("out/d")], OK),
        ("path_create_directory", vec![ROOT, P("out/d")], EXISTS),
        ("path_create_directory", vec![ROOT, P("in/d")], READ_ONLY),
        ("path_create_directory", vec![ROOT, P("out/missing/d")], NO_ENTRY),
        open("out/d/file", CREATE, OK),
        open("out/d/file", CREATE_EXCLUSIVE, EXISTS),
        open("out/d/file/", CREATE, NOT_DIRECTORY),
        open("in/input", CREATE, READ_ONLY),
    ]
}

fn content() -> Vec<Call> {
    vec![
        ("fd_write", vec![FIRST, WRITE, N(1), RESULT], OK),
        ("fd_pwrite", vec![FIRST, WRITE, N(1), L(3), RESULT], OK),
        ("fd_seek", vec![FIRST, L(1), N(0), RESULT], OK),
        ("fd_seek", vec![FIRST, L(u64::MAX), N(0), RESULT], INVALID),
        ("fd_seek", vec![FIRST, L(0), N(3), RESULT], INVALID),
        ("fd_read", vec![FIRST, READ, N(1), RESULT], OK),
        ("fd_tell", vec![FIRST, RESULT], OK),
        ("fd_pread", vec![FIRST, READ, N(1), L(4), RESULT], OK),
        ("fd_pread", vec![FIRST, READ, N(1), L(u64::MAX), RESULT], OK),
        ("fd_read", vec![N(0), READ, N(1), RESULT], OK),
        ("fd_read", vec![N(1), READ, N(1), RESULT], BAD_FD),
        ("fd_read", vec![ROOT, READ, N(1), RESULT], IS_DIRECTORY),
        ("fd_write", vec![N(0), WRITE, N(1), RESULT], BAD_FD),
        ("fd_write", vec![ROOT, WRITE, N(1), RESULT], IS_DIRECTORY),
        ("fd_write", vec![N(2), WRITE, N(1), RESULT], OK),
        ("fd_advise", vec![FIRST, L(0), L(9), N(0)], OK),
        ("fd_advise", vec![N(77), L(0), L(9), N(0)], BAD_FD),
        ("fd_allocate", vec![FIRST, L(0), L(100)], OK),
        ("fd_allocate", vec![FIRST, L(u64::MAX), L(2)], INVALID),
        ("fd_filestat_set_size", vec![FIRST, L(5)], OK),
        ("fd_filestat_set_size", vec![FIRST, L(1 << 40)], NO_SPACE),
        ("fd_filestat_set_times", vec![FIRST, L(1), L(2), N(0)], OK),
        ("fd_filestat_get", vec![FIRST, STRUCTURE], OK),
        ("fd_sync", vec![FIRST], OK),
        ("fd_datasync", vec![N(77)], BAD_FD),
        ("fd_fdstat_set_flags", vec![FIRST, N(1)], OK),
        ("fd_write", vec![FIRST, WRITE, N(1), RESULT], OK),
        ("fd_fdstat_get", vec![FIRST, STRUCTURE], OK),
        ("fd_fdstat_set_rights", vec![FIRST, L(0), L(0)], NOT_SUPPORTED),
    ]
}

fn names() -> Vec<Call> {
    let rename = |from, to, errno| -> Call { ("path_rename", vec![ROOT, P(from), ROOT, P(to)], errno) };
    vec![
        ("path_filestat_get", vec![ROOT, N(1), P("out/d/file"), STRUCTURE], OK),
        ("path_filestat_get", vec![ROOT, N(1), P("out/missing"), STRUCTURE], NO_ENTRY),
        ("path_filestat_set_times", vec![ROOT, N(1), P("out/d/file"), L(1), L(2), N(0)], OK),
        ("fd_readdir", vec![ROOT, N(1024), N(256), L(0), RESULT], OK),
        rename("out/missing", "out/file", NO_ENTRY),
        rename("in/input", "out/file", READ_ONLY),
        rename("out/d", "out/d/inside", INVALID),
        rename("out/d/file", "out/file", OK),
        ("path_unlink_file", vec![ROOT, P("out/d")], IS_DIRECTORY),
        ("path_unlink_file", vec![ROOT, P("in/input")], READ_ONLY),
        ("path_remove_directory", vec![ROOT, P("out/file")], NOT_DIRECTORY),
        ("path_create_directory", vec![ROOT, P("out/d/e")], OK),
        ("path_remove_directory", vec![ROOT, P("out/d")], NOT_EMPTY),
        ("path_remove_directory", vec![ROOT, P("out/d/e")], OK),
        ("path_remove_directory", vec![ROOT, P("out/d")], OK),
        ("path_unlink_file", vec![ROOT, P("out/file")], OK),
        ("path_unlink_file", vec![ROOT, P("out/file")], NO_ENTRY),
    ]
}

fn descriptors() -> Vec<Call> {
    vec![
        open("out/other", CREATE, OK),
        ("fd_renumber", vec![SECOND, N(77)], BAD_FD),
        ("fd_renumber", vec![SECOND, FIRST], OK),
        ("fd_close", vec![SECOND], BAD_FD),
        ("fd_write", vec![FIRST, WRITE, N(1), RESULT], OK),
        ("fd_close", vec![FIRST], OK),
    ]
}

fn absent() -> Vec<Call> {
    vec![
        ("path_link", vec![ROOT, N(0), P("in/input"), ROOT, P("out/link")], NOT_SUPPORTED),
        ("path_symlink", vec![P("in/input"), ROOT, P("out/link")], NOT_SUPPORTED),
        ("path_readlink", vec![ROOT, P("in/input"), STRUCTURE, N(8), RESULT], INVALID),
        ("path_readlink", vec![ROOT, P("in/missing"), STRUCTURE, N(8), RESULT], NO_ENTRY),
        ("sock_accept", vec![ROOT, N(0), RESULT], NOT_SUPPORTED),
        ("sock_recv", vec![ROOT, READ, N(1), N(0), RESULT, N(68)], NOT_SUPPORTED),
        ("sock_send", vec![ROOT, WRITE, N(1), N(0), RESULT], NOT_SUPPORTED),
        ("sock_shutdown", vec![ROOT, N(0)], NOT_SUPPORTED),
    ]
}

/// A program that makes `calls` in order and prints their error numbers, two bytes each. The last page keeps what each
/// call left at [`RESULT`], so that the trace knows it.
pub(crate) fn program(calls: &[Call]) -> String {
    const ERRNOS: usize = 65_536;
    const RESULTS: usize = 131_072;
    const PATHS: usize = 32_768;
    let mut text = String::from("(module\n");
    let (mut imports, mut paths, mut body) = (BTreeMap::new(), String::new(), String::new());
    for (number, (name, arguments, _)) in calls.iter().enumerate() {
        let (mut types, mut values) = (String::new(), String::new());
        for argument in arguments {
            let _ = match argument {
                N(value) => {
                    types += " i32";
                    write!(values, "(i32.const {})", value.cast_signed())
                }
                L(value) => {
                    types += " i64";
                    write!(values, "(i64.const {})", value.cast_signed())
                }
                P(path) => {
                    types += " i32 i32";
                    let at = PATHS + paths.len();
                    paths += path;
                    write!(values, "(i32.const {at}) (i32.const {})", path.len())
                }
            };
        }
        imports.insert(*name, types);
        let _ = writeln!(body, "(i32.store16 (i32.const {}) (call ${name} {values}))", ERRNOS + 2 * number);
        let _ = writeln!(body, "(i64.store (i32.const {}) (i64.load (i32.const 64)))", RESULTS + 8 * number);
    }
    imports.insert("fd_write", " i32 i32 i32 i32".to_owned());
    for (name, types) in imports {
        let _ = writeln!(
            text,
            r#"(import "wasi_snapshot_preview1" "{name}" (func ${name} (param{types}) (result i32)))"#
        );
    }
    let _ = write!(
        text,
        r#"(memory (export "memory") 3)
           (data (i32.const 0) "\00\80\00\00\06\00\00\00\00\90\00\00\04\00\00\00")
           (data (i32.const 16) "\00\00\01\00{length}\00\00")
           (data (i32.const 32768) "{paths}")
           (func (export "_start") {body}
             (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 64)))))"#,
        length = (2 * calls.len() as u16).to_le_bytes().map(|byte| format!("\\{byte:02x}")).concat(),
    );
    text
}
