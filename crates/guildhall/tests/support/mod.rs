//! Runs the command as a person would, and shows what it said.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod city;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A data directory of its own, with a password file.
pub(crate) struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::write(dir.path().join("password"), "correct horse\n").expect("written");
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_guildhall"));
        command.env_clear();
        // What coverage and the dynamic linker need, nothing of the person's settings.
        for kept in ["PATH", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE", "HOME", "CARGO_HOME", "RUSTUP_HOME"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command.args(args).env("GUILDHALL_DATA", self.path()).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the command runs")
    }

    pub(crate) fn run_with_input(&self, args: &[&str], input: &str) -> Output {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
        child.wait_with_output().expect("the command ends")
    }

    /// Everything that the command said, with what differs from run to run replaced.
    pub(crate) fn told(&self, args: &[&str]) -> String {
        self.show(&self.run(args))
    }

    pub(crate) fn show(&self, output: &Output) -> String {
        let mut text = format!(
            "exit {}\n",
            output.status.code().map_or("by signal".to_owned(), |code| code.to_string())
        );
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            let said = String::from_utf8_lossy(bytes);
            if !said.trim().is_empty() {
                text += &format!("--- {name}\n{}\n", said.trim_end());
            }
        }
        hide_hex(&text.replace(&self.path().display().to_string(), "[DATA]"))
    }

    /// The result as JSON; the command must have succeeded.
    pub(crate) fn json(&self, args: &[&str]) -> serde_json::Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{args:?}: {}", self.show(&output));
        serde_json::from_slice(&output.stdout).expect("JSON on standard output")
    }
}

/// Replaces addresses and digests: they differ from run to run.
fn hide_hex(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("0x") {
        let (before, from) = rest.split_at(at);
        let digits = from[2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        shown += before;
        shown += match digits {
            40 => "[ADDRESS]",
            64 => "[DIGEST]",
            _ => &from[..2 + digits],
        };
        rest = &from[2 + digits..];
    }
    shown + rest
}
