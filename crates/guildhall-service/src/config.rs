//! Settings of a role in four layers: embedded default file, then a file, then the environment, then flags.
//!
//! The commented default file *is* the list of keys: a key that it does not hold is an error, and its value there gives
//! the key's type. An optional setting has the empty string as its default (see [`non_empty`]). Knows no role.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use toml::{Table, Value};

use crate::Coded;

/// Most keys of a role: whoever needs more has two roles.
pub const MAX_KEYS: usize = 20;
/// Largest configuration file, in bytes.
pub const MAX_FILE_BYTES: u64 = 256 * 1024;
/// Prefix of every environment variable of the project.
pub const ENV_PREFIX: &str = "GUILDHALL_";

/// Errors of settings. Each names the key, where it was set, and what to write instead.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A layer is not TOML.
    #[error("{layer} is not valid TOML: {message}")]
    Syntax {
        /// Which layer.
        layer: String,
        /// Where and why.
        message: String,
    },
    /// No such key.
    #[error("unknown key `{key}` in {layer}")]
    UnknownKey {
        /// The key as it was written, dotted.
        key: String,
        /// Which layer.
        layer: String,
        /// The nearest key that exists.
        closest: Option<String>,
    },
    /// The value has another type than the default.
    #[error("`{key}` in {layer} is {found}, and must be {expected}")]
    WrongType {
        /// The key, dotted.
        key: String,
        /// Which layer.
        layer: String,
        /// The default's type.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// The values do not make valid settings.
    #[error("invalid settings of `{role}`: {message}")]
    Invalid {
        /// The role.
        role: String,
        /// Which key and why.
        message: String,
    },
    /// The embedded default file breaks the rules: a programmer's fault that the role's own test finds.
    #[error("the default file of `{role}` is wrong: {message}")]
    Defaults {
        /// The role.
        role: String,
        /// Which rule.
        message: String,
    },
}

impl Coded for ConfigError {
    fn code(&self) -> &'static str {
        match self {
            // The same as of every other file that is named and is not there.
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => "file.missing",
            Self::Read { .. } => "config.read",
            Self::Syntax { .. } => "config.syntax",
            Self::UnknownKey { .. } => "config.unknown_key",
            Self::WrongType { .. } => "config.wrong_type",
            Self::Invalid { .. } => "config.invalid",
            Self::Defaults { .. } => "config.defaults",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { closest: Some(key), .. } => Some(format!("did you mean `{key}`?")),
            Self::UnknownKey { .. } => Some("the default file lists every key".into()),
            Self::Read { .. } => Some("check the path, or leave it out to run with the defaults".into()),
            _ => None,
        }
    }
}

/// What a role says of its settings.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Name of the role; its variables are `GUILDHALL_<ROLE>_<KEY>`.
    pub role: &'static str,
    /// The commented default file (`include_str!`).
    pub defaults: &'static str,
}

impl Spec {
    /// The environment's prefix of this role: `GUILDHALL_WORKER_`.
    pub fn env_prefix(&self) -> String {
        format!("{ENV_PREFIX}{}_", env_form(self.role))
    }
}

/// The layers above the defaults, lowest first.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// Configuration file; `None` = none.
    pub file: Option<PathBuf>,
    /// Environment: `(name, value)` pairs, others than this role's are ignored.
    pub env: Vec<(String, String)>,
    /// Flags: `(dotted key, value)` pairs.
    pub flags: Vec<(String, String)>,
}

impl Layers {
    /// The process' environment, with a file and flags.
    pub fn from_process(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(ENV_PREFIX))
            .collect();
        Self { file, env, flags }
    }
}

/// Reads the settings of a role.
///
/// # Errors
/// [`ConfigError`] that names the key, the layer and the remedy.
pub fn load<T: DeserializeOwned>(spec: &Spec, layers: &Layers) -> Result<T, ConfigError> {
    let table = merged(spec, layers)?;
    T::deserialize(Value::Table(table)).map_err(|error| ConfigError::Invalid {
        role: spec.role.to_owned(),
        message: error.to_string().trim().to_owned(),
    })
}

fn merged(spec: &Spec, layers: &Layers) -> Result<Table, ConfigError> {
    let mut table = parse(spec.defaults, "the default file")?;
    let known = known_keys(spec, &table)?;
    if let Some(path) = &layers.file {
        let layer = format!("file {}", path.display());
        apply_file(&mut table, &known, parse(&read_bounded(path)?, &layer)?, &layer)?;
    }
    apply_env(&mut table, &known, spec, &layers.env)?;
    for (key, text) in &layers.flags {
        apply_text(&mut table, &known, key, text, &format!("flag `{key}`"))?;
    }
    Ok(table)
}

/// For `#[serde(deserialize_with = "non_empty")]`: the empty string is `None`.
///
/// # Errors
/// What `T` says of a text that is not empty.
pub fn non_empty<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| serde::de::Error::custom(format!("`{text}`: {error}")))
}

