//! JSON-RPC over HTTP and WebSocket, on one port.

use crate::{error::LedgerError, ledger::Ledger, rpc};
use jsonrpsee::{
    core::traits::IdProvider,
    server::{BatchRequestConfig, ServerConfig},
    types::SubscriptionId,
};
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};
use tower_http::cors::CorsLayer;

/// Messages that may queue up for one WebSocket client before the connection waits for it.
const MESSAGE_BUFFER: u32 = 1_024;

/// A running server. It goes on until [`ServerHandle::stop`], also when this is dropped.
#[derive(Debug)]
pub struct ServerHandle {
    /// The address it listens on, with the port that was given where it was asked for port 0.
    pub addr: SocketAddr,
    handle: jsonrpsee::server::ServerHandle,
}

impl ServerHandle {
    /// Stops the server and waits until it has let go of the port.
    pub async fn stop(self) {
        // An error means that it has stopped already.
        let _ = self.handle.stop();
        self.handle.stopped().await;
    }
}

/// Subscription ids as geth writes them; several clients refuse plain numbers.
#[derive(Debug, Default)]
struct HexIds(AtomicU64);

impl IdProvider for HexIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        SubscriptionId::Str(format!("{:#x}", self.0.fetch_add(1, Ordering::Relaxed) + 1).into())
    }
}

impl Ledger {
    /// Serves JSON-RPC over HTTP and WebSocket at `addr`. Web pages of any origin may ask: no key is
    /// held here, and whoever sends a transaction has signed it. With `dev_methods` a page could move
    /// the chain's time.
    ///
    /// # Errors
    /// `ledger.serve` where the address cannot be used.
    pub async fn serve(&self, addr: SocketAddr) -> Result<ServerHandle, LedgerError> {
        let limits = self.config().limits;
        let config = ServerConfig::builder()
            .max_request_body_size(limits.max_request_bytes)
            .max_response_body_size(limits.max_response_bytes)
            .max_connections(limits.max_connections)
            .max_subscriptions_per_connection(limits.max_subscriptions)
            .set_batch_request_config(BatchRequestConfig::Limit(limits.max_batch))
            .set_message_buffer_capacity(MESSAGE_BUFFER)
            .set_id_provider(HexIds::default())
            .build();
        let failed = |e: std::io::Error| LedgerError::Serve { addr, reason: e.to_string() };
        let server = jsonrpsee::server::Server::builder()
            .set_config(config)
            .set_http_middleware(tower::ServiceBuilder::new().layer(CorsLayer::permissive()))
            .build(addr)
            .await
            .map_err(failed)?;
        let addr = server.local_addr().map_err(failed)?;
        Ok(ServerHandle { addr, handle: server.start(rpc::methods(self)) })
    }
}
