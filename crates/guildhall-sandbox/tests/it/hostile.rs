//! Hostile apps by name: each ends in a deterministic exit or is refused with a clear error, and hurts nobody.

use std::{path::PathBuf, time::Duration};

use guildhall_protocol::receipt::Exit;
use guildhall_sandbox::{
    Config, Execution, Limits, Sandbox, SandboxError, Task, ValidateError, limits, validate,
};

/// A sandbox as workers use it: with a child process.
fn sandbox() -> Sandbox {
    let executable = Some(PathBuf::from(env!("CARGO_BIN_EXE_guildhall-sandbox-child")));
    let wall_clock = Duration::from_secs(120);
    Sandbox::new(Config { children: 1, wall_clock, executable, ..Config::default() }).expect("children")
}

const FUEL: u64 = 300_000_000;

fn attack(text: &str) -> Execution {
    let sandbox = sandbox();
    let module = sandbox.load(&wat::parse_str(text).expect("text")).expect("valid");
    let limits = Limits { fuel: FUEL, memory_bytes: 64 * 1024 * 1024 };
    let task = Task { limits, deal_time_secs: 1_600_000_000, ..Task::new(module) };
    let execution = sandbox.run(&task).expect("a receipt, because nothing here is the host's fault");
    assert_eq!(sandbox.run(&task).expect("a receipt"), execution, "the same again, in the same child");
    execution
}

fn body(code: &str) -> String {
    format!(r#"(module (memory (export "memory") 1) (func (export "_start") (local $i i32) {code}))"#)
}

/// A module with the calls that the tests of files use; `code` sees `$errno`.
fn with_files(code: &str) -> String {
    format!(
        r#"(module
          (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_pwrite" (func $pwrite (param i32 i32 i32 i64 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
          (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
          (memory (export "memory") 32)
          (func $path (param i32 i32 i32) (result i32)
            (call $open (i32.const 3) (i32.const 1) (local.get 0) (local.get 1) (local.get 2)
              (i64.const 66) (i64.const 66) (i32.const 0) (i32.const 8)))
          (func $say (param i32 i32) (result i32)
            (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1))
            (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))
          (data (i32.const 64) "out/result")
          {code})"#
    )
}

#[test]
fn an_app_that_loops_for_ever_runs_out_of_fuel() {
    let receipt = attack(&body("(loop (br 0))")).receipt;
    assert_eq!((receipt.exit, receipt.fuel), (Exit::OutOfFuel, FUEL));
}

#[test]
fn an_app_that_allocates_for_ever_is_told_no_and_ends_by_its_own_abort() {
    let receipt =
        attack(&body("(loop (br_if 0 (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) unreachable"))
            .receipt;
    assert_eq!(receipt.exit, Exit::OutOfMemory);
    let receipt = attack(&body("(loop (drop (memory.grow (i32.const 1))) (br 0))")).receipt;
    assert_eq!(receipt.exit, Exit::OutOfFuel, "asking on and on costs on and on");
}

#[test]
fn an_app_that_recurses_without_end_is_too_deep() {
    let text = r#"(module (memory (export "memory") 1) (func $f (param i64 i64) (result i64)
        (i64.add (local.get 0) (call $f (local.get 1) (local.get 0))))
        (func (export "_start") (drop (call $f (i64.const 1) (i64.const 2)))))"#;
    assert_eq!(attack(text).receipt.exit, Exit::TooDeep);
}

#[test]
fn an_app_that_writes_gigabytes_is_stopped_at_the_limit_of_output() {
    let code = r#"(func (export "_start") (local $i i32)
        (loop $again
          (br_if 1 (call $say (i32.const 0) (i32.const 1048576)))
          (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4096)))))"#;
    let execution = attack(&with_files(code));
    assert_eq!(execution.receipt.exit, Exit::Ok, "the app is told that there is no space");
    assert_eq!(execution.output.len() as u64, limits::OUTPUT_MAX_BYTES);
}

#[test]
fn a_file_with_a_hole_of_gigabytes_is_refused() {
    let code = r#"(func (export "_start")
        (call $exit (i32.add (call $path (i32.const 64) (i32.const 10) (i32.const 1))
          (call $pwrite (i32.load (i32.const 8)) (i32.const 16) (i32.const 1) (i64.const 1099511627776) (i32.const 24)))))"#;
    let code = format!("(data (i32.const 16) \"\\40\\00\\00\\00\\08\\00\\00\\00\") {code}");
    assert_eq!(attack(&with_files(&code)).receipt.exit, Exit::AppError);
}

