//! The corpus that holds the runtime id: receipts are pinned in `receipts.json` and are the same whatever
//! makes the machine code. A receipt that changes is a new runtime id, so the file is written only on demand:
//! `GUILDHALL_PIN_RECEIPTS=1 cargo test -p guildhall-sandbox --test corpus`. A program of its own: `scripts/board.sh test` runs it on aarch64.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod calls;
mod operators;
mod programs;

use std::{collections::BTreeMap, path::PathBuf};

use guildhall_protocol::receipt::{Exit, Receipt};
use guildhall_sandbox::{Compiler, Config, Execution, Limits, Sandbox, Task, runtime_id};
use programs::Program;

fn sandbox(compiler: Compiler) -> Sandbox {
    Sandbox::new(Config { children: 0, compiler, ..Config::default() }).expect("an engine")
}

fn run(sandbox: &Sandbox, program: &Program) -> Execution {
    sandbox.load(&program.wasm).unwrap_or_else(|error| panic!("{}: {error}", program.name));
    sandbox.run(&program.task()).unwrap_or_else(|error| panic!("{}: {error}", program.name))
}

fn pinned_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/receipts.json")
}

#[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
struct Pinned {
    runtime_id: alloy_primitives::B256,
    receipts: BTreeMap<String, Receipt>,
}

#[test]
fn receipts_are_the_pinned_ones() {
    let sandbox = sandbox(Compiler::Speed);
    let receipts: BTreeMap<String, Receipt> = programs::all()
        .iter()
        .map(|program| (program.name.to_owned(), run(&sandbox, program).receipt))
        .collect();
    let found = Pinned { runtime_id: runtime_id(), receipts };
    if std::env::var_os("GUILDHALL_PIN_RECEIPTS").is_some() {
        let text = serde_json::to_string_pretty(&found).expect("JSON") + "\n";
        std::fs::write(pinned_path(), text).expect("written");
    }
    let pinned: Pinned =
        serde_json::from_slice(&std::fs::read(pinned_path()).expect("pinned receipts")).expect("JSON");
    for (name, receipt) in &found.receipts {
        assert_eq!(Some(receipt), pinned.receipts.get(name), "{name}");
    }
    assert_eq!(found, pinned);
}

fn same_as_optimised(compiler: Compiler) {
    let (other, optimised) = (sandbox(compiler), sandbox(Compiler::Speed));
    for program in programs::all() {
        assert_eq!(run(&other, &program), run(&optimised, &program), "{}", program.name);
    }
}

#[test]
fn receipts_are_the_same_without_optimisation() {
    same_as_optimised(Compiler::Plain);
}

#[test]
fn receipts_are_the_same_without_the_extensions_of_this_processor() {
    same_as_optimised(Compiler::Baseline);
}

#[test]
fn receipts_are_the_same_in_the_interpreter() {
    same_as_optimised(Compiler::Interpreter);
}

#[test]
fn exits_are_what_the_programs_are_named_after() {
    let sandbox = sandbox(Compiler::Speed);
    for program in programs::all() {
        let expected = match program.name {
            "host_calls" => Exit::AppError,
            "grow_beyond_limit_aborts" | "initial_memory_above_limit" => Exit::OutOfMemory,
            "call_tree" => Exit::OutOfFuel,
            "recursion_within_limit" => Exit::Ok,
            name if name.starts_with("trap_") => Exit::Trap,
            name if name.starts_with("out_of_fuel") || name.starts_with("no_fuel") => Exit::OutOfFuel,
            name if name.starts_with("recursion_") => Exit::TooDeep,
            _ => Exit::Ok,
        };
        let receipt = run(&sandbox, &program).receipt;
        assert_eq!(receipt.exit, expected, "{}", program.name);
        assert_eq!(receipt.index, 3);
        if expected == Exit::OutOfFuel {
            assert_eq!(receipt.fuel, program.task().limits.fuel, "{}", program.name);
        } else {
            assert!(receipt.fuel < program.task().limits.fuel, "{}", program.name);
        }
    }
}

