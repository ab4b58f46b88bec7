//! One round of a pool, from a seed: an event after the other, until it is certified or its deadline has passed.

use std::collections::BTreeMap;

use alloy::{primitives::keccak256, sol_types::Eip712Domain};
use guildhall_api::{Ack, Envelope, OpenContribution, Outcome, Round, SignedList};
use guildhall_coordinator::{Action, Machine, Refusal, gathering::Submission};
use guildhall_protocol::{
    Seed, Terms, UnixTime,
    messages::{Commitment, CompactSignature, Reservation, RoundList, Signed, certifier_domain},
};
use guildhall_service::Coded as _;
use guildhall_testkit::builders::{CHAIN, OPENED_AT, SEED, Worker, certifier, lie, round_of, terms, truth};
use guildhall_worker::{
    direct::{self, POST_TURNS, Shown},
    seat::Step,
};

use crate::{
    chain::{Rejection, SimulatedChain},
    faults::{Dice, Faults},
    member::Member,
};

/// How often a worker looks at what is due, in milliseconds.
const LOOK_EVERY_MS: u64 = 1_500;
/// Longest execution, in milliseconds.
const EXECUTION_MS_MAX: u64 = 5_000;
/// Longest time until a transaction is in a block, in milliseconds.
const BLOCK_MS_MAX: u64 = 2_000;
/// Most events of a worker in a run: beyond, something goes round in circles.
const EVENTS_MAX: u32 = 20_000;
/// Most workers that execute a batch. In a pool of no more of them the lot decides nothing, in a larger one it is of the seed.
const REPLICAS_MAX: u16 = 9;
/// What a chain without an answer is asked again after, in milliseconds.
const AGAIN_MS: u64 = 1_000;

/// What must never happen, and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

/// What became of the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// How it ended on chain: certified, or expired.
    pub outcome: Outcome,
    /// Events until then.
    pub events: u32,
    /// How often the batch was executed.
    pub executions: u32,
    /// Words that workers put on chain themselves.
    pub on_chain: usize,
}

#[derive(Clone, Debug)]
enum Message {
    Reserve(Envelope<Reservation>),
    Commit(Envelope<Commitment>),
    Show(Box<OpenContribution>),
}

