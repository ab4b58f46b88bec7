//! The way in for alloy without a socket: a transport for requests, a connection for subscriptions.

use crate::{ledger::Ledger, rpc};
use alloy::{
    providers::{Provider, ProviderBuilder, RootProvider},
    pubsub::{ConnectionHandle, ConnectionInterface, PubSubConnect},
    rpc::{
        client::RpcClient,
        json_rpc::{PubSubItem, RequestPacket, ResponsePacket},
    },
    transports::{TransportError, TransportErrorKind, TransportFut, TransportResult},
};
use jsonrpsee::Methods;
use serde_json::value::RawValue;
use std::{
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::mpsc;

/// How often a client in the process polls for receipts: nothing travels, so it may be often.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Notifications that may queue up for a subscription in the process before it waits.
const SUBSCRIPTION_BUFFER: usize = 1_024;

/// Requests of one connection that may be under way; further ones wait.
const MAX_IN_PROCESS: usize = 1_024;

/// alloy's transport into a ledger of the same process.
#[derive(Debug, Clone)]
pub struct LedgerTransport {
    methods: Methods,
}

impl Ledger {
    /// A transport for alloy's clients. Needs a tokio runtime when used.
    pub fn transport(&self) -> LedgerTransport {
        LedgerTransport { methods: rpc::methods(self).into() }
    }

    /// An RPC client over [`Self::transport`].
    pub fn client(&self) -> RpcClient {
        RpcClient::new(self.transport(), true).with_poll_interval(POLL_INTERVAL)
    }

    /// A provider over [`Self::transport`], without fillers: give it to `ProviderBuilder` with
    /// `connect_client(ledger.client())` for those.
    pub fn provider(&self) -> RootProvider {
        ProviderBuilder::default().connect_client(self.client())
    }

    /// A client that can subscribe (`eth_subscribe`), for `ProviderBuilder::connect_client`.
    ///
    /// # Errors
    /// Only what alloy's own machinery reports; there is no connection that could fail.
    pub async fn pubsub_client(&self) -> TransportResult<RpcClient> {
        let client = RpcClient::connect_pubsub(LedgerConnect { ledger: self.clone() }).await?;
        Ok(client.with_poll_interval(POLL_INTERVAL))
    }

    /// A provider over [`Self::pubsub_client`].
    ///
    /// # Errors
    /// As [`Self::pubsub_client`].
    pub async fn pubsub_provider(&self) -> TransportResult<impl Provider + Clone + use<>> {
        Ok(ProviderBuilder::default().connect_client(self.pubsub_client().await?))
    }
}

impl LedgerTransport {
    /// Answers one request and ignores what it may have subscribed to.
    async fn one(methods: &Methods, request: &RawValue) -> Result<Box<RawValue>, TransportError> {
        let answered = methods.raw_json_request(request.get(), 1).await;
        Ok(answered.map_err(TransportErrorKind::custom)?.0)
    }

    async fn answer(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let parse = |raw: &RawValue| {
            serde_json::from_str(raw.get()).map_err(|e| TransportError::deser_err(e, raw.get()))
        };
        match packet {
            RequestPacket::Single(request) => {
                Ok(ResponsePacket::Single(parse(&Self::one(&self.methods, request.serialized()).await?)?))
            }
            RequestPacket::Batch(requests) => {
                let mut responses = Vec::with_capacity(requests.len());
                for request in requests {
                    responses.push(parse(&Self::one(&self.methods, request.serialized()).await?)?);
                }
                Ok(ResponsePacket::Batch(responses))
            }
        }
    }
}

impl tower::Service<RequestPacket> for LedgerTransport {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        Box::pin(self.clone().answer(packet))
    }
}

/// A connection into a ledger of the same process, for alloy's pubsub.
#[derive(Debug, Clone)]
pub struct LedgerConnect {
    ledger: Ledger,
}

impl LedgerConnect {
    /// A connection to `ledger`.
    pub fn new(ledger: &Ledger) -> Self {
        Self { ledger: ledger.clone() }
    }
}

impl PubSubConnect for LedgerConnect {
    fn is_local(&self) -> bool {
        true
    }

    async fn connect(&self) -> TransportResult<ConnectionHandle> {
        let (handle, interface) = ConnectionHandle::new();
        tokio::spawn(serve(interface, rpc::methods(&self.ledger).into()));
        Ok(handle)
    }
}

/// Answers what the client asks and passes on what it subscribed to, until it goes away.
async fn serve(mut interface: ConnectionInterface, methods: Methods) {
    let (sender, mut answers) = mpsc::channel::<Box<RawValue>>(MAX_IN_PROCESS);
    loop {
        tokio::select! {
            request = interface.recv_from_frontend() => {
                let Some(request) = request else { return };
                tokio::spawn(answer(methods.clone(), request, sender.clone()));
            }
            Some(item) = answers.recv() => {
                let Ok(item) = serde_json::from_str::<PubSubItem>(item.get()) else { continue };
                if interface.send_to_frontend(item).is_err() {
                    return;
                }
            }
        }
    }
}

async fn answer(methods: Methods, request: Box<RawValue>, sender: mpsc::Sender<Box<RawValue>>) {
    let Ok((response, mut items)) = methods.raw_json_request(request.get(), SUBSCRIPTION_BUFFER).await else {
        return;
    };
    if sender.send(response).await.is_err() {
        return;
    }
    while let Some(item) = items.recv().await {
        if sender.send(item).await.is_err() {
            return;
        }
    }
}
