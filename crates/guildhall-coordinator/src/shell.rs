//! The loops around the machine: follow the chain, do what is due, post to the chain.
//!
//! Each is level-triggered: after a restart it re-reads the world and goes on.

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::Address;
use alloy::signers::SignerSync;
use futures::StreamExt;
use futures::future::join_all;
use guildhall_api::{Outcome, ProgressStep, SignedList};
use guildhall_protocol::lot::LAST_ATTEMPT;
use guildhall_protocol::messages::{RoundList, Signed};
use guildhall_protocol::{DealId, RoundId, Status, Terms, UnixTime};
use guildhall_service::CancellationToken;
use tokio::sync::{Mutex, mpsc};

use crate::chain::{ChainEvent, Post, PostError};
use crate::desk::Desk;
use crate::error::CoordinatorError;
use crate::gathering::{ListDraft, Millis, Submission};
use crate::limits::{MAX_BATCHES_A_TRANSACTION, MAX_ENTRIES_A_TRANSACTION};
use crate::machine::Action;
use crate::neglected::waves;
use crate::part::Equivocation;
use crate::records::{CURSOR, DEALS, Kept, RESULTS, ROUNDS, Record, deal_key, key_of, round_prefix};
use crate::store::StoreError;

/// How long after its deadline a deal is remembered, for those that ask how it went.
const DEAL_MEMORY_SECS: u64 = 3_600;
/// How long a result can be asked for, in seconds; its bytes stay as long as the store has room.
const RESULT_MEMORY_SECS: u64 = 30 * 24 * 3_600;
/// The pause before the chain is asked again what became of a round.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// The longest sleep of the planner, so that a clock that jumps is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Something to be posted.
#[derive(Debug)]
pub enum Posting {
    /// A certificate.
    Certify(RoundId, Submission),
    /// A voiding.
    Void(RoundId, Submission),
    /// A proof that a worker signed two things.
    Prove(RoundId, Box<Equivocation>),
    /// Another draw for a batch.
    Reopen(DealId, u32),
}

/// Puts back what was durable before a restart.
///
/// # Errors
/// [`CoordinatorError`] when the store or the chain does not answer.
pub async fn restore(desk: &Desk) -> Result<(), CoordinatorError> {
    for (_, terms) in desk.store.scan::<Terms>(DEALS)? {
        desk.machine().deal_opened(terms);
    }
    let mut current = None;
    for (_, record) in desk.store.scan::<Record>(ROUNDS)? {
        if let Record::Began { at } = record {
            current = match desk.build_round(at).await {
                Ok(round) => {
                    let begun = desk.machine().begin(round, desk.clock.now());
                    begun.map_err(|error| CoordinatorError::Restore(error.to_string()))?;
                    Some(at.id)
                }
                Err(crate::Refusal::Fault(reason)) => return Err(CoordinatorError::Restore(reason)),
                // Over, or of another branch of the chain: nothing can be added to it. Results have records of their own.
                Err(_) => {
                    let _staged = desk.store.remove_prefix(round_prefix(at.id));
                    None
                }
            };
            continue;
        }
        if let Some(round) = current {
            restore_record(desk, round, record).await?;
        }
    }
    Ok(())
}

async fn restore_record(desk: &Desk, round: RoundId, record: Record) -> Result<(), CoordinatorError> {
    let now = desk.clock.now();
    match record {
        Record::Began { .. } => {}
        Record::Promise { wave, entry } => {
            // In whatever pool it is now: if it is on the list, it stays on it.
            let Some(standing) = desk.chain.standing(entry.worker).await? else { return Ok(()) };
            if let Some(gathering) = desk.machine().restoring(round) {
                gathering.restore(entry.worker, standing, wave, entry.commitment, entry.signature);
            }
        }
        Record::List { list } => desk.machine().closed(*list, now),
        Record::Contribution { contribution } => {
            // Durable means that it was accepted: a refusal now only says that its round went on without it.
            let _ = desk.machine().contribute(&contribution, now);
        }
        Record::Proof { proof } => {
            if let Some(gathering) = desk.machine().restoring(round) {
                gathering.restore_proof(*proof);
            }
        }
    }
    Ok(())
}

/// Follows the chain into the machine until `stop`.
///
/// # Errors
/// [`CoordinatorError`] when the store fails.
pub async fn follow(
    desk: Arc<Desk>,
    postings: mpsc::Sender<Posting>,
    stop: CancellationToken,
) -> Result<(), CoordinatorError> {
    let cursor = desk.store.scan::<serde_json::Value>(CURSOR)?.pop().map(|(_, cursor)| cursor);
    let mut events = desk.chain.follow(desk.pool, cursor);
    let following = async {
        while let Some(event) = events.next().await {
            take(&desk, &postings, event).await?;
            desk.wake();
        }
        Ok(())
    };
    stop.run_until_cancelled(following).await.unwrap_or(Ok(()))
}

