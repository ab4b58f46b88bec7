//! Every command with arguments that are fine, and what it takes: a deployment, a node, a key, files.
//!
//! What is listed here is held against the command line's own tree, so that a new command, file or key without a case
//! fails a test.

use std::{any::TypeId, collections::BTreeSet, path::PathBuf};

use alloy::primitives::{Address, B256, Bytes, U256, aliases::U96};
use clap::{Arg, Command, CommandFactory as _};
use guildhall::{
    cli::Cli,
    orders::{Order, SignedOrder},
};
use guildhall_protocol::{Policy, orders::RequestOrder};

pub(crate) const DEAL: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
pub(crate) const ACCOUNT: &str = "0x2222222222222222222222222222222222222222";
/// Stands for a city's worker, where there is one.
pub(crate) const WORKER: &str = "WORKER";

/// A command, and what it takes.
pub(crate) struct Case {
    pub(crate) args: &'static [&'static str],
    pub(crate) takes: &'static [Takes],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// The file of the contracts' addresses.
    Deployment,
    /// An answer of the node.
    Node,
    /// The named key, opened.
    Key,
}
use Takes::{Deployment, Key, Node};

const READS: &[Takes] = &[Deployment, Node];
const SIGNS: &[Takes] = &[Deployment, Node, Key];

