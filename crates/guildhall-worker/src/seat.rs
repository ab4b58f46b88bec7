//! One seat from taking it to the certificate: what this worker has said, and what it does next.
//!
//! A state machine without IO. Whatever arrives twice, late or out of order leaves it where it is; the driver
//! ([`crate::drive`]) does one step after the other and tells it what came of it.

use alloy::primitives::{Address, B256};
use guildhall_api::{Ack, Claim, OpenContribution, Outcome, Round, RoundRef, SignedList};
use guildhall_protocol::lot::LAST_WAVE;
use guildhall_protocol::messages::{Contribution, commitment};
use guildhall_protocol::{ContentId, Secs, UnixTime};
use serde::{Deserialize, Serialize};

/// How long after the last wave a seat waits for the round's end, in seconds.
const LINGER_SECS: u64 = 600;
/// The part of a wave, from its end, in which a worker that is on no list commits on chain: a quarter.
const ON_CHAIN_DIVISOR: u64 = 4;
/// How long a worker asks for a seat before it executes without a reservation: a quarter of a wave.
const ALONE_DIVISOR: u64 = 4;

/// What this worker promised in a round. Once durable, nothing else is ever signed for the round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// The round.
    pub at: RoundRef,
    /// The wave of the promise.
    pub wave: u8,
    /// What it found.
    pub claim: Claim,
    /// Root over its own traces.
    pub own_trace_root: B256,
    /// The result bundle.
    pub bundle: ContentId,
    /// The own traces, one after the other.
    pub traces: ContentId,
    /// The first second after that wave.
    pub wave_end: UnixTime,
    /// Length of a wave.
    pub patience: Secs,
    /// The first second after the round's last wave.
    pub end: UnixTime,
    /// Until when something of the round may be asked for in a dispute.
    pub keep_until: UnixTime,
}

impl Promise {
    /// The commitment.
    pub fn commitment(&self, worker: Address) -> B256 {
        commitment(worker, self.at.id, self.claim.root, self.claim.fuel, self.own_trace_root)
    }

    /// The typed data of its contribution under a list.
    pub fn contribution(&self, list_hash: B256) -> Contribution {
        Contribution {
            roundId: self.at.id.0,
            wave: self.wave,
            root: self.claim.root,
            fuel: self.claim.fuel.0,
            listHash: list_hash,
        }
    }

    /// The same promise a wave later: the commitment stays, so that nothing contradicts it.
    fn carry(&mut self) {
        self.wave += 1;
        self.wave_end = UnixTime(self.wave_end.0.saturating_add(self.patience.0)).min(self.end);
    }
}

/// What the driver does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Ask the coordinator for the seat.
    Reserve,
    /// Execute the batch.
    Execute,
    /// Send the commitment.
    Commit(Box<Promise>),
    /// Say that the bytes are withheld.
    SayUnavailable,
    /// Sign the contribution under this list, make it durable, send it.
    Contribute(Box<Promise>, B256),
    /// Send a contribution that was signed before.
    Show(Box<OpenContribution>),
    /// Commit on chain: no list holds the commitment, and its wave is nearly over.
    CommitOnChain(Box<Promise>),
    /// Open the commitment that stands on chain.
    RevealOnChain(Box<Promise>),
    /// Post the certificate, from what members showed and what stands on chain.
    Post,
    /// Wait for an event: a list, or the end.
    Wait,
    /// Nothing more to do.
    Leave(Left),
}

/// Why a seat was left.
#[derive(Debug, Clone, PartialEq)]
pub enum Left {
    /// All seats are taken.
    Full,
    /// The round ended; whether this worker's own claim was certified is the driver's to see.
    Ended(Outcome),
    /// The coordinator did not take the seat or the promise: its code.
    Refused(String),
    /// This machine could not execute the batch.
    Failed(String),
    /// The waves are over without an end.
    TimedOut,
}

