//! A blob store that keeps blobs as files in a directory.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::blob::error::BlobError;
use crate::blob::files::{Touched, is_absent, parent, sync_directory};
use crate::blob::store::{BlobInfo, BlobStore, BlobSweep, OpenBlob};
use crate::blob::{files, hashing};
use crate::leftovers::{Leftovers, remove_leftovers};
use crate::unfinished::UnfinishedFile;
use pds_core::data::cid::{Cid, Codec};

/// A directory with one file for each blob: `<directory>/<first two characters of the CID>/<CID>`.
///
/// A blob is written to a temporary file in the same directory, synced and renamed, and the
/// directory is synced. A file with the name of a blob is therefore always complete and durable.
/// The first blob creates the directory.
///
/// Locks on the directory keep a sweep from deleting a blob that this or another process stores or
/// renews at the same moment. If the file system supports no locks, blobs can be stored and
/// renewed, but a sweep by age fails. Only the owner of a blob's file can renew it: for other
/// users, `renew` does not change its age.
///
/// ```
/// use pds::blob::{BlobDirectory, BlobStore};
///
/// let dir = tempfile::tempdir()?;
/// let blobs = BlobDirectory::new(dir.path().join("blobs"));
/// let info = blobs.put(&mut &b"hello"[..])?;
/// let path = dir.path().join("blobs/ba").join(info.cid.to_string());
/// assert_eq!(std::fs::read(path)?, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct BlobDirectory {
    root: PathBuf,
}

impl BlobDirectory {
    /// Returns the blob store of a directory, which need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns the path of a blob's file, whether or not it exists.
    #[must_use]
    pub fn path(&self, cid: &Cid) -> PathBuf {
        let name = cid.to_string();
        let (shard, _) = name.split_at(SHARD_CHARS);
        self.root.join(shard).join(&name)
    }

    /// Renames a file that is complete and synced to the name of its blob, and makes the name
    /// durable.
    fn keep(&self, mut temporary: UnfinishedFile, cid: &Cid) -> io::Result<BlobInfo> {
        let path = self.path(cid);
        let shard = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(shard)?;
        // Checked before the lock is taken, because the file may be large. Only complete files get
        // this name.
        let is_whole = files::is_whole(&path, cid);
        let file = {
            let _lock = files::lock_shared(&self.root)?;
            // An intact file is kept and becomes young. A damaged file, or a file of another user,
            // is replaced.
            match is_whole.then(|| files::touch(&path)).transpose()? {
                Some(Touched::Young(file)) => file,
                _ => {
                    temporary.as_file().set_modified(SystemTime::now())?;
                    temporary.publish(&path)?.metadata()?
                }
            }
        };
        // Another process may have created any of these a moment ago without syncing them yet.
        for directory in [shard, &self.root, parent(&self.root)] {
            sync_directory(directory)?;
        }
        Ok(blob_info(*cid, &file))
    }

    /// Links to the file of a blob, after its bytes were hashed. Returns `None` if it must be copied: the files are on
    /// different file systems, or the file has another owner, so that it cannot be made young.
    fn link(&self, path: &Path, cid: &Cid) -> Result<Option<BlobInfo>, BlobError> {
        let Ok(file) = files::open(path) else { return Ok(None) };
        let mut bytes = hashing::Verifying::new(&file, *cid);
        io::copy(&mut bytes, &mut io::sink()).map_err(BlobError::Source)?;
        let failed = |source| BlobError::Io { path: self.root.clone(), source };
        fs::create_dir_all(&self.root).map_err(failed)?;
        let Ok(Touched::Young(_)) = files::touch(path) else { return Ok(None) };
        let Ok(mut temporary) = UnfinishedFile::link_in(&self.root, INCOMING, path) else {
            return Ok(None);
        };
        temporary.as_file().sync_all().map_err(failed)?;
        self.keep(temporary, cid).map(Some).map_err(failed)
    }

