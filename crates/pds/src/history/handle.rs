//! The handle for the verbs on refs, the log and past states.

use crate::parts::Parts;
use pds_store::ref_name::RefName;

/// The refs of a repository, their log, and its past states; from [`Repo::history`](crate::Repo::history).
#[derive(Clone, Copy, Debug)]
pub struct History<'r> {
    pub(crate) parts: &'r Parts,
}

impl<'r> History<'r> {
    pub(crate) fn new(parts: &'r Parts) -> Self {
        Self { parts }
    }

    /// Returns the name of the ref that this handle reads and moves.
    #[must_use]
    pub fn ref_name(&self) -> &'r RefName {
        &self.parts.name
    }
}
