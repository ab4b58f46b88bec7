//! Batches: from the receipts of consecutive tasks to the root and the fuel that a contribution claims.
//!
//! Knows receipts and trees; who may claim what is in [`crate::messages`].

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use crate::{
    Fuel, Receipt,
    tree::{self, Tree, TreeError},
};

/// Receipts that make no batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The receipts do not number the tasks 0, 1, 2 ...
    #[error("the receipt at position {position} is of task {index}: give one receipt a task, in order")]
    Order {
        /// Place in the batch.
        position: usize,
        /// Index that its receipt names.
        index: u32,
    },
    /// The fuel of all tasks together does not fit 64 bits.
    #[error("the batch's fuel exceeds 64 bits at task {0}: use smaller batches")]
    Fuel(u32),
    /// The leaves make no tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl BatchError {
    /// The error's code in logs, metrics, HTTP and CLI.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Order { .. } => "batch.order",
            Self::Fuel(_) => "batch.fuel",
            Self::Tree(error) => error.code(),
        }
    }
}

/// One receipt of a batch and everything that proves it under the batch's root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptProof {
    /// What the execution produced.
    pub receipt: Receipt,
    /// Fuel of tasks 0 to this one.
    pub cumulative_fuel: Fuel,
    /// The words of the proof, from the lowest level up.
    pub proof: Vec<B256>,
}

impl ReceiptProof {
    /// Whether the receipt stands under `root`, of a batch of `tasks` tasks.
    pub fn verify(&self, root: B256, tasks: u32) -> bool {
        let leaf = self.receipt.leaf(self.cumulative_fuel.0);
        tree::verify(root, tasks as usize, self.receipt.index as usize, leaf, &self.proof)
    }

    /// Whether this last leaf proves that the batch's fuel is `claimed`, given that it verifies.
    pub fn proves_total(&self, tasks: u32, claimed: Fuel) -> bool {
        self.receipt.index.checked_add(1) == Some(tasks) && self.cumulative_fuel == claimed
    }
}

/// All receipts of a batch under their root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    receipts: Vec<Receipt>,
    cumulative: Vec<Fuel>,
    tree: Tree,
}

impl Batch {
    /// Builds the batch of these receipts: one a task, in the tasks' order.
    pub fn new(receipts: Vec<Receipt>) -> Result<Self, BatchError> {
        let mut total = Fuel::ZERO;
        let mut cumulative = Vec::with_capacity(receipts.len());
        for (position, receipt) in receipts.iter().enumerate() {
            if receipt.index as usize != position {
                return Err(BatchError::Order { position, index: receipt.index });
            }
            total = total.checked_add(Fuel(receipt.fuel)).ok_or(BatchError::Fuel(receipt.index))?;
            cumulative.push(total);
        }
        let leaves = receipts.iter().zip(&cumulative).map(|(receipt, fuel)| receipt.leaf(fuel.0)).collect();
        Ok(Self { tree: Tree::new(leaves)?, receipts, cumulative })
    }

    /// The root that a contribution claims.
    pub fn root(&self) -> B256 {
        self.tree.root()
    }

    /// The fuel of one execution of the whole batch.
    pub fn fuel(&self) -> Fuel {
        self.cumulative.last().copied().unwrap_or_default()
    }

    /// The receipts, in order.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// What proves the receipt of the task at `index`.
    pub fn prove(&self, index: u32) -> Result<ReceiptProof, TreeError> {
        let at = index as usize;
        let proof = self.tree.proof(at)?;
        Ok(ReceiptProof { receipt: self.receipts[at], cumulative_fuel: self.cumulative[at], proof })
    }
}

/// The root over a worker's own traces of a batch, one word a task, as they are.
pub fn own_trace_root(own_traces: Vec<B256>) -> Result<B256, TreeError> {
    tree::root(own_traces)
}
