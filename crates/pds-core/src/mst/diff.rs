//! The comparison of two trees, which reads only the nodes that differ.

use std::collections::HashSet;
use std::fmt;

use crate::data::block::Blocks;
use crate::data::cid::Cid;
use crate::mst::cache::{NodeCache, Source};
use crate::mst::comparison::{Turn, turn};
use crate::mst::diff_ahead::read_ahead;
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::path::{Next, Path};
use crate::mst::traversal::Traversal;

/// A key whose values differ between two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Key,
    /// The value in the earlier tree, or `None` if the key was created.
    pub before: Option<Cid>,
    /// The value in the later tree, or `None` if the key was deleted.
    pub after: Option<Cid>,
}

/// The nodes that differ between two trees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeChanges {
    /// The nodes that only the later tree has, parents first.
    pub created: Vec<Cid>,
    /// The nodes that only the earlier tree has, parents first.
    pub deleted: Vec<Cid>,
}

/// Compares two trees and returns the changes in key order.
///
/// `None` means a tree without keys. Equal subtrees are not read, so the work is proportional to the number of
/// changes. For trees in different places, use [`diff_across`]. Without a cache ([`Diff::cached`]), every node that
/// differs is read from `blocks`.
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

/// Compares two trees in different places, as [`diff`] does.
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

/// An iterator over the changes between two trees. It ends after an error.
pub struct Diff<'b> {
    before: Side<'b>,
    after: Side<'b>,
    failed: bool,
}

impl fmt::Debug for Diff<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diff").field("failed", &self.failed).finish_non_exhaustive()
    }
}

/// One of the two trees, and its nodes that were opened.
struct Side<'b> {
    traversal: Traversal<'b>,
    opened: Vec<Cid>,
}

impl<'b> Diff<'b> {
    /// Uses a cache for the nodes of both trees. The comparison adds the nodes that it reads. `None` means no cache.
    #[must_use]
    pub fn cached(self, cache: impl Into<Option<&'b NodeCache>>) -> Self {
        let cache = cache.into();
        self.cached_across(cache, cache)
    }

    /// Uses a separate cache for each tree, as [`cached`](Self::cached) does.
    ///
    /// With `None` for one tree, each missing node of that tree is reported, even if another cache has it.
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

    /// Compares the trees to the end and returns the nodes that differ.
    ///
    /// # Errors
    ///
    /// [`MstError`] if a node that differs cannot be read.
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
