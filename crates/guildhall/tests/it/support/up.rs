//! A city that `guildhall up` runs, as a person starts it in one terminal to work in another.

use std::{
    io::{BufReader, Read as _},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

use super::Desk;

pub(crate) const UP: &[&str] = &[
    "up",
    "--listen",
    "127.0.0.1:0",
    "--coordinator-listen",
    "127.0.0.1:0",
    "--gateway-listen",
    "127.0.0.1:0",
    "--json",
];

/// The process, and what it said when it ran. It is stopped with the test, however that ends.
pub(crate) struct RunningCity {
    child: Option<Child>,
    pub(crate) said: Value,
}

impl RunningCity {
    /// Starts a city and waits until it says that it runs.
    pub(crate) fn start(desk: &Desk, more: &[&str]) -> Self {
        Self::of(desk.command(&[UP, more].concat()))
    }

    /// The same with a command of its own.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        // The first JSON value on its standard output; a city says nothing else there.
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut values = serde_json::Deserializer::from_reader(stdout.by_ref()).into_iter::<Value>();
        match values.next() {
            Some(Ok(said)) => Self { child: Some(child), said },
            _ => {
                let output = child.wait_with_output().expect("it ends");
                panic!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr))
            }
        }
    }

    pub(crate) fn coordinator(&self) -> &str {
        self.said["coordinator"].as_str().expect("an address")
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> Output {
        let child = self.child.take().expect("it runs");
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it is there");
        child.wait_with_output().expect("it ends")
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> Output {
        self.child.take().expect("it runs").wait_with_output().expect("it ends")
    }
}

impl Drop for RunningCity {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // A test that failed: nothing may outlive it.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
