//! Which modules run: an exact list of features, imports and limits. Everything else is refused, with the reason.
//!
//! Knows nothing of fuel. What it learns on the way about each function is handed to the instrumenter.

use std::collections::HashSet;

use wasmparser::{
    BinaryReaderError, DataKind, ElementItems, ExternalKind, FuncToValidate, FunctionBody, Operator, Parser,
    Payload, TypeRef, ValType, ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

use crate::limits;

/// Exports and imports of this prefix belong to the instrumenter.
pub(crate) const RESERVED_PREFIX: &str = "guildhall:";

/// The only module of imports.
pub(crate) const WASI_MODULE: &str = "wasi_snapshot_preview1";

/// Why a published module cannot run.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ValidateError {
    /// Not a WebAssembly module at all.
    #[error("not a WebAssembly module: {0}; build the app for wasm32-wasip1")]
    NotWasm(String),
    /// A component instead of a core module.
    #[error("this is a WebAssembly component; build a core module for wasm32-wasip1 (preview 1)")]
    Component,
    /// Malformed or ill-typed.
    #[error("invalid WebAssembly at byte {offset}: {reason}")]
    Malformed {
        /// Where.
        offset: usize,
        /// The validator's words.
        reason: String,
    },
    /// Well-formed, but of a feature that differs between machines or that the runtime does not meter.
    #[error(
        "the module uses {feature}, which this runtime does not allow (byte {offset}: {reason}); rebuild without it"
    )]
    Feature {
        /// The feature's name.
        feature: &'static str,
        /// Where.
        offset: usize,
        /// The validator's words.
        reason: String,
    },
    /// An import that this runtime does not offer.
    #[error("unknown import `{module}` `{name}`; only functions of `wasi_snapshot_preview1` can be imported")]
    Import {
        /// Module of the import.
        module: String,
        /// Name of the import.
        name: String,
    },
    /// An import of WASI with another signature.
    #[error("import `{0}` has the wrong type; rebuild with a current WASI SDK")]
    ImportType(String),
    /// A missing or mistyped export.
    #[error("the module must export {0}; build a command (with `main`), not a library")]
    Export(&'static str),
    /// A name that belongs to the instrumenter.
    #[error("the export `{0}` uses a reserved prefix")]
    Reserved(String),
    /// A limit of the runtime.
    #[error("{what} is {value}, allowed is {allowed}; make the module smaller")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// What the module has.
        value: u64,
        /// What is allowed.
        allowed: u64,
    },
}

impl ValidateError {
    /// The dotted code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotWasm(_) => "sandbox.module.not_wasm",
            Self::Component => "sandbox.module.component",
            Self::Malformed { .. } => "sandbox.module.malformed",
            Self::Feature { .. } => "sandbox.module.feature",
            Self::Import { .. } => "sandbox.module.import",
            Self::ImportType(_) => "sandbox.module.import_type",
            Self::Export(_) => "sandbox.module.export",
            Self::Reserved(_) => "sandbox.module.reserved",
            Self::Limit { .. } => "sandbox.module.limit",
        }
    }
}

/// The exact allow-list (rule R2). `externref` and everything newer stays out.
pub(crate) fn features() -> WasmFeatures {
    WasmFeatures::FLOATS
        | WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::SIMD
}

/// Features by the names that authors know, for the message.
const REFUSED: [(&str, WasmFeatures); 13] = [
    ("threads", WasmFeatures::THREADS),
    ("relaxed SIMD", WasmFeatures::RELAXED_SIMD),
    ("memory64", WasmFeatures::MEMORY64),
    ("multiple memories", WasmFeatures::MULTI_MEMORY),
    ("tail calls", WasmFeatures::TAIL_CALL),
    ("exceptions", WasmFeatures::EXCEPTIONS),
    ("legacy exceptions", WasmFeatures::LEGACY_EXCEPTIONS),
    ("function references", WasmFeatures::FUNCTION_REFERENCES),
    ("garbage collection", WasmFeatures::GC),
    ("extended constant expressions", WasmFeatures::EXTENDED_CONST),
    ("custom page sizes", WasmFeatures::CUSTOM_PAGE_SIZES),
    ("wide arithmetic", WasmFeatures::WIDE_ARITHMETIC),
    ("external references", WasmFeatures::GC_TYPES),
];

/// What the instrumenter needs to know of one function.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FunctionFacts {
    /// Greatest height of the operand stack.
    pub(crate) operands: u32,
    /// Parameters and declared locals.
    pub(crate) locals: u32,
    /// Number of operators.
    pub(crate) operators: u32,
}

/// What validation learnt of a module.
#[derive(Debug, Default)]
pub(crate) struct ModuleFacts {
    /// One entry for each defined function.
    pub(crate) functions: Vec<FunctionFacts>,
    /// Pages that the memory starts with.
    pub(crate) memory_min_pages: u64,
    /// Elements that all tables start with.
    pub(crate) table_elements: u64,
    /// Bytes of active data segments.
    pub(crate) active_data_bytes: u64,
    /// Elements of active element segments.
    pub(crate) active_elements: u64,
}

