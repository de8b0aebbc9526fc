//! What can go wrong with a repository.

use std::path::PathBuf;

use crate::local::key_file::KeyFileError;
use crate::model::conflict::Versions;
use crate::model::finding::Finding;
use crate::model::revision::RevisionError;
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
use pds_store::blob::error::BlobError;
use pds_store::error::StoreError;
use pds_store::ref_name::RefName;
use pds_store::refs::Expect;

/// What a repository answers with.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A repository that could not do what it was asked to.
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
    /// There is no key to sign with: the repository is a mirror.
    #[error("the repository has no signing key: it is a mirror, and can be read only")]
    NoSigner,
    /// The signer is not the one that commits here are signed with.
    #[error("the signing key is {found}, commits here are signed with {expected}")]
    WrongKey {
        /// The key of the repository.
        expected: Box<PublicKey>,
        /// The key of the signer.
        found: Box<PublicKey>,
    },
    /// A ref has no commit.
    #[error("{}", no_commit(.0))]
    NoCommit(RefName),
    /// A ref is gone, and not because somebody removed it.
    #[error("ref {name} is lost: {}", last_stood(stood))]
    RefLost {
        /// Which ref.
        name: RefName,
        /// Where the log says it stood; `None` where the log says nothing.
        stood: Option<Cid>,
    },
    /// A commit is not in the store.
    #[error("no commit {0} here")]
    UnknownCommit(Cid),
    /// A revision that names no commit here.
    #[error(transparent)]
    Revision(#[from] RevisionError),
    /// A record is not, or no longer, what the writer expected.
    #[error("record {path} {}", expectation(expected, found))]
    Conflict {
        /// Which record.
        path: RecordPath,
        /// What was expected of it.
        expected: Expect,
        /// What it is.
        found: Option<Cid>,
    },
    /// Records that two sides have changed, each in its own way.
    #[error("{}", conflict_count(.0))]
    Conflicts(Vec<Versions>),
    /// A side was chosen for a record that needs no choice.
    #[error("record {0} is not in conflict")]
    NotInConflict(RecordPath),
    /// The ref that keeps what was merged from files: nothing would keep what is merged into it.
    #[error("the ref {0} keeps what is merged from files: merge into another one")]
    KeepsMerged(RefName),
    /// Two commits of which no common ancestor is known.
    #[error("no common ancestor of {ours} and {theirs} is known here")]
    Unrelated {
        /// The commit that something was to be merged into.
        ours: Cid,
        /// The commit that was to be merged.
        theirs: Cid,
    },
    /// What stood before a commit is not known, or not here any more.
    #[error("what stood before commit {0} is not known here")]
    NothingBefore(Cid),
    /// One batch writes a record twice.
    #[error("record {0} is written twice in one commit")]
    WrittenTwice(RecordPath),
    /// A record that must not be written.
    #[error("record {path} cannot be written")]
    Record {
        /// Which record.
        path: RecordPath,
        /// What is wrong with it.
        #[source]
        source: DataError,
    },
    /// A record refers to blobs that are not here.
    #[error("record {path} refers to a blob that is not here: {cid}")]
    BlobMissing {
        /// Which record.
        path: RecordPath,
        /// Which blob.
        cid: Cid,
    },
    /// A block that the tree names is not here.
    #[error("block {cid} of {path} is missing")]
    RecordMissing {
        /// Which record.
        path: String,
        /// Which block.
        cid: Cid,
    },
    /// A key of the tree is no record path.
    #[error("the tree has a key that is no record path: {key}")]
    Path {
        /// The key, with everything but printable ASCII escaped.
        key: String,
    },
    /// Refs have a record that is to be forgotten, and there is no key to sign commits without it.
    #[error("{} still {} it, and there is no key to sign a commit without it", list(refs), if refs.len() == 1 { "has" } else { "have" })]
    StillHeld {
        /// Which refs.
        refs: Vec<RefName>,
    },
    /// A repository of another account.
    #[error("this is a repository of {found}, not of {expected}")]
    WrongDid {
        /// Whose it should be.
        expected: Did,
        /// Whose it is.
        found: Did,
    },
    /// What was to be taken in does not verify.
    #[error("not taken in: {0}")]
    Refused(Box<Finding>),
    /// A past state, or the part of it that was needed, cannot be read.
    #[error("the state at commit {commit} cannot be read")]
    StateLost {
        /// Which one.
        commit: Cid,
        /// What is wrong with it.
        #[source]
        source: Box<Self>,
    },
    /// A commit is lost, and which tree was its own cannot be told.
    #[error("commit {0} is lost, and what has survived of its tree cannot be told from older ones")]
    TreeLost(Cid),
    /// The time of revs is used up: a commit claims to be from the year 2255.
    #[error("no rev is greater than the one of commit {0}")]
    RevExhausted(Cid),
    /// There is no repository in a directory.
    #[error("no repository in {}", .0.display())]
    NotARepository(PathBuf),
    /// A directory that should become a repository holds something.
    #[error("{} is not empty", .0.display())]
    DirectoryInUse(PathBuf),
    /// What should become a directory, or one above it, is something else.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// A file or directory could not be read or written.
    #[error("cannot access {}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A commit that cannot be read.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A tree that cannot be read.
    #[error(transparent)]
    Mst(#[from] MstError),
    /// A block that cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A CAR file that cannot be read or written.
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
}

impl Error {
    /// Tells whether something that was asked for does not exist.
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

    /// Tells whether something is not what the writer expected; reading again may help.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::Conflict { .. }
                | Self::Conflicts(_)
                | Self::Store(StoreError::Moved { .. } | StoreError::Changed)
        )
    }

    /// Tells whether bytes are not what they must be: damage, or somebody's bad file.
    #[must_use]
    pub fn is_corrupt(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::RefLost { .. }
            | Self::StateLost { .. }
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

    /// Tells whether another process is in the way: it holds the store, or has deleted or replaced what was
    /// being read. The same call may succeed later.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.store_error(), Some(StoreError::Busy | StoreError::Replaced))
            || self.is_swept()
    }

    /// Tells whether the state that was being read has been deleted meanwhile.
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

    /// Tells whether the store has changed between the read and the write of an attempt, which can be made
    /// again.
    pub(crate) fn is_lost_race(&self) -> bool {
        self.is_swept() || matches!(self.store_error(), Some(StoreError::Changed))
    }

    /// Returns the error of the store, also where it is behind one of reading.
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

    /// Names the path that could not be accessed.
    #[cfg(feature = "sqlite")]
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }
}

fn no_commit(name: &RefName) -> String {
    if *name == RefName::head() {
        "there is no commit yet".to_owned()
    } else {
        format!("there is no ref {name}")
    }
}

fn list(refs: &[RefName]) -> String {
    refs.iter().map(RefName::as_str).collect::<Vec<_>>().join(", ")
}

fn last_stood(stood: &Option<Cid>) -> String {
    match stood {
        Some(cid) => format!("the log says that it stood at {cid}"),
        None => "there are blocks here, and the log does not say where it stood".to_owned(),
    }
}

fn expectation(expected: &Expect, found: &Option<Cid>) -> String {
    match (expected, found) {
        (Expect::Absent, _) => "exists already".to_owned(),
        (Expect::Present, _) => "does not exist".to_owned(),
        (Expect::Exactly(cid), None) => format!("does not exist, it should be {cid}"),
        (Expect::Exactly(cid), Some(found)) => format!("is {found}, it should be {cid}"),
        (Expect::Any, _) => "changed in the meantime".to_owned(),
    }
}

fn conflict_count(conflicts: &[Versions]) -> String {
    match conflicts.len() {
        1 => "1 record was changed on both sides".to_owned(),
        count => format!("{count} records were changed on both sides"),
    }
}
