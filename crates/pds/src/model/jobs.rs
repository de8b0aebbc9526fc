//! How many threads a verb may use.

use std::num::NonZeroUsize;

/// How many threads work on a whole file may use.
///
/// With more than one, reading and hashing run ahead of what follows, through a queue of bounded size; the order
/// stays and so do the answers.
///
/// ```
/// use pds::Jobs;
///
/// assert_eq!(Jobs::ONE.get(), 1);
/// assert!(Jobs::default().get() >= 1, "as many as the machine has");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs(NonZeroUsize);

impl Jobs {
    /// Everything in the thread of the caller.
    pub const ONE: Self = Self(NonZeroUsize::MIN);

    /// Says how many.
    #[must_use]
    pub const fn new(jobs: NonZeroUsize) -> Self {
        Self(jobs)
    }

    /// Returns how many.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0.get()
    }

    /// One job for work on this many bytes if that is too little to share.
    pub(crate) fn for_bytes(self, bytes: u64) -> Self {
        if bytes < WORTH_BYTES { Self::ONE } else { self }
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

/// From how many bytes on it is worth to start a thread.
const WORTH_BYTES: u64 = 1024 * 1024;
