//! What a policy costs on a pool now: expected executions, price, time, and the three promises with their assumptions.
//!
//! The promises are exact; price and time are estimates and say so. Knows nothing of how pool and prices were read.

use alloy::primitives::U256;
use guildhall_protocol::{
    Amount, BondUnits, Fuel, Lot, Odds, Parameters, Policy, Prices, Secs, Weighing,
    cases::AUDITED_OF,
    confidence::{group, seats_needed},
    forecast::forecast,
    lot::want,
    payouts::{PayoutError, deal_lock},
    policy::PolicyError,
};
use guildhall_service::Coded;
use serde::Serialize;

use crate::shown::{show_odds, show_seconds, show_tokens};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// No deal can have such a policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Sums beyond any token.
    #[error(transparent)]
    Payout(#[from] PayoutError),
}

impl Coded for QuoteError {
    fn code(&self) -> &'static str {
        match self {
            Self::Policy(error) => error.code(),
            Self::Payout(error) => error.code(),
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// What the certificate must promise.
    pub policy: Policy,
    /// Tasks of the deal.
    pub tasks: u32,
    /// Tasks that are certified together.
    pub batch_size: u32,
    /// Limit of one execution.
    pub fuel_limit: Fuel,
    /// What one execution is expected to use: the limit, if nothing is known.
    pub fuel_expected: Fuel,
}

/// Who would do the work.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PoolNow {
    /// Active workers.
    pub workers: u32,
    /// Their operators.
    pub operators: u32,
    /// Their bonds together.
    pub bond: BondUnits,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Quote {
    /// Operators that must agree when nobody dissents.
    pub operators_needed: u8,
    /// Seats that the lot draws on average in the first wave.
    pub seats_wanted: u8,
    /// Executions of each task to expect, in thousandths, if the assumed share of faulty stake is the real one.
    pub executions_expected_milli: u64,
    /// Of a million rounds, those that the pool's operators would not decide: drawn anew, or expired and refunded.
    pub undecided_ppm: u32,
    /// Of a million rounds, those that would certify a wrong result, were all faulty workers to agree.
    pub wrong_ppm: u32,
    /// Chance that the first wave draws enough seats, in percent, if every worker answers and bonds are alike.
    pub first_wave_percent: u8,
    /// Price to expect.
    pub price_expected: Amount,
    /// What is locked: the price at most; the rest comes back.
    pub price_locked: Amount,
    /// Seconds to a provisional certificate, if the first wave suffices and machines run at the reference speed.
    pub seconds_expected: Secs,
    /// Seconds after it until it is final.
    pub window: Secs,
    /// The pool.
    pub pool: PoolNow,
    /// What the certificate promises, and what each promise rests on.
    pub promises: Vec<Promise>,
    /// Why the pool can't keep it, where it can't.
    pub obstacles: Vec<String>,
}

/// One promise of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Promise {
    /// Its name: odds, operators or stake.
    pub name: &'static str,
    /// What is promised.
    pub promise: String,
    /// What it rests on.
    pub assumption: String,
}

