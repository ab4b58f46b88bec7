//! What the commands say on a real chain: of a key that is not there or does not open, and of a server that lies.

use crate::support::{
    self, Desk,
    alarm::deploy_alarm,
    city::{On, Shopping, Town, app},
    commands::{self, CASES, DEAL, KEYS, PATHS, Path, Takes, WORKER, case_of},
    redact::redact,
};
use alloy::{
    primitives::{U256, aliases::U96, keccak256},
    sol_types::SolCall,
};
use guildhall::{orders::Order, requester::store::reader};
use guildhall_api::{Bundle, Produced};
use guildhall_chain::{Call, bindings::Vault};
use guildhall_protocol::{ContentId, manifest::Manifest};
use serde_json::Value;

/// A desk in which every case is fine but for what a test makes wrong, and the flags for a city of one worker.
struct Refusals {
    desk: Desk,
    worker: String,
    flags: Vec<String>,
}

impl Refusals {
    fn of(town: &Town) -> Self {
        let desk = Desk::new();
        desk.json(&["key", "new", "alice", "--password-file", "password"]);
        desk.file("data", "some bytes");
        desk.file("app.wasm", app("hello"));
        desk.file("wrong", "battery staple");
        let deployment = town.city.chain.deployment();
        let request = commands::request(deployment.chain_id, deployment.market);
        guildhall::orders::write(&desk.path().join("request.json"), &request).unwrap();
        let folder = desk.path().join("orders");
        std::fs::create_dir(&folder).unwrap();
        for (file, order) in town.city.orders().list().unwrap() {
            guildhall::orders::write(&folder.join(file.file_name().unwrap()), &order).unwrap();
        }
        let (chain, file) = (town.city.rpc_url().unwrap(), town.dir().join("deployment.json"));
        let file = file.display().to_string();
        let flags = ["--chain", &chain, "--deployment", &file, "--json"].map(str::to_owned).to_vec();
        Self { desk, worker: town.city.workers()[0].address().to_string(), flags }
    }

