//! Blobs as files in a directory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{BlobError, BlobInfo, BlobStore, stream};
use crate::data::{Cid, Codec};

/// Blobs as files: `<directory>/<first two characters of the CID>/<CID>`.
///
/// A blob is written to a temporary file in the same directory, synced, renamed, and the directory
/// synced, so that a file with the name of a blob is always whole and there to stay. The directory
/// is made with the first blob.
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
    /// Names the directory; it need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns where a blob is, or would be.
    #[must_use]
    pub fn path(&self, cid: &Cid) -> PathBuf {
        let name = cid.to_string();
        let (shard, _) = name.split_at(SHARD_CHARS);
        self.root.join(shard).join(&name)
    }

    /// Gives a file that is complete and synced its name, and makes the name last.
    fn keep(&self, temporary: tempfile::TempPath, cid: &Cid) -> io::Result<()> {
        let path = self.path(cid);
        let shard = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(shard)?;
        // A file that is there already stays if it is whole, and is young again; a damaged one is
        // replaced, and so is one that was just swept.
        if !(is_whole(&path, cid) && renew(&path)?) {
            temporary.persist(&path).map_err(|error| error.error)?;
        }
        // Another process may have made any of these a moment ago and not have synced them yet.
        for directory in [shard, &self.root, parent(&self.root)] {
            sync_directory(directory)?;
        }
        Ok(())
    }
}

impl BlobStore for BlobDirectory {
    fn put(&self, data: &mut dyn Read) -> Result<BlobInfo, BlobError> {
        let failed = |source| BlobError::Io { path: self.root.clone(), source };
        if !self.root.is_dir() {
            fs::create_dir_all(&self.root).map_err(failed)?;
        }
        let mut temporary =
            tempfile::Builder::new().prefix(INCOMING).tempfile_in(&self.root).map_err(failed)?;
        let (cid, _) = stream::copy_hashing(data, temporary.as_file_mut(), failed)?;
        temporary.as_file().sync_all().map_err(failed)?;
        make_readable(temporary.as_file()).map_err(failed)?;
        self.keep(temporary.into_temp_path(), &cid).map_err(failed)?;
        let gone = || failed(io::Error::other("the blob was removed while it was stored"));
        self.info(&cid)?.ok_or_else(gone)
    }

