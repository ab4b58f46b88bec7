//! Who opens a stream or stores bytes: signed, expiring, single-use credentials.
//!
//! A credential names the coordinator that it is for, so that one coordinator cannot use it with another, and a nonce
//! that its receiver remembers until the credential expires ([`NonceGuard`]), so that nobody can use it twice.
//! Knows nothing of who may do what: the receiver asks the chain about the signer.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::str::FromStr;

use alloy::primitives::{Address, B256, FixedBytes};
use alloy::sol_types::{Eip712Domain, SolStruct, eip712_domain};
use guildhall_protocol::messages::CompactSignature;
use guildhall_protocol::{ContentId, PoolId};
use guildhall_service::Coded;

/// Name of the EIP-712 domain of credentials: apart from the contracts' own, so that none is ever a message to them.
pub const DOMAIN_NAME: &str = "Guildhall Network";

/// HTTP authentication scheme of the `Authorization` header.
pub const SCHEME: &str = "Guildhall";

/// How far ahead a credential may expire, in seconds: bounds what a receiver must remember.
pub const MAX_LIFETIME_SECS: u64 = 300;

/// Nonces remembered at once by a [`NonceGuard`]; when full, further credentials are refused until some expire.
pub const MAX_NONCES: usize = 65_536;

mod typed {
    #![allow(missing_docs)]

    alloy::sol! {
        struct Hello {
            address audience;
            uint32 pool;
            uint64 expiry;
            bytes32 nonce;
        }

        struct Upload {
            address audience;
            bytes32 contentId;
            uint64 size;
            uint64 expiry;
            bytes32 nonce;
        }
    }
}

/// Why a credential is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no `Authorization` header, or not one of ours.
    #[error("no credential: send `Authorization: {SCHEME} <address>.<expiry>.<nonce>.<signature>`")]
    Missing,
    /// The text is not a credential.
    #[error("the credential does not parse; send `<address>.<expiry>.<nonce>.<signature>`")]
    Malformed,
    /// Its time is over.
    #[error(
        "the credential expired at {expiry}, now is {now}: sign a new one, and check this machine's clock"
    )]
    Expired {
        /// Unix seconds until which it was good.
        expiry: u64,
        /// The receiver's clock, Unix seconds.
        now: u64,
    },
    /// It would be good for too long.
    #[error(
        "the credential expires at {expiry}, more than {MAX_LIFETIME_SECS} s after {now}: sign a shorter one"
    )]
    TooLong {
        /// Unix seconds until which it would be good.
        expiry: u64,
        /// The receiver's clock, Unix seconds.
        now: u64,
    },
    /// The signature is not the named signer's over this purpose.
    #[error("the signature is not {signer}'s over this request: check chain, certifier, coordinator and key")]
    WrongSignature {
        /// Who was said to have signed.
        signer: Address,
    },
    /// The nonce was used before.
    #[error("the credential was used before: sign one with a new nonce")]
    Replayed,
    /// Too many unexpired nonces are remembered.
    #[error("too many credentials at once: try again in {MAX_LIFETIME_SECS} s")]
    Busy,
}

impl Coded for AuthError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "auth.missing",
            Self::Malformed => "auth.malformed",
            Self::Expired { .. } => "auth.expired",
            Self::TooLong { .. } => "auth.too_long",
            Self::WrongSignature { .. } => "auth.wrong_signature",
            Self::Replayed => "auth.replayed",
            Self::Busy => "auth.busy",
        }
    }
}

/// Where credentials are good: one chain, one set of contracts, one coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audience {
    /// Chain id.
    pub chain: u64,
    /// The Certifier contract.
    pub certifier: Address,
    /// The coordinator's key.
    pub coordinator: Address,
}

impl Audience {
    fn domain(&self) -> Eip712Domain {
        eip712_domain! {
            name: DOMAIN_NAME,
            version: "1",
            chain_id: self.chain,
            verifying_contract: self.certifier,
        }
    }