#[derive(Debug)]
enum Event {
    Look(usize),
    Arrives(usize, Message),
    Answered(usize, Message, Result<Ack, &'static str>),
    Told(usize, guildhall_api::MemberEvent),
    Executed(usize),
    /// A worker's commitment, its claim or its certificate comes to the chain.
    Transaction(usize, Step),
    /// The coordinator's certificate comes to the chain.
    Sealed(Box<Submission>),
    NotSealed,
    Heard(usize, Outcome),
}

/// What a coordinator has on disk.
#[derive(Default)]
struct Disk {
    promises: Vec<Envelope<Commitment>>,
    lists: Vec<SignedList>,
    contributions: Vec<OpenContribution>,
}

struct Simulation {
    now_ms: u64,
    dice: Dice,
    faults: Faults,
    queue: BTreeMap<(u64, u32), Event>,
    queued: u32,
    terms: Terms,
    round: Round,
    domain: Eip712Domain,
    machine: Machine,
    disk: Disk,
    members: Vec<Member>,
    chain: SimulatedChain,
    executions: u32,
    /// Whether the outcome is on its way to everybody.
    told: bool,
}

/// Runs one round from a seed, with as many workers, under these faults.
///
/// # Errors
/// [`Broken`]: a rule did not hold.
pub fn run(seed: u64, workers: u16, faults: Faults) -> Result<Ended, Broken> {
    let mut simulation = Simulation::new(seed, workers, faults);
    let deadline_ms = simulation.terms.deadline * 1_000;
    let most = EVENTS_MAX.saturating_mul(workers.into());
    for events in 0..most {
        let Some(((at_ms, _), event)) = simulation.queue.pop_first() else { break };
        simulation.now_ms = at_ms;
        let on_chain = simulation.chain.log().len();
        if at_ms > deadline_ms {
            // Nobody certified it in time: the requester has the refund.
            let outcome = simulation.chain.outcome().cloned();
            if outcome.is_none() {
                simulation.check_hopeless()?;
            }
            return Ok(simulation.ended(outcome.unwrap_or(Outcome::Expired), events, on_chain));
        }
        simulation.take(event)?;
        simulation.settle()?;
        if let Some(outcome) = simulation.chain.outcome().cloned()
            && simulation.members.iter().all(|member| member.seat.is_none())
        {
            return Ok(simulation.ended(outcome, events, on_chain));
        }
    }
    Err(Broken(format!("no end after {most} events")))
}

impl Simulation {
    fn new(seed: u64, workers: u16, faults: Faults) -> Self {
        let terms = terms(workers.into(), 50, (3, workers.min(REPLICAS_MAX) as u8));
        let lot = if workers <= REPLICAS_MAX { SEED } else { Seed(keccak256(seed.to_be_bytes())) };
        let round = round_of(&terms, lot);
        let claim = |number: u16| if number <= faults.liars.into() { lie(1) } else { truth() };
        let members: Vec<_> = (1..=workers)
            .map(|number| Member::new(Worker::new(number), claim(number), &terms, lot))
            .collect();
        let standing = members.iter().map(|member| (member.address(), member.worker.standing)).collect();
        let mut simulation = Self {
            now_ms: OPENED_AT * 1_000,
            dice: Dice::new(seed),
            faults,
            queue: BTreeMap::new(),
            queued: 0,
            chain: SimulatedChain::new(round.clone(), standing),
            round,
            terms,
            domain: certifier_domain(CHAIN, certifier()),
            machine: Machine::default(),
            disk: Disk::default(),
            members,
            executions: 0,
            told: false,
        };
        simulation.restart_coordinator();
        for number in 0..simulation.members.len() {
            simulation.after(0, Event::Look(number));
        }
        simulation
    }

    fn ended(&self, outcome: Outcome, events: u32, on_chain: usize) -> Ended {
        Ended { outcome, events, executions: self.executions, on_chain }
    }

    fn after(&mut self, wait_ms: u64, event: Event) {
        self.queued += 1;
        self.queue.insert((self.now_ms + wait_ms, self.queued), event);
    }

    /// Sends over a network that loses, delays and doubles; nothing comes through while the coordinator is gone.
    fn send(&mut self, make: impl Fn() -> Event) {
        let copies = if self.is_gone() || self.dice.hits(self.faults.lost_permille) {
            0
        } else {
            1 + u8::from(self.dice.hits(self.faults.twice_permille))
        };
        for _ in 0..copies {
            let wait = self.dice.below(self.faults.latest_ms);
            self.after(wait, make());
        }
    }

    fn is_gone(&self) -> bool {
        self.faults.gone_ms.contains(&(self.now_ms - OPENED_AT * 1_000))
    }

    fn time(&self) -> UnixTime {
        UnixTime(self.now_ms / 1_000)
    }

    fn take(&mut self, event: Event) -> Result<(), Broken> {
        match event {
            Event::Look(number) => {
                if self.dice.hits(self.faults.restart_permille) {
                    self.restart_coordinator();
                }
                if self.dice.hits(self.faults.restart_permille) {
                    let address = self.members[number].address();
                    self.members[number].restart(&self.terms, self.chain.outcome());
                    self.machine.disconnect(address);
                }
                self.connect(number);
                self.look(number)?;
                // After the last wave there is nothing for who has no part in the round.
                if self.time() <= self.round.end() || self.members[number].has_part() {
                    self.after(LOOK_EVERY_MS, Event::Look(number));
                }
                Ok(())
            }
            Event::Arrives(..) if self.is_gone() => Ok(()),
            Event::Arrives(number, message) => {
                let answer = self.arrives(number, &message).map_err(|refusal| refusal.code());
                self.send(|| Event::Answered(number, message.clone(), answer));
                Ok(())
            }
            Event::Answered(number, message, answer) => {
                self.answered(number, &message, answer);
                self.look(number)
            }
            Event::Told(number, told) => {
                let now = self.time();
                self.members[number].told(told, &self.domain, now);
                self.look(number)
            }
            Event::Executed(number) => {
                let now = self.time();
                self.executions += 1;
                self.members[number].busy = false;
                self.members[number].executed(&self.round, now);
                self.look(number)
            }
            Event::Transaction(number, step) => {
                self.transact(number, step)?;
                self.look(number)
            }
            Event::Sealed(submission) => self.sealed(&submission),
            Event::NotSealed => {
                self.machine.not_posted(self.round.at.id, &[], self.now_ms);
                Ok(())
            }
            Event::Heard(number, outcome) => {
                self.members[number].ended(&(self.round.at.deal, self.round.at.batch), outcome);
                self.look(number)
            }
        }
    }

