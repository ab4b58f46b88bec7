//! The coordinator's rules, on the state machine alone.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256};
use guildhall_api::{Ack, Claim, Outcome, RoundRef, SignedList};
use guildhall_coordinator::gathering::Submission;
use guildhall_coordinator::{Action, Equivocation, Machine, Refusal};
use guildhall_protocol::confidence::{group, odds, opposing};
use guildhall_protocol::messages::{CompactSignature, RoundList, Signed};
use guildhall_protocol::{Odds, Policy, PolicyWord, Reputation, Terms, Weight};
use guildhall_testkit::builders::{OPENED_AT, SEED, Worker, lie, round, terms, truth};
use proptest::prelude::*;

const START: u64 = OPENED_AT * 1000;
const LATER: u64 = START + 20_000;

/// A machine with what a shell would do to it, except for the network.
struct Bench {
    machine: Machine,
    at: RoundRef,
    terms: Terms,
    lists: BTreeMap<u8, SignedList>,
    submissions: Vec<Submission>,
    voided: bool,
    proofs: Vec<Equivocation>,
}

impl Bench {
    fn new(terms: Terms) -> Self {
        let mut machine = Machine::default();
        assert!(machine.deal_opened(terms));
        let round = round(&terms);
        let at = round.at;
        machine.begin(round, START).expect("room");
        Self {
            machine,
            at,
            terms,
            lists: BTreeMap::new(),
            submissions: Vec::new(),
            voided: false,
            proofs: Vec::new(),
        }
    }

    /// Does everything that is due at `now`, as the shell would.
    fn settle(&mut self, now: u64) {
        loop {
            let actions = self.machine.plan(now);
            if actions.is_empty() {
                return;
            }
            for action in actions {
                match action {
                    Action::CloseList { draft, .. } => {
                        let hash =
                            SignedList::hash_of(draft.before, draft.wave, &draft.entries).expect("a list");
                        let message = RoundList { roundId: self.at.id.0, wave: draft.wave, listHash: hash };
                        let signed = Signed { message, signature: CompactSignature::default() };
                        let list = SignedList {
                            round: self.at,
                            before: draft.before,
                            entries: draft.entries,
                            signed,
                        };
                        let second = self.lists.insert(draft.wave, list.clone());
                        assert!(second.is_none(), "two lists for wave {}", draft.wave);
                        self.machine.closed(list, now);
                    }
                    Action::Certify { submission, round } => {
                        self.machine.posted(round, now);
                        self.submissions.push(submission);
                    }
                    Action::Void { round, .. } => {
                        self.machine.posted(round, now);
                        self.voided = true;
                    }
                    Action::Prove { proof, .. } => self.proofs.push(proof),
                    Action::Push { .. } | Action::Announce(_) | Action::Forget(_) => {}
                }
            }
        }
    }

    fn reserve(&mut self, worker: &Worker, now: u64) -> Result<Ack, Refusal> {
        let message = worker.reservation(self.at, 0, OPENED_AT + 30);
        self.machine.reserve(&message, &worker.standing, now)
    }

    fn commit(&mut self, worker: &Worker, claim: Claim, now: u64) -> Result<Ack, Refusal> {
        let message = worker.commitment(self.at, 0, claim);
        self.machine.commit(&message, &worker.standing, now)
    }

    fn contribute(&mut self, worker: &Worker, claim: Claim, now: u64) -> Result<Ack, Refusal> {
        let list = self.lists.get(&0).map_or(B256::ZERO, SignedList::hash);
        self.machine.contribute(&worker.contribution(self.at, 0, claim, list), now)
    }
}

fn workers(count: u16) -> Vec<Worker> {
    (1..=count).map(Worker::new).collect()
}

#[test]
fn three_honest_workers_make_a_certificate_without_waiting() {
    let (mut bench, workers) = (Bench::new(terms(3, 50, (3, 5))), workers(3));
    for worker in &workers {
        assert_eq!(bench.reserve(worker, START).expect("a seat"), Ack::Accepted);
    }
    for worker in &workers {
        assert_eq!(bench.commit(worker, truth(), START).expect("taken"), Ack::Accepted);
        assert_eq!(bench.commit(worker, truth(), START).expect("known"), Ack::Known, "twice is once");
    }
    bench.settle(START);
    assert_eq!(bench.lists[&0].entries.len(), 3);
    for worker in &workers {
        assert_eq!(bench.contribute(worker, truth(), START).expect("taken"), Ack::Accepted);
    }
    bench.settle(START);
    assert_eq!(bench.submissions.len(), 1);
    assert_eq!(bench.submissions[0].claims, [truth()]);
    bench.settle(LATER);
    assert_eq!(bench.submissions.len(), 1, "posted once, until it is refused or lost");
}

