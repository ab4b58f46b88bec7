//! The contracts as Rust types, made from the compiler's output in `abi/` (which `contracts/tools/abi.mjs` writes
//! and `build.rs` prepares).
//!
//! Each contract is a module with its functions, events, errors and code. Structs that the protocol crate has, too, are
//! brought over with [`convert`]: both follow `contracts/src/types/`.

#![allow(missing_docs, unreachable_pub, clippy::too_many_arguments)]

use alloy::sol_types::SolValue;

mod vault {
    alloy::sol!(
        #[sol(rpc, all_derives)]
        Vault,
        concat!(env!("OUT_DIR"), "/Vault.json")
    );
}

mod recourse {
    // The interface's own structs are made of the contract's.
    use self::Recourse::{CertifiedBatch, Terms};

    alloy::sol!(
        #[sol(rpc, all_derives)]
        Recourse,
        concat!(env!("OUT_DIR"), "/Recourse.json")
    );
}

mod registry {
    alloy::sol!(
        #[sol(rpc, all_derives)]
        Registry,
        concat!(env!("OUT_DIR"), "/Registry.json")
    );
}

mod workforce {
    alloy::sol!(
        #[sol(rpc, all_derives)]
        Workforce,
        concat!(env!("OUT_DIR"), "/Workforce.json")
    );
}

mod market {
    alloy::sol!(
        #[sol(rpc, all_derives)]
        Market,
        concat!(env!("OUT_DIR"), "/Market.json")
    );
}

mod certifier {
    // The interface's own structs are made of the contract's.
    use self::Certifier::{Claim, Entry, LogItem};

    alloy::sol!(
        #[sol(rpc, all_derives)]
        Certifier,
        concat!(env!("OUT_DIR"), "/Certifier.json")
    );
}

mod seed {
    alloy::sol!(
        #[sol(rpc, all_derives)]
        BlockhashSeed,
        concat!(env!("OUT_DIR"), "/BlockhashSeed.json")
    );
}

mod prevrandao {
    alloy::sol!(
        #[sol(rpc, all_derives)]
        PrevrandaoSeed,
        concat!(env!("OUT_DIR"), "/PrevrandaoSeed.json")
    );
}

mod beacon {
    alloy::sol!(
        #[sol(rpc, all_derives)]
        BeaconSeed,
        concat!(env!("OUT_DIR"), "/BeaconSeed.json")
    );
}

mod court {
    alloy::sol!(
        #[sol(rpc, all_derives)]
        Court,
        concat!(env!("OUT_DIR"), "/Court.json")
    );
}

mod jury {
    alloy::sol!(
        #[sol(rpc, all_derives)]
        Jury,
        concat!(env!("OUT_DIR"), "/Jury.json")
    );
}

mod inquest {
    alloy::sol!(
        #[sol(rpc, all_derives)]
        Inquest,
        concat!(env!("OUT_DIR"), "/Inquest.json")
    );
}

mod token {
    alloy::sol!(
        #[sol(rpc, all_derives)]
        DevToken,
        concat!(env!("OUT_DIR"), "/DevToken.json")
    );
}

pub use beacon::BeaconSeed;
pub use certifier::{Certifier, ICertifier};
pub use court::Court;
pub use inquest::Inquest;
pub use jury::Jury;
pub use market::{IVault, Market};
pub use prevrandao::PrevrandaoSeed;
pub use recourse::{IRecourse, Recourse};
pub use registry::Registry;
pub use seed::BlockhashSeed;
pub use token::DevToken;
pub use vault::Vault;
pub use workforce::Workforce;

/// The compiler's output of every contract, by name: where errors are looked up.
pub(crate) const ABIS: [(&str, &str); 13] = [
    ("Vault", include_str!(concat!(env!("OUT_DIR"), "/Vault.json"))),
    ("Registry", include_str!(concat!(env!("OUT_DIR"), "/Registry.json"))),
    ("Workforce", include_str!(concat!(env!("OUT_DIR"), "/Workforce.json"))),
    ("Market", include_str!(concat!(env!("OUT_DIR"), "/Market.json"))),
    ("Certifier", include_str!(concat!(env!("OUT_DIR"), "/Certifier.json"))),
    ("Recourse", include_str!(concat!(env!("OUT_DIR"), "/Recourse.json"))),
    ("Court", include_str!(concat!(env!("OUT_DIR"), "/Court.json"))),
    ("Jury", include_str!(concat!(env!("OUT_DIR"), "/Jury.json"))),
    ("Inquest", include_str!(concat!(env!("OUT_DIR"), "/Inquest.json"))),
    ("Seed", include_str!(concat!(env!("OUT_DIR"), "/BlockhashSeed.json"))),
    ("Seed", include_str!(concat!(env!("OUT_DIR"), "/PrevrandaoSeed.json"))),
    ("Seed", include_str!(concat!(env!("OUT_DIR"), "/BeaconSeed.json"))),
    ("Token", include_str!(concat!(env!("OUT_DIR"), "/DevToken.json"))),
];

/// Brings a value over to another Rust type of the same Solidity type, through its ABI form.
///
/// # Errors
/// When the two types are not laid out alike: a programmer's fault.
pub fn convert<A, B>(value: &A) -> Result<B, alloy::sol_types::Error>
where
    A: SolValue,
    B: SolValue + From<<B::SolType as alloy::sol_types::SolType>::RustType>,
{
    B::abi_decode(&value.abi_encode())
}
