//! `guildhall pool`: pools of workers, from their owners' and operators' side.

use alloy::primitives::{Address, B256, Bytes, U256};
use clap::Subcommand;
use guildhall_chain::{
    ChainClient, Key, TxOutcome, bindings::Workforce, faults::MISSED_SEATS, words::Activity,
};
use guildhall_protocol::{
    Amount, PoolId,
    messages::{WorkerKey, workforce_domain},
};
use guildhall_sandbox::runtime_id;
use serde::Serialize;
use url::Url;

use super::{
    Context,
    net::{send, sender},
    result::Done,
};
use crate::{
    error::{ExitStatus, Failure, Result},
    output::{Report, Style, table},
    requester::pools::{Members, members, missing},
    values::{show_tokens, tokens},
};

/// The most pools that are listed.
const POOLS_MAX: u32 = 1_000;

#[derive(Debug, Subcommand)]
pub(crate) enum PoolCommand {
    /// Create a pool, with a deposit that answers for its coordinator.
    Create {
        /// Its name.
        name: String,
        /// Key that signs lists; it serves one pool for life.
        #[arg(long, value_name = "NAME|FILE|ADDRESS")]
        coordinator: String,
        /// The pool's share of the work fee, in percent.
        #[arg(long, default_value_t = 10)]
        share: u16,
        /// Deposit, in tokens, from the owner's balance; the minimum if left out.
        #[arg(long, value_parser = tokens, value_name = "TOKENS")]
        deposit: Option<U256>,
        /// Take invited operators only.
        #[arg(long)]
        invitation: bool,
    },
    /// Join a pool with a worker, bonded from the operator's balance.
    Join {
        /// Number of the pool.
        pool: u32,
        /// Key of the worker.
        #[arg(long, value_name = "NAME|FILE")]
        worker: String,
        /// Bond, in tokens; the minimum if left out.
        #[arg(long, value_parser = tokens, value_name = "TOKENS")]
        bond: Option<U256>,
    },
    /// Prove that a worker's key is here, for an operator who joins from elsewhere, such as the web application.
    Prove {
        /// Number of the pool.
        pool: u32,
        /// Key of the worker.
        #[arg(long, value_name = "NAME|FILE")]
        worker: String,
        /// Who will own it: nobody else can join with this proof.
        #[arg(long, value_name = "ADDRESS")]
        operator: Address,
    },
    /// Show a pool: owner, coordinator, workers, bonds.
    Show {
        /// Number of the pool.
        pool: u32,
    },
    /// List the pools.
    List,
    /// Say on chain where the coordinator is reached.
    Endpoint {
        /// Number of the pool.
        pool: u32,
        /// Its address; without one, the pool says nothing any more.
        url: Option<Url>,
    },
    /// Let an operator in.
    Invite {
        /// Number of the pool.
        pool: u32,
        /// The operator.
        operator: Address,
        /// Keep it out from now on.
        #[arg(long)]
        not: bool,
    },
    /// Change the coordinator or the rules; what is left out stays.
    Set {
        /// Number of the pool.
        pool: u32,
        /// Key that signs lists from now on; it serves one pool for life.
        #[arg(long, value_name = "NAME|FILE|ADDRESS")]
        coordinator: Option<String>,
        /// The pool's share of the work fee, in percent.
        #[arg(long)]
        share: Option<u16>,
        /// Whether only invited operators are taken.
        #[arg(long, value_name = "true|false")]
        invitation: Option<bool>,
    },
    /// Raise a pool's deposit, from the key's balance.
    Deposit {
        /// Number of the pool.
        pool: u32,
        /// Tokens.
        #[arg(value_parser = tokens)]
        amount: U256,
    },
    /// Close a pool: the first call ends its deals to come, the second takes the deposit back after the unbonding time.
    Close {
        /// Number of the pool.
        pool: u32,
    },
    /// Move a worker to another pool. Its seats and its reputation start anew.
    Move {
        /// Number of the pool to move to.
        pool: u32,
        /// The worker.
        #[arg(long, value_name = "NAME|FILE|ADDRESS")]
        worker: String,
    },
    /// Wake a worker that is dormant or on its way out: it has seats again.
    Wake {
        /// The worker.
        #[arg(long, value_name = "NAME|FILE|ADDRESS")]
        worker: String,
    },
    /// Put a worker to sleep that missed eight seats: its bond does not thin out the draw any more. Exit status 1 where it
    /// missed fewer.
    Report {
        /// The worker.
        #[arg(long, value_name = "NAME|FILE|ADDRESS")]
        worker: String,
        /// Look at what was certified from this block on.
        #[arg(long, default_value_t = 0, value_name = "BLOCK")]
        from_block: u64,
    },
    /// Give a pool to another owner, with its deposit and the fees to come. Its orders end.
    Transfer {
        /// Number of the pool.
        pool: u32,
        /// The owner from now on.
        to: Address,
    },
    /// Move the pool's share to the owner's balance.
    Collect {
        /// Number of the pool.
        pool: u32,
    },
}

