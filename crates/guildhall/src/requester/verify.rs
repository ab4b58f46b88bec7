//! Checks a result from the outside: the chain and the bytes, nothing and nobody else.
//!
//! Beyond [`guildhall_protocol::verify_result`], which goes from the chain's words down to the output, this reads the
//! transaction that certified, recovers every contributor's signature over the list, and recomputes the odds.

use std::collections::BTreeMap;

use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider as _,
    sol_types::{SolCall, SolStruct as _},
};
use guildhall_chain::{BlockRef, ChainClient, bindings::Certifier};
use guildhall_protocol::{
    Amount, Certificate, CompactSignature, EntryWord, List, ListEntry, Odds, ReceiptProof, Reputation,
    RoundId, Terms, Verified, VerifyError, Weighing, Weight,
    certificate::Step,
    confidence::{group, odds, opposing},
    list::{CLAIM_BARE, CLAIM_IGNORED, CLAIM_IGNORED_BARE, CLAIM_LEADING, CLAIM_LOST, CLAIM_UNAVAILABLE},
    lot::round_id,
    messages::{Commitment, Contribution, Unavailable, certifier_domain, commitment},
    verify_result,
};
use serde::Serialize;

use super::{
    history::{CertifiedAt, History},
    settle::standing,
};
use crate::{
    error::{Failure, Result},
    values::show_odds,
};

use super::quote::{Promise, promises};

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its short name.
    pub step: &'static str,
    /// What it shows when it holds, or why it fails.
    pub says: String,
    /// Whether it holds; nothing when it could not be checked here.
    pub holds: Option<bool>,
}

/// Everything that was checked of one result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The deal.
    pub deal: B256,
    /// Number of the task in the deal.
    pub task: u32,
    /// What was checked, in order.
    pub checks: Vec<Check>,
    /// The result's facts, when every check holds.
    pub verified: Option<Verified>,
    /// What the certificate promises, and what each promise rests on, when every check holds.
    pub promises: Vec<Promise>,
}

impl Verification {
    /// Whether the result stands.
    pub fn holds(&self) -> bool {
        self.verified.is_some()
    }

    /// How many checks could not be made here.
    pub fn not_checked(&self) -> usize {
        self.checks.iter().filter(|check| check.holds.is_none()).count()
    }

    /// The check that failed first.
    pub fn failed(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.holds == Some(false))
    }
}

/// What a result claims.
#[derive(Clone, Debug)]
pub struct Claimed<'a> {
    /// Number of the task in the deal.
    pub task: u32,
    /// The receipt with its proof.
    pub receipt: &'a ReceiptProof,
    /// The output.
    pub output: &'a [u8],
}

/// Checks a result.
///
/// # Errors
/// When the chain can't be read; a result that does not hold is an answer, not an error.
pub async fn verify(chain: &ChainClient, history: &History, claimed: &Claimed<'_>) -> Result<Verification> {
    let terms = &history.terms;
    let (batch, index) =
        terms.locate(claimed.task).map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let Some(at) = history.certificate(batch) else {
        return Ok(Verification {
            deal: terms.dealId,
            task: claimed.task,
            checks: vec![Check {
                step: "certificate",
                says: format!("batch {batch} has no certificate"),
                holds: Some(false),
            }],
            verified: None,
            promises: Vec::new(),
        });
    };
    let certificate =
        standing(history, batch).map_or(at.certified.certificate, |certified| certified.certificate);
    let on_chain = chain.on_chain(terms.deal(), batch).await?;
    let outcome = if claimed.receipt.receipt.index == index {
        verify_result(&on_chain, terms, &certificate, claimed.receipt, claimed.output)
    } else {
        Err(VerifyError::Receipt { index: claimed.receipt.receipt.index, root: certificate.root })
    };
    let mut checks = protocol_checks(&outcome);
    checks.extend(round_checks(chain, terms, at).await?);
    let sound = checks.iter().all(|check| check.holds != Some(false));
    let verified = outcome.ok().filter(|_| sound);
    let policy = terms.policy().ok().filter(|_| verified.is_some());
    let stake = Amount(certificate.stake.to());
    let promises = policy
        .map(|policy| promises(&policy, Odds(certificate.odds), certificate.seats, stake))
        .unwrap_or_default();
    Ok(Verification { deal: terms.dealId, task: claimed.task, checks, verified, promises })
}

