//! Certificates: what the chain holds of a certified batch, and checking one from the outside.
//!
//! [`verify_result`] trusts nothing but two words read from the chain: it recomputes every hash from there down to the
//! output's bytes. Knows nothing of how these words were read.

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{SolValue, sol};
use serde::{Deserialize, Serialize};

use crate::{
    ContentId, Fuel, Odds, UnixTime,
    batch::ReceiptProof,
    confidence::target,
    delivery::delivery_hash,
    policy::{Packer, Unpacker},
    states::Status,
    terms::{CaseTermsWord, Terms},
};

sol! {
    /// What the chain holds of a certified batch; its hash fills the batch's slot.
    #[derive(Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Certificate {
        /// The deal.
        bytes32 dealId;
        /// The batch, from 0.
        uint32 batch;
        /// Draw of the lot that led here, from 0.
        uint8 attempt;
        /// Root of the batch's tree of receipts.
        bytes32 root;
        /// Fuel of all tasks of the batch in one execution of it.
        #[serde(with = "crate::units::decimal")]
        uint64 fuel;
        /// Odds to one that `root` is right, times 1e6, rounded down, before any dispute.
        #[serde(with = "crate::units::decimal")]
        uint128 odds;
        /// Free stake behind it, in the token's smallest unit.
        #[serde(with = "crate::units::decimal")]
        uint96 stake;
        /// Distinct operators that agreed.
        uint8 seats;
        /// Evidence kinds that every agreeing worker had (bitmap).
        uint8 evidence;
        /// Where the seed of the lot came from.
        uint8 seedKind;
        /// Hash of what a delivery needs of the terms, the pool among it, see [`crate::delivery_hash`].
        bytes32 delivery;
        /// The requester's policy in one word, see [`crate::PolicyWord`].
        uint256 policy;
        /// Unix time of the certificate.
        #[serde(with = "crate::units::decimal")]
        uint64 certifiedAt;
        /// Unix time from which it is final.
        #[serde(with = "crate::units::decimal")]
        uint64 finalAt;
        /// What came of the round, see [`members_hash`].
        bytes32 members;
    }
}

impl Certificate {
    /// `keccak256(abi.encode(certificate))`.
    pub fn hash(&self) -> B256 {
        keccak256(self.abi_encode())
    }

    /// What of the hash fits the batch's slot: its high 216 bits, with the low 40 cleared.
    pub fn slot_hash(&self) -> U256 {
        slot_part(self.hash())
    }
}

/// What of a hash fits a batch's slot: the high 216 bits, in place.
pub(crate) fn slot_part(hash: B256) -> U256 {
    (U256::from_be_bytes(hash.0) >> 40) << 40
}

/// One member of a certified round, as the event shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub worker: Address,
    /// What it claimed: 0 the certified claim, or as in [`crate::list`].
    pub claim: u8,
    /// Wave of its seat.
    pub wave: u8,
    /// Stake taken into escrow, in bond units.
    pub slash: u64,
    /// Stake put at risk, in bond units.
    pub exposure: u64,
}

impl Member {
    /// One word, from the low bit: exposure 40, slash 40, wave 8, claim 8, worker 160. Stakes are cut to 40 bits.
    pub fn pack(&self) -> U256 {
        const LOW_40: u64 = (1 << 40) - 1;
        let mut word = Packer::default();
        word.put((self.exposure & LOW_40).into(), 40);
        word.put((self.slash & LOW_40).into(), 40);
        word.put(self.wave.into(), 8);
        word.put(self.claim.into(), 8);
        word.word | (U256::from_be_slice(self.worker.as_slice()) << 96)
    }

    /// Reads a word; every word is a member.
    pub fn unpack(word: U256) -> Self {
        let worker = Address::from_word(B256::from(word >> 96));
        let mut word = Unpacker(word);
        let exposure = word.take(40) as u64;
        let slash = word.take(40) as u64;
        let wave = word.take(8) as u8;
        Self { worker, claim: word.take(8) as u8, wave, slash, exposure }
    }
}

/// A root and its fuel. In a certificate's rivals a commitment that was never opened stands as a root without fuel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Root over the batch's receipts.
    pub root: B256,
    /// Fuel of one execution of the batch.
    pub fuel: Fuel,
}

/// What came before a certificate, in one word, from the low bit: block in which it was certified 40, hash of the round's log
/// 216, as slots hold it. So what stood on chain can still be proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trail(pub U256);

impl Trail {
    /// Block in which the batch was certified.
    pub fn block(self) -> u64 {
        Unpacker(self.0).take(40) as u64
    }
}

/// The `members` of a certificate: the hash over its [`roster`] and what cases need of the terms.
pub fn members_hash(roster: B256, case_terms: CaseTermsWord) -> B256 {
    keccak256([roster, case_terms.0.into()].concat())
}