pub(crate) async fn run(command: PoolCommand, context: &Context) -> Result<ExitStatus> {
    let chain = context.chain().await?;
    match command {
        PoolCommand::Create { name, coordinator, share, deposit, invitation } => {
            let coordinator = address_of(&coordinator, context)?;
            let deposit = match deposit {
                Some(deposit) => deposit,
                None => chain.minimum_deposit().await?.0,
            };
            let call = Workforce::createPoolCall {
                coordinator,
                shareBps: share.saturating_mul(100),
                invitation,
                deposit,
                name,
            };
            act(&chain, context, &call).await?;
            let number = chain.workforce().poolOfCoordinator(coordinator).call().await;
            let number = number.map_err(|error| Failure::new("chain.node", error.to_string()))?;
            context.out.result(&show(&chain, number).await?)?;
        }
        PoolCommand::Join { pool, worker, bond } => {
            let worker = context.named_key(worker).await?;
            let outcome = join(&chain, context, pool, &worker, bond).await?;
            context.out.result(&Joined { worker: worker.address(), pool, transaction: outcome.hash })?;
        }
        PoolCommand::Prove { pool, worker, operator } => {
            let worker = context.named_key(worker).await?;
            context.out.result(&Proved::new(&chain, pool, &worker, operator)?)?;
        }
        PoolCommand::Show { pool } => context.out.result(&show(&chain, pool).await?)?,
        PoolCommand::List => context.out.result(&list(&chain).await?)?,
        PoolCommand::Endpoint { pool, url } => {
            let url = url.map(|url| url.to_string()).unwrap_or_default();
            change(&chain, context, pool, &Workforce::setEndpointCall { pool, url }).await?;
        }
        PoolCommand::Invite { pool, operator, not } => {
            change(&chain, context, pool, &Workforce::inviteCall { pool, operator, allowed: !not }).await?;
        }
        PoolCommand::Set { pool, coordinator, share, invitation } => {
            let call = changed(&chain, context, pool, coordinator, share, invitation).await?;
            change(&chain, context, pool, &call).await?;
        }
        PoolCommand::Deposit { pool, amount } => {
            change(&chain, context, pool, &Workforce::addPoolDepositCall { pool, amount }).await?;
        }
        PoolCommand::Close { pool } => {
            change(&chain, context, pool, &Workforce::closePoolCall { pool }).await?;
        }
        PoolCommand::Move { pool, worker } => {
            let worker = address_of(&worker, context)?;
            let runtime = runtime(&chain).await?;
            let outcome = act(&chain, context, &Workforce::moveCall { worker, pool, runtime }).await?;
            context.out.result(&Joined { worker, pool, transaction: outcome.hash })?;
        }
        PoolCommand::Wake { worker } => {
            let worker = address_of(&worker, context)?;
            let outcome = act(&chain, context, &Workforce::wakeCall { worker }).await?;
            context.out.result(&Done::new(&outcome))?;
        }
        PoolCommand::Report { worker, from_block } => report(&chain, context, &worker, from_block).await?,
        PoolCommand::Transfer { pool, to } => {
            change(&chain, context, pool, &Workforce::transferPoolCall { pool, to }).await?;
        }
        PoolCommand::Collect { pool } => {
            change(&chain, context, pool, &Workforce::collectPoolFeesCall { pool }).await?;
        }
    }
    Ok(ExitStatus::Done)
}

/// Changes something of a pool, and shows it.
async fn change(
    chain: &ChainClient,
    context: &Context,
    pool: u32,
    call: &impl alloy::sol_types::SolCall,
) -> Result<()> {
    act(chain, context, call).await?;
    context.out.result(&show(chain, pool).await?)
}