    fn open(&self, cid: &Cid) -> Result<Option<Box<dyn Read + Send>>, BlobError> {
        let path = self.path(cid);
        match File::open(&path) {
            Ok(file) => Ok(Some(Box::new(stream::Verifying::new(file, *cid)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(BlobError::Io { path, source }),
        }
    }

    fn info(&self, cid: &Cid) -> Result<Option<BlobInfo>, BlobError> {
        let path = self.path(cid);
        match fs::metadata(&path) {
            Ok(file) => Ok(Some(blob_info(*cid, &file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(BlobError::Io { path, source }),
        }
    }

    fn renew(&self, cid: &Cid) -> Result<Option<BlobInfo>, BlobError> {
        let path = self.path(cid);
        match renew(&path) {
            Ok(true) => self.info(cid),
            Ok(false) => Ok(None),
            Err(source) => Err(BlobError::Io { path, source }),
        }
    }

    fn list(&self) -> Result<Vec<BlobInfo>, BlobError> {
        let mut blobs = Vec::new();
        for shard in entries(&self.root)? {
            if !shard.is_dir() {
                continue;
            }
            for path in entries(&shard)? {
                let name = path.file_name().and_then(|name| name.to_str());
                let Some(cid) = name.and_then(|name| name.parse::<Cid>().ok()) else {
                    continue;
                };
                let failed = |source| BlobError::Io { path: path.clone(), source };
                if cid.codec() == Codec::Raw && path == self.path(&cid) {
                    blobs.push(blob_info(cid, &fs::metadata(&path).map_err(failed)?));
                }
            }
        }
        blobs.sort_unstable_by_key(|info| info.cid);
        Ok(blobs)
    }

    fn delete(&self, cid: &Cid) -> Result<(), BlobError> {
        let path = self.path(cid);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed
                .and_then(|()| sync_directory(parent(&path)))
                .map_err(|source| BlobError::Io { path, source }),
        }
    }

    fn sweep(
        &self,
        stored_before_micros: u64,
        keep: &dyn Fn(&Cid) -> bool,
    ) -> Result<Vec<BlobInfo>, BlobError> {
        let is_old = |info: &BlobInfo| info.stored_at_micros < stored_before_micros;
        let mut swept = Vec::new();
        for info in self.list()?.into_iter().filter(is_old).filter(|info| !keep(&info.cid)) {
            let path = self.path(&info.cid);
            let aside = self.root.join(format!("{INCOMING}{}", info.cid));
            let still_old = |file: &fs::Metadata| is_old(&blob_info(info.cid, file));
            match remove_if(&path, &aside, still_old) {
                Ok(true) => swept.push(info),
                // Somebody else may be sweeping, too.
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(BlobError::Io { path, source }),
            }
        }
        for path in entries(&self.root)? {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            let modified = fs::metadata(&path).and_then(|file| file.modified());
            if name.starts_with(INCOMING.as_bytes())
                && modified.is_ok_and(|modified| micros(modified) < stored_before_micros)
            {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    removed => removed.map_err(|source| BlobError::Io { path, source })?,
                }
            }
        }
        Ok(swept)
    }
}

/// A time as microseconds since 1970; earlier ones count as 1970.
pub(super) fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

fn blob_info(cid: Cid, file: &fs::Metadata) -> BlobInfo {
    let stored_at_micros = file.modified().map_or(0, micros);
    BlobInfo { cid, size_bytes: file.len(), stored_at_micros }
}

/// What a directory holds; nothing where there is none.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, BlobError> {
    let failed = |source| BlobError::Io { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

/// Removes a file if something holds of it once it is out of sight, where nobody can renew it any
/// more: who did so a moment ago gets it back.
fn remove_if(
    path: &Path,
    aside: &Path,
    goes: impl FnOnce(&fs::Metadata) -> bool,
) -> io::Result<bool> {
    fs::rename(path, aside)?;
    if goes(&fs::metadata(aside)?) {
        fs::remove_file(aside)?;
        sync_directory(parent(path))?;
        return Ok(true);
    }
    fs::rename(aside, path)?;
    Ok(false)
}

/// Makes a file count as written now; tells whether it is still there.
fn renew(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    match file.set_modified(SystemTime::now()) {
        // Where nobody may write here, or to what another user stored, nothing is swept by us.
        Err(error) if CANNOT_RENEW.contains(&error.kind()) => {}
        renewed => renewed?,
    }
    path.try_exists()
}

/// Tells whether a file has the bytes that its name says.
fn is_whole(path: &Path, cid: &Cid) -> bool {
    let Ok(file) = File::open(path) else { return false };
    io::copy(&mut stream::Verifying::new(file, *cid), &mut io::sink()).is_ok()
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// Makes a rename or a new entry in a directory last.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Temporary files are made for their owner alone; blobs are public.
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

/// How the names of files start that are no blobs yet, or none any more.
const INCOMING: &str = ".incoming-";

const CANNOT_RENEW: [io::ErrorKind; 2] =
    [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_fails_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobDirectory::new(dir.path());
        let info = blobs.put(&mut &b"hello"[..]).unwrap();
        fs::write(blobs.path(&info.cid), b"jello").unwrap();
        let mut read = Vec::new();
        let mut reader = blobs.open(&info.cid).unwrap().unwrap();
        let error = reader.read_to_end(&mut read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn storing_a_damaged_blob_again_mends_it() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobDirectory::new(dir.path().join("blobs"));
        let info = blobs.put(&mut &b"hello"[..]).unwrap();
        for damage in [&b"jello"[..], b"", b"hello and more"] {
            fs::write(blobs.path(&info.cid), damage).unwrap();
            assert_eq!(blobs.put(&mut &b"hello"[..]).unwrap().cid, info.cid);
            assert_eq!(fs::read(blobs.path(&info.cid)).unwrap(), b"hello");
        }
    }

    #[test]
    fn strangers_in_the_directory_are_not_blobs() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobDirectory::new(dir.path());
        fs::write(dir.path().join(".incoming-x"), b"").unwrap();
        fs::create_dir(dir.path().join("ba")).unwrap();
        fs::write(dir.path().join("ba/README"), b"").unwrap();
        let record = Cid::of(Codec::Cbor, b"x").to_string();
        fs::write(dir.path().join("ba").join(record), b"").unwrap();
        assert!(blobs.list().unwrap().is_empty());
    }
}