/// Why a list is not signed for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListFault {
    /// Another round.
    #[error("the list is of another round")]
    OtherRound,
    /// This worker is not on it, or with another commitment.
    #[error("the list does not hold this worker's commitment")]
    NotMine,
    /// The coordinator signed another list for this wave before.
    #[error("the coordinator signed two lists for wave {0}: {1} and {2}")]
    Second(u8, B256, B256),
}

/// Refusals that leave the round as it should be: it has who it needs, it is over, or this worker's operator is in it.
const FAIR_REFUSALS: [&str; 5] = [
    "coordinator.full",
    "coordinator.over",
    "coordinator.already_spoke",
    "coordinator.equivocation",
    "coordinator.same_operator",
];
/// The wave's list is closed: what was executed counts in the next one.
const LIST_CLOSED: &str = "coordinator.list_closed";
/// The coordinator's clock is in another wave.
const WRONG_WAVE: &str = "coordinator.wrong_wave";

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    Free,
    Held,
    Promised { sent: bool },
    Withheld { sent: bool },
    Listed { list: B256 },
    Signed { contribution: Box<OpenContribution>, sent: bool },
    Left(Left),
}

/// What this worker has on chain itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnChain {
    Nothing,
    /// Its commitment; from then on it may be opened without telling anybody who may still commit.
    Committed(UnixTime),
    Revealed,
    /// The contract does not take it.
    Refused,
}

/// One seat.
#[derive(Debug, Clone)]
pub struct Seat {
    worker: Address,
    /// From when it executes without a reservation.
    alone_at: UnixTime,
    end: UnixTime,
    stage: Stage,
    promise: Option<Promise>,
    /// Before that, the promise is not offered: its wave has not begun.
    offer_from: UnixTime,
    /// Whether the coordinator took the promise.
    taken: bool,
    list: Option<(u8, B256)>,
    on_chain: OnChain,
    /// From when it posts a certificate itself; nothing while it has nothing to post.
    post_at: Option<UnixTime>,
    /// Whether the coordinator is heard.
    heard: bool,
    /// Whether it has shown what everybody on the list contributed.
    sees_all: bool,
}

impl Seat {
    /// A seat that is taken at `now`.
    pub fn new(worker: Address, round: &Round, now: UnixTime) -> Self {
        let asks_from = now.max(round.opened.time).0;
        let alone_at = UnixTime(asks_from.saturating_add(round.patience.0 / ALONE_DIVISOR));
        Self { alone_at, ..Self::at(worker, round.end(), Stage::Free) }
    }

    fn at(worker: Address, end: UnixTime, stage: Stage) -> Self {
        Self {
            worker,
            alone_at: end,
            end,
            stage,
            promise: None,
            offer_from: UnixTime(0),
            taken: false,
            list: None,
            on_chain: OnChain::Nothing,
            post_at: None,
            heard: true,
            sees_all: false,
        }
    }

    /// A seat as the journal has it after a restart: whatever was promised is sent again.
    pub fn resumed(worker: Address, promise: Promise, contribution: Option<OpenContribution>) -> Self {
        let stage = match contribution {
            Some(contribution) => Stage::Signed { contribution: Box::new(contribution), sent: false },
            None => Stage::Promised { sent: false },
        };
        Self { promise: Some(promise.clone()), ..Self::at(worker, promise.end, stage) }
    }

    /// Whether it is bound to a result, and waits for the list.
    pub fn awaits_list(&self) -> bool {
        matches!(self.stage, Stage::Promised { sent: true })
    }

    /// What this worker promised, if it did.
    pub fn promise(&self) -> Option<&Promise> {
        self.promise.as_ref()
    }

    /// The next moment after `now` at which [`Seat::step`] may change by itself.
    pub fn next_turn(&self, now: UnixTime) -> Option<UnixTime> {
        let opens = match self.on_chain {
            OnChain::Committed(opens) => Some(opens),
            _ => self.promise.as_ref().map(|promise| self.commit_at(promise)),
        };
        let alone = (self.stage == Stage::Free).then_some(self.alone_at);
        [alone, opens, self.post_at, Some(self.offer_from)]
            .into_iter()
            .flatten()
            .filter(|time| *time > now)
            .min()
    }

