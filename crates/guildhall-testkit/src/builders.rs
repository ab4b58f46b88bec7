//! A pool for tests: a worker with its key and what it would send, a deal, its round, the true claim and a lie.
//!
//! Everything is the same at every call: keys, ids and seeds follow from numbers.

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::signers::{SignerSync, local::PrivateKeySigner};
use alloy::sol_types::SolStruct;
use guildhall_api::{Claim, Envelope, OpenContribution, Round, RoundRef, Standing};
use guildhall_protocol::cases::{Facts, Kind, Stakes};
use guildhall_protocol::messages::{
    Commitment, Contribution, Reservation, Signed, Unavailable, certifier_domain, commitment,
};
use guildhall_protocol::{
    Amount, BondUnits, Bps, Case, CaseId, DealId, Exit, Fuel, Opened, OpenedWord, OperatorId, Policy,
    PolicyWord, PoolId, Receipt, Reputation, RuntimeNumber, Secs, Seed, Terms, UnixTime,
};

/// Chain id.
pub const CHAIN: u64 = 31337;
/// The pool.
pub const POOL: PoolId = PoolId(4);
/// When the deal opened, in Unix seconds.
pub const OPENED_AT: u64 = 1_800_000_000;
/// What the lot is drawn with.
pub const SEED: Seed = Seed(B256::repeat_byte(0x5e));

/// Address of the Certifier.
pub fn certifier() -> Address {
    Address::repeat_byte(0xce)
}

/// A worker: its key and what the chain says of it.
#[derive(Debug, Clone)]
pub struct Worker {
    /// What it signs with.
    pub key: PrivateKeySigner,
    /// What the chain says of it.
    pub standing: Standing,
}

impl Worker {
    /// Worker `number` of operator `number`, always the same.
    pub fn new(number: u16) -> Self {
        let digits = number.to_be_bytes();
        let key = PrivateKeySigner::from_bytes(&keccak256(&digits[usize::from(number < 256)..]));
        let key = key.expect("a hash is a key");
        let standing = Standing {
            operator: OperatorId(number.into()),
            pool: POOL,
            active_from: 1,
            reputation: Reputation::ZERO,
            bond: BondUnits(1_000),
            runtime: RuntimeNumber(1),
            room: BondUnits(500),
        };
        Self { key, standing }
    }

    /// Its address.
    pub fn address(&self) -> Address {
        self.key.address()
    }

    fn envelope<M: SolStruct>(&self, at: RoundRef, message: M) -> Envelope<M> {
        self.envelope_on(CHAIN, at, message)
    }

    /// A message that was signed for another chain.
    pub fn envelope_on<M: SolStruct>(&self, chain: u64, at: RoundRef, message: M) -> Envelope<M> {
        let digest = message.eip712_signing_hash(&certifier_domain(chain, certifier()));
        let signature = self.key.sign_hash_sync(&digest).expect("local key").into();
        Envelope { round: at, worker: self.address(), signed: Signed { message, signature } }
    }

    /// A reservation until `expiry`, in Unix seconds.
    pub fn reservation(&self, at: RoundRef, wave: u8, expiry: u64) -> Envelope<Reservation> {
        self.envelope(at, Reservation { roundId: at.id.0, wave, expiry })
    }

    /// Its commitment to a claim.
    pub fn commitment(&self, at: RoundRef, wave: u8, claim: Claim) -> Envelope<Commitment> {
        let commitment = commitment(self.address(), at.id, claim.root, claim.fuel, self.own_trace());
        self.envelope(at, Commitment { roundId: at.id.0, wave, commitment })
    }

    /// Its word that the bytes are withheld.
    pub fn unavailable(&self, at: RoundRef, wave: u8) -> Envelope<Unavailable> {
        self.envelope(at, Unavailable { roundId: at.id.0, wave })
    }

