//! The cache of tree nodes.

use std::collections::{HashMap, hash_map};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::data::block::Blocks;
use crate::data::cid::Cid;
use crate::data::cid_hasher::ByCid;
use crate::mst::known::Kept;

/// A cache of checked nodes, in a bounded amount of memory.
///
/// A CID names bytes, so a node in the cache is valid for every source. But the cache does not know whether the node
/// is still stored. Callers that delete blocks must [clear](Self::clear) it, and callers that look for missing blocks
/// must read without it.
///
/// The cache has two generations. When the young one is full, it becomes the old one, and the old one is dropped. A
/// node promoted from the old generation starts without child pointers, so dropping the old generation frees
/// everything it held.
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
    young: HashMap<Cid, Entry, ByCid>,
    young_bytes: usize,
    old: HashMap<Cid, Entry, ByCid>,
}

struct Entry {
    kept: Arc<Kept>,
    bytes: usize,
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
    pub(super) fn get(&self, cid: &Cid) -> Option<Arc<Kept>> {
        let generations = &mut *self.generations();
        if let Some(entry) = generations.young.get(cid) {
            return Some(entry.kept.clone());
        }
        let Entry { kept, bytes } = generations.old.remove(cid)?;
        let kept = Arc::new(kept.without_pointers());
        self.insert(generations, *cid, Entry { kept: kept.clone(), bytes });
        Some(kept)
    }

    /// Adds a node that takes this many bytes of memory. Returns whether it was added: not if it is too large, and
    /// not if the young generation has it already.
    pub(super) fn keep(&self, cid: Cid, kept: Arc<Kept>, bytes: usize) -> bool {
        let bytes = bytes.saturating_add(ENTRY_BYTES);
        self.insert(&mut self.generations(), cid, Entry { kept, bytes })
    }

    fn insert(&self, generations: &mut Generations, cid: Cid, entry: Entry) -> bool {
        let bytes = entry.bytes;
        if bytes > self.max_bytes / 2 {
            return false;
        }
        if generations.young_bytes + bytes > self.max_bytes / 2 {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
        let hash_map::Entry::Vacant(place) = generations.young.entry(cid) else { return false };
        place.insert(entry);
        generations.young_bytes += bytes;
        true
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for NodeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generations = self.generations();
        write!(f, "NodeCache({} nodes)", generations.young.len() + generations.old.len())
    }
}

/// The source of a tree's nodes: blocks, and a cache in front of them, if there is one.
#[derive(Clone, Copy)]
pub(super) struct Source<'b> {
    pub(super) blocks: &'b dyn Blocks,
    pub(super) cache: Option<&'b NodeCache>,
}

impl<'b> Source<'b> {
    /// Reads every node from blocks.
    pub(super) fn uncached(blocks: &'b dyn Blocks) -> Self {
        Self { blocks, cache: None }
    }
}

/// The memory of an entry, apart from its node: the key, its place in the map, two counts.
const ENTRY_BYTES: usize = 112;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::block::Block;
    use crate::data::cid::Codec;

    #[test]
    fn memory_is_bounded_and_nodes_in_use_stay() {
        let cache = NodeCache::new(100 * (ENTRY_BYTES + 10));
        let blocks: Vec<Block> =
            (0..1_000_u32).map(|n| Block::new(Codec::Cbor, n.to_be_bytes())).collect();
        let keep = |block: &Block, bytes| {
            cache.keep(block.cid(), Arc::new(Kept::unchecked(block, 0)), bytes)
        };
        for block in &blocks {
            keep(block, 10);
            assert!(cache.get(&blocks[0].cid()).is_some(), "in use all the time");
        }
        let held = blocks.iter().filter(|block| cache.get(&block.cid()).is_some()).count();
        assert!((10..=100).contains(&held), "{held}");
        let large = Block::new(Codec::Cbor, b"large");
        assert!(!keep(&large, 1 << 20), "too large to be kept");
        assert!(cache.get(&large.cid()).is_none());
        cache.clear();
        assert!(cache.get(&blocks[0].cid()).is_none());
    }
}