    /// From when a promise is made on chain. A coordinator that is heard and took it has until the end of the wave to list it
    /// and to show what the others contributed, so that a round that is only slow costs no transactions; the next wave is
    /// early enough then.
    fn commit_at(&self, promise: &Promise) -> UnixTime {
        let lead = (promise.patience.0 / ON_CHAIN_DIVISOR).max(1);
        let patient = self.heard && self.taken && promise.wave < LAST_WAVE;
        let wave = if patient { promise.patience.0 } else { 0 };
        let end = UnixTime(promise.wave_end.0.saturating_add(wave)).min(promise.end);
        UnixTime(end.0.saturating_sub(lead))
    }

    /// What is to be done on chain at `now`, where the coordinator does not do it.
    fn direct(&self, now: UnixTime) -> Option<Step> {
        let promise = self.promise.as_ref().filter(|_| !matches!(self.stage, Stage::Left(_)))?;
        // What co-members showed can be posted by anybody: nothing is gained on chain.
        let alone = self.list.is_none() || !self.heard || !self.sees_all;
        match self.on_chain {
            OnChain::Nothing if alone && now >= self.commit_at(promise) && now < self.end => {
                Some(Step::CommitOnChain(Box::new(promise.clone())))
            }
            OnChain::Committed(opens) if now >= opens => Some(Step::RevealOnChain(Box::new(promise.clone()))),
            _ if self.post_at.is_some_and(|time| now >= time) => Some(Step::Post),
            _ => None,
        }
    }

    /// What to do at `now`.
    pub fn step(&self, now: UnixTime) -> Step {
        let timed_out = now > self.end;
        let direct = self.direct(now);
        match (&self.stage, &self.promise) {
            (Stage::Left(left), _) => Step::Leave(left.clone()),
            _ if now.0 > self.end.0.saturating_add(LINGER_SECS) => Step::Leave(Left::TimedOut),
            (Stage::Free | Stage::Held, _) if timed_out => Step::Leave(Left::TimedOut),
            _ if direct.is_some() => direct.unwrap_or(Step::Wait),
            // Nobody answers for the seat: the lot gave it all the same.
            (Stage::Free, _) if now >= self.alone_at => Step::Execute,
            (Stage::Free, _) => Step::Reserve,
            (Stage::Held, _) => Step::Execute,
            (Stage::Promised { sent: false }, Some(promise)) if now >= self.offer_from => {
                Step::Commit(Box::new(promise.clone()))
            }
            (Stage::Withheld { sent: false }, _) => Step::SayUnavailable,
            (Stage::Listed { list }, Some(promise)) => Step::Contribute(Box::new(promise.clone()), *list),
            (Stage::Signed { contribution, sent: false }, _) => Step::Show(contribution.clone()),
            _ => Step::Wait,
        }
    }

    /// The coordinator answered a reservation.
    pub fn reserved(&mut self, ack: Ack) {
        if self.stage == Stage::Free {
            self.stage = if ack == Ack::Full { Stage::Left(Left::Full) } else { Stage::Held };
        }
    }

    /// The batch was executed, and the promise made durable. After the end it is only compared with what was certified.
    pub fn executed(&mut self, promise: Promise) {
        match self.stage {
            Stage::Free | Stage::Held => {
                self.promise = Some(promise);
                self.stage = Stage::Promised { sent: false };
            }
            Stage::Left(_) if self.promise.is_none() => self.promise = Some(promise),
            _ => {}
        }
    }

    /// The bytes of the batch cannot be had.
    pub fn withheld(&mut self) {
        if matches!(self.stage, Stage::Free | Stage::Held) {
            self.stage = Stage::Withheld { sent: false };
        }
    }

    /// The coordinator has the commitment, the word of withheld bytes, or the contribution.
    pub fn sent(&mut self) {
        self.taken |= matches!(self.stage, Stage::Promised { .. });
        self.mark_sent();
    }

