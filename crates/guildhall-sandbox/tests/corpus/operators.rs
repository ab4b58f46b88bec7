//! Programs made of every operator that computes, loads or stores a value, over operands that machines disagree on: NaNs
//! with payloads, infinities, subnormals, halfway cases, extremes of integers. Each result is stored, so that the trace
//! covers its bits. The list of operators is the validator's own: none can be forgotten.

use std::{collections::BTreeMap, fmt::Write as _, ops::Range};

const F32: [u32; 21] = [
    0x0000_0000,
    0x8000_0000,
    0x0000_0001,
    0x807f_ffff,
    0x0080_0000,
    0x3f80_0000,
    0xbf80_0000,
    0x3f00_0000,
    0x3fc0_0000,
    0x4020_0000,
    0xc020_0000,
    0x4f00_0000,
    0xcf00_0001,
    0x5f80_0000,
    0x7f7f_ffff,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc1_2345,
    0x7f81_2345,
    0xffff_ffff,
];
const F64: [u64; 21] = [
    0x0000_0000_0000_0000,
    0x8000_0000_0000_0000,
    0x0000_0000_0000_0001,
    0x800f_ffff_ffff_ffff,
    0x0010_0000_0000_0000,
    0x3ff0_0000_0000_0000,
    0xbff0_0000_0000_0000,
    0x3fe0_0000_0000_0000,
    0x3ff8_0000_0000_0000,
    0x4004_0000_0000_0000,
    0xc004_0000_0000_0000,
    0x41e0_0000_0000_0000,
    0xc1e0_0000_0020_0000,
    0x43f0_0000_0000_0000,
    0x7fef_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0xfff8_1234_5678_9abc,
    0x7ff0_1234_5678_9abc,
    0xffff_ffff_ffff_ffff,
];

/// Where operands lie, and where results go.
const F32_AT: usize = 0;
const F64_AT: usize = 128;
const OUT: usize = 4096;
/// Operands that a trapping conversion takes: 0.5, 1.5 and 2.5.
const CONVERTIBLE: Range<usize> = 7..10;

/// Every scalar operator.
pub(crate) fn scalar() -> String {
    program(|operator| !operator.is_vector())
}

/// Every vector operator, over unaligned windows of the operands.
pub(crate) fn vector() -> String {
    program(Operator::is_vector)
}

/// How many operators are scalar, and vector.
pub(crate) fn count() -> (usize, usize) {
    let (vectors, scalars): (Vec<_>, Vec<_>) = operators().into_iter().partition(Operator::is_vector);
    (scalars.len(), vectors.len())
}

fn program(wanted: impl Fn(&Operator) -> bool) -> String {
    let mut program = Program::default();
    for operator in operators().iter().filter(|operator| wanted(operator)) {
        for immediate in operator.immediates() {
            let types = operator.operands();
            for windows in windows(&types) {
                program.add(operator, &immediate, &types, &windows);
            }
        }
    }
    program.finish()
}

/// An operator as the text format has it: `f32x4.add` is `f32x4` and `add`.
struct Operator {
    shape: &'static str,
    rest: &'static str,
    arity: usize,
}

/// Operators of the allowed features that compute, load or store a value, by name.
fn operators() -> Vec<Operator> {
    let mut found = BTreeMap::new();
    macro_rules! collect {
        ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($annotation:tt)*))*) => {
            $(collect(&mut found, stringify!($proposal), stringify!($visit), stringify!($($annotation)*));)*
        }
    }
    wasmparser::for_each_operator!(collect);
    found.into_values().collect()
}

fn collect(
    found: &mut BTreeMap<&'static str, Operator>,
    proposal: &str,
    visit: &'static str,
    annotation: &str,
) {
    const SHAPES: [&str; 11] =
        ["i32", "i64", "f32", "f64", "v128", "i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2"];
    let name = visit.trim_start_matches("visit_");
    let allowed = matches!(proposal, "mvp" | "sign_extension" | "saturating_float_to_int" | "simd");
    let Some((shape, rest)) = name.split_once('_').filter(|(shape, _)| SHAPES.contains(shape)) else {
        return;
    };
    if allowed && rest != "const" {
        let arity = annotation.split_whitespace().nth(1).and_then(|arity| arity.parse().ok());
        let arity = arity.unwrap_or_else(|| panic!("{name}: {annotation}"));
        found.insert(name, Operator { shape, rest, arity });
    }
}

impl Operator {
    fn is_vector(&self) -> bool {
        self.shape == "v128" || self.shape.contains('x')
    }

