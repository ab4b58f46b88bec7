//! The local store: durability, verification, quota; and its HTTP routes.

use std::{path::PathBuf, sync::Arc};

use axum::http::{StatusCode, header};
use futures::{StreamExt, stream};
use guildhall_blobs::{
    BlobError, BlobStore, ByteStream, ContentId, FetchPolicy, FsStore, HttpSource, HttpTimeouts, Layered,
    ObjectSource, OpenToAll, PutGuard, RouteOptions, SharedToken, routes,
};
use guildhall_service::{CancellationToken, Coded, Problem, Secret, http};
use tokio::net::TcpListener;

async fn open(dir: &tempfile::TempDir, quota: u64) -> FsStore {
    FsStore::open(dir.path(), quota).await.expect("open")
}

fn pieces(parts: &[&'static [u8]]) -> ByteStream {
    let parts: Vec<_> = parts.iter().map(|part| Ok((*part).into())).collect();
    stream::iter(parts).boxed()
}

fn path_of(dir: &tempfile::TempDir, id: ContentId) -> PathBuf {
    let name = format!("{:x}", id.0);
    dir.path().join("data").join(&name[..2]).join(name)
}

#[tokio::test]
async fn what_is_put_is_there_after_a_restart() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir, 1_000_000).await;
    let id = store.put("hello world".into()).await.expect("put");
    let streamed = store.put_stream(Some(id), 100, pieces(&[b"hello ", b"world"])).await.expect("stream");
    assert_eq!(streamed, id);
    let store = open(&dir, 1_000_000).await;
    assert_eq!(store.has(id).await.expect("has"), Some(11));
    assert_eq!(store.get(id, 11).await.expect("get"), "hello world");
    assert_eq!(store.get_range(id, 6..11).await.expect("range"), "world");
    assert_eq!(std::fs::read(store.local(id).await.expect("local").path).expect("read"), b"hello world");
    assert_eq!(store.get(id, 10).await.expect_err("limit").code(), "blobs.too_large");
    assert_eq!(store.get_range(id, 6..12).await.expect_err("range").code(), "blobs.range");
}

#[tokio::test]
async fn wrong_bytes_leave_nothing() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir, 1_000_000).await;
    let id = ContentId::of(b"expected");
    let error = store.put_stream(Some(id), 100, pieces(&[b"other"])).await.expect_err("wrong");
    assert_eq!(error.code(), "blobs.wrong_bytes");
    let error = store.put_stream(None, 4, pieces(&[b"other"])).await.expect_err("too many");
    assert_eq!(error.code(), "blobs.too_large");
    assert_eq!(store.usage_bytes(), (0, 0));
    assert_eq!(std::fs::read_dir(dir.path().join("partial")).expect("read dir").count(), 0);
}

#[tokio::test]
async fn a_broken_stream_leaves_nothing() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir, 1_000_000).await;
    let broken = BlobError::Source { from: "x".into(), message: "gone".into(), transient: true };
    let parts: Vec<Result<bytes::Bytes, _>> = vec![Ok("half".into()), Err(broken)];
    store.put_stream(None, 100, stream::iter(parts).boxed()).await.expect_err("broken");
    assert_eq!(store.usage_bytes(), (0, 0));
}

#[tokio::test]
async fn damage_on_disk_is_found_by_every_kind_of_read() {
    let dir = tempfile::tempdir().expect("temp dir");
    for read in 0..3 {
        let store = open(&dir, 1_000_000).await;
        let id = store.put("precious".into()).await.expect("put");
        let store = open(&dir, 1_000_000).await;
        std::fs::write(path_of(&dir, id), b"precioux").expect("damage");
        let error = match read {
            0 => store.get(id, 100).await.err(),
            1 => store.get_stream(id, Some(0..1)).await.err(),
            _ => store.local(id).await.err(),
        };
        assert!(matches!(error, Some(BlobError::Corrupt { .. })), "{error:?}");
        assert_eq!(store.has(id).await.expect("has"), None);
        assert!(!path_of(&dir, id).exists());
    }
}

#[tokio::test]
async fn the_quota_evicts_the_oldest_and_never_the_pinned() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir, 10).await;
    let pinned = store.put("aaaa".into()).await.expect("put");
    store.pin(pinned).await.expect("pin");
    let old = store.put("bbbb".into()).await.expect("put");
    let new = store.put("cccc".into()).await.expect("evicts");
    assert_eq!(store.has(old).await.expect("has"), None);
    assert!(!path_of(&dir, old).exists());
    let store = open(&dir, 10).await;
    let error = store.put("ddddddd".into()).await.expect_err("the pin survived the restart");
    assert_eq!(error.code(), "blobs.quota");
    assert_eq!(store.has(new).await.expect("has"), Some(4));
    store.unpin(pinned).await.expect("unpin");
    store.put("ddddddd".into()).await.expect("room now");
}

