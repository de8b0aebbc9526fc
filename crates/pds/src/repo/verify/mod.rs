//! Every check there is, as findings with stable codes; the same for a store and for a CAR file.
//!
//! Vocabulary: a *finding* is one thing that is wrong or odd, with its place; its *stage* is the
//! layer that noticed it; only an *error* makes a repository fail, *warnings* and *notes* do not.
//! One bad record never hides the next.

mod any_order;
mod blobs;
mod car;
mod check;
mod finding;
mod history;
mod indexed;
mod shared;
mod stream;

use std::collections::BTreeMap;

pub use self::blobs::verify_blobs;
pub(super) use self::car::Marked;
pub use self::car::verify_car;
pub use self::finding::{Code, Finding, Severity, Stage, UnknownCode};
pub(super) use self::indexed::damage;
pub use self::indexed::verify;
pub(super) use self::stream::{NotInOrder, Reached, Streamed};

use super::{Error, Jobs, Repo, Result};
use crate::commit::Commit;
use crate::crypto::PublicKey;
use crate::data::Cid;
use crate::identity::KeyHistory;
use crate::store::{RefName, StoreError};
use crate::syntax::Did;

/// What a repository is checked against; what is not given is not checked.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::repo::verify::Expected;
///
/// let other = "did:web:other.example".parse()?;
/// let expected = Expected { did: Some(&other), ..Expected::default() };
/// let report = repo.verify(&expected, &mut |finding| println!("{finding}"))?;
/// assert!(!report.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// Whose repository it should be.
    pub did: Option<&'a Did>,
    /// Whose signature it should carry.
    pub key: Option<&'a PublicKey>,
    /// Which signature it should carry, by the time that its rev claims; says more than `key`, which
    /// is not looked at then.
    pub keys: Option<&'a KeyHistory>,
    /// Only a part is expected: missing blocks are notes.
    pub partial: bool,
    /// With how many threads it is checked.
    pub jobs: Jobs,
}

/// What verifying has counted.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let report = repo.verify(&Default::default(), &mut |finding| println!("{finding}"))?;
/// assert_eq!((report.records, report.nodes, report.errors), (0, 1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
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
    /// How many nodes are there and break a rule, so that what is below them is not known.
    pub unreadable: u64,
    /// What became of the signature.
    pub signature: SignatureState,
    /// How many commits were checked, where all there are were.
    pub commits: u64,
    /// How many findings are errors.
    pub errors: u64,
    /// How many findings are warnings.
    pub warnings: u64,
}

/// What is known of a signature.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::repo::verify::SignatureState;
///
/// let report = repo.verify(&Default::default(), &mut |_| {})?;
/// assert_eq!(report.signature, SignatureState::Valid);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    fn count(&mut self, finding: &Finding) {
        match finding.severity() {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Note => {}
        }
    }

    /// Tells whether nothing is wrong.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.errors == 0
    }

    /// Tells whether every block that the commit reaches is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.commit.is_some() && self.missing == 0 && self.unreadable == 0
    }
}

impl Repo {
    /// Checks the present state of this repository, against its own account and key unless other ones
    /// are expected, and that every ref that the log tells of names a commit.
    ///
    /// # Errors
    ///
    /// As [`verify`]; [`Error::NoCommit`] before the first commit.
    pub fn verify(
        &self,
        expected: &Expected<'_>,
        found: &mut dyn FnMut(Finding),
    ) -> Result<Report> {
        let mut report = match self.head()? {
            Some(head) => self.verify_at(head, expected, found)?,
            None => self.without_head(found)?,
        };
        self.check_refs(&mut report, found)?;
        Ok(report)
    }

