//! Cases of `docs/encoding.md` sections 1 and 2: digests of orders, packed words, hashes of terms.
//!
//! Orders and terms stand there as `abi.encode(value)`, which every reader can decode into its own type.

use alloy_primitives::{Address, U256, aliases::U96};
use alloy_sol_types::SolValue;
use anyhow::Result;
use guildhall_protocol::{
    AppOrder, BondUnits, Bps, DatasetOrder, Fuel, Opened, OpenedWord, Order, Parameters, Policy, PolicyWord,
    PoolOrder, RequestOrder, RuntimeNumber, Secs, Terms, UnixTime, delivery_hash, orders::market_domain,
};
use serde_json::{Value, json};

use super::words::{Chain, address, bytes, number, word};

/// Random cases of each kind.
const CASES: usize = 6;

pub(super) fn cases() -> Result<Value> {
    let mut chain = Chain::new("orders");
    let zero_dataset = DatasetOrder::default();
    let apps = (0..CASES).map(|_| app(&mut chain)).collect::<Vec<_>>();
    let mut datasets = (0..CASES).map(|_| dataset(&mut chain)).collect::<Vec<_>>();
    datasets.push(zero_dataset);
    let pools = (0..CASES).map(|_| pool(&mut chain)).collect::<Vec<_>>();
    let requests = (0..CASES).map(|_| request(&mut chain)).collect::<Vec<_>>();
    Ok(json!({
        "appOrders": apps.iter().map(|order| digest(&mut chain, order)).collect::<Value>(),
        "datasetOrders": datasets.iter().map(|order| digest(&mut chain, order)).collect::<Value>(),
        "opened": opened(&mut chain),
        "parameters": parameters(&mut chain)?,
        "policies": policies(&mut chain),
        "poolOrders": pools.iter().map(|order| digest(&mut chain, order)).collect::<Value>(),
        "requestOrders": requests.iter().map(|order| digest(&mut chain, order)).collect::<Value>(),
        "terms": terms(&mut chain),
        "caseTerms": case_terms(&mut chain)?,
    }))
}

fn digest<O: Order + SolValue>(chain: &mut Chain, order: &O) -> Value {
    let (chain_id, market) = (chain.bits(32) as u64, chain.address());
    json!({
        "chainId": number(chain_id),
        "contract": address(market),
        "digest": word(order.digest(&market_domain(chain_id, market))),
        "encoded": bytes(&order.abi_encode()),
        "structHash": word(order.eip712_hash_struct()),
    })
}

fn asset(chain: &mut Chain) -> U256 {
    U256::from(chain.bits(64))
}

fn amount(chain: &mut Chain) -> U96 {
    U96::from(chain.bits(96))
}

/// An address, or none.
fn maybe(chain: &mut Chain) -> Address {
    if chain.bits(1) == 0 { Address::ZERO } else { chain.address() }
}

fn app(chain: &mut Chain) -> AppOrder {
    AppOrder {
        app: asset(chain),
        price: amount(chain),
        volume: chain.bits(64) as u64,
        datasetRestrict: asset(chain),
        poolRestrict: chain.bits(32) as u32,
        requesterRestrict: maybe(chain),
        expiry: chain.bits(40) as u64,
        nonce: chain.bits(64) as u64,
        salt: chain.word(),
    }
}

fn dataset(chain: &mut Chain) -> DatasetOrder {
    DatasetOrder {
        dataset: asset(chain),
        price: amount(chain),
        volume: chain.bits(64) as u64,
        appRestrict: asset(chain),
        poolRestrict: chain.bits(32) as u32,
        requesterRestrict: maybe(chain),
        expiry: chain.bits(40) as u64,
        nonce: chain.bits(64) as u64,
        salt: chain.word(),
    }
}