#[test]
fn connected_workers_that_all_committed_close_the_list_at_once() {
    let (mut bench, workers) = (Bench::new(terms(3, 50, (3, 5))), workers(3));
    for worker in &workers {
        bench.machine.connect(worker.address(), worker.standing);
    }
    for worker in &workers {
        bench.settle(START);
        assert!(bench.lists.is_empty(), "somebody who is connected has not come yet");
        bench.reserve(worker, START).expect("a seat");
        bench.commit(worker, truth(), START).expect("taken");
    }
    bench.settle(START);
    assert_eq!(bench.lists[&0].entries.len(), 3);
}

#[test]
fn a_held_seat_is_waited_for_and_a_lost_one_is_not() {
    let (mut bench, workers) = (Bench::new(terms(5, 50, (3, 5))), workers(4));
    for worker in &workers {
        bench.reserve(worker, START).expect("a seat");
    }
    for worker in &workers[..3] {
        bench.commit(worker, truth(), START).expect("taken");
    }
    bench.settle(START + 450);
    assert!(bench.lists.is_empty(), "the fourth holds a seat");
    // In the first round of a deal: twice an eighth of the wave's 31 s.
    bench.settle(START + 7_700);
    assert!(bench.lists.is_empty(), "it may take as long as anybody is reckoned to");
    bench.settle(START + 7_800);
    assert_eq!(bench.lists[&0].entries.len(), 3, "enough without it");
    let late = bench.commit(&workers[3], truth(), START + 7_800);
    assert!(matches!(late, Err(Refusal::ListClosed(0))), "{late:?}");
}

#[test]
fn who_commits_at_once_is_not_listed_without_those_at_work() {
    let (mut bench, workers) = (Bench::new(terms(4, 99, (5, 12))), workers(8));
    for worker in &workers {
        bench.reserve(worker, START).expect("a seat");
    }
    let (fast, thorough) = workers.split_at(5);
    for worker in fast {
        bench.commit(worker, lie(1), START + 1).expect("taken");
    }
    bench.settle(START + 3_000);
    assert!(bench.lists.is_empty(), "the five alone would be certified");
    for worker in thorough {
        bench.commit(worker, truth(), START + 3_000).expect("taken");
    }
    bench.settle(START + 3_000);
    for (number, worker) in workers.iter().enumerate() {
        let claim = if number < fast.len() { lie(1) } else { truth() };
        bench.contribute(worker, claim, START + 3_000).expect("taken");
    }
    bench.settle(START + 3_000);
    assert!(bench.submissions.is_empty(), "three against five: nobody's odds are 99");
}

#[test]
fn the_pace_of_a_deal_is_that_of_its_latest_rounds() {
    let (mut bench, workers) =
        (Bench::new(Terms { taskCount: 2, batchSize: 1, ..terms(5, 50, (3, 5)) }), workers(4));
    for worker in &workers[..3] {
        bench.reserve(worker, START).expect("a seat");
        bench.commit(worker, truth(), START + 300).expect("taken");
    }
    let outcome = Outcome::Certified { claim: truth(), odds: Odds::to_one(64), transaction: B256::ZERO };
    bench.machine.batch_ended(bench.at.deal, 0, outcome, START + 300);
    let second = guildhall_api::Round::new(&bench.terms, 1, 0, bench.terms.opened(), SEED).expect("a round");
    bench.at = second.at;
    bench.machine.begin(second, START + 1_000).expect("room");
    for worker in &workers {
        bench.reserve(worker, START + 1_000).expect("a seat");
    }
    for worker in &workers[..3] {
        bench.commit(worker, truth(), START + 1_000).expect("taken");
    }
    bench.settle(START + 1_550);
    assert!(bench.lists.is_empty(), "half a second at least, twice the pace of the round before");
    bench.settle(START + 1_610);
    assert_eq!(bench.lists[&0].entries.len(), 3, "machines of this deal are not slower than that");
}

