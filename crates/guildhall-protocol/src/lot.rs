//! The lot: which workers have a seat in a round, and when its waves are.
//!
//! The chance of a seat is proportional to stake, nobody chooses the draw, and checking one seat costs one hash.
//! Knows nothing of who is bonded or in the pool: the caller brings bonds that stood before the opening block.

use alloy_primitives::{Address, B256, U256, Uint, keccak256};
use alloy_sol_types::SolValue;

use crate::{
    BondUnits, DealId, Odds, RoundId, Secs, Seed, UnixTime,
    confidence::{seats_needed, target},
    orders::Policy,
};

/// Last wave of a round: two doublings of the seats after wave 0.
pub const LAST_WAVE: u8 = 2;
/// Last attempt of a batch: it may be re-opened three times.
pub const LAST_ATTEMPT: u8 = 3;

/// The id of a round: one draw of the lot for one batch.
pub fn round_id(deal: DealId, batch: u32, attempt: u8, seed: Seed) -> RoundId {
    RoundId(keccak256((deal.0, U256::from(batch), U256::from(attempt), seed.0).abi_encode()))
}

/// A worker's ticket in a round.
pub fn ticket(seed: Seed, round: RoundId, worker: Address) -> B256 {
    keccak256((seed.0, round.0, worker).abi_encode())
}

/// Most seats that a lot draws on average in wave 0.
pub const WANT_MAX: u8 = 64;

/// Seats that a lot draws on average in wave 0: `min(64, max(floor((3 m + 1) / 2), floor(m / (1 - 2 f))))`.
///
/// `m` seats reach the target if all agree. Of `n` seats `f n` oppose where the policy's assumption holds, and `n (1 - 2 f)`
/// are left over. The share must be below a half; above, it counts as the highest below it.
pub fn want(seats_needed: u8, faulty_share_bps: u16) -> u8 {
    const HALF: u32 = 5_000;
    let needed = u32::from(seats_needed);
    let against = needed * HALF / HALF.saturating_sub(faulty_share_bps.into()).max(1);
    let seats = against.max((3 * needed).div_ceil(2)).min(WANT_MAX.into());
    u8::try_from(seats).unwrap_or(WANT_MAX)
}

/// Everything that decides on the seats of one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// The round.
    pub round: RoundId,
    /// Its seed.
    pub seed: Seed,
    /// Seats drawn on average in wave 0.
    pub want: u8,
    /// Bond of the pool when the deal opened.
    pub pool_bond: BondUnits,
}

impl Lot {
    /// The lot of one attempt at a batch.
    pub fn new(
        deal: DealId,
        batch: u32,
        attempt: u8,
        seed: Seed,
        policy: &Policy,
        pool_bond: BondUnits,
    ) -> Self {
        let needed = seats_needed(policy, Self::target(policy, attempt));
        let want = want(needed, policy.faultyShareBps);
        Self { round: round_id(deal, batch, attempt, seed), seed, want, pool_bond }
    }

    /// The odds that this attempt has to reach.
    pub fn target(policy: &Policy, attempt: u8) -> Odds {
        target(policy.confidence, attempt)
    }

    /// Whether a worker with this bond may contribute in this wave. A seat of one wave stays a seat in the next.
    pub fn has_seat(&self, worker: Address, bond: BondUnits, wave: u8) -> bool {
        has_seat(ticket(self.seed, self.round, worker), self.want, bond, self.pool_bond, wave)
    }

    /// The first wave in which the worker has a seat, if there is one.
    pub fn first_wave(&self, worker: Address, bond: BondUnits) -> Option<u8> {
        (0..=LAST_WAVE).find(|&wave| self.has_seat(worker, bond, wave))
    }
}

/// Whether this ticket is a seat: `(ticket >> 64) < ((want * bond) << (192 + wave)) / poolBond`, exactly.
pub fn has_seat(ticket: B256, want: u8, bond: BondUnits, pool_bond: BondUnits, wave: u8) -> bool {
    if pool_bond == BondUnits::ZERO || wave > LAST_WAVE {
        return false;
    }
    type U320 = Uint<320, 5>;
    let drawn = U320::from(U256::from_be_bytes(ticket.0) >> 64);
    let stake = U320::from(u128::from(want) * u128::from(bond.0)) << (192 + usize::from(wave));
    drawn < stake / U320::from(pool_bond.0)
}

/// When wave `wave` of a round is: from its first second to the first one after it.
///
/// `opened` is the time of the deal's opening (or of the re-opening), `patience` the length of a wave. `None` beyond the
/// last wave or beyond 64 bits.
pub fn wave_window(opened: UnixTime, patience: Secs, wave: u8) -> Option<core::ops::Range<UnixTime>> {
    if wave > LAST_WAVE {
        return None;
    }
    let start = opened.after(patience.checked_mul(wave.into())?)?;
    Some(start..start.after(patience)?)
}

/// The wave that runs at `now`; `None` before the opening and after the last wave.
pub fn wave_at(opened: UnixTime, patience: Secs, now: UnixTime) -> Option<u8> {
    (0..=LAST_WAVE)
        .find(|&wave| wave_window(opened, patience, wave).is_some_and(|window| window.contains(&now)))
}
