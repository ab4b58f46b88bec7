//! Follows the chain into the index, and tells who listens.

use std::sync::Arc;

use guildhall_chain::{ChainClient, Update};
use guildhall_protocol::UnixTime;
use guildhall_service::CancellationToken;

use crate::{
    book::Book,
    error::IndexError,
    hub::Hub,
    index::{Head, Index},
    limits::EVENTS_A_WRITE,
    objects::Key,
    recorded::Recorded,
};

/// What follows.
#[derive(Clone, Debug)]
pub(crate) struct Follow {
    /// The chain.
    pub(crate) chain: ChainClient,
    /// Where events go.
    pub(crate) index: Arc<Index>,
    /// Who is told.
    pub(crate) hub: Arc<Hub>,
    /// What hears of orders that are over.
    pub(crate) book: Book,
}

impl Follow {
    /// Follows until `stop`.
    ///
    /// # Errors
    /// [`IndexError`]; the caller starts it again, from the last cursor.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), IndexError> {
        // What was written after the last head by a run that failed.
        let mut cursor = self.index.cursor().await?;
        self.index.revert(cursor.next).await?;
        loop {
            let mut updates = self.chain.follow(cursor, &[]);
            let mut events = Vec::new();
            let mut changed = Vec::new();
            cursor = loop {
                let next = stop.run_until_cancelled(updates.next()).await;
                let Some(Some(update)) = next else { return Ok(()) };
                match update {
                    Update::Event(event) => {
                        if let Some((deal, batch)) = event.kind.deal() {
                            tracing::debug!(%deal, ?batch, event = event.name, "the chain tells");
                        }
                        events.push(Recorded::from(*event));
                    }
                    Update::Head { number, time, cursor, .. } => {
                        let head = Head { number, time: UnixTime(time), cursor };
                        changed.extend(self.index.write(&events, Some(&head)).await?);
                        self.heard(&events, head.time).await;
                        self.tell(std::mem::take(&mut changed), number);
                        events.clear();
                    }
                    Update::Reverted { from, deep: false } => {
                        events.clear();
                        let keys = self.index.revert(from).await?;
                        metrics::counter!("gateway_reorganisations_total").increment(1);
                        self.hub.reverted(from, &keys);
                    }
                    // Below what the cursor knows anything may have changed: read it all again.
                    Update::Reverted { from, deep: true } => {
                        tracing::warn!(from, "a deep reorganisation: the index is built again");
                        let cursor = self.index.forget().await?;
                        self.hub.reverted(0, &[]);
                        break cursor;
                    }
                }
                if events.len() >= EVENTS_A_WRITE {
                    // The head of a long range comes late: what is known is written, the cursor stays.
                    changed.extend(self.index.write(&events, None).await?);
                    self.heard(&events, UnixTime::ZERO).await;
                    events.clear();
                }
            };
        }
    }

    /// The book hears of everything; where it fails, an order stays too long, and the chain is followed all the same.
    async fn heard(&self, events: &[Recorded], now: UnixTime) {
        match self.book.heard(&self.chain, events, now).await {
            Ok(true) => self.hub.book_changed(),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the order book did not hear of a block"),
        }
    }

    fn tell(&self, mut keys: Vec<Key>, block: u64) {
        keys.sort();
        keys.dedup();
        metrics::gauge!("gateway_indexed_block").set(block as f64);
        self.hub.changed(&keys, block);
    }
}
