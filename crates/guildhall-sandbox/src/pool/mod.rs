//! Child processes: some run tasks, started before they are needed and replaced when they fail; others compile a module
//! each. All are confined.
//!
//! A child has no environment, no descriptor but its socket, no keys. What an app does to it ends with the task's
//! host fault; its neighbours and the parent go on.

mod child;
mod confine;
mod wire;

use std::{
    collections::VecDeque,
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{net::UnixStream, process::ExitStatusExt as _},
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use self::child::{CHILD_ARGUMENT, child_main};
pub(crate) use self::wire::INLINE_MAX_BYTES;
use self::wire::{
    CODE_PAYLOAD_MAX_BYTES, CompileRequest, CompileResponse, Message, OUTPUT_PAYLOAD_MAX_BYTES, Place, Ready,
    Request, Response, Setup, Work,
};
use crate::{
    engine::Compiler,
    error::HostFault,
    instrument::Facts,
    memory::sealed,
    task::{Blob, Execution, ModuleId, Task},
};

/// Modules that a child keeps loaded; the one that was used longest ago goes first.
const MODULES_PER_CHILD: usize = 16;
/// How long a new process may take until it is ready.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time between the end of a child's socket and of its process.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// How children are started.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) executable: PathBuf,
    pub(crate) compiler: Compiler,
    pub(crate) wall_clock: Duration,
}

/// A module as children get it.
pub(crate) struct Code {
    pub(crate) facts: Facts,
    /// Sealed memory with the machine code.
    pub(crate) file: OwnedFd,
}

/// A fixed number of children, each free or in use. A place without a process starts one when it is needed.
pub(crate) struct Pool {
    start: Start,
    free: Mutex<Vec<Option<Process>>>,
    freed: Condvar,
}

impl Pool {
    /// Starts all children.
    pub(crate) fn new(start: Start, children: usize) -> Result<Self, HostFault> {
        let free =
            (0..children).map(|_| Process::start(&start, Work::Tasks).map(Some)).collect::<Result<_, _>>()?;
        Ok(Self { start, free: Mutex::new(free), freed: Condvar::new() })
    }

    /// Runs a task in a free child, waiting for one if need be (callers are the queue: its length is theirs).
    pub(crate) fn run(&self, code: &Code, task: &Task) -> Result<Execution, HostFault> {
        let mut lease = self.lease(task.module);
        let mut process = match lease.process.take().and_then(Process::if_alive) {
            Some(process) => process,
            None => Process::start(&self.start, Work::Tasks)?,
        };
        let result = process.run(&self.start, code, task);
        lease.process = match &result {
            Ok(_) => Some(process),
            Err(fault) => {
                tracing::warn!(module = %task.module, %fault, "a sandbox process failed and is replaced");
                drop(process);
                Process::start(&self.start, Work::Tasks).ok()
            }
        };
        result
    }

    /// Compiles a metered module in a process of its own: a module that breaks the compiler reaches no other module's
    /// code, and one that keeps it busy or greedy is ended by the wall clock or the limit of memory.
    ///
    /// # Errors
    /// The inner error is the engine's refusal, the outer one a fault of this machine.
    pub(crate) fn compile(&self, wasm: &[u8]) -> Result<Result<Vec<u8>, String>, HostFault> {
        let mut process = Process::start(&self.start, Work::Compile)?;
        let file = sealed(wasm)?;
        wire::send(&process.stream, &CompileRequest { bytes: wasm.len() as u64 }, &[], &[file.as_fd()])?;
        let message = process.wait(self.start.wall_clock, CODE_PAYLOAD_MAX_BYTES)?;
        match message.header::<CompileResponse>()? {
            CompileResponse::Done => Ok(Ok(message.payload)),
            CompileResponse::Refused(reason) => Ok(Err(reason)),
            CompileResponse::Fault(fault) => Err(fault.into()),
        }
    }

    /// Takes a child, preferring one that has the module.
    fn lease(&self, module: ModuleId) -> Lease<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free =
            self.freed.wait_while(free, |free| free.is_empty()).unwrap_or_else(PoisonError::into_inner);
        let warm = free
            .iter()
            .position(|process| process.as_ref().is_some_and(|process| process.modules.contains(&module)));
        let index = warm.unwrap_or(free.len() - 1);
        Lease { pool: self, process: free.swap_remove(index) }
    }
}

/// A place in the pool, given back when dropped.
struct Lease<'a> {
    pool: &'a Pool,
    process: Option<Process>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.process.take());
        self.pool.freed.notify_one();
    }
}

/// A running child. Dropping it kills it.
struct Process {
    child: Child,
    stream: UnixStream,
    /// What it has loaded, the most recently used last. Only the parent decides, so both agree.
    modules: VecDeque<ModuleId>,
}

