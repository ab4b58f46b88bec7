//! The child process: runs one task after another until its parent is gone, or compiles one module.

use std::{collections::HashMap, fs::File, io, os::unix::net::UnixStream, process, thread};

use rustix::event::{PollFd, PollFlags, poll};
use wasmtime::Module;

use super::{
    confine,
    wire::{
        self, CompileRequest, CompileResponse, Fault, Message, OUTPUT_PAYLOAD_MAX_BYTES, Place, Ready,
        Request, Response, Setup, Work,
    },
};
use crate::{
    engine::{Runtime, THREAD_STACK_BYTES},
    error::HostFault,
    instrument::Facts,
    memory::Mapping,
    run::{self, Loaded},
    task::{Blob, Execution, ModuleId, Task},
    trace::Touched,
};

/// The argument by which an executable becomes a child.
pub const CHILD_ARGUMENT: &str = "sandbox-child";

/// The life of a child process. A binary calls this, before anything else, when its first argument is
/// [`CHILD_ARGUMENT`]. Standard input is the socket to the parent.
pub fn child_main() -> ! {
    confine::close_inherited();
    // A panic is a fault of the host: the parent sees the process die and nobody sees a receipt.
    std::panic::set_hook(Box::new(|_| process::abort()));
    let Ok(socket) = rustix::stdio::stdin().try_clone_to_owned() else { process::exit(2) };
    let stream = UnixStream::from(socket);
    let serving = thread::Builder::new().stack_size(THREAD_STACK_BYTES).spawn(move || {
        process::exit(i32::from(serve(&stream).is_err()));
    });
    if serving.is_err() {
        process::exit(2);
    }
    // Ends the process when the parent is gone, even in the middle of a task.
    let stdin = rustix::stdio::stdin();
    let mut watched = [PollFd::new(&stdin, PollFlags::RDHUP)];
    while poll(&mut watched, None).is_err() {}
    process::exit(0);
}

fn serve(stream: &UnixStream) -> io::Result<()> {
    let Some(setup) = wire::receive(stream, 0)? else { return Ok(()) };
    let Setup { compiler, work } = setup.header()?;
    let runtime = Runtime::new(compiler).map_err(io::Error::other)?;
    match work {
        Work::Tasks => _ = Touched::of_this_process(),
        // A confined process starts no threads: those that the engine compiles with run before.
        Work::Compile => _ = rayon::broadcast(|_| ()),
    }
    let confined = confine::confine(work)?;
    wire::send(stream, &Ready { confined }, &[], &[])?;
    match work {
        Work::Tasks => serve_tasks(stream, &runtime),
        Work::Compile => serve_compilation(stream, &runtime),
    }
}

fn serve_compilation(stream: &UnixStream, runtime: &Runtime) -> io::Result<()> {
    let Some(message) = wire::receive(stream, 0)? else { return Ok(()) };
    let CompileRequest { bytes } = message.header()?;
    let file = message.files.first().ok_or(io::ErrorKind::UnexpectedEof)?;
    let answer = Mapping::of_file(file, bytes).map(|wasm| runtime.engine.precompile_module(wasm.bytes()));
    match answer {
        Ok(Ok(code)) => wire::send(stream, &CompileResponse::Done, &[&code], &[]),
        Ok(Err(error)) => wire::send(stream, &CompileResponse::Refused(format!("{error:#}")), &[], &[]),
        Err(error) => wire::send(stream, &CompileResponse::Fault(HostFault::from(error).into()), &[], &[]),
    }
}

fn serve_tasks(stream: &UnixStream, runtime: &Runtime) -> io::Result<()> {
    let mut modules = HashMap::new();
    while let Some(message) = wire::receive(stream, OUTPUT_PAYLOAD_MAX_BYTES)? {
        match answer(runtime, &mut modules, message) {
            Ok(Execution { receipt, own_trace, output, stderr }) => {
                let done = Response::Done { receipt, own_trace, output_bytes: output.len() as u64 };
                wire::send(stream, &done, &[&output, &stderr], &[])?;
            }
            Err(fault) => wire::send(stream, &Response::Fault(fault.into()), &[], &[])?,
        }
        wire::stay_awake(stream);
    }
    Ok(())
}

fn answer(
    runtime: &Runtime,
    modules: &mut HashMap<ModuleId, Loaded>,
    message: Message,
) -> Result<Execution, HostFault> {
    let request: Request = message.header()?;
    let mut files = message.files.into_iter();
    if let Some(module) = request.forget {
        modules.remove(&module);
    }
    if let Some(facts) = request.load {
        modules.insert(request.module, load(runtime, files.next(), facts)?);
    }
    let loaded = modules.get(&request.module).ok_or_else(|| {
        HostFault::Engine("a sandbox process was asked for a module it does not have".to_owned())
    })?;
    run::execute(loaded, &task(request, &message.payload, files)?)
}

#[allow(unsafe_code)]
fn load(runtime: &Runtime, code: Option<File>, facts: Facts) -> Result<Loaded, HostFault> {
    let code = code.ok_or_else(|| HostFault::Engine("a sandbox process got no machine code".to_owned()))?;
    // SAFETY: the file is sealed memory that the parent filled with code it compiled, or that its cache vouched for.
    let module = unsafe { Module::deserialize_open_file(&runtime.engine, code) }
        .map_err(|error| HostFault::Engine(format!("{error:#}")))?;
    Loaded::new(runtime, &module, facts)
}

fn task(request: Request, payload: &[u8], mut files: impl Iterator<Item = File>) -> io::Result<Task> {
    let mut rest = payload;
    let mut blob = |place: Place| -> io::Result<Blob> {
        match place {
            Place::Inline(bytes) => {
                let (now, later) =
                    rest.split_at_checked(bytes as usize).ok_or(io::ErrorKind::UnexpectedEof)?;
                rest = later;
                Ok(now.into())
            }
            Place::File(bytes) => Ok(Blob::of_file(files.next().ok_or(io::ErrorKind::UnexpectedEof)?, bytes)),
        }
    };
    Ok(Task {
        module: request.module,
        index: request.index,
        args: request.args,
        env: request.env,
        input: blob(request.input)?,
        dataset: request.dataset.map(&mut blob).transpose()?,
        files: request
            .files
            .into_iter()
            .map(|(name, place)| Ok((name, blob(place)?)))
            .collect::<io::Result<_>>()?,
        deal_time_secs: request.deal_time_secs,
        seed: request.seed,
        limits: request.limits,
        own_trace_key: request.own_trace_key,
    })
}

impl From<HostFault> for Fault {
    fn from(fault: HostFault) -> Self {
        match fault {
            HostFault::NativeStack => Self::NativeStack,
            HostFault::Memory { bytes, reason } => Self::Memory { bytes, reason },
            HostFault::FloatMode { found, expected } => Self::FloatMode { found, expected },
            HostFault::Io(error) => Self::Io(error.to_string()),
            other => Self::Engine(other.to_string()),
        }
    }
}

impl From<Fault> for HostFault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NativeStack => Self::NativeStack,
            Fault::Memory { bytes, reason } => Self::Memory { bytes, reason },
            Fault::FloatMode { found, expected } => Self::FloatMode { found, expected },
            Fault::Engine(reason) => Self::Engine(reason),
            Fault::Io(reason) => Self::Io(io::Error::other(reason)),
        }
    }
}
