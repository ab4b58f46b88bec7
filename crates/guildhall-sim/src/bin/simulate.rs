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
    Behaviour, COLLATERAL_COINS, OPERATORS, Outcomes, Plan, Promise, Results, Rival, SETTLED_AUDITS, TASKS,
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
    promises: Vec<(Promise, bool)>,
    majority: Results,
    poco: Results,
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
    let plans = scenarios(args.rounds, args.seed);
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
    let mut scenarios: Vec<_> = played.collect();
    let mut honest = Outcomes::default();
    for scenario in &mut scenarios {
        // The first of each group, as they are listed.
        if scenario.plan.behaviour == Behaviour::Honest {
            honest = scenario.outcomes.clone();
        }
        let promises = scenario.plan.promises().into_iter();
        scenario.promises = promises
            .map(|promise| (promise, promise.is_kept(&scenario.plan, &scenario.outcomes, &honest)))
            .collect();
    }
    scenarios
}

fn play(plan: Plan) -> Scenario {
    let outcomes = simulate(plan);
    Scenario {
        plan,
        executions_milli: outcomes.executions_milli(),
        promises: Vec::new(),
        outcomes,
        majority: rival(Rival::Majority, plan),
        poco: rival(Rival::Poco, plan),
    }
}

fn table(report: &Report) -> String {
    let mut text = String::from(
        "| faulty | stake | coordinator | reputation | certified | wrong, provisional | wrong, final | executions a task | \
         seconds | gain | honest gain | promises | majority wrong | PoCo wrong | PoCo executions |\n\
         |---|---:|---|---|---:|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|\n",
    );
    for Scenario { plan, outcomes, executions_milli, promises, majority, poco } in &report.scenarios {
        let promises: Vec<_> = promises
            .iter()
            .map(|(promise, kept)| format!("{}{}", promise.name(), if *kept { "" } else { " BROKEN" }))
            .collect();
        let churn = if plan.churn_permille > 0 { ", churn" } else { "" };
        let _infallible = writeln!(
            text,
            "| {}{churn} | {} % | {} | {} | {} % | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            plan.behaviour.name(),
            plan.faulty_permille / 10,
            if plan.corrupt_coordinator { "theirs" } else { "honest" },
            if plan.count_reputation { "counts" } else { "-" },
            outcomes.certified * 100 / outcomes.rounds.max(1),
            ppm(outcomes.provisional_wrong, outcomes.certified),
            ppm(outcomes.final_wrong, outcomes.certified),
            milli(*executions_milli),
            milli(outcomes.seconds * 1_000 / outcomes.certified.max(1)),
            outcomes.faulty_gain_with_worth,
            outcomes.honest_gain,
            promises.join(", "),
            ppm(majority.wrong, majority.certified),
            ppm(poco.wrong, poco.certified),
            milli(poco.executions_milli),
        );
    }
    text
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

/// What stands around the table for people.
fn page(report: &Report, table: &str) -> String {
    let Report { date, operators, rounds, seed, .. } = report;
    format!(
        "# The market, simulated

Written by `make simulate` on {date}, {rounds} rounds from seed {seed}: {operators} operators with stakes of 20,000 to 80,000 coins, deals of \
{TASKS} tasks in one batch at 99:1 against the faulty share that there is (a fifth at least), each execution of a batch paid with ten coins \
and costing five. A wrong task whose certificate becomes final is worth {WORTH_COINS} coins to those who made it; {COLLATERAL_COINS} coins of \
stake stand behind each certificate. The lot, weights, odds, payouts, audits and juries are the protocol's, the coordinator is the real state machine; workers \
are reduced to what they decide. All figures: [simulation.json](simulation.json).

- **faulty**: what the faulty part of the stake does, all of it together. *Breaks*: one batch in twenty has a wrong task, each time another. *Copies*: one \
executes, the others copy; one contribution in twenty is accused. *Lies*: always, all alike. *Lies to win*: only where those who hold seats are such that \
the lie is certified. *Lies in one task*: the same, but the other nine are right, so that an audit seldom sees it. *Races*: at once, without executing, where the seats of its own are enough alone. *Earns, then lies*: once its reputation counts in full. *Withholds*: says that there are no bytes. *Churn*: before one round in \
twenty somebody is replaced by a newcomer.
- **coordinator**: *theirs* tells everybody else that all seats are taken, where its friends alone suffice, and serves the certified receipts.
- **reputation**: *counts* with one operator at least, all of them with the record of {SETTLED_AUDITS} audits; else three operators with fresh weights.
- **wrong**: of a million certificates, before and after contradictions, audits and juries. **executions a task**: of members, jurors and checkers.
- **gain**: thousandths of a coin that the faulty earn for each million coins of stake and round, what wrong results are worth included; **honest gain** \
likewise. **promises**: those that hold under the assumptions of the row, and did; a promise that did not would say `BROKEN`, and the command would fail. \
Stake: the faulty earned no more than the same operators in the row of their group where nobody is faulty (the second such row where there is churn), \
but for three standard deviations of luck.
- **majority**: two of three agree. **PoCo**: the ancestor's rule at trust 100, all with a score of 303 where reputation counts.

{table}"
    )
}
