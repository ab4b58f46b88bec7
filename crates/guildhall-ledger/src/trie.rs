//! The Merkle-Patricia trie of Ethereum, updated in place.
//!
//! Nodes live in a [`NodeStore`] under their *path*, not their hash: the node at a path is
//! overwritten when it changes, so that nothing stale is left behind, nothing needs collecting, and
//! the cost of a block follows what it touches and not how many blocks came before.
//! This module knows hashing, paths and nodes; it knows neither accounts nor the database.

use crate::error::LedgerError;
use alloy::primitives::{B256, Bytes, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles, TrieMask,
    nodes::{BranchNode, ExtensionNode, LeafNode, RlpNode, TrieNode},
};
use std::collections::BTreeMap;

/// Where the nodes of one trie are read from.
pub(crate) trait NodeStore {
    /// The RLP of the node at `path`, if there is one.
    fn node(&self, path: &Nibbles) -> Result<Option<Vec<u8>>, LedgerError>;
}

/// A leaf to write (`Some`: its RLP value) or to remove (`None`), under its hashed 64-nibble key.
pub(crate) type Change = (Nibbles, Option<Vec<u8>>);

/// Changed nodes by path; `None` removes the node.
pub(crate) type DirtyNodes = BTreeMap<Nibbles, Option<Vec<u8>>>;

/// A trie being changed: the stored nodes below, the changed ones above.
pub(crate) struct Trie<S> {
    store: S,
    dirty: DirtyNodes,
}

/// A node with its children by nibble, which is the shape that changes are made on.
enum Node {
    Leaf(Nibbles, Vec<u8>),
    Extension(Nibbles, RlpNode),
    Branch(Box<[Option<RlpNode>; 16]>),
}

impl Node {
    fn decode(mut rlp: &[u8]) -> Result<Option<Self>, LedgerError> {
        let node = TrieNode::decode(&mut rlp).map_err(|e| LedgerError::corrupt(format!("trie node: {e}")))?;
        Ok(match node {
            TrieNode::EmptyRoot => None,
            TrieNode::Leaf(leaf) => Some(Self::Leaf(leaf.key, leaf.value)),
            TrieNode::Extension(ext) => Some(Self::Extension(ext.key, ext.child)),
            TrieNode::Branch(branch) => {
                let mut children = Box::new([const { None }; 16]);
                let set = (0..16u8).filter(|nibble| branch.state_mask.is_bit_set(*nibble));
                for (nibble, child) in set.zip(branch.stack) {
                    children[usize::from(nibble)] = Some(child);
                }
                Some(Self::Branch(children))
            }
        })
    }

    fn encode(self) -> (Vec<u8>, RlpNode) {
        let node = match self {
            Self::Leaf(key, value) => TrieNode::Leaf(LeafNode::new(key, value)),
            Self::Extension(key, child) => TrieNode::Extension(ExtensionNode::new(key, child)),
            Self::Branch(children) => {
                let mut mask = TrieMask::default();
                let mut stack = Vec::with_capacity(16);
                for (nibble, child) in (0u8..).zip(*children) {
                    if let Some(child) = child {
                        mask.set_bit(nibble);
                        stack.push(child);
                    }
                }
                TrieNode::Branch(BranchNode::new(stack, mask))
            }
        };
        let mut rlp = Vec::new();
        let reference = node.rlp(&mut rlp);
        (rlp, reference)
    }
}

impl<S: NodeStore> Trie<S> {
    /// A trie over the nodes of `store`.
    pub(crate) fn new(store: S) -> Self {
        Self { store, dirty: DirtyNodes::new() }
    }

    /// The nodes that changed since [`Self::new`].
    pub(crate) fn into_dirty(self) -> DirtyNodes {
        self.dirty
    }

    /// The root hash as the trie stands.
    pub(crate) fn root(&self) -> Result<B256, LedgerError> {
        Ok(self.raw(&Nibbles::new())?.map_or(EMPTY_ROOT_HASH, keccak256))
    }

