//! The other sides of a deal: signed orders of app, dataset and pool, from files or from the data directory.
//!
//! The Market checks all of it again; what is caught here is caught before anything is paid.

use std::path::PathBuf;

use alloy::primitives::{Address, U256, aliases::U96};
use guildhall_protocol::orders::{AppOrder, DatasetOrder, PoolOrder};

use crate::{
    error::{Failure, Result},
    orders::{Order, OrderFolder, SignedOrder},
};

/// Which orders are looked for, and where.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The app.
    pub app: U256,
    /// The dataset; zero for none.
    pub dataset: U256,
    /// The pool.
    pub pool: u32,
    /// Who asks: orders restricted to others are passed over.
    pub requester: Address,
    /// Chain time, in Unix seconds: orders that are over are passed over.
    pub now: u64,
    /// A named file for each, instead of a search.
    pub files: OfferFiles,
}

/// Files that hold the orders, where somebody named them.
#[derive(Clone, Debug, Default)]
pub struct OfferFiles {
    /// The app's order.
    pub app: Option<PathBuf>,
    /// The dataset's order.
    pub dataset: Option<PathBuf>,
    /// The pool's order.
    pub pool: Option<PathBuf>,
}

/// The orders found.
#[derive(Clone, Debug)]
pub struct Offers {
    /// The app's.
    pub app: (AppOrder, SignedOrder),
    /// The dataset's; none where none is wanted.
    pub dataset: Option<(DatasetOrder, SignedOrder)>,
    /// The pool's.
    pub pool: (PoolOrder, SignedOrder),
}

impl Offers {
    /// Finds the cheapest order of each side.
    ///
    /// # Errors
    /// `order.none_found` for a side without any, and what is wrong with a named file.
    pub fn find(wanted: &Wanted, folder: &OrderFolder, chain: u64, market: Address) -> Result<Self> {
        let there: Vec<SignedOrder> = folder.list()?.into_iter().map(|(_, order)| order).collect();
        let search = Search { wanted, there, chain, market };
        let app = search.cheapest("app", wanted.files.app.as_ref(), |order| match order {
            Order::App(order) if order.app == wanted.app => {
                Some((*order, order.price, order.requesterRestrict))
            }
            _ => None,
        })?;
        let dataset = if wanted.dataset.is_zero() {
            None
        } else {
            Some(search.cheapest("dataset", wanted.files.dataset.as_ref(), |order| match order {
                Order::Dataset(order) if order.dataset == wanted.dataset => {
                    Some((*order, order.price, order.requesterRestrict))
                }
                _ => None,
            })?)
        };
        let pool = search.cheapest("pool", wanted.files.pool.as_ref(), |order| match order {
            Order::Pool(order) if order.pool == wanted.pool => {
                Some((*order, order.feePerMfuel, order.requesterRestrict))
            }
            _ => None,
        })?;
        Ok(Self { app, dataset, pool })
    }
}

struct Search<'a> {
    wanted: &'a Wanted,
    there: Vec<SignedOrder>,
    chain: u64,
    market: Address,
}

impl Search<'_> {
    fn cheapest<T>(
        &self,
        side: &'static str,
        file: Option<&PathBuf>,
        matches: impl Fn(&Order) -> Option<(T, U96, Address)>,
    ) -> Result<(T, SignedOrder)> {
        if let Some(file) = file {
            let signed = SignedOrder::read(file)?;
            signed.check(self.chain, self.market, false)?;
            let (order, ..) = matches(&signed.order).ok_or_else(|| {
                Failure::new(
                    "order.other_side",
                    format!("`{}` is no {side} order for this deal", file.display()),
                )
                .hint(format!(
                    "it is a {} order for {}",
                    signed.order.kind(),
                    signed.order.subject_and_expiry().0
                ))
            })?;
            return Ok((order, signed));
        }
        // A restriction may also name a contract that answers for a group: that is tried last, by price alone.
        let usable =
            self.there.iter().filter(|signed| (signed.chain, signed.market) == (self.chain, self.market));
        usable
            .filter(|signed| signed.order.subject_and_expiry().1 > self.wanted.now)
            .filter_map(|signed| matches(&signed.order).map(|found| (found, signed)))
            .filter(|((_, _, only), _)| only.is_zero() || *only == self.wanted.requester)
            .min_by_key(|((_, price, _), _)| *price)
            .map(|((order, ..), signed)| (order, signed.clone()))
            .ok_or_else(|| {
                Failure::new(
                    "order.none_found",
                    format!("there is no {side} order for this deal in the data directory"),
                )
                .hint(format!("get one from its owner and name it with `--{side}-order FILE`"))
            })
    }
}
