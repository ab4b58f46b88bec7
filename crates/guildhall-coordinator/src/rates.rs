//! How fast one worker may send: a bucket of messages each, refilled every second.

use std::collections::HashMap;
use std::time::Instant;

use alloy::primitives::Address;

use crate::limits::{MAX_RATES, MESSAGES_BURST, MESSAGES_PER_SEC};

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// The buckets of all workers, at most [`MAX_RATES`].
#[derive(Debug, Default)]
pub struct Rates {
    buckets: HashMap<Address, Bucket>,
}

impl Rates {
    /// Takes one message from a worker's bucket; whether there was one.
    pub fn take(&mut self, worker: Address, now: Instant) -> bool {
        if self.buckets.len() >= MAX_RATES && !self.buckets.contains_key(&worker) {
            // A full bucket says nothing that a new one would not.
            self.buckets.retain(|_, bucket| bucket.refilled(now) < f64::from(MESSAGES_BURST));
        }
        if self.buckets.len() >= MAX_RATES && !self.buckets.contains_key(&worker) {
            return false;
        }
        let full = Bucket { left: f64::from(MESSAGES_BURST), at: now };
        let bucket = self.buckets.entry(worker).or_insert(full);
        let left = bucket.refilled(now);
        let allowed = left >= 1.0;
        *bucket = Bucket { left: if allowed { left - 1.0 } else { left }, at: now };
        allowed
    }
}

impl Bucket {
    fn refilled(&self, now: Instant) -> f64 {
        let earned = now.saturating_duration_since(self.at).as_secs_f64() * f64::from(MESSAGES_PER_SEC);
        (self.left + earned).min(f64::from(MESSAGES_BURST))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_is_cut_and_a_pause_refills() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        let (loud, quiet) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let passed = (0..2 * MESSAGES_BURST).filter(|_| rates.take(loud, start)).count();
        assert_eq!(passed, MESSAGES_BURST as usize);
        assert!(rates.take(quiet, start), "one worker's flood is not another's");
        let later = start + Duration::from_secs(1);
        let passed = (0..2 * MESSAGES_BURST).filter(|_| rates.take(loud, later)).count();
        assert_eq!(passed, MESSAGES_PER_SEC as usize);
    }

    #[test]
    fn remembered_workers_are_bounded() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        let address = |number: usize| Address::left_padding_from(&number.to_be_bytes());
        assert!((0..MAX_RATES).all(|number| rates.take(address(number), start)));
        assert!(!rates.take(address(MAX_RATES), start), "all are busy");
        assert!(
            rates.take(address(MAX_RATES), start + Duration::from_secs(10)),
            "the quiet ones are forgotten"
        );
    }
}
