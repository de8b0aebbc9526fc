//! Creation, cloning and opening of repository directories.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::local::build::{OF_MIRROR, build, build_beside, check_free};
use crate::local::copy_options::CopyOptions;
use crate::local::key_file;
use crate::local::layout::{
    BLOB_DIRECTORY, FETCH_DIRECTORY, KEY_FILE, MISSING_BLOBS_FILE, STORE_FILE, UPSTREAM_FILE,
};
use crate::local::open::open_settled;
use crate::local::rotation::settle_interrupted;
use crate::model::jobs::Jobs;
use crate::repo::Repo;
use crate::transfer::import::Imported;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::ReadAt;
use pds_core::crypto::curve::Curve;
use pds_core::crypto::public_key::PublicKey;
use pds_core::crypto::signer::Signer;
use pds_core::crypto::signing_key::SigningKey;
use pds_core::syntax::did::Did;
use pds_store::blob::directory::BlobDirectory;
use pds_store::sqlite::store::SqliteStore;

impl Repo {
    /// Makes a repository in a directory, with a new K-256 signing key and an empty first commit.
    ///
    /// The directory may exist if it is empty. If an error occurs, nothing is made.
    ///
    /// # Errors
    ///
    /// [`Error::DirectoryInUse`] if the directory is not empty,
    /// [`Error::NotADirectory`] if the path is a file.
    pub fn create(dir: impl AsRef<Path>, did: &Did) -> Result<Self> {
        create_with_key(dir, did, &SigningKey::generate(Curve::K256)?)
    }

    /// Opens the repository in a directory, with its key if there is one. Completes a key rotation that was
    /// interrupted. If another process rotates the key later, the handle reads the new key.
    ///
    /// # Errors
    ///
    /// [`Error::NotARepository`] if the directory has no store,
    /// [`Error::KeyFile`] if the key cannot be used.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        settle_interrupted(dir.as_ref())?;
        let repo = open_settled(dir.as_ref())?;
        let dir = dir.as_ref().to_owned();
        Ok(repo.renewing_signer(Box::new(move || {
            settle_interrupted(&dir)?;
            let key = key_file::read(dir.join(KEY_FILE))?;
            Ok(key.map(|key| -> Arc<dyn Signer> { Arc::new(key) }))
        })))
    }
}

/// Makes a repository in a directory, with an existing signing key.
///
/// # Errors
///
/// As [`Repo::create`].
pub fn create_with_key(dir: impl AsRef<Path>, did: &Did, key: &SigningKey) -> Result<Repo> {
    build(dir.as_ref(), |dir| {
        key_file::write_new(dir.join(KEY_FILE), key)?;
        let store = Arc::new(SqliteStore::create_unsettled(dir.join(STORE_FILE))?);
        let blobs = Arc::new(BlobDirectory::new(dir.join(BLOB_DIRECTORY)));
        Repo::with(store.clone(), blobs).signing_with(key.clone()).init(did)?;
        settle(store)
    })?;
    Repo::open(dir)
}

/// Makes a repository in a directory from a CAR file. It has no signing key: it is a mirror.
///
/// If the key of the account is given, the signature is checked and the key is remembered. If an error occurs,
/// nothing is made.
///
/// # Errors
///
/// [`Error::DirectoryInUse`] if the directory is not empty; otherwise as
/// [`Transfer::import_file`](crate::transfer::handle::Transfer::import_file).
pub fn clone_file<F: ReadAt>(
    dir: impl AsRef<Path>,
    file: F,
    key: Option<&PublicKey>,
    jobs: Jobs,
) -> Result<(Repo, Imported)> {
    clone_file_with(dir, file, &CopyOptions::default().key(key).jobs(jobs))
}

/// Makes a repository in a directory from a CAR file, as [`clone_file`] does, with options. A file has no key to copy.
///
/// # Errors
///
/// As [`clone_file`].
pub fn clone_file_with<F: ReadAt>(
    dir: impl AsRef<Path>,
    file: F,
    options: &CopyOptions<'_>,
) -> Result<(Repo, Imported)> {
    clone_with(dir.as_ref(), |repo| {
        let repo = options.on(repo.clone());
        let transfer = repo.transfer().with_jobs(options.jobs).with_progress(options.progress);
        let transfer = transfer.with_message(options.message);
        transfer.with_account_keys(options.account_keys).import_file(file, options.key)
    })
}

