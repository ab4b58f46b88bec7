//! Where a function's NaNs must be made canonical (rule R7).
//!
//! Which NaN an operation gives differs between machines: x86 and ARM differ in the sign of a fresh one and in whose
//! payload survives. Everything that could see the difference must see the canonical NaN. An operation of floats can't:
//! it gives some NaN for any NaN, and its own result is made canonical in turn. So a result needs no work
//!
//! - if the next operation takes it from the operand stack and is one of floats of the same shape, or compares or
//!   converts it: the product in `sum + a * b`;
//! - if it lives in a local that a loop carries round (a body without branches other than the one back), and the loop
//!   does nothing with that local but operations of floats of one shape: the sum in `sum = sum + a * b`. Such a local
//!   is made canonical once, where the loop ends.
//!
//! The engine could make every result canonical, and did; in the inner loop of a matrix product that is half of the
//! work. Knows nothing of fuel.

use std::collections::BTreeMap;

use wasmparser::{BlockType, ContType, FrameKind, FuncType, ModuleArity, Operator, RefType, SubType};

/// What kind of floats a value holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    F32,
    F64,
    F32x4,
    F64x2,
}

/// What to make canonical behind an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Canonical {
    /// The value on top of the stack.
    Top(Shape),
    /// This local.
    Local(u32, Shape),
}

/// The types of a module, as far as the height of the operand stack depends on them.
#[derive(Default)]
pub(super) struct Types {
    pub(super) types: Vec<SubType>,
    /// Type of each function, imported ones first.
    pub(super) functions: Vec<u32>,
}

/// What to make canonical in one function, by the number of the operator before it, in order.
pub(super) fn plan<'a>(
    types: &Types,
    block: BlockType,
    operators: impl Iterator<Item = wasmparser::Result<Operator<'a>>>,
) -> wasmparser::Result<Vec<(u32, Canonical)>> {
    let mut analysis = Analysis::new(types, block);
    for (number, operator) in operators.enumerate() {
        analysis.operator(number as u32, &operator?);
    }
    let results = analysis.results.into_iter().filter(|result| result.visible);
    let mut plan: Vec<_> = results.map(|result| (result.operator, Canonical::Top(result.shape))).collect();
    plan.extend(analysis.carried);
    plan.sort_unstable();
    Ok(plan)
}

/// What an operator does with floats: the shape that it takes without showing which NaN it was, and the shape of a
/// result that may be any NaN.
fn arithmetic(operator: &Operator<'_>) -> Option<(Shape, Option<Shape>)> {
    use Operator as Op;
    use Shape::{F32, F32x4, F64, F64x2};
    macro_rules! arithmetic {
        ($($shape:ident: $($result:ident)* => $($plain:ident)*;)*) => {
            match operator {
                $($(Op::$result)|* => ($shape, Some($shape)), $(Op::$plain { .. })|* => ($shape, None),)*
                Op::F32DemoteF64 => (F64, Some(F32)),
                Op::F64PromoteF32 => (F32, Some(F64)),
                Op::F32x4DemoteF64x2Zero => (F64x2, Some(F32x4)),
                Op::F64x2PromoteLowF32x4 => (F32x4, Some(F64x2)),
                _ => return None,
            }
        };
    }
    Some(arithmetic! {
        F32: F32Add F32Sub F32Mul F32Div F32Min F32Max F32Sqrt F32Ceil F32Floor F32Trunc F32Nearest
            => F32Eq F32Ne F32Lt F32Gt F32Le F32Ge I32TruncF32S I32TruncF32U I64TruncF32S I64TruncF32U
               I32TruncSatF32S I32TruncSatF32U I64TruncSatF32S I64TruncSatF32U;
        F64: F64Add F64Sub F64Mul F64Div F64Min F64Max F64Sqrt F64Ceil F64Floor F64Trunc F64Nearest
            => F64Eq F64Ne F64Lt F64Gt F64Le F64Ge I32TruncF64S I32TruncF64U I64TruncF64S I64TruncF64U
               I32TruncSatF64S I32TruncSatF64U I64TruncSatF64S I64TruncSatF64U;
        F32x4: F32x4Add F32x4Sub F32x4Mul F32x4Div F32x4Min F32x4Max F32x4Sqrt
               F32x4Ceil F32x4Floor F32x4Trunc F32x4Nearest
            => F32x4Eq F32x4Ne F32x4Lt F32x4Gt F32x4Le F32x4Ge I32x4TruncSatF32x4S I32x4TruncSatF32x4U;
        F64x2: F64x2Add F64x2Sub F64x2Mul F64x2Div F64x2Min F64x2Max F64x2Sqrt
               F64x2Ceil F64x2Floor F64x2Trunc F64x2Nearest
            => F64x2Eq F64x2Ne F64x2Lt F64x2Gt F64x2Le F64x2Ge I32x4TruncSatF64x2SZero I32x4TruncSatF64x2UZero;
    })
}

