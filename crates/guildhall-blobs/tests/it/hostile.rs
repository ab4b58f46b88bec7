//! Sources that lie, stall or break, and what becomes of their bytes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use guildhall_blobs::{
    BlobError, BlobSource, BlobStore, ContentId, FetchPolicy, FsStore, HttpSource, HttpTimeouts, Layered,
};
use guildhall_service::Coded;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

const MIB: u64 = 1024 * 1024;

/// What a server does with a connection.
#[derive(Clone)]
enum Manner {
    /// Says what it was given, with its length.
    Honest(Vec<u8>),
    /// Sends for ever, without a length.
    Endless,
    /// Declares this length and sends nothing.
    Declares(u64),
    /// Does not have it.
    Missing,
    /// Sends one byte and then nothing.
    SlowLoris,
    /// Accepts and says nothing.
    Silent,
    /// Sends half of what was asked for, then closes; from the second request on all of the rest.
    Breaks(Vec<u8>),
    /// As `Breaks`, but knows no ranges: begins anew each time.
    BreaksWithoutRanges(Vec<u8>),
    /// Answers with this status.
    Error(u16),
}

struct Server {
    source: Arc<dyn BlobSource>,
    requests: Arc<AtomicU32>,
    /// The `Range` headers seen.
    ranges: Arc<std::sync::Mutex<Vec<String>>>,
}

async fn serve(manner: Manner) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("address")).parse().expect("url");
    let (requests, ranges) = (Arc::new(AtomicU32::new(0)), Arc::default());
    let (counter, seen): (_, Arc<std::sync::Mutex<Vec<String>>>) = (requests.clone(), Arc::clone(&ranges));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            let (manner, seen) = (manner.clone(), seen.clone());
            tokio::spawn(async move {
                // A client that hangs up is what these tests are about.
                let _ = answer(stream, manner, number, seen).await;
            });
        }
    });
    let short = Duration::from_millis(150);
    let timeouts =
        HttpTimeouts { connect: Duration::from_secs(2), head: short, pause: Duration::from_secs(5) };
    Server { source: Arc::new(HttpSource::new(&url, timeouts).expect("source")), requests, ranges }
}

async fn answer(
    stream: TcpStream,
    manner: Manner,
    number: u32,
    seen: Arc<std::sync::Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut from = 0;
    while let Some(line) = lines.next_line().await?.filter(|line| !line.is_empty()) {
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            seen.lock().expect("lock").push(range.to_owned());
            from = range.trim_end_matches('-').parse().expect("range");
        }
    }
    let head = |status: &str, rest: &str| {
        format!("HTTP/1.1 {status}\r\nConnection: close\r\n{rest}\r\n").into_bytes()
    };
    match manner {
        Manner::Honest(bytes) => {
            write.write_all(&head("200 OK", &format!("Content-Length: {}\r\n", bytes.len()))).await?;
            write.write_all(&bytes).await?;
        }
        Manner::Endless => {
            write.write_all(&head("200 OK", "")).await?;
            loop {
                write.write_all(&[0; 65_536]).await?;
            }
        }
        Manner::Declares(length) => {
            write.write_all(&head("200 OK", &format!("Content-Length: {length}\r\n"))).await?;
            std::future::pending::<()>().await;
        }
        Manner::Missing => write.write_all(&head("404 Not Found", "Content-Length: 0\r\n")).await?,
        Manner::Error(status) => {
            write.write_all(&head(&format!("{status} Error"), "Content-Length: 0\r\n")).await?;
        }
        Manner::SlowLoris => {
            write.write_all(&head("200 OK", "Content-Length: 1000000\r\n")).await?;
            write.write_all(b"x").await?;
            std::future::pending::<()>().await;
        }
        Manner::Silent => std::future::pending::<()>().await,
        Manner::Breaks(bytes) => {
            let (total, last) = (bytes.len(), bytes.len() - 1);
            let rest = &bytes[from..];
            let start = if from == 0 {
                head("200 OK", &format!("Content-Length: {total}\r\n"))
            } else {
                let range = format!(
                    "Content-Length: {}\r\nContent-Range: bytes {from}-{last}/{total}\r\n",
                    rest.len()
                );
                head("206 Partial Content", &range)
            };
            write.write_all(&start).await?;
            write.write_all(if number == 0 { &rest[..rest.len() / 2] } else { rest }).await?;
        }
        Manner::BreaksWithoutRanges(bytes) => {
            write.write_all(&head("200 OK", &format!("Content-Length: {}\r\n", bytes.len()))).await?;
            write.write_all(if number == 0 { &bytes[..bytes.len() / 2] } else { &bytes }).await?;
        }
    }
    write.flush().await
}

