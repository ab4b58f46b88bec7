//! The index is the same whatever way it came to be: block by block, in ranges, over reorganisations, after restarts.

use alloy::primitives::{Address, B256, U256};
use guildhall_chain::{
    Cursor, Deployment, EventKind,
    bindings::{
        Certifier::{self, CertifierEvents},
        Court::{self, CourtEvents},
        Market::{self, MarketEvents},
        Registry::{self, RegistryEvents},
        Vault::{self, VaultEvents},
        Workforce::{self, WorkforceEvents},
        convert,
    },
};
use guildhall_protocol::{
    Case, CaseId, Certificate, DealId, Member, Opened, OpenedWord, PolicyWord, Terms, UnixTime,
    cases::{Facts, Kind as CaseKind, Stakes},
    orders::Policy as OrderPolicy,
};
use proptest::prelude::*;
use sqlx::Row as _;

use super::{
    testing::{TestDatabase as Bed, deployment},
    *,
};
use crate::objects::{Kind, Object};

fn terms(deal: u64) -> Terms {
    let opened = Opened {
        block: 3,
        time: UnixTime(1_000),
        pool_bond: guildhall_protocol::BondUnits(9_000),
        parameters: 1,
        runtime: guildhall_protocol::RuntimeNumber(1),
        pool_share: guildhall_protocol::Bps(500),
        protocol_fee: guildhall_protocol::Bps(100),
        reputation_step: 10,
        patience: guildhall_protocol::Secs(10),
    };
    Terms {
        dealId: B256::from(U256::from(deal + 1)),
        requester: Address::repeat_byte(deal as u8),
        payer: Address::repeat_byte(deal as u8),
        beneficiary: Address::ZERO,
        app: U256::from(deal % 3 + 1),
        appOwner: Address::repeat_byte(0x77),
        appPrice: alloy::primitives::aliases::U96::from(5_u8),
        dataset: U256::from(deal % 2),
        datasetOwner: Address::ZERO,
        datasetPrice: alloy::primitives::aliases::U96::ZERO,
        pool: (deal % 2 + 1) as u32,
        feePerMfuel: alloy::primitives::aliases::U96::from(1_000_000_u32),
        minimumFee: alloy::primitives::aliases::U96::ZERO,
        deliveryTip: alloy::primitives::aliases::U96::ZERO,
        callback: Address::ZERO,
        callbackGas: 0,
        inputs: B256::ZERO,
        taskCount: 5,
        batchSize: 2,
        fuelLimit: 1_000_000,
        memoryLimit: 1 << 20,
        deadline: 9_999,
        policy: PolicyWord::pack(&OrderPolicy::default()).0,
        opened: OpenedWord::pack(&opened).0,
    }
}

fn certified(deal: u64, batch: u32, salt: u64) -> EventKind {
    let terms = terms(deal);
    let certificate = Certificate {
        dealId: terms.dealId,
        batch,
        attempt: 0,
        root: B256::from(U256::from(salt)),
        fuel: 900_000,
        odds: 120_000_000,
        stake: alloy::primitives::aliases::U96::from(5_000_000_000_000_000_000_u64),
        seats: 3,
        evidence: 0,
        seedKind: 1,
        delivery: B256::ZERO,
        policy: terms.policy,
        certifiedAt: 1_100,
        finalAt: 2_100,
        members: B256::ZERO,
    };
    let member = |number: u64| Member {
        worker: worker(number),
        claim: u8::from(number == 3),
        wave: 0,
        slash: 7,
        exposure: 70,
    };
    EventKind::Certifier(CertifierEvents::Certified(Certifier::Certified {
        dealId: terms.dealId,
        batch,
        certificate: convert(&certificate).expect("alike"),
        trail: U256::from(7),
        members: (0..4).map(|number| member(number).pack()).collect(),
        rivals: vec![],
    }))
}

fn worker(number: u64) -> Address {
    Address::with_last_byte(number as u8 + 0x10)
}

fn case(deal: u64, batch: u32, salt: u64) -> Case {
    Case {
        deal: DealId(terms(deal).dealId),
        facts: Facts {
            batch,
            index: 0,
            level: 1,
            kind: CaseKind::Bonded,
            seats: 5,
            runtime: guildhall_protocol::RuntimeNumber(1),
            window: guildhall_protocol::Secs(60),
            opened_at: UnixTime(1_200),
            opened_block: 9,
            verdict_before: 0,
        },
        stakes: Stakes::unpack(U256::from(salt)),
        opener: worker(salt % 4),
        worker: Address::ZERO,
        seal: B256::ZERO,
        before: CaseId::default(),
    }
}

