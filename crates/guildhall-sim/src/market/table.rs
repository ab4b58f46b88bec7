//! One attempt at a batch: who comes, what they claim, and what the coordinator's state machine makes of it.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, keccak256};
use guildhall_api::{Ack, Envelope, OpenContribution, Round, SignedList};
use guildhall_coordinator::gathering::{Connected, Gathering, ListDraft, Submission, Verdict};
use guildhall_protocol::{
    Odds, UnixTime, Weight,
    confidence::{group, odds, opposing},
    list::{CLAIM_LEADING, CLAIM_UNAVAILABLE},
    lot::LAST_WAVE,
    messages::{
        Commitment, CompactSignature, Contribution, Reservation, RoundList, Signed, Unavailable, commitment,
    },
};

use super::{
    Coordinator, Market, cost_of,
    operator::{Behaviour, Found},
};
use crate::chain::SimulatedChain;

/// Of a thousand seat holders, those that do not come.
const ABSENT_PERMILLE: u64 = 20;
/// Of a thousand executions, those that a machine does not finish.
const UNFINISHED_PERMILLE: u64 = 5;
/// Of a thousand members, those that fall silent between commitment and contribution.
const SILENT_PERMILLE: u64 = 2;
/// Of a thousand batches that are copied, those in which a task is wrong.
pub(super) const COPIED_PERMILLE: u64 = 50;
/// Longest way of a message.
pub(super) const MESSAGE_MS: u64 = 200;

/// How an attempt ended.
pub(crate) enum Ending {
    Certified(Box<Certified>),
    /// Those who say that the bytes are withheld prevailed.
    Void,
    /// Nothing came about in its three waves.
    Expired,
}

/// What a member of a certificate said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Agrees,
    Dissents,
    Silent,
    Unavailable,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) place: usize,
    pub(crate) wave: u8,
    pub(crate) says: Says,
}

/// A certificate, and who is not on it.
pub(crate) struct Certified {
    pub(crate) round: Round,
    pub(crate) claim: Found,
    pub(crate) odds: Odds,
    pub(crate) at: UnixTime,
    pub(crate) members: Vec<Member>,
    /// Holders of seats of wave 0 that executed and are not listed, with what they found; of members those that found otherwise.
    pub(crate) rivals: Vec<(usize, Found)>,
    /// Holders of seats of wave 0 that were told that all were taken.
    pub(crate) turned_away: Vec<usize>,
    /// Who executed nothing of what it claimed, and copied.
    pub(crate) copiers: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Reserve(usize, u8),
    Commit(usize, u8),
    Show(usize),
    Look,
}

pub(crate) struct Table<'a> {
    market: &'a mut Market,
    gathering: Gathering,
    chain: SimulatedChain,
    connected: Connected,
    places: BTreeMap<Address, usize>,
    queue: BTreeMap<(u64, u32), Event>,
    queued: u32,
    now_ms: u64,
    found: BTreeMap<usize, Found>,
    turned_away: Vec<usize>,
    /// Whether the coordinator keeps everybody but its accomplices out.
    captured: bool,
    /// Whether the faulty lie at once in this round, before the others are done.
    races: bool,
    /// Whether the faulty lie in this round, once they have decided.
    plot: Option<bool>,
    /// What the first of the copying found.
    copied: Option<Found>,
    copiers: Vec<usize>,
}

impl<'a> Table<'a> {
    pub(crate) fn new(market: &'a mut Market, round: Round) -> Self {
        let now = round.opened.time;
        let mut connected = Connected::new();
        let mut places = BTreeMap::new();
        for (place, operator) in market.operators.iter().enumerate() {
            let standing = operator.standing(now);
            if round.seat(operator.worker, &standing).is_some() {
                connected.insert(operator.worker, standing);
                places.insert(operator.worker, place);
            }
        }
        let mut table = Self {
            gathering: Gathering::new(round.clone(), market.pace(), now.0 * 1_000),
            market,
            chain: SimulatedChain::new(round, connected.clone()),
            connected,
            places,
            queue: BTreeMap::new(),
            queued: 0,
            now_ms: now.0 * 1_000,
            found: BTreeMap::new(),
            turned_away: Vec::new(),
            captured: false,
            races: false,
            plot: None,
            copied: None,
            copiers: Vec::new(),
        };
        table.invite();
        table
    }

