//! Writing: events in, objects folded, and undone again.
//!
//! Objects are read once, folded in memory and written once, however many events of one write touch them.

use std::collections::{BTreeMap, HashMap};

use guildhall_protocol::Terms;
use sqlx::{Row as _, any::AnyRow};

use super::db::{Writing, list, places, sql};
use crate::{
    error::IndexError,
    limits::ROWS_A_STATEMENT,
    objects::{Context, Facet, Key, Kind, Object, touched},
    recorded::{Place, Recorded},
};

/// An object before and after a write.
#[derive(Debug, Default)]
struct Entry {
    before: Option<Object>,
    now: Option<Object>,
}

/// What a write changes.
#[derive(Debug, Default)]
struct Work {
    entries: HashMap<Key, Entry>,
    /// Worker, place and body of points of history.
    points: Vec<(String, Place, String)>,
}

/// Adds events and folds what they touch. Answers what changed.
pub(super) async fn add(writing: &mut Writing<'_>, events: &[Recorded]) -> Result<Vec<Key>, IndexError> {
    let touches = touches_of(writing, events).await?;
    let mut work = Work::default();
    let mut keys: Vec<_> = touches.iter().flatten().cloned().collect();
    keys.sort();
    keys.dedup();
    work.load(writing, &keys).await?;
    for (event, keys) in events.iter().zip(&touches) {
        for key in keys {
            work.apply(key, event)?;
        }
    }
    insert_events(writing, events).await?;
    let placed =
        events.iter().zip(&touches).flat_map(|(event, keys)| keys.iter().map(|key| (key, event.place)));
    insert_touches(writing, &placed.collect::<Vec<_>>()).await?;
    work.save(writing).await
}

/// Deletes every event from a place on and folds what they had touched again. Answers what changed.
pub(super) async fn undo(writing: &mut Writing<'_>, from: Place) -> Result<Vec<Key>, IndexError> {
    let gone = sqlx::query("SELECT DISTINCT kind, id FROM touches WHERE place >= $1").bind(from.0);
    let mut keys = Vec::new();
    for row in writing.rows(gone).await? {
        keys.push(Key { kind: kind_of(&row, 0)?, id: row.try_get(1)? });
    }
    for table in ["touches", "events", "points"] {
        writing.run(sql(format!("DELETE FROM {table} WHERE place >= $1")).bind(from.0)).await?;
    }
    // Deals come first: the others are folded with their terms.
    keys.sort();
    let mut work = Work::default();
    work.load(writing, &keys).await?;
    for key in &keys {
        work.fold_again(writing, key).await?;
    }
    // Points of history before `from` are those that were written: they are functions of earlier events alone.
    work.points.clear();
    work.save(writing).await
}

fn kind_of(row: &AnyRow, column: usize) -> Result<Kind, IndexError> {
    let name: String = row.try_get(column)?;
    Kind::of_name(&name).ok_or_else(|| IndexError::Damaged(format!("`{name}` is no kind of object")))
}

/// The keys that each event touches, in the order in which they are folded.
async fn touches_of(writing: &mut Writing<'_>, events: &[Recorded]) -> Result<Vec<Vec<Key>>, IndexError> {
    let mut opened: HashMap<String, Vec<Key>> = HashMap::new();
    let mut all = Vec::with_capacity(events.len());
    for event in events {
        let found = touched(event);
        let mut keys = found.keys;
        if let Some(case) = event.kind.case_opened() {
            let task = format!("{}/{}/{}", case.deal, case.facts.batch, case.facts.index);
            opened.entry(task).or_default().push(Key::new(Kind::Case, case.id()));
        }
        if let Some(task) = found.cases_of {
            let known =
                sqlx::query("SELECT id FROM facets WHERE kind = 'case' AND name = 'task' AND value = $1");
            for row in writing.rows(known.bind(task.clone())).await? {
                keys.push(Key { kind: Kind::Case, id: row.try_get(0)? });
            }
            keys.extend(opened.get(&task).into_iter().flatten().cloned());
            keys.sort();
            keys.dedup();
        }
        all.push(keys);
    }
    Ok(all)
}

async fn insert_events(writing: &mut Writing<'_>, events: &[Recorded]) -> Result<(), IndexError> {
    for part in events.chunks(ROWS_A_STATEMENT) {
        let text = format!(
            "INSERT INTO events (place, transaction_hash, name, contract, payload) VALUES {}",
            places(part.len(), 5)
        );
        let statement = part.iter().fold(sql(text), |statement, event| {
            statement
                .bind(event.place.0)
                .bind(event.transaction.to_string())
                .bind(event.name.clone())
                .bind(event.kind.contract().to_owned())
                .bind(event.payload())
        });
        writing.run(statement).await?;
    }
    Ok(())
}

