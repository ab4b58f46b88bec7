//! Turns a published module into the metered module that the engine compiles (rules R3 to R5).
//!
//! The same bytes in give the same bytes out, on every machine: the result is never published or hashed, it is a
//! function of the module's id and of the runtime id. Knows nothing of the engine.
//!
//! What changes: two globals (fuel and depth) and exports that let the host reach them, the mutable globals (for the
//! trace) and the start function (which the host calls itself, after the first charge). Function bodies: see [`body`].
//! Everything else is copied byte for byte; custom sections are dropped.

mod body;
mod cost;
mod nan;

use serde::{Deserialize, Serialize};
use wasm_encoder::{Encode as _, RawSection};
use wasmparser::{Parser, Payload, ValType};

use crate::{
    limits::{
        DEPTH_UNITS_MAX, FUEL_BULK_BASE, FUEL_BULK_BYTES_SHIFT, FUEL_MEMORY_PAGE, FUEL_TABLE_ELEMENT,
        METERED_FUNCTION_MAX_BYTES,
    },
    validate::{ModuleFacts, RESERVED_PREFIX, ValidateError, at_most, inspect},
};

/// Whether function bodies are metered. Off exists to measure what metering costs, and only there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Metering {
    /// Fuel and depth are counted: the only mode that makes receipts.
    #[default]
    On,
    /// Neither is counted. NaNs are canonical all the same.
    Off,
}

/// What the host must know of a metered module before it makes an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Pages that the memory starts with.
    pub memory_min_pages: u64,
    /// Fuel for memory, tables and segments that exist before the first instruction.
    pub initial_fuel: u64,
    /// How many mutable globals the trace covers.
    pub mutable_globals: u32,
    /// Whether there is a start function to call before `_start`.
    pub has_start_function: bool,
}

/// A metered module.
#[derive(Debug)]
pub struct Instrumented {
    /// The module for the engine.
    pub wasm: Vec<u8>,
    /// What the host must know of it.
    pub facts: Facts,
}

/// The export that holds the fuel left: an `i64`, negative once the limit is passed.
pub(crate) const FUEL_EXPORT: &str = "guildhall:fuel";
/// The export that holds the depth left: an `i32`, negative once the limit is passed.
pub(crate) const DEPTH_EXPORT: &str = "guildhall:depth";
/// The export of the module's own start function.
pub(crate) const START_EXPORT: &str = "guildhall:start";

/// The export of the mutable global with this number among the mutable ones.
pub(crate) fn global_export(number: u32) -> String {
    format!("{RESERVED_PREFIX}global:{number}")
}

/// Validates and instruments a published module.
///
/// # Errors
/// The first rule of the runtime that the module breaks.
pub fn instrument(wasm: &[u8], metering: Metering) -> Result<Instrumented, ValidateError> {
    let learnt = inspect(wasm)?;
    let parts = Parts::read(wasm).map_err(malformed)?;
    let facts = Facts {
        memory_min_pages: learnt.memory_min_pages,
        initial_fuel: initial_fuel(&learnt),
        mutable_globals: parts.mutable_globals.len() as u32,
        has_start_function: parts.start.is_some(),
    };
    let wasm = parts.assemble(wasm, &learnt, metering)?;
    Ok(Instrumented { wasm, facts })
}

fn malformed(error: wasmparser::BinaryReaderError) -> ValidateError {
    ValidateError::Malformed { offset: error.offset(), reason: error.message().to_owned() }
}

/// What exists before the first instruction is charged before it is made (rule R5).
fn initial_fuel(learnt: &ModuleFacts) -> u64 {
    let elements = learnt.table_elements + learnt.active_elements;
    let copied = (learnt.active_data_bytes >> FUEL_BULK_BYTES_SHIFT) + 1;
    FUEL_BULK_BASE + learnt.memory_min_pages * FUEL_MEMORY_PAGE + elements * FUEL_TABLE_ELEMENT + copied
}

