//! The handle for the verbs on signing keys.

use crate::parts::Parts;

/// The keys that sign the commits of a repository; from [`Repo::keys`](crate::Repo::keys).
#[derive(Clone, Copy, Debug)]
pub struct Keys<'r> {
    pub(crate) parts: &'r Parts,
}

impl<'r> Keys<'r> {
    pub(crate) fn new(parts: &'r Parts) -> Self {
        Self { parts }
    }
}
