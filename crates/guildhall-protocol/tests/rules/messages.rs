//! Messages of a round and its list: nobody listed twice, nobody dropped, nobody signs two claims unpunished.

use alloy::signers::{SignerSync, local::PrivateKeySigner};
use alloy_primitives::{Address, B256, U256, hex, keccak256};
use alloy_sol_types::{Eip712Domain, SolStruct};
use guildhall_protocol::{
    CompactSignature, Fuel, List, ListEntry, LogItem, OperatorId, RoundId, Signed,
    list::{ENTRIES_MAX, ListError},
    log::log_hash,
    messages::{Contribution, RoundList, SignatureError, certifier_domain, commitment, equivocator},
    own_trace_key, task_seed,
};
use proptest::prelude::*;

use crate::samples::{address, words};

fn entries() -> impl Strategy<Value = Vec<ListEntry>> {
    let entry = (0u8..=2, any::<u8>(), words());
    prop::collection::btree_map(any::<u8>(), entry, 0..20).prop_map(|all| {
        all.into_iter()
            .map(|(worker, (wave, _, commitment))| ListEntry { wave, worker: address(worker), commitment })
            .collect()
    })
}

/// Halves of a signature: any, and those at the edges of the curve's order.
fn halves() -> impl Strategy<Value = B256> {
    // SEC 2: the order of secp256k1, and half of it.
    let order = U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    let edges = [U256::ZERO, U256::ONE, order >> 1, order - U256::ONE, order, order + U256::ONE];
    let flip = |half: B256| half | B256::from(U256::ONE << 255);
    let edge = prop::sample::select(edges.map(B256::from).to_vec());
    prop_oneof![words(), edge.clone(), edge.prop_map(flip)]
}

proptest! {
    #[test]
    fn who_signed_is_found_as_other_implementations_find_it(key in words(), digest in words(), r in halves(), vs in halves()) {
        let other = |signature: CompactSignature| {
            let signature = alloy_primitives::Signature::from_erc2098(&signature.to_bytes());
            signature.recover_address_from_prehash(&digest).ok()
        };
        let made = CompactSignature { r, vs };
        prop_assert_eq!(made.signer(digest).ok(), other(made));
        let Ok(key) = PrivateKeySigner::from_bytes(&key) else { return Ok(()) };
        let signed = CompactSignature::from(key.sign_hash_sync(&digest).unwrap());
        prop_assert_eq!(signed.signer(digest), Ok(key.address()));
        prop_assert_eq!(other(signed), Some(key.address()));
    }

    #[test]
    fn a_list_does_not_depend_on_arrival(entries in entries().prop_shuffle(), log in words()) {
        let list = List::new(entries.clone()).unwrap();
        prop_assert!(list.entries().is_sorted_by_key(|entry| (entry.wave, entry.worker)));
        let mut arrived = entries;
        arrived.reverse();
        let again = List::new(arrived).unwrap();
        prop_assert_eq!(again.hash(log, 2), list.hash(log, 2));
        let json = serde_json::to_string(&list).unwrap();
        prop_assert_eq!(serde_json::from_str::<List>(&json).unwrap(), list);
    }

    #[test]
    fn adding_dropping_or_changing_an_entry_changes_the_hash(entries in entries(), at: prop::sample::Index, log in words()) {
        prop_assume!(!entries.is_empty());
        let hash = List::new(entries.clone()).unwrap().hash(log, 2);
        let index = at.index(entries.len());
        let mut dropped = entries.clone();
        dropped.remove(index);
        prop_assert_ne!(List::new(dropped).unwrap().hash(log, 2), hash);
        let mut changed = entries.clone();
        changed[index].commitment.0[0] ^= 1;
        prop_assert_ne!(List::new(changed).unwrap().hash(log, 2), hash);
        let mut added = entries;
        added.push(ListEntry { wave: 0, worker: Address::repeat_byte(7), commitment: log });
        prop_assert_ne!(List::new(added).unwrap().hash(log, 2), hash);
    }

    #[test]
    fn a_worker_stands_once(entries in entries(), at: prop::sample::Index, wave in 0u8..=2) {
        prop_assume!(!entries.is_empty());
        let mut twice = entries;
        let worker = twice[at.index(twice.len())].worker;
        twice.push(ListEntry { wave, worker, commitment: B256::ZERO });
        prop_assert_eq!(List::new(twice), Err(ListError::Twice(worker)));
    }

    #[test]
    fn a_wave_that_nobody_joins_keeps_the_hash(entries in entries(), log in words()) {
        let list = List::new(entries).unwrap();
        for wave in 0..=2 {
            let before = if wave == 0 { log } else { list.hash(log, wave - 1) };
            prop_assert_eq!(list.hash(log, wave) == before, list.wave(wave).next().is_none());
        }
    }

    #[test]
    fn hostile_signatures_are_errors(r in words(), vs in words(), digest in words()) {
        let signature = CompactSignature { r, vs };
        if let Ok(signer) = signature.signer(digest) {
            prop_assert_eq!(signature.check(digest, signer), Ok(()));
            prop_assert!(signature.check(digest, address(1)).is_err());
        }
    }
}

fn signed<M: SolStruct>(key: u8, domain: &Eip712Domain, message: M) -> Signed<M> {
    let key = PrivateKeySigner::from_bytes(&B256::repeat_byte(key)).unwrap();
    let signature = key.sign_hash_sync(&message.eip712_signing_hash(domain)).unwrap();
    Signed { message, signature: signature.into() }
}