    /// A worker does what is due, as its shell does.
    fn look(&mut self, number: usize) -> Result<(), Broken> {
        let now = self.time();
        let hears = self.machine.connected().contains_key(&self.members[number].address());
        let member = &mut self.members[number];
        let Some(step) = member.step(&self.round, now, hears) else { return Ok(()) };
        let at = self.round.at;
        let wave = self.round.wave_at(now).unwrap_or_default();
        let asked = step.clone();
        let message = match step {
            Step::Execute | Step::CommitOnChain(_) | Step::RevealOnChain(_) | Step::Post => {
                self.begin(number, step);
                return Ok(());
            }
            Step::Reserve => {
                Message::Reserve(member.worker.reservation(at, wave, self.round.wave_end(wave).0))
            }
            Step::Commit(promise) => {
                Message::Commit(member.worker.commitment(at, promise.wave, promise.claim))
            }
            Step::Contribute(promise, list) => {
                let signed = member.worker.contribution(at, promise.wave, promise.claim, list);
                member.signed(&promise, signed);
                return self.look(number);
            }
            Step::Show(contribution) => {
                if !member.shows_the_same(&contribution) {
                    return Err(Broken(format!("{} signed two contributions", member.address())));
                }
                Message::Show(contribution)
            }
            Step::SayUnavailable | Step::Wait | Step::Leave(_) => return Ok(()),
        };
        if self.members[number].asks(&asked, self.now_ms) {
            self.send(|| Event::Arrives(number, message.clone()));
        }
        Ok(())
    }

    /// What takes time, and only one at once.
    fn begin(&mut self, number: usize, step: Step) {
        if std::mem::replace(&mut self.members[number].busy, true) {
            return;
        }
        let (longest, event) = match step {
            Step::Execute => (EXECUTION_MS_MAX, Event::Executed(number)),
            step => (BLOCK_MS_MAX, Event::Transaction(number, step)),
        };
        let wait = self.dice.below(longest);
        self.after(wait, event);
    }

    /// Opens the stream if it is closed, and now and then anew: whatever is pending comes again.
    fn connect(&mut self, number: usize) {
        let worker = &self.members[number].worker;
        let (address, standing) = (worker.address(), worker.standing);
        if self.is_gone() {
            self.machine.disconnect(address);
        } else if !self.machine.connected().contains_key(&address) || self.dice.hits(100) {
            for event in self.machine.connect(address, standing) {
                self.send(|| Event::Told(number, event.clone()));
            }
        }
    }

    fn arrives(&mut self, number: usize, message: &Message) -> Result<Ack, Refusal> {
        let standing = self.members[number].worker.standing;
        match message {
            Message::Reserve(message) => self.machine.reserve(message, &standing, self.now_ms),
            Message::Commit(message) => {
                let ack = self.machine.commit(message, &standing, self.now_ms)?;
                if ack == Ack::Accepted {
                    self.disk.promises.push(*message);
                }
                Ok(ack)
            }
            Message::Show(message) => {
                let ack = self.machine.contribute(message, self.now_ms)?;
                if ack == Ack::Accepted {
                    self.disk.contributions.push(**message);
                }
                Ok(ack)
            }
        }
    }

