//! What workers and coordinators sign (EIP-712), and who signed it.
//!
//! Pure digests: holds no key. A message is bound to chain and contract by its domain, to a round by its fields.

use alloy_primitives::{Address, B256, Signature, U256, keccak256};
use alloy_sol_types::{Eip712Domain, SolStruct, SolValue, sol};
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use serde::{Deserialize, Serialize};

use crate::{Fuel, RoundId, orders::domain};

sol! {
    /// A worker's blind promise: it has executed, and can't change its claim any more.
    #[derive(Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Commitment {
        /// The round.
        bytes32 roundId;
        /// The wave that runs.
        uint8 wave;
        /// See [`crate::messages::commitment`].
        bytes32 commitment;
    }

    /// A worker's claim: the root over the batch's receipts.
    #[derive(Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Contribution {
        /// The round.
        bytes32 roundId;
        /// The wave in which the worker committed.
        uint8 wave;
        /// Root over the batch's receipts.
        bytes32 root;
        /// Fuel of one execution of the batch.
        #[serde(with = "crate::units::decimal")]
        uint64 fuel;
        /// Hash of the list of everybody who committed in this wave and before.
        bytes32 listHash;
    }

    /// A worker's statement that the bytes it needs were withheld.
    #[derive(Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Unavailable {
        /// The round.
        bytes32 roundId;
        /// The wave that runs.
        uint8 wave;
    }

    /// A coordinator's list of a wave: two different ones are a proof against it.
    #[derive(Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct RoundList {
        /// The round.
        bytes32 roundId;
        /// The wave that the list closes.
        uint8 wave;
        /// Hash over the list of this wave and those before.
        bytes32 listHash;
    }

    /// A worker takes its seat before it executes.
    #[derive(Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Reservation {
        /// The round.
        bytes32 roundId;
        /// The wave that runs.
        uint8 wave;
        /// Unix time after which the seat is free again.
        #[serde(with = "crate::units::decimal")]
        uint64 expiry;
    }

    /// A worker's proof that it holds its key, for its registration.
    #[derive(Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct WorkerKey {
        /// The operator that may register the key.
        address operator;
        /// The pool that the worker joins.
        uint32 pool;
    }
}

/// What the messages of a round are bound to.
pub fn certifier_domain(chain_id: u64, certifier: Address) -> Eip712Domain {
    domain("Guildhall Certifier", chain_id, certifier)
}

/// What a worker's proof of its key is bound to.
pub fn workforce_domain(chain_id: u64, workforce: Address) -> Eip712Domain {
    domain("Guildhall Workforce", chain_id, workforce)
}

/// A worker's commitment: blind, different for every worker, made only by who executed.
pub fn commitment(worker: Address, round: RoundId, root: B256, fuel: Fuel, own_trace_root: B256) -> B256 {
    keccak256((worker, round.0, root, U256::from(fuel.0), own_trace_root).abi_encode())
}

/// A signature that proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No key makes this signature.
    #[error("the signature {0} is not one of secp256k1: sign the digest again")]
    Malformed(CompactSignature),
    /// Another key made it.
    #[error("signed by {signer}, but {expected} has to sign: check chain id, contract address and key")]
    Signer {
        /// Who signed, if the digest is right.
        signer: Address,
        /// Who should have.
        expected: Address,
    },
}

impl SignatureError {
    /// The error's code in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "signature.malformed",
            Self::Signer { .. } => "signature.signer",
        }
    }
}

/// A signature in 64 bytes (EIP-2098): the recovery bit is the top bit of `vs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompactSignature {
    /// First half.
    pub r: B256,
    /// Second half, with the recovery bit.
    pub vs: B256,
}

impl CompactSignature {
    /// The two halves, one after the other.
    pub fn to_bytes(self) -> [u8; 64] {
        let mut bytes = [0u8; 64];
        bytes[..32].copy_from_slice(self.r.as_slice());
        bytes[32..].copy_from_slice(self.vs.as_slice());
        bytes
    }

    /// Who signed `digest`.
    pub fn signer(self, digest: B256) -> Result<Address, SignatureError> {
        let mut bytes = self.to_bytes();
        let recovery = if bytes[32] < 0x80 { RecoveryId::Zero } else { RecoveryId::One };
        bytes[32] &= 0x7f;
        // libsecp256k1, because a coordinator spends most of its time here: a third of what it takes in Rust.
        let key = RecoverableSignature::from_compact(&bytes, recovery)
            .and_then(|signature| signature.recover(Message::from_digest(digest.0)))
            .map_err(|_| SignatureError::Malformed(self))?;
        Ok(Address::from_raw_public_key(&key.serialize_uncompressed()[1..]))
    }

    /// Checks that `expected` signed `digest`.
    pub fn check(self, digest: B256, expected: Address) -> Result<(), SignatureError> {
        let signer = self.signer(digest)?;
        if signer == expected { Ok(()) } else { Err(SignatureError::Signer { signer, expected }) }
    }
}

impl From<Signature> for CompactSignature {
    fn from(signature: Signature) -> Self {
        let bytes = signature.as_erc2098();
        Self { r: B256::from_slice(&bytes[..32]), vs: B256::from_slice(&bytes[32..]) }
    }
}

impl From<[u8; 64]> for CompactSignature {
    fn from(bytes: [u8; 64]) -> Self {
        Self { r: B256::from_slice(&bytes[..32]), vs: B256::from_slice(&bytes[32..]) }
    }
}

impl core::fmt::Display for CompactSignature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}{:x}", self.r, self.vs)
    }
}

/// A message with its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<M> {
    /// What was signed.
    pub message: M,
    /// By whom, see [`Signed::signer`].
    pub signature: CompactSignature,
}

impl<M: SolStruct> Signed<M> {
    /// The digest that the signature is over.
    pub fn digest(&self, domain: &Eip712Domain) -> B256 {
        self.message.eip712_signing_hash(domain)
    }

    /// Who signed.
    pub fn signer(&self, domain: &Eip712Domain) -> Result<Address, SignatureError> {
        self.signature.signer(self.digest(domain))
    }

    /// Checks that `expected` signed.
    pub fn check(&self, domain: &Eip712Domain, expected: Address) -> Result<(), SignatureError> {
        self.signature.check(self.digest(domain), expected)
    }
}

/// Messages of which a signer may make one a round: two different ones are a proof for a full slash.
pub trait Exclusive: SolStruct + PartialEq {
    /// What may be signed only once.
    fn slot(&self) -> (B256, u8);
}

impl Exclusive for Commitment {
    /// One commitment a round, whatever the wave.
    fn slot(&self) -> (B256, u8) {
        (self.roundId, 0)
    }
}

impl Exclusive for Contribution {
    /// One claim a round, whatever the wave.
    fn slot(&self) -> (B256, u8) {
        (self.roundId, 0)
    }
}

impl Exclusive for RoundList {
    /// One list a wave.
    fn slot(&self) -> (B256, u8) {
        (self.roundId, self.wave)
    }
}

/// Who signed two different messages where only one is allowed; `None` where that is not proven.
pub fn equivocator<M: Exclusive>(domain: &Eip712Domain, a: &Signed<M>, b: &Signed<M>) -> Option<Address> {
    if a.message == b.message || a.message.slot() != b.message.slot() {
        return None;
    }
    let signer = a.signer(domain).ok()?;
    (b.signer(domain).ok()? == signer).then_some(signer)
}
