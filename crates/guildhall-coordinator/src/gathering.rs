//! One round as the coordinator gathers it: seats, commitments, lists, contributions, and when what is due.
//!
//! A state machine without IO and without a clock: time is an argument, in milliseconds of chain time. It never signs, never
//! stores and never sends; [`crate::machine`] turns what is due here into actions. What comes in was checked for its
//! signature before; seats, waves and states are checked here.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256};
use guildhall_api::{
    Ack, Claim, Envelope, MemberState, MemberStep, OpenContribution, Outcome, Round, RoundState, SignedEntry,
    SignedList, Standing,
};
use guildhall_chain::SubmittedEntry;
use guildhall_protocol::list::{CLAIM_BARE, CLAIM_LOST, CLAIM_UNAVAILABLE, EntryWord};
use guildhall_protocol::lot::LAST_WAVE;
use guildhall_protocol::messages::{Commitment, CompactSignature, Reservation, Unavailable};
use guildhall_protocol::{ContentId, Odds, Reputation, UnixTime, Weight};

use crate::limits::{
    HELD_GRACE_MS, MAX_PROOFS, POST_RETRY_MS, PROVE_RETRY_MS, RESERVE_GRACE_MS, REVEAL_GRACE_MS,
    SLOWER_TIMES, UNKNOWN_PACE_PARTS,
};
use crate::part::{Equivocation, Part, Promise};
use crate::refusal::Refusal;
use crate::tally::{Tally, Voice};

/// A moment in milliseconds of chain time.
pub type Millis = u64;

/// Workers with an open stream, and what the chain says of them.
pub type Connected = BTreeMap<Address, Standing>;

/// A list that is due: to be signed, made durable and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListDraft {
    /// Its wave.
    pub wave: u8,
    /// What it goes on from.
    pub before: B256,
    /// Its lines, by worker.
    pub entries: Vec<SignedEntry>,
}

/// What is to be posted for a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The claims, the leading one first.
    pub claims: Vec<Claim>,
    /// The whole list.
    pub entries: Vec<SubmittedEntry>,
    /// Odds that the contract will compute.
    pub odds: Odds,
}

/// What is due for a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Wait,
    /// A certificate.
    Certify(Submission),
    /// To void the round: the bytes were withheld.
    Void(Submission),
}

/// What is supposed of those that committed and may still show their claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Supposing {
    /// All of them agree.
    AllAgree,
    /// All of them agree, and those that hold a seat and are still at work.
    HoldersAgree,
}

/// One round as it is gathered.
#[derive(Debug, Clone)]
pub struct Gathering {
    round: Round,
    began: Millis,
    parts: BTreeMap<Address, Part>,
    lists: BTreeMap<u8, SignedList>,
    listed_at: Millis,
    /// What the slowest members of the deal's latest rounds took from seat to commitment.
    pace: Millis,
    /// The longest that a member of this one took.
    slowest: Millis,
    post_after: Millis,
    posted: bool,
    told_wave: u8,
    proofs: Vec<Equivocation>,
    /// Those that are not on chain yet.
    unproven: Vec<Equivocation>,
    prove_after: Millis,
    outcome: Option<Outcome>,
    result: Option<ContentId>,
}

impl Gathering {
    /// A round that begins at `now`. `pace`: the longest that members of the deal's latest rounds took from seat to commitment,
    /// where there were any.
    pub fn new(round: Round, pace: Option<Millis>, now: Millis) -> Self {
        let unknown = || round.patience.0.saturating_mul(1000) / UNKNOWN_PACE_PARTS;
        Self {
            pace: pace.unwrap_or_else(unknown),
            round,
            began: now,
            parts: BTreeMap::new(),
            lists: BTreeMap::new(),
            listed_at: 0,
            slowest: 0,
            post_after: 0,
            posted: false,
            told_wave: 0,
            proofs: Vec::new(),
            unproven: Vec::new(),
            prove_after: 0,
            outcome: None,
            result: None,
        }
    }

    /// The rules of the round.
    pub fn round(&self) -> &Round {
        &self.round
    }

