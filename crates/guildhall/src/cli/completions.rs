//! `guildhall completions`: completion scripts for shells.

use clap::Args;
use clap_complete::Shell;

use crate::{
    error::{ExitStatus, Result},
    output::print,
};

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<ExitStatus> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::tree(), "guildhall", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(ExitStatus::Done)
}