#[test]
fn a_list_that_just_does_waits_for_machines_that_are_not_much_slower() {
    let (mut bench, workers) = (Bench::new(terms(4, 99, (5, 12))), workers(8));
    for worker in &workers {
        bench.reserve(worker, START).expect("a seat");
    }
    let claim = |number: usize| if number == 0 { lie(1) } else { truth() };
    for (number, worker) in workers[..5].iter().enumerate() {
        bench.commit(worker, claim(number), START + 4_000).expect("taken");
    }
    bench.settle(START + 6_000);
    assert!(bench.lists.is_empty(), "one dissenter among five would spoil it, and three others are at work");
    for worker in &workers[5..7] {
        bench.commit(worker, truth(), START + 6_500).expect("taken");
    }
    bench.settle(START + 12_900);
    assert!(bench.lists.is_empty(), "now it stands a dissenter, and the eighth is at work all the same");
    bench.settle(START + 13_000);
    assert_eq!(bench.lists[&0].entries.len(), 7, "twice what the slowest took");
    for (number, worker) in workers[..7].iter().enumerate() {
        bench.contribute(worker, claim(number), START + 13_000).expect("taken");
    }
    bench.settle(START + 13_000);
    assert_eq!(bench.submissions.len(), 1);
}

#[test]
fn who_comes_too_late_for_a_list_that_failed_counts_in_the_next_wave() {
    let (mut bench, workers) = (Bench::new(terms(4, 99, (5, 12))), workers(8));
    let claim = |number: usize| if number == 0 { lie(1) } else { truth() };
    for (number, worker) in workers[..5].iter().enumerate() {
        bench.commit(worker, claim(number), START).expect("taken");
    }
    bench.settle(START + 1_000);
    for (number, worker) in workers[..5].iter().enumerate() {
        bench.contribute(worker, claim(number), START + 1_000).expect("taken");
    }
    for worker in &workers[5..] {
        let late = bench.commit(worker, truth(), START + 1_500);
        assert!(matches!(late, Err(Refusal::ListClosed(0))), "{late:?}");
    }
    let second = START + round(&bench.terms).patience.0 * 1000;
    for worker in &workers[5..] {
        let message = worker.commitment(bench.at, 1, truth());
        bench.machine.commit(&message, &worker.standing, second).expect("taken");
    }
    bench.settle(second);
    assert_eq!(bench.lists[&1].entries.len(), 3);
    let list = bench.lists[&1].hash();
    for worker in &workers[5..] {
        bench.machine.contribute(&worker.contribution(bench.at, 1, truth(), list), second).expect("taken");
    }
    bench.settle(second);
    assert_eq!(bench.submissions[0].entries.len(), 8, "nobody is left out");
}

#[test]
fn seats_are_those_of_the_lot_and_one_an_operator() {
    let mut bench = Bench::new(terms(3, 50, (3, 5)));
    let first = Worker::new(1);
    let cousin = Worker { standing: first.standing, ..Worker::new(2) };
    bench.reserve(&first, START).expect("a seat");
    assert!(matches!(bench.reserve(&cousin, START), Err(Refusal::SameOperator { .. })));

    let with = |change: fn(&mut guildhall_api::Standing)| {
        let mut worker = Worker::new(3);
        change(&mut worker.standing);
        worker
    };
    let young = with(|standing| standing.active_from = 100);
    assert!(
        matches!(bench.reserve(&young, START), Err(Refusal::NoSeat { .. })),
        "bonded in the opening block"
    );
    let foreign = with(|standing| standing.pool = guildhall_protocol::PoolId(9));
    assert!(matches!(bench.reserve(&foreign, START), Err(Refusal::NotAMember(_))));
    let other_runtime = with(|standing| standing.runtime = guildhall_protocol::RuntimeNumber(2));
    assert!(matches!(bench.reserve(&other_runtime, START), Err(Refusal::NoSeat { .. })));
    let poor = with(|standing| standing.bond = guildhall_protocol::BondUnits(0));
    assert!(matches!(bench.reserve(&poor, START), Err(Refusal::NoSeat { .. })));
    let exposed = with(|standing| standing.room = guildhall_protocol::BondUnits(0));
    assert!(matches!(bench.reserve(&exposed, START), Err(Refusal::NoRoom { .. })));
}

