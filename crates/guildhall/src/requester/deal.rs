//! Opens deals: makes the manifest, stores the bytes, signs the request, pays in what is missing, matches.
//!
//! Knows nothing of flags and screens.

use alloy::{
    primitives::{Address, B256, Bytes, U256, aliases::U96, keccak256},
    sol_types::{SolCall, SolType, SolValue},
};
use guildhall_chain::{
    Call, ChainClient, Key, Sender, TxOutcome,
    bindings::{IVault, Market, convert},
    events,
};
use guildhall_protocol::{
    Amount, ContentId, DealId, Policy, RequestOrder, Terms,
    manifest::{Manifest, TaskInput},
};

use super::{offers::Offers, store::PoolStore};
use crate::{
    error::{Failure, Result},
    values::show_tokens,
};

/// How long a permit is good, in seconds.
const PERMIT_SECS: u64 = 600;

/// What is to be computed.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// Arguments of every task; the first is the program's name.
    pub args: Vec<String>,
    /// Environment of every task.
    pub env: Vec<(String, String)>,
    /// The input of each task.
    pub inputs: Vec<Bytes>,
}

/// The requester's side of a deal.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who asks.
    pub requester: Address,
    /// Who pays.
    pub payer: Address,
    /// Whom the results are for.
    pub beneficiary: Address,
    /// Tasks that are certified together.
    pub batch_size: u32,
    /// Limit of one execution.
    pub fuel_limit: u64,
    /// Limit of one execution's memory, in bytes.
    pub memory_limit: u64,
    /// Last second for a certificate, in Unix seconds.
    pub deadline: u64,
    /// What the certificate must promise.
    pub policy: Policy,
    /// Contract that results are delivered to; zero for none.
    pub callback: Address,
    /// Gas that it gets.
    pub callback_gas: u32,
    /// Offered for the delivery of each task, out of the requester's balance; zero for nothing.
    pub delivery_tip: U96,
    /// Price caps: app, dataset, a million fuel; the orders' own prices where nobody said.
    pub caps: Caps,
}

/// The most that a requester pays.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caps {
    /// For a task of the app.
    pub app: Option<U96>,
    /// For a task over the dataset.
    pub dataset: Option<U96>,
    /// For a million fuel.
    pub fee: Option<U96>,
}

/// A deal that opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Its id.
    pub deal: DealId,
    /// Its terms.
    pub terms: Terms,
    /// The transaction that opened it.
    pub outcome: TxOutcome,
}

/// Stores the inputs and their manifest with the pool, and names the manifest.
///
/// # Errors
/// `manifest.*` for work that no manifest holds, and what the store says.
pub async fn store_work(work: &Work, store: &PoolStore) -> Result<ContentId> {
    let mut inputs = Vec::with_capacity(work.inputs.len());
    let mut stored = std::collections::HashSet::new();
    for bytes in &work.inputs {
        let input = ContentId::of(bytes);
        if stored.insert(input) {
            store.put(bytes.clone()).await?;
        }
        inputs.push(TaskInput { input, bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX) });
    }
    let manifest = Manifest::new(work.args.clone(), work.env.clone(), inputs)
        .map_err(|error| Failure::new(error.code(), error.to_string()))?;
    store.put(manifest.encode()).await
}

/// The request of an ask over these offers.
///
/// # Errors
/// `chain.*` when the requester's nonce can't be read.
pub async fn request(
    chain: &ChainClient,
    ask: &Ask,
    offers: &Offers,
    inputs: ContentId,
    tasks: u32,
) -> Result<RequestOrder> {
    let nonce = chain.requester_nonce(ask.requester).await?;
    let (app, pool) = (&offers.app.0, &offers.pool.0);
    let dataset = offers.dataset.as_ref().map(|(order, _)| *order).unwrap_or_default();
    Ok(RequestOrder {
        requester: ask.requester,
        payer: ask.payer,
        beneficiary: ask.beneficiary,
        app: app.app,
        dataset: dataset.dataset,
        pool: pool.pool,
        appPriceMax: ask.caps.app.unwrap_or(app.price),
        datasetPriceMax: ask.caps.dataset.unwrap_or(dataset.price),
        feePerMfuelMax: ask.caps.fee.unwrap_or(pool.feePerMfuel),
        deliveryTip: ask.delivery_tip,
        callback: ask.callback,
        callbackGas: ask.callback_gas,
        inputs: inputs.0,
        taskCount: tasks,
        batchSize: ask.batch_size,
        fuelLimit: ask.fuel_limit,
        memoryLimit: ask.memory_limit,
        deadline: ask.deadline,
        policy: ask.policy,
        expiry: ask.deadline,
        nonce,
        salt: B256::random(),
    })
}

