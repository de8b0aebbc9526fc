//! The errors of reading and writing CAR files.

use crate::data::block_kind::BlockKind;
use crate::data::cid::Cid;
use crate::data::error::DataError;

/// The error for a CAR file that cannot be read, with the byte offset of the problem.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CarError {
    /// The file could not be read or written.
    #[error("cannot read or write the CAR file")]
    Io(#[from] std::io::Error),
    /// The start of the file is not the header of a CAR file of version 1.
    #[error("not a CAR file of version 1: {reason}")]
    Header {
        /// The broken rule.
        reason: String,
    },
    /// The file ends in the middle of an element.
    #[error("byte {offset}: the file ends in the middle of {within}")]
    Truncated {
        /// The start of the element.
        offset: u64,
        /// The name of the element.
        within: &'static str,
    },
    /// A section is malformed.
    #[error("byte {offset}: {reason}")]
    Section {
        /// The start of the section.
        offset: u64,
        /// The broken rule.
        reason: &'static str,
    },
    /// A block has an unsupported kind of CID.
    #[error("byte {offset}: a block with an unsupported CID")]
    ForeignCid {
        /// The start of the section.
        offset: u64,
        /// The CID in the file, in hexadecimal if it is not text.
        #[source]
        source: DataError,
    },
    /// The bytes of a block do not match its CID.
    #[error("byte {offset}: block {cid} is damaged")]
    Damaged {
        /// The start of the section.
        offset: u64,
        /// The CID before the bytes.
        cid: Cid,
        /// The kind of the block, as its first bytes suggest.
        kind: Option<BlockKind>,
        /// The CID that the bytes have.
        #[source]
        source: DataError,
    },
}

impl CarError {
    /// Makes the error about a block that does not match its CID.
    pub(crate) fn damaged(offset: u64, cid: Cid, bytes: &[u8], source: DataError) -> Self {
        Self::Damaged { offset, cid, kind: BlockKind::of_start(bytes), source }
    }

    /// Returns whether only one block is bad, so that the blocks after it can still be read.
    #[must_use]
    pub fn is_one_block(&self) -> bool {
        matches!(self, Self::ForeignCid { .. } | Self::Damaged { .. })
    }

    /// Returns the place of the error in the file, in bytes from its start.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Io(_) | Self::Header { .. } => None,
            Self::Truncated { offset, .. }
            | Self::Section { offset, .. }
            | Self::ForeignCid { offset, .. }
            | Self::Damaged { offset, .. } => Some(*offset),
        }
    }
}