#[test]
fn seats_beyond_what_is_wanted_are_full_until_one_is_given_up() {
    let (mut bench, workers) = (Bench::new(terms(3, 50, (3, 3))), workers(4));
    for worker in &workers[..3] {
        let message = worker.reservation(bench.at, 0, OPENED_AT + 5);
        assert_eq!(bench.machine.reserve(&message, &worker.standing, START).expect("a seat"), Ack::Accepted);
    }
    assert_eq!(bench.reserve(&workers[3], START).expect("no error"), Ack::Full);
    bench.machine.connect(workers[3].address(), workers[3].standing);
    bench.settle(START);
    let told = bench.machine.plan(START + 5_000);
    let vacant =
        told.iter().any(|action| matches!(action, Action::Push { to, .. } if *to == [workers[3].address()]));
    assert!(vacant, "told that a seat is free: {told:?}");
    assert_eq!(bench.reserve(&workers[3], START + 5_000).expect("a seat"), Ack::Accepted);
}

/// A deal at 99 to 1 in a pool of five, and its workers; the first so many have earned all the reputation that counts.
fn reputed(settled: usize, count_reputation: bool) -> (Bench, Vec<Worker>) {
    let deal = terms(5, 99, (1, 8));
    let policy = Policy { countReputation: count_reputation, ..deal.policy().expect("a policy") };
    let mut workers = workers(5);
    for worker in &mut workers[..settled] {
        worker.standing.reputation = Reputation(2_000);
    }
    (Bench::new(Terms { policy: PolicyWord::pack(&policy).0, ..deal }), workers)
}

#[test]
fn where_reputation_counts_no_more_seats_are_given_than_suffice() {
    let (mut bench, workers) = reputed(1, true);
    assert_eq!(bench.reserve(&workers[0], START).expect("a seat"), Ack::Accepted);
    assert_eq!(bench.reserve(&workers[1], START).expect("told"), Ack::Full, "one alone is 99 to 1");
    bench.commit(&workers[0], truth(), START).expect("taken");
    bench.settle(START);
    assert_eq!(bench.lists[&0].entries.len(), 1, "nobody else is waited for");
    bench.contribute(&workers[0], truth(), START).expect("taken");
    bench.settle(START);
    assert_eq!(bench.submissions.len(), 1);

    let (mut bench, workers) = reputed(1, true);
    for fresh in [1, 2] {
        assert_eq!(bench.reserve(&workers[fresh], START).expect("a seat"), Ack::Accepted);
    }
    assert_eq!(bench.reserve(&workers[0], START).expect("a seat"), Ack::Accepted, "16 to 1 do not suffice");
    assert_eq!(bench.reserve(&workers[3], START).expect("told"), Ack::Full);

    let (mut bench, workers) = reputed(5, false);
    for worker in &workers {
        assert_eq!(bench.reserve(worker, START).expect("a seat"), Ack::Accepted, "it does not count");
    }
}

/// So many come in wave 0, some of whom lie; whether another may come in wave 1.
fn joins_after(members: usize, lies: usize) -> Ack {
    let (mut bench, workers) = (Bench::new(terms(5, 50, (3, 9))), workers(6));
    let claim = |number| if number < lies { lie(1) } else { truth() };
    for (number, worker) in workers[..members].iter().enumerate() {
        bench.reserve(worker, START).expect("a seat");
        bench.commit(worker, claim(number), START).expect("taken");
    }
    bench.settle(LATER);
    for (number, worker) in workers[..members].iter().enumerate() {
        bench.contribute(worker, claim(number), LATER).expect("taken");
    }
    bench.settle(LATER);
    assert!(bench.submissions.is_empty(), "not enough");
    let message = workers[5].reservation(bench.at, 1, OPENED_AT + 60);
    bench.machine.reserve(&message, &workers[5].standing, START + 32_000).expect("told")
}

#[test]
fn a_wave_in_which_even_everybody_would_not_do_gives_no_seats() {
    assert_eq!(joins_after(5, 2), Ack::Full, "64 against 16 is 3.8; five more at 1.5 make 28 to 1, of 50");
    assert_eq!(joins_after(4, 1), Ack::Accepted, "64 against 4 is 12.8; six more make 145 to 1");
}

