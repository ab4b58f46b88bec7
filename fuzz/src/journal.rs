//! What a worker keeps on its disk, as it may come back from there.

use std::{fs, path::Path, sync::LazyLock};

use alloy_primitives::B256;
use guildhall_api::{Claim, RoundRef};
use guildhall_protocol::{ContentId, DealId, Fuel, RoundId, Secs, UnixTime};
use guildhall_worker::{
    journal::{Journal, JournalError},
    seat::Promise,
};
use redb::{Database, TableDefinition};
use tempfile::TempDir;

use crate::written;

type Table = TableDefinition<'static, [u8; 32], &'static [u8]>;

/// The journal's tables; the last is the one that is written along with damaged files.
const TABLES: [&str; 7] =
    ["cases", "contradictions", "contributions", "deals", "findings", "settled", "promises"];
const CURSOR: TableDefinition<'static, (), &[u8]> = TableDefinition::new("cursor");

/// A journal with one promise in it, closed.
static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("journal");
    drop(Journal::open(&path).expect("a new journal"));
    put(&path, TABLES.len() - 1, &written(&promise()));
    fs::read(&path).expect("readable")
});

/// The first byte says where the rest goes: into a record of that table, into the cursor, over a good file, or alone into a file.
pub fn check(bytes: &[u8]) {
    let Some((pick, bytes)) = bytes.split_first() else { return };
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("journal");
    let pick = usize::from(*pick);
    match pick {
        0..=7 => {
            fs::write(&path, &*FILE).expect("room");
            put(&path, pick, bytes);
            let journal = Journal::open(&path).expect("records are not looked at yet");
            read(&journal);
        }
        8..=127 => {
            fs::write(&path, damaged(bytes)).expect("room");
            let Ok(journal) = Journal::open(&path) else { return };
            // Where a commit is lost the one before stands; what was written is never read as something else.
            let Ok(entries) = journal.entries() else { return };
            assert!(entries.iter().all(|entry| entry.promise == promise() && entry.contribution.is_none()));
        }
        _ => {
            fs::write(&path, bytes).expect("room");
            if let Ok(journal) = Journal::open(&path) {
                read(&journal);
            }
        }
    }
}

/// Everything that a worker reads when it starts: it is read, or the record is refused by name.
fn read(journal: &Journal) {
    fn refused<T>(answer: Result<T, JournalError>) {
        assert!(matches!(answer, Ok(_) | Err(JournalError::Record(_))), "{:?}", answer.err());
    }
    refused(journal.entries());
    refused(journal.deals());
    refused(journal.cases());
    refused(journal.contradictions());
    refused(journal.cursor());
}

/// The good file with single bytes changed: three bytes of a place and one to put there, over and over.
fn damaged(patches: &[u8]) -> Vec<u8> {
    let mut file = FILE.clone();
    for patch in patches.chunks_exact(4) {
        let place = u32::from_be_bytes([0, patch[0], patch[1], patch[2]]) as usize;
        let len = file.len();
        file[place % len] ^= patch[3];
    }
    file
}

/// Writes a record past the journal, which would write none that it could not read.
fn put(path: &Path, table: usize, record: &[u8]) {
    let database = Database::open(path).expect("a good file");
    let transaction = database.begin_write().expect("one writer");
    match TABLES.get(table) {
        Some(name) => {
            let mut table = transaction.open_table(Table::new(name)).expect("as the journal has it");
            table.insert(&[1; 32], record).expect("room");
        }
        None => {
            transaction.open_table(CURSOR).expect("as the journal has it").insert((), record).expect("room");
        }
    }
    transaction.commit().expect("room");
}

fn promise() -> Promise {
    let (byte, content) = (B256::repeat_byte(1), ContentId::of(b"content"));
    Promise {
        at: RoundRef { id: RoundId(byte), deal: DealId(byte), batch: 0, attempt: 0 },
        wave: 0,
        claim: Claim { root: byte, fuel: Fuel(1) },
        own_trace_root: byte,
        bundle: content,
        traces: content,
        wave_end: UnixTime(1),
        patience: Secs(1),
        end: UnixTime(1),
        keep_until: UnixTime(2),
    }
}

/// A record of each kind, a flipped byte at each place of a page, and a whole file as far as it fits.
pub fn seeds() -> Vec<Vec<u8>> {
    let tables = 0..=TABLES.len() as u8;
    let mut seeds: Vec<_> = tables.map(|table| [&[table], &written(&promise())[..]].concat()).collect();
    seeds.push([&[5][..], b"null"].concat());
    seeds.push([&[7][..], br#"{"next":{"number":1},"blocks":[]}"#].concat());
    seeds.extend((0..FILE.len() as u32).step_by(509).map(|place| {
        let [_, a, b, c] = place.to_be_bytes();
        vec![8, a, b, c, 0xff]
    }));
    seeds.push([&[255], &FILE[..]].concat());
    seeds
}
