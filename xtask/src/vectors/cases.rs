//! Cases of `docs/encoding.md` section 8: words and ids of cases before the Court, what jurors compare, what binds them.

use alloy_primitives::U256;
use anyhow::Result;
use guildhall_protocol::{
    Amount, BondUnits, Case, CaseId, DealId, PoolId, RuntimeNumber, Secs, UnixTime,
    cases::{Facts, Kind, Stakes, finding, juror_commitment, seal},
};
use serde_json::{Value, json};

use super::{
    receipts::any_receipt,
    words::{Chain, address, number, word},
};

pub(super) fn cases() -> Result<Value> {
    let mut chain = Chain::new("cases");
    let ids: Vec<_> = (0..8).map(|_| id(&mut chain)).collect();
    let findings = (0..8).map(|_| compared(&mut chain)).collect::<Result<Vec<_>>>()?;
    Ok(json!({ "findings": findings, "ids": ids }))
}

fn any_case(chain: &mut Chain) -> Case {
    let kind = [Kind::Bonded, Kind::Staked, Kind::Audit][chain.range(0, 2) as usize];
    Case {
        deal: DealId(chain.word()),
        facts: Facts {
            batch: chain.bits(32) as u32,
            index: chain.bits(32) as u32,
            level: chain.range(1, 2) as u8,
            kind,
            seats: chain.range(1, 32) as u8,
            runtime: RuntimeNumber(chain.range(1, 255) as u8),
            window: Secs(chain.range(60, 14_400)),
            opened_at: UnixTime(chain.bits(39) as u64),
            opened_block: chain.bits(40) as u64,
            verdict_before: chain.range(0, 5) as u8,
        },
        stakes: Stakes {
            bond: Amount(U256::from(chain.bits(128))),
            runtime_bond: BondUnits(chain.bits(64) as u64),
            slash: BondUnits(chain.bits(40) as u64),
            pool: PoolId(chain.bits(24) as u32),
        },
        opener: chain.address(),
        worker: chain.address(),
        seal: chain.word(),
        before: CaseId(chain.word()),
    }
}

fn id(chain: &mut Chain) -> Value {
    let case = any_case(chain);
    let Case { deal, facts, stakes, opener, worker, seal, before } = case;
    json!({
        "appealEnd": number(facts.appeal_end().0),
        "before": word(before.0),
        "commitEnd": number(facts.commit_end().0),
        "dealId": word(deal.0),
        "facts": number(facts.pack()),
        "id": word(case.id().0),
        "opener": address(opener),
        "revealEnd": number(facts.reveal_end().0),
        "seal": word(seal),
        "stakes": number(stakes.pack()),
        "worker": address(worker),
    })
}

fn compared(chain: &mut Chain) -> Result<Value> {
    let index = chain.bits(32) as u32;
    let (receipt, batch) = (any_receipt(chain, index)?, chain.bits(32) as u32);
    let (maker, deal, case) = (chain.address(), DealId(chain.word()), CaseId(chain.word()));
    let (salt, own_trace, found) = (chain.word(), chain.word(), finding(&receipt));
    Ok(json!({
        "batch": number(batch),
        "caseId": word(case.0),
        "commitment": word(juror_commitment(maker, case, found, own_trace)),
        "dealId": word(deal.0),
        "exit": number(receipt.exit.code()),
        "finding": word(found),
        "fuel": number(receipt.fuel),
        "index": number(index),
        "maker": address(maker),
        "outputDigest": word(receipt.output_digest),
        "ownTrace": word(own_trace),
        "salt": word(salt),
        "seal": word(seal(maker, deal, batch, index, found, salt)),
        "traceDigest": word(receipt.trace_digest),
    }))
}
