//! Server-sent events: what changes, by topic, and again from where a stream was cut.

use std::{collections::BTreeSet, convert::Infallible, sync::Arc};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse as _,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{StreamExt as _, stream};
use guildhall_service::Problem;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{
    Shared,
    answer::{Answer, Params},
};
use crate::{
    hub::{Hub, Joined, Told},
    limits::{KEEP_ALIVE, STREAMS, TOPICS_A_STREAM},
};

/// Longest topic, in bytes.
const TOPIC_BYTES: usize = 80;

fn topics(params: &mut Params) -> Result<BTreeSet<String>, Problem> {
    let topics: BTreeSet<_> = params.all("topic").into_iter().map(|topic| topic.to_lowercase()).collect();
    if topics.is_empty() || topics.len() > TOPICS_A_STREAM {
        let detail = format!("{} topics were named, from 1 to {TOPICS_A_STREAM} are taken", topics.len());
        return Err(Problem::bad_request("gateway.topics", detail).with_hint("such as `?topic=now`"));
    }
    for topic in &topics {
        let kind = topic.split_once(':').map_or(topic.as_str(), |(kind, _)| kind);
        let named = topic.len() > kind.len() + 1 && topic.len() <= TOPIC_BYTES;
        let known = matches!(kind, "deal" | "round" | "worker" | "pool") && named;
        if topic != "now" && topic != "orders" && !known {
            let shown: String = topic.chars().take(TOPIC_BYTES).collect();
            return Err(Problem::bad_request("gateway.topics", format!("`{shown}` is no topic"))
                .with_hint("write `now`, `orders`, or `deal:`, `round:`, `worker:`, `pool:` and an id"));
        }
    }
    Ok(topics)
}

/// Counts a stream for as long as it is open.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!("gateway_streams").increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("gateway_streams").decrement(1.0);
    }
}

/// A stream from where it stands.
struct Walk {
    _counted: Counted,
    hub: Arc<Hub>,
    topics: BTreeSet<String>,
    events: broadcast::Receiver<Arc<Told>>,
    last: u64,
}

impl Walk {
    fn reset(&self) -> Event {
        Event::default().id(self.hub.id(self.last)).event("reset").data(r#"{"kind":"reset"}"#)
    }

    /// The event as this stream hears it; nothing where it is of other topics.
    fn of(&mut self, told: &Told) -> Option<Event> {
        self.last = self.last.max(told.number);
        if told.reset {
            return Some(self.reset());
        }
        let (_, data) = told.to.iter().find(|(topic, _)| self.topics.contains(topic))?;
        Some(Event::default().id(self.hub.id(told.number)).data(data))
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            match self.events.recv().await {
                Ok(told) => {
                    if let Some(event) = self.of(&told) {
                        return Some(event);
                    }
                }
                Err(RecvError::Lagged(events)) => {
                    metrics::counter!("gateway_streams_lagged_total").increment(1);
                    tracing::debug!(events, "a stream was too slow");
                    return Some(self.reset());
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// `GET /events`.
pub(super) async fn stream(State(desk): Shared, mut params: Params, headers: HeaderMap) -> Answer {
    let topics = topics(&mut params)?;
    params.done()?;
    let last = headers.get("last-event-id").and_then(|last| last.to_str().ok());
    let full = || {
        Problem::unavailable("gateway.streams", format!("{STREAMS} streams are open, which is all there are"))
    };
    let Joined { events, missed, reset, last } = desk.hub.join(last).ok_or_else(full)?;
    let mut walk = Walk { _counted: Counted::new(), hub: desk.hub.clone(), topics, events, last };
    // The first event says from where on a stream is to be resumed, before anything happens.
    let hello = Event::default().id(walk.hub.id(last)).comment("from here on");
    let mut first = if reset { vec![walk.reset()] } else { vec![hello] };
    first.extend(missed.iter().filter_map(|told| walk.of(told)));
    walk.last = last;
    let rest = stream::unfold(walk, |mut walk| async move { walk.next().await.map(|event| (event, walk)) });
    let events = stream::iter(first).chain(rest).map(Ok::<_, Infallible>);
    let events = events.take_until(desk.stop.clone().cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}