    fn mark_sent(&mut self) {
        if let Stage::Promised { sent } | Stage::Withheld { sent } | Stage::Signed { sent, .. } =
            &mut self.stage
        {
            *sent = true;
        }
    }

    /// The coordinator refused for good. What was executed for a list that is closed counts in the next wave. Once something
    /// is promised, only a reason that leaves the round as it should be ends the seat: what the lot gave, a coordinator can't
    /// take, and the chain is asked instead.
    pub fn refused(&mut self, code: &str, now: UnixTime) {
        let unlisted = matches!(self.stage, Stage::Promised { .. });
        match (&mut self.promise, code) {
            _ if matches!(self.stage, Stage::Left(_)) => {}
            (Some(promise), LIST_CLOSED) if unlisted && promise.wave < LAST_WAVE => {
                self.offer_from = promise.wave_end;
                promise.carry();
            }
            (Some(promise), WRONG_WAVE) if unlisted && now < promise.end => {
                // At a boundary the clocks may differ by a moment; later, the wave went by before the coordinator answered.
                self.offer_from = UnixTime(now.0.saturating_add(1));
                if now >= promise.wave_end && promise.wave < LAST_WAVE {
                    promise.carry();
                }
            }
            (promise, code) => {
                if promise.is_none() || code == LIST_CLOSED || FAIR_REFUSALS.contains(&code) {
                    self.stage = Stage::Left(Left::Refused(code.to_owned()));
                } else {
                    self.mark_sent();
                }
            }
        }
    }

    /// The commitment stands on chain since `now`.
    pub fn committed_on_chain(&mut self, now: UnixTime) {
        let Some(promise) = &self.promise else { return };
        let (mut opens, patience) = (promise.wave_end, promise.patience.0.max(1));
        while opens <= now && opens < promise.end {
            opens = UnixTime(opens.0.saturating_add(patience)).min(promise.end);
        }
        self.on_chain = OnChain::Committed(opens);
    }

    /// The claim stands on chain; `turn` seconds later the certificate is this worker's to post.
    pub fn revealed_on_chain(&mut self, now: UnixTime, turn: Secs) {
        self.on_chain = OnChain::Revealed;
        self.may_post(now, turn);
    }

    /// The contract does not take this worker's commitment, or its claim.
    pub fn refused_on_chain(&mut self) {
        self.on_chain = OnChain::Refused;
    }

    /// There is something to post, from the end of the wave on, or from `turn` seconds after `now` where that is later.
    pub fn may_post(&mut self, now: UnixTime, turn: Secs) {
        let Some(promise) = &self.promise else { return };
        let after = now.max(promise.wave_end).0.saturating_add(turn.0);
        self.post_at = Some(self.post_at.map_or(UnixTime(after), |known| known.min(UnixTime(after))));
    }

    /// The certificate was not taken: it is tried again `pause` later.
    pub fn not_posted(&mut self, now: UnixTime, pause: Secs) {
        self.post_at = Some(UnixTime(now.0.saturating_add(pause.0)));
    }

    /// Whether everybody who is listed has shown its claim to this worker.
    pub fn sees_all(&mut self, all: bool) {
        self.sees_all = all;
    }

    /// Whether the coordinator is heard at present.
    pub fn hears(&mut self, heard: bool) {
        self.heard = heard;
    }

    /// This machine could not execute.
    pub fn failed(&mut self, reason: String) {
        self.stage = Stage::Left(Left::Failed(reason));
    }

