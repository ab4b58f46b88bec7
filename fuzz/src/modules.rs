//! Published modules: bytes as they come, and valid modules of any shape.

use arbitrary::Unstructured;
use guildhall_sandbox::{Metering, instrument};
use wasm_smith::{Config, Module};
use wasmparser::Validator;

/// What the instrumenter makes of a module is a module; what it refuses it refuses.
pub fn modules(bytes: &[u8]) {
    check(bytes);
    let config = Config {
        max_imports: 4,
        max_funcs: 12,
        max_instructions: 200,
        memory64_enabled: false,
        threads_enabled: false,
        gc_enabled: false,
        exceptions_enabled: false,
        tail_call_enabled: false,
        relaxed_simd_enabled: false,
        max_memories: 1,
        max_memory32_bytes: 1 << 24,
        max_table_elements: 1_000,
        ..Config::default()
    };
    if let Ok(module) = Module::new(config, &mut Unstructured::new(bytes)) {
        check(&module.to_bytes());
    }
}

fn check(wasm: &[u8]) {
    for metering in [Metering::On, Metering::Off] {
        if let Ok(made) = instrument(wasm, metering) {
            let valid = Validator::new().validate_all(&made.wasm);
            assert!(valid.is_ok(), "{metering:?}: {:?}", valid.err());
            let again = instrument(wasm, metering).expect("as before");
            assert_eq!(made.wasm, again.wasm, "the same bytes give the same bytes");
        }
    }
}
