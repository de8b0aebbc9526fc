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

/// The lock of a directory that other processes make, lock and remove.
#[derive(Debug)]
pub enum DirectoryLock {
    /// This process holds it until the file is dropped.
    Held(File),
    /// Another process holds it.
    InUse,
    /// The directory does not exist, or was replaced meanwhile.
    Gone,
}

impl DirectoryLock {
    /// Tries to lock a directory.
    ///
    /// # Errors
    ///
    /// The error of the operating system if the directory cannot be opened or locked.
    pub fn take(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let lock = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Gone),
            lock => lock?,
        };
        match lock.try_lock() {
            Ok(()) if is_at(&lock, path) => Ok(Self::Held(lock)),
            Ok(()) => Ok(Self::Gone),
            Err(TryLockError::WouldBlock) => Ok(Self::InUse),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Returns whether a directory still has its name.
#[cfg(unix)]
fn is_at(dir: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |about: fs::Metadata| (about.dev(), about.ino());
    let [one, other] = [dir.metadata(), path.symlink_metadata()].map(|about| about.map(place).ok());
    one.is_some() && one == other
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.is_dir()
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_belongs_to_the_directory_with_the_name() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("fetch");
        let take = || DirectoryLock::take(&path).unwrap();
        assert!(matches!(take(), DirectoryLock::Gone));
        fs::create_dir(&path).unwrap();
        let DirectoryLock::Held(old) = take() else { panic!("it is free") };
        assert!(matches!(take(), DirectoryLock::InUse));
        assert!(is_at(&old, &path));
        fs::rename(&path, home.path().join("old")).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(!is_at(&old, &path));
        assert!(matches!(take(), DirectoryLock::Held(_)));
    }
}
