//! What the index knows: each object is the fold of its events, in the chain's order, and of nothing else.
//!
//! Pure: knows neither database nor chain. What an event touches is in [`touched`]; what one says is applied by the object's
//! own module.

mod account;
mod asset;
mod batch;
mod case;
mod certificate;
mod deal;
mod pool;
mod task;
mod touched;
mod worker;

use guildhall_protocol::Terms;
use serde::{Serialize, de::DeserializeOwned};

pub use account::Account;
pub use asset::{Asset, AssetKind};
pub use batch::{Batch, Escrow, Slash};
pub(crate) use case::state_name;
pub use case::{CaseRow, JurorRow};
pub use certificate::{CertificateRow, MemberRow};
pub use deal::{BatchCounts, Deal, DealStatus};
pub use pool::{Operator, Pool};
pub use task::{Delivery, Task};
pub use touched::{Touched, touched};
pub(crate) use touched::{batch_key, certificate_key, lower};
pub use worker::{Activity, Point, Worker};

use crate::recorded::{Place, Recorded};

/// The kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A deal. First, because others are folded with its terms.
    Deal,
    /// A batch of a deal that something happened to.
    Batch,
    /// A certificate.
    Certificate,
    /// A worker.
    Worker,
    /// An operator.
    Operator,
    /// A pool.
    Pool,
    /// An app or a dataset.
    Asset,
    /// An account.
    Account,
    /// A case before the Court or the Inquest.
    Case,
    /// A task that was delivered.
    Task,
}

impl Kind {
    /// All kinds, deals first.
    pub const ALL: [Self; 10] = [
        Self::Deal,
        Self::Batch,
        Self::Certificate,
        Self::Worker,
        Self::Operator,
        Self::Pool,
        Self::Asset,
        Self::Account,
        Self::Case,
        Self::Task,
    ];

    /// Its name in the database and in topics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deal => "deal",
            Self::Batch => "batch",
            Self::Certificate => "certificate",
            Self::Worker => "worker",
            Self::Operator => "operator",
            Self::Pool => "pool",
            Self::Asset => "asset",
            Self::Account => "account",
            Self::Case => "case",
            Self::Task => "task",
        }
    }

    /// The kind of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its id among those of the kind, as a text.
    pub id: String,
}

impl Key {
    /// The key of an object.
    pub fn new(kind: Kind, id: impl ToString) -> Self {
        Self { kind, id: id.to_string() }
    }
}

/// What an event is applied with beside itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Terms of the deal that the event is about.
    pub terms: Option<&'a Terms>,
}

/// By what an object is found: a name and a value. The empty name is the list of all of its kind.
pub type Facet = (&'static str, String);

/// What an object adds to the totals: a name, a value, a number.
pub type Share = (&'static str, String, i64);

/// An object that is the fold of its events.
pub(crate) trait Folded: Serialize + DeserializeOwned + Clone + PartialEq {
    /// The object as its first event makes it; nothing for an event that does not make one.
    fn begin(id: &str, event: &Recorded) -> Option<Self>;

    /// The object after an event, the first one too.
    fn apply(&mut self, event: &Recorded, context: Context<'_>);

    /// Its place in lists, the highest first.
    fn rank(&self) -> Place;

    /// By what it is found.
    fn facets(&self) -> Vec<Facet> {
        Vec::new()
    }

    /// What it adds to the totals.
    fn shares(&self) -> Vec<Share> {
        Vec::new()
    }
}

macro_rules! objects {
    ($($kind:ident($type:ty)),* $(,)?) => {
        /// Any object.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Object {
            $(#[doc = concat!("See [`Kind::", stringify!($kind), "`].")] $kind(Box<$type>),)*
        }

        impl Object {
            /// The object after one more event; `None` while no event has made it.
            pub fn fold(before: Option<Self>, key: &Key, event: &Recorded, context: Context<'_>) -> Option<Self> {
                match (key.kind, before) {
                    $(
                        (Kind::$kind, Some(Self::$kind(mut object))) => {
                            object.apply(event, context);
                            Some(Self::$kind(object))
                        }
                        (Kind::$kind, _) => {
                            let mut object = <$type as Folded>::begin(&key.id, event)?;
                            object.apply(event, context);
                            Some(Self::$kind(Box::new(object)))
                        }
                    )*
                }
            }

            /// Its place in lists.
            pub fn rank(&self) -> Place {
                match self { $(Self::$kind(object) => object.rank(),)* }
            }

            /// By what it is found.
            pub fn facets(&self) -> Vec<Facet> {
                match self { $(Self::$kind(object) => object.facets(),)* }
            }

            /// What it adds to the totals.
            pub fn shares(&self) -> Vec<Share> {
                match self { $(Self::$kind(object) => object.shares(),)* }
            }

            /// As JSON.
            ///
            /// # Errors
            /// Never for what the fold makes.
            pub fn to_json(&self) -> Result<String, serde_json::Error> {
                match self { $(Self::$kind(object) => serde_json::to_string(object),)* }
            }

            /// Reads what [`Object::to_json`] wrote.
            ///
            /// # Errors
            /// For what another version wrote.
            pub fn from_json(kind: Kind, text: &str) -> Result<Self, serde_json::Error> {
                Ok(match kind { $(Kind::$kind => Self::$kind(Box::new(serde_json::from_str(text)?)),)* })
            }
        }
    };
}

objects!(
    Deal(Deal),
    Batch(Batch),
    Certificate(CertificateRow),
    Worker(Worker),
    Operator(Operator),
    Pool(Pool),
    Asset(Asset),
    Account(Account),
    Case(CaseRow),
    Task(Task),
);
