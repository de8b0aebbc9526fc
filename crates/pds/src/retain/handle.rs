//! The verbs that delete.

use crate::parts::Parts;

/// What stays in a repository and what is deleted; from [`Repo::retain`](crate::Repo::retain).
#[derive(Clone, Copy)]
pub struct Retain<'r> {
    pub(crate) parts: &'r Parts,
}

impl<'r> Retain<'r> {
    pub(crate) fn new(parts: &'r Parts) -> Self {
        Self { parts }
    }
}
