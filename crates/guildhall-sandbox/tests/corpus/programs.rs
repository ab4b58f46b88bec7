//! The corpus: what each program is, and the task that it runs.

use guildhall_sandbox::{Limits, ModuleId, Task};

use super::{calls, operators};

/// A program and its task.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) wasm: Vec<u8>,
    limits: Limits,
    input: &'static [u8],
    dataset: Option<&'static [u8]>,
}

const FUEL: u64 = 200_000_000;
const MEMORY: u64 = 16 * 1024 * 1024;
const PROSE: &[u8] =
    b"Whoever cheats the guild pays the guild; whoever serves the guild is paid by the guild.\n";

impl Program {
    fn new(name: &'static str, wasm: Vec<u8>) -> Self {
        Self { name, wasm, limits: Limits { fuel: FUEL, memory_bytes: MEMORY }, input: PROSE, dataset: None }
    }

    fn text(name: &'static str, text: &str) -> Self {
        Self::new(name, wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}")))
    }

    /// A function body, in a module with one page.
    fn body(name: &'static str, body: &str) -> Self {
        Self::text(name, &format!(r#"(module (memory (export "memory") 1) (func (export "_start") {body}))"#))
    }

    fn fuel(mut self, fuel: u64) -> Self {
        self.limits.fuel = fuel;
        self
    }

    pub(crate) fn task(&self) -> Task {
        Task {
            index: 3,
            args: vec!["program".to_owned(), "argument".to_owned()],
            env: vec![("CITY".to_owned(), "Bruges".to_owned())],
            input: self.input.into(),
            dataset: self.dataset.map(Into::into),
            deal_time_secs: 1_700_000_000,
            seed: [5; 32],
            limits: self.limits,
            own_trace_key: [9; 32],
            ..Task::new(ModuleId::of(&self.wasm))
        }
    }
}

/// Every program, by name.
pub(crate) fn all() -> Vec<Program> {
    let mut programs = vec![
        Program::new("app_rust_hello", include_bytes!("hello.wasm").to_vec()),
        Program::new("app_c_wordcount", include_bytes!("wordcount.wasm").to_vec()),
        Program::text("operators_scalar", &operators::scalar()),
        Program::text("operators_vector", &operators::vector()),
        Program::text("globals_and_types", include_str!("globals_and_types.wat")),
        Program::text("host_calls", include_str!("host_calls.wat")),
        Program::text("control_flow", include_str!("control_flow.wat")),
        Program::text("bulk_operations", include_str!("bulk_operations.wat")),
        Program::text("start_function", include_str!("start_function.wat")),
        Program::text("everything_charged", include_str!("everything_charged.wat")),
    ];
    programs.push(Program::text("every_host_call", &calls::program(&calls::all())));
    programs.extend(reentrancy());
    programs.extend(growth());
    programs.extend(traps());
    programs.extend(depth());
    programs.extend(large_frames());
    programs.extend(out_of_fuel());
    programs
}

/// The host never calls the app from within a call; what an app can do is to enter itself again.
fn reentrancy() -> Vec<Program> {
    let module = |start: &str, body: &str| {
        format!(
            r#"(module
                 (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
                 (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                 (memory (export "memory") 1) (data (i32.const 0) "\\08\\00\\00\\00\\05\\00\\00\\00again")
                 (global $entered (mut i32) (i32.const 0)) (table 1 funcref) (elem (i32.const 0) $main)
                 {start}
                 (func $main (export "_start")
                   (global.set $entered (i32.add (global.get $entered) (i32.const 1)))
                   (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
                   {body}))"#
        )
    };
    let again = "(call_indirect (i32.const 0))";
    let some = format!("(if (i32.lt_u (global.get $entered) (i32.const 100)) (then {again}))");
    vec![
        Program::text("reentrancy_of_the_entry", &module("", &some)),
        Program::text("reentrancy_from_the_start_function", &module("(start $main)", &some)),
        Program::text("recursion_through_the_entry", &module("", again)),
        Program::text("reentrancy_ended_by_exit", &module("", &format!("{some} (call $exit (i32.const 0))"))),
    ]
}

fn growth() -> Vec<Program> {
    vec![
        Program::body(
            "grow_within_limit",
            "(drop (memory.grow (i32.const 100))) (i32.store8 (i32.const 6000000) (i32.const 7))",
        ),
        Program::body(
            "grow_beyond_limit_survived",
            "(i32.store (i32.const 0) (memory.grow (i32.const 256)))",
        ),
        Program::body(
            "grow_beyond_limit_aborts",
            "(if (i32.lt_s (memory.grow (i32.const 256)) (i32.const 0)) (then unreachable))",
        ),
        Program::text(
            "grow_beyond_declared_maximum",
            r#"(module (memory (export "memory") 1 2)
                 (func (export "_start") (i32.store (i32.const 0) (memory.grow (i32.const 2)))))"#,
        ),
        Program::text(
            "initial_memory_above_limit",
            r#"(module (memory (export "memory") 257) (func (export "_start")))"#,
        ),
        Program::text(
            "table_grows_and_fails",
            r#"(module (memory (export "memory") 1) (table $t 1 funcref)
                 (func (export "_start")
                   (i32.store (i32.const 0) (table.grow $t (ref.null func) (i32.const 1000)))
                   (i32.store (i32.const 4) (table.grow $t (ref.null func) (i32.const 1000000)))
                   (i32.store (i32.const 8) (table.size $t))))"#,
        ),
    ]
}

fn traps() -> Vec<Program> {
    let indirect = |call: &str| {
        format!(
            r#"(module (memory (export "memory") 1) (type $a (func)) (type $b (func (param i32)))
                 (table 3 funcref) (elem (i32.const 0) $f) (func $f)
                 (func (export "_start") {call}))"#
        )
    };
    vec![
        Program::body("trap_unreachable", "unreachable"),
        Program::body("trap_divide_by_zero", "(drop (i32.div_s (i32.const 1) (i32.load (i32.const 0))))"),
        Program::body("trap_divide_overflow", "(drop (i64.div_s (i64.const -9223372036854775808) (i64.const -1)))"),
        Program::body("trap_remainder_by_zero", "(drop (i64.rem_u (i64.const 1) (i64.load (i32.const 0))))"),
        Program::body("trap_trunc_nan", "(drop (i32.trunc_f32_s (f32.const nan)))"),
        Program::body("trap_trunc_overflow", "(drop (i64.trunc_f64_u (f64.const 1e300)))"),
        Program::body("trap_load_out_of_bounds", "(drop (i64.load (i32.const 65530)))"),
        Program::body("trap_load_far", "(drop (i32.load offset=4294967295 (i32.const -1)))"),
        Program::body("trap_store_torn", "(v128.store (i32.const 65528) (v128.const i64x2 -1 -1))"),
        Program::body("trap_fill_out_of_bounds", "(memory.fill (i32.const 65535) (i32.const 1) (i32.const 2))"),
        Program::body("trap_copy_out_of_bounds", "(memory.copy (i32.const 0) (i32.const 65535) (i32.const 2))"),
        Program::text("trap_indirect_null", &indirect("(call_indirect (type $a) (i32.const 1))")),
        Program::text("trap_indirect_out_of_bounds", &indirect("(call_indirect (type $a) (i32.const 3))")),
        Program::text("trap_indirect_signature", &indirect("(call_indirect (type $b) (i32.const 0) (i32.const 0))")),
        Program::text("indirect_good", &indirect("(call_indirect (type $a) (i32.const 0))")),
        Program::text(
            "trap_data_segment_out_of_bounds",
            r#"(module (memory (export "memory") 1) (data (i32.const 65535) "ab") (func (export "_start")))"#,
        ),
        Program::body("trap_after_much_work", "(local $i i32)
            (loop (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000000))))
            (drop (i32.load (i32.const -1)))"),
    ]
}