    /// A list arrived, its signatures checked, this worker's own among them. The first good one counts, in whichever wave it
    /// is: a promise may have been offered for two.
    ///
    /// # Errors
    /// [`ListFault`] for one that this worker must not sign under; [`ListFault::Second`] is a proof against the coordinator.
    pub fn listed(&mut self, list: &SignedList) -> Result<(), ListFault> {
        let entry = list.entry(self.worker);
        let Some(promise) = &mut self.promise else {
            // Before a restart, perhaps: it said that the bytes are withheld, and stays with it.
            let said = entry.is_some_and(|entry| entry.commitment.is_zero());
            return if said { self.withheld_before() } else { Err(ListFault::NotMine) };
        };
        if list.round.id != promise.at.id {
            return Err(ListFault::OtherRound);
        }
        if let Some((wave, hash)) = self.list {
            if wave == list.wave() && hash != list.hash() {
                return Err(ListFault::Second(wave, hash, list.hash()));
            }
            return Ok(());
        }
        if entry.is_none_or(|entry| entry.commitment != promise.commitment(self.worker)) {
            return Err(ListFault::NotMine);
        }
        promise.wave = list.wave();
        self.taken = true;
        self.list = Some((list.wave(), list.hash()));
        if let Stage::Promised { .. } = self.stage {
            self.stage = Stage::Listed { list: list.hash() };
        }
        Ok(())
    }

    fn withheld_before(&mut self) -> Result<(), ListFault> {
        self.withheld();
        self.mark_sent();
        Ok(())
    }

    /// The contribution was signed, and made durable.
    pub fn signed(&mut self, contribution: OpenContribution) {
        if let Stage::Listed { .. } = self.stage {
            self.stage = Stage::Signed { contribution: Box::new(contribution), sent: false };
        }
    }

    /// The round is over.
    pub fn ended(&mut self, outcome: Outcome) {
        if !matches!(self.stage, Stage::Left(_)) {
            self.stage = Stage::Left(Left::Ended(outcome));
        }
    }
}

#[cfg(test)]
mod tests {
    use guildhall_api::{Envelope, SignedEntry};
    use guildhall_protocol::messages::{CompactSignature, RoundList, Signed};
    use guildhall_protocol::{DealId, Fuel, Odds, RoundId};
    use guildhall_testkit::builders;

    use super::*;

    const NOW: UnixTime = UnixTime(100);
    const ME: Address = Address::repeat_byte(1);

    fn at() -> RoundRef {
        RoundRef {
            id: RoundId(B256::repeat_byte(2)),
            deal: DealId(B256::repeat_byte(3)),
            batch: 0,
            attempt: 0,
        }
    }

    fn promise() -> Promise {
        Promise {
            at: at(),
            wave: 0,
            claim: Claim { root: B256::repeat_byte(4), fuel: Fuel(5) },
            own_trace_root: B256::repeat_byte(6),
            bundle: ContentId::of(b"bundle"),
            traces: ContentId::of(b"traces"),
            wave_end: UnixTime(400),
            patience: Secs(300),
            end: UnixTime(1_000),
            keep_until: UnixTime(2_000),
        }
    }

    fn seat() -> Seat {
        Seat { alone_at: UnixTime(175), ..Seat::at(ME, UnixTime(1_000), Stage::Free) }
    }

    fn promised() -> Seat {
        let mut seat = seat();
        seat.reserved(Ack::Accepted);
        seat.executed(promise());
        seat
    }

    fn list(salt: u8, commitment: B256) -> SignedList {
        let message = RoundList { roundId: at().id.0, wave: 0, listHash: B256::repeat_byte(salt) };
        let entry = SignedEntry { worker: ME, commitment, signature: CompactSignature::default() };
        let signed = Signed { message, signature: CompactSignature::default() };
        SignedList { round: at(), before: B256::ZERO, entries: vec![entry], signed }
    }

    fn mine(salt: u8) -> SignedList {
        list(salt, promise().commitment(ME))
    }

    fn contribution() -> OpenContribution {
        let message = promise().contribution(B256::repeat_byte(7));
        let signed = Signed { message, signature: CompactSignature::default() };
        let envelope = Envelope { round: at(), worker: ME, signed };
        OpenContribution { envelope, own_trace_root: promise().own_trace_root }
    }

    fn certified() -> Outcome {
        let claim = promise().claim;
        Outcome::Certified { claim, odds: Odds::to_one(64), transaction: B256::ZERO }
    }

