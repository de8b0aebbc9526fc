//! The directory `fetch/`: CAR files that have arrived, and the lock of a fetch at work.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pds::car::CarFile;
use pds::local::layout::{FETCH_DIRECTORY, FETCH_STATE_FILE, is_fetch_file};
use pds::local::locks::DirectoryLock;
use pds_core::syntax::did::Did;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::mirror::free_space::check_free;
use crate::mirror::small_file::{bad, failed, open_regular, read_json, write_json};
use crate::progress::{Progress, Report};
use crate::xrpc::parsed;

/// The directory of a fetch at work. Its lock keeps other fetches of the same repository away.
///
/// Files that a killed fetch has left are used again; every block in them is hashed when it is read.
#[derive(Debug)]
pub(super) struct FetchDir {
    path: PathBuf,
    _lock: File,
}

/// The lock of [`FetchDir`], for a change that keeps no files.
#[derive(Debug)]
pub(super) struct MirrorLock {
    path: PathBuf,
    _lock: File,
}

impl MirrorLock {
    /// Locks a mirror. `wait` is the time to wait for another fetch.
    pub(super) fn take(dir: &Path, wait: Duration) -> Result<Self> {
        let path = dir.join(FETCH_DIRECTORY);
        let lock = locked(&path, wait)?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for MirrorLock {
    fn drop(&mut self) {
        // It stays if a killed fetch has left files.
        let _ = fs::remove_dir(&self.path);
    }
}

/// Which account the files belong to.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    #[serde(serialize_with = "parsed::write", deserialize_with = "parsed::text")]
    did: Did,
}

/// A file that has arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) path: PathBuf,
    /// Why the body ended early, if it did. The file has the whole blocks before that.
    pub(super) cut: Option<Error>,
}

impl FetchDir {
    /// Locks the directory of a repository's fetches, and makes it if necessary. `wait` is the time to wait for another
    /// fetch. Files of another account are removed, but files of other kinds are an error: they are not ours.
    pub(super) fn lock(dir: &Path, did: &Did, wait: Duration) -> Result<Self> {
        let path = dir.join(FETCH_DIRECTORY);
        let lock = locked(&path, wait)?;
        let this = Self { path, _lock: lock };
        this.check_own()?;
        match read_json::<State>(&this.path.join(STATE), MAX_STATE_BYTES) {
            Ok(Some(state)) if state.did == *did => {}
            Ok(_) | Err(Error::File { .. }) => {
                this.clear()?;
                write_json(&this.path.join(STATE), &State { did: did.clone() })?;
            }
            Err(error) => return Err(error),
        }
        Ok(this)
    }

    /// Returns the complete files of this fetch and of interrupted ones, in the order of their arrival.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for (number, path) in self.numbered(PART)? {
            // A killed fetch has left it: its whole blocks are used.
            let whole = self.path.join(format!("{number}{CAR}"));
            if keep_whole_blocks(&path)? {
                fs::rename(&path, &whole).map_err(|error| failed(&path, error))?;
            }
        }
        found.extend(self.numbered(CAR)?);
        found.sort();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// Stores a body as the next file.
    pub(super) fn store(&self, body: &mut dyn Read, report: Report<'_>) -> Result<Arrived> {
        let (part, path) = self.next()?;
        let file = File::create_new(&part).map_err(|error| failed(&part, error))?;
        let cut = match copy(body, &file, report) {
            Err(error @ Error::Bound { .. }) => {
                fs::remove_file(&part).map_err(|error| failed(&part, error))?;
                return Err(error);
            }
            Err(error @ (Error::Repo(_) | Error::Stopped)) => return Err(error),
            copied => copied.err(),
        };
        drop(file);
        if cut.is_some() && !keep_whole_blocks(&part)? {
            return Ok(Arrived { path: part, cut });
        }
        fs::rename(&part, &path).map_err(|error| failed(&path, error))?;
        Ok(Arrived { path, cut })
    }

    /// Returns the names of the next file, before and after it is complete.
    pub(super) fn next(&self) -> Result<(PathBuf, PathBuf)> {
        let last = self.numbered(CAR)?.into_iter().chain(self.numbered(PART)?).max();
        let number = last.map_or(0, |(number, _)| number + 1);
        Ok([PART, CAR].map(|end| self.path.join(format!("{number}{end}"))).into())
    }

    /// Returns the bytes of all files.
    pub(super) fn bytes(&self) -> Result<u64> {
        let sizes = self.entries()?.into_iter().filter_map(|path| path.symlink_metadata().ok());
        Ok(sizes.map(|about| about.len()).sum())
    }

    /// Removes the files and the directory.
    pub(super) fn finish(self) -> Result<()> {
        self.clear()?;
        fs::remove_dir(&self.path).map_err(|error| failed(&self.path, error))
    }

    /// Removes the files that have arrived.
    pub(super) fn clear_files(&self) -> Result<()> {
        for (_, path) in self.numbered(CAR)?.into_iter().chain(self.numbered(PART)?) {
            fs::remove_file(&path).map_err(|error| failed(&path, error))?;
        }
        Ok(())
    }

    /// Removes the files of a fetch.
    fn clear(&self) -> Result<()> {
        self.check_own()?;
        for entry in self.entries()? {
            fs::remove_file(&entry).map_err(|error| failed(&entry, error))?;
        }
        Ok(())
    }

    /// Checks that the directory has files of a fetch only: what else is there belongs to the user.
    fn check_own(&self) -> Result<()> {
        let is_own = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            is_fetch_file(name) && (path.is_symlink() || !path.is_dir())
        };
        match self.entries()?.iter().find(|path| !is_own(path)) {
            Some(other) => Err(bad(other, "it is not a file of a fetch; move it away")),
            None => Ok(()),
        }
    }

    fn entries(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.path).map_err(|error| failed(&self.path, error))?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths.collect::<io::Result<_>>().map_err(|error| failed(&self.path, error))
    }

    /// Returns the files with a number and this end of their names.
    fn numbered(&self, end: &str) -> Result<Vec<(u64, PathBuf)>> {
        let numbered = |path: PathBuf| Some((number_of(&path, end)?, path));
        Ok(self.entries()?.into_iter().filter_map(numbered).collect())
    }
}

