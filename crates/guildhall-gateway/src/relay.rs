//! Listens to the coordinators of all pools, and tells their rounds' steps to who listens here.
//!
//! A coordinator is believed nothing: what it says goes to streams as its word, bounded, and a round counts for the pool whose
//! coordinator said it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use guildhall_api::{ProgressEvent, ProgressStep};
use guildhall_protocol::{PoolId, RoundId};
use guildhall_service::CancellationToken;
use serde_json::json;
use tokio::task::AbortHandle;

use crate::{
    error::IndexError,
    hub::Hub,
    index::{Index, Query},
    limits::{PAGE_MAX, RELAY_WAITS, RELAYS},
    objects::{Kind, Object},
    peers::Peers,
};

/// Rounds whose pool is remembered; the oldest are forgotten first.
const ROUNDS_REMEMBERED: usize = 16_384;

/// Which pool's coordinator speaks of which round.
#[derive(Debug, Default)]
pub struct Rounds {
    known: Mutex<(HashMap<RoundId, PoolId>, VecDeque<RoundId>)>,
}

impl Rounds {
    /// The pool of a round.
    pub fn pool_of(&self, round: RoundId) -> Option<PoolId> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).0.get(&round).copied()
    }

    fn note(&self, round: RoundId, pool: PoolId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (pools, order) = &mut *known;
        // Who speaks first of a round is who is asked for it.
        if pools.contains_key(&round) {
            return;
        }
        if order.len() >= ROUNDS_REMEMBERED
            && let Some(oldest) = order.pop_front()
        {
            pools.remove(&oldest);
        }
        order.push_back(round);
        pools.insert(round, pool);
    }
}

/// What relays.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    /// Where the pools' addresses are.
    pub(crate) index: Arc<Index>,
    /// Who is told.
    pub(crate) hub: Arc<Hub>,
    /// The way to coordinators.
    pub(crate) peers: Peers,
    /// Which rounds are whose.
    pub(crate) rounds: Arc<Rounds>,
}

/// The streams that are open, by pool, each with its address.
struct Open(HashMap<PoolId, (String, AbortHandle)>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.values().for_each(|(_, task)| task.abort());
    }
}

