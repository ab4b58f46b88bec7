//! All rounds of a pool: what comes in, and what is to be done now.
//!
//! A state machine without IO and without a clock. The shell ([`crate::shell`]) feeds it events, asks it for actions
//! ([`Machine::plan`]) and does them; what it did comes back as an event. Level-triggered: whatever is due stays due until
//! the chain says that it happened, so a lost event or a failed transaction is never a lost round.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use alloy::primitives::{Address, B256};
use guildhall_api::{
    Ack, Envelope, MemberEvent, OpenContribution, Outcome, ProgressEvent, ProgressStep, Round, RoundRef,
    RoundState, SignedList, Standing,
};
use guildhall_protocol::messages::{Commitment, Reservation, Unavailable};
use guildhall_protocol::{BondUnits, ContentId, DealId, RoundId, Terms, UnixTime};

use crate::gathering::{Connected, Gathering, ListDraft, Millis, Submission, Verdict};
use crate::limits::{MAX_DEALS, MAX_ENDED, MAX_NEGLECTED, MAX_ROUNDS, PACES};
use crate::neglected::Neglected;
use crate::part::Equivocation;
use crate::refusal::Refusal;

/// Rounds shown of one deal at once.
const MAX_SHOWN: usize = 100;

/// Something for the shell to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Sign a list, make it durable, and hand it to [`Machine::closed`].
    CloseList {
        /// The round.
        round: RoundId,
        /// The list.
        draft: ListDraft,
    },
    /// Send an event to members that have a stream open; those that have none get it when they come back.
    Push {
        /// To whom.
        to: Vec<Address>,
        /// What.
        event: MemberEvent,
    },
    /// Tell the watchers.
    Announce(ProgressEvent),
    /// Post a certificate.
    Certify {
        /// The round.
        round: RoundId,
        /// Claims and entries.
        submission: Submission,
    },
    /// Void a round on chain.
    Void {
        /// The round.
        round: RoundId,
        /// Claims and entries.
        submission: Submission,
    },
    /// Bring a proof of equivocation to the chain.
    Prove {
        /// The round.
        round: RoundId,
        /// Both messages.
        proof: Equivocation,
    },
    /// Forget what is durable of a round.
    Forget(RoundId),
}

/// The rounds and deals of one pool.
#[derive(Debug, Default)]
pub struct Machine {
    deals: BTreeMap<DealId, Terms>,
    rounds: HashMap<RoundId, Gathering>,
    by_batch: BTreeMap<(DealId, u32), RoundId>,
    ended: VecDeque<RoundId>,
    /// What the slowest members of the latest certified rounds took, by deal.
    paces: HashMap<DealId, VecDeque<Millis>>,
    neglected: Neglected,
    connected: Connected,
    /// Rounds of which a certificate (or a voiding) is in that block, and whose end was not heard of yet.
    mined: BTreeSet<(u64, RoundId)>,
    /// Rounds to look at again whatever the time.
    dirty: BTreeSet<RoundId>,
    /// Rounds to look at again at a time.
    timers: BTreeSet<(Millis, RoundId)>,
    actions: Vec<Action>,
}

impl Machine {
    /// Takes a deal that opened in the pool. Whether there was room: beyond [`MAX_DEALS`] it is left to a reconcile.
    pub fn deal_opened(&mut self, terms: Terms) -> bool {
        let room = self.deals.len() < MAX_DEALS || self.deals.contains_key(&terms.deal());
        if room {
            self.deals.insert(terms.deal(), terms);
        }
        room
    }

    /// Forgets a deal that the chain dropped or that is over.
    pub fn deal_gone(&mut self, deal: DealId) {
        self.deals.remove(&deal);
        self.paces.remove(&deal);
        self.neglected.forget(deal);
        let rounds: Vec<_> =
            self.by_batch.range((deal, 0)..=(deal, u32::MAX)).map(|(_, round)| *round).collect();
        for round in rounds {
            self.forget(round);
        }
    }

    /// The terms of a deal.
    pub fn deal(&self, deal: DealId) -> Option<&Terms> {
        self.deals.get(&deal)
    }

