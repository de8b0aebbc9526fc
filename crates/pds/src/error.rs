//! The errors of a repository.

use std::path::PathBuf;

use crate::clock::ClockReading;
use crate::error_text::{
    conflict_count, descent, expectation, last_target, list, local_records, no_commit, older,
};
use crate::local::key_file::KeyFileError;
use crate::model::advance::AdvanceError;
use crate::model::conflict::Conflicts;
use crate::model::finding::Finding;
use crate::model::revision_error::RevisionError;
use pds_core::car::error::CarError;
use pds_core::commit::CommitError;
use pds_core::crypto::error::CryptoError;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::block::ReadError;
use pds_core::data::cid::Cid;
use pds_core::data::error::DataError;
use pds_core::mst::error::MstError;
use pds_core::syntax::did::Did;
use pds_core::syntax::record_path::RecordPath;
use pds_core::syntax::tid::Tid;
use pds_store::blob::error::BlobError;
use pds_store::error::StoreError;
use pds_store::ref_name::RefName;
use pds_store::refs::Expect;

/// The result of an operation on a repository.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why an operation on a repository failed.
///
/// Three questions cover most callers: [`is_not_found`](Self::is_not_found),
/// [`is_conflict`](Self::is_conflict) and [`is_corrupt`](Self::is_corrupt).
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let gone = repo.delete(&"com.example.note/a".parse()?).unwrap_err();
/// assert!(gone.is_not_found() && !gone.is_corrupt());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The repository has no signing key: it is a mirror.
    #[error("no signing key: the repository is a mirror and is read-only")]
    NoSigner,
    /// The signer does not have the key of the repository.
    #[error("wrong signing key {found}: commits are signed with {expected}")]
    WrongKey {
        /// The key of the repository.
        expected: Box<PublicKey>,
        /// The key of the signer.
        found: Box<PublicKey>,
    },
    /// A ref does not exist, or the repository has no commits yet.
    #[error("{}", no_commit(.0))]
    NoCommit(RefName),
    /// A ref is missing, although no command removed it.
    #[error("ref {name} is missing: {}", last_target(target))]
    RefLost {
        /// The ref.
        name: RefName,
        /// The commit that the ref points to according to the log, or `None` without a log entry.
        target: Option<Cid>,
    },
    /// A commit is not stored.
    #[error("commit {0} is not stored")]
    UnknownCommit(Cid),
    /// A revision names no commit of the repository.
    #[error(transparent)]
    Revision(#[from] RevisionError),
    /// A revision names no readable commit, and may name one that cannot be read.
    #[error("no readable commit is \"{text}\", and another one cannot be read")]
    RevisionHidden {
        /// The text of the revision.
        text: String,
        /// The reason why the first unreadable commit cannot be read.
        #[source]
        source: Box<Self>,
    },
    /// A record is not, or no longer, in the state that the writer expects.
    #[error("record {path} {}", expectation(expected, found))]
    Conflict {
        /// The record.
        path: RecordPath,
        /// The expected state.
        expected: Expect,
        /// The CID of the record, or `None` if it does not exist.
        found: Option<Cid>,
    },
    /// Both sides of a merge changed the same records differently.
    #[error("{}", conflict_count(&.0.changes.conflicts))]
    Conflicts(Box<Conflicts>),
    /// A side was chosen for a record that needs no choice.
    #[error("record {0} is not in conflict")]
    NotInConflict(RecordPath),
    /// The target of a merge is the ref that is reserved for merged files.
    #[error("ref {0} is reserved for merged files; merge into another ref")]
    KeepsMerged(RefName),
    /// No common ancestor of two commits is stored.
    #[error("no common ancestor of {ours} and {theirs} is stored")]
    Unrelated {
        /// The commit that is merged into.
        ours: Cid,
        /// The commit that is merged.
        theirs: Cid,
    },
    /// An imported commit is older than the one that the ref points to.
    #[error("{}", older(name, found, rev, present))]
    Older {
        /// The ref.
        name: RefName,
        /// The imported commit.
        found: Cid,
        /// The rev of the imported commit.
        rev: Option<Tid>,
        /// The rev of the present commit.
        present: Option<Tid>,
    },
    /// Two different commits have the same rev. The account has signed two histories.
    #[error("commit {found} has the same rev {rev} as the present commit {present}")]
    SameRev {
        /// The rev.
        rev: Tid,
        /// The commit that the ref points to.
        present: Cid,
        /// The other commit.
        found: Cid,
    },
    /// An imported commit is not known to descend from the present one, and lacks local records.
    #[error("commit {found} lacks {}: -{lost}; {}", local_records(*lost), descent(name, *is_fork))]
    LocalLoss {
        /// The ref.
        name: RefName,
        /// The imported commit.
        found: Cid,
        /// The number of records whose local version the commit does not have.
        lost: u64,
        /// Whether the history of the commit is known, and does not have the present one.
        is_fork: bool,
    },
    /// The commit before a commit is unknown, or no longer stored.
    #[error("no parent of commit {0} is stored")]
    NothingBefore(Cid),
    /// The content of a record is invalid.
    #[error("record {path} cannot be written")]
    Record {
        /// The record.
        path: RecordPath,
        /// The broken rule.
        #[source]
        source: DataError,
    },
    /// A record refers to a blob that is not stored, and that no record before the write refers to.
    #[error("record {path} refers to blob {cid}, which is not stored")]
    BlobMissing {
        /// The record.
        path: RecordPath,
        /// The blob.
        cid: Cid,
    },
    /// A record gives a blob another size than the stored blob has.
    #[error("record {path}: blob {cid} has {stored} bytes, and the record says {size}")]
    BlobSize {
        /// The record.
        path: RecordPath,
        /// The blob.
        cid: Cid,
        /// The size in the record.
        size: u64,
        /// The size of the stored blob.
        stored: u64,
    },
    /// The block of a record is missing.
    #[error("block {cid} of {path} is missing")]
    RecordMissing {
        /// The path of the record.
        path: String,
        /// The missing block.
        cid: Cid,
    },
    /// A key of the tree is not a record path.
    #[error("tree key {key} is not a record path")]
    Path {
        /// The key. All characters except printable ASCII are escaped.
        key: String,
    },
    /// Refs point to states with a record to purge, but no key can sign commits without it.
    #[error("no signing key: cannot delete the record from {}", list(refs))]
    StillHeld {
        /// The refs that still have the record.
        refs: Vec<RefName>,
    },
    /// The repository belongs to another account.
    #[error("the account is {found}, expected {expected}")]
    WrongDid {
        /// The expected account.
        expected: Did,
        /// The account of the repository.
        found: Did,
    },
    /// The imported data does not verify.
    #[error("refused: {0}")]
    Refused(Box<Finding>),
    /// Announced changes do not lead from the present state to their commit.
    #[error(transparent)]
    NotAdvanced(#[from] AdvanceError),
    /// A past state, or the required part of it, cannot be read.
    #[error("the state at commit {commit} cannot be read")]
    StateLost {
        /// The commit of the state.
        commit: Cid,
        /// The reason.
        #[source]
        source: Box<Self>,
    },
    /// A commit is missing, and no remaining tree can be identified as its own.
    #[error("commit {0} is missing and its tree cannot be identified among the remaining blocks")]
    TreeLost(Cid),
    /// The clock is more than a day behind or more than 400 days ahead of the newest time that the repository knows.
    #[error("not signed: {0}")]
    Clock(ClockReading),
    /// A commit has the greatest possible rev, which names a time in the year 2255.
    #[error("commit {0} has the greatest possible rev; no commit can follow it")]
    RevExhausted(Cid),
    /// A directory contains no repository.
    #[error("no repository in {}", .0.display())]
    NotARepository(PathBuf),
    /// A text is not a valid address of a database.
    #[error("not a valid address of a database: {0}")]
    Address(String),
    /// A database has no repository of the account that an address names. The text is the address with the reason.
    #[error("no repository at {0}")]
    NoAccount(String),
    /// A new repository needs an empty directory, but the directory contains files.
    #[error("{} is not empty", .0.display())]
    DirectoryInUse(PathBuf),
    /// A path that should be a directory, or one of its parents, is a file.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// A file or directory could not be read or written.
    #[error("cannot access {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// A commit cannot be decoded.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A tree cannot be read.
    #[error(transparent)]
    Mst(#[from] MstError),
    /// A block cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A CAR file cannot be read or written.
    #[error(transparent)]
    Car(#[from] CarError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blob store failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// Signing or verifying failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The key file failed.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// A commit has rotated the key, but the key files could not be completed. The next opening completes the rotation.
    #[error("commit {commit} has rotated the key, but the key files are not complete")]
    Unsettled {
        /// The commit that the new key has signed.
        commit: Cid,
        /// The reason.
        #[source]
        source: Box<Self>,
    },
    /// A rotation is complete, but the old secret could not be erased.
    #[error("the key was rotated, but the old secret was not erased from {}", path.display())]
    SecretLeft {
        /// The file, or the former file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Returns whether the requested ref, commit, record or blob does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::NoCommit(_)
            | Self::UnknownCommit(_)
            | Self::Revision(_)
            | Self::NotInConflict(_)
            | Self::NothingBefore(_)
            | Self::BlobMissing { .. } => true,
            Self::Conflict { expected, found, .. } => {
                found.is_none() && *expected == Expect::Present
            }
            _ => false,
        }
    }

    /// Returns whether a record or ref is not in the state that the writer expects. Reading it again and
    /// retrying may help.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::Conflict { .. }
                | Self::Conflicts(_)
                | Self::Store(StoreError::Moved { .. } | StoreError::Changed)
        )
    }

    /// Returns whether stored data is damaged, or an imported file is invalid.
    #[must_use]
    pub fn is_corrupt(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::RefLost { .. }
            | Self::StateLost { .. }
            | Self::RevisionHidden { .. }
            | Self::RecordMissing { .. }
            | Self::Path { .. }
            | Self::Commit(_)
            | Self::Read(ReadError::Damaged { .. })
            | Self::Mst(MstError::Read(ReadError::Damaged { .. })) => true,
            Self::Mst(error) if !matches!(error, MstError::Read(_)) => true,
            Self::Car(error) => !matches!(error, CarError::Io(_)),
            error => {
                let store = error.store_error();
                matches!(store, Some(StoreError::NotAStore(_) | StoreError::Damaged(_)))
            }
        }
    }

    /// Returns whether another process has locked the store, or has deleted or replaced the data during a
    /// read. The same call may succeed later.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.store_error(), Some(StoreError::Busy | StoreError::Replaced))
            || self.is_swept()
    }

    /// Returns whether another process has deleted the state during a read.
    #[must_use]
    pub fn is_swept(&self) -> bool {
        match self {
            Self::Read(error)
            | Self::Mst(MstError::Read(error))
            | Self::Store(StoreError::Read(error)) => matches!(error, ReadError::Swept { .. }),
            Self::Store(StoreError::Blocks(error)) => {
                let read = |error: &ReadError| matches!(error, ReadError::Swept { .. });
                error.downcast_ref::<ReadError>().is_some_and(read)
                    || error.downcast_ref::<Self>().is_some_and(Self::is_swept)
                    || matches!(error.downcast_ref(), Some(MstError::Read(error)) if read(error))
            }
            _ => false,
        }
    }

    /// Returns whether the store has changed between the read and the write of an attempt. A retry may succeed.
    pub(crate) fn is_lost_race(&self) -> bool {
        self.is_swept() || matches!(self.store_error(), Some(StoreError::Changed))
    }

    /// Returns the error of the store. It may be the source of a read error.
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Read(error)
            | Self::Mst(MstError::Read(error))
            | Self::Store(StoreError::Read(error)) => {
                std::error::Error::source(error)?.downcast_ref()
            }
            Self::Store(error) => Some(error),
            _ => None,
        }
    }

    /// Returns a function that adds a path to an error of the operating system.
    #[cfg(feature = "sqlite")]
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }
}
