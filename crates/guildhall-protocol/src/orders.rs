//! Orders: signed EIP-712 offers, field by field as the contracts have them (`contracts/src/types/Orders.sol`).
//!
//! The structs keep Solidity's field names, because EIP-712 hashes those names. Knows nothing of matching.
//! The digest of a request order is the deal's id. Amounts are in the token's smallest unit, times in Unix seconds, fuel in
//! units of the runtime, and "0" leaves a restriction open. In JSON, integers of 64 bits and more are decimal strings.

use alloy_primitives::{Address, B256, U256, aliases::U96};
use alloy_sol_types::{Eip712Domain, SolStruct, sol};

use crate::DealId;

/// Most executions of a task that a requester may pay for.
pub const REPLICAS_MAX: u8 = 32;

sol! {
    /// What a requester asks of the certificate (PROTOCOL section 4).
    #[derive(Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Policy {
        /// Odds to one that the result is right (999 means 999:1).
        uint32 confidence;
        /// Assumed share of faulty stake, in basis points (500 to 4,900).
        uint16 faultyShareBps;
        /// Distinct operators that must agree whatever their reputation.
        uint8 replicasMin;
        /// Executions paid at most, 32 at most; the payer locks this many.
        uint8 replicasMax;
        /// Free stake that must stand behind the certificate.
        #[serde(with = "crate::units::decimal")]
        uint96 collateralMin;
        /// Whether reputation lowers a worker's assumed odds of being faulty.
        bool countReputation;
        /// Bitmap of the evidence kinds that every contributor must have.
        uint8 evidence;
        /// Seconds between provisional and final.
        uint32 disputeWindow;
        /// Whether delivery waits for a final certificate.
        bool finalOnly;
    }

    /// An app owner's offer: executions of `app` at `price` a task.
    #[derive(Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct AppOrder {
        /// Number of the app in the registry.
        #[serde(with = "crate::units::decimal")]
        uint256 app;
        /// Price of a task.
        #[serde(with = "crate::units::decimal")]
        uint96 price;
        /// Tasks offered in all.
        #[serde(with = "crate::units::decimal")]
        uint64 volume;
        /// The only dataset to combine with, or 0.
        #[serde(with = "crate::units::decimal")]
        uint256 datasetRestrict;
        /// The only pool to run on, or 0.
        uint32 poolRestrict;
        /// The only requester, a contract that answers for a group, or 0.
        address requesterRestrict;
        /// Last second in which the order can be matched.
        #[serde(with = "crate::units::decimal")]
        uint64 expiry;
        /// The asset's order nonce: a transfer or a cancel-all bumps it.
        #[serde(with = "crate::units::decimal")]
        uint64 nonce;
        /// Makes otherwise equal orders differ.
        bytes32 salt;
    }

    /// A dataset owner's offer: use of `dataset` at `price` a task.
    #[derive(Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct DatasetOrder {
        /// Number of the dataset in the registry.
        #[serde(with = "crate::units::decimal")]
        uint256 dataset;
        /// Price of a task.
        #[serde(with = "crate::units::decimal")]
        uint96 price;
        /// Tasks offered in all.
        #[serde(with = "crate::units::decimal")]
        uint64 volume;
        /// The only app to combine with, or 0.
        #[serde(with = "crate::units::decimal")]
        uint256 appRestrict;
        /// The only pool to run on, or 0.
        uint32 poolRestrict;
        /// The only requester, a contract that answers for a group, or 0.
        address requesterRestrict;
        /// Last second in which the order can be matched.
        #[serde(with = "crate::units::decimal")]
        uint64 expiry;
        /// The asset's order nonce: a transfer or a cancel-all bumps it.
        #[serde(with = "crate::units::decimal")]
        uint64 nonce;
        /// Makes otherwise equal orders differ.
        bytes32 salt;
    }

    /// A pool owner's offer: executions at `feePerMfuel` per million fuel of an execution.
    #[derive(Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct PoolOrder {
        /// Number of the pool.
        uint32 pool;
        /// Fee per million fuel of one execution.
        #[serde(with = "crate::units::decimal")]
        uint96 feePerMfuel;
        /// Kept of a batch's refund when it expires.
        #[serde(with = "crate::units::decimal")]
        uint96 minimumFee;
        /// Tasks offered in all.
        #[serde(with = "crate::units::decimal")]
        uint64 volume;
        /// The longest execution that the pool takes.
        #[serde(with = "crate::units::decimal")]
        uint64 fuelLimitMax;
        /// The only app to run, or 0.
        #[serde(with = "crate::units::decimal")]
        uint256 appRestrict;
        /// The only dataset to run over, or 0.
        #[serde(with = "crate::units::decimal")]
        uint256 datasetRestrict;
        /// The only requester, a contract that answers for a group, or 0.
        address requesterRestrict;
        /// Last second in which the order can be matched.
        #[serde(with = "crate::units::decimal")]
        uint64 expiry;
        /// The pool's order nonce: a cancel-all bumps it.
        uint32 nonce;
        /// Makes otherwise equal orders differ.
        bytes32 salt;
    }

    /// A requester's order. Taken whole: its EIP-712 digest is the deal's id.
    #[derive(Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct RequestOrder {
        /// Who orders.
        address requester;
        /// Who pays; when it is not the requester it signs this same order.
        address payer;
        /// Whom the results are for.
        address beneficiary;
        /// Number of the app.
        #[serde(with = "crate::units::decimal")]
        uint256 app;
        /// Number of the dataset, or 0 for none.
        #[serde(with = "crate::units::decimal")]
        uint256 dataset;
        /// Number of the pool.
        uint32 pool;
        /// Most that a task of the app may cost.
        #[serde(with = "crate::units::decimal")]
        uint96 appPriceMax;
        /// Most that a task over the dataset may cost.
        #[serde(with = "crate::units::decimal")]
        uint96 datasetPriceMax;
        /// Most that a million fuel of one execution may cost.
        #[serde(with = "crate::units::decimal")]
        uint96 feePerMfuelMax;
        /// Offered to whoever delivers a task's result to the callback, out of the requester's balance; 0 = nothing.
        #[serde(with = "crate::units::decimal")]
        uint96 deliveryTip;
        /// Contract that results are delivered to, or 0.
        address callback;
        /// Gas that the callback gets.
        uint32 callbackGas;
        /// Content id (BLAKE3) of the manifest that names the tasks' inputs, arguments and environment.
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
        /// What the certificate must promise.
        Policy policy;
        /// Last second in which the order can be matched.
        #[serde(with = "crate::units::decimal")]
        uint64 expiry;
        /// The requester's nonce: a cancel-all bumps it.
        #[serde(with = "crate::units::decimal")]
        uint64 nonce;
        /// Makes otherwise equal orders differ.
        bytes32 salt;
    }
}

