//! Terms: a matched deal, whole. The chain keeps their hash and every later call brings them back.
//!
//! Knows the layout of `contracts/src/types/Terms.sol`; how terms come about is in [`crate::matching`].

use alloy_primitives::{B256, U256, aliases::U96, keccak256};
use alloy_sol_types::{SolValue, sol};
use serde::{Deserialize, Serialize};

use crate::{
    BondUnits, Bps, DealId, Fuel, Parameters, PoolId, RuntimeNumber, Secs, UnixTime,
    orders::Policy,
    policy::{Packer, PolicyError, PolicyWord, Unpacker},
};

sol! {
    /// A matched deal, whole: payees, prices and rules are fixed here. Amounts in the token's smallest unit.
    #[derive(Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Terms {
        /// EIP-712 digest of the request order.
        bytes32 dealId;
        /// Who ordered.
        address requester;
        /// Who paid, and gets what is not used.
        address payer;
        /// Whom the results are for.
        address beneficiary;
        /// Number of the app.
        #[serde(with = "crate::units::decimal")]
        uint256 app;
        /// Who gets the app's price.
        address appOwner;
        /// Price of a task of the app.
        #[serde(with = "crate::units::decimal")]
        uint96 appPrice;
        /// Number of the dataset, or 0.
        #[serde(with = "crate::units::decimal")]
        uint256 dataset;
        /// Who gets the dataset's price.
        address datasetOwner;
        /// Price of a task over the dataset.
        #[serde(with = "crate::units::decimal")]
        uint96 datasetPrice;
        /// Number of the pool.
        uint32 pool;
        /// Fee per million fuel of one execution.
        #[serde(with = "crate::units::decimal")]
        uint96 feePerMfuel;
        /// Kept of a batch's refund when it expires.
        #[serde(with = "crate::units::decimal")]
        uint96 minimumFee;
        /// Offered to whoever delivers a task's result to the callback, out of the requester's balance.
        #[serde(with = "crate::units::decimal")]
        uint96 deliveryTip;
        /// Contract that results are delivered to, or 0.
        address callback;
        /// Gas that the callback gets.
        uint32 callbackGas;
        /// Content id (BLAKE3) of the inputs' manifest.
        bytes32 inputs;
        /// Executions ordered.
        uint32 taskCount;
        /// Tasks that are certified together; the last batch may be shorter.
        uint32 batchSize;
        /// Limit of one execution.
        #[serde(with = "crate::units::decimal")]
        uint64 fuelLimit;
        /// Limit of one execution's memory, in bytes.
        #[serde(with = "crate::units::decimal")]
        uint64 memoryLimit;
        /// Last second in which a batch may be certified.
        #[serde(with = "crate::units::decimal")]
        uint64 deadline;
        /// The requester's policy in one word, see [`crate::PolicyWord`].
        uint256 policy;
        /// Where and when the deal opened, in one word, see [`crate::OpenedWord`].
        uint256 opened;
    }
}

/// Where and when a deal opened, and what it took over from the chain at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Opened {
    /// Block of the match.
    pub block: u64,
    /// Time of that block.
    pub time: UnixTime,
    /// Bond of the pool's active workers at that block: what the lot divides by.
    pub pool_bond: BondUnits,
    /// Version of the protocol's parameters that hold for the whole deal.
    pub parameters: u16,
    /// Runtime that the app needs.
    pub runtime: RuntimeNumber,
    /// Share of each fee that goes to the pool's owner.
    pub pool_share: Bps,
    /// The protocol's share of each fee, by the parameters of that version.
    pub protocol_fee: Bps,
    /// Reputation points that halve the odds of a fault, by the same parameters.
    pub reputation_step: u16,
    /// Length of a wave: what [`Terms::patience`] answers for the same parameters.
    pub patience: Secs,
}

/// [`Opened`] in one word, from the low bit: block 40, time 40, poolBond 64, parameter version 16, runtime 8,
/// poolShareBps 16, protocolFeeBps 16, reputationStep 16, patience 40.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpenedWord(pub U256);

impl OpenedWord {
    /// Packs; block, time and patience are cut to the 40 bits that chains reach in no foreseeable time.
    pub fn pack(opened: &Opened) -> Self {
        const LOW_40: u64 = (1 << 40) - 1;
        let mut word = Packer::default();
        word.put((opened.block & LOW_40).into(), 40);
        word.put((opened.time.0 & LOW_40).into(), 40);
        word.put(opened.pool_bond.0.into(), 64);
        word.put(opened.parameters.into(), 16);
        word.put(opened.runtime.0.into(), 8);
        word.put(opened.pool_share.0.into(), 16);
        word.put(opened.protocol_fee.0.into(), 16);
        word.put(opened.reputation_step.into(), 16);
        word.put((opened.patience.0 & LOW_40).into(), 40);
        Self(word.word)
    }