#[test]
fn an_app_that_opens_files_without_end_runs_out_of_descriptors() {
    let code = r#"(func (export "_start") (local $i i32) (local $errno i32)
        (loop $again
          (local.set $errno (call $path (i32.const 64) (i32.const 10) (i32.const 1)))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $again (i32.eqz (local.get $errno))))
        (i32.store (i32.const 100) (local.get $i))
        (i32.store (i32.const 104) (local.get $errno))
        (drop (call $say (i32.const 100) (i32.const 8))))"#;
    let output = with_files(code).replace("out/result", "out/rezult");
    let output = attack(&output).output;
    assert_eq!(output[..4], (limits::FDS_MAX as u32 - 4 + 1).to_le_bytes(), "the 61st fails");
    assert_eq!(output[4..], 33u32.to_le_bytes(), "too many open files");
}

#[test]
fn an_app_that_reads_outside_of_in_finds_nothing() {
    let mut data = String::new();
    let mut calls = String::new();
    let paths = [
        "etc/passwd",
        "/etc/passwd",
        "../etc/passwd",
        "in/../../etc/passwd",
        "in/../../../proc/self/environ",
        "proc/self/mem",
        "in/input/../../etc/passwd",
        "./../in/input",
        "in//..//..//etc",
        "out/../../root/.ssh",
        "in/dataset",
        "dev/null",
    ];
    for (number, path) in paths.iter().enumerate() {
        let at = 4096 + number * 64;
        data += &format!("(data (i32.const {at}) \"{path}\")");
        calls += &format!(
            "(i32.store8 (i32.const {}) (call $path (i32.const {at}) (i32.const {}) (i32.const 0)))",
            200 + number,
            path.len()
        );
    }
    let code = format!(
        "{data} (func (export \"_start\") {calls} (drop (call $say (i32.const 200) (i32.const {}))))",
        paths.len()
    );
    let output = attack(&with_files(&code)).output;
    for (path, errno) in paths.iter().zip(output) {
        assert!([44, 54, 76].contains(&errno), "{path}: no entry, no directory or not allowed, not {errno}");
    }
}

#[test]
fn an_app_that_writes_its_input_is_refused() {
    let code = r#"(data (i32.const 80) "in/input") (data (i32.const 96) "in/new")
        (func (export "_start")
          (i32.store8 (i32.const 200) (call $path (i32.const 80) (i32.const 8) (i32.const 0)))
          (i32.store8 (i32.const 201) (call $path (i32.const 80) (i32.const 8) (i32.const 8)))
          (i32.store8 (i32.const 202) (call $path (i32.const 96) (i32.const 6) (i32.const 1)))
          (drop (call $say (i32.const 200) (i32.const 3))))"#;
    assert_eq!(attack(&with_files(code)).output, [69, 69, 69], "read-only file system");
}

#[test]
fn an_app_that_traps_has_a_receipt_with_what_it_printed_before() {
    let code = r#"(func (export "_start") (drop (call $say (i32.const 64) (i32.const 10))) (drop (i32.load (i32.const -1))))"#;
    let execution = attack(&with_files(code));
    assert_eq!(execution.receipt.exit, Exit::Trap);
    assert_eq!(execution.output, b"out/result");
}

#[test]
fn an_app_that_asks_for_the_time_learns_the_time_of_the_deal() {
    let code = r#"(func (export "_start")
        (drop (call $time (i32.const 0) (i64.const 0) (i32.const 200)))
        (drop (call $time (i32.const 1) (i64.const 0) (i32.const 208)))
        (drop (call $say (i32.const 200) (i32.const 16))))"#;
    let nanos = 1_600_000_000_000_000_000u64.to_le_bytes();
    assert_eq!(attack(&with_files(code)).output, [nanos, nanos].concat());
}

#[test]
fn a_storm_of_random_get_runs_out_of_fuel_at_once() {
    let code =
        r#"(func (export "_start") (loop (drop (call $random (i32.const 0) (i32.const 1048576))) (br 0)))"#;
    assert_eq!(attack(&with_files(code)).receipt.exit, Exit::OutOfFuel);
}

