//! A deployment and a database for tests.

use alloy::primitives::{Address, B256};
use guildhall_chain::Deployment;
use sqlx::Connection as _;
use tempfile::TempDir;

use super::{Index, db::sql, file_url};

/// Names a PostgreSQL database to test with, such as `postgres://USER@HOST/NAME`; every test makes a schema of its own in it.
const POSTGRES: &str = "GUILDHALL_TEST_POSTGRES";

/// The database of a test: a file of its own, or a schema of the named PostgreSQL.
pub(crate) struct TestDatabase {
    _dir: TempDir,
    pub(crate) url: String,
    /// Where the schema is to be made, and its name.
    schema: Option<(String, String)>,
}

impl TestDatabase {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let Ok(server) = std::env::var(POSTGRES) else {
            let url = file_url(&dir.path().join("index.sqlite")).expect("a path");
            return Self { _dir: dir, url, schema: None };
        };
        let name = format!("test_{}", &B256::random().to_string()[2..18]);
        let url = format!("{server}?options[search_path]={name}");
        Self { _dir: dir, url, schema: Some((server, name)) }
    }

    /// The index in it.
    pub(crate) async fn open(&self) -> Index {
        if let Some((server, name)) = &self.schema {
            sqlx::any::install_default_drivers();
            let mut connection = sqlx::AnyConnection::connect(server).await.expect("a PostgreSQL");
            let made = sql(format!("CREATE SCHEMA IF NOT EXISTS {name}")).execute(&mut connection).await;
            made.expect("a schema");
        }
        Index::open(&self.url, &deployment()).await.expect("opens")
    }
}

/// Contracts at addresses that are easy to tell apart.
pub(crate) fn deployment() -> Deployment {
    let at = Address::repeat_byte;
    Deployment {
        chain_id: 1,
        token: at(1),
        vault: at(2),
        registry: at(3),
        workforce: at(4),
        market: at(5),
        certifier: at(6),
        seed: at(7),
        seed_kind: guildhall_chain::SeedKind::BlockHash,
        recourse: at(8),
        court: at(9),
        jury: at(10),
        inquest: at(11),
        block: 0,
    }
}
