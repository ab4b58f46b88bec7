//! The database of the index: SQLite or PostgreSQL, with one SQL for both.
//!
//! Numbered parameters, `ON CONFLICT` and 64-bit integers mean the same in both; the only word that differs is the type of
//! bytes. Knows nothing of what the rows mean.

use std::{path::Path, sync::Once};

use sqlx::{
    Any, AnyPool, AssertSqlSafe, Executor as _, Row as _, Transaction,
    any::{AnyArguments, AnyPoolOptions, AnyRow},
    query::Query,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    error::IndexError,
    limits::{DATABASE_CONNECTIONS, DATABASE_WAIT},
};

/// Version of the tables. A change of any row's shape is a new version: the index is built anew.
pub const SCHEMA_VERSION: u32 = 1;

/// The tables, in the order in which they are made. `BYTES` is the type of bytes.
const TABLES: [&str; 13] = [
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    // Every event, whole: what objects are folded from.
    "CREATE TABLE IF NOT EXISTS events (place BIGINT PRIMARY KEY, transaction_hash TEXT NOT NULL, name TEXT NOT NULL, \
     contract TEXT NOT NULL, payload BYTES NOT NULL)",
    // Which objects an event touches.
    "CREATE TABLE IF NOT EXISTS touches (kind TEXT NOT NULL, id TEXT NOT NULL, place BIGINT NOT NULL, \
     PRIMARY KEY (kind, id, place))",
    "CREATE INDEX IF NOT EXISTS touches_by_place ON touches (place)",
    // The objects, folded.
    "CREATE TABLE IF NOT EXISTS objects (kind TEXT NOT NULL, id TEXT NOT NULL, rank BIGINT NOT NULL, \
     body TEXT NOT NULL, PRIMARY KEY (kind, id))",
    // By what objects are found.
    "CREATE TABLE IF NOT EXISTS facets (kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, \
     rank BIGINT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (kind, name, value, rank, id))",
    // Sums over objects.
    "CREATE TABLE IF NOT EXISTS totals (name TEXT NOT NULL, value TEXT NOT NULL, total BIGINT NOT NULL, \
     PRIMARY KEY (name, value))",
    // How workers came to be as they are.
    "CREATE TABLE IF NOT EXISTS points (id TEXT NOT NULL, place BIGINT NOT NULL, body TEXT NOT NULL, \
     PRIMARY KEY (id, place))",
    "CREATE INDEX IF NOT EXISTS points_by_place ON points (place)",
    // The order book: not from the chain, and kept when the index is built anew.
    "CREATE TABLE IF NOT EXISTS orders (hash TEXT PRIMARY KEY, kind TEXT NOT NULL, signer TEXT NOT NULL, \
     app TEXT NOT NULL, dataset TEXT NOT NULL, pool TEXT NOT NULL, price TEXT NOT NULL, nonce BIGINT NOT NULL, \
     expiry BIGINT NOT NULL, left_over TEXT NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS orders_by_price ON orders (kind, app, dataset, pool, price, hash)",
    "CREATE INDEX IF NOT EXISTS orders_by_signer ON orders (signer)",
    "CREATE INDEX IF NOT EXISTS orders_by_expiry ON orders (expiry)",
];

/// Tables whose rows come from the chain.
pub(super) const FROM_CHAIN: [&str; 6] = ["events", "touches", "objects", "facets", "totals", "points"];

/// A statement with its parameters.
pub(crate) type Statement<'q> = Query<'q, Any, AnyArguments>;

/// A transaction of the one writer.
pub(crate) struct Writing<'a> {
    /// The transaction.
    pub(crate) tx: Transaction<'static, Any>,
    _turn: MutexGuard<'a, ()>,
}

impl Writing<'_> {
    /// Makes everything durable that was written.
    pub(crate) async fn commit(self) -> Result<(), IndexError> {
        Ok(self.tx.commit().await?)
    }

    /// Runs a statement.
    pub(crate) async fn run(&mut self, statement: Statement<'_>) -> Result<u64, IndexError> {
        Ok(statement.execute(&mut *self.tx).await?.rows_affected())
    }

    /// Asks for rows.
    pub(crate) async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<AnyRow>, IndexError> {
        Ok(statement.fetch_all(&mut *self.tx).await?)
    }
}