#[test]
fn a_wave_gives_seats_where_only_the_next_one_completes_it() {
    // Four executions are paid at most: 256 to 1, of 396 in the second draw. Four more in wave 1 make 1,296.
    let deal = terms(5, 99, (1, 4));
    let again = guildhall_api::Round::new(&deal, 0, 1, deal.opened(), SEED).expect("a second draw");
    let (at, mut machine, workers) = (again.at, Machine::default(), workers(1));
    assert!(machine.deal_opened(deal));
    machine.begin(again, START).expect("room");
    let message = workers[0].reservation(at, 0, OPENED_AT + 30);
    assert_eq!(machine.reserve(&message, &workers[0].standing, START).expect("told"), Ack::Accepted);
}

#[test]
fn one_dissenter_is_listed_and_outweighed() {
    let (mut bench, workers) = (Bench::new(terms(6, 50, (3, 6))), workers(5));
    for (number, worker) in workers.iter().enumerate() {
        let claim = if number == 0 { lie(1) } else { truth() };
        bench.commit(worker, claim, START).expect("taken");
    }
    bench.settle(START + 500);
    for (number, worker) in workers.iter().enumerate() {
        let claim = if number == 0 { lie(1) } else { truth() };
        bench.contribute(worker, claim, START + 500).expect("taken");
    }
    bench.settle(START + 500);
    let submission = &bench.submissions[0];
    assert_eq!(submission.claims, [truth(), lie(1)]);
    assert_eq!(submission.entries.len(), 5, "nobody is left out");
}

#[test]
fn who_never_reveals_is_posted_as_bare_after_a_grace() {
    let (mut bench, workers) = (Bench::new(terms(6, 50, (3, 6))), workers(5));
    for worker in &workers {
        bench.commit(worker, truth(), START).expect("taken");
    }
    bench.settle(START + 500);
    for worker in &workers[1..] {
        bench.contribute(worker, truth(), START + 500).expect("taken");
    }
    bench.settle(START + 500);
    assert!(bench.submissions.is_empty(), "it has a moment to show its claim");
    bench.settle(START + 2_600);
    let bare: Vec<_> = bench.submissions[0].entries.iter().filter(|entry| entry.word.claim == 255).collect();
    assert_eq!(bare.len(), 1);
    assert_eq!(bare[0].word.worker, workers[0].address());
}

#[test]
fn two_different_commitments_or_contributions_are_kept_as_proofs() {
    let (mut bench, workers) = (Bench::new(terms(3, 50, (3, 5))), workers(4));
    bench.commit(&workers[0], truth(), START).expect("taken");
    let second = bench.commit(&workers[0], lie(1), START);
    assert!(matches!(second, Err(Refusal::Equivocation(_))));
    for worker in &workers[1..] {
        bench.commit(worker, truth(), START).expect("taken");
    }
    bench.settle(START + 500);
    assert!(bench.lists[&0].entry(workers[0].address()).is_none(), "an equivocator is not listed");
    bench.contribute(&workers[1], truth(), START + 500).expect("taken");
    let other =
        bench.contribute(&workers[1], Claim { fuel: guildhall_protocol::Fuel(3), ..truth() }, START + 500);
    assert!(matches!(other, Err(Refusal::Equivocation(_))));
    let proofs = bench.machine.round(bench.at.id).expect("known").proofs();
    assert_eq!(
        proofs.iter().map(|proof| proof.worker()).collect::<Vec<Address>>(),
        [workers[0].address(), workers[1].address()]
    );
    // Each is due again until the chain knows of it.
    let proofs = proofs.to_vec();
    assert_eq!(bench.proofs, proofs[..1]);
    bench.settle(START + 10_500);
    assert_eq!(bench.proofs, [proofs[0].clone(), proofs[0].clone()]);
    bench.machine.proven(bench.at.id, &proofs[0]);
    bench.settle(START + 10_500);
    assert_eq!(bench.proofs.last(), Some(&proofs[1]));
    bench.machine.proven(bench.at.id, &proofs[1]);
    bench.settle(START + 40_000);
    assert_eq!(bench.proofs.len(), 3);
}

#[test]
fn withheld_bytes_void_the_round_when_they_prevail() {
    let (mut bench, workers) = (Bench::new(terms(3, 50, (3, 5))), workers(3));
    for worker in &workers {
        let message = worker.unavailable(bench.at, 0);
        bench.machine.unavailable(&message, &worker.standing, START).expect("taken");
    }
    let both = bench.commit(&workers[0], truth(), START);
    assert!(matches!(both, Err(Refusal::AlreadySpoke(_))));
    bench.settle(START + 500);
    assert!(bench.voided && bench.submissions.is_empty());
}

