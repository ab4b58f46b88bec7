//! A worker that lies: it saves itself the honest answer and claims one of its own.
//!
//! Lives in the demonstration and its tests; nothing that works for anybody is linked to it.

use std::sync::Arc;

use alloy::primitives::{B256, keccak256};
use guildhall_api::Produced;
use guildhall_worker::{Assignment, ExecuteError, Executed, Executor, ProgressSender};

/// What the liar says of every task.
const LIE: &[u8] = b"{\"score\":0.999999}\n";

/// Executes as the honest executor does, then puts its own outputs into the receipts.
#[derive(Debug)]
pub struct Liar(pub Arc<dyn Executor>);

#[async_trait::async_trait]
impl Executor for Liar {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError> {
        let mut executed = self.0.execute(assignment, progress).await?;
        for receipt in &mut executed.receipts {
            receipt.output_digest = keccak256(LIE);
            receipt.trace_digest = B256::from(keccak256(receipt.trace_digest));
        }
        executed.outputs = vec![Produced::Bytes(LIE.to_vec()); executed.receipts.len()];
        Ok(executed)
    }
}
