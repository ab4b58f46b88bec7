//! Test vectors: cases for every encoding and formula, written by the protocol crate and read by Rust, Solidity and the web.
//!
//! The files are a function of the code: no clock, no randomness but a hash chain from a fixed seed.

mod cases;
mod confidence;
mod contributions;
mod lot;
mod orders;
mod payouts;
mod receipts;
mod words;

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Folder of the vectors, from the repository's root.
pub(crate) const FOLDER: &str = "vectors";

/// Every file of the folder that is generated, with its content.
pub(crate) fn files() -> Result<Vec<(String, String)>> {
    let values = [
        ("cases", cases::cases()?),
        ("orders", orders::cases()?),
        ("lot", lot::cases()?),
        ("receipts", receipts::cases()?),
        ("contributions", contributions::cases()?),
        ("confidence", confidence::cases()?),
        ("payouts", payouts::cases()?),
    ];
    values.into_iter().map(|(name, value)| Ok((format!("{name}.json"), text(&value)?))).collect()
}

/// Writes the files.
pub(crate) fn write(root: &Path) -> Result<()> {
    for (name, content) in files()? {
        let path = root.join(FOLDER).join(&name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Compares the committed files byte for byte with what the code generates.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut stale = Vec::new();
    for (name, content) in files()? {
        let path = root.join(FOLDER).join(&name);
        let committed =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if committed != content {
            stale.push(name);
        }
    }
    if !stale.is_empty() {
        bail!(
            "{FOLDER}/: {} differ from what the code generates; run `make gen`, and read the difference: it changes a rule",
            stale.join(", ")
        );
    }
    Ok(())
}

/// One case a line, so that a change of a rule shows as the lines that it changes.
fn text(sections: &Value) -> Result<String> {
    let sections = sections.as_object().context("a file of vectors is an object of sections")?;
    let mut out = String::from("{\n");
    for (number, (name, cases)) in sections.iter().enumerate() {
        let cases = cases.as_array().with_context(|| format!("section {name} is no array"))?;
        out += &format!("  \"{name}\": [\n");
        for (index, case) in cases.iter().enumerate() {
            let comma = if index + 1 < cases.len() { "," } else { "" };
            out += &format!("    {case}{comma}\n");
        }
        out += if number + 1 < sections.len() { "  ],\n" } else { "  ]\n" };
    }
    Ok(out + "}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The root of the repository.
    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository")
    }

    #[test]
    fn the_committed_vectors_are_what_the_code_generates() {
        check(root()).expect("vectors are up to date");
    }

    #[test]
    fn generation_is_deterministic() {
        assert_eq!(files().expect("first"), files().expect("second"));
    }

    #[test]
    fn every_section_has_cases_and_sorted_keys() {
        for (name, content) in files().expect("vectors") {
            let value: Value = serde_json::from_str(&content).expect("JSON");
            for (section, cases) in value.as_object().expect("object") {
                let cases = cases.as_array().expect("array");
                assert!(!cases.is_empty(), "{name} {section} is empty");
                for case in cases {
                    let keys: Vec<_> = case.as_object().expect("flat object").keys().collect();
                    assert!(keys.is_sorted(), "{name} {section}: {keys:?}");
                }
            }
        }
    }

    /// What no contract computes: see the README of the vectors.
    const RUST_ALONE: [&str; 2] = ["ownTraceKeys", "reservationMessages"];

    #[test]
    fn forge_reads_every_section_that_has_a_counterpart_on_chain() {
        let folder = root().join("contracts/test/vectors");
        let tests: String = fs::read_dir(&folder)
            .expect("tests of the vectors")
            .map(|file| fs::read_to_string(file.expect("file").path()).expect("Solidity"))
            .collect();
        for (name, content) in files().expect("vectors") {
            let value: Value = serde_json::from_str(&content).expect("JSON");
            for section in value.as_object().expect("object").keys() {
                let read = tests.contains(&format!("_section(\"{section}\")"));
                let alone = RUST_ALONE.contains(&section.as_str());
                assert!(
                    read != alone,
                    "{name} {section}: read by forge: {read}, named as Rust's alone: {alone}"
                );
            }
        }
    }

    #[test]
    fn a_changed_vector_is_noticed() {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::create_dir(folder.path().join(FOLDER)).expect("folder");
        write(folder.path()).expect("written");
        check(folder.path()).expect("fresh vectors pass");
        let path = folder.path().join(FOLDER).join("lot.json");
        let changed = fs::read_to_string(&path).expect("lot").replacen("0x", "0X", 1);
        fs::write(&path, changed).expect("changed");
        assert!(check(folder.path()).expect_err("stale").to_string().contains("lot.json"));
    }
}
