//! Which seats this worker has, and which one to take next.
//!
//! A state machine without IO: it is told what opened and what is over, and computes every ticket itself. Deals may have
//! millions of batches, so it never lists them: it keeps a place in each and looks a bounded way ahead.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use alloy::primitives::Address;
use guildhall_api::{Round, Standing};
use guildhall_protocol::lot::wave_at;
use guildhall_protocol::{DealId, Opened, Secs, Seed, Terms, UnixTime};

use crate::limits::{MAX_BATCH_TASKS, MAX_OPENINGS, MAX_SCAN};

/// Batches that were opened together: all of a deal, or one that was drawn anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The deal's terms.
    pub terms: Arc<Terms>,
    /// Which batches.
    pub batches: Range<u32>,
    /// Draw of the lot, from zero.
    pub attempt: u8,
    /// Where and when they opened.
    pub opened: Opened,
    /// What the lot is drawn with.
    pub seed: Seed,
}

impl Opening {
    fn patience(&self) -> Secs {
        self.opened.patience
    }
}

/// A seat that this worker may take.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// The round.
    pub round: Round,
    /// The wave that runs.
    pub wave: u8,
    /// The deal's terms.
    pub terms: Arc<Terms>,
}

/// The answer of [`Agenda::next`].
#[derive(Debug)]
pub enum Next {
    /// A seat to take; it is not given again unless it is given back.
    Seat(Box<Drawn>),
    /// Not found yet: ask again at once.
    Searching,
    /// No seat now.
    Nothing,
}

#[derive(Debug)]
struct Item {
    opening: Opening,
    wave: u8,
    cursor: u32,
    /// Over on chain, given out, or out of this worker's reach.
    done: BTreeSet<u32>,
    /// Told full in this wave.
    full: BTreeSet<u32>,
}

/// Everything that is open in the pool, and this worker's place in it.
#[derive(Debug)]
pub struct Agenda {
    worker: Address,
    standing: Option<Standing>,
    items: VecDeque<Item>,
}

impl Agenda {
    /// An empty agenda.
    pub fn new(worker: Address) -> Self {
        Self { worker, standing: None, items: VecDeque::new() }
    }

    /// What the chain says of this worker now; nothing when it has no place in any pool. Seats are computed anew.
    pub fn set_standing(&mut self, standing: Option<Standing>) {
        if self.standing != standing {
            self.standing = standing;
            for item in &mut self.items {
                item.cursor = item.opening.batches.start;
            }
        }
    }

    /// Takes an opening; the same one twice changes nothing. Whether there was room.
    pub fn open(&mut self, opening: Opening) -> bool {
        let (deal, attempt) = (opening.terms.deal(), opening.attempt);
        let known = self.items.iter().any(|item| {
            item.opening.terms.deal() == deal
                && item.opening.attempt == attempt
                && item.opening.batches == opening.batches
        });
        if known {
            return true;
        }
        if opening.attempt > 0 {
            self.batch_over(deal, opening.batches.start);
        }
        if self.items.len() >= MAX_OPENINGS {
            return false;
        }
        let (wave, cursor) = (0, opening.batches.start);
        self.items.push_back(Item { opening, wave, cursor, done: BTreeSet::new(), full: BTreeSet::new() });
        true
    }

    /// A batch is certified, void, expired or drawn anew: nothing is to be done for it in any opening so far.
    pub fn batch_over(&mut self, deal: DealId, batch: u32) {
        for item in self.of(deal).filter(|item| item.opening.batches.contains(&batch)) {
            item.done.insert(batch);
        }
    }

    /// A deal is over, or the chain dropped the block that opened it.
    pub fn deal_over(&mut self, deal: DealId) {
        self.items.retain(|item| item.opening.terms.deal() != deal);
    }

    /// Blocks from `from` on are undone: what opened in them is forgotten until it is said again.
    pub fn reverted(&mut self, from: u64) {
        self.items.retain(|item| item.opening.opened.block < from);
    }

    /// A seat that was given out could not be taken: all are taken in this wave.
    pub fn told_full(&mut self, deal: DealId, batch: u32) {
        for item in self.of(deal).filter(|item| item.opening.batches.contains(&batch)) {
            item.done.remove(&batch);
            item.full.insert(batch);
        }
    }

    /// Seats of a batch came free: it is looked at again.
    pub fn vacant(&mut self, deal: DealId, batch: u32) {
        for item in self.of(deal) {
            if item.full.remove(&batch) {
                item.cursor = item.cursor.min(batch);
            }
        }
    }

    /// The next seat to take at `now`, openings in their order, batches in theirs: all workers go the same way, so that
    /// rounds fill up one after the other.
    pub fn next(&mut self, now: UnixTime) -> Next {
        self.items.retain(|item| !item.is_over(now));
        let Some(standing) = self.standing else { return Next::Nothing };
        let mut budget = MAX_SCAN;
        for item in &mut self.items {
            match item.next(self.worker, &standing, now, &mut budget) {
                Some(drawn) => return Next::Seat(Box::new(drawn)),
                None if budget == 0 => return Next::Searching,
                None => {}
            }
        }
        Next::Nothing
    }

    /// When the next wave begins in which there may be seats that are not there now.
    pub fn next_wave(&self, now: UnixTime) -> Option<UnixTime> {
        let ends = self.items.iter().filter_map(|item| {
            let opened = item.opening.opened.time;
            let patience = item.opening.patience();
            let wave = wave_at(opened, patience, now)?;
            opened.after(patience.checked_mul(u64::from(wave) + 1)?)
        });
        ends.min()
    }

    fn of(&mut self, deal: DealId) -> impl Iterator<Item = &mut Item> {
        self.items.iter_mut().filter(move |item| item.opening.terms.deal() == deal)
    }
}