    #[test]
    fn a_seat_goes_from_reservation_to_certificate() {
        let mut seat = seat();
        assert_eq!(seat.step(NOW), Step::Reserve);
        seat.reserved(Ack::Accepted);
        assert_eq!(seat.step(NOW), Step::Execute);
        seat.executed(promise());
        assert_eq!(seat.step(NOW), Step::Commit(Box::new(promise())));
        seat.sent();
        assert_eq!(seat.step(NOW), Step::Wait);
        assert!(seat.awaits_list());
        seat.listed(&mine(7)).expect("a good list");
        assert_eq!(seat.step(NOW), Step::Contribute(Box::new(promise()), B256::repeat_byte(7)));
        seat.signed(contribution());
        assert_eq!(seat.step(NOW), Step::Show(Box::new(contribution())));
        seat.sent();
        assert_eq!(seat.step(NOW), Step::Wait);
        seat.ended(certified());
        assert_eq!(seat.step(NOW), Step::Leave(Left::Ended(certified())));
    }

    #[test]
    fn a_list_that_overtakes_the_answer_to_the_commitment_counts() {
        let mut seat = promised();
        seat.listed(&mine(7)).expect("a good list");
        assert_eq!(seat.step(NOW), Step::Contribute(Box::new(promise()), B256::repeat_byte(7)));
        seat.listed(&mine(7)).expect("the same again");
        seat.executed(Promise { wave: 2, ..promise() });
        assert_eq!(seat.promise(), Some(&promise()), "never a second promise");
    }

    #[test]
    fn lists_that_are_not_to_be_signed_are_refused_by_name() {
        let mut seat = self::seat();
        assert_eq!(seat.listed(&mine(7)), Err(ListFault::NotMine), "before a promise");
        let mut seat = promised();
        let other = SignedList { round: RoundRef { id: RoundId::default(), ..at() }, ..mine(7) };
        assert_eq!(seat.listed(&other), Err(ListFault::OtherRound));
        assert_eq!(
            seat.listed(&list(7, B256::repeat_byte(8))),
            Err(ListFault::NotMine),
            "another commitment"
        );
        seat.listed(&mine(7)).expect("a good list");
        let second = ListFault::Second(0, B256::repeat_byte(7), B256::repeat_byte(8));
        assert_eq!(seat.listed(&mine(8)), Err(second), "two lists of one wave");
        assert_eq!(
            seat.step(NOW),
            Step::Contribute(Box::new(promise()), B256::repeat_byte(7)),
            "the first counts"
        );
    }

    #[test]
    fn after_a_crash_what_was_signed_is_sent_again_and_nothing_else() {
        let seat = Seat::resumed(ME, promise(), None);
        assert_eq!(seat.step(NOW), Step::Commit(Box::new(promise())));
        let mut seat = Seat::resumed(ME, promise(), Some(contribution()));
        assert_eq!(seat.step(NOW), Step::Show(Box::new(contribution())));
        seat.listed(&mine(8)).expect("a list");
        assert_eq!(seat.step(NOW), Step::Show(Box::new(contribution())), "never a second contribution");
    }

    #[test]
    fn a_seat_that_is_taken_late_in_a_wave_asks_as_long_as_any_other() {
        let round = builders::round(&builders::terms(1, 50, (3, 5)));
        let (opened, quarter) = (round.opened.time, round.patience.0 / ALONE_DIVISOR);
        for taken in [UnixTime(opened.0 - 2), opened, UnixTime(opened.0 + 3 * quarter)] {
            let (seat, from) = (Seat::new(ME, &round, taken), taken.max(opened).0);
            assert_eq!(seat.step(UnixTime(from + quarter - 1)), Step::Reserve);
            assert_eq!(seat.step(UnixTime(from + quarter)), Step::Execute, "nobody answers");
        }
    }