#[test]
fn work_before_a_trap_is_paid_for() {
    let sandbox = sandbox(Compiler::Speed);
    let programs = programs::all();
    let program = programs.iter().find(|program| program.name == "trap_after_much_work").expect("there");
    assert!(run(&sandbox, program).receipt.fuel > 7_000_000);
}

/// Stops one program at every limit of a sweep: in each kind of charge, and between them.
#[test]
fn out_of_fuel_is_exact_in_every_place() {
    let sandboxes = [Compiler::Speed, Compiler::Plain].map(sandbox);
    let programs = programs::all();
    let program = programs.iter().find(|program| program.name == "everything_charged").expect("there");
    let whole = run(&sandboxes[0], program).receipt.fuel;
    run(&sandboxes[1], program);
    let mut limits: Vec<u64> = (0..whole).step_by(97).collect();
    limits.extend(whole - 60..whole + 3);
    for fuel in limits {
        let task = Task { limits: Limits { fuel, ..program.task().limits }, ..program.task() };
        let first = sandboxes[0].run(&task).expect("a receipt");
        let expected = if fuel < whole { (Exit::OutOfFuel, fuel) } else { (Exit::Ok, whole) };
        assert_eq!((first.receipt.exit, first.receipt.fuel), expected, "limit {fuel}");
        assert_eq!(sandboxes[1].run(&task).expect("a receipt"), first, "limit {fuel}");
    }
}

#[test]
fn the_trace_knows_globals_memory_and_key() {
    let sandbox = sandbox(Compiler::Speed);
    let run = |text: &str, key: u8| {
        let module = sandbox.load(&wat::parse_str(text).expect("text")).expect("valid");
        sandbox.run(&Task { own_trace_key: [key; 32], ..Task::new(module) }).expect("a receipt")
    };
    let program = |value: u32, byte: u32| {
        format!(
            r#"(module (memory (export "memory") 1) (global $g (mut i32) (i32.const 0))
                 (func (export "_start") (global.set $g (i32.const {value})) (i32.store8 (i32.const 5) (i32.const {byte}))))"#
        )
    };
    let base = run(&program(1, 1), 1);
    assert_ne!(base.receipt.trace_digest, run(&program(2, 1), 1).receipt.trace_digest);
    assert_ne!(base.receipt.trace_digest, run(&program(1, 2), 1).receipt.trace_digest);
    assert_eq!(base.receipt, run(&program(1, 1), 2).receipt);
    assert_ne!(base.own_trace, run(&program(1, 1), 2).own_trace);
}

/// A result that could be told without executing would let a worker earn by guessing: so however a task ends, its trace
/// knows what the task did until then.
#[test]
fn the_trace_of_a_failed_execution_knows_globals_memory_and_key() {
    let sandbox = sandbox(Compiler::Speed);
    let run = |end: &str, value: u32, byte: u32, key: u8| {
        let text = format!(
            r#"(module (memory (export "memory") 1) (global $g (mut i32) (i32.const 0)) (func $f (call $f))
                 (func (export "_start")
                   (global.set $g (i32.const {value})) (i32.store8 (i32.const 5) (i32.const {byte})) {end}))"#
        );
        let module = sandbox.load(&wat::parse_str(text).expect("text")).expect("valid");
        let limits = Limits { fuel: 20_000_000, memory_bytes: 1 << 20 };
        sandbox.run(&Task { own_trace_key: [key; 32], limits, ..Task::new(module) }).expect("a receipt")
    };
    for (end, exit) in [
        ("(loop (br 0))", Exit::OutOfFuel),
        ("(call $f)", Exit::TooDeep),
        ("(if (i32.lt_s (memory.grow (i32.const 99)) (i32.const 0)) (then unreachable))", Exit::OutOfMemory),
        ("unreachable", Exit::Trap),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", Exit::Trap),
        ("(i32.store (i32.const 65533) (i32.const -1))", Exit::Trap),
    ] {
        let base = run(end, 1, 1, 1);
        assert_eq!(base.receipt.exit, exit, "{end}");
        for other in [run(end, 2, 1, 1), run(end, 1, 2, 1)] {
            assert_ne!(base.receipt.trace_digest, other.receipt.trace_digest, "{end}");
            assert_eq!(base.receipt.fuel, other.receipt.fuel, "{end}");
        }
        assert_eq!(base.receipt, run(end, 1, 1, 2).receipt, "{end}");
        assert_ne!(base.own_trace, run(end, 1, 1, 2).own_trace, "{end}");
    }
}

