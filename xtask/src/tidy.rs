//! Tidy: the rules of the house that a program can check by reading the tree.
//!
//! Length of files and functions, layers of crates, words that the glossary bans, recipes of the Makefile, links between
//! documents, metrics that are described and drawn, trees of the contracts' unit tests. Knows nothing of formatting and lints: other tools do these.

mod functions;
mod layers;
mod links;
mod metrics;
mod trees;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// Longest source file, in lines.
const FILE_LINES_MAX: usize = 800;
/// Longest contract, in lines.
const CONTRACT_LINES_MAX: usize = 500;
/// Most recipes of the Makefile.
const RECIPES_MAX: usize = 15;

/// Folders that hold nothing written by hand.
const SKIPPED_FOLDERS: [&str; 8] =
    [".git", "target", "node_modules", "out", "cache", "dist", "build", "__pycache__"];
/// What is read, by the end of the file's name. JSON and lock files are not: they are generated, or data.
const READ: [&str; 17] = [
    "rs", "sol", "md", "toml", "ts", "svelte", "js", "mjs", "css", "html", "sh", "py", "c", "h", "yml",
    "tree", "Makefile",
];
/// Which of these are source files, whose length is bounded.
const SOURCES: [&str; 11] = ["rs", "sol", "ts", "svelte", "js", "mjs", "css", "sh", "py", "c", "h"];

/// One file of the tree.
struct File {
    /// From the root, with `/`.
    path: String,
    text: String,
}

impl File {
    /// The end of the name after the last dot, or the whole name.
    fn kind(&self) -> &str {
        self.path.rsplit(['.', '/']).next().unwrap_or_default()
    }
}

/// What breaks a rule: where, and what to do.
struct Problem(String);

impl Problem {
    fn at(path: &str, line: usize, what: impl std::fmt::Display) -> Self {
        Self(format!("{path}:{line}: {what}"))
    }

    fn of(path: &str, what: impl std::fmt::Display) -> Self {
        Self(format!("{path}: {what}"))
    }
}

/// Checks the tree.
pub(crate) fn run(root: &Path) -> Result<()> {
    let problems = problems(root)?;
    if problems.is_empty() {
        return Ok(());
    }
    let list: String = problems.iter().map(|problem| format!("\n  {}", problem.0)).collect();
    bail!("{} places break the rules of the house:{list}", problems.len())
}

fn problems(root: &Path) -> Result<Vec<Problem>> {
    let mut files = Vec::new();
    read_folder(root, root, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut problems = Vec::new();
    problems.extend(files.iter().filter_map(too_long));
    problems.extend(functions::problems(&files));
    problems.extend(layers::problems(&files)?);
    problems.extend(words::problems(&files));
    problems.extend(links::problems(root, &files));
    problems.extend(metrics::problems(root, &files));
    problems.extend(trees::problems(&files));
    problems.extend(files.iter().find(|file| file.path == "Makefile").and_then(too_many_recipes));
    Ok(problems)
}

fn read_folder(root: &Path, folder: &Path, files: &mut Vec<File>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
            read_folder(root, &path, files)?;
        } else if kind.is_file() && READ.contains(&name.rsplit('.').next().unwrap_or_default()) {
            files.push(read_file(root, path)?);
        }
    }
    Ok(())
}

fn read_file(root: &Path, path: PathBuf) -> Result<File> {
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
    Ok(File { path: relative, text })
}

fn too_long(file: &File) -> Option<Problem> {
    let highest = match file.kind() {
        "sol" if file.path.starts_with("contracts/src/") => CONTRACT_LINES_MAX,
        kind if SOURCES.contains(&kind) => FILE_LINES_MAX,
        _ => return None,
    };
    let lines = file.text.lines().count();
    (lines > highest)
        .then(|| Problem::of(&file.path, format!("{lines} lines, {highest} are allowed: split it")))
}

fn too_many_recipes(makefile: &File) -> Option<Problem> {
    let is_recipe = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        line.contains(':')
            && !line.contains(":=")
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let recipes = makefile.text.lines().filter(is_recipe).count();
    (recipes > RECIPES_MAX).then(|| {
        Problem::of(&makefile.path, format!("{recipes} recipes, {RECIPES_MAX} are allowed: merge some"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The problems of a tree of these files.
    pub(super) fn of(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("temporary folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folder");
            fs::write(path, text).expect("file");
        }
        problems(folder.path()).expect("readable").into_iter().map(|problem| problem.0).collect()
    }

    #[test]
    fn an_empty_tree_is_tidy() {
        assert_eq!(of(&[]), Vec::<String>::new());
    }

    #[test]
    fn long_files_are_found() {
        let long = "// line\n".repeat(501);
        let found =
            of(&[("contracts/src/A.sol", &long), ("contracts/test/A.t.sol", &long), ("web/a.ts", &long)]);
        assert_eq!(found, ["contracts/src/A.sol: 501 lines, 500 are allowed: split it"]);
        let longer = "// line\n".repeat(801);
        assert_eq!(of(&[("a.rs", &longer), ("docs/a.md", &longer), ("a.json", &longer)]).len(), 1);
    }

    #[test]
    fn what_is_generated_is_not_read() {
        let bad = "job\n".repeat(900);
        for path in ["target/a.rs", "web/node_modules/a/b.js", "contracts/out/A.sol", "a.json", "Cargo.lock"]
        {
            assert_eq!(of(&[(path, &bad)]), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn the_makefile_stays_small() {
        let recipes = |count| (0..count).map(|n| format!("r{n}: ## x\n\tdo: it\n")).collect::<String>();
        let head = "A := b\n.PHONY: r1\n";
        assert_eq!(of(&[("Makefile", &format!("{head}{}", recipes(15)))]), Vec::<String>::new());
        assert_eq!(of(&[("Makefile", &format!("{head}{}", recipes(16)))]).len(), 1);
    }
}
