//! Files that this process cannot lock, opened as files that never change.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::schema::has_no_wal;

/// The state of a file when SQLite was told that it never changes: SQLite takes no locks then, and never
/// looks again. Another machine may write the file all the same, so a reader compares the state before
/// and after each read.
pub(super) struct Frozen {
    path: PathBuf,
    was: (u64, SystemTime),
}

impl Frozen {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), was: stamp(path)? })
    }

    /// Tells whether the file has been written, or has a WAL.
    pub(super) fn has_changed(&self) -> bool {
        !has_no_wal(&self.path) || stamp(&self.path).map_or(true, |now| now != self.was)
    }
}

fn stamp(path: &Path) -> io::Result<(u64, SystemTime)> {
    let file = path.metadata()?;
    Ok((file.len(), file.modified()?))
}
