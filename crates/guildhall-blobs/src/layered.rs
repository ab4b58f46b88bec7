//! A local store that fetches what it lacks, from several sources in order.
//!
//! The rules of a fetch: a size limit before the first byte, a pace over every window, resume from where a source stopped,
//! and a verdict by hash. A source whose bytes are wrong is named, its bytes are deleted, and the next one begins anew.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use guildhall_protocol::ContentId;
use tokio::sync::Semaphore;

use crate::{
    BlobError, BlobSource, BlobStore, BlobStream, ByteStream, FsStore, LocalBlob, ObjectSource, Offer,
    SourceFailure, partial::Partial,
};

/// Entries above which the table of fetches is looked through for dead ones.
const MANY_FLIGHTS: usize = 64;

/// The bounds of a fetch.
#[derive(Clone, Copy, Debug)]
pub struct FetchPolicy {
    /// Largest blob that is fetched, in bytes.
    pub max_bytes: u64,
    /// A source sends at least `min_bytes` ...
    pub min_bytes: u64,
    /// ... in every such window; this ends one that drips.
    pub window: Duration,
    /// How often one source is asked to go on after it stopped.
    pub resumes: u32,
    /// Wait before the first of these; doubles each time.
    pub resume_wait: Duration,
    /// Fetches at once; further ones wait.
    pub at_once: usize,
}

impl Default for FetchPolicy {
    fn default() -> Self {
        Self {
            max_bytes: 16 << 30,
            min_bytes: 64 * 1024,
            window: Duration::from_secs(20),
            resumes: 4,
            resume_wait: Duration::from_millis(250),
            at_once: 8,
        }
    }
}

