//! The salvage of a damaged database file: its readable rows are copied to a new database.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::foreign_database::in_temporary_files;
use crate::quarantine::Quarantine;
use pds::error::{Error, Result};
use pds::local::layout::{REPAIR_PREFIX, STORE_FILE};
use pds::local::locks::{Places, sync};
use pds::local::open::open_without_key;
use pds::repo::Repo;
use pds_store::error::StoreError;
use pds_store::sqlite::salvage::saved::Salvaged;
use pds_store::sqlite::store::SqliteStore;
use pds_store::unfinished::UnfinishedDir;

/// Replaces the database in the directory of a repository by a new one with all readable rows.
///
/// The old database and its WAL move to the quarantine as `pds.db.damaged`. The new database is complete and
/// durable before any file is moved.
///
/// No other process may have the repository open. The function fails, and moves nothing, if another process has it
/// open at the start or at the end, or has written to it in between. A process that opens the database just before
/// the new file is in place writes to the old one.
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
/// [`Error::Store`] if nothing in the database is readable or another process has it open, and [`Error::Io`]. After
/// an error, the old database is in its place or in the quarantine.
pub fn salvage_database(dir: impl AsRef<Path>) -> Result<Salvaged> {
    let dir = dir.as_ref();
    let old = database_of(dir)?;
    let places = Places::locked(dir)?;
    let beside = places.database.as_path();
    put_back_wal(&old, dir)?;
    SqliteStore::check_alone(&old)?;
    let (staging, salvaged) = salvaged_undisturbed(&old, beside)?;
    let quarantine = Quarantine::of(dir);
    let kept = match kept_before(&old, quarantine.path()) {
        Some(kept) => kept,
        None => quarantine.create_empty(DAMAGED_STORE, &|kept| {
            ["-wal", "-shm"].iter().any(|ending| with_ending(kept, ending).exists())
        })?,
    };
    let others = ["-wal", "-shm"].map(|ending| (with_ending(&old, ending), ending));
    copy(&old, &kept)?;
    for (path, ending) in &others {
        if path.exists() {
            copy(path, &with_ending(&kept, ending))?;
        }
    }
    quarantine.sync()?;
    // The WAL belongs to the old database, so its removal is durable before the new one is in place.
    for (path, _) in &others {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io(path)(error));
            }
            _ => {}
        }
    }
    sync(beside)?;
    fs::rename(staging.path().join(STORE_FILE), &old).map_err(Error::io(&old))?;
    sync(beside)?;
    Ok(salvaged)
}

/// A temporary copy of the readable rows of a damaged database. It opens as a repository without blobs and without
/// a key.
///
/// The copy is made next to the database if that directory is writable, so that
/// [`clear_leftovers`](pds::local::leftovers::clear_leftovers) removes it after an interruption. Otherwise it is in the
/// directory for temporary files, and the next such copy removes it.
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
#[derive(Debug)]
pub struct SalvagedCopy {
    staging: UnfinishedDir,
    salvaged: Salvaged,
    _places: Places,
}

impl SalvagedCopy {
    /// Copies the readable rows of the database in the directory of a repository.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if nothing in it is readable or another repair is running, and [`Error::Io`].
    pub fn of(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        let old = database_of(dir)?;
        let places = Places::locked(dir)?;
        let copy = |_| UnfinishedDir::for_copy().map(|(copy, _)| copy).map_err(in_temporary_files);
        let staging = staging_in(&places.database).or_else(copy)?;
        let salvaged = SqliteStore::salvage(&old, staging.path().join(STORE_FILE))?;
        Ok(Self { staging, salvaged, _places: places })
    }

    /// Returns the counts of the salvage.
    #[must_use]
    pub fn salvaged(&self) -> &Salvaged {
        &self.salvaged
    }

    /// Opens the copy.
    ///
    /// # Errors
    ///
    /// As [`pds::local::open::open_without_key`].
    pub fn open(&self) -> Result<Repo> {
        open_without_key(self.staging.path())
    }
}

