//! Chores of the repository: what is generated, what is checked by reading, what is measured.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

mod bench;
mod readme;
mod tidy;
mod vectors;

/// Chores of the repository.
#[derive(Parser)]
#[command(name = "xtask")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Write what is generated and committed.
    Gen,
    /// Check that what is committed is what would be generated.
    CheckGen,
    /// Check the rules of the house: lengths, layers, words, links.
    Tidy,
    /// Measure, and write the results.
    Bench,
}

fn main() -> ExitCode {
    let root = root();
    let result = match Args::parse().chore {
        Chore::Gen => vectors::write(&root).and_then(|()| readme::write(&root)),
        Chore::CheckGen => vectors::check(&root).and_then(|()| readme::check(&root)),
        Chore::Tidy => tidy::run(&root),
        Chore::Bench => bench::run(&root),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository that this program was built from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_path_buf()
}