/// Answers.
///
/// # Errors
/// `policy.*` for a policy that no deal can have, `quote.overflow` for sums beyond any token.
pub fn quote(
    question: &Question,
    prices: &Prices,
    parameters: &Parameters,
    pool: PoolNow,
) -> Result<Quote, QuoteError> {
    let policy = &question.policy;
    policy.validate()?;
    let target = Lot::target(policy, 0);
    let needed = seats_needed(policy, target);
    let wanted = want(needed, policy.faultyShareBps);
    // More operators than the pool has cannot contribute, whatever the policy pays for.
    let most = u8::try_from(pool.operators).unwrap_or(u8::MAX).clamp(1, policy.replicasMax);
    let forecast = forecast(&Policy { replicasMax: most, ..*policy }, target);
    let executions = u8::try_from(forecast.executions_milli.div_ceil(1_000)).unwrap_or(u8::MAX);
    let full = Prices { tasks: question.batch_size, ..*prices };
    let locked = deal_lock(&full, question.tasks, question.batch_size)?;
    let all = Prices { tasks: question.tasks, ..*prices };
    let fuel = question.fuel_expected.checked_mul(question.tasks.into()).unwrap_or(Fuel::MAX);
    let paid = all.payouts(executions.min(policy.replicasMax), fuel)?;
    let total = paid.total().unwrap_or(Amount::MAX);
    let price = total.saturating_sub(paid.refund);
    Ok(Quote {
        operators_needed: needed,
        seats_wanted: wanted,
        executions_expected_milli: forecast.executions_milli,
        undecided_ppm: forecast.undecided_ppm,
        wrong_ppm: forecast.wrong_ppm,
        first_wave_percent: first_wave_percent(pool.workers, wanted, needed),
        price_expected: price,
        price_locked: locked,
        seconds_expected: run_time(question, parameters, pool.workers, executions),
        window: Secs(policy.disputeWindow.into()),
        pool,
        promises: promises(policy, target, policy.replicasMin, Amount(U256::from(policy.collateralMin))),
        obstacles: obstacles(policy, needed, target, pool),
    })
}

/// Time of all executions, shared out over the workers, at the reference speed; and a second for the rounds themselves.
fn run_time(question: &Question, parameters: &Parameters, workers: u32, executions: u8) -> Secs {
    let fuel = u128::from(question.fuel_expected.0) * u128::from(question.tasks) * u128::from(executions);
    let batch = u128::from(question.fuel_expected.0) * u128::from(question.batch_size.min(question.tasks));
    let speed = u128::from(parameters.fuel_per_sec.0.max(1));
    let shared = fuel.div_ceil(speed * u128::from(workers.max(1)));
    Secs(u64::try_from(shared.max(batch.div_ceil(speed))).unwrap_or(u64::MAX).saturating_add(1))
}

/// Chance that at least `needed` of `workers` have a seat, each with chance `wanted / workers`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percentage")]
fn first_wave_percent(workers: u32, wanted: u8, needed: u8) -> u8 {
    if workers < u32::from(needed) {
        return 0;
    }
    let chance = (f64::from(wanted) / f64::from(workers)).min(1.0);
    // Distribution of the number of seats, worker by worker; only counts below `needed` matter.
    let mut counts = vec![0.0_f64; usize::from(needed)];
    counts[0] = 1.0;
    for _ in 0..workers {
        for seats in (0..counts.len()).rev() {
            let from_below = if seats == 0 { 0.0 } else { counts[seats - 1] * chance };
            counts[seats] = counts[seats] * (1.0 - chance) + from_below;
        }
    }
    ((1.0 - counts.iter().sum::<f64>()) * 100.0).round().clamp(0.0, 100.0) as u8
}

/// What a certificate of this policy promises that has these odds, operators and stake, and what each promise rests on.
pub fn promises(policy: &Policy, odds: Odds, operators: u8, stake: Amount) -> Vec<Promise> {
    let share = f64::from(policy.faultyShareBps) / 100.0;
    let reputation = if policy.countReputation {
        "counting reputation, so against machines that fail or lie, not against colluders that earned it"
    } else {
        "whatever their reputation"
    };
    let odds = Promise {
        name: "odds",
        promise: format!("{} that a result is right", show_odds(odds.0)),
        assumption: format!(
            "at most {share} % of the pool's stake is faulty, and faults are independent, {reputation}"
        ),
    };
    let operators = Promise {
        name: "operators",
        promise: format!("{operators} distinct operators agree at least"),
        assumption: "operators are distinct addresses with bonds; one person may have several".to_owned(),
    };
    let stake = Promise {
        name: "stake",
        promise: format!("{} tokens of free stake stand behind it", show_tokens(stake.0)),
        assumption: format!(
            "who was wrong loses stake, if somebody shows it within {}; the lot asks for an audit of one certificate in {AUDITED_OF}, which anybody may open",
            show_seconds(policy.disputeWindow.into())
        ),
    };
    vec![odds, operators, stake]
}

