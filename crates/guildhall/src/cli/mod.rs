//! The tree of commands: one file a group, each thin over a library crate.
//!
//! Every command takes `--json`; exit status 0 is done, 1 a negative answer, 2 could not.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use guildhall_service::telemetry::LogFormat;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use url::Url;

use crate::{
    error::{ExitStatus, Failure, Result},
    keys::KeyStore,
    output::Out,
    profile::{Given, Profile},
};

mod app;
mod app_project;
mod assets;
mod completions;
mod config;
mod deal;
mod dispute;
mod doctor;
#[cfg(feature = "gateway")]
mod gateway;
mod inquest;
mod key;
mod net;
mod order;
mod pool;
mod quote;
mod request;
mod result;
mod roles;
mod stake;
#[cfg(feature = "city")]
mod up;
#[cfg(feature = "city")]
mod up_settings;
pub(crate) mod view;

/// Certified computing: buy executions of WebAssembly apps on machines that don't trust each other, and get results
/// that anybody can check.
#[derive(Debug, Parser)]
#[command(name = "guildhall", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Start here: `guildhall demo`, then `guildhall up`.\n\
    Exit status: 0 done, 1 a negative answer, 2 could not.")]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
struct Global {
    /// Print the result as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// JSON-RPC endpoint of the chain.
    #[arg(long, global = true, value_name = "URL", env = "GUILDHALL_CHAIN", hide_env_values = true)]
    chain: Option<Url>,
    /// A second node, of another operator: then only what both say counts.
    #[arg(long, global = true, value_name = "URL", env = "GUILDHALL_CHAIN_CHECK", hide_env_values = true)]
    chain_check: Option<Url>,
    /// File with the addresses of the contracts.
    #[arg(long, global = true, value_name = "FILE", env = "GUILDHALL_DEPLOYMENT", hide_env_values = true)]
    deployment: Option<PathBuf>,
    /// Directory of keys, orders, caches and the embedded chain.
    #[arg(long, global = true, value_name = "DIR", env = "GUILDHALL_DATA", hide_env_values = true)]
    data: Option<PathBuf>,
    /// Key that signs: a name, or a keystore file.
    #[arg(long, global = true, value_name = "NAME|FILE", env = "GUILDHALL_KEY", hide_env_values = true)]
    key: Option<String>,
    /// File whose first line is the key's password.
    #[arg(long, global = true, value_name = "FILE", env = "GUILDHALL_PASSWORD_FILE", hide_env_values = true)]
    password_file: Option<PathBuf>,
    /// Open file descriptor to read the key's password from.
    #[arg(
        long,
        global = true,
        value_name = "FD",
        env = "GUILDHALL_PASSWORD_FD",
        hide_env_values = true,
        hide = true
    )]
    password_fd: Option<u32>,
    /// How log lines look: `text`, `json`, or `auto`, which is text on a terminal and JSON elsewhere.
    #[arg(long, global = true, value_name = "FORMAT", env = "GUILDHALL_LOG_FORMAT", hide_env_values = true)]
    #[arg(default_value = "text", hide_default_value = true, value_parser = log_format)]
    log_format: LogFormat,
    /// Say nothing but the result and errors.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more: `-v` what the roles do, `-vv` every step.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See it all at once: a small city certifies the classification of photographs.
    #[cfg(feature = "city")]
    Demo(up::DemoArgs),
    /// Run a small city, durable, until you stop it.
    #[cfg(feature = "city")]
    Up(up::UpArgs),
    /// Keys in keystore files.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Apps: new, build, run, register.
    #[command(subcommand)]
    App(app::AppCommand),
    /// Datasets and models.
    #[command(subcommand)]
    Dataset(assets::DatasetCommand),
    /// Pools of workers: create, join, show.
    #[command(subcommand)]
    Pool(pool::PoolCommand),
    /// Run a worker.
    Worker(roles::WorkerArgs),
    /// Run the coordinator of a pool.
    Coordinator(roles::CoordinatorArgs),
    /// Serve what anybody needs to know and do over HTTP, and the web application.
    #[cfg(feature = "gateway")]
    Gateway(gateway::GatewayArgs),
    /// Orders: sign, list, cancel.
    #[command(subcommand)]
    Order(order::OrderCommand),
    /// What a policy costs on a pool now, and what it promises.
    Quote(Box<quote::QuoteArgs>),
    /// Deals: create, match, show, watch.
    #[command(subcommand)]
    Deal(deal::DealCommand),
    /// Results: get, verify, replay.
    #[command(subcommand)]
    Result(result::ResultCommand),
    /// Bring a result to the deal's callback.
    Deliver(result::WhichResult),
    /// Refund a batch that was not certified in time.
    Expire(result::BatchArgs),
    /// Disputes: call a jury over a certified result, and see it through.
    #[command(subcommand)]
    Dispute(dispute::DisputeCommand),
    /// Inquests: contradicting claims of expired batches, and own traces, before a jury.
    #[command(subcommand)]
    Inquest(inquest::InquestCommand),
    /// Open the audit of a batch, where the seed asks for one.
    Audit(result::BatchArgs),
    /// Pay out what was slashed, once a certificate is final.
    Release(result::BatchArgs),
    /// Bonds, balances and fees.
    #[command(subcommand)]
    Stake(stake::StakeCommand),
    /// Check node, contracts, keys, coordinator, sandbox, disk and clock.
    Doctor(doctor::DoctorArgs),
    /// Print a completion script for a shell.
    Completions(completions::CompletionsArgs),
}

