//! A repository in a directory: `pds.db`, `blobs/` and `key`.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempPath;

use super::key_rotation::settle_interrupted;
use super::repair::{QUARANTINE_DIRECTORY, REPAIR_PREFIX};
use super::{Error, Imported, Jobs, Repo, Result};
use crate::blob::BlobDirectory;
use crate::car::{CarFile, ReadAt};
use crate::crypto::{Curve, PublicKey, SigningKey, key_file};
use crate::store::{SqliteStore, StoreError};
use crate::syntax::Did;

/// The name of the store in the directory of a repository; a directory that has it is one.
pub const STORE_FILE: &str = "pds.db";

/// The name of the directory of blobs in the directory of a repository.
pub const BLOB_DIRECTORY: &str = "blobs";

/// The name of the file with the signing key in the directory of a repository.
pub const KEY_FILE: &str = "key";

impl Repo {
    /// Makes a repository in a directory, with a new K-256 signing key and an empty first commit.
    ///
    /// The directory may exist if it is empty. Either all of it is made, or nothing.
    ///
    /// # Errors
    ///
    /// [`Error::DirectoryInUse`] when there is something in the directory, [`Error::NotADirectory`] when it
    /// is a file.
    pub fn create(dir: &Path, did: &Did) -> Result<Self> {
        Self::create_with_key(dir, did, &SigningKey::generate(Curve::K256)?)
    }

    /// As [`create`](Self::create), with a key that exists.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn create_with_key(dir: &Path, did: &Did, key: &SigningKey) -> Result<Self> {
        build(dir, |dir| {
            key_file::write_new(&dir.join(KEY_FILE), key)?;
            let store = Arc::new(SqliteStore::create_unsettled(&dir.join(STORE_FILE))?);
            let blobs = Arc::new(BlobDirectory::new(dir.join(BLOB_DIRECTORY)));
            Self::with(store.clone(), blobs).signing_with(key.clone()).init(did)?;
            settle(store)
        })?;
        Self::open(dir)
    }

    /// Makes a repository in a directory from a CAR file. It has no key: it is a mirror.
    ///
    /// The key of the account, where it is known, is checked and remembered. Either all of the
    /// repository is made, or nothing.
    ///
    /// # Errors
    ///
    /// [`Error::DirectoryInUse`] when there is something in the directory; otherwise as
    /// [`import_file`](Self::import_file).
    pub fn clone_file<F: ReadAt>(
        dir: &Path,
        file: F,
        key: Option<&PublicKey>,
    ) -> Result<(Self, Imported)> {
        Self::clone_file_with(dir, file, key, Jobs::default())
    }

    /// As [`clone_file`](Self::clone_file), with a number of threads.
    ///
    /// # Errors
    ///
    /// As [`clone_file`](Self::clone_file).
    pub fn clone_file_with<F: ReadAt>(
        dir: &Path,
        file: F,
        key: Option<&PublicKey>,
        jobs: Jobs,
    ) -> Result<(Self, Imported)> {
        Self::clone_with(dir, |repo| repo.clone().with_jobs(jobs).import_file(file, key))
    }

    /// As [`clone_file`](Self::clone_file), of a file that has been indexed.
    ///
    /// # Errors
    ///
    /// As [`clone_file`](Self::clone_file).
    pub fn clone_car<F: ReadAt>(
        dir: &Path,
        car: &CarFile<F>,
        key: Option<&PublicKey>,
    ) -> Result<(Self, Imported)> {
        Self::clone_with(dir, |repo| repo.import(car, key))
    }

    fn clone_with(
        dir: &Path,
        import: impl FnOnce(&Self) -> Result<Imported>,
    ) -> Result<(Self, Imported)> {
        let imported = build(dir, |dir| {
            let store = Arc::new(SqliteStore::create_unsettled(&dir.join(STORE_FILE))?);
            let blobs = Arc::new(BlobDirectory::new(dir.join(BLOB_DIRECTORY)));
            let repo = Self::with(store.clone(), blobs);
            let imported = import(&repo)?;
            drop(repo);
            settle(store)?;
            Ok(imported)
        })?;
        Ok((Self::open(dir)?, imported))
    }

    /// Opens the repository in a directory, with its key if there is one. A change of the key that was
    /// interrupted is ended.
    ///
    /// # Errors
    ///
    /// [`Error::NotARepository`] when there is no store in it, [`Error::KeyFile`] when the key cannot
    /// be used.
    pub fn open(dir: &Path) -> Result<Self> {
        settle_interrupted(dir)?;
        Self::open_settled(dir)
    }

    pub(super) fn open_settled(dir: &Path) -> Result<Self> {
        let key = key_file::read(&dir.join(KEY_FILE))?;
        let repo = Self::open_without_key(dir)?;
        Ok(match key {
            Some(key) => repo.signing_with(key),
            None => repo,
        })
    }

    /// Opens the repository in a directory without its key: everything but signing works.
    ///
    /// # Errors
    ///
    /// [`Error::NotARepository`] when there is no store in it.
    pub fn open_without_key(dir: &Path) -> Result<Self> {
        if !Self::is_in(dir)? {
            return Err(Error::NotARepository(dir.to_owned()));
        }
        let blobs = BlobDirectory::new(dir.join(BLOB_DIRECTORY));
        Ok(Self::with(Arc::new(SqliteStore::open(&dir.join(STORE_FILE))?), Arc::new(blobs)))
    }

    /// Tells whether a repository is kept in a directory: whether there is a store.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when that cannot be told: the directory may not be entered, for example.
    pub fn is_in(dir: &Path) -> Result<bool> {
        let path = dir.join(STORE_FILE);
        match path.metadata() {
            Ok(there) => Ok(there.is_file()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(Error::io(path)(error))
            }
            Err(_) => Ok(false),
        }
    }
}

