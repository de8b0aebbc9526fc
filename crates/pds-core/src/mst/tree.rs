//! The tree in memory: it reads nodes when they are needed, and encodes changed nodes at the end.

use std::fmt;
use std::ops::RangeBounds;
use std::sync::Arc;

use crate::data::block::{Block, Blocks};
use crate::data::cid::{Cid, Codec};
use crate::mst::cache::{NodeCache, Source};
use crate::mst::encoder::Encoder;
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::node::{EMPTY_NODE, Node, Position};
use crate::mst::range::Range;

/// A tree that can be read and edited. Only the nodes that are needed are read.
///
/// ```
/// use pds::data::{Cid, Codec, MemoryBlocks};
/// use pds::mst::{Key, Tree};
///
/// let mut blocks = MemoryBlocks::default();
/// let value = Cid::of(Codec::Cbor, b"\xa0");
/// let mut tree = Tree::empty(&blocks);
/// tree.insert(Key::new(*b"com.example.note/a")?, value)?;
/// let written = tree.write()?;
///
/// blocks.extend(written.nodes);
/// let tree = Tree::open(&blocks, written.root);
/// assert_eq!(tree.get(b"com.example.note/a")?, Some(value));
/// # Ok::<(), pds::mst::MstError>(())
/// ```
#[derive(Clone)]
pub struct Tree<'b> {
    pub(super) source: Source<'b>,
    /// `None` for a tree without keys.
    pub(super) root: Option<Link>,
}

impl fmt::Debug for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").finish_non_exhaustive()
    }
}

/// The result of [`Tree::write`]: the root of the tree and its new nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The CID of the root node.
    pub root: Cid,
    /// The new nodes, children before parents.
    pub nodes: Vec<Block>,
}

/// A link to a subtree, which is either stored or opened for editing.
#[derive(Clone, Debug)]
pub(super) enum Link {
    Stored(Cid),
    Open(Box<Branch>),
}

/// A node that is opened for editing.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) level: u8,
    /// The CID of the node, unless it was changed since it was read or written.
    pub(super) stored: Option<Cid>,
    pub(super) left: Option<Link>,
    pub(super) entries: Vec<BranchEntry>,
}

#[derive(Clone, Debug)]
pub(super) struct BranchEntry {
    pub(super) key: Key,
    pub(super) value: Cid,
    pub(super) right: Option<Link>,
}

impl<'b> Tree<'b> {
    /// Makes a tree without keys.
    #[must_use]
    pub fn empty(blocks: &'b dyn Blocks) -> Self {
        Self { source: Source::uncached(blocks), root: None }
    }

    /// Opens a tree by its root, without reading a node yet.
    #[must_use]
    pub fn open(blocks: &'b dyn Blocks, root: Cid) -> Self {
        Self { source: Source::uncached(blocks), root: Some(Link::Stored(root)) }
    }

    /// Uses a cache for the nodes. The tree adds the nodes that it reads and writes. `None` means no cache.
    #[must_use]
    pub fn cached(mut self, cache: impl Into<Option<&'b NodeCache>>) -> Self {
        self.source.cache = cache.into();
        self
    }

    /// Looks up a key.
    ///
    /// The search ends at the level of the key's height, so it needs no more nodes than the shortest proof of absence.
    ///
    /// # Errors
    ///
    /// [`MstError`] if a node on the path is missing or breaks a rule.
    pub fn get(&self, key: &[u8]) -> Result<Option<Cid>, MstError> {
        let height = crate::mst::key::height(key);
        let (mut link, mut position) = (self.root.as_ref(), Position::Root);
        // The search goes through the opened nodes first, and then through the stored nodes below them.
        while let Some(Link::Open(branch)) = link {
            let index = match branch.search(key) {
                Ok(index) => return Ok(branch.entries.get(index).map(|entry| entry.value)),
                Err(index) => index,
            };
            let Some(below) = Position::below(branch.level).filter(|_| height < branch.level)
            else {
                return Ok(None);
            };
            (link, position) = (branch.gap(index), below);
        }
        match link {
            Some(Link::Stored(cid)) => find(self.source, *cid, position, key, height),
            _ => Ok(None),
        }
    }

    /// Iterates over the entries of a range in key order. [`Range::reversed`] reverses the order.
    ///
    /// Each call encodes all nodes that edits have opened, even those that are already written.
    pub fn range(&self, keys: impl RangeBounds<Key>) -> Range<'b> {
        let encoded = match &self.root {
            None => Ok((None, Vec::new())),
            Some(Link::Stored(root)) => Ok((Some(*root), Vec::new())),
            Some(link) => self.encode(link).map(|written| (Some(written.root), written.nodes)),
        };
        Range::new(self.source, encoded, keys)
    }

    /// Encodes all opened nodes, without a change to the tree.
    fn encode(&self, root: &Link) -> Result<Written, MstError> {
        let mut root = root.clone();
        root.forget_stored();
        Self { source: Source { cache: None, ..self.source }, root: Some(root) }.write()
    }

    /// Encodes the changed nodes and returns them with the new root. The tree can be edited further.
    ///
    /// # Errors
    ///
    /// [`MstError`] if removals have left the root without entries, and a node below it cannot be read.
    pub fn write(&mut self) -> Result<Written, MstError> {
        self.lower()?;
        let mut nodes = Vec::new();
        let root = match &mut self.root {
            None => {
                let empty = Block::new(Codec::Cbor, EMPTY_NODE);
                let cid = empty.cid();
                nodes.push(empty);
                cid
            }
            Some(link) => {
                let encoder = Encoder::default();
                link.write(&mut Writing { cache: self.source.cache, encoder, nodes: &mut nodes })
            }
        };
        Ok(Written { root, nodes })
    }
}

