//! Locks on the directories of a repository, and syncs of them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::local::layout::STORE_FILE;
use pds_store::error::StoreError;

/// The directories with the files of a repository, locked until this is dropped. The lock keeps other processes
/// from repairing the repository, clearing it or changing its key.
#[derive(Debug)]
pub struct Places {
    /// The directory of the repository.
    pub own: PathBuf,
    /// The directory of the database. It differs from `own` if `pds.db` is a symbolic link.
    pub database: PathBuf,
    _locks: Vec<File>,
}

impl Places {
    /// Locks the directories of a repository.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a directory cannot be opened, [`StoreError::Busy`] if another process holds the lock.
    pub fn locked(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        let own = fs::canonicalize(dir).map_err(Error::io(dir))?;
        // The database may be missing.
        let file = fs::canonicalize(own.join(STORE_FILE)).ok();
        let database = file.as_deref().and_then(Path::parent).unwrap_or(&own).to_owned();
        let mut locks = vec![lock(&own)?];
        if database != own {
            locks.push(lock(&database)?);
        }
        Ok(Self { own, database, _locks: locks })
    }
}

/// Locks a directory. Waits up to five seconds for another process that repairs the repository or changes its
/// key.
///
/// # Errors
///
/// [`Error::Io`] if the directory cannot be opened, [`StoreError::Busy`] if another process holds the lock.
pub fn lock(dir: impl AsRef<Path>) -> Result<File> {
    let dir = dir.as_ref();
    let lock = File::open(dir).map_err(Error::io(dir))?;
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy.into()),
            Err(TryLockError::Error(error)) => return Err(Error::io(dir)(error)),
        }
    }
}

/// Makes the entries of a directory durable.
///
/// # Errors
///
/// [`Error::Io`].
pub fn sync(dir: impl AsRef<Path>) -> Result<()> {
    let dir = dir.as_ref();
    let synced: io::Result<()> = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(Error::io(dir))
}

/// How long to wait for a lock; far longer than a commit takes.
const PATIENCE: Duration = Duration::from_secs(5);