fn depth() -> Vec<Program> {
    vec![
        Program::text(
            "recursion_without_end",
            r#"(module (memory (export "memory") 1) (func $f (call $f)) (func (export "_start") (call $f)))"#,
        ),
        Program::text(
            "recursion_within_limit",
            r#"(module (memory (export "memory") 1)
                 (func $f (param i32) (result i32)
                   (if (result i32) (local.get 0)
                     (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
                     (else (i32.const 0))))
                 (func (export "_start") (i32.store (i32.const 0) (call $f (i32.const 60000)))))"#,
        ),
        Program::text(
            "recursion_mutual_indirect",
            r#"(module (memory (export "memory") 1) (type $t (func (param i64 f64) (result f64)))
                 (table 2 funcref) (elem (i32.const 0) $a $b)
                 (func $a (type $t) (f64.add (local.get 1) (call_indirect (type $t) (local.get 0) (f64.sqrt (local.get 1)) (i32.const 1))))
                 (func $b (type $t) (call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 0)))
                 (func (export "_start") (drop (call $a (i64.const 1) (f64.const 2)))))"#,
        ),
        Program::text(
            "call_tree",
            r#"(module (memory (export "memory") 1)
                 (func $f (param i32) (if (local.get 0) (then
                   (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))
                 (func (export "_start") (call $f (i32.const 40))))"#,
        ),
    ]
}

