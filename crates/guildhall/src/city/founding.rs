//! Founds a city on its chain: contracts, runtime, money, the pool, the workers. Each step looks first.

use alloy::{
    primitives::{Address, Bytes, U256},
    providers::Provider as _,
    sol_types::SolCall,
};
use futures::future::try_join_all;
use guildhall_chain::{
    BeaconSource, Call, ChainClient, DeployOptions, Endpoint, Key, Sender, SenderPolicy, TxOutcome,
    bindings::{DevToken, Registry, Vault, Workforce},
    deploy,
    words::Activity,
};
use guildhall_protocol::{
    PoolId,
    messages::{WorkerKey, workforce_domain},
};
use guildhall_sandbox::runtime_id;

use super::{CityChain, CityConfig, Keys, Node, Senders};
use crate::{
    error::{Failure, Result},
    values::show_tokens,
};

/// Coins that each role gets for gas, in thousandths; topped up when a tenth is left.
const GAS_MILLICOINS: u64 = 1_000;
/// Tokens that the deployer mints.
const MINTED: u64 = 100_000_000;
/// Tokens that an operator has in the Vault.
const OPERATOR_TOKENS: u64 = 10_000;
/// Tokens that the requester has in the Vault.
const REQUESTER_TOKENS: u64 = 1_000_000;
/// Tokens of owner and author in the Vault.
const OWNER_TOKENS: u64 = 10_000;
/// Bond of a worker.
const BOND_TOKENS: u64 = 1_000;
/// Deposit of the pool.
const DEPOSIT_TOKENS: u64 = 1_000;
/// The pool's share of the work fee, in basis points.
const POOL_SHARE_BPS: u16 = 1_000;

/// So many whole tokens.
pub(super) fn tokens(whole: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(18))
}

/// Deploys the contracts, or finds them deployed.
pub(super) async fn contracts(config: &CityConfig, node: &Node, keys: &Keys) -> Result<ChainClient> {
    if let CityChain::Node { .. } = &config.chain
        && !config.data.join("deployment.json").exists()
    {
        enough_coins(node.endpoint(), keys.deployer.address(), config.workers).await?;
    }
    let sender = Sender::start(node.endpoint(), keys.deployer.clone(), SenderPolicy::default());
    let options = DeployOptions {
        parameters: config.parameters,
        seed_kind: config.seed_kind,
        ..DeployOptions::default()
    };
    let file = config.data.join("deployment.json");
    let deployment = deploy(node.endpoint(), &sender, &options, &file).await?;
    let chain = ChainClient::open(node.endpoint().clone(), deployment).await?;
    Ok(chain.with_beacon(BeaconSource::of(config.beacon.clone())?))
}

/// Coins that a city takes from its funder on another chain: one for each of its keys, and one for gas.
pub const fn coins_needed(workers: usize) -> usize {
    // Owner, coordinator, author, requester; an operator for each worker.
    4 + 2 * workers + 1
}

/// Tells of a funder that can't pay for a city before anything is spent.
async fn enough_coins(endpoint: &Endpoint, funder: Address, workers: usize) -> Result<()> {
    let balance = endpoint.provider().get_balance(funder).await;
    let balance = balance.map_err(|error| {
        Failure::new("chain.node", format!("the node at {} does not answer: {error}", endpoint.name()))
            .hint("check the address that `--chain` names, and that the node runs")
    })?;
    let needed = coins_needed(workers);
    if balance >= tokens(u64::try_from(needed).unwrap_or(u64::MAX)) {
        return Ok(());
    }
    Err(Failure::new(
        "city.funds",
        format!("{funder} has {} coins, a city of {workers} workers takes {needed}", show_tokens(balance)),
    )
    .hint("send it coins, name a richer key with `--key`, or found a smaller city with `--workers`"))
}

/// What founding works with.
pub(super) struct Founding<'a> {
    pub(super) chain: &'a ChainClient,
    pub(super) keys: &'a Keys,
    pub(super) senders: &'a Senders,
}

/// Sends a call to a contract.
pub(super) async fn send(sender: &Sender, to: Address, call: &impl SolCall) -> Result<TxOutcome> {
    Ok(sender.send(Call { to: Some(to), data: call.abi_encode().into(), value_wei: U256::ZERO }).await?)
}

