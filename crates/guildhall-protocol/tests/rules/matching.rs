//! Matching: each rule of the Market refuses with a message that names field, value and remedy.

use alloy_primitives::{U256, aliases::U96};
use guildhall_protocol::{
    Amount, Policy, UnixTime, check_match,
    matching::{CANCELLED, Facts, MatchError, Offers},
};

use crate::samples::{NOW, address, facts, offers};

/// What is wrong, and how to get there.
type Change<T> = (&'static str, fn(&mut T));

/// The code of the refusal after one change.
fn refusal(change: impl FnOnce(&mut Offers, &mut Facts)) -> (&'static str, String) {
    let (mut offers, mut facts) = (offers(), facts());
    change(&mut offers, &mut facts);
    let error = check_match(&offers, &facts).unwrap_err();
    (error.code(), error.to_string())
}

#[test]
fn good_orders_make_a_deal() {
    let (offers, facts) = (offers(), facts());
    let deal = check_match(&offers, &facts).unwrap();
    assert_eq!(deal.terms.deal(), offers.request.deal_id(&facts.market));
    assert_eq!(deal.terms.policy(), Ok(offers.request.policy));
    assert_eq!(deal.terms.opened().time, UnixTime(NOW));
    assert_eq!((deal.terms.batches(), deal.terms.tasks_of(2)), (3, Ok(5)));
    assert_eq!(deal.terms.tasks_of(3).unwrap_err().code(), "terms.no_such_batch");
    assert_eq!(deal.terms.locate(24), Ok((2, 4)));
    assert_eq!(deal.terms.locate(25).unwrap_err().code(), "terms.no_such_task");
    assert_eq!(deal.terms.task_number(2, 4), Ok(24));
    assert!(deal.terms.task_number(2, 5).is_err());
    // 8 executions of 25 tasks at 1e6 each, and 30 a task for app and dataset.
    assert_eq!(deal.lock, Amount(U256::from(8 * 25 * 1_000_000 + 25 * 30)));
}

#[test]
fn a_request_without_a_dataset_takes_an_empty_dataset_order() {
    let (mut offers, facts) = (offers(), facts());
    offers.request.dataset = U256::ZERO;
    offers.dataset = Default::default();
    assert_eq!(check_match(&offers, &facts).unwrap().terms.datasetPrice, U96::ZERO);
    offers.dataset.price = U96::from(1);
    assert_eq!(check_match(&offers, &facts).unwrap_err().code(), "match.price");
}

#[test]
fn expired_orders() {
    for (side, change) in [
        ("request", (|offers| offers.request.expiry -= 1) as fn(&mut Offers)),
        ("pool", |offers| offers.pool.expiry -= 1),
        ("app", |offers| offers.app.expiry -= 1),
        ("dataset", |offers| offers.dataset.expiry -= 1),
    ] {
        let (code, text) = refusal(|offers, _| change(offers));
        assert_eq!(code, "match.expired");
        assert!(text.contains(side) && text.contains("1799999999"), "{text}");
    }
}

#[test]
fn orders_over_their_volume_or_cancelled() {
    let (code, text) = refusal(|_, facts| facts.app.filled = 76);
    assert_eq!(
        (code, text.as_str()),
        ("match.volume", "the app order has 24 of 100 tasks left, the request needs 25: pick a larger order",)
    );
    assert_eq!(refusal(|_, facts| facts.dataset.filled = 76).0, "match.volume");
    assert_eq!(refusal(|_, facts| facts.pool.filled = 76).0, "match.volume");
    assert_eq!(refusal(|_, facts| facts.pool.filled = CANCELLED).0, "match.cancelled");
    let almost = |offers: &mut Offers, facts: &mut Facts| {
        offers.app.volume = u64::MAX;
        facts.app.filled = CANCELLED - 25;
    };
    assert_eq!(refusal(almost).0, "match.volume", "a fill must never read as a cancellation");
}

#[test]
fn nonces_of_former_owners() {
    assert_eq!(refusal(|_, facts| facts.app.nonce += 1).0, "match.nonce");
    assert_eq!(refusal(|_, facts| facts.dataset.nonce += 1).0, "match.nonce");
    assert_eq!(refusal(|_, facts| facts.pool.nonce += 1).0, "match.nonce");
    assert_eq!(refusal(|_, facts| facts.requester_nonce += 1).0, "match.nonce");
    assert_eq!(refusal(|_, facts| facts.request_used = true).0, "match.used");
}

#[test]
fn other_apps_datasets_and_pools() {
    assert_eq!(refusal(|offers, _| offers.app.app = U256::from(9)).0, "match.mismatch");
    assert_eq!(refusal(|offers, _| offers.dataset.dataset = U256::from(9)).0, "match.mismatch");
    assert_eq!(refusal(|offers, _| offers.pool.pool = 9).0, "match.mismatch");
    assert_eq!(refusal(|_, facts| facts.pool.open = false).0, "match.pool_closed");
}

#[test]
fn restrictions_by_id_address_and_group() {
    let by_id: [fn(&mut Offers); 6] = [
        |offers| offers.app.datasetRestrict = U256::from(9),
        |offers| offers.app.poolRestrict = 9,
        |offers| offers.dataset.appRestrict = U256::from(9),
        |offers| offers.dataset.poolRestrict = 9,
        |offers| offers.pool.appRestrict = U256::from(9),
        |offers| offers.pool.datasetRestrict = U256::from(9),
    ];
    for change in by_id {
        assert_eq!(refusal(|offers, _| change(offers)).0, "match.restricted");
    }
    let by_address: [fn(&mut Offers, u8); 3] = [
        |offers, only| offers.app.requesterRestrict = address(only),
        |offers, only| offers.dataset.requesterRestrict = address(only),
        |offers, only| offers.pool.requesterRestrict = address(only),
    ];
    for change in by_address {
        assert_eq!(refusal(|offers, _| change(offers, 9)).0, "match.restricted");
        let (mut offers, mut facts) = (offers(), facts());
        change(&mut offers, 1);
        assert!(check_match(&offers, &facts).is_ok(), "the requester itself");
        change(&mut offers, 9);
        facts.groups.insert(address(9));
        assert!(check_match(&offers, &facts).is_ok(), "a member of the group");
    }
}

#[test]
fn prices_above_the_caps() {
    let (code, text) = refusal(|offers, _| offers.app.price = U96::from(11));
    assert_eq!(code, "match.price");
    assert!(
        text.contains("asks 11") && text.contains("pays 10") && text.contains("request.appPriceMax"),
        "{text}"
    );
    assert_eq!(refusal(|offers, _| offers.dataset.price = U96::from(21)).0, "match.price");
    assert_eq!(refusal(|offers, _| offers.pool.feePerMfuel = U96::from(1_000_001)).0, "match.price");
}

#[test]
fn a_pool_keeps_no_more_of_a_batch_than_an_execution_of_it_costs() {
    // Ten tasks of 1e6 fuel, at 1e6 for a million.
    let kept = |minimum: u64| move |offers: &mut Offers| offers.pool.minimumFee = U96::from(minimum);
    let (mut offers, facts) = (offers(), facts());
    kept(10_000_000)(&mut offers);
    assert!(check_match(&offers, &facts).is_ok());
    let (code, text) = refusal(|offers, _| kept(10_000_001)(offers));
    assert_eq!(code, "match.minimum");
    assert!(text.contains("10000001") && text.contains("costs 10000000 at most"), "{text}");
}

#[test]
fn requests_out_of_bounds() {
    let changes: [Change<Offers>; 11] = [
        ("taskCount", |offers| offers.request.taskCount = 0),
        ("batchSize", |offers| offers.request.batchSize = 0),
        ("batchSize", |offers| offers.request.batchSize = 65_537),
        ("callbackGas", |offers| offers.request.callbackGas = 1_000_001),
        ("fuelLimit", |offers| offers.request.fuelLimit = 0),
        ("fuelLimit", |offers| offers.pool.fuelLimitMax = 999_999),
        ("fuelLimit", |offers| offers.request.fuelLimit = (1 << 62) + 1),
        ("fuelLimit * batchSize", |offers| offers.request.fuelLimit = 1 << 62),
        ("memoryLimit", |offers| offers.request.memoryLimit = (1 << 16) - 1),
        ("memoryLimit", |offers| offers.request.memoryLimit = (1 << 32) + 1),
        ("deadline", |offers| offers.request.deadline = NOW + 30),
    ];
    for (field, change) in changes {
        let (code, text) = refusal(|offers, _| change(offers));
        assert_eq!(code, "match.out_of_bounds");
        assert!(text.contains(&format!("request.{field} is")), "{field}: {text}");
    }
    assert_eq!(refusal(|offers, _| offers.request.deadline = NOW + 366 * 86_400).0, "match.out_of_bounds");
    let dear = |offers: &mut Offers, _: &mut Facts| {
        offers.pool.feePerMfuel = U96::MAX;
        offers.request.feePerMfuelMax = U96::MAX;
    };
    assert_eq!(refusal(dear).0, "match.lock");
}

#[test]
fn a_tip_needs_a_callback() {
    let (code, text) = refusal(|offers, _| offers.request.deliveryTip = U96::from(12_345));
    assert_eq!(code, "match.tip_without_callback");
    assert!(text.contains("12345") && text.contains("request.callback"), "{text}");
    let plain = check_match(&offers(), &facts()).unwrap();
    let mut offers = offers();
    (offers.request.callback, offers.request.deliveryTip) = (address(0xcc), U96::MAX);
    let tipped = check_match(&offers, &facts()).unwrap();
    // Nothing is locked for it.
    assert_eq!((tipped.terms.deliveryTip, tipped.lock), (U96::MAX, plain.lock));
}

#[test]
fn policies_out_of_bounds() {
    let changes: [Change<Policy>; 9] = [
        ("policy.confidence", |policy| policy.confidence = 0),
        ("policy.faulty_share", |policy| policy.faultyShareBps = 499),
        ("policy.faulty_share", |policy| policy.faultyShareBps = 4_901),
        ("policy.replicas", |policy| policy.replicasMin = 0),
        ("policy.replicas", |policy| policy.replicasMin = 9),
        ("policy.replicas", |policy| policy.replicasMax = 33),
        ("policy.evidence", |policy| policy.evidence = 1),
        ("policy.dispute_window", |policy| policy.disputeWindow = 259_201),
        ("policy.unreachable", |policy| policy.confidence = 65_537),
    ];
    for (expected, change) in changes {
        let (code, text) = refusal(|offers, _| change(&mut offers.request.policy));
        assert_eq!(code, expected, "{text}");
        assert!(text.contains("policy."), "{text}");
    }
    let short = |offers: &mut Offers, _: &mut Facts| offers.request.policy.disputeWindow = 1;
    assert_eq!(refusal(short).0, "policy.dispute_window");
}

#[test]
fn another_chain_is_another_deal() {
    let offers = offers();
    let here = check_match(&offers, &facts()).unwrap();
    let elsewhere = Facts { market: guildhall_protocol::orders::market_domain(1, address(0xaa)), ..facts() };
    assert_ne!(check_match(&offers, &elsewhere).unwrap().terms.dealId, here.terms.dealId);
}

#[test]
fn errors_are_values() {
    let error = MatchError::Cancelled("app");
    assert_eq!(error.to_string(), "the app order was cancelled: pick another one");
}
