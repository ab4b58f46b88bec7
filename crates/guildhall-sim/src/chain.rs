//! The chain of one round, as its contracts judge it: the log of what workers put there themselves, and the certificate.
//!
//! Written from PROTOCOL's rules and not from the contracts' client, so that what the roles post is judged by something that
//! they do not share. Knows nothing of stake, money and signatures.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, keccak256};
use guildhall_api::{Claim, Outcome, Round, Standing};
use guildhall_chain::SubmittedEntry;
use guildhall_protocol::{
    LogItem, Odds, UnixTime, Weight,
    confidence::{group, odds, opposing},
    messages::commitment,
};

/// One round on chain.
#[derive(Debug)]
pub struct SimulatedChain {
    round: Round,
    standing: BTreeMap<Address, Standing>,
    log: Vec<LogItem>,
    outcome: Option<Outcome>,
}

/// Why the contracts do not take something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The round is over.
    Over,
    /// No wave is open.
    NoWave,
    /// The lot did not draw this worker in the wave that is open.
    NoSeat(Address),
    /// No commitment of this worker stands there.
    NotCommitted(Address),
    /// The claim does not open the commitment.
    WrongOpening(Address),
    /// A member is named twice.
    Twice(Address),
    /// Somebody showed a claim on chain, and is posted as silent or with another one.
    Contradicts(Address),
    /// The odds, or the operators, are too few.
    TooFew(Odds),
}

impl SimulatedChain {
    /// A chain on which a round has opened.
    pub fn new(round: Round, standing: BTreeMap<Address, Standing>) -> Self {
        Self { round, standing, log: Vec::new(), outcome: None }
    }

    /// What stands there for the round.
    pub fn log(&self) -> &[LogItem] {
        &self.log
    }

    /// How the round ended, when it did.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// How many of those that committed there come before this worker.
    pub fn before(&self, worker: Address) -> u32 {
        let committed = self.log.iter().filter_map(|item| match *item {
            LogItem::Commitment { worker, .. } => Some(worker),
            LogItem::Reveal { .. } => None,
        });
        committed.take_while(|known| *known != worker).count() as u32
    }

    /// Takes a commitment; the same one again changes nothing.
    ///
    /// # Errors
    /// [`Rejection`].
    pub fn commit(&mut self, worker: Address, commitment: B256, now: UnixTime) -> Result<(), Rejection> {
        self.check_open()?;
        if self.committed(worker).is_some() {
            return Ok(());
        }
        let wave = self.round.wave_at(now).ok_or(Rejection::NoWave)?;
        let standing = self.standing.get(&worker).ok_or(Rejection::NoSeat(worker))?;
        if self.round.seat(worker, standing).is_none_or(|first| first > wave) {
            return Err(Rejection::NoSeat(worker));
        }
        let operator = standing.operator;
        self.log.push(LogItem::Commitment { worker, operator, wave, commitment });
        Ok(())
    }

    /// Takes what opens a commitment; the same one again changes nothing.
    ///
    /// # Errors
    /// [`Rejection`].
    pub fn reveal(&mut self, worker: Address, claim: Claim, own_trace_root: B256) -> Result<(), Rejection> {
        self.check_open()?;
        let (_, committed) = self.committed(worker).ok_or(Rejection::NotCommitted(worker))?;
        if commitment(worker, self.round.at.id, claim.root, claim.fuel, own_trace_root) != committed {
            return Err(Rejection::WrongOpening(worker));
        }
        if self.revealed(worker).is_none() {
            self.log.push(LogItem::Reveal { worker, fuel: claim.fuel, root: claim.root, own_trace_root });
        }
        Ok(())
    }

    /// Takes a certificate of the claim in front, judged from the posted entries and what stands on chain.
    ///
    /// # Errors
    /// [`Rejection`]; nothing changed then.
    pub fn certify(&mut self, claims: &[Claim], entries: &[SubmittedEntry]) -> Result<Outcome, Rejection> {
        self.check_open()?;
        let voices = self.voices(claims, entries)?;
        let leading = claims.first().ok_or(Rejection::TooFew(Odds::ZERO))?;
        let weights = |claim: Option<Claim>| -> Vec<Weight> {
            voices.values().filter(|voice| voice.1 == claim).map(|voice| voice.0).collect()
        };
        let rivals =
            claims.iter().filter(|claim| *claim != leading).map(|claim| group(weights(Some(*claim))));
        let (agreeing, silent) = (weights(Some(*leading)), weights(None));
        let operators = agreeing.len();
        let found = odds(group(agreeing), opposing(rivals, silent));
        if found < self.round.target || operators < usize::from(self.round.policy.replicasMin) {
            return Err(Rejection::TooFew(found));
        }
        let outcome = Outcome::Certified {
            claim: *leading,
            odds: found,
            transaction: keccak256("the transaction that certified"),
        };
        self.outcome = Some(outcome.clone());
        Ok(outcome)
    }

    /// Everybody's weight and claim; nothing for the silent.
    fn voices(
        &self,
        claims: &[Claim],
        entries: &[SubmittedEntry],
    ) -> Result<BTreeMap<Address, (Weight, Option<Claim>)>, Rejection> {
        let mut voices = BTreeMap::new();
        for entry in entries {
            let (worker, number) = (entry.word.worker, entry.word.claim);
            // The numbers of the silent are beyond those of claims.
            let claim = claims.get(usize::from(number)).copied();
            if self.revealed(worker).is_some_and(|shown| Some(shown) != claim) {
                return Err(Rejection::Contradicts(worker));
            }
            let weight = self.weight(worker, entry.word.wave)?;
            if voices.insert(worker, (weight, claim)).is_some() {
                return Err(Rejection::Twice(worker));
            }
        }
        for item in &self.log {
            if let LogItem::Commitment { worker, wave, .. } = *item
                && !voices.contains_key(&worker)
            {
                voices.insert(worker, (self.weight(worker, wave)?, self.revealed(worker)));
            }
        }
        Ok(voices)
    }

    fn weight(&self, worker: Address, wave: u8) -> Result<Weight, Rejection> {
        let standing = self.standing.get(&worker).ok_or(Rejection::NoSeat(worker))?;
        Ok(self.round.weight(standing, wave))
    }

    fn check_open(&self) -> Result<(), Rejection> {
        if self.outcome.is_some() { Err(Rejection::Over) } else { Ok(()) }
    }

    fn committed(&self, worker: Address) -> Option<(u8, B256)> {
        self.log.iter().find_map(|item| match *item {
            LogItem::Commitment { worker: known, wave, commitment, .. } if known == worker => {
                Some((wave, commitment))
            }
            _ => None,
        })
    }

    fn revealed(&self, worker: Address) -> Option<Claim> {
        self.log.iter().find_map(|item| match *item {
            LogItem::Reveal { worker: known, root, fuel, .. } if known == worker => {
                Some(Claim { root, fuel })
            }
            _ => None,
        })
    }
}
