//! Locks on unfinished entries: whether a process holds one, and how it takes one.

use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::path::Path;

/// Tells whether no process holds an entry.
pub(crate) fn is_free(path: &Path) -> bool {
    matches!(Held::of(path, Claim::Try), Ok(Some(Held(Some(_)))))
}

/// How an entry is locked.
#[derive(Clone, Copy)]
pub(crate) enum Claim {
    /// Waits for a process that looks whether the entry is free.
    Wait,
    /// Fails if another process holds the entry.
    Try,
    /// Fails as well, unless the other process shares its lock.
    Share,
}

/// An entry that this process has locked. `None` inside: the file system has no locks.
pub(crate) struct Held(pub(super) Option<File>);

impl Held {
    /// Locks a file or a directory. Returns `None` if another process holds or has removed it.
    pub(crate) fn of(path: &Path, claim: Claim) -> io::Result<Option<Self>> {
        let kind = match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        // Opening a FIFO would wait, and a link would lead elsewhere.
        if !(kind.is_file() || kind.is_dir()) {
            return Ok(Some(Self(None)));
        }
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => return Ok(Some(Self(None))),
        };
        Ok(match lock(&file, claim) {
            None => Some(Self(None)),
            Some(false) => None,
            Some(true) => names(path, &file).then_some(Self(Some(file))),
        })
    }
}

/// Takes a lock, and tells whether that succeeded; `None` if the file system has no locks.
pub(crate) fn lock(file: &File, claim: Claim) -> Option<bool> {
    loop {
        let taken = match claim {
            Claim::Wait => file.lock().map_err(TryLockError::Error),
            Claim::Try => file.try_lock(),
            Claim::Share => file.try_lock_shared(),
        };
        match taken {
            Ok(()) => return Some(true),
            Err(TryLockError::WouldBlock) => return Some(false),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(_)) => return None,
        }
    }
}

/// Tells whether a path still names an open file: before the lock was taken, it may have been removed.
pub(crate) fn names(path: &Path, file: &File) -> bool {
    let found = (path.symlink_metadata(), file.metadata());
    matches!(found, (Ok(named), Ok(open)) if is_same(&named, &open))
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}
