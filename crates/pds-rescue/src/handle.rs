//! The handle for the verbs that survey and repair a repository.

use pds::model::progress::Progress;
use pds::repo::Repo;

/// The repair verbs of a repository. A repair may end after each step:
///
/// 1. [`survey`](Self::survey) reports the damage, and changes nothing.
/// 2. [`mend`](Self::mend) restores blocks from the sources and moves damaged blocks to the quarantine.
///    [`restore_refs`](Self::restore_refs) points broken refs to their last readable commits.
/// 3. [`rebuild`](Self::rebuild) signs a new commit of the remaining records.
///
/// ```
/// use pds_rescue::{Quarantine, Rescue};
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path().join("alice");
/// let repo = pds::Repo::create(&dir, &"did:web:alice.example.com".parse()?)?;
/// let rescue = Rescue::of(&repo);
/// let survey = rescue.survey(&[])?;
/// if !survey.is_clean() {
///     let quarantine = Quarantine::of(&dir);
///     rescue.mend(&survey, &[], &mut |block, bytes| quarantine.keep(block, bytes))?;
///     rescue.restore_refs(&survey)?;
/// }
/// # assert!(survey.is_clean());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rescue<'r> {
    pub(crate) repo: &'r Repo,
    pub(crate) progress: Progress<'r>,
}

impl<'r> Rescue<'r> {
    /// Returns the repair verbs of a repository.
    #[must_use]
    pub fn of(repo: &'r Repo) -> Self {
        Self { repo, progress: Progress::default() }
    }

    /// Returns the same verbs. They call a function for each block and each record that a survey checks, and for each
    /// block that a repair stores.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress<'r>) -> Self {
        self.progress = progress;
        self
    }
}
