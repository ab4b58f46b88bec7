//! The chain under a city: the embedded one, or any node.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::primitives::{Address, U256};
use alloy::pubsub::PubSubConnect as _;
use guildhall_chain::{Endpoint, RpcPolicy};
use guildhall_ledger::{
    Clock, Genesis, Ledger, LedgerConfig, LedgerConnect, LedgerError, SealMode, ServerHandle, ServerLimits,
};

use tokio::sync::mpsc;

use super::{CityChain, CityConfig, roles::Ended};
use crate::error::{Failure, Result};

/// Chain id of an embedded city: nobody else's in the public lists.
pub(super) const CHAIN_ID: u64 = 20_261;
/// Coins of the deployer in the first block, in whole coins.
const DEPLOYER_COINS: u64 = 1_000_000;
/// Without a transaction for so long, an empty block is sealed: time passes on the chain, too.
const IDLE: Duration = Duration::from_secs(1);

/// The chain under a city.
pub struct Node {
    endpoint: Endpoint,
    embedded: Option<(Ledger, Option<ServerHandle>)>,
    url: Option<String>,
}

impl Node {
    /// Opens the embedded chain, or connects to the node.
    ///
    /// # Errors
    /// `ledger.*`, `chain.*`.
    pub(super) async fn start(config: &CityConfig, deployer: Address) -> Result<Self> {
        match &config.chain {
            CityChain::Node { url, second, .. } => Ok(Self {
                endpoint: match second {
                    Some(second) => Endpoint::connect_two(url, second, RpcPolicy::default()).await?,
                    None => Endpoint::connect(url, RpcPolicy::default()).await?,
                },
                embedded: None,
                url: Some(url.to_string()),
            }),
            CityChain::Embedded { rpc } => {
                let ledger = open(&config.data.join("chain.redb"), deployer, config.dev_methods)?;
                let server = match rpc {
                    Some(address) => Some(ledger.serve(*address).await.map_err(|error| failure(&error))?),
                    None => None,
                };
                let pushing = LedgerConnect::new(&ledger).into_service().await;
                let pushing = pushing.map_err(|error| Failure::new("ledger.transport", error.to_string()))?;
                let endpoint =
                    Endpoint::from_transport(pushing, "the embedded chain", true, RpcPolicy::default());
                let url = server.as_ref().map(|server| format!("http://{}", server.addr));
                Ok(Self { endpoint, embedded: Some((ledger, server)), url })
            }
        }
    }

    /// Tells `ended` when the embedded chain can go on no more.
    pub(super) fn watch(&self, ended: mpsc::Sender<Ended>) {
        let Some((ledger, _)) = &self.embedded else { return };
        let failed = ledger.failed();
        tokio::spawn(async move {
            if let Some(error) = failed.await {
                let _ = ended.try_send(("chain".to_owned(), failure(&error)));
            }
        });
    }

    /// The way to it.
    pub(super) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its JSON-RPC address, where it is served.
    pub fn rpc_url(&self) -> Option<String> {
        self.url.clone()
    }

    /// The embedded chain, where it is that.
    pub const fn ledger(&self) -> Option<&Ledger> {
        match &self.embedded {
            Some((ledger, _)) => Some(ledger),
            None => None,
        }
    }

    /// Stops serving and lets go of the file.
    pub(super) async fn stop(self) {
        let Some((ledger, server)) = self.embedded else { return };
        if let Some(server) = server {
            server.stop().await;
        }
        drop(self.endpoint);
        ledger.close().await;
    }
}

fn open(path: &Path, deployer: Address, dev_methods: bool) -> Result<Ledger> {
    let stored = Ledger::stored_genesis(path).map_err(|error| failure(&error))?;
    let genesis = stored.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let coins = U256::from(DEPLOYER_COINS) * U256::from(10).pow(U256::from(18));
        Genesis::new(CHAIN_ID, now).fund(deployer, coins)
    });
    let config = LedgerConfig {
        path: Some(path.to_owned()),
        genesis,
        seal: SealMode::Instant { idle: Some(IDLE) },
        clock: Clock::System,
        beneficiary: Address::ZERO,
        dev_methods,
        limits: ServerLimits::default(),
    };
    Ledger::open(config).map_err(|error| failure(&error))
}

fn failure(error: &LedgerError) -> Failure {
    let failure = Failure::new(error.code(), error.to_string());
    match error {
        LedgerError::Corrupt { .. } => failure.hint("the file was left as it is: put a copy in its place"),
        LedgerError::Foreign { .. } => {
            failure.hint("move the file away, or name another directory (`--data`)")
        }
        LedgerError::Locked { .. } => {
            failure.hint("stop the other process, or name another directory (`--data`)")
        }
        LedgerError::Storage { .. } => failure
            .hint("free space on the disk, or check it, and start again: what was acknowledged is there"),
        _ => failure,
    }
}
