//! The opening of repository directories, with and without the key.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::local::key_file;
use crate::local::layout::{BLOB_DIRECTORY, KEY_FILE};
use crate::local::store_place::{StorePlace, is_address};
use crate::repo::Repo;
use pds_store::blob::directory::BlobDirectory;
use pds_store::blob::memory::MemoryBlobs;
use pds_store::blob::store::BlobStore;
#[cfg(not(feature = "postgres"))]
use pds_store::error::StoreError;
use pds_store::sqlite::store::SqliteStore;
use pds_store::store::Store;

/// Returns whether a path is a repository: a directory that has a store, or the address of an account in a database.
///
/// # Errors
///
/// [`Error::Io`] if the directory cannot be entered.
pub fn is_repository(path: impl AsRef<Path>) -> Result<bool> {
    Ok(StorePlace::of(path)?.is_some())
}

/// Opens a repository without its key. All verbs that do not sign work.
///
/// The path may also be the address of an account in a database. Such a repository has no blobs.
///
/// # Errors
///
/// [`Error::NotARepository`] if the directory has no store.
pub fn open_without_key(path: impl AsRef<Path>) -> Result<Repo> {
    let path = path.as_ref();
    let store: Arc<dyn Store> = match StorePlace::of(path)? {
        Some(StorePlace::File(file)) => Arc::new(SqliteStore::open(&file)?),
        Some(StorePlace::Database(address)) => open_database(&address)?,
        None => return Err(Error::NotARepository(path.to_owned())),
    };
    let blobs: Arc<dyn BlobStore> = match path.to_str().is_some_and(is_address) {
        true => Arc::new(MemoryBlobs::default()),
        false => Arc::new(BlobDirectory::new(path.join(BLOB_DIRECTORY))),
    };
    Ok(Repo::with(store, blobs))
}

/// Opens the repository in a directory with its key, if there is one.
pub(super) fn open_settled(dir: &Path) -> Result<Repo> {
    // Another process may replace and erase the file while it is read, so a failure counts only twice.
    let path = dir.join(KEY_FILE);
    let key = key_file::read(&path).or_else(|_| key_file::read(&path))?;
    let repo = open_without_key(dir)?;
    let Some(key) = key else { return Ok(repo) };
    let repo = repo.signing_with(key);
    #[cfg(feature = "postgres")]
    if let Some(StorePlace::Database(address)) = StorePlace::of(dir)? {
        crate::local::database::complete(&repo, dir, &address)?;
    }
    Ok(repo)
}

#[cfg(feature = "postgres")]
fn open_database(address: &str) -> Result<Arc<dyn Store>> {
    crate::local::database::open_store(address)
}

#[cfg(not(feature = "postgres"))]
fn open_database(_: &str) -> Result<Arc<dyn Store>> {
    let message = "the store is in a database, which needs the feature `postgres` of the library";
    Err(StoreError::NotAStore(message.to_owned()).into())
}
