//! How a ledger is set up.

use crate::genesis::Genesis;
use alloy::primitives::Address;
use std::{path::PathBuf, time::Duration};

/// When blocks are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealMode {
    /// At once, with every transaction that is ready by then; and when `idle` passes without a block,
    /// an empty one, so that time passes on the chain too. `None`: no empty blocks.
    Instant {
        /// The time after which an empty block is sealed; at least a second.
        idle: Option<Duration>,
    },
    /// Every `period`, whatever waits; at least 100 ms.
    Interval {
        /// The time between two blocks.
        period: Duration,
    },
    /// Only when [`crate::Ledger::seal`] is called.
    Manual,
}

/// Where the time of blocks comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock, shifted by what [`crate::Ledger::advance_time`] added.
    System,
    /// Stands still but for [`crate::Ledger::advance_time`] and [`crate::Ledger::set_next_timestamp`];
    /// starts at the newest block's time. For tests and simulations.
    Manual,
}

/// How a ledger is set up.
#[derive(Debug, Clone)]
pub struct LedgerConfig {
    /// The database file; `None` keeps everything in memory, for tests.
    pub path: Option<PathBuf>,
    /// Where the chain starts; must be what the database was started with.
    pub genesis: Genesis,
    /// When blocks are sealed.
    pub seal: SealMode,
    /// Where time comes from.
    pub clock: Clock,
    /// Who earns the tips. Default: the zero address, which nobody can spend from.
    pub beneficiary: Address,
    /// Whether JSON-RPC offers `evm_mine`, `evm_increaseTime` and `evm_setNextBlockTimestamp`. Default:
    /// no. Anyone who reaches the port can then move the chain's time.
    pub dev_methods: bool,
    /// What the server takes from its clients.
    pub limits: ServerLimits,
}

/// What the server takes from its clients. Beyond a limit a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// The largest request body in bytes. Default: 2 MiB.
    pub max_request_bytes: u32,
    /// The largest response body in bytes. Default: 32 MiB.
    pub max_response_bytes: u32,
    /// Calls in one batch. Default: 1,000, which is what viem puts in one.
    pub max_batch: u32,
    /// Connections at a time. Default: 256.
    pub max_connections: u32,
    /// Subscriptions of one connection. Default: 64.
    pub max_subscriptions: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_request_bytes: 2 << 20,
            max_response_bytes: 32 << 20,
            max_batch: 1_000,
            max_connections: 256,
            max_subscriptions: 64,
        }
    }
}

impl LedgerConfig {
    /// In memory, sealing at once on the machine's clock, no empty blocks.
    pub fn new(genesis: Genesis) -> Self {
        Self {
            path: None,
            genesis,
            seal: SealMode::Instant { idle: None },
            clock: Clock::System,
            beneficiary: Address::ZERO,
            dev_methods: false,
            limits: ServerLimits::default(),
        }
    }

    /// Keeps the chain in the file at `path`.
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Seals in another mode.
    pub fn sealing(mut self, seal: SealMode) -> Self {
        self.seal = seal;
        self
    }

    /// Takes time from another clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}