    /// How it ended, when it did.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The longest that a member took from its seat to its commitment.
    pub fn slowest(&self) -> Millis {
        self.slowest
    }

    /// The proofs of equivocation so far.
    pub fn proofs(&self) -> &[Equivocation] {
        &self.proofs
    }

    /// Where the result is kept.
    pub fn result(&self) -> Option<ContentId> {
        self.result
    }

    /// The closed lists, by wave.
    pub fn lists(&self) -> impl Iterator<Item = &SignedList> {
        self.lists.values()
    }

    /// The contributions so far, by worker.
    pub fn contributions(&self) -> impl Iterator<Item = &OpenContribution> {
        self.parts.values().filter_map(|part| part.contribution.as_ref())
    }

    /// Everybody on a closed list.
    pub fn listed(&self) -> impl Iterator<Item = Address> + '_ {
        self.parts.iter().filter(|(_, part)| part.listed).map(|(worker, _)| *worker)
    }

    /// Everybody who takes part.
    pub fn members(&self) -> impl Iterator<Item = Address> + '_ {
        self.parts.keys().copied()
    }

    /// What a worker's part in this round may put at risk, while the round is open.
    pub fn pending_exposure(&self, worker: Address) -> u64 {
        let open = self.outcome.is_none() && self.parts.contains_key(&worker);
        if open { self.round.exposure.0 } else { 0 }
    }

    /// Commitments so far.
    pub fn commitments(&self) -> u32 {
        let committed = |part: &&Part| part.promise.is_some_and(|promise| !promise.commitment.is_zero());
        self.parts.values().filter(committed).count() as u32
    }

    /// Takes a seat for a worker.
    ///
    /// # Errors
    /// [`Refusal`]; being [`Ack::Full`] is no error.
    pub fn reserve(
        &mut self,
        message: &Envelope<Reservation>,
        standing: &Standing,
        now: Millis,
    ) -> Result<Ack, Refusal> {
        let (worker, wave) = (message.worker, message.wave());
        self.check_seat(worker, wave, standing, now)?;
        let expiry = message.signed.message.expiry;
        let latest = self.round.wave_end(wave).0;
        if expiry.saturating_mul(1000) <= now || expiry > latest {
            return Err(Refusal::ReservationTime { expiry, latest });
        }
        let until = expiry * 1000;
        if let Some(part) = self.parts.get_mut(&worker)
            && (part.promise.is_some() || (part.wave == wave && part.until > now))
        {
            part.until = part.until.max(until);
            return Ok(Ack::Known);
        }
        if self.lists.contains_key(&wave) || !self.has_room(worker, wave, now) {
            return Ok(Ack::Full);
        }
        self.parts.insert(worker, Part::new(*standing, wave, now, until));
        Ok(Ack::Accepted)
    }

    /// Takes a commitment.
    ///
    /// # Errors
    /// [`Refusal`]; [`Refusal::Equivocation`] keeps both messages as a proof.
    pub fn commit(
        &mut self,
        message: &Envelope<Commitment>,
        standing: &Standing,
        now: Millis,
    ) -> Result<Ack, Refusal> {
        let promise =
            Promise { commitment: message.signed.message.commitment, signature: message.signed.signature };
        let Some(known) = self.promise_of(message.worker) else {
            return self.promise(message.worker, message.wave(), promise, standing, now);
        };
        if known.commitment == promise.commitment {
            return Ok(Ack::Known);
        }
        if known.commitment.is_zero() || promise.commitment.is_zero() {
            return Err(Refusal::AlreadySpoke(message.worker));
        }
        let part = &self.parts[&message.worker];
        let mut first = *message;
        first.signed.message.wave = part.wave;
        first.signed.message.commitment = known.commitment;
        first.signed.signature = known.signature;
        self.keep_proof(Equivocation::Commitments { pair: Box::new((first, *message)) });
        Err(Refusal::Equivocation(message.worker))
    }

    /// Takes a worker's word that it has not the bytes.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn unavailable(
        &mut self,
        message: &Envelope<Unavailable>,
        standing: &Standing,
        now: Millis,
    ) -> Result<Ack, Refusal> {
        let promise = Promise { commitment: B256::ZERO, signature: message.signed.signature };
        match self.promise_of(message.worker) {
            None => self.promise(message.worker, message.wave(), promise, standing, now),
            Some(known) if known.commitment.is_zero() => Ok(Ack::Known),
            Some(_) => Err(Refusal::AlreadySpoke(message.worker)),
        }
    }

    /// Takes a contribution.
    ///
    /// # Errors
    /// [`Refusal`]; [`Refusal::Equivocation`] keeps both messages as a proof.
    pub fn contribute(&mut self, message: &OpenContribution) -> Result<Ack, Refusal> {
        let worker = message.envelope.worker;
        self.check_not_over()?;
        let part = self.parts.get(&worker).filter(|part| part.listed).ok_or(Refusal::NotListed(worker))?;
        let signed = message.envelope.signed.message;
        if let Some(known) = &part.contribution {
            if known.envelope.signed.message == signed {
                return Ok(Ack::Known);
            }
            let pair = Box::new((*known, *message));
            self.keep_proof(Equivocation::Contributions { pair });
            return Err(Refusal::Equivocation(worker));
        }
        let list = self.lists.get(&part.wave).ok_or(Refusal::NotListed(worker))?;
        if part.wave != signed.wave || list.hash() != signed.listHash {
            return Err(Refusal::WrongList { named: signed.listHash, list: list.hash() });
        }
        self.parts.entry(worker).and_modify(|part| part.contribution = Some(*message));
        self.post_after = 0;
        Ok(Ack::Accepted)
    }

    /// What a worker committed to, for checking that its contribution opens it.
    pub fn committed(&self, worker: Address) -> Option<B256> {
        self.promise_of(worker).map(|promise| promise.commitment)
    }

    /// The list that is due now, if one is.
    pub fn due_list(&mut self, connected: &Connected, now: Millis) -> Option<ListDraft> {
        if self.outcome.is_some() || self.posted {
            return None;
        }
        let wave = (0..=LAST_WAVE)
            .find(|wave| !self.lists.contains_key(wave) && self.promised(*wave).next().is_some())?;
        let over = now >= self.round.wave_end(wave).0.saturating_mul(1000);
        if !over && !self.is_ripe(wave, connected, now) {
            return None;
        }
        let entries = self
            .promised(wave)
            .filter_map(|(worker, part)| {
                let promise = part.promise?;
                Some(SignedEntry { worker, commitment: promise.commitment, signature: promise.signature })
            })
            .collect();
        let before = self.lists.values().next_back().map_or(B256::ZERO, SignedList::hash);
        Some(ListDraft { wave, before, entries })
    }

    /// Takes a signed list: from now on its wave is closed. A second one for the same wave is ignored.
    pub fn close(&mut self, list: SignedList, now: Millis) {
        let wave = list.wave();
        if self.lists.contains_key(&wave) {
            return;
        }
        for entry in &list.entries {
            if let Some(part) = self.parts.get_mut(&entry.worker) {
                part.listed = true;
                part.wave = wave;
                part.promise = Some(Promise { commitment: entry.commitment, signature: entry.signature });
            }
        }
        self.parts.retain(|_, part| part.listed || part.wave > wave);
        self.lists.insert(wave, list);
        self.listed_at = now;
    }

    /// What is due on chain now.
    pub fn verdict(&self, now: Millis) -> Verdict {
        if self.outcome.is_some() || self.posted || self.lists.is_empty() || now < self.post_after {
            return Verdict::Wait;
        }
        let waiting = self.parts.values().any(Part::must_reveal);
        if waiting && now < self.listed_at + REVEAL_GRACE_MS {
            return Verdict::Wait;
        }
        let tally = self.tally();
        if tally.certifies(self.round.target, self.round.policy.replicasMin) {
            return Verdict::Certify(self.submission(&tally, tally.odds()));
        }
        let withheld = tally.odds_of_withholding();
        if withheld >= self.round.target {
            return Verdict::Void(self.submission(&tally, withheld));
        }
        Verdict::Wait
    }

    /// A proof that is to be brought to the chain now; due again after a while, until [`Gathering::proven`].
    pub fn due_proof(&mut self, now: Millis) -> Option<Equivocation> {
        let proof = self.unproven.first().filter(|_| now >= self.prove_after).cloned();
        if proof.is_some() {
            self.prove_after = now + PROVE_RETRY_MS;
        }
        proof
    }

    /// Says that the chain knows of a proof, or does not take it.
    pub fn proven(&mut self, proof: &Equivocation) {
        self.unproven.retain(|unproven| unproven != proof);
        self.prove_after = 0;
    }

    /// The next moment at which something may become due without a message; nothing when only messages can do it.
    pub fn next_due(&self, now: Millis) -> Option<Millis> {
        let prove = (!self.unproven.is_empty()).then_some(self.prove_after);
        if self.outcome.is_some() {
            return prove.filter(|&time| time > now);
        }
        let times = [
            prove,
            Some(self.began + RESERVE_GRACE_MS),
            Some(self.listed_at + REVEAL_GRACE_MS),
            Some(self.post_after),
            Some(self.round.end().0.saturating_mul(1000)),
        ];
        let waves = (0..=LAST_WAVE).map(|wave| self.round.wave_end(wave).0.saturating_mul(1000));
        let held = self.parts.values().filter(|part| part.promise.is_none());
        let seats = held.flat_map(|part| [part.until, self.overdue(part)]);
        times.into_iter().flatten().chain(waves).chain(seats).filter(|&time| time > now).min()
    }

    /// Whether all waves are over without an end, and before the deadline, so that another draw could help.
    pub fn is_out_of_waves(&self, now: UnixTime) -> bool {
        self.outcome.is_none() && !self.posted && now >= self.round.end() && now < self.round.deadline
    }

    /// Says that what was due was sent to the chain.
    pub fn posted(&mut self) {
        self.posted = true;
    }

    /// Says that it was refused or lost; `lost` are members without a seat by now. Due again after a while.
    pub fn not_posted(&mut self, lost: &[Address], now: Millis) {
        self.posted = false;
        self.post_after = if lost.is_empty() { now + POST_RETRY_MS } else { 0 };
        for worker in lost {
            if let Some(part) = self.parts.get_mut(worker) {
                part.lost = true;
            }
        }
    }

    /// Says that what the chain knew may be undone: proofs are brought there again.
    pub fn prove_again(&mut self) {
        self.unproven = self.proofs.clone();
        self.prove_after = 0;
    }

    /// Ends the round. The first outcome stands until the chain says otherwise.
    pub fn end(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    /// Takes an ended round back, after the chain dropped the block that ended it.
    pub fn resume(&mut self) {
        self.outcome = None;
        self.posted = false;
    }

    /// Where the result is kept.
    pub fn set_result(&mut self, result: ContentId) {
        self.result = Some(result);
    }

    /// Puts back what was durable before a restart, without the checks that it passed then.
    pub fn restore(
        &mut self,
        worker: Address,
        standing: Standing,
        wave: u8,
        commitment: B256,
        signature: CompactSignature,
    ) {
        let part = self.parts.entry(worker).or_insert_with(|| Part::new(standing, wave, 0, 0));
        part.promise = Some(Promise { commitment, signature });
    }

    /// Puts back a proof of equivocation that was durable before a restart.
    pub fn restore_proof(&mut self, proof: Equivocation) {
        self.keep_proof(proof);
    }

    /// Odds and claims so far.
    pub fn tally(&self) -> Tally {
        let mut listed: Vec<_> = self.parts.iter().filter(|(_, part)| part.listed).collect();
        listed.sort_by_key(|(worker, part)| (part.wave, **worker));
        Tally::of(listed.into_iter().map(|(_, part)| (self.weight(part), part.voice())))
    }

    /// The round as anybody may see it.
    pub fn state(&self, now: Millis) -> RoundState {
        let tally = self.tally();
        let members = self.parts.iter().map(|(worker, part)| MemberState {
            worker: *worker,
            operator: part.standing.operator,
            wave: part.wave,
            step: part.step(),
        });
        RoundState {
            round: self.round.at,
            wave: self.running(now).unwrap_or(LAST_WAVE),
            want: self.round.lot.want.into(),
            target: self.round.target,
            odds: tally.odds(),
            claims: tally.groups.len() as u32,
            members: members.collect(),
            lists: self.lists.values().map(SignedList::hash).collect(),
            equivocators: self.proofs.iter().map(Equivocation::worker).collect(),
            outcome: self.outcome.clone(),
            result: self.result,
        }
    }

    /// Frees the seats whose reservation is over. Where that, or a new wave, leaves seats free: the wave, and the connected
    /// workers that may take them. Answers once for each such change.
    pub fn vacancy(&mut self, connected: &Connected, now: Millis) -> Option<(u8, Vec<Address>)> {
        let before = self.parts.len();
        self.parts.retain(|_, part| part.promise.is_some() || part.until > now);
        let wave = self.running(now)?;
        let changed = self.parts.len() < before || wave > self.told_wave;
        self.told_wave = wave;
        let open = self.outcome.is_none() && !self.posted && !self.lists.contains_key(&wave);
        if !changed || !open || self.is_full(wave, now) {
            return None;
        }
        let may = |(worker, standing): (&Address, &Standing)| {
            let free =
                !self.parts.contains_key(worker) && self.check_seat(*worker, wave, standing, now).is_ok();
            free.then_some(*worker)
        };
        Some((wave, connected.iter().filter_map(may).collect()))
    }

    /// The wave that runs. A block's time may be ahead of the clock here: what opened is open.
    fn running(&self, now: Millis) -> Option<u8> {
        self.round.wave_at(UnixTime(now / 1000).max(self.round.opened.time))
    }

    fn check_not_over(&self) -> Result<(), Refusal> {
        if self.outcome.is_some() { Err(Refusal::Over(self.round.at.id)) } else { Ok(()) }
    }

    fn check_seat(&self, worker: Address, wave: u8, standing: &Standing, now: Millis) -> Result<(), Refusal> {
        self.check_not_over()?;
        if self.proofs.iter().any(|proof| proof.worker() == worker) {
            return Err(Refusal::Equivocation(worker));
        }
        let running = self.running(now).ok_or(Refusal::Over(self.round.at.id))?;
        let late = wave + 1 == running && !self.lists.contains_key(&wave) && self.parts.contains_key(&worker);
        if wave != running && !late {
            return Err(Refusal::WrongWave { wave, running });
        }
        if standing.pool != self.round.pool {
            return Err(Refusal::NotAMember(worker));
        }
        if self.round.seat(worker, standing).is_none_or(|first| first > wave) {
            return Err(Refusal::NoSeat { worker, wave });
        }
        if standing.room < self.round.exposure {
            return Err(Refusal::NoRoom { worker, needed: self.round.exposure.0 });
        }
        let holds = |part: &Part| part.promise.is_some() || part.until > now;
        let same = |(other, part): (&Address, &Part)| {
            (*other != worker && part.standing.operator == standing.operator && holds(part)).then_some(*other)
        };
        match self.parts.iter().find_map(same) {
            Some(other) => Err(Refusal::SameOperator { other }),
            None => Ok(()),
        }
    }

    fn promise_of(&self, worker: Address) -> Option<Promise> {
        self.parts.get(&worker).and_then(|part| part.promise)
    }

    fn promise(
        &mut self,
        worker: Address,
        wave: u8,
        promise: Promise,
        standing: &Standing,
        now: Millis,
    ) -> Result<Ack, Refusal> {
        if self.lists.contains_key(&wave) {
            return Err(Refusal::ListClosed(wave));
        }
        self.check_seat(worker, wave, standing, now)?;
        if !self.has_room(worker, wave, now) {
            return Err(Refusal::Full);
        }
        let part = self.parts.entry(worker).or_insert_with(|| Part::new(*standing, wave, now, 0));
        (part.wave, part.standing, part.promise) = (wave, *standing, Some(promise));
        self.slowest = self.slowest.max(now.saturating_sub(part.since));
        Ok(Ack::Accepted)
    }

    fn keep_proof(&mut self, proof: Equivocation) {
        if let Some(part) = self.parts.get_mut(&proof.worker()) {
            part.equivocated = true;
        }
        if self.proofs.len() < MAX_PROOFS && !self.proofs.contains(&proof) {
            self.unproven.push(proof.clone());
            self.proofs.push(proof);
        }
    }

    /// Whether no more seats of a wave are given: all are taken; or, where reputation counts, those that are suffice if they
    /// agree (reputation is what makes executions few, so a round that leans on it asks for no more of them at a time); or they
    /// would help nothing.
    fn is_full(&self, wave: u8, now: Millis) -> bool {
        self.taken(wave, now) >= self.round.seats(wave)
            || (self.round.policy.countReputation && self.would_do(wave, Supposing::HoldersAgree, now))
            || self.is_hopeless(wave, now)
    }

    fn taken(&self, wave: u8, now: Millis) -> usize {
        self.parts
            .values()
            .filter(|part| part.promise.is_some() || (part.wave == wave && part.until > now))
            .count()
    }

    fn has_room(&self, worker: Address, wave: u8, now: Millis) -> bool {
        let own = self.parts.get(&worker).is_some_and(|part| part.wave == wave && part.until > now);
        own || !self.is_full(wave, now)
    }

    /// Members that have spoken in a wave whose list is open, without those that contradicted themselves.
    fn promised(&self, wave: u8) -> impl Iterator<Item = (Address, &Part)> {
        self.parts
            .iter()
            .filter(move |(_, part)| {
                part.wave == wave && part.promise.is_some() && !part.listed && !part.equivocated
            })
            .map(|(worker, part)| (*worker, part))
    }

    fn weight(&self, part: &Part) -> Weight {
        self.round.weight(&part.standing, part.wave)
    }

    /// Whether the listed and the promised would make a certificate (or, as they are, show that the bytes are withheld).
    fn would_do(&self, wave: u8, supposing: Supposing, now: Millis) -> bool {
        let (target, operators) = (self.round.target, self.round.policy.replicasMin);
        let tally = Tally::of(self.voices(wave, supposing, now));
        tally.certifies(target, operators)
            || (supposing == Supposing::AllAgree && tally.odds_of_withholding() >= target)
    }

    /// Whether nothing comes about even if everybody who still finds a seat, in this wave or a later one, says the same: in
    /// late waves claims weigh little, and who executes all the same is not paid.
    fn is_hopeless(&self, wave: u8, now: Millis) -> bool {
        let mut taken = self.taken(wave, now);
        let mut free = Vec::new();
        for wave in wave..=LAST_WAVE {
            let heaviest = self.round.weighing.weight(Reputation(u16::MAX), wave);
            let seats = self.round.seats(wave).saturating_sub(taken);
            free.extend(std::iter::repeat_n(heaviest, seats));
            taken += seats;
        }
        let with = |voice| {
            let more = free.iter().map(|weight| (*weight, voice));
            Tally::of(self.voices(wave, Supposing::HoldersAgree, now).into_iter().chain(more))
        };
        let target = self.round.target;
        !with(Voice::Claims(self.leading())).certifies(target, self.round.policy.replicasMin)
            && with(Voice::Unavailable).odds_of_withholding() < target
    }

    /// The claim in front, or any while nobody has shown one.
    fn leading(&self) -> Claim {
        let leading = self.tally().groups.first().map(|group| group.claim);
        leading.unwrap_or(Claim { root: B256::ZERO, fuel: guildhall_protocol::Fuel::ZERO })
    }

    /// What everybody says who is listed or has promised in this wave, by wave and worker, as is supposed.
    fn voices(&self, wave: u8, supposing: Supposing, now: Millis) -> Vec<(Weight, Voice)> {
        let in_time = now < self.listed_at + REVEAL_GRACE_MS;
        let agreed = Voice::Claims(self.leading());
        let mut parts: Vec<_> =
            self.parts.iter().filter(|(_, part)| part.listed).map(|(worker, part)| (*worker, part)).collect();
        parts.extend(self.promised(wave));
        if supposing == Supposing::HoldersAgree {
            let holds = |part: &&Part| part.wave == wave && part.promise.is_none() && part.until > now;
            let holders = self.parts.iter().filter(|(_, part)| holds(part));
            parts.extend(holders.map(|(worker, part)| (*worker, part)));
        }
        parts.sort_by_key(|(worker, part)| (part.wave, *worker));
        let voice = |(_, part): (Address, &Part)| {
            let voice = match part.step() {
                MemberStep::Seated => agreed,
                // Who is listed and has not shown its claim by now will not.
                MemberStep::Committed if !part.lost && (in_time || !part.listed) => agreed,
                _ => part.voice(),
            };
            (self.weight(part), voice)
        };
        parts.into_iter().map(voice).collect()
    }

    /// Whether the list of a running wave should close.
    fn is_ripe(&self, wave: u8, connected: &Connected, now: Millis) -> bool {
        self.would_do(wave, Supposing::AllAgree, now) && !self.is_expecting(wave, connected, now)
    }

    /// From when a held seat is not waited for any more: a list that just does fails by one dissenter, and the next wave is
    /// far away, but a machine that stopped must not hold all the others up. The pace of this round alone does not tell: who
    /// makes results up commits at once.
    fn overdue(&self, part: &Part) -> Millis {
        part.since + (SLOWER_TIMES * self.slowest.max(self.pace)).max(HELD_GRACE_MS)
    }

    /// Whether a worker holds a seat of the wave without having committed, and may still.
    fn is_at_work(&self, part: &Part, wave: u8, now: Millis) -> bool {
        part.wave == wave && part.promise.is_none() && now < part.until.min(self.overdue(part))
    }

    /// Whether somebody may still commit soon: a seat is held, or a connected seat holder had no time to take its own.
    fn is_expecting(&self, wave: u8, connected: &Connected, now: Millis) -> bool {
        if self.parts.values().any(|part| self.is_at_work(part, wave, now)) {
            return true;
        }
        let early = now < self.began + RESERVE_GRACE_MS;
        early
            && !self.is_full(wave, now)
            && connected.iter().any(|(worker, standing)| {
                !self.parts.contains_key(worker) && self.check_seat(*worker, wave, standing, now).is_ok()
            })
    }

    fn submission(&self, tally: &Tally, odds: Odds) -> Submission {
        let claims: Vec<_> = tally.groups.iter().map(|group| group.claim).collect();
        let mut entries: Vec<_> = self
            .parts
            .iter()
            .filter(|(_, part)| part.listed)
            .filter_map(|(worker, part)| self.entry(*worker, part, &claims))
            .collect();
        entries.sort_by_key(|entry| (entry.word.wave, entry.word.worker));
        Submission { claims, entries, odds }
    }

    fn entry(&self, worker: Address, part: &Part, claims: &[Claim]) -> Option<SubmittedEntry> {
        let promise = part.promise?;
        let (claim, proof, signature) = match (&part.contribution, part.step()) {
            _ if part.lost => (CLAIM_LOST, promise.commitment, promise.signature),
            (Some(contribution), _) => {
                let at = claims.iter().position(|claim| *claim == contribution.claim())?;
                let signature = contribution.envelope.signed.signature;
                (u8::try_from(at).ok()?, contribution.own_trace_root, signature)
            }
            (None, MemberStep::Unavailable) => (CLAIM_UNAVAILABLE, B256::ZERO, promise.signature),
            (None, _) => (CLAIM_BARE, promise.commitment, promise.signature),
        };
        Some(SubmittedEntry {
            word: EntryWord { worker, claim, wave: part.wave, on_chain: false },
            proof,
            signature,
        })
    }
}
