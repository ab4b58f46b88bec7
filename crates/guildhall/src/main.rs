//! The `guildhall` command: every role, the demo and the tools. See [`guildhall::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    // The sandbox starts this executable again for the processes that run apps: they hold no keys and read no flags.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == guildhall_sandbox::CHILD_ARGUMENT) {
        guildhall_sandbox::child_main();
    }
    guildhall::cli::main()
}
