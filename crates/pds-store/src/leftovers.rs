//! The removal of unfinished entries whose process was killed.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::entry_lock::{Judged, judge};

/// The unfinished entries of a directory, and what became of them.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Entries that no process held, in order. They were removed.
    pub removed: Vec<PathBuf>,
    /// Entries that a living process holds. They stay.
    pub in_use: Vec<PathBuf>,
    /// Entries that cannot be judged or removed, with the reason: they belong to another user, for example, or the file
    /// system has no locks. A directory that cannot be read is listed here, too.
    pub failed: Vec<(PathBuf, io::Error)>,
}

impl Leftovers {
    /// Adds the entries of another directory.
    pub fn extend(&mut self, other: Self) {
        self.removed.extend(other.removed);
        self.in_use.extend(other.in_use);
        self.failed.extend(other.failed);
    }

    /// Returns the lock of an entry that no process holds, and lists any other entry.
    fn lock_free(&mut self, path: &Path) -> Option<File> {
        match judge(path) {
            Ok(Judged::Free(lock)) => return Some(lock),
            Ok(Judged::InUse) => self.in_use.push(path.to_owned()),
            Ok(Judged::Absent) => {}
            Err(error) => self.failed.push((path.to_owned(), error)),
        }
        None
    }
}

/// Removes the entries of a directory that have a name of unfinished work and that no process holds.
///
/// An entry that cannot be removed does not keep others from being removed. A directory that does not exist has no
/// entries.
///
/// A process locks its entry just after it has created it. So an entry that no process holds is judged again, after
/// a fifth of a second.
#[must_use = "an entry that cannot be removed is in the result"]
pub fn remove_leftovers(dir: impl AsRef<Path>, is_one: impl Fn(&str) -> bool) -> Leftovers {
    let (free, mut found) = find_free(dir.as_ref(), is_one);
    if !free.is_empty() {
        std::thread::sleep(SECOND_LOOK);
    }
    remove_free(free, &mut found);
    found
}

/// Finds the unfinished entries of a directory. Returns those that no process holds, and the others.
pub(crate) fn find_free(dir: &Path, is_one: impl Fn(&str) -> bool) -> (Vec<PathBuf>, Leftovers) {
    let mut others = Leftovers::default();
    let dir = if dir == Path::new("") { Path::new(".") } else { dir };
    let path = |entry: io::Result<DirEntry>| entry.map(|entry| entry.path());
    let paths = fs::read_dir(dir).and_then(|entries| entries.map(path).collect());
    let mut free: Vec<PathBuf> = paths.unwrap_or_else(|error| {
        if error.kind() != io::ErrorKind::NotFound {
            others.failed.push((dir.to_owned(), error));
        }
        Vec::new()
    });
    free.retain(|path| {
        let is_named = path.file_name().and_then(OsStr::to_str).is_some_and(&is_one);
        is_named && others.lock_free(path).is_some()
    });
    free.sort();
    (free, others)
}

/// Removes those of some entries that no process holds yet.
pub(crate) fn remove_free(free: Vec<PathBuf>, found: &mut Leftovers) {
    for path in free {
        let Some(_lock) = found.lock_free(&path) else { continue };
        match remove(&path) {
            Ok(()) => found.removed.push(path),
            Err(error) => found.failed.push((path, error)),
        }
    }
}

/// Removes a file or a directory. An absent one is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let removed = path.symlink_metadata().and_then(|entry| match entry.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    });
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// How long an entry without a lock stays, because its process may be about to lock it.
const SECOND_LOOK: Duration = Duration::from_millis(200);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_entry_is_removed_and_one_that_cannot_be_reached_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "bytes").unwrap();
        remove(&dir.path().join("absent")).unwrap();
        assert_eq!(remove(&file.join("below")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        remove(&file).unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn the_entries_of_two_directories_are_listed_together() {
        let of = |name: &str| Leftovers {
            removed: vec![name.into()],
            in_use: vec![name.into(), "used".into()],
            failed: vec![(name.into(), io::ErrorKind::NotFound.into())],
        };
        let mut all = of("a");
        all.extend(of("b"));
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(all.removed, paths(&["a", "b"]));
        assert_eq!(all.in_use, paths(&["a", "used", "b", "used"]));
        assert_eq!(all.failed.len(), 2);
    }
}
