//! Cases of `docs/encoding.md` section 5: weights, groups, opposition, odds, targets.

use anyhow::Result;
use guildhall_protocol::{
    Odds, Reputation, Weight,
    confidence::{self, Weighing},
};
use serde_json::{Value, json};

use super::words::{Chain, number, numbers};

pub(super) fn cases() -> Result<Value> {
    let mut chain = Chain::new("confidence");
    Ok(json!({
        "groups": groups(&mut chain),
        "odds": odds(&mut chain),
        "opposing": opposing(&mut chain),
        "targets": targets(),
        "weights": weights(&mut chain),
    }))
}

fn weights(chain: &mut Chain) -> Value {
    let mut cases = Vec::new();
    for share in [500, 999, 2_000, 2_500, 3_333, 4_900] {
        for wave in 0..=2 {
            for (step, points) in
                [(100, 0), (100, 1), (100, 1_900), (7, 140), (1, u16::MAX), (10_000, 29_999)]
            {
                cases.push(weight(share, true, step, points, wave));
            }
            cases.push(weight(share, false, 100, 300, wave));
        }
    }
    for _ in 0..40 {
        let share = chain.range(500, 4_900) as u16;
        let bits = chain.range(1, 47);
        let (step, points) = (chain.range(1, 1 << bits), chain.bits(16) as u16);
        let (count, wave) = (chain.bits(1) == 1, chain.range(0, 2) as u8);
        cases.push(weight(share, count, step, points, wave));
    }
    cases.into()
}

fn weight(faulty_share_bps: u16, count_reputation: bool, step: u64, points: u16, wave: u8) -> Value {
    let weighing = Weighing { faulty_share_bps, count_reputation, step };
    json!({
        "countReputation": number(u8::from(count_reputation)),
        "faultyShareBps": number(faulty_share_bps),
        "reputation": number(points),
        "step": number(step),
        "wave": number(wave),
        "weight": number(weighing.weight(Reputation(points), wave).0),
    })
}

/// Lists of weights: real ones, and ones at the edge of saturation.
fn lists(chain: &mut Chain) -> Vec<Vec<u128>> {
    let mut lists = vec![
        vec![],
        vec![4_000_000],
        vec![4_000_000; 3],
        vec![4_000_000; 5],
        vec![4_000_000; 32],
        vec![1_040_816; 32],
        vec![79_000_000; 32],
        vec![19_000_000, 1_000_000, 1_500_000, 3_999_999],
        vec![u128::MAX],
        vec![u128::MAX, 2_000_000],
        vec![u128::MAX, u128::MAX],
        vec![0, u128::MAX],
    ];
    for length in 1..=12 {
        lists.push((0..length).map(|_| chain.range(1_000_000, 79_000_000).into()).collect());
    }
    lists
}

fn groups(chain: &mut Chain) -> Value {
    let case = |list: Vec<u128>| {
        let group = confidence::group(list.iter().copied().map(Weight));
        json!({ "group": number(group.0), "weights": numbers(list) })
    };
    lists(chain).into_iter().map(case).collect()
}

fn opposing(chain: &mut Chain) -> Value {
    let lists = lists(chain);
    let pairs = lists.iter().zip(lists.iter().rev());
    let case = |(rivals, silent): (&Vec<u128>, &Vec<u128>)| {
        let weights = |list: &[u128]| list.iter().copied().map(Weight).collect::<Vec<_>>();
        let sum = confidence::opposing(weights(rivals), weights(silent));
        json!({
            "opposing": number(sum.0),
            "rivals": numbers(rivals.iter().copied()),
            "silent": numbers(silent.iter().copied()),
        })
    };
    pairs.map(case).collect()
}

fn odds(chain: &mut Chain) -> Value {
    let edges = [0, 1, 999_999, 1_000_000, 64_000_000, 1_024_000_000, 1 << 64, u128::MAX - 1, u128::MAX];
    let mut pairs: Vec<(u128, u128)> = Vec::new();
    for leading in edges {
        pairs.extend(edges.iter().map(|&opposing| (leading, opposing)));
    }
    pairs.extend((0..24).map(|_| (chain.bits(100), chain.bits(60))));
    let case = |(leading, opposing)| {
        let Odds(odds) = confidence::odds(Weight(leading), Weight(opposing));
        json!({ "leading": number(leading), "odds": number(odds), "opposing": number(opposing) })
    };
    pairs.into_iter().map(case).collect()
}

fn targets() -> Value {
    let mut cases = Vec::new();
    for confidence in [1, 64, 99, 999, 1_000_000, u32::MAX] {
        for attempt in 0..=3u8 {
            let target = confidence::target(confidence, attempt);
            cases.push(json!({
                "attempt": number(attempt),
                "confidence": number(confidence),
                "target": number(target.0),
            }));
        }
    }
    cases.into()
}
