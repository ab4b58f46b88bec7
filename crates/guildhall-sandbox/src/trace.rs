//! The trace of an execution: a digest of the final memory and of the mutable globals.
//!
//! The bytes under both digests (the plain one and the one under the worker's key), all numbers little endian:
//!
//! ```text
//! "guildhall trace 1"
//! memory size in bytes                       u64
//! for each run of blocks that are not zero:
//!     number of the first block, blocks      u64 u64
//!     the blocks
//! 2^64 - 1                                   u64
//! for each mutable global, in order:
//!     type (0x7f i32 ... 0x7b v128)          u8
//!     value                                  4, 8 or 16 bytes
//! ```
//!
//! A block is 4 KiB whatever the host's page. Leaving zero blocks out changes nothing about what is bound, and lets a
//! small app in a large memory be digested in microseconds: pages that were never touched are not even read.

use std::{fs::File, ops::Range, os::unix::fs::FileExt as _, sync::OnceLock};

use alloy_primitives::B256;
use guildhall_protocol::receipt::Exit;

/// Bytes of a block.
const BLOCK_BYTES: usize = 4096;
const ZERO_BLOCK: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];
/// Bytes that go to both hashers in turn while they are in the cache.
const SLICE_BYTES: usize = 64 * 1024;
/// Pages asked for at once.
const PAGEMAP_CHUNK: usize = 4096;
/// Present in memory, or swapped out: anything else of a private anonymous mapping is zero.
const PAGEMAP_TOUCHED: u64 = 0b11 << 62;

/// Both digests of one execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    pub(crate) plain: B256,
    pub(crate) own: B256,
}

/// Feeds the same bytes to both hashers.
pub(crate) struct Tracer {
    plain: blake3::Hasher,
    own: blake3::Hasher,
}

