//! Batches that nobody worked on while their waves ran: the pool was away, or new. Once somebody is there they get another draw,
//! where there is time for one.
//!
//! A search without IO: it names a few batches at a time, the shell asks the chain about them. Deals may have millions of batches, so
//! nothing is kept of each.

use std::collections::{BTreeMap, HashMap};

use guildhall_protocol::{DealId, Secs, Terms, UnixTime, lot::LAST_WAVE};

/// Where the search stands in each deal.
#[derive(Debug, Default)]
pub(crate) struct Neglected {
    searches: HashMap<DealId, Search>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Search {
    next: u32,
    /// Whether an open batch was found since it began.
    open: bool,
    /// When it goes on.
    from: UnixTime,
}

/// Length of all waves of a draw.
pub(crate) fn waves(terms: &Terms) -> Secs {
    terms.opened().patience.saturating_add(Secs(terms.opened().patience.0.saturating_mul(LAST_WAVE.into())))
}

impl Neglected {
    /// Up to `most` batches to ask the chain about, of deals whose first waves are over and that are not due yet; `known` says of
    /// which there is a round.
    pub(crate) fn next(
        &mut self,
        deals: &BTreeMap<DealId, Terms>,
        known: impl Fn(DealId, u32) -> bool,
        now: UnixTime,
        most: usize,
    ) -> Vec<(DealId, u32)> {
        let mut batches = Vec::new();
        for (deal, terms) in deals {
            let over = terms.opened().time.after(waves(terms));
            if over.is_none_or(|over| now < over) || now.0 >= terms.deadline {
                continue;
            }
            let search = self.searches.entry(*deal).or_default();
            while batches.len() < most && search.from <= now {
                if search.next >= terms.batches() {
                    // From the first one again when another draw would be over; never, where nothing is open.
                    let again = if search.open { now.after(waves(terms)) } else { None };
                    *search = Search { from: again.unwrap_or(UnixTime(u64::MAX)), ..Search::default() };
                    break;
                }
                let batch = search.next;
                search.next += 1;
                if !known(*deal, batch) {
                    batches.push((*deal, batch));
                }
            }
        }
        batches
    }

    /// A batch is open: the deal is looked through again later.
    pub(crate) fn found_open(&mut self, deal: DealId) {
        self.searches.entry(deal).and_modify(|search| search.open = true);
    }

    /// Forgets a deal.
    pub(crate) fn forget(&mut self, deal: DealId) {
        self.searches.remove(&deal);
    }

    /// Begins anew with all deals: what was settled may be open again.
    pub(crate) fn begin_anew(&mut self) {
        self.searches.clear();
    }
}

#[cfg(test)]
mod tests {
    use guildhall_testkit::builders::{OPENED_AT, terms};

    use super::*;

    #[test]
    fn each_batch_is_asked_for_once_until_another_draw_would_be_over() {
        let terms = Terms { taskCount: 5, batchSize: 1, ..terms(3, 50, (3, 5)) };
        let deal = terms.deal();
        let deals = BTreeMap::from([(deal, terms)]);
        let (mut neglected, known) = (Neglected::default(), |_, batch| batch == 1);
        let numbers =
            |found: Vec<(DealId, u32)>| found.into_iter().map(|(_, batch)| batch).collect::<Vec<_>>();
        let over = UnixTime(OPENED_AT + 3 * 31);
        assert!(neglected.next(&deals, known, UnixTime(over.0 - 1), 9).is_empty(), "its waves run");
        assert_eq!(numbers(neglected.next(&deals, known, over, 2)), [0, 2]);
        neglected.found_open(deal);
        assert_eq!(numbers(neglected.next(&deals, known, over, 9)), [3, 4]);
        assert!(neglected.next(&deals, known, over, 9).is_empty());
        let later = UnixTime(over.0 + 3 * 31);
        assert_eq!(numbers(neglected.next(&deals, known, later, 9)), [0, 2, 3, 4]);
        let much_later = UnixTime(later.0 + 6 * 31);
        assert!(neglected.next(&deals, known, much_later, 9).is_empty(), "nothing was open the last time");
    }

    #[test]
    fn a_deal_that_is_due_is_left_alone() {
        let terms = terms(3, 50, (3, 5));
        let deals = BTreeMap::from([(terms.deal(), terms)]);
        let due = UnixTime(terms.deadline);
        assert!(Neglected::default().next(&deals, |_, _| false, due, 9).is_empty());
    }
}
