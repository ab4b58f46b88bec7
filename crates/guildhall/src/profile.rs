//! Which chain, deployment, data directory and key a command uses: flag, then environment, then the file
//! `config.toml` of the data directory, then the default.
//!
//! Knows nothing of what the command does with them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use url::Url;

use crate::{
    error::{Failure, Result},
    keys::PasswordSource,
};

/// The commented defaults; `guildhall` reads the same keys from `config.toml` in the data directory.
pub const DEFAULT_CONFIG: &str = include_str!("config.toml");

/// What the file may say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    chain: Option<Url>,
    chain_check: Option<Url>,
    deployment: Option<PathBuf>,
    key: Option<String>,
    password_file: Option<PathBuf>,
}

/// What flags and environment said.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// JSON-RPC endpoint of the chain.
    pub chain: Option<Url>,
    /// JSON-RPC endpoint of a second node, whose answers are compared.
    pub chain_check: Option<Url>,
    /// File with the addresses of the contracts.
    pub deployment: Option<PathBuf>,
    /// Data directory.
    pub data: Option<PathBuf>,
    /// Name or file of the key that signs.
    pub key: Option<String>,
    /// File with the password of the key.
    pub password_file: Option<PathBuf>,
    /// Open descriptor with the password of the key.
    pub password_fd: Option<u32>,
}

/// What holds for this command.
#[derive(Clone, Debug)]
pub struct Profile {
    /// JSON-RPC endpoint, where somebody named one.
    chain: Option<Url>,
    chain_check: Option<Url>,
    /// File with the addresses of the contracts.
    pub deployment: PathBuf,
    /// Data directory.
    pub data: PathBuf,
    key: Option<String>,
    /// Where passwords come from.
    pub password: PasswordSource,
}

impl Profile {
    /// Puts together what was given with the file and the defaults.
    ///
    /// # Errors
    /// `config.invalid` for a file that says what we don't know; `config.no_home` without any home directory.
    pub fn resolve(given: Given) -> Result<Self> {
        let data = match given.data {
            Some(data) => data,
            None => default_data_dir()?,
        };
        let file = read_config(&data.join("config.toml"))?;
        let beside = |path: PathBuf| data.join(path);
        Ok(Self {
            chain: given.chain.or(file.chain),
            chain_check: given.chain_check.or(file.chain_check),
            deployment: given
                .deployment
                .or_else(|| file.deployment.map(beside))
                .unwrap_or_else(|| data.join("deployment.json")),
            key: given.key.or(file.key),
            password: PasswordSource {
                file: given.password_file.or_else(|| file.password_file.map(|path| data.join(path))),
                descriptor: given.password_fd,
            },
            data,
        })
    }

    /// The endpoint that somebody named.
    pub const fn chain(&self) -> Option<&Url> {
        self.chain.as_ref()
    }

    /// The second endpoint that somebody named.
    pub const fn chain_check(&self) -> Option<&Url> {
        self.chain_check.as_ref()
    }

    /// The key that somebody named.
    ///
    /// # Errors
    /// `keys.not_named`.
    pub fn key(&self) -> Result<&str> {
        self.key.as_deref().ok_or_else(|| {
            Failure::new("keys.not_named", "this needs a key, and none was named")
                .hint("name one with `--key NAME`, `GUILDHALL_KEY`, or `key` in config.toml; `guildhall key list` shows yours")
        })
    }

    /// The key, where somebody named one.
    pub fn key_if_named(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

fn default_data_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("XDG_DATA_HOME").filter(|value| !value.is_empty()) {
        return Ok(PathBuf::from(dir).join("guildhall"));
    }
    std::env::home_dir().map(|home| home.join(".local/share/guildhall")).ok_or_else(|| {
        Failure::new("config.no_home", "there is no home directory to keep data in")
            .hint("name a directory with `--data DIR`")
    })
}

fn read_config(file: &Path) -> Result<ConfigFile> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(ConfigFile::default()),
        Err(error) => return Err(Failure::file("read", file, &error)),
    };
    toml::from_str(&text).map_err(|error| {
        Failure::new("config.invalid", format!("`{}` is not understood: {}", file.display(), error.message()))
            .hint("the keys are: chain, chain_check, deployment, key, password_file")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(dir: &Path) -> Given {
        Given { data: Some(dir.to_owned()), ..Given::default() }
    }

    #[test]
    fn the_commented_default_file_is_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let without = Profile::resolve(given(dir.path())).unwrap();
        fs::write(dir.path().join("config.toml"), DEFAULT_CONFIG).unwrap();
        let with = Profile::resolve(given(dir.path())).unwrap();
        assert_eq!(format!("{without:?}"), format!("{with:?}"));
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.toml"), "key = \"bob\"\nchain = \"http://file:1\"").unwrap();
        let profile = Profile::resolve(Given { key: Some("alice".into()), ..given(dir.path()) }).unwrap();
        assert_eq!(profile.key().unwrap(), "alice");
        assert_eq!(profile.chain().unwrap().as_str(), "http://file:1/");
    }

    #[test]
    fn an_unknown_key_of_the_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.toml"), "chian = \"http://file:1\"").unwrap();
        assert_eq!(Profile::resolve(given(dir.path())).unwrap_err().code(), "config.invalid");
    }
}
