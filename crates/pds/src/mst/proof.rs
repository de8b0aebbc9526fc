//! The blocks that prove a key present or absent.

use super::node::{Position, read_node};
use super::{MstError, height};
use crate::data::{Block, Blocks, Cid};

/// Returns the fewest nodes, from the root down, that show whether a key is in a tree.
///
/// A key can only stand on the level of its height, so the chain ends there, with the node that
/// has the key or the gap for it, or earlier where no subtree leads on. Whoever has these nodes can
/// check with [`get`](super::get). (Specification "Repository", "Inclusion and exclusion proofs".)
///
/// ```
/// use pds::data::{Cid, Codec, MemoryBlocks};
/// use pds::mst::{Key, Tree, get, proof};
///
/// let mut blocks = MemoryBlocks::default();
/// let value = Cid::of(Codec::Cbor, b"1");
/// let mut tree = Tree::empty(&blocks);
/// tree.insert(Key::new(*b"a")?, value)?;
/// let written = tree.write()?;
/// blocks.extend(written.nodes);
///
/// let shown: MemoryBlocks = proof(&blocks, written.root, b"b")?.into_iter().collect();
/// assert_eq!(get(&shown, written.root, b"b")?, None);
/// # Ok::<(), pds::mst::MstError>(())
/// ```
///
/// # Errors
///
/// [`MstError`] when a node on the way is missing or breaks a rule.
pub fn proof(blocks: &dyn Blocks, root: Cid, key: &[u8]) -> Result<Vec<Block>, MstError> {
    let height = height(key);
    let mut chain = Vec::new();
    let mut next = Some((root, Position::Root));
    while let Some((cid, position)) = next {
        let (block, node) = read_node(blocks, cid, position)?;
        chain.push(block);
        next = match node.search(key) {
            Err(index) if height < node.level() => {
                node.subtree(index).zip(Position::below(node.level()))
            }
            _ => None,
        };
    }
    Ok(chain)
}
