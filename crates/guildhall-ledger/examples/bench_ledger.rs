//! Measures what the ledger promises, on this machine's disk, and prints it as JSON.
//!
//! `cargo run --release -p guildhall-ledger --example bench_ledger`. `BENCH_BLOCKS` makes the chain shorter
//! (default 100,000), `BENCH_DIR` puts it on another disk.

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::eip2718::Encodable2718,
    primitives::{Address, Bytes, TxKind, U256, hex, keccak256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol,
    sol_types::SolCall,
};
use futures::StreamExt;
use guildhall_ledger::{Genesis, Ledger, LedgerConfig};
use serde_json::json;
use std::{
    error::Error,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

sol! {
    function transfer(address to, uint256 value) external returns (bool);
    function mint(address to, uint256 value) external;
}

const CHAIN_ID: u64 = 31_337;
const TOKEN: &str = include_str!("../tests/it/contracts/Token.hex");
/// Senders of the throughput run, and transfers of each.
const SENDERS: usize = 200;
const TRANSFERS: u64 = 150;
/// Transfers under way at once.
const IN_FLIGHT: usize = 8_000;

type Res<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Res<()> {
    let blocks: u64 = std::env::var("BENCH_BLOCKS").map_or(Ok(100_000), |n| n.parse())?;
    let dir = match std::env::var_os("BENCH_DIR") {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let fsync = fsync_ms(dir.path())?;
    let tps = throughput(dir.path()).await?;
    let mut result = chain(dir.path(), blocks).await?;
    result["ledger_growth_same_state"] = json!(same_state(dir.path(), blocks).await?);
    result["ledger_tps"] = json!(tps.round());
    result["fsync_ms_p50"] = json!(fsync);
    println!("{}", serde_json::to_string_pretty(&result)?);
    Ok(())
}

/// One after the other, each its own durable block: what a lone client waits for.
async fn chain(dir: &Path, blocks: u64) -> Res<serde_json::Value> {
    let signer = key(1);
    let path = dir.join("chain.redb");
    let config = LedgerConfig::new(genesis(&[signer.address()])).at(&path);
    let ledger = Ledger::open(config.clone())?;
    let token = deploy(&ledger, &signer).await?;
    // A new holder every time: the state grows as fast as one transfer a block can make it.
    let times = transfers(&ledger, &signer, token, blocks, fresh).await?;
    // The file as a crash would leave it: copied while it is open.
    let crashed = dir.join("crashed.redb");
    std::fs::copy(&path, &crashed)?;
    ledger.close().await;
    let bytes = std::fs::metadata(&path)?.len();
    let start = Instant::now();
    let ledger = Ledger::open(config.clone().at(&crashed))?;
    let recovery = start.elapsed();
    assert_eq!(ledger.head().number, blocks, "every acknowledged block is there");
    ledger.close().await;
    let start = Instant::now();
    let ledger = Ledger::open(config)?;
    let restart = start.elapsed();
    let head = ledger.head().number;
    assert_eq!(head, blocks, "every acknowledged block is there");
    ledger.close().await;
    let sample = times.len().min(1_000);
    Ok(json!({
        "blocks": head,
        "ledger_block_ms_p50": ms(median(&times)),
        "ledger_block_ms_p99": ms(percentile(&times, 99)),
        "ledger_block_ms_first_1000": ms(median(&times[..sample])),
        "ledger_block_ms_last_1000": ms(median(&times[times.len() - sample..])),
        "ledger_growth": growth(&times),
        "ledger_mb_100k": (bytes as f64 / 1e6 * 10.0).round() / 10.0,
        "ledger_restart_after_crash_s_100k": (recovery.as_secs_f64() * 1e3).round() / 1e3,
        "ledger_restart_s_100k": (restart.as_secs_f64() * 1e3).round() / 1e3,
    }))
}

/// The time of each block with a transfer to whom `holder` says, one after the other.
async fn transfers(
    ledger: &Ledger,
    signer: &PrivateKeySigner,
    token: Address,
    blocks: u64,
    holder: impl Fn(u64) -> Address,
) -> Res<Vec<Duration>> {
    let mut times = Vec::new();
    for nonce in 1..blocks {
        let call = transferCall { to: holder(nonce), value: U256::ONE }.abi_encode();
        let tx = sign(signer, nonce, Some(token), call)?;
        let start = Instant::now();
        ledger.submit(&tx).await?;
        times.push(start.elapsed());
        if nonce % 10_000 == 0 {
            eprintln!("{nonce} blocks, {:?} median of the last 1,000", median(&times[times.len() - 1_000..]));
        }
    }
    Ok(times)
}

/// The same chain with a state that stays as it is: what its length alone costs.
async fn same_state(dir: &Path, blocks: u64) -> Res<f64> {
    let signer = key(1);
    let ledger =
        Ledger::open(LedgerConfig::new(genesis(&[signer.address()])).at(dir.join("same-state.redb")))?;
    let token = deploy(&ledger, &signer).await?;
    let times = transfers(&ledger, &signer, token, blocks, |nonce| fresh(nonce % 100)).await?;
    ledger.close().await;
    Ok(growth(&times))
}

/// How much longer the last 1,000 blocks took than the first.
fn growth(times: &[Duration]) -> f64 {
    let sample = times.len().min(1_000);
    let (first, last) = (median(&times[..sample]), median(&times[times.len() - sample..]));
    (last.as_secs_f64() / first.as_secs_f64() * 1e3).round() / 1e3
}

/// Many senders at once: what full blocks carry, with decoding and recovering the senders.
async fn throughput(dir: &Path) -> Res<f64> {
    let owner = key(1);
    let senders: Vec<_> = (0..SENDERS as u64).map(|i| key(1_000 + i)).collect();
    let mut funded: Vec<_> = senders.iter().map(PrivateKeySigner::address).collect();
    funded.push(owner.address());
    let ledger = Ledger::open(LedgerConfig::new(genesis(&funded)).at(dir.join("tps.redb")))?;
    let token = deploy(&ledger, &owner).await?;
    for (nonce, sender) in (1u64..).zip(&senders) {
        let call = mintCall { to: sender.address(), value: U256::from(1_000_000) }.abi_encode();
        ledger.submit(&sign(&owner, nonce, Some(token), call)?).await?;
    }
    let mut transfers = Vec::new();
    for nonce in 0..TRANSFERS {
        for (i, sender) in senders.iter().enumerate() {
            let to = fresh(nonce * SENDERS as u64 + i as u64);
            let call = transferCall { to, value: U256::ONE }.abi_encode();
            transfers.push(sign(sender, nonce, Some(token), call)?);
        }
    }
    let count = transfers.len();
    let before = ledger.head().number;
    let start = Instant::now();
    let refused = futures::stream::iter(&transfers)
        .map(|tx| ledger.submit(tx))
        .buffer_unordered(IN_FLIGHT)
        .filter(|result| futures::future::ready(result.is_err()))
        .count()
        .await;
    let elapsed = start.elapsed();
    assert_eq!(refused, 0, "every transfer is accepted");
    let sealed: usize = (before + 1..=ledger.head().number)
        .map(|number| ledger.block(number).map_or(0, |block| block.transactions.len()))
        .sum();
    assert_eq!(sealed, count, "every transfer is in a block");
    eprintln!("{count} transfers in {elapsed:?}, {} blocks", ledger.head().number - before);
    ledger.close().await;
    Ok(count as f64 / elapsed.as_secs_f64())
}

/// What the disk itself takes to make 16 kB durable.
fn fsync_ms(dir: &Path) -> Res<f64> {
    use std::io::{Seek, Write};
    let mut file = std::fs::File::create(dir.join("fsync"))?;
    let mut times = Vec::new();
    for _ in 0..200 {
        file.rewind()?;
        file.write_all(&[7; 16_384])?;
        let start = Instant::now();
        file.sync_data()?;
        times.push(start.elapsed());
    }
    Ok(ms(median(&times)))
}

fn genesis(funded: &[Address]) -> Genesis {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let rich = U256::from(10).pow(U256::from(24));
    funded.iter().fold(Genesis::new(CHAIN_ID, now), |genesis, address| genesis.fund(*address, rich))
}

async fn deploy(ledger: &Ledger, signer: &PrivateKeySigner) -> Res<Address> {
    ledger.submit(&sign(signer, 0, None, hex::decode(TOKEN.trim())?)?).await?;
    Ok(signer.address().create(0))
}

fn key(seed: u64) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256(seed.to_be_bytes())).expect("a digest is a valid key")
}

fn fresh(seed: u64) -> Address {
    Address::from_word(keccak256(format!("holder {seed}")))
}

fn sign(signer: &PrivateKeySigner, nonce: u64, to: Option<Address>, input: Vec<u8>) -> Res<Vec<u8>> {
    let tx = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: if to.is_some() { 100_000 } else { 2_000_000 },
        max_fee_per_gas: 10_000_000_000_000,
        max_priority_fee_per_gas: 1,
        to: to.map_or(TxKind::Create, TxKind::Call),
        input: Bytes::from(input),
        ..TxEip1559::default()
    };
    let signature = signer.sign_hash_sync(&tx.signature_hash())?;
    Ok(TxEnvelope::from(tx.into_signed(signature)).encoded_2718())
}

fn median(times: &[Duration]) -> Duration {
    percentile(times, 50)
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() - 1) * percent / 100]
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