    /// Applies `changes`, sorted by key and without doubles, and returns the new root hash.
    pub(crate) fn apply(&mut self, changes: &[Change]) -> Result<B256, LedgerError> {
        debug_assert!(changes.windows(2).all(|pair| pair[0].0 < pair[1].0), "sorted, no doubles");
        let root = Nibbles::new();
        let node = self.load(&root)?;
        match self.update(root, node, changes)? {
            Some(node) => {
                let (rlp, _) = node.encode();
                let hash = keccak256(&rlp);
                self.dirty.insert(root, Some(rlp));
                Ok(hash)
            }
            None => {
                self.dirty.insert(root, None);
                Ok(EMPTY_ROOT_HASH)
            }
        }
    }

    /// The nodes from the root towards `key`, as `eth_getProof` lists them: those that their parents
    /// name by hash. Proves presence or absence.
    pub(crate) fn prove(&self, key: &Nibbles) -> Result<Vec<Bytes>, LedgerError> {
        let mut proof = Vec::new();
        let mut path = Nibbles::new();
        while let Some(rlp) = self.raw(&path)? {
            let node = Node::decode(&rlp)?;
            if path.is_empty() || rlp.len() >= B256::len_bytes() {
                proof.push(rlp.into());
            }
            match node {
                Some(Node::Extension(ext, _)) if key.slice(path.len()..).starts_with(&ext) => {
                    path = path.join(&ext);
                }
                Some(Node::Branch(_)) if path.len() < key.len() => path = key.slice(..=path.len()),
                _ => break,
            }
        }
        Ok(proof)
    }

    fn raw(&self, path: &Nibbles) -> Result<Option<Vec<u8>>, LedgerError> {
        match self.dirty.get(path) {
            Some(node) => Ok(node.clone()),
            None => self.store.node(path),
        }
    }

    fn load(&self, path: &Nibbles) -> Result<Option<Node>, LedgerError> {
        self.raw(path)?.map_or(Ok(None), |rlp| Node::decode(&rlp))
    }

    fn must_load(&self, path: &Nibbles) -> Result<Node, LedgerError> {
        self.load(path)?.ok_or_else(|| LedgerError::corrupt(format!("trie node at {path:?} is missing")))
    }

    /// Writes `node` at `path` and returns how its parent refers to it.
    fn put(&mut self, path: Nibbles, node: Node) -> RlpNode {
        let (rlp, reference) = node.encode();
        self.dirty.insert(path, Some(rlp));
        reference
    }

    /// The node that stands at `path` after `changes`, all of which lie below `path`. The caller
    /// writes it; everything below is written here.
    fn update(
        &mut self,
        path: Nibbles,
        node: Option<Node>,
        changes: &[Change],
    ) -> Result<Option<Node>, LedgerError> {
        if changes.is_empty() {
            return Ok(node);
        }
        match node {
            None => {
                let inserts: Vec<_> = changes.iter().filter(|(_, value)| value.is_some()).cloned().collect();
                Ok(self.build(path, &inserts))
            }
            Some(Node::Leaf(suffix, value)) => Ok(self.update_leaf(path, suffix, value, changes)),
            Some(Node::Extension(ext, child)) => self.update_extension(path, ext, child, changes),
            Some(Node::Branch(children)) => self.update_branch(path, children, changes),
        }
    }

    fn update_leaf(
        &mut self,
        path: Nibbles,
        suffix: Nibbles,
        value: Vec<u8>,
        changes: &[Change],
    ) -> Option<Node> {
        let key = path.join(&suffix);
        let mut entries = changes.to_vec();
        if let Err(at) = entries.binary_search_by(|(other, _)| other.cmp(&key)) {
            entries.insert(at, (key, Some(value)));
        }
        entries.retain(|(_, value)| value.is_some());
        self.build(path, &entries)
    }

    fn update_extension(
        &mut self,
        path: Nibbles,
        ext: Nibbles,
        child: RlpNode,
        changes: &[Change],
    ) -> Result<Option<Node>, LedgerError> {
        let below = path.join(&ext);
        // Removing what is not there changes nothing, and would split the extension for nothing.
        let changes: Vec<_> = changes
            .iter()
            .filter(|(key, value)| value.is_some() || key.starts_with(&below))
            .cloned()
            .collect();
        let shared = changes.iter().map(|(key, _)| key.common_prefix_length(&below)).min();
        let Some(shared) = shared else { return Ok(Some(Node::Extension(ext, child))) };
        if shared >= below.len() {
            let node = self.must_load(&below)?;
            let Some(node) = self.update(below, Some(node), &changes)? else {
                self.dirty.insert(below, None);
                return Ok(None);
            };
            return Ok(Some(self.prepend(ext, below, node)));
        }
        let branch = self.split_extension(&path, &ext, child, shared);
        let at = path.join(&ext.slice(..shared - path.len()));
        let Some(node) = self.update(at, Some(branch), &changes)? else { return Ok(None) };
        Ok(Some(if at.len() == path.len() { node } else { self.prepend(at.slice(path.len()..), at, node) }))
    }

