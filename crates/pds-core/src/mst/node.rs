//! The tree node: its decoder, which checks every rule on the shape of a node.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use std::cmp::Ordering;
use std::sync::Arc;

use crate::data::block::{Block, Blocks, ReadError};
use crate::data::cbor::{Cursor, Rule};
use crate::data::cid::{Cid, Codec};
use crate::data::error::DataError;
use crate::data::limits::{MAX_NODE_ENTRIES, MAX_TREE_LEVEL};
use crate::data::record_check::check_canonical;
use crate::mst::compressed::{Compressed, SHARES_TOO_MUCH, entry, rule, subtree_link};
use crate::mst::error::MstError;
use crate::mst::key::{check_len, height};

/// The bytes of the only node of an empty tree: no entries, no subtree.
pub const EMPTY_NODE: [u8; 7] = [0xa2, 0x61, b'e', 0x80, 0x61, b'l', 0xf6];

/// A decoded node, with its keys in full.
///
/// All keys are in one buffer, so a node has two allocations whatever its size. (Specification "Repository", section
/// "MST Structure".)
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
/// use pds::mst::{Node, Position};
///
/// let block = &written.nodes[0];
/// let node = Node::read(block.cid(), block.bytes(), Position::Root)?;
/// assert_eq!((node.len(), node.left()), (1, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    level: u8,
    left: Option<Cid>,
    keys: Vec<u8>,
    entries: Vec<Slot>,
}

/// A borrowed entry of a [`Node`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeEntry<'a> {
    /// The key in full.
    pub key: &'a [u8],
    /// The CID of the record.
    pub value: Cid,
    /// The subtree between this key and the next.
    pub right: Option<Cid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    key_end: u32,
    value: Cid,
    right: Option<Cid>,
}

impl Node {
    /// Decodes the node of a block, and checks that it is valid at a position in a tree.
    ///
    /// The bytes are not hashed. Every other rule for a single node is checked:
    ///
    /// - The block is canonical CBOR with exactly the fields of a node.
    /// - The keys ascend, and are compressed as far as possible.
    /// - All keys have one height. In a child, it is the level of the position.
    /// - There is no subtree below level 0.
    /// - There are entries, unless the node is the empty root or only bridges a level.
    ///
    /// # Errors
    ///
    /// [`MstError::Undecodable`] or [`MstError::Invalid`].
    pub fn read(cid: Cid, bytes: &[u8], position: Position) -> Result<Self, MstError> {
        let mut node = Self::default();
        node.refill(cid, bytes, position)?;
        Ok(node)
    }

    /// As [`read`](Self::read), but in the memory of a finished node. After an error, its content is unspecified.
    pub(super) fn refill(
        &mut self,
        cid: Cid,
        bytes: &[u8],
        position: Position,
    ) -> Result<(), MstError> {
        let invalid = |reason| MstError::Invalid { cid, reason };
        if cid.codec() != Codec::Cbor {
            return Err(invalid("a link to a node names raw bytes"));
        }
        self.decode(bytes).map_err(|source| refused(cid, bytes, source))?;
        self.level = self.check_level(position).map_err(invalid)?;
        Ok(())
    }

    /// Starts a node to which [`push`](Self::push) adds entries. They are not checked, because the caller made them.
    pub(super) fn start(level: u8, left: Option<Cid>, count: usize) -> Self {
        let keys = Vec::with_capacity(count.saturating_mul(TYPICAL_KEY_BYTES));
        Self { level, left, keys, entries: Vec::with_capacity(count) }
    }

    /// Adds the next entry.
    pub(super) fn push(&mut self, key: &[u8], value: Cid, right: Option<Cid>) {
        self.keys.extend_from_slice(key);
        let key_end = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.entries.push(Slot { key_end, value, right });
    }

    /// Returns the memory of the node, in bytes.
    pub(super) fn memory(&self) -> usize {
        let slots = self.entries.capacity().saturating_mul(size_of::<Slot>());
        size_of::<Self>().saturating_add(self.keys.capacity()).saturating_add(slots)
    }

