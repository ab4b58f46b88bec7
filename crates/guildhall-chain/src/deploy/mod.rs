//! Puts the contracts on a chain, and checks that they stand there as they should.
//!
//! The contracts name each other, so their addresses are predicted from the deployer's next numbers before the first is
//! sent. An interrupted deployment goes on where it stopped: the plan lies beside the deployment file until it is done.

mod check;
mod error;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use alloy::{
    primitives::{Address, Bytes, U256},
    providers::Provider,
    sol_types::SolConstructor,
};
use guildhall_protocol::{Amount, Parameters, units::BOND_UNIT_WEI};
use guildhall_service::files::{FileError, MODE_PUBLIC, atomic_write};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use error::DeployError;

use crate::{
    bindings::{Certifier, Court, DevToken, Inquest, Jury, Market, Recourse, Registry, Vault, Workforce},
    rpc::Endpoint,
    seeds::SeedKind,
    send_error::SendError,
    sender::{Call, Sender},
};

/// Largest deployment file, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// How long transactions of an interrupted run may take to get into blocks.
const SETTLE_AT_MOST: Duration = Duration::from_secs(120);

/// Where the contracts of one deployment stand. Kept as a JSON file; nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The chain.
    pub chain_id: u64,
    /// The token of all amounts.
    pub token: Address,
    /// Money.
    pub vault: Address,
    /// Apps, datasets, runtimes.
    pub registry: Address,
    /// Pools, operators, workers.
    pub workforce: Address,
    /// Orders and deals.
    pub market: Address,
    /// Rounds, certificates, deliveries.
    pub certifier: Address,
    /// Where the lot's seed comes from.
    pub seed: Address,
    /// What seeds are made of.
    #[serde(default)]
    pub seed_kind: SeedKind,
    /// What follows a certificate: shown contributions, proven faults, escrow.
    pub recourse: Address,
    /// Disputes and audits; zero in a deployment that has none.
    pub court: Address,
    /// The Court's juries; zero where there is no Court.
    #[serde(default)]
    pub jury: Address,
    /// Inquests; zero in a deployment that has none.
    #[serde(default)]
    pub inquest: Address,
    /// Block from which on events of these contracts may stand.
    pub block: u64,
}

/// Which token the deployment uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenChoice {
    /// A new development token, minted by the deployer.
    Development,
    /// This ERC-20 token.
    Existing(Address),
}

/// What a new deployment is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployOptions {
    /// The token.
    pub token: TokenChoice,
    /// Owner of the bounded parameters and of the list of runtimes; `None` = the deployer.
    pub owner: Option<Address>,
    /// What the lot's seeds are made of.
    #[serde(default)]
    pub seed_kind: SeedKind,
    /// Smallest bond of a worker.
    pub minimum_bond: Amount,
    /// Smallest deposit of a pool.
    pub minimum_deposit: Amount,
    /// First parameters.
    pub parameters: Parameters,
}

impl Default for DeployOptions {
    fn default() -> Self {
        let token = U256::from(BOND_UNIT_WEI) * U256::from(1_000);
        Self {
            token: TokenChoice::Development,
            owner: None,
            seed_kind: SeedKind::default(),
            minimum_bond: Amount(token),
            minimum_deposit: Amount(token),
            parameters: Parameters::default(),
        }
    }
}

impl Deployment {
    /// Reads a deployment file.
    ///
    /// # Errors
    /// [`DeployError::Read`] when it is not there or not one.
    pub fn load(path: &Path) -> Result<Self, DeployError> {
        read_json(path)
    }

    /// Writes a deployment file, in one step.
    ///
    /// # Errors
    /// [`DeployError::Write`] when the system refuses.
    pub fn save(&self, path: &Path) -> Result<(), DeployError> {
        write_json(path, self)
    }

    /// Our contracts by name, those that there are; the token, which may be anybody's, is not among them.
    pub fn contracts(&self) -> Vec<(&'static str, Address)> {
        let mut all = vec![
            ("Vault", self.vault),
            ("Registry", self.registry),
            ("Workforce", self.workforce),
            ("Market", self.market),
            ("Certifier", self.certifier),
            ("Seed", self.seed),
            ("Recourse", self.recourse),
        ];
        if self.has_court() {
            all.extend([("Court", self.court), ("Jury", self.jury)]);
        }
        if self.has_inquest() {
            all.push(("Inquest", self.inquest));
        }
        all
    }

    /// Whether certificates can be disputed.
    pub fn has_court(&self) -> bool {
        self.court != Address::ZERO
    }

    /// Whether own traces, and the contradicting claims of expired batches, can be put before a jury.
    pub fn has_inquest(&self) -> bool {
        self.inquest != Address::ZERO
    }
}

/// A deployment on its way, kept beside the deployment file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    deployer: Address,
    first_nonce: u64,
    options: DeployOptions,
    deployment: Deployment,
}

