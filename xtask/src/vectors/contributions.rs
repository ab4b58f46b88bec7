//! Cases of `docs/encoding.md` sections 1 and 4: messages of a round, commitments, lists, words, certificates, signatures.

use alloy::signers::{SignerSync, local::PrivateKeySigner};
use alloy_primitives::{Address, B256, U256, aliases::U96, keccak256};
use alloy_sol_types::{Eip712Domain, SolStruct, SolValue};
use anyhow::Result;
use guildhall_protocol::{
    Batch, CaseTermsWord, Certificate, Claim, CompactSignature, EntryWord, Fuel, List, ListEntry, LogItem,
    Member, OperatorId, Parcel, RoundId, Trail, delivery_hash,
    list::{CLAIM_BARE, CLAIM_LEADING, CLAIM_LOST, CLAIM_UNAVAILABLE},
    log::log_hash,
    members_hash,
    messages::{
        Commitment, Contribution, Reservation, RoundList, Unavailable, WorkerKey, certifier_domain,
        commitment, workforce_domain,
    },
    roster,
};
use serde_json::{Value, json};

use super::words::{Chain, address, bytes, number, numbers, word, words};
use super::{orders::any_terms, receipts::any_receipt};

/// Random cases of each kind.
const CASES: usize = 6;

pub(super) fn cases() -> Result<Value> {
    let mut chain = Chain::new("contributions");
    let c = &mut chain;
    Ok(json!({
        "certificates": certificates(c),
        "commitmentMessages": messages(c, certifier_domain, |c| Commitment { roundId: c.word(), wave: wave(c), commitment: c.word() }),
        "commitments": commitments(c),
        "contributionMessages": messages(c, certifier_domain, |c| Contribution {
            roundId: c.word(), wave: wave(c), root: c.word(), fuel: c.bits(64) as u64, listHash: c.word(),
        }),
        "entries": entries(c),
        "listMessages": messages(c, certifier_domain, |c| RoundList { roundId: c.word(), wave: wave(c), listHash: c.word() }),
        "lists": lists(c)?,
        "logs": logs(c),
        "members": members(c),
        "membersHashes": members_hashes(c),
        "parcels": parcels(c)?,
        "reservationMessages": messages(c, certifier_domain, |c| Reservation { roundId: c.word(), wave: wave(c), expiry: c.bits(40) as u64 }),
        "signatures": signatures(c)?,
        "unavailableMessages": messages(c, certifier_domain, |c| Unavailable { roundId: c.word(), wave: wave(c) }),
        "workerKeyMessages": messages(c, workforce_domain, |c| WorkerKey { operator: c.address(), pool: c.bits(32) as u32 }),
    }))
}

fn wave(chain: &mut Chain) -> u8 {
    chain.range(0, 2) as u8
}

fn messages<M: SolStruct + SolValue>(
    chain: &mut Chain,
    domain: fn(u64, Address) -> Eip712Domain,
    any: fn(&mut Chain) -> M,
) -> Value {
    let mut case = |_| {
        let (message, chain_id, contract) = (any(chain), chain.bits(32) as u64, chain.address());
        json!({
            "chainId": number(chain_id),
            "contract": address(contract),
            "digest": word(message.eip712_signing_hash(&domain(chain_id, contract))),
            "encoded": bytes(&message.abi_encode()),
            "structHash": word(message.eip712_hash_struct()),
        })
    };
    (0..CASES).map(&mut case).collect()
}

fn commitments(chain: &mut Chain) -> Value {
    let mut case = |fuel: u64| {
        let (worker, round) = (chain.address(), RoundId(chain.word()));
        let (root, own_trace_root) = (chain.word(), chain.word());
        json!({
            "commitment": word(commitment(worker, round, root, Fuel(fuel), own_trace_root)),
            "fuel": number(fuel),
            "ownTraceRoot": word(own_trace_root),
            "root": word(root),
            "roundId": word(round.0),
            "worker": address(worker),
        })
    };
    [0, 1, 1_000_000, 123_456_789_012, u64::MAX].into_iter().map(&mut case).collect()
}

