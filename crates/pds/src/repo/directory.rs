//! A repository in a directory: `pds.db`, `blobs/` and `key`.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, Imported, Repo, Result};
use crate::blob::BlobDirectory;
use crate::car::CarFile;
use crate::crypto::{Curve, PublicKey, SigningKey, key_file};
use crate::store::SqliteStore;
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
    /// [`Error::DirectoryInUse`] when there is something in the directory.
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
    pub fn clone_file<F: Read + Seek + Send>(
        dir: &Path,
        file: F,
        key: Option<&PublicKey>,
    ) -> Result<(Self, Imported)> {
        Self::clone_with(dir, key, |repo| repo.import_file(file, key))
    }

    /// As [`clone_file`](Self::clone_file), of a file that has been indexed.
    ///
    /// # Errors
    ///
    /// As [`clone_file`](Self::clone_file).
    pub fn clone_car<F: Read + Seek + Send>(
        dir: &Path,
        car: &CarFile<F>,
        key: Option<&PublicKey>,
    ) -> Result<(Self, Imported)> {
        Self::clone_with(dir, key, |repo| repo.import(car, key))
    }

    fn clone_with(
        dir: &Path,
        key: Option<&PublicKey>,
        import: impl FnOnce(&Self) -> Result<Imported>,
    ) -> Result<(Self, Imported)> {
        let imported = build(dir, |dir| {
            let store = Arc::new(SqliteStore::create_unsettled(&dir.join(STORE_FILE))?);
            let blobs = Arc::new(BlobDirectory::new(dir.join(BLOB_DIRECTORY)));
            let repo = Self::with(store.clone(), blobs);
            let imported = import(&repo)?;
            if let Some(key) = key {
                repo.remember_key(key)?;
            }
            drop(repo);
            settle(store)?;
            Ok(imported)
        })?;
        Ok((Self::open(dir)?, imported))
    }

    /// Opens the repository in a directory, with its key if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::NotARepository`] when there is no store in it, [`Error::KeyFile`] when the key cannot
    /// be used.
    pub fn open(dir: &Path) -> Result<Self> {
        let key = key_file::read(&dir.join(KEY_FILE))?;
        let repo = Self::open_mirror(dir)?;
        Ok(match key {
            Some(key) => repo.signing_with(key),
            None => repo,
        })
    }

    /// Opens the repository in a directory for reading; the key is not touched.
    ///
    /// # Errors
    ///
    /// [`Error::NotARepository`] when there is no store in it.
    pub fn open_mirror(dir: &Path) -> Result<Self> {
        let path = dir.join(STORE_FILE);
        if !path.is_file() {
            return Err(Error::NotARepository(dir.to_owned()));
        }
        let blobs = BlobDirectory::new(dir.join(BLOB_DIRECTORY));
        Ok(Self::with(Arc::new(SqliteStore::open(&path)?), Arc::new(blobs)))
    }
}

/// Makes the content of a directory elsewhere and moves it there when it is complete.
fn build<T>(dir: &Path, make: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let exists = dir.is_dir();
    if exists && fs::read_dir(dir).map_err(Error::io(dir))?.next().is_some() {
        return Err(Error::DirectoryInUse(dir.to_owned()));
    }
    let parent = parent(dir);
    // A directory that exists may be one that cannot be replaced, a mount point for example: then
    // the new content is made inside of it.
    let beside = if exists { dir } else { parent.as_path() };
    fs::create_dir_all(beside).map_err(Error::io(beside))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".pds-new-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o777));
    }
    let staging = builder.tempdir_in(beside).map_err(Error::io(beside))?;
    let made = make(staging.path())?;
    sync(staging.path())?;
    if exists {
        // The store comes last: with it the directory becomes a repository.
        for name in [KEY_FILE, BLOB_DIRECTORY, STORE_FILE] {
            let from = staging.path().join(name);
            if from.exists() {
                let to = dir.join(name);
                fs::rename(&from, &to).map_err(Error::io(to))?;
            }
        }
        sync(dir)?;
    } else {
        fs::rename(staging.path(), dir).map_err(Error::io(dir))?;
        // Nothing is left under its first name to be cleaned up.
        let _ = staging.keep();
        sync(&parent)?;
    }
    Ok(made)
}

/// Makes a new store durable; nobody else holds it any more.
fn settle(store: Arc<SqliteStore>) -> Result<()> {
    match Arc::into_inner(store) {
        Some(store) => Ok(store.settle()?),
        None => unreachable!("the repository that shared the store is gone"),
    }
}

fn parent(dir: &Path) -> PathBuf {
    match dir.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes what happened in a directory last.
fn sync(dir: &Path) -> Result<()> {
    let synced: io::Result<()> = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(Error::io(dir))
}
