//! The signed messages of a round, as they travel between workers and their coordinator.
//!
//! What is signed is EIP-712 typed data in the Certifier's domain (`docs/encoding.md` section 1), so what convinces the
//! coordinator convinces the contract. Around it travels what the receiver needs to find the round before it can check
//! anything. Knows nothing of who holds a seat: the coordinator asks the chain.

use alloy::primitives::{Address, B256};
use alloy::sol_types::{Eip712Domain, SolStruct};
pub use guildhall_protocol::certificate::Claim;
use guildhall_protocol::list::{self, List, ListError};
use guildhall_protocol::messages::{
    Commitment, CompactSignature, Contribution, Reservation, RoundList, SignatureError, Signed, Unavailable,
    commitment,
};
use guildhall_protocol::{DealId, Fuel, RoundId};
use guildhall_service::Coded;
use serde::{Deserialize, Serialize};

/// One attempt to certify one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoundRef {
    /// `keccak256(abi(deal, batch, attempt, seed))`.
    pub id: RoundId,
    /// The deal.
    pub deal: DealId,
    /// The batch in the deal, from zero.
    pub batch: u32,
    /// The draw of the lot, from zero.
    pub attempt: u8,
}

impl RoundRef {
    /// Log lines about this round carry its deal, batch, attempt and id, the same fields in every role. At the level of errors, so
    /// that every line that is written has them.
    pub fn span(&self) -> tracing::Span {
        tracing::error_span!(
            parent: None, "round", deal = %self.deal, batch = self.batch, attempt = self.attempt, round = %self.id
        )
    }
}

/// What every typed message of a round says: of which round and wave it speaks.
pub trait OfRound: SolStruct + Copy + PartialEq {
    /// The round's id.
    fn round_id(&self) -> RoundId;
    /// The wave.
    fn wave(&self) -> u8;
}

macro_rules! of_round {
    ($($name:ident),*) => {$(
        impl OfRound for $name {
            fn round_id(&self) -> RoundId {
                RoundId(self.roundId)
            }

            fn wave(&self) -> u8 {
                self.wave
            }
        }
    )*};
}
of_round!(Reservation, Commitment, Contribution, Unavailable, RoundList);

/// Why a message or a list proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It is signed for another round than it is sent for.
    #[error(
        "the message is signed for round {signed}, but sent for round {sent}: sign it for the round it is sent to"
    )]
    OtherRound {
        /// The round in the typed data.
        signed: RoundId,
        /// The round around it.
        sent: RoundId,
    },
    /// The signature is not the worker's, or the coordinator's.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Root, fuel and own trace do not open the worker's commitment.
    #[error(
        "the contribution does not open the commitment {committed}: send root, fuel and own trace root as committed"
    )]
    NotCommitted {
        /// What was committed.
        committed: B256,
    },
    /// The entries make no list.
    #[error(transparent)]
    List(#[from] ListError),
    /// The entries are not in their order, or the signed hash is not theirs.
    #[error("the signed list hash is {signed}, the entries in order make {computed}: the list was changed")]
    ListHash {
        /// The hash that is signed.
        signed: B256,
        /// The hash of the entries.
        computed: B256,
    },
}

impl Coded for MessageError {
    fn code(&self) -> &'static str {
        match self {
            Self::OtherRound { .. } => "message.other_round",
            Self::Signature(error) => error.code(),
            Self::NotCommitted { .. } => "message.not_committed",
            Self::List(error) => error.code(),
            Self::ListHash { .. } => "message.list_hash",
        }
    }
}

/// A worker's typed message with its signature, and what finds its round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<M> {
    /// The round.
    pub round: RoundRef,
    /// Who says to have signed.
    pub worker: Address,
    /// The message.
    #[serde(flatten)]
    pub signed: Signed<M>,
}

impl<M: OfRound> Envelope<M> {
    /// The wave that the message speaks of.
    pub fn wave(&self) -> u8 {
        self.signed.message.wave()
    }

    /// Checks round and signature.
    ///
    /// # Errors
    /// [`MessageError::OtherRound`], [`MessageError::Signature`].
    pub fn check(&self, domain: &Eip712Domain) -> Result<(), MessageError> {
        let signed = self.signed.message.round_id();
        if signed != self.round.id {
            return Err(MessageError::OtherRound { signed, sent: self.round.id });
        }
        Ok(self.signed.check(domain, self.worker)?)
    }
}

/// A contribution, with what opens the worker's commitment beside the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenContribution {
    /// The signed claim.
    #[serde(flatten)]
    pub envelope: Envelope<Contribution>,
    /// Root over the worker's own traces; not in the typed data because the commitment binds it.
    pub own_trace_root: B256,
}