    fn answered(&mut self, number: usize, message: &Message, answer: Result<Ack, &'static str>) {
        let now = self.time();
        let Some(seat) = &self.members[number].seat else { return };
        // An answer that comes late is to a question of before.
        let asked = match (seat.step(now), message) {
            (Step::Reserve, Message::Reserve(_)) => true,
            (Step::Commit(promise), Message::Commit(message)) => promise.wave == message.wave(),
            (Step::Show(contribution), Message::Show(shown)) => contribution == *shown,
            _ => false,
        };
        if asked {
            self.members[number].answered();
        }
        let Some(seat) = &mut self.members[number].seat else { return };
        match answer {
            _ if !asked => {}
            Ok(ack) if matches!(message, Message::Reserve(_)) => seat.reserved(ack),
            Ok(_) => seat.sent(),
            Err(code) => seat.refused(code, now),
        }
    }

    /// A worker's transaction is in a block, or was lost on the way.
    fn transact(&mut self, number: usize, step: Step) -> Result<(), Broken> {
        let now = self.time();
        if self.dice.hits(self.faults.lost_permille) {
            // A chain that does not answer is asked again.
            self.after(AGAIN_MS, Event::Transaction(number, step));
            return Ok(());
        }
        let member = &mut self.members[number];
        member.busy = false;
        let address = member.address();
        let placed = match &step {
            Step::CommitOnChain(promise) => self.chain.commit(address, promise.commitment(address), now),
            Step::RevealOnChain(promise) => self.chain.reveal(address, promise.claim, promise.own_trace_root),
            _ => return self.post(number),
        };
        let before = self.chain.before(address);
        let Some(seat) = &mut member.seat else { return Ok(()) };
        match (placed, step) {
            (Ok(()), Step::CommitOnChain(_)) => seat.committed_on_chain(now),
            (Ok(()), _) => seat.revealed_on_chain(now, direct::turn(before)),
            (Err(Rejection::Over | Rejection::NoWave), _) => seat.refused_on_chain(),
            (Err(rejection), _) => return Err(Broken(format!("{address} on chain: {rejection:?}"))),
        }
        Ok(())
    }

    /// A worker posts what it was shown and what stands on chain.
    fn post(&mut self, number: usize) -> Result<(), Broken> {
        let now = self.time();
        let mut submission = self.members[number].shown().submission(self.chain.log());
        submission.merge(self.chain.log());
        match self.chain.certify(&submission.claims, &submission.entries) {
            Ok(outcome) => self.end(&outcome),
            Err(Rejection::TooFew(_) | Rejection::Over) => {
                if let Some(seat) = &mut self.members[number].seat {
                    seat.not_posted(now, direct::turn(POST_TURNS));
                }
            }
            Err(rejection) => return Err(Broken(format!("a worker posted what is refused: {rejection:?}"))),
        }
        Ok(())
    }

    fn restart_coordinator(&mut self) {
        let (now, at) = (self.now_ms, self.round.at);
        self.machine = Machine::default();
        // One deal and one round: there is room.
        let _room = self.machine.deal_opened(self.terms);
        let _begun = self.machine.begin(self.round.clone(), now);
        for message in &self.disk.promises {
            let member = self.members.iter().find(|member| member.address() == message.worker);
            if let (Some(gathering), Some(member)) = (self.machine.restoring(at.id), member) {
                let (commitment, signature) = (message.signed.message.commitment, message.signed.signature);
                let standing = member.worker.standing;
                gathering.restore(message.worker, standing, message.wave(), commitment, signature);
            }
        }
        for list in &self.disk.lists {
            self.machine.closed(list.clone(), now);
        }
        for contribution in &self.disk.contributions {
            let _known = self.machine.contribute(contribution, now);
        }
        if let Some(outcome) = self.chain.outcome() {
            self.machine.batch_ended(at.deal, at.batch, outcome.clone(), now);
        }
    }

