//! A child process for tests and measurements: does nothing unless a sandbox starts it.

fn main() {
    if std::env::args().nth(1).as_deref() == Some(guildhall_sandbox::CHILD_ARGUMENT) {
        guildhall_sandbox::child_main();
    }
    eprintln!("guildhall-sandbox-child is started by a sandbox");
    std::process::exit(2);
}
