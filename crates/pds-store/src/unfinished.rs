//! Files and directories that an operation has not completed yet: temporary, locked, and removed unless published.
//!
//! A process that is killed leaves such an entry behind. Its lock ends with the process, so another process can tell
//! an entry that is in use from a leftover: see [`remove_leftovers`].
//!
//! A process that is about to end because of a signal calls [`remove_all`]. For this the module keeps a list of the
//! entries of this process, the only global state of the library.
//!
//! ```
//! use pds::unfinished::{UnfinishedDir, remove_leftovers};
//!
//! let dir = tempfile::tempdir()?;
//! let work = UnfinishedDir::create_in(&dir, ".work-")?;
//! std::fs::write(work.path().join("part"), "one")?;
//! // Work that is in use is no leftover.
//! let found = remove_leftovers(&dir, |name| name.starts_with(".work-"));
//! assert_eq!(found.in_use, [work.path()]);
//! work.publish(dir.path().join("done"))?;
//! assert_eq!(std::fs::read(dir.path().join("done/part"))?, b"one");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::{Builder, NamedTempFile};

use crate::entry_lock::{Claim, Held, lock, names};
use crate::leftovers::{Leftovers, remove, remove_leftovers};

/// A new directory that is removed when it is dropped, unless it was published.
#[derive(Debug)]
pub struct UnfinishedDir {
    path: PathBuf,
    /// `None` after publication, and on a file system without locks.
    lock: Option<File>,
    is_published: bool,
}

impl UnfinishedDir {
    /// Creates a directory whose name begins with a prefix. Its mode is that of other new directories.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn create_in(parent: impl AsRef<Path>, prefix: &str) -> io::Result<Self> {
        let mut builder = Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o777));
        }
        Self::create(parent.as_ref(), builder.prefix(prefix))
    }

    /// Creates a directory that only its owner can read, as [`create_in`](Self::create_in) does.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn private_in(parent: impl AsRef<Path>, prefix: &str) -> io::Result<Self> {
        Self::create(parent.as_ref(), Builder::new().prefix(prefix))
    }

    /// Creates a private directory for a copy of a database, in the directory for temporary files. Removes the copies
    /// that killed processes of this user have left there, and returns them, too.
    ///
    /// # Errors
    ///
    /// The error of the operating system. A copy that cannot be removed is in the result.
    pub fn for_copy() -> io::Result<(Self, Leftovers)> {
        Self::copy_in(&std::env::temp_dir())
    }

    fn copy_in(parent: &Path) -> io::Result<(Self, Leftovers)> {
        let own = Self::private_in(parent, COPY_PREFIX)?;
        let user = user_of(&own.path);
        let found = remove_leftovers(parent, |name| {
            name.starts_with(COPY_PREFIX) && user_of(&parent.join(name)) == user
        });
        Ok((own, found))
    }

    fn create(parent: &Path, builder: &Builder<'_, '_>) -> io::Result<Self> {
        let mut list = list();
        for _ in 0..MAX_TRIES {
            // The temporary name does not help the user.
            let made = builder.tempdir_in(parent).map_err(|error| plain(&error))?;
            let path = std::path::absolute(made.keep())?;
            if let Some(lock) = Held::of(&path, Claim::Wait)? {
                list.insert(path.clone());
                return Ok(Self { path, lock: lock.0, is_published: false });
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Returns the path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the directory its final name. An empty directory of this name is replaced.
    ///
    /// # Errors
    ///
    /// The error of the operating system. The directory is then removed.
    pub fn publish(mut self, to: impl AsRef<Path>) -> io::Result<()> {
        let mut list = list();
        fs::rename(&self.path, to)?;
        list.remove(&self.path);
        self.is_published = true;
        Ok(())
    }

    /// Moves parts of the directory to their final places, by several steps that a signal must not separate.
    pub fn publish_parts<T>(&self, steps: impl FnOnce() -> T) -> T {
        let _list = list();
        steps()
    }
}

impl Drop for UnfinishedDir {
    fn drop(&mut self) {
        if !self.is_published {
            let mut list = list();
            let _ = fs::remove_dir_all(&self.path);
            list.remove(&self.path);
            self.lock = None;
        }
    }
}

/// A new file that is removed when it is dropped, unless it was published.
#[derive(Debug)]
pub struct UnfinishedFile {
    /// `Some` until the file is published.
    file: Option<NamedTempFile>,
    path: PathBuf,
    /// The lock of a link to another file; a new file is locked through `file`.
    _lock: Option<File>,
}

impl UnfinishedFile {
    /// Creates a file whose name begins with a prefix. Its mode is that of other new files.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn create_in(dir: impl AsRef<Path>, prefix: &str) -> io::Result<Self> {
        let mut builder = Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        Self::create(dir.as_ref(), builder.prefix(prefix))
    }

    /// Creates a file whose name begins with a prefix and ends with a suffix. Only its owner can read it.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn private_in(dir: impl AsRef<Path>, prefix: &str, suffix: &str) -> io::Result<Self> {
        Self::create(dir.as_ref(), Builder::new().prefix(prefix).suffix(suffix))
    }

    fn create(dir: &Path, builder: &Builder<'_, '_>) -> io::Result<Self> {
        let mut list = list();
        for _ in 0..MAX_TRIES {
            let made = builder.tempfile_in(dir);
            // The temporary name does not help the user.
            let file = made.map_err(|error| plain(&error))?;
            let path = std::path::absolute(file.path())?;
            if lock(file.as_file(), Claim::Wait).is_err() || names(&path, file.as_file()) {
                list.insert(path.clone());
                return Ok(Self { file: Some(file), path, _lock: None });
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Creates a second link to a file, under a name that begins with a prefix.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn link_in(dir: impl AsRef<Path>, prefix: &str, to: impl AsRef<Path>) -> io::Result<Self> {
        let mut list = list();
        let made = Builder::new().prefix(prefix).make_in(dir, |path| {
            fs::hard_link(&to, path)?;
            File::open(path)
        });
        let file = made.map_err(|error| plain(&error))?;
        let path = std::path::absolute(file.path())?;
        // Several processes may have links to one file, so the lock is shared.
        let Some(held) = Held::of(&path, Claim::Share)? else {
            return Err(io::ErrorKind::NotFound.into());
        };
        list.insert(path.clone());
        Ok(Self { file: Some(file), path, _lock: held.0 })
    }

    /// Returns the file.
    ///
    /// # Panics
    ///
    /// Never: a published file has no owner that could call this.
    #[must_use]
    pub fn as_file(&mut self) -> &mut File {
        match &mut self.file {
            Some(file) => file.as_file_mut(),
            None => unreachable!("the file was published, and its owner is gone"),
        }
    }

    /// Returns the temporary path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its final name, and returns it. An existing file is replaced.
    ///
    /// # Errors
    ///
    /// The error of the operating system. The file is then removed.
    pub fn publish(self, to: impl AsRef<Path>) -> io::Result<File> {
        self.publish_by(|file| file.persist(to))
    }

    /// Gives the file its final name, and returns it. An existing file is an error.
    ///
    /// # Errors
    ///
    /// The error of the operating system; `AlreadyExists` if the name is taken. The file is then removed.
    pub fn publish_new(self, to: impl AsRef<Path>) -> io::Result<File> {
        self.publish_by(|file| file.persist_noclobber(to))
    }

    fn publish_by(
        mut self,
        persist: impl FnOnce(NamedTempFile) -> Result<File, tempfile::PersistError>,
    ) -> io::Result<File> {
        let mut list = list();
        let Some(file) = self.file.take() else { return Err(io::ErrorKind::NotFound.into()) };
        // A file that cannot be published is removed when the error is dropped, within the lock on the list.
        let published = persist(file).map_err(|failed| failed.error);
        list.remove(&self.path);
        let published = published?;
        // The file is complete: nothing has to know that this process still has it open.
        let _ = published.unlock();
        Ok(published)
    }
}

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            let mut list = list();
            drop(file);
            list.remove(&self.path);
        }
    }
}

