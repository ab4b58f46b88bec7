//! Leaves that contradict their certificate: what `Court.disprove` overturns it for, and nothing else.
//!
//! An honest batch has none. No jury looks at indices and totals, and a certificate pays by its total, so this is all that
//! stands between a payer and a false bill. Knows nothing of what a task should have produced: that is a jury's to say.

use std::fmt;

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use crate::{
    Certificate, Fuel, Receipt, Terms,
    tree::{Tree, TreeError},
};

/// What is wrong with a leaf, or with two neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// A receipt says that it lies elsewhere.
    Index {
        /// Where it lies.
        path: u32,
        /// Where it says.
        index: u32,
    },
    /// A task used more fuel than the deal allows.
    Limit {
        /// Its place.
        path: u32,
        /// What it is said to have used.
        fuel: Fuel,
        /// What the deal allows.
        limit: Fuel,
    },
    /// The first total is not what the first task used.
    First {
        /// What the task used.
        fuel: Fuel,
        /// What its leaf counts.
        total: Fuel,
    },
    /// A total is not the one before it and what the task used.
    Sum {
        /// The place of the second of the two.
        path: u32,
        /// What the leaf before it counts.
        before: Fuel,
        /// What the task used.
        fuel: Fuel,
        /// What its leaf counts.
        total: Fuel,
    },
    /// The last total is not the certificate's fuel.
    Last {
        /// What the last leaf counts.
        total: Fuel,
        /// What was certified, and paid.
        certified: Fuel,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index { path, index } => {
                write!(f, "the leaf in place {path} says that its index is {index}")
            }
            Self::Limit { path, fuel, limit } => {
                write!(f, "the leaf in place {path} says {fuel} fuel, and the deal's limit is {limit}")
            }
            Self::First { fuel, total } => {
                write!(f, "the first leaf says {fuel} fuel, and counts {total} up to there")
            }
            Self::Sum { path, before, fuel, total } => {
                write!(
                    f,
                    "the leaf in place {path} says {fuel} fuel and the one before it counts {before}, yet it counts {total}"
                )
            }
            Self::Last { total, certified } => {
                write!(f, "the last leaf counts {total} fuel, and {certified} were certified")
            }
        }
    }
}

/// A leaf as it lies under a root, with what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// Where it lies, which an honest receipt's index equals.
    pub path: u32,
    /// Its receipt.
    pub receipt: Receipt,
    /// Fuel of tasks 0 to this one, as it says.
    pub cumulative_fuel: Fuel,
    /// The words of the proof, from the lowest level up.
    pub proof: Vec<B256>,
}

/// The first fault of a certificate's leaves, with the one or two that prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disproof {
    /// What is wrong.
    pub fault: Fault,
    /// What `Court.disprove` takes: one leaf, or two neighbours.
    pub leaves: Vec<Leaf>,
}

/// The leaves of a batch as they lie under a root. Unlike those of a [`crate::Batch`] they may say anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaves {
    receipts: Vec<Receipt>,
    totals: Vec<Fuel>,
    tree: Tree,
}

impl Leaves {
    /// The tree of these receipts and totals, in their places.
    ///
    /// # Errors
    /// [`TreeError::Empty`], [`TreeError::TooMany`].
    pub fn new(receipts: Vec<Receipt>, totals: Vec<Fuel>) -> Result<Self, TreeError> {
        let leaves = receipts.iter().zip(&totals).map(|(receipt, total)| receipt.leaf(total.0)).collect();
        Ok(Self { tree: Tree::new(leaves)?, receipts, totals })
    }

    /// The leaves under a certificate's root, from their receipts alone, as executing or a bundle gives them; nothing where these
    /// make another root.
    ///
    /// Totals follow from the receipts where the batch is honest. Where they do not make the root, a liar may have counted in
    /// what its claim is too high, at whatever task: that is tried too, so that whoever knows the receipts need not be shown the leaves.
    pub fn certified(certificate: &Certificate, receipts: Vec<Receipt>) -> Option<Self> {
        let mut sum = 0u64;
        let add = |receipt: &Receipt| {
            // What exceeds 64 bits exceeds the limit, too; it makes the root all the same.
            sum = sum.wrapping_add(receipt.fuel);
            Fuel(sum)
        };
        let honest: Vec<Fuel> = receipts.iter().map(add).collect();
        let excess = certificate.fuel.wrapping_sub(sum);
        let mut leaves = Self::new(receipts, honest).ok()?;
        if leaves.root() == certificate.root {
            return Some(leaves);
        }
        if excess == 0 {
            return None;
        }
        // From the last leaf down: the last total alone is what most liars need.
        for place in (0..leaves.receipts.len()).rev() {
            leaves.recount(place, excess);
            if leaves.root() == certificate.root {
                return Some(leaves);
            }
        }
        None
    }

    fn recount(&mut self, place: usize, excess: u64) {
        let total = Fuel(self.totals[place].0.wrapping_add(excess));
        self.totals[place] = total;
        self.tree.replace(place, self.receipts[place].leaf(total.0));
    }

    /// The root.
    pub fn root(&self) -> B256 {
        self.tree.root()
    }

    /// The receipts, in their places.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// The first fault of a certificate with these leaves under its root; nothing where it has none, or other leaves.
    pub fn disproof(&self, terms: &Terms, certificate: &Certificate) -> Option<Disproof> {
        let tasks = terms.tasks_of(certificate.batch).ok()?;
        let theirs = (certificate.dealId, certificate.root) == (terms.dealId, self.root());
        if !theirs || self.receipts.len() != tasks as usize {
            return None;
        }
        (0..tasks).find_map(|path| {
            let alone = self.fault_at(path, tasks, terms.fuelLimit, Fuel(certificate.fuel));
            let paths = if alone.is_some() { path..path + 1 } else { path..path + 2 };
            let fault = alone.or_else(|| self.fault_after(path))?;
            Some(Disproof { fault, leaves: paths.map(|path| self.leaf(path)).collect::<Option<_>>()? })
        })
    }

    /// What one leaf says that no honest one does.
    fn fault_at(&self, path: u32, tasks: u32, limit: u64, certified: Fuel) -> Option<Fault> {
        let (receipt, total) = self.at(path)?;
        let fuel = Fuel(receipt.fuel);
        if receipt.index != path {
            Some(Fault::Index { path, index: receipt.index })
        } else if receipt.fuel > limit {
            Some(Fault::Limit { path, fuel, limit: Fuel(limit) })
        } else if path == 0 && total != fuel {
            Some(Fault::First { fuel, total })
        } else if path == tasks - 1 && total != certified {
            Some(Fault::Last { total, certified })
        } else {
            None
        }
    }

    /// What a leaf and the next one say that no honest neighbours do.
    fn fault_after(&self, path: u32) -> Option<Fault> {
        let (_, before) = self.at(path)?;
        let (next, total) = self.at(path + 1)?;
        let fuel = Fuel(next.fuel);
        (before.checked_add(fuel) != Some(total)).then_some(Fault::Sum {
            path: path + 1,
            before,
            fuel,
            total,
        })
    }

    fn at(&self, path: u32) -> Option<(&Receipt, Fuel)> {
        self.receipts.get(path as usize).zip(self.totals.get(path as usize).copied())
    }

    fn leaf(&self, path: u32) -> Option<Leaf> {
        let (receipt, cumulative_fuel) = self.at(path)?;
        let proof = self.tree.proof(path as usize).ok()?;
        Some(Leaf { path, receipt: *receipt, cumulative_fuel, proof })
    }
}
