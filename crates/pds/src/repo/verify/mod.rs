//! Every check there is, as findings with stable codes; the same for a store and for a CAR file.
//!
//! Vocabulary: a *finding* is one thing that is wrong or odd, with its place; its *stage* is the
//! layer that noticed it; only an *error* makes a repository fail, *warnings* and *notes* do not.
//! One bad record never hides the next.

mod blobs;
mod car;
mod finding;
mod records;

pub use self::blobs::verify_blobs;
pub use self::car::verify_car;
pub use self::finding::{Code, Finding, Severity, Stage};

use super::clock::now_micros;
use super::{Repo, Result};
use crate::commit::{Commit, CommitError, Deviation};
use crate::crypto::{CryptoError, PublicKey};
use crate::data::limits::MAX_CLOCK_DRIFT_MICROS;
use crate::data::{Block, Blocks, Cid, ReadError};
use crate::mst::{MstError, Step, walk};
use crate::syntax::{Did, Tid};

/// What a repository is checked against; what is not given is not checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// Whose repository it should be.
    pub did: Option<&'a Did>,
    /// Whose signature it should carry.
    pub key: Option<&'a PublicKey>,
    /// Only a part is expected: missing blocks are notes.
    pub partial: bool,
}

/// What verifying has counted.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The commit; `None` where there is none that can be read.
    pub commit: Option<Commit>,
    /// How many records the tree names.
    pub records: u64,
    /// How many tree nodes are there.
    pub nodes: u64,
    /// How many blocks the source has.
    pub blocks: u64,
    /// How many nodes and records are missing.
    pub missing: u64,
    /// What became of the signature.
    pub signature: SignatureState,
    /// How many findings are errors.
    pub errors: u64,
    /// How many findings are warnings.
    pub warnings: u64,
}

/// What is known of a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureState {
    /// There was no key to check it with.
    #[default]
    Unchecked,
    /// It is by the expected key.
    Valid,
    /// It is not.
    Invalid,
}

impl Report {
    /// Tells whether nothing is wrong.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.errors == 0
    }

    /// Tells whether every block that the commit reaches is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.commit.is_some() && self.missing == 0
    }
}

/// Checks the repository of a commit: commit, signature, tree, paths and records.
///
/// ```
/// use pds::repo::Repo;
/// use pds::repo::verify::{Expected, verify};
///
/// let dir = tempfile::tempdir()?;
/// let repo = Repo::create(&dir.path().join("alice"), &"did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse()?)?;
/// let head = repo.head()?.expect("there is a first commit");
/// let key = repo.public_key()?;
/// let expected = Expected { key: key.as_ref(), ..Expected::default() };
/// let report = verify(repo.blocks().as_ref(), head, &expected, &mut |f| println!("{f}"))?;
/// assert!(report.is_ok() && report.is_complete());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Read`](super::Error::Read) when the source cannot be read at all; whatever is wrong with
/// what it holds is a finding.
pub fn verify(
    blocks: &dyn Blocks,
    commit: Cid,
    expected: &Expected<'_>,
    found: &mut dyn FnMut(Finding),
) -> Result<Report> {
    let mut check = Check { blocks, expected, found, report: Report::default() };
    if let Some(commit) = check.read_commit(commit)? {
        check.commit(&commit);
        check.tree(commit.data())?;
        check.report.commit = Some(commit);
    }
    Ok(check.report)
}

impl Repo {
    /// Checks the present state of this repository, against its own account and key unless other ones
    /// are expected.
    ///
    /// # Errors
    ///
    /// As [`verify`]; [`Error::NoCommit`](super::Error::NoCommit) before the first commit.
    pub fn verify(
        &self,
        expected: &Expected<'_>,
        found: &mut dyn FnMut(Finding),
    ) -> Result<Report> {
        let head = self.head()?.ok_or_else(|| super::Error::NoCommit(self.name.clone()))?;
        let (did, key) = (self.did()?, self.public_key()?);
        let expected = Expected {
            did: expected.did.or(did.as_ref()),
            key: expected.key.or(key.as_ref()),
            partial: expected.partial,
        };
        let mut report = verify(self.store.as_ref(), head, &expected, found)?;
        report.blocks = self.store.block_count()?;
        Ok(report)
    }
}

struct Check<'a> {
    blocks: &'a dyn Blocks,
    expected: &'a Expected<'a>,
    found: &'a mut dyn FnMut(Finding),
    report: Report,
}

