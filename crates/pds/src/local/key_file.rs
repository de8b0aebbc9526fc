//! A file with one signing key, separate from the database.
//!
//! The file contains the secret multikey and a newline, and only its owner can read it (mode 0600).
//! A copy of the database therefore contains no secret. Writes are atomic: a reader sees the old
//! file, the new one, or none, but never a part.
//!
//! A process that is killed between writing and renaming can leave a file named `.key.*.tmp` next
//! to the key file. It has the same mode and contains a secret. The next command that changes the repository removes it,
//! and so does [`write_new`].
//!
//! On systems other than Unix, the mode is neither set nor checked.
//!
//! # Example
//!
//! ```
//! use pds::crypto::{Curve, SigningKey};
//! use pds::local::key_file;
//!
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("key");
//! assert!(key_file::read(&path)?.is_none());
//!
//! let key = SigningKey::generate(Curve::K256)?;
//! key_file::write_new(&path, &key)?;
//! assert_eq!(key_file::read(&path)?.map(|key| key.public_key()), Some(key.public_key()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use pds_core::crypto::error::CryptoError;
use pds_core::crypto::signing_key::SigningKey;
use pds_store::leftovers::{Leftovers, remove_leftovers};
use pds_store::unfinished::UnfinishedFile;

/// The error for a key file that cannot be read or written. It names the file and never its
/// content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The operating system refused the operation.
    #[error("cannot {action} key file {}", path.display())]
    Io {
        /// The attempted action: `read` or `write`.
        action: &'static str,
        /// The key file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },

    /// A key file exists already. It is not overwritten, so that its key is not lost.
    #[error("key file {} already exists", path.display())]
    Exists {
        /// The key file.
        path: PathBuf,
    },

    /// The group or other users may read or change the key.
    #[error(
        "key file {} is open to group or others (mode {mode:04o}): run chmod 600 on it",
        path.display()
    )]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// The permission bits of the file.
        mode: u32,
    },

    /// The file is much longer than a key.
    #[error("key file {} is longer than {MAX_FILE_SIZE_BYTES} bytes", path.display())]
    TooLong {
        /// The key file.
        path: PathBuf,
    },

    /// The file does not contain a valid secret multikey.
    #[error("key file {} contains no valid key", path.display())]
    Invalid {
        /// The key file.
        path: PathBuf,
        /// The broken rule.
        source: CryptoError,
    },
}

/// Removes the key files that killed processes have not completed from a directory.
#[must_use = "a file that cannot be removed is in the result"]
pub fn remove_unfinished_keys(dir: impl AsRef<Path>) -> Leftovers {
    remove_leftovers(dir, is_unfinished)
}

/// Tells whether a name is that of a key file that is not complete yet.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.starts_with(UNFINISHED_PREFIX) && name.ends_with(UNFINISHED_SUFFIX)
}

/// Writes a new key file. It never overwrites a file.
///
/// Removes the unfinished files of killed processes from the same directory; those of other users stay.
///
/// When this returns, the file and its name are on disk.
///
/// # Errors
///
/// [`KeyFileError::Exists`] if the path exists, and [`KeyFileError::Io`]. The path never has a
/// partial key.
pub fn write_new(path: impl AsRef<Path>, key: &SigningKey) -> Result<(), KeyFileError> {
    let path = path.as_ref();
    let write = || {
        let directory = directory_of(path);
        let _ = remove_unfinished_keys(directory);
        write_temporary(directory, key)?.publish_new(path)?;
        sync_directory(directory)
    };
    write().map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.to_owned() },
        _ => KeyFileError::Io { action: "write", path: path.to_owned(), source },
    })
}

/// Writes a key file, and replaces an existing one.
///
/// When this returns, the new file and its name are on disk. If the path is a symbolic link, the
/// link is replaced and not its target.
///
/// # Errors
///
/// [`KeyFileError::Io`]. The path then still has the old file or already the new one, and neither
/// is partial.
pub fn replace(path: impl AsRef<Path>, key: &SigningKey) -> Result<(), KeyFileError> {
    let path = path.as_ref();
    let write = || {
        let directory = directory_of(path);
        write_temporary(directory, key)?.publish(path)?;
        sync_directory(directory)
    };
    write().map_err(|source| KeyFileError::Io { action: "write", path: path.to_owned(), source })
}

/// Reads a key file, or returns `None` if the path does not exist.
///
/// The content is a secret multikey, with or without white space around it. Hexadecimal is refused
/// because it does not name its curve.
///
/// # Errors
///
/// [`KeyFileError::Exposed`], [`KeyFileError::TooLong`], [`KeyFileError::Invalid`] and
/// [`KeyFileError::Io`]. A FIFO, a device or a directory at the path is an immediate error.
pub fn read(path: impl AsRef<Path>) -> Result<Option<SigningKey>, KeyFileError> {
    let path = path.as_ref();
    let failed = |source| KeyFileError::Io { action: "read", path: path.to_owned(), source };
    let (file, metadata) = match open_regular(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if let Some(mode) = exposed_mode(&metadata) {
        return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
    }

    // The full capacity, because a vector that grows leaves copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE_SIZE_BYTES + 1));
    file.take(MAX_FILE_SIZE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_FILE_SIZE_BYTES {
        return Err(KeyFileError::TooLong { path: path.to_owned() });
    }
    let key = match std::str::from_utf8(&bytes) {
        Ok(text) => SigningKey::from_multikey(text.trim()),
        Err(_) => Err(CryptoError::InvalidSigningKey { reason: "it is not text" }),
    };
    key.map(Some).map_err(|source| KeyFileError::Invalid { path: path.to_owned(), source })
}

/// Opens a regular file. Any other file is an error: opening a FIFO would wait for a writer.
fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    let check = |metadata: Metadata| match metadata.is_file() {
        true => Ok(metadata),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    };
    check(std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    // The metadata is that of the open file: the path may name another file by now.
    let metadata = check(file.metadata()?)?;
    Ok((file, metadata))
}

/// Writes the key to a temporary file in the same directory, synced and ready to be renamed. The
/// file is deleted when it is dropped.
fn write_temporary(directory: &Path, key: &SigningKey) -> io::Result<UnfinishedFile> {
    // tempfile creates the file with mode 0600 and `O_EXCL`, so that other users can never read it.
    let mut temporary =
        UnfinishedFile::private_in(directory, UNFINISHED_PREFIX, UNFINISHED_SUFFIX)?;
    let file = temporary.as_file();
    set_owner_only(file)?;
    file.write_all(key.to_multikey().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    Ok(temporary)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Returns the permission bits if they grant any access to the group or to others.
#[cfg(unix)]
fn exposed_mode(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn exposed_mode(_metadata: &Metadata) -> Option<u32> {
    None
}

/// Sets the mode that `read` requires, independent of the umask.
#[cfg(unix)]
fn set_owner_only(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn set_owner_only(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Makes a rename durable. Without it, a crash may undo the rename.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

/// The start and the end of the names of key files that are not complete yet.
const UNFINISHED_PREFIX: &str = ".key.";
const UNFINISHED_SUFFIX: &str = ".tmp";

/// Much longer than a key and its newline: a longer file was named by mistake.
pub(super) const MAX_FILE_SIZE_BYTES: usize = 4096;

#[cfg(test)]
#[path = "key_file_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
