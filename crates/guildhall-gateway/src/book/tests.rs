//! What stays on the book and what leaves it, in whichever database; the chain is a node that knows what orders have given.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use alloy::{
    primitives::{Address, Bytes, U256, aliases::U96},
    sol_types::SolCall as _,
};
use axum::{Json, Router, extract::State, routing::post};
use guildhall_chain::{
    Cursor, Endpoint, RpcPolicy,
    bindings::{Market, Registry, Vault, Workforce, convert},
};
use guildhall_protocol::{
    RequestOrder,
    orders::{AppOrder, DatasetOrder, PoolOrder},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    index::{
        Head,
        testing::{TestDatabase, deployment},
    },
    recorded::Place,
};

const SELLER: Address = Address::repeat_byte(2);
const VOLUME: u64 = 10;

/// What the node is asked about: how much of each order was given, and which orders anybody wanted to know of.
#[derive(Debug, Default)]
struct Given {
    of: HashMap<B256, u64>,
    asked: Vec<B256>,
}

async fn answer(State(given): State<Arc<Mutex<Given>>>, Json(question): Json<Value>) -> Json<Value> {
    let call = &question["params"][0];
    let data = [&call["input"], &call["data"]].into_iter().find_map(Value::as_str).expect("a call");
    let data: Bytes = data.parse().expect("bytes");
    let hash = Market::filledCall::abi_decode(&data).expect("only fills are asked for").orderHash;
    let mut given = given.lock().unwrap_or_else(PoisonError::into_inner);
    given.asked.push(hash);
    let filled = U256::from(given.of.get(&hash).copied().unwrap_or_default());
    Json(json!({ "jsonrpc": "2.0", "id": question["id"], "result": B256::from(filled) }))
}

struct Bed {
    book: Book,
    chain: ChainClient,
    given: Arc<Mutex<Given>>,
    _database: TestDatabase,
}

impl Bed {
    async fn new() -> Self {
        let database = TestDatabase::new();
        let book = Book::new(Arc::new(database.open().await));
        let given = Arc::<Mutex<Given>>::default();
        let node = Router::new().route("/", post(answer)).with_state(given.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, node).await });
        let endpoint = Endpoint::connect(&url.parse().expect("an address"), RpcPolicy::default()).await;
        let chain = ChainClient::new(endpoint.expect("an endpoint"), deployment());
        Self { book, chain, given, _database: database }
    }

    async fn put(&self, orders: &[SignedOrder]) {
        for signed in orders {
            let (volume, _) = volume_and_nonce(&signed.order);
            assert_eq!(self.book.put(signed, volume).await.expect("put"), Put::New);
        }
    }

    /// The chain gives so much of an order.
    fn give(&self, signed: &SignedOrder, tasks: u64) {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).of.insert(signed.digest(), tasks);
    }

    /// Which orders the chain was asked about since the last time.
    fn asked(&self) -> usize {
        std::mem::take(&mut self.given.lock().unwrap_or_else(PoisonError::into_inner).asked).len()
    }

    async fn heard_at(&self, now: u64, events: Vec<EventKind>) -> bool {
        let recorded =
            |kind| Recorded { place: Place::new(1, 0), transaction: B256::ZERO, name: String::new(), kind };
        let events: Vec<_> = events.into_iter().map(recorded).collect();
        self.book.heard(&self.chain, &events, UnixTime(now)).await.expect("heard")
    }

    async fn heard(&self, event: EventKind) -> bool {
        self.heard_at(0, vec![event]).await
    }

    async fn search(&self, search: Search) -> (Vec<Listing>, Option<String>) {
        self.book.search(&search).await.expect("read")
    }

    /// All that is on the book, as hashes.
    async fn hashes(&self) -> Vec<B256> {
        let (found, next) = self.search(Search { limit: 10_000, ..Search::default() }).await;
        assert_eq!(next, None);
        found.into_iter().map(|listing| listing.hash).collect()
    }

    /// What an order has left; nothing where it is not on the book.
    async fn left(&self, signed: &SignedOrder) -> Option<u64> {
        self.book.order(signed.digest()).await.expect("read").map(|listing| listing.left)
    }

    /// These orders are on the book and no others.
    async fn holds(&self, orders: &[&SignedOrder]) {
        let mut wanted: Vec<_> = orders.iter().map(|signed| signed.digest()).collect();
        let mut found = self.hashes().await;
        wanted.sort();
        found.sort();
        assert_eq!(found, wanted);
    }
}

fn signed(signer: Address, order: AnyOrder) -> SignedOrder {
    let market = deployment().market;
    SignedOrder { chain: 1, market, order, signer, signature: Bytes::new(), payer_signature: None }
}

