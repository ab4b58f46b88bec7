//! The metered module makes NaNs canonical where it matters, and the engine could do so everywhere: random programs of
//! floats leave the same memory either way.

use std::fmt::Write as _;

use guildhall_sandbox::{Metering, instrument};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use wasmtime::{Config, Engine, Instance, Linker, Module, Store};

const PROGRAMS: u64 = 600;

/// The memory that a program leaves.
fn memory(engine: &Engine, wasm: &[u8]) -> Vec<u8> {
    let module = Module::new(engine, wasm).expect("valid");
    let mut store = Store::new(engine, ());
    let instance: Instance = Linker::new(engine).instantiate(&mut store, &module).expect("an instance");
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start").expect("an entry");
    start.call(&mut store, ()).expect("no trap");
    instance.get_memory(&mut store, "memory").expect("a memory").data(&store).to_vec()
}

#[test]
fn nans_are_as_canonical_as_the_engine_makes_them() {
    let plain = Engine::default();
    let reference = Engine::new(Config::new().cranelift_nan_canonicalization(true)).expect("an engine");
    let mut differs_without = 0;
    for seed in 0..PROGRAMS {
        let text = Generator::new(seed).program();
        let published = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let expected = memory(&reference, &published);
        let ours = instrument(&published, Metering::Off).expect("valid").wasm;
        assert!(memory(&plain, &ours) == expected, "seed {seed}: {text}");
        differs_without += u64::from(memory(&plain, &published) != expected);
    }
    assert!(differs_without > PROGRAMS / 4, "only {differs_without} programs would show a NaN");
}

const LOCALS: [(&str, u32); 3] = [("f32", 4), ("f64", 4), ("v128", 6)];

/// Makes programs that compute with NaNs in every way: accumulate in loops, keep in locals, select, shuffle, store.
struct Generator {
    random: StdRng,
    loops: usize,
    stored: usize,
}