/// The database. Many may read; who writes waits for its turn.
#[derive(Debug)]
pub struct Db {
    pool: AnyPool,
    turn: Mutex<()>,
}

/// A statement that was put together from constants and numbered parameters.
pub(crate) fn sql<'q>(text: String) -> Statement<'q> {
    sqlx::query(AssertSqlSafe(text))
}

/// `($1, $2), ($3, $4)`: places for that many rows.
pub(crate) fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let numbers = (1..=columns).map(|column| format!("${}", row * columns + column));
        format!("({})", numbers.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// `$2, $3, $4`: places for that many values, from a number on.
pub(crate) fn list(from: usize, count: usize) -> String {
    (from..from + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// The address of the file that the index is kept in.
///
/// # Errors
/// [`IndexError::Place`] for a path that is none of a file.
pub fn file_url(file: &Path) -> Result<String, IndexError> {
    let url = std::path::absolute(file).ok().and_then(|path| url::Url::from_file_path(path).ok());
    let url = url.ok_or_else(|| IndexError::Place {
        path: file.to_owned(),
        reason: "it is no path of a file".to_owned(),
    })?;
    Ok(format!("sqlite://{}?mode=rwc", url.path()))
}

impl Db {
    /// Opens a database, and makes the tables that are missing.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn open(url: &str) -> Result<Self, IndexError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let scheme = url.split(':').next().unwrap_or_default().to_owned();
        let sqlite = match scheme.as_str() {
            "sqlite" => true,
            "postgres" | "postgresql" => false,
            _ => return Err(IndexError::Scheme { scheme }),
        };
        let options =
            AnyPoolOptions::new().max_connections(DATABASE_CONNECTIONS).acquire_timeout(DATABASE_WAIT);
        let options = options.after_connect(move |connection, _| {
            Box::pin(async move {
                if sqlite {
                    // Readers go on while one writes; after a power cut the last blocks are read again.
                    let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 10000; \
                                   PRAGMA cache_size = -8000; PRAGMA journal_size_limit = 67108864";
                    connection.execute(pragmas).await?;
                }
                Ok(())
            })
        });
        let pool = options.connect(url).await?;
        let db = Self { pool, turn: Mutex::new(()) };
        let mut writing = db.write().await?;
        for table in TABLES {
            let bytes = if sqlite { "BLOB" } else { "BYTEA" };
            writing.run(sql(table.replace("BYTES", bytes))).await?;
        }
        writing.commit().await?;
        Ok(db)
    }

    /// Begins to write, when it is one's turn.
    pub(crate) async fn write(&self) -> Result<Writing<'_>, IndexError> {
        let turn = self.turn.lock().await;
        Ok(Writing { tx: self.pool.begin().await?, _turn: turn })
    }

    /// Asks for rows.
    pub(crate) async fn rows(&self, statement: Statement<'_>) -> Result<Vec<AnyRow>, IndexError> {
        Ok(statement.fetch_all(&self.pool).await?)
    }

    /// Asks for a row.
    pub(crate) async fn row(&self, statement: Statement<'_>) -> Result<Option<AnyRow>, IndexError> {
        Ok(statement.fetch_optional(&self.pool).await?)
    }

    /// A fact about the index itself.
    pub(crate) async fn meta(&self, name: &str) -> Result<Option<String>, IndexError> {
        let row =
            self.row(sqlx::query("SELECT value FROM meta WHERE name = $1").bind(name.to_owned())).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Writes a fact about the index itself.
pub(crate) async fn set_meta(writing: &mut Writing<'_>, name: &str, value: String) -> Result<(), IndexError> {
    let statement = sqlx::query(
        "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    );
    writing.run(statement.bind(name.to_owned()).bind(value)).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered_row_by_row() {
        assert_eq!(places(2, 3), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(list(2, 3), "$2, $3, $4");
    }

    #[tokio::test]
    async fn only_known_databases_are_opened_and_no_password_is_told() {
        let error = Db::open("mysql://root:secret@db/x").await.expect_err("unknown");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn a_path_with_spaces_is_an_address() {
        assert_eq!(
            file_url(Path::new("/a b/c?d.sqlite")).expect("a path"),
            "sqlite:///a%20b/c%3Fd.sqlite?mode=rwc"
        );
    }
}
