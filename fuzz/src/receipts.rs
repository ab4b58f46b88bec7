//! Result bundles with their receipts, delivery parcels and certificates.

use alloy_primitives::{B256, keccak256};
use alloy_sol_types::SolValue;
use guildhall_api::{Bundle, bundle::Produced};
use guildhall_protocol::{Batch, Certificate, Exit, Parcel, Receipt};

use crate::vectors;

/// Reads the bytes as a bundle, as a parcel and as a certificate.
pub fn check(bytes: &[u8]) {
    if let Ok(bundle) = Bundle::decode(bytes) {
        assert_eq!(bundle.encode(), bytes, "there is one form");
        assert_eq!(Bundle::receipts_of(bytes).ok(), Some(bundle.receipts.clone()), "the same receipts");
        for (position, output) in bundle.outputs.iter().enumerate() {
            let inline = bundle.inline_output(position);
            assert_eq!(inline.is_some(), matches!(output, guildhall_api::bundle::Output::Inline(_)));
        }
        if let Ok(batch) = Batch::new(bundle.receipts.clone()) {
            let _root = batch.root();
        }
    }
    let _maybe_without_outputs = Bundle::receipts_of(bytes);
    if let Ok(parcel) = Parcel::abi_decode_validate(bytes) {
        assert_eq!(parcel.abi_encode(), bytes[..parcel.abi_encode().len()], "words are as they were");
    }
    if let Ok(certificate) = Certificate::abi_decode_validate(bytes) {
        let _hash = certificate.hash();
    }
}

/// Bundles of no, one and some tasks; the vectors' parcels and certificates.
pub fn seeds() -> Vec<Vec<u8>> {
    const VECTORS: &str = include_str!("../../vectors/contributions.json");
    let bundle = |tasks: u32| {
        let receipt = |index| Receipt {
            index,
            exit: Exit::Ok,
            fuel: 1_000,
            output_digest: keccak256(output(index)),
            trace_digest: B256::repeat_byte(9),
        };
        let outputs = (0..tasks).map(|index| Produced::Bytes(output(index))).collect();
        Bundle::build((0..tasks).map(receipt).collect(), outputs).expect("a small batch").encode()
    };
    let mut seeds: Vec<_> = [0, 1, 5].map(bundle).into();
    for list in ["parcels", "certificates"] {
        seeds.extend(vectors(VECTORS, list).into_iter().map(Vec::from));
    }
    seeds
}

fn output(index: u32) -> Vec<u8> {
    vec![b'x'; index as usize]
}
