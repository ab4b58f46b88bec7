//! What every command says of a missing file, an unreachable node and bad input: the code, a hint, exit status 2.

mod support;

use serde_json::{Value, json};
use support::Desk;

const DEAL: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
const ACCOUNT: &str = "0x2222222222222222222222222222222222222222";

/// Every command that talks to the chain, with arguments that are fine.
const ON_CHAIN: &[&[&str]] = &[
    &["app", "register", "app.wasm"],
    &["dataset", "register", "data"],
    &["pool", "create", "p", "--coordinator", ACCOUNT],
    &["pool", "join", "1", "--worker", "alice"],
    &["pool", "show", "1"],
    &["pool", "list"],
    &["pool", "endpoint", "1", "http://pool.example"],
    &["pool", "invite", "1", ACCOUNT],
    &["pool", "collect", "1"],
    &["worker"],
    &["coordinator", "--pool", "1"],
    &["order", "sign", "app", "--app", "1", "--price", "1"],
    &["order", "sign", "dataset", "--dataset", "1", "--price", "1"],
    &["order", "sign", "pool", "--pool", "1", "--fee", "1"],
    &["order", "sign", "request", "--app", "1", "--pool", "1", "data"],
    &["order", "cancel", "--all-requests"],
    &["quote", "--app", "1", "--pool", "1"],
    &["deal", "create", "--app", "1", "--pool", "1", "data"],
    &["deal", "show", DEAL],
    &["deal", "watch", DEAL],
    &["result", "get", DEAL],
    &["result", "verify", DEAL],
    &["result", "replay", DEAL],
    &["deliver", DEAL],
    &["expire", DEAL],
    &["release", DEAL],
    &["stake", "show", ACCOUNT],
    &["stake", "add", "1", "--worker", ACCOUNT],
    &["stake", "remove", "1", "--worker", ACCOUNT],
    &["stake", "deposit", "1"],
    &["stake", "withdraw", "1"],
    &["stake", "collect"],
];

/// Flags of all of them: a key that opens, and a port where nobody listens.
const COMMON: &[&str] =
    &["--key", "alice", "--password-file", "password", "--chain", "http://127.0.0.1:1", "--json"];

/// An empty module: `(module (memory (export "memory") 1) (func (export "_start")))`.
const NOTHING: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x05\x03\x01\0\x01\x07\x13\x02\x06memory\x02\0\x06_start\0\0\x0a\x04\x01\x02\0\x0b";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.json(&["key", "new", "alice", "--password-file", "password"]);
    desk.file("data", "some bytes");
    desk.file("app.wasm", NOTHING);
    desk
}

/// The error that a command told, as JSON.
fn refused(desk: &Desk, command: &[&str]) -> Value {
    let output = desk.run(&[command, COMMON].concat());
    assert_eq!(output.status.code(), Some(2), "{command:?}: {}", desk.show(&output));
    assert!(output.stdout.is_empty(), "{command:?} printed a result: {}", desk.show(&output));
    let said: Value = serde_json::from_slice(&output.stderr)
        .unwrap_or_else(|error| panic!("{command:?}: {error}: {}", desk.show(&output)));
    assert!(said["error"]["hint"].is_string(), "{command:?} gives no hint: {said}");
    said["error"].clone()
}

#[test]
fn a_missing_deployment_file_is_told_by_every_command() {
    let desk = desk();
    for command in ON_CHAIN {
        assert_eq!(refused(&desk, command)["code"], "deploy.read", "{command:?}");
    }
}

#[test]
fn an_unreachable_node_is_told_by_every_command() {
    let desk = desk();
    let contracts =
        ["token", "vault", "registry", "workforce", "market", "certifier", "recourse", "seed", "court"];
    let mut deployment = json!({ "chain_id": 1, "block": 0 });
    for contract in contracts {
        deployment[contract] = ACCOUNT.into();
    }
    desk.file("deployment.json", deployment.to_string());
    for command in ON_CHAIN {
        assert_eq!(refused(&desk, command)["code"], "chain.node", "{command:?}");
    }
}

