//! The deterministic host: WASI preview 1, ours (rule R9).
//!
//! Every call is a function of its arguments, the guest's memory and the task. Each charges its base before it looks
//! at anything, and the bytes it will move before it moves them. A pointer outside the memory is `EFAULT`, never a
//! fault. Knows nothing of the engine's settings nor of receipts.

mod calls;
mod fs;
mod types;
mod world;

use wasmparser::ValType;
use wasmtime::{Caller, Global, Linker, Memory, Val};

use self::types::Errno;
pub(crate) use self::world::World;
use crate::{
    limits::{FUEL_HOST_BYTES_SHIFT, FUEL_HOST_CALL, TABLE_ELEMENTS_MAX},
    validate::WASI_MODULE,
};

/// A function that modules may import.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) name: &'static str,
    /// One letter a parameter: `i` for i32, `l` for i64.
    pub(crate) params: &'static str,
    results: usize,
}

impl Import {
    pub(crate) fn has_type(&self, params: &[ValType], results: &[ValType]) -> bool {
        let expected =
            self.params.chars().map(|letter| if letter == 'l' { ValType::I64 } else { ValType::I32 });
        expected.eq(params.iter().copied())
            && results.len() == self.results
            && results.iter().all(|result| *result == ValType::I32)
    }
}

/// What a running instance's host functions work on.
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) growth: Growth,
    /// The fuel left and the memory: known once the instance exists, before anything of it runs.
    pub(crate) handles: Option<(Global, Memory)>,
}

/// Grants growth up to the task's limit and remembers what it refused.
pub(crate) struct Growth {
    pub(crate) memory_limit_bytes: u64,
    /// Whether a growth was refused because of a limit.
    pub(crate) refused: bool,
    /// Why the system refused what the limit granted: a fault of the host.
    pub(crate) fault: Option<String>,
}

impl wasmtime::ResourceLimiter for Growth {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let granted =
            desired as u64 <= self.memory_limit_bytes && maximum.is_none_or(|maximum| desired <= maximum);
        self.refused |= !granted;
        Ok(granted)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.fault = Some(error.to_string());
        Err(error)
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let granted =
            desired as u64 <= TABLE_ELEMENTS_MAX && maximum.is_none_or(|maximum| desired <= maximum);
        self.refused |= !granted;
        Ok(granted)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.fault = Some(error.to_string());
        Err(error)
    }
}

/// The app called `proc_exit`.
#[derive(Debug, thiserror::Error)]
#[error("the app exited with code {0}")]
pub(crate) struct ProcExit(pub(crate) u32);

/// A host call could not be paid for.
#[derive(Debug, thiserror::Error)]
#[error("out of fuel in a host call")]
struct OutOfFuel;

/// Why a host call does not succeed.
enum Stop {
    /// The guest gets an error number.
    Errno(Errno),
    /// The guest stops.
    OutOfFuel,
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

type Outcome = Result<(), Stop>;

/// The instance that made a call.
struct Guest<'a, 'b> {
    caller: &'a mut Caller<'b, State>,
    fuel: Global,
    memory: Memory,
}

impl<'a, 'b> Guest<'a, 'b> {
    fn new(caller: &'a mut Caller<'b, State>) -> wasmtime::Result<Self> {
        let (fuel, memory) =
            caller.data().handles.ok_or_else(|| wasmtime::Error::msg("a host call before the instance"))?;
        Ok(Self { caller, fuel, memory })
    }

    /// Takes fuel before work is done.
    fn charge(&mut self, fuel: u64) -> Outcome {
        let left = self.fuel.get(&mut *self.caller).i64().unwrap_or(i64::MIN);
        let left = left.saturating_sub_unsigned(fuel);
        let stored = self.fuel.set(&mut *self.caller, Val::I64(left));
        if left < 0 || stored.is_err() { Err(Stop::OutOfFuel) } else { Ok(()) }
    }

    fn charge_bytes(&mut self, bytes: u64) -> Outcome {
        self.charge((bytes >> FUEL_HOST_BYTES_SHIFT) + 1)
    }

    /// The memory and the world, at once.
    fn split(&mut self) -> (&mut [u8], &mut World) {
        let (memory, state) = self.memory.data_and_store_mut(&mut *self.caller);
        (memory, &mut state.world)
    }

    fn world(&mut self) -> &mut World {
        &mut self.caller.data_mut().world
    }

    fn slice(&mut self, pointer: u32, len: u32) -> Result<&mut [u8], Errno> {
        slice(self.memory.data_mut(&mut *self.caller), pointer, len)
    }

    fn read_u32(&mut self, pointer: u32) -> Result<u32, Errno> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.slice(pointer, 4)?);
        Ok(u32::from_le_bytes(bytes))
    }

    fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), Errno> {
        self.slice(pointer, bytes.len() as u32)?.copy_from_slice(bytes);
        Ok(())
    }

    fn write_u32(&mut self, pointer: u32, value: u32) -> Result<(), Errno> {
        self.write(pointer, &value.to_le_bytes())
    }

    fn write_u64(&mut self, pointer: u32, value: u64) -> Result<(), Errno> {
        self.write(pointer, &value.to_le_bytes())
    }
}

