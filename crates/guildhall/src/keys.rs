//! Keys in keystore files (Web3 Secret Storage, version 3): never a raw key on a command line, in the environment or
//! in plain on the disk.
//!
//! Knows nothing of what is signed.

use std::{
    fs,
    io::{IsTerminal as _, Read as _},
    path::{Path, PathBuf},
};

use alloy::{
    primitives::{Address, B256},
    signers::local::PrivateKeySigner,
};
use guildhall_chain::{Key, KeyError};
use guildhall_service::{
    Secret,
    files::{MODE_PRIVATE, atomic_write, create_private_dir},
};
use serde::Serialize;
use serde_json::Value;

use crate::error::{Failure, Result};

/// The longest password that is read.
const PASSWORD_MAX_BYTES: u64 = 1_024;
/// The largest keystore file that is read.
const KEYSTORE_MAX_BYTES: u64 = 64 * 1024;
/// The password of a development city's keys: a file beside them, readable by its owner only.
const CITY_PASSWORD_FILE: &str = ".password";
/// A key's name: letters, digits, `-`, `_` and `.`, not at the start.
const NAME_MAX_BYTES: usize = 64;

/// Where passwords come from, in this order: a file, a file descriptor, the city's own file beside the key, a prompt.
///
/// One order for making a key and for opening it, so that what was made here opens here.
#[derive(Clone, Debug, Default)]
pub struct PasswordSource {
    /// A file whose first line is the password.
    pub file: Option<PathBuf>,
    /// An open file descriptor to read the password from.
    pub descriptor: Option<u32>,
}

/// A folder of keystore files.
#[derive(Clone, Debug)]
pub struct KeyStore {
    dir: PathBuf,
}

/// A password that nobody was asked for.
struct FoundPassword {
    password: Secret<String>,
    /// The city's file that it lies in, if it does.
    beside: Option<PathBuf>,
}

/// A key as it is listed: nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyEntry {
    /// The file's name without its ending.
    pub name: String,
    /// The address, where the file states it.
    pub address: Option<Address>,
    /// The file.
    pub file: PathBuf,
}

impl KeyStore {
    /// The keys of a data directory: its folder `keys`.
    pub fn of_data(data: &Path) -> Self {
        Self { dir: data.join("keys") }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// All keys, by name.
    ///
    /// # Errors
    /// `file.*` when the folder can't be read. A folder that is not there holds no keys.
    pub fn list(&self) -> Result<Vec<KeyEntry>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::file("read the folder", &self.dir, &error)),
        };
        let mut keys: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .filter_map(|file| {
                let name = file.file_stem()?.to_str()?.to_owned();
                Some(KeyEntry { name, address: stated_address(&file), file })
            })
            .collect();
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(keys)
    }

    /// The file of a key named on the command line: a name in this store, or a path.
    ///
    /// # Errors
    /// `keys.missing` with the names that there are.
    pub fn find(&self, key: &str) -> Result<PathBuf> {
        let path = Path::new(key);
        if path.components().count() > 1 || path.extension().is_some_and(|ending| ending == "json") {
            return if path.is_file() { Ok(path.to_owned()) } else { Err(missing(key, &[])) };
        }
        let file = self.file(key);
        if file.is_file() { Ok(file) } else { Err(missing(key, &self.list()?)) }
    }

    /// Opens a key.
    ///
    /// # Errors
    /// `keys.missing`, `keys.password_missing`, `keys.wrong_password`, `keys.malformed`.
    pub fn open(&self, key: &str, password: &PasswordSource) -> Result<Key> {
        let file = self.find(key)?;
        let found = self.found_password(&file, password)?;
        let beside = found.as_ref().and_then(|found| found.beside.clone());
        let password = match found {
            Some(found) => found.password,
            None => ask(&format!("Password of `{key}`: "))?,
        };
        decrypt(&file, &password).map_err(|failure| match beside {
            Some(beside) if failure.code() == "keys.wrong_password" => failure.hint(format!(
                "the password came from `{}`; give the key's own with `--password-file FILE`",
                beside.display()
            )),
            _ => failure,
        })
    }

    /// Makes a new random key.
    ///
    /// # Errors
    /// `keys.name`, `keys.exists`, `keys.password_missing`, `file.*`.
    pub fn create(&self, name: &str, password: &PasswordSource) -> Result<KeyEntry> {
        self.store(name, &Key::random(), password)
    }

    /// Stores a key under a name.
    ///
    /// # Errors
    /// `keys.name`, `keys.exists`, `keys.invalid`, `keys.password_missing`, `file.*`.
    pub fn store(&self, name: &str, key: &Key, password: &PasswordSource) -> Result<KeyEntry> {
        check_name(name)?;
        let file = self.file(name);
        if file.exists() {
            return Err(Failure::new(
                "keys.exists",
                format!("there is a key `{name}` already: `{}`", file.display()),
            )
            .hint("choose another name"));
        }
        let password = self.new_password(&file, password)?;
        self.write(name, key, &password)
    }

    /// Makes the keys of a development city under one generated password that is kept beside them.
    ///
    /// Returns every key, opened; keys that exist are opened and kept.
    ///
    /// # Errors
    /// `file.*`, and what [`KeyStore::open`] says of a key that does not open.
    pub fn city(&self, names: &[String]) -> Result<Vec<Key>> {
        let password = self.city_password()?;
        names
            .iter()
            .map(|name| {
                let file = self.file(name);
                if !file.exists() {
                    self.write(name, &Key::random(), &password)?;
                }
                decrypt(&file, &password)
            })
            .collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.json"))
    }

    fn city_password(&self) -> Result<Secret<String>> {
        let file = self.dir.join(CITY_PASSWORD_FILE);
        if file.exists() {
            return first_line(&file);
        }
        let password = hex::encode(B256::random());
        create_private_dir(&self.dir)?;
        atomic_write(&file, password.as_bytes(), MODE_PRIVATE)?;
        Ok(Secret::new(password))
    }

    fn write(&self, name: &str, key: &Key, password: &Secret<String>) -> Result<KeyEntry> {
        let file = self.file(name);
        key.save(&file, password)?;
        // As geth does, so that a list needs no password.
        let mut keystore: Value = serde_json::from_str(&read_bounded(&file)?)
            .map_err(|error| Failure::new("keys.malformed", format!("the key was written badly: {error}")))?;
        keystore["address"] = Value::String(hex::encode(key.address()));
        atomic_write(&file, keystore.to_string().as_bytes(), MODE_PRIVATE)?;
        Ok(KeyEntry { name: name.to_owned(), address: Some(key.address()), file })
    }

    /// The password of a key's file that nobody has to be asked for.
    fn found_password(&self, file: &Path, source: &PasswordSource) -> Result<Option<FoundPassword>> {
        if let Some(password) = source.given()? {
            return Ok(Some(FoundPassword { password, beside: None }));
        }
        let beside = file.parent().unwrap_or(&self.dir).join(CITY_PASSWORD_FILE);
        if !beside.is_file() {
            return Ok(None);
        }
        Ok(Some(FoundPassword { password: first_line(&beside)?, beside: Some(beside) }))
    }

    /// The password for a new key: asked for twice at a prompt.
    fn new_password(&self, file: &Path, source: &PasswordSource) -> Result<Secret<String>> {
        let password = match self.found_password(file, source)? {
            Some(found) => found.password,
            None => ask_twice(&format!("New password for `{}`: ", file.display()))?,
        };
        if password.expose().is_empty() {
            return Err(Failure::new("keys.password_empty", "an empty password protects nothing")
                .hint("give one by prompt or `--password-file`"));
        }
        Ok(password)
    }
}

