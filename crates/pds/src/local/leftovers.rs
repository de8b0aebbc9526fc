//! The removal of files that interrupted runs and repairs have left behind.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::local::layout::{QUARANTINE_DIRECTORY, REPAIR_PREFIX, STAGING_PREFIX};
use crate::local::locks::Places;

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
    let is_quarantine = |name: &[u8]| name == QUARANTINE_DIRECTORY.as_bytes();
    let is_new = |name: &[u8]| name.starts_with(STAGING_PREFIX.as_bytes());
    remove_from(&places.own, &|name| {
        is_left_by_repair(name) || is_new(name) || is_quarantine(name)
    })?;
    if places.database != places.own {
        remove_from(&places.database, &is_left_by_repair)?;
    }
    Ok(())
}

fn is_left_by_repair(name: &[u8]) -> bool {
    name.starts_with(REPAIR_PREFIX.as_bytes())
}

fn remove_from(dir: &Path, goes: &dyn Fn(&[u8]) -> bool) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(Error::io(dir))? {
        let path = entry.map_err(Error::io(dir))?.path();
        if goes(path.file_name().unwrap_or_default().as_encoded_bytes()) {
            fs::remove_dir_all(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}
