//! Files too big to be blocks: images, videos, whatever records refer to.
//!
//! A blob is named by the CID of its bytes (codec raw) and lives beside the repository, never in
//! it. It is streamed in and out, never held whole, and hashed on both ways. (Specification
//! "Blobs".) Every implementation of [`BlobStore`] must pass `conformance` (feature `testing`).

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod directory;
mod error;
mod memory;
mod sniff;
mod stream;

use std::io::Read;

pub use directory::BlobDirectory;
pub use error::BlobError;
pub use memory::MemoryBlobs;
pub use sniff::{SNIFFED_BYTES, sniff};

use crate::data::Cid;

/// A blob that is kept.
///
/// ```
/// use pds::blob::{BlobStore, MemoryBlobs};
///
/// let info = MemoryBlobs::default().put(&mut &b"hello"[..])?;
/// assert_eq!(info.size_bytes, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its name.
    pub cid: Cid,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was stored, in microseconds since 1970.
    pub stored_at_micros: u64,
}

/// A place where blobs are kept.
///
/// ```
/// use std::io::Read;
/// use pds::blob::{BlobStore, MemoryBlobs};
///
/// let blobs = MemoryBlobs::default();
/// let cid = blobs.put(&mut &b"hello"[..])?.cid;
/// let mut text = String::new();
/// blobs.open(&cid)?.expect("it was just stored").read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait BlobStore: Send + Sync {
    /// Stores what can be read from `data`; what is there already stays as it is, and counts as
    /// stored now.
    ///
    /// # Errors
    ///
    /// [`BlobError`] when it cannot be read or stored; nothing is kept then.
    fn put(&self, data: &mut dyn Read) -> Result<BlobInfo, BlobError>;

    /// Opens a blob; `None` when it is not here.
    ///
    /// The reader hashes as it goes, and fails at the end when the bytes are not the ones named.
    ///
    /// # Errors
    ///
    /// [`BlobError`] when it is here and cannot be opened.
    fn open(&self, cid: &Cid) -> Result<Option<Box<dyn Read + Send>>, BlobError>;

    /// Tells about a blob without opening it; `None` when it is not here.
    ///
    /// # Errors
    ///
    /// [`BlobError`].
    fn info(&self, cid: &Cid) -> Result<Option<BlobInfo>, BlobError>;

    /// Makes a blob count as stored now, because somebody is about to refer to it; `None` when it is
    /// not here.
    ///
    /// # Errors
    ///
    /// [`BlobError`].
    fn renew(&self, cid: &Cid) -> Result<Option<BlobInfo>, BlobError>;

    /// Lists the blobs, by CID.
    ///
    /// # Errors
    ///
    /// [`BlobError`].
    fn list(&self) -> Result<Vec<BlobInfo>, BlobError>;

    /// Deletes a blob, if it is here.
    ///
    /// # Errors
    ///
    /// [`BlobError`].
    fn delete(&self, cid: &Cid) -> Result<(), BlobError>;

    /// Deletes every blob that was stored before a time, in microseconds since 1970, and is not
    /// kept, and what interrupted uploads left before that time; returns the blobs that went.
    ///
    /// A blob that is stored again or [renewed](Self::renew) at the same moment stays.
    ///
    /// # Errors
    ///
    /// [`BlobError`].
    fn sweep(
        &self,
        stored_before_micros: u64,
        keep: &dyn Fn(&Cid) -> bool,
    ) -> Result<Vec<BlobInfo>, BlobError>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
}
