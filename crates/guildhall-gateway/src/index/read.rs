//! Reading: an object, a page of objects, events, totals.

use guildhall_protocol::PoolId;
use sqlx::Row as _;

use super::{
    Index,
    db::{list, sql},
    fold::event_of,
};
use crate::{
    error::IndexError,
    objects::{Kind, Object, Point},
    recorded::{Place, Recorded},
};

/// Which objects of a kind, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// What they must have, all of it; nothing = all.
    pub facets: Vec<(&'static str, String)>,
    /// Only those after this one.
    pub after: Option<Place>,
    /// How many at most.
    pub limit: u32,
    /// Lowest rank first, where the usual order is the latest first.
    pub ascending: bool,
}

/// An object as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its place in lists.
    pub rank: Place,
    /// It.
    pub object: Object,
}

/// A page.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one goes on, if there is one.
    pub next: Option<Place>,
}

impl<T> Page<T> {
    /// A page of `limit` items, from what was read, which is one more where there is a next page.
    fn of(mut items: Vec<T>, limit: u32, rank: impl Fn(&T) -> Place) -> Self {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(rank);
        Self { items, next }
    }
}

impl Index {
    /// An object.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn object(&self, kind: Kind, id: &str) -> Result<Option<Object>, IndexError> {
        let statement = sqlx::query("SELECT body FROM objects WHERE kind = $1 AND id = $2");
        let row = self.db.row(statement.bind(kind.name().to_owned()).bind(id.to_owned())).await?;
        row.map(|row| Ok(Object::from_json(kind, row.try_get(0)?)?)).transpose()
    }

    /// Several objects of a kind, in any order.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn objects(&self, kind: Kind, ids: &[String]) -> Result<Vec<Object>, IndexError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let text = format!("SELECT body FROM objects WHERE kind = $1 AND id IN ({})", list(2, ids.len()));
        let statement = sql(text).bind(kind.name().to_owned());
        let statement = ids.iter().fold(statement, |statement, id| statement.bind(id.clone()));
        let rows = self.db.rows(statement).await?;
        rows.iter().map(|row| Ok(Object::from_json(kind, row.try_get(0)?)?)).collect()
    }

    /// A page of objects.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn list(&self, kind: Kind, query: &Query) -> Result<Page<Listed>, IndexError> {
        let all = [("", String::new())];
        let facets: &[_] = if query.facets.is_empty() { &all } else { &query.facets };
        let (order, beyond) = if query.ascending { ("ASC", ">") } else { ("DESC", "<") };
        let mut text = "SELECT o.body, o.rank FROM facets f0".to_owned();
        let mut conditions = vec!["f0.kind = $1".to_owned()];
        for number in 0..facets.len() {
            if number > 0 {
                text.push_str(&format!(
                    " JOIN facets f{number} ON f{number}.kind = f0.kind AND f{number}.rank = f0.rank \
                     AND f{number}.id = f0.id"
                ));
            }
            let (name, value) = (number * 2 + 2, number * 2 + 3);
            conditions.push(format!("f{number}.name = ${name} AND f{number}.value = ${value}"));
        }
        text.push_str(" JOIN objects o ON o.kind = f0.kind AND o.id = f0.id WHERE ");
        let next = facets.len() * 2 + 2;
        if query.after.is_some() {
            conditions.push(format!("f0.rank {beyond} ${}", next + 1));
        }
        text.push_str(&conditions.join(" AND "));
        text.push_str(&format!(" ORDER BY f0.rank {order} LIMIT ${next}"));
        let mut statement = sql(text).bind(kind.name().to_owned());
        for (name, value) in facets {
            statement = statement.bind((*name).to_owned()).bind(value.clone());
        }
        statement = statement.bind(i64::from(query.limit) + 1);
        if let Some(after) = query.after {
            statement = statement.bind(after.0);
        }
        let rows = self.db.rows(statement).await?;
        let items = rows.iter().map(|row| {
            Ok(Listed { rank: Place(row.try_get(1)?), object: Object::from_json(kind, row.try_get(0)?)? })
        });
        Ok(Page::of(items.collect::<Result<Vec<_>, IndexError>>()?, query.limit, |listed| listed.rank))
    }

    /// A page of the events that touched an object, the first ones first.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn events(
        &self,
        kind: Kind,
        id: &str,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Page<Recorded>, IndexError> {
        let statement = sqlx::query(
            "SELECT e.place, e.transaction_hash, e.name, e.contract, e.payload FROM touches t \
             JOIN events e ON e.place = t.place WHERE t.kind = $1 AND t.id = $2 AND t.place > $3 \
             ORDER BY t.place LIMIT $4",
        );
        let statement = statement
            .bind(kind.name().to_owned())
            .bind(id.to_owned())
            .bind(after.map_or(-1, |after| after.0))
            .bind(i64::from(limit) + 1);
        let rows = self.db.rows(statement).await?;
        let events = rows.iter().map(event_of).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(events, limit, |event| event.place))
    }

    /// A page of a worker's history, the latest first.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn history(
        &self,
        worker: &str,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Page<(Place, Point)>, IndexError> {
        let statement = sqlx::query(
            "SELECT place, body FROM points WHERE id = $1 AND place < $2 ORDER BY place DESC LIMIT $3",
        );
        let before = after.map_or(i64::MAX, |after| after.0);
        let rows =
            self.db.rows(statement.bind(worker.to_owned()).bind(before).bind(i64::from(limit) + 1)).await?;
        let points = rows.iter().map(|row| {
            let body: String = row.try_get(1)?;
            Ok((Place(row.try_get(0)?), serde_json::from_str(&body)?))
        });
        Ok(Page::of(points.collect::<Result<Vec<_>, IndexError>>()?, limit, |(place, _)| *place))
    }

    /// Totals of a name by value.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn totals(&self, name: &str) -> Result<Vec<(String, i64)>, IndexError> {
        let statement = sqlx::query("SELECT value, total FROM totals WHERE name = $1 ORDER BY value");
        let rows = self.db.rows(statement.bind(name.to_owned())).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// One total; zero where nothing adds to it.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn total(&self, name: &str, value: &str) -> Result<i64, IndexError> {
        let statement = sqlx::query("SELECT total FROM totals WHERE name = $1 AND value = $2");
        let row = self.db.row(statement.bind(name.to_owned()).bind(value.to_owned())).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
    }

    /// Operators that have an active worker in a pool.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn operators_of(&self, pool: PoolId) -> Result<i64, IndexError> {
        let statement =
            sqlx::query("SELECT COUNT(*) FROM totals WHERE name = 'pool_operators' AND value LIKE $1");
        let row = self.db.row(statement.bind(format!("{pool}/%"))).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
    }
}
