//! A public randomness beacon: its rounds, their signatures, and where these are fetched.
//!
//! The scheme is drand's `bls-unchained-g1-rfc9380`: BLS on BLS12-381 with signatures in G1 and the key in G2; the message
//! is SHA-256 of the round's number, the randomness SHA-256 of the signature. Nothing that a server says is believed: a
//! round counts when its signature is the beacon's.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use alloy::primitives::{B256, Bytes, FixedBytes, fixed_bytes};
use blst::{
    BLST_ERROR,
    min_sig::{PublicKey, Signature},
};
use guildhall_protocol::{Secs, Seed, UnixTime};
use guildhall_service::Coded;
use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use url::Url;

/// Domain of the scheme (the DST of RFC 9380).
const DST: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
/// How long one server may take for an answer, from the connection to the last byte.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Largest answer that is read, in bytes: a genuine one has some 250.
const MAX_ANSWER_BYTES: usize = 4 * 1024;
/// Servers that are asked in turn at most; more are refused.
const SERVERS_MAX: usize = 8;
/// Rounds remembered; beyond, the oldest is forgotten and fetched again when it is asked for.
const ROUNDS_MAX: usize = 64;
/// After all servers failed, they are left alone for so long: many rounds wait for the same answer.
const REST: Duration = Duration::from_secs(1);

/// A beacon and how epochs use it. Fixed at deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beacon {
    /// By which name its servers know it: hash of its founding document.
    pub chain_hash: B256,
    /// Its public key, compressed.
    pub public_key: FixedBytes<96>,
    /// When round 1 was emitted.
    pub genesis: UnixTime,
    /// Between rounds.
    pub period_secs: Secs,
    /// Length of an epoch: all deals that open in it have one seed.
    pub epoch_secs: Secs,
    /// How far the chain's clock may lag behind the world's: between the end of an epoch and its beacon round.
    pub margin_secs: Secs,
}

impl Beacon {
    /// drand's quicknet: a round every three seconds, by a threshold of the League of Entropy.
    pub const QUICKNET: Self = Self {
        chain_hash: fixed_bytes!("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"),
        public_key: fixed_bytes!(
            "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
            "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
        ),
        genesis: UnixTime(1_692_803_367),
        period_secs: Secs(3),
        epoch_secs: Secs(30),
        margin_secs: Secs(30),
    };

    /// Longest time from the opening of a deal to the seed of its lot: a wave must be longer, or no time is left to work.
    pub fn longest_wait(&self) -> Secs {
        self.epoch_secs.saturating_add(self.margin_secs).saturating_add(self.period_secs)
    }

    /// Epoch of deals that open at a time.
    pub fn epoch_of(&self, time: UnixTime) -> u64 {
        time.0 / self.epoch_secs.0.max(1)
    }

    /// The round that an epoch uses: the first that is emitted a margin or more after its end. `None` before the beacon.
    pub fn round_of(&self, epoch: u64) -> Option<u64> {
        let end = epoch.checked_add(1)?.checked_mul(self.epoch_secs.0)?;
        let since = end.checked_add(self.margin_secs.0)?.checked_sub(self.genesis.0)?;
        since.div_ceil(self.period_secs.0.max(1)).checked_add(1)
    }

    /// When a round is emitted.
    pub fn emitted(&self, round: u64) -> UnixTime {
        let since = round.saturating_sub(1).saturating_mul(self.period_secs.0);
        UnixTime(self.genesis.0.saturating_add(since))
    }

    /// The public key as EIP-2537 writes points of G2; `None` = it is no key.
    pub fn key_point(&self) -> Option<Bytes> {
        let key = PublicKey::key_validate(self.public_key.as_slice()).ok()?.serialize();
        // Here an element of the quadratic field begins with its second part, there with its first.
        let [x1, x0, y1, y0] = parts(&key);
        Some([x0, x1, y0, y1].concat().into())
    }

    /// A round from its signature (48 bytes, compressed), if that is the beacon's.
    pub fn verify(&self, round: u64, signature: &[u8]) -> Option<BeaconRound> {
        let compressed: [u8; 48] = signature.try_into().ok()?;
        let key = PublicKey::key_validate(self.public_key.as_slice()).ok()?;
        let signature = Signature::sig_validate(&compressed, true).ok()?;
        let message = Sha256::digest(round.to_be_bytes());
        // Key and signature are in their subgroups already.
        let verified = signature.verify(false, &message, DST, &[], &key, false);
        let [x, y] = parts(&signature.serialize());
        (verified == BLST_ERROR::BLST_SUCCESS).then(|| BeaconRound {
            seed: Seed(B256::from_slice(&Sha256::digest(compressed))),
            point: [x, y].concat().into(),
        })
    }
}

/// Elements of the field, 48 bytes each, as EIP-2537 writes them: 64 bytes each.
fn parts<const N: usize>(bytes: &[u8]) -> [[u8; 64]; N] {
    let mut elements = bytes.chunks_exact(48);
    std::array::from_fn(|_| {
        let mut padded = [0; 64];
        if let Some(element) = elements.next() {
            padded[16..].copy_from_slice(element);
        }
        padded
    })
}

/// A round of a beacon whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeaconRound {
    /// Its randomness, as published.
    pub seed: Seed,
    /// Its signature as EIP-2537 writes points of G1.
    pub point: Bytes,
}

