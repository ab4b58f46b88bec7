//! Measures the sandbox and prints one JSON object.
//!
//! ```text
//! cargo run --release -p guildhall-sandbox --example bench_sandbox -- \
//!     --hello hello.wasm [--image image-class.wasm --native image-class --model open-nsfw.onnx --photo chelsea.png]
//! ```
//!
//! `sandbox_warm_us_p50`: hello through a child process, module loaded: new instance, run, receipt, and the way there
//! and back. `sandbox_warm_in_process_us_p50`: the same without the child. `sandbox_cold_ms_p50`: a new child process
//! is there, the module comes from the cache on disk. `wasm_over_native`: inference alone, metered in the sandbox over
//! the same code native, alternating; `wasm_over_native_task` is the whole task with loading the model.
//! `metering_ratio`: the whole image task metered over unmetered (hello's loops where no image app is given).
//! `sandbox_hostile_ms`: the longest that an app with all the fuel there is goes on beyond the wall clock, of loops, floods of host
//! calls, storms of bulk operations, and a module whose compilation takes longer.

use std::{
    collections::BTreeMap,
    error::Error,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use guildhall_sandbox::{
    Blob, CHILD_ARGUMENT, Config, Limits, Metering, ModuleId, Sandbox, Task, instrument,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const WARM_RUNS: usize = 2_000;
const COLD_RUNS: usize = 30;
/// Time of a hostile app.
const WALL_CLOCK: Duration = Duration::from_millis(200);
const HOSTILE_ROUNDS: usize = 10;
const IMAGE_ROUNDS: usize = 5;
/// Inferences of the longer run; one less is what the difference measures.
const INFERENCES: u32 = 5;

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(CHILD_ARGUMENT) {
        guildhall_sandbox::child_main();
    }
    let options = Options::from_args()?;
    let mut results = BTreeMap::new();
    warm(&options, &mut results)?;
    cold(&options, &mut results)?;
    hostile(&mut results)?;
    if let Some(image) = &options.image {
        native(image, &mut results)?;
        metering(image, &mut results)?;
    }
    println!("{}", serde_json::to_string_pretty(&results)?);
    Ok(())
}

type Results = BTreeMap<&'static str, f64>;

struct Options {
    hello: PathBuf,
    image: Option<Image>,
}

struct Image {
    wasm: PathBuf,
    native: PathBuf,
    model: PathBuf,
    photo: PathBuf,
}

impl Options {
    fn from_args() -> Result<Self> {
        let mut given = BTreeMap::new();
        let mut args = std::env::args().skip(1);
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("`{name}` needs a path"))?;
            given.insert(name, PathBuf::from(value));
        }
        let mut take = |name: &str| given.remove(name).ok_or_else(|| format!("`{name} PATH` is missing"));
        let hello = take("--hello")?;
        let image = match take("--image") {
            Ok(wasm) => Some(Image {
                wasm,
                native: take("--native")?,
                model: take("--model")?,
                photo: take("--photo")?,
            }),
            Err(_) => None,
        };
        Ok(Self { hello, image })
    }
}

fn in_process(metering: Metering) -> Result<Sandbox> {
    Ok(Sandbox::new(Config { children: 0, metering, ..Config::default() })?)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn time<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed())
}

fn hello_task(module: ModuleId) -> Task {
    Task { input: "hello, world".into(), ..Task::new(module) }
}

fn warm(options: &Options, results: &mut Results) -> Result<()> {
    let wasm = std::fs::read(&options.hello)?;
    let sandboxes = [
        ("sandbox_warm_us_p50", Sandbox::new(Config { children: 1, ..Config::default() })?),
        ("sandbox_warm_in_process_us_p50", in_process(Metering::On)?),
    ];
    for (key, sandbox) in sandboxes {
        let task = hello_task(sandbox.load(&wasm)?);
        let mut times = Vec::with_capacity(WARM_RUNS);
        for _ in 0..WARM_RUNS {
            times.push(time(|| Ok(sandbox.run(&task)?))?);
        }
        results.insert(key, median(times).as_secs_f64() * 1e6);
    }
    Ok(())
}

fn cold(options: &Options, results: &mut Results) -> Result<()> {
    let wasm = std::fs::read(&options.hello)?;
    let directory = tempfile::tempdir()?;
    let config = Config { children: 1, cache_dir: Some(directory.path().to_owned()), ..Config::default() };
    Sandbox::new(config.clone())?.load(&wasm)?;
    let mut times = Vec::new();
    for _ in 0..COLD_RUNS {
        let sandbox = Sandbox::new(config.clone())?;
        times.push(time(|| Ok(sandbox.run(&hello_task(sandbox.load(&wasm)?))?))?);
    }
    results.insert("sandbox_cold_ms_p50", median(times).as_secs_f64() * 1e3);
    Ok(())
}

/// What hostile apps do for ever.
const FOR_EVER: &[&str] = &[
    "",
    "(drop (call $random (i32.const 0) (i32.const 16000000)))",
    "(drop (call $write (i32.const 2) (i32.const 0) (i32.const 1024) (i32.const 0)))",
    "(memory.copy (i32.const 1) (i32.const 0) (i32.const 16000000))",
    "(memory.fill (i32.const 0) (i32.const 1) (i32.const 16000000))",
    "(table.fill $t (i32.const 0) (ref.null func) (i32.const 1000000))",
    "(drop (memory.grow (i32.const 1)))",
];

