//! Signed orders as JSON, and what goes into calldata of them; terms as the chain has them.

use alloy_primitives::{Address, B256};
use alloy_sol_types::{SolStruct, SolValue};
use guildhall_protocol::{
    AppOrder, DatasetOrder, PolicyWord, PoolOrder, RequestOrder, Seed, Signed, Terms, orders::market_domain,
};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

use crate::{json, vectors, written};

/// Reads the bytes as each order, and as terms.
pub fn check(bytes: &[u8]) {
    signed::<AppOrder>(bytes);
    signed::<DatasetOrder>(bytes);
    signed::<PoolOrder>(bytes);
    signed::<RequestOrder>(bytes);
    if let Ok(order) = RequestOrder::abi_decode_validate(bytes) {
        let _invalid = order.policy.validate();
        let _unpriced = order.deal_id(&market_domain(1, Address::ZERO));
        if order.policy.validate().is_ok() {
            assert_eq!(PolicyWord::pack(&order.policy).unpack().ok().as_ref(), Some(&order.policy));
        }
    }
    if let Ok(terms) = Terms::abi_decode_validate(bytes) {
        let _hash = terms.deal();
        for batch in [0, 1, u32::MAX] {
            let _none = guildhall_api::Round::new(&terms, batch, 0, terms.opened(), Seed(B256::ZERO));
        }
    }
}

fn signed<M: SolStruct + DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) {
    if let Some(order) = json::<Signed<M>>(bytes) {
        let _signer = order.signer(&market_domain(1, Address::ZERO));
    }
}

/// The vectors' orders, signed by nobody, and their encodings.
pub fn seeds() -> Vec<Vec<u8>> {
    const VECTORS: &str = include_str!("../../vectors/orders.json");
    fn of<M: SolValue + Serialize + From<<M::SolType as alloy_sol_types::SolType>::RustType>>(
        list: &str,
    ) -> Vec<Vec<u8>> {
        let order = |encoded: &alloy_primitives::Bytes| M::abi_decode(encoded).expect("generated");
        let signed = |message| written(&Signed { message, signature: Default::default() });
        vectors(VECTORS, list).iter().take(3).map(order).map(signed).collect()
    }
    let mut seeds = of::<AppOrder>("appOrders");
    seeds.extend(of::<DatasetOrder>("datasetOrders"));
    seeds.extend(of::<PoolOrder>("poolOrders"));
    seeds.extend(of::<RequestOrder>("requestOrders"));
    for list in ["requestOrders", "terms"] {
        seeds.extend(vectors(VECTORS, list).into_iter().map(Vec::from));
    }
    seeds
}