    /// Tells that the present state is lost; that there never was one is an error.
    fn without_head(&self, found: &mut dyn FnMut(Finding)) -> Result<Report> {
        let mut report = Report::default();
        match self.absent()? {
            Error::RefLost { stood: None, .. } => {
                let lost = Error::RefLost { name: self.name.clone(), stood: None };
                let finding = Finding::new(Code::RefMissing, lost.to_string());
                report.count(&finding);
                found(finding);
            }
            Error::RefLost { .. } => {}
            never_made => return Err(never_made),
        }
        self.count_blocks(&mut report, found)?;
        Ok(report)
    }

    /// Checks that every ref names a commit, and that none is gone that the log does not say was
    /// removed. What the present one names has been looked at more closely.
    fn check_refs(&self, report: &mut Report, found: &mut dyn FnMut(Finding)) -> Result<()> {
        let (refs, moves) = self.refs_and_moves()?;
        let mut findings = Vec::new();
        for (name, cid) in refs.entries.iter().filter(|(name, _)| *name != self.name) {
            match self.commit_at(*cid) {
                Ok(_) => {}
                Err(error) if error.is_corrupt() || error.is_not_found() => {
                    let message = format!("ref {name} names no commit that can be read: {error}");
                    findings.push(Finding::new(Code::RefWithoutCommit, message).cid(*cid));
                }
                Err(error) => return Err(error),
            }
        }
        // The last move of each ref.
        let last: BTreeMap<&RefName, Option<Cid>> =
            moves.iter().map(|row| (&row.name, row.after)).collect();
        for (name, stood) in last {
            match (stood, refs.get(name)) {
                (Some(cid), None) => {
                    let lost = Error::RefLost { name: name.clone(), stood };
                    findings.push(Finding::new(Code::RefMissing, lost.to_string()).cid(cid));
                }
                (stood, Some(stands)) if stood != Some(stands) => {
                    let stood = stood.map_or_else(|| "nothing".to_owned(), |cid| cid.to_string());
                    let message = format!("by the log, ref {name} stands at {stood}");
                    findings.push(Finding::new(Code::RefUnlogged, message).cid(stands));
                }
                _ => {}
            }
        }
        for finding in findings {
            report.count(&finding);
            found(finding);
        }
        Ok(())
    }

    /// As [`verify`](Self::verify), of the state at a commit, with the key that held at its rev.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn verify_at(
        &self,
        commit: Cid,
        expected: &Expected<'_>,
        found: &mut dyn FnMut(Finding),
    ) -> Result<Report> {
        let (did, present) = (self.known_did()?, self.public_key()?);
        let mut key = present.clone();
        // A commit that cannot be read is a finding below; one by another key may be older.
        if let (Ok(commit), Some(present)) = (self.commit_at(commit), present)
            && commit.verify(&present).is_err()
        {
            key = self.key_history()?.of(&commit).cloned();
        }
        let expected = Expected {
            did: expected.did.or(did.as_ref()),
            key: expected.key.or(key.as_ref()),
            ..*expected
        };
        let mut report = verify(self.store.as_ref(), commit, &expected, found)?;
        self.count_blocks(&mut report, found)?;
        Ok(report)
    }

    /// Returns the account as far as it is known: that the commit cannot be read is a finding.
    pub(in crate::repo) fn known_did(&self) -> Result<Option<Did>> {
        match self.did() {
            Err(error) if error.is_corrupt() || error.is_not_found() => Ok(None),
            did => did,
        }
    }

    fn count_blocks(&self, report: &mut Report, found: &mut dyn FnMut(Finding)) -> Result<()> {
        let problems = self.store.check()?;
        for problem in &problems {
            let message = format!("the database is damaged: {}", problem.replace('\n', " "));
            found(Finding::new(Code::StoreDamaged, message));
            report.errors += 1;
        }
        if !problems.is_empty() {
            // Pages that lead to each other in circles are counted without end.
            return Ok(());
        }
        match self.store.block_count() {
            Ok(blocks) => report.blocks = blocks,
            Err(error @ StoreError::Damaged(_)) => {
                found(Finding::new(Code::BlockDamaged, error.to_string()));
                report.errors += 1;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
