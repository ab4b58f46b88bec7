//! One sender of transactions per key: simulates, prices, numbers, sends, watches and replaces until each is in a block.
//!
//! Callers may be many; nonces are given in one place, so that they never collide, and transactions do not wait for each
//! other. Knows nothing of what is called. Use a key in one sender of one process only.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::{BlockId, Encodable2718},
    network::{TransactionBuilder, TxSignerSync},
    primitives::{Address, B256, Bytes, TxHash, TxKind, U256},
    providers::Provider,
    rpc::types::{Log, TransactionReceipt, TransactionRequest},
    transports::TransportError,
};
use guildhall_service::Coded as _;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::AbortHandle,
};

use crate::{
    keys::Key,
    revert::{Revert, revert_of},
    rpc::Endpoint,
    send_error::SendError,
};

/// Requests that wait for their turn; when full, callers wait.
const QUEUE: usize = 256;
/// Transactions sent and not yet in a block; further ones wait in the queue.
const MAX_IN_FLIGHT: usize = 64;
/// Simulations at once.
const SIMULATIONS_AT_ONCE: usize = 16;
/// Most gas of one transaction (EIP-7825).
pub const MAX_GAS: u64 = 16_777_216;
/// Wait before a transaction whose answer was lost is sent again.
const UNSURE_AGAIN: Duration = Duration::from_secs(1);
/// How often the chain may say "number used" before a transaction counts as lost: a lagging node says it too early.
const LOST_AFTER_LOOKS: u32 = 3;
/// Transactions kept that are in blocks, to send them again if a reorganisation takes them back; beyond, the oldest is forgotten.
const MAX_DONE: usize = 64;
/// How often those are looked after while nothing else is on its way, at most.
const LOOK_BACK: Duration = Duration::from_secs(1);
/// Gas of a transfer.
const TRANSFER_GAS: u64 = 21_000;

/// How a sender behaves.
#[derive(Clone, Copy, Debug)]
pub struct SenderPolicy {
    /// Blocks that hold a transaction, its own included, before it counts as done: 1 on a chain without reorganisations.
    pub confirmations: u64,
    /// Gas above the estimate, in percent: the state may change between estimate and block.
    pub gas_margin_percent: u64,
    /// Time without a block before a transaction is replaced with a higher fee.
    pub stuck_after: Duration,
    /// Increase of both fees at a replacement, in percent; nodes want 10 at least.
    pub bump_percent: u64,
    /// Replacements of one transaction.
    pub max_bumps: u32,
    /// Highest fee per gas ever offered, in wei.
    pub max_fee_per_gas_wei: u128,
    /// Time before a transaction that is in no block is given up (its number stays taken until then).
    pub give_up_after: Duration,
    /// Time for which a transaction that is in a block is looked after: if a reorganisation takes it back, it is sent again.
    pub look_back: Duration,
}

impl Default for SenderPolicy {
    fn default() -> Self {
        Self {
            confirmations: 1,
            gas_margin_percent: 25,
            stuck_after: Duration::from_secs(30),
            bump_percent: 25,
            max_bumps: 8,
            max_fee_per_gas_wei: 2_000_000_000_000,
            give_up_after: Duration::from_secs(600),
            look_back: Duration::from_secs(300),
        }
    }
}

/// What is to be sent.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Contract; `None` = a deployment.
    pub to: Option<Address>,
    /// Calldata, or the code of a deployment.
    pub data: Bytes,
    /// Value, in wei.
    pub value_wei: U256,
}

/// A transaction that is in a block and did what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxOutcome {
    /// Its hash.
    pub hash: TxHash,
    /// The block that holds it.
    pub block: u64,
    /// That block's hash.
    pub block_hash: B256,
    /// Gas used.
    pub gas_used: u64,
    /// Price paid per gas, in wei.
    pub gas_price_wei: u128,
    /// Contract created, by a deployment.
    pub created: Option<Address>,
    /// Its logs.
    pub logs: Vec<Log>,
}

/// A sender for one key. Cheap to clone; it stops when the last clone is dropped.
#[derive(Clone)]
pub struct Sender {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: Endpoint,
    account: Address,
    policy: SenderPolicy,
    queue: mpsc::Sender<Request>,
    simulations: Semaphore,
    task: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("account", &self.inner.account).finish_non_exhaustive()
    }
}

