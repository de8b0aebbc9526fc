//! The atomic creation of a repository directory: the whole repository appears, or nothing.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

use crate::error::{Error, Result};
use crate::local::layout::{
    ADDRESS_FILE, BLOB_DIRECTORY, IDENTITY_DIRECTORY, KEY_FILE, MISSING_BLOBS_FILE, MOVED_FILE,
    STAGING_PREFIX, STORE_FILE, UPSTREAM_FILE,
};
use crate::local::locks::{lock, sync};
use pds_store::unfinished::UnfinishedDir;

/// Makes the content of a directory in a staging directory, and moves it into place when it is complete.
pub(super) fn build<T, E: From<Error>>(
    dir: &Path,
    make: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    build_beside(dir, &[], make)
}

/// Makes the content of a directory, as [`build`] does. The directory may have entries with these names already.
pub(super) fn build_beside<T, E: From<Error>>(
    dir: &Path,
    allowed: &[&str],
    make: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    check_free(dir, allowed)?;
    let exists = dir.exists();
    let parent = parent(dir);
    // An existing directory may be a mount point, which cannot be replaced. The staging directory is then
    // made inside it.
    let beside = if exists { dir } else { parent.as_path() };
    let made_above: Vec<&Path> = beside.ancestors().take_while(|above| is_new(above)).collect();
    fs::create_dir_all(beside).map_err(Error::io(beside))?;
    // Each new directory is an entry of its parent, so the parent is synced.
    for above in made_above {
        sync(self::parent(above))?;
    }
    let staging = UnfinishedDir::create_in(beside, STAGING_PREFIX).map_err(Error::io(beside))?;
    let made = make(staging.path())?;
    sync(staging.path())?;
    if exists {
        // The lock keeps other processes from publishing, so a key without a store is from an interrupted run.
        let _lock = lock(dir)?;
        if is_in_use(dir, allowed).map_err(Error::io(dir))? {
            return Err(Error::DirectoryInUse(dir.to_owned()).into());
        }
        // After a power cut, the staging directory shows where the parts belong, so it must not be lost before them.
        sync(dir)?;
        staging.publish_parts(|| {
            remove_orphans(dir)?;
            publish_all(staging.path(), dir)
        })?;
        sync(dir)?;
    } else {
        staging.publish(dir).map_err(|error| failed_to_publish(error, dir, dir))?;
        sync(&parent)?;
    }
    Ok(made)
}

/// Moves everything from the staging directory into an existing directory. The store comes last, after the other parts
/// are durable: it makes the directory a repository.
fn publish_all(staging: &Path, dir: &Path) -> Result<()> {
    let directories: Vec<&str> =
        DIRECTORIES.into_iter().filter(|name| staging.join(name).is_dir()).collect();
    let moved = publish_directories(staging, dir, &directories).and_then(|()| {
        let key = publish_key(staging, dir)?;
        OF_MIRROR.into_iter().try_for_each(|name| publish_over(staging, dir, name))?;
        let mut stores = [STORE_FILE, ADDRESS_FILE].into_iter();
        let mut publish_stores =
            || stores.try_for_each(|name| publish(staging, dir, name).map(drop));
        sync(dir).and_then(|()| publish_stores()).inspect_err(|_| {
            if key {
                let _ = fs::remove_file(dir.join(KEY_FILE));
            }
        })
    });
    moved.inspect_err(|_| {
        for name in &directories {
            // A directory that was not moved yet is not in the way.
            if !staging.join(name).exists() {
                let _ = fs::remove_dir_all(dir.join(name));
            }
        }
    })
}

