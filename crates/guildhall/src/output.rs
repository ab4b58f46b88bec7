//! Standard output is the result and nothing else; progress and prose go to standard error.
//!
//! Knows nothing of what the results are.

use std::{
    ffi::OsStr,
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
};

use owo_colors::OwoColorize as _;
use serde::Serialize;
use serde_json::json;

use crate::error::{Failure, Result};

/// A result: as JSON by its fields, as text by [`Report::text`].
pub trait Report: Serialize {
    /// The result for people: whole lines, the last without its line feed.
    fn text(&self, style: Style) -> String;
}

/// How words are set off: by colour on a terminal, not at all elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    color: bool,
}

impl Style {
    /// Without any colour.
    pub const PLAIN: Self = Self { color: false };

    /// A heading or a name.
    pub fn strong(self, text: impl Display) -> String {
        if self.color { text.bold().to_string() } else { text.to_string() }
    }

    /// What matters less.
    pub fn faint(self, text: impl Display) -> String {
        if self.color { text.dimmed().to_string() } else { text.to_string() }
    }

    /// Good news.
    pub fn good(self, text: impl Display) -> String {
        if self.color { text.green().to_string() } else { text.to_string() }
    }

    /// A doubt.
    pub fn doubt(self, text: impl Display) -> String {
        if self.color { text.yellow().to_string() } else { text.to_string() }
    }

    /// Bad news.
    pub fn bad(self, text: impl Display) -> String {
        if self.color { text.red().to_string() } else { text.to_string() }
    }
}

/// Where a command speaks.
#[derive(Clone, Copy, Debug)]
pub struct Out {
    json: bool,
    quiet: bool,
    stdout: Style,
    stderr: Style,
}

impl Out {
    /// Decides by the flags, the terminal and `NO_COLOR`.
    pub fn new(json: bool, quiet: bool) -> Self {
        let (no_color, term) = (std::env::var_os("NO_COLOR"), std::env::var_os("TERM"));
        let wanted = color_wanted(no_color.as_deref(), term.as_deref());
        Self {
            json,
            quiet,
            stdout: Style { color: wanted && !json && io::stdout().is_terminal() },
            stderr: Style { color: wanted && io::stderr().is_terminal() },
        }
    }

    /// Whether results are JSON.
    pub const fn json(&self) -> bool {
        self.json
    }

    /// Whether a person watches: progress bars make sense.
    pub fn watched(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// How prose on standard error is set off.
    pub const fn prose(&self) -> Style {
        self.stderr
    }

    /// Prints the result.
    ///
    /// # Errors
    /// `output.failed` when standard output is closed or the result has no JSON form.
    pub fn result(&self, report: &impl Report) -> Result<()> {
        let text = if self.json {
            serde_json::to_string_pretty(report).map_err(|error| no_json(&error))?
        } else {
            report.text(self.stdout)
        };
        print(&text)
    }

    /// Prints one of many results, as they come: with `--json` one object a line, else nothing.
    ///
    /// # Errors
    /// As of [`Out::result`].
    pub fn line(&self, event: &impl Serialize) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        print(&serde_json::to_string(event).map_err(|error| no_json(&error))?)
    }

    /// Says something on standard error, unless asked to be quiet.
    pub fn say(&self, line: impl Display) {
        if !self.quiet {
            tell(line);
        }
    }

    /// Tells of a failure on standard error: as one JSON object with `--json`, else in two lines.
    pub fn failure(&self, failure: &Failure) {
        if self.json {
            let error = json!({ "code": failure.code(), "message": failure.to_string(), "hint": failure.hint_text() });
            tell(json!({ "error": error }));
            return;
        }
        let style = self.stderr;
        tell(format_args!(
            "{} {failure} {}",
            style.bad("error:"),
            style.faint(format!("[{}]", failure.code()))
        ));
        if let Some(hint) = failure.hint_text() {
            tell(format_args!("{} {hint}", style.strong("hint:")));
        }
    }
}

/// Whether words may be coloured, by `NO_COLOR` (any text but an empty one) and `TERM`.
fn color_wanted(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

fn no_json(error: &serde_json::Error) -> Failure {
    Failure::new("output.failed", format!("the result has no JSON form: {error}"))
}

/// Writes a line to standard error. Where that is closed nobody wants to hear it.
fn tell(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes whole lines to standard output.
///
/// # Errors
/// `output.failed`, but for a pipe that the reader closed.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let written = if text.is_empty() { Ok(()) } else { writeln!(stdout, "{text}") };
    match written.and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        // The reader has what it wanted (`guildhall ... | head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new("output.failed", format!("could not write the result: {error}"))),
    }
}

/// Sets text in columns: the first row is the head.
pub fn table(rows: Vec<Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let mut rows = rows.into_iter();
    if let Some(head) = rows.next() {
        table.set_header(head);
    }
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_and_a_dumb_terminal_are_honoured() {
        let wanted = |no_color: Option<&str>, term: Option<&str>| {
            color_wanted(no_color.map(OsStr::new), term.map(OsStr::new))
        };
        assert!(wanted(None, Some("xterm-256color")) && wanted(None, None) && wanted(Some(""), None));
        assert!(!wanted(Some("1"), Some("xterm-256color")) && !wanted(Some("false"), None));
        assert!(!wanted(None, Some("dumb")));
    }
}