struct Request {
    call: Call,
    gas: u64,
    /// The number that it must have, and no other.
    nonce: Option<u64>,
    answer: oneshot::Sender<Result<TxOutcome, SendError>>,
}

impl Sender {
    /// Starts a sender.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(endpoint: &Endpoint, key: Key, policy: SenderPolicy) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        let account = key.address();
        let desk = Desk {
            endpoint: endpoint.clone(),
            key,
            policy,
            requests,
            chain_id: None,
            may_fork: endpoint.nudges().is_none(),
            next_nonce: None,
            flying: BTreeMap::new(),
            done: BTreeMap::new(),
            gap_looks: 0,
            fees: None,
        };
        let task = tokio::spawn(desk.run()).abort_handle();
        let simulations = Semaphore::new(SIMULATIONS_AT_ONCE);
        Self {
            inner: Arc::new(Inner { endpoint: endpoint.clone(), account, policy, queue, simulations, task }),
        }
    }

    /// Whose transactions these are.
    pub fn account(&self) -> Address {
        self.inner.account
    }

    /// Sends a call and waits until it is confirmed.
    ///
    /// # Errors
    /// [`SendError`]; after [`SendError::WouldRevert`] nothing was sent.
    pub async fn send(&self, call: Call) -> Result<TxOutcome, SendError> {
        self.enqueue(call, None).await
    }

    /// Sends a call under this number of the account, or not at all: for deployments, whose addresses follow from numbers.
    ///
    /// # Errors
    /// [`SendError::NonceTaken`] when the number is used; else as [`Sender::send`].
    pub async fn send_numbered(&self, nonce: u64, call: Call) -> Result<TxOutcome, SendError> {
        self.enqueue(call, Some(nonce)).await
    }

    async fn enqueue(&self, call: Call, nonce: Option<u64>) -> Result<TxOutcome, SendError> {
        let gas = self.simulate(&call).await?;
        let (answer, outcome) = oneshot::channel();
        let stopped = || SendError::Stopped { account: self.inner.account };
        self.inner.queue.send(Request { call, gas, nonce, answer }).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?
    }

    /// Runs a call without sending it and says how much gas to give it.
    ///
    /// # Errors
    /// [`SendError::WouldRevert`] with the decoded reason, or what the node said.
    pub async fn simulate(&self, call: &Call) -> Result<u64, SendError> {
        let inner = &self.inner;
        let _slot =
            inner.simulations.acquire().await.map_err(|_| SendError::Stopped { account: inner.account })?;
        let request = request_of(call, inner.account);
        let estimate = inner.endpoint.provider().estimate_gas(request).block(BlockId::pending()).await;
        let gas = estimate.map_err(|error| refused(error, inner.account, "estimate the gas"))?;
        if gas > MAX_GAS {
            return Err(SendError::GasTooHigh { gas });
        }
        let margin = gas.saturating_mul(inner.policy.gas_margin_percent) / 100;
        Ok(gas.saturating_add(margin).min(MAX_GAS))
    }
}

fn request_of(call: &Call, from: Address) -> TransactionRequest {
    let mut request = TransactionRequest::default().with_from(from).with_input(call.data.clone());
    request.to = Some(call.to.map_or(TxKind::Create, TxKind::Call));
    if !call.value_wei.is_zero() {
        request = request.with_value(call.value_wei);
    }
    request
}

/// A node's refusal, decoded.
fn refused(error: TransportError, account: Address, what: &'static str) -> SendError {
    if let Some(revert) = revert_of(&error) {
        return SendError::WouldRevert(revert);
    }
    let message =
        error.as_error_resp().map_or_else(|| error.to_string(), |payload| payload.message.to_string());
    if message.to_lowercase().contains("insufficient funds") {
        return SendError::Funds { account, message };
    }
    SendError::Node { what, message }
}

/// One number given out: the versions sent under it.
struct Flight {
    call: Call,
    gas: u64,
    fees: Fees,
    /// Every version sent, oldest first: any of them may be the one that gets in.
    versions: Vec<Version>,
    bumps: u32,
    began: Instant,
    sent: Instant,
    /// Whether the node may not have got the last version: the answer was lost.
    unsure: bool,
    /// Looks at which the chain said that the number is used and knew none of our versions.
    lost: u32,
    answer: oneshot::Sender<Result<TxOutcome, SendError>>,
}