/// A checked part of the guest's memory.
fn slice(memory: &mut [u8], pointer: u32, len: u32) -> Result<&mut [u8], Errno> {
    let start = pointer as usize;
    memory.get_mut(start..start + len as usize).ok_or(Errno::Fault)
}

fn letter<T: 'static>() -> char {
    if std::any::TypeId::of::<T>() == std::any::TypeId::of::<u64>() { 'l' } else { 'i' }
}

macro_rules! host_calls {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {
        /// Every function that a module may import, by name: all of WASI preview 1.
        pub(crate) fn imports() -> &'static [Import] {
            static IMPORTS: std::sync::LazyLock<Vec<Import>> = std::sync::LazyLock::new(|| {
                let letters = |letters: &[char]| -> &'static str { letters.iter().collect::<String>().leak() };
                vec![
                    Import { name: "proc_exit", params: "i", results: 0 },
                    $(Import {
                        name: stringify!($name),
                        params: letters(&[$(letter::<$ty>()),*]),
                        results: 1,
                    },)*
                ]
            });
            &IMPORTS
        }

        /// Offers the host's functions to instances.
        pub(crate) fn add_to(linker: &mut Linker<State>) -> wasmtime::Result<()> {
            linker.func_wrap(WASI_MODULE, "proc_exit", |code: u32| -> wasmtime::Result<()> {
                Err(ProcExit(code).into())
            })?;
            $(linker.func_wrap(
                WASI_MODULE,
                stringify!($name),
                |mut caller: Caller<'_, State>, $($arg: $ty),*| -> wasmtime::Result<u32> {
                    let mut guest = Guest::new(&mut caller)?;
                    let outcome = guest.charge(FUEL_HOST_CALL).and_then(|()| calls::$name(&mut guest, $($arg),*));
                    match outcome {
                        Ok(()) => Ok(0),
                        Err(Stop::Errno(errno)) => Ok(errno as u32),
                        Err(Stop::OutOfFuel) => Err(OutOfFuel.into()),
                    }
                },
            )?;)*
            Ok(())
        }
    };
}

host_calls! {
    args_get(argv: u32, buffer: u32);
    args_sizes_get(count: u32, bytes: u32);
    clock_res_get(clock: u32, resolution: u32);
    clock_time_get(clock: u32, precision: u64, time: u32);
    environ_get(environ: u32, buffer: u32);
    environ_sizes_get(count: u32, bytes: u32);
    fd_advise(fd: u32, offset: u64, len: u64, advice: u32);
    fd_allocate(fd: u32, offset: u64, len: u64);
    fd_close(fd: u32);
    fd_datasync(fd: u32);
    fd_fdstat_get(fd: u32, stat: u32);
    fd_fdstat_set_flags(fd: u32, flags: u32);
    fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64);
    fd_filestat_get(fd: u32, stat: u32);
    fd_filestat_set_size(fd: u32, size: u64);
    fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, flags: u32);
    fd_pread(fd: u32, iovecs: u32, count: u32, offset: u64, read: u32);
    fd_prestat_dir_name(fd: u32, path: u32, len: u32);
    fd_prestat_get(fd: u32, prestat: u32);
    fd_pwrite(fd: u32, iovecs: u32, count: u32, offset: u64, written: u32);
    fd_read(fd: u32, iovecs: u32, count: u32, read: u32);
    fd_readdir(fd: u32, buffer: u32, len: u32, cookie: u64, used: u32);
    fd_renumber(from: u32, to: u32);
    fd_seek(fd: u32, offset: u64, whence: u32, position: u32);
    fd_sync(fd: u32);
    fd_tell(fd: u32, position: u32);
    fd_write(fd: u32, iovecs: u32, count: u32, written: u32);
    path_create_directory(fd: u32, path: u32, len: u32);
    path_filestat_get(fd: u32, lookup: u32, path: u32, len: u32, stat: u32);
    path_filestat_set_times(fd: u32, lookup: u32, path: u32, len: u32, atim: u64, mtim: u64, flags: u32);
    path_link(fd: u32, lookup: u32, path: u32, len: u32, new_fd: u32, new_path: u32, new_len: u32);
    path_open(fd: u32, lookup: u32, path: u32, len: u32, oflags: u32, base: u64, inheriting: u64, flags: u32, opened: u32);
    path_readlink(fd: u32, path: u32, len: u32, buffer: u32, buffer_len: u32, used: u32);
    path_remove_directory(fd: u32, path: u32, len: u32);
    path_rename(fd: u32, path: u32, len: u32, new_fd: u32, new_path: u32, new_len: u32);
    path_symlink(target: u32, target_len: u32, fd: u32, path: u32, len: u32);
    path_unlink_file(fd: u32, path: u32, len: u32);
    poll_oneoff(subscriptions: u32, events: u32, count: u32, ready: u32);
    proc_raise(signal: u32);
    random_get(buffer: u32, len: u32);
    sched_yield();
    sock_accept(fd: u32, flags: u32, accepted: u32);
    sock_recv(fd: u32, iovecs: u32, count: u32, flags: u32, read: u32, flags_out: u32);
    sock_send(fd: u32, iovecs: u32, count: u32, flags: u32, written: u32);
    sock_shutdown(fd: u32, how: u32);
}
