//! Two nodes where one alone is not believed: what a read says counts when both say the same.
//!
//! Nodes of two operators rarely tell the same lie. A head that only one of them has is not followed, a receipt that only one
//! shows is none, and a transaction goes to both. Knows nothing of our contracts: what a call answers is compared as it is.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use alloy::{
    rpc::json_rpc::{Request, RequestPacket, Response, ResponsePacket, ResponsePayload, SerializedRequest},
    transports::{Transport, TransportError, TransportErrorKind, TransportFut},
};
use serde_json::Value;
use tower::Service;

use crate::rpc::backoff;

/// Looks at what the nodes say differently before that is an error: one of them may be a block behind.
const LOOKS: u32 = 10;
/// First and longest wait between two looks.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// What a block's header says that anything here depends on.
const HEADER: &[&str] = &["hash", "number", "parentHash", "timestamp", "mixHash", "baseFeePerGas"];
/// What a receipt says, but for its logs.
const RECEIPT: &[&str] =
    &["transactionHash", "blockHash", "blockNumber", "status", "from", "to", "contractAddress", "gasUsed"];
/// What a log says.
const LOG: &[&str] =
    &["address", "topics", "data", "blockHash", "blockNumber", "transactionHash", "logIndex"];

/// A transport over two others.
#[derive(Clone, Debug)]
pub(crate) struct Compared<A, B> {
    first: A,
    second: B,
}

/// How a method is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Of the first node: an opinion, such as a fee, that no decision on results rests on.
    First,
    /// To both, and one that takes it suffices.
    Either,
    /// Of both: the lower number.
    Lower,
    /// Of both, until they say the same.
    Same,
}

impl Manner {
    fn of(request: &SerializedRequest) -> Self {
        match request.method() {
            "eth_sendRawTransaction" => Self::Either,
            "eth_blockNumber" => Self::Lower,
            // Transactions in blocks; of those that wait each node knows others.
            "eth_getTransactionCount" if !is_pending(request) => Self::Lower,
            "eth_chainId"
            | "eth_call"
            | "eth_getBalance"
            | "eth_getBlockByHash"
            | "eth_getBlockByNumber"
            | "eth_getBlockReceipts"
            | "eth_getCode"
            | "eth_getLogs"
            | "eth_getProof"
            | "eth_getStorageAt"
            | "eth_getTransactionByHash"
            | "eth_getTransactionReceipt" => Self::Same,
            _ => Self::First,
        }
    }
}

impl<A: Transport + Clone, B: Transport + Clone> Compared<A, B> {
    pub(crate) fn new(first: A, second: B) -> Self {
        Self { first, second }
    }

    async fn ask(&mut self, request: SerializedRequest) -> Result<Response, TransportError> {
        match Manner::of(&request) {
            Manner::First => single(self.first.call(request.into()).await?),
            Manner::Either => {
                let (first, second) = self.both(request).await;
                let taken = |answer: &Result<Response, TransportError>| {
                    answer.as_ref().is_ok_and(|response| !response.is_error())
                };
                if !taken(&first) && taken(&second) { second } else { first }
            }
            Manner::Lower => {
                let (first, second) = self.both(request).await;
                let (first, second) = (first?, second?);
                Ok(if number(&value_of(&second)?) < number(&value_of(&first)?) { second } else { first })
            }
            Manner::Same => self.agreed(request).await,
        }
    }

    async fn both(
        &mut self,
        request: SerializedRequest,
    ) -> (Result<Response, TransportError>, Result<Response, TransportError>) {
        let (first, second) =
            tokio::join!(self.first.call(request.clone().into()), self.second.call(request.into()));
        (first.and_then(single), second.and_then(single))
    }

    async fn agreed(&mut self, request: SerializedRequest) -> Result<Response, TransportError> {
        for look in 0..LOOKS {
            let (first, second) = self.both(request.clone()).await;
            let (first, second) = (first?, second?);
            if let Some(agreed) = self.same(&request, first, second).await? {
                return Ok(agreed);
            }
            tracing::debug!(method = request.method(), look, "the two nodes differ");
            tokio::time::sleep(backoff(WAITS.0, WAITS.1, look)).await;
        }
        metrics::counter!("chain_nodes_differ_total").increment(1);
        Err(TransportErrorKind::custom_str(&format!(
            "the two nodes do not say the same of {}: one of them lags, lies, or is of another chain",
            request.method()
        )))
    }

