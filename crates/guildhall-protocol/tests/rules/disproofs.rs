//! Disproofs: every leaf that contradicts its certificate is found and proven, and an honest batch has none.

use alloy_primitives::{B256, U256, aliases::U96};
use guildhall_protocol::{
    Certificate, Disproof, Fault, Fuel, Leaf, Leaves, Receipt, Terms, check_match, delivery_hash, tree,
};
use proptest::prelude::*;

use crate::samples::{NOW, facts, offers, receipt};

/// Tasks of the batch that the tests are about, the last one of the deal.
const TASKS: u32 = 5;

fn terms() -> Terms {
    check_match(&offers(), &facts()).unwrap().terms
}

fn certificate(root: B256, fuel: u64) -> Certificate {
    let terms = terms();
    Certificate {
        dealId: terms.dealId,
        batch: 2,
        attempt: 0,
        root,
        fuel,
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
    }
}

/// A batch as liars may build it, and what they certify of it.
#[derive(Clone, Debug)]
struct Claimed {
    receipts: Vec<Receipt>,
    totals: Vec<u64>,
    fuel: u64,
}

impl Claimed {
    fn honest() -> Self {
        let receipts: Vec<_> = (0..TASKS).map(receipt).collect();
        let mut fuel = 0;
        let add = |receipt: &Receipt| {
            fuel += receipt.fuel;
            fuel
        };
        let totals = receipts.iter().map(add).collect();
        Self { receipts, totals, fuel }
    }

    fn after(change: impl FnOnce(&mut Self)) -> Self {
        let mut claimed = Self::honest();
        change(&mut claimed);
        claimed
    }

    fn leaves(&self) -> Leaves {
        Leaves::new(self.receipts.clone(), self.totals.iter().copied().map(Fuel).collect()).unwrap()
    }

    fn certificate(&self) -> Certificate {
        certificate(self.leaves().root(), self.fuel)
    }

    /// What is found, which the contract takes.
    fn disproof(&self) -> Option<Disproof> {
        let (leaves, certificate) = (self.leaves(), self.certificate());
        let found = leaves.disproof(&terms(), &certificate)?;
        assert!(overturns(&certificate, &found.leaves), "{found:?}");
        Some(found)
    }

    fn fault(&self) -> (Fault, Vec<u32>) {
        let found = self.disproof().expect("it contradicts itself");
        (found.fault, found.leaves.iter().map(|leaf| leaf.path).collect())
    }
}

/// `Court.disprove`, read off the contract.
fn overturns(certificate: &Certificate, leaves: &[Leaf]) -> bool {
    let proven = |leaf: &Leaf| {
        let word = leaf.receipt.leaf(leaf.cumulative_fuel.0);
        tree::verify(certificate.root, TASKS as usize, leaf.path as usize, word, &leaf.proof)
    };
    if !leaves.iter().all(proven) {
        return false;
    }
    let wide = |fuel: u64| U256::from(fuel);
    let first = &leaves[0];
    if let [_, next] = leaves {
        let sum = wide(first.cumulative_fuel.0) + wide(next.receipt.fuel);
        return next.path == first.path + 1 && wide(next.cumulative_fuel.0) != sum;
    }
    first.receipt.index != first.path
        || first.receipt.fuel > terms().fuelLimit
        || (first.path == 0 && first.cumulative_fuel.0 != first.receipt.fuel)
        || (first.path == TASKS - 1 && first.cumulative_fuel.0 != certificate.fuel)
}

#[test]
fn an_honest_batch_is_not_disproved() {
    assert_eq!(Claimed::honest().disproof(), None);
    let limit = terms().fuelLimit;
    let at_the_limit = Claimed::after(|claimed| {
        claimed.receipts[4].fuel = limit;
        claimed.totals[4] = claimed.totals[3] + limit;
        claimed.fuel = claimed.totals[4];
    });
    assert_eq!(at_the_limit.disproof(), None);
}

#[test]
fn each_fault_is_found_with_the_leaves_that_prove_it() {
    let limit = terms().fuelLimit;
    let [f0, f1, f4] = [0, 1, 4].map(|index| Fuel(receipt(index).fuel));
    let elsewhere = Claimed::after(|claimed| claimed.receipts[3].index = 7);
    assert_eq!(elsewhere.fault(), (Fault::Index { path: 3, index: 7 }, vec![3]));
    let swapped = Claimed::after(|claimed| claimed.receipts.swap(1, 2));
    assert_eq!(swapped.fault().1, [0, 1], "its totals add up no more, which comes first");
    let endless = Claimed::after(|claimed| {
        claimed.receipts[0].fuel = limit + 1;
        let more = limit + 1 - f0.0;
        claimed.totals.iter_mut().for_each(|total| *total += more);
        claimed.fuel += more;
    });
    let fault = Fault::Limit { path: 0, fuel: Fuel(limit + 1), limit: Fuel(limit) };
    assert_eq!(endless.fault(), (fault, vec![0]));
    let begun = Claimed::after(|claimed| {
        claimed.totals.iter_mut().for_each(|total| *total += 9);
        claimed.fuel += 9;
    });
    assert_eq!(begun.fault(), (Fault::First { fuel: f0, total: Fuel(f0.0 + 9) }, vec![0]));
    let jumped = Claimed::after(|claimed| {
        claimed.totals[1..].iter_mut().for_each(|total| *total += 9);
        claimed.fuel += 9;
    });
    let total = Fuel(f0.0 + f1.0 + 9);
    assert_eq!(jumped.fault(), (Fault::Sum { path: 1, before: f0, fuel: f1, total }, vec![0, 1]));
    let billed = Claimed::after(|claimed| claimed.fuel += 9);
    let total = Fuel(Claimed::honest().fuel);
    assert_eq!(billed.fault(), (Fault::Last { total, certified: Fuel(total.0 + 9) }, vec![4]));
    let wrapped = Claimed::after(|claimed| {
        claimed.totals[3] = u64::MAX;
        claimed.totals[4] = f4.0 - 1;
        claimed.fuel = f4.0 - 1;
    });
    assert_eq!(wrapped.fault().1, [2, 3], "before it comes round");
}

