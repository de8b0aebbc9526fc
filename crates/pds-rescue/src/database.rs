//! A database that is damaged as a file: what can be read of it moves into a new one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

use crate::quarantine::Quarantine;
use pds::error::{Error, Result};
use pds::local::layout::{REPAIR_PREFIX, STORE_FILE};
use pds::local::locks::{Places, sync};
use pds::local::open::open_without_key;
use pds::repo::Repo;
use pds_store::error::StoreError;
use pds_store::sqlite::salvage::saved::Salvaged;
use pds_store::sqlite::store::SqliteStore;

/// Makes a new database of what can be read of the one in the directory of a repository.
///
/// The old one, with what SQLite keeps beside it then, goes to the quarantine as `pds.db.damaged`. The new
/// one is complete and on the disk before anything is moved.
///
/// Nobody else may have the repository open. Where somebody has when this begins or when the new database
/// is ready, or has written in between, nothing is moved. It cannot keep out who opens it in the instant
/// after that and before the new one is in its place: what they write goes into the old one.
///
/// ```
/// use pds_rescue::salvage_database;
///
/// let dir = tempfile::tempdir()?;
/// let dir = dir.path().join("r");
/// let repo = pds::Repo::create(&dir, &"did:web:example.com".parse()?)?;
/// let head = repo.head()?;
/// drop(repo);
/// assert_eq!(salvage_database(&dir)?.blocks, 2);
/// assert_eq!(pds::Repo::open(&dir)?.head()?, head);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Store`] when nothing can be read of the database or somebody has it open, [`Error::Io`]. The old one is
/// where it was then, or in the quarantine.
pub fn salvage_database(dir: &Path) -> Result<Salvaged> {
    let old = database_of(dir)?;
    let places = Places::locked(dir)?;
    let beside = places.database.as_path();
    put_back_wal(&old, dir)?;
    SqliteStore::check_alone(&old)?;
    let (staging, salvaged) = salvaged_undisturbed(&old, beside)?;
    let quarantine = Quarantine::of(dir);
    let (kept, file) = quarantine.create(DAMAGED_STORE)?;
    drop(file);
    let others = ["-wal", "-shm"].map(|ending| (with_ending(&old, ending), ending));
    copy(&old, &kept)?;
    for (path, ending) in &others {
        if path.exists() {
            copy(path, &with_ending(&kept, ending))?;
        }
    }
    quarantine.sync()?;
    // A WAL is not of the new database, and must be gone when that comes.
    for (path, _) in &others {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io(path)(error));
            }
            _ => {}
        }
    }
    fs::rename(staging.path().join(STORE_FILE), &old).map_err(Error::io(&old))?;
    sync(beside)?;
    Ok(salvaged)
}

/// What can be read of the damaged database of a repository, as a repository without blobs and without a
/// key, until this is dropped.
///
/// It is made beside the database if something can be written there, so that
/// [`clear_leftovers`](crate::repo::clear_leftovers) finds what is left of it after an interruption.
///
/// ```
/// use pds_rescue::SalvagedCopy;
///
/// let dir = tempfile::tempdir()?;
/// let dir = dir.path().join("r");
/// let head = pds::Repo::create(&dir, &"did:web:example.com".parse()?)?.head()?;
/// let copy = SalvagedCopy::of(&dir)?;
/// assert_eq!(copy.open()?.head()?, head);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SalvagedCopy {
    staging: TempDir,
    salvaged: Salvaged,
    _places: Places,
}

impl SalvagedCopy {
    /// Copies what can be read of the database in the directory of a repository.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when nothing can be read of it or a repair is at work, [`Error::Io`].
    pub fn of(dir: &Path) -> Result<Self> {
        let old = database_of(dir)?;
        let places = Places::locked(dir)?;
        let staging =
            staging_in(&places.database).or_else(|_| staging_in(&std::env::temp_dir()))?;
        let salvaged = SqliteStore::salvage(&old, &staging.path().join(STORE_FILE))?;
        Ok(Self { staging, salvaged, _places: places })
    }

