//! A database that is damaged as a file: what can be read of it moves into a new one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Quarantine;
use crate::repo::{Error, Result, STORE_FILE};
use crate::store::{Salvaged, SqliteStore};

/// Makes a new database of what can be read of the one in the directory of a repository.
///
/// The old one, with what SQLite keeps beside it, goes to the quarantine as `pds.db.damaged`. The new
/// one is complete and on the disk before anything is moved. Nobody else may have the
/// repository open; where somebody has, nothing happens.
///
/// ```
/// use pds::repo::repair::salvage_database;
///
/// let dir = tempfile::tempdir()?;
/// let dir = dir.path().join("r");
/// let repo = pds::repo::Repo::create(&dir, &"did:web:example.com".parse()?)?;
/// let head = repo.head()?;
/// drop(repo);
/// assert_eq!(salvage_database(&dir)?.blocks, 2);
/// assert_eq!(pds::repo::Repo::open(&dir)?.head()?, head);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Store`] when nothing can be read of the database or somebody has it open, [`Error::Io`]. The old one is
/// where it was then, or in the quarantine.
pub fn salvage_database(dir: &Path) -> Result<Salvaged> {
    let old = dir.join(STORE_FILE);
    if !old.is_file() {
        return Err(Error::NotARepository(dir.to_owned()));
    }
    // Where it is a link, the file it leads to is what is damaged, and what is replaced.
    let old = fs::canonicalize(&old).map_err(Error::io(&old))?;
    let beside = old.parent().unwrap_or(dir);
    SqliteStore::check_alone(&old)?;
    let staging = tempfile::Builder::new().prefix(REPAIR_PREFIX).tempdir_in(beside);
    let staging = staging.map_err(Error::io(beside))?;
    let new = staging.path().join(STORE_FILE);
    let salvaged = SqliteStore::salvage(&old, &new)?;
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
    fs::rename(&new, &old).map_err(Error::io(&old))?;
    fs::File::open(beside).and_then(|dir| dir.sync_all()).map_err(Error::io(beside))?;
    Ok(salvaged)
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

/// How the name of a directory begins in which a database is made anew.
pub(in crate::repo) const REPAIR_PREFIX: &str = ".pds-repair-";
