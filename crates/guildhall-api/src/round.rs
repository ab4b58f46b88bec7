//! The rules of one round as both sides of the interface compute them: its waves, its seats, its weights.
//!
//! A worker must know without asking whether it holds a seat, and the coordinator must know without believing. Pure:
//! whoever uses this brings what the chain says.

use alloy::primitives::{Address, U256};
use guildhall_protocol::confidence::Weighing;
use guildhall_protocol::lot::{LAST_WAVE, Lot, round_id, wave_at, wave_window};
use guildhall_protocol::payouts::{PayoutError, Prices, exposure_units};
use guildhall_protocol::policy::PolicyError;
use guildhall_protocol::terms::TermsError;
use guildhall_protocol::{
    Amount, BondUnits, DealId, Fuel, Odds, Opened, OperatorId, Policy, PoolId, Reputation, RuntimeNumber,
    Secs, Seed, Terms, UnixTime, Weight,
};
use guildhall_service::Coded;

use crate::message::RoundRef;

/// Lines of a round's list, all waves together: what the contract takes.
pub const MAX_LISTED: usize = 63;

/// What the chain says of a worker, as far as seats and weights depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its operator.
    pub operator: OperatorId,
    /// Its pool.
    pub pool: PoolId,
    /// Block of its last change of bond, pool or runtime; a mark above every block when it is not active.
    pub active_from: u64,
    /// Its reputation in the pool.
    pub reputation: Reputation,
    /// Its bond.
    pub bond: BondUnits,
    /// The runtime that it executes.
    pub runtime: RuntimeNumber,
    /// Stake that it can still put at risk.
    pub room: BondUnits,
}

/// Terms that make no round.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoundError {
    /// The batch is not the deal's.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The policy's word is none.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The prices leave their bounds.
    #[error(transparent)]
    Payout(#[from] PayoutError),
}

impl Coded for RoundError {
    fn code(&self) -> &'static str {
        match self {
            Self::Terms(error) => error.code(),
            Self::Policy(error) => error.code(),
            Self::Payout(error) => error.code(),
        }
    }
}

/// One attempt to certify one batch: everything that its seats, waves and odds follow from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Which.
    pub at: RoundRef,
    /// The pool.
    pub pool: PoolId,
    /// Tasks of the batch.
    pub tasks: u32,
    /// What the requester asks for.
    pub policy: Policy,
    /// How claims weigh.
    pub weighing: Weighing,
    /// The draw.
    pub lot: Lot,
    /// The odds to reach in this attempt.
    pub target: Odds,
    /// Where and when it opened.
    pub opened: Opened,
    /// Length of a wave.
    pub patience: Secs,
    /// Last second in which the batch may be certified.
    pub deadline: UnixTime,
    /// Stake that a member must be able to put at risk, whatever fuel is certified and however few agree.
    pub exposure: BondUnits,
}

impl Round {
    /// The round of one attempt at a batch. `opened` is the deal's, or the re-opening's for later attempts.
    ///
    /// # Errors
    /// [`RoundError`] for a batch that the deal does not have, or a policy word that is none.
    pub fn new(
        terms: &Terms,
        batch: u32,
        attempt: u8,
        opened: Opened,
        seed: Seed,
    ) -> Result<Self, RoundError> {
        let (deal, policy) = (terms.deal(), terms.policy()?);
        let tasks = terms.tasks_of(batch)?;
        let prices = Prices::of(terms, tasks, opened.protocol_fee)?;
        let gross = prices.gross(Fuel(terms.fuelLimit.saturating_mul(tasks.into())))?;
        let per_task = U256::from(terms.appPrice) + U256::from(terms.datasetPrice);
        let prices = Amount(per_task * U256::from(tasks));
        let collateral = Amount(U256::from(policy.collateralMin));
        Ok(Self {
            exposure: exposure_units(gross, prices, collateral, policy.replicasMin),
            at: Self::name(deal, batch, attempt, seed),
            pool: terms.pool_id(),
            tasks,
            weighing: Weighing::of(&policy, opened.reputation_step, tasks),
            lot: Lot::new(deal, batch, attempt, seed, &policy, opened.pool_bond),
            target: Lot::target(&policy, attempt),
            patience: opened.patience,
            deadline: UnixTime(terms.deadline),
            opened,
            policy,
        })
    }

    /// The name of a round.
    pub fn name(deal: DealId, batch: u32, attempt: u8, seed: Seed) -> RoundRef {
        RoundRef { id: round_id(deal, batch, attempt, seed), deal, batch, attempt }
    }

    /// How many seats of a wave are taken at most: what the lot wants and the payer pays for; later waves make up for what
    /// went wrong in earlier ones, so theirs double.
    pub fn seats(&self, wave: u8) -> usize {
        let paid = self.lot.want.min(self.policy.replicasMax);
        (usize::from(paid) << wave).min(MAX_LISTED)
    }

    /// Whether so many members filled the seats of wave 0, as whoever turned a seat holder away then said. Where reputation
    /// counts fewer may do, and nobody can tell from outside.
    pub fn is_filled_by(&self, members: usize) -> bool {
        self.policy.countReputation || members >= self.seats(0)
    }

    /// The first wave in which a worker has a seat; nothing where it has none: another pool or runtime, changed since
    /// the opening, or not drawn.
    pub fn seat(&self, worker: Address, standing: &Standing) -> Option<u8> {
        let eligible = standing.pool == self.pool
            && standing.runtime == self.opened.runtime
            && standing.active_from < self.opened.block;
        eligible.then(|| self.lot.first_wave(worker, standing.bond)).flatten()
    }

    /// The weight of a worker's claim made in `wave`.
    pub fn weight(&self, standing: &Standing, wave: u8) -> Weight {
        self.weighing.weight(standing.reputation, wave)
    }

    /// The wave that runs at `now`; nothing before the opening, after the last wave, or after the deadline.
    pub fn wave_at(&self, now: UnixTime) -> Option<u8> {
        if now > self.deadline { None } else { wave_at(self.opened.time, self.patience, now) }
    }

    /// The first second after a wave; the deadline where that comes earlier.
    pub fn wave_end(&self, wave: u8) -> UnixTime {
        match wave_window(self.opened.time, self.patience, wave) {
            Some(window) => window.end.min(self.deadline),
            None => self.deadline,
        }
    }

    /// The first second after the last wave; the deadline where that comes earlier.
    pub fn end(&self) -> UnixTime {
        self.wave_end(LAST_WAVE)
    }
}
