//! Trees of the unit tests: each file of `contracts/test/unit` has a `.tree` beside it that says, contract by contract and
//! function by function, what is given and what happens. Every leaf has its test, and every test its leaf.
//!
//! A test's name is its path in the tree: `test_match_givenAnExpiredOrder_itNamesTheOrder`.

use std::collections::BTreeSet;

use super::{File, Problem};

const FOLDER: &str = "contracts/test/unit/";

/// A path from a contract to a leaf, or a contract and a test's name: letters and digits alone, because a tree is prose.
type Path = (String, String);

pub(super) fn problems(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with(FOLDER)) {
        if let Some(stem) = file.path.strip_suffix(".t.sol") {
            let path = format!("{stem}.tree");
            match files.iter().find(|file| file.path == path) {
                Some(tree) => problems.extend(compare(file, tree)),
                None => problems.push(Problem::of(&file.path, format!("no tree: write {path}"))),
            }
        } else if let Some(stem) = file.path.strip_suffix(".tree") {
            let tests = format!("{stem}.t.sol");
            if !files.iter().any(|file| file.path == tests) {
                problems.push(Problem::of(&file.path, format!("a tree without tests: there is no {tests}")));
            }
        }
    }
    problems
}

fn compare(tests: &File, tree: &File) -> Vec<Problem> {
    let (named, drawn) = (tests_of(&tests.text), leaves_of(&tree.text));
    let missing = drawn.iter().filter(|(path, _)| !named.iter().any(|(other, _)| other == path));
    let undrawn = named.iter().filter(|(path, _)| !drawn.iter().any(|(other, _)| other == path));
    let mut problems: Vec<_> = missing
        .map(|(_, line)| Problem::at(&tree.path, *line, format!("no test of this leaf in {}", tests.path)))
        .chain(undrawn.map(|(_, line)| {
            Problem::at(&tests.path, *line, format!("this test has no leaf in {}", tree.path))
        }))
        .collect();
    let mut seen = BTreeSet::new();
    let twice = drawn.iter().filter(|(path, _)| !seen.insert(path));
    problems.extend(twice.map(|(_, line)| Problem::at(&tree.path, *line, "this leaf is there twice")));
    problems
}

/// The tests of a Solidity file, with their lines.
fn tests_of(text: &str) -> Vec<(Path, usize)> {
    let mut contract = String::new();
    let mut tests = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix("contract ") {
            contract = plain(name.split(' ').next().unwrap_or_default());
        }
        let function = line.trim_start().strip_prefix("function test");
        let name = function.and_then(|name| name.split('(').next()).and_then(|name| name.split_once('_'));
        if let Some((_, name)) = name {
            tests.push(((contract.clone(), plain(name)), at + 1));
        }
    }
    tests
}

/// The leaves of a tree, with their lines: a contract stands at the margin, a level is four columns.
fn leaves_of(text: &str) -> Vec<(Path, usize)> {
    let lines: Vec<_> = text.lines().map(|line| (depth(line), line)).collect();
    let mut branch: Vec<String> = Vec::new();
    let mut leaves = Vec::new();
    for (at, &(level, line)) in lines.iter().enumerate() {
        branch.truncate(level);
        branch.push(plain(line));
        let ends = lines.get(at + 1).is_none_or(|&(next, _)| next <= level);
        if level > 0 && ends {
            leaves.push(((branch[0].clone(), branch[1..].concat()), at + 1));
        }
    }
    leaves
}

fn depth(line: &str) -> usize {
    line.chars().take_while(|letter| "│├└─ ".contains(*letter)).count() / 4
}

fn plain(text: &str) -> String {
    text.chars()
        .filter(|letter| letter.is_ascii_alphanumeric())
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;

    const TESTS: &str = "contract ATest is Base {\n    function setUp() public {}\n    \
        function test_go_itGoes() public {}\n    function test_go_givenRain_itStays() public view {}\n}\n";
    const TREE: &str = "ATest\n└── go\n    ├── it goes\n    └── given rain\n        └── it stays\n";

    fn unit(tests: &str, tree: &str) -> Vec<String> {
        of(&[("contracts/test/unit/A.t.sol", tests), ("contracts/test/unit/A.tree", tree)])
    }

    #[test]
    fn a_tree_that_says_what_the_tests_do_is_tidy() {
        assert_eq!(unit(TESTS, TREE), Vec::<String>::new());
    }

    #[test]
    fn a_leaf_without_a_test_is_found() {
        let more = format!("{TREE}    └── given snow\n        └── it slides\n");
        let found = unit(TESTS, &more);
        assert_eq!(
            found,
            ["contracts/test/unit/A.tree:7: no test of this leaf in contracts/test/unit/A.t.sol"]
        );
    }

    #[test]
    fn a_test_without_a_leaf_is_found() {
        let found = unit(TESTS, "ATest\n└── go\n    └── it goes\n");
        assert_eq!(
            found,
            ["contracts/test/unit/A.t.sol:4: this test has no leaf in contracts/test/unit/A.tree"]
        );
        assert_eq!(unit(TESTS, &TREE.replace("ATest", "BTest")).len(), 4, "another contract's leaves");
    }

    #[test]
    fn a_leaf_that_is_there_twice_is_found() {
        let found = unit(TESTS, &format!("{TREE}    └── it goes\n"));
        assert_eq!(found, ["contracts/test/unit/A.tree:6: this leaf is there twice"]);
    }

    #[test]
    fn tests_need_a_tree_and_a_tree_tests() {
        let found = of(&[("contracts/test/unit/A.t.sol", TESTS), ("contracts/test/unit/B.tree", TREE)]);
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("write contracts/test/unit/A.tree"), "{found:?}");
        assert!(found[1].contains("there is no contracts/test/unit/B.t.sol"), "{found:?}");
        assert_eq!(of(&[("contracts/test/holes/A.t.sol", TESTS)]), Vec::<String>::new());
    }
}