async fn take(
    desk: &Desk,
    postings: &mpsc::Sender<Posting>,
    event: ChainEvent,
) -> Result<(), CoordinatorError> {
    let now = desk.clock.now();
    match event {
        ChainEvent::DealOpened(terms) => {
            let _staged = desk.store.put(deal_key(terms.deal()), &*terms)?;
            if !desk.machine().deal_opened(*terms) {
                tracing::warn!(deal = %terms.deal(), "too many open deals: left to the chain's own path");
            }
            desk.deals_changed();
        }
        ChainEvent::BatchEnded { deal, batch, outcome, attempt } => {
            // Members may certify among themselves: their result has its place here all the same.
            if attempt == Some(0) && desk.machine().round_of(deal, batch).is_none() {
                begin_ended(desk, deal, batch, now).await;
            }
            desk.machine().batch_ended(deal, batch, outcome, now)
        }
        ChainEvent::Reopened { deal, batch } => {
            desk.machine().batch_ended(deal, batch, Outcome::Reopened, now);
        }
        ChainEvent::WorkerChanged(worker) => desk.standing_changed(worker).await,
        ChainEvent::Reverted { from } => revert(desk, from).await,
        ChainEvent::Head { block, time, cursor } => {
            desk.clock.set(time);
            desk.machine().heard(block, desk.clock.now());
            forget_old(desk, time);
            let ticket = desk.store.put(CURSOR.to_vec(), &cursor)?;
            offer_reopenings(desk, postings).await;
            // The cursor may be durable late, never early: deals were staged before it.
            if desk.machine().open_rounds() == 0 {
                desk.store.durable(ticket).await?;
            }
        }
    }
    Ok(())
}

/// Begins a round that was certified without this coordinator, so that its result can be stored.
async fn begin_ended(desk: &Desk, deal: DealId, batch: u32, now: Millis) {
    let begun = match desk.first_round(deal, batch).await {
        Ok(Some(round)) => desk.machine().begin(round, now),
        Ok(None) => return,
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = begun {
        tracing::debug!(%deal, batch, %refusal, "no place for the result of a round that others certified");
    }
}

/// After a reorganisation: deals of undone blocks are forgotten until they are said again, ended rounds are asked for.
async fn revert(desk: &Desk, from: u64) {
    desk.forget_seeds();
    let (gone, ended) = desk.machine().reverted(from);
    for deal in gone {
        let _staged = desk.store.remove_prefix(deal_key(deal));
        desk.machine().deal_gone(deal);
    }
    for at in ended {
        let Some(terms) = desk.machine().deal(at.deal).copied() else { continue };
        let found = loop {
            match desk.chain.batch(&terms, at.batch).await {
                Ok(found) => break found,
                // Nothing else is heard of a chain that does not answer, either.
                Err(error) => {
                    at.span().in_scope(|| tracing::warn!(%error, "whether it has ended cannot be asked"));
                }
            }
            tokio::time::sleep(ASK_AGAIN).await;
        };
        if matches!(found.status, Status::Open | Status::Reopened) && found.attempt == at.attempt {
            desk.machine().batch_resumed(at.deal, at.batch);
        }
    }
}

fn forget_old(desk: &Desk, time: UnixTime) {
    let old = desk.machine().deals_due_before(UnixTime(time.0.saturating_sub(DEAL_MEMORY_SECS)));
    for deal in old {
        let _staged = desk.store.remove_prefix(deal_key(deal));
        desk.machine().deal_gone(deal);
    }
    if desk.is_new_day(time)
        && let Err(error) = forget_results(desk, UnixTime(time.0.saturating_sub(RESULT_MEMORY_SECS)))
    {
        tracing::warn!(%error, "old results are not forgotten");
    }
}

fn forget_results(desk: &Desk, before: UnixTime) -> Result<(), StoreError> {
    let kept = desk.store.scan::<Kept>(RESULTS)?;
    for (key, _) in kept.into_iter().filter(|(_, kept)| kept.since < before) {
        let _staged = desk.store.remove_prefix(key);
    }
    Ok(())
}

/// Rounds whose waves are over without a certificate get another draw, where the contract still allows one; so do batches that
/// nobody worked on.
async fn offer_reopenings(desk: &Desk, postings: &mpsc::Sender<Posting>) {
    let now = UnixTime(desk.clock.now() / 1000);
    let due = desk.machine().out_of_waves(now);
    for at in due.into_iter().filter(|at| at.attempt < LAST_ATTEMPT) {
        // A full queue is no loss: the next head offers it again.
        let _ = postings.try_send(Posting::Reopen(at.deal, at.batch));
    }
    let neglected = desk.machine().neglected(now);
    join_all(neglected.into_iter().map(async |(terms, batch)| {
        let Ok(found) = desk.chain.batch(&terms, batch).await else {
            // Looked at again with the others of the deal.
            return desk.machine().neglected_is_open(terms.deal());
        };
        if !matches!(found.status, Status::Open | Status::Reopened) {
            return;
        }
        desk.machine().neglected_is_open(terms.deal());
        let over = found.opened.time.after(waves(&terms)).is_some_and(|over| over <= now);
        if over && found.attempt < LAST_ATTEMPT {
            let _ = postings.try_send(Posting::Reopen(terms.deal(), batch));
        }
    }))
    .await;
}

/// Does what the machine says until `stop`.
///
/// # Errors
/// [`CoordinatorError`] when the store or the key fails: lists must not be sent then.
pub async fn plan(
    desk: Arc<Desk>,
    postings: mpsc::Sender<Posting>,
    stop: CancellationToken,
) -> Result<(), CoordinatorError> {
    loop {
        let now = desk.clock.now();
        let (actions, due) = {
            let mut machine = desk.machine();
            (machine.plan(now), machine.next_due())
        };
        if actions.is_empty() {
            let sleep = due.map_or(LONGEST_SLEEP, |due| Duration::from_millis(due.saturating_sub(now)));
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = desk.woken() => {}
                () = tokio::time::sleep(sleep.min(LONGEST_SLEEP)) => {}
            }
            continue;
        }
        act(&desk, &postings, actions).await?;
    }
}

