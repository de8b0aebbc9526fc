//! What a check expects, and what it has counted.

use crate::model::finding::{Finding, Severity};
use crate::model::jobs::Jobs;
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::identity::key_history::KeyHistory;
use pds_core::syntax::did::Did;

/// What a repository is checked against; what is not given is not checked.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::Expected;
///
/// let other = "did:web:other.example".parse()?;
/// let expected = Expected { did: Some(&other), ..Expected::default() };
/// let report = repo.verify().present(&expected, &mut |finding| println!("{finding}"))?;
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
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let report = repo.verify().present(&Default::default(), &mut |finding| println!("{finding}"))?;
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
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::SignatureState;
///
/// let report = repo.verify().present(&Default::default(), &mut |_| {})?;
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
    /// Counts a finding and passes it on.
    pub(crate) fn tell(&mut self, finding: Finding, found: &mut dyn FnMut(Finding)) {
        self.count(&finding);
        found(finding);
    }

    pub(crate) fn count(&mut self, finding: &Finding) {
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
