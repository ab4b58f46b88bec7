//! Verifying a result: every step is needed, and names itself when it fails.

use alloy_primitives::{B256, U256, aliases::U96, keccak256};
use guildhall_protocol::{
    Batch, BatchSlot, Certificate, Odds, OnChain, Parcel, Receipt, ReceiptProof, Status, Terms, UnixTime,
    VerifyError, certificate::Step, check_match, delivery_hash, verify_result,
};

use crate::samples::{NOW, facts, offers, receipt};

const OUTPUT: &[u8] = b"the answer";
const INDEX: u32 = 3;

/// A certified batch and one of its results, all of it consistent.
#[derive(Clone)]
struct Result {
    chain: OnChain,
    terms: Terms,
    certificate: Certificate,
    receipt: ReceiptProof,
}

impl Result {
    fn new() -> Self {
        let terms = check_match(&offers(), &facts()).unwrap().terms;
        let output_digest = keccak256(OUTPUT);
        let receipts = (0..5).map(|index| Receipt { output_digest, ..receipt(index) }).collect();
        let batch = Batch::new(receipts).unwrap();
        let certificate = Certificate {
            dealId: terms.dealId,
            batch: 2,
            attempt: 0,
            root: batch.root(),
            fuel: batch.fuel().0,
            odds: 256_000_000,
            stake: U96::ZERO,
            seats: 4,
            evidence: 0,
            seedKind: 1,
            delivery: delivery_hash(&terms),
            policy: terms.policy,
            certifiedAt: NOW + 10,
            finalAt: NOW + 3_610,
            members: B256::ZERO,
        };
        let chain = OnChain {
            deal: terms.hash(),
            batch: BatchSlot::of(&certificate, Status::Provisional),
            now: UnixTime(NOW + 20),
        };
        Self { chain, terms, certificate, receipt: batch.prove(INDEX).unwrap() }
    }

    fn verify(&self, output: &[u8]) -> std::result::Result<guildhall_protocol::Verified, VerifyError> {
        verify_result(&self.chain, &self.terms, &self.certificate, &self.receipt, output)
    }

    /// The step that fails after a change that the chain agrees to.
    fn failing(change: impl FnOnce(&mut Self)) -> Option<Step> {
        let mut result = Self::new();
        change(&mut result);
        result.verify(OUTPUT).err().map(|error| error.step())
    }

    /// Puts the changed terms and certificate on the chain.
    fn accept(&mut self) {
        self.chain.deal = self.terms.hash();
        self.chain.batch = BatchSlot::of(&self.certificate, Status::Provisional);
    }
}

#[test]
fn a_good_result_holds() {
    let result = Result::new();
    let verified = result.verify(OUTPUT).unwrap();
    assert_eq!(
        (verified.task, verified.is_final, verified.odds, verified.seats),
        (23, false, Odds(256_000_000), 4)
    );
    let mut later = result.clone();
    later.chain.now = UnixTime(later.certificate.finalAt);
    assert!(later.verify(OUTPUT).unwrap().is_final);
    let mut done = result;
    done.chain.batch = BatchSlot::of(&done.certificate, Status::Final);
    assert!(done.verify(OUTPUT).unwrap().is_final);
}

#[test]
fn deliveries_do_not_change_what_the_slot_holds() {
    let mut result = Result::new();
    result.chain.batch.0 |= U256::from(0xffff_ffffu32) << 8;
    assert!(result.verify(OUTPUT).is_ok());
}

/// The tip lies above task count and batch size, and is under the certificate's hash as they are.
#[test]
fn a_certificate_binds_the_tip_of_a_delivery() {
    let result = Result::new();
    let mut terms = result.terms;
    terms.deliveryTip = U96::MAX;
    assert_ne!(delivery_hash(&terms), delivery_hash(&result.terms));
    let sizes = |terms| Parcel::new(terms, &result.certificate, &result.receipt).sizes;
    assert_eq!(sizes(&terms), sizes(&result.terms) | U256::from(U96::MAX) << 64);
    assert!(sizes(&result.terms) < U256::ONE << 64);
}

