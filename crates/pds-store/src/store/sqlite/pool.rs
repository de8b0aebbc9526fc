//! The connections that read. Each is used by one reader at a time, so no read waits for another.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::read::Reader;
use super::schema::open_for_reading;
use crate::store::StoreError;

/// Readers that are idle. Their number is bounded; the number of readers in use is not, or a thread with
/// two views would wait for itself.
pub(super) struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
    /// How many sweeps this process has made: what a reader remembers from before may be gone.
    sweeps: AtomicU64,
}

impl Pool {
    /// Makes a pool with one reader, which shows that the file can be read.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let first = Reader::new(open_for_reading(path)?);
        Ok(Self { path: path.to_owned(), idle: Mutex::new(vec![first]), sweeps: AtomicU64::new(0) })
    }

    /// Takes a reader out of the pool, or opens one more.
    pub(super) fn take(&self) -> Result<Reader, StoreError> {
        let sweeps = self.sweeps.load(Ordering::Relaxed);
        let idle = self.idle().pop();
        // A file that was opened as one that never changes is opened again once it has changed.
        let idle =
            idle.filter(|reader| !reader.frozen.as_ref().is_some_and(|file| file.has_changed()));
        let mut reader = match idle {
            Some(reader) => reader,
            None => Reader::new(open_for_reading(&self.path)?),
        };
        reader.renew(sweeps);
        Ok(reader)
    }

    /// Puts a reader back that is in no transaction.
    pub(super) fn put_back(&self, reader: Reader) {
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE {
            idle.push(reader);
        }
    }

    /// Runs one read with a reader of its own.
    pub(super) fn with<T>(&self, read: impl Fn(&mut Reader) -> T) -> Result<T, StoreError> {
        for _ in 0..MAX_TRIES {
            let mut reader = self.take()?;
            let answer = read(&mut reader);
            // What was read of a file that has changed meanwhile may be anything.
            if !reader.frozen.as_ref().is_some_and(|file| file.has_changed()) {
                self.put_back(reader);
                return Ok(answer);
            }
        }
        Err(StoreError::Changed)
    }

    /// Notes that blocks were deleted, or replaced.
    pub(super) fn note_sweep(&self) {
        self.sweeps.fetch_add(1, Ordering::Relaxed);
    }

    /// Closes the idle readers: an open file stands in the way of some work.
    pub(super) fn close_idle(&self) {
        self.idle().clear();
    }

    #[cfg(test)]
    pub(super) fn idle_count(&self) -> usize {
        self.idle().len()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many readers are kept for the next read. Each has a page cache of up to 8 MiB.
const MAX_IDLE: usize = 8;

/// How often a file is read again that another machine keeps changing.
const MAX_TRIES: usize = 3;
