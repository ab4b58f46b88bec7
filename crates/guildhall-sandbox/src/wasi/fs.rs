//! The in-memory file system of one task: `/in` read-only, `/out` writable, nothing else.
//!
//! Inode numbers count up in the order of creation, listings are sorted, times are zero. There are no links.

use std::collections::BTreeMap;

use super::types::{Errno, FileType};
use crate::{
    limits::{FILES_MAX, NAME_MAX_BYTES, OUTPUT_MAX_BYTES, PATH_MAX_BYTES},
    task::Content,
};

/// Index of a node; its inode number too.
pub(super) type NodeId = usize;

pub(super) const ROOT: NodeId = 0;
const IN: NodeId = 1;
const OUT: NodeId = 2;
/// The output of a task, under `/out`.
const RESULT: &str = "result";

enum Body {
    Directory(BTreeMap<String, NodeId>),
    /// A file of the task.
    Given(Content),
    /// A file of the app.
    Written(Vec<u8>),
}

struct Node {
    body: Body,
    parent: NodeId,
    /// Descriptors that hold the node.
    opened: u32,
    /// Whether a directory names it.
    linked: bool,
}

/// The whole tree.
pub(crate) struct FileSystem {
    nodes: Vec<Node>,
    /// Bytes in files that the app wrote, and in its standard output.
    pub(super) kept_bytes: u64,
    created: u64,
}

impl FileSystem {
    /// The tree that every task starts with.
    pub(crate) fn new(files: Vec<(String, Content)>) -> Self {
        let directory =
            |parent| Node { body: Body::Directory(BTreeMap::new()), parent, opened: 0, linked: true };
        let mut fs = Self {
            nodes: vec![directory(ROOT), directory(ROOT), directory(ROOT)],
            kept_bytes: 0,
            created: 0,
        };
        fs.link(ROOT, "in", IN);
        fs.link(ROOT, "out", OUT);
        for (name, content) in files {
            fs.nodes.push(Node { body: Body::Given(content), parent: IN, opened: 0, linked: true });
            fs.link(IN, &name, fs.nodes.len() - 1);
        }
        fs
    }

    /// Takes the file `/out/result`, if the app wrote one.
    pub(crate) fn take_result(&mut self) -> Option<Vec<u8>> {
        let id = self.entries(OUT).ok()?.get(RESULT).copied()?;
        match &mut self.nodes[id].body {
            Body::Written(bytes) => Some(std::mem::take(bytes)),
            _ => None,
        }
    }

    fn link(&mut self, directory: NodeId, name: &str, id: NodeId) {
        if let Body::Directory(entries) = &mut self.nodes[directory].body {
            entries.insert(name.to_owned(), id);
        }
    }

    pub(super) fn entries(&self, id: NodeId) -> Result<&BTreeMap<String, NodeId>, Errno> {
        match &self.nodes[id].body {
            Body::Directory(entries) => Ok(entries),
            _ => Err(Errno::NotDirectory),
        }
    }

    pub(super) fn parent(&self, id: NodeId) -> NodeId {
        self.nodes[id].parent
    }

    pub(super) fn kind(&self, id: NodeId) -> FileType {
        match self.nodes[id].body {
            Body::Directory(_) => FileType::Directory,
            _ => FileType::Regular,
        }
    }

    /// The bytes of a file; a directory has none.
    pub(super) fn bytes(&self, id: NodeId) -> &[u8] {
        match &self.nodes[id].body {
            Body::Directory(_) => &[],
            Body::Given(content) => content.bytes(),
            Body::Written(bytes) => bytes,
        }
    }

    /// Whether the app may change a node: `/out` and what is in it.
    pub(super) fn writable(&self, id: NodeId) -> bool {
        let mut id = id;
        while id != ROOT {
            if id == OUT {
                return true;
            }
            id = self.nodes[id].parent;
        }
        false
    }

    /// Finds what a path names, from a directory and never above it.
    pub(super) fn resolve(&self, base: NodeId, path: &[u8]) -> Result<NodeId, Errno> {
        let path = check_path(path)?;
        self.walk(base, path)
    }