#[test]
fn terms_that_do_not_hash_to_the_deal() {
    assert_eq!(Result::failing(|result| result.terms.fuelLimit += 1), Some(Step::Terms));
}

#[test]
fn a_certificate_that_the_chain_does_not_hold() {
    let changes: [fn(&mut Certificate); 5] = [
        |certificate| certificate.root.0[0] ^= 1,
        |certificate| certificate.odds += 1,
        |certificate| certificate.seats += 1,
        |certificate| certificate.batch = 1,
        |certificate| certificate.finalAt = 0,
    ];
    for change in changes {
        assert_eq!(Result::failing(|result| change(&mut result.certificate)), Some(Step::Certificate));
    }
}

#[test]
fn a_certificate_of_something_else() {
    let changes: [fn(&mut Certificate); 4] = [
        |certificate| certificate.dealId.0[0] ^= 1,
        |certificate| certificate.delivery.0[0] ^= 1,
        |certificate| certificate.policy += U256::ONE,
        |certificate| certificate.batch = 3,
    ];
    for change in changes {
        let step = Result::failing(|result| {
            change(&mut result.certificate);
            result.accept();
        });
        assert_eq!(step, Some(Step::Deal));
    }
}

#[test]
fn a_batch_that_does_not_stand() {
    for status in [Status::Open, Status::Disputed, Status::Reopened, Status::Void, Status::Expired] {
        let step = Result::failing(|result| result.chain.batch = BatchSlot::of(&result.certificate, status));
        assert_eq!(step, Some(Step::Status), "{status:?}");
    }
    assert_eq!(Result::failing(|result| result.chain.batch.0 |= U256::from(0xff)), Some(Step::Status));
}

#[test]
fn a_certificate_below_its_policy() {
    let changes: [fn(&mut Certificate); 3] = [
        |certificate| certificate.odds = 98_999_999,
        |certificate| certificate.seats = 2,
        // The second attempt has to reach four times the odds.
        |certificate| certificate.attempt = 1,
    ];
    for change in changes {
        let step = Result::failing(|result| {
            change(&mut result.certificate);
            result.accept();
        });
        assert_eq!(step, Some(Step::Policy));
    }
}

#[test]
fn a_receipt_of_another_place_or_root() {
    let changes: [fn(&mut ReceiptProof); 4] = [
        |receipt| receipt.receipt.index = 2,
        |receipt| receipt.receipt.fuel += 1,
        |receipt| receipt.cumulative_fuel.0 += 1,
        |receipt| receipt.proof[0] = B256::repeat_byte(1),
    ];
    for change in changes {
        assert_eq!(Result::failing(|result| change(&mut result.receipt)), Some(Step::Receipt));
    }
}

/// iExec's weakness: a result's location is not bound to the certificate. Here the bytes themselves are.
#[test]
fn another_output_is_refused() {
    let error = Result::new().verify(b"a lie").unwrap_err();
    assert_eq!((error.step(), error.code()), (Step::Output, "verify.output"));
    assert!(error.to_string().contains("fetch the output again"), "{error}");
}

#[test]
fn every_step_says_what_it_shows() {
    let mut shown: Vec<_> = Step::ALL.map(Step::shows).to_vec();
    shown.dedup();
    assert_eq!(shown.len(), Step::ALL.len());
}

#[test]
fn slots_have_a_log_until_there_is_a_certificate() {
    let log = U256::from(7) << 40;
    let slot = |status: Status| BatchSlot(log | U256::from(2) << 8 | U256::from(status.code()));
    assert_eq!((slot(Status::Open).log_hash(), slot(Status::Open).attempt()), (Some(log), Some(2)));
    assert_eq!((slot(Status::Expired).log_hash(), slot(Status::Expired).attempt()), (Some(log), None));
    for status in [Status::Provisional, Status::Disputed, Status::Final, Status::Void] {
        assert_eq!((slot(status).log_hash(), slot(status).attempt()), (None, None));
    }
}
