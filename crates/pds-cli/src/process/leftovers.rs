//! The unfinished work of earlier runs that were killed: it is named and removed by the next run that writes there.

use std::io;
use std::path::{Path, PathBuf};

use pds::local::key_file::remove_unfinished_keys;
use pds::local::layout::STAGING_PREFIX;
use pds::local::leftovers::remove_unfinished;
use pds::unfinished::{Leftovers, remove_leftovers};

use crate::process::text::say;

/// Removes unfinished work from the directory of a repository that is about to be changed. Files of a living process
/// stay.
pub(crate) fn clear_repository(dir: &Path) {
    report(&remove_unfinished(dir));
    clear_from(dir, &[UNFINISHED]);
}

/// Removes unfinished work from the place where a new directory of a repository is about to be made. If the directory
/// exists, an earlier run worked in it, and [`clear_repository`] follows when the new run is complete.
pub(crate) fn clear_beside(dir: &Path) {
    if let (false, Some(parent)) = (dir.exists(), dir.parent()) {
        clear_from(parent, &[STAGING_PREFIX]);
    }
}

/// Removes unfinished work with some prefixes from a directory that is about to be written to.
pub(crate) fn clear_from(dir: &Path, prefixes: &[&str]) {
    let is_one = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    report(&remove_leftovers(dir, is_one));
}

/// Removes unfinished key files from the place where a new one is about to be written. Those of other users stay.
pub(crate) fn clear_keys(dir: &Path) {
    name(&remove_unfinished_keys(dir).removed);
}

/// Names the entries that were removed, and those that cannot be removed.
pub(crate) fn report(found: &Leftovers) {
    name(&found.removed);
    for (path, error) in &found.failed {
        // The operation that follows reports what is wrong with the directory.
        if error.kind() != io::ErrorKind::NotADirectory {
            let path = path.display();
            say(&format!("the unfinished work of an earlier run may be left in {path}: {error}"));
        }
    }
}

fn name(removed: &[PathBuf]) {
    for path in removed {
        say(&format!("removed the unfinished work of an earlier run: {}", path.display()));
    }
}

/// The prefix of the names of files that are not complete yet. If the process is killed, such a file stays.
pub(crate) const UNFINISHED: &str = ".pds-export-";
