//! Findings: the results of `verify`, with stable codes.

use std::fmt;
use std::str::FromStr;

use pds_core::data::blob_ref::BlobRef;
use pds_core::data::block_kind::BlockKind;
use pds_core::data::cid::Cid;

/// One result of `verify`: an error, an oddity or a note.
///
/// ```
/// use pds::verify::car::verify_car;
/// use pds::{Code, Expected, Severity};
///
/// let mut found = Vec::new();
/// verify_car(std::io::Cursor::new(b""), &Expected::default(), &mut |f| found.push(f))?;
/// assert_eq!((found[0].code(), found[0].severity()), (Code::CarHeader, Severity::Error));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    code: Code,
    severity: Severity,
    /// The path of the record. All characters except printable ASCII are escaped.
    pub path: Option<String>,
    /// The block.
    pub cid: Option<Cid>,
    /// The offset in the file, in bytes.
    pub offset: Option<u64>,
    /// What is known about the block or the blob.
    pub subject: Option<Subject>,
    /// The description, in one sentence.
    pub message: String,
}

/// A block or a blob that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// A block of this kind, as far as its place or its first bytes show.
    Block(BlockKind),
    /// A blob, as a record describes it.
    Blob(BlobRef),
}

/// The layer that reports a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Stage {
    Car,
    Cid,
    Hash,
    Cbor,
    Repo,
    Commit,
    Signature,
    Mst,
    Path,
    Record,
    Completeness,
    Blob,
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The data is valid, and the fact is worth knowing.
    Note,
    /// The data is unusual but acceptable.
    Warning,
    /// The data is invalid, damaged or missing.
    Error,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $stage:ident, $severity:ident;)+) => {
        /// The stable name of a kind of finding. `docs/findings.md` lists the codes with their sources.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Returns the name as text.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// Returns the meaning of the code, in one sentence.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// Returns the layer that reports it.
            #[must_use]
            pub fn stage(self) -> Stage {
                match self {
                    $(Self::$name => Stage::$stage,)+
                }
            }

            /// Returns the usual severity.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)+
                }
            }
        }
    };
}

codes! {
    /// The file does not begin with the header of a CAR file of version 1.
    CarHeader = "car-header", Car, Error;
    /// A section is malformed; nothing after it can be read.
    CarSection = "car-section", Car, Error;
    /// The file ends in the middle of a section.
    CarTruncated = "car-truncated", Car, Error;
    /// The header names more than one root; only the first counts.
    CarManyRoots = "car-many-roots", Car, Note;
    /// The file contains blocks more than once.
    CarDuplicates = "car-duplicates", Car, Note;
    /// The file contains blocks that the commit does not reach, other than earlier commits.
    CarUnreachable = "car-unreachable", Car, Note;
    /// The file also contains earlier commits.
    CarChain = "car-chain", Car, Note;
    /// The file also contains other states of the account.
    CarStates = "car-states", Car, Note;
    /// A block has a kind of CID that AT Protocol does not use.
    CidForeign = "cid-foreign", Cid, Error;
    /// The bytes of a block do not hash to its CID.
    BlockDamaged = "block-damaged", Hash, Error;
    /// A ref points to another commit than the log says.
    RefUnlogged = "ref-unlogged", Repo, Warning;
    /// The database file is damaged, or contains invalid rows.
    StoreDamaged = "store-damaged", Hash, Error;
    /// The header names no root.
    RootMissing = "root-missing", Repo, Error;
    /// A ref is missing, although no command removed it.
    RefMissing = "ref-missing", Repo, Error;
    /// A ref other than the verified one points to no readable commit.
    RefWithoutCommit = "ref-without-commit", Repo, Error;
    /// The block of the commit is missing.
    CommitMissing = "commit-missing", Repo, Error;
    /// The root is not a commit.
    NotACommit = "not-a-commit", Repo, Error;
    /// The commit is not canonical DAG-CBOR.
    CommitUndecodable = "commit-undecodable", Cbor, Error;
    /// A field of the commit is missing or invalid.
    CommitField = "commit-field", Commit, Error;
    /// The commit is of version 2.
    CommitVersion2 = "commit-version-2", Commit, Note;
    /// The commit has no field `prev`; early versions of the protocol allowed that.
    CommitPrevMissing = "commit-prev-missing", Commit, Warning;
    /// The commit has a field that the specification does not name.
    CommitUnknownField = "commit-unknown-field", Commit, Warning;
    /// The repository belongs to another account.
    DidMismatch = "did-mismatch", Commit, Error;
    /// The rev is in the future.
    RevInFuture = "rev-in-future", Commit, Error;
    /// The rev is not greater than that of the commit before, or another commit has the same rev.
    RevNotAscending = "rev-not-ascending", Commit, Error;
    /// The history begins with this commit: its `prev` was never stored.
    HistoryBegins = "history-begins", Completeness, Note;
    /// A commit that the log or a later commit names is missing.
    HistoryMissing = "history-missing", Completeness, Error;
    /// The signature does not match the commit and the expected key.
    SignatureInvalid = "signature-invalid", Signature, Error;
    /// The signature is not in the low-S form.
    SignatureHighS = "signature-high-s", Signature, Error;
    /// The commit is signed with the key that was valid at its rev. The message names the key.
    KeyAtRev = "key-at-rev", Signature, Note;
    /// The commit is signed with a former key of the account, and its rev is no time.
    KeyFormer = "key-former", Signature, Warning;
    /// The commit is signed with a key of the account that was not valid at its rev.
    KeyOfAnotherTime = "key-of-another-time", Signature, Error;
    /// The account had no key at the rev of the commit.
    KeyUnknown = "key-unknown", Signature, Error;
    /// A tree node is not canonical DAG-CBOR.
    NodeUndecodable = "node-undecodable", Cbor, Error;
    /// A tree node breaks a rule of the tree.
    NodeInvalid = "node-invalid", Mst, Error;
    /// A tree node is missing.
    NodeMissing = "node-missing", Completeness, Error;
    /// A key of the tree is not a record path.
    PathInvalid = "path-invalid", Path, Error;
    /// The collection of a record path is not in its normal form.
    PathNotNormalized = "path-not-normalized", Path, Warning;
    /// A record is missing.
    RecordMissing = "record-missing", Completeness, Error;
    /// A record is not canonical DAG-CBOR of the data model.
    RecordUndecodable = "record-undecodable", Record, Error;
    /// A record breaks a rule of the data model.
    RecordModel = "record-model", Record, Error;
    /// A record exceeds the size limit.
    RecordTooLarge = "record-too-large", Record, Error;
    /// The tree names raw bytes where a record should be.
    RecordNotCbor = "record-not-cbor", Record, Error;
    /// A record has no `$type`.
    RecordTypeMissing = "record-type-missing", Record, Warning;
    /// The `$type` of a record is not its collection.
    RecordTypeMismatch = "record-type-mismatch", Record, Warning;
    /// A record has integers that some implementations cannot hold.
    RecordUnsafeInteger = "record-unsafe-integer", Record, Warning;
    /// A record is nested deeper than some software can read.
    RecordDeep = "record-deep", Record, Warning;
    /// A blob that a record refers to is missing.
    BlobMissing = "blob-missing", Blob, Error;
    /// The bytes of a blob do not hash to its CID.
    BlobDamaged = "blob-damaged", Blob, Error;
    /// The size of a blob differs from the size in the record.
    BlobSize = "blob-size", Blob, Error;
}

