//! The verbs that check.

use crate::parts::Parts;

/// The checks of a repository; from [`Repo::verify`](crate::Repo::verify).
#[derive(Clone, Copy)]
pub struct Verify<'r> {
    pub(crate) parts: &'r Parts,
}

impl<'r> Verify<'r> {
    pub(crate) fn new(parts: &'r Parts) -> Self {
        Self { parts }
    }
}
