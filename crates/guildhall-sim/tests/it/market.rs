//! Markets of a few thousand rounds: the promises that `make simulate` measures at length.

use guildhall_sim::market::{
    Behaviour, Coordinator, OVERHEAD_MILLI, Outcomes, Plan, Promise, Rival, TASKS, rival, scenarios, simulate,
};

/// Rounds of the shortest market that says something.
const ROUNDS: u64 = 400;

fn plan(behaviour: Behaviour, faulty_permille: u64) -> Plan {
    Plan {
        behaviour,
        faulty_permille,
        coordinator: Coordinator::Honest,
        tasks: TASKS,
        operators_min: 3,
        count_reputation: false,
        churn_permille: 0,
        accused_permille: 0,
        settled: false,
        rounds: ROUNDS,
        seed: 7,
    }
}

#[test]
fn a_seed_gives_the_same_market_every_time() {
    let plan = Plan { rounds: 50, ..plan(Behaviour::LiesToWin, 200) };
    assert_eq!(simulate(plan), simulate(plan));
    assert_ne!(simulate(plan), simulate(Plan { seed: 8, ..plan }));
}

#[test]
fn without_faults_everything_is_certified_and_right() {
    let outcomes = simulate(plan(Behaviour::Honest, 0));
    assert_eq!((outcomes.rounds, outcomes.certified, outcomes.refunded), (ROUNDS, ROUNDS, 0));
    assert_eq!((outcomes.provisional_wrong, outcomes.void_right, outcomes.overturned_right), (0, 0, 0));
    assert!(outcomes.honest_gain > 0, "work pays");
    assert!(outcomes.cases > 0, "some are audited");
}

#[test]
fn liars_lose_what_honest_operators_earn() {
    let outcomes = simulate(plan(Behaviour::Lies, 200));
    assert!(outcomes.faulty_gain < outcomes.honest_gain && outcomes.faulty_gain < 0, "{outcomes:?}");
    for promise in [Promise::Provisional, Promise::Final, Promise::Seats, Promise::Stake] {
        assert!(promise.is_kept(&plan(Behaviour::Lies, 200), &outcomes), "{promise:?}: {outcomes:?}");
    }
}

#[test]
fn with_a_coordinator_of_theirs_colluders_are_contradicted_before_it_is_final() {
    let plan = Plan { coordinator: Coordinator::Theirs, rounds: 500, ..plan(Behaviour::LiesToWin, 330) };
    let outcomes = simulate(plan);
    assert!(outcomes.provisional_wrong > 20, "they do get what they want at first: {outcomes:?}");
    assert!(outcomes.final_wrong * 4 < outcomes.provisional_wrong, "{outcomes:?}");
}

#[test]
fn who_lies_at_once_is_not_certified_before_the_others_are_done() {
    for permille in [200, 330] {
        let plan = Plan { rounds: 800, ..plan(Behaviour::Races, permille) };
        let outcomes = simulate(plan);
        assert!(Promise::Provisional.is_kept(&plan, &outcomes), "{permille}: {outcomes:?}");
    }
}

#[test]
fn a_third_that_always_lies_keeps_few_deals_from_their_certificate() {
    let outcomes = simulate(plan(Behaviour::Lies, 330));
    assert!(outcomes.certified * 5 > outcomes.rounds * 4, "{outcomes:?}");
}

#[test]
fn settled_reputations_make_executions_few() {
    let plan = Plan { count_reputation: true, operators_min: 1, settled: true, ..plan(Behaviour::Honest, 0) };
    let (settled, fresh) = (simulate(plan), simulate(Plan { settled: false, ..plan }));
    assert!(settled.executions_milli(&plan) <= OVERHEAD_MILLI, "{settled:?}");
    assert!(fresh.executions_milli(&plan) >= 3_000, "{fresh:?}");
}

#[test]
fn who_copies_loses_by_accusations_what_it_saves() {
    let plan = Plan { rounds: 1_500, ..plan(Behaviour::Copies, 200) };
    let (free, accused) = (simulate(plan), simulate(Plan { accused_permille: 50, ..plan }));
    assert!(free.faulty_gain > free.honest_gain, "nobody looks: {free:?}");
    assert!(
        accused.faulty_gain < accused.honest_gain,
        "one contribution in twenty is looked at: {accused:?}"
    );
}

#[test]
fn a_lie_in_one_task_of_ten_is_found_as_seldom_as_it_is_worth_little() {
    let settled = Plan {
        count_reputation: true,
        operators_min: 1,
        settled: true,
        rounds: 600,
        ..plan(Behaviour::Honest, 200)
    };
    let one = Plan { behaviour: Behaviour::LiesOnce, ..settled };
    let all = Plan { behaviour: Behaviour::LiesToWin, ..one };
    let (lies, lies_whole) = (simulate(one), simulate(all));
    assert_eq!(lies.provisional_wrong_tasks, lies.provisional_wrong, "{lies:?}");
    assert_eq!(lies_whole.provisional_wrong_tasks, 10 * lies_whole.provisional_wrong, "{lies_whole:?}");
    let stands = |outcomes: &Outcomes| outcomes.final_wrong * 1_000 / outcomes.provisional_wrong;
    assert!(stands(&lies_whole) < stands(&lies), "an audit looks at one task: {lies_whole:?} {lies:?}");
    assert!(Promise::Stake.is_kept(&one, &lies), "{lies:?}");
}

