//! A deployment for tests.

use alloy::primitives::Address;
use guildhall_chain::Deployment;

/// Contracts at addresses that are easy to tell apart.
pub(crate) fn deployment() -> Deployment {
    let at = Address::repeat_byte;
    Deployment {
        chain_id: 1,
        token: at(1),
        vault: at(2),
        registry: at(3),
        workforce: at(4),
        market: at(5),
        certifier: at(6),
        seed: at(7),
        seed_kind: guildhall_chain::SeedKind::BlockHash,
        recourse: at(8),
        court: at(9),
        jury: at(10),
        inquest: at(11),
        block: 0,
    }
}