/// Every command.
pub(crate) const CASES: &[Case] = &[
    Case { args: &["demo"], takes: &[] },
    Case {
        args: &[
            "up",
            "--quiet",
            "--workers",
            "1",
            "--coordinator-listen",
            "127.0.0.1:0",
            "--gateway-listen",
            "127.0.0.1:0",
        ],
        takes: &[Node, Key],
    },
    Case { args: &["key", "new", "bob"], takes: &[] },
    Case { args: &["key", "list"], takes: &[] },
    Case { args: &["key", "show"], takes: &[Key] },
    Case { args: &["key", "import", "bob"], takes: &[] },
    Case { args: &["app", "new", "counter"], takes: &[] },
    Case { args: &["app", "build"], takes: &[] },
    Case { args: &["app", "run", "app.wasm"], takes: &[] },
    Case { args: &["app", "register", "app.wasm"], takes: SIGNS },
    Case { args: &["dataset", "register", "data"], takes: SIGNS },
    Case { args: &["pool", "create", "p", "--coordinator", ACCOUNT], takes: SIGNS },
    Case { args: &["pool", "join", "1", "--worker", "alice"], takes: SIGNS },
    Case { args: &["pool", "prove", "1", "--worker", "alice", "--operator", ACCOUNT], takes: READS },
    Case { args: &["pool", "show", "1"], takes: READS },
    Case { args: &["pool", "list"], takes: READS },
    Case { args: &["pool", "endpoint", "1", "http://pool.example"], takes: SIGNS },
    Case { args: &["pool", "invite", "1", ACCOUNT], takes: SIGNS },
    Case { args: &["pool", "set", "1", "--share", "5"], takes: SIGNS },
    Case { args: &["pool", "deposit", "1", "5"], takes: SIGNS },
    Case { args: &["pool", "close", "1"], takes: SIGNS },
    Case { args: &["pool", "move", "1", "--worker", WORKER], takes: SIGNS },
    Case { args: &["pool", "wake", "--worker", WORKER], takes: SIGNS },
    Case { args: &["pool", "report", "--worker", WORKER], takes: SIGNS },
    Case { args: &["pool", "transfer", "1", ACCOUNT], takes: SIGNS },
    Case { args: &["pool", "collect", "1"], takes: SIGNS },
    Case { args: &["worker"], takes: SIGNS },
    Case { args: &["coordinator", "--pool", "1"], takes: SIGNS },
    Case { args: &["gateway", "--listen", "127.0.0.1:0"], takes: READS },
    Case { args: &["order", "sign", "app", "--app", "1", "--price", "1"], takes: SIGNS },
    Case { args: &["order", "sign", "dataset", "--dataset", "2", "--price", "1"], takes: SIGNS },
    Case { args: &["order", "sign", "pool", "--pool", "1", "--fee", "1"], takes: SIGNS },
    Case { args: &["order", "sign", "request", "--app", "1", "--pool", "1", "data"], takes: SIGNS },
    Case { args: &["order", "countersign", "request.json"], takes: &[Key] },
    Case { args: &["order", "list"], takes: READS },
    Case { args: &["order", "cancel", "--all-requests"], takes: SIGNS },
    Case { args: &["quote", "--app", "1", "--pool", "1"], takes: READS },
    Case { args: &["deal", "create", "--app", "1", "--pool", "1", "data"], takes: SIGNS },
    Case { args: &["deal", "match", "request.json"], takes: SIGNS },
    Case { args: &["deal", "show", DEAL], takes: READS },
    Case { args: &["deal", "watch", DEAL], takes: READS },
    Case { args: &["result", "get", DEAL], takes: READS },
    Case { args: &["result", "verify", DEAL], takes: READS },
    Case { args: &["result", "replay", DEAL], takes: READS },
    Case { args: &["deliver", DEAL], takes: SIGNS },
    Case { args: &["expire", DEAL], takes: SIGNS },
    Case { args: &["release", DEAL], takes: SIGNS },
    Case { args: &["dispute", "open", DEAL], takes: SIGNS },
    Case { args: &["dispute", "prove", DEAL], takes: SIGNS },
    Case { args: &["dispute", "show", DEAL], takes: READS },
    Case { args: &["dispute", "appeal", DEAL], takes: SIGNS },
    Case { args: &["dispute", "settle", DEAL], takes: SIGNS },
    Case { args: &["inquest", "open", DEAL], takes: SIGNS },
    Case { args: &["inquest", "accuse", DEAL, "--worker", ACCOUNT], takes: SIGNS },
    Case { args: &["inquest", "hold", DEAL], takes: SIGNS },
    Case { args: &["inquest", "show", DEAL], takes: READS },
    Case { args: &["inquest", "settle", DEAL], takes: SIGNS },
    Case { args: &["audit", DEAL], takes: SIGNS },
    Case { args: &["stake", "add", "1", "--worker", WORKER], takes: SIGNS },
    Case { args: &["stake", "remove", "1", "--worker", WORKER], takes: SIGNS },
    Case { args: &["stake", "show", ACCOUNT], takes: READS },
    Case { args: &["stake", "deposit", "1"], takes: SIGNS },
    Case { args: &["stake", "gas", "1", "--to", ACCOUNT], takes: SIGNS },
    Case { args: &["stake", "withdraw", "1"], takes: SIGNS },
    Case { args: &["stake", "collect"], takes: SIGNS },
    // It tells of everything that is wrong as a finding; see `doctor_finds_what_is_wrong`.
    Case { args: &["doctor"], takes: &[] },
    Case { args: &["completions", "bash"], takes: &[] },
];

/// What a command does with a path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path {
    /// Reads it: these words, said after the command's own case, name a file that is not there.
    Read(&'static [&'static str]),
    /// Reads it: this whole command names a file that is not there.
    ReadAs(&'static [&'static str]),
    /// Writes it, or looks for something in the directory.
    Other,
}
use Path::{Other, Read, ReadAs};