/// A signed transaction.
#[derive(Clone)]
struct Version {
    hash: TxHash,
    raw: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fees {
    max_wei: u128,
    tip_wei: u128,
}

impl Fees {
    /// Both fees raised by `percent`, rounded up, so that a node takes the replacement.
    fn bumped(self, percent: u64) -> Self {
        let up = |fee: u128| {
            fee.saturating_add(fee.saturating_mul(u128::from(percent)).div_ceil(100)).saturating_add(1)
        };
        Self { max_wei: up(self.max_wei), tip_wei: up(self.tip_wei) }
    }
}

/// A transaction under way.
struct Launched {
    nonce: u64,
    fees: Fees,
    version: Version,
    unsure: bool,
}

/// The one place that numbers and watches transactions of an account.
struct Desk {
    endpoint: Endpoint,
    key: Key,
    policy: SenderPolicy,
    requests: mpsc::Receiver<Request>,
    chain_id: Option<u64>,
    /// Whether the chain may take back what is in a block: one in this process does not.
    may_fork: bool,
    /// Next number while transactions are on their way; `None` = ask the chain.
    next_nonce: Option<u64>,
    flying: BTreeMap<u64, Flight>,
    /// The latest that are in blocks, by number, and since when that is known.
    done: BTreeMap<u64, (Vec<u8>, Instant)>,
    /// Looks at which a number below those on their way was free.
    gap_looks: u32,
    /// Fees and when they were asked for.
    fees: Option<(Fees, Instant)>,
}

impl Desk {
    async fn run(mut self) {
        let shortest = Duration::from_millis(5).min(self.endpoint.poll());
        let mut wait = shortest;
        loop {
            let room = self.flying.len() < MAX_IN_FLIGHT;
            let looks_back = self.flying.is_empty() && !self.done.is_empty() && self.may_fork;
            tokio::select! {
                biased;
                request = self.requests.recv(), if room => match request {
                    Some(request) => {
                        self.launch(request).await;
                        wait = shortest;
                    }
                    None => return,
                },
                () = tokio::time::sleep(wait), if !self.flying.is_empty() => {
                    let before = self.flying.len();
                    self.look().await;
                    let moved = self.flying.len() < before;
                    wait = if moved { shortest } else { (wait * 2).min(self.endpoint.poll().max(shortest)) };
                }
                () = tokio::time::sleep(LOOK_BACK.max(self.endpoint.poll())), if looks_back => {
                    self.look_back().await
                }
            }
        }
    }

    /// Gives a request its number and sends it.
    async fn launch(&mut self, request: Request) {
        // The caller has gone: nobody wants it any more, and nothing is sent yet.
        if request.answer.is_closed() {
            return;
        }
        let Request { call, gas, nonce, answer } = request;
        let sent = self.number_and_send(&call, gas, nonce).await;
        match sent {
            Ok(Launched { nonce, fees, version, unsure }) => {
                let now = Instant::now();
                let flight = Flight {
                    call,
                    gas,
                    fees,
                    versions: vec![version],
                    bumps: 0,
                    began: now,
                    sent: now,
                    unsure,
                    lost: 0,
                    answer,
                };
                self.flying.insert(nonce, flight);
                self.next_nonce = Some(nonce + 1);
            }
            Err(error) => {
                tracing::debug!(%error, account = %self.key.address(), "transaction not sent");
                // A caller that has gone does not want to know.
                let _ = answer.send(Err(error));
            }
        }
    }

    async fn number_and_send(
        &mut self,
        call: &Call,
        gas: u64,
        wanted: Option<u64>,
    ) -> Result<Launched, SendError> {
        let fees = self.current_fees().await?;
        let chain_id = self.chain_id().await?;
        let mut nonce = self.nonce().await?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != nonce) {
            return Err(SendError::NonceTaken { account: self.key.address(), nonce: wanted });
        }
        // Once more with the chain's number: somebody may have sent with this key before we started.
        for last in [false, true] {
            let version = self.signed(chain_id, nonce, call, gas, fees)?;
            match self.broadcast(&version.raw).await {
                Ok(unsure) => return Ok(Launched { nonce, fees, version, unsure }),
                Err(Refusal::NonceUsed) if !last && wanted.is_none() => {
                    self.next_nonce = None;
                    nonce = self.nonce().await?;
                }
                Err(Refusal::NonceUsed) => {
                    return Err(SendError::NonceTaken { account: self.key.address(), nonce });
                }
                Err(Refusal::Other(error)) => return Err(error),
            }
        }
        Err(SendError::NonceTaken { account: self.key.address(), nonce })
    }