impl PasswordSource {
    fn given(&self) -> Result<Option<Secret<String>>> {
        match (&self.file, self.descriptor) {
            (Some(file), _) => first_line(file).map(Some),
            (None, Some(descriptor)) => first_line(Path::new(&format!("/dev/fd/{descriptor}"))).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// Opens a keystore file.
///
/// # Errors
/// `keys.wrong_password`, `keys.malformed`, `keys.read`.
pub fn decrypt(file: &Path, password: &Secret<String>) -> Result<Key> {
    let shape: Option<Value> = serde_json::from_str(&read_bounded(file)?).ok();
    if shape.is_none_or(|value| value["version"] != 3 || !value["crypto"].is_object()) {
        return Err(Failure::new(
            "keys.malformed",
            format!("`{}` is no keystore file of version 3", file.display()),
        )
        .hint("`guildhall key list` shows the keys that there are"));
    }
    Key::load(file, password).map_err(|error| match error {
        // A wrong password shows as a wrong code of authentication.
        KeyError::Open { source, .. } if source.to_string().to_lowercase().contains("mac") => {
            Failure::new("keys.wrong_password", format!("the password does not open `{}`", file.display()))
                .hint("check the password (`--password-file`, `GUILDHALL_PASSWORD_FD` or the prompt) and the key's name")
        }
        error => error.into(),
    })
}

/// Reads a raw key in hexadecimal from standard input, for an import.
///
/// # Errors
/// `keys.invalid` when it is anything else than 32 bytes.
pub fn read_secret(mut input: impl std::io::Read) -> Result<Key> {
    let mut text = String::new();
    input
        .by_ref()
        .take(PASSWORD_MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new("keys.invalid", format!("could not read the key: {error}")))?;
    let signer: Option<PrivateKeySigner> = text.trim().parse().ok();
    signer.map(Key::from).ok_or_else(|| {
        Failure::new("keys.invalid", "standard input holds no key")
            .hint("a key is 64 hexadecimal digits; a keystore file is imported with `--keystore FILE`")
    })
}

fn missing(key: &str, there: &[KeyEntry]) -> Failure {
    let failure = Failure::new("keys.missing", format!("there is no key `{key}`"));
    if there.is_empty() {
        return failure.hint("make one with `guildhall key new NAME`, or give a keystore file");
    }
    let names: Vec<_> = there.iter().map(|entry| entry.name.as_str()).collect();
    failure.hint(format!("the keys here are: {}", names.join(", ")))
}

fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.len() <= NAME_MAX_BYTES && !name.starts_with('.') && name.chars().all(plain) {
        return Ok(());
    }
    Err(Failure::new("keys.name", format!("`{name}` can't be a key's name"))
        .hint("letters, digits, `-`, `_` and `.`, 64 at most"))
}

fn stated_address(file: &Path) -> Option<Address> {
    let value: Value = serde_json::from_str(&read_bounded(file).ok()?).ok()?;
    value["address"].as_str()?.parse().ok()
}

fn ask(prompt: &str) -> Result<Secret<String>> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("keys.password_missing", "no password was given")
            .hint("give one with `--password-file FILE`, or a descriptor in `GUILDHALL_PASSWORD_FD`"));
    }
    rpassword::prompt_password(prompt)
        .map(Secret::new)
        .map_err(|error| Failure::new("keys.password_missing", format!("could not read a password: {error}")))
}

