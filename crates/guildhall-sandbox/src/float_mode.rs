//! The floating-point control word of the thread: set before each task, checked after it (rule R7).
//!
//! A library of the host may leave "flush to zero" or another rounding behind; the engine does not reset it.
#![allow(unsafe_code)]

use crate::error::HostFault;

/// Round to nearest, subnormals kept, all exceptions masked.
#[cfg(target_arch = "x86_64")]
const EXPECTED: u64 = 0x1f80;
#[cfg(target_arch = "aarch64")]
const EXPECTED: u64 = 0;

/// The bits that change results; the others record which exceptions happened.
#[cfg(target_arch = "x86_64")]
const CONTROL_BITS: u64 = !0x3f;
#[cfg(target_arch = "aarch64")]
const CONTROL_BITS: u64 = !0;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("receipts are defined for x86-64 and aarch64 only");

/// Sets the mode that all receipts are made in.
pub(crate) fn reset() {
    write(EXPECTED);
}

/// Checks that nothing changed the mode while the task ran.
///
/// # Errors
/// [`HostFault::FloatMode`]: the receipt cannot be relied on.
pub(crate) fn check() -> Result<(), HostFault> {
    let found = read();
    if (found ^ EXPECTED) & CONTROL_BITS == 0 {
        return Ok(());
    }
    reset();
    Err(HostFault::FloatMode { found, expected: EXPECTED })
}

#[cfg(target_arch = "x86_64")]
fn read() -> u64 {
    let mut word = 0u32;
    // SAFETY: `stmxcsr` stores four bytes at the address of `word` and does nothing else.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut word, options(nostack, preserves_flags)) };
    u64::from(word)
}

#[cfg(target_arch = "x86_64")]
fn write(word: u64) {
    let word = word as u32;
    // SAFETY: `EXPECTED` is the mode that Rust itself assumes; tests that write others restore it before any
    // floating-point operation of Rust.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &word, options(nostack, readonly, preserves_flags)) };
}

#[cfg(target_arch = "aarch64")]
fn read() -> u64 {
    let word: u64;
    // SAFETY: reads a control register.
    unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) word, options(nomem, nostack, preserves_flags)) };
    word
}

#[cfg(target_arch = "aarch64")]
fn write(word: u64) {
    // SAFETY: as on x86-64.
    unsafe { std::arch::asm!("msr fpcr, {}", in(reg) word, options(nomem, nostack, preserves_flags)) };
}

/// Runs `work` with subnormals flushed, as a careless library would leave the thread.
#[cfg(test)]
pub(crate) fn with_subnormals_flushed<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    write(EXPECTED | 0x8040);
    #[cfg(target_arch = "aarch64")]
    write(1 << 24);
    let result = work();
    reset();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_mode_is_a_host_fault() {
        let checked = with_subnormals_flushed(check);
        assert!(matches!(checked, Err(HostFault::FloatMode { .. })));
        assert!(check().is_ok());
    }
}
