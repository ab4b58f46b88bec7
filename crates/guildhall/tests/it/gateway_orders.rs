//! The order book of a gateway beside a city: what it takes, what it refuses and why, and what it finds for a deal.

use std::collections::BTreeSet;

use alloy::{
    primitives::{Address, B256, Bytes, U256, aliases::U96},
    sol_types::SolCall,
};
use guildhall::{
    city::{Asset, Ready},
    orders::{Order, SignedOrder},
    requester::deal::sign,
};
use guildhall_chain::{
    Call, Key, Sender, SenderPolicy,
    bindings::{DevToken, Market, Registry, Vault, Workforce, convert},
};
use guildhall_protocol::{
    DealId, RequestOrder,
    orders::{AppOrder, DatasetOrder, PoolOrder},
};
use guildhall_testkit::checks;
use serde_json::{Value, json};

use crate::{
    gateway::Gateway,
    support::city::{On, Shopping, Town},
};

/// Tasks of an offer here.
const VOLUME: u64 = 100;

/// A city, a gateway beside it, and what is on the gateway's book.
struct Stall {
    town: Town,
    gateway: Gateway,
    http: reqwest::Client,
    letters: Asset,
    author: Sender,
    owner: Sender,
    expiry: u64,
}

impl Stall {
    async fn open() -> Self {
        let town = Town::found(On::Embedded, 3, None).await;
        let letters = town.city.sell_dataset("letters", b"abc".to_vec(), U96::from(1)).await.unwrap();
        let sender = |key: &Key| town.city.chain.sender(key.clone(), SenderPolicy::default());
        let (author, owner) = (sender(&town.city.keys.author), sender(&town.city.keys.owner));
        let expiry = town.city.chain.head().await.unwrap().time.0 + 50_000;
        let gateway = Gateway::beside(&town).await;
        town.until("it has read everything", async || gateway.caught_up().await).await;
        Self { town, gateway, http: reqwest::Client::new(), letters, author, owner, expiry }
    }

    async fn close(self) {
        self.gateway.end().await;
        checks::conserved(&self.town.city.chain).await;
        self.town.city.stop().await;
    }

    fn signed(&self, key: &Key, order: Order) -> SignedOrder {
        let deployment = self.town.city.chain.deployment();
        let (chain, market) = (deployment.chain_id, deployment.market);
        let signature = sign(key, order.digest(chain, market)).unwrap();
        SignedOrder { chain, market, order, signer: key.address(), signature, payer_signature: None }
    }

    fn app(&self, price: u64, change: impl FnOnce(&mut AppOrder)) -> SignedOrder {
        let mut order: AppOrder = convert(&Market::AppOrder::default()).unwrap();
        (order.app, order.price, order.volume) = (self.town.hello.id.0, U96::from(price), VOLUME);
        order.expiry = self.expiry;
        change(&mut order);
        self.signed(&self.town.city.keys.author, Order::App(order))
    }

    fn dataset(&self, price: u64, change: impl FnOnce(&mut DatasetOrder)) -> SignedOrder {
        let mut order =
            DatasetOrder { dataset: self.letters.id.0, volume: VOLUME, ..DatasetOrder::default() };
        (order.price, order.expiry) = (U96::from(price), self.expiry);
        change(&mut order);
        self.signed(&self.town.city.keys.author, Order::Dataset(order))
    }

    fn pool(&self, price: u64, change: impl FnOnce(&mut PoolOrder)) -> SignedOrder {
        let mut order: PoolOrder = convert(&Market::PoolOrder::default()).unwrap();
        (order.pool, order.feePerMfuel, order.volume) = (self.town.city.pool.0, U96::from(price), VOLUME);
        (order.fuelLimitMax, order.expiry) = (u64::MAX, self.expiry);
        change(&mut order);
        self.signed(&self.town.city.keys.owner, Order::Pool(order))
    }

    /// A request for so many tasks of the app, with the city's standing orders.
    async fn ready(&self, tasks: usize) -> Ready {
        let shopping = Shopping::of(&vec!["one letter"; tasks]);
        self.town.city.prepare(&self.town.purchase(&self.town.hello, shopping)).await.unwrap()
    }

