//! Waits for a deal: the coordinator's progress as a courtesy, the chain's events as the truth.

use std::collections::BTreeSet;

use guildhall_api::{CoordinatorClient, ProgressEvent, ProgressStream};
use guildhall_chain::{
    ChainClient, Cursor, EventKind, Follower, Update, bindings::Certifier::CertifierEvents,
};
use guildhall_protocol::DealId;

/// Steps that a coordinator may tell of one deal: who tells more is not listened to, so that it hides no end.
const PROGRESS_MAX: u32 = 1 << 20;

/// Something that a watcher sees.
#[derive(Clone, Debug)]
pub enum Watched {
    /// A step of a round, as the coordinator tells it.
    Progress(Box<ProgressEvent>),
    /// Every batch is certified, void or expired, as the chain says.
    Settled,
}

/// A watched deal.
pub struct Watch {
    deal: DealId,
    open: BTreeSet<u32>,
    chain: Follower,
    coordinator: Option<CoordinatorClient>,
    progress: Option<ProgressStream>,
    told: u32,
}

impl Watch {
    /// Starts to watch, from the deployment's first block on, so that nothing is missed.
    pub fn start(
        chain: &ChainClient,
        coordinator: Option<CoordinatorClient>,
        deal: DealId,
        batches: u32,
    ) -> Self {
        let follower = chain.follow(Cursor::at(chain.deployment().block), &[]);
        Self { deal, open: (0..batches).collect(), chain: follower, coordinator, progress: None, told: 0 }
    }

    /// The next thing; nothing after [`Watched::Settled`].
    pub async fn next(&mut self) -> Option<Watched> {
        if self.open.is_empty() {
            return None;
        }
        loop {
            if self.progress.is_none()
                && let Some(client) = self.coordinator.take()
            {
                // A coordinator that does not answer is not asked again: the chain suffices.
                self.progress = client.progress(Some(self.deal)).await.ok();
            }
            let progress = async {
                match &mut self.progress {
                    Some(stream) => stream.next().await.ok().flatten(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                event = progress => match event {
                    Some(event) if self.told < PROGRESS_MAX => {
                        self.told += 1;
                        return Some(Watched::Progress(Box::new(event)));
                    }
                    _ => self.progress = None,
                },
                update = self.chain.next() => {
                    let Update::Event(event) = update? else { continue };
                    if self.settles(&event.kind) && self.open.is_empty() {
                        return Some(Watched::Settled);
                    }
                }
            }
        }
    }

    /// Whether an event ends a batch of this deal.
    fn settles(&mut self, kind: &EventKind) -> bool {
        let EventKind::Certifier(event) = kind else { return false };
        let ended = match event {
            CertifierEvents::Certified(event) => Some((event.dealId, event.batch)),
            CertifierEvents::BatchExpired(event) => Some((event.dealId, event.batch)),
            CertifierEvents::RoundVoided(event) => Some((event.dealId, event.batch)),
            _ => None,
        };
        ended.is_some_and(|(deal, batch)| deal == self.deal.0 && self.open.remove(&batch))
    }
}