/// Makes a repository in a directory from an indexed CAR file.
///
/// # Errors
///
/// As [`clone_file`].
pub fn clone_car<F: ReadAt>(
    dir: impl AsRef<Path>,
    car: &CarFile<F>,
    key: Option<&PublicKey>,
) -> Result<(Repo, Imported)> {
    clone_with(dir.as_ref(), |repo| repo.transfer().import(car, key))
}

fn clone_with(
    dir: &Path,
    import: impl FnOnce(&Repo) -> Result<Imported>,
) -> Result<(Repo, Imported)> {
    let imported = build_with_store(dir, |repo, _| import(repo))?;
    Ok((Repo::open(dir)?, imported))
}

/// Checks that a clone from a host can be made in a directory: it does not exist, is empty, or has only the files of such
/// a clone that was interrupted.
///
/// # Errors
///
/// [`Error::DirectoryInUse`], [`Error::NotADirectory`].
pub fn check_clone(dir: impl AsRef<Path>) -> Result<()> {
    check_free(dir.as_ref(), &OF_CLONE)
}

/// Makes a repository in a directory with the files of an unfinished clone from a host. `fill` imports the state. It
/// also gets the directory whose `identity` directory becomes that of the repository. If an error occurs, the files of
/// the clone stay, and nothing else is made.
///
/// # Errors
///
/// [`Error::DirectoryInUse`] if the directory has other files, and the errors of `fill`.
pub fn finish_clone<T>(
    dir: impl AsRef<Path>,
    fill: impl FnOnce(&Repo, &Path) -> Result<T>,
) -> Result<(Repo, T)> {
    let filled = build_beside(dir.as_ref(), &OF_CLONE, |staging| fill_store(staging, fill))?;
    Ok((Repo::open(dir)?, filled))
}

/// Makes a directory with a new store that `fill` fills. It gets the staging directory as well.
pub(super) fn build_with_store<T>(
    dir: &Path,
    fill: impl FnOnce(&Repo, &Path) -> Result<T>,
) -> Result<T> {
    build(dir, |staging| fill_store(staging, fill))
}

/// Makes a repository in a directory that does not exist or is empty. `fill` imports its state. It also gets the
/// staging directory, where it may write `upstream.json`, `missing-blobs.json`, `identity` and `key` of the repository.
/// If an error occurs, nothing is made.
///
/// # Errors
///
/// [`Error::DirectoryInUse`] if the directory is not empty, and the errors of `fill`.
pub fn create_filled<T, E: From<Error>>(
    dir: impl AsRef<Path>,
    fill: impl FnOnce(&Repo, &Path) -> Result<T, E>,
) -> Result<(Repo, T), E> {
    let filled = build_beside(dir.as_ref(), &OF_MIRROR, |staging| fill_store(staging, fill))?;
    Ok((Repo::open(dir)?, filled))
}

fn fill_store<T, E: From<Error>>(
    staging: &Path,
    fill: impl FnOnce(&Repo, &Path) -> Result<T, E>,
) -> Result<T, E> {
    let store = SqliteStore::create_unsettled(staging.join(STORE_FILE));
    let store = Arc::new(store.map_err(Error::from)?);
    let blobs = Arc::new(BlobDirectory::new(staging.join(BLOB_DIRECTORY)));
    let repo = Repo::with(store.clone(), blobs);
    let filled = fill(&repo, staging)?;
    drop(repo);
    settle(store)?;
    Ok(filled)
}

/// Makes a new store durable. The caller has the only handle on the store.
fn settle(store: Arc<SqliteStore>) -> Result<()> {
    match Arc::into_inner(store) {
        Some(store) => Ok(store.settle()?),
        None => unreachable!("the repository that shared the store was dropped"),
    }
}

/// The names of the files of an unfinished clone.
const OF_CLONE: [&str; 3] = [FETCH_DIRECTORY, UPSTREAM_FILE, MISSING_BLOBS_FILE];