fn pool(chain: &mut Chain) -> PoolOrder {
    PoolOrder {
        pool: chain.bits(32) as u32,
        feePerMfuel: amount(chain),
        minimumFee: amount(chain),
        volume: chain.bits(64) as u64,
        fuelLimitMax: chain.bits(64) as u64,
        appRestrict: asset(chain),
        datasetRestrict: asset(chain),
        requesterRestrict: maybe(chain),
        expiry: chain.bits(40) as u64,
        nonce: chain.bits(32) as u32,
        salt: chain.word(),
    }
}

fn policy(chain: &mut Chain) -> Policy {
    Policy {
        confidence: chain.bits(32) as u32,
        faultyShareBps: chain.range(500, 4_900) as u16,
        replicasMin: chain.range(1, 32) as u8,
        replicasMax: 32,
        collateralMin: amount(chain),
        countReputation: chain.bits(1) == 1,
        evidence: chain.bits(8) as u8,
        disputeWindow: chain.bits(32) as u32,
        finalOnly: chain.bits(1) == 1,
    }
}

fn request(chain: &mut Chain) -> RequestOrder {
    RequestOrder {
        requester: chain.address(),
        payer: chain.address(),
        beneficiary: chain.address(),
        app: asset(chain),
        dataset: asset(chain),
        pool: chain.bits(32) as u32,
        appPriceMax: amount(chain),
        datasetPriceMax: amount(chain),
        feePerMfuelMax: amount(chain),
        deliveryTip: amount(chain),
        callback: maybe(chain),
        callbackGas: chain.bits(20) as u32,
        inputs: chain.word(),
        taskCount: chain.bits(32) as u32,
        batchSize: chain.bits(16) as u32,
        fuelLimit: chain.bits(64) as u64,
        memoryLimit: chain.bits(40) as u64,
        deadline: chain.bits(40) as u64,
        policy: policy(chain),
        expiry: chain.bits(40) as u64,
        nonce: chain.bits(64) as u64,
        salt: chain.word(),
    }
}

fn policies(chain: &mut Chain) -> Value {
    let mut all: Vec<Policy> = (0..CASES).map(|_| policy(chain)).collect();
    all.push(Policy::default());
    all.push(Policy {
        confidence: u32::MAX,
        faultyShareBps: u16::MAX,
        replicasMin: u8::MAX,
        replicasMax: u8::MAX,
        collateralMin: U96::MAX,
        countReputation: true,
        evidence: u8::MAX,
        disputeWindow: u32::MAX,
        finalOnly: true,
    });
    let case = |policy: Policy| {
        let packed = PolicyWord::pack(&policy).0;
        json!({ "encoded": bytes(&policy.abi_encode()), "word": number(packed) })
    };
    all.into_iter().map(case).collect()
}

fn any_opened(chain: &mut Chain) -> Opened {
    Opened {
        block: chain.bits(40) as u64,
        time: UnixTime(chain.bits(40) as u64),
        pool_bond: BondUnits(chain.bits(64) as u64),
        parameters: chain.bits(16) as u16,
        runtime: RuntimeNumber(chain.bits(8) as u8),
        pool_share: Bps(chain.range(0, 10_000) as u16),
        protocol_fee: Bps(chain.range(0, 1_000) as u16),
        reputation_step: chain.bits(16) as u16,
        patience: Secs(chain.bits(40) as u64),
    }
}

fn opened(chain: &mut Chain) -> Value {
    let mut all: Vec<Opened> = (0..CASES).map(|_| any_opened(chain)).collect();
    all.push(Opened {
        block: (1 << 40) - 1,
        time: UnixTime((1 << 40) - 1),
        pool_bond: BondUnits::MAX,
        parameters: u16::MAX,
        runtime: RuntimeNumber::MAX,
        pool_share: Bps::MAX,
        protocol_fee: Bps::MAX,
        reputation_step: u16::MAX,
        patience: Secs((1 << 40) - 1),
    });
    let case = |opened: Opened| {
        json!({
            "block": number(opened.block),
            "parameters": number(opened.parameters),
            "patience": number(opened.patience.0),
            "poolBond": number(opened.pool_bond.0),
            "poolShareBps": number(opened.pool_share.0),
            "protocolFeeBps": number(opened.protocol_fee.0),
            "reputationStep": number(opened.reputation_step),
            "runtime": number(opened.runtime.0),
            "time": number(opened.time.0),
            "word": number(OpenedWord::pack(&opened).0),
        })
    };
    all.into_iter().map(case).collect()
}