async fn insert_touches(writing: &mut Writing<'_>, touches: &[(&Key, Place)]) -> Result<(), IndexError> {
    for part in touches.chunks(ROWS_A_STATEMENT) {
        let text = format!("INSERT INTO touches (kind, id, place) VALUES {}", places(part.len(), 3));
        let statement = part.iter().fold(sql(text), |statement, (key, place)| {
            statement.bind(key.kind.name().to_owned()).bind(key.id.clone()).bind(place.0)
        });
        writing.run(statement).await?;
    }
    Ok(())
}

impl Work {
    /// Reads the objects as they are.
    async fn load(&mut self, writing: &mut Writing<'_>, keys: &[Key]) -> Result<(), IndexError> {
        for kind in Kind::ALL {
            let of_kind: Vec<_> = keys.iter().filter(|key| key.kind == kind).collect();
            for part in of_kind.chunks(ROWS_A_STATEMENT) {
                let text = format!(
                    "SELECT id, body FROM objects WHERE kind = $1 AND id IN ({})",
                    list(2, part.len())
                );
                let statement = part.iter().fold(sql(text).bind(kind.name().to_owned()), |statement, key| {
                    statement.bind(key.id.clone())
                });
                for row in writing.rows(statement).await? {
                    let object = Object::from_json(kind, row.try_get(1)?)?;
                    let entry = Entry { before: Some(object.clone()), now: Some(object) };
                    self.entries.insert(Key { kind, id: row.try_get(0)? }, entry);
                }
            }
        }
        Ok(())
    }

    fn terms(&self, event: &Recorded) -> Option<Terms> {
        let entry = self.entries.get(&Key::new(Kind::Deal, event.deal()?))?;
        match &entry.now {
            // As it was then: what is folded again must not see a deal that opened after the event.
            Some(Object::Deal(deal)) if deal.place <= event.place => Some(deal.terms),
            _ => None,
        }
    }

    fn apply(&mut self, key: &Key, event: &Recorded) -> Result<(), IndexError> {
        let terms = self.terms(event);
        let entry = self.entries.entry(key.clone()).or_default();
        let point = |object: &Option<Object>| match object {
            Some(Object::Worker(worker)) => Some(worker.point()),
            _ => None,
        };
        let before = point(&entry.now);
        entry.now = Object::fold(entry.now.take(), key, event, Context { terms: terms.as_ref() });
        let after = point(&entry.now);
        if let Some(after) = after.filter(|_| before != after) {
            self.points.push((key.id.clone(), event.place, serde_json::to_string(&after)?));
        }
        Ok(())
    }

    /// Folds an object from its first event on.
    async fn fold_again(&mut self, writing: &mut Writing<'_>, key: &Key) -> Result<(), IndexError> {
        self.entries.entry(key.clone()).or_default().now = None;
        let statement = sqlx::query(
            "SELECT e.place, e.transaction_hash, e.name, e.contract, e.payload FROM touches t \
             JOIN events e ON e.place = t.place WHERE t.kind = $1 AND t.id = $2 ORDER BY e.place",
        );
        let rows = writing.rows(statement.bind(key.kind.name().to_owned()).bind(key.id.clone())).await?;
        for row in rows {
            let event = event_of(&row)?;
            self.terms_for(writing, key, &event).await?;
            self.apply(key, &event)?;
        }
        Ok(())
    }

    /// Sees to it that the deal of an event is at hand: a worker that is folded again has events of deals that did not change.
    async fn terms_for(
        &mut self,
        writing: &mut Writing<'_>,
        key: &Key,
        event: &Recorded,
    ) -> Result<(), IndexError> {
        let Some(deal) = event.deal().map(|deal| Key::new(Kind::Deal, deal)) else { return Ok(()) };
        if key.kind == Kind::Deal || self.entries.contains_key(&deal) {
            return Ok(());
        }
        self.load(writing, &[deal]).await
    }

    /// Writes what is different now. Answers what that was.
    async fn save(self, writing: &mut Writing<'_>) -> Result<Vec<Key>, IndexError> {
        let mut changed: Vec<_> =
            self.entries.into_iter().filter(|(_, entry)| entry.before != entry.now).collect();
        changed.sort_by(|(one, _), (other, _)| one.cmp(other));
        save_objects(writing, &changed).await?;
        save_facets(writing, &changed).await?;
        save_totals(writing, &changed).await?;
        save_points(writing, &self.points).await?;
        Ok(changed.into_iter().map(|(key, _)| key).collect())
    }
}

