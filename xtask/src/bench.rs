//! Measures what the project promises: runs each bench program, merges what they print, writes
//! `bench/results.json` and the table in `bench/README.md`.
//!
//! Knows nothing of how a figure is taken: that stands in the bench programs.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

/// Whether a figure should stay below or above its target.
#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

/// A figure that we promise: its key, what it is, its target.
struct Figure {
    key: &'static str,
    what: &'static str,
    bound: Bound,
}

const fn at_most(key: &'static str, limit: f64, what: &'static str) -> Figure {
    Figure { key, what, bound: Bound::AtMost(limit) }
}

const fn at_least(key: &'static str, limit: f64, what: &'static str) -> Figure {
    Figure { key, what, bound: Bound::AtLeast(limit) }
}

const FIGURES: &[Figure] = &[
    at_most("sandbox_warm_us_p50", 100.0, "hello, module loaded: new instance, run, receipt (µs, median)"),
    at_most("sandbox_cold_ms_p50", 5.0, "hello, from the cache of machine code (ms, median)"),
    at_most(
        "wasm_over_native",
        9.0,
        "image-class in the sandbox over the same code native, one core (ratio)",
    ),
    at_most("metering_ratio", 1.15, "image-class metered over unmetered (ratio)"),
    at_most("ledger_block_ms_p50", 3.0, "durable block of one transaction (ms, median)"),
    at_least("ledger_tps", 3_000.0, "ERC-20 transfers a second in full blocks"),
    at_most("ledger_mb_100k", 150.0, "disk at 100,000 blocks (MB)"),
    at_most("ledger_restart_s_100k", 1.0, "restart at 100,000 blocks (s)"),
    at_most("deal_ms_p50", 400.0, "hello deal, signed order to certificate, 3 workers (ms, median)"),
    at_most("batch1000_s", 4.0, "one deal of 1,000 hello tasks, 3 workers (s)"),
    at_most("worker_idle_mb", 60.0, "memory of an idle worker (MB)"),
    at_most("coordinator_mb_1000", 300.0, "memory of a coordinator with 1,000 connected idle workers (MB)"),
    at_least("contributions_per_s", 3_000.0, "contributions that a coordinator verifies and keeps a second"),
    at_least("catchup_blocks_per_s", 1_000.0, "missed blocks that are caught up a second"),
    at_most(
        "recover_s",
        5.0,
        "a city killed with 1,000 open tasks, from its start to its next certificate (s)",
    ),
    at_most("sandbox_hostile_ms", 50.0, "longest that an app goes on beyond its wall clock (ms)"),
    at_least("gateway_rps", 3_000.0, "reads of lists and objects a second, 100,000 deals indexed"),
    at_most("gateway_p99_ms", 50.0, "time that 99 of 100 of these stay under (ms)"),
    at_least("gateway_events_per_s", 2_000.0, "events that are indexed a second"),
    at_most("gateway_mb", 250.0, "memory of that gateway (MB)"),
    at_most("gateway_mb_2000_streams", 150.0, "what 2,000 open event streams add to it (MB)"),
];

/// A bench program with its arguments; it prints one JSON object of figures on standard output.
type Program = (PathBuf, Vec<String>);

/// The bench programs, with the apps, the model and a photograph that they need (`make assets` brings them).
fn programs(root: &Path, native: &Path) -> Vec<Program> {
    let built = directory("CARGO_TARGET_DIR", root.join("target")).join("release/examples");
    let apps = directory("GUILDHALL_APPS", root.join("build/apps"));
    let assets = directory("GUILDHALL_ASSETS", cache().join("assets"));
    let mut sandbox = Vec::new();
    let photo = assets.join("photos/chelsea.png");
    let files = [
        ("--hello", apps.join("hello.wasm")),
        ("--image", apps.join("image-class.wasm")),
        ("--native", native.to_owned()),
        ("--model", assets.join("open-nsfw.onnx")),
        ("--photo", photo),
    ];
    for (option, path) in files {
        sandbox.extend([option.to_owned(), path.display().to_string()]);
    }
    let programs = [
        ("bench_sandbox", sandbox),
        ("bench_ledger", Vec::new()),
        ("bench_network", Vec::new()),
        ("bench_pool", Vec::new()),
        ("bench_gateway", Vec::new()),
    ];
    programs.map(|(name, arguments)| (built.join(name), arguments)).to_vec()
}

fn directory(variable: &str, otherwise: PathBuf) -> PathBuf {
    std::env::var_os(variable).map_or(otherwise, PathBuf::from)
}

fn cache() -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    directory("XDG_CACHE_HOME", home.join(".cache")).join("guildhall")
}