/// What is said of money, assets and pools.
fn of_places(seed: u64, salt: u64) -> EventKind {
    let one = U256::from(salt);
    match seed % 4 {
        0 => EventKind::Vault(VaultEvents::Deposited(Vault::Deposited {
            from: worker(salt % 4),
            account: U256::from_be_slice(worker(salt % 4).as_slice()).to(),
            amount: one,
        })),
        1 => EventKind::Registry(RegistryEvents::AppRegistered(Registry::AppRegistered {
            id: U256::from(salt % 3 + 1),
            owner: worker(1),
            codeId: B256::from(one),
            runtime: 1,
            name: "<script>alert(1)</script>".to_owned(),
        })),
        2 => EventKind::Registry(RegistryEvents::NonceBumped(Registry::NonceBumped {
            id: U256::from(salt % 3 + 1),
            nonce: salt,
        })),
        _ => EventKind::Workforce(WorkforceEvents::PoolEndpoint(Workforce::PoolEndpoint {
            pool: (salt % 2 + 1) as u32,
            url: format!("http://pool-{salt}"),
        })),
    }
}

/// What is said of workers.
fn of_workers(seed: u64, salt: u64) -> EventKind {
    let worker = worker(salt % 4);
    EventKind::Workforce(match seed % 4 {
        0 => WorkforceEvents::WorkerJoined(Workforce::WorkerJoined {
            worker,
            operator: (salt % 3 + 1) as u32,
            pool: (salt % 2 + 1) as u32,
            runtime: 1,
            bond: U256::from(2_000_000_000_000_000_000_u64),
        }),
        1 => {
            WorkforceEvents::ReputationEarned(Workforce::ReputationEarned { worker, reputation: salt as u16 })
        }
        2 => WorkforceEvents::WorkerDormant(Workforce::WorkerDormant { worker }),
        _ => WorkforceEvents::PoolCreated(Workforce::PoolCreated {
            pool: (salt % 2 + 1) as u32,
            owner: worker,
            coordinator: worker,
            shareBps: 100,
            invitation: false,
            name: "harbour".to_owned(),
        }),
    })
}

/// What is said of deals.
fn of_deals(seed: u64, salt: u64) -> EventKind {
    let (deal, batch) = (salt % 5, (salt / 5 % 3) as u32);
    let id = terms(deal).dealId;
    match seed % 7 {
        0 => EventKind::Market(MarketEvents::DealOpened(Market::DealOpened {
            dealId: id,
            pool: terms(deal).pool,
            requester: terms(deal).requester,
            terms: convert(&terms(deal)).expect("alike"),
        })),
        1 | 2 => certified(deal, batch, salt),
        3 => EventKind::Certifier(CertifierEvents::Slashed(Certifier::Slashed {
            dealId: id,
            batch,
            worker: worker(salt % 4),
            units: U256::from(3),
        })),
        4 => EventKind::Certifier(CertifierEvents::StatusChanged(Certifier::StatusChanged {
            dealId: id,
            batch,
            status: [1, 2, 5][(salt % 3) as usize],
        })),
        5 => EventKind::Court(CourtEvents::CaseOpened(Court::CaseOpened {
            dealId: id,
            batch,
            index: 0,
            record: {
                let case = case(deal, batch, salt);
                Court::Case {
                    dealId: case.deal.0,
                    facts: case.facts.pack(),
                    stakes: case.stakes.pack(),
                    opener: case.opener,
                    worker: case.worker,
                    seal: case.seal,
                    before: case.before.0,
                }
            },
        })),
        _ => EventKind::Court(CourtEvents::CaseClosed(Court::CaseClosed {
            dealId: id,
            batch,
            index: 0,
            verdict: 2,
        })),
    }
}

fn kind(seed: u64) -> EventKind {
    let salt = seed / 64;
    match seed % 3 {
        0 => of_places(seed / 3, salt),
        1 => of_workers(seed / 3, salt),
        _ => of_deals(seed / 3, salt),
    }
}

/// The events of a block, from numbers.
fn block(number: u64, seeds: &[u64]) -> Vec<Recorded> {
    let recorded = |(log, seed): (usize, &u64)| Recorded {
        place: Place::new(number, log as u64),
        transaction: B256::from(U256::from(number * 1_000 + log as u64)),
        name: "Said".to_owned(),
        kind: kind(*seed),
    };
    seeds.iter().enumerate().map(recorded).collect()
}

fn head(number: u64) -> Head {
    Head { number, time: UnixTime(number * 10), cursor: Cursor::at(number + 1) }
}

/// Every row that comes from the chain.
async fn rows(index: &Index) -> Vec<String> {
    let mut all = Vec::new();
    let tables = [
        ("events", "place, transaction_hash, name, contract"),
        ("touches", "kind, id, place"),
        ("objects", "kind, id, rank, body"),
        ("facets", "kind, name, value, rank, id"),
        ("totals", "name, value, total"),
        ("points", "id, place, body"),
    ];
    for (table, columns) in tables {
        let texts = columns.split(", ").map(|column| format!("CAST({column} AS TEXT)"));
        let text = format!("SELECT {} FROM {table}", texts.collect::<Vec<_>>().join(", "));
        for row in index.db().rows(sql(text)).await.expect("rows") {
            let fields = (0..row.len()).map(|column| row.get::<String, _>(column));
            all.push(format!("{table}: {}", fields.collect::<Vec<_>>().join(" | ")));
        }
    }
    all.sort();
    all
}