async fn act(
    desk: &Desk,
    postings: &mpsc::Sender<Posting>,
    actions: Vec<Action>,
) -> Result<(), CoordinatorError> {
    let mut lists = Vec::new();
    for action in actions {
        match action {
            Action::CloseList { round, draft } => lists.extend(sign_list(desk, round, draft)?),
            Action::Push { to, event } => desk.hub().push(&to, &event),
            Action::Announce(event) => {
                if let ProgressStep::Ended { outcome } = &event.step {
                    metrics::counter!("coordinator_rounds_total", "outcome" => label(outcome)).increment(1);
                }
                desk.hub().announce(event);
            }
            Action::Certify { round, submission } => {
                post(desk, postings, round, Posting::Certify(round, submission)).await
            }
            Action::Void { round, submission } => {
                post(desk, postings, round, Posting::Void(round, submission)).await
            }
            // A full queue is no loss: it is due again.
            Action::Prove { round, proof } => drop(postings.try_send(Posting::Prove(round, Box::new(proof)))),
            Action::Forget(round) => {
                let _staged = desk.store.remove_prefix(round_prefix(round));
            }
        }
    }
    close_lists(desk, lists).await
}

fn label(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Certified { .. } => "certified",
        Outcome::Unavailable => "unavailable",
        Outcome::Expired => "expired",
        Outcome::Reopened => "reopened",
    }
}

async fn post(desk: &Desk, postings: &mpsc::Sender<Posting>, round: RoundId, posting: Posting) {
    desk.machine().posted(round, desk.clock.now());
    if postings.send(posting).await.is_err() {
        desk.machine().not_posted(round, &[], desk.clock.now());
    }
}

fn sign_list(desk: &Desk, round: RoundId, draft: ListDraft) -> Result<Option<SignedList>, CoordinatorError> {
    let ListDraft { wave, before, entries } = draft;
    let Some(at) = desk.machine().round(round).map(|gathering| gathering.round().at) else { return Ok(None) };
    let hash = match SignedList::hash_of(before, wave, &entries) {
        Ok(hash) => hash,
        Err(error) => {
            at.span().in_scope(|| tracing::error!(wave, %error, "a list cannot be closed"));
            return Ok(None);
        }
    };
    let message = RoundList { roundId: round.0, wave, listHash: hash };
    let signature = desk.key.sign_typed_data_sync(&message, desk.domain())?.into();
    Ok(Some(SignedList { round: at, before, entries, signed: Signed { message, signature } }))
}

/// Makes lists durable, all with one write, and only then lets anybody see them: a coordinator that crashes between never
/// signs a second one that differs.
async fn close_lists(desk: &Desk, lists: Vec<SignedList>) -> Result<(), CoordinatorError> {
    let mut last = None;
    for list in &lists {
        let record = Record::List { list: Box::new(list.clone()) };
        last = Some(desk.store.put(key_of(list.round.id, &record, None), &record)?);
    }
    if let Some(ticket) = last {
        desk.store.durable(ticket).await?;
    }
    let mut machine = desk.machine();
    for list in lists {
        machine.closed(list, desk.clock.now());
    }
    Ok(())
}