/// Removes what an interrupted run left in the directory of a repository while it was made or repaired, and
/// what repairs have put into quarantine: it may hold records, or a key. Where the database is a link, what
/// repairs have left beside the file that it leads to goes, too.
///
/// A repair that is at work is waited for, five seconds long.
///
/// ```
/// let dir = tempfile::tempdir()?;
/// let left = dir.path().join(".pds-new-x");
/// std::fs::create_dir(&left)?;
/// pds::repo::clear_leftovers(dir.path())?;
/// assert!(!left.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Io`] when the directory cannot be read, or something in it not removed; [`Error::Store`] when a
/// repair is still at work.
pub fn clear_leftovers(dir: &Path) -> Result<()> {
    let places = Places::locked(dir)?;
    let is_quarantine = |name: &[u8]| name == QUARANTINE_DIRECTORY.as_bytes();
    let is_new = |name: &[u8]| name.starts_with(STAGING_PREFIX.as_bytes());
    remove_from(&places.own, &|name| {
        is_left_by_repair(name) || is_new(name) || is_quarantine(name)
    })?;
    if places.database != places.own {
        remove_from(&places.database, &is_left_by_repair)?;
    }
    Ok(())
}

fn is_left_by_repair(name: &[u8]) -> bool {
    name.starts_with(REPAIR_PREFIX.as_bytes())
}

fn remove_from(dir: &Path, goes: &dyn Fn(&[u8]) -> bool) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(Error::io(dir))? {
        let path = entry.map_err(Error::io(dir))?.path();
        if goes(path.file_name().unwrap_or_default().as_encoded_bytes()) {
            fs::remove_dir_all(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

/// The directories in which the files of a repository lie, kept from others who repair it, clear it or change
/// its key until this is dropped.
pub(in crate::repo) struct Places {
    pub(in crate::repo) own: PathBuf,
    /// Another one where the database is a link.
    pub(in crate::repo) database: PathBuf,
    _locks: Vec<File>,
}

impl Places {
    pub(in crate::repo) fn locked(dir: &Path) -> Result<Self> {
        let own = fs::canonicalize(dir).map_err(Error::io(dir))?;
        // There may be none any more.
        let file = fs::canonicalize(own.join(STORE_FILE)).ok();
        let database = file.as_deref().and_then(Path::parent).unwrap_or(&own).to_owned();
        let mut locks = vec![lock(&own)?];
        if database != own {
            locks.push(lock(&database)?);
        }
        Ok(Self { own, database, _locks: locks })
    }
}

/// Waits until nobody else changes the key of a repository, or repairs it.
pub(super) fn lock(dir: &Path) -> Result<File> {
    let lock = File::open(dir).map_err(Error::io(dir))?;
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy.into()),
            Err(TryLockError::Error(error)) => return Err(Error::io(dir)(error)),
        }
    }
}

