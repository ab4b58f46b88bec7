//! The order book: signed orders that the Market would take now, the cheapest first.
//!
//! What is put on it was checked; what expires, is cancelled or filled leaves it with the block that says so. The Market
//! checks every order again, so an order that stays too long costs a refused transaction and nothing else.

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc};

use alloy::primitives::B256;
use futures::{StreamExt as _, stream};
use guildhall_chain::{
    ChainClient, EventKind,
    bindings::{
        Market::MarketEvents, Registry::RegistryEvents, Vault::VaultEvents, Workforce::WorkforceEvents,
    },
};
use guildhall_protocol::{AnyOrder, SignedOrder, UnixTime, matching::CANCELLED};
use sqlx::Row as _;

use crate::{
    error::IndexError,
    index::{
        Index,
        db::{Statement, Writing, sql},
    },
    limits::{ASKED_AT_ONCE, OFFERS_LOOKED_AT, ORDERS, ORDERS_PER_SIGNER, PAGE_MAX},
    objects::lower,
    recorded::Recorded,
};

/// Digits of a price: orders have prices of 96 bits, which have 29; so texts are ordered as numbers are.
const PRICE_DIGITS: usize = 30;

/// An order on the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Its digest.
    pub hash: B256,
    /// What it asks.
    pub price: String,
    /// Tasks that it has left; of a request its tasks.
    pub left: u64,
    /// The order.
    pub signed: SignedOrder,
}

/// Which orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Columns and what they must be.
    pub only: Vec<(&'static str, String)>,
    /// Only those after this price and hash.
    pub after: Option<(String, String)>,
    /// How many at most.
    pub limit: u32,
}

/// What putting an order on the book came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is on it.
    New,
    /// It was on it.
    Known,
    /// Its signer has too many.
    TooManyOfSigner,
    /// The book is full.
    Full,
}

/// The order book, in the index's database.
#[derive(Clone, Debug)]
pub struct Book {
    index: Arc<Index>,
}

/// The columns by which an order is found: app, dataset, pool.
fn subject(order: &AnyOrder) -> (String, String, String) {
    match order {
        AnyOrder::App(order) => (order.app.to_string(), String::new(), String::new()),
        AnyOrder::Dataset(order) => (String::new(), order.dataset.to_string(), String::new()),
        AnyOrder::Pool(order) => (String::new(), String::new(), order.pool.to_string()),
        AnyOrder::Request(order) => {
            (order.app.to_string(), order.dataset.to_string(), order.pool.to_string())
        }
    }
}

/// How many tasks an order is for, and its nonce.
pub(crate) fn volume_and_nonce(order: &AnyOrder) -> (u64, u64) {
    match order {
        AnyOrder::App(order) => (order.volume, order.nonce),
        AnyOrder::Dataset(order) => (order.volume, order.nonce),
        AnyOrder::Pool(order) => (order.volume, order.nonce.into()),
        AnyOrder::Request(order) => (order.taskCount.into(), order.nonce),
    }
}

