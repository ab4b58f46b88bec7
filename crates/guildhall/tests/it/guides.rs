//! The guides' commands, as they stand, each page in a new city: what a newcomer types works.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{Desk, up::RunningCity};

/// Lines that are somebody's own, or done by this test.
const NOT_HERE: [&str; 5] = ["make ", "cargo install", "guildhall up", "#", "guildhall deliver"];
/// Roles that run until they are stopped.
const ROLES: [&str; 2] = ["guildhall worker", "guildhall coordinator"];

/// Types the commands of a guide, one after the other, in a new city's directory.
fn walk(guide: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides").join(guide);
    let text = fs::read_to_string(path).unwrap();
    let desk = Desk::new();
    // Five operators are seated in every round: all that 99:1 asks for, and one more.
    let city = RunningCity::start(&desk, &["--workers", "5"]);
    let bin = desk.path().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_guildhall"), bin.join("guildhall")).unwrap();
    let sponsor = desk.json(&["key", "show", "owner"])["address"].as_str().unwrap().to_owned();
    let mut deal = String::new();
    let mut typed = 0;
    for line in commands(&text) {
        let line = line
            .replace("http://127.0.0.1:8650", city.coordinator())
            .replace("127.0.0.1:8651", "127.0.0.1:0")
            .replace("DEAL", &deal)
            .replace("ADDRESS", &sponsor)
            .replace("0xYOUR_CONSUMER", &sponsor);
        let mut shell = Command::new("sh");
        let path = std::env::join_paths(
            std::iter::once(bin.clone()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        shell
            .env_clear()
            .envs(desk.environment())
            .env("PATH", path.unwrap())
            .current_dir(desk.path())
            .stdin(Stdio::null());
        typed += 1;
        if ROLES.iter().any(|role| line.starts_with(role)) {
            starts(shell, &line);
            continue;
        }
        let output = shell.args(["-ec", &line]).output().unwrap();
        assert!(output.status.success(), "{guide}: `{line}`: {}", desk.show(&output));
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        if let Some(opened) =
            said.split("deal 0x").nth(1).filter(|_| line.starts_with("guildhall deal create"))
        {
            deal = format!("0x{}", &opened[..64]);
        }
    }
    assert!(typed > 1, "{guide} has no commands");
    city.stop();
}

/// A role that says it has started, and is stopped.
fn starts(mut shell: Command, line: &str) {
    let command = line.split(" #").next().unwrap().trim();
    let script = format!("exec {command} --json");
    let mut role = shell.args(["-ec", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(role.stdout.take().unwrap()).read_line(&mut first).unwrap();
    role.kill().unwrap();
    role.wait().unwrap();
    let started: serde_json::Value =
        serde_json::from_str(&first).unwrap_or_else(|error| panic!("{line}: {error}"));
    assert_eq!(started["step"], "started", "{line}: {first}");
}

/// The lines of a page's shell blocks that a person types in a running city.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    let blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).filter(|line| !line.trim().is_empty());
    lines.filter(|line| !NOT_HERE.iter().any(|other| line.starts_with(other)))
}

#[test]
fn requester() {
    walk("requester.md");
}

#[test]
fn worker() {
    walk("worker.md");
}

#[test]
fn pool_owner() {
    walk("pool-owner.md");
}

#[test]
fn app_author() {
    walk("app-author.md");
}

#[test]
fn dataset_owner() {
    walk("dataset-owner.md");
}

#[test]
fn contract_developer() {
    walk("contract-developer.md");
}
