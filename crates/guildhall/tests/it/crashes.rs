//! Kill -9 of the chain, the coordinator, a worker, or all of them at once, at random moments while a deal is ordered and worked
//! on and somebody is paid: what was acknowledged survives, and the work goes on.
//!
//! Each role is a process of its own, as its owner runs it. A run is drawn from its seed: who dies, when, for how long, and
//! what was ordered. `make soak` plays a hundred of them (`GUILDHALL_CRASH_RUNS`, from `GUILDHALL_CRASH_SEED` on).

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use alloy::primitives::{Address, U256};
use guildhall::requester::history::History;
use guildhall_protocol::{DealId, RoundId, list::CLAIM_BARE};
use guildhall_testkit::checks;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;

use crate::support::streets::{CHAIN, COORDINATOR, Streets, WORKERS};

/// A token, in its smallest units.
const TOKEN: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);
/// Runs of `make test`.
const RUNS: u64 = 6;
/// The first seed.
const SEED: u64 = 1;

/// Who dies when, in a run.
#[derive(Debug)]
struct Plan {
    victims: Vec<usize>,
    after: Duration,
    down: Duration,
    tasks: u32,
    batch_size: u32,
}

impl Plan {
    fn of(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let victims = match rng.random_range(0..4) {
            0 => vec![CHAIN],
            1 => vec![COORDINATOR],
            2 => vec![rng.random_range(2..2 + WORKERS.len())],
            _ => (0..2 + WORKERS.len()).collect(),
        };
        let after = Duration::from_millis(rng.random_range(0..2_500));
        let down = Duration::from_millis(rng.random_range(0..500));
        Self { victims, after, down, tasks: rng.random_range(1..=6), batch_size: rng.random_range(1..=3) }
    }
}

/// What was acknowledged in a run.
struct Acknowledged {
    /// The deal, where the order was.
    deal: Option<DealId>,
    /// Whether the payout of a token was.
    payout: bool,
}

/// Whose balance is paid out, a token in each run; it does nothing else meanwhile.
const PAYEE: &str = "owner";

