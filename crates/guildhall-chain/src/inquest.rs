//! Inquests as the chain has them, and the calls that open, serve and end them. `docs/contracts.md` section 10.
//!
//! The contract keeps a hash of a case and of its docket; both come back from events. Knows nothing of who has a seat.

use alloy::{
    consensus::Transaction as _,
    primitives::{Address, B256, U256},
    providers::Provider as _,
    rpc::types::{Filter, Log},
    sol_types::{SolCall, SolEvent as _},
};
use guildhall_protocol::{
    Case, CaseId, Certificate, Claim, DealId, EntryWord, Fuel, LogItem, Member, ReceiptProof, RoundId, Terms,
    list::CLAIM_LEADING, lot::round_id, messages::commitment,
};
use serde::{Deserialize, Serialize};

use crate::{
    bindings::{Certifier, Inquest as Contract, Market, convert},
    client::{ChainClient, ChainError, bring},
    court::{CaseState, Hearing, Juror, Subject, case_of, certified_batch, record},
    events::Certified,
    rounds::log_item,
    sender::Call,
};

/// Who answers in an inquest, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Docket {
    /// Over an expired batch: who committed on chain, in the log's order; `claim` is its index in `claims`. Of an accusation:
    /// the certificate's members.
    pub members: Vec<Member>,
    /// Over an expired batch: the claims that contradict. Of an accusation: the accused's own trace root, with the certified fuel.
    pub claims: Vec<Claim>,
}

/// A case over what no certificate answers for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquest {
    /// The case.
    pub case: Case,
    /// Who answers, and for what.
    pub docket: Docket,
}

/// What a jury of an inquest came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether anything prevailed; if not, nobody lost anything.
    pub found: bool,
    /// What prevailed.
    pub finding: B256,
    /// The odds that it is right, in millionths.
    pub odds: U256,
}

/// What binds a member to its own trace root, from what stands on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    accusation: Contract::Accusation,
    /// The own trace root that it committed to.
    pub own_trace_root: B256,
    /// The certificate's round.
    pub round: RoundId,
}

/// The inquest that an event opens; nothing for one of a kind that this version does not know.
pub(crate) fn inquest_of(event: &Contract::InquestOpened) -> Option<Inquest> {
    let docket = Docket {
        members: event.docket.members.iter().map(|word| Member::unpack(*word)).collect(),
        claims: event.docket.claims.iter().map(claim_of).collect(),
    };
    Some(Inquest { case: case_of(&convert(&event.record).ok()?)?, docket })
}

fn claim_of(claim: &Contract::Claim) -> Claim {
    Claim { root: claim.root, fuel: Fuel(claim.fuel) }
}

fn docket(docket: &Docket) -> Contract::Docket {
    let claims = docket.claims.iter().map(|claim| Contract::Claim { root: claim.root, fuel: claim.fuel.0 });
    Contract::Docket { members: docket.members.iter().map(Member::pack).collect(), claims: claims.collect() }
}

fn log_of(log: &[LogItem]) -> Vec<Contract::LogItem> {
    let item = |item: &LogItem| {
        let (word, a, b) = item.pack();
        Contract::LogItem { word, a, b }
    };
    log.iter().map(item).collect()
}

fn juror(juror: &Juror) -> Contract::Juror {
    Contract::Juror { word: juror.word, finding: juror.finding }
}

fn leaf(proof: &ReceiptProof) -> Contract::Leaf {
    let receipt = &proof.receipt;
    Contract::Leaf {
        path: U256::from(receipt.index),
        receipt: Contract::Receipt {
            index: receipt.index,
            exit: receipt.exit.code(),
            fuel: receipt.fuel,
            cumulativeFuel: proof.cumulative_fuel.0,
            outputDigest: receipt.output_digest,
            traceDigest: receipt.trace_digest,
        },
        proof: proof.proof.clone(),
    }
}

