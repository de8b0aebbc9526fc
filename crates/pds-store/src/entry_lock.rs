//! Locks on unfinished entries: whether a process holds one, and how it takes one.

use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::path::Path;

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
pub(crate) struct Held(pub(crate) Option<File>);

impl Held {
    /// Locks a new file or directory. Returns `None` if another process holds or has removed it.
    pub(crate) fn of(path: &Path, claim: Claim) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => return Ok(Some(Self(None))),
        };
        Ok(match lock(&file, claim) {
            Err(_) => Some(Self(None)),
            Ok(false) => None,
            Ok(true) => names(path, &file).then_some(Self(Some(file))),
        })
    }
}

/// Whether an entry has an owner.
pub(crate) enum Judged {
    /// No process holds the entry. It is locked until the file is dropped.
    Free(File),
    /// A living process holds the entry.
    InUse,
    /// The entry was removed, or is neither a file nor a directory: no unfinished work.
    Absent,
}

/// Tells whether a process holds an entry.
///
/// # Errors
///
/// The error of the operating system if the entry cannot be opened or locked.
pub(crate) fn judge(path: &Path) -> io::Result<Judged> {
    let is_absent = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let kind = match path.symlink_metadata() {
        Err(error) if is_absent(&error) => return Ok(Judged::Absent),
        found => found?,
    };
    // Opening a FIFO would wait, and a link would lead elsewhere.
    if !(kind.is_file() || kind.is_dir()) {
        return Ok(Judged::Absent);
    }
    let file = match File::open(path) {
        Err(error) if is_absent(&error) => return Ok(Judged::Absent),
        opened => opened?,
    };
    Ok(match lock(&file, Claim::Try)? {
        false => Judged::InUse,
        true if names(path, &file) => Judged::Free(file),
        true => Judged::Absent,
    })
}

/// Takes a lock, and tells whether that succeeded. It is an error if the file system has no locks.
pub(crate) fn lock(file: &File, claim: Claim) -> io::Result<bool> {
    loop {
        let taken = match claim {
            Claim::Wait => file.lock().map_err(TryLockError::Error),
            Claim::Try => file.try_lock(),
            Claim::Share => file.try_lock_shared(),
        };
        match taken {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => return Err(error),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_absent_entry_differs_from_one_that_cannot_be_opened() {
        let dir = tempfile::tempdir().unwrap();
        let [absent, file] = ["absent", "file"].map(|name| dir.path().join(name));
        fs::write(&file, "bytes").unwrap();
        let below = file.join("below");
        assert!(Held::of(&absent, Claim::Try).unwrap().is_none());
        assert!(Held::of(&below, Claim::Try).unwrap().unwrap().0.is_none());
        assert!(matches!(judge(&absent), Ok(Judged::Absent)));
        assert_eq!(judge(&below).err().unwrap().kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    #[cfg(unix)]
    fn a_path_that_names_another_file_by_now_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let [old, new] = [(); 2].map(|()| {
            let _ = fs::remove_file(&path);
            File::create(&path).unwrap()
        });
        assert!(names(&path, &new) && !names(&path, &old));
    }

    /// A file that is only a name cannot be locked, like any file of a file system without locks.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_lock_that_fails_is_not_tried_again() {
        use std::os::unix::fs::OpenOptionsExt;

        const O_PATH: i32 = 0x20_0000;
        let dir = tempfile::tempdir().unwrap();
        let file = File::options().read(true).custom_flags(O_PATH).open(dir.path()).unwrap();
        for claim in [Claim::Wait, Claim::Try, Claim::Share] {
            assert!(lock(&file, claim).is_err());
        }
    }
}
