//! Chains as they are: nodes that misbehave, blocks that are taken back, time that jumps, fees that rise.

use std::{sync::Arc, time::Duration};

use alloy::{
    primitives::U256,
    providers::{Provider as _, ProviderBuilder},
};
use guildhall::{
    city::{CityChain, CityConfig, Wrap},
    requester::history::History,
};
use guildhall_protocol::{Parameters, Secs};
use guildhall_testkit::{Anvil, Faults, FaultyNode, checks};
use guildhall_worker::{Assignment, ExecuteError, Executed, Executor, ProgressSender};
use tokio::sync::Semaphore;

use crate::support::{
    city::{On, Shopping, Town},
    gated::Gate,
};

/// A wave so long that what a test does to the chain fits into it.
fn patient(config: CityConfig) -> CityConfig {
    let parameters = Parameters { patience_base_secs: Secs(40), ..config.parameters };
    CityConfig { parameters, ..config }
}

/// A city whose node is reached through a proxy with faults; `checked` = the node itself is asked, too.
async fn found_behind(
    seed: u64,
    checked: bool,
    change: impl FnOnce(CityConfig) -> CityConfig,
) -> (Town, FaultyNode) {
    let mut proxy = None;
    // One more than must agree, and short waves: who is cut off misses one.
    let town = Town::found_with(On::Anvil, 5, |config| {
        let CityChain::Node { url, funder, .. } = &config.chain else { panic!("a city on a node") };
        let faulty = FaultyNode::before(url.as_str(), seed).expect("a free port");
        let second = checked.then(|| url.clone());
        let chain =
            CityChain::Node { url: faulty.url().parse().expect("a URL"), second, funder: funder.clone() };
        proxy = Some(faulty);
        let parameters = Parameters { patience_base_secs: Secs(12), ..config.parameters };
        change(CityConfig { chain, parameters, ..config })
    })
    .await;
    (town, proxy.expect("started"))
}

