//! The place of a store: a file in the directory of the repository, or an account in a database.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::local::layout::{ADDRESS_FILE, STORE_FILE};

/// The place of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlace {
    /// A SQLite file.
    File(PathBuf),
    /// An account in a database, such as `postgres://localhost/repos#did:web:example.com`.
    Database(String),
}

impl StorePlace {
    /// Finds the store of a repository. Returns `None` if the path is not a repository.
    ///
    /// The path is a directory, or the address of a database with an account. A directory has either the file `pds.db`,
    /// or the file `store` with such an address.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the directory cannot be entered or the address cannot be read.
    pub fn of(path: impl AsRef<Path>) -> Result<Option<Self>> {
        let path = path.as_ref();
        if let Some(address) = path.to_str().filter(|text| is_address(text)) {
            return Ok(Some(Self::Database(address.to_owned())));
        }
        let file = path.join(STORE_FILE);
        match file.metadata() {
            Ok(found) if found.is_file() => return Ok(Some(Self::File(file))),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(Error::io(file)(error));
            }
            _ => {}
        }
        let file = path.join(ADDRESS_FILE);
        if !file.symlink_metadata().is_ok_and(|found| found.is_file()) {
            return Ok(None);
        }
        let address = read_address(&file).map_err(Error::io(file))?;
        // Other programs have files of this name.
        Ok(Some(address).filter(|address| is_address(address)).map(Self::Database))
    }
}

/// Returns whether a text looks like the address of a database, valid or not.
#[must_use]
pub fn is_address(text: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme))
}

/// Reads the first line of a file.
fn read_address(file: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_ADDRESS_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Far longer than any address.
const MAX_ADDRESS_BYTES: u64 = 4096;