    /// Returns what could be read.
    #[must_use]
    pub fn salvaged(&self) -> &Salvaged {
        &self.salvaged
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// As [`pds::local::open::open_without_key`].
    pub fn open(&self) -> Result<Repo> {
        open_without_key(self.staging.path())
    }
}

/// Puts back what an interrupted [`salvage_database`] had moved away, so that the old database is as it was;
/// tells whether there was something.
///
/// ```
/// let dir = tempfile::tempdir()?;
/// let dir = dir.path().join("r");
/// pds::Repo::create(&dir, &"did:web:example.com".parse()?)?;
/// assert!(!pds_rescue::undo_interrupted_salvage(&dir)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Store`] when a repair is at work, [`Error::Io`].
pub fn undo_interrupted_salvage(dir: &Path) -> Result<bool> {
    let old = database_of(dir)?;
    let _places = Places::locked(dir)?;
    put_back_wal(&old, dir)
}

/// The file that is the database: where it is a link, that is what is damaged, and what is replaced.
fn database_of(dir: &Path) -> Result<PathBuf> {
    let path = dir.join(STORE_FILE);
    if !path.is_file() {
        return Err(Error::NotARepository(dir.to_owned()));
    }
    fs::canonicalize(&path).map_err(Error::io(&path))
}

/// Makes a new database of the old one, and again if somebody has written to that in the meantime.
fn salvaged_undisturbed(old: &Path, beside: &Path) -> Result<(TempDir, Salvaged)> {
    let written = || {
        [old.to_owned(), with_ending(old, "-wal")].map(|path| {
            let file = fs::metadata(path).ok().filter(|file| file.len() > 0)?;
            Some((file.len(), file.modified().ok()))
        })
    };
    for _ in 0..MAX_TRIES {
        let before = written();
        let staging = staging_in(beside)?;
        let salvaged = SqliteStore::salvage(old, &staging.path().join(STORE_FILE))?;
        SqliteStore::check_alone(old)?;
        if written() == before {
            return Ok((staging, salvaged));
        }
    }
    Err(StoreError::Busy.into())
}

fn staging_in(dir: &Path) -> Result<TempDir> {
    tempfile::Builder::new().prefix(REPAIR_PREFIX).tempdir_in(dir).map_err(Error::io(dir))
}

/// Puts the WAL back beside the database that it is of, where a salvage ended between its removal and the
/// coming of the new database, and nobody has written since: the quarantine has it with a link to the same
/// file then.
fn put_back_wal(old: &Path, dir: &Path) -> Result<bool> {
    let wal = with_ending(old, "-wal");
    if fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0) {
        return Ok(false);
    }
    let quarantine = Quarantine::of(dir);
    let Some(kept) = removed_wal(old, quarantine.path()).map_err(Error::io(quarantine.path()))?
    else {
        return Ok(false);
    };
    let beside = old.parent().unwrap_or(dir);
    let staging = staging_in(beside)?;
    // A copy: what becomes of the file that is put back is not to happen to the one that is kept.
    let copied = staging.path().join("wal");
    fs::copy(&kept, &copied).map_err(Error::io(&copied))?;
    fs::File::open(&copied).and_then(|file| file.sync_all()).map_err(Error::io(&copied))?;
    fs::rename(&copied, &wal).map_err(Error::io(&wal))?;
    sync(beside)?;
    Ok(true)
}

/// Finds the WAL in the quarantine that was that of a database last.
#[cfg(unix)]
fn removed_wal(old: &Path, quarantine: &Path) -> io::Result<Option<PathBuf>> {
    use std::os::unix::fs::MetadataExt;

    if !quarantine.is_dir() {
        return Ok(None);
    }
    let database = fs::metadata(old)?;
    let mut newest = None;
    for entry in fs::read_dir(quarantine)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let wal = with_ending(&path, "-wal");
        let (file, Ok(kept)) = (fs::metadata(&path)?, fs::metadata(&wal)) else { continue };
        let is_same = (file.dev(), file.ino()) == (database.dev(), database.ino());
        // When its last name but this one went, or when it was copied.
        let removed = (kept.ctime(), kept.ctime_nsec());
        let is_unwritten = (database.mtime(), database.mtime_nsec()) <= removed;
        if name.starts_with(DAMAGED_STORE.as_bytes()) && is_same && is_unwritten && kept.len() > 0 {
            newest = newest.max(Some((removed, wal)));
        }
    }
    Ok(newest.map(|(_, wal)| wal))
}

#[cfg(not(unix))]
fn removed_wal(_old: &Path, _quarantine: &Path) -> io::Result<Option<PathBuf>> {
    Ok(None)
}

/// Keeps a file under another name, without copying it where the file system can.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let _ = fs::remove_file(to);
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).map_err(Error::io(to))?;
    fs::File::open(to).and_then(|file| file.sync_all()).map_err(Error::io(to))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

const DAMAGED_STORE: &str = "pds.db.damaged";

/// How often a database is read anew that somebody else has written to meanwhile.
const MAX_TRIES: usize = 3;
