//! Who listens to what changes. Every event is kept once, for all streams together; a stream that is too slow is told to read
//! again, and never holds up another.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::{
    limits::{EVENTS_REMEMBERED, STREAMS},
    objects::{Key, Kind},
};

/// Events that wait for a slow stream; who is slower gets `reset`.
const QUEUE: usize = 1_024;
/// Changes of one block that are told one by one; more are told as one `reset`.
const CHANGES_TOLD: usize = 2_000;

/// An event as streams send it.
#[derive(Debug)]
pub struct Told {
    /// Its number since the start.
    pub number: u64,
    /// Each topic that it belongs to, with the event as JSON.
    pub to: Vec<(String, String)>,
    /// Whether everybody has to read again.
    pub reset: bool,
}

/// The events that were told, and who listens.
#[derive(Debug)]
pub struct Hub {
    /// Told apart from numbers of before a restart.
    epoch: u64,
    told: Mutex<(u64, VecDeque<Arc<Told>>)>,
    streams: broadcast::Sender<Arc<Told>>,
}

impl Default for Hub {
    fn default() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            epoch: since.as_millis().try_into().unwrap_or(u64::MAX),
            told: Mutex::default(),
            streams: broadcast::Sender::new(QUEUE),
        }
    }
}

/// What a stream begins with.
#[derive(Debug)]
pub struct Joined {
    /// What is told from now on.
    pub events: broadcast::Receiver<Arc<Told>>,
    /// What was told since the last event that the client has.
    pub missed: Vec<Arc<Told>>,
    /// Whether some of that is not remembered any more.
    pub reset: bool,
    /// The last number before the stream.
    pub last: u64,
}

impl Hub {
    /// The id of an event, as `Last-Event-ID` brings it back.
    pub fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.epoch)
    }

    /// Listens, from after `last` on. Nothing when too many do.
    pub fn join(&self, last: Option<&str>) -> Option<Joined> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if self.streams.receiver_count() >= STREAMS {
            return None;
        }
        let events = self.streams.subscribe();
        let (now, remembered) = &*told;
        let known = last.map(|last| {
            let (epoch, number) = last.split_once('-')?;
            let number: u64 = number.parse().ok()?;
            let oldest = remembered.front().map_or(*now + 1, |told| told.number);
            (epoch == self.epoch.to_string() && number <= *now && number + 1 >= oldest).then_some(number)
        });
        let (missed, reset) = match known {
            None => (Vec::new(), false),
            Some(None) => (Vec::new(), true),
            Some(Some(number)) => {
                (remembered.iter().filter(|told| told.number > number).cloned().collect(), false)
            }
        };
        Some(Joined { events, missed, reset, last: *now })
    }

    /// Tells an event to topics; its `topic` is added for each.
    pub fn tell(&self, topics: impl IntoIterator<Item = String>, event: &Value) {
        let to = topics.into_iter().map(|topic| {
            let mut told = json!({ "topic": topic });
            if let (Some(told), Some(event)) = (told.as_object_mut(), event.as_object()) {
                told.extend(event.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            (topic, told.to_string())
        });
        self.push(to.collect(), false);
    }

    fn push(&self, to: Vec<(String, String)>, reset: bool) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.0 += 1;
        let event = Arc::new(Told { number: told.0, to, reset });
        if told.1.len() >= EVENTS_REMEMBERED {
            told.1.pop_front();
        }
        told.1.push_back(event.clone());
        metrics::counter!("gateway_events_told_total").increment(1);
        // Nobody listening is no error.
        let _ = self.streams.send(event);
    }

    /// Tells which objects have a new state.
    pub fn changed(&self, keys: &[Key], block: u64) {
        if keys.is_empty() {
            return;
        }
        if keys.len() > CHANGES_TOLD {
            return self.push(Vec::new(), true);
        }
        for key in keys {
            let kind = key.kind.name();
            let event =
                json!({ "kind": "changed", "object": kind, "id": key.id, "block": block.to_string() });
            // What everybody looks at: what is certified, and what there is on the market.
            let now = matches!(key.kind, Kind::Certificate | Kind::Deal | Kind::Asset | Kind::Pool)
                .then(|| "now".to_owned());
            let topics: Vec<_> = topic_of(key).into_iter().chain(now).collect();
            if !topics.is_empty() {
                self.tell(topics, &event);
            }
        }
    }

    /// Tells that orders came to the book, or left it.
    pub fn book_changed(&self) {
        self.tell(["orders".to_owned()], &json!({ "kind": "changed", "object": "order" }));
    }

    /// Tells that the chain was undone from a block on.
    pub fn reverted(&self, from: u64, keys: &[Key]) {
        let mut topics: Vec<_> = keys.iter().filter_map(topic_of).collect();
        topics.push("now".to_owned());
        topics.sort();
        topics.dedup();
        self.tell(topics, &json!({ "kind": "reverted", "from": from.to_string() }));
    }
}

