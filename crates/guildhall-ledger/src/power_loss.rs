//! The power goes at any moment: what was acknowledged is there afterwards, and the chain goes on.
//!
//! A disk in memory stands in for the file. It keeps what was synced; of what was written since, some sectors may have
//! arrived and others not. `GUILDHALL_POWER_SEED=...` makes a run again.

use crate::{Clock, Genesis, Ledger, LedgerConfig, LedgerError, store::Store};
use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::eip2718::Encodable2718,
    primitives::{Address, B256, TxKind, U256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use redb::StorageBackend;
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// How often the power goes.
const LOSSES: usize = 50;

const YOU: Address = Address::repeat_byte(0x42);

#[derive(Debug, Clone)]
struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug)]
struct Platter {
    synced: Vec<u8>,
    live: Vec<u8>,
    since: Vec<Change>,
    /// Operations until the power goes.
    left: u64,
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Len(usize),
}

impl Disk {
    fn new(image: Vec<u8>, left: u64) -> Self {
        Self(Arc::new(Mutex::new(Platter { live: image.clone(), synced: image, since: Vec::new(), left })))
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap()
    }

    fn is_off(&self) -> bool {
        self.platter().left == 0
    }

    /// One operation that changes something, the last of which does not come through.
    fn spend(&self) -> io::Result<MutexGuard<'_, Platter>> {
        let mut platter = self.platter();
        platter.left = platter.left.saturating_sub(1);
        if platter.left == 0 { Err(io::Error::other("the power is gone")) } else { Ok(platter) }
    }

    /// What is found when the power is back: all that was synced, and of the rest what happened to arrive.
    fn found(&self, random: &mut StdRng) -> Vec<u8> {
        let platter = self.platter();
        let mut image = platter.synced.clone();
        let chance = [0.0, 0.1, 0.5, 0.9, 1.0][random.random_range(0..5)];
        for change in &platter.since {
            match change {
                Change::Len(len) if random.random_bool(chance) => image.resize(*len, 0),
                Change::Len(_) => {}
                Change::Write(at, data) => {
                    for (sector, part) in (*at..).step_by(SECTOR).zip(data.chunks(SECTOR)) {
                        if random.random_bool(chance) {
                            image.resize(image.len().max(sector + part.len()), 0);
                            image[sector..sector + part.len()].copy_from_slice(part);
                        }
                    }
                }
            }
        }
        image
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = offset as usize;
        out.copy_from_slice(&self.platter().live[at..at + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.spend()?;
        platter.live.resize(len as usize, 0);
        platter.since.push(Change::Len(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.spend()?;
        platter.synced = platter.live.clone();
        platter.since.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.spend()?;
        let at = offset as usize;
        platter.live[at..at + data.len()].copy_from_slice(data);
        platter.since.push(Change::Write(at, data.to_vec()));
        Ok(())
    }
}

fn key(n: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(n + 1)).unwrap()
}

fn transfer(signer: u8, nonce: u64) -> Vec<u8> {
    let tx = TxEip1559 {
        chain_id: 7,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 100_000_000_000,
        to: TxKind::Call(YOU),
        value: U256::from(1),
        ..TxEip1559::default()
    };
    let signature = key(signer).sign_hash_sync(&tx.signature_hash()).unwrap();
    TxEnvelope::from(tx.into_signed(signature)).encoded_2718()
}

fn open(disk: &Disk) -> Result<Ledger, LedgerError> {
    let rich = U256::from(10).pow(U256::from(24));
    let genesis = (0..4).fold(Genesis::new(7, 1_750_000_000), |g, n| g.fund(key(n).address(), rich));
    let (store, released) = Store::on(disk.clone(), true)?;
    Ledger::open_on(LedgerConfig::new(genesis).clock(Clock::Manual), store, released)
}

/// The nonce after all that the ledger has of a sender, gaps left out.
fn next_nonce(ledger: &Ledger, signer: u8) -> u64 {
    let account = ledger.shared().snapshot().unwrap().account(key(signer).address()).unwrap();
    account.map_or(0, |account| account.nonce)
}

/// Sends until the power goes or the ledger is closed, and notes what was acknowledged.
async fn live(disk: &Disk, acknowledged: &mut Vec<B256>, random: &mut StdRng) {
    let Ok(ledger) = open(disk) else {
        assert!(disk.is_off(), "it opens as long as there is power");
        return;
    };
    let mut nonces = [0, 1, 2].map(|signer| next_nonce(&ledger, signer));
    // One sender leaves a gap, so that its transactions wait.
    let mut gap = acknowledged.len() as u64 % 4_000 + 1;
    let blocks = if random.random_bool(0.2) { 3 } else { usize::MAX };
    for _ in 0..blocks {
        let count = random.random_range(1..=3);
        let mut sent: Vec<_> =
            (0..count).map(|signer| transfer(signer, nonces[usize::from(signer)])).collect();
        if random.random_bool(0.1) {
            sent.push(transfer(3, gap));
            gap += 1;
        }
        let answers = sent.iter().map(|tx| ledger.submit(tx));
        let answers = futures::future::join_all(answers).await;
        acknowledged.extend(answers.iter().filter_map(|answer| answer.as_ref().ok()));
        if disk.is_off() {
            break;
        }
        for answer in answers {
            assert!(matches!(answer, Ok(_) | Err(LedgerError::Rejected(_))), "{answer:?}");
        }
        (0..count).for_each(|signer| nonces[usize::from(signer)] += 1);
    }
    // Also the end may be cut short: it makes the file small.
    ledger.close().await;
}

/// Everything acknowledged is there, state and blocks agree, and one more block can be made.
async fn check(ledger: &Ledger, acknowledged: &[B256]) {
    let snapshot = ledger.shared().snapshot().unwrap();
    for hash in acknowledged {
        let there = snapshot.tx_place(*hash).unwrap().is_some() || ledger.shared().pool().contains(hash);
        assert!(there, "{hash} was acknowledged and is lost");
    }
    let mut sealed = 0;
    let mut parent = B256::ZERO;
    for number in 0..=ledger.head().number {
        let block = ledger.block(number).unwrap();
        assert_eq!(block.header.parent_hash, parent);
        parent = block.hash;
        sealed += block.transactions.len();
    }
    let balance = snapshot.account(YOU).unwrap().map(|account| account.balance).unwrap_or_default();
    assert_eq!(balance, U256::from(sealed), "state and blocks agree");
    let head = ledger.head().number;
    ledger.submit(&transfer(0, next_nonce(ledger, 0))).await.unwrap();
    assert_eq!(ledger.head().number, head + 1, "the chain goes on");
}

#[tokio::test]
async fn when_the_power_goes_nothing_acknowledged_is_lost() {
    let seed =
        std::env::var("GUILDHALL_POWER_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("GUILDHALL_POWER_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut image, mut acknowledged) = (Vec::new(), Vec::new());
    for _ in 0..LOSSES {
        // From a moment after it was switched on to several blocks later.
        let disk = Disk::new(image, random.random_range(1..600));
        live(&disk, &mut acknowledged, &mut random).await;
        let disk = Disk::new(disk.found(&mut random), u64::MAX);
        let ledger = open(&disk).unwrap();
        check(&ledger, &acknowledged).await;
        ledger.close().await;
        image = disk.platter().live.clone();
    }
    assert!(acknowledged.len() > 2 * LOSSES, "{} acknowledged", acknowledged.len());
}
