//! Meters one function body, and makes its NaNs canonical where [`nan`] says so.
//!
//! The fuel left lives in a local of the function. Each basic block subtracts the sum of its operators when it is
//! entered. At function entry, at every loop head and before work of variable size, the local is stored to the fuel
//! global and checked; before a call and at the end it is stored, after a call it is loaded again. The check is
//! `if fuel < 0 { unreachable }`: a branch without a call, so the engine keeps vectors in registers (an engine's own
//! fuel calls out, and spills them at each loop head).
//!
//! ```text
//! fuel -= entry; store; check            the first block's cost is in it
//! depth -= units; check                  left out of small functions that call nothing
//! block (results)                        `return` and branches to the function's label end here
//!   ... the body ...
//! end
//! store fuel; depth += units
//! ```

use wasm_encoder::{BlockType, Encode as _, Ieee32, Ieee64, InstructionSink, ValType};
use wasmparser::{FunctionBody, Operator, OperatorsReader};

use super::{
    Metering, cost,
    nan::{self, Canonical, Shape},
};
use crate::{
    limits::{
        FRAME_OPERATORS_PER_UNIT, FRAME_UNITS_BASE, FUEL_BULK_BASE, FUEL_BULK_BYTES_SHIFT, FUEL_GROW_BASE,
        FUEL_MEMORY_PAGE, FUEL_OPERATOR, FUEL_TABLE_BULK_BASE, FUEL_TABLE_ELEMENT, LEAF_UNITS_MAX,
    },
    validate::FunctionFacts,
};

/// A published function and where its counters are.
pub(super) struct Function<'a> {
    pub(super) wasm: &'a [u8],
    pub(super) body: &'a FunctionBody<'a>,
    pub(super) facts: FunctionFacts,
    /// The function's own type, as a block has it.
    pub(super) ty: wasmparser::BlockType,
    /// Type of the block around the body: no parameters, the function's results.
    pub(super) wrapper: BlockType,
    pub(super) fuel_global: u32,
    pub(super) depth_global: u32,
}

/// The metered body: locals and instructions, without the length in front.
pub(super) fn meter(
    function: &Function<'_>,
    types: &nan::Types,
    metering: Metering,
) -> wasmparser::Result<Vec<u8>> {
    let plan = match metering {
        Metering::On => Some(Plan::of(function)?),
        Metering::Off => None,
    };
    let nans = nan::plan(types, function.ty, function.body.get_operators_reader()?.into_iter())?;
    let mut writer = Writer {
        function,
        metered: plan.is_some(),
        fuel: function.facts.locals,
        operand: function.facts.locals + 1,
        scratch: Scratch::of(&nans, function.facts.locals + 2),
        bytes: Vec::with_capacity(function.body.range().len() * 3 / 2 + 64),
    };
    writer.locals()?;
    if let Some(plan) = &plan {
        writer.prologue(plan);
    }
    writer.body(plan.as_ref(), &nans)?;
    match &plan {
        Some(plan) => writer.epilogue(plan),
        None => _ = writer.sink().end(),
    }
    Ok(writer.bytes)
}

/// Locals that hold a value while it is made canonical, for the types that the function needs one for.
struct Scratch {
    first: u32,
    types: Vec<ValType>,
}

impl Scratch {
    fn of(nans: &[(u32, Canonical)], first: u32) -> Self {
        let mut types = Vec::new();
        for (_, Canonical::Top(shape) | Canonical::Local(_, shape)) in nans {
            let ty = Self::ty(*shape);
            if !types.contains(&ty) {
                types.push(ty);
            }
        }
        Self { first, types }
    }

    fn ty(shape: Shape) -> ValType {
        match shape {
            Shape::F32 => ValType::F32,
            Shape::F64 => ValType::F64,
            Shape::F32x4 | Shape::F64x2 => ValType::V128,
        }
    }

    fn local(&self, shape: Shape) -> u32 {
        let position = self.types.iter().position(|ty| *ty == Self::ty(shape));
        self.first + position.unwrap_or_default() as u32
    }
}

/// Depth units of a frame. One unit is worth at least 64 bytes of native stack; see the crate's limits.
fn frame_units(facts: FunctionFacts) -> u64 {
    FRAME_UNITS_BASE
        + u64::from(facts.locals)
        + u64::from(facts.operands)
        + u64::from(facts.operators) / FRAME_OPERATORS_PER_UNIT
}

/// What the first pass over a body finds.
struct Plan {
    /// Fuel of each basic block, in order.
    blocks: Vec<u64>,
    /// Units to count at entry; `None` where the frame need not be counted.
    depth_units: Option<u64>,
}