fn read_bounded(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > MAX_FILE_BYTES {
        let text = format!("it has {size} bytes, at most {MAX_FILE_BYTES} are read");
        return Err(failed(std::io::Error::new(std::io::ErrorKind::InvalidData, text)));
    }
    fs::read_to_string(path).map_err(failed)
}

fn parse(text: &str, layer: &str) -> Result<Table, ConfigError> {
    text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
        layer: layer.to_owned(),
        message: error.to_string().trim().to_owned(),
    })
}

fn known_keys(spec: &Spec, defaults: &Table) -> Result<BTreeMap<String, Value>, ConfigError> {
    let wrong = |message: String| ConfigError::Defaults { role: spec.role.to_owned(), message };
    let mut known = BTreeMap::new();
    flatten("", defaults, &mut known);
    if known.len() > MAX_KEYS {
        return Err(wrong(format!("{} keys, at most {MAX_KEYS} are allowed", known.len())));
    }
    let mut names = BTreeMap::new();
    for key in known.keys() {
        if let Some(other) = names.insert(env_form(key), key) {
            return Err(wrong(format!("`{key}` and `{other}` have one environment variable")));
        }
    }
    Ok(known)
}

fn flatten(prefix: &str, table: &Table, into: &mut BTreeMap<String, Value>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => flatten(&key, inner, into),
            other => {
                into.insert(key, other.clone());
            }
        }
    }
}

fn env_form(key: &str) -> String {
    key.replace(['.', '-'], "_").to_uppercase()
}

fn apply_file(
    table: &mut Table,
    known: &BTreeMap<String, Value>,
    file: Table,
    layer: &str,
) -> Result<(), ConfigError> {
    let mut given = BTreeMap::new();
    flatten("", &file, &mut given);
    for (key, value) in given {
        let default = known.get(&key).ok_or_else(|| unknown(&key, layer, known.keys().cloned(), &key))?;
        if default.type_str() != value.type_str() {
            return Err(ConfigError::WrongType {
                key,
                layer: layer.to_owned(),
                expected: with_article(default.type_str()),
                found: format!("{} (`{value}`)", with_article(value.type_str())),
            });
        }
        put(table, &key, value);
    }
    Ok(())
}

fn apply_env(
    table: &mut Table,
    known: &BTreeMap<String, Value>,
    spec: &Spec,
    env: &[(String, String)],
) -> Result<(), ConfigError> {
    let prefix = spec.env_prefix();
    for (name, text) in env {
        let Some(form) = name.strip_prefix(&prefix) else { continue };
        let layer = format!("the environment (`{name}`)");
        let Some(key) = known.keys().find(|key| env_form(key) == form) else {
            let forms = known.keys().map(|key| format!("{prefix}{}", env_form(key)));
            return Err(unknown(name, "the environment", forms, name));
        };
        apply_text(table, known, key, text, &layer)?;
    }
    Ok(())
}

fn apply_text(
    table: &mut Table,
    known: &BTreeMap<String, Value>,
    key: &str,
    text: &str,
    layer: &str,
) -> Result<(), ConfigError> {
    let default = known.get(key).ok_or_else(|| unknown(key, layer, known.keys().cloned(), key))?;
    let value = coerce(default, text).ok_or_else(|| ConfigError::WrongType {
        key: key.to_owned(),
        layer: layer.to_owned(),
        expected: with_article(default.type_str()),
        found: format!("`{text}`"),
    })?;
    put(table, key, value);
    Ok(())
}

/// A text as a value of the default's type; lists are separated by commas.
fn coerce(default: &Value, text: &str) -> Option<Value> {
    Some(match default {
        Value::String(_) => Value::String(text.to_owned()),
        Value::Integer(_) => Value::Integer(text.replace('_', "").parse().ok()?),
        Value::Float(_) => Value::Float(text.parse().ok()?),
        Value::Boolean(_) => Value::Boolean(text.parse().ok()?),
        Value::Datetime(_) => Value::Datetime(text.parse().ok()?),
        Value::Array(items) => {
            let pattern = items.first().cloned().unwrap_or_else(|| Value::String(String::new()));
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Value::Array(parts.map(|part| coerce(&pattern, part)).collect::<Option<_>>()?)
        }
        Value::Table(_) => return None,
    })
}

fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((first, rest)) => {
            // Every known key's tables come from the defaults.
            if let Some(Value::Table(inner)) = table.get_mut(first) {
                put(inner, rest, value);
            }
        }
    }
}

fn unknown(key: &str, layer: &str, known: impl Iterator<Item = String>, typed: &str) -> ConfigError {
    let scored = known.map(|candidate| (strsim::damerau_levenshtein(typed, &candidate), candidate));
    // Further than half the word is no resemblance.
    let closest =
        scored.min().filter(|(distance, _)| *distance <= typed.len().div_ceil(2)).map(|(_, key)| key);
    ConfigError::UnknownKey { key: key.to_owned(), layer: layer.to_owned(), closest }
}