#[tokio::test]
async fn an_object_store_keeps_copies_and_gives_them_back() {
    let bucket = tempfile::tempdir().expect("temp dir");
    let url = format!("file://{}", bucket.path().display()).parse().expect("url");
    let copies = ObjectSource::new(&url, []).expect("object store");
    let first = tempfile::tempdir().expect("temp dir");
    let layered =
        Layered::with_copies(open(&first, 1 << 20).await, copies.clone(), vec![], FetchPolicy::default());
    let id = layered.put("kept elsewhere".into()).await.expect("put");
    let second = tempfile::tempdir().expect("temp dir");
    let other = Layered::new(open(&second, 1 << 20).await, vec![Arc::new(copies)], FetchPolicy::default());
    assert_eq!(other.get(id, 100).await.expect("from the copy"), "kept elsewhere");
    // A copy that was tampered with is no copy.
    let name = format!("{:x}", id.0);
    std::fs::write(bucket.path().join(&name[..2]).join(&name), "kept elsewherX").expect("tamper");
    other.local_store().remove(id).await.expect("remove");
    assert_eq!(other.get(id, 100).await.expect_err("tampered").code(), "blobs.not_found");
}

struct Running {
    url: String,
    _dir: tempfile::TempDir,
    store: FsStore,
    _stop: tokio_util::sync::DropGuard,
}

async fn serve(guard: Arc<dyn PutGuard>) -> Running {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir, 1 << 20).await;
    let options = RouteOptions { max_put_bytes: 1_000, guard };
    let router = routes(Arc::new(store.clone()), options);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    let stop = CancellationToken::new();
    tokio::spawn(http::serve(listener, router, http::Limits::default(), stop.clone()));
    Running { url, _dir: dir, store, _stop: stop.drop_guard() }
}

#[tokio::test]
async fn a_blob_goes_up_and_comes_down() {
    let server = serve(Arc::new(OpenToAll)).await;
    let (bytes, client) = ("some bytes", reqwest::Client::new());
    let id = ContentId::of(bytes.as_bytes());
    let url = format!("{}/blobs/{id}", server.url);
    let put = client.put(&url).body(bytes).send().await.expect("put");
    assert_eq!(put.status(), StatusCode::CREATED);
    assert_eq!(client.put(&url).body(bytes).send().await.expect("again").status(), StatusCode::OK);
    let got = client.get(&url).send().await.expect("get");
    assert_eq!(got.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    assert_eq!(got.headers()[header::CONTENT_LENGTH], "10");
    let etag = got.headers()[header::ETAG].clone();
    assert_eq!(got.text().await.expect("text"), bytes);
    let head = client.head(&url).send().await.expect("head");
    assert_eq!(
        (head.status(), &head.headers()[header::CONTENT_LENGTH]),
        (StatusCode::OK, &"10".parse().expect("value"))
    );
    let same = client.get(&url).header(header::IF_NONE_MATCH, etag).send().await.expect("get");
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    let part = client.get(&url).header(header::RANGE, "bytes=5-").send().await.expect("get");
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 5-9/10");
    assert_eq!(part.text().await.expect("text"), "bytes");
    let outside = client.get(&url).header(header::RANGE, "bytes=10-").send().await.expect("get");
    assert_eq!(outside.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    // And our own client understands our own routes.
    let dir = tempfile::tempdir().expect("temp dir");
    let source = HttpSource::new(&server.url.parse().expect("url"), HttpTimeouts::default()).expect("source");
    let layered = Layered::new(open(&dir, 1 << 20).await, vec![Arc::new(source)], FetchPolicy::default());
    assert_eq!(layered.get(id, 100).await.expect("fetched"), bytes);
}

async fn refusal(response: reqwest::Response) -> (u16, String) {
    let problem: Problem = response.json().await.expect("a problem document");
    (problem.status, problem.code)
}

#[tokio::test]
async fn what_is_wrong_with_a_put_is_said() {
    let server = serve(Arc::new(OpenToAll)).await;
    let client = reqwest::Client::new();
    let id = ContentId::of(b"this");
    let url = format!("{}/blobs/{id}", server.url);
    let wrong = client.put(&url).body("that").send().await.expect("put");
    assert_eq!(refusal(wrong).await, (422, "blobs.wrong_bytes".into()));
    let large = client.put(&url).body(vec![0; 2_000]).send().await.expect("put");
    assert_eq!(refusal(large).await, (413, "blobs.too_large".into()));
    let endless = stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(vec![0u8; 100])));
    let endless = client.put(&url).body(reqwest::Body::wrap_stream(endless)).send().await.expect("put");
    assert_eq!(refusal(endless).await, (413, "blobs.too_large".into()));
    let no_id = client.put(format!("{}/blobs/..%2Fetc", server.url)).send().await.expect("put");
    assert_eq!(refusal(no_id).await, (400, "blobs.bad_id".into()));
    let missing = client.get(&url).send().await.expect("get");
    assert_eq!(refusal(missing).await, (404, "blobs.not_found".into()));
    assert_eq!(server.store.usage_bytes(), (0, 0));
}

#[tokio::test]
async fn only_the_token_may_put() {
    let server = serve(Arc::new(SharedToken(Secret::new("let me in".to_owned())))).await;
    let client = reqwest::Client::new();
    let url = format!("{}/blobs/{}", server.url, ContentId::of(b"this"));
    for token in [None, Some("let me"), Some("")] {
        let put = client.put(&url).body("this");
        let put = if let Some(token) = token { put.bearer_auth(token) } else { put };
        assert_eq!(refusal(put.send().await.expect("put")).await, (401, "blobs.unauthorized".into()));
    }
    let put = client.put(&url).bearer_auth("let me in").body("this").send().await.expect("put");
    assert_eq!(put.status(), StatusCode::CREATED);
}