    /// The code of the error that a command told; the command ended with 2, gave a hint and no result.
    fn code(&self, command: &[&str], more: &[&str]) -> Value {
        let command = command.iter().map(|&word| if word == WORKER { self.worker.as_str() } else { word });
        let flags = self.flags.iter().map(String::as_str);
        let words: Vec<_> = command.chain(flags).chain(more.iter().copied()).collect();
        let output = self.desk.run(&words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", self.desk.show(&output));
        assert!(output.stdout.is_empty(), "{words:?}: {}", self.desk.show(&output));
        let said: Value = serde_json::from_slice(output.stderr.trim_ascii())
            .unwrap_or_else(|error| panic!("{words:?}: {error}: {}", self.desk.show(&output)));
        assert!(said["error"]["hint"].is_string(), "{words:?}: {said}");
        said["error"]["code"].clone()
    }
}

const ALICE: &[&str] = &["--key", "alice", "--password-file", "password"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_told_by_every_command_that_takes_one() {
    let town = Town::found(On::Embedded, 1, None).await;
    town.city.sell_dataset("data", b"data".to_vec(), U96::from(1)).await.unwrap();
    tokio::task::block_in_place(|| {
        let refusals = Refusals::of(&town);
        for case in CASES.iter().filter(|case| case.takes.contains(&Takes::Key)) {
            for (key, password, code) in
                [("nobody", "password", "keys.missing"), ("alice", "wrong", "keys.wrong_password")]
            {
                let with = ["--key", key, "--password-file", password];
                assert_eq!(refusals.code(case.args, &with), code, "{:?}", case.args);
            }
        }
        for (words, arg, command) in KEYS {
            assert_eq!(refusals.code(command, ALICE), "keys.missing", "{words}: {arg}");
        }
        // A deal that the chain does not know is told as well, and by which id.
        for command in ["get", "verify", "replay"] {
            assert_eq!(refusals.code(&["result", command, DEAL], &[]), "deal.missing");
        }
        // And what is not there is told with one code everywhere.
        for command in [&["pool", "show", "9"] as &[&str], &["quote", "--app", "1", "--pool", "9"]] {
            assert_eq!(refusals.code(command, &[]), "pool.missing");
        }
        for command in [
            &["order", "sign", "app", "--app", "9", "--price", "1"] as &[&str],
            &["order", "sign", "dataset", "--dataset", "9", "--price", "1"],
            // A number is an app's or a dataset's, never both.
            &["order", "sign", "dataset", "--dataset", "1", "--price", "1"],
            &["deal", "create", "--app", "9", "--pool", "1", "data"],
        ] {
            assert_eq!(refusals.code(command, ALICE), "asset.missing", "{command:?}");
        }
    });
    town.city.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_file_is_told_by_every_command_that_reads_one() {
    let town = Town::found(On::Embedded, 1, None).await;
    town.city.sell_dataset("data", b"data".to_vec(), U96::from(1)).await.unwrap();
    tokio::task::block_in_place(|| {
        let refusals = Refusals::of(&town);
        for (words, arg, path) in PATHS {
            let command = match path {
                Path::Read(more) if case_of(words).args.contains(&"data") && more == &["none"] => {
                    // The input itself: instead of the one that is there.
                    let args = case_of(words).args.iter().copied().filter(|word| *word != "data");
                    args.chain(["none"]).collect()
                }
                Path::Read(more) => [case_of(words).args, more].concat(),
                Path::ReadAs(command) => command.to_vec(),
                Path::Other => continue,
            };
            let code = refusals.code(&command, ALICE);
            let expected = if *arg == "keystore" { "keys.missing" } else { "file.missing" };
            assert_eq!(code, expected, "{words}: {arg}");
        }
        let without = ["--key", "alice", "--password-file", "none"];
        assert_eq!(refusals.code(&["key", "show"], &without), "file.missing");
    });
    town.city.stop().await;
}

/// A bundle that is whole in itself, and of another batch than the certified one: no command takes it for the result.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lying_server_is_told_by_every_command_that_reads_results() {
    let town = Town::found(On::Embedded, 3, None).await;
    let opened = town.buy(&town.hello, Shopping::of(&["the truth"])).await.unwrap();
    let told = town.settled(&opened).await;
    let honest = town.fetch(&told, 0).await;
    let lie = b"a lie".to_vec();
    let mut receipt = honest.receipt.receipt;
    receipt.output_digest = keccak256(&lie);
    let forged = Bundle::build(vec![receipt], vec![Produced::Bytes(lie)]).unwrap().encode();
    let desk = Desk::new();
    desk.file("forged", forged);
    let (chain, deployment) = (town.city.rpc_url().unwrap(), town.dir().join("deployment.json"));
    let (deployment, deal) = (deployment.display().to_string(), opened.deal.to_string());
    let told = tokio::task::spawn_blocking(move || {
        let on_chain = ["--chain", &chain, "--deployment", &deployment, "--json"];
        let run = |command: &[&str]| desk.run(&[&["result"], command, on_chain.as_slice()].concat());
        for command in ["get", "replay"] {
            let output = run(&[command, &deal, "--bundle", "forged"]);
            assert_eq!(output.status.code(), Some(1), "{command}: {}", desk.show(&output));
            assert!(output.stdout.is_empty(), "{command}: {}", desk.show(&output));
            let said: Value = serde_json::from_slice(&output.stderr).unwrap();
            assert_eq!(said["error"]["code"], "result.not_verified", "{said}");
        }
        let output = run(&["verify", &deal, "--bundle", "forged"]);
        assert_eq!(output.status.code(), Some(1), "{}", desk.show(&output));
        for command in ["get", "verify", "replay"] {
            let output = run(&[command, &deal]);
            assert_eq!(output.status.code(), Some(0), "{command}: {}", desk.show(&output));
            assert!(serde_json::from_slice::<Value>(&output.stdout).unwrap().is_object(), "{command}");
        }
    });
    told.await.unwrap();
    town.city.stop().await;
}

/// Somebody in the city's own directory: what commands say, as text and as JSON, with what differs from run to run hidden.
struct Teller {
    desk: Desk,
}

impl Teller {
    fn of(town: &Town) -> Self {
        Self { desk: Desk::in_city(town) }
    }

    /// The text that a command prints, against the snapshot of this name.
    fn text(&self, name: &str, words: &str) {
        let words: Vec<_> = words.split(' ').collect();
        insta::assert_snapshot!(name, redact(&self.desk.told(&words)));
    }

    /// Its JSON, against the snapshot of this name; gives it back as it was.
    fn json(&self, name: &str, words: &str) -> Value {
        let words: Vec<_> = words.split(' ').collect();
        let said = self.desk.json(&words);
        insta::assert_snapshot!(format!("{name}_json"), redact(&self.desk.hide(&format!("{said:#}"))));
        said
    }

    /// Both, of a command that may be said twice.
    fn both(&self, name: &str, words: &str) -> Value {
        self.text(name, words);
        self.json(name, words)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_owners_and_operators_are_told() {
    let town = Town::found(On::Embedded, 1, None).await;
    tokio::task::block_in_place(|| {
        let teller = Teller::of(&town);
        teller.both("doctor", "doctor --key requester");
        teller.both("pool_list", "pool list");
        teller.both("pool_show", "pool show 1");
        teller.both("stake_show", "stake show --key operator-1 --worker worker-1");
        teller.both("stake_add", "stake add 1 --worker worker-1 --key operator-1");
        teller.both("stake_deposit", "stake deposit 2 --key requester");
        teller.both("stake_withdraw", "stake withdraw 1 --key requester");
        // A key made here opens here, and the owner of a pool needs nothing else.
        let heir = town.city.keys.requester.address().to_string();
        teller.text("key_new", "key new harbour");
        // Whoever joins from elsewhere needs the worker's word.
        teller.both("pool_prove", &format!("pool prove 1 --worker worker-1 --operator {heir}"));
        teller.desk.json(&["key", "new", "quay"]);
        // Somebody new gets coins for gas and a balance from those who have them.
        teller.both("stake_gas", "stake gas 0.25 --to harbour --key deployer");
        teller.json("stake_deposit_to", "stake deposit 3 --to harbour --key requester");
        let harbour = teller.desk.json(&["stake", "show", "harbour"]);
        let units = |thousandths: u128| (thousandths * 10_u128.pow(15)).to_string();
        assert_eq!((&harbour["coins_wei"], &harbour["balance"]), (&units(500).into(), &units(3_000).into()));
        teller.text("pool_create", "pool create harbour --coordinator harbour --key owner");
        teller.json("pool_create", "pool create quay --coordinator quay --key owner");
        teller.both("pool_endpoint", "pool endpoint 2 http://pool.example:8650 --key owner");
        teller.both("pool_invite", "pool invite 2 0x2222222222222222222222222222222222222222 --key owner");
        let set = teller.both("pool_set", "pool set 2 --share 5 --invitation true --key owner");
        assert_eq!((&set["share_percent"], &set["invitation"]), (&5.into(), &true.into()));
        let before = teller.desk.json(&["pool", "show", "2"]);
        let after = teller.both("pool_deposit", "pool deposit 2 1 --key owner");
        let deposit = |shown: &Value| shown["deposit"].as_str().unwrap().parse::<u128>().unwrap();
        assert_eq!(deposit(&after) - deposit(&before), 2 * 10_u128.pow(18));
        let closed = teller.json("pool_close", "pool close 2 --key owner");
        assert_eq!(closed["closing"], true);
        teller.text("pool_close_too_early", "pool close 2 --key owner");
        teller.both("pool_collect", "pool collect 1 --key owner");
        let transferred = teller.json("pool_transfer", &format!("pool transfer 2 {heir} --key owner"));
        assert_eq!(transferred["owner"].as_str().map(str::to_lowercase), Some(heir.to_lowercase()));
        teller.text("pool_set_by_its_former_owner", "pool set 2 --share 9 --key owner");
    });
    town.city.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_authors_are_told() {
    let town = Town::found(On::Embedded, 1, None).await;
    let url = town.city.coordinator_url();
    tokio::task::block_in_place(|| {
        let teller = Teller::of(&town);
        let path = teller.desk.file("app.wasm", app("hello"));
        let data = teller.desk.file("model", "weights");
        let (path, data) = (path.display(), data.display());
        // Stored first: what nobody keeps gets no number.
        let words = format!("app register {path} --name greeter --key author --store http://127.0.0.1:1");
        let output = teller.desk.run(&words.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{}", teller.desk.show(&output));
        teller.text("app_register", &format!("app register {path} --name greeter --key author"));
        let words = format!("app register {path} --name greeter --key author --store {url}");
        assert_eq!(teller.json("app_register", &words)["stored"], format!("{url}/"));
        let words = format!("dataset register {data} --key author --store {url}");
        teller.both("dataset_register", &words);
        // Somebody without a balance may store what is registered as theirs.
        teller.desk.json(&["key", "new", "novice"]);
        teller.desk.json(&["stake", "gas", "0.1", "--to", "novice", "--key", "deployer"]);
        let words = format!("dataset register {data} --key novice --store {url} --json");
        let output = teller.desk.run(&words.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(0), "{}", teller.desk.show(&output));
        teller.both("order_sign_app", "order sign app --app 2 --price 0.5 --key author");
        teller.both("order_sign_dataset", "order sign dataset --dataset 4 --price 0.05 --key author");
        let pool = town.dir().join("orders/pool-second.json").display().to_string();
        teller.both(
            "order_sign_pool",
            &format!("order sign pool --pool 1 --fee 0.001 --key owner --out {pool}"),
        );
        let file = town.dir().join("offer.json").display().to_string();
        let sign = "order sign app --app 3 --price 0.25 --on-chain --key author --out";
        teller.both("order_sign_on_chain", &format!("{sign} {file}"));
        teller.both("order_list", "order list");
        teller.both("order_cancel", &format!("order cancel {file} --key author"));
        teller.both("order_cancel_all", "order cancel --all-of-asset 4 --key author");
        // The next order of that dataset has the nonce that the Registry wants now.
        let signed = teller.desk.json(&[
            "order",
            "sign",
            "dataset",
            "--dataset",
            "4",
            "--price",
            "1",
            "--key",
            "author",
        ]);
        let kept: Value =
            serde_json::from_slice(&std::fs::read(signed["file"].as_str().unwrap()).unwrap()).unwrap();
        assert_eq!(kept["order"]["nonce"], "2", "{kept}");
    });
    town.city.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_deliverers_are_told() {
    let town = Town::found(On::Embedded, 3, None).await;
    let (teller, alarm) = (Teller::of(&town), deploy_alarm(&town).await);
    let reading = teller.desk.path().join("reading").display().to_string();
    std::fs::write(&reading, U256::from(3_150).to_be_bytes::<32>()).unwrap();
    let quick = QUICK.replace("--window 1h", "--window 10s");
    let create = format!("deal create {quick} {reading} --tasks 3 --callback {alarm} --callback-gas 200000");
    let made = tokio::task::block_in_place(|| {
        teller.json("deal_create_tip", &format!("{create} --provisional --tip 0.5 --wait"))
    });
    let deal: guildhall_protocol::DealId = made["deal"].as_str().unwrap().parse().unwrap();
    let told = town.history(deal).await;
    for task in 0..3 {
        town.fetch(&told, task).await;
    }
    tokio::task::block_in_place(|| {
        teller.text("deal_show_tip", &format!("deal show {deal}"));
        // The example wants final results: nothing is delivered, and nothing paid.
        teller.text("deliver_refused", &format!("deliver {deal} 0 --key author"));
    });
    town.jump_to(told.certificate(0).unwrap().certified.certificate.finalAt + 1).await;
    let balance =
        || teller.desk.json(&["stake", "show", "author"])["balance"].as_str().unwrap().parse::<u128>();
    tokio::task::block_in_place(|| {
        let before = balance().unwrap();
        teller.text("deliver_tip", &format!("deliver {deal} 0 --key author"));
        let delivered = teller.json("deliver_tip", &format!("deliver {deal} 1 --key author"));
        assert_eq!(delivered["tip"], (5 * 10_u128.pow(17)).to_string());
        assert_eq!(balance().unwrap() - before, 10_u128.pow(18));
    });
    let chain = &town.city.chain;
    let (vault, requester) = (chain.deployment().vault, town.city.keys.requester.address());
    let amount = chain.balance(requester).await.unwrap().0;
    let data = Vault::withdrawCall { amount, to: requester }.abi_encode().into();
    town.city.requester().send(Call { to: Some(vault), data, value_wei: U256::ZERO }).await.unwrap();
    tokio::task::block_in_place(|| {
        let before = balance().unwrap();
        teller.text("deliver_tip_without_balance", &format!("deliver {deal} 2 --key author"));
        assert_eq!(balance().unwrap(), before);
        teller.text("deliver_twice", &format!("deliver {deal} 2 --key author"));
    });
    town.city.stop().await;
}

/// The flags of a deal that three workers certify at once.
const QUICK: &str = "--app 1 --pool 1 --fuel 100M --confidence 16 --window 1h --deadline 10m --key requester";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_requesters_are_told() {
    let mut town = Town::found(On::Embedded, 3, None).await;
    let teller = Teller::of(&town);
    let input = teller.desk.file("input.txt", "hello").display().to_string();
    let made = tokio::task::block_in_place(|| {
        teller.both("quote", "quote --app 1 --pool 1 --fuel 100M --confidence 16 --tasks 2");
        let made =
            teller.json("deal_create_wait", &format!("deal create {QUICK} {input} --env LANG=C --wait"));
        assert!(made["opening"]["gas"].as_u64().unwrap() > 0, "{made}");
        made
    });
    let deal: guildhall_protocol::DealId = made["deal"].as_str().unwrap().parse().unwrap();
    // A member stores the bundle a moment after the certificate.
    let told = town.history(deal).await;
    town.fetch(&told, 0).await;
    let store = reader(&town.dir().join("cache/blobs"), &town.city.coordinator_url()).await.unwrap();
    let manifest = store.get(ContentId(told.terms.inputs), 1 << 20).await.unwrap();
    assert_eq!(Manifest::parse(&manifest).unwrap().env(), [("LANG".to_owned(), "C".to_owned())]);
    tokio::task::block_in_place(|| {
        teller.both("deal_show", &format!("deal show {deal}"));
        teller.both("deal_watch", &format!("deal watch {deal} --quiet"));
        teller.both("result_get", &format!("result get {deal} 0"));
        teller.both("result_verify", &format!("result verify {deal} 0"));
        teller.both("result_replay", &format!("result replay {deal} 0"));
        teller.both("dispute_show_none", &format!("dispute show {deal}"));
        teller.text("dispute_open_same", &format!("dispute open {deal} 0 --key requester"));
        teller.text("dispute_prove_same", &format!("dispute prove {deal} --key requester"));
        teller.text("dispute_settle_none", &format!("dispute settle {deal} 0 --key requester"));
        teller.text("dispute_appeal_none", &format!("dispute appeal {deal} 0 --key requester"));
        let bundle = town.dir().join("bundle").display().to_string();
        teller.desk.json(&["result", "get", &deal.to_string(), "--bundle-to", &bundle]);
        // Without any coordinator: the chain and the bundle suffice.
        teller.desk.json(&["pool", "endpoint", "1", "--key", "owner"]);
        let held = teller.desk.json(&["result", "verify", &deal.to_string(), "--bundle", &bundle]);
        assert!(held["verified"].is_object(), "{held}");
        teller.desk.json(&["pool", "endpoint", "1", &town.city.coordinator_url(), "--key", "owner"]);
        teller.text("expire_certified", &format!("expire {deal} 0 --key requester"));
        teller.text("release_too_early", &format!("release {deal} 0 --key requester"));
        teller.text("deliver_without_callback", &format!("deliver {deal} 0 --key requester"));
    });
    for worker in 0..3 {
        town.city.switch_off(worker).await;
    }
    tokio::task::block_in_place(|| {
        teller.text("deal_create", &format!("deal create {QUICK} {input}"));
        let open = teller.json("deal_create", &format!("deal create {QUICK} {input} {input}"));
        let open = open["deal"].as_str().unwrap().to_owned();
        teller.text("deal_show_open", &format!("deal show {open}"));
        teller.text("expire_too_early", &format!("expire {open} 0 --key requester"));
        teller.text("result_of_an_open_batch", &format!("result get {open} 0"));
        teller.text("deal_watch_timeout", &format!("deal watch {open} --timeout 0s --quiet"));
        // Registered, and its bytes left with no pool.
        let wasm = support::city::apps_dir().join("wordcount.wasm").display().to_string();
        let app = teller.desk.json(&["app", "register", &wasm, "--name", "words", "--key", "author"]);
        let app = app["id"].to_string().replace('"', "");
        teller.desk.json(&["order", "sign", "app", "--app", &app, "--price", "0.001", "--key", "author"]);
        teller.text(
            "deal_without_bytes",
            &format!("deal create {} {input}", QUICK.replace("--app 1", &format!("--app {app}"))),
        );
    });
    town.city.stop().await;
}

/// What ends: earnings are collected, a batch expires, a worker moves, leaves, is woken and takes its bond.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_when_something_ends() {
    let mut town = Town::found(On::Embedded, 4, None).await;
    // It has a seat in every round of so small a pool, and never comes.
    town.city.switch_off(3).await;
    let teller = Teller::of(&town);
    let input = teller.desk.file("input.txt", "hello").display().to_string();
    tokio::task::block_in_place(|| {
        let made = teller.desk.json(&words(&format!("deal create {QUICK} {input} --wait")));
        let deal = made["deal"].as_str().unwrap();
        teller.text("pool_report_too_early", "pool report --worker worker-4 --key owner");
        for _ in 1..8 {
            teller.desk.json(&words(&format!("deal create {QUICK} {input} --wait")));
        }
        teller.json("pool_report", "pool report --worker worker-4 --key owner");
        let shown = teller.desk.json(&words("stake show --key operator-4 --worker worker-4"));
        assert_eq!(shown["worker"]["activity"], "dormant", "{shown}");
        teller.both("stake_collect", "stake collect --key operator-1");
        teller.text("inquest_open_certified", &format!("inquest open {deal} 0 --key requester"));
        teller.both("inquest_show_none", &format!("inquest show {deal}"));
        teller.text("inquest_settle_none", &format!("inquest settle {deal} 0 --key requester"));
        teller.text("key_show", "key show requester");
        teller.desk.json(&["key", "new", "harbour"]);
        teller.desk.json(&words("stake gas 0.25 --to harbour --key deployer"));
        teller.desk.json(&words("stake deposit 3 --to harbour --key requester"));
        teller.desk.json(&words("pool create harbour --coordinator harbour --key owner"));
        teller.text("pool_move", "pool move 2 --worker worker-3 --key operator-3");
        teller.json("pool_move", "pool move 1 --worker worker-3 --key operator-3");
        teller.text("stake_remove", "stake remove 1 --worker worker-3 --key operator-3");
        teller.text("pool_wake", "pool wake --worker worker-3 --key operator-3");
    });
    for worker in 0..3 {
        town.city.switch_off(worker).await;
    }
    let open = tokio::task::block_in_place(|| {
        teller.desk.json(&words(&format!("deal create {QUICK} {input}")))["deal"].as_str().unwrap().to_owned()
    });
    let deadline = town.history(open.parse().unwrap()).await.terms.deadline;
    town.jump_to(deadline + 2).await;
    let leaving = tokio::task::block_in_place(|| {
        teller.json("expire", &format!("expire {open} 0 --key requester"));
        teller.text("expire_twice", &format!("expire {open} 0 --key requester"));
        let shown = teller.desk.json(&["deal", "show", &open]);
        assert_eq!(shown["batches"][0]["status"], "expired", "{shown}");
        teller.json("stake_remove", "stake remove 1 --worker worker-3 --key operator-3")
    });
    town.jump_to(leaving["withdrawable_at"].as_u64().unwrap()).await;
    tokio::task::block_in_place(|| {
        teller.text("stake_remove_bond", "stake remove 1 --worker worker-3 --key operator-3");
    });
    town.city.stop().await;
}

fn words(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}

/// A sponsor pays for what it has signed: with its key here, or with a file that goes from hand to hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sponsor_pays_with_its_own_signature_only() {
    let town = Town::found(On::Embedded, 1, None).await;
    let sponsor = town.city.keys.owner.address();
    let teller = Teller::of(&town);
    let input = teller.desk.file("input.txt", "sponsored").display().to_string();
    let deal = |made: &Value| made["deal"].as_str().unwrap().parse().unwrap();
    let (by_key, by_file, by_transaction) = tokio::task::block_in_place(|| {
        teller.text("payer_without_signature", &format!("deal create {QUICK} {input} --payer {sponsor}"));
        let by_key = teller.json("payer_key", &format!("deal create {QUICK} {input} --payer-key owner"));
        let file = town.dir().join("request.json").display().to_string();
        let sign = format!("order sign request {QUICK} {input} --payer {sponsor} --out {file}");
        teller.text("order_sign_request", &sign);
        teller.text("match_without_countersignature", &format!("deal match {file} --key requester"));
        teller.text("order_countersign_by_another", &format!("order countersign {file} --key author"));
        teller.both("order_countersign", &format!("order countersign {file} --key owner"));
        let by_file = teller.json("deal_match", &format!("deal match {file} --key author"));
        // An account that signs nothing but transactions.
        teller.desk.json(&sign.split(' ').collect::<Vec<_>>());
        teller
            .json("order_countersign_on_chain", &format!("order countersign {file} --on-chain --key owner"));
        let by_transaction = teller.desk.json(&["deal", "match", &file, "--key", "author"]);
        (by_key, by_file, by_transaction)
    });
    for made in [&by_key, &by_file, &by_transaction] {
        let told = town.history(deal(made)).await;
        assert_eq!((told.terms.payer, told.terms.requester), (sponsor, town.city.keys.requester.address()));
    }
    town.city.stop().await;
}

/// Orders that the Market would refuse are passed over, each with its reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_that_cannot_be_taken_are_passed_over_with_the_reason() {
    let town = Town::found(On::Embedded, 1, None).await;
    let teller = Teller::of(&town);
    let input = teller.desk.file("input.txt", "hello").display().to_string();
    let deal = format!("deal create {QUICK} {input}");
    tokio::task::block_in_place(|| {
        let sign = |name: &str, more: &str| {
            let file = town.dir().join(format!("orders/{name}.json")).display().to_string();
            let price = if more.contains("--price") { "" } else { "--price 0" };
            let words = format!("order sign app --app 1 {price} --key author --out {file} {more}");
            teller.desk.json(&words.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>());
            file
        };
        // The city's own order is signed for another nonce from now on; all but one are cheaper than that which is good.
        teller.desk.json(&["order", "cancel", "--all-of-asset", "1", "--key", "author"]);
        let good = sign("good", "--price 1");
        let cancelled = sign("cancelled", "");
        teller.desk.json(&["order", "cancel", &cancelled, "--key", "author"]);
        sign("empty", "--volume 0");
        sign("for-another", "--requester 0x2222222222222222222222222222222222222222");
        sign("for-a-dataset", "--dataset 7");
        sign("for-a-pool", "--pool 7");
        let forged = sign("forged", "");
        let mut order =
            <guildhall::orders::SignedOrder as guildhall::orders::OrderFile>::read(forged.as_ref()).unwrap();
        let Order::App(app) = &mut order.order else { panic!("an app order") };
        app.volume = 7;
        guildhall::orders::write(forged.as_ref(), &order).unwrap();
        let made = teller.desk.json(&deal.split(' ').collect::<Vec<_>>());
        let locked: u128 = made["locked"].as_str().unwrap().parse().unwrap();
        assert!(locked >= 10_u128.pow(18), "the good order is taken, which costs a token: {made}");
        teller.text("order_named_unusable", &format!("{deal} --app-order {forged}"));
        // One that was signed on chain is as good as any other, and the cheapest.
        let on_chain = sign("on-chain", "--on-chain");
        let made = teller.desk.json(&format!("{deal} --app-price-max 0").split(' ').collect::<Vec<_>>());
        assert!(made["deal"].is_string(), "{made}");
        for file in [&on_chain, &good] {
            teller.desk.json(&["order", "cancel", file, "--key", "author"]);
        }
        sign("over", "--expires 0s");
    });
    town.jump_to(town.city.chain.head().await.unwrap().time.0 + 2).await;
    tokio::task::block_in_place(|| teller.text("order_none_found", &deal));
    town.city.stop().await;
}