/// Returns the number of a file with this end of its name.
fn number_of(path: &Path, end: &str) -> Option<u64> {
    let number = path.file_name()?.to_str()?.strip_suffix(end)?.parse().ok()?;
    Some(number).filter(|number| *number < MAX_FILES)
}

/// Makes and locks a directory. It may be removed by the end of another fetch between these steps.
fn locked(path: &Path, wait: Duration) -> Result<File> {
    let begun = Instant::now();
    loop {
        match private_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(path, error));
            }
            _ => {}
        }
        let about = path.symlink_metadata();
        if about.as_ref().is_ok_and(|about| !about.is_dir()) {
            return Err(bad(path, "it is not a directory"));
        }
        match DirectoryLock::take(path).map_err(|error| failed(path, error))? {
            DirectoryLock::Held(lock) => return Ok(lock),
            DirectoryLock::InUse if begun.elapsed() < wait => {
                std::thread::sleep(Duration::from_millis(50));
            }
            DirectoryLock::InUse => return Err(Error::Busy),
            // Another fetch has just ended.
            DirectoryLock::Gone => {}
        }
    }
}

#[cfg(unix)]
fn private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn private_dir(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

/// Copies a body into a file. The error is that of the body, unless the file fails or the caller stops.
fn copy(body: &mut dyn Read, mut file: &File, report: Report<'_>) -> Result<u64> {
    let (mut buffer, mut bytes) = (vec![0; BUFFER_BYTES], 0);
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        check_free(file, Path::new(FETCH_DIRECTORY), count as u64)?;
        let read = buffer.get(..count).unwrap_or_default();
        file.write_all(read).map_err(|error| failed(Path::new(FETCH_DIRECTORY), error))?;
        bytes += count as u64;
        if report(Progress::Repo { bytes, total: None }).is_break() {
            return Err(Error::Stopped);
        }
    }
}

/// Cuts a file after its last whole block. Removes it if it has none, and returns whether it stays.
fn keep_whole_blocks(path: &Path) -> Result<bool> {
    let io = |error| failed(path, error);
    let Some(file) = open_regular(path, true)? else { return Ok(false) };
    let mut end = None;
    let opened = CarFile::open_reporting(&file, &mut |error| {
        if !error.is_one_block() {
            end = error.offset();
        }
    });
    let whole = match opened {
        Ok(car) if !car.is_empty() => Some(end.unwrap_or_else(|| car.bytes())),
        _ => None,
    };
    match whole {
        Some(bytes) => file.set_len(bytes).map_err(io)?,
        None => fs::remove_file(path).map_err(io)?,
    }
    Ok(whole.is_some())
}

/// The file that names the account.
const STATE: &str = FETCH_STATE_FILE;

/// A fetch makes a few files; other numbers are not its own.
const MAX_FILES: u64 = 1_000_000;

const MAX_STATE_BYTES: u64 = 1 << 20;

/// The end of the name of a complete file.
const CAR: &str = ".car";

/// The end of the name of a file that is arriving.
const PART: &str = ".car.part";

const BUFFER_BYTES: usize = 256 * 1024;
