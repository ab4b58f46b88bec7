//! What is sent for a round: certificates, and what workers put on chain themselves.
//!
//! Builds calls; who sends them when is the roles' business. Certificates bring everything that stands on chain for the
//! round, so whoever posts merges it into its own list here.

use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider as _,
    rpc::types::{Filter, Log},
    sol_types::{SolCall, SolEvent as _},
};
use guildhall_protocol::{
    Claim, CompactSignature, DealId, EntryWord, LogItem, Opened, RoundId, Status, Terms, list::CLAIM_BARE,
};

use crate::{
    bindings::{Certifier, ICertifier},
    client::{ChainClient, ChainError, bring},
    seeds::SeedKind,
    sender::Call,
};

/// One line of a round's list as a certificate brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubmittedEntry {
    /// Worker, claim and wave.
    pub word: EntryWord,
    /// Own trace root; for a bare or lost entry the commitment; for an unavailable one zero.
    pub proof: B256,
    /// Of the contribution, the commitment, or being without the bytes.
    pub signature: CompactSignature,
}

/// What is certified of one batch: claims, and the list of who made them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submission {
    /// The claims, the one to certify first.
    pub claims: Vec<Claim>,
    /// The list's lines, by wave, then by worker.
    pub entries: Vec<SubmittedEntry>,
}

impl Submission {
    /// Takes in what members showed on chain: the contract wants every claim named, and nobody silent who has shown there.
    pub fn merge(&mut self, log: &[LogItem]) {
        for item in log {
            let LogItem::Reveal { worker, fuel, root, own_trace_root } = *item else { continue };
            let claim = Claim { root, fuel };
            let known = self.claims.iter().position(|known| *known == claim);
            let number = known.unwrap_or_else(|| {
                self.claims.push(claim);
                self.claims.len() - 1
            });
            for entry in &mut self.entries {
                if entry.word.worker == worker && entry.word.claim == CLAIM_BARE {
                    // A round has far fewer claims than entries, and of these there are 63 at most.
                    let claim = u8::try_from(number).unwrap_or(CLAIM_BARE);
                    entry.word = EntryWord { claim, on_chain: true, ..entry.word };
                    entry.proof = own_trace_root;
                }
            }
        }
    }

    fn bring(self, batch: u32, log: &[LogItem]) -> ICertifier::Submission {
        let claims =
            self.claims.iter().map(|claim| Certifier::Claim { root: claim.root, fuel: claim.fuel.0 });
        let entries = self.entries.iter().map(|entry| Certifier::Entry {
            word: entry.word.pack(),
            proof: entry.proof,
            r: entry.signature.r,
            vs: entry.signature.vs,
        });
        ICertifier::Submission {
            batch: U256::from(batch),
            claims: claims.collect(),
            entries: entries.collect(),
            log: bring_log(log),
        }
    }
}

/// The item that an event puts into a round's log.
pub(crate) fn log_item(log: &Log) -> Option<LogItem> {
    let committed = Certifier::Committed::decode_log(&log.inner).map(|event| event.data.item);
    let item = committed
        .or_else(|_| Certifier::Revealed::decode_log(&log.inner).map(|event| event.data.item))
        .ok()?;
    LogItem::unpack(item.word, item.a, item.b).ok()
}

fn bring_log(log: &[LogItem]) -> Vec<Certifier::LogItem> {
    let item = |item: &LogItem| {
        let (word, a, b) = item.pack();
        Certifier::LogItem { word, a, b }
    };
    log.iter().map(item).collect()
}