    /// The branch that an extension becomes at depth `shared`, with what is left of it below.
    fn split_extension(&mut self, path: &Nibbles, ext: &Nibbles, child: RlpNode, shared: usize) -> Node {
        let cut = shared - path.len();
        let nibble = ext.get_unchecked(cut);
        let rest = ext.slice(cut + 1..);
        let mut children = Box::new([const { None }; 16]);
        children[usize::from(nibble)] = Some(if rest.is_empty() {
            child
        } else {
            let mut at = path.join(&ext.slice(..cut));
            at.push(nibble);
            self.put(at, Node::Extension(rest, child))
        });
        Node::Branch(children)
    }

    /// The one node that stands for `prefix` followed by `node`, which stood at `at`.
    fn prepend(&mut self, prefix: Nibbles, at: Nibbles, node: Node) -> Node {
        match node {
            Node::Branch(_) => {
                let reference = self.put(at, node);
                Node::Extension(prefix, reference)
            }
            Node::Leaf(suffix, value) => {
                self.dirty.insert(at, None);
                Node::Leaf(prefix.join(&suffix), value)
            }
            Node::Extension(ext, child) => {
                self.dirty.insert(at, None);
                Node::Extension(prefix.join(&ext), child)
            }
        }
    }

    fn update_branch(
        &mut self,
        path: Nibbles,
        mut children: Box<[Option<RlpNode>; 16]>,
        mut changes: &[Change],
    ) -> Result<Option<Node>, LedgerError> {
        let depth = path.len();
        while let Some((first, _)) = changes.first() {
            let nibble = first.get_unchecked(depth);
            let end = changes.partition_point(|(key, _)| key.get_unchecked(depth) == nibble);
            let (group, rest) = changes.split_at(end);
            changes = rest;
            let at = first.slice(..=depth);
            let slot = usize::from(nibble);
            let child = if children[slot].is_some() { Some(self.must_load(&at)?) } else { None };
            let existed = child.is_some();
            children[slot] = match self.update(at, child, group)? {
                Some(node) => Some(self.put(at, node)),
                None => {
                    if existed {
                        self.dirty.insert(at, None);
                    }
                    None
                }
            };
        }
        self.collapse(path, children)
    }

    /// A branch with one child is no branch: the child takes its place.
    fn collapse(
        &mut self,
        path: Nibbles,
        children: Box<[Option<RlpNode>; 16]>,
    ) -> Result<Option<Node>, LedgerError> {
        let mut present = (0u8..16).filter(|nibble| children[usize::from(*nibble)].is_some());
        let Some(only) = present.next() else { return Ok(None) };
        if present.next().is_some() {
            return Ok(Some(Node::Branch(children)));
        }
        let mut at = path;
        at.push(only);
        let prefix = Nibbles::from_nibbles_unchecked([only]);
        match self.must_load(&at)? {
            Node::Branch(_) => match children[usize::from(only)].clone() {
                Some(reference) => Ok(Some(Node::Extension(prefix, reference))),
                None => Ok(None),
            },
            node => Ok(Some(self.prepend(prefix, at, node))),
        }
    }