fn policy() -> FetchPolicy {
    FetchPolicy {
        max_bytes: 8 * MIB,
        min_bytes: 1024,
        window: Duration::from_millis(200),
        resumes: 1,
        resume_wait: Duration::from_millis(1),
        at_once: 4,
    }
}

struct Fixture {
    store: Layered,
    dir: tempfile::TempDir,
}

async fn over(sources: &[&Server]) -> Fixture {
    let dir = tempfile::tempdir().expect("temp dir");
    let local = FsStore::open(dir.path(), 64 * MIB).await.expect("open");
    let sources = sources.iter().map(|server| server.source.clone()).collect();
    Fixture { store: Layered::new(local, sources, policy()), dir }
}

impl Fixture {
    /// Files anywhere in the store: nothing of a lie may stay.
    fn files(&self) -> usize {
        fn count(path: &std::path::Path) -> usize {
            let entries =
                std::fs::read_dir(path).expect("read dir").map(|entry| entry.expect("entry").path());
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(self.dir.path())
    }

    async fn failures(&self, id: ContentId) -> Vec<&'static str> {
        let error = self.store.get(id, 8 * MIB).await.expect_err("no source is honest");
        let BlobError::NotFound { tried, .. } = &error else { panic!("{error}") };
        tried.iter().map(|failure| failure.error.code()).collect()
    }
}

fn blob(len: usize) -> (Vec<u8>, ContentId) {
    let bytes: Vec<u8> = (0..len).map(|n| (n * 31 % 251) as u8).collect();
    let id = ContentId::of(&bytes);
    (bytes, id)
}

#[tokio::test]
async fn wrong_bytes_are_deleted_and_the_liar_named() {
    let (bytes, id) = blob(300_000);
    let mut wrong = bytes.clone();
    wrong[150_000] ^= 1;
    let liar = serve(Manner::Honest(wrong)).await;
    let fixture = over(&[&liar]).await;
    assert_eq!(fixture.failures(id).await, ["blobs.wrong_bytes"]);
    assert_eq!(fixture.files(), 0);
    assert_eq!(fixture.store.has(id).await.expect("has"), None);
    let said = fixture.store.get(id, MIB).await.expect_err("lies again").to_string();
    assert!(said.contains(&liar.source.name()), "{said}");
}

