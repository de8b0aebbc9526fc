//! What changed from one tree to another, reading only what differs.

use std::collections::HashSet;

use crate::data::block::Blocks;
use crate::data::cid::Cid;
use crate::mst::cache::{NodeCache, Source};
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::node::{NOT_ASCENDING, Position};
use crate::mst::waiting::{Waiting, next_key, unfold};

/// A key that differs between two trees.
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
/// let mut changes = pds::mst::diff(&blocks, Some(written.root), None);
/// let change = changes.next().expect("there is one")?;
/// assert_eq!((change.before, change.after), (Some(value), None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Key,
    /// Its value before; `None` when it was created.
    pub before: Option<Cid>,
    /// Its value after; `None` when it was deleted.
    pub after: Option<Cid>,
}

/// The nodes that differ between two trees.
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
/// let nodes = pds::mst::diff(&blocks, None, Some(written.root)).into_nodes()?;
/// assert_eq!((nodes.created, nodes.deleted), (vec![written.root], vec![]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeChanges {
    /// Nodes of the later tree that the earlier does not have, parents first.
    pub created: Vec<Cid>,
    /// Nodes of the earlier tree that the later does not have, parents first.
    pub deleted: Vec<Cid>,
}

/// Compares two trees, in key order; `None` stands for a tree without keys.
///
/// Equal subtrees are skipped without being read, so the work is in the number of changes. For trees
/// in two places see [`diff_across`]. Without [`Diff::cached`] it reads every node that differs.
///
/// ```
/// use pds::data::{Cid, Codec, MemoryBlocks};
/// use pds::mst::{Key, Tree, diff};
///
/// let mut blocks = MemoryBlocks::default();
/// let mut tree = Tree::empty(&blocks);
/// tree.insert(Key::new(*b"a")?, Cid::of(Codec::Cbor, b"1"))?;
/// let written = tree.write()?;
/// blocks.extend(written.nodes);
///
/// let changes: Vec<_> = diff(&blocks, None, Some(written.root)).collect::<Result<_, _>>()?;
/// assert_eq!(changes.len(), 1);
/// assert_eq!((changes[0].key.as_bytes(), changes[0].before), (&b"a"[..], None));
/// # Ok::<(), pds::mst::MstError>(())
/// ```
pub fn diff(blocks: &dyn Blocks, before: Option<Cid>, after: Option<Cid>) -> Diff<'_> {
    diff_across((blocks, before), (blocks, after))
}

/// Compares two trees that are in two places, as [`diff`] does.
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
/// use pds::mst::diff_across;
///
/// let elsewhere = blocks.clone();
/// let same = (&blocks as _, Some(written.root));
/// assert_eq!(diff_across(same, (&elsewhere, Some(written.root))).count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn diff_across<'b>(
    before: (&'b dyn Blocks, Option<Cid>),
    after: (&'b dyn Blocks, Option<Cid>),
) -> Diff<'b> {
    let (before, after) = (Side::new(before.0, before.1), Side::new(after.0, after.1));
    Diff { before, after, failed: false }
}

/// The changes between two trees; after an error it ends.
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
/// let diff = pds::mst::diff(&blocks, None, Some(written.root));
/// assert_eq!(diff.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Diff<'b> {
    before: Side<'b>,
    after: Side<'b>,
    failed: bool,
}

/// One of the two trees: what is still to be compared, the next at the end.
struct Side<'b> {
    source: Source<'b>,
    waiting: Vec<Waiting>,
    /// The last key that was compared.
    before: Option<Key>,
    opened: Vec<Cid>,
}

impl<'b> Diff<'b> {
    /// Returns the same comparison, which takes the nodes of both trees from a cache where it can, and adds to the cache
    /// the nodes that it reads. `None` is no cache.
    #[must_use]
    pub fn cached(self, cache: impl Into<Option<&'b NodeCache>>) -> Self {
        let cache = cache.into();
        self.cached_across(cache, cache)
    }

    /// As [`cached`](Self::cached), with a cache for each of the two trees: one of them may be in a place whose missing
    /// blocks must be reported.
    #[must_use]
    pub fn cached_across(
        mut self,
        before: Option<&'b NodeCache>,
        after: Option<&'b NodeCache>,
    ) -> Self {
        self.before.source.cache = before;
        self.after.source.cache = after;
        self
    }

