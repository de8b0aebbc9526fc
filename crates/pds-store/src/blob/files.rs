//! Operations on the files of a blob directory: locks, the age of a file, its type.

use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use crate::blob::hashing::Verifying;
use pds_core::data::cid::Cid;

/// The state of a file after an attempt to make it young.
pub(crate) enum Touched {
    /// The file counts as written now.
    Young(Metadata),
    /// This process may not change the age of the file.
    Unchanged(Metadata),
    /// The file does not exist.
    Absent,
}

/// Opens a regular file. Any other file is an error: opening a FIFO would wait for a writer, and
/// opening a device may have any effect.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let check = |file: Metadata| match file.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    };
    check(fs::metadata(path)?)?;
    let file = File::open(path)?;
    // The metadata is that of the open file: the path may name another file by now.
    check(file.metadata()?)?;
    Ok(file)
}

/// Sets the age of a file to zero, as if it were written now.
pub(crate) fn touch(path: &Path) -> io::Result<Touched> {
    let file = match open(path) {
        Err(error) if is_absent(&error) => return Ok(Touched::Absent),
        file => file?,
    };
    let is_young = match file.set_modified(SystemTime::now()) {
        Err(error) if CANNOT_CHANGE.contains(&error.kind()) => false,
        changed => changed.map(|()| true)?,
    };
    // The file may have been deleted after it was opened: its age can be changed even then.
    match fs::metadata(path) {
        Ok(file) if is_young => Ok(Touched::Young(file)),
        Ok(file) => Ok(Touched::Unchanged(file)),
        Err(error) if is_absent(&error) => Ok(Touched::Absent),
        Err(error) => Err(error),
    }
}

/// Returns whether the bytes of a file match a CID.
pub(crate) fn is_whole(path: &Path, cid: &Cid) -> bool {
    let Ok(file) = open(path) else { return false };
    io::copy(&mut Verifying::new(file, *cid), &mut io::sink()).is_ok()
}

/// Deletes a file and returns whether it existed.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Err(error) if is_absent(&error) => Ok(false),
        removed => removed.map(|()| true),
    }
}

/// Keeps sweeps from deleting blobs until the returned lock is dropped.
///
/// On a file system without locks the result is `None`, and sweeps by age fail.
pub(crate) fn lock_shared(directory: &Path) -> io::Result<Option<File>> {
    let directory = File::open(directory)?;
    Ok(retrying(|| directory.lock_shared()).is_ok().then_some(directory))
}

/// Keeps other processes and threads from storing and renewing blobs until the returned lock is
/// dropped.
pub(crate) fn lock(directory: &Path) -> io::Result<File> {
    let directory = File::open(directory)?;
    retrying(|| directory.lock()).map_err(|source| {
        let message = format!(
            "the directory cannot be locked ({source}): run this on a machine where it is on a local disk"
        );
        io::Error::new(source.kind(), message)
    })?;
    Ok(directory)
}

/// Returns whether the file of an upload is in use.
pub(crate) fn is_locked(path: &Path) -> bool {
    open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Takes a lock and repeats the call if a signal interrupts it.
fn retrying(take: impl Fn() -> io::Result<()>) -> io::Result<()> {
    #[cfg(test)]
    if HAS_NO_LOCKS.get() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    loop {
        match take() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            taken => return taken,
        }
    }
}

pub(crate) fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// Makes a rename, a new entry or a deletion in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

const CANNOT_CHANGE: [io::ErrorKind; 2] =
    [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];

#[cfg(test)]
thread_local! {
    /// Set by a test: this thread works on a file system without locks.
    pub(crate) static HAS_NO_LOCKS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_file_differs_from_one_that_cannot_be_changed() {
        let dir = tempfile::tempdir().unwrap();
        let absent = dir.path().join("absent");
        assert!(matches!(touch(&absent), Ok(Touched::Absent)));
        assert!(!remove(&absent).unwrap());
        assert!(touch(dir.path()).is_err() && remove(dir.path()).is_err());
    }

    #[test]
    fn only_an_interrupted_lock_is_tried_again() {
        for (second, expected) in
            [(Ok(()), None), (Err(io::ErrorKind::Other), Some(io::ErrorKind::Other))]
        {
            let results = std::cell::RefCell::new(vec![second, Err(io::ErrorKind::Interrupted)]);
            let take = || results.borrow_mut().pop().unwrap().map_err(io::Error::from);
            assert_eq!(retrying(take).err().map(|error| error.kind()), expected);
            assert!(results.borrow().is_empty());
        }
    }

    #[test]
    fn the_parent_of_a_name_is_the_present_directory() {
        assert_eq!(
            [parent(Path::new("a/b")), parent(Path::new("a"))],
            [Path::new("a"), Path::new(".")]
        );
    }
}
