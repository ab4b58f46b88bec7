//! Apps that ask for as much work as they can, of the host and of the compiler: each ends, and the worker's other tasks go on.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use guildhall_protocol::receipt::{Exit, Receipt};
use guildhall_sandbox::{
    Config, HostFault, Limits, Sandbox, SandboxError, Task, ValidateError, limits, validate,
};

const FUEL: u64 = 100_000_000;

fn pool(wall_clock: Duration) -> Sandbox {
    let executable = Some(PathBuf::from(env!("CARGO_BIN_EXE_guildhall-sandbox-child")));
    Sandbox::new(Config { children: 1, wall_clock, executable, ..Config::default() }).expect("children")
}

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("text")
}

fn run(sandbox: &Sandbox, wasm: &[u8]) -> Receipt {
    let module = sandbox.load(wasm).expect("valid");
    let limits = Limits { fuel: FUEL, memory_bytes: 64 * 1024 * 1024 };
    sandbox
        .run(&Task { limits, ..Task::new(module) })
        .expect("a receipt, because nothing here is the host's fault")
        .receipt
}

/// A module whose `_start` does this for ever.
fn for_ever(rest: &str, code: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(module {rest} (memory (export "memory") 16) (func (export "_start") (loop {code} (br 0))))"#
    ))
}

#[test]
fn storms_of_bulk_operations_run_out_of_fuel() {
    // A fuel is about a nanosecond: a tenth of a second of work, and not the hours that the loops ask for.
    let sandbox = pool(Duration::from_secs(30));
    let table = r#"(table $t 500000 funcref) (table $u 1000 1000000 funcref) (elem declare func $f)
        (elem $e func $f $f $f $f $f $f $f $f) (data $d "some bytes") (func $f)"#;
    for code in [
        "(memory.copy (i32.const 1) (i32.const 0) (i32.const 1048575))",
        "(memory.copy (i32.const 0) (i32.const 1) (i32.const 1048575))",
        "(memory.init $d (i32.const 0) (i32.const 0) (i32.const 10))",
        "(table.fill $t (i32.const 0) (ref.func $f) (i32.const 500000))",
        "(table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 499999))",
        "(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 8))",
        "(drop (table.grow $u (ref.null func) (i32.const 1)))",
        "(drop (table.grow $u (ref.func $f) (i32.const 900000)))",
        "(drop (memory.grow (i32.const 1)))",
    ] {
        let receipt = run(&sandbox, &for_ever(table, code));
        assert_eq!((receipt.exit, receipt.fuel), (Exit::OutOfFuel, FUEL), "{code}");
    }
}

#[test]
fn a_storm_of_calls_to_the_host_runs_out_of_fuel() {
    let sandbox = pool(Duration::from_secs(30));
    let import = |name: &str, parameters: &str| {
        format!(
            r#"(import "wasi_snapshot_preview1" "{name}" (func $call (param {parameters}) (result i32)))"#
        )
    };
    let zeros = |count: usize| "(i32.const 0)".repeat(count);
    // Lists as long as they may be, whose entries lie over each other.
    let cases = [
        (
            import("fd_write", "i32 i32 i32 i32"),
            "(i32.const 1) (i32.const 0) (i32.const 1024) (i32.const 0)".into(),
        ),
        (
            import("fd_read", "i32 i32 i32 i32"),
            "(i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 0)".into(),
        ),
        (
            import("poll_oneoff", "i32 i32 i32 i32"),
            "(i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 0)".into(),
        ),
        (import("args_get", "i32 i32"), zeros(2)),
        (import("sched_yield", ""), String::new()),
        (
            import("path_create_directory", "i32 i32 i32"),
            "(i32.const 3) (i32.const 0) (i32.const 4096)".into(),
        ),
        (
            import("fd_readdir", "i32 i32 i32 i64 i32"),
            "(i32.const 3) (i32.const 0) (i32.const 1000000) (i64.const 0) (i32.const 0)".into(),
        ),
    ];
    for (import, arguments) in cases {
        let receipt = run(&sandbox, &for_ever(&import, &format!("(drop (call $call {arguments}))")));
        assert_eq!(receipt.exit, Exit::OutOfFuel, "{import}");
    }
}

