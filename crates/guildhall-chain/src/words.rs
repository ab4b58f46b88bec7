//! What the Workforce packs into words, unpacked: workers and pools. Layout: `contracts/src/types/Workers.sol`.
//!
//! Pure: knows nothing of how the words were read.

use alloy::primitives::{Address, B256, U256};
use guildhall_protocol::{BondUnits, Bps, OperatorId, PoolId, Reputation, RuntimeNumber, UnixTime};

/// Length of an exposure bucket: the longest time that stake is at risk, in seconds.
pub const RISK_PERIOD_SECS: u64 = 5 * 24 * 3_600;
/// Marks in a worker's `activeFrom`, above every block number.
const EXPELLED: u32 = u32::MAX - 2;
const LEAVING: u32 = u32::MAX - 1;
const DORMANT: u32 = u32::MAX;

/// Whether a worker can have seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// In rounds of deals that opened after this block.
    Since(u64),
    /// Not: slashed for a proven fault, for ever.
    Expelled,
    /// Not: on its way out, or out.
    Leaving,
    /// Not: it missed its seats, until it wakes itself.
    Dormant,
}

/// A worker as the chain has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its operator, for life.
    pub operator: OperatorId,
    /// Its pool.
    pub pool: PoolId,
    /// Since when it can have seats.
    pub activity: Activity,
    /// Points earned in this pool.
    pub reputation: Reputation,
    /// Its bond.
    pub bond: BondUnits,
    /// Evidence kinds that its key has proven (bitmap).
    pub evidence: u8,
    /// What it executes.
    pub runtime: RuntimeNumber,
    exposure_now: u64,
    exposure_previous: u64,
    bucket: u16,
}

impl Worker {
    /// Reads a worker's word; `None` when nobody has registered the key.
    pub fn unpack(word: U256) -> Option<Self> {
        let operator = bits(word, 0, 32) as u32;
        if operator == 0 {
            return None;
        }
        let activity = match bits(word, 56, 32) as u32 {
            EXPELLED => Activity::Expelled,
            LEAVING => Activity::Leaving,
            DORMANT => Activity::Dormant,
            block => Activity::Since(block.into()),
        };
        Some(Self {
            operator: OperatorId(operator),
            pool: PoolId(bits(word, 32, 24) as u32),
            activity,
            reputation: Reputation(bits(word, 88, 16) as u16),
            bond: BondUnits(bits(word, 104, 40)),
            exposure_now: bits(word, 144, 40),
            exposure_previous: bits(word, 184, 40),
            bucket: bits(word, 224, 16) as u16,
            evidence: bits(word, 240, 8) as u8,
            runtime: RuntimeNumber(bits(word, 248, 8) as u8),
        })
    }

    /// Stake at risk at `now` behind certificates that may still be disputed.
    pub fn exposure(&self, now: UnixTime) -> BondUnits {
        let bucket = (now.get() / RISK_PERIOD_SECS) as u16;
        BondUnits(if bucket == self.bucket {
            self.exposure_now.saturating_add(self.exposure_previous)
        } else if bucket == self.bucket.wrapping_add(1) {
            self.exposure_now
        } else {
            0
        })
    }

    /// What may still be put at risk at `now`: half the bond, rounded down, less the exposure.
    pub fn room(&self, now: UnixTime) -> BondUnits {
        BondUnits(self.bond.get() / 2).saturating_sub(self.exposure(now))
    }

    /// Whether it can have a seat in a round of a deal that opened in `opening_block`.
    pub fn seatable(&self, opening_block: u64) -> bool {
        matches!(self.activity, Activity::Since(block) if block < opening_block)
    }
}

/// A pool as the chain has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Who owns it.
    pub owner: Address,
    /// Bond of its active workers.
    pub bond: BondUnits,
    /// Nonce of its orders.
    pub nonce: u32,
    /// Its share of the work fee.
    pub share: Bps,
    /// Whether operators need an invitation.
    pub invitation: bool,
    /// Whether it takes no deals any more.
    pub closing: bool,
}

impl Pool {
    /// Reads a pool's word; `None` when there is no such pool.
    pub fn unpack(word: U256) -> Option<Self> {
        let owner = Address::from_word(B256::from(word & ((U256::ONE << 160) - U256::ONE)));
        (!owner.is_zero()).then(|| Self {
            owner,
            bond: BondUnits(bits(word, 160, 40)),
            nonce: bits(word, 200, 32) as u32,
            share: Bps(bits(word, 232, 16) as u16),
            invitation: word.bit(248),
            closing: word.bit(249),
        })
    }
}

/// `width` bits of a word from bit `from` on; `width` is below 64.
fn bits(word: U256, from: usize, width: usize) -> u64 {
    (word >> from).as_limbs()[0] & ((1 << width) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(fields: &[(u64, usize)]) -> U256 {
        fields.iter().fold(U256::ZERO, |word, (value, at)| word | (U256::from(*value) << *at))
    }

    #[test]
    fn a_worker_is_unpacked_field_by_field() {
        let fields = [
            (7, 0),
            (9, 32),
            (1_000, 56),
            (12, 88),
            (500, 104),
            (60, 144),
            (40, 184),
            (3, 224),
            (5, 240),
            (2, 248),
        ];
        let worker = Worker::unpack(word(&fields)).expect("registered");
        assert_eq!((worker.operator, worker.pool), (OperatorId(7), PoolId(9)));
        assert_eq!((worker.bond, worker.reputation), (BondUnits(500), Reputation(12)));
        assert_eq!((worker.evidence, worker.runtime), (5, RuntimeNumber(2)));
        assert!(worker.seatable(1_001) && !worker.seatable(1_000));
    }

    #[test]
    fn exposure_fades_bucket_by_bucket() {
        let worker =
            Worker::unpack(word(&[(7, 0), (500, 104), (60, 144), (40, 184), (3, 224)])).expect("registered");
        let at = |bucket: u64| UnixTime(bucket * RISK_PERIOD_SECS);
        let exposure = |bucket| worker.exposure(at(bucket)).get();
        assert_eq!((exposure(3), exposure(4), exposure(5)), (100, 60, 0));
        assert_eq!(worker.room(at(3)), BondUnits(150));
    }

    #[test]
    fn marks_are_no_seats() {
        for (mark, activity) in
            [(DORMANT, Activity::Dormant), (LEAVING, Activity::Leaving), (EXPELLED, Activity::Expelled)]
        {
            let worker = Worker::unpack(word(&[(7, 0), (mark.into(), 56)])).expect("registered");
            assert_eq!(worker.activity, activity);
            assert!(!worker.seatable(u64::MAX));
        }
    }

    #[test]
    fn nothing_is_nobody() {
        assert_eq!(Worker::unpack(U256::ZERO), None);
        assert_eq!(Pool::unpack(U256::ZERO), None);
    }

    #[test]
    fn a_pool_is_unpacked_field_by_field() {
        let owner = Address::repeat_byte(0xab);
        let packed =
            U256::from_be_slice(owner.as_slice()) | word(&[(500, 160), (3, 200), (250, 232), (1, 248)]);
        let pool = Pool::unpack(packed).expect("there");
        let expected =
            Pool { owner, bond: BondUnits(500), nonce: 3, share: Bps(250), invitation: true, closing: false };
        assert_eq!(pool, expected);
    }
}
