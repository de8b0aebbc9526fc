//! Repository directories whose store is an account in a database.
//!
//! Such a directory has the key and the blobs, and a file with the address of the store. It is made before the first
//! commit is stored. If the process ends in between, opening the directory stores the first commit.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::local::build::{build, check_free};
use crate::local::copy_options::CopyOptions;
use crate::local::key_file;
use crate::local::layout::{ADDRESS_FILE, BLOB_DIRECTORY, IDENTITY_DIRECTORY, KEY_FILE};
use crate::repo::Repo;
use crate::transfer::import::Imported;
use pds_core::car::read_at::ReadAt;
use pds_core::crypto::signing_key::SigningKey;
use pds_core::syntax::did::Did;
use pds_postgres::address::{Address, AddressError};
use pds_postgres::store::PostgresStore;
use pds_store::blob::directory::BlobDirectory;
use pds_store::error::StoreError;
use pds_store::store::Store;

/// Makes a repository whose store is a new account in a database.
///
/// The address is `postgres://[USER@]HOST[:PORT]/DATABASE`. A password comes from `PGPASSWORD` or from a password file.
///
/// # Errors
///
/// As [`Repo::create`], and [`Error::Store`] if the database refuses, or has the account already. If an error occurs,
/// no directory is made, unless the first commit may have been stored.
pub fn create_in_database(
    dir: impl AsRef<Path>,
    address: &str,
    did: &Did,
    key: &SigningKey,
) -> Result<Repo> {
    let dir = dir.as_ref();
    let write_key = |staging: &Path| Ok(key_file::write_new(staging.join(KEY_FILE), key)?);
    let begin = |repo: Repo| repo.signing_with(key.clone()).init(did).map(drop);
    make(dir, address, did, true, write_key, begin)?;
    Repo::open(dir)
}

/// Makes a repository from a CAR file of an account. Its store is that account in a database.
///
/// # Errors
///
/// As [`clone_file`](crate::local::directory::clone_file) and [`create_in_database`].
pub fn clone_into_database<F: ReadAt>(
    dir: impl AsRef<Path>,
    address: &str,
    (did, file): (&Did, F),
    options: &CopyOptions<'_>,
) -> Result<(Repo, Imported)> {
    let dir = dir.as_ref();
    let import = |repo: Repo| {
        let repo = options.on(repo);
        let transfer = repo.transfer().with_jobs(options.jobs).with_message(options.message);
        transfer.with_account_keys(options.account_keys).import_file(file, options.key)
    };
    let imported = make(dir, address, did, false, |_| Ok(()), import)?;
    Ok((Repo::open(dir)?, imported))
}

/// Makes a directory with the files that `prepare` writes, and a new account that `begin` fills. `is_own` tells whether
/// the first commit is made here.
pub(super) fn make<T>(
    dir: &Path,
    address: &str,
    did: &Did,
    is_own: bool,
    prepare: impl FnOnce(&Path) -> Result<()>,
    begin: impl FnOnce(Repo) -> Result<T>,
) -> Result<T> {
    let (address, named) = parse(address)?;
    // The database is not touched if the directory cannot be made.
    check_free(dir, &[])?;
    if let Some(named) = named.filter(|named| named != did) {
        return Err(Error::WrongDid { expected: named, found: did.clone() });
    }
    let existed = dir.exists();
    let store = PostgresStore::create(&address, did).map_err(no_account)?;
    let store = Arc::new(store);
    build(dir, |staging| {
        prepare(staging)?;
        write_address(&staging.join(ADDRESS_FILE), store.address(), is_own)
    })?;
    let blobs = Arc::new(BlobDirectory::new(dir.join(BLOB_DIRECTORY)));
    begin(Repo::with(store.clone(), blobs)).inspect_err(|error| {
        let is_empty = || store.view().is_ok_and(|view| view.version().change == 0);
        let is_taken = matches!(error, Error::Store(StoreError::Moved { .. }));
        // Otherwise the key may have signed the first commit.
        if is_taken || !has_lost_connection(error) && is_empty() {
            for name in [ADDRESS_FILE, KEY_FILE] {
                let _ = fs::remove_file(dir.join(name));
            }
            for name in [BLOB_DIRECTORY, IDENTITY_DIRECTORY] {
                let _ = fs::remove_dir_all(dir.join(name));
            }
            if !existed {
                let _ = fs::remove_dir(dir);
            }
        }
    })
}

/// Returns whether the connection to the server ended: the server may still work on the change.
fn has_lost_connection(error: &Error) -> bool {
    let Error::Store(StoreError::Backend(error)) = error else { return false };
    std::iter::successors(Some(&**error as &dyn std::error::Error), |cause| cause.source())
        .any(|cause| cause.is::<io::Error>())
}

/// Writes the address of a store, and whether the first commit is made here or comes from a file.
fn write_address(path: &Path, address: &Address, is_own: bool) -> Result<()> {
    let mut file = File::create_new(path).map_err(Error::io(path))?;
    let own = if is_own { OWN_LINE } else { "" };
    let written = write!(file, "{address}\n{own}").and_then(|()| file.sync_all());
    written.map_err(Error::io(path))
}

/// Opens the store of an account in a database.
pub(super) fn open_store(address: &str) -> Result<Arc<dyn Store>> {
    let (address, did) = parse(address)?;
    let did = did.ok_or_else(|| Error::Address("it names no account; add #DID".to_owned()))?;
    Ok(Arc::new(PostgresStore::open(&address, &did).map_err(no_account)?))
}

fn no_account(error: StoreError) -> Error {
    match error {
        StoreError::NotAStore(reason) => Error::NoAccount(reason),
        error => error.into(),
    }
}

/// Stores the first commit if the process that made the directory ended before that.
pub(super) fn complete(repo: &Repo, dir: &Path, address: &str) -> Result<()> {
    let path = dir.join(ADDRESS_FILE);
    let is_own = fs::read_to_string(&path).map_err(Error::io(&path))?.ends_with(OWN_LINE);
    if let (_, Some(did)) = parse(address)?
        && is_own
        && repo.store().view()?.version().change == 0
    {
        repo.init(&did)?;
    }
    Ok(())
}

fn parse(address: &str) -> Result<(Address, Option<Did>)> {
    let invalid = |error: AddressError| Error::Address(error.reason().to_owned());
    let address: Address = address.parse().map_err(invalid)?;
    let did = address.did().cloned();
    Ok((address, did))
}

/// The second line of the file with the address, if the first commit is made here.
const OWN_LINE: &str = "own\n";