impl Finding {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let (severity, message) = (code.severity(), message.into());
        Self { code, severity, path: None, cid: None, offset: None, subject: None, message }
    }

    pub(crate) fn cid(self, cid: Cid) -> Self {
        self.maybe_cid(Some(cid))
    }

    pub(crate) fn maybe_cid(mut self, cid: Option<Cid>) -> Self {
        self.cid = cid;
        self
    }

    pub(crate) fn path(self, path: &[u8]) -> Self {
        self.maybe_path(Some(path))
    }

    pub(crate) fn maybe_path(mut self, path: Option<&[u8]>) -> Self {
        let shown =
            |path: &[u8]| path.escape_ascii().take(MAX_SHOWN_PATH).map(char::from).collect();
        self.path = path.map(shown);
        self
    }

    pub(crate) fn offset(mut self, offset: Option<u64>) -> Self {
        self.offset = offset;
        self
    }

    pub(crate) fn block_kind(mut self, kind: Option<BlockKind>) -> Self {
        self.subject = kind.map(Subject::Block);
        self
    }

    pub(crate) fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Returns the code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the layer that reports it.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.code.stage()
    }

    /// Returns the severity.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }
}

/// The greatest length of a shown path. A valid path fits; the escaped bytes of an invalid one are cut.
const MAX_SHOWN_PATH: usize = 1_024;

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.severity.as_str(), self.code.as_str())?;
        if let Some(path) = &self.path {
            write!(f, " {path}")?;
        }
        if let Some(cid) = &self.cid {
            write!(f, " {cid}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " byte {offset}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl Stage {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Car => "car",
            Self::Cid => "cid",
            Self::Hash => "hash",
            Self::Cbor => "cbor",
            Self::Repo => "repo",
            Self::Commit => "commit",
            Self::Signature => "signature",
            Self::Mst => "mst",
            Self::Path => "path",
            Self::Record => "record",
            Self::Completeness => "completeness",
            Self::Blob => "blob",
        }
    }
}

impl Severity {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The error for a text that is not a code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown finding code {0}")]
pub struct UnknownCode(String);

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let found = Self::ALL.iter().find(|code| code.as_str() == text);
        found.copied().ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
