//! Ranges of a tree: its entries in key order, from any key and in either direction.

use std::fmt;
use std::ops::RangeBounds;

use crate::data::block::{Block, Blocks};
use crate::data::cid::Cid;
use crate::mst::cache::{NodeCache, Source};
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::node::Position;
use crate::mst::path::{Next, Path};
use crate::mst::traversal::Traversal;

/// A key and the CID of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The CID of the record.
    pub value: Cid,
}

/// Iterates over the entries of a range of a stored tree, in key order.
///
/// Without a cache ([`Range::cached`]), every node is read from `blocks`.
///
/// ```
/// use pds::data::{Cid, Codec, MemoryBlocks};
/// use pds::mst::{Key, Tree, range};
///
/// let mut blocks = MemoryBlocks::default();
/// let mut tree = Tree::empty(&blocks);
/// for name in ["a", "b", "c"] {
///     tree.insert(Key::new(name.as_bytes())?, Cid::of(Codec::Cbor, name.as_bytes()))?;
/// }
/// let written = tree.write()?;
/// blocks.extend(written.nodes);
///
/// let from_b = range(&blocks, written.root, Key::new(*b"b")?..);
/// let keys: Result<Vec<_>, _> = from_b.map(|entry| entry.map(|e| e.key.to_string())).collect();
/// assert_eq!(keys?, ["b", "c"]);
/// # Ok::<(), pds::mst::MstError>(())
/// ```
pub fn range(blocks: &dyn Blocks, root: Cid, keys: impl RangeBounds<Key>) -> Range<'_> {
    Range::new(Source::uncached(blocks), Ok((Some(root), Vec::new())), keys)
}

/// An iterator over the entries of a range of a tree.
///
/// A subtree that cannot be read is returned as an error, and the entries after it follow.
pub struct Range<'t> {
    traversal: Traversal<'t>,
    /// The error of encoding an edited tree. It is returned first.
    failed: Option<MstError>,
}

impl fmt::Debug for Range<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Range").finish_non_exhaustive()
    }
}

impl<'t> Range<'t> {
    /// Starts with a root, and with nodes that the source does not have yet.
    pub(super) fn new(
        source: Source<'t>,
        tree: Result<(Option<Cid>, Vec<Block>), MstError>,
        keys: impl RangeBounds<Key>,
    ) -> Self {
        let (tree, failed) = match tree {
            Ok(tree) => (tree, None),
            Err(error) => (Default::default(), Some(error)),
        };
        let path = Path::within(tree.0, keys.start_bound().cloned(), keys.end_bound().cloned());
        Self { traversal: Traversal::new(source, path).with_unwritten(tree.1), failed }
    }

    /// Iterates from the last key to the first. Call this before the first entry is returned.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.traversal.path.reverse();
        self
    }

    /// Uses a cache for the nodes. The range adds only the root to it. `None` means no cache.
    #[must_use]
    pub fn cached(mut self, cache: impl Into<Option<&'t NodeCache>>) -> Self {
        self.traversal.source.cache = cache.into();
        self
    }
}

impl Iterator for Range<'_> {
    type Item = Result<Entry, MstError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        loop {
            match self.traversal.path.next() {
                Next::Subtree { cid, position } => {
                    self.traversal.path.pass();
                    self.traversal.read_ahead(cid, position);
                    let keep = position == Position::Root;
                    if let Err(error) = self.traversal.open_cached(cid, position, keep) {
                        return Some(Err(error));
                    }
                }
                Next::Entry { key, value } => {
                    let entry = Entry { key: Key::checked(key), value };
                    self.traversal.path.pass();
                    return Some(Ok(entry));
                }
                Next::End => return None,
            }
        }
    }
}
