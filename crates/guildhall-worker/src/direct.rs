//! The way without a coordinator: commit, reveal and certify on chain.
//!
//! What a worker promised to the coordinator is what it commits to on chain, so it can take both ways at once. What
//! co-members have shown is posted together with what stands on chain, so that a coordinator that hides, delays or is gone
//! costs time and nothing else.

use alloy::primitives::{Address, B256};
use alloy::sol_types::Eip712Domain;
use guildhall_api::{Claim, OpenContribution, RoundRef, SignedList};
use guildhall_chain::{Submission, SubmittedEntry};
use guildhall_protocol::list::{CLAIM_BARE, CLAIM_UNAVAILABLE};
use guildhall_protocol::{EntryWord, LogItem, Secs, Terms};

use crate::bench::Bench;
use crate::chain::PostError;
use crate::limits::{POST_TURN, RETRY_FIRST, RETRY_MAX};
use crate::seat::Promise;

/// Items of other workers that may come between reading the log and being in it before a worker gives up.
const RACES: u32 = 16;
/// Turns in which members that were shown the same post it; how many turns later one tries again.
pub const POST_TURNS: u32 = 4;

/// What became of something for the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChain {
    /// It stands there. How many of the round's committed members come before this worker.
    Stands(u32),
    /// The contract does not take it.
    Refused,
}

/// What members of a round have shown this worker.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    lists: Vec<SignedList>,
    contributions: Vec<OpenContribution>,
    /// Whether a second list of the coordinator was handed out as a proof.
    exposed: bool,
}

impl Shown {
    /// Takes a list whose signatures were checked.
    pub fn list(&mut self, list: &SignedList) {
        if self.lists.iter().all(|known| known.wave() != list.wave()) {
            self.lists.push(list.clone());
            self.lists.sort_by_key(SignedList::wave);
        }
    }

    /// Takes a contribution of a co-member. Whether it was not known: only what opens a listed commitment, is signed and
    /// stands under that list counts.
    pub fn contribution(&mut self, domain: &Eip712Domain, contribution: &OpenContribution) -> bool {
        let worker = contribution.envelope.worker;
        let wave = contribution.envelope.wave();
        // What comes again is not checked again.
        if self.of(worker).is_some() {
            return false;
        }
        let Some(list) = self.lists.iter().find(|list| list.wave() == wave) else { return false };
        let Some(entry) = list.entry(worker) else { return false };
        let good = contribution.envelope.signed.message.listHash == list.hash()
            && contribution.check(domain, entry.commitment).is_ok();
        if good {
            self.contributions.push(*contribution);
        }
        good
    }

    /// The list that a second one of the same wave contradicts, whose signatures were checked: a proof against the coordinator. One
    /// is enough, so it is given once.
    pub fn contradicted(&mut self, second: &SignedList) -> Option<SignedList> {
        let other = |first: &&SignedList| first.wave() == second.wave() && first.hash() != second.hash();
        let first = self.lists.iter().find(other).filter(|_| !self.exposed).cloned();
        self.exposed |= first.is_some();
        first
    }

    /// Whether everybody who is listed has shown its claim, but for `me`.
    pub fn is_complete(&self, me: Address) -> bool {
        let listed = self.lists.iter().flat_map(|list| &list.entries).map(|entry| entry.worker);
        listed.filter(|worker| *worker != me).all(|worker| self.of(worker).is_some())
    }

    fn of(&self, worker: Address) -> Option<&OpenContribution> {
        self.contributions.iter().find(|contribution| contribution.envelope.worker == worker)
    }

    /// Everything shown, with the claim that most members make in front; on chain and off.
    pub fn submission(&self, log: &[LogItem]) -> Submission {
        let claims = self.claims(log);
        let mut entries = Vec::new();
        for list in &self.lists {
            for entry in &list.entries {
                let contribution = self.of(entry.worker);
                let (claim, proof, signature) = match contribution {
                    Some(shown) => {
                        let number = claims.iter().position(|claim| *claim == shown.claim());
                        let number = number.and_then(|number| u8::try_from(number).ok());
                        let signature = shown.envelope.signed.signature;
                        (number.unwrap_or(CLAIM_BARE), shown.own_trace_root, signature)
                    }
                    None if entry.commitment.is_zero() => (CLAIM_UNAVAILABLE, B256::ZERO, entry.signature),
                    None => (CLAIM_BARE, entry.commitment, entry.signature),
                };
                let word = EntryWord { worker: entry.worker, claim, wave: list.wave(), on_chain: false };
                entries.push(SubmittedEntry { word, proof, signature });
            }
        }
        Submission { claims, entries }
    }

    /// The claims, the one of most members first; equal ones in the order of the claim, so that everybody picks the same.
    fn claims(&self, log: &[LogItem]) -> Vec<Claim> {
        let mut made: Vec<(Address, Claim)> =
            self.contributions.iter().map(|shown| (shown.envelope.worker, shown.claim())).collect();
        for item in log {
            let LogItem::Reveal { worker, fuel, root, .. } = *item else { continue };
            if made.iter().all(|(known, _)| *known != worker) {
                made.push((worker, Claim { root, fuel }));
            }
        }
        let mut claims: Vec<(usize, Claim)> = Vec::new();
        for (_, claim) in made {
            match claims.iter_mut().find(|(_, known)| *known == claim) {
                Some((members, _)) => *members += 1,
                None => claims.push((1, claim)),
            }
        }
        claims.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        claims.into_iter().map(|(_, claim)| claim).collect()
    }
}

/// When a worker posts what it was shown: whoever is first is drawn by the address, as all have it from the coordinator at once.
pub fn first_turn(worker: Address) -> Secs {
    turn(u32::from(worker.0[0]) % POST_TURNS)
}