impl Process {
    fn start(start: &Start, work: Work) -> Result<Self, HostFault> {
        let failed =
            |reason: String| HostFault::Spawn { path: start.executable.display().to_string(), reason };
        let (stream, theirs) = UnixStream::pair()?;
        let child = Command::new(&start.executable)
            .arg(CHILD_ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let mut process = Self { child, stream, modules: VecDeque::new() };
        // A program that is no sandbox may end before it is greeted, or answer something else.
        let ready =
            process.greet(start, work).map_err(|fault| failed(format!("it is not ready: {fault}")))?;
        if !ready.confined {
            tracing::warn!(
                "this kernel has no system call filters; sandbox processes rely on the engine alone"
            );
        }
        Ok(process)
    }

    fn greet(&mut self, start: &Start, work: Work) -> Result<Ready, HostFault> {
        wire::send(&self.stream, &Setup { compiler: start.compiler, work }, &[], &[])?;
        Ok(self.wait(START_TIMEOUT, 0)?.header()?)
    }

    /// Nothing if the system has ended it while it was free, for want of memory say.
    fn if_alive(mut self) -> Option<Self> {
        matches!(self.child.try_wait(), Ok(None)).then_some(self)
    }

    fn run(&mut self, start: &Start, code: &Code, task: &Task) -> Result<Execution, HostFault> {
        let known = self.modules.iter().position(|module| *module == task.module);
        if let Some(index) = known {
            self.modules.remove(index);
        }
        let full = known.is_none() && self.modules.len() >= MODULES_PER_CHILD;
        let forget = if full { self.modules.pop_front() } else { None };
        self.request(task, code, known.is_none(), forget)?;
        self.modules.push_back(task.module);
        let message = self.wait(start.wall_clock, OUTPUT_PAYLOAD_MAX_BYTES)?;
        match message.header::<Response>()? {
            Response::Done { receipt, own_trace, output_bytes } => {
                let mut output = message.payload;
                if output_bytes > output.len() as u64 {
                    return Err(io::Error::from(io::ErrorKind::InvalidData).into());
                }
                let stderr = output.split_off(output_bytes as usize);
                Ok(Execution { receipt, own_trace, output, stderr })
            }
            Response::Fault(fault) => Err(fault.into()),
        }
    }

    fn request(&self, task: &Task, code: &Code, load: bool, forget: Option<ModuleId>) -> io::Result<()> {
        let mut freight = Freight::default();
        if load {
            freight.files.push(code.file.as_fd());
        }
        let request = Request {
            module: task.module,
            load: load.then_some(code.facts),
            forget,
            index: task.index,
            args: task.args.clone(),
            env: task.env.clone(),
            input: freight.add(&task.input)?,
            dataset: task.dataset.as_ref().map(|blob| freight.add(blob)).transpose()?,
            files: task
                .files
                .iter()
                .map(|(name, blob)| Ok((name.clone(), freight.add(blob)?)))
                .collect::<io::Result<_>>()?,
            deal_time_secs: task.deal_time_secs,
            seed: task.seed,
            limits: task.limits,
            own_trace_key: task.own_trace_key,
        };
        wire::send(&self.stream, &request, &freight.payload, &freight.files)
    }

    /// Waits for the child's next message, and kills it when the time is over.
    fn wait(&mut self, timeout: Duration, payload_max_bytes: usize) -> Result<Message, HostFault> {
        if !readable(&self.stream, timeout)? {
            return Err(HostFault::WallClock(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)));
        }
        // A child that begins a message and stops must not hold its parent: the rest is due at once.
        self.stream.set_read_timeout(Some(START_TIMEOUT))?;
        match wire::receive(&self.stream, payload_max_bytes) {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(self.died("it closed its socket")),
            Err(error) => Err(self.died(&error.to_string())),
        }
    }

    fn died(&mut self, how: &str) -> HostFault {
        let deadline = Instant::now() + END_TIMEOUT;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < deadline => std::thread::yield_now(),
                _ => break None,
            }
        };
        let reason = match status {
            Some(status) => match status.signal() {
                Some(signal) => format!("signal {signal}"),
                None => format!("{status}"),
            },
            None => how.to_owned(),
        };
        HostFault::ChildDied(reason)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until there is something to read. False if the time is over.
fn readable(stream: &UnixStream, timeout: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + timeout;
    wire::stay_awake(stream);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What travels beside a request.
#[derive(Default)]
struct Freight<'a> {
    payload: Vec<&'a [u8]>,
    files: Vec<BorrowedFd<'a>>,
}

impl<'a> Freight<'a> {
    fn add(&mut self, blob: &'a Blob) -> io::Result<Place> {
        if let Some(bytes) = blob.inline().filter(|bytes| bytes.len() <= INLINE_MAX_BYTES) {
            self.payload.push(bytes);
            return Ok(Place::Inline(bytes.len() as u64));
        }
        let file: &File = blob.as_file()?;
        self.files.push(file.as_fd());
        Ok(Place::File(blob.len()))
    }
}