/// Whose stream hears of an object.
fn topic_of(key: &Key) -> Option<String> {
    let of_deal = || key.id.split('/').next().map(|deal| format!("deal:{deal}"));
    match key.kind {
        Kind::Deal | Kind::Batch | Kind::Certificate | Kind::Task => of_deal(),
        Kind::Worker => Some(format!("worker:{}", key.id)),
        Kind::Pool => Some(format!("pool:{}", key.id)),
        // A case changes its batch as well, which tells the deal's.
        Kind::Case | Kind::Operator | Kind::Asset | Kind::Account => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(hub: &Hub, count: u64) {
        (0..count).for_each(|_| hub.tell(["now".to_owned()], &json!({ "kind": "changed" })));
    }

    #[test]
    fn who_comes_back_hears_what_was_missed() {
        let hub = Hub::default();
        say(&hub, 5);
        let joined = hub.join(Some(&hub.id(3))).expect("room");
        assert_eq!(joined.missed.iter().map(|told| told.number).collect::<Vec<_>>(), [4, 5]);
        assert!(!joined.reset);
        let (topic, said) = &joined.missed[0].to[0];
        assert_eq!(topic, "now");
        let said: serde_json::Value = serde_json::from_str(said).expect("JSON");
        assert_eq!(said, json!({ "kind": "changed", "topic": "now" }));
    }

    #[test]
    fn who_was_away_for_too_long_or_before_a_restart_reads_again() {
        let hub = Hub::default();
        say(&hub, EVENTS_REMEMBERED as u64 + 10);
        for last in ["1-3", "nonsense", "", &hub.id(2), &hub.id(u64::MAX)] {
            let joined = hub.join(Some(last)).expect("room");
            assert!(joined.reset && joined.missed.is_empty(), "{last}");
        }
        assert!(!hub.join(None).expect("room").reset);
    }

    #[test]
    fn a_change_is_told_to_its_topic_and_a_flood_is_one_reset() {
        let hub = Hub::default();
        let mut joined = hub.join(None).expect("room");
        hub.changed(&[Key::new(Kind::Batch, "0xab/7")], 9);
        let told = joined.events.try_recv().expect("told");
        assert_eq!(told.to.len(), 1);
        assert_eq!(told.to[0].0, "deal:0xab");
        hub.changed(&[Key::new(Kind::Asset, "3"), Key::new(Kind::Account, "0x1")], 9);
        let told = joined.events.try_recv().expect("told");
        assert_eq!((told.to.len(), told.to[0].0.as_str()), (1, "now"));
        assert!(joined.events.try_recv().is_err(), "an account has no topic");
        let many: Vec<_> = (0..=CHANGES_TOLD).map(|number| Key::new(Kind::Worker, number)).collect();
        hub.changed(&many, 10);
        assert!(joined.events.try_recv().expect("told").reset);
        assert!(joined.events.try_recv().is_err());
    }
}