const fn step_name(step: Step) -> &'static str {
    match step {
        Step::Terms => "terms",
        Step::Certificate => "certificate",
        Step::Deal => "deal",
        Step::Status => "status",
        Step::Policy => "policy",
        Step::Receipt => "receipt",
        Step::Output => "output",
    }
}

fn protocol_checks(outcome: &Result<Verified, VerifyError>) -> Vec<Check> {
    let mut checks = Vec::new();
    for step in Step::ALL {
        let name = step_name(step);
        match outcome {
            Err(error) if error.step() == step => {
                checks.push(Check { step: name, says: error.to_string(), holds: Some(false) });
                return checks;
            }
            _ => checks.push(Check { step: name, says: step.shows().to_owned(), holds: Some(true) }),
        }
    }
    checks
}

/// What the certification shows: the signatures, from the calldata of its transaction, and the odds, from its members.
async fn round_checks(chain: &ChainClient, terms: &Terms, at: &CertifiedAt) -> Result<Vec<Check>> {
    let signed = match posted(chain, at).await? {
        None => Err("another contract certified, its calldata is not ours to read"),
        Some(posted) => match round_of(chain, terms, at).await? {
            None => Err("the chain does not hold the seed of the draw any more"),
            Some(round) => Ok(signatures(chain, &at.certified.certificate, &posted, round)),
        },
    };
    let signed = signed.unwrap_or_else(|why| Check {
        step: "signatures",
        says: format!("not checked: {why}"),
        holds: None,
    });
    Ok(vec![signed, recomputed_odds(chain, terms, at).await?])
}

/// The round that was certified; nothing when its seed is gone.
async fn round_of(chain: &ChainClient, terms: &Terms, at: &CertifiedAt) -> Result<Option<RoundId>> {
    let certificate = &at.certified.certificate;
    let opening = match certificate.attempt {
        0 => Some(terms.opened()),
        _ => chain.reopened_at(terms.deal(), certificate.batch).await?.map(|word| word.unpack()),
    };
    let seed = match opening {
        Some(opened) => chain.seed(&opened).await?,
        None => None,
    };
    Ok(seed.map(|(seed, _)| round_id(terms.deal(), certificate.batch, certificate.attempt, seed)))
}

/// What `certify` was called with for this certificate.
struct Posted {
    claims: Vec<(B256, u64)>,
    entries: Vec<PostedEntry>,
}

struct PostedEntry {
    word: EntryWord,
    proof: B256,
    signature: CompactSignature,
}

async fn posted(chain: &ChainClient, at: &CertifiedAt) -> Result<Option<Posted>> {
    let found = chain.provider().get_transaction_by_hash(at.position.transaction).await;
    let found = found.map_err(|error| Failure::new("chain.node", error.to_string()))?;
    let Some(transaction) = found else { return Ok(None) };
    let input = alloy::consensus::Transaction::input(&transaction);
    let wanted = &at.certified.certificate;
    let one = Certifier::certifyCall::abi_decode(input).ok();
    let many = Certifier::certifyManyCall::abi_decode(input).ok();
    let single = one.map(|call| (call.terms.dealId, call.batch, call.claims, call.entries));
    let several = many.into_iter().flat_map(|call| {
        let deal = call.terms.dealId;
        call.submissions.into_iter().map(move |part| (deal, part.batch, part.claims, part.entries))
    });
    let mut all = single.into_iter().chain(several);
    let part = all.find(|(deal, batch, ..)| *deal == wanted.dealId && *batch == U256::from(wanted.batch));
    let Some((_, _, claims, entries)) = part else { return Ok(None) };
    let entries = entries.into_iter().map(|entry| {
        let word = EntryWord::unpack(entry.word).ok()?;
        Some(PostedEntry {
            word,
            proof: entry.proof,
            signature: CompactSignature { r: entry.r, vs: entry.vs },
        })
    });
    let claims = claims.into_iter().map(|claim| (claim.root, claim.fuel)).collect();
    Ok(entries.collect::<Option<Vec<_>>>().map(|entries| Posted { claims, entries }))
}

