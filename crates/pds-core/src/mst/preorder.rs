//! The reader of a tree whose blocks arrive one by one, in the order of a streamable CAR file.

use crate::data::cid::Cid;
use crate::mst::error::MstError;
use crate::mst::node::{NOT_ASCENDING, Node};
use crate::mst::path::{Next, Path};

/// Reads a tree whose blocks arrive in order: each node, then its subtrees and records from left to right.
///
/// The reader holds the nodes of one path, whatever the size of the tree. It checks every rule that
/// [`walk`](super::walk) checks. For each block, call [`due`](Self::due), take the block from the stream, and pass it
/// to [`node`](Self::node) or call [`record`](Self::record).
///
/// A record at two paths is due twice, but most files contain it once. If the next block of the stream is not the due
/// record, look for the record among the earlier blocks.
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
    path: Path<Box<Node>>,
}

/// The block that a [`Preorder`] expects next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due<'p> {
    /// A node. Pass its bytes to [`Preorder::node`].
    Node(Cid),
    /// A record. Call [`Preorder::record`] after it.
    Record {
        /// The key of the record.
        key: &'p [u8],
        /// The CID of the record.
        cid: Cid,
    },
    /// The tree is complete.
    Nothing,
}

impl Preorder {
    /// Starts with the root.
    #[must_use]
    pub fn new(root: Cid) -> Self {
        Self { path: Path::new(Some(root)) }
    }

    /// Returns the block that is expected next.
    pub fn due(&mut self) -> Due<'_> {
        match self.path.next() {
            Next::Subtree { cid, .. } => Due::Node(cid),
            Next::Entry { key, value } => Due::Record { key, cid: value },
            Next::End => Due::Nothing,
        }
    }

    /// Enters the node that is due. The caller has checked that the bytes match its CID.
    ///
    /// # Errors
    ///
    /// [`MstError`] if the node is not valid in this place. The rest of the tree cannot be read then.
    pub fn node(&mut self, bytes: &[u8]) -> Result<(), MstError> {
        let Next::Subtree { cid, position } = self.path.next() else { return Ok(()) };
        self.path.pass();
        let mut node = self.path.take_spare().unwrap_or_default();
        node.refill(cid, bytes, position)?;
        if !self.path.has_room_for(&node) {
            return Err(MstError::Invalid { cid, reason: NOT_ASCENDING });
        }
        self.path.enter(node);
        Ok(())
    }

    /// Passes the record that is due.
    pub fn record(&mut self) {
        self.path.pass();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::block::MemoryBlocks;
    use crate::data::cid::Codec;
    use crate::mst::build::Builder;
    use crate::mst::key::height;
    use crate::mst::walk::{Step, walk};

    /// A preorder expects the blocks in the order in which a walk returns them.
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
        let mut encoder = crate::mst::encoder::Encoder::default();
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