    fn request(&self, key: &Key, request: RequestOrder) -> SignedOrder {
        self.signed(key, Order::Request(Box::new(request)))
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/api/v1{path}", self.gateway.url);
        let answer = self.http.post(url).json(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }

    async fn put(&self, signed: &SignedOrder) -> (u16, Value) {
        self.post("/orders", &json!(signed)).await
    }

    /// The order is taken, and on the book with so many tasks left.
    async fn takes(&self, signed: &SignedOrder, left: u64) {
        let (status, told) = self.put(signed).await;
        let hash = signed.digest();
        assert_eq!((status, told), (201, json!({ "hash": hash, "left": left.to_string() })));
        let listed = self.gateway.get(&format!("/orders/{hash}")).await;
        assert_eq!((&listed["left"], &listed["signed"]), (&json!(left.to_string()), &json!(signed)));
    }

    async fn refuses(&self, signed: &SignedOrder, code: &str) {
        let (status, problem) = self.put(signed).await;
        assert_eq!((status, problem["code"].as_str()), (422, Some(code)), "{problem}");
        assert_eq!(self.left(signed).await, None, "{code}");
    }

    /// What an order on the book has left; nothing where it is not on it.
    async fn left(&self, signed: &SignedOrder) -> Option<String> {
        let found = self.gateway.get(&format!("/orders/{}", signed.digest())).await;
        if found["code"] == "order.missing" {
            return None;
        }
        Some(found["left"].as_str().unwrap().to_owned())
    }

    async fn leaves(&self, signed: &SignedOrder) {
        self.town.until("the order is gone", async || self.left(signed).await.is_none()).await;
    }

    /// These orders are on the book, and no others.
    async fn holds(&self, orders: &[&SignedOrder]) {
        let page = self.gateway.get("/orders?limit=200").await;
        assert_eq!(page["next"], Value::Null);
        let found = page["items"].as_array().unwrap().iter();
        let found: BTreeSet<B256> =
            found.map(|item| item["hash"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(found, orders.iter().map(|signed| signed.digest()).collect());
    }

    async fn send(&self, sender: &Sender, to: Address, call: impl SolCall) {
        let call = Call { to: Some(to), data: call.abi_encode().into(), value_wei: U256::ZERO };
        sender.send(call).await.unwrap();
    }

    async fn now(&self) -> u64 {
        self.town.city.chain.head().await.unwrap().time.0
    }
}

fn app_of(signed: &SignedOrder) -> AppOrder {
    let Order::App(order) = &signed.order else { panic!("an app's order") };
    *order
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_the_market_would_not_take_is_refused_and_not_listed() {
    let stall = Stall::open().await;
    let keys = &stall.town.city.keys;
    let (app, dataset, pool) = (stall.app(5, |_| ()), stall.dataset(6, |_| ()), stall.pool(7, |_| ()));
    let base = stall.ready(2).await.request;
    let request = stall.request(&keys.requester, base);
    for signed in [&app, &dataset, &pool] {
        stall.takes(signed, VOLUME).await;
    }
    stall.takes(&request, 2).await;
    assert_eq!(stall.put(&app).await.0, 200, "it is on the book");

    let other = stall.app(8, |_| ());
    let forged = stall.signed(&keys.requester, other.order.clone());
    stall.refuses(&SignedOrder { signer: keys.author.address(), ..forged.clone() }, "order.signature").await;
    let long = SignedOrder { signature: Bytes::from(vec![1; 8 * 1024 + 1]), ..other.clone() };
    stall.refuses(&long, "order.signature").await;
    let unsigned = SignedOrder { signature: Bytes::new(), ..other.clone() };
    stall.refuses(&unsigned, "order.signature").await;
    stall.refuses(&forged, "order.not_owner").await;
    for (key, order) in [
        (&keys.owner, stall.dataset(8, |_| ()).order),
        (&keys.author, stall.pool(8, |_| ()).order),
        (&keys.author, Order::Request(Box::new(RequestOrder { salt: B256::ZERO, ..base }))),
    ] {
        stall.refuses(&stall.signed(key, order), "order.not_owner").await;
    }
    stall.refuses(&stall.app(8, |order| order.app = U256::from(999)), "app.missing").await;
    stall.refuses(&stall.dataset(8, |order| order.dataset = U256::from(999)), "dataset.missing").await;
    stall.refuses(&stall.pool(8, |order| order.pool = 999), "pool.missing").await;
    let now = stall.now().await;
    stall.refuses(&stall.app(8, |order| order.expiry = now - 1), "order.expired").await;
    stall.refuses(&stall.app(8, |order| order.volume = 0), "order.filled").await;
    stall.refuses(&stall.app(8, |order| order.nonce = 1), "order.cancelled").await;
    let endless = RequestOrder { deadline: u64::MAX, ..base };
    stall.refuses(&stall.request(&keys.requester, endless), "match.out_of_bounds").await;

    let stranger = Key::random();
    let poor = RequestOrder { requester: stranger.address(), payer: stranger.address(), ..base };
    stall.refuses(&stall.request(&stranger, poor), "order.funds").await;
    let paid_for = stall.request(&stranger, RequestOrder { payer: keys.author.address(), ..poor });
    stall.refuses(&paid_for, "order.payer").await;
    let by = |key: &Key| SignedOrder {
        payer_signature: Some(sign(key, paid_for.digest()).unwrap()),
        ..paid_for.clone()
    };
    stall.refuses(&by(&stranger), "order.payer").await;
    let paid_for = by(&keys.author);
    stall.takes(&paid_for, 2).await;
    stall.holds(&[&app, &dataset, &pool, &request, &paid_for]).await;
    stall.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cancelled_leaves_the_book_and_does_not_come_again() {
    let stall = Stall::open().await;
    let (keys, requester) = (&stall.town.city.keys, stall.town.city.requester());
    let deployment = stall.town.city.chain.deployment().clone();
    let (app, kept) = (stall.app(5, |_| ()), stall.app(6, |_| ()));
    let (dataset, pool) = (stall.dataset(5, |_| ()), stall.pool(5, |_| ()));
    let base = stall.ready(1).await.request;
    let (request, later) = (
        stall.request(&keys.requester, base),
        stall.request(&keys.requester, RequestOrder { salt: B256::ZERO, ..base }),
    );
    for signed in [&app, &kept, &dataset, &pool] {
        stall.takes(signed, VOLUME).await;
    }
    stall.takes(&request, 1).await;
    stall.takes(&later, 1).await;

    let order = convert(&app_of(&app)).unwrap();
    stall.send(&stall.author, deployment.market, Market::cancelAppOrderCall { order }).await;
    stall.leaves(&app).await;
    stall.refuses(&app, "order.cancelled").await;
    let order = convert(&base).unwrap();
    stall.send(requester, deployment.market, Market::cancelRequestCall { order }).await;
    stall.leaves(&request).await;
    stall.refuses(&request, "order.cancelled").await;
    stall.holds(&[&kept, &dataset, &pool, &later]).await;

    // All at once, by the nonces.
    stall.send(&stall.author, deployment.registry, Registry::bumpNonceCall { id: stall.letters.id.0 }).await;
    stall.leaves(&dataset).await;
    stall.refuses(&dataset, "order.cancelled").await;
    stall
        .send(
            &stall.owner,
            deployment.workforce,
            Workforce::bumpPoolNonceCall { pool: stall.town.city.pool.0 },
        )
        .await;
    stall.leaves(&pool).await;
    stall.refuses(&pool, "order.cancelled").await;
    stall.send(requester, deployment.market, Market::cancelAllRequestsCall {}).await;
    stall.leaves(&later).await;
    stall.refuses(&later, "order.cancelled").await;
    let again = stall.dataset(5, |order| order.nonce = 1);
    stall.takes(&again, VOLUME).await;
    stall.holds(&[&kept, &again]).await;

    // A pool that closes sells nothing any more.
    let pool = stall.pool(5, |order| order.nonce = 1);
    stall.takes(&pool, VOLUME).await;
    stall
        .send(&stall.owner, deployment.workforce, Workforce::closePoolCall { pool: stall.town.city.pool.0 })
        .await;
    stall.leaves(&pool).await;
    stall.refuses(&pool, "pool.missing").await;
    stall.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_filled_or_over_its_time_leaves_the_book() {
    let stall = Stall::open().await;
    let keys = &stall.town.city.keys;
    let app = stall.app(5, |order| order.volume = 3);
    stall.takes(&app, 3).await;
    let mut requests = Vec::new();
    for (tasks, left) in [(1, Some("2")), (2, None)] {
        let mut ready = stall.ready(tasks).await;
        ready.offers.app = (app_of(&app), app.clone());
        let request = stall.request(&keys.requester, ready.request);
        stall.takes(&request, tasks as u64).await;
        stall.town.city.open(&ready).await.unwrap();
        stall.leaves(&request).await;
        stall.town.until("the deal took its tasks", async || stall.left(&app).await.as_deref() == left).await;
        requests.push(request);
    }
    stall.refuses(&app, "order.filled").await;
    for request in &requests {
        stall.refuses(request, "order.filled").await;
    }
    stall.holds(&[]).await;

    let expiry = stall.now().await + 5_000;
    let (short, long) = (stall.app(6, |order| order.expiry = expiry), stall.app(7, |_| ()));
    stall.takes(&short, VOLUME).await;
    stall.takes(&long, VOLUME).await;
    stall.town.jump_to(expiry + 1).await;
    stall.leaves(&short).await;
    stall.refuses(&short, "order.expired").await;
    stall.holds(&[&long]).await;
    stall.close().await;
}

/// What a match says that it takes, by the orders' prices.
fn prices(told: &Value) -> (&str, Option<&str>, &str) {
    let price = |side: &str, name: &str| told[side]["order"][name].as_str();
    (
        price("app", "price").expect("an app's order"),
        price("dataset", "price"),
        price("pool", "feePerMfuel").expect("a pool's order"),
    )
}

impl Stall {
    /// No order is found for a side, and the answer says which.
    async fn finds_none(&self, path: &str, body: &Value, side: &str) {
        let (status, problem) = self.post(path, body).await;
        assert_eq!((status, problem["code"].as_str()), (422, Some("order.none_found")), "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("order for {side} ")), "{detail}");
    }

    /// A request of the city's requester for so many tasks, that pays whatever is asked.
    async fn rich(&self, tasks: usize) -> RequestOrder {
        let request = self.ready(tasks).await.request;
        let most = U96::from(10_u64.pow(18));
        RequestOrder { appPriceMax: most, datasetPriceMax: most, feePerMfuelMax: most, ..request }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cheapest_orders_that_meet_a_demand_are_matched_and_quoted() {
    let stall = Stall::open().await;
    let (two, three) = (stall.rich(2).await, stall.rich(3).await);
    let body = |request: &RequestOrder| json!({ "order": request });
    stall.finds_none("/match", &body(&two), "app").await;
    let elsewhere = Address::repeat_byte(9);
    let limit = two.fuelLimit;
    let few = stall.app(100, |order| order.volume = 2);
    let offers = [
        stall.app(50, |order| order.requesterRestrict = elsewhere),
        stall.app(60, |order| order.poolRestrict = 99),
        few.clone(),
        stall.app(300, |_| ()),
        stall.app(200, |_| ()),
        stall.pool(10, |order| order.fuelLimitMax = limit - 1),
        // It would keep more of a batch that expires than an execution costs.
        stall.pool(20, |order| order.minimumFee = U96::from(20 * limit / 1_000_000 + 1)),
        stall.pool(30, |order| order.minimumFee = U96::from(30 * limit / 1_000_000)),
        stall.pool(40, |_| ()),
    ];
    for signed in &offers[..5] {
        assert_eq!(stall.put(signed).await.0, 201);
    }
    stall.finds_none("/match", &body(&two), "pool").await;
    for signed in &offers[5..] {
        assert_eq!(stall.put(signed).await.0, 201);
    }
    let matched = async |request: &RequestOrder| {
        let (status, told) = stall.post("/match", &body(request)).await;
        assert_eq!(status, 200, "{told}");
        assert_eq!(told["transaction"], Value::Null, "nobody signed");
        told
    };
    assert_eq!(prices(&matched(&two).await), ("100", None, "30"));
    assert_eq!(prices(&matched(&three).await), ("200", None, "30"), "the cheapest has two tasks");
    // Caps: a price above one is no price.
    let capped = RequestOrder { appPriceMax: U96::from(200), feePerMfuelMax: U96::from(30), ..three };
    assert_eq!(prices(&matched(&capped).await), ("200", None, "30"));
    let low = RequestOrder { appPriceMax: U96::from(199), ..three };
    stall.finds_none("/match", &body(&low), "app").await;
    let low = RequestOrder { feePerMfuelMax: U96::from(29), ..three };
    stall.finds_none("/match", &body(&low), "pool").await;
    // A dataset of which nothing is offered, and then something.
    let over = RequestOrder { dataset: stall.letters.id.0, ..two };
    stall.finds_none("/match", &body(&over), "dataset").await;
    assert_eq!(stall.put(&stall.dataset(70, |_| ())).await.0, 201);
    assert_eq!(prices(&matched(&over).await), ("100", Some("70"), "30"));

    stall.quotes_what_it_would_match(&two).await;
    stall.opens_a_deal_by_what_is_matched(two, &few).await;
    stall.close().await;
}

/// What the payer has outside the Vault counts as far as it allowed the Vault to take it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_may_be_paid_for_with_tokens_outside_the_vault() {
    let stall = Stall::open().await;
    let (chain, requester) = (&stall.town.city.chain, stall.town.city.requester());
    let payer = stall.town.city.keys.requester.address();
    let deployment = chain.deployment();
    // The pool stores inputs of those only who have something in the Vault.
    let request = stall.ready(1).await.request;
    let amount = chain.balance(payer).await.unwrap().0;
    stall.send(requester, deployment.vault, Vault::withdrawCall { amount, to: payer }).await;
    for signed in [stall.app(5, |_| ()), stall.pool(6, |_| ())] {
        stall.takes(&signed, VOLUME).await;
    }
    let signed = stall.request(&stall.town.city.keys.requester, request);
    stall.refuses(&signed, "order.funds").await;
    let allowed = DevToken::approveCall { spender: deployment.vault, amount };
    stall.send(requester, deployment.token, allowed).await;
    stall.takes(&signed, 1).await;
    let (status, told) =
        stall.post("/match", &json!({ "order": request, "signature": signed.signature })).await;
    assert_eq!(status, 200, "{told}");
    stall.send_what_is(&told["transaction"]).await;
    stall.leaves(&signed).await;
    assert!(chain.deal_hash(DealId(signed.digest())).await.unwrap().is_some());
    stall.close().await;
}

impl Stall {
    /// The requester sends a transaction that the gateway made.
    async fn send_what_is(&self, transaction: &Value) {
        let (to, data) = (transaction["to"].as_str().unwrap(), transaction["data"].as_str().unwrap());
        let (to, data) = (Some(to.parse().unwrap()), data.parse().unwrap());
        self.town.city.requester().send(Call { to, data, value_wei: U256::ZERO }).await.unwrap();
    }

    async fn quotes_what_it_would_match(&self, request: &RequestOrder) {
        let question = |tasks: u32, dataset: U256, fuel_limit: u64| {
            json!({
                "app": self.town.hello.id, "dataset": dataset.to_string(), "pool": self.town.city.pool,
                "requester": request.requester, "tasks": tasks, "batch_size": 1,
                "fuel_limit": fuel_limit.to_string(), "policy": request.policy,
            })
        };
        let limit = request.fuelLimit;
        for (tasks, dataset, app, of_dataset) in
            [(2, U256::ZERO, "100", "0"), (3, U256::ZERO, "200", "0"), (2, self.letters.id.0, "100", "70")]
        {
            let (status, told) = self.post("/quote", &question(tasks, dataset, limit)).await;
            assert_eq!(status, 200, "{told}");
            assert_eq!(told["prices"], json!({ "app": app, "dataset": of_dataset, "fee_per_mfuel": "30" }));
        }
        self.finds_none("/quote", &question(VOLUME as u32 + 1, U256::ZERO, limit), "app").await;
        let (status, problem) = self.post("/quote", &question(0, U256::ZERO, limit)).await;
        assert_eq!((status, problem["code"].as_str()), (422, Some("quote.no_tasks")));
    }

    /// The transaction that a match answers with opens the deal at what it says, and the next match finds what is left.
    async fn opens_a_deal_by_what_is_matched(&self, request: RequestOrder, few: &SignedOrder) {
        let keys = &self.town.city.keys;
        let signed = self.request(&keys.requester, request);
        let body = json!({ "order": request, "signature": signed.signature });
        let (status, told) = self.post("/match", &body).await;
        assert_eq!(status, 200, "{told}");
        assert_eq!(told["deal"], json!(signed.digest()));
        let before = self.town.city.chain.balance(request.payer).await.unwrap();
        self.send_what_is(&told["transaction"]).await;
        let opened = self.town.city.chain.deal_hash(DealId(signed.digest())).await.unwrap();
        assert!(opened.is_some());
        let locked = before.0 - self.town.city.chain.balance(request.payer).await.unwrap().0;
        assert_eq!(told["lock"], json!(locked.to_string()));
        self.leaves(few).await;
        let next = self.rich(1).await;
        let (status, told) = self.post("/match", &json!({ "order": next })).await;
        assert_eq!((status, prices(&told)), (200, ("200", None, "30")));
    }
}
