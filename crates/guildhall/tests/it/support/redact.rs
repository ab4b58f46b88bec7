//! What differs from run to run, replaced by what it is: for snapshots of what commands say on a chain.

use super::hide_hex;

/// Units after which a number is a time, a size or gas.
const UNITS: [&str; 9] = ["d", "h", "min", "s", "ms", "KiB", "MiB", "GiB", "gas"];
/// Numbers of so many digits differ from run to run; shorter ones are what a test is about.
const LONG_DIGITS: usize = 4;

/// Replaces hexadecimal ids, long numbers, and numbers with a unit; columns keep two spaces.
pub(crate) fn redact(text: &str) -> String {
    let hidden = hide_file_names(&hide_content_ids(&hide_hex(text)));
    let mut shown = String::new();
    let mut rest = hidden.as_str();
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let length =
            from.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ',' | '.'))).unwrap_or(from.len());
        let number = from[..length].trim_end_matches([',', '.']);
        let after = &from[number.len()..];
        let inside_a_word = before.ends_with(|c: char| c.is_ascii_alphabetic());
        let unit = after.strip_prefix(' ').and_then(|after| {
            let word = after.split(|c: char| !c.is_ascii_alphabetic()).next()?;
            UNITS.contains(&word).then_some(word)
        });
        shown += before;
        rest = after;
        if before.ends_with("block ") {
            shown += "[N]";
        } else if inside_a_word {
            shown += number;
        } else if let Some(unit) = unit {
            rest = &after[1 + unit.len()..];
            shown += "[SOME]";
        } else if number.chars().filter(char::is_ascii_digit).count() >= LONG_DIGITS {
            shown += "[N]";
        } else {
            shown += number;
        }
    }
    squeeze(&(shown + rest).replace("[SOME] [SOME]", "[SOME]"))
}

fn hide_content_ids(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("b3:") {
        shown += &rest[..at];
        let digits = rest[at + 3..].bytes().take_while(u8::is_ascii_hexdigit).count();
        shown += "[CONTENT]";
        rest = &rest[at + 3 + digits..];
    }
    shown + rest
}

/// Orders are kept under names that end with digits of their digest.
fn hide_file_names(text: &str) -> String {
    const DIGITS: usize = 8;
    let parts: Vec<_> = text.split(".json").collect();
    let last = parts.len() - 1;
    let hidden = parts.iter().enumerate().map(|(at, part)| match part.len().checked_sub(DIGITS) {
        Some(from)
            if at < last
                && part.is_char_boundary(from)
                && part[from..].bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            format!("{}[SHORT]", &part[..from])
        }
        _ => (*part).to_owned(),
    });
    hidden.collect::<Vec<_>>().join(".json")
}

/// A table's columns are as wide as what was hidden.
fn squeeze(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        let cells: Vec<_> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        indent + &cells.join("  ")
    });
    lines.collect::<Vec<_>>().join("\n")
}
