//! `guildhall doctor`: looks at everything that commands rely on, and says what to do about what is wrong.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use guildhall_api::CoordinatorClient;
use guildhall_chain::{ChainClient, Deployment};
use guildhall_protocol::PoolId;
use guildhall_sandbox::Task;
use serde::Serialize;

use super::{
    Context,
    app::{sandbox, sandbox_failure},
};
use crate::{
    error::{ExitStatus, Failure, Result},
    output::{Report, Style},
    values::{show_bytes, show_seconds, show_tokens},
};

/// A chain's clock may be off by so much before a person should know, in seconds.
const SKEW_SECS: u64 = 30;
/// Less free space than this is a doubt.
const SPACE_BYTES: u64 = 2 << 30;
/// How long a coordinator may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A module that does nothing: `(module (memory (export "memory") 1) (func (export "_start")))`.
const NOTHING: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x05\x03\x01\0\x01\x07\x13\x02\x06memory\x02\0\x06_start\0\0\x0a\x04\x01\x02\0\x0b";

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Pool whose coordinator is looked for.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pool: u32,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Findings {
    findings: Vec<Finding>,
}

impl Findings {
    fn ok(&mut self, what: &'static str, says: impl Into<String>) {
        self.findings.push(Finding { what, state: State::Ok, says: says.into(), hint: None });
    }

    fn warn(&mut self, what: &'static str, says: impl Into<String>, hint: &str) {
        self.findings.push(Finding {
            what,
            state: State::Warn,
            says: says.into(),
            hint: Some(hint.to_owned()),
        });
    }

    fn fail(&mut self, what: &'static str, failure: &Failure) {
        let (says, hint) = (failure.to_string(), failure.hint_text().map(str::to_owned));
        self.findings.push(Finding { what, state: State::Fail, says, hint });
    }
}

pub(crate) async fn run(args: DoctorArgs, context: &Context) -> Result<ExitStatus> {
    let mut findings = Findings::default();
    space(context, &mut findings);
    tokio::task::block_in_place(|| self_test(context, &mut findings));
    if let Some(chain) = node(context, &mut findings).await {
        key(&chain, context, &mut findings).await;
        coordinator(&chain, args.pool, &mut findings).await;
    }
    let failed = findings.findings.iter().any(|finding| finding.state == State::Fail);
    context.out.result(&findings)?;
    Ok(if failed { ExitStatus::Negative } else { ExitStatus::Done })
}

fn space(context: &Context, findings: &mut Findings) {
    let mut there = context.profile.data.as_path();
    while !there.exists() {
        let Some(parent) = there.parent() else { break };
        there = parent;
    }
    match rustix::fs::statvfs(there) {
        Ok(system) => {
            let free = system.f_bavail.saturating_mul(system.f_frsize);
            let says = format!("{} free for `{}`", show_bytes(free), context.profile.data.display());
            if free < SPACE_BYTES {
                findings.warn("disk", says, "make room: datasets, outputs and the chain grow");
            } else {
                findings.ok("disk", says);
            }
        }
        Err(error) => findings.warn(
            "disk",
            format!("could not ask for free space: {error}"),
            "check the data directory",
        ),
    }
}

fn self_test(context: &Context, findings: &mut Findings) {
    let ran = sandbox(context).and_then(|sandbox| {
        let module = sandbox.load(NOTHING).map_err(|error| sandbox_failure(&error))?;
        sandbox.run(&Task::new(module)).map_err(|error| sandbox_failure(&error))
    });
    match ran {
        Ok(execution) => {
            let runtime = crate::values::short(guildhall_sandbox::runtime_id());
            findings.ok(
                "sandbox",
                format!("runs apps (runtime {runtime}, {} fuel for nothing)", execution.receipt.fuel),
            );
        }
        Err(failure) => findings.fail("sandbox", &failure),
    }
}

