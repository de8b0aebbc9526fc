//! The removal of files that interrupted runs and repairs have left behind.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::local::key_file::UNFINISHED_PREFIX;
use crate::local::layout::{
    BLOB_DIRECTORY, QUARANTINE_DIRECTORY, REPAIR_PREFIX, STAGING_PREFIX, STORE_FILE,
};
use crate::local::locks::Places;
use pds_store::blob::directory::INCOMING;
use pds_store::unfinished::remove_leftovers;

/// Removes what killed processes have left in the directory of a repository: staging directories, temporary files
/// and uploads of blobs. Returns their paths.
///
/// Whatever a living process holds stays. If the database is a symbolic link, the directory of its target is searched
/// as well.
///
/// # Errors
///
/// [`Error::Io`] if a directory cannot be read or a file cannot be removed.
pub fn remove_unfinished(dir: &Path) -> Result<Vec<PathBuf>> {
    let is_key = |name: &str| name.starts_with(UNFINISHED_PREFIX) && name.ends_with(".tmp");
    let is_own = |name: &str| name.starts_with(STAGING_PREFIX) || is_repair(name) || is_key(name);
    let mut removed = remove_leftovers(dir, is_own).map_err(Error::io(dir))?;
    let blobs = dir.join(BLOB_DIRECTORY);
    let uploads = remove_leftovers(&blobs, |name| name.starts_with(INCOMING));
    removed.extend(uploads.map_err(Error::io(&blobs))?);
    let store = dir.join(STORE_FILE);
    let is_link = store.symlink_metadata().is_ok_and(|store| store.is_symlink());
    if is_link
        && let Ok(target) = fs::canonicalize(&store)
        && let Some(elsewhere) = target.parent()
    {
        removed.extend(remove_leftovers(elsewhere, is_repair).map_err(Error::io(elsewhere))?);
    }
    Ok(removed)
}

/// Removes the staging directories of interrupted runs and the quarantine from the directory of a repository.
/// They may contain records or a key. If the database is a symbolic link, the directory of its target is
/// cleared as well.
///
/// Waits up to five seconds for a running repair.
///
/// # Errors
///
/// [`Error::Io`] if the directory cannot be read or a file cannot be removed; [`Error::Store`] if a repair is
/// still running.
pub fn clear_leftovers(dir: impl AsRef<Path>) -> Result<()> {
    let dir = dir.as_ref();
    let places = Places::locked(dir)?;
    remove_unfinished(&places.own)?;
    let quarantine = places.own.join(QUARANTINE_DIRECTORY);
    if quarantine.symlink_metadata().is_ok() {
        fs::remove_dir_all(&quarantine).map_err(Error::io(&quarantine))?;
    }
    Ok(())
}

fn is_repair(name: &str) -> bool {
    name.starts_with(REPAIR_PREFIX)
}
