//! The verbs that survey and repair a repository.

use pds::repo::Repo;

/// The repair verbs of a repository. Each of them can be the last one:
///
/// 1. [`survey`](Self::survey) looks, and changes nothing.
/// 2. [`mend`](Self::mend) takes what the sources have and moves damaged blocks to the quarantine;
///    [`restore_refs`](Self::restore_refs) points stray refs to the commits that they pointed to.
/// 3. [`rebuild`](Self::rebuild) signs a new commit over the records that have survived.
#[derive(Clone, Copy, Debug)]
pub struct Rescue<'r> {
    pub(crate) repo: &'r Repo,
}

impl<'r> Rescue<'r> {
    /// Returns the repair verbs of a repository.
    #[must_use]
    pub fn of(repo: &'r Repo) -> Self {
        Self { repo }
    }
}
