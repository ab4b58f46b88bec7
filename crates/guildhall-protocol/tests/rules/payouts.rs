//! Payouts: whatever is locked is paid, refunded or burnt, to the last unit.

use alloy_primitives::U256;
use guildhall_protocol::{
    Amount, Bps, Fuel, Prices,
    payouts::{PayoutError, deal_lock, escrow, exposure_units, reputation_points, slash_units},
    units::BOND_UNIT_WEI,
};
use proptest::prelude::*;

fn prices() -> impl Strategy<Value = Prices> {
    let money = (0u128..1 << 60, 0u128..1 << 90, 0u128..1 << 90);
    let size = (1u32..10_000, 0u64..1 << 44, 1u8..=32);
    (money, size, 0u16..=9_000, 0u16..=1_000).prop_map(|(money, size, pool, protocol)| Prices {
        tasks: size.0,
        fuel_limit: Fuel(size.1),
        fee_per_mfuel: Amount(U256::from(money.0)),
        app_price: Amount(U256::from(money.1)),
        dataset_price: Amount(U256::from(money.2)),
        replicas_max: size.2,
        pool_share: Bps(pool),
        protocol_fee: Bps(protocol),
    })
}

fn limit(prices: &Prices) -> u64 {
    prices.fuel_limit.0 * u64::from(prices.tasks)
}

proptest! {
    #[test]
    fn what_is_locked_is_paid_or_refunded(prices in prices(), agreeing: u8, used in 0u32..=1_000) {
        let fuel = Fuel((u128::from(limit(&prices)) * u128::from(used) / 1_000) as u64);
        let payouts = prices.payouts(agreeing, fuel).unwrap();
        prop_assert_eq!(payouts.total(), Some(prices.lock().unwrap()));
        prop_assert_eq!(payouts.paid_seats, agreeing.min(prices.replicas_max));
    }

    #[test]
    fn fuel_beyond_what_was_locked_is_refused(prices in prices()) {
        prop_assume!(prices.fee_per_mfuel.0 > U256::from(2_000_000));
        let fuel = Fuel(limit(&prices) + 1_000_000);
        let refused = prices.payouts(prices.replicas_max, fuel);
        let over = matches!(refused, Err(PayoutError::OverLock { .. }));
        prop_assert!(over, "{:?}", refused);
    }

    #[test]
    fn a_deal_locks_the_sum_of_its_batches(prices in prices(), count in 1u32..5_000, size in 1u32..500) {
        let batch = |tasks| Prices { tasks, ..prices }.lock().unwrap();
        let mut sum = Amount::ZERO;
        let mut left = count;
        while left > 0 {
            let tasks = left.min(size);
            sum = sum.checked_add(batch(tasks)).unwrap();
            left -= tasks;
        }
        prop_assert_eq!(deal_lock(&prices, count, size), Ok(sum));
    }

    #[test]
    fn escrow_is_split_to_the_last_unit(slashed: u128, extra: u8, gross: u128, winners: u8) {
        let (slashed, gross) = (Amount(U256::from(slashed)), Amount(U256::from(gross)));
        let split = escrow(slashed, extra, gross, winners);
        let shared = split.to_each_winner.checked_mul(U256::from(winners)).unwrap();
        let all = split.burnt.checked_add(split.to_payer).and_then(|sum| sum.checked_add(shared));
        prop_assert_eq!(all, Some(slashed));
        prop_assert!(split.burnt.0 * U256::from(5) >= slashed.0, "a fifth at least is burnt");
    }

    #[test]
    fn no_audit_earns_more_than_one_step_whatever_it_brought(cut: u128, more: u64, step in 1u16..=10_000) {
        let points = |cut: u128| reputation_points(Amount(U256::from(cut)), step).0;
        prop_assert!(points(cut) <= step);
        prop_assert!(points(cut) <= points(cut.saturating_add(more.into())));
        prop_assert!(u128::from(points(cut)) * u128::from(BOND_UNIT_WEI) <= cut);
    }

    #[test]
    fn at_risk_is_at_least_what_was_gained(gross in 0u128..1 << 80, prices: u64, collateral in 0u128..1 << 80, agreeing in 1u8..=32) {
        let amount = |value: u128| Amount(U256::from(value));
        let units = exposure_units(amount(gross), amount(prices.into()), amount(collateral), agreeing);
        let (each, members) = (units.to_amount().0, U256::from(agreeing));
        prop_assert!(each >= U256::from(gross) * U256::from(2), "fee and juror's fee");
        prop_assert!(each * members >= U256::from(collateral));
        prop_assert!(slash_units(amount(gross)).to_amount().0 >= U256::from(gross) * U256::from(2));
        prop_assert!(slash_units(amount(gross)).0 >= 1, "being wrong is never free");
    }
}

#[test]
fn nothing_certified_refunds_everything() {
    let prices = Prices {
        tasks: 3,
        fuel_limit: Fuel(1_000_001),
        fee_per_mfuel: Amount(U256::from(7)),
        app_price: Amount::ZERO,
        dataset_price: Amount::ZERO,
        replicas_max: 4,
        pool_share: Bps(1_000),
        protocol_fee: Bps(100),
    };
    // 3 * 1,000,001 * 7 / 1e6 = 21.000021, rounded up, four times.
    assert_eq!(prices.lock(), Ok(Amount(U256::from(88))));
    let none = prices.payouts(0, Fuel(3_000_003)).unwrap();
    assert_eq!(none.refund, prices.lock().unwrap());
    assert_eq!(none.to_pool, Amount::ZERO);
}

#[test]
fn absurd_amounts_are_errors_not_panics() {
    let absurd = Prices {
        tasks: u32::MAX,
        fuel_limit: Fuel::MAX,
        fee_per_mfuel: Amount::MAX,
        app_price: Amount::MAX,
        dataset_price: Amount::MAX,
        replicas_max: u8::MAX,
        pool_share: Bps::MAX,
        protocol_fee: Bps::MAX,
    };
    assert_eq!(absurd.lock().unwrap_err().code(), "payouts.overflow");
    assert_eq!(absurd.payouts(1, Fuel(1)).unwrap_err().code(), "payouts.overflow");
    assert_eq!(deal_lock(&absurd, u32::MAX, 7).unwrap_err().code(), "payouts.overflow");
    let shares = Prices {
        fee_per_mfuel: Amount(U256::from(9)),
        app_price: Amount::ZERO,
        dataset_price: Amount::ZERO,
        ..absurd
    };
    assert_eq!(shares.payouts(1, Fuel(1_000_000)).unwrap_err().code(), "payouts.over_lock");
}
