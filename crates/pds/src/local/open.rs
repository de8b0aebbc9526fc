//! The opening of repository directories, with and without the key.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::local::key_file;
use crate::local::layout::{BLOB_DIRECTORY, KEY_FILE, STORE_FILE};
use crate::repo::Repo;
use pds_store::blob::directory::BlobDirectory;
use pds_store::sqlite::store::SqliteStore;

/// Returns whether a directory has the store of a repository.
///
/// # Errors
///
/// [`Error::Io`] if the directory cannot be entered.
pub fn is_repository(dir: impl AsRef<Path>) -> Result<bool> {
    let path = dir.as_ref().join(STORE_FILE);
    match path.metadata() {
        Ok(found) => Ok(found.is_file()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(Error::io(path)(error))
        }
        Err(_) => Ok(false),
    }
}

/// Opens the repository in a directory without its key. All verbs that do not sign work.
///
/// # Errors
///
/// [`Error::NotARepository`] if the directory has no store.
pub fn open_without_key(dir: impl AsRef<Path>) -> Result<Repo> {
    let dir = dir.as_ref();
    if !is_repository(dir)? {
        return Err(Error::NotARepository(dir.to_owned()));
    }
    let blobs = BlobDirectory::new(dir.join(BLOB_DIRECTORY));
    Ok(Repo::with(Arc::new(SqliteStore::open(&dir.join(STORE_FILE))?), Arc::new(blobs)))
}

/// Opens the repository in a directory with its key, if there is one.
pub(super) fn open_settled(dir: &Path) -> Result<Repo> {
    let key = key_file::read(&dir.join(KEY_FILE))?;
    let repo = open_without_key(dir)?;
    Ok(match key {
        Some(key) => repo.signing_with(key),
        None => repo,
    })
}
