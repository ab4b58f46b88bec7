//! Reads our contracts, in the protocol's own types.
//!
//! Reads are of the last block unless the client is pinned to one ([`ChainClient::at`]), so that several reads can agree.
//! Nothing is cached: whoever asks often follows events. Knows nothing of roles.

use std::sync::Arc;

use alloy::{
    consensus::BlockHeader,
    contract::{CallBuilder, CallDecoder},
    eips::{BlockId, BlockNumberOrTag},
    primitives::{Address, B256, U256},
    providers::{DynProvider, Provider},
};
use guildhall_protocol::{
    Amount, AssetId, BatchSlot, Certificate, ContentId, DealId, OnChain, OpenedWord, OperatorId, Parameters,
    PoolId, RuntimeNumber, Status, UnixTime,
};
use guildhall_service::Coded;

use crate::{
    beacon::{BeaconError, BeaconSource},
    bindings::{BlockhashSeed, Certifier, DevToken, Market, Recourse, Registry, Vault, Workforce, convert},
    cursor::{BlockRef, Cursor},
    deploy::{DeployError, Deployment},
    follow::{EventFilter, Follower, follow},
    keys::Key,
    revert::{Revert, revert_of},
    rpc::{Endpoint, RpcFailure},
    sender::{Sender, SenderPolicy},
    words::{Pool, Worker},
};

/// Errors of reads.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The node failed.
    #[error(transparent)]
    Rpc(#[from] RpcFailure),
    /// A contract refused.
    #[error("{what} was refused: {revert}")]
    Refused {
        /// What was read.
        what: &'static str,
        /// Why.
        revert: Revert,
    },
    /// The answer is not what the contract's interface says.
    #[error("the answer to {what} makes no sense: {message}")]
    Answer {
        /// What was read.
        what: &'static str,
        /// What is wrong.
        message: String,
    },
    /// The beacon's servers failed.
    #[error(transparent)]
    Beacon(#[from] BeaconError),
}

impl Coded for ChainError {
    fn code(&self) -> &'static str {
        match self {
            Self::Rpc(failure) => failure.code(),
            Self::Refused { revert, .. } => revert.code,
            Self::Answer { .. } => "chain.answer",
            Self::Beacon(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Rpc(failure) => failure.hint(),
            Self::Refused { revert, .. } => revert.hint.map(str::to_owned),
            Self::Answer { .. } => Some("check that the deployment file belongs to this chain".into()),
            Self::Beacon(error) => error.hint(),
        }
    }
}

/// A block's place and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number and hash.
    pub block: BlockRef,
    /// Its time.
    pub time: UnixTime,
}

/// An app as registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct App {
    /// BLAKE3 of the module.
    pub code: ContentId,
    /// What executes it.
    pub runtime: RuntimeNumber,
    /// Who owns it.
    pub owner: Address,
    /// Nonce of its orders.
    pub nonce: u64,
}

/// A dataset as registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// BLAKE3 of the bytes.
    pub content: ContentId,
    /// Commitment to its key; zero = not encrypted.
    pub key_commitment: B256,
    /// Who owns it.
    pub owner: Address,
}

/// Pool facts beside its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolDetails {
    /// Key that signs lists and messages.
    pub coordinator: Address,
    /// What answers for the coordinator.
    pub deposit: Amount,
    /// When the deposit is free; `None` = the pool is open.
    pub closes_at: Option<UnixTime>,
}

/// A deployment on a chain. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ChainClient {
    endpoint: Endpoint,
    deployment: Deployment,
    block: BlockId,
    beacon: Option<Arc<BeaconSource>>,
}

impl ChainClient {
    /// A client of a deployment, after checking that it is on this chain and whole.
    ///
    /// # Errors
    /// [`DeployError`] that says which contract is missing or wired wrongly.
    pub async fn open(endpoint: Endpoint, deployment: Deployment) -> Result<Self, DeployError> {
        deployment.check(&endpoint).await?;
        Ok(Self::new(endpoint, deployment))
    }