#[test]
fn the_leaves_of_another_certificate_prove_nothing() {
    let billed = Claimed::after(|claimed| claimed.fuel += 9);
    let (leaves, mine) = (billed.leaves(), billed.certificate());
    assert!(leaves.disproof(&terms(), &mine).is_some());
    let others = [
        Certificate { root: B256::ZERO, ..mine },
        Certificate { dealId: B256::ZERO, ..mine },
        Certificate { batch: 1, ..mine },
        Certificate { batch: 9, ..mine },
    ];
    for other in others {
        assert_eq!(leaves.disproof(&terms(), &other), None, "{other:?}");
    }
}

#[test]
fn a_false_bill_is_disproved_from_the_receipts_alone() {
    let true_root = Claimed::after(|claimed| claimed.fuel += 9);
    let below = Claimed::after(|claimed| claimed.fuel -= 9);
    let jumps = (0..TASKS as usize).map(|place| {
        Claimed::after(|claimed| {
            claimed.totals[place..].iter_mut().for_each(|total| *total += 9);
            claimed.fuel += 9;
        })
    });
    for claimed in jumps.chain([true_root, below]) {
        let leaves = Leaves::certified(&claimed.certificate(), claimed.receipts.clone());
        assert_eq!(leaves, Some(claimed.leaves()));
        assert!(claimed.disproof().is_some());
    }
    let honest = Claimed::honest();
    assert_eq!(Leaves::certified(&honest.certificate(), honest.receipts.clone()), Some(honest.leaves()));
    assert_eq!(Leaves::certified(&honest.certificate(), Vec::new()), None);
    let twice = Claimed::after(|claimed| {
        claimed.totals[1] += 4;
        claimed.totals[2..].iter_mut().for_each(|total| *total += 9);
        claimed.fuel += 9;
    });
    assert!(twice.disproof().is_some());
    assert_eq!(
        Leaves::certified(&twice.certificate(), twice.receipts),
        None,
        "nobody can count all that is false"
    );
}

proptest! {
    /// Whatever one or two numbers say: what is found is what some one leaf, or two neighbours, prove to the contract.
    #[test]
    fn what_contradicts_is_found(
        place in 0..TASKS as usize, what in 0..4u8, by in prop_oneof![Just(0u64), 1..2_000_000u64],
        total in 0..TASKS as usize, off in prop_oneof![Just(0u64), 1..9u64],
    ) {
        let claimed = Claimed::after(|claimed| {
            match what {
                0 => claimed.receipts[place].index ^= by as u32,
                1 => claimed.receipts[place].fuel += by,
                2 => claimed.totals[place] += by,
                _ => claimed.fuel += by,
            }
            claimed.totals[total] += off;
        });
        let certificate = claimed.certificate();
        let all = claimed.leaves();
        let tree = tree::Tree::new(
            claimed.receipts.iter().zip(&claimed.totals).map(|(receipt, total)| receipt.leaf(*total)).collect(),
        ).unwrap();
        prop_assert_eq!(all.root(), tree.root());
        let leaf = |path: u32| Leaf {
            path,
            receipt: claimed.receipts[path as usize],
            cumulative_fuel: Fuel(claimed.totals[path as usize]),
            proof: tree.proof(path as usize).unwrap(),
        };
        let alone = (0..TASKS).any(|path| overturns(&certificate, &[leaf(path)]));
        let together = (1..TASKS).any(|path| overturns(&certificate, &[leaf(path - 1), leaf(path)]));
        prop_assert_eq!(claimed.disproof().is_some(), alone || together);
    }

    #[test]
    fn an_honest_batch_of_any_fuel_is_not_disproved(fuels in prop::collection::vec(0..=1_000_000u64, TASKS as usize)) {
        let receipts: Vec<_> = (0..).zip(&fuels).map(|(index, &fuel)| Receipt { fuel, ..receipt(index) }).collect();
        let batch = guildhall_protocol::Batch::new(receipts.clone()).unwrap();
        let certificate = certificate(batch.root(), batch.fuel().0);
        let leaves = Leaves::certified(&certificate, receipts).unwrap();
        prop_assert_eq!(leaves.disproof(&terms(), &certificate), None);
    }
}
