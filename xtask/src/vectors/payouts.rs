//! Cases of `docs/encoding.md` section 6: what a batch locks, pays and refunds.

use alloy_primitives::U256;
use anyhow::Result;
use guildhall_protocol::{
    Amount, Bps, Fuel, Prices,
    payouts::{escrow, exposure_units, reputation_points, slash_units},
    units::BOND_UNIT_WEI,
};
use serde_json::{Value, json};

use super::words::{Chain, number};

pub(super) fn cases() -> Result<Value> {
    let mut chain = Chain::new("payouts");
    let free = prices(1, 1, 0, 0, 0);
    let plain = prices(1, 1_000_000_000, 10_000_000_000_000, 50_000_000_000_000_000, 20_000_000_000_000_000);
    let odd = prices(7, 333_333_333, 999_999_999_999, 3, 1);
    let tiny = prices(1, 1, 1, 0, 0);
    // Near the 96 bits that a payment on chain has.
    let most = Prices { replicas_max: 32, ..prices(1_000, 10_000_000_000_000, 1 << 57, 1 << 84, 1 << 84) };
    let mut cases = Vec::new();
    for prices in [free, plain, odd, tiny, most] {
        for agreeing in [1, 3, prices.replicas_max, prices.replicas_max + 3] {
            let limit = prices.fuel_limit.0.saturating_mul(prices.tasks.into());
            for fuel in [0, 1, limit / 3, limit] {
                cases.push(case(&prices, agreeing, fuel)?);
            }
        }
    }
    for _ in 0..48 {
        let prices = any(&mut chain);
        let limit = prices.fuel_limit.0 * u64::from(prices.tasks);
        let (agreeing, fuel) = (chain.range(1, 32) as u8, chain.range(0, limit));
        cases.push(case(&prices, agreeing, fuel)?);
    }
    let (escrows, units, points) = (escrows(&mut chain), units(&mut chain), points(&mut chain));
    // By name: whether maps keep their order depends on the features that somebody else asks for.
    Ok(json!({ "batches": cases, "escrows": escrows, "points": points, "units": units }))
}

fn escrows(chain: &mut Chain) -> Value {
    let mut all = vec![
        (0, 0, 0, 1),
        (1, 1, 1, 1),
        (4, 0, 0, 3),
        (5, 0, 1, 3),
        (1_000, 3, 200, 7),
        (1_000, 32, 1_000, 32),
    ];
    all.extend(
        (0..16).map(|_| (chain.bits(80), chain.range(0, 32) as u8, chain.bits(76), chain.range(1, 32) as u8)),
    );
    let case = |(slashed, extra, gross, winners): (u128, u8, u128, u8)| {
        let split = escrow(amount(slashed), extra, amount(gross), winners);
        json!({
            "burnt": number(split.burnt.0),
            "extraExecutions": number(extra),
            "gross": number(gross),
            "slashed": number(slashed),
            "toEachWinner": number(split.to_each_winner.0),
            "toPayer": number(split.to_payer.0),
            "winners": number(winners),
        })
    };
    all.into_iter().map(case).collect()
}

fn units(chain: &mut Chain) -> Value {
    const UNIT: u128 = BOND_UNIT_WEI as u128;
    let mut all = vec![
        (0, 0, 0, 1),
        (1, 0, 0, 3),
        (UNIT / 2, 0, 0, 1),
        (UNIT / 2 + 1, 0, 0, 1),
        (0, 0, 3 * UNIT + 1, 3),
        (0, 3 * UNIT, 0, 3),
        (UNIT << 40, 0, 0, 1),
        (0, 0, (1 << 96) - 1, 1),
    ];
    all.extend((0..16).map(|_| (chain.bits(70), chain.bits(70), chain.bits(72), chain.range(1, 32) as u8)));
    let case = |(gross, prices, collateral, agreeing): (u128, u128, u128, u8)| {
        let exposure = exposure_units(amount(gross), amount(prices), amount(collateral), agreeing);
        json!({
            "agreeing": number(agreeing),
            "collateralMin": number(collateral),
            "exposureUnits": number(exposure.0),
            "gross": number(gross),
            "prices": number(prices),
            "slashUnits": number(slash_units(amount(gross)).0),
        })
    };
    all.into_iter().map(case).collect()
}

fn points(chain: &mut Chain) -> Value {
    const UNIT: u128 = BOND_UNIT_WEI as u128;
    let mut all =
        vec![(0, 100), (UNIT - 1, 100), (UNIT, 100), (100 * UNIT, 100), (101 * UNIT, 100), (UNIT, 1)];
    all.extend((0..16).map(|_| (chain.bits(62), chain.range(1, 10_000) as u16)));
    let case = |(cut, step): (u128, u16)| {
        let points = reputation_points(amount(cut), step);
        json!({ "points": number(points.0), "protocolCut": number(cut), "step": number(step) })
    };
    all.into_iter().map(case).collect()
}

fn amount(value: u128) -> Amount {
    Amount(U256::from(value))
}

fn prices(tasks: u32, fuel_limit: u64, fee: u128, app: u128, dataset: u128) -> Prices {
    Prices {
        tasks,
        fuel_limit: Fuel(fuel_limit),
        fee_per_mfuel: Amount(U256::from(fee)),
        app_price: Amount(U256::from(app)),
        dataset_price: Amount(U256::from(dataset)),
        replicas_max: 8,
        pool_share: Bps(1_000),
        protocol_fee: Bps(100),
    }
}

fn any(chain: &mut Chain) -> Prices {
    Prices {
        replicas_max: chain.range(1, 32) as u8,
        pool_share: Bps(chain.range(0, 5_000) as u16),
        protocol_fee: Bps(chain.range(0, 1_000) as u16),
        ..prices(
            chain.range(1, 5_000) as u32,
            chain.bits(40) as u64,
            chain.bits(56),
            chain.bits(72),
            chain.bits(72),
        )
    }
}

fn case(prices: &Prices, agreeing: u8, fuel: u64) -> Result<Value> {
    let payouts = prices.payouts(agreeing, Fuel(fuel))?;
    Ok(json!({
        "agreeing": number(agreeing),
        "appPrice": number(prices.app_price.0),
        "datasetPrice": number(prices.dataset_price.0),
        "feePerMfuel": number(prices.fee_per_mfuel.0),
        "fuel": number(fuel),
        "fuelLimit": number(prices.fuel_limit.0),
        "lock": number(prices.lock()?.0),
        "poolShareBps": number(prices.pool_share.0),
        "protocolFeeBps": number(prices.protocol_fee.0),
        "refund": number(payouts.refund.0),
        "replicasMax": number(prices.replicas_max),
        "tasks": number(prices.tasks),
        "toApp": number(payouts.to_app.0),
        "toDataset": number(payouts.to_dataset.0),
        "toEachWorker": number(payouts.to_each_worker.0),
        "toPool": number(payouts.to_pool.0),
    }))
}