/// A step of a chain: it grows by a block, or its last blocks are undone.
#[derive(Clone, Debug)]
enum Step {
    Block(Vec<u64>),
    Undo(usize),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => prop::collection::vec(any::<u64>(), 0..12).prop_map(Step::Block),
        2 => (1_usize..6).prop_map(Step::Undo),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..24)
}

async fn any_way_gives_the_same_rows(steps: Vec<Step>) {
    let (bed, other) = (Bed::new(), Bed::new());
    let mut index = bed.open().await;
    let mut chain: Vec<Vec<u64>> = Vec::new();
    for step in steps {
        match step {
            Step::Block(seeds) => {
                let number = chain.len() as u64;
                index.write(&block(number, &seeds), Some(&head(number))).await.expect("written");
                chain.push(seeds);
            }
            Step::Undo(blocks) => {
                chain.truncate(chain.len().saturating_sub(blocks));
                index.revert(chain.len() as u64).await.expect("undone");
            }
            Step::Restart => {
                // What was written without its head is undone, and said again.
                let number = chain.len() as u64 + 100;
                index.write(&block(number, &[1, 2, 5, 8, 64]), None).await.expect("written");
                index.revert(number).await.expect("undone");
                index.db().close().await;
                index = bed.open().await;
            }
        }
    }
    let fresh = other.open().await;
    let all: Vec<_> =
        chain.iter().enumerate().flat_map(|(number, seeds)| block(number as u64, seeds)).collect();
    fresh.write(&all, Some(&head(chain.len() as u64))).await.expect("written");
    let (rows, wanted) = (rows(&index).await, rows(&fresh).await);
    let differs = rows.iter().zip(&wanted).find(|(one, other)| one != other);
    assert!(rows == wanted, "{} and {} rows; first difference: {differs:#?}", rows.len(), wanted.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn blocks_and_reorganisations_in_any_order_give_the_rows_of_an_index_from_block_0(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(any_way_gives_the_same_rows(steps));
    }
}

#[tokio::test]
async fn a_restart_goes_on_where_the_last_head_was() {
    let bed = Bed::new();
    let index = bed.open().await;
    index.write(&block(7, &[2, 5, 8]), Some(&head(7))).await.expect("written");
    let before = rows(&index).await;
    // A crash between two heads: events without the head that follows them.
    index.write(&block(8, &[2, 5, 8]), None).await.expect("written");
    assert_ne!(rows(&index).await, before);
    index.db().close().await;
    let index = bed.open().await;
    assert_eq!(rows(&index).await, before);
    assert_eq!(index.cursor().await.expect("a cursor"), Cursor::at(8));
    assert_eq!(index.reached().borrow().block, 7);
}

#[tokio::test]
async fn an_index_that_is_forgotten_is_built_again() {
    let bed = Bed::new();
    let index = bed.open().await;
    let seeds: Vec<u64> = (0..200).map(|number| number * 7_919).collect();
    index.write(&block(1, &seeds), Some(&head(1))).await.expect("written");
    let before = rows(&index).await;
    assert_eq!(index.forget().await.expect("forgotten"), Cursor::at(0));
    assert_eq!(rows(&index).await, Vec::<String>::new());
    assert_eq!((index.reached().borrow().block, index.reached().borrow().time), (0, UnixTime::ZERO));
    index.write(&block(1, &seeds), Some(&head(1))).await.expect("written");
    assert_eq!(rows(&index).await, before);
}

#[tokio::test]
async fn an_index_of_another_version_is_refused_until_it_is_built_anew() {
    let bed = Bed::new();
    let index = bed.open().await;
    index.write(&block(1, &[2, 5, 8]), Some(&head(1))).await.expect("written");
    let before = rows(&index).await;
    let mut writing = index.db().write().await.expect("a turn");
    set_meta(&mut writing, "version", "0".to_owned()).await.expect("written");
    writing.commit().await.expect("kept");
    index.db().close().await;
    let error = Index::open(&bed.url, &deployment()).await.expect_err("another version's");
    assert!(matches!(error, crate::IndexError::OtherVersion { wanted: SCHEMA_VERSION, .. }), "{error}");
    let index = Index::open_or_rebuild(&bed.url, &deployment(), true).await.expect("built anew");
    assert_eq!(rows(&index).await, Vec::<String>::new());
    assert_eq!(index.cursor().await.expect("a cursor"), Cursor::at(0));
    assert_eq!(*index.reached().borrow(), Reached::default());
    index.write(&block(1, &[2, 5, 8]), Some(&head(1))).await.expect("written");
    assert_eq!(rows(&index).await, before);
    index.db().close().await;
    Index::open(&bed.url, &deployment()).await.expect("opens as any other");
}

#[tokio::test]
async fn another_chains_index_is_refused() {
    let bed = Bed::new();
    bed.open().await.db().close().await;
    let other = Deployment { chain_id: 2, ..deployment() };
    let error = Index::open(&bed.url, &other).await.expect_err("another chain's");
    assert!(matches!(error, crate::IndexError::OtherChain { .. }), "{error}");
}

fn deals(ids: impl IntoIterator<Item = u64>) -> Vec<Recorded> {
    let opened = |(log, deal): (usize, u64)| Recorded {
        place: Place::new(5, log as u64),
        transaction: B256::ZERO,
        name: "DealOpened".to_owned(),
        kind: EventKind::Market(MarketEvents::DealOpened(Market::DealOpened {
            dealId: terms(deal).dealId,
            pool: terms(deal).pool,
            requester: terms(deal).requester,
            terms: convert(&terms(deal)).expect("alike"),
        })),
    };
    ids.into_iter().enumerate().map(opened).collect()
}

#[tokio::test]
async fn pages_come_in_order_and_whole_and_narrowed_down() {
    let bed = Bed::new();
    let index = bed.open().await;
    index.write(&deals(0..25), Some(&head(5))).await.expect("written");
    let mut query = Query { limit: 10, ..Query::default() };
    let mut found = Vec::new();
    loop {
        let page = index.list(Kind::Deal, &query).await.expect("a page");
        found.extend(page.items.into_iter().map(|listed| match listed.object {
            Object::Deal(deal) => deal.id.0,
            other => panic!("{other:?}"),
        }));
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    let wanted: Vec<_> = (0..25).rev().map(|deal| terms(deal).dealId).collect();
    assert_eq!(found, wanted);
    let facets = vec![("app", "1".to_owned()), ("pool", "2".to_owned())];
    let page =
        index.list(Kind::Deal, &Query { facets, limit: 50, ..Query::default() }).await.expect("a page");
    // App 1 is that of every third, pool 2 of every second from deal 1 on.
    assert_eq!(page.items.len(), 4);
    assert_eq!(index.total("deals", "open").await.expect("a total"), 25);
}

#[tokio::test]
async fn a_certificate_pays_deal_and_workers_and_a_verdict_takes_it_back() {
    let bed = Bed::new();
    let index = bed.open().await;
    index.write(&deals([1]), Some(&head(5))).await.expect("written");
    let at = |log, kind| Recorded {
        place: Place::new(6, log),
        transaction: B256::ZERO,
        name: String::new(),
        kind,
    };
    let void = CertifierEvents::StatusChanged(Certifier::StatusChanged {
        dealId: terms(1).dealId,
        batch: 0,
        status: 5,
    });
    index.write(&[at(0, certified(1, 0, 9))], Some(&head(6))).await.expect("written");
    let deal = |object: Option<Object>| match object {
        Some(Object::Deal(deal)) => deal,
        other => panic!("{other:?}"),
    };
    let id = DealId(terms(1).dealId).to_string();
    let paid = deal(index.object(Kind::Deal, &id).await.expect("read"));
    assert_eq!((paid.batches.certified, paid.batches.open, paid.tasks_certified), (1, 2, 2));
    assert!(!paid.paid.0.is_zero() && paid.paid < paid.locked);
    let Some(Object::Worker(first)) =
        index.object(Kind::Worker, &format!("{:#x}", worker(0))).await.expect("read")
    else {
        panic!("no worker")
    };
    assert!(!first.earned.0.is_zero() && first.agreed == 1);
    let voided = [at(1, EventKind::Certifier(void))];
    index.write(&voided, Some(&head(6))).await.expect("written");
    let undone = deal(index.object(Kind::Deal, &id).await.expect("read"));
    assert_eq!((undone.batches.certified, undone.batches.void, undone.tasks_certified), (0, 1, 0));
}

/// Not a test of correctness: says how fast the index is filled. `cargo test --release -p guildhall-gateway -- --ignored --nocapture speed`.
#[tokio::test]
#[ignore = "a measurement"]
async fn speed() {
    let bed = Bed::new();
    let index = bed.open().await;
    let events: u64 = 100_000;
    let started = std::time::Instant::now();
    for number in 0..events / 2_000 {
        let seeds: Vec<u64> =
            (0..2_000).map(|log| (number * 2_000 + log).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        index.write(&block(number, &seeds), Some(&head(number))).await.expect("written");
    }
    println!("{:.0} events a second", events as f64 / started.elapsed().as_secs_f64());
}
