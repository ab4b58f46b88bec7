//! Cases of `docs/encoding.md` section 4: leaves, roots, proofs that hold and proofs that don't, own traces.

use alloy_primitives::B256;
use anyhow::Result;
use guildhall_protocol::{Batch, Exit, Receipt, ReceiptProof, RoundId, batch::own_trace_root, own_trace_key};
use serde_json::{Value, json};

use super::words::{Chain, address, number, word, words};

/// Sizes of batches: powers of two, their neighbours, and a thousand.
const SIZES: [u32; 11] = [1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 1_000];

pub(super) fn cases() -> Result<Value> {
    let mut chain = Chain::new("receipts");
    Ok(json!({
        "leaves": leaves(&mut chain),
        "ownTraceKeys": own_trace_keys(&mut chain),
        "ownTraceRoots": own_trace_roots(&mut chain)?,
        "proofs": proofs(&mut chain)?,
    }))
}

/// Any receipt of a place.
pub(super) fn any_receipt(chain: &mut Chain, index: u32) -> Result<Receipt> {
    let code = chain.range(0, 5) as u8;
    Ok(Receipt {
        index,
        exit: Exit::from_code(code).ok_or_else(|| anyhow::anyhow!("no exit {code}"))?,
        fuel: chain.bits(50) as u64,
        output_digest: chain.word(),
        trace_digest: chain.word(),
    })
}

fn leaves(chain: &mut Chain) -> Value {
    let of = |receipt: Receipt, total: u64| {
        json!({
            "cumulativeFuel": number(total),
            "exit": number(receipt.exit.code()),
            "fuel": number(receipt.fuel),
            "index": number(receipt.index),
            "leaf": word(receipt.leaf(total)),
            "outputDigest": word(receipt.output_digest),
            "traceDigest": word(receipt.trace_digest),
        })
    };
    let exits = [Exit::Ok, Exit::AppError, Exit::OutOfFuel, Exit::OutOfMemory, Exit::TooDeep, Exit::Trap];
    let mut cases: Vec<Value> = Vec::new();
    for exit in exits {
        let receipt = Receipt {
            index: chain.bits(20) as u32,
            exit,
            fuel: chain.bits(60) as u64,
            output_digest: chain.word(),
            trace_digest: chain.word(),
        };
        cases.push(of(receipt, receipt.fuel + chain.bits(60) as u64));
    }
    let full = B256::repeat_byte(0xff);
    let most = Receipt {
        index: u32::MAX,
        exit: Exit::Trap,
        fuel: u64::MAX,
        output_digest: full,
        trace_digest: full,
    };
    cases.push(of(most, u64::MAX));
    let least =
        Receipt { index: 0, exit: Exit::Ok, fuel: 0, output_digest: B256::ZERO, trace_digest: B256::ZERO };
    cases.push(of(least, 0));
    cases.into()
}

fn proofs(chain: &mut Chain) -> Result<Value> {
    let mut cases = Vec::new();
    for tasks in SIZES {
        let receipts = (0..tasks).map(|index| any_receipt(chain, index)).collect::<Result<_>>()?;
        let batch = Batch::new(receipts)?;
        let mut places = vec![0, tasks / 2, tasks - 1, chain.range(0, u64::from(tasks) - 1) as u32];
        places.sort_unstable();
        places.dedup();
        for index in places {
            let proof = batch.prove(index)?;
            cases.push(case(&batch, tasks, &proof));
            cases.extend(broken(chain, tasks, proof).iter().map(|proof| case(&batch, tasks, proof)));
        }
    }
    Ok(cases.into())
}

/// The same proof with one thing wrong: index, fuel, a word, its length.
fn broken(chain: &mut Chain, tasks: u32, good: ReceiptProof) -> Vec<ReceiptProof> {
    let change = |how: &mut dyn FnMut(&mut ReceiptProof)| {
        let mut bad = good.clone();
        how(&mut bad);
        bad
    };
    let mut all = vec![
        change(&mut |bad| bad.receipt.index ^= 1),
        change(&mut |bad| bad.receipt.index += tasks.next_power_of_two()),
        change(&mut |bad| bad.receipt.fuel ^= 1),
        change(&mut |bad| bad.cumulative_fuel.0 ^= 1),
        change(&mut |bad| bad.proof.push(B256::ZERO)),
    ];
    if !good.proof.is_empty() {
        let at = chain.range(0, good.proof.len() as u64 - 1) as usize;
        all.push(change(&mut |bad| bad.proof[at] = B256::repeat_byte(7)));
        all.push(change(&mut |bad| bad.proof.truncate(at)));
    }
    all
}

fn case(batch: &Batch, tasks: u32, proof: &ReceiptProof) -> Value {
    json!({
        "cumulativeFuel": number(proof.cumulative_fuel.0),
        "exit": number(proof.receipt.exit.code()),
        "fuel": number(proof.receipt.fuel),
        "index": number(proof.receipt.index),
        "outputDigest": word(proof.receipt.output_digest),
        "proof": words(&proof.proof),
        "root": word(batch.root()),
        "tasks": number(tasks),
        "traceDigest": word(proof.receipt.trace_digest),
        "valid": number(u8::from(proof.verify(batch.root(), tasks))),
    })
}

fn own_trace_keys(chain: &mut Chain) -> Value {
    let mut case = |index| {
        let (worker, round) = (chain.address(), RoundId(chain.word()));
        json!({
            "index": number(index),
            "key": word(own_trace_key(worker, round.0, index).into()),
            "roundId": word(round.0),
            "worker": address(worker),
        })
    };
    [0, 1, 999, u32::MAX].into_iter().map(&mut case).collect()
}

fn own_trace_roots(chain: &mut Chain) -> Result<Value> {
    let mut cases = Vec::new();
    for tasks in [1, 2, 3, 5, 8, 9] {
        let traces: Vec<_> = (0..tasks).map(|_| chain.word()).collect();
        cases.push(json!({ "leaves": words(&traces), "root": word(own_trace_root(traces)?) }));
    }
    Ok(cases.into())
}
