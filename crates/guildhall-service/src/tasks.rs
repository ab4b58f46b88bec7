//! Supervised loops: named, restarted with backoff, their panics contained, stopped together within a deadline.
//!
//! Knows nothing of what the loops do. A loop must be level-triggered: after a restart it re-reads the world.

use std::{
    fmt::Display,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::watch,
    task::{AbortHandle, JoinError},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Most loops of one group; a further one is refused by panicking at start, where a programmer sees it.
pub const MAX_TASKS: usize = 1_024;

/// The waits between restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Wait before the first restart; each further one doubles.
    pub first: Duration,
    /// Longest wait.
    pub max: Duration,
    /// A loop that ran this long begins with `first` again.
    pub healthy_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(250),
            max: Duration::from_secs(30),
            healthy_after: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// The wait before the next restart: `last` is the one before, `ran` how long the loop ran since.
    pub fn next(&self, last: Option<Duration>, ran: Duration) -> Duration {
        match last {
            Some(last) if ran < self.healthy_after => last.saturating_mul(2).min(self.max),
            _ => self.first,
        }
    }
}

/// What happens when a loop fails (returns an error or panics). One that returns `Ok` is done under every policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Start it again after a [`Backoff`].
    Restart,
    /// Stop the whole group: the role cannot go on without it.
    StopGroup,
}

/// Why a group stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Its caller, or somebody's [`TaskGroup::stop`].
    Asked,
    /// An essential loop failed.
    Failed {
        /// Which.
        task: String,
        /// Its error, or what it panicked with.
        error: String,
    },
}

/// How a group ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Why.
    pub reason: StopReason,
    /// Loops that did not end within the deadline and were aborted.
    pub aborted: Vec<String>,
}

/// A group of supervised loops. Cheap to clone; clones are the same group.
#[derive(Clone, Debug)]
pub struct TaskGroup {
    stop: CancellationToken,
    backoff: Backoff,
    tracker: TaskTracker,
    running: Arc<Mutex<Vec<(String, AbortHandle)>>>,
    failure: Arc<watch::Sender<Option<(String, String)>>>,
}

impl Default for TaskGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl TaskGroup {
    /// An empty group.
    pub fn new() -> Self {
        Self::with_backoff(Backoff::default())
    }

    /// An empty group that restarts with these waits.
    pub fn with_backoff(backoff: Backoff) -> Self {
        Self {
            stop: CancellationToken::new(),
            backoff,
            tracker: TaskTracker::new(),
            running: Arc::default(),
            failure: Arc::new(watch::Sender::new(None)),
        }
    }

    /// The token that is cancelled when the group is to stop; loops also get it as their argument.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Asks all loops to end.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Starts a loop. `make` is called for every start, so that a restart begins with fresh state.
    ///
    /// # Panics
    /// With more than [`MAX_TASKS`] loops, or outside a tokio runtime.
    pub fn spawn<M, F, E>(&self, name: impl Into<String>, policy: OnFailure, mut make: M)
    where
        M: FnMut(CancellationToken) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let name = name.into();
        let group = self.clone();
        let task_name = name.clone();
        let handle = self.tracker.spawn(async move {
            let mut waited = None;
            loop {
                let started = Instant::now();
                // A task of its own, so that its panic ends it and nothing else; aborted with its supervisor.
                let inner = AbortOnDrop(tokio::spawn(make(group.stop.child_token())));
                let Some(error) = failure_of(inner.join().await) else { return };
                if group.stop.is_cancelled() {
                    tracing::warn!(task = task_name, error, "task failed while stopping");
                    return;
                }
                metrics::counter!("task_failures_total", "task" => task_name.clone()).increment(1);
                if policy == OnFailure::StopGroup {
                    group.fail(task_name, error);
                    return;
                }
                let wait = group.backoff.next(waited, started.elapsed());
                waited = Some(wait);
                tracing::warn!(
                    task = task_name,
                    error,
                    wait_ms = wait.as_millis(),
                    "task failed, will restart"
                );
                if group.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                    return;
                }
            }
        });
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|(_, handle)| !handle.is_finished());
        running.push((name, handle.abort_handle()));
        assert!(running.len() <= MAX_TASKS, "more than {MAX_TASKS} tasks in one group");
    }

    fn fail(&self, task: String, error: String) {
        tracing::error!(task, error, "an essential task failed, the role stops");
        // The first failure is the reason; later ones follow from it.
        self.failure.send_if_modified(|slot| {
            let first = slot.is_none();
            if first {
                *slot = Some((task, error));
            }
            first
        });
        self.stop.cancel();
    }

    /// Runs until `stop`, [`TaskGroup::stop`] or the failure of an essential loop, then ends all loops; what has not ended
    /// after `deadline` is aborted.
    pub async fn run_until(self, stop: CancellationToken, deadline: Duration) -> Stopped {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = stop.cancelled() => {}
        }
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(deadline, self.tracker.wait()).await.is_err() {
            tracing::warn!("tasks did not stop in time");
        }
        let running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let mut aborted = Vec::new();
        for (name, handle) in running {
            if !handle.is_finished() {
                tracing::warn!(task = name, "task aborted");
                handle.abort();
                aborted.push(name);
            }
        }
        let reason = match self.failure.borrow().clone() {
            Some((task, error)) => StopReason::Failed { task, error },
            None => StopReason::Asked,
        };
        Stopped { reason, aborted }
    }
}

