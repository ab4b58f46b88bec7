//! An event as the index keeps it.

use alloy::primitives::B256;
use guildhall_chain::{Event, EventKind};
use guildhall_protocol::DealId;
use serde::{Deserialize, Serialize};

/// Bits of a place that number the log in its block.
const LOG_BITS: u32 = 20;

/// Where an event stands on the chain, as one number that is ordered as the chain is: block, then log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Place(pub i64);

impl Place {
    /// Of a log; numbers that no chain reaches are cut.
    pub fn new(block: u64, log_index: u64) -> Self {
        let block = i64::try_from(block).unwrap_or(i64::MAX).min(i64::MAX >> LOG_BITS);
        let log = i64::try_from(log_index).unwrap_or(i64::MAX).min((1 << LOG_BITS) - 1);
        Self((block << LOG_BITS) | log)
    }

    /// Before every event of a block.
    pub fn start_of(block: u64) -> Self {
        Self::new(block, 0)
    }

    /// The block.
    pub const fn block(self) -> u64 {
        (self.0 >> LOG_BITS).unsigned_abs()
    }

    /// Index of the log in the block.
    pub const fn log_index(self) -> u64 {
        (self.0 & ((1 << LOG_BITS) - 1)).unsigned_abs()
    }
}

/// An event with where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Where.
    pub place: Place,
    /// The transaction.
    pub transaction: B256,
    /// Its name in Solidity.
    pub name: String,
    /// What it says.
    pub kind: EventKind,
}

impl From<Event> for Recorded {
    fn from(event: Event) -> Self {
        let position = event.position;
        Self {
            place: Place::new(position.block.number, position.log_index),
            transaction: position.transaction,
            name: event.name.to_owned(),
            kind: event.kind,
        }
    }
}

impl Recorded {
    /// The deal that it is about, if it is about one.
    pub fn deal(&self) -> Option<DealId> {
        self.kind.deal().map(|(deal, _)| deal)
    }

    /// As bytes: the number of topics, the topics, the data.
    pub fn payload(&self) -> Vec<u8> {
        let log = self.kind.to_log();
        let mut bytes = vec![u8::try_from(log.topics().len()).unwrap_or(u8::MAX)];
        log.topics().iter().for_each(|topic| bytes.extend_from_slice(topic.as_slice()));
        bytes.extend_from_slice(&log.data);
        bytes
    }

    /// Reads what [`Recorded::payload`] wrote; nothing for what this version does not know.
    pub fn read(
        place: Place,
        transaction: &str,
        name: String,
        contract: &str,
        payload: &[u8],
    ) -> Option<Self> {
        let (count, rest) = payload.split_first()?;
        let (topics, data) = rest.split_at_checked(usize::from(*count) * 32)?;
        let topics: Vec<B256> = topics.chunks_exact(32).map(B256::from_slice).collect();
        let kind = EventKind::from_log(contract, &topics, data)?;
        Some(Self { place, transaction: transaction.parse().ok()?, name, kind })
    }
}

/// What is said of where an event stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The block.
    #[serde(with = "guildhall_protocol::units::decimal")]
    pub block: u64,
    /// The transaction.
    pub transaction: B256,
}

impl From<&Recorded> for Seen {
    fn from(event: &Recorded) -> Self {
        Self { block: event.place.block(), transaction: event.transaction }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ordered_as_the_chain_is() {
        let (early, late) = (Place::new(7, 900), Place::new(8, 0));
        assert!(early < late && Place::start_of(8) == late);
        assert_eq!((early.block(), early.log_index()), (7, 900));
        assert!(Place::new(u64::MAX, u64::MAX).0 > 0);
    }

    #[test]
    fn what_is_no_payload_is_nothing() {
        let read = |bytes: &[u8]| Recorded::read(Place(1), "0x", String::new(), "vault", bytes);
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[4, 1, 2]), None);
    }
}
