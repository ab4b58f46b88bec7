//! Values that the tests share.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256, aliases::U96};
use guildhall_protocol::{
    AppOrder, BondUnits, Bps, DatasetOrder, Exit, Parameters, Policy, PoolOrder, Receipt, RequestOrder,
    RuntimeNumber, UnixTime,
    matching::{AssetFacts, Facts, Offers, PoolFacts},
    orders::market_domain,
};
use proptest::prelude::*;

pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) fn address(last: u8) -> Address {
    Address::with_last_byte(last)
}

pub(crate) fn words() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::from)
}

pub(crate) fn receipt(index: u32) -> Receipt {
    Receipt {
        index,
        exit: Exit::Ok,
        fuel: 1_000 + u64::from(index),
        output_digest: B256::repeat_byte(index as u8),
        trace_digest: B256::repeat_byte(1),
    }
}

/// Orders that match, over app 1, dataset 2 and pool 3.
pub(crate) fn offers() -> Offers {
    let app = AppOrder {
        app: U256::from(1),
        price: U96::from(10),
        volume: 100,
        datasetRestrict: U256::ZERO,
        poolRestrict: 0,
        requesterRestrict: Address::ZERO,
        expiry: NOW,
        nonce: 5,
        salt: B256::ZERO,
    };
    let dataset = DatasetOrder {
        dataset: U256::from(2),
        price: U96::from(20),
        volume: 100,
        expiry: NOW,
        nonce: 6,
        ..DatasetOrder::default()
    };
    let pool = PoolOrder {
        pool: 3,
        feePerMfuel: U96::from(1_000_000),
        minimumFee: U96::ZERO,
        volume: 100,
        fuelLimitMax: 1_000_000_000,
        appRestrict: U256::ZERO,
        datasetRestrict: U256::ZERO,
        requesterRestrict: Address::ZERO,
        expiry: NOW,
        nonce: 7,
        salt: B256::ZERO,
    };
    Offers { app, dataset, pool, request: request() }
}

fn request() -> RequestOrder {
    RequestOrder {
        requester: address(1),
        payer: address(1),
        beneficiary: address(1),
        app: U256::from(1),
        dataset: U256::from(2),
        pool: 3,
        appPriceMax: U96::from(10),
        datasetPriceMax: U96::from(20),
        feePerMfuelMax: U96::from(1_000_000),
        callback: Address::ZERO,
        callbackGas: 0,
        deliveryTip: U96::ZERO,
        inputs: B256::repeat_byte(9),
        taskCount: 25,
        batchSize: 10,
        fuelLimit: 1_000_000,
        memoryLimit: 1 << 28,
        deadline: NOW + 86_400,
        policy: Policy::default(),
        expiry: NOW,
        nonce: 8,
        salt: B256::ZERO,
    }
}

pub(crate) fn facts() -> Facts {
    Facts {
        market: market_domain(31_337, address(0xaa)),
        block: 77,
        now: UnixTime(NOW),
        version: 1,
        parameters: Parameters::default(),
        app: AssetFacts { owner: address(2), nonce: 5, filled: 75 },
        runtime: RuntimeNumber(1),
        dataset: AssetFacts { owner: address(3), nonce: 6, filled: 0 },
        pool: PoolFacts { open: true, nonce: 7, filled: 0, bond: BondUnits(9_000), share: Bps(1_000) },
        requester_nonce: 8,
        request_used: false,
        groups: BTreeSet::new(),
    }
}