impl Founding<'_> {
    /// Gives every role coins for gas and tokens, visitors too where they are `expected`, and registers the runtime.
    pub(super) async fn fund(&self, expected: bool) -> Result<()> {
        self.coins().await?;
        self.tokens().await?;
        if expected {
            self.visitor().await?;
        }
        if self.chain.registry().runtimeNumber(runtime_id()).call().await.is_ok_and(|number| number == 0) {
            let call = Registry::registerRuntimeCall { runtime: runtime_id() };
            send(&self.senders.deployer, self.chain.deployment().registry, &call).await?;
        }
        Ok(())
    }

    async fn coins(&self) -> Result<()> {
        let full = U256::from(GAS_MILLICOINS) * U256::from(10).pow(U256::from(15));
        try_join_all(self.keys.funded().map(|account| async move {
            if self.chain.coins_wei(account).await? < full / U256::from(10) {
                let call = Call { to: Some(account), data: Bytes::new(), value_wei: full };
                self.senders.deployer.send(call).await?;
            }
            Ok::<_, Failure>(())
        }))
        .await?;
        Ok(())
    }

    async fn tokens(&self) -> Result<()> {
        let (deployer, token) = (self.keys.deployer.address(), self.chain.deployment().token);
        let vault = self.chain.deployment().vault;
        if self.chain.tokens(deployer).await?.0.is_zero() {
            let call = DevToken::mintCall { to: deployer, amount: tokens(MINTED) };
            send(&self.senders.deployer, token, &call).await?;
        }
        if self.chain.allowance(deployer).await?.0 < tokens(MINTED) {
            let call = DevToken::approveCall { spender: vault, amount: U256::MAX };
            send(&self.senders.deployer, token, &call).await?;
        }
        let wanted = self
            .keys
            .operators
            .iter()
            .map(|key| (key.address(), OPERATOR_TOKENS))
            .chain([&self.keys.owner, &self.keys.author].map(|key| (key.address(), OWNER_TOKENS)))
            .chain([(self.keys.requester.address(), REQUESTER_TOKENS)]);
        try_join_all(wanted.map(|(account, amount)| async move {
            // A balance that was spent is not filled up again: it is theirs.
            if self.chain.balance(account).await?.0.is_zero() && self.is_new(account).await? {
                let call = Vault::depositCall { account, amount: tokens(amount) };
                send(&self.senders.deployer, vault, &call).await?;
            }
            Ok::<_, Failure>(())
        }))
        .await?;
        if self.chain.tokens(self.keys.requester.address()).await?.0.is_zero() {
            let call = DevToken::transferCall {
                to: self.keys.requester.address(),
                amount: tokens(REQUESTER_TOKENS),
            };
            send(&self.senders.deployer, token, &call).await?;
        }
        Ok(())
    }

    /// Whether an account has not acted yet.
    async fn is_new(&self, account: Address) -> Result<bool> {
        let sent = self.chain.provider().get_transaction_count(account).await;
        Ok(sent.map_err(|error| Failure::new("chain.node", error.to_string()))? == 0)
    }

    /// The pool of the coordinator's key, created where there is none.
    pub(super) async fn pool(&self) -> Result<PoolId> {
        let coordinator = self.keys.coordinator.address();
        let number = self.chain.workforce().poolOfCoordinator(coordinator).call().await;
        let number = number.map_err(|error| Failure::new("chain.node", error.to_string()))?;
        if number != 0 {
            return Ok(PoolId(number));
        }
        let call = Workforce::createPoolCall {
            coordinator,
            shareBps: POOL_SHARE_BPS,
            invitation: false,
            deposit: tokens(DEPOSIT_TOKENS),
            name: "city".to_owned(),
        };
        send(&self.senders.owner, self.chain.deployment().workforce, &call).await?;
        let number = self.chain.workforce().poolOfCoordinator(coordinator).call().await;
        number.map(PoolId).map_err(|error| Failure::new("chain.node", error.to_string()))
    }

    /// Says on chain where the coordinator is.
    pub(super) async fn endpoint(&self, pool: PoolId, url: &str) -> Result<()> {
        if self.chain.endpoint_of(pool).await? != url {
            let call = Workforce::setEndpointCall { pool: pool.0, url: url.to_owned() };
            send(&self.senders.owner, self.chain.deployment().workforce, &call).await?;
        }
        Ok(())
    }

    /// Lets every operator join with its worker.
    pub(super) async fn workers(&self, pool: PoolId) -> Result<()> {
        let number = self.chain.registry().runtimeNumber(runtime_id()).call().await;
        let runtime = number.map_err(|error| Failure::new("chain.node", error.to_string()))?;
        let pairs = self.keys.operators.iter().zip(&self.keys.workers);
        try_join_all(pairs.map(|(operator, worker)| self.join(pool, runtime, operator, worker))).await?;
        Ok(())
    }

    async fn join(&self, pool: PoolId, runtime: u8, operator: &Key, worker: &Key) -> Result<()> {
        let workforce = self.chain.deployment().workforce;
        let state = self.chain.worker(worker.address()).await?;
        if state.is_some_and(|state| state.activity != Activity::Dormant) {
            return Ok(());
        }
        let sender = self.chain.sender(operator.clone(), SenderPolicy::default());
        if state.is_some() {
            send(&sender, workforce, &Workforce::wakeCall { worker: worker.address() }).await?;
            return Ok(());
        }
        let domain = workforce_domain(self.chain.deployment().chain_id, workforce);
        let proof =
            worker.sign_message(&WorkerKey { operator: operator.address(), pool: pool.0 }, &domain)?;
        let call = Workforce::joinCall {
            worker: worker.address(),
            pool: pool.0,
            runtime,
            bond: tokens(BOND_TOKENS),
            workerSignature: Bytes::copy_from_slice(&proof.to_bytes()),
        };
        send(&sender, workforce, &call).await?;
        Ok(())
    }
}
