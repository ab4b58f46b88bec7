//! Rounds under faults, from seeds: what must always hold.

use guildhall_api::Outcome;
use guildhall_sim::{Ended, Faults, run};
use guildhall_testkit::builders::truth;

/// Workers of each round.
const WORKERS: u16 = 9;
/// Seeds of a run.
const SEEDS: u64 = 200;

fn ended(seed: u64, faults: &Faults) -> Ended {
    run(seed, WORKERS, faults.clone())
        .unwrap_or_else(|broken| panic!("seed {seed}, {faults:?}: {}", broken.0))
}

#[test]
fn whatever_goes_wrong_no_rule_breaks_and_what_is_enough_is_certified() {
    let (mut certified, mut on_chain) = (0, 0);
    for seed in 0..SEEDS {
        let faults = Faults::from_seed(seed, 2);
        let ended = ended(seed, &faults);
        match ended.outcome {
            Outcome::Certified { claim, .. } => {
                assert_eq!(claim, truth(), "seed {seed}, {faults:?}: a lie was certified");
                certified += 1;
                on_chain += u32::from(ended.on_chain > 0);
            }
            // The run made sure that what everybody signed was not enough: liars and latecomers weigh against the truth.
            Outcome::Expired => assert_ne!(faults.liars, 0, "seed {seed}, {faults:?}: nobody opposed"),
            other => panic!("seed {seed}, {faults:?}: ended as {other:?}"),
        }
    }
    println!("{certified} of {SEEDS} certified, in {on_chain} of them somebody went over the chain");
    assert!(certified * 5 >= SEEDS * 4, "{certified} of {SEEDS} certified");
    assert!(u64::from(on_chain) * 10 >= SEEDS, "{on_chain} of {SEEDS} over the chain");
}

#[test]
fn without_faults_every_round_is_certified_and_nothing_is_put_on_chain_besides() {
    for seed in 0..20 {
        let ended = ended(seed, &Faults { latest_ms: 50, ..Faults::default() });
        assert!(matches!(ended.outcome, Outcome::Certified { .. }), "seed {seed}: {ended:?}");
        assert_eq!(ended.on_chain, 0, "seed {seed}");
    }
}

#[test]
fn with_a_coordinator_that_never_comes_the_workers_certify_over_the_chain() {
    for seed in 0..20 {
        let faults = Faults { latest_ms: 50, gone_ms: 0..u64::MAX, ..Faults::default() };
        let ended = ended(seed, &faults);
        assert!(matches!(ended.outcome, Outcome::Certified { .. }), "seed {seed}: {ended:?}");
        assert!(ended.on_chain >= 6, "seed {seed}: {ended:?}");
    }
}

/// All of them are connected, and look every 1.5 s at what is due. Where the lot gives too few of them a seat the batch is drawn
/// anew, which ends this round.
#[test]
fn in_a_pool_of_ten_thousand_a_round_is_the_work_of_a_few() {
    let faults = Faults { latest_ms: 300, ..Faults::default() };
    let rounds: Vec<_> = (0..4)
        .map(|seed| {
            let ended = run(seed, 10_000, faults.clone())
                .unwrap_or_else(|broken| panic!("seed {seed}: {}", broken.0));
            assert!(ended.executions <= 9, "seed {seed}: {ended:?}");
            ended
        })
        .collect();
    let certified = rounds.iter().filter(|ended| matches!(ended.outcome, Outcome::Certified { .. })).count();
    assert!(certified >= 3, "{rounds:?}");
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    for seed in 0..10 {
        let faults = Faults::from_seed(seed, 2);
        assert_eq!(run(seed, WORKERS, faults.clone()), run(seed, WORKERS, faults));
    }
}
