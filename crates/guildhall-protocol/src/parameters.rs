//! The protocol's parameters, by version: a deal keeps the version that it opened with.
//!
//! Knows names, bounds and packing as the contracts have them (`contracts/src/types/Parameters.sol`), and the limits that
//! nobody can change; who may set a version is the contracts' matter.

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};

use crate::{
    Bps, Fuel, Secs,
    policy::{Packer, Unpacker},
};

/// Longest time that stake is at risk behind a certificate: the longest dispute window and two jury terms.
pub const RISK_PERIOD: Secs = Secs(5 * DAY);
/// Longest dispute window of a policy.
pub const DISPUTE_WINDOW_MAX: Secs = Secs(3 * DAY);
/// From leaving to withdrawal of a bond: longer than [`RISK_PERIOD`].
pub const UNBONDING: Secs = Secs(7 * DAY);

const DAY: u64 = 86_400;

/// A parameter beyond its bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter {name} is {value}: choose {lowest} to {highest}")]
pub struct ParameterError {
    /// Which.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// Smallest value allowed.
    pub lowest: u64,
    /// Largest value allowed.
    pub highest: u64,
}

impl ParameterError {
    /// The error's code in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        "parameters.out_of_bounds"
    }
}

/// What the protocol's owner may set, within bounds, for deals that open later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Constant part of a wave's length.
    pub patience_base_secs: Secs,
    /// Reference speed, in fuel a second: the other part of a wave's length.
    pub fuel_per_sec: Fuel,
    /// Reputation points that halve the assumed odds of a fault.
    pub reputation_step: u16,
    /// Share of the work fee that goes to the protocol.
    pub protocol_fee_bps: Bps,
    /// Time after the deadline before a batch may expire.
    pub expire_grace_secs: Secs,
    /// Time after the last wave's window from which whoever posts earns the pool's share.
    pub poster_grace_secs: Secs,
    /// Shortest dispute window of a policy.
    pub dispute_window_min_secs: Secs,
}

impl Default for Parameters {
    /// What a new deployment starts with.
    fn default() -> Self {
        Self {
            patience_base_secs: Secs(30),
            fuel_per_sec: Fuel(500_000_000),
            reputation_step: 100,
            protocol_fee_bps: Bps(100),
            expire_grace_secs: Secs(600),
            poster_grace_secs: Secs(120),
            dispute_window_min_secs: Secs(10),
        }
    }
}

impl Parameters {
    /// Checks every bound that the contracts check.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let bounds = [
            ("patienceBaseSecs", self.patience_base_secs.0, 1, 3_600),
            ("fuelPerSec", self.fuel_per_sec.0, 1_000_000, 10_000_000_000_000),
            ("reputationStep", self.reputation_step.into(), 1, 10_000),
            ("protocolFeeBps", self.protocol_fee_bps.0.into(), 0, 1_000),
            ("expireGraceSecs", self.expire_grace_secs.0, 1, 7 * DAY),
            ("posterGraceSecs", self.poster_grace_secs.0, 1, 7 * DAY),
            ("disputeWindowMinSecs", self.dispute_window_min_secs.0, 1, DAY),
        ];
        match bounds.into_iter().find(|&(_, value, lowest, highest)| value < lowest || value > highest) {
            None => Ok(()),
            Some((name, value, lowest, highest)) => Err(ParameterError { name, value, lowest, highest }),
        }
    }

    /// One word, from the low bit: version 16, patienceBaseSecs 32, fuelPerSec 64, reputationStep 16, protocolFeeBps 16,
    /// expireGraceSecs 32, posterGraceSecs 32, disputeWindowMinSecs 32. Refuses what is out of bounds.
    pub fn pack(&self, version: u16) -> Result<U256, ParameterError> {
        self.validate()?;
        let mut word = Packer::default();
        word.put(version.into(), 16);
        word.put(self.patience_base_secs.0.into(), 32);
        word.put(self.fuel_per_sec.0.into(), 64);
        word.put(self.reputation_step.into(), 16);
        word.put(self.protocol_fee_bps.0.into(), 16);
        word.put(self.expire_grace_secs.0.into(), 32);
        word.put(self.poster_grace_secs.0.into(), 32);
        word.put(self.dispute_window_min_secs.0.into(), 32);
        Ok(word.word)
    }

    /// Version and parameters of a packed word, as they stand there.
    pub fn unpack(word: U256) -> (u16, Self) {
        let mut word = Unpacker(word);
        let version = word.take(16) as u16;
        let parameters = Self {
            patience_base_secs: Secs(word.take(32) as u64),
            fuel_per_sec: Fuel(word.take(64) as u64),
            reputation_step: word.take(16) as u16,
            protocol_fee_bps: Bps(word.take(16) as u16),
            expire_grace_secs: Secs(word.take(32) as u64),
            poster_grace_secs: Secs(word.take(32) as u64),
            dispute_window_min_secs: Secs(word.take(32) as u64),
        };
        (version, parameters)
    }

    /// Length of one wave: the constant, and the time of a full batch at the reference speed, rounded up. Saturates.
    ///
    /// `batch_tasks` is the smaller of the deal's batch size and task count; see [`crate::Terms::patience`].
    pub fn patience(&self, fuel_limit: Fuel, batch_tasks: u32) -> Secs {
        let fuel = u128::from(fuel_limit.0) * u128::from(batch_tasks);
        let secs = fuel.div_ceil(u128::from(self.fuel_per_sec.0.max(1)));
        self.patience_base_secs.saturating_add(Secs(u64::try_from(secs).unwrap_or(u64::MAX)))
    }
}
