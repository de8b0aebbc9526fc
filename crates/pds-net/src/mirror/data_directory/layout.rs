//! The files in the data directory of a reference PDS.
//!
//! The files may be hostile: only regular files are opened, through no symbolic link, and only names that are DIDs or
//! CIDs are used.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use pds_core::crypto::curve::Curve;
use pds_core::crypto::signing_key::SigningKey;
use pds_core::data::cid::{Cid, Codec};
use pds_core::syntax::did::Did;
use pds_core::syntax::handle::Handle;
use pds_store::error::StoreError;
use pds_store::sqlite::foreign_reader::{ForeignReader, read_tables};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::mirror::small_file::{failed, open_regular};

/// The data directory of a reference PDS.
#[derive(Clone, Debug)]
pub struct DataDirectory {
    root: PathBuf,
}

impl DataDirectory {
    /// Returns whether a directory has the layout of a data directory.
    #[must_use]
    pub fn is_at(path: &Path) -> bool {
        path.join(ACTORS).is_dir()
    }

    /// Opens a data directory.
    ///
    /// # Errors
    ///
    /// [`Error::Source`] if it has no directory `actors`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let root = path.canonicalize().map_err(|error| failed(path, error))?;
        let this = Self { root };
        match this.find(&[ACTORS])? {
            Some(_) => Ok(this),
            None => {
                Err(unusable(path, "it has no directory actors: it is no data directory of a PDS"))
            }
        }
    }

    /// Returns all accounts, in order.
    ///
    /// # Errors
    ///
    /// [`Error::Source`] for a symbolic link, [`Error::Repo`] if a directory cannot be read.
    pub fn accounts(&self) -> Result<Vec<Did>> {
        let mut found = Vec::new();
        for group in self.names(&[ACTORS])? {
            let is_group = group.len() == 2 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_group {
                let names = self.names(&[ACTORS, &group])?;
                let dids = names.iter().filter_map(|name| name.parse::<Did>().ok());
                found.extend(dids.filter(|did| group_of(did) == group));
            }
        }
        Ok(found)
    }

    /// Returns the handles of the accounts, as the server has them. It reads only the table `actor`, because other
    /// tables have secrets.
    ///
    /// # Errors
    ///
    /// [`Error::Source`] if the file is not sound. Without the file, there are no handles.
    pub fn handles(&self) -> Result<HashMap<Did, Handle>> {
        let Some(path) = self.find(&[ACCOUNTS])? else { return Ok(HashMap::new()) };
        read_file(&path, &mut |reader| {
            let mut found = HashMap::new();
            reader.each_row("actor", &["did", "handle"], &mut |row| {
                let did = row.text(0).and_then(|did| did.parse::<Did>().ok());
                let handle = row.text(1).and_then(|handle| handle.parse::<Handle>().ok());
                if let (Some(did), Some(handle)) = (did, handle) {
                    found.insert(did, handle.normalized());
                }
                Ok::<_, ReadFault>(ControlFlow::Continue(()))
            })?;
            Ok(found)
        })
    }

    /// Returns the account that has a handle on this server, or `None`.
    ///
    /// # Errors
    ///
    /// As [`handles`](Self::handles).
    pub fn account_of(&self, handle: &Handle) -> Result<Option<Did>> {
        let wanted = handle.normalized();
        let found = self.handles()?.into_iter().find(|(_, handle)| *handle == wanted);
        Ok(found.map(|(did, _)| did))
    }

    /// Returns the database of an account.
    pub(super) fn store(&self, did: &Did) -> Result<PathBuf> {
        let found = self.find(&[ACTORS, &group_of(did), did.as_str(), STORE])?;
        found.ok_or_else(|| unusable(&self.root, &format!("it has no account {did}")))
    }

    /// Returns the signing key of an account, if the directory has one.
    pub(super) fn key(&self, did: &Did) -> Result<Option<SigningKey>> {
        let Some((path, file)) = self.open_file(&[ACTORS, &group_of(did), did.as_str(), KEY])?
        else {
            return Ok(None);
        };
        // The full capacity, because a vector that grows leaves copies of the secret behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES + 1));
        let read = file.take(SECRET_BYTES as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| failed(&path, error))?;
        let key = SigningKey::from_bytes(Curve::K256, &bytes);
        key.map(Some).map_err(|error| unusable(&path, &error.to_string()))
    }

    /// Opens a blob of an account, if the directory has it.
    pub(super) fn blob(&self, did: &Did, cid: &Cid) -> Result<Option<File>> {
        let opened = self.open_file(&[BLOBS, did.as_str(), &cid.to_string()])?;
        Ok(opened.map(|(_, file)| file))
    }

    /// Returns whether the server has withdrawn a blob.
    pub(super) fn has_quarantined(&self, did: &Did, cid: &Cid) -> Result<bool> {
        let found = self.find(&[BLOBS, QUARANTINE, did.as_str(), &cid.to_string()])?;
        Ok(found.is_some())
    }

    fn open_file(&self, names: &[&str]) -> Result<Option<(PathBuf, File)>> {
        let Some(path) = self.find(names)? else { return Ok(None) };
        match open_regular(&path, false) {
            Ok(file) => Ok(file.map(|file| (path, file))),
            Err(Error::File { path, reason }) => Err(Error::Source { path, reason }),
            Err(error) => Err(error),
        }
    }

    /// Returns the path of an entry, if it exists. No part of it is a symbolic link.
    fn find(&self, names: &[&str]) -> Result<Option<PathBuf>> {
        let mut path = self.root.clone();
        for (number, name) in names.iter().enumerate() {
            path.push(name);
            match path.symlink_metadata() {
                Ok(about) if about.is_symlink() => {
                    return Err(unusable(&path, "it is a symbolic link"));
                }
                Ok(about) if number + 1 < names.len() && !about.is_dir() => {
                    return Err(unusable(&path, "it is not a directory"));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failed(&path, error)),
            }
        }
        Ok(Some(path))
    }

    /// Returns the names in a directory, in order. Names that are no text are left out.
    fn names(&self, names: &[&str]) -> Result<Vec<String>> {
        let Some(path) = self.find(names)? else { return Ok(Vec::new()) };
        if !path.is_dir() {
            return Err(unusable(&path, "it is not a directory"));
        }
        let entries = fs::read_dir(&path).map_err(|error| failed(&path, error))?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
        let names = names.collect::<io::Result<Vec<_>>>().map_err(|error| failed(&path, error))?;
        let mut names: Vec<String> = names.into_iter().flatten().collect();
        names.sort();
        Ok(names)
    }
}