#[test]
fn a_storm_of_memory_fill_runs_out_of_fuel_at_once() {
    for bytes in [0, 65_536] {
        let code = format!("(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const {bytes})) (br 0))");
        assert_eq!(attack(&body(&code)).receipt.exit, Exit::OutOfFuel, "{bytes} bytes each");
    }
}

#[test]
fn pointers_outside_of_the_memory_are_error_numbers() {
    let code = r#"(func (export "_start")
        (i32.store8 (i32.const 200) (call $random (i32.const -1) (i32.const 8)))
        (i32.store8 (i32.const 201) (call $time (i32.const 0) (i64.const 0) (i32.const -4)))
        (i32.store8 (i32.const 202) (call $path (i32.const -16) (i32.const 64) (i32.const 0)))
        (i32.store8 (i32.const 203) (call $write (i32.const 1) (i32.const -8) (i32.const 1) (i32.const 24)))
        (i32.store8 (i32.const 204) (call $write (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 24)))
        (i32.store8 (i32.const 205) (call $write (i32.const 77) (i32.const 0) (i32.const 0) (i32.const 24)))
        (i32.store8 (i32.const 206) (call $close (i32.const -1)))
        (drop (call $say (i32.const 200) (i32.const 7))))"#;
    assert_eq!(attack(&with_files(code)).output, [21, 21, 21, 21, 28, 8, 8]);
}

fn refusal(wasm: &[u8]) -> ValidateError {
    let error = validate(wasm).expect_err("refused");
    let sandbox = Sandbox::new(Config { children: 0, ..Config::default() }).expect("an engine");
    assert!(matches!(sandbox.load(wasm), Err(SandboxError::Invalid(same)) if same == error));
    error
}

fn refused_text(text: &str) -> ValidateError {
    refusal(&wat::parse_str(text).expect("text"))
}

#[test]
fn what_is_no_wasm_is_refused() {
    for bytes in [&b""[..], b"\x7fELF", b"#!/bin/sh\nrm -rf /", b"\0as"] {
        assert_eq!(refusal(bytes).code(), "sandbox.module.not_wasm");
    }
    assert_eq!(refusal(b"\0asm").code(), "sandbox.module.malformed");
    assert_eq!(refusal(b"\0asm\x0d\0\x01\0").code(), "sandbox.module.component");
    assert_eq!(refusal(b"\0asm\x01\0\0\0").code(), "sandbox.module.export");
}

