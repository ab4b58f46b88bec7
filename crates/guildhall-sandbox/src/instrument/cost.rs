//! What one operator costs before its operands are known. What depends on an operand is charged by
//! [`body`](super::body) when the operand is known.

use wasmparser::Operator;

use crate::limits::{
    FUEL_CALL, FUEL_CALL_INDIRECT, FUEL_FLOAT_DIVIDE, FUEL_INT_DIVIDE, FUEL_LOCALS_PER_UNIT, FUEL_OPERATOR,
};

/// Fuel for one operator. Markers of structure are free: they are no instructions.
pub(super) fn operator(operator: &Operator<'_>) -> u64 {
    use Operator as Op;
    match operator {
        Op::Nop | Op::Block { .. } | Op::End | Op::Else => 0,
        Op::I32DivS
        | Op::I32DivU
        | Op::I32RemS
        | Op::I32RemU
        | Op::I64DivS
        | Op::I64DivU
        | Op::I64RemS
        | Op::I64RemU => FUEL_INT_DIVIDE,
        Op::F32Div
        | Op::F64Div
        | Op::F32Sqrt
        | Op::F64Sqrt
        | Op::F32x4Div
        | Op::F64x2Div
        | Op::F32x4Sqrt
        | Op::F64x2Sqrt => FUEL_FLOAT_DIVIDE,
        Op::Call { .. } => FUEL_CALL,
        Op::CallIndirect { .. } => FUEL_CALL_INDIRECT,
        _ => FUEL_OPERATOR,
    }
}

/// Fuel for entering a function: its locals must be cleared.
pub(super) fn entry(locals: u32) -> u64 {
    FUEL_OPERATOR + u64::from(locals).div_ceil(FUEL_LOCALS_PER_UNIT)
}
