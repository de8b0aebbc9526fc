//! The walk over a tree: its nodes and entries, in the order of a streamable CAR file.

use std::fmt;
use std::sync::Arc;

use crate::data::block::{Block, Blocks};
use crate::data::cid::Cid;
use crate::mst::base_tree::BaseTree;
use crate::mst::cache::Source;
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::node::{Node, Position};
use crate::mst::path::{Next, Path};
use crate::mst::seen::Seen;
use crate::mst::traversal::Traversal;

/// One step of a [`Walk`].
#[derive(Clone, Debug)]
pub enum Step {
    /// A node, before its entries and subtrees.
    Node {
        /// The block of the node.
        block: Block,
        /// The decoded node.
        node: Arc<Node>,
    },
    /// An entry, after the subtree before it and before the subtree after it.
    Entry {
        /// The key.
        key: Key,
        /// The CID of the record.
        value: Cid,
    },
}

/// Walks over a whole tree: each node, then its subtrees and entries from left to right.
///
/// This is the order of the specification's streamable CAR files. Keys must ascend through the whole tree. A subtree
/// that cannot be read is returned as an error, and the walk continues after it. No subtree is walked twice, however
/// many nodes link to it, so the work is proportional to the number of blocks.
///
/// ```
/// use pds::data::{Block, Codec, MemoryBlocks};
/// use pds::mst::{EMPTY_NODE, Step, walk};
///
/// let root = Block::new(Codec::Cbor, EMPTY_NODE);
/// let blocks: MemoryBlocks = [root.clone()].into_iter().collect();
/// let steps: Vec<Step> = walk(&blocks, root.cid()).collect::<Result<_, _>>()?;
/// assert!(matches!(&steps[..], [Step::Node { block, .. }] if *block == root));
/// # Ok::<(), pds::mst::MstError>(())
/// ```
pub fn walk(blocks: &dyn Blocks, root: Cid) -> Walk<'_> {
    let traversal = Traversal::new(Source::uncached(blocks), Path::new(Some(root)));
    Walk { traversal, base: None }
}

/// Walks over the nodes of a tree, parents first.
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
/// let nodes: Vec<_> = pds::mst::nodes(&blocks, written.root).collect::<Result<_, _>>()?;
/// assert_eq!(nodes, written.nodes);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The errors of [`walk`].
pub fn nodes(blocks: &dyn Blocks, root: Cid) -> impl Iterator<Item = Result<Block, MstError>> + '_ {
    walk(blocks, root).filter_map(|step| match step {
        Ok(Step::Node { block, .. }) => Some(Ok(block)),
        Ok(Step::Entry { .. }) => None,
        Err(error) => Some(Err(error)),
    })
}

/// The iterator that [`walk`] returns.
pub struct Walk<'b> {
    traversal: Traversal<'b>,
    base: Option<BaseTree<'b>>,
}

impl fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").finish_non_exhaustive()
    }
}

impl<'b> Walk<'b> {
    /// Skips the subtrees that earlier walks with the same list have visited, and adds those of this walk. Call this
    /// before the first step.
    #[must_use]
    pub fn passing_over(mut self, seen: &'b mut Seen) -> Self {
        self.traversal.pass_over(seen);
        self
    }

    /// Skips the subtrees and entries that another tree has in the same place, so the work is proportional to the number
    /// of changes. Nodes are read one at a time. Call this before the first step.
    #[must_use]
    pub fn over(mut self, base: impl Into<Option<BaseTree<'b>>>) -> Self {
        self.base = base.into();
        if self.base.is_some() {
            self.traversal.read_singly();
        }
        self
    }

    /// Returns whether the base has the subtree that was just passed.
    fn is_shared(&mut self, cid: Cid, position: Position) -> bool {
        let room = self.traversal.path.room();
        self.base.as_mut().is_some_and(|base| base.has_subtree(cid, position, room))
    }

    /// Limits the walk to this many levels, from the root down. Call this before the first step.
    #[must_use]
    pub fn levels(mut self, levels: u8) -> Self {
        self.traversal.path.limit(levels);
        self
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Step, MstError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.traversal.path.next() {
                Next::Subtree { cid, position } => {
                    self.traversal.path.pass();
                    if !self.traversal.was_seen(cid, position) && !self.is_shared(cid, position) {
                        self.traversal.read_ahead(cid, position);
                        let opened = self.traversal.open(cid, position);
                        return Some(opened.map(|(block, node)| Step::Node { block, node }));
                    }
                }
                Next::Entry { key, value } => {
                    let key = Key::checked(key);
                    self.traversal.path.pass();
                    let level = self.traversal.path.level();
                    let is_shared = |base: &mut BaseTree<'_>| {
                        level.is_some_and(|level| base.has_entry(key.as_bytes(), value, level))
                    };
                    if !self.base.as_mut().is_some_and(is_shared) {
                        return Some(Ok(Step::Entry { key, value }));
                    }
                }
                Next::End => return None,
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::block::MemoryBlocks;
    use crate::data::cid::Codec;
    use crate::mst::diff::diff;
    use crate::mst::encoder::Encoder;
    use crate::mst::key::height;
    use crate::mst::node::NAMED_AGAIN;
    use crate::mst::range::range;

    /// A node with the first keys of one height, and the same subtree before and after each.
    fn node(level: u8, count: usize, subtree: Option<Cid>) -> Block {
        let keys = (0..).map(|n| format!("{n:08}")).filter(|key| height(key.as_bytes()) == level);
        let mut encoder = Encoder::default();
        for key in keys.take(count) {
            encoder.entry(key.as_bytes(), &Cid::of(Codec::Cbor, b"x"), subtree.as_ref());
        }
        encoder.finish(subtree.as_ref())
    }

    #[test]
    fn a_subtree_that_stands_in_many_places_is_walked_once() {
        let mut blocks = MemoryBlocks::default();
        let mut below = None;
        for level in 0..7 {
            let node = node(level, 20, below);
            below = Some(node.cid());
            blocks.extend([node]);
        }
        let root = below.unwrap();
        let steps: Vec<Result<Step, MstError>> = walk(&blocks, root).collect();
        let failed = steps.iter().filter(|step| step.is_err()).count();
        assert!(failed > 0 && steps.len() - failed <= 7 * 21, "{} steps", steps.len());
        let is_first = |step: &Result<Step, MstError>| match step {
            Err(MstError::Invalid { reason, .. }) => *reason != NAMED_AGAIN,
            _ => false,
        };
        assert!(steps.iter().filter(|step| is_first(step)).count() <= 7);
        assert!(range(&blocks, root, ..).any(|entry| entry.is_err()));
        assert!(range(&blocks, root, ..).reversed().any(|entry| entry.is_err()));
        assert!(diff(&blocks, None, Some(root)).any(|change| change.is_err()));
    }
}
