//! The expectations of a verification, and its report.

use crate::model::finding::{Code, Finding, Severity};
use crate::model::jobs::Jobs;
use crate::model::progress::{Progress, StepKind};
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::identity::key_history::KeyHistory;
use pds_core::syntax::did::Did;

/// The properties to verify a repository against. Properties that are `None` are not checked.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::Expected;
///
/// let other = "did:web:other.example".parse()?;
/// let expected = Expected::default().did(Some(&other));
/// let report = repo.verify().present(&expected, &mut |finding| println!("{finding}"))?;
/// assert!(!report.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Expected<'a> {
    /// The expected account.
    pub did: Option<&'a Did>,
    /// The key that must have signed the commit.
    pub key: Option<&'a PublicKey>,
    /// The keys of the account over time. The commit must be signed with the key that was valid at its rev. If
    /// given, `key` is ignored.
    pub keys: Option<&'a KeyHistory>,
    /// Accept a part of a repository: missing blocks are notes.
    pub partial: bool,
    /// Accept a rev in the future: it is a warning.
    pub accept_clock: bool,
    /// The present time in microseconds since 1970, with which revs are compared. By default it is that of the system.
    pub now_micros: Option<u64>,
    /// The number of threads.
    pub jobs: Jobs,
    /// Is called for each record that was checked.
    pub progress: Progress<'a>,
}

impl<'a> Expected<'a> {
    /// Sets the expected account.
    #[must_use]
    pub fn did(mut self, did: impl Into<Option<&'a Did>>) -> Self {
        self.did = did.into();
        self
    }

    /// Sets the key that must have signed the commit.
    #[must_use]
    pub fn key(mut self, key: impl Into<Option<&'a PublicKey>>) -> Self {
        self.key = key.into();
        self
    }

    /// Sets the keys of the account over time.
    #[must_use]
    pub fn keys(mut self, keys: impl Into<Option<&'a KeyHistory>>) -> Self {
        self.keys = keys.into();
        self
    }

    /// Accepts or refuses a part of a repository.
    #[must_use]
    pub fn partial(mut self, partial: bool) -> Self {
        self.partial = partial;
        self
    }

    /// Accepts or refuses a rev in the future.
    #[must_use]
    pub fn accept_clock(mut self, accept: bool) -> Self {
        self.accept_clock = accept;
        self
    }

    /// Sets the present time in microseconds since 1970, for example where the system has no clock.
    #[must_use]
    pub fn now_micros(mut self, now_micros: impl Into<Option<u64>>) -> Self {
        self.now_micros = now_micros.into();
        self
    }

    /// Sets the number of threads.
    #[must_use]
    pub fn jobs(mut self, jobs: Jobs) -> Self {
        self.jobs = jobs;
        self
    }

    /// Sets a function that is called for each record that was checked.
    #[must_use]
    pub fn progress(mut self, report: &'a (dyn Fn(StepKind, u64) + Sync)) -> Self {
        self.progress = Progress::new(report);
        self
    }
}

/// The counts of a verification.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The commit, or `None` if it cannot be read.
    pub commit: Option<Commit>,
    /// The number of records that the tree names.
    pub records: u64,
    /// The number of tree nodes that are stored.
    pub nodes: u64,
    /// The number of blocks that the source has.
    pub blocks: u64,
    /// The number of missing nodes and records.
    pub missing: u64,
    /// The number of missing nodes in the verified state. The blocks below them are unknown.
    pub missing_nodes: u64,
    /// The number of records in the verified state that are missing, or cannot be decoded.
    pub unreadable_records: u64,
    /// The number of different blobs that records refer to. It is 0 unless the blobs were checked.
    pub blobs: u64,
    /// The number of nodes that break a rule. The blocks below them are unknown.
    pub unreadable: u64,
    /// The result of the signature check.
    pub signature: SignatureState,
    /// The number of verified commits. It is 0 unless the whole history was verified.
    pub commits: u64,
    /// The number of findings that are errors.
    pub errors: u64,
    /// The number of findings that are warnings.
    pub warnings: u64,
}

/// The result of a signature check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureState {
    /// The signature was not checked, because no key was known.
    #[default]
    Unchecked,
    /// The signature is by the expected key.
    Valid,
    /// The signature is not by the expected key.
    Invalid,
}

impl Report {
    /// Counts a finding and passes it on.
    pub(crate) fn tell(&mut self, finding: Finding, found: &mut dyn FnMut(Finding)) {
        self.count(&finding);
        found(finding);
    }

    pub(crate) fn count(&mut self, finding: &Finding) {
        match finding.code() {
            Code::NodeMissing => self.missing_nodes += 1,
            Code::RecordMissing | Code::RecordUndecodable | Code::RecordNotCbor => {
                self.unreadable_records += 1;
            }
            _ => {}
        }
        match finding.severity() {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Note => {}
        }
    }

    /// Returns whether no finding is an error.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.errors == 0
    }

    /// Returns whether every block that the commit reaches is stored and readable.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.commit.is_some() && self.missing == 0 && self.unreadable == 0
    }
}