    /// A client of a deployment that is known to be right.
    pub fn new(endpoint: Endpoint, deployment: Deployment) -> Self {
        Self { endpoint, deployment, block: BlockId::latest(), beacon: None }
    }

    /// The same, reading the state after this very block. Nodes keep old state for a while only.
    pub fn at(&self, block: BlockRef) -> Self {
        Self { block: BlockId::hash(block.hash), ..self.clone() }
    }

    /// The same, with servers that are asked for rounds of the beacon before anybody has written them down on chain.
    pub fn with_beacon(self, beacon: Option<Arc<BeaconSource>>) -> Self {
        Self { beacon, ..self }
    }

    pub(crate) fn beacon(&self) -> Option<&BeaconSource> {
        self.beacon.as_deref()
    }

    /// The way to the node.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// alloy's provider, behind the endpoint's limits.
    pub fn provider(&self) -> &DynProvider {
        self.endpoint.provider()
    }

    /// The contracts' addresses.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Follows events from `cursor` on; `signatures` (topic 0) narrows them, empty = all.
    pub fn follow(&self, cursor: Cursor, signatures: &[B256]) -> Follower {
        let filter = EventFilter { deployment: self.deployment.clone(), signatures: signatures.to_vec() };
        follow(&self.endpoint, cursor, filter)
    }

    /// Starts the sender of a key. One for each key: see [`Sender`].
    pub fn sender(&self, key: Key, policy: SenderPolicy) -> Sender {
        Sender::start(&self.endpoint, key, policy)
    }

    /// The Market's bindings.
    pub fn market(&self) -> Market::MarketInstance<DynProvider> {
        Market::new(self.deployment.market, self.provider().clone())
    }

    /// The Certifier's bindings.
    pub fn certifier(&self) -> Certifier::CertifierInstance<DynProvider> {
        Certifier::new(self.deployment.certifier, self.provider().clone())
    }

    /// The Workforce's bindings.
    pub fn workforce(&self) -> Workforce::WorkforceInstance<DynProvider> {
        Workforce::new(self.deployment.workforce, self.provider().clone())
    }

    /// The Vault's bindings.
    pub fn vault(&self) -> Vault::VaultInstance<DynProvider> {
        Vault::new(self.deployment.vault, self.provider().clone())
    }

    /// The Registry's bindings.
    pub fn registry(&self) -> Registry::RegistryInstance<DynProvider> {
        Registry::new(self.deployment.registry, self.provider().clone())
    }

    /// The token's bindings: `mint` works with a development token alone.
    pub fn token(&self) -> DevToken::DevTokenInstance<DynProvider> {
        DevToken::new(self.deployment.token, self.provider().clone())
    }

    /// The Recourse's bindings.
    pub fn recourse(&self) -> Recourse::RecourseInstance<DynProvider> {
        Recourse::new(self.deployment.recourse, self.provider().clone())
    }

    /// The seed contract's bindings.
    pub fn seeds(&self) -> BlockhashSeed::BlockhashSeedInstance<DynProvider> {
        BlockhashSeed::new(self.deployment.seed, self.provider().clone())
    }

    pub(crate) async fn read<P, D>(
        &self,
        what: &'static str,
        call: CallBuilder<P, D>,
    ) -> Result<D::CallOutput, ChainError>
    where
        P: Provider,
        D: CallDecoder + Send + Sync + Unpin,
    {
        call.block(self.block).call().await.map_err(|error| match error {
            alloy::contract::Error::TransportError(error) => match revert_of(&error) {
                Some(revert) => ChainError::Refused { what, revert },
                None => self.endpoint.failed(what)(error).into(),
            },
            error => ChainError::Answer { what, message: error.to_string() },
        })
    }
}

/// Brings a value over to a contract's own type of the same shape.
///
/// # Errors
/// [`ChainError::Answer`] when the two are not laid out alike: a programmer's fault.
pub(crate) fn bring<A, B>(value: &A) -> Result<B, ChainError>
where
    A: alloy::sol_types::SolValue,
    B: alloy::sol_types::SolValue + From<<B::SolType as alloy::sol_types::SolType>::RustType>,
{
    convert(value).map_err(|error| ChainError::Answer { what: "a call", message: error.to_string() })
}

