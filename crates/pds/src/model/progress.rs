//! The progress of long work, which a caller can follow.

use std::fmt;

/// What a step of long work counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepKind {
    /// Records that were checked, compared or written.
    Records,
    /// Blocks that were checked, copied or stored.
    Blocks,
    /// Blobs that were checked or copied.
    Blobs,
    /// Commits that were read.
    Commits,
}

/// A function that is called with the number of things that were done since the last call. Several threads may call it.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # repo.put(&"com.example.note/a".parse()?, &pds::Value::from([("text", pds::Value::from("hi"))]))?;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// let records = AtomicU64::new(0);
/// let count = |_, more| drop(records.fetch_add(more, Ordering::Relaxed));
/// let expected = pds::Expected::default().progress(&count);
/// repo.verify().present(&expected, &mut |_| {})?;
/// assert_eq!(records.into_inner(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default)]
pub struct Progress<'a>(Option<&'a (dyn Fn(StepKind, u64) + Sync)>);

impl<'a> Progress<'a> {
    /// No function is called.
    #[cfg(test)]
    pub(crate) const NONE: Self = Self(None);

    /// Wraps a function.
    #[must_use]
    pub fn new(report: &'a (dyn Fn(StepKind, u64) + Sync)) -> Self {
        Self(Some(report))
    }

    /// Reports one thing.
    pub fn one(self, step: StepKind) {
        if let Some(report) = self.0 {
            report(step, 1);
        }
    }
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.0.is_some()).finish()
    }
}