    /// The node at `path` over nothing but `entries`, which are sorted and all lie below `path`.
    fn build(&mut self, path: Nibbles, entries: &[Change]) -> Option<Node> {
        let (first, last) = (entries.first()?, entries.last()?);
        if entries.len() == 1 {
            return first.1.clone().map(|value| Node::Leaf(first.0.slice(path.len()..), value));
        }
        let shared = first.0.common_prefix_length(&last.0);
        let at = first.0.slice(..shared);
        let mut children = Box::new([const { None }; 16]);
        let mut rest = entries;
        while let Some((key, _)) = rest.first() {
            let nibble = key.get_unchecked(shared);
            let end = rest.partition_point(|(key, _)| key.get_unchecked(shared) == nibble);
            let below = key.slice(..=shared);
            if let Some(node) = self.build(below, &rest[..end]) {
                children[usize::from(nibble)] = Some(self.put(below, node));
            }
            rest = &rest[end..];
        }
        let branch = Node::Branch(children);
        Some(if shared == path.len() { branch } else { self.prepend(at.slice(path.len()..), at, branch) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_trie::{HashBuilder, proof::verify_proof};
    use proptest::prelude::*;

    #[derive(Default, Clone)]
    struct Memory(BTreeMap<Nibbles, Vec<u8>>);

    impl NodeStore for &Memory {
        fn node(&self, path: &Nibbles) -> Result<Option<Vec<u8>>, LedgerError> {
            Ok(self.0.get(path).cloned())
        }
    }

    impl Memory {
        fn apply(&mut self, changes: &[Change]) -> B256 {
            let mut trie = Trie::new(&*self);
            let root = trie.apply(changes).unwrap();
            assert_eq!(trie.root().unwrap(), root);
            for (path, node) in trie.into_dirty() {
                match node {
                    Some(node) => self.0.insert(path, node),
                    None => self.0.remove(&path),
                };
            }
            root
        }
    }

    /// Keys that share long prefixes, so that extensions, splits and collapses all happen.
    fn key(seed: u16) -> Nibbles {
        let mut bytes = [0u8; 32];
        bytes[0] = (seed >> 12) as u8;
        bytes[1] = if seed & 0x800 == 0 { 0 } else { 0x10 };
        bytes[20] = (seed >> 4) as u8 & 0x13;
        bytes[31] = seed as u8 & 0x1f;
        Nibbles::unpack(bytes)
    }

    fn expected_root(leaves: &BTreeMap<Nibbles, Vec<u8>>) -> B256 {
        let mut builder = HashBuilder::default();
        for (key, value) in leaves {
            builder.add_leaf(*key, value);
        }
        builder.root()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn any_sequence_of_changes_gives_the_root_of_the_leaves(
            rounds in prop::collection::vec(prop::collection::btree_map(0u16..4096, prop::option::of(1usize..80), 1..12), 1..14)
        ) {
            let (mut store, mut leaves) = (Memory::default(), BTreeMap::new());
            for round in rounds {
                let changes: BTreeMap<_, _> =
                    round.iter().map(|(seed, len)| (key(*seed), len.map(|len| vec![7u8; len]))).collect();
                for (key, value) in &changes {
                    match value {
                        Some(value) => leaves.insert(*key, value.clone()),
                        None => leaves.remove(key),
                    };
                }
                let changes: Vec<_> = changes.into_iter().collect();
                let root = store.apply(&changes);
                prop_assert_eq!(root, expected_root(&leaves));
                // Nothing stale: a trie rebuilt from the leaves has exactly the same nodes.
                let mut fresh = Memory::default();
                let all: Vec<_> = leaves.iter().map(|(key, value)| (*key, Some(value.clone()))).collect();
                fresh.apply(&all);
                prop_assert_eq!(&store.0, &fresh.0);
                for seed in [0u16, 1, 77, 2048, 4095] {
                    let proof = Trie::new(&store).prove(&key(seed)).unwrap();
                    prop_assert!(verify_proof(root, key(seed), leaves.get(&key(seed)).cloned(), &proof).is_ok());
                }
            }
        }
    }

    #[test]
    fn a_missing_node_is_an_error_and_never_a_wrong_root() {
        let mut store = Memory::default();
        let changes: Vec<_> = (0..64u8)
            .map(|i| (Nibbles::unpack(keccak256([i])), Some(vec![i; 40])))
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .collect();
        store.apply(&changes);
        let victim = *store.0.keys().find(|path| path.len() == 1).unwrap();
        store.0.remove(&victim);
        let key = changes.iter().find(|(key, _)| key.starts_with(&victim)).unwrap().0;
        let error = Trie::new(&store).apply(&[(key, Some(vec![1]))]).unwrap_err();
        assert_eq!(error.code(), "ledger.corrupt");
    }
}
