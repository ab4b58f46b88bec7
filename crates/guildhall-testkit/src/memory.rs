//! Programs that have little memory: a control group of their own, as a small board has no more.
//!
//! Knows both versions of Linux's control groups. Needs root; whoever asks for more memory than there is gets killed by the kernel.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Groups of this process, each with a name of its own.
static MADE: AtomicU64 = AtomicU64::new(0);

/// A bound on the memory of programs, as long as this lives.
#[derive(Debug)]
pub struct MemoryLimit {
    group: PathBuf,
    /// Where the kernel counts kills.
    events: &'static str,
}

impl MemoryLimit {
    /// Makes a group whose programs have so much memory together, in bytes; pages of files that they read count, and go first.
    ///
    /// # Errors
    /// The kernel refuses: not root, or no control groups.
    pub fn of(bytes: u64) -> io::Result<Self> {
        let name = format!("guildhall-{}-{}", std::process::id(), MADE.fetch_add(1, Relaxed));
        let (first, second) = (Path::new("/sys/fs/cgroup/memory"), Path::new("/sys/fs/cgroup"));
        let (root, limit, events) = if first.exists() {
            (first, "memory.limit_in_bytes", "memory.oom_control")
        } else {
            fs::write(second.join("cgroup.subtree_control"), "+memory")?;
            (second, "memory.max", "memory.events")
        };
        let group = root.join(name);
        fs::create_dir(&group)?;
        fs::write(group.join(limit), bytes.to_string())?;
        Ok(Self { group, events })
    }

    /// What starts a program in the group; its children are in it, too.
    #[must_use]
    pub fn within(&self) -> Vec<String> {
        let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.group.display());
        ["sh", "-c", &enter, "sh"].map(str::to_owned).to_vec()
    }

    /// How many programs were killed because there was no memory left.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn kills(&self) -> io::Result<u64> {
        let told = fs::read_to_string(self.group.join(self.events))?;
        let count = told.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.parse().ok()).ok_or_else(|| io::Error::other(told))
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // Only an empty group goes: programs in it are whoever started them's to end.
        let _ = fs::remove_dir(&self.group);
    }
}