/// The published module, taken apart.
#[derive(Default)]
struct Parts<'a> {
    /// Contents of the section with this id, as published.
    sections: [Option<&'a [u8]>; 14],
    types: nan::Types,
    imported_functions: u32,
    globals: u32,
    mutable_globals: Vec<u32>,
    exports: u32,
    start: Option<u32>,
    bodies: Vec<wasmparser::FunctionBody<'a>>,
}

/// Section ids in the order in which they must stand; custom (0) and start (8) sections are not copied.
const SECTION_ORDER: [u8; 11] = [1, 2, 3, 4, 5, 6, 7, 9, 12, 10, 11];
const TYPES: u8 = 1;
const GLOBALS: u8 = 6;
const EXPORTS: u8 = 7;
const CODE: u8 = 10;

impl<'a> Parts<'a> {
    fn read(wasm: &'a [u8]) -> wasmparser::Result<Self> {
        let mut parts = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if let Some((id @ 1..=13, range)) = payload.as_section() {
                parts.sections[id as usize] = Some(&wasm[range]);
            }
            parts.take(payload)?;
        }
        Ok(parts)
    }

    fn take(&mut self, payload: Payload<'a>) -> wasmparser::Result<()> {
        match payload {
            Payload::TypeSection(reader) => {
                for ty in reader.into_iter_err_on_gc_types() {
                    self.types.types.push(wasmparser::SubType::func(ty?, false));
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    if let wasmparser::TypeRef::Func(ty) = import?.ty {
                        self.types.functions.push(ty);
                        self.imported_functions += 1;
                    }
                }
            }
            Payload::FunctionSection(reader) => {
                for ty in reader {
                    self.types.functions.push(ty?);
                }
            }
            Payload::GlobalSection(reader) => {
                self.globals = reader.count();
                for (index, global) in reader.into_iter().enumerate() {
                    if global?.ty.mutable {
                        self.mutable_globals.push(index as u32);
                    }
                }
            }
            Payload::ExportSection(reader) => self.exports = reader.count(),
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            _ => {}
        }
        Ok(())
    }

    fn assemble(
        &self,
        wasm: &[u8],
        learnt: &ModuleFacts,
        metering: Metering,
    ) -> Result<Vec<u8>, ValidateError> {
        let mut wrappers = Wrappers { first: self.types.types.len() as u32, results: Vec::new() };
        let code = self.code(wasm, learnt, metering, &mut wrappers)?;
        let mut module = wasm_encoder::Module::new();
        for id in SECTION_ORDER {
            let published = self.sections[id as usize];
            let (added, extra) = match id {
                TYPES => (wrappers.results.len() as u32, wrappers.encode()),
                GLOBALS => (2, own_globals()),
                EXPORTS => self.own_exports(),
                CODE if published.is_some() => {
                    module.section(&RawSection { id, data: &code });
                    continue;
                }
                _ => (0, Vec::new()),
            };
            if added > 0 {
                module.section(&RawSection {
                    id,
                    data: &appended(published, added, &extra).map_err(malformed)?,
                });
            } else if let Some(data) = published {
                module.section(&RawSection { id, data });
            }
        }
        Ok(module.finish())
    }

    fn code(
        &self,
        wasm: &[u8],
        learnt: &ModuleFacts,
        metering: Metering,
        wrappers: &mut Wrappers,
    ) -> Result<Vec<u8>, ValidateError> {
        let mut code = Vec::with_capacity(wasm.len());
        (self.bodies.len() as u32).encode(&mut code);
        for (index, published) in self.bodies.iter().enumerate() {
            let ty = self.types.functions[self.imported_functions as usize + index];
            let function = body::Function {
                wasm,
                body: published,
                facts: learnt.functions[index],
                ty: wasmparser::BlockType::FuncType(ty),
                wrapper: wrappers.block_type(self.types.types[ty as usize].unwrap_func().results()),
                fuel_global: self.globals,
                depth_global: self.globals + 1,
            };
            let metered = body::meter(&function, &self.types, metering).map_err(malformed)?;
            at_most("bytes of a metered function", metered.len() as u64, METERED_FUNCTION_MAX_BYTES)?;
            metered.as_slice().encode(&mut code);
        }
        Ok(code)
    }

    fn own_exports(&self) -> (u32, Vec<u8>) {
        const FUNCTION: u8 = 0;
        const GLOBAL: u8 = 3;
        let mut exports = vec![
            (FUEL_EXPORT.to_owned(), GLOBAL, self.globals),
            (DEPTH_EXPORT.to_owned(), GLOBAL, self.globals + 1),
        ];
        for (number, index) in self.mutable_globals.iter().enumerate() {
            exports.push((global_export(number as u32), GLOBAL, *index));
        }
        exports.extend(self.start.map(|function| (START_EXPORT.to_owned(), FUNCTION, function)));
        let mut bytes = Vec::new();
        for (name, kind, index) in &exports {
            name.as_str().encode(&mut bytes);
            bytes.push(*kind);
            index.encode(&mut bytes);
        }
        (exports.len() as u32, bytes)
    }
}