    #[test]
    fn without_a_coordinator_the_way_leads_over_the_chain() {
        let mut seat = seat();
        assert_eq!(seat.next_turn(NOW), Some(UnixTime(175)));
        assert_eq!(seat.step(UnixTime(174)), Step::Reserve);
        assert_eq!(seat.step(UnixTime(175)), Step::Execute, "nobody answers");
        seat.executed(promise());
        assert_eq!(seat.step(UnixTime(200)), Step::Commit(Box::new(promise())), "still offered");
        assert_eq!(seat.next_turn(UnixTime(200)), Some(UnixTime(325)));
        assert_eq!(seat.step(UnixTime(325)), Step::CommitOnChain(Box::new(promise())));
        seat.committed_on_chain(UnixTime(330));
        assert_eq!(seat.step(UnixTime(399)), Step::Commit(Box::new(promise())), "others may still commit");
        assert_eq!(seat.step(UnixTime(400)), Step::RevealOnChain(Box::new(promise())));
        seat.revealed_on_chain(UnixTime(401), Secs(4));
        assert_eq!(seat.next_turn(UnixTime(401)), Some(UnixTime(405)));
        assert_eq!(seat.step(UnixTime(405)), Step::Post);
        seat.not_posted(UnixTime(405), Secs(5));
        assert_ne!(seat.step(UnixTime(409)), Step::Post);
        assert_eq!(seat.step(UnixTime(410)), Step::Post);
        seat.ended(certified());
        assert_eq!(seat.step(UnixTime(410)), Step::Leave(Left::Ended(certified())));
    }

    #[test]
    fn a_commitment_in_a_later_window_is_opened_after_that_window() {
        let mut seat = promised();
        seat.committed_on_chain(UnixTime(400));
        assert_eq!(seat.next_turn(UnixTime(400)), Some(UnixTime(700)));
        seat.committed_on_chain(UnixTime(999));
        assert_eq!(seat.next_turn(UnixTime(999)), Some(UnixTime(1_000)));
    }

    #[test]
    fn a_listed_seat_goes_to_the_chain_only_when_the_coordinator_is_gone_or_hides_what_others_said() {
        let mut seat = promised();
        seat.listed(&mine(7)).expect("a good list");
        seat.signed(contribution());
        seat.sent();
        assert_eq!(seat.step(UnixTime(624)), Step::Wait);
        assert_eq!(seat.step(UnixTime(625)), Step::CommitOnChain(Box::new(promise())), "it shows nothing");
        seat.sees_all(true);
        assert_eq!(seat.step(UnixTime(625)), Step::Wait, "what it showed can be posted");
        assert_eq!(seat.step(UnixTime(350)), Step::Wait);
        seat.hears(false);
        assert_eq!(seat.step(UnixTime(350)), Step::CommitOnChain(Box::new(promise())));
        seat.refused_on_chain();
        assert_eq!(seat.step(UnixTime(350)), Step::Wait);
        seat.may_post(UnixTime(350), Secs(2));
        assert_eq!(seat.step(UnixTime(402)), Step::Post, "with what its co-members showed");
    }

    #[test]
    fn a_coordinator_cannot_take_what_the_lot_gave() {
        let mut seat = promised();
        seat.refused("coordinator.no_seat", NOW);
        assert_eq!(seat.step(NOW), Step::Wait);
        assert_eq!(seat.step(UnixTime(325)), Step::CommitOnChain(Box::new(promise())));
        let mut seat = promised();
        seat.refused("coordinator.over", NOW);
        assert_eq!(seat.step(NOW), Step::Leave(Left::Refused("coordinator.over".into())));
    }

