//! What verifying reports.

use std::fmt;
use std::str::FromStr;

use pds_core::data::cid::Cid;

/// One thing that is wrong or odd.
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
    /// Which record, with everything but printable ASCII escaped.
    pub path: Option<String>,
    /// Which block.
    pub cid: Option<Cid>,
    /// Where in the file, in bytes.
    pub offset: Option<u64>,
    /// What it is, in one sentence.
    pub message: String,
}

/// The layer that noticed something.
///
/// ```
/// use pds::{Code, Stage};
///
/// assert_eq!(Code::SignatureHighS.stage(), Stage::Signature);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
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

/// How bad it is.
///
/// ```
/// use pds::Severity;
///
/// assert!(Severity::Note < Severity::Warning && Severity::Warning < Severity::Error);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Odd, and no reason to refuse.
    Warning,
    /// Wrong.
    Error,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $stage:ident, $severity:ident;)+) => {
        /// The stable name of a kind of finding; `docs/findings.md` lists them with their sources.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Returns the name as text.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// Returns the layer that reports it.
            #[must_use]
            pub fn stage(self) -> Stage {
                match self {
                    $(Self::$name => Stage::$stage,)+
                }
            }

            /// Returns how bad it usually is.
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
    /// The header is none of a CAR file of version 1.
    CarHeader = "car-header", Car, Error;
    /// A section is not of the form it must have; nothing after it can be read.
    CarSection = "car-section", Car, Error;
    /// The file ends in the middle of something.
    CarTruncated = "car-truncated", Car, Error;
    /// The header names more than one root; only the first counts.
    CarManyRoots = "car-many-roots", Car, Note;
    /// Blocks stand in the file more than once.
    CarDuplicates = "car-duplicates", Car, Note;
    /// Blocks stand in the file that the commit does not reach, other than the commits before it.
    CarUnreachable = "car-unreachable", Car, Note;
    /// Commits before the one of the file stand in it, too.
    CarChain = "car-chain", Car, Note;
    /// A block has another kind of CID than the ones used here.
    CidForeign = "cid-foreign", Cid, Error;
    /// The bytes of a block do not hash to its CID.
    BlockDamaged = "block-damaged", Hash, Error;
    /// A ref stands elsewhere than the log says.
    RefUnlogged = "ref-unlogged", Repo, Warning;
    /// The database is damaged as a file, or has rows that it must not have.
    StoreDamaged = "store-damaged", Hash, Error;
    /// The header names no root.
    RootMissing = "root-missing", Repo, Error;
    /// A ref is gone, and not because somebody removed it.
    RefMissing = "ref-missing", Repo, Error;
    /// Another ref than the one that was checked names no commit that can be read.
    RefWithoutCommit = "ref-without-commit", Repo, Error;
    /// The block of the commit is not there.
    CommitMissing = "commit-missing", Repo, Error;
    /// The root is something else than a commit.
    NotACommit = "not-a-commit", Repo, Error;
    /// The commit is not canonical DAG-CBOR.
    CommitUndecodable = "commit-undecodable", Cbor, Error;
    /// A field of the commit is missing or not what it must be.
    CommitField = "commit-field", Commit, Error;
    /// The commit is of version 2.
    CommitVersion2 = "commit-version-2", Commit, Note;
    /// The commit has no field `prev`, as was once allowed.
    CommitPrevMissing = "commit-prev-missing", Commit, Warning;
    /// The commit has a field that the specification does not name.
    CommitUnknownField = "commit-unknown-field", Commit, Warning;
    /// The repository is another account's.
    DidMismatch = "did-mismatch", Commit, Error;
    /// The rev lies in the future.
    RevInFuture = "rev-in-future", Commit, Error;
    /// The rev is not later than that of the commit before.
    RevNotAscending = "rev-not-ascending", Commit, Error;
    /// History begins with this commit: the one it names as the one before never was here.
    HistoryBegins = "history-begins", Completeness, Note;
    /// A commit that the log or a later commit names is not there.
    HistoryMissing = "history-missing", Completeness, Error;
    /// The signature is not by the expected key over this commit.
    SignatureInvalid = "signature-invalid", Signature, Error;
    /// The signature is not in the low-S form, whoever made it.
    SignatureHighS = "signature-high-s", Signature, Error;
    /// The commit is signed with the key that was valid when its rev was made: which one that is.
    KeyAtRev = "key-at-rev", Signature, Note;
    /// The commit is signed with a key of the account whose time had not come or was over.
    KeyOfAnotherTime = "key-of-another-time", Signature, Error;
    /// The account had no key when the commit was made.
    KeyUnknown = "key-unknown", Signature, Error;
    /// A tree node is not canonical DAG-CBOR.
    NodeUndecodable = "node-undecodable", Cbor, Error;
    /// A tree node breaks a rule of the tree.
    NodeInvalid = "node-invalid", Mst, Error;
    /// A tree node is not there.
    NodeMissing = "node-missing", Completeness, Error;
    /// A key of the tree is no record path.
    PathInvalid = "path-invalid", Path, Error;
    /// The collection of a record path is not in its normal form.
    PathNotNormalized = "path-not-normalized", Path, Warning;
    /// A record is not there.
    RecordMissing = "record-missing", Completeness, Error;
    /// A record is not canonical DAG-CBOR of the data model.
    RecordUndecodable = "record-undecodable", Record, Error;
    /// A record breaks a rule of the data model.
    RecordModel = "record-model", Record, Error;
    /// A record is larger than records may be.
    RecordTooLarge = "record-too-large", Record, Error;
    /// The tree names raw bytes where a record should be.
    RecordNotCbor = "record-not-cbor", Record, Error;
    /// A record has no `$type`.
    RecordTypeMissing = "record-type-missing", Record, Warning;
    /// The `$type` of a record is not its collection.
    RecordTypeMismatch = "record-type-mismatch", Record, Warning;
    /// A record has integers that some implementations cannot hold.
    RecordUnsafeInteger = "record-unsafe-integer", Record, Warning;
    /// A blob that a record refers to is not here.
    BlobMissing = "blob-missing", Blob, Error;
    /// The bytes of a blob do not hash to its CID.
    BlobDamaged = "blob-damaged", Blob, Error;
    /// A blob has another size than the record says.
    BlobSize = "blob-size", Blob, Error;
}

impl Finding {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let (severity, message) = (code.severity(), message.into());
        Self { code, severity, path: None, cid: None, offset: None, message }
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

    pub(crate) fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Returns what kind of finding it is.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the layer that reports it.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.code.stage()
    }

    /// Returns how bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }
}

/// How much of a path is shown: all of any valid one. What is no path may be four times as long.
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

/// A text that is not the name of a kind of finding.
///
/// ```
/// use pds::Code;
/// use pds::model::finding::UnknownCode;
///
/// let error: UnknownCode = "no-such-code".parse::<Code>().unwrap_err();
/// assert_eq!(error.to_string(), "no finding is called no-such-code");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no finding is called {0}")]
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