impl OpenContribution {
    /// The claim.
    pub fn claim(&self) -> Claim {
        let message = &self.envelope.signed.message;
        Claim { root: message.root, fuel: Fuel(message.fuel) }
    }

    /// Checks round, signature, and that it opens `committed`.
    ///
    /// # Errors
    /// [`MessageError::OtherRound`], [`MessageError::Signature`], [`MessageError::NotCommitted`].
    pub fn check(&self, domain: &Eip712Domain, committed: B256) -> Result<(), MessageError> {
        self.envelope.check(domain)?;
        self.check_opens(committed)
    }

    /// Checks that it opens `committed`, and nothing else: for whoever has checked the envelope.
    ///
    /// # Errors
    /// [`MessageError::NotCommitted`].
    pub fn check_opens(&self, committed: B256) -> Result<(), MessageError> {
        let Claim { root, fuel } = self.claim();
        let opened =
            commitment(self.envelope.worker, self.envelope.round.id, root, fuel, self.own_trace_root);
        if opened == committed { Ok(()) } else { Err(MessageError::NotCommitted { committed }) }
    }
}

/// One line of a wave's list, with what stands behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedEntry {
    /// The worker.
    pub worker: Address,
    /// Its commitment; zero where it signed "unavailable".
    pub commitment: B256,
    /// The worker's signature over its [`Commitment`] or [`Unavailable`].
    pub signature: CompactSignature,
}

impl SignedEntry {
    /// Checks the worker's signature over what the line says.
    ///
    /// # Errors
    /// [`MessageError::Signature`].
    pub fn check(&self, round: RoundId, wave: u8, domain: &Eip712Domain) -> Result<(), MessageError> {
        let digest = if self.commitment.is_zero() {
            Unavailable { roundId: round.0, wave }.eip712_signing_hash(domain)
        } else {
            Commitment { roundId: round.0, wave, commitment: self.commitment }.eip712_signing_hash(domain)
        };
        Ok(self.signature.check(digest, self.worker)?)
    }

    /// The line as the list's hash has it.
    pub fn entry(&self, wave: u8) -> list::ListEntry {
        list::ListEntry { wave, worker: self.worker, commitment: self.commitment }
    }
}

/// The closed list of one wave, signed by the coordinator: nobody can be added or dropped any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedList {
    /// The round.
    pub round: RoundRef,
    /// What it goes on from: the hash of the wave before, or of what stands on the chain; zero for neither.
    pub before: B256,
    /// The lines of this wave, by worker in ascending order.
    pub entries: Vec<SignedEntry>,
    /// Wave and hash, by the coordinator.
    #[serde(flatten)]
    pub signed: Signed<RoundList>,
}

impl SignedList {
    /// The wave that it closes.
    pub fn wave(&self) -> u8 {
        self.signed.message.wave
    }

    /// The hash over this wave and those before.
    pub fn hash(&self) -> B256 {
        self.signed.message.listHash
    }

    /// This worker's line.
    pub fn entry(&self, worker: Address) -> Option<&SignedEntry> {
        self.entries.iter().find(|entry| entry.worker == worker)
    }

    /// The hash that these lines make after `before`.
    ///
    /// # Errors
    /// [`ListError`] for a worker listed twice, too many entries, or a wave that rounds do not have.
    pub fn hash_of(before: B256, wave: u8, entries: &[SignedEntry]) -> Result<B256, ListError> {
        Ok(List::new(entries.iter().map(|entry| entry.entry(wave)).collect())?.hash(before, wave))
    }

    /// Checks everything: round, the coordinator's signature, order and hash of the lines, and each worker's signature.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn check(&self, coordinator: Address, domain: &Eip712Domain) -> Result<(), MessageError> {
        let signed = self.signed.message.round_id();
        if signed != self.round.id {
            return Err(MessageError::OtherRound { signed, sent: self.round.id });
        }
        self.signed.check(domain, coordinator)?;
        let computed = Self::hash_of(self.before, self.wave(), &self.entries)?;
        if computed != self.hash() || !self.entries.is_sorted_by_key(|entry| entry.worker) {
            return Err(MessageError::ListHash { signed: self.hash(), computed });
        }
        self.entries.iter().try_for_each(|entry| entry.check(self.round.id, self.wave(), domain))
    }
}

/// The answer to an accepted message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ack {
    /// New, and durable where it has to be.
    Accepted,
    /// Known before; nothing changed.
    Known,
    /// To a reservation: all seats wanted are taken, or this wave's list is closed. A `vacant` event says when to ask again.
    Full,
}

#[cfg(test)]
mod tests {
    use alloy::primitives::keccak256;
    use alloy::signers::{SignerSync, local::PrivateKeySigner};
    use guildhall_protocol::messages::certifier_domain;

    use super::*;

    fn domain() -> Eip712Domain {
        certifier_domain(31337, Address::repeat_byte(1))
    }

