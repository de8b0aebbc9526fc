//! The atomic creation of a repository directory: the whole repository appears, or nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempPath;

use crate::error::{Error, Result};
use crate::local::layout::{ADDRESS_FILE, KEY_FILE, STAGING_PREFIX, STORE_FILE};
use crate::local::locks::{lock, sync};

/// Makes the content of a directory in a staging directory, and moves it into place when it is complete.
pub(super) fn build<T>(dir: &Path, make: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    check_free(dir)?;
    let exists = dir.exists();
    let parent = parent(dir);
    // An existing directory may be a mount point, which cannot be replaced. The staging directory is then
    // made inside it.
    let beside = if exists { dir } else { parent.as_path() };
    let made_above: Vec<&Path> = beside.ancestors().take_while(|above| is_new(above)).collect();
    fs::create_dir_all(beside).map_err(Error::io(beside))?;
    // Each new directory is an entry of its parent, so the parent is synced.
    for above in made_above {
        sync(&self::parent(above))?;
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(STAGING_PREFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o777));
    }
    let staging = builder.tempdir_in(beside).map_err(Error::io(beside))?;
    let made = make(staging.path())?;
    sync(staging.path())?;
    if exists {
        // The lock keeps other processes from publishing, so a key without a store is from an interrupted run.
        let _lock = lock(dir)?;
        if is_in_use(dir).map_err(Error::io(dir))? {
            return Err(Error::DirectoryInUse(dir.to_owned()));
        }
        let orphan = dir.join(KEY_FILE);
        if orphan.symlink_metadata().is_ok() {
            fs::remove_file(&orphan).map_err(Error::io(&orphan))?;
        }
        let key = publish_key(staging.path(), dir)?;
        // The store comes last: it makes the directory a repository.
        let mut stores = [STORE_FILE, ADDRESS_FILE].into_iter();
        if let Err(error) = stores.try_for_each(|name| publish(staging.path(), dir, name).map(drop))
        {
            if key {
                let _ = fs::remove_file(dir.join(KEY_FILE));
            }
            return Err(error);
        }
        sync(dir)?;
    } else {
        fs::rename(staging.path(), dir).map_err(|error| failed_to_publish(error, dir, dir))?;
        // The directory has moved, so there is no staging directory to remove.
        let _ = staging.keep();
        sync(&parent)?;
    }
    Ok(made)
}

/// Checks that a repository can be made in a directory: it is empty, or does not exist.
pub(super) fn check_free(dir: &Path) -> Result<()> {
    let above = dir.ancestors().find(|above| above.symlink_metadata().is_ok());
    if let Some(file) = above.filter(|above| !above.is_dir()) {
        return Err(Error::NotADirectory(file.to_owned()));
    }
    if dir.exists() && is_in_use(dir).map_err(Error::io(dir))? {
        return Err(Error::DirectoryInUse(dir.to_owned()));
    }
    Ok(())
}

/// Publishes the key as [`publish`] does, but as a second link to the staged file. After an interruption, the
/// link shows which run the key belongs to.
fn publish_key(staging: &Path, dir: &Path) -> Result<bool> {
    let (from, to) = (staging.join(KEY_FILE), dir.join(KEY_FILE));
    match fs::hard_link(&from, &to) {
        Ok(()) => Ok(true),
        // There may be no key, and some file systems have no links.
        Err(_) => publish(staging, dir, KEY_FILE),
    }
}

/// Moves a staged file into place, without replacing a file: another process may be making a repository in the
/// same directory. Returns whether the staged file existed.
fn publish(staging: &Path, dir: &Path, name: &str) -> Result<bool> {
    let (from, to) = (staging.join(name), dir.join(name));
    if !from.exists() {
        return Ok(false);
    }
    let from = TempPath::try_from_path(from).map_err(Error::io(&to))?;
    from.persist_noclobber(&to)
        .map(|()| true)
        .map_err(|failed| failed_to_publish(failed.error, dir, &to))
}

fn failed_to_publish(error: io::Error, dir: &Path, at: &Path) -> Error {
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => {
            Error::DirectoryInUse(dir.to_owned())
        }
        _ => Error::io(at)(error),
    }
}

/// Returns whether a directory has any content, other than the remains of a process that was killed while it
/// made a repository.
fn is_in_use(dir: &Path) -> io::Result<bool> {
    let (mut staging, mut has_key) = (Vec::new(), false);
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(STAGING_PREFIX.as_bytes()) {
            staging.push(entry.path());
        } else if name == KEY_FILE {
            has_key = true;
        } else {
            return Ok(true);
        }
    }
    let key = dir.join(KEY_FILE);
    Ok(has_key && !staging.iter().any(|staging| is_same_file(&staging.join(KEY_FILE), &key)))
}

/// Returns whether two paths name the same file.
#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let place = |path: &Path| path.symlink_metadata().map(|file| (file.dev(), file.ino()));
    place(one).is_ok_and(|one| place(other).is_ok_and(|other| one == other))
}

#[cfg(not(unix))]
fn is_same_file(_one: &Path, _other: &Path) -> bool {
    false
}

fn is_new(dir: &Path) -> bool {
    dir != Path::new("") && !dir.exists()
}

fn parent(dir: &Path) -> PathBuf {
    match dir.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
