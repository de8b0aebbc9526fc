//! The space that a fetch leaves free on the disk.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Result;
use crate::mirror::small_file::failed;

/// The disk of a directory into which a fetch writes.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    file: Arc<File>,
}

impl Disk {
    /// Returns the disk of a directory.
    pub(super) fn of(dir: &Path) -> Result<Self> {
        let file = File::open(dir).map_err(|error| failed(dir, error))?;
        Ok(Self { dir: dir.to_owned(), file: Arc::new(file) })
    }

    /// Fails if the disk would be almost full after some more bytes.
    pub(super) fn check(&self, bytes: u64) -> Result<()> {
        check_free(&self.file, &self.dir, bytes)
    }
}

/// Fails if the disk of a file or directory would be almost full after some more bytes. The error names the path.
pub(super) fn check_free(file: &File, path: &Path, bytes: u64) -> Result<()> {
    match free_bytes(file).saturating_sub(bytes) {
        0..KEPT_FREE_BYTES => Err(failed(path, io::ErrorKind::StorageFull.into())),
        _ => Ok(()),
    }
}

/// A body whose bytes are written to a disk. A read fails if the disk would be almost full after it.
pub(super) struct Guarded<R> {
    body: R,
    check: Box<dyn Fn(u64) -> Result<()> + Send>,
}

impl<R> Guarded<R> {
    /// Guards a disk against a body.
    pub(super) fn new(body: R, disk: &Disk) -> Self {
        let disk = disk.clone();
        Self { body, check: Box::new(move |bytes| disk.check(bytes)) }
    }
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.body.read(buffer)?;
        (self.check)(read as u64).map_err(crate::error::Error::into_io)?;
        Ok(read)
    }
}

/// Returns how much the file system of a file can still take.
#[cfg(unix)]
fn free_bytes(file: &File) -> u64 {
    let about = rustix::fs::fstatvfs(file);
    about.map_or(u64::MAX, |about| about.f_bavail.saturating_mul(about.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &File) -> u64 {
    u64::MAX
}

/// What a fetch leaves free on the disk, for others and for the store that is made of the files.
const KEPT_FREE_BYTES: u64 = 64 << 20;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pds::blob::{BlobError, BlobStore, MemoryBlobs};

    use super::*;
    use crate::error::Error;

    #[test]
    fn a_disk_is_never_filled() {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::of(home.path()).unwrap();
        disk.check(0).unwrap();
        assert!(matches!(disk.check(u64::MAX), Err(Error::Repo(_))));
    }

    #[test]
    fn a_blob_ends_before_the_disk_is_full() {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::of(home.path()).unwrap();
        let blobs = MemoryBlobs::default();
        blobs.put(&mut Guarded::new(&b"small"[..], &disk)).unwrap();
        let full = Guarded { body: io::repeat(7), check: Box::new(move |_| disk.check(u64::MAX)) };
        let Err(BlobError::Source(error)) = blobs.put(&mut { full }) else {
            panic!("it has no end")
        };
        let Error::Repo(pds::Error::Io { path, source }) = error.into() else { panic!("a file") };
        assert_eq!((&*path, source.kind()), (home.path(), io::ErrorKind::StorageFull));
    }
}
