//! What an app sees beside its own memory: strings, streams, files, time and chance, all fixed by the task.

use std::{collections::VecDeque, io};

use super::{
    fs::{FileSystem, NodeId, ROOT},
    types::Errno,
};
use crate::{
    limits::{FDS_MAX, OUTPUT_MAX_BYTES, STDERR_TAIL_BYTES},
    task::{Content, Task},
};

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// What a descriptor refers to.
#[derive(Clone)]
pub(super) enum Target {
    Stdin { position: u64 },
    Stdout,
    Stderr,
    Directory(NodeId),
    File(OpenFile),
}

/// A file with a position.
#[derive(Clone)]
pub(super) struct OpenFile {
    pub(super) node: NodeId,
    pub(super) position: u64,
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) append: bool,
}

/// Everything that the host calls of one task work on.
pub(crate) struct World {
    pub(super) args: Vec<Vec<u8>>,
    pub(super) env: Vec<Vec<u8>>,
    pub(super) time_nanos: u64,
    pub(super) random: blake3::OutputReader,
    pub(super) input: Content,
    pub(super) fs: FileSystem,
    fds: Vec<Option<Target>>,
    stdout: Vec<u8>,
    stderr: VecDeque<u8>,
}

impl World {
    /// The world of a task that was checked.
    pub(crate) fn new(task: &Task) -> io::Result<Self> {
        let input = task.input.content()?;
        let mut files = vec![("input".to_owned(), input.clone())];
        for (name, blob) in &task.files {
            files.push((name.clone(), blob.content()?));
        }
        if let Some(dataset) = &task.dataset {
            files.push(("dataset".to_owned(), dataset.content()?));
        }
        let zero_ended = |text: &str| text.bytes().chain([0]).collect::<Vec<u8>>();
        let mut fs = FileSystem::new(files);
        fs.hold(ROOT);
        Ok(Self {
            args: task.args.iter().map(|arg| zero_ended(arg)).collect(),
            env: task.env.iter().map(|(name, value)| zero_ended(&format!("{name}={value}"))).collect(),
            time_nanos: task.deal_time_secs * NANOS_PER_SEC,
            random: blake3::Hasher::new_derive_key("guildhall 2026-11 random")
                .update(&task.seed)
                .finalize_xof(),
            input,
            fs,
            fds: vec![
                Some(Target::Stdin { position: 0 }),
                Some(Target::Stdout),
                Some(Target::Stderr),
                Some(Target::Directory(ROOT)),
            ],
            stdout: Vec::new(),
            stderr: VecDeque::new(),
        })
    }

    /// The output, and the end of standard error: `/out/result` where the app made it, else standard output.
    pub(crate) fn into_output(mut self) -> (Vec<u8>, Vec<u8>) {
        let stdout = self.stdout;
        (self.fs.take_result().unwrap_or(stdout), self.stderr.into())
    }

    pub(super) fn target(&mut self, fd: u32) -> Result<&mut Target, Errno> {
        self.fds.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::BadFd)
    }

    pub(super) fn directory(&mut self, fd: u32) -> Result<NodeId, Errno> {
        match self.target(fd)? {
            Target::Directory(node) => Ok(*node),
            _ => Err(Errno::NotDirectory),
        }
    }

    pub(super) fn file(&mut self, fd: u32) -> Result<&mut OpenFile, Errno> {
        match self.target(fd)? {
            Target::File(file) => Ok(file),
            Target::Directory(_) => Err(Errno::IsDirectory),
            _ => Err(Errno::NotSeekable),
        }
    }

    /// A node that the descriptor holds.
    pub(super) fn node(&mut self, fd: u32) -> Result<Option<NodeId>, Errno> {
        Ok(match self.target(fd)? {
            Target::Directory(node) => Some(*node),
            Target::File(file) => Some(file.node),
            _ => None,
        })
    }

    /// Whether another descriptor can be opened.
    pub(super) fn check_free_fd(&self) -> Result<(), Errno> {
        let open = self.fds.iter().flatten().count() as u64;
        if open < FDS_MAX { Ok(()) } else { Err(Errno::TooManyFds) }
    }

    /// Opens the lowest free descriptor.
    pub(super) fn open(&mut self, target: Target) -> Result<u32, Errno> {
        self.check_free_fd()?;
        if let Target::Directory(node) | Target::File(OpenFile { node, .. }) = &target {
            self.fs.hold(*node);
        }
        let fd = self.fds.iter().position(Option::is_none).unwrap_or(self.fds.len());
        if fd == self.fds.len() {
            self.fds.push(None);
        }
        self.fds[fd] = Some(target);
        Ok(fd as u32)
    }

    pub(super) fn close(&mut self, fd: u32) -> Result<(), Errno> {
        let target = self.fds.get_mut(fd as usize).and_then(Option::take).ok_or(Errno::BadFd)?;
        match target {
            Target::Directory(node) | Target::File(OpenFile { node, .. }) => self.fs.release(node),
            _ => {}
        }
        Ok(())
    }

    /// Moves a descriptor onto another open one.
    pub(super) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.target(from)?;
        self.target(to)?;
        if from != to {
            self.close(to)?;
            self.fds[to as usize] = self.fds[from as usize].take();
        }
        Ok(())
    }

    /// Appends to standard output, within the limit on all output.
    pub(super) fn print(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        if self.fs.kept_bytes + bytes.len() as u64 > OUTPUT_MAX_BYTES {
            return Err(Errno::NoSpace);
        }
        self.fs.kept_bytes += bytes.len() as u64;
        self.stdout.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends to standard error, of which only the end is kept.
    pub(super) fn complain(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(STDERR_TAIL_BYTES as usize)..];
        let excess = (self.stderr.len() + kept.len()).saturating_sub(STDERR_TAIL_BYTES as usize);
        self.stderr.drain(..excess);
        self.stderr.extend(kept);
    }
}