    fn digest(&self, purpose: &Purpose, expiry: u64, nonce: B256) -> B256 {
        match *purpose {
            Purpose::Stream { pool } => {
                typed::Hello { audience: self.coordinator, pool: pool.0, expiry, nonce }
                    .eip712_signing_hash(&self.domain())
            }
            Purpose::Upload { content_id, size } => {
                typed::Upload { audience: self.coordinator, contentId: content_id.0, size, expiry, nonce }
                    .eip712_signing_hash(&self.domain())
            }
        }
    }
}

/// What a credential allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To open the members' stream of a pool.
    Stream {
        /// The pool.
        pool: PoolId,
    },
    /// To store these bytes.
    Upload {
        /// BLAKE3 of the bytes.
        content_id: ContentId,
        /// Their number.
        size: u64,
    },
}

/// A signed, expiring, single-use credential; travels as `Authorization: Guildhall <text>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// Who signed.
    pub signer: Address,
    /// Unix seconds until which it is good.
    pub expiry: u64,
    /// Random, used once.
    pub nonce: B256,
    /// Over the purpose's typed data.
    pub signature: CompactSignature,
}

impl Credential {
    /// Signs a credential that is good until `expiry` (Unix seconds), with a fresh random nonce.
    ///
    /// # Errors
    /// What `sign` returns: a local key never fails, a remote one may.
    pub fn sign<E>(
        audience: &Audience,
        purpose: &Purpose,
        signer: Address,
        expiry: u64,
        sign: impl FnOnce(&B256) -> Result<CompactSignature, E>,
    ) -> Result<Self, E> {
        let nonce = B256::random();
        let signature = sign(&audience.digest(purpose, expiry, nonce))?;
        Ok(Self { signer, expiry, nonce, signature })
    }

    /// Checks time and signature; `now` in Unix seconds. The nonce is the [`NonceGuard`]'s to check, after this.
    ///
    /// # Errors
    /// [`AuthError::Expired`], [`AuthError::TooLong`], [`AuthError::WrongSignature`].
    pub fn verify(&self, audience: &Audience, purpose: &Purpose, now: u64) -> Result<(), AuthError> {
        if self.expiry <= now {
            return Err(AuthError::Expired { expiry: self.expiry, now });
        }
        if self.expiry - now > MAX_LIFETIME_SECS {
            return Err(AuthError::TooLong { expiry: self.expiry, now });
        }
        let digest = audience.digest(purpose, self.expiry, self.nonce);
        if self.signature.check(digest, self.signer).is_err() {
            return Err(AuthError::WrongSignature { signer: self.signer });
        }
        Ok(())
    }

    /// The value of the `Authorization` header.
    pub fn header(&self) -> String {
        format!("{SCHEME} {self}")
    }

    /// Reads the value of an `Authorization` header.
    ///
    /// # Errors
    /// [`AuthError::Missing`] for none or another scheme, [`AuthError::Malformed`] for ours with something else in it.
    pub fn from_header(value: Option<&str>) -> Result<Self, AuthError> {
        let (scheme, text) = value.and_then(|value| value.split_once(' ')).ok_or(AuthError::Missing)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(AuthError::Missing);
        }
        text.parse()
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}.{}.{:#x}.{}", self.signer, self.expiry, self.nonce, self.signature)
    }
}

impl FromStr for Credential {
    type Err = AuthError;

    fn from_str(text: &str) -> Result<Self, AuthError> {
        let mut parts = text.trim().splitn(4, '.');
        let mut next = || parts.next().ok_or(AuthError::Malformed);
        let (signer, expiry, nonce, signature) = (next()?, next()?, next()?, next()?);
        Ok(Self {
            signer: signer.parse().map_err(|_| AuthError::Malformed)?,
            expiry: expiry.parse().map_err(|_| AuthError::Malformed)?,
            nonce: nonce.parse().map_err(|_| AuthError::Malformed)?,
            signature: signature.parse::<FixedBytes<64>>().map_err(|_| AuthError::Malformed)?.0.into(),
        })
    }
}

/// Remembers the nonces of unexpired credentials, at most [`MAX_NONCES`].
///
/// In memory: after a restart a credential could be used once more within its lifetime. That opens a second stream of
/// public-to-members data or stores the same bytes again, neither of which is worth a write to disk.
#[derive(Debug, Default)]
pub struct NonceGuard {
    seen: HashSet<(Address, B256)>,
    by_expiry: BTreeSet<(u64, Address, B256)>,
}