#[test]
fn a_signature_is_for_one_chain_and_contract() {
    let domain = certifier_domain(1, address(9));
    let message = RoundList { roundId: B256::repeat_byte(1), wave: 0, listHash: B256::repeat_byte(2) };
    let list = signed(1, &domain, message);
    let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).unwrap().address();
    assert_eq!(list.signer(&domain), Ok(signer));
    assert_eq!(list.check(&domain, signer), Ok(()));
    for other in [certifier_domain(2, address(9)), certifier_domain(1, address(8))] {
        assert!(matches!(list.check(&other, signer), Err(SignatureError::Signer { .. })));
    }
}

#[test]
fn equivocation_needs_two_different_messages_of_one_signer() {
    let domain = certifier_domain(1, address(9));
    let claim = |key: u8, round: u8, root: u8| {
        let (round, root) = (B256::repeat_byte(round), B256::repeat_byte(root));
        signed(key, &domain, Contribution { roundId: round, wave: 0, root, fuel: 1, listHash: B256::ZERO })
    };
    let signer = claim(1, 1, 1).signer(&domain).unwrap();
    assert_eq!(equivocator(&domain, &claim(1, 1, 1), &claim(1, 1, 2)), Some(signer));
    assert_eq!(equivocator(&domain, &claim(1, 1, 1), &claim(1, 1, 1)), None, "the same message twice");
    assert_eq!(equivocator(&domain, &claim(1, 1, 1), &claim(2, 1, 2)), None, "two signers");
    assert_eq!(equivocator(&domain, &claim(1, 1, 1), &claim(1, 2, 2)), None, "two rounds");
}

#[test]
fn a_coordinator_may_sign_one_list_a_wave() {
    let domain = certifier_domain(1, address(9));
    let list = |wave, hash: u8| {
        signed(1, &domain, RoundList { roundId: B256::ZERO, wave, listHash: B256::repeat_byte(hash) })
    };
    assert!(equivocator(&domain, &list(0, 1), &list(0, 2)).is_some());
    assert_eq!(equivocator(&domain, &list(0, 1), &list(1, 2)), None);
}

#[test]
fn lists_are_bounded() {
    let entry = |worker: usize| ListEntry {
        wave: 0,
        worker: Address::from_word(U256::from(worker).into()),
        commitment: B256::ZERO,
    };
    assert!(List::new((0..ENTRIES_MAX).map(entry).collect()).is_ok());
    assert_eq!(List::new((0..=ENTRIES_MAX).map(entry).collect()), Err(ListError::TooMany(65)));
    let late = ListEntry { wave: 3, ..entry(1) };
    assert_eq!(List::new(vec![late]), Err(ListError::Wave { worker: late.worker, wave: 3 }));
}

/// iExec's weakness: a commitment over the bare result falls to guessing. Ours differs for every worker, round and trace.
#[test]
fn a_commitment_can_not_be_copied_or_guessed() {
    let (root, fuel) = (B256::repeat_byte(1), Fuel(5));
    let (round, trace) = (RoundId(B256::repeat_byte(2)), B256::repeat_byte(3));
    let base = commitment(address(1), round, root, fuel, trace);
    let others = [
        commitment(address(2), round, root, fuel, trace),
        commitment(address(1), RoundId(B256::repeat_byte(9)), root, fuel, trace),
        commitment(address(1), round, keccak256("other"), fuel, trace),
        commitment(address(1), round, root, Fuel(6), trace),
        commitment(address(1), round, root, fuel, B256::repeat_byte(4)),
    ];
    assert!(!others.contains(&base));
    assert_ne!(own_trace_key(address(1), round.0, 0), own_trace_key(address(2), round.0, 0));
    assert_ne!(own_trace_key(address(1), round.0, 0), own_trace_key(address(1), round.0, 1));
    assert_ne!(task_seed(B256::ZERO.into(), 0), task_seed(B256::ZERO.into(), 1));
}

proptest! {
    #[test]
    fn a_log_item_survives_its_words(
        worker: [u8; 20], operator: u32, wave: u8, fuel: u64, a in words(), b in words(), word: [u8; 32],
    ) {
        let worker = Address::from(worker);
        let operator = OperatorId(operator);
        for item in [
            LogItem::Commitment { worker, operator, wave, commitment: a },
            LogItem::Reveal { worker, fuel: Fuel(fuel), root: a, own_trace_root: b },
        ] {
            let (word, first, second) = item.pack();
            prop_assert_eq!(LogItem::unpack(word, first, second), Ok(item));
        }
        let word = U256::from_be_bytes(word);
        if let Ok(item) = LogItem::unpack(word, a, b) {
            prop_assert_eq!(item.pack(), (word, a, b));
        }
    }

    #[test]
    fn a_log_is_of_its_round_and_order(round in words(), other in words(), a in words(), b in words()) {
        let item = |commitment| LogItem::Commitment { worker: address(1), operator: OperatorId(1), wave: 0, commitment };
        let (first, second) = (item(a), item(b));
        let hash = |round, items: &[LogItem]| log_hash(RoundId(round), items);
        let both = hash(round, &[first, second]);
        prop_assert_eq!(hash(round, &[]), U256::ZERO);
        prop_assert_eq!((both >> 40) << 40, both);
        prop_assert_ne!(both, hash(other, &[first, second]));
        prop_assert_ne!(both, hash(round, &[second, first]));
        prop_assert_ne!(both, hash(round, &[first]));
    }
}
