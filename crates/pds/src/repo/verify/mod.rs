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

pub use self::blobs::verify_blobs;
pub(super) use self::car::Marked;
pub use self::car::verify_car;
pub use self::finding::{Code, Finding, Severity, Stage, UnknownCode};
pub(super) use self::indexed::damage;
pub use self::indexed::verify;
pub(super) use self::stream::{NotInOrder, Reached, Streamed};

use super::history::lost_refs;
use super::reading::Moment;
use super::snapshot::read_commit;
use super::{Error, Jobs, Repo, Result};
use crate::commit::Commit;
use crate::crypto::PublicKey;
use crate::data::Cid;
use crate::identity::KeyHistory;
use crate::store::{CheckDepth, StoreError, latest_rows};
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

/// A check that can be run again; it passes findings on as they come.
type Attempt<'a> = dyn FnMut(&mut dyn FnMut(Finding)) -> Result<Report> + 'a;

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
    pub(super) fn count(&mut self, finding: &Finding) {
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
        self.checked(found, &mut |found| {
            let Some(at) = self.moment_or_damage(found)? else {
                return Ok(Report { errors: 1, ..Report::default() });
            };
            let mut report = match at.refs.get(&self.name) {
                Some(head) => self.check_at(&at, head, expected, found)?,
                None => self.without_head(found)?,
            };
            let is_sound = self.check_store(CheckDepth::Present, &mut report, found)?;
            self.check_refs(&at, is_sound, &mut report, found)?;
            Ok(report)
        })
    }

    /// Runs a check, again if the state that it reads is deleted meanwhile. Findings are passed on once the
    /// check is done.
    pub(super) fn checked(
        &self,
        found: &mut dyn FnMut(Finding),
        check: &mut Attempt<'_>,
    ) -> Result<Report> {
        let mut tries = MAX_TRIES;
        loop {
            let mut kept = Vec::new();
            // Findings beyond this number are passed on at once, and the check is not run again.
            let mut is_final = tries == 0;
            let report = check(&mut |finding| {
                kept.push(finding);
                if kept.len() > MAX_KEPT_FINDINGS {
                    is_final = true;
                    kept.drain(..).for_each(&mut *found);
                }
            });
            match report {
                Err(error) if error.is_lost_race() && !is_final => tries -= 1,
                report => {
                    kept.into_iter().for_each(found);
                    return report;
                }
            }
        }
    }

    /// Begins to read; rows of the store that cannot be read are findings.
    pub(super) fn moment_or_damage(
        &self,
        found: &mut dyn FnMut(Finding),
    ) -> Result<Option<Moment>> {
        match self.moment() {
            Err(Error::Store(StoreError::Damaged(error))) => {
                let message = format!("the database is damaged: {error}");
                found(Finding::new(Code::StoreDamaged, message));
                Ok(None)
            }
            moment => moment.map(Some),
        }
    }

    /// Reports that the present state is lost; that there never was one is an error.
    pub(super) fn without_head(&self, found: &mut dyn FnMut(Finding)) -> Result<Report> {
        let mut report = Report::default();
        let view = self.store.view()?;
        match self.absent(view.as_ref())? {
            Error::RefLost { stood: None, .. } => {
                let lost = Error::RefLost { name: self.name.clone(), stood: None };
                let finding = Finding::new(Code::RefMissing, lost.to_string());
                report.count(&finding);
                found(finding);
            }
            Error::RefLost { .. } => {}
            never_made => return Err(never_made),
        }
        Ok(report)
    }

    /// Checks that every ref points to a commit, that the log says so, and that no ref is gone that the log
    /// does not say was removed. The commit of the present ref has been checked more closely.
    pub(super) fn check_refs(
        &self,
        at: &Moment,
        is_sound: bool,
        report: &mut Report,
        found: &mut dyn FnMut(Finding),
    ) -> Result<()> {
        let mut findings = Vec::new();
        for (name, cid) in at.refs.iter().filter(|(name, _)| *name != self.name) {
            match read_commit(at.blocks.as_ref(), *cid) {
                Ok(_) => {}
                Err(error) if error.is_swept() => return Err(error),
                Err(error) if error.is_corrupt() || error.is_not_found() => {
                    let message = format!("ref {name} names no commit that can be read: {error}");
                    findings.push(Finding::new(Code::RefWithoutCommit, message).cid(*cid));
                }
                Err(error) => return Err(error),
            }
        }
        let view = self.store.view()?;
        if view.version() != at.version {
            // Refs and log would be of two moments; what has changed since is checked the next time.
            findings.into_iter().for_each(|finding| {
                report.count(&finding);
                found(finding);
            });
            return Ok(());
        }
        for (name, cid) in &at.refs {
            // A row that cannot be read is reported with the history.
            let last = latest_rows(view.as_ref(), name, 1).unwrap_or_default().pop();
            if let Some(last) = last.filter(|last| last.after != Some(*cid)) {
                let stood = last.after.map_or_else(|| "nothing".to_owned(), |cid| cid.to_string());
                let message = format!("by the log, ref {name} points to {stood}");
                findings.push(Finding::new(Code::RefUnlogged, message).cid(*cid));
            }
        }
        // The store knows how many refs there are: if it is sound and this ref is there, none is lost.
        let is_all = is_sound && at.refs.get(&self.name).is_some();
        let lost = if is_all { Ok(Vec::new()) } else { lost_refs(view.as_ref(), &at.refs) };
        // A log that cannot be read has been reported.
        for (name, after) in lost.unwrap_or_default() {
            let lost = Error::RefLost { name, stood: Some(after) };
            findings.push(Finding::new(Code::RefMissing, lost.to_string()).cid(after));
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
        self.checked(found, &mut |found| {
            let Some(at) = self.moment_or_damage(found)? else {
                return Ok(Report { errors: 1, ..Report::default() });
            };
            let mut report = self.check_at(&at, commit, expected, found)?;
            self.check_store(CheckDepth::Present, &mut report, found)?;
            Ok(report)
        })
    }

    pub(super) fn check_at(
        &self,
        at: &Moment,
        commit: Cid,
        expected: &Expected<'_>,
        found: &mut dyn FnMut(Finding),
    ) -> Result<Report> {
        let did = self.known_did()?;
        // A key that cannot be read is a finding of the store.
        let present = match self.public_key() {
            Err(error) if error.is_corrupt() => None,
            key => key?,
        };
        let mut key = present.clone();
        // A commit that cannot be read is a finding below; one by another key may be older.
        if let (Ok(commit), Some(present)) = (read_commit(at.blocks.as_ref(), commit), present)
            && commit.verify(&present).is_err()
        {
            key = self.key_history()?.of(&commit).cloned();
        }
        let expected = Expected {
            did: expected.did.or(did.as_ref()),
            key: expected.key.or(key.as_ref()),
            ..*expected
        };
        verify(at.blocks.as_ref(), commit, &expected, found)
    }

    /// Returns the account as far as it is known: that the commit cannot be read is a finding.
    pub(in crate::repo) fn known_did(&self) -> Result<Option<Did>> {
        match self.did() {
            Err(error) if error.is_corrupt() || error.is_not_found() => Ok(None),
            did => did,
        }
    }

    /// Checks the store itself, and counts its blocks; tells whether it is sound.
    pub(super) fn check_store(
        &self,
        depth: CheckDepth,
        report: &mut Report,
        found: &mut dyn FnMut(Finding),
    ) -> Result<bool> {
        let Some(maintain) = self.store.maintain() else { return Ok(true) };
        let problems = maintain.check(depth)?;
        for problem in &problems {
            let message = format!("the database is damaged: {}", problem.replace('\n', " "));
            found(Finding::new(Code::StoreDamaged, message));
            report.errors += 1;
        }
        if !problems.is_empty() {
            // Pages that lead to each other in circles are counted without end.
            return Ok(false);
        }
        match maintain.block_count() {
            Ok(blocks) => report.blocks = blocks,
            Err(StoreError::Damaged(error)) => {
                let message = format!("the database is damaged: {error}");
                found(Finding::new(Code::StoreDamaged, message));
                report.errors += 1;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }
}

/// How often a check is run again beside another process that keeps deleting states.
const MAX_TRIES: u32 = 20;

/// How many findings wait until their check is done.
const MAX_KEPT_FINDINGS: usize = 10_000;
