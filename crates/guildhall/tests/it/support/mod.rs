//! Runs the command as a person would, and shows what it said.

#![allow(dead_code, unused_imports, unused_macros, reason = "each test file uses its part")]

pub(crate) mod alarm;
pub(crate) mod city;
pub(crate) mod commands;
pub(crate) mod gated;
pub(crate) mod muffled;
pub(crate) mod redact;
pub(crate) mod streets;
pub(crate) mod up;

pub(crate) use muffled::{Habit, Muffled};

use std::{
    ffi::OsString,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A data directory, with a password file if it is its own.
pub(crate) struct Desk {
    path: PathBuf,
    chain: Option<String>,
    _own: Option<tempfile::TempDir>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::write(dir.path().join("password"), "correct horse\n").expect("written");
        Self { path: dir.path().to_owned(), chain: None, _own: Some(dir) }
    }

    /// Somebody who works in a city's own directory, with its keys, as the guides say.
    pub(crate) fn in_city(town: &city::Town) -> Self {
        Self { path: town.dir().to_owned(), chain: Some(town.node_url()), _own: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, bytes).expect("written");
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_of(&[env!("CARGO_BIN_EXE_guildhall").to_owned()], args)
    }

    /// The command as another program starts it, or as another build has it.
    pub(crate) fn command_of(&self, program: &[String], args: &[&str]) -> Command {
        let mut command = Command::new(&program[0]);
        command.env_clear().envs(self.environment());
        command.args(&program[1..]).args(args).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// What coverage, the dynamic linker and cargo need, where apps and assets lie, and nothing of the person's settings.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        const KEPT: [&str; 7] = [
            "PATH",
            "LD_LIBRARY_PATH",
            "LLVM_PROFILE_FILE",
            "HOME",
            "CARGO_HOME",
            "RUSTUP_HOME",
            "GUILDHALL_ASSETS",
        ];
        let kept = KEPT.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        let chain = self.chain.iter().map(|chain| ("GUILDHALL_CHAIN", chain.into()));
        let apps = ("GUILDHALL_APPS", city::apps_dir().into());
        kept.chain(chain).chain([apps, ("GUILDHALL_DATA", self.path().into())]).collect()
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
        self.hide(&text)
    }

    /// With what differs from run to run replaced.
    pub(crate) fn hide(&self, text: &str) -> String {
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
pub(crate) fn hide_hex(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("0x") {
        let (before, from) = rest.split_at(at);
        let digits = from[2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        shown += before;
        shown += match digits {
            40 => "[ADDRESS]",
            64 => "[DIGEST]",
            8 => "[SHORT]",
            _ => &from[..2 + digits],
        };
        rest = &from[2 + digits..];
    }
    shown + rest
}
