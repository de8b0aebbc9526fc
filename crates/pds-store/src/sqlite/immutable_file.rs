//! Files that this process cannot lock, which SQLite reads as immutable.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The state of a file when it was opened with `immutable=1`: SQLite then takes no locks and
/// assumes that the file never changes. Another machine may write the file nevertheless, so a
/// reader compares the state before and after each read.
pub(crate) struct Frozen {
    path: PathBuf,
    was: (u64, SystemTime),
}

impl Frozen {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), was: stamp(path)? })
    }

    /// Returns whether the file was written, or has a WAL.
    pub(crate) fn has_changed(&self) -> bool {
        !has_no_wal(&self.path) || stamp(&self.path).map_or(true, |now| now != self.was)
    }
}

/// Returns whether a file has no WAL. If the path is a symbolic link, SQLite keeps the WAL next to
/// its target.
pub(crate) fn has_no_wal(path: &Path) -> bool {
    let file = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut wal = file.into_os_string();
    wal.push("-wal");
    std::fs::metadata(wal).map_or(true, |file| file.len() == 0)
}

fn stamp(path: &Path) -> io::Result<(u64, SystemTime)> {
    let file = path.metadata()?;
    Ok((file.len(), file.modified()?))
}
