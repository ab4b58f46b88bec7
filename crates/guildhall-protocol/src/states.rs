//! The life of a batch: its states, and the only ways from one to another (PROTOCOL section 11.6).
//!
//! Knows nothing of why a transition happens.

use serde::{Deserialize, Serialize};

/// Where a batch stands. The numbers are the contracts'.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Status {
    /// Not certified yet. Another draw of the lot, before anything stands on chain, leaves a batch open.
    #[default]
    Open = 0,
    /// Certified, and open to contradiction.
    Provisional = 1,
    /// A task of it is before a jury.
    Disputed = 2,
    /// Certified for good.
    Final = 3,
    /// Overturned: another attempt may certify it.
    Reopened = 4,
    /// Overturned, undecided, or given up because its bytes were withheld; refunded.
    Void = 5,
    /// Not certified in time, and refunded.
    Expired = 6,
}

impl Status {
    /// Every status, in the order of its number.
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Provisional,
        Self::Disputed,
        Self::Final,
        Self::Reopened,
        Self::Void,
        Self::Expired,
    ];

    /// The number on chain.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The status with this number, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Whether the protocol knows a way from this status straight to `next`.
    pub const fn may_become(self, next: Self) -> bool {
        use Status::{Disputed, Expired, Final, Open, Provisional, Reopened, Void};
        matches!(
            (self, next),
            (Open | Reopened, Provisional | Void | Expired)
                | (Provisional, Disputed | Final)
                | (Disputed, Disputed | Provisional | Final | Reopened | Void)
        )
    }

    /// Whether nothing changes any more.
    pub const fn is_last(self) -> bool {
        matches!(self, Self::Final | Self::Void | Self::Expired)
    }

    /// Whether a certificate stands behind the status.
    pub const fn is_certified(self) -> bool {
        matches!(self, Self::Provisional | Self::Disputed | Self::Final)
    }
}