#[test]
fn majorities_and_poco_certify_more_of_the_same_lies() {
    let plan = Plan { rounds: 5_000, ..plan(Behaviour::LiesToWin, 200) };
    let ours = simulate(Plan { rounds: 1_000, ..plan });
    let majority = rival(Rival::Majority, plan);
    assert!(majority.wrong * 1_000_000 / majority.certified > 50_000, "about a tenth: {majority:?}");
    assert!(ours.final_wrong * 100 <= ours.certified, "{ours:?}");
}

#[test]
fn the_scenarios_of_a_group_have_the_same_operators_and_begin_with_honest_ones() {
    let plans = scenarios(10, 3);
    let groups: Vec<_> = plans.chunk_by(|one, next| one.seed == next.seed).collect();
    assert_eq!(
        groups.len(),
        10,
        "a third, a fifth, a tenth, by odds, reputation and seats, and deals of one task"
    );
    for group in groups {
        assert_eq!(group[0].behaviour, Behaviour::Honest);
        let same = |plan: &Plan| (plan.faulty_permille, plan.count_reputation);
        assert!(group.iter().all(|plan| same(plan) == same(&group[0])));
    }
    assert!(plans.iter().any(
        |plan| plan.promises() == [Promise::Provisional, Promise::Final, Promise::Seats, Promise::Stake]
    ));
}

#[test]
fn cheating_is_measured_against_the_same_round_with_everybody_honest() {
    let honest = simulate(plan(Behaviour::Honest, 200));
    assert_eq!(honest.cheating.rounds, 0, "{honest:?}");
    let lies = simulate(plan(Behaviour::Lies, 200));
    assert!(lies.cheating.rounds > ROUNDS / 2, "most rounds have a seat of theirs: {lies:?}");
    let (mean, error) = lies.cheating.mean();
    assert!(mean < -1.0 && error < -mean / 2.0, "a liar pays each time: {mean} {error}");
    // Nobody looks at copies: then they pay, and the measure says so.
    let copies = simulate(plan(Behaviour::Copies, 200));
    assert!(!copies.cheating.loses() && copies.cheating.gain > 0, "{copies:?}");
}

#[test]
fn who_is_shown_no_receipts_guesses_the_task_and_misses_a_lie_in_one() {
    let hides = Plan { coordinator: Coordinator::Hides, rounds: 120, ..plan(Behaviour::LiesToWin, 330) };
    let everywhere = simulate(hides);
    assert!(everywhere.final_wrong * 10 < everywhere.provisional_wrong, "any task will do: {everywhere:?}");
    let one = Plan { behaviour: Behaviour::LiesOnce, ..hides };
    let somewhere = simulate(one);
    assert!(somewhere.final_wrong > everywhere.final_wrong, "the one of ten is missed: {somewhere:?}");
    assert!(!one.promises().contains(&Promise::Final), "it is not promised");
    assert!(everywhere.cheating.loses() && somewhere.cheating.loses(), "{everywhere:?} {somewhere:?}");
    let alone = simulate(Plan { tasks: 1, ..one });
    assert!(alone.final_wrong * 10 < alone.provisional_wrong, "of one task the root says enough: {alone:?}");
}

#[test]
fn what_the_chain_takes_is_counted() {
    let plan = plan(Behaviour::Honest, 200);
    let (outcomes, one) = (simulate(plan), simulate(Plan { tasks: 1, ..plan }));
    assert!(
        outcomes.gas_a_task(&plan) > 28_000,
        "a batch of ten with three members and no audit: {outcomes:?}"
    );
    assert!(one.gas > outcomes.gas / 2 && one.gas < outcomes.gas * 2, "a batch costs what it costs: {one:?}");
    let poco = rival(Rival::Poco, plan);
    assert!(poco.gas_a_task(&plan) > 20 * outcomes.gas_a_task(&plan), "{poco:?}");
}

#[test]
fn liars_gain_where_nobody_has_a_stake() {
    let plan = Plan { rounds: 2_000, ..plan(Behaviour::LiesToWin, 200) };
    let majority = rival(Rival::Majority, plan);
    assert!(majority.faulty_gain_with_worth > 2 * majority.honest_gain, "{majority:?}");
    assert_eq!(majority.wrong_tasks, majority.wrong * u64::from(TASKS), "{majority:?}");
    assert!(majority.ms / majority.certified > 1_000, "{majority:?}");
}
