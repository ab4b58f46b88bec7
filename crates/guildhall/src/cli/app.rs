//! `guildhall app`: make, build, try and register an app.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use alloy::primitives::B256;
use clap::{Args, Subcommand};
use guildhall_protocol::{Exit, Receipt};
use guildhall_sandbox::{Blob, Config, Execution, Limits, Sandbox, Task};
use guildhall_service::files::{MODE_PUBLIC, atomic_write};
use serde::Serialize;

use super::{Context, app_project};
use crate::{
    error::{ExitStatus, Failure, Result},
    output::{Report, Style},
    values::{pair, quantity, show_bytes, task_seed, thousands},
};

/// The largest module that is read: what the sandbox takes at most.
const MODULE_MAX_BYTES: u64 = guildhall_sandbox::limits::MODULE_MAX_BYTES;
/// Output up to this length is shown, when it is text.
const SHOWN_OUTPUT_BYTES: usize = 4_096;

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// Make a new app project in Rust.
    New {
        /// Directory to make; its last part is the app's name.
        path: PathBuf,
    },
    /// Build an app project to WebAssembly, and check that the sandbox takes it.
    Build {
        /// The project.
        #[arg(default_value = ".")]
        path: PathBuf,
    },
    /// Run an app in the sandbox of this machine: the same receipt as on every other.
    Run(RunArgs),
    /// Register an app on the chain.
    Register(super::assets::RegisterArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The WebAssembly module.
    wasm: PathBuf,
    /// File that the app reads as `/in/input` and standard input.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// File that the app reads as `/in/dataset`.
    #[arg(long, value_name = "FILE")]
    dataset: Option<PathBuf>,
    /// Argument of the app; repeat for more.
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true)]
    args: Vec<String>,
    /// Environment variable of the app; repeat for more.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// Limit of fuel.
    #[arg(long, value_parser = quantity, default_value = "100G")]
    fuel: u64,
    /// Limit of memory.
    #[arg(long, value_parser = quantity, default_value = "512MiB")]
    memory: u64,
    /// Time that the app's clocks show, in Unix seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    time: u64,
    /// Where random bytes come from: `DEAL:TASK` for those of a deal's task, or 64 hexadecimal digits.
    #[arg(long, value_name = "SEED", value_parser = task_seed, hide_default_value = true,
        default_value = "0000000000000000000000000000000000000000000000000000000000000000")]
    seed: B256,
    /// Write the output to this file.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(command: AppCommand, context: &Context) -> Result<ExitStatus> {
    match command {
        AppCommand::New { path } => context.out.result(&app_project::make(&path)?)?,
        AppCommand::Build { path } => {
            let built = tokio::task::block_in_place(|| build(&path, context))?;
            context.out.result(&built)?;
        }
        AppCommand::Run(args) => {
            let ran = tokio::task::block_in_place(|| execute(&args, context))?;
            let exit = ran.receipt.exit;
            context.out.result(&ran)?;
            if exit != Exit::Ok {
                return Ok(ExitStatus::Negative);
            }
        }
        AppCommand::Register(args) => super::assets::register_app(&args, context).await?,
    }
    Ok(ExitStatus::Done)
}

/// The sandbox of this machine, with its machine code kept in the data directory.
pub(crate) fn sandbox(context: &Context) -> Result<Sandbox> {
    let cache_dir = context.profile.data.join("cache/machine-code");
    // A directory that can't be made is told by the sandbox itself.
    let _ = guildhall_service::files::create_private_dir(&cache_dir);
    let config = Config { cache_dir: Some(cache_dir), children: 1, ..Config::default() };
    Sandbox::new(config).map_err(|error| sandbox_failure(&error))
}

/// An error of the sandbox as the command line tells it.
pub(crate) fn sandbox_failure(error: &guildhall_sandbox::SandboxError) -> Failure {
    let failure = Failure::new(error.code(), error.to_string());
    match error {
        guildhall_sandbox::SandboxError::Invalid(_) => {
            failure.hint("build for `wasm32-wasip1`; `guildhall app new` makes a project that does")
        }
        _ => failure,
    }
}

/// Reads a module from a file.
pub(crate) fn read_module(path: &Path) -> Result<Vec<u8>> {
    let failed = |error| Failure::file("read the app", path, &error);
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > MODULE_MAX_BYTES {
        return Err(Failure::new(
            "app.too_large",
            format!(
                "`{}` has {}, an app has {} at most",
                path.display(),
                show_bytes(length),
                show_bytes(MODULE_MAX_BYTES)
            ),
        )
        .hint("strip it, and move data into a dataset"));
    }
    std::fs::read(path).map_err(failed)
}