    /// Finds the directory of a path and its last name.
    pub(super) fn resolve_parent<'p>(
        &self,
        base: NodeId,
        path: &'p [u8],
    ) -> Result<(NodeId, &'p str), Errno> {
        let path = check_path(path)?.trim_end_matches('/');
        let (directory, name) = path.rsplit_once('/').unwrap_or((".", path));
        if name.is_empty() || name == "." || name == ".." {
            return Err(Errno::Invalid);
        }
        Ok((self.walk(base, directory)?, name))
    }

    fn walk(&self, base: NodeId, path: &str) -> Result<NodeId, Errno> {
        let mut at = base;
        for name in path.split('/') {
            let entries = self.entries(at)?;
            match name {
                "" | "." => {}
                ".." if at == base => return Err(Errno::NotCapable),
                ".." => at = self.nodes[at].parent,
                name => at = entries.get(name).copied().ok_or(Errno::NoEntry)?,
            }
        }
        Ok(at)
    }

    pub(super) fn lookup(&self, directory: NodeId, name: &str) -> Result<Option<NodeId>, Errno> {
        Ok(self.entries(directory)?.get(name).copied())
    }

    /// Makes an empty file or directory.
    pub(super) fn create(&mut self, directory: NodeId, name: &str, kind: FileType) -> Result<NodeId, Errno> {
        if self.lookup(directory, name)?.is_some() {
            return Err(Errno::Exists);
        }
        if !self.writable(directory) {
            return Err(Errno::ReadOnly);
        }
        if self.created >= FILES_MAX {
            return Err(Errno::NoSpace);
        }
        self.created += 1;
        let body = match kind {
            FileType::Directory => Body::Directory(BTreeMap::new()),
            _ => Body::Written(Vec::new()),
        };
        self.nodes.push(Node { body, parent: directory, opened: 0, linked: true });
        let id = self.nodes.len() - 1;
        self.link(directory, name, id);
        Ok(id)
    }

    /// Removes a name. The bytes go when the last descriptor does.
    pub(super) fn remove(&mut self, directory: NodeId, name: &str, kind: FileType) -> Result<(), Errno> {
        let id = self.lookup(directory, name)?.ok_or(Errno::NoEntry)?;
        match (self.kind(id), kind) {
            (FileType::Directory, FileType::Directory) if !self.entries(id)?.is_empty() => {
                return Err(Errno::NotEmpty);
            }
            (found, wanted) if found == wanted => {}
            (FileType::Directory, _) => return Err(Errno::IsDirectory),
            _ => return Err(Errno::NotDirectory),
        }
        if !self.writable(directory) {
            return Err(Errno::ReadOnly);
        }
        self.unlink(directory, name, id);
        Ok(())
    }

    fn unlink(&mut self, directory: NodeId, name: &str, id: NodeId) {
        if let Body::Directory(entries) = &mut self.nodes[directory].body {
            entries.remove(name);
        }
        self.nodes[id].linked = false;
        self.free_if_unused(id);
    }

    /// Moves a name, replacing a file (by a file) or an empty directory (by a directory).
    pub(super) fn rename(
        &mut self,
        (from, old): (NodeId, &str),
        (to, new): (NodeId, &str),
    ) -> Result<(), Errno> {
        let id = self.lookup(from, old)?.ok_or(Errno::NoEntry)?;
        if !self.writable(from) || !self.writable(to) {
            return Err(Errno::ReadOnly);
        }
        if self.is_inside(to, id) {
            return Err(Errno::Invalid);
        }
        if let Some(replaced) = self.lookup(to, new)? {
            if replaced == id {
                return Ok(());
            }
            self.remove(to, new, self.kind(id))?;
        }
        if let Body::Directory(entries) = &mut self.nodes[from].body {
            entries.remove(old);
        }
        self.nodes[id].parent = to;
        self.link(to, new, id);
        Ok(())
    }

    fn is_inside(&self, inner: NodeId, outer: NodeId) -> bool {
        let mut at = inner;
        while at != ROOT {
            if at == outer {
                return true;
            }
            at = self.nodes[at].parent;
        }
        false
    }

    pub(super) fn hold(&mut self, id: NodeId) {
        self.nodes[id].opened += 1;
    }

    pub(super) fn release(&mut self, id: NodeId) {
        self.nodes[id].opened -= 1;
        self.free_if_unused(id);
    }

    fn free_if_unused(&mut self, id: NodeId) {
        let node = &mut self.nodes[id];
        if node.linked || node.opened > 0 {
            return;
        }
        if let Body::Written(bytes) = &mut node.body {
            self.kept_bytes -= bytes.len() as u64;
            *bytes = Vec::new();
        }
    }

    /// By how many bytes the kept bytes would grow, if the limit allows it.
    pub(super) fn growth(&self, id: NodeId, end: u64) -> Result<u64, Errno> {
        let added = end.saturating_sub(self.bytes(id).len() as u64);
        if self.kept_bytes.saturating_add(added) > OUTPUT_MAX_BYTES { Err(Errno::NoSpace) } else { Ok(added) }
    }

    /// Sets the size of a file of the app; new bytes are zero.
    pub(super) fn resize(&mut self, id: NodeId, size: u64) -> Result<(), Errno> {
        let added = self.growth(id, size)?;
        let Body::Written(bytes) = &mut self.nodes[id].body else { return Err(Errno::ReadOnly) };
        let removed = (bytes.len() as u64).saturating_sub(size);
        bytes.resize(size as usize, 0);
        self.kept_bytes = self.kept_bytes + added - removed;
        Ok(())
    }

    /// Writes into a file of the app, growing it where needed.
    pub(super) fn write_at(&mut self, id: NodeId, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let end = offset.checked_add(data.len() as u64).ok_or(Errno::NoSpace)?;
        if end > self.bytes(id).len() as u64 {
            self.resize(id, end)?;
        }
        let Body::Written(bytes) = &mut self.nodes[id].body else { return Err(Errno::ReadOnly) };
        bytes[offset as usize..end as usize].copy_from_slice(data);
        Ok(())
    }
}