fn obstacles(policy: &Policy, needed: u8, target: Odds, pool: PoolNow) -> Vec<String> {
    let mut obstacles = Vec::new();
    let fresh = Weighing::of(policy, 1, 1).fresh();
    if group((0..needed).map(|_| fresh)).0 < target.0 {
        obstacles.push(format!(
            "{} executions cannot reach {}: raise replicasMax",
            needed,
            show_odds(target.0)
        ));
    }
    if pool.operators < needed.into() {
        obstacles.push(format!(
            "the pool has {} operators, {needed} must agree: choose a larger pool",
            pool.operators
        ));
    }
    // Half of a bond may be at risk behind certificates.
    let free = pool.bond.to_amount().0 / U256::from(2_u8);
    if free < U256::from(policy.collateralMin) {
        obstacles.push(format!("the pool's bonds allow {} tokens of collateral in all", show_tokens(free)));
    }
    obstacles
}

#[cfg(test)]
mod tests {
    use guildhall_protocol::Bps;

    use super::*;

    fn prices(policy: &Policy) -> Prices {
        Prices {
            tasks: 1,
            fuel_limit: Fuel(2_000_000),
            fee_per_mfuel: Amount::from(U256::from(1_000_u32)),
            app_price: Amount::ZERO,
            dataset_price: Amount::ZERO,
            replicas_max: policy.replicasMax,
            pool_share: Bps(1_000),
            protocol_fee: Bps(100),
        }
    }

    fn ask(policy: Policy, workers: u32) -> Quote {
        let question = Question {
            policy,
            tasks: 10,
            batch_size: 5,
            fuel_limit: Fuel(2_000_000),
            fuel_expected: Fuel(1_000_000),
        };
        let pool = PoolNow { workers, operators: workers, bond: BondUnits(u64::from(workers) * 1_000) };
        quote(&question, &prices(&policy), &Parameters::default(), pool).expect("an answer")
    }

    #[test]
    fn ninety_nine_to_one_needs_four_fresh_operators_and_draws_six() {
        let quote = ask(Policy::default(), 9);
        assert_eq!((quote.operators_needed, quote.seats_wanted), (4, 6));
        assert!(
            (4_000..7_000).contains(&quote.executions_expected_milli),
            "{}",
            quote.executions_expected_milli
        );
        assert!(quote.obstacles.is_empty(), "{:?}", quote.obstacles);
    }

    #[test]
    fn the_expected_price_is_that_of_the_expected_executions() {
        let quote = ask(Policy::default(), 9);
        // 10 tasks of a million fuel each at 1,000; locked: 8 executions at the limit of two million.
        let executions = quote.executions_expected_milli.div_ceil(1_000);
        assert_eq!(quote.price_expected.0.to::<u64>(), executions * 10_000);
        assert_eq!(quote.price_locked.0.to::<u64>(), 160_000);
    }

    #[test]
    fn a_pool_that_is_too_small_is_an_obstacle() {
        let quote = ask(Policy::default(), 3);
        assert_eq!(quote.first_wave_percent, 0);
        assert_eq!(quote.obstacles.len(), 1, "{:?}", quote.obstacles);
    }

    #[test]
    fn a_pool_gives_no_more_executions_than_it_has_operators() {
        let (small, large) = (ask(Policy::default(), 5), ask(Policy::default(), 20));
        assert!(small.executions_expected_milli <= 5_000, "{}", small.executions_expected_milli);
        assert!(small.executions_expected_milli < large.executions_expected_milli);
        assert!(small.undecided_ppm > large.undecided_ppm);
    }

    #[test]
    fn a_draw_of_everybody_is_certain() {
        assert_eq!(ask(Policy::default(), 6).first_wave_percent, 100);
        let of_nine = ask(Policy::default(), 9).first_wave_percent;
        // 1 - P(Bin(9, 2/3) < 4) = 95.8 %.
        assert_eq!(of_nine, 96);
    }
}