/// Moves directories into place. A file in the staging directory lists them: after an interruption, it shows which run
/// they belong to.
fn publish_directories(staging: &Path, dir: &Path, names: &[&str]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let list = staging.join(MOVED_FILE);
    let lines: Vec<String> = names
        .iter()
        .filter_map(|name| Some(format!("{}\n", identity_of(&staging.join(name))?)))
        .collect();
    let written = File::create_new(&list).and_then(|mut file| {
        file.write_all(lines.concat().as_bytes())?;
        file.sync_all()
    });
    written.map_err(Error::io(&list))?;
    sync(staging)?;
    for name in names {
        let to = dir.join(name);
        if to.symlink_metadata().is_ok() {
            return Err(Error::DirectoryInUse(dir.to_owned()));
        }
        fs::rename(staging.join(name), &to).map_err(|error| failed_to_publish(error, dir, &to))?;
    }
    Ok(())
}

/// Removes what interrupted runs have moved into a directory, which is not in use otherwise.
fn remove_orphans(dir: &Path) -> Result<()> {
    let key = dir.join(KEY_FILE);
    if key.symlink_metadata().is_ok() {
        fs::remove_file(&key).map_err(Error::io(&key))?;
    }
    for path in DIRECTORIES.map(|name| dir.join(name)) {
        if path.symlink_metadata().is_ok() {
            fs::remove_dir_all(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

/// Checks that a repository can be made in a directory: it is empty apart from entries with these names, or does not
/// exist.
pub(super) fn check_free(dir: &Path, allowed: &[&str]) -> Result<()> {
    let above = dir.ancestors().find(|above| above.symlink_metadata().is_ok());
    if let Some(file) = above.filter(|above| !above.is_dir()) {
        return Err(Error::NotADirectory(file.to_owned()));
    }
    if dir.exists() && is_in_use(dir, allowed).map_err(Error::io(dir))? {
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

/// Moves a staged file into place, if there is one. It may replace one of an interrupted run.
fn publish_over(staging: &Path, dir: &Path, name: &str) -> Result<()> {
    let (from, to) = (staging.join(name), dir.join(name));
    match from.exists() {
        true => fs::rename(from, &to).map_err(Error::io(&to)),
        false => Ok(()),
    }
}

fn failed_to_publish(error: io::Error, dir: &Path, at: &Path) -> Error {
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => {
            Error::DirectoryInUse(dir.to_owned())
        }
        _ => Error::io(at)(error),
    }
}

/// Returns whether a directory has any content, other than entries with these names and the remains of a process that
/// was killed while it made a repository.
fn is_in_use(dir: &Path, allowed: &[&str]) -> io::Result<bool> {
    let (mut staging, mut has_key, mut moved) = (Vec::new(), false, Vec::new());
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(STAGING_PREFIX.as_bytes()) {
            staging.push(entry.path());
        } else if name == KEY_FILE {
            has_key = true;
        } else if DIRECTORIES.iter().any(|directory| name == *directory) {
            moved.push(entry.path());
        } else if !allowed.iter().any(|beside| name == *beside) {
            return Ok(true);
        }
    }
    let key = dir.join(KEY_FILE);
    let is_staged = |staging: &PathBuf| is_same_file(&staging.join(KEY_FILE), &key);
    let lists: Vec<String> = staging
        .iter()
        .filter_map(|staging| fs::read_to_string(staging.join(MOVED_FILE)).ok())
        .collect();
    let is_listed = |path: &PathBuf| {
        let identity = identity_of(path);
        identity.is_some_and(|id| lists.iter().any(|list| list.lines().any(|line| line == id)))
    };
    Ok(has_key && !staging.iter().any(is_staged) || !moved.iter().all(is_listed))
}

/// Returns a text that identifies a directory on this machine.
#[cfg(unix)]
fn identity_of(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let found = path.symlink_metadata().ok().filter(fs::Metadata::is_dir)?;
    Some(format!("{} {}", found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn identity_of(_path: &Path) -> Option<String> {
    None
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

/// The directories that a staging directory may have.
const DIRECTORIES: [&str; 2] = [BLOB_DIRECTORY, IDENTITY_DIRECTORY];

/// The files of a mirror. Without a store, they are from an interrupted run.
pub(super) const OF_MIRROR: [&str; 2] = [UPSTREAM_FILE, MISSING_BLOBS_FILE];