    /// The round that is gathered for a batch.
    pub fn round_of(&self, deal: DealId, batch: u32) -> Option<RoundId> {
        self.by_batch.get(&(deal, batch)).copied()
    }

    /// Blocks from `from` on are undone: the deals that opened in them, and the rounds that ended. Proofs are due again.
    pub fn reverted(&mut self, from: u64) -> (Vec<DealId>, Vec<RoundRef>) {
        self.neglected.begin_anew();
        for (round, gathering) in self.rounds.iter_mut().filter(|(_, round)| !round.proofs().is_empty()) {
            gathering.prove_again();
            self.dirty.insert(*round);
        }
        let opened = self.deals.iter().filter(|(_, terms)| terms.opened().block >= from);
        let ended = self.ended.iter().filter_map(|round| self.rounds.get(round));
        (opened.map(|(deal, _)| *deal).collect(), ended.map(|gathering| gathering.round().at).collect())
    }

    /// Rounds whose waves are over without an end, before the deal's deadline, with nothing on its way to the chain.
    pub fn out_of_waves(&self, now: UnixTime) -> Vec<RoundRef> {
        let due = |gathering: &&Gathering| gathering.is_out_of_waves(now);
        self.rounds.values().filter(due).map(|gathering| gathering.round().at).collect()
    }

    /// Batches that nobody has worked on in time, to ask the chain about: a few, and only while somebody is there who could.
    pub fn neglected(&mut self, now: UnixTime) -> Vec<(Terms, u32)> {
        if self.connected.is_empty() {
            return Vec::new();
        }
        let known = |deal, batch| self.by_batch.contains_key(&(deal, batch));
        let found = self.neglected.next(&self.deals, known, now, MAX_NEGLECTED);
        found.into_iter().filter_map(|(deal, batch)| Some((*self.deals.get(&deal)?, batch))).collect()
    }

    /// Such a batch is open on chain.
    pub fn neglected_is_open(&mut self, deal: DealId) {
        self.neglected.found_open(deal);
    }

    /// The deals whose deadline is before `time`.
    pub fn deals_due_before(&self, time: UnixTime) -> Vec<DealId> {
        self.deals.iter().filter(|(_, terms)| terms.deadline < time.0).map(|(deal, _)| *deal).collect()
    }

    /// A worker opened its stream: what is pending for it, in order, [`MemberEvent::Ready`] last.
    pub fn connect(&mut self, worker: Address, standing: Standing) -> Vec<MemberEvent> {
        self.connected.insert(worker, standing);
        let mut events = Vec::new();
        for gathering in
            self.rounds.values().filter(|gathering| gathering.listed().any(|member| member == worker))
        {
            match gathering.outcome() {
                Some(outcome) => {
                    events.push(MemberEvent::Ended { round: gathering.round().at, outcome: outcome.clone() });
                }
                None => {
                    let lists = gathering.lists().filter(|list| list.entry(worker).is_some());
                    events.extend(lists.map(|list| MemberEvent::Listed { list: Box::new(list.clone()) }));
                    events.extend(
                        gathering
                            .contributions()
                            .filter(|message| message.envelope.worker != worker)
                            .map(|message| MemberEvent::Contributed { contribution: Box::new(*message) }),
                    );
                }
            }
        }
        events.push(MemberEvent::Ready);
        events
    }

    /// A worker's last stream ended.
    pub fn disconnect(&mut self, worker: Address) {
        self.connected.remove(&worker);
    }

    /// The chain changed what it says of a worker.
    pub fn standing_changed(&mut self, worker: Address, standing: Standing) {
        if let Some(known) = self.connected.get_mut(&worker) {
            *known = standing;
        }
    }

    /// Workers with an open stream.
    pub fn connected(&self) -> &Connected {
        &self.connected
    }

    /// Whether a round is known.
    pub fn knows(&self, round: RoundId) -> bool {
        self.rounds.contains_key(&round)
    }

    /// A round.
    pub fn round(&self, round: RoundId) -> Option<&Gathering> {
        self.rounds.get(&round)
    }

