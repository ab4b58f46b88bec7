//! What the bench programs share: how they start, what they order, the processes that they measure.

use std::{
    fmt::Display,
    path::PathBuf,
    process::{Child, ExitCode},
};

use alloy::primitives::Bytes;
use guildhall::{city::Purchase, requester::deal::Work};
use guildhall_protocol::{AssetId, Policy};
use serde_json::Value;

/// Measures and prints the figures; or is the sandbox or one of the `commands`, where it was started as that.
pub fn run<E: Display>(commands: &[&str], measure: fn() -> Result<Value, E>) -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(argument) if argument == guildhall_sandbox::CHILD_ARGUMENT => guildhall_sandbox::child_main(),
        Some(command) if commands.contains(&command) => guildhall::cli::main(),
        _ => match measure() {
            Ok(figures) => {
                println!("{figures}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

/// The bytes of hello.
///
/// # Panics
/// Where it is not built.
pub fn hello_wasm() -> Vec<u8> {
    let dir = std::env::var_os("GUILDHALL_APPS").map_or_else(|| PathBuf::from("build/apps"), PathBuf::from);
    let path = dir.join("hello.wasm");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run `make assets`", path.display()))
}

/// Tasks of hello in one batch. All of three workers must agree: at an assumed fifth of faulty stake that is 64:1.
pub fn hello(app: AssetId, tasks: usize) -> Purchase {
    let input = |number: usize| Bytes::from(format!("hello {number}").into_bytes());
    Purchase {
        app,
        dataset: AssetId::ZERO,
        work: Work {
            args: vec!["hello".to_owned()],
            env: Vec::new(),
            inputs: (0..tasks).map(input).collect(),
        },
        batch_size: u32::try_from(tasks).unwrap_or(u32::MAX),
        policy: Policy {
            confidence: 64,
            replicasMin: 3,
            replicasMax: 3,
            disputeWindow: 10,
            ..Policy::default()
        },
        fuel_limit: 10_000_000,
        memory_limit: 16 << 20,
        deadline_secs: 600,
        sponsor: None,
        callback: Default::default(),
        delivery_tip: Default::default(),
    }
}

/// A process that ends with its owner.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Memory of a process that no other process shares, and its part of what is shared, in kB.
pub fn resident(process: u32) -> u32 {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
