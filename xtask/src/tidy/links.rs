//! Links between documents: the file is there, and so is the heading.

use std::path::{Component, Path, PathBuf};

use super::{File, Problem};

pub(super) fn problems(root: &Path, files: &[File]) -> Vec<Problem> {
    let documents = files.iter().filter(|file| file.kind() == "md");
    documents.flat_map(|file| of_document(root, files, file)).collect()
}

fn of_document(root: &Path, files: &[File], file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (line, text) in prose(&file.text) {
        for link in links(text) {
            let (target, heading) = link.split_once('#').unwrap_or((link, ""));
            let foreign = target.contains("://") || target.starts_with("mailto:");
            if foreign || target.starts_with('/') {
                continue;
            }
            let path = if target.is_empty() { file.path.clone() } else { beside(&file.path, target) };
            if !root.join(&path).exists() {
                problems.push(Problem::at(
                    &file.path,
                    line,
                    format!("link to `{link}`: there is no such file"),
                ));
            } else if !heading.is_empty() && !has_heading(files, &path, heading) {
                problems.push(Problem::at(
                    &file.path,
                    line,
                    format!("link to `{link}`: there is no such heading"),
                ));
            }
        }
    }
    problems
}

/// Lines outside fenced code, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    })
}

/// The targets of `[text](target)`, outside of code.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let outside_code = line.split('`').step_by(2);
    outside_code.flat_map(|text| {
        text.split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', ' ']).next())
            .filter(|link| !link.is_empty())
    })
}

/// The path of a link's target, from the root.
fn beside(document: &str, target: &str) -> String {
    let mut path = PathBuf::from(document);
    path.pop();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(part) => path.push(part),
            _ => {}
        }
    }
    path.to_string_lossy().into_owned()
}

/// Whether the document has the heading; files that are no documents have every one.
fn has_heading(files: &[File], path: &str, heading: &str) -> bool {
    let Some(file) = files.iter().find(|file| file.path == path && file.kind() == "md") else { return true };
    let mut headings = prose(&file.text).filter(|(_, line)| line.starts_with('#'));
    headings.any(|(_, line)| anchor(line.trim_start_matches('#').trim()) == heading)
}

/// What code hosts make of a heading: lowercase, spaces as dashes, punctuation dropped.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        let page = "[a](b.md) [c](../README.md#two-words-42) [d](#here) [e](https://x.example/y) [f](../src/)\n# Here\n\
                    `[code](nowhere.md)`\n```\n[fenced](nowhere.md)\n```\n";
        let files =
            [("docs/a.md", page), ("docs/b.md", ""), ("README.md", "## Two words: 42!\n"), ("src/a.rs", "")];
        assert_eq!(of(&files), Vec::<String>::new());
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let found = of(&[("docs/a.md", "x\n[a](b.md)\n[b](a.md#gone)\n"), ("b.md", "")]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("docs/a.md:2: link to `b.md`: there is no such file"), "{found:?}");
        assert!(
            found[1].starts_with("docs/a.md:3: link to `a.md#gone`: there is no such heading"),
            "{found:?}"
        );
    }
}
