//! The handle for the verbs that merge and revert.

use crate::model::progress::Progress;
use crate::parts::Parts;

/// The verbs that merge and revert; from [`Repo::merge`](crate::Repo::merge).
#[derive(Clone, Copy, Debug)]
pub struct Merge<'r> {
    pub(crate) parts: &'r Parts,
    pub(crate) progress: Progress<'r>,
}

impl<'r> Merge<'r> {
    pub(crate) fn new(parts: &'r Parts) -> Self {
        Self { parts, progress: Progress::default() }
    }

    /// Returns the same verbs. They call a function for each record that is checked or compared, and for each block that
    /// is stored.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
    /// # let commit = repo.put(&"com.example.note/a".parse()?, &note)?.commit.cid();
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// let records = AtomicU64::new(0);
    /// let count = |step, more| match step {
    ///     pds::StepKind::Records => drop(records.fetch_add(more, Ordering::Relaxed)),
    ///     _ => {}
    /// };
    /// repo.merge().with_progress(pds::Progress::new(&count)).revert(commit)?;
    /// assert_eq!(records.into_inner(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_progress(mut self, progress: Progress<'r>) -> Self {
        self.progress = progress;
        self
    }
}
