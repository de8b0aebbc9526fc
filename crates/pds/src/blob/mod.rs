//! Files too big to be blocks: images, videos, whatever records refer to.
//!
//! A blob is named by the CID of its bytes (codec raw) and lives beside the repository, never in
//! it. It is streamed in and out, never held whole, and hashed on both ways. (Specification
//! "Blobs".)

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
    use crate::data::Codec;

    /// What every blob store must do.
    fn conforms(blobs: &dyn BlobStore) {
        let absent = Cid::of(Codec::Raw, b"absent");
        assert!(blobs.open(&absent).unwrap().is_none());
        assert!(blobs.info(&absent).unwrap().is_none());
        blobs.delete(&absent).unwrap();
        let large = vec![7; 300_000];
        let mut stored = Vec::new();
        for bytes in [&b""[..], b"hello", &large] {
            let info = blobs.put(&mut &*bytes).unwrap();
            assert_eq!(info.cid, Cid::of(Codec::Raw, bytes));
            assert_eq!(info.size_bytes, bytes.len() as u64);
            assert_eq!(blobs.put(&mut &*bytes).unwrap().cid, info.cid);
            assert_eq!(blobs.info(&info.cid).unwrap().unwrap().size_bytes, info.size_bytes);
            let mut read = Vec::new();
            blobs.open(&info.cid).unwrap().unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, bytes);
            stored.push(info.cid);
        }
        stored.sort();
        let listed: Vec<Cid> = blobs.list().unwrap().iter().map(|info| info.cid).collect();
        assert_eq!(listed, stored);
        blobs.delete(&stored[0]).unwrap();
        assert!(blobs.open(&stored[0]).unwrap().is_none());
        assert_eq!(blobs.list().unwrap().len(), 2);

        assert!(blobs.renew(&absent).unwrap().is_none());
        assert!(blobs.sweep(0, &|_| false).unwrap().is_empty(), "all are younger");
        std::thread::sleep(std::time::Duration::from_millis(20));
        let renewed = blobs.renew(&stored[1]).unwrap().unwrap();
        let age = renewed.stored_at_micros;
        assert!(age > blobs.info(&stored[2]).unwrap().unwrap().stored_at_micros);
        let kept = |cid: &Cid| *cid == stored[2];
        assert!(blobs.sweep(age, &kept).unwrap().is_empty(), "one is kept, one was renewed");
        let swept: Vec<Cid> =
            blobs.sweep(age, &|_| false).unwrap().iter().map(|info| info.cid).collect();
        assert_eq!(swept, [stored[2]]);
        let listed: Vec<Cid> = blobs.list().unwrap().iter().map(|info| info.cid).collect();
        assert_eq!(listed, [stored[1]]);
        let again = blobs.put(&mut &b"again"[..]).unwrap().cid;
        std::thread::sleep(std::time::Duration::from_millis(20));
        let young = blobs.put(&mut &b"again"[..]).unwrap().stored_at_micros;
        assert!(blobs.sweep(young, &|cid| *cid != again).unwrap().is_empty(), "stored again");

        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("cut"))
            }
        }
        assert!(blobs.put(&mut (&b"start"[..]).chain(Failing)).is_err());
        assert_eq!(blobs.list().unwrap().len(), 2);
    }

    #[test]
    fn blobs_in_memory_conform() {
        conforms(&MemoryBlobs::default());
    }

    #[test]
    fn blobs_in_a_directory_conform() {
        let dir = tempfile::tempdir().unwrap();
        conforms(&BlobDirectory::new(dir.path().join("blobs")));
        assert_eq!(std::fs::read_dir(dir.path().join("blobs")).unwrap().count(), 1, "no leftovers");
    }
}
