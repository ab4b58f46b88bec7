//! Simulates the market in every scenario, says which promises held, and writes what came of it.

use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
};

use clap::Parser;
use guildhall_sim::market::{
    COLLATERAL_COINS, Coordinator, OPERATORS, Outcomes, Plan, Promise, Results, Rival, SETTLED_AUDITS, TASKS,
    WORTH_COINS, rival, scenarios, simulate,
};
use rayon::prelude::*;
use serde::Serialize;

/// Simulate the market: is the confidence true, and does cheating lose money?
#[derive(Parser)]
#[command(name = "simulate")]
struct Args {
    /// Rounds of each scenario.
    #[arg(long, default_value_t = 20_000)]
    rounds: u64,
    /// What every draw follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Play only this one of the scenarios, as they are listed, from one on.
    #[arg(long)]
    only: Option<usize>,
    /// Where to write the figures; a table goes beside them, with the ending `.md`.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Day of the run, for the report.
    #[arg(long, default_value = "")]
    date: String,
}

/// A scenario and what came of it.
#[derive(Serialize)]
struct Scenario {
    plan: Plan,
    outcomes: Outcomes,
    executions_milli: u64,
    gas_a_task: u64,
    promises: Vec<(Promise, bool)>,
    /// The same faults under other rules, where only the faults and the record differ from one scenario to another.
    majority: Option<Results>,
    poco: Option<Results>,
}

