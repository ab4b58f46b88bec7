//! How fast one address may ask: a bucket of requests each, refilled every second. An IPv6 network of 64 bits counts as one.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::limits::{ADDRESSES_REMEMBERED, REQUESTS_BURST, REQUESTS_PER_SEC};

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn refilled(&self, now: Instant) -> f64 {
        let earned = now.saturating_duration_since(self.at).as_secs_f64() * f64::from(REQUESTS_PER_SEC);
        (self.left + earned).min(f64::from(REQUESTS_BURST))
    }
}

/// The buckets of all addresses, at most [`ADDRESSES_REMEMBERED`].
#[derive(Debug, Default)]
pub struct Rates {
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

impl Rates {
    /// Takes one request from an address' bucket; whether there was one.
    pub fn take(&self, peer: IpAddr) -> bool {
        self.take_at(peer, Instant::now())
    }

    fn take_at(&self, peer: IpAddr, now: Instant) -> bool {
        let peer = network_of(peer);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES_REMEMBERED && !buckets.contains_key(&peer) {
            // A full bucket says nothing that a new one would not.
            buckets.retain(|_, bucket| bucket.refilled(now) < f64::from(REQUESTS_BURST));
            if buckets.len() >= ADDRESSES_REMEMBERED {
                return false;
            }
        }
        let bucket = buckets.entry(peer).or_insert(Bucket { left: f64::from(REQUESTS_BURST), at: now });
        let left = bucket.refilled(now);
        let allowed = left >= 1.0;
        *bucket = Bucket { left: if allowed { left - 1.0 } else { left }, at: now };
        allowed
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
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_is_cut_a_pause_refills_and_others_go_on() {
        let (rates, start) = (Rates::default(), Instant::now());
        let (loud, quiet) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let passed = (0..2 * REQUESTS_BURST).filter(|_| rates.take_at(loud, start)).count();
        assert_eq!(passed, REQUESTS_BURST as usize);
        assert!(rates.take_at(quiet, start));
        let later = start + Duration::from_secs(1);
        assert_eq!((0..1_000).filter(|_| rates.take_at(loud, later)).count(), REQUESTS_PER_SEC as usize);
    }

    #[test]
    fn a_whole_network_of_addresses_is_one() {
        let at = |text: &str| network_of(text.parse().expect("an address"));
        assert_eq!(at("2001:db8:1:2:3:4:5:6"), at("2001:db8:1:2::1"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
    }
}
