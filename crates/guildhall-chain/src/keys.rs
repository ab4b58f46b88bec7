//! Keys: encrypted files (Ethereum keystore version 3), and signatures in the form that the protocol uses.
//!
//! A raw key is never an argument, never printed and never in a file. Knows nothing of what is signed.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use alloy::{
    primitives::{Address, B256},
    signers::{
        SignerSync,
        k256::elliptic_curve::rand_core::OsRng,
        local::{LocalSignerError, PrivateKeySigner},
    },
    sol_types::{Eip712Domain, SolStruct},
};
use guildhall_protocol::CompactSignature;
use guildhall_service::{
    Coded, Secret,
    files::{self, FileError, MODE_PRIVATE},
};

/// Errors of keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file is not there or cannot be used.
    #[error("cannot read key file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The password does not open it, or it is not a keystore.
    #[error("cannot open key file {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Wrong password, or what is wrong with the file.
        source: Box<LocalSignerError>,
    },
    /// There is a file already: a key is never overwritten.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// The key cannot be encrypted or used.
    #[error("the key cannot be used: {0}")]
    Unusable(String),
}

impl Coded for KeyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "keys.read",
            Self::Open { .. } => "keys.open",
            Self::Exists { .. } => "keys.exists",
            Self::Write(_) => "keys.write",
            Self::Unusable(_) => "keys.unusable",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Read { .. } => "create one with `guildhall key new`, or give the right path",
                Self::Open { .. } => {
                    "check the password, and that the file is an Ethereum keystore (version 3)"
                }
                Self::Exists { .. } => "choose another name; keys are never overwritten",
                Self::Write(error) => return error.hint(),
                Self::Unusable(_) => return None,
            }
            .to_owned(),
        )
    }
}

/// A key that signs. Cheap to clone; prints as its address.
#[derive(Clone)]
pub struct Key {
    signer: PrivateKeySigner,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.address())
    }
}

impl From<PrivateKeySigner> for Key {
    fn from(signer: PrivateKeySigner) -> Self {
        Self { signer }
    }
}

impl Key {
    /// A new random key, in memory alone.
    pub fn random() -> Self {
        Self { signer: PrivateKeySigner::random_with(&mut OsRng) }
    }

    /// Creates a new random key in a file of mode 0600.
    ///
    /// # Errors
    /// [`KeyError::Exists`] when there is a file; [`KeyError::Write`] when it cannot be written.
    pub fn create(path: &Path, password: &Secret<String>) -> Result<Self, KeyError> {
        let key = Self::random();
        key.save(path, password)?;
        Ok(key)
    }

    /// Encrypts the key into a file of mode 0600, in one step.
    ///
    /// # Errors
    /// As [`Key::create`].
    pub fn save(&self, path: &Path, password: &Secret<String>) -> Result<(), KeyError> {
        if path.exists() {
            return Err(KeyError::Exists { path: path.to_owned() });
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        files::create_private_dir(parent)?;
        // The keystore writer chooses neither mode nor atomicity: it writes into a directory that is only ours.
        let scratch = parent.join(format!(".key-{}", Self::random().address()));
        files::create_private_dir(&scratch)?;
        let written = self.encrypt(&scratch, path, password);
        // Best effort: what stays is encrypted and private.
        let _ = fs::remove_dir_all(&scratch);
        written
    }

    fn encrypt(&self, scratch: &Path, path: &Path, password: &Secret<String>) -> Result<(), KeyError> {
        let secret = Secret::new(self.signer.to_bytes().0);
        let name = "key";
        PrivateKeySigner::encrypt_keystore(
            scratch,
            &mut OsRng,
            secret.expose(),
            password.expose(),
            Some(name),
        )
        .map_err(|error| KeyError::Unusable(error.to_string()))?;
        let read = |source| KeyError::Read { path: path.to_owned(), source };
        let bytes = fs::read(scratch.join(name)).map_err(read)?;
        Ok(files::atomic_write(path, &bytes, MODE_PRIVATE)?)
    }

    /// Opens a key file. Slow on purpose (key derivation): call it once, off the async threads.
    ///
    /// # Errors
    /// [`KeyError::Read`] when there is none, [`KeyError::Open`] when the password is wrong.
    pub fn load(path: &Path, password: &Secret<String>) -> Result<Self, KeyError> {
        let read = |source| KeyError::Read { path: path.to_owned(), source };
        let size = fs::metadata(path).map_err(read)?.len();
        if size > MAX_FILE_BYTES {
            let text = format!("it has {size} bytes, a key file has {MAX_FILE_BYTES} at most");
            return Err(read(std::io::Error::new(std::io::ErrorKind::InvalidData, text)));
        }
        let opened = PrivateKeySigner::decrypt_keystore(path, password.expose());
        let signer =
            opened.map_err(|source| KeyError::Open { path: path.to_owned(), source: Box::new(source) })?;
        Ok(Self { signer })
    }

    /// The key's address.
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// The signer, for alloy.
    pub fn signer(&self) -> &PrivateKeySigner {
        &self.signer
    }

    /// Signs a digest, in the compact form of EIP-2098.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] when the key cannot sign: never with a key of this type.
    pub fn sign(&self, digest: B256) -> Result<CompactSignature, KeyError> {
        let signature =
            self.signer.sign_hash_sync(&digest).map_err(|error| KeyError::Unusable(error.to_string()))?;
        let bytes = signature.as_erc2098();
        Ok(CompactSignature { r: B256::from_slice(&bytes[..32]), vs: B256::from_slice(&bytes[32..]) })
    }

    /// Signs an EIP-712 message.
    ///
    /// # Errors
    /// As [`Key::sign`].
    pub fn sign_message(
        &self,
        message: &impl SolStruct,
        domain: &Eip712Domain,
    ) -> Result<CompactSignature, KeyError> {
        self.sign(message.eip712_signing_hash(domain))
    }
}

/// Largest key file, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_key_file_opens_with_its_password_alone() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("keys/worker.json");
        let key = Key::create(&path, &password("right")).expect("create");
        assert_eq!(Key::load(&path, &password("right")).expect("load").address(), key.address());
        assert_eq!(Key::load(&path, &password("wrong")).expect_err("password").code(), "keys.open");
        let text = fs::read_to_string(&path).expect("read");
        let value: serde_json::Value = serde_json::from_str(&text).expect("json");
        assert_eq!(value["version"], 3);
        let secret = format!("{:x}", key.signer.to_bytes());
        assert!(!text.contains(&secret));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_is_private_and_nothing_lies_beside_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("worker.json");
        Key::create(&path, &password("p")).expect("create");
        assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("read dir").count(), 1);
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("worker.json");
        let key = Key::create(&path, &password("p")).expect("create");
        assert_eq!(Key::create(&path, &password("p")).expect_err("exists").code(), "keys.exists");
        assert_eq!(Key::load(&path, &password("p")).expect("load").address(), key.address());
    }

    #[test]
    fn a_missing_and_a_broken_file_are_told_apart() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("worker.json");
        assert_eq!(Key::load(&path, &password("p")).expect_err("missing").code(), "keys.read");
        fs::write(&path, "not json").expect("write");
        assert_eq!(Key::load(&path, &password("p")).expect_err("broken").code(), "keys.open");
    }

    #[test]
    fn a_compact_signature_names_its_signer() {
        let key = Key::random();
        let digest = B256::repeat_byte(7);
        let signature = key.sign(digest).expect("sign");
        assert_eq!(signature.signer(digest).expect("recover"), key.address());
        assert_eq!(format!("{key:?}"), format!("Key({})", key.address()));
    }
}
