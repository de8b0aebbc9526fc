//! What can be wrong with a tree.

use crate::data::block::ReadError;
use crate::data::cid::Cid;
use crate::data::error::DataError;

/// A tree that cannot be read or is not what a tree must be.
///
/// ```
/// use pds::data::{Cid, Codec, MemoryBlocks};
/// use pds::mst::get;
///
/// let root = Cid::of(Codec::Cbor, b"not here");
/// let error = get(&MemoryBlocks::default(), root, b"a").unwrap_err();
/// assert_eq!(error.missing(), Some(root));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum MstError {
    /// The blocks could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A node is not there: the tree is partial, or its source is incomplete.
    #[error("tree node {cid} is missing")]
    Missing {
        /// The missing node.
        cid: Cid,
    },
    /// A block that should be a node is no canonical CBOR, or not of a node's shape.
    #[error("tree node {cid} cannot be decoded")]
    Undecodable {
        /// The block.
        cid: Cid,
        /// What is wrong, with the byte offset.
        #[source]
        source: DataError,
    },
    /// A node breaks a rule of the tree.
    #[error("tree node {cid}: {reason}")]
    Invalid {
        /// The node.
        cid: Cid,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// A key that cannot stand in a tree.
    #[error("not a tree key: {reason}")]
    Key {
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// An edit would put more entries into one node than a node may have.
    #[error("a tree node would have more entries than the limit of 1024")]
    Full,
}

impl MstError {
    /// Returns the node that is missing, where that is what is wrong.
    #[must_use]
    pub fn missing(&self) -> Option<Cid> {
        match self {
            Self::Missing { cid } => Some(*cid),
            _ => None,
        }
    }

    /// Returns the node that the error is about, where it is about one.
    #[must_use]
    pub fn cid(&self) -> Option<Cid> {
        match self {
            Self::Read(error) => Some(error.cid()),
            Self::Missing { cid } | Self::Undecodable { cid, .. } | Self::Invalid { cid, .. } => {
                Some(*cid)
            }
            Self::Key { .. } | Self::Full => None,
        }
    }
}