    /// Returns the level of the node. The node of an empty tree is on level 0.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Returns the subtree before the first key.
    #[must_use]
    pub fn left(&self) -> Option<Cid> {
        self.left
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether the node has no entries, as in an empty tree, or if the node only bridges a level.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the entry with this index, or `None` beyond the last.
    #[must_use]
    pub fn entry(&self, index: usize) -> Option<NodeEntry<'_>> {
        let slot = self.entries.get(index)?;
        let start = match index.checked_sub(1) {
            None => 0,
            Some(before) => self.entries.get(before)?.key_end as usize,
        };
        let key = self.keys.get(start..slot.key_end as usize)?;
        Some(NodeEntry { key, value: slot.value, right: slot.right })
    }

    /// Iterates over the entries in key order.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = NodeEntry<'_>> {
        let mut start = 0_usize;
        self.entries.iter().map(move |slot| {
            let end = slot.key_end as usize;
            let key = self.keys.get(start..end).unwrap_or_default();
            start = end;
            NodeEntry { key, value: slot.value, right: slot.right }
        })
    }

    /// Iterates over the subtrees from left to right.
    pub fn subtrees(&self) -> impl Iterator<Item = Cid> {
        self.left.into_iter().chain(self.entries.iter().filter_map(|slot| slot.right))
    }

    /// Returns the index of a key. If the node does not have the key, the error is the index that it would have.
    pub(super) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        // Nodes have four entries on average, so a linear search is as fast as a binary search.
        for (index, entry) in self.entries().enumerate() {
            match entry.key.cmp(key) {
                Ordering::Less => {}
                Ordering::Equal => return Ok(index),
                Ordering::Greater => return Err(index),
            }
        }
        Err(self.len())
    }

    /// Returns whether all keys are between two others. It is true for a node without keys.
    pub(super) fn lies_between(&self, before: Option<&[u8]>, after: Option<&[u8]>) -> bool {
        let first = self.entry(0);
        let last = self.len().checked_sub(1).and_then(|last| self.entry(last));
        let ascends = |a: Option<&[u8]>, b: Option<&[u8]>| a.zip(b).is_none_or(|(a, b)| a < b);
        ascends(before, first.map(|first| first.key)) && ascends(last.map(|last| last.key), after)
    }

    /// Returns the subtree before the entry with this index, or the subtree after the last entry.
    pub(super) fn subtree(&self, index: usize) -> Option<Cid> {
        match index.checked_sub(1) {
            None => self.left,
            Some(before) => self.entries.get(before)?.right,
        }
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        let Self { keys, entries, .. } = self;
        keys.clear();
        entries.clear();
        let mut cursor = Cursor::new(bytes);
        if cursor.map()? != 2 {
            return Err(Rule("a node must have the fields e and l and no others").at(0));
        }
        cursor.expect_key("e")?;
        let start = cursor.offset();
        let count = cursor.list()?;
        if count > MAX_NODE_ENTRIES {
            return Err(Rule("more entries in a node than the limit of 1024").at(start));
        }
        entries.reserve_exact(count);
        keys.reserve_exact(count.saturating_mul(TYPICAL_KEY_BYTES));
        let mut before = 0..0_usize;
        for _ in 0..count {
            let (Compressed { rest, prefix, .. }, (right, value)) = entry(&mut cursor)?;
            if prefix > before.len() {
                return Err(rule(SHARES_TOO_MUCH));
            }
            let from = keys.len();
            keys.extend_from_within(before.start..before.start.saturating_add(prefix));
            keys.extend_from_slice(rest);
            check_len(keys.get(from..).unwrap_or_default()).map_err(rule)?;
            if !entries.is_empty() {
                // The two keys are equal up to `prefix`, and the next byte decides their order.
                let previous = keys.get(before.start.saturating_add(prefix)..before.end);
                match previous.unwrap_or_default().first().cmp(&rest.first()) {
                    Ordering::Less => {}
                    Ordering::Equal if !rest.is_empty() => {
                        return Err(rule(
                            "a key shares more bytes with the previous key than its prefix length",
                        ));
                    }
                    _ => return Err(rule("keys are not in ascending order")),
                }
            }
            before = from..keys.len();
            let key_end = u32::try_from(keys.len()).unwrap_or(u32::MAX);
            entries.push(Slot {
                key_end,
                value: Cid::from_checked(value),
                right: right.map(Cid::from_checked),
            });
        }
        cursor.expect_key("l")?;
        self.left = subtree_link(&mut cursor)?;
        cursor.end()
    }

    fn check_level(&self, position: Position) -> Result<u8, &'static str> {
        let mut heights = self.entries().map(|entry| height(entry.key));
        let level = match (heights.next(), position) {
            (Some(first), _) => {
                if heights.any(|height| height != first) {
                    return Err("keys of different heights in one node");
                }
                first
            }
            (None, Position::Root) if self.left.is_some() => {
                return Err("the root has no entries, only a subtree");
            }
            (None, Position::Root) => return Ok(0),
            (None, Position::Child { .. }) if self.left.is_none() => {
                return Err("an empty node below the root");
            }
            (None, Position::Child { level }) => level,
        };
        if let Position::Child { level: asked } = position
            && asked != level
        {
            return Err(WRONG_LEVEL);
        }
        if level == 0 && self.subtrees().next().is_some() {
            return Err("a subtree below level 0");
        }
        Ok(level)
    }
}

