//! Encoding of the finished part of a tree, while edits in key order go on after it.

use crate::data::block::Block;
use crate::mst::encoder::Encoder;
use crate::mst::key::Key;
use crate::mst::tree::{Branch, Link, Tree, Writing};

impl Tree<'_> {
    /// Encodes the changed nodes that have only keys before this one, and closes them. Returns their blocks, children
    /// before parents.
    ///
    /// If edits come in ascending order, a call after some of them bounds the memory of the tree: an edit of a later
    /// key reads none of the closed nodes. [`write`](Self::write) returns the rest. Edits of earlier keys, and reads of
    /// them, need the returned nodes among the blocks of the tree.
    ///
    /// ```
    /// use pds::data::{Block, Cid, Codec, MemoryBlocks};
    /// use pds::mst::{Key, Tree};
    ///
    /// let (blocks, value) = (MemoryBlocks::default(), Cid::of(Codec::Cbor, b"\xa0"));
    /// let mut nodes: Vec<Block> = Vec::new();
    /// let mut tree = Tree::empty(&blocks);
    /// for n in 10_000..20_000 {
    ///     let key = Key::new(n.to_string().into_bytes())?;
    ///     tree.insert(key.clone(), value)?;
    ///     nodes.extend(tree.settle(&key));
    /// }
    /// let written = tree.write()?;
    /// assert!(nodes.len() > 2_000 && written.nodes.len() < 20);
    /// # Ok::<(), pds::mst::MstError>(())
    /// ```
    pub fn settle(&mut self, key: &Key) -> Vec<Block> {
        let mut nodes = Vec::new();
        if let Some(Link::Open(root)) = &mut self.root {
            let cache = self.source.cache;
            let encoder = Encoder::default();
            root.settle(key.as_bytes(), &mut Writing { cache, encoder, nodes: &mut nodes });
        }
        nodes
    }
}

impl Branch {
    /// Closes the subtrees before a key. Only the subtree around the key stays open, with the nodes above it.
    ///
    /// A later key is after all of the closed subtrees. So an insertion never splits them. A removal joins the subtrees
    /// on the two sides of its key, and neither is a closed one: between a closed subtree and a later key there is an
    /// entry that stays, or the open subtree.
    fn settle(&mut self, key: &[u8], to: &mut Writing<'_>) {
        let around = match self.search(key) {
            Ok(index) => index + 1,
            Err(index) => index,
        };
        for gap in 0..around {
            if let Some(link) = self.gap_mut(gap) {
                *link = Link::Stored(link.write(to));
            }
        }
        if let Some(Link::Open(child)) = self.gap_mut(around) {
            child.settle(key, to);
        }
    }
}
