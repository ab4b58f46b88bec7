//! `guildhall stake`: bonds, balances and fees of an operator.

use alloy::primitives::{Address, Bytes, U256};
use clap::Subcommand;
use guildhall_chain::{
    Call, ChainClient,
    bindings::{DevToken, Vault, Workforce},
    words::Activity,
};
use guildhall_protocol::{Amount, BondUnits};
use serde::Serialize;

use super::{
    Context,
    net::{send, sender},
    pool::address_of,
    result::Done,
};
use crate::{
    error::{ExitStatus, Failure, Result},
    output::{Report, Style},
    values::{show_seconds, show_tokens, tokens},
};

#[derive(Debug, Subcommand)]
pub(crate) enum StakeCommand {
    /// Raise a worker's bond, from the operator's balance. Its seats start anew.
    Add {
        /// Tokens.
        #[arg(value_parser = tokens)]
        amount: U256,
        /// The worker.
        #[arg(long, value_name = "NAME|FILE|ADDRESS")]
        worker: String,
    },
    /// Take a bond back: the first call leaves the pool, the second pays out after the unbonding time.
    Remove {
        /// Tokens.
        #[arg(value_parser = tokens)]
        amount: U256,
        /// The worker.
        #[arg(long, value_name = "NAME|FILE|ADDRESS")]
        worker: String,
    },
    /// Show balances, bonds and fees of an account.
    Show {
        /// A worker to show, too.
        #[arg(long, value_name = "NAME|FILE|ADDRESS")]
        worker: Option<String>,
        /// The account; the named key if left out.
        #[arg(value_name = "NAME|FILE|ADDRESS")]
        account: Option<String>,
    },
    /// Pay tokens in.
    Deposit {
        /// Tokens.
        #[arg(value_parser = tokens)]
        amount: U256,
        /// Whose balance grows; the key's own if left out.
        #[arg(long, value_name = "NAME|FILE|ADDRESS")]
        to: Option<String>,
    },
    /// Send coins, which pay for gas, to another account.
    Gas {
        /// Coins.
        #[arg(value_parser = tokens)]
        amount: U256,
        /// The account.
        #[arg(long, value_name = "NAME|FILE|ADDRESS")]
        to: String,
    },
    /// Pay the balance out.
    Withdraw {
        /// Tokens.
        #[arg(value_parser = tokens)]
        amount: U256,
    },
    /// Move earned fees to the operator's balance.
    Collect,
}

pub(crate) async fn run(command: StakeCommand, context: &Context) -> Result<ExitStatus> {
    let chain = context.chain().await?;
    match command {
        StakeCommand::Add { amount, worker } => {
            let worker = address_of(&worker, context)?;
            let call = Workforce::addBondCall { worker, amount };
            act(&chain, context, chain.deployment().workforce, &call).await?;
        }
        StakeCommand::Remove { amount, worker } => remove(&chain, context, amount, &worker).await?,
        StakeCommand::Show { worker, account } => {
            let account = match &account {
                Some(account) => address_of(account, context)?,
                None => address_of(context.profile.key()?, context)?,
            };
            let worker = worker.map(|worker| address_of(&worker, context)).transpose()?;
            context.out.result(&show(&chain, account, worker).await?)?;
        }
        StakeCommand::Deposit { amount, to } => deposit(&chain, context, amount, to).await?,
        StakeCommand::Gas { amount, to } => {
            let to = Some(address_of(&to, context)?);
            let key = context.key().await?;
            let call = Call { to, data: Bytes::new(), value_wei: amount };
            context.out.result(&Done::new(&sender(&chain, &key).send(call).await?))?;
        }
        StakeCommand::Withdraw { amount } => {
            let to = context.key().await?.address();
            act(&chain, context, chain.deployment().vault, &Vault::withdrawCall { amount, to }).await?;
        }
        StakeCommand::Collect => {
            act(&chain, context, chain.deployment().workforce, &Workforce::collectOperatorFeesCall {})
                .await?;
        }
    }
    Ok(ExitStatus::Done)
}

async fn act(
    chain: &ChainClient,
    context: &Context,
    to: Address,
    call: &impl alloy::sol_types::SolCall,
) -> Result<()> {
    let key = context.key().await?;
    let outcome = send(&sender(chain, &key), to, call).await?;
    context.out.result(&Done::new(&outcome))
}