/// Errors of a beacon's servers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeaconError {
    /// That is no server of a beacon.
    #[error("`{url}` is not the address of a beacon's server")]
    BadUrl {
        /// What was given.
        url: String,
    },
    /// Too many servers, or none.
    #[error("{found} servers of a beacon were named, it takes 1 to {SERVERS_MAX}")]
    Servers {
        /// How many.
        found: usize,
    },
    /// The system has no HTTP client for us.
    #[error("no HTTP client for the beacon's servers: {message}")]
    Client {
        /// Why not.
        message: String,
    },
    /// No server gave the round.
    #[error("no server gave round {round} of the beacon: {message}")]
    Unavailable {
        /// Which round.
        round: u64,
        /// What each said.
        message: String,
    },
}

impl Coded for BeaconError {
    fn code(&self) -> &'static str {
        match self {
            Self::BadUrl { .. } => "beacon.url",
            Self::Servers { .. } => "beacon.servers",
            Self::Client { .. } => "beacon.client",
            Self::Unavailable { .. } => "beacon.unavailable",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::BadUrl { .. } => "write it as `https://HOST`, without the beacon's hash".into(),
            Self::Servers { .. } => "name each with `--beacon URL`".into(),
            Self::Client { .. } => "check the system's certificates".into(),
            Self::Unavailable { .. } => {
                "name another server with `--beacon URL`, or wait: anybody can write the seed down".into()
            }
        })
    }
}

/// Servers that publish a beacon's rounds over HTTP (`/CHAIN HASH/public/ROUND`), asked in turn.
#[derive(Debug)]
pub struct BeaconSource {
    http: reqwest::Client,
    servers: Vec<Url>,
    /// Held while servers are asked, so that nobody asks the same at the same time.
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    rounds: BTreeMap<u64, BeaconRound>,
    failed: Option<(Instant, BeaconError)>,
}

/// The part of a server's answer that is used.
#[derive(Deserialize)]
struct Answer {
    round: u64,
    signature: Bytes,
}

impl BeaconSource {
    /// Servers by their base addresses.
    ///
    /// # Errors
    /// [`BeaconError`] for what is no HTTP address, and for none or too many.
    pub fn new(servers: Vec<Url>) -> Result<Self, BeaconError> {
        if servers.is_empty() || servers.len() > SERVERS_MAX {
            return Err(BeaconError::Servers { found: servers.len() });
        }
        if let Some(bad) = servers.iter().find(|url| !matches!(url.scheme(), "http" | "https")) {
            return Err(BeaconError::BadUrl { url: bad.to_string() });
        }
        let http = reqwest::Client::builder().redirect(Policy::none()).timeout(ANSWER_WITHIN).build();
        let http = http.map_err(|error| BeaconError::Client { message: error.to_string() })?;
        Ok(Self { http, servers, recent: Mutex::default() })
    }

    /// The same, or nothing where no server is named.
    ///
    /// # Errors
    /// As [`BeaconSource::new`].
    pub fn of(servers: Vec<Url>) -> Result<Option<Arc<Self>>, BeaconError> {
        if servers.is_empty() { Ok(None) } else { Ok(Some(Arc::new(Self::new(servers)?))) }
    }

    /// A round, verified; `None` = it is not emitted yet, by this machine's clock.
    ///
    /// # Errors
    /// [`BeaconError::Unavailable`] when no server gives it.
    pub async fn round(&self, beacon: &Beacon, round: u64) -> Result<Option<BeaconRound>, BeaconError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        if now < beacon.emitted(round).0 {
            return Ok(None);
        }
        let mut recent = self.recent.lock().await;
        if let Some(found) = recent.rounds.get(&round) {
            return Ok(Some(found.clone()));
        }
        if let Some((at, error)) = &recent.failed
            && at.elapsed() < REST
        {
            return Err(error.clone());
        }
        match self.ask_in_turn(beacon, round).await {
            Ok(found) => {
                recent.failed = None;
                recent.rounds.insert(round, found.clone());
                if recent.rounds.len() > ROUNDS_MAX {
                    recent.rounds.pop_first();
                }
                Ok(Some(found))
            }
            Err(error) => {
                recent.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn ask_in_turn(&self, beacon: &Beacon, round: u64) -> Result<BeaconRound, BeaconError> {
        let mut said = Vec::new();
        for server in &self.servers {
            match self.ask(server, beacon, round).await {
                Ok(found) => return Ok(found),
                Err(message) => said.push(format!("{} {message}", server.host_str().unwrap_or("?"))),
            }
        }
        Err(BeaconError::Unavailable { round, message: said.join("; ") })
    }

    async fn ask(&self, server: &Url, beacon: &Beacon, round: u64) -> Result<BeaconRound, String> {
        let base = server.as_str().trim_end_matches('/');
        let url = format!("{base}/{}/public/{round}", alloy::hex::encode(beacon.chain_hash));
        let unreachable = |error: reqwest::Error| match error.is_timeout() {
            true => format!("did not answer within {} s", ANSWER_WITHIN.as_secs()),
            false => format!("does not answer: {}", error.without_url()),
        };
        let mut response = self.http.get(url).send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(format!("answered with status {}", response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(format!("answered with more than {MAX_ANSWER_BYTES} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|error| format!("gave no beacon round: {error}"))?;
        if answer.round != round {
            return Err(format!("gave round {}", answer.round));
        }
        let verified = beacon.verify(round, &answer.signature);
        verified.ok_or_else(|| "gave a signature that is not the beacon's".to_owned())
    }
}