#[test]
fn refused_features_are_named() {
    let module =
        |rest: &str| format!(r#"(module (memory (export "memory") 1) (func (export "_start")) {rest})"#);
    let cases = [
        ("threads", r#"(module (memory (export "memory") 1 1 shared) (func (export "_start")))"#.to_owned()),
        ("threads", module("(func (drop (i32.atomic.load (i32.const 0))))")),
        (
            "relaxed SIMD",
            module(
                "(func (param v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0)))",
            ),
        ),
        ("memory64", r#"(module (memory (export "memory") i64 1) (func (export "_start")))"#.to_owned()),
        ("multiple memories", module("(memory 1)")),
        ("tail calls", module("(func $f (return_call $f))")),
        ("exceptions", module("(tag)")),
        ("legacy exceptions", module("(func try catch_all end)")),
        (
            "function references",
            module("(type $t (func)) (func (param (ref null $t)) (call_ref $t (local.get 0)))"),
        ),
        (
            "custom page sizes",
            r#"(module (memory (export "memory") 1 (pagesize 1)) (func (export "_start")))"#.to_owned(),
        ),
        ("external references", module("(table 1 externref)")),
        ("garbage collection", module("(type (struct (field i32)))")),
        ("extended constant expressions", module("(global i32 (i32.add (i32.const 1) (i32.const 2)))")),
        (
            "wide arithmetic",
            module(
                "(func (param i64) (result i64 i64) (i64.add128 (local.get 0) (local.get 0) (local.get 0) (local.get 0)))",
            ),
        ),
        ("mutable globals that hold references", module("(global (mut funcref) (ref.null func))")),
    ];
    for (name, text) in cases {
        let error = refused_text(&text);
        assert!(
            matches!(error, ValidateError::Feature { feature, .. } if feature == name),
            "{name}: {error}"
        );
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn imports_that_no_worker_offers_are_named() {
    let module =
        |import: &str| format!(r#"(module {import} (memory (export "memory") 1) (func (export "_start")))"#);
    for import in [
        r#"(import "env" "system" (func (param i32)))"#,
        r#"(import "wasi_snapshot_preview1" "sock_connect" (func (param i32)))"#,
        r#"(import "wasi_snapshot_preview1" "random_get" (global i32))"#,
        r#"(import "wasi_unstable" "random_get" (func (param i32 i32) (result i32)))"#,
    ] {
        let error = refused_text(&module(import));
        assert!(matches!(error, ValidateError::Import { .. }), "{import}: {error}");
    }
    let error = refused_text(&module(
        r#"(import "wasi_snapshot_preview1" "random_get" (func (param i64 i32) (result i32)))"#,
    ));
    assert_eq!(error, ValidateError::ImportType("random_get".to_owned()));
    let memory = r#"(module (import "wasi_snapshot_preview1" "memory" (memory 1)) (export "memory" (memory 0)) (func (export "_start")))"#;
    assert!(matches!(refused_text(memory), ValidateError::Import { .. }));
}

#[test]
fn exports_are_checked() {
    for text in [
        r#"(module (memory (export "memory") 1))"#,
        r#"(module (memory (export "memory") 1) (func (export "_start") (param i32)))"#,
        r#"(module (memory 1) (func (export "_start")))"#,
        r#"(module (memory (export "memory") 1) (global (export "_start") i32 (i32.const 0)))"#,
    ] {
        assert_eq!(refused_text(text).code(), "sandbox.module.export", "{text}");
    }
    let reserved = r#"(module (memory (export "memory") 1) (func (export "_start"))
        (global (mut i64) (i64.const 0)) (export "guildhall:fuel" (global 0)))"#;
    assert_eq!(refused_text(reserved).code(), "sandbox.module.reserved");
}

#[test]
fn modules_above_a_limit_are_refused_with_the_limit() {
    let module =
        |rest: &str| format!(r#"(module (memory (export "memory") 1) (func (export "_start")) {rest})"#);
    let nested = "(block ".repeat(4_100) + &")".repeat(4_100);
    let cases = [
        ("locals of a function", module(&format!("(func (local {}))", "i64 ".repeat(40_001)))),
        ("nesting of a function", module(&format!("(func {nested})"))),
        ("number of globals", module(&"(global i32 (i32.const 0))".repeat(1_001))),
        ("number of tables", module(&"(table 1 funcref)".repeat(17))),
        ("elements of a table", module("(table 1000001 funcref)")),
        ("number of parameters", module(&format!("(func (param {}))", "i32 ".repeat(501)))),
        (
            "targets of a br_table",
            module(&format!("(func (br_table {} (i32.const 0)))", "0 ".repeat(16_386))),
        ),
        ("bytes of a function", module(&format!("(func {})", "nop ".repeat(1 << 20)))),
    ];
    for (name, text) in cases {
        let error = refused_text(&text);
        assert!(matches!(error, ValidateError::Limit { what, .. } if what == name), "{name}: {error}");
    }
    let mut grown =
        module(&format!("(func (param f32) local.get 0 {} drop)", "f32.sqrt f32.neg ".repeat(500_000)));
    let error = guildhall_sandbox::instrument(&wat::parse_str(&grown).expect("text"), Default::default());
    let expected = "bytes of a metered function";
    assert!(matches!(error, Err(ValidateError::Limit { what, .. }) if what == expected), "{error:?}");
    grown = grown.replace("f32.neg ", "");
    guildhall_sandbox::instrument(&wat::parse_str(&grown).expect("text"), Default::default())
        .expect("allowed");

    let mut long = wat::parse_str(module("")).expect("text");
    long.resize(limits::MODULE_MAX_BYTES as usize + 1, 0);
    assert!(matches!(refusal(&long), ValidateError::Limit { what: "module bytes", .. }));
}

#[test]
fn bytes_of_a_module_in_any_order_never_panic() {
    let good = include_bytes!("../corpus/wordcount.wasm");
    let mut state = 1u64;
    for _ in 0..300 {
        let mut bad = good.to_vec();
        for _ in 0..4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = (state >> 33) as usize % bad.len();
            bad[place] = state as u8;
        }
        // Whatever passes validation must come out of the instrumenter valid.
        if let Ok(metered) = guildhall_sandbox::instrument(&bad, Default::default()) {
            let features = wasmparser::WasmFeatures::default();
            wasmparser::Validator::new_with_features(features).validate_all(&metered.wasm).expect("valid");
        }
    }
}
