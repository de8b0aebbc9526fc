//! The handle for the verbs on CAR files.

use crate::model::jobs::Jobs;
use crate::parts::Parts;

/// The verbs on CAR files; from [`Repo::transfer`](crate::Repo::transfer).
#[derive(Clone, Copy)]
pub struct Transfer<'r> {
    pub(crate) parts: &'r Parts,
    pub(crate) jobs: Jobs,
}

impl<'r> Transfer<'r> {
    pub(crate) fn new(parts: &'r Parts) -> Self {
        Self { parts, jobs: Jobs::default() }
    }

    /// Returns the same verbs with another number of threads.
    #[must_use]
    pub fn with_jobs(mut self, jobs: Jobs) -> Self {
        self.jobs = jobs;
        self
    }
}