/// Every argument that is a path, by command.
pub(crate) const PATHS: &[(&str, &str, Path)] = &[
    ("demo", "apps", Other),
    ("demo", "assets", Other),
    ("up", "apps", Other),
    ("up", "assets", Other),
    ("key import", "keystore", Read(&["--keystore", "none.json"])),
    ("app new", "path", Other),
    ("app build", "path", Other),
    ("app run", "wasm", ReadAs(&["app", "run", "none"])),
    ("app run", "input", Read(&["--input", "none"])),
    ("app run", "dataset", Read(&["--dataset", "none"])),
    ("app run", "output", Other),
    ("app register", "file", ReadAs(&["app", "register", "none"])),
    ("dataset register", "file", ReadAs(&["dataset", "register", "none"])),
    ("worker", "config", Read(&["--config", "none"])),
    ("worker", "dir", Other),
    ("coordinator", "config", Read(&["--config", "none"])),
    ("coordinator", "dir", Other),
    ("gateway", "config", Read(&["--config", "none"])),
    ("gateway", "dir", Other),
    ("up", "config", Read(&["--config", "none"])),
    ("order sign app", "out", Other),
    ("order sign dataset", "out", Other),
    ("order sign pool", "out", Other),
    ("order sign request", "out", Other),
    ("order sign request", "inputs", Read(&["none"])),
    ("order sign request", "app_order", Read(&["--app-order", "none"])),
    ("order sign request", "dataset_order", Read(&["--dataset", "2", "--dataset-order", "none"])),
    ("order sign request", "pool_order", Read(&["--pool-order", "none"])),
    ("order countersign", "file", ReadAs(&["order", "countersign", "none"])),
    ("order cancel", "file", ReadAs(&["order", "cancel", "none"])),
    ("quote", "app_order", Read(&["--app-order", "none"])),
    ("quote", "dataset_order", Read(&["--dataset", "2", "--dataset-order", "none"])),
    ("quote", "pool_order", Read(&["--pool-order", "none"])),
    ("deal create", "inputs", Read(&["none"])),
    ("deal create", "app_order", Read(&["--app-order", "none"])),
    ("deal create", "dataset_order", Read(&["--dataset", "2", "--dataset-order", "none"])),
    ("deal create", "pool_order", Read(&["--pool-order", "none"])),
    ("deal match", "request", ReadAs(&["deal", "match", "none"])),
    ("deal match", "app_order", Read(&["--app-order", "none"])),
    // The request of the case rents no dataset, so that nobody reads the order.
    ("deal match", "dataset_order", Other),
    ("deal match", "pool_order", Read(&["--pool-order", "none"])),
    ("result get", "bundle", Read(&["--bundle", "none"])),
    ("result get", "output", Other),
    ("result get", "bundle_to", Other),
    ("result verify", "bundle", Read(&["--bundle", "none"])),
    ("result verify", "output", Read(&["--output", "none"])),
    ("result replay", "bundle", Read(&["--bundle", "none"])),
    ("dispute open", "bundle", Read(&["--bundle", "none"])),
    ("dispute prove", "bundle", Read(&["--bundle", "none"])),
    ("deliver", "bundle", Read(&["--bundle", "none"])),
];

/// Every argument, beside `--key`, that may name a key, with a command that names one that is not there.
pub(crate) const KEYS: &[(&str, &str, &[&str])] = &[
    ("pool create", "coordinator", &["pool", "create", "p", "--coordinator", "nobody"]),
    ("pool join", "worker", &["pool", "join", "1", "--worker", "nobody"]),
    ("pool set", "coordinator", &["pool", "set", "1", "--coordinator", "nobody"]),
    ("pool move", "worker", &["pool", "move", "1", "--worker", "nobody"]),
    ("pool prove", "worker", &["pool", "prove", "1", "--worker", "nobody", "--operator", ACCOUNT]),
    ("pool report", "worker", &["pool", "report", "--worker", "nobody"]),
    ("pool wake", "worker", &["pool", "wake", "--worker", "nobody"]),
    (
        "deal create",
        "payer_key",
        &["deal", "create", "--app", "1", "--pool", "1", "data", "--payer-key", "nobody"],
    ),
    ("stake add", "worker", &["stake", "add", "1", "--worker", "nobody"]),
    ("stake remove", "worker", &["stake", "remove", "1", "--worker", "nobody"]),
    ("stake deposit", "to", &["stake", "deposit", "1", "--to", "nobody"]),
    ("stake gas", "to", &["stake", "gas", "1", "--to", "nobody"]),
    ("stake show", "worker", &["stake", "show", ACCOUNT, "--worker", "nobody"]),
    ("stake show", "account", &["stake", "show", "nobody"]),
    ("key show", "name", &["key", "show", "nobody"]),
];