#[tokio::test]
async fn an_honest_mirror_after_a_liar_serves() {
    let (bytes, id) = blob(300_000);
    let liar = serve(Manner::Honest(b"something else".to_vec())).await;
    let honest = serve(Manner::Honest(bytes.clone())).await;
    let fixture = over(&[&liar, &honest]).await;
    assert_eq!(fixture.store.get(id, MIB).await.expect("served"), bytes);
    // The second time it is here: nobody is asked.
    fixture.store.get(id, MIB).await.expect("local");
    assert_eq!(honest.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_limit() {
    let endless = serve(Manner::Endless).await;
    let fixture = over(&[&endless]).await;
    assert_eq!(fixture.failures(blob(10).1).await, ["blobs.too_large"]);
    assert_eq!(fixture.files(), 0);
}

#[tokio::test]
async fn a_declared_size_over_the_limit_is_refused_before_a_byte() {
    let huge = serve(Manner::Declares(1 << 40)).await;
    let fixture = over(&[&huge]).await;
    assert_eq!(fixture.failures(blob(10).1).await, ["blobs.too_large"]);
}

#[tokio::test]
async fn a_missing_blob_says_who_was_asked() {
    let (first, second) = (serve(Manner::Missing).await, serve(Manner::Error(500)).await);
    let fixture = over(&[&first, &second]).await;
    assert_eq!(fixture.failures(blob(10).1).await, ["blobs.not_found", "blobs.source"]);
    // Missing is final, a server error is worth one more try.
    assert_eq!((first.requests.load(Ordering::SeqCst), second.requests.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test]
async fn a_slow_loris_is_left_for_the_next_mirror() {
    let (bytes, id) = blob(300_000);
    let (loris, honest) = (serve(Manner::SlowLoris).await, serve(Manner::Honest(bytes.clone())).await);
    let fixture = over(&[&loris, &honest]).await;
    assert_eq!(fixture.store.get(id, MIB).await.expect("served"), bytes);
}

#[tokio::test]
async fn a_slow_loris_alone_is_given_up() {
    let loris = serve(Manner::SlowLoris).await;
    let fixture = over(&[&loris]).await;
    assert_eq!(fixture.failures(blob(10).1).await, ["blobs.stalled"]);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let silent = serve(Manner::Silent).await;
    let fixture = over(&[&silent]).await;
    assert_eq!(fixture.failures(blob(10).1).await, ["blobs.source"]);
}

#[tokio::test]
async fn a_truncated_download_is_resumed_where_it_broke() {
    let (bytes, id) = blob(300_000);
    let breaks = serve(Manner::Breaks(bytes.clone())).await;
    let fixture = over(&[&breaks]).await;
    assert_eq!(fixture.store.get(id, MIB).await.expect("resumed"), bytes);
    assert_eq!(*breaks.ranges.lock().expect("lock"), ["150000-"]);
    assert_eq!(fixture.files(), 1);
}

#[tokio::test]
async fn a_server_without_ranges_begins_anew() {
    let (bytes, id) = blob(300_000);
    let breaks = serve(Manner::BreaksWithoutRanges(bytes.clone())).await;
    let fixture = over(&[&breaks]).await;
    assert_eq!(fixture.store.get(id, MIB).await.expect("begun anew"), bytes);
}

#[tokio::test]
async fn a_mirror_goes_on_where_another_broke() {
    let (bytes, id) = blob(300_000);
    let first = serve(Manner::Breaks(bytes.clone())).await;
    let dir = tempfile::tempdir().expect("temp dir");
    let local = FsStore::open(dir.path(), 64 * MIB).await.expect("open");
    let once = FetchPolicy { resumes: 0, ..policy() };
    Layered::new(local, vec![first.source.clone()], once).get(id, MIB).await.expect_err("broke");
    // A restart in between: the interrupted download is found on disk.
    let local = FsStore::open(dir.path(), 64 * MIB).await.expect("open again");
    let again = Layered::new(local, vec![first.source.clone()], once);
    assert_eq!(again.get(id, MIB).await.expect("resumed"), bytes);
    assert_eq!(*first.ranges.lock().expect("lock"), ["150000-"]);
}

#[tokio::test]
async fn half_of_a_lie_does_not_condemn_the_honest_mirror() {
    let (bytes, id) = blob(300_000);
    let (liar, honest) =
        (serve(Manner::Breaks(vec![7; 300_000])).await, serve(Manner::Breaks(bytes.clone())).await);
    let dir = tempfile::tempdir().expect("temp dir");
    let local = FsStore::open(dir.path(), 64 * MIB).await.expect("open");
    // The liar gives half and breaks; the honest one is asked for the rest, breaks once itself, and then gives all.
    let sources = vec![liar.source.clone(), honest.source.clone()];
    let store = Layered::new(local, sources, FetchPolicy { resumes: 0, ..policy() });
    store.get(id, MIB).await.expect_err("both broke");
    assert_eq!(store.get(id, MIB).await.expect("the honest one gave all"), bytes);
}

#[tokio::test]
async fn many_askers_make_one_fetch() {
    let (bytes, id) = blob(300_000);
    let honest = serve(Manner::Honest(bytes)).await;
    let fixture = over(&[&honest]).await;
    let asked = (0..16).map(|_| fixture.store.local(id));
    for blob in futures::future::join_all(asked).await {
        assert_eq!(blob.expect("served").len, 300_000);
    }
    assert_eq!(honest.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_blob_larger_than_the_store_is_refused() {
    let (bytes, id) = blob(300_000);
    let honest = serve(Manner::Honest(bytes)).await;
    let dir = tempfile::tempdir().expect("temp dir");
    let local = FsStore::open(dir.path(), 100_000).await.expect("open");
    let error =
        Layered::new(local, vec![honest.source.clone()], policy()).get(id, MIB).await.expect_err("no room");
    assert_eq!(error.code(), "blobs.quota");
}