fn hostile(results: &mut Results) -> Result<()> {
    let config = Config { children: 1, wall_clock: WALL_CLOCK, ..Config::default() };
    let sandbox = Sandbox::new(config)?;
    let mut longest = Duration::ZERO;
    // `before`: what is done before the clock runs. Whoever ends in time has not gone beyond it.
    let mut overrun = |before: Duration, work: &mut dyn FnMut() -> bool| {
        let started = Instant::now();
        if work() {
            longest = longest.max(started.elapsed().saturating_sub(before + WALL_CLOCK));
        }
    };
    for code in FOR_EVER {
        let wasm = wat::parse_str(format!(
            r#"(module
              (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
              (table $t 1000000 funcref) (memory (export "memory") 256)
              (func (export "_start") (loop {code} (br 0))))"#
        ))?;
        let module = sandbox.load(&wasm)?;
        let limits = Limits { fuel: 1 << 60, memory_bytes: 1 << 30 };
        let task = Task { limits, ..Task::new(module) };
        for _ in 0..HOSTILE_ROUNDS {
            overrun(Duration::ZERO, &mut || sandbox.run(&task).is_err());
        }
    }
    let chain = "(local.set 0 (i64.mul (i64.add (local.get 0) (i64.const 3)) (local.get 0)))".repeat(3_000);
    for round in 0..HOSTILE_ROUNDS {
        // Another module each time: what was compiled would be known.
        let functions = format!("(func (param i64) (drop (i64.const {round})) {chain})").repeat(100);
        let slow = wat::parse_str(format!(
            r#"(module (memory (export "memory") 1) {functions} (func (export "_start")))"#
        ))?;
        // The clock is the compiler's: to meter takes time in proportion to the module.
        let metering = time(|| Ok(instrument(&slow, Metering::On)?))?;
        overrun(metering, &mut || sandbox.load(&slow).is_err());
    }
    results.insert("sandbox_hostile_ms", longest.as_secs_f64() * 1e3);
    Ok(())
}

impl Image {
    fn task(&self, module: ModuleId, inferences: u32) -> Result<Task> {
        Ok(Task {
            args: ["image-class", "--repeat", &inferences.to_string()].map(str::to_owned).to_vec(),
            input: Blob::open(&self.photo)?,
            dataset: Some(Blob::open(&self.model)?),
            limits: Limits { fuel: 1 << 50, memory_bytes: 1 << 30 },
            ..Task::new(module)
        })
    }

    /// Microseconds of the whole task and of one inference, natively on one core.
    fn native_us(&self) -> Result<(f64, f64)> {
        let root = tempfile::tempdir()?;
        std::fs::create_dir(root.path().join("in"))?;
        std::fs::create_dir(root.path().join("out"))?;
        std::fs::copy(&self.photo, root.path().join("in/input"))?;
        std::os::unix::fs::symlink(self.model.canonicalize()?, root.path().join("in/dataset"))?;
        let output = Command::new(&self.native)
            .args(["--time", "--repeat", &INFERENCES.to_string()])
            .env("GUILDHALL_ROOT", root.path())
            .env("RAYON_NUM_THREADS", "1")
            .output()?;
        let text = String::from_utf8(output.stderr)?;
        let times: BTreeMap<String, f64> = serde_json::from_str(&text)?;
        Ok((times["task_us"], times["inference_us"]))
    }
}

/// The smallest of the times: the machine's other work only ever adds.
fn smallest(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

fn native(image: &Image, results: &mut Results) -> Result<()> {
    let sandbox = in_process(Metering::On)?;
    let module = sandbox.load(&std::fs::read(&image.wasm)?)?;
    let (one, many) = (image.task(module, 1)?, image.task(module, INFERENCES)?);
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..IMAGE_ROUNDS {
        let (task, inference) = image.native_us()?;
        times[0].push(task);
        times[1].push(inference);
        times[2].push(time(|| Ok(sandbox.run(&one)?))?.as_secs_f64() * 1e6);
        times[3].push(time(|| Ok(sandbox.run(&many)?))?.as_secs_f64() * 1e6);
    }
    let [native_task, native_inference, task, task_of_many] = times.map(|times| smallest(&times));
    let inference = (task_of_many - task) / f64::from(INFERENCES - 1);
    results.insert("native_inference_ms", native_inference / 1e3);
    results.insert("sandbox_inference_ms", inference / 1e3);
    results.insert("native_task_ms", native_task / 1e3);
    results.insert("sandbox_task_ms", task / 1e3);
    results.insert("wasm_over_native", inference / native_inference);
    results.insert("wasm_over_native_task", task / native_task);
    Ok(())
}

fn metering(image: &Image, results: &mut Results) -> Result<()> {
    let wasm = std::fs::read(&image.wasm)?;
    let mut runs = Vec::new();
    for metering in [Metering::On, Metering::Off] {
        let sandbox = in_process(metering)?;
        let task = image.task(sandbox.load(&wasm)?, 1)?;
        runs.push((sandbox, task, Vec::new()));
    }
    for _ in 0..IMAGE_ROUNDS {
        for (sandbox, task, times) in &mut runs {
            times.push(time(|| Ok(sandbox.run(task)?))?.as_secs_f64());
        }
    }
    results.insert("metering_ratio", smallest(&runs[0].2) / smallest(&runs[1].2));
    Ok(())
}