    /// Plays the attempt to its end.
    pub(crate) fn play(mut self) -> Ending {
        let end_ms = self.gathering.round().end().0 * 1_000;
        while let Some(((at_ms, _), event)) = self.queue.pop_first() {
            if at_ms >= end_ms {
                break;
            }
            self.now_ms = at_ms;
            self.take(event);
            if let Some(ending) = self.settle() {
                return ending;
            }
            if let Some(due) = self.gathering.next_due(self.now_ms) {
                self.after(due - self.now_ms, Event::Look);
            }
        }
        Ending::Expired
    }

    fn after(&mut self, wait_ms: u64, event: Event) {
        let at_ms = self.now_ms + wait_ms;
        let known = matches!(event, Event::Look)
            && self
                .queue
                .range((at_ms, 0)..=(at_ms, u32::MAX))
                .any(|(_, other)| matches!(other, Event::Look));
        if !known {
            self.queued += 1;
            self.queue.insert((at_ms, self.queued), event);
        }
    }

    fn invite(&mut self) {
        let round = self.gathering.round().clone();
        let seats: Vec<_> = self
            .places
            .values()
            .filter_map(|&place| {
                let worker = self.market.operators[place].worker;
                round.seat(worker, &self.connected[&worker]).map(|wave| (place, wave))
            })
            .collect();
        let first = seats.iter().filter(|(place, wave)| *wave == 0 && self.is_faulty(*place));
        let weights: Vec<_> = first.map(|&(place, wave)| self.weight(place, wave)).collect();
        let alone =
            weights.len() >= usize::from(round.policy.replicasMin) && group(weights).0 >= round.target.0;
        self.captured = alone && self.market.plan.coordinator != Coordinator::Honest;
        self.market.cheated |= self.captured && self.market.plan.behaviour == Behaviour::Favours;
        self.races = alone && self.market.plan.behaviour == Behaviour::Races;
        for (place, wave) in seats {
            if !self.market.dice.hits(ABSENT_PERMILLE) {
                let races = self.races && self.is_faulty(place);
                let wait = if races { 0 } else { self.market.dice.below(MESSAGE_MS) };
                self.after(u64::from(wave) * round.patience.0 * 1_000 + wait, Event::Reserve(place, wave));
            }
        }
    }

    fn is_faulty(&self, place: usize) -> bool {
        self.market.operators[place].is_faulty()
    }