/// The chain itself.
impl ChainClient {
    /// The last block, or the one that the client is pinned to.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn head(&self) -> Result<Head, ChainError> {
        let what = "the last block";
        let block = self.provider().get_block(self.block).await.map_err(self.endpoint.failed(what))?;
        let message = "the node does not have it".to_owned();
        let header = block.ok_or(ChainError::Answer { what, message })?.header;
        let block = BlockRef { number: header.number(), hash: header.hash };
        Ok(Head { block, time: UnixTime(header.timestamp()) })
    }

    /// A block by number; `None` when the chain is not that long.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn block(&self, number: u64) -> Result<Option<Head>, ChainError> {
        let asked = self.provider().get_block_by_number(BlockNumberOrTag::Number(number)).await;
        let block = asked.map_err(self.endpoint.failed("a block"))?;
        Ok(block.map(|block| Head {
            block: BlockRef { number: block.header.number(), hash: block.header.hash },
            time: UnixTime(block.header.timestamp()),
        }))
    }

    /// Coins for gas of an account, in wei.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn coins_wei(&self, account: Address) -> Result<U256, ChainError> {
        let asked = self.provider().get_balance(account).block_id(self.block).await;
        Ok(asked.map_err(self.endpoint.failed("a balance"))?)
    }
}

/// Deals and batches.
impl ChainClient {
    /// Hash of a deal's terms: `None` = no such deal; closed and cancelled deals answer 1.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn deal_hash(&self, deal: DealId) -> Result<Option<B256>, ChainError> {
        let answer = self.read("a deal", self.market().deal(deal.0, U256::ZERO)).await?;
        Ok((!answer.hash.is_zero()).then_some(answer.hash))
    }

    /// The parameters that a deal opened with.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn parameters_of(&self, opened: OpenedWord) -> Result<Parameters, ChainError> {
        let version = U256::from(opened.unpack().parameters);
        let answer = self.read("parameters", self.market().deal(B256::ZERO, version)).await?;
        Ok(Parameters::unpack(answer.parameters).1)
    }

    /// The parameters that the next deal opens with, and their version.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn parameters(&self) -> Result<(u16, Parameters), ChainError> {
        Ok(Parameters::unpack(self.read("parameters", self.market().currentParameters()).await?))
    }

    /// Tasks that an order has given; the highest number when it was cancelled.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn filled(&self, order_hash: B256) -> Result<u64, ChainError> {
        let filled = self.read("an order", self.market().filled(order_hash)).await?;
        Ok(filled.saturating_to())
    }

    /// Whether an order was signed on chain.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn is_signed(&self, order_hash: B256, signer: Address) -> Result<bool, ChainError> {
        self.read("a signature", self.market().isSigned(order_hash, signer)).await
    }

    /// A batch's word.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn batch_slot(&self, deal: DealId, batch: u32) -> Result<BatchSlot, ChainError> {
        let word = self.read("a batch", self.certifier().batchWord(deal.0, U256::from(batch))).await?;
        Ok(BatchSlot(word))
    }

    /// Where a certified batch stands now.
    ///
    /// # Errors
    /// [`ChainError::Refused`] when the certificate is not the batch's.
    pub async fn status_of(&self, certificate: &Certificate) -> Result<Status, ChainError> {
        let what = "a certificate's status";
        let bound = bring(certificate)?;
        let code = self.read(what, self.certifier().statusOf(bound)).await?;
        let message = format!("{code} is no status");
        Status::from_code(code).ok_or(ChainError::Answer { what, message })
    }

    /// Opening of a batch that was drawn anew; `None` = it was not.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn reopened_at(&self, deal: DealId, batch: u32) -> Result<Option<OpenedWord>, ChainError> {
        let word = self.read("a batch", self.certifier().reopenedAt(deal.0, U256::from(batch))).await?;
        Ok((!word.is_zero()).then_some(OpenedWord(word)))
    }

    /// Whether a task was delivered; `index` counts in the batch.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn delivered(&self, deal: DealId, batch: u32, index: u32) -> Result<bool, ChainError> {
        let certifier = self.certifier();
        self.read("a delivery", certifier.delivered(deal.0, U256::from(batch), U256::from(index))).await
    }

    /// What is needed of the chain to verify a result, all of one block.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn on_chain(&self, deal: DealId, batch: u32) -> Result<OnChain, ChainError> {
        let head = self.head().await?;
        let pinned = self.at(head.block);
        let (hash, slot) = tokio::try_join!(pinned.deal_hash(deal), pinned.batch_slot(deal, batch))?;
        Ok(OnChain { deal: hash.unwrap_or_default(), batch: slot, now: head.time })
    }
}