/// Checks a published module against every rule of the runtime.
///
/// # Errors
/// The first rule that it breaks.
pub fn validate(wasm: &[u8]) -> Result<(), ValidateError> {
    inspect(wasm).map(drop)
}

pub(crate) fn inspect(wasm: &[u8]) -> Result<ModuleFacts, ValidateError> {
    at_most("module bytes", wasm.len() as u64, limits::MODULE_MAX_BYTES)?;
    if !wasm.starts_with(b"\0asm") {
        return Err(ValidateError::NotWasm("the first bytes are not `\\0asm`".to_owned()));
    }
    if Parser::is_component(wasm) {
        return Err(ValidateError::Component);
    }
    let mut inspector = Inspector::default();
    let mut validator = Validator::new_with_features(features());
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| explain(wasm, &error))?;
        let valid = validator.payload(&payload).map_err(|error| explain(wasm, &error))?;
        inspector.section(&payload).map_err(|error| error.explain(wasm))?;
        if let ValidPayload::Func(function, body) = valid {
            bodies.push((function, body));
        }
    }
    inspector.exports_present()?;
    for (function, body) in bodies {
        let facts = inspect_function(function, &body).map_err(|error| error.explain(wasm))?;
        inspector.facts.functions.push(facts);
    }
    Ok(inspector.facts)
}

/// Either a rule of ours or the parser's complaint.
enum Fault {
    Rule(ValidateError),
    Parse(BinaryReaderError),
}

impl Fault {
    fn explain(self, wasm: &[u8]) -> ValidateError {
        match self {
            Self::Rule(error) => error,
            Self::Parse(error) => explain(wasm, &error),
        }
    }
}

impl From<ValidateError> for Fault {
    fn from(error: ValidateError) -> Self {
        Self::Rule(error)
    }
}

impl From<BinaryReaderError> for Fault {
    fn from(error: BinaryReaderError) -> Self {
        Self::Parse(error)
    }
}

pub(crate) fn at_most(what: &'static str, value: u64, allowed: u64) -> Result<(), ValidateError> {
    if value > allowed { Err(ValidateError::Limit { what, value, allowed }) } else { Ok(()) }
}

/// Names the refused feature that the module uses, if the module is valid but for that.
fn explain(wasm: &[u8], error: &BinaryReaderError) -> ValidateError {
    let (offset, reason) = (error.offset(), error.message().to_owned());
    let everything = WasmFeatures::all();
    if Validator::new_with_features(everything).validate_all(wasm).is_ok() {
        for (feature, flag) in REFUSED {
            let without = everything.difference(flag);
            if Validator::new_with_features(without).validate_all(wasm).is_err() {
                return ValidateError::Feature { feature, offset, reason };
            }
        }
        return ValidateError::Feature { feature: "a feature outside the allow-list", offset, reason };
    }
    ValidateError::Malformed { offset, reason }
}

#[derive(Default)]
struct Inspector {
    facts: ModuleFacts,
    types: Vec<(Vec<ValType>, Vec<ValType>)>,
    names: HashSet<String>,
    has_start: bool,
    has_memory: bool,
    functions: Vec<u32>,
}

impl Inspector {
    fn section(&mut self, payload: &Payload<'_>) -> Result<(), Fault> {
        match payload {
            Payload::TypeSection(reader) => {
                at_most("number of types", u64::from(reader.count()), limits::MODULE_TYPES_MAX)?;
                for ty in reader.clone().into_iter_err_on_gc_types() {
                    let ty = ty?;
                    at_most("number of parameters", ty.params().len() as u64, limits::SIGNATURE_MAX)?;
                    at_most("number of results", ty.results().len() as u64, limits::SIGNATURE_MAX)?;
                    self.types.push((ty.params().to_vec(), ty.results().to_vec()));
                }
            }
            Payload::ImportSection(reader) => self.imports(reader)?,
            Payload::FunctionSection(reader) => {
                at_most("number of functions", u64::from(reader.count()), limits::MODULE_FUNCTIONS_MAX)?;
                for ty in reader.clone() {
                    self.functions.push(ty?);
                }
            }
            Payload::TableSection(reader) => self.tables(reader)?,
            Payload::MemorySection(reader) => {
                for memory in reader.clone() {
                    self.facts.memory_min_pages = memory?.initial;
                }
            }
            Payload::GlobalSection(reader) => self.globals(reader)?,
            Payload::ExportSection(reader) => self.exports(reader)?,
            Payload::ElementSection(reader) => self.elements(reader)?,
            Payload::DataSection(reader) => self.data(reader)?,
            _ => {}
        }
        Ok(())
    }

    fn imports(&mut self, reader: &wasmparser::ImportSectionReader<'_>) -> Result<(), Fault> {
        at_most("number of imports", u64::from(reader.count()), limits::MODULE_IMPORTS_MAX)?;
        for import in reader.clone().into_imports() {
            let import = import?;
            let unknown =
                || ValidateError::Import { module: import.module.to_owned(), name: import.name.to_owned() };
            let TypeRef::Func(ty) = import.ty else { return Err(unknown().into()) };
            if import.module != WASI_MODULE {
                return Err(unknown().into());
            }
            let known =
                crate::wasi::imports().iter().find(|known| known.name == import.name).ok_or_else(unknown)?;
            let (params, results) = self.types.get(ty as usize).ok_or_else(unknown)?;
            if !known.has_type(params, results) {
                return Err(ValidateError::ImportType(import.name.to_owned()).into());
            }
            self.functions.push(ty);
        }
        Ok(())
    }