/// Builds the bench programs, all at once: one by one they would have other features each, and compile what they need anew.
fn build_programs(root: &Path) -> Result<()> {
    let words = ["build", "--release", "--locked", "--workspace", "--examples"];
    let status = Command::new(env!("CARGO")).args(words).current_dir(root).status();
    let status = status.context("could not start cargo build")?;
    if !status.success() {
        bail!("building the bench programs ended with {status}");
    }
    Ok(())
}

/// Builds image-class for this machine: what the sandbox is compared with.
fn build_native(root: &Path) -> Result<PathBuf> {
    let apps = root.join("apps");
    let target = directory("CARGO_TARGET_DIR", apps.join("target"));
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "-p", "image-class", "--target-dir"])
        .arg(&target)
        .current_dir(&apps)
        .status()
        .context("could not start cargo build")?;
    if !status.success() {
        bail!("building image-class for this machine ended with {status}");
    }
    Ok(target.join("release/image-class"))
}

/// Runs every bench program and writes the results under `root/bench`.
///
/// # Errors
/// A program that fails, or prints no JSON object; files that can't be written.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut figures = Map::new();
    build_programs(root)?;
    for program in programs(root, &build_native(root)?) {
        eprintln!("{} {}", program.0.display(), program.1.join(" "));
        figures.extend(measure(root, &program)?);
    }
    let machine = json!({
        "cpu": cpu_model(),
        "cores": std::thread::available_parallelism()?.get(),
        "date": said(root, "date", &["-u", "+%F"])?,
        "commit": said(root, "git", &["rev-parse", "--short", "HEAD"])?,
    });
    let results = json!({ "machine": machine, "figures": figures });
    let dir = root.join("bench");
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("results.json"), serde_json::to_string_pretty(&results)? + "\n")?;
    fs::write(dir.join("README.md"), page(&results))?;
    print!("{}", table(&results));
    Ok(())
}

fn measure(root: &Path, (program, arguments): &Program) -> Result<Map<String, Value>> {
    let name = program.display();
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("could not start {name}"))?;
    if !output.status.success() {
        bail!("{name} ended with {}", output.status);
    }
    let text = String::from_utf8(output.stdout)?;
    serde_json::from_str(&text).with_context(|| format!("{name} printed no JSON object:\n{text}"))
}

/// The first line that a command says.
fn said(root: &Path, program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).current_dir(root).output();
    let output = output.with_context(|| format!("could not start {program}"))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn cpu_model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    info.lines()
        .find_map(|line| line.strip_prefix("model name").and_then(|rest| rest.split(':').nth(1)))
        .map_or_else(|| std::env::consts::ARCH.to_owned(), |name| name.trim().to_owned())
}

fn table(results: &Value) -> String {
    let mut rows = String::from("| key | measured | target | met | what |\n|---|---:|---:|---|---|\n");
    for figure in FIGURES {
        let measured = results["figures"][figure.key].as_f64();
        let target = match figure.bound {
            Bound::AtMost(limit) => format!("≤ {limit}"),
            Bound::AtLeast(limit) => format!("≥ {limit}"),
        };
        let (value, met) = match measured {
            Some(value) => (round(value), if figure.bound.holds(value) { "yes" } else { "**no**" }),
            None => ("not measured".to_owned(), "**no**"),
        };
        rows += &format!("| `{}` | {value} | {target} | {met} | {} |\n", figure.key, figure.what);
    }
    rows
}

fn round(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn page(results: &Value) -> String {
    let known: BTreeMap<_, _> = FIGURES.iter().map(|figure| (figure.key, ())).collect();
    let mut further = String::new();
    for (key, value) in results["figures"].as_object().into_iter().flatten() {
        if !known.contains_key(key.as_str()) {
            further += &format!("| `{key}` | {value} |\n");
        }
    }
    format!(
        "# Figures\n\nWritten by `make bench`; the raw figures are in [results.json](results.json). Gas is measured apart, by `make gas`:\n\
         [gas.json](../contracts/snapshots/gas.json).\n[How they are to be read](READING.md): some mean less than their names say.\n\nMachine: {}, {} cores. Measured on {} at commit {}.\n\n{}\n## Further figures\n\n| key | measured |\n|---|---:|\n{further}",
        results["machine"]["cpu"].as_str().unwrap_or_default(),
        results["machine"]["cores"],
        results["machine"]["date"].as_str().unwrap_or_default(),
        results["machine"]["commit"].as_str().unwrap_or_default(),
        table(results),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_beyond_its_target_is_marked() {
        let results = json!({ "figures": { "metering_ratio": 1.2, "ledger_tps": 5000.0 } });
        let table = table(&results);
        assert!(table.contains("| `metering_ratio` | 1.20 | ≤ 1.15 | **no** |"), "{table}");
        assert!(table.contains("| `ledger_tps` | 5000 | ≥ 3000 | yes |"), "{table}");
        assert!(table.contains("| `deal_ms_p50` | not measured | ≤ 400 | **no** |"), "{table}");
    }
}