impl ChainClient {
    /// What stands on chain for the round of a batch that runs, in its order.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn round_log(&self, terms: &Terms, batch: u32) -> Result<Vec<LogItem>, ChainError> {
        // Asked for only where something stands: nearly all rounds have nothing there.
        let slot = self.batch_slot(terms.deal(), batch).await?;
        if slot.log_hash().unwrap_or_default().is_zero() {
            return Ok(Vec::new());
        }
        Ok(self.round_logs(terms, batch).await?.iter().filter_map(log_item).collect())
    }

    /// What workers put on chain for a batch, as the node has it, in its order.
    pub(crate) async fn round_logs(&self, terms: &Terms, batch: u32) -> Result<Vec<Log>, ChainError> {
        let filter = Filter::new()
            .address(self.deployment().certifier)
            .event_signature(vec![Certifier::Committed::SIGNATURE_HASH, Certifier::Revealed::SIGNATURE_HASH])
            .topic1(terms.dealId)
            .topic2(U256::from(batch))
            .from_block(terms.opened().block);
        let asked = self.provider().get_logs(&filter).await;
        let mut logs = asked.map_err(self.endpoint().failed("a round's log"))?;
        logs.sort_by_key(|log| (log.block_number, log.log_index));
        Ok(logs)
    }

    /// Where a batch stands: its status, the draw that runs, and where and when that draw opened.
    ///
    /// # Errors
    /// [`ChainError`] as of every read, and for a status that the protocol does not have.
    pub async fn draw_of(&self, terms: &Terms, batch: u32) -> Result<(Status, u8, Opened), ChainError> {
        let answer = |message: String| ChainError::Answer { what: "a batch", message };
        let slot = self.batch_slot(terms.deal(), batch).await?;
        let status = slot.status().ok_or_else(|| answer(format!("batch {batch} has no known status")))?;
        let attempt = slot.attempt().unwrap_or(0);
        if attempt == 0 {
            return Ok((status, attempt, terms.opened()));
        }
        let reopened = self.reopened_at(terms.deal(), batch).await?;
        let missing = || answer(format!("attempt {attempt} of batch {batch} has no opening"));
        Ok((status, attempt, reopened.ok_or_else(missing)?.unpack()))
    }

    /// The call that has to come before others of a batch's round, because they need its seed on chain; `None` = nothing to
    /// do.
    ///
    /// # Errors
    /// As of [`ChainClient::seed_to_write`].
    pub async fn seed_call(&self, terms: &Terms, batch: u32) -> Result<Option<Call>, ChainError> {
        if self.deployment().seed_kind == SeedKind::BlockHash {
            return Ok(None);
        }
        let (_, _, opened) = self.draw_of(terms, batch).await?;
        self.seed_to_write(&opened).await
    }

    /// The call that certifies batches of a deal, all or none, with what stands on chain for their rounds merged in.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn certify_call(
        &self,
        terms: &Terms,
        batches: Vec<(u32, Submission)>,
    ) -> Result<Call, ChainError> {
        let mut submissions = Vec::with_capacity(batches.len());
        for (batch, submission) in batches {
            submissions.push(self.bring(terms, batch, submission).await?);
        }
        let terms = bring(terms)?;
        let data = match submissions.pop() {
            Some(ICertifier::Submission { batch, claims, entries, log }) if submissions.is_empty() => {
                Certifier::certifyCall { terms, batch, claims, entries, log }.abi_encode()
            }
            last => {
                submissions.extend(last);
                Certifier::certifyManyCall { terms, submissions }.abi_encode()
            }
        };
        Ok(self.to_certifier(data))
    }

    /// The call that voids a round whose bytes were withheld.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn void_call(
        &self,
        terms: &Terms,
        batch: u32,
        submission: Submission,
    ) -> Result<Call, ChainError> {
        let ICertifier::Submission { batch, claims, entries, log } =
            self.bring(terms, batch, submission).await?;
        let terms = bring(terms)?;
        Ok(self.to_certifier(Certifier::voidRoundCall { terms, batch, claims, entries, log }.abi_encode()))
    }

    /// The call that draws a batch anew.
    ///
    /// # Errors
    /// [`ChainError::Answer`] for terms that do not fit the contract.
    pub fn reopen_call(&self, terms: &Terms, batch: u32) -> Result<Call, ChainError> {
        let call = Certifier::reopenCall { terms: bring(terms)?, batch: U256::from(batch) };
        Ok(self.to_certifier(call.abi_encode()))
    }

    /// The call with which a worker commits on chain. It brings the log as it stands: when another item lands before it, it
    /// is refused, and has to be made anew.
    ///
    /// # Errors
    /// [`ChainError::Answer`] for terms that do not fit the contract.
    pub fn commit_call(
        &self,
        terms: &Terms,
        batch: u32,
        log: &[LogItem],
        worker: Address,
        commitment: B256,
    ) -> Result<Call, ChainError> {
        let call = Certifier::commitCall {
            terms: bring(terms)?,
            batch: U256::from(batch),
            log: bring_log(log),
            worker,
            commitment,
            // The worker sends it itself.
            signature: Default::default(),
        };
        Ok(self.to_certifier(call.abi_encode()))
    }

    /// The call that opens the commitment that stands at `index` of the log.
    pub fn reveal_call(
        &self,
        (deal, batch): (DealId, u32),
        round: RoundId,
        (log, index): (&[LogItem], usize),
        claim: Claim,
        own_trace_root: B256,
    ) -> Call {
        let call = Certifier::revealCall {
            dealId: deal.0,
            batch: U256::from(batch),
            roundId: round.0,
            log: bring_log(log),
            index: U256::from(index),
            root: claim.root,
            fuel: claim.fuel.0,
            ownTraceRoot: own_trace_root,
        };
        self.to_certifier(call.abi_encode())
    }

    async fn bring(
        &self,
        terms: &Terms,
        batch: u32,
        mut submission: Submission,
    ) -> Result<ICertifier::Submission, ChainError> {
        let log = self.round_log(terms, batch).await?;
        submission.merge(&log);
        Ok(submission.bring(batch, &log))
    }

    fn to_certifier(&self, data: Vec<u8>) -> Call {
        Call { to: Some(self.deployment().certifier), data: data.into(), value_wei: U256::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use guildhall_protocol::Fuel;

    use super::*;

    #[test]
    fn who_showed_on_chain_is_not_posted_as_silent() {
        let worker = Address::repeat_byte(7);
        let shown = Claim { root: B256::repeat_byte(1), fuel: Fuel(500) };
        let own_trace_root = B256::repeat_byte(2);
        let log = [LogItem::Reveal { worker, fuel: shown.fuel, root: shown.root, own_trace_root }];
        let bare = EntryWord { worker, claim: CLAIM_BARE, wave: 1, on_chain: false };
        let entry = SubmittedEntry { word: bare, proof: B256::ZERO, signature: CompactSignature::default() };
        let led = Claim { root: B256::repeat_byte(9), fuel: Fuel(1) };
        let mut submission = Submission { claims: vec![led], entries: vec![entry] };
        submission.merge(&log);
        assert_eq!(submission.claims, [led, shown]);
        let word = EntryWord { claim: 1, on_chain: true, ..bare };
        assert_eq!(submission.entries, [SubmittedEntry { word, proof: own_trace_root, ..entry }]);
        submission.merge(&log);
        assert_eq!(submission.claims.len(), 2, "a known claim is not named twice");
    }
}
