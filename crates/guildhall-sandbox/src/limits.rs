//! Every number of the runtime: the fuel table and the limits. A change of any of them is a new runtime id.
//!
//! Knows nothing of how the numbers are applied.

use std::sync::LazyLock;

use alloy_primitives::B256;

/// Raised whenever the instrumented module, the host calls or the trace change for the same published module.
pub const INSTRUMENTER_VERSION: u32 = 2;

/// Bytes of a WebAssembly page.
pub const WASM_PAGE_BYTES: u64 = 65_536;

macro_rules! numbers {
    ($(#[$list_doc:meta])* $list:ident { $($(#[$doc:meta])* $name:ident: $ty:ty = $value:expr;)* }) => {
        $($(#[$doc])* pub const $name: $ty = $value;)*
        $(#[$list_doc])*
        pub const $list: &[(&str, u64)] = &[$((stringify!($name), $name as u64)),*];
    };
}

numbers! {
    /// The fuel table by name. One fuel is about one nanosecond of a simple machine.
    FUEL_TABLE {
        /// Any operator that is not named below.
        FUEL_OPERATOR: u64 = 1;
        /// Integer division and remainder.
        FUEL_INT_DIVIDE: u64 = 4;
        /// Floating-point division and square root, scalar and vector.
        FUEL_FLOAT_DIVIDE: u64 = 5;
        /// A call of a function of the module or of an import.
        FUEL_CALL: u64 = 2;
        /// A call through a table.
        FUEL_CALL_INDIRECT: u64 = 4;
        /// Declared locals (parameters included) per unit of fuel at function entry, rounded up.
        FUEL_LOCALS_PER_UNIT: u64 = 8;
        /// Bulk operations on memory: the base.
        FUEL_BULK_BASE: u64 = 300;
        /// Bulk operations on memory: a power of two of bytes per unit of fuel, rounded up.
        FUEL_BULK_BYTES_SHIFT: u64 = 5;
        /// Bulk operations on tables: the base; each element costs one more.
        FUEL_TABLE_BULK_BASE: u64 = 300;
        /// `memory.grow` and `table.grow`: the base.
        FUEL_GROW_BASE: u64 = 50;
        /// Each page asked for by `memory.grow`, and each page that the module starts with.
        FUEL_MEMORY_PAGE: u64 = 25_000;
        /// Each element asked for by `table.grow`, and each element that the module starts with.
        FUEL_TABLE_ELEMENT: u64 = 8;
        /// Each host call, before it works.
        FUEL_HOST_CALL: u64 = 500;
        /// Bytes moved by a host call: a power of two of bytes per unit of fuel, rounded up.
        FUEL_HOST_BYTES_SHIFT: u64 = 3;
        /// What each entry of a list costs that a host call walks (iovecs, directory entries, subscriptions).
        FUEL_HOST_ENTRY: u64 = 50;
        /// Each byte of a path: names are looked up one by one.
        FUEL_PATH_BYTE: u64 = 8;
        /// Each random byte.
        FUEL_RANDOM_BYTE: u64 = 2;
    }
}

numbers! {
    /// The limits by name.
    LIMITS {
        /// Fuel limit of a task at most.
        TASK_FUEL_MAX: u64 = 1 << 62;
        /// Memory limit of a task at most: the whole 32-bit address space.
        TASK_MEMORY_MAX_BYTES: u64 = 1 << 32;
        /// Arguments and environment of a task together, in bytes with a zero each.
        TASK_STRINGS_MAX_BYTES: u64 = 64 * 1024;
        /// Arguments, and environment variables, of a task at most (each).
        TASK_STRINGS_MAX: u64 = 256;
        /// Files under `/in` beside input and dataset.
        TASK_FILES_MAX: u64 = 64;
        /// Deal time at most: nanoseconds must fit 64 bits.
        TASK_TIME_MAX_SECS: u64 = 18_000_000_000;
        /// Size of a published module.
        MODULE_MAX_BYTES: u64 = 64 * 1024 * 1024;
        /// Types of a module.
        MODULE_TYPES_MAX: u64 = 10_000;
        /// Imports of a module.
        MODULE_IMPORTS_MAX: u64 = 256;
        /// Functions of a module.
        MODULE_FUNCTIONS_MAX: u64 = 100_000;
        /// Globals of a module.
        MODULE_GLOBALS_MAX: u64 = 1_000;
        /// Exports of a module.
        MODULE_EXPORTS_MAX: u64 = 10_000;
        /// Tables of a module.
        MODULE_TABLES_MAX: u64 = 16;
        /// Elements of each table, at the start and after growth.
        TABLE_ELEMENTS_MAX: u64 = 1_000_000;
        /// Data segments and element segments of a module (each).
        MODULE_SEGMENTS_MAX: u64 = 100_000;
        /// Bytes of all data segments of a module.
        MODULE_DATA_MAX_BYTES: u64 = 48 * 1024 * 1024;
        /// Elements of all element segments of a module.
        MODULE_ELEMENTS_MAX: u64 = 1_000_000;
        /// Bytes of one function body.
        FUNCTION_MAX_BYTES: u64 = 1024 * 1024;
        /// Bytes of one function body after metering: engines take somewhat more.
        METERED_FUNCTION_MAX_BYTES: u64 = 7_000_000;
        /// Locals of one function, parameters included.
        FUNCTION_LOCALS_MAX: u64 = 40_000;
        /// Height of the operand stack of one function.
        FUNCTION_OPERANDS_MAX: u64 = 100_000;
        /// Nested blocks of one function.
        FUNCTION_NESTING_MAX: u64 = 4_096;
        /// Targets of one `br_table`.
        BR_TABLE_MAX: u64 = 16_384;
        /// Parameters of one function, and results (each).
        SIGNATURE_MAX: u64 = 500;
        /// Depth that a task may use, in units: see `FRAME_UNITS_BASE`.
        DEPTH_UNITS_MAX: u64 = 1 << 20;
        /// Units of every frame, before its locals, operands and operators are added.
        FRAME_UNITS_BASE: u64 = 8;
        /// Operators of a function per unit of depth: machine code may keep values alive that are neither locals nor operands.
        FRAME_OPERATORS_PER_UNIT: u64 = 8;
        /// A function that calls nothing and stays below this many units is not counted: one such frame at most is alive.
        LEAF_UNITS_MAX: u64 = 1_024;
        /// File descriptors open at once, standard streams and the root included.
        FDS_MAX: u64 = 64;
        /// Files and directories that a task may create.
        FILES_MAX: u64 = 1_024;
        /// Bytes that a task may keep in files under `/out` and in its standard output, together.
        OUTPUT_MAX_BYTES: u64 = 64 * 1024 * 1024;
        /// Bytes kept of the end of standard error.
        STDERR_TAIL_BYTES: u64 = 64 * 1024;
        /// Bytes of a path.
        PATH_MAX_BYTES: u64 = 4_096;
        /// Bytes of one name in a path.
        NAME_MAX_BYTES: u64 = 255;
        /// Iovecs of one read or write.
        IOVECS_MAX: u64 = 1_024;
        /// Subscriptions of one `poll_oneoff`.
        SUBSCRIPTIONS_MAX: u64 = 1_024;
    }
}

/// The identity of this runtime: features, fuel table, instrumenter, import set and limits.
///
/// Two machines with the same runtime id give the same receipt for the same task. Deals name it, and a worker
/// without it has no seat.
pub fn runtime_id() -> B256 {
    static ID: LazyLock<B256> = LazyLock::new(|| {
        let mut hasher = blake3::Hasher::new_derive_key("guildhall 2026-11 runtime id");
        hasher.update(&INSTRUMENTER_VERSION.to_le_bytes());
        hasher.update(&crate::validate::features().bits().to_le_bytes());
        for (name, value) in FUEL_TABLE.iter().chain(LIMITS) {
            hasher.update(name.as_bytes()).update(&[0]).update(&value.to_le_bytes());
        }
        for import in crate::wasi::imports() {
            hasher.update(import.name.as_bytes()).update(&[0]);
            hasher.update(import.params.as_bytes()).update(&[0]);
        }
        B256::from(*hasher.finalize().as_bytes())
    });
    *ID
}