/// Paths are relative UTF-8 without zeros, of bounded length.
fn check_path(path: &[u8]) -> Result<&str, Errno> {
    if path.len() as u64 > PATH_MAX_BYTES {
        return Err(Errno::NameTooLong);
    }
    let path = std::str::from_utf8(path).map_err(|_| Errno::IllegalBytes)?;
    if path.is_empty() {
        return Err(Errno::NoEntry);
    }
    if path.contains('\0') {
        return Err(Errno::Invalid);
    }
    if path.starts_with('/') {
        return Err(Errno::NotCapable);
    }
    if path.split('/').any(|name| name.len() as u64 > NAME_MAX_BYTES) {
        return Err(Errno::NameTooLong);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Blob;

    fn sample() -> FileSystem {
        let content = Blob::from("hello").content().expect("in memory");
        FileSystem::new(vec![("input".to_owned(), content)])
    }

    #[test]
    fn path_tricks_lead_nowhere() {
        let fs = sample();
        for (path, errno) in [
            ("..", Errno::NotCapable),
            ("../etc/passwd", Errno::NotCapable),
            ("in/../../etc", Errno::NotCapable),
            ("/etc/passwd", Errno::NotCapable),
            ("etc/passwd", Errno::NoEntry),
            ("in/input/x", Errno::NotDirectory),
            ("in/input/", Errno::NotDirectory),
            ("in/input/..", Errno::NotDirectory),
            ("in/\0input", Errno::Invalid),
            ("", Errno::NoEntry),
        ] {
            assert_eq!(fs.resolve(ROOT, path.as_bytes()), Err(errno), "{path:?}");
        }
        assert_eq!(fs.resolve(ROOT, b"in/\xff"), Err(Errno::IllegalBytes));
        assert_eq!(fs.resolve(ROOT, &[b'a'; 4097]), Err(Errno::NameTooLong));
        assert_eq!(fs.resolve(ROOT, &[b'a'; 256]), Err(Errno::NameTooLong));
        assert_eq!(fs.resolve(ROOT, b"./in/.././in//input").map(|id| fs.bytes(id)), Ok(&b"hello"[..]));
        assert_eq!(fs.resolve(IN, b".."), Err(Errno::NotCapable));
    }

    #[test]
    fn the_input_cannot_be_changed() {
        let mut fs = sample();
        let input = fs.resolve(ROOT, b"in/input").expect("there");
        assert_eq!(fs.create(IN, "more", FileType::Regular), Err(Errno::ReadOnly));
        assert_eq!(fs.create(ROOT, "more", FileType::Regular), Err(Errno::ReadOnly));
        assert_eq!(fs.remove(IN, "input", FileType::Regular), Err(Errno::ReadOnly));
        assert_eq!(fs.rename((IN, "input"), (OUT, "result")), Err(Errno::ReadOnly));
        assert_eq!(fs.write_at(input, 0, b"x"), Err(Errno::ReadOnly));
        assert_eq!(fs.resize(input, 0), Err(Errno::ReadOnly));
    }

    #[test]
    fn bytes_of_removed_files_are_given_back() {
        let mut fs = sample();
        let file = fs.create(OUT, "a", FileType::Regular).expect("created");
        fs.hold(file);
        fs.write_at(file, 10, b"abc").expect("written");
        assert_eq!(fs.kept_bytes, 13);
        fs.remove(OUT, "a", FileType::Regular).expect("removed");
        assert_eq!(fs.kept_bytes, 13, "still open");
        fs.release(file);
        assert_eq!(fs.kept_bytes, 0);
        let file = fs.create(OUT, "b", FileType::Regular).expect("created");
        assert_eq!(fs.write_at(file, OUTPUT_MAX_BYTES, b"x"), Err(Errno::NoSpace));
        assert_eq!(fs.write_at(file, u64::MAX, b"x"), Err(Errno::NoSpace));
    }

    #[test]
    fn a_directory_cannot_move_into_itself() {
        let mut fs = sample();
        let outer = fs.create(OUT, "outer", FileType::Directory).expect("created");
        let inner = fs.create(outer, "inner", FileType::Directory).expect("created");
        assert_eq!(fs.rename((OUT, "outer"), (inner, "x")), Err(Errno::Invalid));
        assert_eq!(fs.remove(OUT, "outer", FileType::Directory), Err(Errno::NotEmpty));
        assert_eq!(fs.rename((outer, "inner"), (OUT, "moved")), Ok(()));
        assert_eq!(fs.parent(inner), OUT);
    }
}