    fn signed(
        &self,
        chain_id: u64,
        nonce: u64,
        call: &Call,
        gas: u64,
        fees: Fees,
    ) -> Result<Version, SendError> {
        let mut tx = TxEip1559 {
            chain_id,
            nonce,
            gas_limit: gas,
            max_fee_per_gas: fees.max_wei,
            max_priority_fee_per_gas: fees.tip_wei,
            to: call.to.map_or(TxKind::Create, TxKind::Call),
            value: call.value_wei,
            access_list: Default::default(),
            input: call.data.clone(),
        };
        let signature = self.key.signer().sign_transaction_sync(&mut tx);
        let signature = signature
            .map_err(|error| SendError::Node { what: "get a signature", message: error.to_string() })?;
        let envelope = TxEnvelope::from(tx.into_signed(signature));
        Ok(Version { hash: *envelope.tx_hash(), raw: envelope.encoded_2718() })
    }

    /// Hands a transaction to the node. `true` = whether the node has it is unknown: it must be watched as if it had, or
    /// what the caller asked for could happen twice.
    async fn broadcast(&self, raw: &[u8]) -> Result<bool, Refusal> {
        let Err(error) = self.endpoint.provider().send_raw_transaction(raw).await else { return Ok(false) };
        let Some(payload) = error.as_error_resp() else {
            tracing::warn!(%error, "the answer to a transaction was lost");
            return Ok(true);
        };
        let said = payload.message.to_lowercase();
        // An answer that was lost and asked for again: the node has it.
        if ["already known", "already imported", "alreadyknown"].iter().any(|known| said.contains(known)) {
            return Ok(false);
        }
        if ["nonce too low", "nonce is too low", "replacement transaction underpriced"]
            .iter()
            .any(|s| said.contains(s))
        {
            return Err(Refusal::NonceUsed);
        }
        Err(Refusal::Other(refused(error, self.key.address(), "take the transaction")))
    }

    async fn chain_id(&mut self) -> Result<u64, SendError> {
        if self.chain_id.is_none() {
            self.chain_id =
                Some(self.endpoint.provider().get_chain_id().await.map_err(node("tell its chain id"))?);
        }
        Ok(self.chain_id.unwrap_or_default())
    }

    async fn nonce(&mut self) -> Result<u64, SendError> {
        // With nothing on its way the chain knows better: a reorganisation may have taken numbers back.
        if let Some(nonce) = self.next_nonce.filter(|_| !self.flying.is_empty()) {
            return Ok(nonce);
        }
        let asked = self.endpoint.provider().get_transaction_count(self.key.address()).pending().await;
        let pending = asked.map_err(node("count transactions"))?;
        let ours = self.flying.last_key_value().map_or(0, |(nonce, _)| nonce + 1);
        Ok(pending.max(ours))
    }

    async fn current_fees(&mut self) -> Result<Fees, SendError> {
        if let Some((fees, at)) = self.fees
            && at.elapsed() < self.endpoint.poll()
        {
            return Ok(fees);
        }
        let asked = self.endpoint.provider().estimate_eip1559_fees().await.map_err(node("tell its fees"))?;
        let limit_wei = self.policy.max_fee_per_gas_wei;
        if asked.max_fee_per_gas > limit_wei {
            return Err(SendError::FeeTooHigh { asked_wei: asked.max_fee_per_gas, limit_wei });
        }
        let fees = Fees { max_wei: asked.max_fee_per_gas, tip_wei: asked.max_priority_fee_per_gas };
        self.fees = Some((fees, Instant::now()));
        Ok(fees)
    }

