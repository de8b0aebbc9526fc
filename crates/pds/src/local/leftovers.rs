//! The removal of the unfinished work of interrupted runs and repairs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::local::key_file::is_unfinished;
use crate::local::layout::{
    BLOB_DIRECTORY, EVIDENCE_DIRECTORY, FETCH_DIRECTORY, IDENTITY_DIRECTORY, QUARANTINE_DIRECTORY,
    REPAIR_PREFIX, STAGING_PREFIX, STORE_FILE, is_fetch_file,
};
use crate::local::locks::{DirectoryLock, Places};
use pds_store::blob::directory::BlobDirectory;
use pds_store::leftovers::{Leftovers, remove_leftovers};

/// Removes the unfinished work of killed processes from the directory of a repository: staging directories, temporary
/// files and uploads of blobs.
///
/// Entries of a living process stay. If the database is a symbolic link, the directory of its target is searched as
/// well.
#[must_use = "an entry that cannot be removed is in the result"]
pub fn remove_unfinished(dir: impl AsRef<Path>) -> Leftovers {
    let dir = dir.as_ref();
    let is_own =
        |name: &str| name.starts_with(STAGING_PREFIX) || is_repair(name) || is_unfinished(name);
    let mut found = remove_leftovers(dir, is_own);
    for name in [IDENTITY_DIRECTORY, EVIDENCE_DIRECTORY] {
        let below = dir.join(name);
        // The target of a link belongs to others.
        if below.symlink_metadata().is_ok_and(|below| below.is_dir()) {
            found.extend(remove_leftovers(below, |name| name.starts_with(STAGING_PREFIX)));
        }
    }
    found.extend(blobs_of(dir).remove_leftovers());
    let store = dir.join(STORE_FILE);
    let is_link = store.symlink_metadata().is_ok_and(|store| store.is_symlink());
    if is_link
        && let Ok(target) = fs::canonicalize(&store)
        && let Some(elsewhere) = target.parent()
    {
        found.extend(remove_leftovers(elsewhere, is_repair));
    }
    found
}

/// Lists the uploads of blobs to a repository that are under way, or that killed processes have left.
///
/// # Errors
///
/// [`Error::Blob`] if the directory of the blobs cannot be read.
pub fn unfinished_uploads(dir: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    Ok(blobs_of(dir.as_ref()).uploads()?)
}

/// Removes the staging directories of interrupted runs, the files of an interrupted fetch and the quarantine from the
/// directory of a repository. They may contain records or a key. A fetch at work removes its files itself. If the
/// database is a symbolic link, the directory of its target is cleared as well.
///
/// Waits up to five seconds for a running repair.
///
/// # Errors
///
/// [`Error::Io`] if an entry cannot be judged or removed, which does not keep others from being removed;
/// [`Error::Store`] if a repair is still running.
pub fn clear_leftovers(dir: impl AsRef<Path>) -> Result<()> {
    let dir = dir.as_ref();
    let places = Places::locked(dir)?;
    let found = remove_unfinished(&places.own);
    let quarantine = places.own.join(QUARANTINE_DIRECTORY);
    if quarantine.symlink_metadata().is_ok() {
        fs::remove_dir_all(&quarantine).map_err(Error::io(&quarantine))?;
    }
    remove_fetch(&places.own)?;
    match found.failed.into_iter().next() {
        Some((path, source)) => Err(Error::Io { path, source }),
        None => Ok(()),
    }
}

/// Removes the files of a fetch, unless it is at work: it then holds the lock on its directory.
fn remove_fetch(dir: &Path) -> Result<()> {
    let fetch = dir.join(FETCH_DIRECTORY);
    if !fetch.symlink_metadata().is_ok_and(|fetch| fetch.is_dir()) {
        return Ok(());
    }
    match DirectoryLock::take(&fetch).map_err(Error::io(&fetch))? {
        DirectoryLock::Held(_lock) => remove_fetch_files(&fetch).map_err(Error::io(&fetch)),
        DirectoryLock::InUse | DirectoryLock::Gone => Ok(()),
    }
}

/// Removes the files of a fetch, and the directory if nothing else is in it.
fn remove_fetch_files(fetch: &Path) -> io::Result<()> {
    for entry in fs::read_dir(fetch)? {
        let entry = entry?;
        let is_own = entry.file_name().to_str().is_some_and(is_fetch_file);
        if is_own && !entry.file_type()?.is_dir() {
            fs::remove_file(entry.path())?;
        }
    }
    match fs::remove_dir(fetch) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => removed,
    }
}

fn blobs_of(dir: &Path) -> BlobDirectory {
    BlobDirectory::new(dir.join(BLOB_DIRECTORY))
}

fn is_repair(name: &str) -> bool {
    name.starts_with(REPAIR_PREFIX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_files_below_are_removed() {
        let home = tempfile::tempdir().unwrap();
        let mut left = Vec::new();
        for name in [IDENTITY_DIRECTORY, EVIDENCE_DIRECTORY] {
            let dir = home.path().join(name);
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("kept.json"), "{}").unwrap();
            left.push(dir.join(".pds-new-1"));
            fs::write(dir.join(".pds-new-1"), "{").unwrap();
        }
        let found = remove_unfinished(home.path());
        assert_eq!((found.removed, found.failed.len()), (left, 0));
        assert!(home.path().join("identity/kept.json").exists());
    }
}