/// Functions with many values that live across a call.
fn large_frames() -> Vec<Program> {
    // Values that an optimiser may hoist out of the loop and keep on the native stack, in a function that recurses.
    let hoisted: String = (0..400)
        .map(|number| {
            format!(
                "(local.set $s (i64.xor (local.get $s) (i64.mul (local.get $x) (i64.const {}))))",
                2 * number + 3
            )
        })
        .collect();
    let many_locals = "i64 ".repeat(2000);
    let uses: String = (0..2000)
        .map(|number| format!("(local.set {n} (i64.load (i32.const {at})))", n = number + 1, at = number * 8))
        .collect();
    let keeps: String = (0..2000)
        .map(|number| format!("(i64.store (i32.const {}) (local.get {}))", number * 8, number + 1))
        .collect();
    vec![
        Program::text(
            "recursion_with_hoisted_values",
            &format!(
                r#"(module (memory (export "memory") 1)
                     (func $f (param $x i64) (local $i i32) (local $s i64)
                       (loop $again {hoisted}
                         (i64.store (i32.const 0) (local.get $s))
                         (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 2))))
                       (call $f (i64.add (local.get $x) (local.get $s)))
                       (i64.store (i32.const 8) (local.get $s)))
                     (func (export "_start") (call $f (i64.const 3))))"#
            ),
        ),
        Program::text(
            "recursion_with_many_locals",
            &format!(
                r#"(module (memory (export "memory") 1)
                     (func $f (param i32) (local {many_locals}) {uses} (call $f (local.get 0)) {keeps})
                     (func (export "_start") (call $f (i32.const 1))))"#
            ),
        ),
        Program::text(
            "huge_locals",
            &format!(
                r#"(module (memory (export "memory") 1)
                     (func $f (result i64) (local {}) (local.get 7))
                     (func (export "_start") (local $i i32)
                       (loop (drop (call $f)) (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))))"#,
                "i64 ".repeat(39_000)
            ),
        ),
    ]
}

fn out_of_fuel() -> Vec<Program> {
    vec![
        Program::body("no_fuel_at_all", "").fuel(0),
        Program::body("no_fuel_for_the_first_page", "").fuel(25_000),
        Program::body("out_of_fuel_at_entry", "(i32.store (i32.const 0) (i32.const 1))").fuel(25_302),
        Program::body("out_of_fuel_at_loop_head", "(loop (br 0))"),
        Program::body("out_of_fuel_in_vector_loop", "(local $v v128)
            (loop (local.set $v (f32x4.add (f32x4.mul (local.get $v) (local.get $v)) (v128.const f32x4 1 2 3 4))) (br 0))"),
        Program::body("out_of_fuel_in_fill", "(memory.fill (i32.const 0) (i32.const 1) (i32.const -1))").fuel(100_000_000),
        Program::body("out_of_fuel_in_small_fills", "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0)) (br 0))"),
        Program::body("out_of_fuel_in_growth", "(drop (memory.grow (i32.const 65535)))"),
        Program::body("out_of_fuel_in_empty_growth", "(loop (drop (memory.grow (i32.const 0))) (br 0))"),
        Program::text(
            "out_of_fuel_in_host_call",
            r#"(module (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
                 (memory (export "memory") 200)
                 (func (export "_start") (loop (drop (call $random (i32.const 0) (i32.const 12000000))) (br 0))))"#,
        ),
        Program::text(
            "out_of_fuel_in_table_fill",
            r#"(module (memory (export "memory") 1) (table $t 100000 funcref)
                 (func (export "_start") (loop (table.fill $t (i32.const 0) (ref.null func) (i32.const 100000)) (br 0))))"#,
        ),
    ]
}
