//! A tree that arrives block by block, in the order of a streamable CAR.

use super::node::{NOT_ASCENDING, Position};
use super::{MstError, Node};
use crate::data::Cid;

/// Follows a tree whose blocks arrive in order: each node, then its subtrees and records from left
/// to right.
///
/// It holds the nodes of one path, whatever the size of the tree, and checks everything that
/// [`walk`](super::walk) checks. The caller asks what is due, finds that block next in the stream, and
/// hands it over.
///
/// ```
/// use pds::data::{Block, Codec};
/// use pds::mst::{Due, EMPTY_NODE, Preorder};
///
/// let root = Block::new(Codec::Cbor, EMPTY_NODE);
/// let mut preorder = Preorder::new(root.cid());
/// assert_eq!(preorder.due(), Due::Node(root.cid()));
/// preorder.node(root.bytes())?;
/// assert_eq!(preorder.due(), Due::Nothing);
/// # Ok::<(), pds::mst::MstError>(())
/// ```
#[derive(Debug)]
pub struct Preorder {
    path: Vec<Frame>,
    root: Option<Cid>,
    /// The last key before the subtree that is being gone through; empty if there is none.
    before: Vec<u8>,
}

/// What comes next.
///
/// ```
/// use pds::data::{Cid, Codec};
/// use pds::mst::{Due, EMPTY_NODE, Preorder};
///
/// let root = Cid::of(Codec::Cbor, &EMPTY_NODE);
/// assert_eq!(Preorder::new(root).due(), Due::Node(root));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due<'p> {
    /// A node, to be given to [`Preorder::node`].
    Node(Cid),
    /// A record, to be followed by [`Preorder::record`].
    Record {
        /// Its key.
        key: &'p [u8],
        /// Its CID.
        cid: Cid,
    },
    /// The tree is complete.
    Nothing,
}

/// A node and the next slot in it: subtrees have even numbers, entries odd ones.
#[derive(Debug)]
struct Frame {
    node: Node,
    slot: usize,
}

impl Preorder {
    /// Starts with the root.
    #[must_use]
    pub fn new(root: Cid) -> Self {
        Self { path: Vec::new(), root: Some(root), before: Vec::new() }
    }

    /// Tells which block comes next.
    pub fn due(&mut self) -> Due<'_> {
        if let Some(root) = self.root {
            return Due::Node(root);
        }
        loop {
            let Some(frame) = self.path.last_mut() else { return Due::Nothing };
            let index = frame.slot / 2;
            if frame.slot % 2 == 1 {
                break;
            }
            if let Some(cid) = frame.node.subtree(index) {
                return Due::Node(cid);
            }
            frame.slot += 1;
            if index == frame.node.len() {
                self.path.pop();
            }
        }
        let entry = self.path.last().and_then(|frame| frame.node.entry(frame.slot / 2));
        entry.map_or(Due::Nothing, |entry| Due::Record { key: entry.key, cid: entry.value })
    }

    /// Takes the node that is due.
    ///
    /// # Errors
    ///
    /// [`MstError`] as for any node; nothing can follow then.
    pub fn node(&mut self, bytes: &[u8]) -> Result<(), MstError> {
        let (cid, position) = match (self.root.take(), self.path.last_mut()) {
            (Some(root), _) => (root, Position::Root),
            (None, Some(frame)) => {
                let index = frame.slot / 2;
                let subtree = frame.node.subtree(index);
                if let Some(entry) = index.checked_sub(1).and_then(|last| frame.node.entry(last)) {
                    self.before.clear();
                    self.before.extend_from_slice(entry.key);
                }
                let below = Position::below(frame.node.level());
                frame.slot += 1;
                match subtree.zip(below) {
                    Some(due) => due,
                    None => return Ok(()),
                }
            }
            (None, None) => return Ok(()),
        };
        // After its last subtree a node has nothing to come, and makes room at once.
        self.path.pop_if(|frame| frame.slot > 2 * frame.node.len());
        let node = Node::read(cid, bytes, position)?;
        // The slot of each node above is the one after the subtree that is gone into.
        let next = self.path.iter().rev().find_map(|frame| frame.node.entry(frame.slot / 2));
        let before = Some(self.before.as_slice()).filter(|before| !before.is_empty());
        if !node.lies_between(before, next.map(|entry| entry.key)) {
            return Err(MstError::Invalid { cid, reason: NOT_ASCENDING });
        }
        self.path.push(Frame { node, slot: 0 });
        Ok(())
    }

    /// Passes over the record that is due.
    pub fn record(&mut self) {
        if let Some(frame) = self.path.last_mut() {
            frame.slot += 1;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::{Codec, MemoryBlocks};
    use crate::mst::{Builder, Step, height, walk};

    /// What a walk sees, a preorder sees too.
    #[test]
    fn it_is_the_order_of_a_walk() {
        for count in [0, 1, 2, 17, 400] {
            let mut blocks = MemoryBlocks::default();
            let mut builder = Builder::default();
            for n in 0..count {
                let key = format!("com.example.note/{n:05}");
                builder
                    .push(key.as_bytes(), Cid::of(Codec::Cbor, key.as_bytes()), |node| {
                        blocks.insert(node);
                    })
                    .unwrap();
            }
            let root = builder.finish(|node| {
                blocks.insert(node);
            });
            let mut preorder = Preorder::new(root);
            for step in walk(&blocks, root) {
                match step.unwrap() {
                    Step::Node { block, .. } => {
                        assert_eq!(preorder.due(), Due::Node(block.cid()));
                        preorder.node(block.bytes()).unwrap();
                    }
                    Step::Entry { key, value } => {
                        let due = Due::Record { key: key.as_bytes(), cid: value };
                        assert_eq!(preorder.due(), due);
                        preorder.record();
                    }
                }
            }
            assert_eq!(preorder.due(), Due::Nothing);
        }
    }

    #[test]
    fn keys_must_ascend_from_one_node_to_the_next() {
        // A key of height 1 with a subtree on its left whose key is greater.
        let text = |n: u32| format!("a/{n}");
        let find = |wanted: u8, from: u32| {
            (from..).find(|n| height(text(*n).as_bytes()) == wanted).map(text).unwrap()
        };
        let high = find(1, 0);
        let low = (0..).map(text).find(|t| height(t.as_bytes()) == 0 && *t > high).unwrap();
        let value = Cid::of(Codec::Cbor, b"x");
        let mut encoder = crate::mst::node::Encoder::default();
        encoder.entry(low.as_bytes(), &value, None);
        let child = encoder.finish(None);
        encoder.entry(high.as_bytes(), &value, None);
        let root = encoder.finish(Some(&child.cid()));
        let mut preorder = Preorder::new(root.cid());
        preorder.node(root.bytes()).unwrap();
        assert_eq!(preorder.due(), Due::Node(child.cid()));
        let refused = preorder.node(child.bytes()).unwrap_err();
        assert!(matches!(refused, MstError::Invalid { cid, .. } if cid == child.cid()));
    }
}
