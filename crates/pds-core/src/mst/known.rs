//! Nodes as the cache holds them: checked once, searched in the bytes of their blocks, and linked to each other.

use std::sync::{Arc, OnceLock};

use crate::data::block::Block;
use crate::data::cid::Cid;
use crate::mst::cache::{NodeCache, Source};
use crate::mst::compressed;
use crate::mst::error::MstError;
use crate::mst::node::{EMPTY_NODE, Node, Position, WRONG_LEVEL, read_node};

/// A checked node, as the bytes of its block. It points to the nodes below it that are in the cache, too: a descent
/// asks the cache for the root and follows pointers from there.
///
/// The [`NodeCache`] owns the nodes, and a node is pointed to only while it is in the cache. A node promoted from the
/// old generation starts without pointers. So no pointer leads from the young generation to the old one, and dropping
/// the old one frees everything it held.
#[derive(Debug)]
pub(super) struct Known {
    block: Block,
    /// One for each place of a subtree, from left to right; none on level 0, and none where nothing is remembered.
    below: Option<Arc<[OnceLock<Self>]>>,
    level: u8,
}

impl Known {
    /// Takes a node from the cache, or reads and checks it, and adds it to the cache if there is one.
    pub(super) fn recall(
        source: Source<'_>,
        cid: Cid,
        position: Position,
    ) -> Result<Self, MstError> {
        Self::find(source, cid, position).map(|(known, _)| known)
    }

    /// Returns the level of the node.
    pub(super) fn level(&self) -> u8 {
        self.level
    }

    /// Finds a key: its value, or the place that it would have, counted from left to right.
    pub(super) fn search(&self, key: &[u8]) -> Result<Option<Cid>, usize> {
        compressed::search(self.block.bytes(), key)
    }

    /// Returns the node of the subtree at a place, if there is a pointer to it.
    pub(super) fn below(&self, place: usize) -> Option<&Self> {
        self.below.as_ref()?.get(place)?.get()
    }

    /// Recalls the node of the subtree at a place, and keeps a pointer to it if it is in the cache.
    pub(super) fn recall_below(
        &self,
        source: Source<'_>,
        place: usize,
    ) -> Result<Option<Self>, MstError> {
        let (Some(cid), Some(position)) =
            (compressed::subtree(self.block.bytes(), place), Position::below(self.level))
        else {
            return Ok(None);
        };
        let (known, kept) = Self::find(source, cid, position)?;
        if kept {
            self.link(place, &known);
        }
        Ok(Some(known))
    }

    fn link(&self, place: usize, known: &Self) {
        if let Some(slot) = self.below.as_ref().and_then(|below| below.get(place)) {
            let _ = slot.set(known.share());
        }
    }

    /// Finds a node, and whether it is in the cache.
    fn find(source: Source<'_>, cid: Cid, position: Position) -> Result<(Self, bool), MstError> {
        if let Some(kept) = Kept::at(source, cid, position)? {
            return Ok((kept.0.share(), true));
        }
        let (block, node) = read_node(source.blocks, cid, position)?;
        let kept = source.cache.and_then(|cache| Kept::keep(cache, &block, node.level()));
        match kept {
            Some(kept) => Ok((kept.0.share(), true)),
            None => Ok((Self::alone(&block, node.level()), false)),
        }
    }

    fn alone(block: &Block, level: u8) -> Self {
        Self { block: block.clone(), below: None, level }
    }

    /// The same node, with the same pointers.
    fn share(&self) -> Self {
        Self { block: self.block.clone(), below: self.below.clone(), level: self.level }
    }

    fn without_pointers(&self) -> Self {
        let places =
            if self.level == 0 { None } else { Some(compressed::count(self.block.bytes())) };
        let below = places.map(|entries| (0..=entries).map(|_| OnceLock::new()).collect());
        Self { block: self.block.clone(), below, level: self.level }
    }
}

/// A node in the cache.
pub(super) struct Kept(Known);

impl Kept {
    /// Makes an entry of a block that is known to be a node of this level.
    pub(super) fn unchecked(block: &Block, level: u8) -> Self {
        Self(Known::alone(block, level).without_pointers())
    }

    /// The same node, without pointers.
    pub(super) fn without_pointers(&self) -> Self {
        Self(self.0.without_pointers())
    }

    /// Takes a node from the cache, if the cache knows whether it may be at this position.
    fn at(source: Source<'_>, cid: Cid, position: Position) -> Result<Option<Arc<Self>>, MstError> {
        let Some(kept) = source.cache.and_then(|cache| cache.get(&cid)) else {
            return Ok(None);
        };
        let Known { block, level, .. } = &kept.0;
        match position {
            Position::Child { level: asked } if asked == *level => Ok(Some(kept)),
            // A node without entries has the level that is asked for, and the rules of that level.
            _ if compressed::count(block.bytes()) == 0 => Ok(None),
            Position::Child { .. } => Err(MstError::Invalid { cid, reason: WRONG_LEVEL }),
            Position::Root => Ok(Some(kept)),
        }
    }

    /// Adds a node to the cache; returns its entry if it was added.
    fn keep(cache: &NodeCache, block: &Block, level: u8) -> Option<Arc<Self>> {
        // The empty tree is a root, and below another node it breaks a rule.
        if *block.bytes() == EMPTY_NODE {
            return None;
        }
        let kept = Arc::new(Self::unchecked(block, level));
        let slots = kept.0.below.as_ref().map_or(0, |below| size_of_val(&**below));
        let bytes = size_of::<Self>() + block.bytes().len() + slots;
        cache.keep(block.cid(), kept.clone(), bytes).then_some(kept)
    }
}

/// Adds a node to the cache that was just made or checked.
pub(super) fn remember(cache: &NodeCache, block: &Block, level: u8) {
    Kept::keep(cache, block, level);
}

/// Takes a node from the cache or reads it, for a reader that needs the whole node but not its block.
///
/// A node that was read is added to the cache if `keep` is set. Full scans do not set it: they would only evict the
/// nodes that other readers need.
pub(super) fn recall_node(
    source: Source<'_>,
    cid: Cid,
    position: Position,
    keep: bool,
) -> Result<Node, MstError> {
    if let Some(kept) = Kept::at(source, cid, position)? {
        return Node::read_again(cid, kept.0.block.bytes(), kept.0.level);
    }
    let (block, node) = read_node(source.blocks, cid, position)?;
    if let Some(cache) = source.cache.filter(|_| keep) {
        remember(cache, &block, node.level());
    }
    Ok(node)
}

#[cfg(test)]
#[path = "known_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
