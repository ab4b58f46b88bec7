//! Trees and batches: a proof holds for its leaf at its place, and for nothing else.

use alloy_primitives::B256;
use guildhall_protocol::{
    Batch, Fuel, Receipt, Tree,
    batch::BatchError,
    tree::{self, TreeError},
};
use proptest::prelude::*;

use crate::samples::{receipt, words};

fn leaves() -> impl Strategy<Value = Vec<B256>> {
    prop::collection::vec(words(), 1..40)
}

proptest! {
    #[test]
    fn a_proof_holds_at_its_place_only(leaves in leaves(), at: prop::sample::Index, other in words()) {
        let (count, index) = (leaves.len(), at.index(leaves.len()));
        let tree = Tree::new(leaves.clone()).unwrap();
        let proof = tree.proof(index).unwrap();
        prop_assert_eq!(proof.len(), tree::depth(count));
        prop_assert!(tree::verify(tree.root(), count, index, leaves[index], &proof));
        prop_assert!(!tree::verify(tree.root(), count, index, other, &proof));
        prop_assert!(!tree::verify(other, count, index, leaves[index], &proof));
        for place in (0..count * 2 + 2).filter(|&place| place != index) {
            prop_assert!(!tree::verify(tree.root(), count, place, leaves[index], &proof), "place {}", place);
        }
    }

    #[test]
    fn a_longer_shorter_or_changed_proof_fails(leaves in leaves(), at: prop::sample::Index, word in words()) {
        let (count, index) = (leaves.len(), at.index(leaves.len()));
        let tree = Tree::new(leaves.clone()).unwrap();
        let good = tree.proof(index).unwrap();
        let mut longer = good.clone();
        longer.push(word);
        prop_assert!(!tree::verify(tree.root(), count, index, leaves[index], &longer));
        for level in 0..good.len() {
            prop_assert!(!tree::verify(tree.root(), count, index, leaves[index], &good[..level]));
            let mut changed = good.clone();
            changed[level] = word;
            prop_assert!(!tree::verify(tree.root(), count, index, leaves[index], &changed));
        }
    }

    #[test]
    fn a_missing_or_doubled_leaf_changes_the_root(leaves in leaves(), at: prop::sample::Index) {
        let index = at.index(leaves.len());
        let root = tree::root(leaves.clone()).unwrap();
        let mut doubled = leaves.clone();
        doubled.insert(index, leaves[index]);
        prop_assert_ne!(tree::root(doubled).unwrap(), root);
        let mut missing = leaves;
        missing.remove(index);
        prop_assert!(tree::root(missing).is_ok_and(|other| other != root) || index == 0);
    }

    #[test]
    fn hostile_proofs_never_panic(root in words(), count: usize, index: usize, leaf in words(), proof in leaves()) {
        prop_assert!(!tree::verify(root, count, index, leaf, &proof));
    }

    #[test]
    fn a_batch_proves_each_receipt_and_its_total(fuels in prop::collection::vec(0u64..1 << 40, 1..20)) {
        let tasks = fuels.len() as u32;
        let receipts = fuels.iter().zip(0..).map(|(&fuel, index)| Receipt { fuel, ..receipt(index) }).collect();
        let batch = Batch::new(receipts).unwrap();
        prop_assert_eq!(batch.fuel(), Fuel(fuels.iter().sum()));
        for index in 0..tasks {
            let proof = batch.prove(index).unwrap();
            prop_assert!(proof.verify(batch.root(), tasks));
            prop_assert_eq!(proof.proves_total(tasks, batch.fuel()), index == tasks - 1);
        }
    }
}

#[test]
fn known_shapes() {
    let [a, b, c] = [1, 2, 3].map(B256::repeat_byte);
    let node = |left: B256, right: B256| alloy_primitives::keccak256([left, right].concat());
    assert_eq!(tree::root(vec![a]).unwrap(), a);
    assert_eq!(tree::root(vec![a, b]).unwrap(), node(a, b));
    assert_eq!(tree::root(vec![a, b, c]).unwrap(), node(node(a, b), node(c, B256::ZERO)));
    assert_eq!([1, 2, 3, 4, 5, 1_000].map(tree::depth), [0, 1, 2, 2, 3, 10]);
}

#[test]
fn bounds_of_trees_are_errors() {
    assert_eq!(Tree::new(vec![]), Err(TreeError::Empty));
    let many = vec![B256::ZERO; (1 << tree::MAX_DEPTH) + 1];
    assert_eq!(Tree::new(many), Err(TreeError::TooMany(65_537)));
    let tree = Tree::new(vec![B256::ZERO]).unwrap();
    assert_eq!(tree.proof(1), Err(TreeError::NoSuchLeaf { index: 1, leaves: 1 }));
}

#[test]
fn batches_are_in_order_and_their_fuel_fits() {
    let wrong = Batch::new(vec![receipt(0), receipt(2)]);
    assert_eq!(wrong, Err(BatchError::Order { position: 1, index: 2 }));
    let most = Receipt { fuel: u64::MAX, ..receipt(0) };
    assert_eq!(Batch::new(vec![most, receipt(1)]), Err(BatchError::Fuel(1)));
}
