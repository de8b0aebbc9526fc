//! The handle for the verbs that verify.

use crate::parts::Parts;

/// The verbs that verify a repository; from [`Repo::verify`](crate::Repo::verify).
#[derive(Clone, Copy, Debug)]
pub struct Verify<'r> {
    pub(crate) parts: &'r Parts,
}

impl<'r> Verify<'r> {
    pub(crate) fn new(parts: &'r Parts) -> Self {
        Self { parts }
    }
}
