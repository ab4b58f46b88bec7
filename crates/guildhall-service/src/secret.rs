//! Values that never show: not in logs, not in `Debug`, not in JSON, and wiped from memory when dropped.
//!
//! Knows nothing of where secrets come from; reading one from a file is [`Secret::read_file`].

use std::{fmt, fs, io, path::Path};

use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, Zeroizing};

/// Longest secret file that is read, in bytes: a password, a token or a PEM key, never more.
pub const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// A value that prints as `***` and is overwritten when dropped. It has no `Serialize`, on purpose.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value. Call it where it is used and keep no copy.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl Secret<String> {
    /// Reads a secret from a file, without the trailing line end.
    ///
    /// # Errors
    /// When the file cannot be read, is not UTF-8, or is longer than [`MAX_SECRET_BYTES`].
    pub fn read_file(path: &Path) -> io::Result<Self> {
        let size = fs::metadata(path)?.len();
        if size > MAX_SECRET_BYTES {
            let text =
                format!("{} has {size} bytes, a secret has {MAX_SECRET_BYTES} at most", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let raw = Zeroizing::new(fs::read_to_string(path)?);
        Ok(Self::new(raw.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T: Zeroize> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_file_loses_its_line_end_and_nothing_else() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("password");
        fs::write(&path, " two words \r\n").expect("write");
        assert_eq!(Secret::read_file(&path).expect("read").expose(), " two words ");
    }

    #[test]
    fn an_endless_secret_is_refused() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("password");
        fs::write(&path, vec![b'a'; MAX_SECRET_BYTES as usize + 1]).expect("write");
        let error = Secret::read_file(&path).expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