impl Tracer {
    pub(crate) fn new(own_trace_key: &[u8; 32]) -> Self {
        let mut tracer = Self { plain: blake3::Hasher::new(), own: blake3::Hasher::new_keyed(own_trace_key) };
        tracer.bytes(b"guildhall trace 1");
        tracer
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for slice in bytes.chunks(SLICE_BYTES) {
            self.plain.update(slice);
            self.own.update(slice);
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    /// The final memory. `touched` reads the process's page table.
    pub(crate) fn memory(&mut self, memory: &[u8], touched: &Touched) {
        self.number(memory.len() as u64);
        let mut run: Option<Range<usize>> = None;
        for range in touched.ranges(memory) {
            for start in range.step_by(BLOCK_BYTES) {
                if memory[start..start + BLOCK_BYTES] == ZERO_BLOCK {
                    continue;
                }
                match &mut run {
                    Some(run) if run.end == start => run.end += BLOCK_BYTES,
                    _ => {
                        self.run(memory, run.take());
                        run = Some(start..start + BLOCK_BYTES);
                    }
                }
            }
        }
        self.run(memory, run);
        self.number(u64::MAX);
    }

    fn run(&mut self, memory: &[u8], run: Option<Range<usize>>) {
        let Some(run) = run else { return };
        self.number((run.start / BLOCK_BYTES) as u64);
        self.number((run.len() / BLOCK_BYTES) as u64);
        self.bytes(&memory[run]);
    }

    /// The next mutable global: its type's byte and its value.
    pub(crate) fn global(&mut self, ty: u8, value: &[u8]) {
        self.bytes(&[ty]);
        self.bytes(value);
    }

    /// What stands for the trace where there was no memory yet.
    pub(crate) fn never_began(&mut self, exit: Exit, fuel: u64, output_digest: B256) {
        self.bytes(&[exit.code()]);
        self.number(fuel);
        self.bytes(output_digest.as_slice());
    }

    pub(crate) fn finish(self) -> Traces {
        Traces {
            plain: B256::from(*self.plain.finalize().as_bytes()),
            own: B256::from(*self.own.finalize().as_bytes()),
        }
    }
}

/// Knows which pages of a memory may hold anything but zeros.
pub(crate) struct Touched {
    pagemap: Option<File>,
    page_bytes: usize,
}

impl Touched {
    /// The page table of this process. To be called before the process closes itself off: it opens a file.
    pub(crate) fn of_this_process() -> &'static Self {
        static TOUCHED: OnceLock<Touched> = OnceLock::new();
        TOUCHED.get_or_init(|| {
            let pagemap = File::open("/proc/self/pagemap").ok();
            let touched = Self { pagemap, page_bytes: rustix::param::page_size() };
            if touched.tells_the_truth() { touched } else { Self { pagemap: None, ..touched } }
        })
    }

    /// Some kernels and sandboxes hide page tables or show zeros: then every page counts as touched.
    fn tells_the_truth(&self) -> bool {
        let mut probe = vec![0u8; 4 * self.page_bytes];
        probe.fill(1);
        let start = probe.as_ptr() as usize;
        let first = start.div_ceil(self.page_bytes);
        let mut entries = [0u64; 3];
        self.read(first, &mut entries) && entries.iter().all(|entry| entry & PAGEMAP_TOUCHED != 0)
    }

    fn read(&self, first_page: usize, entries: &mut [u64]) -> bool {
        const ENTRY_BYTES: usize = 8;
        let Some(pagemap) = &self.pagemap else { return false };
        let mut bytes = vec![0u8; entries.len() * ENTRY_BYTES];
        if pagemap.read_exact_at(&mut bytes, (first_page * ENTRY_BYTES) as u64).is_err() {
            return false;
        }
        for (entry, bytes) in entries.iter_mut().zip(bytes.as_chunks::<ENTRY_BYTES>().0) {
            *entry = u64::from_ne_bytes(*bytes);
        }
        true
    }

    /// Ranges of `memory`, ascending and in whole pages, outside of which everything is zero.
    fn ranges(&self, memory: &[u8]) -> Vec<Range<usize>> {
        let address = memory.as_ptr() as usize;
        let pages = memory.len() / self.page_bytes;
        let aligned = address.is_multiple_of(self.page_bytes) && memory.len().is_multiple_of(self.page_bytes);
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut entries = vec![0u64; pages.min(PAGEMAP_CHUNK)];
        for chunk in (0..pages).step_by(PAGEMAP_CHUNK) {
            let entries = &mut entries[..PAGEMAP_CHUNK.min(pages - chunk)];
            if !aligned || !self.read(address / self.page_bytes + chunk, entries) {
                return std::iter::once(0..memory.len()).collect();
            }
            for (offset, entry) in entries.iter().enumerate() {
                if entry & PAGEMAP_TOUCHED == 0 {
                    continue;
                }
                let start = (chunk + offset) * self.page_bytes;
                match ranges.last_mut() {
                    Some(last) if last.end == start => last.end += self.page_bytes,
                    _ => ranges.push(start..start + self.page_bytes),
                }
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(memory: &[u8], touched: &Touched) -> Traces {
        let mut tracer = Tracer::new(&[7; 32]);
        tracer.memory(memory, touched);
        tracer.finish()
    }

    #[test]
    fn the_page_table_changes_no_digest() {
        let everything = Touched { pagemap: None, page_bytes: rustix::param::page_size() };
        let mut memory = vec![0u8; 1 << 20];
        for (start, len) in [(0, 1), (4095, 2), (200_000, 9_000), ((1 << 20) - 1, 1)] {
            memory[start..start + len].fill(3);
            assert_eq!(digest(&memory, &everything), digest(&memory, Touched::of_this_process()));
        }
    }

    #[test]
    fn place_and_size_of_a_byte_are_bound() {
        let touched = Touched::of_this_process();
        let mut digests = std::collections::HashSet::new();
        for (len, place) in [(8192, 0), (8192, 1), (8192, 4096), (12_288, 0), (12_288, 8192)] {
            let mut memory = vec![0u8; len];
            memory[place] = 1;
            let traces = digest(&memory, touched);
            assert!(digests.insert(traces.plain) && digests.insert(traces.own));
        }
    }
}
