//! What goes wrong in a simulation, and the dice that decide when.

use std::ops::Range;

/// What goes wrong, and how often. Shares are in thousandths.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Messages, and certificates on their way to the chain, that are lost.
    pub lost_permille: u64,
    /// Messages that arrive twice.
    pub twice_permille: u64,
    /// The longest delay, in milliseconds; between zero and this one, messages overtake each other.
    pub latest_ms: u64,
    /// Looks of a worker before which it loses its memory, and as many before which its coordinator does.
    pub restart_permille: u64,
    /// Workers that claim the same lie.
    pub liars: u8,
    /// When nobody reaches the coordinator, in milliseconds from the opening; in vain for an empty range.
    pub gone_ms: Range<u64>,
}

impl Faults {
    /// A plan from a seed: from a calm network to a bad one, with at most `liars` liars; in half of the plans the
    /// coordinator is away for some time, for good in some.
    pub fn from_seed(seed: u64, liars: u8) -> Self {
        // Its own dice, so that a further fault does not change what the others do.
        let mut dice = Dice::new(!seed);
        let mut faults = Self {
            lost_permille: dice.below(300),
            twice_permille: dice.below(300),
            latest_ms: 1 + dice.below(4_000),
            restart_permille: dice.below(60),
            liars: u8::try_from(dice.below(u64::from(liars) + 1)).unwrap_or(liars),
            gone_ms: 0..0,
        };
        if dice.hits(500) {
            let from = dice.below(60_000);
            faults.gone_ms = from..from + dice.below(120_000);
        }
        faults
    }
}

/// Dice that fall the same for the same seed, on every machine and with every release of every library (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`; zero for a bound of zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        if bound == 0 { 0 } else { word % bound }
    }

    /// True in so many of a thousand cases.
    pub const fn hits(&mut self, permille: u64) -> bool {
        self.below(1_000) < permille
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dice_are_splitmix64() {
        // The first outputs for the seed 1234567, as the reference implementation (Vigna, 2015) prints them.
        let mut dice = Dice::new(1_234_567);
        let words = [0; 3].map(|_| dice.below(u64::MAX));
        assert_eq!(words, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