/// The hash over a certificate's member words, then root and fuel of each rival, then the trail.
///
/// Rivals: the claims from 1 on, then the commitment of each bare or lost member, in the members' order.
pub fn roster(members: &[Member], rivals: &[Claim], trail: Trail) -> B256 {
    let mut words: Vec<B256> = members.iter().map(|member| member.pack().into()).collect();
    words.extend(rivals.iter().flat_map(|rival| [rival.root, U256::from(rival.fuel.0).into()]));
    words.push(trail.0.into());
    keccak256(words.concat())
}

/// A batch's slot on chain, from the low bit. Certified: status 8, delivered bits of tasks 0 to 31 32, hash of the
/// certificate 216. Open: status 8, attempt 8, commitments in the window 8, window 8, nothing 8, hash of the log 216, which
/// stays when the batch expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchSlot(pub U256);

impl BatchSlot {
    /// The slot of a certificate with nothing delivered.
    pub fn of(certificate: &Certificate, status: Status) -> Self {
        Self(certificate.slot_hash() | U256::from(status.code()))
    }

    /// The status; `None` for a number that is none.
    pub fn status(self) -> Option<Status> {
        Status::from_code(self.0.byte(0))
    }

    /// The draw of the lot, from 0, of a batch that is open.
    pub fn attempt(self) -> Option<u8> {
        (self.status() == Some(Status::Open)).then(|| self.0.byte(1))
    }

    /// The hash of what stands on chain for the round, of a batch that is open or expired; see [`crate::log::log_hash`].
    pub fn log_hash(self) -> Option<U256> {
        matches!(self.status(), Some(Status::Open | Status::Expired)).then_some((self.0 >> 40) << 40)
    }

    /// Whether this is the slot of that certificate, whatever status and deliveries.
    pub fn holds(self, certificate: &Certificate) -> bool {
        (self.0 >> 40) << 40 == certificate.slot_hash()
    }
}

/// What has to be read from the chain to check a result: nothing else of it is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnChain {
    /// The Market's word for the deal.
    pub deal: B256,
    /// The Certifier's word for the batch.
    pub batch: BatchSlot,
    /// Time of the block that both were read at.
    pub now: UnixTime,
}

/// A step of [`verify_result`], in the order in which they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The terms hash to the Market's word.
    Terms,
    /// The certificate hashes to the batch's slot.
    Certificate,
    /// Certificate and terms name the same deal, pool, policy, and a batch that the deal has.
    Deal,
    /// The batch's status is provisional or final; not disputed, void or expired.
    Status,
    /// Odds, operators, stake and evidence meet the policy.
    Policy,
    /// The receipt stands at its index under the certificate's root.
    Receipt,
    /// The output's bytes hash to the receipt's output digest.
    Output,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 7] =
        [Self::Terms, Self::Certificate, Self::Deal, Self::Status, Self::Policy, Self::Receipt, Self::Output];

    /// What the step has shown when it passes.
    pub const fn shows(self) -> &'static str {
        match self {
            Self::Terms => "the deal's terms are those that the Market holds",
            Self::Certificate => "the certificate is the one that the chain holds",
            Self::Deal => "the certificate is of this deal, its pool and its policy",
            Self::Status => "the certificate stands: it is neither disputed, void nor expired",
            Self::Policy => "odds, operators, stake and evidence meet the policy",
            Self::Receipt => "the receipt stands at its place under the certified root",
            Self::Output => "the output is the one that the receipt names",
        }
    }
}

/// A result that is not what it claims to be, with the step that shows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// [`Step::Terms`] failed.
    #[error("the terms hash to {hash}, the chain holds {chain}: fetch the terms of the right deal and chain")]
    Terms {
        /// Hash of the terms.
        hash: B256,
        /// The Market's word.
        chain: B256,
    },
    /// [`Step::Certificate`] failed.
    #[error(
        "certificate {hash} is not the one in the batch's slot {slot:#x}: fetch it from the latest event of the batch"
    )]
    Certificate {
        /// Hash of the certificate.
        hash: B256,
        /// The Certifier's word.
        slot: U256,
    },
    /// [`Step::Deal`] failed.
    #[error("the certificate's {field} is not the deal's: it certifies something else")]
    Deal {
        /// What differs.
        field: &'static str,
    },
    /// [`Step::Status`] failed.
    #[error("the batch is {status:?}: wait for a new certificate, or read how the dispute ended")]
    Status {
        /// The status, if the number is one.
        status: Option<Status>,
    },
    /// [`Step::Policy`] failed.
    #[error("the certificate's {field} is {got}, the policy asks for {wanted}: don't rely on this result")]
    Policy {
        /// What falls short.
        field: &'static str,
        /// What the certificate has.
        got: u128,
        /// What the policy asks for.
        wanted: u128,
    },
    /// [`Step::Receipt`] failed.
    #[error("the receipt of index {index} does not stand under root {root}: fetch receipt and proof again")]
    Receipt {
        /// Position in the batch.
        index: u32,
        /// Certified root.
        root: B256,
    },
    /// [`Step::Output`] failed.
    #[error(
        "the output's digest is {got}, the receipt names {wanted}: fetch the output again, from somebody else"
    )]
    Output {
        /// Digest of the bytes.
        got: B256,
        /// Digest of the receipt.
        wanted: B256,
    },
}