    /// Looks at every transaction that is on its way: done, lost, stuck or given up.
    async fn look(&mut self) {
        let provider = self.endpoint.provider();
        let account = self.key.address();
        let asked =
            tokio::join!(provider.get_transaction_count(account).latest(), provider.get_block_number());
        let (Ok(used), Ok(head)) = asked else { return };
        self.mend(used).await;
        let nonces: Vec<u64> = self.flying.keys().copied().collect();
        for nonce in nonces {
            let ended =
                if nonce < used { self.settled(nonce, head).await } else { self.waiting(nonce).await };
            if let Some(result) = ended
                && let Some(flight) = self.flying.remove(&nonce)
            {
                metrics::counter!("chain_transactions_total", "result" => result_label(&result)).increment(1);
                self.keep(nonce, &flight, &result);
                // A caller that has gone does not want to know; the transaction is done nevertheless.
                let _ = flight.answer.send(result);
            }
        }
        let stuck =
            self.flying.values().filter(|flight| flight.began.elapsed() >= self.policy.stuck_after).count();
        metrics::gauge!("chain_transactions_stuck", "account" => account.to_string()).set(stuck as f64);
    }

    /// Looks after what is in blocks while nothing is on its way.
    async fn look_back(&mut self) {
        let look_back = self.policy.look_back;
        self.done.retain(|_, (_, since)| since.elapsed() < look_back);
        let asked = self.endpoint.provider().get_transaction_count(self.key.address()).latest().await;
        if let Ok(used) = asked {
            self.mend(used).await;
        }
    }

    /// A reorganisation may take back what was done: then numbers are free that were used, and nothing with a later one gets in until
    /// they are used again. What had them is sent again, since its caller was told that it is done; where it is not known, a
    /// transfer of nothing to ourselves takes the number.
    async fn mend(&mut self, used: u64) {
        let flying = self.flying.keys().next().copied();
        let next = flying.or_else(|| self.done.last_key_value().map(|(last, _)| last + 1));
        let Some(first) = next.filter(|first| used < *first) else {
            self.gap_looks = 0;
            return;
        };
        self.gap_looks += 1;
        if self.gap_looks < LOST_AFTER_LOOKS {
            return;
        }
        self.gap_looks = 0;
        let asked = self.endpoint.provider().get_transaction_count(self.key.address()).pending().await;
        let Ok(pending) = asked else { return };
        for nonce in pending.max(used)..first {
            let raw = match self.done.get(&nonce) {
                Some((raw, _)) => raw.clone(),
                None => match self.nothing(nonce).await {
                    Ok(version) => version.raw,
                    Err(error) => return tracing::warn!(nonce, %error, "a free number is not used"),
                },
            };
            tracing::warn!(nonce, "a reorganisation took a transaction back: sending it again");
            metrics::counter!("chain_transactions_undone_total").increment(1);
            if let Err(Refusal::Other(error)) = self.broadcast(&raw).await {
                tracing::warn!(nonce, %error, "it is not taken");
            }
        }
    }

    /// A transaction that does nothing but use a number.
    async fn nothing(&mut self, nonce: u64) -> Result<Version, SendError> {
        let (fees, chain_id) = (self.current_fees().await?, self.chain_id().await?);
        let call = Call { to: Some(self.key.address()), ..Call::default() };
        self.signed(chain_id, nonce, &call, TRANSFER_GAS, fees)
    }

    /// Remembers what is in a block.
    fn keep(&mut self, nonce: u64, flight: &Flight, result: &Result<TxOutcome, SendError>) {
        let hash = match result {
            Ok(outcome) => outcome.hash,
            Err(SendError::Reverted { hash, .. }) => *hash,
            Err(_) => return,
        };
        if let Some(version) = flight.versions.iter().find(|version| version.hash == hash) {
            self.done.insert(nonce, (version.raw.clone(), Instant::now()));
        }
        if self.done.len() > MAX_DONE {
            self.done.pop_first();
        }
    }

    /// The number is used on chain: by which of ours, and is it deep enough?
    async fn settled(&mut self, nonce: u64, head: u64) -> Option<Result<TxOutcome, SendError>> {
        let versions = &self.flying.get(&nonce)?.versions;
        let hashes: Vec<_> = versions.iter().map(|version| version.hash).collect();
        for hash in hashes.into_iter().rev() {
            match self.endpoint.provider().get_transaction_receipt(hash).await {
                Ok(Some(receipt)) => return self.judged(nonce, head, receipt).await,
                Ok(None) => {}
                Err(_) => return None,
            }
        }
        let account = self.key.address();
        let flight = self.flying.get_mut(&nonce)?;
        flight.lost += 1;
        (flight.lost >= LOST_AFTER_LOOKS).then_some(Err(SendError::NonceTaken { account, nonce }))
    }

