//! A file that this process may not write, read as if nobody did.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::schema::has_no_wal;

/// What a file was like when SQLite was told that it does not change: it takes no locks then, and never looks
/// again. Somebody else may be able to write all the same, so this is asked before each read.
pub(super) struct Frozen {
    pub(super) path: PathBuf,
    was: (u64, SystemTime),
}

impl Frozen {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), was: stamp(path)? })
    }

    /// Tells whether somebody has written it, or is about to.
    pub(super) fn has_changed(&self) -> bool {
        !has_no_wal(&self.path) || stamp(&self.path).map_or(true, |now| now != self.was)
    }
}

fn stamp(path: &Path) -> io::Result<(u64, SystemTime)> {
    let file = path.metadata()?;
    Ok((file.len(), file.modified()?))
}
