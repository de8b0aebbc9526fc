//! The verbs that bring states together.

use crate::parts::Parts;

/// Merging and undoing; from [`Repo::merge`](crate::Repo::merge).
#[derive(Clone, Copy)]
pub struct Merge<'r> {
    pub(crate) parts: &'r Parts,
}

impl<'r> Merge<'r> {
    pub(crate) fn new(parts: &'r Parts) -> Self {
        Self { parts }
    }
}