    /// What both say, if they do.
    async fn same(
        &mut self,
        request: &SerializedRequest,
        first: Response,
        second: Response,
    ) -> Result<Option<Response>, TransportError> {
        if first.is_error() || second.is_error() {
            // Nodes word their refusals differently: what was reverted with is what counts, and a revert is no success.
            let alike = first.is_error() && second.is_error() && revert(&first) == revert(&second);
            return Ok(alike.then_some(first));
        }
        let (ours, theirs) = (value_of(&first)?, value_of(&second)?);
        let method = request.method();
        if essence(method, &ours) == essence(method, &theirs) {
            return Ok(Some(first));
        }
        // What only one of them has is not there yet.
        if ours.is_null() || theirs.is_null() {
            return Ok(Some(if ours.is_null() { first } else { second }));
        }
        let named = |params: &Value| params[0].as_str().is_some_and(|block| !block.starts_with("0x"));
        let mut params = params_of(request)?;
        if method != "eth_getBlockByNumber"
            || !named(&params)
            || number(&ours["number"]) == number(&theirs["number"])
        {
            return Ok(None);
        }
        // Two heads: the lower one, if the node that is ahead has it, too.
        let behind = number(&ours["number"]) < number(&theirs["number"]);
        let (lower, response) = if behind { (ours, first) } else { (theirs, second) };
        params[0] = lower["number"].clone();
        let again = Request::new(method.to_owned(), request.id().clone(), params).serialize();
        let again = again.map_err(TransportError::ser_err)?;
        let other = if behind {
            self.second.call(again.into()).await?
        } else {
            self.first.call(again.into()).await?
        };
        let known = essence(method, &value_of(&single(other)?)?) == essence(method, &lower);
        Ok(known.then_some(response))
    }
}

fn single(packet: ResponsePacket) -> Result<Response, TransportError> {
    match packet {
        ResponsePacket::Single(response) => Ok(response),
        ResponsePacket::Batch(_) => Err(TransportErrorKind::custom_str("many answers to one request")),
    }
}

/// What was answered; nothing for a refusal.
fn value_of(response: &Response) -> Result<Value, TransportError> {
    match &response.payload {
        ResponsePayload::Success(result) => {
            serde_json::from_str(result.get()).map_err(|error| TransportError::deser_err(error, result.get()))
        }
        ResponsePayload::Failure(_) => Ok(Value::Null),
    }
}

fn revert(response: &Response) -> Option<alloy::primitives::Bytes> {
    match &response.payload {
        ResponsePayload::Failure(error) => error.as_revert_data(),
        ResponsePayload::Success(_) => None,
    }
}

fn params_of(request: &SerializedRequest) -> Result<Value, TransportError> {
    let text = request.params().map_or("[]", |params| params.get());
    serde_json::from_str(text).map_err(|error| TransportError::deser_err(error, text))
}

fn is_pending(request: &SerializedRequest) -> bool {
    request.params().is_some_and(|params| params.get().contains("\"pending\""))
}

/// A quantity; the highest for what is none, so that it is never the lower one.
fn number(value: &Value) -> u64 {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(u64::MAX)
}

/// What two nodes must say alike: nodes of different makers add fields of their own.
fn essence(method: &str, result: &Value) -> Value {
    let fields = |value: &Value, names: &[&str]| -> Value {
        if value.is_null() {
            return Value::Null;
        }
        names.iter().map(|name| value[*name].clone()).collect()
    };
    let logs = |value: &Value| -> Value {
        value.as_array().into_iter().flatten().map(|log| fields(log, LOG)).collect()
    };
    let receipt = |value: &Value| [fields(value, RECEIPT), logs(&value["logs"])].into_iter().collect();
    match method {
        "eth_getBlockByHash" | "eth_getBlockByNumber" => fields(result, HEADER),
        "eth_getLogs" => logs(result),
        "eth_getTransactionReceipt" => receipt(result),
        "eth_getBlockReceipts" => result.as_array().into_iter().flatten().map(receipt).collect(),
        "eth_getTransactionByHash" => fields(result, &["hash", "blockHash", "from", "nonce"]),
        _ => result.clone(),
    }
}

impl<A, B> Service<RequestPacket> for Compared<A, B>
where
    A: Transport + Clone,
    B: Transport + Clone,
{
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        match self.first.poll_ready(context) {
            Poll::Ready(Ok(())) => self.second.poll_ready(context),
            waits => waits,
        }
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        let mut nodes = self.clone();
        Box::pin(async move {
            match packet {
                RequestPacket::Single(request) => Ok(ResponsePacket::Single(nodes.ask(request).await?)),
                RequestPacket::Batch(requests) => {
                    let mut responses = Vec::with_capacity(requests.len());
                    for request in requests {
                        responses.push(nodes.ask(request).await?);
                    }
                    Ok(ResponsePacket::Batch(responses))
                }
            }
        })
    }
}