impl Streets {
    /// Orders and has a token paid out, kills, starts again.
    fn play(&mut self, plan: &Plan, seed: u64) -> Acknowledged {
        let inputs: Vec<_> = (0..plan.tasks)
            .map(|task| self.desk.file(&format!("{seed}-{task}.txt"), format!("run {seed}, task {task}")))
            .collect();
        // Three that come back in the second wave are enough.
        let policy = "--confidence 3 --operators 3 --executions-max 5 --window 1m --deadline 20m --fuel 100M";
        let words = format!(
            "deal create --key requester --app {} --pool 2 {policy} --batch-size {} --json",
            self.asset("hello"),
            plan.batch_size
        );
        let words: Vec<_> =
            words.split(' ').chain(inputs.iter().map(|path| path.to_str().unwrap())).collect();
        let start = |words: &[&str]| {
            let mut command = self.desk.command(words);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let order = start(&words);
        let payout = start(&["stake", "withdraw", "1", "--key", PAYEE]);
        thread::sleep(plan.after);
        for victim in &plan.victims {
            self.roles[*victim].kill();
        }
        thread::sleep(plan.down);
        for victim in &plan.victims {
            self.roles[*victim].start(&self.desk, &self.said);
        }
        let [order, payout] = [order, payout].map(|command| command.wait_with_output().unwrap());
        let deal = order.status.success().then(|| {
            let said: Value = serde_json::from_slice(&order.stdout).unwrap();
            said["deal"].as_str().unwrap().parse().unwrap()
        });
        // Who orders needs the chain, and the coordinator for its inputs; who is paid needs the chain.
        let killed = |role: usize| plan.victims.contains(&role);
        let shown = |output| format!("run {seed}: {plan:?}: {}", self.desk.show(output));
        assert!(deal.is_some() || killed(CHAIN) || killed(COORDINATOR), "{}", shown(&order));
        assert!(payout.status.success() || killed(CHAIN), "{}", shown(&payout));
        Acknowledged { deal, payout: payout.status.success() }
    }

    /// What workers were told of a deal: their last wave, and whether commitment and claim were taken.
    fn acknowledged(&self, deal: DealId) -> BTreeMap<(RoundId, u32, String), Taken> {
        let mut taken = BTreeMap::<_, Taken>::new();
        for (name, value) in &*self.said.lock().unwrap() {
            let round = &value["round"];
            if round["deal"] != serde_json::json!(deal) || !WORKERS.contains(&name.as_str()) {
                continue;
            }
            let id: RoundId = serde_json::from_value(round["id"].clone()).unwrap();
            let batch = round["batch"].as_u64().unwrap() as u32;
            let taken = taken.entry((id, batch, name.clone())).or_default();
            match value["step"].as_str().unwrap() {
                "seat_drawn" => taken.wave = value["wave"].as_u64().unwrap() as u8,
                "committed" => taken.committed = true,
                "contributed" => taken.contributed = true,
                _ => {}
            }
        }
        taken
    }

    /// Each commitment and each claim that was acknowledged is in the certificate.
    fn nothing_was_lost(&self, told: &History, keys: &BTreeMap<&str, Address>, what: &str) {
        for ((_, batch, name), taken) in self.acknowledged(told.terms.deal()) {
            let certified = &told.certificate(batch).unwrap().certified;
            if certified.certificate.attempt != 0 || !taken.committed {
                continue;
            }
            let last = certified.members.iter().map(|member| member.wave).max().unwrap();
            let member = certified.members.iter().find(|member| member.worker == keys[name.as_str()]);
            // Nobody waits for later waves.
            assert!(
                member.is_some() || taken.wave > last,
                "{what}: batch {batch}: {name} committed in wave {}, and is not listed: {certified:?}\n{}",
                taken.wave,
                self.logs()
            );
            let shown = member.is_none_or(|member| member.claim != CLAIM_BARE);
            assert!(
                shown || !taken.contributed,
                "{what}: batch {batch}: {name} contributed, and is called silent"
            );
        }
    }
}

/// What a worker was told was taken, in a round.
#[derive(Debug, Default)]
struct Taken {
    wave: u8,
    committed: bool,
    contributed: bool,
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let mut streets = Streets::found().await;
    let mut keys = BTreeMap::new();
    for worker in WORKERS {
        keys.insert(worker, streets.key(worker));
    }
    let payee = streets.key(PAYEE);
    tokio::task::block_in_place(|| {
        streets.desk.json(&["stake", "deposit", "1000", "--to", PAYEE, "--key", "requester"])
    });
    let before = streets.chain.tokens(payee).await.unwrap();
    let mut paid = Vec::new();
    let mut settled = BTreeMap::new();
    let mut report = Vec::new();
    let first = number("GUILDHALL_CRASH_SEED", SEED);
    for seed in first..first + number("GUILDHALL_CRASH_RUNS", RUNS) {
        let (plan, begun) = (Plan::of(seed), Instant::now());
        let what = format!("run {seed}: {plan:?}");
        let acknowledged = tokio::task::block_in_place(|| streets.play(&plan, seed));
        let deals = streets.deals().await;
        if let Some(deal) = acknowledged.deal {
            assert!(deals.contains(&deal), "{what}: deal {deal} was acknowledged");
        }
        paid.push(acknowledged.payout);
        let tokens = streets.chain.tokens(payee).await.unwrap().0 - before.0;
        let least = paid.iter().filter(|acknowledged| **acknowledged).count();
        let within = TOKEN * U256::from(least)..=TOKEN * U256::from(paid.len());
        assert!(within.contains(&tokens), "{what}: {tokens} of {paid:?} were paid out");
        for deal in deals {
            if let Entry::Vacant(entry) = settled.entry(deal) {
                let told = streets.certified(deal, &what).await;
                streets.nothing_was_lost(&told, &keys, &what);
                entry.insert(told);
            }
        }
        streets.nobody_equivocated(&what).await;
        checks::conserved(&streets.chain).await;
        report.push(serde_json::json!({
            "seed": seed,
            "killed": plan.victims.iter().map(|victim| &streets.roles[*victim].name).collect::<Vec<_>>(),
            "after_ms": plan.after.as_millis(),
            "down_ms": plan.down.as_millis(),
            "acknowledged": acknowledged.deal.is_some(),
            "paid_out": acknowledged.payout,
            "settled_ms": begun.elapsed().as_millis(),
        }));
        println!("{}", report[report.len() - 1]);
    }
    for told in settled.values() {
        streets.results_hold(told).await;
    }
    if let Some(path) = std::env::var_os("GUILDHALL_CRASH_REPORT") {
        let [date, commit] =
            ["GUILDHALL_CRASH_DATE", "GUILDHALL_CRASH_COMMIT"].map(|name| std::env::var(name).unwrap());
        let report =
            serde_json::json!({ "date": date, "commit": commit, "deals": settled.len(), "runs": report });
        fs::write(path, serde_json::to_string_pretty(&report).unwrap() + "\n").unwrap();
    }
}