fn listing(row: &sqlx::any::AnyRow) -> Result<Listing, IndexError> {
    let damaged = |what: &str| IndexError::Damaged(format!("an order's {what}"));
    let (hash, price, left, body): (String, String, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    Ok(Listing {
        hash: hash.parse().map_err(|_| damaged("hash"))?,
        price: trimmed(&price),
        left: left.parse().map_err(|_| damaged("rest"))?,
        signed: serde_json::from_str(&body)?,
    })
}

fn trimmed(price: &str) -> String {
    let digits = price.trim_start_matches('0');
    if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
}

/// A price as the book orders it.
pub(crate) fn padded(price: &str) -> String {
    format!("{price:0>PRICE_DIGITS$}")
}

impl Book {
    /// The book in an index's database.
    pub const fn new(index: Arc<Index>) -> Self {
        Self { index }
    }

    /// Puts an order on the book, which was checked.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn put(&self, signed: &SignedOrder, left: u64) -> Result<Put, IndexError> {
        let mut writing = self.index.db().write().await?;
        let known = sqlx::query("SELECT COUNT(*) FROM orders WHERE hash = $1");
        if count(&mut writing, known.bind(signed.digest().to_string())).await? > 0 {
            return Ok(Put::Known);
        }
        if count(&mut writing, sqlx::query("SELECT COUNT(*) FROM orders")).await? >= ORDERS {
            return Ok(Put::Full);
        }
        let signer = lower(signed.signer);
        let own = sqlx::query("SELECT COUNT(*) FROM orders WHERE signer = $1").bind(signer.clone());
        if count(&mut writing, own).await? >= ORDERS_PER_SIGNER {
            return Ok(Put::TooManyOfSigner);
        }
        let (app, dataset, pool) = subject(&signed.order);
        let (_, expiry) = signed.order.subject_and_expiry();
        let (_, nonce) = volume_and_nonce(&signed.order);
        let statement = sqlx::query(
            "INSERT INTO orders (hash, kind, signer, app, dataset, pool, price, nonce, expiry, left_over, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (hash) DO NOTHING",
        );
        let statement = statement
            .bind(signed.digest().to_string())
            .bind(signed.order.kind().to_owned())
            .bind(signer)
            .bind(app)
            .bind(dataset)
            .bind(pool)
            .bind(padded(&signed.order.price().to_string()))
            .bind(stored(nonce))
            .bind(stored(expiry))
            .bind(left.to_string())
            .bind(serde_json::to_string(signed)?);
        writing.run(statement).await?;
        writing.commit().await?;
        Ok(Put::New)
    }

    /// An order.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn order(&self, hash: B256) -> Result<Option<Listing>, IndexError> {
        let statement = sqlx::query("SELECT hash, price, left_over, body FROM orders WHERE hash = $1");
        self.index.db().row(statement.bind(hash.to_string())).await?.as_ref().map(listing).transpose()
    }

    /// Orders, the cheapest first, and where to go on.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn search(&self, search: &Search) -> Result<(Vec<Listing>, Option<String>), IndexError> {
        let mut conditions = vec!["expiry >= $1".to_owned()];
        for (number, (column, _)) in search.only.iter().enumerate() {
            conditions.push(format!("{column} = ${}", number + 3));
        }
        let next = search.only.len() + 3;
        if search.after.is_some() {
            conditions.push(format!("(price > ${next} OR (price = ${next} AND hash > ${}))", next + 1));
        }
        let text = format!(
            "SELECT hash, price, left_over, body FROM orders WHERE {} ORDER BY price, hash LIMIT $2",
            conditions.join(" AND ")
        );
        let now = i64::try_from(self.index.reached().borrow().time.0).unwrap_or(i64::MAX);
        let mut statement = sql(text).bind(now).bind(i64::from(search.limit) + 1);
        for (_, value) in &search.only {
            statement = statement.bind(value.clone());
        }
        if let Some((price, hash)) = &search.after {
            statement = statement.bind(padded(price)).bind(hash.clone());
        }
        let rows = self.index.db().rows(statement).await?;
        let mut found = rows.iter().map(listing).collect::<Result<Vec<_>, _>>()?;
        let more = found.len() > search.limit as usize;
        found.truncate(search.limit as usize);
        let next = found.last().filter(|_| more).map(|last| format!("{}-{}", last.price, last.hash));
        Ok((found, next))
    }

    /// The cheapest orders of a side: `app`, `dataset` or `pool`.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn cheapest(&self, side: &'static str, id: &str) -> Result<Vec<Listing>, IndexError> {
        let only = vec![("kind", side.to_owned()), (side, id.to_owned())];
        Ok(self.search(&Search { only, after: None, limit: OFFERS_LOOKED_AT }).await?.0)
    }

    /// The lowest price of a side.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn best(&self, side: &'static str, id: &str) -> Result<Option<String>, IndexError> {
        let only = vec![("kind", side.to_owned()), (side, id.to_owned())];
        let (found, _) = self.search(&Search { only, after: None, limit: 1 }).await?;
        Ok(found.into_iter().next().map(|listing| listing.price))
    }

    /// Drops what events of a block say is over, and what expired by then. Answers whether the book changed.
    ///
    /// # Errors
    /// [`IndexError`]; a part may have been dropped by then. The caller goes on, the next block says more.
    pub async fn heard(
        &self,
        chain: &ChainClient,
        events: &[Recorded],
        now: UnixTime,
    ) -> Result<bool, IndexError> {
        let mut filled = BTreeSet::new();
        let mut gone: Vec<Statement<'static>> =
            vec![sqlx::query("DELETE FROM orders WHERE expiry < $1").bind(stored(now.0))];
        for event in events {
            if let Some(terms) = event.kind.deal_opened() {
                filled.extend([
                    ("app", terms.app.to_string(), terms.appPrice.to_string()),
                    ("dataset", terms.dataset.to_string(), terms.datasetPrice.to_string()),
                    ("pool", terms.pool.to_string(), terms.feePerMfuel.to_string()),
                ]);
                gone.push(by_hash(terms.dealId));
            }
            gone.extend(over(&event.kind));
        }
        let mut changed = self.run(gone).await?;
        for (side, id, price) in filled {
            changed |= self.refill(chain, side, &id, &price).await?;
        }
        Ok(changed)
    }

    /// Asks the chain what the orders of a side have left, page by page. The events do not say which order a deal took, but its
    /// price: no other can have changed.
    async fn refill(
        &self,
        chain: &ChainClient,
        side: &'static str,
        id: &str,
        price: &str,
    ) -> Result<bool, IndexError> {
        let only = vec![("kind", side.to_owned()), (side, id.to_owned()), ("price", padded(price))];
        let mut search = Search { only, after: None, limit: PAGE_MAX };
        let mut changed = false;
        loop {
            let (found, next) = self.search(&search).await?;
            let asked = found.iter().map(|listing| chain.filled(listing.hash)).collect::<Vec<_>>();
            let given: Vec<_> = stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await;
            // Of whom the chain says nothing now, it is asked at the next deal.
            let known = found.iter().zip(given).filter_map(|(listing, given)| Some((listing, given.ok()?)));
            changed |= self.run(known.filter_map(|(listing, given)| rest(listing, given)).collect()).await?;
            let Some(last) = found.last().filter(|_| next.is_some()) else { return Ok(changed) };
            search.after = Some((last.price.clone(), last.hash.to_string()));
        }
    }

    /// Runs statements in one transaction. Answers whether they changed a row.
    async fn run(&self, statements: Vec<Statement<'static>>) -> Result<bool, IndexError> {
        if statements.is_empty() {
            return Ok(false);
        }
        let mut writing = self.index.db().write().await?;
        let mut rows = 0;
        for statement in statements {
            rows += writing.run(statement).await?;
        }
        writing.commit().await?;
        Ok(rows > 0)
    }
}

