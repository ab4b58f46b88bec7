//! What the members of a round have said so far, weighed as the contract will weigh it.
//!
//! Pure. Knows nothing of seats and signatures: whoever is counted was checked before.

use guildhall_api::Claim;
use guildhall_protocol::confidence::{group, odds, opposing};
use guildhall_protocol::{Odds, Weight};

/// What one listed member has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// It showed this claim.
    Claims(Claim),
    /// It committed and has not shown its claim, or lost its seat: opposes whatever is claimed.
    Silent,
    /// It could not get the bytes: opposes too.
    Unavailable,
}

/// One claim and who stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The claim.
    pub claim: Claim,
    /// The product of its members' weights, in list order.
    pub weight: Weight,
    /// Its members; each is of another operator.
    pub members: usize,
}

/// All voices of a round, weighed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The claims, the heaviest first; equal ones in the order of the claim, so that everybody picks the same.
    pub groups: Vec<Group>,
    silent: Vec<Weight>,
    unavailable: Vec<Weight>,
}

impl Tally {
    /// Weighs the voices, given in list order: by wave, then by worker.
    pub fn of(voices: impl IntoIterator<Item = (Weight, Voice)>) -> Self {
        let mut claims: Vec<(Claim, Vec<Weight>)> = Vec::new();
        let (mut unavailable, mut silent) = (Vec::new(), Vec::new());
        for (weight, voice) in voices {
            match voice {
                Voice::Claims(claim) => match claims.iter_mut().find(|(known, _)| *known == claim) {
                    Some((_, weights)) => weights.push(weight),
                    None => claims.push((claim, vec![weight])),
                },
                Voice::Silent => silent.push(weight),
                Voice::Unavailable => unavailable.push(weight),
            }
        }
        let mut groups: Vec<_> = claims
            .into_iter()
            .map(|(claim, weights)| Group { claim, members: weights.len(), weight: group(weights) })
            .collect();
        groups.sort_by(|a, b| b.weight.cmp(&a.weight).then(a.claim.cmp(&b.claim)));
        Self { groups, silent, unavailable }
    }

    /// The odds of the leading claim; zero before there is one.
    pub fn odds(&self) -> Odds {
        let Some((leading, rivals)) = self.groups.split_first() else { return Odds::ZERO };
        let quiet = self.silent.iter().chain(&self.unavailable).copied();
        odds(leading.weight, opposing(rivals.iter().map(|rival| rival.weight), quiet))
    }

    /// The odds that the bytes were withheld: the unavailable against everybody else.
    pub fn odds_of_withholding(&self) -> Odds {
        if self.unavailable.is_empty() {
            return Odds::ZERO;
        }
        let claims = self.groups.iter().map(|claim| claim.weight);
        odds(group(self.unavailable.iter().copied()), opposing(claims, self.silent.iter().copied()))
    }

    /// Whether the leading claim would make a certificate.
    pub fn certifies(&self, target: Odds, operators: u8) -> bool {
        let members = self.groups.first().map_or(0, |leading| leading.members);
        members >= usize::from(operators) && self.odds() >= target
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;
    use guildhall_protocol::Fuel;

    use super::*;

    const FRESH: Weight = Weight(4_000_000);

    fn claim(byte: u8) -> Claim {
        Claim { root: B256::repeat_byte(byte), fuel: Fuel(1) }
    }

    fn tally(voices: &[Voice]) -> Tally {
        Tally::of(voices.iter().map(|&voice| (FRESH, voice)))
    }

    #[test]
    fn three_fresh_seats_are_64_and_five_are_1024() {
        assert_eq!(tally(&[Voice::Claims(claim(1)); 3]).odds(), Odds::to_one(64));
        assert_eq!(tally(&[Voice::Claims(claim(1)); 5]).odds(), Odds::to_one(1024));
        assert_eq!(tally(&[]).odds(), Odds::ZERO);
    }

    #[test]
    fn silence_opposes_like_dissent() {
        let dissent = [[Voice::Claims(claim(1)); 4].as_slice(), &[Voice::Claims(claim(2))]].concat();
        let silence = [[Voice::Claims(claim(1)); 4].as_slice(), &[Voice::Silent]].concat();
        assert_eq!(tally(&dissent).odds(), tally(&silence).odds());
        assert_eq!(tally(&dissent).odds(), Odds(256_000_000 / 5));
        assert!(!tally(&dissent).certifies(Odds::to_one(99), 3));
        assert!(tally(&dissent).certifies(Odds::to_one(51), 4));
        assert!(!tally(&dissent).certifies(Odds::to_one(51), 5), "too few operators");
    }

    #[test]
    fn the_heaviest_claim_leads_whatever_the_order() {
        let mut voices = vec![Voice::Claims(claim(9)), Voice::Claims(claim(1)), Voice::Claims(claim(9))];
        for _ in 0..3 {
            voices.rotate_left(1);
            assert_eq!(tally(&voices).groups[0].claim, claim(9));
        }
    }

    #[test]
    fn withheld_bytes_prevail_only_against_little_opposition() {
        let mut voices = vec![Voice::Unavailable; 3];
        assert_eq!(tally(&voices).odds_of_withholding(), Odds::to_one(64));
        voices.push(Voice::Claims(claim(1)));
        assert_eq!(tally(&voices).odds_of_withholding(), Odds(64_000_000 / 5));
        assert_eq!(tally(&voices).odds(), Odds(4_000_000 / 13));
    }
}