/// Block types of the block that wraps a whole body: functions with several results need a type of their own.
struct Wrappers {
    first: u32,
    results: Vec<Vec<ValType>>,
}

impl Wrappers {
    fn block_type(&mut self, results: &[ValType]) -> wasm_encoder::BlockType {
        match results {
            [] => wasm_encoder::BlockType::Empty,
            [one] => wasm_encoder::BlockType::Result(encoder_type(*one)),
            many => {
                let known = self.results.iter().position(|known| known == many);
                let position = known.unwrap_or_else(|| {
                    self.results.push(many.to_vec());
                    self.results.len() - 1
                });
                wasm_encoder::BlockType::FunctionType(self.first + position as u32)
            }
        }
    }

    fn encode(&self) -> Vec<u8> {
        const FUNCTION_TYPE: u8 = 0x60;
        let mut bytes = Vec::new();
        for results in &self.results {
            bytes.push(FUNCTION_TYPE);
            0u32.encode(&mut bytes);
            (results.len() as u32).encode(&mut bytes);
            for result in results {
                encoder_type(*result).encode(&mut bytes);
            }
        }
        bytes
    }
}

/// The allow-list leaves six types; `funcref` is the only reference.
fn encoder_type(ty: ValType) -> wasm_encoder::ValType {
    match ty {
        ValType::I32 => wasm_encoder::ValType::I32,
        ValType::I64 => wasm_encoder::ValType::I64,
        ValType::F32 => wasm_encoder::ValType::F32,
        ValType::F64 => wasm_encoder::ValType::F64,
        ValType::V128 => wasm_encoder::ValType::V128,
        ValType::Ref(_) => wasm_encoder::ValType::FUNCREF,
    }
}

fn own_globals() -> Vec<u8> {
    const I64: u8 = 0x7e;
    const I32: u8 = 0x7f;
    const MUTABLE: u8 = 1;
    const END: u8 = 0x0b;
    let mut bytes = vec![I64, MUTABLE];
    wasm_encoder::Instruction::I64Const(0).encode(&mut bytes);
    bytes.extend([END, I32, MUTABLE]);
    wasm_encoder::Instruction::I32Const(DEPTH_UNITS_MAX as i32).encode(&mut bytes);
    bytes.push(END);
    bytes
}

/// A section with entries added at its end.
fn appended(published: Option<&[u8]>, added: u32, extra: &[u8]) -> wasmparser::Result<Vec<u8>> {
    let mut reader = wasmparser::BinaryReader::new(published.unwrap_or(&[0]), 0);
    let count = reader.read_var_u32()?;
    let entries = reader.read_bytes(reader.bytes_remaining())?;
    let mut section = Vec::with_capacity(entries.len() + extra.len() + 5);
    (count + added).encode(&mut section);
    section.extend_from_slice(entries);
    section.extend_from_slice(extra);
    Ok(section)
}