/// The directory of an account is in one that is named by a hash of the DID.
fn group_of(did: &Did) -> String {
    let hash = Cid::of(Codec::Raw, did.as_str().as_bytes());
    HEXLOWER.encode(hash.digest().get(..1).unwrap_or_default())
}

/// An error while a database is read: one of the database, or another one.
pub(super) enum ReadFault {
    Database(StoreError),
    Other(Error),
}

impl From<StoreError> for ReadFault {
    fn from(error: StoreError) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for ReadFault {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Reads tables of a database in one transaction.
pub(super) fn read_file<T>(
    path: &Path,
    read: &mut dyn FnMut(&ForeignReader) -> Result<T, ReadFault>,
) -> Result<T> {
    read_tables(path, read).map_err(|fault| match fault {
        ReadFault::Other(error) => error,
        ReadFault::Database(StoreError::Damaged(error)) => unusable(path, &error.to_string()),
        ReadFault::Database(StoreError::NotAStore(reason)) => unusable(path, &reason),
        ReadFault::Database(error) => Error::Repo(error.into()),
    })
}

/// The error about a file of a data directory that this program cannot use.
pub(super) fn unusable(path: &Path, reason: &str) -> Error {
    Error::Source { path: path.to_owned(), reason: reason.to_owned() }
}

/// The directory of the accounts.
const ACTORS: &str = "actors";

/// The database of the server with the handles of all accounts.
const ACCOUNTS: &str = "account.sqlite";

/// The database of an account.
const STORE: &str = "store.sqlite";

/// The signing key of an account: the 32 bytes of a K-256 secret.
const KEY: &str = "key";
const SECRET_BYTES: usize = 32;

/// The directory of the blobs, and the one in it of blobs that were taken down.
const BLOBS: &str = "blocks";
const QUARANTINE: &str = "quarantine";