/// What every command works with.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Where to speak.
    pub(crate) out: Out,
    /// Which chain, deployment and key.
    pub(crate) profile: Profile,
}

impl Context {
    /// The keys of this profile.
    pub(crate) fn keys(&self) -> KeyStore {
        KeyStore::of_data(&self.profile.data)
    }
}

/// The tree of commands, for completions and help.
pub(crate) fn tree() -> clap::Command {
    Cli::command()
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error, std::env::args_os().skip(1)),
    };
    let out = Out::new(cli.global.json, cli.global.quiet);
    let filter = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn,guildhall_worker=error,guildhall_chain=error",
        (false, 1) => "info",
        (false, _) => "debug",
    };
    // Logs that can't be set up are no reason not to work.
    let _ = guildhall_service::telemetry::init(cli.global.log_format, filter);
    let status = match start(cli, out) {
        Ok(status) => status,
        Err(failure) => {
            out.failure(&failure);
            failure.exit()
        }
    };
    ExitCode::from(status.number())
}

fn log_format(text: &str) -> std::result::Result<LogFormat, String> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("write `text`, `json` or `auto`".to_owned()),
    }
}

/// Help and version go to standard output; what was not understood goes to standard error with status 2, as JSON where
/// that was asked for.
fn usage(error: &clap::Error, mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let status = if error.use_stderr() { ExitStatus::CouldNot } else { ExitStatus::Done };
    if error.use_stderr() && args.by_ref().take_while(|arg| arg != "--").any(|arg| arg == "--json") {
        Out::new(true, false).failure(&misunderstood(error));
    } else {
        // A closed pipe is the reader's choice.
        let _ = error.print();
    }
    ExitCode::from(status.number())
}

/// What the parser of the command line says, as every other failure is told.
fn misunderstood(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    // The message, then the usage and where to read on, each set apart by an empty line.
    let (message, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    let message = message.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
    let usage = rest.lines().find_map(|line| line.strip_prefix("Usage: "));
    let hint =
        usage.map_or_else(|| "try `--help`".to_owned(), |usage| format!("usage: {usage}; or try `--help`"));
    Failure::new("cli.usage", message).hint(hint)
}

/// As many open files as the system allows: most processes start with 1,024, and each worker of a pool takes some.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // A refusal leaves what there is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

fn start(cli: Cli, out: Out) -> Result<ExitStatus> {
    raise_open_files();
    let Global { chain, chain_check, deployment, data, key, password_file, password_fd, .. } = cli.global;
    let given = Given { chain, chain_check, deployment, data, key, password_file, password_fd };
    let profile = Profile::resolve(given)?;
    let context = Context { out, profile };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("cli.runtime", format!("could not start the threads: {error}")))?;
    runtime.block_on(run(cli.command, &context))
}

async fn run(command: Command, context: &Context) -> Result<ExitStatus> {
    match command {
        #[cfg(feature = "city")]
        Command::Demo(args) => up::demo(args, context).await,
        #[cfg(feature = "city")]
        Command::Up(args) => up::up(args, context).await,
        Command::Key(command) => key::run(command, context),
        Command::App(command) => app::run(command, context).await,
        Command::Dataset(command) => assets::run_dataset(command, context).await,
        Command::Pool(command) => pool::run(command, context).await,
        Command::Worker(args) => roles::worker(args, context).await,
        Command::Coordinator(args) => roles::coordinator(args, context).await,
        #[cfg(feature = "gateway")]
        Command::Gateway(args) => gateway::gateway(args, context).await,
        Command::Order(command) => order::run(command, context).await,
        Command::Quote(args) => quote::run(*args, context).await,
        Command::Deal(command) => deal::run(command, context).await,
        Command::Result(command) => result::run(command, context).await,
        Command::Deliver(which) => result::deliver(&which, context).await,
        Command::Expire(args) => result::settle(&args, result::Settling::Expire, context).await,
        Command::Dispute(command) => dispute::run(command, context).await,
        Command::Inquest(command) => inquest::run(command, context).await,
        Command::Audit(args) => dispute::audit(&args, context).await,
        Command::Release(args) => result::settle(&args, result::Settling::Release, context).await,
        Command::Stake(command) => stake::run(command, context).await,
        Command::Doctor(args) => doctor::run(args, context).await,
        Command::Completions(args) => completions::run(&args),
    }
}
