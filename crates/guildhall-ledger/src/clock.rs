//! The time of the next block.

use crate::{config::Clock, error::LedgerError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Chain time: never before the newest block's.
#[derive(Debug)]
pub(crate) struct ChainClock {
    clock: Clock,
    /// Seconds added to the machine's clock; the whole time of a manual clock.
    shift: u64,
    /// The time asked for the next block alone.
    next: Option<u64>,
}

impl ChainClock {
    /// A clock for a chain whose newest block is of time `head`.
    pub(crate) fn new(clock: Clock, head: u64) -> Self {
        let shift = match clock {
            Clock::Manual => head,
            // A chain whose time was moved ahead of the machine's goes on from there.
            Clock::System => head.saturating_sub(system_seconds()),
        };
        Self { clock, shift, next: None }
    }

    fn now(&self) -> u64 {
        match self.clock {
            Clock::Manual => self.shift,
            Clock::System => system_seconds().saturating_add(self.shift),
        }
    }

    /// The time of a block sealed now after one of time `head`. Blocks of one second share it: an
    /// instant chain that forced each block a second ahead would run away from its users' clocks.
    pub(crate) fn next_timestamp(&self, head: u64) -> u64 {
        self.next.unwrap_or_else(|| self.now()).max(head)
    }

    /// A block was sealed at `timestamp`.
    pub(crate) fn sealed(&mut self, timestamp: u64) {
        if self.next.take().is_some() {
            // As anvil does: time goes on from the block whose time was set.
            match self.clock {
                Clock::Manual => self.shift = timestamp,
                Clock::System => self.shift = timestamp.saturating_sub(system_seconds()),
            }
        }
    }

    /// Moves time `secs` ahead and returns the whole shift.
    pub(crate) fn advance(&mut self, secs: u64) -> u64 {
        self.shift = self.shift.saturating_add(secs);
        self.shift
    }

    /// Sets the time of the next block, which must not lie before `head`.
    pub(crate) fn set_next(&mut self, timestamp: u64, head: u64) -> Result<(), LedgerError> {
        if timestamp < head {
            return Err(LedgerError::TimeBackwards { given: timestamp, head });
        }
        self.next = Some(timestamp);
        Ok(())
    }
}

fn system_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_backwards() {
        let mut clock = ChainClock::new(Clock::Manual, 100);
        assert_eq!(clock.next_timestamp(100), 100);
        clock.advance(5);
        assert_eq!(clock.next_timestamp(100), 105);
        assert_eq!(clock.set_next(90, 100).unwrap_err().code(), "ledger.time_backwards");
        clock.set_next(300, 100).unwrap();
        assert_eq!(clock.next_timestamp(100), 300);
        clock.sealed(300);
        assert_eq!(clock.next_timestamp(300), 300);
    }

    #[test]
    fn a_chain_ahead_of_the_machines_clock_goes_on_from_there() {
        let ahead = system_seconds() + 1_000_000;
        let clock = ChainClock::new(Clock::System, ahead);
        assert!(clock.next_timestamp(ahead) >= ahead);
    }
}