/// A spawned task that does not outlive the value.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    async fn join(mut self) -> Result<T, JoinError> {
        (&mut self.0).await
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn failure_of<E: Display>(ended: Result<Result<(), E>, JoinError>) -> Option<String> {
    match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => Some(format!("panicked: {}", panic_text(panic.as_ref()))),
            Err(_aborted) => None,
        },
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "no message"
    }
}

/// A token that the first SIGINT or SIGTERM cancels. A second one ends the process at once, with status 130: whatever a
/// role has acknowledged is on disk by then.
pub fn stop_on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        signal().await;
        tracing::info!("stopping: signal received");
        asked.cancel();
        signal().await;
        tracing::warn!("second signal: not waiting");
        std::process::exit(130);
    });
    stop
}

/// Ends at the first SIGINT or SIGTERM; never where no handler can be installed.
async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
                return;
            }
            (Err(error), _) | (_, Err(error)) => tracing::warn!(%error, "cannot listen for signals"),
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_ok() {
        return;
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(5);
    const QUICK: Backoff = Backoff {
        first: Duration::from_millis(1),
        max: Duration::from_millis(4),
        healthy_after: Duration::from_secs(60),
    };

    #[tokio::test]
    async fn a_panic_is_contained_and_the_loop_restarted() {
        let group = TaskGroup::with_backoff(QUICK);
        let starts = Arc::new(AtomicU32::new(0));
        let (counted, stopper) = (starts.clone(), group.clone());
        group.spawn("shaky", OnFailure::Restart, move |_| {
            let (start, stopper) = (counted.fetch_add(1, Ordering::SeqCst), stopper.clone());
            async move {
                assert!(start >= 2, "start {start} panics");
                stopper.stop();
                Ok::<(), String>(())
            }
        });
        let stopped = group.run_until(CancellationToken::new(), DEADLINE).await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
        assert_eq!(stopped, Stopped { reason: StopReason::Asked, aborted: vec![] });
    }

    #[test]
    fn restarts_wait_longer_each_time_up_to_the_cap_and_forget_after_a_healthy_run() {
        let backoff = Backoff::default();
        let mut wait = None;
        let mut total = Duration::ZERO;
        for _ in 0..8 {
            let next = backoff.next(wait, Duration::ZERO);
            total += next;
            wait = Some(next);
        }
        assert_eq!(wait, Some(Duration::from_secs(30)));
        assert_eq!(total, Duration::from_millis(250 * 127 + 30_000));
        assert_eq!(backoff.next(wait, Duration::from_secs(61)), backoff.first);
    }

    #[tokio::test]
    async fn an_essential_failure_stops_the_others_and_is_the_reason() {
        let group = TaskGroup::new();
        group.spawn("patient", OnFailure::Restart, |stop: CancellationToken| async move {
            stop.cancelled().await;
            Ok::<(), String>(())
        });
        group.spawn("ledger", OnFailure::StopGroup, |_| async { Err("disk gone") });
        let stopped = group.run_until(CancellationToken::new(), DEADLINE).await;
        let reason = StopReason::Failed { task: "ledger".into(), error: "disk gone".into() };
        assert_eq!(stopped, Stopped { reason, aborted: vec![] });
    }

    #[tokio::test]
    async fn a_loop_that_ignores_the_stop_is_aborted_and_named() {
        let (group, asked) = (TaskGroup::new(), CancellationToken::new());
        asked.cancel();
        group.spawn("deaf", OnFailure::Restart, |_| async {
            std::future::pending::<()>().await;
            Ok::<(), String>(())
        });
        let stopped = group.run_until(asked, Duration::from_millis(20)).await;
        assert_eq!(stopped.aborted, ["deaf"]);
    }
}