/// Makes the content of a directory elsewhere and moves it there when it is complete.
fn build<T>(dir: &Path, make: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let above = dir.ancestors().find(|above| above.symlink_metadata().is_ok());
    if let Some(file) = above.filter(|above| !above.is_dir()) {
        return Err(Error::NotADirectory(file.to_owned()));
    }
    let exists = dir.exists();
    if exists && is_in_use(dir).map_err(Error::io(dir))? {
        return Err(Error::DirectoryInUse(dir.to_owned()));
    }
    let parent = parent(dir);
    // A directory that exists may be one that cannot be replaced, a mount point for example: then
    // the new content is made inside of it.
    let beside = if exists { dir } else { parent.as_path() };
    let made_above: Vec<&Path> = beside.ancestors().take_while(|above| is_new(above)).collect();
    fs::create_dir_all(beside).map_err(Error::io(beside))?;
    // Each directory that was made is an entry in the one above it.
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
        // Nobody else publishes meanwhile, so a key without a store is one that an interrupted run left.
        let _lock = lock(dir)?;
        if is_in_use(dir).map_err(Error::io(dir))? {
            return Err(Error::DirectoryInUse(dir.to_owned()));
        }
        let orphan = dir.join(KEY_FILE);
        if orphan.symlink_metadata().is_ok() {
            fs::remove_file(&orphan).map_err(Error::io(&orphan))?;
        }
        let key = publish_key(staging.path(), dir)?;
        // The store comes last: with it the directory becomes a repository.
        if let Err(error) = publish(staging.path(), dir, STORE_FILE) {
            if key {
                let _ = fs::remove_file(dir.join(KEY_FILE));
            }
            return Err(error);
        }
        sync(dir)?;
    } else {
        fs::rename(staging.path(), dir).map_err(|error| failed_to_publish(error, dir, dir))?;
        // There is nothing left at its old name that could be removed.
        let _ = staging.keep();
        sync(&parent)?;
    }
    Ok(made)
}

/// As [`publish`], of the key, which stays where it was made, too: after an interruption that shows whose it
/// is.
fn publish_key(staging: &Path, dir: &Path) -> Result<bool> {
    let (from, to) = (staging.join(KEY_FILE), dir.join(KEY_FILE));
    match fs::hard_link(&from, &to) {
        Ok(()) => Ok(true),
        // There may be no key, and not every file system has links.
        Err(_) => publish(staging, dir, KEY_FILE),
    }
}

/// Moves a file to its place, where none must be: somebody else may be making a repository in the
/// same directory. Tells whether there was such a file.
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

/// Tells whether something is in a directory, other than what a process left there that was killed
/// while it made a repository.
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

/// Tells whether two names lead to one file.
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

/// Makes a new store durable; nobody else holds it any more.
fn settle(store: Arc<SqliteStore>) -> Result<()> {
    match Arc::into_inner(store) {
        Some(store) => Ok(store.settle()?),
        None => unreachable!("the repository that shared the store is gone"),
    }
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

/// Makes what happened in a directory last.
pub(super) fn sync(dir: &Path) -> Result<()> {
    let synced: io::Result<()> = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(Error::io(dir))
}

const STAGING_PREFIX: &str = ".pds-new-";

/// Far more than a commit takes.
const PATIENCE: Duration = Duration::from_secs(5);
