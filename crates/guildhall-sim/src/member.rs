//! A worker of the simulation: its agenda and its seat, as [`guildhall_worker`] has them, with what would be on its disk.

use std::sync::Arc;

use alloy::{
    primitives::{Address, keccak256},
    sol_types::Eip712Domain,
};
use guildhall_api::{Claim, MemberEvent, OpenContribution, Outcome, Round};
use guildhall_protocol::{ContentId, DealId, Seed, Terms, UnixTime};
use guildhall_testkit::builders::Worker;
use guildhall_worker::{
    agenda::{Agenda, Next, Opening},
    direct::{self, Shown},
    seat::{Left, Promise, Seat, Step},
};

/// After which time without an answer a worker asks again, in milliseconds.
const ANSWER_MS_MAX: u64 = 4_000;

/// A worker with what it has in memory and on disk.
pub(crate) struct Member {
    pub(crate) worker: Worker,
    /// What it finds when it executes.
    claim: Claim,
    agenda: Agenda,
    /// What the seats are drawn with.
    lot: Seed,
    pub(crate) seat: Option<Seat>,
    shown: Shown,
    /// Whether it executes, or waits for a transaction.
    pub(crate) busy: bool,
    /// What it asked the coordinator, and until when it waits for the answer.
    asked: Option<(Step, u64)>,
    /// On disk.
    promise: Option<Promise>,
    /// On disk.
    contribution: Option<OpenContribution>,
    /// The first that anybody saw of it.
    first: Option<OpenContribution>,
}

impl Member {
    pub(crate) fn new(worker: Worker, claim: Claim, terms: &Terms, lot: Seed) -> Self {
        Self {
            agenda: agenda(&worker, terms, lot),
            lot,
            worker,
            claim,
            seat: None,
            shown: Shown::default(),
            busy: false,
            asked: None,
            promise: None,
            contribution: None,
            first: None,
        }
    }

    pub(crate) fn address(&self) -> Address {
        self.worker.address()
    }

    /// Whether it has a seat, or promised something.
    pub(crate) fn has_part(&self) -> bool {
        self.seat.is_some() || self.promise.is_some()
    }

    /// What is due for its seat; nothing when it has none.
    pub(crate) fn step(&mut self, round: &Round, now: UnixTime, hears: bool) -> Option<Step> {
        if self.seat.is_none()
            && let Next::Seat(drawn) = self.agenda.next(now)
        {
            // What it promised stands, whoever gives the seat again.
            self.seat = Some(match &self.promise {
                Some(promise) => self.resumed(promise.clone()),
                None => Seat::new(self.address(), &drawn.round, now),
            });
        }
        let seat = self.seat.as_mut()?;
        seat.hears(hears);
        let step = seat.step(now);
        if let Step::Leave(left) = &step {
            self.seat = None;
            if *left == Left::Full {
                self.agenda.told_full(round.at.deal, round.at.batch);
            }
        }
        Some(step)
    }

    /// Whether it asks now: not while it waits for the answer to the same.
    pub(crate) fn asks(&mut self, step: &Step, now_ms: u64) -> bool {
        if self.asked.as_ref().is_some_and(|(asked, until_ms)| asked == step && now_ms < *until_ms) {
            return false;
        }
        self.asked = Some((step.clone(), now_ms + ANSWER_MS_MAX));
        true
    }

    /// What it asked was answered.
    pub(crate) fn answered(&mut self) {
        self.asked = None;
    }

    /// Executes the batch, and keeps what it promises.
    pub(crate) fn executed(&mut self, round: &Round, now: UnixTime) {
        let (Some(wave), Some(seat)) = (round.wave_at(now), &mut self.seat) else { return };
        let promise = Promise {
            at: round.at,
            wave,
            claim: self.claim,
            own_trace_root: keccak256(self.worker.address()),
            bundle: ContentId::of(b"bundle"),
            traces: ContentId::of(b"traces"),
            wave_end: round.wave_end(wave),
            patience: round.patience,
            end: round.end(),
            keep_until: round.end(),
        };
        // What is on disk stands, as in the journal.
        seat.executed(self.promise.get_or_insert(promise).clone());
    }

    /// Signs a contribution, unless one is on disk already.
    pub(crate) fn signed(&mut self, promise: &Promise, contribution: OpenContribution) {
        let kept = *self.contribution.get_or_insert(contribution);
        self.promise = Some(promise.clone());
        if let Some(seat) = &mut self.seat {
            seat.signed(kept);
        }
    }

    /// Whether what it shows now is what it showed before.
    pub(crate) fn shows_the_same(&mut self, contribution: &OpenContribution) -> bool {
        self.first.get_or_insert(*contribution) == contribution
    }

    /// Hears something from the coordinator.
    pub(crate) fn told(&mut self, told: MemberEvent, domain: &Eip712Domain, now: UnixTime) {
        let me = self.address();
        match (told, &mut self.seat) {
            (MemberEvent::Listed { list }, Some(seat)) => {
                // One that a seat must not sign under is left alone; that it does not sign is checked at what it shows.
                let signs = seat.listed(&list).is_ok();
                if signs {
                    self.shown.list(&list);
                }
            }
            (MemberEvent::Contributed { contribution }, Some(seat)) => {
                if self.shown.contribution(domain, &contribution) {
                    seat.may_post(now, direct::first_turn(me));
                }
                seat.sees_all(self.shown.is_complete(me));
            }
            (MemberEvent::Vacant { round, .. }, _) => self.agenda.vacant(round.deal, round.batch),
            (MemberEvent::Ended { round, outcome }, _) => self.ended(&(round.deal, round.batch), outcome),
            _ => {}
        }
    }

    /// The round is over.
    pub(crate) fn ended(&mut self, round: &(DealId, u32), outcome: Outcome) {
        self.agenda.batch_over(round.0, round.1);
        if let Some(seat) = &mut self.seat {
            seat.ended(outcome);
        }
    }

    /// What it signed, if it did.
    pub(crate) fn contribution(&self) -> Option<&OpenContribution> {
        self.contribution.as_ref()
    }

    /// What it was shown, for a certificate of its own.
    pub(crate) fn shown(&self) -> &Shown {
        &self.shown
    }

    /// Loses its memory; what is on disk is there.
    pub(crate) fn restart(&mut self, terms: &Terms, outcome: Option<&Outcome>) {
        self.agenda = agenda(&self.worker, terms, self.lot);
        self.shown = Shown::default();
        (self.busy, self.asked) = (false, None);
        self.seat = self.promise.clone().map(|promise| self.resumed(promise));
        let batch = (terms.deal(), 0);
        if let Some(outcome) = outcome {
            self.ended(&batch, outcome.clone());
        } else if self.promise.is_some() {
            self.agenda.batch_over(batch.0, batch.1);
        }
    }

    fn resumed(&self, promise: Promise) -> Seat {
        Seat::resumed(self.address(), promise, self.contribution)
    }
}

fn agenda(worker: &Worker, terms: &Terms, lot: Seed) -> Agenda {
    let mut agenda = Agenda::new(worker.address());
    agenda.set_standing(Some(worker.standing));
    let opened = terms.opened();
    agenda.open(Opening { terms: Arc::new(*terms), batches: 0..1, attempt: 0, opened, seed: lot });
    agenda
}
