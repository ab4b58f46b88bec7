//! Prepares the compiler's ABI files for `sol!`.
//!
//! `sol!` takes a user-defined value type (`type MemberWord is uint256`) for a struct where a struct of another interface
//! holds it. Their ABI is that of the type below, so the files are read with that type instead: nothing else changes.

use std::{env, error::Error, fs, path::Path};

use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=abi");
    let out = env::var("OUT_DIR")?;
    for entry in fs::read_dir("abi")? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|ext| ext == "json"))
        else {
            continue;
        };
        let mut artifact: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        plain(&mut artifact);
        fs::write(Path::new(&out).join(name), artifact.to_string())?;
    }
    Ok(())
}

/// Replaces every `internalType` that is neither a struct, an enum nor a contract by the type itself.
fn plain(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(plain),
        Value::Object(fields) => {
            fields.values_mut().for_each(plain);
            let kept = ["struct ", "enum ", "contract "];
            let is_value = |name: &str| !kept.iter().any(|kind| name.starts_with(kind));
            if let (Some(Value::String(name)), Some(plain)) =
                (fields.get("internalType"), fields.get("type").cloned())
                && is_value(name)
            {
                fields.insert("internalType".into(), plain);
            }
        }
        _ => {}
    }
}