async fn act(
    chain: &ChainClient,
    context: &Context,
    call: &impl alloy::sol_types::SolCall,
) -> Result<TxOutcome> {
    let key = context.key().await?;
    send(&sender(chain, &key), chain.deployment().workforce, call).await
}

/// The pool's rules with what is to change; the contract takes them all at once.
async fn changed(
    chain: &ChainClient,
    context: &Context,
    number: u32,
    coordinator: Option<String>,
    share: Option<u16>,
    invitation: Option<bool>,
) -> Result<Workforce::setPoolCall> {
    let pool = chain.pool(PoolId(number)).await?.ok_or_else(|| missing(number))?;
    let coordinator = match coordinator {
        Some(coordinator) => address_of(&coordinator, context)?,
        None => chain.pool_details(PoolId(number)).await?.coordinator,
    };
    Ok(Workforce::setPoolCall {
        pool: number,
        coordinator,
        shareBps: share.map_or(pool.share.0, |share| share.saturating_mul(100)),
        invitation: invitation.unwrap_or(pool.invitation),
    })
}

/// The chain's number of the runtime that this program has.
async fn runtime(chain: &ChainClient) -> Result<u8> {
    let number = chain.runtime_number(runtime_id()).await?.ok_or_else(|| {
        Failure::new("pool.runtime", "the runtime of this program is not registered on this chain")
            .hint("the protocol's owner registers runtimes; check that your release is theirs")
    })?;
    Ok(number.0)
}

/// An address: written out, or a key's of this data directory.
pub(crate) fn address_of(text: &str, context: &Context) -> Result<Address> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let file = context.keys().find(text)?;
    let listed = context.keys().list()?.into_iter().find(|entry| entry.file == file);
    listed.and_then(|entry| entry.address).ok_or_else(|| {
        Failure::new("keys.no_address", format!("`{}` does not state its address", file.display()))
            .hint("give the address itself")
    })
}

/// Puts a worker to sleep, with the first seats that it missed.
async fn report(chain: &ChainClient, context: &Context, worker: &str, from_block: u64) -> Result<()> {
    let (worker, key) = (address_of(worker, context)?, context.key().await?);
    let missed = chain.missed_seats(worker, from_block).await?;
    if missed.len() < MISSED_SEATS {
        let message = format!("{worker} missed {} seats; it takes {MISSED_SEATS}", missed.len());
        return Err(Failure::negative("pool.awake", message)
            .hint("a worker that never contributes is out of the draw after that"));
    }
    let call = chain.report_dormant_call(worker, &missed)?;
    context.out.result(&Done::new(&sender(chain, &key).send(call).await?))
}

async fn join(
    chain: &ChainClient,
    context: &Context,
    pool: u32,
    worker: &Key,
    bond: Option<U256>,
) -> Result<TxOutcome> {
    let operator = context.key().await?;
    let runtime = runtime(chain).await?;
    let bond = match bond {
        Some(bond) => bond,
        None => chain.minimum_bond().await?.0,
    };
    let worker_signature = proof_of(chain, pool, worker, operator.address())?;
    let call = Workforce::joinCall {
        worker: worker.address(),
        pool,
        runtime,
        bond,
        workerSignature: worker_signature,
    };
    send(&sender(chain, &operator), chain.deployment().workforce, &call).await
}

/// The worker's signature that it serves this operator in this pool.
fn proof_of(chain: &ChainClient, pool: u32, worker: &Key, operator: Address) -> Result<Bytes> {
    let domain = workforce_domain(chain.deployment().chain_id, chain.deployment().workforce);
    let proof = worker.sign_message(&WorkerKey { operator, pool }, &domain)?;
    Ok(Bytes::copy_from_slice(&proof.to_bytes()))
}

async fn show(chain: &ChainClient, number: u32) -> Result<Shown> {
    let pool = PoolId(number);
    let found = chain.pool(pool).await?.ok_or_else(|| missing(number))?;
    let details = chain.pool_details(pool).await?;
    Ok(Shown {
        pool: number,
        owner: found.owner,
        coordinator: details.coordinator,
        endpoint: chain.endpoint_of(pool).await?,
        deposit: details.deposit,
        bond: Amount(found.bond.to_amount().0),
        share_percent: found.share.0 / 100,
        invitation: found.invitation,
        closing: found.closing,
        fees: chain.pool_fees(pool).await?,
        members: members(chain, pool).await?,
    })
}

