//! State that is damaged, a disk that takes no more, a directory that nobody may write to: a city refuses to start and says
//! why; what there is stays as it is.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Output, Stdio},
};

use crate::support::{
    Desk,
    up::{RunningCity, UP},
};
use serde_json::Value;

/// What is done to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Emptied,
    CutInHalf,
    Overwritten,
}

impl Damage {
    fn of(self, whole: &[u8]) -> Vec<u8> {
        match self {
            Self::Emptied => Vec::new(),
            Self::CutInHalf => whole[..whole.len() / 2].to_vec(),
            Self::Overwritten => {
                let mut bytes = whole.to_vec();
                bytes[..64].fill(0xa5);
                bytes
            }
        }
    }
}

/// Each file of a city with the code of the refusal.
const FILES: &[(&str, &[Damage], &str)] = &[
    ("chain.redb", &[Damage::Emptied, Damage::CutInHalf], "ledger.corrupt"),
    ("chain.redb", &[Damage::Overwritten], "ledger.foreign"),
    (
        "workers/1/worker.redb",
        &[Damage::Emptied, Damage::CutInHalf, Damage::Overwritten],
        "worker.journal_open",
    ),
    ("coordinator/coordinator.redb", &[Damage::Emptied, Damage::Overwritten], "coordinator.store_open"),
    ("deployment.json", &[Damage::CutInHalf], "deploy.read"),
    ("city.json", &[Damage::CutInHalf], "city.goods"),
    ("keys/worker-1.json", &[Damage::CutInHalf], "keys.malformed"),
];

/// A city that cannot start: what it said. Bounded: one that starts all the same runs until somebody stops it.
fn refuses(command: &mut Command) -> (Output, Value) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let error = said.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
    (output, error.unwrap_or_else(|| panic!("{said}"))["error"].clone())
}

fn bounded(desk: &Desk) -> Command {
    let mut command = Command::new("timeout");
    command.args(["60", env!("CARGO_BIN_EXE_guildhall")]).args(UP).args(["--workers", "1"]);
    command.env_clear().envs(desk.environment()).current_dir(desk.path()).stdin(Stdio::null());
    command
}

#[test]
fn a_damaged_file_is_named_with_the_remedy_and_stays() {
    let desk = Desk::new();
    RunningCity::start(&desk, &["--workers", "1"]).stop();
    for (name, damages, code) in FILES {
        let path = desk.path().join(name);
        let whole = fs::read(&path).unwrap();
        for damage in *damages {
            let damaged = damage.of(&whole);
            fs::write(&path, &damaged).unwrap();
            let (_, error) = refuses(&mut bounded(&desk));
            assert_eq!(error["code"], *code, "{name} {damage:?}: {error}");
            let said = error["message"].as_str().unwrap();
            assert!(said.contains(name), "{name} {damage:?}: {said}");
            assert!(error["hint"].is_string(), "{name} {damage:?}: {error}");
            assert!(fs::metadata(&path).unwrap().len() >= damaged.len() as u64, "{name} {damage:?}: kept");
        }
        fs::write(&path, whole).unwrap();
    }
    let city = RunningCity::start(&desk, &["--workers", "1"]);
    assert_eq!(city.said["workers"], 1, "with what it had: {}", city.said);
    city.stop();
}

/// A file system at a directory of a desk, with a city's state on it, which only what is run in it sees (`unshare` and
/// `nsenter`, of util-linux).
struct Disk {
    holder: Child,
    desk: Desk,
}

impl Disk {
    /// `spare` kilobytes are free on it beside the city's state.
    fn new(spare: u64) -> Self {
        let (city, desk) = (Desk::new(), Desk::new());
        RunningCity::start(&city, &["--workers", "1"]).stop();
        let script = "mkdir disk; used=$(du -sk \"$CITY\" | cut -f1); \
             mount -t tmpfs -o size=$((used + SPARE))k tmpfs disk; cp -a \"$CITY/.\" disk; echo ready; exec sleep 600";
        let mut holder = Command::new("unshare")
            .args(["-rm", "sh", "-ec", script])
            .env("CITY", city.path())
            .env("SPARE", spare.to_string())
            .current_dir(desk.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "the file system is mounted");
        Self { holder, desk }
    }

    /// A command that sees it.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args([
            "-t",
            &self.holder.id().to_string(),
            "-U",
            "-m",
            "--preserve-credentials",
            "timeout",
            "60",
        ]);
        command.args(words).env_clear().envs(self.desk.environment()).stdin(Stdio::null());
        command.env("GUILDHALL_DATA", self.desk.path().join("disk")).current_dir(self.desk.path());
        command
    }

    /// The command of a city on it.
    fn up(&self) -> Command {
        self.command(&[&[env!("CARGO_BIN_EXE_guildhall")], UP, &["--workers", "1"]].concat())
    }

    fn remount(&self, options: &str) {
        let path = self.desk.path().join("disk").display().to_string();
        let done = self.command(&["mount", "-o", &format!("remount,{options}"), &path]).status().unwrap();
        assert!(done.success(), "{options}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn a_directory_that_nobody_may_write_to_is_told() {
    let disk = Disk::new(20_000);
    disk.remount("ro");
    let (_, error) = refuses(&mut disk.up());
    let said = error["message"].as_str().unwrap();
    assert!(said.contains("Read-only file system") && error["hint"].is_string(), "{error}");
    disk.remount("rw");
    let city = RunningCity::of(disk.up());
    assert_eq!(city.said["workers"], 1, "{}", city.said);
    city.stop();
}

/// Orders until the disk is full. What was acknowledged is there when there is room again, and is worked on.
#[test]
fn a_full_disk_stops_a_city_and_loses_nothing() {
    let disk = Disk::new(700);
    let input = disk.desk.file("input.txt", "hello").display().to_string();
    let policy =
        "--app 1 --pool 1 --fuel 100M --confidence 4 --operators 1 --executions-max 1 --deadline 20m";
    let words = format!("deal create --key requester {policy} {input} --json");
    let order: Vec<_> = [env!("CARGO_BIN_EXE_guildhall")].into_iter().chain(words.split(' ')).collect();
    let city = RunningCity::of(disk.up());
    let mut acknowledged = Vec::new();
    let refusal = loop {
        let output = disk.command(&order).output().unwrap();
        if !output.status.success() {
            break output;
        }
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        acknowledged.push(said["deal"].as_str().unwrap().to_owned());
        assert!(acknowledged.len() < 500, "the disk is never full");
    };
    let ended = disk.desk.show(&city.wait());
    assert!(ended.starts_with("exit 2") && ended.contains("No space left on device"), "{ended}");
    assert!(!acknowledged.is_empty(), "there was some room: {}", disk.desk.show(&refusal));
    disk.remount("size=64m");
    let city = RunningCity::of(disk.up());
    for deal in &acknowledged {
        let watch = [env!("CARGO_BIN_EXE_guildhall"), "deal", "watch", deal, "--json"];
        let output = disk.command(&watch).output().unwrap();
        assert!(output.status.success(), "{deal}: {}", disk.desk.show(&output));
    }
    city.stop();
}
