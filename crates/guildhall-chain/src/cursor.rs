//! Where a follower of events stands, so that it can go on after a restart and notice what was reorganised meanwhile.

use std::collections::VecDeque;

use alloy::primitives::B256;
use serde::{Deserialize, Serialize};

/// How many blocks back a reorganisation is undone block by block; a deeper one asks the consumer to begin anew.
pub const REORG_WINDOW: u64 = 64;

/// A block by number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlockRef {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
}

/// The next block to read, and the last ones that were read. Serialisable: keep it with what was made of the events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// First block that is not read yet.
    pub next: u64,
    /// Blocks read, oldest first, [`REORG_WINDOW`] at most; there may be gaps between the older ones.
    trail: VecDeque<BlockRef>,
}

impl Cursor {
    /// Before block `next`, with nothing read.
    pub fn at(next: u64) -> Self {
        Self { next, trail: VecDeque::new() }
    }

    /// The last block read.
    pub fn last(&self) -> Option<BlockRef> {
        self.trail.back().copied()
    }

    /// Whether this very block was read and stands in the trail.
    pub(crate) fn knows(&self, block: BlockRef) -> bool {
        self.trail.contains(&block)
    }

    /// Notes a block as read.
    pub(crate) fn push(&mut self, block: BlockRef) {
        while self.trail.len() >= REORG_WINDOW as usize {
            self.trail.pop_front();
        }
        self.trail.push_back(block);
        self.next = block.number + 1;
    }

    /// Forgets the last block; the blocks after the one before it are unread again.
    pub(crate) fn pop(&mut self) -> Option<BlockRef> {
        let gone = self.trail.pop_back()?;
        self.next = self.trail.back().map_or(gone.number, |last| last.number + 1);
        Some(gone)
    }

    /// Forgets everything and begins at `next`.
    pub(crate) fn restart(&mut self, next: u64) {
        *self = Self::at(next);
    }

    /// Number of the oldest block that the trail knows, or `next` without one.
    pub(crate) fn oldest(&self) -> u64 {
        self.trail.front().map_or(self.next, |block| block.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: u64) -> BlockRef {
        BlockRef { number, hash: B256::with_last_byte(number as u8) }
    }

    #[test]
    fn the_trail_is_bounded_and_survives_json() {
        let mut cursor = Cursor::at(0);
        (0..200).for_each(|n| cursor.push(block(n)));
        assert_eq!((cursor.next, cursor.oldest()), (200, 200 - REORG_WINDOW));
        let text = serde_json::to_string(&cursor).expect("json");
        assert_eq!(serde_json::from_str::<Cursor>(&text).expect("json"), cursor);
    }

    #[test]
    fn a_popped_gap_is_unread_again() {
        let mut cursor = Cursor::at(0);
        cursor.push(block(10));
        cursor.push(block(20));
        assert_eq!(cursor.pop(), Some(block(20)));
        assert_eq!(cursor.next, 11);
        assert_eq!(cursor.pop(), Some(block(10)));
        assert_eq!((cursor.next, cursor.pop()), (10, None));
    }
}
