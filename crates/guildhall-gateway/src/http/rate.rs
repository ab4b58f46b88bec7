//! How fast one address may ask and store: a bucket each, refilled all the time. An IPv6 network of 64 bits counts as one.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use axum::http::StatusCode;
use guildhall_blobs::{PutGuard, PutRequest};
use guildhall_service::Problem;

use crate::limits::{
    ADDRESSES_REMEMBERED, REQUESTS_BURST, REQUESTS_PER_SEC, STORED_AT_LEAST, STORED_PER_HOUR,
};

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// The buckets of all addresses, at most [`ADDRESSES_REMEMBERED`].
#[derive(Debug)]
pub struct Rates {
    per_sec: f64,
    saved_up: f64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

impl Rates {
    fn new(per_sec: f64, saved_up: f64) -> Self {
        Self { per_sec, saved_up, buckets: Mutex::default() }
    }

    /// Of requests.
    pub fn of_requests() -> Self {
        Self::new(REQUESTS_PER_SEC.into(), REQUESTS_BURST.into())
    }

    /// Of bytes that are stored.
    fn of_bytes() -> Self {
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let hourly = STORED_PER_HOUR as f64;
        Self::new(hourly / 3_600.0, hourly)
    }

    /// Takes an amount out of an address' bucket.
    ///
    /// # Errors
    /// How long it is until there is so much in it; then nothing was taken.
    pub fn take(&self, peer: IpAddr, amount: f64) -> Result<(), Duration> {
        self.take_at(peer, amount, Instant::now())
    }

    fn take_at(&self, peer: IpAddr, amount: f64, now: Instant) -> Result<(), Duration> {
        let peer = network_of(peer);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES_REMEMBERED && !buckets.contains_key(&peer) {
            // A full bucket says nothing that a new one would not.
            buckets.retain(|_, bucket| self.refilled(bucket, now) < self.saved_up);
            if buckets.len() >= ADDRESSES_REMEMBERED {
                return Err(Duration::from_secs(1));
            }
        }
        let bucket = buckets.entry(peer).or_insert(Bucket { left: self.saved_up, at: now });
        let left = self.refilled(bucket, now);
        let taken = if left >= amount { amount } else { 0.0 };
        *bucket = Bucket { left: left - taken, at: now };
        if left >= amount {
            return Ok(());
        }
        Err(Duration::from_secs_f64(((amount - left) / self.per_sec).ceil()))
    }

    fn refilled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let earned = now.saturating_duration_since(bucket.at).as_secs_f64() * self.per_sec;
        (bucket.left + earned).min(self.saved_up)
    }
}

/// Lets every visitor store, so much an hour. What is there already counts, too: it was sent.
#[derive(Debug)]
pub struct VisitorQuota(Rates);

impl Default for VisitorQuota {
    fn default() -> Self {
        Self(Rates::of_bytes())
    }
}

#[async_trait]
impl PutGuard for VisitorQuota {
    async fn allow(&self, request: &PutRequest) -> Result<(), Problem> {
        let length = request.length.ok_or_else(|| {
            Problem::new(
                StatusCode::LENGTH_REQUIRED,
                "blobs.no_length",
                "the request does not say how long the blob is",
            )
            .with_hint("send `Content-Length`")
        })?;
        // Without a server in between there is nobody to count for: routes that are asked directly, in tests.
        let Some(peer) = request.peer else { return Ok(()) };
        #[expect(clippy::cast_precision_loss, reason = "a larger blob was refused before")]
        let amount = length.max(STORED_AT_LEAST) as f64;
        self.0.take(peer, amount).map_err(|wait| {
            let detail = format!(
                "{length} bytes are more than this address may store now: {} MiB an hour",
                STORED_PER_HOUR >> 20
            );
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "blobs.too_much", detail).with_hint(format!(
                "wait {} s, or store it with the pool's coordinator: `guildhall deal create` does",
                wait.as_secs()
            ))
        })
    }
}

fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use guildhall_protocol::ContentId;

    use super::*;
    use crate::limits::BLOB_BYTES;

    #[test]
    fn a_flood_is_cut_a_pause_refills_and_others_go_on() {
        let (rates, start) = (Rates::of_requests(), Instant::now());
        let (loud, quiet) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let passed = (0..2 * REQUESTS_BURST).filter(|_| rates.take_at(loud, 1.0, start).is_ok()).count();
        assert_eq!(passed, REQUESTS_BURST as usize);
        assert_eq!(rates.take_at(loud, 1.0, start), Err(Duration::from_secs(1)));
        assert!(rates.take_at(quiet, 1.0, start).is_ok());
        let later = start + Duration::from_secs(1);
        let passed = (0..1_000).filter(|_| rates.take_at(loud, 1.0, later).is_ok()).count();
        assert_eq!(passed, REQUESTS_PER_SEC as usize);
    }

    #[test]
    fn a_whole_network_of_addresses_is_one() {
        let at = |text: &str| network_of(text.parse().expect("an address"));
        assert_eq!(at("2001:db8:1:2:3:4:5:6"), at("2001:db8:1:2::1"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
    }

    #[tokio::test]
    async fn a_visitor_stores_its_share_and_no_more() {
        let quota = VisitorQuota::default();
        let ask = |length: Option<u64>, last: u8| PutRequest {
            id: ContentId::of(b"x"),
            length,
            headers: Default::default(),
            peer: Some(IpAddr::from([10, 0, 0, last])),
        };
        assert_eq!(quota.allow(&ask(None, 1)).await.unwrap_err().status, 411);
        for _ in 0..STORED_PER_HOUR / BLOB_BYTES {
            quota.allow(&ask(Some(BLOB_BYTES), 1)).await.expect("within its share");
        }
        let refused = quota.allow(&ask(Some(BLOB_BYTES), 1)).await.unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (429, "blobs.too_much"));
        quota.allow(&ask(Some(BLOB_BYTES), 2)).await.expect("another visitor's share");
    }
}