    /// The fields: they fill the word.
    pub fn unpack(self) -> Opened {
        let mut word = Unpacker(self.0);
        Opened {
            block: word.take(40) as u64,
            time: UnixTime(word.take(40) as u64),
            pool_bond: BondUnits(word.take(64) as u64),
            parameters: word.take(16) as u16,
            runtime: RuntimeNumber(word.take(8) as u8),
            pool_share: Bps(word.take(16) as u16),
            protocol_fee: Bps(word.take(16) as u16),
            reputation_step: word.take(16) as u16,
            patience: Secs(word.take(40) as u64),
        }
    }
}

/// What a case about a batch needs of the terms, in one word, from the low bit: fee 96, tasks 32, runtime 8, patience 40,
/// pool 32. Fee: of one execution of one task at the limit, rounded up, in the token's smallest unit; what a juror earns. A
/// certificate covers it ([`crate::members_hash`]), so that a dispute need not bring the terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaseTermsWord(pub U256);

/// A batch that a deal does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// The deal has fewer batches.
    #[error("batch {batch} is outside deal {deal}, which has {batches} (numbered from 0)")]
    NoSuchBatch {
        /// The batch asked for.
        batch: u32,
        /// Batches that there are.
        batches: u32,
        /// The deal.
        deal: DealId,
    },
    /// The deal has fewer tasks.
    #[error("task {task} is outside deal {deal}, which has {tasks} (numbered from 0)")]
    NoSuchTask {
        /// The task asked for.
        task: u32,
        /// Tasks that there are.
        tasks: u32,
        /// The deal.
        deal: DealId,
    },
}

impl TermsError {
    /// The error's code in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoSuchBatch { .. } => "terms.no_such_batch",
            Self::NoSuchTask { .. } => "terms.no_such_task",
        }
    }
}

impl Terms {
    /// What the chain keeps of the deal: `keccak256(abi.encode(terms))`.
    pub fn hash(&self) -> B256 {
        keccak256(self.abi_encode())
    }

    /// The deal's id.
    pub fn deal(&self) -> DealId {
        DealId(self.dealId)
    }

    /// The deal's pool.
    pub fn pool_id(&self) -> PoolId {
        PoolId(self.pool)
    }

    /// The requester's policy, unpacked.
    pub fn policy(&self) -> Result<Policy, PolicyError> {
        PolicyWord(self.policy).unpack()
    }

    /// Where and when the deal opened, unpacked.
    pub fn opened(&self) -> Opened {
        OpenedWord(self.opened).unpack()
    }

    /// Batches of the deal: `ceil(taskCount / batchSize)`; none where `batchSize` is 0.
    pub fn batches(&self) -> u32 {
        if self.batchSize == 0 { 0 } else { self.taskCount.div_ceil(self.batchSize) }
    }

    /// Tasks of this batch: `batchSize`, or what is left for the last one.
    pub fn tasks_of(&self, batch: u32) -> Result<u32, TermsError> {
        let batches = self.batches();
        if batch >= batches {
            return Err(TermsError::NoSuchBatch { batch, batches, deal: self.deal() });
        }
        // In range because `batch < ceil(taskCount / batchSize)`.
        Ok(self.batchSize.min(self.taskCount - batch * self.batchSize))
    }

    /// Length of a wave of any round of the deal: that of a full batch.
    pub fn patience(&self, parameters: &Parameters) -> Secs {
        parameters.patience(Fuel(self.fuelLimit), self.batchSize.min(self.taskCount))
    }

    /// What cases about a batch need of the terms. The Market lets nobody lock more than 96 bits, so no fee has more.
    ///
    /// # Errors
    /// [`TermsError::NoSuchBatch`].
    pub fn case_terms(&self, batch: u32) -> Result<CaseTermsWord, TermsError> {
        let fee = (U256::from(self.fuelLimit) * U256::from(self.feePerMfuel)).div_ceil(U256::from(1_000_000));
        let opened = self.opened();
        let mut word = Packer::default();
        word.put(fee.min(U256::from(U96::MAX)).to(), 96);
        word.put(self.tasks_of(batch)?.into(), 32);
        word.put(opened.runtime.0.into(), 8);
        word.put(opened.patience.0.into(), 40);
        word.put(self.pool.into(), 32);
        Ok(CaseTermsWord(word.word))
    }

    /// The batch of this task of the deal, and its position there.
    pub fn locate(&self, task: u32) -> Result<(u32, u32), TermsError> {
        if task >= self.taskCount || self.batchSize == 0 {
            return Err(TermsError::NoSuchTask { task, tasks: self.taskCount, deal: self.deal() });
        }
        Ok((task / self.batchSize, task % self.batchSize))
    }

    /// The deal's number of the task at `index` of `batch`.
    pub fn task_number(&self, batch: u32, index: u32) -> Result<u32, TermsError> {
        let outside = TermsError::NoSuchTask { task: index, tasks: self.taskCount, deal: self.deal() };
        if index >= self.tasks_of(batch)? { Err(outside) } else { Ok(batch * self.batchSize + index) }
    }
}
