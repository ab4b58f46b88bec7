//! What a foreign node says of our contracts: why they refused, what they logged, and what a beacon's server signed.

use std::sync::LazyLock;

use alloy_primitives::{Address, B256, Bytes, LogData, fixed_bytes};
use alloy_sol_types::SolType;
use guildhall_chain::{Beacon, Deployment, EventKind, SeedKind, bindings, events, revert::Revert};
use guildhall_protocol::Terms;

/// Addresses of the contracts whose events are read, one byte each, in the order of [`DEPLOYMENT`].
const CONTRACTS: u8 = 10;
/// The longest text of a refusal that is still one for people.
const TEXT_MAX_CHARS: usize = 16_384;

static DEPLOYMENT: LazyLock<Deployment> = LazyLock::new(|| {
    let at = Address::repeat_byte;
    Deployment {
        chain_id: 1,
        token: at(99),
        vault: at(1),
        registry: at(2),
        workforce: at(3),
        market: at(4),
        certifier: at(5),
        seed: at(6),
        seed_kind: SeedKind::Beacon(Beacon::QUICKNET),
        recourse: at(7),
        court: at(8),
        jury: at(9),
        inquest: at(10),
        block: 0,
    }
});

/// A deal of ten tasks, for events of deals whose terms they don't say.
static TERMS: LazyLock<Terms> = LazyLock::new(|| {
    let nothing = vec![0; <Terms as SolType>::ENCODED_SIZE.expect("words only")];
    let terms = <Terms as SolType>::abi_decode(&nothing).expect("any words are terms");
    Terms { taskCount: 10, batchSize: 10, ..terms }
});

/// The first byte is the contract that logs (zero: a refusal, beyond the contracts: a beacon's signature), the rest what it says.
pub fn check(bytes: &[u8]) {
    let Some((contract, bytes)) = bytes.split_first() else { return };
    match *contract {
        0 => refusal(bytes),
        contract @ 1..=CONTRACTS => logged(Address::repeat_byte(contract), bytes),
        _ => {
            if let Some((round, signature)) = bytes.split_first_chunk() {
                let forged = Beacon::QUICKNET.verify(u64::from_be_bytes(*round), signature);
                assert!(forged.is_none(), "nobody has the beacon's key");
            }
        }
    }
}

fn refusal(bytes: &[u8]) {
    let revert = Revert::decode(&bytes.to_vec().into());
    assert!(revert.text.chars().count() <= TEXT_MAX_CHARS, "{} characters", revert.text.chars().count());
    assert!(!revert.code.is_empty());
}

/// A byte with the number of topics, the topics, the data.
fn logged(address: Address, bytes: &[u8]) {
    let Some((count, bytes)) = bytes.split_first() else { return };
    let topics: Vec<_> = bytes.chunks_exact(32).take(usize::from(*count % 5)).map(B256::from_slice).collect();
    let data = Bytes::copy_from_slice(&bytes[topics.len() * 32..]);
    let Some(data) = LogData::new(topics, data) else { return };
    let log = alloy::rpc::types::Log {
        inner: alloy_primitives::Log { address, data },
        block_hash: Some(B256::ZERO),
        block_number: Some(1),
        transaction_hash: Some(B256::ZERO),
        log_index: Some(0),
        ..Default::default()
    };
    if let Some(event) = events::decode(&DEPLOYMENT, &log) {
        looked_at(&event.kind);
        let deal = event.kind.deal();
        let batch = deal.and_then(|(_, batch)| batch).unwrap_or_default();
        let terms = event.kind.deal_opened().unwrap_or(*TERMS);
        let _certified = events::standing(&terms, &[event.clone(), event], batch);
    }
}

fn looked_at(kind: &EventKind) {
    let _terms = kind.deal_opened().map(|terms| (terms.deal(), terms.opened()));
    let _certified = kind.certified();
    let _case = kind.case_opened().map(|case| case.id());
    let _inquest = kind.inquest_opened();
}

/// A point of the right group that is no signature: the generator.
const GENERATOR: [u8; 48] = fixed_bytes!(
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
)
.0;

/// Each error and each event of the contracts with words of zeros.
pub fn seeds() -> Vec<Vec<u8>> {
    let zeros = [0; 64 * 32];
    let refused = |selector: &[u8; 4]| [&[0], &selector[..], &zeros[..]].concat();
    let mut seeds: Vec<_> = bindings::Certifier::CertifierErrors::SELECTORS.iter().map(refused).collect();
    seeds.extend(bindings::Market::MarketErrors::SELECTORS.iter().map(refused));
    seeds.push([&[0], &[0x08, 0xc3, 0x79, 0xa0][..], &zeros[..]].concat());
    seeds.push([&[0], &[0x4e, 0x48, 0x7b, 0x71][..], &zeros[..36]].concat());
    let mut logs = |contract: u8, selectors: &[[u8; 32]]| {
        for selector in selectors {
            for topics in 1..=4 {
                seeds.push([&[contract, topics], &selector[..], &zeros[..]].concat());
            }
        }
    };
    logs(3, bindings::Workforce::WorkforceEvents::SELECTORS);
    logs(4, bindings::Market::MarketEvents::SELECTORS);
    logs(5, bindings::Certifier::CertifierEvents::SELECTORS);
    logs(7, bindings::Recourse::RecourseEvents::SELECTORS);
    logs(8, bindings::Court::CourtEvents::SELECTORS);
    logs(9, bindings::Jury::JuryEvents::SELECTORS);
    logs(10, bindings::Inquest::InquestEvents::SELECTORS);
    seeds.push([&[CONTRACTS + 1], &[0; 8][..], &GENERATOR].concat());
    seeds
}