fn execute(args: &RunArgs, context: &Context) -> Result<Ran> {
    let blob = |path: &PathBuf| Blob::open(path).map_err(|error| Failure::file("read", path, &error));
    let wasm = read_module(&args.wasm)?;
    let input = args.input.as_ref().map(blob).transpose()?.unwrap_or_default();
    let dataset = args.dataset.as_ref().map(blob).transpose()?;
    let sandbox = sandbox(context)?;
    let module = sandbox.load(&wasm).map_err(|error| sandbox_failure(&error))?;
    let mut task = Task::new(module);
    task.args.extend(args.args.iter().cloned());
    task.env.clone_from(&args.env);
    task.input = input;
    task.dataset = dataset;
    task.deal_time_secs = args.time;
    task.seed = args.seed.0;
    task.limits = Limits { fuel: args.fuel, memory_bytes: args.memory };
    let execution = sandbox.run(&task).map_err(|error| sandbox_failure(&error))?;
    if let Some(path) = &args.output {
        atomic_write(path, &execution.output, MODE_PUBLIC)?;
    }
    Ok(Ran::new(module.0, &execution, args.output.clone()))
}

/// What a run gave.
#[derive(Serialize)]
pub(crate) struct Ran {
    app: B256,
    receipt: Receipt,
    output_bytes: usize,
    /// The output, where it is text and short.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// The end of standard error.
    #[serde(skip_serializing_if = "String::is_empty")]
    stderr: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<PathBuf>,
}

impl Ran {
    fn new(app: B256, execution: &Execution, written: Option<PathBuf>) -> Self {
        let text =
            std::str::from_utf8(&execution.output).ok().filter(|text| text.len() <= SHOWN_OUTPUT_BYTES);
        Self {
            app,
            receipt: execution.receipt,
            output_bytes: execution.output.len(),
            output: text.map(str::to_owned),
            stderr: String::from_utf8_lossy(&execution.stderr).into_owned(),
            written,
        }
    }
}

impl Report for Ran {
    fn text(&self, style: Style) -> String {
        let exit = exit_words(self.receipt.exit);
        let exit = if self.receipt.exit == Exit::Ok { style.good(exit) } else { style.bad(exit) };
        let mut lines = vec![
            format!("{} {exit}", style.strong("exit  ")),
            format!("{} {}", style.strong("fuel  "), thousands(self.receipt.fuel)),
            format!("{} {}", style.strong("output"), self.receipt.output_digest),
            format!("{} {}", style.strong("trace "), self.receipt.trace_digest),
            format!("{} {}", style.strong("app   "), self.app),
        ];
        if !self.stderr.is_empty() {
            lines.push(style.faint(format!("--- standard error\n{}", self.stderr.trim_end())));
        }
        match (&self.written, &self.output) {
            (Some(path), _) => {
                lines.push(style.faint(format!("--- {} bytes in {}", self.output_bytes, path.display())))
            }
            (None, Some(text)) => {
                lines.push(style.faint(format!("--- output, {} bytes", self.output_bytes)));
                lines.push(text.trim_end().to_owned());
            }
            (None, None) => lines.push(style.faint(format!(
                "--- output: {} bytes; write them to a file with `--output FILE`",
                self.output_bytes
            ))),
        }
        lines.join("\n")
    }
}

/// How an execution ended, in words.
pub(crate) const fn exit_words(exit: Exit) -> &'static str {
    match exit {
        Exit::Ok => "ok",
        Exit::AppError => "the app reported an error",
        Exit::OutOfFuel => "out of fuel",
        Exit::OutOfMemory => "out of memory",
        Exit::TooDeep => "calls too deep",
        Exit::Trap => "trap",
    }
}

fn build(path: &Path, context: &Context) -> Result<Built> {
    if !path.join("Cargo.toml").is_file() {
        return Err(Failure::new(
            "app.no_project",
            format!("there is no Cargo.toml in `{}`", path.display()),
        )
        .hint("make a project with `guildhall app new NAME`"));
    }
    context.out.say(context.out.prose().faint("cargo build --release --target wasm32-wasip1"));
    let output = std::process::Command::new("cargo")
        .args([
            "build",
            "--release",
            "--target",
            "wasm32-wasip1",
            "--message-format",
            "json-render-diagnostics",
        ])
        .current_dir(path)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| {
            Failure::new("app.no_cargo", format!("could not start cargo: {error}"))
                .hint("install Rust: https://rustup.rs")
        })?;
    if !output.status.success() {
        return Err(Failure::new("app.build_failed", format!("cargo ended with {}", output.status)).hint(
            "its messages are above; a missing target is added with `rustup target add wasm32-wasip1`",
        ));
    }
    let wasm = artifact(&output.stdout).ok_or_else(|| {
        Failure::new("app.no_module", "the project has no binary, so there is no module")
            .hint("it needs a `src/main.rs`")
    })?;
    let bytes = read_module(&wasm)?;
    let module = sandbox(context)?.load(&bytes).map_err(|error| sandbox_failure(&error))?;
    Ok(Built { wasm, bytes: bytes.len(), content_id: module.0 })
}

/// The module that cargo says it has made last.
fn artifact(messages: &[u8]) -> Option<PathBuf> {
    let text = std::str::from_utf8(messages).ok()?;
    text.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .rfind(|path| path.extension().is_some_and(|ending| ending == "wasm"))
}

#[derive(Serialize)]
struct Built {
    wasm: PathBuf,
    bytes: usize,
    content_id: B256,
}

impl Report for Built {
    fn text(&self, style: Style) -> String {
        let size = show_bytes(u64::try_from(self.bytes).unwrap_or(u64::MAX));
        format!("{} {size}\n{} {}", self.wasm.display(), style.strong("content id"), self.content_id)
    }
}
