//! Binary Merkle trees whose path is the index: two leaves can't change places under one root.
//!
//! Knows nothing of receipts: leaves are words. Missing leaves up to the next power of two are zero words.

use alloy_primitives::{B256, keccak256};

/// Deepest tree: a batch has at most `2^16` tasks, see [`crate::matching::BATCH_SIZE_MAX`].
pub const MAX_DEPTH: usize = 16;

/// A tree that can't be built, or a position that it does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// No leaf at all.
    #[error("a tree needs at least one leaf: give it the receipts of the whole batch")]
    Empty,
    /// More leaves than [`MAX_DEPTH`] allows.
    #[error("{0} leaves are more than a tree holds (65536): split the deal into smaller batches")]
    TooMany(usize),
    /// No leaf there.
    #[error("the tree has {leaves} leaves, so there is none at index {index} (numbered from 0)")]
    NoSuchLeaf {
        /// Index asked for.
        index: usize,
        /// Leaves that there are.
        leaves: usize,
    },
}

impl TreeError {
    /// The error's code in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "tree.empty",
            Self::TooMany(_) => "tree.too_many",
            Self::NoSuchLeaf { .. } => "tree.no_such_leaf",
        }
    }
}

/// A whole tree, kept to hand out proofs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Level 0 holds the leaves, the last level the root. Nodes over nothing but missing leaves are left out.
    levels: Vec<Vec<B256>>,
    /// What a left-out node of each level is.
    padding: Vec<B256>,
}

impl Tree {
    /// Builds the tree over these leaves.
    pub fn new(leaves: Vec<B256>) -> Result<Self, TreeError> {
        let depth = match leaves.len() {
            0 => return Err(TreeError::Empty),
            count if count > 1 << MAX_DEPTH => return Err(TreeError::TooMany(count)),
            count => depth(count),
        };
        let (mut levels, mut padding) = (vec![leaves], vec![B256::ZERO]);
        for level in 0..depth {
            let filler = padding[level];
            let parent = |pair: &[B256]| node(pair[0], *pair.get(1).unwrap_or(&filler));
            levels.push(levels[level].chunks(2).map(parent).collect());
            padding.push(node(filler, filler));
        }
        Ok(Self { levels, padding })
    }

    /// The root.
    pub fn root(&self) -> B256 {
        self.levels[self.depth()][0]
    }

    /// Levels above the leaves, which is the length of every proof.
    pub fn depth(&self) -> usize {
        self.levels.len() - 1
    }

    /// Leaves that were given, without padding.
    pub fn leaves(&self) -> &[B256] {
        &self.levels[0]
    }

    /// The words that prove the leaf at `index`, from the lowest level up.
    pub fn proof(&self, index: usize) -> Result<Vec<B256>, TreeError> {
        let leaves = self.leaves().len();
        if index >= leaves {
            return Err(TreeError::NoSuchLeaf { index, leaves });
        }
        let sibling =
            |level: usize| *self.levels[level].get((index >> level) ^ 1).unwrap_or(&self.padding[level]);
        Ok((0..self.depth()).map(sibling).collect())
    }

    /// Puts another leaf in the place of one that there is.
    pub(crate) fn replace(&mut self, index: usize, leaf: B256) {
        self.levels[0][index] = leaf;
        for level in 0..self.depth() {
            let (left, above) = ((index >> level) & !1, index >> (level + 1));
            let right = *self.levels[level].get(left + 1).unwrap_or(&self.padding[level]);
            self.levels[level + 1][above] = node(self.levels[level][left], right);
        }
    }
}

/// `ceil(log2(leaves))`: the depth of a tree; 0 for one leaf.
pub fn depth(leaves: usize) -> usize {
    leaves.max(1).next_power_of_two().trailing_zeros() as usize
}

/// The root of a tree over these leaves, when no proof is needed.
pub fn root(leaves: Vec<B256>) -> Result<B256, TreeError> {
    Tree::new(leaves).map(|tree| tree.root())
}

/// Whether `leaf` stands at `index` of a tree of `leaves` leaves under `root`.
///
/// The proof must have exactly the tree's depth, so that a node can't pass for a leaf.
pub fn verify(root: B256, leaves: usize, index: usize, leaf: B256, proof: &[B256]) -> bool {
    if index >= leaves || leaves > 1 << MAX_DEPTH || proof.len() != depth(leaves) {
        return false;
    }
    let climb = |(level, below): (usize, B256), sibling: &B256| {
        let right = (index >> level) & 1 == 1;
        (level + 1, if right { node(*sibling, below) } else { node(below, *sibling) })
    };
    proof.iter().fold((0, leaf), climb).1 == root
}

fn node(left: B256, right: B256) -> B256 {
    let mut pair = [0u8; 64];
    pair[..32].copy_from_slice(left.as_slice());
    pair[32..].copy_from_slice(right.as_slice());
    keccak256(pair)
}
