//! The lot: chances follow stake, grow with the wave, and can't be raised by splitting.

use alloy_primitives::{B256, U256};
use guildhall_protocol::{
    BondUnits, Lot, Policy, Secs, Seed, UnixTime, Weighing,
    confidence::{group, seats_needed, target},
    lot::{has_seat, want, wave_at, wave_window},
};
use proptest::prelude::*;

use crate::samples::{address, words};

/// How many of the 2^192 values of a ticket's high bits are a seat, found by bisection of `has_seat` alone.
fn winning_tickets(want: u8, bond: u64, pool_bond: u64, wave: u8) -> U256 {
    let wins =
        |high: U256| has_seat(B256::from(high << 64usize), want, BondUnits(bond), BondUnits(pool_bond), wave);
    let (mut low, mut high) = (U256::ZERO, U256::ONE << 192usize);
    while low < high {
        let middle = (low + high) >> 1usize;
        if wins(middle) { low = middle + U256::ONE } else { high = middle }
    }
    low
}

proptest! {
    #[test]
    fn a_seat_of_a_wave_is_a_seat_of_the_next(
        ticket in words(), want in 1u8..=48, bond in 0u64..1 << 40, pool in 1u64..1 << 48, wave in 0u8..2,
    ) {
        let seat = |wave| has_seat(ticket, want, BondUnits(bond), BondUnits(pool), wave);
        prop_assert!(!seat(wave) || seat(wave + 1));
    }

    #[test]
    fn more_bond_never_loses_a_seat(
        ticket in words(), want in 1u8..=48, bond in 0u64..1 << 40, more in 0u64..1 << 40, pool in 1u64..1 << 48,
    ) {
        let seat = |bond| has_seat(ticket, want, BondUnits(bond), BondUnits(pool), 0);
        prop_assert!(!seat(bond) || seat(bond + more));
    }

    /// Each part is rounded down, so the parts together never have more winning tickets than the whole.
    #[test]
    fn splitting_a_bond_gains_nothing(
        want in 1u8..=48, a in 1u64..1 << 39, b in 1u64..1 << 39, rest in 0u64..1 << 47, wave in 0u8..=2,
    ) {
        let pool = (a + b + rest) * 256;
        let chance = |bond| winning_tickets(want, bond, pool, wave);
        let (parts, whole) = (chance(a) + chance(b), chance(a + b));
        prop_assert!(parts <= whole);
        prop_assert!(whole - parts <= U256::ONE);
    }

    #[test]
    fn each_wave_doubles_the_chance(want in 1u8..=48, bond in 1u64..1 << 40, factor in 256u64..1 << 20) {
        let chance = |wave| winning_tickets(want, bond, bond * factor, wave);
        let (first, second) = (chance(0), chance(1));
        prop_assert!(second >= first * U256::from(2) && second <= first * U256::from(2) + U256::ONE);
    }

    #[test]
    fn seats_needed_is_the_smallest_group_that_reaches_the_target(
        confidence in 1u32.., faulty in 500u16..=4_900, min in 1u8..=32, more in 0u8..32,
    ) {
        let max = min.saturating_add(more).min(32);
        let policy = Policy { confidence, faultyShareBps: faulty, replicasMin: min, replicasMax: max, ..Policy::default() };
        let goal = target(confidence, 0);
        let seats = seats_needed(&policy, goal);
        prop_assert!((min..=max).contains(&seats));
        let reached = |seats: u8| group((0..seats).map(|_| Weighing::of(&policy, 1, 1).fresh())).0 >= goal.0;
        prop_assert!(reached(seats) || seats == max);
        prop_assert!(seats == min || !reached(seats - 1));
    }

    #[test]
    fn waves_follow_each_other_without_a_gap(opened in 0u64..1 << 40, patience in 1u64..1 << 30, after: u32) {
        let (opened, patience) = (UnixTime(opened), Secs(patience));
        let now = UnixTime(opened.0 + u64::from(after));
        let expected = u64::from(after) / patience.0;
        prop_assert_eq!(wave_at(opened, patience, now).map(u64::from), (expected <= 2).then_some(expected));
        for wave in 0..2 {
            let (this, next) = (wave_window(opened, patience, wave), wave_window(opened, patience, wave + 1));
            prop_assert_eq!(this.map(|window| window.end), next.map(|window| window.start));
        }
        prop_assert_eq!(wave_window(opened, patience, 3), None);
    }
}

#[test]
fn without_stake_there_is_no_seat() {
    let lucky = B256::ZERO;
    assert!(has_seat(lucky, 5, BondUnits(1), BondUnits(u64::MAX), 0));
    assert!(!has_seat(lucky, 5, BondUnits(0), BondUnits(10), 2));
    assert!(!has_seat(lucky, 5, BondUnits(1), BondUnits(0), 0), "an empty pool has no seats");
    assert!(!has_seat(lucky, 5, BondUnits(10), BondUnits(10), 3), "there is no wave 3");
    assert!(
        has_seat(B256::repeat_byte(0xff), 1, BondUnits(10), BondUnits(10), 0),
        "all the stake always has a seat"
    );
}

#[test]
fn a_whole_pool_draws_about_what_it_wants() {
    let policy = Policy { confidence: 64, ..Policy::default() };
    let draws = 200u64;
    let mut seats = 0;
    for draw in 0..draws {
        let seed = Seed(B256::from(U256::from(draw)));
        let lot = Lot::new(B256::repeat_byte(1).into(), 0, 0, seed, &policy, BondUnits(100_000));
        assert_eq!(lot.want, want(3, policy.faultyShareBps));
        let members = (0..100).filter(|&worker| lot.has_seat(address(worker), BondUnits(1_000), 0));
        seats += members.count() as u64;
        for worker in 0..100 {
            let first = lot.first_wave(address(worker), BondUnits(1_000));
            assert_eq!(first == Some(0), lot.has_seat(address(worker), BondUnits(1_000), 0));
        }
    }
    let expected = draws * u64::from(want(3, policy.faultyShareBps));
    assert!(seats.abs_diff(expected) < expected / 5, "{seats} seats, {expected} expected");
}