fn ask_twice(prompt: &str) -> Result<Secret<String>> {
    let password = ask(prompt)?;
    if ask("The same again: ")?.expose() != password.expose() {
        return Err(Failure::new("keys.password_differs", "the two passwords differ").hint("try again"));
    }
    Ok(password)
}

fn first_line(file: &Path) -> Result<Secret<String>> {
    let failed = |error| Failure::file("read the password from", file, &error);
    let mut text = String::new();
    fs::File::open(file)
        .map_err(failed)?
        .take(PASSWORD_MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(Secret::new(text.lines().next().unwrap_or_default().to_owned()))
}

fn read_bounded(file: &Path) -> Result<String> {
    let failed = |error| Failure::file("read the key", file, &error);
    let mut text = String::new();
    fs::File::open(file)
        .map_err(failed)?
        .take(KEYSTORE_MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, KeyStore, PasswordSource) {
        let dir = tempfile::tempdir().unwrap();
        let password = dir.path().join("password");
        fs::write(&password, "correct horse\n").unwrap();
        let keys = KeyStore::of_data(dir.path());
        (dir, keys, PasswordSource { file: Some(password), descriptor: None })
    }

    #[test]
    fn a_new_key_opens_with_its_password_and_lists_without_it() {
        let (_dir, keys, password) = store();
        let made = keys.create("alice", &password).unwrap();
        assert_eq!(keys.open("alice", &password).unwrap().address(), made.address.unwrap());
        assert_eq!(keys.list().unwrap(), vec![made]);
    }

    #[test]
    fn a_wrong_password_is_told_from_a_broken_file() {
        let (dir, keys, password) = store();
        let made = keys.create("alice", &password).unwrap();
        let wrong = dir.path().join("wrong");
        fs::write(&wrong, "battery staple").unwrap();
        let wrong = PasswordSource { file: Some(wrong), descriptor: None };
        assert_eq!(keys.open("alice", &wrong).unwrap_err().code(), "keys.wrong_password");
        fs::write(&made.file, "{}").unwrap();
        assert_eq!(keys.open("alice", &password).unwrap_err().code(), "keys.malformed");
    }

    #[test]
    fn a_key_is_never_written_over() {
        let (_dir, keys, password) = store();
        keys.create("alice", &password).unwrap();
        assert_eq!(keys.create("alice", &password).unwrap_err().code(), "keys.exists");
    }

    #[test]
    fn a_name_cannot_leave_the_folder() {
        let (_dir, keys, password) = store();
        for name in ["", "../alice", "a/b", ".hidden", "a b"] {
            assert_eq!(keys.create(name, &password).unwrap_err().code(), "keys.name", "{name}");
        }
    }

    #[test]
    fn keys_are_readable_by_their_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, keys, password) = store();
        let made = keys.create("alice", &password).unwrap();
        assert_eq!(fs::metadata(&made.file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_keys_of_a_city_stay_the_same() {
        let (_dir, keys, _) = store();
        let names = ["deployer".to_owned(), "worker-1".to_owned()];
        let first = keys.city(&names).unwrap();
        let again = keys.city(&names).unwrap();
        let addresses = |keys: &[Key]| keys.iter().map(Key::address).collect::<Vec<_>>();
        assert_eq!(addresses(&first), addresses(&again));
        let opened = keys.open("worker-1", &PasswordSource::default()).unwrap();
        assert_eq!(opened.address(), first[1].address());
    }

    #[test]
    fn a_new_key_beside_a_citys_keys_opens_as_they_do() {
        let (_dir, keys, given) = store();
        keys.city(&["deployer".to_owned()]).unwrap();
        let nothing = PasswordSource::default();
        let made = keys.create("alice", &nothing).unwrap();
        assert_eq!(keys.open("alice", &nothing).unwrap().address(), made.address.unwrap());
        // A password that was given for the making has to be given for the opening, and the refusal says so.
        keys.create("bob", &given).unwrap();
        assert!(keys.open("bob", &given).is_ok());
        let refused = keys.open("bob", &nothing).err().unwrap();
        assert_eq!(refused.code(), "keys.wrong_password");
        assert!(refused.hint_text().unwrap().contains("--password-file"), "{refused:?}");
    }
}
