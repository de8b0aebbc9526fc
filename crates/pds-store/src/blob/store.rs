//! The trait of a blob store.

use std::fmt;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::blob::error::BlobError;
use crate::blob::hashing;
use pds_core::data::cid::Cid;

/// The name, size and age of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// The CID of the blob.
    pub cid: Cid,
    /// The size in bytes.
    pub size_bytes: u64,
    /// The time when the blob was last stored or renewed, in microseconds since 1970.
    pub stored_at_micros: u64,
}

/// A blob that was opened for reading.
///
/// ```
/// use std::io::Read;
/// use pds::blob::{BlobStore, MemoryBlobs};
///
/// let blobs = MemoryBlobs::default();
/// let cid = blobs.put(&mut &b"hello"[..])?.cid;
/// let mut blob = blobs.open(&cid)?.expect("it was just stored");
/// assert_eq!(blob.info.size_bytes, 5);
/// let mut text = String::new();
/// blob.reader.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
pub struct OpenBlob {
    /// The name, size and age of the blob.
    pub info: BlobInfo,
    /// The bytes of the blob. At the end, reading fails with
    /// [`InvalidData`](std::io::ErrorKind::InvalidData) if they do not match the CID.
    pub reader: Box<dyn Read + Send>,
}

impl OpenBlob {
    /// Returns an open blob that reads the bytes of a back end and hashes them.
    #[must_use]
    pub fn new(info: BlobInfo, bytes: impl Read + Send + 'static) -> Self {
        Self { info, reader: Box::new(hashing::Verifying::new(bytes, info.cid)) }
    }
}

impl fmt::Debug for OpenBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenBlob").field("info", &self.info).finish_non_exhaustive()
    }
}

/// The blobs that a [sweep](BlobStore::sweep) deletes.
///
/// ```
/// use pds::blob::{BlobStore, BlobSweep, MemoryBlobs};
///
/// let blobs = MemoryBlobs::default();
/// let [one, two] = [&b"one"[..], b"two"].map(|mut bytes| blobs.put(&mut bytes));
/// let (one, two) = (one?.cid, two?.cid);
/// let deleted = blobs.sweep(BlobSweep::StoredBefore { micros: u64::MAX, keep: &|cid| *cid == one })?;
/// assert_eq!(deleted[0].cid, two);
/// blobs.sweep(BlobSweep::Listed(&[one]))?;
/// assert!(blobs.open(&one)?.is_none());
/// # Ok::<(), pds::blob::BlobError>(())
/// ```
#[derive(Clone, Copy)]
pub enum BlobSweep<'a> {
    /// The blobs of a list, regardless of their age. CIDs of missing blobs are ignored.
    Listed(&'a [Cid]),
    /// All blobs that were stored before a time and are not kept. The remains of uploads that were
    /// interrupted before that time are deleted as well.
    StoredBefore {
        /// The time, in microseconds since 1970.
        micros: u64,
        /// Returns whether a blob is kept. The function may use the blob store.
        keep: &'a dyn Fn(&Cid) -> bool,
    },
}

impl fmt::Debug for BlobSweep<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(cids) => f.debug_tuple("Listed").field(cids).finish(),
            Self::StoredBefore { micros, .. } => {
                f.debug_struct("StoredBefore").field("micros", micros).finish_non_exhaustive()
            }
        }
    }
}

/// A store of blobs.
pub trait BlobStore: Send + Sync {
    /// Stores the bytes of `data`. If the blob is already stored, it is kept and counts as stored
    /// now.
    ///
    /// # Errors
    ///
    /// [`BlobError`] if the bytes cannot be read or stored. No part of them is kept then.
    fn put(&self, data: &mut dyn Read) -> Result<BlobInfo, BlobError>;

    /// Opens a blob, or returns `None` if it is not stored.
    ///
    /// # Errors
    ///
    /// [`BlobError`] if the blob is stored but cannot be opened. Damaged bytes are an error of the
    /// reader.
    fn open(&self, cid: &Cid) -> Result<Option<OpenBlob>, BlobError>;

    /// Stores a blob of another blob store. Returns `None` if that store does not have it.
    ///
    /// The bytes are hashed. A back end may share them with the other store instead of copying them.
    ///
    /// # Errors
    ///
    /// [`BlobError`] if the bytes cannot be read or stored. No part of them is kept then. It is
    /// [`BlobError::Source`] with [`InvalidData`](std::io::ErrorKind::InvalidData) if they are damaged.
    fn copy(&self, cid: &Cid, from: &dyn BlobStore) -> Result<Option<BlobInfo>, BlobError> {
        match from.open(cid)? {
            Some(mut blob) => self.put(&mut blob.reader).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the file of a blob, whether or not it is stored. `None` if blobs are not files.
    fn file(&self, _cid: &Cid) -> Option<PathBuf> {
        None
    }

    /// Makes a blob count as stored now, or returns `None` if it is not stored.
    ///
    /// A writer renews the blobs of a record before it writes the record. A sweep at the same
    /// moment then either deletes the blob before it is renewed, or keeps it.
    ///
    /// # Errors
    ///
    /// [`BlobError`] if the blob store cannot be read or written.
    fn renew(&self, cid: &Cid) -> Result<Option<BlobInfo>, BlobError>;

    /// Calls `each` with every blob, in the order of the CIDs, until `each` returns `Break`.
    ///
    /// The function may use the blob store. Blobs that are stored or deleted meanwhile may or may
    /// not be listed.
    ///
    /// # Errors
    ///
    /// [`BlobError`] if the blob store cannot be read.
    fn list(&self, each: &mut dyn FnMut(BlobInfo) -> ControlFlow<()>) -> Result<(), BlobError>;

    /// Deletes blobs and returns the deleted ones.
    ///
    /// A sweep by age never deletes a blob that was [stored](Self::put) or [renewed](Self::renew)
    /// since the given time, even if the sweep is interrupted at any step.
    ///
    /// # Errors
    ///
    /// [`BlobError`] if a blob cannot be deleted. Other blobs may already be deleted then.
    fn sweep(&self, sweep: BlobSweep<'_>) -> Result<Vec<BlobInfo>, BlobError>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::blob::conformance;
    use crate::blob::directory::BlobDirectory;
    use crate::blob::memory::MemoryBlobs;

    #[test]
    fn blobs_in_memory_conform() {
        conformance::check(&|| Box::new(MemoryBlobs::default()));
    }

    #[test]
    fn blobs_in_a_directory_conform() {
        let dir = tempfile::tempdir().unwrap();
        let made = std::cell::Cell::new(0);
        conformance::check(&|| {
            made.set(made.get() + 1);
            Box::new(BlobDirectory::new(dir.path().join(made.get().to_string())))
        });
        for blobs in 1..=made.get() {
            let Ok(entries) = std::fs::read_dir(dir.path().join(blobs.to_string())) else {
                continue;
            };
            let names = entries.map(|entry| entry.unwrap().file_name());
            let left: Vec<_> = names.filter(|name| *name != "ba").collect();
            assert!(left.is_empty(), "{left:?} of uploads");
        }
    }

    #[test]
    fn blobs_in_a_directory_conform_when_they_are_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobDirectory::new(dir.path());
        conformance::check_damage(&blobs, &|cid, bytes| {
            std::fs::write(blobs.path(cid), bytes).unwrap();
        });
    }
}
