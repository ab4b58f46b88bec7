//! Cases of `docs/encoding.md` section 3: rounds, tickets, seats needed, seats, lengths of waves.

use alloy_primitives::{B256, U256};
use anyhow::Result;
use guildhall_protocol::{BondUnits, DealId, Fuel, Parameters, Policy, Secs, Seed, confidence, lot};
use serde_json::{Value, json};

use super::words::{Chain, address, number, word};

pub(super) fn cases() -> Result<Value> {
    let mut chain = Chain::new("lot");
    Ok(json!({
        "needed": needed(&mut chain),
        "patience": patience(&mut chain),
        "rounds": rounds(&mut chain),
        "seats": seats(&mut chain),
        "tickets": tickets(&mut chain),
    }))
}

fn rounds(chain: &mut Chain) -> Value {
    let mut places = vec![(0, 0), (1, 0), (0, 1), (u32::MAX, u8::MAX)];
    places.extend((0..12).map(|_| (chain.bits(32) as u32, chain.range(0, 3) as u8)));
    let mut case = |(batch, attempt)| {
        let (deal, seed) = (DealId(chain.word()), Seed(chain.word()));
        json!({
            "attempt": number(attempt),
            "batch": number(batch),
            "dealId": word(deal.0),
            "roundId": word(lot::round_id(deal, batch, attempt, seed).0),
            "seed": word(seed.0),
        })
    };
    places.into_iter().map(&mut case).collect()
}

fn tickets(chain: &mut Chain) -> Value {
    let mut case = |_| {
        let (round, seed, worker) = (chain.word().into(), Seed(chain.word()), chain.address());
        json!({
            "roundId": word(B256::from(round)),
            "seed": word(seed.0),
            "ticket": word(lot::ticket(seed, round, worker)),
            "worker": address(worker),
        })
    };
    (0..16).map(&mut case).collect()
}

fn needed(chain: &mut Chain) -> Value {
    let mut policies = vec![
        (64, 2_000, 3, 8),
        (65, 2_000, 3, 8),
        (999, 2_000, 3, 8),
        (1_024, 2_000, 1, 32),
        (1_025, 2_000, 1, 32),
        (1, 500, 1, 32),
        (u32::MAX, 4_900, 1, 32),
        (u32::MAX, 500, 32, 32),
        (99, 4_900, 5, 5),
    ];
    policies.extend((0..32).map(|_| {
        let low = chain.range(1, 32) as u8;
        let confidence = chain.bits(32) as u32 >> chain.range(0, 31);
        (confidence.max(1), chain.range(500, 4_900) as u16, low, chain.range(low.into(), 32) as u8)
    }));
    let mut cases = Vec::new();
    for (confidence, faulty, min, max) in policies {
        for attempt in [0, 3] {
            cases.push(need(confidence, faulty, min, max, attempt));
        }
    }
    cases.into()
}

fn need(confidence: u32, faulty: u16, min: u8, max: u8, attempt: u8) -> Value {
    let policy = Policy {
        confidence,
        faultyShareBps: faulty,
        replicasMin: min,
        replicasMax: max,
        ..Policy::default()
    };
    let seats = confidence::seats_needed(&policy, confidence::target(confidence, attempt));
    json!({
        "attempt": number(attempt),
        "confidence": number(confidence),
        "faultyShareBps": number(faulty),
        "replicasMax": number(max),
        "replicasMin": number(min),
        "seatsNeeded": number(seats),
        "want": number(lot::want(seats, faulty)),
    })
}

/// Bonds as the contracts hold them (40 bits); tickets around the threshold of each.
fn seats(chain: &mut Chain) -> Value {
    const MOST: u64 = (1 << 40) - 1;
    let mut stakes =
        vec![(5, 0, 1_000), (5, 1, 0), (0, 1, 1), (1, 1, 1), (48, MOST, 1), (48, MOST, MOST), (1, 1, MOST)];
    stakes.extend((0..24).map(|_| {
        let bond = chain.range(1, 1_000_000);
        (chain.range(1, 48) as u8, bond, bond * chain.range(1, 500))
    }));
    let mut cases = Vec::new();
    for (want, bond, pool_bond) in stakes {
        for wave in 0..=lot::LAST_WAVE {
            for ticket in around(want, bond, pool_bond, wave) {
                cases.push(seat(ticket, want, bond, pool_bond, wave));
            }
            cases.push(seat(chain.word(), want, bond, pool_bond, wave));
        }
    }
    cases.into()
}

/// The last ticket with a seat and the first without, where there are such.
fn around(want: u8, bond: u64, pool_bond: u64, wave: u8) -> Vec<B256> {
    let share = U256::from(u128::from(want) * u128::from(bond)) << (192 + usize::from(wave));
    let threshold = share.checked_div(U256::from(pool_bond)).unwrap_or_default();
    let most = U256::MAX >> 64usize;
    let below = threshold.checked_sub(U256::ONE);
    [below, Some(threshold)].into_iter().flatten().map(|high| B256::from(high.min(most) << 64usize)).collect()
}

fn seat(ticket: B256, want: u8, bond: u64, pool_bond: u64, wave: u8) -> Value {
    let seat = lot::has_seat(ticket, want, BondUnits(bond), BondUnits(pool_bond), wave);
    json!({
        "bond": number(bond),
        "poolBond": number(pool_bond),
        "seat": number(u8::from(seat)),
        "ticket": word(ticket),
        "want": number(want),
        "wave": number(wave),
    })
}

fn patience(chain: &mut Chain) -> Value {
    let mut batches =
        vec![(1, 1), (1_000_000_000, 1), (1_000_000_001, 1), (1_000_000_000, 1_000), (u64::MAX, 1)];
    batches.extend((0..8).map(|_| (chain.bits(44) as u64, chain.range(1, 4_096) as u32)));
    let mut case = |(fuel, batch_size)| {
        let parameters = Parameters {
            patience_base_secs: Secs(chain.range(1, 3_600)),
            fuel_per_sec: Fuel(chain.range(1_000_000, 10_000_000_000)),
            ..Parameters::default()
        };
        json!({
            "batchSize": number(batch_size),
            "fuelLimit": number(fuel),
            "fuelPerSec": number(parameters.fuel_per_sec.0),
            "patienceBaseSecs": number(parameters.patience_base_secs.0),
            "patienceSecs": number(parameters.patience(Fuel(fuel), batch_size).0),
        })
    };
    batches.into_iter().map(&mut case).collect()
}
