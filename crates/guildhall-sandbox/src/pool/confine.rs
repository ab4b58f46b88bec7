//! What a child process takes from itself before it runs an app: new files, network, processes, resources.
#![allow(unsafe_code)]

use std::{collections::BTreeMap, io};

use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::wire::Work;

/// Open files of a child: its socket and what a request brings.
const OPEN_FILES_MAX: u64 = 160;

/// Closes every descriptor but the standard ones: whatever the parent leaked is gone.
pub(super) fn close_inherited() {
    const FIRST: libc::c_uint = 3;
    // SAFETY: called first thing in the process, before it has opened anything of its own. Kernels before 5.9 refuse;
    // Rust opens files so that they are closed by exec, so this is a second line only.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0) };
}

/// Address space of a process that compiles: several times what the largest module allowed needs.
const COMPILE_ADDRESS_SPACE_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// Lowers resource limits and installs the system call filter on all threads. False if the kernel has no filters.
pub(super) fn confine(work: Work) -> io::Result<bool> {
    let at_most = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    setrlimit(Resource::Core, at_most(0))?;
    setrlimit(Resource::Fsize, at_most(0))?;
    setrlimit(Resource::Nofile, at_most(OPEN_FILES_MAX))?;
    if work == Work::Compile {
        setrlimit(Resource::As, at_most(COMPILE_ADDRESS_SPACE_BYTES))?;
    }
    let program = filter().map_err(io::Error::other)?;
    Ok(seccompiler::apply_filter_all_threads(&program).is_ok())
}

/// Everything that is not listed fails with `EPERM`: opening files, sockets, processes, signals to others, tracing.
fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let allowed = [
        // Its socket, and files that were handed to it.
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_recvmsg,
        libc::SYS_recvfrom,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_pread64,
        libc::SYS_lseek,
        libc::SYS_close,
        libc::SYS_ppoll,
        // Sizes of those files. Names could be looked up with these, but nothing behind a name can be read.
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        // Memory, and machine code that is mapped from a file that the parent made.
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mprotect,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_membarrier,
        // Threads that exist, and traps of the engine.
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_clock_gettime,
        libc::SYS_getrandom,
        libc::SYS_gettid,
        libc::SYS_getpid,
        libc::SYS_exit,
        libc::SYS_exit_group,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll,
    ];
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        allowed.into_iter().map(|call| (call, Vec::new())).collect();
    // `abort` signals the process itself, and nobody else.
    let itself =
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, u64::from(std::process::id()))?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![itself])?]);
    let architecture = std::env::consts::ARCH.try_into()?;
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(rules, refuse, SeccompAction::Allow, architecture)?.try_into()
}