/// Every entry's signature is its worker's, over the very list that they stand in.
fn signatures(chain: &ChainClient, certificate: &Certificate, posted: &Posted, round: RoundId) -> Check {
    let fails = |says: String| Check { step: "signatures", says, holds: Some(false) };
    let domain = certifier_domain(chain.deployment().chain_id, chain.deployment().certifier);
    if posted.claims.first() != Some(&(certificate.root, certificate.fuel)) {
        return fails("the transaction certified another root than the certificate says".to_owned());
    }
    let mut listed = Vec::with_capacity(posted.entries.len());
    for entry in &posted.entries {
        let EntryWord { worker, claim, wave, .. } = entry.word;
        let commitment = match claim {
            CLAIM_BARE | CLAIM_LOST => entry.proof,
            CLAIM_UNAVAILABLE => B256::ZERO,
            claim => match posted.claims.get(usize::from(claim)) {
                Some((root, fuel)) => commitment(worker, round, *root, (*fuel).into(), entry.proof),
                None => return fails(format!("{worker} is listed with claim {claim}, which is not there")),
            },
        };
        listed.push(ListEntry { wave, worker, commitment });
    }
    let list = match List::new(listed.clone()) {
        Ok(list) => list,
        Err(error) => return fails(error.to_string()),
    };
    for (entry, line) in posted.entries.iter().zip(&listed) {
        let EntryWord { worker, claim, wave, on_chain } = entry.word;
        if on_chain {
            continue; // Its contribution stands on chain, where the contract checked it.
        }
        let digest = match claim {
            CLAIM_BARE | CLAIM_LOST => Commitment { roundId: round.0, wave, commitment: line.commitment }
                .eip712_signing_hash(&domain),
            CLAIM_UNAVAILABLE => Unavailable { roundId: round.0, wave }.eip712_signing_hash(&domain),
            claim => {
                let (root, fuel) = posted.claims[usize::from(claim)];
                let list_hash = list.hash(B256::ZERO, wave);
                Contribution { roundId: round.0, wave, root, fuel, listHash: list_hash }
                    .eip712_signing_hash(&domain)
            }
        };
        if entry.signature.check(digest, worker).is_err() {
            return fails(format!("the signature of {worker} is not over this round, claim and list"));
        }
    }
    let agreeing = posted.entries.iter().filter(|entry| entry.word.claim == CLAIM_LEADING).count();
    let says =
        format!("{agreeing} workers signed the certified root, over one list of {}", posted.entries.len());
    Check { step: "signatures", says, holds: Some(true) }
}

/// The odds, from the members' weights, listed and on chain alike. Who was left out has none.
async fn recomputed_odds(chain: &ChainClient, terms: &Terms, at: &CertifiedAt) -> Result<Check> {
    let certificate = &at.certified.certificate;
    let policy = terms.policy().map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let parameters = chain.parameters_of(guildhall_protocol::OpenedWord(terms.opened)).await?;
    let tasks =
        terms.tasks_of(certificate.batch).map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let weighing = Weighing::of(&policy, parameters.reputation_step, tasks);
    let mut groups: BTreeMap<u8, Vec<Weight>> = BTreeMap::new();
    let mut silent = Vec::new();
    for member in &at.certified.members {
        let reputation = match member.claim {
            CLAIM_IGNORED | CLAIM_IGNORED_BARE => continue,
            CLAIM_LOST => Reputation(0),
            _ if !policy.countReputation => Reputation(0),
            _ => match reputation_before(chain, at, member.worker).await {
                Some(reputation) => reputation,
                None => {
                    let says = "not checked: the node does not keep the reputations of that block any more";
                    return Ok(Check { step: "odds", says: says.to_owned(), holds: None });
                }
            },
        };
        let weight = weighing.weight(reputation, member.wave);
        match member.claim {
            CLAIM_BARE | CLAIM_LOST | CLAIM_UNAVAILABLE => silent.push(weight),
            claim => groups.entry(claim).or_default().push(weight),
        }
    }
    let leading = group(groups.remove(&CLAIM_LEADING).unwrap_or_default());
    let computed: Odds = odds(leading, opposing(groups.into_values().map(group), silent));
    let holds = computed.0 == certificate.odds;
    let says = if holds {
        format!("{} follow from the members' weights", show_odds(computed.0))
    } else {
        format!(
            "the weights give {}, the certificate says {}",
            show_odds(computed.0),
            show_odds(certificate.odds)
        )
    };
    Ok(Check { step: "odds", says, holds: Some(holds) })
}

async fn reputation_before(chain: &ChainClient, at: &CertifiedAt, worker: Address) -> Option<Reputation> {
    let before = chain.block(at.position.block.number.checked_sub(1)?).await.ok()??;
    let block = BlockRef { number: before.block.number, hash: before.block.hash };
    Some(chain.at(block).worker(worker).await.ok()??.reputation)
}