/// What a core may leave of a store that crosses the end of the memory is no part of the trace, and nothing else is left
/// out.
#[test]
fn a_torn_store_leaves_no_trace() {
    let sandbox = sandbox(Compiler::Speed);
    let trace = |place: u32, end: &str| {
        let text = format!(
            r#"(module (memory (export "memory") 1)
                 (func (export "_start") (i32.store8 (i32.const {place}) (i32.const 7)) {end}))"#
        );
        let module = sandbox.load(&wat::parse_str(text).expect("text")).expect("valid");
        sandbox.run(&Task::new(module)).expect("a receipt").receipt.trace_digest
    };
    let torn = "(v128.store (i32.const 65521) (v128.const i64x2 -1 -1))";
    assert_eq!(trace(65_520, torn), trace(65_535, torn));
    assert_ne!(trace(65_519, torn), trace(65_535, torn));
    assert_ne!(trace(65_520, "unreachable"), trace(65_535, "unreachable"));
}

#[test]
fn the_corpus_has_every_operator() {
    let text = operators::scalar() + &operators::vector();
    for operator in
        ["f32.sqrt", "i64.rotr", "i32.trunc_f64_u", "i64.extend16_s", "f64.promote_f32", "i32.store8"]
    {
        assert!(text.contains(operator), "{operator}");
    }
    for operator in
        ["i8x16.shuffle", "f32x4.pmin", "i64x2.all_true", "v128.store64_lane", "i16x8.q15mulr_sat_s"]
    {
        assert!(text.contains(operator), "{operator}");
    }
    assert_eq!(operators::count(), (159, 235));
}

/// Error numbers are part of what an app computes, so each is as fixed as a sum.
#[test]
fn every_host_call_answers_as_it_should() {
    let calls = calls::all();
    let names: std::collections::BTreeSet<_> = calls.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names.len(), 45, "every call of preview 1 but `proc_exit`");
    let programs = programs::all();
    let program = programs.iter().find(|program| program.name == "every_host_call").expect("there");
    let execution = run(&sandbox(Compiler::Speed), program);
    let answers = execution.output.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes));
    for ((number, (name, _, expected)), found) in
        calls.iter().enumerate().zip(answers.chain(std::iter::repeat(u16::MAX)))
    {
        assert_eq!(*expected, found, "call {number}: {name}");
    }
}

/// The metered module is never published: each machine makes its own, and all are the same (rule R1).
#[test]
fn metering_is_a_function_of_the_module() {
    use guildhall_sandbox::{Metering, instrument};
    let meter = |program: &Program| instrument(&program.wasm, Metering::On).expect("valid");
    let digest = |programs: &[Program]| {
        let mut hasher = blake3::Hasher::new();
        programs.iter().for_each(|program| _ = hasher.update(&meter(program).wasm));
        hasher.finalize()
    };
    let programs = programs::all();
    assert_eq!(
        digest(&programs).to_hex().as_str(),
        METERED,
        "pin anew with a new `INSTRUMENTER_VERSION` only"
    );
}

/// BLAKE3 of the corpus's metered modules.
const METERED: &str = "ed4452d885f075555cb3e72272dbcaf114587da77493378ba0957a35cad9f3fb";
