//! Signed orders in files: what an owner hands out, and the folder in which a data directory keeps them.
//!
//! Knows nothing of matching: the Market checks every order again.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use alloy::primitives::Address;
pub use guildhall_protocol::{AnyOrder as Order, SignedOrder};
use guildhall_service::files::{MODE_PUBLIC, atomic_write, create_private_dir};

use crate::error::{Failure, Result};

/// The largest order file that is read.
const ORDER_MAX_BYTES: u64 = 64 * 1024;
/// The most orders that a folder is searched for.
const ORDERS_MAX: usize = 4_096;

/// What a command does with an order beside what the protocol knows of it.
pub trait OrderFile: Sized {
    /// Reads an order file.
    ///
    /// # Errors
    /// `file.*`, `order.malformed`.
    fn read(path: &Path) -> Result<Self>;

    /// Refuses an order that is for another chain or Market.
    ///
    /// # Errors
    /// `order.other_chain`.
    fn check_chain(&self, chain: u64, market: Address) -> Result<()>;
}

impl OrderFile for SignedOrder {
    fn read(path: &Path) -> Result<Self> {
        let failed = |error| Failure::file("read the order", path, &error);
        let mut text = String::new();
        fs::File::open(path)
            .map_err(failed)?
            .take(ORDER_MAX_BYTES)
            .read_to_string(&mut text)
            .map_err(failed)?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::new("order.malformed", format!("`{}` holds no signed order: {error}", path.display()))
                .hint("`guildhall order sign` writes one")
        })
    }

    fn check_chain(&self, chain: u64, market: Address) -> Result<()> {
        if (self.chain, self.market) != (chain, market) {
            return Err(Failure::new(
                "order.other_chain",
                format!(
                    "this {} order is for chain {} and Market {}, not for chain {chain} and Market {market}",
                    self.order.kind(),
                    self.chain,
                    self.market
                ),
            )
            .hint("name the chain with `--chain`, or get an order for this one"));
        }
        Ok(())
    }
}

/// The folder `orders` of a data directory.
#[derive(Clone, Debug)]
pub struct OrderFolder {
    dir: PathBuf,
}

impl OrderFolder {
    /// The orders of a data directory.
    pub fn of_data(data: &Path) -> Self {
        Self { dir: data.join("orders") }
    }

    /// Keeps an order under a name that tells it from all others.
    ///
    /// # Errors
    /// `files.*`.
    pub fn keep(&self, order: &SignedOrder) -> Result<PathBuf> {
        create_private_dir(&self.dir)?;
        let (subject, _) = order.order.subject_and_expiry();
        let name = format!("{}-{subject}-{}.json", order.order.kind(), &order.digest().to_string()[2..10]);
        let file = self.dir.join(name);
        write(&file, order)?;
        Ok(file)
    }

    /// Every order that can be read, with its file, by name; what is no order is passed over.
    ///
    /// # Errors
    /// `file.*` when the folder can't be read. A folder that is not there holds none.
    pub fn list(&self) -> Result<Vec<(PathBuf, SignedOrder)>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::file("read the folder", &self.dir, &error)),
        };
        let mut files: Vec<_> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).take(ORDERS_MAX).collect();
        files.sort();
        Ok(files
            .into_iter()
            .filter_map(|file| SignedOrder::read(&file).ok().map(|order| (file, order)))
            .collect())
    }
}

/// Writes an order file.
///
/// # Errors
/// `files.*`.
pub fn write(file: &Path, order: &SignedOrder) -> Result<()> {
    let text = serde_json::to_string_pretty(order)
        .map_err(|error| Failure::new("order.malformed", format!("the order has no JSON form: {error}")))?;
    Ok(atomic_write(file, (text + "\n").as_bytes(), MODE_PUBLIC)?)
}
