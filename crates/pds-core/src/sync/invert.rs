//! Inversion: undoing the operations of a commit event on the tree after them.

use crate::data::block::Blocks;
use crate::data::cid::Cid;
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::tree::Tree;
use crate::sync::event::RecordOp;

/// The result of an inversion.
pub(crate) struct Inverted<'o> {
    /// The root of the tree before the operations.
    pub(crate) root: Cid,
    /// The first operation that is not what the tree shows.
    pub(crate) wrong: Option<&'o RecordOp>,
}

/// Undoes operations with distinct paths on a tree. Only the nodes around the paths are read.
///
/// The tree must show each operation: a record that was created or updated has its `cid`, and a deleted one is absent.
pub(crate) fn invert<'o>(
    blocks: &dyn Blocks,
    data: Cid,
    ops: &'o [RecordOp],
) -> Result<Inverted<'o>, MstError> {
    let mut tree = Tree::open(blocks, data);
    let mut wrong = None;
    for op in ops {
        let key = Key::new(op.path.to_key())?;
        let found = match op.prev {
            Some(prev) => tree.insert(key, prev)?,
            None => tree.remove(key.as_bytes())?,
        };
        if found != op.cid {
            wrong = wrong.or(Some(op));
        }
    }
    Ok(Inverted { root: tree.write()?.root, wrong })
}
