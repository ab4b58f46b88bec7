//! Who works in a pool now: from the events of joining and moving, each checked against the chain's own word.

use std::collections::BTreeSet;

use alloy::{
    primitives::{Address, B256},
    providers::Provider as _,
    rpc::types::Filter,
    sol_types::SolEvent as _,
};
use guildhall_chain::{ChainClient, bindings::Workforce, words::Activity};
use guildhall_protocol::{BondUnits, OperatorId, PoolId, Reputation};
use serde::Serialize;

use super::quote::PoolNow;
use crate::error::{Failure, Result};

/// The most workers that are looked at.
const WORKERS_MAX: usize = 10_000;

/// A worker of a pool.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MemberNow {
    /// Its key.
    pub worker: Address,
    /// Its operator.
    pub operator: OperatorId,
    /// Its bond.
    pub bond: BondUnits,
    /// Its points.
    pub reputation: Reputation,
    /// Whether it can have seats.
    #[serde(serialize_with = "activity")]
    pub activity: Activity,
}

/// The workers of a pool.
#[derive(Clone, Debug, Serialize)]
pub struct Members {
    /// Those that can have seats.
    pub active: u32,
    /// Their operators.
    pub operators: u32,
    /// All, by address.
    pub workers: Vec<MemberNow>,
}

impl Members {
    /// As a quote needs it.
    pub fn now(&self) -> PoolNow {
        let active = self.workers.iter().filter(|worker| is_active(worker.activity));
        let bond = active.fold(BondUnits::ZERO, |sum, worker| sum.saturating_add(worker.bond));
        PoolNow { workers: self.active, operators: self.operators, bond }
    }
}

/// Reads the workers of a pool.
///
/// # Errors
/// `chain.*`.
pub async fn members(chain: &ChainClient, pool: PoolId) -> Result<Members> {
    let deployment = chain.deployment();
    let filter = Filter::new()
        .address(deployment.workforce)
        .event_signature(vec![
            Workforce::WorkerJoined::SIGNATURE_HASH,
            Workforce::WorkerChanged::SIGNATURE_HASH,
        ])
        .from_block(deployment.block);
    let logs = chain.provider().get_logs(&filter).await.map_err(|error| {
        Failure::new("chain.node", format!("the node did not answer for the workers' events: {error}"))
    })?;
    // The worker is the first indexed field of both events.
    let seen: BTreeSet<Address> = logs
        .iter()
        .filter_map(|log| log.topics().get(1).map(|topic: &B256| Address::from_word(*topic)))
        .collect();
    let mut workers = Vec::new();
    for worker in seen.into_iter().take(WORKERS_MAX) {
        let Some(now) = chain.worker(worker).await? else { continue };
        if now.pool == pool {
            let (operator, bond, reputation, activity) =
                (now.operator, now.bond, now.reputation, now.activity);
            workers.push(MemberNow { worker, operator, bond, reputation, activity });
        }
    }
    let active: Vec<_> = workers.iter().filter(|worker| is_active(worker.activity)).collect();
    let operators: BTreeSet<_> = active.iter().map(|worker| worker.operator).collect();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Members { active: count(active.len()), operators: count(operators.len()), workers })
}

/// What is said of a pool that is not there.
pub fn missing(pool: u32) -> Failure {
    Failure::new("pool.missing", format!("there is no pool {pool}"))
        .hint("`guildhall pool list` shows those that there are")
}

const fn is_active(activity: Activity) -> bool {
    matches!(activity, Activity::Since(_))
}

fn activity<S: serde::Serializer>(activity: &Activity, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match activity {
        Activity::Since(_) => "active",
        Activity::Expelled => "expelled",
        Activity::Leaving => "leaving",
        Activity::Dormant => "dormant",
    })
}