/// What becomes of an order of which so much was given; nothing where the book knows.
fn rest(listing: &Listing, given: u64) -> Option<Statement<'static>> {
    let (volume, _) = volume_and_nonce(&listing.signed.order);
    let left = if given == CANCELLED { 0 } else { volume.saturating_sub(given) };
    match left {
        0 => Some(by_hash(listing.hash)),
        _ if left == listing.left => None,
        _ => Some(
            sqlx::query("UPDATE orders SET left_over = $1 WHERE hash = $2")
                .bind(left.to_string())
                .bind(listing.hash.to_string()),
        ),
    }
}

/// What a statement counts.
async fn count(writing: &mut Writing<'_>, statement: Statement<'_>) -> Result<usize, IndexError> {
    let rows = writing.rows(statement).await?;
    let counted: i64 = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
    Ok(usize::try_from(counted).unwrap_or(usize::MAX))
}

fn by_hash(hash: B256) -> Statement<'static> {
    sqlx::query("DELETE FROM orders WHERE hash = $1").bind(hash.to_string())
}

/// Times and nonces as the database keeps them.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Orders of a side before a nonce. An index that is built anew hears of all nonces again, and what was signed since stays.
fn before(side: &'static str, id: String, nonce: u64) -> Statement<'static> {
    sql(format!("DELETE FROM orders WHERE kind = '{side}' AND {side} = $1 AND nonce < $2"))
        .bind(id)
        .bind(stored(nonce))
}

/// What an event ends: an order, or all that were signed before. A transfer raises the nonce, too.
fn over(event: &EventKind) -> Vec<Statement<'static>> {
    match event {
        EventKind::Market(MarketEvents::OrderCancelled(event)) => vec![by_hash(event.orderHash)],
        EventKind::Registry(RegistryEvents::NonceBumped(event)) => {
            ["app", "dataset"].map(|side| before(side, event.id.to_string(), event.nonce)).into()
        }
        EventKind::Workforce(WorkforceEvents::PoolNonceBumped(event)) => {
            vec![before("pool", event.pool.to_string(), event.nonce.into())]
        }
        EventKind::Workforce(WorkforceEvents::PoolClosing(event)) => {
            vec![before("pool", event.pool.to_string(), u64::MAX)]
        }
        EventKind::Vault(VaultEvents::NonceBumped(event)) => {
            let statement =
                sqlx::query("DELETE FROM orders WHERE kind = 'request' AND signer = $1 AND nonce < $2");
            vec![statement.bind(lower(event.requester)).bind(stored(event.nonce.saturating_to()))]
        }
        _ => Vec::new(),
    }
}