/// Holds back every thread that would create, publish or remove unfinished work.
#[derive(Debug)]
pub struct Ending {
    _list: MutexGuard<'static, BTreeSet<PathBuf>>,
}

/// Removes all unfinished files and directories of this process, which is about to end.
///
/// Until the result is dropped, no operation of this process can be completed. The process should end before that.
#[must_use = "operations go on when the result is dropped"]
pub fn remove_all() -> Ending {
    let list = list();
    let mut blocked = Vec::new();
    for path in list.iter() {
        // Another thread may still write. It cannot create anything below its directory if a file has that name.
        let mut gone = path.clone().into_os_string();
        gone.push(".removed");
        let is_moved = path.is_dir() && fs::rename(path, &gone).is_ok();
        if is_moved && File::create_new(path).is_ok() {
            blocked.push(path);
        }
        let _ = remove(if is_moved { Path::new(&gone) } else { path });
    }
    for path in blocked {
        let _ = fs::remove_file(path);
    }
    Ending { _list: list }
}

/// Returns the number of the user to whom an entry belongs.
#[cfg(unix)]
fn user_of(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    path.symlink_metadata().ok().map(|entry| entry.uid())
}

#[cfg(not(unix))]
fn user_of(_: &Path) -> Option<u32> {
    None
}

/// Returns an error without the path that it names.
fn plain(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => {
            // The crate `tempfile` writes the path after the reason.
            let text = error.to_string();
            let reason = text.split_once(" at path ").map_or(&*text, |(reason, _)| reason);
            io::Error::new(error.kind(), reason)
        }
    }
}

fn list() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    LIST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The paths of the unfinished files and directories of this process.
static LIST: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The prefix of the names of copies of databases in the directory for temporary files.
const COPY_PREFIX: &str = ".pds-copy-";

/// How often a new entry is created if another process removes it before it is locked.
const MAX_TRIES: usize = 10;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
