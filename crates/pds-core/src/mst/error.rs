//! The errors of reading and editing trees.

use crate::data::block::ReadError;
use crate::data::cid::Cid;
use crate::data::error::DataError;

/// The error for a tree that cannot be read or breaks a rule, and for an edit that is not possible.
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
#[non_exhaustive]
pub enum MstError {
    /// The blocks could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A node is missing: the tree is partial, or its source is incomplete.
    #[error("tree node {cid} is missing")]
    Missing {
        /// The missing node.
        cid: Cid,
    },
    /// The block of a node is not canonical CBOR.
    #[error("tree node {cid} cannot be decoded")]
    Undecodable {
        /// The block.
        cid: Cid,
        /// The problem, with its byte offset.
        #[source]
        source: DataError,
    },
    /// A node breaks a rule of the tree.
    #[error("tree node {cid}: {reason}")]
    Invalid {
        /// The node.
        cid: Cid,
        /// The broken rule.
        reason: &'static str,
    },
    /// The bytes are not valid as a key of a tree.
    #[error("not a tree key: {reason}")]
    Key {
        /// The broken rule.
        reason: &'static str,
    },
    /// An edit would give one node more entries than the limit.
    #[error("a tree node would have more entries than the limit of 1024")]
    Full,
}

impl MstError {
    /// Returns the CID of the missing node, or `None` for any other error.
    #[must_use]
    pub fn missing(&self) -> Option<Cid> {
        match self {
            Self::Missing { cid } => Some(*cid),
            _ => None,
        }
    }

    /// Returns the CID of the node that the error is about, or `None` if there is no such node.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::cid::Codec;

    #[test]
    fn an_error_names_its_node() {
        let cid = Cid::of(Codec::Cbor, b"x");
        assert_eq!(MstError::Read(ReadError::backend(cid, "gone")).cid(), Some(cid));
        let missing = MstError::Missing { cid };
        assert_eq!((missing.cid(), missing.missing()), (Some(cid), Some(cid)));
        assert_eq!(MstError::Invalid { cid, reason: "" }.cid(), Some(cid));
        assert_eq!((MstError::Full.cid(), MstError::Full.missing()), (None, None));
    }
}