fn with_article(kind: &'static str) -> &'static str {
    match kind {
        "string" => "a string",
        "integer" => "an integer",
        "float" => "a float",
        "boolean" => "a boolean (`true` or `false`)",
        "datetime" => "a date and time",
        "array" => "a list",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = Spec {
        role: "worker",
        defaults: r#"
            # How many tasks run at once.
            slots = 2
            # Coordinators.
            coordinators = []
            [chain]
            # Node; empty = the embedded chain.
            url = ""
            confirmations = 1
            [log]
            json = false
        "#,
    };

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        slots: u16,
        coordinators: Vec<String>,
        chain: Chain,
        log: Log,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Chain {
        #[serde(deserialize_with = "non_empty")]
        url: Option<String>,
        confirmations: u64,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Log {
        json: bool,
    }

    fn with_file(text: &str) -> (tempfile::TempDir, Layers) {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("worker.toml");
        fs::write(&path, text).expect("write");
        let layers = Layers { file: Some(path), ..Layers::default() };
        (dir, layers)
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn defaults_alone_are_complete() {
        let settings: Settings = load(&SPEC, &Layers::default()).expect("load");
        assert_eq!((settings.slots, settings.chain.url, settings.log.json), (2, None, false));
    }

    #[test]
    fn each_layer_overrides_the_one_below() {
        let (_dir, mut layers) = with_file("slots = 3\n[chain]\nurl = \"http://file\"\nconfirmations = 5\n");
        layers.env = vec![
            pair("GUILDHALL_WORKER_CHAIN_URL", "http://env"),
            pair("GUILDHALL_WORKER_COORDINATORS", "http://a, http://b"),
            pair("GUILDHALL_GATEWAY_WHATEVER", "another role's"),
        ];
        layers.flags = vec![pair("chain.confirmations", "12"), pair("log.json", "true")];
        let settings: Settings = load(&SPEC, &layers).expect("load");
        assert_eq!(settings.slots, 3);
        assert_eq!(settings.coordinators, ["http://a", "http://b"]);
        assert_eq!(settings.chain, Chain { url: Some("http://env".into()), confirmations: 12 });
        assert!(settings.log.json);
    }

    #[test]
    fn an_unknown_key_names_itself_and_the_closest() {
        let (_dir, layers) = with_file("[chain]\nconfirmation = 5\n");
        let error = load::<Settings>(&SPEC, &layers).expect_err("unknown");
        assert_eq!(error.code(), "config.unknown_key");
        assert!(error.to_string().starts_with("unknown key `chain.confirmation` in file "), "{error}");
        assert_eq!(error.hint().as_deref(), Some("did you mean `chain.confirmations`?"));
    }

    #[test]
    fn an_unknown_variable_of_the_role_is_an_error() {
        let layers = Layers { env: vec![pair("GUILDHALL_WORKER_SLOT", "1")], ..Layers::default() };
        let error = load::<Settings>(&SPEC, &layers).expect_err("unknown");
        assert_eq!(error.hint().as_deref(), Some("did you mean `GUILDHALL_WORKER_SLOTS`?"));
    }

    #[test]
    fn a_value_of_another_type_names_both_types() {
        let (_dir, layers) = with_file("slots = \"two\"\n");
        let error = load::<Settings>(&SPEC, &layers).expect_err("type");
        assert_eq!(error.code(), "config.wrong_type");
        assert!(error.to_string().ends_with("is a string (`\"two\"`), and must be an integer"), "{error}");
        let layers = Layers { flags: vec![pair("slots", "two")], ..Layers::default() };
        let error = load::<Settings>(&SPEC, &layers).expect_err("type");
        assert_eq!(error.to_string(), "`slots` in flag `slots` is `two`, and must be an integer");
    }

    #[test]
    fn a_value_out_of_range_is_refused() {
        let layers = Layers { flags: vec![pair("slots", "70000")], ..Layers::default() };
        assert_eq!(load::<Settings>(&SPEC, &layers).expect_err("range").code(), "config.invalid");
    }

    #[test]
    fn a_missing_file_is_an_error_with_its_path() {
        let layers = Layers { file: Some("/nowhere/worker.toml".into()), ..Layers::default() };
        let error = load::<Settings>(&SPEC, &layers).expect_err("missing");
        assert!(error.to_string().contains("/nowhere/worker.toml"), "{error}");
    }

    #[test]
    fn a_role_with_too_many_keys_is_refused() {
        let text: String = (0..=MAX_KEYS).map(|n| format!("key{n} = 1\n")).collect();
        let spec = Spec { role: "big", defaults: Box::leak(text.into_boxed_str()) };
        assert_eq!(merged(&spec, &Layers::default()).expect_err("keys").code(), "config.defaults");
    }
}
