//! The errors of a store.

use crate::ref_name::RefName;
use crate::refs::Expect;
use pds_core::data::block::ReadError;
use pds_core::data::cid::Cid;

/// An error of a type that the store does not know.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The error of a store operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A ref does not point to the expected commit: another writer was faster.
    #[error("ref {name} unexpectedly points to {}", found.map_or("nothing".to_owned(), |cid| cid.to_string()))]
    Moved {
        /// The ref.
        name: RefName,
        /// The expectation.
        expected: Expect,
        /// The commit that the ref points to.
        found: Option<Cid>,
    },
    /// An edit would point a ref to a block that is not in the store.
    #[error("ref {name} cannot point to {target}: the block is missing")]
    TargetMissing {
        /// The ref.
        name: RefName,
        /// The block.
        target: Cid,
    },
    /// The store has changed since the version that the writer has seen.
    #[error("the store has changed since it was read")]
    Changed,
    /// The change has no edit.
    #[error("the change has no edit")]
    NoEdits,
    /// A text is not valid as the message of a log entry.
    #[error("not a valid log message: {reason}")]
    Message {
        /// The broken rule.
        reason: &'static str,
    },
    /// The change has history, but the log of the store is not empty.
    #[error("the log is not empty: history cannot be copied into it")]
    HasHistory,
    /// The blocks of the change could not be read, or a store does not accept them.
    #[error("cannot store the blocks")]
    Blocks(#[source] BoxError),
    /// Another process kept the store locked until the timeout.
    #[error("the store is in use by another process")]
    Busy,
    /// The file of the store was replaced by another file while it was open.
    #[error("the store was replaced by another file: nothing was written to the new one")]
    Replaced,
    /// The store can be read but not written.
    #[error("the store is read-only")]
    ReadOnly,
    /// The disk has no space for the change.
    #[error("no space left for the store")]
    Full(#[source] BoxError),
    /// The file system of the store has no locks or no shared memory, without which a database is not safe.
    #[error("the file system has no locks, which a database needs")]
    NoLocks(#[source] BoxError),
    /// The store was written by a later release.
    #[error("the store has format {found}, but this release reads formats up to {supported}")]
    NewerFormat {
        /// The format of the store.
        found: u32,
        /// The newest format that this release reads.
        supported: u32,
    },
    /// The store was written by a version before the first release.
    #[error("the store has an unreleased format, which no release reads")]
    UnreleasedFormat,
    /// The file is not a store.
    #[error("not a store: {0}")]
    NotAStore(String),
    /// The store is damaged: it contains data that was never written.
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
    if let ReadError::Damaged { source, .. } = error {
        return Some(source.to_string());
    }
    let ReadError::Backend { source, .. } = error else { return None };
    let damage = source.downcast_ref().filter(|error| matches!(error, StoreError::Damaged(_)));
    damage.map(ToString::to_string)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use pds_core::data::cid::Codec;

    #[test]
    fn damage_is_told_from_other_failures() {
        let cid = Cid::of(Codec::Cbor, b"a");
        let source = "x".parse::<Cid>().unwrap_err();
        let text = source.to_string();
        assert_eq!(damage(&ReadError::Damaged { cid, source }), Some(text));
        let of_store = |error: StoreError| damage(&ReadError::backend(cid, error));
        let damaged = StoreError::Damaged("a row is lost".into());
        assert_eq!(of_store(damaged), Some("the store is damaged".to_owned()));
        assert_eq!(of_store(StoreError::Busy), None);
        assert_eq!(damage(&ReadError::backend(cid, "no disk")), None);
    }
}
