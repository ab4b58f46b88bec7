//! Programs made of every float and vector operator over operands that machines disagree on: NaNs with payloads,
//! infinities, subnormals, halfway cases. Each result is stored, so that the trace covers its bits.

use std::fmt::Write as _;

const F32: [u32; 20] = [
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
];
const F64: [u64; 20] = [
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
];

/// Where operands lie, and where results go.
const F32_AT: u32 = 0;
const F64_AT: u32 = 128;
const OUT: u32 = 4096;

const FLOAT_UNARY: [&str; 7] = ["abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt"];
const FLOAT_BINARY: [&str; 7] = ["add", "sub", "mul", "div", "min", "max", "copysign"];
const COMPARE: [&str; 6] = ["eq", "ne", "lt", "gt", "le", "ge"];

const VECTOR_UNARY: &str = "
    f32x4.abs f32x4.neg f32x4.sqrt f32x4.ceil f32x4.floor f32x4.trunc f32x4.nearest
    f64x2.abs f64x2.neg f64x2.sqrt f64x2.ceil f64x2.floor f64x2.trunc f64x2.nearest
    i8x16.abs i8x16.neg i8x16.popcnt i16x8.abs i16x8.neg i32x4.abs i32x4.neg i64x2.abs i64x2.neg v128.not
    i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u
    i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u
    i16x8.extend_low_i8x16_s i16x8.extend_high_i8x16_u i32x4.extend_low_i16x8_u i64x2.extend_high_i32x4_s
    i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero
    f32x4.convert_i32x4_s f32x4.convert_i32x4_u f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u
    f32x4.demote_f64x2_zero f64x2.promote_low_f32x4";

const VECTOR_BINARY: &str = "
    f32x4.add f32x4.sub f32x4.mul f32x4.div f32x4.min f32x4.max f32x4.pmin f32x4.pmax
    f32x4.eq f32x4.ne f32x4.lt f32x4.gt f32x4.le f32x4.ge
    f64x2.add f64x2.sub f64x2.mul f64x2.div f64x2.min f64x2.max f64x2.pmin f64x2.pmax
    f64x2.eq f64x2.ne f64x2.lt f64x2.gt f64x2.le f64x2.ge
    i8x16.add i8x16.add_sat_s i8x16.add_sat_u i8x16.sub i8x16.sub_sat_s i8x16.sub_sat_u i8x16.min_s i8x16.min_u
    i8x16.max_s i8x16.max_u i8x16.avgr_u i8x16.swizzle i8x16.narrow_i16x8_s i8x16.narrow_i16x8_u i8x16.eq i8x16.lt_s
    i16x8.add i16x8.add_sat_s i16x8.add_sat_u i16x8.sub i16x8.sub_sat_s i16x8.sub_sat_u i16x8.mul i16x8.min_s
    i16x8.max_u i16x8.avgr_u i16x8.q15mulr_sat_s i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u i16x8.extmul_low_i8x16_s
    i16x8.extmul_high_i8x16_u i32x4.add i32x4.sub i32x4.mul i32x4.min_s i32x4.max_u i32x4.dot_i16x8_s
    i32x4.extmul_low_i16x8_s i32x4.extmul_high_i16x8_u i32x4.gt_u i64x2.add i64x2.sub i64x2.mul i64x2.eq i64x2.lt_s
    i64x2.extmul_low_i32x4_u i64x2.extmul_high_i32x4_s v128.and v128.or v128.xor v128.andnot";

/// Every scalar float operator over all operands, or all pairs of them.
pub(crate) fn scalar() -> String {
    let mut program = Program::default();
    for (ty, size, at) in [("f32", 4, F32_AT), ("f64", 8, F64_AT)] {
        for op in FLOAT_UNARY {
            program.unary(ty, size, at, &format!("{ty}.{op}"), ty);
        }
        for op in FLOAT_BINARY {
            program.binary(ty, size, at, &format!("{ty}.{op}"), ty);
        }
        for op in COMPARE {
            program.binary(ty, size, at, &format!("{ty}.{op}"), "i32");
        }
        for int in ["i32", "i64"] {
            for sign in ["s", "u"] {
                program.unary(ty, size, at, &format!("{int}.trunc_sat_{ty}_{sign}"), int);
                let width = if int == "i32" { 4 } else { 8 };
                program.unary(int, width, at, &format!("{ty}.convert_{int}_{sign}"), ty);
            }
        }
    }
    program.unary("f32", 4, F32_AT, "f64.promote_f32", "f64");
    program.unary("f64", 8, F64_AT, "f32.demote_f64", "f32");
    program.unary("f32", 4, F32_AT, "i32.reinterpret_f32", "i32");
    program.unary("i64", 8, F64_AT, "f64.reinterpret_i64", "f64");
    program.finish()
}

/// Every vector operator that rounds, saturates, compares or moves lanes, over unaligned windows of the operands.
pub(crate) fn vector() -> String {
    let mut program = Program::default();
    for op in VECTOR_UNARY.split_whitespace() {
        for (size, at) in [(4, F32_AT), (8, F64_AT)] {
            program.unary("v128", size, at, op, "v128");
        }
    }
    for op in VECTOR_BINARY.split_whitespace() {
        for (size, at) in [(4, F32_AT), (8, F64_AT)] {
            program.binary("v128", size, at, op, "v128");
        }
    }
    program.finish()
}

#[derive(Default)]
struct Program {
    functions: String,
    calls: String,
    count: usize,
}

impl Program {
    fn unary(&mut self, ty: &str, size: u32, at: u32, op: &str, result: &str) {
        let body = format!(
            "(loop $i
               ({result}.store (global.get $out) ({op} ({ty}.load offset={at} (local.get $i))))
               {advance}
               (br_if $i (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const {size}))) (i32.const {end}))))",
            advance = advance(result),
            end = 18 * size,
        );
        self.function(&body);
    }

    fn binary(&mut self, ty: &str, size: u32, at: u32, op: &str, result: &str) {
        let body = format!(
            "(loop $i
               (local.set $j (i32.const 0))
               (loop $j
                 ({result}.store (global.get $out)
                   ({op} ({ty}.load offset={at} (local.get $i)) ({ty}.load offset={at} (local.get $j))))
                 {advance}
                 (br_if $j (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const {size}))) (i32.const {end}))))
               (br_if $i (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const {size}))) (i32.const {end}))))",
            advance = advance(result),
            end = 18 * size,
        );
        self.function(&body);
    }

    fn function(&mut self, body: &str) {
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
            "(module (memory (export \"memory\") 64) (global $out (mut i32) (i32.const {OUT}))
               (data (i32.const {F32_AT}) \"{singles}\") (data (i32.const {F64_AT}) \"{doubles}\")
               {functions} (func (export \"_start\") {calls}))",
            functions = self.functions,
            calls = self.calls,
        )
    }
}

fn advance(result: &str) -> String {
    let bytes = match result {
        "i32" | "f32" => 4,
        "v128" => 16,
        _ => 8,
    };
    format!("(global.set $out (i32.add (global.get $out) (i32.const {bytes})))")
}
