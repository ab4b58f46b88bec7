//! What the command says without any chain: help, keys, and every kind of bad input.

use crate::support::Desk;

#[test]
fn key_new_list_and_show_agree() {
    let desk = Desk::new();
    let made = desk.json(&["key", "new", "alice", "--password-file", "password"]);
    let listed = desk.json(&["key", "list"]);
    assert_eq!(listed["keys"][0]["address"], made["address"]);
    let shown = desk.json(&["key", "show", "alice", "--password-file", "password"]);
    assert_eq!((&shown["address"], &shown["opened"]), (&made["address"], &true.into()));
}

#[test]
fn key_texts() {
    let desk = Desk::new();
    insta::assert_snapshot!("key_new", desk.told(&["key", "new", "alice", "--password-file", "password"]));
    insta::assert_snapshot!("key_list", desk.told(&["key", "list"]));
    insta::assert_snapshot!("key_twice", desk.told(&["key", "new", "alice", "--password-file", "password"]));
}

#[test]
fn a_key_is_imported_from_standard_input_and_never_from_the_command_line() {
    let desk = Desk::new();
    let secret = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
    let output =
        desk.run_with_input(&["key", "import", "bob", "--password-file", "password", "--json"], secret);
    let made: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(made["address"], "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23");
    let output = desk.run_with_input(&["key", "import", "eve", "--password-file", "password"], "not a key");
    insta::assert_snapshot!("key_import_of_something_else", desk.show(&output));
    insta::assert_snapshot!("key_on_the_command_line", desk.told(&["key", "import", "eve", secret]));
}

#[test]
fn wrong_keys_and_passwords() {
    let desk = Desk::new();
    desk.json(&["key", "new", "alice", "--password-file", "password"]);
    desk.file("wrong", "battery staple");
    desk.file("broken.json", "{}");
    insta::assert_snapshot!("key_missing", desk.told(&["key", "show", "bob", "--password-file", "password"]));
    insta::assert_snapshot!(
        "key_wrong_password",
        desk.told(&["key", "show", "alice", "--password-file", "wrong"])
    );
    insta::assert_snapshot!(
        "key_password_file_missing",
        desk.told(&["key", "show", "alice", "--password-file", "none"])
    );
    insta::assert_snapshot!(
        "key_malformed",
        desk.told(&["key", "show", "broken.json", "--password-file", "password"])
    );
    insta::assert_snapshot!("key_error_as_json", desk.told(&["key", "show", "bob", "--json"]));
}

#[test]
fn a_config_file_with_an_unknown_key_is_refused() {
    let desk = Desk::new();
    desk.file("config.toml", "chian = \"http://localhost:1\"\n");
    insta::assert_snapshot!("config_unknown_key", desk.told(&["key", "list"]));
}

#[test]
fn no_colour_where_nobody_watches() {
    let desk = Desk::new();
    let output = desk.run(&["key", "show", "bob"]);
    assert!(!output.stderr.contains(&0x1b), "an escape sequence in {}", desk.show(&output));
}

/// A project that `app new` makes builds without a network, and runs; a seed makes its random bytes those of a task.
#[test]
fn a_new_app_builds_and_runs() {
    let desk = Desk::new();
    desk.json(&["app", "new", "counter"]);
    let build = |path: &str| {
        let output =
            desk.command(&["app", "build", path, "--json"]).env("CARGO_NET_OFFLINE", "true").output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{}", desk.show(&output));
        let built: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        built["wasm"].as_str().expect("a path").to_owned()
    };
    let wasm = build("counter");
    // As the command that made the project, its README and the guide say.
    assert!(wasm.ends_with("counter/target/wasm32-wasip1/release/counter.wasm"), "{wasm}");
    desk.file("input.txt", "one two three\n");
    let ran = desk.json(&["app", "run", &wasm, "--input", "input.txt"]);
    assert_eq!(ran["output"], "1 lines, 3 words, 14 bytes\n", "{ran}");
    let random = "fn main() { use std::hash::{BuildHasher, RandomState}; print!(\"{}\", RandomState::new().hash_one(1)); }";
    std::fs::write(desk.path().join("counter/src/main.rs"), random).expect("written");
    let wasm = build("counter");
    let with = |seed: &str| desk.json(&["app", "run", &wasm, "--seed", seed])["output"].clone();
    let deal = "11".repeat(32);
    let task = with(&format!("0x{deal}:3"));
    assert_eq!(with(&format!("0x{deal}:3")), task);
    assert_ne!(with(&format!("0x{deal}:4")), task);
    let written_out =
        guildhall_protocol::manifest::task_seed(format!("0x{deal}").parse().expect("a deal's id"), 3);
    assert_eq!(with(&written_out.iter().map(|byte| format!("{byte:02x}")).collect::<String>()), task);
}

#[test]
fn settings_are_printed_and_wrong_ones_are_named() {
    let desk = Desk::new();
    for role in ["worker", "coordinator", "up"] {
        let shown = desk.json(&[role, "--print-config"]);
        assert_eq!(shown["role"], role);
        let file = shown["config"].as_str().expect("a text");
        assert!(file.starts_with(&format!("# Defaults of `guildhall {role}`.")), "{file}");
    }
    desk.file("worker.toml", "lane = 3");
    let told = desk.told(&["worker", "--config", "worker.toml"]);
    assert!(told.contains("config.unknown_key") && told.contains("did you mean `lanes`?"), "{told}");
    let told = desk.told(&["coordinator"]);
    assert!(told.contains("coordinator.no_pool") && told.contains("--pool NUMBER"), "{told}");
    let told = desk.told(&["up", "--log-format", "verse"]);
    assert!(told.contains("write `text`, `json` or `auto`"), "{told}");
}

/// On a terminal of its own: `script` of util-linux is on every Debian.
#[test]
fn no_color_is_heeded_on_a_terminal() {
    let desk = Desk::new();
    let on_a_terminal = |no_color: Option<&str>, term: &str, args: &str| {
        let mut command = std::process::Command::new("script");
        let line = format!("{} {args}", env!("CARGO_BIN_EXE_guildhall"));
        command.args(["--quiet", "--command", &line, "/dev/null"]).current_dir(desk.path());
        command.env_clear().envs(desk.environment()).env("TERM", term);
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        String::from_utf8_lossy(&command.output().expect("`script` runs").stdout).into_owned()
    };
    for (args, says) in [("key show nobody", "nobody"), ("--help", "Usage"), ("key nonsense", "nonsense")] {
        let colored = |no_color, term| {
            let told = on_a_terminal(no_color, term, args);
            assert!(told.contains(says), "{args}: {told}");
            told.contains("\u{1b}[")
        };
        assert!(colored(None, "xterm"), "{args}");
        assert!(colored(Some(""), "xterm"), "{args}: empty means unset");
        assert!(!colored(Some("1"), "xterm"), "{args}");
        assert!(!colored(None, "dumb"), "{args}");
    }
}
