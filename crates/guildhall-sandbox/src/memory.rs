//! Memory of the host: linear memories that are reserved once and reused, and files mapped for reading.
//!
//! A linear memory is committed up to the task's limit before the task starts, so that a growth below the limit can
//! only fail by a fault of the host (which gives no receipt) and never by `-1`. Knows nothing of fuel and traces.
#![allow(unsafe_code)]

use std::{
    cell::Cell,
    fs::File,
    io::{self, Write as _},
    os::{fd::OwnedFd, raw::c_void},
    ptr,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap, mmap_anonymous, mprotect, munmap,
};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// Address space of one linear memory: what a 32-bit index can reach without a check.
pub(crate) const RESERVED_BYTES: u64 = 1 << 32;
/// Address space behind it that faults: what a static offset can reach beyond.
pub(crate) const GUARD_BYTES: u64 = 32 * 1024 * 1024;
/// Unused reservations that are kept; more are given back to the system.
const KEPT_RESERVATIONS: usize = 8;

/// A file's bytes, mapped for reading.
pub(crate) struct Mapping {
    address: *mut c_void,
    bytes: usize,
}

// SAFETY: the mapping is private and read-only, and lives as long as this value.
unsafe impl Send for Mapping {}
// SAFETY: as above; nobody writes through it.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `bytes` of `file`. Should somebody shorten the file later, reading faults, which kills the
    /// process: a host fault of its task.
    pub(crate) fn of_file(file: &File, bytes: u64) -> io::Result<Self> {
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        if bytes == 0 {
            return Ok(Self { address: ptr::null_mut(), bytes });
        }
        // SAFETY: a fresh private mapping at an address that the system chooses overlaps nothing.
        let address = unsafe { mmap(ptr::null_mut(), bytes, ProtFlags::READ, MapFlags::PRIVATE, file, 0) }?;
        Ok(Self { address, bytes })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        if self.bytes == 0 {
            return &[];
        }
        // SAFETY: `address` points to `bytes` mapped, readable bytes until drop.
        unsafe { std::slice::from_raw_parts(self.address.cast(), self.bytes) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.bytes > 0 {
            // SAFETY: the mapping was made by `of_file`, and no slice of it outlives `self`.
            let _ = unsafe { munmap(self.address, self.bytes) };
        }
    }
}

/// A copy of `bytes` in memory that can be shared with other processes and changed by nobody.
pub(crate) fn sealed(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("guildhall", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.write_all(bytes)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file.into())
}

thread_local! {
    static COMMIT_BYTES: Cell<usize> = const { Cell::new(0) };
}

/// Sets how much the next memory made on this thread commits up front.
pub(crate) fn commit_next(bytes: u64) {
    COMMIT_BYTES.set(bytes as usize);
}

/// Makes linear memories for the engine, out of reservations that are reused.
#[derive(Clone, Default)]
pub(crate) struct Memories(Arc<Mutex<Vec<Reservation>>>);

// SAFETY: each memory is a reservation of its own, zero-filled, owned by one `GuestMemory` until it is dropped.
unsafe impl MemoryCreator for Memories {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let fits = reserved.unwrap_or(minimum) as u64 <= RESERVED_BYTES && guard as u64 <= GUARD_BYTES;
        if !fits {
            return Err(format!("the engine asks for {reserved:?} + {guard} bytes of address space"));
        }
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reservation = match kept {
            Some(reservation) => reservation,
            None => Reservation::new().map_err(|error| format!("cannot reserve address space: {error}"))?,
        };
        reservation
            .open(minimum, COMMIT_BYTES.get().max(minimum))
            .map_err(|error| format!("cannot commit {} bytes: {error}", COMMIT_BYTES.get()))?;
        Ok(Box::new(GuestMemory { reservation: Some(reservation), bytes: minimum, home: self.clone() }))
    }
}

/// A linear memory in use.
struct GuestMemory {
    reservation: Option<Reservation>,
    bytes: usize,
    home: Memories,
}

// SAFETY: the first `byte_size` bytes are readable and writable, the rest of the reservation and the guard fault.
unsafe impl LinearMemory for GuestMemory {
    fn byte_size(&self) -> usize {
        self.bytes
    }

    fn byte_capacity(&self) -> usize {
        RESERVED_BYTES as usize
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        if let Some(reservation) = &mut self.reservation {
            reservation.allow(new_size)?;
        }
        self.bytes = new_size;
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.reservation.as_ref().map_or(ptr::null_mut(), |reservation| reservation.address.cast())
    }
}

impl Drop for GuestMemory {
    fn drop(&mut self) {
        let Some(mut reservation) = self.reservation.take() else { return };
        if reservation.clear().is_ok() {
            let mut kept = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < KEPT_RESERVATIONS {
                kept.push(reservation);
            }
        }
    }
}

/// Address space for one linear memory and its guard.
struct Reservation {
    address: *mut c_void,
    /// The first bytes that may be read and written now.
    accessible: usize,
    /// The first bytes that the system has promised.
    committed: usize,
}

// SAFETY: the reservation is owned; nothing else points into it while it is moved between threads.
unsafe impl Send for Reservation {}
// SAFETY: a shared reference gives no access to the bytes.
unsafe impl Sync for Reservation {}

impl Reservation {
    fn new() -> io::Result<Self> {
        let bytes = (RESERVED_BYTES + GUARD_BYTES) as usize;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a fresh anonymous mapping at an address that the system chooses overlaps nothing.
        let address = unsafe { mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::empty(), flags) }?;
        // Huge pages would make "touched" mean two megabytes, and clearing them costs more than they save here.
        // SAFETY: the range is ours; the advice changes no contents. Kernels without huge pages refuse it.
        let _ = unsafe { madvise(address, bytes, Advice::LinuxNoHugepage) };
        Ok(Self { address, accessible: 0, committed: 0 })
    }

    /// Makes the first `minimum` bytes accessible and has the system promise `commit` bytes.
    fn open(&mut self, minimum: usize, commit: usize) -> io::Result<()> {
        if commit > self.committed {
            // The kernel counts private writable mappings as promised, and keeps the promise when they are protected.
            self.protect(self.accessible, commit, true)?;
            self.committed = commit;
            self.accessible = commit;
        }
        self.allow(minimum)
    }

    /// Makes exactly the first `bytes` accessible.
    fn allow(&mut self, bytes: usize) -> io::Result<()> {
        if bytes > self.accessible {
            self.protect(self.accessible, bytes, true)?;
        } else if bytes < self.accessible {
            self.protect(bytes, self.accessible, false)?;
        }
        self.accessible = bytes;
        Ok(())
    }

    fn protect(&self, from: usize, to: usize, writable: bool) -> io::Result<()> {
        if from >= to {
            return Ok(());
        }
        let flags =
            if writable { MprotectFlags::READ | MprotectFlags::WRITE } else { MprotectFlags::empty() };
        // SAFETY: `from..to` lies inside the reservation, which this value owns.
        Ok(unsafe { mprotect(self.address.byte_add(from), to - from, flags) }?)
    }

    /// Gives all pages back: the next reader finds zeros.
    fn clear(&mut self) -> io::Result<()> {
        if self.accessible == 0 {
            return Ok(());
        }
        // SAFETY: the range is ours, and no slice of it is alive.
        Ok(unsafe { madvise(self.address, self.accessible, Advice::LinuxDontNeed) }?)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new`; nothing points into it any more.
        let _ = unsafe { munmap(self.address, (RESERVED_BYTES + GUARD_BYTES) as usize) };
    }
}