    /// Its contribution under a list.
    pub fn contribution(&self, at: RoundRef, wave: u8, claim: Claim, list_hash: B256) -> OpenContribution {
        let message = Contribution {
            roundId: at.id.0,
            wave,
            root: claim.root,
            fuel: claim.fuel.0,
            listHash: list_hash,
        };
        OpenContribution { envelope: self.envelope(at, message), own_trace_root: self.own_trace() }
    }

    fn own_trace(&self) -> B256 {
        keccak256(self.address())
    }
}

/// The batch's receipts, and the claim that follows from them.
pub fn receipts() -> (Vec<Receipt>, Vec<u8>) {
    let output = b"hello".to_vec();
    let receipt = Receipt {
        index: 0,
        exit: Exit::Ok,
        fuel: 1_000,
        output_digest: keccak256(&output),
        trace_digest: B256::repeat_byte(7),
    };
    (vec![receipt], output)
}

/// What every honest worker finds.
pub fn truth() -> Claim {
    let batch = guildhall_protocol::Batch::new(receipts().0).expect("one receipt");
    Claim { root: batch.root(), fuel: batch.fuel() }
}

/// A claim that is not true; another one for each number.
pub fn lie(number: u8) -> Claim {
    Claim { root: keccak256([0xff, number]), fuel: Fuel(1) }
}

/// A deal in a pool of `workers` equal workers.
pub fn terms(workers: u64, confidence: u32, replicas: (u8, u8)) -> Terms {
    let policy = Policy {
        confidence,
        faultyShareBps: 2_000,
        replicasMin: replicas.0,
        replicasMax: replicas.1,
        collateralMin: Default::default(),
        countReputation: false,
        evidence: 0,
        disputeWindow: 60,
        finalOnly: true,
    };
    let opened = Opened {
        block: 100,
        time: UnixTime(OPENED_AT),
        pool_bond: BondUnits(1_000 * workers),
        parameters: 1,
        runtime: RuntimeNumber(1),
        pool_share: Bps(0),
        protocol_fee: Bps(100),
        reputation_step: 100,
        patience: Secs(31),
    };
    Terms {
        dealId: keccak256("deal"),
        requester: Address::repeat_byte(1),
        payer: Address::repeat_byte(1),
        beneficiary: Address::repeat_byte(1),
        app: U256::ONE,
        appOwner: Address::repeat_byte(2),
        appPrice: Default::default(),
        dataset: U256::ZERO,
        datasetOwner: Address::ZERO,
        datasetPrice: Default::default(),
        pool: POOL.0,
        feePerMfuel: Default::default(),
        minimumFee: Default::default(),
        callback: Address::ZERO,
        callbackGas: 0,
        deliveryTip: Default::default(),
        inputs: B256::repeat_byte(9),
        taskCount: 1,
        batchSize: 1,
        fuelLimit: 1_000_000,
        memoryLimit: 1 << 20,
        deadline: OPENED_AT + 3_600,
        policy: PolicyWord::pack(&policy).0,
        opened: OpenedWord::pack(&opened).0,
    }
}

/// The round of the deal's first batch, at its first draw.
pub fn round(terms: &Terms) -> Round {
    round_of(terms, SEED)
}

/// The same, with the lot of another seed.
pub fn round_of(terms: &Terms, lot: Seed) -> Round {
    Round::new(terms, 0, 0, terms.opened(), lot).expect("good terms")
}

/// A dispute of task `index` of the first batch of some deal.
pub fn case(index: u32) -> Case {
    Case {
        deal: DealId(B256::repeat_byte(7)),
        facts: Facts {
            batch: 0,
            index,
            level: 1,
            kind: Kind::Bonded,
            seats: 9,
            runtime: RuntimeNumber(1),
            window: Secs(60),
            opened_at: UnixTime(OPENED_AT),
            opened_block: 100,
            verdict_before: 0,
        },
        stakes: Stakes {
            bond: Amount(U256::from(1)),
            runtime_bond: BondUnits(100),
            slash: BondUnits(1),
            pool: POOL,
        },
        opener: Address::repeat_byte(8),
        worker: Address::ZERO,
        seal: B256::repeat_byte(9),
        before: CaseId(B256::ZERO),
    }
}