    /// Does what the coordinator's machine says, as its shell does.
    fn settle(&mut self) -> Result<(), Broken> {
        loop {
            let actions = self.machine.plan(self.now_ms);
            if actions.is_empty() || self.is_gone() {
                return Ok(());
            }
            for action in actions {
                self.act(action)?;
            }
        }
    }

    fn act(&mut self, action: Action) -> Result<(), Broken> {
        match action {
            Action::CloseList { draft, .. } => {
                let hash = SignedList::hash_of(draft.before, draft.wave, &draft.entries)
                    .map_err(|error| Broken(format!("a list that cannot be: {error}")))?;
                let message = RoundList { roundId: self.round.at.id.0, wave: draft.wave, listHash: hash };
                let signed = Signed { message, signature: CompactSignature::default() };
                let list =
                    SignedList { round: self.round.at, before: draft.before, entries: draft.entries, signed };
                if self.disk.lists.iter().any(|closed| closed.wave() == list.wave()) {
                    return Err(Broken(format!("two lists for wave {}", list.wave())));
                }
                self.disk.lists.push(list.clone());
                self.machine.closed(list, self.now_ms);
            }
            Action::Push { to, event } => {
                for address in to {
                    let number = self.members.iter().position(|member| member.address() == address);
                    if let Some(number) = number.filter(|_| self.machine.connected().contains_key(&address)) {
                        self.send(|| Event::Told(number, event.clone()));
                    }
                }
            }
            Action::Certify { round, submission } => {
                self.machine.posted(round, self.now_ms);
                let wait = self.dice.below(BLOCK_MS_MAX);
                if self.dice.hits(self.faults.lost_permille) {
                    self.after(wait, Event::NotSealed);
                } else {
                    self.after(wait, Event::Sealed(Box::new(submission)));
                }
            }
            Action::Void { .. } => return Err(Broken("voided, and no bytes were withheld".into())),
            Action::Prove { proof, .. } => {
                return Err(Broken(format!("{} is said to have signed two things", proof.worker())));
            }
            Action::Announce(_) | Action::Forget(_) => {}
        }
        Ok(())
    }

    /// The chain judges the coordinator's certificate. With what stands on chain beside, it may be too few; else it must do.
    fn sealed(&mut self, submission: &Submission) -> Result<(), Broken> {
        let mut posted = guildhall_chain::Submission {
            claims: submission.claims.clone(),
            entries: submission.entries.clone(),
        };
        posted.merge(self.chain.log());
        match self.chain.certify(&posted.claims, &posted.entries) {
            Ok(outcome) => self.end(&outcome),
            Err(Rejection::Over) => {}
            Err(Rejection::TooFew(_)) if !self.chain.log().is_empty() => self.after(0, Event::NotSealed),
            Err(rejection) => {
                return Err(Broken(format!("the coordinator posted what is refused: {rejection:?}")));
            }
        }
        Ok(())
    }

    /// Whether the round could not be certified with everything that anybody signed and put on chain.
    fn check_hopeless(&mut self) -> Result<(), Broken> {
        let mut shown = Shown::default();
        self.disk.lists.iter().for_each(|list| shown.list(list));
        for contribution in self.members.iter().filter_map(Member::contribution) {
            shown.contribution(&self.domain, contribution);
        }
        let mut submission = shown.submission(self.chain.log());
        submission.merge(self.chain.log());
        match self.chain.certify(&submission.claims, &submission.entries) {
            Ok(outcome) => Err(Broken(format!("nobody posted what would have been certified: {outcome:?}"))),
            Err(_) => Ok(()),
        }
    }

    /// The chain is followed, not listened to: what it says is heard late, but never lost.
    fn end(&mut self, outcome: &Outcome) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let at = self.round.at;
        self.machine.batch_ended(at.deal, at.batch, outcome.clone(), self.now_ms);
        for number in 0..self.members.len() {
            let wait = self.dice.below(self.faults.latest_ms);
            self.after(wait, Event::Heard(number, outcome.clone()));
        }
    }
}