    #[test]
    fn what_was_executed_for_a_closed_list_counts_in_the_next_wave() {
        let mut seat = promised();
        seat.refused("coordinator.list_closed", UnixTime(120));
        let carried = Promise { wave: 1, wave_end: UnixTime(700), ..promise() };
        assert_eq!(
            seat.step(UnixTime(399)),
            Step::Wait,
            "nothing on chain either: the coordinator is at work"
        );
        assert_eq!(seat.next_turn(UnixTime(399)), Some(UnixTime(400)));
        assert_eq!(seat.step(UnixTime(400)), Step::Commit(Box::new(carried.clone())));
        seat.refused("coordinator.wrong_wave", UnixTime(400));
        assert_eq!(seat.step(UnixTime(400)), Step::Wait, "its clock is behind");
        assert_eq!(seat.step(UnixTime(401)), Step::Commit(Box::new(carried.clone())));
        seat.sent();
        let list = |wave| {
            let mut list = mine(7);
            list.signed.message.wave = wave;
            list
        };
        let mut early = seat.clone();
        seat.listed(&list(1)).expect("a good list");
        assert_eq!(seat.step(UnixTime(401)), Step::Contribute(Box::new(carried), B256::repeat_byte(7)));
        early.listed(&list(0)).expect("the first offer was taken after all");
        assert_eq!(early.promise().map(|promise| promise.wave), Some(0));
        let mut late = promised();
        late.refused("coordinator.wrong_wave", UnixTime(405));
        assert_eq!(late.promise().map(|promise| promise.wave), Some(1), "its wave went by");
        for _ in 0..3 {
            late.refused("coordinator.list_closed", UnixTime(700));
        }
        assert_eq!(late.step(UnixTime(700)), Step::Leave(Left::Refused("coordinator.list_closed".into())));
    }

    #[test]
    fn a_coordinator_that_is_at_work_has_until_the_end_of_the_wave() {
        let mut seat = promised();
        seat.sent();
        assert_eq!(seat.step(UnixTime(399)), Step::Wait);
        assert_eq!(seat.next_turn(UnixTime(399)), Some(UnixTime(625)));
        assert_eq!(
            seat.step(UnixTime(625)),
            Step::CommitOnChain(Box::new(promise())),
            "it keeps it from the list"
        );
        seat.hears(false);
        assert_eq!(seat.step(UnixTime(325)), Step::CommitOnChain(Box::new(promise())), "it is gone");
    }

    #[test]
    fn what_is_executed_when_the_round_ends_is_compared() {
        let mut seat = seat();
        seat.reserved(Ack::Accepted);
        seat.ended(certified());
        seat.executed(promise());
        assert_eq!(seat.step(NOW), Step::Leave(Left::Ended(certified())));
        assert_eq!(seat.promise(), Some(&promise()));
        seat.executed(Promise { wave: 2, ..promise() });
        assert_eq!(seat.promise(), Some(&promise()), "never a second promise");
    }

    #[test]
    fn full_refused_withheld_and_late_seats_are_left() {
        let mut full = seat();
        full.reserved(Ack::Full);
        assert_eq!(full.step(NOW), Step::Leave(Left::Full));
        let mut refused = seat();
        refused.refused("coordinator.no_seat", NOW);
        refused.ended(certified());
        assert_eq!(refused.step(NOW), Step::Leave(Left::Refused("coordinator.no_seat".into())));
        let mut withheld = seat();
        withheld.reserved(Ack::Accepted);
        withheld.withheld();
        assert_eq!(withheld.step(NOW), Step::SayUnavailable);
        withheld.sent();
        assert_eq!(withheld.step(NOW), Step::Wait);
        withheld.listed(&list(7, B256::ZERO)).expect("as it said");
        let mut restarted = seat();
        restarted.listed(&list(7, B256::ZERO)).expect("as it said before");
        assert_eq!(restarted.step(NOW), Step::Wait, "and it stays with that");
        restarted.executed(promise());
        assert_eq!(restarted.promise(), None);
        assert_eq!(seat().step(UnixTime(1_001)), Step::Leave(Left::TimedOut));
        let mut waiting = promised();
        waiting.sent();
        waiting.refused_on_chain();
        assert_eq!(waiting.step(UnixTime(1_001)), Step::Wait, "a certificate may still come");
        assert_eq!(waiting.step(UnixTime(1_001 + LINGER_SECS)), Step::Leave(Left::TimedOut));
    }
}