fn is_certified(told: &History, batches: u32) -> bool {
    (0..batches).all(|batch| told.certificate(batch).is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_drops_stalls_refuses_and_lags_costs_time_only() {
    let (town, node) = found_behind(1, false, |config| config).await;
    let inputs = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
    let opened = town.buy(&town.hello, Shopping::of(&inputs)).await.expect("the deal opens");
    node.set(Faults { broken: 30, unanswered: 30, stalled: 10, refused: 40, failed: 30, old: 60, forged: 0 });
    let told = town.settled(&opened).await;
    node.set(Faults::default());
    let told = town.history(told.terms.deal()).await;
    assert!(is_certified(&told, 8), "{:?}", told.refunded);
    assert!(node.met() > 20, "there were faults: {}", node.met());
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

/// Begins to execute once it is let go.
#[derive(Debug)]
struct Starting {
    honest: Arc<dyn Executor>,
    begun: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

#[async_trait::async_trait]
impl Executor for Starting {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError> {
        self.begun.add_permits(1);
        drop(self.go.acquire().await);
        self.honest.execute(assignment, progress).await
    }
}

/// The node is away for ten blocks just as all workers ask it what to execute: nobody gives up its seat.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_away_as_the_work_begins_is_waited_for() {
    let (begun, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (told, door) = (begun.clone(), go.clone());
    let start: Wrap =
        Arc::new(move |_, honest| Arc::new(Starting { honest, begun: told.clone(), go: door.clone() }));
    let wrap = Some(start);
    let (town, node) = found_behind(3, false, |config| patient(CityConfig { wrap, ..config })).await;
    let opened = town.buy(&town.hello, Shopping::of(&["patience"])).await.expect("the deal opens");
    begun.acquire_many(5).await.expect("open").forget();
    node.set(Faults { broken: 1_000, ..Faults::default() });
    go.add_permits(1);
    let direct = ProviderBuilder::new().connect(town.anvil().url()).await.expect("the node itself");
    let back = direct.get_block_number().await.expect("a number") + 10;
    while direct.get_block_number().await.expect("a number") < back {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    node.set(Faults::default());
    let told = town.settled(&opened).await;
    assert_eq!(told.certificate(0).expect("certified").certified.certificate.attempt, 0, "in the first draw");
    town.city.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_that_a_node_makes_up_are_not_believed_where_a_second_one_is_asked() {
    let (town, node) = found_behind(2, true, |config| config).await;
    // Every other receipt says the contrary of what happened: of a deal's few perhaps none.
    node.set(Faults { forged: 500, ..Faults::default() });
    for deal in 0.. {
        assert!(deal < 20, "none was made up");
        let told = town.certified(&town.hello, Shopping::of(&["one", "two", "three", "four"])).await;
        assert!(is_certified(&told, 4));
        if node.met() > 0 {
            break;
        }
    }
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

/// The opening of a deal is taken back while its tasks are executed, and comes again in another block with another lot; then its
/// certificate is taken back and lost.
async fn is_done_again_after_a_reorganisation_of(depth: u64) {
    let gate = Gate::new();
    let wrap = Some(gate.wrap());
    let town = Town::found_with(On::Anvil, 3, |config| patient(CityConfig { wrap, ..config })).await;
    town.anvil().mine(12).await.expect("blocks without anything of ours");
    let opened = town.buy(&town.hello, Shopping::of(&["once more"])).await.expect("the deal opens");
    gate.executed(3).await;
    town.anvil().reorganise(depth, true).await.expect("another fork");
    gate.open();
    let told = town.settled(&opened).await;
    let first = told.certificate(0).unwrap_or_else(|| panic!("{:?}", told.refunded));
    let certified_in = async || {
        let told = town.history(opened.deal).await;
        told.certificate(0).map(|certificate| certificate.position.block)
    };
    // Another block that comes meanwhile is taken back in the place of the certificate's: once more, then.
    while certified_in().await == Some(first.position.block) {
        let head = town.city.chain.head().await.expect("a head").block.number;
        let depth = head - first.position.block.number + 1;
        town.anvil().reorganise(depth, false).await.expect("another fork");
    }
    town.until("it is certified again", async || certified_in().await.is_some()).await;
    let told = town.history(opened.deal).await;
    let fetched = town.fetch(&told, 0).await;
    assert_eq!(fetched.output, b"once more");
    assert!(town.verify(&told, 0, &fetched).await.holds());
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reorganisation_of_one_block_takes_back_is_done_again() {
    is_done_again_after_a_reorganisation_of(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reorganisation_of_five_blocks_takes_back_is_done_again() {
    is_done_again_after_a_reorganisation_of(5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reorganisation_of_twelve_blocks_takes_back_is_done_again() {
    is_done_again_after_a_reorganisation_of(12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_that_stood_still_for_an_hour_goes_on() {
    let gate = Gate::new();
    let wrap = Some(gate.wrap());
    let town = Town::found_with(On::Anvil, 3, |config| CityConfig { wrap, ..config }).await;
    let shopping = Shopping { deadline_secs: 3 * 3_600, ..Shopping::of(&["an hour later"]) };
    let opened = town.buy(&town.hello, shopping).await.expect("the deal opens");
    gate.executed(3).await;
    let now = town.city.chain.head().await.expect("a head").time.0;
    town.jump_to(now + 3_600).await;
    town.until("it is drawn anew", async || {
        town.history(opened.deal).await.events.iter().any(|event| event.name == "Reopened")
    })
    .await;
    gate.open();
    let told = town.settled(&opened).await;
    let certificate = told.certificate(0).expect("drawn anew").certified.certificate;
    assert!(certificate.attempt > 0, "the waves of the first draw were over");
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

/// Nobody here looks at the machine's clock: the chain's is an hour behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_whose_clock_is_an_hour_ahead_takes_part() {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let anvil = Anvil::start_with(&["--timestamp", &(now - 3_600).to_string()]).expect("anvil starts");
    let town = Town::found_on(Some(anvil), 3, |config| config).await;
    let told = town.certified(&town.hello, Shopping::of(&["what time is it"])).await;
    assert!(told.terms.opened().time.0 < now - 3_000, "the chain's own time");
    let fetched = town.fetch(&told, 0).await;
    assert!(town.verify(&told, 0, &fetched).await.holds());
    town.city.stop().await;
}

/// More blocks than one range of logs; ten thousand, which take this node a minute to make, are caught up in `make bench`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_that_were_missed_are_caught_up_and_what_nobody_worked_on_is_drawn_anew() {
    let mut town = Town::found(On::Anvil, 3, None).await;
    for worker in 0..3 {
        town.city.switch_off(worker).await;
    }
    let shopping = Shopping { deadline_secs: 6 * 3_600, ..Shopping::of(&["from long ago"]) };
    let opened = town.buy(&town.hello, shopping).await.expect("the deal opens");
    let town =
        town.restart_after(async |anvil| anvil.expect("a node").mine(2_500).await.expect("blocks")).await;
    let told = town.settled(&opened).await;
    assert!(is_certified(&told, 1), "what was bought before is certified now: {:?}", told.refunded);
    town.certified(&town.hello, Shopping::of(&["and what is bought now"])).await;
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}

/// For some blocks gas costs more than anybody here may offer; what is due waits, and gets in as fees fall.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fees_beyond_every_limit_are_waited_out() {
    let gate = Gate::new();
    let wrap = Some(gate.wrap());
    let town = Town::found_with(On::Anvil, 3, |config| patient(CityConfig { wrap, ..config })).await;
    let opened = town.buy(&town.hello, Shopping::of(&["dear"])).await.expect("the deal opens");
    gate.executed(3).await;
    let provider = town.city.chain.provider();
    let spike = U256::from(4_000_000_000_000_u64);
    let set: Result<(), _> = provider.raw_request("anvil_setNextBlockBaseFeePerGas".into(), [spike]).await;
    set.expect("anvil sets it");
    town.anvil().mine(1).await.expect("a dear block");
    gate.open();
    let told =
        tokio::time::timeout(Duration::from_secs(100), town.settled(&opened)).await.expect("fees fall");
    assert!(is_certified(&told, 1), "{:?}", told.refunded);
    checks::conserved(&town.city.chain).await;
    town.city.stop().await;
}
