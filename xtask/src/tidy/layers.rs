//! Layers of crates, as the table in `ARCHITECTURE.md` has them: a crate depends only on lower ones.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::{File, Problem};

/// Layer of the roles, which never import each other, not even in tests.
const ROLES: u8 = 2;
/// What stands in the table for a crate that only tests may use.
const DEV: &str = "dev";

/// A crate's place: a layer, or for tests only.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Layer(u8),
    Dev,
}

pub(super) fn problems(files: &[File]) -> Result<Vec<Problem>> {
    let Some(map) = files.iter().find(|file| file.path == "ARCHITECTURE.md") else {
        return Ok(Vec::new());
    };
    let places = places(&map.text);
    let mut problems = Vec::new();
    for file in files {
        let Some(name) = file.path.strip_prefix("crates/").and_then(|path| path.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        let manifest: toml::Table =
            toml::from_str(&file.text).with_context(|| format!("{} is no TOML", file.path))?;
        match places.get(name) {
            None => problems
                .push(Problem::of(&file.path, "not in the table of ARCHITECTURE.md: add it to its layer")),
            Some(&place) => problems.extend(of_crate(file, name, place, &manifest, &places)),
        }
    }
    Ok(problems)
}

/// Rows such as `| 1 | `guildhall-chain` | ...`.
fn places(text: &str) -> BTreeMap<String, Place> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let place = match cells.next()? {
            DEV => Place::Dev,
            layer => Place::Layer(layer.parse().ok()?),
        };
        Some((cells.next()?.trim_matches('`').to_owned(), place))
    };
    text.lines().filter_map(row).collect()
}

fn of_crate(
    file: &File,
    name: &str,
    place: Place,
    manifest: &toml::Table,
    places: &BTreeMap<String, Place>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (section, for_tests) in
        [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
    {
        let table = manifest.get(section).and_then(toml::Value::as_table);
        for other in table.into_iter().flat_map(toml::Table::keys).filter(|other| other.as_str() != name) {
            let Some(&theirs) = places.get(other.as_str()) else { continue };
            let allowed = match (place, theirs) {
                (Place::Layer(ROLES), Place::Layer(ROLES)) => false,
                _ if for_tests => true,
                (Place::Dev, _) => true,
                (Place::Layer(_), Place::Dev) => false,
                (Place::Layer(mine), Place::Layer(theirs)) => theirs < mine,
            };
            if !allowed {
                let what = format!("[{section}] `{other}` is not in a lower layer: move what is shared down");
                problems.push(Problem::of(&file.path, what));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;

    const MAP: &str = "| layer | crate |\n|---|---|\n| 0 | `base` |\n| 1 | `chain` |\n| 2 | `worker` |\n\
                       | 2 | `coordinator` |\n| 3 | `binary` |\n| dev | `testkit` |\n";

    fn found(name: &str, manifest: &str) -> Vec<String> {
        of(&[("ARCHITECTURE.md", MAP), (&format!("crates/{name}/Cargo.toml"), manifest)])
    }

    #[test]
    fn lower_layers_are_allowed() {
        let binary = "[dependencies]\nbase.workspace = true\nworker.workspace = true\nserde = \"1\"\n";
        assert_eq!(found("binary", binary), Vec::<String>::new());
        assert_eq!(found("chain", "[dev-dependencies]\ntestkit.workspace = true\n"), Vec::<String>::new());
        assert_eq!(found("testkit", "[dependencies]\nworker.workspace = true\n"), Vec::<String>::new());
    }

    #[test]
    fn the_same_layer_and_higher_ones_are_not() {
        for (name, other) in
            [("chain", "worker"), ("base", "chain"), ("worker", "binary"), ("binary", "testkit")]
        {
            let found = found(name, &format!("[dependencies]\n{other} = {{ workspace = true }}\n"));
            assert_eq!(found.len(), 1, "{name} {other}");
            assert!(found[0].contains(&format!("`{other}`")), "{found:?}");
        }
        assert_eq!(found("base", "[build-dependencies]\nchain = \"1\"\n").len(), 1);
    }

    #[test]
    fn roles_never_import_each_other() {
        assert_eq!(found("worker", "[dependencies]\ncoordinator.workspace = true\n").len(), 1);
        assert_eq!(found("worker", "[dev-dependencies]\ncoordinator.workspace = true\n").len(), 1);
    }

    #[test]
    fn a_crate_without_a_layer_is_found() {
        assert!(found("new", "[package]\nname = \"new\"\n")[0].contains("not in the table"));
    }
}