/// Looks up a key in a stored tree, without a cache.
///
/// ```
/// # use pds::data::{Cid, Codec, MemoryBlocks};
/// # use pds::mst::{Key, Tree};
/// # let mut blocks = MemoryBlocks::default();
/// # let value = Cid::of(Codec::Cbor, b"1");
/// # let mut tree = Tree::empty(&blocks);
/// # tree.insert(Key::new(*b"a")?, value)?;
/// # let written = tree.write()?;
/// # blocks.extend(written.nodes.iter().cloned());
/// assert_eq!(pds::mst::get(&blocks, written.root, b"a")?, Some(value));
/// assert_eq!(pds::mst::get(&blocks, written.root, b"b")?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The errors of [`Tree::get`].
pub fn get(blocks: &dyn Blocks, root: Cid, key: &[u8]) -> Result<Option<Cid>, MstError> {
    Tree::open(blocks, root).get(key)
}

fn find(
    source: Source<'_>,
    root: Cid,
    position: Position,
    key: &[u8],
    height: u8,
) -> Result<Option<Cid>, MstError> {
    let mut next = Some((root, position));
    while let Some((cid, position)) = next {
        let node = source.node(cid, position)?;
        let index = match node.search(key) {
            Ok(index) => return Ok(node.entry(index).map(|entry| entry.value)),
            Err(index) => index,
        };
        let below = Position::below(node.level()).filter(|_| height < node.level());
        next = node.subtree(index).zip(below);
    }
    Ok(None)
}

impl Link {
    /// Opens the node behind the link, for editing.
    pub(super) fn open(
        &mut self,
        source: Source<'_>,
        position: Position,
    ) -> Result<&mut Branch, MstError> {
        if let Self::Stored(cid) = self {
            let node = source.node(*cid, position)?;
            *self = Self::Open(Box::new(Branch::new(*cid, &node)));
        }
        match self {
            Self::Open(branch) => Ok(branch),
            Self::Stored(_) => unreachable!("the link was opened above"),
        }
    }

    /// Returns the CID of the node behind the link, or `None` for a changed node.
    fn cid(&self) -> Option<Cid> {
        match self {
            Self::Stored(cid) => Some(*cid),
            Self::Open(branch) => branch.stored,
        }
    }

    /// Computes the CID of the subtree in its present state, without writing it.
    #[cold]
    pub(super) fn name(&self) -> Cid {
        let (encoder, mut nodes) = (Encoder::default(), Vec::new());
        self.clone().write(&mut Writing { cache: None, encoder, nodes: &mut nodes })
    }

    /// Makes [`write`](Self::write) return all opened nodes again.
    fn forget_stored(&mut self) {
        let Self::Open(branch) = self else { return };
        branch.stored = None;
        let below = branch.entries.iter_mut().filter_map(|entry| entry.right.as_mut());
        branch.left.iter_mut().chain(below).for_each(Self::forget_stored);
    }

    pub(super) fn write(&mut self, to: &mut Writing<'_>) -> Cid {
        let branch = match self {
            Self::Stored(cid) => return *cid,
            Self::Open(branch) => branch,
        };
        if let Some(cid) = branch.stored {
            return cid;
        }
        // The nodes below are written first, because they share the encoder.
        let below = branch.entries.iter_mut().filter_map(|entry| entry.right.as_mut());
        for link in branch.left.iter_mut().chain(below) {
            link.write(to);
        }
        let left = branch.left.as_ref().and_then(Self::cid);
        // The new node is added to the cache, because most edited trees are edited again.
        let mut kept = to.cache.map(|_| Node::start(branch.level, left, branch.entries.len()));
        for BranchEntry { key, value, right } in &branch.entries {
            let right = right.as_ref().and_then(Self::cid);
            to.encoder.entry(key.as_bytes(), value, right.as_ref());
            if let Some(node) = &mut kept {
                node.push(key.as_bytes(), *value, right);
            }
        }
        let block = to.encoder.finish(left.as_ref());
        let cid = block.cid();
        if let Some((cache, node)) = to.cache.zip(kept) {
            cache.insert(cid, Arc::new(node));
        }
        branch.stored = Some(cid);
        to.nodes.push(block);
        cid
    }
}

/// The targets of the new nodes, and their encoder.
pub(super) struct Writing<'w> {
    pub(super) cache: Option<&'w NodeCache>,
    pub(super) encoder: Encoder,
    pub(super) nodes: &'w mut Vec<Block>,
}

impl Branch {
    fn new(cid: Cid, node: &Node) -> Self {
        Self {
            level: node.level(),
            stored: Some(cid),
            left: node.left().map(Link::Stored),
            entries: node
                .entries()
                .map(|entry| BranchEntry {
                    key: Key::checked(entry.key),
                    value: entry.value,
                    right: entry.right.map(Link::Stored),
                })
                .collect(),
        }
    }

    pub(super) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.key.as_bytes().cmp(key))
    }

    /// Returns the link before the entry with this index, or the link after the last entry.
    pub(super) fn gap(&self, index: usize) -> Option<&Link> {
        match index.checked_sub(1) {
            None => self.left.as_ref(),
            Some(before) => self.entries.get(before)?.right.as_ref(),
        }
    }
}
