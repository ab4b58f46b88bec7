//! Words that the glossary bans: one thing has one name, in code, comments and documents alike.

use super::{File, Problem};

/// A banned word in its forms, and what is said instead.
struct Banned {
    forms: &'static [&'static str],
    instead: &'static str,
}

const BANNED: [Banned; 8] = [
    Banned { forms: &["job", "jobs"], instead: "task, deal or round" },
    Banned { forms: &["bid", "bids", "bidder"], instead: "order" },
    Banned { forms: &["replicate", "replicates"], instead: "execution" },
    Banned { forms: &["tag", "tags"], instead: "evidence, kind or mark" },
    Banned { forms: &["kitty"], instead: "escrow" },
    Banned { forms: &["bot", "bots"], instead: "worker or service" },
    Banned { forms: &["seize", "seizes", "seized"], instead: "slash" },
    Banned { forms: &["vote", "votes", "voter", "voting"], instead: "contribution" },
];

/// Words after `trust` that make it a number.
const NUMBERS: [&str; 5] = ["score", "level", "rating", "value", "points"];

/// Where a banned word may stand: in files under this path, on lines with this text, for this reason.
struct Allowed {
    /// The word, or empty for all of them.
    word: &'static str,
    path: &'static str,
    text: &'static str,
    #[expect(dead_code, reason = "for whoever wants another exception")]
    reason: &'static str,
}

const ALLOWED: [Allowed; 12] = [
    Allowed { word: "", path: "GLOSSARY.md", text: "", reason: "the list of banned words itself" },
    Allowed { word: "", path: "xtask/src/tidy", text: "", reason: "the same list, and tests of it" },
    Allowed { word: "", path: "", text: "iExec", reason: "quotes another system, and says so on that line" },
    Allowed { word: "tag", path: "", text: "serde(", reason: "serde's name of an attribute" },
    Allowed { word: "tag", path: "", text: "git tag", reason: "git's own word" },
    Allowed { word: "tag", path: "", text: "\"ETag\"", reason: "HTTP's name of a header" },
    Allowed { word: "tag", path: "", text: "BlockNumberOrTag", reason: "alloy's name of a type" },
    Allowed { word: "tag", path: "crates/guildhall-ledger", text: "", reason: "JSON-RPC's block tags" },
    Allowed { word: "tag", path: "crates/guildhall-chain", text: "", reason: "JSON-RPC's block tags" },
    Allowed {
        word: "tag",
        path: "crates/guildhall-sandbox/src/wasi",
        text: "",
        reason: "a field of WASI preview 1",
    },
    Allowed {
        word: "tag",
        path: "crates/guildhall-sandbox/tests/it/hostile.rs",
        text: "module(",
        reason: "WebAssembly's name of a kind of exception",
    },
    Allowed {
        word: "tag",
        path: "crates/guildhall-sandbox/src/instrument",
        text: "tag_type_arity",
        reason: "wasmparser's name of a function",
    },
];

pub(super) fn problems(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files {
        for (at, line) in file.text.lines().enumerate() {
            let words = words_of(line);
            let found = BANNED.iter().find_map(|banned| {
                let word = words.iter().find(|word| banned.forms.contains(&word.as_str()))?;
                Some((word.clone(), banned.instead))
            });
            if let Some((word, instead)) = found.or_else(|| trust_as_a_number(&words))
                && !is_allowed(file, line, &word)
            {
                let what = format!("the glossary bans `{word}`: say {instead}");
                problems.push(Problem::at(&file.path, at + 1, what));
            }
        }
    }
    problems
}

fn is_allowed(file: &File, line: &str, word: &str) -> bool {
    ALLOWED.iter().any(|allowed| {
        let here = file.path.starts_with(allowed.path) && line.contains(allowed.text);
        here && (allowed.word.is_empty() || allowed.word == word)
    })
}

fn trust_as_a_number(words: &[String]) -> Option<(String, &'static str)> {
    let pair = words.windows(2).find(|pair| pair[0] == "trust" && NUMBERS.contains(&pair[1].as_str()))?;
    Some((pair.join(" "), "confidence or reputation"))
}

/// The words of a line in lower case; names are split as `snake_case`, `camelCase` and `HTTPServer` are read.
fn words_of(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let chars: Vec<char> = line.chars().collect();
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1);
        let new_hump = c.is_uppercase()
            && (before.is_some_and(char::is_lowercase) || after.is_some_and(|after| after.is_lowercase()));
        if (!c.is_alphabetic() || new_hump) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphabetic() {
            word.extend(c.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{super::tests::of, words_of};

    #[test]
    fn names_are_split_into_words() {
        assert_eq!(
            words_of("a jobQueue, HTTPServer2job my_vote"),
            ["a", "job", "queue", "http", "server", "job", "my", "vote"]
        );
    }

    #[test]
    fn banned_words_are_found_in_code_comments_and_documents() {
        for line in [
            "struct JobQueue;",
            "// a vote",
            "fn place_bid() {}",
            "const BOT: u8 = 1;",
            "let seized = 1;",
            "let trust_score = 3;",
        ] {
            let found = of(&[("docs/a.md", line)]);
            assert_eq!(found.len(), 1, "{line}");
            assert!(found[0].starts_with("docs/a.md:1: the glossary bans"), "{found:?}");
        }
    }

    #[test]
    fn other_words_that_contain_them_are_fine() {
        let line = "jobless robots forbid stage tagged votive replicated whom nobody has to trust";
        assert_eq!(of(&[("docs/a.md", line)]), Vec::<String>::new());
    }

    #[test]
    fn exceptions_are_for_their_line_only() {
        let text = "#[serde(tag = \"kind\")]\n// a tag\n";
        let found = of(&[("docs/a.md", text)]);
        assert_eq!(found, ["docs/a.md:2: the glossary bans `tag`: say evidence, kind or mark"]);
        let other = of(&[("crates/guildhall-chain/src/a.rs", "// block tag\n// a vote\n")]);
        assert_eq!(other, ["crates/guildhall-chain/src/a.rs:2: the glossary bans `vote`: say contribution"]);
        assert_eq!(of(&[("GLOSSARY.md", "job, bid, vote")]), Vec::<String>::new());
    }
}