impl Plan {
    async fn draw(
        endpoint: &Endpoint,
        deployer: Address,
        options: DeployOptions,
    ) -> Result<Self, DeployError> {
        let provider = endpoint.provider();
        let chain_id = provider.get_chain_id().await.map_err(endpoint.failed("its chain id"))?;
        let block = provider.get_block_number().await.map_err(endpoint.failed("its last block"))?;
        let first_nonce = nonce_of(endpoint, deployer).await?;
        let mut nonces = first_nonce..;
        let mut predicted = || deployer.create(nonces.next().unwrap_or(u64::MAX));
        let token = match options.token {
            TokenChoice::Existing(token) => token,
            TokenChoice::Development => predicted(),
        };
        // In the order of the steps below.
        let deployment = Deployment {
            chain_id,
            token,
            vault: predicted(),
            registry: predicted(),
            workforce: predicted(),
            market: predicted(),
            certifier: predicted(),
            seed: predicted(),
            seed_kind: options.seed_kind,
            recourse: predicted(),
            court: predicted(),
            jury: predicted(),
            inquest: predicted(),
            block,
        };
        Ok(Self { deployer, first_nonce, options, deployment })
    }

    /// The contracts in the order of their numbers: name, predicted address, code with arguments.
    fn steps(&self) -> Result<Vec<(&'static str, Address, Bytes)>, DeployError> {
        let Self { options, deployment: d, .. } = self;
        let seed = d.seed_kind.bytecode().ok_or(DeployError::BeaconKey)?;
        let owner = options.owner.unwrap_or(self.deployer);
        let p = &options.parameters;
        let parameters = Market::Parameters {
            patienceBaseSecs: u32::try_from(p.patience_base_secs.get()).unwrap_or(u32::MAX),
            fuelPerSec: p.fuel_per_sec.get(),
            reputationStep: p.reputation_step,
            protocolFeeBps: p.protocol_fee_bps.get(),
            expireGraceSecs: u32::try_from(p.expire_grace_secs.get()).unwrap_or(u32::MAX),
            posterGraceSecs: u32::try_from(p.poster_grace_secs.get()).unwrap_or(u32::MAX),
            disputeWindowMinSecs: u32::try_from(p.dispute_window_min_secs.get()).unwrap_or(u32::MAX),
        };
        let (bond, deposit) = (options.minimum_bond.get(), options.minimum_deposit.get());
        let vault = (d.token, d.market, d.workforce, d.certifier, d.recourse, d.court, d.inquest);
        let vault = Vault::constructorCall::new(vault).abi_encode();
        let registry = Registry::constructorCall::new((owner,)).abi_encode();
        let workforce = (d.vault, d.certifier, d.recourse, d.court, d.inquest, bond, deposit);
        let workforce = Workforce::constructorCall::new(workforce).abi_encode();
        let market = (d.vault, d.registry, d.workforce, d.certifier, owner, parameters);
        let market = Market::constructorCall::new(market).abi_encode();
        let certifier = (d.vault, d.workforce, d.market, d.seed, d.seed_kind.number(), d.recourse, d.court);
        let certifier = Certifier::constructorCall::new(certifier).abi_encode();
        let recourse = (d.vault, d.workforce, d.market, d.certifier, d.seed);
        let recourse = Recourse::constructorCall::new(recourse).abi_encode();
        let court = (d.vault, d.workforce, d.market, d.certifier, d.seed, d.jury);
        let court = Court::constructorCall::new(court).abi_encode();
        let jury = (d.workforce, d.market, d.certifier, d.seed, d.court);
        let jury = Jury::constructorCall::new(jury).abi_encode();
        let inquest = (d.vault, d.workforce, d.market, d.certifier, d.seed);
        let inquest = Inquest::constructorCall::new(inquest).abi_encode();
        let mut steps = Vec::new();
        if options.token == TokenChoice::Development {
            steps.push(("Token", d.token, with_arguments(&DevToken::BYTECODE, &[])));
        }
        steps.extend([
            ("Vault", d.vault, with_arguments(&Vault::BYTECODE, &vault)),
            ("Registry", d.registry, with_arguments(&Registry::BYTECODE, &registry)),
            ("Workforce", d.workforce, with_arguments(&Workforce::BYTECODE, &workforce)),
            ("Market", d.market, with_arguments(&Market::BYTECODE, &market)),
            ("Certifier", d.certifier, with_arguments(&Certifier::BYTECODE, &certifier)),
            ("Seed", d.seed, seed),
            ("Recourse", d.recourse, with_arguments(&Recourse::BYTECODE, &recourse)),
            ("Court", d.court, with_arguments(&Court::BYTECODE, &court)),
            ("Jury", d.jury, with_arguments(&Jury::BYTECODE, &jury)),
            ("Inquest", d.inquest, with_arguments(&Inquest::BYTECODE, &inquest)),
        ]);
        Ok(steps)
    }
}

