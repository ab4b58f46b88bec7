//! What the commands say on a real chain of a key that is not there or does not open.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod support;

use serde_json::Value;
use support::{
    Desk,
    city::{On, Town, app},
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
