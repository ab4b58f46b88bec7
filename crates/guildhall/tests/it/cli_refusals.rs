//! What every command says of a missing file, an unreachable node and bad input: the code, a hint, exit status 2.

use crate::support::{
    Desk,
    commands::{self, ACCOUNT, CASES, Takes, WORKER, leaves},
};
use serde_json::{Value, json};

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
    let request = commands::request(1, ACCOUNT.parse().expect("an address"));
    for file in ["request.json", "orders/request.json"] {
        let file = desk.path().join(file);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        guildhall::orders::write(&file, &request).expect("written");
    }
    desk
}

/// The error that a command told, as JSON.
fn refused(desk: &Desk, command: &[&str]) -> Value {
    let command: Vec<_> = command.iter().map(|&word| if word == WORKER { ACCOUNT } else { word }).collect();
    let output = desk.run(&[&command, COMMON].concat());
    assert_eq!(output.status.code(), Some(2), "{command:?}: {}", desk.show(&output));
    assert!(output.stdout.is_empty(), "{command:?} printed a result: {}", desk.show(&output));
    let said: Value = serde_json::from_slice(output.stderr.trim_ascii())
        .unwrap_or_else(|error| panic!("{command:?}: {error}: {}", desk.show(&output)));
    assert!(said["error"]["hint"].is_string(), "{command:?} gives no hint: {said}");
    said["error"].clone()
}

fn taking(what: Takes) -> impl Iterator<Item = &'static [&'static str]> {
    CASES.iter().filter(move |case| case.takes.contains(&what)).map(|case| case.args)
}

#[test]
fn every_command_key_and_path_has_a_case() {
    commands::the_lists_are_whole();
}

#[test]
fn a_missing_deployment_file_is_told_by_every_command() {
    let desk = desk();
    for command in taking(Takes::Deployment) {
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
    for command in taking(Takes::Node) {
        // A city deploys what is not there; everybody else finds it there.
        let deployed = taking(Takes::Deployment).any(|other| other == command);
        let file = desk.path().join("deployment.json");
        if deployed {
            std::fs::write(&file, deployment.to_string()).expect("written");
        } else if file.exists() {
            std::fs::remove_file(&file).expect("removed");
        }
        assert_eq!(refused(&desk, command)["code"], "chain.node", "{command:?}");
    }
}

/// `doctor` tells of what is wrong as a finding, and goes on.
#[test]
fn doctor_finds_what_is_wrong() {
    let desk = desk();
    let output = desk.run(&[&["doctor"], COMMON].concat());
    assert_eq!(output.status.code(), Some(1), "{}", desk.show(&output));
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let node =
        said["findings"].as_array().expect("findings").iter().find(|finding| finding["what"] == "node");
    let node = node.expect("a finding of the node");
    assert_eq!(node["state"], "fail", "{said}");
    assert!(node["hint"].is_string(), "{said}");
}

#[test]
fn a_place_for_copies_that_is_no_object_store_is_refused_before_anything_starts() {
    let desk = desk();
    let command = ["coordinator", "--pool", "1", "--copies", "ftp://example.net/copies"];
    let error = refused(&desk, &command);
    assert_eq!(error["code"], "blobs.source");
    assert!(
        error["message"].as_str().is_some_and(|text| text.contains("ftp://example.net/copies")),
        "{error}"
    );
}

/// What the command line itself refuses is told as everything else is.
#[test]
fn usage_errors_are_json_where_json_was_asked_for() {
    let desk = Desk::new();
    for wrong in [
        &["deal", "create", "data"] as &[&str],
        &["stake", "deposit", "1,5"],
        &["nonsense"],
        &["pool"],
        &["deal", "create", "--app", "1", "--pool", "1", "--callback", ACCOUNT],
        &["deal", "create", "--app", "1", "--pool", "1", "--callback", ACCOUNT, "--callback-gas", "0"],
        &["deal", "create", "--app", "1", "--pool", "1", "--callback-gas", "5"],
        &["deal", "create", "--app", "1", "--pool", "1", "--tip", "1"],
        &["order", "sign", "request", "--app", "1", "--pool", "1", "--tip", "1"],
        &["deal", "create", "--app", "1", "--pool", "1", "--payer", ACCOUNT, "--payer-key", "alice"],
        &["app", "run", "app.wasm", "--seed", "1"],
    ] {
        let error = refused(&desk, wrong);
        assert_eq!(error["code"], "cli.usage", "{wrong:?}");
        let message = error["message"].as_str().expect("a message");
        assert!(!message.is_empty() && !message.starts_with("error"), "{wrong:?}: {message}");
    }
    // Words after `--` are nobody's flags, and help is no error.
    let output = desk.run(&["key", "nonsense", "--", "--json"]);
    assert!(output.stderr.starts_with(b"error:"), "{}", desk.show(&output));
    let output = desk.run(&["key", "--help", "--json"]);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{}", desk.show(&output));
}

#[test]
fn a_policy_that_contradicts_itself_is_refused_before_anything_is_asked() {
    let desk = desk();
    let policy = ["--app", "1", "--pool", "1", "--operators", "5", "--executions-max", "4"];
    for command in [&["deal", "create", "data"] as &[&str], &["quote"]] {
        let error = refused(&desk, &[command, &policy].concat());
        assert_eq!(error["code"], "deal.policy", "{error}");
    }
}

/// `guildhall completions bash | head`: the reader has what it wanted.
#[test]
fn a_closed_pipe_is_no_failure() {
    let desk = Desk::new();
    for command in [&["completions", "bash"] as &[&str], &["key", "list"], &["--help"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = desk.command(command).stdout(writer).output().expect("it runs");
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{}", desk.show(&output));
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = desk.command(&["key", "show", "nobody"]).stderr(writer).status().expect("it runs");
    assert_eq!(status.code(), Some(2));
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
    let tip = |amount| {
        let deal = ["deal", "create", "--app", "1", "--pool", "1", "data", "--tip", amount];
        desk.told(&[&deal as &[&str], &["--callback", ACCOUNT, "--callback-gas", "200000"]].concat())
    };
    insta::assert_snapshot!("no_tip", tip("1,5"));
    insta::assert_snapshot!("tip_too_high", tip("79228162515"));
    insta::assert_snapshot!("tip_below_zero", tip("-1"));
    insta::assert_snapshot!(
        "tip_without_callback",
        desk.told(&["deal", "create", "--app", "1", "--pool", "1", "data", "--tip", "1"])
    );
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
    let groups = [
        "key",
        "app",
        "dataset",
        "pool",
        "order",
        "order sign",
        "deal",
        "dispute",
        "inquest",
        "result",
        "stake",
    ];
    for group in groups {
        let words: Vec<_> = group.split(' ').chain(["--help"]).collect();
        insta::assert_snapshot!(format!("help_{}", group.replace(' ', "_")), desk.told(&words));
    }
    for (words, _) in leaves() {
        let said: Vec<_> = words.split(' ').chain(["--help"]).collect();
        insta::assert_snapshot!(format!("help_{}", words.replace(' ', "_")), desk.told(&said));
    }
}