    /// Removes the uploads of killed processes.
    #[must_use = "an upload that cannot be removed is in the result"]
    pub fn remove_leftovers(&self) -> Leftovers {
        remove_leftovers(&self.root, |name| name.starts_with(INCOMING))
    }

    /// Lists the files of uploads that are under way, or that killed processes have left.
    ///
    /// # Errors
    ///
    /// [`BlobError::Io`] if the directory cannot be read.
    pub fn uploads(&self) -> Result<Vec<PathBuf>, BlobError> {
        let mut uploads = entries(&self.root)?;
        uploads.retain(|path| {
            path.file_name().unwrap_or_default().as_encoded_bytes().starts_with(INCOMING.as_bytes())
        });
        uploads.sort();
        Ok(uploads)
    }

    /// Returns the CIDs of the files with names of blobs, in order.
    fn cids(&self) -> Result<Vec<Cid>, BlobError> {
        let mut cids = Vec::new();
        for shard in entries(&self.root)? {
            if !shard.is_dir() {
                continue;
            }
            for path in entries(&shard)? {
                let name = path.file_name().and_then(|name| name.to_str());
                let cid = name.and_then(|name| name.parse::<Cid>().ok());
                let is_blob = |cid: &Cid| cid.codec() == Codec::Raw && path == self.path(cid);
                cids.extend(cid.filter(is_blob));
            }
        }
        cids.sort_unstable();
        Ok(cids)
    }

