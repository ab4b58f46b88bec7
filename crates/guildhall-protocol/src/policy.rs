//! What a policy may ask, and its packed form.
//!
//! Knows the ranges that the Market enforces; whether a pool can meet a policy is the lot's and the quote's matter.

use alloy_primitives::{U256, aliases::U96};
use serde::{Deserialize, Serialize};

use crate::{
    Parameters,
    confidence::{reaches, target},
    orders::{Policy, REPLICAS_MAX},
    parameters::DISPUTE_WINDOW_MAX,
};

/// Smallest share of faulty stake that a policy may assume, in basis points.
pub const FAULTY_SHARE_MIN_BPS: u16 = 500;
/// Largest share of faulty stake that a policy may assume, in basis points.
pub const FAULTY_SHARE_MAX_BPS: u16 = 4_900;

/// A policy that the Market would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The odds are zero.
    #[error("policy.confidence is {0}: ask for odds of at least 1:1, 99 is usual")]
    Confidence(u32),
    /// The assumed share of faulty stake is out of range.
    #[error(
        "policy.faultyShareBps is {0}: choose {FAULTY_SHARE_MIN_BPS} to {FAULTY_SHARE_MAX_BPS} basis points, 2000 is usual"
    )]
    FaultyShare(u16),
    /// The numbers of operators and executions do not fit each other.
    #[error(
        "policy.replicasMin is {min} and policy.replicasMax is {max}: need 1 <= replicasMin <= replicasMax <= {REPLICAS_MAX}"
    )]
    Replicas {
        /// Fewest operators asked.
        min: u8,
        /// Most executions paid.
        max: u8,
    },
    /// Evidence kinds that no contract can check yet.
    #[error("policy.evidence is {0}: evidence is not supported by this version, leave it at 0")]
    Evidence(u8),
    /// The dispute window is out of range.
    #[error("policy.disputeWindow is {secs} s: choose {lowest} to {highest} s")]
    DisputeWindow {
        /// Seconds asked.
        secs: u32,
        /// Fewest allowed by the parameters.
        lowest: u64,
        /// Most allowed.
        highest: u64,
    },
    /// `replicasMax` fresh operators that all agree do not reach the confidence.
    #[error(
        "policy.confidence {confidence}:1 is out of reach of {replicas} executions at faultyShareBps {faulty_share_bps}: raise replicasMax or lower confidence"
    )]
    Unreachable {
        /// Odds asked.
        confidence: u32,
        /// Most executions paid.
        replicas: u8,
        /// Share of faulty stake assumed.
        faulty_share_bps: u16,
    },
    /// A packed policy with bits where there is no field, or a flag that is neither 0 nor 1.
    #[error("policy word {0:#x} has bits outside its fields: take it from the deal's terms as they are")]
    Word(U256),
}

impl PolicyError {
    /// The error's code in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Confidence(_) => "policy.confidence",
            Self::FaultyShare(_) => "policy.faulty_share",
            Self::Replicas { .. } => "policy.replicas",
            Self::Evidence(_) => "policy.evidence",
            Self::DisputeWindow { .. } => "policy.dispute_window",
            Self::Unreachable { .. } => "policy.unreachable",
            Self::Word(_) => "policy.word",
        }
    }
}

impl Policy {
    /// Checks what the Market checks of a policy whatever the parameters.
    pub fn validate(&self) -> Result<(), PolicyError> {
        self.check(1)
    }

    /// Checks everything that the Market checks of a policy.
    pub fn validate_under(&self, parameters: &Parameters) -> Result<(), PolicyError> {
        self.check(parameters.dispute_window_min_secs.0)
    }

    fn check(&self, window_min: u64) -> Result<(), PolicyError> {
        if self.confidence == 0 {
            return Err(PolicyError::Confidence(self.confidence));
        }
        if !(FAULTY_SHARE_MIN_BPS..=FAULTY_SHARE_MAX_BPS).contains(&self.faultyShareBps) {
            return Err(PolicyError::FaultyShare(self.faultyShareBps));
        }
        let (min, max) = (self.replicasMin, self.replicasMax);
        if min == 0 || min > max || max > REPLICAS_MAX {
            return Err(PolicyError::Replicas { min, max });
        }
        if self.evidence != 0 {
            return Err(PolicyError::Evidence(self.evidence));
        }
        let (secs, highest) = (self.disputeWindow, DISPUTE_WINDOW_MAX.0);
        if !(window_min..=highest).contains(&secs.into()) {
            return Err(PolicyError::DisputeWindow { secs, lowest: window_min, highest });
        }
        if !reaches(self, target(self.confidence, 0)) {
            return Err(PolicyError::Unreachable {
                confidence: self.confidence,
                replicas: max,
                faulty_share_bps: self.faultyShareBps,
            });
        }
        Ok(())
    }
}

/// A policy in one word, from the low bit: confidence 32, faultyShareBps 16, replicasMin 8, replicasMax 8,
/// collateralMin 96, countReputation 8, evidence 8, disputeWindow 32, finalOnly 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyWord(pub U256);

impl PolicyWord {
    /// Packs a policy. Loses nothing.
    pub fn pack(policy: &Policy) -> Self {
        let mut word = Packer::default();
        word.put(policy.confidence.into(), 32);
        word.put(policy.faultyShareBps.into(), 16);
        word.put(policy.replicasMin.into(), 8);
        word.put(policy.replicasMax.into(), 8);
        word.put(policy.collateralMin.to(), 96);
        word.put(policy.countReputation.into(), 8);
        word.put(policy.evidence.into(), 8);
        word.put(policy.disputeWindow.into(), 32);
        word.put(policy.finalOnly.into(), 8);
        Self(word.word)
    }

    /// The policy, or an error where the word is none.
    pub fn unpack(self) -> Result<Policy, PolicyError> {
        let bad = || PolicyError::Word(self.0);
        let mut word = Unpacker(self.0);
        let policy = Policy {
            confidence: word.take(32) as u32,
            faultyShareBps: word.take(16) as u16,
            replicasMin: word.take(8) as u8,
            replicasMax: word.take(8) as u8,
            collateralMin: U96::from(word.take(96)),
            countReputation: flag(word.take(8)).ok_or_else(bad)?,
            evidence: word.take(8) as u8,
            disputeWindow: word.take(32) as u32,
            finalOnly: flag(word.take(8)).ok_or_else(bad)?,
        };
        if word.0.is_zero() { Ok(policy) } else { Err(bad()) }
    }
}

fn flag(byte: u128) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Packs fields into a word from the low bit.
#[derive(Default)]
pub(crate) struct Packer {
    pub(crate) word: U256,
    used: usize,
}

impl Packer {
    /// Appends `bits` bits; the value must fit them.
    pub(crate) fn put(&mut self, value: u128, bits: usize) {
        debug_assert!(bits == 128 || value >> bits == 0, "{value} needs more than {bits} bits");
        self.word |= U256::from(value) << self.used;
        self.used += bits;
        debug_assert!(self.used <= 256);
    }
}

/// Takes fields out of a word from the low bit; what remains is what was not taken.
pub(crate) struct Unpacker(pub(crate) U256);

impl Unpacker {
    /// The next `bits` bits, 128 at most.
    pub(crate) fn take(&mut self, bits: usize) -> u128 {
        let mask = (U256::ONE << bits) - U256::ONE;
        let value: u128 = (self.0 & mask).to();
        self.0 >>= bits;
        value
    }
}
