//! `guildhall completions`: completion scripts for shells.

use clap::Args;
use clap_complete::Shell;

use crate::error::{ExitStatus, Result};

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<ExitStatus> {
    clap_complete::generate(args.shell, &mut super::tree(), "guildhall", &mut std::io::stdout());
    Ok(ExitStatus::Done)
}