/// An order of pool 7.
fn pool_order(price: u64, salt: u64) -> PoolOrder {
    PoolOrder {
        pool: 7,
        feePerMfuel: U96::from(price),
        minimumFee: U96::ZERO,
        volume: VOLUME,
        fuelLimitMax: 1_000,
        appRestrict: U256::ZERO,
        datasetRestrict: U256::ZERO,
        requesterRestrict: Address::ZERO,
        expiry: u64::MAX,
        nonce: 0,
        salt: B256::from(U256::from(salt)),
    }
}

fn offer(price: u64, salt: u64) -> SignedOrder {
    signed(SELLER, AnyOrder::Pool(pool_order(price, salt)))
}

fn app_offer(app: u64, nonce: u64) -> SignedOrder {
    let blank: AppOrder = convert(&Market::AppOrder::default()).expect("alike");
    let order = AppOrder { app: U256::from(app), volume: VOLUME, expiry: u64::MAX, nonce, ..blank };
    signed(SELLER, AnyOrder::App(order))
}

fn dataset_offer(dataset: u64, nonce: u64) -> SignedOrder {
    let dataset = U256::from(dataset);
    let order = DatasetOrder { dataset, volume: VOLUME, expiry: u64::MAX, nonce, ..DatasetOrder::default() };
    signed(SELLER, AnyOrder::Dataset(order))
}

fn request(requester: Address, nonce: u64) -> SignedOrder {
    let blank: RequestOrder = convert(&Market::RequestOrder::default()).expect("alike");
    let order = RequestOrder {
        requester,
        app: U256::from(1),
        pool: 7,
        taskCount: 3,
        expiry: u64::MAX,
        nonce,
        ..blank
    };
    signed(requester, AnyOrder::Request(Box::new(order)))
}

/// A deal of app 1 and dataset 4 in pool 7, at these prices.
fn deal(request: &SignedOrder, (app, dataset, pool): (u64, u64, u64)) -> EventKind {
    let terms = Market::Terms {
        dealId: request.digest(),
        app: U256::from(1),
        appPrice: U96::from(app),
        dataset: U256::from(4),
        datasetPrice: U96::from(dataset),
        pool: 7,
        feePerMfuel: U96::from(pool),
        ..Market::Terms::default()
    };
    EventKind::Market(MarketEvents::DealOpened(Market::DealOpened { terms, ..Market::DealOpened::default() }))
}

#[tokio::test]
async fn the_cheapest_comes_first_by_its_number_and_the_lower_hash_of_two_that_ask_the_same() {
    let bed = Bed::new().await;
    let dearest = u64::MAX;
    let mut orders: Vec<_> =
        [100, 9, 20, 0, dearest, 9, 9].into_iter().zip(0..).map(|(price, salt)| offer(price, salt)).collect();
    bed.put(&orders).await;
    let elsewhere = PoolOrder { pool: 8, ..pool_order(1, 0) };
    bed.put(&[signed(SELLER, AnyOrder::Pool(elsewhere)), app_offer(7, 0)]).await;
    orders.sort_by_key(|signed| (signed.order.price(), signed.digest()));
    let only = vec![("kind", "pool".to_owned()), ("pool", "7".to_owned())];
    let (whole, next) = bed.search(Search { only: only.clone(), after: None, limit: 7 }).await;
    assert_eq!(
        (whole.into_iter().map(|listing| listing.signed).collect::<Vec<_>>(), next),
        (orders.clone(), None)
    );

    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let (page, next) = bed.search(Search { only: only.clone(), after, limit: 2 }).await;
        assert!(page.len() <= 2);
        paged.extend(page.into_iter().map(|listing| listing.signed));
        let Some(next) = next else { break };
        after = next.split_once('-').map(|(price, hash)| (price.to_owned(), hash.to_owned()));
    }
    assert_eq!(paged, orders);
    let cheapest = bed.book.cheapest("pool", "7").await.expect("read");
    assert_eq!(cheapest.into_iter().map(|listing| listing.signed).collect::<Vec<_>>(), orders);
    assert_eq!(bed.book.best("pool", "7").await.expect("read").as_deref(), Some("0"));
    assert_eq!(bed.book.best("pool", "9").await.expect("read"), None);
}