/// A value on the operand stack, as far as it matters who takes it.
#[derive(Clone, Copy)]
enum Value {
    /// Canonical, or no float.
    Any,
    /// The result of arithmetic with this number.
    Result(usize),
    /// What the loop that began with this operator read from a local.
    Local { of_loop: u32, local: u32 },
}

/// A result of arithmetic.
struct Arithmetic {
    operator: u32,
    shape: Shape,
    /// Whether something may see which NaN it is.
    visible: bool,
}

#[derive(Clone, Copy)]
struct Frame {
    block: BlockType,
    kind: FrameKind,
    /// Operands below it.
    height: usize,
}

/// The loop whose straight body is being read.
struct Loop {
    number: u32,
    locals: BTreeMap<u32, Carried>,
}

/// A local of that loop.
#[derive(Default)]
struct Carried {
    /// The shape that every operation of the loop has with it so far.
    shape: Option<Shape>,
    /// The results that it is set to.
    results: Vec<usize>,
    /// Whether it is used in a way that shows which NaN it holds, or set to something else than a result.
    visible: bool,
}

impl Carried {
    fn meets(&mut self, shape: Shape) {
        self.visible |= *self.shape.get_or_insert(shape) != shape;
    }
}

struct Analysis<'a> {
    types: &'a Types,
    frames: Vec<Frame>,
    stack: Vec<Value>,
    results: Vec<Arithmetic>,
    current: Option<Loop>,
    carried: Vec<(u32, Canonical)>,
}

impl<'a> Analysis<'a> {
    fn new(types: &'a Types, block: BlockType) -> Self {
        let frames = vec![Frame { block, kind: FrameKind::Block, height: 0 }];
        Self { types, frames, stack: Vec::new(), results: Vec::new(), current: None, carried: Vec::new() }
    }

    fn operator(&mut self, number: u32, operator: &Operator<'_>) {
        // Only valid modules come here, so the arity is always known.
        let (takes, gives) = operator.operator_arity(self).unwrap_or_default();
        match operator {
            Operator::LocalGet { local_index } => return self.get(*local_index),
            Operator::LocalSet { local_index } => return self.set(*local_index),
            Operator::LocalTee { local_index } => {
                // Both the local and the stack have it then: too rare in loops of sums to follow.
                self.used_otherwise(*local_index);
            }
            _ => {}
        }
        let arithmetic = arithmetic(operator);
        for _ in 0..takes {
            let value = self.pop();
            self.take(value, arithmetic.map(|(takes, _)| takes));
        }
        self.structure(number, operator);
        match arithmetic {
            Some((_, Some(shape))) => {
                self.stack.push(Value::Result(self.results.len()));
                self.results.push(Arithmetic { operator: number, shape, visible: false });
            }
            _ => self.stack.extend((0..gives).map(|_| Value::Any)),
        }
    }

    /// The topmost operand of the innermost frame. Code that is never run may take more than there are.
    fn pop(&mut self) -> Value {
        let floor = self.frames.last().map_or(0, |frame| frame.height);
        if self.stack.len() > floor { self.stack.pop().unwrap_or(Value::Any) } else { Value::Any }
    }

    /// Somebody takes a value: without showing which NaN it is if it takes values of that shape.
    fn take(&mut self, value: Value, hidden_in: Option<Shape>) {
        match value {
            Value::Any => {}
            Value::Result(result) => {
                let result = &mut self.results[result];
                result.visible |= hidden_in != Some(result.shape);
            }
            Value::Local { of_loop, local } => match (&mut self.current, hidden_in) {
                (Some(current), Some(shape)) if current.number == of_loop => {
                    current.locals.entry(local).or_default().meets(shape);
                }
                _ => self.used_otherwise(local),
            },
        }
    }

    fn get(&mut self, local: u32) {
        let of_loop = self.current.as_ref().map(|current| current.number);
        self.stack.push(of_loop.map_or(Value::Any, |of_loop| Value::Local { of_loop, local }));
    }

    fn set(&mut self, local: u32) {
        let value = self.pop();
        match (&mut self.current, value) {
            (Some(current), Value::Result(result)) => {
                let carried = current.locals.entry(local).or_default();
                carried.meets(self.results[result].shape);
                carried.results.push(result);
            }
            _ => {
                self.take(value, None);
                self.used_otherwise(local);
            }
        }
    }

    fn used_otherwise(&mut self, local: u32) {
        if let Some(current) = &mut self.current {
            current.locals.entry(local).or_default().visible = true;
        }
    }

