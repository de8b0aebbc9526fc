//! What can go wrong in a store.

use super::{BoxError, Expect, RefName};
use pds_core::data::{Cid, ReadError};

/// The reason why a store could not do what it was asked to.
///
/// ```
/// use pds::store::{Change, Event, MemoryStore, Store, StoreError};
///
/// let error = MemoryStore::default().apply(Change::new(Event::Write)).unwrap_err();
/// assert!(matches!(error, StoreError::NoEdits));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A ref does not point to the commit that the writer expected: another writer was faster.
    #[error("ref {name} points to {}, which is not expected", found.map_or("nothing".to_owned(), |cid| cid.to_string()))]
    Moved {
        /// The ref.
        name: RefName,
        /// The expectation.
        expected: Expect,
        /// The commit that it points to.
        found: Option<Cid>,
    },
    /// A ref was to point to a block that is not in the store.
    #[error("ref {name} cannot point to {target}: there is no such block")]
    TargetMissing {
        /// The ref.
        name: RefName,
        /// The block.
        target: Cid,
    },
    /// There was another change in the meantime.
    #[error("the store has changed in the meantime")]
    Changed,
    /// The change has no edit.
    #[error("the change has no edit")]
    NoEdits,
    /// A text cannot be the message of a log row.
    #[error("not a message for the log: {reason}")]
    Message {
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// History was brought into a store whose log has rows.
    #[error("the log is not empty: history cannot be copied into it")]
    HasHistory,
    /// The blocks that were to be added could not be read, or are none that a store takes.
    #[error("cannot store the blocks")]
    Blocks(#[source] BoxError),
    /// Another process holds the store, and went on holding it.
    #[error("the store is in use by another process")]
    Busy,
    /// The file of the store was replaced by another file while it was open.
    #[error("the store was replaced by another file: nothing was written to the new one")]
    Replaced,
    /// The store can be read here but not written.
    #[error("the store cannot be written here")]
    ReadOnly,
    /// There is no room for what was to be written.
    #[error("no space left for the store")]
    Full(#[source] BoxError),
    /// The store was made by a later release.
    #[error("the store has format {found}, this release reads up to {supported}")]
    NewerFormat {
        /// The format of the store.
        found: u32,
        /// The newest format that this release reads.
        supported: u32,
    },
    /// The store was made by a program from before the first release.
    #[error("the store has an unreleased format, which no release reads")]
    UnreleasedFormat,
    /// The file is something else.
    #[error("not a store: {0}")]
    NotAStore(String),
    /// The store is damaged: it holds something that was never written.
    #[error("the store is damaged")]
    Damaged(#[source] BoxError),
    /// A block could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The back end failed.
    #[error("the store failed")]
    Backend(#[source] BoxError),
}

/// Returns the damage that a failed read has met: of the block itself, or of the store. `None` if the read failed for
/// another reason.
pub fn damage(error: &ReadError) -> Option<String> {
    match error {
        ReadError::Damaged { source, .. } => Some(source.to_string()),
        ReadError::Backend { source, .. } => match source.downcast_ref() {
            Some(error @ StoreError::Damaged(_)) => Some(error.to_string()),
            _ => None,
        },
        ReadError::Swept { .. } => None,
    }
}