/// Pools, operators, workers.
impl ChainClient {
    /// A worker; `None` = nobody registered the key.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn worker(&self, worker: Address) -> Result<Option<Worker>, ChainError> {
        Ok(Worker::unpack(self.read("a worker", self.workforce().workerOf(worker)).await?))
    }

    /// A pool; `None` = there is none with this number.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn pool(&self, pool: PoolId) -> Result<Option<Pool>, ChainError> {
        Ok(Pool::unpack(self.read("a pool", self.workforce().poolOf(U256::from(pool.get()))).await?))
    }

    /// A pool's coordinator, deposit and end.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn pool_details(&self, pool: PoolId) -> Result<PoolDetails, ChainError> {
        let answer = self.read("a pool", self.workforce().poolDetails(pool.get())).await?;
        let closes_at = (answer.closesAt != 0).then_some(UnixTime(answer.closesAt));
        Ok(PoolDetails {
            coordinator: answer.coordinator,
            deposit: Amount(U256::from(answer.deposit)),
            closes_at,
        })
    }

    /// Where a pool's coordinator is reached. Text of the pool's owner: judge it before use.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn endpoint_of(&self, pool: PoolId) -> Result<String, ChainError> {
        self.read("a pool's endpoint", self.workforce().endpointOf(pool.get())).await
    }

    /// Number of an operator; `None` = the address is none.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn operator(&self, owner: Address) -> Result<Option<OperatorId>, ChainError> {
        let number = self.read("an operator", self.workforce().operatorNumber(owner)).await?;
        Ok((number != 0).then_some(OperatorId(number)))
    }

    /// Address of an operator; `None` = no such number.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn operator_address(&self, operator: OperatorId) -> Result<Option<Address>, ChainError> {
        let address = self.read("an operator", self.workforce().operatorAddress(operator.get())).await?;
        Ok((!address.is_zero()).then_some(address))
    }

    /// Whether an operator may join a pool by invitation.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn invited(&self, pool: PoolId, operator: Address) -> Result<bool, ChainError> {
        self.read("an invitation", self.workforce().invited(pool.get(), operator)).await
    }

    /// When a leaving worker may withdraw; `None` = it is not leaving.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn withdrawable_at(&self, worker: Address) -> Result<Option<UnixTime>, ChainError> {
        let time = self.read("a worker", self.workforce().readyAt(worker)).await?;
        Ok((time != 0).then_some(UnixTime(time)))
    }

    /// Smallest bond of a worker.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn minimum_bond(&self) -> Result<Amount, ChainError> {
        Ok(Amount(self.read("the minimum bond", self.workforce().minimumBond()).await?))
    }

    /// Smallest deposit of a pool.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn minimum_deposit(&self) -> Result<Amount, ChainError> {
        Ok(Amount(self.read("the minimum deposit", self.workforce().minimumDeposit()).await?))
    }
}