impl ChainClient {
    /// The inquests of a deal, in their order.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn inquests_of(&self, deal: DealId) -> Result<Vec<Inquest>, ChainError> {
        let filter = Filter::new()
            .address(self.deployment().inquest)
            .event_signature(Contract::InquestOpened::SIGNATURE_HASH)
            .topic1(deal.0);
        let logs = self.logs_of(filter, "a deal's inquests").await?;
        let opened = logs.iter().filter_map(|log| Contract::InquestOpened::decode_log(&log.inner).ok());
        Ok(opened.filter_map(|event| inquest_of(&event.data)).collect())
    }

    /// An inquest with its deal; nothing where the chain has none of this record.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn inquest(&self, case: &Case) -> Result<Option<(Terms, Inquest)>, ChainError> {
        let filter = Filter::new()
            .address(self.deployment().market)
            .event_signature(Market::DealOpened::SIGNATURE_HASH)
            .topic1(case.deal.0);
        let opened = self.events_of(filter, "a deal").await?;
        let terms = opened.iter().find_map(|event| event.kind.deal_opened());
        let found = self.inquests_of(case.deal).await?.into_iter().find(|inquest| inquest.case == *case);
        Ok(terms.zip(found))
    }

    /// Where an inquest stands: none, open or closed.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn inquest_state(&self, case: CaseId) -> Result<CaseState, ChainError> {
        let state = self.read("an inquest", self.contract().stateOf(case.0)).await?;
        Ok(CaseState::of(state))
    }

    /// What a claim of an inquest says of its task, once it was shown.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn claim_shown(&self, case: CaseId, claim: usize) -> Result<Option<B256>, ChainError> {
        let contract = self.contract();
        let shown = self.read("a shown claim", contract.claimShown(case.0, U256::from(claim))).await?;
        Ok((!shown.is_zero()).then_some(shown))
    }

    /// The whole jury of an inquest as it stands, by operator.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn jury_of(&self, inquest: &Inquest) -> Result<Hearing, ChainError> {
        self.hearing_at(self.deployment().inquest, inquest.case).await
    }

    /// What an inquest came to; nothing before its end.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn inquest_outcome(&self, case: CaseId) -> Result<Option<Outcome>, ChainError> {
        let filter = Filter::new()
            .address(self.deployment().inquest)
            .event_signature(Contract::InquestClosed::SIGNATURE_HASH)
            .topic1(case.0);
        let logs = self.logs_of(filter, "the end of an inquest").await?;
        let closed = logs.last().and_then(|log| Contract::InquestClosed::decode_log(&log.inner).ok());
        Ok(closed.map(|event| Outcome { found: event.found, finding: event.finding, odds: event.odds }))
    }

    /// The last round of a batch and everything that stands on chain for it; nothing where nothing does.
    ///
    /// # Errors
    /// [`ChainError`] as of every read.
    pub async fn last_round(
        &self,
        terms: &Terms,
        batch: u32,
    ) -> Result<Option<(RoundId, Vec<LogItem>)>, ChainError> {
        let logs = self.round_logs(terms, batch).await?;
        let round = |log: &Log| Certifier::Committed::decode_log(&log.inner).ok().map(|event| event.roundId);
        let Some(round) = logs.iter().find_map(round) else { return Ok(None) };
        Ok(Some((RoundId(round), logs.iter().filter_map(log_item).collect())))
    }

    /// What binds a member of a certificate to its own trace root: its reveal, or its signed contribution in the call that certified.
    ///
    /// # Errors
    /// [`ChainError`] as of every read; [`ChainError::Answer`] where the worker is no member that made the certified claim, or
    /// the certificate came by another contract's call, which does not show what was signed.
    pub async fn binding(&self, subject: &Subject, worker: Address) -> Result<Binding, ChainError> {
        let answer = |message: String| ChainError::Answer { what: "what binds a member", message };
        let Certified { certificate, members, .. } = &subject.certified;
        if !members.iter().any(|member| member.worker == worker && member.claim == CLAIM_LEADING) {
            return Err(answer(format!("{worker} is no member that made the certified claim")));
        }
        let round = self.round_of(subject).await?;
        let log = self.round_logs(&subject.terms, certificate.batch).await?;
        let log: Vec<_> = log.iter().filter_map(log_item).collect();
        let revealed = log.iter().find_map(|item| match *item {
            LogItem::Reveal { worker: known, own_trace_root, .. } if known == worker => Some(own_trace_root),
            _ => None,
        });
        let mut accusation = Contract::Accusation { worker, ..Default::default() };
        if let Some(own_trace_root) = revealed {
            (accusation.ownTraceRoot, accusation.log) = (own_trace_root, log_of(&log));
            return Ok(Binding { accusation, own_trace_root, round });
        }
        let (claims, entries) = self.posted(subject).await?;
        let signed = entries
            .iter()
            .filter_map(|entry| Some((EntryWord::unpack(entry.word).ok()?, entry)))
            .find(|(word, _)| word.worker == worker && usize::from(word.claim) < claims.len())
            .ok_or_else(|| answer(format!("{worker} is not in the call that certified")))?;
        let (word, entry) = signed;
        accusation.ownTraceRoot = entry.proof;
        accusation.wave = word.wave;
        (accusation.r, accusation.vs) = (entry.r, entry.vs);
        let mut before = B256::ZERO;
        for wave in 0..=word.wave {
            let list = list_of(&entries, &claims, round, wave);
            if wave == word.wave {
                accusation.before = before;
                accusation.list = list;
                break;
            }
            if !list.is_empty() {
                let packed: Vec<u8> =
                    before.0.into_iter().chain(list.iter().flat_map(|word| word.0)).collect();
                before = alloy::primitives::keccak256(packed);
            }
        }
        Ok(Binding { accusation, own_trace_root: entry.proof, round })
    }

    /// The round that a certificate came from.
    ///
    /// # Errors
    /// [`ChainError`] as of every read; [`ChainError::Answer`] when its seed is not to be had any more.
    pub async fn round_of(&self, subject: &Subject) -> Result<RoundId, ChainError> {
        let Certificate { batch, attempt, .. } = subject.certified.certificate;
        let opened = match attempt {
            0 => subject.terms.opened(),
            _ => self.draw_of(&subject.terms, batch).await?.2,
        };
        let missing = || ChainError::Answer {
            what: "a certificate's round",
            message: format!("the seed of block {} was not pinned in time", opened.block),
        };
        let seed = self.drawn_seed(&opened).await?.ok_or_else(missing)?;
        Ok(round_id(subject.terms.deal(), batch, attempt, seed))
    }

    /// Claims and entries of the call that certified a batch.
    async fn posted(
        &self,
        subject: &Subject,
    ) -> Result<(Vec<Certifier::Claim>, Vec<Certifier::Entry>), ChainError> {
        let what = "the call that certified";
        let batch = subject.certified.certificate.batch;
        let filter = Filter::new()
            .address(self.deployment().certifier)
            .event_signature(Certifier::Certified::SIGNATURE_HASH)
            .topic1(subject.terms.dealId)
            .topic2(U256::from(batch));
        let logs = self.logs_of(filter, what).await?;
        let hash = logs.last().and_then(|log| log.transaction_hash);
        let transaction = match hash {
            Some(hash) => {
                self.provider().get_transaction_by_hash(hash).await.map_err(self.endpoint().failed(what))?
            }
            None => None,
        };
        let missing = || ChainError::Answer { what, message: "the node does not have it".into() };
        let transaction = transaction.ok_or_else(missing)?;
        let input = transaction.input();
        if let Ok(call) = Certifier::certifyCall::abi_decode(input) {
            return Ok((call.claims, call.entries));
        }
        let many = Certifier::certifyManyCall::abi_decode(input).ok();
        let found = many.and_then(|call| {
            call.submissions.into_iter().find(|submission| submission.batch == U256::from(batch))
        });
        let found = found.ok_or_else(|| ChainError::Answer {
            what,
            message: "it came by another contract, which does not show what was signed".into(),
        })?;
        bring(&(found.claims, found.entries))
    }

    /// The call that puts a task of an expired batch whose claims contradict before a jury, for a bond of the caller's balance.
    ///
    /// # Errors
    /// [`ChainError::Answer`] for terms that do not fit the contract.
    pub fn open_expired_call(
        &self,
        terms: &Terms,
        batch: u32,
        round: (RoundId, &[LogItem]),
        index: u32,
    ) -> Result<Call, ChainError> {
        Ok(self.inquest_call(&Contract::openExpiredCall {
            terms: bring(terms)?,
            batch: U256::from(batch),
            roundId: round.0.0,
            log: log_of(round.1),
            index: U256::from(index),
        }))
    }

    /// The call that keeps the stake behind contradicting reveals at risk while a batch is open.
    ///
    /// # Errors
    /// As of [`ChainClient::open_expired_call`].
    pub fn hold_call(
        &self,
        terms: &Terms,
        batch: u32,
        round: (RoundId, &[LogItem]),
    ) -> Result<Call, ChainError> {
        Ok(self.inquest_call(&Contract::holdCall {
            terms: bring(terms)?,
            batch: U256::from(batch),
            roundId: round.0.0,
            log: log_of(round.1),
        }))
    }

    /// The call that says that a member's own trace of a task is false, for a bond of the caller's balance.
    ///
    /// # Errors
    /// As of [`ChainClient::open_expired_call`].
    pub fn accuse_call(&self, subject: &Subject, index: u32, binding: &Binding) -> Result<Call, ChainError> {
        Ok(self.inquest_call(&Contract::accuseCall {
            terms: bring(&subject.terms)?,
            certified: certified_batch!(Contract, subject),
            index: U256::from(index),
            accusation: binding.accusation.clone(),
        }))
    }

    /// The call with which a juror of an inquest commits.
    ///
    /// # Errors
    /// As of [`ChainClient::open_expired_call`].
    pub fn inquest_commit_call(
        &self,
        terms: &Terms,
        inquest: &Inquest,
        worker: Address,
        commitment: B256,
    ) -> Result<Call, ChainError> {
        Ok(self.inquest_call(&Contract::commitCall {
            terms: bring(terms)?,
            record: record!(Contract, inquest.case),
            docket: docket(&inquest.docket),
            worker,
            commitment,
        }))
    }

    /// The call with which a juror of an inquest reveals.
    pub fn inquest_reveal_call(&self, case: &Case, mine: &Juror, finding: B256, own_trace: B256) -> Call {
        let (record, juror) = (record!(Contract, case), juror(mine));
        self.inquest_call(&Contract::revealCall { record, juror, finding, ownTrace: own_trace })
    }

    /// The call that shows what a claim says of the task: its receipt, after that of the task before it, if there is one.
    ///
    /// # Errors
    /// As of [`ChainClient::open_expired_call`].
    pub fn show_claim_call(
        &self,
        terms: &Terms,
        inquest: &Inquest,
        claim: usize,
        receipts: &[ReceiptProof],
    ) -> Result<Call, ChainError> {
        Ok(self.inquest_call(&Contract::showReceiptCall {
            terms: bring(terms)?,
            record: record!(Contract, inquest.case),
            docket: docket(&inquest.docket),
            claim: U256::from(claim),
            leaves: receipts.iter().map(leaf).collect(),
        }))
    }

    /// The call that shows an accused's own trace of the task.
    ///
    /// # Errors
    /// As of [`ChainClient::open_expired_call`].
    pub fn show_trace_call(
        &self,
        terms: &Terms,
        inquest: &Inquest,
        trace: B256,
        proof: Vec<B256>,
    ) -> Result<Call, ChainError> {
        Ok(self.inquest_call(&Contract::showTraceCall {
            terms: bring(terms)?,
            record: record!(Contract, inquest.case),
            docket: docket(&inquest.docket),
            trace,
            proof,
        }))
    }

    /// The call that ends an inquest and pays.
    ///
    /// # Errors
    /// As of [`ChainClient::open_expired_call`].
    pub fn close_inquest_call(
        &self,
        terms: &Terms,
        inquest: &Inquest,
        hearing: &Hearing,
    ) -> Result<Call, ChainError> {
        Ok(self.inquest_call(&Contract::finalizeCall {
            terms: bring(terms)?,
            docket: docket(&inquest.docket),
            hearing: Contract::Hearing {
                record: record!(Contract, inquest.case),
                jurors: hearing.jurors.iter().map(juror).collect(),
            },
        }))
    }

    fn contract(&self) -> Contract::InquestInstance<alloy::providers::DynProvider> {
        Contract::new(self.deployment().inquest, self.provider().clone())
    }

    fn inquest_call(&self, call: &impl SolCall) -> Call {
        Call { to: Some(self.deployment().inquest), data: call.abi_encode().into(), value_wei: U256::ZERO }
    }
}

/// Worker and commitment of each entry of a wave in turn, as its list has them.
fn list_of(entries: &[Certifier::Entry], claims: &[Certifier::Claim], round: RoundId, wave: u8) -> Vec<B256> {
    let lines = entries.iter().filter_map(|entry| {
        let word = EntryWord::unpack(entry.word).ok()?;
        if word.wave != wave {
            return None;
        }
        let committed = match claims.get(usize::from(word.claim)) {
            Some(claim) => commitment(word.worker, round, claim.root, Fuel(claim.fuel), entry.proof),
            // Nobody else opens it; who has not the bytes has nothing there.
            None => entry.proof,
        };
        Some([word.worker.into_word(), committed])
    });
    lines.flatten().collect()
}