impl NonceGuard {
    /// Takes the nonce of a verified credential; `now` in Unix seconds.
    ///
    /// # Errors
    /// [`AuthError::Replayed`] the second time, [`AuthError::Busy`] when too many are remembered.
    pub fn take(&mut self, credential: &Credential, now: u64) -> Result<(), AuthError> {
        while let Some(&(expiry, signer, nonce)) = self.by_expiry.first() {
            if expiry >= now {
                break;
            }
            self.by_expiry.pop_first();
            self.seen.remove(&(signer, nonce));
        }
        if self.seen.contains(&(credential.signer, credential.nonce)) {
            return Err(AuthError::Replayed);
        }
        if self.seen.len() >= MAX_NONCES {
            return Err(AuthError::Busy);
        }
        self.seen.insert((credential.signer, credential.nonce));
        self.by_expiry.insert((credential.expiry, credential.signer, credential.nonce));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloy::signers::{SignerSync, local::PrivateKeySigner};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn audience() -> Audience {
        Audience { chain: 31337, certifier: Address::repeat_byte(1), coordinator: Address::repeat_byte(2) }
    }

    fn sign(purpose: &Purpose, expiry: u64) -> Credential {
        let key = PrivateKeySigner::random();
        Credential::sign(&audience(), purpose, key.address(), expiry, |digest| {
            key.sign_hash_sync(digest).map(CompactSignature::from)
        })
        .expect("local key")
    }

    #[test]
    fn a_good_credential_passes_once() {
        let purpose = Purpose::Stream { pool: PoolId(3) };
        let credential = sign(&purpose, NOW + 60);
        let parsed = Credential::from_header(Some(&credential.header())).expect("own header");
        assert_eq!(parsed, credential);
        assert_eq!(parsed.verify(&audience(), &purpose, NOW), Ok(()));
        let mut guard = NonceGuard::default();
        assert_eq!(guard.take(&parsed, NOW), Ok(()));
        assert_eq!(guard.take(&parsed, NOW), Err(AuthError::Replayed));
        assert!(guard.take(&sign(&purpose, NOW + 120), NOW + 61).is_ok());
        assert_eq!(guard.seen.len(), 1, "what expired is forgotten");
    }

    #[test]
    fn refused_for_another_purpose_audience_or_time() {
        let purpose = Purpose::Upload { content_id: ContentId(B256::repeat_byte(9)), size: 5 };
        let credential = sign(&purpose, NOW + 60);
        let wrong = Err(AuthError::WrongSignature { signer: credential.signer });
        let other_size = Purpose::Upload { content_id: ContentId(B256::repeat_byte(9)), size: 6 };
        assert_eq!(credential.verify(&audience(), &other_size, NOW), wrong);
        assert_eq!(credential.verify(&audience(), &Purpose::Stream { pool: PoolId(0) }, NOW), wrong);
        let other = Audience { coordinator: Address::repeat_byte(8), ..audience() };
        assert_eq!(credential.verify(&other, &purpose, NOW), wrong);
        let other_chain = Audience { chain: 1, ..audience() };
        assert_eq!(credential.verify(&other_chain, &purpose, NOW), wrong);
        assert!(matches!(credential.verify(&audience(), &purpose, NOW + 60), Err(AuthError::Expired { .. })));
        assert!(matches!(
            credential.verify(&audience(), &purpose, NOW - MAX_LIFETIME_SECS),
            Err(AuthError::TooLong { .. })
        ));
    }

    #[test]
    fn malformed_headers_are_named() {
        assert_eq!(Credential::from_header(None), Err(AuthError::Missing));
        assert_eq!(Credential::from_header(Some("Bearer x")), Err(AuthError::Missing));
        assert_eq!(Credential::from_header(Some("Guildhall x")), Err(AuthError::Malformed));
        assert_eq!(Credential::from_header(Some("Guildhall 0x00.1.2.3")), Err(AuthError::Malformed));
    }
}