    fn info(&self, cid: &Cid) -> Result<Option<BlobInfo>, BlobError> {
        let path = self.path(cid);
        match fs::metadata(&path) {
            Ok(file) => Ok(Some(blob_info(*cid, &file))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(BlobError::Io { path, source }),
        }
    }

    /// Deletes the selected blobs with `remove`, and makes the deletion durable.
    fn sweep_blobs(
        &self,
        cids: &[Cid],
        goes: impl Fn(&BlobInfo) -> bool,
        remove: impl Fn(&Path) -> io::Result<bool>,
    ) -> Result<Vec<BlobInfo>, BlobError> {
        let (mut swept, mut changed) = (Vec::new(), BTreeSet::new());
        for cid in cids {
            // Another sweep may have deleted the blob.
            let Some(info) = self.info(cid)?.filter(&goes) else { continue };
            let path = self.path(cid);
            match remove(&path) {
                Ok(true) => {
                    swept.push(info);
                    changed.insert(parent(&path).to_owned());
                }
                Ok(false) => {}
                Err(source) => return Err(BlobError::Io { path, source }),
            }
        }
        changed.iter().try_for_each(|directory| self.sync(directory))?;
        Ok(swept)
    }

    /// Deletes a blob if it is still old while a lock keeps other processes from renewing it.
    fn remove_old(&self, path: &Path, before_micros: u64) -> io::Result<bool> {
        let _lock = files::lock(&self.root)?;
        match fs::metadata(path) {
            Ok(file) if modified_at(&file) < before_micros => files::remove(path),
            Ok(_) => Ok(false),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes the files of uploads that were interrupted before a time.
    fn sweep_uploads(&self, before_micros: u64) -> Result<(), BlobError> {
        let mut is_changed = false;
        for path in self.uploads()? {
            let is_old = |file: fs::Metadata| modified_at(&file) < before_micros;
            if fs::symlink_metadata(&path).is_ok_and(is_old) && !files::is_locked(&path) {
                is_changed |=
                    files::remove(&path).map_err(|source| BlobError::Io { path, source })?;
            }
        }
        if is_changed { self.sync(&self.root) } else { Ok(()) }
    }

    fn sync(&self, directory: &Path) -> Result<(), BlobError> {
        let failed = |source| BlobError::Io { path: directory.to_owned(), source };
        sync_directory(directory).map_err(failed)
    }
}

impl BlobStore for BlobDirectory {
    fn put(&self, data: &mut dyn Read) -> Result<BlobInfo, BlobError> {
        let failed = |source| BlobError::Io { path: self.root.clone(), source };
        if !self.root.is_dir() {
            fs::create_dir_all(&self.root).map_err(failed)?;
        }
        // Its lock makes a sweep skip the file of an upload that is still running.
        let mut temporary = UnfinishedFile::private_in(&self.root, INCOMING, "").map_err(failed)?;
        let (cid, _) = hashing::copy_hashing(data, temporary.as_file(), failed)?;
        temporary.as_file().sync_all().map_err(failed)?;
        make_readable(temporary.as_file()).map_err(failed)?;
        self.keep(temporary, &cid).map_err(failed)
    }

    fn open(&self, cid: &Cid) -> Result<Option<OpenBlob>, BlobError> {
        let path = self.path(cid);
        let opened = files::open(&path).and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((metadata, file)) => Ok(Some(OpenBlob::new(blob_info(*cid, &metadata), file))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(BlobError::Io { path, source }),
        }
    }

    fn copy(&self, cid: &Cid, from: &dyn BlobStore) -> Result<Option<BlobInfo>, BlobError> {
        if let Some(path) = from.file(cid)
            && let Some(info) = self.link(&path, cid)?
        {
            return Ok(Some(info));
        }
        match from.open(cid)? {
            Some(mut blob) => self.put(&mut blob.reader).map(Some),
            None => Ok(None),
        }
    }

    fn file(&self, cid: &Cid) -> Option<PathBuf> {
        Some(self.path(cid))
    }

    fn renew(&self, cid: &Cid) -> Result<Option<BlobInfo>, BlobError> {
        let path = self.path(cid);
        // The lock is held until the file is young.
        let touched = files::lock_shared(&self.root).and_then(|_lock| files::touch(&path));
        match touched {
            // Only the owner of a file can make it young.
            Ok(Touched::Young(file) | Touched::Unchanged(file)) => Ok(Some(blob_info(*cid, &file))),
            Ok(Touched::Absent) => Ok(None),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(BlobError::Io { path, source }),
        }
    }

    fn list(&self, each: &mut dyn FnMut(BlobInfo) -> ControlFlow<()>) -> Result<(), BlobError> {
        for cid in self.cids()? {
            if let Some(info) = self.info(&cid)?
                && each(info).is_break()
            {
                break;
            }
        }
        Ok(())
    }

    fn sweep(&self, sweep: BlobSweep<'_>) -> Result<Vec<BlobInfo>, BlobError> {
        match sweep {
            // A sweep of a list ignores the age, so it needs no lock.
            BlobSweep::Listed(cids) => self.sweep_blobs(cids, |_| true, files::remove),
            BlobSweep::StoredBefore { micros, keep } => {
                let goes = |info: &BlobInfo| info.stored_at_micros < micros && !keep(&info.cid);
                let remove = |path: &Path| self.remove_old(path, micros);
                let swept = self.sweep_blobs(&self.cids()?, goes, remove)?;
                self.sweep_uploads(micros)?;
                Ok(swept)
            }
        }
    }
}

/// Returns a time in microseconds since 1970. Earlier times count as 1970.
pub(crate) fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

fn blob_info(cid: Cid, file: &fs::Metadata) -> BlobInfo {
    BlobInfo { cid, size_bytes: file.len(), stored_at_micros: modified_at(file) }
}

fn modified_at(file: &fs::Metadata) -> u64 {
    file.modified().map_or(0, micros)
}

/// Returns the entries of a directory, and no entries if it does not exist.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, BlobError> {
    let failed = |source| BlobError::Io { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

/// Makes a file readable by all users: blobs are public, but temporary files are created for their
/// owner alone.
fn make_readable(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

const SHARD_CHARS: usize = 2;

/// The prefix of the names of files that are not yet blobs.
const INCOMING: &str = ".incoming-";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
