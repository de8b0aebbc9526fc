//! A pool of connections that read. Each is used by one reader at a time, so reads do not wait for
//! each other.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::StoreError;
use crate::sqlite::reader::Reader;
use crate::sqlite::schema::open_for_reading;

/// The idle readers. Their number is limited. The number of readers in use is not: otherwise a
/// thread with two views would wait for itself.
pub(crate) struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
    /// The number of sweeps by this process. The caches of a reader from before a sweep may be
    /// invalid.
    sweeps: AtomicU64,
}

impl Pool {
    /// Opens a pool with one reader, which proves that the file can be read.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let first = Reader::new(open_for_reading(path)?);
        Ok(Self { path: path.to_owned(), idle: Mutex::new(vec![first]), sweeps: AtomicU64::new(0) })
    }

    /// Takes a reader from the pool, or opens another one.
    pub(crate) fn take(&self) -> Result<Reader, StoreError> {
        let sweeps = self.sweeps.load(Ordering::Relaxed);
        let idle = self.idle().pop();
        // A file that was opened as immutable is opened again after it has changed.
        let idle =
            idle.filter(|reader| !reader.frozen.as_ref().is_some_and(|file| file.has_changed()));
        let mut reader = match idle {
            Some(reader) => reader,
            None => Reader::new(open_for_reading(&self.path)?),
        };
        reader.renew(sweeps);
        Ok(reader)
    }

    /// Returns a reader to the pool. It is in no transaction.
    pub(crate) fn put_back(&self, reader: Reader) {
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE {
            idle.push(reader);
        }
    }

    /// Runs one read with its own reader.
    pub(crate) fn with<T>(&self, read: impl Fn(&mut Reader) -> T) -> Result<T, StoreError> {
        for _ in 0..MAX_TRIES {
            let mut reader = self.take()?;
            let answer = read(&mut reader);
            // A result from a file that changed during the read is unreliable.
            if !reader.frozen.as_ref().is_some_and(|file| file.has_changed()) {
                self.put_back(reader);
                return Ok(answer);
            }
        }
        Err(StoreError::Changed)
    }

    /// Records that blocks were deleted or replaced.
    pub(crate) fn note_sweep(&self) {
        self.sweeps.fetch_add(1, Ordering::Relaxed);
    }

    /// Closes the idle readers, because open files block some operations.
    pub(crate) fn close_idle(&self) {
        self.idle().clear();
    }

    #[cfg(test)]
    pub(crate) fn idle_count(&self) -> usize {
        self.idle().len()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of idle readers. Each has a page cache of up to 8 MiB.
const MAX_IDLE: usize = 8;

/// The number of times that a read is repeated if another machine keeps changing the file.
const MAX_TRIES: usize = 3;
