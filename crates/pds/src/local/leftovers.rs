//! Removing what interrupted runs and repairs have left.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::local::layout::{QUARANTINE_DIRECTORY, REPAIR_PREFIX, STAGING_PREFIX};
use crate::local::locks::Places;

/// Removes what an interrupted run left in the directory of a repository while it was made or repaired, and
/// what repairs have put into quarantine: it may hold records, or a key. Where the database is a link, what
/// repairs have left beside the file that it leads to goes, too.
///
/// A repair that is at work is waited for, five seconds long.
///
/// ```
/// let dir = tempfile::tempdir()?;
/// let left = dir.path().join(".pds-new-x");
/// std::fs::create_dir(&left)?;
/// pds::local::leftovers::clear_leftovers(dir.path())?;
/// assert!(!left.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Io`] when the directory cannot be read, or something in it not removed; [`Error::Store`] when a
/// repair is still at work.
pub fn clear_leftovers(dir: &Path) -> Result<()> {
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
