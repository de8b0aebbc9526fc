//! What can be wrong with a CAR file.

use crate::data::{Cid, DataError};

/// A CAR file that cannot be read, with the byte offset.
///
/// ```
/// use pds::car::{CarError, CarReader};
///
/// assert!(matches!(CarReader::new(&b""[..]), Err(CarError::Header { .. })));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum CarError {
    /// The file could not be read or written.
    #[error("cannot read or write the CAR file")]
    Io(#[from] std::io::Error),
    /// What stands at the start is no header of a CAR file of version 1.
    #[error("not a CAR file of version 1: {reason}")]
    Header {
        /// Which rule it breaks.
        reason: String,
    },
    /// The file ends in the middle of something.
    #[error("byte {offset}: the file ends in the middle of {within}")]
    Truncated {
        /// Where that something starts.
        offset: u64,
        /// What it is.
        within: &'static str,
    },
    /// A section is not of the form it must have.
    #[error("byte {offset}: {reason}")]
    Section {
        /// Where the section starts.
        offset: u64,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// A block has another kind of CID than the ones used here.
    #[error("byte {offset}: a block with a foreign CID")]
    ForeignCid {
        /// Where the section starts.
        offset: u64,
        /// The CID as it stands there, in hexadecimal where it is not text.
        #[source]
        source: DataError,
    },
    /// The bytes of a block do not hash to its CID.
    #[error("byte {offset}: block {cid} is damaged")]
    Damaged {
        /// Where the section starts.
        offset: u64,
        /// The CID that stands before the bytes.
        cid: Cid,
        /// What the bytes hash to.
        #[source]
        source: DataError,
    },
}

impl CarError {
    /// Tells whether only one block is bad, so that the blocks after it can still be read.
    #[must_use]
    pub fn is_one_block(&self) -> bool {
        matches!(self, Self::ForeignCid { .. } | Self::Damaged { .. })
    }

    /// Returns where in the file the error is, in bytes from its start.
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