/// Lists with one to three waves, and with a wave that nobody joined.
fn lists(chain: &mut Chain) -> Result<Value> {
    let shapes: [&[u8]; 7] =
        [&[], &[0], &[0, 0, 0], &[0, 0, 1], &[1, 1, 2], &[0, 0, 0, 2, 2], &[0, 0, 0, 0, 0, 1, 1, 2]];
    let mut cases = Vec::new();
    for waves in shapes {
        let any = |&wave: &u8| ListEntry { wave, worker: chain.address(), commitment: chain.word() };
        let list = List::new(waves.iter().map(any).collect())?;
        let column = |of: fn(&ListEntry) -> B256| list.entries().iter().map(of).collect::<Vec<_>>();
        cases.push(json!({
            "commitments": words(&column(|entry| entry.commitment)),
            "hashes": words(&[0, 1, 2].map(|wave| list.hash(B256::ZERO, wave))),
            "waves": numbers(list.entries().iter().map(|entry| entry.wave.into())),
            "workers": words(&column(|entry| entry.worker.into_word())),
        }));
    }
    Ok(cases.into())
}

/// Logs of a round: commitments, then some of them revealed.
fn logs(chain: &mut Chain) -> Value {
    let mut cases = Vec::new();
    for (commitments, reveals) in [(0, 0), (1, 0), (1, 1), (3, 2), (8, 8)] {
        let round = RoundId(chain.word());
        let workers: Vec<_> = (0..commitments).map(|_| chain.address()).collect();
        let committed = workers.iter().map(|&worker| (worker, false));
        let revealed = workers[..reveals].iter().map(|&worker| (worker, true));
        let items: Vec<_> =
            committed.chain(revealed).map(|(worker, reveal)| log_item(chain, worker, reveal)).collect();
        let column = |of: fn(&LogItem) -> B256| items.iter().map(of).collect::<Vec<_>>();
        cases.push(json!({
            "a": words(&column(|item| item.pack().1)),
            "b": words(&column(|item| item.pack().2)),
            "logHash": number(log_hash(round, &items)),
            "roundId": word(round.0),
            "words": words(&column(|item| item.pack().0.into())),
        }));
    }
    cases.into()
}

fn log_item(chain: &mut Chain, worker: Address, reveal: bool) -> LogItem {
    if reveal {
        let fuel = Fuel(chain.bits(64) as u64);
        LogItem::Reveal { worker, fuel, root: chain.word(), own_trace_root: chain.word() }
    } else {
        let operator = OperatorId(chain.bits(32) as u32);
        LogItem::Commitment { worker, operator, wave: wave(chain), commitment: chain.word() }
    }
}

fn members_hashes(chain: &mut Chain) -> Value {
    let mut case = |(members, rivals)| {
        let members: Vec<_> =
            (0..members).map(|_| Member::unpack(U256::from_be_bytes(chain.word().0))).collect();
        let rival = |_| Claim { root: chain.word(), fuel: Fuel(chain.bits(64) as u64) };
        let rivals: Vec<_> = (0..rivals).map(rival).collect();
        let trail = Trail(U256::from_be_bytes(chain.word().0));
        let case_terms = CaseTermsWord(U256::from_be_bytes(chain.word().0));
        let roster = roster(&members, &rivals, trail);
        json!({
            "caseTerms": number(case_terms.0),
            "hash": word(members_hash(roster, case_terms)),
            "members": words(&members.iter().map(|member| member.pack().into()).collect::<Vec<_>>()),
            "rivalFuels": numbers(rivals.iter().map(|rival| rival.fuel.0.into())),
            "rivalRoots": words(&rivals.iter().map(|rival| rival.root).collect::<Vec<_>>()),
            "roster": word(roster),
            "trail": number(trail.0),
        })
    };
    [(1, 0), (3, 0), (5, 1), (7, 3)].into_iter().map(&mut case).collect()
}