fn parameters(chain: &mut Chain) -> Result<Value> {
    let mut cases = Vec::new();
    for version in 1..=4u16 {
        let any = Parameters {
            patience_base_secs: Secs(chain.range(1, 3_600)),
            fuel_per_sec: Fuel(chain.range(1_000_000, 10_000_000_000_000)),
            reputation_step: chain.range(1, 10_000) as u16,
            protocol_fee_bps: Bps(chain.range(0, 1_000) as u16),
            expire_grace_secs: Secs(chain.range(1, 604_800)),
            poster_grace_secs: Secs(chain.range(1, 604_800)),
            dispute_window_min_secs: Secs(chain.range(1, 86_400)),
        };
        let parameters = if version == 1 { Parameters::default() } else { any };
        cases.push(json!({
            "disputeWindowMinSecs": number(parameters.dispute_window_min_secs.0),
            "expireGraceSecs": number(parameters.expire_grace_secs.0),
            "fuelPerSec": number(parameters.fuel_per_sec.0),
            "patienceBaseSecs": number(parameters.patience_base_secs.0),
            "posterGraceSecs": number(parameters.poster_grace_secs.0),
            "protocolFeeBps": number(parameters.protocol_fee_bps.0),
            "reputationStep": number(parameters.reputation_step),
            "version": number(version),
            "word": number(parameters.pack(version)?),
        }));
    }
    Ok(cases.into())
}

/// Any terms.
pub(super) fn any_terms(chain: &mut Chain) -> Terms {
    let (request, opened) = (request(chain), any_opened(chain));
    Terms {
        dealId: chain.word(),
        requester: request.requester,
        payer: request.payer,
        beneficiary: request.beneficiary,
        app: request.app,
        appOwner: chain.address(),
        appPrice: amount(chain),
        dataset: request.dataset,
        datasetOwner: maybe(chain),
        datasetPrice: amount(chain),
        pool: request.pool,
        feePerMfuel: amount(chain),
        minimumFee: amount(chain),
        deliveryTip: request.deliveryTip,
        callback: request.callback,
        callbackGas: request.callbackGas,
        inputs: request.inputs,
        taskCount: request.taskCount,
        batchSize: request.batchSize,
        fuelLimit: request.fuelLimit,
        memoryLimit: request.memoryLimit,
        deadline: request.deadline,
        policy: PolicyWord::pack(&request.policy).0,
        opened: OpenedWord::pack(&opened).0,
    }
}

fn terms(chain: &mut Chain) -> Value {
    let mut case = |_| {
        let terms = any_terms(chain);
        json!({
            "deliveryHash": word(delivery_hash(&terms)),
            "encoded": bytes(&terms.abi_encode()),
            "hash": word(terms.hash()),
        })
    };
    (0..CASES).map(&mut case).collect()
}

/// What cases about the first and the last batch need of terms that the Market lets in.
fn case_terms(chain: &mut Chain) -> Result<Value> {
    let mut cases = Vec::new();
    for _ in 0..CASES {
        let terms = Terms { feePerMfuel: U96::from(chain.bits(50)), ..any_terms(chain) };
        for batch in [0, terms.batches() - 1] {
            cases.push(json!({
                "batch": number(batch),
                "encoded": bytes(&terms.abi_encode()),
                "word": number(terms.case_terms(batch)?.0),
            }));
        }
    }
    Ok(cases.into())
}
