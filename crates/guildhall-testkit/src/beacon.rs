//! A beacon whose key tests have, and servers of it, honest and other.

use alloy::{
    hex,
    primitives::{B256, FixedBytes},
};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use blst::min_sig::SecretKey;
use guildhall_chain::Beacon;
use guildhall_protocol::{Secs, UnixTime};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

/// Domain of drand's scheme (the DST of RFC 9380).
const DST: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

/// How a server of a beacon answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// With the round that was asked for.
    Honest,
    /// With status 500.
    Down,
    /// With a genuine round, but another.
    AnotherRound,
    /// With the right number and the signature of another round.
    Forged,
    /// With more bytes than anybody should read.
    Huge,
    /// Never.
    Silent,
}

/// A beacon of the scheme of drand's quicknet, emitted by one key.
#[derive(Clone)]
pub struct TestBeacon {
    secret: SecretKey,
    beacon: Beacon,
}

impl TestBeacon {
    /// A beacon from its key material and its times.
    ///
    /// # Panics
    /// Never: 32 bytes suffice for a key.
    pub fn new(material: [u8; 32], genesis: UnixTime, period: Secs, epoch: Secs, margin: Secs) -> Self {
        let secret = SecretKey::key_gen(&material, &[]).expect("32 bytes");
        let beacon = Beacon {
            chain_hash: B256::from(material),
            public_key: FixedBytes(secret.sk_to_pk().compress()),
            genesis,
            period_secs: period,
            epoch_secs: epoch,
            margin_secs: margin,
        };
        Self { secret, beacon }
    }

    /// What everybody knows of it.
    pub const fn beacon(&self) -> Beacon {
        self.beacon
    }

    /// The signature of a round.
    pub fn sign(&self, round: u64) -> [u8; 48] {
        self.secret.sign(&Sha256::digest(round.to_be_bytes()), DST, &[]).compress()
    }

    /// Serves it on loopback until the runtime ends; answers the server's base address.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn serve(&self, manner: Manner) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let app =
            Router::new().route("/{chain}/public/{round}", get(answer)).with_state((self.clone(), manner));
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}")
    }
}

async fn answer(
    State((beacon, manner)): State<(TestBeacon, Manner)>,
    Path((chain, round)): Path<(String, u64)>,
) -> Response {
    if chain != hex::encode(beacon.beacon.chain_hash) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let says = |number: u64, signed: u64| {
        let signature = beacon.sign(signed);
        Json(json!({
            "round": number,
            "randomness": hex::encode(Sha256::digest(signature)),
            "signature": hex::encode(signature),
        }))
        .into_response()
    };
    match manner {
        Manner::Honest => says(round, round),
        Manner::Down => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Manner::AnotherRound => says(round + 1, round + 1),
        Manner::Forged => says(round, round + 1),
        Manner::Huge => vec![b' '; 1 << 20].into_response(),
        Manner::Silent => std::future::pending().await,
    }
}
