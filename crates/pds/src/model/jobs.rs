//! The number of threads that a verb may use.

use std::num::NonZeroUsize;

/// The number of threads that work on a whole file may use. The default is the number of cores.
///
/// With more than one thread, reading and hashing run ahead through a bounded queue. The order of the blocks and
/// the results stay the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs(NonZeroUsize);

impl Jobs {
    /// One job: all work runs in the thread of the caller.
    pub const ONE: Self = Self(NonZeroUsize::MIN);

    /// Makes a number of jobs.
    #[must_use]
    pub const fn new(jobs: NonZeroUsize) -> Self {
        Self(jobs)
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0.get()
    }

    /// Returns one job if the work on this many bytes is too little to share, and `self` otherwise.
    pub(crate) fn for_bytes(self, bytes: u64) -> Self {
        if bytes < WORTH_BYTES { Self::ONE } else { self }
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

/// The number of bytes from which a second thread is worth its start.
const WORTH_BYTES: u64 = 1024 * 1024;