#[test]
fn recursion_through_the_host_and_through_tables_is_too_deep() {
    let sandbox = pool(Duration::from_secs(30));
    let through_the_host = r#"(module
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (memory (export "memory") 1)
        (func $f (param i64) (result i64) (drop (call $yield))
          (i64.add (call $f (i64.add (local.get 0) (i64.const 1))) (i64.extend_i32_u (call $yield))))
        (func (export "_start") (drop (call $f (i64.const 0)))))"#;
    let through_a_table = r#"(module (type $t (func (param i64) (result i64)))
        (table 2 2 funcref) (elem (i32.const 0) $f $g) (memory (export "memory") 1)
        (func $f (type $t) (i64.add (call_indirect (type $t) (local.get 0) (i32.const 1)) (i64.const 1)))
        (func $g (type $t) (i64.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i64.const 1)))
        (func (export "_start") (drop (call $f (i64.const 0)))))"#;
    let with_large_frames = format!(
        r#"(module (memory (export "memory") 1)
        (func $f (param i64) (result i64) (local {}) (i64.add (call $f (local.get 0)) (i64.const 1)))
        (func (export "_start") (drop (call $f (i64.const 0)))))"#,
        "i64 ".repeat(30_000)
    );
    for text in [through_the_host, through_a_table, with_large_frames.as_str()] {
        assert_eq!(run(&sandbox, &wasm(text)).exit, Exit::TooDeep, "{text:.80}");
    }
}

#[test]
fn import_sections_beyond_the_limit_are_refused_before_they_are_kept() {
    let import = r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))"#;
    let module = |imports: usize| {
        wasm(&format!(
            r#"(module {} (memory (export "memory") 1) (func (export "_start")))"#,
            import.repeat(imports)
        ))
    };
    let most = usize::try_from(limits::MODULE_IMPORTS_MAX).expect("small");
    validate(&module(most)).expect("as many as there may be");
    for imports in [most + 1, 20_000] {
        let error = validate(&module(imports)).expect_err("too many");
        assert!(matches!(error, ValidateError::Limit { what: "number of imports", .. }), "{error}");
    }
}

/// Modules within every limit that a compiler finds hard.
fn bombs() -> Vec<(&'static str, String)> {
    let module = |functions: String| {
        format!(r#"(module (memory (export "memory") 1) {functions} (func (export "_start")))"#)
    };
    let chain = |operator: &str, times: usize| {
        format!("(func (param i64) (result i64) local.get 0 {} )", operator.repeat(times))
    };
    vec![
        ("a hundred thousand functions", module("(func)".repeat(99_000))),
        (
            "jumps to everywhere",
            module(
                format!(
                    "(func (param i32) {} {} {})",
                    "block ".repeat(1_000),
                    format!(
                        "local.get 0 br_table {} 0 ",
                        (0..1_000).map(|n| format!("{n} ")).collect::<String>()
                    )
                    .repeat(8),
                    "end ".repeat(1_000)
                )
                .repeat(8),
            ),
        ),
        (
            "values that live long",
            module(chain("local.get 0 i64.const 7 i64.mul local.get 0 i64.rem_u i64.add ", 20_000).repeat(8)),
        ),
        (
            "loops in loops",
            module(format!("(func {} {})", "loop ".repeat(4_000), "end ".repeat(4_000)).repeat(16)),
        ),
        (
            "locals without end",
            module(
                format!(
                    "(func (local {}) {})",
                    "v128 ".repeat(39_000),
                    "local.get 0 local.set 38999 ".repeat(2_000)
                )
                .repeat(8),
            ),
        ),
    ]
}

#[test]
fn a_module_that_is_hard_to_compile_costs_its_own_process_only() {
    let patience = Duration::from_secs(4);
    let sandbox = pool(patience);
    for (name, text) in bombs() {
        let module = wasm(&text);
        validate(&module).unwrap_or_else(|error| panic!("{name} is within the limits: {error}"));
        let started = Instant::now();
        let loaded = sandbox.load(&module);
        // Beyond its patience it has to stop a process and start another, beside whatever else this machine does.
        assert!(started.elapsed() < patience + Duration::from_secs(10), "{name}: {:?}", started.elapsed());
        match loaded {
            Ok(_) => {}
            // Out of time or of memory is this machine's fault, and no receipt.
            Err(SandboxError::Host(HostFault::WallClock(_) | HostFault::ChildDied(_))) => {}
            Err(SandboxError::Invalid(ValidateError::Limit { .. })) => {}
            Err(error) => panic!("{name}: {error}"),
        }
        let hello = wasm(r#"(module (memory (export "memory") 1) (func (export "_start")))"#);
        assert_eq!(run(&sandbox, &hello).exit, Exit::Ok, "after {name} there is work as before");
    }
}
