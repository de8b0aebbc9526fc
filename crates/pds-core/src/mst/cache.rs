//! The cache of tree nodes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::data::block::Blocks;
use crate::data::cid::Cid;
use crate::data::cid_hasher::ByCid;
use crate::mst::error::MstError;
use crate::mst::node::{Node, Position, WRONG_LEVEL, read_node};

/// A cache of checked nodes, in a bounded amount of memory.
///
/// A CID names bytes, so a node in the cache is valid for every source. But the cache does not know whether the node
/// is still stored. Callers that delete blocks must [clear](Self::clear) it, and callers that look for missing blocks
/// must read without it.
///
/// The cache has two generations. A node that is used moves to the young one. When the young one is full, it becomes
/// the old one, and the old one is dropped.
///
/// ```
/// use pds::data::{Cid, Codec, MemoryBlocks};
/// use pds::mst::{Key, NodeCache, Tree};
///
/// let mut blocks = MemoryBlocks::default();
/// let value = Cid::of(Codec::Cbor, b"\xa0");
/// let mut tree = Tree::empty(&blocks);
/// tree.insert(Key::new(*b"com.example.note/a")?, value)?;
/// let written = tree.write()?;
/// blocks.extend(written.nodes);
///
/// let cache = NodeCache::new(1_000_000);
/// let tree = Tree::open(&blocks, written.root).cached(&cache);
/// assert_eq!(tree.get(b"com.example.note/a")?, Some(value));
///
/// // The node is found again without its block.
/// let nothing = MemoryBlocks::default();
/// let again = Tree::open(&nothing, written.root).cached(&cache);
/// assert_eq!(again.get(b"com.example.note/a")?, Some(value));
/// # Ok::<(), pds::mst::MstError>(())
/// ```
pub struct NodeCache {
    generations: Mutex<Generations>,
    max_bytes: usize,
}

#[derive(Default)]
struct Generations {
    young: HashMap<Cid, Arc<Node>, ByCid>,
    young_bytes: usize,
    old: HashMap<Cid, Arc<Node>, ByCid>,
}

impl NodeCache {
    /// Makes an empty cache that holds at most this many bytes.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self { generations: Mutex::default(), max_bytes }
    }

    /// Removes every node.
    pub fn clear(&self) {
        *self.generations() = Generations::default();
    }

    /// Returns a node, if it is in the cache.
    pub(super) fn get(&self, cid: &Cid) -> Option<Arc<Node>> {
        let mut generations = self.generations();
        if let Some(node) = generations.young.get(cid) {
            return Some(node.clone());
        }
        let node = generations.old.remove(cid)?;
        generations.insert(*cid, node.clone(), self.max_bytes / 2);
        Some(node)
    }

    /// Adds a checked node, unless it is too large.
    pub(super) fn insert(&self, cid: Cid, node: Arc<Node>) {
        // The empty node is valid as a root, but not below another node.
        if node.is_empty() && node.left().is_none() {
            return;
        }
        self.generations().insert(cid, node, self.max_bytes / 2);
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the memory of the nodes in the cache, in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let generations = self.generations();
        generations.young.values().chain(generations.old.values()).map(|node| bytes(node)).sum()
    }
}

impl Generations {
    fn insert(&mut self, cid: Cid, node: Arc<Node>, max_bytes: usize) {
        let bytes = bytes(&node);
        if bytes > max_bytes {
            return;
        }
        if self.young_bytes + bytes > max_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(cid, node).is_none() {
            self.young_bytes += bytes;
        }
    }
}

impl fmt::Debug for NodeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generations = self.generations();
        write!(f, "NodeCache({} nodes)", generations.young.len() + generations.old.len())
    }
}

/// Returns the memory of a node in the cache, in bytes.
fn bytes(node: &Node) -> usize {
    node.memory() + ENTRY_BYTES
}

/// The source of a tree's nodes: blocks, and optionally a cache in front of them.
#[derive(Clone, Copy)]
pub(super) struct Source<'b> {
    pub(super) blocks: &'b dyn Blocks,
    pub(super) cache: Option<&'b NodeCache>,
}

impl<'b> Source<'b> {
    /// Returns a source that reads every node from blocks.
    pub(super) fn uncached(blocks: &'b dyn Blocks) -> Self {
        Self { blocks, cache: None }
    }

    /// Returns a node from the cache. Otherwise reads and checks the node and adds it to the cache.
    pub(super) fn node(&self, cid: Cid, position: Position) -> Result<Arc<Node>, MstError> {
        if let Some(node) = self.cached(cid, position)? {
            return Ok(node);
        }
        let (_, node) = read_node(self.blocks, cid, position)?;
        if let Some(cache) = self.cache {
            cache.insert(cid, node.clone());
        }
        Ok(node)
    }

    /// Returns a node from the cache, if its level shows whether it is valid at this position.
    pub(super) fn cached(
        &self,
        cid: Cid,
        position: Position,
    ) -> Result<Option<Arc<Node>>, MstError> {
        let Some(node) = self.cache.and_then(|cache| cache.get(&cid)) else {
            return Ok(None);
        };
        match position {
            Position::Child { level } if level == node.level() => Ok(Some(node)),
            // A node without entries has no level of its own: its position determines the rules.
            _ if node.is_empty() => Ok(None),
            Position::Child { .. } => Err(MstError::Invalid { cid, reason: WRONG_LEVEL }),
            Position::Root => Ok(Some(node)),
        }
    }
}

/// The memory of a cache entry without its node, in bytes: the CID, its slot in the map, and two reference counts.
const ENTRY_BYTES: usize = 80;

#[cfg(test)]
#[path = "cache_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
