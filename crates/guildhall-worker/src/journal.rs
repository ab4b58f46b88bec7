//! What this worker signed, on disk before it is sent: so that it never signs two different things in one round, whatever
//! crashes in between.
//!
//! The first record of a round stands; a second one is answered with the first. Knows nothing of keys and messages' fates.

use std::path::Path;
use std::sync::Arc;

use alloy::primitives::B256;
use guildhall_api::OpenContribution;
use guildhall_protocol::{Case, DealId, RoundId, Terms};
use guildhall_service::database::{self, DatabaseError, FirstFailure};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::court::{Contradiction, Found};
use crate::seat::Promise;

const PROMISES: TableDefinition<'static, [u8; 32], &[u8]> = TableDefinition::new("promises");
const CONTRIBUTIONS: TableDefinition<'static, [u8; 32], &[u8]> = TableDefinition::new("contributions");
const SETTLED: TableDefinition<'static, [u8; 32], &[u8]> = TableDefinition::new("settled");
const DEALS: TableDefinition<'static, [u8; 32], &[u8]> = TableDefinition::new("deals");
const CASES: TableDefinition<'static, [u8; 32], &[u8]> = TableDefinition::new("cases");
const FINDINGS: TableDefinition<'static, [u8; 32], &[u8]> = TableDefinition::new("findings");
const CONTRADICTIONS: TableDefinition<'static, [u8; 32], &[u8]> = TableDefinition::new("contradictions");
const CHECK: TableDefinition<'static, (), ()> = TableDefinition::new("check");
const CURSOR: TableDefinition<'static, (), &[u8]> = TableDefinition::new("cursor");

/// Memory that the database may use for pages, in bytes.
const CACHE_BYTES: usize = 2 << 20;

/// Why the journal does not work. Nothing may be signed then.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It does not open.
    #[error("the worker's journal: {0}")]
    Open(#[from] DatabaseError),
    /// Reading or writing failed.
    #[error("the worker's journal failed: {0}; check the disk")]
    Io(String),
    /// A record is not what this version writes.
    #[error("a record of the worker's journal cannot be read: {0}; was it written by a newer version?")]
    Record(String),
}

impl guildhall_service::Coded for JournalError {
    fn code(&self) -> &'static str {
        match self {
            Self::Open(_) => "worker.journal_open",
            Self::Io(_) => "worker.journal_io",
            Self::Record(_) => "worker.journal_record",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Open(DatabaseError::Damaged { .. }) => Some(
                "restore it from a copy, or move it away: the worker then forgets the rounds that it is in, and those in \
                 which it has committed cost it stake"
                    .into(),
            ),
            Self::Open(error) => error.hint(),
            Self::Io(_) | Self::Record(_) => None,
        }
    }
}

fn io(error: impl std::fmt::Display) -> JournalError {
    JournalError::Io(error.to_string())
}

/// One round as the journal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What was promised.
    pub promise: Promise,
    /// What was contributed, if anything.
    pub contribution: Option<OpenContribution>,
    /// Whether everything that its end asked for is done.
    pub settled: bool,
}

/// The journal. Cheap to clone; clones are the same journal.
#[derive(Debug, Clone)]
pub struct Journal {
    database: Arc<Database>,
    failures: FirstFailure,
}

