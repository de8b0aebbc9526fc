//! Nodes as they are remembered: checked once, searched as they stand in their blocks, and linked to each other.

use std::sync::{Arc, OnceLock};

use super::compressed;
use super::node::{Position, WRONG_LEVEL, read_node};
use super::{EMPTY_NODE, MstError, Node};
use crate::data::{Block, Blocks, Cid, Memo};

/// A node that has been checked, as the bytes of its block. It knows the nodes below it which are in memory, too, so
/// that whoever goes down asks for the root and follows pointers from there.
///
/// The [`Memo`] owns what is remembered, and a node is pointed to only while it is in there. One that is asked for
/// after its half of the memo has become the older one goes into the younger one without its pointers, and gathers
/// them anew. So no pointer leads from the younger half to the older one, and what the older one held goes with it.
#[derive(Debug)]
pub(super) struct Known {
    block: Block,
    /// One for each place of a subtree, from left to right; none on level 0, and none where nothing is remembered.
    below: Option<Arc<[OnceLock<Self>]>>,
    level: u8,
}

impl Known {
    /// Reads and checks a node, or recalls it, and remembers it if the source has a place for that.
    pub(super) fn recall(
        blocks: &dyn Blocks,
        cid: Cid,
        position: Position,
    ) -> Result<Self, MstError> {
        Self::find(blocks, cid, position).map(|(known, _)| known)
    }

    /// Returns the level of the node.
    pub(super) fn level(&self) -> u8 {
        self.level
    }

    /// Finds a key: its value, or the place that it would have, counted from left to right.
    pub(super) fn search(&self, key: &[u8]) -> Result<Option<Cid>, usize> {
        compressed::search(self.block.bytes(), key)
    }

    /// The node of the subtree at a place, if it is known here.
    pub(super) fn below(&self, place: usize) -> Option<&Self> {
        self.below.as_ref()?.get(place)?.get()
    }

    /// Recalls the node of the subtree at a place, and knows it from then on, as long as it is remembered.
    pub(super) fn recall_below(
        &self,
        blocks: &dyn Blocks,
        place: usize,
    ) -> Result<Option<Self>, MstError> {
        let (Some(cid), Some(position)) =
            (compressed::subtree(self.block.bytes(), place), Position::below(self.level))
        else {
            return Ok(None);
        };
        let (known, kept) = Self::find(blocks, cid, position)?;
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

    /// Finds a node, and tells whether it is remembered.
    fn find(blocks: &dyn Blocks, cid: Cid, position: Position) -> Result<(Self, bool), MstError> {
        if let Some(kept) = Kept::at(blocks, cid, position)? {
            return Ok((kept.0.share(), true));
        }
        let (block, node) = read_node(blocks, cid, position)?;
        let kept = blocks.memo().and_then(|memo| Kept::keep(memo, &block, node.level()));
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

/// What the memo keeps of a node; a clone of it has no pointers yet.
struct Kept(Known);

impl Clone for Kept {
    fn clone(&self) -> Self {
        Self(self.0.without_pointers())
    }
}

impl Kept {
    /// What is remembered of a node, if it says anything about this position.
    fn at(
        blocks: &dyn Blocks,
        cid: Cid,
        position: Position,
    ) -> Result<Option<Arc<Self>>, MstError> {
        let Some(kept) = blocks.memo().and_then(|memo| memo.get::<Self>(&cid)) else {
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

    /// Remembers a node; returns what is remembered, unless it cannot be.
    fn keep(memo: &Memo, block: &Block, level: u8) -> Option<Arc<Self>> {
        // The empty tree is a root, and below another node it breaks a rule.
        if *block.bytes() == EMPTY_NODE {
            return None;
        }
        let kept = Arc::new(Self(Known::alone(block, level).without_pointers()));
        let slots = kept.0.below.as_ref().map_or(0, |below| size_of_val(&**below));
        let bytes = size_of::<Self>() + block.bytes().len() + slots;
        memo.keep(block.cid(), kept.clone(), bytes).then_some(kept)
    }
}

/// Remembers a node that has just been made or checked.
pub(super) fn remember(memo: &Memo, block: &Block, level: u8) {
    Kept::keep(memo, block, level);
}

/// Remembers the nodes of a tree that comes by in order, as [`Preorder`](super::Preorder) has checked them, and links
/// each to the one above it.
pub(crate) struct Passing<'m> {
    memo: &'m Memo,
    above: Vec<Above>,
}

/// A node, and where its subtrees are that are still to come.
struct Above {
    kept: Arc<Kept>,
    to_come: std::vec::IntoIter<(usize, Cid)>,
}

impl<'m> Passing<'m> {
    pub(crate) fn new(memo: &'m Memo) -> Self {
        Self { memo, above: Vec::new() }
    }

    /// Takes the next node.
    pub(crate) fn node(&mut self, block: &Block, level: u8) {
        while self.above.pop_if(|above| above.kept.0.level <= level).is_some() {}
        let Some(kept) = Kept::keep(self.memo, block, level) else { return };
        if let Some(above) = self.above.last_mut()
            && Position::below(above.kept.0.level) == Some(Position::Child { level })
            && let Some((place, _)) = above.to_come.find(|(_, cid)| *cid == block.cid())
        {
            above.kept.0.link(place, &kept.0);
        }
        if level > 0 {
            let to_come: Vec<_> = compressed::subtrees(block.bytes()).collect();
            self.above.push(Above { kept, to_come: to_come.into_iter() });
        }
    }
}

/// Reads a node or recalls it, for a reader who needs all of it but not the block.
///
/// What was read is remembered if the source has a place for that and `keep` is set: a reader who
/// passes through everything would only drive out what others need.
pub(super) fn recall_node(
    blocks: &dyn Blocks,
    cid: Cid,
    position: Position,
    keep: bool,
) -> Result<Node, MstError> {
    if let Some(kept) = Kept::at(blocks, cid, position)? {
        return Node::read_again(cid, kept.0.block.bytes(), kept.0.level);
    }
    let (block, node) = read_node(blocks, cid, position)?;
    if let Some(memo) = blocks.memo().filter(|_| keep) {
        remember(memo, &block, node.level());
    }
    Ok(node)
}

#[cfg(test)]
#[path = "known_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
