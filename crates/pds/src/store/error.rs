//! What can go wrong in a store.

use super::{BoxError, Expect, RefName};
use crate::data::{Cid, ReadError};

/// A store that could not do what it was asked to.
///
/// ```
/// use pds::store::{MemoryStore, Store, StoreError};
///
/// let nothing = &mut std::iter::empty();
/// let error = MemoryStore::default().apply(nothing, &[], "note").unwrap_err();
/// assert!(matches!(error, StoreError::NoEdits));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A ref does not stand where the writer thought: somebody else was faster.
    #[error("ref {name} stands at {}, not where it was expected", found.map_or("nothing".to_owned(), |cid| cid.to_string()))]
    Moved {
        /// Which ref.
        name: RefName,
        /// What was expected of it.
        expected: Expect,
        /// Where it stands.
        found: Option<Cid>,
    },
    /// A ref was to point at a block that is not in the store.
    #[error("ref {name} cannot point at {target}: there is no such block")]
    TargetMissing {
        /// Which ref.
        name: RefName,
        /// Where it was to point.
        target: Cid,
    },
    /// Something was applied in the meantime.
    #[error("the store has changed in the meantime")]
    Changed,
    /// There was nothing to move.
    #[error("no ref to move")]
    NoEdits,
    /// The blocks that were to be added could not be had.
    #[error("cannot take in the blocks")]
    Blocks(#[source] BoxError),
    /// Another process holds the store, and went on holding it.
    #[error("the store is in use by another process")]
    Busy,
    /// The store can be read here but not written.
    #[error("the store cannot be written here")]
    ReadOnly,
    /// There is no room for what was to be written.
    #[error("no space left for the store")]
    Full(#[source] BoxError),
    /// The store was made by a later release.
    #[error("the store has format {found}, this release reads up to {supported}")]
    NewerFormat {
        /// What it has.
        found: u32,
        /// What can be read.
        supported: u32,
    },
    /// The file is something else.
    #[error("not a store: {0}")]
    NotAStore(String),
    /// The store is damaged: what it holds cannot be what was written.
    #[error("the store is damaged")]
    Damaged(#[source] BoxError),
    /// A block could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The back end failed.
    #[error("the store failed")]
    Backend(#[source] BoxError),
}