    /// Begins a round; does nothing when it is known. An earlier attempt at the same batch ends as re-opened.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when [`MAX_ROUNDS`] are gathered.
    pub fn begin(&mut self, round: Round, now: Millis) -> Result<(), Refusal> {
        let at = round.at;
        if self.rounds.contains_key(&at.id) {
            return Ok(());
        }
        if self.rounds.len() - self.ended.len() >= MAX_ROUNDS {
            return Err(Refusal::Busy("too many rounds are being gathered"));
        }
        if let Some(earlier) = self.by_batch.insert((at.deal, at.batch), at.id) {
            self.end(earlier, Outcome::Reopened, now);
        }
        let pace = self.paces.get(&at.deal).and_then(|paces| paces.iter().max().copied());
        self.rounds.insert(at.id, Gathering::new(round, pace, now));
        self.dirty.insert(at.id);
        Ok(())
    }

    /// A round to put durable state back into; as [`Gathering`]'s own methods have it.
    pub fn restoring(&mut self, round: RoundId) -> Option<&mut Gathering> {
        self.dirty.insert(round);
        self.rounds.get_mut(&round)
    }

    /// Takes a reservation whose signature was checked.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn reserve(
        &mut self,
        message: &Envelope<Reservation>,
        standing: &Standing,
        now: Millis,
    ) -> Result<Ack, Refusal> {
        // What other open rounds may put at risk is not free for this one: a member without room spoils a certificate.
        let round = message.round.id;
        let elsewhere = self.rounds.iter().filter(|(id, _)| **id != round);
        let pending: u64 = elsewhere.map(|(_, gathering)| gathering.pending_exposure(message.worker)).sum();
        let standing = Standing { room: BondUnits(standing.room.0.saturating_sub(pending)), ..*standing };
        let ack = self.gathering(round)?.reserve(message, &standing, now)?;
        let step = ProgressStep::Seated { worker: message.worker, wave: message.wave() };
        self.accepted(message.round.id, ack, step, now)
    }

    /// Takes a commitment whose signature was checked.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn commit(
        &mut self,
        message: &Envelope<Commitment>,
        standing: &Standing,
        now: Millis,
    ) -> Result<Ack, Refusal> {
        let gathering = self.gathering(message.round.id)?;
        let ack = gathering.commit(message, standing, now);
        let commitments = gathering.commitments();
        let ack = self.or_equivocation(message.round.id, ack, now)?;
        let step = ProgressStep::Committed { worker: message.worker, commitments };
        self.accepted(message.round.id, ack, step, now)
    }

    /// Takes a worker's word that it has not the bytes; its signature was checked.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn unavailable(
        &mut self,
        message: &Envelope<Unavailable>,
        standing: &Standing,
        now: Millis,
    ) -> Result<Ack, Refusal> {
        let ack = self.gathering(message.round.id)?.unavailable(message, standing, now)?;
        self.accepted(message.round.id, ack, ProgressStep::Unavailable { worker: message.worker }, now)
    }

    /// Takes a contribution whose signature and opening were checked.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn contribute(&mut self, message: &OpenContribution, now: Millis) -> Result<Ack, Refusal> {
        let (round, worker) = (message.envelope.round.id, message.envelope.worker);
        let gathering = self.gathering(round)?;
        let ack = gathering.contribute(message);
        let (tally, members) =
            (gathering.tally(), gathering.listed().filter(|member| *member != worker).collect());
        let ack = self.or_equivocation(round, ack, now)?;
        if ack == Ack::Accepted {
            let event = MemberEvent::Contributed { contribution: Box::new(*message) };
            self.actions.push(Action::Push { to: members, event });
        }
        let step =
            ProgressStep::Contributed { worker, claims: tally.groups.len() as u32, odds: tally.odds() };
        self.accepted(round, ack, step, now)
    }

    /// A list was signed and is durable.
    pub fn closed(&mut self, list: SignedList, now: Millis) {
        let Some(gathering) = self.rounds.get_mut(&list.round.id) else { return };
        let (round, wave) = (list.round, list.wave());
        gathering.close(list.clone(), now);
        let entries = gathering.listed().count() as u32;
        let to = list.entries.iter().map(|entry| entry.worker).collect();
        self.actions.push(Action::Push { to, event: MemberEvent::Listed { list: Box::new(list) } });
        self.announce(round.id, ProgressStep::Listed { wave, entries }, now);
        self.dirty.insert(round.id);
    }

    /// A certificate (or the voiding) of a round was sent to the chain.
    pub fn posted(&mut self, round: RoundId, now: Millis) {
        if let Some(gathering) = self.rounds.get_mut(&round) {
            gathering.posted();
            self.mined.retain(|(_, mined)| *mined != round);
            self.announce(round, ProgressStep::Posting, now);
        }
    }

    /// What was sent for a round is in that block. The chain's events say how the round ended; see [`Machine::heard`].
    pub fn mined(&mut self, round: RoundId, block: u64) {
        self.mined.insert((block, round));
    }

    /// All events up to `block` were heard. A round that has not ended though what was sent for it was in one of these blocks
    /// lost it to a reorganisation that nobody else noticed: it is due again.
    pub fn heard(&mut self, block: u64, now: Millis) {
        let later = self.mined.split_off(&(block.saturating_add(1), RoundId(B256::ZERO)));
        for (_, round) in std::mem::replace(&mut self.mined, later) {
            if self.rounds.get(&round).is_some_and(|gathering| gathering.outcome().is_none()) {
                tracing::warn!(%round, "a reorganisation took back what was sent: sending it again");
                self.not_posted(round, &[], now);
            }
        }
    }

    /// What was sent for a round was refused or lost; `lost` are members without a seat by now.
    pub fn not_posted(&mut self, round: RoundId, lost: &[Address], now: Millis) {
        if let Some(gathering) = self.rounds.get_mut(&round) {
            gathering.not_posted(lost, now);
            self.dirty.insert(round);
        }
    }

    /// The chain knows of a proof, or does not take it.
    pub fn proven(&mut self, round: RoundId, proof: &Equivocation) {
        if let Some(gathering) = self.rounds.get_mut(&round) {
            gathering.proven(proof);
            self.dirty.insert(round);
        }
    }

    /// The chain ended a batch: its round, if one is gathered, is over.
    pub fn batch_ended(&mut self, deal: DealId, batch: u32, outcome: Outcome, now: Millis) {
        if let Some(round) = self.by_batch.get(&(deal, batch)).copied() {
            self.end(round, outcome, now);
        }
    }

    /// The chain dropped the block that ended a batch.
    pub fn batch_resumed(&mut self, deal: DealId, batch: u32) {
        let Some(round) = self.by_batch.get(&(deal, batch)).copied() else { return };
        if let Some(gathering) = self.rounds.get_mut(&round) {
            gathering.resume();
            self.ended.retain(|ended| *ended != round);
            self.dirty.insert(round);
        }
    }

    /// The round of a draw of a batch, if it is remembered, and how it ended, if it did.
    pub fn outcome_of(&self, deal: DealId, batch: u32, attempt: u8) -> Option<(RoundId, Option<Outcome>)> {
        let round = *self.by_batch.get(&(deal, batch))?;
        let gathering =
            self.rounds.get(&round).filter(|gathering| gathering.round().at.attempt == attempt)?;
        Some((round, gathering.outcome().cloned()))
    }

    /// The result of a round is stored.
    pub fn result_stored(&mut self, round: RoundId, result: ContentId) {
        if let Some(gathering) = self.rounds.get_mut(&round) {
            gathering.set_result(result);
        }
    }

    /// Everything to be done at `now`. What is due on chain or to be signed comes again until it is reported as done, so
    /// the shell asks for the next plan when it has done this one.
    pub fn plan(&mut self, now: Millis) -> Vec<Action> {
        while let Some(&(time, round)) = self.timers.first() {
            if time > now {
                break;
            }
            self.timers.pop_first();
            self.dirty.insert(round);
        }
        for round in std::mem::take(&mut self.dirty) {
            self.plan_round(round, now);
        }
        std::mem::take(&mut self.actions)
    }

    /// When [`Machine::plan`] may have something to do without a further event.
    pub fn next_due(&self) -> Option<Millis> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// A round as anybody may see it.
    pub fn state(&self, round: RoundId, now: Millis) -> Option<RoundState> {
        self.rounds.get(&round).map(|gathering| gathering.state(now))
    }

    /// The rounds of a deal, at most a hundred, the latest batches first.
    pub fn states_of(&self, deal: DealId, now: Millis) -> Vec<RoundState> {
        let rounds = self.by_batch.range((deal, 0)..=(deal, u32::MAX)).rev().take(MAX_SHOWN);
        rounds.filter_map(|(_, round)| self.state(*round, now)).collect()
    }

    /// Rounds that are not over.
    pub fn open_rounds(&self) -> usize {
        self.rounds.len() - self.ended.len()
    }

    fn plan_round(&mut self, round: RoundId, now: Millis) {
        let Some(gathering) = self.rounds.get_mut(&round) else { return };
        if let Some(draft) = gathering.due_list(&self.connected, now) {
            self.actions.push(Action::CloseList { round, draft });
        }
        match gathering.verdict(now) {
            Verdict::Wait => {}
            Verdict::Certify(submission) => self.actions.push(Action::Certify { round, submission }),
            Verdict::Void(submission) => self.actions.push(Action::Void { round, submission }),
        }
        if let Some(proof) = gathering.due_proof(now) {
            self.actions.push(Action::Prove { round, proof });
        }
        if let Some((wave, to)) = gathering.vacancy(&self.connected, now) {
            let event = MemberEvent::Vacant { round: gathering.round().at, wave };
            self.actions.push(Action::Push { to, event });
        }
        if let Some(time) = gathering.next_due(now) {
            self.timers.insert((time, round));
        }
    }

    fn gathering(&mut self, round: RoundId) -> Result<&mut Gathering, Refusal> {
        self.rounds.get_mut(&round).ok_or(Refusal::UnknownRound(round))
    }

    fn accepted(
        &mut self,
        round: RoundId,
        ack: Ack,
        step: ProgressStep,
        now: Millis,
    ) -> Result<Ack, Refusal> {
        if ack == Ack::Accepted {
            self.announce(round, step, now);
            self.dirty.insert(round);
        }
        Ok(ack)
    }

    fn or_equivocation(
        &mut self,
        round: RoundId,
        ack: Result<Ack, Refusal>,
        now: Millis,
    ) -> Result<Ack, Refusal> {
        if let Err(Refusal::Equivocation(worker)) = ack {
            self.announce(round, ProgressStep::Equivocated { worker }, now);
            self.dirty.insert(round);
        }
        ack
    }

    fn announce(&mut self, round: RoundId, step: ProgressStep, now: Millis) {
        if let Some(gathering) = self.rounds.get(&round) {
            let event = ProgressEvent { time: UnixTime(now / 1000), round: gathering.round().at, step };
            self.actions.push(Action::Announce(event));
        }
    }

    fn end(&mut self, round: RoundId, outcome: Outcome, now: Millis) {
        let Some(gathering) = self.rounds.get_mut(&round) else { return };
        if gathering.outcome() == Some(&outcome) {
            return;
        }
        let first = gathering.outcome().is_none();
        let deal = gathering.round().at.deal;
        // Nobody committed here to what members certified over the chain: that says nothing of their pace.
        let paced = gathering.slowest() > 0 && matches!(outcome, Outcome::Certified { .. });
        if first && paced && self.deals.contains_key(&deal) {
            let paces = self.paces.entry(deal).or_default();
            paces.push_back(gathering.slowest());
            if paces.len() > PACES {
                paces.pop_front();
            }
        }
        gathering.end(outcome.clone());
        let event = MemberEvent::Ended { round: gathering.round().at, outcome: outcome.clone() };
        let to = gathering.members().collect();
        self.actions.push(Action::Push { to, event });
        self.announce(round, ProgressStep::Ended { outcome }, now);
        if first {
            self.ended.push_back(round);
        }
        while self.ended.len() > MAX_ENDED {
            if let Some(oldest) = self.ended.front().copied() {
                self.forget(oldest);
            }
        }
    }

    fn forget(&mut self, round: RoundId) {
        self.ended.retain(|ended| *ended != round);
        self.dirty.remove(&round);
        if let Some(gathering) = self.rounds.remove(&round) {
            let at = gathering.round().at;
            if self.by_batch.get(&(at.deal, at.batch)) == Some(&round) {
                self.by_batch.remove(&(at.deal, at.batch));
            }
            self.actions.push(Action::Forget(round));
        }
    }
}
