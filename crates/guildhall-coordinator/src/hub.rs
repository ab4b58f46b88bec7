//! Who listens: members' streams and watchers. Knows nothing of what is said.

use std::{collections::HashMap, sync::Arc};

use alloy::primitives::Address;
use guildhall_api::{MemberEvent, ProgressEvent, RoundRef};
use tokio::sync::{broadcast, mpsc};

use crate::limits::{MAX_STREAMS, PROGRESS_QUEUE, STREAM_QUEUE};

/// An event as JSON: written once for all that hear it.
pub type Written = Arc<str>;

/// The open streams.
#[derive(Debug)]
pub struct Hub {
    members: HashMap<Address, (u64, mpsc::Sender<Written>)>,
    opened: u64,
    watchers: broadcast::Sender<ProgressEvent>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { members: HashMap::new(), opened: 0, watchers: broadcast::Sender::new(PROGRESS_QUEUE) }
    }
}

impl Hub {
    /// Opens a member's stream with what is pending; a stream that it had before ends. Nothing when there are too many.
    /// The number names the stream for [`Hub::leave`].
    pub fn join(
        &mut self,
        worker: Address,
        pending: Vec<MemberEvent>,
    ) -> Option<(u64, mpsc::Receiver<Written>)> {
        if self.members.len() >= MAX_STREAMS && !self.members.contains_key(&worker) {
            return None;
        }
        let (sender, receiver) = mpsc::channel(STREAM_QUEUE + pending.len());
        for event in pending {
            // The queue has room for all of them.
            let _ = sender.try_send(written(&event));
        }
        self.opened += 1;
        self.members.insert(worker, (self.opened, sender));
        Some((self.opened, receiver))
    }

    /// A stream ended. Whether the member has none now.
    pub fn leave(&mut self, worker: Address, stream: u64) -> bool {
        let current = self.members.get(&worker).is_some_and(|(number, _)| *number == stream);
        if current {
            self.members.remove(&worker);
        }
        !self.members.contains_key(&worker)
    }

    /// Sends an event to those that listen. Who is too slow loses its stream: it comes back and gets what is pending.
    pub fn push(&mut self, to: &[Address], event: &MemberEvent) {
        let event = written(event);
        for worker in to {
            let full =
                self.members.get(worker).is_some_and(|(_, sender)| sender.try_send(event.clone()).is_err());
            if full {
                self.members.remove(worker);
            }
        }
    }

    /// Tells the watchers, and the log.
    pub fn announce(&self, event: ProgressEvent) {
        let RoundRef { id, deal, batch, attempt } = event.round;
        tracing::info!(parent: None, %deal, batch, attempt, round = %id, step = ?event.step, "a step of a round");
        // Nobody watching is no error.
        let _ = self.watchers.send(event);
    }

    /// Watches from now on.
    pub fn watch(&self) -> broadcast::Receiver<ProgressEvent> {
        self.watchers.subscribe()
    }

    /// Watchers now.
    pub fn watching(&self) -> usize {
        self.watchers.receiver_count()
    }
}

fn written(event: &MemberEvent) -> Written {
    // Our own types always serialise; an empty event would be skipped by every reader.
    serde_json::to_string(event).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_stream_replaces_the_first_and_a_slow_member_loses_its_own() {
        let (mut hub, worker) = (Hub::default(), Address::repeat_byte(1));
        let (first, mut old) = hub.join(worker, vec![MemberEvent::Ready]).expect("room");
        let (second, mut new) = hub.join(worker, Vec::new()).expect("room");
        assert_eq!(old.try_recv().as_deref(), Ok(r#"{"kind":"ready"}"#));
        assert!(old.try_recv().is_err() && old.is_closed());
        assert!(!hub.leave(worker, first), "the new stream stays");
        for _ in 0..=STREAM_QUEUE {
            hub.push(&[worker], &MemberEvent::Ready);
        }
        let received = std::iter::from_fn(|| new.try_recv().ok()).count();
        assert_eq!(received, STREAM_QUEUE);
        assert!(new.is_closed(), "closed instead of growing");
        assert!(hub.leave(worker, second), "it has no stream now");
    }
}