    fn weight(&self, place: usize, wave: u8) -> Weight {
        let standing = &self.connected[&self.market.operators[place].worker];
        self.gathering.round().weight(standing, wave)
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Reserve(place, wave) => self.reserve(place, wave),
            Event::Commit(place, wave) => self.commit(place, wave),
            Event::Show(place) => self.show(place),
            Event::Look => {}
        }
    }

    fn envelope<M: alloy::sol_types::SolStruct>(&self, place: usize, message: M) -> Envelope<M> {
        let signed = Signed { message, signature: CompactSignature::default() };
        Envelope { round: self.gathering.round().at, worker: self.market.operators[place].worker, signed }
    }

    fn reserve(&mut self, place: usize, wave: u8) {
        let (operator, round) = (self.market.operators[place], self.gathering.round());
        let standing = self.connected[&operator.worker];
        let message = Reservation { roundId: round.at.id.0, wave, expiry: round.wave_end(wave).0 };
        let next_wave_ms = round.wave_end(wave).0 * 1_000;
        let answer = if self.captured && !operator.is_faulty() {
            Ok(Ack::Full)
        } else {
            self.gathering.reserve(&self.envelope(place, message), &standing, self.now_ms)
        };
        match answer {
            Ok(Ack::Accepted) if !self.market.dice.hits(UNFINISHED_PERMILLE) => {
                let races = self.races && operator.is_faulty();
                self.after(if races { 1 } else { operator.execution_ms }, Event::Commit(place, wave));
            }
            Ok(Ack::Full) => {
                if wave == 0 {
                    self.turned_away.push(place);
                }
                if wave < LAST_WAVE {
                    let wait = next_wave_ms - self.now_ms + self.market.dice.below(MESSAGE_MS);
                    self.after(wait, Event::Reserve(place, wave + 1));
                }
            }
            // No seat, no room, over: it looks for other work.
            Ok(_) | Err(_) => {}
        }
    }

    fn commit(&mut self, place: usize, wave: u8) {
        let operator = self.market.operators[place];
        let (standing, at) = (self.connected[&operator.worker], self.gathering.round().at);
        match self.find(place) {
            Some(found) => {
                let own_trace = own_trace(operator.worker);
                let fuel = self.market.batch_fuel();
                let commitment = commitment(operator.worker, at.id, found.root(), fuel, own_trace);
                let message = self.envelope(place, Commitment { roundId: at.id.0, wave, commitment });
                self.found.insert(place, found);
                let _late = self.gathering.commit(&message, &standing, self.now_ms);
            }
            None => {
                let message = self.envelope(place, Unavailable { roundId: at.id.0, wave });
                let _late = self.gathering.unavailable(&message, &standing, self.now_ms);
            }
        }
    }

    /// What a worker comes to claim; nothing where it says that it has not the bytes.
    fn find(&mut self, place: usize) -> Option<Found> {
        let operator = self.market.operators[place];
        let found = match operator.behaviour {
            Behaviour::Withholds => {
                self.market.cheated = true;
                return None;
            }
            Behaviour::Copies => {
                if let Some(found) = self.copied {
                    self.market.cheated = true;
                    self.copiers.push(place);
                    return Some(found);
                }
                *self.copied.insert(self.market.slip(place, COPIED_PERMILLE))
            }
            Behaviour::Breaks(permille) => self.market.slip(place, permille),
            Behaviour::Honest | Behaviour::Favours => Found::Truth,
            Behaviour::Lies => Found::Lie,
            Behaviour::LiesToWin if self.plots() => Found::Lie,
            Behaviour::LiesOnce if self.plots() => Found::LieOnce,
            Behaviour::LiesToWin | Behaviour::LiesOnce => Found::Truth,
            Behaviour::Races if self.races => Found::Lie,
            Behaviour::Races => Found::Truth,
            Behaviour::Earns if self.market.counts_in_full(place) => Found::Lie,
            Behaviour::Earns => Found::Truth,
        };
        self.market.cheated |= found.is_wrong();
        if found != Found::Lie {
            self.market.execute(place);
        }
        Some(found)
    }

    /// Whether the faulty among those who hold seats would be certified against the others.
    fn plots(&mut self) -> bool {
        if let Some(plot) = self.plot {
            return plot;
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for worker in self.gathering.members() {
            let place = self.places[&worker];
            let side = if self.is_faulty(place) { &mut ours } else { &mut theirs };
            side.push(self.weight(place, 0));
        }
        let round = self.gathering.round();
        let against = if theirs.is_empty() { Weight::ZERO } else { opposing([group(theirs)], []) };
        let many = ours.len() >= usize::from(round.policy.replicasMin);
        let plot = many && odds(group(ours), against) >= round.target;
        *self.plot.insert(plot)
    }

    fn show(&mut self, place: usize) {
        let operator = self.market.operators[place];
        let Some(root) = self.found.get(&place).map(|found| found.root()) else { return };
        let listed = self
            .gathering
            .lists()
            .find(|list| list.entries.iter().any(|entry| entry.worker == operator.worker));
        let Some(list) = listed else { return };
        let message = Contribution {
            roundId: self.gathering.round().at.id.0,
            wave: list.wave(),
            root,
            fuel: self.market.batch_fuel().0,
            listHash: list.hash(),
        };
        let contribution = OpenContribution {
            envelope: self.envelope(place, message),
            own_trace_root: own_trace(operator.worker),
        };
        let _over = self.gathering.contribute(&contribution);
    }

    /// Does what is due.
    fn settle(&mut self) -> Option<Ending> {
        while let Some(draft) = self.gathering.due_list(&self.connected, self.now_ms) {
            self.close(draft);
        }
        if let Some((wave, workers)) = self.gathering.vacancy(&self.connected, self.now_ms) {
            for worker in workers {
                let place = self.places[&worker];
                let wait = self.market.dice.below(MESSAGE_MS);
                self.after(wait, Event::Reserve(place, wave));
            }
        }
        match self.gathering.verdict(self.now_ms) {
            Verdict::Wait => None,
            Verdict::Void(_) => Some(Ending::Void),
            Verdict::Certify(submission) => match self.chain.certify(&submission.claims, &submission.entries)
            {
                Ok(_) => Some(Ending::Certified(Box::new(self.certified(&submission)))),
                Err(rejection) => unreachable!("the coordinator posted what is refused: {rejection:?}"),
            },
        }
    }

    fn close(&mut self, draft: ListDraft) {
        let round = self.gathering.round().at;
        let hash = SignedList::hash_of(draft.before, draft.wave, &draft.entries).unwrap_or_default();
        let message = RoundList { roundId: round.id.0, wave: draft.wave, listHash: hash };
        let signed = Signed { message, signature: CompactSignature::default() };
        for entry in &draft.entries {
            if !self.market.dice.hits(SILENT_PERMILLE) {
                let wait = self.market.dice.below(MESSAGE_MS);
                self.after(wait, Event::Show(self.places[&entry.worker]));
            }
        }
        let list = SignedList { round, before: draft.before, entries: draft.entries, signed };
        self.gathering.close(list, self.now_ms);
    }

    fn certified(&mut self, submission: &Submission) -> Certified {
        // Executions that are under way are finished.
        while let Some((_, event)) = self.queue.pop_first() {
            if let Event::Commit(place, _) = event
                && let Some(found) = self.find(place)
            {
                self.found.insert(place, found);
            }
        }
        self.market.keep_pace(self.gathering.slowest());
        let leading = submission.claims[0];
        let members = submission.entries.iter().map(|entry| {
            let says = match entry.word.claim {
                CLAIM_LEADING => Says::Agrees,
                CLAIM_UNAVAILABLE => Says::Unavailable,
                claim if usize::from(claim) < submission.claims.len() => Says::Dissents,
                _ => Says::Silent,
            };
            Member { place: self.places[&entry.word.worker], wave: entry.word.wave, says }
        });
        let members: Vec<_> = members.collect();
        let claim =
            self.found.values().copied().find(|found| found.root() == leading.root).unwrap_or(Found::Truth);
        let rivals =
            self.found.iter().filter(|(_, found)| **found != claim).map(|(&place, &found)| (place, found));
        Certified {
            round: self.gathering.round().clone(),
            claim,
            odds: submission.odds,
            at: UnixTime(self.now_ms / 1_000),
            rivals: rivals.collect(),
            turned_away: std::mem::take(&mut self.turned_away),
            copiers: std::mem::take(&mut self.copiers),
            members,
        }
    }
}

impl Market {
    /// An execution that may slip.
    pub(super) fn slip(&mut self, place: usize, permille: u64) -> Found {
        if self.dice.hits(permille) {
            let draw = self.dice.below(u64::MAX);
            Found::slip(self.round, place as u64, draw, self.plan.tasks)
        } else {
            Found::Truth
        }
    }

    /// A member executes the batch.
    fn execute(&mut self, place: usize) {
        self.executions += u64::from(self.plan.tasks);
        self.operators[place].purse -= cost_of(self.plan.tasks);
    }
}

fn own_trace(worker: Address) -> B256 {
    keccak256(worker)
}