fn entries(chain: &mut Chain) -> Value {
    let mut cases = Vec::new();
    for claim in [CLAIM_LEADING, 1, 2, CLAIM_LOST, CLAIM_UNAVAILABLE, CLAIM_BARE] {
        for on_chain in [false, true] {
            let entry = EntryWord { worker: chain.address(), claim, wave: wave(chain), on_chain };
            cases.push(json!({
                "claim": number(claim),
                "onChain": number(u8::from(on_chain)),
                "wave": number(entry.wave),
                "word": number(entry.pack()),
                "worker": address(entry.worker),
            }));
        }
    }
    cases.into()
}

fn members(chain: &mut Chain) -> Value {
    let mut case = |claim| {
        let (slash, exposure) = (chain.bits(40) as u64, chain.bits(40) as u64);
        let member = Member { worker: chain.address(), claim, wave: wave(chain), slash, exposure };
        json!({
            "claim": number(claim),
            "exposure": number(exposure),
            "slash": number(slash),
            "wave": number(member.wave),
            "word": number(member.pack()),
            "worker": address(member.worker),
        })
    };
    [CLAIM_LEADING, 1, CLAIM_LOST, CLAIM_UNAVAILABLE, CLAIM_BARE].into_iter().map(&mut case).collect()
}

fn any_certificate(chain: &mut Chain) -> Certificate {
    Certificate {
        dealId: chain.word(),
        batch: chain.bits(32) as u32,
        attempt: chain.range(0, 3) as u8,
        root: chain.word(),
        fuel: chain.bits(64) as u64,
        odds: chain.bits(128),
        stake: U96::from(chain.bits(96)),
        seats: chain.range(1, 32) as u8,
        evidence: chain.bits(8) as u8,
        seedKind: chain.bits(8) as u8,
        delivery: chain.word(),
        policy: U256::from_be_bytes(chain.word().0),
        certifiedAt: chain.bits(40) as u64,
        finalAt: chain.bits(40) as u64,
        members: chain.word(),
    }
}

fn certificates(chain: &mut Chain) -> Value {
    let mut case = |_| {
        let certificate = any_certificate(chain);
        json!({
            "encoded": bytes(&certificate.abi_encode()),
            "hash": word(certificate.hash()),
            "slotHash": number(certificate.slot_hash()),
        })
    };
    (0..CASES).map(&mut case).collect()
}

/// What deliveries bring: the chain must find the certificate's hash and the receipt's leaf in it.
fn parcels(chain: &mut Chain) -> Result<Value> {
    let mut cases = Vec::new();
    for _ in 0..CASES {
        let terms = any_terms(chain);
        let certificate = Certificate { delivery: delivery_hash(&terms), ..any_certificate(chain) };
        let receipt = any_receipt(chain, 0)?;
        let proof = Batch::new(vec![receipt])?.prove(0)?;
        cases.push(json!({
            "certificateHash": word(certificate.hash()),
            "encoded": bytes(&Parcel::new(&terms, &certificate, &proof).abi_encode()),
            "leaf": word(receipt.leaf(proof.cumulative_fuel.0)),
            "outputDigest": word(receipt.output_digest),
        }));
    }
    Ok(cases.into())
}

/// Signatures of keys that are the hashes of public words: they guard nothing.
fn signatures(chain: &mut Chain) -> Result<Value> {
    let mut cases = Vec::new();
    for number in 0..CASES {
        let signer = PrivateKeySigner::from_bytes(&keccak256(format!("guildhall vectors key {number}")))?;
        let digest = chain.word();
        let signature = CompactSignature::from(signer.sign_hash_sync(&digest)?);
        cases.push(json!({
            "digest": word(digest),
            "r": word(signature.r),
            "signer": address(signer.address()),
            "vs": word(signature.vs),
        }));
    }
    Ok(cases.into())
}
