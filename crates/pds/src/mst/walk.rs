//! Nodes and entries in the order in which a streamable CAR has them.

use std::collections::HashSet;

use super::node::{NAMED_AGAIN, NOT_ASCENDING, Position, read_node};
use super::waiting::{Waiting, next_key, unfold};
use super::{Key, MstError, Node};
use crate::data::{Block, Blocks, Cid};

/// One step of a [`Walk`].
#[derive(Clone, Debug)]
pub enum Step {
    /// A node, before anything below it.
    Node {
        /// Its block.
        block: Block,
        /// What stands in it.
        node: Node,
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
/// subtree is walked twice, however often it is named, so the work is in the number of blocks.
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
        waiting: vec![Waiting::Subtree { cid: root, position: Position::Root }],
        before: None,
        failed: HashSet::new(),
        levels: None,
        lowest: 0,
    }
}

/// Walks over the nodes of a tree, parents first.
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
pub struct Walk<'b> {
    blocks: &'b dyn Blocks,
    /// What is still to come, the next at the end. It holds at most the entries of one path.
    waiting: Vec<Waiting>,
    before: Option<Key>,
    /// Subtrees that cannot be walked, and are not read again where they are named again.
    failed: HashSet<Cid>,
    /// How many levels are walked, if not all.
    levels: Option<u8>,
    /// The lowest level that is walked.
    lowest: u8,
}

impl Walk<'_> {
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
        let (block, node) = read_node(self.blocks, cid, position)?;
        let above = next_key(&self.waiting);
        if !node.lies_between(self.before.as_ref().map(Key::as_bytes), above) {
            return Err(MstError::Invalid { cid, reason: NOT_ASCENDING });
        }
        if let Some(levels) = self.levels.take() {
            self.lowest = node.level().saturating_sub(levels.saturating_sub(1));
        }
        unfold(&node, self.lowest, &mut self.waiting);
        Ok(Step::Node { block, node })
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Step, MstError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.waiting.pop()? {
            Waiting::Subtree { cid, position } => Some(self.open(cid, position)),
            Waiting::Entry { key, value } => {
                self.before = Some(key.clone());
                Some(Ok(Step::Entry { key, value }))
            }
        }
    }
}