impl Plan {
    fn of(function: &Function<'_>) -> wasmparser::Result<Self> {
        let mut blocks = vec![cost::entry(function.facts.locals)];
        let mut edges = Edges::default();
        let mut calls = false;
        for operator in function.body.get_operators_reader()? {
            let operator = operator?;
            calls |= matches!(operator, Operator::Call { .. } | Operator::CallIndirect { .. });
            let cost = cost::operator(&operator);
            if let Some(block) = blocks.last_mut() {
                *block += cost;
            }
            if edges.block_ends_after(&operator) {
                // The head of a loop costs something even if its body is free, so that every iteration is counted.
                blocks.push(if matches!(operator, Operator::Loop { .. }) { FUEL_OPERATOR } else { 0 });
            }
        }
        let units = frame_units(function.facts);
        let counted = calls || units > LEAF_UNITS_MAX;
        Ok(Self { blocks, depth_units: counted.then_some(units) })
    }
}

/// Finds the ends of basic blocks, the same way in both passes.
#[derive(Default)]
struct Edges {
    /// For each open block, whether something may arrive at its end other than by falling through.
    merges: Vec<bool>,
}

impl Edges {
    fn block_ends_after(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Block { .. } => {
                self.merges.push(false);
                false
            }
            Operator::Loop { .. } => {
                self.merges.push(false);
                true
            }
            Operator::If { .. } => {
                self.merges.push(true);
                true
            }
            Operator::End => self.merges.pop().unwrap_or(false),
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                self.branch_to(*relative_depth);
                true
            }
            Operator::BrTable { targets } => {
                targets.targets().flatten().for_each(|target| self.branch_to(target));
                self.branch_to(targets.default());
                true
            }
            Operator::Else | Operator::Return | Operator::Unreachable => true,
            _ => false,
        }
    }

    /// Marking a loop does no harm but a needless edge at its end.
    fn branch_to(&mut self, relative_depth: u32) {
        let open = self.merges.len();
        if let Some(index) = open.checked_sub(1 + relative_depth as usize) {
            self.merges[index] = true;
        }
    }

    /// Number of blocks that are open: the label of the wrapper.
    fn nesting(&self) -> u32 {
        self.merges.len() as u32
    }
}

/// The canonical NaN of WebAssembly in each lane.
const SINGLES: i128 =
    i128::from_le_bytes([0, 0, 0xc0, 0x7f, 0, 0, 0xc0, 0x7f, 0, 0, 0xc0, 0x7f, 0, 0, 0xc0, 0x7f]);
const DOUBLES: i128 = i128::from_le_bytes([0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]);

struct Writer<'a> {
    function: &'a Function<'a>,
    /// Whether fuel and depth are counted.
    metered: bool,
    /// The local with the fuel left.
    fuel: u32,
    /// The local that keeps the size of variable work.
    operand: u32,
    scratch: Scratch,
    bytes: Vec<u8>,
}

