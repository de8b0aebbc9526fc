//! Nodes and entries in the order in which a streamable CAR has them.

use std::collections::HashSet;
use std::sync::Arc;

use crate::data::block::{Block, Blocks};
use crate::data::cid::Cid;
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::node::{NAMED_AGAIN, NOT_ASCENDING, Node, Position, read_node};
use crate::mst::path::{Next, Path};
use crate::mst::seen::Seen;

/// One step of a [`Walk`].
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
/// use pds::mst::{Step, walk};
///
/// let entries = walk(&blocks, written.root).filter(|step| matches!(step, Ok(Step::Entry { .. })));
/// assert_eq!(entries.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub enum Step {
    /// A node, before anything below it.
    Node {
        /// Its block.
        block: Block,
        /// What stands in it.
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
/// This is the order of the specification's streamable CARs. Keys must ascend through the whole
/// tree. An error stands for the subtree that cannot be walked; the walk goes on after it. No
/// subtree is walked twice, however often it is named: the work is in the number of blocks.
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
    Walk {
        blocks,
        root: Some(root),
        path: Path::new(),
        failed: HashSet::new(),
        levels: None,
        seen: None,
    }
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
/// As [`walk`]; keys are not compared across nodes.
pub fn nodes(blocks: &dyn Blocks, root: Cid) -> impl Iterator<Item = Result<Block, MstError>> + '_ {
    walk(blocks, root).filter_map(|step| match step {
        Ok(Step::Node { block, .. }) => Some(Ok(block)),
        Ok(Step::Entry { .. }) => None,
        Err(error) => Some(Err(error)),
    })
}

/// A walk over a tree; see [`walk`].
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
/// let top = pds::mst::walk(&blocks, written.root).levels(1);
/// assert_eq!(top.count(), 2, "a node and an entry");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Walk<'b> {
    blocks: &'b dyn Blocks,
    /// Until it has been read.
    root: Option<Cid>,
    path: Path<Arc<Node>>,
    /// Subtrees that cannot be walked, and are not read again where they are named again.
    failed: HashSet<Cid>,
    /// How many levels are walked, if not all.
    levels: Option<u8>,
    /// Subtrees that earlier walks have gone through, if they are to be passed over.
    seen: Option<&'b mut Seen>,
}

impl<'b> Walk<'b> {
    /// Passes over subtrees that earlier walks with the same list have gone through, and adds those of this walk;
    /// to be called before the first step.
    #[must_use]
    pub fn passing_over(mut self, seen: &'b mut Seen) -> Self {
        self.seen = Some(seen);
        self
    }

    /// Walks over this many levels only, from the root down; to be called before the first step.
    #[must_use]
    pub fn levels(mut self, levels: u8) -> Self {
        self.levels = Some(levels);
        self
    }

    fn open(&mut self, cid: Cid, position: Position) -> Result<Step, MstError> {
        if self.failed.contains(&cid) {
            return Err(MstError::Invalid { cid, reason: NAMED_AGAIN });
        }
        let opened = self.step_into(cid, position);
        if matches!(opened, Err(MstError::Invalid { .. } | MstError::Undecodable { .. })) {
            self.failed.insert(cid);
        }
        opened
    }

    fn step_into(&mut self, cid: Cid, position: Position) -> Result<Step, MstError> {
        let read = read_node(self.blocks, cid, position);
        if let (Err(_), Some(seen)) = (&read, &mut self.seen) {
            seen.failed(cid, position);
        }
        let (block, node) = read?;
        if !self.path.has_room_for(&node) {
            return Err(MstError::Invalid { cid, reason: NOT_ASCENDING });
        }
        if let Some(levels) = self.levels.take() {
            self.path.down_to(node.level().saturating_sub(levels.saturating_sub(1)));
        }
        if let Some(seen) = &mut self.seen {
            seen.entered(cid, position, self.path.room());
        }
        let node = Arc::new(node);
        self.path.enter(node.clone());
        Ok(Step::Node { block, node })
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Step, MstError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (cid, position) = match (self.root.take(), self.path.next()) {
                (Some(root), _) => (root, Position::Root),
                (None, Next::Subtree { cid, position }) => (cid, position),
                (None, Next::Entry { key, value }) => {
                    let step = Step::Entry { key: Key::checked(key), value };
                    self.path.pass();
                    return Some(Ok(step));
                }
                (None, Next::End) => return None,
            };
            self.path.pass();
            let seen = self.seen.as_ref();
            if !seen.is_some_and(|seen| seen.has(&cid, position, self.path.room())) {
                return Some(self.open(cid, position));
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
        assert!(range(&blocks, root, ..).any(|entry| entry.is_err()));
        assert!(range(&blocks, root, ..).reversed().any(|entry| entry.is_err()));
        assert!(diff(&blocks, None, Some(root)).any(|change| change.is_err()));
    }
}