    /// Follows blocks and branches. Operands have been taken.
    fn structure(&mut self, number: u32, operator: &Operator<'_>) {
        match operator {
            Operator::Loop { blockty } => {
                self.leave_loop(None);
                self.enter(*blockty, FrameKind::Loop);
                self.current = Some(Loop { number, locals: BTreeMap::new() });
            }
            Operator::Block { blockty } => {
                self.leave_loop(None);
                self.enter(*blockty, FrameKind::Block);
            }
            Operator::If { blockty } => {
                self.leave_loop(None);
                self.enter(*blockty, FrameKind::If);
            }
            // The branch back, which a loop may have anywhere: what is set is set in every round before the loop ends.
            Operator::BrIf { relative_depth: 0 } if self.current.is_some() => {}
            Operator::BrIf { .. } => self.leave_loop(None),
            Operator::End => {
                self.leave_loop(Some(number));
                self.truncate();
                self.frames.pop();
            }
            Operator::Else
            | Operator::Br { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable => {
                self.leave_loop(None);
                self.truncate();
            }
            _ => {}
        }
    }

    fn enter(&mut self, block: BlockType, kind: FrameKind) {
        self.frames.push(Frame { block, kind, height: self.stack.len() });
    }

    /// Forgets the operands of the innermost frame.
    fn truncate(&mut self) {
        self.stack.truncate(self.frames.last().map_or(0, |frame| frame.height));
    }

    /// The straight body of a loop is over: at its `end` if there is one, else it was not straight.
    fn leave_loop(&mut self, end: Option<u32>) {
        let Some(Loop { locals, .. }) = self.current.take() else { return };
        for (local, Carried { shape, results, visible }) in locals {
            match (end, shape) {
                (Some(end), Some(shape)) if !visible && !results.is_empty() => {
                    self.carried.push((end, Canonical::Local(local, shape)));
                }
                _ => results.into_iter().for_each(|result| self.results[result].visible = true),
            }
        }
    }
}

impl ModuleArity for Analysis<'_> {
    fn sub_type_at(&self, index: u32) -> Option<&SubType> {
        self.types.types.get(index as usize)
    }

    fn type_index_of_function(&self, function: u32) -> Option<u32> {
        self.types.functions.get(function as usize).copied()
    }

    fn control_stack_height(&self) -> u32 {
        self.frames.len() as u32
    }

    fn label_block(&self, depth: u32) -> Option<(BlockType, FrameKind)> {
        let index = self.frames.len().checked_sub(1 + depth as usize)?;
        self.frames.get(index).map(|frame| (frame.block, frame.kind))
    }

    // Exceptions, continuations and references to types are not allowed.

    fn tag_type_arity(&self, _at: u32) -> Option<(u32, u32)> {
        None
    }

    fn func_type_of_cont_type(&self, _continuation: &ContType) -> Option<&FuncType> {
        None
    }

    fn sub_type_of_ref_type(&self, _reference: &RefType) -> Option<&SubType> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plan of the only function of a module.
    fn plan_of(body: &str) -> Vec<(u32, Canonical)> {
        let text = format!("(module (memory 1) (func (param $p i32) (local $s v128) (local $n i32) {body}))");
        let wasm = wat::parse_str(text).expect("text");
        let (mut types, mut found) = (Types::default(), Vec::new());
        for payload in wasmparser::Parser::new(0).parse_all(&wasm) {
            match payload.expect("valid") {
                wasmparser::Payload::TypeSection(reader) => types.types.extend(
                    reader
                        .into_iter_err_on_gc_types()
                        .map(|ty| SubType::func(ty.expect("a function"), false)),
                ),
                wasmparser::Payload::CodeSectionEntry(body) => {
                    let operators = body.get_operators_reader().expect("operators");
                    found = plan(&types, BlockType::FuncType(0), operators.into_iter()).expect("a plan");
                }
                _ => {}
            }
        }
        found
    }

    const LOAD: &str = "(v128.load (local.get $p))";
    const ROUND: &str = "(br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))";

    #[test]
    fn a_product_in_a_sum_is_left_alone() {
        let plan = plan_of(&format!(
            "(v128.store (local.get $p) (f32x4.add (local.get $s) (f32x4.mul {LOAD} {LOAD})))"
        ));
        assert_eq!(plan, [(7, Canonical::Top(Shape::F32x4))]);
    }

    #[test]
    fn a_sum_that_a_loop_carries_is_made_canonical_where_the_loop_ends() {
        let sum = format!("(local.set $s (f32x4.add (local.get $s) (f32x4.mul {LOAD} {LOAD})))");
        let plan = plan_of(&format!("(loop {sum} {sum} {ROUND})"));
        assert_eq!(plan, [(22, Canonical::Local(1, Shape::F32x4))]);
    }

    #[test]
    fn a_sum_that_the_loop_shows_is_made_canonical_each_time() {
        let sum = format!("(local.set $s (f32x4.add (local.get $s) {LOAD}))");
        for shows in [
            "(v128.store (local.get $p) (local.get $s))",
            "(local.set $s (f64x2.add (local.get $s) (local.get $s)))",
            "(local.set $s (v128.not (local.get $s)))",
        ] {
            let plan = plan_of(&format!("(loop {sum} {shows} {ROUND})"));
            assert_eq!(plan.first(), Some(&(4, Canonical::Top(Shape::F32x4))), "{shows}");
        }
    }
}
