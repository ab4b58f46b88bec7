//! Executors that have done their work and wait to be let go on.

use std::sync::Arc;

use guildhall::city::Wrap;
use guildhall_worker::{Assignment, ExecuteError, Executed, Executor, ProgressSender};
use tokio::sync::Semaphore;

/// The gate of all workers of a city.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    executed: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { executed: Arc::new(Semaphore::new(0)), go: Arc::new(Semaphore::new(0)) }
    }

    /// Puts every worker behind the gate.
    pub(crate) fn wrap(&self) -> Wrap {
        let gate = self.clone();
        Arc::new(move |_, honest| gate.hold(honest))
    }

    /// Puts one worker behind the gate.
    pub(crate) fn hold(&self, honest: Arc<dyn Executor>) -> Arc<dyn Executor> {
        Arc::new(Gated { honest, gate: self.clone() })
    }

    /// Waits until so many executions are done.
    pub(crate) async fn executed(&self, count: u32) {
        self.executed.acquire_many(count).await.expect("open").forget();
    }

    /// Lets everybody through, now and later.
    pub(crate) fn open(&self) {
        self.go.add_permits(1);
    }
}

#[derive(Debug)]
struct Gated {
    honest: Arc<dyn Executor>,
    gate: Gate,
}

#[async_trait::async_trait]
impl Executor for Gated {
    async fn execute(
        &self,
        assignment: &Assignment,
        progress: &ProgressSender,
    ) -> Result<Executed, ExecuteError> {
        let executed = self.honest.execute(assignment, progress).await?;
        self.gate.executed.add_permits(1);
        // Handed on to the next as it is dropped.
        let _go = self.gate.go.acquire().await.expect("the gate is never closed");
        Ok(executed)
    }
}