    /// Compares to the end and returns the nodes that differ.
    ///
    /// # Errors
    ///
    /// [`MstError`] when a node that differs cannot be read.
    pub fn into_nodes(mut self) -> Result<NodeChanges, MstError> {
        for change in &mut self {
            change?;
        }
        let before: HashSet<Cid> = self.before.opened.iter().copied().collect();
        let after: HashSet<Cid> = self.after.opened.iter().copied().collect();
        let without = |opened: Vec<Cid>, others: &HashSet<Cid>| {
            let mut seen = HashSet::new();
            let new = |cid: &Cid| !others.contains(cid) && seen.insert(*cid);
            opened.into_iter().filter(new).collect()
        };
        Ok(NodeChanges {
            created: without(self.after.opened, &before),
            deleted: without(self.before.opened, &after),
        })
    }

    fn advance(&mut self) -> Result<Option<Change>, MstError> {
        loop {
            match (self.before.waiting.last(), self.after.waiting.last()) {
                (None, None) => return Ok(None),
                (
                    Some(Waiting::Subtree { cid: a, position: at_a }),
                    Some(Waiting::Subtree { cid: b, position: at_b }),
                ) => {
                    if a == b {
                        self.before.waiting.pop();
                        self.after.waiting.pop();
                        continue;
                    }
                    // The higher one is opened first, so that equal subtrees below it meet.
                    let (a, b) = (height(*at_a), height(*at_b));
                    if a >= b {
                        self.before.open()?;
                    }
                    if b >= a {
                        self.after.open()?;
                    }
                }
                (Some(Waiting::Subtree { .. }), _) => self.before.open()?,
                (_, Some(Waiting::Subtree { .. })) => self.after.open()?,
                (Some(Waiting::Entry { .. }), None) => return Ok(self.take_before()),
                (None, Some(Waiting::Entry { .. })) => return Ok(self.take_after()),
                (
                    Some(Waiting::Entry { key: a, value: before }),
                    Some(Waiting::Entry { key: b, value: after }),
                ) => match a.cmp(b) {
                    std::cmp::Ordering::Less => return Ok(self.take_before()),
                    std::cmp::Ordering::Greater => return Ok(self.take_after()),
                    std::cmp::Ordering::Equal => {
                        let changed = before != after;
                        let (before, after) = (self.before.take(), self.after.take());
                        if let (Some((_, before)), Some((key, after)), true) =
                            (before, after, changed)
                        {
                            let (before, after) = (Some(before), Some(after));
                            return Ok(Some(Change { key, before, after }));
                        }
                    }
                },
            }
        }
    }

    fn take_before(&mut self) -> Option<Change> {
        let (key, value) = self.before.take()?;
        Some(Change { key, before: Some(value), after: None })
    }

    fn take_after(&mut self) -> Option<Change> {
        let (key, value) = self.after.take()?;
        Some(Change { key, before: None, after: Some(value) })
    }
}

impl Iterator for Diff<'_> {
    type Item = Result<Change, MstError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.advance().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

impl<'b> Side<'b> {
    fn new(blocks: &'b dyn Blocks, root: Option<Cid>) -> Self {
        let root = root.map(|cid| Waiting::Subtree { cid, position: Position::Root });
        let waiting = root.into_iter().collect();
        Self { source: Source::uncached(blocks), waiting, before: None, opened: Vec::new() }
    }

    fn take(&mut self) -> Option<(Key, Cid)> {
        match self.waiting.pop()? {
            Waiting::Entry { key, value } => {
                self.before = Some(key.clone());
                Some((key, value))
            }
            Waiting::Subtree { .. } => None,
        }
    }

    /// Replaces the next subtree by what stands in it.
    fn open(&mut self) -> Result<(), MstError> {
        let Some(Waiting::Subtree { cid, position }) = self.waiting.pop() else {
            return Ok(());
        };
        let node = self.source.node(cid, position)?;
        let above = next_key(&self.waiting);
        // Without this a subtree that is named in many places would be opened in each of them.
        if !node.lies_between(self.before.as_ref().map(Key::as_bytes), above) {
            return Err(MstError::Invalid { cid, reason: NOT_ASCENDING });
        }
        self.opened.push(cid);
        unfold(&node, 0, &mut self.waiting);
        Ok(())
    }
}

/// How high a subtree stands; a root, whose level is not known yet, counts as highest.
fn height(position: Position) -> u8 {
    match position {
        Position::Root => u8::MAX,
        Position::Child { level } => level,
    }
}