impl Item {
    fn is_over(&self, now: UnixTime) -> bool {
        let opening = &self.opening;
        let waves_over =
            now >= opening.opened.time && wave_at(opening.opened.time, opening.patience(), now).is_none();
        waves_over || now.0 > opening.terms.deadline
    }

    fn next(
        &mut self,
        worker: Address,
        standing: &Standing,
        now: UnixTime,
        budget: &mut u32,
    ) -> Option<Drawn> {
        // A block may be ahead of this machine's clock: what opened is open.
        let time = now.max(self.opening.opened.time);
        let wave = wave_at(self.opening.opened.time, self.opening.patience(), time)?;
        if wave != self.wave {
            (self.wave, self.cursor) = (wave, self.opening.batches.start);
            self.full.clear();
        }
        while self.cursor < self.opening.batches.end && *budget > 0 {
            let batch = self.cursor;
            self.cursor += 1;
            *budget -= 1;
            if self.done.contains(&batch) || self.full.contains(&batch) {
                continue;
            }
            let Opening { terms, attempt, opened, seed, .. } = &self.opening;
            let Ok(round) = Round::new(terms, batch, *attempt, *opened, *seed) else { continue };
            if round.tasks <= MAX_BATCH_TASKS
                && round.seat(worker, standing).is_some_and(|first| first <= wave)
            {
                self.done.insert(batch);
                return Some(Drawn { round, wave, terms: terms.clone() });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;
    use guildhall_protocol::{BondUnits, OpenedWord};
    use guildhall_testkit::builders::{self, Worker};

    use super::*;

    const NOW: UnixTime = UnixTime(1_000_000);

    fn opening(deal: u8, tasks: u32, pool_bond: u64) -> Opening {
        let deal_of_one = builders::terms(1, 50, (3, 5));
        let pool_bond = BondUnits(pool_bond);
        let opened = Opened { block: 50, time: NOW, pool_bond, ..deal_of_one.opened() };
        let terms = Terms {
            dealId: B256::repeat_byte(deal),
            taskCount: tasks,
            deadline: NOW.0 + 10_000,
            opened: OpenedWord::pack(&opened).0,
            ..deal_of_one
        };
        Opening {
            batches: 0..terms.batches(),
            terms: Arc::new(terms),
            attempt: 0,
            opened,
            seed: Seed(B256::repeat_byte(5)),
        }
    }

    fn agenda() -> Agenda {
        let mut agenda = Agenda::new(Address::repeat_byte(1));
        let standing = Standing { bond: BondUnits(100), room: BondUnits(50), ..Worker::new(1).standing };
        agenda.set_standing(Some(standing));
        agenda
    }

    /// Every seat at `now`, by batch.
    fn seats(agenda: &mut Agenda, now: UnixTime) -> Vec<u32> {
        let mut found = Vec::new();
        loop {
            match agenda.next(now) {
                Next::Seat(drawn) => found.push(drawn.round.at.batch),
                Next::Searching => {}
                Next::Nothing => return found,
            }
        }
    }

    #[test]
    fn every_seat_is_given_once_in_order_and_only_the_lots() {
        let mut agenda = agenda();
        assert!(agenda.open(opening(1, 5_000, 1_000)));
        assert!(agenda.open(opening(1, 5_000, 1_000)), "twice is once");
        let found = seats(&mut agenda, NOW);
        assert!(found.is_sorted() && found.windows(2).all(|pair| pair[0] != pair[1]));
        assert!((2_000..3_000).contains(&found.len()), "half of the batches: want 5, a tenth of the bond");
        assert!(seats(&mut agenda, NOW).is_empty());
        let second = agenda.next_wave(NOW).expect("a second wave");
        let wider = seats(&mut agenda, second);
        assert!(found.len() + wider.len() == 5_000, "the second wave doubles the seats");
    }

    #[test]
    fn what_is_over_is_not_given_and_what_comes_free_is() {
        let mut agenda = agenda();
        agenda.open(opening(1, 4, 100));
        let deal = DealId(B256::repeat_byte(1));
        agenda.batch_over(deal, 2);
        assert_eq!(seats(&mut agenda, NOW), [0, 1, 3]);
        agenda.told_full(deal, 1);
        assert!(seats(&mut agenda, NOW).is_empty());
        agenda.vacant(deal, 1);
        assert_eq!(seats(&mut agenda, NOW), [1]);
        let again = Opening { batches: 3..4, attempt: 1, ..opening(1, 4, 100) };
        agenda.open(again);
        assert_eq!(seats(&mut agenda, NOW), [3], "drawn anew");
        agenda.deal_over(deal);
        assert!(agenda.items.is_empty());
    }

    #[test]
    fn a_worker_without_standing_has_no_seats_and_a_late_one_none_of_before() {
        let mut agenda = agenda();
        agenda.open(opening(1, 4, 100));
        agenda.set_standing(None);
        assert!(seats(&mut agenda, NOW).is_empty());
        let mut late = self::agenda();
        late.set_standing(late.standing.map(|standing| Standing { active_from: 50, ..standing }));
        late.open(opening(1, 4, 100));
        assert!(seats(&mut late, NOW).is_empty(), "bonded in the opening block");
        late.reverted(50);
        assert!(late.items.is_empty(), "an undone opening is forgotten");
    }

    #[test]
    fn openings_are_bounded_and_over_ones_make_room() {
        let mut agenda = agenda();
        for number in 0..MAX_OPENINGS as u32 {
            assert!(agenda.open(Opening { batches: number..number + 1, ..opening(1, u32::MAX, 100) }));
        }
        assert!(!agenda.open(opening(2, 1, 100)));
        agenda.next(UnixTime(NOW.0 + 20_000));
        assert!(agenda.open(opening(2, 1, 100)));
    }
}