async fn remove(chain: &ChainClient, context: &Context, amount: U256, worker: &str) -> Result<()> {
    let worker = address_of(worker, context)?;
    let workforce = chain.deployment().workforce;
    let state = chain.worker(worker).await?.ok_or_else(|| {
        Failure::negative("stake.no_worker", format!("{worker} is no worker"))
            .hint("`guildhall pool show` lists workers")
    })?;
    if state.activity != Activity::Leaving {
        let key = context.key().await?;
        let outcome = send(&sender(chain, &key), workforce, &Workforce::leavePoolCall { worker }).await?;
        let withdrawable_at = chain.withdrawable_at(worker).await?.map_or(0, |ready| ready.0);
        let in_secs = withdrawable_at.saturating_sub(chain.head().await?.time.0);
        return context.out.result(&Leaving { done: Done::new(&outcome), withdrawable_at, in_secs });
    }
    act(chain, context, workforce, &Workforce::withdrawBondCall { worker, amount }).await
}

async fn deposit(chain: &ChainClient, context: &Context, amount: U256, to: Option<String>) -> Result<()> {
    let to = to.map(|to| address_of(&to, context)).transpose()?;
    let key = context.key().await?;
    let account = to.unwrap_or(key.address());
    let (vault, token) = (chain.deployment().vault, chain.deployment().token);
    let sender = sender(chain, &key);
    if chain.allowance(key.address()).await?.0 < amount {
        send(&sender, token, &DevToken::approveCall { spender: vault, amount }).await?;
    }
    let outcome = send(&sender, vault, &Vault::depositCall { account, amount }).await?;
    context.out.result(&Done::new(&outcome))
}

async fn show(chain: &ChainClient, account: Address, worker: Option<Address>) -> Result<Shown> {
    let operator = chain.operator(account).await?;
    let fees = match operator {
        Some(operator) => Some(chain.operator_fees(operator).await?),
        None => None,
    };
    let worker = match worker {
        Some(worker) => match chain.worker(worker).await? {
            Some(state) => Some(WorkerShown {
                worker,
                bond: state.bond,
                at_risk: state.exposure(chain.head().await?.time),
                reputation: state.reputation.0,
                pool: state.pool.0,
                activity: activity_of(state.activity),
            }),
            None => None,
        },
        None => None,
    };
    Ok(Shown {
        account,
        balance: chain.balance(account).await?,
        tokens: chain.tokens(account).await?,
        coins_wei: chain.coins_wei(account).await?.to_string(),
        operator: operator.map(|operator| operator.0),
        fees,
        worker,
    })
}

/// A worker that is on its way out.
#[derive(Serialize)]
struct Leaving {
    #[serde(flatten)]
    done: Done,
    withdrawable_at: u64,
    in_secs: u64,
}

impl Report for Leaving {
    fn text(&self, style: Style) -> String {
        format!(
            "{}\nthe worker has left its pool; its bond can be taken in {}, by the same command again",
            self.done.text(style),
            show_seconds(self.in_secs)
        )
    }
}

#[derive(Serialize)]
struct WorkerShown {
    worker: Address,
    bond: BondUnits,
    at_risk: BondUnits,
    reputation: u16,
    pool: u32,
    /// Whether it can have seats.
    activity: &'static str,
}

const fn activity_of(activity: Activity) -> &'static str {
    match activity {
        Activity::Since(_) => "active",
        Activity::Expelled => "expelled",
        Activity::Leaving => "leaving",
        Activity::Dormant => "dormant",
    }
}

#[derive(Serialize)]
struct Shown {
    account: Address,
    balance: Amount,
    tokens: Amount,
    coins_wei: String,
    operator: Option<u32>,
    fees: Option<Amount>,
    worker: Option<WorkerShown>,
}

impl Report for Shown {
    fn text(&self, style: Style) -> String {
        let mut lines = vec![
            format!("{} {}", style.strong("account"), self.account),
            format!(
                "{} {} tokens in the Vault, {} outside",
                style.strong("balance"),
                show_tokens(self.balance.0),
                show_tokens(self.tokens.0)
            ),
        ];
        if let (Some(operator), Some(fees)) = (self.operator, &self.fees) {
            lines.push(format!(
                "{} operator {operator}, {} tokens to collect",
                style.strong("fees   "),
                show_tokens(fees.0)
            ));
        }
        if let Some(worker) = &self.worker {
            lines.push(format!(
                "{} {} in pool {}, {}: {} tokens, {} at risk, reputation {}",
                style.strong("bond   "),
                worker.worker,
                worker.pool,
                worker.activity,
                show_tokens(worker.bond.to_amount().0),
                show_tokens(worker.at_risk.to_amount().0),
                worker.reputation
            ));
        }
        lines.join("\n")
    }
}
