//! What the fuzz targets do with bytes: read them as somebody outside would send them, and hold what must hold of whatever is read.
//!
//! A target fails by a panic, by more memory than its limit, or by taking longer than its time. Knows nothing of how the bytes
//! are made.

use std::fmt::Debug;

use alloy_primitives::{Address, B256};
use alloy_sol_types::{SolStruct, SolValue};
use guildhall_api::{
    About, Bundle, Envelope, MemberEvent, OpenContribution, ProgressEvent, RoundState, SignedList,
    sse::SseReader,
};
use guildhall_protocol::{
    AppOrder, DatasetOrder, Manifest, Parcel, PolicyWord, PoolOrder, RequestOrder, RoundId, Signed, Terms,
    messages::{Commitment, Contribution, Reservation, Unavailable, certifier_domain},
    orders::market_domain,
};
use serde::{Serialize, de::DeserializeOwned};

/// JSON of a type: what is read is written and read again as the same.
fn json<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(bytes).ok()?;
    let text = serde_json::to_vec(&value).expect("what was read can be written");
    let again: T = serde_json::from_slice(&text).expect("what was written can be read");
    assert_eq!(value, again);
    Some(value)
}

fn signed<M: SolStruct + DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) {
    if let Some(order) = json::<Signed<M>>(bytes) {
        let domain = market_domain(1, Address::ZERO);
        let _signer = order.signer(&domain);
    }
}

/// Signed orders as JSON, and what goes into calldata of them; terms as the chain has them.
pub fn orders(bytes: &[u8]) {
    signed::<AppOrder>(bytes);
    signed::<DatasetOrder>(bytes);
    signed::<PoolOrder>(bytes);
    signed::<RequestOrder>(bytes);
    if let Ok(order) = RequestOrder::abi_decode_validate(bytes) {
        let _invalid = order.policy.validate();
        let _unpriced = order.deal_id(&market_domain(1, Address::ZERO));
        if order.policy.validate().is_ok() {
            assert_eq!(PolicyWord::pack(&order.policy).unpack().ok().as_ref(), Some(&order.policy));
        }
    }
    if let Ok(terms) = Terms::abi_decode_validate(bytes) {
        let _hash = terms.deal();
        for batch in [0, 1, u32::MAX] {
            let seed = guildhall_protocol::Seed(B256::ZERO);
            let _none = guildhall_api::Round::new(&terms, batch, 0, terms.opened(), seed);
        }
    }
}

fn envelope<M: SolStruct + DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) {
    let _none = json::<Envelope<M>>(bytes);
}

/// Messages between workers and coordinator, as JSON and as streams of events.
pub fn messages(bytes: &[u8]) {
    let domain = certifier_domain(1, Address::ZERO);
    envelope::<Reservation>(bytes);
    envelope::<Commitment>(bytes);
    envelope::<Contribution>(bytes);
    envelope::<Unavailable>(bytes);
    if let Some(contribution) = json::<OpenContribution>(bytes) {
        let _forged = contribution.check(&domain, B256::ZERO);
    }
    if let Some(list) = json::<SignedList>(bytes) {
        let _forged = list.check(Address::ZERO, &domain);
        let _hash = list.hash();
    }
    let _none = serde_json::from_slice::<RoundState>(bytes);
    let _none = serde_json::from_slice::<About>(bytes);
    let _none = serde_json::from_slice::<Vec<RoundId>>(bytes);
    // The same events, however the stream is cut.
    let (mut whole, mut cut) = (SseReader::default(), SseReader::default());
    let events = whole.feed(bytes);
    let mut pieces = Vec::new();
    for piece in bytes.chunks(7) {
        match cut.feed(piece) {
            Ok(more) => pieces.extend(more),
            Err(_) => return,
        }
    }
    for event in events.iter().flatten() {
        let _none = serde_json::from_str::<MemberEvent>(&event.data);
        let _none = serde_json::from_str::<ProgressEvent>(&event.data);
    }
    if let Ok(events) = events {
        assert_eq!(events, pieces);
    }
}

/// Result bundles with their receipts, delivery parcels and the chain's logs.
pub fn receipts(bytes: &[u8]) {
    if let Ok(bundle) = Bundle::decode(bytes) {
        assert_eq!(bundle.encode(), bytes, "there is one form");
        if let Ok(batch) = guildhall_protocol::Batch::new(bundle.receipts.clone()) {
            let _root = batch.root();
        }
    }
    if let Ok(parcel) = Parcel::abi_decode_validate(bytes) {
        let _hash = parcel.abi_encode();
    }
}

/// Manifests of a deal's inputs.
pub fn manifests(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert_eq!(manifest.encode(), bytes, "there is one form");
        let last = manifest.task_count() - 1;
        assert!(manifest.task(last).is_some() && manifest.task(last + 1).is_none());
    }
}