impl Generator {
    fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), loops: 0, stored: 0 }
    }

    fn program(mut self) -> String {
        let body: String = (0..12).map(|_| self.statement(3)).collect();
        let mut end = String::new();
        let mut locals = String::new();
        for (ty, count) in LOCALS {
            for number in 0..count {
                let _ = write!(locals, "(local ${ty}{number} {ty})");
                let _ = write!(
                    end,
                    "({ty}.store offset=512 (i32.const {}) (local.get ${ty}{number}))",
                    self.place()
                );
            }
        }
        let counters: String = (0..self.loops).map(|number| format!("(local $i{number} i32)")).collect();
        // Infinities of both signs and zeros make fresh NaNs; signalling and negative ones with payloads come as such.
        format!(
            r#"(module (memory (export "memory") 2)
                 (data (i32.const 0) "\00\00\80\7f\00\00\80\ff\00\00\00\00\00\00\80\3f\12\00\c0\ff\34\00\a0\7f\00\00\c0\7f\00\00\00\80")
                 (data (i32.const 32) "\00\00\00\00\00\00\f0\7f\00\00\00\00\00\00\f0\ff\21\00\00\00\00\00\f8\ff\43\00\00\00\00\00\f4\7f")
                 (func $same (param v128) (result v128) (local.get 0))
                 (func (export "_start") {locals} {counters} {body} {end}))"#
        )
    }

    fn place(&mut self) -> usize {
        self.stored += 16;
        self.stored
    }

    fn pick(&mut self, of: &[&'static str]) -> &'static str {
        of.choose(&mut self.random).copied().unwrap_or_default()
    }

    fn local(&mut self, ty: &str) -> String {
        let count = LOCALS.iter().find(|(known, _)| *known == ty).map_or(1, |(_, count)| *count);
        format!("${ty}{}", self.random.random_range(0..count))
    }

    fn ty(&mut self) -> &'static str {
        self.pick(&["f32", "f64", "v128", "v128"])
    }

    /// The shape of arithmetic with values of a type.
    fn shape(&mut self, ty: &'static str) -> &'static str {
        if ty == "v128" { self.pick(&["f32x4", "f32x4", "f64x2"]) } else { ty }
    }

    fn statement(&mut self, depth: u32) -> String {
        let ty = self.ty();
        let local = self.local(ty);
        match self.random.random_range(0..if depth == 0 { 4 } else { 9 }) {
            0 => format!("(local.set {local} {})", self.value(ty, 3)),
            1 | 2 => {
                let shape = self.shape(ty);
                let (a, b) = (self.value(ty, 1), self.value(ty, 1));
                format!("(local.set {local} ({shape}.add (local.get {local}) ({shape}.mul {a} {b})))")
            }
            3 => {
                let value = self.value(ty, 2);
                format!("({ty}.store offset=512 (i32.const {}) {value})", self.place())
            }
            4..=6 => self.repeat(depth),
            7 => {
                let (compared, then, other) =
                    (self.value("f32", 1), self.statement(depth - 1), self.statement(depth - 1));
                format!("(if (f32.lt {compared} (f32.const 0)) (then {then}) (else {other}))")
            }
            _ => {
                let (compared, inside) = (self.value("f64", 1), self.statement(depth - 1));
                format!("(block (br_if 0 (f64.ge {compared} (f64.const 0))) {inside})")
            }
        }
    }

    /// A loop of three rounds, which may end early.
    fn repeat(&mut self, depth: u32) -> String {
        let counter = self.loops;
        self.loops += 1;
        let depth = if self.random.random_bool(0.7) { 0 } else { depth - 1 };
        let mut body: Vec<String> =
            (0..self.random.random_range(1..5)).map(|_| self.statement(depth)).collect();
        if self.random.random_bool(0.2) {
            let out = format!("(br_if 1 (f32.ge {} (f32.const 1)))", self.value("f32", 1));
            body.insert(self.random.random_range(0..=body.len()), out);
        }
        format!(
            "(local.set $i{counter} (i32.const 0)) (block (loop {}
               (local.set $i{counter} (i32.add (local.get $i{counter}) (i32.const 1)))
               (br_if 0 (i32.lt_u (local.get $i{counter}) (i32.const 3)))))",
            body.concat()
        )
    }

    fn value(&mut self, ty: &'static str, depth: u32) -> String {
        let choice = self.random.random_range(0..if depth == 0 { 3 } else { 12 });
        let depth = depth.saturating_sub(1);
        match choice {
            0 => format!("(local.get {})", self.local(ty)),
            1 => {
                let at = if ty == "f32" {
                    4 * self.random.random_range(0..8)
                } else {
                    8 * self.random.random_range(0..6)
                };
                format!("({ty}.load (i32.const {at}))")
            }
            2 if ty == "v128" => "(v128.const f32x4 inf -inf nan 0)".to_owned(),
            2 => format!(
                "({ty}.const {})",
                self.pick(&["0", "-0", "1.5", "inf", "-inf", "nan", "-nan:0x2345"])
            ),
            3..=5 => {
                let (shape, op) = (self.shape(ty), self.pick(&["add", "sub", "mul", "div", "min", "max"]));
                format!("({shape}.{op} {} {})", self.value(ty, depth), self.value(ty, depth))
            }
            6 => {
                let shape = self.shape(ty);
                let op = self.pick(&["sqrt", "ceil", "floor", "trunc", "nearest", "abs", "neg"]);
                format!("({shape}.{op} {})", self.value(ty, depth))
            }
            7 => format!("(local.tee {} {})", self.local(ty), self.value(ty, depth)),
            8 => {
                let (a, b, c) = (self.value(ty, depth), self.value(ty, depth), self.value("f32", 0));
                format!("(select {a} {b} (f32.eq {c} (f32.const 0)))")
            }
            _ => self.changed(ty, depth),
        }
    }

    /// Values that come from another shape, or from bits.
    fn changed(&mut self, ty: &'static str, depth: u32) -> String {
        match (ty, self.random.random_range(0..4)) {
            ("f32", 0) => format!("(f32.demote_f64 {})", self.value("f64", depth)),
            ("f32", 1) => format!("(f32x4.extract_lane 1 {})", self.value("v128", depth)),
            ("f32", 2) => format!("(f32.reinterpret_i32 (i32.reinterpret_f32 {}))", self.value("f32", depth)),
            ("f64", 0) => format!("(f64.promote_f32 {})", self.value("f32", depth)),
            ("f64", 1) => format!("(f64x2.extract_lane 1 {})", self.value("v128", depth)),
            ("v128", 0) => {
                let op = self.pick(&[
                    "f32x4.demote_f64x2_zero",
                    "f64x2.promote_low_f32x4",
                    "v128.not",
                    "call $same",
                ]);
                format!("({op} {})", self.value("v128", depth))
            }
            ("v128", 1) => {
                let op =
                    self.pick(&["f32x4.pmin", "f64x2.pmax", "v128.xor", "i32x4.add", "f32x4.lt", "f64x2.ne"]);
                format!("({op} {} {})", self.value("v128", depth), self.value("v128", depth))
            }
            ("v128", 2) => {
                let (a, b) = (self.value("v128", depth), self.value("v128", depth));
                format!("(i8x16.shuffle 0 1 2 3 20 21 22 23 8 9 10 11 28 29 30 31 {a} {b})")
            }
            ("v128", _) => format!("(f32x4.splat {})", self.value("f32", depth)),
            _ => format!("({ty}.copysign {} {})", self.value(ty, depth), self.value(ty, depth)),
        }
    }
}