async fn node(context: &Context, findings: &mut Findings) -> Option<ChainClient> {
    use alloy::providers::Provider as _;
    let endpoint = match context.endpoint().await {
        Ok(endpoint) => endpoint,
        Err(failure) => {
            findings.fail("node", &failure);
            return None;
        }
    };
    match endpoint.provider().get_chain_id().await {
        Ok(id) => findings.ok("node", format!("{} answers for chain {id}", endpoint.name())),
        Err(error) => {
            let failure = Failure::new(
                "chain.node",
                format!("the node at {} does not answer: {error}", endpoint.name()),
            )
            .hint("start one with `guildhall up`, or name another with `--chain URL`");
            findings.fail("node", &failure);
            return None;
        }
    }
    let opened = match Deployment::load(&context.profile.deployment) {
        Ok(deployment) => ChainClient::open(endpoint, deployment).await.map_err(Failure::from),
        Err(error) => Err(error.into()),
    };
    match opened {
        Ok(chain) => {
            findings.ok("contracts", "all are there, and name each other");
            clock(&chain, findings).await;
            Some(chain)
        }
        Err(failure) => {
            findings.fail("contracts", &failure);
            None
        }
    }
}

async fn clock(chain: &ChainClient, findings: &mut Findings) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    match chain.head().await {
        Ok(head) => {
            let skew = now.abs_diff(head.time.0);
            let says =
                format!("block {} is {} from this machine's clock", head.block.number, show_seconds(skew));
            if skew > SKEW_SECS {
                findings.warn("clock", says, "check the clock, and that the node is in step");
            } else {
                findings.ok("clock", says);
            }
        }
        Err(error) => findings.fail("clock", &error.into()),
    }
}

async fn key(chain: &ChainClient, context: &Context, findings: &mut Findings) {
    if context.profile.key_if_named().is_none() {
        let count = context.keys().list().map_or(0, |keys| keys.len());
        findings.ok("key", format!("none named; {count} in the data directory"));
        return;
    }
    let key = match context.key().await {
        Ok(key) => key,
        Err(failure) => return findings.fail("key", &failure),
    };
    let (coins, balance) = tokio::join!(chain.coins_wei(key.address()), chain.balance(key.address()));
    match (coins, balance) {
        (Ok(coins), Ok(balance)) => {
            let says = format!("{} opens; {} tokens in the Vault", key.address(), show_tokens(balance.0));
            if coins.is_zero() {
                findings.warn("key", says, "it has no coins for gas: send it some");
            } else {
                findings.ok("key", says);
            }
        }
        (Err(error), _) | (_, Err(error)) => findings.fail("key", &error.into()),
    }
}

async fn coordinator(chain: &ChainClient, pool: u32, findings: &mut Findings) {
    let url = match chain.endpoint_of(PoolId(pool)).await {
        Ok(url) if url.is_empty() => {
            let hint = "its owner says where with `guildhall pool endpoint`";
            return findings.warn(
                "coordinator",
                format!("pool {pool} does not say where its coordinator is"),
                hint,
            );
        }
        Ok(url) => url,
        Err(error) => return findings.fail("coordinator", &error.into()),
    };
    let asked = async { CoordinatorClient::new(&url)?.about().await };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(about)) if about.chain == chain.deployment().chain_id && about.pool == PoolId(pool) => {
            findings.ok(
                "coordinator",
                format!("{url} serves pool {pool}, {} workers connected", about.connected),
            );
        }
        Ok(Ok(about)) => {
            let says = format!("{url} serves pool {} of chain {}", about.pool, about.chain);
            findings.warn("coordinator", says, "the pool's owner should correct the address on chain");
        }
        Ok(Err(error)) => findings.fail("coordinator", &error.into()),
        Err(_) => findings.warn(
            "coordinator",
            format!("{url} does not answer"),
            "check that it runs, or ask its owner",
        ),
    }
}

impl Report for Findings {
    fn text(&self, style: Style) -> String {
        let lines = self.findings.iter().map(|finding| {
            let mark = match finding.state {
                State::Ok => style.good("ok  "),
                State::Warn => style.doubt("warn"),
                State::Fail => style.bad("FAIL"),
            };
            let hint = finding.hint.as_ref().map(|hint| format!("\n     {} {hint}", style.strong("hint:")));
            format!("{mark} {:<11} {}{}", finding.what, finding.says, hint.unwrap_or_default())
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
