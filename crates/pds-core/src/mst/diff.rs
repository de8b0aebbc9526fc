//! What changed from one tree to another, reading only what differs.

use std::collections::HashSet;

use crate::data::block::Blocks;
use crate::data::cid::Cid;
use crate::mst::cache::{NodeCache, Source};
use crate::mst::comparison::{Turn, turn};
use crate::mst::diff_ahead::read_ahead;
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::path::{Next, Path};
use crate::mst::traversal::Traversal;

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

/// One of the two trees, and the nodes of it that were compared.
struct Side<'b> {
    traversal: Traversal<'b>,
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
        self.before.traversal.source.cache = before;
        self.after.traversal.source.cache = after;
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
            match turn(self.before.traversal.path.next(), self.after.traversal.path.next()) {
                Turn::End => return Ok(None),
                Turn::Equal => self.pass(true, true),
                Turn::Open { before, after } => self.open(before, after)?,
                Turn::Change { key, before, after } => {
                    let change = Change { key: Key::checked(key), before, after };
                    self.pass(before.is_some(), after.is_some());
                    return Ok(Some(change));
                }
            }
        }
    }

    fn pass(&mut self, before: bool, after: bool) {
        for (side, passes) in [(&mut self.before, before), (&mut self.after, after)] {
            if passes {
                side.traversal.path.pass();
            }
        }
    }

    fn open(&mut self, before: bool, after: bool) -> Result<(), MstError> {
        let sides = [(&mut self.before, before), (&mut self.after, after)];
        if sides.into_iter().any(|(side, opens)| opens && side.traversal.lacks_next()) {
            read_ahead(&mut self.before.traversal, &mut self.after.traversal);
        }
        for (side, opens) in [(&mut self.before, before), (&mut self.after, after)] {
            if opens {
                side.open()?;
            }
        }
        Ok(())
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
        let traversal = Traversal::new(Source::uncached(blocks), Path::new(root));
        Self { traversal, opened: Vec::new() }
    }

    fn open(&mut self) -> Result<(), MstError> {
        if let Next::Subtree { cid, position } = self.traversal.path.next() {
            self.traversal.path.pass();
            self.traversal.open_cached(cid, position, true)?;
            self.opened.push(cid);
        }
        Ok(())
    }
}