/// Money.
impl ChainClient {
    /// What an account can spend or withdraw in the Vault.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn balance(&self, account: Address) -> Result<Amount, ChainError> {
        self.vault_account(U256::from_be_slice(account.as_slice())).await
    }

    /// Fees of an operator that wait to be collected.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn operator_fees(&self, operator: OperatorId) -> Result<Amount, ChainError> {
        self.vault_account((U256::ONE << 64) | U256::from(operator.get())).await
    }

    /// Shares of a pool that wait to be collected.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn pool_fees(&self, pool: PoolId) -> Result<Amount, ChainError> {
        self.vault_account((U256::from(2) << 64) | U256::from(pool.get())).await
    }

    /// Slashed stake that was burnt so far.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn burnt(&self) -> Result<Amount, ChainError> {
        self.vault_account(U256::from(3) << 64).await
    }

    async fn vault_account(&self, account: U256) -> Result<Amount, ChainError> {
        Ok(Amount(self.read("a balance", self.vault().balanceOf(account.to())).await?))
    }

    /// The nonce of a requester's orders.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn requester_nonce(&self, requester: Address) -> Result<u64, ChainError> {
        Ok(self.read("a nonce", self.vault().nonceOf(requester)).await?.saturating_to())
    }

    /// Tokens of an account outside the Vault.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn tokens(&self, account: Address) -> Result<Amount, ChainError> {
        Ok(Amount(self.read("a token balance", self.token().balanceOf(account)).await?))
    }

    /// Tokens of an account that the Vault may take.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn allowance(&self, account: Address) -> Result<Amount, ChainError> {
        Ok(Amount(self.read("an allowance", self.token().allowance(account, self.deployment.vault)).await?))
    }
}

/// Assets.
impl ChainClient {
    /// An app; `None` = there is none with this number.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn app(&self, app: AssetId) -> Result<Option<App>, ChainError> {
        let (registry, id) = (self.registry(), app.get());
        let Some(found) = known(self.read("an app", registry.appOf(id)).await)? else { return Ok(None) };
        let owners = self.read("an app", registry.owners(id, U256::ZERO)).await?;
        Ok(Some(App {
            code: ContentId(found.codeId),
            runtime: RuntimeNumber(found.runtime),
            owner: owners.appOwner,
            nonce: owners.appNonce,
        }))
    }

    /// A dataset; `None` = there is none with this number.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn dataset(&self, dataset: AssetId) -> Result<Option<Dataset>, ChainError> {
        let (registry, id) = (self.registry(), dataset.get());
        let Some(found) = known(self.read("a dataset", registry.datasetOf(id)).await)? else {
            return Ok(None);
        };
        let owner = self.read("a dataset", registry.ownerOf(id)).await?;
        Ok(Some(Dataset { content: ContentId(found.contentId), key_commitment: found.keyCommitment, owner }))
    }

    /// Nonces of the orders of an app and a dataset ([`AssetId`] zero = none).
    ///
    /// # Errors
    /// [`ChainError::Refused`] when one of them does not exist.
    pub async fn order_nonces(&self, app: AssetId, dataset: AssetId) -> Result<(u64, u64), ChainError> {
        let owners = self.read("assets", self.registry().owners(app.get(), dataset.get())).await?;
        Ok((owners.appNonce, owners.datasetNonce))
    }

    /// Number of a runtime; `None` = not registered.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn runtime_number(&self, runtime_id: B256) -> Result<Option<RuntimeNumber>, ChainError> {
        let number = self.read("a runtime", self.registry().runtimeNumber(runtime_id)).await?;
        Ok((number != 0).then_some(RuntimeNumber(number)))
    }

    /// Id of a runtime; `None` = no such number.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn runtime_id(&self, number: RuntimeNumber) -> Result<Option<B256>, ChainError> {
        let id = self.read("a runtime", self.registry().runtimeId(number.get())).await?;
        Ok((!id.is_zero()).then_some(id))
    }
}

/// "Unknown" as `None`.
fn known<T>(read: Result<T, ChainError>) -> Result<Option<T>, ChainError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(ChainError::Refused { revert, .. }) if revert.text.starts_with("Unknown") => Ok(None),
        Err(error) => Err(error),
    }
}
