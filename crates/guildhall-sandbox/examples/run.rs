//! Runs an app on one or more inputs and prints each output; receipts go to standard error.
//!
//! ```text
//! cargo run --release -p guildhall-sandbox --example run -- [--machine-code DIRECTORY [--aarch64]] APP.wasm [--dataset PATH] INPUT ...
//! ```
//!
//! Without an input it only makes machine code. `--aarch64` makes or takes that of an ARM board, which another machine makes with the
//! feature `cross`.

use std::{error::Error, io::Write as _};

use guildhall_protocol::receipt::Exit;
use guildhall_sandbox::{Blob, CHILD_ARGUMENT, Compiler, Config, Limits, Sandbox, Task};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1).peekable();
    if args.peek().is_some_and(|arg| arg == CHILD_ARGUMENT) {
        guildhall_sandbox::child_main();
    }
    let cache_dir = match args.next_if(|arg| arg == "--machine-code") {
        Some(_) => Some(args.next().ok_or("`--machine-code` needs a directory")?.into()),
        None => None,
    };
    let compiler = match args.next_if(|arg| arg == "--aarch64") {
        Some(_) => Compiler::Aarch64,
        None => Compiler::default(),
    };
    let app = args
        .next()
        .ok_or("usage: run [--machine-code DIRECTORY [--aarch64]] APP.wasm [--dataset PATH] INPUT ...")?;
    let dataset = match args.next_if(|arg| arg == "--dataset") {
        Some(_) => Some(Blob::open(args.next().ok_or("`--dataset` needs a path")?)?),
        None => None,
    };
    let sandbox = Sandbox::new(Config { children: 1, cache_dir, compiler, ..Config::default() })?;
    let module = sandbox.load(&std::fs::read(app)?)?;
    let limits = Limits { fuel: 1 << 50, memory_bytes: 1 << 30 };
    for input in args {
        let task = Task { input: Blob::open(&input)?, dataset: dataset.clone(), limits, ..Task::new(module) };
        let execution = sandbox.run(&task)?;
        eprintln!("{input}: {}", serde_json::to_string(&execution.receipt)?);
        std::io::stderr().write_all(&execution.stderr)?;
        std::io::stdout().write_all(&execution.output)?;
        if execution.receipt.exit != Exit::Ok {
            return Err(format!("`{input}` ended with {:?}", execution.receipt.exit).into());
        }
    }
    Ok(())
}
