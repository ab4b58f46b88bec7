//! What the fuzz targets do with bytes: read them as somebody outside would send them, and hold what must hold of whatever is read.
//!
//! One module a target, with what it checks and what it starts from (`seeds`). A target fails by a panic, by more memory than its
//! limit, or by taking longer than its time. Knows nothing of how the bytes are made.

#[cfg(feature = "worker")]
pub mod journal;
#[cfg(feature = "chain")]
pub mod json_rpc;
pub mod manifests;
pub mod messages;
#[cfg(feature = "sandbox")]
pub mod modules;
pub mod orders;
pub mod receipts;
#[cfg(feature = "chain")]
pub mod reverts;
#[cfg(feature = "sandbox")]
pub mod wasi;

use std::{env, fmt::Debug, fs, path::Path};

use alloy_primitives::Bytes;
use serde::{Serialize, de::DeserializeOwned};

/// Writes what a target starts from into the directory that `FUZZ_SEEDS` names. libFuzzer reads it afterwards: most of these
/// formats have fields that nobody finds by chance.
pub fn plant(seeds: fn() -> Vec<Vec<u8>>) {
    let Some(directory) = env::var_os("FUZZ_SEEDS") else { return };
    for (number, seed) in seeds().into_iter().enumerate() {
        fs::write(Path::new(&directory).join(format!("seed-{number:03}")), seed).expect("room for the seeds");
    }
}

/// JSON of a type: what is read is written and read again as the same.
fn json<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(bytes).ok()?;
    let text = serde_json::to_vec(&value).expect("what was read can be written");
    let again: T = serde_json::from_slice(&text).expect("what was written can be read");
    assert_eq!(value, again);
    Some(value)
}

fn written(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("what is typed can be written")
}

/// The ABI encodings of one list of test vectors.
fn vectors(file: &str, list: &str) -> Vec<Bytes> {
    let file: serde_json::Value = serde_json::from_str(file).expect("generated");
    let encoded = |vector: &serde_json::Value| serde_json::from_value(vector["encoded"].clone()).ok();
    file[list].as_array().expect("generated").iter().filter_map(encoded).collect()
}
