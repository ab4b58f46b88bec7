//! Metrics: what the code counts is described for operators and drawn on the dashboard, and neither names anything else.

use std::{collections::BTreeSet, fs, path::Path};

use super::{File, Problem};

/// Describes each metric, in the table of this section.
const DESCRIPTION: (&str, &str) = ("docs/operations.md", "## Metrics");
/// Draws each, in Grafana.
const DASHBOARD: &str = "docs/grafana.json";
/// What a histogram is exported as, beside its own name.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

pub(super) fn problems(root: &Path, files: &[File]) -> Vec<Problem> {
    let Some(description) = files.iter().find(|file| file.path == DESCRIPTION.0) else { return Vec::new() };
    let dashboard = fs::read_to_string(root.join(DASHBOARD)).unwrap_or_default();
    let sources = files.iter().filter(|file| file.path.starts_with("crates/") && file.kind() == "rs");
    let counted: BTreeSet<_> = sources.flat_map(|file| counted(&file.text)).collect();
    let places = [(DESCRIPTION.0, described(&description.text)), (DASHBOARD, drawn(&dashboard))];
    let mut problems = Vec::new();
    for (path, named) in places {
        let missing = counted.difference(&named).map(|name| format!("`{name}` is counted, and not here"));
        let unknown = named.difference(&counted).map(|name| format!("nothing counts `{name}`"));
        problems.extend(missing.chain(unknown).map(|what| Problem::of(path, what)));
    }
    problems
}

/// The names that a source gives to counters, gauges and histograms, but for those of tests.
fn counted(text: &str) -> BTreeSet<String> {
    let calls = ["counter!(", "gauge!(", "histogram!("].into_iter().flat_map(|call| text.split(call).skip(1));
    let names = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    names.filter(|name| !name.starts_with("test_")).map(str::to_owned).collect()
}

/// The names in the first column of the table, without their labels.
fn described(text: &str) -> BTreeSet<String> {
    let section = text.split(DESCRIPTION.1).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let cells = section.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.filter_map(|name| name.split('{').next()).map(str::to_owned).collect()
}

/// The names in the queries of a dashboard.
fn drawn(text: &str) -> BTreeSet<String> {
    let queries = text.split("\"expr\": \"").skip(1).filter_map(|rest| rest.split("\",").next());
    let words = queries.flat_map(|query| query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    // Every metric's name has an underscore; of the queries' functions one has.
    let names = words.filter(|word| word.contains('_') && *word != "histogram_quantile");
    names
        .map(|name| SUFFIXES.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;

    const CODE: (&str, &str) = (
        "crates/a/src/a.rs",
        "metrics::counter!(\"a_total\", \"x\" => 1); metrics::histogram!(\n \"b_seconds\");",
    );
    const TABLE: &str = "## Metrics\n\n| metric | kind |\n|---|---|\n| `a_total{x}`, `b_seconds` | counter |\n\n## More\n| `c_d` |";
    const PANELS: &str = r#"{"expr": "rate(a_total[5m])", "x": 1} {"expr": "histogram_quantile(0.9, rate(b_seconds_bucket[5m]))", "y": 1}"#;

    #[test]
    fn what_is_described_and_drawn_is_tidy() {
        let files = [CODE, ("docs/operations.md", TABLE), ("docs/grafana.json", PANELS)];
        assert_eq!(of(&files), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_or_unknown_is_found() {
        let files = [CODE, ("docs/operations.md", "## Metrics\n| `a_total` |\n| `c_total` |\n")];
        let expected = [
            "docs/operations.md: `b_seconds` is counted, and not here",
            "docs/operations.md: nothing counts `c_total`",
            "docs/grafana.json: `a_total` is counted, and not here",
            "docs/grafana.json: `b_seconds` is counted, and not here",
        ];
        assert_eq!(of(&files), expected);
    }
}
