//! The builder of a tree from sorted keys, which makes each node once.

use crate::data::block::Block;
use crate::data::cid::{Cid, Codec};
use crate::data::limits::MAX_NODE_ENTRIES;
use crate::mst::encoder::Encoder;
use crate::mst::error::MstError;
use crate::mst::key::{check_len, height};
use crate::mst::node::EMPTY_NODE;

/// Builds a tree from keys in ascending order.
///
/// The builder holds one unfinished node for each level, whatever the size of the tree. It passes each finished node
/// to `out`, children before parents.
///
/// ```
/// use pds::data::{Block, Cid, Codec};
/// use pds::mst::Builder;
///
/// let mut nodes: Vec<Block> = Vec::new();
/// let mut builder = Builder::default();
/// for name in ["a", "b", "c"] {
///     builder.push(name.as_bytes(), Cid::of(Codec::Cbor, name.as_bytes()), |node| nodes.push(node))?;
/// }
/// let root = builder.finish(|node| nodes.push(node));
/// assert_eq!(nodes.last().map(Block::cid), Some(root));
/// # Ok::<(), pds::mst::MstError>(())
/// ```
#[derive(Debug, Default)]
pub struct Builder {
    levels: Vec<Level>,
    before: Vec<u8>,
}

/// The unfinished node of one level.
#[derive(Debug, Default)]
struct Level {
    left: Option<Cid>,
    encoder: Encoder,
    /// The key of the last entry. The entry is encoded once the subtree on its right is known.
    key: Vec<u8>,
    value: Option<Cid>,
    right: Option<Cid>,
}

impl Builder {
    /// Adds the next key.
    ///
    /// # Errors
    ///
    /// [`MstError::Key`] if the key is empty, too long, or not after the previous one. [`MstError::Full`] if its node
    /// already has as many entries as a reader accepts.
    pub fn push(
        &mut self,
        key: &[u8],
        value: Cid,
        mut out: impl FnMut(Block),
    ) -> Result<(), MstError> {
        check_len(key).map_err(|reason| MstError::Key { reason })?;
        if key <= self.before.as_slice() {
            return Err(MstError::Key { reason: "keys are not in ascending order" });
        }
        let height = usize::from(height(key));
        if self.levels.get(height).is_some_and(Level::is_full) {
            return Err(MstError::Full);
        }
        self.before.clear();
        self.before.extend_from_slice(key);
        if self.levels.len() <= height {
            self.levels.resize_with(height + 1, Level::default);
        }
        self.close_below(height, &mut out);
        self.levels[height].open_entry(key, value);
        Ok(())
    }

    /// Finishes the tree and returns its root.
    pub fn finish(mut self, mut out: impl FnMut(Block)) -> Cid {
        let Some(top) = self.levels.len().checked_sub(1) else {
            let empty = Block::new(Codec::Cbor, EMPTY_NODE);
            let root = empty.cid();
            out(empty);
            return root;
        };
        self.close_below(top, &mut out);
        let root = self.levels[top].close().expect("the top level exists because it has a key");
        let cid = root.cid();
        out(root);
        cid
    }

    /// Finishes the nodes below a level and links each to the unfinished node above it.
    fn close_below(&mut self, height: usize, out: &mut impl FnMut(Block)) {
        for level in 0..height {
            if let Some(node) = self.levels[level].close() {
                self.levels[level + 1].hang(node.cid());
                out(node);
            }
        }
    }
}

impl Level {
    fn open_entry(&mut self, key: &[u8], value: Cid) {
        self.flush();
        self.key.clear();
        self.key.extend_from_slice(key);
        self.value = Some(value);
    }

    fn is_full(&self) -> bool {
        self.encoder.len() + usize::from(self.value.is_some()) >= MAX_NODE_ENTRIES
    }

    fn hang(&mut self, subtree: Cid) {
        match self.value {
            Some(_) => self.right = Some(subtree),
            None => self.left = Some(subtree),
        }
    }

    fn flush(&mut self) {
        if let Some(value) = self.value.take() {
            self.encoder.entry(&self.key, &value, self.right.take().as_ref());
        }
    }

    /// Finishes the node, unless it is empty, and starts the next one.
    fn close(&mut self) -> Option<Block> {
        self.flush();
        if self.encoder.len() == 0 && self.left.is_none() {
            return None;
        }
        Some(self.encoder.finish(self.left.take().as_ref()))
    }
}