    fn round() -> RoundRef {
        RoundRef {
            id: RoundId(B256::repeat_byte(3)),
            deal: DealId(B256::repeat_byte(4)),
            batch: 5,
            attempt: 0,
        }
    }

    fn sign<M: OfRound>(key: &PrivateKeySigner, message: M) -> Signed<M> {
        let digest = message.eip712_signing_hash(&domain());
        Signed { message, signature: key.sign_hash_sync(&digest).expect("local key").into() }
    }

    fn contribution(key: &PrivateKeySigner) -> OpenContribution {
        let message = Contribution {
            roundId: round().id.0,
            wave: 0,
            root: keccak256("root"),
            fuel: 7,
            listHash: keccak256("list"),
        };
        let envelope = Envelope { round: round(), worker: key.address(), signed: sign(key, message) };
        OpenContribution { envelope, own_trace_root: keccak256("own") }
    }

    fn list(coordinator: &PrivateKeySigner, keys: &[PrivateKeySigner]) -> SignedList {
        let mut entries: Vec<_> = keys
            .iter()
            .map(|key| {
                let commitment = keccak256(key.address());
                let signed = sign(key, Commitment { roundId: round().id.0, wave: 1, commitment });
                SignedEntry { worker: key.address(), commitment, signature: signed.signature }
            })
            .collect();
        entries.sort_by_key(|entry| entry.worker);
        let before = keccak256("before");
        let hash = SignedList::hash_of(before, 1, &entries).expect("small list");
        let message = RoundList { roundId: round().id.0, wave: 1, listHash: hash };
        SignedList { round: round(), before, entries, signed: sign(coordinator, message) }
    }

    #[test]
    fn json_round_trips_flat() {
        let sent = contribution(&PrivateKeySigner::random());
        let json = serde_json::to_value(sent).expect("plain data");
        assert_eq!(json["message"]["fuel"], "7");
        assert_eq!(serde_json::from_value::<OpenContribution>(json).expect("own json"), sent);
        let sent = list(&PrivateKeySigner::random(), &[PrivateKeySigner::random()]);
        let json = serde_json::to_string(&sent).expect("plain data");
        assert_eq!(serde_json::from_str::<SignedList>(&json).expect("own json"), sent);
    }

    #[test]
    fn a_contribution_must_be_signed_for_its_round_and_open_its_commitment() {
        let key = PrivateKeySigner::random();
        let good = contribution(&key);
        let committed = commitment(key.address(), round().id, keccak256("root"), Fuel(7), keccak256("own"));
        assert_eq!(good.check(&domain(), committed), Ok(()));
        let not_committed = OpenContribution { own_trace_root: B256::ZERO, ..good };
        assert_eq!(not_committed.check(&domain(), committed), Err(MessageError::NotCommitted { committed }));
        let mut changed = good;
        changed.envelope.signed.message.fuel = 8;
        assert!(matches!(changed.check(&domain(), committed), Err(MessageError::Signature(_))));
        let mut moved = good;
        moved.envelope.round.id = RoundId(B256::ZERO);
        assert!(matches!(moved.check(&domain(), committed), Err(MessageError::OtherRound { .. })));
        let other_chain = certifier_domain(1, Address::repeat_byte(1));
        assert!(matches!(good.check(&other_chain, committed), Err(MessageError::Signature(_))));
    }

    #[test]
    fn nobody_can_be_added_to_a_list_dropped_moved_or_changed() {
        let coordinator = PrivateKeySigner::random();
        let keys: Vec<_> = (0..3).map(|_| PrivateKeySigner::random()).collect();
        let good = list(&coordinator, &keys);
        assert_eq!(good.check(coordinator.address(), &domain()), Ok(()));
        assert!(good.check(keys[0].address(), &domain()).is_err(), "another coordinator");

        let mut dropped = good.clone();
        dropped.entries.pop();
        assert!(matches!(
            dropped.check(coordinator.address(), &domain()),
            Err(MessageError::ListHash { .. })
        ));
        let mut moved = good.clone();
        moved.entries.swap(0, 1);
        assert!(matches!(moved.check(coordinator.address(), &domain()), Err(MessageError::ListHash { .. })));
        let mut twice = good.clone();
        twice.entries[1] = twice.entries[0];
        assert!(matches!(twice.check(coordinator.address(), &domain()), Err(MessageError::List(_))));

        let mut forged = good.clone();
        forged.entries[0].commitment = keccak256("forged");
        let hash = SignedList::hash_of(forged.before, 1, &forged.entries).expect("small list");
        forged.signed = sign(&coordinator, RoundList { listHash: hash, ..forged.signed.message });
        assert!(
            matches!(forged.check(coordinator.address(), &domain()), Err(MessageError::Signature(_))),
            "a line that its worker never signed"
        );
    }
}