/// A local store over sources. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Layered {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    local: FsStore,
    sources: Vec<Arc<dyn BlobSource>>,
    copies: Option<ObjectSource>,
    policy: FetchPolicy,
    slots: Semaphore,
    /// One fetch of an id at a time; the others wait for it. Entries go when nobody waits any more.
    flights: Mutex<HashMap<ContentId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Layered {
    /// `local` backed by `sources`, asked in this order.
    pub fn new(local: FsStore, sources: Vec<Arc<dyn BlobSource>>, policy: FetchPolicy) -> Self {
        Self::assemble(local, sources, None, policy)
    }

    /// The same with an object store that gets a copy of everything that is put, and is asked before the sources.
    pub fn with_copies(
        local: FsStore,
        copies: ObjectSource,
        sources: Vec<Arc<dyn BlobSource>>,
        policy: FetchPolicy,
    ) -> Self {
        let mut all: Vec<Arc<dyn BlobSource>> = vec![Arc::new(copies.clone())];
        all.extend(sources);
        Self::assemble(local, all, Some(copies), policy)
    }

    fn assemble(
        local: FsStore,
        sources: Vec<Arc<dyn BlobSource>>,
        copies: Option<ObjectSource>,
        policy: FetchPolicy,
    ) -> Self {
        let slots = Semaphore::new(policy.at_once.max(1));
        Self { inner: Arc::new(Inner { local, sources, copies, policy, slots, flights: Mutex::default() }) }
    }

    /// The store on this machine.
    pub fn local_store(&self) -> &FsStore {
        &self.inner.local
    }

    /// Makes sure that a blob is here, fetching it from the sources, and from `extra` ones that only this blob has (named
    /// by its owner, say), `max_bytes` at most.
    ///
    /// # Errors
    /// [`BlobError::NotFound`] with what each source said; [`BlobError::Quota`] when there is no room.
    pub async fn fetch(
        &self,
        id: ContentId,
        max_bytes: u64,
        extra: &[Arc<dyn BlobSource>],
    ) -> Result<LocalBlob, BlobError> {
        if let Some(blob) = self.here(id).await? {
            return fits(blob, max_bytes);
        }
        let flight = self.flight(id);
        let result = {
            let _alone = flight.lock().await;
            match self.here(id).await? {
                Some(blob) => fits(blob, max_bytes),
                None => self.fetch_alone(id, max_bytes.min(self.inner.policy.max_bytes), extra).await,
            }
        };
        let mut flights = self.inner.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // Ours and the table's: nobody else waits.
        if Arc::strong_count(&flight) == 2 {
            flights.remove(&id);
        }
        result
    }

    fn flight(&self, id: ContentId) -> Arc<tokio::sync::Mutex<()>> {
        let mut flights = self.inner.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // Entries of fetches that were dropped half-way.
        if flights.len() > MANY_FLIGHTS {
            flights.retain(|_, flight| Arc::strong_count(flight) > 1);
        }
        flights.entry(id).or_default().clone()
    }

    async fn here(&self, id: ContentId) -> Result<Option<LocalBlob>, BlobError> {
        match self.inner.local.local(id).await {
            Ok(blob) => Ok(Some(blob)),
            // A damaged copy is gone now: fetch it again.
            Err(BlobError::NotFound { .. } | BlobError::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn fetch_alone(
        &self,
        id: ContentId,
        limit: u64,
        extra: &[Arc<dyn BlobSource>],
    ) -> Result<LocalBlob, BlobError> {
        let _slot = self.inner.slots.acquire().await.map_err(|_closed| BlobError::missing(id))?;
        let mut download = Download {
            id,
            limit,
            policy: self.inner.policy,
            partial: self.inner.local.begin_or_resume(id, limit).await?,
            givers: Givers::Unknown,
        };
        if download.partial.len() == 0 {
            download.givers = Givers::Nobody;
        }
        let mut tried = Vec::new();
        for source in self.inner.sources.iter().chain(extra) {
            let name = source.name();
            match download.complete(source.as_ref(), &name).await {
                Ok(()) => {
                    metrics::counter!("blobs_fetched_bytes_total").increment(download.partial.len());
                    drop(download);
                    return self.inner.local.local(id).await;
                }
                // Not the source's fault, and no other source can help.
                Err(error @ (BlobError::Io { .. } | BlobError::Quota { .. })) => return Err(error),
                Err(error) => {
                    tracing::debug!(%id, source = name, %error, "source did not give the blob");
                    tried.push(SourceFailure { name, error: Arc::new(error) });
                }
            }
        }
        // Whoever asks again later goes on from here, unless the bytes were found to be wrong.
        download.partial.keep(id).await?;
        Err(BlobError::NotFound { id, tried })
    }
}

fn fits(blob: LocalBlob, limit: u64) -> Result<LocalBlob, BlobError> {
    if blob.len > limit {
        return Err(BlobError::TooLarge { limit, declared: Some(blob.len), from: "the local store".into() });
    }
    Ok(blob)
}

/// Who gave the bytes that a download holds: only one who gave them all can be said to lie.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Givers {
    Nobody,
    One(String),
    /// Several, or an earlier run.
    Unknown,
}

struct Download {
    id: ContentId,
    limit: u64,
    policy: FetchPolicy,
    partial: Partial,
    givers: Givers,
}

impl Download {
    /// Gets the rest from one source; `Ok` = the blob is published.
    async fn complete(&mut self, source: &dyn BlobSource, name: &str) -> Result<(), BlobError> {
        let mut resumes = 0;
        loop {
            match self.attempt(source, name).await {
                Ok(()) => match self.partial.finish(Some(self.id), name).await {
                    Err(error @ BlobError::WrongBytes { .. }) => {
                        metrics::counter!("blobs_wrong_bytes_total").increment(1);
                        let alone = self.givers == Givers::One(name.to_owned());
                        self.forget().await?;
                        if alone {
                            return Err(error);
                        }
                        // Somebody before may have lied: let this source give all of it, once.
                    }
                    finished => return finished.map(|_| ()),
                },
                Err(error) if error.is_transient() && resumes < self.policy.resumes => {
                    tracing::debug!(id = %self.id, source = name, %error, "asking again");
                    tokio::time::sleep(self.policy.resume_wait.saturating_mul(1 << resumes.min(16))).await;
                    resumes += 1;
                }
                Err(error) => {
                    if matches!(error, BlobError::TooLarge { .. }) {
                        self.forget().await?;
                    }
                    return Err(error);
                }
            }
        }
    }

    async fn forget(&mut self) -> Result<(), BlobError> {
        self.givers = Givers::Nobody;
        self.partial.reset().await
    }

    async fn attempt(&mut self, source: &dyn BlobSource, name: &str) -> Result<(), BlobError> {
        let offer = source.fetch(self.id, self.partial.len()).await?;
        if let Some(total) = offer.total.filter(|total| *total > self.limit) {
            return Err(BlobError::TooLarge {
                limit: self.limit,
                declared: Some(total),
                from: name.to_owned(),
            });
        }
        if offer.offset != self.partial.len() {
            if offer.offset != 0 {
                let message = format!("sends from byte {} and not from {}", offer.offset, self.partial.len());
                return Err(BlobError::Source { from: name.to_owned(), message, transient: false });
            }
            self.forget().await?;
        }
        self.givers = match &self.givers {
            Givers::Nobody => Givers::One(name.to_owned()),
            Givers::One(before) if before == name => Givers::One(name.to_owned()),
            _ => Givers::Unknown,
        };
        self.take(offer, name).await
    }

    /// Writes what comes, checking length and pace.
    async fn take(&mut self, mut offer: Offer, name: &str) -> Result<(), BlobError> {
        let FetchPolicy { min_bytes, window, .. } = self.policy;
        let stalled = || BlobError::Stalled { from: name.to_owned(), min_bytes, window };
        let (mut began, mut in_window) = (Instant::now(), 0u64);
        loop {
            let left = window.saturating_sub(began.elapsed());
            let piece = tokio::time::timeout(left, offer.bytes.try_next()).await.map_err(|_| stalled())??;
            let Some(piece) = piece else { break };
            if let Some(total) = offer.total
                && self.partial.len().saturating_add(piece.len() as u64) > total
            {
                let message = format!("sends more than the {total} bytes it declared");
                return Err(BlobError::Source { from: name.to_owned(), message, transient: false });
            }
            self.partial.append(&piece, name).await?;
            in_window += piece.len() as u64;
            if in_window >= min_bytes {
                (began, in_window) = (Instant::now(), 0);
            }
        }
        match offer.total {
            Some(want) if self.partial.len() < want => {
                Err(BlobError::Truncated { from: name.to_owned(), got: self.partial.len(), want })
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl BlobStore for Layered {
    async fn has(&self, id: ContentId) -> Result<Option<u64>, BlobError> {
        self.inner.local.has(id).await
    }

    async fn get(&self, id: ContentId, limit: u64) -> Result<Bytes, BlobError> {
        // Held until it is read, so that nothing evicts it in between.
        let _held = self.fetch(id, limit, &[]).await?;
        self.inner.local.get(id, limit).await
    }

    async fn get_stream(&self, id: ContentId, range: Option<Range<u64>>) -> Result<BlobStream, BlobError> {
        let _held = self.local(id).await?;
        self.inner.local.get_stream(id, range).await
    }

    async fn local(&self, id: ContentId) -> Result<LocalBlob, BlobError> {
        self.fetch(id, self.inner.policy.max_bytes, &[]).await
    }

    async fn put(&self, bytes: Bytes) -> Result<ContentId, BlobError> {
        let id = self.inner.local.put(bytes).await?;
        self.copy(id).await
    }

    async fn put_stream(
        &self,
        expected: Option<ContentId>,
        limit: u64,
        bytes: ByteStream,
    ) -> Result<ContentId, BlobError> {
        let id = self.inner.local.put_stream(expected, limit, bytes).await?;
        self.copy(id).await
    }
}

impl Layered {
    /// What is put is acknowledged only when its copy is made, too.
    async fn copy(&self, id: ContentId) -> Result<ContentId, BlobError> {
        if let Some(copies) = &self.inner.copies {
            copies.upload(id, self.inner.local.get_stream(id, None).await?).await?;
        }
        Ok(id)
    }
}
