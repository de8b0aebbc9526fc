//! A file with one signing key, separate from the database.
//!
//! The file contains the secret multikey and a newline, and only its owner can read it (mode 0600).
//! A copy of the database therefore contains no secret. Writes are atomic: a reader sees the old
//! file, the new one, or none, but never a part.
//!
//! A process that is killed between writing and renaming can leave a file named `.key.*.tmp` next
//! to the key file. It has the same mode, contains a secret, and may be deleted.
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
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use pds_core::crypto::error::CryptoError;
use pds_core::crypto::signing_key::SigningKey;

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

/// Writes a new key file. It never overwrites a file.
///
/// When this returns, the file and its name are on disk.
///
/// # Errors
///
/// [`KeyFileError::Exists`] if the path exists, and [`KeyFileError::Io`]. The path never has a
/// partial key.
pub fn write_new(path: &Path, key: &SigningKey) -> Result<(), KeyFileError> {
    let write = || {
        let directory = directory_of(path);
        write_temporary(directory, key)?.persist_noclobber(path).map_err(|failed| failed.error)?;
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
pub fn replace(path: &Path, key: &SigningKey) -> Result<(), KeyFileError> {
    let write = || {
        let directory = directory_of(path);
        write_temporary(directory, key)?.persist(path).map_err(|failed| failed.error)?;
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
pub fn read(path: &Path) -> Result<Option<SigningKey>, KeyFileError> {
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
fn write_temporary(directory: &Path, key: &SigningKey) -> io::Result<NamedTempFile> {
    // tempfile creates the file with mode 0600 and `O_EXCL`, so that other users can never read it.
    let mut file =
        tempfile::Builder::new().prefix(".key.").suffix(".tmp").tempfile_in(directory)?;
    set_owner_only(file.as_file())?;
    file.write_all(key.to_multikey().as_bytes())?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    Ok(file)
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

/// Much longer than a key and its newline: a longer file was named by mistake.
pub(super) const MAX_FILE_SIZE_BYTES: usize = 4096;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::error::Error;
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use pds_core::crypto::curve::Curve;

    struct Place {
        directory: tempfile::TempDir,
        path: PathBuf,
    }

    fn place() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        Place { directory, path }
    }

    fn key() -> SigningKey {
        SigningKey::generate(Curve::P256).unwrap()
    }

    fn write_raw(path: &Path, content: &[u8]) {
        fs::write(path, content).unwrap();
        set_owner_only(&File::open(path).unwrap()).unwrap();
    }

    fn names(place: &Place) -> Vec<String> {
        let entries = fs::read_dir(place.directory.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[cfg(unix)]
    fn set_mode(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_new_file_is_the_multikey_and_a_newline() {
        let (place, key) = (place(), key());
        write_new(&place.path, &key).unwrap();
        assert_eq!(fs::read_to_string(&place.path).unwrap(), format!("{}\n", *key.to_multikey()));
        assert_eq!(read(&place.path).unwrap().unwrap().to_multikey(), key.to_multikey());
        assert_eq!(names(&place), ["key"], "no temporary file stays");
    }

    #[test]
    fn no_file_is_none() {
        assert!(read(&place().path).unwrap().is_none());
    }

    #[test]
    fn a_new_file_never_replaces_another() {
        let (place, first) = (place(), key());
        write_new(&place.path, &first).unwrap();
        let refused = write_new(&place.path, &key());
        assert!(matches!(refused, Err(KeyFileError::Exists { .. })));
        assert_eq!(read(&place.path).unwrap().unwrap().public_key(), first.public_key());
        assert_eq!(names(&place), ["key"]);
    }

    #[test]
    #[cfg(unix)]
    fn a_new_file_does_not_follow_a_dangling_link() {
        let place = place();
        std::os::unix::fs::symlink(place.directory.path().join("target"), &place.path).unwrap();
        let refused = write_new(&place.path, &key());
        assert!(matches!(refused, Err(KeyFileError::Exists { .. })));
        assert_eq!(names(&place), ["key"]);
    }

    #[test]
    #[cfg(unix)]
    fn files_are_for_their_owner_alone_from_the_start() {
        let place = place();
        write_new(&place.path, &key()).unwrap();
        assert_eq!(mode(&place.path), 0o600);
        replace(&place.path, &key()).unwrap();
        assert_eq!(mode(&place.path), 0o600);

        set_mode(&place.path, 0o644);
        replace(&place.path, &key()).unwrap();
        assert_eq!(mode(&place.path), 0o600, "the mode of the old file is not kept");

        fs::remove_file(&place.path).unwrap();
        replace(&place.path, &key()).unwrap();
        assert_eq!(mode(&place.path), 0o600);
    }

    #[test]
    fn replace_leaves_the_new_key_and_no_other_file() {
        let (place, second) = (place(), key());
        write_new(&place.path, &key()).unwrap();
        replace(&place.path, &second).unwrap();
        assert_eq!(read(&place.path).unwrap().unwrap().public_key(), second.public_key());
        assert_eq!(names(&place), ["key"]);
    }

    #[test]
    #[cfg(unix)]
    fn files_open_to_others_are_refused() {
        let place = place();
        write_new(&place.path, &key()).unwrap();
        for bad in [0o640, 0o620, 0o604, 0o602, 0o644, 0o666, 0o777, 0o610] {
            set_mode(&place.path, bad);
            let error = read(&place.path).unwrap_err();
            assert!(matches!(error, KeyFileError::Exposed { mode, .. } if mode == bad));
            let message = error.to_string();
            assert!(message.contains("chmod 600") && message.contains("/key "), "{message}");
            assert!(message.contains(&format!("{bad:04o}")), "{message}");
        }
        for good in [0o600, 0o400, 0o700] {
            set_mode(&place.path, good);
            assert!(read(&place.path).unwrap().is_some());
        }
    }

    #[test]
    fn files_up_to_4_kib_are_read() {
        let (place, key) = (place(), key());
        let mut content = key.to_multikey().as_bytes().to_vec();
        content.resize(MAX_FILE_SIZE_BYTES, b'\n');
        write_raw(&place.path, &content);
        assert!(read(&place.path).unwrap().is_some());

        content.push(b'\n');
        write_raw(&place.path, &content);
        assert!(matches!(read(&place.path), Err(KeyFileError::TooLong { .. })));
    }

    #[test]
    fn errors_name_the_path_and_nothing_of_the_content() {
        let place = place();
        let hex = "a5".repeat(32);
        let mistyped = format!("{}!", *key().to_multikey());
        for content in ["", "\n", "zSECRET", &hex, &mistyped, "\u{0}"].map(str::as_bytes) {
            write_raw(&place.path, content);
            let error = read(&place.path).unwrap_err();
            assert!(matches!(error, KeyFileError::Invalid { .. }));
            let shown = format!("{error} {error:?} {}", error.source().unwrap());
            assert!(shown.contains("/key"), "{shown}");
            for secret in ["SECRET", "a5a5", &mistyped[..20]] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
        write_raw(&place.path, b"\xff\xfe");
        assert!(matches!(read(&place.path), Err(KeyFileError::Invalid { .. })));
    }

    #[test]
    fn a_directory_in_the_way_is_an_io_error() {
        let place = place();
        fs::create_dir(&place.path).unwrap();
        assert!(matches!(read(&place.path), Err(KeyFileError::Io { .. })));
        assert!(matches!(write_new(&place.path, &key()), Err(KeyFileError::Exists { .. })));
        assert!(matches!(replace(&place.path, &key()), Err(KeyFileError::Io { .. })));
        assert_eq!(names(&place), ["key"]);

        let nowhere = place.directory.path().join("no/such/key");
        assert!(matches!(write_new(&nowhere, &key()), Err(KeyFileError::Io { .. })));
        assert!(read(&nowhere).unwrap().is_none());
    }

    #[test]
    #[cfg(unix)]
    fn a_fifo_or_a_device_in_the_way_is_an_io_error_at_once() {
        let fifo = |path: &Path| {
            let made = std::process::Command::new("mkfifo").arg("-m600").arg(path).status();
            assert!(made.unwrap().success());
        };
        let device = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).unwrap();
        for make in [&fifo as &dyn Fn(&Path), &device] {
            let place = place();
            make(&place.path);
            let (sender, receiver) = std::sync::mpsc::channel();
            let path = place.path.clone();
            std::thread::spawn(move || sender.send(read(&path).map(|_| ())));
            let answer = receiver.recv_timeout(std::time::Duration::from_secs(10));
            let error = answer.expect("an answer in time").unwrap_err();
            let source = error.source().unwrap().to_string();
            assert_eq!(source, "it is not a regular file");
            assert!(matches!(write_new(&place.path, &key()), Err(KeyFileError::Exists { .. })));
            replace(&place.path, &key()).unwrap();
            assert!(read(&place.path).unwrap().is_some());
        }
    }

    #[test]
    fn a_bare_name_is_in_the_current_directory() {
        assert_eq!(directory_of(Path::new("key")), Path::new("."));
        assert_eq!(directory_of(Path::new("repo/key")), Path::new("repo"));
        assert_eq!(directory_of(Path::new("/key")), Path::new("/"));
    }
}