impl VerifyError {
    /// The step that failed.
    pub const fn step(&self) -> Step {
        match self {
            Self::Terms { .. } => Step::Terms,
            Self::Certificate { .. } => Step::Certificate,
            Self::Deal { .. } => Step::Deal,
            Self::Status { .. } => Step::Status,
            Self::Policy { .. } => Step::Policy,
            Self::Receipt { .. } => Step::Receipt,
            Self::Output { .. } => Step::Output,
        }
    }

    /// The error's code in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        match self.step() {
            Step::Terms => "verify.terms",
            Step::Certificate => "verify.certificate",
            Step::Deal => "verify.deal",
            Step::Status => "verify.status",
            Step::Policy => "verify.policy",
            Step::Receipt => "verify.receipt",
            Step::Output => "verify.output",
        }
    }
}

/// A result that holds: every step of [`Step::ALL`] passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Number of the task in the deal.
    pub task: u32,
    /// Whether the certificate is final, by status or by time.
    pub is_final: bool,
    /// Odds to one, times 1e6.
    pub odds: Odds,
    /// Distinct operators that agreed.
    pub seats: u8,
    /// Content id under which the output can be fetched.
    pub output: ContentId,
}

/// Checks one result from the chain's words down to the bytes of its output.
pub fn verify_result(
    chain: &OnChain,
    terms: &Terms,
    certificate: &Certificate,
    receipt: &ReceiptProof,
    output: &[u8],
) -> Result<Verified, VerifyError> {
    if terms.hash() != chain.deal {
        return Err(VerifyError::Terms { hash: terms.hash(), chain: chain.deal });
    }
    if !chain.batch.holds(certificate) {
        return Err(VerifyError::Certificate { hash: certificate.hash(), slot: chain.batch.0 });
    }
    let tasks = check_deal(terms, certificate)?;
    let status = chain.batch.status();
    let (Some(Status::Provisional) | Some(Status::Final)) = status else {
        return Err(VerifyError::Status { status });
    };
    check_policy(terms, certificate)?;
    let index = receipt.receipt.index;
    if !receipt.verify(certificate.root, tasks) {
        return Err(VerifyError::Receipt { index, root: certificate.root });
    }
    let digest = keccak256(output);
    if digest != receipt.receipt.output_digest {
        return Err(VerifyError::Output { got: digest, wanted: receipt.receipt.output_digest });
    }
    let task = terms.task_number(certificate.batch, index);
    Ok(Verified {
        task: task.map_err(|_| VerifyError::Receipt { index, root: certificate.root })?,
        is_final: status == Some(Status::Final) || chain.now.0 >= certificate.finalAt,
        odds: Odds(certificate.odds),
        seats: certificate.seats,
        output: ContentId::of(output),
    })
}

/// The batch's tasks, where the certificate is of this deal.
fn check_deal(terms: &Terms, certificate: &Certificate) -> Result<u32, VerifyError> {
    let differs = |field| Err(VerifyError::Deal { field });
    if certificate.dealId != terms.dealId {
        return differs("deal");
    }
    if certificate.delivery != delivery_hash(terms) {
        return differs("delivery");
    }
    if certificate.policy != terms.policy {
        return differs("policy");
    }
    terms.tasks_of(certificate.batch).or_else(|_| differs("batch"))
}

fn check_policy(terms: &Terms, certificate: &Certificate) -> Result<(), VerifyError> {
    let policy = terms.policy().map_err(|_| VerifyError::Deal { field: "policy" })?;
    let promises = [
        ("odds (in millionths)", certificate.odds, target(policy.confidence, certificate.attempt).0),
        ("number of operators", certificate.seats.into(), policy.replicasMin.into()),
        ("stake", certificate.stake.to(), policy.collateralMin.to()),
    ];
    for (field, got, wanted) in promises {
        if got < wanted {
            return Err(VerifyError::Policy { field, got, wanted });
        }
    }
    let (got, wanted) = (certificate.evidence, policy.evidence);
    if got & wanted != wanted {
        let (got, wanted) = (got.into(), wanted.into());
        return Err(VerifyError::Policy { field: "evidence (bitmap)", got, wanted });
    }
    Ok(())
}
