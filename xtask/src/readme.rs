//! The measured comparison in `README.md`: a table between two marks, written from the gas snapshot.
//!
//! Knows nothing of how gas is measured; the ancestor's figures are constants with their source.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use serde_json::Value;

const BEGIN: &str = "<!-- gas: begin, written by `make gen` -->\n";
const END: &str = "<!-- gas: end -->\n";

/// Key in `contracts/snapshots/gas.json`, what it is, and iExec PoCo v6.2.0 under the same conditions: compiled from
/// its source with its own settings, real transactions on anvil, accounts and orders in steady state.
const ROWS: &[(&str, &str, Option<u64>)] = &[
    ("match", "match the orders of a deal", Some(677_213)),
    ("match_dataset", "the same, with a dataset", Some(782_451)),
    ("task_3_total", "a certified task, 3 workers, match to certificate", Some(2_479_669)),
    ("task_5_total", "a certified task, 5 workers", Some(3_247_896)),
    ("per_task_batch10_3", "per task, a deal of 10 in one batch, 3 workers", Some(1_889_933)),
    ("per_task_batch1000_3", "per task, a deal of 1,000 in one batch, 3 workers", Some(1_889_933)),
    ("marginal_worker", "each further agreeing worker", Some(384_000)),
    ("expire", "give up a task after its deadline", Some(153_508)),
    ("deploy_total", "deploy everything", Some(38_754_869)),
];

/// The README with the table of today's snapshot in it.
///
/// # Errors
/// A snapshot or README that can't be read, a key that the snapshot lacks, a README without the two marks.
fn render(root: &Path) -> Result<String> {
    let snapshot = fs::read_to_string(root.join("contracts/snapshots/gas.json"))
        .context("contracts/snapshots/gas.json: run `make gas` first")?;
    let readme = fs::read_to_string(root.join("README.md")).context("README.md")?;
    splice(&readme, &table(&serde_json::from_str(&snapshot)?)?)
}

/// Writes the README.
pub(crate) fn write(root: &Path) -> Result<()> {
    let readme = render(root)?;
    fs::write(root.join("README.md"), readme).context("cannot write README.md")
}

/// Compares the README with what would be written.
pub(crate) fn check(root: &Path) -> Result<()> {
    let committed = fs::read_to_string(root.join("README.md")).context("README.md")?;
    if committed != render(root)? {
        bail!("README.md: its gas table differs from contracts/snapshots/gas.json; run `make gen`");
    }
    Ok(())
}

fn splice(readme: &str, table: &str) -> Result<String> {
    let (Some(begin), Some(end)) = (readme.find(BEGIN), readme.find(END)) else {
        bail!("README.md lacks the marks {BEGIN:?} and {END:?}");
    };
    let head = &readme[..begin + BEGIN.len()];
    Ok(format!("{head}{table}{}", &readme[end..]))
}

fn table(gas: &Value) -> Result<String> {
    let mut rows = String::from("| gas | iExec PoCo v6.2.0 | Guildhall | ratio |\n|---|---:|---:|---:|\n");
    for &(key, what, theirs) in ROWS {
        let ours = gas[key].as_u64().with_context(|| format!("the gas snapshot lacks `{key}`"))?;
        let (theirs, ratio) = match theirs {
            Some(theirs) => (grouped(theirs), times(theirs, ours)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        rows += &format!("| {what} | {theirs} | {} | {ratio} |\n", grouped(ours));
    }
    Ok(rows)
}

/// `theirs / ours` with one decimal, rounded down.
fn times(theirs: u64, ours: u64) -> String {
    let tenths = theirs * 10 / ours.max(1);
    format!("{}.{}x", grouped(tenths / 10), tenths % 10)
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table_replaces_what_stood_between_the_marks() {
        let readme = format!("head\n{BEGIN}old\n{END}tail\n");
        assert_eq!(splice(&readme, "new\n").unwrap(), format!("head\n{BEGIN}new\n{END}tail\n"));
        assert!(splice("no marks", "new\n").is_err());
    }

    #[test]
    fn a_missing_key_is_an_error() {
        let error = table(&json!({ "match": 1 })).unwrap_err().to_string();
        assert!(error.contains("match_dataset"), "{error}");
    }

    #[test]
    fn numbers_are_grouped_and_ratios_rounded_down() {
        assert_eq!(grouped(2_479_669), "2,479,669");
        assert_eq!(grouped(999), "999");
        assert_eq!(times(2_479_669, 257_046), "9.6x");
    }
}