#[test]
fn a_later_wave_makes_up_for_an_earlier_one() {
    let (mut bench, workers) = (Bench::new(terms(6, 50, (3, 6))), workers(6));
    for worker in &workers[..2] {
        bench.commit(worker, truth(), START).expect("taken");
    }
    let patience = round(&bench.terms).patience.0;
    let second = START + patience * 1000;
    bench.settle(second);
    assert_eq!(bench.lists[&0].entries.len(), 2, "closed at the wave's end");
    for worker in &workers[..2] {
        bench.contribute(worker, truth(), second).expect("taken");
    }
    let early = bench.commit(&workers[2], truth(), second);
    assert!(matches!(early, Err(Refusal::ListClosed(0))), "{early:?}");
    for worker in &workers[2..5] {
        let message = worker.commitment(bench.at, 1, truth());
        bench.machine.commit(&message, &worker.standing, second).expect("taken");
    }
    bench.settle(second + 5_000);
    assert_eq!(bench.lists[&1].before, bench.lists[&0].hash());
    for worker in &workers[2..5] {
        let message = worker.contribution(bench.at, 1, truth(), bench.lists[&1].hash());
        bench.machine.contribute(&message, second + 5_000).expect("taken");
    }
    bench.settle(second + 5_000);
    let waves: Vec<_> = bench.submissions[0].entries.iter().map(|entry| entry.word.wave).collect();
    assert_eq!(waves, [0, 0, 1, 1, 1]);
}

/// One member of the first list never shows its claim. The next list waits for all that come, and not for the first of them:
/// with the silent one as it is, one is too few.
#[test]
fn a_silent_member_is_not_reckoned_with_in_the_next_list() {
    let (mut bench, workers) = (Bench::new(terms(6, 50, (3, 6))), workers(6));
    for worker in &workers[..3] {
        bench.commit(worker, truth(), START).expect("taken");
    }
    bench.settle(LATER);
    assert_eq!(bench.lists[&0].entries.len(), 3);
    for worker in &workers[1..3] {
        bench.contribute(worker, truth(), LATER).expect("taken");
    }
    let patience = round(&bench.terms).patience.0 * 1000;
    let second = START + patience;
    for (late, worker) in (0..).zip(&workers[3..]) {
        let now = second + late * 1_000;
        let message = worker.commitment(bench.at, 1, truth());
        bench.machine.commit(&message, &worker.standing, now).expect("taken");
        bench.settle(now + 900);
    }
    assert!(!bench.lists.contains_key(&1), "it waits");
    bench.settle(second + patience);
    assert_eq!(bench.lists[&1].entries.len(), 3, "all that came in its wave");
}

#[test]
fn a_refused_post_is_due_again_and_a_lost_member_opposes() {
    let (mut bench, workers) = (Bench::new(terms(6, 50, (3, 6))), workers(5));
    for worker in &workers {
        bench.commit(worker, truth(), START).expect("taken");
    }
    bench.settle(START + 500);
    for worker in &workers {
        bench.contribute(worker, truth(), START + 500).expect("taken");
    }
    bench.settle(START + 500);
    bench.machine.not_posted(bench.at.id, &[workers[0].address()], START + 500);
    bench.settle(START + 600);
    let lost = &bench.submissions[1].entries.iter().find(|entry| entry.word.worker == workers[0].address());
    assert_eq!(lost.expect("listed").word.claim, 253);
    bench.machine.not_posted(bench.at.id, &[], START + 600);
    bench.settle(START + 700);
    assert_eq!(bench.submissions.len(), 2, "not at once");
    bench.settle(START + 3_000);
    assert_eq!(bench.submissions.len(), 3);
}