async fn list(chain: &ChainClient) -> Result<Listed> {
    let pools = chain.workforce().pools().call().await;
    let count = pools.map_err(|error| Failure::new("chain.node", error.to_string()))?;
    let mut pools = Vec::new();
    for number in 1..=count.min(POOLS_MAX) {
        pools.push(show(chain, number).await?);
    }
    Ok(Listed { pools })
}

#[derive(Serialize)]
struct Proved {
    worker: Address,
    operator: Address,
    pool: u32,
    proof: Bytes,
}

impl Proved {
    fn new(chain: &ChainClient, pool: u32, worker: &Key, operator: Address) -> Result<Self> {
        Ok(Self { worker: worker.address(), operator, pool, proof: proof_of(chain, pool, worker, operator)? })
    }
}

impl Report for Proved {
    fn text(&self, style: Style) -> String {
        let note = format!("for operator {} and pool {} alone", self.operator, self.pool);
        format!("worker {}\nproof  {}\n{}", self.worker, self.proof, style.faint(note))
    }
}

#[derive(Serialize)]
struct Joined {
    worker: Address,
    pool: u32,
    transaction: B256,
}

impl Report for Joined {
    fn text(&self, style: Style) -> String {
        format!(
            "worker {} is in pool {}\n{}",
            style.strong(self.worker),
            self.pool,
            style.faint("start it with `guildhall worker --key WORKER`")
        )
    }
}

#[derive(Serialize)]
struct Shown {
    pool: u32,
    owner: Address,
    coordinator: Address,
    endpoint: String,
    deposit: Amount,
    bond: Amount,
    share_percent: u16,
    invitation: bool,
    closing: bool,
    fees: Amount,
    members: Members,
}

impl Report for Shown {
    fn text(&self, style: Style) -> String {
        let mut lines = vec![
            format!("{} {}", style.strong("pool       "), self.pool),
            format!("{} {}", style.strong("owner      "), self.owner),
            format!("{} {} {}", style.strong("coordinator"), self.coordinator, self.endpoint),
            format!("{} {} tokens deposited", style.strong("answers    "), show_tokens(self.deposit.0)),
            format!(
                "{} {} % of the work fee, {} tokens to collect",
                style.strong("share      "),
                self.share_percent,
                show_tokens(self.fees.0)
            ),
            format!(
                "{} {} active of {} operators, {} tokens bonded",
                style.strong("workers    "),
                self.members.active,
                self.members.operators,
                show_tokens(self.bond.0)
            ),
        ];
        if self.invitation {
            lines.push("by invitation".to_owned());
        }
        if self.closing {
            lines.push(style.doubt("closing: takes no deals"));
        }
        let rows = self.members.workers.iter().map(|worker| {
            let state = match worker.activity {
                Activity::Since(_) => "active",
                Activity::Expelled => "expelled",
                Activity::Leaving => "leaving",
                Activity::Dormant => "dormant",
            };
            vec![
                worker.worker.to_string(),
                worker.operator.to_string(),
                show_tokens(worker.bond.to_amount().0),
                worker.reputation.to_string(),
                state.to_owned(),
            ]
        });
        let head = ["worker", "operator", "bond", "reputation", "state"].map(str::to_owned).to_vec();
        lines.push(table(std::iter::once(head).chain(rows).collect()));
        lines.join("\n")
    }
}

#[derive(Serialize)]
struct Listed {
    pools: Vec<Shown>,
}

impl Report for Listed {
    fn text(&self, _: Style) -> String {
        let rows = self.pools.iter().map(|pool| {
            vec![
                pool.pool.to_string(),
                pool.members.active.to_string(),
                pool.members.operators.to_string(),
                show_tokens(pool.bond.0),
                format!("{} %", pool.share_percent),
                pool.endpoint.clone(),
            ]
        });
        let head =
            ["pool", "workers", "operators", "bonded", "share", "coordinator"].map(str::to_owned).to_vec();
        table(std::iter::once(head).chain(rows).collect())
    }
}
