//! The errors of frames, of events that are checked, and of events that cannot be made.

use crate::car::error::CarError;
use crate::commit::CommitError;
use crate::crypto::error::CryptoError;
use crate::data::block::ReadError;
use crate::data::cid::Cid;
use crate::data::error::DataError;
use crate::mst::error::MstError;
use crate::syntax::did::Did;
use crate::syntax::record_path::RecordPath;

/// The error for bytes that are not a frame of the event stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame is larger than the limit, or not two items of canonical DAG-CBOR.
    #[error("the frame cannot be decoded")]
    Undecodable(#[from] DataError),
    /// A field is missing or malformed.
    #[error("the frame has a malformed field: {field}: {reason}")]
    Field {
        /// The field.
        field: &'static str,
        /// The broken rule.
        reason: &'static str,
        /// The sequence number, if it can be read.
        seq: Option<u64>,
        /// The account, if it can be read.
        did: Option<Box<Did>>,
    },
    /// The event is larger than the limits of its kind.
    #[error("the event is over a limit: {over}")]
    OverLimit {
        /// The limit.
        over: OverLimit,
        /// The sequence number, if it can be read.
        seq: Option<u64>,
        /// The account, if it can be read.
        did: Option<Box<Did>>,
    },
}

impl FrameError {
    /// Returns the sequence number of the frame, if it could be read.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        match self {
            Self::Undecodable(_) => None,
            Self::Field { seq, .. } | Self::OverLimit { seq, .. } => *seq,
        }
    }

    /// Returns the account that the frame is about, if it could be read.
    #[must_use]
    pub fn did(&self) -> Option<&Did> {
        match self {
            Self::Undecodable(_) => None,
            Self::Field { did, .. } | Self::OverLimit { did, .. } => did.as_deref(),
        }
    }
}

/// A part of an event that is larger than its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {count}, the limit is {limit}")]
pub struct OverLimit {
    /// The part and its unit, such as "bytes of blocks".
    pub what: &'static str,
    /// The size, or the size that was reached before the rest was left out.
    pub count: usize,
    /// The limit.
    pub limit: usize,
}

/// A fault of an event: the host sent something that is not valid, or that does not belong together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventFault {
    /// A part of the event is larger than its limit.
    #[error("the event is over a limit: {0}")]
    OverLimit(#[from] OverLimit),
    /// The blocks of the event are not a CAR file, or a block is damaged.
    #[error("the blocks of the event cannot be read")]
    Blocks(#[from] CarError),
    /// The CAR file does not have the commit as its root, or not among its blocks.
    #[error("the blocks of the event do not have the commit as their root")]
    NoCommit,
    /// The root is not a commit.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A field of the event differs from the commit, or two fields contradict each other.
    #[error("{field}: {reason}")]
    Differs {
        /// The field of the event.
        field: &'static str,
        /// The broken rule.
        reason: &'static str,
    },
    /// The commit is not signed with the key.
    #[error("the commit is not signed with the key of the account")]
    Signature(#[source] CryptoError),
    /// An operation is malformed.
    #[error("{path}: {reason}")]
    Operation {
        /// The record.
        path: Box<RecordPath>,
        /// The broken rule.
        reason: &'static str,
    },
    /// The operations cannot be undone on the tree: a node is missing or not valid.
    #[error("the operations cannot be undone")]
    Tree(#[from] MstError),
    /// The event does not state the tree before. Events from before Sync 1.1 do not.
    #[error("the event has no prevData")]
    NoPrevData,
    /// The operations lead to the tree of the commit from another tree than the stated one.
    #[error("undoing the operations gives the tree {found}, but prevData is {stated}")]
    NotInverted {
        /// The stated tree before.
        stated: Cid,
        /// The tree without the operations.
        found: Cid,
    },
}

/// The error for an event that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The two commits do not follow each other.
    #[error("the commit does not follow the one before: {reason}")]
    NotASuccessor {
        /// The broken rule.
        reason: &'static str,
    },
    /// The commit has no rev: it is of version 2.
    #[error("the commit has no rev")]
    NoRev,
    /// A key of the tree is not the path of a record.
    #[error("the tree has a key that is not a record path: {key}")]
    Path {
        /// The key, escaped.
        key: String,
    },
    /// A block is missing.
    #[error("block {cid} is missing")]
    Missing {
        /// The block.
        cid: Cid,
    },
    /// The blocks could not be written.
    #[error(transparent)]
    Blocks(#[from] CarError),
    /// A block could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A tree could not be read.
    #[error(transparent)]
    Tree(#[from] MstError),
    /// The event is over a limit.
    #[error("the event is over a limit: {0}")]
    OverLimit(#[from] OverLimit),
}
