//! The handle for the verbs that delete states, blocks and blobs.

use crate::parts::Parts;

/// The verbs that delete states, blocks and blobs; from [`Repo::retain`](crate::Repo::retain).
#[derive(Clone, Copy, Debug)]
pub struct Retain<'r> {
    pub(crate) parts: &'r Parts,
}

impl<'r> Retain<'r> {
    pub(crate) fn new(parts: &'r Parts) -> Self {
        Self { parts }
    }
}