/// The certificate was in a block that a reorganisation took back before anybody here read it.
#[test]
fn a_post_whose_block_passes_without_the_end_of_the_round_is_due_again() {
    let (mut bench, workers) = (Bench::new(terms(6, 50, (3, 6))), workers(5));
    for worker in &workers {
        bench.commit(worker, truth(), START).expect("taken");
    }
    bench.settle(START + 500);
    for worker in &workers {
        bench.contribute(worker, truth(), START + 500).expect("taken");
    }
    bench.settle(START + 500);
    bench.machine.mined(bench.at.id, 7);
    bench.machine.heard(6, START + 600);
    bench.settle(START + 3_000);
    assert_eq!(bench.submissions.len(), 1, "it may be said in the next block");
    bench.machine.heard(7, START + 3_000);
    bench.settle(START + 6_000);
    assert_eq!(bench.submissions.len(), 2);
    bench.machine.mined(bench.at.id, 8);
    bench.machine.batch_ended(bench.at.deal, 0, Outcome::Expired, START + 6_000);
    bench.machine.heard(8, START + 6_000);
    bench.settle(START + 9_000);
    assert_eq!(bench.submissions.len(), 2, "it ended");
}

#[test]
fn the_end_of_a_round_is_the_chains_and_can_be_undone_by_it() {
    let (mut bench, workers) = (Bench::new(terms(3, 50, (3, 5))), workers(3));
    bench.machine.batch_ended(bench.at.deal, 0, Outcome::Expired, START);
    assert!(matches!(bench.commit(&workers[0], truth(), START), Err(Refusal::Over(_))));
    bench.machine.batch_resumed(bench.at.deal, 0);
    assert_eq!(bench.commit(&workers[0], truth(), START).expect("taken"), Ack::Accepted);
}

/// The odds of a submission, computed from its entries alone as the contract does.
fn judged(submission: &Submission) -> u128 {
    let fresh = |wave: u8| if wave == 0 { Weight(4_000_000) } else { Weight(1_500_000) };
    let of = |claim: u8| {
        let entries = submission.entries.iter().filter(move |entry| entry.word.claim == claim);
        entries.map(|entry| fresh(entry.word.wave)).collect::<Vec<_>>()
    };
    let rivals = (1..submission.claims.len()).map(|claim| group(of(claim as u8)));
    let silent = [253, 254, 255].into_iter().flat_map(of);
    odds(group(of(0)), opposing(rivals, silent)).0
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Honest,
    Liar,
    Silent,
    Equivocator,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![5 => Just(Kind::Honest), 1 => Just(Kind::Liar), 1 => Just(Kind::Silent), 1 => Just(Kind::Equivocator)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Messages come in any order, some twice, some never: never two lists of one wave, never a certificate below its
    /// odds, never one that leaves a listed member out; and when enough honest ones get through, there is one.
    #[test]
    fn any_order_of_messages_converges(
        kinds in prop::collection::vec(kind(), 3..9),
        deliveries in prop::collection::vec((any::<prop::sample::Index>(), 0u64..400), 40..160),
    ) {
        let mut bench = Bench::new(terms(kinds.len() as u64, 50, (3, 9)));
        let workers: Vec<_> = (1..=kinds.len() as u16).map(Worker::new).collect();
        let mut now = START;
        for (index, wait) in &deliveries {
            now += wait;
            let at = index.index(workers.len());
            let worker = &workers[at];
            let claim = if matches!(kinds[at], Kind::Liar) { lie(1) } else { truth() };
            let _ = match (kinds[at], bench.lists.contains_key(&0), wait % 3) {
                (_, false, 0) => bench.reserve(worker, now),
                (Kind::Equivocator, false, 1) => bench.commit(worker, lie(at as u8), now),
                (_, false, _) => bench.commit(worker, claim, now),
                (Kind::Silent, true, _) => Ok(Ack::Known),
                (Kind::Equivocator, true, 1) => bench.contribute(worker, lie(at as u8), now),
                (_, true, _) => bench.contribute(worker, claim, now),
            };
            bench.settle(now);
        }
        let target = round(&bench.terms).target.0;
        for submission in &bench.submissions {
            prop_assert!(judged(submission) >= target);
            let listed: usize = bench.lists.values().map(|list| list.entries.len()).sum();
            prop_assert_eq!(submission.entries.len(), listed);
        }
        prop_assert!(bench.submissions.len() <= 1);
        if bench.submissions.is_empty() {
            let shown = bench.machine.round(bench.at.id).expect("known").tally();
            let enough = shown.certifies(guildhall_protocol::Odds(target), 3);
            bench.settle(now + 10_000);
            prop_assert_eq!(bench.submissions.len(), usize::from(enough));
        }
    }
}