    /// The type of one lane, or of the value itself.
    fn lane(&self) -> &'static str {
        match self.shape {
            "i8x16" | "i16x8" | "i32x4" => "i32",
            "i64x2" => "i64",
            "f32x4" => "f32",
            "f64x2" => "f64",
            shape => shape,
        }
    }

    fn lanes(&self) -> usize {
        let bits: usize = if self.shape == "v128" {
            let digits: String = self.rest.chars().filter(char::is_ascii_digit).collect();
            digits.parse().unwrap_or_else(|_| panic!("width of {}", self.rest))
        } else {
            let (bits, _) = self.shape[1..].split_once('x').unwrap_or_else(|| panic!("{}", self.shape));
            bits.parse().unwrap_or_else(|_| panic!("{}", self.shape))
        };
        128 / bits
    }

    fn accesses_memory(&self) -> bool {
        self.rest.starts_with("load") || self.rest.starts_with("store")
    }

    fn immediates(&self) -> Vec<String> {
        if self.rest == "shuffle" {
            return vec!["31 0 30 1 29 2 28 3 27 4 26 5 25 6 24 7".to_owned()];
        }
        if self.rest.contains("_lane") {
            return (0..self.lanes()).map(|lane| lane.to_string()).collect();
        }
        vec![String::new()]
    }

    /// Types of the operands, without an address.
    fn operands(&self) -> Vec<&'static str> {
        let value = if self.is_vector() { "v128" } else { self.shape };
        let conversion = |ty: &&&str| !self.is_vector() && self.rest.contains(&format!("_{ty}"));
        match self.rest {
            "splat" => vec![self.lane()],
            "replace_lane" => vec!["v128", self.lane()],
            "shl" | "shr_s" | "shr_u" if self.is_vector() => vec!["v128", "i32"],
            rest if self.accesses_memory() => {
                let takes_value = rest.starts_with("store") || rest.contains("_lane");
                if takes_value { vec![value] } else { Vec::new() }
            }
            _ => match ["i32", "i64", "f32", "f64"].iter().find(conversion) {
                Some(source) => vec![source],
                None => vec![value; self.arity],
            },
        }
    }

    fn result(&self) -> &'static str {
        match self.rest.split('_').next() {
            Some("any" | "all" | "bitmask") => "i32",
            Some("extract") => self.lane(),
            Some("eqz" | "eq" | "ne" | "lt" | "gt" | "le" | "ge") if !self.is_vector() => "i32",
            _ if self.is_vector() => "v128",
            _ => self.shape,
        }
    }

    /// Which operands do not trap.
    fn range(&self) -> Range<usize> {
        let traps = self.rest.starts_with("trunc_f");
        if traps { CONVERTIBLE } else { 0..F32.len() }
    }

    /// The operator over operands that are loaded from `addresses`, and an address of its own if it needs one.
    fn apply(&self, immediate: &str, operands: &[String]) -> String {
        let Self { shape, rest, .. } = self;
        let divides = !self.is_vector() && (rest.starts_with("div_") || rest.starts_with("rem_"));
        let operands = match operands {
            operands if divides => {
                operands.iter().map(|operand| format!("({shape}.or {operand} ({shape}.const 1))")).collect()
            }
            operands => operands.join(" "),
        };
        if rest.starts_with("store") {
            return format!("({shape}.{rest} {immediate} (global.get $out) {operands})");
        }
        let address = if self.accesses_memory() { "(local.get $i)" } else { "" };
        let applied = format!("({shape}.{rest} {immediate} {address} {operands})");
        format!("({}.store (global.get $out) {applied})", self.result())
    }
}

/// A sequence of operands in memory: the bytes between two, and where the first is.
type Window = (usize, usize);

/// For each way to place operands of these types: vectors are read at every step of both lists.
fn windows(types: &[&str]) -> Vec<Vec<Window>> {
    let of = |ty: &str, both: Window| match ty {
        "i32" | "f32" => (4, F32_AT),
        "i64" | "f64" => (8, F64_AT),
        _ => both,
    };
    let mut all = [(4, F32_AT), (8, F64_AT)]
        .map(|both| types.iter().map(|ty| of(ty, both)).collect::<Vec<_>>())
        .to_vec();
    all.dedup();
    all
}

#[derive(Default)]
struct Program {
    functions: String,
    calls: String,
    count: usize,
}

impl Program {
    /// A function that applies an operator to all operands, or to all pairs of them.
    fn add(&mut self, operator: &Operator, immediate: &str, types: &[&str], windows: &[Window]) {
        // The third operand is the first of the next turn.
        let places = [("$i", 0), ("$j", 0), ("$i", 4)];
        let operands: Vec<String> = (types.iter().zip(windows).zip(places))
            .map(|((ty, (_, at)), (index, step))| {
                format!("({ty}.load offset={} (local.get {index}))", at + step)
            })
            .collect();
        let step = |number: usize| windows.get(number).map_or(4, |(step, _)| *step);
        let range = operator.range();
        let mut body = format!(
            "{} (global.set $out (i32.add (global.get $out) (i32.const 16)))",
            operator.apply(immediate, &operands)
        );
        for (index, number) in [("$j", 1), ("$i", 0)].into_iter().skip(usize::from(types.len() < 2)) {
            let (first, step, end) = (range.start * step(number), step(number), range.end * step(number));
            body = format!(
                "(local.set {index} (i32.const {first}))
                 (loop {index} {body}
                   (br_if {index} (i32.lt_u
                     (local.tee {index} (i32.add (local.get {index}) (i32.const {step}))) (i32.const {end}))))"
            );
        }
        let number = self.count;
        self.count += 1;
        let _ = writeln!(self.functions, "(func $f{number} (local $i i32) (local $j i32) {body})");
        let _ = write!(self.calls, "(call $f{number})");
    }

    fn finish(self) -> String {
        let bytes = |words: Vec<u8>| words.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
        let singles = bytes(F32.iter().flat_map(|bits| bits.to_le_bytes()).collect());
        let doubles = bytes(F64.iter().flat_map(|bits| bits.to_le_bytes()).collect());
        format!(
            "(module (memory (export \"memory\") 96) (global $out (mut i32) (i32.const {OUT}))
               (data (i32.const {F32_AT}) \"{singles}\") (data (i32.const {F64_AT}) \"{doubles}\")
               {functions} (func (export \"_start\") {calls}))",
            functions = self.functions,
            calls = self.calls,
        )
    }
}
