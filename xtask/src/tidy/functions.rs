//! Length of functions, in Rust by its grammar, in Solidity by its braces.

use proc_macro2::Span;
use syn::{spanned::Spanned, visit::Visit};

use super::{File, Problem};

/// Longest function, in lines, from its head to its closing brace.
const LINES_MAX: usize = 70;
/// What most functions stay below.
const LINES_USUAL: usize = 40;
/// Share of functions that may be longer than usual, in percent.
const LONGER_PERCENT: usize = 5;
/// A tree of fewer functions has no share worth speaking of.
const SHARE_FROM: usize = 200;

/// One function.
struct Function {
    path: String,
    line: usize,
    name: String,
    lines: usize,
}

pub(super) fn problems(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (language, scan) in [("rs", rust as fn(&File) -> Result<Vec<Function>, Problem>), ("sol", solidity)] {
        let mut functions = Vec::new();
        for file in files.iter().filter(|file| file.kind() == language) {
            match scan(file) {
                Ok(found) => functions.extend(found),
                Err(problem) => problems.push(problem),
            }
        }
        problems.extend(functions.iter().filter(|function| function.lines > LINES_MAX).map(too_long));
        problems.extend(too_many_long(language, &functions));
    }
    problems
}

fn too_long(function: &Function) -> Problem {
    let Function { path, line, name, lines } = function;
    Problem::at(
        path,
        *line,
        format!("function `{name}` has {lines} lines, {LINES_MAX} are allowed: split it"),
    )
}

fn too_many_long(language: &str, functions: &[Function]) -> Option<Problem> {
    let long = functions.iter().filter(|function| function.lines > LINES_USUAL).count();
    (functions.len() >= SHARE_FROM && long * 100 > functions.len() * LONGER_PERCENT).then(|| {
        let all = functions.len();
        Problem(format!(
            "{long} of {all} functions in .{language} files have more than {LINES_USUAL} lines, {LONGER_PERCENT} % are allowed"
        ))
    })
}

fn rust(file: &File) -> Result<Vec<Function>, Problem> {
    let tree = syn::parse_file(&file.text)
        .map_err(|error| Problem::at(&file.path, error.span().start().line, format!("no Rust: {error}")))?;
    let mut visitor = Functions { path: &file.path, found: Vec::new() };
    visitor.visit_file(&tree);
    Ok(visitor.found)
}

/// Collects every function with a body, nested ones too.
struct Functions<'a> {
    path: &'a str,
    found: Vec<Function>,
}

impl Functions<'_> {
    fn add(&mut self, signature: &syn::Signature, end: Span) {
        let line = signature.span().start().line;
        let lines = end.end().line + 1 - line;
        self.found.push(Function {
            path: self.path.to_owned(),
            line,
            name: signature.ident.to_string(),
            lines,
        });
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, item.block.span());
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, item.block.span());
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block.span());
        }
        syn::visit::visit_trait_item_fn(self, item);
    }
}

fn solidity(file: &File) -> Result<Vec<Function>, Problem> {
    let code = without_comments(&file.text);
    let lines: Vec<&str> = code.lines().collect();
    let mut functions = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let mut words = line.split([' ', '(', '\t']).filter(|word| !word.is_empty());
        let name = match words.next() {
            Some("function" | "modifier") => words.next().unwrap_or_default(),
            Some(head @ ("constructor" | "receive" | "fallback")) => head,
            _ => continue,
        };
        if let Some(length) = length(&lines[at..]) {
            functions.push(Function {
                path: file.path.clone(),
                line: at + 1,
                name: name.to_owned(),
                lines: length,
            });
        }
    }
    Ok(functions)
}

/// Lines to the brace that closes the first one; nothing where a `;` comes before (a declaration) or none closes.
fn length(lines: &[&str]) -> Option<usize> {
    let mut depth = 0usize;
    for (at, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '{' => depth += 1,
                ';' if depth == 0 => return None,
                '}' if depth <= 1 => return (depth == 1).then_some(at + 1),
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    None
}

/// The text with comments and strings blanked, line for line.
fn without_comments(text: &str) -> String {
    #[derive(PartialEq)]
    enum In {
        Code,
        Line,
        Block,
        Text(char),
    }
    let (mut place, mut out) = (In::Code, String::with_capacity(text.len()));
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let (then, shown) = match (&place, c, next) {
            (In::Line, '\n', _) => (In::Code, true),
            (In::Code, '/', Some('/')) => (In::Line, false),
            (In::Code, '/', Some('*')) => (In::Block, false),
            (In::Code, '"' | '\'', _) => (In::Text(c), false),
            (In::Code, ..) => (In::Code, true),
            (In::Block, '*', Some('/')) => {
                chars.next();
                (In::Code, false)
            }
            (In::Text(_), '\\', Some(_)) => {
                chars.next();
                continue;
            }
            (In::Text(quote), ..) if *quote == c => (In::Code, false),
            _ => {
                out.push(if c == '\n' { '\n' } else { ' ' });
                continue;
            }
        };
        place = then;
        out.push(if shown { c } else { ' ' });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;

    fn body(lines: usize) -> String {
        "    x();\n".repeat(lines)
    }

    #[test]
    fn long_rust_functions_are_found_wherever_they_are() {
        let text = format!(
            "fn short() {{\n{}}}\nstruct A;\nimpl A {{\nfn long() {{\n{}}}\n}}\nmod m {{ fn inner() {{\n{}}} }}\n",
            body(68),
            body(69),
            body(69)
        );
        let found = of(&[("a.rs", &text)]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("`long` has 71 lines"), "{found:?}");
        assert!(found[1].contains("`inner` has 71 lines"), "{found:?}");
    }

    #[test]
    fn braces_in_texts_do_not_confuse() {
        let rust = format!("fn a() {{\n    let _ = (\"}}\", '}}', r#\"}}\"#); // }}\n{}}}\n", body(69));
        assert_eq!(of(&[("a.rs", &rust)]).len(), 1);
        let solidity = format!("function a() {{\n  string s = \"}}\"; // }}\n  /* }}\n */\n{}}}\n", body(69));
        assert_eq!(of(&[("a.sol", &solidity)]).len(), 1);
    }

    #[test]
    fn solidity_declarations_have_no_length() {
        let declared = format!("interface A {{\nfunction a() external;\n{}}}\n", body(99));
        assert_eq!(of(&[("a.sol", &declared)]), Vec::<String>::new());
    }

    #[test]
    fn broken_rust_is_named() {
        let found = of(&[("a.rs", "fn a( {")]);
        assert!(found[0].contains("a.rs:1: no Rust"), "{found:?}");
    }

    #[test]
    fn too_many_long_functions_are_found() {
        let make = |long: usize| {
            let of_length = |lines: usize| format!("fn f() {{\n{}}}\n", body(lines));
            of_length(41).repeat(long) + &of_length(1).repeat(200 - long)
        };
        assert_eq!(of(&[("a.rs", &make(0))]).len(), 0);
        let found = of(&[("a.rs", &make(11))]);
        assert!(found.iter().any(|problem| problem.contains("11 of 200 functions")), "{found:?}");
    }
}