/// Deploys everything that is missing and writes the deployment file at `path`. What stands already is checked and kept,
/// so calling it again is harmless. The sender's key must do nothing else meanwhile.
///
/// # Errors
/// [`DeployError`]; after one, calling again goes on where it stopped.
pub async fn deploy(
    endpoint: &Endpoint,
    sender: &Sender,
    options: &DeployOptions,
    path: &Path,
) -> Result<Deployment, DeployError> {
    if path.exists() {
        let deployment = Deployment::load(path)?;
        deployment.check(endpoint).await?;
        return Ok(deployment);
    }
    if let SeedKind::Beacon(beacon) = options.seed_kind {
        let (patience, wait) = (options.parameters.patience_base_secs.0, beacon.longest_wait().0);
        if patience <= wait {
            return Err(DeployError::Patience { patience, wait });
        }
    }
    let plan_path = path.with_extension("plan.json");
    let plan: Plan = if plan_path.exists() {
        read_json(&plan_path)?
    } else {
        let plan = Plan::draw(endpoint, sender.account(), *options).await?;
        write_json(&plan_path, &plan)?;
        plan
    };
    run(endpoint, sender, &plan).await?;
    plan.deployment.check(endpoint).await?;
    plan.deployment.save(path)?;
    fs::remove_file(&plan_path).map_err(|source| FileError::Io {
        action: "remove",
        path: plan_path,
        source,
    })?;
    Ok(plan.deployment)
}

async fn run(endpoint: &Endpoint, sender: &Sender, plan: &Plan) -> Result<(), DeployError> {
    let steps = plan.steps()?;
    let (first, last) = (plan.first_nonce, plan.first_nonce + steps.len() as u64);
    let deployer = plan.deployer;
    let found = settled_nonce(endpoint, deployer).await?;
    if found < first || found > last || deployer != sender.account() {
        return Err(DeployError::PlanBroken { deployer, found, first, last });
    }
    for (nonce, (contract, expected, code)) in (first..).zip(steps) {
        if nonce < found {
            // Sent by an earlier run.
            if !has_code(endpoint, expected).await? {
                return Err(DeployError::PlanBroken { deployer, found, first, last });
            }
            continue;
        }
        let call = Call { to: None, data: code, value_wei: U256::ZERO };
        let outcome = match sender.send_numbered(nonce, call).await {
            Ok(outcome) => outcome,
            // What an interrupted run had sent got there after all.
            Err(SendError::NonceTaken { .. }) => {
                let found = settled_nonce(endpoint, deployer).await?;
                if found > nonce && has_code(endpoint, expected).await? {
                    continue;
                }
                return Err(DeployError::PlanBroken { deployer, found, first, last });
            }
            Err(source) => return Err(DeployError::Send { contract, source }),
        };
        if outcome.created != Some(expected) {
            let found = outcome.created.map_or_else(|| "nowhere".to_owned(), |address| address.to_string());
            return Err(DeployError::Misplaced { contract, expected, found });
        }
        tracing::info!(contract, address = %expected, gas = outcome.gas_used, "deployed");
    }
    Ok(())
}

fn with_arguments(code: &Bytes, arguments: &[u8]) -> Bytes {
    [code.as_ref(), arguments].concat().into()
}

async fn nonce_of(endpoint: &Endpoint, account: Address) -> Result<u64, DeployError> {
    let asked = endpoint.provider().get_transaction_count(account).latest().await;
    Ok(asked.map_err(endpoint.failed("how many transactions the deployer sent"))?)
}

/// Transactions that are in blocks, once those that an interrupted run left on their way have got there.
async fn settled_nonce(endpoint: &Endpoint, account: Address) -> Result<u64, DeployError> {
    let began = Instant::now();
    loop {
        let found = nonce_of(endpoint, account).await?;
        let pending = endpoint.provider().get_transaction_count(account).pending().await;
        let pending = pending.map_err(endpoint.failed("how many transactions are on their way"))?;
        if pending <= found || began.elapsed() >= SETTLE_AT_MOST {
            return Ok(found);
        }
        tokio::time::sleep(endpoint.poll()).await;
    }
}

async fn has_code(endpoint: &Endpoint, address: Address) -> Result<bool, DeployError> {
    let code = endpoint.provider().get_code_at(address).latest().await;
    Ok(!code.map_err(endpoint.failed("for a contract's code"))?.is_empty())
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, DeployError> {
    let failed = |message: String| DeployError::Read { path: path.to_owned(), message };
    let size = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > MAX_FILE_BYTES {
        return Err(failed(format!("it has {size} bytes, at most {MAX_FILE_BYTES} are read")));
    }
    let bytes = fs::read(path).map_err(|error| failed(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), DeployError> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| DeployError::Read { path: path.to_owned(), message: error.to_string() })?;
    text.push('\n');
    Ok(atomic_write(path, text.as_bytes(), MODE_PUBLIC)?)
}
