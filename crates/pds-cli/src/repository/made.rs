//! A new repository whose command fails after it is in place.

use std::path::Path;

use pds::local::open::is_repository;

use crate::process::output::Output;

/// The directory in which a command creates a repository.
pub(crate) struct Made<'a> {
    dir: &'a Path,
    was_there: bool,
}

impl<'a> Made<'a> {
    pub(crate) fn at(dir: &'a Path) -> Self {
        Self { dir, was_there: is_there(dir) }
    }

    /// Records that the repository is in place, if it is: the error then says so.
    pub(crate) fn note(&self, out: &mut Output) {
        if !self.was_there && is_there(self.dir) {
            out.has_done();
        }
    }
}

/// A directory that cannot be read has no new repository.
fn is_there(dir: &Path) -> bool {
    is_repository(dir).unwrap_or(false)
}