/// Returns the error for a block that is not a node.
fn refused(cid: Cid, bytes: &[u8], source: DataError) -> MstError {
    match source {
        // The decoder has found a broken rule of the tree.
        DataError::Model { reason, .. } => MstError::Invalid { cid, reason },
        // The block is canonical CBOR, but not a node.
        DataError::Cbor { reason, .. } if check_canonical(bytes).is_ok() => {
            MstError::Invalid { cid, reason }
        }
        source => MstError::Undecodable { cid, source },
    }
}

/// The position of a node in its tree.
///
/// ```
/// use pds::data::{Cid, Codec};
/// use pds::mst::{EMPTY_NODE, Node, Position};
///
/// let cid = Cid::of(Codec::Cbor, &EMPTY_NODE);
/// assert!(Node::read(cid, &EMPTY_NODE, Position::Root).is_ok());
/// assert!(Node::read(cid, &EMPTY_NODE, Position::Child { level: 0 }).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The node is the root.
    Root,
    /// The node is below another node.
    Child {
        /// The level of the node: one less than the level of its parent.
        level: u8,
    },
}

impl Position {
    /// Returns the position of the children of a node on this level, or `None` on level 0.
    pub(super) fn below(level: u8) -> Option<Self> {
        level.checked_sub(1).map(|level| Self::Child { level })
    }
}

/// Reads a node from blocks and checks it.
pub(super) fn read_node(
    blocks: &dyn Blocks,
    cid: Cid,
    position: Position,
) -> Result<(Block, Arc<Node>), MstError> {
    checked_node(blocks.get(&cid), cid, position)
}

/// Checks the node in the result of a read.
pub(super) fn checked_node(
    answer: Result<Option<Block>, ReadError>,
    cid: Cid,
    position: Position,
) -> Result<(Block, Arc<Node>), MstError> {
    let block = answer?.ok_or(MstError::Missing { cid })?;
    let node = Node::read(cid, block.bytes(), position)?;
    debug_assert!(node.level <= MAX_TREE_LEVEL);
    Ok((block, Arc::new(node)))
}

/// The rule for keys of different nodes. A single node cannot break it.
pub(super) const NOT_ASCENDING: &str = "keys do not ascend from one node to the next";

pub(super) const WRONG_LEVEL: &str = "a child is not exactly one level below its parent";

/// The reason for a subtree that has already been refused at another link.
pub(super) const NAMED_AGAIN: &str = "an unreadable subtree occurs in the tree again";

const TYPICAL_KEY_BYTES: usize = 40;

#[cfg(test)]
#[path = "node_tests.rs"]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