#[tokio::test]
async fn an_order_leaves_with_the_second_after_its_last() {
    let bed = Bed::new().await;
    let until = |expiry| signed(SELLER, AnyOrder::Pool(PoolOrder { expiry, ..pool_order(5, expiry) }));
    let (first, second, never) = (until(100), until(101), until(u64::MAX));
    bed.put(&[first.clone(), second.clone(), never.clone()]).await;
    assert!(!bed.heard_at(100, vec![]).await, "it may be matched in its last second");
    bed.holds(&[&first, &second, &never]).await;
    assert!(bed.heard_at(101, vec![]).await);
    bed.holds(&[&second, &never]).await;
    assert_eq!(bed.left(&first).await, None, "it is not only passed over");
    assert!(!bed.heard_at(101, vec![]).await, "nothing is left to drop");
    // Where a block's time is known before the book heard of it, nobody finds what it ended.
    let head = Head { number: 1, time: UnixTime(102), cursor: Cursor::at(2) };
    bed.book.index.write(&[], Some(&head)).await.expect("written");
    bed.holds(&[&never]).await;
}

#[tokio::test]
async fn a_deal_takes_from_the_orders_of_its_prices_and_ends_what_is_filled() {
    let bed = Bed::new().await;
    let (taken, dearer) = (offer(5, 0), offer(6, 0));
    let asked = request(Address::repeat_byte(9), 0);
    bed.put(&[taken.clone(), dearer.clone(), app_offer(1, 0), app_offer(2, 0), asked.clone()]).await;
    bed.give(&taken, 4);
    assert!(bed.heard(deal(&asked, (0, 0, 5))).await);
    assert_eq!(bed.left(&taken).await, Some(6));
    assert_eq!(bed.left(&dearer).await, Some(VOLUME));
    assert_eq!(bed.left(&asked).await, None, "the request has become the deal");
    assert_eq!(bed.asked(), 2, "the pool's order and the app's: no other side and no other price");
    assert!(!bed.heard(deal(&asked, (0, 0, 5))).await, "the book knows");
    bed.give(&taken, VOLUME);
    assert!(bed.heard(deal(&asked, (0, 0, 5))).await);
    assert_eq!(bed.left(&taken).await, None);
    // One that was cancelled by an event that the book missed.
    bed.give(&dearer, CANCELLED);
    assert!(bed.heard(deal(&asked, (0, 0, 6))).await);
    bed.holds(&[&app_offer(1, 0), &app_offer(2, 0)]).await;
}

#[tokio::test]
async fn a_fill_is_heard_of_however_many_orders_ask_the_same() {
    let bed = Bed::new().await;
    let many = u64::from(PAGE_MAX) * 2 + 5;
    let same: Vec<_> = (0..many).map(|salt| offer(5, salt)).collect();
    let cheaper: Vec<_> = (0..u64::from(PAGE_MAX)).map(|salt| offer(4, salt)).collect();
    bed.put(&cheaper).await;
    bed.put(&same).await;
    // Every second one is gone, so that pages shrink while they are turned.
    for (signed, number) in same.iter().zip(0_u64..) {
        bed.give(signed, if number % 2 == 0 { VOLUME } else { 3 });
    }
    assert!(bed.heard(deal(&request(SELLER, 0), (0, 0, 5))).await);
    assert_eq!(bed.asked() as u64, many);
    let (found, _) = bed.search(Search { limit: 10_000, ..Search::default() }).await;
    let (five, four): (Vec<_>, Vec<_>) = found.into_iter().partition(|listing| listing.price == "5");
    assert_eq!((four.len(), five.len() as u64), (cheaper.len(), many / 2));
    assert!(four.iter().all(|listing| listing.left == VOLUME));
    assert!(five.iter().all(|listing| listing.left == VOLUME - 3));
}

#[tokio::test]
async fn an_order_that_is_cancelled_is_gone_with_the_block() {
    let bed = Bed::new().await;
    let (kept, gone, asked) = (offer(5, 0), offer(5, 1), request(SELLER, 0));
    bed.put(&[kept.clone(), gone.clone(), asked.clone()]).await;
    let cancelled = |of: &SignedOrder| {
        let event = Market::OrderCancelled { orderHash: of.digest(), signer: SELLER };
        EventKind::Market(MarketEvents::OrderCancelled(event))
    };
    assert!(bed.heard(cancelled(&gone)).await);
    bed.holds(&[&kept, &asked]).await;
    assert!(!bed.heard(cancelled(&gone)).await);
    assert!(bed.heard(cancelled(&asked)).await);
    bed.holds(&[&kept]).await;
}

#[tokio::test]
async fn a_pool_that_closes_takes_its_own_orders_along() {
    let bed = Bed::new().await;
    let other = signed(SELLER, AnyOrder::Pool(PoolOrder { pool: 8, ..pool_order(5, 0) }));
    let (app, dataset) = (app_offer(7, 0), dataset_offer(7, 0));
    bed.put(&[offer(5, 0), offer(6, 0), other.clone(), app.clone(), dataset.clone()]).await;
    let closing = Workforce::PoolClosing { pool: 7, ..Workforce::PoolClosing::default() };
    assert!(bed.heard(EventKind::Workforce(WorkforceEvents::PoolClosing(closing))).await);
    bed.holds(&[&other, &app, &dataset]).await;
}