impl Relay {
    /// Relays until `stop`.
    ///
    /// # Errors
    /// [`IndexError`]; the caller starts it again.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), IndexError> {
        let mut open = Open(HashMap::new());
        let mut reached = self.index.reached();
        loop {
            let wanted = self.wanted().await?;
            open.0.retain(|pool, (url, task)| {
                let stays = wanted.get(pool) == Some(url) && !task.is_finished();
                if !stays {
                    task.abort();
                }
                stays
            });
            for (pool, url) in wanted {
                open.0.entry(pool).or_insert_with(|| {
                    let task = tokio::spawn(self.clone().listen(pool, url.clone())).abort_handle();
                    (url, task)
                });
            }
            metrics::gauge!("gateway_relays").set(open.0.len() as f64);
            // Addresses change with blocks, and seldom: a look a second at most.
            let pause = tokio::time::sleep(RELAY_WAITS.0);
            let waited = stop
                .run_until_cancelled(async {
                    pause.await;
                    reached.changed().await
                })
                .await;
            if !matches!(waited, Some(Ok(()))) {
                return Ok(());
            }
        }
    }

    async fn wanted(&self) -> Result<HashMap<PoolId, String>, IndexError> {
        let mut wanted = HashMap::new();
        let mut query = Query { limit: PAGE_MAX, ascending: true, ..Query::default() };
        loop {
            let page = self.index.list(Kind::Pool, &query).await?;
            for listed in page.items {
                let Object::Pool(pool) = listed.object else { continue };
                if let Some(endpoint) = pool.endpoint
                    && wanted.len() < RELAYS
                {
                    wanted.insert(pool.id, endpoint);
                }
            }
            query.after = page.next;
            if query.after.is_none() || wanted.len() >= RELAYS {
                return Ok(wanted);
            }
        }
    }

    async fn listen(self, pool: PoolId, url: String) {
        let Ok(client) = self.peers.coordinator(&url) else {
            tracing::debug!(%pool, "the pool's address is none that is asked");
            return std::future::pending().await;
        };
        let mut wait = RELAY_WAITS.0;
        loop {
            match client.progress(None).await {
                Ok(mut events) => {
                    wait = RELAY_WAITS.0;
                    while let Ok(Some(event)) = events.next().await {
                        self.tell(pool, &event);
                    }
                }
                Err(error) => tracing::debug!(%pool, %error, "the pool's coordinator does not answer"),
            }
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2).min(RELAY_WAITS.1);
        }
    }

    fn tell(&self, pool: PoolId, event: &ProgressEvent) {
        self.rounds.note(event.round.id, pool);
        event.round.span().in_scope(|| tracing::debug!(%pool, step = ?event.step, "the coordinator tells"));
        let missed = matches!(event.step, ProgressStep::Missed { .. });
        let topics = [
            format!("round:{}", event.round.id),
            format!("deal:{}", event.round.deal),
            format!("pool:{pool}"),
        ];
        let now = matches!(event.step, ProgressStep::Ended { .. }).then(|| "now".to_owned());
        let topics = topics.into_iter().chain(now).take(if missed { 1 } else { 4 });
        self.hub.tell(topics, &json!({ "kind": "progress", "pool": pool, "progress": event }));
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;
    use guildhall_api::{Outcome, RoundRef};
    use guildhall_protocol::{DealId, UnixTime};

    use super::*;

    #[test]
    fn who_speaks_first_of_a_round_is_asked_for_it_and_rounds_are_bounded() {
        let rounds = Rounds::default();
        let round = |number: usize| RoundId(alloy::primitives::U256::from(number).into());
        rounds.note(round(0), PoolId(1));
        rounds.note(round(0), PoolId(2));
        assert_eq!(rounds.pool_of(round(0)), Some(PoolId(1)));
        (1..=ROUNDS_REMEMBERED).for_each(|number| rounds.note(round(number), PoolId(3)));
        assert_eq!(rounds.pool_of(round(0)), None);
        assert_eq!(rounds.pool_of(round(ROUNDS_REMEMBERED)), Some(PoolId(3)));
    }

    #[tokio::test]
    async fn a_step_is_told_to_its_round_and_deal_and_pool_and_an_end_to_everybody() {
        let dir = tempfile::tempdir().expect("a directory");
        let url = crate::index::file_url(&dir.path().join("index.sqlite")).expect("a path");
        let index = Index::open(&url, &crate::index::testing::deployment()).await.expect("opens");
        let relay = Relay {
            index: Arc::new(index),
            hub: Arc::default(),
            peers: Peers::new(false).expect("a client"),
            rounds: Arc::default(),
        };
        let mut joined = relay.hub.join(None).expect("room");
        let (id, deal) = (RoundId(B256::repeat_byte(1)), DealId(B256::repeat_byte(2)));
        let round = RoundRef { id, deal, batch: 0, attempt: 0 };
        let mut told = |step| {
            relay.tell(PoolId(3), &ProgressEvent { time: UnixTime(5), round, step });
            let told = joined.events.try_recv().expect("told");
            told.to.iter().map(|(topic, _)| topic.clone()).collect::<Vec<_>>()
        };
        let own = [format!("round:{id}"), format!("deal:{deal}"), "pool:3".to_owned()];
        assert_eq!(told(ProgressStep::Listed { wave: 1, entries: 2 }), own);
        assert_eq!(told(ProgressStep::Missed { events: 1 }), own[..1]);
        let ended = told(ProgressStep::Ended { outcome: Outcome::Reopened });
        assert_eq!((&ended[..3], &ended[3..]), (&own[..], &["now".to_owned()][..]));
        assert_eq!(relay.rounds.pool_of(id), Some(PoolId(3)));
    }
}