    async fn judged(
        &self,
        nonce: u64,
        head: u64,
        receipt: TransactionReceipt,
    ) -> Option<Result<TxOutcome, SendError>> {
        let block = receipt.block_number?;
        if head.saturating_sub(block) + 1 < self.policy.confirmations {
            return None;
        }
        let hash = receipt.transaction_hash;
        if !receipt.status() {
            let revert = self.why(nonce, block).await;
            return Some(Err(SendError::Reverted { hash, block, revert }));
        }
        Some(Ok(TxOutcome {
            hash,
            block,
            block_hash: receipt.block_hash?,
            gas_used: receipt.gas_used,
            gas_price_wei: receipt.effective_gas_price,
            created: receipt.contract_address,
            logs: receipt.logs().to_vec(),
        }))
    }

    /// Runs a refused transaction again on the block that holds it, to learn the reason.
    async fn why(&self, nonce: u64, block: u64) -> Revert {
        let Some(flight) = self.flying.get(&nonce) else { return Revert::unknown() };
        let request = request_of(&flight.call, self.key.address()).with_gas_limit(flight.gas);
        let again = self.endpoint.provider().call(request).block(BlockId::number(block)).await;
        again.err().as_ref().and_then(revert_of).unwrap_or_else(Revert::unknown)
    }

    /// The number is not used yet: replace what is stuck, give up what is hopeless.
    async fn waiting(&mut self, nonce: u64) -> Option<Result<TxOutcome, SendError>> {
        let (policy, chain_id) = (self.policy, self.chain_id?);
        let flight = self.flying.get(&nonce)?;
        let hash = flight.versions.last()?.hash;
        let waited = flight.began.elapsed();
        if waited >= policy.give_up_after {
            // The number is free as far as the chain knows; the next transaction asks for it.
            self.next_nonce = None;
            return Some(Err(SendError::GaveUp { hash, waited, bumps: flight.bumps }));
        }
        let due = if flight.unsure { policy.stuck_after.min(UNSURE_AGAIN) } else { policy.stuck_after };
        if flight.sent.elapsed() < due {
            return None;
        }
        let raised = flight.fees.bumped(policy.bump_percent);
        let may_raise =
            !flight.unsure && flight.bumps < policy.max_bumps && raised.max_wei <= policy.max_fee_per_gas_wei;
        let fees = if may_raise { raised } else { flight.fees };
        let version = self.signed(chain_id, nonce, &flight.call, flight.gas, fees).ok()?;
        // Where the fee cannot rise, the same version again: the node may have dropped it.
        let unsure = match self.broadcast(&version.raw).await {
            Ok(unsure) => {
                tracing::info!(nonce, max_wei = fees.max_wei, hash = %version.hash, "transaction sent again");
                unsure
            }
            Err(Refusal::NonceUsed) => false,
            Err(Refusal::Other(error)) => {
                tracing::warn!(nonce, %error, "transaction cannot be sent again");
                false
            }
        };
        let flight = self.flying.get_mut(&nonce)?;
        flight.unsure = unsure;
        flight.sent = Instant::now();
        if may_raise {
            flight.bumps += 1;
            flight.fees = fees;
            flight.versions.push(version);
            metrics::counter!("chain_replacements_total").increment(1);
        }
        None
    }
}

fn result_label(result: &Result<TxOutcome, SendError>) -> &'static str {
    match result {
        Ok(_) => "done",
        Err(error) => error.code(),
    }
}

/// How a node refused a transaction.
enum Refusal {
    /// Its number is used, or held by another transaction.
    NonceUsed,
    Other(SendError),
}

fn node(what: &'static str) -> impl FnOnce(TransportError) -> SendError {
    move |error| SendError::Node { what, message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bump_is_more_than_nodes_ask_for_even_from_zero() {
        let fees = Fees { max_wei: 1_000, tip_wei: 0 }.bumped(12);
        assert_eq!(fees, Fees { max_wei: 1_121, tip_wei: 1 });
        let top = Fees { max_wei: u128::MAX, tip_wei: u128::MAX };
        assert_eq!(top.bumped(25), top);
    }
}
