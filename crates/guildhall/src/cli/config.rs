//! Settings of the roles: the commented default file of each, then `--config FILE`, then the environment, then flags.
//!
//! Knows nothing of what the settings mean, but that they have to be good values.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use guildhall_service::{
    Coded as _,
    config::{self, Layers, Spec, non_empty},
};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use url::Url;

use crate::{
    error::{Failure, Result},
    output::{Out, Report, Style},
};

/// Settings of a worker.
const WORKER: Spec = Spec { role: "worker", defaults: include_str!("../defaults/worker.toml") };
/// Settings of a coordinator.
const COORDINATOR: Spec =
    Spec { role: "coordinator", defaults: include_str!("../defaults/coordinator.toml") };

/// Where settings come from.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// File with settings; `--print-config` shows its keys.
    #[arg(long, value_name = "FILE", env = "GUILDHALL_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Print the commented default file, and do nothing else.
    #[arg(long)]
    print_config: bool,
}

/// What a flag said of a key, if anything.
pub(crate) type Flag = (&'static str, Option<String>);

/// A flag's value as a text, as the file has it.
pub(crate) fn flag(key: &'static str, value: Option<&impl ToString>) -> Flag {
    (key, value.map(ToString::to_string))
}

/// Addresses of a flag that may be given several times, as the file has them.
pub(crate) fn flag_of_urls(key: &'static str, values: &[Url]) -> Flag {
    let values: Vec<_> = values.iter().map(Url::as_str).collect();
    (key, (!values.is_empty()).then(|| values.join(",")))
}

/// Settings of `guildhall worker`; `src/defaults/worker.toml` says what each means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkerSettings {
    #[serde(deserialize_with = "non_empty")]
    pub(crate) coordinator: Option<Url>,
    #[serde(deserialize_with = "urls")]
    pub(crate) beacon: Vec<Url>,
    pub(crate) lanes: usize,
    pub(crate) rounds: usize,
    pub(crate) disputes: bool,
    pub(crate) audit_percent: u8,
    #[serde(deserialize_with = "non_empty")]
    pub(crate) dir: Option<PathBuf>,
    #[serde(deserialize_with = "non_empty")]
    pub(crate) status_listen: Option<SocketAddr>,
}

/// Settings of `guildhall coordinator`; `src/defaults/coordinator.toml` says what each means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CoordinatorSettings {
    pub(crate) pool: u32,
    #[serde(deserialize_with = "urls")]
    pub(crate) beacon: Vec<Url>,
    pub(crate) listen: SocketAddr,
    #[serde(deserialize_with = "non_empty")]
    pub(crate) dir: Option<PathBuf>,
    #[serde(deserialize_with = "non_empty")]
    pub(crate) copies: Option<Url>,
    #[serde(deserialize_with = "urls")]
    pub(crate) sources: Vec<Url>,
}

/// Addresses in one text, with commas between.
pub(super) fn urls<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parse = |part: &str| {
        part.parse().map_err(|error| serde::de::Error::custom(format!("`{part}` is no address: {error}")))
    };
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(parse).collect()
}

impl ConfigArgs {
    /// Settings of a worker; nothing where only the default file was asked for.
    pub(crate) fn worker(&self, out: Out, flags: Vec<Flag>) -> Result<Option<WorkerSettings>> {
        self.load(&WORKER, out, flags)
    }

    /// Settings of a coordinator; nothing where only the default file was asked for.
    pub(crate) fn coordinator(&self, out: Out, flags: Vec<Flag>) -> Result<Option<CoordinatorSettings>> {
        self.load(&COORDINATOR, out, flags)
    }

    /// Settings of a role; nothing where only the default file was asked for.
    pub(super) fn load<T: DeserializeOwned>(
        &self,
        spec: &Spec,
        out: Out,
        flags: Vec<Flag>,
    ) -> Result<Option<T>> {
        if self.print_config {
            out.result(&DefaultFile { role: spec.role, config: spec.defaults })?;
            return Ok(None);
        }
        let said = flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        let layers = Layers::from_process(self.config.clone(), said.collect());
        config::load(spec, &layers).map(Some).map_err(|error| {
            let failure = Failure::new(error.code(), error.to_string());
            let hint = error.hint();
            let keys = format!("`guildhall {} --print-config` shows every key", spec.role);
            failure.hint(hint.map_or(keys.clone(), |hint| format!("{hint}; {keys}")))
        })
    }
}

/// The commented default file of a role.
#[derive(Serialize)]
struct DefaultFile {
    role: &'static str,
    config: &'static str,
}

impl Report for DefaultFile {
    fn text(&self, _style: Style) -> String {
        self.config.trim_end().to_owned()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn of<T: DeserializeOwned>(
        spec: &Spec,
        flags: &[(&str, &str)],
    ) -> std::result::Result<T, String> {
        let flags = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let layers = Layers { flags, ..Layers::default() };
        config::load(spec, &layers).map_err(|error| error.to_string())
    }

    #[test]
    fn every_default_file_is_complete_and_good() {
        let worker: WorkerSettings = of(&WORKER, &[]).unwrap();
        assert!(worker.status_listen.is_none() && worker.coordinator.is_none() && worker.dir.is_none());
        let coordinator: CoordinatorSettings = of(&COORDINATOR, &[]).unwrap();
        assert!(coordinator.listen.ip().is_loopback() && coordinator.copies.is_none());
    }

    #[test]
    fn a_value_that_is_none_is_named() {
        let error = of::<WorkerSettings>(&WORKER, &[("beacon", "https://one.example, two")]).unwrap_err();
        assert!(error.contains("`two`"), "{error}");
        let error = of::<WorkerSettings>(&WORKER, &[("status_listen", "here")]).unwrap_err();
        assert!(error.contains("here"), "{error}");
    }
}