/// Posts to the chain until `stop`: what became ready while a transaction was on its way goes into the next one together.
///
/// # Errors
/// None: what cannot be posted is due again later.
pub async fn post_all(
    desk: Arc<Desk>,
    postings: Arc<Mutex<mpsc::Receiver<Posting>>>,
    stop: CancellationToken,
) -> Result<(), CoordinatorError> {
    let mut postings = postings.lock().await;
    let mut waiting = Vec::new();
    while let Some(count) =
        stop.run_until_cancelled(postings.recv_many(&mut waiting, MAX_BATCHES_A_TRANSACTION)).await
    {
        if count == 0 {
            return Ok(());
        }
        let mut certificates = Vec::new();
        for posting in waiting.drain(..) {
            match posting {
                Posting::Certify(round, submission) => certificates.extend(to_post(&desk, round, submission)),
                Posting::Void(round, submission) => {
                    if let Some(post) = to_post(&desk, round, submission) {
                        report(&desk, std::slice::from_ref(&post), desk.chain.void(&post).await);
                    }
                }
                Posting::Prove(round, proof) => prove(&desk, round, &proof).await,
                Posting::Reopen(deal, batch) => reopen(&desk, deal, batch).await,
            }
        }
        // Side by side: each is a transaction of its own, and the sender numbers them.
        join_all(in_transactions(certificates).into_iter().map(|posts| certify(&desk, posts))).await;
    }
    Ok(())
}

fn to_post(desk: &Desk, round: RoundId, submission: Submission) -> Option<Post> {
    let machine = desk.machine();
    let at = machine.round(round)?.round().at;
    let terms = *machine.deal(at.deal)?;
    Some(Post { round, terms, batch: at.batch, submission })
}

/// Cuts posts into transactions of one deal each that stay within the gas of one.
fn in_transactions(mut posts: Vec<Post>) -> Vec<Vec<Post>> {
    let mut transactions: Vec<Vec<Post>> = Vec::new();
    let mut entries = 0;
    posts.sort_by_key(|post| post.terms.dealId);
    for post in posts {
        entries += post.submission.entries.len();
        match transactions.last_mut() {
            Some(open)
                if entries <= MAX_ENTRIES_A_TRANSACTION && open[0].terms.dealId == post.terms.dealId =>
            {
                open.push(post)
            }
            _ => {
                entries = post.submission.entries.len();
                transactions.push(vec![post]);
            }
        }
    }
    transactions
}

/// Posts certificates together; where one spoils the transaction of all, each on its own.
async fn certify(desk: &Desk, posts: Vec<Post>) {
    let posted = desk.chain.certify(&posts).await;
    if posts.len() > 1 && matches!(posted, Err(PostError::Refused(_) | PostError::NoSeat(_))) {
        for post in &posts {
            let alone = std::slice::from_ref(post);
            report(desk, alone, desk.chain.certify(alone).await);
        }
        return;
    }
    report(desk, &posts, posted);
}

fn report(desk: &Desk, posts: &[Post], posted: Result<u64, PostError>) {
    metrics::counter!("coordinator_posts_total", "ok" => if posted.is_ok() { "true" } else { "false" })
        .increment(posts.len() as u64);
    let error = match posted {
        Ok(block) => return posts.iter().for_each(|post| desk.machine().mined(post.round, block)),
        Err(error) => error,
    };
    let lost: Vec<Address> = match &error {
        PostError::NoSeat(worker) => vec![*worker],
        _ => Vec::new(),
    };
    for post in posts {
        tracing::warn!(deal = %post.terms.deal(), batch = post.batch, round = %post.round, %error, "could not post");
        desk.machine().not_posted(post.round, &lost, desk.clock.now());
    }
    desk.wake();
}

/// Brings a proof to the chain. One that is refused is known there already, or the worker is gone.
async fn prove(desk: &Desk, round: RoundId, proof: &Equivocation) {
    let worker = proof.worker();
    match desk.chain.prove(proof).await {
        Ok(transaction) => {
            tracing::warn!(%round, %worker, %transaction, "proved that a worker signed two things");
            metrics::counter!("coordinator_proofs_total").increment(1);
        }
        Err(PostError::Chain(error)) => {
            tracing::debug!(%round, %worker, %error, "a proof is not on chain yet");
            return;
        }
        Err(error) => tracing::info!(%round, %worker, %error, "a proof was not taken"),
    }
    desk.machine().proven(round, proof);
}

async fn reopen(desk: &Desk, deal: DealId, batch: u32) {
    let Some(terms) = desk.machine().deal(deal).copied() else { return };
    if let Err(error) = desk.chain.reopen(&terms, batch).await {
        tracing::info!(%deal, batch, %error, "could not draw anew");
        if matches!(error, PostError::Refused(_)) {
            // Too many draws, or too little time for another: what remains is the chain's own path, and expiry.
            desk.machine().batch_ended(deal, batch, Outcome::Expired, desk.clock.now());
        }
    }
}