/// What the payer locks: the worst case of every batch.
///
/// # Errors
/// `payouts.*` for sums beyond any token.
pub fn lock_of(request: &RequestOrder, offers: &Offers) -> Result<Amount> {
    offers.sides().lock(request).map_err(|error| Failure::new(error.code(), error.to_string()))
}

/// Signs an order's digest, as 64 bytes (EIP-2098).
///
/// # Errors
/// `keys.unusable`, never with a key in memory.
pub fn sign(key: &Key, digest: B256) -> Result<Bytes> {
    Ok(Bytes::copy_from_slice(&key.sign(digest)?.to_bytes()))
}

/// Matches a request that its requester (and a sponsor, if there is one) signed. What the payer lacks in the Vault is
/// pulled from its tokens, by a permit, when `payer` is its key.
///
/// # Errors
/// The Market's refusal with its values, `deal.funds` when the payer has too little, `chain.*`.
pub async fn open(
    chain: &ChainClient,
    sender: &Sender,
    payer: &Key,
    offers: &Offers,
    request: &RequestOrder,
    signatures: (Bytes, Bytes),
) -> Result<Opened> {
    let needed = lock_of(request, offers)?.0;
    let balance = chain.balance(request.payer).await?.0;
    let call = offers.sides().call(request, signatures)?;
    let data = if balance >= needed || request.payer != payer.address() {
        call.abi_encode()
    } else {
        let permit = permit(chain, payer, needed - balance).await?;
        let Market::matchOrdersCall { app, dataset, pool, request, signatures } = call;
        Market::matchWithPermitCall { app, dataset, pool, request, signatures, permit }.abi_encode()
    };
    let market = chain.deployment().market;
    let outcome = sender.send(Call { to: Some(market), data: data.into(), value_wei: U256::ZERO }).await?;
    let terms = terms_of(chain, &outcome).ok_or_else(|| {
        Failure::new("deal.no_event", format!("transaction {} opened no deal", outcome.hash))
            .hint("check the deployment file")
    })?;
    Ok(Opened { deal: terms.deal(), terms, outcome })
}

/// The terms of the deal that a transaction opened.
fn terms_of(chain: &ChainClient, outcome: &TxOutcome) -> Option<Terms> {
    let logs = outcome.logs.iter();
    logs.filter_map(|log| events::decode(chain.deployment(), log)).find_map(|event| event.kind.deal_opened())
}

/// Brings an order of the protocol over to the contract's binding.
pub(crate) fn bring<A, B>(value: &A) -> Result<B>
where
    A: SolValue,
    B: SolValue + From<<B::SolType as SolType>::RustType>,
{
    convert(value)
        .map_err(|error| Failure::new("deal.layout", format!("an order does not fit the contract: {error}")))
}

/// A permit (ERC-2612) for the Vault to take `value` of the key's tokens.
///
/// The token states its own domain, so that any token with permits works, whatever its name and version.
async fn permit(chain: &ChainClient, key: &Key, value: U256) -> Result<IVault::Permit> {
    let (token, owner) = (chain.token(), key.address());
    let tokens = chain.tokens(owner).await?.0;
    if tokens < value {
        return Err(Failure::new(
            "deal.funds",
            format!(
                "{owner} lacks {} tokens in the Vault and has {} outside it",
                show_tokens(value),
                show_tokens(tokens)
            ),
        )
        .hint("lower the prices, the fuel limit or `--executions-max`, or get tokens"));
    }
    let unsupported = |error: alloy::contract::Error| {
        Failure::new("deal.no_permit", format!("the token takes no permits: {error}"))
            .hint("pay in before: `guildhall stake deposit AMOUNT`")
    };
    let (domain, nonce) = (token.DOMAIN_SEPARATOR(), token.nonces(owner));
    let (domain, nonce) = tokio::try_join!(domain.call(), nonce.call()).map_err(unsupported)?;
    let deadline = U256::from(chain.head().await?.time.0 + PERMIT_SECS);
    let kind =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    let message = keccak256((kind, owner, chain.deployment().vault, value, nonce, deadline).abi_encode());
    let digest = keccak256([b"\x19\x01".as_slice(), domain.as_slice(), message.as_slice()].concat());
    let signature = key.sign(digest)?.to_bytes();
    let parity = signature[32] >> 7;
    let mut s = B256::from_slice(&signature[32..]);
    s[0] &= 0x7f;
    Ok(IVault::Permit { value, deadline, v: 27 + parity, r: B256::from_slice(&signature[..32]), s })
}