    fn tables(&mut self, reader: &wasmparser::TableSectionReader<'_>) -> Result<(), Fault> {
        at_most("number of tables", u64::from(reader.count()), limits::MODULE_TABLES_MAX)?;
        for table in reader.clone() {
            let table = table?;
            at_most("elements of a table", table.ty.initial, limits::TABLE_ELEMENTS_MAX)?;
            self.facts.table_elements += table.ty.initial;
        }
        Ok(())
    }

    fn globals(&self, reader: &wasmparser::GlobalSectionReader<'_>) -> Result<(), Fault> {
        at_most("number of globals", u64::from(reader.count()), limits::MODULE_GLOBALS_MAX)?;
        for global in reader.clone() {
            let global = global?;
            if global.ty.mutable && matches!(global.ty.content_type, ValType::Ref(_)) {
                return Err(ValidateError::Feature {
                    feature: "mutable globals that hold references",
                    offset: reader.original_position(),
                    reason: "a reference has no bytes that a trace could hold".to_owned(),
                }
                .into());
            }
        }
        Ok(())
    }

    fn exports(&mut self, reader: &wasmparser::ExportSectionReader<'_>) -> Result<(), Fault> {
        at_most("number of exports", u64::from(reader.count()), limits::MODULE_EXPORTS_MAX)?;
        for export in reader.clone() {
            let export = export?;
            if export.name.starts_with(RESERVED_PREFIX) {
                return Err(ValidateError::Reserved(export.name.to_owned()).into());
            }
            self.names.insert(export.name.to_owned());
            match (export.name, export.kind) {
                ("memory", ExternalKind::Memory) => self.has_memory = true,
                ("_start", ExternalKind::Func) => {
                    let ty = self.functions.get(export.index as usize).copied().unwrap_or(u32::MAX);
                    let signature = self.types.get(ty as usize);
                    self.has_start =
                        signature.is_some_and(|(params, results)| params.is_empty() && results.is_empty());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn elements(&mut self, reader: &wasmparser::ElementSectionReader<'_>) -> Result<(), Fault> {
        at_most("number of element segments", u64::from(reader.count()), limits::MODULE_SEGMENTS_MAX)?;
        let mut total = 0;
        for element in reader.clone() {
            let element = element?;
            let count = match element.items {
                ElementItems::Functions(items) => u64::from(items.count()),
                ElementItems::Expressions(_, items) => u64::from(items.count()),
            };
            total += count;
            if matches!(element.kind, wasmparser::ElementKind::Active { .. }) {
                self.facts.active_elements += count;
            }
        }
        at_most("elements of all segments", total, limits::MODULE_ELEMENTS_MAX)?;
        Ok(())
    }

    fn data(&mut self, reader: &wasmparser::DataSectionReader<'_>) -> Result<(), Fault> {
        at_most("number of data segments", u64::from(reader.count()), limits::MODULE_SEGMENTS_MAX)?;
        let mut total = 0;
        for data in reader.clone() {
            let data = data?;
            total += data.data.len() as u64;
            if matches!(data.kind, DataKind::Active { .. }) {
                self.facts.active_data_bytes += data.data.len() as u64;
            }
        }
        at_most("bytes of all data segments", total, limits::MODULE_DATA_MAX_BYTES)?;
        Ok(())
    }

    fn exports_present(&self) -> Result<(), ValidateError> {
        if !self.has_start {
            return Err(ValidateError::Export("a function `_start` without parameters and results"));
        }
        if !self.has_memory {
            return Err(ValidateError::Export("its memory as `memory`"));
        }
        Ok(())
    }
}

fn inspect_function(
    function: FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'_>,
) -> Result<FunctionFacts, Fault> {
    at_most("bytes of a function", body.range().len() as u64, limits::FUNCTION_MAX_BYTES)?;
    let mut validator = function.into_validator(Default::default());
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader)?;
    let locals = validator.len_locals();
    at_most("locals of a function", u64::from(locals), limits::FUNCTION_LOCALS_MAX)?;
    let mut facts = FunctionFacts { locals, ..Default::default() };
    let mut operators = wasmparser::OperatorsReader::new(reader);
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        validator.op(offset, &operator)?;
        facts.operators += 1;
        facts.operands = facts.operands.max(validator.operand_stack_height());
        at_most(
            "nesting of a function",
            u64::from(validator.control_stack_height()),
            limits::FUNCTION_NESTING_MAX,
        )?;
        if let Operator::BrTable { targets } = &operator {
            at_most("targets of a br_table", u64::from(targets.len()), limits::BR_TABLE_MAX)?;
        }
    }
    operators.finish()?;
    at_most("operands of a function", u64::from(facts.operands), limits::FUNCTION_OPERANDS_MAX)?;
    Ok(facts)
}