impl Writer<'_> {
    fn sink(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.bytes)
    }

    /// The published declarations and ours.
    fn locals(&mut self) -> wasmparser::Result<()> {
        let mut reader = self.function.body.get_binary_reader();
        let declarations = reader.read_var_u32()?;
        let start = reader.original_position();
        let end = self.function.body.get_binary_reader_for_operators()?.original_position();
        let ours: Vec<ValType> =
            [ValType::I64, ValType::I32].iter().chain(&self.scratch.types).copied().collect();
        (declarations + ours.len() as u32).encode(&mut self.bytes);
        self.bytes.extend_from_slice(&self.function.wasm[start..end]);
        for ty in ours {
            1u32.encode(&mut self.bytes);
            ty.encode(&mut self.bytes);
        }
        Ok(())
    }

    fn prologue(&mut self, plan: &Plan) {
        let (fuel_global, depth_global) = (self.function.fuel_global, self.function.depth_global);
        let fuel = self.fuel;
        self.sink().global_get(fuel_global).i64_const(plan.blocks[0] as i64).i64_sub().local_set(fuel);
        self.store_and_check();
        if let Some(units) = plan.depth_units {
            self.sink().global_get(depth_global).i32_const(units as i32).i32_sub().global_set(depth_global);
            self.sink().global_get(depth_global).i32_const(0).i32_lt_s();
            self.sink().if_(BlockType::Empty).unreachable().end();
        }
        let wrapper = self.function.wrapper;
        self.sink().block(wrapper);
    }

    fn epilogue(&mut self, plan: &Plan) {
        let depth_global = self.function.depth_global;
        self.sink().end();
        self.store();
        if let Some(units) = plan.depth_units {
            self.sink().global_get(depth_global).i32_const(units as i32).i32_add().global_set(depth_global);
        }
        self.sink().end();
    }

    fn body(&mut self, plan: Option<&Plan>, nans: &[(u32, Canonical)]) -> wasmparser::Result<()> {
        let mut operators: OperatorsReader<'_> = self.function.body.get_operators_reader()?;
        let mut edges = Edges::default();
        let mut blocks = plan.iter().flat_map(|plan| &plan.blocks).skip(1);
        let mut nans = nans.iter().peekable();
        for number in 0.. {
            let start = operators.original_position();
            let operator = operators.read()?;
            if operators.eof() {
                break; // the function's own `end`: the epilogue writes it
            }
            let published = &self.function.wasm[start..operators.original_position()];
            if self.metered {
                self.operator(&operator, published, edges.nesting());
            } else {
                self.bytes.extend_from_slice(published);
            }
            while let Some((_, canonical)) = nans.next_if(|(after, _)| *after == number) {
                self.make_canonical(*canonical);
            }
            if self.metered && edges.block_ends_after(&operator) {
                let cost = blocks.next().copied().unwrap_or_default();
                self.charge(cost);
                if matches!(operator, Operator::Loop { .. }) {
                    self.store_and_check();
                }
            }
        }
        Ok(())
    }

    fn make_canonical(&mut self, canonical: Canonical) {
        let (Canonical::Top(shape) | Canonical::Local(_, shape)) = canonical;
        let value = self.scratch.local(shape);
        let mut sink = self.sink();
        if let Canonical::Local(local, _) = canonical {
            sink.local_get(local);
        }
        // `value == value ? value : NaN`, in the form that the engine turns into one comparison and one selection.
        sink.local_set(value);
        match shape {
            Shape::F32 => {
                sink.local_get(value).f32_const(Ieee32::new(0x7fc0_0000));
                sink.local_get(value).local_get(value).f32_eq().select();
            }
            Shape::F64 => {
                sink.local_get(value).f64_const(Ieee64::new(0x7ff8_0000_0000_0000));
                sink.local_get(value).local_get(value).f64_eq().select();
            }
            Shape::F32x4 => {
                sink.v128_const(SINGLES).local_get(value);
                sink.local_get(value).local_get(value).f32x4_ne().v128_bitselect();
            }
            Shape::F64x2 => {
                sink.v128_const(DOUBLES).local_get(value);
                sink.local_get(value).local_get(value).f64x2_ne().v128_bitselect();
            }
        }
        if let Canonical::Local(local, _) = canonical {
            sink.local_set(local);
        }
    }

    fn operator(&mut self, operator: &Operator<'_>, published: &[u8], nesting: u32) {
        match operator {
            Operator::Return => {
                self.sink().br(nesting);
                return;
            }
            Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. } => {
                self.charge_work(FUEL_BULK_BASE, Work::Bytes);
            }
            Operator::TableFill { .. } | Operator::TableCopy { .. } | Operator::TableInit { .. } => {
                self.charge_work(FUEL_TABLE_BULK_BASE, Work::Units(1));
            }
            Operator::MemoryGrow { .. } => self.charge_work(FUEL_GROW_BASE, Work::Units(FUEL_MEMORY_PAGE)),
            Operator::TableGrow { .. } => self.charge_work(FUEL_GROW_BASE, Work::Units(FUEL_TABLE_ELEMENT)),
            Operator::Call { .. } | Operator::CallIndirect { .. } => {
                self.store();
                self.bytes.extend_from_slice(published);
                let (global, fuel) = (self.function.fuel_global, self.fuel);
                self.sink().global_get(global).local_set(fuel);
                return;
            }
            _ => {}
        }
        self.bytes.extend_from_slice(published);
    }

    fn charge(&mut self, cost: u64) {
        let fuel = self.fuel;
        if cost > 0 {
            self.sink().local_get(fuel).i64_const(cost as i64).i64_sub().local_set(fuel);
        }
    }

    /// Charges for the operand on top of the stack, which stays there.
    fn charge_work(&mut self, base: u64, work: Work) {
        let (fuel, operand) = (self.fuel, self.operand);
        self.sink().local_tee(operand).local_get(fuel).local_get(operand).i64_extend_i32_u();
        match work {
            Work::Bytes => {
                let rounding = (1i64 << FUEL_BULK_BYTES_SHIFT) - 1;
                self.sink().i64_const(rounding).i64_add().i64_const(FUEL_BULK_BYTES_SHIFT as i64).i64_shr_u();
            }
            Work::Units(fuel_per_unit) => {
                self.sink().i64_const(fuel_per_unit as i64).i64_mul();
            }
        }
        self.sink().i64_sub().i64_const(base as i64).i64_sub().local_set(fuel);
        self.store_and_check();
    }

    fn store(&mut self) {
        let (global, fuel) = (self.function.fuel_global, self.fuel);
        self.sink().local_get(fuel).global_set(global);
    }

    fn store_and_check(&mut self) {
        let fuel = self.fuel;
        self.store();
        self.sink().local_get(fuel).i64_const(0).i64_lt_s().if_(BlockType::Empty).unreachable().end();
    }
}

/// What the operand of variable work counts.
enum Work {
    /// Bytes, at the price of bulk operations.
    Bytes,
    /// Things of this price each.
    Units(u64),
}
