//! Machine code on disk, so that a module is compiled once a machine (rule R13).
//!
//! A file is used only if its keyed BLAKE3 fits: the key is random, made with the directory and readable by its owner
//! alone, and the message names engine, target, settings, runtime and module. So a damaged file, one of another
//! version, or one that somebody brought along is compiled anew, never loaded. Machine code is never fetched.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{error::SandboxError, instrument::Facts, task::ModuleId};

const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = 32;

/// Machine code and what the host must know of it.
pub(crate) struct Compiled {
    pub(crate) facts: Facts,
    pub(crate) code: Vec<u8>,
}

/// A directory of machine code of one engine.
pub(crate) struct Cache {
    directory: PathBuf,
    key: [u8; KEY_BYTES],
    /// What the code depends on beside the module.
    context: Vec<u8>,
}

impl Cache {
    /// Opens or makes the directory.
    pub(crate) fn open(directory: &Path, context: Vec<u8>) -> Result<Self, SandboxError> {
        let failed = |path: &Path| {
            let path = path.display().to_string();
            move |source| SandboxError::Cache { path, source }
        };
        fs::create_dir_all(directory).map_err(failed(directory))?;
        let path = directory.join(KEY_FILE);
        let key = match read_key(&path) {
            Ok(key) => key,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_key(&path).map_err(failed(&path))?
            }
            Err(error) => return Err(failed(&path)(error)),
        };
        Ok(Self { directory: directory.to_owned(), key, context })
    }

    /// The code of a module, if this machine has made it before and nobody has touched it.
    pub(crate) fn get(&self, module: ModuleId) -> Option<Compiled> {
        let path = self.path(module);
        let bytes = fs::read(&path).ok()?;
        let found = self.check(module, &bytes);
        if found.is_none() {
            tracing::warn!(path = %path.display(), "machine code is damaged or not ours; compiling anew");
        }
        found
    }

    fn check(&self, module: ModuleId, bytes: &[u8]) -> Option<Compiled> {
        let (mac, body) = bytes.split_at_checked(MAC_BYTES)?;
        // `blake3::Hash` compares in constant time.
        if self.mac(module, body) != blake3::Hash::from_slice(mac).ok()? {
            return None;
        }
        let (facts, code) = postcard::take_from_bytes(body).ok()?;
        Some(Compiled { facts, code: code.to_vec() })
    }

    /// Keeps code: whole or not at all. A failure costs a compilation later, so it is only logged.
    pub(crate) fn put(&self, module: ModuleId, compiled: &Compiled) {
        if let Err(error) = self.write(module, compiled) {
            tracing::warn!(%module, %error, "cannot keep machine code; it will be compiled again");
        }
    }

    fn write(&self, module: ModuleId, compiled: &Compiled) -> io::Result<()> {
        let mut body = postcard::to_stdvec(&compiled.facts).map_err(io::Error::other)?;
        body.extend_from_slice(&compiled.code);
        let path = self.path(module);
        let partial = unique_name(&path);
        let mut file = new_file(&partial)?;
        let written = file
            .write_all(self.mac(module, &body).as_bytes())
            .and_then(|()| file.write_all(&body))
            .and_then(|()| fs::rename(&partial, &path));
        written.inspect_err(|_| drop(fs::remove_file(&partial)))
    }

    /// The file's name binds everything that the code depends on, so that other versions are other files.
    fn path(&self, module: ModuleId) -> PathBuf {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.context).update(module.0.as_slice());
        self.directory.join(format!("{}.aot", hasher.finalize().to_hex()))
    }

    fn mac(&self, module: ModuleId, body: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(self.context.len() as u64).to_le_bytes()).update(&self.context);
        hasher.update(module.0.as_slice()).update(body);
        hasher.finalize()
    }
}

fn read_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    fs::File::open(path)?.read_exact(&mut key)?;
    Ok(key)
}

/// Makes a key; where two processes do so at once, both use the one that was linked first.
fn make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    let partial = unique_name(path);
    new_file(&partial)?.write_all(&key)?;
    let linked = fs::hard_link(&partial, path);
    fs::remove_file(&partial)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read_key(path),
    }
}

fn new_file(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// A name beside `path` that no other thread or process uses.
fn unique_name(path: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    path.with_extension(format!("{}.{number}.partial", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(directory: &Path) -> (Cache, ModuleId) {
        let cache = Cache::open(directory, b"engine 1".to_vec()).expect("a fresh directory");
        let module = ModuleId::of(b"module");
        let facts =
            Facts { memory_min_pages: 1, initial_fuel: 2, mutable_globals: 3, has_start_function: false };
        cache.put(module, &Compiled { facts, code: b"machine code".to_vec() });
        (cache, module)
    }

    #[test]
    fn what_was_put_is_found_again_by_another_process() {
        let directory = tempfile::tempdir().expect("a directory");
        let (_, module) = sample(directory.path());
        let again = Cache::open(directory.path(), b"engine 1".to_vec()).expect("there");
        assert_eq!(again.get(module).expect("kept").code, b"machine code");
    }

    #[test]
    fn corrupt_foreign_and_renamed_files_are_never_used() {
        let directory = tempfile::tempdir().expect("a directory");
        let (cache, module) = sample(directory.path());
        let path = cache.path(module);
        let good = fs::read(&path).expect("there");

        for position in [0, MAC_BYTES, good.len() - 1] {
            let mut bad = good.clone();
            bad[position] ^= 1;
            fs::write(&path, &bad).expect("written");
            assert!(cache.get(module).is_none(), "byte {position}");
        }
        for len in [0, 1, MAC_BYTES, good.len() - 1] {
            fs::write(&path, &good[..len]).expect("written");
            assert!(cache.get(module).is_none(), "cut to {len}");
        }

        let elsewhere = tempfile::tempdir().expect("a directory");
        let (other, _) = sample(elsewhere.path());
        fs::copy(other.path(module), &path).expect("brought along");
        assert!(cache.get(module).is_none(), "another machine's code");

        let another = ModuleId::of(b"another module");
        fs::write(cache.path(another), &good).expect("renamed");
        assert!(cache.get(another).is_none(), "another module's code");

        let newer = Cache::open(directory.path(), b"engine 2".to_vec()).expect("there");
        fs::write(newer.path(module), &good).expect("written");
        assert!(newer.get(module).is_none(), "another engine's code");
    }
}
