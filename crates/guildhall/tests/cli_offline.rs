//! What the command says without any chain: help, keys, and every kind of bad input.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may end by a panic")]

mod support;

use support::Desk;

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
