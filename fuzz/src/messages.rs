//! Messages between workers and coordinator: as JSON, as streams of events, and the credential in their header.

use std::fmt::Debug;

use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::{SolStruct, SolType, SolValue};
use guildhall_api::{
    About, Credential, Envelope, MemberEvent, OpenContribution, ProgressEvent, RoundRef, RoundState,
    SignedEntry, SignedList, sse::SseReader,
};
use guildhall_protocol::{
    ContentId, RoundId, Signed,
    messages::{Commitment, Contribution, Reservation, RoundList, Unavailable, certifier_domain},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json as value;

use crate::{json, vectors, written};

/// Reads the bytes as each message, as each answer, and as a stream that comes in pieces.
pub fn check(bytes: &[u8]) {
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
        let _hash = SignedList::hash_of(list.before, list.wave(), &list.entries);
    }
    let _none = json::<RoundState>(bytes);
    let _none = json::<About>(bytes);
    let _none = json::<Vec<RoundId>>(bytes);
    if let Some(credential) =
        str::from_utf8(bytes).ok().and_then(|text| Credential::from_header(Some(text)).ok())
    {
        assert_eq!(Credential::from_header(Some(&credential.header())), Ok(credential));
    }
    stream(bytes);
}

fn envelope<M: SolStruct + DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) {
    let _none = json::<Envelope<M>>(bytes);
}

/// The same events, however the stream is cut.
fn stream(bytes: &[u8]) {
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
        let _none = json::<MemberEvent>(event.data.as_bytes());
        let _none = json::<ProgressEvent>(event.data.as_bytes());
    }
    if let Ok(events) = events {
        assert_eq!(events, pieces);
    }
}

const VECTORS: &str = include_str!("../../vectors/contributions.json");

/// The vectors' messages in envelopes, a list, the answers of a coordinator, and streams of each event.
pub fn seeds() -> Vec<Vec<u8>> {
    let contribution = OpenContribution {
        envelope: enveloped(first::<Contribution>("contributionMessages")),
        own_trace_root: B256::repeat_byte(7),
    };
    let entry = |byte| SignedEntry {
        worker: Address::repeat_byte(byte),
        commitment: B256::repeat_byte(byte - 1),
        signature: Default::default(),
    };
    let message = first::<RoundList>("listMessages");
    let list = SignedList {
        round: round(),
        before: B256::ZERO,
        entries: vec![entry(1), entry(2)],
        signed: Signed { message, signature: Default::default() },
    };
    let mut seeds = vec![
        written(&enveloped(first::<Reservation>("reservationMessages"))),
        written(&enveloped(first::<Commitment>("commitmentMessages"))),
        written(&contribution.envelope),
        written(&enveloped(first::<Unavailable>("unavailableMessages"))),
        written(&contribution),
        written(&list),
        written(&[RoundId(B256::repeat_byte(1))]),
        written(
            &value!({"chain": 1, "certifier": Address::ZERO, "pool": 1, "coordinator": Address::ZERO, "time": 1,
            "connected": 1, "version": "0.1.0"}),
        ),
        written(
            &value!({"round": round(), "wave": 0, "want": 3, "target": "1000000", "odds": "0", "claims": 1,
            "members": [{"worker": Address::ZERO, "operator": 1, "wave": 0, "step": "seated"}], "lists": [B256::ZERO],
            "equivocators": [Address::ZERO], "outcome": {"outcome": "expired"}, "result": ContentId::default()}),
        ),
    ];
    let credential = Credential {
        signer: Address::repeat_byte(1),
        expiry: 1_800_000_000,
        nonce: B256::repeat_byte(2),
        signature: Default::default(),
    };
    seeds.push(credential.header().into_bytes());
    seeds.extend(events(&list, &contribution));
    seeds
}

fn events(list: &SignedList, contribution: &OpenContribution) -> Vec<Vec<u8>> {
    let claim = contribution.claim();
    let certified =
        value!({"outcome": "certified", "claim": claim, "odds": "1000000", "transaction": B256::ZERO});
    let progress = [
        value!({"step": "seated", "worker": Address::ZERO, "wave": 0}),
        value!({"step": "contributed", "worker": Address::ZERO, "claims": 1, "odds": "1000000"}),
        value!({"step": "ended", "outcome": "certified", "claim": claim, "odds": "1", "transaction": B256::ZERO}),
        value!({"step": "missed", "events": 3}),
    ];
    let of_members = [
        value!({"kind": "ready"}),
        value!({"kind": "listed", "list": list}),
        value!({"kind": "contributed", "contribution": contribution}),
        value!({"kind": "vacant", "round": round(), "wave": 1}),
        value!({"kind": "ended", "round": round(), "outcome": certified}),
    ];
    let stepped = progress.into_iter().map(|mut step| {
        step["time"] = 1.into();
        step["round"] = serde_json::to_value(round()).expect("typed");
        step
    });
    let all = of_members.into_iter().chain(stepped);
    all.map(|event| format!(": hello\r\nid: 1\nevent: member\ndata: {event}\n\n").into_bytes()).collect()
}

fn first<M: SolValue + From<<M::SolType as SolType>::RustType>>(list: &str) -> M {
    let encoded: Bytes = vectors(VECTORS, list).swap_remove(0);
    M::abi_decode(&encoded).expect("generated")
}

fn round() -> RoundRef {
    let byte = B256::repeat_byte;
    RoundRef { id: RoundId(byte(1)), deal: guildhall_protocol::DealId(byte(2)), batch: 0, attempt: 0 }
}

fn enveloped<M>(message: M) -> Envelope<M> {
    let signed = Signed { message, signature: Default::default() };
    Envelope { round: round(), worker: Address::repeat_byte(1), signed }
}
