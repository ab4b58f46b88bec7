//! Devices as they are: they come and go, sleep, are far away, and change their addresses.

use std::{io, thread, time::Duration};

use guildhall::requester::history::History;
use guildhall_protocol::list::CLAIM_LEADING;
use guildhall_testkit::{Link, LinkConfig, MemoryLimit, checks};
use rand::{Rng as _, SeedableRng, rngs::StdRng};
use rustix::process::{Signal, kill_process};

use crate::support::streets::{PATIENCE, Streets, WORKERS};

/// A deal that three operators of the four are enough for, in the second wave, too.
const POLICY: &str = "--confidence 3 --operators 3 --executions-max 5 --window 1m --deadline 20m --fuel 100M";
/// How often somebody goes: each dies once, and sleeps once.
const TURNS: usize = 2 * WORKERS.len();
/// A device on a bad line.
const FAR: LinkConfig =
    LinkConfig { delay: Duration::from_millis(150), loss_permille: 20, bits_per_sec: 256_000, seed: 1 };

/// One worker after the other dies, or is asleep for a while, and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_come_and_go_every_few_seconds_get_the_work_done() {
    let mut streets = Streets::found().await;
    let app = streets.asset("hello");
    let mut deals = Vec::new();
    for turn in 0..TURNS {
        // New work in each turn: however fast the machine is, there is some while somebody is away.
        let mut input = |task| streets.desk.file(&format!("{turn}-{task}.txt"), format!("{turn} {task}"));
        let inputs: Vec<_> = (0..8).map(&mut input).collect();
        let name = WORKERS[turn % WORKERS.len()];
        tokio::task::block_in_place(|| {
            deals.push(streets.order(&format!("--app {app} --batch-size 2 {POLICY}"), &inputs));
            if turn < WORKERS.len() { streets.blink(name) } else { streets.nod(name) }
        });
    }
    for deal in deals {
        let told = streets.certified(deal, "with workers that come and go").await;
        streets.results_hold(&told).await;
    }
    streets.nobody_equivocated("coming and going").await;
    checks::conserved(&streets.chain).await;
}

/// 300 ms there and back, 2 % lost each way, 256 kbit/s: it takes its part in time, though its address changes while it fetches the
/// input. That a fetch goes on where it stopped is shown by the blobs' own tests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_on_a_slow_and_lossy_line_takes_part_though_its_address_changes() {
    let Some(link) = as_root(Link::lay(FAR)) else { return };
    let mut streets = Streets::found_at(&link.host().to_string()).await;
    let far = WORKERS[0];
    streets.worker(far).program.splice(0..0, link.there());
    streets.start_workers();
    let mut bytes = vec![0; 300_000];
    StdRng::seed_from_u64(1).fill_bytes(&mut bytes);
    let input = streets.desk.file("big", &bytes);
    let app = streets.asset("hello");
    // Four operators of four, and a minute more than the first wave has.
    let policy = "--confidence 16 --operators 4 --executions-max 5 --window 1m --deadline 20m --fuel 30G";
    let deal = tokio::task::block_in_place(|| streets.order(&format!("--app {app} {policy}"), &[input]));
    until("it has a seat", || streets.has_said(far, "seat_drawn")).await;
    let before = link.carried();
    until("half of the bytes are there", || link.carried() > before + bytes.len() as u64 / 2).await;
    link.move_to(3).unwrap();
    let told = streets.certified(deal, "over a bad line").await;
    streets.worked(&told, far);
    streets.nobody_equivocated("over a bad line").await;
    checks::conserved(&streets.chain).await;
}

/// 512 MB, for the worker, for what it compiles, and for what it executes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_with_half_a_gigabyte_of_memory_takes_part() {
    let limit = match MemoryLimit::of(512 << 20) {
        Ok(limit) => limit,
        // Containers often have no control groups of their own to give, root or not.
        Err(error) => return println!("not run: no control group can be made: {error}"),
    };
    let mut streets = Streets::found_at("127.0.0.1").await;
    let small = WORKERS[0];
    streets.worker(small).program.splice(0..0, limit.within());
    streets.start_workers();
    let inputs: Vec<_> =
        (0..4).map(|task| streets.desk.file(&format!("{task}.txt"), "word ".repeat(200_000))).collect();
    let app = streets.asset("wordcount");
    let policy = "--confidence 16 --operators 4 --executions-max 5 --window 1m --deadline 20m --fuel 10G";
    let deal = tokio::task::block_in_place(|| streets.order(&format!("--app {app} {policy}"), &inputs));
    let told = streets.certified(deal, "with a small board").await;
    streets.worked(&told, small);
    assert_eq!(limit.kills().unwrap(), 0, "nothing was killed");
    streets.results_hold(&told).await;
}

/// `GUILDHALL_BOARD` is the command, built for aarch64: it runs here under qemu.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes the command for another architecture: scripts/board.sh test"]
async fn a_worker_on_another_architecture_joins_the_same_deal() {
    let mut streets = Streets::found_at("127.0.0.1").await;
    let other = WORKERS[0];
    streets.worker(other).program = vec![std::env::var("GUILDHALL_BOARD").expect("the command's path")];
    streets.start_workers();
    let inputs: Vec<_> = ["one", "two"].map(|task| streets.desk.file(task, task)).into();
    let app = streets.asset("hello");
    let policy = "--confidence 16 --operators 4 --executions-max 5 --window 1m --deadline 20m --fuel 1G";
    let deal = tokio::task::block_in_place(|| streets.order(&format!("--app {app} {policy}"), &inputs));
    let told = streets.certified(deal, "with a worker on another architecture").await;
    streets.worked(&told, other);
    streets.results_hold(&told).await;
}

/// What only root can make; without it the test is not run, and says so.
fn as_root<T>(made: io::Result<T>) -> Option<T> {
    if rustix::process::geteuid().is_root() {
        return Some(made.unwrap());
    }
    println!("not run: it takes root");
    None
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

impl Streets {
    /// A worker dies and is back a second later.
    fn blink(&mut self, name: &str) {
        self.worker(name).kill();
        thread::sleep(Duration::from_secs(1));
        self.start(name);
    }

    /// A worker sleeps for two seconds, and does not know it.
    fn nod(&mut self, name: &str) {
        let process = self.worker(name).process().unwrap();
        kill_process(process, Signal::STOP).unwrap();
        thread::sleep(Duration::from_secs(2));
        kill_process(process, Signal::CONT).unwrap();
    }

    /// A worker's contribution is in the certificate, among those that agree.
    fn worked(&self, told: &History, name: &str) {
        let (certified, key) = (&told.certificate(0).unwrap().certified, self.key(name));
        let claim = certified.members.iter().find(|member| member.worker == key).map(|member| member.claim);
        assert_eq!(claim, Some(CLAIM_LEADING), "{certified:?}\n{}", self.logs());
    }

    fn has_said(&self, name: &str, step: &str) -> bool {
        self.said.lock().unwrap().iter().any(|(who, value)| who == name && value["step"] == step)
    }
}
