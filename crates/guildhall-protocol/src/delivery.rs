//! Deliveries: what a transaction brings to the chain so that one task's result reaches the deal's callback.
//!
//! Knows neither the transaction nor the callback: it packs words (`docs/encoding.md` section 7).

use alloy_primitives::{B256, U256, keccak256};
use alloy_sol_types::{SolValue, sol};

use crate::{batch::ReceiptProof, certificate::Certificate, policy::Packer, terms::Terms};

sol! {
    /// What a delivery brings of a certificate, of its deal's terms and of a receipt, packed: calldata is most of what a
    /// delivery costs (EIP-7623). The Certifier unpacks it and compares hashes.
    #[derive(Copy, Debug, PartialEq, Eq)]
    struct Parcel {
        /// The deal.
        bytes32 dealId;
        /// Root of the batch's tree of receipts.
        bytes32 root;
        /// batch 32 | attempt 8 | seats 8 | evidence 8 | seedKind 8 | fuel 64 | certifiedAt 64 | finalAt 64.
        uint256 facts;
        /// odds 128 | stake 96.
        uint256 backing;
        /// The requester's policy in one word.
        uint256 policy;
        /// Hash of the certificate's members.
        bytes32 members;
        /// Who ordered.
        address requester;
        /// Number of the app.
        uint256 app;
        /// Number of the dataset, or 0.
        uint256 dataset;
        /// Content id of the inputs' manifest.
        bytes32 inputs;
        /// callback 160 | callbackGas 32 | pool 32.
        uint256 callback;
        /// taskCount 32 | batchSize 32 | deliveryTip 96.
        uint256 sizes;
        /// Of the receipt: index 32 | exit 8 | fuel 64 | cumulativeFuel 64.
        uint256 run;
        /// The receipt's digest of the trace; that of the output follows from the output.
        bytes32 traceDigest;
    }
}

/// The words of the terms that a delivery needs, as they lie in a [`Parcel`].
fn words(terms: &Terms) -> (U256, U256) {
    let callback = U256::from_be_slice(terms.callback.as_slice())
        | U256::from(terms.callbackGas) << 160
        | U256::from(terms.pool) << 192;
    let sizes =
        U256::from(terms.taskCount) | U256::from(terms.batchSize) << 32 | U256::from(terms.deliveryTip) << 64;
    (callback, sizes)
}

/// `keccak256` of what a delivery needs of the terms: a certificate carries it, so that a delivery need not bring the
/// terms whole and the chain need not look them up.
pub fn delivery_hash(terms: &Terms) -> B256 {
    let (callback, sizes) = words(terms);
    keccak256((terms.requester, terms.app, terms.dataset, terms.inputs, callback, sizes).abi_encode())
}

impl Parcel {
    /// The parcel of one task: the chain takes it if the three belong together.
    pub fn new(terms: &Terms, certificate: &Certificate, receipt: &ReceiptProof) -> Self {
        let (callback, sizes) = words(terms);
        let mut facts = Packer::default();
        facts.put(certificate.batch.into(), 32);
        for byte in [certificate.attempt, certificate.seats, certificate.evidence, certificate.seedKind] {
            facts.put(byte.into(), 8);
        }
        for long in [certificate.fuel, certificate.certifiedAt, certificate.finalAt] {
            facts.put(long.into(), 64);
        }
        let mut backing = Packer::default();
        backing.put(certificate.odds, 128);
        backing.put(certificate.stake.to(), 96);
        let mut run = Packer::default();
        run.put(receipt.receipt.index.into(), 32);
        run.put(receipt.receipt.exit.code().into(), 8);
        run.put(receipt.receipt.fuel.into(), 64);
        run.put(receipt.cumulative_fuel.0.into(), 64);
        Self {
            dealId: certificate.dealId,
            root: certificate.root,
            facts: facts.word,
            backing: backing.word,
            policy: certificate.policy,
            members: certificate.members,
            requester: terms.requester,
            app: terms.app,
            dataset: terms.dataset,
            inputs: terms.inputs,
            callback,
            sizes,
            run: run.word,
            traceDigest: receipt.receipt.trace_digest,
        }
    }
}