/// How long after the one before it a member posts.
pub fn turn(before: u32) -> Secs {
    Secs(u64::from(before) * POST_TURN.as_secs())
}

/// What a worker puts into the log of a round.
#[derive(Debug, Clone, Copy)]
pub enum Word {
    /// Its commitment.
    Commitment,
    /// What opens it.
    Reveal,
}

/// Puts a worker's word on chain; once it stands there, again changes nothing. Tries again while others come between, and
/// is patient with a chain that does not answer.
pub async fn place(bench: &Bench, terms: &Terms, promise: &Promise, word: Word) -> OnChain {
    let mut pause = RETRY_FIRST;
    let mut races = 0;
    loop {
        match put(bench, terms, promise, word).await {
            Ok(before) => return OnChain::Stands(before),
            Err(PostError::Raced) if races < RACES => races += 1,
            Err(PostError::Chain(error)) => {
                tracing::debug!(round = %promise.at.id, ?word, %error, "the chain did not take it, trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_MAX);
            }
            Err(error) => {
                tracing::warn!(round = %promise.at.id, ?word, %error, "not on chain");
                return OnChain::Refused;
            }
        }
    }
}

/// One attempt; answers how many of the round's committed members come before this worker.
async fn put(bench: &Bench, terms: &Terms, promise: &Promise, word: Word) -> Result<u32, PostError> {
    let (me, batch) = (bench.worker(), promise.at.batch);
    let log = bench.chain.log(terms, batch).await?;
    let committed = |item: &LogItem| matches!(item, LogItem::Commitment { worker, .. } if *worker == me);
    let revealed = |item: &LogItem| matches!(item, LogItem::Reveal { worker, .. } if *worker == me);
    match (word, log.iter().position(committed)) {
        (Word::Commitment, Some(_)) => {}
        (Word::Commitment, None) => {
            bench.chain.commit(terms, batch, &log, promise.commitment(me)).await?;
        }
        (Word::Reveal, _) if log.iter().any(revealed) => {}
        (Word::Reveal, Some(index)) => {
            bench.chain.reveal(promise, (&log, index)).await?;
        }
        (Word::Reveal, None) => {
            return Err(PostError::Refused("no commitment stands on chain".into()));
        }
    }
    Ok(before(&log, me))
}

/// Members that committed on chain before a worker.
fn before(log: &[LogItem], me: Address) -> u32 {
    let committed = log.iter().filter_map(|item| match item {
        LogItem::Commitment { worker, .. } => Some(*worker),
        LogItem::Reveal { .. } => None,
    });
    committed.take_while(|worker| *worker != me).count() as u32
}

/// Posts the certificate of what was shown and stands on chain. That the contract took it is known by its event.
pub async fn post(bench: &Bench, terms: &Terms, at: RoundRef, shown: &Shown) {
    let posted = async {
        let log = bench.chain.log(terms, at.batch).await.map_err(PostError::Chain)?;
        bench.chain.certify(terms, at.batch, shown.submission(&log)).await
    };
    match posted.await {
        Ok(transaction) => {
            tracing::info!(round = %at.id, %transaction, "posted the certificate");
            metrics::counter!("worker_certificates_posted_total").increment(1);
        }
        Err(error) => tracing::debug!(round = %at.id, %error, "no certificate yet"),
    }
}

#[cfg(test)]
mod tests {
    use guildhall_protocol::messages::{CompactSignature, RoundList, Signed};
    use guildhall_protocol::{DealId, Fuel, OperatorId, RoundId};

    use super::*;

    fn worker(byte: u8) -> Address {
        Address::repeat_byte(byte)
    }

    fn reveal(byte: u8, root: u8) -> LogItem {
        let (root, own_trace_root) = (B256::repeat_byte(root), B256::ZERO);
        LogItem::Reveal { worker: worker(byte), fuel: Fuel(1), root, own_trace_root }
    }

    fn commitment(byte: u8) -> LogItem {
        let (operator, commitment) = (OperatorId(byte.into()), B256::repeat_byte(byte));
        LogItem::Commitment { worker: worker(byte), operator, wave: 0, commitment }
    }

    #[test]
    fn two_lists_of_one_wave_are_a_proof_once() {
        let list = |wave, salt| {
            let round = RoundRef { id: RoundId(B256::ZERO), deal: DealId::default(), batch: 0, attempt: 0 };
            let message = RoundList { roundId: B256::ZERO, wave, listHash: B256::repeat_byte(salt) };
            let signed = Signed { message, signature: CompactSignature::default() };
            SignedList { round, before: B256::ZERO, entries: Vec::new(), signed }
        };
        let mut shown = Shown::default();
        shown.list(&list(0, 1));
        assert_eq!(shown.contradicted(&list(0, 1)), None, "the same");
        assert_eq!(shown.contradicted(&list(1, 2)), None, "another wave");
        assert_eq!(shown.contradicted(&list(0, 2)), Some(list(0, 1)));
        assert_eq!(shown.contradicted(&list(0, 3)), None, "one is enough");
    }

    #[test]
    fn the_claim_of_most_members_leads_and_turns_follow_the_log() {
        let log = [commitment(1), commitment(2), commitment(3), reveal(1, 9), reveal(2, 7), reveal(3, 7)];
        let submission = Shown::default().submission(&log);
        let roots: Vec<_> = submission.claims.iter().map(|claim| claim.root).collect();
        assert_eq!(roots, [B256::repeat_byte(7), B256::repeat_byte(9)]);
        assert!(submission.entries.is_empty());
        assert_eq!([1, 2, 3].map(|byte| before(&log, worker(byte))), [0, 1, 2]);
    }
}
