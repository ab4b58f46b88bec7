//! What the commands say on a real chain: of a key that is not there or does not open, and of a server that lies.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod support;

use alloy::primitives::keccak256;
use guildhall_api::{Bundle, Produced};
use serde_json::Value;
use support::{
    Desk,
    city::{On, Shopping, Town, app},
};

const DEAL: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
const ACCOUNT: &str = "0x2222222222222222222222222222222222222222";

/// Stands for the city's worker.
const WORKER: &str = "WORKER";

/// Every command that signs, with arguments that are fine in a city of one worker.
const SIGNING: &[&[&str]] = &[
    &["app", "register", "hello.wasm"],
    &["dataset", "register", "data"],
    &["pool", "create", "p", "--coordinator", ACCOUNT],
    &["pool", "join", "1", "--worker", "alice"],
    &["pool", "endpoint", "1", "http://pool.example"],
    &["pool", "invite", "1", ACCOUNT],
    &["pool", "collect", "1"],
    &["worker"],
    &["coordinator", "--pool", "1"],
    &["order", "sign", "app", "--app", "1", "--price", "1"],
    &["order", "sign", "pool", "--pool", "1", "--fee", "1"],
    &["order", "sign", "request", "--app", "1", "--pool", "1", "data"],
    &["order", "cancel", "--all-requests"],
    &["deal", "create", "--app", "1", "--pool", "1", "data"],
    &["stake", "add", "1", "--worker", WORKER],
    &["stake", "remove", "1", "--worker", WORKER],
    &["stake", "deposit", "1"],
    &["stake", "withdraw", "1"],
    &["stake", "collect"],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_told_by_every_command_that_signs() {
    let town = Town::found(On::Embedded, 1, None).await;
    let desk = Desk::new();
    desk.json(&["key", "new", "alice", "--password-file", "password"]);
    desk.file("data", "some bytes");
    desk.file("hello.wasm", app("hello"));
    desk.file("wrong", "battery staple");
    let (chain, deployment) = (town.city.rpc_url().unwrap(), town.dir().join("deployment.json"));
    let deployment = deployment.display().to_string();
    let worker = town.city.workers()[0].address().to_string();
    let told = tokio::task::spawn_blocking(move || {
        let on_chain = ["--chain", &chain, "--deployment", &deployment, "--json"];
        for command in SIGNING {
            let command: Vec<_> =
                command.iter().map(|&word| if word == WORKER { worker.as_str() } else { word }).collect();
            for (key, password, code) in
                [("nobody", "password", "keys.missing"), ("alice", "wrong", "keys.wrong_password")]
            {
                let with = ["--key", key, "--password-file", password];
                let output = desk.run(&[command.as_slice(), &on_chain, &with].concat());
                assert_eq!(output.status.code(), Some(2), "{command:?}: {}", desk.show(&output));
                assert!(output.stdout.is_empty(), "{command:?}: {}", desk.show(&output));
                let said: Value = serde_json::from_slice(&output.stderr).unwrap();
                assert_eq!(said["error"]["code"], code, "{command:?}: {said}");
                assert!(said["error"]["hint"].is_string(), "{command:?}: {said}");
            }
        }
        // A deal that the chain does not know is told as well, and by which id.
        for command in ["get", "verify", "replay"] {
            let output = desk.run(&[&["result", command, DEAL], on_chain.as_slice()].concat());
            assert_eq!(output.status.code(), Some(2), "{command}: {}", desk.show(&output));
            assert!(String::from_utf8_lossy(&output.stderr).contains(DEAL), "{}", desk.show(&output));
        }
    });
    told.await.unwrap();
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