/// Moves the files of an interrupted [`salvage_database`] back, which restores the old database. Returns whether
/// there were such files.
///
/// # Errors
///
/// [`Error::Store`] if another repair is running, and [`Error::Io`].
pub fn undo_interrupted_salvage(dir: impl AsRef<Path>) -> Result<bool> {
    let dir = dir.as_ref();
    let old = database_of(dir)?;
    let _places = Places::locked(dir)?;
    put_back_wal(&old, dir)
}

/// Returns the path of the database file. If it is a symbolic link, its target is salvaged and replaced.
fn database_of(dir: &Path) -> Result<PathBuf> {
    let path = dir.join(STORE_FILE);
    if !path.is_file() {
        return Err(Error::NotARepository(dir.to_owned()));
    }
    fs::canonicalize(&path).map_err(Error::io(&path))
}

/// Salvages a database, and repeats that if another process has written to it meanwhile.
fn salvaged_undisturbed(old: &Path, beside: &Path) -> Result<(UnfinishedDir, Salvaged)> {
    let written = || {
        [old.to_owned(), with_ending(old, "-wal")].map(|path| {
            let file = fs::metadata(path).ok().filter(|file| file.len() > 0)?;
            Some((file.len(), file.modified().ok()))
        })
    };
    for _ in 0..MAX_TRIES {
        let before = written();
        let staging = staging_in(beside)?;
        let salvaged = SqliteStore::salvage(old, staging.path().join(STORE_FILE))?;
        SqliteStore::check_alone(old)?;
        if written() == before {
            return Ok((staging, salvaged));
        }
    }
    Err(StoreError::Busy.into())
}

fn staging_in(dir: &Path) -> Result<UnfinishedDir> {
    UnfinishedDir::private_in(dir, REPAIR_PREFIX).map_err(Error::io(dir))
}

/// Restores the WAL of a database from the quarantine, if a salvage was interrupted between the removal of the WAL
/// and the replacement of the database. The quarantine then has the WAL next to a link to the same database, and
/// no process has written to the database since.
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
    // A copy protects the file in the quarantine from later writes to the WAL.
    let copied = staging.path().join("wal");
    fs::copy(&kept, &copied).map_err(Error::io(&copied))?;
    fs::File::open(&copied).and_then(|file| file.sync_all()).map_err(Error::io(&copied))?;
    fs::rename(&copied, &wal).map_err(Error::io(&wal))?;
    sync(beside)?;
    Ok(true)
}

/// Returns the link to a database in the quarantine that an interrupted salvage has made. With a WAL of its own, it is
/// of an earlier moment of the database.
#[cfg(unix)]
fn kept_before(old: &Path, quarantine: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;

    let place = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let database = place(old)?;
    let entries = fs::read_dir(quarantine).ok()?;
    entries.filter_map(|entry| Some(entry.ok()?.path())).find(|path| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        name.starts_with(DAMAGED_STORE.as_bytes())
            && place(path) == Some(database)
            && have_same_bytes(&with_ending(path, "-wal"), &with_ending(old, "-wal"))
    })
}

/// Returns whether two files have the same bytes. A missing file has none.
#[cfg(unix)]
fn have_same_bytes(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(|path| fs::File::open(path).ok().map(io::BufReader::new));
    let bytes = |file: Option<io::BufReader<fs::File>>| file.into_iter().flat_map(Read::bytes);
    bytes(one).map(Result::ok).eq(bytes(other).map(Result::ok))
}

#[cfg(not(unix))]
fn kept_before(_old: &Path, _quarantine: &Path) -> Option<PathBuf> {
    None
}

/// Returns the newest WAL of a database in the quarantine.
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
        // The change time is when the other link was removed, or when the copy was made.
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

/// Links a file to another name, or copies it if the file system has no links.
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

/// The number of attempts to salvage a database while another process writes to it.
const MAX_TRIES: usize = 3;
