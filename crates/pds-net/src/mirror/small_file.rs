//! Small files next to a store: read without trust, and replaced as a whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use pds::local::layout::STAGING_PREFIX;
use pds::unfinished::UnfinishedFile;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Reads a file of at most `max_bytes`, or returns `None` if it does not exist.
///
/// The directory may come from elsewhere: a link, a device, or a file that is too large is an error.
pub(super) fn read(path: &Path, max_bytes: u64) -> Result<Option<Vec<u8>>> {
    let Some(file) = open_regular(path, false)? else { return Ok(None) };
    let mut bytes = Vec::new();
    let read = file.take(max_bytes + 1).read_to_end(&mut bytes);
    read.map_err(|error| bad(path, &error.to_string()))?;
    if bytes.len() as u64 > max_bytes {
        return Err(bad(path, &format!("it has more than {max_bytes} bytes")));
    }
    Ok(Some(bytes))
}

/// Opens a regular file, or returns `None` if it does not exist. A link, a directory or a device is an error.
pub(super) fn open_regular(path: &Path, write: bool) -> Result<Option<File>> {
    let file = match open(path, write) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(path, &error.to_string())),
    };
    let about = file.metadata().map_err(|error| bad(path, &error.to_string()))?;
    match about.is_file() {
        true => Ok(Some(file)),
        false => Err(bad(path, "it is not a regular file")),
    }
}

/// Opens a file that a fetch has made.
pub(super) fn open_fetched(path: &Path) -> Result<File> {
    let absent = || failed(path, io::ErrorKind::NotFound.into());
    open_regular(path, false)?.ok_or_else(absent)
}

/// Checks that a directory is no link, if it exists.
pub(super) fn check_directory(dir: &Path) -> Result<()> {
    match dir.symlink_metadata() {
        Ok(about) if !about.is_dir() => Err(bad(dir, "it is not a directory")),
        _ => Ok(()),
    }
}

/// Reads a JSON file of at most `max_bytes`, or returns `None` if it does not exist.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path, max_bytes: u64) -> Result<Option<T>> {
    let Some(bytes) = read(path, max_bytes)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| bad(path, &error.to_string()))
}

/// Writes a file: the old content or the new one is there, also after a power cut.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let Some(dir) = path.parent() else { return Err(bad(path, "it has no name")) };
    let write = || {
        // What a killed process leaves has the name of other unfinished work, which the next one removes.
        let mut file = UnfinishedFile::create_in(dir, STAGING_PREFIX)?;
        file.as_file().write_all(bytes)?;
        file.as_file().sync_all()?;
        file.publish(path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|error| failed(path, error))
}

/// Writes a value as JSON, as [`write`] does.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| bad(path, &error.to_string()))?;
    bytes.push(b'\n');
    write(path, &bytes)
}

/// Opens a file for reading, but no link; a pipe without a writer does not block.
#[cfg(unix)]
fn open(path: &Path, write: bool) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(true).write(write).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path, write: bool) -> io::Result<File> {
    if path.symlink_metadata()?.is_symlink() {
        return Err(io::Error::other("it is a symbolic link"));
    }
    OpenOptions::new().read(true).write(write).open(path)
}

/// Returns the error about a file that this program cannot use.
pub(super) fn bad(path: &Path, reason: &str) -> Error {
    Error::File { path: path.to_owned(), reason: reason.to_owned() }
}

/// Returns the error about a file that cannot be written.
pub(super) fn failed(path: &Path, source: io::Error) -> Error {
    pds::Error::Io { path: path.to_owned(), source }.into()
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_small_regular_files_are_read() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        assert!(read(&at("absent"), 9).unwrap().is_none());
        write(&at("a"), b"123456789").unwrap();
        assert_eq!(read(&at("a"), 9).unwrap().unwrap(), b"123456789");
        assert!(matches!(read(&at("a"), 8), Err(Error::File { .. })));
        std::os::unix::fs::symlink("a", at("link")).unwrap();
        assert!(matches!(read(&at("link"), 9), Err(Error::File { .. })));
        std::fs::create_dir(at("dir")).unwrap();
        assert!(matches!(read(&at("dir"), 9), Err(Error::File { .. })));
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        assert!(matches!(read(&at("pipe"), 9), Err(Error::File { .. })));
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        write(&at("deep"), deep.as_bytes()).unwrap();
        let parsed = read_json::<serde_json::Value>(&at("deep"), 1 << 20);
        assert!(matches!(parsed, Err(Error::File { .. })));
    }
}