#[derive(Serialize)]
struct Report {
    date: String,
    operators: usize,
    seed: u64,
    rounds: u64,
    scenarios: Vec<Scenario>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut plans = scenarios(args.rounds, args.seed);
    if let Some(only) = args.only {
        let Some(plan) = only.checked_sub(1).and_then(|at| plans.get(at)) else {
            eprintln!("error: there is no scenario {only}; there are {}, from one on", plans.len());
            return ExitCode::FAILURE;
        };
        plans = vec![*plan];
    }
    let report = Report {
        date: args.date,
        operators: OPERATORS,
        seed: args.seed,
        rounds: plans.iter().map(|plan| plan.rounds).sum(),
        scenarios: play_all(&plans),
    };
    let table = table(&report);
    println!("{table}");
    if let Some(path) = args.report
        && let Err(error) = write(&path, &report, &table)
    {
        eprintln!("error: cannot write {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    let broken: Vec<_> =
        report.scenarios.iter().filter(|scenario| scenario.promises.iter().any(|(_, kept)| !kept)).collect();
    for scenario in &broken {
        eprintln!("broken: {:?}", scenario.plan);
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays the scenarios on all cores, and says how far it is.
fn play_all(plans: &[Plan]) -> Vec<Scenario> {
    let done = AtomicUsize::new(0);
    let played = plans.par_iter().map(|plan| {
        let scenario = play(*plan);
        eprintln!("{} of {}", done.fetch_add(1, Ordering::Relaxed) + 1, plans.len());
        scenario
    });
    played.collect()
}

fn play(plan: Plan) -> Scenario {
    let outcomes = simulate(plan);
    let promises = plan.promises().into_iter();
    let plain = plan.coordinator == Coordinator::Honest && plan.churn_permille == 0 && plan.tasks == TASKS;
    let has_rivals = plain && plan.operators_min == if plan.count_reputation { 1 } else { 3 };
    Scenario {
        plan,
        executions_milli: outcomes.executions_milli(&plan),
        gas_a_task: outcomes.gas_a_task(&plan),
        promises: promises.map(|promise| (promise, promise.is_kept(&plan, &outcomes))).collect(),
        outcomes,
        majority: has_rivals.then(|| rival(Rival::Majority, plan)),
        poco: has_rivals.then(|| rival(Rival::Poco, plan)),
    }
}

fn table(report: &Report) -> String {
    let mut text = String::from(
        "| faulty | stake | coordinator | asked for | certified | wrong, provisional | wrong, final | executions a task | \
         seconds | gas a task | cheated in | gain each time, coins | gain | honest gain | promises |\n\
         |---|---:|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n",
    );
    for Scenario { plan, outcomes, executions_milli, gas_a_task, promises, .. } in &report.scenarios {
        let promises: Vec<_> = promises
            .iter()
            .map(|(promise, kept)| format!("{}{}", promise.name(), if *kept { "" } else { " BROKEN" }))
            .collect();
        let _infallible = writeln!(
            text,
            "| {} | {} % | {} | {} | {} % | {} | {} | {} | {} | {gas_a_task} | {} | {} | {} | {} | {} |",
            faulty(plan),
            plan.faulty_permille / 10,
            plan.coordinator.name(),
            asked_for(plan),
            outcomes.certified * 100 / outcomes.rounds.max(1),
            ppm(outcomes.provisional_wrong, outcomes.certified),
            ppm(outcomes.final_wrong, outcomes.certified),
            milli(*executions_milli),
            milli(outcomes.seconds * 1_000 / outcomes.certified.max(1)),
            outcomes.cheating.rounds,
            each_time(outcomes),
            outcomes.faulty_gain_with_worth,
            outcomes.honest_gain,
            promises.join(", "),
        );
    }
    text
}

fn rivals(report: &Report) -> String {
    let mut text = String::from(
        "| faulty | stake | reputation | rule | with a result | wrong | executions a task | seconds | gas a task | gain | honest gain |\n\
         |---|---:|---|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for Scenario { plan, majority, poco, .. } in &report.scenarios {
        for (rule, results) in [("majority", majority), ("PoCo", poco)] {
            let Some(results) = results else { continue };
            let _infallible = writeln!(
                text,
                "| {} | {} % | {} | {rule} | {} % | {} | {} | {} | {} | {} | {} |",
                faulty(plan),
                plan.faulty_permille / 10,
                if plan.settled { "settled" } else { "-" },
                results.certified * 100 / results.rounds.max(1),
                ppm(results.wrong, results.certified),
                milli(results.executions_milli),
                milli(results.ms / results.certified.max(1)),
                results.gas_a_task(plan),
                results.faulty_gain_with_worth,
                results.honest_gain,
            );
        }
    }
    text
}

fn faulty(plan: &Plan) -> String {
    format!("{}{}", plan.behaviour.name(), if plan.churn_permille > 0 { ", churn" } else { "" })
}

fn asked_for(plan: &Plan) -> String {
    let operators =
        format!("{} operator{}", plan.operators_min, if plan.operators_min == 1 { "" } else { "s" });
    let reputation = if plan.count_reputation { ", reputation" } else { "" };
    let tasks = if plan.tasks == TASKS { String::new() } else { format!(", {} task", plan.tasks) };
    operators + reputation + &tasks
}

/// What cheating brought each time, and its standard error.
fn each_time(outcomes: &Outcomes) -> String {
    let (mean, error) = outcomes.cheating.mean();
    if outcomes.cheating.rounds == 0 { "-".into() } else { format!("{mean:.2} ± {error:.2}") }
}

/// So many of a million.
fn ppm(part: u64, whole: u64) -> String {
    (part * 1_000_000).checked_div(whole).map_or("none certified".into(), |ppm| format!("{ppm} ppm"))
}

fn milli(value: u64) -> String {
    format!("{}.{:02}", value / 1_000, value % 1_000 / 10)
}

fn write(path: &PathBuf, report: &Report, table: &str) -> std::io::Result<()> {
    let json = serde_json::to_string_pretty(report).map_err(std::io::Error::other)?;
    fs::write(path, json + "\n")?;
    fs::write(path.with_extension("md"), page(report, table))
}

/// What stands around the tables for people.
fn page(report: &Report, table: &str) -> String {
    let Report { date, operators, rounds, seed, .. } = report;
    let rivals = rivals(report);
    format!(
        "# The market, simulated

Written by `make simulate` on {date}, {rounds} rounds from seed {seed}: {operators} operators with stakes of 20,000 to 80,000 coins, deals of \
{TASKS} tasks in one batch at 99:1 against the faulty share that there is (a fifth at least), each execution of a task paid with a coin \
and costing half of it. A wrong task whose certificate becomes final is worth {WORTH_COINS} coins to those who made it; for each task {COLLATERAL_COINS} coins of \
stake stand behind a certificate. The lot, weights, odds, payouts, audits and juries are the protocol's, the coordinator is the real state machine; workers \
are reduced to what they decide. All figures: [simulation.json](simulation.json). What they mean and what they don't: [READING.md](READING.md). \
A row alone: `cargo run --release --bin simulate -- --only N`.

- **faulty**: what the faulty part of the stake does, all of it together. *Breaks*: one batch in twenty has a wrong task, each time another. *Copies*: one \
executes, the others copy; one contribution in twenty is accused. *Lies*: always, all alike. *Lies to win*: only where those who hold seats are such that \
the lie is certified. *Lies in one task*: the same, but the other nine are right, so that an audit seldom sees it. *Races*: at once, without executing, where the seats of its own are enough alone. *Earns, then lies*: once its reputation counts in full. *Withholds*: says that there are no bytes. *Favours its own*: nobody lies, but their coordinator keeps work for them. *Churn*: before one round in \
twenty somebody is replaced by a newcomer.
- **coordinator**: *theirs* tells everybody else that all seats are taken, where its friends alone suffice, and serves the certified receipts; one that *hides* \
serves none: who was kept out executes everything, sees by the root that something is wrong, and disputes a task that it guesses.
- **asked for**: how many operators at least; where *reputation* counts, all have the record of {SETTLED_AUDITS} audits.
- **wrong**: of a million certificates, before and after contradictions, audits and juries. **Executions a task**: of members, jurors and checkers. \
**Gas a task**: orders, certificates, refunds, audits, disputes and juries, by the gas of each call that `make gas` measured.
- **cheated in**: rounds in which somebody did what an honest operator would not. Each of them is played again from the same operators and dice with \
everybody honest (a coordinator of theirs keeping others out there, too, so that what lies bring is seen alone): **gain each time** is what the faulty have more than there, with the standard error of the mean, what wrong results are worth included.
- **gain**: thousandths of a coin that the faulty earn for each million coins of stake and round, likewise; **honest gain**: the others. Both have the luck of the lot in them.
- **promises**: those that hold under the assumptions of the row, and did; a promise that did not would say `BROKEN`, and the command would fail. \
*Provisional*, *final*: at most one in a hundred is wrong. *Seats*: as many distinct operators as were asked for, and wrong provisional certificates at most as often as the lot gives the faulty so many \
seats (or as many as the odds take with fresh weights). *Stake*: cheating loses, by two standard errors, a loss counted as 200 coins at most. *Overhead*: at most 1.3 executions a task.

{table}
# The same faults under other rules

A batch is one unit here; what has a result is final at once: there are no audits and no disputes, so provisional and final are one. **Majority**: \
three workers, two of whom agree; who agrees is paid an execution, nobody has a stake. **PoCo**: the ancestor's rule at trust 100, its stakes, shares and scores \
(303 where it is settled), its gas for each task apart, since it has no batches. **Seconds** are without the chain's, as above.

{rivals}"
    )
}
