//! A limit of memory for programs, as a small board has it: a control group of the kernel, of either version. Needs root.

use std::{fs, io, path::PathBuf};

/// Where control groups are, with what the limit and the highest use are called: version 2, then version 1.
const KINDS: [(&str, &str, &str); 2] = [
    ("/sys/fs/cgroup", "memory.max", "memory.peak"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
];

/// A control group, as long as this lives and programs run in it.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    peak: &'static str,
}

impl Memory {
    /// A group of that many bytes, page cache and all, without swap.
    ///
    /// # Errors
    /// The kernel refuses: not root, say, or no control groups.
    pub fn limited(name: &str, bytes: u64) -> io::Result<Self> {
        let mut refused = io::Error::other("no control groups");
        for (root, limit, peak) in KINDS {
            let path = PathBuf::from(root).join(format!("guildhall-{name}-{}", std::process::id()));
            // Without this file the directory is one like others, and so would be the limit's.
            let made = fs::create_dir_all(&path)
                .and_then(|()| fs::metadata(path.join("cgroup.procs")))
                .and_then(|_| fs::write(path.join(limit), bytes.to_string()));
            match made {
                Ok(()) => return Ok(Self { path, peak }),
                Err(error) => {
                    let _ = fs::remove_dir(&path);
                    refused = error;
                }
            }
        }
        Err(refused)
    }

    /// What starts a program in the group.
    #[must_use]
    pub fn inside(&self) -> Vec<String> {
        let script = format!("echo $$ >{}/cgroup.procs && exec \"$0\" \"$@\"", self.path.display());
        ["sh", "-c", &script].map(str::to_owned).to_vec()
    }

    /// The most that was used at once, in bytes.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn most(&self) -> io::Result<u64> {
        let said = fs::read_to_string(self.path.join(self.peak))?;
        said.trim().parse().map_err(io::Error::other)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // Only an empty group can go.
        let _ = fs::remove_dir(&self.path);
    }
}