impl Journal {
    /// Opens or creates the journal.
    ///
    /// # Errors
    /// [`JournalError::Open`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let database = database::open(path, CACHE_BYTES)?;
        let transaction = database.begin_write().map_err(io)?;
        for table in [PROMISES, CONTRIBUTIONS, SETTLED, DEALS, CASES, FINDINGS, CONTRADICTIONS] {
            transaction.open_table(table).map_err(io)?;
        }
        transaction.open_table(CURSOR).map_err(io)?;
        transaction.commit().map_err(io)?;
        Ok(Self { database: Arc::new(database), failures: FirstFailure::default() })
    }

    /// Records a promise and answers with the one that stands for its round: this one, or an earlier one. On disk when
    /// this returns.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn promise(&self, promise: Promise) -> Result<Promise, JournalError> {
        let key = promise.at.id.0.0;
        self.first(PROMISES, key, promise).await
    }

    /// Records a contribution and answers with the one that stands for its round. On disk when this returns.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn contribution(
        &self,
        contribution: OpenContribution,
    ) -> Result<OpenContribution, JournalError> {
        let key = contribution.envelope.round.id.0.0;
        self.first(CONTRIBUTIONS, key, contribution).await
    }

    /// Records a case that opened: until it is forgotten, a restart goes on with it. On disk when this returns.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn hear(&self, case: Case) -> Result<(), JournalError> {
        self.first(CASES, case.id().0.0, case).await.map(|_| ())
    }

    /// The cases that are not forgotten, each with what this worker found as a juror, if it did.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn cases(&self) -> Result<Vec<(Case, Option<Found>)>, JournalError> {
        let mut findings: std::collections::BTreeMap<_, Found> = self.scan(FINDINGS)?.into_iter().collect();
        let cases = self.scan::<Case>(CASES)?;
        Ok(cases.into_iter().map(|(key, case)| (case, findings.remove(&key))).collect())
    }

    /// Records what this worker found as a juror and answers with what stands for the case. On disk when this returns.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn finding(&self, found: Found) -> Result<Found, JournalError> {
        self.first(FINDINGS, found.case.id().0.0, found).await
    }

    /// Records what this worker is about to dispute, by its seal. On disk when this returns.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn contradiction(&self, contradiction: Contradiction) -> Result<Contradiction, JournalError> {
        self.first(CONTRADICTIONS, contradiction.seal.0, contradiction).await
    }

    /// What this worker disputed.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn contradictions(&self) -> Result<Vec<Contradiction>, JournalError> {
        Ok(self.scan(CONTRADICTIONS)?.into_iter().map(|(_, contradiction)| contradiction).collect())
    }

    /// Forgets what was not disputed after all.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn forget_contradiction(&self, seal: B256) -> Result<(), JournalError> {
        self.remove(&[CONTRADICTIONS], seal.0).await
    }

    /// Forgets a case that is closed.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn forget_case(&self, case: &Case) -> Result<(), JournalError> {
        self.remove(&[CASES, FINDINGS], case.id().0.0).await?;
        self.forget_contradiction(case.seal).await
    }

    /// Records how far the chain was followed, with the deals that opened and ended on the way: a restart goes on there.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn advance(
        &self,
        opened: Vec<Arc<Terms>>,
        gone: Vec<DealId>,
        cursor: serde_json::Value,
    ) -> Result<(), JournalError> {
        let database = self.database.clone();
        self.blocking(move || {
            let transaction = database.begin_write().map_err(io)?;
            {
                let mut table = transaction.open_table(DEALS).map_err(io)?;
                for terms in opened {
                    table.insert(&terms.dealId.0, write(&*terms)?.as_slice()).map_err(io)?;
                }
                for deal in gone {
                    table.remove(&deal.0.0).map_err(io)?;
                }
                transaction
                    .open_table(CURSOR)
                    .map_err(io)?
                    .insert((), write(&cursor)?.as_slice())
                    .map_err(io)?;
            }
            transaction.commit().map_err(io)
        })
        .await
    }

    /// Writes nothing, durably: whether the disk still takes what is to be signed.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn check(&self) -> Result<(), JournalError> {
        let database = self.database.clone();
        self.blocking(move || {
            let transaction = database.begin_write().map_err(io)?;
            transaction.open_table(CHECK).map_err(io)?.insert((), ()).map_err(io)?;
            transaction.commit().map_err(io)
        })
        .await
    }

    /// Where to follow the chain from; nothing for a new journal.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn cursor(&self) -> Result<Option<serde_json::Value>, JournalError> {
        let transaction = self.database.begin_read().map_err(io)?;
        let table = transaction.open_table(CURSOR).map_err(io)?;
        let cursor = table.get(()).map_err(io)?;
        cursor.map(|cursor| read(cursor.value())).transpose()
    }

    /// Notes that everything that a round's end asked for is done.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn settled(&self, round: RoundId) -> Result<(), JournalError> {
        self.first(SETTLED, round.0.0, ()).await
    }

    /// Forgets a round: nothing of it can be asked for any more.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn forget(&self, round: RoundId) -> Result<(), JournalError> {
        self.remove(&[PROMISES, CONTRIBUTIONS, SETTLED], round.0.0).await
    }

    /// The open deals.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn deals(&self) -> Result<Vec<Terms>, JournalError> {
        Ok(self.scan(DEALS)?.into_iter().map(|(_, terms)| terms).collect())
    }

    /// Every round that is not forgotten.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn entries(&self) -> Result<Vec<Entry>, JournalError> {
        let mut contributions: std::collections::BTreeMap<_, _> =
            self.scan(CONTRIBUTIONS)?.into_iter().collect();
        let promises = self.scan::<Promise>(PROMISES)?;
        let settled: std::collections::BTreeSet<_> =
            self.scan::<()>(SETTLED)?.into_iter().map(|(key, ())| key).collect();
        let entry = |(key, promise)| Entry {
            promise,
            contribution: contributions.remove(&key),
            settled: settled.contains(&key),
        };
        Ok(promises.into_iter().map(entry).collect())
    }

    async fn first<T: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        table: TableDefinition<'static, [u8; 32], &'static [u8]>,
        key: [u8; 32],
        record: T,
    ) -> Result<T, JournalError> {
        let database = self.database.clone();
        self.blocking(move || {
            let transaction = database.begin_write().map_err(io)?;
            {
                let mut table = transaction.open_table(table).map_err(io)?;
                if let Some(known) = table.get(&key).map_err(io)? {
                    return read(known.value());
                }
                table.insert(&key, write(&record)?.as_slice()).map_err(io)?;
            }
            transaction.commit().map_err(io)?;
            Ok(record)
        })
        .await
    }

    async fn remove(
        &self,
        tables: &'static [TableDefinition<'static, [u8; 32], &'static [u8]>],
        key: [u8; 32],
    ) -> Result<(), JournalError> {
        let database = self.database.clone();
        self.blocking(move || {
            let transaction = database.begin_write().map_err(io)?;
            for table in tables {
                transaction.open_table(*table).map_err(io)?.remove(&key).map_err(io)?;
            }
            transaction.commit().map_err(io)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let done = tokio::task::spawn_blocking(work).await.map_err(io)?;
        done.map_err(|error| match error {
            JournalError::Io(said) => JournalError::Io(self.failures.reason(said)),
            other => other,
        })
    }

    fn scan<T: DeserializeOwned>(
        &self,
        table: TableDefinition<'static, [u8; 32], &'static [u8]>,
    ) -> Result<Vec<([u8; 32], T)>, JournalError> {
        let transaction = self.database.begin_read().map_err(io)?;
        let table = transaction.open_table(table).map_err(io)?;
        let records = table.iter().map_err(io)?;
        records
            .map(|record| {
                let (key, value) = record.map_err(io)?;
                Ok((key.value(), read(value.value())?))
            })
            .collect()
    }
}

fn write(record: &impl Serialize) -> Result<Vec<u8>, JournalError> {
    serde_json::to_vec(record).map_err(|error| JournalError::Record(error.to_string()))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JournalError> {
    serde_json::from_slice(bytes).map_err(|error| JournalError::Record(error.to_string()))
}

#[cfg(test)]
mod tests {
    use guildhall_api::{Claim, Envelope, RoundRef};
    use guildhall_protocol::messages::{CompactSignature, Signed};
    use guildhall_protocol::{ContentId, Fuel, UnixTime};
    use guildhall_testkit::builders;

    use super::*;

    fn promise(root: u8) -> Promise {
        Promise {
            at: RoundRef {
                id: RoundId(B256::repeat_byte(1)),
                deal: DealId(B256::repeat_byte(2)),
                batch: 0,
                attempt: 0,
            },
            wave: 0,
            claim: Claim { root: B256::repeat_byte(root), fuel: Fuel(u64::MAX) },
            own_trace_root: B256::ZERO,
            bundle: ContentId::of(b"bundle"),
            traces: ContentId::of(b"traces"),
            wave_end: UnixTime(1),
            patience: guildhall_protocol::Secs(1),
            end: UnixTime(1),
            keep_until: UnixTime(2),
        }
    }

    #[tokio::test]
    async fn cases_and_what_was_found_in_them_stand_across_a_crash() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("journal.redb");
        let journal = Journal::open(&path).expect("new journal");
        let (heard, judged) = (builders::case(1), builders::case(2));
        let found = |finding| Found { case: judged, finding, own_trace: B256::ZERO };
        let first = found(B256::repeat_byte(1));
        for case in [heard, judged] {
            journal.hear(case).await.expect("written");
        }
        assert_eq!(journal.finding(first).await.expect("written"), first);
        let seal = B256::repeat_byte(3);
        let contradiction =
            Contradiction { seal, finding: B256::ZERO, salt: B256::ZERO, opens_until: UnixTime(1) };
        journal.contradiction(contradiction).await.expect("written");
        drop(journal);

        let journal = Journal::open(&path).expect("same journal");
        let second = found(B256::repeat_byte(2));
        assert_eq!(journal.finding(second).await.expect("read"), first, "never a second one");
        let mut cases = journal.cases().expect("readable");
        cases.sort_by_key(|(case, _)| case.facts.index);
        assert_eq!(cases, [(heard, None), (judged, Some(first))]);
        assert_eq!(journal.contradictions().expect("readable"), [contradiction]);
        journal.forget_case(&Case { seal, ..judged }).await.expect("removed");
        journal.forget_case(&judged).await.expect("removed");
        assert_eq!(journal.cases().expect("readable"), [(heard, None)]);
        assert!(journal.contradictions().expect("readable").is_empty());
    }

    fn contribution(promise: &Promise, list: u8) -> OpenContribution {
        let message = promise.contribution(B256::repeat_byte(list));
        let signed = Signed { message, signature: CompactSignature::default() };
        let envelope = Envelope { round: promise.at, worker: Default::default(), signed };
        OpenContribution { envelope, own_trace_root: promise.own_trace_root }
    }

    #[tokio::test]
    async fn the_first_promise_and_contribution_stand_across_a_crash() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("journal.redb");
        let journal = Journal::open(&path).expect("new journal");
        assert!(
            matches!(Journal::open(&path), Err(JournalError::Open(DatabaseError::InUse { .. }))),
            "a second worker"
        );
        assert_eq!(journal.promise(promise(1)).await.expect("written"), promise(1));
        drop(journal);

        let journal = Journal::open(&path).expect("same journal");
        assert_eq!(journal.promise(promise(2)).await.expect("read"), promise(1), "never a second one");
        let first = contribution(&promise(1), 7);
        assert_eq!(journal.contribution(first).await.expect("written"), first);
        drop(journal);

        let journal = Journal::open(&path).expect("same journal");
        let second = contribution(&promise(1), 8);
        assert_eq!(journal.contribution(second).await.expect("read"), first, "never a second one");
        let entry = Entry { promise: promise(1), contribution: Some(first), settled: false };
        assert_eq!(journal.entries().expect("readable"), [entry]);
        journal.forget(promise(1).at.id).await.expect("removed");
        assert!(journal.entries().expect("readable").is_empty());
    }
}