#[test]
fn a_missing_file_is_told_by_every_command_that_reads_one() {
    let desk = desk();
    for command in [
        &["app", "run", "none.wasm"] as &[&str],
        &["app", "run", "app.wasm", "--input", "none"],
        &["app", "run", "app.wasm", "--dataset", "none"],
        &["app", "register", "none.wasm"],
        &["dataset", "register", "none"],
        &["deal", "create", "--app", "1", "--pool", "1", "none"],
        &["deal", "match", "none.json"],
        &["order", "countersign", "none.json"],
        &["order", "cancel", "none.json"],
        &["result", "verify", DEAL, "--bundle", "none"],
        &["key", "show", "alice", "--password-file", "none"],
    ] {
        let command: Vec<&str> = command.to_vec();
        let with_password = command.contains(&"--password-file");
        let output = if with_password {
            desk.run(&[&command, &["--json"] as &[&str]].concat())
        } else {
            desk.run(&[&command, COMMON].concat())
        };
        let said: Value = serde_json::from_slice(&output.stderr).expect("JSON");
        assert_eq!(
            (output.status.code(), &said["error"]["code"]),
            (Some(2), &"file.missing".into()),
            "{command:?}"
        );
    }
}

#[test]
fn refusals_in_words() {
    let desk = desk();
    desk.file("bad.wasm", "no module");
    desk.file("order.json", "{}");
    insta::assert_snapshot!(
        "input_missing",
        desk.told(&["deal", "create", "--app", "1", "--pool", "1", "none.txt"])
    );
    insta::assert_snapshot!("no_input", desk.told(&["deal", "create", "--app", "1", "--pool", "1"]));
    insta::assert_snapshot!("no_app_named", desk.told(&["deal", "create", "data"]));
    insta::assert_snapshot!("no_deployment", desk.told(&["pool", "list"]));
    insta::assert_snapshot!("no_module", desk.told(&["app", "run", "bad.wasm"]));
    insta::assert_snapshot!("no_project", desk.told(&["app", "build", "."]));
    insta::assert_snapshot!("no_order", desk.told(&["deal", "match", "order.json"]));
    insta::assert_snapshot!("no_deal_id", desk.told(&["deal", "show", "0x1234"]));
    insta::assert_snapshot!("no_amount", desk.told(&["stake", "deposit", "1,5"]));
    insta::assert_snapshot!("no_assets", desk.told(&["demo", "--assets", "none"]));
    insta::assert_snapshot!("app_exists", desk.told(&["app", "new", "data"]));
    insta::assert_snapshot!("app_name", desk.told(&["app", "new", "My App"]));
}

#[test]
fn a_trap_or_an_exhausted_limit_is_a_negative_answer_with_a_receipt() {
    let desk = desk();
    let output = desk.run(&["app", "run", "app.wasm", "--fuel", "10", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", desk.show(&output));
    let ran: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&ran["receipt"]["exit"], &ran["receipt"]["fuel"]),
        (&"out_of_fuel".into(), &10.into()),
        "{ran}"
    );
}

#[test]
fn help() {
    let desk = Desk::new();
    insta::assert_snapshot!("help", desk.told(&["--help"]));
    for group in ["key", "app", "dataset", "pool", "order", "deal", "result", "stake"] {
        insta::assert_snapshot!(format!("help_{group}"), desk.told(&[group, "--help"]));
    }
    for command in ["up", "demo", "worker", "coordinator", "quote", "doctor"] {
        insta::assert_snapshot!(format!("help_{command}"), desk.told(&[command, "--help"]));
    }
    insta::assert_snapshot!("help_deal_create", desk.told(&["deal", "create", "--help"]));
    insta::assert_snapshot!("help_result_verify", desk.told(&["result", "verify", "--help"]));
}