/// What the orders' signatures are bound to: this protocol, this chain, this Market.
pub fn market_domain(chain_id: u64, market: Address) -> Eip712Domain {
    domain("Guildhall Market", chain_id, market)
}

/// An EIP-712 domain of version 1.
pub(crate) fn domain(name: &'static str, chain_id: u64, contract: Address) -> Eip712Domain {
    Eip712Domain::new(Some(name.into()), Some("1".into()), Some(U256::from(chain_id)), Some(contract), None)
}

/// An order of one of the four sides, and what all of them have.
pub trait Order: SolStruct {
    /// What messages call it.
    const SIDE: &'static str;

    /// Last second in which the order can be matched, in Unix seconds.
    fn expiry(&self) -> u64;

    /// What its owner signs.
    fn digest(&self, market: &Eip712Domain) -> B256 {
        self.eip712_signing_hash(market)
    }
}

macro_rules! order {
    ($name:ident, $side:literal) => {
        impl Order for $name {
            const SIDE: &'static str = $side;

            fn expiry(&self) -> u64 {
                self.expiry
            }
        }
    };
}

order!(AppOrder, "app");
order!(DatasetOrder, "dataset");
order!(PoolOrder, "pool");
order!(RequestOrder, "request");

impl RequestOrder {
    /// The id of the deal that this order becomes.
    pub fn deal_id(&self, market: &Eip712Domain) -> DealId {
        DealId(self.digest(market))
    }

    /// Whether the order asks for a dataset.
    pub fn has_dataset(&self) -> bool {
        !self.dataset.is_zero()
    }
}

impl Default for Policy {
    /// 99:1, a fifth of the stake faulty, three operators at least and eight executions at most, no collateral,
    /// reputation not counted, an hour to dispute, delivery when final.
    fn default() -> Self {
        Self {
            confidence: 99,
            faultyShareBps: 2_000,
            replicasMin: 3,
            replicasMax: 8,
            collateralMin: U96::ZERO,
            countReputation: false,
            evidence: 0,
            disputeWindow: 3_600,
            finalOnly: true,
        }
    }
}
