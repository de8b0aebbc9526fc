//! The copy of a repository in a directory or a database to a new directory.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::error::{Error, Result};
use crate::local::copy_options::CopyOptions;
use crate::local::directory::build_with_store;
use crate::local::key_file;
use crate::local::layout::{
    IDENTITY_DIRECTORY, IDENTITY_FILES, KEY_FILE, MISSING_BLOBS_FILE, NEXT_KEY_FILE, UPSTREAM_FILE,
};
use crate::local::locks::sync;
use crate::local::open::open_without_key;
use crate::repo::Repo;
use crate::transfer::copy::Copied;
use pds_core::crypto::signing_key::SigningKey;
use pds_core::data::limits::MAX_PLC_LOG_BYTES;

/// Makes a repository in a directory as a copy of another one: refs, log, history, known keys, blobs, identity files
/// and the files about the host that it follows. Without the signing key, it is a mirror.
///
/// The source is a directory, or the address of an account in a database; such an account has no blobs. Blobs are
/// linked to those of the source if the file system supports it.
///
/// ```
/// use pds::Repo;
/// use pds::local::copy::clone_repository;
/// use pds::local::copy_options::CopyOptions;
///
/// let dir = tempfile::tempdir()?;
/// let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
/// let repo = Repo::create(&one, &"did:web:example.com".parse()?)?;
/// let (copy, _) = clone_repository(&two, &one, &CopyOptions::default().with_key(true))?;
/// assert_eq!(copy.history().log(9)?, repo.history().log(9)?);
/// assert!(copy.keys().can_sign());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`Transfer::copy_of`](crate::transfer::handle::Transfer::copy_of). [`Error::DirectoryInUse`] if the directory is
/// not empty, [`Error::NoSigner`] if the source has no key to copy. If an error occurs, nothing is made.
pub fn clone_repository(
    dir: impl AsRef<Path>,
    source: impl AsRef<Path>,
    options: &CopyOptions<'_>,
) -> Result<(Repo, Copied)> {
    let (dir, source) = (dir.as_ref(), source.as_ref());
    let original = open_without_key(source)?;
    // They are older than the copied state then: a pull fetches too much rather than too little.
    let about_host = read_about_host(source)?;
    let files = |staging: &Path| -> Result<()> {
        if options.with_key {
            key_file::write_new(staging.join(KEY_FILE), &key_of(source, &original)?)?;
        }
        about_host.iter().try_for_each(|(name, bytes)| write_new(&staging.join(name), bytes))?;
        copy_identity(source, staging)
    };
    let copy = |repo: &Repo| {
        let repo = options.on(repo.clone());
        let transfer = repo.transfer().with_jobs(options.jobs).with_progress(options.progress);
        transfer.copy_of(original.transfer(), options.key)
    };
    let copied = match options.store {
        None => build_with_store(dir, |repo, staging| {
            let copied = copy(repo)?;
            files(staging).map(|()| copied)
        })?,
        Some(address) => copy_into_database(dir, address, &original, files, copy)?,
    };
    Ok((Repo::open(dir)?, copied))
}

#[cfg(feature = "postgres")]
fn copy_into_database(
    dir: &Path,
    address: &str,
    original: &Repo,
    files: impl FnOnce(&Path) -> Result<()>,
    copy: impl FnOnce(&Repo) -> Result<Copied>,
) -> Result<Copied> {
    let did =
        original.did()?.ok_or_else(|| Error::NoCommit(original.history().ref_name().clone()))?;
    crate::local::database::make(dir, address, &did, false, files, |repo| copy(&repo))
}

#[cfg(not(feature = "postgres"))]
fn copy_into_database(
    _: &Path,
    _: &str,
    _: &Repo,
    _: impl FnOnce(&Path) -> Result<()>,
    _: impl FnOnce(&Repo) -> Result<Copied>,
) -> Result<Copied> {
    let message = "the store is in a database, which needs the feature `postgres` of the library";
    Err(pds_store::error::StoreError::NotAStore(message.to_owned()).into())
}

/// Reads the key of a repository. During a rotation, its file has another name for a moment.
fn key_of(source: &Path, original: &Repo) -> Result<SigningKey> {
    let known = original.keys().known()?;
    let mut other = None;
    for name in [KEY_FILE, NEXT_KEY_FILE, KEY_FILE] {
        let Some(key) = key_file::read(source.join(name))? else { continue };
        match &known {
            Some(known) if *known != key.public_key() => other = Some(key.public_key()),
            _ => return Ok(key),
        }
    }
    Err(match (known, other) {
        (Some(expected), Some(found)) => {
            Error::WrongKey { expected: Box::new(expected), found: Box::new(found) }
        }
        _ => Error::NoSigner,
    })
}

/// Copies the files about the identity of the account.
fn copy_identity(source: &Path, staging: &Path) -> Result<()> {
    let (from, to) = (source.join(IDENTITY_DIRECTORY), staging.join(IDENTITY_DIRECTORY));
    for name in IDENTITY_FILES {
        let Some(bytes) = read_small(&from.join(name), MAX_PLC_LOG_BYTES)? else { continue };
        fs::create_dir_all(&to).map_err(Error::io(&to))?;
        write_new(&to.join(name), &bytes)?;
        sync(&to)?;
    }
    Ok(())
}

/// Reads the files about the host that a mirror follows.
fn read_about_host(source: &Path) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut files = Vec::new();
    for (name, max_bytes) in ABOUT_HOST {
        if let Some(bytes) = read_small(&source.join(name), max_bytes)? {
            files.push((name, bytes));
        }
    }
    Ok(files)
}

/// Reads a regular file, or returns `None` without one.
fn read_small(path: &Path, max_bytes: usize) -> Result<Option<Vec<u8>>> {
    if !path.symlink_metadata().is_ok_and(|file| file.is_file()) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(max_bytes as u64 + 1).read_to_end(&mut bytes));
    read.map_err(Error::io(path))?;
    if bytes.len() > max_bytes {
        let too_long = io::Error::new(io::ErrorKind::InvalidData, "it is too long");
        return Err(Error::io(path)(too_long));
    }
    Ok(Some(bytes))
}

/// Writes a new file, durably.
fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = File::create_new(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(Error::io(path))
}

/// The files about the host that a mirror follows, and the most bytes of each.
const ABOUT_HOST: [(&str, usize); 2] = [(UPSTREAM_FILE, 1 << 20), (MISSING_BLOBS_FILE, 64 << 20)];