/// Reads an event's row: place, transaction, name, contract, payload.
pub(super) fn event_of(row: &AnyRow) -> Result<Recorded, IndexError> {
    let (place, transaction, name): (i64, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let (contract, payload): (String, Vec<u8>) = (row.try_get(3)?, row.try_get(4)?);
    Recorded::read(Place(place), &transaction, name, &contract, &payload)
        .ok_or_else(|| IndexError::Damaged(format!("the event at {place} cannot be read")))
}

async fn save_objects(writing: &mut Writing<'_>, changed: &[(Key, Entry)]) -> Result<(), IndexError> {
    let mut there = Vec::new();
    for (key, entry) in changed {
        match &entry.now {
            Some(object) => there.push((key, object)),
            None => {
                let statement = sqlx::query("DELETE FROM objects WHERE kind = $1 AND id = $2");
                writing.run(statement.bind(key.kind.name().to_owned()).bind(key.id.clone())).await?;
            }
        }
    }
    for part in there.chunks(ROWS_A_STATEMENT) {
        let text = format!(
            "INSERT INTO objects (kind, id, rank, body) VALUES {} \
             ON CONFLICT (kind, id) DO UPDATE SET rank = excluded.rank, body = excluded.body",
            places(part.len(), 4)
        );
        let mut statement = sql(text);
        for (key, object) in part {
            statement = statement
                .bind(key.kind.name().to_owned())
                .bind(key.id.clone())
                .bind(object.rank().0)
                .bind(object.to_json()?);
        }
        writing.run(statement).await?;
    }
    Ok(())
}

/// The facets of an object, each with the object's rank.
fn facets_of(object: Option<&Object>) -> Vec<(Facet, Place)> {
    object
        .map(|object| object.facets().into_iter().map(|facet| (facet, object.rank())).collect())
        .unwrap_or_default()
}

async fn save_facets(writing: &mut Writing<'_>, changed: &[(Key, Entry)]) -> Result<(), IndexError> {
    let mut new = Vec::new();
    for (key, entry) in changed {
        let (before, now) = (facets_of(entry.before.as_ref()), facets_of(entry.now.as_ref()));
        for ((name, value), rank) in before.iter().filter(|facet| !now.contains(facet)) {
            let statement = sqlx::query(
                "DELETE FROM facets WHERE kind = $1 AND name = $2 AND value = $3 AND rank = $4 AND id = $5",
            );
            let statement = statement.bind(key.kind.name().to_owned()).bind((*name).to_owned());
            writing.run(statement.bind(value.clone()).bind(rank.0).bind(key.id.clone())).await?;
        }
        new.extend(now.into_iter().filter(|facet| !before.contains(facet)).map(|facet| (key, facet)));
    }
    for part in new.chunks(ROWS_A_STATEMENT) {
        let text =
            format!("INSERT INTO facets (kind, name, value, rank, id) VALUES {}", places(part.len(), 5));
        let statement = part.iter().fold(sql(text), |statement, (key, ((name, value), rank))| {
            let statement = statement.bind(key.kind.name().to_owned()).bind((*name).to_owned());
            statement.bind(value.clone()).bind(rank.0).bind(key.id.clone())
        });
        writing.run(statement).await?;
    }
    Ok(())
}

async fn save_totals(writing: &mut Writing<'_>, changed: &[(Key, Entry)]) -> Result<(), IndexError> {
    let mut sums: BTreeMap<(&str, String), i64> = BTreeMap::new();
    let mut add = |object: Option<&Object>, sign: i64| {
        for (name, value, number) in object.map(Object::shares).unwrap_or_default() {
            let sum = sums.entry((name, value)).or_default();
            *sum = sum.wrapping_add(number.wrapping_mul(sign));
        }
    };
    for (_, entry) in changed {
        add(entry.before.as_ref(), -1);
        add(entry.now.as_ref(), 1);
    }
    let sums: Vec<_> = sums.into_iter().filter(|(_, number)| *number != 0).collect();
    for part in sums.chunks(ROWS_A_STATEMENT) {
        let text = format!(
            "INSERT INTO totals (name, value, total) VALUES {} \
             ON CONFLICT (name, value) DO UPDATE SET total = totals.total + excluded.total",
            places(part.len(), 3)
        );
        let statement = part.iter().fold(sql(text), |statement, ((name, value), number)| {
            statement.bind((*name).to_owned()).bind(value.clone()).bind(*number)
        });
        writing.run(statement).await?;
    }
    writing.run(sqlx::query("DELETE FROM totals WHERE total = 0")).await.map(|_| ())
}

async fn save_points(
    writing: &mut Writing<'_>,
    points: &[(String, Place, String)],
) -> Result<(), IndexError> {
    for part in points.chunks(ROWS_A_STATEMENT) {
        let text = format!("INSERT INTO points (id, place, body) VALUES {}", places(part.len(), 3));
        let statement = part.iter().fold(sql(text), |statement, (id, place, body)| {
            statement.bind(id.clone()).bind(place.0).bind(body.clone())
        });
        writing.run(statement).await?;
    }
    Ok(())
}