/// As when it happens, and as when an index that is built anew hears of it long after.
#[tokio::test]
async fn a_raised_nonce_ends_what_was_signed_before_and_nothing_else() {
    let bed = Bed::new().await;
    let of_pool = |nonce| signed(SELLER, AnyOrder::Pool(PoolOrder { nonce, ..pool_order(5, 0) }));
    // The numbers of pools, apps and datasets are alike.
    let (app, dataset) = (app_offer(7, 0), dataset_offer(7, 0));
    bed.put(&[of_pool(0), of_pool(1), of_pool(2), app.clone(), dataset.clone()]).await;
    for (nonce, changes) in [(1, true), (2, true), (1, false)] {
        let raised = Workforce::PoolNonceBumped { pool: 7, nonce };
        assert_eq!(bed.heard(EventKind::Workforce(WorkforceEvents::PoolNonceBumped(raised))).await, changes);
    }
    bed.holds(&[&of_pool(2), &app, &dataset]).await;
}

#[tokio::test]
async fn an_asset_s_raised_nonce_ends_its_orders_only() {
    let bed = Bed::new().await;
    let (later, other) = (app_offer(1, 1), app_offer(2, 0));
    let (sold, lent) = (dataset_offer(3, 0), dataset_offer(4, 1));
    bed.put(&[app_offer(1, 0), later.clone(), other.clone(), sold.clone(), lent.clone()]).await;
    let raised = |id: u64| Registry::NonceBumped { id: U256::from(id), nonce: 1 };
    assert!(bed.heard(EventKind::Registry(RegistryEvents::NonceBumped(raised(1)))).await);
    bed.holds(&[&later, &other, &sold, &lent]).await;
    assert!(bed.heard(EventKind::Registry(RegistryEvents::NonceBumped(raised(3)))).await);
    assert!(!bed.heard(EventKind::Registry(RegistryEvents::NonceBumped(raised(4)))).await);
    bed.holds(&[&later, &other, &lent]).await;
}

#[tokio::test]
async fn a_requester_s_raised_nonce_ends_its_requests_and_not_what_it_sells() {
    let bed = Bed::new().await;
    let (later, other) = (request(SELLER, 1), request(Address::repeat_byte(9), 0));
    let sold = app_offer(1, 0);
    bed.put(&[request(SELLER, 0), later.clone(), other.clone(), sold.clone()]).await;
    let raised = Vault::NonceBumped { requester: SELLER, nonce: U256::from(1) };
    assert!(bed.heard(EventKind::Vault(VaultEvents::NonceBumped(raised))).await);
    bed.holds(&[&later, &other, &sold]).await;
}

#[tokio::test]
async fn a_signer_has_so_many_orders_and_another_has_room() {
    let bed = Bed::new().await;
    let orders: Vec<_> = (0..ORDERS_PER_SIGNER as u64).map(|salt| offer(5, salt)).collect();
    bed.put(&orders).await;
    let one_more = offer(4, ORDERS_PER_SIGNER as u64);
    assert_eq!(bed.book.put(&one_more, 1).await.expect("asked"), Put::TooManyOfSigner);
    assert_eq!(bed.left(&one_more).await, None);
    assert_eq!(bed.book.put(&orders[0], 1).await.expect("asked"), Put::Known, "it takes no more room");
    bed.put(&[request(Address::repeat_byte(9), 0)]).await;
    let cancelled = Market::OrderCancelled { orderHash: orders[0].digest(), signer: SELLER };
    assert!(bed.heard(EventKind::Market(MarketEvents::OrderCancelled(cancelled))).await);
    bed.put(&[one_more]).await;
}

#[tokio::test]
async fn a_full_book_takes_no_order_and_knows_those_that_it_has() {
    let bed = Bed::new().await;
    let known = offer(5, 0);
    bed.put(std::slice::from_ref(&known)).await;
    let others = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {}) \
         INSERT INTO orders SELECT 'hash ' || n, 'pool', 'signer ' || n, '', '', '8', '1', 0, 5, '1', '' FROM numbers",
        ORDERS - 1
    );
    assert!(bed.book.run(vec![sql(others)]).await.expect("filled"));
    let one_more = offer(6, 1);
    assert_eq!(bed.book.put(&one_more, 1).await.expect("asked"), Put::Full);
    assert_eq!(bed.left(&one_more).await, None);
    assert_eq!(bed.book.put(&known, 1).await.expect("asked"), Put::Known);
    assert_eq!(bed.left(&known).await, Some(VOLUME), "as it was put first");
    // The others expire.
    assert!(bed.heard_at(6, vec![]).await);
    bed.put(&[one_more]).await;
}
