//! The handle for the verbs that merge and revert.

use crate::parts::Parts;

/// The verbs that merge and revert; from [`Repo::merge`](crate::Repo::merge).
#[derive(Clone, Copy)]
pub struct Merge<'r> {
    pub(crate) parts: &'r Parts,
}

impl<'r> Merge<'r> {
    pub(crate) fn new(parts: &'r Parts) -> Self {
        Self { parts }
    }
}