/// The commands that can be said, by their words, as the command line itself has them.
pub(crate) fn leaves() -> Vec<(String, Command)> {
    let mut leaves = Vec::new();
    let mut left = vec![(String::new(), Cli::command())];
    while let Some((words, command)) = left.pop() {
        let below: Vec<_> = command.get_subcommands().cloned().collect();
        if below.is_empty() {
            leaves.push((words, command));
            continue;
        }
        left.extend(
            below.into_iter().map(|next| (format!("{words} {}", next.get_name()).trim().to_owned(), next)),
        );
    }
    leaves.sort_by(|(a, _), (b, _)| a.cmp(b));
    leaves
}

/// The case of a command.
pub(crate) fn case_of(words: &str) -> &'static Case {
    CASES.iter().find(|case| command_of(case.args) == words).unwrap_or_else(|| panic!("no case of `{words}`"))
}

/// The command that arguments belong to.
pub(crate) fn command_of(args: &[&str]) -> String {
    let said = args.join(" ");
    let mut fitting: Vec<_> = leaves()
        .into_iter()
        .map(|(words, _)| words)
        .filter(|words| said == *words || said.starts_with(&format!("{words} ")))
        .collect();
    fitting.pop().unwrap_or_else(|| panic!("`{said}` is no command"))
}

/// Nothing is said of a command that is not there, nor is a command left out.
pub(crate) fn the_lists_are_whole() {
    let leaves = leaves();
    let names = |all: Vec<String>| all.into_iter().collect::<BTreeSet<_>>();
    let said = names(CASES.iter().map(|case| command_of(case.args)).collect());
    assert_eq!(said, names(leaves.iter().map(|(words, _)| words.clone()).collect()));
    assert_eq!(said.len(), CASES.len(), "one case a command");
    let arguments = |wanted: fn(&Arg) -> bool| {
        let all = leaves.iter().flat_map(|(words, command)| {
            let args = command.get_arguments().filter(|arg| wanted(arg));
            args.map(move |arg| format!("{words}: {}", arg.get_id()))
        });
        names(all.collect())
    };
    let paths = names(PATHS.iter().map(|(words, arg, _)| format!("{words}: {arg}")).collect());
    assert_eq!(paths, arguments(is_path));
    let keys = names(KEYS.iter().map(|(words, arg, _)| format!("{words}: {arg}")).collect());
    assert_eq!(keys, arguments(is_key));
}

fn is_path(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == TypeId::of::<PathBuf>()
}

/// Keys are named by a name or a file, so that is what their value is called.
fn is_key(arg: &Arg) -> bool {
    let value = arg.get_value_names().and_then(|names| names.first());
    value.is_some_and(|value| value.starts_with("NAME|FILE"))
}

/// A request that nobody signed, for app 1 and pool 1.
pub(crate) fn request(chain: u64, market: Address) -> SignedOrder {
    let request = RequestOrder {
        requester: market,
        payer: market,
        beneficiary: market,
        app: U256::ONE,
        dataset: U256::ZERO,
        pool: 1,
        appPriceMax: U96::ZERO,
        datasetPriceMax: U96::ZERO,
        feePerMfuelMax: U96::ZERO,
        callback: Address::ZERO,
        callbackGas: 0,
        deliveryTip: U96::ZERO,
        inputs: B256::ZERO,
        taskCount: 1,
        batchSize: 1,
        fuelLimit: 1,
        memoryLimit: 1,
        deadline: 0,
        policy: Policy::default(),
        expiry: 0,
        nonce: 0,
        salt: B256::ZERO,
    };
    SignedOrder {
        chain,
        market,
        order: Order::Request(Box::new(request)),
        signer: market,
        signature: Bytes::new(),
        payer_signature: None,
    }
}
