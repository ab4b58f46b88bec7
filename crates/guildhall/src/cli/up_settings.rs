//! Settings of `guildhall up`.

use std::net::SocketAddr;

use guildhall_chain::{Beacon, SeedKind};
use guildhall_service::config::Spec;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::config::urls;

/// Settings of a city.
pub(super) const UP: Spec = Spec { role: "up", defaults: include_str!("../defaults/up.toml") };

/// Settings of `guildhall up`; `src/defaults/up.toml` says what each means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpSettings {
    pub(crate) workers: usize,
    pub(crate) listen: SocketAddr,
    pub(crate) coordinator_listen: SocketAddr,
    pub(crate) gateway_listen: SocketAddr,
    #[serde(deserialize_with = "seeds")]
    pub(crate) seeds: SeedKind,
    pub(crate) dev_methods: bool,
    #[serde(deserialize_with = "urls")]
    pub(crate) beacon: Vec<Url>,
}

fn seeds<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<SeedKind, D::Error> {
    seed_kind(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn seed_kind(text: &str) -> std::result::Result<SeedKind, String> {
    match text {
        "block-hash" => Ok(SeedKind::BlockHash),
        "prevrandao" => Ok(SeedKind::Prevrandao),
        "beacon" => Ok(SeedKind::Beacon(Beacon::QUICKNET)),
        _ => Err(format!(
            "`seeds` = `{text}` is no kind of seeds; write `block-hash`, `prevrandao` or `beacon`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::config::tests::of, *};

    #[test]
    fn the_default_file_is_complete_and_good() {
        let up: UpSettings = of(&UP, &[]).unwrap();
        assert_eq!((up.workers, up.seeds), (9, SeedKind::BlockHash));
    }

    #[test]
    fn a_kind_of_seeds_that_is_none_is_named() {
        let error = of::<UpSettings>(&UP, &[("seeds", "dice")]).unwrap_err();
        assert!(error.contains("dice") && error.contains("prevrandao"), "{error}");
    }
}