impl Check<'_> {
    fn add(&mut self, finding: Finding) {
        match finding.severity() {
            Severity::Error => self.report.errors += 1,
            Severity::Warning => self.report.warnings += 1,
            Severity::Note => {}
        }
        (self.found)(finding);
    }

    /// Reads a block; damage is a finding, and counts as missing.
    fn read(&mut self, cid: Cid) -> Result<Option<Block>> {
        match self.blocks.get(&cid) {
            Ok(block) => Ok(block),
            Err(ReadError::Damaged { cid, source }) => {
                self.add(Finding::new(Code::BlockDamaged, source.to_string()).cid(cid));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn missing(&mut self, code: Code, cid: Cid, path: Option<&[u8]>) {
        self.report.missing += 1;
        let message = format!("block {cid} is missing");
        let finding = Finding::new(code, message).cid(cid).maybe_path(path);
        let expected_part = self.expected.partial;
        self.add(if expected_part { finding.with_severity(Severity::Note) } else { finding });
    }

    fn read_commit(&mut self, cid: Cid) -> Result<Option<Commit>> {
        let Some(block) = self.read(cid)? else {
            let message = format!("the commit {cid} is missing");
            self.add(Finding::new(Code::CommitMissing, message).cid(cid));
            return Ok(None);
        };
        match Commit::decode(&block) {
            Ok(commit) => Ok(Some(commit)),
            Err(error) => {
                let (code, message) = match &error {
                    CommitError::Undecodable { source, .. } => {
                        (Code::CommitUndecodable, source.to_string())
                    }
                    CommitError::NotACommit { .. } => {
                        (Code::NotACommit, "the root is no commit".to_owned())
                    }
                    CommitError::Field { field, reason, .. } => {
                        (Code::CommitField, format!("{field}: {reason}"))
                    }
                };
                self.add(Finding::new(code, message).cid(cid));
                Ok(None)
            }
        }
    }

    fn commit(&mut self, commit: &Commit) {
        let cid = commit.cid();
        if let Some(expected) = self.expected.did
            && expected != commit.did()
        {
            let message = format!("the account is {}, expected {expected}", commit.did());
            self.add(Finding::new(Code::DidMismatch, message).cid(cid));
        }
        for deviation in commit.deviations() {
            let (code, message) = match deviation {
                Deviation::Version2 => (Code::CommitVersion2, "a commit of version 2".to_owned()),
                Deviation::PrevMissing => {
                    (Code::CommitPrevMissing, "the field prev is missing".to_owned())
                }
                Deviation::UnknownField(name) => {
                    (Code::CommitUnknownField, format!("unknown field {name:?}"))
                }
            };
            self.add(Finding::new(code, message).cid(cid));
        }
        if let Some(rev) = commit.rev() {
            self.rev(rev, cid);
        }
        let Some(key) = self.expected.key else { return };
        self.report.signature = match commit.verify(key) {
            Ok(()) => SignatureState::Valid,
            Err(error) => {
                let code = match error {
                    CryptoError::HighS { .. } => Code::SignatureHighS,
                    _ => Code::SignatureInvalid,
                };
                self.add(Finding::new(code, format!("{error}, checked with {key}")).cid(cid));
                SignatureState::Invalid
            }
        };
    }

    fn rev(&mut self, rev: Tid, cid: Cid) {
        if rev.micros() > now_micros().saturating_add(MAX_CLOCK_DRIFT_MICROS) {
            let message = format!("rev {rev} is more than five minutes in the future");
            self.add(Finding::new(Code::RevInFuture, message).cid(cid));
        }
    }

    fn tree(&mut self, root: Cid) -> Result<()> {
        for step in walk(self.blocks, root) {
            match step {
                Ok(Step::Node { .. }) => self.report.nodes += 1,
                Ok(Step::Entry { key, value }) => {
                    self.report.records += 1;
                    self.record(key.as_bytes(), value)?;
                }
                Err(MstError::Missing { cid }) => self.missing(Code::NodeMissing, cid, None),
                Err(MstError::Read(ReadError::Damaged { cid, source })) => {
                    self.add(Finding::new(Code::BlockDamaged, source.to_string()).cid(cid));
                    self.missing(Code::NodeMissing, cid, None);
                }
                Err(MstError::Read(error)) => return Err(error.into()),
                Err(MstError::Undecodable { cid, source }) => {
                    self.add(Finding::new(Code::NodeUndecodable, source.to_string()).cid(cid));
                }
                Err(error @ (MstError::Invalid { .. } | MstError::Key { .. } | MstError::Full)) => {
                    let cid = error.cid();
                    let message = match error {
                        MstError::Invalid { reason, .. } => reason.to_owned(),
                        error => error.to_string(),
                    };
                    self.add(Finding::new(Code::NodeInvalid, message).maybe_cid(cid));
                }
            }
        }
        Ok(())
    }
}
