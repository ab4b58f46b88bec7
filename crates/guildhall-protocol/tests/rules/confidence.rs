//! Confidence: odds grow with agreement, shrink with opposition, and never wrap.

use guildhall_protocol::{
    Odds, Policy, Reputation, Weighing, Weight,
    confidence::{group, odds, opposing, target},
    forecast,
};
use proptest::prelude::*;

fn weights() -> impl Strategy<Value = Vec<Weight>> {
    prop::collection::vec((1_000_000u128..100_000_000).prop_map(Weight), 0..33)
}

fn weighings() -> impl Strategy<Value = Weighing> {
    (500u16..=4_900, any::<bool>(), 1u64..=10_000_000).prop_map(
        |(faulty_share_bps, count_reputation, step)| Weighing { faulty_share_bps, count_reputation, step },
    )
}

proptest! {
    #[test]
    fn agreement_never_lowers_the_odds(members in weights(), one in 1_000_000u128.., against: u128) {
        let all = members.iter().copied().chain([Weight(one)]);
        let (before, after) = (group(members.clone()), group(all));
        prop_assert!(odds(after, Weight(against)) >= odds(before, Weight(against)));
    }

    #[test]
    fn opposition_never_raises_the_odds(leading: u128, against in weights(), one: u128) {
        let before = opposing([], against.clone());
        let after = opposing([Weight(one)], against);
        prop_assert!(odds(Weight(leading), after) <= odds(Weight(leading), before));
    }

    /// Hole 3 of the protocol's review: showing dissent as silence must not help.
    #[test]
    fn dissent_shown_as_silence_opposes_as_much(leading: u128, dissenter in 1_000_000u128..100_000_000) {
        let shown = opposing([group([Weight(dissenter)])], []);
        let hidden = opposing([], [Weight(dissenter)]);
        prop_assert_eq!(odds(Weight(leading), shown), odds(Weight(leading), hidden));
    }

    /// Rounding down at each step costs at most one millionth a member, times what is multiplied after it.
    #[test]
    fn the_order_of_a_group_matters_by_rounding_only(mut members in weights()) {
        members.truncate(12);
        let forward = group(members.iter().copied()).0;
        let backward = group(members.iter().rev().copied()).0;
        let allowed = 1 + forward.max(backward) / 1_000_000 * members.len() as u128;
        prop_assert!(forward.abs_diff(backward) <= allowed, "{} {}", forward, backward);
    }

    #[test]
    fn reputation_only_raises_a_weight_and_twenty_times_at_most(weighing in weighings(), a: u16, b: u16, wave in 0u8..=2) {
        let (low, high) = (Reputation(a.min(b)), Reputation(a.max(b)));
        let fresh = weighing.weight(Reputation(0), wave);
        prop_assert!(fresh <= weighing.weight(low, wave));
        prop_assert!(weighing.weight(low, wave) <= weighing.weight(high, wave));
        // (1 - e) / e with e >= f / 20; one more for rounding.
        prop_assert!(weighing.weight(high, wave).0 <= 20 * (fresh.0 + 1_000_001));
        if !weighing.count_reputation {
            prop_assert_eq!(weighing.weight(high, wave), fresh);
        }
    }

    #[test]
    fn later_waves_never_weigh_more_and_never_less_than_nothing(weighing in weighings(), points: u16) {
        let weight = |wave| weighing.weight(Reputation(points), wave);
        prop_assert!(weight(0) >= weight(1) && weight(1) >= weight(2) && weight(2).0 >= 1_000_000);
    }

    #[test]
    fn nothing_panics(share: u16, count: bool, step: u64, points: u16, wave: u8, leading: u128, against: u128) {
        let weighing = Weighing { faulty_share_bps: share, count_reputation: count, step };
        let weight = weighing.weight(Reputation(points), wave);
        let product = group([Weight(leading), weight, Weight(u128::MAX)]);
        odds(product, Weight(against));
        target(u32::MAX, wave);
    }
}

#[test]
fn the_figures_of_the_design() {
    let weighing = Weighing { faulty_share_bps: 2_000, count_reputation: true, step: 100 };
    let fresh = weighing.fresh();
    assert_eq!(fresh, Weight(4_000_000));
    assert_eq!(odds(group([fresh; 3]), Weight::ZERO), Odds::to_one(64));
    assert_eq!(odds(group([fresh; 5]), Weight::ZERO), Odds::to_one(1_024));
    assert_eq!(weighing.weight(Reputation(0), 1), Weight(1_500_000));
    assert_eq!(weighing.weight(Reputation(0), 2), Weight(1_000_000), "0.8 is cut to a half");
    assert_eq!(weighing.weight(Reputation(u16::MAX), 0), Weight(99_000_000), "epsilon is f / 20 at least");
    assert_eq!(target(99, 3), Odds(99 * 64 * 1_000_000));
    let policy = Policy { faultyShareBps: 2_000, countReputation: true, ..Policy::default() };
    let of = |tasks| Weighing::of(&policy, 100, tasks).weight(Reputation(1_900), 0);
    assert_eq!((of(1), of(10)), (Weight(99_000_000), Weight(13_500_000)), "a tenth of it in a batch of ten");
}

#[test]
fn products_saturate() {
    assert_eq!(group([Weight(79_000_000); 32]), Weight::MAX);
    assert_eq!(opposing([Weight::MAX], [Weight::MAX]), Weight::MAX);
    assert_eq!(odds(Weight::MAX, Weight::ZERO), Odds::MAX);
}

#[test]
fn a_forecast_agrees_with_the_closed_form_where_there_is_one() {
    // One seat decides: always one execution, wrong with the faulty share.
    let single = Policy { confidence: 4, replicasMin: 1, ..Policy::default() };
    let one = forecast(&single, target(4, 0));
    assert_eq!((one.executions_milli, one.undecided_ppm, one.wrong_ppm), (1_000, 0, 200_000));
    // 3 of 3 at most: certified only if all three agree, wrong if all three are.
    let three = Policy { confidence: 64, replicasMin: 3, replicasMax: 3, ..Policy::default() };
    let all = forecast(&three, target(64, 0));
    assert_eq!((all.executions_milli, all.wrong_ppm, all.undecided_ppm), (3_000, 8_000, 480_000));
}

#[test]
fn more_confidence_takes_more_executions() {
    let expected = |confidence| {
        let policy = Policy { confidence, replicasMin: 1, replicasMax: 32, ..Policy::default() };
        forecast(&policy, target(confidence, 0))
    };
    let (low, high) = (expected(64), expected(1_024));
    assert!(
        low.executions_milli < high.executions_milli && high.executions_milli < 10_000,
        "{low:?} {high:?}"
    );
    assert!(low.wrong_ppm > high.wrong_ppm);
}
